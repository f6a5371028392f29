//! Requests as data: method, target, headers and body.

use crate::http::body::data_url::DataUrl;
use crate::http::body::multipart::Form;
use crate::http::headers::Headers;
use crate::settings::Settings;
use crate::settings::header::Header;
use crate::url;

/// Uploads of more than this many bytes ask with `Expect: 100-continue` first.
const EXPECT_ABOVE: u64 = 1024 * 1024;

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

/// One request, however many attempts it takes.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) target: RequestTarget<'a>,
    pub(crate) body: Body<'a>,
    /// The headers of this request alone, such as `Idempotency-Key` and `Range`.
    pub(crate) headers: &'a [(&'a str, &'a str)],
}

/// The target of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RequestTarget<'a> {
    /// A path below the base URL, percent-encoded, with its query: `/videos/extensions`, say.
    Path(&'a str),
    /// An absolute http or https URL that the server named, such as that of a job's media.
    Url(&'a str),
}

pub(crate) enum Body<'a> {
    None,
    Json(&'a str),
    Form(Form<'a>),
    DataUrl(DataUrl<'a>),
}

impl<'a> Request<'a> {
    pub(crate) fn get(path: &'a str) -> Self {
        let target = RequestTarget::Path(path);
        Request { method: Method::Get, target, body: Body::None, headers: &[] }
    }

    pub(crate) fn delete(path: &'a str) -> Self {
        Request { method: Method::Delete, ..Request::get(path) }
    }

    pub(crate) fn post(path: &'a str, body: Body<'a>, headers: &'a [(&'a str, &'a str)]) -> Self {
        Request { method: Method::Post, target: RequestTarget::Path(path), body, headers }
    }

    /// The absolute URL.
    pub(crate) fn url(&self, settings: &Settings) -> String {
        match self.target {
            RequestTarget::Path(path) => format!("{}{path}", settings.base_url.as_str()),
            RequestTarget::Url(url) => url.to_owned(),
        }
    }

    /// `GET /videos/video_123`, say, for messages. URLs that the server named come without their
    /// query.
    pub(crate) fn name(&self) -> String {
        let target = match self.target {
            RequestTarget::Path(path) => path.to_owned(),
            RequestTarget::Url(url) => url::without_secrets(url),
        };
        format!("{} {target}", self.method.name())
    }

    /// Whether it is idempotent (RFC 9110, 9.2.2).
    pub(crate) fn is_safe_to_retry(&self) -> bool {
        self.method != Method::Post
    }

    /// Whether its body can be read only once.
    pub(crate) fn is_streamed(&self) -> bool {
        self.body.len().is_none()
    }

    /// Whether to send `Expect: 100-continue`.
    pub(crate) fn expects_continue(&self) -> bool {
        match self.body {
            Body::None => false,
            _ => self.body.len().is_none_or(|len| len > EXPECT_ABOVE),
        }
    }

    /// All headers, secrets included. A header of the settings replaces the default one of its
    /// name, and with an empty value removes it. An `Idempotency-Key` in the settings is skipped:
    /// the request sets the header itself, because each of its bodies needs another key.
    pub(crate) fn headers(&self, settings: &Settings, expect_continue: bool) -> Headers {
        let sends_key = self.headers.iter().any(|(name, _)| *name == "Idempotency-Key");
        let is_left = |own: &&Header| !(sends_key && own.idempotency_key().is_some());
        let mut headers = Headers::new();
        let mut add = |name: &str, value: &str| {
            if !settings.headers.iter().filter(is_left).any(|own| own.is(name)) {
                headers.push((name.to_owned(), value.to_owned()));
            }
        };
        if let Some(key) = &settings.api_key {
            add("Authorization", &format!("Bearer {}", key.expose()));
        }
        self.add_default_headers(&mut add, expect_continue);
        for (name, value) in
            [("OpenAI-Organization", &settings.organization), ("OpenAI-Project", &settings.project)]
        {
            if let Some(value) = value {
                add(name, value);
            }
        }
        let own = settings.headers.iter().filter(is_left).filter(|own| !own.value.is_empty());
        headers.extend(own.map(|own| (own.name.clone(), own.value.clone())));
        headers
    }

    /// The headers for another origin than that of the base URL: none of the settings, as each may
    /// be a credential.
    pub(crate) fn cross_origin_headers(&self) -> Headers {
        let mut headers = Headers::new();
        let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
        self.add_default_headers(&mut add, false);
        headers
    }

    fn add_default_headers(&self, add: &mut dyn FnMut(&str, &str), expect_continue: bool) {
        if !self.headers.iter().any(|(name, _)| *name == "Accept") {
            add("Accept", "application/json");
        }
        add("User-Agent", concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")));
        for (name, value) in self.headers {
            add(name, value);
        }
        if expect_continue {
            add("Expect", "100-continue");
        }
        match &self.body {
            Body::None => return,
            Body::Json(_) | Body::DataUrl(_) => add("Content-Type", "application/json"),
            Body::Form(form) => add("Content-Type", &form.content_type()),
        }
        match self.body.len() {
            Some(len) => add("Content-Length", &len.to_string()),
            None => add("Transfer-Encoding", "chunked"),
        }
    }
}

impl Body<'_> {
    /// The length in bytes; `None` for a stream.
    pub(crate) fn len(&self) -> Option<u64> {
        match self {
            Body::None => Some(0),
            Body::Json(text) => Some(text.len() as u64),
            Body::Form(form) => form.len(),
            Body::DataUrl(body) => body.len(),
        }
    }
}
