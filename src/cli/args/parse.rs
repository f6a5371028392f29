//! argv -> [`Args`]: one loop over the table of flags. No environment, no files.

use std::ffi::OsString;

use lexopt::Arg;
use openai_videos::Error;

use crate::cli::args::command::{COMMANDS, Command, CommandRow};
use crate::cli::args::flags::{Args, FLAGS, Flag, Group, Help, Set};
use crate::cli::args::suggest::{did_you_mean, nearest};
use crate::cli::args::value::{duration, invalid, number, text};

/// Reads the command line. Options may stand before, between and after the words. Returns the first
/// error. The options after it are read as well, because they may set the format of errors.
pub(crate) fn parse(argv: impl Iterator<Item = OsString>) -> (Args, Result<(), Error>) {
    let mut parser = lexopt::Parser::from_args(argv);
    let (mut args, mut read) = (Args::default(), Ok(()));
    loop {
        match next(&mut parser, &mut args) {
            Ok(true) => {}
            Ok(false) => return (args, read),
            Err(error) => read = read.and(Err(error)),
        }
    }
}

/// Reads the next word or option. `false` at the end.
fn next(parser: &mut lexopt::Parser, args: &mut Args) -> Result<bool, Error> {
    let row = row_of(&args.words);
    let usage = |error: lexopt::Error| Error::invalid_with(error.to_string(), see_help(row));
    let (flag, shown) = match parser.next().map_err(usage)? {
        None => return Ok(false),
        Some(Arg::Value(word)) => {
            args.words.push(word);
            return Ok(true);
        }
        Some(Arg::Short('h')) => {
            args.help.get_or_insert(Help::Short);
            return Ok(true);
        }
        Some(Arg::Short(short)) => {
            (FLAGS.iter().find(|flag| flag.short == Some(short)), format!("-{short}"))
        }
        Some(Arg::Long(long)) => (FLAGS.iter().find(|flag| flag.long == long), format!("--{long}")),
    };
    let flag = flag.ok_or_else(|| unknown_flag(&shown, row))?;
    args.given.push(flag);
    let value = match flag.set {
        Set::Switch(_) if shown.starts_with("--") => parser.optional_value(),
        // The letters after a short switch are switches, too: -qr.
        Set::Switch(_) => None,
        _ => Some(parser.value().map_err(usage)?),
    };
    set(flag, value.unwrap_or_else(|| "true".into()), args)?;
    Ok(true)
}

/// Reads a flag's value and stores it in `args`.
fn set(flag: &Flag, value: OsString, args: &mut Args) -> Result<(), Error> {
    let name = &format!("--{}", flag.long);
    if value.is_empty() && !flag.may_be_empty {
        return Err(invalid(name, "the value is empty"));
    }
    match flag.set {
        Set::Switch(set) => set(args, switch(&text(&value, name)?, name)?),
        Set::Os(set) => set(args, value),
        Set::Text(set) => set(args, text(&value, name)?),
        Set::Duration(set) => {
            set(args, duration(&text(&value, name)?).map_err(|reason| invalid(name, reason))?);
        }
        Set::Number(set) => {
            set(args, number(&text(&value, name)?).map_err(|reason| invalid(name, reason))?);
        }
    }
    Ok(())
}

/// The value of `--quiet=false`.
fn switch(text: &str, name: &str) -> Result<bool, Error> {
    text.parse()
        .map_err(|_| invalid(name, format!("invalid value '{text}'; possible values: true, false")))
}

/// The command that the words so far name, if any.
fn row_of(words: &[OsString]) -> Option<&'static CommandRow> {
    let name = words.get(1).filter(|_| words[0] == "videos")?;
    COMMANDS.iter().find(|row| name == row.name)
}

fn see_help(row: Option<&CommandRow>) -> String {
    match row {
        Some(row) => format!("see openai videos {} --help", row.name),
        None => "see openai --help".to_owned(),
    }
}

fn unknown_flag(shown: &str, row: Option<&CommandRow>) -> Error {
    let command = row.map(|row| row.command);
    let is_shown = |flag: &&Flag| flag.group != Group::Unused && flag.is_for(command);
    let mut known = FLAGS.iter().filter(is_shown).map(|flag| flag.long);
    let near = nearest(shown.trim_start_matches('-'), &mut known);
    let hint = match (near, shown.strip_prefix("--"), command) {
        (Some(near), ..) => format!("did you mean --{near}?"),
        (None, Some(name), Some(Command::Send(_))) => {
            let field = format!("to send a field of the request, use --field {name}=TEXT");
            format!("{}; {field}", see_help(row))
        }
        (None, ..) => see_help(row),
    };
    Error::invalid_with(format!("unknown option '{shown}'"), hint)
}

