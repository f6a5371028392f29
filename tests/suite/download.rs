//! Downloads: the file is complete or unchanged, no other file is left, and a truncated transfer is
//! resumed.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::support::{
    CLIP, DOWNLOAD, EXTEND, JOB, Outcome, PRINTED, Reply, Request, Server, TempDir, call, job,
    media, openai, program, skipped,
};

const OLD: &[u8] = b"the earlier contents";

fn content(bytes: Vec<u8>) -> Reply {
    Reply::status(200).header("Content-Type", "video/mp4").header("ETag", "\"a\"").body(bytes)
}

/// The response to a range request for the rest from this position.
fn rest(bytes: &[u8], from: usize) -> Reply {
    let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
    Reply::status(206).header("Content-Range", &range).header("ETag", "\"a\"").body(&bytes[from..])
}

/// The names of the files in a directory, sorted.
fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// Downloads to a file that exists already. Returns the outcome and the requests.
fn download(replies: Vec<Reply>, more: &[&str]) -> (Outcome, Vec<Request>) {
    let server = Server::script(replies);
    let outcome = openai(&DOWNLOAD).args(more).file("out.mp4", OLD).server(&server).run();
    assert_eq!(names(&outcome.directory), ["out.mp4"], "{outcome:?}");
    (outcome, server.finish())
}

#[track_caller]
fn is_complete((outcome, requests): (Outcome, Vec<Request>)) -> Vec<Request> {
    outcome.is(0, "", "");
    assert!(
        fs::read(outcome.directory.join("out.mp4")).unwrap() == media(),
        "the file has other contents"
    );
    requests
}

#[track_caller]
fn is_unchanged((outcome, _): (Outcome, Vec<Request>), code: i32, stderr: &str) {
    outcome.code(code).stdout("").stderr_contains(stderr);
    assert_eq!(fs::read(outcome.directory.join("out.mp4")).unwrap(), OLD);
}

#[test]
fn a_download_is_written_to_the_output_file() {
    let requests = is_complete(download(vec![content(media())], &[]));
    assert_eq!(requests[0].target, "/v1/videos/video_1/content");
    assert_eq!(requests[0].header("accept"), Some("*/*"));
    is_complete(download(vec![content(media()).chunked(1000)], &[]));
    is_complete(download(vec![content(media()).until_close()], &[]));
    let thumbnail = is_complete(download(vec![content(media())], &["--variant", "thumbnail"]));
    assert_eq!(thumbnail[0].target, "/v1/videos/video_1/content?variant=thumbnail");
}

#[test]
fn extend_with_output_waits_and_downloads_over_one_connection() {
    let server = Server::videos();
    let outcome = openai(&call("x", "4", "@clip.mp4"))
        .args(&["-o", "out.mp4"])
        .file("clip.mp4", CLIP)
        .server(&server)
        .run();
    outcome.code(0).stdout_contains("\"status\": \"completed\"").stderr("openai: job video_1\n");
    assert_eq!(fs::read(outcome.directory.join("out.mp4")).unwrap(), CLIP);
    assert_eq!(names(&outcome.directory), ["clip.mp4", "out.mp4"]);
    let requests = server.finish();
    assert!(
        requests.len() >= 4 && requests.iter().all(|request| request.connection == 0),
        "{requests:?}"
    );
}

#[test]
fn a_truncated_download_resumes_with_a_range_request() {
    let requests = is_complete(download(
        vec![content(media()).truncated(300_000), rest(&media(), 300_000)],
        &[],
    ));
    assert_eq!(requests[1].header("range"), Some("bytes=300000-"));
    assert_eq!(requests[1].header("if-range"), Some("\"a\""));
}

