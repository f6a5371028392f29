//! Chooses the proxy for a URL, if it needs one.

use ureq::http::Uri;
use ureq::http::uri::Authority;

use crate::net::proxy_handshake::AbsoluteForm;
use crate::settings::Settings;
use crate::settings::proxy::{Kind, Proxies, Proxy};
use crate::url::split_host_port;

/// The proxies of the settings, by URL.
pub(crate) struct Routes {
    proxies: Proxies,
}

impl Routes {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { proxies: settings.proxies.clone() }
    }

    /// The proxy for a URL; `None` for a direct connection.
    pub(crate) fn proxy(&self, uri: &Uri) -> Option<&Proxy> {
        let (host, port) = host_and_port(uri);
        self.proxies.choose(is_https(uri), host, port)
    }

    /// The absolute form for requests to this URL, if they go through an HTTP proxy without a
    /// tunnel.
    pub(crate) fn absolute(&self, uri: &Uri) -> Option<AbsoluteForm> {
        let proxy = self.proxy(uri).filter(|_| !is_https(uri))?;
        match proxy.kind {
            Kind::Http | Kind::Https => Some(AbsoluteForm::new(uri.authority()?.as_str(), proxy)),
            Kind::Socks5 | Kind::Socks5h => None,
        }
    }
}

fn is_https(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https")
}

/// The host without brackets, and the port or its default.
pub(crate) fn host_and_port(uri: &Uri) -> (&str, u16) {
    let (host, port) = split_host_port(uri.authority().map_or("", Authority::as_str));
    (host, port.unwrap_or(if is_https(uri) { 443 } else { 80 }))
}
