//! Converts the short form of an object that people type in a shell, `{id: video_123}`, to JSON. It
//! is the subset of YAML's flow style that the official command line takes: bare or quoted keys and
//! values, and nested objects.

use serde_json::value::RawValue;

use crate::json;

/// Objects nested deeper are refused. No request needs it; the bound limits the recursion.
const DEPTH: usize = 16;

/// Returns the JSON text of an object that is written as JSON or in the short form.
///
/// A bare value that is a number, `true`, `false` or `null` in JSON keeps that type; any other one
/// is a string up to the next comma or closing brace.
///
/// # Errors
/// A sentence that names the missing part, and its place.
pub(crate) fn to_json(text: &str) -> Result<String, String> {
    let text = text.trim();
    if json::Object::parse(text).is_ok() {
        return Ok(text.to_owned());
    }
    let mut reader = Reader { rest: text };
    let json = reader.object(DEPTH)?;
    match reader.rest.trim_start() {
        "" => Ok(json),
        rest => Err(format!("there is more after its end: '{rest}'")),
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn object(&mut self, depth: usize) -> Result<String, String> {
        if depth == 0 {
            return Err(format!("it is nested more than {DEPTH} deep"));
        }
        if !self.take('{') {
            return Err("it does not start with '{'".to_owned());
        }
        let mut json = String::from("{");
        while !self.take('}') {
            if json.len() > 1 {
                json.push(',');
            }
            let key = self.token(&[':', ',', '{', '}'])?;
            if !self.take(':') {
                return Err(format!("there is no ':' after {}", key.json()));
            }
            json.push_str(&json::quote(&key.text));
            json.push(':');
            self.skip_space();
            if self.rest.starts_with('{') {
                json.push_str(&self.object(depth - 1)?);
            } else if self.rest.starts_with('[') {
                // Otherwise the list would be sent as a string.
                return Err(format!(
                    "with a list, as after {}, the whole has to be JSON",
                    key.json()
                ));
            } else {
                json.push_str(&self.token(&[',', '{', '}'])?.json());
            }
            if !self.take(',') && !self.next_is('}') {
                return Err(format!("there is no ',' or '}}' after {}", key.json()));
            }
        }
        json.push('}');
        Ok(json)
    }

    /// Reads a quoted text, or a bare one up to one of `ends`.
    fn token(&mut self, ends: &[char]) -> Result<Token, String> {
        self.skip_space();
        match self.rest.chars().next() {
            Some('"') => {
                let mut values =
                    serde_json::Deserializer::from_str(self.rest).into_iter::<&RawValue>();
                let Some(Ok(literal)) = values.next() else {
                    return Err(format!("the quoted text at '{}' is broken", self.rest));
                };
                self.rest = &self.rest[values.byte_offset()..];
                Ok(Token { text: json::unquoted(literal.get()), quoted: true })
            }
            Some('\'') => {
                let Some((text, rest)) = self.rest[1..].split_once('\'') else {
                    return Err(format!("a closing ' is missing after '{}'", &self.rest[1..]));
                };
                self.rest = rest;
                Ok(Token { text: text.to_owned(), quoted: true })
            }
            _ => {
                let end = self.rest.find(ends).unwrap_or(self.rest.len());
                let (text, rest) = self.rest.split_at(end);
                self.rest = rest;
                match text.trim_end() {
                    "" if rest.is_empty() => Err("a closing '}' is missing".to_owned()),
                    "" => Err(format!("a key or a value is missing before '{rest}'")),
                    text => Ok(Token { text: text.to_owned(), quoted: false }),
                }
            }
        }
    }

    fn take(&mut self, expected: char) -> bool {
        let found = self.next_is(expected);
        if found {
            self.rest = &self.rest[expected.len_utf8()..];
        }
        found
    }

    fn next_is(&mut self, expected: char) -> bool {
        self.skip_space();
        self.rest.starts_with(expected)
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }
}

struct Token {
    text: String,
    quoted: bool,
}

impl Token {
    fn json(&self) -> String {
        if !self.quoted && !self.text.starts_with(['"', '[', '{']) && json::is_json(&self.text) {
            self.text.clone()
        } else {
            json::quote(&self.text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_taken_as_it_is() {
        let text = r#"{"id":  "video_123", "n": 1.0}"#;
        assert_eq!(to_json(text).as_deref(), Ok(text));
    }

    #[test]
    fn the_short_form_becomes_json() {
        for (short, json) in [
            ("{id: video_123}", r#"{"id":"video_123"}"#),
            (" { id:video_123 , } ", r#"{"id":"video_123"}"#),
            ("{id: 'a, b'}", r#"{"id":"a, b"}"#),
            (r#"{"id": video_1, 'k': "q\n"}"#, r#"{"id":"video_1","k":"q\n"}"#),
            ("{url: https://x.example/a?b=c:d}", r#"{"url":"https://x.example/a?b=c:d"}"#),
            (
                "{n: 1.50, t: true, z: null, s: '5', v: 5s}",
                r#"{"n":1.50,"t":true,"z":null,"s":"5","v":"5s"}"#,
            ),
            ("{a: {b: c}}", r#"{"a":{"b":"c"}}"#),
            ("{id: ünï 🎬}", r#"{"id":"ünï 🎬"}"#),
            ("{}", "{}"),
        ] {
            assert_eq!(to_json(short).as_deref(), Ok(json), "{short}");
        }
    }

    #[test]
    fn a_syntax_error_is_named_with_its_place() {
        for (text, reason) in [
            ("{id: video_123", "there is no ',' or '}' after \"id\""),
            ("{id video_123}", "there is no ':' after \"id video_123\""),
            ("{id: }", "a key or a value is missing before '}'"),
            ("{: x}", "a key or a value is missing before ': x}'"),
            ("{", "a closing '}' is missing"),
            ("{id: 'x}", "a closing ' is missing after 'x}'"),
            ("{\"id: x}", "the quoted text at '\"id: x}' is broken"),
            ("{id: x} y", "there is more after its end: 'y'"),
            ("{ids: [a]}", "with a list, as after \"ids\", the whole has to be JSON"),
            ("{id: x {}", "there is no ',' or '}' after \"id\""),
        ] {
            assert_eq!(to_json(text), Err(reason.to_owned()), "{text}");
        }
        assert!(to_json(&"{a:".repeat(10_000)).is_err());
    }
}
