//! [`Args`] and the environment -> [`Plan`]: plain data that has been checked. Every file that an
//! argument names has been read, but for the upload. The environment is passed in as a function, so
//! that tests need none.

mod certificates;
mod input;
pub(crate) mod output;
mod proxies;
mod request;
pub(crate) mod settings;
pub(crate) mod view;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use openai_videos::{
    Download, Error, ListQuery, Operation, Order, Settings, Variant, VideoRequest, Wait,
};

use crate::cli::args::command::{Command, CommandRow};
use crate::cli::args::flags::{Args, FIELDS, FLAGS, Flag};
use crate::cli::args::parse::command;
use crate::cli::args::value::{choice, invalid};
use crate::cli::env::{Env, env_value};
use crate::cli::plan::input::{PipedBody, id, is_standard_input};
use crate::cli::plan::output::{
    Output, check_distinct, check_standard_output, check_writable, output, skips_existing,
};
use crate::cli::plan::request::request;
use crate::cli::plan::settings::settings;
use crate::cli::plan::view::{Verbosity, View};
use crate::cli::stdio::Terminals;

/// How long standard input may send nothing when it is read for missing options. A scheduler may
/// start the program with a pipe that nobody writes to.
const STDIN_SILENCE: Duration = Duration::from_secs(10);

/// The steps of a run, with all options, variables and defaults resolved.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    pub(crate) task: Action,
    /// How to wait, if at all.
    pub(crate) wait: Option<Wait>,
    pub(crate) output: Option<Output>,
    /// Whether nothing is sent if the output is there already and no job is pending.
    pub(crate) skip_existing: bool,
    pub(crate) state: Option<PathBuf>,
    pub(crate) download: Download,
    pub(crate) show: Verbosity,
    pub(crate) view: View,
}

/// The request that a run makes.
#[derive(Debug)]
pub(crate) enum Action {
    Preview(VideoRequest),
    Submit(VideoRequest),
    List(ListQuery),
    Retrieve(String),
    Download(String),
    Delete(String),
    CreateCharacter(VideoRequest),
    GetCharacter(String),
}

/// Something on the server, with its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    Job(String),
    Character(String),
}

impl Plan {
    /// The resource that the command line names by its id, if a 404 can only mean that one.
    pub(crate) fn named(&self) -> Option<Named> {
        Some(match &self.task {
            Action::Retrieve(id) | Action::Download(id) | Action::Delete(id) => {
                Named::Job(id.clone())
            }
            // With a wait, a 404 may mean the new job.
            Action::Submit(request) if self.wait.is_none() => {
                Named::Job(request.remixed_id()?.to_owned())
            }
            Action::GetCharacter(id) => Named::Character(id.clone()),
            _ => return None,
        })
    }
}

pub(crate) fn resolve(args: Args, env: Env<'_>, terminals: Terminals) -> Result<Plan, Error> {
    let row = command(&args.words)?;
    check_flags(&args, row)?;
    let has_reader = reads_standard_input(&args, env)?;
    let task = match action(&args, row, None) {
        Err(error) if !matches!(error, Error::Missing { .. }) => return Err(error),
        task => task,
    };
    let reads_body =
        task.is_err() && !has_reader && args.body.is_none() && terminals.may_read_stdin;
    let settings = settings(&args, env)?;
    let (output, skip_existing) = checked_output(&args, row, terminals, has_reader || reads_body)?;
    let state = args.state.as_deref().map(PathBuf::from);
    let wait = (args.wait || output.is_some()).then(|| wait(&args));
    let id = row.creates_job() && state.is_none();
    let view = View::of_results(&args, env, terminals, row.command)?;
    let download = download(&args)?;
    // Last, so that every other usage error is reported without waiting for standard input.
    let piped = if reads_body { input::piped_body(STDIN_SILENCE)? } else { PipedBody::Nothing };
    let task = match &piped {
        PipedBody::Text(body) => action(&args, row, Some(body)),
        PipedBody::Nothing | PipedBody::Silence => task,
    };
    let silence = matches!(piped, PipedBody::Silence).then_some(STDIN_SILENCE);
    Ok(Plan {
        settings,
        task: task.map_err(|error| request::name_missing_option(error, row, silence))?,
        wait,
        output,
        skip_existing,
        state,
        download,
        show: Verbosity::new(&args, env, terminals, id),
        view,
    })
}

