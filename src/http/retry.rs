//! Whether a request may be sent again, and after how long. Pure: what happened, the time and the jitter come in, a
//! delay or nothing goes out, and the caller sleeps.
//!
//! The rule behind the table: a POST that may have reached the application is not repeated, because each one that
//! is accepted costs money. The delays are those of OpenAI's own clients: half a second, doubling up to 8 s, less
//! up to a quarter so that many clients do not come back at once.

use std::time::{Duration, SystemTime};

const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(8);
const JITTER: f64 = 0.25;
/// A server that asks for more is not waited for: the caller's scheduler knows better what to do with the time.
pub(crate) const LONGEST_ASKED: Duration = Duration::from_secs(120);

/// How one attempt ended, if not well.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// Nothing of the request left this machine.
    NotSent,
    /// An error status.
    Status {
        code: u16,
        /// `x-should-retry`, where it says true or false.
        should_retry: Option<bool>,
        /// The error code `insufficient_quota`: no wait brings money back.
        out_of_quota: bool,
        /// What [`asked_delay`] read from the answer.
        asked: Option<Duration>,
    },
    /// Sent, and no readable answer came: cut off, timed out, garbled.
    Cut,
}

/// What the user allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) max_retries: u32,
    pub(crate) retry_unsafe: bool,
}

/// The delay before the next attempt, or `None` to stop. `done` counts the retries made so far; `jitter` lies in
/// `0.0..1.0`; `repeatable` is true for a request that changes nothing by being repeated (GET, DELETE).
pub(crate) fn delay(
    policy: Policy,
    repeatable: bool,
    done: u32,
    outcome: &Outcome,
    jitter: f64,
) -> Option<Duration> {
    if done >= policy.max_retries {
        return None;
    }
    let repeatable = repeatable || policy.retry_unsafe;
    let (may, asked) = match *outcome {
        Outcome::NotSent => (true, None),
        Outcome::Cut => (repeatable, None),
        Outcome::Status { should_retry: Some(false), .. }
        | Outcome::Status { out_of_quota: true, .. } => (false, None),
        Outcome::Status { should_retry: Some(true), asked, .. } => (true, asked),
        Outcome::Status { code: 408 | 409 | 429 | 503, asked, .. } => (true, asked),
        Outcome::Status { code: 500.., asked, .. } => (repeatable, asked),
        Outcome::Status { .. } => (false, None),
    };
    match asked {
        _ if !may => None,
        Some(asked) => (asked <= LONGEST_ASKED).then_some(asked),
        None => {
            let doubled = FIRST_DELAY
                .saturating_mul(1u32.checked_shl(done).unwrap_or(u32::MAX))
                .min(LONGEST_DELAY);
            Some(doubled.mul_f64(1.0 - JITTER * jitter.clamp(0.0, 1.0)))
        }
    }
}

