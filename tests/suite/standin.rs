//! The stand-in server and the builder of commands do what the other tests rely on.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::support::{CLIP, EXTEND, Reply, Server, call, openai};

/// A client that sends given bytes.
struct Client(TcpStream);

impl Client {
    fn of(server: &Server) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Client(stream)
    }

    fn send(&mut self, text: impl AsRef<[u8]>) -> &mut Client {
        self.0.write_all(text.as_ref()).unwrap();
        self
    }

    /// Reads until the server closes the connection.
    fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Reads as many bytes as expected, and compares them.
    fn receives(&mut self, expected: &str) -> &mut Client {
        let mut bytes = vec![0; expected.len()];
        self.0.read_exact(&mut bytes).unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
        self
    }

    /// Checks that the server sends nothing and keeps the connection open.
    fn receives_nothing(&mut self) {
        self.0.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let error = self.0.read(&mut [0]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    }
}

const GET: &str = "GET /v1/videos/1?a=b HTTP/1.1\r\nHost: x\r\nX-Two: 1\r\nx-two: 2\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789";
const EXPECTING: &str = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n";
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

/// The bytes that a server with this one reply sends for a request, until it closes the connection.
fn response_to(reply: Reply, request: &str) -> String {
    let server = Server::script(vec![reply]);
    let response = Client::of(&server).send(request).rest();
    server.finish();
    response
}

#[track_caller]
fn panic_of(act: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(act)).expect_err("a panic");
    payload
        .downcast_ref::<String>()
        .cloned()
        .unwrap_or_else(|| (*payload.downcast_ref::<&str>().unwrap()).into())
}

#[test]
fn a_scripted_reply_without_a_request_fails_the_test() {
    let server = Server::script(vec![Reply::status(200).close(), Reply::status(200)]);
    Client::of(&server).send(GET).rest();
    let message = panic_of(|| drop(server.finish()));
    assert!(
        message.starts_with("1 replies were not asked for, 0 requests had no reply"),
        "{message}"
    );
    assert!(message.contains("GET /v1/videos/1?a=b"), "{message}");
}

#[test]
fn a_request_without_a_scripted_reply_fails_the_test() {
    let server = Server::script(vec![]);
    assert!(Client::of(&server).send(GET).rest().starts_with("HTTP/1.1 500 "));
    let message = panic_of(|| drop(server.finish()));
    assert!(
        message.starts_with("0 replies were not asked for, 1 requests had no reply"),
        "{message}"
    );
}

#[test]
fn a_server_without_a_call_of_finish_fails_the_test() {
    let message = panic_of(|| drop(Server::script(vec![])));
    assert_eq!(message, "the server was dropped without finish(), so nothing was checked");
}

#[test]
fn requests_sent_before_finish_are_recorded() {
    let server = Server::script(vec![Reply::status(200)]);
    Client::of(&server).send(GET);
    assert_eq!(server.finish().len(), 1);
}

#[test]
fn requests_are_recorded_unchanged_and_in_order() {
    let server =
        Server::script(vec![Reply::json(200, "{}"), Reply::status(204), Reply::json(200, "{}")]);
    let mut first = Client::of(&server);
    first.send(GET).receives(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    );
    first.send(POST).receives("HTTP/1.1 204 No Content\r\n\r\n");
    let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n3;x=y\r\n\
                   :1}\r\n0\r\n\r\n";
    Client::of(&server).send(chunked).receives("HTTP/1.1 200 OK\r\n");
    let requests = server.finish();
    let [get, post, chunked] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!((get.connection, post.connection, chunked.connection), (0, 0, 1));
    assert_eq!(
        (get.method.as_str(), get.path(), get.query("a")),
        ("GET", "/v1/videos/1", Some("b"))
    );
    assert_eq!(get.headers_named("X-TWO"), ["1", "2"]);
    assert_eq!(get.headers[2].0, "x-two");
    assert_eq!(
        (post.text(), post.body_len, post.chunked, post.whole),
        ("0123456789", 10, false, true)
    );
    assert_eq!(
        (chunked.json()["a"].as_i64(), chunked.chunked, chunked.whole),
        (Some(1), true, true)
    );
}

