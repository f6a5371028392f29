//! Reads a request from a connection: first its head, then all of its body or a part.

use std::io;

use super::connection::{Connection, Peeked};
use super::request::Request;

pub struct RequestReader {
    /// The bytes that were read so far.
    pub request: Request,
    /// How many bytes of the head are still in the socket.
    pub head_unread: usize,
    pub framing: Framing,
}

/// How the body is delimited, with the number of bytes left of it or of its current chunk.
pub enum Framing {
    Length(u64),
    Chunked { left: u64, ended: bool },
}

impl RequestReader {
    /// Reads the head of the next request on the connection with this number. `None`: the client
    /// closed it.
    pub fn head(
        connection: &mut Connection,
        number: usize,
    ) -> Result<Option<RequestReader>, String> {
        let head = connection.peek_to(b"\r\n\r\n").map_err(|error| error.to_string())?;
        if head.bytes.is_empty() {
            return Ok(None);
        }
        RequestReader::parse(&head, number).map(Some)
    }

    fn parse(peeked: &Peeked, number: usize) -> Result<RequestReader, String> {
        let text = String::from_utf8_lossy(&peeked.bytes);
        let broken = |reason: &str| format!("connection {number}: {reason}: {text:?}");
        let head =
            text.strip_suffix("\r\n\r\n").ok_or_else(|| broken("incomplete request head"))?;
        let (first, rest) = head.split_once("\r\n").unwrap_or((head, ""));
        let mut words = first.split(' ');
        let (method, target) = match (words.next(), words.next(), words.next(), words.next()) {
            (Some(method), Some(target), Some("HTTP/1.1"), None) => (method, target),
            _ => return Err(broken("invalid HTTP/1.1 request line")),
        };
        let mut headers = Vec::new();
        for line in rest.lines() {
            let (name, value) =
                line.split_once(':').ok_or_else(|| broken("invalid header line"))?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut request = Request {
            connection: number,
            method: method.to_owned(),
            target: target.to_owned(),
            headers,
            ..Request::default()
        };
        request.chunked = request
            .header("transfer-encoding")
            .is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        let framing = match request.header("content-length") {
            _ if request.chunked => Framing::Chunked { left: 0, ended: false },
            Some(length) => {
                Framing::Length(length.parse().map_err(|_| broken("invalid Content-Length"))?)
            }
            None => Framing::Length(0),
        };
        request.whole = matches!(framing, Framing::Length(0));
        Ok(RequestReader { request, head_unread: peeked.unread, framing })
    }

    /// Reads the whole request. `false`: the client closed the connection before its end.
    pub fn read_whole(&mut self, connection: &mut Connection) -> io::Result<bool> {
        self.send_continue(connection)?;
        self.read_body(connection, u64::MAX)?;
        Ok(self.request.whole)
    }

    /// Sends `100 Continue` if the client waits for it.
    pub fn send_continue(&mut self, connection: &mut Connection) -> io::Result<()> {
        if self.request.expects_continue() {
            connection.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            self.request.continued = true;
        }
        Ok(())
    }

    pub fn skip_head(&mut self, connection: &mut Connection) -> io::Result<()> {
        connection.skip(std::mem::take(&mut self.head_unread))
    }

    /// Reads the body to its end, or until `limit` bytes of it were read in all.
    pub fn read_body(&mut self, connection: &mut Connection, limit: u64) -> io::Result<()> {
        self.skip_head(connection)?;
        let mut buffer = vec![0; 128 * 1024];
        while !self.request.whole && self.request.body_len < limit {
            let room = (limit - self.request.body_len).min(buffer.len() as u64) as usize;
            let count = self.read_some(connection, &mut buffer[..room])?;
            self.request.add(&buffer[..count]);
            if count == 0 {
                break;
            }
            if let Framing::Length(0) = self.framing {
                self.request.whole = true;
            }
        }
        if matches!(self.framing, Framing::Chunked { ended: true, .. }) && !self.request.whole {
            self.request.whole = skip_trailers(connection)?;
        }
        Ok(())
    }

    /// Reads some bytes of the body. 0: it is complete, or the client closed the connection.
    pub fn read_some(&mut self, connection: &mut Connection, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.framing {
            Framing::Length(left) => {
                let room = (*left).min(into.len() as u64) as usize;
                let count = connection.read(&mut into[..room])?;
                *left -= count as u64;
                Ok(count)
            }
            Framing::Chunked { ended: true, .. } => Ok(0),
            Framing::Chunked { left, ended } => {
                if *left == 0 {
                    *left = chunk_size(connection)?;
                    *ended = *left == 0;
                }
                let room = (*left).min(into.len() as u64) as usize;
                let count = if room == 0 { 0 } else { connection.read(&mut into[..room])? };
                *left -= count as u64;
                if *left == 0 && count > 0 {
                    line(connection)?;
                }
                Ok(count)
            }
        }
    }
}

/// Reads the trailers of a chunked body. `false`: the client closed the connection before their
/// end.
fn skip_trailers(connection: &mut Connection) -> io::Result<bool> {
    loop {
        match line(connection)?.as_str() {
            "" => return Ok(false),
            "\r\n" => return Ok(true),
            _ => {}
        }
    }
}

/// Reads a line with its line end. Empty: the client closed the connection.
fn line(connection: &mut Connection) -> io::Result<String> {
    let peeked = connection.peek_to(b"\r\n")?;
    connection.skip(peeked.unread)?;
    let text = String::from_utf8_lossy(&peeked.bytes).into_owned();
    Ok(if text.ends_with("\r\n") { text } else { String::new() })
}

fn chunk_size(connection: &mut Connection) -> io::Result<u64> {
    let text = line(connection)?;
    let digits = text.split(';').next().unwrap_or_default().trim();
    u64::from_str_radix(digits, 16).map_err(|_| io::ErrorKind::UnexpectedEof.into())
}
