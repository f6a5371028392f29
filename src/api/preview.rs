//! A request that is shown instead of sent.

/// A request that is shown instead of sent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Preview {
    /// `POST`.
    pub method: &'static str,
    /// The whole URL.
    pub url: String,
    /// Names and values in order; a value that may be secret is `[hidden]`.
    pub headers: Vec<(String, String)>,
    /// The request body.
    pub body: PreviewBody,
}

/// The body of a [`Preview`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PreviewBody {
    /// JSON.
    Json(String),
    /// `multipart/form-data`.
    Form {
        /// Names and values of the text parts, in order.
        parts: Vec<(String, String)>,
        /// The part of the uploaded file, which is sent last.
        file: Option<FilePart>,
    },
}

/// The file part of a form.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FilePart {
    /// The field's name: `video` or `input_reference`.
    pub field: &'static str,
    /// The `filename` parameter, before escaping.
    pub name: String,
    /// The `Content-Type` of the part.
    pub content_type: &'static str,
    /// The size in bytes; `None` for a stream.
    pub size: Option<u64>,
}
