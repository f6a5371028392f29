//! `-h`, `--help` and `--version`, written from the tables: of flags, of commands and of exit
//! codes.

use std::ffi::OsString;

use openai_videos::Error;

use crate::cli::args::command::{COMMANDS, Command, CommandRow};
use crate::cli::args::flags::{Args, EXAMPLES, FLAGS, Flag, Group, Help, PROXIES};
use crate::cli::args::parse::command;
use crate::cli::exit;

const WIDTH: usize = 100;
/// The indent of the rows of options in `--help`; `-h` has none, to fit 80 columns.
const INDENT: usize = 2;

/// The help or the version, if the command line asks for one. That needs no key, no server and no
/// other argument.
pub(crate) fn asked(args: &Args) -> Result<Option<String>, Error> {
    if args.version {
        return Ok(Some(
            concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"), "\n").to_owned(),
        ));
    }
    // `help` in the place of a command asks for help; after a command it may be an id.
    let is_help = |at: usize, word: &OsString| at < 2 && word == "help";
    let words = args.words.iter().enumerate();
    let words: Vec<OsString> =
        words.filter(|(at, word)| !is_help(*at, word)).map(|(_, word)| word.clone()).collect();
    let help = match args.help {
        None if words.len() == args.words.len() => return Ok(None),
        help => help.unwrap_or(Help::Whole),
    };
    // `openai --help` and `openai videos --help` are fine; a misspelt command is not.
    let command = match &words[..] {
        [] => None,
        [word] if word == "videos" => None,
        // `openai help create`
        [name] if args.words[0] == "help" => {
            Some(command(&["videos".into(), name.clone()])?.command)
        }
        words => Some(command(words)?.command),
    };
    Ok(Some(match help {
        Help::Short => short(command),
        Help::Whole => whole(command),
    }))
}

/// A line for each command, for a command line that names none.
pub(crate) fn commands_if_none_is_named(args: &Args) -> Option<String> {
    let is_missing = args.words.is_empty() || args.words == ["videos"];
    is_missing.then(|| format!("Commands of openai videos:\n{}\n", command_lines()))
}

/// A line for each command, with its purpose.
fn command_lines() -> String {
    COMMANDS.iter().map(|row| format!("  {:<16}  {}\n", row.name, row.about)).collect()
}

/// `-h`: the common options of a command, or all commands, on one screen.
fn short(of: Option<Command>) -> String {
    let (mut text, more) = match of {
        None => (
            format!("Usage: openai videos COMMAND [OPTION ...]\n\n{}\n", command_lines()),
            "openai videos COMMAND -h has its options, --help everything.",
        ),
        Some(_) => {
            let usage = |row: &CommandRow| {
                format!("{}{} [OPTION ...]\n{}.\n\n", row.name, row.usage(), row.about)
            };
            let usage: String = commands(of).map(usage).collect();
            let more = "--help has all options, the exit codes and examples.";
            (format!("Usage: openai videos {usage}"), more)
        }
    };
    let is_shown = |flag: &&Flag| is_in_short_help(flag, of);
    let shown = || FLAGS.iter().filter(is_shown);
    let widest = shown().map(|flag| usage(flag).len()).max().unwrap_or(0);
    for flag in shown() {
        text += &format!("{:<widest$}  {}\n", usage(flag), flag.help)[INDENT..];
    }
    text + "\n" + more + "\n"
}

/// The help of all commands has the options of all.
fn is_in_short_help(flag: &Flag, of: Option<Command>) -> bool {
    flag.common && flag.is_for(of) && (of.is_some() || flag.on.is_empty())
}

/// An example of a command, for hints.
pub(crate) fn example(row: &CommandRow) -> &'static str {
    let is_of = |example: &&&str| example.split(' ').nth(2) == Some(row.name);
    EXAMPLES.iter().find(is_of).copied().unwrap_or_default()
}

/// `--help`: everything about a command, or about all commands.
fn whole(of: Option<Command>) -> String {
    let mut text = whole_usage(of);
    for (group, title) in Group::SHOWN {
        let mut heading = format!("\n{title}:\n");
        for flag in FLAGS.iter().filter(|flag| flag.group == group && flag.is_for(of)) {
            text += &std::mem::take(&mut heading);
            text += &paragraph(flag);
        }
    }
    text += "\nDURATION examples: 90 (seconds), 90s, 1.5m, 2h, 250ms.\n\
             A switch also takes =true and =false: --quiet=false.\n";
    text += &format!("\n{}", wrap(PROXIES, ""));
    text += "\nExit codes:\n";
    for (code, meaning, advice) in exit::TABLE {
        let colon = if advice.is_empty() { "" } else { ": " };
        text += &format!("{code:>4}  {meaning}{colon}{advice}\n");
    }
    text += "\nExamples:\n";
    for example in EXAMPLES {
        let name = example.split(' ').nth(2);
        if commands(of).any(|row| Some(row.name) == name) {
            text += &format!("  {example}\n");
        }
    }
    text
}

