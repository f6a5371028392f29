//! What a caller may want to show while a call runs. The library prints nothing itself.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::api::error::Error;
use crate::api::job::Job;

/// Where reports go.
pub(crate) type Report = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

/// A report from inside a call. Header values that may be secret come as `[hidden]`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request is about to be sent.
    Request {
        /// `POST`, say.
        method: &'static str,
        /// The URL; of one that the server redirects to, no query and no credentials.
        url: &'a str,
        /// Names and values in order.
        headers: &'a [(String, String)],
    },
    /// A server or proxy could not be connected to at one of its addresses. The next one follows, if there is one.
    Unreachable {
        /// The address.
        address: SocketAddr,
        /// Why.
        why: &'a str,
    },
    /// A new connection is open. Without this report between a [`Event::Request`] and its [`Event::Response`] an
    /// earlier connection is used again.
    Connected {
        /// The server's address, or that of the proxy that leads to it.
        address: SocketAddr,
        /// The proxy's `host:port`.
        proxy: Option<&'a str>,
        /// What is spoken to the server over it: `TLS 1.3`, say, or `None` for plain HTTP.
        tls: Option<&'static str>,
        /// What the way to it took.
        took: ConnectTimings,
    },
    /// More of the request body was handed to the network.
    Upload {
        /// Bytes so far.
        sent: u64,
        /// Bytes in all, unless the body is a stream.
        total: Option<u64>,
    },
    /// The head of an answer came.
    Response {
        /// The HTTP status.
        status: u16,
        /// Names and values in order.
        headers: &'a [(String, String)],
    },
    /// The body of an answer was read to its end, or as far as it is wanted. Media come as [`Event::Download`].
    BodyRead {
        /// Bytes.
        size: u64,
    },
    /// An attempt failed and another follows.
    Retry {
        /// The delay before it.
        after: Duration,
        /// Whether the server asked for this delay; otherwise it is half a second, doubling up to 8 s, less up to
        /// a quarter.
        asked: bool,
        /// 1 for the first retry.
        number: u32,
        /// How many there may be.
        of: u32,
        /// Why.
        why: &'a Error,
    },
    /// A job was created, or was seen again.
    Status {
        /// As it is now.
        job: &'a Job,
        /// Since the wait began; zero for the first look.
        elapsed: Duration,
    },
    /// The job's id could not be written to the state file. The run goes on without.
    StateNotSaved {
        /// The job.
        id: &'a str,
        /// Why.
        why: &'a Error,
    },
    /// A file beside the target is being written, or no longer.
    TemporaryFile {
        /// The file; `None`: it is gone, or in its place.
        path: Option<&'a Path>,
    },
    /// A poll failed; the next one follows.
    PollFailed {
        /// Why.
        why: &'a Error,
    },
    /// The content is not ready; it is requested again for up to a minute. Reported again only if the status changes.
    NotReady {
        /// What the server said.
        why: &'a Error,
    },
    /// More of the content came.
    Download {
        /// Bytes so far.
        received: u64,
        /// Bytes in all, if the server said.
        total: Option<u64>,
    },
    /// The server takes no JSON here (415): the reference is sent as a form.
    EncodingSwitched,
}

/// What the steps to a new connection took. Those that were not needed took no time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectTimings {
    /// Looking names up.
    pub lookup: Duration,
    /// Connecting: TCP, with the addresses that were tried in vain.
    pub connect: Duration,
    /// Asking the proxy for a way to the server, with TLS to the proxy.
    pub proxy: Duration,
    /// The TLS handshake with the server.
    pub handshake: Duration,
}
