//! A video job (`VideoResource` of the API's description) as servers really send it. The text is kept as it came;
//! only the id and the status are read, in the spellings that are in use.

use serde_json::value::RawValue;

use crate::json::{self, Object};

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

/// A job as the server described it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    text: String,
    id: String,
    status: Status,
}

impl Job {
    /// Reads a JSON object with an `id`, or with a `request_id` or `task_id`, either at its top or in the only
    /// element of `data`. `None` for anything else.
    pub fn parse(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let top = Object::parse(&text).ok()?;
        let inner = top.get("data").and_then(only_element);
        let places = [Some(&top), inner.as_ref()];
        let find = |name: &str| places.iter().flatten().find_map(|place| place.scalar(name));
        let id = ["id", "request_id", "task_id"].into_iter().find_map(find)?;
        let status = Status::from_word(&find("status").unwrap_or_default());
        Some(Self { id, status, text })
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
        self.status
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

/// The `code` of an API error that is buried in an answer; used where a status alone does not tell.
pub(crate) fn error_code(text: &str) -> Option<String> {
    let top = Object::parse(text).ok()?;
    let error = top.get("error")?;
    Object::parse(error.get())
        .ok()?
        .get("code")
        .and_then(json::scalar)
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
            (
                r#"{"code": "success", "data": {"task_id": "inner"}}"#,
                "inner",
            ),
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
            (
                r#"{"id":1,"status":"queued","error":{"code":"x"}}"#,
                Status::Pending,
            ),
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
    fn a_buried_error_code_is_found() {
        assert_eq!(
            error_code(r#"{"error":{"code":"insufficient_quota"}}"#).as_deref(),
            Some("insufficient_quota")
        );
        assert_eq!(error_code(r#"{"error":"insufficient_quota"}"#), None);
    }
}
