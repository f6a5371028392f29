//! One job per state file, however often the run is interrupted: decides the next step of a run,
//! from the POST to the emptied file.
//!
//! ```text
//! state file      the run
//! (empty)     ->  note `submitting`, POST
//! submitting  ->  ask the server's list: recover the job, POST again, or end in doubt
//! submitted   ->  wait, deliver the result, empty the file
//! ```
//!
//! The decisions are here, their effects are behind [`Effects`] and [`State`], so that the
//! simulation of the tests runs the same code.

use crate::api::api_error::ApiErrorKind;
use crate::api::error::Error;
use crate::api::event::Event;
use crate::api::job::Job;
use crate::api::status::Status;
use crate::jobs::effects::{Clock, Effects, Submission};
use crate::jobs::search::recover;
use crate::jobs::state_file::{Record, State};
use crate::random;

/// Whether the recipient of the result took all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It is written or stored.
    Whole,
    /// The reader of a pipe closed it. That ends a run quietly, but the job stays in the state
    /// file.
    ClosedPipe,
}

/// The source of the id of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Response,
    List,
    StateFile,
}

/// Carries out one run: from the state that it finds to the result, which `deliver` takes.
///
/// # Errors
/// As [`Client::submit_once`](crate::Client::submit_once).
pub(crate) fn run<E: Effects>(
    mut effects: E,
    state: &mut impl State,
    submission: &Submission,
    deliver: impl FnOnce(E, Result<Job, Error>) -> Result<Delivery, Error>,
) -> Result<(), Error> {
    let (job, origin) = create(&mut effects, state, submission)?;
    let (result, is_seen) = if submission.waits {
        effects.wait(job)
    } else if origin == Origin::Response {
        (Ok(job), true)
    } else {
        (effects.retrieve(job.id()), false)
    };
    let result = match result {
        Ok(job) if job.status() == Status::Failed => Err(Error::JobFailed(Box::new(job))),
        Err(Error::Api(error))
            if matches!(error.kind, ApiErrorKind::NotFound | ApiErrorKind::Gone)
                && origin == Origin::StateFile
                && !is_seen =>
        {
            let is_other_account = is_of_another_account(state, submission);
            Err(Error::JobNotFound { error, path: state.path().to_owned(), is_other_account })
        }
        result => result,
    };
    let is_completed = result.as_ref().is_ok_and(|job| job.status() == Status::Completed);
    let delivery = deliver(effects, result);
    if !is_kept(&Outcome::Delivered { is_completed, delivery: &delivery }) {
        state.clear()?;
    }
    delivery.map(drop)
}

fn is_of_another_account(state: &impl State, submission: &Submission) -> bool {
    state.record().is_some_and(|record| submission.is_of_another_account(record))
}

/// The end of a run.
enum Outcome<'a> {
    /// A POST that brought no job; `is_repeated` where one of an earlier run had an unknown
    /// outcome.
    NoJob {
        error: &'a Error,
        is_repeated: bool,
    },
    Delivered {
        is_completed: bool,
        delivery: &'a Result<Delivery, Error>,
    },
}

/// Whether the state file keeps its record: there is, or may be, a job that a rerun must not pay
/// again.
fn is_kept(outcome: &Outcome<'_>) -> bool {
    match outcome {
        Outcome::Delivered { delivery: Err(Error::JobFailed(_)), .. } => false,
        Outcome::Delivered { is_completed, delivery } => {
            !(*is_completed && matches!(delivery, Ok(Delivery::Whole)))
        }
        Outcome::NoJob { error, is_repeated } => match error {
            Error::Api(error) => match error.kind {
                // A request with this key is being performed.
                ApiErrorKind::Conflict => true,
                // The earlier POST was refused as well.
                ApiErrorKind::InvalidRequest
                | ApiErrorKind::NotFound
                | ApiErrorKind::MethodNotAllowed
                | ApiErrorKind::TooLarge
                | ApiErrorKind::UnsupportedEncoding => false,
                _ => *is_repeated,
            },
            // Nothing was sent, or it was not performed.
            Error::Connect { .. }
            | Error::Redirect { .. }
            | Error::Invalid { .. }
            | Error::NoKey
            | Error::File { .. }
            | Error::FileChanged { .. } => *is_repeated,
            _ => true,
        },
    }
}

/// The job of this request: that of the state file, one that the server lists, or a new one.
fn create(
    effects: &mut impl Effects,
    state: &mut impl State,
    submission: &Submission,
) -> Result<(Job, Origin), Error> {
    let Some(record) = state.record().cloned() else {
        let record = first_record(submission, effects.clock());
        return post(effects, state, record, false);
    };
    if !submission.description.is(&record.request) {
        return Err(Error::invalid_with(
            format!("'{}' holds another request that is not finished", state.path().display()),
            "finish it with its own arguments, or remove the file to give it up",
        ));
    }
    if let Some(id) = &record.id {
        return Ok((Job::of(id), Origin::StateFile));
    }
    let found = recover(effects, state.path(), submission, &record)?;
    let account = Some(submission.account.digest(&record.idempotency_key));
    let record = Record { account, ..record };
    match found {
        Some(id) => {
            keep(effects, state, Record { id: Some(id.clone()), ..record });
            Ok((Job::of(&id), Origin::List))
        }
        None => {
            let Clock { wall, boot, .. } = effects.clock();
            // `since` stays, so that the window covers both POSTs: if the first one's job is listed
            // late, both jobs are found.
            post(effects, state, Record { retried: Some(wall), boot, ..record }, true)
        }
    }
}

fn first_record(submission: &Submission, clock: Clock) -> Record {
    let key = submission.idempotency_key.clone().unwrap_or_else(random::token);
    Record {
        request: submission.stored.clone(),
        account: Some(submission.account.digest(&key)),
        idempotency_key: key,
        since: clock.wall,
        retried: None,
        boot: clock.boot,
        id: None,
    }
}

fn post(
    effects: &mut impl Effects,
    state: &mut impl State,
    mut record: Record,
    is_repeated: bool,
) -> Result<(Job, Origin), Error> {
    state.note(record.clone())?;
    let key = record.idempotency_key.clone();
    let posted = effects.post(&key, &mut |time| {
        record.retried = Some(time);
        state.note(record.clone()).is_ok()
    });
    match posted {
        Ok(job) => {
            keep(effects, state, Record { id: Some(job.id().to_owned()), ..record });
            Ok((job, Origin::Response))
        }
        Err(error) => {
            if !is_kept(&Outcome::NoJob { error: &error, is_repeated }) {
                // Should this fail, the next run asks the server.
                let _ = state.clear();
            }
            Err(error)
        }
    }
}

/// Notes the id of the job. If that fails the run goes on: the id is reported, and another run asks
/// the server.
fn keep(effects: &impl Effects, state: &mut impl State, record: Record) {
    let id = record.id.clone().unwrap_or_default();
    if let Err(error) = state.note(record) {
        effects.report(&Event::StateNotSaved { id: &id, error: &error });
    }
}
