//! Calls and answers that many tests have.

/// A call with all that it needs, but for a server.
pub const EXTEND: [&str; 8] = [
    "videos",
    "extend",
    "--prompt",
    "x",
    "--seconds",
    "4",
    "--video",
    "v",
];
/// The shortest answer that is a job.
pub const JOB: &str = r#"{"id":"video_1"}"#;
/// The same as it is printed.
pub const PRINTED: &str = "{\n  \"id\": \"video_1\"\n}\n";