/// The wait that a server asks for: `retry-after-ms`, else `retry-after` in seconds, fractions too, or as an HTTP
/// date. A date is counted from the server's own `Date` where it sent one, as a device's clock may be years off.
/// What cannot be read counts as not sent; a date that has passed asks for no wait.
pub(crate) fn asked_delay(
    retry_after_ms: Option<&str>,
    retry_after: Option<&str>,
    date: Option<&str>,
    now: SystemTime,
) -> Option<Duration> {
    let number = |text: &str, unit: f64| {
        let value: f64 = text.trim().parse().ok()?;
        // An f64 parses "inf" and "nan" too; what is longer than any duration is as good as for ever.
        (value >= 0.0).then(|| Duration::try_from_secs_f64(value * unit).unwrap_or(Duration::MAX))
    };
    if let Some(delay) = retry_after_ms.and_then(|text| number(text, 0.001)) {
        return Some(delay);
    }
    let text = retry_after?;
    number(text, 1.0).or_else(|| {
        let until = httpdate::parse_http_date(text.trim()).ok()?;
        let from = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok()).unwrap_or(now);
        Some(until.duration_since(from).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { max_retries: 2, retry_unsafe: false };

    fn status(code: u16) -> Outcome {
        Outcome::Status { code, should_retry: None, out_of_quota: false, asked: None }
    }

    #[test]
    fn the_whole_table_of_outcomes() {
        // outcome, POST, POST with --retry-unsafe, GET or DELETE
        let said = |code, retry| Outcome::Status {
            code,
            should_retry: Some(retry),
            out_of_quota: false,
            asked: None,
        };
        let quota =
            Outcome::Status { code: 429, should_retry: None, out_of_quota: true, asked: None };
        let table = [
            (Outcome::NotSent, true, true, true),
            (Outcome::Cut, false, true, true),
            (status(408), true, true, true),
            (status(409), true, true, true),
            (status(429), true, true, true),
            (status(503), true, true, true),
            (status(500), false, true, true),
            (status(502), false, true, true),
            (status(504), false, true, true),
            (status(524), false, true, true),
            (status(300), false, false, false),
            (status(400), false, false, false),
            (status(401), false, false, false),
            (status(404), false, false, false),
            (status(422), false, false, false),
            (said(500, true), true, true, true),
            (said(400, true), true, true, true),
            (said(429, false), false, false, false),
            (said(503, false), false, false, false),
            (quota, false, false, false),
        ];
        for (outcome, post, unsafe_post, get) in table {
            let unsafe_policy = Policy { retry_unsafe: true, ..POLICY };
            assert_eq!(delay(POLICY, false, 0, &outcome, 0.0).is_some(), post, "POST {outcome:?}");
            assert_eq!(
                delay(unsafe_policy, false, 0, &outcome, 0.0).is_some(),
                unsafe_post,
                "unsafe {outcome:?}"
            );
            assert_eq!(delay(POLICY, true, 0, &outcome, 0.0).is_some(), get, "GET {outcome:?}");
        }
    }

    #[test]
    fn delays_double_up_to_eight_seconds_less_the_jitter() {
        let policy = Policy { max_retries: 100, ..POLICY };
        let millis =
            |done, jitter| delay(policy, false, done, &status(503), jitter).unwrap().as_millis();
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 31, 32, 99].map(|done| millis(done, 0.0)),
            [500, 1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000]
        );
        assert_eq!(millis(0, 1.0), 375);
        assert_eq!(millis(4, 0.5), 7000);
    }

    #[test]
    fn the_number_of_retries_is_a_bound() {
        assert!(delay(POLICY, true, 1, &Outcome::NotSent, 0.0).is_some());
        assert!(delay(POLICY, true, 2, &Outcome::NotSent, 0.0).is_none());
        assert!(
            delay(Policy { max_retries: 0, ..POLICY }, true, 0, &Outcome::NotSent, 0.0).is_none()
        );
    }

    #[test]
    fn a_server_is_waited_for_up_to_two_minutes() {
        let asks = |seconds| Outcome::Status {
            code: 503,
            should_retry: None,
            out_of_quota: false,
            asked: Some(Duration::from_secs(seconds)),
        };
        for (seconds, waits) in [(0, true), (120, true), (121, false)] {
            let expected = waits.then(|| Duration::from_secs(seconds));
            assert_eq!(delay(POLICY, false, 0, &asks(seconds), 0.9), expected);
        }
    }

    #[test]
    fn retry_after_is_read_in_all_its_forms() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        let read = |ms, after, date| asked_delay(ms, after, date, now);
        let ms = |millis| Some(Duration::from_millis(millis));
        assert_eq!(read(Some("1500"), Some("9"), None), ms(1500));
        assert_eq!(read(Some("0.5"), None, None), Some(Duration::from_micros(500)));
        assert_eq!(read(Some("soon"), Some("9"), None), ms(9000));
        assert_eq!(read(None, Some(" 1.5 "), None), ms(1500));
        assert_eq!(read(None, Some("0"), None), ms(0));
        assert_eq!(read(None, Some("-1"), None), None);
        assert_eq!(read(None, Some("nan"), None), None);
        assert_eq!(read(None, Some("inf"), None), Some(Duration::MAX));
        assert_eq!(read(None, Some("1e400"), None), Some(Duration::MAX));
        assert_eq!(read(None, Some("Sun, 06 Nov 1994 08:49:47 GMT"), None), ms(10_000));
        assert_eq!(read(None, Some("Sun, 06 Nov 1994 08:49:00 GMT"), None), ms(0));
        let date = Some("Sun, 06 Nov 1994 08:49:40 GMT");
        assert_eq!(read(None, Some("Sun, 06 Nov 1994 08:49:47 GMT"), date), ms(7000));
        assert_eq!(read(None, Some("later"), date), None);
        assert_eq!(read(None, None, date), None);
    }
}
