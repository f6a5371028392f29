//! Arguments and responses that many tests use.

use super::reply::Reply;

/// The arguments of `extend` with everything that it requires.
pub const fn call<'a>(prompt: &'a str, seconds: &'a str, video: &'a str) -> [&'a str; 8] {
    ["videos", "extend", "--prompt", prompt, "--seconds", seconds, "--video", video]
}

/// The shortest complete `extend`.
pub const EXTEND: [&str; 8] = call("x", "4", "v");
/// A quiet download to a file.
pub const DOWNLOAD: [&str; 6] = ["videos", "download-content", "video_1", "-q", "-o", "out.mp4"];

/// A wait that is long enough to begin with a poll on a slow machine, too.
pub const SHORT_WAIT: [&str; 2] = ["--wait-timeout", "500ms"];

/// The shortest response that is a job.
pub const JOB: &str = r#"{"id":"video_1"}"#;
/// The output for [`JOB`].
pub const PRINTED: &str = "{\n  \"id\": \"video_1\"\n}\n";

/// A job with this status, and a poll interval of 100 ms.
pub fn job(status: &str) -> Reply {
    Reply::json(200, &format!(r#"{{"id":"video_1","status":"{status}"}}"#))
        .header("openai-poll-after-ms", "100")
}

/// A job with this status, and a poll interval of a minute. A run with [`SHORT_WAIT`] polls it
/// once, at its deadline.
pub fn slow_job(status: &str) -> Reply {
    Reply::json(200, &format!(r#"{{"id":"video_1","status":"{status}"}}"#))
        .header("openai-poll-after-ms", "60000")
}

/// Content of 1 MB in which no two positions look alike.
pub fn media() -> Vec<u8> {
    (0..250_000u32).flat_map(u32::to_le_bytes).collect()
}
