//! Escapes the characters of a server's text that could control a terminal, change the direction of
//! the text, or hide.

/// Whether a character controls a terminal or is invisible: control characters, directional marks,
/// separators, tags and others of no width. The two joiners are not among them, as scripts and
/// emoji need them.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// Hidden characters as visible escapes. Line breaks and tabs stay.
pub(crate) fn visible(text: &str) -> String {
    escaped(&text.replace("\r\n", "\n"), &['\n', '\t'])
}

/// Hidden characters, line breaks and tabs as visible escapes: the text stays on one line, so that
/// nothing in it appears like another line of this program.
pub(crate) fn line(text: &str) -> String {
    escaped(text, &[])
}

/// Uses JSON's escapes, so that an escaped job is still the same JSON.
fn escaped(text: &str, kept: &[char]) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) && !kept.contains(&c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                safe += &format!("\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

/// How many columns a character takes, approximately: two in East Asian scripts and for an emoji.
pub(crate) fn width(c: char) -> usize {
    if c < '\u{2e80}' { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_become_visible() {
        let text = "a\u{1b}[2J\u{7}\u{9b}b\u{202e}c\r\n\td é🎬\r";
        assert_eq!(visible(text), "a\\u001b[2J\\u0007\\u009bb\\u202ec\n\td é🎬\\u000d");
        assert_eq!(line("a\r\n\tb"), "a\\u000d\\u000a\\u0009b");
        assert_eq!(visible("\u{e0041}"), "\\udb40\\udc41");
        for c in
            "\u{ad}\u{61c}\u{180e}\u{200b}\u{200e}\u{2028}\u{2029}\u{202a}\u{2060}\u{2066}\u{feff}"
                .chars()
        {
            assert_eq!(visible(&c.to_string()), format!("\\u{:04x}", u32::from(c)));
        }
        let honest = "می\u{200c}خواهم 👨\u{200d}👩\u{200d}👧 ❤\u{fe0f} e\u{301}";
        assert_eq!(visible(honest), honest);
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(['a', 'é', '本', '🎬'].map(width), [1, 1, 2, 2]);
    }
}
