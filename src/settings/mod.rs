//! The settings of a [`Client`](crate::Client) as validated values. They are checked once, here, so
//! that no other module has to deal with a URL without a host or a key that ends its header early.

pub(crate) mod base_url;
pub(crate) mod certificates;
pub(crate) mod header;
pub(crate) mod proxy;
mod secrets;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::api::error::Error;
use crate::settings::base_url::BaseUrl;
use crate::settings::certificates::ClientCertificate;
use crate::settings::certificates::Roots;
use crate::settings::header::Header;
use crate::settings::proxy::Proxies;
use crate::settings::secrets::Secrets;

/// An API key, sent as `Authorization: Bearer`. Its Debug output does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// Checks that the key consists of printable ASCII characters and spaces. It is sent unchanged.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is empty or contains another character. The message does not show
    /// the key.
    pub fn new(key: impl Into<String>) -> Result<Self, Error> {
        let key = key.into();
        if key.is_empty() {
            return Err(Error::invalid("the API key is empty"));
        }
        match key.chars().position(|c| !(' '..='~').contains(&c)) {
            None => Ok(Self(key)),
            Some(at) => Err(Error::invalid_with(
                format!(
                    "the API key cannot be sent as a header: its character {} is not printable \
                     ASCII",
                    at + 1
                ),
                "look for a line break, a quotation mark or an invisible character that was copied \
                 with the key",
            )),
        }
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey([key])")
    }
}

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `192.0.2.1`
    V4,
    /// `2001:db8::1`
    V6,
}

impl Family {
    fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    /// Whether an address is of the wanted family; every one is if none is wanted.
    pub(crate) fn fits(wanted: Option<Family>, address: IpAddr) -> bool {
        wanted.is_none_or(|family| family == Family::of(address))
    }
}

/// The settings of a [`Client`](crate::Client). Make them with [`Settings::new`] and set the fields
/// that differ.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The base URL of the API.
    pub base_url: BaseUrl,
    /// Sent as `Authorization: Bearer`. Default: none.
    pub api_key: Option<ApiKey>,
    /// Sent as `OpenAI-Organization`. Default: none.
    pub organization: Option<String>,
    /// Sent as `OpenAI-Project`. Default: none.
    pub project: Option<String>,
    /// More request headers, each replacing the default one of its name. Default: none.
    pub headers: Vec<Header>,
    /// Allows a key over plain http to a host that is not loopback. Default: false.
    pub allow_http: bool,
    /// Who may sign the server's certificate. Default: Mozilla's list, as of the time of the
    /// build.
    pub roots: Option<Roots>,
    /// The certificate for a server that asks the client for one. Default: none.
    pub client_certificate: Option<ClientCertificate>,
    /// The proxies. Default: none.
    pub proxies: Proxies,
    /// The only address family to connect to. Default: both.
    pub family: Option<Family>,
    /// Maximum time to connect: DNS, all addresses, proxy and TLS together. Default: 10 s.
    pub connect_timeout: Duration,
    /// Maximum time to the response head, and from there to the end of a JSON body. Default: 10
    /// min.
    pub timeout: Duration,
    /// Maximum time without a byte sent or received during a transfer. Default: 60 s.
    pub stall_timeout: Duration,
    /// Maximum number of retries of a request that cannot create a second job. Default: 2.
    pub max_retries: u32,
    /// Whether a POST of unknown outcome is retried, at the risk of a second job. Default: false.
    pub retry_unsafe: bool,
}

impl Settings {
    /// The longest allowed timeout: a longer one is a mistake, and would overflow the clock.
    pub const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
    /// The largest size of the key and the headers together, in bytes. Most servers accept 8 to 16
    /// KiB.
    pub(crate) const LARGEST_HEADERS: usize = 32 * 1024;
    /// Default of [`Settings::connect_timeout`].
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
    /// Default of [`Settings::timeout`].
    pub const TIMEOUT: Duration = Duration::from_secs(600);
    /// Default of [`Settings::stall_timeout`].
    pub const STALL_TIMEOUT: Duration = Duration::from_secs(60);
    /// Default of [`Settings::max_retries`].
    pub const MAX_RETRIES: u32 = 2;

