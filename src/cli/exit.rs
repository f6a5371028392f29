//! Exit codes: distinct where a script or a scheduler would act differently. The table is printed by `--help`.

use std::process::ExitCode;

use openai_videos::{ApiErrorKind, Error};

pub(crate) const OK: ExitCode = ExitCode::SUCCESS;

/// Code, meaning, and what a scheduler should do.
pub(crate) const TABLE: [(u8, &str, &str); 11] = [
    (0, "done; with --wait completed, with --output the file is whole", ""),
    (1, "the job ended as failed", "a new request is needed"),
    (2, "bad or missing argument; nothing was sent", "fix the call"),
    (3, "the API refused the request (4xx)", "fix the request"),
    (4, "no key, 401 or 403", "fix the key"),
    (5, "408, 409, 429, 503 or, for a GET, 5xx, still after the retries", "later"),
    (6, "no connection (lookup, connect, TLS, proxy), or a GET cut off or past --timeout", "later"),
    (7, "sent, outcome unknown: a job may exist", "look, then decide"),
    (8, "--wait-timeout passed while the job runs; the id is printed", "wait again"),
    (9, "a local file or stream could not be read or written", "fix the disk"),
    (10, "another run holds the state file", "leave it"),
];

/// The code for an error.
pub(crate) fn code(error: &Error) -> ExitCode {
    ExitCode::from(number(error))
}

fn number(error: &Error) -> u8 {
    match error {
        Error::Invalid { .. } | Error::Missing { .. } | Error::Unencrypted { .. } => 2,
        Error::NoKey => 4,
        Error::Api(api) => match api.kind {
            ApiErrorKind::NotAuthorized => 4,
            ApiErrorKind::Conflict
            | ApiErrorKind::Unavailable
            | ApiErrorKind::ServerError
            | ApiErrorKind::NotImplemented => 5,
            _ => 3,
        },
        Error::Redirect { .. } | Error::NotMedia { .. } | Error::JobGone { .. } => 3,
        Error::JobFailed(_) => 1,
        Error::WaitTimeout { .. } => 8,
        Error::Connect { .. } | Error::NoResponse { .. } => 6,
        Error::UnknownOutcome { .. } | Error::Unresolved { .. } => 7,
        Error::StateLocked { .. } => 10,
        Error::File { .. } | Error::FileChanged { .. } => 9,
        // The enum may grow; an error without a row here is a local one of an unknown kind.
        _ => 9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_has_every_code_that_is_given() {
        assert!(TABLE.windows(2).all(|rows| rows[0].0 < rows[1].0));
        let errors = [
            Error::invalid("x"),
            Error::NoKey,
            Error::Redirect { status: 302, target: String::new() },
            Error::Connect { host: String::new(), source: "x".into() },
            Error::UnknownOutcome { why: String::new(), list_url: String::new() },
            Error::file("x", std::io::ErrorKind::NotFound.into()),
        ];
        for error in &errors {
            assert!(TABLE.iter().any(|row| row.0 == number(error)), "{error:?}");
        }
    }
}
