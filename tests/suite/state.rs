//! `--state`: one job, however often a run is interrupted, repeated or started twice.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::support::{
    CLIP, EXTEND, Openai, Reply, Request, SHORT_WAIT, Server, TempDir, job, openai, program,
    slow_job,
};

const COMPLETED: &str = "{\n  \"id\": \"video_1\",\n  \"status\": \"completed\"\n}\n";

fn extend() -> Openai {
    openai(&EXTEND).args(&["--wait", "--state", "job", "-q"])
}

fn call(server: &Server, directory: &TempDir) -> Openai {
    extend().server(server).current_dir(directory.path())
}

/// In Unix seconds.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// A list with one job, which has this prompt and was created just now.
fn listed(prompt: &str) -> Reply {
    let job = format!(r#"{{"id":"video_1","prompt":"{prompt}","created_at":{}}}"#, now());
    Reply::json(200, &format!(r#"{{"data":[{job}]}}"#))
}

fn state(directory: &TempDir) -> String {
    fs::read_to_string(directory.path().join("job")).unwrap()
}

/// Starts a run whose request gets no response, and kills it.
fn interrupt_the_request(server: &Server, directory: &TempDir) {
    let mut running = call(server, directory).spawn();
    server.wait_for(1);
    running.kill();
    let _ = running.wait();
    assert!(state(directory).contains(r#""phase":"submitting""#));
}

fn key(request: &Request) -> &str {
    request.header("idempotency-key").unwrap()
}

#[test]
fn a_completed_job_empties_the_state_file_and_the_next_run_creates_another() {
    let directory = TempDir::new();
    let server =
        Server::script(vec![job("queued"), job("completed"), job("failed"), job("completed")]);
    call(&server, &directory).run().is(0, COMPLETED, "");
    assert_eq!(state(&directory), "");
    let mode = fs::metadata(directory.path().join("job")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    call(&server, &directory).run().code(1);
    assert_eq!(state(&directory), "");
    call(&server, &directory).run().is(0, COMPLETED, "");
    let requests = server.finish();
    assert_eq!(requests.iter().filter(|request| request.method == "POST").count(), 3);
    assert_ne!(key(&requests[0]), key(&requests[2]));
}

#[test]
fn a_rerun_resumes_the_job_in_the_state_file() {
    let directory = TempDir::new();
    let server = Server::script(vec![job("queued"), Reply::silence(), job("completed")]);
    let mut running = call(&server, &directory).spawn();
    server.wait_for(2);
    running.kill();
    assert_eq!(running.wait().stderr_text(), "");
    assert!(state(&directory).contains(r#""phase":"submitted","#));
    call(&server, &directory).run().is(0, COMPLETED, "");
    let requests = server.finish();
    assert_eq!(requests[2].target, "/v1/videos/video_1");
}

#[test]
fn a_rerun_resumes_a_request_whose_values_hold_line_breaks() {
    let directory = TempDir::new();
    fs::write(directory.path().join("body"), "{\"options\":{\n  \"seed\": 1\r\n}}").unwrap();
    let server = Server::script(vec![job("queued"), Reply::silence(), job("completed")]);
    let run = || {
        openai(&["videos", "extend", "--wait", "--state", "job", "-q", "--body", "body"])
            .args(&["--prompt", "It snows", "--seconds", "4", "--video", "{\"id\":\n\"v\"}"])
            .args(&["--field", "x:=[1,\n2]"])
            .server(&server)
            .current_dir(directory.path())
    };
    let mut running = run().spawn();
    server.wait_for(2);
    running.kill();
    let _ = running.wait();
    run().run().is(0, COMPLETED, "");
    let requests = server.finish();
    assert_eq!(requests[2].target, "/v1/videos/video_1");
}

/// For example, a request with an image as a `data:` URL.
#[test]
fn the_job_of_a_large_request_is_in_the_state_file() {
    for (size, refusals) in [(1_900_000, 0), (1_300_000, 1)] {
        let directory = TempDir::new();
        let body = format!("{{\"image\":\"{}\"}}", "A".repeat(size));
        fs::write(directory.path().join("body"), body).unwrap();
        let busy = || Reply::json(503, "{}").header("Retry-After", "0");
        let replies = (0..refusals).map(|_| busy()).chain([slow_job("queued"), job("queued")]);
        let server = Server::script(replies.chain([job("completed")]).collect());
        let run = || call(&server, &directory).args(&["--body", "body"]);
        run().args(&SHORT_WAIT).run().code(8);
        assert!(state(&directory).contains(r#""phase":"submitted""#), "{size}");
        run().run().is(0, COMPLETED, "");
        let requests = server.finish();
        assert_eq!(requests.last().unwrap().target, "/v1/videos/video_1");
    }
}

#[test]
fn a_rerun_after_the_wait_timeout_keeps_waiting() {
    let directory = TempDir::new();
    let server = Server::script(vec![slow_job("queued"), job("in_progress"), job("completed")]);
    call(&server, &directory).args(&SHORT_WAIT).run().code(8);
    call(&server, &directory).run().is(0, COMPLETED, "");
    server.finish();
}

#[test]
fn a_rerun_after_an_interrupted_request_recovers_the_job_from_the_list() {
    let directory = TempDir::new();
    let server = Server::script(vec![Reply::silence(), listed("x"), job("completed")]);
    interrupt_the_request(&server, &directory);
    call(&server, &directory).run().is(0, COMPLETED, "");
    let requests = server.finish();
    assert_eq!(requests[1].target, "/v1/videos?order=desc&limit=100");
    assert_eq!(state(&directory), "");
}

/// A whole list with one job, created this many seconds ago.
fn whole_list(prompt: &str, age: u64) -> Reply {
    let job = format!(r#"{{"id":"video_2","prompt":"{prompt}","created_at":{}}}"#, now() - age);
    Reply::json(200, &format!(r#"{{"data":[{job}],"has_more":false}}"#))
}

fn empty_list() -> Reply {
    Reply::json(200, r#"{"data":[],"has_more":false}"#)
}

/// A list in another order than requested. If it is limited in length, it lacks the newest jobs.
fn oldest_first() -> Reply {
    let jobs =
        [100_000, 90_000].map(|age| format!(r#"{{"id":"v{age}","created_at":{}}}"#, now() - age));
    Reply::json(200, &format!(r#"{{"data":[{}],"has_more":false}}"#, jobs.join(",")))
}

/// Moves the interrupted request, if there is one, ten minutes into the past.
fn backdate(directory: &Path) {
    let path = directory.join("job");
    let mut text = fs::read_to_string(&path).unwrap_or_default();
    for name in ["since", "retried"] {
        let member = format!("\"{name}\":");
        let mut parts = text.split(&member);
        let mut dated = parts.next().unwrap().to_owned();
        for part in parts {
            let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
            dated += &format!("{member}{}{rest}", now() - 600);
        }
        text = dated;
    }
    if !text.is_empty() {
        fs::write(path, text).unwrap();
    }
}

#[test]
fn an_interrupted_request_is_repeated_with_the_same_key_if_there_can_be_no_job() {
    for list in [empty_list(), whole_list("x", 3 * 86_400)] {
        let directory = TempDir::new();
        let server = Server::script(vec![Reply::silence(), list, job("completed")]);
        interrupt_the_request(&server, &directory);
        backdate(directory.path());
        call(&server, &directory).run().is(0, COMPLETED, "");
        let requests = server.finish();
        assert_eq!(requests[1].header("cache-control"), Some("no-cache"));
        assert_eq!((requests[2].method.as_str(), key(&requests[2])), ("POST", key(&requests[0])));
    }
}

#[test]
fn an_inconclusive_list_ends_with_code_7() {
    let large = format!(r#"{{"data":[],"has_more":false,"pad":"{}"}}"#, "x".repeat(16 << 20));
    for (list, reason) in [
        (
            whole_list("another", 60),
            "the job 'video_2' was created at about that time, and servers may change a prompt",
        ),
        (
            Reply::json(200, r#"{"data":[]}"#),
            "the server does not say whether its list of jobs is complete",
        ),
        (empty_list().header("Age", "60"), "the list of jobs came from a cache"),
        (
            Reply::json(200, r#"{"data":[],"has_more":false,"error":{"message":"shard down"}}"#),
            "the server's list of jobs contradicts itself",
        ),
        (
            Reply::json(200, r#"{"data":[],"has_more":false,"last_id":"video_9"}"#),
            "the server's list of jobs contradicts itself",
        ),
        (
            Reply::json(200, r#"{"data":[],"has_more":false,"total":7}"#),
            "the server's list of jobs contradicts itself",
        ),
        (
            empty_list().header("Link", "</v1/videos?page=2>; rel=\"next\""),
            "the server's list of jobs contradicts itself",
        ),
        (
            empty_list().header("X-Cache", "Hit from cloudfront"),
            "the list of jobs came from a cache",
        ),
        (
            empty_list().header("Cache-Status", "edge; hit; ttl=9"),
            "the list of jobs came from a cache",
        ),
        (oldest_first(), "the server does not list its newest jobs first"),
        (Reply::json(200, &large), "the server's list of jobs is too large"),
        (Reply::redirect(302, "http://127.0.0.1:1/list"), ""),
    ] {
        let directory = TempDir::new();
        let server = Server::script(vec![Reply::silence(), list]);
        interrupt_the_request(&server, &directory);
        backdate(directory.path());
        let before = state(&directory);
        let run = call(&server, &directory).args(&["--max-retries", "0"]).run();
        if !reason.is_empty() {
            run.code(7).stderr_contains(&format!("a job may exist: {reason}\n"));
        }
        assert_eq!(state(&directory), before);
        server.finish();
    }
}

#[test]
fn retry_unsafe_does_not_repeat_the_interrupted_request_of_an_earlier_run() {
    let directory = TempDir::new();
    let server = Server::script(vec![Reply::silence(), Reply::json(404, "{}")]);
    interrupt_the_request(&server, &directory);
    call(&server, &directory).args(&["--retry-unsafe"]).run().code(7);
    server.finish();
}

#[test]
fn a_job_that_is_not_listed_yet_is_searched_for_until_the_wait_timeout() {
    let directory = TempDir::new();
    let server = Server::script(vec![Reply::silence(), empty_list(), empty_list()]);
    interrupt_the_request(&server, &directory);
    call(&server, &directory)
        .args(&["--wait-timeout", "1s"])
        .run()
        .code(7)
        .stderr_contains("a job may exist: the server does not list it yet\n");
    assert!(state(&directory).contains("submitting"));
    server.finish();
}

#[test]
fn the_whole_list_is_read_before_a_request_is_repeated() {
    let directory = TempDir::new();
    let page = |id: &str, more: bool| {
        let job = format!(r#"{{"id":"{id}","prompt":"y","created_at":1700000000}}"#);
        Reply::json(200, &format!(r#"{{"data":[{job}],"has_more":{more}}}"#))
    };
    let server =
        Server::script(vec![Reply::silence(), page("a", true), page("b", false), job("completed")]);
    interrupt_the_request(&server, &directory);
    backdate(directory.path());
    call(&server, &directory).run().is(0, COMPLETED, "");
    let requests = server.finish();
    assert_eq!(requests[2].target, "/v1/videos?order=desc&limit=100&after=a");
}

#[test]
fn a_request_with_line_breaks_in_its_values_is_resumed() {
    for video in ["--video", "--field"] {
        let value = "{\n  \"id\": \"v\",\n  \"n\": 1.0\n}";
        let value = if video == "--video" { value.to_owned() } else { format!("x:={value}") };
        let directory = TempDir::new();
        let server = Server::script(vec![Reply::silence(), listed("x"), job("completed")]);
        let run = || call(&server, &directory).args(&[video, &value]);
        let mut running = run().spawn();
        server.wait_for(1);
        running.kill();
        let _ = running.wait();
        assert_eq!(state(&directory).lines().count(), 1, "{}", state(&directory));
        run().run().is(0, COMPLETED, "");
        server.finish();
    }
}

#[test]
fn a_state_file_of_0_1_0_is_resumed() {
    let directory = TempDir::new();
    let server = Server::script(vec![job("completed")]);
    let record = format!(
        "{{\"openai-videos-state\":1,\"phase\":\"submitted\",\"since\":1800000000,\
         \"idempotency_key\":\"k\",\"id\":\"video_1\",\
         \"request\":{{\"base_url\":\"{}\",\"fields\":{{\"prompt\":\"x\",\
         \"seconds\":\"4\",\"video\":{{\n\"id\":\"v\"\n}}}}}}}}\n",
        server.base_url()
    );
    fs::write(directory.path().join("job"), record).unwrap();
    call(&server, &directory).run().is(0, COMPLETED, "");
    assert_eq!(server.finish()[0].target, "/v1/videos/video_1");
}

#[test]
fn an_interrupted_request_is_not_repeated_with_another_key_organization_or_project() {
    const OURS: [&str; 6] = ["--api-key", "sk-first", "--organization", "o", "--project", "p"];
    for change in [
        &["--api-key", "sk-second"][..],
        &["--organization", "another"],
        &["--project", "another"],
        &["--header", "Authorization: Bearer sk-second"],
        &["--header", "X-Tenant: another"],
    ] {
        let directory = TempDir::new();
        let server = Server::script(vec![Reply::silence(), empty_list()]);
        let run = || call(&server, &directory).args(&OURS);
        let mut running = run().spawn();
        server.wait_for(1);
        running.kill();
        let _ = running.wait();
        backdate(directory.path());
        let before = state(&directory);
        assert!(!before.contains("sk-first"), "{before}");
        // The empty list of another account does not show that there is no job.
        run().args(change).run().is(
            7,
            "",
            "openai: an earlier run was interrupted while it sent the request, and a job may \
             exist: that run had another key, organization or project\n\
             hint: run this with the key, organization, project and headers of that run, or remove \
             'job' only if that run created no job\n",
        );
        assert_eq!(state(&directory), before);
        server.finish();
    }
}

#[test]
fn a_run_with_a_new_key_recovers_a_listed_job_and_does_not_report_a_missing_one_as_gone() {
    let directory = TempDir::new();
    let missing = || Reply::json(404, r#"{"error":"no"}"#);
    let silence = Reply::silence;
    let server = Server::script(vec![silence(), listed("x"), silence(), missing(), missing()]);
    interrupt_the_request(&server, &directory);
    let run = |key: &str| call(&server, &directory).args(&["--api-key", key]);
    let mut waiting = run("sk-new").spawn();
    server.wait_for(3);
    waiting.kill();
    let _ = waiting.wait();
    assert!(state(&directory).contains("submitted"));
    // Recovered with the new key, it is that key's job.
    run("sk-new").run().code(3).stderr_contains("and remove 'job' to create another one\n");
    run("sk-third").run().is(
        3,
        "",
        "openai: the server does not have the job that 'job' holds for this key, organization or \
         project: the server responded with HTTP 404: no\n\
         hint: run this with the key, organization, project and headers of the run that created \
         the job\n",
    );
    assert!(state(&directory).contains("submitted"));
    server.finish();
}

#[test]
fn a_request_of_0_1_0_whose_body_named_the_video_by_a_string_is_resumed() {
    for (video, code) in [("v", 0), ("https://user.example/a.mp4?sig=1", 0), ("another", 2)] {
        let directory = TempDir::new();
        let server = Server::script(if code == 0 { vec![job("completed")] } else { vec![] });
        // Today it is sent as {"id": ...} or {"url": ...}.
        let body = format!("{{\"prompt\": \"x\", \"seconds\": \"4\", \"video\": \"{video}\"}}");
        fs::write(directory.path().join("body"), &body).unwrap();
        let stored = body.replace("another", "v");
        let record = format!(
            "{{\"openai-videos-state\":1,\"phase\":\"submitted\",\"since\":1800000000,\
             \"idempotency_key\":\"k\",\"id\":\"video_1\",\"request\":{{\"base_url\":\"{}\",\
             \"fields\":{stored}}}}}\n",
            server.base_url()
        );
        fs::write(directory.path().join("job"), record).unwrap();
        let run = openai(&["videos", "extend", "--body", "body", "--wait", "--state", "job", "-q"]);
        run.server(&server).current_dir(directory.path()).run().code(code);
        server.finish();
    }
}

#[test]
fn a_request_of_0_1_0_without_an_account_is_repeated_with_any_key() {
    let directory = TempDir::new();
    let server = Server::script(vec![empty_list(), job("completed")]);
    let record = format!(
        "{{\"openai-videos-state\":1,\"phase\":\"submitting\",\"since\":{},\
         \"idempotency_key\":\"k\",\"request\":{{\"base_url\":\"{}\",\
         \"fields\":{{\"prompt\":\"x\",\"seconds\":\"4\",\
         \"video\":{{\n\"id\": \"v\"\n}}}}}}}}\n",
        now() - 600,
        server.base_url()
    );
    fs::write(directory.path().join("job"), record).unwrap();
    call(&server, &directory).args(&["--api-key", "sk"]).run().is(0, COMPLETED, "");
    let requests = server.finish();
    assert_eq!((requests[1].method.as_str(), key(&requests[1])), ("POST", "k"));
}

#[test]
fn another_encoding_does_not_make_another_request() {
    let directory = TempDir::new();
    let server = Server::script(vec![Reply::silence(), listed("x"), job("completed")]);
    interrupt_the_request(&server, &directory);
    call(&server, &directory).args(&["--encoding", "multipart"]).run().is(0, COMPLETED, "");
    server.finish();
}

#[test]
fn an_undecided_recovery_ends_with_code_7_until_the_state_file_is_removed() {
    let directory = TempDir::new();
    let without_prompt = || Reply::json(200, r#"{"data":[{"id":"a","prompt":null}]}"#);
    let no_list = Reply::json(404, r#"{"error":"no such page"}"#);
    let server =
        Server::script(vec![Reply::silence(), without_prompt(), no_list, job("completed")]);
    let url = server.base_url();
    interrupt_the_request(&server, &directory);
    let before = state(&directory);
    call(&server, &directory).run().is(
        7,
        "",
        &format!(
            "openai: an earlier run was interrupted while it sent the request, and a job may \
             exist: the server does not list the prompts of its jobs\n\
             hint: look for the job, and remove 'job' only if there is none, to send the request \
             again: openai videos list --limit 5 --max-items 5 --base-url '{url}'\n"
        ),
    );
    call(&server, &directory)
        .run()
        .code(7)
        .stderr_contains("the server does not list its jobs: the server responded with HTTP 404");
    assert_eq!(state(&directory), before);
    fs::remove_file(directory.path().join("job")).unwrap();
    call(&server, &directory).run().is(0, COMPLETED, "");
    let requests = server.finish();
    assert_ne!(key(&requests[0]), key(&requests[3]));
}

#[test]
fn a_conflict_during_recovery_keeps_the_state_file() {
    let directory = TempDir::new();
    let conflict = Reply::json(409, r#"{"error":"a request with this key is being processed"}"#);
    let server = Server::script(vec![
        Reply::silence(),
        empty_list(),
        conflict,
        listed(" x\\n"),
        job("completed"),
    ]);
    interrupt_the_request(&server, &directory);
    backdate(directory.path());
    call(&server, &directory).args(&["--max-retries", "0"]).run().code(5);
    call(&server, &directory).run().is(0, COMPLETED, "");
    let requests = server.finish();
    assert_eq!(key(&requests[2]), key(&requests[0]));
    assert_eq!(requests[4].method, "GET");
}

#[test]
fn a_job_that_the_server_no_longer_has_is_reported_with_a_hint() {
    let directory = TempDir::new();
    let server = Server::script(vec![
        slow_job("queued"),
        job("queued"),
        Reply::json(404, r#"{"error":"no"}"#),
    ]);
    call(&server, &directory).args(&SHORT_WAIT).run().code(8);
    call(&server, &directory).run().is(
        3,
        "",
        "openai: the server no longer has the job that 'job' holds: the server responded with \
         HTTP 404: no\n\
         hint: check that the key belongs to the account that created the job, and remove 'job' \
         to create another one\n",
    );
    server.finish();
}

#[test]
fn a_missing_content_is_not_a_missing_job() {
    let directory = TempDir::new();
    // The server asks for a longer interval than the run has time for: the second request is the
    // last.
    let missing = Reply::json(404, r#"{"error":"no"}"#).header("openai-poll-after-ms", "60000");
    let jobs = [slow_job("queued"), job("queued"), job("completed")];
    let replies = [missing.clone(), missing, job("completed")];
    let server = Server::script(jobs.into_iter().chain(replies).collect());
    let run = || call(&server, &directory).args(&["-o", "out"]).args(&SHORT_WAIT).run();
    run().code(8);
    let outcome = run();
    outcome.code(3);
    assert!(!outcome.stderr_text().contains("remove"), "{}", outcome.stderr_text());
    assert!(state(&directory).contains("submitted"));
    server.finish();
}

#[test]
fn a_job_that_this_run_has_found_is_not_reported_as_gone() {
    let directory = TempDir::new();
    let missing = Reply::json(404, r#"{"error":"no"}"#);
    let found = || job("queued").header("openai-poll-after-ms", "100");
    let server = Server::script(vec![slow_job("queued"), found(), found(), missing]);
    call(&server, &directory).args(&SHORT_WAIT).run().code(8);
    let outcome = call(&server, &directory).run();
    outcome.code(3);
    assert!(!outcome.stderr_text().contains("remove"), "{}", outcome.stderr_text());
    assert!(state(&directory).contains("submitted"));
    server.finish();
}

#[test]
fn a_closed_pipe_keeps_the_job_in_the_state_file() {
    let directory = TempDir::new();
    let media = || Reply::status(200).header("Content-Type", "video/mp4").body(vec![1; 1 << 20]);
    let server = Server::script(vec![job("completed"), media(), job("completed"), media()]);
    call(&server, &directory).args(&["-o", "-"]).stdout_closed().run().is(0, "", "");
    assert!(state(&directory).contains("submitted"));
    call(&server, &directory).args(&["-o", "-"]).run().success();
    assert_eq!(state(&directory), "");
    server.finish();
}

#[test]
fn a_closed_pipe_for_the_json_keeps_the_job_in_the_state_file() {
    let directory = TempDir::new();
    let server = Server::script(vec![job("completed"), job("completed")]);
    call(&server, &directory).stdout_closed().run().is(0, "", "");
    assert!(state(&directory).contains("video_1"));
    call(&server, &directory).run().is(0, COMPLETED, "");
    assert_eq!(state(&directory), "");
    server.finish();

    let media = Reply::status(200).header("Content-Type", "video/mp4").body(CLIP);
    let server = Server::script(vec![job("completed"), media]);
    let stored = call(&server, &directory).args(&["-o", "out.mp4"]).stdout_closed().run();
    stored.is(0, "", "openai: job video_1\n");
    assert_eq!(state(&directory), "");
    server.finish();
}

#[test]
fn a_closed_standard_output_is_refused_before_the_request() {
    let directory = TempDir::new();
    let run = |server: &Server, redirection: &str, more: &[&str]| {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("exec \"$0\" \"$@\" {redirection}")]).arg(program());
        shell.args(EXTEND).args(["--wait", "--state", "job", "-q"]).args(more);
        shell.env_clear().env("OPENAI_BASE_URL", server.base_url()).current_dir(directory.path());
        shell.output().unwrap()
    };
    let server = Server::script(vec![]);
    let stderr = "openai: cannot write to standard output: it is closed, or /dev/null opened for \
                  reading and writing\n";
    for more in [&[][..], &["-o", "-"]] {
        let refused = run(&server, ">&-", more);
        assert_eq!(refused.status.code(), Some(9), "{refused:?}");
        assert_eq!(String::from_utf8_lossy(&refused.stderr), stderr);
    }
    server.finish();

    let media = Reply::status(200).header("Content-Type", "video/mp4").body(CLIP);
    let server = Server::script(vec![job("completed"), job("completed"), media]);
    for (redirection, more) in [(">/dev/null", &[][..]), (">&-", &["-o", "out.mp4"])] {
        let done = run(&server, redirection, more);
        assert_eq!((done.status.code(), &done.stderr[..]), (Some(0), &[][..]), "{done:?}");
    }
    assert_eq!(fs::read(directory.path().join("out.mp4")).unwrap(), CLIP);
    server.finish();
}

#[test]
fn the_state_file_the_output_and_the_inputs_are_different_files() {
    let directory = TempDir::new();
    let inside = |name: &str| directory.path().join(name);
    for (name, text) in
        [("clip.mp4", "clip"), ("prompt.txt", "p"), ("body", "{}"), ("headers", "X: y")]
    {
        std::fs::write(inside(name), text).unwrap();
    }
    std::fs::hard_link(inside("clip.mp4"), inside("hard")).unwrap();
    std::os::unix::fs::symlink("prompt.txt", inside("soft")).unwrap();
    std::os::unix::fs::symlink(".", inside("here")).unwrap();
    for (args, message) in [
        (&["--state", "a", "-o", "./a"][..], "--state and --output cannot be the same file 'a'"),
        (&["--state", "a", "-o", "here/a"], "--state and --output cannot be the same file 'a'"),
        (
            &["--state", "hard", "--video", "@clip.mp4"],
            "--state and --video cannot be the same file 'hard'",
        ),
        (
            &["-o", "clip.mp4", "--video", "@./clip.mp4"],
            "--output and --video cannot be the same file 'clip.mp4'",
        ),
        (
            &["-o", "soft", "--prompt", "@prompt.txt"],
            "--output and --prompt cannot be the same file 'soft'",
        ),
        (&["-o", "body", "--body", "body"], "--output and --body cannot be the same file 'body'"),
        (
            &["-o", "headers", "--header", "@headers"],
            "--output and --header cannot be the same file 'headers'",
        ),
    ] {
        let server = Server::script(vec![]);
        let run = extend().args(args).current_dir(directory.path()).server(&server).run();
        run.is(2, "", &format!("openai: {message}\n"));
        server.finish();
    }
    assert_eq!(std::fs::read(inside("clip.mp4")).unwrap(), b"clip");
}

/// As in `openai ... --body - -o body <body`.
#[test]
fn an_output_that_is_also_read_as_standard_input_is_refused() {
    let body = r#"{"prompt":"p","seconds":"4","video":"v"}"#;
    let message = |name: &str, file: &str| {
        format!("openai: {name} and standard input cannot be the same file '{file}'\n")
    };
    let run = |args: &[&str], server: &Server| {
        let run = openai(&["videos", "extend"]).args(args).file("body", body).server(server);
        let file = fs::File::open(run.directory().join("body")).unwrap();
        run.stdin_from(file).run()
    };
    let output = ["-o", "body"];
    for (args, name) in [
        (&["--body", "-"][..], "--output"),
        (&[], "--output"),
        (&["--prompt", "p", "--seconds", "4", "--video", "@-"], "--output"),
        (&["--body", "-", "--state", "body"], "--state"),
    ] {
        let server = Server::script(vec![]);
        let more = if name == "--output" { &output[..] } else { &[] };
        let run = run(&[args, more].concat(), &server);
        run.is(2, "", &message(name, "body"));
        assert_eq!(fs::read(run.directory.join("body")).unwrap(), body.as_bytes());
        server.finish();
    }
    // A complete call does not read standard input.
    let server = Server::videos();
    let run = run(&[&EXTEND[2..], &output[..]].concat(), &server);
    run.success();
    assert_eq!(fs::read(run.directory.join("body")).unwrap(), CLIP);
    server.finish();
}

#[test]
fn a_large_request_with_a_state_file_is_sent_again_in_another_encoding() {
    let directory = TempDir::new();
    let prompt = "x".repeat(1_900_000);
    fs::write(directory.path().join("body"), format!(r#"{{"prompt":"x","note":"{prompt}"}}"#))
        .unwrap();
    let server = Server::script(vec![
        Reply::status(503),
        Reply::status(415),
        job("queued"),
        job("completed"),
    ]);
    let run = openai(&EXTEND).args(&["--body", "body", "--state", "job", "--wait", "-q"]);
    let run = run.args(&["--poll-interval", "10ms"]).current_dir(directory.path()).server(&server);
    run.run().is(0, COMPLETED, "");
    let switched = &server.finish()[2];
    assert!(switched.header("content-type").unwrap().starts_with("multipart/form-data"));
    assert!(switched.whole && switched.body_len > prompt.len() as u64);
}

#[test]
fn skip_existing_sends_nothing_if_the_output_is_not_empty() {
    let directory = TempDir::new();
    let output = directory.path().join("out.mp4");
    let skip = |server: &Server, more: &[&str]| {
        let run = openai(&EXTEND).args(&["-o", "out.mp4", "--skip-existing"]).args(more);
        run.current_dir(directory.path()).env("OPENAI_BASE_URL", server.base_url()).run()
    };
    let completed = || {
        let content = Reply::status(200).header("Content-Type", "video/mp4").body(CLIP);
        vec![job("completed"), content]
    };
    for (contents, is_skipped) in [(None, false), (Some(""), false), (Some("old"), true)] {
        drop(fs::remove_file(&output));
        if let Some(contents) = contents {
            fs::write(&output, contents).unwrap();
        }
        let server = Server::script(if is_skipped { vec![] } else { completed() });
        let run = skip(&server, &[]);
        if is_skipped {
            run.is(0, "", "");
        } else {
            run.success();
            assert_eq!(fs::read(&output).unwrap(), CLIP);
        }
        server.finish();
    }
    // The default server needs a key only if a request is sent.
    let run = openai(&EXTEND).args(&["-o", "out.mp4", "--skip-existing"]);
    run.current_dir(directory.path()).run().is(0, "", "");
    // A dry run prints the request.
    let server = Server::script(vec![]);
    skip(&server, &["--dry-run", "--state", "job"]).success().stdout_contains("POST ");
    assert!(!directory.path().join("job").exists());
    for more in [&["-o", "{id}.mp4"][..], &["-o", "-"]] {
        let message = "openai: --skip-existing needs --output FILE, without {id}\n";
        skip(&server, more).is(2, "", message);
    }
    server.finish();
}

#[test]
fn skip_existing_resumes_a_pending_job_and_respects_the_lock() {
    let directory = TempDir::new();
    fs::write(directory.path().join("out.mp4"), "old").unwrap();
    let skip = |server: &Server, more: &[&str]| {
        call(server, &directory).args(&["-o", "out.mp4", "--skip-existing"]).args(more).run()
    };
    // An empty state: skipped.
    let server = Server::script(vec![]);
    skip(&server, &[]).is(0, "", "");
    server.finish();

    // A pending job of this request is finished, of another one it is refused.
    let content = Reply::status(200).header("Content-Type", "video/mp4").body(CLIP);
    let server = Server::script(vec![job("queued"), job("completed"), content]);
    let submit = openai(&EXTEND).args(&["--state", "job"]).server(&server);
    submit.current_dir(directory.path()).run().success();
    skip(&server, &["--prompt", "another"]).code(2);
    skip(&server, &[]).success();
    assert_eq!(fs::read(directory.path().join("out.mp4")).unwrap(), CLIP);
    assert_eq!(state(&directory), "");
    let requests = server.finish();
    assert_eq!(requests.iter().filter(|request| request.method == "POST").count(), 1);

    // Another run holds the lock.
    let server = Server::script(vec![]);
    let held = fs::File::open(directory.path().join("job")).unwrap();
    held.lock().unwrap();
    skip(&server, &[]).code(10);
    server.finish();
}

#[test]
fn a_recovery_that_fails_is_repeated_by_the_next_run() {
    let directory = TempDir::new();
    let busy = || Reply::json(503, "{}").header("Retry-After", "0");
    let server = Server::script(vec![Reply::silence(), busy(), listed("x"), job("completed")]);
    interrupt_the_request(&server, &directory);
    call(&server, &directory).args(&["--max-retries", "0"]).run().code(5);
    call(&server, &directory).run().is(0, COMPLETED, "");
    server.finish();
}

#[test]
fn only_an_unknown_outcome_stays_in_the_state_file() {
    for (reply, code, kept) in [
        (Reply::json(502, "{}"), 7, true),
        (Reply::empty(), 7, true),
        (Reply::json(200, "<html>"), 7, true),
        (Reply::redirect(303, "/v1/videos/video_1"), 7, true),
        (Reply::redirect(302, "/v1/login"), 7, true),
        (Reply::redirect(307, "/v2/videos"), 3, false),
        (Reply::json(409, "{}"), 5, true),
        (Reply::json(400, "{}"), 3, false),
        (Reply::json(401, "{}"), 4, false),
        (Reply::json(503, "{}"), 5, false),
    ] {
        let directory = TempDir::new();
        let server = Server::script(vec![reply]);
        call(&server, &directory).args(&["--max-retries", "0"]).run().code(code);
        assert_eq!(!state(&directory).is_empty(), kept);
        server.finish();
    }
}

#[test]
fn a_conflict_keeps_the_state_file_even_if_its_retry_is_refused() {
    let directory = TempDir::new();
    let conflict = Reply::json(409, "{}").header("Retry-After", "0");
    let server = Server::script(vec![conflict, Reply::json(401, "{}")]);
    call(&server, &directory).run().code(5);
    assert!(state(&directory).contains("submitting"));
    server.finish();
}

#[test]
fn another_request_is_refused_while_a_job_is_pending() {
    let directory = TempDir::new();
    let server = Server::script(vec![Reply::silence()]);
    interrupt_the_request(&server, &directory);
    let refusal = "openai: 'job' holds another request that is not finished\n\
                   hint: finish it with its own arguments, or remove the file to give it up\n";
    call(&server, &directory).args(&["--prompt", "y"]).run().is(2, "", refusal);
    call(&server, &directory).args(&["--field", "a=b"]).run().is(2, "", refusal);
    server.finish();
    let elsewhere = Server::script(vec![]);
    call(&elsewhere, &directory).run().is(2, "", refusal);
    elsewhere.finish();
}

#[test]
fn ten_simultaneous_runs_create_one_job() {
    let directory = TempDir::new();
    let server = Server::script(vec![job("completed").pause_after(1)]);
    let first = call(&server, &directory).spawn();
    server.wait_for(1);
    let others: Vec<_> = (0..9).map(|_| call(&server, &directory).spawn()).collect();
    for other in others {
        other.wait().is(10, "", "openai: another run holds the state file 'job'\n");
    }
    server.resume();
    first.wait().is(0, COMPLETED, "");
    assert_eq!(server.finish().len(), 1);
}

#[test]
fn a_file_that_is_not_a_state_file_is_refused_and_unchanged() {
    let server = Server::script(vec![]);
    for content in ["hello", "{}", "\n", "{\"openai-videos-state\":2}\n"] {
        let directory = TempDir::new();
        let path = directory.path().join("job");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let facts = || {
            let metadata = fs::metadata(&path).unwrap();
            (metadata.mode(), metadata.modified().unwrap(), metadata.ctime_nsec())
        };
        let before = facts();
        call(&server, &directory).run().is(
            2,
            "",
            "openai: 'job' is not a state file of this program, and is left as it is\n\
             hint: name another state file\n",
        );
        assert_eq!((state(&directory).as_str(), facts()), (content, before));
    }
    for (path, message) in [
        ("none/job", "the directory of the state file 'none/job' does not exist"),
        ("/", "the state file '/' is a directory"),
        ("", "--state: the value is empty"),
    ] {
        let directory = TempDir::new();
        call(&server, &directory).args(&["--state", path]).run().is(
            2,
            "",
            &format!("openai: {message}\n"),
        );
    }
    server.finish();
}

#[test]
fn an_incomplete_line_in_the_state_file_is_ignored() {
    let directory = TempDir::new();
    let server = Server::script(vec![job("completed")]);
    fs::write(directory.path().join("job"), "{\"openai-videos-state\":1,\"phase\":\"submi")
        .unwrap();
    call(&server, &directory).run().is(0, COMPLETED, "");
    server.finish();
}

/// Simulates a full disk with a limit on the size of files.
#[test]
fn a_state_file_that_cannot_be_written_prevents_the_request() {
    let directory = TempDir::new();
    let server = Server::script(vec![]);
    let limited = "trap '' XFSZ; ulimit -f 0; exec \"$@\"";
    let output = Command::new("sh")
        .args(["-c", limited, "sh"])
        .arg(program())
        .args(EXTEND)
        .args(["--wait", "--state", "job", "-q"])
        .env("OPENAI_BASE_URL", server.base_url())
        .current_dir(directory.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(9), "{stderr}");
    assert_eq!(stderr, "openai: cannot write the state file 'job': File too large (os error 27)\n");
    server.finish();
}

#[test]
fn an_upload_is_identified_by_path_size_and_modification_time() {
    let directory = TempDir::new();
    let clip = directory.path().join("clip.mp4");
    fs::write(&clip, CLIP).unwrap();
    let server = Server::script(vec![Reply::silence(), listed("x"), job("completed")]);
    let upload = || call(&server, &directory).args(&["--video", "@clip.mp4"]);
    let mut running = upload().spawn();
    server.wait_for(1);
    running.kill();
    let _ = running.wait();

    fs::write(directory.path().join("copy.mp4"), CLIP).unwrap();
    call(&server, &directory).args(&["--video", "@copy.mp4"]).run().code(2);
    let modified = fs::metadata(&clip).unwrap().modified().unwrap();
    let touch = |time: SystemTime| {
        fs::File::options().write(true).open(&clip).unwrap().set_modified(time).unwrap()
    };
    touch(modified + Duration::from_secs(1));
    upload().run().code(2);
    touch(modified);
    upload().run().is(0, COMPLETED, "");
    server.finish();
}

#[test]
fn an_upload_from_standard_input_is_refused_with_a_state_file() {
    let directory = TempDir::new();
    let server = Server::script(vec![]);
    call(&server, &directory)
        .args(&["--video", "@-"])
        .stdin(CLIP)
        .run()
        .code(2)
        .stderr_contains("openai: a stream cannot be uploaded with a state file");
    server.finish();
}

#[test]
fn without_wait_each_run_retrieves_the_pending_job_once() {
    let directory = TempDir::new();
    let server =
        Server::script(vec![job("queued"), job("in_progress"), job("completed"), job("queued")]);
    let look = || {
        let outcome = openai(&EXTEND)
            .args(&["--state", "job"])
            .server(&server)
            .current_dir(directory.path())
            .run();
        outcome.code(0);
        outcome.stdout_text()
    };
    let seen: Vec<String> = (0..4).map(|_| look()).collect();
    for (text, status) in seen.iter().zip(["queued", "in_progress", "completed", "queued"]) {
        assert!(text.contains(status), "{text}");
    }
    let methods: Vec<String> = server.finish().into_iter().map(|request| request.method).collect();
    assert_eq!(methods, ["POST", "GET", "GET", "POST"]);
}

#[test]
fn the_api_key_is_not_visible_outside_the_request() {
    let directory = TempDir::new();
    let secret = "sk-topsecret-123";
    fs::write(directory.path().join("key"), secret).unwrap();
    let server = Server::script(vec![Reply::silence()]);
    let mut running =
        call(&server, &directory).args(&["--debug"]).env("OPENAI_API_KEY_FILE", "key").spawn();
    server.wait_for(1);
    let process = |file: &str| fs::read(format!("/proc/{}/{file}", running.id())).unwrap();
    let seen = [process("cmdline"), process("environ"), state(&directory).into_bytes()].concat();
    assert!(!String::from_utf8_lossy(&seen).contains(secret));
    running.kill();
    running.wait().never_shows(secret);
    assert_eq!(server.finish()[0].header("authorization"), Some("Bearer sk-topsecret-123"));
}

/// Sends a signal with the shell's `kill`.
fn signal(name: &str, id: u32) {
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().unwrap();
    assert!(status.success());
}

#[test]
fn sigterm_and_sigint_remove_the_temporary_file_and_exit_with_128_plus_the_signal() {
    for (name, code) in [("TERM", 143), ("INT", 130)] {
        let directory = TempDir::new();
        let media = Reply::status(200)
            .header("Content-Type", "video/mp4")
            .body(vec![0; 1 << 20])
            .stall(1 << 19);
        let server = Server::script(vec![job("completed"), media]);
        let running = openai(&EXTEND)
            .args(&["-o", "out.mp4"])
            .server(&server)
            .current_dir(directory.path())
            .spawn();
        server.wait_for(2);
        let part = directory.path().join(".out.mp4.openai-videos-part");
        while fs::metadata(&part).is_ok_and(|metadata| metadata.len() == 0) {
            thread::sleep(Duration::from_millis(5));
        }
        signal(name, running.id());
        running.wait().is(code, "", "openai: job video_1\n");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        server.finish();
    }
}

#[test]
fn sigterm_ends_a_run_that_still_reads_standard_input() {
    let mut child = Command::new(program())
        .args(["videos", "extend", "--body", "-"])
        .env("OPENAI_BASE_URL", "http://127.0.0.1:9")
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // More than a pipe holds: once all of it is written, the program is reading.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&[b' '; 1 << 18]).unwrap();
    signal("TERM", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn a_signal_ignored_by_the_parent_stays_ignored() {
    let server = Server::script(vec![job("completed").pause_after(1)]);
    let mut child = Command::new("sh")
        .args(["-c", "trap '' INT; exec \"$@\"", "sh"])
        .arg(program())
        .args(EXTEND)
        .env("OPENAI_BASE_URL", server.base_url())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    server.wait_for(1);
    signal("INT", child.id());
    server.resume();
    assert!(child.wait().unwrap().success());
    server.finish();
}

/// Runs with `-o` and kills the run after `life`, if given. Returns whether it succeeded.
fn run_for(server: &Server, directory: &Path, life: Option<Duration>) -> bool {
    let mut running = extend()
        .args(&["-o", "out.mp4", "--video", "@clip.mp4"])
        .server(server)
        .current_dir(directory)
        .spawn();
    if let Some(life) = life {
        thread::sleep(life);
        running.kill();
    }
    running.wait().status.success()
}

/// Kills runs with SIGKILL at instants spread over the duration of a run, and reruns until one
/// succeeds. The result is always one job and a complete file.
#[test]
fn a_killed_run_never_leads_to_a_second_job_or_an_incomplete_file() {
    const INSTANTS: u32 = 48;
    let one = |instant: u32| {
        let directory = TempDir::new();
        fs::write(directory.path().join("clip.mp4"), CLIP).unwrap();
        let mut server = Server::videos();
        // A whole run takes about 400 ms. For every other instant, two runs in a row are killed.
        let life = Duration::from_micros(u64::from(instant) * 10_000);
        // A run that is killed after its last step has succeeded, in spite of its exit code.
        let is_done = || {
            let whole = fs::read(directory.path().join("out.mp4")).is_ok_and(|media| media == CLIP);
            whole && fs::read(directory.path().join("job")).is_ok_and(|state| state.is_empty())
        };
        let mut ended = run_for(&server, directory.path(), Some(life)) || is_done();
        // A request of a killed run may still be on its way, and two minutes are not waited for.
        server.settle();
        if !ended && instant % 2 == 1 {
            backdate(directory.path());
            ended = run_for(&server, directory.path(), Some(life / 3)) || is_done();
            server.settle();
        }
        for _ in 0..3 {
            // Otherwise the run would search the list for two minutes if no job was created.
            backdate(directory.path());
            ended = ended || run_for(&server, directory.path(), None);
        }
        assert!(ended, "instant {instant}");
        let whole = fs::read(directory.path().join("out.mp4")).unwrap();
        assert!(whole == CLIP, "instant {instant}");
        let mut names: Vec<PathBuf> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        assert_eq!(names.len(), 3, "instant {instant}: {names:?}");
        let posts = server
            .finish()
            .into_iter()
            .filter(|request| request.method == "POST" && request.whole)
            .count();
        assert_eq!(posts, 1, "instant {instant}");
    };
    thread::scope(|scope| {
        for lane in 0..4 {
            scope.spawn(move || (lane..INSTANTS).step_by(4).for_each(one));
        }
    });
}
