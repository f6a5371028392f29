//! The source of a request's video or image: an id, a URL, an object or an upload.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Mutex;

use serde_json::value::RawValue;

use crate::api::error::Error;
use crate::api::fields::Value;
use crate::api::shorthand;

/// The video of a request, or the image that guides a new one.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reference {
    /// The id of a completed video, sent as `{"id": ...}`; of an image file, sent as `{"file_id":
    /// ...}`.
    Id(String),
    /// A URL (http, https or data), sent as `{"url": ...}`; of an image, as `{"image_url": ...}`.
    Url(String),
    /// An object that is sent as it is. See [`Reference::object`].
    Object(Value),
    /// A file, uploaded as multipart.
    Upload(Upload),
}

impl Reference {
    /// Reads an object from JSON or from the short form `{id: video_123}`.
    ///
    /// # Errors
    /// [`Error::Invalid`], quoting the text, if it is neither.
    pub fn object(text: &str) -> Result<Self, Error> {
        shorthand::to_json(text)
            .and_then(|json| RawValue::from_string(json).map_err(|e| e.to_string()))
            .map_or_else(
                |error| {
                    Err(Error::invalid_with(
                        format!("invalid object '{text}': {error}"),
                        r#"write it as '{"id": "video_123"}' or '{id: video_123}'"#,
                    ))
                },
                |raw| Ok(Reference::Object(Value::Json(raw))),
            )
    }

    /// A file to upload.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Reference::Upload(Upload::File(path.into()))
    }
}

/// The source of an uploaded video or image.
#[derive(Debug)]
#[non_exhaustive]
pub enum Upload {
    /// A file, opened afresh for each attempt.
    File(PathBuf),
    /// A stream of unknown length. It can be read only once, so its request is not retried after a
    /// part was sent.
    Stream(Stream),
}

/// A reader that can be read once.
pub struct Stream(Mutex<Option<Box<dyn Read + Send>>>);

impl Stream {
    /// Wraps a reader.
    pub fn new(reader: impl Read + Send + 'static) -> Self {
        Self(Mutex::new(Some(Box::new(reader))))
    }

    pub(crate) fn take(&self) -> Option<Box<dyn Read + Send>> {
        self.0.lock().ok()?.take()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_object_is_quoted() {
        assert_eq!(
            Reference::object("{id video}").unwrap_err().to_string(),
            "invalid object '{id video}': there is no ':' after \"id video\""
        );
    }
}
