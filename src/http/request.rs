//! Requests and the heads of answers as data: what is sent with which headers, and what an error status means.
//! Nothing here knows how they travel.

use std::time::{Duration, SystemTime};

use crate::http::body::multipart::Form;
use crate::http::retry;
use crate::settings::Settings;

/// Uploads above this many bytes ask whether they are welcome before they are sent.
const EXPECT_ABOVE: u64 = 1024 * 1024;

/// Headers whose values are shown. All others may hold a secret, those of the user's own above all.
const SHOWN_HEADERS: [&str; 27] = [
    "accept",
    "accept-encoding",
    "accept-ranges",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expect",
    "host",
    "idempotency-key",
    "if-range",
    "openai-organization",
    "openai-poll-after-ms",
    "openai-processing-ms",
    "openai-project",
    "openai-version",
    "range",
    "retry-after",
    "retry-after-ms",
    "server",
    "transfer-encoding",
    "user-agent",
    "x-request-id",
    "x-should-retry",
];

/// Header names and values in order.
pub(crate) type Headers = Vec<(String, String)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Delete,
}

impl Method {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        }
    }
}

/// One request, as often as it has to be sent.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    /// After the base URL, percent-encoded: `/videos/extensions`, say.
    pub(crate) path: &'a str,
    pub(crate) body: Body<'a>,
    /// Beside the ones that every request has: `Idempotency-Key`, `Range`.
    pub(crate) headers: &'a [(&'a str, &'a str)],
}

pub(crate) enum Body<'a> {
    None,
    Json(&'a str),
    Form(&'a Form<'a>),
}

impl<'a> Request<'a> {
    pub(crate) fn get(path: &'a str) -> Self {
        Request { method: Method::Get, path, body: Body::None, headers: &[] }
    }

    /// Whether sending it twice changes no more than sending it once.
    pub(crate) fn is_safe_to_retry(&self) -> bool {
        self.method != Method::Post
    }

    /// Whether its body can be read only once.
    pub(crate) fn is_streamed(&self) -> bool {
        matches!(self.body, Body::Form(form) if form.len().is_none())
    }

    /// Whether to ask with `Expect: 100-continue` first.
    pub(crate) fn asks_first(&self) -> bool {
        match self.body {
            Body::None => false,
            _ => self.body.len().is_none_or(|len| len > EXPECT_ABOVE),
        }
    }

    /// All headers, with their secrets. A header of the user's own replaces the one of its name, and with an empty
    /// value removes it.
    pub(crate) fn headers(&self, settings: &Settings, ask_first: bool) -> Headers {
        let mut headers = Headers::new();
        let mut add = |name: &str, value: &str| {
            if !settings.headers.iter().any(|own| own.is(name)) {
                headers.push((name.to_owned(), value.to_owned()));
            }
        };
        if let Some(key) = &settings.api_key {
            add("Authorization", &format!("Bearer {}", key.expose()));
        }
        self.add_plain(&mut add, ask_first);
        for (name, value) in
            [("OpenAI-Organization", &settings.organization), ("OpenAI-Project", &settings.project)]
        {
            if let Some(value) = value {
                add(name, value);
            }
        }
        let own = settings.headers.iter().filter(|own| !own.value.is_empty());
        headers.extend(own.map(|own| (own.name.clone(), own.value.clone())));
        headers
    }

    /// The headers for another host than the one that the user named: nothing that could be meant for that one.
    pub(crate) fn cross_origin_headers(&self) -> Headers {
        let mut headers = Headers::new();
        self.add_plain(&mut |name, value| headers.push((name.to_owned(), value.to_owned())), false);
        headers
    }

    fn add_plain(&self, add: &mut dyn FnMut(&str, &str), ask_first: bool) {
        if !self.headers.iter().any(|(name, _)| *name == "Accept") {
            add("Accept", "application/json");
        }
        add("User-Agent", concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")));
        for (name, value) in self.headers {
            add(name, value);
        }
        if ask_first {
            add("Expect", "100-continue");
        }
        match &self.body {
            Body::None => return,
            Body::Json(_) => add("Content-Type", "application/json"),
            Body::Form(form) => add("Content-Type", &form.content_type()),
        }
        match self.body.len() {
            Some(len) => add("Content-Length", &len.to_string()),
            None => add("Transfer-Encoding", "chunked"),
        }
    }
}

impl Body<'_> {
    /// In bytes; `None` for a stream.
    pub(crate) fn len(&self) -> Option<u64> {
        match self {
            Body::None => Some(0),
            Body::Json(text) => Some(text.len() as u64),
            Body::Form(form) => form.len(),
        }
    }
}

/// The headers as they may be shown.
pub(crate) fn shown(headers: &[(String, String)]) -> Headers {
    let show = |name: &str| SHOWN_HEADERS.contains(&name.to_ascii_lowercase().as_str());
    let value = |name: &str, value: &str| {
        if show(name) { value.to_owned() } else { "[hidden]".to_owned() }
    };
    headers.iter().map(|(name, text)| (name.clone(), value(name, text))).collect()
}

/// Status and headers of an answer.
#[derive(Debug)]
pub(crate) struct ResponseHead {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
}

impl ResponseHead {
    /// The first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The `openai-poll-after-ms` header.
    pub(crate) fn poll_after(&self) -> Option<Duration> {
        self.header("openai-poll-after-ms")?.trim().parse().ok().map(Duration::from_millis)
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The delay that `retry-after-ms` or `retry-after` asks for.
    pub(crate) fn asked_delay(&self) -> Option<Duration> {
        retry::asked_delay(
            self.header("retry-after-ms"),
            self.header("retry-after"),
            self.header("date"),
            SystemTime::now(),
        )
    }
}
