//! Reads one YAML document, an object, as JSON text. It keeps the numbers as they are written.
//!
//! YAML 1.2 with its core schema: `yes`, `on` and dates are strings.

use std::borrow::Cow;
use std::collections::BTreeSet;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, StrInput, Tag};

use crate::json;

/// Values nested deeper are refused. No request needs it; the bound limits the recursion.
const MAX_DEPTH: usize = 64;

/// Texts with more punctuation are refused: the parser keeps the tokens of a whole `{...}` in
/// memory, about 100 bytes for each, to find out whether it is the name of a member.
const MAX_PUNCTUATION: usize = 100_000;

/// The most JSON text that is made of a document, in bytes: aliases of aliases can make gigabytes
/// of a kilobyte.
const LIMIT: usize = 4 * 1024 * 1024;

/// Returns the JSON text of a YAML object.
///
/// # Errors
/// A sentence with line and column: for text that is not YAML, and for YAML that JSON cannot
/// express or that readers interpret differently: duplicate names, infinite numbers, unknown tags,
/// merge keys, names that are not scalars, more than one document.
pub(crate) fn to_json(text: &str) -> Result<String, String> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        place: Marker::new(0, 1, 0),
        json: String::new(),
        anchors: Vec::new(),
    };
    let is_token = |byte: &u8| b",[]{}:?&*!\"'-".contains(byte);
    if text.bytes().filter(is_token).count() > MAX_PUNCTUATION {
        return Err(format!("it has more than {MAX_PUNCTUATION} punctuation characters"));
    }
    reader.document()?;
    Ok(reader.json)
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// Where the last event is in the text.
    place: Marker,
    json: String,
    /// The place in `json` of the value of each anchor; 0, 0 until its value is complete.
    anchors: Vec<(usize, usize)>,
}

