//! `--format`, `--transform`, `--raw-output`, and the same options for errors.

use std::process::{Command, Stdio};

use crate::support::{EXTEND, Reply, Server, openai, program, skipped};

/// A job with its own order of members, a number with a trailing zero, escapes and a time.
const JOB: &str = concat!(
    r#"{"id":"video_1","status":"failed","created_at":1758941485,"seconds":"8","#,
    r#""cost":0.50,"prompt":"a \"b\"\n\u00e9","error":{"code":"moderation","message":"not this"}}"#
);
const PRINTED: &str = r#"{
  "id": "video_1",
  "status": "failed",
  "created_at": 1758941485,
  "seconds": "8",
  "cost": 0.50,
  "prompt": "a \"b\"\n\u00e9",
  "error": {
    "code": "moderation",
    "message": "not this"
  }
}
"#;
const REFUSAL: &str = concat!(
    r#"{"error":{"message":"bad \"seconds\"","#,
    r#""type":"invalid_request_error","param":null,"code":1.0}}"#
);

/// Runs `retrieve` with this response and compares the exit code, standard output and standard
/// error.
#[track_caller]
fn retrieve(response: Reply, more: &[&str], env: &[(&str, &str)], expected: (i32, &str, &str)) {
    let server = Server::script(vec![response]);
    let call = openai(&["videos", "retrieve", "video_1"]).args(more);
    env.iter()
        .fold(call, |call, (name, value)| call.env(name, value))
        .server(&server)
        .run()
        .is(expected.0, expected.1, expected.2);
    server.finish();
}

#[track_caller]
fn shows(more: &[&str], stdout: &str, stderr: &str) {
    retrieve(Reply::json(200, JOB), more, &[], (0, stdout, stderr));
}

#[test]
fn the_result_is_printed_in_the_requested_format() {
    let explored = "openai: the explorer is not available; printing JSON\n";
    shows(&[], PRINTED, "");
    shows(&["--format", "auto"], PRINTED, "");
    shows(&["--format=JSON"], PRINTED, "");
    shows(&["--format", "explore"], PRINTED, explored);
    shows(&["--format", "explore", "--quiet"], PRINTED, "");
    shows(&["--format", "jsonl"], &format!("{JOB}\n"), "");
    shows(&["--format", "raw"], &format!("{JOB}\n"), "");
    shows(
        &["--format", "yaml"],
        concat!(
            "id: video_1\nstatus: failed\ncreated_at: 1758941485\nseconds: \"8\"\ncost: 0.50\n",
            "prompt: \"a \\\"b\\\"\\né\"\nerror:\n  code: moderation\n  message: not this\n"
        ),
        "",
    );
    shows(
        &["--format", "pretty"],
        concat!(
            "id             video_1\n",
            "status         failed\n",
            "created_at     1758941485  Sat, 27 Sep 2025 02:51:25 GMT\n",
            "seconds        8\n",
            "cost           0.50\n",
            "prompt         a \"b\" é\n",
            "error.code     moderation\n",
            "error.message  not this\n",
            "\nit failed: not this (code: moderation); a new request is needed\n"
        ),
        "",
    );
}

