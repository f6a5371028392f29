//! Support code of the integration tests: the stand-in server, which records requests and can fail
//! in every way that a server or a network can; a proxy and a TLS server; and the builder that runs
//! the binary under test and compares its exit code and both streams.

pub mod checks;
pub mod command;
pub mod exchange;
pub mod proxy;
pub mod queue;
pub mod random;
pub mod reply;
pub mod samples;
pub mod secrets;
pub mod server;
pub mod temp;
pub mod tls;
pub mod videos_api;

pub use command::{Openai, Outcome, openai, program};
pub use proxy::{Manner, Proxy};
pub use queue::{fill, short_queue};
pub use random::Random;
pub use reply::Reply;
pub use samples::{DOWNLOAD, EXTEND, JOB, PRINTED, SHORT_WAIT, call, job, media, slow_job};
pub use server::Server;
pub use temp::TempDir;
pub use tls::{Authority, Identity, TlsServer};
pub use videos_api::request::Request;
pub use videos_api::videos::CLIP;

/// Prints why a test has nothing to check on this machine.
#[allow(clippy::print_stderr)]
pub fn skipped(reason: &str) {
    eprintln!("skipped: {reason}");
}
