//! `--wait`, and the other commands for an existing job: polling, the errors that do not end it,
//! and how it ends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::support::{
    CLIP, EXTEND, Openai, Reply, SHORT_WAIT, Server, fill, job, openai, short_queue, slow_job,
};

const NOTE: &str = "openai: job video_1\n";

fn extend() -> Openai {
    openai(&EXTEND).args(&["--wait"])
}

fn printed(status: &str) -> String {
    format!("{{\n  \"id\": \"video_1\",\n  \"status\": \"{status}\"\n}}\n")
}

#[test]
fn wait_polls_until_the_job_is_completed_over_one_connection() {
    let server = Server::script(vec![
        job("queued"),
        job("in_progress"),
        job("in_progress"),
        job("completed"),
    ]);
    extend().server(&server).run().is(0, &printed("completed"), NOTE);
    let requests = server.finish();
    assert!(requests.iter().all(|request| request.connection == 0), "{requests:?}");
    assert!(requests[1..].iter().all(|request| (request.method.as_str(), request.target.as_str())
        == ("GET", "/v1/videos/video_1")));
    assert!(
        requests[1..]
            .iter()
            .all(|request| request.header("idempotency-key").is_none() && request.body_len == 0)
    );
}

#[test]
fn a_job_that_is_completed_at_once_is_not_polled() {
    let server = Server::script(vec![job("completed")]);
    extend().server(&server).run().is(0, &printed("completed"), NOTE);
    server.finish();
}

#[test]
fn a_failed_job_is_printed_and_ends_with_code_1() {
    let failed =
        r#"{"id":"video_1","status":"failed","error":{"code":"moderation","message":"not this"}}"#;
    let server = Server::script(vec![job("queued"), Reply::json(200, failed)]);
    extend().server(&server).run().code(1).stdout_contains("\"moderation\"").stderr(&format!(
        "{NOTE}openai: the job 'video_1' ended as failed: not this (code: moderation)\n"
    ));
    server.finish();
}

#[test]
fn status_words_of_other_servers_are_understood() {
    for (word, code) in [
        ("Complete", 0),
        ("SUCCESS", 0),
        ("succeeded", 0),
        ("succeed", 0),
        ("finished", 0),
        ("done", 0),
        ("failure", 1),
        ("fail", 1),
        ("error", 1),
        ("cancelled", 1),
        ("canceled", 1),
        ("expired", 1),
        ("deleted", 1),
    ] {
        let server = Server::script(vec![job("NOT_START"), job("processing"), job(word)]);
        extend().server(&server).run().code(code).stdout(&printed(word));
        server.finish();
    }
}

#[test]
fn an_unknown_status_is_reported_once_and_polled() {
    let server = Server::script(vec![job("dreaming"), job("dreaming"), job("done")]);
    let notice = "openai: unknown status 'dreaming', treated as pending\n";
    extend().server(&server).run().is(0, &printed("done"), &format!("{NOTE}{notice}"));
    server.finish();
}

#[test]
fn an_error_that_repeats_is_reported_once() {
    let server = Server::script(vec![
        job("queued"),
        Reply::json(500, "{}").header("x-request-id", "req_1"),
        Reply::json(500, "{}").header("x-request-id", "req_2"),
        Reply::json(502, "{}"),
        job("completed"),
        Reply::json(404, "{}").header("x-request-id", "req_3").header("openai-poll-after-ms", "1"),
        Reply::json(404, "{}").header("x-request-id", "req_4").header("openai-poll-after-ms", "1"),
        job("completed"),
        Reply::json(409, "{}").header("openai-poll-after-ms", "1"),
        job("completed"),
        Reply::json(409, "{}").header("openai-poll-after-ms", "1"),
        job("completed"),
        Reply::status(200).header("Content-Type", "video/mp4").body(CLIP),
    ]);
    let outcome = extend().args(&["--poll-interval", "1ms", "-o", "out.mp4"]).server(&server).run();
    let not_ready = "openai: the content is not ready, trying again for up to a minute";
    outcome.code(0).stderr(&format!(
        "{NOTE}openai: the server responded with HTTP 500: {{}} (request id: req_1); polling \
         again\n\
         openai: the server responded with HTTP 502: {{}}; polling again\n\
         {not_ready}: the server responded with HTTP 404: {{}} (request id: req_3)\n\
         {not_ready}: the server responded with HTTP 409: {{}}\n"
    ));
    server.finish();
}

