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
/// An upper bound in bytes for a piece of an escape, such as `\\ud83c\\udfac`, `%F0%9F%8E%AC` or
/// `&quot;`.
const LONGEST_ESCAPE: usize = 20;

/// The secrets of some settings, longest first.
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    pub(crate) fn new(secrets: impl Iterator<Item = String>) -> Self {
        let mut secrets: Vec<String> = secrets.filter(|secret| !secret.is_empty()).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(secrets)
    }

    /// Replaces every occurrence of each secret of 8 bytes or more: plain, as a part of a JSON
    /// string, percent-encoded or in base64, also where the text is cut within it. A shorter one is
    /// replaced where it is the whole text, a whole JSON string or the value of a line.
    pub(crate) fn redact(&self, text: String) -> String {
        let long = self.0.partition_point(|secret| secret.len() >= MIN_LEN);
        let (long, short) = self.0.split_at(long);
        if short.contains(&text) {
            return MARK.to_owned();
        }
        let mut forms = Vec::new();
        for secret in long {
            forms.append(&mut Form::all(secret));
        }
        let text = if forms.is_empty() { text } else { replace(&text, &forms) };
        if !short.is_empty() && json::is_json(&text) {
            return replace_strings(&text, &|string, _| short.contains(string)).into_owned();
        }
        let text = replace_values(&text, short);
        short
            .iter()
            .fold(text, |text, secret| text.replace(&json::quote(secret), &json::quote(MARK)))
    }

    /// Replaces the JSON strings that equal a secret of 8 bytes or more. Ids are kept: without its
    /// id a job that is paid for would be lost.
    pub(crate) fn redact_result<'a>(&self, json: &'a str) -> Cow<'a, str> {
        replace_strings(json, &|string, is_id| {
            string.len() >= MIN_LEN && !is_id && self.0.contains(string)
        })
    }
}

/// Replaces the strings of a JSON text that are secret. `is_secret` is called with the text of each
/// string, and whether it is an id.
fn replace_strings<'a>(json: &'a str, is_secret: &dyn Fn(&String, bool) -> bool) -> Cow<'a, str> {
    let (mut redacted, mut copied, mut position) = (String::new(), 0, 0);
    let mut is_id = false;
    while let Some(offset) = json[position..].find('"') {
        let start = position + offset;
        position = start + json::string_len(&json[start..]);
        let text = json::unquoted(&json[start..position]);
        let is_name = json[position..].trim_start().starts_with(':');
        if is_secret(&text, is_id && !is_name) {
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

/// Replaces the values of lines such as `name: value`, as headers and the fields of a form are
/// shown.
fn replace_values(text: &str, secrets: &[String]) -> String {
    let replaced = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        secrets.iter().any(|secret| secret == value).then(|| format!("{name}: {MARK}"))
    };
    let lines = text.split('\n').map(|line| replaced(line).unwrap_or_else(|| line.to_owned()));
    lines.collect::<Vec<_>>().join("\n")
}

fn replace(text: &str, forms: &[Form]) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut rest = text;
    // Most of a text is passed over at once, up to where a form or an escape may begin.
    let starts: Vec<char> = forms.iter().filter_map(|form| form.text.chars().next()).collect();
    let may_start = |c: char| matches!(c, '\\' | '%' | '&') || starts.contains(&c);
    while let Some(at) = rest.find(may_start) {
        redacted += &rest[..at];
        rest = &rest[at..];
        let len = forms.iter().filter_map(|form| form.len_at(rest)).max();
        let next = rest.chars().next().map_or(0, char::len_utf8);
        redacted += if len.is_some() { MARK } else { &rest[..next] };
        rest = &rest[len.unwrap_or(next)..];
    }
    redacted + rest
}

/// A secret as it may stand in a text, before JSON or a URL encodes its characters.
struct Form {
    text: String,
    /// A part of a text in base64, of which the rest is replaced too.
    is_base64: bool,
}

impl Form {
    fn all(secret: &str) -> Vec<Self> {
        let on_one_line = secret.split_whitespace().collect::<Vec<_>>().join(" ");
        // A hint quotes words for a shell.
        let in_shell = on_one_line.replace('\'', "'\\''");
        let mut texts = vec![secret.trim().to_owned(), on_one_line, in_shell];
        texts.retain(|text| !text.is_empty());
        texts.dedup();
        let mut forms: Vec<Self> =
            texts.into_iter().map(|text| Self { text, is_base64: false }).collect();
        for text in (0..3).map(|offset| base64_at(offset, secret)) {
            let url_safe = text.replace('+', "-").replace('/', "_");
            forms.push(Form { text: url_safe, is_base64: true });
            forms.push(Form { text, is_base64: true });
        }
        forms
    }

