//! Standard output: text that is printed unchanged, and output that cannot be written.

use std::fs::File;

use crate::support::{EXTEND, JOB, Reply, Server, openai};

#[test]
fn a_full_disk_ends_with_code_9_and_the_job_id_is_reported() {
    let server = Server::script(vec![Reply::json(200, JOB)]);
    let full = File::options().write(true).open("/dev/full").unwrap();
    openai(&EXTEND).stdout_to(full).server(&server).run().is(
        9,
        "",
        "openai: the job 'video_1' exists, but cannot write to standard output: No space left on \
         device (os error 28)\n",
    );
    server.finish();
}

#[test]
fn a_closed_pipe_ends_with_code_0_and_an_unsaved_job_id_is_reported() {
    let said = "openai: job video_1\n";
    let retrieve = ["videos", "retrieve", "video_1"];
    for (call, more, said) in [
        (&EXTEND[..], &[][..], said),
        (&EXTEND, &["-q", "--transform", "id"], said),
        (&EXTEND, &["--wait"], said),
        (&EXTEND, &["--state", "job"], ""),
        (&retrieve, &[], ""),
    ] {
        let job = r#"{"id":"video_1","status":"completed"}"#;
        let server = Server::script(vec![Reply::json(200, job)]);
        let call = openai(call).args(more).stdout_closed();
        call.server(&server).run().is(0, "", said);
        server.finish();
    }
}

#[test]
fn unicode_text_and_escapes_are_printed_unchanged() {
    let job = r#"{"id":"1","prompt":"日本 🎬 \u00e9 \" \\ \n"}"#;
    let server = Server::script(vec![Reply::json(200, job)]);
    openai(&EXTEND).server(&server).run().is(
        0,
        "{\n  \"id\": \"1\",\n  \"prompt\": \"日本 🎬 \\u00e9 \\\" \\\\ \\n\"\n}\n",
        "",
    );
    server.finish();
}

#[test]
fn a_job_with_a_lone_surrogate_is_printed() {
    for job in [
        r#"{"id":"video_1","\ud800":1}"#,
        r#"{"id":"video_1","prompt":"cut \ud83c"}"#,
        r#"{"id":"video_\ud800"}"#,
    ] {
        let server = Server::script(vec![Reply::json(200, job)]);
        let call = openai(&EXTEND).args(&["--format", "jsonl"]).server(&server);
        call.run().is(0, &format!("{job}\n"), "");
        server.finish();
    }
}

#[test]
fn indentation_of_a_deeply_nested_response_is_limited() {
    for depth in [7, 30, 490] {
        let ones = vec!["1"; 50_000].join(",");
        let job = format!(
            "{{\"id\":\"video_1\",\"a\":{}{ones}{}}}",
            "[".repeat(depth),
            "]".repeat(depth)
        );
        for format in ["json", "yaml", "pretty", "jsonl", "raw"] {
            let server = Server::script(vec![Reply::json(200, &job)]);
            let call = openai(&EXTEND).args(&["--format", format]).server(&server);
            let run = call.run();
            let size = run.success().stdout_contains("video_1").stdout.len();
            assert!(size < job.len() * 12, "{format}, {depth}: {size}");
            server.finish();
        }
    }
}

#[test]
fn a_read_only_standard_output_ends_with_code_9() {
    let server = Server::script(vec![Reply::json(200, JOB)]);
    let read_only = File::open("/dev/null").unwrap();
    openai(&EXTEND).stdout_to(read_only).server(&server).run().is(
        9,
        "",
        "openai: the job 'video_1' exists, but cannot write to standard output: Bad file \
         descriptor (os error 9)\n",
    );
    server.finish();
}