#[test]
fn errors_while_polling_do_not_end_the_wait() {
    let server = Server::script(vec![
        job("queued"),
        Reply::json(500, "{}").header("Retry-After", "0.1"),
        Reply::empty(),
        Reply::json(200, "<html>"),
        Reply::json(429, "{}").header("Retry-After", "0.1"),
        Reply::json(400, r#"{"error": "busy"}"#),
        Reply::reset(),
        Reply::json(200, r#"{"status": "in_progress", "error": {"code": "x"}}"#),
        Reply::json(200, r#"{"id": "unknown", "status": "completed", "progress": null}"#),
    ]);
    let outcome = extend().args(&["--poll-interval", "10ms"]).server(&server).run();
    outcome.code(0).stdout(
        "{\n  \"id\": \"unknown\",\n  \"status\": \"completed\",\n  \"progress\": null\n}\n",
    );
    outcome.stderr_contains("openai: the server responded with HTTP 500: {}; polling again\n");
    assert!(server.finish()[1..].iter().all(|request| request.target == "/v1/videos/video_1"));
}

#[test]
fn a_broken_redirect_while_polling_does_not_end_the_wait() {
    for target in ["http:///x", "https://user@h/x", "ftp://h/x"] {
        let server =
            Server::script(vec![job("queued"), Reply::redirect(302, target), job("completed")]);
        extend().arg("-q").server(&server).run().code(0);
        server.finish();
    }
}

#[test]
fn an_unreachable_server_does_not_extend_the_wait_timeout() {
    let (socket, address) = short_queue();
    let server = thread::spawn(move || {
        let stream = TcpStream::from(socket.accept().unwrap().0);
        let guests = fill(address);
        let _ = (&stream).read(&mut [0; 4096]);
        let body = r#"{"id":"video_1","status":"queued"}"#;
        let head =
            format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}", body.len());
        (&stream).write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
        drop(stream);
        (socket, guests)
    });
    extend()
        .args(&["--base-url", &format!("http://{address}/v1"), "-q"])
        .args(&["--wait-timeout", "300ms", "--connect-timeout", "1h"])
        .time_limit(Duration::from_secs(20))
        .run()
        .code(8);
    drop(server.join().unwrap());
}

#[test]
fn a_refused_poll_ends_the_wait() {
    for (status, code) in [(401, 4), (403, 4), (404, 3), (410, 3)] {
        let refusal = Reply::json(status, r#"{"error": "no"}"#);
        // A poll has succeeded before, so that the 404 does not mean that a replica lags.
        let server = Server::script(vec![job("queued"), job("queued"), refusal]);
        extend()
            .server(&server)
            .run()
            .code(code)
            .stdout("")
            .stderr_contains(&format!("openai: the server responded with HTTP {status}: no\n"));
        server.finish();
    }
}

#[test]
fn a_job_that_a_replica_does_not_know_yet_is_polled_again() {
    let unknown =
        || Reply::json(404, r#"{"error": "no such job"}"#).header("openai-poll-after-ms", "100");
    let server = Server::script(vec![job("queued"), unknown(), unknown(), job("completed")]);
    let notice = "openai: the server responded with HTTP 404: no such job; polling again\n";
    extend().server(&server).run().is(0, &printed("completed"), &format!("{NOTE}{notice}"));
    server.finish();
    // A job that another run created is not new.
    let server = Server::script(vec![unknown()]);
    openai(&["videos", "retrieve", "video_1", "--wait"]).server(&server).run().code(3);
    server.finish();
}

#[test]
fn status_202_with_a_pending_job_is_a_poll_like_any_other() {
    let accepted = Reply::json(202, r#"{"id":"video_1","status":"pending"}"#);
    let server = Server::script(vec![
        job("queued"),
        accepted.header("openai-poll-after-ms", "100"),
        job("completed"),
    ]);
    extend().server(&server).run().is(0, &printed("completed"), NOTE);
    server.finish();
}

#[test]
fn an_expired_wait_ends_with_code_8_and_prints_the_job() {
    let server = Server::script(vec![slow_job("queued"), job("in_progress")]);
    let url = server.base_url();
    extend().args(&SHORT_WAIT).server(&server).run().is(
        8,
        &printed("in_progress"),
        &format!(
            "{NOTE}openai: the job 'video_1' is still running after 500ms (status: in_progress)\n\
             hint: run the same command again if it had --state, or wait with: \
             openai videos retrieve --wait --base-url '{url}' -- 'video_1'\n"
        ),
    );
    server.finish();
}

#[test]
fn a_silent_server_does_not_extend_the_wait_timeout() {
    let server = Server::script(vec![job("queued"), Reply::silence()]);
    let outcome = extend().args(&SHORT_WAIT).server(&server).run();
    outcome.code(8).stdout(&printed("queued"));
    server.finish();
}

#[test]
fn the_job_id_is_printed_before_the_first_poll() {
    let server = Server::script(vec![job("queued"), Reply::silence()]);
    let mut running = extend().args(&["-q"]).server(&server).spawn();
    server.wait_for(2);
    running.kill();
    assert_eq!(running.wait().stderr_text(), NOTE);
    server.finish();
}

#[test]
fn polls_use_the_id_of_the_created_job() {
    for (response, path) in [
        (r#"{"request_id": "a/b?c"}"#, "/v1/videos/a%2Fb%3Fc"),
        (r#"{"task_id": ".."}"#, "/v1/videos/%2E%2E"),
        (r#"{"data": [{"id": "dmlk=="}]}"#, "/v1/videos/dmlk%3D%3D"),
        (r#"{"id": 12}"#, "/v1/videos/12"),
    ] {
        let server = Server::script(vec![Reply::json(200, response), job("completed")]);
        extend().args(&["--poll-interval", "10ms"]).server(&server).run().success();
        assert_eq!(server.finish()[1].target, path);
    }
}

#[test]
fn retrieve_prints_a_job_or_waits_for_it() {
    let server = Server::script(vec![job("in_progress")]);
    openai(&["videos", "retrieve", "video_1"]).server(&server).run().is(
        0,
        &printed("in_progress"),
        "",
    );
    assert_eq!(server.finish()[0].target, "/v1/videos/video_1");

    let server = Server::script(vec![job("failed")]);
    openai(&["videos", "retrieve", "--video-id", "video_1"]).server(&server).run().is(
        0,
        &printed("failed"),
        "",
    );
    server.finish();

    let server = Server::script(vec![job("in_progress"), job("completed")]);
    openai(&["videos", "retrieve", "--wait", "--", "video_1"]).server(&server).run().is(
        0,
        &printed("completed"),
        "",
    );
    server.finish();
}

#[test]
fn a_failed_get_is_retried_and_ends_with_code_5_or_6() {
    let busy = || Reply::json(502, r#"{"error": "busy"}"#).header("Retry-After", "0");
    let server = Server::script(vec![busy(), Reply::empty(), job("queued")]);
    openai(&["videos", "retrieve", "video_1", "-q"]).server(&server).run().is(
        0,
        &printed("queued"),
        "",
    );
    server.finish();

    let server = Server::script(vec![busy(), busy(), busy()]);
    openai(&["videos", "retrieve", "video_1", "-q"]).server(&server).run().is(
        5,
        "",
        "openai: the server responded with HTTP 502: busy\n",
    );
    server.finish();

    let server = Server::script(vec![Reply::silence()]);
    openai(&["videos", "retrieve", "video_1", "--timeout", "100ms", "--max-retries", "0"])
        .server(&server)
        .run()
        .is(
            6,
            "",
            "openai: no readable response to GET /videos/video_1: no response within 100ms\n",
        );
    server.finish();
}

#[test]
fn a_job_can_be_deleted() {
    let server = Server::videos();
    openai(&EXTEND).server(&server).run().success();
    openai(&["videos", "delete", "video_1"]).server(&server).run().is(
        0,
        "{\n  \"deleted\": true,\n  \"id\": \"video_1\",\n  \"object\": \"video.deleted\"\n}\n",
        "",
    );
    openai(&["videos", "delete", "video_1"]).server(&server).run().code(3).stdout("");
    assert_eq!(server.finish()[1].method, "DELETE");

    let server = Server::script(vec![Reply::status(204)]);
    openai(&["videos", "delete", "video_1"]).server(&server).run().is(0, "", "");
    server.finish();
}

#[test]
fn a_delete_that_finds_nothing_after_a_lost_response_has_succeeded() {
    for status in [404, 410] {
        for lost in [Reply::empty(), Reply::status(502)] {
            let server = Server::script(vec![lost, Reply::json(status, r#"{"error": "no"}"#)]);
            openai(&["videos", "delete", "video_1", "-q"]).server(&server).run().is(0, "", "");
            server.finish();
        }
    }
    // A 429 was not performed: the job was never there.
    let busy = Reply::json(429, "{}").header("Retry-After", "0");
    let server = Server::script(vec![busy, Reply::json(404, r#"{"error": "no"}"#)]);
    openai(&["videos", "delete", "video_1", "-q"]).server(&server).run().code(3);
    server.finish();
}

#[test]
fn options_that_do_not_apply_to_the_command_are_refused() {
    for (args, message) in [
        (
            &["videos", "retrieve"][..],
            "missing argument: the id of the job\nhint: openai videos retrieve video_123",
        ),
        (&["videos", "retrieve", ""], "the id is empty"),
        (
            &["videos", "retrieve", "a", "--video-id", "b"],
            "the id cannot be given both as an argument and as --video-id",
        ),
        (
            &["videos", "delete", "a", "b"],
            "unexpected argument 'b'\nhint: put a text with spaces in quotation marks",
        ),
        (&["videos", "delete", "a", "--prompt", "x"], "--prompt cannot be used with 'delete'"),
        (
            &["videos", "retrieve", "a", "--wait-timeout", "1s"],
            "--wait-timeout needs --wait or --output",
        ),
        (&["videos", "retrieve", "a", "--variant", "video"], "--variant needs --output"),
        (
            &["videos", "retrieve", "a", "-o", "x", "--variant", "gif"],
            "--variant: invalid value 'gif'; possible values: video, thumbnail, spritesheet",
        ),
    ] {
        openai(args).env("OPENAI_BASE_URL", "http://127.0.0.1:1").run().is(
            2,
            "",
            &format!("openai: {message}\n"),
        );
    }
}

#[test]
fn waiting_uses_no_processor_time() {
    let server = Server::script(vec![job("queued"), Reply::silence()]);
    let mut running = extend().args(&["-q", "--poll-interval", "1s"]).server(&server).spawn();
    // Fields 14 and 15 are user and system time in ticks of 10 ms (proc_pid_stat(5)).
    let ticks = |id: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap()
    };
    server.wait_for(1);
    let before = ticks(running.id());
    server.wait_for(2);
    let used = ticks(running.id()) - before;
    assert!(used <= 20, "{used} ticks");
    running.kill();
    let _ = running.wait();
    server.finish();
}
