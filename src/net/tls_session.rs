//! The state of TLS on a connection, through rustls's interface without buffers: records are
//! received into memory of this module, many at once, and plaintext goes from there to the reader.
//! With rustls's own buffers a download takes 50 % more processor time: they receive 4 KiB at a
//! time, are filled with zeros for each record, and copy it twice more.

use std::io::{self, ErrorKind};
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use rustls::client::ClientConnectionData;
use rustls::client::{ClientConfig, UnbufferedClientConnection};
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus};
use rustls::{Error, ProtocolVersion};
use ureq::unversioned::transport::{NextTimeout, time};

use crate::net::buffers::{BUFFER, PageBuffer};
use crate::net::tls_errors::tls_error;
use crate::net::transport::DirectTransport;

/// Room for four records that are received at once, or for the largest message of a handshake.
const INCOMING: usize = BUFFER + 4 * 1024;
/// Its first size. It grows once a read fills it.
const FIRST_INCOMING: usize = 8 * 1024;
/// How much longer records are than their plaintext, at most.
const OVERHEAD: usize = 1024;
/// Room for what is sent at once, in records.
const OUTGOING: usize = BUFFER + OVERHEAD;

pub(crate) struct Session {
    tls: UnbufferedClientConnection,
    connection: Box<dyn DirectTransport>,
    /// The timeout of the current call, and when that began.
    timeout: NextTimeout,
    since: Instant,
    outgoing: PageBuffer,
    /// How many of the outgoing bytes are records that are not sent yet.
    unsent: usize,
    incoming: PageBuffer,
    /// The range of the incoming bytes that is not processed yet.
    start: usize,
    end: usize,
    /// Plaintext that a read had no room for.
    rest: Vec<u8>,
    /// The server sent close_notify.
    is_closed: bool,
    /// The error that ended the session, reported once the plaintext before it is read.
    failure: Option<Error>,
}

/// The result of [`Session::step`]: what it did, or what its caller has to do next.
enum Step {
    /// This much plaintext is in the room for it. What did not fit is in `rest`.
    Decrypted(usize),
    /// The plaintext to send is among the outgoing records.
    Encrypted,
    /// A record was processed, or added to the outgoing ones.
    Processed,
    /// The outgoing records are to be sent.
    Send,
    /// All records are processed, and the handshake is over.
    Ready,
    /// All records are processed, and the handshake needs another one.
    Receive,
}

impl Session {
    /// Performs the handshake with `name`.
    ///
    /// # Errors
    /// Those of the connection, and an [`io::Error`] that holds a [`rustls::Error`].
    pub(crate) fn open(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        connection: Box<dyn DirectTransport>,
        timeout: NextTimeout,
    ) -> io::Result<Self> {
        let mut session = Self {
            tls: UnbufferedClientConnection::new(config, name).map_err(io::Error::other)?,
            connection,
            timeout,
            since: Instant::now(),
            outgoing: PageBuffer::new(OUTGOING),
            unsent: 0,
            incoming: PageBuffer::new(INCOMING),
            start: 0,
            end: 0,
            rest: Vec::new(),
            is_closed: false,
            failure: None,
        };
        match session.shake_hands() {
            Ok(()) => Ok(session),
            // A server that closed the connection may have sent an alert before.
            Err(error) => match session.shake_hands() {
                Err(alert) if tls_error(&alert).is_some() => Err(alert),
                _ => Err(error),
            },
        }
    }

