//! Properties of every response that is read as a job.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::{Job, Status};

const NAMES: [&str; 3] = ["id", "task_id", "request_id"];

/// `input` is the body of a response.
///
/// A job keeps the body byte for byte. Its id and status are in one object, which is reached only
/// through envelopes. A response without an id in such an object is not a job, and one with an id
/// is.
pub(crate) fn check(input: &[u8]) {
    // The client refuses a body that is not UTF-8 before it is read as a job.
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let job = Job::parse(text);
    if let Some(job) = &job {
        assert!(serde_json::from_str::<&RawValue>(text).is_ok());
        assert!(text.trim_ascii_start().starts_with(['{', '[']));
        sound(job, text);
        assert!(!job.id().is_empty());
    }

    // Compared with another JSON parser, where that one accepts the text.
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return;
    };
    let mut objects = Vec::new();
    reachable(&value, 0, &mut objects);
    let has_id = |object: &&Value| NAMES.iter().any(|name| scalar(&object[*name]).is_some());
    assert_eq!(job.is_some(), objects.iter().any(has_id), "{value}");
    let Some(job) = job else {
        return;
    };
    let describes = |object: &Value| {
        let id = NAMES.iter().find_map(|name| scalar(&object[*name]));
        id.is_some()
            && same(Some(job.id()), id)
            && same(job.status_word(), scalar(&object["status"]))
            && same(job.progress(), scalar(&object["progress"]))
    };
    assert!(objects.into_iter().any(describes), "{value}");
}

fn sound(job: &Job, text: &str) {
    assert_eq!(job.text(), text);
    assert_eq!(job.poll_after(), None);
    let word = job.status_word();
    assert_eq!(job.status(), word.map_or(Status::Pending, Status::from_word));
    assert!(!job.has_unknown_status() || job.status() == Status::Pending);
    job.reason();
}

/// The objects that may be the job.
fn reachable<'a>(value: &'a Value, depth: usize, objects: &mut Vec<&'a Value>) {
    match value {
        Value::Array(elements) if elements.len() == 1 && depth < 16 => {
            reachable(&elements[0], depth + 1, objects);
        }
        Value::Object(_) => {
            objects.push(value);
            for name in ["data", "result", "response"] {
                if depth < 16 {
                    reachable(&value[name], depth + 1, objects);
                }
            }
        }
        _ => {}
    }
}

fn scalar(value: &Value) -> Option<&Value> {
    match value {
        Value::String(text) => (!text.is_empty()).then_some(value),
        Value::Number(_) => Some(value),
        _ => None,
    }
}