    /// The length of this form at the start of a text, if it stands there in some encoding, or as
    /// much of it as the text has before it is cut.
    fn len_at(&self, text: &str) -> Option<usize> {
        // The longest: what is a whole secret in one encoding may look cut in another.
        let len = STEPS
            .into_iter()
            .filter_map(|step| self.len_by(text, step))
            .filter(|len| *len > 0)
            .max()?;
        if !self.is_base64 {
            return Some(len);
        }
        let follows = |c: &u8| c.is_ascii_alphanumeric() || b"+/-_=".contains(c);
        Some(len + text.bytes().skip(len).take_while(follows).count())
    }

    /// The same in one encoding, of which `step` strips one character.
    fn len_by(&self, text: &str, step: Step) -> Option<usize> {
        let mut rest = text;
        let mut is_after_space = false;
        for (at, c) in self.text.char_indices() {
            let mut next = step(rest, c);
            // A message on one line has one space for several.
            while next.is_none()
                && is_after_space
                && let Some(more) = step(rest, ' ')
            {
                rest = more;
                next = step(rest, c);
            }
            is_after_space = c == ' ';
            match next {
                Some(next) => rest = next,
                None if at + 1 >= MIN_LEN => {
                    let end = text.len() - rest.len();
                    // Dots of the secret may have been found in the `...` that marks the cut.
                    let before_dots = text[..end].trim_end_matches('.').len();
                    let is_cut = text[before_dots..].starts_with("...");
                    let cut = cut_len(rest).map(|cut| end + cut);
                    return cut.or(is_cut.then_some(before_dots));
                }
                None => return None,
            }
        }
        Some(text.len() - rest.len())
    }
}

/// What servers put in place of the rest of a truncated text.
const ELLIPSES: [&str; 3] = ["...", "…", "\\u2026"];

/// The length of the rest of a truncated text, up to the ellipsis, if it is empty or a piece of an
/// escape.
fn cut_len(rest: &str) -> Option<usize> {
    let is_cut = |text: &str| text.is_empty() || ELLIPSES.iter().any(|it| text.starts_with(it));
    if is_cut(rest) {
        return Some(0);
    }
    let first = rest.bytes().next();
    let is_in_piece = |byte: &u8| match first {
        Some(b'\\' | b'%') => byte.is_ascii_hexdigit() || b"\\u%".contains(byte),
        Some(b'&') => byte.is_ascii_alphanumeric() || b"&#".contains(byte),
        _ => false,
    };
    let len = rest.bytes().take(LONGEST_ESCAPE).take_while(is_in_piece).count();
    is_cut(&rest[len..]).then_some(len)
}

/// The characters of a text in base64 that depend on the secret alone, if `offset` bytes (modulo 3)
/// stand before it.
fn base64_at(offset: usize, secret: &str) -> String {
    let bytes = [&[0; 3][..offset], secret.as_bytes()].concat();
    let encoded = STANDARD_NO_PAD.encode(&bytes);
    encoded[(offset * 8).div_ceil(6)..bytes.len() * 8 / 6].to_owned()
}

/// Strips one character of a secret from the start of a text, in some encoding.
type Step = fn(&str, char) -> Option<&str>;

/// One for each encoding.
const STEPS: [Step; 8] = [
    |text, c| text.strip_prefix(c),
    |text, c| json_step(text, c, 1),
    |text, c| json_step(text, c, 2),
    |text, c| json_step(text, c, 3),
    percent_step,
    |text, c| html_step(text, c, 0),
    |text, c| html_step(text, c, 1),
    |text, c| html_step(text, c, 2),
];

/// Inside a JSON string, where any character may be escaped. JSON inside a JSON string, as gateways
/// quote the errors of others, is escaped twice: `depth` counts how often.
fn json_step(text: &str, c: char, depth: usize) -> Option<&str> {
    let mut rest = text;
    for unit in c.encode_utf16(&mut [0; 2]) {
        let (code, after) = json_code(rest, depth)?;
        if code == u32::from(c) {
            return Some(after);
        }
        if code != u32::from(*unit) {
            return None;
        }
        rest = after;
    }
    Some(rest)
}

/// The code point at the start of a JSON string, or one half of a surrogate pair, and the rest.
fn json_code(text: &str, depth: usize) -> Option<(u32, &str)> {
    let Some(inner) = depth.checked_sub(1) else {
        let c = text.chars().next()?;
        return Some((c.into(), &text[c.len_utf8()..]));
    };
    let (code, rest) = json_code(text, inner)?;
    if code != u32::from('\\') {
        return Some((code, rest));
    }
    let (code, rest) = json_code(rest, inner)?;
    match char::from_u32(code) {
        Some('u') => {
            let (digits, rest) = rest.split_at_checked(4)?;
            Some((u32::from_str_radix(digits, 16).ok()?, rest))
        }
        // The value of a header can contain no other control character.
        Some('t') => Some(('\t'.into(), rest)),
        _ => Some((code, rest)),
    }
}

