//! Lists of headers, and which of their values may be shown.

use crate::settings::header::is_harmless;

/// Header names and values, in order.
pub(crate) type Headers = Vec<(String, String)>;

/// Headers whose values are shown, beside those that never hold a secret. Any other may hold one,
/// above all those that the user adds.
const SHOWN: [&str; 17] = [
    "accept-ranges",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "openai-poll-after-ms",
    "openai-processing-ms",
    "openai-version",
    "retry-after",
    "retry-after-ms",
    "server",
    "transfer-encoding",
    "x-request-id",
    "x-should-retry",
];

/// The headers with `[hidden]` in place of each value that may be secret.
pub(crate) fn shown(headers: &[(String, String)]) -> Headers {
    let value = |name: &str, value: &str| {
        let is_shown = is_harmless(name) || SHOWN.contains(&name.to_ascii_lowercase().as_str());
        if is_shown { value.to_owned() } else { "[hidden]".to_owned() }
    };
    headers.iter().map(|(name, text)| (name.clone(), value(name, text))).collect()
}

/// The headers of a response. Bytes that are not UTF-8 are replaced.
pub(crate) fn from_map(headers: &ureq::http::HeaderMap) -> Headers {
    headers
        .iter()
        .map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect()
}
