//! The only user of ureq, with the modules inside it: sends a request, follows a redirect where that is safe, tells
//! what came of it, and goes round again as [`retry`](crate::retry) allows.
//!
//! ureq's public interface does not tell whether a failed request had left this machine, and that decides whether
//! a POST may be repeated. So its connector chain gets one more link, [`Tap`], above TCP, proxy and TLS: the first
//! byte that passes it is a byte of the request, and what is said to a proxy does not pass it. The same link puts
//! the stall timeout where bodies move and only there, and saves the answer of a server that hangs up in the middle
//! of an upload.

mod dial;
mod names;

use std::fmt;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, Transport, time,
};
use ureq::{Agent, SendBody, Timeout, config::Config, http};

use self::dial::{Dial, tls_error};
use self::names::{Lookup, Names};
use crate::event::Event;
use crate::message::{self, Body, Head, Headers, Method, Request, shown};
use crate::obstacle::NoConnection;
use crate::retry::{self, Outcome, Policy};
use crate::tunnel::{Absolute, credentials_wanted};
use crate::{Error, Settings, random, tls};

/// The most of a JSON answer that is read, in bytes. A job has a few hundred.
const MAX_JSON: u64 = 16 * 1024 * 1024;
/// The most of an error's body that is read, in bytes.
const MAX_ERROR: u64 = 64 * 1024;
/// The most of an answer's head that is read, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// How long to wait for `100 Continue` from servers that do not know it: curl's figure.
const EXPECT_WAIT: Duration = Duration::from_secs(1);
/// An idle connection may wait this long for its next request; longer than any pause between polls.
const MAX_IDLE: Duration = Duration::from_secs(300);
const MAX_REDIRECTS: u32 = 10;
/// Bytes that move at once, each way. Filling twice ureq's 128 KiB with zeros was half the work of one request, and
/// larger pieces move a gigabyte no faster.
pub(crate) const BUFFER: usize = 64 * 1024;
/// The largest head, and a little of what follows, so that a larger one is seen as such.
const INPUT: usize = MAX_HEAD + 4096;
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Sends requests to one server over as few connections as it allows.
pub(crate) struct Http {
    agent: Agent,
    settings: Settings,
    names: Arc<Names>,
    wire: Arc<Wire>,
    pub(crate) report: Box<dyn Fn(&Event<'_>) + Send + Sync>,
}

/// An answer whose body is still on its way.
pub(crate) struct Opened {
    pub(crate) head: Head,
    pub(crate) body: Box<dyn Read>,
}

/// An answer that was read whole.
pub(crate) struct Text {
    pub(crate) head: Head,
    pub(crate) body: String,
}

/// Why an attempt brought no answer.
pub(crate) enum Failure {
    /// Final: something of this machine's own, such as a file that cannot be read, or a redirect into nowhere.
    Final(Error),
    /// Nothing of the request was sent.
    NotSent {
        /// `host:port`, or the host alone: after a redirect another one than the base URL's.
        host: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Sent, and no readable answer came.
    Cut(String),
}

/// An attempt that did not go well: the error to end with and, unless that is final, the outcome to ask
/// [`retry::delay`] about.
pub(crate) struct Miss {
    pub(crate) error: Error,
    pub(crate) outcome: Option<Outcome>,
}

impl Http {
    /// # Errors
    /// [`Error::Invalid`] for a client certificate that cannot be used.
    pub(crate) fn new(
        settings: Settings,
        report: Box<dyn Fn(&Event<'_>) + Send + Sync>,
    ) -> Result<Self, Error> {
        let wire = Arc::new(Wire {
            stall: settings.stall_timeout,
            ..Wire::default()
        });
        let config = Config::builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .tls_config(dial::certificates(&settings)?)
            .user_agent("")
            .accept("")
            .max_response_header_size(MAX_HEAD)
            .max_idle_age(MAX_IDLE)
            .input_buffer_size(INPUT)
            .output_buffer_size(BUFFER)
            .timeout_resolve(Some(settings.connect_timeout))
            .timeout_connect(Some(settings.connect_timeout))
            .timeout_await_100(Some(EXPECT_WAIT))
            .timeout_recv_response(Some(settings.timeout))
            .timeout_recv_body(Some(settings.timeout))
            .build();
        let names = Arc::new(Names::new(&settings));
        let connector = Dial::new(Arc::clone(&names)).chain(TapConnector {
            wire: Arc::clone(&wire),
            names: Arc::clone(&names),
        });
        let lookup = Lookup(Arc::clone(&names));
        Ok(Self {
            agent: Agent::with_parts(config, connector, lookup),
            settings,
            names,
            wire,
            report,
        })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// No answer's head is waited for beyond this time, on top of the timeout that each has.
    pub(crate) fn limit_answers(&self, until: Option<Instant>) {
        *self
            .wire
            .limit
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = until;
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.settings.base_url.as_str())
    }

    /// Sends a request until it is answered well, or may not or need not be sent again, and gives a 2xx answer.
    ///
    /// # Errors
    /// As section "Errors" of [`Client::extend`](crate::Client::extend) lists them.
    pub(crate) fn text(&self, request: &Request<'_>) -> Result<Text, Error> {
        let mut done = 0;
        let mut unknown = None;
        loop {
            let miss = match self.once(request) {
                Ok(text) => return Ok(text),
                Err(miss) => miss,
            };
            match self.delay(request, done, &miss) {
                Some(after) => self.pause(&mut done, after, &miss.error),
                // What a later attempt met says nothing about the job that an earlier one may have made.
                None => return Err(unknown.unwrap_or(miss.error)),
            }
            if let Error::Unknown { .. } = miss.error {
                unknown = Some(miss.error);
            }
        }
    }

    /// How long to wait before this request may be sent once more, after `done` retries.
    pub(crate) fn delay(&self, request: &Request<'_>, done: u32, miss: &Miss) -> Option<Duration> {
        let policy = Policy {
            max_retries: if request.is_single_use() {
                0
            } else {
                self.settings.max_retries
            },
            retry_unsafe: self.settings.retry_unsafe,
        };
        retry::delay(
            policy,
            request.is_repeatable(),
            done,
            miss.outcome.as_ref()?,
            random::fraction(),
        )
    }

    /// Tells of the next retry, and waits for it.
    pub(crate) fn pause(&self, done: &mut u32, after: Duration, why: &Error) {
        *done += 1;
        let of = self.settings.max_retries;
        (self.report)(&Event::Retry {
            after,
            number: *done,
            of,
            why,
        });
        thread::sleep(after);
    }

    /// Sends a request once, and reads the answer whole.
    pub(crate) fn once(&self, request: &Request<'_>) -> Result<Text, Miss> {
        let answer = self.open(request, false).and_then(|mut opened| {
            let body = self.read(&opened.head, &mut opened.body)?;
            Ok(Text {
                head: opened.head,
                body,
            })
        });
        match answer {
            Ok(text) if text.head.is_success() => Ok(text),
            Ok(text) => Err(self.refused(request, &text.head, &text.body)),
            Err(failure) => Err(self.missed(request, failure)),
        }
    }

    /// What an error status means.
    pub(crate) fn refused(&self, request: &Request<'_>, head: &Head, body: &str) -> Miss {
        let error = head.error(body, &self.settings);
        let known = (300..500).contains(&head.status) || head.status == 503;
        match error {
            Error::Redirect { .. } => Miss {
                error,
                outcome: None,
            },
            error if request.is_repeatable() || known => Miss {
                error,
                outcome: Some(head.outcome(body)),
            },
            error => Miss {
                error: self.unknown(error.to_string()),
                outcome: Some(head.outcome(body)),
            },
        }
    }

    /// What a missing answer means.
    pub(crate) fn missed(&self, request: &Request<'_>, failure: Failure) -> Miss {
        match failure {
            Failure::Final(error) => Miss {
                error,
                outcome: None,
            },
            Failure::NotSent { host, source } => Miss {
                error: Error::Connect { host, source },
                outcome: Some(Outcome::NotSent),
            },
            Failure::Cut(why) => Miss {
                error: self.cut(request, why),
                outcome: Some(Outcome::Cut),
            },
        }
    }

    /// The error for an answer that did not come or cannot be read.
    pub(crate) fn cut(&self, request: &Request<'_>, why: String) -> Error {
        match request.method {
            Method::Post => self.unknown(why),
            method => Error::Cut {
                request: format!("{} {}", method.name(), request.path),
                why,
            },
        }
    }

    fn unknown(&self, why: String) -> Error {
        Error::Unknown {
            why,
            list_url: self.list_url(),
        }
    }

    /// Where to look for a job of unknown fate.
    pub(crate) fn list_url(&self) -> String {
        self.url("/videos?order=desc&limit=5")
    }

    /// Sends a request once and gives the answer as soon as its head is there, whatever its status. A GET follows
    /// redirects; away from the server that the user named it carries none of their headers. `transfer`: the body
    /// may take any time, as long as it moves.
    pub(crate) fn open(&self, request: &Request<'_>, transfer: bool) -> Result<Opened, Failure> {
        let home = self.url(request.path);
        let mut url = home.clone();
        let mut ask_first = request.asks_first();
        for _ in 0..=MAX_REDIRECTS {
            let at_home = message::origin(&url) == message::origin(&home);
            let headers = match at_home {
                true => request.headers(&self.settings, ask_first),
                false => request.headers_for_strangers(),
            };
            let opened = self.exchange(request, &url, &headers, transfer)?;
            let location = opened.head.header("location").unwrap_or_default();
            match opened.head.status {
                // The server does not know `Expect`; it has read nothing of the body (RFC 9110, 10.1.1).
                417 if ask_first && !request.is_single_use() => ask_first = false,
                301 | 302 | 303 | 307 | 308 if request.method == Method::Get => {
                    url = match message::resolve(&url, location) {
                        // What came over an encrypted connection does not go on over a plain one.
                        Some(next) if !url.starts_with("https:") || next.starts_with("https:") => {
                            next
                        }
                        _ => return Err(Failure::Final(opened.head.error("", &self.settings))),
                    };
                }
                // Another server's refusal is none of this one: it may be a link that has run out by now.
                status @ 400.. if !at_home => {
                    let host = message::authority(&url);
                    let why =
                        format!("{host}, where the server redirects to, answered HTTP {status}");
                    return Err(Failure::Cut(why));
                }
                _ => return Ok(opened),
            }
        }
        Err(Failure::Cut(format!(
            "it was redirected more than {MAX_REDIRECTS} times"
        )))
    }

    fn exchange(
        &self,
        request: &Request<'_>,
        url: &str,
        headers: &Headers,
        transfer: bool,
    ) -> Result<Opened, Failure> {
        let method = request.method.name();
        (self.report)(&Event::Sending {
            method,
            url,
            headers: &shown(headers),
        });
        self.wire.start(transfer);

        let unusable = |error: http::Error| {
            Failure::Final(Error::invalid(format!(
                "cannot send a request to '{url}': {error}"
            )))
        };
        let uri: http::Uri = url
            .parse()
            .map_err(|error: http::uri::InvalidUri| unusable(error.into()))?;
        let message = headers.iter().fold(
            http::Request::builder().method(method).uri(uri.clone()),
            |message, (name, value)| message.header(name, value),
        );
        let reader: Box<dyn Read + '_> = match &request.body {
            Body::None => Box::new(io::empty()),
            Body::Json(text) => Box::new(text.as_bytes()),
            Body::Form(form) => Box::new(
                form.open(self.settings.stall_timeout)
                    .map_err(Failure::Final)?,
            ),
        };
        let mut reader = Meter {
            reader,
            wire: &self.wire,
            report: &*self.report,
            sent: 0,
            total: request.body.len(),
            failure: None,
        };
        let response = match request.body {
            Body::None => self.agent.run(message.body(()).map_err(unusable)?),
            _ => {
                let body = SendBody::from_reader(&mut reader);
                self.agent.run(message.body(body).map_err(unusable)?)
            }
        };
        if let Some(error) = reader.failure {
            return Err(Failure::Final(error));
        }
        let (head, body) = response
            .map_err(|error| self.failure(error, url))?
            .into_parts();
        let head = Head {
            status: head.status.as_u16(),
            headers: pairs(&head.headers),
        };
        (self.report)(&Event::Answer {
            status: head.status,
            headers: &shown(&head.headers),
        });
        if head.status == 407
            && self.names.absolute(&uri).is_some()
            && let Some(proxy) = self.names.route(&uri)
        {
            let source = credentials_wanted(proxy).at_proxy(proxy);
            return Err(self.failure(ureq::Error::Other(source.into()), url));
        }
        Ok(Opened {
            head,
            body: Box::new(body.into_reader()),
        })
    }

