//! Opens a connection up to the point where the request begins: DNS lookup, TCP to the server or a
//! proxy, the proxy handshake, then TLS if the URL asks for it. In place of ureq's chain of
//! connectors: this one chooses the proxy by the URL, tells which step failed, and keeps all steps
//! together within one timeout.

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
use crate::net::proxy_handshake::{connect, is_unreachable_target, socks5};
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
        let timeout = self.tracker.until_deadline(self.timeout);
        let opening = Opening {
            connector: self,
            details,
            timeout,
            deadline: Instant::now() + timeout,
            address: None,
            tls_version: None,
            timings: ConnectTimings::default(),
        };
        opening.open().map(Some).map_err(|error| ureq::Error::Other(error.into()))
    }
}

// A supertrait of ureq's `Connector`.
impl fmt::Debug for ServerConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerConnector")
    }
}

/// A connection that is being opened.
struct Opening<'a> {
    connector: &'a ServerConnector,
    details: &'a ConnectionDetails<'a>,
    /// The time for all steps together.
    timeout: Duration,
    deadline: Instant,
    /// The address of the server or proxy, once TCP is connected.
    address: Option<SocketAddr>,
    /// The version that the last TLS handshake negotiated.
    tls_version: Option<&'static str>,
    timings: ConnectTimings,
}

