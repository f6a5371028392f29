//! How the servers that speak the Videos API differ, read from their documentation and source: one
//! row for each server.

/// One server's version of the API.
pub struct Dialect {
    pub name: &'static str,
    /// The paths of its base URL.
    pub bases: &'static [&'static str],
    /// The path of the only POST that it has. A server without an extension endpoint has
    /// `/videos`, and one job from the start.
    pub path: &'static str,
    /// The conditions on the JSON body of the POST.
    pub rules: &'static [Rule],
    pub forms: Forms,
    /// The id of a job. `{n}` is its number, which starts at 1.
    pub id: &'static str,
    /// The responses about a job: the first one is that to the POST, the others are those to the
    /// polls, of which the last one is repeated. See [`Dialect::fill`].
    pub responses: &'static [&'static str],
    /// The responses to `GET /videos/{id}/content`, of which the last one is repeated.
    pub content: &'static [Content],
    /// The body of an error. `{message}` stands for the message as a JSON string.
    pub error: &'static str,
    /// The status code for a wrong API key.
    pub wrong_key: u16,
    /// The response to a request for a path that it does not have.
    pub no_route: (u16, &'static str),
}

/// How it treats a `multipart/form-data` body.
#[derive(Clone, Copy, PartialEq)]
pub enum Forms {
    /// Responds with 415.
    Refused,
    /// Reads the field `video[id]` as the member `id` of `video`.
    Read,
    /// Does not know the field `video[id]`, and so has no id.
    WithoutIds,
    /// Reads nothing else: all fields of a JSON body are missing to it.
    Required,
}