#[test]
fn a_download_without_a_length_is_complete_only_after_a_clean_close() {
    let is_cut = [true, false];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        for is_cut in is_cut {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(&stream).lines();
            while !lines.next().unwrap().unwrap().is_empty() {}
            let head = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nConnection: close\r\n\r\n";
            stream.write_all(&[&head[..], &media()].concat()).unwrap();
            if is_cut {
                // A reset discards what the client has not read yet.
                thread::sleep(Duration::from_millis(100));
                socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            }
        }
    });
    let without_quiet = [&DOWNLOAD[..3], &DOWNLOAD[4..]].concat();
    let outcome = openai(&without_quiet).args(&["--base-url", &url]).run();
    outcome.code(0).stderr_contains("the connection was cut; retry 1 of 2 in ");
    assert!(fs::read(outcome.directory.join("out.mp4")).unwrap() == media());
    server.join().unwrap();
}

#[test]
fn a_download_that_makes_progress_is_resumed_more_often_than_max_retries() {
    let cut = |from: usize| rest(&media(), from).truncated(100_000);
    let mut replies = vec![content(media()).truncated(100_000)];
    replies.extend([100_000, 200_000, 300_000, 400_000].map(cut));
    replies.push(rest(&media(), 500_000));
    is_complete(download(replies, &["--max-retries", "1"]));
}

#[test]
fn a_download_restarts_if_the_server_supports_no_ranges() {
    is_complete(download(vec![content(media()).truncated(300_000), content(media())], &[]));
    let plain = || Reply::status(200).body(media());
    let requests = is_complete(download(vec![plain().truncated(300_000), plain()], &[]));
    assert_eq!(requests[1].header("range"), None);
}

#[test]
fn a_download_restarts_if_the_content_has_changed() {
    let other =
        Reply::status(200).header("ETag", "\"b\"").body(vec![1; 500_000]).truncated(400_000);
    let replies = vec![other, content(media())];
    is_complete(download(replies, &[]));
}

#[test]
fn a_partial_response_with_another_range_is_rejected() {
    let wrong = Reply::status(206).header("Content-Range", "bytes 5-9/10").body("56789");
    is_complete(download(vec![content(media()).truncated(300_000), wrong, content(media())], &[]));
    let unasked = rest(&media(), 300_000);
    let reason = "unexpected status 206 for a download";
    is_unchanged(download(vec![unasked], &["--max-retries", "0"]), 6, reason);
}

#[test]
fn status_416_at_the_full_size_completes_a_download() {
    let all = media();
    let length = format!("bytes */{}", all.len());
    let chunked = || content(media()).chunked(all.len()).truncated(all.len());
    let done = Reply::status(416).header("Content-Range", &length);
    is_complete(download(vec![chunked(), done], &[]));
    let elsewhere = Reply::status(416).header("Content-Range", "bytes */7");
    is_complete(download(
        vec![content(media()).truncated(300_000), elsewhere, content(media())],
        &[],
    ));
}

#[test]
fn a_stalled_download_is_resumed() {
    let replies = vec![content(media()).stall(300_000), rest(&media(), 300_000)];
    is_complete(download(replies, &["--stall-timeout", "300ms"]));
}

#[test]
fn a_download_that_makes_progress_may_exceed_the_timeout() {
    let slow = || content(media()).drip(media().len() / 3, Duration::from_millis(350));
    for reply in [slow(), slow().chunked(100_000), slow().until_close()] {
        is_complete(download(vec![reply], &["--timeout", "1s", "--max-retries", "0"]));
    }
}

#[test]
fn a_response_body_that_is_not_media_is_subject_to_the_timeout() {
    let text = format!("<!-- {} the end -->", "x".repeat(200));
    for (status, kind, code) in [
        (401, "application/json", 4),
        (400, "text/plain", 3),
        (200, "text/html", 3),
        (200, "application/json", 3),
    ] {
        let reply = Reply::status(status)
            .header("Content-Type", kind)
            .body(&*text)
            .drip(1, Duration::from_millis(100));
        let mut replies = vec![reply];
        if status == 200 {
            replies.push(job("completed"));
        }
        let (outcome, _) = download(replies, &["--timeout", "500ms", "--max-retries", "0"]);
        outcome.code(code).stdout("").never_shows("the end");
    }
}

