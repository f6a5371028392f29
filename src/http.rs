//! The only user of ureq: builds a request, sends it, classifies what came of it, and goes round again as
//! [`retry`](crate::retry) allows.
//!
//! ureq's public interface does not tell whether a failed request had left this machine, and that decides whether
//! a POST may be repeated. So its connector chain gets one more link, [`Tap`], above TCP, proxy and TLS: the first
//! byte that passes it is a byte of the request. The same link puts the stall timeout where bodies move and only
//! there, and saves the answer of a server that hangs up in the middle of an upload.

use std::fmt;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport, time,
};
use ureq::{Agent, SendBody, Timeout, config::Config, http};

use crate::error::ApiError;
use crate::event::Event;
use crate::multipart::Form;
use crate::retry::{self, Outcome, Policy};
use crate::settings::Settings;
use crate::{Error, job, random};

/// The most of a JSON answer that is read, in bytes. A job has a few hundred.
const MAX_JSON: u64 = 16 * 1024 * 1024;
/// The most of an error's body that is read, in bytes.
const MAX_ERROR: u64 = 64 * 1024;
/// The most of an answer's head that is read, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// Uploads above this ask whether they are welcome before they send their bytes.
const EXPECT_ABOVE: u64 = 1024 * 1024;
/// How long to wait for `100 Continue` from servers that do not know it: curl's figure.
const EXPECT_WAIT: Duration = Duration::from_secs(1);
/// An idle connection may wait this long for its next request; longer than any pause between polls.
const MAX_IDLE: Duration = Duration::from_secs(300);

/// Headers whose values are shown. All others may hold a secret, those of the user's own above all.
const SHOWN_HEADERS: [&str; 24] = [
    "accept",
    "accept-ranges",
    "connection",
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
];

/// Sends requests to one server over as few connections as it allows.
pub(crate) struct Http {
    agent: Agent,
    settings: Settings,
    wire: Arc<Wire>,
    pub(crate) report: Box<dyn Fn(&Event<'_>) + Send + Sync>,
}

/// One request, as often as it has to be sent.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    /// After the base URL, percent-encoded: `/videos/extensions`, say.
    pub(crate) path: &'a str,
    pub(crate) body: Body<'a>,
    pub(crate) idempotency_key: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Post,
}

impl Method {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Method::Post => "POST",
        }
    }

    /// Whether sending it twice changes no more than sending it once.
    fn is_repeatable(self) -> bool {
        match self {
            Method::Post => false,
        }
    }
}

pub(crate) enum Body<'a> {
    Json(&'a str),
    Form(&'a Form<'a>),
}

impl Body<'_> {
    fn content_type(&self) -> String {
        match self {
            Body::Json(_) => "application/json".to_owned(),
            Body::Form(form) => form.content_type(),
        }
    }

    /// In bytes; `None` for a stream.
    fn len(&self) -> Option<u64> {
        match self {
            Body::Json(text) => Some(text.len() as u64),
            Body::Form(form) => form.len(),
        }
    }
}

/// Why an attempt brought no answer.
enum Failure {
    /// Something of this machine's own, such as a file that cannot be read.
    Local(Error),
    /// Nothing of the request was sent.
    NotSent(Box<dyn std::error::Error + Send + Sync>),
    /// Sent, and no readable answer came.
    Cut(String),
}

/// An answer, read whole.
struct Answer {
    status: u16,
    headers: http::HeaderMap,
    text: String,
}

