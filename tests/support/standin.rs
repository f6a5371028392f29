//! The tests' Videos API as a program: `standin [--port N] [--api-key KEY] -- COMMAND ARGS...` runs COMMAND
//! against it and ends with the command's code. Without a command it serves until standard input closes.

// The project keeps its library from printing; this is a program.
#![allow(clippy::disallowed_methods)]

use std::io::{self, Read, Write};
use std::process::{Command, ExitCode};

// Shared with the integration tests, which use more of each than this program does.
#[allow(dead_code)]
mod multipart;
#[allow(dead_code)]
mod reply;
#[allow(dead_code)]
mod request;
#[allow(dead_code)]
mod server;
#[allow(dead_code)]
mod videos;
#[allow(dead_code)]
mod wire;

use server::Server;

const USAGE: &str = "usage: standin [--port N] [--api-key KEY] [-- COMMAND ARGS...]";
const DEFAULT_KEY: &str = "stand-in-key";
/// What would send the command elsewhere, or contradict the key that it is given.
const ELSEWHERE: [&str; 7] = [
    "OPENAI_API_KEY_FILE",
    "http_proxy",
    "HTTP_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
];

struct Options {
    port: u16,
    /// Where there is none, the server takes any key.
    key: Option<String>,
    command: Vec<String>,
}

fn main() -> ExitCode {
    match options(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(code) => ExitCode::from(code),
        Err(why) => {
            drop(writeln!(io::stderr(), "standin: {why}"));
            ExitCode::from(2)
        }
    }
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        port: 0,
        key: None,
        command: Vec::new(),
    };
    while let Some(arg) = args.next() {
        let mut value = || {
            args.next()
                .ok_or_else(|| format!("{arg} needs a value\n{USAGE}"))
        };
        match arg.as_str() {
            "--port" => options.port = value()?.parse().map_err(|why| format!("--port: {why}"))?,
            "--api-key" => options.key = Some(value()?),
            "--" => options.command = args.by_ref().collect(),
            _ => return Err(format!("what is {arg:?}?\n{USAGE}")),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<u8, String> {
    let server = Server::videos_at(options.port, options.key.as_deref())
        .map_err(|why| format!("no server on port {}: {why}", options.port))?;
    let outcome = match options.command.split_first() {
        Some((program, args)) => {
            let key = options.key.as_deref().unwrap_or(DEFAULT_KEY);
            let mut command = Command::new(program);
            command.args(args);
            for name in ELSEWHERE {
                command.env_remove(name);
            }
            command
                .env("OPENAI_BASE_URL", server.base_url())
                .env("OPENAI_API_KEY", key)
                .status()
                .map(|status| {
                    status
                        .code()
                        .and_then(|code| u8::try_from(code).ok())
                        .unwrap_or(1)
                })
                .map_err(|why| format!("could not run {program}: {why}"))
        }
        None => serve(&server).map_err(|why| format!("standard streams: {why}")),
    };
    server.finish();
    outcome
}

fn serve(server: &Server) -> io::Result<u8> {
    let mut stdout = io::stdout();
    writeln!(stdout, "OPENAI_BASE_URL={}", server.base_url())?;
    stdout.flush()?;
    let mut buffer = [0; 1024];
    while io::stdin().read(&mut buffer)? > 0 {}
    Ok(0)
}