/// A number stays as it was written, which is not as the other parser would write it.
fn same(read: Option<&str>, value: Option<&Value>) -> bool {
    match value {
        Some(Value::Number(number)) => {
            let read: Option<serde_json::Number> = read.and_then(|text| text.parse().ok());
            read.as_ref() == Some(number)
        }
        value => read == value.and_then(Value::as_str),
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use serde_json::{Map, json};

    use super::*;
    use crate::api::api_error::ApiError;
    use crate::properties::suite::{Random, cases, corpus};

    const WORDS: [&str; 22] = [
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
        "\"result\":[",
        "\"status\":200,",
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

    /// The response to a poll need not name the job.
    fn later(input: &[u8]) {
        let Ok(text) = std::str::from_utf8(input) else {
            return;
        };
        ApiError::read(400, text);
        match Job::parse_as(text.to_owned(), "video_1") {
            Some(job) => {
                sound(&job, text);
                assert_eq!(job.id(), "video_1");
            }
            None => assert_eq!(Job::parse(text), None),
        }
    }

    /// Text with anything that JSON escapes.
    fn text(random: &mut Random) -> String {
        const LETTERS: [char; 10] = ['a', 'B', '7', ' ', '"', '\\', '\n', '\u{1b}', 'é', '🎬'];
        (0..=random.below(6)).map(|_| LETTERS[random.below(LETTERS.len())]).collect()
    }

    const STATUSES: [(&str, Status); 5] = [
        ("Queued", Status::Pending),
        ("SUCCESS", Status::Completed),
        ("completed", Status::Completed),
        ("cancelled", Status::Failed),
        ("dreaming", Status::Pending),
    ];

    #[test]
    fn an_id_is_found_under_every_name_among_any_other_fields() {
        cases(1000, |random| {
            let id = text(random);
            let (word, status) = STATUSES[random.below(STATUSES.len())];
            let mut job = other_fields(random);
            // The value under an earlier name is not an id; the value under a later one is another
            // id.
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
            let text = written(&json!(job), random);
            check(text.as_bytes());
            let read = Job::parse(text.as_str()).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(
                (read.id(), read.status(), read.text()),
                (id.as_str(), status, text.as_str())
            );
        });
    }

    #[test]
    fn neither_an_envelope_nor_an_echo_of_the_request_changes_id_or_status() {
        cases(2000, |random| {
            let id = format!("video_{}", text(random));
            let (word, status) = STATUSES[random.below(STATUSES.len())];
            let mut job = other_fields(random);
            job.insert(["id", "task_id"][random.below(2)].to_owned(), json!(id));
            job.insert("status".to_owned(), json!(word));
            let mut response = echoed(job, random);
            for _ in 0..random.below(5) {
                response = wrapped(response, word, random);
            }
            let text = written(&response, random);
            check(text.as_bytes());
            let created = Job::parse(text.as_str()).unwrap_or_else(|| panic!("{text}"));
            let polled = Job::parse_as(text.clone(), &id).unwrap_or_else(|| panic!("{text}"));
            for read in [created, polled] {
                assert_eq!(
                    (read.id(), read.status_word(), read.status()),
                    (id.as_str(), Some(word), status),
                    "{text}"
                );
            }
        });
    }

    fn other_fields(random: &mut Random) -> Map<String, Value> {
        (0..random.below(4)).map(|_| (format!("x{}", text(random)), json!(text(random)))).collect()
    }

    /// With members of the request, or of the files, that have ids and statuses of their own.
    fn echoed(mut job: Map<String, Value>, random: &mut Random) -> Value {
        let other = json!({"id": "other", "task_id": "other", "status": "completed"});
        for name in ["video", "input", "output", "metadata", "error", "request", "videos"] {
            match random.below(5) {
                0 => drop(job.insert(name.to_owned(), other.clone())),
                1 => drop(job.insert(name.to_owned(), json!([other]))),
                2 => drop(job.insert(name.to_owned(), json!({"data": other}))),
                _ => {}
            }
        }
        json!(job)
    }

    /// Inside an envelope that servers and gateways use, with a trace id and the request in some.
    fn wrapped(job: Value, status: &str, random: &mut Random) -> Value {
        let name = ["data", "result", "response"][random.below(3)];
        let word = ["success", "ok", "Succeeded", "succeed"][random.below(4)];
        let end = ["completed", "DONE", "finished"][random.below(3)];
        let mut envelope = match random.below(8) {
            0 => return json!([job]),
            1 => json!({"status": "success"}),
            2 => json!({"status": 200, "message": "ok"}),
            3 => json!({"code": 0, "msg": "success"}),
            4 => json!({"object": "list", "has_more": false}),
            5 => json!({"id": "req-1", "status": word}),
            // A completed status around a job that is known not to be completed is the envelope's.
            6 if ["Queued", "cancelled"].contains(&status) => json!({"id": "req-1", "status": end}),
            _ => json!({}),
        };
        if random.below(2) == 0 {
            envelope["request_id"] = json!("req-1");
        }
        if random.below(3) == 0 {
            envelope["input"] = json!({"id": "other", "status": "completed"});
        }
        envelope[name] = if random.below(3) == 0 { json!([job]) } else { job };
        envelope
    }

    fn written(response: &Value, random: &mut Random) -> String {
        match random.below(2) {
            0 => response.to_string(),
            _ => serde_json::to_string_pretty(response).unwrap(),
        }
    }

    #[test]
    fn a_truncated_body_is_not_a_job() {
        let job = r#"{"id":"video_1","status":"queued","error":{"message":"no"}}"#;
        let text = &format!(r#"{{"object":"list","data":[{job}]}}"#);
        for end in 0..text.len() {
            assert_eq!(Job::parse(&text[..end]), None, "{}", &text[..end]);
        }
        assert!(Job::parse(text).is_some());
    }
}
