//! The one classification of responses: by status code, error code and a few headers.
//!
//! Pure. Retries, polls, downloads, recovery, the state file, exit codes and hints read its result,
//! [`Outcome`] or the [`ApiErrorKind`] in it, and never judge a status code themselves.

use crate::api::api_error::ApiErrorKind;
use crate::http::request::Method;
use crate::http::retry::Retry;

/// The outcome of a request, by its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// 2xx.
    Success,
    /// A redirect of a request that was not performed here.
    Redirect,
    /// An error. A POST was not performed; a GET or DELETE is safe to retry whether or not it was.
    Error { kind: ApiErrorKind, retry: Retry },
    /// A POST may have been performed: a job may exist.
    Unknown { retry: Retry },
}

/// The input of the classification.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) method: Method,
    pub(crate) status: u16,
    /// The error code of the body, as in
    /// [`ApiError::code`](crate::api::api_error::ApiError::code).
    pub(crate) code: Option<&'a str>,
    /// `x-should-retry`, where it is true or false.
    pub(crate) should_retry: Option<bool>,
    pub(crate) location: Location,
    /// The body as text. Only that of a 503 matters.
    pub(crate) body: &'a str,
}

/// Where a `Location` header leads, compared with the URL of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Location {
    None,
    /// The same host, path and query over `https` instead of `http`, or the reverse.
    OtherScheme,
    Elsewhere,
}

pub(crate) fn classify(facts: &Facts<'_>) -> Outcome {
    let is_post = facts.method == Method::Post;
    let retry = retry(facts);
    match facts.status {
        200..300 => Outcome::Success,
        // A server that moves to https redirects every request before it reads it. Any other 301 or
        // 302 of a POST is in practice the same as 303 by definition: the result of a request that
        // was performed (RFC 9110, 15.4.4).
        301 | 302 if is_post && facts.location != Location::OtherScheme => {
            Outcome::Unknown { retry: Retry::Never }
        }
        303 if is_post => Outcome::Unknown { retry: Retry::Never },
        300..400 if facts.location != Location::None => Outcome::Redirect,
        503 if is_post && is_reset(facts.body) => Outcome::Unknown { retry },
        503 => Outcome::Error { kind: ApiErrorKind::Unavailable, retry },
        500.. if is_post => Outcome::Unknown { retry },
        _ => Outcome::Error { kind: kind(facts), retry },
    }
}

fn kind(facts: &Facts<'_>) -> ApiErrorKind {
    let is_get = facts.method == Method::Get;
    match facts.status {
        400 if is_get && facts.code == Some("video_not_ready") => ApiErrorKind::NotReady,
        400 | 422 => ApiErrorKind::InvalidRequest,
        401 | 403 => ApiErrorKind::NotAuthorized,
        404 => ApiErrorKind::NotFound,
        405 => ApiErrorKind::MethodNotAllowed,
        408 | 429 | 503 => ApiErrorKind::Unavailable,
        409 => ApiErrorKind::Conflict,
        410 => ApiErrorKind::Gone,
        413 => ApiErrorKind::TooLarge,
        415 => ApiErrorKind::UnsupportedEncoding,
        425 => ApiErrorKind::NotReady,
        501 | 505 => ApiErrorKind::NotImplemented,
        500.. => ApiErrorKind::ServerError,
        _ => ApiErrorKind::Refused,
    }
}

fn retry(facts: &Facts<'_>) -> Retry {
    match (facts.should_retry, facts.status) {
        (Some(false), _) => Retry::Never,
        // The account has no credit left, which waiting does not change.
        _ if facts.code == Some("insufficient_quota") => Retry::Never,
        (Some(true), _) => Retry::Always,
        (None, 503) if is_reset(facts.body) => Retry::IfSafe,
        (None, 408 | 409 | 429 | 503) => Retry::Always,
        (None, 500..) => Retry::IfSafe,
        (None, _) => Retry::Never,
    }
}

/// Whether the text of a 503 means that a gateway lost its connection to the application, which may
/// have the request by then:
/// `upstream connect error or disconnect/reset before headers. reset reason: connection
/// termination` (Envoy).
fn is_reset(body: &str) -> bool {
    let body = body.to_ascii_lowercase();
    ["reset", "terminat", "disconnect"].iter().any(|word| body.contains(word))
}

#[cfg(test)]
mod tests {
    use super::ApiErrorKind::*;
    use super::Retry::*;
    use super::*;