    /// Reads a body of JSON whole, or as much of an error's as is worth showing.
    pub(crate) fn read(&self, head: &Head, body: &mut dyn Read) -> Result<String, Failure> {
        let success = head.is_success();
        let most = if success { MAX_JSON } else { MAX_ERROR };
        let mut bytes = Vec::new();
        match body.take(most + 1).read_to_end(&mut bytes) {
            Ok(_) if success && bytes.len() as u64 > MAX_JSON => Err(Failure::Cut(format!(
                "the answer is larger than {} MiB",
                MAX_JSON >> 20
            ))),
            Ok(_) => match String::from_utf8(bytes) {
                // A byte order mark is no part of the JSON.
                Ok(text) => Ok(text
                    .strip_prefix('\u{feff}')
                    .map(str::to_owned)
                    .unwrap_or(text)),
                Err(_) if success => Err(Failure::Cut("the answer is not UTF-8".to_owned())),
                Err(error) => Ok(String::from_utf8_lossy(error.as_bytes()).into_owned()),
            },
            // The status is known: what there is of the text is enough.
            Err(_) if !success => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => Err(self.broken_off(error)),
        }
    }

    /// What an error while reading an opened answer means.
    pub(crate) fn broken_off(&self, error: io::Error) -> Failure {
        match self.failure(error.into(), self.settings.base_url.as_str()) {
            // Whatever TLS says now: somebody has read the request and answered it.
            Failure::NotSent { source, .. } => Failure::Cut(source.to_string()),
            failure => failure,
        }
    }

