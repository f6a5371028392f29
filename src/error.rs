//! What can go wrong, said so that a person can act on it. The variants are as fine as a caller's reactions to
//! them; they carry no exit codes, which belong to the front end.

use std::fmt::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use crate::Job;
use crate::json::{self, Object};

/// How much of a server's error text is shown, in characters.
const SHOWN: usize = 512;

/// Any failure of this library. The text is one line, lower case, without a full stop, and never holds the key.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A value that cannot be used. Nothing was sent.
    Invalid {
        /// What is wrong, with the offending value quoted.
        what: String,
        /// What to do instead, where that is known.
        hint: Option<String>,
    },
    /// The default base URL needs an API key and none was given. Nothing was sent.
    NoKey,
    /// No connection: name lookup, TCP, proxy or TLS failed. Nothing of the request was sent.
    Connect {
        /// `host:port` of the server.
        host: String,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A request that changes nothing (GET, DELETE) got no readable answer: cut off, timed out or garbled.
    Cut {
        /// `GET /videos/video_123`, say.
        request: String,
        /// The reason.
        why: String,
    },
    /// A POST was sent and its outcome is not known: a job may exist and may be paid for.
    Unknown {
        /// What came instead of a readable answer.
        why: String,
        /// The URL that lists recent jobs, to look before sending again.
        list_url: String,
    },
    /// The server answered with an error status.
    Api(Box<ApiError>),
    /// The server sent the request elsewhere. A POST does not follow, as the other place would be paid twice.
    Redirect {
        /// The status, 300 to 399.
        status: u16,
        /// The `Location` header, or an empty string.
        target: String,
    },
    /// The job ended without media.
    Failed(Box<Job>),
    /// The job is still running after the longest wait.
    Pending {
        /// The job as it was seen last.
        job: Box<Job>,
        /// The longest wait.
        waited: Duration,
    },
    /// The content that was to be downloaded is text, an error page or JSON, and no media.
    NotMedia {
        /// Its `Content-Type`.
        content_type: String,
        /// The start of it.
        text: String,
    },
    /// Another run holds the state file.
    Locked {
        /// The state file.
        path: PathBuf,
    },
    /// An earlier run sent the request and was cut, and the server does not tell whether there is a job.
    Undecided {
        /// Why it cannot be told.
        why: String,
        /// The URL that lists recent jobs.
        list_url: String,
        /// The state file; without it the request would be sent again.
        path: PathBuf,
    },
    /// The server no longer has the job that a state file holds.
    Gone {
        /// What the server said.
        error: Box<ApiError>,
        /// The state file.
        path: PathBuf,
    },
    /// A local file or stream could not be read or written.
    File {
        /// The action and the path: `cannot read 'clip.mp4'`, say.
        what: String,
        /// The reason.
        source: std::io::Error,
    },
    /// A file changed its size while it was being uploaded; the upload was broken off.
    Changed {
        /// The file.
        path: PathBuf,
        /// Its size in bytes when the request was made.
        expected: u64,
    },
}

impl Error {
    /// An [`Error::Invalid`] without a hint.
    pub fn invalid(what: impl Into<String>) -> Self {
        Error::Invalid {
            what: what.into(),
            hint: None,
        }
    }

    /// An [`Error::Invalid`] that says what to do instead.
    pub fn invalid_with(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Invalid {
            what: what.into(),
            hint: Some(hint.into()),
        }
    }

