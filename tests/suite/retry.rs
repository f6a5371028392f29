//! Retries: what is retried, how often, and that no second job is created.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener};
use std::thread;
use std::time::Duration;

use crate::support::{CLIP, EXTEND, JOB, Openai, PRINTED, Reply, Server, openai};

fn extend() -> Openai {
    openai(&EXTEND).args(&["-q"])
}

/// A response with this error status and `Retry-After: 0`.
fn busy(status: u16) -> Reply {
    Reply::json(status, r#"{"error": {"message": "busy"}}"#).header("Retry-After", "0")
}

#[test]
fn a_refused_request_is_retried_with_the_same_idempotency_key() {
    let server = Server::script(vec![busy(429), busy(503), Reply::json(200, JOB)]);
    extend().server(&server).run().is(0, PRINTED, "");
    let requests = server.finish();
    let keys: Vec<_> = requests.iter().map(|request| request.header("idempotency-key")).collect();
    assert!(keys[0].is_some() && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    let bodies: Vec<_> = requests.iter().map(|request| request.text()).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
}

#[test]
fn a_retried_post_is_not_lost_on_a_connection_that_the_server_closes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (first, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(&first).lines();
        while !lines.next().unwrap().unwrap().is_empty() {}
        let busy = b"HTTP/1.1 429 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n";
        (&first).write_all(busy).unwrap();
        // The body is the last line. What follows is another request, which is closed unread.
        let is_reused = lines.nth(1).is_some();
        drop(first);
        if !is_reused {
            let (mut second, _) = listener.accept().unwrap();
            let length = JOB.len();
            write!(second, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{JOB}").unwrap();
            second.shutdown(Shutdown::Write).unwrap();
            std::io::copy(&mut second, &mut std::io::sink()).unwrap();
        }
    });
    extend().args(&["--base-url", &url]).run().is(0, PRINTED, "");
    server.join().unwrap();
    // GET and DELETE use an open connection again: they are retried if it is closed.
    let server = Server::script(vec![busy(429), busy(429), Reply::json(200, JOB)]);
    openai(&["videos", "retrieve", "v", "-q"]).server(&server).run().code(0);
    assert!(server.finish().iter().all(|request| request.connection == 0));
    let server = Server::script(vec![busy(429), busy(429), Reply::json(200, JOB)]);
    extend().server(&server).run().code(0);
    let connections: Vec<_> = server.finish().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [0, 1, 2]);
}

#[test]
fn a_retry_is_reported_unless_quiet() {
    let server = Server::script(vec![busy(409), Reply::json(200, JOB)]);
    let note = "openai: the server responded with HTTP 409: busy; retry 1 of 2 in 0.0 s\n";
    openai(&EXTEND).server(&server).run().is(0, PRINTED, note);
    server.finish();
}

#[test]
fn exhausted_retries_end_with_code_5() {
    for status in [408, 409, 429, 503] {
        let server = Server::script(vec![busy(status), busy(status), busy(status)]);
        let stderr = format!("openai: the server responded with HTTP {status}: busy\n");
        extend().server(&server).run().is(5, "", &stderr);
        server.finish();
    }
    let server = Server::script(vec![busy(503)]);
    extend().args(&["--max-retries", "0"]).server(&server).run().code(5);
    server.finish();
}

