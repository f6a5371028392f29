//! HTTP for the jobs: a request is sent, and sent again where [`retry`] allows.
//!
//! From the bottom: [`body`], [`headers`], [`request`] and [`response`] are data; [`outcome`]
//! classifies a response and [`retry`] decides when to try again, both pure; [`attempt`] turns
//! failures into errors; [`exchange`] sends one request and
//! reads the head of its response; this file has the retry loop.

pub(crate) mod attempt;
pub(crate) mod body;
pub(crate) mod exchange;
pub(crate) mod headers;
pub(crate) mod outcome;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod retry;

use std::thread;
use std::time::Duration;

use crate::api::api_error::ApiErrorKind;
use crate::api::error::Error;
use crate::api::event::Event;
use crate::http::attempt::no_response;
pub(crate) use crate::http::attempt::{AttemptError, FailedAttempt};
pub(crate) use crate::http::exchange::Http;
use crate::http::request::{Method, Request};
use crate::http::response::ResponseHead;
pub(crate) use crate::http::response::{Response, TextResponse};
use crate::http::retry::Policy;
use crate::random;
use crate::settings::Settings;

impl Http {
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The URL of a path below the base URL.
    pub(crate) fn url(&self, path: &str) -> String {
        Request::get(path).url(&self.settings)
    }

    /// Sends a request until it succeeds or may not be sent again, and returns the 2xx response.
    ///
    /// # Errors
    /// As section "Errors" of [`Client::extend`](crate::Client::extend) lists them.
    pub(crate) fn text(&self, request: &Request<'_>) -> Result<TextResponse, Error> {
        self.text_with(request, &mut |_| true)
    }

    /// As [`Http::text`]. `before_retry` is called with each delay before a retry, and returns
    /// whether to go on.
    pub(crate) fn text_with(
        &self,
        request: &Request<'_>,
        before_retry: &mut dyn FnMut(Duration) -> bool,
    ) -> Result<TextResponse, Error> {
        let mut earlier = None;
        let response = self.attempts(request, &mut earlier, before_retry);
        response.map_err(|last| match (request.method, earlier) {
            // The last attempt's failure says nothing about the job that an earlier one may have
            // created.
            (Method::Post, Some(earlier)) => earlier,
            _ => last,
        })
    }

    /// Deletes the resource at this path and returns the text of the response. Where an attempt may
    /// have been performed and the next one finds nothing, that attempt has deleted it, and the
    /// text is empty.
    ///
    /// # Errors
    /// As [`Http::text`].
    pub(crate) fn delete(&self, path: &str) -> Result<String, Error> {
        let mut earlier = None;
        match self.attempts(&Request::delete(path), &mut earlier, &mut |_| true) {
            Ok(response) => Ok(response.body),
            Err(Error::Api(api))
                if earlier.is_some()
                    && matches!(api.kind, ApiErrorKind::NotFound | ApiErrorKind::Gone) =>
            {
                Ok(String::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Sends a request until it succeeds or may not be sent again. The error is that of the last
    /// attempt; `earlier` gets that of an earlier one that the server may have performed.
    fn attempts(
        &self,
        request: &Request<'_>,
        earlier: &mut Option<Error>,
        before_retry: &mut dyn FnMut(Duration) -> bool,
    ) -> Result<TextResponse, Error> {
        let mut retries = 0;
        loop {
            let failed = match self.once(request) {
                Ok(response) => return Ok(response),
                Err(failed) => failed,
            };
            match self.delay(request, retries, &failed) {
                Some(delay) if before_retry(delay) => self.pause(&mut retries, delay, &failed),
                _ => return Err(failed.error),
            }
            // An unknown outcome says more than a conflict that follows it.
            let is_unknown = matches!(earlier, Some(Error::UnknownOutcome { .. }));
            if failed.may_be_performed() && !is_unknown {
                *earlier = Some(failed.error);
            }
        }
    }

    /// The delay before this request is sent again, after this many retries; `None` if it may not
    /// be.
    pub(crate) fn delay(
        &self,
        request: &Request<'_>,
        retries: u32,
        failed: &FailedAttempt,
    ) -> Option<Duration> {
        let policy = Policy {
            max_retries: if request.is_streamed() { 0 } else { self.settings.max_retries },
            retry_unsafe: self.settings.retry_unsafe,
        };
        let is_safe = request.is_safe_to_retry();
        retry::delay(policy, is_safe, retries, failed.retry, failed.asked, random::fraction())
    }

    /// Reports the next retry, counts it, and sleeps until it is due.
    pub(crate) fn pause(&self, retries: &mut u32, after: Duration, failed: &FailedAttempt) {
        *retries += 1;
        (self.report)(&Event::Retry {
            after,
            asked: failed.asked.is_some(),
            number: *retries,
            max_retries: self.settings.max_retries,
            error: &failed.error,
        });
        thread::sleep(after);
    }

    /// Sends a request once and reads the response whole.
    pub(crate) fn once(&self, request: &Request<'_>) -> Result<TextResponse, FailedAttempt> {
        let response = self.open(request).and_then(|mut response| {
            let body = self.read(&response.head, &mut response.body)?;
            Ok(TextResponse { head: response.head, body })
        });
        match response {
            Ok(response) if response.head.is_success() => Ok(response),
            Ok(response) => Err(self.refused(request, &response.head, &response.body)),
            Err(error) => Err(self.failed(request, error)),
        }
    }

    /// The failed attempt for an error response, or for a redirect that is not followed.
    pub(crate) fn refused(
        &self,
        request: &Request<'_>,
        head: &ResponseHead,
        body: &str,
    ) -> FailedAttempt {
        FailedAttempt::with_response(request, head, body, &self.settings)
    }

    /// The failed attempt for a request without a response.
    pub(crate) fn failed(&self, request: &Request<'_>, error: AttemptError) -> FailedAttempt {
        FailedAttempt::without_response(request, error, &self.settings)
    }

    /// The error of a request that was sent and has no readable response, for this reason.
    pub(crate) fn no_response(&self, request: &Request<'_>, reason: String) -> Error {
        no_response(request, reason, &self.settings)
    }
}
