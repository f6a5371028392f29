//! What it means that an attempt did not go well: whether anything was sent, and which error the call ends with if
//! it is not sent again.

use std::io;
use std::time::Duration;

use ureq::Timeout;

use crate::api::api_error::{ApiError, ApiErrorKind};
use crate::api::error::Error;
use crate::http::Http;
use crate::http::outcome::{Facts, Location, Outcome, classify};
use crate::http::request::{Method, Request, ResponseHead};
use crate::http::retry::{LONGEST_ASKED, Retry};
use crate::net::buffers::MAX_HEAD;
use crate::net::connect_error::ConnectError;
use crate::net::tls_errors::{self, tls_error};
use crate::text::shorten;
use crate::url;

/// Why an attempt brought no answer.
pub(crate) enum AttemptError {
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

/// A failed attempt: the error to end with, and what [`retry::delay`](crate::http::retry::delay) needs to know.
pub(crate) struct FailedAttempt {
    pub(crate) error: Error,
    pub(crate) retry: Retry,
    /// The delay that the response asks for.
    pub(crate) asked: Option<Duration>,
}

impl FailedAttempt {
    /// Whether the server may have performed the request all the same.
    pub(crate) fn may_be_performed(&self) -> bool {
        match &self.error {
            Error::UnknownOutcome { .. } | Error::NoResponse { .. } => true,
            Error::Api(api) => api.kind == ApiErrorKind::ServerError,
            _ => false,
        }
    }
}

impl Http {
    /// The failure that an error response or a redirect is; `body` is its text.
    pub(crate) fn refused(
        &self,
        request: &Request<'_>,
        head: &ResponseHead,
        body: &str,
    ) -> FailedAttempt {
        let mut api = ApiError::read(head.status, &self.settings.redact(body.to_owned()));
        let location = head.header("location");
        let outcome = classify(&Facts {
            method: request.method,
            status: head.status,
            code: api.code.as_deref(),
            should_retry: head.header("x-should-retry").and_then(|text| text.trim().parse().ok()),
            location: location.map_or(Location::None, |target| {
                let is_same = url::differs_in_scheme(&self.url(request.path), target);
                if is_same { Location::OtherScheme } else { Location::Elsewhere }
            }),
            body,
        });
        let asked = head.asked_delay();
        api.request_id = head.header("x-request-id").map(|id| self.settings.redact(id.to_owned()));
        api.retry_after = asked.filter(|asked| *asked > LONGEST_ASKED);
        let redirect = || Error::Redirect {
            status: head.status,
            target: shorten(&url::without_secrets(
                &self.settings.redact(location.unwrap_or_default().to_owned()),
            )),
        };
        let (error, retry) = match outcome {
            Outcome::Redirect => (redirect(), Retry::Never),
            Outcome::Error { kind, retry } => {
                api.kind = kind;
                (Error::Api(Box::new(api)), retry)
            }
            Outcome::Unknown { retry } if location.is_some() => {
                (self.unknown(redirect().to_string()), retry)
            }
            Outcome::Unknown { retry } => (self.unknown(api.to_string()), retry),
            // The caller has read it as a failure.
            Outcome::Success => (self.unknown(api.to_string()), Retry::Never),
        };
        FailedAttempt { error, retry, asked }
    }

    /// What a missing answer means.
    pub(crate) fn missed(&self, request: &Request<'_>, failure: AttemptError) -> FailedAttempt {
        match failure {
            AttemptError::Final(error) => FailedAttempt { error, retry: Retry::Never, asked: None },
            AttemptError::NotSent { host, source } => FailedAttempt {
                error: Error::Connect { host, source },
                retry: Retry::Always,
                asked: None,
            },
            AttemptError::Cut(why) => {
                let error = self.cut(request, why);
                FailedAttempt { error, retry: Retry::IfSafe, asked: None }
            }
        }
    }

    /// The error for an answer that did not come or cannot be read.
    pub(crate) fn cut(&self, request: &Request<'_>, why: String) -> Error {
        match request.method {
            Method::Post => self.unknown(why),
            method => {
                Error::NoResponse { request: format!("{} {}", method.name(), request.path), why }
            }
        }
    }

    fn unknown(&self, why: String) -> Error {
        Error::UnknownOutcome { why, list_url: self.list_url() }
    }

    /// Where to look for a job of unknown fate.
    pub(crate) fn list_url(&self) -> String {
        self.url("/videos?order=desc&limit=5")
    }

    /// What an error while reading an opened answer means.
    pub(crate) fn broken_off(&self, error: io::Error) -> AttemptError {
        match self.failure(error.into(), self.settings.base_url.as_str()) {
            // Whatever TLS says now: somebody has read the request and answered it.
            AttemptError::NotSent { source, .. } => AttemptError::Cut(source.to_string()),
            failure => failure,
        }
    }

    pub(crate) fn failure(&self, error: ureq::Error, url: &str) -> AttemptError {
        let settings = &self.settings;
        let not_sent = |source| AttemptError::NotSent { host: url::authority(url), source };
        let why = match error {
            ureq::Error::Timeout(Timeout::PerRead | Timeout::PerWrite) => {
                format!("no byte moved for {:?}", settings.stall_timeout)
            }
            ureq::Error::Timeout(Timeout::RecvResponse) if self.wire.is_past_deadline() => {
                "no answer came before the time was up".to_owned()
            }
            ureq::Error::Timeout(Timeout::RecvBody) if self.wire.is_past_deadline() => {
                "the answer was not complete before the time was up".to_owned()
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
                Some(&rustls::Error::AlertReceived(alert))
                    if tls_errors::is_about_client_certificate(alert) =>
                {
                    let why = tls_errors::explain(&rustls::Error::AlertReceived(alert));
                    return not_sent(why.into());
                }
                _ if !self.wire.is_sent() => return not_sent(error.into()),
                _ => error.to_string(),
            },
            // From `dial` or `names`: there is no connection yet.
            ureq::Error::Other(error) if error.is::<ConnectError>() => {
                return not_sent(error);
            }
            ureq::Error::Protocol(error) => format!("the answer is not HTTP: {error}"),
            ureq::Error::LargeResponseHeader(..) => {
                format!("the head of the answer is larger than {} KiB", MAX_HEAD >> 10)
            }
            error => error.to_string(),
        };
        if self.wire.is_sent() { AttemptError::Cut(why) } else { not_sent(why.into()) }
    }
}
