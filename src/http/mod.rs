//! The only user of ureq, with the modules inside it: sends a request, follows a redirect where that is safe, tells
//! what came of it, and goes round again as [`retry`] allows.

pub(crate) mod attempt;
pub(crate) mod body;
pub(crate) mod outcome;
pub(crate) mod request;
pub(crate) mod retry;

use std::io::{self, Read};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ureq::unversioned::transport::Connector;
use ureq::{Agent, BodyReader, SendBody, config::Config, http};

use crate::api::api_error::ApiErrorKind;
use crate::api::error::Error;
use crate::api::event::{Event, Report};
pub(crate) use crate::http::attempt::{AttemptError, FailedAttempt};
use crate::http::body::upload_meter::UploadMeter;
use crate::http::request::{Body, Headers, Method, Request, ResponseHead, shown};
use crate::http::retry::Policy;
use crate::net::buffers::MAX_HEAD;
use crate::net::connect::ServerConnector;
use crate::net::direct_read::DirectBody;
use crate::net::proxy_handshake::credentials_error;
use crate::net::routes::Routes;
use crate::net::tracker::{Tracker, TrackingConnector};
use crate::net::transport::NoResolver;
use crate::random;
use crate::settings::Settings;
use crate::text::shorten;
use crate::url;

/// The most of a JSON answer that is read, in bytes. A job has a few hundred.
const MAX_JSON: u64 = 16 * 1024 * 1024;
/// The most of an error's body that is read, in bytes.
const MAX_ERROR: u64 = 64 * 1024;
/// How long to wait for `100 Continue` from servers that do not know it: curl's figure.
const EXPECT_WAIT: Duration = Duration::from_secs(1);
/// An idle connection may wait this long for its next request; longer than any pause between polls.
const MAX_IDLE: Duration = Duration::from_secs(300);
const MAX_REDIRECTS: u32 = 10;

/// Sends requests to one server over as few connections as it allows.
pub(crate) struct Http {
    agent: Agent,
    settings: Settings,
    routes: Arc<Routes>,
    wire: Arc<Tracker>,
    pub(crate) report: Report,
}

/// An answer whose body is still on its way.
pub(crate) struct Response {
    pub(crate) head: ResponseHead,
    pub(crate) body: BodyReader<'static>,
    /// Of the body, in bytes, where the server says.
    pub(crate) length: Option<u64>,
}

/// An answer that was read whole.
pub(crate) struct TextResponse {
    pub(crate) head: ResponseHead,
    pub(crate) body: String,
}

