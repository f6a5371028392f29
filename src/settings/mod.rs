//! Validated values that a [`Client`](crate::Client) is made of: where to send, as whom, how long to wait. Checked
//! here once, so that what follows cannot meet a URL without a host or a key that breaks out of its header.

pub(crate) mod base_url;
pub(crate) mod certificates;
pub(crate) mod proxy;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::api::error::Error;
use crate::settings::base_url::BaseUrl;
use crate::settings::certificates::ClientCertificate;
use crate::settings::certificates::Roots;
use crate::settings::proxy::Proxies;
use crate::url::segment;

/// A secret that is sent as `Authorization: Bearer` and shown nowhere: its Debug output hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// Takes a key of printable ASCII characters, spaces inside included, without changing it.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is empty or could not stand in an HTTP header. The message does not show the key.
    pub fn new(key: impl Into<String>) -> Result<Self, Error> {
        let key = key.into();
        if key.is_empty() {
            return Err(Error::invalid("the API key is empty"));
        }
        match key.chars().position(|c| !(' '..='~').contains(&c)) {
            None => Ok(Self(key)),
            Some(at) => Err(Error::invalid_with(
                format!(
                    "the API key cannot be sent as a header: its character {} is not printable ASCII",
                    at + 1
                ),
                "look for a line break, a quotation mark or an invisible character that was copied with the key",
            )),
        }
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// `text` with a secret, should a server have sent it back, replaced by `[key]`: plain, as JSON is written where `/`
/// is escaped, or as a part of a URL. Words are left alone, as they stand in honest answers: no server gives out a key
/// like `string` or `anything`.
fn hide(secret: &str, text: String) -> String {
    let word = secret.len() < 12 && secret.chars().all(char::is_alphabetic);
    if word || secret.len() < 8 {
        return text;
    }
    let forms = [secret.to_owned(), secret.replace('/', "\\/"), segment(secret)];
    forms.iter().fold(
        text,
        |text, form| {
            if text.contains(form) { text.replace(form, "[key]") } else { text }
        },
    )
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey([key])")
    }
}

/// One request header of the user's own. It replaces a default one of its name; with an empty value it removes it.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// A header name as RFC 9110 defines it.
    pub(crate) name: String,
    /// Without line breaks or other control characters.
    pub(crate) value: String,
}

impl Header {
    /// The body decides these; another value would break the framing of the request.
    const OWNED: [&str; 4] = ["content-length", "content-type", "transfer-encoding", "connection"];

    /// Reads `Name: value`.
    ///
    /// # Errors
    /// [`Error::Invalid`] without a colon, with a name that is no header name or is owned by the request body, or
    /// with a control character in the value. The message shows the name only: the value may be a secret.
    pub fn parse(line: &str) -> Result<Self, Error> {
        let Some((name, value)) = line.split_once(':') else {
            return Err(Error::invalid_with("a header has no colon", "write it as 'Name: value'"));
        };
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(token) {
            return Err(Error::invalid_with(
                format!("'{}' is no header name", name.escape_debug()),
                "write the header as 'Name: value'",
            ));
        }
        if Self::OWNED.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(Error::invalid(format!(
                "the header '{name}' follows from the request body and cannot be set"
            )));
        }
        let value = value.trim_matches([' ', '\t']);
        if value.chars().any(|c| c.is_control() && c != '\t') {
            return Err(Error::invalid(format!(
                "the value of the header '{name}' holds a control character"
            )));
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether it is of the kind that lets a client in.
    fn is_key(&self) -> bool {
        const KEYS: [&str; 5] = ["auth", "key", "token", "secret", "cookie"];
        let name = self.name.to_ascii_lowercase();
        !self.value.is_empty()
            && !self.is("idempotency-key")
            && KEYS.iter().any(|key| name.contains(key))
    }

    /// What of it may be secret: the whole value and each of its words, such as the token after `Bearer` or the value
    /// of a cookie.
    fn secrets(&self) -> impl Iterator<Item = &str> {
        let is_secret = self.is_key() || self.value.len() >= 16;
        let words = self.value.split([' ', '\t', ';', ',', '=']);
        [self.value.as_str()].into_iter().chain(words).filter(move |_| is_secret)
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({}: [hidden])", self.name)
    }
}

/// A kind of internet address.
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

    /// Whether an address is of the family that is wanted, if one is.
    pub(crate) fn fits(wanted: Option<Family>, address: IpAddr) -> bool {
        wanted.is_none_or(|family| family == Family::of(address))
    }
}

/// Everything a [`Client`](crate::Client) needs to know. Make one with [`Settings::new`] and set what differs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Where the API is.
    pub base_url: BaseUrl,
    /// Sent as `Authorization: Bearer`. Default: none.
    pub api_key: Option<ApiKey>,
    /// Sent as `OpenAI-Organization`. Default: none.
    pub organization: Option<String>,
    /// Sent as `OpenAI-Project`. Default: none.
    pub project: Option<String>,
    /// More headers, each replacing a default one of its name. Default: none.
    pub headers: Vec<Header>,
    /// Lets a key go over plain http to another machine. Default: false.
    pub allow_http: bool,
    /// Who may sign the server's certificate. Default: Mozilla's list.
    pub roots: Option<Roots>,
    /// Shown to a server that asks for it. Default: none.
    pub client_certificate: Option<ClientCertificate>,
    /// What requests go through. Default: nothing.
    pub proxies: Proxies,
    /// The one kind of address that is connected to. Default: both.
    pub family: Option<Family>,
    /// Longest time until there is a connection: for lookups, all addresses, a proxy and TLS together. Default: 10 s.
    pub connect_timeout: Duration,
    /// Longest wait for the head of an answer, and for the rest of a JSON answer. Default: 10 min.
    pub timeout: Duration,
    /// Longest time without a byte moving while a body is on its way. Default: 60 s.
    pub stall_timeout: Duration,
    /// How often a request is sent again where that cannot pay twice. Default: 2.
    pub max_retries: u32,
    /// Whether a POST of unknown outcome is sent again, at the risk of a second job. Default: false.
    pub retry_unsafe: bool,
}

