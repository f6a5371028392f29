//! The last link of the connector chain, above TCP, proxy and TLS: the first byte that passes it is a byte of the
//! request, and what is said to a proxy does not pass it. So it knows whether a request left this machine, which
//! ureq's public interface does not tell. It also puts the stall timeout where bodies move and only there, hears the
//! answer of a server that hangs up in the middle of an upload, passes over informational answers, and hands the
//! connection over to who reads content of known length.

use std::fmt;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::Timeout;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, Transport, time,
};

use crate::net::buffers::MAX_HEAD;
use crate::net::direct_read::{Handover, not_the_end};
use crate::net::proxy_handshake::AbsoluteForm;
use crate::net::response_head::{head_end, is_informational};
use crate::net::routes::Routes;
use crate::net::tls_errors::tls_error;
use crate::net::transport::{ClosedTransport, DirectTransport};
use crate::settings::Settings;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What the tap learns about the current attempt.
#[derive(Default)]
pub(crate) struct Tracker {
    stall: Duration,
    /// For the body of an answer that is no transfer.
    timeout: Duration,
    /// See [`Tracker::transfer`].
    transfer: AtomicBool,
    handover: AtomicBool,
    /// See [`Tracker::limit`].
    limit: Mutex<Option<Instant>>,
    sent: AtomicBool,
    answered: AtomicBool,
}

impl Tracker {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { stall: settings.stall_timeout, timeout: settings.timeout, ..Self::default() }
    }

    pub(crate) fn start(&self) {
        self.transfer.store(false, Ordering::Relaxed);
        self.handover.store(false, Ordering::Relaxed);
        self.sent.store(false, Ordering::Relaxed);
        self.answered.store(false, Ordering::Relaxed);
    }

    /// The rest of the answer's body may take any time, as long as it moves. If its length `is_known`,
    /// [`Content`](crate::net::direct_read::Content) reads what ureq has not read by now.
    pub(crate) fn transfer(&self, is_known: bool) {
        self.transfer.store(true, Ordering::Relaxed);
        self.handover.store(is_known, Ordering::Relaxed);
    }

    /// Neither a connection nor an answer's head is waited for beyond this time, whatever timeout each has.
    pub(crate) fn limit(&self, until: Option<Instant>) {
        *self.limit.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// What is left until the limit, rounded to milliseconds.
    fn left(&self) -> Option<Duration> {
        let until = (*self.limit.lock().unwrap_or_else(PoisonError::into_inner))?;
        let left = until.saturating_duration_since(Instant::now());
        Some(Duration::from_millis(left.as_micros().div_ceil(1000) as u64))
    }

    /// `time`, or what is left until the limit.
    pub(crate) fn shortened(&self, time: Duration) -> Duration {
        self.left().map_or(time, |left| left.min(time))
    }

    fn limited(&self, timeout: NextTimeout) -> NextTimeout {
        match self.left() {
            None => timeout,
            Some(left) => {
                NextTimeout { after: timeout.after.min(time::Duration::Exact(left)), ..timeout }
            }
        }
    }

    /// Whether the limit has passed.
    pub(crate) fn is_over(&self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }

    /// Whether a byte of the request was handed to the connection.
    pub(crate) fn sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether the server answered before it had read the whole request, and hung up.
    pub(crate) fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }
}

/// Puts a [`TrackedTransport`] on every connection.
pub(crate) struct TrackingConnector {
    pub(crate) wire: Arc<Tracker>,
    pub(crate) routes: Arc<Routes>,
}

impl Connector<Box<dyn DirectTransport>> for TrackingConnector {
    type Out = TrackedTransport;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<Box<dyn DirectTransport>>,
    ) -> Result<Option<TrackedTransport>, ureq::Error> {
        Ok(chained.map(|inner| TrackedTransport {
            inner,
            absolute: self.routes.absolute(details.uri),
            wire: Arc::clone(&self.wire),
            answer_is_in: false,
            closed: false,
            in_head: false,
            body_until: None,
            unread: false,
        }))
    }
}

impl fmt::Debug for TrackingConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TrackingConnector")
    }
}

pub(crate) struct TrackedTransport {
    inner: Box<dyn DirectTransport>,
    /// The form that a proxy wants requests in.
    absolute: Option<AbsoluteForm>,
    wire: Arc<Tracker>,
    /// The input buffer holds the start of an early answer that ureq has not asked for yet.
    answer_is_in: bool,
    closed: bool,
    /// The final head of the answer has not come yet.
    in_head: bool,
    /// The body of the answer may come until then.
    body_until: Option<Instant>,
    /// What came while `100 Continue` was waited for has not been looked at as an answer.
    unread: bool,
}

impl TrackedTransport {
    /// Waits for input no longer than this once the output is broken: what the server said is there by then.
    const LAST_WORDS: Duration = Duration::from_millis(200);

