//! Content of known length, read past ureq: from the connection straight to where it is wanted. ureq would copy it once
//! more, look at all of it for a trace that is off, and do so in smaller pieces: a fifth of the time of a large
//! download. The connection is closed then; ureq keeps it only if all of the content came along with the head.

use std::error::Error;
use std::fmt;
use std::io::{self, Read};

use ureq::BodyReader;
use ureq::unversioned::transport::NextTimeout;

use crate::net::transport::DirectTransport;

/// The content of an answer, of known length.
pub(crate) struct Content {
    source: Source,
    left: u64,
}

enum Source {
    /// What ureq has read already, along with the head.
    Buffered(BodyReader<'static>),
    Connection(Handover),
}

impl Content {
    /// `length` in bytes. The tap is to know of it: [`Tracker::transfer`](crate::net::tracker::Tracker::transfer).
    pub(crate) fn new(reader: BodyReader<'static>, length: u64) -> Self {
        Self { source: Source::Buffered(reader), left: length }
    }
}

impl Read for Content {
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] for an end before its time, and those of the connection.
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(room.len());
        if most == 0 {
            return Ok(0);
        }
        let room = &mut room[..most];
        let count = match &mut self.source {
            Source::Connection(connection) => connection.read(room)?,
            Source::Buffered(reader) => match reader.read(room) {
                Ok(count) => count,
                Err(error) => {
                    let mut connection: Handover = error.downcast()?;
                    let count = connection.read(room);
                    self.source = Source::Connection(connection);
                    count?
                }
            },
        };
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        if let (0, Source::Buffered(reader)) = (self.left, &mut self.source) {
            // It finds the end, and keeps the connection. If it does not, all has come nevertheless.
            let _ = reader.read(&mut [0]);
        }
        Ok(count)
    }
}

/// What ureq gets in place of input, and passes on as an error: the connection itself.
pub(crate) struct Handover {
    pub(crate) way: Box<dyn DirectTransport>,
    pub(crate) timeout: NextTimeout,
}

impl Handover {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let buffers = self.way.buffers();
        let count = buffers.input().len().min(room.len());
        if count > 0 {
            room[..count].copy_from_slice(&buffers.input()[..count]);
            buffers.input_consume(count);
            return Ok(count);
        }
        self.way.read(room, self.timeout).map_err(|error| not_the_end(error).into_io())
    }
}

impl Error for Handover {}

impl fmt::Display for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was handed over")
    }
}

impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handover({:?})", self.way)
    }
}

/// An error in the middle of media. ureq takes these for the end, but media that were cut look like media.
pub(crate) fn not_the_end(error: ureq::Error) -> ureq::Error {
    match error {
        ureq::Error::Io(error)
            if matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::ConnectionReset
            ) =>
        {
            io::Error::other("the connection was cut").into()
        }
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::sync::mpsc::{self, Sender};

    use ureq::Body;
    use ureq::unversioned::transport::{self, Buffers as _, Transport};

    use super::*;
    use crate::net::buffers::Buffers;

    /// Brings one piece after the other, or what is said in place of it.
    struct Pieces {
        buffers: Buffers,
        pieces: Vec<Result<&'static [u8], ErrorKind>>,
    }

    impl fmt::Debug for Pieces {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Pieces")
        }
    }

    impl Transport for Pieces {
        fn buffers(&mut self) -> &mut dyn transport::Buffers {
            &mut self.buffers
        }

        fn transmit_output(&mut self, _: usize, _: NextTimeout) -> Result<(), ureq::Error> {
            unreachable!("nothing is sent")
        }

        fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
            unreachable!("it is read past the buffers")
        }

        fn is_open(&mut self) -> bool {
            true
        }
    }

    impl DirectTransport for Pieces {
        fn read(&mut self, room: &mut [u8], _: NextTimeout) -> Result<usize, ureq::Error> {
            if self.pieces.is_empty() {
                return Ok(0);
            }
            let piece = self.pieces.remove(0).map_err(io::Error::from)?;
            let count = piece.len().min(room.len());
            room[..count].copy_from_slice(&piece[..count]);
            if count < piece.len() {
                self.pieces.insert(0, Ok(&piece[count..]));
            }
            Ok(count)
        }
    }

    /// Passes bytes on, and then the connection.
    struct Ureq(&'static [u8], Option<Handover>);

    impl Read for Ureq {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            match self.0.read(room)? {
                0 => Err(io::Error::other(self.1.take().expect("it is asked once"))),
                count => Ok(count),
            }
        }
    }

    /// `Abc` from ureq, `def` out of the connection's buffer, then the pieces.
    fn content(length: u64, pieces: &[Result<&'static [u8], ErrorKind>]) -> Content {
        let mut buffers = Buffers::default();
        buffers.input_append_buf()[..3].copy_from_slice(b"def");
        buffers.input_appended(3);
        let connection = Handover {
            way: Box::new(Pieces { buffers, pieces: pieces.to_vec() }),
            timeout: NextTimeout::default(),
        };
        let body = Body::builder().reader(Ureq(b"Abc", Some(connection)));
        Content::new(body.into_reader(), length)
    }

    #[test]
    fn it_goes_on_where_ureq_stopped_and_ends_with_its_length() {
        let pieces: [Result<&[u8], ErrorKind>; 3] = [Ok(b"ghi"), Ok(b"jkl"), Ok(b"more")];
        for (length, text) in
            [(0, ""), (2, "Ab"), (3, "Abc"), (5, "Abcde"), (9, "Abcdefghi"), (11, "Abcdefghijk")]
        {
            let mut read = String::new();
            let count = content(length, &pieces).read_to_string(&mut read);
            assert_eq!((count.ok(), &*read), (Some(text.len()), text));
        }
    }

    /// Passes bytes on, and tells when it is asked beyond their end.
    struct Asked(&'static [u8], Sender<()>);

    impl Read for Asked {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let count = self.0.read(room)?;
            if count == 0 {
                self.1.send(()).map_err(io::Error::other)?;
            }
            Ok(count)
        }
    }

    #[test]
    fn ureq_finds_the_end_of_what_it_has_read_whole() {
        let (sender, asked) = mpsc::channel();
        let body = Body::builder().reader(Asked(b"Abc", sender));
        let mut bytes = [0; 3];
        let mut content = Content::new(body.into_reader(), 3);
        content.read_exact(&mut bytes).expect("they are there");
        assert_eq!((&bytes, asked.try_recv()), (b"Abc", Ok(())));
    }

    #[test]
    fn an_early_end_is_told_from_a_cut() {
        let read = |piece: Result<&'static [u8], ErrorKind>| {
            let mut bytes = Vec::new();
            let ended = content(100, &[Ok(b"ghi"), piece]).read_to_end(&mut bytes);
            assert_eq!(bytes, b"Abcdefghi");
            ended.map_err(|error| error.to_string())
        };
        assert_eq!(read(Ok(b"")), Err("unexpected end of file".to_owned()));
        for kind in
            [ErrorKind::UnexpectedEof, ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset]
        {
            assert_eq!(read(Err(kind)), Err("the connection was cut".to_owned()));
        }
        let other = read(Err(ErrorKind::HostUnreachable));
        assert_eq!(other, Err("host unreachable".to_owned()));
    }
}
