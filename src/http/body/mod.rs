//! Request bodies: multipart forms, JSON with a data URL, streams, and the count of the bytes sent.

pub(crate) mod data_url;
pub(crate) mod multipart;
pub(crate) mod source;
pub(crate) mod stream;
pub(crate) mod upload_meter;
