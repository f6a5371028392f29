//! The Videos API in memory. A job's status depends on how often it was retrieved and not on time:
//! queued, in progress at 33 %, in progress at 66 %, completed.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::request::Request;
use super::response::Response;

/// The media of every completed job.
pub const CLIP: &[u8] = include_bytes!("../../media/clip.mp4");
const ETAG: &str = "\"clip-1\"";
const SECONDS: [&str; 3] = ["4", "8", "12"];
const EXTENSION_SECONDS: [&str; 5] = ["4", "8", "12", "16", "20"];
const SIZES: [&str; 4] = ["720x1280", "1280x720", "1024x1792", "1792x1024"];
/// The assumed length of a source video, in seconds. An extension's `seconds` is this plus the
/// requested seconds.
const SOURCE_SECONDS: u32 = 4;
const PROMPT_LIMIT: usize = 32_000;
const DAY: u64 = 86_400;

pub struct Videos {
    /// The only API key that is accepted, or `None` to accept any.
    key: Option<String>,
    /// In the order of their creation.
    jobs: Vec<Job>,
    created: usize,
    by_idempotency_key: HashMap<String, String>,
    /// See [`Videos::hasty`].
    is_hasty: bool,
    /// The names of the characters.
    characters: Vec<String>,
}

struct Job {
    id: String,
    creation: Creation,
    /// In seconds since the Unix epoch.
    created_at: u64,
    /// How often it was retrieved.
    retrieved: u32,
}

/// A request that creates a job, checked.
struct Creation {
    prompt: String,
    model: String,
    size: String,
    seconds: u32,
    source: Option<String>,
}

impl Videos {
    pub fn new(key: Option<&str>) -> Videos {
        Videos {
            key: key.map(str::to_owned),
            jobs: Vec::new(),
            created: 0,
            by_idempotency_key: HashMap::new(),
            is_hasty: false,
            characters: Vec::new(),
        }
    }

    /// A server that ignores idempotency keys, so that every POST creates a job, that completes a
    /// job at its first retrieval, and that sets no poll interval.
    pub fn hasty(key: Option<&str>) -> Videos {
        Videos { is_hasty: true, ..Videos::new(key) }
    }

