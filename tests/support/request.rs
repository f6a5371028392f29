//! A request as it came over the wire, and how it is read.

use std::fmt;
use std::io;

use super::multipart::{self, Part};
use super::wire::{Seen, Wire};

/// How much of a body is kept. Of a larger one only the length is known.
pub const KEPT: usize = 1 << 20;

#[derive(Clone, Debug, Default)]
pub struct Request {
    /// 0 for the first connection that was opened, 1 for the next.
    pub connection: usize,
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// In the order and the case they came in.
    pub headers: Vec<(String, String)>,
    /// The body without its transfer encoding, at most the first [`KEPT`] bytes of it.
    pub body: Vec<u8>,
    /// How many bytes of the body arrived.
    pub body_len: u64,
    /// Whether the body came with `Transfer-Encoding: chunked`.
    pub chunked: bool,
    /// Whether the body arrived to its end.
    pub whole: bool,
    /// Whether `100 Continue` was sent.
    pub continued: bool,
    /// What the server did about it, in words.
    pub answer: String,
}

impl Request {
    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers_named(name).first().copied()
    }

    pub fn headers_named(&self, name: &str) -> Vec<&str> {
        let same = |header: &&(String, String)| header.0.eq_ignore_ascii_case(name);
        let values = self.headers.iter().filter(same);
        values.map(|(_, value)| value.as_str()).collect()
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The value of a query parameter as sent, not decoded.
    pub fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The body as text. Panics where it is not UTF-8.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_else(|error| panic!("body: {error}\n{self}"))
    }

    /// The body as JSON. Panics where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("body: {error}\n{self}"))
    }

    /// The parts of a form. Panics where the body is no well-formed `multipart/form-data`. Of a body longer
    /// than [`KEPT`] the last part is what was kept of it.
    pub fn parts(&self) -> Vec<Part> {
        self.form()
            .unwrap_or_else(|error| panic!("form: {error}\n{self}"))
    }

    /// The part of this name. Panics where there is not exactly one.
    pub fn part(&self, name: &str) -> Part {
        let mut parts = self.parts();
        parts.retain(|part| part.name == name);
        assert!(parts.len() == 1, "{} parts {name:?}\n{self}", parts.len());
        parts.remove(0)
    }

    pub(super) fn form(&self) -> Result<Vec<Part>, String> {
        let cut = self.body_len > self.body.len() as u64;
        multipart::parse(
            self.header("content-type").unwrap_or_default(),
            &self.body,
            cut,
        )
    }

    pub(super) fn wants_continue(&self) -> bool {
        self.header("expect")
            .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = KEPT - self.body.len();
        self.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.body_len += bytes.len() as u64;
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 2048;
        writeln!(
            f,
            "connection {}: {} {}",
            self.connection, self.method, self.target
        )?;
        for (name, value) in &self.headers {
            writeln!(f, "    {name}: {value}")?;
        }
        if self.body_len > 0 || !self.whole {
            let whole = if self.whole { "" } else { ", not to its end" };
            writeln!(f, "    ({} bytes of body{whole})", self.body_len)?;
            let shown = &self.body[..self.body.len().min(SHOWN)];
            writeln!(
                f,
                "    {}",
                String::from_utf8_lossy(shown).replace('\n', "\n    ")
            )?;
        }
        write!(f, "    answer: {}", self.answer)
    }
}

/// A request that is being read: first its head, then as much of the body as the reply wants.
pub struct Incoming {
    pub request: Request,
    head_unread: usize,
    framing: Framing,
}

enum Framing {
    Length(u64),
    Chunked { left: u64, ended: bool },
}

impl Incoming {
    /// The head of the next request, `None` where the peer closed between two requests.
    pub fn head(wire: &mut Wire, connection: usize) -> Result<Option<Incoming>, String> {
        let seen = wire
            .look_for(b"\r\n\r\n")
            .map_err(|error| error.to_string())?;
        if seen.bytes.is_empty() {
            return Ok(None);
        }
        Incoming::parse(&seen, connection).map(Some)
    }

