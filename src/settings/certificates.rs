//! The certificates that are trusted, and the one that this client presents.

use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::InconsistentKeys;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, TrustAnchor};
use rustls::sign::CertifiedKey;
use webpki::anchor_from_trusted_cert;

use crate::api::error::Error;

/// The certificates that are trusted to sign a server's, as a bundle in PEM. It is read before the
/// first TLS handshake, so that plain http costs nothing. Default: Mozilla's, as they were when this
/// was built.
#[derive(Clone)]
pub struct Roots {
    name: String,
    bundle: Arc<Mutex<Bundle>>,
}

/// A bundle. The certificates of a file are never in memory all at once: a server needs one or two
/// of the 150 that a system trusts.
enum Bundle {
    Unread(Box<dyn Pem>),
    Read(Index),
    Refused { message: String, hint: Option<String> },
}

/// Where the usable certificates of a bundle are.
struct Index {
    pem: Box<dyn Pem>,
    /// Where the bundle starts.
    start: u64,
    entries: Vec<Entry>,
}

struct Entry {
    /// A hash of the certificate's subject.
    subject: u64,
    /// Where its PEM starts.
    start: u64,
}

trait Pem: Read + Seek + Send {}

impl<T: Read + Seek + Send> Pem for T {}

impl Roots {
    /// Takes a bundle in PEM: any number of certificates, with any text between them. Certificates
    /// that cannot be parsed are skipped, as old bundles hold some. `pem` is a
    /// [`File`](std::fs::File), or bytes in a [`Cursor`](std::io::Cursor). It is read whole, from
    /// where it stands, by the first TLS handshake. Each handshake reads from it the certificates
    /// that the server's chain needs, and all of it again if it has changed. Errors call the bundle by `name`, such as
    /// the name of its file.
    pub fn from_pem(name: impl Into<String>, pem: impl Read + Seek + Send + 'static) -> Self {
        Self { name: name.into(), bundle: Arc::new(Mutex::new(Bundle::Unread(Box::new(pem)))) }
    }

    /// Reads the bundle, unless a call has done so.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it cannot be read, is broken PEM, or holds no usable certificate.
    pub(crate) fn read(&self) -> Result<(), Error> {
        let mut bundle = self.bundle.lock().unwrap_or_else(PoisonError::into_inner);
        let message = format!("{}: it could not be read", self.name);
        *bundle = match mem::replace(&mut *bundle, Bundle::Refused { message, hint: None }) {
            Bundle::Unread(pem) => match Index::new(pem) {
                Ok(index) => Bundle::Read(index),
                Err(error) => match named(error, &self.name) {
                    Error::Invalid { message, hint } => Bundle::Refused { message, hint },
                    other => return Err(other),
                },
            },
            read => read,
        };
        match &*bundle {
            Bundle::Refused { message, hint } => {
                Err(Error::Invalid { message: message.clone(), hint: hint.clone() })
            }
            _ => Ok(()),
        }
    }

    /// The certificates whose subject is one of `subjects`, each a DER-encoded name without its
    /// outer tag and length.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the bundle was not read yet, or cannot be read any more.
    pub(crate) fn anchors(&self, subjects: &[&[u8]]) -> Result<Vec<TrustAnchor<'static>>, Error> {
        let mut bundle = self.bundle.lock().unwrap_or_else(PoisonError::into_inner);
        let Bundle::Read(index) = &mut *bundle else {
            return Err(Error::invalid(format!("{}: it was not read", self.name)));
        };
        index
            .anchors(subjects)
            .or_else(|_| {
                // The file has changed, or a read failed: perhaps it can be read now.
                index.read()?;
                index.anchors(subjects)
            })
            .map_err(|error| named(error, &self.name))
    }
}

impl Index {
    fn new(mut pem: Box<dyn Pem>) -> Result<Self, Error> {
        let start = pem.stream_position().map_err(unreadable)?;
        let mut index = Self { pem, start, entries: Vec::new() };
        index.read()?;
        Ok(index)
    }

    /// Reads the bundle from its start to its end.
    fn read(&mut self) -> Result<(), Error> {
        let mut pem = from(&mut self.pem, self.start)?;
        let mut entries = Vec::new();
        let mut has_certificate = false;
        skip_mark(&mut pem);
        loop {
            let start = pem.stream_position().map_err(unreadable)?;
            let Some(certificate) = next_certificate(&mut pem)? else { break };
            has_certificate = true;
            if let Ok(anchor) = anchor_from_trusted_cert(&certificate) {
                entries.push(Entry { subject: hash(&anchor.subject), start });
            }
        }
        match (has_certificate, entries.is_empty()) {
            (false, _) => return Err(no_certificate()),
            (true, true) => {
                return Err(Error::invalid("none of the certificates in it can be used"));
            }
            (true, false) => self.entries = entries,
        }
        Ok(())
    }

    fn anchors(&mut self, subjects: &[&[u8]]) -> Result<Vec<TrustAnchor<'static>>, Error> {
        let changed = || Error::invalid("it changed while it was read");
        let hashes: Vec<u64> = subjects.iter().map(|subject| hash(subject)).collect();
        let mut anchors = Vec::new();
        for entry in self.entries.iter().filter(|entry| hashes.contains(&entry.subject)) {
            let mut pem = from(&mut self.pem, entry.start)?;
            let certificate = next_certificate(&mut pem)?.ok_or_else(changed)?;
            let anchor = anchor_from_trusted_cert(&certificate).map_err(|_| changed())?;
            if hash(&anchor.subject) != entry.subject {
                return Err(changed());
            }
            if subjects.contains(&&*anchor.subject) {
                anchors.push(anchor.to_owned());
            }
        }
        Ok(anchors)
    }
}

