//! Failing servers and networks: each failure ends with its exit code and in time, with nothing on
//! standard output and without the API key on standard error.

use std::time::Duration;

use crate::support::{EXTEND, JOB, Openai, Outcome, Reply, Server, fill, openai, short_queue};

const KEY: &str = "sk-topsecret";

fn extend() -> Openai {
    openai(&EXTEND).args(&["-q", "--api-key", KEY])
}

fn against(reply: Reply, more: &[&str]) -> Outcome {
    let server = Server::script(vec![reply]);
    let outcome = extend().args(more).server(&server).run();
    outcome.stdout("").never_shows(KEY);
    server.finish();
    outcome
}

#[test]
fn client_errors_have_their_exit_codes_and_messages() {
    let error = |message: &str| {
        let details = r#""type":"invalid_request_error","param":"seconds","code":null"#;
        format!(r#"{{"error":{{"message":"{message}",{details}}}}}"#)
    };
    let shown = |status: u16, message: &str| {
        format!(
            "openai: the server responded with HTTP {status}: {message} (type: \
             invalid_request_error, param: seconds, request id: req_9)\n"
        )
    };
    let key_hint = "hint: check the key: --api-key, OPENAI_API_KEY or OPENAI_API_KEY_FILE\n";
    let url_hint = "hint: check that --base-url includes a path such as /v1, and that the server \
                    has this endpoint\n";
    let form_hint = "hint: try --encoding multipart if the server reads only forms\n";
    for (status, code, hint) in [
        (400, 3, form_hint),
        (401, 4, key_hint),
        (403, 4, key_hint),
        (404, 3, url_hint),
        (405, 3, url_hint),
        (413, 3, ""),
        (422, 3, form_hint),
        (451, 3, ""),
    ] {
        let reply = Reply::json(status, &error("no")).header("x-request-id", "req_9");
        against(reply, &[]).is(code, "", &(shown(status, "no") + hint));
    }
}

#[test]
fn a_404_about_the_id_of_a_command_points_to_the_list() {
    let run = |command: &str, reply: Reply| {
        let server = Server::script(vec![reply]);
        let args = ["videos", command, "video_9", "-q"];
        let prompt = if command == "remix" { &["--prompt", "p"][..] } else { &[] };
        let args = [&args[..], prompt].concat();
        let outcome = openai(&args).server(&server).run().code(3).stdout("").stderr_text();
        let hint = outcome.lines().nth(1).unwrap().replace(&server.base_url(), "URL");
        server.finish();
        hint
    };
    let list_hint = "hint: check the id 'video_9', or look for the job with: \
                     openai videos list --limit 5 --max-items 5 --base-url 'URL'";
    let url_hint = "hint: check that --base-url includes a path such as /v1, and that the server \
                    has this endpoint";
    for command in ["retrieve", "delete", "remix", "get-character"] {
        // The API has no list of characters.
        let list_hint =
            if command == "get-character" { "hint: check the id 'video_9'" } else { list_hint };
        for error in [r#"{"error":{"message":"no such job"}}"#, r#"{"detail":"Video not found"}"#] {
            assert_eq!(run(command, Reply::json(404, error)), list_hint, "{command}: {error}");
        }
        // A page, and the errors of web frameworks for an unknown route.
        for error in ["<h1>404</h1>", "{}", r#"{"detail":"Not Found"}"#, r#"{"error":"not found"}"#]
        {
            assert_eq!(run(command, Reply::json(404, error)), url_hint, "{command}: {error}");
        }
    }
}

#[test]
fn an_api_key_in_a_response_is_redacted() {
    let reply = Reply::json(
        401,
        &format!(r#"{{"error":{{"message":"Incorrect API key provided: {KEY}"}}}}"#),
    );
    against(reply, &["--debug"]).code(4).stderr_contains("Incorrect API key provided: [key]");
    let server = Server::script(vec![Reply::json(200, &format!(r#"{{"id":"1","echo":"{KEY}"}}"#))]);
    extend().server(&server).run().is(0, "{\n  \"id\": \"1\",\n  \"echo\": \"[key]\"\n}\n", "");
    server.finish();
}

#[test]
fn a_result_keeps_ids_numbers_and_words_that_contain_the_key_or_a_header() {
    let job = concat!(
        r#"{"id":"video_00000000","task_id":"00000000","size":100000000,"status":"queued","#,
        r#""note":"of 00000000","type":"application/json","url":"https://console.example.com"}"#
    );
    let server = Server::script(vec![Reply::json(200, job)]);
    openai(&["videos", "retrieve", "v", "--api-key", "00000000", "--format", "raw"])
        .args(&["--header", "Accept: application/json"])
        .args(&["--header", "Origin: https://console.example.com"])
        .server(&server)
        .run()
        .is(0, &format!("{job}\n"), "");
    server.finish();
}

#[test]
fn an_error_shows_the_key_in_no_encoding() {
    let key = r#"sk"top\secret/1"#;
    for text in [
        r#"{"error":{"message":"sk\"top\\secret\/1"}}"#,
        r#"{"error":{"message":"\u0073k\u0022top\\secret/1"}}"#,
        r#"{"error":{"message":"c2sidG9wXHNlY3JldC8x"}}"#,
        r#"{"error":{"message":"sk%22top%5csecret%2F1"}}"#,
        r#"{"error":"no","echo":"{\"key\":\"sk\\\"top\\\\secret/1\"}"}"#,
    ] {
        for format in ["auto", "raw", "yaml"] {
            let server = Server::script(vec![Reply::json(401, text)]);
            openai(&["videos", "retrieve", "v", "--debug", "--format-error", format])
                .args(&["--api-key", key])
                .server(&server)
                .run()
                .code(4)
                .stderr_contains("[key]")
                .never_shows("secret")
                .never_shows("c2si");
            server.finish();
        }
    }
}

#[test]
fn an_html_error_page_is_shortened_to_one_line() {
    let page = format!(
        "<html>\n<head><title>502\u{1b}[31m</title></head>\n{}</html>",
        "<p>long</p>\n".repeat(400)
    );
    let outcome = against(Reply::status(404).header("Content-Type", "text/html").body(page), &[]);
    outcome
        .code(3)
        .stderr_contains("<html> <head><title>502\\u001b[31m</title></head> <p>long</p> <p>");
    let longest = outcome.stderr_text().lines().map(str::len).max();
    assert!(longest < Some(600), "{outcome:?}");
}

#[test]
fn a_redirected_post_is_not_followed_and_its_target_is_reported() {
    for status in [307, 308] {
        let stderr = format!(
            "openai: the server redirects the request (HTTP {status}) to \
             'https://other.example/api/videos/extensions'\n\
             hint: set --base-url to 'https://other.example/api'\n"
        );
        let secret = "https://user:topsecret@other.example/api/videos/extensions#sig=topsecret";
        for target in ["https://other.example/api/videos/extensions", secret] {
            against(Reply::redirect(status, target), &[]).is(3, "", &stderr);
        }
        for target in ["/v2/videos/extensions", "https://videos.example/v2/movies"] {
            let stderr = format!(
                "openai: the server redirects the request (HTTP {status}) to '{target}'\n\
                 hint: set --base-url to the redirect target, without the path of the request\n"
            );
            against(Reply::redirect(status, target), &[]).is(3, "", &stderr);
        }
    }
    // These say nothing about the request but that it was received (RFC 9110, 15.4.4).
    for status in [301, 302, 303] {
        let reason = format!(
            "its outcome is unknown: \
             the server redirects the request (HTTP {status}) to 'https://other.example/v1'\n"
        );
        let target = "https://other.example/v1?sig=topsecret";
        against(Reply::redirect(status, target), &["--retry-unsafe"])
            .code(7)
            .never_shows("topsecret")
            .stderr_contains(&reason);
        against(Reply::status(status), &[]).code(7);
    }
    // Credentials in the target of a redirect would be sent to it.
    let server = Server::script(vec![Reply::redirect(302, "http://user:topsecret@127.0.0.1/x")]);
    openai(&["videos", "retrieve", "v", "--debug"])
        .server(&server)
        .run()
        .code(3)
        .never_shows("topsecret")
        .stderr_contains("redirects the request (HTTP 302) to 'http://127.0.0.1/x'\n");
    server.finish();
}

#[test]
fn a_url_that_is_too_long_is_refused_before_anything_is_sent() {
    for command in ["retrieve", "download-content", "delete"] {
        openai(&["videos", command, &"v".repeat(33_000)])
            .args(&["--base-url", "http://127.0.0.1:9/v1"])
            .run()
            .code(2)
            .stdout("")
            .stderr_contains("openai: cannot send a request to 'http://127.0.0.1:9/v1/videos/vvv")
            .stderr_contains("': the URL is longer than 32 KiB\n");
    }
}

#[test]
fn a_redirect_to_the_same_url_over_https_means_that_nothing_was_done() {
    for (status, path, code) in [
        (301, "/v1/videos/extensions", 3),
        (302, "/v1/videos/extensions", 3),
        (302, "/v1/videos/extensions?x", 7),
        (302, "/v1/login", 7),
        (303, "/v1/videos/extensions", 7),
    ] {
        let target = format!("https://127.0.0.1{path}");
        let outcome = against(Reply::redirect(status, &target), &["--state", "job"]);
        let shown = target.replace("?x", "");
        outcome.code(code).stderr_contains(&format!("(HTTP {status}) to '{shown}'"));
        let kept = std::fs::read_to_string(outcome.directory.join("job")).unwrap();
        assert_eq!(!kept.is_empty(), code == 7, "{target}");
    }
}

#[test]
fn endless_responses_are_limited_in_size() {
    against(Reply::endless_json(), &[])
        .code(7)
        .stderr_contains("the response is larger than 16 MiB");
    against(Reply::endless_head(), &[])
        .code(7)
        .stderr_contains("the response head is larger than 64 KiB");
}

#[test]
fn a_server_that_never_responds_ends_with_the_timeout() {
    against(Reply::silence(), &["--timeout", "200ms"])
        .code(7)
        .stderr_contains("no response within 200ms");
}

#[test]
fn a_stalled_response_ends_with_the_stall_timeout() {
    let reply = Reply::json(200, JOB).stall(5);
    against(reply, &["--stall-timeout", "200ms"])
        .code(7)
        .stderr_contains("no data transferred for 200ms");
}

#[test]
fn a_slow_response_ends_with_the_timeout() {
    let reply = Reply::json(200, JOB).drip(1, Duration::from_millis(100));
    against(reply, &["--timeout", "500ms"])
        .code(7)
        .stderr_contains("the response was not complete within 500ms");
}

#[test]
fn chunked_and_close_delimited_responses_are_read() {
    for reply in [
        Reply::json(200, JOB).chunked(3),
        Reply::json(200, JOB).until_close(),
        Reply::json(201, JOB).close(),
    ] {
        let server = Server::script(vec![reply]);
        extend().server(&server).run().is(0, "{\n  \"id\": \"video_1\"\n}\n", "");
        server.finish();
    }
}

#[test]
fn an_unknown_host_name_ends_with_code_6() {
    extend()
        .args(&["--base-url", "https://no-such-host.invalid/v1", "--max-retries", "0"])
        .run()
        .code(6)
        .stdout("")
        .stderr_contains("openai: no connection to no-such-host.invalid: DNS lookup failed: ");
}

#[test]
fn a_server_without_tls_ends_with_code_6() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/v1", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    extend()
        .args(&["--base-url", &url, "--max-retries", "0"])
        .run()
        .code(6)
        .stdout("")
        .stderr_contains("the server does not speak TLS on this port");
    server.join().unwrap();
}

#[test]
fn a_tls_handshake_that_hangs_ends_with_the_connect_timeout() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/v1", listener.local_addr().unwrap());
    extend()
        .args(&["--base-url", &url, "--max-retries", "0", "--connect-timeout", "200ms"])
        .run()
        .code(6)
        .stdout("")
        .stderr_contains("the TLS handshake took longer than 200ms");
}

/// An address of this machine that neither accepts nor refuses connections while the second value
/// is kept.
fn unresponsive() -> (std::net::SocketAddr, impl Sized) {
    let (socket, address) = short_queue();
    (address, (socket, fill(address)))
}

#[test]
fn an_unresponsive_address_ends_with_the_connect_timeout() {
    let (address, _kept) = unresponsive();
    let url = format!("http://{address}/v1");
    extend()
        .args(&["--base-url", &url, "--max-retries", "0"])
        .args(&["--connect-timeout", "200ms"])
        .run()
        .is(
            6,
            "",
            &format!("openai: no connection to {address}: connecting took longer than 200ms\n"),
        );
}

#[test]
fn an_unresponsive_first_address_takes_only_part_of_the_connect_timeout() {
    let (address, _kept) = unresponsive();
    // `localhost` has both addresses, in this order.
    let Ok(listener) = std::net::TcpListener::bind(("::1", address.port())) else {
        // This machine has no IPv6, or the port is in use.
        return;
    };
    let server = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{JOB}", JOB.len());
        stream.write_all(response.as_bytes()).unwrap();
    });
    let url = format!("http://localhost:{}/v1", address.port());
    let outcome = extend()
        .args(&["--base-url", &url, "--connect-timeout", "900ms"])
        .args(&["--max-retries", "0"])
        .run();
    outcome.is(0, "{\n  \"id\": \"video_1\"\n}\n", "");
    server.join().unwrap();
}

#[test]
fn connections_can_be_restricted_to_ipv4_or_ipv6() {
    let server = Server::script(vec![Reply::json(200, JOB)]);
    let url = format!("http://localhost:{}/v1", server.port());
    let call = || extend().args(&["--base-url", &url, "--max-retries", "0"]);
    call().arg("-4").run().success();
    // The server listens on 127.0.0.1 only.
    call().args(&["-4", "-6"]).run().code(6);
    let address = format!("127.0.0.1:{}", server.port());
    extend()
        .args(&["--max-retries", "0", "-6", "--base-url"])
        .args(&[&format!("http://{address}/v1")])
        .run()
        .is(
            6,
            "",
            &format!("openai: no connection to {address}: '127.0.0.1' has no IPv6 address\n"),
        );
    server.finish();
}

#[test]
fn secrets_in_any_part_of_a_response_are_redacted() {
    let secret = "sk-in-a-header-123";
    let header = format!("Authorization: Bearer {secret}");
    let long = format!("{}{secret}", "x".repeat(505));
    for reply in [
        Reply::json(400, &format!(r#"{{"error":"{secret}"}}"#)),
        Reply::json(400, &format!(r#"{{"error":{{"message":"{long}"}}}}"#)),
        Reply::json(400, "{}").header("x-request-id", secret),
        Reply::redirect(302, &format!("https://other.example/{secret}?sig={secret}")),
        Reply::json(200, &format!(r#"{{"message":"{secret}"}}"#)),
    ] {
        let server = Server::script(vec![reply]);
        let outcome =
            openai(&EXTEND).arg("-q").args(&["--debug", "--header", &header]).server(&server).run();
        outcome.stdout("").never_shows("sk-in-a");
        server.finish();
    }
}