/// In a part of a URL, where any byte may be percent-encoded.
fn percent_step(text: &str, c: char) -> Option<&str> {
    if c == ' ' && text.starts_with('+') {
        return Some(&text[1..]);
    }
    if !text.starts_with('%') {
        return text.strip_prefix(c);
    }
    let mut rest = text;
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        let (digits, after) = rest.strip_prefix('%')?.split_at_checked(2)?;
        if u8::from_str_radix(digits, 16) != Ok(byte) {
            return None;
        }
        rest = after;
    }
    Some(rest)
}

/// In HTML, where a character may be a reference: `&quot;`, `&#34;` or `&#x22;`. The page may be
/// inside a JSON string: `depth` as in [`json_step`].
fn html_step(text: &str, c: char, depth: usize) -> Option<&str> {
    let (code, start) = json_code(text, depth)?;
    if code != u32::from('&') {
        return json_step(text, c, depth);
    }
    referenced(start).filter(|(known, _)| *known == c).map(|(_, rest)| rest)
}

/// The character of a reference, of which `start` is the part after the `&`, and the rest.
fn referenced(start: &str) -> Option<(char, &str)> {
    let end = start.bytes().take(LONGEST_ESCAPE).position(|byte| byte == b';')?;
    let (name, rest) = (&start[..end], &start[end + 1..]);
    let c = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let hex = number.strip_prefix(['x', 'X']);
            let (digits, radix) = hex.map_or((number, 10), |hex| (hex, 16));
            char::from_u32(u32::from_str_radix(digits, radix).ok()?)?
        }
    };
    Some((c, rest))
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
            ("  sk-topsecret ", "key:   sk-topsecret  !", "key:   [key]  !"),
            ("00000000", "video_00000000", "video_[key]"),
            (r#"a"b\c/d-12"#, r#"plain a"b\c/d-12."#, "plain [key]."),
            (r#"a"b\c/d-12"#, r#"{"k":"a\"b\\c\/d-12"}"#, r#"{"k":"[key]"}"#),
            (r#"a"b\c/d-12"#, r#"{"k":"a\"b\\c/d-12"}"#, r#"{"k":"[key]"}"#),
            (r#"a"b\c/d-12"#, r#"\u0061\u0022b\u005Cc\/d-12"#, "[key]"),
            (r#"a"b\c/d-12"#, r#""{\"k\":\"a\\\"b\\\\c/d-12\"}""#, r#""{\"k\":\"[key]\"}""#),
            (r"ab \ cd ef", r"ab\u0020\\\u0020cd  ef", "[key]"),
            ("tab\tstop é🎬", r#"tab\tstop \u00e9\ud83c\udfac"#, "[key]"),
            (r"ab\\\cd-ef", r"ab\u005c\\\u005Ccd-ef", "[key]"),
            (r"ab  \\cd-ef", r"ab\u0020\u0020\\\\cd-ef", "[key]"),
            (r"ab\\\-cd-ef", r"bad key ab\\\\\\-cd...", "bad key [key]..."),
            ("sk-topsecret", "bad key sk-topsec… is", "bad key [key]… is"),
            ("sk-topsecret", r#""bad key sk-topsec\u2026""#, r#""bad key [key]\u2026""#),
            ("sk-topsecu-ret", r"bad key \u0073k-topsec\u00…", "bad key [key]…"),
            ("sk-topsecu-ret", r"bad key \u0073k-topsec\u00...", "bad key [key]..."),
            ("sk-topsecu0-ret", r"bad key \u0073k-topsec\u00...", "bad key [key]..."),
            ("a/b+c d%12", "?key=a%2Fb%2bc%20d%2512&x", "?key=[key]&x"),
            ("a/b+c d%12", "?key=%61/b%2Bc+d%2512", "?key=[key]"),
            (r#"a\b"c<d-12"#, r#"{"e":"a\\b&quot;c\u0026lt;d-12"}"#, r#"{"e":"[key]"}"#),
            ("a&b\"c'd<e>", "<p>a&amp;b&quot;c&#39;d&lt;e&gt;</p>", "<p>[key]</p>"),
            ("a&b\"c'd<e>", "a&#x26;b&#34;c&apos;d&#x3C;e>", "[key]"),
            ("a&b;c&amp;d", "a&amp;b;c&amp;amp;d a&b;c&amp;d", "[key] [key]"),
            ("a&b\"c'd<e>", "bad key a&amp;b&quot;c&#39;d&l...", "bad key [key]..."),
            (
                "sk-topsec.ret",
                "bad key 'sk-topsec...' (see the manual)",
                "bad key '[key]...' (see the manual)",
            ),
            ("sk-topsec...ret", "bad key 'sk-topsec...'", "bad key '[key]...'"),
            ("sk-topsec...&ret", "bad key sk-topsec...%26ret", "bad key [key]"),
            ("sk-topsec...\"ret", r#""bad key sk-topsec...\"ret""#, r#""bad key [key]""#),
            ("............", ".........x", ".........x"),
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
