//! Proxies, and the choice of one for a URL. Nothing here reads the environment: the caller passes
//! its values.
//!
//! As in curl, a name in `NO_PROXY` covers its subdomains, with or without a leading dot. As in Go,
//! and so in the official client, loopback is always connected to directly: the proxy's `localhost`
//! is another machine, and would be sent a key that is meant to stay on this one.

use std::fmt;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::api::error::Error;
use crate::settings::base_url::BaseUrl;
use crate::url::{is_loopback, join_host_port, percent_decode};

const EXAMPLE: &str = "write it like http://user:password@proxy.example.com:3128, with special \
    characters in the password percent-encoded; the schemes are http, https, socks5 and socks5h";

/// The protocol of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Http,
    Https,
    /// The client resolves names.
    Socks5,
    /// The proxy resolves names.
    Socks5h,
}

/// A proxy. Debug output does not show its credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(crate) kind: Kind,
    /// Without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) credentials: Option<Credentials>,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Credentials {
    /// Percent-decodes `user[:password]`. `None` if that fails.
    fn decode(credentials: &str) -> Option<Self> {
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        Some(Self { user: percent_decode(user)?, password: percent_decode(password)? })
    }
}

impl Proxy {
    /// Reads `[scheme://][user[:password]@]host[:port]`. The schemes are http (the default), https,
    /// socks5 and socks5h, with the default ports 80, 443 and 1080. User and password are
    /// percent-decoded. A path is ignored.
    ///
    /// # Errors
    /// [`Error::Invalid`] for anything else. The message does not quote the URL, which may hold a
    /// password.
    pub fn new(url: &str) -> Result<Self, Error> {
        let refuse = |reason: &str| Error::invalid_with(format!("the proxy URL {reason}"), EXAMPLE);
        let (scheme, rest) = url.trim().split_once("://").unwrap_or(("http", url.trim()));
        let (kind, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (Kind::Http, 80),
            "https" => (Kind::Https, 443),
            "socks5" => (Kind::Socks5, 1080),
            "socks5h" => (Kind::Socks5h, 1080),
            _ => return Err(refuse("has an unknown scheme")),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if path.contains('@') {
            // The password contains a `/`, `?` or `#`: a part of it would be taken for the host.
            return Err(refuse("has unusable credentials"));
        }
        let (credentials, place) = match authority.rsplit_once('@') {
            None => (None, authority),
            Some((credentials, place)) => {
                let unusable = || refuse("has unusable credentials");
                let credentials = Credentials::decode(credentials).ok_or_else(unusable)?;
                let longest = credentials.user.len().max(credentials.password.len());
                if matches!(kind, Kind::Socks5 | Kind::Socks5h) && longest > 255 {
                    return Err(refuse("has credentials longer than SOCKS can send"));
                }
                (Some(credentials), place)
            }
        };
        // Host and port are checked like those of any URL.
        let place = BaseUrl::new(&format!("http://{place}"))
            .map_err(|_| refuse("has no usable host or port"))?;
        Ok(Self {
            kind,
            host: place.host().to_owned(),
            port: place.port().unwrap_or(default_port),
            credentials,
        })
    }

    /// `host:port`
    pub(crate) fn host_and_port(&self) -> String {
        join_host_port(&self.host, self.port)
    }

    /// The value of `Proxy-Authorization`.
    pub(crate) fn authorization(&self) -> Option<String> {
        let Credentials { user, password } = self.credentials.as_ref()?;
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        Some(format!("Basic {encoded}"))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = if self.credentials.is_some() { "[credentials] at " } else { "" };
        write!(f, "Proxy({:?}, {hidden}{})", self.kind, self.host_and_port())
    }
}

/// The proxy for each scheme of a URL, and the exceptions. Default: none.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Proxies {
    /// For `https://` URLs.
    pub https: Option<Proxy>,
    /// For `http://` URLs.
    pub http: Option<Proxy>,
    /// Hosts that are connected to directly.
    pub exceptions: NoProxy,
}