/// The command that the words name.
pub(crate) fn command(words: &[OsString]) -> Result<&'static CommandRow, Error> {
    const USAGE: &str = "write openai videos COMMAND; openai -h lists the commands";
    let mut words = words.iter().map(|word| word.to_string_lossy());
    match words.next().as_deref() {
        Some("videos") => {}
        None => return Err(Error::invalid_with("missing command", USAGE)),
        Some(word) => {
            // A command without the word before it is as likely as a misspelt one.
            let mut known = COMMANDS.iter().map(|row| row.name);
            let near =
                nearest(word, &mut known).map(|name| format!("did you mean 'videos {name}'?"));
            let hint = did_you_mean(word, ["videos"].into_iter()).or(near);
            return Err(Error::invalid_with(
                format!("unknown command '{word}'"),
                hint.unwrap_or_else(|| USAGE.to_owned()),
            ));
        }
    }
    let name =
        words.next().ok_or_else(|| Error::invalid_with("missing command after 'videos'", USAGE))?;
    let row = COMMANDS.iter().find(|row| row.name == name).ok_or_else(|| {
        let hint = did_you_mean(&name, COMMANDS.iter().map(|row| row.name));
        Error::invalid_with(
            format!("unknown command 'videos {name}'"),
            hint.unwrap_or_else(|| USAGE.to_owned()),
        )
    })?;
    match words.nth(row.arguments.len()) {
        None => Ok(row),
        Some(word) => {
            let hint = "put a text with spaces in quotation marks";
            Err(Error::invalid_with(format!("unexpected argument '{word}'"), hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use openai_videos::Family;

    use super::*;

    fn read(argv: &[&str]) -> Result<Args, String> {
        let (args, read) = parse(argv.iter().map(OsString::from));
        read.map(|()| args).map_err(|error| error.to_string())
    }

    #[test]
    fn options_stand_anywhere_and_in_both_forms() {
        let args =
            read(&["--prompt=a=b", "videos", "--seconds", "4", "extend", "--video", "-x", "-q"])
                .unwrap();
        assert_eq!(args.words, ["videos", "extend"]);
        assert_eq!(args.prompt.as_deref(), Some(OsStr::new("a=b")));
        assert_eq!(args.seconds.as_deref(), Some("4"));
        assert_eq!(args.video.as_deref(), Some(OsStr::new("-x")));
        assert!(args.quiet);
    }

    #[test]
    fn the_last_of_two_counts_and_repeatable_ones_add_up() {
        let args = read(&["--seconds", "4", "--seconds", "8", "--field", "a=1", "--field", "b=2"])
            .unwrap();
        assert_eq!(args.seconds.as_deref(), Some("8"));
        assert_eq!(args.fields, ["a=1", "b=2"]);
    }

    #[test]
    fn a_switch_takes_true_and_false_and_the_last_one_counts() {
        let args =
            read(&["--wait=true", "--debug", "--debug=false", "--raw-output=true", "-46"]).unwrap();
        assert!(args.wait && !args.debug && args.raw_output);
        assert_eq!(args.family, Some(Family::V6));
        assert_eq!(read(&["-4", "--ipv6=false"]).unwrap().family, Some(Family::V4));
        assert_eq!(read(&["-4", "--ipv4=false"]).unwrap().family, None);
        // Only after `=`: the argument after a switch is a word.
        assert_eq!(read(&["--wait", "false"]).unwrap().words, ["false"]);
    }

    #[test]
    fn the_short_and_the_long_help_are_different_options() {
        assert_eq!(read(&["-h"]).unwrap().help, Some(Help::Short));
        assert_eq!(read(&["--help"]).unwrap().help, Some(Help::Whole));
    }

    #[test]
    fn a_usage_error_names_the_option_and_its_value() {
        for (argv, message) in [
            (&["--promt", "x"][..], "unknown option '--promt'"),
            (&["-x"][..], "unknown option '-x'"),
            (&["--prompt"][..], "missing argument for option '--prompt'"),
            (
                &["--dry-run=yes"][..],
                "--dry-run: invalid value 'yes'; possible values: true, false",
            ),
            (&["--debug="][..], "--debug: the value is empty"),
            (
                &["--max-retries", "-1"][..],
                "--max-retries: invalid number '-1'; it must be from 0 to 4294967295",
            ),
            (
                &["--timeout", "soon"][..],
                "--timeout: invalid duration 'soon'; examples: 90, 90s, 1.5m, 2h, 250ms",
            ),
        ] {
            assert_eq!(read(argv).unwrap_err(), message, "{argv:?}");
        }
        let argv = ["--bogus=x", "--dry-run=y", "--seconds=4", "--timeout=no", "a"];
        let (args, read) = parse(argv.into_iter().map(OsString::from));
        assert_eq!(read.unwrap_err().to_string(), "unknown option '--bogus'");
        assert_eq!((args.seconds.as_deref(), args.words.len()), (Some("4"), 1));
    }

    #[test]
    fn commands_are_found_or_suggested() {
        let message = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            match command(&words) {
                Err(Error::Invalid { message, hint }) => (message, hint.unwrap_or_default()),
                other => panic!("{:?}", other.map(|row| row.name)),
            }
        };
        assert_eq!(
            message(&["video", "extend"]),
            ("unknown command 'video'".into(), "did you mean 'videos'?".into())
        );
        assert_eq!(
            message(&["creat", "x"]),
            ("unknown command 'creat'".into(), "did you mean 'videos create'?".into())
        );
        assert_eq!(
            message(&["chat"]).1,
            "write openai videos COMMAND; openai -h lists the commands"
        );
        assert_eq!(
            message(&["videos", "extnd"]),
            ("unknown command 'videos extnd'".into(), "did you mean 'extend'?".into())
        );
        assert_eq!(message(&["videos", "extend", "zoom"]).0, "unexpected argument 'zoom'");
        assert_eq!(message(&[]).0, "missing command");
        assert_eq!(message(&["videos"]).0, "missing command after 'videos'");
    }
}
