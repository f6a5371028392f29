//! The connector chain up to the point where the request begins: the lookup, TCP to the server or a proxy, the
//! proxy's own ceremony, then TLS where the URL asks for it. ureq has a chain of its own; this one chooses the proxy
//! by what is to be reached, knows at which step it failed, keeps all steps together within one time, and sends
//! nothing that counts as the request.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::Timeout;
use ureq::unversioned::transport::{
    ConnectionDetails, Connector, NextTimeout, TransportAdapter, time,
};

use crate::api::event::{ConnectTimings, Event, Report};
use crate::net::connect_error::ConnectError;
use crate::net::dns;
use crate::net::proxy_handshake::{connect, is_about_address, socks5};
use crate::net::routes::{Routes, host_and_port};
use crate::net::tcp::TcpTransport;
use crate::net::tls::{TlsConfig, TlsTransport};
use crate::net::tls_errors::{self, tls_error};
use crate::net::tracker::Tracker;
use crate::net::transport::DirectTransport;
use crate::settings::Family;
use crate::settings::Settings;
use crate::settings::proxy::{Kind, Proxy};
use crate::url::join_host_port;

/// Opens connections.
pub(crate) struct ServerConnector {
    routes: Arc<Routes>,
    tls: TlsConfig,
    family: Option<Family>,
    timeout: Duration,
    tracker: Arc<Tracker>,
    report: Report,
}

impl ServerConnector {
    pub(crate) fn new(
        settings: &Settings,
        routes: Arc<Routes>,
        tracker: Arc<Tracker>,
        report: Report,
    ) -> Self {
        Self {
            routes,
            tls: TlsConfig::new(settings),
            family: settings.family,
            timeout: settings.connect_timeout,
            tracker,
            report,
        }
    }
}

impl Connector for ServerConnector {
    type Out = Box<dyn DirectTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _: Option<()>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let within = self.tracker.until_deadline(self.timeout);
        let call = Call {
            dial: self,
            details,
            within,
            until: Instant::now() + within,
            address: None,
            tls: None,
            took: ConnectTimings::default(),
        };
        call.connection().map(Some).map_err(|reason| ureq::Error::Other(reason.into()))
    }
}

// ureq asks for it, and nobody reads it.
impl fmt::Debug for ServerConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerConnector")
    }
}

/// One connection being made.
struct Call<'a> {
    dial: &'a ServerConnector,
    details: &'a ConnectionDetails<'a>,
    /// The time for all of it.
    within: Duration,
    until: Instant,
    /// What it is connected to.
    address: Option<SocketAddr>,
    /// The version of the last handshake.
    tls: Option<&'static str>,
    took: ConnectTimings,
}

