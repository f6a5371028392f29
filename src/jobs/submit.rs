//! One POST that creates a job.

use std::time::Duration;

use crate::api::api_error::ApiErrorKind;
use crate::api::encoding::Encoding;
use crate::api::error::Error;
use crate::api::event::Event;
use crate::api::extension::Extension;
use crate::api::job::Job;
use crate::api::preview::{FilePart, Preview, PreviewBody};
use crate::http::Http;
use crate::http::body::data_url::DataUrl;
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

/// Sends the request with this idempotency key, and once more in another encoding where the server responds with 415.
/// A stream that was read is not sent again.
///
/// `before_retry` is called before each POST but the first with the delay before it, and returns
/// whether to go on.
pub(crate) fn submit_with(
    http: &Http,
    extension: &Extension,
    key: &str,
    before_retry: &mut dyn FnMut(Duration) -> bool,
) -> Result<Job, Error> {
    let (first, second) = extension.encodings();
    let body = body(extension, first)?;
    let is_streamed = body.len().is_none();
    let mut result = post(http, body, key, before_retry);
    if let Err(Error::Api(error)) = &mut result {
        if error.kind == ApiErrorKind::UnsupportedEncoding
            && !is_streamed
            && let Some(second) = second
            && before_retry(Duration::ZERO)
        {
            (http.report)(&Event::EncodingSwitched { to: second });
            // A server may hold the response to a key, or refuse the key with another body.
            let key = format!("{key}-2");
            return post(http, self::body(extension, second)?, &key, before_retry);
        }
        if matches!(error.status, 400 | 415 | 422) {
            error.other_encoding = Some(extension.other_encoding(first));
        }
    }
    result
}

/// The request body in one of the encodings other than [`Encoding::Auto`].
fn body(extension: &Extension, encoding: Encoding) -> Result<Body<'_>, Error> {
    let upload = extension.upload();
    Ok(match (encoding, upload) {
        (Encoding::Multipart, _) => {
            Body::Form(Form::new(&extension.to_parts(), upload, random::token())?)
        }
        (_, Some(upload)) => Body::DataUrl(DataUrl::new(&extension.to_json(), upload)?),
        (_, None) => Body::Json(extension.to_json()),
    })
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
    let body = body(extension, extension.encodings().0)?;
    let content = match &body {
        Body::None => PreviewBody::Json(String::new()),
        Body::Json(json) => PreviewBody::Json(json.clone()),
        Body::DataUrl(body) => PreviewBody::Json(body.preview()),
        Body::Form(form) => PreviewBody::Form {
            parts: extension.to_parts(),
            file: form.file_part().map(|(name, kind, size)| FilePart {
                name,
                content_type: kind,
                size,
            }),
        },
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
