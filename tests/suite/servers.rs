//! Existing servers: the whole job against a stand-in for each of them, and single responses in
//! which they differ from OpenAI's.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::videos_api::dialects::Dialect;
use crate::support::videos_api::imitation::PRIVATE;
use crate::support::{CLIP, Openai, Outcome, Reply, Request, Server, TempDir, openai, program};

const KEY: &str = "sk-secret-of-the-test";
/// The requests that most conversations have in common. `ID` is the id of the job.
const EXTENSION: &str = "POST /v1/videos/extensions";
const POLL: &str = "GET /v1/videos/ID";
const CONTENT: &str = "GET /v1/videos/ID/content";

/// A whole job, from the command to the file.
struct Conversation<'a> {
    /// The name of the server.
    server: &'a str,
    /// The command and its arguments, but for those of [`run`].
    command: &'a [&'a str],
    /// The requests to the server.
    requests: &'a [&'a str],
    /// The body of the POST, as JSON. Empty if there is no POST.
    body: &'a str,
    /// The requests to the host of the media, which is another origin.
    media: &'a [&'a str],
}

/// A command with a download to `out.mp4`, a key, and other headers that only the server may get.
fn run(server: &Server, base: &str, command: &[&str]) -> Openai {
    let base_url = server.origin() + base;
    openai(&["videos"])
        .args(command)
        .args(&["--base-url", &base_url, "--api-key", KEY, "--poll-interval", "10ms"])
        .args(&["--organization", "org-1", "--project", "proj-1", "--header", "X-User: user-1"])
        .args(&["-o", "out.mp4"])
        .file("clip.mp4", CLIP)
}

/// `METHOD TARGET` of each request, with `ID` for the id.
fn lines(requests: &[Request], id: &str) -> Vec<String> {
    let id = id.replace('=', "%3D");
    let line = |it: &Request| format!("{} {}", it.method, it.target.replace(&id, "ID"));
    requests.iter().map(line).collect()
}

impl Conversation<'_> {
    /// Checks the requests, standard output, the exit code and the file. Returns the outcome, the
    /// requests to the server, and the id of the job.
    #[track_caller]
    fn check(&self) -> (Outcome, Vec<Request>, String) {
        let dialect = Dialect::named(self.server).expect("a known server");
        let (server, host) = Server::like(self.server, Some(KEY), 0);
        let outcome = run(&server, dialect.bases[0], self.command).run();
        let id = dialect.id.replace("{n}", "1");
        let last = dialect.responses.last().expect("a response");
        let media_url = format!("{}/1.mp4?signature=1", host.origin());
        let job = Dialect::fill(last, &id, &media_url);
        let (requests, media) = (server.finish(), host.finish());
        is_complete(&outcome);
        assert_eq!(printed(&outcome), serde_json::from_str::<Value>(&job).unwrap(), "{outcome:?}");
        assert_eq!(lines(&requests, &id), self.requests, "{outcome:?}");
        assert_eq!(lines(&media, &id), self.media, "{outcome:?}");
        for request in &requests {
            has_private_headers(request);
        }
        if !self.body.is_empty() {
            assert_eq!(requests[0].text(), self.body);
            assert_eq!(requests[0].header("content-type"), Some("application/json"));
            assert!(requests[0].header("idempotency-key").is_some_and(|key| key.len() >= 16));
        }
        has_no_private_headers(&media);
        (outcome, requests, id)
    }

    /// Checks that standard error has the id of the job, and nothing else.
    #[track_caller]
    fn is_quiet(&self) {
        let (outcome, _, id) = self.check();
        if self.body.is_empty() {
            outcome.stderr("");
        } else {
            outcome.stderr(&format!("openai: job {id}\n"));
        }
    }
}

#[track_caller]
fn is_complete(outcome: &Outcome) {
    outcome.code(0).never_shows(KEY);
    assert_eq!(fs::read(outcome.directory.join("out.mp4")).unwrap(), CLIP, "{outcome:?}");
}

fn printed(outcome: &Outcome) -> Value {
    serde_json::from_slice(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome:?}"))
}

