//! Properties of the redaction of secrets: a diagnostic contains none, however a server echoes it;
//! in a result, which is data, only whole strings are replaced.

#[path = "../support/secrets.rs"]
mod secrets;

use super::suite::cases;
use super::suite::random::{self, Random};
use crate::{ApiKey, BaseUrl, Header, Proxy, Settings};

use secrets::{LONG, echo, reveals, secret, short_secret};

const COUNT: u64 = 1000;
/// The text in the place of a secret.
const MARK: &str = "[key]";

/// Settings that hold a secret in one of the places for one.
fn settings(secret: &str, random: &mut Random) -> Settings {
    let mut settings = Settings::new(BaseUrl::new("https://videos.example/v1").unwrap());
    let header = |line: String| Header::parse(&line).unwrap();
    match random.below(5) {
        0 if secret.is_ascii() => settings.api_key = Some(ApiKey::new(secret).unwrap()),
        1 if secret.is_ascii() => {
            settings.headers.push(header(format!("Authorization: Bearer {secret}")))
        }
        2 => settings.headers.push(header(format!("X-Region: {secret}")).secret()),
        3 => {
            let encoded: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let url = format!("http://user:{encoded}@proxy.example");
            settings.proxies.https = Some(Proxy::new(&url).unwrap());
        }
        _ => settings.headers.push(header(format!("X-Api-Key: {secret}"))),
    }
    settings
}

/// Words that cannot be a part of an encoded secret.
fn words(random: &mut Random) -> String {
    let word =
        |random: &mut Random| ["invalid", "key:", "4711", "é", "v_1", "<p>"][random.below(6)];
    (0..1 + random.below(4)).map(|_| word(random).to_owned() + " ").collect()
}

/// A text that contains the secret in some encoding.
fn text_with(secret: &str, random: &mut Random) -> String {
    let mut text = words(random);
    for _ in 0..1 + random.below(2) {
        let [before, after] = [["", "\"", "'", "\n", ":"], ["", "\"", "'", "\n", "!"]]
            .map(|ends| ends[random.below(5)]);
        text += &format!("{before}{}{after} {}", echo(secret, random), words(random));
    }
    text
}

#[test]
fn a_diagnostic_contains_no_secret() {
    cases(COUNT, |random| {
        let secret = secret(random);
        let settings = settings(&secret, random);
        let text = text_with(&secret, random);
        let shown = settings.redact(text.clone());
        assert!(!reveals(&shown, &secret), "{secret}\n{text}\n{shown}");
        let shown = format!("{settings:?}");
        assert!(!reveals(&shown, &secret), "{secret}\n{shown}");
    });
}

/// The text before the piece of an escape at its end, such as `\u00`, `%2` or `&quot`, which can
/// look like characters of the secret.
fn before_piece(text: &str) -> &str {
    let start = text.rfind(['\\', '%', '&']).filter(|start| text.len() - start < 7);
    text[..start.unwrap_or(text.len())].trim_end_matches('\\')
}

#[test]
fn a_diagnostic_truncated_within_a_secret_contains_no_part_of_it() {
    cases(COUNT, |random| {
        let secret = secret(random);
        let settings = settings(&secret, random);
        let mut text = words(random) + &echo(&secret, random);
        let length = text.chars().count();
        text = text.chars().take(length - random.below(length.min(20))).collect();
        let end = ["", "...", "...' ended\n"][random.below(3)];
        text += end;
        let shown = settings.redact(text.clone());
        let before_cut = before_piece(shown.strip_suffix(end).unwrap_or(&shown));
        assert!(!reveals(before_cut, &secret), "{secret}\n{text}\n{shown}");
    });
}

#[test]
fn a_diagnostic_without_the_secret_is_unchanged() {
    cases(COUNT, |random| {
        let (secret, other) = (secret(random), secret(random));
        let text = text_with(&other, random);
        // The longer parts of a header's value are secrets, too. Base64 has only some bits of the
        // first and the last character in digits of their own.
        let parts = secret.split([' ', ';', ',', '=', '"']).filter(|part| part.len() >= LONG);
        let is_in_other = |part: &str| {
            let mut inner = part.chars();
            inner.next();
            inner.next_back();
            other.contains(inner.as_str())
        };
        if !parts.chain([secret.as_str()]).any(is_in_other) {
            assert_eq!(settings(&secret, random).redact(text.clone()), text, "{secret}");
        }
    });
}

#[test]
fn a_short_secret_is_redacted_only_as_a_whole_value() {
    cases(COUNT, |random| {
        let secret = short_secret(random);
        let settings = settings(&secret, random);
        assert_eq!(settings.redact(secret.clone()), MARK);
        let quoted = serde_json::to_string(&secret).unwrap();
        let around = |value: &str| format!(r#"{{"the_whole":{value},"at_the_start":"{secret}x"}}"#);
        let (text, shown) = (around(&quoted), around(&format!("\"{MARK}\"")));
        assert_eq!(settings.redact(text), shown, "{secret}");
    });
}

/// A member of an object, and as it is shown.
fn member(secret: &str, random: &mut Random) -> (String, String) {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let same = |text: String| (text.clone(), text);
    match random.below(6) {
        0 => (format!("\"echo\": {}", quoted(secret)), format!("\"echo\": \"{MARK}\"")),
        1 => same(format!("\"id\":{}", quoted(secret))),
        2 => same(format!("\"text\" : {}", quoted(&text_with(secret, random)))),
        3 => same(format!("\"n\":{}", random.next())),
        4 if secret.bytes().all(|byte| byte.is_ascii_digit()) => same(format!("\"n\":1{secret}")),
        4 => same(format!("\"remixed_from_video_id\":{}", quoted(secret))),
        _ => {
            let (members, shown) = members(secret, random);
            (format!("\"in\":{{{members}}}"), format!("\"in\":{{{shown}}}"))
        }
    }
}

fn members(secret: &str, random: &mut Random) -> (String, String) {
    let (members, shown): (Vec<_>, Vec<_>) =
        (0..random.below(4)).map(|_| member(secret, random)).unzip();
    (members.join(","), shown.join(","))
}

#[test]
fn only_whole_strings_of_a_result_are_redacted() {
    cases(COUNT, |random| {
        let is_long = random.below(4) > 0;
        let secret = if is_long { secret(random) } else { short_secret(random) };
        let settings = settings(&secret, random);
        let (members, mut shown) = members(&secret, random);
        if !is_long {
            shown = members.clone();
        }
        let (result, shown) = (format!("{{{members}}}"), format!("{{{shown}}}"));
        assert_eq!(settings.redact_result(&result), shown, "{secret}");
    });
}
