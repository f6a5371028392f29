//! Media that a completed job names by URL, for servers without `/videos/{id}/content`.

use std::fs;

use crate::support::{
    Authority, DOWNLOAD, EXTEND, Openai, Outcome, Reply, Request, Server, TempDir, TlsServer, job,
    media, openai,
};

/// An extension with a key and the other headers that another host must not get.
fn extend() -> Openai {
    openai(&EXTEND)
        .args(&["-o", "out.mp4", "--api-key", "sk-topsecret", "--header", "X-Gateway: topsecret"])
        .args(&["--organization", "org-1", "--project", "project-1"])
}

fn content() -> Reply {
    Reply::status(200).header("Content-Type", "video/mp4").header("ETag", "\"a\"").body(media())
}

fn rest(from: usize) -> Reply {
    let range = format!("bytes {from}-{}/{}", media().len() - 1, media().len());
    Reply::status(206)
        .header("Content-Range", &range)
        .header("ETag", "\"a\"")
        .body(&media()[from..])
}

/// A completed job with this member.
fn job_with(member: &str) -> Reply {
    Reply::json(200, &format!(r#"{{"id":"video_1","status":"completed",{member}}}"#))
}

/// A completed job with the URL of `path` at another server, as xAI names it.
fn job_at(store: &Server, path: &str) -> Reply {
    job_with(&format!(r#""video":{{"url":"http://127.0.0.1:{}{path}"}}"#, store.port()))
}

fn missing() -> Reply {
    Reply::json(404, r#"{"error":"no such route"}"#)
}

fn forbidden() -> Reply {
    Reply::status(403).body("<Error>expired</Error>")
}

fn targets(requests: &[Request]) -> Vec<&str> {
    requests.iter().map(|request| request.target.as_str()).collect()
}

#[track_caller]
fn has_media(outcome: &Outcome) {
    outcome.code(0);
    assert!(fs::read(outcome.directory.join("out.mp4")).unwrap() == media());
}

#[test]
fn a_video_without_content_is_downloaded_from_the_url_in_the_job() {
    let page = Reply::status(200).header("Content-Type", "text/html").body("<html>");
    for content_reply in [
        missing(),
        Reply::json(405, "{}"),
        Reply::json(410, "{}"),
        Reply::json(501, "{}"),
        Reply::json(200, "{}"),
        Reply::status(204),
        page,
    ] {
        let store = Server::script(vec![content()]);
        let server = Server::script(vec![job_at(&store, "/v.mp4?sig=1"), content_reply]);
        let outcome = extend().arg("--debug").server(&server).run();
        has_media(&outcome);
        outcome.never_shows("topsecret");
        assert!(!outcome.stderr_text().contains("sig=1"), "{outcome:?}");
        assert_eq!(server.finish()[1].target, "/v1/videos/video_1/content");
        let request = store.finish().remove(0);
        assert_eq!(request.target, "/v.mp4?sig=1");
        assert_eq!(request.header("accept-encoding"), Some("identity"));
        let names = ["authorization", "openai-organization", "openai-project", "x-gateway"];
        for name in names {
            assert_eq!(request.header(name), None, "{name}");
        }
    }
}

#[test]
fn a_url_at_the_same_origin_gets_the_key() {
    for url in ["/files/v.mp4", "../files/v.mp4?x"] {
        let server =
            Server::script(vec![job_with(&format!(r#""url":"{url}""#)), missing(), content()]);
        has_media(&extend().server(&server).run());
        let requests = server.finish();
        assert_eq!(requests[2].header("authorization"), Some("Bearer sk-topsecret"));
        assert_eq!(requests[2].header("x-gateway"), Some("topsecret"));
    }
}

#[test]
fn download_content_retrieves_the_job_for_its_url() {
    let store = Server::script(vec![content()]);
    let server = Server::script(vec![missing(), job_at(&store, "/v.mp4")]);
    has_media(&openai(&DOWNLOAD).server(&server).run());
    assert_eq!(targets(&server.finish()), ["/v1/videos/video_1/content", "/v1/videos/video_1"]);
    store.finish();
}

#[test]
fn content_that_is_not_ready_is_downloaded_from_a_url_that_appears_in_the_job() {
    let store = Server::script(vec![content()]);
    let early = || missing().header("openai-poll-after-ms", "100");
    let server = Server::script(vec![
        job("completed"),
        early(),
        early(),
        Reply::json(500, "{}"),
        Reply::json(200, "{}"),
        Reply::json(200, "not JSON"),
    ]);
    extend().args(&["--max-retries", "0"]).server(&server).run().code(3);
    server.finish();
    let server = Server::script(vec![
        job("completed"),
        early(),
        early(),
        job("completed"),
        early(),
        job_at(&store, "/v.mp4"),
    ]);
    has_media(&extend().server(&server).run());
    server.finish();
    store.finish();
}

#[test]
fn a_download_of_a_job_that_does_not_exist_or_failed_ends_at_once() {
    let unknown = Reply::json(404, r#"{"error":"no such video"}"#);
    let server = Server::script(vec![missing(), unknown]);
    let outcome = openai(&DOWNLOAD).server(&server).run();
    outcome.code(3).stderr_contains("openai: the server responded with HTTP 404: no such video\n");
    server.finish();
    let server = Server::script(vec![missing(), job("failed")]);
    openai(&DOWNLOAD).server(&server).run().code(1);
    server.finish();
}

#[test]
fn an_interrupted_download_from_a_url_resumes() {
    let store = Server::script(vec![content().truncated(300_000), rest(300_000)]);
    let server = Server::script(vec![job_at(&store, "/v.mp4"), missing()]);
    has_media(&extend().server(&server).run());
    server.finish();
    assert_eq!(store.finish()[1].header("range"), Some("bytes=300000-"));
}

#[test]
fn an_expired_url_is_renewed_and_the_download_resumes() {
    for status in [401, 403, 404, 410] {
        let expired = Reply::status(status).body("<Error>expired</Error>");
        let store = Server::script(vec![content().truncated(300_000), expired, rest(300_000)]);
        let server = Server::script(vec![
            job_at(&store, "/v.mp4?sig=1"),
            missing(),
            job_at(&store, "/v.mp4?sig=2"),
        ]);
        has_media(&extend().server(&server).run());
        assert_eq!(server.finish()[2].target, "/v1/videos/video_1");
        let requests = store.finish();
        assert_eq!(targets(&requests), ["/v.mp4?sig=1", "/v.mp4?sig=1", "/v.mp4?sig=2"]);
        assert_eq!(requests[2].header("range"), Some("bytes=300000-"));
    }
}

#[test]
fn a_url_that_is_refused_for_good_ends_with_code_5_and_keeps_the_state() {
    let directory = TempDir::new();
    let store = Server::script(vec![forbidden(), forbidden(), forbidden()]);
    let host = format!("127.0.0.1:{}", store.port());
    let server = Server::script(vec![
        job_at(&store, "/v.mp4?sig=1"),
        missing(),
        job_at(&store, "/v.mp4?sig=2"),
        job_at(&store, "/v.mp4?sig=2"),
        missing(),
        job_at(&store, "/v.mp4?sig=2"),
    ]);
    let url = server.base_url();
    let call = || extend().args(&["--state", "job"]).server(&server).current_dir(directory.path());
    call().run().code(5).stderr(&format!(
        "openai: cannot download the media from '{host}': HTTP 403\n\
         hint: try again later with: openai videos download-content --output FILE --base-url \
         '{url}' -- 'video_1'\n"
    ));
    let state = fs::read_to_string(directory.path().join("job")).unwrap();
    assert!(state.contains(r#""id":"video_1""#), "{state}");
    // The URL stays the same, so it is not requested again.
    call().run().code(5);
    server.finish();
    store.finish();
}

#[test]
fn an_unavailable_media_host_is_retried_and_ends_with_code_5() {
    let down = || Reply::status(503).header("Retry-After", "0");
    let store = Server::script(vec![down(), content(), down(), down()]);
    let server = Server::script(vec![job_at(&store, "/v.mp4"), missing()]);
    has_media(&extend().server(&server).run());
    server.finish();
    let server = Server::script(vec![job_at(&store, "/v.mp4"), missing()]);
    let outcome = extend().args(&["--max-retries", "1"]).server(&server).run();
    outcome.code(5).stderr_contains(&format!(
        "openai: cannot download the media from '127.0.0.1:{}': HTTP 503\n",
        store.port()
    ));
    server.finish();
    store.finish();
}

#[test]
fn a_url_is_not_downloaded_for_another_variant() {
    let store = Server::script(vec![]);
    let server = Server::script(vec![job_at(&store, "/v.mp4"), Reply::json(405, "{}")]);
    let outcome = extend().args(&["--variant", "thumbnail"]).server(&server).run();
    outcome.code(3).stderr_contains("HTTP 405");
    server.finish();
    store.finish();
}

#[test]
fn a_url_that_the_request_sent_is_not_downloaded() {
    let source = Server::script(vec![]);
    let url = format!("http://127.0.0.1:{}/a.mp4", source.port());
    let echo = || job_with(&format!(r#""video":{{"url":"{url}"}}"#));
    let directory = TempDir::new();
    let call = || {
        openai(&["videos", "extend", "--prompt", "x", "--seconds", "4", "-o", "out.mp4", "-q"])
            .args(&["--state", "job", "--video", &format!("{{url: \"{url}\"}}")])
            .current_dir(directory.path())
    };
    let none = || Reply::json(405, "{}");
    let server = Server::script(vec![echo(), none(), echo(), none()]);
    for _ in 0..2 {
        // The second run resumes the job of the first.
        call().server(&server).run().code(3).stderr_contains("HTTP 405");
    }
    server.finish();
    source.finish();
}

#[test]
fn urls_of_other_schemes_are_refused() {
    let server = Server::script(vec![job_with(r#""url":"file:///etc/passwd?x""#), missing()]);
    let outcome = extend().arg("-q").server(&server).run();
    outcome.code(3).stderr_contains(
        "openai: the job names its media by 'file:///etc/passwd', \
         which is not a usable http or https URL\n",
    );
    assert!(!outcome.directory.join("out.mp4").exists());
    server.finish();
}

#[test]
fn a_plain_http_url_from_an_https_server_needs_allow_http() {
    let authority = Authority::new();
    let identity = authority.issue(&["localhost"]);
    let store = Server::script(vec![content()]);
    let url = format!("http://127.0.0.1:{}/v.mp4", store.port());
    let json = format!(r#"{{"id":"video_1","status":"completed","url":"{url}?sig=1"}}"#);
    let run = |more: &[&str]| {
        let server = TlsServer::new(&identity, &json);
        let outcome = extend()
            .file("ca.pem", &authority.pem)
            .args(&["--cacert", "ca.pem", "--base-url", &server.url("localhost")])
            .args(more)
            .run();
        server.finish();
        outcome
    };
    run(&[]).code(3).stderr_contains(&format!(
        "openai: the job names its media by '{url}', and an https server may not refer to \
         plain http\nhint: pass --allow-http to download it all the same\n"
    ));
    has_media(&run(&["--allow-http"]));
    store.finish();
}
