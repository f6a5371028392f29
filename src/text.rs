//! Text that comes from a server, made fit for a message.

/// How much of a server's error text is shown, in characters.
const SHOWN: usize = 512;

/// A server's text as part of a message: one line of at most 512 characters. White space is folded, so that an HTML
/// page stays readable. Control characters of other kinds are left to whoever shows it.
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