impl Proxies {
    /// The proxy for a host, which may stand in brackets, and a port.
    pub(crate) fn choose(&self, https: bool, host: &str, port: u16) -> Option<&Proxy> {
        let proxy = if https { &self.https } else { &self.http };
        let host = bare(host);
        let direct = is_loopback(&host) || self.exceptions.hold(&host, port);
        proxy.as_ref().filter(|_| !direct)
    }

    /// The secrets in the credentials: the password, and the base64 text that is sent.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = String> {
        let proxies = self.https.iter().chain(&self.http);
        proxies.flat_map(|proxy| {
            let password = proxy.credentials.iter().map(|both| both.password.clone());
            let sent = proxy.authorization();
            let sent = sent.and_then(|text| text.strip_prefix("Basic ").map(str::to_owned));
            password.chain(sent)
        })
    }
}

/// The value of `NO_PROXY`: hosts that are connected to directly.
#[derive(Debug, Clone, Default)]
pub struct NoProxy(Vec<Exception>);

#[derive(Debug, Clone)]
enum Exception {
    Everything,
    /// The name and its subdomains.
    Name(String, Option<u16>),
    Address(IpAddr, Option<u16>),
    /// A CIDR block: all addresses that begin with the same bits.
    Block(IpAddr, u8),
}

impl NoProxy {
    /// Reads a list separated by commas or spaces: `*`, names with or without a leading dot,
    /// addresses and CIDR blocks. A name or an address may have a port. Other words match nothing.
    pub fn new(list: &str) -> Self {
        let words = list.split(|c: char| c == ',' || c.is_ascii_whitespace());
        Self(words.filter(|word| !word.is_empty()).filter_map(Exception::new).collect())
    }

    fn hold(&self, host: &str, port: u16) -> bool {
        let address: Option<IpAddr> = host.parse().ok();
        self.0.iter().any(|exception| match exception {
            Exception::Everything => true,
            Exception::Name(name, at) => {
                let rest = host.strip_suffix(name.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                    && at.is_none_or(|at| at == port)
            }
            Exception::Address(one, at) => address == Some(*one) && at.is_none_or(|at| at == port),
            Exception::Block(start, bits) => {
                address.is_some_and(|address| same_start(*start, address, *bits))
            }
        })
    }
}

impl Exception {
    fn new(word: &str) -> Option<Self> {
        if word == "*" {
            return Some(Exception::Everything);
        }
        if let Some((start, bits)) = word.split_once('/') {
            let start: IpAddr = bare(start).parse().ok()?;
            let most = if start.is_ipv4() { 32 } else { 128 };
            let bits = bits.parse().ok().filter(|bits| *bits <= most)?;
            return Some(Exception::Block(start, bits));
        }
        if let Ok(address) = bare(word).parse() {
            return Some(Exception::Address(address, None));
        }
        let (name, port) = match word.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.parse().ok()?)),
            None => (word, None),
        };
        let name = bare(name);
        match name.parse() {
            Ok(address) => Some(Exception::Address(address, port)),
            Err(_) => {
                let name = name.strip_prefix('*').unwrap_or(&name);
                let name = name.trim_start_matches('.').to_owned();
                (!name.is_empty()).then_some(Exception::Name(name, port))
            }
        }
    }
}

fn same_start(one: IpAddr, other: IpAddr, bits: u8) -> bool {
    let differ = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => u128::from(one.to_bits() ^ other.to_bits()) << 96,
        (IpAddr::V6(one), IpAddr::V6(other)) => one.to_bits() ^ other.to_bits(),
        _ => return false,
    };
    differ.leading_zeros() >= u32::from(bits)
}

