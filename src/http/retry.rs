//! Decides whether a request may be sent again, and computes the delay. Pure: the caller passes the
//! time and the jitter, and sleeps.
//!
//! A POST that may have reached the application is not sent again, as each one that is accepted
//! costs money. The backoff is that of OpenAI's own clients: half a second, doubling up to 8 s,
//! less up to a quarter so that many clients do not retry at the same moment.

use std::time::{Duration, SystemTime};

const FIRST_DELAY: Duration = Duration::from_millis(500);
const MAX_DELAY: Duration = Duration::from_secs(8);
const JITTER: f64 = 0.25;
/// The longest delay that a server may ask for. Beyond it the request fails, so that a scheduler
/// can use the time.
pub(crate) const LONGEST_ASKED: Duration = Duration::from_secs(120);

/// Whether the request of a failed attempt may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// It was not performed.
    Always,
    /// It may have been performed: only a GET or DELETE, or with [`Policy::retry_unsafe`].
    IfSafe,
    /// It would fail again, or the server forbids it.
    Never,
}

/// The retries that the user allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) max_retries: u32,
    pub(crate) retry_unsafe: bool,
}

/// The delay before the next attempt, or `None` to stop. `is_safe`: a GET or DELETE, which is safe
/// to retry; `retries`: their number so far; `asked`: the delay that the response asks for;
/// `jitter` lies in `0.0..1.0`.
pub(crate) fn delay(
    policy: Policy,
    is_safe: bool,
    retries: u32,
    retry: Retry,
    asked: Option<Duration>,
    jitter: f64,
) -> Option<Duration> {
    let is_allowed = match retry {
        Retry::Always => true,
        Retry::IfSafe => is_safe || policy.retry_unsafe,
        Retry::Never => false,
    };
    if !is_allowed || retries >= policy.max_retries {
        return None;
    }
    if let Some(asked) = asked {
        return (asked <= LONGEST_ASKED).then_some(asked);
    }
    let factor = 1u32.checked_shl(retries).unwrap_or(u32::MAX);
    let delay = FIRST_DELAY.saturating_mul(factor).min(MAX_DELAY);
    Some(delay.mul_f64(1.0 - JITTER * jitter.clamp(0.0, 1.0)))
}

/// The delay that a response asks for: `retry-after-ms`, else `retry-after` in seconds, with
/// fractions, or as an HTTP date. A date is relative to the response's `Date` header, if there is
/// one, as the clock of a device may be wrong by years. A value that cannot be parsed is ignored; a
/// date in the past is a delay of zero.
pub(crate) fn asked_delay(
    retry_after_ms: Option<&str>,
    retry_after: Option<&str>,
    date: Option<&str>,
    now: SystemTime,
) -> Option<Duration> {
    let number = |text: &str, unit: f64| {
        let value: f64 = text.trim().parse().ok()?;
        // `inf` and numbers beyond any Duration are a delay that never ends; `nan` fails the
        // comparison.
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

    #[test]
    fn a_request_that_may_have_been_performed_is_retried_only_where_that_is_safe() {
        // POST, POST with retry_unsafe, GET or DELETE
        for (retry, post, unsafe_post, get) in [
            (Retry::Always, true, true, true),
            (Retry::IfSafe, false, true, true),
            (Retry::Never, false, false, false),
        ] {
            let unsafe_policy = Policy { retry_unsafe: true, ..POLICY };
            let is_retried =
                |policy, is_safe| delay(policy, is_safe, 0, retry, None, 0.0).is_some();
            assert_eq!(is_retried(POLICY, false), post, "{retry:?}");
            assert_eq!(is_retried(unsafe_policy, false), unsafe_post, "{retry:?}");
            assert_eq!(is_retried(POLICY, true), get, "{retry:?}");
        }
    }

    #[test]
    fn delays_double_up_to_8_seconds_less_the_jitter() {
        let policy = Policy { max_retries: 100, ..POLICY };
        let millis = |done, jitter| {
            delay(policy, false, done, Retry::Always, None, jitter).unwrap().as_millis()
        };
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 31, 32, 99].map(|done| millis(done, 0.0)),
            [500, 1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000]
        );
        assert_eq!(millis(0, 1.0), 375);
        assert_eq!(millis(4, 0.5), 7000);
    }

    #[test]
    fn max_retries_limits_the_number_of_retries() {
        let none = Policy { max_retries: 0, ..POLICY };
        for (policy, done, is_retried) in [(POLICY, 1, true), (POLICY, 2, false), (none, 0, false)]
        {
            let delay = delay(policy, true, done, Retry::Always, None, 0.0);
            assert_eq!(delay.is_some(), is_retried, "{policy:?} {done}");
        }
    }

    #[test]
    fn a_delay_that_the_server_asks_for_is_kept_up_to_two_minutes() {
        for (seconds, is_kept) in [(0, true), (120, true), (121, false)] {
            let asked = Some(Duration::from_secs(seconds));
            let expected = asked.filter(|_| is_kept);
            assert_eq!(delay(POLICY, false, 0, Retry::Always, asked, 0.9), expected);
        }
    }

    #[test]
    fn retry_after_is_read_in_every_form() {
        // Sun, 06 Nov 1994 08:49:37 GMT
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
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
