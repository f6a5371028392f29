//! Request headers that the user adds.

use std::fmt;

use crate::api::error::Error;

/// Names of headers that never hold a secret. Their values are words such as `application/json`,
/// which other text holds as well.
const HARMLESS: [&str; 17] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "expect",
    "host",
    "idempotency-key",
    "if-range",
    "openai-organization",
    "openai-project",
    "origin",
    "pragma",
    "prefer",
    "range",
    "referer",
    "user-agent",
];

/// Names of headers that differ from run to run and do not name an account.
const TRACES: [&str; 7] = [
    "baggage",
    "traceparent",
    "tracestate",
    "x-client-request-id",
    "x-correlation-id",
    "x-request-id",
    "x-trace-id",
];

/// Parts of the names of headers that hold a secret.
const SECRET_NAMES: [&str; 7] =
    ["auth", "key", "token", "secret", "cookie", "password", "credential"];

/// The value of any other header is taken for a secret from this length on, in bytes.
const SUSPICIOUS_LEN: usize = 16;

/// Parts of a secret value are secrets themselves from this length on, in bytes; shorter ones are
/// words such as `Bearer`.
const MIN_PART: usize = 8;

/// Whether a header with this name never holds a secret.
pub(crate) fn is_harmless(name: &str) -> bool {
    HARMLESS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a server may tell accounts apart by this header.
pub(crate) fn may_name_account(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_of_openai = matches!(name.as_str(), "openai-organization" | "openai-project");
    is_of_openai || !(is_harmless(&name) || TRACES.contains(&name.as_str()))
}

/// A request header that the user adds. It replaces the default one of its name, or removes it if
/// the value is empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// A header name as RFC 9110 defines it.
    pub(crate) name: String,
    /// Without line breaks or other control characters.
    pub(crate) value: String,
    is_secret: bool,
}

impl Header {
    /// Headers that follow from the body: another value would break the framing of the request.
    const OWNED: [&str; 4] = ["content-length", "content-type", "transfer-encoding", "connection"];

    /// Headers that ureq sends only in ASCII. Others are sent in UTF-8.
    const ASCII: [&str; 2] = ["authorization", "host"];

    /// Reads `Name: value`.
    ///
    /// # Errors
    /// [`Error::Invalid`] without a colon, for an invalid name or one that the request body owns,
    /// for a control character in the value, or for one outside ASCII in `Authorization` or `Host`.
    /// The message shows the name only: the value may be a secret.
    pub fn parse(line: &str) -> Result<Self, Error> {
        let Some((name, value)) = line.split_once(':') else {
            return Err(Error::invalid_with("a header has no colon", "write it as 'Name: value'"));
        };
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(token) {
            return Err(Error::invalid_with(
                format!("'{}' is not a header name", name.escape_debug()),
                "write the header as 'Name: value'",
            ));
        }
        if Self::OWNED.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(Error::invalid(format!(
                "the header '{name}' follows from the request body and cannot be set"
            )));
        }
        let value = value.trim_matches([' ', '\t']);
        let unusable = if value.chars().any(|c| c.is_control() && c != '\t') {
            Some("a control character")
        } else if Self::ASCII.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            (!value.is_ascii()).then_some("a character that is not ASCII")
        } else {
            None
        };
        if let Some(unusable) = unusable {
            let message = format!("the value of the header '{name}' holds {unusable}");
            return Err(Error::invalid(message));
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned(), is_secret: false })
    }

    /// Marks the value as a secret, as one that comes from a file is. Headers such as
    /// `Authorization` and `Cookie` are secret without it, and those such as `Accept` never are.
    pub fn secret(mut self) -> Self {
        self.is_secret = true;
        self
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value of `Idempotency-Key`, which requests that create something send as their own.
    /// `None` for a value from a file: it is a secret, which no state file may contain.
    pub(crate) fn idempotency_key(&self) -> Option<&str> {
        let is_own = self.is("Idempotency-Key") && !self.value.is_empty() && !self.is_secret;
        is_own.then_some(self.value.as_str())
    }

    /// Whether it authenticates the client, by its name or by its mark.
    pub(crate) fn is_key(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        let is_marked = self.is_secret || SECRET_NAMES.iter().any(|part| name.contains(part));
        !self.value.is_empty() && !is_harmless(&self.name) && is_marked
    }

    /// The secrets in it: the whole value, the credentials after a scheme such as `Bearer`, and the
    /// longer of its parts, such as the value of a cookie.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let is_secret =
            self.is_key() || (self.value.len() >= SUSPICIOUS_LEN && !is_harmless(&self.name));
        let parts = self.value.split([' ', '\t', ';', ',', '=', '"']);
        let is_word = |part: &str| part.len() < 12 && part.bytes().all(|c| c.is_ascii_alphabetic());
        let has_scheme = self.name.to_ascii_lowercase().ends_with("authorization");
        let credentials = self.value.split_once(' ').filter(|_| has_scheme).map(|it| it.1.trim());
        let parts = parts.filter(move |part| {
            part.len() >= MIN_PART && !is_word(part) && Some(*part) != credentials
        });
        let whole = [self.value.as_str()].into_iter().chain(credentials);
        whole.chain(parts).filter(move |_| is_secret)
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({}: [hidden])", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_checked() {
        let header = Header::parse("X-A:  b: c ").unwrap();
        assert_eq!((header.name.as_str(), header.value.as_str()), ("X-A", "b: c"));
        for (line, message) in [
            ("X-A", "a header has no colon"),
            (": b", "'' is not a header name"),
            ("X A: b", "'X A' is not a header name"),
            ("X-A: b\r\nX-B: c", "the value of the header 'X-A' holds a control character"),
            (
                "Authorization: Bearer \u{e9}",
                "the value of the header 'Authorization' holds a character that is not ASCII",
            ),
            ("host: \u{e9}", "the value of the header 'host' holds a character that is not ASCII"),
            (
                "Content-Length: 0",
                "the header 'Content-Length' follows from the request body and cannot be set",
            ),
        ] {
            assert_eq!(Header::parse(line).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn secrets_are_recognised_by_name_length_or_mark() {
        for (line, secrets) in [
            ("Authorization: Bearer abc-123-def", &["Bearer abc-123-def", "abc-123-def"][..]),
            (
                "Cookie: session=SESSION12345; theme=dark",
                &["session=SESSION12345; theme=dark", "SESSION12345"],
            ),
            ("Authorization: Bearer abcdefgh", &["Bearer abcdefgh", "abcdefgh"]),
            ("Authorization: Bearer a,b=c", &["Bearer a,b=c", "a,b=c"]),
            ("X-Api-Key: k", &["k"]),
            ("Proxy-Authorization: Basic dXNlcjpwYXNz", &["Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"]),
            ("X-Trace: 0123456789abcdef", &["0123456789abcdef", "0123456789abcdef"]),
            ("X-Region: eu-west-1", &[]),
            ("Accept: application/vnd.example+json", &[]),
            ("Origin: https://console.example.com", &[]),
            ("Idempotency-Key: 0123456789abcdef", &[]),
            ("X-Api-Key:", &[]),
        ] {
            let header = Header::parse(line).unwrap();
            assert_eq!(header.secrets().collect::<Vec<_>>(), secrets, "{line}");
        }
        let marked = |line: &str| Header::parse(line).unwrap().secret();
        assert_eq!(marked("X-Region: eu").secrets().collect::<Vec<_>>(), ["eu"]);
        assert_eq!(marked("Accept: application/json").secrets().count(), 0);
    }
}
