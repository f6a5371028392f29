//! Request bodies: multipart forms, streams, and the count of the bytes sent.

pub(crate) mod multipart;
pub(crate) mod stream;
pub(crate) mod upload_meter;
