//! The status of a job, read from the words that servers use for it.

/// The meaning of a status word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Not finished. An unknown word counts as pending, so that it does not end a wait.
    Pending,
    /// The media can be downloaded.
    Completed,
    /// There will be no media.
    Failed,
}

impl Status {
    /// Reads a status word in upper or lower case.
    pub fn from_word(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "completed" | "complete" | "success" | "succeeded" | "succeed" | "finished"
            | "done" => Status::Completed,
            "failed" | "failure" | "fail" | "error" | "cancelled" | "canceled" | "expired"
            | "deleted" => Status::Failed,
            _ => Status::Pending,
        }
    }

    /// Whether this library knows the word, in upper or lower case.
    pub(crate) fn is_known(word: &str) -> bool {
        Self::from_word(word) != Status::Pending
            || PENDING.iter().any(|known| known.eq_ignore_ascii_case(word))
    }
}

/// Known words for a pending job. Any other word means pending as well, but is reported.
const PENDING: [&str; 6] =
    ["queued", "pending", "in_progress", "processing", "running", "not_start"];