#[track_caller]
fn has_private_headers(request: &Request) {
    let bearer = format!("Bearer {KEY}");
    let values = [bearer.as_str(), "org-1", "proj-1", "user-1"];
    for (name, value) in PRIVATE.iter().zip(values) {
        assert_eq!(request.header(name), Some(value), "{request}");
    }
}

#[track_caller]
fn has_no_private_headers(requests: &[Request]) {
    for request in requests {
        for name in PRIVATE {
            assert_eq!(request.header(name), None, "{request}");
        }
        assert!(!request.to_string().contains(KEY), "{request}");
    }
}

/// `extend` with the fields that xAI wants.
const fn extend(video: &str) -> [&str; 9] {
    [
        "extend",
        "--prompt",
        "x",
        "--field",
        "model=grok-imagine-video",
        "--field",
        "duration:=6",
        "--video",
        video,
    ]
}
const EXTEND_BY_URL: &[&str] = &extend("{url: https://example.com/a.mp4}");
/// The conversation with a server that has `/content`.
const BY_URL: Conversation<'_> = Conversation {
    server: "",
    command: EXTEND_BY_URL,
    requests: &[EXTENSION, POLL, POLL, CONTENT],
    body: concat!(
        r#"{"prompt":"x","model":"grok-imagine-video","duration":6,"#,
        r#""video":{"url":"https://example.com/a.mp4"}}"#
    ),
    media: &[],
};
/// The requests to the host of the media that most conversations have.
const MEDIA: &[&str] = &["GET /1.mp4?signature=1"];

#[test]
fn extend_works_with_xai() {
    for server in ["xai", "cliproxyapi"] {
        Conversation { server, media: MEDIA, ..BY_URL }.is_quiet();
    }
}

#[test]
fn a_plain_url_is_sent_as_an_object() {
    let mut command = EXTEND_BY_URL.to_vec();
    *command.last_mut().unwrap() = "https://example.com/a.mp4";
    Conversation { server: "xai", command: &command, media: MEDIA, ..BY_URL }.is_quiet();
}

#[test]
fn an_expired_url_of_xai_is_replaced_by_retrieving_the_job_again() {
    let (server, host) = Server::like("xai", Some(KEY), 1);
    let outcome = run(&server, "/v1", EXTEND_BY_URL).run();
    is_complete(&outcome);
    let id = "d97415a1-5796-b7ec-379f-1";
    let requests = server.finish();
    assert_eq!(lines(&requests, id), [EXTENSION, POLL, POLL, CONTENT, POLL], "{outcome:?}");
    let media = host.finish();
    assert_eq!(lines(&media, id), ["GET /1.mp4?signature=1", "GET /1.mp4?signature=2"]);
    has_no_private_headers(&media);
}

#[test]
fn download_content_fetches_the_media_of_an_xai_job() {
    let (server, host) = Server::like("xai", Some(KEY), 0);
    let created = run(&server, "/v1", EXTEND_BY_URL).arg("--state").arg("job").run();
    is_complete(&created);
    let id = "d97415a1-5796-b7ec-379f-1";
    let outcome = run(&server, "/v1", &["download-content", id]).run();
    is_complete(&outcome);
    outcome.stderr("");
    let requests = server.finish();
    assert_eq!(lines(&requests[4..], id), [CONTENT, POLL], "{outcome:?}");
    has_no_private_headers(&host.finish());
}

#[test]
fn a_request_that_xai_refuses_ends_with_code_3_with_its_reason() {
    let (server, host) = Server::like("xai", None, 0);
    let command = &["extend", "--prompt", "x", "--field", "duration:=60", "--video", "{url: ftp:}"];
    let outcome = run(&server, "/v1", command).run();
    outcome
        .code(3)
        .stdout("")
        .stderr_contains("HTTP 400: ")
        .stderr_contains("/model must be one of");
    assert_eq!(server.finish().len(), 1);
    assert_eq!(host.finish().len(), 0);
}

#[test]
fn xai_has_no_list_and_no_delete() {
    let (server, host) = Server::like("xai", None, 0);
    let outcome =
        openai(&["videos", "delete", "r"]).args(&["--base-url", &server.base_url()]).run();
    outcome.code(3).stdout("").stderr_contains("HTTP 404: not found");
    assert_eq!(lines(&server.finish(), "r"), ["DELETE /v1/videos/ID"]);
    assert_eq!(host.finish().len(), 0);
}

