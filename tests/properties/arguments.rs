//! Properties of every command line and environment.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use openai_videos::{ApiKey, Client, Error, Header, PreviewBody, Settings};
use serde_json::value::RawValue;

use crate::cli::args::flags::{Args, FLAGS, Flag, Set};
use crate::cli::args::{help, parse};
use crate::cli::env::Env;
use crate::cli::exit::Code;
use crate::cli::plan::view::View;
use crate::cli::plan::{Action, Plan, resolve};
use crate::cli::stdio::Terminals;

/// A part of every secret, which no output may contain.
const SECRET: &str = "hUnTeR2";
/// Headers that authenticate a client.
const KEYS: [&str; 3] = ["authorization", "x-api-key", "cookie"];

/// `input`: a line for each argument, and for each variable one that starts with `$`:
/// `$OPENAI_API_KEY=k`.
///
/// An invalid command line is a usage error of one line. A valid one has times within bounds, and
/// can be previewed or ends with a known error. No output contains a secret. The plan does not
/// depend on the spelling and the order of the options.
pub(crate) fn check(input: &[u8]) {
    let secret = SECRET.as_bytes();
    if input.windows(secret.len()).any(|piece| piece == secret) {
        return;
    }
    let mut argv = Vec::new();
    let mut variables = Vec::new();
    for line in input.split(|byte| *byte == b'\n') {
        match line.strip_prefix(b"$") {
            Some(line) => variables.extend(variable(line)),
            None => argv.push(OsString::from_vec(line.to_vec())),
        }
    }
    let env = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    };
    let planned = plan(&argv, &env);
    if let Ok(Ok(plan)) = &planned {
        sound(plan);
    }
    let meaning = Meaning::of(planned);
    for spelled in spellings(&argv) {
        let other = Meaning::of(plan(&spelled, &env));
        assert_eq!(other, meaning, "{argv:?} {spelled:?}");
    }
}

/// The steps of a run up to the first that has an effect: a plan, or the text of a help.
fn plan(argv: &[OsString], env: Env<'_>) -> Result<Result<Plan, String>, Error> {
    let (mut args, read) = parse::parse(argv.iter().cloned());
    guard(&mut args);
    assert!(!format!("{args:?}").contains(SECRET));
    read?;
    if let Some(text) = help::asked(&args)? {
        return Ok(Err(text));
    }
    View::of_errors(&args, env, Terminals::default())?;
    resolve(args, env, Terminals::default()).map(Ok)
}

/// The debug output of a plan, and the secrets that it leaves out.
#[derive(Debug, PartialEq)]
struct Meaning(String, Option<ApiKey>, Vec<Header>);

impl Meaning {
    fn of(planned: Result<Result<Plan, String>, Error>) -> Self {
        match planned {
            Ok(Ok(plan)) => {
                let shown = format!("{plan:?}");
                Self(shown, plan.settings.api_key, plan.settings.headers)
            }
            Ok(Err(help)) => Self(help, None, Vec::new()),
            Err(error) => {
                assert_eq!(Code::from(&error), Code::Usage, "{error:?}");
                Self(refusal(&error), None, Vec::new())
            }
        }
    }
}

fn sound(plan: &Plan) {
    let shown = format!("{plan:?}");
    assert!(!shown.contains(SECRET), "{shown}");
    let settings = &plan.settings;
    let wait = plan.wait.iter();
    let times = wait.flat_map(|wait| [Some(wait.timeout), wait.poll_interval]).flatten();
    for time in times.chain([settings.connect_timeout, settings.timeout, settings.stall_timeout]) {
        assert!(!time.is_zero() && time <= Settings::LONGEST, "{time:?}");
    }
    let (Action::Preview(request) | Action::Submit(request) | Action::CreateCharacter(request)) =
        &plan.task
    else {
        return;
    };
    match Client::new(settings.clone()).and_then(|client| client.preview(request)) {
        Ok(preview) => {
            let shown = format!("{preview:?}");
            assert!(!shown.contains(SECRET), "{shown}");
            if let PreviewBody::Json(json) = &preview.body {
                let is_json = serde_json::from_str::<&RawValue>(json).is_ok();
                assert!(is_json && json.starts_with('{'), "{json}");
            }
        }
        // Errors about the key, or about the file to upload.
        Err(
            error @ (Error::Invalid { .. }
            | Error::Missing { .. }
            | Error::Unencrypted { .. }
            | Error::NoKey
            | Error::File { .. }),
        ) => drop(refusal(&error)),
        Err(error) => panic!("{error:?}"),
    }
}

