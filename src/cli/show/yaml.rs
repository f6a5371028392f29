//! JSON -> YAML 1.2 in block style, with members in their order, and number literals as received
//! except for exponents.
//!
//! A string is written without quotation marks only where every reader, also of YAML 1.1, reads it
//! as a string; all others get quotation marks and escapes. Deeply nested or long values are
//! written in flow style, on one line.

use std::borrow::Cow;

use gjson::{Kind, Value};
use openai_videos::json::unquoted;

use crate::cli::show::escape::is_hidden;
use crate::cli::show::json::{LEVELS, LONGEST};

/// A key of more than 1024 characters needs the mark `?` (YAML 1.2, 7.4.2); this counts bytes.
const LONGEST_KEY: usize = 1000;
/// How many of the following names are searched for a duplicate: a map of all would be 4 KB of
/// code.
const NEAR: usize = 100;
/// Words that some reader takes for null or a boolean if they have no quotation marks.
const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];

/// The document, with its last line break.
pub(crate) fn yaml(value: &Value<'_>) -> String {
    let mut out = String::new();
    if has_members(value) && value.json().len() <= LONGEST {
        block(&mut out, value, 0, false);
    } else {
        flow(&mut out, value);
        out.push('\n');
    }
    out
}

fn has_members(value: &Value<'_>) -> bool {
    let json = value.json();
    json.starts_with(['{', '[']) && !json[1..].trim_start().starts_with(['}', ']'])
}

/// The lines of an object or array that has members. `inline`: the first one follows the `- ` of
/// its parent.
fn block(out: &mut String, value: &Value<'_>, level: usize, mut inline: bool) {
    let indent = "  ".repeat(level);
    each(value, &mut |key, item| {
        if !std::mem::take(&mut inline) {
            *out += &indent;
        }
        match key {
            Some(key) => name(out, key, &format!("\n{indent}")),
            None => out.push('-'),
        }
        if has_members(item) && level < LEVELS {
            out.push(if key.is_some() { '\n' } else { ' ' });
            block(out, item, level + 1, key.is_none());
        } else {
            out.push(' ');
            flow(out, item);
            out.push('\n');
        }
    });
}

/// A value on one line.
fn flow(out: &mut String, value: &Value<'_>) {
    let [open, close] = match value.kind() {
        Kind::Object => ['{', '}'],
        Kind::Array => ['[', ']'],
        Kind::String => return *out += &string(&unquoted(value.json())),
        Kind::Number => return *out += &number(value.json()),
        _ => return *out += value.json(),
    };
    out.push(open);
    let mut comma = "";
    each(value, &mut |key, item| {
        *out += std::mem::replace(&mut comma, ", ");
        if let Some(key) = key {
            name(out, key, " ");
            out.push(' ');
        }
        flow(out, item);
    });
    out.push(close);
}

/// Calls `show` for the elements of an array, or the members of an object. YAML forbids duplicate
/// names: as in JavaScript and Python, the last member of a name counts.
fn each(value: &Value<'_>, show: &mut dyn FnMut(Option<&str>, &Value<'_>)) {
    let mut names = Vec::new();
    if value.kind() == Kind::Object {
        value.each(|name, _| {
            names.push(unquoted(name.json()));
            true
        });
    }
    let mut names = names.as_slice();
    value.each(|_, item| {
        match names.split_first() {
            None => show(None, &item),
            Some((name, later)) => {
                names = later;
                if !later[..later.len().min(NEAR)].contains(name) {
                    show(Some(name), &item);
                }
            }
        }
        true
    });
}

/// `key:`, or for a long key `? key` and the colon after `gap`.
fn name(out: &mut String, key: &str, gap: &str) {
    let key = string(key);
    match key.len() {
        ..=LONGEST_KEY => out.extend([&key, ":"]),
        _ => out.extend(["? ", &key, gap, ":"]),
    }
}

/// The number literal as received, except for an exponent: YAML 1.1, as PyYAML reads it, takes
/// `1e-07` for a string and wants a dot and the exponent's sign, `1.0e-07`.
fn number(literal: &str) -> Cow<'_, str> {
    let Some(at) = literal.find(['e', 'E']) else {
        return Cow::Borrowed(literal);
    };
    let (mantissa, exponent) = (&literal[..at], &literal[at + 1..]);
    let fraction = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['+', '-']) { "" } else { "+" };
    Cow::Owned(format!("{mantissa}{fraction}{}{sign}{exponent}", &literal[at..=at]))
}