    fn failure(&self, error: ureq::Error, url: &str) -> Failure {
        let settings = &self.settings;
        let not_sent = |source| Failure::NotSent {
            host: message::authority(url),
            source,
        };
        let why = match error {
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
            ureq::Error::Io(error) => match tls_error(&error) {
                // The handshake failed at the server's end: the request went nowhere.
                Some(&rustls::Error::AlertReceived(alert)) if tls::is_about_certificate(alert) => {
                    let why = tls::explain(&rustls::Error::AlertReceived(alert));
                    return not_sent(why.into());
                }
                _ if !self.wire.sent() => return not_sent(error.into()),
                _ => error.to_string(),
            },
            // From `dial` or `names`: there is no connection yet.
            ureq::Error::Other(error) if error.is::<NoConnection>() => {
                return not_sent(error);
            }
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
            not_sent(why.into())
        }
    }
}

fn pairs(headers: &http::HeaderMap) -> Headers {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
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
    /// The answer's body may take any time, as long as it moves.
    transfer: AtomicBool,
    /// See [`Http::limit_answers`].
    limit: Mutex<Option<Instant>>,
    sent: AtomicBool,
    answered: AtomicBool,
}

impl Wire {
    fn start(&self, transfer: bool) {
        self.transfer.store(transfer, Ordering::Relaxed);
        self.sent.store(false, Ordering::Relaxed);
        self.answered.store(false, Ordering::Relaxed);
    }

