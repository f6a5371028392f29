//! The connector chain up to the point where the request begins: TCP to the server or a proxy, the proxy's own
//! ceremony, then TLS where the URL asks for it. ureq has a chain of its own; this one chooses the proxy by what is
//! to be reached, knows at which step it failed, and sends nothing that counts as the request.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use ureq::http::Uri;
use ureq::tls::{Certificate, ClientCert, PrivateKey, TlsConfig};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, NextTimeout, RustlsConnector, TcpConnector,
    Transport, TransportAdapter, time,
};

use super::names::{Names, host_and_port};
use crate::obstacle::NoConnection;
use crate::proxy::{Kind, Proxy, place};
use crate::tunnel::{connect, is_about_address, socks5};
use crate::{Error, Settings, tls};

/// Opens connections.
pub(super) struct Dial {
    names: Arc<Names>,
    tls: RustlsConnector,
}

impl Dial {
    pub(super) fn new(names: Arc<Names>) -> Self {
        Self {
            names,
            tls: RustlsConnector::default(),
        }
    }

    fn tcp(&self, details: &ConnectionDetails) -> Result<Box<dyn Transport>, NoConnection> {
        match TcpConnector::default().connect(details, None::<()>) {
            Ok(Some(Either::B(tcp))) => Ok(Box::new(tcp)),
            Ok(_) => Err(NoConnection::other("there is no address to connect to")),
            Err(error) => Err(self.explain(error, "connecting took")),
        }
    }

    fn encrypt(
        &self,
        details: &ConnectionDetails,
        transport: Box<dyn Transport>,
    ) -> Result<Box<dyn Transport>, NoConnection> {
        match self.tls.connect(details, Some(transport)) {
            Ok(Some(Either::A(plain))) => Ok(plain),
            Ok(Some(Either::B(encrypted))) => Ok(Box::new(encrypted)),
            Ok(None) => Err(NoConnection::other("there is no TLS")),
            Err(error) => Err(self.explain(error, "the TLS handshake took")),
        }
    }

    /// A connection to the server through a proxy, so far without TLS to the server.
    fn through(
        &self,
        proxy: &Proxy,
        details: &ConnectionDetails,
    ) -> Result<Box<dyn Transport>, NoConnection> {
        let (host, port) = host_and_port(details.uri);
        // For SOCKS, one after the other: `None` is the name itself.
        let mut targets = vec![None];
        let is_local = match proxy.kind {
            Kind::Socks5 => true,
            Kind::Socks5h => host.parse::<IpAddr>().is_ok(),
            Kind::Http | Kind::Https => false,
        };
        if is_local {
            let found = self.names.look_up(host, port, left(details))?;
            targets = found.into_iter().map(Some).collect();
        }
        let error = loop {
            let target = targets.remove(0);
            let way = self.reach(proxy, details);
            let mut stream = adapt(way.map_err(|it| it.at_proxy(proxy))?, details);
            let asked = match proxy.kind {
                Kind::Socks5 | Kind::Socks5h => {
                    socks5(&mut stream, target.ok_or((host, port)), proxy)
                }
                Kind::Http | Kind::Https if details.needs_tls() => {
                    connect(&mut stream, &place(host, port), proxy)
                }
                // The proxy reads the request itself: see `Absolute`.
                Kind::Http | Kind::Https => return Ok(stream.into_inner()),
            };
            match asked {
                Ok(()) => return Ok(Box::new(Tunnel(stream.into_inner()))),
                // Another address may do, if there is one, and time.
                Err(error)
                    if is_about_address(&error)
                        && !targets.is_empty()
                        && !left(details).after.is_zero() => {}
                Err(error) => break error,
            }
        };
        let reason = self.explain(error.into(), "asking it took");
        Err(reason.at_proxy(proxy))
    }