impl Http {
    pub(crate) fn new(settings: Settings, report: Box<dyn Fn(&Event<'_>) + Send + Sync>) -> Self {
        let wire = Arc::new(Wire {
            stall: settings.stall_timeout,
            ..Wire::default()
        });
        let config = Config::builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent("")
            .accept("")
            .max_response_header_size(MAX_HEAD)
            .max_idle_age(MAX_IDLE)
            .timeout_resolve(Some(settings.connect_timeout))
            .timeout_connect(Some(settings.connect_timeout))
            .timeout_await_100(Some(EXPECT_WAIT))
            .timeout_recv_response(Some(settings.timeout))
            .timeout_recv_body(Some(settings.timeout))
            .build();
        let connector = DefaultConnector::new().chain(TapConnector {
            wire: Arc::clone(&wire),
        });
        Self {
            agent: Agent::with_parts(config, connector, Names),
            settings,
            wire,
            report,
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.settings.base_url.as_str())
    }

    /// Sends a request until it is answered well, or may not or need not be sent again, and gives the body of a
    /// 2xx answer as text.
    ///
    /// # Errors
    /// As section "Errors" of [`Client::extend`](crate::Client::extend) lists them.
    pub(crate) fn text(&self, request: &Request<'_>) -> Result<String, Error> {
        let once = matches!(request.body, Body::Form(_)) && request.body.len().is_none();
        let policy = Policy {
            max_retries: if once { 0 } else { self.settings.max_retries },
            retry_unsafe: self.settings.retry_unsafe,
        };
        let mut expect = request.body.len().is_none_or(|len| len > EXPECT_ABOVE);
        let mut done = 0;
        loop {
            let attempt = self.attempt(request, expect);
            if expect && !once && matches!(&attempt, Ok(answer) if answer.status == 417) {
                // The server does not know `Expect`; it has read nothing of the body (RFC 9110, 10.1.1).
                expect = false;
                continue;
            }
            let (outcome, error) = match self.classify(request, attempt) {
                Ok(text) => return Ok(text),
                Err((None, error)) => return Err(error),
                Err((Some(outcome), error)) => (outcome, error),
            };
            let Some(after) = retry::delay(
                policy,
                request.method.is_repeatable(),
                done,
                &outcome,
                random::fraction(),
            ) else {
                return Err(error);
            };
            done += 1;
            (self.report)(&Event::Retry {
                after,
                number: done,
                of: policy.max_retries,
                why: &error,
            });
            thread::sleep(after);
        }
    }

    /// The one place where an attempt becomes a result: text, or the error to end with and, unless that is final,
    /// the outcome to ask [`retry::delay`] about.
    fn classify(
        &self,
        request: &Request<'_>,
        attempt: Result<Answer, Failure>,
    ) -> Result<String, (Option<Outcome>, Error)> {
        match attempt {
            Ok(answer) if answer.is_success() => Ok(answer.text),
            Ok(answer) if (300..400).contains(&answer.status) => {
                let target = answer.header("location").unwrap_or_default().to_owned();
                Err((
                    None,
                    Error::Redirect {
                        status: answer.status,
                        target,
                    },
                ))
            }
            Ok(answer) => {
                let outcome = answer.outcome();
                let error = answer.into_api_error();
                let unknown = request.method == Method::Post
                    && matches!(outcome, Outcome::Status { code, .. } if code < 400 || (code >= 500 && code != 503));
                Err((
                    Some(outcome),
                    if unknown {
                        self.unknown(error.to_string())
                    } else {
                        Error::Api(Box::new(error))
                    },
                ))
            }
            Err(Failure::Local(error)) => Err((None, error)),
            Err(Failure::NotSent(source)) => Err((
                Some(Outcome::NotSent),
                Error::Connect {
                    host: self.settings.base_url.authority().to_owned(),
                    source,
                },
            )),
            Err(Failure::Cut(why)) => Err((Some(Outcome::Cut), self.cut(request, why))),
        }
    }

    /// The error for an answer that did not come or cannot be read, by what that may mean.
    pub(crate) fn cut(&self, request: &Request<'_>, why: String) -> Error {
        match request.method {
            Method::Post => self.unknown(why),
        }
    }

    fn unknown(&self, why: String) -> Error {
        Error::Unknown {
            why,
            list_url: self.url("/videos?order=desc&limit=5"),
        }
    }

    /// The headers of a request, in order and with their secrets.
    fn headers(&self, request: &Request<'_>, expect: bool) -> Vec<(String, String)> {
        let settings = &self.settings;
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, value: &str| {
            if !settings.headers.iter().any(|own| own.is(name)) {
                headers.push((name.to_owned(), value.to_owned()));
            }
        };
        if let Some(key) = &settings.api_key {
            add("Authorization", &format!("Bearer {}", key.expose()));
        }
        add("Accept", "application/json");
        add(
            "User-Agent",
            concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")),
        );
        for (name, value) in [
            ("Idempotency-Key", request.idempotency_key),
            ("OpenAI-Organization", settings.organization.as_deref()),
            ("OpenAI-Project", settings.project.as_deref()),
            ("Expect", expect.then_some("100-continue")),
        ] {
            if let Some(value) = value {
                add(name, value);
            }
        }
        add("Content-Type", &request.body.content_type());
        match request.body.len() {
            Some(len) => add("Content-Length", &len.to_string()),
            None => add("Transfer-Encoding", "chunked"),
        }
        let own = settings.headers.iter().filter(|own| !own.value.is_empty());
        headers.extend(own.map(|own| (own.name.clone(), own.value.clone())));
        headers
    }

    /// The headers as they may be shown.
    pub(crate) fn shown_headers(&self, request: &Request<'_>) -> Vec<(String, String)> {
        let expect = request.body.len().is_none_or(|len| len > EXPECT_ABOVE);
        shown(&self.headers(request, expect))
    }

    fn attempt(&self, request: &Request<'_>, expect: bool) -> Result<Answer, Failure> {
        let url = self.url(request.path);
        let headers = self.headers(request, expect);
        (self.report)(&Event::Sending {
            method: request.method.name(),
            url: &url,
            headers: &shown(&headers),
        });
        self.wire.reset();

        let reader: Box<dyn Read + '_> = match &request.body {
            Body::Json(text) => Box::new(text.as_bytes()),
            Body::Form(form) => Box::new(form.open().map_err(Failure::Local)?),
        };
        let mut reader = Meter {
            reader,
            wire: &self.wire,
            report: &*self.report,
            sent: 0,
            total: request.body.len(),
            failure: None,
        };
        let message = headers
            .iter()
            .fold(
                http::Request::builder()
                    .method(request.method.name())
                    .uri(&url),
                |message, (name, value)| message.header(name, value),
            )
            .body(SendBody::from_reader(&mut reader))
            .map_err(|error| {
                Failure::Local(Error::invalid(format!(
                    "cannot send a request to '{url}': {error}"
                )))
            })?;

        let response = self.agent.run(message);
        if let Some(error) = reader.failure {
            return Err(Failure::Local(error));
        }
        let (head, mut body) = response.map_err(|error| self.failure(error))?.into_parts();
        let status = head.status.as_u16();
        (self.report)(&Event::Answer {
            status,
            headers: &shown(&pairs(&head.headers)),
        });
        let text = self.read(status, body.as_reader())?;
        Ok(Answer {
            status,
            headers: head.headers,
            text,
        })
    }