#[test]
fn a_repeated_content_length_is_accepted() {
    let twice = || {
        let length = media().len();
        content(media()).header("Content-Length", &format!("{length}, {length}"))
    };
    is_complete(download(vec![twice()], &[]));
    is_unchanged(
        download(vec![twice().truncated(300_000)], &["--max-retries", "0"]),
        6,
        "the server closed the connection",
    );
}

/// A raw response with this version and transfer coding whose body is chunked, two chunks of it.
fn coded(version: &str, coding: &str) -> Reply {
    let media = media();
    let (first, second) = media.split_at(1000);
    let mut bytes = format!(
        "HTTP/{version} 200 OK\r\nContent-Type: video/mp4\r\nTransfer-Encoding: {coding}\r\n\r\n"
    )
    .into_bytes();
    for chunk in [first, second, b""] {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    Reply::raw(bytes)
}

#[test]
fn a_chunked_http_1_0_response_is_decoded() {
    is_complete(download(vec![coded("1.0", "chunked")], &[]));
    is_complete(download(vec![coded("1.1", " Chunked ")], &[]));
    let job = format!(
        "HTTP/1.0 200 OK\r\ntransfer-encoding:chunked\r\n\r\n{:x}\r\n{JOB}\r\n0\r\n\r\n",
        JOB.len()
    );
    let server = Server::script(vec![Reply::raw(job)]);
    openai(&EXTEND).arg("-q").server(&server).run().is(0, PRINTED, "");
    server.finish();
}

#[test]
fn a_transfer_coding_other_than_chunked_is_refused() {
    for (version, coding) in
        [("1.1", "gzip, chunked"), ("1.0", "gzip"), ("1.1", "chunked\r\nTransfer-Encoding: gzip")]
    {
        let shown = coding.replace("\r\nTransfer-Encoding:", ",");
        is_unchanged(
            download(vec![coded(version, coding)], &["--max-retries", "0"]),
            6,
            &format!(": the transfer coding '{shown}' is not supported\n"),
        );
    }
}

#[test]
fn an_incomplete_download_fails_after_the_retries() {
    let cut = || content(media()).truncated(300_000);
    is_unchanged(
        download(vec![cut(), cut()], &["--max-retries", "1"]),
        6,
        "openai: no readable response to GET ",
    );
    let empty = || content(Vec::new());
    is_unchanged(
        download(vec![empty(), empty()], &["--max-retries", "1"]),
        6,
        "the content is empty",
    );
}

#[test]
fn a_download_polls_until_the_content_is_ready() {
    let soon =
        |status: u16, body: &str| Reply::json(status, body).header("openai-poll-after-ms", "100");
    let not_ready = r#"{"error": {"message": "soon", "code": "video_not_ready"}}"#;
    let replies = vec![
        soon(404, "{}"),
        job("in_progress"),
        soon(409, "{}"),
        Reply::json(403, "{}"),
        soon(425, "{}"),
        job("completed"),
        soon(400, not_ready),
        job("completed"),
        content(media()),
    ];
    let requests = is_complete(download(replies, &[]));
    for (index, request) in requests.iter().enumerate() {
        let target = ["/v1/videos/video_1/content", "/v1/videos/video_1"][index % 2];
        assert_eq!(request.target, target);
    }
    is_unchanged(download(vec![Reply::json(400, "{}")], &[]), 3, "HTTP 400");
}

#[test]
fn content_that_is_not_ready_is_reported_once() {
    let soon = |status: u16, id: &str| {
        let body = format!(r#"{{"error": {{"message": "request {id} is too early"}}}}"#);
        Reply::json(status, &body).header("openai-poll-after-ms", "100").header("x-request-id", id)
    };
    let mut replies = Vec::new();
    for (status, id) in [(404, "1"), (404, "2"), (404, "3"), (202, "4"), (202, "5"), (404, "6")] {
        replies.extend([soon(status, id), job("in_progress")]);
    }
    replies.push(content(media()));
    let server = Server::script(replies);
    let without_quiet = [&DOWNLOAD[..3], &DOWNLOAD[4..]].concat();
    let outcome = openai(&without_quiet).args(&["--poll-interval", "1ms"]).server(&server).run();
    outcome.code(0);
    let lines: Vec<String> = outcome.stderr_text().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    server.finish();
}

#[test]
fn html_and_json_are_not_saved_as_media() {
    let json = Reply::json(200, r#"{"url": "https://example.com"}"#);
    is_unchanged(
        download(vec![json, job("completed")], &[]),
        3,
        r#"expected media, got application/json: {"url": "https://example.com"}"#,
    );
    let page = Reply::status(200).header("Content-Type", "text/html").body("<html>log in</html>");
    is_unchanged(
        download(vec![page, job("completed")], &[]),
        3,
        "expected media, got text/html: <html>log in</html>",
    );
}

#[test]
fn a_cross_origin_redirect_carries_no_credentials() {
    let store = Server::script(vec![content(media())]);
    let server = Server::script(vec![Reply::redirect(
        302,
        &format!("http://127.0.0.1:{}/blob?sig=1", store.port()),
    )]);
    let secret = [
        "--api-key",
        "sk-topsecret",
        "--header",
        "X-Gateway: topsecret",
        "--organization",
        "o",
        "--debug",
    ];
    let outcome = openai(&DOWNLOAD).args(&secret).server(&server).run();
    outcome
        .code(0)
        .never_shows("topsecret")
        .never_shows("sig=1")
        .stderr_contains(&format!("> GET http://127.0.0.1:{}/blob\n", store.port()));
    assert_eq!(server.finish()[0].header("authorization"), Some("Bearer sk-topsecret"));
    let other_host = store.finish().remove(0);
    assert_eq!(other_host.target, "/blob?sig=1");
    for name in ["authorization", "x-gateway", "openai-organization"] {
        assert_eq!(other_host.header(name), None, "{name}");
    }

    let server = Server::script(vec![Reply::redirect(307, "/elsewhere"), content(media())]);
    openai(&DOWNLOAD).args(&secret[..4]).server(&server).run().code(0);
    let request = &server.finish()[1];
    assert_eq!(
        (request.target.as_str(), request.header("x-gateway")),
        ("/elsewhere", Some("topsecret"))
    );
}

#[test]
fn more_than_10_redirects_end_with_code_6() {
    let around = || Reply::redirect(302, "/v1/videos/video_1/content");
    let replies = std::iter::repeat_with(around).take(11).collect();
    is_unchanged(download(replies, &["--max-retries", "0"]), 6, "more than 10 redirects");
}

#[test]
fn a_download_to_standard_output_writes_only_the_media() {
    let server = Server::script(vec![content(media()).truncated(300_000), rest(&media(), 300_000)]);
    let outcome = openai(&["videos", "download-content", "video_1", "-q"]).server(&server).run();
    outcome.code(0).stderr("");
    assert!(outcome.stdout == media());
    server.finish();

    let server = Server::videos();
    let outcome = openai(&EXTEND).args(&["-o", "-"]).server(&server).run();
    outcome.code(0);
    assert!(outcome.stdout == CLIP);
    server.finish();
}

#[test]
fn a_download_to_standard_output_resumes_only_unchanged_content() {
    let call = ["videos", "download-content", "video_1", "-q"];
    let server = Server::script(vec![content(media()).truncated(300_000), content(media())]);
    let outcome = openai(&call).server(&server).run();
    outcome.code(0);
    assert!(outcome.stdout == media());
    server.finish();

    let other = Reply::status(200).header("ETag", "\"b\"").body(media());
    let server = Server::script(vec![content(media()).truncated(300_000), other]);
    openai(&call)
        .server(&server)
        .run()
        .code(9)
        .stderr_contains("the download was interrupted after 300000 bytes");
    server.finish();
}

#[test]
fn a_download_to_a_full_disk_ends_with_code_9_and_to_a_closed_pipe_with_code_0() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let call = ["videos", "download-content", "video_1", "-q"];
    let no_space = "No space left on device (os error 28)\n";
    let server = Server::script(vec![content(media())]);
    openai(&call).stdout_to(full()).server(&server).run().is(
        9,
        "",
        &format!("openai: cannot write to standard output: {no_space}"),
    );
    server.finish();
    let server = Server::script(vec![content(media())]);
    openai(&call).args(&["-o", "/dev/full"]).server(&server).run().is(
        9,
        "",
        &format!("openai: cannot write '/dev/full': {no_space}"),
    );
    server.finish();
    let server = Server::script(vec![content(media())]);
    openai(&call).stdout_closed().server(&server).run().is(0, "", "");
    server.finish();
}

#[test]
fn a_download_writes_to_a_device_and_through_a_symbolic_link() {
    let server = Server::script(vec![content(media())]);
    openai(&DOWNLOAD[..4]).args(&["-o", "/dev/null"]).server(&server).run().is(0, "", "");
    server.finish();

    let directory = TempDir::new();
    fs::create_dir(directory.path().join("real")).unwrap();
    fs::write(directory.path().join("real/file.mp4"), OLD).unwrap();
    std::os::unix::fs::symlink("real/file.mp4", directory.path().join("out.mp4")).unwrap();
    let server = Server::script(vec![content(media())]);
    openai(&DOWNLOAD).current_dir(directory.path()).server(&server).run().is(0, "", "");
    server.finish();
    assert!(fs::symlink_metadata(directory.path().join("out.mp4")).unwrap().is_symlink());
    assert!(fs::read(directory.path().join("real/file.mp4")).unwrap() == media());
    assert_eq!(names(&directory.path().join("real")), ["file.mp4"]);
}

#[test]
fn an_output_that_cannot_be_written_is_refused_before_the_request() {
    let server = Server::script(vec![]);
    let call = [&EXTEND[..], &["-o"]].concat();
    for (path, code, message) in [
        ("none/out.mp4", 2, "the output's directory 'none' does not exist"),
        ("/", 2, "the output '/' is a directory"),
        ("out.mp4/", 2, "the output 'out.mp4/' is a directory"),
        ("", 2, "--output: the value is empty"),
        (
            "/proc/out.mp4",
            9,
            "cannot write '/proc/out.mp4': No such file or directory (os error 2)",
        ),
    ] {
        let outcome = openai(&call).arg(path).server(&server).run();
        outcome.is(code, "", &format!("openai: {message}\n"));
        assert_eq!(names(&outcome.directory), [""; 0]);
    }
    server.finish();
}

#[test]
fn a_download_removes_the_temporary_file_of_a_killed_run() {
    let server = Server::script(vec![content(media())]);
    let outcome =
        openai(&DOWNLOAD).file(".out.mp4.openai-videos-part", [0; 9]).server(&server).run();
    outcome.is(0, "", "");
    assert_eq!(names(&outcome.directory), ["out.mp4"]);
    server.finish();
}

#[test]
fn the_devices_of_standard_output_get_media_and_nothing_else() {
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let server = Server::videos();
        let outcome = openai(&EXTEND).args(&["-o", name]).server(&server).run();
        outcome.code(0);
        assert!(outcome.stdout == CLIP, "{name}");
        server.finish();

        let directory = TempDir::new();
        let path = directory.path().join("out.mp4");
        let server = Server::videos();
        let stdout = File::create(&path).unwrap();
        openai(&EXTEND).args(&["-o", name]).stdout_to(stdout).server(&server).run().code(0);
        assert!(fs::read(&path).unwrap() == CLIP, "{name}");
        server.finish();
    }
}

#[test]
fn a_download_keeps_files_with_similar_names_and_the_state_file() {
    let server = Server::script(vec![content(media())]);
    let outcome = openai(&DOWNLOAD).file(".out.mp4.part", "the user's own").server(&server).run();
    outcome.is(0, "", "");
    assert_eq!(fs::read(outcome.directory.join(".out.mp4.part")).unwrap(), b"the user's own");
    server.finish();

    for state in [".out.mp4.part", ".out.mp4.openai-videos-part"] {
        let directory = TempDir::new();
        let server = Server::script(vec![
            job("queued"),
            Reply::silence(),
            job("completed"),
            content(media()),
        ]);
        let call = || {
            openai(&EXTEND)
                .args(&["-q", "--state", state])
                .server(&server)
                .current_dir(directory.path())
        };
        let mut cut = call().arg("--wait").spawn();
        server.wait_for(2);
        cut.kill();
        drop(cut.wait());
        // The job is resumed, not paid for again.
        call().args(&["-o", "out.mp4"]).run().code(0);
        let requests = server.finish();
        assert_eq!(requests[2].method, "GET");
    }
}

/// Runs a command that needs a privilege. `false`: this machine does not grant it, so the test has
/// nothing to check.
fn privileged(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}

#[test]
fn an_output_that_cannot_be_replaced_is_refused_before_the_request() {
    let server = Server::script(vec![]);
    let call = [&EXTEND[..], &["-o"]].concat();

    let directory = TempDir::new();
    let socket = directory.path().join("socket");
    drop(UnixListener::bind(&socket).unwrap());
    let outcome = openai(&call).arg(&socket).server(&server).run();
    outcome.is(2, "", &format!("openai: the output '{}' is a socket\n", socket.display()));

    let target = directory.path().join("out.mp4");
    fs::write(&target, OLD).unwrap();
    let mut mount = Command::new("mount");
    if privileged(mount.arg("--bind").args([&target, &target])) {
        let outcome = openai(&call).arg(&target).server(&server).run();
        assert!(privileged(Command::new("umount").arg(&target)));
        outcome.is(
            2,
            "",
            &format!(
                "openai: cannot replace '{}': it is a mount point\n\
                 hint: mount its directory instead of the file\n",
                target.display()
            ),
        );
    } else {
        skipped("a bind mount needs CAP_SYS_ADMIN");
    }
    server.finish();
    assert_eq!(names(directory.path()), ["out.mp4", "socket"]);
}

#[test]
fn another_users_file_in_a_sticky_directory_is_refused_before_the_request() {
    const NOBODY: u32 = 65534;
    let directory = TempDir::new();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o1777)).unwrap();
    let target = directory.path().join("out.mp4");
    fs::write(&target, OLD).unwrap();
    fs::set_permissions(&target, Permissions::from_mode(0o666)).unwrap();
    // Its own copy: the directory of the build may be closed to other users.
    let binary = directory.path().join("openai");
    fs::copy(program(), &binary).unwrap();
    fs::set_permissions(&binary, Permissions::from_mode(0o755)).unwrap();
    let server = Server::script(vec![]);
    let mut command = Command::new(&binary);
    command.args(EXTEND).arg("-o").arg(&target).env_clear();
    command.env("OPENAI_BASE_URL", server.base_url());
    match command.uid(NOBODY).gid(NOBODY).output() {
        Ok(output) => {
            assert_eq!(output.status.code(), Some(9), "{output:?}");
            assert_eq!(
                String::from_utf8_lossy(&output.stderr),
                format!(
                    "openai: cannot replace '{}': Operation not permitted (os error 1)\n",
                    target.display()
                )
            );
            assert_eq!(names(directory.path()), ["openai", "out.mp4"]);
        }
        Err(_) => skipped("another user's file needs another user"),
    }
    server.finish();
}