/// The output, and whether it is kept if it exists already. Checks that the result can be written.
fn checked_output(
    args: &Args,
    row: &CommandRow,
    terminals: Terminals,
    reads_stdin: bool,
) -> Result<(Option<Output>, bool), Error> {
    let output = output(args, row.command, terminals)?;
    check_standard_output(output.as_ref(), row, terminals)?;
    check_distinct(args, output.as_ref(), reads_stdin)?;
    let skip_existing = skips_existing(args, output.as_ref())?;
    if let Some(output) = output.as_ref().filter(|_| !args.dry_run)
        && !(skip_existing && output.is_stored())
    {
        check_writable(output)?;
    }
    Ok((output, skip_existing))
}

/// `piped_body`: the text on standard input, if it was read for missing options.
fn action(args: &Args, row: &CommandRow, piped_body: Option<&str>) -> Result<Action, Error> {
    Ok(match row.command {
        Command::Send(operation) => {
            let request = request(args, row, operation, piped_body)?;
            match operation {
                _ if args.dry_run => Action::Preview(request),
                Operation::CreateCharacter => Action::CreateCharacter(request),
                _ => Action::Submit(request),
            }
        }
        Command::List => Action::List(list(args)?),
        Command::Retrieve => Action::Retrieve(id(args, row)?),
        Command::DownloadContent => Action::Download(id(args, row)?),
        Command::Delete => Action::Delete(id(args, row)?),
        Command::GetCharacter => Action::GetCharacter(id(args, row)?),
    })
}

fn list(args: &Args) -> Result<ListQuery, Error> {
    const ORDERS: [Order; 2] = [Order::Ascending, Order::Descending];
    let order = args.order.as_deref().map(|name| choice("order", name));
    let mut query = ListQuery::default();
    query.order = order.transpose()?.map(|place| ORDERS[place]);
    query.limit = args.limit;
    query.after = args.after.clone();
    query.max_items = args.max_items.map(u64::from);
    if let Some(limit) = args.limit.filter(|limit| *limit > ListQuery::MAX_LIMIT) {
        let reason =
            format!("invalid number '{limit}'; it must be from 0 to {}", ListQuery::MAX_LIMIT);
        return Err(invalid("--limit", reason));
    }
    Ok(query)
}

/// An option that the command does not take is an error and not ignored.
fn check_flags(args: &Args, row: &CommandRow) -> Result<(), Error> {
    // An option has a row for each of its meanings.
    let is_taken = |flag: &Flag| {
        FLAGS.iter().any(|other| other.long == flag.long && other.is_for(Some(row.command)))
    };
    match args.given.iter().find(|flag| !is_taken(flag)) {
        Some(flag) => {
            let message = format!("--{} cannot be used with '{}'", flag.long, row.name);
            let is_field = FIELDS.contains(&flag.long) && matches!(row.command, Command::Send(_));
            let hint = is_field.then(|| {
                let name = flag.long.replace('-', "_");
                format!("to send a field of the request, use --field {name}=TEXT")
            });
            Err(Error::Invalid { message, hint })
        }
        None => Ok(()),
    }
}

fn download(args: &Args) -> Result<Download, Error> {
    let mut download = Download::default();
    let variant = args.variant.as_deref().map(|name| choice("variant", name)).transpose()?;
    download.variant = variant.map(|place| Variant::NAMES[place].1);
    download.ready_within = args.wait_timeout;
    download.poll_interval = args.poll_interval;
    Ok(download)
}

