//! The handshakes with proxies: a tunnel with CONNECT (RFC 9110, 9.3.6), SOCKS 5 (RFC 1928 and
//! 1929), or requests in absolute form (RFC 9112, 3.2.2). They run over any stream; nothing here
//! opens a connection.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};

use crate::net::buffers::MAX_HEAD;
use crate::net::connect_error::{ConnectError, ConnectErrorKind};
use crate::net::response_head::is_informational;
use crate::settings::proxy::{Credentials, Proxy};

/// Asks an HTTP proxy for a tunnel to `authority`, which is `host:port`. Reads not a byte beyond
/// the response.
pub(crate) fn connect(
    stream: &mut (impl Read + Write),
    authority: &str,
    proxy: &Proxy,
) -> io::Result<()> {
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some(value) = proxy.authorization() {
        request += &format!("Proxy-Authorization: {value}\r\n");
    }
    request += "\r\n";
    stream.write_all(request.as_bytes())?;
    let mut head = read_head(stream)?;
    while is_informational(&head) {
        head = read_head(stream)?;
    }
    // `HTTP/1.1 200 Connection established`
    let mut words = head.split(u8::is_ascii_whitespace);
    let is_http = words.next().is_some_and(|word| word.starts_with(b"HTTP/1."));
    let status = words.next().and_then(|word| str::from_utf8(word).ok());
    match status.filter(|_| is_http).and_then(|word| word.parse().ok()) {
        Some(200..=299) => Ok(()),
        Some(407) => Err(io::Error::other(credentials_error(proxy))),
        Some(status) => Err(refused(&format!("CONNECT was refused (HTTP {status})"))),
        None => Err(refused("it does not speak HTTP")),
    }
}

/// Reads the head of one response, including the empty line that ends it.
fn read_head(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") {
        if head.len() == MAX_HEAD {
            let reason = format!("its response head is larger than {} KiB", MAX_HEAD >> 10);
            return Err(refused(&reason));
        }
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(head)
}

/// The error for status 407 and for SOCKS that requires credentials.
pub(crate) fn credentials_error(proxy: &Proxy) -> ConnectError {
    let reason = match proxy.credentials {
        Some(_) => "it rejected the user name and password",
        None => "it requires a user name and password",
    };
    ConnectError::new(ConnectErrorKind::ProxyCredentials, reason)
}

/// Whether the proxy could not reach this address, so that another one may work.
pub(crate) fn is_unreachable_target(error: &io::Error) -> bool {
    error.kind() == ErrorKind::HostUnreachable
}

/// Asks a SOCKS proxy for a connection to an address, or to a host name that the proxy looks up.
pub(crate) fn socks5(
    stream: &mut (impl Read + Write),
    target: Result<SocketAddr, (&str, u16)>,
    proxy: &Proxy,
) -> io::Result<()> {
    authenticate(stream, proxy)?;
    stream.write_all(&request(target)?)?;
    let [version, reply, _, kind] = read::<4>(stream)?;
    if version != 5 {
        return Err(refused("it does not speak SOCKS 5"));
    }
    check_reply(reply)?;
    // The address that the proxy connects from is not needed.
    let length = match kind {
        1 => 4,
        4 => 16,
        _ => usize::from(read::<1>(stream)?[0]),
    };
    stream.read_exact(&mut [0; 255 + 2][..length + 2])
}

/// Agrees on a method of authentication, and sends the credentials if the proxy wants them.
fn authenticate(stream: &mut (impl Read + Write), proxy: &Proxy) -> io::Result<()> {
    // The methods: 0 without authentication, 2 with user name and password.
    let offer: &[u8] = match proxy.credentials {
        None => &[5, 1, 0],
        Some(_) => &[5, 2, 0, 2],
    };
    stream.write_all(offer)?;
    match (read::<2>(stream)?, &proxy.credentials) {
        ([5, 0], _) => Ok(()),
        ([5, 2], Some(credentials)) => {
            stream.write_all(&authentication(credentials))?;
            if read::<2>(stream)?[1] == 0 {
                Ok(())
            } else {
                Err(io::Error::other(credentials_error(proxy)))
            }
        }
        ([5, _], _) => Err(io::Error::other(credentials_error(proxy))),
        _ => Err(refused("it does not speak SOCKS 5")),
    }
}

/// Turns a reply of RFC 1928, section 6, into the error that it stands for.
fn check_reply(reply: u8) -> io::Result<()> {
    let reason = match reply {
        0 => return Ok(()),
        1 => "general SOCKS server failure",
        2 => return Err(refused("connection not allowed by its rules")),
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "the server refused the connection",
        6 => "TTL expired",
        8 => "address type not supported",
        other => return Err(refused(&format!("SOCKS reply {other}"))),
    };
    Err(io::Error::new(ErrorKind::HostUnreachable, ConnectError::other(reason)))
}

