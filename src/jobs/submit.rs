//! The core: one POST that creates a job, or a character.

use std::time::Duration;

use crate::api::api_error::ApiErrorKind;
use crate::api::encoding::Encoding;
use crate::api::error::Error;
use crate::api::event::Event;
use crate::api::job::Job;
use crate::api::preview::{Preview, PreviewBody};
use crate::api::video_request::VideoRequest;
use crate::http::body::data_url::DataUrl;
use crate::http::body::multipart::Form;
use crate::http::headers::shown;
use crate::http::request::{Body, Request};
use crate::http::{Http, TextResponse};
use crate::random;
use crate::settings::Settings;
use crate::settings::header::Header;
use crate::text::shorten;

/// Creates a job. Sends the request with its own idempotency key, or with a random one.
pub(crate) fn submit(http: &Http, request: &VideoRequest) -> Result<Job, Error> {
    submit_with(http, request, &key_of(http, request), &mut |_| true)
}

/// Creates a job with this idempotency key. `before_retry` as in [`post`].
pub(crate) fn submit_with(
    http: &Http,
    request: &VideoRequest,
    key: &str,
    before_retry: &mut dyn FnMut(Duration) -> bool,
) -> Result<Job, Error> {
    post(http, request, key, before_retry, |response| {
        let job = Job::parse(response.body.as_str()).ok_or("contains no job id")?;
        Ok(job.created_now().with_poll_after(response.head.poll_after()))
    })
}

/// Creates a character, and returns the text of the response, JSON with its id.
pub(crate) fn submit_character(http: &Http, request: &VideoRequest) -> Result<String, Error> {
    let created = post(http, request, &key_of(http, request), &mut |_| true, |response| {
        // A character's id is in the same place as a job's.
        let has_id = Job::parse(response.body.as_str()).is_some();
        has_id.then(|| response.body.clone()).ok_or("contains no id")
    });
    created.map_err(|error| match error {
        Error::UnknownOutcome { reason, .. } => Error::UnknownOutcome { reason, list_url: None },
        error => error,
    })
}

fn key_of(http: &Http, request: &VideoRequest) -> String {
    own_key(http.settings(), request).unwrap_or_else(random::token)
}

/// The idempotency key that the request or the settings give.
pub(crate) fn own_key(settings: &Settings, request: &VideoRequest) -> Option<String> {
    let header = || settings.headers.iter().rev().find_map(Header::idempotency_key);
    request.idempotency_key.clone().or_else(|| header().map(str::to_owned))
}

/// Sends the request with this idempotency key, and once more in another encoding where the server
/// responds with 415. A stream that was read is not sent again.
///
/// `before_retry` is called before each POST but the first with the delay before it, and returns
/// whether to go on. `parse` reads a response, or returns what is wrong with it.
fn post<T>(
    http: &Http,
    request: &VideoRequest,
    key: &str,
    before_retry: &mut dyn FnMut(Duration) -> bool,
    parse: fn(&TextResponse) -> Result<T, &'static str>,
) -> Result<T, Error> {
    let (first, second) = request.encodings();
    let body = body(request, first)?;
    let is_streamed = body.len().is_none();
    let result = post_body(http, request, body, key, before_retry);
    let response = match result {
        Err(Error::Api(mut error)) => {
            if error.kind == ApiErrorKind::UnsupportedEncoding
                && !is_streamed
                && let Some(second) = second
                && before_retry(Duration::ZERO)
            {
                (http.report)(&Event::EncodingSwitched { to: second });
                // The server may have stored its response to the key, or refuse the key with
                // another body.
                let key = format!("{key}-2");
                post_body(http, request, self::body(request, second)?, &key, before_retry)?
            } else {
                if matches!(error.status, 400 | 415 | 422) {
                    error.other_encoding = request.other_encoding(first);
                }
                return Err(Error::Api(error));
            }
        }
        result => result?,
    };
    parse(&response).map_err(|reason| {
        let start = http.settings().redact(shorten(&response.body));
        let sent = Request::post(&request.path, Body::None, &[]);
        http.no_response(&sent, format!("the response {reason}: '{start}'"))
    })
}

fn post_body(
    http: &Http,
    request: &VideoRequest,
    body: Body<'_>,
    idempotency_key: &str,
    before_retry: &mut dyn FnMut(Duration) -> bool,
) -> Result<TextResponse, Error> {
    let headers = [("Idempotency-Key", idempotency_key)];
    http.text_with(&Request::post(&request.path, body, &headers), before_retry)
}

/// The request body in one of the encodings other than [`Encoding::Auto`].
fn body(request: &VideoRequest, encoding: Encoding) -> Result<Body<'_>, Error> {
    let rule = &request.operation.rules().reference;
    let upload = request.upload();
    Ok(match (encoding, upload) {
        (Encoding::Multipart, _) => {
            let file = upload.map(|upload| (rule.field, upload));
            Body::Form(Form::new(&request.to_parts(), file, random::token())?)
        }
        (_, Some(upload)) => Body::DataUrl(DataUrl::new(&request.json, rule, upload)?),
        (_, None) => Body::Json(&request.json),
    })
}

/// The request that would be sent, with secrets redacted. Nothing is sent.
pub(crate) fn preview(http: &Http, request: &VideoRequest) -> Result<Preview, Error> {
    let own = own_key(http.settings(), request);
    let key = own.as_deref().unwrap_or("[random]");
    let body = body(request, request.encodings().0)?;
    let redact = |text: String| http.settings().redact(text);
    let content = match &body {
        Body::None => PreviewBody::Json(String::new()),
        Body::Json(json) => PreviewBody::Json(redact((*json).to_owned())),
        Body::DataUrl(body) => PreviewBody::Json(redact(body.preview())),
        Body::Form(form) => {
            let parts = request.to_parts().into_iter();
            let parts = parts.map(|(name, text)| (name, redact(text))).collect();
            PreviewBody::Form { parts, file: form.file_part() }
        }
    };
    let headers = [("Idempotency-Key", key)];
    let sent = Request::post(&request.path, body, &headers);
    Ok(Preview {
        method: sent.method.name(),
        url: redact(http.url(&request.path)),
        headers: shown(&sent.headers(http.settings(), sent.expects_continue())),
        body: content,
    })
}
