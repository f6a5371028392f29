//! `openai videos extend`: the request for its arguments, and the output for a response.

use crate::support::{CLIP, EXTEND, Openai, Reply, Request, Server, TempDir, call, openai};
use serde_json::json;

/// All 13 fields of the API reference and a gateway's own field, not in alphabetical order.
const JOB: &str = concat!(
    r#"{"id":"video_456","object":"video","model":"sora-2","status":"queued","progress":0,"#,
    r#""created_at":1758941485,"completed_at":null,"expires_at":null,"#,
    r#""prompt":"x","size":"720x1280","seconds":"12","#,
    r#""remixed_from_video_id":"video_123","error":null,"usage":{"cost":0.50}}"#
);
const PRINTED: &str = r#"{
  "id": "video_456",
  "object": "video",
  "model": "sora-2",
  "status": "queued",
  "progress": 0,
  "created_at": 1758941485,
  "completed_at": null,
  "expires_at": null,
  "prompt": "x",
  "size": "720x1280",
  "seconds": "12",
  "remixed_from_video_id": "video_123",
  "error": null,
  "usage": {
    "cost": 0.50
  }
}
"#;
/// The arguments of a complete request, except for the video.
const NO_VIDEO: [&str; 6] = ["videos", "extend", "--prompt", "x", "--seconds", "4"];

/// Runs a command that must succeed, and returns the request.
fn sent(more: &[&str], prepare: impl FnOnce(Openai) -> Openai) -> Request {
    let server = Server::script(vec![Reply::json(200, JOB)]);
    prepare(openai(&NO_VIDEO).args(more).server(&server)).run().is(0, PRINTED, "");
    server.finish().remove(0)
}

/// Runs a command that must be refused before a request is sent.
fn refused(args: &[&str], stderr: &str) {
    let server = Server::script(vec![]);
    openai(args).server(&server).run().is(2, "", stderr);
    server.finish();
}

