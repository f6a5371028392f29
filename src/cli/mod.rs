//! The command line: argv and environment in, exit code out.
//!
//! argv, env -> `parse` -> `resolve` -> plan -> client -> job -> `print` -> `exit`

mod exit;
mod flags;
mod help;
mod input;
mod parse;
mod print;
mod resolve;

use std::ffi::OsString;
use std::process::ExitCode;

use openai_videos::{Client, Error};

use self::print::Screen;
use self::resolve::Plan;

/// Looks up an environment variable.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The whole program: what is asked for is done, and what came of it is told by text and code.
pub(crate) fn run(argv: impl Iterator<Item = OsString>, env: Env<'_>) -> ExitCode {
    let done = parse::parse(argv).and_then(|args| match help::asked(&args)? {
        Some(text) => print::text(&text),
        None => execute(resolve::resolve(args, env)?),
    });
    match done {
        Ok(()) => exit::OK,
        Err(error) => {
            print::error(&error);
            exit::code(&error)
        }
    }
}

fn execute(plan: Plan) -> Result<(), Error> {
    let screen = Screen::new(&plan);
    print::hide(plan.settings.clone());
    let client = Client::with_events(plan.settings, move |event| screen.show(event))?;
    if plan.dry_run {
        return print::preview(&client.preview(&plan.extension)?);
    }
    print::job(&client.extend(&plan.extension)?)
}
