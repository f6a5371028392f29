//! Uploads: `Expect: 100-continue`, early responses, files that change, and truncated transfers.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::support::{
    Authority, JOB, Openai, PRINTED, Reply, Server, TempDir, TlsServer, call, openai,
};

const MIB: u64 = 1 << 20;

fn extend() -> Openai {
    openai(&call("x", "4", "@clip.mp4"))
}

/// A directory with a sparse `clip.mp4` of this size.
fn clip(size: u64) -> TempDir {
    let directory = TempDir::new();
    File::create(directory.path().join("clip.mp4")).unwrap().set_len(size).unwrap();
    directory
}

#[test]
fn a_large_upload_sends_expect_and_no_body_after_a_refusal() {
    let clip = clip(64 * MIB);
    let refusal = Reply::json(401, r#"{"error": {"message": "wrong key"}}"#).early();
    let server = Server::script(vec![refusal]);
    extend()
        .current_dir(clip.path())
        .server(&server)
        .run()
        .code(4)
        .stdout("")
        .stderr_contains("openai: the server responded with HTTP 401: wrong key\n");
    let request = server.finish().remove(0);
    assert_eq!(request.header("expect"), Some("100-continue"));
    assert_eq!(request.body_len, 0);
}

/// A server that sends these pieces, with a pause after each, when it has read the head of a
/// request. It then reads up to `limit` bytes until the client closes the connection, and returns
/// their number.
fn sends(pieces: Vec<String>, limit: u64) -> (String, JoinHandle<u64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(&stream).lines();
        while !lines.next().unwrap().unwrap().is_empty() {}
        for piece in pieces {
            (&stream).write_all(piece.as_bytes()).unwrap();
            thread::sleep(Duration::from_millis(50));
        }
        io::copy(&mut (&stream).take(limit), &mut io::sink()).unwrap()
    });
    (url, server)
}

#[test]
fn a_refusal_instead_of_100_continue_is_reported_without_sending_the_body() {
    let clip = clip(2 * MIB);
    let refusal = "HTTP/1.1 401 No\r\nContent-Length: 20\r\n\r\n{\"error\":\"no entry\"}";
    let (start, rest) = refusal.split_at(17);
    for pieces in [
        vec![refusal.to_owned()],
        vec![start.to_owned(), rest.to_owned()],
        vec![format!("HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n{start}"), rest.to_owned()],
        vec![format!("HTTP/1.1 103 Hints\nLink: x\n\n{refusal}")],
    ] {
        let (url, server) = sends(pieces.clone(), u64::MAX);
        extend()
            .current_dir(clip.path())
            .args(&["--base-url", &url, "--timeout", "5s", "-q"])
            .run()
            .code(4)
            .stdout("")
            .stderr_contains("openai: the server responded with HTTP 401: no entry\n");
        assert_eq!(server.join().unwrap(), 0, "{pieces:?}");
    }
}

#[test]
fn a_refusal_right_after_100_continue_is_reported() {
    let clip = clip(64 * MIB);
    for welcome in ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue\r\nA: b\r\n\r\n"] {
        let refusal = "HTTP/1.1 401 No\r\nContent-Length: 20\r\n\r\n{\"error\":\"no entry\"}";
        let (url, server) = sends(vec![format!("{welcome}{refusal}")], 100_000);
        extend()
            .current_dir(clip.path())
            .args(&["--base-url", &url, "--timeout", "5s", "-q"])
            .run()
            .code(4)
            .stderr_contains("openai: the server responded with HTTP 401: no entry\n");
        server.join().unwrap();
    }
}

#[test]
fn a_large_upload_continues_with_and_without_100_continue() {
    for reply in [Reply::json(200, JOB), Reply::json(200, JOB).ignore_expect()] {
        let clip = clip(3 * MIB);
        let server = Server::script(vec![reply]);
        extend().current_dir(clip.path()).server(&server).run().is(0, PRINTED, "");
        let request = server.finish().remove(0);
        assert!(request.whole && !request.chunked);
        assert!(request.body_len > 3 * MIB);
    }
}

#[test]
fn status_417_repeats_the_upload_without_expect() {
    let clip = clip(2 * MIB);
    let server = Server::script(vec![Reply::status(417).early(), Reply::json(200, JOB)]);
    extend().current_dir(clip.path()).server(&server).run().is(0, PRINTED, "");
    assert_eq!(server.finish()[1].header("expect"), None);
}

#[test]
fn an_upload_from_standard_input_sends_expect() {
    let server = Server::script(vec![Reply::json(403, "{}").early()]);
    openai(&call("x", "4", "@-")).stdin(vec![0; 4 << 20]).server(&server).run().code(4);
    let request = server.finish().remove(0);
    assert_eq!((request.header("expect"), request.body_len), (Some("100-continue"), 0));
}

