//! Properties of every object that is written as JSON or in the short form.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use yaml_rust2::{Yaml, YamlLoader};

use crate::{Reference, Value};

/// `input` is an object as `--video` takes it.
///
/// The result is one JSON object, and JSON is not changed. Text that YAML can parse as well has the
/// same value there. An error is one line that quotes the text.
pub(crate) fn check(input: &[u8]) {
    // An argument that is not UTF-8 is refused before.
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let is_json = members(text).is_some();
    match Reference::object(text) {
        Ok(Reference::Object(Value::Json(json))) => {
            let json = json.get();
            let members = members(json).unwrap_or_else(|| panic!("{json}"));
            if is_json {
                return assert_eq!(json, text.trim());
            }
            if let (true, Ok([yaml])) = (is_plain(text), YamlLoader::load_from_str(text).as_deref())
            {
                same(&members, yaml);
            }
        }
        Ok(other) => panic!("{other:?}"),
        Err(error) => {
            let error = error.to_string();
            assert!(!is_json, "{error}");
            assert!(!error.chars().any(char::is_control), "{error:?}");
            let quoted = text.chars().any(char::is_control) || error.contains(text);
            assert!(quoted, "{error}");
        }
    }
}

fn members(json: &str) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(json).ok()
}

/// Whether the text has no syntax of YAML alone, such as folded lines, tags, anchors and comments.
fn is_plain(text: &str) -> bool {
    const MARKS: [char; 10] = ['!', '&', '*', '#', '?', '|', '>', '%', '@', '`'];
    let mut words = text.split(['{', ',', ':', ' ']);
    let odd = |c: char| c != ' ' && (c.is_control() || c.is_whitespace());
    !text.contains(odd) && !words.any(|word| word.starts_with(MARKS))
}

/// Checks that YAML reads the same members. A YAML scalar that is not a string, in a notation that
/// JSON does not have, is a string in the short form.
fn same(object: &BTreeMap<String, &RawValue>, yaml: &Yaml) {
    let others = yaml.as_hash().unwrap_or_else(|| panic!("{yaml:?}"));
    // YAML requires a space after a colon, and has keys that are not strings.
    let is_same_key = |key: &Yaml| key.as_str().is_some_and(|key| !key.contains(':'));
    if !others.keys().all(is_same_key) {
        return;
    }
    for (key, other) in others {
        let key = key.as_str().unwrap_or_default();
        let value = object[key].get();
        match other {
            Yaml::Hash(_) => same(&members(value).unwrap_or_else(|| panic!("{value}")), other),
            Yaml::String(text) => assert_eq!(serde_json::from_str(value).ok().as_ref(), Some(text)),
            Yaml::Integer(_) | Yaml::Real(_) | Yaml::Boolean(_) | Yaml::Null => {
                assert!(!value.starts_with('{'), "{value}");
            }
            Yaml::Array(_) | Yaml::Alias(_) | Yaml::BadValue => panic!("{other:?} became {value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::properties::suite::{Random, cases, corpus};

    const WORDS: [&str; 20] = [
        "{", "}", ":", ": ", ",", "\"", "'", " ", "\\", "\\u0000", "[", "]", "id", "null", "1.50",
        "1e9", "\u{1b}", "\u{a0}", "#", "&a",
    ];

    #[test]
    fn hold_for_the_corpus_and_its_mutations() {
        corpus("shorthand", &WORDS, check);
    }

    #[test]
    fn an_object_in_any_writing_is_the_same_object() {
        cases(2000, |random| {
            let (value, written) = object(random, 3);
            let Ok(Reference::Object(Value::Json(json))) = Reference::object(&written) else {
                panic!("{written}");
            };
            let read: Json = serde_json::from_str(json.get()).unwrap();
            assert_eq!(read, value, "{written}");
            check(written.as_bytes());
        });
    }

    /// An object, and one way to write it.
    fn object(random: &mut Random, depth: usize) -> (Json, String) {
        let mut members = serde_json::Map::new();
        let mut written = String::new();
        for number in 0..random.below(4) {
            let key = format!("{}{number}", text(random));
            let (value, shown) = match random.below(4) {
                0 => {
                    let literal = ["7", "-1.5", "true", "null"][random.below(4)];
                    (serde_json::from_str(literal).unwrap(), literal.to_owned())
                }
                1 if depth > 0 => object(random, depth - 1),
                _ => {
                    let text = text(random);
                    (json!(text), one_way(&text, random))
                }
            };
            for part in [&one_way(&key, random), ":", &shown, ","] {
                written += ["", " ", "\n\t"][random.below(3)];
                written += part;
            }
            members.insert(key, value);
        }
        if random.below(2) == 0 {
            written.pop();
        }
        (Json::Object(members), format!("{{{written}}}"))
    }

    fn text(random: &mut Random) -> String {
        let letters: Vec<char> = "aB7 -_./é🎬\"'\\{},:\n\u{1b}".chars().collect();
        (0..random.below(7)).map(|_| letters[random.below(letters.len())]).collect()
    }

    fn one_way(text: &str, random: &mut Random) -> String {
        let plain = |c: char| c.is_alphanumeric() || "-_./ ".contains(c);
        let bare = text.starts_with(char::is_alphabetic)
            && !text.ends_with(' ')
            && text.chars().all(plain);
        match random.below(3) {
            0 if bare => text.to_owned(),
            1 if !text.contains('\'') => format!("'{text}'"),
            _ => json!(text).to_string(),
        }
    }
}
