//! Certificates made on the spot, and a server that speaks TLS with them: each connection carries one request and its
//! answer.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
};

use super::videos_api::connection::{find, lock};
use super::videos_api::listener::Listener;

/// No read waits longer: a test that goes wrong must end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, in PEM.
    pub pem: String,
}

/// A certificate and its key, in PEM.
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Authority {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        // Two of one name would be taken for one with two keys.
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut params = named(&format!("the test's authority {number}"), &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Authority { issuer, pem }
    }

    /// A certificate for these names and addresses.
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.issue_with(names, |_| {})
    }

    pub fn issue_with(
        &self,
        names: &[&str],
        adjust: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let mut params = named("the test's subject", names);
        adjust(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

impl Identity {
    /// Signed by itself; `ca`: as `openssl req -x509` makes them.
    pub fn self_signed(names: &[&str], ca: bool) -> Identity {
        let mut params = named("the test's loner", names);
        if ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let key = KeyPair::generate().unwrap();
        Identity {
            certificate: params.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}

fn named(name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().copied().map(String::from).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// Says goodbye after its answer.
    Polite,
    /// Answers after so many bytes and hangs up at once, without reading what is still on its way.
    HangsUp(u64),
    /// Leaves it to the client to hang up.
    Holds,
}

#[must_use = "it stops when dropped"]
pub struct TlsServer {
    listener: Listener,
    shared: Arc<Shared>,
}

struct Shared {
    config: Arc<ServerConfig>,
    answer: String,
    manner: Manner,
    /// Of those on which a byte arrived.
    connections: AtomicUsize,
    /// What was read after each handshake that went well.
    requests: Mutex<Vec<String>>,
}

impl TlsServer {
    /// Answers every request with this JSON.
    pub fn new(identity: &Identity, json: &str) -> TlsServer {
        Self::start(config(identity, None), &answer(json), Manner::Polite)
    }

    /// One that knows TLS 1.2 and nothing newer.
    pub fn of_old(identity: &Identity, json: &str) -> TlsServer {
        let config = config_for(&[&rustls::version::TLS12], identity, None);
        Self::start(config, &answer(json), Manner::Polite)
    }

    /// One that lets in only who shows a certificate of this authority.
    pub fn for_known(identity: &Identity, clients: &Authority, json: &str) -> TlsServer {
        Self::start(
            config(identity, Some(clients)),
            &answer(json),
            Manner::Polite,
        )
    }

    /// One like it that hangs up when it has said no.
    pub fn brusque_for_known(identity: &Identity, clients: &Authority) -> TlsServer {
        Self::start(config(identity, Some(clients)), "", Manner::HangsUp(0))
    }

    /// One that answers after so many bytes of a request, and hangs up at once, with the rest unread.
    pub fn hanging_up(identity: &Identity, bytes: u64, answer: &str) -> TlsServer {
        Self::start(config(identity, None), answer, Manner::HangsUp(bytes))
    }

    /// One that answers every request with these records, a NUL between them, and leaves the connection open.
    pub fn holding(identity: &Identity, answer: &str) -> TlsServer {
        Self::start(config(identity, None), answer, Manner::Holds)
    }

    fn start(config: Arc<ServerConfig>, answer: &str, manner: Manner) -> TlsServer {
        let shared = Arc::new(Shared {
            config,
            answer: answer.to_owned(),
            manner,
            connections: AtomicUsize::new(0),
            requests: Mutex::default(),
        });
        let listener = {
            let shared = Arc::clone(&shared);
            // Many tests are about errors on a connection.
            Listener::start(0, move |stream, _| drop(shared.converse(stream)))
        };
        let listener = listener.expect("a free port on 127.0.0.1");
        TlsServer { listener, shared }
    }

    pub fn port(&self) -> u16 {
        self.listener.address.port()
    }

    /// `https://NAME:PORT/v1`
    pub fn url(&self, name: &str) -> String {
        format!("https://{name}:{}/v1", self.port())
    }

    /// Stops it, and gives the heads and bodies of the requests that were read, and the number of connections.
    pub fn finish(mut self) -> (Vec<String>, usize) {
        self.listener.stop();
        let requests = std::mem::take(&mut *lock(&self.shared.requests));
        (requests, self.shared.connections.load(Ordering::SeqCst))
    }
}

impl Shared {
    fn converse(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        if stream.peek(&mut [0])? == 0 {
            return Ok(());
        }
        self.connections.fetch_add(1, Ordering::SeqCst);
        let tcp = stream.try_clone()?;
        let connection = ServerConnection::new(Arc::clone(&self.config)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        let done = self.answer(&mut stream);
        if done.is_ok() && self.manner != Manner::Holds {
            stream.conn.send_close_notify();
        }
        // Sends the alert, where there is one.
        drop(stream.conn.write_tls(&mut stream.sock));
        if let Manner::HangsUp(_) = self.manner {
            return done;
        }
        // A close with bytes unread would be a reset, and take the alert with it.
        if self.manner == Manner::Polite {
            tcp.shutdown(Shutdown::Write)?;
        }
        io::copy(&mut &tcp, &mut io::sink())?;
        done
    }

    fn answer(&self, stream: &mut StreamOwned<ServerConnection, TcpStream>) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        let whole = |bytes: &[u8]| {
            let end = find(bytes, b"\r\n\r\n")? + 4;
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head
                .split_once("content-length: ")
                .map_or(0, |(_, rest)| rest.lines().next().unwrap().parse().unwrap());
            (bytes.len() >= end + length).then_some(())
        };
        let enough = |bytes: &[u8]| match self.manner {
            Manner::HangsUp(most) => bytes.len() as u64 >= most,
            _ => whole(bytes).is_some(),
        };
        while !enough(&bytes) {
            let count = stream.read(&mut buffer)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bytes.extend_from_slice(&buffer[..count]);
            if let (true, Some(end)) = (self.manner != Manner::Polite, asks_first(&bytes)) {
                bytes.drain(..end);
                stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            }
        }
        lock(&self.requests).push(String::from_utf8_lossy(&bytes).into_owned());
        for record in self.answer.split('\0') {
            stream.conn.writer().write_all(record.as_bytes())?;
        }
        stream.flush()?;
        stream.flush()
    }
}

/// What a server with this certificate needs to know.
pub fn config(identity: &Identity, clients: Option<&Authority>) -> Arc<ServerConfig> {
    config_for(rustls::ALL_VERSIONS, identity, clients)
}

/// The end of a head that asks for `100 Continue`.
fn asks_first(bytes: &[u8]) -> Option<usize> {
    let end = find(bytes, b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    head.contains("expect: 100-continue").then_some(end)
}

fn answer(json: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{json}",
        json.len()
    )
}

fn config_for(
    versions: &[&'static SupportedProtocolVersion],
    identity: &Identity,
    clients: Option<&Authority>,
) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(certificates(&authority.pem));
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let config = builder.with_single_cert(certificates(&identity.certificate), key);
    Arc::new(config.unwrap())
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .unwrap()
}