impl Settings {
    /// No time is longer: it would be a mistake, and clocks could not count it.
    pub const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
    /// The most that the key and the headers may hold together, in bytes. Servers take 8 to 16 KiB as a rule.
    const LARGEST_HEADERS: usize = 32 * 1024;
    /// Default of [`Settings::connect_timeout`].
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
    /// Default of [`Settings::timeout`].
    pub const TIMEOUT: Duration = Duration::from_secs(600);
    /// Default of [`Settings::stall_timeout`].
    pub const STALL_TIMEOUT: Duration = Duration::from_secs(60);
    /// Default of [`Settings::max_retries`].
    pub const MAX_RETRIES: u32 = 2;

    /// The defaults, for this server.
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

    /// What must hold before anything is sent.
    ///
    /// # Errors
    /// - [`Error::NoKey`]: the default base URL, and no key.
    /// - [`Error::Unencrypted`]: a key would cross a network over plain http.
    /// - [`Error::Invalid`]: an organization or project that cannot be a header, a timeout of zero or of more than a
    ///   year, or headers larger than 32 KiB.
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

    /// `text` without the secrets of these settings, should a server have sent them back: the key, the values of
    /// the user's own headers, and the passwords of proxies.
    pub fn redact(&self, text: String) -> String {
        let key = self.api_key.iter().map(ApiKey::expose);
        let text = key
            .chain(self.headers.iter().flat_map(Header::secrets))
            .fold(text, |text, secret| hide(secret, text));
        self.proxies.secrets().fold(text, |text, secret| hide(&secret, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn debug_output_hides_every_secret() {
        let mut settings = Settings::new(BaseUrl::new("https://x").unwrap());
        settings.api_key = Some(ApiKey::new("sk-topsecret").unwrap());
        settings.headers.push(Header::parse("X-Gateway-Key: topsecret").unwrap());
        let debug = format!("{settings:?}");
        assert!(!debug.contains("topsecret"), "{debug}");
        assert!(debug.contains("X-Gateway-Key"));
    }

    #[test]
    fn secrets_in_a_servers_text_are_hidden_unless_they_are_mere_words() {
        let mut settings = Settings::new(BaseUrl::new("https://x").unwrap());
        settings.headers.push(Header::parse("Authorization: Bearer abc-123-def").unwrap());
        let mut hidden = |key: &str, text: &str| {
            settings.api_key = Some(ApiKey::new(key).unwrap());
            settings.redact(text.to_owned())
        };
        assert_eq!(hidden("sk-topsecret", "bad key sk-topsecret!"), "bad key [key]!");
        assert_eq!(hidden("My API Key", "My API Key"), "[key]");
        assert_eq!(hidden("string", "no string"), "no string");
        assert_eq!(hidden("anything", "anything goes"), "anything goes");
        assert_eq!(hidden("k", "abc-123-def"), "[key]");
        assert_eq!(hidden("k", "Bearer abc-123-def"), "[key]");
        assert_eq!(hidden("a/b+c/d12", r#""a\/b+c\/d12""#), r#""[key]""#);
        assert_eq!(hidden("a/b+c/d12", "?key=a%2Fb%2Bc%2Fd12"), "?key=[key]");
    }

    #[test]
    fn headers_that_let_a_client_in_are_hidden_word_for_word() {
        let hidden = |header: &str, text: &str| {
            let mut settings = Settings::new(BaseUrl::new("https://x").unwrap());
            settings.headers.push(Header::parse(header).unwrap());
            settings.redact(text.to_owned())
        };
        let cookie = "Cookie: session=SESSION12345; theme=dark-mode";
        assert_eq!(hidden(cookie, "no SESSION12345 here"), "no [key] here");
        assert_eq!(hidden("X-Auth: Bearer tok-0123456 v2", "tok-0123456"), "[key]");
        assert_eq!(hidden("X-Goog-Api-Key: tok-0123", "tok-0123"), "[key]");
        assert_eq!(hidden("X-Upload-Token: tok-0123", "tok-0123"), "[key]");
        assert_eq!(hidden("X-Region: eu-west-1", "eu-west-1"), "eu-west-1");
    }

    #[test]
    fn headers_have_a_bound() {
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
    fn times_have_bounds() {
        for wrong in [Duration::ZERO, Duration::MAX] {
            let mut settings = Settings::new(BaseUrl::new("https://x").unwrap());
            settings.connect_timeout = wrong;
            assert!(matches!(settings.check(), Err(Error::Invalid { .. })));
        }
    }

    #[test]
    fn headers_are_checked() {
        let header = Header::parse("X-A:  b: c ").unwrap();
        assert_eq!((header.name.as_str(), header.value.as_str()), ("X-A", "b: c"));
        for (line, what) in [
            ("X-A", "a header has no colon"),
            (": b", "'' is no header name"),
            ("X A: b", "'X A' is no header name"),
            ("X-A: b\r\nX-B: c", "the value of the header 'X-A' holds a control character"),
            (
                "Content-Length: 0",
                "the header 'Content-Length' follows from the request body and cannot be set",
            ),
        ] {
            assert_eq!(Header::parse(line).unwrap_err().to_string(), what);
        }
    }

    #[test]
    fn a_key_crosses_no_network_in_the_clear_unless_allowed() {
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
