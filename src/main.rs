//! `openai videos ...` in one small static binary. See `openai --help`.

#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

#[allow(clippy::disallowed_methods)] // the environment is read only here
fn main() -> ExitCode {
    cli::run(std::env::args_os().skip(1), &|name| std::env::var_os(name))
}

// Among the unit tests, as they test private functions. tests/fuzz shares them.
#[cfg(test)]
#[path = "../tests/properties"]
mod properties {
    mod arguments;
    mod suite;
}
