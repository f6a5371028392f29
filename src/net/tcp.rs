//! TCP. ureq has a transport for it too; this one does not start the stall timeout again with each part of a write, tells a
//! broken write once, and goes on reading after it: what a server that hangs up had to say may be there.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ureq::unversioned::transport::{self, Buffers as _, NextTimeout, Transport};

use crate::net::buffers::{BUFFER, Buffers};
use crate::net::transport::DirectTransport;

/// The shortest wait that a socket takes.
const SHORTEST: Duration = Duration::from_millis(1);

pub(crate) struct TcpTransport {
    socket: Socket,
    buffers: Buffers,
    /// A write failed. Whatever is written from then on goes nowhere, without another error: TLS would not read before
    /// it is rid of what it has to say.
    broken: bool,
}

impl TcpTransport {
    pub(crate) fn connect(address: SocketAddr, within: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, within.max(SHORTEST))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            socket: Socket { stream, read_timeout: None, write_timeout: None },
            buffers: Buffers::default(),
            broken: false,
        })
    }
}

impl DirectTransport for TcpTransport {
    fn read(&mut self, room: &mut [u8], timeout: NextTimeout) -> Result<usize, ureq::Error> {
        self.socket.read(room, timeout)
    }
}

impl Transport for TcpTransport {
    fn buffers(&mut self) -> &mut dyn transport::Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        if self.broken {
            return Ok(());
        }
        let written = self.socket.write(&self.buffers.output()[..amount], timeout);
        self.broken = written.is_err();
        written
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let room = self.buffers.input_append_buf();
        // No more than is moved on at once: what is left over would be moved on its own.
        let most = room.len().min(BUFFER);
        let count = self.socket.read(&mut room[..most], timeout)?;
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        !self.broken && self.buffers.input().is_empty() && self.socket.is_idle().unwrap_or(false)
    }
}

/// A socket, and the timeouts that it was given last.
struct Socket {
    stream: TcpStream,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl Socket {
    /// Writes it all. The timeout is the longest time without a byte moving.
    fn write(&mut self, bytes: &[u8], timeout: NextTimeout) -> Result<(), ureq::Error> {
        let timeout = timeout.for_write();
        let within = allowed(timeout)?;
        self.write_within(bytes, within).map_err(|error| told(error, timeout))
    }

    fn write_within(&mut self, bytes: &[u8], within: Option<Duration>) -> io::Result<()> {
        let mut rest = bytes;
        let mut left = within;
        while !rest.is_empty() {
            let start = Instant::now();
            if self.write_timeout != left {
                self.stream.set_write_timeout(left)?;
                self.write_timeout = left;
            }
            match (&self.stream).write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    // If it is a part, that was taken at once, and then it waited in vain for room.
                    rest = &rest[count..];
                    left = rest_of(within, start);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    left = rest_of(left, start);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what has come, or waits for it. `0`: the end.
    fn read(&mut self, room: &mut [u8], timeout: NextTimeout) -> Result<usize, ureq::Error> {
        let timeout = timeout.for_read();
        let within = allowed(timeout)?;
        self.read_within(room, within).map_err(|error| told(error, timeout))
    }

    fn read_within(&mut self, room: &mut [u8], within: Option<Duration>) -> io::Result<usize> {
        let start = Instant::now();
        let mut left = within;
        loop {
            if self.read_timeout != left {
                self.stream.set_read_timeout(left)?;
                self.read_timeout = left;
            }
            match (&self.stream).read(room) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    left = rest_of(within, start);
                }
                done => return done,
            }
        }
    }

    /// Nothing has come since the last answer, not even an end.
    fn is_idle(&self) -> io::Result<bool> {
        self.stream.set_nonblocking(true)?;
        let come = (&self.stream).read(&mut [0]);
        self.stream.set_nonblocking(false)?;
        Ok(come.is_err_and(|error| error.kind() == ErrorKind::WouldBlock))
    }
}

/// How long to wait; `None` is for ever.
fn allowed(timeout: NextTimeout) -> Result<Option<Duration>, ureq::Error> {
    match timeout.after {
        after if after.is_not_happening() => Ok(None),
        after if after.is_zero() => Err(ureq::Error::Timeout(timeout.reason)),
        after => Ok(Some(*after)),
    }
}

/// What is left of a time that began at `start`, and no less than a socket takes.
fn rest_of(within: Option<Duration>, start: Instant) -> Option<Duration> {
    within.map(|it| it.saturating_sub(start.elapsed()).max(SHORTEST))
}

fn told(error: io::Error, timeout: NextTimeout) -> ureq::Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => ureq::Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}

impl fmt::Debug for TcpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TcpTransport")
    }
}
