//! One POST that creates a job.

use std::time::Duration;

use crate::api::api_error::ApiErrorKind;
use crate::api::error::Error;
use crate::api::event::Event;
use crate::api::extension::{Encoding, Extension};
use crate::api::job::Job;
use crate::api::preview::{FilePart, Preview, PreviewBody};
use crate::http::Http;
use crate::http::body::multipart::Form;
use crate::http::headers::shown;
use crate::http::request::{Body, Request};
use crate::random;
use crate::text::shorten;

const EXTENSIONS: &str = "/videos/extensions";

/// Sends the request with its own idempotency key, or with a random one.
pub(crate) fn submit(http: &Http, extension: &Extension) -> Result<Job, Error> {
    let key = extension.idempotency_key.clone().unwrap_or_else(random::token);
    submit_with(http, extension, &key, &mut |_| true)
}

/// Sends the request with this idempotency key, and once more in the other encoding where the server asks for that.
///
/// `before_retry` is called before each POST but the first with the delay before it, and returns whether to go on.
pub(crate) fn submit_with(
    http: &Http,
    extension: &Extension,
    key: &str,
    before_retry: &mut dyn FnMut(Duration) -> bool,
) -> Result<Job, Error> {
    let mut form_key = key.to_owned();
    if !extension.wants_form() {
        match post(http, Body::Json(&extension.to_json()), key, before_retry) {
            Err(Error::Api(error))
                if error.kind == ApiErrorKind::UnsupportedEncoding
                    && extension.encoding == Encoding::Auto
                    && before_retry(Duration::ZERO) =>
            {
                (http.report)(&Event::EncodingSwitched);
                // A server may hold the response to a key, or refuse the key with another body.
                form_key += "-2";
            }
            result => return result,
        }
    }
    let form = Form::new(&extension.to_parts(), extension.upload(), random::token())?;
    post(http, Body::Form(&form), &form_key, before_retry)
}

fn post(
    http: &Http,
    body: Body<'_>,
    idempotency_key: &str,
    before_retry: &mut dyn FnMut(Duration) -> bool,
) -> Result<Job, Error> {
    let headers = [("Idempotency-Key", idempotency_key)];
    let request = Request::post(EXTENSIONS, body, &headers);
    let text = http.text_with(&request, before_retry)?;
    let poll_after = text.head.poll_after();
    match Job::parse(text.body.as_str()) {
        Some(job) => Ok(job.created_now().with_poll_after(poll_after)),
        None => {
            let start = shorten(&http.settings().redact(text.body));
            Err(http.no_response(&request, format!("the response contains no job id: '{start}'")))
        }
    }
}

/// The request that [`submit`] would send, with secrets redacted. Nothing is sent.
pub(crate) fn preview(http: &Http, extension: &Extension) -> Result<Preview, Error> {
    let key = extension.idempotency_key.as_deref().unwrap_or("[random]");
    let json = extension.to_json();
    let form = if extension.wants_form() {
        Some(Form::new(&extension.to_parts(), extension.upload(), random::token())?)
    } else {
        None
    };
    let (body, content) = match &form {
        None => (Body::Json(&json), PreviewBody::Json(json.clone())),
        Some(form) => (
            Body::Form(form),
            PreviewBody::Form {
                parts: extension.to_parts(),
                file: form.file_part().map(|(name, kind, size)| FilePart {
                    name,
                    content_type: kind,
                    size,
                }),
            },
        ),
    };
    let headers = [("Idempotency-Key", key)];
    let request = Request::post(EXTENSIONS, body, &headers);
    Ok(Preview {
        method: request.method.name(),
        url: http.url(EXTENSIONS),
        headers: shown(&request.headers(http.settings(), request.expects_continue())),
        body: content,
    })
}