#[test]
fn a_download_that_is_never_ready_ends_at_the_wait_timeout() {
    let server = Server::videos();
    openai(&DOWNLOAD)
        .args(&["--wait-timeout", "300ms"])
        .server(&server)
        .run()
        .code(3)
        .stdout("")
        .stderr_contains("HTTP 404");
    assert!(!server.finish().is_empty());
}

#[test]
fn a_download_to_standard_output_resumes_twice_without_repeating_bytes() {
    let call = ["videos", "download-content", "video_1", "-q"];
    let whole = || content(media());
    let server =
        Server::script(vec![whole().truncated(300_000), whole().truncated(100_000), whole()]);
    let outcome = openai(&call).server(&server).run();
    outcome.code(0);
    assert!(outcome.stdout == media());
    server.finish();

    let other = Reply::status(200).header("ETag", "\"b\"").body(media());
    let server = Server::script(vec![whole().truncated(300_000), whole().truncated(0), other]);
    openai(&call).server(&server).run().code(9);
    server.finish();
}

#[test]
fn a_partial_response_shorter_than_requested_is_followed_by_another_request() {
    let part = |from: usize, to: usize| {
        let range = format!("bytes {from}-{}/{}", to - 1, media().len());
        Reply::status(206)
            .header("Content-Range", &range)
            .header("ETag", "\"a\"")
            .body(&media()[from..to])
    };
    let start = content(media()).chunked(1000).truncated(300_000);
    let end = media().len();
    is_complete(download(vec![start, part(300_000, 500_000), part(500_000, end)], &[]));
}

