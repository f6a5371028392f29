//! A server that speaks one dialect of the Videos API, and the host of its media, which is another
//! origin. A job's status depends on how often it was retrieved and not on time.

use serde_json::{Value, json};

use super::dialects::{Content, Dialect, Forms, Rule};
use super::request::Request;
use super::response::Response;
use super::videos::{Videos, clip};

/// Responds to one request.
pub type Respond = Box<dyn FnMut(&Request) -> Response + Send>;

/// Headers that must not reach another origin: credentials, and those that `--organization`,
/// `--project` and `--header` send.
pub const PRIVATE: [&str; 4] = ["authorization", "openai-organization", "openai-project", "x-user"];

/// A server like this one, with the only API key that it accepts (`None` for any), and the origin
/// of the host with its media, such as `http://127.0.0.1:4000`. `None`: there is no such server.
pub fn server_like(name: &str, key: Option<&str>, media_origin: &str) -> Option<Respond> {
    let videos = match name {
        "openai" => Some(Videos::new(key)),
        "hasty" => Some(Videos::hasty(key)),
        _ => None,
    };
    if let Some(mut videos) = videos {
        return Some(Box::new(move |request| videos.respond(request)));
    }
    let dialect = Dialect::named(name)?;
    let mut imitation = Imitation {
        dialect,
        key: key.map(str::to_owned),
        media_origin: media_origin.to_owned(),
        jobs: Vec::new(),
    };
    if dialect.path == "/videos" {
        imitation.jobs.push(Job::default());
    }
    Some(Box::new(move |request| imitation.respond(request)))
}

/// The host of the media. Like a store with signed URLs it refuses a request with credentials. The
/// first `expired` signatures are no longer valid.
pub fn media_host(expired: usize) -> Respond {
    Box::new(move |request| {
        let private = PRIVATE.iter().find(|name| request.header(name).is_some());
        let signature = request.query("signature").and_then(|text| text.parse::<usize>().ok());
        match (private, signature) {
            (Some(name), _) => {
                let text =
                    format!("<Error><Code>InvalidArgument</Code><Name>{name}</Name></Error>");
                Response::new(400).header("Content-Type", "application/xml").body(text)
            }
            (None, Some(number)) if number > expired => clip(request),
            _ => Response::new(403).header("Content-Type", "application/xml").body(
                "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
            ),
        }
    })
}

struct Imitation {
    dialect: &'static Dialect,
    key: Option<String>,
    media_origin: String,
    /// In the order of their creation.
    jobs: Vec<Job>,
}

#[derive(Default)]
struct Job {
    /// The number of responses about this job.
    shown: usize,
    /// The number of responses to requests for its content.
    content_requests: usize,
    /// The number of URLs of its media that were given out, each with its own signature.
    signatures: usize,
}

