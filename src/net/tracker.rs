//! Tracks how far the current attempt has come, from the last link of the connector chain.
//!
//! The [`TrackedTransport`] stands above TCP, the proxy handshake and TLS, so the first byte that
//! passes through it is a byte of the request. ureq does not tell whether a request left this
//! machine; the [`Tracker`] does. The transport also
//! - applies the stall timeout to bodies, and only to them;
//! - reads the response of a server that closes the connection in the middle of an upload;
//! - skips informational responses (1xx), and makes sure that ureq understands the framing of the
//!   final one;
//! - gives each POST a connection of its own;
//! - hands the connection over to [`DirectBody`](crate::net::direct_read::DirectBody) for a body of
//!   known length.

use std::fmt;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::Timeout;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, Transport, time,
};

use crate::net::buffers::MAX_HEAD;
use crate::net::direct_read::{Handover, cut_error};
use crate::net::proxy_handshake::AbsoluteForm;
use crate::net::response_head::{head_end, is_informational, transfer_codings};
use crate::net::routes::Routes;
use crate::net::tls_errors::tls_error;
use crate::net::transport::DirectTransport;
use crate::settings::Settings;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// How long to wait for the response of a server that closed the connection during the upload. It
/// was sent before the close, so it has arrived by then or never will.
const EARLY_RESPONSE_WAIT: Duration = Duration::from_millis(200);

/// How far an attempt has come.
#[derive(Clone, Copy, PartialEq)]
enum Phase {
    /// No byte of the request was handed to a connection. With `needs_new`, it may not use one that
    /// is open already.
    Unsent { needs_new: bool },
    /// The request is being sent, or the end of the final response head has not arrived.
    Sent,
    /// The server sent a response and closed the connection before it had read the whole request.
    /// The rest of the request is dropped.
    EarlyResponse,
    /// The final response head has arrived. The body must arrive before `deadline`.
    Body { deadline: Instant },
    /// The response body may take any time as long as bytes arrive. With `direct`, the connection
    /// is handed over when ureq asks for more of it.
    Transfer { direct: bool },
}

/// The state of the current attempt, shared with the transport that carries it. There is one
/// attempt at a time.
pub(crate) struct Tracker {
    /// The maximum time without a byte of a body sent or received.
    stall_timeout: Duration,
    /// The maximum time for a response body that is not a transfer.
    timeout: Duration,
    phase: Mutex<Phase>,
    deadline: Mutex<Option<Instant>>,
}

impl Tracker {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            stall_timeout: settings.stall_timeout,
            timeout: settings.timeout,
            phase: Mutex::new(Phase::Unsent { needs_new: false }),
            deadline: Mutex::default(),
        }
    }

    /// Begins an attempt, on a new connection if it `needs_new`. A server may close an idle
    /// connection just when a request is sent over it, which leaves the outcome of a POST unknown.
    /// Other requests are retried.
    pub(crate) fn start(&self, needs_new: bool) {
        *self.phase() = Phase::Unsent { needs_new };
    }

    /// Lets the body of the response take any time as long as bytes arrive. With `direct`,
    /// [`DirectBody`](crate::net::direct_read::DirectBody) reads what ureq has not read yet.
    pub(crate) fn start_transfer(&self, direct: bool) {
        *self.phase() = Phase::Transfer { direct };
    }

    /// Sets the time after which neither a connection nor a response is waited for, whatever
    /// timeout each has. A transfer may take longer.
    pub(crate) fn set_deadline(&self, deadline: Option<Instant>) {
        *lock(&self.deadline) = deadline;
    }

    /// `time`, or the time until the deadline if that is shorter.
    pub(crate) fn until_deadline(&self, time: Duration) -> Duration {
        self.left().map_or(time, |left| left.min(time))
    }

    /// Whether the deadline has passed.
    pub(crate) fn is_past_deadline(&self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }

    /// Whether a byte of the request was handed to a connection.
    pub(crate) fn is_sent(&self) -> bool {
        !matches!(*self.phase(), Phase::Unsent { .. })
    }

    /// Whether the server sent a response and closed the connection before it had read the whole
    /// request.
    pub(crate) fn has_early_response(&self) -> bool {
        *self.phase() == Phase::EarlyResponse
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        lock(&self.phase)
    }

    /// The time until the deadline, rounded up to milliseconds.
    fn left(&self) -> Option<Duration> {
        let left = (*lock(&self.deadline))?.saturating_duration_since(Instant::now());
        Some(Duration::from_millis(left.as_micros().div_ceil(1000) as u64))
    }

    /// The timeout for waiting for input, from the one that ureq asks for.
    fn input_timeout(&self, timeout: NextTimeout) -> NextTimeout {
        let (after, timeout) = match *self.phase() {
            Phase::Transfer { .. } => {
                return NextTimeout {
                    after: time::Duration::NotHappening,
                    ..self.with_stall_timeout(timeout)
                };
            }
            Phase::Body { deadline } if timeout.reason == Timeout::RecvBody => {
                let left = deadline.saturating_duration_since(Instant::now());
                (time::Duration::Exact(left), self.with_stall_timeout(timeout))
            }
            _ => (timeout.after, timeout),
        };
        let left = self.left().map_or(time::Duration::NotHappening, time::Duration::Exact);
        NextTimeout { after: after.min(left), ..timeout }
    }

    fn with_stall_timeout(&self, timeout: NextTimeout) -> NextTimeout {
        let stall = Some(time::Duration::Exact(self.stall_timeout));
        NextTimeout { per_read: stall, per_write: stall, ..timeout }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts a [`TrackedTransport`] on every connection.
pub(crate) struct TrackingConnector {
    pub(crate) tracker: Arc<Tracker>,
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
            tracker: Arc::clone(&self.tracker),
            has_untried_input: false,
        }))
    }
}

