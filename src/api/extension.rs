//! The request to extend a video, checked before it is sent (`CreateVideoExtendJsonBody` and
//! `CreateVideoExtendMultipartBody` of the API reference). Nothing here does I/O.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Mutex;

use serde_json::value::RawValue;

use crate::api::encoding::Encoding;
use crate::api::error::Error;
use crate::api::shorthand;
use crate::json::{self, Object};

/// The longest prompt, in Unicode characters.
pub const MAX_PROMPT: usize = 32_000;

/// The segment lengths that the API reference allows, in seconds.
pub const SECONDS: [&str; 5] = ["4", "8", "12", "16", "20"];

/// A body with more fields is refused: no server has that many, and each is searched for by its
/// name.
const MAX_FIELDS: usize = 1000;

/// Fields that some servers take in place of `seconds` and `video`: a request with one of them is
/// complete.
const STAND_INS: [(&str, &[&str]); 2] =
    [("seconds", &["duration"]), ("video", &["video_id", "video_url"])];

/// The completed video to extend.
#[derive(Debug)]
#[non_exhaustive]
pub enum VideoReference {
    /// Its id, sent as `{"id": ...}`.
    Id(String),
    /// An object that is sent as it is, such as `{"url": ...}`. See [`VideoReference::object`].
    Object(Value),
    /// A file, uploaded as multipart.
    Upload(Upload),
}

impl VideoReference {
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
                        format!("invalid video object '{text}': {error}"),
                        r#"write it as '{"id": "video_123"}' or '{id: video_123}'"#,
                    ))
                },
                |raw| Ok(VideoReference::Object(Value::Json(raw))),
            )
    }

    /// A file to upload.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        VideoReference::Upload(Upload::File(path.into()))
    }
}

/// The source of an uploaded video.
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

/// The value of a request field.
#[derive(Debug, Clone)]
pub enum Value {
    /// Text, a string in JSON.
    Text(String),
    /// JSON. It is sent on one line, with its literals as they were written.
    Json(Box<RawValue>),
}

impl Value {
    /// Reads a JSON value.
    ///
    /// # Errors
    /// [`Error::Invalid`], quoting the text, if it is not JSON.
    pub fn json(text: &str) -> Result<Self, Error> {
        match serde_json::from_str(text) {
            Ok(raw) => Ok(Value::Json(raw)),
            Err(error) => Err(Error::invalid(format!("'{text}' is not JSON: {error}"))),
        }
    }

    fn to_json(&self) -> String {
        match self {
            Value::Text(text) => json::quote(text),
            Value::Json(raw) => json::compact(raw.get()),
        }
    }

    /// The value in a form: a string without its quotes, anything else as JSON.
    fn to_text(&self) -> String {
        match self {
            Value::Text(text) => text.clone(),
            Value::Json(raw) => form_text(raw),
        }
    }
}

fn form_text(raw: &RawValue) -> String {
    json::scalar(raw).unwrap_or_else(|| json::compact(raw.get()))
}

/// Request fields in the order in which they are sent.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<(String, Value)>);

