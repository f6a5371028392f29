//! argv -> [`Args`]: one loop over the table of flags.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use lexopt::Arg;
use openai_videos::{Error, Settings};

use crate::cli::args::flags::{Args, FLAGS, Flag, Group, Help, Set};

/// Reads the command line. Options may stand before, between and after the words. The first fault counts; what follows
/// it may still say how errors are to be shown.
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

/// Takes the next word or option, if there is one.
fn next(parser: &mut lexopt::Parser, args: &mut Args) -> Result<bool, Error> {
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
    let flag = flag.ok_or_else(|| unknown_flag(&shown))?;
    args.given.push(flag);
    set(flag, &shown, parser, args)?;
    Ok(true)
}

fn set(
    flag: &Flag,
    shown: &str,
    parser: &mut lexopt::Parser,
    args: &mut Args,
) -> Result<(), Error> {
    let text = |parser: &mut lexopt::Parser| text(&parser.value().map_err(usage)?, shown);
    match flag.set {
        Set::Switch(set) => set(args),
        Set::Os(set) => set(args, parser.value().map_err(usage)?),
        Set::Text(set) => set(args, text(parser)?),
        Set::Duration(set) => set(args, duration(&text(parser)?).map_err(|why| bad(shown, why))?),
        Set::Number(set) => {
            let text = text(parser)?;
            set(
                args,
                text.parse().map_err(|_| {
                    bad(shown, format!("'{text}' is no whole number from 0 to 4294967295"))
                })?,
            );
        }
    }
    Ok(())
}

/// `90`, `90s`, `1.5m`, `2h` or `250ms`. The error quotes the text.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let refuse = |why: &str| Err(format!("'{text}' {why}"));
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return refuse("is no duration like 90, 90s, 1.5m, 2h or 250ms"),
    };
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return refuse("is no duration like 90, 90s, 1.5m, 2h or 250ms");
    }
    match number.parse::<f64>().ok().map(|number| Duration::try_from_secs_f64(number * unit)) {
        None => refuse("is no duration like 90, 90s, 1.5m, 2h or 250ms"),
        Some(Ok(Duration::ZERO)) => refuse("is no time at all"),
        Some(Ok(duration)) if duration <= Settings::LONGEST => Ok(duration),
        Some(_) => refuse("is more than a year"),
    }
}

/// An argument as text.
pub(crate) fn text(value: &OsStr, what: &str) -> Result<String, Error> {
    // Not quoted: it could be a key, and could not be shown as it is anyway.
    value.to_str().map(str::to_owned).ok_or_else(|| bad(what, "the value is not UTF-8"))
}

/// A usage error: what is wrong with the value of which flag or variable.
pub(crate) fn bad(what: &str, why: impl std::fmt::Display) -> Error {
    Error::invalid(format!("{what}: {why}"))
}

fn usage(error: lexopt::Error) -> Error {
    Error::invalid_with(error.to_string(), "openai videos extend --help lists the options")
}

fn unknown_flag(shown: &str) -> Error {
    let shown_ones = FLAGS.iter().filter(|flag| flag.group != Group::Unused);
    let mut known = shown_ones.map(|flag| flag.long);
    let list = "openai videos extend --help lists the options";
    let near = nearest(shown.trim_start_matches('-'), &mut known);
    let hint = match (near, shown.strip_prefix("--")) {
        (Some(near), _) => format!("did you mean --{near}?"),
        (None, Some(name)) => {
            format!("{list}; a field of the request is sent with --field {name}=TEXT")
        }
        (None, None) => list.to_owned(),
    };
    Error::invalid_with(format!("unknown option '{shown}'"), hint)
}

/// The place of `text`, whatever its case, among the values of a flag.
pub(crate) fn choice(long: &str, text: &str) -> Result<usize, Error> {
    let flag = FLAGS.iter().find(|flag| flag.long == long);
    let values = flag.map_or(&[][..], |flag| flag.values);
    let place = values.iter().position(|value| value.eq_ignore_ascii_case(text));
    place.ok_or_else(|| Error::Invalid {
        what: format!("--{long}: '{text}' is none of {}", values.join(", ")),
        hint: nearest(text, &mut values.iter().copied())
            .map(|near| format!("did you mean '{near}'?")),
    })
}

/// The known word that `word` was probably meant to be: a prefix of one, but for its last letter, or a slip or two away.
pub(crate) fn nearest<'a>(word: &str, known: &mut dyn Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() < 2 {
        return None;
    }
    let mut stem = word.chars();
    stem.next_back();
    let stem = stem.as_str();
    let score = |name: &str| {
        if name.starts_with(word) {
            0
        } else if stem.len() > 3 && name.starts_with(stem) {
            1
        } else {
            distance(word, name)
        }
    };
    known
        .map(|name| (score(name), name))
        .min()
        .filter(|(score, _)| *score <= 1 + word.len() / 5)
        .map(|(_, name)| name)
}

/// Levenshtein's distance, with two neighbours swapped counting as one slip.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let mut least = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                least = least.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    least = least.min(rows[i - 2][j - 2] + 1);
                }
                least
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
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
    fn both_helps_are_told_apart() {
        assert_eq!(read(&["-h"]).unwrap().help, Some(Help::Short));
        assert_eq!(read(&["--help"]).unwrap().help, Some(Help::Whole));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (argv, what) in [
            (&["--promt", "x"][..], "unknown option '--promt'"),
            (&["-x"][..], "unknown option '-x'"),
            (&["--prompt"][..], "missing argument for option '--prompt'"),
            (&["--dry-run=yes"][..], "unexpected argument for option '--dry-run': \"yes\""),
            (
                &["--max-retries", "-1"][..],
                "--max-retries: '-1' is no whole number from 0 to 4294967295",
            ),
            (
                &["--timeout", "soon"][..],
                "--timeout: 'soon' is no duration like 90, 90s, 1.5m, 2h or 250ms",
            ),
        ] {
            assert_eq!(read(argv).unwrap_err(), what, "{argv:?}");
        }
        let argv = ["--bogus=x", "--dry-run=y", "--seconds=4", "--timeout=no", "a"];
        let (args, read) = parse(argv.into_iter().map(OsString::from));
        assert_eq!(read.unwrap_err().to_string(), "unknown option '--bogus'");
        assert_eq!((args.seconds.as_deref(), args.words.len()), (Some("4"), 1));
    }

    #[test]
    fn durations_have_a_unit_or_are_seconds() {
        let millis = |text| duration(text).map(|duration| duration.as_millis());
        for (text, expected) in
            [("90", 90_000), ("90s", 90_000), ("1.5m", 90_000), ("2h", 7_200_000), ("250ms", 250)]
        {
            assert_eq!(millis(text), Ok(expected), "{text}");
        }
        for text in
            ["", "s", "1d", "-1", "1 s", "1.2.3", "inf", "nan", "1e9", "0", "0ms", "9000000h", "."]
        {
            assert!(millis(text).is_err(), "{text}");
        }
    }

    #[test]
    fn slips_find_the_word_that_was_meant() {
        let known = || FLAGS.iter().map(|flag| flag.long);
        for (word, near) in [
            ("promt", Some("prompt")),
            ("secnods", Some("seconds")),
            ("vidoe", Some("video")),
            ("dryrun", Some("dry-run")),
            ("max-retrys", Some("max-retries")),
            ("max-retry", Some("max-retries")),
            ("videos", Some("video")),
            ("model", None),
            ("base", Some("base-url")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, &mut known()), near, "{word}");
        }
    }
}
