//! A request as it is shown instead of being sent.

/// A request that is only shown.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Preview {
    /// `POST`.
    pub method: &'static str,
    /// The whole URL.
    pub url: String,
    /// Names and values; a value that may be secret is `[hidden]`.
    pub headers: Vec<(String, String)>,
    /// What follows the headers.
    pub body: PreviewBody,
}

/// The body of a [`Preview`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PreviewBody {
    /// A JSON text.
    Json(String),
    /// A form.
    Form {
        /// Names and contents of the text parts, in order.
        parts: Vec<(String, String)>,
        /// The part `video`, which comes last.
        file: Option<FilePart>,
    },
}

/// The file part of a form.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FilePart {
    /// The file name that the server sees, before escaping.
    pub name: String,
    /// The `Content-Type` of the part.
    pub content_type: &'static str,
    /// In bytes; `None` for a stream.
    pub size: Option<u64>,
}
