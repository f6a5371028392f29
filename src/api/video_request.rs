//! A request that creates a job or a character, checked before it is sent. Nothing here does I/O.

use serde_json::value::RawValue;

use crate::api::encoding::Encoding;
use crate::api::error::Error;
use crate::api::fields::{Fields, Value, form_text};
use crate::api::operation::{Operation, ReferenceRule, Rules};
use crate::api::reference::{Reference, Upload};
use crate::json::{self, Object};
use crate::text::shorten;
use crate::url::segment;

/// The longest prompt, in Unicode characters.
pub const MAX_PROMPT: usize = 32_000;
/// The longest name of a character, in Unicode characters.
pub const MAX_NAME: usize = 80;

/// A request that creates a job or a character, checked.
#[derive(Debug)]
pub struct VideoRequest {
    pub(crate) operation: Operation,
    /// The path after the base URL.
    pub(crate) path: String,
    /// The id in the path.
    pub(crate) remixed_id: Option<String>,
    fields: Fields,
    /// The fields as a JSON object.
    pub(crate) json: String,
    upload: Option<Upload>,
    encoding: Encoding,
    pub(crate) idempotency_key: Option<String>,
}

impl VideoRequest {
    /// Creates a video as `prompt` says (1 to 32,000 characters), with the server's defaults.
    /// [`VideoRequest::from_fields`] takes a model, a size, a length and an image, too.
    ///
    /// ```
    /// use openai_videos::VideoRequest;
    /// let request = VideoRequest::create("A cat on a piano")?;
    /// # Ok::<(), openai_videos::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] for a value outside these bounds; here and below.
    pub fn create(prompt: &str) -> Result<Self, Error> {
        Self::from_fields(Operation::Create, texts(&[("prompt", prompt)]), None)
    }

    /// Extends `video` as `prompt` says by `seconds`: 4, 8, 12, 16 or 20.
    ///
    /// ```
    /// use openai_videos::{Reference, VideoRequest};
    /// let video = Reference::Id("video_123".into());
    /// let request = VideoRequest::extend("The camera pulls back", "8", video)?;
    /// # Ok::<(), openai_videos::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`VideoRequest::create`].
    pub fn extend(prompt: &str, seconds: &str, video: Reference) -> Result<Self, Error> {
        let allowed = Operation::Extend.seconds();
        if !allowed.contains(&seconds) {
            return Err(Error::invalid(format!(
                "seconds cannot be '{seconds}': it is one of {}",
                allowed.join(", ")
            )));
        }
        let fields = texts(&[("prompt", prompt), ("seconds", seconds)]);
        Self::from_fields(Operation::Extend, fields, Some(video))
    }

    /// Changes `video` as `prompt` says.
    ///
    /// # Errors
    /// As [`VideoRequest::create`].
    pub fn edit(prompt: &str, video: Reference) -> Result<Self, Error> {
        Self::from_fields(Operation::Edit, texts(&[("prompt", prompt)]), Some(video))
    }

    /// Makes another version of the video with this id as `prompt` says.
    ///
    /// # Errors
    /// As [`VideoRequest::create`].
    pub fn remix(video_id: &str, prompt: &str) -> Result<Self, Error> {
        let video = Reference::Id(video_id.to_owned());
        Self::from_fields(Operation::Remix, texts(&[("prompt", prompt)]), Some(video))
    }

    /// Makes a character with this name (1 to 80 characters) from an uploaded video.
    ///
    /// # Errors
    /// As [`VideoRequest::create`].
    pub fn create_character(name: &str, video: Upload) -> Result<Self, Error> {
        let fields = texts(&[("name", name)]);
        Self::from_fields(Operation::CreateCharacter, fields, Some(Reference::Upload(video)))
    }

    /// A request of any fields, for servers that take more or other ones than the API reference
    /// has. `reference` is the video, or for [`Operation::Create`] the image; it replaces a field
    /// of that name. For [`Operation::Remix`] it is the id in the path. `seconds` may have any
    /// value; a field `duration` can stand for it, and `video_id` or `video_url` for the video.
    ///
    /// ```
    /// use openai_videos::{Fields, Operation, Reference, Value, VideoRequest};
    /// let mut fields = Fields::from_json(r#"{"prompt": "It rains", "seconds": "8"}"#)?;
    /// fields.set("model", Value::Text("grok-imagine-video".into()));
    /// let image = Reference::file("still.png");
    /// let request = VideoRequest::from_fields(Operation::Create, fields, Some(image))?;
    /// # Ok::<(), openai_videos::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Missing`] for a missing field; [`Error::Invalid`] for a prompt or a name outside
    /// its bounds, or a reference that the operation does not take.
    pub fn from_fields(
        operation: Operation,
        mut fields: Fields,
        reference: Option<Reference>,
    ) -> Result<Self, Error> {
        let rules = operation.rules();
        let (upload, remixed_id) = take_reference(operation, &mut fields, reference)?;
        let uploaded = upload.as_ref().map(|_| rules.reference.field);
        check_required(rules, &fields, uploaded)?;
        check_length(&fields, "prompt", MAX_PROMPT)?;
        if operation == Operation::CreateCharacter {
            check_length(&fields, "name", MAX_NAME)?;
        }
        let path = rules.path.replace("{id}", &segment(remixed_id.as_deref().unwrap_or_default()));
        Ok(Self {
            operation,
            path,
            remixed_id,
            json: fields.to_json(),
            fields,
            upload,
            encoding: Encoding::Auto,
            idempotency_key: None,
        })
    }

