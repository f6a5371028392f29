//! What a failed TLS handshake means.

use std::io;
use std::time::{Duration, UNIX_EPOCH};

use rustls::{AlertDescription, CertificateError};

use crate::net::connect_error::{ConnectError, ConnectErrorKind};
use crate::text::shorten;

/// The last second that an X.509 certificate and an HTTP date can name, in the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// What a failed handshake means.
pub(crate) fn explain(error: &rustls::Error) -> ConnectError {
    let because = |kind, why: String| ConnectError::new(kind, why);
    match error {
        rustls::Error::InvalidCertificate(error) => certificate(error),
        rustls::Error::InvalidMessage(_) => {
            because(ConnectErrorKind::NoTls, "the server does not speak TLS there".to_owned())
        }
        rustls::Error::AlertReceived(alert) if is_about_certificate(*alert) => because(
            ConnectErrorKind::ClientCertificate,
            format!("the server does not accept the client certificate, or wants one ({alert:?})"),
        ),
        rustls::Error::AlertReceived(alert) => because(
            ConnectErrorKind::Other,
            format!("the server refused the TLS handshake ({alert:?})"),
        ),
        error => because(
            ConnectErrorKind::Other,
            format!("the TLS handshake failed: {}", shorten(&error.to_string())),
        ),
    }
}

fn certificate(error: &CertificateError) -> ConnectError {
    use CertificateError::{
        BadSignature, ExpiredContext, NotValidForNameContext, NotValidYetContext, UnknownIssuer,
    };
    let (kind, why) = match error {
        NotValidForNameContext { expected, presented } => {
            // They come as `DnsName("a.example")`.
            let names: Vec<&str> =
                presented.iter().map(|name| name.split('"').nth(1).unwrap_or(name)).collect();
            let names = match names.is_empty() {
                true => "no name at all".to_owned(),
                false => shorten(&names.join(", ")),
            };
            let why = format!(
                "the server's certificate is not for {} but for {names}",
                expected.to_str()
            );
            (ConnectErrorKind::Other, why)
        }
        NotValidYetContext { not_before, .. } => {
            let from = date(not_before.as_secs());
            let why = format!("the server's certificate is not valid before {from}");
            (ConnectErrorKind::Clock, why)
        }
        ExpiredContext { not_after, .. } => {
            let until = date(not_after.as_secs());
            (ConnectErrorKind::Clock, format!("the server's certificate expired on {until}"))
        }
        UnknownIssuer => (
            ConnectErrorKind::Issuer,
            "nobody who is trusted here has signed the server's certificate".to_owned(),
        ),
        BadSignature => (
            ConnectErrorKind::Issuer,
            "the server's certificate is not signed by the trusted issuer of that name".to_owned(),
        ),
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => (
            ConnectErrorKind::CaCertificate,
            "the server shows a certificate for signing others (CA:TRUE) as its own".to_owned(),
        ),
        other => (
            ConnectErrorKind::Other,
            format!("the server's certificate cannot be accepted: {}", shorten(&other.to_string())),
        ),
    };
    ConnectError::new(kind, why)
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

/// The error of rustls that an I/O error carries, if that is what it does.
pub(crate) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