impl Call<'_> {
    fn connection(mut self) -> Result<Box<dyn DirectTransport>, ConnectError> {
        let (host, port) = host_and_port(self.details.uri);
        let proxy = self.dial.routes.proxy(self.details.uri);
        let mut way = match proxy {
            None => {
                let addresses = self.look_up(host, port)?;
                self.tcp(&addresses)?
            }
            Some(proxy) => {
                let start = Instant::now();
                let way = self.through(proxy, host, port)?;
                self.took.proxy =
                    start.elapsed().saturating_sub(self.took.lookup + self.took.connect);
                way
            }
        };
        if self.details.needs_tls() {
            let start = Instant::now();
            way = self.encrypt(host, way).map_err(|reason| match proxy {
                None => reason,
                Some(_) => reason.behind_proxy(),
            })?;
            self.took.handshake = start.elapsed();
        }
        if let Some(address) = self.address {
            (self.dial.report)(&Event::Connected {
                address,
                proxy: proxy.map(Proxy::place).as_deref(),
                tls: self.tls.filter(|_| self.details.needs_tls()),
                took: self.took,
            });
        }
        Ok(way)
    }

    fn look_up(&mut self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        let start = Instant::now();
        let found = dns::look_up(host, port, self.dial.family, self.left());
        self.took.lookup += start.elapsed();
        found
    }

    /// A connection to the first address that takes one. Each but the last has half of the time that is left.
    fn tcp(&mut self, addresses: &[SocketAddr]) -> Result<Box<dyn DirectTransport>, ConnectError> {
        let start = Instant::now();
        let mut reason = ConnectError::other("there is no address to connect to");
        for (address, further) in addresses.iter().zip((0..addresses.len()).rev()) {
            let left = self.left();
            if left.is_zero() {
                return Err(ConnectError::other(self.too_long("connecting took")));
            }
            let share = if further == 0 { left } else { left / 2 };
            match TcpTransport::connect(*address, share) {
                Ok(tcp) => {
                    self.took.connect += start.elapsed();
                    self.address = Some(*address);
                    return Ok(Box::new(tcp));
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut && further > 0 => {
                    let millis = share.as_millis();
                    reason = ConnectError::other(format!("no answer within {millis} ms"));
                }
                Err(error) => reason = self.explain(error.into(), "connecting took"),
            }
            (self.dial.report)(&Event::Unreachable { address: *address, why: &reason.why });
        }
        Err(reason)
    }

    fn encrypt(
        &mut self,
        host: &str,
        way: Box<dyn DirectTransport>,
    ) -> Result<Box<dyn DirectTransport>, ConnectError> {
        let stream = self.adapt(way);
        match TlsTransport::new(&self.dial.tls, host, stream) {
            Ok(secure) => {
                self.tls = Some(secure.version());
                Ok(Box::new(secure))
            }
            Err(error) => Err(self.explain(error.into(), "the TLS handshake took")),
        }
    }

    /// A connection to the server through a proxy, so far without TLS to the server.
    fn through(
        &mut self,
        proxy: &Proxy,
        host: &str,
        port: u16,
    ) -> Result<Box<dyn DirectTransport>, ConnectError> {
        // For SOCKS, one after the other: `None` is the name itself.
        let mut targets = vec![None];
        let is_local = match proxy.kind {
            Kind::Socks5 => true,
            Kind::Socks5h => host.parse::<IpAddr>().is_ok(),
            Kind::Http | Kind::Https => false,
        };
        if is_local {
            let found = self.look_up(host, port)?;
            targets = found.into_iter().map(Some).collect();
        }
        let at_proxy = |reason: ConnectError| reason.at_proxy(proxy);
        let addresses = self.look_up(&proxy.host, proxy.port).map_err(at_proxy)?;
        let error = loop {
            let target = targets.remove(0);
            let way = self.reach(proxy, &addresses).map_err(at_proxy)?;
            let mut stream = self.adapt(way);
            let asked = match proxy.kind {
                Kind::Socks5 | Kind::Socks5h => {
                    socks5(&mut stream, target.ok_or((host, port)), proxy)
                }
                Kind::Http | Kind::Https if self.details.needs_tls() => {
                    connect(&mut stream, &join_host_port(host, port), proxy)
                }
                // The proxy reads the request itself: see `AbsoluteForm`.
                Kind::Http | Kind::Https => return Ok(stream.into_inner()),
            };
            match asked {
                Ok(()) => return Ok(stream.into_inner()),
                // Another address may do, if there is one, and time.
                Err(error)
                    if is_about_address(&error)
                        && !targets.is_empty()
                        && !self.left().is_zero() => {}
                Err(error) => break error,
            }
        };
        Err(at_proxy(self.explain(error.into(), "asking it took")))
    }

    /// A connection to the proxy.
    fn reach(
        &mut self,
        proxy: &Proxy,
        addresses: &[SocketAddr],
    ) -> Result<Box<dyn DirectTransport>, ConnectError> {
        let tcp = self.tcp(addresses)?;
        match proxy.kind {
            Kind::Https => self.encrypt(&proxy.host, tcp),
            _ => Ok(tcp),
        }
    }

    /// What is left of the time for connecting.
    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    fn limit(&self, after: Duration) -> NextTimeout {
        NextTimeout {
            after: time::Duration::Exact(after),
            reason: Timeout::Connect,
            ..NextTimeout::default()
        }
    }

    /// A connection to talk to a proxy or shake hands over, no longer than there is time for connecting.
    fn adapt(&self, way: Box<dyn DirectTransport>) -> TransportAdapter<Box<dyn DirectTransport>> {
        let mut stream = TransportAdapter::new(way, Arc::clone(&self.details.current_time));
        stream.set_timeout(self.limit(self.left()));
        stream
    }

    fn too_long(&self, slow: &str) -> String {
        format!("{slow} longer than {:?}", self.within)
    }

    /// What went wrong on the way. `slow`: what took too long, if it was that.
    fn explain(&self, error: ureq::Error, slow: &str) -> ConnectError {
        let why = match error {
            ureq::Error::Timeout(_) => self.too_long(slow),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                self.too_long(slow)
            }
            ureq::Error::Io(error) => match tls_error(&error) {
                Some(error) => return tls_errors::explain(error),
                None => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                    Some(reason) => return ConnectError::clone(reason),
                    None if error.kind() == io::ErrorKind::UnexpectedEof => {
                        "the connection was closed in the handshake".to_owned()
                    }
                    None => error.to_string(),
                },
            },
            error => error.to_string(),
        };
        ConnectError::other(why)
    }
}
