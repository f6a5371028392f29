//! One scripted reply: a well-behaved answer, or one of the ways in which servers and networks break a
//! conversation.

use std::fmt;
use std::io;
use std::time::Duration;

use super::request::Incoming;
use super::wire::Wire;

/// Where the answers without end do end, should nothing stop them: far above any limit of a client.
const ENDLESS: u64 = 256 << 20;

#[derive(Clone, Debug)]
#[must_use]
pub struct Reply {
    listen: Listen,
    answer: Answer,
    delay: Duration,
    /// Sent before the request's body is read.
    informational: String,
}

/// How much of the request is read before the answer.
#[derive(Clone, Copy, Debug)]
enum Listen {
    Whole,
    /// No `100 Continue`, although the client asks for it.
    WholeUnasked,
    /// The head only, and no `100 Continue`.
    Head,
    /// This many bytes of the body.
    Body(u64),
    /// This many bytes of the body, and the rest when the server is told to resume.
    Pause(u64),
    /// Everything but the last byte, which makes the close that follows a reset.
    AllButTheEnd,
}

#[derive(Clone, Debug)]
enum Answer {
    Http(Box<Http>),
    Raw(Vec<u8>),
    Nothing,
    Silence,
    EndlessJson,
    EndlessHead,
}

#[derive(Clone, Debug)]
struct Http {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    framing: Framing,
    /// How much of the body is sent, and what happens then.
    sent: Option<(usize, Then)>,
    drip: Option<(usize, Duration)>,
    close: bool,
}

#[derive(Clone, Copy, Debug)]
enum Framing {
    Length,
    Chunked(usize),
    UntilClose,
}

#[derive(Clone, Copy, Debug)]
enum Then {
    Close,
    Stall,
}

/// What becomes of the connection after a reply.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum After {
    KeepAlive,
    Close,
}

impl Reply {
    /// An answer with no body yet, on a connection that stays open.
    pub fn status(status: u16) -> Reply {
        Reply::from(Answer::Http(Box::new(Http {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            framing: Framing::Length,
            sent: None,
            drip: None,
            close: false,
        })))
    }

    pub fn json(status: u16, body: &str) -> Reply {
        Reply::status(status)
            .header("Content-Type", "application/json")
            .body(body)
    }

    pub fn redirect(status: u16, location: &str) -> Reply {
        Reply::status(status).header("Location", location)
    }

