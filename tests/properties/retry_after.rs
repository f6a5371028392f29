//! Properties of every delay that a server asks for.

use std::time::{Duration, SystemTime};

use crate::http::retry::{LONGEST_ASKED, Policy, Retry, asked_delay, delay};

/// 6 November 1994, 08:49:37.
const NOW: Duration = Duration::from_secs(784_111_777);

/// `input`: a line each for `retry-after-ms`, `retry-after` and `date`; an empty one is a header
/// that was not sent.
///
/// The delay is the one that the headers ask for; beyond two minutes there is no retry. Whole
/// numbers are read exactly, and a value that is not a time is ignored.
pub(crate) fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n').map(|line| Some(line).filter(|line| !line.is_empty()));
    let (ms, after, date) =
        (lines.next().flatten(), lines.next().flatten(), lines.next().flatten());
    let asked = asked_delay(ms, after, date, SystemTime::UNIX_EPOCH + NOW);
    waits(asked);

    let readable = |text: Option<&str>| text.and_then(whole);
    let in_ms = readable(ms).map(Duration::from_millis);
    let in_seconds = readable(after).map(Duration::from_secs);
    match (in_ms, in_seconds) {
        (Some(exact), _) => assert_eq!(asked, Some(exact)),
        (None, Some(exact)) if ms.is_none() => assert_eq!(asked, Some(exact)),
        _ => {}
    }
    let is_time = |text: &str| {
        let text = text.trim();
        let negative = text.starts_with('-') && text.contains(|c: char| ('1'..='9').contains(&c));
        !text.is_empty() && !negative && !text.to_ascii_lowercase().contains("nan")
    };
    if !ms.is_some_and(is_time) && !after.is_some_and(is_time) {
        // A value such as "-0.0e9" may count as zero.
        assert!(asked.unwrap_or_default().is_zero(), "{asked:?}");
    }
}

/// Checks the delay before a retry for what the server asked for.
fn waits(asked: Option<Duration>) {
    let policy = Policy { max_retries: 1, retry_unsafe: false };
    for jitter in [0.0, 0.5, 1.0] {
        let waits = delay(policy, false, 0, Retry::Always, asked, jitter);
        match asked {
            Some(asked) if asked <= LONGEST_ASKED => assert_eq!(waits, Some(asked)),
            Some(_) => assert_eq!(waits, None),
            None => assert!(waits.is_some_and(|waits| waits <= Duration::from_millis(500))),
        }
    }
}

/// The value of up to 8 digits, which is exact as a float too.
fn whole(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    (digits && text.len() <= 8).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::suite::{cases, corpus};

    const WORDS: [&str; 14] = [
        "\n",
        "-",
        "1",
        "120",
        "120.000000001",
        "e400",
        "e-400",
        "inf",
        "nan",
        ".",
        " GMT",
        "Sun, 06 Nov 1994 08:49:47 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ];

    #[test]
    fn hold_for_the_corpus_and_its_mutations() {
        corpus("retry_after", &WORDS, check);
    }

    #[test]
    fn every_millisecond_up_to_the_longest_wait_is_read_exactly() {
        for millis in 0..=120_000 {
            let asked = asked_delay(Some(&millis.to_string()), None, None, SystemTime::now());
            assert_eq!(asked, Some(Duration::from_millis(millis)));
        }
    }

    #[test]
    fn the_wait_until_a_date_is_counted_from_the_servers_own() {
        cases(2000, |random| {
            // Up to the year 9999.
            let mut moment = || {
                let seconds = (random.next() >> (random.next() % 64)) % 253_402_300_800;
                SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
            };
            let (now, sent, until) = (moment(), moment(), moment());
            let [sent_text, until_text] = [sent, until].map(httpdate::fmt_http_date);
            for (date, from) in [(Some(sent_text.as_str()), sent), (None, now)] {
                let expected = until.duration_since(from).unwrap_or_default();
                let asked = asked_delay(None, Some(&until_text), date, now);
                assert_eq!(asked, Some(expected), "{date:?} {until_text}");
            }
        });
    }
}
