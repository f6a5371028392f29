//! A connection on the server's side. Every wait ends when the server stops, so no thread outlives
//! its server.
//!
//! Nothing is buffered: heads and lines are peeked at in the socket before they are read from it,
//! so that a scripted reply can leave the last byte of a request unread. Closing the socket then
//! makes the kernel send a reset.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a blocked read or write checks whether the server stops.
const TICK: Duration = Duration::from_millis(20);
/// No wait is longer than this, even if the server is never stopped.
pub const WAIT_LIMIT: Duration = Duration::from_secs(120);
/// The longest request head or chunk-size line that is read, in bytes.
const HEAD_LIMIT: usize = 256 * 1024;

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A flag that is set once, and that threads can wait for.
#[derive(Default)]
pub struct Gate {
    pub open: Mutex<bool>,
    pub opened: Condvar,
}

impl Gate {
    pub fn open(&self) {
        *lock(&self.open) = true;
        self.opened.notify_all();
    }

    pub fn is_open(&self) -> bool {
        *lock(&self.open)
    }
}

pub struct Connection {
    pub stream: TcpStream,
    /// Opens when the server stops.
    pub stop: Arc<Gate>,
}

/// Bytes up to and including a marker. The last `unread` of them are still in the socket.
pub struct Peeked {
    pub bytes: Vec<u8>,
    pub unread: usize,
}

impl Connection {
    pub fn new(stream: TcpStream, stop: Arc<Gate>) -> io::Result<Connection> {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TICK))?;
        stream.set_write_timeout(Some(TICK))?;
        Ok(Connection { stream, stop })
    }

    /// The bytes up to the first `marker`. Without the marker at their end, the client closed the
    /// connection.
    pub fn peek_to(&mut self, marker: &[u8]) -> io::Result<Peeked> {
        let mut bytes = Vec::new();
        let mut window = vec![0; 16 * 1024];
        while bytes.len() < HEAD_LIMIT {
            let count = self.patiently(|stream| stream.peek(&mut window))?;
            if count == 0 {
                return Ok(Peeked { bytes, unread: 0 });
            }
            let before = bytes.len();
            bytes.extend_from_slice(&window[..count]);
            if let Some(at) = find(&bytes, marker) {
                bytes.truncate(at + marker.len());
                let unread = bytes.len() - before;
                return Ok(Peeked { bytes, unread });
            }
            self.skip(count)?;
        }
        Err(io::Error::new(ErrorKind::InvalidData, "the request head never ends"))
    }

    /// Reads `count` bytes that were peeked at, and discards them.
    pub fn skip(&mut self, count: usize) -> io::Result<()> {
        let mut rest = vec![0; count];
        let mut filled = 0;
        while filled < count {
            let read = self.read(&mut rest[filled..])?;
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            filled += read;
        }
        Ok(())
    }

    /// Reads some bytes. 0 means that the client closed the connection, or that the server stops
    /// and nothing more was there.
    pub fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.patiently(|mut stream| stream.read(into))
    }

    pub fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.patiently(|mut stream| stream.write(bytes))? {
                0 => return Err(ErrorKind::WriteZero.into()),
                written => bytes = &bytes[written..],
            }
        }
        Ok(())
    }

    /// Repeats a read or write that timed out, until the server stops.
    pub fn patiently(
        &mut self,
        mut step: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let deadline = Instant::now() + WAIT_LIMIT;
        loop {
            match step(&self.stream) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    if self.stop.is_open() || Instant::now() > deadline {
                        return Ok(0);
                    }
                }
                done => return done,
            }
        }
    }
}

pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
