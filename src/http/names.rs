//! From the host of a URL to addresses: the server's own, or those of the proxy that leads there.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::Settings;
use crate::obstacle::NoConnection;
use crate::proxy::{Kind, Proxies, Proxy};
use crate::tunnel::Absolute;

/// The most addresses of one host that are tried: ureq holds no more.
const MOST: usize = 16;

/// Knows the way to a host.
pub(super) struct Names {
    proxies: Proxies,
    connect_timeout: Duration,
}

impl Names {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            proxies: settings.proxies.clone(),
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

    /// The addresses of a host. An address needs no lookup, and so no thread and no resolver configuration.
    pub(super) fn look_up(
        &self,
        host: &str,
        port: u16,
        limit: NextTimeout,
    ) -> Result<Vec<SocketAddr>, NoConnection> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        if host == "localhost" || host.ends_with(".localhost") {
            // RFC 6761: it never leaves this machine, whatever a name server or a missing /etc/hosts says.
            return Ok(vec![
                SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
                SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
            ]);
        }
        let (sender, receiver) = mpsc::sync_channel(1);
        let name = host.to_owned();
        let failed =
            |error: io::Error| NoConnection::other(format!("the name lookup failed: {error}"));
        // The lookup cannot be interrupted: past the limit its thread is left to end with the process.
        thread::Builder::new()
            .spawn(move || sender.send((name.as_str(), port).to_socket_addrs()))
            .map_err(failed)?;
        let found = receiver.recv_timeout(*limit.after).map_err(|_| {
            NoConnection::other(format!(
                "the name lookup took longer than {:?}",
                self.connect_timeout
            ))
        })?;
        let found: Vec<_> = found.map_err(failed)?.take(MOST).collect();
        match found.is_empty() {
            true => Err(NoConnection::other("the host has no address")),
            false => Ok(found),
        }
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