#[test]
fn a_request_with_an_unknown_outcome_is_not_retried_and_ends_with_code_7() {
    let broken: [(Reply, &str); 11] = [
        (busy(500), "the server responded with HTTP 500: busy"),
        (busy(502), "the server responded with HTTP 502: busy"),
        (busy(504), "the server responded with HTTP 504: busy"),
        (Reply::empty(), "the server closed the connection"),
        (Reply::reset(), "Connection reset by peer (os error 104)"),
        (
            Reply::raw("SSH-2.0-OpenSSH_9.9\r\n"),
            "the response is not HTTP: http parse fail: invalid HTTP version",
        ),
        (Reply::json(200, JOB).truncated(5), "the server closed the connection"),
        (Reply::json(200, ""), "the response contains no job id: ''"),
        (
            Reply::json(200, "<html>welcome</html>"),
            "the response contains no job id: '<html>welcome</html>'",
        ),
        (
            Reply::json(200, r#"{"object": "list", "data": []}"#),
            r#"the response contains no job id: '{"object": "list", "data": []}'"#,
        ),
        (Reply::status(204), "the response contains no job id: ''"),
    ];
    for (reply, reason) in broken {
        let server = Server::script(vec![reply]);
        let url = server.base_url();
        extend().server(&server).run().is(
            7,
            "",
            &format!(
                "openai: the request was sent, but its outcome is unknown: {reason}\n\
                 hint: before running this again, look for the job, which may exist and be paid \
                 for: openai videos list --limit 5 --max-items 5 --base-url '{url}'\n"
            ),
        );
        server.finish();
    }
}

#[test]
fn a_503_of_a_gateway_that_lost_its_connection_has_an_unknown_outcome() {
    let envoy = "upstream connect error or disconnect/reset before headers. reset reason: \
                 connection termination";
    let server = Server::script(vec![Reply::status(503).body(envoy)]);
    extend().server(&server).run().code(7).stderr_contains(envoy);
    server.finish();
    let server = Server::script(vec![Reply::status(503).body(envoy), Reply::json(200, JOB)]);
    extend().args(&["--retry-unsafe"]).server(&server).run().is(0, PRINTED, "");
    server.finish();
    let server = Server::script(vec![Reply::status(503).body(envoy), Reply::json(200, JOB)]);
    openai(&["videos", "retrieve", "video_1", "-q"]).server(&server).run().is(0, PRINTED, "");
    server.finish();
}

#[test]
fn retry_unsafe_retries_a_request_with_an_unknown_outcome() {
    let server = Server::script(vec![busy(500), Reply::empty(), Reply::json(200, JOB)]);
    extend().args(&["--retry-unsafe"]).server(&server).run().is(0, PRINTED, "");
    server.finish();
}

#[test]
fn a_refused_retry_after_an_unknown_outcome_ends_with_code_7() {
    let server = Server::script(vec![Reply::empty(), Reply::json(400, "{}")]);
    extend()
        .args(&["--retry-unsafe", "--max-retries", "1"])
        .server(&server)
        .run()
        .code(7)
        .stderr_contains("its outcome is unknown: the server closed the connection");
    server.finish();
}

#[test]
fn x_should_retry_and_the_error_code_override_the_retry_rules() {
    let server =
        Server::script(vec![busy(500).header("x-should-retry", "true"), Reply::json(200, JOB)]);
    extend().server(&server).run().is(0, PRINTED, "");
    server.finish();
    let server = Server::script(vec![busy(503).header("x-should-retry", "false")]);
    extend().server(&server).run().code(5);
    server.finish();
    let quota = r#"{"error": {"message": "no money", "code": "insufficient_quota"}}"#;
    let server = Server::script(vec![Reply::json(429, quota).header("Retry-After", "0")]);
    let stderr =
        "openai: the server responded with HTTP 429: no money (code: insufficient_quota)\n";
    extend().server(&server).run().is(5, "", stderr);
    server.finish();
}

#[test]
fn a_retry_after_of_more_than_two_minutes_is_not_waited_for() {
    let far = "Fri, 31 Dec 9999 23:59:59 GMT";
    for header in [("Retry-After", "121"), ("retry-after-ms", "120001"), ("Retry-After", far)] {
        let server = Server::script(vec![Reply::json(503, "{}").header(header.0, header.1)]);
        extend().server(&server).run().code(5).stderr_contains("hint: run this again in ");
        server.finish();
    }
}

#[test]
fn the_delay_in_retry_after_is_observed() {
    let server = Server::script(vec![
        Reply::json(429, "{}").header("retry-after-ms", "300"),
        Reply::json(200, JOB),
    ]);
    let outcome = extend().server(&server).run();
    outcome.is(0, PRINTED, "");
    assert!(outcome.elapsed >= Duration::from_millis(300), "{:?}", outcome.elapsed);
    server.finish();
}

#[test]
fn a_retried_upload_sends_the_whole_file_again() {
    let server = Server::script(vec![busy(503), busy(503), Reply::json(200, JOB)]);
    extend()
        .args(&["--video", "@clip.mp4"])
        .file("clip.mp4", CLIP)
        .server(&server)
        .run()
        .is(0, PRINTED, "");
    for request in server.finish() {
        assert_eq!(request.part("video").body, CLIP);
    }
}

#[test]
fn an_upload_from_standard_input_is_not_retried() {
    let server = Server::script(vec![busy(503)]);
    extend().args(&["--video", "@-"]).stdin(CLIP).server(&server).run().code(5);
    server.finish();
}

#[test]
fn a_refused_connection_is_retried_and_ends_with_code_6() {
    // A free port, on which nothing listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/v1");
    let outcome = openai(&EXTEND).args(&["--max-retries", "1", "--base-url", &url]).run();
    outcome.code(6).stdout("");
    let reason =
        format!("openai: no connection to 127.0.0.1:{port}: Connection refused (os error 111)");
    let text = outcome.stderr_text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with(&format!("{reason}; retry 1 of 1 in 0.")), "{text}");
    assert_eq!(lines[1..], [reason]);
}
