//! TLS, with certificates made for each test: which ones are accepted, the messages about the
//! others, and client certificates.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::thread;

use crate::support::{
    Authority, DOWNLOAD, EXTEND, Identity, JOB, Openai, Outcome, PRINTED, Reply, Server, TempDir,
    TlsServer, openai,
};

const CLIENT_HINT: &str = "hint: set a certificate that the server accepts: \
                           --mtls-client-cert-file and --mtls-client-key-file\n";

fn extend() -> Openai {
    openai(&EXTEND).args(&["--api-key", "sk-topsecret", "--max-retries", "0"])
}

/// A request that trusts this CA certificate.
fn trusting(pem: &str, url: &str) -> Openai {
    extend().file("ca.pem", pem).args(&["--cacert", "ca.pem", "--base-url", url])
}

/// The outcome and standard error for a server with this certificate, which must be refused. The
/// port is removed from the text.
fn refused(trusted: &str, identity: &Identity, name: &str) -> (Outcome, String) {
    let server = TlsServer::new(identity, JOB);
    let port = format!(":{}", server.port());
    let outcome = trusting(trusted, &server.url(name)).run();
    outcome.code(6).stdout("").never_shows("sk-topsecret");
    let (requests, connections) = server.finish();
    assert_eq!((requests.len(), connections), (0, 1));
    let said = outcome.stderr_text().replace(&port, "");
    (outcome, said)
}

#[test]
fn a_custom_ca_bundle_replaces_the_built_in_one() {
    let authority = Authority::new();
    let other = Authority::new();
    let server = TlsServer::new(&authority.issue(&["localhost", "127.0.0.1"]), JOB);
    let bundle = format!("Two of them.\n{}\nand\n{}", other.pem, authority.pem);
    for name in ["localhost", "127.0.0.1"] {
        trusting(&bundle, &server.url(name)).run().is(0, PRINTED, "");
    }
    extend()
        .file("ca.pem", &bundle)
        .env("SSL_CERT_FILE", "ca.pem")
        .args(&["--base-url", &server.url("localhost")])
        .run()
        .is(0, PRINTED, "");
    let url = server.url("localhost");
    let untrusted = "the server's certificate is signed by an unknown issuer";
    let bundles = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/cert.pem",
    ];
    let bundle = bundles.into_iter().find(|path| std::path::Path::new(path).exists());
    let system = bundle.map_or(String::new(), |path| format!("; this system's own is {path}"));
    for (outcome, system) in [
        (trusting(&other.pem, &url).env("SSL_CERT_FILE", "not-looked-at.pem").run(), ""),
        (extend().args(&["--base-url", &url]).run(), &system),
    ] {
        outcome.is(
            6,
            "",
            &format!(
                "openai: no connection to localhost:{}: {untrusted}\n\
                 hint: set --cacert or SSL_CERT_FILE to a file with the issuer's certificate if \
                 you trust it{system}\n",
                server.port()
            ),
        );
    }
    let (requests, connections) = server.finish();
    assert_eq!((requests.len(), connections), (3, 5));
    assert!(requests[0].starts_with("POST /v1/videos/extensions HTTP/1.1\r\n"));
}

#[test]
fn a_self_signed_certificate_is_accepted_if_it_is_in_the_ca_bundle() {
    let identity = Identity::self_signed(&["localhost"], false);
    let server = TlsServer::new(&identity, JOB);
    trusting(&identity.certificate, &server.url("localhost")).run().is(0, PRINTED, "");
    server.finish();

    let identity = Identity::self_signed(&["localhost"], true);
    let (_, said) = refused(&identity.certificate, &identity, "localhost");
    assert_eq!(
        said,
        "openai: no connection to localhost: the server's certificate is a CA certificate \
         (CA:TRUE)\n\
         hint: give the server a certificate made with basicConstraints=CA:FALSE, or one signed \
         by this one\n"
    );
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    let authority = Authority::new();
    for (names, shown) in
        [(&["a.example", "*.b.example"][..], "a.example, *.b.example"), (&[][..], "no name")]
    {
        let (_, said) = refused(&authority.pem, &authority.issue(names), "localhost");
        assert_eq!(
            said,
            format!(
                "openai: no connection to localhost: the server's certificate is for {shown}, not \
                 for localhost\n"
            )
        );
    }
}

