//! The way to the host of a URL: straight, or through which proxy.

use ureq::http::Uri;
use ureq::http::uri::Authority;

use crate::net::proxy_handshake::AbsoluteForm;
use crate::settings::Settings;
use crate::settings::proxy::{Kind, Proxies, Proxy};
use crate::url::split_host_port;

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

fn is_https(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https")
}

/// The host without brackets, and the port or its default.
pub(crate) fn host_and_port(uri: &Uri) -> (&str, u16) {
    let (host, port) = split_host_port(uri.authority().map_or("", Authority::as_str));
    (host, port.unwrap_or(if is_https(uri) { 443 } else { 80 }))
}
