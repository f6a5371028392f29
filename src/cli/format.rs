//! The formats of results and errors: JSON as the server sent it -> the text that was asked for.
//!
//! Flags, their defaults and what a path that finds nothing does (the whole is printed) are those of the official
//! command line, so that scripts written for it go on working.

use gjson::Kind;
use openai_videos::{Error, Job, Status, unquoted};

use super::flags::Args;
use super::parse::choice;
use super::table::table;
use super::yaml::yaml;
use super::{Env, print};

const KEY: &str = "\u{1b}[1;34m";
const STRING: &str = "\u{1b}[32m";
const NUMBER: &str = "\u{1b}[33m";
const WORD: &str = "\u{1b}[36m";
const PLAIN: &str = "\u{1b}[0m";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Format {
    #[default]
    Auto,
    Json,
    Jsonl,
    Raw,
    Pretty,
    Yaml,
    Explore,
}

/// In the order of the table of flags.
const FORMATS: [Format; 7] = [
    Format::Auto,
    Format::Json,
    Format::Jsonl,
    Format::Raw,
    Format::Pretty,
    Format::Yaml,
    Format::Explore,
];

/// How to show results, or errors.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    format: Format,
    transform: Option<String>,
    raw_output: bool,
    colour: bool,
    quiet: bool,
    /// The name of the flag that holds the path, for the remark that it finds nothing.
    flag: &'static str,
}

/// A text, and what is to be known about it.
pub(crate) struct Shown {
    pub(crate) text: String,
    /// It is JSON, and wanted in colours.
    pub(crate) colour: bool,
    /// For standard error.
    pub(crate) remark: Option<String>,
}

impl View {
    /// How `--format` and `--transform` want results.
    pub(crate) fn of_results(args: &Args, env: Env<'_>) -> Result<Self, Error> {
        Ok(Self {
            format: format("format", args.format.as_deref())?,
            transform: args.transform.clone(),
            raw_output: args.raw_output,
            colour: colours(env, print::stdout_is_terminal),
            quiet: args.quiet,
            flag: "--transform",
        })
    }

    /// How `--format-error` and `--transform-error` want errors.
    pub(crate) fn of_errors(args: &Args, env: Env<'_>) -> Result<Self, Error> {
        Ok(Self {
            format: format("format-error", args.format_error.as_deref())?,
            transform: args.transform_error.clone(),
            raw_output: args.raw_output,
            colour: colours(env, print::stderr_is_terminal),
            quiet: args.quiet,
            flag: "--transform-error",
        })
    }

    /// Whether nothing was asked for.
    pub(crate) fn is_default(&self) -> bool {
        self.format == Format::Auto && self.transform.is_none()
    }

    /// JSON in this format. What is no JSON stays as it is.
    pub(crate) fn show(&self, json: &str) -> Shown {
        if serde_json::from_str::<&serde_json::value::RawValue>(json).is_err() {
            return Shown {
                text: lines(json),
                colour: false,
                remark: None,
            };
        }
        let whole = gjson::parse(json);
        let found = self.transform.as_deref().map(|path| gjson::get(json, path));
        let remark = match (&found, self.format) {
            (Some(found), _) if !found.exists() => {
                let path = self.transform.as_deref().unwrap_or_default();
                Some(format!(
                    "{}: '{path}' finds nothing; this is the whole",
                    self.flag
                ))
            }
            (_, Format::Explore) => Some("there is no explorer here; this is JSON".to_owned()),
            _ => None,
        }
        .filter(|_| !self.quiet);
        let value = found.filter(gjson::Value::exists).unwrap_or(whole);
        if self.raw_output && value.kind() == Kind::String {
            return Shown {
                text: format!("{}\n", unquoted(value.json())),
                colour: false,
                remark,
            };
        }
        let (text, is_json) = match self.format {
            Format::Auto | Format::Json | Format::Explore => {
                (gjson::get(value.json(), "@pretty").json().to_owned(), true)
            }
            Format::Jsonl => (gjson::get(value.json(), "@ugly").json().to_owned(), true),
            Format::Raw => (value.json().to_owned(), false),
            Format::Pretty => (table(&value), false),
            Format::Yaml => (yaml(&value), false),
        };
        Shown {
            text: lines(&text),
            colour: is_json && self.colour,
            remark,
        }
    }

    /// The line after a job that is shown to a person: what to do next.
    pub(crate) fn advice(&self, job: &Job, fetched: bool) -> Option<String> {
        if self.format != Format::Pretty || self.transform.is_some() {
            return None;
        }
        let id = print::quoted(job.id());
        match job.status() {
            Status::Completed if fetched => None,
            Status::Completed => Some(format!(
                "\nfetch it with: openai videos download-content --output FILE -- {id}\n"
            )),
            Status::Failed => {
                let reason = job
                    .reason()
                    .map_or(String::new(), |reason| format!(": {reason}"));
                Some(format!("\nit failed{reason}; a new request is needed\n"))
            }
            Status::Pending => Some(format!(
                "\nwait for it with: openai videos retrieve --wait -- {id}\n"
            )),
        }
    }
}

fn format(flag: &'static str, name: Option<&str>) -> Result<Format, Error> {
    Ok(match name {
        None => Format::Auto,
        Some(name) => FORMATS[choice(flag, name)?],
    })
}

