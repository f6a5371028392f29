//! Shortens text of a server for use in a message.

/// The longest text of a server that is shown, in characters.
const SHOWN: usize = 512;

/// Shortens a text to one line of at most 512 characters, with `...` after a cut. White space is
/// collapsed, so that an HTML page stays readable. Control characters are kept: the caller escapes
/// them.
pub fn shorten(text: &str) -> String {
    let mut short = String::new();
    for (count, character) in text
        .split_whitespace()
        .flat_map(|word| [" ", word])
        .flat_map(str::chars)
        .skip(1)
        .enumerate()
    {
        if count == SHOWN {
            short.push_str("...");
            break;
        }
        short.push(character);
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_at_512_characters() {
        let shown = shorten(&"é ".repeat(5000));
        assert_eq!(shown.chars().count(), SHOWN + 3);
        assert!(shown.ends_with("..."));
    }
}