impl Http {
    pub(crate) fn new(settings: Settings, report: Report) -> Self {
        let wire = Arc::new(Tracker::new(&settings));
        let config = Config::builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent("")
            .accept("")
            .max_response_header_size(MAX_HEAD)
            .max_idle_age(MAX_IDLE)
            .timeout_await_100(Some(EXPECT_WAIT))
            .timeout_recv_response(Some(settings.timeout))
            // For the tap to see that a body is on its way; how long it may take depends on what it is.
            .timeout_recv_body(Some(Settings::LONGEST))
            .build();
        let routes = Arc::new(Routes::new(&settings));
        let connector = ServerConnector::new(
            &settings,
            Arc::clone(&routes),
            Arc::clone(&wire),
            Arc::clone(&report),
        )
        .chain(TrackingConnector { tracker: Arc::clone(&wire), routes: Arc::clone(&routes) });
        Self {
            agent: Agent::with_parts(config, connector, NoResolver),
            settings,
            routes,
            wire,
            report,
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Neither a connection nor an answer's head is waited for beyond this time, whatever timeout each has.
    pub(crate) fn limit_answers(&self, until: Option<Instant>) {
        self.wire.set_deadline(until);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.settings.base_url.as_str())
    }

    /// Sends a request until it is answered well, or may not or need not be sent again, and gives a 2xx answer.
    ///
    /// # Errors
    /// As section "Errors" of [`Client::extend`](crate::Client::extend) lists them.
    pub(crate) fn text(&self, request: &Request<'_>) -> Result<TextResponse, Error> {
        self.attempts(request).map_err(|(last, earlier)| match (request.method, earlier) {
            // What a later attempt met says nothing about the job that an earlier one may have made.
            (Method::Post, Some(earlier)) => earlier,
            _ => last,
        })
    }

    /// Deletes what is at this path and gives the response's text. Where an attempt may have been performed and the
    /// next one finds nothing, that attempt has deleted it, and the text is empty.
    ///
    /// # Errors
    /// As [`Http::text`].
    pub(crate) fn delete(&self, path: &str) -> Result<String, Error> {
        let request = Request { method: Method::Delete, ..Request::get(path) };
        match self.attempts(&request) {
            Ok(text) => Ok(text.body),
            Err((Error::Api(api), Some(_)))
                if matches!(api.kind, ApiErrorKind::NotFound | ApiErrorKind::Gone) =>
            {
                Ok(String::new())
            }
            Err((error, _)) => Err(error),
        }
    }

    /// Sends a request until it succeeds or may not be sent again. The error is the last attempt's, and beside it
    /// the one of an earlier attempt that may have been performed.
    fn attempts(&self, request: &Request<'_>) -> Result<TextResponse, (Error, Option<Error>)> {
        let mut done = 0;
        let mut earlier = None;
        loop {
            let failed = match self.once(request) {
                Ok(text) => return Ok(text),
                Err(failed) => failed,
            };
            match self.delay(request, done, &failed) {
                Some(after) => self.pause(&mut done, after, &failed),
                None => return Err((failed.error, earlier)),
            }
            if failed.may_be_performed() {
                earlier = Some(failed.error);
            }
        }
    }

    /// How long to wait before this request may be sent once more, after `done` retries.
    pub(crate) fn delay(
        &self,
        request: &Request<'_>,
        done: u32,
        miss: &FailedAttempt,
    ) -> Option<Duration> {
        let policy = Policy {
            max_retries: if request.is_streamed() { 0 } else { self.settings.max_retries },
            retry_unsafe: self.settings.retry_unsafe,
        };
        retry::delay(
            policy,
            request.is_safe_to_retry(),
            done,
            miss.retry,
            miss.asked,
            random::fraction(),
        )
    }

    /// Tells of the next retry, and waits for it.
    pub(crate) fn pause(&self, done: &mut u32, after: Duration, miss: &FailedAttempt) {
        *done += 1;
        let of = self.settings.max_retries;
        (self.report)(&Event::Retry {
            after,
            asked: miss.asked.is_some(),
            number: *done,
            of,
            why: &miss.error,
        });
        thread::sleep(after);
    }

    /// Sends a request once, and reads the answer whole.
    pub(crate) fn once(&self, request: &Request<'_>) -> Result<TextResponse, FailedAttempt> {
        let answer = self.open(request).and_then(|mut opened| {
            let body = self.read(&opened.head, &mut opened.body)?;
            Ok(TextResponse { head: opened.head, body })
        });
        match answer {
            Ok(text) if text.head.is_success() => Ok(text),
            Ok(text) => Err(self.refused(request, &text.head, &text.body)),
            Err(failure) => Err(self.missed(request, failure)),
        }
    }

    /// Sends a request once and gives the answer as soon as its head is there, whatever its status. A GET follows
    /// redirects; away from the server that the user named it carries none of their headers.
    pub(crate) fn open(&self, request: &Request<'_>) -> Result<Response, AttemptError> {
        let home = self.url(request.path);
        let mut url = home.clone();
        let mut ask_first = request.asks_first();
        for _ in 0..=MAX_REDIRECTS {
            let at_home = url::origin(&url) == url::origin(&home);
            let headers = match at_home {
                true => request.headers(&self.settings, ask_first),
                false => request.cross_origin_headers(),
            };
            let opened = self.exchange(request, &url, &headers)?;
            let location = opened.head.header("location").unwrap_or_default();
            match opened.head.status {
                // The server does not know `Expect`; it has read nothing of the body (RFC 9110, 10.1.1).
                417 if ask_first && !request.is_streamed() => ask_first = false,
                301 | 302 | 303 | 307 | 308 if request.method == Method::Get => {
                    url = match url::resolve(&url, location) {
                        // What came over an encrypted connection does not go on over a plain one.
                        Some(next) if !url.starts_with("https:") || next.starts_with("https:") => {
                            next
                        }
                        _ => {
                            return Err(AttemptError::Final(
                                self.refused(request, &opened.head, "").error,
                            ));
                        }
                    };
                }
                // Another server's refusal is none of this one: it may be a link that has run out by now.
                status @ 400.. if !at_home => {
                    let host = url::authority(&url);
                    let why =
                        format!("{host}, where the server redirects to, answered HTTP {status}");
                    return Err(AttemptError::Cut(why));
                }
                _ => return Ok(opened),
            }
        }
        Err(AttemptError::Cut(format!("it was redirected more than {MAX_REDIRECTS} times")))
    }

    fn exchange(
        &self,
        request: &Request<'_>,
        url: &str,
        headers: &Headers,
    ) -> Result<Response, AttemptError> {
        let method = request.method.name();
        let is_own = url == self.url(request.path);
        let shown_url = match is_own {
            true => url.to_owned(),
            false => url::without_secrets(url),
        };
        (self.report)(&Event::Request { method, url: &shown_url, headers: &shown(headers) });
        self.wire.start();

        let unusable = |error: http::Error| match is_own {
            true => AttemptError::Final(Error::invalid(format!(
                "cannot send a request to '{url}': {error}"
            ))),
            false => AttemptError::Cut(format!(
                "the server redirects to '{}', which is no usable URL",
                shorten(&shown_url)
            )),
        };
        let uri: http::Uri =
            url.parse().map_err(|error: http::uri::InvalidUri| unusable(error.into()))?;
        let message = headers.iter().fold(
            http::Request::builder().method(method).uri(uri.clone()),
            |message, (name, value)| message.header(name, value),
        );
        let reader: Box<dyn Read + '_> = match &request.body {
            Body::None => Box::new(io::empty()),
            Body::Json(text) => Box::new(text.as_bytes()),
            Body::Form(form) => {
                Box::new(form.open(self.settings.stall_timeout).map_err(AttemptError::Final)?)
            }
        };
        let mut reader = UploadMeter {
            reader,
            wire: &self.wire,
            report: &self.report,
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
            return Err(AttemptError::Final(error));
        }
        let (head, body) = response.map_err(|error| self.failure(error, url))?.into_parts();
        let head = ResponseHead { status: head.status.as_u16(), headers: pairs(&head.headers) };
        (self.report)(&Event::Response { status: head.status, headers: &shown(&head.headers) });
        if head.status == 407
            && self.routes.absolute(&uri).is_some()
            && let Some(proxy) = self.routes.proxy(&uri)
        {
            let source = credentials_error(proxy).at_proxy(proxy);
            return Err(self.failure(ureq::Error::Other(source.into()), url));
        }
        Ok(Response { head, length: body.content_length(), body: body.into_reader() })
    }