/// `FORCE_COLOR` wins over `NO_COLOR`, as in the official command line; without either, a terminal has colours.
fn colours(env: Env<'_>, is_terminal: fn() -> bool) -> bool {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    match (set("FORCE_COLOR"), set("NO_COLOR")) {
        (Some(force), _) => force != "0" && force != "false",
        (None, Some(_)) => false,
        (None, None) => is_terminal() && env("TERM").is_none_or(|term| term != "dumb"),
    }
}

/// Whole lines.
fn lines(text: &str) -> String {
    match text.ends_with('\n') {
        true => text.to_owned(),
        false => format!("{text}\n"),
    }
}

/// JSON with the colours of a terminal.
pub(crate) fn paint(json: &str) -> String {
    let mut painted = String::with_capacity(json.len() * 2);
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        let is_end = |c: char| c.is_whitespace() || ",:]}".contains(c);
        let word = || rest.find(is_end).unwrap_or(rest.len()).max(1);
        let (len, colour) = match first {
            '"' => {
                let len = string_len(rest);
                let is_key = rest[len..].starts_with(':');
                (len, if is_key { KEY } else { STRING })
            }
            '-' | '0'..='9' => (word(), NUMBER),
            't' | 'f' | 'n' => (word(), WORD),
            _ => (first.len_utf8(), ""),
        };
        let (token, after) = rest.split_at(len);
        painted.extend([colour, token, if colour.is_empty() { "" } else { PLAIN }]);
        rest = after;
    }
    painted
}

/// The length of the string literal at the start of `json`.
fn string_len(json: &str) -> usize {
    let mut escaped = true;
    let end = json.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = !escaped && byte == b'\\';
        ends
    });
    end.map_or(json.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"b": 1.50, "a": "x\"y", "c": [true, null]}"#;

    fn view(format: Format, transform: Option<&str>, raw_output: bool) -> View {
        View {
            format,
            transform: transform.map(str::to_owned),
            raw_output,
            flag: "--transform",
            ..View::default()
        }
    }

    fn shown(
        format: Format,
        transform: Option<&str>,
        raw_output: bool,
    ) -> (String, Option<String>) {
        let shown = view(format, transform, raw_output).show(JSON);
        (shown.text, shown.remark)
    }

    #[test]
    fn every_format_keeps_order_and_literals() {
        for (format, text) in [
            (
                Format::Auto,
                "{\n  \"b\": 1.50,\n  \"a\": \"x\\\"y\",\n  \"c\": [true, null]\n}\n",
            ),
            (
                Format::Jsonl,
                "{\"b\":1.50,\"a\":\"x\\\"y\",\"c\":[true,null]}\n",
            ),
            (
                Format::Raw,
                "{\"b\": 1.50, \"a\": \"x\\\"y\", \"c\": [true, null]}\n",
            ),
            (Format::Pretty, "b    1.50\na    x\"y\nc.0  true\nc.1  -\n"),
            (
                Format::Yaml,
                "b: 1.50\na: \"x\\\"y\"\nc:\n  - true\n  - null\n",
            ),
        ] {
            assert_eq!(
                shown(format, None, false),
                (text.to_owned(), None),
                "{format:?}"
            );
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
        let remark = Some("--transform: 'd' finds nothing; this is the whole".to_owned());
        assert_eq!(shown(Format::Jsonl, Some("d"), true).1, remark);
    }

    #[test]
    fn what_is_no_json_stays_as_it_is() {
        for format in FORMATS {
            let shown = view(format, Some("a"), true).show("<html>");
            assert_eq!((shown.text.as_str(), shown.colour), ("<html>\n", false));
        }
    }

    #[test]
    fn colours_are_for_terminals_and_those_who_ask() {
        let with = |set: &[(&str, &str)], terminal: bool| {
            let is_terminal = if terminal { || true } else { || false };
            colours(
                &|name| {
                    set.iter()
                        .find(|(key, _)| *key == name)
                        .map(|(_, value)| value.into())
                },
                is_terminal,
            )
        };
        for (set, on_terminal, elsewhere) in [
            (&[][..], true, false),
            (&[("NO_COLOR", "1")], false, false),
            (&[("NO_COLOR", "")], true, false),
            (&[("FORCE_COLOR", "1")], true, true),
            (&[("FORCE_COLOR", "0")], false, false),
            (&[("FORCE_COLOR", "1"), ("NO_COLOR", "1")], true, true),
            (&[("TERM", "dumb")], false, false),
        ] {
            assert_eq!(
                (with(set, true), with(set, false)),
                (on_terminal, elsewhere),
                "{set:?}"
            );
        }
    }

    #[test]
    fn paint_only_adds_colours() {
        let json = r#"{"k\\": "v\",", "n": -1.5e3, "t": [true, null], "e": {}}"#;
        let painted = paint(json);
        assert_eq!(
            painted,
            format!(
                r#"{{{KEY}"k\\"{PLAIN}: {STRING}"v\","{PLAIN}, {KEY}"n"{PLAIN}: {NUMBER}-1.5e3{PLAIN}, {KEY}"t"{PLAIN}: [{WORD}true{PLAIN}, {WORD}null{PLAIN}], {KEY}"e"{PLAIN}: {{}}}}"#
            )
        );
        // Whatever it is, nothing is lost and it ends.
        for odd in ["\"", "\"\\", "t", "-", "}\"a", "é\u{1f3ac}"] {
            let plain = [KEY, STRING, NUMBER, WORD, PLAIN]
                .iter()
                .fold(paint(odd), |text, code| text.replace(code, ""));
            assert_eq!(plain, odd);
        }
    }
}