type Tags<'a> = Option<Cow<'a, Tag>>;

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<(), String> {
        self.next()?; // the start of the stream
        if self.next()? == Event::StreamEnd {
            return Err("it is empty".to_owned());
        }
        match self.next()? {
            event @ Event::MappingStart(..) => self.value(event, 0)?,
            _ => return self.error("expected an object with the fields of the request"),
        }
        self.next()?; // the end of the document
        match self.next()? {
            Event::StreamEnd => Ok(()),
            _ => self.error("there is a second document"),
        }
    }

    fn next(&mut self) -> Result<Event<'a>, String> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                self.place = span.start;
                Ok(event)
            }
            Some(Err(error)) => {
                self.place = *error.marker();
                self.error(error.info())
            }
            None => Ok(Event::StreamEnd),
        }
    }

    fn error<T>(&self, why: &str) -> Result<T, String> {
        Err(format!("{why} at line {} column {}", self.place.line(), self.place.col() + 1))
    }

    fn value(&mut self, event: Event<'a>, depth: usize) -> Result<(), String> {
        if depth == MAX_DEPTH {
            return self.error(&format!("it is nested more than {MAX_DEPTH} deep"));
        }
        let start = self.json.len();
        let anchor = match event {
            Event::Alias(anchor) => return self.alias(anchor),
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(&text, style == ScalarStyle::Plain, tag)?;
                self.push(&value)?;
                anchor
            }
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(tag, "seq")?;
                self.list(depth)?;
                anchor
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(tag, "map")?;
                self.object(depth)?;
                anchor
            }
            _ => return self.error("expected a value"),
        };
        self.set_anchor(anchor, start);
        Ok(())
    }

    fn list(&mut self, depth: usize) -> Result<(), String> {
        self.push("[")?;
        let mut is_first = true;
        loop {
            match self.next()? {
                Event::SequenceEnd => return self.push("]"),
                event => {
                    if !is_first {
                        self.push(",")?;
                    }
                    self.value(event, depth + 1)?;
                    is_first = false;
                }
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), String> {
        self.push("{")?;
        let mut names = BTreeSet::new();
        loop {
            match self.next()? {
                Event::MappingEnd => return self.push("}"),
                event => {
                    if !names.is_empty() {
                        self.push(",")?;
                    }
                    let name = self.name(event)?;
                    if names.contains(&name) {
                        return self.error(&format!("duplicate name {name}"));
                    }
                    names.insert(name);
                }
            }
            self.push(":")?;
            let value = self.next()?;
            self.value(value, depth + 1)?;
        }
    }

    /// Writes the name of a member, a scalar as text, and returns it as JSON.
    fn name(&mut self, event: Event<'a>) -> Result<String, String> {
        let start = self.json.len();
        match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<" => {
                return self.error("merge keys (<<) are not supported");
            }
            Event::Scalar(text, _, anchor, tag) => {
                self.check_tag(tag, "str")?;
                self.push(&json::quote(&text))?;
                self.set_anchor(anchor, start);
            }
            Event::Alias(anchor) => self.alias(anchor)?,
            _ => {}
        }
        let name = self.json[start..].to_owned();
        if name.starts_with('"') { Ok(name) } else { self.error("a name is not a string") }
    }

    fn alias(&mut self, anchor: usize) -> Result<(), String> {
        match self.anchors.get(anchor) {
            Some(&(start, end)) if end > 0 => {
                self.check_size(end - start)?;
                self.json.extend_from_within(start..end);
                Ok(())
            }
            _ => self.error("an alias is inside the value that it stands for"),
        }
    }

    /// Remembers the value that starts at `start` in the JSON text. Anchor 0 stands for none.
    fn set_anchor(&mut self, anchor: usize, start: usize) {
        if anchor > 0 {
            self.anchors.resize(self.anchors.len().max(anchor + 1), (0, 0));
            self.anchors[anchor] = (start, self.json.len());
        }
    }

    fn push(&mut self, json: &str) -> Result<(), String> {
        self.check_size(json.len())?;
        self.json.push_str(json);
        Ok(())
    }

    fn check_size(&self, more: usize) -> Result<(), String> {
        if self.json.len() + more > LIMIT {
            return self.error(&format!("it is larger than {} MiB with its aliases", LIMIT >> 20));
        }
        Ok(())
    }

    /// The JSON of a scalar.
    fn scalar(&self, text: &str, is_plain: bool, tag: Tags<'a>) -> Result<String, String> {
        let kind = match &tag {
            None if is_plain => "",
            None => "str",
            Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => "str",
            Some(tag) if tag.is_yaml_core_schema() => &tag.suffix,
            Some(_) => "unknown",
        };
        let json = match text {
            _ if kind == "str" => return Ok(json::quote(text)),
            "" | "~" | "null" | "Null" | "NULL" => "null".to_owned(),
            "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => text.to_ascii_lowercase(),
            ".nan" | ".NaN" | ".NAN" => return self.error("JSON has no .nan"),
            _ => match number(text) {
                Some(number) => number,
                None if is_infinite(text) => return self.error("JSON has no .inf"),
                None => json::quote(text),
            },
        };
        let fits = match kind {
            "" => true,
            "null" => json == "null",
            "bool" => json == "true" || json == "false",
            "int" | "float" => json.starts_with(|c: char| c == '-' || c.is_ascii_digit()),
            _ => false,
        };
        if fits { Ok(json) } else { self.unknown_tag(tag) }
    }

    fn check_tag(&self, tag: Tags<'a>, expected: &str) -> Result<(), String> {
        match &tag {
            Some(known) if known.is_yaml_core_schema() && known.suffix == expected => Ok(()),
            None => Ok(()),
            Some(_) => self.unknown_tag(tag),
        }
    }

    fn unknown_tag<T>(&self, tag: Tags<'a>) -> Result<T, String> {
        let tag = tag.map(|tag| format!("{}{}", tag.handle, tag.suffix)).unwrap_or_default();
        let tag = tag.replacen("tag:yaml.org,2002:", "!!", 1);
        self.error(&format!("the tag '{tag}' does not fit here"))
    }
}