    fn limited(&self, timeout: NextTimeout) -> NextTimeout {
        let limit = *self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        match limit {
            None => timeout,
            Some(until) => {
                let left = time::Duration::Exact(until.saturating_duration_since(Instant::now()));
                NextTimeout {
                    after: timeout.after.min(left),
                    ..timeout
                }
            }
        }
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
    names: Arc<Names>,
}

impl Connector<Box<dyn Transport>> for TapConnector {
    type Out = Tap;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<Box<dyn Transport>>,
    ) -> Result<Option<Tap>, ureq::Error> {
        Ok(chained.map(|inner| Tap {
            inner,
            absolute: self.names.absolute(details.uri),
            wire: Arc::clone(&self.wire),
            answer_is_in: false,
            closed: false,
            in_head: false,
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
    /// The form that a proxy wants requests in.
    absolute: Option<Absolute>,
    wire: Arc<Wire>,
    /// The input buffer holds the start of an early answer that ureq has not asked for yet.
    answer_is_in: bool,
    closed: bool,
    /// The final head of the answer has not come yet.
    in_head: bool,
}

impl Tap {
    /// Waits for input no longer than this once the output is broken: what the server said is there by then.
    const LAST_WORDS: Duration = Duration::from_millis(200);

    /// Takes informational answers (1xx) out of the input, but for the bare `100 Continue` that ureq waits for: with
    /// header fields, which RFC 9110 allows, it would be taken for garbage or for the answer. `false`: the input is
    /// the start of such an answer, or nothing, so more has to come first.
    fn drop_informational(&mut self) -> bool {
        while self.in_head {
            let buffers = self.inner.buffers();
            let input = buffers.input();
            let end = input
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
                .map(|at| at + 4);
            match (input.get(..12), end) {
                // 101 would switch to another protocol, which ureq refuses.
                (
                    Some(
                        [
                            b'H',
                            b'T',
                            b'T',
                            b'P',
                            b'/',
                            b'1',
                            b'.',
                            _,
                            b' ',
                            b'1',
                            a,
                            b,
                        ],
                    ),
                    end,
                ) if (a, b) != (&b'0', &b'1') => {
                    let is_continue = (a, b) == (&b'0', &b'0');
                    let Some(end) = end else {
                        return input.len() > MAX_HEAD;
                    };
                    if is_continue && end == CONTINUE.len() {
                        return true;
                    }
                    buffers.input_consume(end);
                    if is_continue && buffers.input().is_empty() {
                        buffers.input_append_buf()[..CONTINUE.len()].copy_from_slice(CONTINUE);
                        buffers.input_appended(CONTINUE.len());
                        return true;
                    }
                }
                (_, None) => return !input.is_empty(),
                (_, Some(_)) => self.in_head = false,
            }
        }
        true
    }

    fn transmit(
        &mut self,
        amount: usize,
        is_start: bool,
        timeout: NextTimeout,
    ) -> Result<(), ureq::Error> {
        let Some(absolute) = self.absolute.as_ref().filter(|_| is_start) else {
            return self.inner.transmit_output(amount, timeout);
        };
        let head = absolute.rewrite(&self.inner.buffers().output()[..amount]);
        let size = self.inner.buffers().output().len();
        for part in head.chunks(size) {
            self.inner.buffers().output()[..part.len()].copy_from_slice(part);
            self.inner.transmit_output(part.len(), timeout)?;
        }
        Ok(())
    }

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
        let is_start = !self.wire.sent.swap(true, Ordering::Relaxed);
        self.in_head = true;
        let timeout = self.stalling(timeout);
        let error = match self.transmit(amount, is_start, timeout) {
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
            Err(ureq::Error::Io(said)) if tls_error(&said).is_some() => Err(said.into()),
            _ => Err(error),
        }
    }

    fn maybe_await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        if self.drop_informational() && self.inner.buffers().can_use_input() {
            return Ok(true);
        }
        self.await_input(timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        if std::mem::take(&mut self.answer_is_in) {
            return Ok(true);
        }
        let timeout = match timeout.reason {
            Timeout::RecvBody if self.wire.transfer.load(Ordering::Relaxed) => NextTimeout {
                after: time::Duration::NotHappening,
                ..self.stalling(timeout)
            },
            Timeout::RecvBody => self.wire.limited(self.stalling(timeout)),
            _ => self.wire.limited(timeout),
        };
        // Informational answers without end take no longer than one that is final.
        let until = match timeout.after {
            time::Duration::Exact(after) => Instant::now().checked_add(after),
            time::Duration::NotHappening => None,
        };
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let after = left.map_or(time::Duration::NotHappening, time::Duration::Exact);
            let more = self.inner.await_input(NextTimeout { after, ..timeout })?;
            if !more || self.drop_informational() {
                return Ok(more);
            }
        }
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
