//! A connection as the server sees it. Every wait in here ends when the server is released (finished or
//! dropped), so no thread outlives its test, and none depends on a particular delay.
//!
//! Nothing is buffered: heads and lines are looked at in the socket before they are taken out of it, which
//! lets a reply leave the last byte unread. Closing then makes the kernel send a reset.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a blocked read or write looks whether the server was released.
const TICK: Duration = Duration::from_millis(20);
/// No wait is longer than this, whatever a test forgets.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest request head (or chunk-size line) that is read.
const HEAD_LIMIT: usize = 256 * 1024;

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens once, when the server is finished or dropped.
#[derive(Default)]
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub fn open(&self) {
        *lock(&self.open) = true;
        self.opened.notify_all();
    }

    pub fn is_open(&self) -> bool {
        *lock(&self.open)
    }

    pub fn wait(&self, at_most: Duration) {
        let closed = lock(&self.open);
        drop(
            self.opened
                .wait_timeout_while(closed, at_most, |open| !*open),
        );
    }
}

pub struct Wire {
    stream: TcpStream,
    gate: Arc<Gate>,
    /// Opens when a paused reply may go on.
    resume: Arc<Gate>,
}

/// Bytes up to and including a marker. The last `unread` of them are still in the socket.
pub struct Seen {
    pub bytes: Vec<u8>,
    pub unread: usize,
}

impl Wire {
    pub fn new(stream: TcpStream, gate: Arc<Gate>, resume: Arc<Gate>) -> io::Result<Wire> {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TICK))?;
        stream.set_write_timeout(Some(TICK))?;
        Ok(Wire {
            stream,
            gate,
            resume,
        })
    }

    /// What came up to `marker`. Fewer bytes, without the marker, mean that the peer is gone.
    pub fn look_for(&mut self, marker: &[u8]) -> io::Result<Seen> {
        let mut bytes = Vec::new();
        let mut window = vec![0; 16 * 1024];
        while bytes.len() < HEAD_LIMIT {
            let count = self.patiently(|stream| stream.peek(&mut window))?;
            if count == 0 {
                return Ok(Seen { bytes, unread: 0 });
            }
            let before = bytes.len();
            bytes.extend_from_slice(&window[..count]);
            if let Some(at) = find(&bytes, marker) {
                bytes.truncate(at + marker.len());
                let unread = bytes.len() - before;
                return Ok(Seen { bytes, unread });
            }
            self.skip(count)?;
        }
        Err(io::Error::new(
            ErrorKind::InvalidData,
            "the request head never ends",
        ))
    }

    /// Takes `count` bytes out that were seen already.
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

    /// 0 is the end: the peer closed, or the server was released and nothing more was there.
    pub fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.patiently(|mut stream| stream.read(into))
    }

    /// Waits until at least one byte lies unread in the socket (or the peer is gone).
    pub fn wait_for_a_byte(&mut self) -> io::Result<()> {
        self.patiently(|stream| stream.peek(&mut [0])).map(drop)
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

    pub fn close_sending_side(&mut self) {
        // The peer may have closed first, which is as good.
        drop(self.stream.shutdown(Shutdown::Write));
    }

    pub fn wait_for_release(&self) {
        self.gate.wait(PATIENCE);
    }

    pub fn wait_for_resume(&self) {
        self.resume.wait(PATIENCE);
    }

    pub fn pause(&self, pause: Duration) {
        self.gate.wait(pause);
    }

    fn patiently(
        &mut self,
        mut step: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match step(&self.stream) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    if self.gate.is_open() || Instant::now() > deadline {
                        return Ok(0);
                    }
                }
                done => return done,
            }
        }
    }
}

pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
