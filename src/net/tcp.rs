//! TCP, in place of ureq's own transport. This one does not restart the stall timeout with each
//! part of a write, reports a failed write once, and can be read after it: a server that closed the
//! connection may have sent a response.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ureq::unversioned::transport::{self, Buffers as _, NextTimeout, Transport};

use crate::net::buffers::{BUFFER, Buffers};
use crate::net::transport::DirectTransport;

/// The shortest timeout that a socket accepts.
const MIN_TIMEOUT: Duration = Duration::from_millis(1);

pub(crate) struct TcpTransport {
    socket: Socket,
    buffers: Buffers,
}

impl TcpTransport {
    pub(crate) fn connect(address: SocketAddr, timeout: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, timeout.max(MIN_TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            socket: Socket { stream, broken: false, read_timeout: None, write_timeout: None },
            buffers: Buffers::default(),
        })
    }
}

impl DirectTransport for TcpTransport {
    fn read(&mut self, room: &mut [u8], timeout: NextTimeout) -> Result<usize, ureq::Error> {
        self.socket.read(room, timeout)
    }

    fn write(&mut self, bytes: &[u8], timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.socket.write(bytes, timeout)
    }
}

impl Transport for TcpTransport {
    fn buffers(&mut self) -> &mut dyn transport::Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.socket.write(&self.buffers.output()[..amount], timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let room = self.buffers.input_append_buf();
        // No more than ureq passes on at once: a remainder would be passed on as a small piece of
        // its own.
        let most = room.len().min(BUFFER);
        let count = self.socket.read(&mut room[..most], timeout)?;
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        !self.socket.broken
            && self.buffers.input().is_empty()
            && self.socket.is_idle().unwrap_or(false)
    }
}

/// A socket, and the timeouts that it was given last.
struct Socket {
    stream: TcpStream,
    /// A write failed. Further output is dropped without another error, as TLS does not read
    /// before it has written.
    broken: bool,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl Socket {
    /// Writes all bytes. The timeout is the maximum time without a byte sent.
    fn write(&mut self, bytes: &[u8], timeout: NextTimeout) -> Result<(), ureq::Error> {
        let timeout = timeout.for_write();
        if self.broken {
            return Ok(());
        }
        let written = socket_timeout(timeout).and_then(|limit| {
            self.write_within(bytes, limit).map_err(|error| timeout_error(error, timeout))
        });
        self.broken = written.is_err();
        written
    }

    fn write_within(&mut self, bytes: &[u8], limit: Option<Duration>) -> io::Result<()> {
        let mut rest = bytes;
        let mut left = limit;
        while !rest.is_empty() {
            let start = Instant::now();
            if self.write_timeout != left {
                self.stream.set_write_timeout(left)?;
                self.write_timeout = left;
            }
            match (&self.stream).write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    // A partial write means that the kernel took a part at once, and then had
                    // no room for more until the timeout.
                    rest = &rest[count..];
                    left = rest_of(limit, start);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    left = rest_of(left, start);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads the bytes that have arrived, or waits for some. `0`: the end.
    fn read(&mut self, room: &mut [u8], timeout: NextTimeout) -> Result<usize, ureq::Error> {
        let timeout = timeout.for_read();
        let limit = socket_timeout(timeout)?;
        self.read_within(room, limit).map_err(|error| timeout_error(error, timeout))
    }

    fn read_within(&mut self, room: &mut [u8], limit: Option<Duration>) -> io::Result<usize> {
        let start = Instant::now();
        let mut left = limit;
        loop {
            if self.read_timeout != left {
                self.stream.set_read_timeout(left)?;
                self.read_timeout = left;
            }
            match (&self.stream).read(room) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    left = rest_of(limit, start);
                }
                done => return done,
            }
        }
    }

    /// Whether nothing has arrived since the last response, not even the end.
    fn is_idle(&self) -> io::Result<bool> {
        self.stream.set_nonblocking(true)?;
        let result = (&self.stream).read(&mut [0]);
        self.stream.set_nonblocking(false)?;
        Ok(result.is_err_and(|error| error.kind() == ErrorKind::WouldBlock))
    }
}

/// The timeout for a socket; `None` waits without a limit.
///
/// # Errors
/// The timeout itself if no time is left.
fn socket_timeout(timeout: NextTimeout) -> Result<Option<Duration>, ureq::Error> {
    match timeout.after {
        after if after.is_not_happening() => Ok(None),
        after if after.is_zero() => Err(ureq::Error::Timeout(timeout.reason)),
        after => Ok(Some(*after)),
    }
}

/// The rest of a timeout that began at `start`, but no less than a socket accepts.
fn rest_of(limit: Option<Duration>, start: Instant) -> Option<Duration> {
    limit.map(|it| it.saturating_sub(start.elapsed()).max(MIN_TIMEOUT))
}

/// ureq's error for an I/O error: a timeout where it is one.
fn timeout_error(error: io::Error, timeout: NextTimeout) -> ureq::Error {
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