    /// Chooses the encoding. Default: [`Encoding::Auto`].
    ///
    /// # Errors
    /// [`Error::Invalid`] for [`Encoding::Json`] with an upload, and for anything but a form to
    /// create a character.
    pub fn encoding(mut self, encoding: Encoding) -> Result<Self, Error> {
        if self.operation.rules().is_always_form
            && !matches!(encoding, Encoding::Auto | Encoding::Multipart)
        {
            return Err(Error::invalid("a character is created with a form"));
        }
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

    /// The id of the video to remix.
    pub fn remixed_id(&self) -> Option<&str> {
        self.remixed_id.as_deref()
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
            _ if self.operation.rules().is_always_form => (Encoding::Multipart, None),
            (Encoding::Auto, None) => (Encoding::Json, Some(Encoding::Multipart)),
            (Encoding::Auto, Some(_)) => (Encoding::Multipart, Some(Encoding::DataUrl)),
            (Encoding::DataUrl, None) => (Encoding::Json, None),
            (encoding, _) => (encoding, None),
        }
    }

    /// The other encoding that this request can be sent in, if there is one.
    pub(crate) fn other_encoding(&self, encoding: Encoding) -> Option<Encoding> {
        match (encoding, &self.upload) {
            _ if self.operation.rules().is_always_form => None,
            (Encoding::Multipart, None) => Some(Encoding::Json),
            (Encoding::Multipart, Some(_)) => Some(Encoding::DataUrl),
            _ => Some(Encoding::Multipart),
        }
    }

    /// The text parts of the form: a reference object becomes `video[id]`, one part for each of its
    /// members.
    pub(crate) fn to_parts(&self) -> Vec<(String, String)> {
        let reference = self.operation.reference_field();
        let mut parts = Vec::new();
        for (name, value) in &self.fields.0 {
            let object = match value {
                Value::Json(raw) if name == reference => Object::parse(raw.get()).ok(),
                _ => None,
            };
            match object {
                Some(object) => parts.extend(
                    object
                        .0
                        .into_iter()
                        .map(|(key, raw)| (format!("{name}[{key}]"), form_text(raw))),
                ),
                None => parts.push((name.clone(), value.to_text())),
            }
        }
        parts
    }
}

fn texts(fields: &[(&str, &str)]) -> Fields {
    let text = |(name, text): &(&str, &str)| ((*name).to_owned(), Value::Text((*text).to_owned()));
    Fields(fields.iter().map(text).collect())
}

/// The object that is the value of the reference's field.
fn object(rule: &ReferenceRule, reference: Reference) -> Result<Value, Error> {
    let (member, text) = match reference {
        Reference::Object(Value::Json(raw))
            if Object::parse(raw.get()).is_ok_and(|object| object.0.is_empty()) =>
        {
            return Err(Error::invalid(format!("the {} object is empty", rule.field)));
        }
        Reference::Object(object) => return Ok(object),
        Reference::Id(id) if id.trim().is_empty() => {
            return Err(Error::invalid(format!("the {} id is empty", rule.field)));
        }
        Reference::Id(id) => (rule.id, id),
        Reference::Url(url) => (rule.url, url),
        Reference::Upload(_) => return Err(Error::invalid("an upload is not a reference")),
    };
    let object = format!("{{\"{member}\":{}}}", json::quote(&text));
    let raw = RawValue::from_string(object).map_err(|error| Error::invalid(error.to_string()))?;
    Ok(Value::Json(raw))
}

/// Sets the field of the reference. Returns the file to upload, or the id for the path of a remix.
fn take_reference(
    operation: Operation,
    fields: &mut Fields,
    reference: Option<Reference>,
) -> Result<(Option<Upload>, Option<String>), Error> {
    let rule = &operation.rules().reference;
    match (operation, reference) {
        (Operation::Remix, Some(Reference::Id(id))) if !id.trim().is_empty() => {
            Ok((None, Some(id)))
        }
        (Operation::Remix, Some(_)) => Err(Error::invalid("a remix needs the id of a video")),
        (Operation::Remix, None) => Err(Error::Missing { field: "video" }),
        (_, Some(Reference::Upload(file))) => {
            fields.remove(rule.field);
            Ok((Some(file), None))
        }
        (Operation::CreateCharacter, Some(_)) => {
            Err(Error::invalid("a character needs a video to upload"))
        }
        (_, Some(reference)) => {
            fields.set(rule.field, object(rule, reference)?);
            Ok((None, None))
        }
        (_, None) => Ok((None, None)),
    }
}

