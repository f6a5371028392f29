//! A video job with every documented field typed (`VideoResource` of the API reference).

use serde::de::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::json::{self, Object};

/// The largest time that is taken for seconds (the year 5138). Larger ones are milliseconds.
const MAX_SECONDS: f64 = 1e11;

/// A video job as the API reference describes it, `VideoResource`.
///
/// Servers leave fields out, send null, a number as a string or a string as a number: each field is
/// `None` where the response has nothing usable. [`Job::text`](crate::Job::text) is the response as
/// it was received.
///
/// ```
/// use openai_videos::{Job, Video};
///
/// let response = r#"{"data": {"id": "video_123", "status": "queued", "progress": "7",
///     "seconds": 12, "seed": 42}}"#;
/// let video: Video = Job::parse(response).expect("an id").video();
/// assert_eq!(video.id, "video_123");
/// assert_eq!(video.progress, Some(7.0));
/// assert_eq!(video.seconds.as_deref(), Some("12"));
/// assert_eq!(video.expires_at, None);
/// assert_eq!((video.other[0].0.as_str(), video.other[0].1.get()), ("seed", "42"));
/// ```
///
/// It can be deserialized from JSON text, with `serde_json::from_str` or `serde_json::from_slice`;
/// not from a reader, because the members in [`Video::other`] are kept as they were written.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Video {
    /// Unique identifier of the job; of [`Job::video`](crate::Job::video) the one to poll with.
    /// Empty where a text that was deserialized has none.
    pub id: String,
    /// When the job completed, in Unix seconds.
    pub completed_at: Option<u64>,
    /// When the job was created, in Unix seconds.
    pub created_at: Option<u64>,
    /// Why generation failed. Some servers send one in a pending job: the status decides.
    pub error: Option<VideoError>,
    /// When the media expire, in Unix seconds.
    pub expires_at: Option<u64>,
    /// The model that produced the video, such as `sora-2` (`VideoModel`).
    pub model: Option<String>,
    /// The type of the object: `video`.
    pub object: Option<String>,
    /// Approximate completion in percent, 0 to 100.
    pub progress: Option<f64>,
    /// The prompt that the video is generated from.
    pub prompt: Option<String>,
    /// The id of the source video, if this is a remix.
    pub remixed_from_video_id: Option<String>,
    /// The length of the video in seconds; of an extension the total length, source included.
    pub seconds: Option<String>,
    /// The resolution as width and height in pixels, such as `720x1280` (`VideoSize`).
    pub size: Option<String>,
    /// `queued`, `in_progress`, `completed` or `failed` (`VideoStatus`), or a server's own word
    /// for one of them: [`Status::from_word`](crate::Status::from_word) tells what it means.
    pub status: Option<String>,
    /// All other members in their order, as the server wrote them.
    pub other: Vec<(String, Box<RawValue>)>,
}

/// Why a job failed (`Error-2` of the API reference).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VideoError {
    /// A machine-readable code, such as `moderation_blocked`.
    pub code: Option<String>,
    /// A description for people.
    pub message: Option<String>,
}

impl From<Object<'_>> for Video {
    fn from(object: Object<'_>) -> Self {
        let mut video = Video::default();
        for (name, value) in object.0 {
            match name.as_str() {
                "id" => video.id = text(value).unwrap_or_default(),
                "completed_at" => video.completed_at = unix_seconds(value),
                "created_at" => video.created_at = unix_seconds(value),
                "error" => video.error = VideoError::read(value),
                "expires_at" => video.expires_at = unix_seconds(value),
                "model" => video.model = text(value),
                "object" => video.object = text(value),
                "progress" => video.progress = number(value),
                "prompt" => video.prompt = text(value),
                "remixed_from_video_id" => video.remixed_from_video_id = text(value),
                "seconds" => video.seconds = text(value),
                "size" => video.size = text(value),
                "status" => video.status = text(value),
                _ => video.other.push((name, value.to_owned())),
            }
        }
        video
    }
}

impl<'de> Deserialize<'de> for Video {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Object::deserialize(deserializer).map(Video::from)
    }
}

impl VideoError {
    /// Reads `{"code": ..., "message": ...}`, or a bare message. `None` for null and for other
    /// types.
    pub(crate) fn read(value: &RawValue) -> Option<Self> {
        match Object::parse(value.get()) {
            Ok(error) => {
                Some(Self { code: error.scalar("code"), message: error.scalar("message") })
            }
            Err(_) => text(value).map(|message| Self { code: None, message: Some(message) }),
        }
    }
}