#[test]
fn the_example_in_the_api_reference_works_unchanged() {
    let server = Server::script(vec![Reply::json(200, JOB)]);
    openai(&[
        "videos",
        "extend",
        "--api-key",
        "My API Key",
        "--prompt",
        "x",
        "--seconds",
        "4",
        "--video",
        "Example data",
    ])
    .server(&server)
    .run()
    .is(0, PRINTED, "");
    let request = server.finish().remove(0);
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", "/v1/videos/extensions")
    );
    assert_eq!(request.text(), r#"{"prompt":"x","seconds":"4","video":{"id":"Example data"}}"#);
    assert_eq!(request.header("authorization"), Some("Bearer My API Key"));
    assert_eq!(request.header("accept"), Some("application/json"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(
        request.header("user-agent"),
        Some(concat!("openai-videos/", env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(request.header("idempotency-key").map(str::len), Some(32));
    assert_eq!(request.headers_named("content-length"), [request.body_len.to_string()]);
    assert_eq!(request.header("expect"), None);
}

#[test]
fn the_acceptance_test_of_the_official_cli_works() {
    let server = Server::script(vec![Reply::json(200, JOB)]);
    let url = server.base_url();
    let front = [
        "--base-url",
        &url,
        "--api-key",
        "string",
        "--admin-api-key",
        "string",
        "--webhook-secret=x",
    ];
    openai(&front).args(&NO_VIDEO).args(&["--video", "Example data"]).run().is(0, PRINTED, "");
    assert_eq!(server.finish()[0].header("authorization"), Some("Bearer string"));
}

#[test]
fn a_video_is_given_as_an_id_a_url_a_json_object_or_a_shorthand_object() {
    for (video, expected) in [
        ("video_123", json!({"id": "video_123"})),
        (r#"{"id": "video_123"}"#, json!({"id": "video_123"})),
        ("{id: video_123}", json!({"id": "video_123"})),
        ("{url: https://example.com/a.mp4}", json!({"url": "https://example.com/a.mp4"})),
        ("dmlkZW8=", json!({"id": "dmlkZW8="})),
        ("https://example.com/a.mp4?b=\"", json!({"url": "https://example.com/a.mp4?b=\""})),
        ("HTTP://127.0.0.1/a", json!({"url": "HTTP://127.0.0.1/a"})),
        ("data:video/mp4;base64,AAAA", json!({"url": "data:video/mp4;base64,AAAA"})),
        ("\\@clip.mp4", json!({"id": "@clip.mp4"})),
    ] {
        assert_eq!(sent(&["--video", video], |call| call).json()["video"], expected, "{video}");
    }
}

#[test]
fn a_file_is_uploaded_as_the_last_part_of_a_multipart_form() {
    for video in ["@file://clip.mp4", "@data://clip.mp4"] {
        let request = sent(&["--video", video], |call| call.file("clip.mp4", CLIP));
        assert_eq!(request.part("video").body, CLIP, "{video}");
    }
    let request = sent(&["--video", "@clip.mp4"], |call| call.file("clip.mp4", CLIP));
    let names: Vec<String> = request.parts().into_iter().map(|part| part.name).collect();
    assert_eq!(names, ["prompt", "seconds", "video"]);
    let file = request.part("video");
    assert_eq!(
        (file.filename.as_deref(), file.content_type()),
        (Some("clip.mp4"), Some("video/mp4"))
    );
    assert_eq!(file.body, CLIP);
    assert_eq!(request.part("prompt").text(), "x");
    assert!(request.whole && !request.chunked);
    assert_eq!(request.headers_named("content-length"), [request.body_len.to_string()]);
    assert_eq!(request.header("expect"), None);
}

#[test]
fn standard_input_is_uploaded_with_chunked_encoding() {
    let request = sent(&["--video", "@-"], |call| call.stdin(CLIP));
    assert!(request.chunked && request.whole);
    assert_eq!(request.header("content-length"), None);
    let file = request.part("video");
    assert_eq!(
        (file.filename.as_deref(), file.content_type()),
        (Some("video.mp4"), Some("video/mp4"))
    );
    assert_eq!(file.body, CLIP);
}

#[test]
fn standard_input_is_read_only_on_request() {
    let request = sent(&["--video", "video_123"], |call| call.stdin_held_open());
    assert!(request.whole);
}

#[test]
fn file_names_in_a_form_are_escaped_like_in_browsers() {
    let name = "a\"b\r\nX-Evil: 1.mp4";
    let request = sent(&["--video", &format!("@{name}")], |call| call.file(name, CLIP));
    let file = request.part("video");
    assert_eq!(file.filename.as_deref(), Some("a%22b%0D%0AX-Evil: 1.mp4"));
    assert_eq!(file.headers.len(), 2);
}

#[test]
fn prompts_come_from_arguments_files_and_standard_input() {
    let long = "é".repeat(32_000);
    for (prompt, expected) in [
        ("say \"hi\" 🎬\nin 'quotes'", "say \"hi\" 🎬\nin 'quotes'"),
        ("@prompt.txt", "two\nlines"),
        ("@file://prompt.txt", "two\nlines"),
        ("@-", "from a pipe"),
        ("@alice", "@alice"),
        ("@alice waves at @bob", "@alice waves at @bob"),
        ("@", "@"),
        ("\\@prompt.txt", "@prompt.txt"),
        ("--seconds", "--seconds"),
        (&long, &long),
    ] {
        let server = Server::script(vec![Reply::json(200, JOB)]);
        openai(&["videos", "extend", "--seconds", "4", "--video", "v", "--prompt", prompt])
            .file("prompt.txt", "two\nlines\n")
            .stdin("from a pipe\r\n")
            .server(&server)
            .run()
            .success();
        assert_eq!(server.finish()[0].json()["prompt"], expected);
    }
}

#[test]
fn options_and_fields_override_the_body() {
    let body = concat!(
        r#"{"model": "sora-2", "prompt": "@not-a-file.txt", "seconds": 4, "#,
        r#""video": {"id": "v"}, "big": 1.0}"#
    );
    let run = |args: &[&str], stdin: &str| {
        let server = Server::script(vec![Reply::json(200, JOB)]);
        openai(&["videos", "extend"])
            .args(args)
            .file("body.json", body)
            .stdin(stdin)
            .server(&server)
            .run()
            .success();
        server.finish().remove(0).text().to_owned()
    };
    let compacted =
        r#"{"model":"sora-2","prompt":"@not-a-file.txt","seconds":4,"video":{"id":"v"},"big":1.0}"#;
    assert_eq!(run(&["--body", "body.json"], ""), compacted);
    assert_eq!(run(&["--body", "-"], body), compacted);
    assert_eq!(
        run(
            &[
                "--body",
                "body.json",
                "--prompt",
                "p",
                "--video",
                "w",
                "--field",
                "seconds:=6",
                "--field",
                "a=1=2"
            ],
            ""
        ),
        r#"{"model":"sora-2","prompt":"p","seconds":6,"video":{"id":"w"},"big":1.0,"a":"1=2"}"#
    );
}

#[test]
fn a_body_may_be_yaml_and_numbers_keep_their_literals() {
    let yaml = "# for tonight\nprompt: >-\n  @It\n  snows\nseconds: \"8\"\nvideo: {id: video_123}\n\
                weight: 1.50\nnotes: [yes, 2026-11-24, null]\n";
    let body = concat!(
        r#"{"prompt":"@It snows","seconds":"8","video":{"id":"video_123"},"#,
        r#""weight":1.50,"notes":["yes","2026-11-24",null]}"#
    );
    for file in ["body.yaml", "-"] {
        let server = Server::script(vec![Reply::json(200, JOB)]);
        openai(&["videos", "extend", "--body", file])
            .file("body.yaml", yaml)
            .stdin(yaml)
            .server(&server)
            .run()
            .success();
        assert_eq!(server.finish()[0].text(), body);
    }
}

/// As in the official command line: `openai videos extend <<YAML`.
#[test]
fn standard_input_is_read_for_what_the_options_leave_out() {
    for (args, stdin, sent) in [
        (
            &[][..],
            "prompt: It snows\nseconds: \"4\"\nvideo: video_123\n",
            r#"{"prompt":"It snows","seconds":"4","video":{"id":"video_123"}}"#,
        ),
        (
            &["--prompt", "p", "--seconds", "8"],
            r#"{"prompt": "not this", "video": "https://example.com/a.mp4"}"#,
            r#"{"prompt":"p","video":{"url":"https://example.com/a.mp4"},"seconds":"8"}"#,
        ),
        (
            &["--prompt", "p", "--seconds", "8", "--field", "video=v"],
            "",
            r#"{"prompt":"p","video":"v","seconds":"8"}"#,
        ),
    ] {
        let server = Server::script(vec![Reply::json(200, JOB)]);
        openai(&["videos", "extend"]).args(args).stdin(stdin).server(&server).run().success();
        assert_eq!(server.finish()[0].text(), sent);
    }
}

#[test]
fn standard_input_without_what_is_missing_is_a_usage_error() {
    let hint = "hint: openai videos extend --prompt 'The camera pulls back' --seconds 8 \
                --video video_123\n"
        .to_owned();
    for (args, stdin, error) in [
        (&[][..], "", "missing option --prompt"),
        (&["--prompt", "p"], " \n", "missing option --seconds"),
        (&["--prompt", "p"], "seconds: 4\n", "missing option --video"),
        // It has another use there.
        (&["--prompt", "p", "--api-key-file", "-"], "seconds: 4\n", "missing option --seconds"),
        (&["--body", "-"], "seconds: 4\n", "missing option --prompt"),
    ] {
        openai(&["videos", "extend"]).args(args).stdin(stdin).run().is(
            2,
            "",
            &format!("openai: {error}\n{hint}"),
        );
    }
    openai(&["videos", "extend"]).stdin("- a\n").run().is(
        2,
        "",
        "openai: standard input: cannot read the request body as YAML: expected an object with the \
         fields of the request at line 1 column 1\n",
    );
    openai(&["videos", "extend"]).stdin("{prompt: p, seconds: 4, video: ''}\n").run().is(
        2,
        "",
        "openai: the video id is empty\n",
    );
}

/// Nobody closes the pipe. The run would end only after 10 seconds without a byte.
#[test]
fn a_call_that_is_wrong_in_another_way_does_not_wait_for_standard_input() {
    for (args, error) in [
        (&["--base-url", "ftp://x"][..], "ftp://x"),
        (&["--seconds", "5"], "--seconds"),
        (&["--output", "no/such/directory/x.mp4"], "no/such/directory"),
    ] {
        openai(&["videos", "extend"])
            .args(args)
            .stdin_held_open()
            .run()
            .code(2)
            .stderr_contains(error);
    }
}

#[test]
fn a_body_that_cannot_be_read_is_refused_with_its_line() {
    for (body, why) in [
        (
            "prompt: a\nseconds: 4\nprompt: b\n",
            "cannot read the request body as YAML: duplicate name \"prompt\" at line 3 column 1",
        ),
        (
            "[]",
            "cannot read the request body as YAML: expected an object with the fields of the \
             request at line 1 column 1",
        ),
        (
            "{prompt: 'a",
            "cannot read the request body as YAML: while scanning a quoted scalar, found \
             unexpected end of stream at line 1 column 10",
        ),
        (
            "{\"prompt\": \"a\"",
            "the request body is not a JSON object: EOF while parsing an object at line 1 column \
             14",
        ),
    ] {
        openai(&["videos", "extend", "--body", "body"]).file("body", body).run().is(
            2,
            "",
            &format!("openai: --body: {why}\n"),
        );
    }
}

#[test]
fn a_request_can_be_made_of_other_servers_fields() {
    let server = Server::script(vec![Reply::json(
        200,
        r#"{"object":"list","data":[{"id":"v2","status":"running"}]}"#,
    )]);
    openai(&[
        "videos",
        "extend",
        "--prompt",
        "p",
        "--field",
        "video_id=v1",
        "--field",
        "duration:=6",
        "--field",
        "model=m",
    ])
    .server(&server)
    .run()
    .success();
    assert_eq!(
        server.finish()[0].text(),
        r#"{"prompt":"p","video_id":"v1","duration":6,"model":"m"}"#
    );
}

#[test]
fn a_video_id_is_sent_as_a_form_on_request() {
    let more = [
        "--video",
        "video_123",
        "--encoding",
        "multipart",
        "--field",
        "duration:=6",
        "--field",
        "model=m",
    ];
    let request = sent(&more, |call| call);
    let parts: Vec<(String, String)> =
        request.parts().iter().map(|part| (part.name.clone(), part.text().to_owned())).collect();
    let expected = [
        ("prompt", "x"),
        ("duration", "6"),
        ("model", "m"),
        ("seconds", "4"),
        ("video[id]", "video_123"),
    ];
    assert_eq!(parts, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
}

#[test]
fn status_415_repeats_the_request_as_a_form_with_an_idempotency_key_of_its_own() {
    let server = Server::script(vec![Reply::json(415, "{}"), Reply::json(200, JOB)]);
    let note = "openai: the server does not accept JSON here (HTTP 415); sending a form\n";
    openai(&NO_VIDEO).args(&["--video", "v"]).server(&server).run().is(0, PRINTED, note);
    let requests = server.finish();
    assert_eq!(requests[1].part("video[id]").text(), "v");
    let keys = [0, 1].map(|i| requests[i].header("idempotency-key").unwrap());
    assert_eq!(keys[1], format!("{}-2", keys[0]));

    let server = Server::script(vec![Reply::json(415, "{}")]);
    openai(&NO_VIDEO).args(&["--video", "v", "--encoding", "json"]).server(&server).run().code(3);
    server.finish();
}

#[test]
fn custom_headers_replace_or_remove_the_default_ones() {
    let more = [
        "--video",
        "v",
        "--api-key",
        "k",
        "--organization",
        "org",
        "--project",
        "proj",
        "--header",
        "X-Extra: a: b",
        "--header",
        "authorization: Basic abc",
        "--header",
        "Idempotency-Key: mine",
        "--header",
        "Accept:",
    ];
    let request = sent(&more, |call| call);
    assert_eq!(request.headers_named("authorization"), ["Basic abc"]);
    assert_eq!(request.headers_named("idempotency-key"), ["mine"]);
    assert_eq!(request.header("accept"), None);
    assert_eq!(request.header("x-extra"), Some("a: b"));
    assert_eq!(request.header("openai-organization"), Some("org"));
    assert_eq!(request.header("openai-project"), Some("proj"));
}

/// Each body has a key of its own, and the state file the one that was sent.
#[test]
fn an_idempotency_key_of_the_user_is_the_requests_own() {
    let directory = TempDir::new();
    let server = Server::script(vec![Reply::status(415), Reply::status(500)]);
    openai(&EXTEND)
        .args(&["--header", "idempotency-key: mine", "--state", "job"])
        .server(&server)
        .current_dir(directory.path())
        .run()
        .code(7);
    let requests = server.finish();
    assert_eq!(requests[0].headers_named("idempotency-key"), ["mine"]);
    assert_eq!(requests[1].headers_named("idempotency-key"), ["mine-2"]);
    let state = std::fs::read_to_string(directory.path().join("job")).unwrap();
    assert!(state.contains(r#""idempotency_key":"mine""#), "{state}");
}

#[test]
fn the_api_key_is_read_from_the_environment_or_a_file() {
    let with = |name: &str, value: &str| {
        let call = |call: Openai| call.file("key", " sk-file\n").env(name, value);
        sent(&["--video", "v"], call).header("authorization").map(str::to_owned)
    };
    assert_eq!(with("OPENAI_API_KEY", "sk-env").as_deref(), Some("Bearer sk-env"));
    assert_eq!(with("OPENAI_API_KEY_FILE", "key").as_deref(), Some("Bearer sk-file"));
    assert_eq!(with("OPENAI_API_KEY", ""), None);
    let flag = sent(&["--video", "v", "--api-key-file", "key"], |call| call.file("key", "sk-file"));
    assert_eq!(flag.header("authorization"), Some("Bearer sk-file"));
}

#[test]
fn each_run_sends_a_different_idempotency_key() {
    let key = || sent(&["--video", "v"], |call| call).header("idempotency-key").map(str::to_owned);
    assert_ne!(key(), key());
}

#[test]
fn a_dry_run_shows_the_request_and_sends_nothing() {
    let server = Server::script(vec![]);
    let url = server.base_url();
    openai(&NO_VIDEO)
        .args(&[
            "--video",
            "v",
            "--dry-run",
            "--api-key",
            "sk-topsecret",
            "--header",
            "X-Gateway: topsecret",
        ])
        .server(&server)
        .run()
        .is(
            0,
            &format!(
                "POST {url}/videos/extensions\nAuthorization: [hidden]\nAccept: application/json\n\
                 User-Agent: openai-videos/{}\nIdempotency-Key: [random]\n\
                 Content-Type: application/json\n\
                 Content-Length: 47\nX-Gateway: [hidden]\n\n\
                 {{\"prompt\":\"x\",\"seconds\":\"4\",\"video\":{{\"id\":\"v\"}}}}\n",
                env!("CARGO_PKG_VERSION")
            ),
            "",
        );
    openai(&NO_VIDEO)
        .args(&["--video", "@clip.mp4", "--dry-run"])
        .file("clip.mp4", CLIP)
        .server(&server)
        .run()
        .success()
        .stdout_contains("prompt: x\nseconds: 4\nvideo: file 'clip.mp4', video/mp4, ");
    openai(&NO_VIDEO)
        .args(&["--video", "@clip.mp4", "--encoding", "data-url", "--dry-run"])
        .file("clip.mp4", [7; 1234])
        .server(&server)
        .run()
        .success()
        .stdout_contains("Content-Type: application/json\nContent-Length: 1717\n\n")
        .stdout_contains(r#""video":{"url":"data:video/mp4;base64,[1234 bytes]"}}"#);
    openai(&NO_VIDEO)
        .args(&["--video", "@-", "--dry-run"])
        .stdin_held_open()
        .server(&server)
        .run()
        .success()
        .stdout_contains("Transfer-Encoding: chunked\n\n");
    server.finish();

    let server = Server::script(vec![Reply::json(200, JOB)]);
    let upload = |more: &[&str]| {
        openai(&NO_VIDEO)
            .args(&["--video", "@clip.mp4"])
            .args(more)
            .file("clip.mp4", CLIP)
            .server(&server)
            .run()
    };
    let preview = upload(&["--dry-run"]).success().stdout_text();
    upload(&[]).success();
    let request = server.finish().remove(0);
    let length = request.header("content-length").unwrap();
    assert!(preview.contains(&format!("\nContent-Length: {length}\n")), "{preview}");
}

#[test]
fn invalid_values_are_refused_before_the_request() {
    let too_long = "x".repeat(32_001);
    for (args, stderr) in [
        (
            &call("x", "5", "v")[..],
            "openai: --seconds: invalid value '5'; possible values: 4, 8, 12, 16, 20\n\
             hint: to send another value, use --field seconds=5 or --field duration:=5\n",
        ),
        (&call("", "4", "v"), "openai: --prompt: the value is empty\n"),
        (
            &call(&too_long, "4", "v"),
            "openai: the prompt has 32001 characters, and at most 32000 are allowed\n",
        ),
        (
            &call("@missing.txt", "4", "v"),
            "openai: --prompt: cannot read 'missing.txt': no such file\n\
             hint: for a prompt that starts with @, write \\@\n",
        ),
        (
            &call("x", "4", "{id: v"),
            "openai: --video: invalid object '{id: v': there is no ',' or '}' after \"id\"\n\
             hint: write it as '{\"id\": \"video_123\"}' or '{id: video_123}'\n",
        ),
        (&call("x", "4", " "), "openai: the video id is empty\n"),
        (&call("x", "4", "@missing.mp4"), "openai: there is no file 'missing.mp4' to upload\n"),
        (&call("x", "4", "@/"), "openai: '/' is a directory, not a file to upload\n"),
        (
            &NO_VIDEO,
            "openai: missing option --video\n\
             hint: openai videos extend --prompt 'The camera pulls back' --seconds 8 --video \
             video_123\n",
        ),
        (
            &["videos", "extend", "--promt", "x"],
            "openai: unknown option '--promt'\nhint: did you mean --prompt?\n",
        ),
        (
            &["videos", "extnd"],
            "openai: unknown command 'videos extnd'\nhint: did you mean 'extend'?\n",
        ),
        (
            &[&["--base-url", "localhost:80/v1"], &EXTEND[..]].concat(),
            "openai: the base URL 'localhost:80/v1' has no scheme\n\
             hint: write https://localhost:80/v1, or http:// for a server on this machine\n",
        ),
        (
            &[&EXTEND[..], &["--api-key", "sk-secret\n"]].concat(),
            "openai: --api-key: the API key cannot be sent as a header: its character 10 is not \
             printable ASCII\n\
             hint: look for a line break, a quotation mark or an invisible character that was \
             copied with the key\n",
        ),
        (
            &[&["--base-url", "http://192.0.2.1/v1", "--api-key", "k"], &EXTEND[..]].concat(),
            "openai: the key would cross the network unencrypted to 'http://192.0.2.1/v1'\n\
             hint: use https://, or allow it with --allow-http or OPENAI_ALLOW_HTTP=1\n",
        ),
        (
            &["videos", "extend", "--body", "missing.json"],
            "openai: --body: cannot read 'missing.json': no such file\n",
        ),
        (
            &[&EXTEND[..], &["--encoding", "form"]].concat(),
            "openai: --encoding: invalid value 'form'; possible values: auto, json, multipart, \
             data-url\n",
        ),
    ] {
        refused(args, stderr);
    }
}

#[test]
fn line_breaks_in_a_value_are_escaped_in_an_error_message() {
    refused(
        &["videos", "extend", "--seconds", "5\nhint: x\u{1b}[2J"],
        "openai: --seconds: invalid value '5\\u000ahint: x\\u001b[2J'; possible values: 4, 8, 12, \
         16, 20\n\
         hint: to send another value, use --field seconds=N or --field duration:=N\n",
    );
}

#[test]
fn an_id_that_is_the_name_of_a_file_gets_a_hint_to_the_at_sign() {
    let server = Server::script(vec![]);
    openai(&NO_VIDEO)
        .args(&["--video", "clip.mp4"])
        .file("clip.mp4", CLIP)
        .server(&server)
        .run()
        .is(
            2,
            "",
            "openai: --video: 'clip.mp4' is a file and not an id\n\
         hint: write '@clip.mp4' to upload it\n",
        );
    server.finish();
}

#[test]
fn the_default_server_requires_an_api_key() {
    openai(&NO_VIDEO).args(&["--video", "v"]).run().is(
        4,
        "",
        "openai: no API key\n\
         hint: set OPENAI_API_KEY or OPENAI_API_KEY_FILE, and point --base-url at another server \
         (https://api.x.ai/v1, a gateway): OpenAI's endpoint was shut down on 2026-09-24\n",
    );
}

#[test]
fn help_and_version_work_without_an_api_key() {
    openai(&["--version"]).run().is(
        0,
        &format!("openai-videos {}\n", env!("CARGO_PKG_VERSION")),
        "",
    );
    for args in [
        &["--help"][..],
        &["videos", "extend", "-h"],
        &["videos", "extend", "--help", "--seconds", "5"],
    ] {
        openai(args).run().success().stderr("").stdout_contains("--prompt TEXT");
    }
    for args in [&["-h"][..], &["videos", "-h"]] {
        openai(args).run().success().stderr("").stdout_contains("\n  create-character  ");
    }
    openai(&["video", "--help"]).run().code(2).stderr_contains("did you mean 'videos'?");
}

/// `--base-url "$UNSET"` must not send the request to the default server.
#[test]
fn an_option_with_an_empty_value_is_refused_and_named() {
    for option in [
        "--prompt",
        "--seconds",
        "--video",
        "--body",
        "--field",
        "--encoding",
        "--wait-timeout",
        "--output",
        "-o",
        "--variant",
        "--state",
        "--base-url",
        "--api-key",
        "--api-key-file",
        "--organization",
        "--project",
        "--header",
        "--cacert",
        "--mtls-client-cert-file",
        "--mtls-client-key-file",
        "--max-retries",
        "--format",
        "--format-error",
    ] {
        let name = if option == "-o" { "--output" } else { option };
        let stderr = format!("openai: {name}: the value is empty\n");
        refused(&[&EXTEND[..], &[option, ""]].concat(), &stderr);
    }
    refused(&["videos", "retrieve", "--video-id="], "openai: --video-id: the value is empty\n");
}

/// As in the official command line.
#[test]
fn an_empty_transform_prints_the_whole_result() {
    let server = Server::script(vec![Reply::json(200, JOB)]);
    let empty = ["--transform", "", "--transform-error", "", "--admin-api-key", ""];
    openai(&EXTEND).args(&empty).server(&server).run().is(0, PRINTED, "");
    server.finish();
}

#[test]
fn a_usage_error_shows_no_secret() {
    let secret = "sk-topsecret-1";
    let field = format!("x:={{{secret}");
    let authorization = format!("Authorization: Bearer {secret}");
    for (args, message) in [
        (&["--field", &field][..], "--field: x: '{[key]' is not JSON: "),
        (&["--seconds", secret], "--seconds: invalid value '[key]'; possible values: "),
        (&["--sk-topsecret-1"], "unknown option '--[key]'"),
    ] {
        let run = || openai(&EXTEND).args(args);
        for run in [
            run().env("OPENAI_API_KEY", secret),
            run().args(&["--api-key", secret]),
            run().args(&["--header", &authorization, "--format-error", "json"]),
        ] {
            run.run().code(2).stderr_contains(message).never_shows("topsecret");
        }
    }
}

#[test]
fn headers_are_read_from_a_file_and_redacted() {
    let file = "# for the gateway\r\nX-Extra: sesame-open\r\n\n  \nAccept:\nX-Tab:\ta\tb";
    let request =
        sent(&["--video", "v", "--header", "@headers", "--header", "X-More: c"], |call| {
            call.file("headers", file)
        });
    assert_eq!(request.header("x-extra"), Some("sesame-open"));
    assert_eq!(request.header("x-tab"), Some("a\tb"));
    assert_eq!(request.header("x-more"), Some("c"));
    assert_eq!(request.header("accept"), None);

    let preview = openai(&EXTEND)
        .args(&["--header", "@headers", "--dry-run", "--base-url", "http://127.0.0.1:1"])
        .file("headers", file)
        .run();
    let preview = preview.success().stdout_text();
    assert!(preview.contains("X-Extra: ") && !preview.contains("sesame"), "{preview}");
}

#[test]
fn an_invalid_header_in_a_file_is_refused_with_its_line_number() {
    let write = "write it as 'Name: value', without control characters";
    for (line, reason, hint) in [
        ("sesame-open", "invalid header", write),
        ("sesame open: x", "invalid header", write),
        ("X-A: sesame\rX-B: x", "invalid header", write),
        ("X-A: sesame\0", "invalid header", write),
        ("HOST: sesame", "the header 'host' cannot be set", "remove the line"),
        ("Content-Length: 7", "the header 'content-length' cannot be set", "remove the line"),
        ("Transfer-Encoding: x", "the header 'transfer-encoding' cannot be set", "remove the line"),
    ] {
        let server = Server::script(vec![]);
        openai(&EXTEND)
            .args(&["--header", "@headers"])
            .file("headers", format!("# a comment\n\n{line}\n"))
            .server(&server)
            .run()
            .is(2, "", &format!("openai: --header: 'headers', line 3: {reason}\nhint: {hint}\n"));
        server.finish();
    }
    refused(
        &[&EXTEND[..], &["--header", "@missing"]].concat(),
        "openai: --header: cannot read 'missing': no such file\n",
    );
    refused(
        &[&EXTEND[..], &["--header", "@-", "--prompt", "@-"]].concat(),
        "openai: --prompt @- and --header @- cannot both read standard input\n",
    );
}