    fn parse(seen: &Seen, connection: usize) -> Result<Incoming, String> {
        let text = String::from_utf8_lossy(&seen.bytes);
        let broken = |why: &str| format!("connection {connection}: {why}: {text:?}");
        let head = text
            .strip_suffix("\r\n\r\n")
            .ok_or_else(|| broken("the head is cut"))?;
        let (first, rest) = head.split_once("\r\n").unwrap_or((head, ""));
        let mut words = first.split(' ');
        let (method, target) = match (words.next(), words.next(), words.next(), words.next()) {
            (Some(method), Some(target), Some("HTTP/1.1"), None) => (method, target),
            _ => return Err(broken("no HTTP/1.1 request line")),
        };
        let mut headers = Vec::new();
        for line in rest.lines() {
            let (name, value) = line.split_once(':').ok_or_else(|| broken("no header"))?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut request = Request {
            connection,
            method: method.to_owned(),
            target: target.to_owned(),
            headers,
            ..Request::default()
        };
        request.chunked = request
            .header("transfer-encoding")
            .is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        let framing = match request.header("content-length") {
            _ if request.chunked => Framing::Chunked {
                left: 0,
                ended: false,
            },
            Some(length) => Framing::Length(length.parse().map_err(|_| broken("Content-Length"))?),
            None => Framing::Length(0),
        };
        request.whole = matches!(framing, Framing::Length(0));
        Ok(Incoming {
            request,
            head_unread: seen.unread,
            framing,
        })
    }

    pub fn take_head(&mut self, wire: &mut Wire) -> io::Result<()> {
        wire.skip(std::mem::take(&mut self.head_unread))
    }

    /// Sends `100 Continue` where the request asks for it.
    pub fn let_continue(&mut self, wire: &mut Wire) -> io::Result<()> {
        if self.request.wants_continue() {
            wire.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            self.request.continued = true;
        }
        Ok(())
    }

    /// Reads the body to its end, or until `at_most` bytes of it have come in all.
    pub fn read_body(&mut self, wire: &mut Wire, at_most: u64) -> io::Result<()> {
        self.take_head(wire)?;
        let mut buffer = vec![0; 128 * 1024];
        while !self.request.whole && self.request.body_len < at_most {
            let room = (at_most - self.request.body_len).min(buffer.len() as u64) as usize;
            let count = self.read_some(wire, &mut buffer[..room])?;
            self.request.keep(&buffer[..count]);
            if count == 0 {
                break;
            }
            if let Framing::Length(0) = self.framing {
                self.request.whole = true;
            }
        }
        if matches!(self.framing, Framing::Chunked { ended: true, .. }) && !self.request.whole {
            self.request.whole = skip_trailers(wire)?;
        }
        Ok(())
    }

    /// Reads everything but the very last byte of the request, which stays unread in the socket.
    pub fn read_all_but_the_end(&mut self, wire: &mut Wire) -> io::Result<()> {
        match self.framing {
            Framing::Length(0) => return wire.skip(self.head_unread.saturating_sub(1)),
            Framing::Length(length) => self.read_body(wire, length - 1)?,
            Framing::Chunked { .. } => {
                self.take_head(wire)?;
                let mut buffer = vec![0; 128 * 1024];
                while let count @ 1.. = self.read_some(wire, &mut buffer)? {
                    self.request.keep(&buffer[..count]);
                }
            }
        }
        wire.wait_for_a_byte()
    }

    fn read_some(&mut self, wire: &mut Wire, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.framing {
            Framing::Length(left) => {
                let room = (*left).min(into.len() as u64) as usize;
                let count = wire.read(&mut into[..room])?;
                *left -= count as u64;
                Ok(count)
            }
            Framing::Chunked { ended: true, .. } => Ok(0),
            Framing::Chunked { left, ended } => {
                if *left == 0 {
                    *left = chunk_size(wire)?;
                    *ended = *left == 0;
                }
                let room = (*left).min(into.len() as u64) as usize;
                let count = if room == 0 {
                    0
                } else {
                    wire.read(&mut into[..room])?
                };
                *left -= count as u64;
                if *left == 0 && count > 0 {
                    line(wire)?;
                }
                Ok(count)
            }
        }
    }
}

/// Whether the blank line after the last chunk came.
fn skip_trailers(wire: &mut Wire) -> io::Result<bool> {
    loop {
        match line(wire)?.as_str() {
            "" => return Ok(false),
            "\r\n" => return Ok(true),
            _ => {}
        }
    }
}

/// A line with its end, or nothing where the peer is gone.
fn line(wire: &mut Wire) -> io::Result<String> {
    let seen = wire.look_for(b"\r\n")?;
    wire.skip(seen.unread)?;
    let text = String::from_utf8_lossy(&seen.bytes).into_owned();
    Ok(if text.ends_with("\r\n") {
        text
    } else {
        String::new()
    })
}

fn chunk_size(wire: &mut Wire) -> io::Result<u64> {
    let text = line(wire)?;
    let digits = text.split(';').next().unwrap_or_default().trim();
    u64::from_str_radix(digits, 16).map_err(|_| io::ErrorKind::UnexpectedEof.into())
}
