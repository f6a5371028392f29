//! From the host of a URL to addresses: the server's own, or those of the proxy that leads there.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::Settings;
use crate::net::{self, Family};
use crate::obstacle::NoConnection;
use crate::proxy::{Kind, Proxies, Proxy};
use crate::tunnel::Absolute;

/// Knows the way to a host.
pub(super) struct Names {
    proxies: Proxies,
    family: Option<Family>,
    connect_timeout: Duration,
}

impl Names {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            proxies: settings.proxies.clone(),
            family: settings.family,
            connect_timeout: settings.connect_timeout,
        }
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// The proxy that leads to a URL's host, if it needs one.
    pub(super) fn route(&self, uri: &Uri) -> Option<&Proxy> {
        let (host, port) = host_and_port(uri);
        self.proxies.choose(is_https(uri), host, port)
    }

    /// The form that a request has to have on its way to a URL, if it goes through a proxy that reads it.
    pub(super) fn absolute(&self, uri: &Uri) -> Option<Absolute> {
        let proxy = self.route(uri).filter(|_| !is_https(uri))?;
        match proxy.kind {
            Kind::Http | Kind::Https => Some(Absolute::new(uri.authority()?.as_str(), proxy)),
            Kind::Socks5 | Kind::Socks5h => None,
        }
    }

    /// The addresses of a host.
    pub(super) fn look_up(
        &self,
        host: &str,
        port: u16,
        limit: NextTimeout,
    ) -> Result<Vec<SocketAddr>, NoConnection> {
        net::look_up(host, port, self.family, *limit.after)
    }
}

/// What ureq asks. For a host behind a proxy the addresses are the proxy's.
pub(super) struct Lookup(pub(super) Arc<Names>);

impl Resolver for Lookup {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        limit: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = match self.0.route(uri) {
            None => {
                let (host, port) = host_and_port(uri);
                self.0.look_up(host, port, limit)
            }
            Some(proxy) => self
                .0
                .look_up(&proxy.host, proxy.port, limit)
                .map_err(|reason| reason.at_proxy(proxy)),
        };
        let mut addresses = self.empty();
        // No more than ureq can hold.
        for address in found.map_err(|reason| ureq::Error::Other(reason.into()))? {
            addresses.push(address);
        }
        Ok(addresses)
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
}

fn is_https(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https")
}

/// The host without brackets, and the port or its default.
pub(super) fn host_and_port(uri: &Uri) -> (&str, u16) {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let default_port = if is_https(uri) { 443 } else { 80 };
    (host, uri.port_u16().unwrap_or(default_port))
}
