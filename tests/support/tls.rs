//! Certificates made for a test, and a TLS server that uses them. Each connection has one request
//! and its response.

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

/// The longest time that a read waits, so that a failing test ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// A certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The certificate of the authority, in PEM.
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
        // Clients would take two authorities with the same name for one with two keys.
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut params = named(&format!("the test's authority {number}"), &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Authority { issuer, pem }
    }

    /// Issues a certificate for these host names and addresses.
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
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Identity {
    /// A self-signed certificate. With `ca`, it has `CA:TRUE`, as `openssl req -x509` sets it.
    pub fn self_signed(names: &[&str], ca: bool) -> Identity {
        let mut params = named("the test's self-signed subject", names);
        if ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let key = KeyPair::generate().unwrap();
        Identity { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
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
    /// Sends close_notify after the response.
    SendsCloseNotify,
    /// Responds after this many bytes of the request and closes the connection at once, without
    /// reading the rest.
    ClosesAfter(u64),
    /// Keeps the connection open until the client closes it.
    KeepsOpen,
}

#[must_use = "it stops when dropped"]
pub struct TlsServer {
    listener: Listener,
    shared: Arc<Shared>,
}

struct Shared {
    config: Arc<ServerConfig>,
    response: String,
    manner: Manner,
    /// The number of connections on which a byte arrived.
    connections: AtomicUsize,
    /// Head and body of each request that was read.
    requests: Mutex<Vec<String>>,
}

impl TlsServer {
    /// A server that responds to every request with this JSON.
    pub fn new(identity: &Identity, json: &str) -> TlsServer {
        Self::start(config(identity, None), &response(json), Manner::SendsCloseNotify)
    }

    /// The same with TLS 1.2 only.
    pub fn tls12(identity: &Identity, json: &str) -> TlsServer {
        let config = config_for(&[&rustls::version::TLS12], identity, None);
        Self::start(config, &response(json), Manner::SendsCloseNotify)
    }

    /// The same for clients with a certificate of this authority only.
    pub fn requiring_certificate(
        identity: &Identity,
        clients: &Authority,
        json: &str,
    ) -> TlsServer {
        Self::start(config(identity, Some(clients)), &response(json), Manner::SendsCloseNotify)
    }

    /// A server that redirects every request, and requires a client certificate of `clients`, if
    /// given.
    pub fn redirecting(
        identity: &Identity,
        clients: Option<&Authority>,
        location: &str,
    ) -> TlsServer {
        let response = format!(
            "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n"
        );
        Self::start(config(identity, clients), &response, Manner::SendsCloseNotify)
    }

    /// A server that requires a client certificate of this authority, and closes the connection
    /// right after the alert.
    pub fn closing_without_certificate(identity: &Identity, clients: &Authority) -> TlsServer {
        Self::start(config(identity, Some(clients)), "", Manner::ClosesAfter(0))
    }

    /// A server that responds after this many bytes of a request, and closes the connection without
    /// reading the rest.
    pub fn closing_after(identity: &Identity, bytes: u64, response: &str) -> TlsServer {
        Self::start(config(identity, None), response, Manner::ClosesAfter(bytes))
    }

    /// A server of TLS 1.3, or 1.2, that responds in TLS records of at most this many bytes, and
    /// keeps the connection open.
    pub fn in_records_of(bytes: usize, tls12: bool, identity: &Identity, response: &str) -> Self {
        let version = if tls12 { &rustls::version::TLS12 } else { &rustls::version::TLS13 };
        let mut config = Arc::unwrap_or_clone(config_for(&[version], identity, None));
        config.max_fragment_size = Some(bytes);
        Self::start(Arc::new(config), response, Manner::KeepsOpen)
    }

    /// A server that responds with these TLS records, separated by NUL, and keeps the connection
    /// open.
    pub fn keeping_open(identity: &Identity, response: &str) -> TlsServer {
        Self::start(config(identity, None), response, Manner::KeepsOpen)
    }

    fn start(config: Arc<ServerConfig>, response: &str, manner: Manner) -> TlsServer {
        let shared = Arc::new(Shared {
            config,
            response: response.to_owned(),
            manner,
            connections: AtomicUsize::new(0),
            requests: Mutex::default(),
        });
        let listener = {
            let shared = Arc::clone(&shared);
            // Many tests are about errors on a connection.
            Listener::start(0, move |stream, _| drop(shared.serve(stream)))
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

    /// Stops the server and returns head and body of each request that was read, and the number of
    /// connections.
    pub fn finish(mut self) -> (Vec<String>, usize) {
        self.listener.stop();
        let requests = std::mem::take(&mut *lock(&self.shared.requests));
        (requests, self.shared.connections.load(Ordering::SeqCst))
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        if stream.peek(&mut [0])? == 0 {
            return Ok(());
        }
        self.connections.fetch_add(1, Ordering::SeqCst);
        let tcp = stream.try_clone()?;
        let connection = ServerConnection::new(Arc::clone(&self.config)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        let done = self.respond(&mut stream);
        if done.is_ok() && self.manner != Manner::KeepsOpen {
            stream.conn.send_close_notify();
        }
        // Sends the alert, if there is one.
        drop(stream.conn.write_tls(&mut stream.sock));
        if let Manner::ClosesAfter(_) = self.manner {
            return done;
        }
        // Closing with unread bytes would reset the connection, and the client could lose the
        // alert.
        if self.manner == Manner::SendsCloseNotify {
            tcp.shutdown(Shutdown::Write)?;
        }
        io::copy(&mut &tcp, &mut io::sink())?;
        done
    }

    fn respond(&self, stream: &mut StreamOwned<ServerConnection, TcpStream>) -> io::Result<()> {
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
            Manner::ClosesAfter(most) => bytes.len() as u64 >= most,
            _ => whole(bytes).is_some(),
        };
        while !enough(&bytes) {
            let count = stream.read(&mut buffer)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bytes.extend_from_slice(&buffer[..count]);
            if let (true, Some(end)) =
                (self.manner != Manner::SendsCloseNotify, end_of_expecting_head(&bytes))
            {
                bytes.drain(..end);
                stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            }
        }
        lock(&self.requests).push(String::from_utf8_lossy(&bytes).into_owned());
        stream.conn.set_buffer_limit(None);
        for record in self.response.split('\0') {
            stream.conn.writer().write_all(record.as_bytes())?;
        }
        stream.flush()?;
        stream.flush()
    }
}

/// The configuration of a server with this certificate, which requires a client certificate of
/// `clients`, if given.
pub fn config(identity: &Identity, clients: Option<&Authority>) -> Arc<ServerConfig> {
    config_for(rustls::ALL_VERSIONS, identity, clients)
}

/// The position after a request head that expects `100 Continue`.
fn end_of_expecting_head(bytes: &[u8]) -> Option<usize> {
    let end = find(bytes, b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    head.contains("expect: 100-continue").then_some(end)
}

fn response(json: &str) -> String {
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
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().unwrap()
}
