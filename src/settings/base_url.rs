//! The base URL of the API, as the user gives it.

use std::fmt;
use std::net::Ipv6Addr;

use crate::api::error::Error;
use crate::url::{self, is_loopback};

/// The server of the API reference. OpenAI shut it down on 2026-09-24.
pub const DEFAULT_BASE_URL: &str = "https://api.openai.com/v1";

const EXAMPLE: &str = "write it like https://gateway.example.com/v1";

/// An `http` or `https` URL that the API's paths are appended to, such as
/// `https://api.openai.com/v1`. Debug output hides the path, which users put keys into.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl {
    /// Without a slash at its end.
    url: String,
    https: bool,
    /// In lower case, without brackets.
    host: String,
    port: Option<u16>,
}

/// Why a URL cannot be used, to follow the URL in a message, and a hint.
type Refusal = (String, String);

impl BaseUrl {
    /// Checks scheme, host and port; a slash at the end is dropped.
    ///
    /// # Errors
    /// [`Error::Invalid`], quoting the URL, for another scheme or none, no host, an invalid port,
    /// or characters that a URL cannot hold; without quoting it, for credentials, a query or a
    /// fragment, which may hold secrets.
    pub fn new(url: &str) -> Result<Self, Error> {
        if url.contains('@') {
            return Err(Error::invalid_with(
                "the base URL holds credentials",
                "leave them out and send them with a header, such as 'Authorization: Basic ...'",
            ));
        }
        if url.contains(['?', '#']) {
            return Err(Error::invalid_with(
                "the base URL has a query or a fragment",
                "leave it out",
            ));
        }
        Self::parse(url).map_err(|(reason, hint)| {
            Error::invalid_with(format!("the base URL '{url}' {reason}"), hint)
        })
    }

    fn parse(url: &str) -> Result<Self, Refusal> {
        let Some((scheme, rest)) = url.split_once("://") else {
            let hint = format!("write https://{url}, or http:// for a server on this machine");
            return Err(("has no scheme".to_owned(), hint));
        };
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "https" && scheme != "http" {
            return Err(refusal("is neither http:// nor https://", EXAMPLE));
        }
        check_characters(rest)?;
        let rest = rest.trim_end_matches('/');
        let (host, port) = host_and_port(rest.split('/').next().unwrap_or_default())?;
        Ok(Self {
            url: format!("{scheme}://{rest}"),
            https: scheme == "https",
            host: host.to_ascii_lowercase(),
            port,
        })
    }

    /// The URL without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Whether this is OpenAI's own endpoint.
    pub fn is_default(&self) -> bool {
        self.host == "api.openai.com"
    }

    /// Whether the network can read the requests: plain http to a host that is not loopback.
    pub fn is_exposed(&self) -> bool {
        !self.https && !is_loopback(&self.host)
    }

    /// Whether the scheme is https.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The host, in lower case and without brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The port, where the URL has one.
    pub(crate) fn port(&self) -> Option<u16> {
        self.port
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({})", url::origin(&self.url))
    }
}

fn refusal(reason: &str, hint: &str) -> Refusal {
    (reason.to_owned(), hint.to_owned())
}

/// Checks that everything behind the scheme is made of characters that a URL may hold (RFC 3986).
fn check_characters(rest: &str) -> Result<(), Refusal> {
    let is_invalid = |c: &char| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(*c);
    match rest.chars().find(is_invalid) {
        None => Ok(()),
        Some(c) => Err(refusal(
            &format!("holds the character '{}'", c.escape_debug()),
            "percent-encode it; write a host name in punycode",
        )),
    }
}

/// Splits `host`, `host:port`, `[address]` or `[address]:port` and checks both parts.
fn host_and_port(authority: &str) -> Result<(&str, Option<u16>), Refusal> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) if address.parse::<Ipv6Addr>().is_ok() => (address, port),
        Some(_) => return Err(refusal("has no usable host", EXAMPLE)),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    if host.is_empty() {
        return Err(refusal("has no host", EXAMPLE));
    }
    if !host.contains(':') && !host.chars().all(is_name) {
        return Err(refusal("has no usable host", EXAMPLE));
    }
    if port.is_empty() {
        return Ok((host, None));
    }
    // `parse` alone would take a sign.
    let digits = port.strip_prefix(':').filter(|text| text.bytes().all(|c| c.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(port) if port != 0 => Ok((host, Some(port))),
        _ => Err(refusal("has no usable port", "a port is a number from 1 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_normalised() {
        for (given, kept) in [
            ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
            ("HTTP://127.0.0.1:4010", "http://127.0.0.1:4010"),
            ("http://[::1]:80//", "http://[::1]:80"),
            ("https://gateway.example/a/b%20c", "https://gateway.example/a/b%20c"),
        ] {
            assert_eq!(BaseUrl::new(given).unwrap().as_str(), kept);
        }
    }

    #[test]
    fn unusable_base_urls_are_refused_with_their_text() {
        for (given, message) in [
            ("localhost:4010/v1", "the base URL 'localhost:4010/v1' has no scheme"),
            ("ftp://x/v1", "the base URL 'ftp://x/v1' is neither http:// nor https://"),
            ("https://", "the base URL 'https://' has no host"),
            ("https:///v1", "the base URL 'https:///v1' has no host"),
            ("https://x:0", "the base URL 'https://x:0' has no usable port"),
            ("https://x:99999", "the base URL 'https://x:99999' has no usable port"),
            ("https://[::1]x", "the base URL 'https://[::1]x' has no usable port"),
            ("https://x/v1?a=b", "the base URL has a query or a fragment"),
            ("http://[zz]/v1", "the base URL 'http://[zz]/v1' has no usable host"),
            ("http://[::1", "the base URL 'http://[::1' has no usable host"),
            ("http://x:", "the base URL 'http://x:' has no usable port"),
            ("http://a%zz", "the base URL 'http://a%zz' has no usable host"),
            ("http://x:+80", "the base URL 'http://x:+80' has no usable port"),
            ("https:/user:secret@host/v1", "the base URL holds credentials"),
            ("https://a b/", "the base URL 'https://a b/' holds the character ' '"),
            ("https://exä.com", "the base URL 'https://exä.com' holds the character 'ä'"),
            ("https://user:secret@host/v1", "the base URL holds credentials"),
            ("user:sec ret@host", "the base URL holds credentials"),
        ] {
            assert_eq!(BaseUrl::new(given).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn only_plain_http_beyond_this_machine_is_exposed() {
        for (url, exposed) in [
            ("https://example.com", false),
            ("http://localhost:1", false),
            ("http://LOCALHOST", false),
            ("http://a.localhost", false),
            ("http://127.1.2.3:8080/v1", false),
            ("http://[::1]", false),
            ("http://localhost.example.com", true),
            ("http://127.0.0.1.example.com", true),
            ("http://10.0.0.1", true),
            ("http://[fe80::1]", true),
        ] {
            assert_eq!(BaseUrl::new(url).unwrap().is_exposed(), exposed, "{url}");
        }
    }
}
