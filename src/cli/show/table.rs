//! JSON -> a table for people: one row for each value, with its name beside it and times as dates.

use std::time::{Duration, UNIX_EPOCH};

use gjson::{Kind, Value};
use openai_videos::json::unquoted;
use openai_videos::{Job, shorten};

use crate::cli::show::escape;
use crate::cli::show::json::LEVELS;

/// The largest number of rows.
const MOST: usize = 500;
/// A longer name, in columns, does not indent the values of the other rows.
const WIDEST: usize = 32;

/// The rows of an object or array; a single value as it is.
pub(crate) fn table(value: &Value<'_>) -> String {
    let mut rows = Vec::new();
    flatten(&mut rows, String::new(), value, 0);
    if rows.len() >= MOST {
        rows.push((String::new(), "...".to_owned()));
    }
    let width = |name: &str| name.chars().map(escape::width).sum::<usize>();
    let widths = rows.iter().map(|(name, _)| width(name));
    let widest = widths.filter(|width| *width <= WIDEST).max().unwrap_or(0);
    let line = |(name, text): &(String, String)| {
        let gap = " ".repeat(widest.saturating_sub(width(name)));
        if name.is_empty() { format!("{text}\n") } else { format!("{name}{gap}  {text}\n") }
    };
    rows.iter().map(line).collect()
}

/// A job of a list, on one line of 80 columns with an id of 54 characters: its status, the day it
/// was created and its id, which is last and whole, as it is there to be copied.
pub(crate) fn row(item: &str) -> String {
    let job = Job::parse(item);
    let text = |text: Option<&str>| text.map_or("-".to_owned(), shorten);
    let date = unquoted(gjson::get(item, "created_at").json()).parse().ok().and_then(date);
    // `Sat, 27 Sep 2025 02:51:25 GMT`
    let date = date.as_ref().map_or("-", |date| &date[5..16]);
    let [status, id] =
        [job.as_ref().and_then(Job::status_word), job.as_ref().map(Job::id)].map(text);
    format!("{status:<11}  {date:<11}  {id}\n")
}

fn flatten(rows: &mut Vec<(String, String)>, name: String, value: &Value<'_>, depth: usize) {
    let is_object = value.kind() == Kind::Object;
    if (is_object || value.kind() == Kind::Array) && depth < LEVELS {
        let mut count = 0;
        value.each(|key, item| {
            let part = if is_object { shorten(&unquoted(key.json())) } else { count.to_string() };
            count += 1;
            let name = if name.is_empty() { part } else { format!("{name}.{part}") };
            flatten(rows, name, &item, depth + 1);
            rows.len() < MOST
        });
        if count > 0 {
            return;
        }
    }
    let mut text = match value.kind() {
        Kind::Null => "-".to_owned(),
        Kind::String => shorten(&unquoted(value.json())),
        _ => shorten(value.json()),
    };
    if name.ends_with("_at")
        && let Some(date) = text.parse().ok().and_then(date)
    {
        text += &format!("  {date}");
    }
    rows.push((name, text));
}

/// `Sat, 27 Sep 2025 02:51:25 GMT` for Unix seconds. `None` past the year 9999, because such a
/// number is hardly in seconds.
fn date(seconds: u64) -> Option<String> {
    const LAST: u64 = 253_402_300_799;
    (seconds <= LAST).then(|| httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(json: &str) -> String {
        table(&gjson::parse(json))
    }

    #[test]
    fn a_job_of_a_list_is_one_line() {
        for (job, line) in [
            (
                r#"{"id":"video_1","status":"queued","created_at":1758941485,"x":[1]}"#,
                "queued       27 Sep 2025  video_1\n",
            ),
            (
                r#"{"id":"a\nb","status":null,"created_at":"soon"}"#,
                "-            -            a b\n",
            ),
            (r#"{"task_id":"task-9","status":"done"}"#, "done         -            task-9\n"),
        ] {
            assert_eq!(row(job), line);
        }
    }

    #[test]
    fn rows_are_aligned_and_nested_names_joined() {
        let json = r#"{"id":"video_1","created_at":1758941485,"error":null,
            "usage":{"cost":0.50,"parts":["a", { } ]},
            "prompt":"two\nlines","expires_at":"soon","長さ":8}"#;
        assert_eq!(
            written(json),
            concat!(
                "id             video_1\n",
                "created_at     1758941485  Sat, 27 Sep 2025 02:51:25 GMT\n",
                "error          -\n",
                "usage.cost     0.50\n",
                "usage.parts.0  a\n",
                "usage.parts.1  { }\n",
                "prompt         two lines\n",
                "expires_at     soon\n",
                "長さ           8\n",
            )
        );
        assert_eq!(written("\"x\""), "x\n");
        assert_eq!(
            written(&format!("\"{}\"", "é".repeat(600))),
            format!("{}...\n", "é".repeat(512))
        );
        assert!(!written(&"[".repeat(1_000_000)).is_empty());
        let many = written(&format!("[{}0]", "[0,0],".repeat(1_000_000)));
        assert!(many.lines().count() <= MOST + 2 && many.ends_with("\n...\n"));
    }

    #[test]
    fn times_past_the_year_9999_are_numbers() {
        assert_eq!(date(0).as_deref(), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
        assert_eq!(date(253_402_300_799).as_deref(), Some("Fri, 31 Dec 9999 23:59:59 GMT"));
        assert_eq!([253_402_300_800, 1_758_941_485_000, u64::MAX].map(date), [const { None }; 3]);
    }
}