#[test]
fn an_expired_or_early_certificate_is_refused_with_a_hint_to_the_clock() {
    let authority = Authority::new();
    let expired = authority.issue_with(&["localhost"], |params| {
        params.not_after = rcgen::date_time_ymd(2001, 2, 3);
    });
    let early = authority.issue_with(&["localhost"], |params| {
        params.not_before = rcgen::date_time_ymd(3001, 2, 3);
    });
    for (identity, reason) in [
        (expired, "expired on Sat, 03 Feb 2001 00:00:00 GMT"),
        (early, "is not valid before Tue, 03 Feb 3001 00:00:00 GMT"),
    ] {
        let (outcome, said) = refused(&authority.pem, &identity, "localhost");
        let (first, hint) = said.split_once('\n').unwrap();
        assert_eq!(
            first,
            format!("openai: no connection to localhost: the server's certificate {reason}")
        );
        let clock = hint
            .strip_prefix("hint: set the clock of this machine if it is wrong: it says ")
            .and_then(|rest| rest.strip_suffix('\n'));
        let clock = httpdate::parse_http_date(clock.unwrap_or_else(|| panic!("{outcome:?}")));
        let off = std::time::SystemTime::now().duration_since(clock.unwrap()).unwrap();
        assert!(off.as_secs() < 60, "{outcome:?}");
    }
}

#[test]
fn an_invalid_ca_bundle_is_refused_with_its_name() {
    let directory = TempDir::new();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let hint = "hint: a certificate in PEM starts with -----BEGIN CERTIFICATE-----\n";
    for (file, contents, reason) in [
        ("empty", "", format!(" 'empty': there is no certificate in it\n{hint}")),
        ("text", "hello", format!(" 'text': there is no certificate in it\n{hint}")),
        (
            "key",
            &Identity::self_signed(&["x"], false).key,
            format!(" 'key': there is no certificate in it\n{hint}"),
        ),
        ("cut", broken, " 'cut': a certificate in it has no end\n".to_owned()),
        (
            "junk",
            no_certificate,
            " 'junk': none of the certificates in it can be used\n".to_owned(),
        ),
    ] {
        std::fs::write(directory.path().join(file), contents).unwrap();
        let call = || extend().current_dir(directory.path());
        call().args(&["--cacert", file]).run().is(2, "", &format!("openai: --cacert{reason}"));
        call().env("SSL_CERT_FILE", file).run().is(
            2,
            "",
            &format!("openai: SSL_CERT_FILE{reason}"),
        );
    }
    for (file, reason) in [
        ("missing.pem", "cannot read 'missing.pem': no such file"),
        (".", "cannot read '.': it is a directory"),
        ("-", "it cannot be read from standard input"),
    ] {
        extend().stdin_held_open().args(&["--cacert", file]).run().is(
            2,
            "",
            &format!("openai: --cacert: {reason}\n"),
        );
    }
}

#[test]
fn an_invalid_ca_bundle_is_refused_only_where_it_is_needed() {
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    let server = Server::script(vec![Reply::json(200, JOB)]);
    let call = || extend().file("ca.pem", broken).env("SSL_CERT_FILE", "ca.pem");
    call().server(&server).run().is(0, PRINTED, "");
    server.finish();
    let tls_server = TlsServer::new(&Authority::new().issue(&["localhost"]), JOB);
    let url = tls_server.url("localhost");
    let reason = "SSL_CERT_FILE 'ca.pem': a certificate in it has no end\n";
    call().args(&["--base-url", &url]).run().is(2, "", &format!("openai: {reason}"));
    // A redirect from http to https needs it after all.
    let server = Server::script(vec![Reply::redirect(302, &url)]);
    openai(&DOWNLOAD)
        .args(&["--max-retries", "0", "--cacert", "ca.pem"])
        .file("ca.pem", broken)
        .server(&server)
        .run()
        .code(6)
        .stderr_contains(": --cacert 'ca.pem': a certificate in it has no end\n");
    server.finish();
    assert!(tls_server.finish().0.is_empty());
}

#[test]
fn a_client_certificate_authenticates_the_client() {
    let authority = Authority::new();
    let server =
        TlsServer::requiring_certificate(&authority.issue(&["localhost"]), &authority, JOB);
    let own = authority.issue(&["client.example"]);
    let call = || {
        trusting(&authority.pem, &server.url("localhost"))
            .file("own.pem", &own.certificate)
            .file("own.key", &own.key)
    };
    call()
        .args(&["--mtls-client-cert-file", "own.pem"])
        .args(&["--mtls-client-key-file", "own.key", "--debug"])
        .run()
        .success()
        .stdout(PRINTED)
        .never_shows(own.key.lines().nth(1).unwrap());
    call()
        .env("OPENAI_MTLS_CLIENT_CERT_FILE", "own.pem")
        .env("OPENAI_MTLS_CLIENT_KEY_FILE", "own.key")
        .run()
        .is(0, PRINTED, "");
    let (requests, _) = server.finish();
    assert_eq!(requests.len(), 2);
}

