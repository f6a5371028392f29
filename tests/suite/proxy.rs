//! Proxies: which one is asked for what, how, and what is said when it does not do it. The names used do not exist;
//! whoever looks them up here instead of leaving that to the proxy fails.

use std::fs;
use std::net::TcpListener;

use crate::support::{
    Authority, CLIP, DOWNLOAD, EXTEND, JOB, Manner, Openai, PRINTED, Proxy, Reply, Server,
    TlsServer, media, openai,
};

fn extend() -> Openai {
    openai(&EXTEND).args(&["--api-key", "sk-topsecret", "--max-retries", "0"])
}

/// One call of a server that can only be reached through a proxy.
fn call(authority: &Authority) -> Openai {
    extend()
        .file("ca.pem", &authority.pem)
        .args(&["--cacert", "ca.pem"])
        .env("OPENAI_BASE_URL", "https://gateway.invalid/v1")
}

fn plain() -> Openai {
    extend()
        .env("OPENAI_BASE_URL", "http://gateway.invalid:8080/v1")
        .args(&["--allow-http"])
}

fn no_connection(host: &str, proxy: &Proxy, why: &str) -> String {
    format!(
        "openai: no connection to {host}: the proxy 127.0.0.1:{}: {why}\n",
        proxy.port()
    )
}

#[test]
fn https_goes_through_each_kind_of_proxy() {
    let authority = Authority::new();
    let server = TlsServer::new(&authority.issue(&["gateway.invalid"]), JOB);
    for (scheme, asked) in [
        ("http", "CONNECT gateway.invalid:443"),
        ("socks5h", "SOCKS the name gateway.invalid 443"),
    ] {
        let proxy = Proxy::to(server.port());
        call(&authority)
            .env("https_proxy", proxy.url(scheme))
            .env("http_proxy", "http://127.0.0.1:1")
            .run()
            .is(0, PRINTED, "");
        assert_eq!(proxy.finish(), [asked]);
        let proxy = Proxy::closed(server.port());
        call(&authority)
            .arg("--debug")
            .env("ALL_PROXY", proxy.url_with_credentials(scheme))
            .run()
            .success()
            .stdout(PRINTED)
            .never_shows("p:ss")
            .never_shows("p%3ass")
            .never_shows("dXNAZXI6cDpzcyB3b3Jk");
        assert_eq!(proxy.finish(), [asked]);
    }
    let (requests, _) = server.finish();
    assert_eq!(requests.len(), 4);
    for request in requests {
        assert!(
            request.starts_with("POST /v1/videos/extensions HTTP/1.1\r\n"),
            "{request}"
        );
        assert!(!request.to_lowercase().contains("proxy"), "{request}");
    }
}

#[test]
fn content_comes_whole_through_each_kind_of_proxy() {
    let authority = Authority::new();
    for scheme in ["http", "https", "socks5h"] {
        let reply = Reply::status(200)
            .header("Content-Type", "video/mp4")
            .body(media());
        let server = Server::script(vec![reply]);
        let proxy = match scheme {
            "https" => Proxy::with_tls(server.port(), &authority.issue(&["127.0.0.1"])),
            _ => Proxy::to(server.port()),
        };
        let outcome = openai(&DOWNLOAD)
            .file("ca.pem", &authority.pem)
            .args(&["--cacert", "ca.pem", "--allow-http"])
            .env("OPENAI_BASE_URL", "http://gateway.invalid:8080/v1")
            .env("http_proxy", proxy.url(scheme))
            .run();
        outcome.code(0);
        let file = fs::read(outcome.directory.join("out.mp4")).unwrap();
        assert!(file == media(), "{scheme}: {} bytes", file.len());
        proxy.finish();
        server.finish();
    }
}

#[test]
fn a_proxy_may_be_spoken_to_over_tls() {
    let authority = Authority::new();
    let server = TlsServer::new(&authority.issue(&["gateway.invalid"]), JOB);
    let proxy = Proxy::with_tls(server.port(), &authority.issue(&["127.0.0.1"]));
    call(&authority)
        .env("https_proxy", proxy.url("https"))
        .run()
        .is(0, PRINTED, "");
    assert_eq!(proxy.finish(), ["CONNECT gateway.invalid:443"]);
    server.finish();

    let server = Server::script(vec![Reply::json(200, JOB)]);
    let proxy = Proxy::with_tls(server.port(), &authority.issue(&["127.0.0.1"]));
    plain()
        .file("ca.pem", &authority.pem)
        .args(&["--cacert", "ca.pem"])
        .env("http_proxy", proxy.url("https"))
        .run()
        .is(0, PRINTED, "");
    proxy.finish();
    assert_eq!(
        server.finish()[0].target,
        "http://gateway.invalid:8080/v1/videos/extensions"
    );

    let proxy = Proxy::with_tls(1, &authority.issue(&["another.invalid"]));
    let why = "the server's certificate is not for 127.0.0.1 but for another.invalid";
    call(&authority)
        .env("https_proxy", proxy.url("https"))
        .run()
        .is(6, "", &no_connection("gateway.invalid", &proxy, why));
}