/// A condition on the JSON body of a POST. Members are JSON pointers (RFC 6901).
pub enum Rule {
    /// The member is a string that is not empty.
    Text(&'static str),
    /// The member is an integer in this range, or absent.
    Integer(&'static str, i64, i64),
    /// The member is an http, https or `data:` URL.
    Url(&'static str),
    /// The member is one of these strings.
    OneOf(&'static str, &'static [&'static str]),
    /// One of these members is there.
    Any(&'static [&'static str]),
    /// The member is absent.
    Absent(&'static str),
}

#[derive(Clone, Copy)]
pub enum Content {
    Media,
    /// A redirect to the media on another host.
    Redirect,
    /// A response without the media, with this status code and JSON body.
    Refusal(u16, &'static str),
}

impl Dialect {
    /// The row with this name.
    pub fn named(name: &str) -> Option<&'static Dialect> {
        DIALECTS.iter().find(|dialect| dialect.name == name)
    }

    /// A response about the job with this id: `{id}` in the template is its id, and `{media}` the
    /// URL of its media.
    pub fn fill(template: &str, id: &str, media: &str) -> String {
        template.replace("{id}", id).replace("{media}", media)
    }
}

const DURATIONS: Rule = Rule::Integer("/duration", 2, 10);
/// A video by its id, or an uploaded file.
const REFERENCE: Rule = Rule::Any(&["/video/id", "/video/upload"]);
const SECONDS: Rule = Rule::OneOf("/seconds", &["4", "8", "12", "16", "20"]);
const OPENAI_ERROR: &str =
    r#"{"error":{"message":{message},"type":"invalid_request_error","param":null,"code":null}}"#;
const NO_CONTENT: &[Content] = &[Content::Refusal(404, r#"{"error":"not found"}"#)];
const MEDIA: &[Content] = &[Content::Media];

pub const DIALECTS: [Dialect; 16] = [
    XAI,
    Dialect { name: "cliproxyapi", no_route: (404, "404 page not found"), ..XAI },
    Dialect { name: "grok2api", content: MEDIA, ..XAI },
    SUB2API,
    Dialect {
        name: "sub2api-metadata",
        responses: &[
            r#"{"task_id":"{id}","status":"queued"}"#,
            r#"{"task_id":"{id}","status":"completed","metadata":{"url":"{media}"}}"#,
        ],
        content: NO_CONTENT,
        ..SUB2API
    },
    LITELLM,
    Dialect {
        name: "litellm-xai",
        rules: &[Rule::Text("/prompt"), Rule::Url("/video/url"), DURATIONS],
        responses: &[
            r#"{"id":"{id}","object":"video","status":"processing","progress":null}"#,
            r#"{"id":"unknown","object":"video","status":"processing","progress":null}"#,
            r#"{"id":"output.mp4","object":"video","status":"completed","progress":null}"#,
        ],
        ..LITELLM
    },
    Dialect {
        name: "steady",
        bases: &["/v1"],
        path: "/videos/extensions",
        rules: &[Rule::Text("/prompt"), SECONDS, REFERENCE],
        forms: Forms::Read,
        id: "suscipit-{n}",
        responses: &[
            concat!(
                r#"{"id":"{id}","status":"in_progress","error":{"code":"a","message":"b"},"#,
                r#""seconds":"qui","progress":-3}"#
            ),
            concat!(
                r#"{"id":"et","status":"completed","error":{"code":"a","message":"b"},"#,
                r#""seconds":"sed","progress":71}"#
            ),
        ],
        content: MEDIA,
        error: OPENAI_ERROR,
        wrong_key: 401,
        no_route: (404, "{}"),
    },
    Dialect {
        name: "relay",
        bases: &["/v1"],
        path: "/videos/extensions",
        rules: &[
            Rule::Text("/prompt"),
            Rule::Text("/model"),
            Rule::Any(&["/video_id", "/video_url"]),
            DURATIONS,
            Rule::Absent("/video"),
        ],
        forms: Forms::Refused,
        id: "clip-{n}",
        responses: &[
            r#"{"object":"list","data":[{"id":"{id}","status":"in_queue","seconds":"5.04"}]}"#,
            r#"{"object":"list","data":[{"id":"{id}","status":"processing","seconds":"5.04"}]}"#,
            concat!(
                r#"{"object":"list","data":[{"id":"{id}","status":"succeeded","#,
                r#""seconds":"5.04","video_url":"{media}"}]}"#
            ),
        ],
        content: NO_CONTENT,
        error: r#"{"error":{message}}"#,
        wrong_key: 401,
        no_route: (404, r#"{"error":"not found"}"#),
    },
    SGLANG,
    Dialect {
        name: "vllm-omni",
        forms: Forms::Required,
        id: "video_gen_{n}",
        responses: &[
            r#"{"id":"{id}","object":"video","status":"queued","progress":0.0,"error":null}"#,
            r#"{"id":"{id}","object":"video","status":"in_progress","progress":33.5,"error":null}"#,
            concat!(
                r#"{"id":"{id}","object":"video","status":"completed","progress":100.0,"#,
                r#""inference_time_s":12.25,"peak_memory_mb":20480.5,"error":null}"#
            ),
        ],
        content: MEDIA,
        error: concat!(
            r#"{"error":{"message":{message},"#,
            r#""type":"BadRequestError","param":null,"code":400}}"#
        ),
        ..SGLANG
    },
    NEW_API,
    Dialect {
        name: "new-api-metadata",
        responses: &[
            r#"{"id":"{id}","task_id":"{id}","status":"processing"}"#,
            r#"{"id":"{id}","task_id":"{id}","status":"success","metadata":{"url":"{media}"}}"#,
        ],
        content: NO_CONTENT,
        ..NEW_API
    },
    Dialect {
        name: "openrouter",
        bases: &["/api/v1"],
        id: "gen-{n}",
        responses: &[
            r#"{"id":"{id}","polling_url":"/api/v1/videos/{id}","status":"pending"}"#,
            r#"{"id":"{id}","polling_url":"/api/v1/videos/{id}","status":"in_progress"}"#,
            concat!(
                r#"{"id":"{id}","polling_url":"/api/v1/videos/{id}","status":"completed","#,
                r#""unsigned_urls":["{media}"],"usage":{"cost":0.5}}"#
            ),
        ],
        content: MEDIA,
        ..NEW_API
    },
    Dialect {
        name: "together",
        responses: &[
            r#"{"id":"{id}","object":"video","status":"queued","seconds":"5"}"#,
            concat!(
                r#"{"id":"{id}","object":"video","status":"completed","seconds":"5","#,
                r#""outputs":{"cost":0.28,"video_url":"{media}"}}"#
            ),
        ],
        content: NO_CONTENT,
        ..NEW_API
    },
    Dialect {
        name: "xai-mock",
        id: "mock-{n}",
        responses: &[
            r#"{"id":"{id}","object":"video","status":"completed","progress":100,"url":"{media}"}"#,
        ],
        content: &[Content::Refusal(404, NOT_FOUND)],
        no_route: (404, NOT_FOUND),
        ..NEW_API
    },
];

const NOT_FOUND: &str = r#"{"error":{"message":"Not found"}}"#;

const XAI: Dialect = Dialect {
    name: "xai",
    bases: &["/v1"],
    path: "/videos/extensions",
    rules: &[
        Rule::Text("/prompt"),
        Rule::OneOf("/model", &["grok-imagine-video"]),
        Rule::Url("/video/url"),
        DURATIONS,
        Rule::Absent("/seconds"),
    ],
    forms: Forms::Refused,
    id: "d97415a1-5796-b7ec-379f-{n}",
    responses: &[
        r#"{"request_id":"{id}"}"#,
        r#"{"status":"pending"}"#,
        concat!(
            r#"{"status":"done","#,
            r#""video":{"url":"{media}","duration":14,"respect_moderation":true},"#,
            r#""model":"grok-imagine-video","usage":{"cost_in_usd_ticks":3000000000}}"#
        ),
    ],
    content: NO_CONTENT,
    error: r#"{"code":"Client specified an invalid argument","error":{message}}"#,
    wrong_key: 401,
    no_route: (404, r#"{"error":"not found"}"#),
};

const SUB2API: Dialect = Dialect {
    name: "sub2api",
    bases: &["/v1", ""],
    path: "/videos/extensions",
    rules: &[Rule::Text("/prompt"), Rule::Text("/model")],
    forms: Forms::Refused,
    id: "task_{n}",
    responses: &[
        r#"{"task_id":"{id}","status":"queued"}"#,
        r#"{"task_id":"{id}","status":"processing"}"#,
        r#"{"task_id":"{id}","status":"completed"}"#,
    ],
    content: &[Content::Redirect],
    error: OPENAI_ERROR,
    wrong_key: 401,
    no_route: (404, "404 page not found"),
};

const LITELLM: Dialect = Dialect {
    name: "litellm",
    bases: &["/v1", ""],
    path: "/videos/extensions",
    rules: &[Rule::Text("/prompt"), Rule::Any(&["/video", "/video/id", "/video/upload"])],
    forms: Forms::WithoutIds,
    id: "video_bGl0ZWxsbTo{n}Q==",
    responses: &[
        r#"{"id":"{id}","object":"video","status":"queued","usage":{"duration_seconds":4.0}}"#,
        r#"{"id":"{id}","object":"video","status":"dispatched","usage":{"duration_seconds":4.0}}"#,
        r#"{"id":"{id}","object":"video","status":"completed","usage":{"duration_seconds":4.0}}"#,
    ],
    content: MEDIA,
    error: r#"{"error":{"message":{message},"type":"None","param":"None","code":"400"}}"#,
    wrong_key: 400,
    no_route: (404, r#"{"detail":"Not Found"}"#),
};

const SGLANG: Dialect = Dialect {
    name: "sglang",
    bases: &["/v1"],
    path: "/videos",
    rules: &[Rule::Text("/prompt")],
    forms: Forms::Read,
    id: "7f2c0d-{n}",
    responses: &[
        concat!(
            r#"{"id":"{id}","object":"video","status":"queued","#,
            r#""seconds":4,"size":"","error":{"message":""}}"#
        ),
        r#"{"id":"{id}","object":"video","status":"completed","seconds":4,"size":"","error":null}"#,
    ],
    content: &[
        Content::Refusal(404, r#"{"detail":"Generation is still in-progress"}"#),
        Content::Media,
    ],
    error: r#"{"detail":{message}}"#,
    wrong_key: 401,
    no_route: (405, r#"{"detail":"Method Not Allowed"}"#),
};

const NEW_API: Dialect = Dialect {
    name: "new-api",
    bases: &["/v1"],
    path: "/videos",
    rules: &[Rule::Text("/prompt"), Rule::Text("/model")],
    forms: Forms::Read,
    id: "task_{n}",
    responses: &[
        r#"{"id":"{id}","task_id":"{id}","status":"NOT_START"}"#,
        r#"{"id":"{id}","task_id":"{id}","status":"processing"}"#,
        r#"{"id":"{id}","task_id":"{id}","status":"running"}"#,
        r#"{"id":"{id}","task_id":"{id}","status":"success"}"#,
    ],
    content: &[
        Content::Refusal(400, r#"{"error":{"message":"not ready","code":"video_not_ready"}}"#),
        Content::Media,
    ],
    error: OPENAI_ERROR,
    wrong_key: 401,
    no_route: (404, r#"{"error":{"message":"Invalid URL"}}"#),
};
