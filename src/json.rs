//! Reads JSON without changing it: member order, number literals and unknown members stay as
//! written, because values are kept as raw text and parsed only where the program needs one.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of a JSON object in order, duplicates included.
pub(crate) struct Object<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'a> Object<'a> {
    /// Reads `text` as one JSON object. The error is serde_json's, with line and column.
    pub(crate) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The last member with this name, as JavaScript and Python read an object that has it twice.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// A string or number member as text; `None` for a missing, null, empty or structured one.
    pub(crate) fn scalar(&self, name: &str) -> Option<String> {
        self.get(name).and_then(scalar).filter(|text| !text.is_empty())
    }
}

/// The text of a string, or the literal of a number, as the server wrote it.
pub(crate) fn scalar(value: &RawValue) -> Option<String> {
    match value.get().as_bytes().first()? {
        b'"' => Some(unquoted(value.get())),
        b'-' | b'0'..=b'9' => Some(value.get().to_owned()),
        _ => None,
    }
}

/// The text of a JSON string literal. Half a surrogate pair becomes U+FFFD: some servers cut a text
/// in the middle of one.
pub fn unquoted(literal: &str) -> String {
    let inner = literal.strip_prefix('"').unwrap_or(literal);
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    if !inner.contains('\\') {
        return inner.to_owned();
    }
    let mut chars = inner.chars();
    let mut units = Vec::with_capacity(inner.len());
    while let Some(mut c) = chars.next() {
        if c == '\\' {
            c = match chars.next() {
                Some('u') => {
                    let hex = chars.by_ref().take(4).filter_map(|digit| digit.to_digit(16));
                    units.push(hex.fold(0, |unit, digit| unit << 4 | digit as u16));
                    continue;
                }
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                escaped => escaped.unwrap_or(c),
            };
        }
        units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
    }
    String::from_utf16_lossy(&units)
}

/// The length in bytes of the string literal at the start of `json`, up to the end of the text if
/// it is not closed.
pub fn string_len(json: &str) -> usize {
    let mut escaped = true;
    let end = json.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = !escaped && byte == b'\\';
        ends
    });
    end.map_or(json.len(), |index| index + 1)
}

/// A JSON text on one line: without the white space between its tokens.
pub fn compact(json: &str) -> String {
    gjson::tools::ugly(json)
}

/// Whether a text is a JSON value.
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

