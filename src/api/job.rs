//! A video job (`VideoResource` of the API reference) as servers send it. The text is kept as
//! received; only what the client itself needs is read, in the spellings that servers use.

use std::ops::Range;
use std::time::{Duration, Instant};

use crate::api::envelope::JobObject;
use crate::api::status::Status;
use crate::api::video::{Video, VideoError};
use crate::json::{self, Object};
use crate::text::shorten;

/// A job as the server described it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    text: String,
    /// Where the object that describes the job stands in `text`.
    object: Range<usize>,
    id: String,
    status_word: Option<String>,
    progress: Option<String>,
    poll_after: Option<Duration>,
    /// When this process received it as the response to its POST.
    created: Option<Instant>,
}

impl Job {
    /// Reads the response to a request that creates a job: a JSON object with an `id`, `task_id` or
    /// `request_id`, at its top or in its member `data`, `result` or `response`.
    ///
    /// `None` if there is no such id.
    pub fn parse(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let object = JobObject::find(&text)?;
        let job = Self::read(&text, &object, object.id()?);
        Some(Self { text, ..job })
    }

    /// Reads the response to a poll for the job with this id, which it keeps: some servers give a
    /// file name, `unknown` or nothing as the id here.
    ///
    /// `None` if the response is not a JSON object.
    pub(crate) fn parse_as(text: String, id: &str) -> Option<Self> {
        let job = Self::read(&text, &JobObject::find_polled(&text, id)?, id.to_owned());
        Some(Self { text, ..job })
    }

    /// A job of which only the id is known. It is polled without delay.
    pub fn of(id: &str) -> Self {
        let text = format!("{{\"id\":{}}}", json::quote(id));
        Self {
            object: 0..text.len(),
            text,
            id: id.to_owned(),
            status_word: None,
            progress: None,
            poll_after: Some(Duration::ZERO),
            created: None,
        }
    }

    /// Everything but the text, which may be large and is moved in by the caller.
    fn read(text: &str, object: &JobObject<'_>, id: String) -> Self {
        let start = object.text.as_ptr().addr() - text.as_ptr().addr();
        Self {
            text: String::new(),
            object: start..start + object.text.len(),
            id,
            status_word: object.members.scalar("status"),
            progress: object.members.scalar("progress"),
            poll_after: None,
            created: None,
        }
    }

    /// Marks the job as created by this process just now.
    pub(crate) fn created_now(self) -> Self {
        Self { created: Some(Instant::now()), ..self }
    }

    pub(crate) fn created(&self) -> Option<Instant> {
        self.created
    }

    pub(crate) fn with_poll_after(mut self, poll_after: Option<Duration>) -> Self {
        self.poll_after = poll_after;
        self
    }

    /// The response as received: JSON with all fields.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The id to poll with.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The meaning of `status`; [`Status::Pending`] if the response has none.
    pub fn status(&self) -> Status {
        self.status_word.as_deref().map_or(Status::Pending, Status::from_word)
    }

    /// The `status` as the server wrote it.
    pub fn status_word(&self) -> Option<&str> {
        self.status_word.as_deref()
    }

    /// Whether the status is a word that this library does not know, and so takes for pending.
    pub fn has_unknown_status(&self) -> bool {
        self.status_word.as_deref().is_some_and(|word| !Status::is_known(word))
    }

    /// `progress` as the server wrote it: a percentage at most servers.
    pub fn progress(&self) -> Option<&str> {
        self.progress.as_deref()
    }

    /// How long to wait before the next poll: the `openai-poll-after-ms` header of the response.
    pub fn poll_after(&self) -> Option<Duration> {
        self.poll_after
    }

    /// The job with its documented fields typed, read from the same object as id and status.
    /// [`Video::id`] is [`Job::id`], whatever name the server gives it.
    pub fn video(&self) -> Video {
        let object = Object::parse(&self.text[self.object.clone()]);
        Video { id: self.id.clone(), ..object.map(Video::from).unwrap_or_default() }
    }