/// A chain of more than 40 KB, as a handshake message may have 64 KB, and a record 16 KB.
fn with_long_chain(authority: &Authority, names: &[&str]) -> Identity {
    let fillers: Vec<String> = (0..1600).map(|n| format!("number-{n:05}.example.com")).collect();
    let filler = authority.issue(&fillers.iter().map(String::as_str).collect::<Vec<_>>());
    let Identity { certificate, key } = authority.issue(names);
    Identity { certificate: certificate + &filler.certificate, key }
}

#[test]
fn certificate_chains_may_be_longer_than_a_record() {
    let authority = Authority::new();
    let server = TlsServer::requiring_certificate(
        &with_long_chain(&authority, &["localhost"]),
        &authority,
        JOB,
    );
    let own = with_long_chain(&authority, &["client.example"]);
    trusting(&authority.pem, &server.url("localhost"))
        .file("own.pem", &own.certificate)
        .file("own.key", &own.key)
        .args(&["--mtls-client-cert-file", "own.pem", "--mtls-client-key-file", "own.key"])
        .run()
        .is(0, PRINTED, "");
    assert_eq!(server.finish().0.len(), 1);
}

#[test]
fn the_client_certificate_is_not_shown_to_another_origin() {
    let authority = Authority::new();
    let (identity, own) = (authority.issue(&["localhost"]), authority.issue(&["client.example"]));
    let other = TlsServer::requiring_certificate(&identity, &authority, JOB);
    let server = TlsServer::redirecting(&identity, Some(&authority), &other.url("localhost"));
    openai(&["videos", "retrieve", "video_1", "--max-retries", "0", "--cacert", "ca.pem"])
        .file("ca.pem", &authority.pem)
        .file("own.pem", &own.certificate)
        .file("own.key", &own.key)
        .args(&["--mtls-client-cert-file", "own.pem", "--mtls-client-key-file", "own.key"])
        .env("OPENAI_BASE_URL", server.url("localhost"))
        .run()
        .code(6)
        .stderr_contains("(CertificateRequired)");
    assert_eq!(server.finish().0.len(), 1);
    assert_eq!(other.finish().0.len(), 0);
}

#[test]
fn a_redirect_from_https_to_http_is_followed_only_with_allow_http() {
    let authority = Authority::new();
    let plain = Server::script(vec![Reply::json(200, JOB)]);
    let target = format!("{}/videos/video_1", plain.base_url());
    let server = TlsServer::redirecting(&authority.issue(&["localhost"]), None, &target);
    let call = || {
        openai(&["videos", "retrieve", "video_1", "--api-key", "sk-topsecret"])
            .file("ca.pem", &authority.pem)
            .args(&["--cacert", "ca.pem"])
            .env("OPENAI_BASE_URL", server.url("localhost"))
    };
    call().run().code(3).stdout("").stderr_contains(&format!("(HTTP 302) to '{target}'"));
    call().arg("--allow-http").run().is(0, PRINTED, "");
    let requests = plain.finish();
    assert_eq!((requests.len(), requests[0].header("authorization")), (1, None));
    server.finish();
}

#[test]
fn a_rejected_client_certificate_ends_with_code_6() {
    let authority = Authority::new();
    let unknown = Authority::new().issue(&["client.example"]);
    let server =
        TlsServer::requiring_certificate(&authority.issue(&["localhost"]), &authority, JOB);
    let call = || {
        trusting(&authority.pem, &server.url("localhost"))
            .file("own.pem", &unknown.certificate)
            .file("own.key", &unknown.key)
    };
    let said = |alert: &str| {
        format!(
            "openai: no connection to localhost:{}: the server requires a client certificate, \
             or rejected this one ({alert})\n{CLIENT_HINT}",
            server.port()
        )
    };
    call().run().is(6, "", &said("CertificateRequired"));
    call()
        .args(&["--mtls-client-cert-file", "own.pem"])
        .args(&["--mtls-client-key-file", "own.key"])
        .run()
        .is(6, "", &said("UnknownCA"));
    let (requests, connections) = server.finish();
    assert_eq!((requests.len(), connections), (0, 2));
}

