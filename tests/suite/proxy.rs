//! Proxies: which one is used for a request, the handshake with it, and its failures. The host
//! names do not exist, so a client that does a DNS lookup itself, instead of leaving it to the
//! proxy, fails.

use std::fs;
use std::net::TcpListener;

use crate::support::{
    Authority, CLIP, DOWNLOAD, EXTEND, JOB, Manner, Openai, PRINTED, Proxy, Reply, Server,
    TlsServer, media, openai,
};

fn extend() -> Openai {
    openai(&EXTEND).args(&["--api-key", "sk-topsecret", "--max-retries", "0"])
}

/// A request to an https server that can only be reached through a proxy.
fn call(authority: &Authority) -> Openai {
    extend()
        .file("ca.pem", &authority.pem)
        .args(&["--cacert", "ca.pem"])
        .env("OPENAI_BASE_URL", "https://gateway.invalid/v1")
}

/// The same to a server of plain http.
fn plain() -> Openai {
    extend().env("OPENAI_BASE_URL", "http://gateway.invalid:8080/v1").args(&["--allow-http"])
}

fn no_connection(host: &str, proxy: &Proxy, reason: &str) -> String {
    format!("openai: no connection to {host}: the proxy 127.0.0.1:{}: {reason}\n", proxy.port())
}

#[test]
fn credentials_stay_dropped_after_a_redirect_to_another_origin() {
    let proxy = Server::script(vec![
        Reply::redirect(307, "/v1/moved"),
        Reply::redirect(302, "http://store.invalid/a"),
        Reply::redirect(302, "http://gateway.invalid:8080/v1/b"),
        Reply::json(200, JOB),
    ]);
    openai(&["videos", "retrieve", "video_1", "--api-key", "sk-topsecret", "--allow-http"])
        .args(&["--header", "X-Gateway: topsecret", "--organization", "o", "--project", "p"])
        .env("OPENAI_BASE_URL", "http://gateway.invalid:8080/v1")
        .env("http_proxy", format!("http://127.0.0.1:{}", proxy.port()))
        .run()
        .is(0, PRINTED, "");
    for (index, request) in proxy.finish().iter().enumerate() {
        for name in ["authorization", "x-gateway", "openai-organization", "openai-project"] {
            let is_sent = request.header(name).is_some();
            assert_eq!(is_sent, index < 2, "{name} to {}", request.target);
        }
    }
}

#[test]
fn https_uses_a_tunnel_through_http_and_socks_proxies() {
    let authority = Authority::new();
    let server = TlsServer::new(&authority.issue(&["gateway.invalid"]), JOB);
    for (scheme, asked) in
        [("http", "CONNECT gateway.invalid:443"), ("socks5h", "SOCKS the name gateway.invalid 443")]
    {
        let proxy = Proxy::to(server.port());
        call(&authority)
            .env("https_proxy", proxy.url(scheme))
            .env("http_proxy", "http://127.0.0.1:1")
            .run()
            .is(0, PRINTED, "");
        assert_eq!(proxy.finish(), [asked]);
        let proxy = Proxy::with_credentials(server.port());
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
        assert!(request.starts_with("POST /v1/videos/extensions HTTP/1.1\r\n"), "{request}");
        assert!(!request.to_lowercase().contains("proxy"), "{request}");
    }
}

