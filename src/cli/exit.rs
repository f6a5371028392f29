//! Exit codes: distinct where a script or a scheduler would act differently. `--help` prints the
//! table.

use std::process::ExitCode;

use openai_videos::{ApiErrorKind, Error};

/// An exit code of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    Done = 0,
    JobFailed = 1,
    Usage = 2,
    Refused = 3,
    NotAuthorized = 4,
    Unavailable = 5,
    NoConnection = 6,
    UnknownOutcome = 7,
    WaitTimeout = 8,
    LocalFile = 9,
    StateLocked = 10,
}

/// Code, meaning, and the action that a scheduler should take.
pub(crate) const TABLE: [(u8, &str, &str); 11] = [
    (Code::Done as u8, "done; with --wait completed, with --output the file is complete", ""),
    (Code::JobFailed as u8, "the job ended as failed", "a new request is needed"),
    (Code::Usage as u8, "bad or missing argument; nothing was sent", "fix the command"),
    (Code::Refused as u8, "the API refused the request (4xx)", "fix the request"),
    (Code::NotAuthorized as u8, "no key, 401 or 403", "fix the key"),
    (
        Code::Unavailable as u8,
        "408, 409, 429, 503 or, for a GET, 5xx, still after the retries",
        "later",
    ),
    (
        Code::NoConnection as u8,
        "no connection (DNS, connect, TLS, proxy), or a GET cut off or past --timeout",
        "later",
    ),
    (Code::UnknownOutcome as u8, "sent, outcome unknown: a job may exist", "look, then decide"),
    (
        Code::WaitTimeout as u8,
        "--wait-timeout passed while the job runs; the id is printed",
        "wait again",
    ),
    (Code::LocalFile as u8, "a local file or stream could not be read or written", "fix the disk"),
    (Code::StateLocked as u8, "another run holds the state file", "leave it"),
];

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        ExitCode::from(code as u8)
    }
}

impl From<&Error> for Code {
    fn from(error: &Error) -> Self {
        match error {
            Error::Invalid { .. } | Error::Missing { .. } | Error::Unencrypted { .. } => {
                Code::Usage
            }
            Error::NoKey => Code::NotAuthorized,
            Error::Api(api) => match api.kind {
                ApiErrorKind::NotAuthorized => Code::NotAuthorized,
                ApiErrorKind::Conflict
                | ApiErrorKind::Unavailable
                | ApiErrorKind::ServerError
                | ApiErrorKind::NotImplemented => Code::Unavailable,
                _ => Code::Refused,
            },
            Error::Redirect { .. }
            | Error::NotMedia { .. }
            | Error::MediaUrl { .. }
            | Error::JobNotFound { .. } => Code::Refused,
            Error::MediaRefused { .. } => Code::Unavailable,
            Error::JobFailed(_) => Code::JobFailed,
            Error::WaitTimeout { .. } => Code::WaitTimeout,
            Error::Connect { .. } | Error::NoResponse { .. } | Error::TooLarge { .. } => {
                Code::NoConnection
            }
            Error::UnknownOutcome { .. } | Error::Unresolved { .. } => Code::UnknownOutcome,
            Error::StateLocked { .. } => Code::StateLocked,
            // `Error` is `non_exhaustive`: the remaining and any new variants count as local
            // failures.
            _ => Code::LocalFile,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_row_for_each_code_in_order() {
        let codes: Vec<u8> = TABLE.iter().map(|row| row.0).collect();
        let all: Vec<u8> = (Code::Done as u8..=Code::StateLocked as u8).collect();
        assert_eq!(codes, all);
    }

    #[test]
    fn each_kind_of_error_has_its_code() {
        let file = Error::file("x", std::io::ErrorKind::NotFound.into());
        for (error, code) in [
            (Error::invalid("x"), 2),
            (Error::Redirect { status: 302, target: String::new() }, 3),
            (Error::NoKey, 4),
            (Error::Connect { host: String::new(), source: "x".into() }, 6),
            (Error::StateLocked { path: "x".into() }, 10),
            (file, 9),
        ] {
            assert_eq!(Code::from(&error) as u8, code, "{error:?}");
        }
    }
}