    /// Takes informational answers (1xx) out of the input, but for the bare `100 Continue` that ureq waits for: with
    /// header fields, which RFC 9110 allows, it would be taken for garbage or for the answer. `false`: the input is
    /// the start of such an answer, or nothing, so more has to come first.
    fn drop_informational(&mut self) -> bool {
        while self.in_head {
            let buffers = self.inner.buffers();
            let input = buffers.input();
            let code = input.get(9..12);
            // 101 would switch to another protocol, which ureq refuses.
            let is_informational = is_informational(input) && code != Some(b"101");
            match (is_informational, head_end(input)) {
                (true, None) => return input.len() > MAX_HEAD,
                (true, Some(end)) => {
                    let is_continue = code == Some(b"100");
                    if is_continue && &input[..end] == CONTINUE {
                        return true;
                    }
                    buffers.input_consume(end);
                    if is_continue && buffers.input().is_empty() {
                        buffers.input_append_buf()[..CONTINUE.len()].copy_from_slice(CONTINUE);
                        buffers.input_appended(CONTINUE.len());
                        return true;
                    }
                }
                (false, None) => {
                    let is_start = !input.is_empty();
                    // It has been looked at: else ureq would not wait for more.
                    buffers.input_consume(0);
                    return is_start;
                }
                (false, Some(_)) => self.in_head = false,
            }
        }
        true
    }

    fn transmit(
        &mut self,
        amount: usize,
        is_start: bool,
        timeout: NextTimeout,
    ) -> Result<(), ureq::Error> {
        let Some(absolute) = self.absolute.as_ref().filter(|_| is_start) else {
            return self.inner.transmit_output(amount, timeout);
        };
        let head = absolute.rewrite(&self.inner.buffers().output()[..amount]);
        let size = self.inner.buffers().output().len();
        for part in head.chunks(size) {
            self.inner.buffers().output()[..part.len()].copy_from_slice(part);
            self.inner.transmit_output(part.len(), timeout)?;
        }
        Ok(())
    }

    fn stalling(&self, timeout: NextTimeout) -> NextTimeout {
        let stall = Some(time::Duration::Exact(self.wire.stall));
        NextTimeout { per_read: stall, per_write: stall, ..timeout }
    }
}

impl Transport for TrackedTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        if self.closed {
            return Ok(());
        }
        let is_start = !self.wire.sent.swap(true, Ordering::Relaxed);
        self.in_head = true;
        self.body_until = None;
        let timeout = self.stalling(timeout);
        let error = match self.transmit(amount, is_start, timeout) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        // A server that refuses an upload answers and closes without reading on. Its answer says more than the
        // broken pipe that it leaves behind.
        let last = NextTimeout { after: time::Duration::Exact(Self::LAST_WORDS), ..timeout };
        let has_come = !self.inner.buffers().input().is_empty();
        match self.inner.await_input(last) {
            more if has_come || matches!(more, Ok(true)) => {
                (self.answer_is_in, self.closed) = (true, true);
                self.wire.answered.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(ureq::Error::Io(said)) if tls_error(&said).is_some() => Err(said.into()),
            _ => Err(error),
        }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        if mem::take(&mut self.answer_is_in) && self.drop_informational() {
            return Ok(true);
        }
        // A final answer instead of `100 Continue`: ureq has left it in the buffer and would wait for more of it.
        let unread = mem::take(&mut self.unread) && !self.inner.buffers().input().is_empty();
        if unread && timeout.reason == Timeout::RecvResponse && self.drop_informational() {
            return Ok(true);
        }
        self.unread = timeout.reason == Timeout::Await100;
        let is_transfer =
            timeout.reason == Timeout::RecvBody && self.wire.transfer.load(Ordering::Relaxed);
        let timeout = match timeout.reason {
            _ if is_transfer => {
                NextTimeout { after: time::Duration::NotHappening, ..self.stalling(timeout) }
            }
            Timeout::RecvBody => {
                let now = Instant::now();
                let until = *self.body_until.get_or_insert(now + self.wire.timeout);
                self.wire.limited(NextTimeout {
                    after: time::Duration::Exact(until.saturating_duration_since(now)),
                    ..self.stalling(timeout)
                })
            }
            _ => self.wire.limited(timeout),
        };
        if is_transfer && self.wire.handover.load(Ordering::Relaxed) {
            let way = mem::replace(&mut self.inner, Box::new(ClosedTransport::default()));
            return Err(io::Error::other(Handover { way, timeout }).into());
        }
        // Informational answers without end take no longer than one that is final.
        let until = match timeout.after {
            time::Duration::Exact(after) => Instant::now().checked_add(after),
            time::Duration::NotHappening => None,
        };
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let after = left.map_or(time::Duration::NotHappening, time::Duration::Exact);
            let more = match self.inner.await_input(NextTimeout { after, ..timeout }) {
                Err(error) if is_transfer => return Err(not_the_end(error)),
                done => done?,
            };
            if !more || self.drop_informational() {
                return Ok(more);
            }
        }
    }

    fn is_open(&mut self) -> bool {
        !self.closed && self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

impl fmt::Debug for TrackedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrackedTransport({:?})", self.inner)
    }
}
