//! Carries out a plan.

use openai_videos::{ApiErrorKind, Client, Error, Extension, Job, StateFile, Status, Target};

use crate::cli::plan::{Action, Output, Plan};
use crate::cli::show::Printer;
use crate::cli::show::progress::Progress;

pub(crate) fn execute(plan: &Plan, printer: &Printer) -> Result<(), Error> {
    let progress = Progress::new(plan.show, printer.clone());
    let client = Client::with_events(plan.settings.clone(), move |event| progress.show(event))?;
    let run = Run { client, plan, printer };
    match &plan.task {
        Action::Preview(extension) => printer.preview(&run.client.preview(extension)?),
        Action::Extend(extension) => match &plan.state {
            None => {
                let job = run.client.extend(extension)?;
                run.follow(job)
            }
            Some(path) => run.once(extension, &mut StateFile::open(path)?),
        },
        // The first poll belongs to the wait, so that its failure does not end the run.
        Action::Retrieve(id) if plan.wait.is_some() => run.follow(Job::of(id)),
        Action::Retrieve(id) => {
            let job = run.client.retrieve(id)?;
            run.follow(job)
        }
        Action::Download(id) => run.fetch(id).map(drop),
        Action::Delete(id) => printer.json(&run.client.delete(id)?),
    }
}

/// Whether the reader of standard output took everything. A pipe that it closed ends the run quietly, but not the job.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Delivery {
    Whole,
    ClosedPipe,
}

struct Run<'a> {
    client: Client,
    plan: &'a Plan,
    printer: &'a Printer,
}

impl Run<'_> {
    /// From the created or retrieved job to what the user wants of it.
    fn follow(self, job: Job) -> Result<(), Error> {
        let (job, waited) = self.wait(job)?;
        self.deliver(&job, waited).map(drop)
    }

    /// Creates at most one job, however often the run is interrupted: the state is cleared once the job has failed, or
    /// has completed and its media are stored.
    fn once(self, extension: &Extension, state: &mut StateFile) -> Result<(), Error> {
        let resumed = state.is_pending();
        let path = state.path().to_owned();
        let gone = |error| match error {
            Error::Api(error)
                if resumed && matches!(error.kind, ApiErrorKind::NotFound | ApiErrorKind::Gone) =>
            {
                Error::JobGone { error, path: path.clone() }
            }
            error => error,
        };
        let mut job = self.client.extend_once(extension, state)?;
        if resumed && self.plan.wait.is_none() {
            job = self.client.retrieve(job.id()).map_err(gone)?;
        }
        let (job, mut waited) = self.wait(job).map_err(gone)?;
        if job.status() == Status::Failed {
            waited = Err(Error::JobFailed(Box::new(job.clone())));
        }
        match self.deliver(&job, waited) {
            Err(failed @ Error::JobFailed(_)) => state.clear().and(Err(failed)),
            Ok(Delivery::Whole) if job.status() == Status::Completed => state.clear(),
            delivery => delivery.map(drop),
        }
    }

    /// Waits for the job, if the plan says so. Gives the job as it was seen last, and the error to end with once that is
    /// printed.
    fn wait(&self, job: Job) -> Result<(Job, Result<(), Error>), Error> {
        let Some(rules) = &self.plan.wait else {
            return Ok((job, Ok(())));
        };
        match self.client.wait(job, rules) {
            Ok(job) => Ok((job, Ok(()))),
            Err(Error::JobFailed(job)) => Ok((Job::clone(&job), Err(Error::JobFailed(job)))),
            Err(Error::WaitTimeout { job, waited }) => {
                Ok((Job::clone(&job), Err(Error::WaitTimeout { job, waited })))
            }
            Err(error) => Err(error),
        }
    }

    /// Fetches the media of a job that was waited for with success, and prints the job.
    fn deliver(self, job: &Job, waited: Result<(), Error>) -> Result<Delivery, Error> {
        let output = self.plan.output.as_ref();
        let delivery = match waited {
            Err(error) => Err(error),
            Ok(()) if output.is_some() => self.fetch(job.id()),
            Ok(()) => Ok(Delivery::Whole),
        };
        // With the client goes the progress line, which would stand in the way of the result.
        drop(self.client);
        if matches!(output, Some(Output::Stdout)) {
            return delivery;
        }
        let is_taken = self.printer.job(job, output.is_some())?;
        if !is_taken && self.plan.show.id && self.plan.wait.is_none() {
            // With a wait it was said before the first poll.
            self.printer.say(&format!("job {}", job.id()));
        }
        delivery
    }

    fn fetch(&self, id: &str) -> Result<Delivery, Error> {
        let get = |target: Target<'_>| self.client.download(id, &self.plan.download, target);
        let is_taken = match &self.plan.output {
            Some(Output::File(path)) => get(Target::File(path)).map(|_| true)?,
            _ => self.printer.media(|writer| get(Target::Writer(writer)).map(drop))?,
        };
        if is_taken { Ok(Delivery::Whole) } else { Ok(Delivery::ClosedPipe) }
    }
}