/// The text of a usage error. Panics unless it is one line.
fn refusal(error: &Error) -> String {
    let line = error.to_string();
    assert!(!line.is_empty() && !line.chars().any(char::is_control), "{line:?}");
    let whole = format!("{error:?}");
    assert!(!line.contains(SECRET) && !whole.contains(SECRET), "{whole}");
    whole
}

/// Gives every secret its mark, and keeps the run away from standard input and from files other
/// than none.
fn guard(args: &mut Args) {
    args.api_key = args.api_key.take().map(marked);
    for header in &mut args.headers {
        if let Some(path) = header.strip_prefix('@') {
            *header = format!("@{}", harmless(OsStr::new(path)).display());
        }
        if let Some((name, value)) = header.split_once(':') {
            let is_key = KEYS.iter().any(|key| name.eq_ignore_ascii_case(key));
            if is_key && !value.trim().is_empty() {
                *header = format!("{name}:{SECRET}{value}");
            }
        }
    }
    args.base_url = args.base_url.take().map(|url| url_marked(&url));
    for path in [
        &mut args.body,
        &mut args.api_key_file,
        &mut args.cacert,
        &mut args.client_cert,
        &mut args.client_key,
    ] {
        *path = path.take().map(|path| harmless(&path));
    }
    if args.output.as_ref().is_some_and(|path| !path.is_empty() && path != "-") {
        args.output = Some("/dev/null".into());
    }
    if let Some(path) = args.prompt.as_ref().and_then(|prompt| prompt.as_bytes().strip_prefix(b"@"))
    {
        let is_handle = path != b"-" && !path.contains(&b'.') && !path.contains(&b'/');
        if !is_handle {
            let path = harmless(OsStr::from_bytes(path));
            args.prompt = Some(OsString::from_vec([b"@", path.as_bytes()].concat()));
        }
    }
}

/// The variables of the environment are guarded in the same way.
fn variable(line: &[u8]) -> Option<(String, OsString)> {
    let at = line.iter().position(|byte| *byte == b'=')?;
    let name = String::from_utf8(line[..at].to_vec()).ok()?;
    let value = OsString::from_vec(line[at + 1..].to_vec());
    let value = match (name.as_str(), value.to_str()) {
        ("OPENAI_API_KEY", Some(key)) => marked(key.to_owned()).into(),
        ("OPENAI_BASE_URL", Some(url)) => url_marked(url).into(),
        (name, Some(url)) if name.to_ascii_lowercase().ends_with("_proxy") => {
            proxy_marked(url).into()
        }
        (name, _) if name.ends_with("_FILE") => harmless(&value),
        _ => value,
    };
    Some((name, value))
}

fn marked(key: String) -> String {
    if key.is_empty() { key } else { format!("{SECRET}{key}") }
}

/// Credentials and queries hold secrets.
fn url_marked(url: &str) -> String {
    match url.find(['@', '?']) {
        Some(at) if url[at..].starts_with('@') => format!("{}{SECRET}{}", &url[..at], &url[at..]),
        Some(at) => format!("{}{SECRET}{}", &url[..=at], &url[at + 1..]),
        None => url.to_owned(),
    }
}

