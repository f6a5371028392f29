//! The guarantees of every command that creates a job, tested with each of them. The details are
//! tested with extend alone, in `state`, `wait`, `upload` and `retry`.

use std::fs;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::support::{
    CLIP, JOB, Openai, Outcome, PRINTED, Reply, Request, SHORT_WAIT, Server, TempDir, job, openai,
    slow_job,
};

/// A command that creates a job, with its shortest complete call.
struct Creating {
    name: &'static str,
    path: &'static str,
    args: &'static [&'static str],
    /// The body of the request.
    fields: &'static str,
    /// The arguments that upload a file, and the field of its part.
    upload: Option<(&'static [&'static str], &'static str)>,
    /// The members of the job in the server's list.
    listed: &'static str,
    /// Members that no job of this request has, and what the program says about them.
    other: &'static [(&'static str, &'static str)],
}

const CREATING: [Creating; 4] = [
    Creating {
        name: "extend",
        path: "/v1/videos/extensions",
        args: &["--prompt", "x", "--seconds", "4", "--video", "v"],
        fields: r#"{"prompt":"x","seconds":"4","video":{"id":"v"}}"#,
        upload: Some((&["--prompt", "x", "--seconds", "4", "--video", "@clip.mp4"], "video")),
        // `seconds` is the length of the whole video.
        listed: r#""seconds":"12","remixed_from_video_id":"v""#,
        other: &[(r#""remixed_from_video_id":"w""#, "remixed_from_video_id")],
    },
    Creating {
        name: "create",
        path: "/v1/videos",
        args: &["--prompt", "x", "--model", "m", "--size", "1280x720", "--seconds", "8"],
        fields: r#"{"prompt":"x","model":"m","size":"1280x720","seconds":"8"}"#,
        upload: Some((&["--prompt", "x", "--input-reference", "@clip.mp4"], "input_reference")),
        listed: r#""model":"m","size":"1280x720","seconds":"8","remixed_from_video_id":null"#,
        other: &[
            (r#""model":"n""#, "model"),
            (r#""size":"720x1280""#, "size"),
            (r#""seconds":"4""#, "seconds"),
            (r#""remixed_from_video_id":"v""#, "remixed_from_video_id"),
        ],
    },
    Creating {
        name: "edit",
        path: "/v1/videos/edits",
        args: &["--prompt", "x", "--video", "v"],
        fields: r#"{"prompt":"x","video":{"id":"v"}}"#,
        upload: Some((&["--prompt", "x", "--video", "@clip.mp4"], "video")),
        listed: r#""seconds":"8","remixed_from_video_id":"v""#,
        other: &[(r#""remixed_from_video_id":"w""#, "remixed_from_video_id")],
    },
    Creating {
        name: "remix",
        path: "/v1/videos/v/remix",
        args: &["v", "--prompt", "x"],
        fields: r#"{"prompt":"x"}"#,
        upload: None,
        listed: r#""seconds":"8","remixed_from_video_id":"v""#,
        other: &[(r#""remixed_from_video_id":"w""#, "remixed_from_video_id")],
    },
];

impl Creating {
    fn call(&self, more: &[&str]) -> Openai {
        openai(&["videos", self.name]).args(self.args).args(more)
    }

    fn upload(&self, more: &[&str]) -> Option<Openai> {
        let (args, _) = self.upload?;
        let call = openai(&["videos", self.name]).args(args).args(more);
        Some(call.file("clip.mp4", CLIP))
    }

    fn fields(&self) -> Value {
        serde_json::from_str(self.fields).unwrap()
    }

    /// A list with one job, which was created just now and has this prompt and these members.
    fn listed(members: &str) -> Reply {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let job = format!(r#"{{"id":"video_1","prompt":"x","created_at":{now},{members}}}"#);
        Reply::json(200, &format!(r#"{{"data":[{job}],"has_more":false}}"#))
    }
}

/// Runs a call in a directory that stays.
fn run_in(directory: &TempDir, server: &Server, call: Openai) -> Outcome {
    call.server(server).current_dir(directory.path()).run()
}

/// Starts a run whose last request gets no response, and kills it.
fn kill_at_request(number: usize, directory: &TempDir, server: &Server, call: Openai) {
    let mut running = call.server(server).current_dir(directory.path()).spawn();
    server.wait_for(number);
    running.kill();
    let _ = running.wait();
}

fn posts(requests: &[Request]) -> usize {
    requests.iter().filter(|request| request.method == "POST").count()
}

fn key(request: &Request) -> &str {
    request.header("idempotency-key").unwrap()
}

#[test]
fn the_job_is_waited_for_and_its_media_are_stored() {
    for command in CREATING {
        let directory = TempDir::new();
        let media = Reply::status(200).header("Content-Type", "video/mp4").body(CLIP);
        let server = Server::script(vec![job("queued"), job("completed"), media]);
        let run = run_in(&directory, &server, command.call(&["-o", "out.mp4", "-q"]));
        run.success().stdout_contains("completed").stderr("openai: job video_1\n");
        assert_eq!(fs::read(directory.path().join("out.mp4")).unwrap(), CLIP);
        let requests = server.finish();
        assert_eq!(
            (requests[0].target.as_str(), requests[0].json()),
            (command.path, command.fields())
        );
        assert_eq!(requests[2].target, "/v1/videos/video_1/content");
        // The second run stores nothing and sends nothing.
        let server = Server::script(vec![]);
        let again = command.call(&["-o", "out.mp4", "--skip-existing"]);
        run_in(&directory, &server, again).is(0, "", "");
        server.finish();
    }
}

#[test]
fn a_failed_job_ends_with_code_1_and_one_that_runs_too_long_ends_with_code_8() {
    for command in CREATING {
        let server = Server::script(vec![job("failed"), slow_job("queued"), job("queued")]);
        command.call(&["--wait"]).server(&server).run().code(1);
        command.call(&["--wait"]).args(&SHORT_WAIT).server(&server).run().code(8);
        server.finish();
    }
}

#[test]
fn a_run_that_is_killed_after_the_post_is_resumed_from_the_state_file() {
    for command in CREATING {
        let directory = TempDir::new();
        let server = Server::script(vec![job("queued"), Reply::silence(), job("completed")]);
        let call = || command.call(&["--wait", "--state", "s", "-q"]);
        kill_at_request(2, &directory, &server, call());
        run_in(&directory, &server, call()).success().stderr("");
        assert_eq!(fs::read_to_string(directory.path().join("s")).unwrap(), "");
        assert_eq!(posts(&server.finish()), 1);
    }
}

#[test]
fn the_job_of_an_interrupted_post_is_recovered_from_the_list() {
    for command in CREATING {
        let directory = TempDir::new();
        let list = Creating::listed(command.listed);
        let server = Server::script(vec![Reply::silence(), list, job("completed")]);
        let call = || command.call(&["--wait", "--state", "s", "-q"]);
        kill_at_request(1, &directory, &server, call());
        run_in(&directory, &server, call()).success().stderr("");
        let requests = server.finish();
        assert_eq!(requests[2].target, "/v1/videos/video_1");
        assert_eq!(posts(&requests), 1);
    }
}

#[test]
fn a_listed_job_that_contradicts_the_interrupted_request_is_in_doubt() {
    for command in CREATING {
        for (members, name) in command.other {
            let directory = TempDir::new();
            let server = Server::script(vec![Reply::silence(), Creating::listed(members)]);
            let call = || command.call(&["--wait", "--state", "s", "-q"]);
            kill_at_request(1, &directory, &server, call());
            let before = fs::read_to_string(directory.path().join("s")).unwrap();
            let reason = format!("the job 'video_1' has this prompt, but another {name}\n");
            run_in(&directory, &server, call()).code(7).stderr_contains(&reason);
            assert_eq!(fs::read_to_string(directory.path().join("s")).unwrap(), before);
            assert_eq!(posts(&server.finish()), 1);
        }
    }
}

#[test]
fn a_dry_run_prints_the_request_and_sends_nothing() {
    for command in CREATING {
        let server = Server::script(vec![]);
        let url = server.base_url();
        let path = command.path.strip_prefix("/v1").unwrap();
        command.call(&["--dry-run"]).server(&server).run().is(
            0,
            &format!(
                "POST {url}{path}\nAccept: application/json\nUser-Agent: openai-videos/{}\n\
                 Idempotency-Key: [random]\nContent-Type: application/json\nContent-Length: {}\n\n\
                 {}\n",
                env!("CARGO_PKG_VERSION"),
                command.fields.len(),
                command.fields
            ),
            "",
        );
        if let Some((_, field)) = command.upload {
            let form = command.upload(&["--dry-run"]).unwrap().server(&server).run();
            let file = format!("\n{field}: file 'clip.mp4', video/mp4, {} bytes\n", CLIP.len());
            form.success().stdout_contains("\nprompt: x\n").stdout_contains(&file);
        }
        server.finish();
    }
}

#[test]
fn fields_come_from_a_body_and_from_field_options_too() {
    for command in CREATING {
        let body = command.fields.replacen('{', r#"{"user":"u","quality":"low","#, 1);
        let id = if command.name == "remix" { &["v"][..] } else { &[] };
        let server = Server::script(vec![Reply::json(200, JOB)]);
        openai(&["videos", command.name, "--body", "b", "--field", "quality:=1.50"])
            .args(id)
            .file("b", body)
            .server(&server)
            .run()
            .is(0, PRINTED, "");
        let mut expected = command.fields();
        expected["user"] = json!("u");
        expected["quality"] = json!(1.5);
        assert_eq!(server.finish()[0].json(), expected);
    }
}

#[test]
fn the_encoding_is_chosen_by_the_option() {
    for command in CREATING {
        let server = Server::script(vec![Reply::json(200, JOB), Reply::json(200, JOB)]);
        command.call(&["--encoding", "multipart"]).server(&server).run().is(0, PRINTED, "");
        command.call(&["--encoding", "json"]).server(&server).run().is(0, PRINTED, "");
        let requests = server.finish();
        assert_eq!(requests[0].part("prompt").text(), "x");
        assert_eq!(requests[1].json(), command.fields());
        let Some((_, field)) = command.upload else { continue };
        let server = Server::script(vec![Reply::json(200, JOB), Reply::json(200, JOB)]);
        for encoding in ["multipart", "data-url"] {
            let call = command.upload(&["--encoding", encoding]).unwrap();
            call.server(&server).run().is(0, PRINTED, "");
        }
        let requests = server.finish();
        assert_eq!(requests[0].part(field).body, CLIP);
        let url = requests[1].json()[field].as_object().unwrap().values().next().cloned();
        assert!(url.unwrap().as_str().unwrap().starts_with("data:video/mp4;base64,"));
    }
}

#[test]
fn status_415_switches_the_encoding_once_with_a_key_of_its_own() {
    for command in CREATING {
        for call in [Some(command.call(&["-q"])), command.upload(&["-q"])].into_iter().flatten() {
            let server = Server::script(vec![Reply::json(415, "{}"), Reply::json(200, JOB)]);
            call.server(&server).run().success();
            let requests = server.finish();
            assert_eq!(key(&requests[1]), format!("{}-2", key(&requests[0])));
            let types = [0, 1].map(|i| requests[i].header("content-type").unwrap());
            assert_eq!(types.iter().filter(|kind| **kind == "application/json").count(), 1);
        }
    }
}

#[test]
fn status_429_and_503_are_retried_with_the_same_key() {
    for command in CREATING {
        let busy = |status| Reply::json(status, "{}").header("retry-after-ms", "1");
        let server = Server::script(vec![busy(429), busy(503), Reply::json(200, JOB)]);
        command.call(&["-q"]).server(&server).run().success();
        let requests = server.finish();
        assert!(requests.iter().all(|request| key(request) == key(&requests[0])));
    }
}

#[test]
fn status_500_ends_with_code_7_with_the_command_that_looks_for_the_job() {
    for command in CREATING {
        let server = Server::script(vec![Reply::json(500, r#"{"error":"broken"}"#)]);
        let url = server.base_url();
        command.call(&[]).server(&server).run().is(
            7,
            "",
            &format!(
                "openai: the request was sent, but its outcome is unknown: the server responded \
                 with HTTP 500: broken\n\
                 hint: before running this again, look for the job, which may exist and be paid \
                 for: openai videos list --limit 5 --max-items 5 --base-url '{url}'\n"
            ),
        );
        server.finish();
        let server = Server::script(vec![Reply::json(500, "{}"), Reply::json(200, JOB)]);
        command.call(&["--retry-unsafe", "-q"]).server(&server).run().success();
        server.finish();
    }
}