/// Checks that no required field is missing. `uploaded`: the field of the file, if there is one.
fn check_required(rules: &Rules, fields: &Fields, uploaded: Option<&str>) -> Result<(), Error> {
    for (name, stand_ins) in rules.required {
        let present = |name: &&str| fields.get(name).is_some();
        if uploaded != Some(*name) && !present(name) && !stand_ins.iter().any(present) {
            return Err(Error::Missing { field: name });
        }
    }
    Ok(())
}

/// Checks that a field, if it is there, is a string of 1 to `most` characters.
fn check_length(fields: &Fields, name: &str, most: usize) -> Result<(), Error> {
    let text = match fields.get(name) {
        None => return Ok(()),
        Some(Value::Json(raw)) if !raw.get().starts_with('"') => {
            let shown = shorten(raw.get());
            return Err(Error::invalid(format!("the {name} is not a string: {shown}")));
        }
        Some(value) => value.to_text(),
    };
    match text.chars().count() {
        0 => Err(Error::invalid(format!("the {name} is empty"))),
        count if count > most => Err(Error::invalid(format!(
            "the {name} has {count} characters, and at most {most} are allowed"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> Reference {
        Reference::Id("video_1".to_owned())
    }

    #[test]
    fn an_id_is_sent_as_the_documented_json() {
        let request = VideoRequest::extend("a \"b\"\n🎬", "4", id()).unwrap();
        assert_eq!(
            request.json,
            r#"{"prompt":"a \"b\"\n🎬","seconds":"4","video":{"id":"video_1"}}"#
        );
    }

    #[test]
    fn a_reference_in_a_form_has_one_part_for_each_member() {
        let video = Reference::object(r#"{"id": "v", "n": 1.0, "o": {"x": []}}"#).unwrap();
        let parts = VideoRequest::extend("p", "8", video).unwrap().to_parts();
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
        let request = VideoRequest::from_fields(Operation::Extend, fields, Some(id())).unwrap();
        assert_eq!(
            request.json,
            r#"{"model":"m","prompt":"b","seconds":4,"video":{"id":"video_1"},"duration":6.50}"#
        );
    }

    #[test]
    fn json_values_are_compacted_without_changing_their_literals() {
        let fields = Fields::from_json(
            "{\"prompt\":\"a  b\",\"seconds\":4,\n\"video\" : {\n  \"id\": \"v 1\" ,\
             \"n\":[ 1.50,\t2e3 ]\r\n}}",
        )
        .unwrap();
        let mut request = VideoRequest::from_fields(Operation::Extend, fields, None).unwrap();
        assert_eq!(
            request.json,
            r#"{"prompt":"a  b","seconds":4,"video":{"id":"v 1","n":[1.50,2e3]}}"#
        );
        assert_eq!(request.to_parts()[3].1, "[1.50,2e3]");
        for video in ["{\"id\":\n\"v\"}", "{id:\nv}"] {
            let mut fields = Fields::default();
            fields.set("prompt", Value::Text("p".to_owned()));
            fields.set("seconds", Value::json(" 4\n").unwrap());
            request = VideoRequest::from_fields(
                Operation::Extend,
                fields,
                Some(Reference::object(video).unwrap()),
            )
            .unwrap();
            assert_eq!(request.json, r#"{"prompt":"p","seconds":4,"video":{"id":"v"}}"#);
        }
    }

    #[test]
    fn an_upload_replaces_a_video_field() {
        let fields =
            Fields::from_json(r#"{"prompt":"a","seconds":"4","video":{"id":"old"}}"#).unwrap();
        let request =
            VideoRequest::from_fields(Operation::Extend, fields, Some(Reference::file("clip.mp4")))
                .unwrap();
        assert_eq!(request.encodings(), (Encoding::Multipart, Some(Encoding::DataUrl)));
        assert_eq!(request.to_parts().len(), 2);
        assert!(request.encoding(Encoding::Json).is_err());
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
            let result = VideoRequest::extend(&prompt, "4", id());
            assert_eq!(result.err().map(|e| e.to_string()).as_deref(), error);
        }
        let fields = Fields::from_json(r#"{"prompt":["x"],"seconds":4,"video":"v"}"#).unwrap();
        assert_eq!(
            VideoRequest::from_fields(Operation::Extend, fields, None).unwrap_err().to_string(),
            r#"the prompt is not a string: ["x"]"#
        );
    }

    #[test]
    fn other_lengths_are_refused_with_the_allowed_ones() {
        for seconds in ["5", "", "4.0", " 4", "-4"] {
            let message = VideoRequest::extend("p", seconds, id()).unwrap_err().to_string();
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
            let result = VideoRequest::from_fields(
                Operation::Extend,
                Fields::from_json(body).unwrap(),
                None,
            );
            assert_eq!(result.err().map(|e| e.to_string()).as_deref(), missing, "{body}");
        }
    }
}