    /// A connection to the proxy.
    fn reach(
        &self,
        proxy: &Proxy,
        details: &ConnectionDetails,
    ) -> Result<Box<dyn Transport>, NoConnection> {
        let tcp = self.tcp(details)?;
        if proxy.kind != Kind::Https {
            return Ok(tcp);
        }
        let uri: Uri = format!("https://{}", proxy.place())
            .parse()
            .map_err(|_| NoConnection::other("its name cannot be used"))?;
        let to_proxy = ConnectionDetails {
            uri: &uri,
            addrs: details.addrs.clone(),
            config: details.config,
            request_level: details.request_level,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: Arc::clone(&details.current_time),
            run_connector: Arc::clone(&details.run_connector),
            register_shutdown: Arc::clone(&details.register_shutdown),
        };
        self.encrypt(&to_proxy, tcp)
    }

    /// What went wrong on the way. `slow`: what took too long, if it was that.
    fn explain(&self, error: ureq::Error, slow: &str) -> NoConnection {
        let why = match error {
            ureq::Error::Timeout(_) => {
                format!("{slow} longer than {:?}", self.names.connect_timeout())
            }
            ureq::Error::Rustls(error) => return tls::explain(&error),
            ureq::Error::Io(error) => match tls_error(&error) {
                Some(error) => return tls::explain(error),
                None => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                    Some(reason) => return NoConnection::clone(reason),
                    None if error.kind() == io::ErrorKind::UnexpectedEof => {
                        "the connection was closed in the handshake".to_owned()
                    }
                    None => error.to_string(),
                },
            },
            error => error.to_string(),
        };
        NoConnection::other(why)
    }
}

impl Connector for Dial {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _: Option<()>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let way = match self.names.route(details.uri) {
            None => self.tcp(details),
            Some(proxy) => self.through(proxy, details),
        };
        let way = way.and_then(|way| match details.needs_tls() {
            true => self.encrypt(details, way),
            false => Ok(way),
        });
        way.map(Some)
            .map_err(|reason| ureq::Error::Other(reason.into()))
    }
}

// ureq asks for it, and nobody reads it.
impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dial")
    }
}

/// What is left of the time for connecting.
fn left(details: &ConnectionDetails) -> NextTimeout {
    let mut timeout = details.timeout;
    if let (time::Duration::Exact(after), time::Instant::Exact(start)) =
        (timeout.after, details.now)
    {
        let spent = Instant::now().saturating_duration_since(start);
        timeout.after = time::Duration::Exact(after.saturating_sub(spent));
    }
    timeout
}

/// A connection to talk to a proxy over, no longer than there is time for connecting.
fn adapt(way: Box<dyn Transport>, details: &ConnectionDetails) -> TransportAdapter {
    let mut stream = TransportAdapter::new(way, Arc::clone(&details.current_time));
    stream.set_timeout(left(details));
    stream
}

/// The error of rustls that an I/O error carries, if that is what it does.
pub(super) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// A connection through a proxy. That it is encrypted as far as the proxy says nothing about the way beyond.
struct Tunnel(Box<dyn Transport>);

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tunnel({:?})", self.0)
    }
}

impl Transport for Tunnel {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.0.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }
}

/// ureq's form of the certificates, which were checked when they were read. A proxy that is spoken to over TLS is
/// trusted, and shown the client's certificate, as a server is.
pub(super) fn certificates(settings: &Settings) -> Result<TlsConfig, Error> {
    let certificate = |der| Certificate::from_der(der).to_owned();
    let mut config = TlsConfig::builder();
    if let Some(roots) = &settings.roots {
        config = config.root_certs(roots.der().map(certificate).into());
    }
    if let Some(own) = &settings.client_certificate {
        let chain: Vec<_> = own.chain().map(certificate).collect();
        let key = PrivateKey::from_pem(own.key_pem())
            .map_err(|_| Error::invalid("the client's private key cannot be used"))?;
        config = config.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
    }
    Ok(config.build())
}
