//! JSON -> a table for people: one row for each value, names beside it, times as dates. Nothing for a script.

use gjson::{Kind, Value};
use openai_videos::{shorten, unquoted};

use crate::cli::show::escape;
use crate::cli::show::json::LEVELS;

/// Nobody reads on after this many rows.
const MOST: usize = 500;
/// Names longer than this do not push the other rows' values out of sight.
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
        match name.is_empty() {
            true => format!("{text}\n"),
            false => format!("{name}{gap}  {text}\n"),
        }
    };
    rows.iter().map(line).collect()
}

fn flatten(rows: &mut Vec<(String, String)>, name: String, value: &Value<'_>, depth: usize) {
    let is_object = value.kind() == Kind::Object;
    if (is_object || value.kind() == Kind::Array) && depth < LEVELS {
        let mut count = 0;
        value.each(|key, item| {
            let part = match is_object {
                true => shorten(&unquoted(key.json())),
                false => count.to_string(),
            };
            count += 1;
            let name = match name.is_empty() {
                true => part,
                false => format!("{name}.{part}"),
            };
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

/// `2025-09-27 02:51:25 UTC` for Unix seconds. `None` past the year 9999, where the number is likely no seconds.
fn date(seconds: u64) -> Option<String> {
    const LAST: u64 = 253_402_300_799;
    if seconds > LAST {
        return None;
    }
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01, so that the leap day is the last of a year (Howard Hinnant's `civil_from_days`).
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month < 10 {
        true => (era * 400 + year, month + 3),
        false => (era * 400 + year + 1, month - 9),
    };
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    Some(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(json: &str) -> String {
        table(&gjson::parse(json))
    }

    #[test]
    fn rows_are_aligned_and_nested_names_joined() {
        let json = r#"{"id":"video_1","created_at":1758941485,"error":null,"usage":{"cost":0.50,"parts":["a", { } ]},
            "prompt":"two\nlines","expires_at":"soon","長さ":8}"#;
        assert_eq!(
            written(json),
            concat!(
                "id             video_1\n",
                "created_at     1758941485  2025-09-27 02:51:25 UTC\n",
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
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (951_868_800, "2000-03-01 00:00:00 UTC"),
            (1_735_689_599, "2024-12-31 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (253_402_300_799, "9999-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(date(seconds).as_deref(), Some(text));
        }
        assert_eq!(date(1_758_941_485_000), None);
    }
}
