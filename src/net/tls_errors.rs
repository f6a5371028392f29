//! Explains a failed TLS handshake.

use std::io;
use std::time::{Duration, UNIX_EPOCH};

use rustls::{AlertDescription, CertificateError};

use crate::net::connect_error::{ConnectError, ConnectErrorKind};
use crate::net::crate_messages::{certificate_name, is_ca_used_as_end_entity};
use crate::text::shorten;

/// The last second that an HTTP date can express, in the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// Explains why a handshake failed.
pub(crate) fn explain(error: &rustls::Error) -> ConnectError {
    match error {
        rustls::Error::InvalidCertificate(error) => explain_certificate(error),
        rustls::Error::InvalidMessage(_) => {
            ConnectError::new(ConnectErrorKind::NoTls, "the server does not speak TLS on this port")
        }
        rustls::Error::AlertReceived(alert) if is_about_client_certificate(*alert) => {
            ConnectError::new(
                ConnectErrorKind::ClientCertificate,
                format!(
                    "the server requires a client certificate, or rejected this one ({alert:?})"
                ),
            )
        }
        rustls::Error::AlertReceived(alert) => {
            ConnectError::other(format!("the server refused the TLS handshake ({alert:?})"))
        }
        // About the bundle of trusted certificates.
        rustls::Error::Other(error) => ConnectError::other(error.to_string()),
        error => ConnectError::other(format!(
            "the TLS handshake failed: {}",
            shorten(&error.to_string())
        )),
    }
}

fn explain_certificate(error: &CertificateError) -> ConnectError {
    use CertificateError::{
        BadSignature, ExpiredContext, NotValidForNameContext, NotValidYetContext, Other,
        UnknownIssuer,
    };
    use ConnectErrorKind::{CaCertificate, Clock, Issuer};
    let (kind, problem) = match error {
        NotValidForNameContext { expected, presented } => {
            let names: Vec<&str> = presented.iter().map(|name| certificate_name(name)).collect();
            let names = if names.is_empty() { "no name" } else { &shorten(&names.join(", ")) };
            (ConnectErrorKind::Other, format!("is for {names}, not for {}", expected.to_str()))
        }
        NotValidYetContext { not_before, .. } => {
            (Clock, format!("is not valid before {}", date(not_before.as_secs())))
        }
        ExpiredContext { not_after, .. } => {
            (Clock, format!("expired on {}", date(not_after.as_secs())))
        }
        UnknownIssuer => (Issuer, "is signed by an unknown issuer".to_owned()),
        BadSignature => (Issuer, "names a trusted issuer that has not signed it".to_owned()),
        Other(error) if is_ca_used_as_end_entity(error) => {
            (CaCertificate, "is a CA certificate (CA:TRUE)".to_owned())
        }
        other => {
            (ConnectErrorKind::Other, format!("is not valid: {}", shorten(&other.to_string())))
        }
    };
    ConnectError::new(kind, format!("the server's certificate {problem}"))
}

/// Whether a server rejects the client's certificate, or the lack of one, with this alert. In TLS
/// 1.3 it arrives after the client's side of the handshake is done and the request may have been
/// sent; the server has not read it then.
pub(crate) fn is_about_client_certificate(alert: AlertDescription) -> bool {
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
            // The client's signature does not verify.
            | AlertDescription::DecryptError
    )
}

/// `Thu, 01 Jan 1970 00:00:00 GMT`
fn date(seconds: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_SECOND)))
}

/// The error of rustls inside an I/O error, if there is one.
pub(crate) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
