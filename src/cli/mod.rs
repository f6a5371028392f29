//! The command line: argv and environment in, exit code out.
//!
//! argv, env -> `parse` -> `resolve` -> plan -> client -> job -> `print` -> `exit`

mod exit;
mod flags;
mod help;
mod input;
mod parse;
mod print;
mod progress;
mod resolve;
mod signals;

use std::ffi::OsString;
use std::process::ExitCode;

use openai_videos::{Client, Error, Extension, Job, StateFile, Status, Target};

use self::progress::Screen;
use self::resolve::{Output, Plan, Task};

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

fn execute(mut plan: Plan) -> Result<(), Error> {
    print::hide(plan.settings.clone());
    signals::watch();
    let screen = Screen::new(plan.show);
    let client = Client::with_events(plan.settings.clone(), move |event| screen.show(event))?;
    match std::mem::replace(&mut plan.task, Task::Done) {
        Task::Preview(extension) => print::preview(&client.preview(&extension)?),
        Task::Extend(extension) => match &plan.state {
            None => {
                let job = client.extend(&extension)?;
                follow(client, job, &plan)
            }
            Some(path) => once(client, &extension, &mut StateFile::open(path)?, &plan),
        },
        Task::Retrieve(id) => {
            let job = client.retrieve(&id)?;
            follow(client, job, &plan)
        }
        Task::Download(id) => fetch(&client, &id, &plan),
        Task::Delete(id) => print::json(&client.delete(&id)?),
        Task::Done => Ok(()),
    }
}

/// One job, however often the run is cut: the state is cleared once the job has ended and its media are stored.
fn once(
    client: Client,
    extension: &Extension,
    state: &mut StateFile,
    plan: &Plan,
) -> Result<(), Error> {
    let taken_up = state.is_pending();
    let mut job = client.extend_once(extension, state)?;
    if taken_up && plan.wait.is_none() {
        job = client.retrieve(job.id())?;
    }
    let ended = plan.wait.is_some() || job.status() != Status::Pending;
    match follow(client, job, plan) {
        Ok(()) if ended => state.clear(),
        Err(Error::Failed(job)) => state.clear().and(Err(Error::Failed(job))),
        done => done,
    }
}

/// From the job as it was first seen to what the user wants of it.
fn follow(client: Client, job: Job, plan: &Plan) -> Result<(), Error> {
    let (job, done) = match plan
        .wait
        .as_ref()
        .map(|rules| client.wait(job.clone(), rules))
    {
        None => (job, Ok(())),
        Some(Ok(job)) => {
            let fetched = match plan.output {
                Some(_) => fetch(&client, job.id(), plan),
                None => Ok(()),
            };
            (job, fetched)
        }
        Some(Err(Error::Failed(job))) => ((*job).clone(), Err(Error::Failed(job))),
        Some(Err(Error::Pending { job, waited })) => {
            ((*job).clone(), Err(Error::Pending { job, waited }))
        }
        Some(Err(error)) => return Err(error),
    };
    // With it goes the line of progress, which would stand in the way of the result.
    drop(client);
    if !matches!(plan.output, Some(Output::Stdout)) {
        print::job(&job)?;
    }
    done
}

fn fetch(client: &Client, id: &str, plan: &Plan) -> Result<(), Error> {
    let get = |target: Target<'_>| client.download(id, &plan.download, target).map(drop);
    match &plan.output {
        Some(Output::File(path)) => get(Target::File(path)),
        _ => print::media(|writer| get(Target::Writer(writer))),
    }
}