/// A number of the core schema as JSON: unchanged if it is valid JSON; otherwise without a leading
/// `+` or zeros, and with a digit on both sides of the point. `0x1F` and `0o17` of up to 64 bits
/// become decimal.
fn number(text: &str) -> Option<String> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && digits.chars().all(|c| c.is_digit(radix))
            && let Ok(number) = u64::from_str_radix(digits, radix)
        {
            return Some(number.to_string());
        }
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(place) => digits.split_at(place),
        None => (digits, ""),
    };
    let (whole, fraction) = match mantissa.find('.') {
        Some(place) => mantissa.split_at(place),
        None => (mantissa, ""),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let power = exponent.get(1..).unwrap_or("0");
    let power = power.strip_prefix(['-', '+']).unwrap_or(power);
    let decimals = fraction.get(1..).unwrap_or("");
    if whole.len() + decimals.len() == 0
        || power.is_empty()
        || ![whole, decimals, power].into_iter().all(is_digits)
    {
        return None;
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let fraction = if fraction == "." { ".0" } else { fraction };
    Some(format!("{sign}{whole}{fraction}{exponent}"))
}

fn is_infinite(text: &str) -> bool {
    matches!(text.strip_prefix(['-', '+']).unwrap_or(text), ".inf" | ".Inf" | ".INF")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_any_style_becomes_json() {
        for (yaml, json) in [
            ("prompt: It snows\nseconds: \"4\"\n", r#"{"prompt":"It snows","seconds":"4"}"#),
            ("--- # a comment\n{id: v, n: [1, two, ], }\n...\n", r#"{"id":"v","n":[1,"two"]}"#),
            ("a: |\n  one\n  two\nb: >-\n  one\n  two\n", r#"{"a":"one\ntwo\n","b":"one two"}"#),
            (
                "a: &x {b: 1}\nc: *x\nd: [*x, *x]\n",
                r#"{"a":{"b":1},"c":{"b":1},"d":[{"b":1},{"b":1}]}"#,
            ),
            ("&n name: x\n*n : y\n", "duplicate name \"name\" at line 2 column 1"),
            ("a: &n name\n*n : y\n", r#"{"a":"name","name":"y"}"#),
            (
                "1: a\ntrue: b\n~: c\n\"\\u00e9\": '@x'\n",
                r#"{"1":"a","true":"b","~":"c","é":"@x"}"#,
            ),
            ("a:\n- b:\n  - c\n", r#"{"a":[{"b":["c"]}]}"#),
            ("{}", "{}"),
            (r#"{"a":[1.50,"\/\n",null]}"#, r#"{"a":[1.50,"/\n",null]}"#),
        ] {
            assert_eq!(to_json(yaml).unwrap_or_else(|why| why), json);
        }
    }

    #[test]
    fn scalars_follow_the_core_schema_and_numbers_keep_their_literals() {
        for (scalar, json) in [
            ("1.50", "1.50"),
            ("-0", "-0"),
            ("1e3", "1e3"),
            ("6.0E-2", "6.0E-2"),
            ("10000000000000000000001", "10000000000000000000001"),
            ("+4", "4"),
            ("007", "7"),
            ("-.5", "-0.5"),
            ("5.", "5.0"),
            ("5.e1", "5.0e1"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("", "null"),
            ("~", "null"),
            ("Null", "null"),
            ("TRUE", "true"),
            ("False", "false"),
            ("!!str 4", r#""4""#),
            ("! 4", r#""4""#),
            ("!!int '4'", "4"),
            ("!!float 4", "4"),
            ("!!null ''", "null"),
            ("'4'", r#""4""#),
            ("\"null\"", r#""null""#),
            ("yes", r#""yes""#),
            ("on", r#""on""#),
            ("nUll", r#""nUll""#),
            ("2026-11-24", r#""2026-11-24""#),
            ("12:30:45", r#""12:30:45""#),
            ("1_000", r#""1_000""#),
            ("0b1", r#""0b1""#),
            ("0x", r#""0x""#),
            ("0x+1", r#""0x+1""#),
            (".", r#"".""#),
            ("1e", r#""1e""#),
            ("--1", r#""--1""#),
            ("+-1", r#""+-1""#),
            ("1.2.3", r#""1.2.3""#),
            ("1280x720", r#""1280x720""#),
            ("inf", r#""inf""#),
        ] {
            let read = to_json(&format!("a: {scalar}\n")).unwrap();
            assert_eq!(read, format!("{{\"a\":{json}}}"), "{scalar}");
            serde_json::from_str::<serde_json::Value>(&read).unwrap();
        }
    }

    #[test]
    fn yaml_that_json_cannot_express_or_that_is_ambiguous_is_refused_with_its_place() {
        for (yaml, why) in [
            ("", "it is empty"),
            ("# nothing\n", "it is empty"),
            ("- a\n", "expected an object with the fields of the request at line 1 column 1"),
            ("prompt", "expected an object with the fields of the request at line 1 column 1"),
            ("a: 1\n--- {}\n", "there is a second document at line 2 column 1"),
            ("a: 1\nb: 2\na: 3\n", "duplicate name \"a\" at line 3 column 1"),
            ("x: {a: 1, 'a': 2}\n", "duplicate name \"a\" at line 1 column 11"),
            ("a: .inf\n", "JSON has no .inf at line 1 column 4"),
            ("a: -.INF\n", "JSON has no .inf at line 1 column 4"),
            ("a: .nan\n", "JSON has no .nan at line 1 column 4"),
            ("a: !!binary aGk=\n", "the tag '!!binary' does not fit here at line 1 column 4"),
            ("a: !local x\n", "the tag '!local' does not fit here at line 1 column 4"),
            ("a: !!int four\n", "the tag '!!int' does not fit here at line 1 column 4"),
            ("a: !!set {b}\n", "the tag '!!set' does not fit here at line 1 column 4"),
            ("a: {b: 1}\n<<: *a\n", "merge keys (<<) are not supported at line 2 column 1"),
            ("? [a]\n: b\n", "a name is not a string at line 1 column 3"),
            ("a: &x 4\n*x : b\n", "a name is not a string at line 2 column 1"),
            ("a: &x [*x]\n", "an alias is inside the value that it stands for at line 1 column 8"),
            ("a: *x\n", "while parsing node, found unknown anchor at line 1 column 4"),
        ] {
            assert_eq!(to_json(yaml), Err(why.to_owned()), "{yaml}");
        }
        for yaml in
            ["a: [", "a: 'x", "a:\n\tb: c", "a: b: c", "{a: 1", "a: @x", "a: x\0b: y", "a\nb: 1"]
        {
            let why = to_json(yaml).unwrap_err();
            assert!(why.contains(" at line "), "{yaml:?}: {why}");
        }
    }

    /// Each is refused after milliseconds; without the limits the test would not end.
    #[test]
    fn documents_that_would_exhaust_the_parser_are_refused() {
        let mut laughs = String::from("a0: &a0 [ha]\n");
        for i in 1..100 {
            let alias = format!("*a{}", i - 1);
            laughs += &format!("a{i}: &a{i} [{}]\n", [alias.as_str(); 9].join(","));
        }
        let deep = |open: &str| open.repeat(LIMIT / open.len());
        for (text, why) in [
            (laughs, "it is larger than 4 MiB with its aliases"),
            (format!("a: {}", "[".repeat(90_000)), "recursion limit exceeded"),
            (format!("a: {}", "[".repeat(100)), "it is nested more than 64 deep"),
            (format!("a:\n {}", "- ".repeat(90_000)), "it is nested more than 64 deep"),
            (format!("a: {}", "{a: ".repeat(100)), "it is nested more than 64 deep"),
            (deep("["), "it has more than 100000 punctuation characters"),
            (deep("- "), "it has more than 100000 punctuation characters"),
            (deep("{,"), "it has more than 100000 punctuation characters"),
        ] {
            let refused = to_json(&text).unwrap_err();
            assert!(refused.starts_with(why), "{refused}");
        }
        for long in ["x".repeat(1 << 20), format!("\"{}\"", "é\n ".repeat(50_000))] {
            assert!(to_json(&format!("a: {long}\n")).is_ok());
        }
    }
}