    pub fn respond(&mut self, request: &Request) -> Response {
        if let Some(key) = &self.key
            && request.header("authorization") != Some(&format!("Bearer {key}"))
        {
            return error(401, "Incorrect API key provided.", None, Some("invalid_api_key"));
        }
        let segments: Vec<&str> = request.path().split('/').skip(1).collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("POST", ["v1", "videos"]) => self.create(request, new_video),
            ("GET", ["v1", "videos"]) => self.list(request),
            (_, ["v1", "videos"]) => not_allowed(request, "GET, POST"),
            ("POST", ["v1", "videos", "extensions"]) => self.create(request, extension),
            ("POST", ["v1", "videos", "edits"]) => self.create(request, edit),
            ("POST", ["v1", "videos", "characters"]) => self.create_character(request),
            (_, ["v1", "videos", "extensions" | "edits" | "characters"]) => {
                not_allowed(request, "POST")
            }
            ("POST", ["v1", "videos", id, "remix"]) => self.create(request, |body| remix(body, id)),
            (_, ["v1", "videos", _, "remix"]) => not_allowed(request, "POST"),
            ("GET", ["v1", "videos", "characters", id]) => self.character(id),
            ("GET", ["v1", "videos", id]) => self.retrieve(id),
            ("DELETE", ["v1", "videos", id]) => self.delete(id),
            (_, ["v1", "videos", _]) => not_allowed(request, "GET, DELETE"),
            ("GET", ["v1", "videos", id, "content"]) => self.content(id, request),
            (_, ["v1", "videos", _, "content"]) => not_allowed(request, "GET"),
            _ => {
                let message = format!("Invalid URL ({} {})", request.method, request.path());
                error(404, &message, None, None)
            }
        }
    }

    fn create(
        &mut self,
        request: &Request,
        check: impl FnOnce(&Value) -> Result<Creation, Response>,
    ) -> Response {
        let key = request.header("idempotency-key").filter(|_| !self.is_hasty);
        let known = key.and_then(|key| self.by_idempotency_key.get(key));
        if let Some(job) = known.and_then(|id| self.job(id)) {
            return job.response(self.is_hasty);
        }
        let creation = match body(request).and_then(|body| check(&body)) {
            Ok(creation) => creation,
            Err(refusal) => return refusal,
        };
        self.created += 1;
        let id = format!("video_{}", self.created);
        if let Some(key) = key {
            self.by_idempotency_key.insert(key.to_owned(), id.clone());
        }
        let created_at =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let job = Job { id, creation, created_at, retrieved: 0 };
        let response = job.response(self.is_hasty);
        self.jobs.push(job);
        response
    }

    fn create_character(&mut self, request: &Request) -> Response {
        let name = body(request).and_then(|body| match &body["video"]["upload"] {
            Value::String(_) => text(&body, "name"),
            _ => Err(missing("video")),
        });
        match name {
            Ok(name) if !name.is_empty() && name.chars().count() <= 80 => {
                self.characters.push(name);
                self.character(&format!("char_{}", self.characters.len()))
            }
            Ok(_) => invalid("name", "Expected 1 to 80 characters."),
            Err(refusal) => refusal,
        }
    }

    fn character(&self, id: &str) -> Response {
        let number = id.strip_prefix("char_").and_then(|number| number.parse::<usize>().ok());
        let name = number.and_then(|number| self.characters.get(number.checked_sub(1)?));
        let Some(name) = name else {
            let message = format!("Character with id '{id}' not found.");
            return error(404, &message, Some("character_id"), None);
        };
        let text = format!(r#"{{"id":{},"name":{},"created_at":1}}"#, json!(id), json!(name));
        Response::json(200, &text)
    }

    fn retrieve(&mut self, id: &str) -> Response {
        match self.jobs.iter_mut().find(|job| job.id == id) {
            Some(job) => {
                job.retrieved += if self.is_hasty { 3 } else { 1 };
                job.response(self.is_hasty)
            }
            None => not_found(id),
        }
    }

    fn delete(&mut self, id: &str) -> Response {
        if self.job(id).is_none() {
            return not_found(id);
        }
        self.jobs.retain(|job| job.id != id);
        let deleted = json!({"id": id, "object": "video.deleted", "deleted": true});
        Response::json(200, &deleted.to_string())
    }

    fn list(&self, request: &Request) -> Response {
        let Ok(limit) = request.query("limit").unwrap_or("20").parse::<usize>() else {
            return invalid("limit", "Expected an integer.");
        };
        let mut jobs: Vec<&Job> = self.jobs.iter().collect();
        match request.query("order") {
            None | Some("desc") => jobs.reverse(),
            Some("asc") => {}
            Some(_) => return invalid("order", "Expected 'asc' or 'desc'."),
        }
        if let Some(after) = request.query("after") {
            let before = jobs.iter().position(|job| job.id == after);
            jobs.drain(..before.map_or(0, |at| at + 1));
        }
        let has_more = jobs.len() > limit;
        jobs.truncate(limit);
        let quoted = |job: Option<&&Job>| json!(job.map(|job| &job.id));
        let data: Vec<String> = jobs.iter().map(|job| job.json()).collect();
        let text = format!(
            r#"{{"object":"list","data":[{}],"first_id":{},"last_id":{},"has_more":{has_more}}}"#,
            data.join(","),
            quoted(jobs.first()),
            quoted(jobs.last()),
        );
        Response::json(200, &text)
    }

    fn content(&self, id: &str, request: &Request) -> Response {
        let Some(job) = self.job(id) else {
            return not_found(id);
        };
        if !matches!(request.query("variant"), None | Some("video")) {
            return error(404, "This video has no such variant.", Some("variant"), None);
        }
        if job.status() != "completed" {
            let message = "Video is not ready yet, retrieve it to check its status.";
            return error(404, message, None, Some("video_not_ready"));
        }
        clip(request)
    }

    fn job(&self, id: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.id == id)
    }
}