/// A job that ended without media.
#[test]
fn an_expired_or_failed_job_of_xai_ends_with_code_1() {
    for word in ["expired", "failed"] {
        let replies = vec![
            Reply::json(200, r#"{"request_id":"r-1"}"#),
            Reply::json(200, r#"{"status":"pending"}"#),
            Reply::json(200, &format!(r#"{{"status":"{word}"}}"#)),
        ];
        let server = Server::script(replies);
        let outcome = run(&server, "/v1", EXTEND_BY_URL).run();
        outcome.code(1).stderr_contains(&format!("the job 'r-1' ended as {word}"));
        assert_eq!(lines(&server.finish(), "r-1"), [EXTENSION, POLL, POLL]);
    }
}

#[test]
fn extend_works_with_grok2api() {
    Conversation { server: "grok2api", ..BY_URL }.is_quiet();
}

/// sub2api and its forks: the id is `task_id`.
#[test]
fn extend_works_with_sub2api() {
    let command =
        &["extend", "--prompt", "x", "--seconds", "4", "--video", "v", "--field", "model=m"];
    let body = r#"{"prompt":"x","model":"m","seconds":"4","video":{"id":"v"}}"#;
    let media = MEDIA;
    let requests = &[EXTENSION, POLL, POLL, CONTENT];
    Conversation { server: "sub2api", command, requests, body, media }.is_quiet();
    let requests = &[EXTENSION, POLL, CONTENT];
    Conversation { server: "sub2api-metadata", command, requests, body, media }.is_quiet();
}

#[test]
fn sub2api_requires_a_model_and_works_without_v1() {
    let command = &["extend", "--prompt", "x", "--seconds", "4", "--video", "v"];
    let (server, host) = Server::like("sub2api", Some(KEY), 0);
    run(&server, "", command).run().code(3).stderr_contains("HTTP 400: /model must be a string");
    let outcome = run(&server, "", command).args(&["--field", "model=m"]).run();
    is_complete(&outcome);
    let requests = server.finish();
    assert_eq!(lines(&requests[1..2], "task_1"), ["POST /videos/extensions"]);
    has_no_private_headers(&host.finish());
}

/// LiteLLM replaces ids by opaque ones, which may end in `=`. A job has no prompt, and has a usage.
#[test]
fn extend_works_with_litellm() {
    let (outcome, _, id) = Conversation {
        server: "litellm",
        command: &["extend", "--prompt", "x", "--seconds", "4", "--video", "video_bGl0=="],
        requests: &[EXTENSION, POLL, POLL, CONTENT],
        body: r#"{"prompt":"x","seconds":"4","video":{"id":"video_bGl0=="}}"#,
        media: &[],
    }
    .check();
    assert!(id.ends_with("=="), "{id}");
    outcome.stdout_contains("\"duration_seconds\": 4.0").stderr_contains("'dispatched'");
}

#[test]
fn litellm_accepts_an_upload() {
    let (server, host) = Server::like("litellm", Some(KEY), 0);
    let command = &["extend", "--prompt", "x", "--seconds", "4", "--video", "@clip.mp4"];
    is_complete(&run(&server, "/v1", command).run());
    let requests = server.finish();
    assert_eq!((requests[0].part("prompt").text(), requests[0].part("seconds").text()), ("x", "4"));
    let file = requests[0].part("video");
    assert_eq!(
        (file.filename.as_deref(), file.content_type()),
        (Some("clip.mp4"), Some("video/mp4"))
    );
    assert_eq!(file.body, CLIP);
    host.finish();
}

#[test]
fn a_wrong_key_for_litellm_is_a_400_with_its_reason() {
    let (server, host) = Server::like("litellm", Some("sk-another"), 0);
    let command = &["extend", "--prompt", "x", "--seconds", "4", "--video", "v"];
    let outcome = run(&server, "/v1", command).run();
    outcome.code(3).stdout("").stderr_contains(
        "HTTP 400: Incorrect API key provided. (type: None, code: 400, param: None)",
    );
    assert_eq!(server.finish().len(), 1);
    host.finish();
}

/// LiteLLM in front of xAI: the id in a poll may be a file name or `unknown`, and progress may be
/// null.
#[test]
fn extend_works_with_litellm_in_front_of_xai() {
    Conversation { server: "litellm-xai", ..BY_URL }.is_quiet();
}

/// Steady responds with random values of the types in the API reference, and accepts a JSON body
/// as well as a form.
#[test]
fn extend_works_with_steady() {
    let command = &["extend", "--prompt", "x", "--seconds", "4", "--video", "v"];
    Conversation {
        server: "steady",
        command,
        requests: &[EXTENSION, POLL, CONTENT],
        body: r#"{"prompt":"x","seconds":"4","video":{"id":"v"}}"#,
        media: &[],
    }
    .is_quiet();
    let (server, host) = Server::like("steady", Some(KEY), 0);
    is_complete(&run(&server, "/v1", command).args(&["--encoding", "multipart"]).run());
    assert_eq!(server.finish()[0].part("video[id]").text(), "v");
    host.finish();
}

/// Relays that wrap the job in a list, name the source `video_id`, and write seconds with a
/// fraction.
#[test]
fn extend_works_with_a_relay_that_wraps_the_job_in_a_list() {
    let (outcome, ..) = Conversation {
        server: "relay",
        command: &[
            "extend",
            "--prompt",
            "x",
            "--field",
            "video_id=v0",
            "--field",
            "model=m",
            "--field",
            "duration:=5",
        ],
        requests: &[EXTENSION, POLL, POLL, CONTENT],
        body: r#"{"prompt":"x","video_id":"v0","model":"m","duration":5}"#,
        media: MEDIA,
    }
    .check();
    outcome.stdout_contains("\"seconds\": \"5.04\"");
}

#[test]
fn extend_works_with_the_openai_api() {
    let (server, host) = Server::like("openai", Some(KEY), 0);
    let command = &["extend", "--prompt", "x", "--seconds", "4", "--video", "video_123"];
    let outcome = run(&server, "/v1", command).run();
    is_complete(&outcome);
    outcome.stderr("openai: job video_1\n");
    let job = printed(&outcome);
    for (name, value) in [
        ("id", "video_1"),
        ("object", "video"),
        ("status", "completed"),
        ("prompt", "x"),
        ("seconds", "8"),
        ("remixed_from_video_id", "video_123"),
    ] {
        assert_eq!(job[name], value, "{outcome:?}");
    }
    let requests = server.finish();
    assert_eq!(lines(&requests, "video_1"), [EXTENSION, POLL, POLL, POLL, CONTENT]);
    assert_eq!(requests[0].text(), r#"{"prompt":"x","seconds":"4","video":{"id":"video_123"}}"#);
    requests.iter().for_each(has_private_headers);
    host.finish();
}

/// Servers without an extension endpoint: `retrieve` waits for a job and downloads it.
#[track_caller]
fn retrieves(server: &str, requests: &[&str], media: &[&str]) -> Outcome {
    let id = Dialect::named(server).expect("a known server").id.replace("{n}", "1");
    let command = &["retrieve", &id, "--wait"];
    Conversation { server, command, requests, body: "", media }.check().0
}

/// SGLang: seconds are an integer, the size is empty, and 404 means that the content is not ready.
#[test]
fn retrieve_works_with_sglang() {
    retrieves("sglang", &[POLL, POLL, CONTENT, CONTENT], &[])
        .stderr_contains("Generation is still in-progress");
}

#[test]
fn the_errors_of_sglang_are_shown() {
    let (server, host) = Server::like("sglang", None, 0);
    let command = &["extend", "--prompt", "x", "--seconds", "4", "--video", "v"];
    let outcome = run(&server, "/v1", command).run();
    outcome.code(3).stdout("").stderr_contains("HTTP 405: Method Not Allowed");
    assert_eq!(server.finish().len(), 1);
    host.finish();
    let refusal =
        Reply::json(422, r#"{"detail":[{"loc":["body","seconds"],"msg":"field required"}]}"#);
    let server = Server::script(vec![refusal]);
    run(&server, "/v1", command)
        .run()
        .code(3)
        .stderr_contains(r#"HTTP 422: [{"loc":["body","seconds"],"msg":"field required"}]"#);
    server.finish();
}

/// vLLM-Omni: there are more numbers, with fractions.
#[test]
fn retrieve_works_with_vllm_omni() {
    retrieves("vllm-omni", &[POLL, POLL, POLL, CONTENT], &[]).stderr("");
}

/// The code of an error is an integer or a string.
#[test]
fn a_failed_job_of_vllm_omni_ends_with_code_1() {
    for code in ["500", "\"500\""] {
        let error = format!(r#"{{"code":{code},"message":"out of memory"}}"#);
        let job = format!(r#"{{"id":"v","status":"failed","progress":12.5,"error":{error}}}"#);
        let server = Server::script(vec![Reply::json(200, &job)]);
        run(&server, "/v1", &["retrieve", "v", "--wait"])
            .run()
            .code(1)
            .stderr_contains("the job 'v' ended as failed: out of memory (code: 500)");
        server.finish();
    }
}

/// new-api and its forks: there is a `task_id` beside the id, status words differ, and 400 with the
/// code `video_not_ready` means that the content is not ready.
#[test]
fn retrieve_works_with_new_api() {
    retrieves("new-api", &[POLL, POLL, POLL, POLL, CONTENT, CONTENT], &[])
        .stderr_contains("not ready (code: video_not_ready)");
    let media = MEDIA;
    retrieves("new-api-metadata", &[POLL, POLL, CONTENT], media).stderr("");
    let failure = Reply::json(200, r#"{"task_id":"task_1","status":"FAILURE","error":"no"}"#);
    let server = Server::script(vec![failure]);
    run(&server, "/v1", &["retrieve", "task_1", "--wait"]).run().code(1);
    server.finish();
}

/// OpenRouter: the base URL ends in `/api/v1`, and the job names its media by URLs beside
/// `/content`.
#[test]
fn retrieve_works_with_openrouter() {
    let requests = &[
        "GET /api/v1/videos/ID",
        "GET /api/v1/videos/ID",
        "GET /api/v1/videos/ID",
        "GET /api/v1/videos/ID/content",
    ];
    retrieves("openrouter", requests, &[]).stderr("");
    for word in ["cancelled", "expired"] {
        let job = format!(r#"{{"id":"gen-1","status":"{word}"}}"#);
        let server = Server::script(vec![Reply::json(200, &job)]);
        run(&server, "/api/v1", &["retrieve", "gen-1", "--wait"])
            .run()
            .code(1)
            .stderr_contains(&format!("the job 'gen-1' ended as {word}"));
        server.finish();
    }
}

#[test]
fn retrieve_works_with_together() {
    retrieves("together", &[POLL, POLL, CONTENT], MEDIA).stderr("");
}

/// A mock of xAI on npm: every job is completed at once, and unknown routes are 404.
#[test]
fn extend_works_with_a_mock_of_xai() {
    retrieves("xai-mock", &[POLL, CONTENT], MEDIA).stderr("");
    let (server, host) = Server::like("xai-mock", None, 0);
    let outcome = run(&server, "/v1", EXTEND_BY_URL).run();
    outcome.code(3).stdout("").stderr_contains("HTTP 404: Not found");
    assert_eq!(server.finish().len(), 1);
    host.finish();
}

/// The file as a `data:` URL (RFC 2397).
fn data_url() -> String {
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, CLIP);
    format!("data:video/mp4;base64,{encoded}")
}

/// xAI and its relays respond to a form with 415. The second body has its own idempotency key.
#[test]
fn an_upload_to_xai_is_sent_again_as_a_data_url() {
    for server in ["xai", "grok2api"] {
        let (server, host) = Server::like(server, Some(KEY), 0);
        let outcome = run(&server, "/v1", &extend("@clip.mp4")).run();
        is_complete(&outcome);
        let requests = server.finish();
        let id = "d97415a1-5796-b7ec-379f-1";
        assert_eq!(
            lines(&requests, id),
            [EXTENSION, EXTENSION, POLL, POLL, CONTENT],
            "{outcome:?}"
        );
        assert_eq!(requests[0].part("video").body, CLIP);
        let body = requests[1].json();
        assert_eq!(body["video"]["url"], data_url());
        assert_eq!((&body["prompt"], &body["duration"]), (&"x".into(), &6.into()));
        assert!(!requests[1].chunked, "{}", requests[1]);
        let key = |request: &Request| request.header("idempotency-key").unwrap().to_owned();
        assert_eq!(key(&requests[1]), key(&requests[0]) + "-2");
        has_no_private_headers(&host.finish());
    }
}

/// Servers without an extension endpoint create videos. Their first job is there from the start.
#[test]
fn servers_without_extensions_create_a_video() {
    let signed = "GET /2.mp4?signature=1";
    for (name, base, encoding, media) in [
        ("sglang", "/v1", "auto", None),
        ("vllm-omni", "/v1", "multipart", None),
        ("new-api", "/v1", "auto", None),
        ("new-api-metadata", "/v1", "auto", Some(signed)),
        ("openrouter", "/api/v1", "auto", None),
        ("together", "/v1", "auto", Some(signed)),
        ("xai-mock", "/v1", "auto", Some(signed)),
    ] {
        let (server, host) = Server::like(name, Some(KEY), 0);
        let command = &["create", "--prompt", "x", "--model", "m", "--seconds", "4"];
        is_complete(&run(&server, base, command).args(&["--encoding", encoding]).run());
        let requests = server.finish();
        assert_eq!(format!("POST {base}/videos"), lines(&requests, "-")[0]);
        for (field, value) in [("prompt", "x"), ("model", "m"), ("seconds", "4")] {
            if encoding == "auto" {
                assert_eq!(requests[0].json()[field], value, "{name}");
            } else {
                assert_eq!(requests[0].part(field).text(), value, "{name}");
            }
        }
        let fetched = host.finish();
        assert_eq!(lines(&fetched, "-"), media.as_slice(), "{name}");
        has_no_private_headers(&fetched);
    }
}

const README: &str = include_str!("../../README.md");

/// The calls in the README, with the stand-in's origin and key file in place of theirs.
#[test]
fn the_calls_for_servers_in_the_readme_work() {
    let (_, section) = README.split_once("\n## Servers\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let calls: Vec<(&str, &str)> = section.split("\n### ").skip(1).map(title_and_call).collect();
    let titles: Vec<&str> = calls.iter().map(|(title, _)| *title).collect();
    assert_eq!(titles, ["xAI", "CLIProxyAPI", "LiteLLM", "A server of your own"]);
    for ((_, call), name) in calls.into_iter().zip(["xai", "cliproxyapi", "litellm", "openai"]) {
        let (server, host) = Server::like(name, Some(KEY), 0);
        let home = TempDir::new();
        fs::write(home.path().join("clip.mp4"), CLIP).unwrap();
        fs::write(home.path().join("key"), KEY).unwrap();
        let line = with_base_url(call, &server.origin());
        let line = with_value(&line, "--api-key-file ", "key");
        let run = Command::new("/bin/sh")
            .args(["-c", &line])
            .env_clear()
            .env("PATH", program().parent().unwrap())
            .current_dir(home.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(run.status.success(), "{line}\n{run:?}");
        assert_eq!(fs::read(home.path().join("out.mp4")).unwrap(), CLIP, "{line}\n{run:?}");
        assert_eq!(server.finish()[0].target, "/v1/videos/extensions");
        has_no_private_headers(&host.finish());
    }
}

/// The heading of a subsection, and the text of its first code block.
fn title_and_call(subsection: &str) -> (&str, &str) {
    let (title, text) = subsection.split_once('\n').unwrap();
    let (_, block) = text.split_once("```sh\n").unwrap();
    (title, block.split_once("```").unwrap().0)
}

/// A command with another value of an option.
fn with_value(line: &str, option: &str, value: &str) -> String {
    let (before, after) = line.split_once(option).unwrap_or_else(|| panic!("{option}: {line}"));
    let end = after.find(char::is_whitespace).unwrap();
    format!("{before}{option}{value}{}", &after[end..])
}

/// A command with another origin of its base URL.
fn with_base_url(line: &str, origin: &str) -> String {
    let (_, url) = line.split_once("--base-url ").unwrap();
    let url = url.split_whitespace().next().unwrap();
    let path = url.splitn(4, '/').nth(3).unwrap();
    with_value(line, "--base-url ", &format!("{origin}/{path}"))
}
