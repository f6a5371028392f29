//! A proxy: HTTP, with CONNECT and absolute-form requests, or SOCKS 5, depending on the first byte
//! from the client; over TLS if it has a certificate. It connects every client to the same port, so
//! that tests can use host names that do not exist.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::tls::{Identity, config};
use super::videos_api::connection::lock;
use super::videos_api::listener::Listener;

/// The longest time that a connection is kept open.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the proxy waits for bytes from one side before it turns to the other.
const TICK: Duration = Duration::from_millis(2);

/// The behaviour of the proxy for a client with the right credentials.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Serve,
    /// Refuses with this HTTP status code, or with this SOCKS reply.
    Refuse(u16),
    /// Closes the connection after it has read the request.
    Close,
    /// Reads the request and sends nothing.
    Silence,
}

pub struct Proxy {
    listener: Listener,
    shared: Arc<Shared>,
}

struct Shared {
    /// The server that every client is connected to.
    server: SocketAddr,
    manner: Manner,
    /// The credentials as `user:password`, which SOCKS sends, and as the value of
    /// `Proxy-Authorization`.
    credentials: Option<(&'static str, &'static str)>,
    tls: Option<Arc<ServerConfig>>,
    log: Mutex<Vec<String>>,
}

impl Proxy {
    /// Connects every client to this port of 127.0.0.1.
    pub fn to(port: u16) -> Proxy {
        Proxy::start(port, Manner::Serve, None, None)
    }

    pub fn with_manner(port: u16, manner: Manner) -> Proxy {
        Proxy::start(port, manner, None, None)
    }

    /// Requires the user `us@er` with the password `p:ss word`.
    pub fn with_credentials(port: u16) -> Proxy {
        let credentials = ("us@er:p:ss word", "Basic dXNAZXI6cDpzcyB3b3Jk");
        Proxy::start(port, Manner::Serve, Some(credentials), None)
    }

    pub fn with_tls(port: u16, identity: &Identity) -> Proxy {
        Proxy::start(port, Manner::Serve, None, Some(config(identity, None)))
    }

    fn start(
        port: u16,
        manner: Manner,
        credentials: Option<(&'static str, &'static str)>,
        tls: Option<Arc<ServerConfig>>,
    ) -> Proxy {
        let shared = Arc::new(Shared {
            server: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            manner,
            credentials,
            tls,
            log: Mutex::default(),
        });
        let listener = {
            let shared = Arc::clone(&shared);
            // Many tests are about errors on a connection.
            Listener::start(0, move |stream, _| drop(shared.serve(stream)))
        };
        let listener = listener.expect("a free port on 127.0.0.1");
        Proxy { listener, shared }
    }

    pub fn port(&self) -> u16 {
        self.listener.address.port()
    }

    /// `SCHEME://127.0.0.1:PORT`
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.listener.address)
    }

    /// The same, with the credentials that [`Proxy::with_credentials`] requires.
    pub fn url_with_credentials(&self, scheme: &str) -> String {
        format!("{scheme}://us%40er:p%3ass%20word@{}", self.listener.address)
    }

    /// Stops the proxy and returns the requests to it, one line for each connection.
    pub fn finish(mut self) -> Vec<String> {
        self.listener.stop();
        std::mem::take(&mut *lock(&self.shared.log))
    }
}

