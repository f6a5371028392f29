//! The command line: argv and environment in, exit code out.
//!
//! argv -> `args` -> `plan` (with the environment) -> `run` (with the library) -> `show`, `exit`

// tests/properties uses those that are pub(crate).
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

use openai_videos::Error;

use crate::cli::args::{help, parse};
use crate::cli::env::Env;
use crate::cli::exit::Code;
use crate::cli::plan::view::View;
use crate::cli::show::Printer;
use crate::cli::stdio::Terminals;

/// The whole program: carries out the command, prints the error if it fails, and returns the exit
/// code.
pub(crate) fn run(argv: impl Iterator<Item = OsString>, env: Env<'_>) -> ExitCode {
    // Before any read that may block.
    signals::watch();
    let mut printer = Printer::new(Terminals::of_process());
    match carry_out(argv, env, &mut printer) {
        Ok(()) => Code::Done.into(),
        Err(error) => {
            printer.error(&error);
            Code::from(&error).into()
        }
    }
}

fn carry_out(
    argv: impl Iterator<Item = OsString>,
    env: Env<'_>,
    printer: &mut Printer,
) -> Result<(), Error> {
    let (args, parsed) = parse::parse(argv);
    printer.redact_secrets_of(plan::settings::known_secrets(&args, env));
    // First, because --format-error applies to usage errors as well.
    let format_error = printer.show_errors_in(View::of_errors(&args, env, printer.terminals()));
    parsed?;
    if let Some(text) = help::asked(&args)? {
        return printer.text(&text);
    }
    format_error?;
    if args.format_error.is_none()
        && let Some(commands) = help::commands_if_none_is_named(&args)
    {
        printer.note(commands);
    }
    let plan = plan::resolve(args, env, printer.terminals())?;
    printer.show_results_of(&plan);
    run::execute(&plan, printer)
}