#[test]
fn the_pretty_format_names_the_next_step() {
    for (status, next) in [
        (
            "queued",
            "wait for it with: openai videos retrieve --wait --base-url 'URL' -- 'it'\\''s'",
        ),
        (
            "completed",
            "fetch it with: openai videos download-content --output FILE --base-url 'URL' -- \
             'it'\\''s'",
        ),
        ("failed", "it failed; a new request is needed"),
    ] {
        let server = Server::script(vec![Reply::json(
            200,
            &format!(r#"{{"id":"it's","status":"{status}"}}"#),
        )]);
        let next = next.replace("URL", &server.base_url());
        openai(&["videos", "retrieve", "it's", "--format", "pretty"]).server(&server).run().is(
            0,
            &format!("id      it's\nstatus  {status}\n\n{next}\n"),
            "",
        );
        server.finish();
    }
}

#[test]
fn the_raw_format_prints_the_response_unchanged() {
    let odd = "{\n\t\"id\" : 1,   \"id\":\"2\"}\r\n";
    retrieve(Reply::json(200, odd), &["--format", "raw"], &[], (0, odd, ""));
    let odd = "{\r\n\t\"error\" : \"a\u{9b}b\u{202e}\"}\r\n";
    let inner = "{\r\n\t\"message\" : \"a\u{9b}b\u{202e}\"\r\n}";
    let body = format!("{{ \"error\" : {inner}, \"more\" : 1 }}");
    let raw = ["--format-error", "raw"];
    let line = format!("{inner}\n");
    retrieve(Reply::json(400, &body), &raw, &[], (3, "", &line));
    retrieve(Reply::json(400, odd), &["--format-error", "raw"], &[], (3, "", odd));
}

#[test]
fn transform_extracts_a_value_by_its_path() {
    shows(&["--transform", "id"], "\"video_1\"\n", "");
    shows(&["--transform", "id", "-r"], "video_1\n", "");
    shows(&["--transform", "prompt", "--raw-output"], "a \"b\"\né\n", "");
    shows(&["--transform", "cost", "-r"], "0.50\n", "");
    shows(
        &["--transform", "error", "--format", "jsonl"],
        "{\"code\":\"moderation\",\"message\":\"not this\"}\n",
        "",
    );
    shows(&["--transform", "{id,cost}", "--format", "yaml"], "id: video_1\ncost: 0.50\n", "");
    shows(
        &["--transform", "error", "--format", "pretty"],
        "code     moderation\nmessage  not this\n",
        "",
    );
    shows(&["-r"], PRINTED, "");
    let notice =
        "openai: --transform: no match for 'nothing.at.all'; printing the whole response\n";
    shows(&["--transform", "nothing.at.all", "-r"], PRINTED, notice);
    shows(&["--transform", "nothing.at.all", "-q"], PRINTED, "");
    shows(&["--transform", ""], PRINTED, "");
}

#[test]
fn a_response_nested_too_deeply_for_transform_or_yaml_is_printed_as_json() {
    for (depth, is_too_deep) in [(98, false), (99, true), (100_000, true)] {
        let job = format!("{{\"a\":[{}{}]}}", "[".repeat(depth), "]".repeat(depth));
        let line = format!("{job}\n");
        let reason = "the response is nested deeper than 100 levels";
        let notice = |text: String| if is_too_deep { text } else { String::new() };
        let shows = |more: &[&str], stdout: &str, stderr: &str| {
            retrieve(Reply::json(200, &job), more, &[], (0, stdout, stderr));
        };
        let whole = notice(format!("openai: --transform: {reason}; printing the whole response\n"));
        for path in ["@valid", "@flatten:{\"deep\":true}|@valid", "@this"] {
            let more = ["--transform", path, "--format", "jsonl"];
            shows(&more, &line, &whole);
        }
        let json = notice(format!("openai: printing JSON instead of YAML: {reason}\n"));
        let server = Server::script(vec![Reply::json(200, &job)]);
        let run = openai(&["videos", "retrieve", "v", "--format", "yaml"]);
        let run = run.server(&server).run();
        let printed: String = run.success().stderr(&json).stdout_text();
        assert_eq!(printed.starts_with('{'), is_too_deep, "{run:?}");
        assert!(printed.len() < 3 * job.len() + 500, "{}", printed.len());
        server.finish();
    }
}

#[test]
fn a_pattern_that_would_backtrack_for_minutes_is_refused() {
    let text = "a".repeat(300);
    let list = format!(r#"[{{"id":"v","prompt":"{text}"}}]"#);
    let line = format!("{}\n", list);
    let shows = |path: &str, stdout: &str, stderr: &str| {
        let more = ["--transform", path, "--format", "jsonl"];
        retrieve(
            Reply::json(200, &format!(r#"{{"id":"v","data":{list}}}"#)),
            &more,
            &[],
            (0, stdout, stderr),
        );
    };
    let whole = format!("{{\"id\":\"v\",\"data\":{list}}}\n");
    let notice = "openai: --transform: the pattern has too many '*' for strings of this length; \
                  printing the whole response\n";
    for path in [
        r#"data.#(prompt%"*a*a*a*a*a*a*a*a*b")#"#,
        "data.#(prompt!%*a*a*a*a*a*a*a*a*b)#",
        "data.#(prompt%*a*a*a*a*a*a*a*a*b).id",
        "data.0.*a*a*a*a*a*a*a*a*b",
    ] {
        shows(path, &whole, notice);
    }
    shows(r#"data.#(prompt%"*a*a*")#"#, &line, "");
    shows(r#"data.#(prompt%"a**************a")#.id"#, "[\"v\"]\n", "");
}

#[test]
fn surrogate_pairs_are_joined_and_lone_surrogates_replaced() {
    let response =
        || Reply::json(200, r#"{"id":"\ud842\udfb7 \ud83c\udfac \ud83c","\ud842\udfb7":1}"#);
    let shows = |more: &[&str], stdout: &str| retrieve(response(), more, &[], (0, stdout, ""));
    shows(&["--transform", "id", "-r"], "𠮷 🎬 \u{fffd}\n");
    shows(&["--format", "yaml"], "id: \"𠮷 🎬 \u{fffd}\"\n\"𠮷\": 1\n");
    shows(&["--format", "pretty", "--transform", "@this"], "id  𠮷 🎬 \u{fffd}\n𠮷  1\n");
}

#[test]
fn every_command_that_prints_a_result_supports_formats() {
    let job = r#"{"id":"v2","status":"queued"}"#;
    let server = Server::script(vec![
        Reply::json(200, job),
        Reply::json(200, r#"{"id":"v2","deleted":true}"#),
        Reply::status(204),
        Reply::status(200).body("deleted"),
    ]);
    openai(&EXTEND).args(&["--transform", "id", "-r"]).server(&server).run().is(0, "v2\n", "");
    let delete = openai(&["videos", "delete", "v2", "--format", "yaml"]);
    delete.server(&server).run().is(0, "id: v2\ndeleted: true\n", "");
    let delete = openai(&["videos", "delete", "v2", "--format", "yaml"]);
    delete.server(&server).run().is(0, "", "");
    let delete = openai(&["videos", "delete", "v2", "--transform", "id"]);
    delete.server(&server).run().is(0, "deleted\n", "");
    server.finish();
}

#[test]
fn api_errors_are_printed_in_the_requested_format() {
    let refused = |more: &[&str], stderr: &str| {
        retrieve(Reply::json(400, REFUSAL), more, &[], (3, "", stderr));
    };
    let plain = "openai: the server responded with HTTP 400: bad \"seconds\" (type: \
                 invalid_request_error, code: 1.0)\n";
    refused(&[], plain);
    refused(&["--format", "yaml", "--transform", "id", "-r"], plain);
    let inner = REFUSAL.strip_prefix("{\"error\":").unwrap();
    let inner = format!("{}\n", inner.strip_suffix('}').unwrap());
    refused(&["--format-error", "raw"], &inner);
    refused(
        &["--format-error", "json"],
        "{\n  \"message\": \"bad \\\"seconds\\\"\",\n  \"type\": \"invalid_request_error\",\n  \
         \"param\": null,\n  \"code\": 1.0\n}\n",
    );
    refused(
        &["--format-error", "yaml"],
        "message: \"bad \\\"seconds\\\"\"\ntype: invalid_request_error\nparam: null\ncode: 1.0\n",
    );
    for path in ["message", "error.message"] {
        refused(&["--transform-error", path, "-r"], "bad \"seconds\"\n");
    }
    refused(
        &["--transform-error", "no", "--format-error", "jsonl"],
        &format!("openai: --transform-error: no match for 'no'; printing the whole error\n{inner}"),
    );
}

#[test]
fn errors_of_every_shape_are_printed_in_the_requested_format() {
    let jsonl = ["--format-error", "jsonl"];
    let long = format!(r#"[{{"msg":"{}"}}]"#, "m".repeat(1000));
    for body in [
        r#"{"detail":"Not Found"}"#,
        r#"{"detail":[{"loc":["body","seconds"],"msg":"bad"}]}"#,
        r#"{"error":"no","more":1}"#,
        r#"{"message":"no"}"#,
        &long,
    ] {
        let response = Reply::json(422, body);
        retrieve(response, &jsonl, &[], (3, "", &format!("{body}\n")));
    }
    let hint =
        "check that --base-url includes a path such as /v1, and that the server has this endpoint";
    for (body, message) in [
        ("<b>no</b>", "<b>no</b>"),
        (r#"{"error": {"#, r#"{\"error\": {"#),
        (r#""no""#, r#"\"no\""#),
    ] {
        let response = Reply::status(404).body(body).header("x-request-id", "req_1");
        let line = format!(
            "{{\"message\":\"the server responded with HTTP 404: {message} (request id: \
             req_1)\",\"hint\":\"{hint}\"}}\n"
        );
        retrieve(response, &jsonl, &[], (3, "", &line));
    }
    openai(&["videos", "retrieve"]).args(&jsonl).run().is(
        2,
        "",
        "{\"message\":\"missing argument: the id of the job\",\"hint\":\"openai videos retrieve \
         video_123\"}\n",
    );
    for (argv, message) in [
        (&["--bogus=1", "videos", "retrieve", "v"][..], "unknown option '--bogus'"),
        (
            &["videos", "retrieve", "v", "--timeout", "soon"],
            "--timeout: invalid duration 'soon'; examples: 90, 90s, 1.5m, 2h, 250ms",
        ),
        (&["videos", "retreive", "v"], "unknown command 'videos retreive'"),
        (&["videos", "retreive", "--help"], "unknown command 'videos retreive'"),
    ] {
        let path = ["--transform-error", "message", "-r"];
        let run = openai(argv).args(&path).run();
        run.is(2, "", &format!("{message}\n"));
    }
    let message = "the job 'video_1' ended as failed: not this (code: moderation)\n";
    let server = Server::script(vec![Reply::json(200, JOB)]);
    openai(&["videos", "retrieve", "video_1", "--wait", "--transform", "status"])
        .args(&["--transform-error", "message", "-r"])
        .server(&server)
        .run()
        .is(1, "failed\n", message);
    server.finish();
}

#[test]
fn secrets_are_redacted_in_every_format() {
    let echo = r#"{"error":{"message":"wrong key: sk-topsecret"}}"#;
    for format in ["auto", "json", "jsonl", "raw", "pretty", "yaml", "explore"] {
        let server = Server::script(vec![
            Reply::json(400, echo),
            Reply::json(200, r#"{"id":"1","echo":"sk-topsecret"}"#),
        ]);
        for _ in 0..2 {
            openai(&["videos", "retrieve", "v", "--api-key", "sk-topsecret"])
                .args(&["--format-error", format, "--format", format])
                .server(&server)
                .run()
                .never_shows("sk-topsecret");
        }
        server.finish();
    }
}

#[test]
fn forced_colours_are_printed_and_control_characters_escaped() {
    let evil = "{\"id\":\"\u{9b}2J\u{202e}\",\"n\":1,\"t\":true}";
    let painted = "{\n  \u{1b}[1;34m\"id\"\u{1b}[0m: \u{1b}[32m\"\\u009b2J\\u202e\"\u{1b}[0m,\n  \
                   \u{1b}[1;34m\"n\"\u{1b}[0m: \u{1b}[33m1\u{1b}[0m,\n  \
                   \u{1b}[1;34m\"t\"\u{1b}[0m: \u{1b}[36mtrue\u{1b}[0m\n}\n";
    let force = [("FORCE_COLOR", "1")];
    retrieve(Reply::json(200, evil), &[], &force, (0, painted, ""));
    let one_line = format!("{evil}\n");
    let jsonl = ["--format", "jsonl"];
    retrieve(Reply::json(200, evil), &jsonl, &[], (0, &one_line, ""));
    let message = "{\u{1b}[1;34m\"error\"\u{1b}[0m:\u{1b}[32m\"no\\u009b\"\u{1b}[0m}\n";
    let refusal = Reply::json(400, "{\"error\":\"no\u{9b}\"}");
    retrieve(refusal, &["--format-error", "jsonl"], &force, (3, "", message));
}

#[test]
fn control_characters_are_escaped_on_a_terminal() {
    // util-linux's `script` runs a command on a new terminal.
    if Command::new("script").arg("--version").stdout(Stdio::null()).status().is_err() {
        return skipped("script (package bsdutils) is missing");
    }
    for (status, more) in [
        (200, "--format json"),
        (200, "--format jsonl"),
        (200, "--format raw"),
        (200, "--format pretty"),
        (200, "--format yaml"),
        (200, "--transform id -r"),
        (400, "--format-error raw"),
        (400, "--transform-error id -r"),
        (400, ""),
    ] {
        let server = Server::script(vec![Reply::json(
            status,
            "{\r\n\"id\":\"a\u{9b}31mb\\u001b[2J\\u0007\u{202e}\"\r\n}",
        )]);
        let call = format!(
            "{} videos retrieve v {more} --base-url {}",
            program().display(),
            server.base_url()
        );
        let run = Command::new("script")
            .args(["--quiet", "--return", "--command", &call, "/dev/null"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let shown = String::from_utf8(run.stdout).unwrap();
        let harmless = |c: char| c != '\u{202e}' && (!c.is_control() || "\r\n".contains(c));
        let code = if status == 200 { 0 } else { 3 };
        assert_eq!(run.status.code(), Some(code), "{more}: {shown:?}");
        assert!(shown.contains("31mb"), "{more}: {shown:?}");
        assert!(shown.chars().all(harmless), "{more}: {shown:?}");
        assert!(!shown.contains("u000d"), "{more}: {shown:?}");
        server.finish();
    }
}

#[test]
fn an_unknown_format_is_refused_before_the_request() {
    let expected = "possible values: auto, json, jsonl, raw, pretty, yaml, explore";
    for (flag, value, hint) in [
        ("--format", "jsn", "hint: did you mean 'json'?\n"),
        ("--format", "xml", ""),
        ("--format-error", "ymal", "hint: did you mean 'yaml'?\n"),
    ] {
        openai(&["videos", "retrieve", "v", flag, value]).run().is(
            2,
            "",
            &format!("openai: {flag}: invalid value '{value}'; {expected}\n{hint}"),
        );
    }
}
