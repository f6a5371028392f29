//! The trusted root certificates and the client certificate. Both are checked when they are read, so that no handshake
//! fails because a key does not match its certificate.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore};

use crate::api::error::Error;

/// The root certificates that are trusted. Default: Mozilla's at the time of the build.
#[derive(Clone)]
pub struct Roots(pub(crate) Arc<RootCertStore>);

impl Roots {
    /// Reads a bundle in PEM: any number of certificates, with any text between them. Certificates that cannot be parsed
    /// are skipped, because bundles contain old ones.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the text is not valid PEM or contains no usable certificate.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        match roots.add_parsable_certificates(certificates(pem)?) {
            (0, _) => Err(Error::invalid("none of the certificates in it can be used")),
            _ => Ok(Self(Arc::new(roots))),
        }
    }

    pub(crate) fn mozilla() -> Self {
        Self(Arc::new(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }))
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({} certificates)", self.0.len())
    }
}

/// A client certificate with its chain and its private key, for servers and https proxies that ask for one. Debug
/// output does not show the key.
#[derive(Clone)]
pub struct ClientCertificate(pub(crate) Arc<CertifiedKey>);

impl ClientCertificate {
    /// Reads the chain, the client's certificate first, and the key (PKCS #8, PKCS #1 or SEC1, not encrypted), both in
    /// PEM.
    ///
    /// # Errors
    /// [`Error::Invalid`] as [`Roots::from_pem`], and for a key that is missing, unusable or of another certificate. The
    /// message shows nothing of the key.
    pub fn from_pem(certificate: &[u8], key_pem: &[u8]) -> Result<Self, Error> {
        let chain = certificates(certificate).map_err(|error| match error {
            Error::Invalid { what, hint } => {
                Error::Invalid { what: format!("the certificate file: {what}"), hint }
            }
            other => other,
        })?;
        let unusable = |why: &str| {
            Error::invalid_with(
                format!("the key file: {why}"),
                "the key must be in PEM, RSA, ECDSA or Ed25519, and not encrypted",
            )
        };
        let key = PrivateKeyDer::from_pem_slice(key_pem)
            .map_err(|_| unusable("there is no private key in it"))?;
        match CertifiedKey::from_der(chain, key, &ring::default_provider()) {
            Ok(both) => Ok(Self(Arc::new(both))),
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                Err(Error::invalid("the key belongs to another certificate"))
            }
            Err(rustls::Error::InvalidCertificate(_)) => Err(Error::invalid(
                "the certificate file: the first certificate in it cannot be read",
            )),
            Err(_) => Err(unusable("its private key cannot be used")),
        }
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCertificate({} certificates, [key])", self.0.cert.len())
    }
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    // A byte order mark would hide the first certificate.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match found {
        Ok(found) if found.is_empty() => Err(Error::invalid_with(
            "there is no certificate in it",
            "a certificate in PEM starts with -----BEGIN CERTIFICATE-----",
        )),
        Ok(found) => Ok(found),
        Err(pem::Error::MissingSectionEnd { .. }) => {
            Err(Error::invalid("a certificate in it has no end"))
        }
        Err(_) => Err(Error::invalid("a certificate in it is broken PEM")),
    }
}