#[test]
fn a_changed_last_modified_date_restarts_a_download() {
    let dated = |reply: Reply, date: &str| {
        reply.header("Last-Modified", date).header("Date", "Tue, 08 Nov 1994 08:49:37 GMT")
    };
    let (old, new) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Mon, 07 Nov 1994 08:49:37 GMT");
    let range = format!("bytes 300000-{}/{}", media().len() - 1, media().len());
    let start = dated(Reply::status(200).body(media()), old).truncated(300_000);
    let mixed = dated(Reply::status(206).header("Content-Range", &range), new)
        .body(vec![7; media().len() - 300_000]);
    let whole = dated(Reply::status(200).body(media()), new);
    let requests = is_complete(download(vec![start, mixed, whole], &[]));
    assert_eq!(requests[1].header("if-range"), Some(old));
    assert_eq!(requests[2].header("if-range"), None);
}

#[test]
fn a_weak_validator_makes_an_interrupted_download_start_over() {
    let (modified, day_later) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Mon, 07 Nov 1994 08:49:37 GMT");
    for headers in [
        // The content may have changed again within the second.
        &[("Last-Modified", modified), ("Date", modified)][..],
        &[("ETag", "W/\"a\""), ("Last-Modified", modified), ("Date", day_later)],
    ] {
        let reply = || {
            let reply = Reply::status(200).header("Content-Type", "video/mp4").body(media());
            headers.iter().fold(reply, |reply, (name, value)| reply.header(name, value))
        };
        let requests = is_complete(download(vec![reply().truncated(300_000), reply()], &[]));
        assert_eq!(requests[1].header("range"), None);
    }
}