fn commands(of: Option<Command>) -> impl Iterator<Item = &'static CommandRow> {
    COMMANDS.iter().filter(move |row| of.is_none_or(|command| command == row.command))
}

/// A line for each command, and one with its purpose.
fn whole_usage(of: Option<Command>) -> String {
    let leads = std::iter::once("Usage:").chain(std::iter::repeat("      "));
    let line = |(lead, row): (&str, &CommandRow)| {
        let CommandRow { name, about, .. } = row;
        format!("{lead} openai videos {name}{}\n          {about}.\n", row.usage())
    };
    leads.zip(commands(of)).map(line).collect()
}

/// `  -q, --quiet`, `      --seconds N`.
fn usage(flag: &Flag) -> String {
    let short = flag.short.map_or("    ".to_owned(), |short| format!("-{short}, "));
    let space = if flag.value.is_empty() { "" } else { " " };
    format!("  {short}--{}{space}{}", flag.long, flag.value)
}

fn paragraph(flag: &Flag) -> String {
    let mut notes = format!("{}.", flag.help);
    if !flag.more.is_empty() {
        notes += &format!(" {}", flag.more);
    }
    if !flag.default.is_empty() {
        notes += &format!(" [default: {}]", flag.default);
    }
    if !flag.env.is_empty() {
        notes += &format!(" [environment: {}]", flag.env);
    }
    format!("{}\n{}", usage(flag), wrap(&notes, "          "))
}

fn wrap(text: &str, indent: &str) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty()
            && indent.len() + line.chars().count() + 1 + word.chars().count() > WIDTH
        {
            lines += &format!("{indent}{line}\n");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    lines + &format!("{indent}{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::command::EXTEND;

    /// The help of all commands, and of each.
    fn helps() -> impl Iterator<Item = Option<Command>> {
        std::iter::once(None).chain(COMMANDS.iter().map(|row| Some(row.command)))
    }

    /// Whether the text has a row that begins like this.
    fn has(text: &str, usage: &str) -> bool {
        let is_row = |rest: &str| rest.is_empty() || rest.starts_with("  ");
        text.lines().any(|line| line.strip_prefix(usage).is_some_and(is_row))
    }

    #[test]
    fn the_short_help_is_one_screen_of_common_options() {
        for of in helps() {
            let text = short(of);
            // The 24th line is the shell's prompt.
            assert!(text.lines().count() <= 23, "{text}");
            assert!(text.lines().all(|line| line.len() <= 80), "{text}");
            for flag in FLAGS {
                assert_eq!(
                    has(&text, &usage(flag)[INDENT..]),
                    is_in_short_help(flag, of),
                    "{}\n{text}",
                    flag.long
                );
            }
        }
    }

    #[test]
    fn the_whole_help_of_a_command_has_the_options_that_the_command_takes() {
        for of in helps() {
            let text = whole(of);
            // Examples are not wrapped, so that they can be copied.
            let is_prose = |line: &&str| !line.contains("openai videos ");
            assert!(
                text.lines().filter(is_prose).all(|line| line.chars().count() <= WIDTH),
                "{text}"
            );
            for flag in FLAGS {
                let is_shown = flag.group != Group::Unused && flag.is_for(of);
                assert_eq!(has(&text, &usage(flag)), is_shown, "{}\n{text}", flag.long);
                assert!(!is_shown || text.contains(flag.env), "{}", flag.long);
            }
            assert!(text.contains("Examples:\n  openai videos "));
        }
    }

    #[test]
    fn the_short_help_of_a_command_reads_like_this() {
        let text = "\
Usage: openai videos delete ID [OPTION ...]
Delete a job and its media.

    --base-url URL       The server's URL, with the path prefix of the API
    --api-key-file FILE  Read the API key from a file
    --format FORMAT      Format: json, jsonl, raw, pretty (a table) or yaml
    --transform GJSON    Print only what this GJSON path finds in the result
-r, --raw-output         Print a string without quotation marks and escapes
-q, --quiet              Show no progress and no warnings
-h, --help               -h: the common options; --help: everything

--help has all options, the exit codes and examples.
";
        assert_eq!(short(Some(Command::Delete)), text);
    }

    #[test]
    fn the_word_help_asks_for_help_except_in_the_place_of_an_id() {
        let asked = |words: &[&str]| {
            asked(&Args { words: words.iter().map(OsString::from).collect(), ..Args::default() })
        };
        for (words, of) in [
            (&["help"][..], None),
            (&["videos", "help"], None),
            (&["help", "videos"], None),
            (&["help", "videos", "extend"], Some(EXTEND)),
            (&["videos", "help", "delete"], Some(Command::Delete)),
            (&["help", "delete"], Some(Command::Delete)),
        ] {
            assert_eq!(asked(words).unwrap(), Some(whole(of)), "{words:?}");
        }
        assert_eq!(asked(&["videos", "retrieve", "help"]).unwrap(), None);
        assert!(asked(&["help", "videos", "extnd"]).is_err());
    }
}
