//! Failed attempts: whether a byte of the request was sent, which error the request ends with, and
//! whether the request may be sent again.

use std::io;
use std::time::Duration;

use ureq::Timeout;

use crate::api::api_error::{ApiError, ApiErrorKind};
use crate::api::error::Error;
use crate::http::outcome::{Facts, Location, Outcome, classify};
use crate::http::request::{Method, Request};
use crate::http::response::ResponseHead;
use crate::http::retry::{LONGEST_ASKED, Retry};
use crate::net::buffers::MAX_HEAD;
use crate::net::connect_error::ConnectError;
use crate::net::tls_errors::{self, tls_error};
use crate::net::tracker::Tracker;
use crate::settings::Settings;
use crate::text::shorten;
use crate::url;

/// The reason why an attempt has no response.
pub(crate) enum AttemptError {
    /// Another attempt would fail in the same way: a file cannot be read, or a redirect cannot be
    /// followed.
    Final(Error),
    /// No byte of the request was sent.
    NotSent {
        /// `host:port`, or the host alone. After a redirect it is not the host of the base URL.
        host: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The request was sent, and no readable response came, for this reason.
    NoResponse(String),
    /// The response is too large, for this reason.
    TooLarge(String),
}

/// A failed attempt: the error to end with, and the facts that
/// [`retry::delay`](crate::http::retry::delay) needs.
pub(crate) struct FailedAttempt {
    pub(crate) error: Error,
    pub(crate) retry: Retry,
    /// The delay before a retry that the response asks for.
    pub(crate) asked: Option<Duration>,
    /// The interval before the next poll that the response sets.
    pub(crate) poll_after: Option<Duration>,
}

impl AttemptError {
    /// Converts an error of ureq. `url` is the URL that the attempt was sent to.
    pub(crate) fn new(
        error: ureq::Error,
        url: &str,
        settings: &Settings,
        tracker: &Tracker,
    ) -> Self {
        let not_sent = |source| AttemptError::NotSent { host: url::authority(url), source };
        let reason = match error {
            ureq::Error::Timeout(timeout) => timeout_reason(timeout, settings, tracker),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                "the server closed the connection".to_owned()
            }
            ureq::Error::Io(error) => match tls_error(&error) {
                // The server ended the handshake, so it has not read the request. In TLS 1.3 its
                // alert comes after the client's side of the handshake is done and the request is
                // sent.
                Some(&rustls::Error::AlertReceived(alert))
                    if tls_errors::is_about_client_certificate(alert) =>
                {
                    let reason = tls_errors::explain(&rustls::Error::AlertReceived(alert));
                    return not_sent(reason.into());
                }
                _ if !tracker.is_sent() => return not_sent(error.into()),
                _ => error.to_string(),
            },
            // From `net::connect`: there is no connection.
            ureq::Error::Other(error) if error.is::<ConnectError>() => return not_sent(error),
            ureq::Error::Protocol(error) => format!("the response is not HTTP: {error}"),
            ureq::Error::LargeResponseHeader(..) => {
                format!("the response head is larger than {} KiB", MAX_HEAD >> 10)
            }
            error => error.to_string(),
        };
        if tracker.is_sent() { AttemptError::NoResponse(reason) } else { not_sent(reason.into()) }
    }

    /// Reads an error that came up while the body of a response was read: whatever it is, the
    /// request was sent.
    pub(crate) fn in_body(error: io::Error, settings: &Settings, tracker: &Tracker) -> Self {
        match Self::new(error.into(), settings.base_url.as_str(), settings, tracker) {
            AttemptError::NotSent { source, .. } => AttemptError::NoResponse(source.to_string()),
            error => error,
        }
    }
}

fn timeout_reason(timeout: Timeout, settings: &Settings, tracker: &Tracker) -> String {
    let is_deadline = tracker.is_past_deadline();
    match timeout {
        Timeout::PerRead | Timeout::PerWrite => {
            format!("no data transferred for {:?}", settings.stall_timeout)
        }
        Timeout::RecvResponse if is_deadline => "no response before the deadline".to_owned(),
        Timeout::RecvResponse => format!("no response within {:?}", settings.timeout),
        Timeout::RecvBody if is_deadline => {
            "the response was not complete before the deadline".to_owned()
        }
        Timeout::RecvBody => format!("the response was not complete within {:?}", settings.timeout),
        timeout => ureq::Error::Timeout(timeout).to_string(),
    }
}