#[test]
fn a_partial_response_with_another_etag_is_rejected() {
    for etag in ["\"b\"", "W/\"a\"", "W/\"b\""] {
        let range = format!("bytes 300000-{}/{}", media().len() - 1, media().len());
        let other = Reply::status(206)
            .header("Content-Range", &range)
            .header("ETag", etag)
            .body(vec![7; media().len() - 300_000]);
        is_complete(download(
            vec![content(media()).truncated(300_000), other, content(media())],
            &[],
        ));
    }
}

#[test]
fn a_short_text_is_not_saved_as_media_whatever_its_type() {
    for (kind, text) in [
        ("application/octet-stream", "error: not found"),
        ("video/mp4", "  l'expiration a eu lieu \u{e0} 12:00\r\n"),
        ("binary/octet-stream", "x"),
    ] {
        let reply = Reply::status(200).header("Content-Type", kind).body(text);
        let message = format!("expected media, got {kind}: ");
        is_unchanged(download(vec![reply, job("completed")], &[]), 3, &message);
    }
}

#[test]
fn short_media_of_every_format_and_unknown_bytes_are_saved() {
    let long = "text ".repeat(1000);
    for start in [
        &b"\0\0\0\x18ftypmp42"[..],
        b"\x1a\x45\xdf\xa3webm",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0JFIF",
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"GIF89a\x01\0\x01\0\x80\0\0;",
        b"OggS\0",
        b"plain, but for a zero\0",
        // The mock server of the official CLI's tests sends this as video/mp4.
        b"LV",
        // Not media, but too long for a message.
        long.as_bytes(),
    ] {
        let directory = TempDir::new();
        let server = Server::script(vec![content(start.to_vec())]);
        openai(&DOWNLOAD).current_dir(directory.path()).server(&server).run().is(0, "", "");
        assert_eq!(std::fs::read(directory.path().join("out.mp4")).unwrap(), start);
        server.finish();
    }
}

