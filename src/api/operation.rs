//! The operations that create something, and the table of what each sends: a `POST` with fields.

/// An operation that creates a job, or a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// A new video: `POST /videos` (`CreateVideo`).
    Create,
    /// A longer version of a completed video: `POST /videos/extensions` (`CreateVideoExtend`).
    Extend,
    /// A changed version of a completed video: `POST /videos/edits` (`CreateVideoEdit`).
    Edit,
    /// Another version of a completed video: `POST /videos/{video_id}/remix` (`CreateVideoRemix`).
    Remix,
    /// A character made from a video: `POST /videos/characters` (`CreateVideoCharacter`).
    CreateCharacter,
}

/// The request of an operation: path, fields and encoding.
pub(crate) struct Rules {
    /// The path after the base URL. `{id}` stands for the id of the video.
    pub(crate) path: &'static str,
    /// The required fields, and for each the fields that some servers take in its place.
    pub(crate) required: &'static [(&'static str, &'static [&'static str])],
    /// The values of `seconds` that the API reference allows; none where it has no such field.
    pub(crate) seconds: &'static [&'static str],
    pub(crate) reference: ReferenceRule,
    /// Whether the request is multipart in any case.
    pub(crate) is_always_form: bool,
}

/// How an operation refers to a video or an image.
pub(crate) struct ReferenceRule {
    /// The field's name, also that of the file's part in a form.
    pub(crate) field: &'static str,
    /// The member for an id in the object that is the field's value.
    pub(crate) id: &'static str,
    /// The member for a URL.
    pub(crate) url: &'static str,
}

pub(crate) const VIDEO: ReferenceRule = ReferenceRule { field: "video", id: "id", url: "url" };
const IMAGE: ReferenceRule =
    ReferenceRule { field: "input_reference", id: "file_id", url: "image_url" };
const VIDEO_STAND_INS: &[&str] = &["video_id", "video_url"];

impl Operation {
    /// The table.
    pub(crate) fn rules(self) -> &'static Rules {
        match self {
            Operation::Create => &Rules {
                path: "/videos",
                required: &[("prompt", &[])],
                seconds: &["4", "8", "12"],
                reference: IMAGE,
                is_always_form: false,
            },
            Operation::Extend => &Rules {
                path: "/videos/extensions",
                required: &[
                    ("prompt", &[]),
                    ("seconds", &["duration"]),
                    ("video", VIDEO_STAND_INS),
                ],
                seconds: &["4", "8", "12", "16", "20"],
                reference: VIDEO,
                is_always_form: false,
            },
            Operation::Edit => &Rules {
                path: "/videos/edits",
                required: &[("prompt", &[]), ("video", VIDEO_STAND_INS)],
                seconds: &[],
                reference: VIDEO,
                is_always_form: false,
            },
            Operation::Remix => &Rules {
                path: "/videos/{id}/remix",
                required: &[("prompt", &[])],
                seconds: &[],
                reference: VIDEO,
                is_always_form: false,
            },
            Operation::CreateCharacter => &Rules {
                path: "/videos/characters",
                required: &[("name", &[]), ("video", &[])],
                seconds: &[],
                reference: VIDEO,
                is_always_form: true,
            },
        }
    }

    /// The values of the field `seconds` that the API reference allows. Servers may take others.
    pub fn seconds(self) -> &'static [&'static str] {
        self.rules().seconds
    }

    /// The field of the request that refers to a video or an image: `video` or `input_reference`.
    pub fn reference_field(self) -> &'static str {
        self.rules().reference.field
    }
}