impl Job {
    fn status(&self) -> &'static str {
        match self.retrieved {
            0 => "queued",
            1 | 2 => "in_progress",
            _ => "completed",
        }
    }

    fn response(&self, is_hasty: bool) -> Response {
        let response = Response::json(200, &self.json());
        if is_hasty || self.status() == "completed" {
            response
        } else {
            response.header("openai-poll-after-ms", "100")
        }
    }

    /// Formats the JSON by hand, to keep the order of the fields in the API reference.
    fn json(&self) -> String {
        let completed = self.status() == "completed";
        let at = |after: u64| json!(completed.then_some(self.created_at + after));
        format!(
            concat!(
                r#"{{"id":{},"object":"video","model":{},"status":{},"progress":{},"#,
                r#""created_at":{},"completed_at":{},"expires_at":{},"prompt":{},"#,
                r#""size":{},"seconds":"{}","remixed_from_video_id":{},"error":null}}"#
            ),
            json!(self.id),
            json!(self.creation.model),
            json!(self.status()),
            [0, 33, 66, 100][self.retrieved.min(3) as usize],
            self.created_at,
            at(1),
            at(DAY),
            json!(self.creation.prompt),
            json!(self.creation.size),
            self.creation.seconds,
            json!(self.creation.source),
        )
    }
}

fn new_video(body: &Value) -> Result<Creation, Response> {
    let or = |name: &str, default: &str| match &body[name] {
        Value::Null => Ok(default.to_owned()),
        _ => text(body, name),
    };
    let size = or("size", "1280x720")?;
    if !SIZES.contains(&size.as_str()) {
        return Err(invalid("size", &format!("Expected one of {SIZES:?}, got '{size}'.")));
    }
    if let Some(image) = body.get("input_reference") {
        let members = ["upload", "image_url", "file_id"];
        if members.iter().filter(|member| image[member].is_string()).count() != 1 {
            return Err(invalid("input_reference", "Expected a file, image_url or file_id."));
        }
    }
    let seconds = seconds(&or("seconds", "4")?, &SECONDS)?;
    Ok(Creation { model: or("model", "sora-2")?, size, seconds, ..version(body, None)? })
}

fn extension(body: &Value) -> Result<Creation, Response> {
    let version = version(body, source(body)?)?;
    let added = seconds(&text(body, "seconds")?, &EXTENSION_SECONDS)?;
    Ok(Creation { seconds: SOURCE_SECONDS + added, ..version })
}

fn edit(body: &Value) -> Result<Creation, Response> {
    version(body, source(body)?)
}

fn remix(body: &Value, id: &str) -> Result<Creation, Response> {
    version(body, Some(id.to_owned()))
}

/// A version of a video, as long as it is.
fn version(body: &Value, source: Option<String>) -> Result<Creation, Response> {
    let prompt = text(body, "prompt")?;
    if prompt.is_empty() || prompt.chars().count() > PROMPT_LIMIT {
        return Err(invalid("prompt", "Expected 1 to 32000 characters."));
    }
    let (model, size) = ("sora-2".to_owned(), "1280x720".to_owned());
    Ok(Creation { prompt, model, size, seconds: SOURCE_SECONDS, source })
}

fn seconds(text: &str, allowed: &[&str]) -> Result<u32, Response> {
    if !allowed.contains(&text) {
        let message = format!("Expected one of {allowed:?}, got '{text}'.");
        return Err(invalid("seconds", &message));
    }
    Ok(text.parse().expect("one of the allowed values"))
}

/// The id of the video; `None` for an uploaded one.
fn source(body: &Value) -> Result<Option<String>, Response> {
    match &body["video"] {
        Value::Null => Err(missing("video")),
        video if video["upload"].is_string() => Ok(None),
        video => text(video, "id").map(Some).map_err(|_| missing("video.id")),
    }
}