impl Fields {
    /// Reads the members of a JSON object.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the text is not a JSON object, with line and column, or has more than
    /// 1,000 members.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let object = Object::parse(text).map_err(|error| {
            Error::invalid(format!("the request body is not a JSON object: {error}"))
        })?;
        if object.0.len() > MAX_FIELDS {
            return Err(Error::invalid(format!(
                "the request body has more than {MAX_FIELDS} fields"
            )));
        }
        let mut fields = Self::default();
        for (name, raw) in object.0 {
            fields.set(name, Value::Json(raw.to_owned()));
        }
        Ok(fields)
    }

    /// Sets the value of a field. A new field is appended; a known one keeps its place.
    pub fn set(&mut self, name: impl Into<String>, value: Value) {
        let name = name.into();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// A request to extend a video, checked.
#[derive(Debug)]
pub struct Extension {
    fields: Fields,
    upload: Option<Upload>,
    pub(crate) encoding: Encoding,
    pub(crate) idempotency_key: Option<String>,
}

impl Extension {
    /// Extends `video` as `prompt` says (1 to 32,000 characters) by `seconds`, one of [`SECONDS`].
    ///
    /// # Errors
    /// [`Error::Invalid`] for a value outside these bounds.
    ///
    /// ```
    /// use openai_videos::{Extension, VideoReference};
    /// let video = VideoReference::Id("video_123".into());
    /// let extension = Extension::new("The camera pulls back", "8", video)?;
    /// # Ok::<(), openai_videos::Error>(())
    /// ```
    pub fn new(
        prompt: impl Into<String>,
        seconds: &str,
        video: VideoReference,
    ) -> Result<Self, Error> {
        let mut fields = Fields::default();
        fields.set("prompt", Value::Text(prompt.into()));
        check_seconds(seconds)?;
        fields.set("seconds", Value::Text(seconds.to_owned()));
        Self::from_fields(fields, Some(video))
    }

    /// A request of any fields, for servers that take more or other ones than the API reference
    /// has. `video` replaces a field of that name. `seconds` may have any value; a field `duration`
    /// can stand for it, and `video_id` or `video_url` for the video.
    ///
    /// # Errors
    /// [`Error::Missing`] for a missing field; [`Error::Invalid`] for a prompt that is not a string
    /// of 1 to 32,000 characters.
    pub fn from_fields(mut fields: Fields, video: Option<VideoReference>) -> Result<Self, Error> {
        let mut upload = None;
        match video {
            Some(VideoReference::Id(id)) if id.trim().is_empty() => {
                return Err(Error::invalid("the video id is empty"));
            }
            Some(VideoReference::Id(id)) => {
                let reference = RawValue::from_string(format!("{{\"id\":{}}}", json::quote(&id)));
                fields.set(
                    "video",
                    Value::Json(reference.map_err(|error| Error::invalid(error.to_string()))?),
                );
            }
            Some(VideoReference::Object(Value::Json(raw)))
                if Object::parse(raw.get()).is_ok_and(|object| object.0.is_empty()) =>
            {
                return Err(Error::invalid("the video object is empty"));
            }
            Some(VideoReference::Object(object)) => fields.set("video", object),
            Some(VideoReference::Upload(file)) => {
                fields.0.retain(|(name, _)| name != "video");
                upload = Some(file);
            }
            None => {}
        }
        check_prompt(fields.get("prompt"))?;
        for (name, stand_ins) in STAND_INS {
            let present = |name: &&str| fields.get(name).is_some();
            let uploaded = name == "video" && upload.is_some();
            if !uploaded && !present(&name) && !stand_ins.iter().any(present) {
                return Err(Error::Missing { field: name });
            }
        }
        Ok(Self { fields, upload, encoding: Encoding::Auto, idempotency_key: None })
    }

    /// Chooses the encoding. Default: [`Encoding::Auto`].
    ///
    /// # Errors
    /// [`Error::Invalid`] for [`Encoding::Json`] with an upload.
    pub fn encoding(mut self, encoding: Encoding) -> Result<Self, Error> {
        if encoding == Encoding::Json && self.upload.is_some() {
            return Err(Error::invalid_with(
                "a file cannot be uploaded as JSON",
                "use the encoding 'data-url', or leave it to 'auto'",
            ));
        }
        self.encoding = encoding;
        Ok(self)
    }

    /// Sends this `Idempotency-Key` instead of a random one.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is empty or contains a character that is not printable ASCII.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Result<Self, Error> {
        let key = key.into();
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::invalid(format!(
                "invalid idempotency key '{}': it must be printable ASCII without spaces",
                key.escape_debug()
            )));
        }
        self.idempotency_key = Some(key);
        Ok(self)
    }

    /// The prompt.
    pub(crate) fn prompt(&self) -> String {
        self.fields.get("prompt").map(Value::to_text).unwrap_or_default()
    }

    pub(crate) fn upload(&self) -> Option<&Upload> {
        self.upload.as_ref()
    }

    /// The encoding to send first, and the one to switch to if the server responds with 415.
    pub(crate) fn encodings(&self) -> (Encoding, Option<Encoding>) {
        match (self.encoding, &self.upload) {
            (Encoding::Auto, None) => (Encoding::Json, Some(Encoding::Multipart)),
            (Encoding::Auto, Some(_)) => (Encoding::Multipart, Some(Encoding::DataUrl)),
            (Encoding::DataUrl, None) => (Encoding::Json, None),
            (encoding, _) => (encoding, None),
        }
    }

    /// The other encoding that this request can be sent in.
    pub(crate) fn other_encoding(&self, encoding: Encoding) -> Encoding {
        match (encoding, &self.upload) {
            (Encoding::Multipart, None) => Encoding::Json,
            (Encoding::Multipart, Some(_)) => Encoding::DataUrl,
            _ => Encoding::Multipart,
        }
    }

    /// The request as a JSON object.
    pub(crate) fn to_json(&self) -> String {
        let members: Vec<String> = self
            .fields
            .0
            .iter()
            .map(|(name, value)| format!("{}:{}", json::quote(name), value.to_json()))
            .collect();
        format!("{{{}}}", members.join(","))
    }

    /// The text parts of the form: a reference object becomes `video[id]`, one part for each of its
    /// members.
    pub(crate) fn to_parts(&self) -> Vec<(String, String)> {
        let mut parts = Vec::new();
        for (name, value) in &self.fields.0 {
            let object = match value {
                Value::Json(raw) if name == "video" => Object::parse(raw.get()).ok(),
                _ => None,
            };
            match object {
                Some(object) => parts.extend(
                    object
                        .0
                        .into_iter()
                        .map(|(key, raw)| (format!("video[{key}]"), form_text(raw))),
                ),
                None => parts.push((name.clone(), value.to_text())),
            }
        }
        parts
    }
}

