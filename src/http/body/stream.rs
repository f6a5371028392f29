//! A stream that is uploaded: read ahead, so that one that falls silent can be told from one that is slow.

use std::io::{self, Cursor, Read};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::api::error::Error;

/// How much of a stream is read at once, in bytes. Three such pieces are in memory at most.
const CHUNK: usize = 64 * 1024;

/// A stream that is read ahead by a thread. Should it never end, the thread ends with the process.
pub(crate) struct StreamReader {
    chunks: Receiver<io::Result<Vec<u8>>>,
    chunk: Cursor<Vec<u8>>,
    stall: Duration,
}

impl StreamReader {
    /// Waits for the first bytes: an empty upload is a mistake, and would be paid for. `stall`: the longest silence.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty stream, [`Error::File`] as [`StreamReader::read`].
    pub(crate) fn start(mut reader: Box<dyn Read + Send>, stall: Duration) -> Result<Self, Error> {
        let (sender, chunks) = mpsc::sync_channel(1);
        let pump = move || {
            loop {
                let mut chunk = vec![0; CHUNK];
                let read = reader.read(&mut chunk);
                let last = !matches!(read, Ok(1..));
                let sent = sender.send(read.map(|count| {
                    chunk.truncate(count);
                    chunk
                }));
                if last || sent.is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().spawn(pump).map_err(unreadable)?;
        let mut pump = Self { chunks, chunk: Cursor::default(), stall };
        pump.refill().map_err(unreadable)?;
        match pump.chunk.get_ref().is_empty() {
            true => Err(Error::invalid("the stream to upload is empty")),
            false => Ok(pump),
        }
    }

    fn refill(&mut self) -> io::Result<()> {
        let chunk = match self.chunks.recv_timeout(self.stall) {
            Ok(chunk) => chunk?,
            Err(RecvTimeoutError::Disconnected) => Vec::new(),
            Err(RecvTimeoutError::Timeout) => {
                let why = format!("no data for {:?}", self.stall);
                return Err(io::Error::new(io::ErrorKind::TimedOut, why));
            }
        };
        self.chunk = Cursor::new(chunk);
        Ok(())
    }

    /// 0 at the end of the stream.
    ///
    /// # Errors
    /// [`Error::File`] if it breaks, or brings nothing for too long.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        if self.chunk.position() == self.chunk.get_ref().len() as u64 {
            self.refill().map_err(unreadable)?;
        }
        self.chunk.read(buffer).map_err(unreadable)
    }
}

fn unreadable(error: io::Error) -> Error {
    Error::file("cannot read the stream to upload", error)
}