    /// The default settings for this base URL.
    pub fn new(base_url: BaseUrl) -> Self {
        Self {
            base_url,
            api_key: None,
            organization: None,
            project: None,
            headers: Vec::new(),
            allow_http: false,
            roots: None,
            client_certificate: None,
            proxies: Proxies::default(),
            family: None,
            connect_timeout: Self::CONNECT_TIMEOUT,
            timeout: Self::TIMEOUT,
            stall_timeout: Self::STALL_TIMEOUT,
            max_retries: Self::MAX_RETRIES,
            retry_unsafe: false,
        }
    }

    /// Checks everything that can be checked before anything is sent.
    ///
    /// # Errors
    /// - [`Error::NoKey`]: the default base URL, and no key.
    /// - [`Error::Unencrypted`]: a key would cross a network over plain http.
    /// - [`Error::Invalid`]: an organization or project that cannot be a header, a timeout of zero
    ///   or of more than a year, headers larger than 32 KiB, or, for an https base URL, roots that
    ///   cannot be used.
    pub fn check(&self) -> Result<(), Error> {
        let replaced = self.headers.iter().any(|header| header.is("authorization"));
        let has_key =
            (self.api_key.is_some() && !replaced) || self.headers.iter().any(Header::is_key);
        if self.base_url.is_default() && !has_key {
            return Err(Error::NoKey);
        }
        if has_key && self.base_url.is_exposed() && !self.allow_http {
            return Err(Error::Unencrypted { url: self.base_url.as_str().to_owned() });
        }
        for (name, value) in [
            ("connect timeout", self.connect_timeout),
            ("timeout", self.timeout),
            ("stall timeout", self.stall_timeout),
        ] {
            if value.is_zero() || value > Self::LONGEST {
                return Err(Error::invalid(format!("the {name} cannot be {value:?}")));
            }
        }
        self.check_headers()?;
        if let Some(roots) = self.roots.as_ref().filter(|_| self.base_url.is_https()) {
            roots.read()?;
        }
        Ok(())
    }

    /// Checks the total size of the headers, and that organization and project can be headers.
    fn check_headers(&self) -> Result<(), Error> {
        let key = self.api_key.as_ref().map_or(0, |key| key.expose().len());
        let own = self.headers.iter().map(|own| own.name.len() + own.value.len());
        if key + own.sum::<usize>() > Self::LARGEST_HEADERS {
            return Err(Error::invalid(format!(
                "the key and the headers are larger than {} KiB together",
                Self::LARGEST_HEADERS >> 10
            )));
        }
        for (name, value) in [("organization", &self.organization), ("project", &self.project)] {
            if value.as_ref().is_some_and(|value| !value.chars().all(|c| (' '..='~').contains(&c)))
            {
                let value = value.as_deref().unwrap_or_default().escape_debug();
                return Err(Error::invalid(format!(
                    "the {name} '{value}' cannot be sent as a header"
                )));
            }
        }
        Ok(())
    }

    /// Redacts the secrets of these settings in a diagnostic, where a server may have echoed them:
    /// the API key, the values of headers that may be secret, and the passwords of proxies. Every
    /// occurrence is replaced, JSON-escaped, percent-encoded or in base64 as well; of a secret
    /// shorter than 8 bytes only a whole text or JSON string.
    pub fn redact(&self, text: String) -> String {
        self.secrets().redact(text)
    }

