//! The way to the host of a URL: straight, or through which proxy.

use std::fmt;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::net::proxy_handshake::AbsoluteForm;
use crate::settings::Settings;
use crate::settings::proxy::{Kind, Proxies, Proxy};

/// Knows the way to a host.
pub(crate) struct Routes {
    proxies: Proxies,
}

impl Routes {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { proxies: settings.proxies.clone() }
    }

    /// The proxy that leads to a URL's host, if it needs one.
    pub(crate) fn proxy(&self, uri: &Uri) -> Option<&Proxy> {
        let (host, port) = host_and_port(uri);
        self.proxies.choose(is_https(uri), host, port)
    }

    /// The form that a request has to have on its way to a URL, if it goes through a proxy that reads it.
    pub(crate) fn absolute(&self, uri: &Uri) -> Option<AbsoluteForm> {
        let proxy = self.proxy(uri).filter(|_| !is_https(uri))?;
        match proxy.kind {
            Kind::Http | Kind::Https => Some(AbsoluteForm::new(uri.authority()?.as_str(), proxy)),
            Kind::Socks5 | Kind::Socks5h => None,
        }
    }
}

/// ureq looks a host up before it asks for a connection, even where one is open. `ServerConnector` does that when it has to,
/// and finds here that nothing is known yet.
pub(crate) struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

impl fmt::Debug for NoResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoResolver")
    }
}

fn is_https(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https")
}

/// The host without brackets, and the port or its default.
pub(crate) fn host_and_port(uri: &Uri) -> (&str, u16) {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let default_port = if is_https(uri) { 443 } else { 80 };
    (host, uri.port_u16().unwrap_or(default_port))
}