/// A string, or a number as it was written; `None` for an empty string and for other types.
fn text(value: &RawValue) -> Option<String> {
    json::scalar(value).filter(|text| !text.is_empty())
}

/// A number, or a string with one and perhaps a percent sign.
fn number(value: &RawValue) -> Option<f64> {
    let number: f64 = text(value)?.trim_end_matches('%').trim().parse().ok()?;
    number.is_finite().then_some(number)
}

/// A time in seconds since 1970, from one in seconds or milliseconds.
pub(crate) fn unix_seconds(value: &RawValue) -> Option<u64> {
    let time = number(value).filter(|time| *time >= 0.0)?;
    Some(if time > MAX_SECONDS { time / 1000.0 } else { time } as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::job::Job;

    #[test]
    fn every_documented_field_is_read() {
        let video: Video = serde_json::from_str(
            r#"{"id":"video_1","completed_at":1712697600,"created_at":1712697500,
                "error":{"code":"c","message":"m"},"expires_at":1712701200,"model":"sora-2",
                "object":"video","progress":100,"prompt":"p","remixed_from_video_id":"video_0",
                "seconds":"8","size":"720x1280","status":"completed"}"#,
        )
        .unwrap();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(video.id, "video_1");
        assert_eq!(
            (video.completed_at, video.created_at, video.expires_at),
            (Some(1_712_697_600), Some(1_712_697_500), Some(1_712_701_200))
        );
        assert_eq!(video.error, Some(VideoError { code: text("c"), message: text("m") }));
        assert_eq!(
            [video.model, video.object, video.prompt, video.remixed_from_video_id],
            ["sora-2", "video", "p", "video_0"].map(text)
        );
        assert_eq!(
            [video.seconds, video.size, video.status],
            ["8", "720x1280", "completed"].map(text)
        );
        assert_eq!(video.progress, Some(100.0));
        assert!(video.other.is_empty());
    }

    #[test]
    fn null_and_missing_fields_and_other_types_are_none() {
        const NAMES: [&str; 12] = [
            "completed_at",
            "created_at",
            "error",
            "expires_at",
            "model",
            "object",
            "progress",
            "prompt",
            "remixed_from_video_id",
            "seconds",
            "size",
            "status",
        ];
        for value in ["null", "[]", "true", "\"\""] {
            let members = NAMES.map(|name| format!("\"{name}\":{value}")).join(",");
            let video: Video = serde_json::from_str(&format!("{{{members}}}")).unwrap();
            assert_eq!(format!("{video:?}"), format!("{:?}", Video::default()), "{value}");
        }
        assert!(serde_json::from_str::<Video>("[]").is_err());
    }

    #[test]
    fn numbers_may_be_strings_and_strings_numbers() {
        let video: Video = serde_json::from_str(
            r#"{"id":7,"created_at":"1712697500.9","completed_at":1712697600123,"expires_at":-1,
                "progress":"45.5 %","seconds":12,"error":"no","model":1e999}"#,
        )
        .unwrap();
        assert_eq!((video.id.as_str(), video.seconds.as_deref()), ("7", Some("12")));
        assert_eq!(video.model.as_deref(), Some("1e999"));
        assert_eq!(
            (video.created_at, video.completed_at, video.expires_at),
            (Some(1_712_697_500), Some(1_712_697_600), None)
        );
        assert_eq!(video.progress, Some(45.5));
        assert_eq!(video.error, Some(VideoError { code: None, message: Some("no".to_owned()) }));
    }

    #[test]
    fn unknown_members_are_kept_as_they_were_written() {
        let job = Job::parse(
            r#"{"code":0,"data":{"task_id":"t","n":1.50,"status":"done","o":{"b": 1,"a":[ ]}}}"#,
        );
        let video = job.unwrap().video();
        assert_eq!((video.id.as_str(), video.status.as_deref()), ("t", Some("done")));
        let other: Vec<_> =
            video.other.iter().map(|(name, value)| (name.as_str(), value.get())).collect();
        assert_eq!(other, [("task_id", "\"t\""), ("n", "1.50"), ("o", r#"{"b": 1,"a":[ ]}"#)]);
    }
}
