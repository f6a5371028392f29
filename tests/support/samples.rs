//! Calls and answers that many tests have.

use super::reply::Reply;

/// A call with all that it needs, but for a server.
pub const fn call<'a>(prompt: &'a str, seconds: &'a str, video: &'a str) -> [&'a str; 8] {
    [
        "videos",
        "extend",
        "--prompt",
        prompt,
        "--seconds",
        seconds,
        "--video",
        video,
    ]
}

/// The shortest of them.
pub const EXTEND: [&str; 8] = call("x", "4", "v");
/// A download into a file, with no remarks.
pub const DOWNLOAD: [&str; 6] = [
    "videos",
    "download-content",
    "video_1",
    "-q",
    "-o",
    "out.mp4",
];

/// The shortest answer that is a job.
pub const JOB: &str = r#"{"id":"video_1"}"#;
/// The same as it is printed.
pub const PRINTED: &str = "{\n  \"id\": \"video_1\"\n}\n";

/// A job in this state, to be looked at again soon.
pub fn job(status: &str) -> Reply {
    Reply::json(200, &format!(r#"{{"id":"video_1","status":"{status}"}}"#))
        .header("openai-poll-after-ms", "100")
}

/// Content of 1 MB that differs everywhere.
pub fn media() -> Vec<u8> {
    (0..250_000u32).flat_map(u32::to_le_bytes).collect()
}
