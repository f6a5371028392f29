//! Reads the error messages of other crates, where their types do not tell enough. The test below
//! meets the real messages, so an update that changes one fails there.

use dns_lookup::LookupError;
use rustls::OtherError;

/// The reason in an error of dns-lookup 4.0.2: what `gai_strerror` says after
/// `failed to lookup address information: `.
pub(crate) fn lookup_reason(error: &LookupError) -> String {
    let message = error.to_string();
    message.rsplit(": ").next().unwrap_or_default().to_owned()
}

/// The name in `DnsName("a.example")` or `IpAddress(192.0.2.1)`, as rustls-webpki 0.103.17 writes
/// the names of a certificate (`impl Debug for GeneralName`).
pub(crate) fn certificate_name(written: &str) -> &str {
    let name = written.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    name.unwrap_or(written).trim_matches('"')
}

/// Whether this is `webpki::Error::CaUsedAsEndEntity` of rustls-webpki 0.103.17: rustls does not
/// export its type.
pub(crate) fn is_ca_used_as_end_entity(error: &OtherError) -> bool {
    error.to_string().contains("CaUsedAsEndEntity")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::crypto::ring;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{CertificateError, RootCertStore};

    use super::*;

    /// The error for `localhost` with a certificate for these names.
    fn refused(names: &[&str], is_ca: bool) -> CertificateError {
        let params = |names: &[&str], is_ca: bool| {
            let names = names.iter().copied().map(str::to_owned).collect::<Vec<_>>();
            let mut params = CertificateParams::new(names).unwrap();
            if is_ca {
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            }
            params
        };
        let key = KeyPair::generate().unwrap();
        let root = params(&[], true).self_signed(&key).unwrap();
        let issuer = Issuer::new(params(&[], true), key);
        let key = KeyPair::generate().unwrap();
        let leaf = params(names, is_ca).signed_by(&key, &issuer).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(root)).unwrap();
        let provider = Arc::new(ring::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let leaf = CertificateDer::from(leaf);
        match verifier.verify_server_cert(&leaf, &[], &name, &[], UnixTime::now()) {
            Err(rustls::Error::InvalidCertificate(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_messages_of_rustls_webpki_0_103_17_are_understood() {
        let CertificateError::NotValidForNameContext { presented, .. } =
            refused(&["a.example", "*.b.example", "192.0.2.1", "2001:db8::1"], false)
        else {
            panic!("another error");
        };
        let names: Vec<_> = presented.iter().map(|name| certificate_name(name)).collect();
        assert_eq!(&names[..3], ["a.example", "*.b.example", "192.0.2.1"]);
        assert!(!names[3].contains(['(', ')']), "{names:?}");
        let CertificateError::Other(error) = refused(&["localhost"], true) else {
            panic!("another error");
        };
        assert!(is_ca_used_as_end_entity(&error));
    }

    #[test]
    fn the_messages_of_dns_lookup_4_0_2_are_understood() {
        // EAI_NONAME of Linux; its text differs from one C library to the next.
        let error = LookupError::new(-2);
        let reason = lookup_reason(&error);
        assert_eq!(error.to_string(), format!("failed to lookup address information: {reason}"));
        assert!(!reason.is_empty());
    }
}
