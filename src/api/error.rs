//! The error type of the library. It has a variant for everything that callers react to
//! differently. Exit codes and the names of options belong to the front end.

use std::fmt::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use crate::api::api_error::ApiError;
use crate::api::job::Job;
use crate::text::shorten;

/// Any failure of this library. Its message is one line in lower case without a full stop, and
/// never shows the key.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A value is invalid. Nothing was sent.
    Invalid {
        /// The problem, with the offending value quoted.
        message: String,
        /// The remedy as one imperative sentence, if there is one.
        hint: Option<String>,
    },
    /// The request lacks a field that it needs. Nothing was sent.
    Missing {
        /// The field's name in the API: `prompt`, `seconds`, `video` or `name`.
        field: &'static str,
    },
    /// A key would cross a network over plain http, and
    /// [`Settings::allow_http`](crate::Settings::allow_http) is not set. Nothing was sent.
    Unencrypted {
        /// The base URL.
        url: String,
    },
    /// The default base URL needs an API key and none was given. Nothing was sent.
    NoKey,
    /// No connection could be opened: the DNS lookup, TCP, the proxy or TLS failed. Nothing of the
    /// request was sent.
    Connect {
        /// `host:port` of the server.
        host: String,
        /// The cause, often a [`ConnectError`](crate::ConnectError).
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A request that is safe to retry (GET, DELETE) got no readable response: it was cut off,
    /// timed out or is malformed.
    NoResponse {
        /// Method and path, such as `GET /videos/video_123`.
        request: String,
        /// The reason.
        reason: String,
    },
    /// The response to a GET or DELETE is larger than a job or a list can be.
    TooLarge {
        /// Method and path.
        request: String,
        /// The reason, with the largest size that is read.
        reason: String,
    },
    /// A POST was sent and its outcome is not known: a job may exist and may be paid for, or a
    /// character may exist.
    UnknownOutcome {
        /// The failure that took the place of a readable response.
        reason: String,
        /// The URL that lists recent jobs: search it before the request is sent again. `None` for
        /// a character, of which the API has no list.
        list_url: Option<String>,
    },
    /// The server responded with an error status.
    Api(Box<ApiError>),
    /// The server redirects the request. A redirect of a POST is not followed, because that could
    /// create a second job.
    Redirect {
        /// The status, 300 to 399.
        status: u16,
        /// The `Location` header, or an empty string.
        target: String,
    },
    /// The job failed: there will be no media.
    JobFailed(Box<Job>),
    /// The job is still pending when [`Wait::timeout`](crate::Wait::timeout) has passed.
    WaitTimeout {
        /// The job as the last poll showed it.
        job: Box<Job>,
        /// The timeout.
        waited: Duration,
    },
    /// The downloaded content is text, such as an error page or JSON, where media are expected.
    NotMedia {
        /// Its `Content-Type`.
        content_type: String,
        /// Its first bytes as text.
        text: String,
    },
    /// The job names its media by a URL that cannot be downloaded.
    MediaUrl {
        /// The URL, without its query.
        url: String,
        /// It is a plain http URL from a server that is reached over https, and
        /// [`allow_http`](crate::Settings::allow_http) is off. Otherwise it is not a usable http
        /// or https URL.
        is_unencrypted: bool,
    },
    /// The host of the media, which the job names by URL, refuses to serve them.
    MediaRefused {
        /// `host:port`, or the host alone.
        host: String,
        /// The HTTP status.
        status: u16,
        /// The job, which is completed.
        job: Box<Job>,
    },
    /// Another run holds the state file.
    StateLocked {
        /// The state file.
        path: PathBuf,
    },
    /// An earlier run was interrupted while it sent the request, and the server does not show
    /// whether a job exists.
    Unresolved {
        /// Why that cannot be decided.
        reason: String,
        /// The URL that lists recent jobs.
        list_url: String,
        /// The state file. A run without it sends the request again.
        path: PathBuf,
        /// Whether the earlier run had another key, organization, project or header of the user's,
        /// and so perhaps another account, whose jobs this run does not see.
        is_other_account: bool,
    },
    /// The server no longer has the job that is recorded in a state file.
    JobNotFound {
        /// The server's response.
        error: Box<ApiError>,
        /// The state file.
        path: PathBuf,
        /// As in [`Error::Unresolved`]: that account may still have the job.
        is_other_account: bool,
    },
    /// A local file or stream could not be read or written.
    File {
        /// The failed action with its object, such as `cannot read 'clip.mp4'`.
        context: String,
        /// The reason.
        source: std::io::Error,
    },
    /// A file changed its size during the upload, which was aborted.
    FileChanged {
        /// The file.
        path: PathBuf,
        /// Its size in bytes when the request was made.
        expected: u64,
    },
}