    const PLAIN: Facts<'_> = Facts {
        method: Method::Get,
        status: 200,
        code: None,
        should_retry: None,
        location: Location::None,
        body: "",
    };
    const ENVOY: &str = "upstream connect error or disconnect/reset before headers. reset reason: \
                         connection termination";

    fn error(kind: ApiErrorKind, retry: Retry) -> Outcome {
        Outcome::Error { kind, retry }
    }

    #[test]
    fn every_status_has_one_meaning_per_method() {
        let unknown = Outcome::Unknown { retry: IfSafe };
        for (status, get, post) in [
            (200, Outcome::Success, Outcome::Success),
            (204, Outcome::Success, Outcome::Success),
            (206, Outcome::Success, Outcome::Success),
            (304, error(Refused, Never), error(Refused, Never)),
            (400, error(InvalidRequest, Never), error(InvalidRequest, Never)),
            (401, error(NotAuthorized, Never), error(NotAuthorized, Never)),
            (402, error(Refused, Never), error(Refused, Never)),
            (403, error(NotAuthorized, Never), error(NotAuthorized, Never)),
            (404, error(NotFound, Never), error(NotFound, Never)),
            (405, error(MethodNotAllowed, Never), error(MethodNotAllowed, Never)),
            (408, error(Unavailable, Always), error(Unavailable, Always)),
            (409, error(Conflict, Always), error(Conflict, Always)),
            (410, error(Gone, Never), error(Gone, Never)),
            (413, error(TooLarge, Never), error(TooLarge, Never)),
            (415, error(UnsupportedEncoding, Never), error(UnsupportedEncoding, Never)),
            (416, error(Refused, Never), error(Refused, Never)),
            (418, error(Refused, Never), error(Refused, Never)),
            (422, error(InvalidRequest, Never), error(InvalidRequest, Never)),
            (425, error(NotReady, Never), error(NotReady, Never)),
            (429, error(Unavailable, Always), error(Unavailable, Always)),
            (500, error(ServerError, IfSafe), unknown),
            (501, error(NotImplemented, IfSafe), unknown),
            (502, error(ServerError, IfSafe), unknown),
            (503, error(Unavailable, Always), error(Unavailable, Always)),
            (504, error(ServerError, IfSafe), unknown),
            (505, error(NotImplemented, IfSafe), unknown),
            (524, error(ServerError, IfSafe), unknown),
        ] {
            let of = |method| classify(&Facts { method, status, ..PLAIN });
            assert_eq!(of(Method::Get), get, "GET {status}");
            assert_eq!(of(Method::Delete), get, "DELETE {status}");
            assert_eq!(of(Method::Post), post, "POST {status}");
        }
    }

    #[test]
    fn error_codes_and_x_should_retry_decide_over_the_status() {
        let get = Facts { method: Method::Get, ..PLAIN };
        let post = Facts { method: Method::Post, ..PLAIN };
        let quota = Some("insufficient_quota");
        let not_ready = Some("video_not_ready");
        for (facts, outcome) in [
            (Facts { status: 400, code: not_ready, ..get }, error(NotReady, Never)),
            (Facts { status: 400, code: not_ready, ..post }, error(InvalidRequest, Never)),
            (Facts { status: 429, code: quota, ..post }, error(Unavailable, Never)),
            (
                Facts { status: 429, code: quota, should_retry: Some(true), ..post },
                error(Unavailable, Never),
            ),
            (Facts { status: 503, should_retry: Some(false), ..get }, error(Unavailable, Never)),
            (Facts { status: 502, should_retry: Some(false), ..get }, error(ServerError, Never)),
            (
                Facts { status: 400, should_retry: Some(true), ..post },
                error(InvalidRequest, Always),
            ),
            (
                Facts { status: 500, should_retry: Some(true), ..post },
                Outcome::Unknown { retry: Always },
            ),
            (
                Facts { status: 500, should_retry: Some(false), ..post },
                Outcome::Unknown { retry: Never },
            ),
        ] {
            assert_eq!(classify(&facts), outcome, "{facts:?}");
        }
    }

    #[test]
    fn a_503_about_a_lost_connection_leaves_the_outcome_of_a_post_unknown() {
        let post = Facts { method: Method::Post, status: 503, body: ENVOY, ..PLAIN };
        assert_eq!(classify(&post), Outcome::Unknown { retry: IfSafe });
        assert_eq!(
            classify(&Facts { body: "Connection RESET by peer", ..post }),
            Outcome::Unknown { retry: IfSafe }
        );
        assert_eq!(
            classify(&Facts { should_retry: Some(true), ..post }),
            Outcome::Unknown { retry: Always }
        );
        assert_eq!(classify(&Facts { method: Method::Get, ..post }), error(Unavailable, IfSafe));
        assert_eq!(classify(&Facts { body: "overloaded", ..post }), error(Unavailable, Always));
    }

    #[test]
    fn a_redirect_of_a_post_means_that_nothing_was_done_only_where_it_says_so() {
        let unknown = Outcome::Unknown { retry: Never };
        for (status, other_scheme, elsewhere, without) in [
            (300, Outcome::Redirect, Outcome::Redirect, error(Refused, Never)),
            (301, Outcome::Redirect, unknown, unknown),
            (302, Outcome::Redirect, unknown, unknown),
            (303, unknown, unknown, unknown),
            (307, Outcome::Redirect, Outcome::Redirect, error(Refused, Never)),
            (308, Outcome::Redirect, Outcome::Redirect, error(Refused, Never)),
        ] {
            let of = |method, location| classify(&Facts { method, status, location, ..PLAIN });
            assert_eq!(of(Method::Post, Location::OtherScheme), other_scheme, "{status}");
            assert_eq!(of(Method::Post, Location::Elsewhere), elsewhere, "{status}");
            assert_eq!(of(Method::Post, Location::None), without, "{status}");
            for method in [Method::Get, Method::Delete] {
                assert_eq!(of(method, Location::Elsewhere), Outcome::Redirect, "{status}");
            }
        }
    }
}