/// A JSON string literal for `text`.
pub fn quote(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// Values nested deeper are left as they are: the bound limits the recursion.
const MAX_DEPTH: usize = 100;

/// A JSON text on one line, in one spelling for all texts of the same value: without white space,
/// the members of objects sorted by name (the last of several with one name), strings and numbers
/// written in one way.
///
/// A number of more than 15 characters is left as it is, because an `f64` may not tell it from its
/// neighbours.
///
/// ```json
/// {"b": [1.0, "\u0061"], "a": null}   becomes   {"a":null,"b":[1,"a"]}
/// ```
pub(crate) fn canonical(text: &str) -> String {
    let mut canonical = String::with_capacity(text.len());
    write_canonical(text.trim_ascii(), 0, &mut canonical);
    canonical
}

fn write_canonical(text: &str, depth: usize, into: &mut String) {
    if depth < MAX_DEPTH
        && let Ok(Object(mut members)) = Object::parse(text)
    {
        // A stable sort: of several with one name the last one stays last.
        members.sort_by(|a, b| a.0.cmp(&b.0));
        let count = members.len();
        let is_last = |i: usize| i + 1 == count || members[i].0 != members[i + 1].0;
        let members: Vec<_> = (0..count).filter(|i| is_last(*i)).map(|i| &members[i]).collect();
        write_list(['{', '}'], &members, into, |(name, value), into| {
            into.push_str(&quote(name));
            into.push(':');
            write_canonical(value.get(), depth + 1, into);
        });
    } else if depth < MAX_DEPTH
        && let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(text)
    {
        write_list(['[', ']'], &elements, into, |value, into| {
            write_canonical(value.get(), depth + 1, into);
        });
    } else if text.starts_with('"') {
        into.push_str(&quote(&unquoted(text)));
    } else {
        let number: Option<f64> = if text.len() <= 15 { text.parse().ok() } else { None };
        match number.filter(|number| number.is_finite()) {
            Some(number) => into.push_str(&shortest(number)),
            None => into.push_str(text),
        }
    }
}

/// A number in as few digits as tell it apart. Whole numbers have no fraction: 8, not 8.0.
fn shortest(number: f64) -> String {
    let whole = number as i64;
    // As serde_json writes it, whose code is in use anyway: std's would add 9 KB.
    if whole as f64 == number {
        whole.to_string()
    } else {
        serde_json::to_string(&number).unwrap_or_default()
    }
}

fn write_list<T>(
    [open, close]: [char; 2],
    items: &[T],
    into: &mut String,
    write: impl Fn(&T, &mut String),
) {
    into.push(open);
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            into.push(',');
        }
        write(item, into);
    }
    into.push(close);
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<&RawValue, _>()? {
                    members.push((unquoted(name.get()), value));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_literals_and_the_last_of_two_counts() {
        let object =
            Object::parse(r#"{"b": 1.50, "a": "x", "b": 10000000000000000000001}"#).unwrap();
        let names: Vec<&str> = object.0.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["b", "a", "b"]);
        assert_eq!(object.0[0].1.get(), "1.50");
        assert_eq!(object.scalar("b").as_deref(), Some("10000000000000000000001"));
    }

    #[test]
    fn only_strings_and_numbers_with_text_are_scalars() {
        let object =
            Object::parse(r#"{"n":null,"t":true,"o":{},"e":"","s":"a\u00e9","i":-3}"#).unwrap();
        for name in ["n", "t", "o", "e", "missing"] {
            assert_eq!(object.scalar(name), None, "{name}");
        }
        assert_eq!(object.scalar("s").as_deref(), Some("aé"));
        assert_eq!(object.scalar("i").as_deref(), Some("-3"));
    }

    #[test]
    fn every_escape_is_read_and_half_a_surrogate_pair_is_replaced() {
        for (literal, text) in [
            (r#""""#, ""),
            (r#""a\"\/\\b\u0041\b\f\n\r\t""#, "a\"/\\bA\u{8}\u{c}\n\r\t"),
            (r#""\ud842\udfb7 \uD83C\uDFAC 🎬""#, "𠮷 🎬 🎬"),
            (r#""\ud800 \udfb7\ud842 \ud83c""#, "\u{fffd} \u{fffd}\u{fffd} \u{fffd}"),
        ] {
            assert_eq!(unquoted(literal), text, "{literal}");
        }
        let object = Object::parse(r#"{"\ud800":1,"\u0069d":"v\ud800"}"#).unwrap();
        assert_eq!(object.scalar("id").as_deref(), Some("v\u{fffd}"));
        assert_eq!(object.scalar("\u{fffd}").as_deref(), Some("1"));
    }

    #[test]
    fn compact_removes_only_the_white_space_between_tokens() {
        for (json, compacted) in [
            (
                "{\"a b\" :\n[ 1.50,\t\"x \\\" y\\\\\" , null ]\r\n}",
                r#"{"a b":[1.50,"x \" y\\",null]}"#,
            ),
            (" \"\\n é\" ", r#""\n é""#),
            ("-0.0", "-0.0"),
        ] {
            assert_eq!(compact(json), compacted);
        }
    }

    #[test]
    fn texts_of_the_same_value_have_one_canonical_form() {
        for (text, form) in [
            (
                "{\n  \"b\": [1.0, 1e2, -0.50],\r\n\t\"a\": null }\n",
                r#"{"a":null,"b":[1,100,-0.5]}"#,
            ),
            (r#"{"a": 1, "b": 2, "a": {"y": [], "x": {}}}"#, r#"{"a":{"x":{},"y":[]},"b":2}"#),
            (r#" "\u0061\/\n" "#, r#""a/\n""#),
            ("true", "true"),
            ("10000000000000000000001", "10000000000000000000001"),
            ("0.10000000000000000001", "0.10000000000000000001"),
            ("[0.1, 1E-7, 1e18, 1e19, -0.0]", "[0.1,1e-7,1000000000000000000,1e+19,0]"),
            (r#"["8", 8]"#, r#"["8",8]"#),
        ] {
            assert_eq!(canonical(text), form);
            assert_eq!(canonical(form), form);
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(canonical(&deep), deep);
    }

    #[test]
    fn other_json_than_an_object_is_refused() {
        for text in ["", "[]", "\"x\"", "{", "{} {}", "null"] {
            assert!(Object::parse(text).is_err(), "{text}");
        }
    }
}
