//! Responses as data: the status code and headers, with or without the body.

use std::time::{Duration, SystemTime};

use ureq::BodyReader;

use crate::http::headers::Headers;
use crate::http::retry;

/// Bounds of `openai-poll-after-ms`.
const POLL_AFTER: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(60)];
/// Bounds of `Retry-After` where it sets a poll interval.
const RETRY_AFTER: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(60)];
/// The upper bound of the `Retry-After` of a server that is not available (429, 503).
const UNAVAILABLE_MAX: Duration = Duration::from_secs(600);

/// A response whose body has not been read.
pub(crate) struct Response {
    pub(crate) head: ResponseHead,
    pub(crate) body: BodyReader<'static>,
    /// The length of the body in bytes, if the server sends it.
    pub(crate) length: Option<u64>,
}

/// A response whose body was read whole.
pub(crate) struct TextResponse {
    pub(crate) head: ResponseHead,
    pub(crate) body: String,
}

/// Status code and headers.
#[derive(Debug)]
pub(crate) struct ResponseHead {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
}

impl ResponseHead {
    /// The value of the first header with this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The interval before the next poll, if a successful response sets one.
    pub(crate) fn poll_after(&self) -> Option<Duration> {
        self.poll_interval(false)
    }

    /// The interval before the next poll, if the response sets one: see [`poll_interval`].
    pub(crate) fn poll_interval(&self, is_unavailable: bool) -> Option<Duration> {
        let poll_after = self.header("openai-poll-after-ms");
        let poll_after = poll_after.and_then(|text| text.trim().parse().ok());
        poll_interval(poll_after.map(Duration::from_millis), self.asked_delay(), is_unavailable)
    }

    /// The delay before a retry that `retry-after-ms` or `retry-after` asks for.
    pub(crate) fn asked_delay(&self) -> Option<Duration> {
        retry::asked_delay(
            self.header("retry-after-ms"),
            self.header("retry-after"),
            self.header("date"),
            SystemTime::now(),
        )
    }
}

/// The interval before the next poll: `openai-poll-after-ms` (0.1 s to 60 s), else `Retry-After`
/// (0.5 s to 60 s, or to 10 minutes where the server is not available).
fn poll_interval(
    poll_after: Option<Duration>,
    retry_after: Option<Duration>,
    is_unavailable: bool,
) -> Option<Duration> {
    let max = if is_unavailable { UNAVAILABLE_MAX } else { RETRY_AFTER[1] };
    poll_after
        .map(|interval| interval.clamp(POLL_AFTER[0], POLL_AFTER[1]))
        .or_else(|| retry_after.map(|interval| interval.clamp(RETRY_AFTER[0], max)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(headers: &[(&str, &str)]) -> ResponseHead {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        ResponseHead { status: 200, headers: headers.iter().map(owned).collect() }
    }

    #[test]
    fn openai_poll_after_ms_sets_the_poll_interval_before_retry_after() {
        for (headers, millis) in [
            (&[("openai-poll-after-ms", "2000"), ("Retry-After", "9")][..], Some(2000)),
            (&[("openai-poll-after-ms", " 1 ")], Some(100)),
            (&[("openai-poll-after-ms", "90000")], Some(60_000)),
            (&[("openai-poll-after-ms", "soon"), ("Retry-After", "9")], Some(9000)),
            (&[("Retry-After", "0")], Some(500)),
            (&[("Retry-After", "90")], Some(60_000)),
            (&[("retry-after-ms", "1500"), ("Retry-After", "9")], Some(1500)),
            (
                &[
                    ("Retry-After", "Sun, 06 Nov 1994 08:49:47 GMT"),
                    ("Date", "Sun, 06 Nov 1994 08:49:40 GMT"),
                ],
                Some(7000),
            ),
            (&[("Retry-After", "later")], None),
            (&[], None),
        ] {
            let expected = millis.map(Duration::from_millis);
            assert_eq!(head(headers).poll_after(), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_server_that_is_not_available_may_set_an_interval_of_ten_minutes() {
        let seconds = |retry_after| {
            let interval = head(&[("Retry-After", retry_after)]).poll_interval(true);
            interval.map(|interval| interval.as_secs())
        };
        assert_eq!(["61", "600", "601", "inf"].map(seconds), [61, 600, 600, 600].map(Some));
    }
}
