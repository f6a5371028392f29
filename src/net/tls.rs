//! TLS over a connection. ureq has a connector for it too; this one tells which version was agreed on, takes the
//! certificates as they were checked when they were read, tells of a failed write when it fails, and knows when the
//! server has said goodbye, though the connection below is still open.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, OnceLock};

use rustls::ProtocolVersion;
use rustls::client::{ClientConfig, ClientConnection};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use ureq::unversioned::transport::{self, Buffers as _, NextTimeout, Transport, TransportAdapter};

use crate::net::buffers::Buffers;
use crate::net::tls_errors::tls_error;
use crate::net::transport::DirectTransport;
use crate::settings::Settings;
use crate::settings::certificates::ClientCertificate;
use crate::settings::certificates::Roots;

/// What every handshake of a client starts from, made for the first one.
pub(crate) struct TlsConfig {
    roots: Option<Roots>,
    own: Option<ClientCertificate>,
    config: OnceLock<Arc<ClientConfig>>,
}

impl TlsConfig {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            roots: settings.roots.clone(),
            own: settings.client_certificate.clone(),
            config: OnceLock::new(),
        }
    }

    fn config(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(config(self.roots.as_ref(), self.own.as_ref())?);
        Ok(Arc::clone(self.config.get_or_init(|| config)))
    }
}

/// What a handshake starts from.
pub(crate) fn config(
    roots: Option<&Roots>,
    own: Option<&ClientCertificate>,
) -> Result<ClientConfig, rustls::Error> {
    let roots = roots.cloned().unwrap_or_else(Roots::mozilla);
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots.0);
    Ok(match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let shown = SingleCertAndKey::from(Arc::clone(&own.0));
            builder.with_client_cert_resolver(Arc::new(shown))
        }
    })
}

/// An encrypted connection.
pub(crate) struct TlsTransport {
    buffers: Buffers,
    session: Session,
}

impl TlsTransport {
    /// Shakes hands with `host`, within the time that `stream` has.
    ///
    /// # Errors
    /// An [`io::Error`] that holds a [`rustls::Error`] or is the connection's own.
    pub(crate) fn new(
        tls: &TlsConfig,
        host: &str,
        mut stream: TransportAdapter<Box<dyn DirectTransport>>,
    ) -> io::Result<Self> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut tls = tls
            .config()
            .and_then(|config| ClientConnection::new(config, name))
            .map_err(io::Error::other)?;
        if let Err(error) = tls.complete_io(&mut stream) {
            // A server that hangs up may have said why.
            return Err(match tls.complete_io(&mut stream) {
                Err(said) if tls_error(&said).is_some() => said,
                _ => error,
            });
        }
        Ok(Self { buffers: Buffers::default(), session: Session { tls, stream, failure: None } })
    }

    /// The version that was agreed on.
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

/// What was agreed on, and the connection below.
struct Session {
    tls: ClientConnection,
    stream: TransportAdapter<Box<dyn DirectTransport>>,
    /// What ended the session, not told yet.
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

    /// Reads what has come, or waits for it. `0`: the server has said goodbye.
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(room) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
            if let Some(error) = self.failure.take() {
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
            // What cannot be said does not keep from hearing.
            let _ = self.flush();
            self.tls.read_tls(&mut self.stream)?;
            if let Err(error) = self.tls.process_new_packets() {
                // The alert that tells the server. What came before the failure is taken first.
                let _ = self.flush();
                self.failure = Some(error);
            }
        }
    }

    /// Nothing of what has come is left: it would be taken for the start of the next answer.
    fn is_open(&mut self) -> bool {
        let left = self.tls.process_new_packets();
        self.failure.is_none()
            && left.is_ok_and(|it| it.plaintext_bytes_to_read() == 0 && !it.peer_has_closed())
            && self.stream.get_mut().is_open()
    }
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTransport")
    }
}