    /// Any bytes instead of an answer, then the connection is closed.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Reply {
        Reply::from(Answer::Raw(bytes.into()))
    }

    /// The connection is closed without a byte once the whole request was read.
    pub fn empty() -> Reply {
        Reply::from(Answer::Nothing)
    }

    /// The connection is reset once the whole request is there.
    pub fn reset() -> Reply {
        Reply::from(Answer::Nothing).listen(Listen::AllButTheEnd)
    }

    /// The connection is closed after this many bytes of the request's body.
    pub fn hang_up_after(bytes: u64) -> Reply {
        Reply::from(Answer::Nothing).listen(Listen::Body(bytes))
    }

    /// The whole request is read and never answered.
    pub fn silence() -> Reply {
        Reply::from(Answer::Silence)
    }

    /// Nothing is read after this many bytes of the request's body, and nothing is answered.
    pub fn stall_reading(bytes: u64) -> Reply {
        Reply::from(Answer::Silence).listen(Listen::Body(bytes))
    }

    /// A JSON object that does not end.
    pub fn endless_json() -> Reply {
        Reply::from(Answer::EndlessJson)
    }

    /// Header lines that do not end.
    pub fn endless_head() -> Reply {
        Reply::from(Answer::EndlessHead)
    }

    pub fn header(self, name: &str, value: &str) -> Reply {
        self.http(|http| http.headers.push((name.to_owned(), value.to_owned())))
    }

    pub fn body(self, bytes: impl Into<Vec<u8>>) -> Reply {
        let bytes = bytes.into();
        self.http(|http| http.body = bytes)
    }

    /// Sends the body in chunks of this many bytes.
    pub fn chunked(self, size: usize) -> Reply {
        self.http(|http| http.framing = Framing::Chunked(size.max(1)))
    }

    /// Sends the body without a length: it ends with the connection.
    pub fn until_close(self) -> Reply {
        self.http(|http| {
            http.framing = Framing::UntilClose;
            http.close = true;
        })
    }

    /// Closes the connection after this many bytes of the body, the head promising all of it.
    pub fn truncated(self, sent: usize) -> Reply {
        self.http(|http| http.sent = Some((sent, Then::Close)))
    }

    /// Falls silent after the head and this many bytes of the body.
    pub fn stall(self, sent: usize) -> Reply {
        self.http(|http| http.sent = Some((sent, Then::Stall)))
    }

    /// Sends the body in pieces of `size` bytes with a pause before each.
    pub fn drip(self, size: usize, pause: Duration) -> Reply {
        self.http(|http| http.drip = Some((size.max(1), pause)))
    }

    /// Says `Connection: close` and does so.
    pub fn close(self) -> Reply {
        self.http(|http| http.close = true)
    }

    /// Waits before the answer.
    pub fn delay(mut self, delay: Duration) -> Reply {
        self.delay = delay;
        self
    }

    /// Answers on the head alone, with no `100 Continue`. What the client sends all the same is counted in
    /// the recorded request, and the connection is closed when it stops.
    pub fn early(self) -> Reply {
        self.close().listen(Listen::Head)
    }

    /// Sends `100 Continue` where asked, reads this many bytes of the body, then answers and closes.
    pub fn early_after(self, bytes: u64) -> Reply {
        self.close().listen(Listen::Body(bytes))
    }

    /// Stops reading after this many bytes of the body until `Server::resume`, then reads on and answers.
    pub fn pause_after(self, bytes: u64) -> Reply {
        self.listen(Listen::Pause(bytes))
    }

    /// Sends these informational answers first, and no `100 Continue` of its own.
    pub fn informational(mut self, heads: &str) -> Reply {
        self.informational = heads.to_owned();
        self.listen(Listen::WholeUnasked)
    }

    /// Never sends `100 Continue`, and waits for the body as if it had.
    pub fn ignore_expect(self) -> Reply {
        self.listen(Listen::WholeUnasked)
    }

    fn from(answer: Answer) -> Reply {
        Reply {
            listen: Listen::Whole,
            answer,
            delay: Duration::ZERO,
            informational: String::new(),
        }
    }

    fn listen(mut self, listen: Listen) -> Reply {
        self.listen = listen;
        self
    }

    fn http(mut self, change: impl FnOnce(&mut Http)) -> Reply {
        match &mut self.answer {
            Answer::Http(http) => change(http),
            other => panic!("{other:?} is no HTTP answer, so it has no status, header or body"),
        }
        self
    }

    /// Reads what this reply wants of the request. `false`: the client was gone before it was there.
    pub(super) fn read(&self, incoming: &mut Incoming, wire: &mut Wire) -> io::Result<bool> {
        wire.write_all(self.informational.as_bytes())?;
        match self.listen {
            Listen::Head => incoming.take_head(wire).map(|()| true),
            Listen::AllButTheEnd => {
                incoming.let_continue(wire)?;
                incoming.read_all_but_the_end(wire).map(|()| true)
            }
            Listen::WholeUnasked => {
                incoming.read_body(wire, u64::MAX)?;
                Ok(incoming.request.whole)
            }
            Listen::Whole => {
                incoming.let_continue(wire)?;
                incoming.read_body(wire, u64::MAX)?;
                Ok(incoming.request.whole)
            }
            Listen::Body(bytes) | Listen::Pause(bytes) => {
                incoming.let_continue(wire)?;
                incoming.read_body(wire, bytes)?;
                Ok(incoming.request.whole || incoming.request.body_len >= bytes)
            }
        }
    }

    /// Answers. An error means that the client was gone, or the server was released.
    pub(super) fn send(&self, incoming: &mut Incoming, wire: &mut Wire) -> io::Result<After> {
        if !self.delay.is_zero() {
            wire.pause(self.delay);
        }
        if let Listen::Pause(_) = self.listen {
            wire.wait_for_resume();
            incoming.read_body(wire, u64::MAX)?;
            if !incoming.request.whole {
                return Ok(After::Close);
            }
        }
        let after = match &self.answer {
            Answer::Http(http) => http.send(wire)?,
            Answer::Raw(bytes) => wire.write_all(bytes).map(|()| After::Close)?,
            Answer::Nothing => After::Close,
            Answer::Silence => {
                wire.wait_for_release();
                After::Close
            }
            Answer::EndlessJson => endless_json(wire)?,
            Answer::EndlessHead => endless_head(wire)?,
        };
        if let Listen::Head = self.listen {
            // Closing at once would reset the connection and could destroy the answer on its way.
            wire.close_sending_side();
            incoming.read_body(wire, u64::MAX)?;
        }
        Ok(after)
    }
}

