//! TLS over a connection, in place of ureq's own connector. This one reports the negotiated
//! version, uses certificates as the settings hold them, reports a failed write at once, and treats
//! a connection as closed after the server's close_notify, although TCP is still open.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, OnceLock};

use rustls::client::{ClientConfig, ClientConnection};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{ProtocolVersion, RootCertStore};
use ureq::unversioned::transport::{self, Buffers as _, NextTimeout, Transport, TransportAdapter};

use webpki_roots::TLS_SERVER_ROOTS;

use crate::net::buffers::Buffers;
use crate::net::tls_errors::tls_error;
use crate::net::transport::DirectTransport;
use crate::settings::Settings;
use crate::settings::certificates::{ClientCertificate, Roots};

/// The TLS configuration of a client, built for its first handshake.
pub(crate) struct TlsConfig {
    roots: Option<Roots>,
    client_certificate: Option<ClientCertificate>,
    config: OnceLock<Arc<ClientConfig>>,
}

impl TlsConfig {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            roots: settings.roots.clone(),
            client_certificate: settings.client_certificate.clone(),
            config: OnceLock::new(),
        }
    }

    /// # Errors
    /// An [`io::Error`] that holds a [`rustls::Error`], or an [`Error`](crate::api::error::Error)
    /// about the roots.
    fn config(&self) -> io::Result<Arc<ClientConfig>> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let roots = match &self.roots {
            Some(roots) => roots.store().map_err(io::Error::other)?,
            None => Arc::new(RootCertStore { roots: TLS_SERVER_ROOTS.to_vec() }),
        };
        let config = config(roots, self.client_certificate.as_ref()).map_err(io::Error::other)?;
        Ok(Arc::clone(self.config.get_or_init(|| Arc::new(config))))
    }
}

fn config(
    roots: Arc<RootCertStore>,
    client_certificate: Option<&ClientCertificate>,
) -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    Ok(match client_certificate {
        None => builder.with_no_client_auth(),
        Some(certificate) => {
            let resolver = SingleCertAndKey::from(Arc::clone(&certificate.0));
            builder.with_client_cert_resolver(Arc::new(resolver))
        }
    })
}

/// An encrypted connection.
pub(crate) struct TlsTransport {
    buffers: Buffers,
    session: Session,
}

impl TlsTransport {
    /// Performs the handshake with `host`, within the timeout of `stream`.
    ///
    /// # Errors
    /// As [`TlsConfig::config`], and the connection's own.
    pub(crate) fn new(
        tls: &TlsConfig,
        host: &str,
        mut stream: TransportAdapter<Box<dyn DirectTransport>>,
    ) -> io::Result<Self> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(tls.config()?, name).map_err(io::Error::other)?;
        if let Err(error) = tls.complete_io(&mut stream) {
            // A server that closed the connection may have sent an alert before.
            return Err(match tls.complete_io(&mut stream) {
                Err(alert) if tls_error(&alert).is_some() => alert,
                _ => error,
            });
        }
        Ok(Self { buffers: Buffers::default(), session: Session { tls, stream, failure: None } })
    }

    /// The negotiated version.
    pub(crate) fn version(&self) -> &'static str {
        match self.session.tls.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS 1.3",
        }
    }
}

impl DirectTransport for TlsTransport {
    fn read(&mut self, room: &mut [u8], timeout: NextTimeout) -> Result<usize, ureq::Error> {
        self.session.stream.set_timeout(timeout);
        Ok(self.session.read(room)?)
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn transport::Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.session.stream.set_timeout(timeout);
        Ok(self.session.write(&self.buffers.output()[..amount])?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.session.stream.set_timeout(timeout);
        let count = self.session.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        self.buffers.input().is_empty() && self.session.is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

/// The TLS state and the connection below it.
struct Session {
    tls: ClientConnection,
    stream: TransportAdapter<Box<dyn DirectTransport>>,
    /// The error that ended the session, reported once the plaintext before it is read.
    failure: Option<rustls::Error>,
}

impl Session {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let count = self.tls.writer().write(rest)?;
            rest = &rest[count..];
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.stream)?;
        }
        Ok(())
    }

    /// Reads plaintext, waiting for some if there is none. `0`: the server sent close_notify.
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(room) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
            if let Some(error) = self.failure.take() {
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
            // A failed write does not stop reading: the server's last alert may be there.
            let _ = self.flush();
            self.tls.read_tls(&mut self.stream)?;
            if let Err(error) = self.tls.process_new_packets() {
                // Sends the alert. Plaintext from before the failure is read first.
                let _ = self.flush();
                self.failure = Some(error);
            }
        }
    }

    /// Whether another request may be sent. Plaintext that is left would be taken for the start of
    /// its response.
    fn is_open(&mut self) -> bool {
        let state = self.tls.process_new_packets();
        self.failure.is_none()
            && state.is_ok_and(|it| it.plaintext_bytes_to_read() == 0 && !it.peer_has_closed())
            && self.stream.get_mut().is_open()
    }
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTransport")
    }
}
