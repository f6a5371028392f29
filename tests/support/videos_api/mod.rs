//! A small Videos API over HTTP/1.1 on loopback, and other servers' versions of it. The integration
//! tests serve it, and so does the program in `tests/tools/standin.rs`; what only one of them needs
//! is not in here.

pub mod connection;
pub mod dialects;
pub mod imitation;
pub mod listener;
pub mod multipart;
pub mod request;
pub mod request_reader;
pub mod response;
pub mod videos;
