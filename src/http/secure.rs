//! TLS over a connection. ureq has a connector for it too; this one tells which version was agreed on, and takes the
//! certificates as they were checked when they were read.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::{Arc, OnceLock};

use rustls::client::{ClientConfig, ClientConnection};
use rustls::pki_types::ServerName;
use rustls::{ProtocolVersion, StreamOwned};
use ureq::config::Config;
use ureq::unversioned::transport::{
    Buffers, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

use crate::{ClientCertificate, Roots, Settings, tls};

/// What every handshake of a client starts from, made for the first one.
pub(super) struct Tls {
    roots: Option<Roots>,
    own: Option<ClientCertificate>,
    config: OnceLock<Arc<ClientConfig>>,
}

impl Tls {
    pub(super) fn new(settings: &Settings) -> Self {
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
        let config = Arc::new(tls::config(self.roots.as_ref(), self.own.as_ref())?);
        Ok(Arc::clone(self.config.get_or_init(|| config)))
    }
}

/// An encrypted connection.
pub(super) struct Secure {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl Secure {
    /// Shakes hands with `host`, within the time that `stream` has.
    ///
    /// # Errors
    /// An [`io::Error`] that holds a [`rustls::Error`] or is the connection's own.
    pub(super) fn new(
        tls: &Tls,
        host: &str,
        mut stream: TransportAdapter,
        sizes: &Config,
    ) -> io::Result<Self> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut connection = tls
            .config()
            .and_then(|config| ClientConnection::new(config, name))
            .map_err(io::Error::other)?;
        connection.complete_io(&mut stream)?;
        Ok(Self {
            buffers: LazyBuffers::new(sizes.input_buffer_size(), sizes.output_buffer_size()),
            stream: StreamOwned::new(connection, stream),
        })
    }
}

impl Secure {
    /// The version that was agreed on.
    pub(super) fn version(&self) -> &'static str {
        match self.stream.conn.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS 1.3",
        }
    }
}

impl Transport for Secure {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let output = &self.buffers.output()[..amount];
        Ok(self.stream.write_all(output)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let count = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for Secure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secure")
    }
}