    /// The message and the code of the job's `error`, on one line, as [`shorten`] makes it.
    pub fn reason(&self) -> Option<String> {
        let object = Object::parse(&self.text[self.object.clone()]).ok()?;
        let VideoError { message, code } = VideoError::read(object.get("error")?)?;
        let short = |text: Option<String>| text.as_deref().map(shorten);
        match (short(message), short(code)) {
            (Some(message), Some(code)) => Some(format!("{message} (code: {code})")),
            (message, code) => message.or(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Status) {
        let job = Job::parse(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(job.text(), text);
        (job.id().to_owned(), job.status())
    }

    #[test]
    fn ids_are_found_in_every_spelling() {
        for (text, id) in [
            (r#"{"id": "video_1", "task_id": "other"}"#, "video_1"),
            (r#"{"request_id": "r"}"#, "r"),
            (r#"{"id": null, "task_id": "t"}"#, "t"),
            (r#"{"id": "", "task_id": "t"}"#, "t"),
            (r#"{"id": 12345678901234567890}"#, "12345678901234567890"),
            (r#"{"object": "list", "data": [{"id": "inner"}]}"#, "inner"),
            (r#"{"code": "success", "data": {"task_id": "inner"}}"#, "inner"),
            (r#"{"id": "a/b?c=="}"#, "a/b?c=="),
        ] {
            assert_eq!(read(text).0, id, "{text}");
        }
    }

    #[test]
    fn id_and_status_are_read_from_the_same_object() {
        for (text, id, word) in [
            // The request is echoed: the video to extend is not the job.
            (
                r#"{"id":"video_2","status":"queued","video":{"id":"video_1","status":"done"}}"#,
                "video_2",
                Some("queued"),
            ),
            (
                r#"{"data":{"status":"queued","input":{"id":"video_1"},"id":"video_2"}}"#,
                "video_2",
                Some("queued"),
            ),
            // JSend, and an HTTP status as a member.
            (
                r#"{"status":"success","data":{"id":"video_9","status":"queued"}}"#,
                "video_9",
                Some("queued"),
            ),
            (
                r#"{"status":200,"data":{"id":"video_9","status":"completed"}}"#,
                "video_9",
                Some("completed"),
            ),
            (
                r#"{"id":"req-1","status":"success","data":{"id":"video_9","status":"queued"}}"#,
                "video_9",
                Some("queued"),
            ),
            (r#"{"id":"req-1","status":"200","data":{"id":"video_9"}}"#, "video_9", None),
            // Other words of success are the envelope's status if an inner object is a job.
            (
                r#"{"id":"req-1","status":"succeeded","data":{"id":"v9","status":"queued"}}"#,
                "v9",
                Some("queued"),
            ),
            (
                r#"{"id":"req-1","status":"OK","result":{"task_id":"v9","status":"done"}}"#,
                "v9",
                Some("done"),
            ),
            (r#"{"id":"v9","status":"succeeded","data":{"id":"file-1"}}"#, "v9", Some("succeeded")),
            // `completed` and `done` are the envelope's status only if the inner status contradicts
            // it.
            (
                r#"{"id":"req-1","status":"completed","data":[{"id":"v9","status":"failed"}]}"#,
                "v9",
                Some("failed"),
            ),
            (
                r#"{"id":"v9","status":"completed","data":{"id":"file-1","status":"processed"}}"#,
                "v9",
                Some("completed"),
            ),
            (
                r#"{"id":"v9","status":"done","data":[{"id":"file-1","status":"done"}]}"#,
                "v9",
                Some("done"),
            ),
            (
                r#"{"id":"video_9","status":"success","data":{"url":"https://x"}}"#,
                "video_9",
                Some("success"),
            ),
            // A request id beside another id is a trace id.
            (r#"{"code":0,"request_id":"req-1","data":{"task_id":"task-9"}}"#, "task-9", None),
            (
                r#"{"request_id":"req-1","task_id":"task-9","status":"done"}"#,
                "task-9",
                Some("done"),
            ),
            (
                r#"{"request_id":"req-1","status":"ok",
                    "result":{"request_id":"r","status":"done"}}"#,
                "r",
                Some("done"),
            ),
            (
                r#"{"request_id":"req-1","status":0,"result":{"request_id":"r","status":"done"}}"#,
                "r",
                Some("done"),
            ),
            (r#"{"code":0,"data":{"request_id":"r","status":"pending"}}"#, "r", Some("pending")),
            // The inner object is the job where only that has a status.
            (
                r#"{"id":"req-1","response":{"id":"video_9","status":"queued"}}"#,
                "video_9",
                Some("queued"),
            ),
            (
                r#"{"id":"video_9","status":"queued","data":{"id":"file-1","status":"done"}}"#,
                "video_9",
                Some("queued"),
            ),
            (r#"{"id":"video_9","data":{"id":"file-1"}}"#, "video_9", None),
            (r#"{"id":"video_9","data":[{"id":"a","status":"done"},{"id":"b"}]}"#, "video_9", None),
            (
                r#"[{"result":[[{"data":{"id":"video_9","status":"queued"}}]]}]"#,
                "video_9",
                Some("queued"),
            ),
        ] {
            let job = Job::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((job.id(), job.status_word()), (id, word), "{text}");
        }
    }

    #[test]
    fn a_poll_reads_the_object_with_the_polled_id_else_the_innermost_with_a_status() {
        for (text, word) in [
            (r#"{"status":"success","data":{"id":"video_1","status":"queued"}}"#, Some("queued")),
            (r#"{"status":200,"data":{"id":"video_1","status":"completed"}}"#, Some("completed")),
            (r#"{"status":"success","data":{"id":"video_1"}}"#, None),
            (r#"{"id":"video_1","status":"success","data":{"id":"file-1"}}"#, Some("success")),
            (
                r#"{"id":"video_1","status":200,"data":{"id":"video_1","status":"queued"}}"#,
                Some("queued"),
            ),
            (r#"{"id":"video_1","data":{"status":"completed"}}"#, Some("completed")),
            (
                r#"{"id":"req-1","status":"ok","data":{"task_id":"video_1","status":"queued"}}"#,
                Some("queued"),
            ),
            (r#"{"id":"internal","task_id":"video_1","status":"queued"}"#, Some("queued")),
            (
                r#"{"id":"video_1","status":"completed","data":{"id":"file-1","status":"queued"}}"#,
                Some("completed"),
            ),
            // In a list of several jobs, the polled one.
            (
                r#"{"data":[{"id":"video_2","status":"done"},{"id":"video_1","status":"queued"}]}"#,
                Some("queued"),
            ),
            (
                r#"[{"id":"video_2","status":"done"},
                    {"data":{"task_id":"video_1","status":"queued"}}]"#,
                Some("queued"),
            ),
            (r#"{"data":[{"id":"video_2","status":"done"},{"id":"video_3"}]}"#, None),
            (
                r#"{"id":"unknown","status":"ok","data":{"id":"file","status":"queued"}}"#,
                Some("queued"),
            ),
            (
                r#"{"request_id":"req-1","status":"done",
                    "video":{"id":"video_1","status":"queued"}}"#,
                Some("done"),
            ),
        ] {
            let job = Job::parse_as(text.to_owned(), "video_1").unwrap();
            assert_eq!((job.id(), job.status_word()), ("video_1", word), "{text}");
        }
    }

    #[test]
    fn error_and_progress_are_read_from_the_job_and_not_from_its_envelope() {
        let job = Job::parse(
            r#"{"status":"success","error":"none","progress":100,
                "data":{"id":"a","status":"failed","progress":3,"error":{"message":"no"}}}"#,
        )
        .unwrap();
        assert_eq!((job.progress(), job.reason().as_deref()), (Some("3"), Some("no")));
        let job =
            Job::parse(r#"{"error":"none","progress":9,"data":{"id":"a","status":"failed"}}"#)
                .unwrap();
        assert_eq!((job.progress(), job.reason()), (None, None));
    }

    #[test]
    fn a_response_without_an_id_is_not_a_job() {
        for text in [
            "",
            "null",
            "[]",
            "{}",
            "<html>",
            r#"{"id": {}}"#,
            r#"{"id": "x""#,
            r#"{"data": [{"id":"a"},{"id":"b"}]}"#,
            r#"{"error": {"message": "no", "id": "x"}}"#,
            r#"{"video": {"id": "x"}}"#,
        ] {
            assert_eq!(Job::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_status_decides_whatever_the_other_fields_say() {
        for (text, status) in [
            (r#"{"id":1,"status":"queued","error":{"code":"x"}}"#, Status::Pending),
            (r#"{"id":1,"status":"Succeeded"}"#, Status::Completed),
            (r#"{"id":1,"status":"FAILURE"}"#, Status::Failed),
            (r#"{"id":1,"status":"NOT_START"}"#, Status::Pending),
            (r#"{"id":1,"status":null}"#, Status::Pending),
            (r#"{"id":1}"#, Status::Pending),
            (r#"{"data":[{"id":1,"status":"done"}]}"#, Status::Completed),
        ] {
            assert_eq!(read(text).1, status, "{text}");
        }
    }

    #[test]
    fn a_poll_keeps_the_id_of_the_first_response() {
        let job =
            Job::parse_as(r#"{"id": "unknown", "status": "done"}"#.to_owned(), "video_1").unwrap();
        assert_eq!((job.id(), job.status()), ("video_1", Status::Completed));
        assert!(Job::parse_as("{}".to_owned(), "video_1").is_some());
        assert!(Job::parse_as("[]".to_owned(), "video_1").is_none());
    }

    #[test]
    fn only_unknown_status_words_are_reported() {
        for (status, unknown) in [
            ("\"NOT_START\"", false),
            ("\"done\"", false),
            ("null", false),
            ("\"dreaming\"", true),
            ("7", true),
        ] {
            let job = Job::parse(format!(r#"{{"id": 1, "status": {status}}}"#)).unwrap();
            assert_eq!(job.has_unknown_status(), unknown, "{status}");
        }
    }

    #[test]
    fn the_reason_of_a_failure_is_read() {
        for (error, reason) in [
            (r#"{"code": "moderation", "message": "no"}"#, Some("no (code: moderation)")),
            (r#"{"message": "no"}"#, Some("no")),
            (r#"{"code": 7}"#, Some("7")),
            (r#""no""#, Some("no")),
            ("null", None),
        ] {
            let job = Job::parse(format!(r#"{{"id": 1, "error": {error}}}"#)).unwrap();
            assert_eq!(job.reason().as_deref(), reason, "{error}");
        }
    }
}