fn authentication(credentials: &Credentials) -> Vec<u8> {
    let mut message = vec![1];
    for text in [&credentials.user, &credentials.password] {
        // `Proxy::new` refuses longer ones.
        message.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        message.extend_from_slice(text.as_bytes());
    }
    message
}

fn request(target: Result<SocketAddr, (&str, u16)>) -> io::Result<Vec<u8>> {
    let mut message = vec![5, 1, 0];
    let port = match target {
        Ok(address) => {
            match address.ip() {
                IpAddr::V4(ip) => {
                    message.push(1);
                    message.extend_from_slice(&ip.octets());
                }
                IpAddr::V6(ip) => {
                    message.push(4);
                    message.extend_from_slice(&ip.octets());
                }
            }
            address.port()
        }
        Err((host, port)) => {
            let length = u8::try_from(host.len())
                .map_err(|_| refused("the host name is longer than 255 bytes"))?;
            message.extend_from_slice(&[3, length]);
            message.extend_from_slice(host.as_bytes());
            port
        }
    };
    message.extend_from_slice(&port.to_be_bytes());
    Ok(message)
}

fn read<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn refused(reason: &str) -> io::Error {
    io::Error::other(ConnectError::other(reason))
}

/// The form of requests for an `http` URL through an HTTP proxy: the request line holds the whole
/// URL, and the head holds the credentials for the proxy. Debug output hides those.
pub(crate) struct AbsoluteForm {
    /// `http://host:port`
    origin: String,
    authorization: Option<String>,
}

impl AbsoluteForm {
    /// `authority`: the server's `host:port`, or its host alone.
    pub(crate) fn new(authority: &str, proxy: &Proxy) -> Self {
        Self { origin: format!("http://{authority}"), authorization: proxy.authorization() }
    }

    /// Rewrites a request head.
    pub(crate) fn rewrite(&self, head: &[u8]) -> Vec<u8> {
        let end_of = |part: &[u8]| {
            let found = head.windows(part.len()).position(|window| window == part);
            found.map_or(head.len(), |at| at + part.len())
        };
        let (method, line) = (end_of(b" "), end_of(b"\r\n"));
        let authorization = self.authorization.iter();
        let authorization: String =
            authorization.map(|value| format!("Proxy-Authorization: {value}\r\n")).collect();
        [
            &head[..method],
            self.origin.as_bytes(),
            &head[method..line],
            authorization.as_bytes(),
            &head[line..],
        ]
        .concat()
    }
}

