//! The options of the output: how results and errors are shown, and how much else is.

use openai_videos::Error;

use crate::cli::args::command::Command;
use crate::cli::args::flags::Args;
use crate::cli::args::value::choice;
use crate::cli::env::{Env, env_value};
use crate::cli::stdio::Terminals;

/// A value of `--format` and `--format-error`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Auto,
    Json,
    Jsonl,
    Raw,
    Pretty,
    Yaml,
    Explore,
}

impl Format {
    /// In the order of the table of flags.
    pub(crate) const ALL: [Format; 7] = [
        Format::Auto,
        Format::Json,
        Format::Jsonl,
        Format::Raw,
        Format::Pretty,
        Format::Yaml,
        Format::Explore,
    ];
}

/// How to show results, or errors.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    pub(crate) format: Format,
    /// A GJSON path.
    pub(crate) transform: Option<String>,
    /// Whether a string is printed without quotation marks and escapes.
    pub(crate) raw_output: bool,
    /// Whether JSON is coloured.
    pub(crate) colour: bool,
    /// Whether notices are left out.
    pub(crate) quiet: bool,
    /// Whether each result is one of a list, and a document of its own.
    pub(crate) of_items: bool,
    /// Whether this is about errors rather than results.
    pub(crate) of_errors: bool,
}

impl View {
    /// How `--format` and `--transform` want results.
    pub(crate) fn of_results(
        args: &Args,
        env: Env<'_>,
        terminals: Terminals,
        command: Command,
    ) -> Result<Self, Error> {
        let format = format("format", args.format.as_deref())?;
        if command == Command::List && format == Format::Raw && args.max_items.is_some() {
            let hint = "use --limit, or --format jsonl";
            return Err(Error::invalid_with("--max-items cannot be used with --format raw", hint));
        }
        Ok(Self {
            format,
            transform: path(&args.transform),
            raw_output: args.raw_output,
            colour: colours(env, terminals.stdout),
            quiet: args.quiet,
            of_items: command == Command::List && format != Format::Raw,
            of_errors: false,
        })
    }

    /// How `--format-error` and `--transform-error` want errors.
    pub(crate) fn of_errors(
        args: &Args,
        env: Env<'_>,
        terminals: Terminals,
    ) -> Result<Self, Error> {
        Ok(Self {
            format: format("format-error", args.format_error.as_deref())?,
            transform: path(&args.transform_error),
            raw_output: args.raw_output,
            colour: colours(env, terminals.stderr),
            quiet: args.quiet,
            of_items: false,
            of_errors: true,
        })
    }

    /// Whether neither a format nor a path was asked for.
    pub(crate) fn is_default(&self) -> bool {
        self.format == Format::Auto && self.transform.is_none()
    }
}

/// The kinds of text that are shown on standard error during a run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Verbosity {
    pub(crate) debug: bool,
    /// Whether the job's id is shown before the first poll, because it is recorded nowhere else.
    pub(crate) id: bool,
    pub(crate) notices: bool,
    pub(crate) progress: bool,
}

impl Verbosity {
    pub(crate) fn new(args: &Args, env: Env<'_>, terminals: Terminals, id: bool) -> Self {
        Self {
            debug: args.debug,
            id,
            notices: !args.quiet,
            // A line that is redrawn needs a terminal that can do that.
            progress: !args.quiet && !args.debug && terminals.stderr && !is_dumb(env),
        }
    }
}

fn format(flag: &'static str, name: Option<&str>) -> Result<Format, Error> {
    name.map_or(Ok(Format::Auto), |name| choice(flag, name).map(|place| Format::ALL[place]))
}

/// The path, or `None` for an empty one, which a script passes for one that it does not have. The
/// official command line allows that.
fn path(path: &Option<String>) -> Option<String> {
    path.clone().filter(|path| !path.is_empty())
}

/// `FORCE_COLOR` overrides `NO_COLOR`, as in the official command line; without either, a terminal
/// has colours.
fn colours(env: Env<'_>, is_terminal: bool) -> bool {
    match (env_value(env, "FORCE_COLOR"), env_value(env, "NO_COLOR")) {
        (Some(force), _) => force != "0" && force != "false",
        (None, Some(_)) => false,
        (None, None) => is_terminal && !is_dumb(env),
    }
}

fn is_dumb(env: Env<'_>) -> bool {
    env("TERM").is_some_and(|term| term == "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_and_those_who_ask() {
        for (set, on_terminal, elsewhere) in [
            (&[][..], true, false),
            (&[("NO_COLOR", "1")], false, false),
            (&[("NO_COLOR", "")], true, false),
            (&[("FORCE_COLOR", "1")], true, true),
            (&[("FORCE_COLOR", "0")], false, false),
            (&[("FORCE_COLOR", "1"), ("NO_COLOR", "1")], true, true),
            (&[("TERM", "dumb")], false, false),
        ] {
            let env = |name: &str| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
            };
            assert_eq!(
                (colours(&env, true), colours(&env, false)),
                (on_terminal, elsewhere),
                "{set:?}"
            );
        }
    }
}
