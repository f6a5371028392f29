//! JSON -> YAML 1.2 in block style, members and number literals as they came.
//!
//! A string stands without quotation marks only where no reader, of YAML 1.1 either, can take it for anything else;
//! every other one is written as a JSON string, which is a YAML string too.

use gjson::{Kind, Value};
use openai_videos::unquoted;

use super::layout::LEVELS;

/// A key of more than 1024 characters needs the mark `?` (YAML 1.2, 7.4.2); this counts bytes.
const LONGEST_KEY: usize = 1000;
/// Words without quotation marks that mean something else to one reader or another.
const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];

/// The document, with its last line break.
pub(crate) fn yaml(value: &Value<'_>) -> String {
    let mut out = String::new();
    if is_block(value) {
        block(&mut out, value, 0, false);
    } else {
        out = flow(value) + "\n";
    }
    out
}

/// The lines of an object or array that has members. `inline`: the first goes on after the `- ` of its parent.
fn block(out: &mut String, value: &Value<'_>, depth: usize, mut inline: bool) {
    let is_object = value.kind() == Kind::Object;
    let indent = "  ".repeat(depth);
    value.each(|key, item| {
        if !std::mem::take(&mut inline) {
            *out += &indent;
        }
        if is_object {
            let key = string(&unquoted(key.json()));
            if key.len() > LONGEST_KEY {
                *out += &format!("? {key}\n{indent}");
            } else {
                *out += &key;
            }
        }
        out.push(if is_object { ':' } else { '-' });
        if is_block(&item) && depth < LEVELS {
            out.push(if is_object { '\n' } else { ' ' });
            block(out, &item, depth + 1, !is_object);
        } else {
            *out += &format!(" {}\n", flow(&item));
        }
        true
    });
}

fn is_block(value: &Value<'_>) -> bool {
    let json = value.json();
    json.starts_with(['{', '[']) && !json[1..].trim_start().starts_with(['}', ']'])
}

/// A value on one line.
fn flow(value: &Value<'_>) -> String {
    match value.kind() {
        Kind::String => string(&unquoted(value.json())),
        _ => gjson::get(value.json(), "@ugly").json().to_owned(),
    }
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
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                quoted += &escape(c);
            }
            c if c.is_control() => quoted += &escape(c),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

fn escape(c: char) -> String {
    format!("\\u{:04x}", u32::from(c))
}

/// Whether a string may stand as it is: a letter first, so that it is no number, date or mark, and nothing after
/// it that could end it.
fn is_plain(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .split(' ')
            .all(|word| !word.is_empty() && word.bytes().all(inner))
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

    /// What a YAML reader makes of it, as JSON.
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
        let json = r#"{"id":"video_1","progress":0,"cost":1.50,"error":null,"size":"720x1280","prompt":"It's: \"x\"",
            "usage":{"a":[1,{"b":"c d","e":[]},[2,3]],"empty":{ }},"done":false}"#;
        assert_eq!(
            written(json),
            concat!(
                "id: video_1\nprogress: 0\ncost: 1.50\nerror: null\nsize: \"720x1280\"\n",
                "prompt: \"It's: \\\"x\\\"\"\nusage:\n  a:\n    - 1\n    - b: c d\n      e: []\n    - - 2\n",
                "      - 3\n  empty: {}\ndone: false\n"
            )
        );
        means_the_same(json);
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
        assert!(written(&deep(1_000_000)).len() > 2_000_000);
    }
}
