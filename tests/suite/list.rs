//! `openai videos list`: its options, its pages, and each format.

use crate::support::{Openai, Reply, Request, Server, openai};

const FIRST: &str = r#"{"data":[
    {"id":"v1","status":"completed","progress":100,"created_at":1758941485},
    {"id":"v2","status":"queued","n":1.50}],"has_more":true}"#;
const SECOND: &str = r#"{"data":[{"id":"v3","status":"failed"}],"last_id":"v3","has_more":false}"#;

fn list(server: &Server, more: &[&str]) -> Openai {
    openai(&["videos", "list"]).args(more).server(server)
}

/// The standard output of a list of two pages.
fn printed(more: &[&str]) -> String {
    let server = Server::script(vec![Reply::json(200, FIRST), Reply::json(200, SECOND)]);
    let text = list(&server, more).run().success().stderr("").stdout_text();
    let paths: Vec<String> = server.finish().into_iter().map(|request| request.target).collect();
    assert_eq!(paths, ["/v1/videos", "/v1/videos?after=v2"]);
    text
}

#[test]
fn each_job_of_each_page_is_a_document_of_its_own() {
    assert_eq!(
        printed(&[]),
        "{\n  \"id\": \"v1\",\n  \"status\": \"completed\",\n  \"progress\": 100,\n  \
         \"created_at\": 1758941485\n}\n\
         {\n  \"id\": \"v2\",\n  \"status\": \"queued\",\n  \"n\": 1.50\n}\n\
         {\n  \"id\": \"v3\",\n  \"status\": \"failed\"\n}\n"
    );
    assert_eq!(
        printed(&["--format", "jsonl", "--transform", "{id,status}"]),
        "{\"id\":\"v1\",\"status\":\"completed\"}\n{\"id\":\"v2\",\"status\":\"queued\"}\n\
         {\"id\":\"v3\",\"status\":\"failed\"}\n"
    );
    assert_eq!(printed(&["--transform", "id", "-r"]), "v1\nv2\nv3\n");
    assert_eq!(
        printed(&["--format", "yaml", "--transform", "{id}"]),
        "---\nid: v1\n---\nid: v2\n---\nid: v3\n"
    );
    assert_eq!(
        printed(&["--format", "pretty"]),
        "completed    27 Sep 2025  v1\nqueued       -            v2\nfailed       -            v3\n"
    );
}

#[test]
fn raw_prints_one_page_as_received() {
    let server = Server::script(vec![Reply::json(200, FIRST), Reply::json(200, FIRST)]);
    list(&server, &["--format", "raw"]).run().is(0, &format!("{FIRST}\n"), "");
    list(&server, &["--format", "raw", "--transform", "data.#"]).run().is(0, "2\n", "");
    server.finish();
}

#[test]
fn the_options_become_the_query_and_max_items_ends_the_list() {
    let server = Server::script(vec![Reply::json(200, FIRST)]);
    let more = ["--limit=2", "--after", "a/b", "--order", "asc", "--max-items", "1"];
    list(&server, &more).args(&["--transform", "id"]).run().is(0, "\"v1\"\n", "");
    let request: Request = server.finish().remove(0);
    assert_eq!(request.target, "/v1/videos?order=asc&limit=2&after=a%2Fb");
}

#[test]
fn a_closed_pipe_ends_the_list_quietly() {
    let server = Server::script(vec![Reply::json(200, FIRST)]);
    list(&server, &[]).stdout_closed().run().is(0, "", "");
    server.finish();
}

#[test]
fn invalid_options_of_a_list_are_refused_before_the_request() {
    let server = Server::script(vec![]);
    for (more, stderr) in [
        (&["--limit", "101"][..], "--limit: invalid number '101'; it must be from 0 to 100\n"),
        (&["--order", "up"], "--order: invalid value 'up'; possible values: asc, desc\n"),
        (&["--after", ""], "--after: the value is empty\n"),
        (
            &["--max-items", "1", "--format", "raw"],
            "--max-items cannot be used with --format raw\nhint: use --limit, or --format jsonl\n",
        ),
        (&["--wait"], "--wait cannot be used with 'list'\n"),
        (&["v"], "unexpected argument 'v'\nhint: put a text with spaces in quotation marks\n"),
    ] {
        list(&server, more).run().is(2, "", &format!("openai: {stderr}"));
    }
    let retrieve = openai(&["videos", "retrieve", "v", "--limit", "1"]).server(&server).run();
    retrieve.is(2, "", "openai: --limit cannot be used with 'retrieve'\n");
    server.finish();
}
