//! TLS over a connection, in place of ureq's own connector. This one reports the negotiated
//! version, uses certificates as the settings hold them, reports a failed write at once, and treats
//! a connection as closed after the server's close_notify, although TCP is still open.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use rustls::SupportedCipherSuite;
use rustls::client::ClientConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use ureq::unversioned::transport::{self, Buffers as _, NextTimeout, Transport};

use crate::net::buffers::Buffers;
use crate::net::server_certificate::ServerVerifier;
use crate::net::tls_session::Session;
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
        if let Some(roots) = &self.roots {
            roots.read().map_err(io::Error::other)?;
        }
        let config = config(self.roots.clone(), self.client_certificate.as_ref())
            .map_err(io::Error::other)?;
        Ok(Arc::clone(self.config.get_or_init(|| Arc::new(config))))
    }
}

fn config(
    roots: Option<Roots>,
    client_certificate: Option<&ClientCertificate>,
) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(provider());
    let algorithms = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ServerVerifier { roots, algorithms }));
    Ok(match client_certificate {
        None => builder.with_no_client_auth(),
        Some(certificate) => {
            let resolver = SingleCertAndKey::from(Arc::clone(&certificate.0));
            builder.with_client_cert_resolver(Arc::new(resolver))
        }
    })
}

/// The cryptographic provider. It offers first the cipher suite that is fastest on this processor:
/// AES-128, which browsers prefer too, if it has AES instructions, else ChaCha20.
fn provider() -> CryptoProvider {
    let provider = ring::default_provider();
    let first = if has_aes() { "AES_128" } else { "CHACHA20" };
    let is_first = |suite: &SupportedCipherSuite| {
        suite.suite().as_str().is_some_and(|name| name.contains(first))
    };
    let (mut cipher_suites, others): (Vec<_>, Vec<_>) =
        provider.cipher_suites.into_iter().partition(is_first);
    cipher_suites.extend(others);
    CryptoProvider { cipher_suites, ..provider }
}

/// Whether the processor has instructions for AES-GCM. `false` for architectures where safe code
/// cannot determine it.
fn has_aes() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return is_x86_feature_detected!("aes") && is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

/// An encrypted connection.
pub(crate) struct TlsTransport {
    buffers: Buffers,
    session: Session,
}

impl TlsTransport {
    /// Performs the handshake with `host`.
    ///
    /// # Errors
    /// As [`TlsConfig::config`], and [`Session::open`].
    pub(crate) fn new(
        tls: &TlsConfig,
        host: &str,
        connection: Box<dyn DirectTransport>,
        timeout: NextTimeout,
    ) -> io::Result<Self> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let session = Session::open(tls.config()?, name, connection, timeout)?;
        Ok(Self { buffers: Buffers::default(), session })
    }

    /// The negotiated version.
    pub(crate) fn version(&self) -> &'static str {
        self.session.version()
    }
}

impl DirectTransport for TlsTransport {
    fn read(&mut self, room: &mut [u8], timeout: NextTimeout) -> Result<usize, ureq::Error> {
        Ok(self.session.read(room, timeout)?)
    }

    fn write(&mut self, bytes: &[u8], timeout: NextTimeout) -> Result<(), ureq::Error> {
        Ok(self.session.write(bytes, timeout)?)
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn transport::Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        Ok(self.session.write(&self.buffers.output()[..amount], timeout)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let count = self.session.read(self.buffers.input_append_buf(), timeout)?;
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

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTransport")
    }
}
