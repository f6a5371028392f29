//! Video jobs: submits them, recovers them after an interruption, waits for them, lists them and
//! downloads their media.

pub(crate) mod account;
pub(crate) mod content_range;
pub(crate) mod download;
pub(crate) mod effects;
pub(crate) mod list;
pub(crate) mod media;
pub(crate) mod output_file;
pub(crate) mod recovery;
pub(crate) mod search;
#[cfg(test)]
mod simulation;
pub(crate) mod state_file;
pub(crate) mod submit;
pub(crate) mod submit_once;
pub(crate) mod wait;
