//! The terms of the API as data: requests, jobs, errors and events.

pub(crate) mod api_error;
pub(crate) mod encoding;
pub(crate) mod envelope;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod extension;
pub(crate) mod job;
pub(crate) mod preview;
pub(crate) mod shorthand;
pub(crate) mod video;
