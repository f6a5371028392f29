//! The one table of commands. The parser, the helps, the man pages and the completions are made
//! from it.

use openai_videos::Operation;

/// A command, `openai videos NAME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// Sends a request with fields.
    Send(Operation),
    List,
    Retrieve,
    DownloadContent,
    Delete,
    GetCharacter,
}

pub(crate) const EXTEND: Command = Command::Send(Operation::Extend);
pub(crate) const CREATE: Command = Command::Send(Operation::Create);
pub(crate) const EDIT: Command = Command::Send(Operation::Edit);
pub(crate) const REMIX: Command = Command::Send(Operation::Remix);
pub(crate) const CREATE_CHARACTER: Command = Command::Send(Operation::CreateCharacter);

/// One command.
pub(crate) struct CommandRow {
    pub(crate) command: Command,
    pub(crate) name: &'static str,
    /// The positional arguments by the names that the help gives them. An `ID` may come as
    /// `--video-id` or `--character-id` instead.
    pub(crate) arguments: &'static [&'static str],
    /// The required options, for the usage line.
    pub(crate) required: &'static str,
    /// One line, without a full stop.
    pub(crate) about: &'static str,
}

/// Every command, in the order of the help.
pub(crate) const COMMANDS: &[CommandRow] = &[
    CommandRow {
        command: EXTEND,
        name: "extend",
        arguments: &[],
        required: "--prompt TEXT --seconds N --video REF",
        about: "Create an extension of a completed video",
    },
    CommandRow {
        command: CREATE,
        name: "create",
        arguments: &[],
        required: "--prompt TEXT",
        about: "Create a video",
    },
    CommandRow {
        command: EDIT,
        name: "edit",
        arguments: &[],
        required: "--prompt TEXT --video REF",
        about: "Create a changed version of a completed video",
    },
    CommandRow {
        command: REMIX,
        name: "remix",
        arguments: &["ID"],
        required: "--prompt TEXT",
        about: "Create another version of a completed video",
    },
    CommandRow {
        command: Command::List,
        name: "list",
        arguments: &[],
        required: "",
        about: "List the jobs of the server",
    },
    CommandRow {
        command: Command::Retrieve,
        name: "retrieve",
        arguments: &["ID"],
        required: "",
        about: "Show a job, or wait for it",
    },
    CommandRow {
        command: Command::DownloadContent,
        name: "download-content",
        arguments: &["ID"],
        required: "",
        about: "Download the media of a completed job",
    },
    CommandRow {
        command: Command::Delete,
        name: "delete",
        arguments: &["ID"],
        required: "",
        about: "Delete a job and its media",
    },
    CommandRow {
        command: CREATE_CHARACTER,
        name: "create-character",
        arguments: &[],
        required: "--name TEXT --video FILE",
        about: "Create a character from a video",
    },
    CommandRow {
        command: Command::GetCharacter,
        name: "get-character",
        arguments: &["ID"],
        required: "",
        about: "Show a character",
    },
];

/// The commands that send a request with fields.
pub(crate) const SENDING: &[Command] = &[EXTEND, CREATE, EDIT, REMIX, CREATE_CHARACTER];
/// Those of them that create a job, which costs money.
pub(crate) const CREATING: &[Command] = &[EXTEND, CREATE, EDIT, REMIX];
/// The commands whose job has a length of choice.
pub(crate) const TIMED: &[Command] = &[EXTEND, CREATE];
/// The commands that refer to a video in a field.
pub(crate) const REFERRING: &[Command] = &[EXTEND, EDIT];
/// The commands that can wait for a job.
pub(crate) const WAITING: &[Command] = &[EXTEND, CREATE, EDIT, REMIX, Command::Retrieve];
/// The commands that can store media.
pub(crate) const FETCHING: &[Command] =
    &[EXTEND, CREATE, EDIT, REMIX, Command::Retrieve, Command::DownloadContent];
/// The commands whose argument is the id of a video.
pub(crate) const BY_VIDEO_ID: &[Command] =
    &[REMIX, Command::Retrieve, Command::DownloadContent, Command::Delete];

impl CommandRow {
    /// Whether it creates a job, which costs money.
    pub(crate) fn creates_job(&self) -> bool {
        CREATING.contains(&self.command)
    }

    /// The text after the name in the usage line, with a space before it: ` ID`, ` --prompt TEXT
    /// ...`.
    pub(crate) fn usage(&self) -> String {
        let required = (!self.required.is_empty()).then_some(self.required);
        self.arguments.iter().copied().chain(required).map(|word| format!(" {word}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sets_agree_with_the_table() {
        for (place, row) in COMMANDS.iter().enumerate() {
            let is_in = |set: &[Command]| set.contains(&row.command);
            let operation = match row.command {
                Command::Send(operation) => Some(operation),
                _ => None,
            };
            let is_other =
                |other: &CommandRow| other.command != row.command && other.name != row.name;
            assert!(COMMANDS[..place].iter().all(is_other), "{}", row.name);
            let creates_job = operation.is_some_and(|it| it != Operation::CreateCharacter);
            assert_eq!(is_in(SENDING), operation.is_some(), "{}", row.name);
            assert_eq!(is_in(CREATING), creates_job, "{}", row.name);
            assert!(!is_in(CREATING) || (is_in(WAITING) && is_in(FETCHING)), "{}", row.name);
            let seconds = operation.map_or(&[][..], Operation::seconds);
            assert_eq!(is_in(TIMED), !seconds.is_empty(), "{}", row.name);
            let is_by_id = row.arguments == ["ID"] && row.command != Command::GetCharacter;
            assert_eq!(is_in(BY_VIDEO_ID), is_by_id, "{}", row.name);
        }
    }
}