#[test]
fn the_first_mebibyte_of_a_large_body_is_kept() {
    let server = Server::script(vec![Reply::status(200).close()]);
    let mut client = Client::of(&server);
    client
        .send("POST / HTTP/1.1\r\nContent-Length: 3145728\r\n\r\n")
        .send(vec![b'x'; 3 << 20])
        .rest();
    let request = server.finish().remove(0);
    assert_eq!((request.body.len(), request.body_len, request.whole), (1 << 20, 3 << 20, true));
}

#[test]
fn a_truncated_request_is_recorded_as_incomplete() {
    let server = Server::script(vec![Reply::status(200)]);
    let mut client = Client::of(&server);
    client.send(&POST[..POST.len() - 1]);
    client.0.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.rest(), "");
    let request = server.finish().remove(0);
    assert_eq!((request.body_len, request.whole), (9, false));
}

#[test]
fn a_form_is_parsed_into_its_parts() {
    let body = "--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nx\r\ny\r\n\
        --b\r\nContent-Disposition: form-data; name=\"video\"; filename=\"a%22b.mp4\"\r\n\
        Content-Type: video/mp4\r\n\r\na--b\r\n--b--\r\n";
    let request = format!(
        "POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let server = Server::script(vec![Reply::status(200).close()]);
    Client::of(&server).send(request).rest();
    let request = server.finish().remove(0);
    assert_eq!(request.parts().len(), 2);
    let (prompt, video) = (request.part("prompt"), request.part("video"));
    assert_eq!((prompt.text(), &prompt.filename, prompt.content_type()), ("x\r\ny", &None, None));
    assert_eq!((video.text(), video.filename.as_deref()), ("a--b", Some("a%22b.mp4")));
    assert_eq!(video.content_type(), Some("video/mp4"));
    assert_eq!(video.headers.len(), 2);
}

#[test]
fn expect_is_met_with_100_continue_nothing_or_an_early_response() {
    let server = Server::script(vec![
        Reply::status(200).close(),
        Reply::status(200).close().ignore_expect(),
        Reply::status(401).early(),
        Reply::status(401).early_after(0),
    ]);
    Client::of(&server)
        .send(EXPECTING)
        .receives(CONTINUE)
        .send("0123456789")
        .receives("HTTP/1.1 200 OK");
    let mut ignored = Client::of(&server);
    ignored.send(EXPECTING).receives_nothing();
    ignored.send("0123456789").receives("HTTP/1.1 200 OK");
    assert!(Client::of(&server).send(EXPECTING).rest().starts_with("HTTP/1.1 401 "));
    Client::of(&server).send(EXPECTING).receives(CONTINUE).receives("HTTP/1.1 401 ");
    let requests = server.finish();
    let continued: Vec<bool> = requests.iter().map(|request| request.continued).collect();
    assert_eq!(continued, [true, false, false, true]);
    let whole: Vec<bool> = requests.iter().map(|request| request.whole).collect();
    assert_eq!(whole, [true, true, false, false]);
}

#[test]
fn a_response_can_be_sent_in_the_middle_of_an_upload() {
    let server = Server::script(vec![Reply::status(413).early_after(4)]);
    let response = Client::of(&server).send(&POST[..POST.len() - 6]).rest();
    assert!(response.starts_with("HTTP/1.1 413 "), "{response}");
    assert_eq!(server.finish()[0].text(), "0123");
}

#[test]
fn a_connection_can_be_closed_without_a_response() {
    assert_eq!(response_to(Reply::empty(), POST), "");
    assert_eq!(response_to(Reply::close_after(4), &POST[..POST.len() - 6]), "");
    assert_eq!(response_to(Reply::raw("garbage"), POST), "garbage");
}

#[test]
fn a_reset_reaches_the_client_as_one() {
    let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n";
    for request in [GET, POST, chunked] {
        let server = Server::script(vec![Reply::reset()]);
        let error = Client::of(&server).send(request).0.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{request}");
        server.finish();
    }
}

#[test]
fn bodies_are_sent_with_every_framing_and_truncated() {
    let reply = || Reply::status(200).body("abcdef");
    let head = "HTTP/1.1 200 OK\r\n";
    let length = "Content-Length: 6\r\n";
    let close = "Connection: close\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    let drop_by_drop = reply().drip(2, Duration::from_millis(1));
    for (reply, expected) in [
        (reply().close(), format!("{head}{length}{close}\r\nabcdef")),
        (reply().truncated(4), format!("{head}{length}\r\nabcd")),
        (reply().truncated(0), format!("{head}{length}\r\n")),
        (reply().until_close(), format!("{head}{close}\r\nabcdef")),
        (
            reply().chunked(4).close(),
            format!("{head}{chunked}{close}\r\n4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n"),
        ),
        (reply().chunked(4).truncated(5), format!("{head}{chunked}\r\n4\r\nabcd\r\n2\r\ne")),
        (drop_by_drop.close(), format!("{head}{length}{close}\r\nabcdef")),
        (
            Reply::redirect(302, "/x").close(),
            format!("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n{close}\r\n"),
        ),
    ] {
        assert_eq!(response_to(reply, GET), expected);
    }
}

#[test]
fn silence_and_stalls_last_until_finish() {
    let server = Server::script(vec![
        Reply::silence(),
        Reply::json(200, "{}").stall(1),
        Reply::stall_reading(4),
    ]);
    let mut silent = Client::of(&server);
    silent.send(POST).receives_nothing();
    let mut stalled = Client::of(&server);
    stalled.send(GET).receives(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{",
    );
    stalled.receives_nothing();
    let mut unread = Client::of(&server);
    unread.send(POST).receives_nothing();
    server.wait_for(3);
    let start = Instant::now();
    let requests = server.finish();
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_eq!(requests[2].text(), "0123");
    assert_eq!((silent.rest(), stalled.rest()), (String::new(), String::new()));
}

#[test]
fn endless_responses_exceed_every_limit() {
    for (reply, opening) in [
        (Reply::endless_json(), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"),
        (Reply::endless_head(), "HTTP/1.1 200 OK\r\nX-Filler: x"),
    ] {
        let server = Server::script(vec![reply]);
        let mut client = Client::of(&server);
        client.send(GET).receives(opening);
        let mut megabyte = vec![0; 1 << 20];
        for _ in 0..17 {
            client.0.read_exact(&mut megabyte).unwrap();
        }
        drop(client);
        server.finish();
    }
}

#[test]
fn the_videos_api_creates_advances_serves_and_deletes_a_job() {
    let server = Server::videos();
    let mut client = Client::of(&server);
    let mut ask = |request: &str, body: &str| {
        let (first, headers) = request.split_once('\n').unwrap_or((request, ""));
        let length = body.len();
        client.send(format!("{first} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n{body}"));
        response(&mut client)
    };
    let extend =
        "POST /v1/videos/extensions\nContent-Type: application/json\r\nIdempotency-Key: k\r\n";
    let wanted = r#"{"prompt": "\"x\"", "seconds": "4", "video": {"id": "video_0"}}"#;
    let (head, job) = ask(extend, wanted);
    assert!(head.contains("\r\nopenai-poll-after-ms: 100"), "{head}");
    let names: Vec<&str> = job
        .split(",\"")
        .map(|field| field.split('"').find(|name| name.len() > 1).unwrap())
        .collect();
    assert_eq!(names.len(), 13, "{names:?}");
    let read: serde_json::Value = serde_json::from_str(&job).unwrap();
    assert_eq!(
        (&read["prompt"], &read["status"], &read["seconds"]),
        (&"\"x\"".into(), &"queued".into(), &"8".into())
    );
    assert_eq!(ask(extend, wanted).1, job, "the same key is the same job");

    assert!(ask("GET /v1/videos/video_1/content", "").0.starts_with("HTTP/1.1 404 "));
    for status in ["in_progress", "in_progress", "completed", "completed"] {
        let (_, job) = ask("GET /v1/videos/video_1", "");
        assert!(job.contains(&format!(r#""status":"{status}""#)), "{job}");
    }
    let (head, clip) = ask("GET /v1/videos/video_1/content", "");
    assert!(head.contains("ETag: \"clip-1\"") && head.contains("video/mp4"), "{head}");
    assert_eq!(clip, String::from_utf8_lossy(CLIP));
    let part = "GET /v1/videos/video_1/content\nRange: bytes=4-7\r\n";
    let (head, bytes) = ask(part, "");
    assert!(head.contains(&format!("Content-Range: bytes 4-7/{}", CLIP.len())), "{head}");
    assert_eq!(bytes, "ftyp");
    assert!(ask(&format!("{part}If-Range: \"clip-1\"\r\n"), "").0.starts_with("HTTP/1.1 206 "));
    assert!(ask(&format!("{part}If-Range: \"other\"\r\n"), "").0.starts_with("HTTP/1.1 200 "));
    let beyond = "GET /v1/videos/video_1/content\nRange: bytes=99999-\r\n";
    assert!(ask(beyond, "").0.starts_with("HTTP/1.1 416 "));

    assert!(ask("GET /v1/videos?order=desc&limit=1", "").1.contains(r#""first_id":"video_1""#));
    assert!(ask("DELETE /v1/videos/video_1", "").1.contains(r#""deleted":true"#));
    assert!(ask("GET /v1/videos/video_1", "").0.starts_with("HTTP/1.1 404 "));
    assert!(ask("PUT /v1/videos", "").0.starts_with("HTTP/1.1 405 "));
    let (head, refusal) =
        ask(extend, r#"{"prompt": "x", "seconds": "5", "video": {"id": "video_0"}}"#);
    assert!(
        head.starts_with("HTTP/1.1 400 ") && refusal.contains(r#""param":"seconds""#),
        "{refusal}"
    );
    server.finish();
}

/// Reads the head and the body of one response, on a connection that stays open.
fn response(client: &mut Client) -> (String, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.0.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    client.0.read_exact(&mut body).unwrap();
    (head, String::from_utf8_lossy(&body).into_owned())
}

#[test]
fn a_run_past_its_time_limit_is_killed() {
    // The backlog of the listener takes connections, and nothing ever responds.
    let nobody = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let run = openai(&call("x", "4", "video_1"))
        .env("OPENAI_BASE_URL", format!("http://{}/v1", nobody.local_addr().unwrap()))
        .time_limit(Duration::from_millis(200));
    let message = panic_of(|| drop(run.run()));
    assert!(
        message.contains("ran for more than") && message.contains("command: openai \"videos\""),
        "{message}"
    );
}

#[test]
fn a_failed_comparison_shows_the_whole_run() {
    let outcome = openai(&["--version"]).env("OPENAI_API_KEY", "test").file("a.txt", "a").run();
    assert!(outcome.directory.join("a.txt").exists());
    for message in [
        panic_of(|| _ = outcome.is(77, "no such output", "")),
        panic_of(|| _ = outcome.code(77)),
        panic_of(|| _ = outcome.stdout_contains("no such output")),
    ] {
        for shown in [
            "expected",
            "command: openai \"--version\"",
            "directory: /",
            "OPENAI_API_KEY=\"test\"",
            "--- standard error ---",
        ] {
            assert!(message.contains(shown), "{shown} in {message}");
        }
    }
    let directory = outcome.directory.clone();
    drop(outcome);
    assert!(!directory.exists());
}

/// The status code and the body of the response to a POST of this body.
fn response_to_post(server: &Server, path: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    let mut client = Client::of(server);
    client.send(format!(
        "POST {path} HTTP/1.1\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n\
         {body}"
    ));
    let (head, body) = response(&mut client);
    format!("{} {body}", &head[9..12])
}

#[test]
fn a_server_like_another_refuses_what_that_one_refuses() {
    let form = "multipart/form-data; boundary=b";
    let url = r#""video":{"url":"https://example.com/a.mp4"}"#;
    let xai = |more: &str| format!(r#"{{"prompt":"x","model":"grok-imagine-video",{url}{more}}}"#);
    let field =
        |name: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\nx\r\n");
    let id_form = field("prompt") + &field("seconds") + &field("video[id]") + "--b--\r\n";
    for (name, content_type, body, expected) in [
        ("xai", "application/json", xai(""), r#"200 {"request_id":"#),
        ("xai", "application/json", xai(r#","duration":11"#), "400 "),
        ("xai", "application/json", xai(r#","duration":"6""#), "400 "),
        ("xai", "application/json", xai(r#","seconds":"4""#), "400 "),
        ("xai", "application/json", xai("").replace("https:", "ftp:"), "400 "),
        ("xai", "application/json", "{".into(), "400 "),
        ("grok2api", form, "--b--\r\n".into(), "415 "),
        ("sub2api", "application/json", r#"{"prompt":"x"}"#.into(), "400 "),
        ("litellm", form, id_form.clone(), "400 "),
        ("steady", form, id_form.replace("\r\n\r\nx", "\r\n\r\n4"), "200 "),
        ("sglang", form, id_form, r#"405 {"detail":"#),
    ] {
        let (server, media) = Server::like(name, None, 0);
        let response = response_to_post(&server, "/v1/videos/extensions", content_type, &body);
        assert!(response.starts_with(expected), "{name}: {body}\n{response}");
        server.finish();
        media.finish();
    }
}

#[test]
fn a_server_like_vllm_omni_reads_forms_only() {
    let (server, media) = Server::like("vllm-omni", None, 0);
    let post = |content_type: &str, body: &str| {
        response_to_post(&server, "/v1/videos", content_type, body)
    };
    let refusal = post("application/json", r#"{"prompt":"x"}"#);
    assert!(refusal.starts_with("400 ") && refusal.contains("/prompt must be"), "{refusal}");
    let form = "--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nx\r\n--b--\r\n";
    let job = post("multipart/form-data; boundary=b", form);
    assert!(job.starts_with(r#"200 {"id":"video_gen_2""#), "{job}");
    server.finish();
    media.finish();
}

#[test]
fn a_hasty_server_creates_a_job_for_every_post_and_completes_it_when_it_is_polled() {
    let (server, media) = Server::like("hasty", None, 0);
    for id in ["video_1", "video_2"] {
        let run = openai(&EXTEND).server(&server).args(&["--header", "Idempotency-Key: 1"]);
        let run = run.args(&["--wait", "--poll-interval", "10ms"]).run();
        run.success().stdout_contains(&format!("\"id\": \"{id}\""));
    }
    assert_eq!(server.finish().len(), 4);
    media.finish();
}

#[test]
fn the_media_host_refuses_private_headers_and_expired_signatures() {
    let (server, media) = Server::like("xai", None, 1);
    for (target, header, status) in [
        ("/1.mp4?signature=2", "", "200"),
        ("/1.mp4?signature=1", "", "403"),
        ("/1.mp4", "", "403"),
        ("/1.mp4?signature=2", "Authorization: Bearer k\r\n", "400"),
        ("/1.mp4?signature=2", "X-User: u\r\n", "400"),
    ] {
        let mut client = Client::of(&media);
        client.send(format!("GET {target} HTTP/1.1\r\n{header}\r\n"));
        let (head, _) = response(&mut client);
        assert_eq!(&head[9..12], status, "{target} {header}");
    }
    server.finish();
    media.finish();
}