    /// Redacts the secrets of these settings in a result, which is data: only JSON strings that
    /// equal a secret of 8 bytes or more are replaced, and no ids.
    pub fn redact_result<'a>(&self, json: &'a str) -> Cow<'a, str> {
        self.secrets().redact_result(json)
    }

    fn secrets(&self) -> Secrets {
        let key = self.api_key.iter().map(ApiKey::expose);
        let headers = self.headers.iter().flat_map(Header::secrets);
        Secrets::new(key.chain(headers).map(str::to_owned).chain(self.proxies.secrets()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::proxy::Proxy;

    #[test]
    fn a_key_that_cannot_be_a_header_is_refused_without_showing_it() {
        for (key, at) in
            [("sk-secret\n", 10), ("sk-\r\nX: y", 4), ("schlüssel", 5), ("\u{feff}sk", 1)]
        {
            let message = ApiKey::new(key).unwrap_err().to_string();
            let expected = format!(
                "the API key cannot be sent as a header: its character {at} is not printable ASCII"
            );
            assert_eq!(message, expected);
        }
        assert!(ApiKey::new("My API Key").is_ok());
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let mut settings = Settings::new(BaseUrl::new("https://x").unwrap());
        settings.api_key = Some(ApiKey::new("sk-topsecret").unwrap());
        settings.headers.push(Header::parse("X-Gateway-Key: topsecret").unwrap());
        let debug = format!("{settings:?}");
        assert!(!debug.contains("topsecret"), "{debug}");
        assert!(debug.contains("X-Gateway-Key"));
    }

    #[test]
    fn the_key_and_secret_headers_and_proxy_passwords_are_redacted() {
        let mut settings = Settings::new(BaseUrl::new("https://x/sk-topsecret/v1").unwrap());
        settings.api_key = Some(ApiKey::new("sk-topsecret").unwrap());
        for line in ["Authorization: Bearer abc-123-def", "Origin: https://a.example"] {
            settings.headers.push(Header::parse(line).unwrap());
        }
        settings.headers.push(Header::parse("X-Region: eu-west-1").unwrap().secret());
        settings.proxies.https = Some(Proxy::new("http://user:pass%2Fword@proxy").unwrap());
        let text =
            "sk-topsecret abc-123-def https://a.example eu-west-1 pass/word dXNlcjpwYXNzL3dvcmQ=";
        assert_eq!(
            settings.redact(text.to_owned()),
            "[key] [key] https://a.example [key] [key] [key]"
        );
        assert_eq!(
            settings.redact_result(r#"{"a":"abc-123-def","b":"eu-west-1!"}"#),
            r#"{"a":"[key]","b":"eu-west-1!"}"#
        );
        let debug = format!("{settings:?}");
        for secret in ["topsecret", "abc-123", "eu-west", "word"] {
            assert!(!debug.contains(secret), "{debug}");
        }
    }

    #[test]
    fn the_size_of_the_headers_is_bounded() {
        let mut settings = Settings::new(BaseUrl::new("http://localhost").unwrap());
        let mut own = |size| {
            settings.headers = vec![Header::parse(&format!("a:{}", "x".repeat(size))).unwrap()];
            settings.check()
        };
        assert!(own(Settings::LARGEST_HEADERS - 1).is_ok());
        assert_eq!(
            own(Settings::LARGEST_HEADERS).unwrap_err().to_string(),
            "the key and the headers are larger than 32 KiB together"
        );
    }

    #[test]
    fn timeouts_are_bounded() {
        for wrong in [Duration::ZERO, Duration::MAX] {
            let mut settings = Settings::new(BaseUrl::new("https://x").unwrap());
            settings.connect_timeout = wrong;
            assert!(matches!(settings.check(), Err(Error::Invalid { .. })));
        }
    }

    #[test]
    fn a_key_over_plain_http_is_refused_unless_allowed() {
        let mut settings = Settings::new(BaseUrl::new("http://gateway.example/v1").unwrap());
        assert!(settings.check().is_ok());
        settings.headers.push(Header::parse("authorization: Basic x").unwrap());
        assert!(matches!(settings.check(), Err(Error::Unencrypted { .. })));
        settings.headers.clear();
        settings.api_key = Some(ApiKey::new("k").unwrap());
        assert!(matches!(settings.check(), Err(Error::Unencrypted { .. })));
        settings.allow_http = true;
        assert!(settings.check().is_ok());
    }

    #[test]
    fn the_default_server_needs_a_key() {
        let settings = Settings::new(BaseUrl::new("https://api.openai.com/v1/").unwrap());
        assert!(matches!(settings.check(), Err(Error::NoKey)));
    }
}
