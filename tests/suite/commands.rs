//! The other commands that send a request with fields: create, edit, remix, create-character, and
//! get-character. Behaviour that they share with extend is tested in `extend`, `state`, `wait` and
//! `upload`.

use std::fs;

use crate::support::{CLIP, JOB, PRINTED, Reply, Request, Server, TempDir, job, openai};
use serde_json::{Value, json};

const KEY: &str = "sk-secret-of-the-test";

const CHARACTER: &str = r#"{"id":"char_1","name":"Mia","created_at":1}"#;

/// Runs a command that must print the job, and returns its request.
fn sent(args: &[&str]) -> Request {
    let server = Server::script(vec![Reply::json(200, JOB)]);
    openai(&["videos"])
        .args(args)
        .file("clip.mp4", CLIP)
        .file("still.png", b"png")
        .server(&server)
        .run()
        .is(0, PRINTED, "");
    server.finish().remove(0)
}

fn refused(args: &[&str], message: &str) {
    let server = Server::script(vec![]);
    openai(&["videos"]).args(args).server(&server).run().is(2, "", &format!("openai: {message}\n"));
    server.finish();
}

#[test]
fn each_command_posts_its_fields_as_json() {
    let cases: [(&[&str], &str, Value); 7] = [
        (&["create", "--prompt", "x"], "/v1/videos", json!({"prompt": "x"})),
        (
            &["create", "--prompt", "x", "--model", "m", "--size", "1280x720", "--seconds", "8"],
            "/v1/videos",
            json!({"prompt": "x", "model": "m", "size": "1280x720", "seconds": "8"}),
        ),
        (
            &["create", "--prompt", "x", "--input-reference", "https://example.com/a.png"],
            "/v1/videos",
            json!({"prompt": "x", "input_reference": {"image_url": "https://example.com/a.png"}}),
        ),
        (
            &["create", "--prompt", "x", "--input-reference", "file-123"],
            "/v1/videos",
            json!({"prompt": "x", "input_reference": {"file_id": "file-123"}}),
        ),
        (
            &["create", "--prompt", "x", "--input-reference", "{file_id: file-123}"],
            "/v1/videos",
            json!({"prompt": "x", "input_reference": {"file_id": "file-123"}}),
        ),
        (
            &["edit", "--prompt", "x", "--video", "video_1"],
            "/v1/videos/edits",
            json!({"prompt": "x", "video": {"id": "video_1"}}),
        ),
        (&["remix", "a/b=", "--prompt", "x"], "/v1/videos/a%2Fb%3D/remix", json!({"prompt": "x"})),
    ];
    for (args, path, body) in cases {
        let request = sent(args);
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", path));
        assert_eq!(request.json(), body);
        assert_eq!(request.header("idempotency-key").map(str::len), Some(32));
    }
    let request = sent(&["remix", "--video-id", "video_1", "--prompt", "x"]);
    assert_eq!(request.target, "/v1/videos/video_1/remix");
}

#[test]
fn an_image_is_uploaded_as_the_part_of_its_field() {
    let request = sent(&["create", "--prompt", "x", "--input-reference", "@still.png"]);
    let part = request.part("input_reference");
    assert_eq!((part.filename.as_deref(), &part.body[..]), (Some("still.png"), &b"png"[..]));
    assert_eq!(part.content_type(), Some("image/png"));
    let form = ["--encoding", "multipart", "--input-reference", "file-1"];
    let request = sent(&[&["create", "--prompt", "x"][..], &form].concat());
    assert_eq!(request.part("input_reference[file_id]").text(), "file-1");
    let data = ["--encoding", "data-url", "--input-reference", "@still.png"];
    let request = sent(&[&["create", "--prompt", "x"][..], &data].concat());
    let url = "data:image/png;base64,cG5n";
    assert_eq!(request.json()["input_reference"], json!({ "image_url": url }));
}

/// A character is always made with a form; its file needs no `@`.
#[test]
fn a_character_is_created_from_a_file_with_or_without_the_at_sign() {
    for video in ["clip.mp4", "@clip.mp4", "@file://clip.mp4"] {
        let server = Server::script(vec![Reply::json(200, CHARACTER)]);
        openai(&["videos", "create-character", "--name", "Mia", "--video", video])
            .args(&["--format", "jsonl"])
            .file("clip.mp4", CLIP)
            .server(&server)
            .run()
            .is(0, &format!("{CHARACTER}\n"), "");
        let request = server.finish().remove(0);
        assert_eq!(request.target, "/v1/videos/characters");
        assert_eq!(request.part("name").text(), "Mia");
        assert_eq!(request.part("video").body, CLIP);
    }
}

