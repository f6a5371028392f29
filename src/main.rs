//! `openai videos extend` in one small static binary. See `openai videos extend --help`.

#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

#[allow(clippy::disallowed_methods)] // here and nowhere else the environment is read
fn main() -> ExitCode {
    cli::run(std::env::args_os().skip(1), &|name| std::env::var_os(name))
}