#[test]
fn a_missing_client_certificate_is_reported_after_the_server_closes() {
    let authority = Authority::new();
    let identity = authority.issue(&["localhost"]);
    // Repeated, as the client may or may not have sent the request by then.
    for _ in 0..5 {
        let server = TlsServer::closing_without_certificate(&identity, &Authority::new());
        let outcome = trusting(&authority.pem, &server.url("localhost")).run();
        outcome.code(6).stdout("").stderr_contains(
            "the server requires a client certificate, or rejected this one \
             (CertificateRequired)\n",
        );
        server.finish();
    }
}

#[test]
fn bytes_after_a_response_are_not_read_as_the_next_response() {
    let authority = Authority::new();
    let response = |status: &str, more: usize| {
        let json =
            format!(r#"{{"id":"video_1","status":"{status}","more":"{}"}}"#, "x".repeat(more));
        let head = "HTTP/1.1 200 OK\r\nopenai-poll-after-ms: 100\r\n";
        format!("{head}Content-Length: {}\r\n\r\n{json}", json.len())
    };
    // Longer than the client decrypts at once.
    let stale = response("queued", 0) + "\0" + &response("failed", 10_000);
    let server = TlsServer::keeping_open(&authority.issue(&["localhost"]), &stale);
    trusting(&authority.pem, &server.url("localhost"))
        .args(&["--wait", "--wait-timeout", "1s", "-q"])
        .run()
        .code(8);
    server.finish();
}

#[test]
fn a_download_over_tls_ends_at_its_content_length_or_is_reported_as_truncated() {
    let authority = Authority::new();
    let identity = authority.issue(&["localhost"]);
    // Several TLS records, of which the first also contains the head.
    let content = "video".repeat(12_000);
    let head = |length: usize| {
        format!("HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: {length}\r\n\r\n")
    };
    let download = |server: &TlsServer| {
        openai(&DOWNLOAD)
            .file("ca.pem", &authority.pem)
            .args(&["--cacert", "ca.pem", "--max-retries", "0"])
            .args(&["--base-url", &server.url("localhost")])
            .run()
    };

    let more = head(content.len()) + &content + "and more\0and more";
    let server = TlsServer::keeping_open(&identity, &more);
    let outcome = download(&server);
    outcome.code(0);
    let file = fs::read_to_string(outcome.directory.join("out.mp4")).unwrap();
    assert!(file == content, "{} bytes", file.len());
    server.finish();

    let cut = head(content.len() + 1) + &content;
    // Once it has read the request: closing with unread bytes would reset the connection.
    let server = TlsServer::closing_after(&identity, 1, &cut);
    download(&server).code(6).stderr_contains("the server closed the connection\n");
    server.finish();
}

#[test]
fn a_download_over_tls_is_the_same_in_records_of_any_size() {
    let authority = Authority::new();
    let identity = authority.issue(&["localhost"]);
    // More than is received, and more than is written, at once; a first byte that no text has.
    let content = (0..80_000).map(|number| format!("{number:06}\n")).collect::<String>();
    let length = content.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length";
    let response = format!("{head}: {length}\r\n\r\n\x01{}", &content[1..]);
    for (size, tls12) in [(100, false), (1000, true), (16_384, false)] {
        let server = TlsServer::in_records_of(size, tls12, &identity, &response);
        let outcome = openai(&DOWNLOAD)
            .file("ca.pem", &authority.pem)
            .args(&["--cacert", "ca.pem", "--max-retries", "0"])
            .args(&["--base-url", &server.url("localhost")])
            .run();
        outcome.code(0);
        let file = fs::read(outcome.directory.join("out.mp4")).unwrap();
        assert!(file[1..] == content.as_bytes()[1..], "{} bytes of {length}", file.len());
        server.finish();
    }
}

/// The order in which AES and ChaCha20 are offered for TLS 1.3, in the first bytes of a client.
fn offered_suites(hello: &[u8]) -> Vec<u16> {
    // The record's header, the message's header, the version, the random bytes.
    let session = 5 + 4 + 2 + 32;
    let suites = &hello[session + 1 + usize::from(hello[session])..];
    let length = usize::from(u16::from_be_bytes([suites[0], suites[1]]));
    let suites = suites[2..][..length].chunks(2).map(|it| u16::from_be_bytes([it[0], it[1]]));
    suites.filter(|suite| (0x1301..=0x1303).contains(suite)).collect()
}

#[test]
#[allow(clippy::disallowed_methods)] // the environment of the tests
fn the_cipher_that_suits_the_processor_is_offered_first() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let thread = thread::spawn(move || {
        let mut hello = [0; 4096];
        let count = listener.accept().unwrap().0.read(&mut hello).unwrap();
        offered_suites(&hello[..count])
    });
    extend().args(&["--base-url", &format!("https://{host}/v1")]).run().code(6);
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap();
    let has = |name| cpu.split_whitespace().any(|word| word == name);
    // Under qemu it is not the processor of this machine: of those, aarch64 has AES instructions.
    let emulated = std::env::var("OPENAI_EMULATED_TARGET").ok();
    let has_aes = match (emulated, std::env::consts::ARCH) {
        (Some(target), _) => target.starts_with("aarch64"),
        (None, "x86" | "x86_64") => has("aes") && has("pclmulqdq"),
        (None, "aarch64") => has("aes") && has("pmull"),
        _ => false,
    };
    let (aes_128, aes_256, chacha20) = (0x1301, 0x1302, 0x1303);
    let expected =
        if has_aes { [aes_128, aes_256, chacha20] } else { [chacha20, aes_256, aes_128] };
    assert_eq!(thread.join().unwrap(), expected);
}

