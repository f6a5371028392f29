//! Request bodies.

pub(crate) mod multipart;
pub(crate) mod stream;
pub(crate) mod upload_meter;
