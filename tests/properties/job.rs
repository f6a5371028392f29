//! What must hold of every answer that is read as a job.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::{Job, Status};

const NAMES: [&str; 3] = ["id", "request_id", "task_id"];

/// `input` is an answer's body.
///
/// A job keeps it byte for byte, has an id that stands in it, and means what its status says. What has no id is no
/// job, and what has one is.
pub(crate) fn check(input: &[u8]) {
    // Of another body the reader of answers makes no text.
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let job = Job::parse(text);
    if let Some(job) = &job {
        let is_object = serde_json::from_str::<&RawValue>(text).is_ok()
            && text.trim_ascii_start().starts_with('{');
        assert!(is_object);
        sound(job, text);
        assert!(!job.id().is_empty());
    }

    // Where another reader of JSON understands it, too, nothing is left open.
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return;
    };
    let inner = only_element(&value);
    let places = [Some(&value), inner];
    let find = |name: &str| places.into_iter().flatten().find_map(|place| scalar(&place[name]));
    let id = NAMES.into_iter().find_map(find).filter(|_| value.is_object());
    assert_eq!(job.is_some(), id.is_some(), "{value}");
    let (Some(job), Some(id)) = (job, id) else {
        return;
    };
    same(Some(job.id()), Some(id));
    same(job.status_word(), find("status"));
    same(job.progress(), find("progress"));
}

fn sound(job: &Job, text: &str) {
    assert_eq!(job.text(), text);
    assert_eq!(job.poll_after(), None);
    let word = job.status_word();
    assert_eq!(job.status(), word.map_or(Status::Pending, Status::from_word));
    assert!(!job.has_unknown_status() || job.status() == Status::Pending);
    job.reason();
}

fn only_element(value: &Value) -> Option<&Value> {
    match &value["data"] {
        Value::Array(elements) if elements.len() == 1 => {
            Some(&elements[0]).filter(|element| element.is_object())
        }
        Value::Object(_) => Some(&value["data"]),
        _ => None,
    }
}

fn scalar(value: &Value) -> Option<&Value> {
    match value {
        Value::String(text) => (!text.is_empty()).then_some(value),
        Value::Number(_) => Some(value),
        _ => None,
    }
}

/// A number stays as it was written, which is not as the other reader would write it.
fn same(read: Option<&str>, value: Option<&Value>) {
    match value {
        Some(Value::Number(number)) => {
            let read: Option<serde_json::Number> = read.and_then(|text| text.parse().ok());
            assert_eq!(read.as_ref(), Some(number));
        }
        value => assert_eq!(read, value.and_then(Value::as_str)),
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use serde_json::{Map, json};

    use super::*;
    use crate::api::api_error::ApiError;
    use crate::properties::suite::{Random, cases, corpus};

    const WORDS: [&str; 20] = [
        "{",
        "}",
        "[",
        "]",
        "\"",
        ",",
        ":",
        "\\u0000",
        "\\ud800",
        "\"id\":",
        "\"task_id\":\"t\",",
        "\"request_id\":7,",
        "\"data\":",
        "\"status\":\"done\",",
        "\"error\":{\"code\":1},",
        "null",
        "\"\"",
        "1e999",
        "-0.0",
        "\u{1b}",
    ];

    #[test]
    fn hold_for_the_corpus_and_its_mutations() {
        corpus("job", &WORDS, |input| {
            check(input);
            later(input);
        });
    }

    /// A later answer about a job need not name it. Those that do say the same as the first.
    fn later(input: &[u8]) {
        let Ok(text) = std::str::from_utf8(input) else {
            return;
        };
        ApiError::read(400, text);
        let first = Job::parse(text);
        let Some(job) = Job::parse_as(text.to_owned(), "video_1") else {
            return assert_eq!(first, None);
        };
        sound(&job, text);
        assert_eq!(job.id(), "video_1");
        let both = |job: &Job| (job.status_word().map(str::to_owned), job.reason());
        assert!(first.is_none_or(|first| both(&first) == both(&job)));
    }

    /// Text with anything that JSON escapes.
    fn text(random: &mut Random) -> String {
        const LETTERS: [char; 10] = ['a', 'B', '7', ' ', '"', '\\', '\n', '\u{1b}', 'é', '🎬'];
        (0..=random.below(6)).map(|_| LETTERS[random.below(LETTERS.len())]).collect()
    }

    #[test]
    fn an_id_is_found_under_every_name_in_every_place_among_any_other_fields() {
        const WORDS: [(&str, Status); 4] = [
            ("Queued", Status::Pending),
            ("SUCCESS", Status::Completed),
            ("cancelled", Status::Failed),
            ("dreaming", Status::Pending),
        ];
        cases(1000, |random| {
            let id = text(random);
            let (word, status) = WORDS[random.below(WORDS.len())];
            let mut job = Map::new();
            for _ in 0..random.below(4) {
                job.insert(format!("x{}", text(random)), json!(text(random)));
            }
            // What stands under an earlier name is none; what stands under a later one is another.
            let place = random.below(3);
            for (at, name) in NAMES.iter().enumerate() {
                let value = match at.cmp(&place) {
                    Ordering::Less => [json!(null), json!(""), json!({})][random.below(3)].clone(),
                    Ordering::Equal => json!(id),
                    Ordering::Greater => json!("other"),
                };
                if at == place || random.below(2) == 0 {
                    job.insert((*name).to_owned(), value);
                }
            }
            job.insert("status".to_owned(), json!(word));
            let answer = match random.below(3) {
                0 => json!(job),
                1 => json!({"code": "success", "data": job}),
                _ => json!({"data": [job], "object": "list"}),
            };
            let text = match random.below(2) {
                0 => answer.to_string(),
                _ => serde_json::to_string_pretty(&answer).unwrap(),
            };
            check(text.as_bytes());
            let read = Job::parse(text.as_str()).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(
                (read.id(), read.status(), read.text()),
                (id.as_str(), status, text.as_str())
            );
        });
    }

    #[test]
    fn a_body_that_is_cut_anywhere_is_no_job() {
        let text = r#"{"object":"list","data":[{"id":"video_1","status":"queued","error":{"message":"no"}}]}"#;
        for end in 0..text.len() {
            assert_eq!(Job::parse(&text[..end]), None, "{}", &text[..end]);
        }
        assert!(Job::parse(text).is_some());
    }
}
