//! A video job (`VideoResource` of the API's description) as servers really send it. The text is kept as it came;
//! only the id and the status are read, in the spellings that are in use.

use std::time::Duration;

use serde_json::value::RawValue;

use crate::json::{self, Object};
use crate::text::shorten;

/// What a status word means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Not finished. Words that are not known count as this, so that a new one does not end a wait.
    Pending,
    /// The media can be downloaded.
    Completed,
    /// There will be no media.
    Failed,
}

impl Status {
    /// Reads a status word, whatever its case.
    pub fn from_word(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "completed" | "complete" | "success" | "succeeded" | "succeed" | "finished"
            | "done" => Status::Completed,
            "failed" | "failure" | "fail" | "error" | "cancelled" | "canceled" | "expired"
            | "deleted" => Status::Failed,
            _ => Status::Pending,
        }
    }
}

/// Words for a job that is not finished. Any other that is not known means the same, and is worth a remark.
const PENDING: [&str; 6] =
    ["queued", "pending", "in_progress", "processing", "running", "not_start"];

/// A job as the server described it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    text: String,
    id: String,
    word: Option<String>,
    progress: Option<String>,
    poll_after: Option<Duration>,
}

impl Job {
    /// Reads a JSON object with an `id`, or with a `request_id` or `task_id`, either at its top or in the only
    /// element of `data`. `None` for anything else.
    pub fn parse(text: impl Into<String>) -> Option<Self> {
        Self::read(text.into(), None)
    }

    /// Reads a later answer about the job with this id, whatever id, or none, the answer names: some servers give a
    /// file name or `unknown` there.
    pub(crate) fn parse_as(text: String, id: &str) -> Option<Self> {
        Self::read(text, Some(id))
    }

    /// A job of which only the id is known. It is to be looked at without delay.
    pub fn of(id: &str) -> Self {
        Self {
            text: format!("{{\"id\":{}}}", json::quote(id)),
            id: id.to_owned(),
            word: None,
            progress: None,
            poll_after: Some(Duration::ZERO),
        }
    }

    fn read(text: String, id: Option<&str>) -> Option<Self> {
        let top = Object::parse(&text).ok()?;
        let inner = top.get("data").and_then(only_element);
        let places = [Some(&top), inner.as_ref()];
        let find = |name: &str| places.iter().flatten().find_map(|place| place.scalar(name));
        let id = match id {
            Some(id) => id.to_owned(),
            None => ["id", "request_id", "task_id"].into_iter().find_map(find)?,
        };
        let (word, progress) = (find("status"), find("progress"));
        Some(Self { id, word, progress, poll_after: None, text })
    }

    pub(crate) fn with_poll_after(mut self, poll_after: Option<Duration>) -> Self {
        self.poll_after = poll_after;
        self
    }

    /// The answer as it was received: JSON, with every field.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The id to poll with.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What `status` means; [`Status::Pending`] if there is none.
    pub fn status(&self) -> Status {
        self.word.as_deref().map_or(Status::Pending, Status::from_word)
    }

    /// The server's word for the status.
    pub fn status_word(&self) -> Option<&str> {
        self.word.as_deref()
    }

    /// Whether the status is a word that this library does not know, and takes for pending.
    pub fn has_unknown_status(&self) -> bool {
        let known = |word: &str| PENDING.contains(&word.to_ascii_lowercase().as_str());
        self.status() == Status::Pending && self.word.as_deref().is_some_and(|word| !known(word))
    }

    /// `progress` as the server wrote it: percent, mostly.
    pub fn progress(&self) -> Option<&str> {
        self.progress.as_deref()
    }

    /// How long the server asked to wait before asking again: the `openai-poll-after-ms` header of the answer.
    pub fn poll_after(&self) -> Option<Duration> {
        self.poll_after
    }

    /// What `error` says about a failed job: its message and code, on one line, as [`shorten`] makes it.
    pub fn reason(&self) -> Option<String> {
        let top = Object::parse(&self.text).ok()?;
        let inner = top.get("data").and_then(only_element);
        let error = [Some(&top), inner.as_ref()]
            .into_iter()
            .flatten()
            .find_map(|place| place.get("error"))?;
        let short = |text: Option<String>| text.as_deref().map(shorten);
        let Ok(object) = Object::parse(error.get()) else {
            return short(json::scalar(error));
        };
        match (short(object.scalar("message")), short(object.scalar("code"))) {
            (Some(message), Some(code)) => Some(format!("{message} (code: {code})")),
            (message, code) => message.or(code),
        }
    }
}

/// Gateways wrap the job as `{"data": [{...}]}`, and some as `{"data": {...}}`.
fn only_element(data: &RawValue) -> Option<Object<'_>> {
    match serde_json::from_str::<Vec<&RawValue>>(data.get()) {
        Ok(elements) => match elements[..] {
            [element] => Object::parse(element.get()).ok(),
            _ => None,
        },
        Err(_) => Object::parse(data.get()).ok(),
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
    fn what_names_no_job_is_none() {
        for text in [
            "",
            "null",
            "[]",
            "{}",
            "<html>",
            r#"{"id": {}}"#,
            r#"{"id": "x""#,
            r#"{"data": [{"id":"a"},{"id":"b"}]}"#,
            r#"{"error": {"message": "no"}}"#,
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
    fn a_later_answer_keeps_the_id_that_was_given_first() {
        let job =
            Job::parse_as(r#"{"id": "unknown", "status": "done"}"#.to_owned(), "video_1").unwrap();
        assert_eq!((job.id(), job.status()), ("video_1", Status::Completed));
        assert!(Job::parse_as("{}".to_owned(), "video_1").is_some());
        assert!(Job::parse_as("[]".to_owned(), "video_1").is_none());
    }

    #[test]
    fn only_words_that_nobody_knows_are_unknown() {
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