    /// Reads a body of JSON whole, or as much of an error's as is worth showing.
    fn read(&self, status: u16, body: impl Read) -> Result<String, Failure> {
        let success = (200..300).contains(&status);
        let most = if success { MAX_JSON } else { MAX_ERROR };
        let mut bytes = Vec::new();
        match body.take(most + 1).read_to_end(&mut bytes) {
            Ok(_) if success && bytes.len() as u64 > MAX_JSON => Err(Failure::Cut(format!(
                "the answer is larger than {} MiB",
                MAX_JSON >> 20
            ))),
            Ok(_) => match String::from_utf8(bytes) {
                Ok(text) => Ok(text),
                Err(_) if success => Err(Failure::Cut("the answer is not UTF-8".to_owned())),
                Err(error) => Ok(String::from_utf8_lossy(error.as_bytes()).into_owned()),
            },
            // The status is known: what there is of the text is enough.
            Err(_) if !success => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => Err(self.failure(error.into())),
        }
    }

    fn failure(&self, error: ureq::Error) -> Failure {
        let settings = &self.settings;
        let why = match error {
            ureq::Error::Timeout(Timeout::Resolve) => {
                format!(
                    "the name lookup took longer than {:?}",
                    settings.connect_timeout
                )
            }
            ureq::Error::Timeout(Timeout::Connect) => {
                format!("connecting took longer than {:?}", settings.connect_timeout)
            }
            ureq::Error::Timeout(Timeout::PerRead | Timeout::PerWrite) => {
                format!("no byte moved for {:?}", settings.stall_timeout)
            }
            ureq::Error::Timeout(Timeout::RecvResponse) => {
                format!("no answer came within {:?}", settings.timeout)
            }
            ureq::Error::Timeout(Timeout::RecvBody) => {
                format!("the answer was not complete within {:?}", settings.timeout)
            }
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                "the server closed the connection".to_owned()
            }
            ureq::Error::Io(error) if !self.wire.sent() => return Failure::NotSent(error.into()),
            ureq::Error::Io(error) => error.to_string(),
            ureq::Error::Protocol(error) => format!("the answer is not HTTP: {error}"),
            ureq::Error::LargeResponseHeader(..) => format!(
                "the head of the answer is larger than {} KiB",
                MAX_HEAD >> 10
            ),
            error => error.to_string(),
        };
        if self.wire.sent() {
            Failure::Cut(why)
        } else {
            Failure::NotSent(why.into())
        }
    }
}