#[test]
fn a_character_is_shown_as_the_server_sends_it() {
    for id in [&["char_1"][..], &["--character-id", "char_1"]] {
        let server = Server::script(vec![Reply::json(200, CHARACTER)]);
        openai(&["videos", "get-character", "--transform", "name", "-r"])
            .args(id)
            .server(&server)
            .run()
            .is(0, "Mia\n", "");
        assert_eq!(server.finish()[0].target, "/v1/videos/characters/char_1");
    }
}

/// A captive portal or a proxy with a login page may send such a response.
#[test]
fn a_character_response_that_is_not_a_json_object_ends_with_code_6() {
    for page in ["<html>", "[]", ""] {
        let reply = || Reply::status(200).header("Content-Type", "text/html").body(page);
        let server = Server::script(vec![reply()]);
        openai(&["videos", "get-character", "char_1"]).server(&server).run().is(
            6,
            "",
            "openai: no readable response to GET /videos/characters/char_1: the response is not a \
             JSON object\n",
        );
        server.finish();
    }
}

#[test]
fn a_character_whose_response_is_lost_ends_with_code_7_and_not_sent_again() {
    for (reply, reason) in [
        (Reply::json(500, "{}"), "the server responded with HTTP 500: {}"),
        (Reply::json(200, "[]"), "the response contains no id: '[]'"),
        (
            Reply::json(200, r#"{"error":"no"}"#),
            "the response contains no id: '{\"error\":\"no\"}'",
        ),
    ] {
        let server = Server::script(vec![reply]);
        let stderr = format!(
            "openai: the request was sent, but its outcome is unknown: {reason}\n\
             hint: before running this again, check at the server whether the character exists: \
             the API has no list of characters\n"
        );
        openai(&["videos", "create-character", "--name", "Mia", "--video", "clip.mp4"])
            .file("clip.mp4", CLIP)
            .server(&server)
            .run()
            .is(7, "", &stderr);
        server.finish();
    }
}

#[test]
fn a_string_in_the_body_is_the_plain_value_of_the_reference() {
    for (command, body, expected) in [
        ("extend", r#"{"prompt":"x","seconds":"4","video":"v"}"#, json!({"id": "v"})),
        ("edit", r#"{"prompt":"x","video":"https://e/a"}"#, json!({"url": "https://e/a"})),
        ("edit", r#"{"prompt":"x","video":"@v"}"#, json!({"id": "@v"})),
    ] {
        let server = Server::script(vec![Reply::json(200, JOB)]);
        openai(&["videos", command, "--body", "body.json"])
            .file("body.json", body)
            .server(&server)
            .run()
            .is(0, PRINTED, "");
        assert_eq!(server.finish()[0].json()["video"], expected);
    }
    let server = Server::script(vec![Reply::json(200, JOB)]);
    openai(&["videos", "edit", "--body", "body.json", "--field", "video=plain"])
        .file("body.json", r#"{"prompt":"x","video":"v"}"#)
        .server(&server)
        .run()
        .is(0, PRINTED, "");
    assert_eq!(server.finish()[0].json()["video"], "plain");
    let server = Server::script(vec![Reply::json(200, JOB)]);
    openai(&["videos", "create", "--body", "body.json"])
        .file("body.json", r#"{"prompt":"x","input_reference":"f"}"#)
        .server(&server)
        .run()
        .is(0, PRINTED, "");
    assert_eq!(server.finish()[0].json()["input_reference"], json!({"file_id": "f"}));
    let server = Server::script(vec![Reply::json(200, CHARACTER)]);
    openai(&["videos", "create-character", "--body", "body.json"])
        .file("body.json", r#"{"name":"Mia","video":"clip.mp4"}"#)
        .file("clip.mp4", CLIP)
        .server(&server)
        .run()
        .success();
    assert_eq!(server.finish()[0].part("video").body, CLIP);
}

#[test]
fn invalid_calls_are_refused_before_the_request() {
    let prompt = ["--prompt", "x"];
    refused(
        &["create"],
        "missing option --prompt\n\
         hint: openai videos create --prompt 'A cat on a piano' --seconds 8 \
         --size 1280x720",
    );
    refused(
        &["create", "--prompt", "x", "--seconds", "16"],
        "--seconds: invalid value '16'; possible values: 4, 8, 12\n\
         hint: to send another value, use --field seconds=16 or --field duration:=16",
    );
    refused(
        &[&["edit"][..], &prompt].concat(),
        "missing option --video\n\
         hint: openai videos edit --prompt 'Make it night' --video video_123",
    );
    refused(
        &[&["remix"][..], &prompt].concat(),
        "missing argument: the id of the video\n\
         hint: openai videos remix video_123 --prompt 'The cat is a dog'",
    );
    refused(
        &["create-character", "--name", "Mia"],
        "missing option --video\nhint: openai videos create-character --name Mia --video clip.mp4",
    );
    refused(
        &["create-character", "--name", "Mia", "--video", "{id: v}"],
        "there is no file '{id: v}' to upload",
    );
    refused(
        &["get-character"],
        "missing argument: the id of the character\nhint: openai videos get-character char_123",
    );
    let long = "x".repeat(81);
    refused(
        &["create-character", "--name", &long, "--video", "clip.mp4"],
        "the name has 81 characters, and at most 80 are allowed",
    );
    refused(
        &["create-character", "--name", "M", "--video", "c", "--encoding", "json"],
        "--encoding cannot be used with 'create-character'",
    );
    refused(
        &["edit", "--prompt", "x", "--video", "v", "--seconds", "4"],
        "--seconds cannot be used with 'edit'\n\
         hint: to send a field of the request, use --field seconds=TEXT",
    );
    refused(
        &["create", "--prompt", "@-", "--input-reference", "@-"],
        "--prompt @- and --input-reference @- cannot both read standard input",
    );
    refused(
        &["create", "--prompt", "x", "--model", "m", "--field", "model=n"],
        "--field model cannot be used with --model",
    );
}

/// The two commands have the same fields, but neither resumes the record of the other.
#[test]
fn a_state_file_of_one_command_is_refused_by_another() {
    let directory = TempDir::new();
    let edit = ["edit", "--prompt", "x", "--video", "video_1"];
    let server = Server::script(vec![job("queued"), job("completed")]);
    let run = |args: &[&str]| {
        openai(&["videos"])
            .args(args)
            .args(&["--state", "s", "-q"])
            .server(&server)
            .current_dir(directory.path())
            .run()
    };
    run(&edit).success();
    for command in [
        &["extend", "--prompt", "x", "--video", "video_1", "--field", "duration:=4"][..],
        &["remix", "video_1", "--prompt", "x", "--field", "video:={\"id\":\"video_1\"}"],
        &["create", "--prompt", "x", "--field", "video:={\"id\":\"video_1\"}"],
    ] {
        run(command).code(2).stderr_contains("'s' holds another request that is not finished");
    }
    run(&[&edit[..], &["--wait"]].concat()).success();
    server.finish();
    assert_eq!(fs::read_to_string(directory.path().join("s")).unwrap(), "");
}

/// The whole life of a job, made by one command and changed by the others.
#[test]
fn every_command_works_with_the_stand_in_server() {
    let (server, host) = Server::like("openai", Some(KEY), 0);
    let run = |args: &[&str]| {
        openai(&["videos"])
            .args(args)
            .args(&["--api-key", KEY, "-q"])
            .file("clip.mp4", CLIP)
            .server(&server)
            .run()
    };
    for (args, id) in [
        (&["create", "--prompt", "x", "-o", "out.mp4"][..], "video_1"),
        (&["extend", "--prompt", "x", "--seconds", "4", "--video", "video_1", "--wait"], "video_2"),
        (&["edit", "--prompt", "x", "--video", "@clip.mp4", "--wait"], "video_3"),
        (&["remix", "video_2", "--prompt", "y", "--wait"], "video_4"),
    ] {
        let run = run(args);
        let printed: Value = serde_json::from_slice(&run.success().stdout).unwrap();
        assert_eq!((&printed["id"], &printed["status"]), (&json!(id), &json!("completed")));
    }
    run(&["list", "--transform", "id", "-r"]).is(0, "video_4\nvideo_3\nvideo_2\nvideo_1\n", "");
    run(&["create-character", "--name", "Mia", "--video", "clip.mp4"]).success();
    run(&["get-character", "char_1", "--transform", "name", "-r"]).is(0, "Mia\n", "");
    server.finish();
    host.finish();
}
