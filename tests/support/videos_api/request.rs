//! An HTTP request that the server received.

use std::fmt;

use super::multipart::{self, Part};

/// The number of bytes that are kept of a body. Of the rest of a longer one, only the length is
/// known.
pub const KEPT: usize = 1 << 20;

#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The number of its connection: 0 for the first one, 1 for the next.
    pub connection: usize,
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// In their order, with the names in the case they were sent in.
    pub headers: Vec<(String, String)>,
    /// The body without its transfer encoding, at most the first [`KEPT`] bytes of it.
    pub body: Vec<u8>,
    /// The number of bytes of the body that arrived.
    pub body_len: u64,
    /// Whether the body was sent with `Transfer-Encoding: chunked`.
    pub chunked: bool,
    /// Whether the whole body arrived.
    pub whole: bool,
    /// Whether `100 Continue` was sent.
    pub continued: bool,
}

impl Request {
    /// The value of the first header with this name, in any case.
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

    /// The value of a query parameter, as sent: it is not percent-decoded.
    pub fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The parts of a `multipart/form-data` body. The last part of a body longer than [`KEPT`] is
    /// cut off there.
    pub fn form(&self) -> Result<Vec<Part>, String> {
        let cut = self.body_len > self.body.len() as u64;
        multipart::parse(self.header("content-type").unwrap_or_default(), &self.body, cut)
    }

    /// Whether the client waits for `100 Continue` before it sends the body.
    pub fn expects_continue(&self) -> bool {
        self.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    }

    /// Adds bytes to the body.
    pub fn add(&mut self, bytes: &[u8]) {
        let room = KEPT - self.body.len();
        self.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.body_len += bytes.len() as u64;
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 2048;
        writeln!(f, "connection {}: {} {}", self.connection, self.method, self.target)?;
        for (name, value) in &self.headers {
            writeln!(f, "    {name}: {value}")?;
        }
        if self.continued {
            writeln!(f, "    (100 Continue was sent)")?;
        }
        if self.body_len > 0 || !self.whole {
            let whole = if self.whole { "" } else { ", incomplete" };
            writeln!(f, "    ({} bytes of body{whole})", self.body_len)?;
            let shown = &self.body[..self.body.len().min(SHOWN)];
            writeln!(f, "    {}", String::from_utf8_lossy(shown).replace('\n', "\n    "))?;
        }
        Ok(())
    }
}
