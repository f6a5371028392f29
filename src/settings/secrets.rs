//! Finds secrets in text and replaces them. Servers echo them in errors, and users put them into
//! URLs.
//!
//! Diagnostics (`--debug` output, errors, previews) and results are treated differently. A
//! diagnostic never shows a secret, in whatever encoding and between whatever other text. A result
//! is data that programs work with: an id or a number that happens to contain the digits of a key
//! must arrive unchanged.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::json;

/// The text in the place of a secret.
const MARK: &str = "[key]";
/// Secrets shorter than this many bytes are replaced only where they are a whole value: they occur
/// in other text by chance.
const MIN_LEN: usize = 8;

/// The secrets of some settings, longest first.
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    pub(crate) fn new(secrets: impl Iterator<Item = String>) -> Self {
        let mut secrets: Vec<String> = secrets.filter(|secret| !secret.is_empty()).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(secrets)
    }

    /// Replaces every occurrence of each secret of 8 bytes or more: plain, as a part of a JSON
    /// string, percent-encoded or in base64. A shorter one is replaced where it is the whole text
    /// or a whole JSON string.
    pub(crate) fn redact(&self, text: String) -> String {
        let long = self.0.partition_point(|secret| secret.len() >= MIN_LEN);
        let (long, short) = self.0.split_at(long);
        if short.contains(&text) {
            return MARK.to_owned();
        }
        let forms: Vec<Form> = long.iter().flat_map(|secret| Form::all(secret)).collect();
        let text = if forms.is_empty() { text } else { replace(&text, &forms) };
        short
            .iter()
            .fold(text, |text, secret| text.replace(&json::quote(secret), &json::quote(MARK)))
    }

    /// Replaces the JSON strings that equal a secret of 8 bytes or more. Ids are kept: without its
    /// id a job that is paid for would be lost.
    pub(crate) fn redact_result<'a>(&self, json: &'a str) -> Cow<'a, str> {
        let is_secret = |text: &str| text.len() >= MIN_LEN && self.0.iter().any(|one| one == text);
        let (mut redacted, mut copied, mut position) = (String::new(), 0, 0);
        let mut is_id = false;
        while let Some(offset) = json[position..].find('"') {
            let start = position + offset;
            position = start + json::string_len(&json[start..]);
            let text = json::unquoted(&json[start..position]);
            let is_name = json[position..].trim_start().starts_with(':');
            if is_secret(&text) && (is_name || !is_id) {
                redacted.extend([&json[copied..start], &json::quote(MARK)]);
                copied = position;
            }
            if is_name {
                is_id = text == "id" || text.ends_with("_id");
            }
        }
        if copied == 0 {
            return Cow::Borrowed(json);
        }
        redacted += &json[copied..];
        Cow::Owned(redacted)
    }
}

