//! Error responses of the server.

use std::fmt;
use std::time::Duration;

use crate::api::encoding::Encoding;
use crate::json;
use crate::json::Object;
use crate::text::shorten;

/// An error response: `ErrorResponse` and `Error` of the API reference, or one of the shapes that
/// gateways use instead.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    /// The HTTP status, 300 to 599.
    pub status: u16,
    /// The meaning of the response, independent of its status code.
    pub kind: ApiErrorKind,
    /// The server's message, or the start of its text on one line; empty if it sent none.
    pub message: String,
    /// `error.type`.
    pub error_type: Option<String>,
    /// `error.code`, or the `code` beside an `error` that is a string.
    pub code: Option<String>,
    /// `error.param`: the request field at fault.
    pub param: Option<String>,
    /// The `x-request-id` header, which a provider's support asks for.
    pub request_id: Option<String>,
    /// How long the server asks to wait, if that is longer than this client waits for a retry.
    pub retry_after: Option<Duration>,
    /// Where the request may have been refused for its encoding (400, 415, 422): another one that
    /// it can be sent in.
    pub other_encoding: Option<Encoding>,
    /// The response body as received, its first 64 KiB at most.
    pub body: String,
}

/// The kinds of error responses: one for each reaction that a caller may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApiErrorKind {
    /// The request itself is at fault and would be refused again: 400, 422.
    InvalidRequest,
    /// The key is missing, wrong, or does not allow this: 401, 403.
    NotAuthorized,
    /// There is no such resource, or no such route: 404.
    NotFound,
    /// The resource existed and does not any more: 410.
    Gone,
    /// The server has the route, but not for this method: 405.
    MethodNotAllowed,
    /// The server does not have this function: 501, 505.
    NotImplemented,
    /// The body is larger than the server takes: 413.
    TooLarge,
    /// The server does not take a body of this type: 415.
    UnsupportedEncoding,
    /// Another request is in the way, such as one with the same idempotency key: 409.
    Conflict,
    /// The resource exists and is not ready: 425, or a GET's 400 with the code `video_not_ready`.
    NotReady,
    /// The server did not perform the request and may do so later: 408, 429, 503.
    Unavailable,
    /// The server failed: any other 5xx of a GET or DELETE.
    ServerError,
    /// Refused for any other reason, such as 402.
    Refused,
}

impl ApiError {
    /// Reads an error body: `{"error": {message, type, param, code}}`, `{"error": "..."}` with or
    /// without `code` beside it, `{"detail": ...}`, `{"message": ...}` or any text. The caller sets
    /// `kind`, which depends on more than the body.
    pub(crate) fn read(status: u16, body: &str) -> Self {
        let mut error = ApiError {
            status,
            kind: ApiErrorKind::Refused,
            message: String::new(),
            error_type: None,
            code: None,
            param: None,
            request_id: None,
            retry_after: None,
            other_encoding: None,
            body: body.to_owned(),
        };
        let text = match Object::parse(body) {
            Ok(object) => match object.get("error").map(|raw| (raw, Object::parse(raw.get()))) {
                Some((_, Ok(inner))) => {
                    error.error_type = inner.scalar("type");
                    error.code = inner.scalar("code");
                    error.param = inner.scalar("param");
                    inner.scalar("message")
                }
                Some((raw, Err(_))) => {
                    error.code = object.scalar("code");
                    // Other members beside a bare word may hold the reason.
                    let is_whole = object.0.len() == 1 + usize::from(error.code.is_some());
                    if is_whole { json::scalar(raw) } else { Some(body.to_owned()) }
                }
                None => None,
            }
            .or_else(|| object.scalar("message"))
            .or_else(|| {
                object
                    .get("detail")
                    .map(|raw| json::scalar(raw).unwrap_or_else(|| raw.get().to_owned()))
            }),
            Err(_) => None,
        };
        error.message = shorten(text.as_deref().unwrap_or(body));
        error
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server responded with HTTP {}", self.status)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        let details = [
            ("type", &self.error_type),
            ("code", &self.code),
            ("param", &self.param),
            ("request id", &self.request_id),
        ];
        let mut open = false;
        for (name, value) in details {
            if let Some(value) = value {
                write!(f, "{}{name}: {}", if open { ", " } else { " (" }, shorten(value))?;
                open = true;
            }
        }
        if open { f.write_str(")") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_apis_error_object_is_read_whole() {
        let error = ApiError::read(
            400,
            r#"{"error": {"message": "bad seconds", "type": "invalid_request_error",
                "param": "seconds", "code": null}}"#,
        );
        assert_eq!(
            error.to_string(),
            "the server responded with HTTP 400: bad seconds (type: invalid_request_error, \
             param: seconds)"
        );
    }

    #[test]
    fn other_shapes_of_error_are_shown_by_their_message() {
        for (body, message) in [
            (r#"{"error": "no such video"}"#, "no such video"),
            (
                r#"{"error": "invalid", "errors": ["seconds"]}"#,
                r#"{"error": "invalid", "errors": ["seconds"]}"#,
            ),
            (r#"{"error": {"code": 7}, "message": "outer"}"#, "outer"),
            (r#"{"detail": "Not Found"}"#, "Not Found"),
            (r#"{"detail": [{"loc": ["body"]}]}"#, r#"[{"loc": ["body"]}]"#),
            ("<html>\n  <b>502</b>\n</html>", "<html> <b>502</b> </html>"),
            ("", ""),
            (r#"{"unknown": 1}"#, r#"{"unknown": 1}"#),
        ] {
            assert_eq!(ApiError::read(500, body).message, message, "{body}");
        }
    }

    #[test]
    fn a_code_beside_the_text_of_an_error_is_shown_after_it() {
        // xAI's shape. Other members may hold the reason, so the body is shown whole.
        for (body, shown) in [
            (
                r#"{"code": "invalid-argument", "error": "no video"}"#,
                "no video (code: invalid-argument)",
            ),
            (r#"{"error": "no video", "code": 1113}"#, "no video (code: 1113)"),
            (
                r#"{"code": "a", "error": "b", "errors": []}"#,
                r#"{"code": "a", "error": "b", "errors": []} (code: a)"#,
            ),
        ] {
            let message = format!("the server responded with HTTP 400: {shown}");
            assert_eq!(ApiError::read(400, body).to_string(), message, "{body}");
        }
    }

    #[test]
    fn a_numeric_code_is_kept() {
        assert_eq!(
            ApiError::read(400, r#"{"error":{"message":"m","code":1113}}"#).code.as_deref(),
            Some("1113")
        );
    }
}