impl fmt::Debug for AbsoluteForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AbsoluteForm({})", self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// Prepared replies, and the bytes that were sent.
    struct Script {
        replies: Cursor<Vec<u8>>,
        sent: Vec<u8>,
    }

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.replies.read(buffer)
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.sent.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn script(replies: &[u8]) -> Script {
        Script { replies: Cursor::new(replies.to_vec()), sent: Vec::new() }
    }

    const CLOSED: &str = "failed to fill whole buffer";

    #[test]
    fn connect_understands_every_response_and_reads_no_further() {
        let (open, closed) = (Proxy::new("h").unwrap(), Proxy::new("u:p@h").unwrap());
        for (proxy, reply, outcome) in [
            (&open, "HTTP/1.1 200 Connection established\r\nA: b\r\n\r\n", Ok(())),
            (&open, "HTTP/1.0 204\r\n\r\n", Ok(())),
            (&open, "HTTP/1.1 200 OK\nA: b\n\n", Ok(())),
            (&open, "HTTP/1.1 103 Wait\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Ok(())),
            (&open, "HTTP/1.1 403 No\r\n\r\n", Err("CONNECT was refused (HTTP 403)")),
            (&open, "HTTP/1.1 407 Auth\r\n\r\n", Err("it requires a user name and password")),
            (&closed, "HTTP/1.1 407 Auth\r\n\r\n", Err("it rejected the user name and password")),
            (&open, "SSH-2.0 200\r\n\r\n", Err("it does not speak HTTP")),
            (&open, "HTTP/1.1 200 OK\r\nA: b\r\n", Err(CLOSED)),
            (&open, "", Err(CLOSED)),
        ] {
            let mut script = script(format!("{reply}rest").as_bytes());
            if outcome == Err(CLOSED) {
                script.replies.get_mut().truncate(reply.len());
            }
            let done = connect(&mut script, "a.example:443", proxy);
            assert_eq!(done.map_err(|error| error.to_string()), outcome.map_err(str::to_owned));
            let read = script.replies.position();
            assert_eq!(read, reply.len() as u64, "{reply}");
        }
        let mut script = script(b"HTTP/1.1 200 OK\r\n\r\n");
        connect(&mut script, "[::1]:443", &closed).unwrap();
        assert_eq!(
            String::from_utf8(script.sent).unwrap(),
            "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\
             Proxy-Authorization: Basic dTpw\r\n\r\n"
        );
    }

    #[test]
    fn an_endless_response_to_connect_is_not_read_without_limit() {
        let start = b"HTTP/1.1 200 OK\r\n";
        let mut script = script(&[&start[..], &vec![b'x'; 2 * MAX_HEAD]].concat());
        let error = connect(&mut script, "h:1", &Proxy::new("h").unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "its response head is larger than 64 KiB");
    }

    #[test]
    fn socks_asks_for_addresses_and_names() {
        let v4: SocketAddr = "10.0.0.1:80".parse().unwrap();
        let v6: SocketAddr = "[::1]:80".parse().unwrap();
        let (open, closed) = ("socks5h://h", "socks5h://us:pwd@h");
        for (proxy, target, replies, sent) in [
            (
                open,
                Ok(v4),
                &b"\x05\0\x05\0\0\x01\0\0\0\0\0\0"[..],
                &b"\x05\x01\0\x05\x01\0\x01\x0a\0\0\x01\0\x50"[..],
            ),
            (
                open,
                Err(("a.example", 443)),
                b"\x05\0\x05\0\0\x03\x02hi\0\0",
                b"\x05\x01\0\x05\x01\0\x03\x09a.example\x01\xbb",
            ),
            (
                closed,
                Ok(v6),
                b"\x05\x02\x01\0\x05\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                b"\x05\x02\0\x02\x01\x02us\x03pwd\
                  \x05\x01\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x50",
            ),
        ] {
            let mut script = script(replies);
            socks5(&mut script, target, &Proxy::new(proxy).unwrap()).unwrap();
            assert_eq!(script.sent, sent);
            assert_eq!(script.replies.position(), replies.len() as u64);
            for cut in 0..replies.len() {
                let mut script = self::script(&replies[..cut]);
                let error = socks5(&mut script, target, &Proxy::new(proxy).unwrap()).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{cut}");
            }
        }
    }

    #[test]
    fn a_socks_refusal_has_a_reason() {
        let (open, closed) = ("socks5://h", "socks5://u:p@h");
        for (proxy, replies, reason, is_unreachable) in [
            (open, &b"\x05\xff"[..], "it requires a user name and password", false),
            (open, b"\x05\x02", "it requires a user name and password", false),
            (closed, b"\x05\x02\x01\x01", "it rejected the user name and password", false),
            (open, b"HTTP/1.1", "it does not speak SOCKS 5", false),
            (open, b"\x05\0\x05\x02\0\x01", "connection not allowed by its rules", false),
            (open, b"\x05\0\x05\x05\0\x01", "the server refused the connection", true),
            (open, b"\x05\0\x05\x04\0\x01", "host unreachable", true),
            (open, b"\x05\0\x05\x77\0\x01", "SOCKS reply 119", false),
        ] {
            let target = Err(("a.example", 1));
            let error =
                socks5(&mut script(replies), target, &Proxy::new(proxy).unwrap()).unwrap_err();
            assert_eq!(error.to_string(), reason);
            assert_eq!(is_unreachable_target(&error), is_unreachable, "{reason}");
        }
        let long = "x".repeat(256);
        let error = request(Err((&long, 1))).unwrap_err();
        assert_eq!(error.to_string(), "the host name is longer than 255 bytes");
    }

    #[test]
    fn a_request_in_absolute_form_names_the_server() {
        let head = b"POST /v1/videos HTTP/1.1\r\nhost: a.example:8080\r\n\r\n{}";
        let form = |proxy| AbsoluteForm::new("a.example:8080", &Proxy::new(proxy).unwrap());
        let rewritten = |proxy| String::from_utf8(form(proxy).rewrite(head)).unwrap();
        assert_eq!(
            rewritten("h"),
            "POST http://a.example:8080/v1/videos HTTP/1.1\r\nhost: a.example:8080\r\n\r\n{}"
        );
        assert_eq!(
            rewritten("u:p@h"),
            "POST http://a.example:8080/v1/videos HTTP/1.1\r\nProxy-Authorization: Basic dTpw\r\n\
             host: a.example:8080\r\n\r\n{}"
        );
        assert_eq!(format!("{:?}", form("u:p@h")), "AbsoluteForm(http://a.example:8080)");
    }
}
