//! The one table of commands. The parser, the helps, the man page and the completions are made from
//! it.

/// A command, `openai videos NAME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Extend,
    List,
    Retrieve,
    DownloadContent,
    Delete,
}

/// One command.
pub(crate) struct CommandRow {
    pub(crate) command: Command,
    pub(crate) name: &'static str,
    /// The positional arguments by the names that the help gives them. An `ID` may come as
    /// `--video-id` instead.
    pub(crate) arguments: &'static [&'static str],
    /// The required options, for the usage line.
    pub(crate) required: &'static str,
    /// One line, without a full stop.
    pub(crate) about: &'static str,
    /// Whether it creates a job, which costs money.
    pub(crate) creates_job: bool,
}

/// Every command, in the order of the help.
pub(crate) const COMMANDS: &[CommandRow] = &[
    CommandRow {
        command: Command::Extend,
        name: "extend",
        arguments: &[],
        required: "--prompt TEXT --seconds N --video REF",
        about: "Create an extension of a completed video",
        creates_job: true,
    },
    CommandRow {
        command: Command::List,
        name: "list",
        arguments: &[],
        required: "",
        about: "List the jobs of the server",
        creates_job: false,
    },
    CommandRow {
        command: Command::Retrieve,
        name: "retrieve",
        arguments: &["ID"],
        required: "",
        about: "Show a job, or wait for it",
        creates_job: false,
    },
    CommandRow {
        command: Command::DownloadContent,
        name: "download-content",
        arguments: &["ID"],
        required: "",
        about: "Download the media of a completed job",
        creates_job: false,
    },
    CommandRow {
        command: Command::Delete,
        name: "delete",
        arguments: &["ID"],
        required: "",
        about: "Delete a job and its media",
        creates_job: false,
    },
];

/// The commands that take the options of a request; those that create a job.
pub(crate) const CREATING: &[Command] = &[Command::Extend];
/// The command that lists jobs.
pub(crate) const LISTING: &[Command] = &[Command::List];
/// The commands that can wait for a job.
pub(crate) const WAITING: &[Command] = &[Command::Extend, Command::Retrieve];
/// The commands that can store media.
pub(crate) const FETCHING: &[Command] =
    &[Command::Extend, Command::Retrieve, Command::DownloadContent];
/// The commands whose argument is a job's id.
pub(crate) const BY_ID: &[Command] =
    &[Command::Retrieve, Command::DownloadContent, Command::Delete];

impl CommandRow {
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
    fn the_table_has_every_command_once_in_the_order_of_the_enum() {
        let places: Vec<usize> = COMMANDS.iter().map(|row| row.command as usize).collect();
        assert_eq!(places, (0..=Command::Delete as usize).collect::<Vec<_>>());
    }

    #[test]
    fn the_sets_agree_with_the_table() {
        for row in COMMANDS {
            assert_eq!(CREATING.contains(&row.command), row.creates_job, "{}", row.name);
            assert_eq!(BY_ID.contains(&row.command), row.arguments == ["ID"], "{}", row.name);
        }
    }
}