fn wait(args: &Args) -> Wait {
    let mut rules = Wait::default();
    rules.timeout = args.wait_timeout.unwrap_or(rules.timeout);
    rules.poll_interval = args.poll_interval;
    rules
}

/// Whether an argument names standard input, which can be read only once.
fn reads_standard_input(args: &Args, env: Env<'_>) -> Result<bool, Error> {
    let is_path = |path: &Option<OsString>| path.as_deref() == Some(OsStr::new("-"));
    let is_value = |value: &Option<OsString>| value.as_deref().is_some_and(is_standard_input);
    let has_key = args.api_key.is_some() || args.api_key_file.is_some();
    let key_file = env_value(env, "OPENAI_API_KEY_FILE").filter(|_| !has_key);
    let mut readers = Vec::new();
    for (name, reads) in [
        ("--prompt @-", is_value(&args.prompt)),
        ("--video @-", is_value(&args.video)),
        ("--input-reference @-", is_value(&args.input_reference)),
        ("--body -", is_path(&args.body)),
        ("--api-key-file -", is_path(&args.api_key_file)),
        ("OPENAI_API_KEY_FILE=-", is_path(&key_file)),
    ] {
        if reads {
            readers.push(name);
        }
    }
    for value in &args.headers {
        if is_standard_input(value.as_ref()) {
            readers.push("--header @-");
        }
    }
    match readers[..] {
        [first, second, ..] => {
            Err(Error::invalid(format!("{first} and {second} cannot both read standard input")))
        }
        _ => Ok(!readers.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use openai_videos::{ApiKey, DEFAULT_BASE_URL};

    use super::*;
    use crate::cli::args::parse::parse;

    const CALL: [&str; 8] = ["videos", "extend", "--prompt", "p", "--seconds", "4", "--video", "v"];

    fn plan(argv: &[&str], env: &[(&str, &str)]) -> Result<Plan, String> {
        let (args, read) = parse(argv.iter().map(OsString::from));
        read.unwrap();
        let env = |name: &str| {
            env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        };
        resolve(args, &env, Terminals::default()).map_err(|error| error.to_string())
    }

    fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
        CALL.iter().chain(more).copied().collect()
    }

    #[test]
    fn a_flag_overrides_its_variable() {
        let env = [
            ("OPENAI_BASE_URL", "http://env.example"),
            ("OPENAI_API_KEY", "env"),
            ("OPENAI_ORG_ID", "org"),
        ];
        let from_env = plan(&CALL, &env).unwrap().settings;
        assert_eq!(from_env.base_url.as_str(), "http://env.example");
        assert_eq!(from_env.api_key, Some(ApiKey::new("env").unwrap()));
        assert_eq!(from_env.organization.as_deref(), Some("org"));
        let flags = with(&[
            "--base-url",
            "http://flag.example",
            "--api-key",
            "flag",
            "--organization",
            "o",
        ]);
        let from_flags = plan(&flags, &env).unwrap().settings;
        assert_eq!(from_flags.base_url.as_str(), "http://flag.example");
        assert_eq!(from_flags.api_key, Some(ApiKey::new("flag").unwrap()));
        assert_eq!(from_flags.organization.as_deref(), Some("o"));
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let settings =
            plan(&CALL, &[("OPENAI_BASE_URL", ""), ("OPENAI_API_KEY", "")]).unwrap().settings;
        assert_eq!((settings.base_url.as_str(), settings.api_key), (DEFAULT_BASE_URL, None));
    }

    #[test]
    fn two_keys_from_flags_or_from_variables_are_an_error() {
        let flags = with(&["--api-key", "a", "--api-key-file", "b"]);
        assert_eq!(
            plan(&flags, &[]).unwrap_err(),
            "--api-key and --api-key-file cannot both be given"
        );
        let env = [("OPENAI_API_KEY", "a"), ("OPENAI_API_KEY_FILE", "b")];
        let message = "OPENAI_API_KEY and OPENAI_API_KEY_FILE cannot both be set";
        assert_eq!(plan(&CALL, &env).unwrap_err(), message);
        assert!(plan(&with(&["--api-key", "c"]), &env).is_ok());
    }

    #[test]
    fn a_field_replaces_seconds_but_cannot_be_used_with_prompt_or_video() {
        assert!(plan(&with(&["--field", "seconds=5"]), &[]).is_ok());
        let message = "--field prompt cannot be used with --prompt";
        assert_eq!(plan(&with(&["--field", "prompt=x"]), &[]).unwrap_err(), message);
        let message = "--field video cannot be used with --video";
        assert_eq!(plan(&with(&["--field", "video:={}"]), &[]).unwrap_err(), message);
        let message = "--seconds: invalid value '5'; possible values: 4, 8, 12, 16, 20";
        assert_eq!(plan(&with(&["--seconds", "5"]), &[]).unwrap_err(), message);
    }

    #[test]
    fn fields_are_read_as_text_or_json() {
        for (field, message) in [
            ("x", "--field: invalid field 'x'; expected NAME=TEXT or NAME:=JSON"),
            ("=x", "--field: invalid field '=x'; the name is empty"),
            (":=1", "--field: invalid field ':=1'; the name is empty"),
            ("n:=1x", "--field: n: '1x' is not JSON: trailing characters at line 1 column 2"),
        ] {
            assert_eq!(plan(&with(&["--field", field]), &[]).unwrap_err(), message);
        }
        for field in ["a=", "a=b=c", "a:=null", "a:={\"b\": 1}"] {
            assert!(plan(&with(&["--field", field]), &[]).is_ok(), "{field}");
        }
    }

    #[test]
    fn an_image_can_come_from_standard_input() {
        let argv = ["videos", "create", "--prompt", "p", "--input-reference", "@-"];
        plan(&argv, &[]).unwrap();
    }

    #[test]
    fn standard_input_cannot_be_read_twice() {
        let message = "--prompt @- and --body - cannot both read standard input";
        assert_eq!(plan(&with(&["--prompt", "@-", "--body", "-"]), &[]).unwrap_err(), message);
    }

    #[test]
    fn silence_of_standard_input_is_named_beside_the_missing_option() {
        let error = Error::Missing { field: "prompt" };
        let row = command(&["videos".into(), "create".into()]).unwrap();
        let error = request::name_missing_option(error, row, Some(STDIN_SILENCE));
        let message = "missing option --prompt, and standard input sent nothing for 10 s";
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn missing_options_are_named() {
        for (argv, message) in [
            (&CALL[..6], "missing option --video"),
            (
                &["videos", "extend", "--prompt", "p", "--video", "v"][..],
                "missing option --seconds",
            ),
            (&["videos", "extend"][..], "missing option --prompt"),
        ] {
            assert_eq!(plan(argv, &[]).unwrap_err(), message);
        }
        let other_server = [
            "videos",
            "extend",
            "--prompt",
            "p",
            "--field",
            "video_id=v",
            "--field",
            "duration:=6",
        ];
        assert!(plan(&other_server, &[]).is_ok());
    }

    #[test]
    fn the_variable_that_allows_http_is_a_switch() {
        for (value, allowed) in [("1", true), ("true", true), ("0", false), ("", false)] {
            let plan = plan(&CALL, &[("OPENAI_ALLOW_HTTP", value)]).unwrap();
            assert_eq!(plan.settings.allow_http, allowed);
        }
        let message = "OPENAI_ALLOW_HTTP: invalid value 'yes'; possible values: 1, 0";
        assert_eq!(plan(&CALL, &[("OPENAI_ALLOW_HTTP", "yes")]).unwrap_err(), message);
    }
}
