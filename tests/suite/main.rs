//! The integration tests, one test binary: a module for each behaviour of the program, and the
//! support code that they share, linked once.

#[path = "../support/mod.rs"]
mod support;

mod architecture;
mod commands;
mod debug;
mod docs;
mod download;
mod extend;
mod format;
mod guarantees;
mod hostile;
mod list;
mod media_url;
mod messages;
mod network;
mod output;
mod proxy;
mod redaction;
mod retry;
mod servers;
mod standin;
mod state;
mod tls;
mod upload;
mod wait;
