//! Certificates: which are trusted, which one this machine shows, and what a failed handshake means. Everything is
//! checked when it is read, so that a connection cannot meet a key that does not fit.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{AlertDescription, CertificateError, ClientConfig, InconsistentKeys, RootCertStore};

use crate::Error;
use crate::error::shorten;
use crate::obstacle::{NoConnection, Obstacle};

/// The last second that an X.509 certificate and an HTTP date can name, in the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// The certificates that are trusted to sign a server's. Default: Mozilla's, as they were when this was built.
#[derive(Clone)]
pub struct Roots(Arc<RootCertStore>);

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

    fn mozilla() -> Self {
        Self(Arc::new(RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        }))
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
pub struct ClientCertificate(Arc<CertifiedKey>);

impl ClientCertificate {
    /// Reads the certificate and its chain, the certificate first, and the key (PKCS #8, PKCS #1 or SEC1, not
    /// encrypted), both in PEM.
    ///
    /// # Errors
    /// [`Error::Invalid`] as [`Roots::from_pem`], and for a key that is missing, cannot be used, or belongs to
    /// another certificate. No message shows anything of the key.
    pub fn from_pem(certificate: &[u8], key_pem: &[u8]) -> Result<Self, Error> {
        let chain = certificates(certificate).map_err(|error| match error {
            Error::Invalid { what, hint } => Error::Invalid {
                what: format!("the certificate file: {what}"),
                hint,
            },
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
        write!(
            f,
            "ClientCertificate({} certificates, [key])",
            self.0.cert.len()
        )
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

/// What a failed handshake means.
pub(crate) fn explain(error: &rustls::Error) -> NoConnection {
    let because = |obstacle, why: String| NoConnection::new(obstacle, why);
    match error {
        rustls::Error::InvalidCertificate(error) => certificate(error),
        rustls::Error::InvalidMessage(_) => because(
            Obstacle::NoTls,
            "the server does not speak TLS there".to_owned(),
        ),
        rustls::Error::AlertReceived(alert) if is_about_certificate(*alert) => because(
            Obstacle::ClientCertificate,
            format!("the server does not accept the client certificate, or wants one ({alert:?})"),
        ),
        rustls::Error::AlertReceived(alert) => because(
            Obstacle::Other,
            format!("the server refused the TLS handshake ({alert:?})"),
        ),
        error => because(
            Obstacle::Other,
            format!("the TLS handshake failed: {}", shorten(&error.to_string())),
        ),
    }
}

fn certificate(error: &CertificateError) -> NoConnection {
    use CertificateError::{
        BadSignature, ExpiredContext, NotValidForNameContext, NotValidYetContext, UnknownIssuer,
    };
    let (obstacle, why) = match error {
        NotValidForNameContext {
            expected,
            presented,
        } => {
            // They come as `DnsName("a.example")`.
            let names: Vec<&str> = presented
                .iter()
                .map(|name| name.split('"').nth(1).unwrap_or(name))
                .collect();
            let names = match names.is_empty() {
                true => "no name at all".to_owned(),
                false => shorten(&names.join(", ")),
            };
            let why = format!(
                "the server's certificate is not for {} but for {names}",
                expected.to_str()
            );
            (Obstacle::Other, why)
        }
        NotValidYetContext { not_before, .. } => {
            let from = date(not_before.as_secs());
            let why = format!("the server's certificate is not valid before {from}");
            (Obstacle::Clock, why)
        }
        ExpiredContext { not_after, .. } => {
            let until = date(not_after.as_secs());
            (
                Obstacle::Clock,
                format!("the server's certificate expired on {until}"),
            )
        }
        UnknownIssuer => (
            Obstacle::Issuer,
            "nobody who is trusted here has signed the server's certificate".to_owned(),
        ),
        BadSignature => (
            Obstacle::Issuer,
            "the server's certificate is not signed by the trusted issuer of that name".to_owned(),
        ),
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => (
            Obstacle::CaCertificate,
            "the server shows a certificate for signing others (CA:TRUE) as its own".to_owned(),
        ),
        other => (
            Obstacle::Other,
            format!(
                "the server's certificate cannot be accepted: {}",
                shorten(&other.to_string())
            ),
        ),
    };
    NoConnection::new(obstacle, why)
}

/// Whether the server says that the client's certificate does not let it in. With TLS 1.3 that comes after the
/// client thinks the handshake done, when the request is on its way already; nothing has read it then.
pub(crate) fn is_about_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            // Its signature does not fit.
            | AlertDescription::DecryptError
    )
}

/// `Thu, 01 Jan 1970 00:00:00 GMT`
fn date(seconds: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_SECOND)))
}
