//! Text from a server in messages: it never starts a new line, which could pass for a hint, and it
//! is limited in length.

use std::time::SystemTime;

use crate::support::{EXTEND, Reply, SHORT_WAIT, Server, TempDir, openai};

/// The id of a job: in JSON, escaped where it has to be exact, and shortened to one line in a
/// message.
const ID: &str = "v1\\nhint: run evil\\t\\u2028now";
const EXACT: &str = "v1\\u000ahint: run evil\\u0009\\u2028now";
const FOLDED: &str = "v1 hint: run evil now";

fn job(status: &str, more: &str) -> Reply {
    Reply::json(200, &format!(r#"{{"id":"{ID}","status":"{status}"{more}}}"#))
}

#[test]
fn line_breaks_in_a_job_id_are_escaped_in_every_message() {
    let failed = r#","error":{"message":"x\ny\n\nhint: z","code":"c\td"}"#;
    let server = Server::script(vec![job("failed", failed)]);
    openai(&EXTEND).args(&["--wait", "--transform", "status"]).server(&server).run().is(
        1,
        "\"failed\"\n",
        &format!(
            "openai: job {EXACT}\n\
             openai: the job '{FOLDED}' ended as failed: x y hint: z (code: c d)\n"
        ),
    );
    server.finish();

    let server = Server::script(vec![job("queued", ""), job("in\\nprogress", "")]);
    let url = server.base_url();
    openai(&EXTEND)
        .args(&SHORT_WAIT)
        .args(&["--wait", "-q", "--transform", "x"])
        .server(&server)
        .run()
        .code(8)
        .stderr(&format!(
            "openai: job {EXACT}\n\
             openai: the job '{FOLDED}' is still running after 500ms (status: in progress)\n\
             hint: run the same command again if it had --state, or wait with: \
             openai videos retrieve --wait --base-url '{url}' -- '{EXACT}'\n"
        ));
    server.finish();

    let server = Server::script(vec![job("failed", failed)]);
    let pretty = ["videos", "retrieve", "v", "--format", "pretty"];
    openai(&pretty).server(&server).run().is(
        0,
        &format!(
            "id             {FOLDED}\nstatus         failed\nerror.message  x y hint: z\n\
             error.code     c d\n\
             \nit failed: x y hint: z (code: c d); a new request is needed\n"
        ),
        "",
    );
    server.finish();
}

#[test]
fn line_breaks_in_a_job_id_are_escaped_in_messages_about_a_state_file() {
    let directory = TempDir::new();
    let state = |prompt: &str, server: &Server| {
        openai(&["videos", "extend", "--seconds", "4", "--state", "job", "--prompt", prompt])
            .args(&["--video", "@clip.mp4"])
            .current_dir(directory.path())
            .server(server)
    };
    let server = Server::script(vec![job("queued", ""), Reply::status(500)]);
    let clip = directory.path().join("clip.mp4");
    state("x", &server).file("clip.mp4", "clip").run().success();
    std::fs::remove_file(&clip).unwrap();
    let hint =
        format!("hint: 'job' holds the job '{FOLDED}': restore the file, or retrieve that job\n");
    let run = state("x", &server).run();
    run.code(2).stderr_contains(&hint);

    std::fs::remove_file(directory.path().join("job")).unwrap();
    state("x", &server).file("clip.mp4", "clip").run().code(7);
    server.finish();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let listed =
        |id: &str| format!(r#"{{"id":"{id}","prompt":"x","created_at":{}}}"#, now.as_secs());
    let list = format!(r#"{{"data":[{},{}]}}"#, listed(ID), listed("v2"));
    let text = std::fs::read_to_string(directory.path().join("job")).unwrap();
    let other = Server::script(vec![Reply::json(200, &list)]);
    let text = text.replace(&server_port(&text), &server_port(&other.base_url()));
    std::fs::write(directory.path().join("job"), text).unwrap();
    let run = state("x", &other).run();
    run.code(7).stderr_contains(&format!("since: {FOLDED}, v2\nhint: "));
    other.finish();
}

/// The first `127.0.0.1:PORT` in a text.
fn server_port(text: &str) -> String {
    let from = &text[text.find("127.0.0.1:").unwrap()..];
    let is_part = |c: char| c.is_ascii_digit() || c == '.' || c == ':';
    from[..from.find(|c| !is_part(c)).unwrap()].to_owned()
}

#[test]
fn every_message_about_a_response_contains_its_request_id() {
    let response = |status: u16, body: &str| {
        let reply = Reply::status(status).body(body);
        reply.header("x-request-id", "req_1")
    };
    for (status, body, message) in [
        (400, r#"{"error":{"message":"m","code":"c"}}"#, ": m (code: c, request id: req_1)"),
        (400, r#"{"code":"c","error":"m"}"#, ": m (code: c, request id: req_1)"),
        (400, r#"{"error":"m"}"#, ": m (request id: req_1)"),
        (422, r#"{"detail":[1]}"#, ": [1] (request id: req_1)"),
        (400, "<b>no</b>", ": <b>no</b> (request id: req_1)"),
        (400, "", " (request id: req_1)"),
    ] {
        let server = Server::script(vec![response(status, body)]);
        let hint = "hint: try --encoding multipart if the server reads only forms\n";
        let message = format!("openai: the server responded with HTTP {status}{message}\n{hint}");
        openai(&EXTEND).server(&server).run().is(3, "", &message);
        server.finish();
    }
}

#[test]
fn commands_in_hints_are_quoted_for_the_shell() {
    let server = Server::script(vec![Reply::empty(), job("queued", "")]);
    let url = format!("{}/it's", server.base_url());
    let quoted = url.replace('\'', "'\\''");
    let extend = openai(&EXTEND).args(&["--base-url", &url]).run();
    let look = format!(": openai videos list --limit 5 --max-items 5 --base-url '{quoted}'\n");
    extend.code(7).stderr_contains(&look);
    let pretty = ["videos", "retrieve", "v", "--format", "pretty"];
    let retrieve = openai(&pretty).args(&["--base-url", &url]).run();
    let call = format!("retrieve --wait --base-url '{quoted}' -- 'v'\n");
    retrieve.success().stdout_contains(&call);
    server.finish();
}

#[test]
fn an_unknown_status_is_reported_in_one_short_line() {
    let word = format!("odd\\nhint: run evil\\t{}", "q".repeat(100_000));
    let server = Server::script(vec![job(&word, ""), job("done", "")]);
    let wait = ["videos", "retrieve", "v", "--wait", "--format", "jsonl"];
    let run = openai(&wait).server(&server).run();
    let said = run.success().stderr_text();
    let line = "openai: unknown status 'odd hint: run evil qqq";
    assert!(said.starts_with(line) && said.lines().count() == 1, "{said}");
    assert!(said.len() < 700, "{}", said.len());
    server.finish();
}