#[test]
fn an_invalid_client_certificate_is_refused_before_the_request() {
    let authority = Authority::new();
    let (own, other) = (authority.issue(&["a"]), authority.issue(&["b"]));
    let certificate = "--mtls-client-cert-file";
    let key = "--mtls-client-key-file";
    let (lone_certificate, lone_key) = (
        format!("openai: {certificate} needs {key}\n"),
        format!("openai: {key} needs {certificate}\n"),
    );
    let call = || {
        extend()
            .file("own.pem", &own.certificate)
            .file("own.key", &own.key)
            .file("other.key", &other.key)
            .file("locked.key", own.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"))
            .file("junk.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    };
    call().args(&[certificate, "own.pem"]).run().is(2, "", &lone_certificate);
    call().args(&[key, "own.key"]).run().is(2, "", &lone_key);
    call().env("OPENAI_MTLS_CLIENT_KEY_FILE", "own.key").run().is(
        2,
        "",
        &format!("openai: OPENAI_MTLS_CLIENT_KEY_FILE needs {certificate}\n"),
    );
    let key_hint = "hint: the key must be in PEM, RSA, ECDSA or Ed25519, and not encrypted\n";
    let certificate_hint = "hint: a certificate in PEM starts with -----BEGIN CERTIFICATE-----\n";
    for (first, second, reason) in [
        ("own.pem", "other.key", "the key belongs to another certificate\n".to_owned()),
        (
            "own.pem",
            "locked.key",
            format!("the key file: there is no private key in it\n{key_hint}"),
        ),
        ("own.pem", "own.pem", format!("the key file: there is no private key in it\n{key_hint}")),
        (
            "own.pem",
            "junk.key",
            format!("the key file: its private key cannot be used\n{key_hint}"),
        ),
        (
            "own.key",
            "own.key",
            format!("the certificate file: there is no certificate in it\n{certificate_hint}"),
        ),
    ] {
        call()
            .args(&[certificate, first, key, second])
            .run()
            .is(2, "", &format!("openai: {certificate} '{first}' and {key} '{second}': {reason}"))
            .never_shows(own.key.lines().nth(1).unwrap());
    }
}

#[test]
fn failed_tls_handshakes_are_reported_with_their_cause() {
    let closes = |response: &'static [u8]| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let thread = thread::spawn(move || {
            use std::io::Write;
            let (mut stream, _) = listener.accept().unwrap();
            let mut hello = [0; 4096];
            let _ = stream.read(&mut hello);
            stream.write_all(response).unwrap();
        });
        (host, thread)
    };
    for (response, reason) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            "the server does not speak TLS on this port\n\
             hint: write http:// in --base-url if the server speaks plain HTTP\n",
        ),
        (b"", "the connection was closed during the handshake\n"),
        // A fatal alert: handshake_failure.
        (
            b"\x15\x03\x03\x00\x02\x02\x28",
            "the server refused the TLS handshake (HandshakeFailure)\n",
        ),
    ] {
        let (host, thread) = closes(response);
        extend().args(&["--base-url", &format!("https://{host}/v1")]).run().is(
            6,
            "",
            &format!("openai: no connection to {host}: {reason}"),
        );
        thread.join().unwrap();
    }
}
