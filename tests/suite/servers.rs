//! Existing servers: each test replies as one of them does, according to its documentation or
//! source.

use std::fs;

use crate::support::{CLIP, Outcome, Reply, Request, Server, openai};

/// Runs `extend` with a download against these replies. Returns the outcome and the requests.
fn whole_job(more: &[&str], replies: Vec<Reply>) -> (Outcome, Vec<Request>) {
    let server = Server::script(replies);
    let outcome =
        openai(&["videos", "extend", "--prompt", "x", "--poll-interval", "10ms", "-o", "out.mp4"])
            .args(more)
            .server(&server)
            .run();
    (outcome, server.finish())
}

#[track_caller]
fn is_complete(outcome: &Outcome) {
    outcome.code(0);
    assert_eq!(fs::read(outcome.directory.join("out.mp4")).unwrap(), CLIP);
}

fn media() -> Reply {
    Reply::status(200).header("Content-Type", "video/mp4").body(CLIP)
}

#[test]
fn the_openai_api() {
    let job = |status: &str, progress: u8| {
        Reply::json(
            200,
            &format!(
                r#"{{"id":"video_68d7","object":"video","model":"sora-2","status":"{status}","progress":{progress},"created_at":1758941485,"completed_at":null,"expires_at":null,"error":null,"prompt":"x","remixed_from_video_id":null,"seconds":"8","size":"720x1280"}}"#
            ),
        )
        .header("openai-poll-after-ms", "100")
        .header("x-request-id", "req_1")
    };
    let replies = vec![job("queued", 0), job("in_progress", 50), job("completed", 100), media()];
    let (outcome, requests) = whole_job(&["--seconds", "4", "--video", "video_123"], replies);
    is_complete(&outcome);
    outcome.stderr("openai: job video_68d7\n");
    assert_eq!(requests[0].text(), r#"{"prompt":"x","seconds":"4","video":{"id":"video_123"}}"#);
    assert_eq!(requests[3].target, "/v1/videos/video_68d7/content");
}

/// LiteLLM replaces ids by opaque ones, which may end in `=`. A job has no prompt, and has a usage.
#[test]
fn litellm() {
    let job = |status: &str| {
        Reply::json(
            200,
            &format!(
                r#"{{"id":"video_bGl0ZWxsbTo=","object":"video","status":"{status}","usage":{{"duration_seconds":4.0}}}}"#
            ),
        )
    };
    let replies = vec![job("processing"), job("completed"), media()];
    let (outcome, requests) = whole_job(&["--seconds", "4", "--video", "video_bGl0=="], replies);
    is_complete(&outcome);
    outcome.stdout_contains("\"duration_seconds\": 4.0");
    assert_eq!(requests[0].json()["video"]["id"], "video_bGl0==");
    assert_eq!(requests[2].target, "/v1/videos/video_bGl0ZWxsbTo%3D/content");

    let wrong_key = r#"{"error":{"message":"Authentication Error, Invalid proxy server token passed","type":"auth_error","param":"None","code":"400"}}"#;
    let (outcome, _) =
        whole_job(&["--seconds", "4", "--video", "v"], vec![Reply::json(400, wrong_key)]);
    outcome.code(3).stderr_contains(
        "Invalid proxy server token passed (type: auth_error, code: 400, param: None)",
    );
}

/// LiteLLM in front of xAI: the id in a poll may be a file name or `unknown`, and progress may be
/// null.
#[test]
fn litellm_in_front_of_xai() {
    let replies = vec![
        Reply::json(200, r#"{"id":"video_1","status":"processing","progress":null}"#),
        Reply::json(200, r#"{"id":"unknown","status":"processing","progress":null}"#),
        Reply::json(200, r#"{"id":"output.mp4","status":"completed","progress":null}"#),
        media(),
    ];
    let (outcome, requests) = whole_job(
        &["--field", "duration:=6", "--video", "{url: https://example.com/a.mp4}"],
        replies,
    );
    is_complete(&outcome);
    assert_eq!(
        requests[0].text(),
        r#"{"prompt":"x","duration":6,"video":{"url":"https://example.com/a.mp4"}}"#
    );
    assert_eq!(requests[3].target, "/v1/videos/video_1/content");
}

/// SGLang: seconds are an integer, the size is empty, errors are `{"detail"}`, and 404 means that
/// the content is not ready.
#[test]
fn sglang() {
    let replies = vec![
        Reply::json(
            200,
            r#"{"id":"a1","status":"queued","seconds":4,"size":"","error":{"message":""}}"#,
        ),
        Reply::json(200, r#"{"id":"a1","status":"completed","seconds":4,"size":""}"#),
        Reply::json(404, r#"{"detail":"Generation is still in-progress"}"#),
        media(),
    ];
    is_complete(&whole_job(&["--seconds", "4", "--video", "{id: v}"], replies).0);
    let refusal =
        Reply::json(422, r#"{"detail":[{"loc":["body","seconds"],"msg":"field required"}]}"#);
    let (outcome, _) = whole_job(&["--seconds", "4", "--video", "v"], vec![refusal]);
    outcome
        .code(3)
        .stderr_contains(r#"HTTP 422: [{"loc":["body","seconds"],"msg":"field required"}]"#);
}

/// vLLM-Omni: the code of an error is an integer or a string, and there are fractions.
#[test]
fn vllm_omni() {
    let replies = vec![
        Reply::json(
            200,
            r#"{"id":"video_gen_1","status":"queued","progress":0.0,"inference_time_s":1.25}"#,
        ),
        Reply::json(
            200,
            r#"{"id":"video_gen_1","status":"failed","error":{"code":500,"message":"out of memory"}}"#,
        ),
    ];
    let (outcome, _) = whole_job(&["--seconds", "4", "--video", "v"], replies);
    outcome
        .code(1)
        .stderr_contains("the job 'video_gen_1' ended as failed: out of memory (code: 500)");
}

/// new-api and its forks: the id is `task_id`, status words differ, and 400 means that the content
/// is not ready.
#[test]
fn new_api() {
    let replies = vec![
        Reply::json(200, r#"{"task_id":"task_1","status":"NOT_START"}"#),
        Reply::json(200, r#"{"task_id":"task_1","status":"running"}"#),
        Reply::json(200, r#"{"task_id":"task_1","status":"SUCCESS"}"#),
        Reply::json(400, r#"{"error":{"message":"not ready","code":"video_not_ready"}}"#)
            .header("openai-poll-after-ms", "100"),
        media(),
    ];
    let (outcome, requests) =
        whole_job(&["--seconds", "4", "--video", "v", "--field", "model=kling"], replies);
    is_complete(&outcome);
    assert_eq!(requests[1].target, "/v1/videos/task_1");
    let failure = vec![Reply::json(200, r#"{"task_id":"task_1","status":"FAILURE","error":"no"}"#)];
    whole_job(&["--seconds", "4", "--video", "v"], failure).0.code(1);
}

/// sub2api and its forks: the id is `task_id`, and the content is on another host.
#[test]
fn sub2api() {
    let store = Server::script(vec![media()]);
    let elsewhere = format!("http://127.0.0.1:{}/bucket/a.mp4?signature=1", store.port());
    let replies = vec![
        Reply::json(200, r#"{"task_id":"t","status":"done"}"#),
        Reply::redirect(302, &elsewhere),
    ];
    let (outcome, requests) =
        whole_job(&["--seconds", "4", "--video", "v", "--api-key", "sk-secret-key"], replies);
    is_complete(&outcome);
    assert_eq!(requests[1].header("authorization"), Some("Bearer sk-secret-key"));
    assert_eq!(store.finish()[0].header("authorization"), None);
}

/// xAI: JSON with a duration and the video's URL, a request id, and no content but a URL on another host.
#[test]
fn xai() {
    let store = Server::script(vec![media()]);
    let url = format!("http://127.0.0.1:{}/xai-video.mp4?sig=1", store.port());
    let done = format!(
        r#"{{"status":"done","video":{{"url":"{url}","duration":6,"respect_moderation":true}},"model":"grok-imagine-video","usage":{{"cost_in_usd_ticks":1}}}}"#
    );
    let replies = vec![
        Reply::json(200, r#"{"request_id":"r-1"}"#),
        Reply::json(202, r#"{"status":"pending","model":"grok-imagine-video"}"#),
        Reply::json(200, &done),
        Reply::status(404),
    ];
    let more = [
        "--field",
        "model=grok-imagine-video",
        "--field",
        "duration:=6",
        "--video",
        "{url: https://user.example/a.mp4}",
        "--api-key",
        "xai-secret-key",
    ];
    let (outcome, requests) = whole_job(&more, replies);
    is_complete(&outcome);
    assert_eq!(
        requests[0].text(),
        r#"{"prompt":"x","model":"grok-imagine-video","duration":6,"video":{"url":"https://user.example/a.mp4"}}"#
    );
    assert_eq!(requests[3].target, "/v1/videos/r-1/content");
    let request = store.finish().remove(0);
    assert_eq!(request.target, "/xai-video.mp4?sig=1");
    assert_eq!(request.header("authorization"), None);
}

/// Relays of xAI: a created job has only a request id, and status words differ.
#[test]
fn xai_relays() {
    for (word, code) in [("done", 0), ("expired", 1), ("failed", 1)] {
        let mut replies = vec![
            Reply::json(200, r#"{"request_id":"r-1"}"#),
            Reply::json(200, r#"{"status":"pending"}"#),
            Reply::json(
                200,
                &format!(r#"{{"status":"{word}","video":{{"url":"https://example.com/b.mp4"}}}}"#),
            ),
        ];
        if code == 0 {
            replies.push(media());
        }
        let (outcome, requests) =
            whole_job(&["--field", "duration:=6", "--video", "{url: https://x}"], replies);
        outcome.code(code);
        assert_eq!(requests[1].target, "/v1/videos/r-1");
    }
}

/// Other gateways: the job is the only element of a list, and seconds are a string with a fraction.
#[test]
fn gateways_that_wrap_the_job_in_a_list() {
    let job = |status: &str| {
        Reply::json(
            200,
            &format!(
                r#"{{"object":"list","data":[{{"id":"v2","status":"{status}","seconds":"5.04"}}]}}"#
            ),
        )
        .header("openai-poll-after-ms", "100")
    };
    let more = ["--field", "video_id=v1", "--field", "model=m", "--field", "duration:=5"];
    let (outcome, requests) = whole_job(&more, vec![job("in_queue"), job("succeeded"), media()]);
    is_complete(&outcome);
    assert_eq!(requests[0].text(), r#"{"prompt":"x","video_id":"v1","model":"m","duration":5}"#);
    assert_eq!(requests[2].target, "/v1/videos/v2/content");
}

/// Steady responds with random values of the types in the API reference.
#[test]
fn steady() {
    let replies = vec![
        Reply::json(
            200,
            r#"{"id":"x","status":"in_progress","error":{"code":"a","message":"b"},"seconds":"qui","progress":-3}"#,
        ),
        Reply::json(200, r#"{"id":"y","status":"completed","error":{"code":"a","message":"b"}}"#),
        media(),
    ];
    is_complete(&whole_job(&["--seconds", "4", "--video", "v"], replies).0);
}
