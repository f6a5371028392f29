//! Streams to upload, such as standard input, read by a thread so that the stall timeout applies to
//! them.

use std::io::{self, Cursor, Read};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::api::error::Error;

/// How much of a stream is read at once, in bytes. At most three chunks are in memory.
const CHUNK: usize = 64 * 1024;

/// A stream that a thread reads ahead. If the stream never ends, the thread runs until the process
/// exits.
pub(crate) struct StreamReader {
    chunks: Receiver<io::Result<Vec<u8>>>,
    chunk: Cursor<Vec<u8>>,
    stall: Duration,
}

impl StreamReader {
    /// Starts the thread and waits for the first bytes, as an empty upload is a mistake that would
    /// be paid for. `stall` is the stall timeout.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty stream, [`Error::File`] as [`StreamReader::read`].
    pub(crate) fn start(mut reader: Box<dyn Read + Send>, stall: Duration) -> Result<Self, Error> {
        let (sender, chunks) = mpsc::sync_channel(1);
        let read_ahead = move || {
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
        thread::Builder::new().spawn(read_ahead).map_err(read_error)?;
        let mut stream = Self { chunks, chunk: Cursor::default(), stall };
        stream.refill().map_err(read_error)?;
        if stream.chunk.get_ref().is_empty() {
            return Err(Error::invalid("the stream to upload is empty"));
        }
        Ok(stream)
    }

    fn refill(&mut self) -> io::Result<()> {
        let chunk = match self.chunks.recv_timeout(self.stall) {
            Ok(chunk) => chunk?,
            Err(RecvTimeoutError::Disconnected) => Vec::new(),
            Err(RecvTimeoutError::Timeout) => {
                let reason = format!("no data for {:?}", self.stall);
                return Err(io::Error::new(io::ErrorKind::TimedOut, reason));
            }
        };
        self.chunk = Cursor::new(chunk);
        Ok(())
    }

    /// Like [`Read::read`]: 0 at the end of the stream.
    ///
    /// # Errors
    /// [`Error::File`] if reading fails or the stall timeout passes.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        if self.chunk.position() == self.chunk.get_ref().len() as u64 {
            self.refill().map_err(read_error)?;
        }
        self.chunk.read(buffer).map_err(read_error)
    }
}

fn read_error(error: io::Error) -> Error {
    Error::file("cannot read the stream to upload", error)
}