/// Checks a segment length against [`SECONDS`].
///
/// # Errors
/// [`Error::Invalid`], quoting it and naming the allowed ones.
pub fn check_seconds(seconds: &str) -> Result<(), Error> {
    if SECONDS.contains(&seconds) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "seconds cannot be '{seconds}': it is one of {}",
        SECONDS.join(", ")
    )))
}

fn check_prompt(prompt: Option<&Value>) -> Result<(), Error> {
    let text = match prompt {
        None => return Err(Error::Missing { field: "prompt" }),
        Some(Value::Json(raw)) if !raw.get().starts_with('"') => {
            return Err(Error::invalid(format!(
                "the prompt is not a string: {}",
                crate::text::shorten(raw.get())
            )));
        }
        Some(value) => value.to_text(),
    };
    match text.chars().count() {
        0 => Err(Error::invalid("the prompt is empty")),
        1..=MAX_PROMPT => Ok(()),
        count => Err(Error::invalid(format!(
            "the prompt has {count} characters, and at most {MAX_PROMPT} are allowed"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> VideoReference {
        VideoReference::Id("video_1".to_owned())
    }

    #[test]
    fn an_id_is_sent_as_the_documented_json() {
        let extension = Extension::new("a \"b\"\n🎬", "4", id()).unwrap();
        assert_eq!(
            extension.to_json(),
            r#"{"prompt":"a \"b\"\n🎬","seconds":"4","video":{"id":"video_1"}}"#
        );
    }

    #[test]
    fn a_reference_in_a_form_has_one_part_for_each_member() {
        let video = VideoReference::object(r#"{"id": "v", "n": 1.0, "o": {"x": []}}"#).unwrap();
        let parts = Extension::new("p", "8", video).unwrap().to_parts();
        let expected = [
            ("prompt", "p"),
            ("seconds", "8"),
            ("video[id]", "v"),
            ("video[n]", "1.0"),
            ("video[o]", r#"{"x":[]}"#),
        ];
        assert_eq!(parts, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn fields_keep_their_order_and_their_literals() {
        let mut fields =
            Fields::from_json(r#"{"model":"m","prompt":"a","seconds":4,"video":{"id":"old"}}"#)
                .unwrap();
        fields.set("prompt", Value::Text("b".to_owned()));
        fields.set("duration", Value::json("6.50").unwrap());
        let extension = Extension::from_fields(fields, Some(id())).unwrap();
        assert_eq!(
            extension.to_json(),
            r#"{"model":"m","prompt":"b","seconds":4,"video":{"id":"video_1"},"duration":6.50}"#
        );
    }

    #[test]
    fn json_values_are_compacted_without_changing_their_literals() {
        let fields =
            Fields::from_json("{\"prompt\":\"a  b\",\"seconds\":4,\n\"video\" : {\n  \"id\": \"v 1\" ,\"n\":[ 1.50,\t2e3 ]\r\n}}")
                .unwrap();
        let mut extension = Extension::from_fields(fields, None).unwrap();
        assert_eq!(
            extension.to_json(),
            r#"{"prompt":"a  b","seconds":4,"video":{"id":"v 1","n":[1.50,2e3]}}"#
        );
        assert_eq!(extension.to_parts()[3].1, "[1.50,2e3]");
        for video in ["{\"id\":\n\"v\"}", "{id:\nv}"] {
            let mut fields = Fields::default();
            fields.set("prompt", Value::Text("p".to_owned()));
            fields.set("seconds", Value::json(" 4\n").unwrap());
            extension =
                Extension::from_fields(fields, Some(VideoReference::object(video).unwrap()))
                    .unwrap();
            assert_eq!(extension.to_json(), r#"{"prompt":"p","seconds":4,"video":{"id":"v"}}"#);
        }
    }

    #[test]
    fn an_upload_replaces_a_video_field() {
        let fields =
            Fields::from_json(r#"{"prompt":"a","seconds":"4","video":{"id":"old"}}"#).unwrap();
        let extension =
            Extension::from_fields(fields, Some(VideoReference::file("clip.mp4"))).unwrap();
        assert_eq!(extension.encodings(), (Encoding::Multipart, Some(Encoding::DataUrl)));
        assert_eq!(extension.to_parts().len(), 2);
        assert!(extension.encoding(Encoding::Json).is_err());
    }

    #[test]
    fn prompts_have_1_to_32000_characters() {
        for (prompt, error) in [
            ("".to_owned(), Some("the prompt is empty")),
            ("é".repeat(32_000), None),
            (
                "é".repeat(32_001),
                Some("the prompt has 32001 characters, and at most 32000 are allowed"),
            ),
        ] {
            let result = Extension::new(prompt, "4", id());
            assert_eq!(result.err().map(|e| e.to_string()).as_deref(), error);
        }
        let fields = Fields::from_json(r#"{"prompt":["x"],"seconds":4,"video":"v"}"#).unwrap();
        assert_eq!(
            Extension::from_fields(fields, None).unwrap_err().to_string(),
            r#"the prompt is not a string: ["x"]"#
        );
    }

    #[test]
    fn other_lengths_are_refused_with_the_allowed_ones() {
        for seconds in ["5", "", "4.0", " 4", "-4"] {
            let message = Extension::new("p", seconds, id()).unwrap_err().to_string();
            assert_eq!(
                message,
                format!("seconds cannot be '{seconds}': it is one of 4, 8, 12, 16, 20")
            );
        }
    }

    #[test]
    fn a_missing_field_is_named_unless_another_field_replaces_it() {
        for (body, missing) in [
            (r#"{"seconds":"4","video":"v"}"#, Some("the request has no prompt")),
            (r#"{"prompt":"p","video":"v"}"#, Some("the request has no seconds")),
            (r#"{"prompt":"p","seconds":"4"}"#, Some("the request has no video")),
            (r#"{"prompt":"p","duration":6,"video_id":"v"}"#, None),
        ] {
            let result = Extension::from_fields(Fields::from_json(body).unwrap(), None);
            assert_eq!(result.err().map(|e| e.to_string()).as_deref(), missing, "{body}");
        }
    }

    #[test]
    fn an_invalid_object_is_quoted() {
        assert_eq!(
            VideoReference::object("{id video}").unwrap_err().to_string(),
            "invalid video object '{id video}': there is no ':' after \"id video\""
        );
    }
}