#[test]
fn a_named_pipe_that_nobody_reads_or_writes_is_not_waited_for() {
    let directory = TempDir::new();
    let pipe = directory.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let server = Server::script(vec![]);
    let run = |command: &[&str]| {
        let run = openai(command).args(&["--stall-timeout", "100ms"]).server(&server);
        run.current_dir(directory.path()).run()
    };
    run(&["videos", "download-content", "video_1", "-q", "-o", "pipe"]).is(
        9,
        "",
        "openai: cannot write 'pipe': no program opened this pipe for reading within 100ms\n",
    );
    run(&["videos", "extend", "--prompt", "x", "--seconds", "4", "--video", "@pipe"]).is(
        9,
        "",
        "openai: cannot read the stream to upload: no data for 100ms\n",
    );
    server.finish();

    // With a reader it is written.
    let reader = std::thread::spawn(move || std::fs::read(pipe).unwrap());
    let server = Server::script(vec![content(media())]);
    let args = ["videos", "download-content", "video_1", "-q", "-o", "pipe"];
    openai(&args).server(&server).current_dir(directory.path()).run().is(0, "", "");
    assert_eq!(reader.join().unwrap(), media());
    server.finish();
}

#[test]
fn json_with_a_media_type_and_compressed_content_are_not_saved_as_media() {
    for kind in ["video/mp4", "application/octet-stream"] {
        let json = Reply::status(200).header("Content-Type", kind).body(r#" {"error": "expired"}"#);
        is_unchanged(download(vec![json, job("completed")], &[]), 3, "expected media, got ");
    }
    let zipped = content(media()).header("Content-Encoding", "gzip");
    is_unchanged(
        download(vec![zipped, job("completed")], &[]),
        3,
        "expected media, got video/mp4 with encoding gzip",
    );
}

#[test]
fn a_download_writes_through_a_dangling_link_and_to_the_longest_file_name() {
    let directory = TempDir::new();
    std::os::unix::fs::symlink("real.mp4", directory.path().join("out.mp4")).unwrap();
    let server = Server::script(vec![content(media()), content(media())]);
    openai(&DOWNLOAD).current_dir(directory.path()).server(&server).run().is(0, "", "");
    assert_eq!(names(directory.path()), ["out.mp4", "real.mp4"]);
    let long = "x".repeat(255);
    openai(&DOWNLOAD[..4])
        .args(&["-o", &long])
        .current_dir(directory.path())
        .server(&server)
        .run()
        .is(0, "", "");
    assert_eq!(names(directory.path()), ["out.mp4", "real.mp4", &long]);
    server.finish();
}

#[test]
fn an_output_with_a_placeholder_is_named_after_the_job() {
    let job = r#"{"id":"task/1","status":"completed"}"#;
    let content = || content(CLIP.to_vec());
    let server = Server::script(vec![Reply::json(200, job), content(), content()]);
    let directory = TempDir::new();
    let call = |args: &[&str]| {
        openai(args).args(&["-o", "a-{id}.mp4"]).current_dir(directory.path()).server(&server).run()
    };
    call(&EXTEND).success();
    assert_eq!(names(directory.path()), ["a-task%2F1.mp4"]);
    call(&["videos", "download-content", "v"]).success();
    assert_eq!(names(directory.path()), ["a-task%2F1.mp4", "a-v.mp4"]);
    server.finish();

    let server = Server::script(vec![]);
    for (path, message) in [
        ("{id}", "--output: '{id}' needs other text beside it, such as '{id}.mp4'"),
        ("none/{id}.mp4", "the output's directory 'none' does not exist"),
    ] {
        openai(&EXTEND).args(&["-o", path]).server(&server).run().is(
            2,
            "",
            &format!("openai: {message}\n"),
        );
    }
    server.finish();
}
