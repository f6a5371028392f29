//! The certificates that are trusted, and the one that this client presents.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject, ReadIter};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore};

use crate::api::error::Error;

/// The certificates that are trusted to sign a server's, as a bundle in PEM. It is read and parsed
/// before the first TLS handshake, so that plain http costs nothing. Default: Mozilla's, as they
/// were when this was built.
#[derive(Clone)]
pub struct Roots {
    name: String,
    bundle: Arc<Mutex<Bundle>>,
}

enum Bundle {
    Unread(Box<dyn Read + Send>),
    Parsed(Arc<RootCertStore>),
    Refused { message: String, hint: Option<String> },
}

impl Roots {
    /// Takes a bundle in PEM: any number of certificates, with any text between them. Certificates
    /// that cannot be parsed are skipped, as old bundles hold some. `pem` is read to its end by the
    /// first TLS handshake: a [`File`](std::fs::File), or bytes in a [`Cursor`](std::io::Cursor).
    /// Errors call the bundle by `name`, such as the name of its file.
    pub fn from_pem(name: impl Into<String>, pem: impl Read + Send + 'static) -> Self {
        Self { name: name.into(), bundle: Arc::new(Mutex::new(Bundle::Unread(Box::new(pem)))) }
    }

    /// The parsed bundle, which is read by the first call.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it cannot be read, is broken PEM, or holds no usable certificate.
    pub(crate) fn store(&self) -> Result<Arc<RootCertStore>, Error> {
        let mut bundle = self.bundle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Bundle::Unread(pem) = &mut *bundle {
            *bundle = match parse(pem) {
                Ok(store) => Bundle::Parsed(Arc::new(store)),
                Err(Error::Invalid { message, hint }) => {
                    Bundle::Refused { message: format!("{}: {message}", self.name), hint }
                }
                Err(error) => return Err(error),
            };
        }
        match &*bundle {
            Bundle::Parsed(store) => Ok(Arc::clone(store)),
            Bundle::Refused { message, hint } => {
                Err(Error::Invalid { message: message.clone(), hint: hint.clone() })
            }
            Bundle::Unread(_) => Err(Error::invalid("the bundle was not read")),
        }
    }
}

fn parse(pem: impl Read) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(BufReader::new(pem)) {
        roots.add_parsable_certificates([certificate?]);
    }
    if roots.is_empty() {
        return Err(Error::invalid("none of the certificates in it can be used"));
    }
    Ok(roots)
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({})", self.name)
    }
}

/// The certificate that this client presents to a server that asks for one, with its chain and its
/// private key. An https proxy gets it too. Debug output hides the key.
#[derive(Clone)]
pub struct ClientCertificate(pub(crate) Arc<CertifiedKey>);

impl ClientCertificate {
    /// Reads the chain, the client's certificate first, and the key (PKCS #8, PKCS #1 or SEC1, not
    /// encrypted), both in PEM.
    ///
    /// # Errors
    /// [`Error::Invalid`] for broken PEM, no certificate, and for a key that is missing, cannot be
    /// used, or belongs to another certificate. No message shows anything of the key.
    pub fn from_pem(certificate: &[u8], key_pem: &[u8]) -> Result<Self, Error> {
        let chain: Result<_, _> = certificates(certificate).collect();
        let chain = chain.map_err(|error| named(error, "the certificate file"))?;
        let unusable = |reason: &str| {
            Error::invalid_with(
                format!("the key file: {reason}"),
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

    /// The client's own certificate, in DER.
    pub(crate) fn leaf(&self) -> &[u8] {
        self.0.cert.first().map_or(&[], |certificate| certificate.as_ref())
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCertificate({} certificates, [key])", self.0.cert.len())
    }
}

/// The certificates in a text, parsed from PEM one at a time; at least one, or an error.
fn certificates(
    mut text: impl BufRead,
) -> impl Iterator<Item = Result<CertificateDer<'static>, Error>> {
    // A byte order mark would hide the first one.
    const MARK: &[u8] = b"\xef\xbb\xbf";
    if text.fill_buf().is_ok_and(|start| start.starts_with(MARK)) {
        text.consume(MARK.len());
    }
    let mut found = ReadIter::<_, CertificateDer<'static>>::new(text).peekable();
    let missing = found.peek().is_none().then(|| {
        Err(Error::invalid_with(
            "there is no certificate in it",
            "a certificate in PEM starts with -----BEGIN CERTIFICATE-----",
        ))
    });
    let found = found.map(|certificate| {
        certificate.map_err(|error| match error {
            pem::Error::MissingSectionEnd { .. } => {
                Error::invalid("a certificate in it has no end")
            }
            pem::Error::Io(error) => Error::invalid(format!("it cannot be read: {error}")),
            _ => Error::invalid("a certificate in it is broken PEM"),
        })
    });
    missing.into_iter().chain(found)
}

/// The same error, with the name of its subject.
fn named(error: Error, name: &str) -> Error {
    match error {
        Error::Invalid { message, hint } => {
            Error::Invalid { message: format!("{name}: {message}"), hint }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_bundle_is_refused_with_the_same_reason_again() {
        let pem: &[u8] = b"-----BEGIN CERTIFICATE-----\nAAAA\n";
        let roots = Roots::from_pem("ca.pem", pem);
        for _ in 0..2 {
            let error = roots.store().unwrap_err();
            assert_eq!(error.to_string(), "ca.pem: a certificate in it has no end");
        }
    }
}
