//! Random conversations with servers that echo the caller's secret: it is redacted everywhere but
//! in results, which are data.

use crate::support::secrets::{echo, reveals, secret, short_secret};
use crate::support::{EXTEND, Openai, Random, Reply, Server, TempDir, openai};

/// They take half a second on an idle machine. 1,500 of them passed when this was written.
const CONVERSATIONS: u64 = 45;

/// Gives a run its secret in one of the places for one.
fn with_secret(run: Openai, secret: &str, random: &mut Random) -> Openai {
    match random.below(4) {
        0 if secret.is_ascii() => run.env("OPENAI_API_KEY", secret),
        1 if secret.is_ascii() => run.file("key", secret).args(&["--api-key-file", "key"]),
        2 if secret.is_ascii() => {
            run.args(&["--header", &format!("Authorization: Bearer {secret}")])
        }
        _ => run.file("headers", format!("X-Gateway: {secret}\n")).args(&["--header", "@headers"]),
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// A sentence with the secret in it. In some cases it is so long that a message truncates it.
fn sentence(secret: &str, random: &mut Random) -> String {
    let long = 470 + random.below(50);
    let before = if random.below(3) == 0 { "x".repeat(long) + " " } else { "Bad key ".to_owned() };
    format!("{before}{} (see the manual)", echo(secret, random))
}

/// The body of an error response in one of the usual shapes.
fn error_body(secret: &str, random: &mut Random) -> String {
    let mut text = || quoted(&sentence(secret, random));
    let (first, second, third) = (text(), text(), text());
    match random.below(5) {
        0 => format!(
            r#"{{"error":{{"message":{first},"type":"t","code":{second},"param":{third}}}}}"#
        ),
        1 => format!(r#"{{"error":{first}}}"#),
        2 => format!(r#"{{"detail":[{{"msg":{first},"input":{second}}}]}}"#),
        3 => format!("<html><body>{}</body></html>", sentence(secret, random)),
        _ => format!(r#"{{"error":{first},"code":{second}}}"#),
    }
}

/// Adds headers and chunks to a response.
fn with_echoes(reply: Reply, secret: &str, random: &mut Random) -> Reply {
    let names = ["X-Request-Id", "Server", "ETag", "Set-Cookie", "X-Echo", "OpenAI-Version"];
    let reply = reply.header(names[random.below(names.len())], &echo(secret, random));
    if random.below(3) == 0 { reply.chunked(1 + random.below(9)) } else { reply }
}

/// The replies of a conversation and the arguments of its run.
fn conversation(secret: &str, random: &mut Random) -> (Vec<Reply>, Vec<String>) {
    let extend = || EXTEND.map(str::to_owned).to_vec();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let wait = [&EXTEND[..], &["--wait", "--poll-interval", "10ms"]].concat();
    let queued = Reply::json(200, r#"{"id":"video_1","status":"queued"}"#);
    match random.below(7) {
        0 => {
            let status = [400, 401, 403, 404, 409, 422, 429, 500, 502, 503][random.below(10)];
            (vec![Reply::json(status, &error_body(secret, random))], extend())
        }
        1 => {
            let (path, query) = (echo(secret, random), echo(secret, random));
            let host = ["", "http://127.0.0.1:1", "https://u:p@x.example"][random.below(3)];
            let status = [302, 303, 307, 308][random.below(4)];
            (vec![Reply::redirect(status, &format!("{host}/{path}?k={query}"))], extend())
        }
        2 => {
            let error = format!(
                r#"{{"code":{},"message":{}}}"#,
                quoted(&echo(secret, random)),
                quoted(&sentence(secret, random))
            );
            let job = format!(r#"{{"id":"video_1","status":"failed","error":{error}}}"#);
            (vec![queued, Reply::json(200, &job)], words(&wait))
        }
        3 => (vec![Reply::json(200, &error_body(secret, random))], extend()),
        4 => {
            let text = error_body(secret, random);
            let page = Reply::status(200).header("Content-Type", "text/html").body(text);
            let job = Reply::json(200, r#"{"id":"video_1","status":"completed"}"#);
            (vec![page, job], words(&["videos", "download-content", "video_1", "-o", "out.mp4"]))
        }
        5 => {
            let job = format!(
                r#"{{"id":"video_1","status":"completed","url":{}}}"#,
                quoted(&format!("ftp://x.example/{}", echo(secret, random)))
            );
            let run = [&wait[..], &["-o", "out.mp4"]].concat();
            (vec![queued, Reply::json(200, &job), Reply::json(404, "{}")], words(&run))
        }
        _ => {
            let job = format!(r#"{{"id":"video_1","status":{}}}"#, quoted(&echo(secret, random)));
            let done = Reply::json(200, r#"{"id":"video_1","status":"completed"}"#);
            (vec![queued, Reply::json(200, &job), done], words(&wait))
        }
    }
}

#[test]
fn standard_error_and_the_state_file_contain_no_secret() {
    for seed in 0..CONVERSATIONS {
        let random = &mut Random(seed);
        let secret = secret(random);
        let (replies, args) = conversation(&secret, random);
        let replies =
            replies.into_iter().map(|reply| with_echoes(reply, &secret, random)).collect();
        let server = Server::script(replies);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let home = TempDir::new();
        let mut run = openai(&args).args(&["--max-retries", "0"]).current_dir(home.path());
        if random.below(2) == 0 {
            run = run.arg("--debug");
        }
        let formats = ["auto", "json", "jsonl", "raw", "pretty", "yaml"];
        run = run.args(&["--format-error", formats[random.below(formats.len())]]);
        if args[1] == "extend" && random.below(2) == 0 {
            run = run.args(&["--state", "job", "--field", &format!("note={secret}")]);
        }
        let run = with_secret(run.server(&server), &secret, random).run();
        let state = std::fs::read_to_string(home.path().join("job")).unwrap_or_default();
        for text in [run.stderr_text(), state] {
            assert!(!reveals(&text, &secret), "seed {seed}: {secret}\n{text}\n{run:?}");
        }
        server.finish();
    }
}

#[test]
fn a_dry_run_shows_no_secret() {
    for seed in 0..CONVERSATIONS / 3 {
        let random = &mut Random(seed);
        let is_long = random.below(4) > 0;
        let secret = if is_long { secret(random) } else { short_secret(random) };
        let text = if is_long { sentence(&secret, random) } else { secret.clone() };
        let encoding = ["json", "multipart"][random.below(2)];
        let run = openai(&EXTEND).args(&["--dry-run", "--encoding", encoding, "--prompt", &text]);
        let run = run.args(&["--field", &format!("a={secret}")]);
        let run = run.args(&["--header", &format!("User-Agent: {secret}")]);
        let path: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let url = format!("http://127.0.0.1:1/{}", if is_long { path } else { String::new() });
        let run = with_secret(run.args(&["--base-url", &url]), &secret, random).run();
        let shown = run.success().stdout_text();
        let is_out = if is_long {
            reveals(&shown, &secret)
        } else {
            let value = |line: &str| line.split_once(": ").map(|(_, value)| value.to_owned());
            shown.lines().filter_map(value).any(|value| value == secret)
                || shown.contains(&format!(":{}", quoted(&secret)))
        };
        assert!(!is_out, "seed {seed}: {secret}\n{run:?}");
    }
}

#[test]
fn a_result_is_printed_unchanged_except_for_strings_that_equal_the_secret() {
    for seed in 0..CONVERSATIONS / 3 {
        let random = &mut Random(seed);
        let secret = secret(random);
        let around = quoted(&sentence(&secret, random));
        let whole = quoted(&secret);
        let number = random.next();
        let job = |echo: &str| {
            format!(r#"{{"id":{whole}, "n": {number}, "text":{around},"list" : [{echo},1.50]}}"#)
        };
        let reply = Reply::json(200, &job(&whole)).chunked(1 + random.below(30));
        let server = Server::script(vec![reply]);
        let run = openai(&["videos", "retrieve", "v", "--format", "raw"]).server(&server);
        let run = with_secret(run, &secret, random).run();
        run.is(0, &format!("{}\n", job("\"[key]\"")), "");
        server.finish();
    }
}
