//! The output of `--debug`.

use std::net::TcpListener;

use crate::support::{
    Authority, CLIP, EXTEND, JOB, Openai, PRINTED, Proxy, Reply, Server, TlsServer, openai,
};

fn extend() -> Openai {
    openai(&EXTEND).args(&["--api-key", "sk-topsecret"])
}

/// Replaces every number with three decimals by 0.000, as times differ from run to run.
fn without_times(text: &str) -> String {
    let is_time = |word: &str| {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
        word.split_once('.')
            .is_some_and(|(whole, rest)| digits(whole) && digits(rest) && rest.len() == 3)
    };
    let words: Vec<&str> =
        text.split(' ').map(|word| if is_time(word) { "0.000" } else { word }).collect();
    words.join(" ")
}

#[test]
fn debug_output_shows_requests_and_responses_with_secrets_redacted() {
    let server = Server::script(vec![
        Reply::json(200, JOB).header("Set-Cookie", "topsecret").header("X-Request-Id", "req_1"),
    ]);
    let run = extend()
        .args(&["--debug", "--header", "X-Gateway: topsecret"])
        .args(&["--header", "Idempotency-Key: mine"])
        .server(&server)
        .run();
    run.success().stdout(PRINTED).never_shows("topsecret");
    let url = server.base_url();
    assert_eq!(
        without_times(&run.stderr_text()),
        format!(
            "> POST {url}/videos/extensions\n> Authorization: [hidden]\n\
             > Accept: application/json\n\
             > User-Agent: openai-videos/{}\n> Idempotency-Key: mine\n\
             > Content-Type: application/json\n> Content-Length: 47\n> X-Gateway: [hidden]\n\
             * connected to 127.0.0.1:{}: DNS 0.000 s, TCP 0.000 s\n\
             * 47 bytes of body sent after 0.000 s, response after 0.000 s\n\
             < HTTP 200\n< content-type: application/json\n< set-cookie: [hidden]\n\
             < x-request-id: req_1\n< content-length: 16\n\
             * 16 bytes of body received after 0.000 s\n",
            env!("CARGO_PKG_VERSION"),
            server.port()
        )
    );
    server.finish();
}

#[test]
fn debug_output_shows_the_reason_and_the_delay_of_each_retry() {
    let busy = |status| Reply::json(status, "{}");
    let server = Server::script(vec![
        busy(503).header("Retry-After", "0.01"),
        busy(409),
        Reply::json(200, JOB),
    ]);
    // A POST would open a connection for each attempt.
    let run = openai(&["videos", "retrieve", "v", "--debug"]).server(&server).run();
    let said = without_times(&run.success().stderr_text());
    let lines: Vec<&str> =
        said.lines().filter(|line| line.starts_with("* ") || line.starts_with("openai")).collect();
    let connected = format!("* connected to 127.0.0.1:{}: DNS 0.000 s, TCP 0.000 s", server.port());
    assert_eq!(
        lines[..5],
        [
            &connected,
            "* response after 0.000 s",
            "* 2 bytes of body received after 0.000 s",
            "* retrying in 0.000 s, as the server asks",
            "openai: the server responded with HTTP 503: {}; retry 1 of 2 in 0.0 s",
        ]
    );
    let again = "* reused connection, response after 0.000 s";
    assert_eq!(lines[5], again);
    assert_eq!(lines[7], "* retrying in 0.000 s (0.5 s, doubling up to 8 s, less up to 25 %)");
    assert_eq!(lines[9], again);
    assert_eq!(lines.len(), 11);
    assert!(run.stderr_text().contains("* retrying in 0.010 s, "));
    server.finish();
}

#[test]
fn debug_output_shows_how_a_connection_was_made() {
    let authority = Authority::new();
    let identity = authority.issue(&["localhost", "gateway.invalid"]);
    for (server, version) in
        [(TlsServer::new(&identity, JOB), "TLS 1.3"), (TlsServer::tls12(&identity, JOB), "TLS 1.2")]
    {
        let call = |host| {
            extend()
                .file("ca.pem", &authority.pem)
                .args(&["--debug", "--cacert", "ca.pem"])
                .args(&["--base-url", &server.url(host)])
        };
        let port = server.port();
        let run = call("localhost").run();
        assert!(
            without_times(&run.success().stderr_text()).contains(&format!(
                "\n* connected to 127.0.0.1:{port}, {version}: DNS 0.000 s, TCP 0.000 s, TLS \
                 0.000 s\n"
            )),
            "{}",
            run.stderr_text()
        );
        let proxy = Proxy::to(port);
        let run = call("gateway.invalid").env("https_proxy", proxy.url("http")).run();
        let place = format!("127.0.0.1:{}", proxy.port());
        assert!(
            without_times(&run.success().stderr_text()).contains(&format!(
                "\n* connected to the proxy {place} ({place}), {version}: \
                 DNS 0.000 s, TCP 0.000 s, proxy 0.000 s, TLS 0.000 s\n"
            )),
            "{}",
            run.stderr_text()
        );
        proxy.finish();
        server.finish();
    }
}

#[test]
fn debug_output_lists_addresses_that_refused_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    // `localhost` has both addresses.
    let run = extend()
        .args(&["--debug", "--max-retries", "0"])
        .args(&["--base-url", &format!("http://localhost:{port}/v1")])
        .run();
    run.code(6)
        .stderr_contains(&format!(
            "* 127.0.0.1:{port}: Connection refused (os error 111)\n* [::1]:{port}: "
        ))
        .stderr_contains(&format!("openai: no connection to localhost:{port}: "));
}

#[test]
fn debug_output_shows_the_size_of_a_download() {
    let server =
        Server::script(vec![Reply::status(200).header("Content-Type", "video/mp4").body(CLIP)]);
    let run = openai(&["videos", "download-content", "v", "--debug"])
        .args(&["-o", "clip.mp4"])
        .server(&server)
        .run();
    let said = without_times(&run.success().stderr_text());
    let last = format!("* {} bytes of content received after 0.000 s\n", CLIP.len());
    assert!(said.ends_with(&last), "{said}");
    server.finish();
}