    /// The negotiated version.
    pub(crate) fn version(&self) -> &'static str {
        match self.tls.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS 1.3",
        }
    }

    /// Reads the plaintext that has arrived, or waits for some. `0`: the server sent close_notify.
    pub(crate) fn read(&mut self, room: &mut [u8], timeout: NextTimeout) -> io::Result<usize> {
        self.set_timeout(timeout);
        let mut count = self.rest.len().min(room.len());
        room[..count].copy_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        while count < room.len() {
            match self.step(&mut room[count..], &[]) {
                Ok(Step::Decrypted(more)) => count += more,
                Ok(Step::Processed | Step::Encrypted) => {}
                // A failed write does not stop reading: the server's last alert may be there.
                Ok(Step::Send) => drop(self.flush()),
                Ok(Step::Ready | Step::Receive) if count > 0 || self.is_closed => break,
                Ok(Step::Ready | Step::Receive) => self.receive()?,
                Err(_) if count > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    /// Sends plaintext.
    pub(crate) fn write(&mut self, bytes: &[u8], timeout: NextTimeout) -> io::Result<()> {
        self.set_timeout(timeout);
        for part in bytes.chunks(BUFFER) {
            loop {
                match self.step(&mut [], part)? {
                    Step::Encrypted => break,
                    Step::Send => self.flush()?,
                    Step::Decrypted(_) | Step::Processed => {}
                    Step::Ready | Step::Receive => return Err(ErrorKind::NotConnected.into()),
                }
            }
            self.flush()?;
        }
        Ok(())
    }

    /// Whether another request may be sent. Plaintext that is left would be taken for the start of
    /// its response.
    pub(crate) fn is_open(&mut self) -> bool {
        loop {
            match self.step(&mut [], &[]) {
                Ok(Step::Processed | Step::Encrypted) => {}
                Ok(Step::Send) => drop(self.flush()),
                Ok(Step::Ready) => break,
                Ok(Step::Decrypted(_) | Step::Receive) | Err(_) => return false,
            }
        }
        let is_idle = self.rest.is_empty() && self.start == self.end && !self.is_closed;
        is_idle && self.connection.is_open()
    }

    fn shake_hands(&mut self) -> io::Result<()> {
        loop {
            match self.step(&mut [], &[])? {
                Step::Processed | Step::Encrypted | Step::Decrypted(_) => {}
                Step::Send => self.flush()?,
                Step::Ready => return Ok(()),
                Step::Receive => self.receive()?,
            }
        }
    }

    /// Processes the next of the incoming records, or encrypts `payload` once there is none.
    fn step(&mut self, room: &mut [u8], payload: &[u8]) -> io::Result<Step> {
        if let Some(error) = &self.failure {
            return Err(io::Error::new(ErrorKind::InvalidData, error.clone()));
        }
        let step = self.process(room, payload)?;
        if self.failure.is_some() {
            self.send_alert();
        }
        Ok(step)
    }

    /// As [`Session::step`], without the alert. An error of TLS is stored in `failure`.
    fn process(&mut self, room: &mut [u8], payload: &[u8]) -> io::Result<Step> {
        let records = &mut self.incoming.bytes_mut()[self.start..self.end];
        let UnbufferedStatus { discard, state, .. } = self.tls.process_tls_records(records);
        let step = match state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                match traffic.next_record().transpose().map_err(io::Error::other)? {
                    None => Step::Processed,
                    Some(record) => {
                        let count = record.payload.len().min(room.len());
                        let (now, later) = record.payload.split_at(count);
                        room[..count].copy_from_slice(now);
                        self.rest.extend_from_slice(later);
                        self.start += record.discard;
                        Step::Decrypted(count)
                    }
                }
            }
            Ok(ConnectionState::EncodeTlsData(mut data)) => {
                self.unsent += encode(&mut data, &mut self.outgoing, self.unsent)?;
                Step::Processed
            }
            Ok(ConnectionState::TransmitTlsData(data)) => {
                data.done();
                Step::Send
            }
            Ok(ConnectionState::WriteTraffic(mut traffic)) if !payload.is_empty() => {
                self.outgoing.grow(self.unsent + payload.len() + OVERHEAD);
                let room = &mut self.outgoing.bytes_mut()[self.unsent..];
                self.unsent += traffic.encrypt(payload, room).map_err(io::Error::other)?;
                Step::Encrypted
            }
            Ok(ConnectionState::WriteTraffic(_)) => Step::Ready,
            Ok(ConnectionState::PeerClosed) => {
                self.is_closed = true;
                Step::Processed
            }
            Ok(_) => Step::Receive,
            Err(error) => {
                self.failure = Some(error);
                Step::Processed
            }
        };
        self.start += discard;
        Ok(step)
    }

    /// Sends the alert about the failure, if rustls has one for it.
    fn send_alert(&mut self) {
        let records = &mut self.incoming.bytes_mut()[self.start..self.end];
        let status = self.tls.process_tls_records(records);
        if let Ok(ConnectionState::EncodeTlsData(mut alert)) = status.state {
            self.unsent += encode(&mut alert, &mut self.outgoing, self.unsent).unwrap_or(0);
            drop(self.flush());
        }
    }

    /// Waits for records.
    fn receive(&mut self) -> io::Result<()> {
        let timeout = self.time_left();
        self.incoming.grow(FIRST_INCOMING);
        let incoming = self.incoming.bytes_mut();
        incoming.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let room = &mut incoming[self.end..];
        match self.connection.read_on(room, timeout).map_err(ureq::Error::into_io)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => {
                self.end += count;
                if self.end == self.incoming.bytes().len() {
                    self.incoming.grow(2 * self.end);
                }
                Ok(())
            }
        }
    }

    /// Sends the outgoing records.
    fn flush(&mut self) -> io::Result<()> {
        let timeout = self.time_left();
        let records = &self.outgoing.bytes()[..mem::take(&mut self.unsent)];
        self.connection.write(records, timeout).map_err(ureq::Error::into_io)
    }

    fn set_timeout(&mut self, timeout: NextTimeout) {
        self.timeout = timeout;
        self.since = Instant::now();
    }

    /// The timeout, less the time that has passed.
    fn time_left(&self) -> NextTimeout {
        let after = match self.timeout.after {
            time::Duration::Exact(after) => {
                time::Duration::Exact(after.saturating_sub(self.since.elapsed()))
            }
            never => never,
        };
        NextTimeout { after, ..self.timeout }
    }
}

/// Adds a record of the handshake to the outgoing ones. Returns its size.
fn encode(
    record: &mut EncodeTlsData<'_, ClientConnectionData>,
    outgoing: &mut PageBuffer,
    unsent: usize,
) -> io::Result<usize> {
    let encoded = match record.encode(&mut outgoing.bytes_mut()[unsent..]) {
        Err(EncodeError::InsufficientSize(error)) => {
            outgoing.grow(unsent + error.required_size);
            record.encode(&mut outgoing.bytes_mut()[unsent..])
        }
        encoded => encoded,
    };
    encoded.map_err(io::Error::other)
}
