//! Carries out a scripted reply: reads as much of the request as it sets, then sends, stalls or
//! closes.

use std::io;
use std::net::Shutdown;
use std::time::Duration;

use super::reply::{Action, Framing, Read, Reply, Scripted, Then};
use super::videos_api::connection::{Connection, Gate, WAIT_LIMIT, lock};
use super::videos_api::request_reader::{self, RequestReader};

/// How many bytes the endless responses have, if the client does not stop: far above any limit of a
/// client.
const ENDLESS: u64 = 256 << 20;

/// The state of the connection after a reply.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum After {
    KeepAlive,
    Close,
}

impl Reply {
    /// Reads as much of the request as this reply sets. `false`: the client closed the connection
    /// before.
    pub(super) fn receive(
        &self,
        reader: &mut RequestReader,
        connection: &mut Connection,
    ) -> io::Result<bool> {
        connection.write_all(self.informational.as_bytes())?;
        match self.read {
            Read::Head => reader.skip_head(connection).map(|()| true),
            Read::AllButLastByte => {
                reader.send_continue(connection)?;
                reader.read_all_but_last_byte(connection).map(|()| true)
            }
            Read::WholeWithoutContinue => {
                reader.read_body(connection, u64::MAX)?;
                Ok(reader.request.whole)
            }
            Read::Whole => reader.read_whole(connection),
            Read::Body(bytes) | Read::Pause(bytes) => {
                reader.send_continue(connection)?;
                reader.read_body(connection, bytes)?;
                Ok(reader.request.whole || reader.request.body_len >= bytes)
            }
        }
    }

    /// Sends this reply; a paused one waits for `resume` first. Fails if the client
    /// closed the connection, or if the server stops.
    pub(super) fn send(
        &self,
        reader: &mut RequestReader,
        connection: &mut Connection,
        resume: &Gate,
    ) -> io::Result<After> {
        if !self.delay.is_zero() {
            connection.pause(self.delay);
        }
        if let Read::Pause(_) = self.read {
            resume.wait(WAIT_LIMIT);
            reader.read_body(connection, u64::MAX)?;
            if !reader.request.whole {
                return Ok(After::Close);
            }
        }
        let after = match &self.action {
            Action::Respond(scripted) => scripted.send(connection)?,
            Action::Raw(bytes) => connection.write_all(bytes).map(|()| After::Close)?,
            Action::Close => After::Close,
            Action::Silence => {
                connection.wait_for_stop();
                After::Close
            }
            Action::EndlessJson => endless_json(connection)?,
            Action::EndlessHead => endless_head(connection)?,
        };
        if let Read::Head = self.read {
            // Closing at once would reset the connection, and the client could lose the response.
            connection.close_sending_side();
            reader.read_body(connection, u64::MAX)?;
        }
        Ok(after)
    }
}

impl Scripted {
    fn send(&self, connection: &mut Connection) -> io::Result<After> {
        let limit = self.cut.map_or(usize::MAX, |(bytes, _)| bytes);
        let limit = limit.min(self.response.body.len());
        let mut out = self.head().into_bytes();
        let mut sent = 0;
        for piece in &self.pieces() {
            let count = piece.len().min(limit - sent);
            if let Framing::Chunked(_) = self.framing {
                out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            }
            if let Some((_, pause)) = self.drip {
                connection.write_all(&std::mem::take(&mut out))?;
                connection.pause(pause);
            }
            out.extend_from_slice(&piece[..count]);
            sent += count;
            if self.cut.is_some() && sent == limit {
                break;
            }
            if let Framing::Chunked(_) = self.framing {
                out.extend_from_slice(b"\r\n");
            }
        }
        if let (Framing::Chunked(_), None) = (self.framing, self.cut) {
            out.extend_from_slice(b"0\r\n\r\n");
        }
        connection.write_all(&out)?;
        match self.cut {
            Some((_, Then::Stall)) => {
                connection.wait_for_stop();
                Ok(After::Close)
            }
            Some((_, Then::Close)) => Ok(After::Close),
            None if self.close => Ok(After::Close),
            None => Ok(After::KeepAlive),
        }
    }

    /// The body in the pieces that it is sent in: its chunks, or else the pieces with a pause
    /// before each.
    fn pieces(&self) -> Vec<&[u8]> {
        let body = &self.response.body;
        let size = match (self.framing, self.drip) {
            (Framing::Chunked(size), _) | (_, Some((size, _))) => size,
            _ => body.len().max(1),
        };
        body.chunks(size).collect()
    }

    fn head(&self) -> String {
        let response = &self.response;
        let mut head = response.head();
        let mut names = response.headers.iter().map(|(name, _)| name);
        match self.framing {
            Framing::Chunked(_) => head += "Transfer-Encoding: chunked\r\n",
            Framing::Length
                if response.status != 204
                    && !names.any(|name| name.eq_ignore_ascii_case("content-length")) =>
            {
                head += &format!("Content-Length: {}\r\n", response.body.len());
            }
            _ => {}
        }
        if self.close {
            head += "Connection: close\r\n";
        }
        head + "\r\n"
    }
}

fn endless_json(connection: &mut Connection) -> io::Result<After> {
    connection.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
    )?;
    let opening = r#"{"id": "video_1", "status": "queued", "prompt": ""#;
    connection.write_all(format!("{:x}\r\n{opening}\r\n", opening.len()).as_bytes())?;
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    endless(connection, chunk.as_bytes())
}

fn endless_head(connection: &mut Connection) -> io::Result<After> {
    connection.write_all(b"HTTP/1.1 200 OK\r\n")?;
    // Long lines, so that a client reaches its limit on the size of the head before that on the
    // number of headers.
    let line = format!("X-Filler: {}\r\n", "x".repeat(8000));
    endless(connection, line.as_bytes())
}

fn endless(connection: &mut Connection, piece: &[u8]) -> io::Result<After> {
    for _ in 0..ENDLESS / piece.len() as u64 {
        connection.write_all(piece)?;
    }
    connection.wait_for_stop();
    Ok(After::Close)
}

impl RequestReader {
    /// Reads the request up to its last byte, which arrives and stays unread in the socket.
    fn read_all_but_last_byte(&mut self, connection: &mut Connection) -> io::Result<()> {
        use request_reader::Framing;
        match self.framing {
            Framing::Length(0) => return connection.skip(self.head_unread.saturating_sub(1)),
            Framing::Length(length) => self.read_body(connection, length - 1)?,
            Framing::Chunked { .. } => {
                self.skip_head(connection)?;
                let mut buffer = vec![0; 128 * 1024];
                while let count @ 1.. = self.read_some(connection, &mut buffer)? {
                    self.request.add(&buffer[..count]);
                }
            }
        }
        connection.patiently(|stream| stream.peek(&mut [0])).map(drop)
    }
}

impl Connection {
    fn close_sending_side(&mut self) {
        // Fails if the client closed the connection first.
        drop(self.stream.shutdown(Shutdown::Write));
    }

    fn wait_for_stop(&self) {
        self.stop.wait(WAIT_LIMIT);
    }

    /// Waits this long, or until the server stops.
    fn pause(&self, pause: Duration) {
        self.stop.wait(pause);
    }
}

impl Gate {
    /// Waits until the gate opens, or for this long.
    fn wait(&self, limit: Duration) {
        let closed = lock(&self.open);
        drop(self.opened.wait_timeout_while(closed, limit, |open| !*open));
    }
}
