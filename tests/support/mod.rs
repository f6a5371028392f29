//! What the integration tests share: the stand-in server that records requests and can break a conversation
//! in every way a network can, and the builder that runs the binary under test and compares what came of it.

// Each test file compiles this module for itself and uses a part of it.
#![allow(dead_code, unused_imports)]

pub mod acceptor;
pub mod calls;
pub mod command;
pub mod multipart;
pub mod proxy;
pub mod queue;
pub mod random;
pub mod reply;
pub mod request;
pub mod server;
pub mod temp;
pub mod tls;
pub mod videos;
pub mod wire;

pub use calls::{DOWNLOAD, EXTEND, JOB, PRINTED, call, job, media};
pub use command::{Openai, Outcome, Running, openai, program};
pub use multipart::Part;
pub use proxy::{Manner, Proxy};
pub use queue::{fill, short_queue};
pub use random::Random;
pub use reply::Reply;
pub use request::Request;
pub use server::Server;
pub use temp::TempDir;
pub use tls::{Authority, Identity, TlsServer};
pub use videos::CLIP;

/// Says why a test has nothing to check on this machine.
#[allow(clippy::print_stderr)]
pub fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}