impl Imitation {
    fn respond(&mut self, request: &Request) -> Response {
        if let Some(key) = &self.key
            && request.header("authorization") != Some(&format!("Bearer {key}"))
        {
            return self.error(self.dialect.wrong_key, "Incorrect API key provided.");
        }
        let path = request.path().replace("%3D", "=");
        let mut bases = self.dialect.bases.iter();
        let relative = bases.find_map(|base| {
            path.strip_prefix(base).filter(|relative| relative.starts_with("/videos"))
        });
        let Some(relative) = relative else {
            return self.no_route();
        };
        if (request.method.as_str(), relative) == ("POST", self.dialect.path) {
            return self.create(request);
        }
        let segments: Vec<&str> = relative.split('/').skip(2).collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", [id]) => self.with_job(id, Imitation::retrieve),
            ("GET", [id, "content"]) => self.with_job(id, |it, index| it.content(index, request)),
            _ => self.no_route(),
        }
    }

    fn create(&mut self, request: &Request) -> Response {
        let body = match self.body(request) {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        if let Some(message) = self.dialect.rules.iter().find_map(|rule| rule.violation(&body)) {
            return self.error(400, &message);
        }
        self.jobs.push(Job::default());
        self.retrieve(self.jobs.len() - 1)
    }

    /// The body as JSON, whatever its encoding.
    fn body(&self, request: &Request) -> Result<Value, Response> {
        let kind = request.header("content-type").unwrap_or_default();
        match kind.split(';').next().unwrap_or_default() {
            "application/json" if self.dialect.forms == Forms::Required => Ok(json!({})),
            "application/json" => serde_json::from_slice(&request.body)
                .map_err(|error| self.error(400, &format!("invalid JSON: {error}"))),
            "multipart/form-data" if self.dialect.forms != Forms::Refused => {
                self.form(request).map_err(|message| self.error(400, &message))
            }
            _ => Err(self.error(415, "Expected request with `Content-Type: application/json`")),
        }
    }

    /// The fields of a form as JSON. An uploaded file is an object with its name as `upload`.
    fn form(&self, request: &Request) -> Result<Value, String> {
        let mut body = json!({});
        for part in request.form()? {
            let text = String::from_utf8_lossy(&part.body);
            match (part.filename, part.name.as_str()) {
                (Some(name), _) => body[&part.name] = json!({ "upload": name }),
                (None, "video[id]") if self.dialect.forms == Forms::Read => {
                    body["video"] = json!({ "id": text });
                }
                (None, _) => body[&part.name] = json!(text),
            }
        }
        Ok(body)
    }

    fn with_job(
        &mut self,
        id: &str,
        respond: impl FnOnce(&mut Imitation, usize) -> Response,
    ) -> Response {
        match (0..self.jobs.len()).find(|index| self.id(*index) == id) {
            Some(index) => respond(self, index),
            None => self.error(404, &format!("no video has the id '{id}'")),
        }
    }

    fn retrieve(&mut self, index: usize) -> Response {
        let responses = self.dialect.responses;
        let template = responses[self.jobs[index].shown.min(responses.len() - 1)];
        self.jobs[index].shown += 1;
        let media = if template.contains("{media}") { self.media(index) } else { String::new() };
        Response::json(200, &Dialect::fill(template, &self.id(index), &media))
    }

    fn content(&mut self, index: usize, request: &Request) -> Response {
        let contents = self.dialect.content;
        let content = contents[self.jobs[index].content_requests.min(contents.len() - 1)];
        self.jobs[index].content_requests += 1;
        match content {
            Content::Media => clip(request),
            Content::Redirect => Response::new(302).header("Location", &self.media(index)),
            Content::Refusal(status, body) => {
                Response::json(status, body).header("openai-poll-after-ms", "100")
            }
        }
    }

    fn id(&self, index: usize) -> String {
        self.dialect.id.replace("{n}", &(index + 1).to_string())
    }

    /// A URL of a job's media with a new signature.
    fn media(&mut self, index: usize) -> String {
        self.jobs[index].signatures += 1;
        let signature = self.jobs[index].signatures;
        format!("{}/{}.mp4?signature={signature}", self.media_origin, index + 1)
    }

    fn error(&self, status: u16, message: &str) -> Response {
        let body = self.dialect.error.replace("{message}", &json!(message).to_string());
        Response::json(status, &body)
    }

    fn no_route(&self) -> Response {
        let (status, body) = self.dialect.no_route;
        Response::json(status, body)
    }
}

impl Rule {
    /// How a body breaks this rule.
    fn violation(&self, body: &Value) -> Option<String> {
        let member = |name: &str| body.pointer(name).filter(|value| !value.is_null());
        let text = |name: &str| member(name).and_then(Value::as_str).unwrap_or_default();
        let (holds, expected) = match *self {
            Rule::Text(name) => (!text(name).is_empty(), format!("{name} must be a string")),
            Rule::Integer(name, least, most) => (
                member(name).is_none_or(|value| {
                    value.as_i64().is_some_and(|number| (least..=most).contains(&number))
                }),
                format!("{name} must be an integer from {least} to {most}"),
            ),
            Rule::Url(name) => (
                ["http://", "https://", "data:"].iter().any(|start| text(name).starts_with(start)),
                format!("{name} must be a URL"),
            ),
            Rule::OneOf(name, values) => {
                (values.contains(&text(name)), format!("{name} must be one of {values:?}"))
            }
            Rule::Any(names) => (
                names.iter().any(|name| !text(name).is_empty()),
                format!("one of {names:?} is required"),
            ),
            Rule::Absent(name) => (member(name).is_none(), format!("{name} is unknown")),
        };
        (!holds).then_some(expected)
    }
}
