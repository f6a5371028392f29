//! The layout of JSON: indented, on one line, in colours. Order, number literals and unknown
//! members stay as the server wrote them; only the white space between them changes.

use openai_videos::json::{compact, string_len};

/// JSON that is nested deeper, or longer in bytes, is not indented. Jobs have a level or three and
/// a few hundred bytes; indentation would multiply the size of a response made for that.
pub(crate) const LEVELS: usize = 8;
pub(crate) const LONGEST: usize = 1 << 20;

const KEY: &str = "\u{1b}[1;34m";
const STRING: &str = "\u{1b}[32m";
const NUMBER: &str = "\u{1b}[33m";
const WORD: &str = "\u{1b}[36m";
const PLAIN: &str = "\u{1b}[0m";

/// The tokens of a JSON text, without the white space between them. Any other text is split into
/// pieces as well.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.0.trim_start();
        let len = match rest.bytes().next()? {
            b'"' => string_len(rest),
            b'{' | b'}' | b'[' | b']' | b',' | b':' => 1,
            _ => {
                let ends = |c: char| c.is_whitespace() || ",:]}".contains(c);
                rest.find(ends).unwrap_or(rest.len())
            }
        };
        let (token, after) = rest.split_at(len);
        self.0 = after;
        Some(token)
    }
}

/// How deep arrays and objects are nested.
pub(crate) fn depth(json: &str) -> usize {
    let (mut level, mut deepest) = (0_usize, 0);
    for token in Tokens(json) {
        match token {
            "{" | "[" => level += 1,
            "}" | "]" => level = level.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(level);
    }
    deepest
}

/// The length in bytes of the longest string, with its quotation marks.
pub(crate) fn longest_string(json: &str) -> usize {
    Tokens(json).filter(|token| token.starts_with('"')).map(str::len).max().unwrap_or(0)
}

/// A line for each value, with short arrays on one; all on one line if it is nested deeper than
/// [`LEVELS`] or longer than [`LONGEST`].
pub(crate) fn indented(json: &str) -> String {
    if json.len() > LONGEST || depth(json) > LEVELS {
        return compact(json);
    }
    let mut text = gjson::tools::pretty(json);
    text.pop();
    text
}

/// JSON with the colours of a terminal.
pub(crate) fn paint(json: &str) -> String {
    let mut painted = String::with_capacity(json.len() * 2);
    let mut tokens = Tokens(json);
    loop {
        let rest = tokens.0;
        let Some(token) = tokens.next() else {
            return painted + rest;
        };
        let space = rest.len() - token.len() - tokens.0.len();
        let colour = match token.as_bytes()[0] {
            b'"' if tokens.0.starts_with(':') => KEY,
            b'"' => STRING,
            b'-' | b'0'..=b'9' => NUMBER,
            b't' | b'f' | b'n' => WORD,
            _ => "",
        };
        let plain = if colour.is_empty() { "" } else { PLAIN };
        painted.extend([&rest[..space], colour, token, plain]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value inside this many arrays.
    fn nested(depth: usize, value: &str) -> String {
        format!("{}{value}{}", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn a_line_for_each_value_and_short_arrays_on_one() {
        for (json, text) in [
            (" 1 ", "1"),
            ("{ }", "{}"),
            (r#"[{}]"#, "[\n  {}\n]"),
            (
                r#"{"a":{"b":[],"c":[ ]},"d":["x]\",",[1.50,null]],"e":[{"f":true}]}"#,
                "{\n  \"a\": {\n    \"b\": [],\n    \"c\": []\n  },\n  \
                 \"d\": [\"x]\\\",\", [1.50, null]],\n  \
                 \"e\": [\n    {\n      \"f\": true\n    }\n  ]\n}",
            ),
        ] {
            assert_eq!(indented(json), text);
            let bare: String = text.split(['\n', ' ']).collect();
            assert_eq!(compact(text), bare);
        }
        // Of 80 columns the line takes 8 before the second array, and a comma may follow.
        for (before, len, after, lines) in
            [("", 76, "", 1), ("", 77, "", 3), ("{\"ab\":", 67, "}", 3), ("{\"ab\":", 68, "}", 5)]
        {
            let text = indented(&format!("{before}[\"{}\"]{after}", "a".repeat(len)));
            assert_eq!(text.lines().count(), lines, "{text}");
        }
    }

    #[test]
    fn deep_or_long_json_stays_on_one_line() {
        let ones = vec!["1"; 10_000].join(",");
        for depth in [LEVELS, LEVELS + 1, 490, 100_000] {
            let json = nested(depth, &ones);
            let text = indented(&json);
            assert!(text.len() < json.len() * 12, "{depth}: {}", text.len());
            assert_eq!(compact(&text), json);
        }
        let deepest = nested(LEVELS - 1, "{\"a\":1}");
        assert!(indented(&deepest).contains("\n              {\n                \"a\": 1\n"));
        let deeper = nested(LEVELS, "{\"a\":1}");
        assert_eq!(indented(&deeper), deeper);
        let long = format!("[{}1]", "1,".repeat(600_000));
        assert_eq!(indented(&long), long);
    }

    #[test]
    fn depth_ignores_brackets_in_strings() {
        for (json, levels) in
            [("1", 0), ("[]", 1), (r#"{"[{":"[\"["}"#, 1), (r#"[[],{"a":[1]}]"#, 3)]
        {
            assert_eq!(depth(json), levels, "{json}");
        }
        assert_eq!(depth(&nested(1_000_000, "")), 1_000_000);
    }

    #[test]
    fn paint_only_adds_colours() {
        let json = r#"{"k\\": "v\",", "n": -1.5e3, "t": [true, null], "e": {}}"#;
        let painted = paint(json);
        assert_eq!(
            painted,
            [
                format!(r#"{{{KEY}"k\\"{PLAIN}: {STRING}"v\","{PLAIN}, "#),
                format!(r#"{KEY}"n"{PLAIN}: {NUMBER}-1.5e3{PLAIN}, "#),
                format!(r#"{KEY}"t"{PLAIN}: [{WORD}true{PLAIN}, {WORD}null{PLAIN}], "#),
                format!(r#"{KEY}"e"{PLAIN}: {{}}}}"#),
            ]
            .concat()
        );
        // Text that is not JSON is kept as well.
        for odd in ["\"", "\"\\", "t", "-", "}\"a", " é\u{1f3ac} \n", "]]", ",,[", "a\"b"] {
            let plain = [KEY, STRING, NUMBER, WORD, PLAIN]
                .iter()
                .fold(paint(odd), |text, code| text.replace(code, ""));
            assert_eq!(plain, odd);
        }
    }
}