fn string(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted += "\\n",
            '\t' => quoted += "\\t",
            c if c > '\u{ffff}' && is_hidden(c) => quoted += &format!("\\U{:08x}", u32::from(c)),
            c if is_hidden(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                quoted += &format!("\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// Whether a string needs no quotation marks: it starts with a letter, so that it is not a number,
/// a date or an indicator, and has only characters that cannot end it.
fn is_plain(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.split(' ').all(|word| !word.is_empty() && word.bytes().all(inner))
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value as Json;
    use yaml_rust2::{Yaml, YamlLoader};

    fn written(json: &str) -> String {
        yaml(&gjson::parse(json))
    }

    /// The value that a YAML reader returns for it, as JSON.
    fn read(yaml: &Yaml) -> Json {
        match yaml {
            Yaml::Null => Json::Null,
            Yaml::Boolean(value) => Json::from(*value),
            Yaml::Integer(value) => Json::from(*value),
            Yaml::Real(value) => Json::from(value.parse::<f64>().unwrap()),
            Yaml::String(value) => Json::from(value.as_str()),
            Yaml::Array(items) => items.iter().map(read).collect(),
            Yaml::Hash(members) => members
                .iter()
                .map(|(key, value)| (key.as_str().unwrap().to_owned(), read(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn means_the_same(json: &str) {
        let yaml = written(json);
        let documents = YamlLoader::load_from_str(&yaml)
            .unwrap_or_else(|error| panic!("{error}: {json}\n{yaml}"));
        assert_eq!(documents.len(), 1, "{yaml}");
        let meant: Json = serde_json::from_str(json).unwrap();
        assert_eq!(read(&documents[0]), meant, "{yaml}");
    }

    #[test]
    fn a_job_is_written_in_block_style_in_its_own_order() {
        let json = r#"{"id":"video_1","progress":0,"cost":1.50,"error":null,
            "size":"720x1280","prompt":"It's: \"x\"",
            "usage":{"a":[1,{"b":"c d","e":[]},[2,3]],"empty":{ }},"done":false}"#;
        assert_eq!(
            written(json),
            concat!(
                "id: video_1\nprogress: 0\ncost: 1.50\nerror: null\nsize: \"720x1280\"\n",
                "prompt: \"It's: \\\"x\\\"\"\nusage:\n  a:\n    - 1\n    - b: c d\n",
                "      e: []\n    - - 2\n",
                "      - 3\n  empty: {}\ndone: false\n"
            )
        );
        means_the_same(json);
    }

    #[test]
    fn a_number_with_an_exponent_is_one_in_yaml_1_1_as_well() {
        for (json, shown) in [
            ("1e-07", "1.0e-07"),
            ("1E5", "1.0E+5"),
            ("-2.50e5", "-2.50e+5"),
            ("1.5E-3", "1.5E-3"),
            ("1e+5", "1.0e+5"),
            ("0.5", "0.5"),
            ("-7", "-7"),
        ] {
            assert_eq!(written(&format!("[{json}]")), format!("- {shown}\n"));
            means_the_same(&format!("[{json}]"));
        }
    }

    #[test]
    fn every_string_is_read_back_as_it_was() {
        let mut texts: Vec<String> = [
            "",
            " ",
            "a b",
            "a  b",
            " a",
            "a ",
            "a: b",
            "a #b",
            "# a",
            "- a",
            "-",
            "--- a",
            "---",
            "...",
            "null",
            "Null",
            "~",
            "true",
            "YES",
            "No",
            "on",
            "OFF",
            "y",
            "N",
            "1",
            "1.5",
            "0x10",
            "1e3",
            ".inf",
            ".nan",
            "1_000",
            "12:30:45",
            "2025-09-27",
            "0o7",
            "+1",
            "e5",
            "inf",
            "nan",
            "*a",
            "&a",
            "!a",
            "!!str a",
            "|",
            ">",
            "%YAML 1.2",
            "@a",
            "`a",
            "{a",
            "[a",
            "a]",
            "a, b",
            "'a'",
            "\"a\"",
            "a\\b",
            "a\nb",
            "a\n\n  b\n",
            "\n",
            "\ta\t",
            "a\r\nb",
            "?",
            "? a",
            "a?",
            ":",
            "a:",
            "=",
            "<<",
            "日本 🎬",
            "\u{7f}\u{80}\u{85}\u{9b}",
            "\u{2028}\u{2029}\u{feff}",
            "\u{fffe}\u{ffff}",
            "\u{0}\u{1b}[2J",
            "\u{202e}",
            "\u{10ffff}",
            "C:/x",
            "a.b/c-d_e",
            "key: {x: 1}",
        ]
        .map(str::to_owned)
        .to_vec();
        texts.extend((0..=0x17f).filter_map(char::from_u32).map(String::from));
        for text in &texts {
            let json = serde_json::to_string(text).unwrap();
            means_the_same(&json);
            means_the_same(&format!("{{\"a\":{json},\"b\":[{json},{json}]}}"));
            means_the_same(&format!("{{{json}:{{{json}:1}}}}"));
        }
        means_the_same(r#"["\ud83c\udfac\ud842\udfb7\u00e9\/\b\f"]"#);
    }

    #[test]
    fn long_keys_and_deep_values_stay_yaml() {
        let key = "k".repeat(5000);
        means_the_same(&format!(r#"{{"a":[{{"{key}":{{"{key}":"b"}},"c":[1]}}]}}"#));
        let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        means_the_same(&deep(40));
    }

    #[test]
    fn deeply_nested_values_are_read_back_as_they_were() {
        let key = "k".repeat(1500);
        for value in [
            r#""\u007f\u0080\u2028\ud83c\udfac\udb40\udc41""#.to_owned(),
            "\"\u{80}\u{feff}\u{e0041} 🎬\"".to_owned(),
            r#"{"a\/b":{"\ud83c\udfac":null,"":[]},"c d":[-1.5,true,"x, y: z"],"no":{}}"#
                .to_owned(),
            format!(r#"{{"{key}":{{"{key}":["a",{{"b":1}}]}}}}"#),
            r#"["it's","a]","}","yes","- a","\t#"]"#.to_owned(),
        ] {
            for depth in [1, LEVELS - 1, LEVELS, LEVELS + 1, 33, 90] {
                means_the_same(&format!("{}{value}{}", "[".repeat(depth), "]".repeat(depth)));
                means_the_same(&format!("{}{value}{}", "{\"o\":".repeat(depth), "}".repeat(depth)));
            }
        }
    }

    #[test]
    fn of_members_with_one_name_the_last_counts() {
        let twice = r#"{"a":1,"b":2,"\u0061":{"c":3,"c":[4],"d":5,"c":6}}"#;
        assert_eq!(written(twice), "b: 2\na:\n  d: 5\n  c: 6\n");
        for depth in [1, 20] {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            means_the_same(&format!("{open}{twice}{close}"));
        }
    }
}