    /// The body of the answer that was opened last, if it is one that may take any time, as long as it moves.
    pub(crate) fn transfer(&self, body: BodyReader<'static>, length: Option<u64>) -> Box<dyn Read> {
        self.wire.start_transfer(length.is_some());
        match length {
            Some(length) => Box::new(DirectBody::new(body, length)),
            None => Box::new(body),
        }
    }

    /// Reads a body of JSON whole, or as much of an error's as is worth showing.
    pub(crate) fn read(
        &self,
        head: &ResponseHead,
        body: &mut dyn Read,
    ) -> Result<String, AttemptError> {
        let success = head.is_success();
        let most = if success { MAX_JSON } else { MAX_ERROR };
        let mut bytes = Vec::new();
        let ended = body.take(most + 1).read_to_end(&mut bytes);
        (self.report)(&Event::BodyRead { size: bytes.len() as u64 });
        match ended {
            Ok(_) if success && bytes.len() as u64 > MAX_JSON => {
                Err(AttemptError::Cut(format!("the answer is larger than {} MiB", MAX_JSON >> 20)))
            }
            Ok(_) => match String::from_utf8(bytes) {
                // A byte order mark is no part of the JSON.
                Ok(text) => Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
                Err(_) if success => Err(AttemptError::Cut("the answer is not UTF-8".to_owned())),
                Err(error) => Ok(String::from_utf8_lossy(error.as_bytes()).into_owned()),
            },
            // The status is known: what there is of the text is enough.
            Err(_) if !success => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => Err(self.broken_off(error)),
        }
    }
}

fn pairs(headers: &http::HeaderMap) -> Headers {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}
