//! Carries out a plan.

use openai_videos::{Client, Delivery, Download, Error, Job, StateFile, Target, VideoRequest};

use crate::cli::plan::output::Output;
use crate::cli::plan::{Action, Plan};
use crate::cli::show::Printer;
use crate::cli::show::progress::Progress;

pub(crate) fn execute(plan: &Plan, printer: &Printer) -> Result<(), Error> {
    let mut state = None;
    if plan.skip_existing {
        // First, because a run that holds the lock may be about to store the output.
        state = plan.state.as_deref().map(StateFile::open).transpose()?;
        let is_pending = state.as_ref().is_some_and(StateFile::is_pending);
        if !is_pending && plan.output.as_ref().is_some_and(Output::is_stored) {
            return Ok(());
        }
    }
    let progress = Progress::new(plan.show, printer.clone());
    let client = Client::with_events(plan.settings.clone(), move |event| progress.show(event))?;
    let mut download = plan.download.clone();
    if let Action::Submit(request) = &plan.task {
        download.created_by(request);
    }
    let run = Run { plan, download, printer };
    match &plan.task {
        Action::Preview(request) => printer.preview(&client.preview(request)?),
        Action::Submit(request) => run.submit(client, request, state),
        Action::List(query) if plan.view.of_items => {
            client.list(query, &mut |item| printer.item(item))
        }
        Action::List(query) => printer.json(&client.list_page(query)?),
        // The first poll belongs to the wait, so that its failure does not end the run.
        Action::Retrieve(id) if plan.wait.is_some() => run.follow(client, Job::of(id)),
        Action::Retrieve(id) => {
            let job = client.retrieve(id)?;
            run.follow(client, job)
        }
        Action::Download(id) => run.fetch(&client, &Job::of(id)).map(drop),
        Action::Delete(id) => printer.json(&client.delete(id)?),
        Action::CreateCharacter(request) => printer.json(&client.submit_character(request)?),
        Action::GetCharacter(id) => printer.json(&client.get_character(id)?),
    }
}

struct Run<'a> {
    plan: &'a Plan,
    download: Download,
    printer: &'a Printer,
}

impl Run<'_> {
    /// Creates the job, or resumes that of the state file, and goes on with it as the plan asks.
    /// `state`: the state file, if it is open already.
    fn submit(
        &self,
        client: Client,
        request: &VideoRequest,
        state: Option<StateFile>,
    ) -> Result<(), Error> {
        let Some(path) = &self.plan.state else {
            let job = client.submit(request)?;
            return self.follow(client, job);
        };
        let mut state = state.map_or_else(|| StateFile::open(path), Ok)?;
        client.submit_once(request, &mut state, self.plan.wait.as_ref(), |client, result| {
            self.deliver(client, result)
        })
    }

    /// Waits for the created or retrieved job as the plan asks, and delivers the result.
    fn follow(&self, client: Client, job: Job) -> Result<(), Error> {
        let result = self.wait(&client, job);
        self.deliver(client, result).map(drop)
    }

    fn wait(&self, client: &Client, job: Job) -> Result<Job, Error> {
        match &self.plan.wait {
            Some(rules) => client.wait(job, rules),
            None => Ok(job),
        }
    }

    /// Fetches the media of a completed job that was waited for, and prints the job.
    fn deliver(&self, client: Client, result: Result<Job, Error>) -> Result<Delivery, Error> {
        let Plan { output, wait, state, show, .. } = self.plan;
        let (job, delivery) = match result {
            Ok(job) if output.is_some() => {
                let delivery = self.fetch(&client, &job);
                (job, delivery)
            }
            Ok(job) => (job, Ok(Delivery::Whole)),
            Err(Error::JobFailed(job)) => (Job::clone(&job), Err(Error::JobFailed(job))),
            Err(Error::WaitTimeout { job, waited }) => {
                (Job::clone(&job), Err(Error::WaitTimeout { job, waited }))
            }
            Err(error) => return Err(error),
        };
        // Dropping the client removes the progress line before the result is printed.
        drop(client);
        if matches!(output, Some(Output::Stdout)) || self.printer.job(&job, output.is_some())? {
            return delivery;
        }
        // The reader closed the pipe, so the id is reported on standard error, unless that happened
        // before the first poll of a wait or the state file still has it.
        if (show.id && wait.is_none()) || (state.is_some() && output.is_some()) {
            self.printer.say(&format!("job {}", job.id()));
        }
        delivery.map(|delivery| if output.is_none() { Delivery::ClosedPipe } else { delivery })
    }

    fn fetch(&self, client: &Client, job: &Job) -> Result<Delivery, Error> {
        let get = |target: Target<'_>| client.download(job, &self.download, target).map(drop);
        let is_taken = match &self.plan.output {
            Some(Output::File(path)) => get(Target::File(path)).map(|()| true)?,
            Some(Output::Template(template)) => {
                get(Target::File(&template.expand(job.id()))).map(|()| true)?
            }
            _ => self.printer.media(|writer| get(Target::Writer(writer)))?,
        };
        Ok(if is_taken { Delivery::Whole } else { Delivery::ClosedPipe })
    }
}