/// A host in lower case, without brackets and without the dot of a fully qualified name.
fn bare(host: &str) -> String {
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_read() {
        for (url, shown, authorization) in [
            ("proxy.example", "Proxy(Http, proxy.example:80)", None),
            ("proxy.example:3128", "Proxy(Http, proxy.example:3128)", None),
            ("HTTPS://Proxy.Example/", "Proxy(Https, proxy.example:443)", None),
            ("socks5://[::1]", "Proxy(Socks5, [::1]:1080)", None),
            ("socks5h://10.0.0.1:9", "Proxy(Socks5h, 10.0.0.1:9)", None),
            (
                "http://us%40er:p%3ass@word@h",
                "Proxy(Http, [credentials] at h:80)",
                Some("Basic dXNAZXI6cDpzc0B3b3Jk"),
            ),
            ("u@h:1/", "Proxy(Http, [credentials] at h:1)", Some("Basic dTo=")),
        ] {
            let proxy = Proxy::new(url).unwrap();
            assert_eq!(format!("{proxy:?}"), shown);
            assert_eq!(proxy.authorization().as_deref(), authorization);
        }
    }

    #[test]
    fn unusable_proxies_are_refused_without_being_quoted() {
        let long = format!("socks5://u:{}@h", "secret".repeat(50));
        for (url, reason) in [
            ("ftp://secret@h", "has an unknown scheme"),
            ("socks4://h", "has an unknown scheme"),
            ("http://", "has no usable host or port"),
            ("http://user:secret", "has no usable host or port"),
            ("http://user:secret@", "has no usable host or port"),
            ("http://user:sec/ret@h", "has unusable credentials"),
            ("http://user:12/secret@h", "has unusable credentials"),
            ("http://h:0", "has no usable host or port"),
            ("http://user:secret%2@h", "has unusable credentials"),
            ("http://user:secret%ff@h", "has unusable credentials"),
            (&long, "has credentials longer than SOCKS can send"),
        ] {
            let error = Proxy::new(url).unwrap_err();
            assert_eq!(error.to_string(), format!("the proxy URL {reason}"), "{url}");
        }
    }

    #[test]
    fn exceptions_are_connected_to_directly() {
        let table: [(&str, &[&str], &[&str]); 10] = [
            ("*", &["a.example", "10.0.0.1"], &[]),
            ("", &[], &["a.example"]),
            (
                "a.example",
                &["a.example", "A.Example.", "x.a.example"],
                &["xa.example", "a.example.com"],
            ),
            (".a.example", &["a.example", "x.a.example"], &["xa.example"]),
            ("*.a.example", &["x.y.a.example"], &["xa.example"]),
            ("b, a.example\tc", &["a.example", "b", "c"], &["d"]),
            ("10.1.2.3", &["10.1.2.3"], &["10.1.2.4", "x.10.1.2.3"]),
            (
                "10.0.0.0/9, 192.168.1.128/32",
                &["10.127.1.1", "192.168.1.128"],
                &["10.128.0.1", "192.168.1.129", "a.example", "fd00::1"],
            ),
            (
                "fd00::/8,[2001:db8::1]",
                &["fd12::1", "[fdff::]", "2001:db8::1"],
                &["fe00::1", "2001:db8::2", "10.0.0.1"],
            ),
            ("0.0.0.0/0,1.2.3.4/33,x/8,a:b", &["8.8.8.8"], &["fd00::1", "x", "a"]),
        ];
        let mut proxies = Proxies { https: Some(Proxy::new("h").unwrap()), ..Proxies::default() };
        for (list, direct, proxied) in table {
            proxies.exceptions = NoProxy::new(list);
            let through = |host: &&&str| proxies.choose(true, host, 443).is_some();
            assert_eq!(direct.iter().find(through), None, "{list}");
            assert_eq!(proxied.iter().find(|host| !through(host)), None, "{list}");
        }
        proxies.exceptions = NoProxy::new("a.example:8443,10.0.0.1:8443,[fd00::1]:8443");
        for host in ["a.example", "10.0.0.1", "[fd00::1]"] {
            assert_eq!(proxies.choose(true, host, 8443), None);
            assert_eq!(proxies.choose(true, host, 443), proxies.https.as_ref());
        }
    }

    #[test]
    fn the_scheme_chooses_the_proxy_and_loopback_is_direct() {
        let proxies = Proxies { http: Some(Proxy::new("plain").unwrap()), ..Proxies::default() };
        assert_eq!(proxies.choose(false, "a.example", 80), proxies.http.as_ref());
        assert_eq!(proxies.choose(true, "a.example", 443), None);
        for host in ["localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]"] {
            assert_eq!(proxies.choose(false, host, 80), None);
        }
    }
}