    /// An [`Error::File`]; `what` names the action and the path.
    pub fn file(what: impl Into<String>, source: std::io::Error) -> Self {
        Error::File {
            what: what.into(),
            source,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut OneLine(f);
        match self {
            Error::Invalid { what, .. } => f.write_str(what),
            Error::NoKey => f.write_str("no API key"),
            Error::Connect { host, source } => write!(f, "no connection to {host}: {source}"),
            Error::Cut { request, why } => write!(f, "no readable answer to {request}: {why}"),
            Error::Unknown { why, .. } => {
                write!(f, "the request was sent, but its outcome is unknown: {why}")
            }
            Error::Api(error) => write!(f, "{error}"),
            Error::Redirect { status, target } => {
                write!(
                    f,
                    "the server redirects the request (HTTP {status}) to '{target}'"
                )
            }
            Error::Failed(job) => {
                let word = job.status_word().unwrap_or("failed");
                let reason = job.reason();
                write!(
                    f,
                    "the job '{}' ended as {}: {}",
                    shorten(job.id()),
                    shorten(word),
                    reason.as_deref().unwrap_or("the server gives no reason")
                )
            }
            Error::Pending { job, waited } => {
                let word = shorten(job.status_word().unwrap_or("unknown"));
                write!(
                    f,
                    "the job '{}' still runs after {waited:?} (status: {word})",
                    shorten(job.id())
                )
            }
            Error::NotMedia { content_type, text } => {
                write!(
                    f,
                    "the content is no media but {}: {}",
                    shorten(content_type),
                    shorten(text)
                )
            }
            Error::Gone { error, path } => {
                write!(
                    f,
                    "the server no longer has the job that '{}' holds: {error}",
                    path.display()
                )
            }
            Error::Locked { path } => {
                write!(f, "another run holds the state file '{}'", path.display())
            }
            Error::Undecided { why, .. } => {
                write!(
                    f,
                    "an earlier run was cut while it sent the request, and a job may exist: {why}"
                )
            }
            Error::File { what, source } => write!(f, "{what}: {source}"),
            Error::Changed { path, expected } => write!(
                f,
                "'{}' changed while it was uploaded: it had {expected} bytes, so the upload was broken off",
                path.display()
            ),
        }
    }
}

/// Escapes control characters as JSON does: quoted values may hold them, and a line break would look like the end of
/// the message.
struct OneLine<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                c if c.is_control() => write!(self.0, "\\u{:04x}", u32::from(c))?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Connect { source, .. } => Some(&**source),
            Error::File { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// An error status of the server with what its body says: `Error` and `ErrorResponse` of the API's description,
/// or any of the shapes that gateways use instead.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    /// The HTTP status, 400 to 599.
    pub status: u16,
    /// The server's message, or the start of its text; empty if it sent none.
    pub message: String,
    /// `error.type`.
    pub kind: Option<String>,
    /// `error.code`.
    pub code: Option<String>,
    /// `error.param`: the request field at fault.
    pub param: Option<String>,
    /// The `x-request-id` header: what a provider's support asks for.
    pub request_id: Option<String>,
    /// How long the server asks to wait, if that is longer than this client waits.
    pub retry_after: Option<Duration>,
    /// The answer's body as it came, 64 KiB of it at most.
    pub body: String,
}

impl ApiError {
    /// Reads an error body: `{"error": {message, type, param, code}}`, `{"error": "..."}`, `{"detail": ...}`,
    /// `{"message": ...}` or any text.
    pub(crate) fn read(status: u16, body: &str) -> Self {
        let mut error = ApiError {
            status,
            message: String::new(),
            kind: None,
            code: None,
            param: None,
            request_id: None,
            retry_after: None,
            body: body.to_owned(),
        };
        let text = match Object::parse(body) {
            Ok(object) => match object
                .get("error")
                .map(|raw| (raw, Object::parse(raw.get())))
            {
                Some((_, Ok(inner))) => {
                    error.kind = inner.scalar("type");
                    error.code = inner.scalar("code");
                    error.param = inner.scalar("param");
                    inner.scalar("message")
                }
                // A bare word with more beside it: the reason may be in the rest.
                Some((_, Err(_))) if object.0.len() > 1 => Some(body.to_owned()),
                Some((raw, Err(_))) => json::scalar(raw),
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
        write!(f, "the server answered HTTP {}", self.status)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        let details = [
            ("type", &self.kind),
            ("code", &self.code),
            ("param", &self.param),
            ("request id", &self.request_id),
        ];
        let mut open = false;
        for (name, value) in details {
            if let Some(value) = value {
                write!(
                    f,
                    "{}{name}: {}",
                    if open { ", " } else { " (" },
                    shorten(value)
                )?;
                open = true;
            }
        }
        if open { f.write_str(")") } else { Ok(()) }
    }
}

/// A server's text as part of a message: one line of at most 512 characters. White space is folded, so that an HTML
/// page stays readable. Control characters of other kinds are left to whoever shows it.
pub fn shorten(text: &str) -> String {
    let mut short = String::new();
    for (count, character) in text
        .split_whitespace()
        .flat_map(|word| [" ", word])
        .flat_map(str::chars)
        .skip(1)
        .enumerate()
    {
        if count == SHOWN {
            short.push_str("...");
            break;
        }
        short.push(character);
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_whatever_it_quotes() {
        let job = Job::parse(r#"{"id":"a\nb\u001b[2J\u009b","status":"failed"}"#).unwrap();
        assert_eq!(
            Error::Failed(Box::new(job)).to_string(),
            "the job 'a b\\u001b[2J\\u009b' ended as failed: the server gives no reason"
        );
        assert_eq!(
            Error::invalid("'é\t\r\n'").to_string(),
            "'é\\u0009\\u000d\\u000a'"
        );
    }

    #[test]
    fn the_apis_error_object_is_read_whole() {
        let error = ApiError::read(
            400,
            r#"{"error": {"message": "bad seconds", "type": "invalid_request_error", "param": "seconds", "code": null}}"#,
        );
        assert_eq!(
            error.to_string(),
            "the server answered HTTP 400: bad seconds (type: invalid_request_error, param: seconds)"
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
            (
                r#"{"detail": [{"loc": ["body"]}]}"#,
                r#"[{"loc": ["body"]}]"#,
            ),
            ("<html>\n  <b>502</b>\n</html>", "<html> <b>502</b> </html>"),
            ("", ""),
            (r#"{"unknown": 1}"#, r#"{"unknown": 1}"#),
        ] {
            assert_eq!(ApiError::read(500, body).message, message, "{body}");
        }
    }

    #[test]
    fn a_numeric_code_is_kept() {
        assert_eq!(
            ApiError::read(400, r#"{"error":{"message":"m","code":1113}}"#)
                .code
                .as_deref(),
            Some("1113")
        );
    }

    #[test]
    fn long_text_is_cut_at_512_characters() {
        let shown = ApiError::read(502, &"é ".repeat(5000)).message;
        assert_eq!(shown.chars().count(), SHOWN + 3);
        assert!(shown.ends_with("..."));
    }
}