fn text(body: &Value, name: &str) -> Result<String, Response> {
    match &body[name] {
        Value::String(text) => Ok(text.clone()),
        Value::Null => Err(missing(name)),
        _ => Err(invalid(name, "Expected a string.")),
    }
}

/// The fields as JSON, whatever their encoding. An uploaded file is an object with its name as
/// `upload`.
fn body(request: &Request) -> Result<Value, Response> {
    let kind = request.header("content-type").unwrap_or_default();
    match kind.split(';').next().unwrap_or_default().trim() {
        "application/json" => serde_json::from_slice(&request.body).map_err(|_| {
            let broken = "We could not parse the JSON body of your request.";
            error(400, broken, None, None)
        }),
        "multipart/form-data" => form(request),
        _ => Err(error(415, &format!("Unsupported content type: '{kind}'."), None, None)),
    }
}

fn form(request: &Request) -> Result<Value, Response> {
    let mut body = json!({});
    for part in request.form().map_err(|reason| error(400, &reason, None, None))? {
        let name = part.name.as_str();
        let text = json!(String::from_utf8_lossy(&part.body));
        let member = name.strip_suffix(']').and_then(|name| name.split_once('['));
        match (&part.filename, member) {
            (Some(file), _) if part.content_type().is_some() => {
                body[name] = json!({ "upload": file });
            }
            (None, Some((name, member))) => body[name][member] = text,
            (None, None) if !matches!(name, "video" | "input_reference") => body[name] = text,
            _ => return Err(invalid(name, "Expected a file with a name and a content type.")),
        }
    }
    Ok(body)
}

/// The response to a request for the media, or for a range of it.
pub fn clip(request: &Request) -> Response {
    let whole = Response::new(200).body(CLIP);
    let unchanged = request.header("if-range").is_none_or(|tag| tag == ETAG);
    let response = match request.header("range").filter(|_| unchanged).and_then(span) {
        None => whole,
        Some((first, last)) if first <= last => Response::new(206)
            .header("Content-Range", &format!("bytes {first}-{last}/{}", CLIP.len()))
            .body(&CLIP[first..=last]),
        Some(_) => Response::new(416).header("Content-Range", &format!("bytes */{}", CLIP.len())),
    };
    response
        .header("Content-Type", "video/mp4")
        .header("Accept-Ranges", "bytes")
        .header("ETag", ETAG)
}

/// The first and last byte of a single range (RFC 9110, 14.1.2). The first is above the last where
/// the clip has no such byte. `None`: the range is invalid, and the response is the whole clip.
fn span(range: &str) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let end = CLIP.len() - 1;
    match (first, last) {
        ("", suffix) => Some((CLIP.len().saturating_sub(suffix.parse().ok()?), end)),
        (first, "") => Some((first.parse().ok()?, end)),
        (first, last) => Some((first.parse().ok()?, last.parse::<usize>().ok()?.min(end))),
    }
}

fn missing(name: &str) -> Response {
    let message = format!("Missing required parameter: '{name}'.");
    error(400, &message, Some(name), Some("missing_required_parameter"))
}

fn invalid(name: &str, reason: &str) -> Response {
    let message = format!("Invalid value for '{name}'. {reason}");
    error(400, &message, Some(name), Some("invalid_value"))
}

fn not_found(id: &str) -> Response {
    error(404, &format!("Video with id '{id}' not found."), Some("video_id"), None)
}

fn not_allowed(request: &Request, allowed: &str) -> Response {
    let message = format!("Not allowed to {} on {}.", request.method, request.path());
    error(405, &message, None, None).header("Allow", allowed)
}

fn error(status: u16, message: &str, param: Option<&str>, code: Option<&str>) -> Response {
    let kind = "invalid_request_error";
    let error = json!({"message": message, "type": kind, "param": param, "code": code});
    Response::json(status, &json!({ "error": error }).to_string())
}
