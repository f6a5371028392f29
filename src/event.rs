//! What a caller may want to show while a call runs. The library prints nothing itself.

use std::path::Path;
use std::time::Duration;

use crate::{Error, Job};

/// A report from inside a call. Header values that may be secret come as `[hidden]`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request is about to be sent.
    Sending {
        /// `POST`, say.
        method: &'static str,
        /// The whole URL.
        url: &'a str,
        /// Names and values in order.
        headers: &'a [(String, String)],
    },
    /// More of the request body was handed to the network.
    Upload {
        /// Bytes so far.
        sent: u64,
        /// Bytes in all, unless the body is a stream.
        total: Option<u64>,
    },
    /// The head of an answer came.
    Answer {
        /// The HTTP status.
        status: u16,
        /// Names and values in order.
        headers: &'a [(String, String)],
    },
    /// An attempt failed and another follows.
    Retry {
        /// The delay before it.
        after: Duration,
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
    NotKept {
        /// The job.
        id: &'a str,
        /// Why.
        why: &'a Error,
    },
    /// A file beside the target is being written, or no longer.
    Unfinished {
        /// The file; `None`: it is gone, or in its place.
        path: Option<&'a Path>,
    },
    /// A poll failed; the next one follows.
    PollFailed {
        /// Why.
        why: &'a Error,
    },
    /// The content is not there yet; it is asked for again for up to a minute.
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
    FormInstead,
}