#[test]
fn socks5_is_given_addresses() {
    let authority = Authority::new();
    for (host, asked) in [
        ("192.0.2.1", "SOCKS 192.0.2.1 443"),
        ("[2001:db8::1]", "SOCKS 2001:db8::1 443"),
    ] {
        let bare = host.trim_matches(['[', ']']);
        let server = TlsServer::new(&authority.issue(&[bare]), JOB);
        for scheme in ["socks5", "socks5h"] {
            let proxy = Proxy::to(server.port());
            call(&authority)
                .args(&["--base-url", &format!("https://{host}/v1")])
                .env("https_proxy", proxy.url(scheme))
                .run()
                .is(0, PRINTED, "");
            assert_eq!(proxy.finish(), [asked]);
        }
        server.finish();
    }
    let proxy = Proxy::to(1);
    call(&authority)
        .env("https_proxy", proxy.url("socks5"))
        .run()
        .code(6)
        .stderr_contains("openai: no connection to gateway.invalid: the name lookup failed: ");
    assert!(proxy.finish().is_empty());
}

#[test]
fn plain_http_names_the_server_in_each_request() {
    let server = Server::script(vec![
        Reply::json(200, JOB),
        Reply::json(200, r#"{"id":"video_1","status":"completed"}"#),
        Reply::status(200)
            .header("Content-Type", "video/mp4")
            .body(CLIP),
    ]);
    let proxy = Proxy::closed(server.port());
    plain()
        .args(&["--output", "out.mp4", "-q", "--poll-interval", "10ms"])
        .env("http_proxy", proxy.url_with_credentials("http"))
        .env("https_proxy", "http://127.0.0.1:1")
        .run()
        .success();
    // One connection carried all three.
    assert_eq!(
        proxy.finish(),
        ["POST http://gateway.invalid:8080/v1/videos/extensions"]
    );
    let requests = server.finish();
    for (request, path) in requests
        .iter()
        .zip(["/extensions", "/video_1", "/video_1/content"])
    {
        assert_eq!(
            request.target,
            format!("http://gateway.invalid:8080/v1/videos{path}")
        );
        assert_eq!(request.header("host"), Some("gateway.invalid:8080"));
        let authorization = request.header("proxy-authorization");
        assert_eq!(authorization, Some("Basic dXNAZXI6cDpzcyB3b3Jk"));
    }
}

#[test]
fn an_upload_goes_through_a_proxy_whole() {
    let clip = vec![7; 3 << 20];
    let server = Server::script(vec![Reply::json(200, JOB)]);
    let proxy = Proxy::to(server.port());
    openai(&crate::support::call("x", "4", "@big.mp4"))
        .file("big.mp4", &clip)
        .arg("-q")
        .env("OPENAI_BASE_URL", "http://gateway.invalid/v1")
        .env("http_proxy", proxy.url("http"))
        .run()
        .is(0, PRINTED, "");
    proxy.finish();
    let request = &server.finish()[0];
    assert_eq!(
        request.target,
        "http://gateway.invalid/v1/videos/extensions"
    );
    assert!(request.whole && request.body_len > 3 << 20, "{request}");
}

#[test]
fn plain_http_goes_through_socks_unchanged() {
    let server = Server::script(vec![Reply::json(200, JOB)]);
    let proxy = Proxy::closed(server.port());
    plain()
        .env("all_proxy", proxy.url_with_credentials("socks5h"))
        .run()
        .is(0, PRINTED, "");
    assert_eq!(proxy.finish(), ["SOCKS the name gateway.invalid 8080"]);
    let request = &server.finish()[0];
    assert_eq!(request.target, "/v1/videos/extensions");
    assert_eq!(request.header("proxy-authorization"), None);
}

#[test]
fn what_needs_no_proxy_goes_there_directly() {
    let proxy = Proxy::to(1);
    for no_proxy in ["*", "invalid", "x, .invalid:443"] {
        call(&Authority::new())
            .env("https_proxy", proxy.url("http"))
            .env("NO_PROXY", no_proxy)
            .run()
            .code(6)
            .stderr_contains("openai: no connection to gateway.invalid: the name lookup failed: ");
    }
    // This machine, whatever the variables say.
    let server = Server::script(vec![Reply::json(200, JOB)]);
    extend()
        .server(&server)
        .env("http_proxy", proxy.url("http"))
        .run()
        .is(0, PRINTED, "");
    server.finish();
    assert!(proxy.finish().is_empty());
}

#[test]
fn a_proxy_that_wants_other_credentials_says_so() {
    let authority = Authority::new();
    let hint =
        "hint: put them into the proxy's URL: http://user:password@host:port, percent-encoded\n";
    for scheme in ["http", "socks5h"] {
        let proxy = Proxy::closed(1);
        let none = no_connection(
            "gateway.invalid",
            &proxy,
            "it asks for a user and a password",
        );
        let wrong = no_connection(
            "gateway.invalid",
            &proxy,
            "it does not accept the user and the password",
        );
        let wrong_url = proxy.url(scheme).replace("://", "://user:hunter2hunter2@");
        call(&authority)
            .env("https_proxy", proxy.url(scheme))
            .run()
            .is(6, "", &(none + hint));
        call(&authority)
            .env("https_proxy", wrong_url)
            .run()
            .is(6, "", &(wrong + hint));
    }
    // Nothing reads a request that the proxy does not take: a POST may be sent again.
    let proxy = Proxy::closed(1);
    let why = "it asks for a user and a password";
    let said = no_connection("gateway.invalid:8080", &proxy, why) + hint;
    plain()
        .args(&["--max-retries", "1", "-q"])
        .env("http_proxy", proxy.url("http"))
        .run()
        .is(6, "", &said);
    assert_eq!(proxy.finish().len(), 2);
}

#[test]
fn a_proxy_that_fails_leaves_nothing_sent() {
    let authority = Authority::new();
    let took = "asking it took longer than 300ms";
    for (scheme, manner, why) in [
        (
            "http",
            Manner::Refuse(503),
            "it refused to connect (HTTP 503)",
        ),
        (
            "socks5h",
            Manner::Refuse(2),
            "it does not allow this connection",
        ),
        (
            "socks5h",
            Manner::Refuse(5),
            "the server refused its connection",
        ),
        (
            "http",
            Manner::HangUp,
            "the connection was closed in the handshake",
        ),
        (
            "socks5h",
            Manner::HangUp,
            "the connection was closed in the handshake",
        ),
        ("http", Manner::Silence, took),
        ("socks5h", Manner::Silence, took),
    ] {
        let proxy = Proxy::with_manner(1, manner);
        let said = no_connection("gateway.invalid", &proxy, why);
        call(&authority)
            .args(&["--max-retries", "1", "-q", "--connect-timeout", "300ms"])
            .env("https_proxy", proxy.url(scheme))
            .run()
            .is(6, "", &said);
        // It was sent again: the line to the proxy is not the request.
        assert_eq!(proxy.finish().len(), 2, "{why}");
    }
}

#[test]
fn a_proxy_that_dies_with_the_request_leaves_the_outcome_unknown() {
    let proxy = Proxy::with_manner(1, Manner::HangUp);
    plain()
        .env("http_proxy", proxy.url("http"))
        .run()
        .code(7)
        .stderr_contains("the request was sent, but its outcome is unknown: ");
}

#[test]
fn a_dead_proxy_is_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for scheme in ["http", "https", "socks5", "socks5h"] {
        call(&Authority::new())
            .args(&["--base-url", "https://192.0.2.1/v1"])
            .env("https_proxy", format!("{scheme}://user:secretsecret@{address}"))
            .run()
            .is(
                6,
                "",
                &format!(
                    "openai: no connection to 192.0.2.1: the proxy {address}: Connection refused (os error 111)\n"
                ),
            );
    }
    call(&Authority::new())
        .env("https_proxy", "proxy.invalid:3128")
        .run()
        .code(6)
        .stderr_contains(
            "openai: no connection to gateway.invalid: the proxy proxy.invalid:3128: the name lookup failed: ",
        );
}

#[test]
fn an_unusable_proxy_is_an_error_that_quotes_nothing() {
    let hint = "hint: write it like http://user:password@proxy.example.com:3128, with what is special in the \
                password percent-encoded; http, https, socks5 and socks5h are known\n";
    for (url, why) in [
        ("socks4://user:secret1@h", "is of an unknown kind"),
        ("http://user:secret1@", "has no usable host or port"),
        ("http://user:secret1@h:port", "has no usable host or port"),
        ("http://user:secret1%zz@h", "has unusable credentials"),
    ] {
        for name in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            call(&Authority::new())
                .env(name, url)
                .run()
                .is(
                    2,
                    "",
                    &format!("openai: {name}: the proxy URL {why}\n{hint}"),
                )
                .never_shows("secret1");
        }
    }
    // An empty one counts as not set.
    let server = Server::script(vec![Reply::json(200, JOB)]);
    extend()
        .server(&server)
        .env("http_proxy", "")
        .run()
        .is(0, PRINTED, "");
    server.finish();
}