#[test]
fn a_response_in_the_middle_of_an_upload_is_reported() {
    let clip = clip(64 * MIB);
    let server =
        Server::script(vec![Reply::json(413, r#"{"error": "too large"}"#).early_after(2 * MIB)]);
    extend().current_dir(clip.path()).server(&server).run().is(
        3,
        "",
        "openai: the server responded with HTTP 413: too large\n",
    );
    assert!(!server.finish()[0].whole);

    let authority = Authority::new();
    fs::write(clip.path().join("ca.pem"), &authority.pem).unwrap();
    let server = TlsServer::closing_after(
        &authority.issue(&["localhost"]),
        2 * MIB,
        "HTTP/1.1 413 No\r\nContent-Length: 21\r\n\r\n{\"error\":\"too large\"}",
    );
    let url = server.url("localhost");
    extend().current_dir(clip.path()).args(&["--cacert", "ca.pem", "--base-url", &url]).run().is(
        3,
        "",
        "openai: the server responded with HTTP 413: too large\n",
    );
    server.finish();
}

#[test]
fn a_truncated_upload_is_not_retried_and_ends_with_code_7() {
    let clip = clip(64 * MIB);
    let server = Server::script(vec![Reply::close_after(2 * MIB)]);
    extend().current_dir(clip.path()).server(&server).run().code(7).stdout("");
    server.finish();
}

#[test]
fn an_upload_that_stalls_ends_with_the_stall_timeout() {
    let clip = clip(64 * MIB);
    let server = Server::script(vec![Reply::stall_reading(2 * MIB)]);
    extend()
        .args(&["--stall-timeout", "300ms"])
        .current_dir(clip.path())
        .server(&server)
        .run()
        .code(7)
        .stdout("")
        .stderr_contains("no data transferred for 300ms");
    server.finish();
}

/// Changes the size of the file while the server does not read, and checks that the upload is
/// aborted.
fn aborts_when_the_size_becomes(new_size: u64) {
    let clip = clip(64 * MIB);
    let path = clip.path().join("clip.mp4");
    let server = Server::script(vec![Reply::json(200, JOB).pause_after(2 * MIB)]);
    let running = extend().current_dir(clip.path()).server(&server).spawn();
    server.wait_for(1);
    File::options().write(true).open(&path).unwrap().set_len(new_size).unwrap();
    server.resume();
    running.wait().is(
        9,
        "",
        "openai: 'clip.mp4' changed during the upload (it had 67108864 bytes); upload aborted\n",
    );
    assert!(!server.finish()[0].whole);
}

#[test]
fn an_upload_that_shrinks_ends_with_code_9() {
    aborts_when_the_size_becomes(32 * MIB);
}

#[test]
fn an_upload_that_grows_ends_with_code_9() {
    aborts_when_the_size_becomes(65 * MIB);
}

#[test]
fn an_empty_file_is_refused_and_an_unreadable_one_ends_with_code_9() {
    let server = Server::script(vec![]);
    extend().file("clip.mp4", "").server(&server).run().is(
        2,
        "",
        "openai: the file 'clip.mp4' is empty\n",
    );
    let directory = TempDir::new();
    std::os::unix::fs::symlink("clip.mp4", directory.path().join("clip.mp4")).unwrap();
    extend()
        .current_dir(directory.path())
        .server(&server)
        .run()
        .code(9)
        .stdout("")
        // Between these two is the text of the C library.
        .stderr_contains("openai: cannot read 'clip.mp4': ")
        .stderr_contains(" (os error 40)\n");
    server.finish();
}

#[test]
fn a_pipe_given_by_path_is_uploaded_like_standard_input() {
    let server = Server::script(vec![Reply::json(200, JOB)]);
    openai(&call("x", "4", "@/dev/stdin"))
        .stdin(vec![7; 100_000])
        .server(&server)
        .run()
        .is(0, PRINTED, "");
    let request = server.finish().remove(0);
    assert!(request.chunked);
    assert_eq!(request.part("video").body.len(), 100_000);
}

#[test]
fn the_stall_timeout_does_not_apply_while_waiting_for_the_response() {
    let reply = Reply::json(200, JOB).delay(Duration::from_millis(600));
    let server = Server::script(vec![reply]);
    // The stall timeout applies to the transfer of a body and not to the wait for the response.
    let more = ["--stall-timeout", "300ms"];
    extend().args(&more).file("clip.mp4", "bytes").server(&server).run().is(0, PRINTED, "");
    server.finish();
}

#[test]
fn an_upload_continues_after_a_100_continue_with_header_fields() {
    let clip = clip(2 * MIB);
    for informational in [
        "HTTP/1.1 100 Continue\r\nDate: x\r\nServer: y\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 102 Processing\r\n\r\n",
    ] {
        let server = Server::script(vec![Reply::json(200, JOB).informational(informational)]);
        extend().current_dir(clip.path()).server(&server).run().is(0, PRINTED, "");
        assert!(server.finish()[0].whole, "{informational}");
    }
}

#[test]
fn informational_responses_are_skipped() {
    let server = Server::script(vec![
        Reply::json(200, JOB).informational("HTTP/1.1 100 Continue\r\nDate: x\r\n\r\n"),
    ]);
    openai(&call("x", "4", "v")).server(&server).run().is(0, PRINTED, "");
    server.finish();
}

#[test]
fn empty_or_doubly_used_standard_input_is_refused() {
    let server = Server::script(vec![]);
    openai(&call("x", "4", "@-")).server(&server).run().is(
        2,
        "",
        "openai: the stream to upload is empty\n",
    );
    openai(&call("x", "4", "@-"))
        .args(&["--api-key-file", "-"])
        .stdin("bytes")
        .server(&server)
        .run()
        .is(2, "", "openai: --video @- and --api-key-file - cannot both read standard input\n");
    server.finish();
}

#[test]
fn standard_input_that_stalls_ends_with_code_9() {
    let server = Server::script(vec![]);
    openai(&call("x", "4", "@-"))
        .args(&["--stall-timeout", "100ms"])
        .stdin_held_open()
        .server(&server)
        .run()
        .is(9, "", "openai: cannot read the stream to upload: no data for 100ms\n");
    server.finish();
}

fn data_url(bytes: &[u8]) -> String {
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
    format!("data:video/mp4;base64,{base64}")
}

#[test]
fn status_415_repeats_an_upload_as_a_data_url_with_an_idempotency_key_of_its_own() {
    let server = Server::script(vec![Reply::json(415, "{}"), Reply::json(200, JOB)]);
    let note =
        "openai: the server does not accept a form here (HTTP 415); sending JSON with a data URL\n";
    extend().file("clip.mp4", "bytes").server(&server).run().is(0, PRINTED, note);
    let requests = server.finish();
    assert_eq!(requests[0].part("video").body, b"bytes");
    assert_eq!(
        requests[1].text(),
        format!(r#"{{"prompt":"x","seconds":"4","video":{{"url":"{}"}}}}"#, data_url(b"bytes"))
    );
    assert!(!requests[1].chunked);
    let keys = [0, 1].map(|i| requests[i].header("idempotency-key").unwrap());
    assert_eq!(keys[1], format!("{}-2", keys[0]));
}

#[test]
fn a_switched_encoding_is_refused_only_once() {
    let server = Server::script(vec![Reply::json(415, "{}"), Reply::json(415, "{}")]);
    let note = "openai: the server does not accept a form here (HTTP 415); sending JSON with a \
                data URL\n\
         openai: the server responded with HTTP 415: {}\n";
    extend().file("clip.mp4", "bytes").server(&server).run().is(3, "", note);
    server.finish();
}

#[test]
fn a_large_data_url_has_an_exact_length() {
    let clip = clip(3 * MIB + 1);
    let server = Server::script(vec![Reply::json(200, JOB)]);
    extend()
        .current_dir(clip.path())
        .args(&["--encoding", "data-url"])
        .server(&server)
        .run()
        .is(0, PRINTED, "");
    let request = server.finish().remove(0);
    assert!(request.whole && !request.chunked);
    assert_eq!(request.header("expect"), Some("100-continue"));
    assert!(request.body_len > 4 * MIB);
}

#[test]
fn a_stream_is_sent_as_a_chunked_data_url_on_request() {
    let server = Server::script(vec![Reply::json(200, JOB)]);
    openai(&call("x", "4", "@-"))
        .args(&["--encoding", "data-url"])
        .stdin("bytes")
        .server(&server)
        .run()
        .is(0, PRINTED, "");
    let request = server.finish().remove(0);
    assert!(request.chunked);
    assert_eq!(request.json()["video"]["url"], data_url(b"bytes"));
}

#[test]
fn a_stream_that_was_read_is_not_sent_in_another_encoding() {
    let server = Server::script(vec![Reply::json(415, "{}")]);
    openai(&call("x", "4", "@-")).stdin("bytes").server(&server).run().is(
        3,
        "",
        "openai: the server responded with HTTP 415: {}\n\
         hint: try --encoding data-url if the server reads only JSON\n",
    );
    server.finish();
}

#[test]
fn status_400_and_422_name_the_other_encoding_and_do_not_switch() {
    for (status, video, encoding, hint) in [
        (400, "v", "auto", "multipart if the server reads only forms"),
        (422, "v", "json", "multipart if the server reads only forms"),
        (422, "v", "multipart", "json if the server reads only JSON"),
        (422, "@clip.mp4", "auto", "data-url if the server reads only JSON"),
        (400, "@clip.mp4", "data-url", "multipart if the server reads only forms"),
    ] {
        let server = Server::script(vec![Reply::json(status, "{}")]);
        openai(&call("x", "4", video))
            .args(&["--encoding", encoding])
            .file("clip.mp4", "bytes")
            .server(&server)
            .run()
            .code(3)
            .stderr_contains(&format!("hint: try --encoding {hint}\n"));
        server.finish();
    }
}
