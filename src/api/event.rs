//! Events that a caller may want to show while a method of the client runs. The library itself
//! prints nothing.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::api::encoding::Encoding;
use crate::api::error::Error;
use crate::api::job::Job;

/// The function that receives events.
pub(crate) type Report = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

/// Something that happens while a method of the client runs. Header values that may be secret are
/// `[hidden]`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request is about to be sent.
    Request {
        /// The method, such as `POST`.
        method: &'static str,
        /// The URL; after a redirect without its query and credentials.
        url: &'a str,
        /// Names and values in the order sent or received.
        headers: &'a [(String, String)],
    },
    /// Connecting to one address of the server or proxy failed. The next address follows, if there
    /// is one.
    Unreachable {
        /// The address.
        address: SocketAddr,
        /// The reason.
        reason: &'a str,
    },
    /// A new connection is open. An earlier one is reused where this event is missing between
    /// [`Event::Request`] and [`Event::Response`].
    Connected {
        /// The address of the server, or of the proxy.
        address: SocketAddr,
        /// The proxy's `host:port`.
        proxy: Option<&'a str>,
        /// The version of TLS to the server, such as `TLS 1.3`; `None` for plain http.
        tls: Option<&'static str>,
        /// The time that each step took.
        took: ConnectTimings,
    },
    /// A part of the request body was written to the connection.
    Upload {
        /// Bytes so far.
        sent: u64,
        /// Bytes in total; `None` for a stream.
        total: Option<u64>,
    },
    /// The head of a response was received.
    Response {
        /// The HTTP status.
        status: u16,
        /// Names and values in the order sent or received.
        headers: &'a [(String, String)],
    },
    /// The body of a response was read, whole or up to the limit. Media are reported as
    /// [`Event::Download`].
    BodyRead {
        /// Bytes read.
        size: u64,
    },
    /// An attempt failed and will be retried.
    Retry {
        /// The delay before it.
        after: Duration,
        /// Whether the server asked for this delay. Otherwise it is an exponential backoff from
        /// 0.5 s to 8 s, less up to 25 % of jitter.
        asked: bool,
        /// 1 for the first retry.
        number: u32,
        /// The largest number of retries.
        max_retries: u32,
        /// The reason.
        error: &'a Error,
    },
    /// A job was created, or a poll succeeded.
    Status {
        /// The job as the server describes it now.
        job: &'a Job,
        /// The time since the wait began.
        elapsed: Duration,
    },
    /// The job's id could not be written to the state file. The run continues without it.
    StateNotSaved {
        /// The id of the job.
        id: &'a str,
        /// The reason.
        error: &'a Error,
    },
    /// The server does not list the job of an interrupted POST. It may list it late, and is asked
    /// again.
    JobNotListed {
        /// After this time the job counts as not created.
        left: Duration,
    },
    /// The list of jobs is incomplete: the server does not return its next page.
    ListIncomplete,
    /// A temporary file beside the target was created, removed or renamed.
    TemporaryFile {
        /// The file; `None` when it was removed or renamed to the target.
        path: Option<&'a Path>,
    },
    /// A poll failed; the wait continues.
    PollFailed {
        /// The reason.
        error: &'a Error,
    },
    /// The content is not ready; it is requested again for up to a minute. Reported again only if
    /// the status changes.
    NotReady {
        /// The server's response.
        error: &'a Error,
    },
    /// A part of the content was received.
    Download {
        /// Bytes so far.
        received: u64,
        /// Bytes in total, if the server gives the length.
        total: Option<u64>,
    },
    /// The server does not accept the encoding of the request (415): it is sent again in another
    /// one.
    EncodingSwitched {
        /// [`Encoding::Multipart`] after JSON, [`Encoding::DataUrl`] after a form.
        to: Encoding,
    },
}

/// The time that each step to a new connection took; zero for a step that was not needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectTimings {
    /// The DNS lookup.
    pub lookup: Duration,
    /// The TCP handshake, including addresses that failed.
    pub connect: Duration,
    /// The proxy's handshake: TLS to the proxy, and the tunnel.
    pub proxy: Duration,
    /// The TLS handshake with the server.
    pub handshake: Duration,
}