impl Http {
    fn send(&self, wire: &mut Wire) -> io::Result<After> {
        let pieces = self.pieces();
        let kept = match self.sent {
            Some((sent, _)) => sent.min(self.body.len()),
            None => usize::MAX,
        };
        let mut out = self.head().into_bytes();
        let mut sent = 0;
        for piece in &pieces {
            let rest = kept.saturating_sub(sent).min(piece.len());
            if let Framing::Chunked(_) = self.framing {
                out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            }
            if let Some((_, pause)) = self.drip {
                wire.write_all(&std::mem::take(&mut out))?;
                wire.pause(pause);
            }
            out.extend_from_slice(&piece[..rest]);
            sent += rest;
            if sent == kept {
                break;
            }
            if let Framing::Chunked(_) = self.framing {
                out.extend_from_slice(b"\r\n");
            }
        }
        if let (Framing::Chunked(_), None) = (self.framing, self.sent) {
            out.extend_from_slice(b"0\r\n\r\n");
        }
        wire.write_all(&out)?;
        match self.sent {
            Some((_, Then::Stall)) => {
                wire.wait_for_release();
                Ok(After::Close)
            }
            Some((_, Then::Close)) => Ok(After::Close),
            None if self.close => Ok(After::Close),
            None => Ok(After::KeepAlive),
        }
    }

    /// The body as it is sent: chunk by chunk or, with a pause before each, piece by piece.
    fn pieces(&self) -> Vec<&[u8]> {
        let size = match (self.framing, self.drip) {
            (Framing::Chunked(size), _) | (_, Some((size, _))) => size,
            _ => self.body.len().max(1),
        };
        self.body.chunks(size).collect()
    }

    fn head(&self) -> String {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let named = |name: &str| {
            self.headers
                .iter()
                .any(|header| header.0.eq_ignore_ascii_case(name))
        };
        match self.framing {
            Framing::Chunked(_) => head += "Transfer-Encoding: chunked\r\n",
            Framing::Length if self.status != 204 && !named("content-length") => {
                head += &format!("Content-Length: {}\r\n", self.body.len());
            }
            _ => {}
        }
        if self.close {
            head += "Connection: close\r\n";
        }
        head + "\r\n"
    }
}

fn endless_json(wire: &mut Wire) -> io::Result<After> {
    wire.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
    )?;
    let opening = r#"{"id": "video_1", "status": "queued", "prompt": ""#;
    wire.write_all(format!("{:x}\r\n{opening}\r\n", opening.len()).as_bytes())?;
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    endless(wire, chunk.as_bytes())
}

fn endless_head(wire: &mut Wire) -> io::Result<After> {
    wire.write_all(b"HTTP/1.1 200 OK\r\n")?;
    // Long lines, so that the size of the head is what ends it and not the number of headers.
    let line = format!("X-Filler: {}\r\n", "x".repeat(8000));
    endless(wire, line.as_bytes())
}

fn endless(wire: &mut Wire, piece: &[u8]) -> io::Result<After> {
    for _ in 0..ENDLESS / piece.len() as u64 {
        wire.write_all(piece)?;
    }
    wire.wait_for_release();
    Ok(After::Close)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        425 => "Too Early",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.answer {
            Answer::Http(http) => write!(f, "{} {}", http.status, reason(http.status))?,
            Answer::Raw(bytes) => write!(f, "{:?}", String::from_utf8_lossy(bytes))?,
            Answer::Nothing => f.write_str("nothing, then closed")?,
            Answer::Silence => f.write_str("silence")?,
            Answer::EndlessJson => f.write_str("endless JSON")?,
            Answer::EndlessHead => f.write_str("an endless head")?,
        }
        write!(f, " (read: {:?})", self.listen)
    }
}
