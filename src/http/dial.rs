//! The connector chain up to the point where the request begins: TCP, then TLS where the URL asks for it. ureq has
//! a chain of its own; this one knows at which step it failed, and says so.

use std::io;
use std::time::Duration;

use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::unversioned::transport::{
    ConnectionDetails, Connector, Either, RustlsConnector, TcpConnector, Transport,
};

use crate::obstacle::{NoConnection, Obstacle};
use crate::{Error, Settings, tls};

/// Opens connections.
#[derive(Debug)]
pub(super) struct Dial {
    tls: RustlsConnector,
    connect_timeout: Duration,
}

impl Dial {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            tls: RustlsConnector::default(),
            connect_timeout: settings.connect_timeout,
        }
    }

    fn secure(
        &self,
        details: &ConnectionDetails,
        transport: Box<dyn Transport>,
    ) -> Result<Box<dyn Transport>, ureq::Error> {
        match self.tls.connect(details, Some(transport)) {
            Ok(Some(Either::A(plain))) => Ok(plain),
            Ok(Some(Either::B(encrypted))) => Ok(Box::new(encrypted)),
            Ok(None) => Err(ureq::Error::TlsRequired),
            Err(error) => Err(ureq::Error::Other(
                handshake(error, self.connect_timeout).into(),
            )),
        }
    }
}

impl Connector for Dial {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _: Option<()>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(Either::B(tcp)) = TcpConnector::default().connect(details, None::<()>)? else {
            return Ok(None);
        };
        match details.needs_tls() {
            true => self.secure(details, Box::new(tcp)).map(Some),
            false => Ok(Some(Box::new(tcp))),
        }
    }
}

/// What went wrong once the TCP connection stood.
fn handshake(error: ureq::Error, connect_timeout: Duration) -> NoConnection {
    let why = match error {
        ureq::Error::Timeout(_) => {
            format!("the server did not complete the TLS handshake within {connect_timeout:?}")
        }
        ureq::Error::Io(error) => match tls_error(&error) {
            Some(error) => return tls::explain(error),
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                "the server closed the connection in the TLS handshake".to_owned()
            }
            None => format!("the TLS handshake broke off: {error}"),
        },
        ureq::Error::Rustls(error) => return tls::explain(&error),
        error => format!("the TLS handshake failed: {error}"),
    };
    NoConnection::new(Obstacle::Other, why)
}

/// The error of rustls that an I/O error carries, if that is what it does.
pub(super) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// ureq's form of the certificates. Both were checked when they were read.
pub(super) fn tls_config(settings: &Settings) -> Result<TlsConfig, Error> {
    let mut config = TlsConfig::builder();
    if let Some(roots) = &settings.roots {
        let roots = roots.der().map(|der| Certificate::from_der(der).to_owned());
        config = config.root_certs(RootCerts::new_with_certs(&roots.collect::<Vec<_>>()));
    }
    if let Some(own) = &settings.client_certificate {
        let chain: Vec<_> = own
            .chain()
            .map(|der| Certificate::from_der(der).to_owned())
            .collect();
        let key = PrivateKey::from_pem(own.key_pem())
            .map_err(|_| Error::invalid("the client's private key cannot be used"))?;
        config = config.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
    }
    Ok(config.build())
}