impl Error {
    /// An [`Error::Invalid`] without a hint.
    pub fn invalid(message: impl Into<String>) -> Self {
        Error::Invalid { message: message.into(), hint: None }
    }

    /// An [`Error::Invalid`] with a hint.
    pub fn invalid_with(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Invalid { message: message.into(), hint: Some(hint.into()) }
    }

    /// An [`Error::File`]. `context`: the failed action with its object, such as
    /// `cannot read 'clip.mp4'`.
    pub fn file(context: impl Into<String>, source: std::io::Error) -> Self {
        Error::File { context: context.into(), source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut OneLine(f);
        match self {
            Error::Invalid { message, .. } => f.write_str(message),
            Error::Missing { field } => write!(f, "the request has no {field}"),
            Error::Unencrypted { url } => {
                write!(f, "the key would cross the network unencrypted to '{url}'")
            }
            Error::NoKey => f.write_str("no API key"),
            Error::Connect { host, source } => write!(f, "no connection to {host}: {source}"),
            Error::NoResponse { request, reason } | Error::TooLarge { request, reason } => {
                write!(f, "no readable response to {request}: {reason}")
            }
            Error::UnknownOutcome { reason, .. } => {
                write!(f, "the request was sent, but its outcome is unknown: {reason}")
            }
            Error::Api(error) => write!(f, "{error}"),
            Error::Redirect { status, target } => {
                write!(f, "the server redirects the request (HTTP {status}) to '{target}'")
            }
            Error::JobFailed(job) => {
                let word = job.status_word().unwrap_or("failed");
                let reason = job.reason();
                write!(
                    f,
                    "the job '{}' ended as {}: {}",
                    shorten(job.id()),
                    shorten(word),
                    reason.as_deref().unwrap_or("the server gave no reason")
                )
            }
            Error::WaitTimeout { job, waited } => {
                let word = shorten(job.status_word().unwrap_or("unknown"));
                write!(
                    f,
                    "the job '{}' is still running after {waited:?} (status: {word})",
                    shorten(job.id())
                )
            }
            Error::NotMedia { content_type, text } => {
                write!(f, "expected media, got {}: {}", shorten(content_type), shorten(text))
            }
            Error::MediaUrl { url, is_unencrypted } => {
                let reason = if *is_unencrypted {
                    "and an https server may not refer to plain http"
                } else {
                    "which is not a usable http or https URL"
                };
                write!(f, "the job names its media by '{}', {reason}", shorten(url))
            }
            Error::MediaRefused { host, status, .. } => {
                write!(f, "cannot download the media from '{}': HTTP {status}", shorten(host))
            }
            Error::JobNotFound { error, path, is_other_account: true } => {
                write!(
                    f,
                    "the server does not have the job that '{}' holds for this key, organization \
                     or project: {error}",
                    path.display()
                )
            }
            Error::JobNotFound { error, path, .. } => {
                write!(
                    f,
                    "the server no longer has the job that '{}' holds: {error}",
                    path.display()
                )
            }
            Error::StateLocked { path } => {
                write!(f, "another run holds the state file '{}'", path.display())
            }
            Error::Unresolved { reason, .. } => {
                write!(
                    f,
                    "an earlier run was interrupted while it sent the request, and a job may \
                     exist: {reason}"
                )
            }
            Error::File { context, source } => write!(f, "{context}: {source}"),
            Error::FileChanged { path, expected } => write!(
                f,
                "'{}' changed during the upload (it had {expected} bytes); upload aborted",
                path.display()
            ),
        }
    }
}

/// Escapes control characters as JSON does. Quoted values may contain them, and a line break would
/// seem to end the message.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_whatever_it_quotes() {
        let job = Job::parse(r#"{"id":"a\nb\u001b[2J\u009b","status":"failed"}"#).unwrap();
        assert_eq!(
            Error::JobFailed(Box::new(job)).to_string(),
            "the job 'a b\\u001b[2J\\u009b' ended as failed: the server gave no reason"
        );
        assert_eq!(Error::invalid("'é\t\r\n'").to_string(), "'é\\u0009\\u000d\\u000a'");
    }
}