/// A connection with or without TLS.
trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Shared {
    fn serve(&self, tcp: TcpStream) -> io::Result<()> {
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        let handle = tcp.try_clone()?;
        let mut client: Box<dyn Stream> = match &self.tls {
            None => Box::new(tcp),
            Some(config) => {
                let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                Box::new(StreamOwned::new(connection, tcp))
            }
        };
        let mut first = [0];
        client.read_exact(&mut first)?;
        let first_bytes = match first {
            [5] => self.socks(&mut *client)?,
            _ => self.http(&mut *client, first[0])?,
        };
        match first_bytes {
            Some(first_bytes) => self.join(&mut *client, &handle, &first_bytes),
            None => {
                // Closing with unread bytes would reset the connection, and the client could lose
                // the response.
                handle.shutdown(Shutdown::Write)?;
                if self.manner != Manner::Close {
                    io::copy(&mut &handle, &mut io::sink())?;
                }
                Ok(())
            }
        }
    }

    fn note(&self, what: String) {
        lock(&self.log).push(what);
    }

    /// The handshake of an HTTP proxy. Returns the bytes to send to the server first, or `None` to
    /// close.
    fn http(&self, client: &mut dyn Stream, first: u8) -> io::Result<Option<Vec<u8>>> {
        let mut head = vec![first];
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        let line = text.lines().next().unwrap().to_owned();
        let target = line.strip_suffix(" HTTP/1.1").unwrap().to_owned();
        self.note(target);
        let header = |name: &str| {
            let mut lines = text.lines();
            let start = format!("{name}: ");
            lines.find_map(|line| line.strip_prefix(&start).map(str::to_owned))
        };
        if header("Proxy-Authorization").as_deref() != self.credentials.map(|(_, basic)| basic) {
            client.write_all(
                b"HTTP/1.1 407 Proxy Authentication Required\r\n\
                  Proxy-Authenticate: Basic realm=\"test\"\r\nContent-Length: 0\r\n\r\n",
            )?;
            return Ok(None);
        }
        match self.manner {
            Manner::Refuse(status) => {
                let response = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n");
                client.write_all(response.as_bytes())?;
                Ok(None)
            }
            Manner::Close => Ok(None),
            Manner::Silence => Ok(self.silence(client)),
            _ if line.starts_with("CONNECT ") => {
                client.write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")?;
                Ok(Some(Vec::new()))
            }
            _ => Ok(Some(head)),
        }
    }

    /// The SOCKS 5 handshake (RFC 1928, with the password method of RFC 1929). Returns the same as
    /// [`Shared::http`].
    fn socks(&self, client: &mut dyn Stream) -> io::Result<Option<Vec<u8>>> {
        let methods = read_exact(client, 1)?[0];
        let methods = read_exact(client, usize::from(methods))?;
        let wanted = if self.credentials.is_some() { 2 } else { 0 };
        if !methods.contains(&wanted) {
            client.write_all(&[5, 0xff])?;
            return Ok(None);
        }
        client.write_all(&[5, wanted])?;
        if let Some((both, _)) = self.credentials {
            read_exact(client, 1)?;
            let mut text = Vec::new();
            for separator in [&b":"[..], b""] {
                let length = read_exact(client, 1)?[0];
                text.extend(read_exact(client, usize::from(length))?);
                text.extend(separator);
            }
            let known = text == both.as_bytes();
            client.write_all(&[1, u8::from(!known)])?;
            if !known {
                return Ok(None);
            }
        }
        let host = match read_exact(client, 4)?[3] {
            1 => IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(read_exact(client, 4)?).unwrap()))
                .to_string(),
            4 => {
                IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(read_exact(client, 16)?).unwrap()))
                    .to_string()
            }
            _ => {
                let length = read_exact(client, 1)?[0];
                format!(
                    "the name {}",
                    String::from_utf8(read_exact(client, usize::from(length))?).unwrap()
                )
            }
        };
        let port = u16::from_be_bytes(read_exact(client, 2)?.try_into().unwrap());
        self.note(format!("SOCKS {host} {port}"));
        let reply = match self.manner {
            Manner::Refuse(reply) => u8::try_from(reply).unwrap(),
            Manner::Close => return Ok(None),
            Manner::Silence => return Ok(self.silence(client)),
            _ => 0,
        };
        client.write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0])?;
        Ok((reply == 0).then(Vec::new))
    }

    /// Waits until the client closes the connection.
    fn silence(&self, client: &mut dyn Stream) -> Option<Vec<u8>> {
        drop(client.read(&mut [0]));
        None
    }

    /// Copies bytes both ways until either side closes the connection.
    fn join(
        &self,
        client: &mut dyn Stream,
        handle: &TcpStream,
        first_bytes: &[u8],
    ) -> io::Result<()> {
        let mut server = TcpStream::connect(self.server)?;
        server.set_nodelay(true)?;
        server.set_read_timeout(Some(TICK))?;
        handle.set_read_timeout(Some(TICK))?;
        server.write_all(first_bytes)?;
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && carry(client, &mut server)? && carry(&mut server, client)? {}
        handle.shutdown(Shutdown::Both)
    }
}

/// Copies what has arrived on one side. `false`: that side closed the connection.
fn carry(from: &mut dyn Stream, to: &mut dyn Stream) -> io::Result<bool> {
    let mut buffer = [0; 16 * 1024];
    match from.read(&mut buffer) {
        Ok(0) => Ok(false),
        Ok(count) => {
            to.write_all(&buffer[..count])?;
            to.flush()?;
            Ok(true)
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

fn read_exact(client: &mut dyn Stream, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    client.read_exact(&mut bytes)?;
    Ok(bytes)
}
