//! The formats of results and errors: JSON as the server sent it -> the text that was asked for.
//!
//! The flags, their defaults, and the whole response for a path without a match, are those of the
//! official command line, so that scripts written for it keep working.

use gjson::Kind;
use openai_videos::json::{compact, is_json, unquoted};

use crate::cli::plan::view::{Format, View};
use crate::cli::show::json::{depth, indented, longest_string};
use crate::cli::show::table::{row, table};
use crate::cli::show::yaml::yaml;

/// A response nested deeper is not searched by a path and not printed as YAML: both need functions
/// that recurse for each level, and a server must not be able to exhaust the stack.
const DEEPEST: usize = 100;

/// How many steps the patterns of a path may take: about a second.
const PATTERN_STEPS: usize = 1 << 28;

/// A formatted text.
pub(crate) struct Shown {
    /// Whole lines.
    pub(crate) text: String,
    /// Whether it is JSON to be coloured.
    pub(crate) colour: bool,
    /// A notice for standard error.
    pub(crate) notice: Option<String>,
}

impl View {
    /// JSON in this format; for an error, the object inside `{"error": ...}`, as in the official
    /// command line. Text that is not JSON stays as it is.
    pub(crate) fn show(&self, json: &str) -> Shown {
        let (mut text, colour, notice) =
            if is_json(json) { self.formatted(json) } else { (json.to_owned(), false, None) };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        Shown { text, colour: colour && self.colour, notice: notice.filter(|_| !self.quiet) }
    }

    /// The text, whether it is JSON that may be coloured, and a notice.
    fn formatted(&self, json: &str) -> (String, bool, Option<String>) {
        let error = self.of_errors.then(|| gjson::get(json, "error"));
        let error = error.filter(|error| error.kind() == Kind::Object);
        let (value, no_match) = self.selected(json, error.as_ref().map(gjson::Value::json));
        if self.raw_output && value.kind() == Kind::String {
            return (unquoted(value.json()), false, no_match);
        }
        let (format, unavailable) = self.format_for(value.json());
        let text = match format {
            Format::Jsonl => compact(value.json()),
            Format::Raw => value.json().to_owned(),
            Format::Pretty if self.of_items && self.is_for_people() => row(value.json()),
            Format::Pretty => table(&value),
            Format::Yaml if self.of_items => format!("---\n{}", yaml(&value)),
            Format::Yaml => yaml(&value),
            _ => indented(value.json()),
        };
        let is_json = !matches!(format, Format::Raw | Format::Pretty | Format::Yaml);
        (text, is_json, no_match.or(unavailable))
    }

    /// The part of the JSON to print, and a notice if the path finds none. `error`: the object
    /// inside `{"error": {...}}`.
    fn selected<'a>(
        &'a self,
        json: &'a str,
        error: Option<&'a str>,
    ) -> (gjson::Value<'a>, Option<String>) {
        let whole = || gjson::parse(error.unwrap_or(json));
        let Some(path) = &self.transform else { return (whole(), None) };
        match found(error, json, path) {
            Ok(found) => (found, None),
            Err(reason) => {
                let (suffix, name) =
                    if self.of_errors { ("-error", "error") } else { ("", "response") };
                let notice = format!("--transform{suffix}: {reason}; printing the whole {name}");
                (whole(), Some(notice))
            }
        }
    }

    /// The format of this JSON, and a notice if it is not the one that was asked for.
    fn format_for(&self, json: &str) -> (Format, Option<String>) {
        let notice = match self.format {
            Format::Yaml if depth(json) > DEEPEST => {
                format!("printing JSON instead of YAML: {}", too_deep())
            }
            Format::Explore => "the explorer is not available; printing JSON".to_owned(),
            format => return (format, None),
        };
        (Format::Json, Some(notice))
    }

    /// Whether a result is meant to be read by a person.
    pub(crate) fn is_for_people(&self) -> bool {
        self.format == Format::Pretty && self.transform.is_none()
    }
}

/// The match of the path in the error inside a document, else in the document, or the reason why
/// there is none.
fn found<'a>(
    error: Option<&'a str>,
    json: &'a str,
    path: &'a str,
) -> Result<gjson::Value<'a>, String> {
    if depth(json) > DEEPEST {
        return Err(too_deep());
    }
    if pattern_steps(json, path) > PATTERN_STEPS {
        return Err("the pattern has too many '*' for strings of this length".to_owned());
    }
    let mut found = error.into_iter().chain([json]).map(|json| gjson::get(json, path));
    found.find(gjson::Value::exists).ok_or_else(|| format!("no match for '{path}'"))
}

/// How many steps the patterns of a path (`name%"*x*y"`, `na*e`) may take at most. GJSON tries
/// every length for a `*`, and for each of them every length for the next one; several in a row
/// count as one, and one at the end takes no time.
fn pattern_steps(json: &str, path: &str) -> usize {
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(['*', '"', ')']);
    let stars = path.match_indices('*').filter(|(at, _)| !ends(&path[at + 1..])).count();
    let longest = longest_string(json);
    (1..stars).fold(json.len(), |steps, _| steps.saturating_mul(longest))
}

fn too_deep() -> String {
    format!("the response is nested deeper than {DEEPEST} levels")
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"b": 1.50, "a": "x\"y", "c": [true, null]}"#;

    fn view(format: Format, transform: Option<&str>, raw_output: bool) -> View {
        View { format, transform: transform.map(str::to_owned), raw_output, ..View::default() }
    }

    fn shown(
        format: Format,
        transform: Option<&str>,
        raw_output: bool,
    ) -> (String, Option<String>) {
        let shown = view(format, transform, raw_output).show(JSON);
        (shown.text, shown.notice)
    }

    #[test]
    fn every_format_keeps_order_and_literals() {
        for (format, text) in [
            (Format::Auto, "{\n  \"b\": 1.50,\n  \"a\": \"x\\\"y\",\n  \"c\": [true, null]\n}\n"),
            (Format::Jsonl, "{\"b\":1.50,\"a\":\"x\\\"y\",\"c\":[true,null]}\n"),
            (Format::Raw, "{\"b\": 1.50, \"a\": \"x\\\"y\", \"c\": [true, null]}\n"),
            (Format::Pretty, "b    1.50\na    x\"y\nc.0  true\nc.1  -\n"),
            (Format::Yaml, "b: 1.50\na: \"x\\\"y\"\nc:\n  - true\n  - null\n"),
        ] {
            assert_eq!(shown(format, None, false), (text.to_owned(), None), "{format:?}");
        }
    }

    #[test]
    fn a_path_chooses_and_raw_output_takes_the_quotes_off() {
        for (path, raw_output, text) in [
            ("a", false, "\"x\\\"y\"\n"),
            ("a", true, "x\"y\n"),
            ("b", true, "1.50\n"),
            ("c.#", true, "2\n"),
            ("c.1", true, "null\n"),
            ("{a,b}.b", false, "1.50\n"),
        ] {
            assert_eq!(
                shown(Format::Json, Some(path), raw_output),
                (text.to_owned(), None),
                "{path}"
            );
        }
        let notice = Some("--transform: no match for 'd'; printing the whole response".to_owned());
        assert_eq!(shown(Format::Jsonl, Some("d"), true).1, notice);
    }

    #[test]
    fn text_that_is_not_json_stays_as_it_is() {
        for format in Format::ALL {
            let shown = view(format, Some("a"), true).show("<html>");
            assert_eq!((shown.text.as_str(), shown.colour), ("<html>\n", false));
        }
    }
}
