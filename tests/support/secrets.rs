//! Secrets, the encodings in which servers echo them, and whether a text reveals one.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::random::Random;

/// From this length on, in bytes, every occurrence of a secret is redacted.
pub const LONG: usize = 8;

const ALPHABETS: [&str; 5] = [
    "0123456789",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.",
    "abcXYZ0189\"\\%'/+&=<>{}[]:;,",
    "abcXYZ0189  \"\\%",
    "abcXYZ0189 \"\\%\u{e9}\u{fc}\u{1f3ac}",
];

/// A secret of `LONG` to 48 bytes: digits, letters, or with characters that encodings escape.
pub fn secret(random: &mut Random) -> String {
    let alphabet = ALPHABETS[random.below(ALPHABETS.len())];
    let more = [4, 41][random.below(2)];
    let length = LONG + random.below(more);
    text(random, alphabet, length)
}

/// A secret that is shorter than `LONG`.
pub fn short_secret(random: &mut Random) -> String {
    let alphabet = ALPHABETS[random.below(ALPHABETS.len() - 1)];
    let length = 1 + random.below(LONG - 1);
    text(random, alphabet, length)
}

/// A text of these characters without a space at its ends.
fn text(random: &mut Random, alphabet: &str, length: usize) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    let mut text: Vec<char> = (0..length).map(|_| alphabet[random.below(alphabet.len())]).collect();
    for end in [0, length - 1] {
        if text[end] == ' ' {
            text[end] = 'x';
        }
    }
    text.into_iter().collect()
}

/// The secret as a server may write it: in an error, a URL, a header or a job.
pub fn echo(secret: &str, random: &mut Random) -> String {
    let inside = |text: &str| {
        let quoted = serde_json::to_string(text).expect("a string");
        quoted[1..quoted.len() - 1].to_owned()
    };
    match random.below(11) {
        0 => secret.to_owned(),
        1 => inside(secret),
        2 => inside(&inside(secret)),
        3 => escaped(secret, random),
        4 => inside(&escaped(secret, random)),
        5 => secret.bytes().map(|byte| format!("%{byte:02X}")).collect(),
        6 => percent_encoded(secret, random),
        7 => STANDARD.encode(format!("Bearer {secret}")),
        8 => {
            let before = "user:pass"[..random.below(9)].to_owned();
            URL_SAFE_NO_PAD.encode(before + secret + &"tail"[..random.below(4)])
        }
        9 => in_html(secret, random),
        // As a message on one line has it.
        _ => secret.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// The inside of a JSON string in which any character may be escaped.
fn escaped(secret: &str, random: &mut Random) -> String {
    let units = |c: char| c.encode_utf16(&mut [0; 2]).to_vec();
    let mut escape = |c: char| match (random.below(3), c) {
        (0, _) => units(c).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        (1, _) => units(c).iter().map(|unit| format!("\\u{unit:04X}")).collect(),
        (_, '"' | '\\') => format!("\\{c}"),
        _ => c.to_string(),
    };
    secret.chars().map(&mut escape).collect()
}

/// The characters that HTML and servers write as a name, with these names.
const ENTITIES: [(&str, char); 5] =
    [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\'')];

fn in_html(secret: &str, random: &mut Random) -> String {
    let mut escape = |c: char| {
        let name = ENTITIES.iter().find(|(_, known)| *known == c).map(|(name, _)| *name);
        match (name, random.below(3)) {
            (Some(name), 0) => format!("&{name};"),
            (Some(_), 1) => format!("&#{};", u32::from(c)),
            (Some(_), _) => format!("&#x{:x};", u32::from(c)),
            (None, _) => c.to_string(),
        }
    };
    secret.chars().map(&mut escape).collect()
}

fn html_decoded(text: &str) -> String {
    let mut decoded = text.to_owned();
    for (name, c) in ENTITIES.into_iter().rev() {
        let code = u32::from(c);
        for reference in [format!("&{name};"), format!("&#{code};"), format!("&#x{code:x};")] {
            decoded = decoded.replace(&reference, &c.to_string());
        }
    }
    decoded
}

fn percent_encoded(secret: &str, random: &mut Random) -> String {
    let mut encode = |byte: u8| {
        let is_plain = byte.is_ascii_alphanumeric() && random.below(4) > 0;
        if is_plain { char::from(byte).to_string() } else { format!("%{byte:02x}") }
    };
    secret.bytes().map(&mut encode).collect()
}

/// Whether a text has 8 characters or more of the secret, in any of the encodings.
pub fn reveals(text: &str, secret: &str) -> bool {
    let secret: Vec<char> = secret.chars().collect();
    let parts: Vec<String> = secret.windows(LONG).map(String::from_iter).collect();
    let folded: Vec<&str> = text.split_whitespace().collect();
    let mut decoded = vec![text.to_owned(), folded.join(" ")];
    decoded.push(unescaped(text));
    decoded.push(unescaped(&unescaped(text)));
    decoded.push(unescaped(&unescaped(&unescaped(text))));
    decoded.push(percent_decoded(text));
    decoded.push(html_decoded(text));
    decoded.extend(base64_decoded(text));
    decoded.iter().any(|text| parts.iter().any(|part| text.contains(part.as_str())))
}

/// The text with the escapes of JSON strings decoded.
fn unescaped(text: &str) -> String {
    let mut units: Vec<u16> = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let hex = rest.strip_prefix("\\u").and_then(|rest| rest.get(..4));
        if let Some(unit) = hex.and_then(|hex| u16::from_str_radix(hex, 16).ok()) {
            units.push(unit);
            rest = &rest[6..];
        } else {
            rest = &rest[c.len_utf8()..];
            let next = rest.chars().next().filter(|_| c == '\\');
            units.extend(next.unwrap_or(c).encode_utf16(&mut [0; 2]).iter());
            rest = &rest[next.map_or(0, char::len_utf8)..];
        }
    }
    String::from_utf16_lossy(&units)
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match hex.filter(|_| bytes[at] == b'%') {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The words of the text, decoded from base64 at each of the four possible starts of a group.
fn base64_decoded(text: &str) -> Vec<String> {
    let is_in = |c: char| c.is_ascii_alphanumeric() || "+/-_".contains(c);
    let words = text.split(|c| !is_in(c)).filter(|word| word.len() >= LONG);
    let mut decoded = Vec::new();
    for word in words {
        let word = word.replace('+', "-").replace('/', "_");
        for start in 0..4 {
            let groups = &word[start..start + (word.len() - start) / 4 * 4];
            let bytes = URL_SAFE_NO_PAD.decode(groups).unwrap_or_default();
            decoded.push(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    decoded
}
