//! Certificates: which are trusted, which one this machine shows, and what a failed handshake means. Everything is
//! checked when it is read, so that a connection cannot meet a key that does not fit.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore};

use crate::api::error::Error;

/// The certificates that are trusted to sign a server's. Default: Mozilla's, as they were when this was built.
#[derive(Clone)]
pub struct Roots(pub(crate) Arc<RootCertStore>);

impl Roots {
    /// Reads a bundle in PEM: any number of certificates, with any text between them. Those that cannot be read are
    /// passed over, as old bundles hold some.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the text is broken PEM or holds no certificate that can be used.
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

/// What this machine shows to a server that asks who it is: a certificate, with those that lead to its issuer, and
/// its private key. A proxy that is spoken to over TLS is shown it too. Debug output hides the key.
#[derive(Clone)]
pub struct ClientCertificate(pub(crate) Arc<CertifiedKey>);

impl ClientCertificate {
    /// Reads the certificate and its chain, the certificate first, and the key (PKCS #8, PKCS #1 or SEC1, not
    /// encrypted), both in PEM.
    ///
    /// # Errors
    /// [`Error::Invalid`] as [`Roots::from_pem`], and for a key that is missing, cannot be used, or belongs to
    /// another certificate. No message shows anything of the key.
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
    // A byte order mark would hide the first one.
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