fn proxy_marked(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((credentials, place)) => format!("{credentials}{SECRET}@{place}"),
        None => url.to_owned(),
    }
}

/// An empty file, or none.
fn harmless(path: &OsStr) -> OsString {
    match path.len() {
        0 => OsString::new(),
        length if length % 2 == 0 => "/dev/null".into(),
        _ => "/dev/null/none".into(),
    }
}

/// The same arguments with every value after a `=`, with every one apart, and with the options in
/// front of the words. Nothing, where an option is unknown or misused.
fn spellings(argv: &[OsString]) -> Vec<Vec<OsString>> {
    let Some(units) = units(argv) else {
        return Vec::new();
    };
    let joined = units.iter().flat_map(Unit::joined).collect();
    let apart = units.iter().flat_map(Unit::apart).collect();
    let (options, words): (Vec<&Unit>, Vec<&Unit>) =
        units.iter().partition(|unit| matches!(unit, Unit::Option(..) | Unit::Help));
    let mut sorted: Vec<OsString> = options.into_iter().flat_map(Unit::joined).collect();
    sorted.push("--".into());
    sorted
        .extend(words.into_iter().filter(|unit| !matches!(unit, Unit::End)).flat_map(Unit::apart));
    vec![joined, apart, sorted]
}

/// One argument, or an option with its value.
enum Unit {
    Option(&'static Flag, Option<OsString>),
    /// `-h`, which asks for another help than `--help`.
    Help,
    Word(OsString),
    /// `--`, after which all are words.
    End,
}

impl Unit {
    fn joined(&self) -> Vec<OsString> {
        match self {
            Unit::Option(flag, Some(value)) => {
                let mut argument = OsString::from(format!("--{}=", flag.long));
                argument.push(value);
                vec![argument]
            }
            unit => unit.apart(),
        }
    }

