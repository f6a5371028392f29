//! The terms of the API as data: requests, jobs, errors and events.

pub(crate) mod api_error;
pub(crate) mod encoding;
pub(crate) mod envelope;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod fields;
pub(crate) mod job;
pub(crate) mod operation;
pub(crate) mod preview;
pub(crate) mod reference;
pub(crate) mod shorthand;
pub(crate) mod status;
pub(crate) mod video;
pub(crate) mod video_request;
pub(crate) mod yaml;