#[test]
fn downloads_through_every_kind_of_proxy_are_complete() {
    let authority = Authority::new();
    for scheme in ["http", "https", "socks5h"] {
        let reply = Reply::status(200).header("Content-Type", "video/mp4").body(media());
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
fn a_proxy_can_be_reached_over_tls() {
    let authority = Authority::new();
    let server = TlsServer::new(&authority.issue(&["gateway.invalid"]), JOB);
    let proxy = Proxy::with_tls(server.port(), &authority.issue(&["127.0.0.1"]));
    call(&authority).env("https_proxy", proxy.url("https")).run().is(0, PRINTED, "");
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
    assert_eq!(server.finish()[0].target, "http://gateway.invalid:8080/v1/videos/extensions");

    let proxy = Proxy::with_tls(1, &authority.issue(&["another.invalid"]));
    let reason = "the server's certificate is for another.invalid, not for 127.0.0.1";
    call(&authority).env("https_proxy", proxy.url("https")).run().is(
        6,
        "",
        &no_connection("gateway.invalid", &proxy, reason),
    );
}

#[test]
fn the_socks5_scheme_resolves_names_locally() {
    let authority = Authority::new();
    for (host, asked) in
        [("192.0.2.1", "SOCKS 192.0.2.1 443"), ("[2001:db8::1]", "SOCKS 2001:db8::1 443")]
    {
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
        .stderr_contains("openai: no connection to gateway.invalid: DNS lookup failed: ");
    assert!(proxy.finish().is_empty());
}

#[test]
fn plain_http_sends_absolute_form_requests_to_a_proxy() {
    let server = Server::script(vec![
        Reply::json(200, JOB),
        Reply::json(200, r#"{"id":"video_1","status":"completed"}"#),
        Reply::status(200).header("Content-Type", "video/mp4").body(CLIP),
    ]);
    let proxy = Proxy::with_credentials(server.port());
    plain()
        .args(&["--output", "out.mp4", "-q", "--poll-interval", "10ms"])
        .env("http_proxy", proxy.url_with_credentials("http"))
        .env("https_proxy", "http://127.0.0.1:1")
        .run()
        .success();
    // All three requests used one connection.
    assert_eq!(proxy.finish(), ["POST http://gateway.invalid:8080/v1/videos/extensions"]);
    let requests = server.finish();
    for (request, path) in requests.iter().zip(["/extensions", "/video_1", "/video_1/content"]) {
        assert_eq!(request.target, format!("http://gateway.invalid:8080/v1/videos{path}"));
        assert_eq!(request.header("host"), Some("gateway.invalid:8080"));
        let authorization = request.header("proxy-authorization");
        assert_eq!(authorization, Some("Basic dXNAZXI6cDpzcyB3b3Jk"));
    }
}

#[test]
fn an_upload_through_a_proxy_is_complete() {
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
    assert_eq!(request.target, "http://gateway.invalid/v1/videos/extensions");
    assert!(request.whole && request.body_len > 3 << 20, "{request}");
}

#[test]
fn plain_http_through_a_socks_proxy_is_unchanged() {
    let server = Server::script(vec![Reply::json(200, JOB)]);
    let proxy = Proxy::with_credentials(server.port());
    plain().env("all_proxy", proxy.url_with_credentials("socks5h")).run().is(0, PRINTED, "");
    assert_eq!(proxy.finish(), ["SOCKS the name gateway.invalid 8080"]);
    let request = &server.finish()[0];
    assert_eq!(request.target, "/v1/videos/extensions");
    assert_eq!(request.header("proxy-authorization"), None);
}

#[test]
fn hosts_in_no_proxy_and_loopback_are_reached_directly() {
    let proxy = Proxy::to(1);
    for no_proxy in ["*", "invalid", "x, .invalid:443"] {
        call(&Authority::new())
            .env("https_proxy", proxy.url("http"))
            .env("NO_PROXY", no_proxy)
            .run()
            .code(6)
            .stderr_contains("openai: no connection to gateway.invalid: DNS lookup failed: ");
    }
    // A server on this machine is never reached through a proxy.
    let server = Server::script(vec![Reply::json(200, JOB)]);
    extend().server(&server).env("http_proxy", proxy.url("http")).run().is(0, PRINTED, "");
    server.finish();
    assert!(proxy.finish().is_empty());
}

#[test]
fn missing_and_wrong_proxy_credentials_are_reported() {
    let authority = Authority::new();
    let hint = "hint: put user and password into the proxy's URL, percent-encoded: \
                http://user:password@host:port\n";
    for scheme in ["http", "socks5h"] {
        let proxy = Proxy::with_credentials(1);
        let none = no_connection("gateway.invalid", &proxy, "it requires a user name and password");
        let wrong =
            no_connection("gateway.invalid", &proxy, "it rejected the user name and password");
        let wrong_url = proxy.url(scheme).replace("://", "://user:hunter2hunter2@");
        call(&authority).env("https_proxy", proxy.url(scheme)).run().is(6, "", &(none + hint));
        call(&authority).env("https_proxy", wrong_url).run().is(6, "", &(wrong + hint));
    }
    // Nothing reads a request that the proxy does not take: a POST may be sent again.
    let proxy = Proxy::with_credentials(1);
    let reason = "it requires a user name and password";
    let said = no_connection("gateway.invalid:8080", &proxy, reason) + hint;
    plain()
        .args(&["--max-retries", "1", "-q"])
        .env("http_proxy", proxy.url("http"))
        .run()
        .is(6, "", &said);
    assert_eq!(proxy.finish().len(), 2);
}

#[test]
fn a_failed_proxy_handshake_is_retried_and_ends_with_code_6() {
    let authority = Authority::new();
    let took = "the handshake took longer than 300ms";
    for (scheme, manner, reason) in [
        ("http", Manner::Refuse(503), "CONNECT was refused (HTTP 503)"),
        ("socks5h", Manner::Refuse(2), "connection not allowed by its rules"),
        ("socks5h", Manner::Refuse(5), "the server refused the connection"),
        ("http", Manner::Close, "the connection was closed during the handshake"),
        ("socks5h", Manner::Close, "the connection was closed during the handshake"),
        ("http", Manner::Silence, took),
        ("socks5h", Manner::Silence, took),
    ] {
        let proxy = Proxy::with_manner(1, manner);
        let said = no_connection("gateway.invalid", &proxy, reason);
        let limit = if reason == took { "300ms" } else { "10s" };
        call(&authority)
            .args(&["--max-retries", "1", "-q", "--connect-timeout", limit])
            .env("https_proxy", proxy.url(scheme))
            .run()
            .is(6, "", &said);
        // It was retried, as the handshake with the proxy does not send the request.
        assert_eq!(proxy.finish().len(), 2, "{reason}");
    }
}

#[test]
fn a_proxy_that_closes_after_the_request_ends_with_an_unknown_outcome() {
    let proxy = Proxy::with_manner(1, Manner::Close);
    plain()
        .env("http_proxy", proxy.url("http"))
        .run()
        .code(7)
        .stderr_contains("the request was sent, but its outcome is unknown: ");
}

#[test]
fn an_unreachable_proxy_ends_with_code_6() {
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
                    "openai: no connection to 192.0.2.1: the proxy {address}: Connection refused \
                     (os error 111)\n"
                ),
            );
    }
    call(&Authority::new()).env("https_proxy", "proxy.invalid:3128").run().code(6).stderr_contains(
        "openai: no connection to gateway.invalid: the proxy proxy.invalid:3128: DNS lookup \
         failed: ",
    );
}

#[test]
fn an_invalid_proxy_url_is_refused_without_quoting_it() {
    let hint = "hint: write it like http://user:password@proxy.example.com:3128, with special \
                characters in the password percent-encoded; the schemes are http, https, socks5 \
                and socks5h\n";
    for (url, reason) in [
        ("socks4://user:secret1@h", "has an unknown scheme"),
        ("http://user:secret1@", "has no usable host or port"),
        ("http://user:secret1@h:port", "has no usable host or port"),
        ("http://user:secret1%zz@h", "has unusable credentials"),
    ] {
        for name in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            call(&Authority::new())
                .env(name, url)
                .run()
                .is(2, "", &format!("openai: {name}: the proxy URL {reason}\n{hint}"))
                .never_shows("secret1");
        }
    }
    // An empty variable counts as not set.
    let server = Server::script(vec![Reply::json(200, JOB)]);
    extend().server(&server).env("http_proxy", "").run().is(0, PRINTED, "");
    server.finish();
}
