//! Verifies a server's certificate, in place of rustls's own verifier. That one needs all trusted
//! certificates in memory, 0.12 MB for a system's bundle; this one reads only those whose subject is
//! the issuer of a certificate in the server's chain. The verification itself is rustls's.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use webpki::EndEntityCert;
use webpki_roots::TLS_SERVER_ROOTS;

use crate::settings::certificates::Roots;

#[derive(Debug)]
pub(crate) struct ServerVerifier {
    /// Default: Mozilla's.
    pub(crate) roots: Option<Roots>,
    pub(crate) algorithms: WebPkiSupportedAlgorithms,
}

impl ServerVerifier {
    /// The trusted certificates that may have signed one of these.
    fn anchors(&self, chain: &[&CertificateDer<'_>]) -> Result<Vec<TrustAnchor<'static>>, Error> {
        let chain: Vec<EndEntityCert<'_>> =
            chain.iter().filter_map(|certificate| (*certificate).try_into().ok()).collect();
        let issuers: Vec<&[u8]> = chain.iter().map(|certificate| certificate.issuer()).collect();
        match &self.roots {
            Some(roots) => {
                roots.anchors(&issuers).map_err(|error| OtherError(Arc::new(error)).into())
            }
            None => {
                let is_issuer = |anchor: &&TrustAnchor<'_>| issuers.contains(&&*anchor.subject);
                Ok(TLS_SERVER_ROOTS.iter().filter(is_issuer).cloned().collect())
            }
        }
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let chain: Vec<_> = [end_entity].into_iter().chain(intermediates).collect();
        let roots = RootCertStore { roots: self.anchors(&chain)? };
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &roots,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        verify_server_name(&certificate, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