impl Answer {
    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn outcome(&self) -> Outcome {
        Outcome::Status {
            code: self.status,
            should_retry: self
                .header("x-should-retry")
                .and_then(|text| text.trim().parse().ok()),
            out_of_quota: job::error_code(&self.text).as_deref() == Some("insufficient_quota"),
            asked: retry::asked_delay(
                self.header("retry-after-ms"),
                self.header("retry-after"),
                self.header("date"),
                SystemTime::now(),
            ),
        }
    }

    fn into_api_error(self) -> ApiError {
        let mut error = ApiError::read(self.status, &self.text);
        error.request_id = self.header("x-request-id").map(str::to_owned);
        if let Outcome::Status {
            asked: Some(asked), ..
        } = self.outcome()
        {
            error.retry_after = (asked > retry::LONGEST_ASKED).then_some(asked);
        }
        error
    }
}

fn pairs(headers: &http::HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
}

fn shown(headers: &[(String, String)]) -> Vec<(String, String)> {
    let show = |name: &str| SHOWN_HEADERS.contains(&name.to_ascii_lowercase().as_str());
    let value = |name: &str, value: &str| {
        if show(name) {
            value.to_owned()
        } else {
            "[hidden]".to_owned()
        }
    };
    headers
        .iter()
        .map(|(name, text)| (name.clone(), value(name, text)))
        .collect()
}

/// The request body on its way out: counts it, keeps an error of its own, and stops reading once the answer is in.
struct Meter<'a> {
    reader: Box<dyn Read + 'a>,
    wire: &'a Wire,
    report: &'a (dyn Fn(&Event<'_>) + Send + Sync),
    sent: u64,
    total: Option<u64>,
    failure: Option<Error>,
}

impl Read for Meter<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.wire.is_answered() {
            // The tap drops what is still "sent"; a body of known length has to be filled up for ureq's sake.
            let left = self.total.map_or(0, |total| total - self.sent);
            let count = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            self.sent += count as u64;
            return Ok(count);
        }
        match self.reader.read(buffer) {
            Ok(count) => {
                self.sent += count as u64;
                (self.report)(&Event::Upload {
                    sent: self.sent,
                    total: self.total,
                });
                Ok(count)
            }
            Err(error) => {
                let kind = error.kind();
                self.failure = Some(
                    match error.into_inner().map(|inner| inner.downcast::<Error>()) {
                        Some(Ok(error)) => *error,
                        _ => Error::file("cannot read the request body", kind.into()),
                    },
                );
                Err(kind.into())
            }
        }
    }
}