fn replace(text: &str, forms: &[Form]) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        match forms.iter().find_map(|form| form.len_at(rest)) {
            Some(len) => {
                redacted += MARK;
                rest = &rest[len..];
            }
            None => {
                redacted.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    redacted
}

/// A secret as it may stand in a text, before JSON or a URL encodes its characters.
struct Form {
    text: String,
    /// A part of a text in base64, of which the rest is replaced too.
    is_base64: bool,
}

impl Form {
    fn all(secret: &str) -> Vec<Self> {
        let plain = |text: &str| Form { text: text.to_owned(), is_base64: false };
        let mut forms = vec![plain(secret)];
        // JSON inside a JSON string, as gateways quote the errors of others, is escaped twice.
        let quoted = json::quote(secret);
        let escaped = &quoted[1..quoted.len() - 1];
        if escaped != secret {
            forms.push(plain(escaped));
        }
        for text in (0..3).map(|offset| base64_at(offset, secret)) {
            let url_safe = text.replace('+', "-").replace('/', "_");
            forms.push(Form { text: url_safe, is_base64: true });
            forms.push(Form { text, is_base64: true });
        }
        forms
    }

    /// The length of this form at the start of a text, if it stands there in some encoding.
    fn len_at(&self, text: &str) -> Option<usize> {
        let len = text
            .starts_with(&self.text)
            .then_some(self.text.len())
            .or_else(|| json_len(text, &self.text))
            .or_else(|| percent_len(text, &self.text))?;
        let follows = |c: &u8| c.is_ascii_alphanumeric() || b"+/-_=".contains(c);
        let more = text.bytes().skip(len).take_while(follows).count();
        Some(if self.is_base64 { len + more } else { len })
    }
}

/// The characters of a text in base64 that depend on the secret alone, if `offset` bytes (modulo 3)
/// stand before it.
fn base64_at(offset: usize, secret: &str) -> String {
    let bytes = [&[0; 3][..offset], secret.as_bytes()].concat();
    let encoded = STANDARD_NO_PAD.encode(&bytes);
    encoded[(offset * 8).div_ceil(6)..bytes.len() * 8 / 6].to_owned()
}

/// The length of `secret` at the start of the inside of a JSON string, where any character may be
/// escaped.
fn json_len(text: &str, secret: &str) -> Option<usize> {
    let mut rest = text;
    for c in secret.chars() {
        rest = match rest.strip_prefix('\\') {
            Some(escape) => strip_escape(escape, c)?,
            None => rest.strip_prefix(c)?,
        };
    }
    Some(text.len() - rest.len())
}

/// Strips the characters after the backslash where JSON escapes `c`: `"`, `t`, `u00e9` or
/// `ud83c\udfac`, say.
fn strip_escape(escape: &str, c: char) -> Option<&str> {
    let Some(mut rest) = escape.strip_prefix('u') else {
        return escape.strip_prefix(if c == '\t' { 't' } else { c });
    };
    for (index, unit) in c.encode_utf16(&mut [0; 2]).iter().enumerate() {
        if index > 0 {
            rest = rest.strip_prefix("\\u")?;
        }
        let (digits, after) = rest.split_at_checked(4)?;
        if u16::from_str_radix(digits, 16) != Ok(*unit) {
            return None;
        }
        rest = after;
    }
    Some(rest)
}

/// The length of `secret` at the start of a part of a URL, where any byte may be percent-encoded.
fn percent_len(text: &str, secret: &str) -> Option<usize> {
    let mut rest = text.as_bytes();
    for byte in secret.bytes() {
        rest = match rest {
            [b'%', high, low, rest @ ..] => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                (digit(*high)? * 16 + digit(*low)? == u32::from(byte)).then_some(rest)?
            }
            [b'+', rest @ ..] if byte == b' ' => rest,
            [first, rest @ ..] if *first == byte => rest,
            _ => return None,
        };
    }
    Some(text.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redact(secret: &str, text: &str) -> String {
        Secrets::new([secret.to_owned()].into_iter()).redact(text.to_owned())
    }

    #[test]
    fn a_secret_is_redacted_in_every_encoding_and_between_any_text() {
        for (secret, text, shown) in [
            ("sk-topsecret", "bad key sk-topsecret!", "bad key [key]!"),
            ("sk-topsecret", "xsk-topsecretsk-topsecrety", "x[key][key]y"),
            ("My API Key", "My API Key", "[key]"),
            ("anything", "anything goes", "[key] goes"),
            ("00000000", "video_00000000", "video_[key]"),
            (r#"a"b\c/d-12"#, r#"plain a"b\c/d-12."#, "plain [key]."),
            (r#"a"b\c/d-12"#, r#"{"k":"a\"b\\c\/d-12"}"#, r#"{"k":"[key]"}"#),
            (r#"a"b\c/d-12"#, r#"{"k":"a\"b\\c/d-12"}"#, r#"{"k":"[key]"}"#),
            (r#"a"b\c/d-12"#, r#"\u0061\u0022b\u005Cc\/d-12"#, "[key]"),
            (r#"a"b\c/d-12"#, r#""{\"k\":\"a\\\"b\\\\c/d-12\"}""#, r#""{\"k\":\"[key]\"}""#),
            ("tab\tstop é🎬", r#"tab\tstop \u00e9\ud83c\udfac"#, "[key]"),
            ("a/b+c d%12", "?key=a%2Fb%2bc%20d%2512&x", "?key=[key]&x"),
            ("a/b+c d%12", "?key=%61/b%2Bc+d%2512", "?key=[key]"),
            ("sk-topsecret", "c2stdG9wc2VjcmV0", "[key]"),
            ("sk-topsecre", "Basic c2stdG9wc2VjcmU=", "Basic [key]"),
            // base64("u:sk-topsecret"), base64("us:sk-topsecret") and a form for URLs.
            ("sk-topsecret", "dTpzay10b3BzZWNyZXQ=", "dTp[key]"),
            ("sk-topsecret", "dXM6c2stdG9wc2VjcmV0", "dXM6[key]"),
            ("~~~???~~~", "fn5-Pz8_fn5-", "[key]"),
            ("~~~???~~~", r#""fn5+Pz8\/fn5+""#, r#""[key]""#),
            ("~~~???~~~", "fn5%2BPz8%2Ffn5%2B", "[key]"),
        ] {
            assert_eq!(redact(secret, text), shown, "{secret}: {text}");
        }
    }

    #[test]
    fn base64_is_found_behind_any_other_bytes() {
        let secret = "sk-topsecret";
        for before in 0..7 {
            for after in 0..4 {
                let text = format!("{}{secret}{}", "x".repeat(before), "y".repeat(after));
                let encoded = STANDARD_NO_PAD.encode(text);
                let shown = redact(secret, &format!("<{encoded}>"));
                let whole = before * 8 / 6 + 1;
                assert!(shown.ends_with("[key]>") && shown.len() <= whole + 8, "{shown}");
            }
        }
    }

    #[test]
    fn a_short_secret_is_redacted_only_as_a_whole_value() {
        for (secret, text, shown) in [
            ("abc", "abc", "[key]"),
            ("abc", "abcd abc", "abcd abc"),
            ("abc", r#"{"abcd":"abc","n":"xabc"}"#, r#"{"abcd":"[key]","n":"xabc"}"#),
            ("1234567", "1234567.0", "1234567.0"),
            ("", "", ""),
        ] {
            assert_eq!(redact(secret, text), shown);
        }
    }

    #[test]
    fn in_a_result_only_whole_strings_other_than_ids_are_redacted() {
        let secrets =
            Secrets::new(["00000000", "k\"1/234567", "short"].map(str::to_owned).into_iter());
        for (json, shown) in [
            (r#"{"echo":"00000000"}"#, r#"{"echo":"[key]"}"#),
            (r#"{"00000000": ["00000000", 1]}"#, r#"{"[key]": ["[key]", 1]}"#),
            (r#"{"a":"k\"1\/234567","b":"\u006b\"1/234567"}"#, r#"{"a":"[key]","b":"[key]"}"#),
            (r#""00000000""#, r#""[key]""#),
        ] {
            assert_eq!(secrets.redact_result(json), shown);
        }
        for json in [
            r#"{"id":"video_00000000","n":100000000,"a":"short","b":"x00000000"}"#,
            r#"{"id":"00000000","remixed_from_video_id" : "00000000"}"#,
            r#"{"data":[{"task_id":"00000000"}],"n":00000000}"#,
            "00000000",
            "\"",
            "",
        ] {
            assert!(matches!(secrets.redact_result(json), Cow::Borrowed(_)), "{json}");
        }
    }
}