    fn apart(&self) -> Vec<OsString> {
        match self {
            Unit::Option(flag, value) => {
                let name = OsString::from(format!("--{}", flag.long));
                [name].into_iter().chain(value.clone()).collect()
            }
            Unit::Help => vec!["-h".into()],
            Unit::Word(word) => vec![word.clone()],
            Unit::End => vec!["--".into()],
        }
    }
}

/// Reads arguments as getopt_long does.
fn units(argv: &[OsString]) -> Option<Vec<Unit>> {
    let mut units = Vec::new();
    let mut rest = argv.iter();
    while let Some(argument) = rest.next() {
        let bytes = argument.as_bytes();
        if bytes == b"--" {
            units.push(Unit::End);
            units.extend(rest.by_ref().cloned().map(Unit::Word));
        } else if let Some(long) = bytes.strip_prefix(b"--") {
            let end = long.iter().position(|byte| *byte == b'=');
            let name = &long[..end.unwrap_or(long.len())];
            let flag = FLAGS.iter().find(|flag| flag.long.as_bytes() == name)?;
            let value = end.map(|at| OsString::from_vec(long[at + 1..].to_vec()));
            units.push(match (&flag.set, value) {
                (Set::Switch(_), None) => Unit::Option(flag, None),
                (Set::Switch(_), Some(_)) => return None,
                (_, Some(value)) => Unit::Option(flag, Some(value)),
                (_, None) => Unit::Option(flag, Some(rest.next()?.clone())),
            });
        } else if bytes.len() > 1 && bytes[0] == b'-' {
            let mut letters = &bytes[1..];
            while let [letter, more @ ..] = letters {
                letters = more;
                if *letter == b'h' {
                    units.push(Unit::Help);
                    continue;
                }
                let is_it =
                    |flag: &&Flag| flag.short.is_some_and(|short| short == char::from(*letter));
                let flag = FLAGS.iter().find(is_it)?;
                units.push(match (&flag.set, more) {
                    (Set::Switch(_), [b'=', ..]) => return None,
                    (Set::Switch(_), _) => Unit::Option(flag, None),
                    (_, []) => Unit::Option(flag, Some(rest.next()?.clone())),
                    (_, value) => {
                        letters = &[];
                        let value = value.strip_prefix(b"=").unwrap_or(value);
                        Unit::Option(flag, Some(OsString::from_vec(value.to_vec())))
                    }
                });
            }
        } else {
            units.push(Unit::Word(argument.clone()));
        }
    }
    Some(units)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::cli::args::command::{COMMANDS, Command};
    use crate::properties::suite::{Random, cases, corpus};

    const WORDS: [&str; 24] = [
        "\n",
        "=",
        "--",
        "-",
        "@",
        "@-",
        "{",
        "videos\nextend\n",
        "--prompt=p\n",
        "--seconds\n4\n",
        "--video\nv\n",
        "--api-key\nk\n",
        "--base-url=https://u:p@x/v1\n",
        "$OPENAI_API_KEY=k\n",
        "$https_proxy=http://u:p@x:1\n",
        "-qr",
        "-o\nx\n",
        "--header\nAuthorization: k\n",
        "--field=n:=1\n",
        "--timeout=1e9h\n",
        "1.5m",
        "\u{1b}",
        "-h\n",
        "--dry-run\n",
    ];

    #[test]
    fn hold_for_the_corpus_and_its_mutations() {
        corpus("arguments", &WORDS, check);
    }

    #[test]
    fn every_flag_means_the_same_in_every_spelling_and_place() {
        let accepted = Cell::new(0);
        cases(1000, |random| {
            let row = &COMMANDS[random.below(COMMANDS.len())];
            let ids = row.arguments.iter().map(|_| match row.command {
                Command::GetCharacter => "--character-id=c",
                _ => "--video-id=v",
            });
            let required = [("prompt", "p"), ("seconds", "4"), ("video", "@v"), ("name", "n")];
            let given = required.iter().filter(|(name, _)| row.required.contains(name));
            let mut lines: Vec<String> = ids.map(str::to_owned).collect();
            lines.extend(given.map(|(name, value)| format!("--{name}={value}")));
            let fitting: Vec<&Flag> =
                FLAGS.iter().filter(|flag| flag.is_for(Some(row.command))).collect();
            for _ in 0..random.below(5) {
                lines.push(option(fitting[random.below(fitting.len())], random));
            }
            let mut at = lines.len();
            for word in [row.name, "videos"] {
                at = random.below(at + 1);
                lines.insert(at, word.to_owned());
            }
            let input = lines.join("\n");
            check(input.as_bytes());
            let argv: Vec<OsString> = input.lines().map(OsString::from).collect();
            let is_plan = matches!(plan(&argv, &|_| None), Ok(Ok(_)));
            accepted.set(accepted.get() + u32::from(is_plan));
        });
        assert!(accepted.get() > 500, "{accepted:?}");
    }

    /// An option in one of its spellings, with a value that it takes.
    fn option(flag: &Flag, random: &mut Random) -> String {
        let value = match flag.value {
            "" => return format!("--{}", flag.long),
            _ if !flag.values.is_empty() => flag.values[random.below(flag.values.len())],
            "DURATION" => ["90", "1.5m", "250ms"][random.below(3)],
            "N" => ["0", "4294967295"][random.below(2)],
            "URL" => "https://gateway.example.com/v1",
            "NAME=TEXT" => ["a=b", "n:=1"][random.below(2)],
            "'NAME: VALUE'" => "Authorization: Bearer k",
            _ => ["x", "-x", "--"][random.below(3)],
        };
        match (random.below(4), flag.short) {
            (0, _) => format!("--{}={value}", flag.long),
            (1, Some(short)) => format!("-{short}{value}"),
            (2, Some(short)) => format!("-{short}={value}"),
            (3, Some(short)) => format!("-{short}\n{value}"),
            _ => format!("--{}\n{value}", flag.long),
        }
    }
}
