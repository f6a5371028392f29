//! The command line: argv and environment in, exit code out.
//!
//! argv, env -> `parse` -> `resolve` -> plan -> client -> job -> `print` -> `exit`

// tests/properties looks into those that are pub(crate).
pub(crate) mod args;
pub(crate) mod env;
pub(crate) mod exit;
pub(crate) mod plan;
mod run;
pub(crate) mod show;
mod signals;
pub(crate) mod stdio;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::cli::args::{help, parse};
use crate::cli::env::Env;
use crate::cli::plan::view::View;
use crate::cli::stdio::Terminals;

/// The whole program: what is asked for is done, and what came of it is told by text and code.
pub(crate) fn run(argv: impl Iterator<Item = OsString>, env: Env<'_>) -> ExitCode {
    let (args, read) = parse::parse(argv);
    let terminals = Terminals::of_process();
    let mut errors = View::default();
    let known = View::of_errors(&args, env, terminals).map(|view| errors = view);
    let done = read.and_then(|()| match help::asked(&args)? {
        Some(text) => show::text(&text),
        None => known.and_then(|()| run::execute(plan::resolve(args, env, terminals)?)),
    });
    match done {
        Ok(()) => exit::OK,
        Err(error) => {
            show::error(&error, &errors);
            exit::code(&error)
        }
    }
}
