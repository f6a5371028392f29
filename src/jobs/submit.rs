//! One POST that creates a job.

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
    submit_with(http, extension, &key)
}

pub(crate) fn submit_with(http: &Http, extension: &Extension, key: &str) -> Result<Job, Error> {
    if !extension.wants_form() {
        match post(http, Body::Json(&extension.to_json()), key) {
            Err(Error::Api(error))
                if error.kind == ApiErrorKind::UnsupportedEncoding
                    && extension.encoding == Encoding::Auto =>
            {
                (http.report)(&Event::EncodingSwitched);
            }
            result => return result,
        }
    }
    let form = Form::new(&extension.to_parts(), extension.upload(), random::token())?;
    post(http, Body::Form(&form), key)
}

fn post(http: &Http, body: Body<'_>, idempotency_key: &str) -> Result<Job, Error> {
    let headers = [("Idempotency-Key", idempotency_key)];
    let request = Request::post(EXTENSIONS, body, &headers);
    let text = http.text(&request)?;
    let poll_after = text.head.poll_after();
    match Job::parse(text.body.as_str()) {
        Some(job) => Ok(job.created_now().with_poll_after(poll_after)),
        None => {
            let start = shorten(&http.settings().redact(text.body));
            Err(http.no_response(&request, format!("the answer names no job: '{start}'")))
        }
    }
}

/// What [`submit`] would send, with nothing sent and the secrets hidden.
pub(crate) fn preview(http: &Http, extension: &Extension) -> Result<Preview, Error> {
    let key = extension.idempotency_key.as_deref().unwrap_or("[random]");
    let json = extension.to_json();
    let form = match extension.wants_form() {
        true => Some(Form::new(&extension.to_parts(), extension.upload(), random::token())?),
        false => None,
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
