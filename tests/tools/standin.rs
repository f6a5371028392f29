//! The tests' Videos API as a program: `standin [OPTIONS] -- COMMAND ARGS...` runs COMMAND against
//! it and exits with the command's code. Without a command it serves until the end of standard
//! input. `--like NAME` chooses another server's version of the API, and `--log` writes a line for
//! each request to standard error.

// The lints keep the library from printing and from reading the environment. This is a program.
#![allow(clippy::disallowed_methods)]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex};

#[path = "../support/videos_api/mod.rs"]
mod videos_api;

use videos_api::connection::{Connection, Gate, lock};
use videos_api::dialects::{DIALECTS, Dialect};
use videos_api::imitation::{Respond, media_host, server_like};
use videos_api::listener::Listener;
use videos_api::request_reader::RequestReader;

const USAGE: &str =
    "usage: standin [--port N] [--api-key KEY] [--like NAME] [--log] [-- COMMAND ARGS...]";
const HELP: &str = "\
Serves the Videos API on 127.0.0.1 for tests and demonstrations.

  --port N       listen on this port; without it on any free one
  --api-key KEY  accept only this API key; without it any
  --like NAME    behave like another server than OpenAI's:
                 {names}
  --log          write a line for each request to standard error
  -- COMMAND     run this command against the server and exit with its code; without it print
                 OPENAI_BASE_URL=URL, and serve until the end of standard input";
const DEFAULT_KEY: &str = "stand-in-key";
/// Variables that would send the command's requests elsewhere or give it another key.
const REMOVED: [&str; 7] = [
    "OPENAI_API_KEY_FILE",
    "http_proxy",
    "HTTP_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
];

struct Options {
    /// 0 for any free port.
    port: u16,
    /// The only API key that the server accepts, or `None` to accept any.
    key: Option<String>,
    /// The name of the server whose version of the API this is.
    like: String,
    /// Whether each request is logged.
    log: bool,
    command: Vec<String>,
}

fn main() -> ExitCode {
    let args = std::env::args().skip(1);
    let code = options(args).and_then(|options| options.map_or_else(help, |options| run(&options)));
    match code {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            drop(writeln!(io::stderr(), "standin: {error}"));
            ExitCode::from(2)
        }
    }
}

/// Prints the help, and returns the exit code.
fn help() -> Result<u8, String> {
    let names = DIALECTS.map(|dialect| dialect.name);
    let names: Vec<String> = names.chunks(6).map(|names| names.join(", ")).collect();
    let help = HELP.replace("{names}", &names.join(",\n                 "));
    writeln!(io::stdout(), "{USAGE}\n\n{help}").map_err(|error| error.to_string())?;
    Ok(0)
}

/// Reads the options; `None` for `--help`.
fn options(mut args: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options =
        Options { port: 0, key: None, like: "openai".into(), log: false, command: Vec::new() };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value\n{USAGE}"));
        match arg.as_str() {
            "--port" => {
                options.port = value()?.parse().map_err(|error| format!("--port: {error}"))?
            }
            "--api-key" => options.key = Some(value()?),
            "--like" => options.like = value()?,
            "--log" => options.log = true,
            "-h" | "--help" => return Ok(None),
            "--" => options.command = args.by_ref().collect(),
            _ => return Err(format!("unknown option {arg:?}\n{USAGE}")),
        }
    }
    Ok(Some(options))
}

fn run(options: &Options) -> Result<u8, String> {
    let stop = Arc::new(Gate::default());
    let mut media = listen(0, media_host(0), options.log, &stop)?;
    let media_origin = format!("http://{}", media.address);
    let respond = server_like(&options.like, options.key.as_deref(), &media_origin)
        .ok_or_else(|| format!("no server is called {:?}", options.like))?;
    let mut listener = listen(options.port, respond, options.log, &stop)?;
    let base = Dialect::named(&options.like).map_or("/v1", |dialect| dialect.bases[0]);
    let base_url = format!("http://{}{base}", listener.address);
    let code = match options.command.split_first() {
        Some((program, args)) => {
            let key = options.key.as_deref().unwrap_or(DEFAULT_KEY);
            run_command(program, args, &base_url, key)
                .map_err(|error| format!("cannot run {program}: {error}"))
        }
        None => {
            wait_for_end_of_input(&base_url).map_err(|error| format!("standard streams: {error}"))
        }
    };
    stop.open();
    listener.stop();
    media.stop();
    code
}

fn listen(port: u16, respond: Respond, log: bool, stop: &Arc<Gate>) -> Result<Listener, String> {
    let respond = Mutex::new(respond);
    let stop = Arc::clone(stop);
    // A connection that fails is the client's fault, and the client reports it.
    let serve = move |stream, number| drop(serve(stream, number, &stop, &respond, log));
    Listener::start(port, serve).map_err(|error| format!("cannot listen on port {port}: {error}"))
}

/// Serves the requests on one connection.
fn serve(
    stream: TcpStream,
    number: usize,
    stop: &Arc<Gate>,
    respond: &Mutex<Respond>,
    log: bool,
) -> io::Result<()> {
    let origin = format!("http://{}", stream.local_addr()?);
    let mut connection = Connection::new(stream, Arc::clone(stop))?;
    let head = |connection: &mut _| RequestReader::head(connection, number);
    while let Some(mut reader) = head(&mut connection).map_err(io::Error::other)? {
        if !reader.read_whole(&mut connection)? {
            break;
        }
        let request = &reader.request;
        let response = lock(respond)(request);
        if log {
            let (method, target, status) = (&request.method, &request.target, response.status);
            drop(writeln!(io::stderr(), "server: {method} {origin}{target} -> {status}"));
        }
        response.send(&mut connection)?;
    }
    Ok(())
}

/// Runs a command against the server and returns its exit code, or 1 if a signal ended it.
fn run_command(program: &str, args: &[String], base_url: &str, key: &str) -> io::Result<u8> {
    let mut command = Command::new(program);
    command.args(args);
    for name in REMOVED {
        command.env_remove(name);
    }
    command.env("OPENAI_BASE_URL", base_url).env("OPENAI_API_KEY", key);
    let code = command.status()?.code();
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

fn wait_for_end_of_input(base_url: &str) -> io::Result<u8> {
    let mut stdout = io::stdout();
    writeln!(stdout, "OPENAI_BASE_URL={base_url}")?;
    stdout.flush()?;
    let mut buffer = [0; 1024];
    while io::stdin().read(&mut buffer)? > 0 {}
    Ok(0)
}