/// The bundle from this position on.
fn from(pem: &mut Box<dyn Pem>, start: u64) -> Result<BufReader<&mut Box<dyn Pem>>, Error> {
    pem.seek(SeekFrom::Start(start)).map_err(unreadable)?;
    Ok(BufReader::new(pem))
}

fn hash(subject: &[u8]) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(subject)
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
        let chain =
            certificates(certificate).map_err(|error| named(error, "the certificate file"))?;
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

/// The certificates in a text, parsed from PEM; at least one, or an error.
fn certificates(mut text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    skip_mark(&mut text);
    let mut found = Vec::new();
    while let Some(certificate) = next_certificate(&mut text)? {
        found.push(certificate);
    }
    if found.is_empty() { Err(no_certificate()) } else { Ok(found) }
}

/// Skips a byte order mark, which would hide the first certificate.
fn skip_mark(text: &mut impl BufRead) {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    if text.fill_buf().is_ok_and(|start| start.starts_with(MARK)) {
        text.consume(MARK.len());
    }
}

/// The next certificate in a text, parsed from PEM. `None`: there is no other.
fn next_certificate(text: &mut impl BufRead) -> Result<Option<CertificateDer<'static>>, Error> {
    loop {
        match pem::from_buf(text) {
            Ok(None) => return Ok(None),
            Ok(Some((pem::SectionKind::Certificate, der))) => return Ok(Some(der.into())),
            Ok(Some(_)) => {}
            Err(pem::Error::MissingSectionEnd { .. }) => {
                return Err(Error::invalid("a certificate in it has no end"));
            }
            Err(pem::Error::Io(error)) => return Err(unreadable(error)),
            Err(_) => return Err(Error::invalid("a certificate in it is broken PEM")),
        }
    }
}

fn no_certificate() -> Error {
    Error::invalid_with(
        "there is no certificate in it",
        "a certificate in PEM starts with -----BEGIN CERTIFICATE-----",
    )
}

fn unreadable(error: io::Error) -> Error {
    Error::invalid(format!("it cannot be read: {error}"))
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
    use std::fs::{self, File};
    use std::io::Cursor;

    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};

    use super::*;
    use crate::temp::TempDir;

    /// A CA certificate with this name, in PEM and in DER.
    fn authority(name: &str) -> (String, CertificateDer<'static>) {
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        (certificate.pem(), certificate.der().clone())
    }

    fn subject(certificate: &CertificateDer<'_>) -> Vec<u8> {
        anchor_from_trusted_cert(certificate).expect("a CA").subject.to_vec()
    }

    #[test]
    fn the_certificates_with_a_subject_are_read_out_of_a_bundle() {
        let ((first, first_der), (second, second_der)) = (authority("first"), authority("second"));
        let (other, other_der) = authority("second");
        let unusable = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let bundle = format!("\u{feff}# two\n{first}{unusable}\ntext\r\n{second}{first}{other}");
        let roots = Roots::from_pem("ca.pem", Cursor::new(bundle));
        roots.read().expect("a bundle");
        let [first, second] = [&first_der, &second_der].map(subject);
        let missing = subject(&authority("third").1);
        let (first_anchor, second_anchor, other_anchor) = (
            anchor_from_trusted_cert(&first_der).expect("a CA"),
            anchor_from_trusted_cert(&second_der).expect("a CA"),
            anchor_from_trusted_cert(&other_der).expect("a CA"),
        );
        let cases: [(&[&[u8]], Vec<&TrustAnchor<'_>>); 4] = [
            (&[], vec![]),
            (&[&missing], vec![]),
            (&[&missing, &second], vec![&second_anchor, &other_anchor]),
            (&[&second, &first], vec![&first_anchor, &second_anchor, &first_anchor, &other_anchor]),
        ];
        for (subjects, anchors) in cases {
            let found = roots.anchors(subjects).expect("no change");
            assert_eq!(found.iter().collect::<Vec<_>>(), anchors);
        }
    }

    #[test]
    fn a_bundle_that_changed_is_read_again() {
        let directory = TempDir::new();
        let path = directory.path().join("ca.pem");
        let ((first, der), (second, _)) = (authority("first"), authority("second"));
        fs::write(&path, &first).expect("a file");
        let roots = Roots::from_pem("ca.pem", File::open(&path).expect("it was written"));
        roots.read().expect("a bundle");
        let subject = subject(&der);
        let count = || roots.anchors(&[&subject]).map(|anchors| anchors.len());
        assert_eq!(count().expect("no change"), 1);
        for (content, found) in [(second.clone() + &first, 1), (first + &second, 1), (second, 0)] {
            fs::write(&path, content).expect("a file");
            assert_eq!(count().expect("a bundle"), found);
        }
    }

    #[test]
    fn a_bundle_that_was_emptied_is_named() {
        let directory = TempDir::new();
        let path = directory.path().join("ca.pem");
        let (pem, der) = authority("first");
        fs::write(&path, pem).expect("a file");
        let roots = Roots::from_pem("ca.pem", File::open(&path).expect("it was written"));
        roots.read().expect("a bundle");
        fs::write(&path, "").expect("a file");
        for _ in 0..2 {
            let error = roots.anchors(&[&subject(&der)]).unwrap_err();
            assert_eq!(error.to_string(), "ca.pem: there is no certificate in it");
        }
    }

    #[test]
    fn a_refused_bundle_is_refused_with_the_same_reason_again() {
        let pem = Cursor::new("-----BEGIN CERTIFICATE-----\nAAAA\n");
        let roots = Roots::from_pem("ca.pem", pem);
        for _ in 0..2 {
            let error = roots.read().unwrap_err();
            assert_eq!(error.to_string(), "ca.pem: a certificate in it has no end");
        }
    }
}
