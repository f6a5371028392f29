//! The URL of the API that the user names.

use std::net::Ipv6Addr;

use crate::api::error::Error;
use crate::url::{authority, is_loopback, split_host_port};

/// The server of the API's description. OpenAI announced its shutdown for 2026-09-24.
pub const DEFAULT_BASE_URL: &str = "https://api.openai.com/v1";

/// An `http` or `https` URL that the API's paths are appended to, such as `https://api.openai.com/v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    /// Without a slash at its end.
    url: String,
    https: bool,
    host: String,
}

impl BaseUrl {
    /// Checks scheme, host and port; a slash at the end is dropped.
    ///
    /// # Errors
    /// [`Error::Invalid`], quoting the URL, if it has another scheme or none, no host, a bad port, credentials, a
    /// query, a fragment, or characters that a URL cannot hold.
    pub fn new(url: &str) -> Result<Self, Error> {
        let refuse = |why: &str, hint: &str| {
            Err(Error::invalid_with(format!("the base URL '{url}' {why}"), hint))
        };
        let example = "write it like https://gateway.example.com/v1";
        if url.contains('@') {
            // Checked first, and not quoted: it holds a password.
            return Err(Error::invalid_with(
                "the base URL holds credentials",
                "leave them out and send them with a header, such as 'Authorization: Basic ...'",
            ));
        }
        if url.contains(['?', '#']) {
            // Not quoted either: queries hold keys.
            return Err(Error::invalid_with(
                "the base URL has a query or a fragment",
                "leave it out",
            ));
        }
        let Some((scheme, rest)) = url.split_once("://") else {
            return refuse(
                "has no scheme",
                &format!("write https://{url}, or http:// for a server on this machine"),
            );
        };
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return refuse("is neither http:// nor https://", example),
        };
        if let Some(bad) =
            rest.chars().find(|c| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(*c))
        {
            let bad = bad.escape_debug();
            return refuse(
                &format!("holds the character '{bad}'"),
                "percent-encode it; a host name in punycode",
            );
        }
        let rest = rest.trim_end_matches('/');
        let authority = rest.split('/').next().unwrap_or_default();
        let (host, port) = match authority.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or("bad"))),
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        if host.is_empty() {
            return refuse("has no host", example);
        }
        let sound = match authority.starts_with('[') {
            true => host.parse::<Ipv6Addr>().is_ok(),
            false => host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)),
        };
        if !sound {
            return refuse("has no usable host", example);
        }
        let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        if port
            .is_some_and(|port| !digits(port) || port.parse::<u16>().map_or(true, |port| port == 0))
        {
            return refuse("has no usable port", "a port is a number from 1 to 65535");
        }
        let url = format!("{}://{rest}", if https { "https" } else { "http" });
        Ok(Self { https, host: host.to_ascii_lowercase(), url })
    }

    /// The URL without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Whether this is OpenAI's own endpoint.
    pub fn is_default(&self) -> bool {
        self.host == "api.openai.com"
    }

    /// Whether what is sent can be read on the way: plain http to anything but this machine.
    pub fn is_exposed(&self) -> bool {
        !self.https && !is_loopback(&self.host)
    }

    /// Whether it is spoken to over TLS.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// In lower case, without brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The port that the URL names.
    pub(crate) fn port(&self) -> Option<u16> {
        split_host_port(&authority(&self.url)).1
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
        for (given, what) in [
            ("localhost:4010/v1", "the base URL 'localhost:4010/v1' has no scheme"),
            ("ftp://x/v1", "the base URL 'ftp://x/v1' is neither http:// nor https://"),
            ("https://", "the base URL 'https://' has no host"),
            ("https:///v1", "the base URL 'https:///v1' has no host"),
            ("https://x:0", "the base URL 'https://x:0' has no usable port"),
            ("https://x:99999", "the base URL 'https://x:99999' has no usable port"),
            ("https://[::1]x", "the base URL 'https://[::1]x' has no usable port"),
            ("https://x/v1?a=b", "the base URL has a query or a fragment"),
            ("http://[zz]/v1", "the base URL 'http://[zz]/v1' has no usable host"),
            ("http://a%zz", "the base URL 'http://a%zz' has no usable host"),
            ("http://x:+80", "the base URL 'http://x:+80' has no usable port"),
            ("https:/user:secret@host/v1", "the base URL holds credentials"),
            ("https://a b/", "the base URL 'https://a b/' holds the character ' '"),
            ("https://exämple.com", "the base URL 'https://exämple.com' holds the character 'ä'"),
            ("https://user:secret@host/v1", "the base URL holds credentials"),
            ("user:sec ret@host", "the base URL holds credentials"),
        ] {
            assert_eq!(BaseUrl::new(given).unwrap_err().to_string(), what);
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