impl Opening<'_> {
    fn open(mut self) -> Result<Box<dyn DirectTransport>, ConnectError> {
        let (host, port) = host_and_port(self.details.uri);
        let proxy = self.connector.routes.proxy(self.details.uri);
        let mut transport = match proxy {
            None => {
                let addresses = self.look_up(host, port)?;
                self.connect_tcp(&addresses)?
            }
            Some(proxy) => {
                let start = Instant::now();
                let transport = self.connect_through(proxy, host, port)?;
                self.timings.proxy =
                    start.elapsed().saturating_sub(self.timings.lookup + self.timings.connect);
                transport
            }
        };
        if self.details.needs_tls() {
            let start = Instant::now();
            transport = self.encrypt(host, transport).map_err(|error| match proxy {
                None => error,
                Some(_) => error.behind_proxy(),
            })?;
            self.timings.handshake = start.elapsed();
        }
        if let Some(address) = self.address {
            (self.connector.report)(&Event::Connected {
                address,
                proxy: proxy.map(Proxy::host_and_port).as_deref(),
                tls: self.tls_version.filter(|_| self.details.needs_tls()),
                took: self.timings,
            });
        }
        Ok(transport)
    }

    fn look_up(&mut self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        let start = Instant::now();
        let found = dns::look_up(host, port, self.connector.family, self.left());
        self.timings.lookup += start.elapsed();
        found
    }

    /// Connects to the first address that accepts. Each but the last has half of the time that is
    /// left.
    fn connect_tcp(
        &mut self,
        addresses: &[SocketAddr],
    ) -> Result<Box<dyn DirectTransport>, ConnectError> {
        let start = Instant::now();
        let mut failure = ConnectError::other("the DNS lookup found no address");
        for (address, further) in addresses.iter().zip((0..addresses.len()).rev()) {
            let left = self.left();
            if left.is_zero() {
                return Err(ConnectError::other(self.timed_out("connecting")));
            }
            let share = if further == 0 { left } else { left / 2 };
            match TcpTransport::connect(*address, share) {
                Ok(tcp) => {
                    self.timings.connect += start.elapsed();
                    self.address = Some(*address);
                    return Ok(Box::new(tcp));
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut && further > 0 => {
                    let millis = share.as_millis();
                    failure =
                        ConnectError::other(format!("connecting took longer than {millis}ms"));
                }
                Err(error) => failure = self.explain(error.into(), "connecting"),
            }
            let reason = &failure.reason;
            (self.connector.report)(&Event::Unreachable { address: *address, reason });
        }
        Err(failure)
    }

    fn encrypt(
        &mut self,
        host: &str,
        transport: Box<dyn DirectTransport>,
    ) -> Result<Box<dyn DirectTransport>, ConnectError> {
        match TlsTransport::new(&self.connector.tls, host, transport, self.time_left()) {
            Ok(tls) => {
                self.tls_version = Some(tls.version());
                Ok(Box::new(tls))
            }
            Err(error) => Err(self.explain(error.into(), "the TLS handshake")),
        }
    }

    /// Connects to the server through a proxy, without TLS to the server so far.
    fn connect_through(
        &mut self,
        proxy: &Proxy,
        host: &str,
        port: u16,
    ) -> Result<Box<dyn DirectTransport>, ConnectError> {
        let is_http = matches!(proxy.kind, Kind::Http | Kind::Https);
        let mut targets = self.socks_targets(proxy, host, port)?.into_iter().peekable();
        let at_proxy = |error: ConnectError| error.at_proxy(proxy);
        let addresses = self.look_up(&proxy.host, proxy.port).map_err(at_proxy)?;
        loop {
            let target = targets.next().flatten();
            let transport = self.connect_to_proxy(proxy, &addresses).map_err(at_proxy)?;
            if is_http && !self.details.needs_tls() {
                // The proxy reads the requests themselves: see `AbsoluteForm`.
                return Ok(transport);
            }
            let mut stream = self.adapt(transport);
            let result = if is_http {
                connect(&mut stream, &join_host_port(host, port), proxy)
            } else {
                socks5(&mut stream, target.ok_or((host, port)), proxy)
            };
            let Err(error) = result else {
                return Ok(stream.into_inner());
            };
            let has_another = targets.peek().is_some() && !self.left().is_zero();
            if !(has_another && is_unreachable_target(&error)) {
                return Err(at_proxy(self.explain(error.into(), "the handshake")));
            }
        }
    }

    /// The targets to ask a SOCKS proxy for, one after another; `None` is the host name, which the
    /// proxy looks up.
    fn socks_targets(
        &mut self,
        proxy: &Proxy,
        host: &str,
        port: u16,
    ) -> Result<Vec<Option<SocketAddr>>, ConnectError> {
        let needs_lookup = match proxy.kind {
            Kind::Socks5 => true,
            Kind::Socks5h => host.parse::<IpAddr>().is_ok(),
            Kind::Http | Kind::Https => false,
        };
        if !needs_lookup {
            return Ok(vec![None]);
        }
        Ok(self.look_up(host, port)?.into_iter().map(Some).collect())
    }

    fn connect_to_proxy(
        &mut self,
        proxy: &Proxy,
        addresses: &[SocketAddr],
    ) -> Result<Box<dyn DirectTransport>, ConnectError> {
        let tcp = self.connect_tcp(addresses)?;
        match proxy.kind {
            Kind::Https => self.encrypt(&proxy.host, tcp),
            _ => Ok(tcp),
        }
    }

    /// The rest of the connect timeout.
    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The connection as a stream for a handshake, with the time that is left for connecting.
    fn adapt(
        &self,
        transport: Box<dyn DirectTransport>,
    ) -> TransportAdapter<Box<dyn DirectTransport>> {
        let mut stream = TransportAdapter::new(transport, Arc::clone(&self.details.current_time));
        stream.set_timeout(self.time_left());
        stream
    }

    /// The timeout for a handshake.
    fn time_left(&self) -> NextTimeout {
        NextTimeout {
            after: time::Duration::Exact(self.left()),
            reason: Timeout::Connect,
            ..NextTimeout::default()
        }
    }

    fn timed_out(&self, step: &str) -> String {
        format!("{step} took longer than {:?}", self.timeout)
    }

    /// Explains why a step failed.
    fn explain(&self, error: ureq::Error, step: &str) -> ConnectError {
        let reason = match error {
            ureq::Error::Timeout(_) => self.timed_out(step),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                self.timed_out(step)
            }
            ureq::Error::Io(error) => match tls_error(&error) {
                Some(error) => return tls_errors::explain(error),
                None => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                    Some(known) => return ConnectError::clone(known),
                    None if error.kind() == io::ErrorKind::UnexpectedEof => {
                        "the connection was closed during the handshake".to_owned()
                    }
                    None => error.to_string(),
                },
            },
            error => error.to_string(),
        };
        ConnectError::other(reason)
    }
}