impl FailedAttempt {
    /// An attempt without a response.
    pub(crate) fn without_response(
        request: &Request<'_>,
        error: AttemptError,
        settings: &Settings,
    ) -> Self {
        let (error, retry) = match error {
            AttemptError::Final(error) => (error, Retry::Never),
            AttemptError::NotSent { host, source } => {
                (Error::Connect { host, source }, Retry::Always)
            }
            AttemptError::NoResponse(reason) => {
                (no_response(request, reason, settings), Retry::IfSafe)
            }
            AttemptError::TooLarge(reason) => match no_response(request, reason, settings) {
                Error::NoResponse { request, reason } => {
                    (Error::TooLarge { request, reason }, Retry::IfSafe)
                }
                error => (error, Retry::IfSafe),
            },
        };
        Self { error, retry, asked: None, poll_after: None }
    }

    /// An attempt with an error response, or a redirect that is not followed. `body` is the text of
    /// the response.
    pub(crate) fn with_response(
        request: &Request<'_>,
        head: &ResponseHead,
        body: &str,
        settings: &Settings,
    ) -> Self {
        let asked = head.asked_delay();
        let mut api = ApiError::read(head.status, &settings.redact(body.to_owned()));
        api.request_id = head.header("x-request-id").map(|id| settings.redact(id.to_owned()));
        api.retry_after = asked.filter(|asked| *asked > LONGEST_ASKED);
        let target = head.header("location");
        let redirect = || redirect(head.status, target.unwrap_or_default(), settings);
        let outcome = classify(&Facts {
            method: request.method,
            status: head.status,
            code: api.code.as_deref(),
            should_retry: head.header("x-should-retry").and_then(|text| text.trim().parse().ok()),
            location: location(&request.url(settings), target),
            body,
        });
        let (error, retry) = match outcome {
            Outcome::Redirect => (redirect(), Retry::Never),
            Outcome::Error { kind, retry } => {
                api.kind = kind;
                (Error::Api(Box::new(api)), retry)
            }
            Outcome::Unknown { retry } if target.is_some() => {
                (unknown_outcome(redirect().to_string(), settings), retry)
            }
            Outcome::Unknown { retry } => (unknown_outcome(api.to_string(), settings), retry),
            // Not called for a 2xx.
            Outcome::Success => (no_response(request, api.to_string(), settings), Retry::Never),
        };
        let is_unavailable =
            matches!(outcome, Outcome::Error { kind: ApiErrorKind::Unavailable, .. });
        Self { error, retry, asked, poll_after: head.poll_interval(is_unavailable) }
    }

    /// Whether the server may have performed the request, or performs one with the same idempotency
    /// key (409).
    pub(crate) fn may_be_performed(&self) -> bool {
        match &self.error {
            Error::UnknownOutcome { .. } | Error::NoResponse { .. } | Error::TooLarge { .. } => {
                true
            }
            Error::Api(api) => {
                matches!(api.kind, ApiErrorKind::ServerError | ApiErrorKind::Conflict)
            }
            _ => false,
        }
    }
}

impl From<Error> for FailedAttempt {
    /// A local failure, which another attempt would not change.
    fn from(error: Error) -> Self {
        Self { error, retry: Retry::Never, asked: None, poll_after: None }
    }
}

/// The error of a request that was sent and has no readable response.
pub(crate) fn no_response(request: &Request<'_>, reason: String, settings: &Settings) -> Error {
    match request.method {
        Method::Post => unknown_outcome(reason, settings),
        Method::Get | Method::Delete => Error::NoResponse { request: request.name(), reason },
    }
}

fn unknown_outcome(reason: String, settings: &Settings) -> Error {
    Error::UnknownOutcome { reason, list_url: Some(list_url(settings)) }
}

/// The URL that lists recent jobs, for a request whose outcome is unknown.
pub(crate) fn list_url(settings: &Settings) -> String {
    Request::get("/videos?order=desc&limit=5").url(settings)
}

fn redirect(status: u16, target: &str, settings: &Settings) -> Error {
    let target = url::without_secrets(&settings.redact(target.to_owned()));
    Error::Redirect { status, target: shorten(&target) }
}

fn location(url: &str, target: Option<&str>) -> Location {
    match target {
        None => Location::None,
        Some(target) if url::differs_in_scheme(url, target) => Location::OtherScheme,
        Some(_) => Location::Elsewhere,
    }
}