impl fmt::Debug for TrackingConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TrackingConnector")
    }
}

/// A connection that records in the [`Tracker`] the bytes that pass through it.
pub(crate) struct TrackedTransport {
    inner: Box<dyn DirectTransport>,
    /// The form that an HTTP proxy wants requests in.
    absolute: Option<AbsoluteForm>,
    tracker: Arc<Tracker>,
    /// The input may hold a response that ureq has not tried to read yet: an early one, or one
    /// that arrived while ureq waited for `100 Continue`. ureq leaves it in the buffer and
    /// then waits for more input.
    has_untried_input: bool,
}

impl TrackedTransport {
    /// Sends the first `amount` bytes of the output, the head of a request in absolute form if a
    /// proxy wants that.
    fn transmit(
        &mut self,
        amount: usize,
        is_head: bool,
        timeout: NextTimeout,
    ) -> Result<(), ureq::Error> {
        let Some(absolute) = self.absolute.as_ref().filter(|_| is_head) else {
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

    /// Reads the response of a server that closed the connection without reading the whole request:
    /// it says more than the write error `broken`.
    ///
    /// # Errors
    /// The TLS alert that came instead of a response, or else `broken`.
    fn read_early_response(
        &mut self,
        broken: ureq::Error,
        timeout: NextTimeout,
    ) -> Result<(), ureq::Error> {
        let timeout = NextTimeout { after: time::Duration::Exact(EARLY_RESPONSE_WAIT), ..timeout };
        let has_input = !self.inner.buffers().input().is_empty();
        match self.inner.await_input(timeout) {
            more if has_input || matches!(more, Ok(true)) => {
                self.has_untried_input = true;
                *self.tracker.phase() = Phase::EarlyResponse;
                Ok(())
            }
            Err(ureq::Error::Io(alert)) if tls_error(&alert).is_some() => Err(alert.into()),
            _ => Err(broken),
        }
    }

    /// Waits for the final response head, or for the part of it that ureq may see. Informational
    /// responses without end take no longer than `timeout` together.
    ///
    /// # Errors
    /// Those of the connection, and as [`TrackedTransport::check_transfer_coding`].
    fn await_head(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let deadline = match timeout.after {
            time::Duration::Exact(after) => Instant::now().checked_add(after),
            time::Duration::NotHappening => None,
        };
        loop {
            let left = deadline.map(|it| it.saturating_duration_since(Instant::now()));
            let after = left.map_or(time::Duration::NotHappening, time::Duration::Exact);
            let has_more = self.inner.await_input(NextTimeout { after, ..timeout })?;
            if !has_more || self.skip_informational(timeout.reason)? {
                return Ok(has_more);
            }
        }
    }

    /// Takes informational responses (1xx) out of the input, except for the bare `100 Continue`
    /// that ureq waits for. ureq refuses one with header fields, which RFC 9110 (15.2) allows.
    /// `false`: the input is empty or holds only the start of an informational response.
    ///
    /// # Errors
    /// As [`TrackedTransport::check_transfer_coding`].
    fn skip_informational(&mut self, reason: Timeout) -> Result<bool, ureq::Error> {
        while matches!(*self.tracker.phase(), Phase::Sent | Phase::EarlyResponse) {
            let buffers = self.inner.buffers();
            let input = buffers.input();
            let code = input.get(9..12);
            // 101 would switch to another protocol, which ureq refuses.
            let is_informational = is_informational(input) && code != Some(b"101");
            match (is_informational, head_end(input)) {
                (true, None) => return Ok(input.len() > MAX_HEAD),
                (true, Some(end)) => {
                    let is_continue = code == Some(b"100") && reason == Timeout::Await100;
                    if is_continue && &input[..end] == CONTINUE {
                        return Ok(true);
                    }
                    buffers.input_consume(end);
                    if is_continue && buffers.input().is_empty() {
                        buffers.input_append_buf()[..CONTINUE.len()].copy_from_slice(CONTINUE);
                        buffers.input_appended(CONTINUE.len());
                        return Ok(true);
                    }
                }
                (false, None) => {
                    let has_start = !input.is_empty();
                    // Marks the input as tried: else ureq would not wait for more.
                    buffers.input_consume(0);
                    return Ok(has_start);
                }
                (false, Some(end)) => {
                    self.check_transfer_coding(end)?;
                    let deadline = Instant::now() + self.tracker.timeout;
                    *self.tracker.phase() = Phase::Body { deadline };
                }
            }
        }
        Ok(true)
    }

    /// Makes ureq decode the body of a response whose head is the first `end` bytes of the input.
    /// ureq ignores the transfer coding of HTTP/1.0 (some servers send it, and other clients decode
    /// it) and every one but `chunked`.
    ///
    /// # Errors
    /// [`io::ErrorKind::Other`] for a transfer coding other than `chunked`: the body would be taken
    /// as it is.
    fn check_transfer_coding(&mut self, end: usize) -> Result<(), ureq::Error> {
        let buffers = self.inner.buffers();
        let codings = transfer_codings(&buffers.input()[..end]);
        if !matches!(codings.as_str(), "" | "identity" | "chunked") {
            let reason = format!("the transfer coding '{codings}' is not supported");
            return Err(io::Error::other(reason).into());
        }
        if codings == "chunked" && buffers.input().starts_with(b"HTTP/1.0") {
            let mut input = buffers.input().to_vec();
            input[..8].copy_from_slice(b"HTTP/1.1");
            buffers.input_consume(input.len());
            buffers.input_append_buf()[..input.len()].copy_from_slice(&input);
            buffers.input_appended(input.len());
        }
        Ok(())
    }
}

impl Transport for TrackedTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        if self.tracker.has_early_response() {
            return Ok(());
        }
        let buffers = self.inner.buffers();
        if !buffers.input().is_empty() {
            // A response that arrived along with `100 Continue`: makes ureq ask for it here.
            buffers.input_consume(0);
            self.has_untried_input = true;
        }
        let is_head = !self.tracker.is_sent();
        *self.tracker.phase() = Phase::Sent;
        let timeout = self.tracker.with_stall_timeout(timeout);
        match self.transmit(amount, is_head, timeout) {
            Ok(()) => Ok(()),
            Err(broken) => self.read_early_response(broken, timeout),
        }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let awaits_continue = timeout.reason == Timeout::Await100;
        let is_untried = mem::replace(&mut self.has_untried_input, awaits_continue);
        let has_input = !self.inner.buffers().input().is_empty();
        if is_untried && !awaits_continue && has_input && self.skip_informational(timeout.reason)? {
            return Ok(true);
        }
        let timeout = self.tracker.input_timeout(timeout);
        let phase = *self.tracker.phase();
        match phase {
            Phase::Transfer { direct: true } => Err(Handover::take(&mut self.inner, timeout)),
            Phase::Transfer { direct: false } => self.inner.await_input(timeout).map_err(cut_error),
            Phase::Body { .. } => self.inner.await_input(timeout),
            Phase::Unsent { .. } | Phase::Sent | Phase::EarlyResponse => self.await_head(timeout),
        }
    }

    /// ureq asks before it reuses the connection, and drops it if this is `false`.
    fn is_open(&mut self) -> bool {
        let needs_new = *self.tracker.phase() == Phase::Unsent { needs_new: true };
        !needs_new && self.inner.is_open()
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
