//! How a request body is encoded.

/// The encoding of the request body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Encoding {
    /// JSON for a reference and multipart for an upload. After a 415 the request is sent once more:
    /// JSON as a form with the reference in the field `video[id]`, and a form with a file as
    /// [`Encoding::DataUrl`].
    #[default]
    Auto,
    /// JSON; an error for an upload.
    Json,
    /// `multipart/form-data`.
    Multipart,
    /// JSON, with an upload in it as a `data:` URL (base64), which is a third longer than the file.
    DataUrl,
}