/// What the tap learns about the current attempt.
#[derive(Default)]
struct Wire {
    stall: Duration,
    sent: AtomicBool,
    answered: AtomicBool,
}

impl Wire {
    fn reset(&self) {
        self.sent.store(false, Ordering::Relaxed);
        self.answered.store(false, Ordering::Relaxed);
    }

    /// Whether a byte of the request was handed to the connection.
    fn sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether the server answered before it had read the whole request, and hung up.
    fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }
}

/// Puts a [`Tap`] on every connection.
struct TapConnector {
    wire: Arc<Wire>,
}

impl Connector<Box<dyn Transport>> for TapConnector {
    type Out = Tap;

    fn connect(
        &self,
        _: &ConnectionDetails,
        chained: Option<Box<dyn Transport>>,
    ) -> Result<Option<Tap>, ureq::Error> {
        Ok(chained.map(|inner| Tap {
            inner,
            wire: Arc::clone(&self.wire),
            answer_is_in: false,
            closed: false,
        }))
    }
}

impl fmt::Debug for TapConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TapConnector")
    }
}

struct Tap {
    inner: Box<dyn Transport>,
    wire: Arc<Wire>,
    /// The input buffer holds the start of an early answer that ureq has not asked for yet.
    answer_is_in: bool,
    closed: bool,
}

impl Tap {
    /// Waits for input no longer than this once the output is broken: what the server said is there by then.
    const LAST_WORDS: Duration = Duration::from_millis(200);

    fn stalling(&self, timeout: NextTimeout) -> NextTimeout {
        let stall = Some(time::Duration::Exact(self.wire.stall));
        NextTimeout {
            per_read: stall,
            per_write: stall,
            ..timeout
        }
    }
}

impl Transport for Tap {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        if self.closed {
            return Ok(());
        }
        self.wire.sent.store(true, Ordering::Relaxed);
        let timeout = self.stalling(timeout);
        let error = match self.inner.transmit_output(amount, timeout) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        // A server that refuses an upload answers and closes without reading on. Its answer says more than the
        // broken pipe that it leaves behind.
        let last = NextTimeout {
            after: time::Duration::Exact(Self::LAST_WORDS),
            ..timeout
        };
        match self.inner.await_input(last) {
            Ok(true) => {
                (self.answer_is_in, self.closed) = (true, true);
                self.wire.answered.store(true, Ordering::Relaxed);
                Ok(())
            }
            _ => Err(error),
        }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        if std::mem::take(&mut self.answer_is_in) {
            return Ok(true);
        }
        let timeout = if timeout.reason == Timeout::RecvBody {
            self.stalling(timeout)
        } else {
            timeout
        };
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        !self.closed && self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tap({:?})", self.inner)
    }
}

/// Looks names up with a time limit. An address needs no lookup, and so no thread and no resolver configuration.
#[derive(Debug)]
struct Names;

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &http::Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default();
        let default_port = if uri.scheme_str() == Some("https") {
            443
        } else {
            80
        };
        let port = uri.port_u16().unwrap_or(default_port);
        let mut addresses = self.empty();
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            addresses.push(SocketAddr::new(address, port));
            return Ok(addresses);
        }
        let (sender, receiver) = mpsc::sync_channel(1);
        let name = host.to_owned();
        // The lookup cannot be interrupted: past the limit its thread is left to end with the process.
        thread::Builder::new()
            .spawn(move || sender.send((name.as_str(), port).to_socket_addrs()))?;
        let found = receiver
            .recv_timeout(*timeout.after)
            .map_err(|_| ureq::Error::Timeout(Timeout::Resolve))?;
        let found =
            found.map_err(|error| io::Error::other(format!("the name lookup failed: {error}")))?;
        for address in found.take(16) {
            addresses.push(address);
        }
        if addresses.is_empty() {
            Err(ureq::Error::HostNotFound)
        } else {
            Ok(addresses)
        }
    }
}
