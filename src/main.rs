//! `openai videos extend` in one small static binary. See `openai videos extend --help`.

#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

#[allow(clippy::disallowed_methods)] // here and nowhere else the environment is read
fn main() -> ExitCode {
    cli::run(std::env::args_os().skip(1), &|name| std::env::var_os(name))
}

// Among the unit tests, as what they are about is private. tests/fuzz shares them.
#[cfg(test)]
#[path = "../tests/properties"]
mod properties {
    mod arguments;
    mod suite;
}
