//! A scripted reply to one request: a well-formed response, or one of the ways in which servers and
//! networks fail.

use std::fmt;
use std::time::Duration;

use super::videos_api::response::{Response, reason};

#[derive(Clone, Debug)]
#[must_use]
pub struct Reply {
    pub(super) read: Read,
    pub(super) action: Action,
    pub(super) delay: Duration,
    /// Informational responses (1xx), sent before the request's body is read.
    pub(super) informational: String,
}

/// How much of the request is read before the response is sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Read {
    Whole,
    /// All of it, without sending `100 Continue` to a client that expects it.
    WholeWithoutContinue,
    /// The head, without sending `100 Continue`.
    Head,
    /// This many bytes of the body.
    Body(u64),
    /// This many bytes of the body, and the rest after `Server::resume`.
    Pause(u64),
    /// Everything but the last byte. Closing the connection then resets it.
    AllButLastByte,
}

/// The bytes that are sent, if any.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Respond(Box<Scripted>),
    Raw(Vec<u8>),
    /// Closes the connection.
    Close,
    /// Sends nothing and keeps the connection open.
    Silence,
    EndlessJson,
    EndlessHead,
}

/// A response, and how its body is sent.
#[derive(Clone, Debug)]
pub(super) struct Scripted {
    pub(super) response: Response,
    pub(super) framing: Framing,
    /// How many bytes of the body are sent, and what happens then. `None`: all of them.
    pub(super) cut: Option<(usize, Then)>,
    /// The size of the pieces that the body is sent in, and the pause before each.
    pub(super) drip: Option<(usize, Duration)>,
    pub(super) close: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Framing {
    Length,
    /// Chunks of this many bytes.
    Chunked(usize),
    UntilClose,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    Close,
    Stall,
}

impl Reply {
    /// A response with this status code and no body. The connection stays open.
    pub fn status(status: u16) -> Reply {
        Reply::from(Action::Respond(Box::new(Scripted {
            response: Response::new(status),
            framing: Framing::Length,
            cut: None,
            drip: None,
            close: false,
        })))
    }

    pub fn json(status: u16, body: &str) -> Reply {
        Reply::status(status).header("Content-Type", "application/json").body(body)
    }

    pub fn redirect(status: u16, location: &str) -> Reply {
        Reply::status(status).header("Location", location)
    }

    /// Sends these bytes instead of a response, then closes the connection.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Reply {
        Reply::from(Action::Raw(bytes.into()))
    }

    /// Reads the whole request, then closes the connection without sending a byte.
    pub fn empty() -> Reply {
        Reply::from(Action::Close)
    }

    /// Resets the connection when the whole request has arrived.
    pub fn reset() -> Reply {
        Reply::from(Action::Close).read(Read::AllButLastByte)
    }

    /// Closes the connection after this many bytes of the request's body.
    pub fn close_after(bytes: u64) -> Reply {
        Reply::from(Action::Close).read(Read::Body(bytes))
    }

    /// Reads the whole request and never responds.
    pub fn silence() -> Reply {
        Reply::from(Action::Silence)
    }

    /// Stops reading after this many bytes of the request's body, and never responds.
    pub fn stall_reading(bytes: u64) -> Reply {
        Reply::from(Action::Silence).read(Read::Body(bytes))
    }

    /// Sends a JSON object without end.
    pub fn endless_json() -> Reply {
        Reply::from(Action::EndlessJson)
    }

    /// Sends header lines without end.
    pub fn endless_head() -> Reply {
        Reply::from(Action::EndlessHead)
    }

    pub fn header(self, name: &str, value: &str) -> Reply {
        self.respond(|it| {
            it.response.headers.push((name.to_owned(), value.to_owned()));
        })
    }

    pub fn body(self, bytes: impl Into<Vec<u8>>) -> Reply {
        let bytes = bytes.into();
        self.respond(|it| it.response.body = bytes)
    }

    /// Sends the body in chunks of this many bytes.
    pub fn chunked(self, size: usize) -> Reply {
        self.respond(|it| it.framing = Framing::Chunked(size.max(1)))
    }

    /// Sends the body without a length: closing the connection ends it.
    pub fn until_close(self) -> Reply {
        self.respond(|it| {
            it.framing = Framing::UntilClose;
            it.close = true;
        })
    }

    /// Closes the connection after this many bytes of the body. The head announces all of it.
    pub fn truncated(self, sent: usize) -> Reply {
        self.respond(|it| it.cut = Some((sent, Then::Close)))
    }

    /// Sends nothing after the head and this many bytes of the body, and keeps the connection open.
    pub fn stall(self, sent: usize) -> Reply {
        self.respond(|it| it.cut = Some((sent, Then::Stall)))
    }

    /// Sends the body in pieces of `size` bytes with a pause before each.
    pub fn drip(self, size: usize, pause: Duration) -> Reply {
        self.respond(|it| it.drip = Some((size.max(1), pause)))
    }

    /// Sends `Connection: close` and closes the connection.
    pub fn close(self) -> Reply {
        self.respond(|it| it.close = true)
    }

    /// Waits this long before the response.
    pub fn delay(mut self, delay: Duration) -> Reply {
        self.delay = delay;
        self
    }

    /// Responds after the request's head, without `100 Continue`. If the client sends the body
    /// anyway, it is recorded, and the connection is closed after it.
    pub fn early(self) -> Reply {
        self.close().read(Read::Head)
    }

    /// Sends `100 Continue` if the client expects it, reads this many bytes of the body, then
    /// responds and closes the connection.
    pub fn early_after(self, bytes: u64) -> Reply {
        self.close().read(Read::Body(bytes))
    }

    /// Stops reading after this many bytes of the body until `Server::resume`, then reads the rest
    /// and responds.
    pub fn pause_after(self, bytes: u64) -> Reply {
        self.read(Read::Pause(bytes))
    }

    /// Sends these informational responses (1xx) first, and no other `100 Continue`.
    pub fn informational(mut self, heads: &str) -> Reply {
        self.informational = heads.to_owned();
        self.read(Read::WholeWithoutContinue)
    }

    /// Never sends `100 Continue`, and waits for the body.
    pub fn ignore_expect(self) -> Reply {
        self.read(Read::WholeWithoutContinue)
    }

    fn from(action: Action) -> Reply {
        Reply { read: Read::Whole, action, delay: Duration::ZERO, informational: String::new() }
    }

    fn read(mut self, read: Read) -> Reply {
        self.read = read;
        self
    }

    fn respond(mut self, change: impl FnOnce(&mut Scripted)) -> Reply {
        match &mut self.action {
            Action::Respond(scripted) => change(scripted),
            other => panic!("{other:?} sends no response, so it has no header, body or framing"),
        }
        self
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.action {
            Action::Respond(scripted) => {
                let status = scripted.response.status;
                write!(f, "{status} {}", reason(status))?;
            }
            Action::Raw(bytes) => write!(f, "{:?}", String::from_utf8_lossy(bytes))?,
            Action::Close => f.write_str("none, connection closed")?,
            Action::Silence => f.write_str("none, connection kept open")?,
            Action::EndlessJson => f.write_str("endless JSON")?,
            Action::EndlessHead => f.write_str("an endless head")?,
        }
        write!(f, " (read: {:?})", self.read)
    }
}
