//! A plan is carried out.

use openai_videos::{ApiErrorKind, Client, Error, Extension, Job, StateFile, Status, Target};

use crate::cli::plan::{Action, Output, Plan};
use crate::cli::show;
use crate::cli::show::progress::Progress;
use crate::cli::signals;

pub(crate) fn execute(mut plan: Plan) -> Result<(), Error> {
    show::hide(plan.settings.clone());
    signals::watch();
    let screen = Progress::new(plan.show);
    let client = Client::with_events(plan.settings.clone(), move |event| screen.show(event))?;
    match std::mem::replace(&mut plan.task, Action::Done) {
        Action::Preview(extension) => show::preview(&client.preview(&extension)?),
        Action::Extend(extension) => match &plan.state {
            None => {
                let job = client.extend(&extension)?;
                follow(client, job, &plan).map(drop)
            }
            Some(path) => once(client, &extension, &mut StateFile::open(path)?, &plan),
        },
        // The first look is one of the wait: what fails about it is taken in stride, too.
        Action::Retrieve(id) if plan.wait.is_some() => {
            follow(client, Job::of(&id), &plan).map(drop)
        }
        Action::Retrieve(id) => {
            let job = client.retrieve(&id)?;
            follow(client, job, &plan).map(drop)
        }
        Action::Download(id) => fetch(&client, &id, &plan).map(drop),
        Action::Delete(id) => show::json(&client.delete(&id)?, &plan.view),
        Action::Done => Ok(()),
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
    let gone = |error, state: &StateFile| match error {
        Error::Api(error)
            if taken_up && matches!(error.kind, ApiErrorKind::NotFound | ApiErrorKind::Gone) =>
        {
            Error::JobGone { error, path: state.path().to_owned() }
        }
        error => error,
    };
    let mut job = client.extend_once(extension, state)?;
    if taken_up && plan.wait.is_none() {
        job = client.retrieve(job.id()).map_err(|error| gone(error, state))?;
    }
    let status = job.status();
    let ended = plan.wait.is_some() || status != Status::Pending;
    let failed = (status == Status::Failed).then(|| Error::JobFailed(Box::new(job.clone())));
    let done = follow(client, job, plan).map_err(|error| gone(error, state));
    match (done, failed) {
        (Ok(_), Some(failed)) | (Err(failed @ Error::JobFailed(_)), _) => {
            state.clear().and(Err(failed))
        }
        (Ok(Taken::Whole), None) if ended => state.clear(),
        (done, _) => done.map(drop),
    }
}

/// Whether whoever the media were for took all of it: a closed pipe ends a run quietly, but not the job.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    Whole,
    InPart,
}

/// From the job as it was first seen to what the user wants of it.
fn follow(client: Client, job: Job, plan: &Plan) -> Result<Taken, Error> {
    let (job, done) = match plan.wait.as_ref().map(|rules| client.wait(job.clone(), rules)) {
        None => (job, Ok(Taken::Whole)),
        Some(Ok(job)) => {
            let fetched = match plan.output {
                Some(_) => fetch(&client, job.id(), plan),
                None => Ok(Taken::Whole),
            };
            (job, fetched)
        }
        Some(Err(Error::JobFailed(job))) => ((*job).clone(), Err(Error::JobFailed(job))),
        Some(Err(Error::WaitTimeout { job, waited })) => {
            ((*job).clone(), Err(Error::WaitTimeout { job, waited }))
        }
        Some(Err(error)) => return Err(error),
    };
    // With it goes the line of progress, which would stand in the way of the result.
    drop(client);
    if !matches!(plan.output, Some(Output::Stdout)) {
        let is_taken = show::job(&job, &plan.view, plan.output.is_some())?;
        if !is_taken && plan.show.id && plan.wait.is_none() {
            // With a wait it was said before the first look.
            show::say(&format!("job {}", job.id()));
        }
    }
    done
}

fn fetch(client: &Client, id: &str, plan: &Plan) -> Result<Taken, Error> {
    let get = |target: Target<'_>| client.download(id, &plan.download, target).map(drop);
    match &plan.output {
        Some(Output::File(path)) => get(Target::File(path)).map(|()| Taken::Whole),
        _ => match show::media(|writer| get(Target::Writer(writer)))? {
            true => Ok(Taken::Whole),
            false => Ok(Taken::InPart),
        },
    }
}
