//! One job, however often the run is cut: what is under way stands in a state file.

use std::time::SystemTime;

use crate::api::api_error::ApiErrorKind;
use crate::api::error::Error;
use crate::api::event::Event;
use crate::api::extension::Extension;
use crate::api::job::Job;
use crate::http::Http;
use crate::jobs::recovery::{self, Recovery};
use crate::jobs::state_file::{self, Record, StateFile};
use crate::jobs::submit::submit_with;
use crate::random;

pub(crate) fn submit_once(
    http: &Http,
    extension: &Extension,
    state: &mut StateFile,
) -> Result<Job, Error> {
    let request = state_file::describe(&http.settings().base_url, extension)
        .map_err(|error| state.waiting(error))?;
    let uncertain = state.record().is_some();
    let record = match state.record() {
        None => Record {
            request,
            idempotency_key: extension.idempotency_key.clone().unwrap_or_else(random::token),
            since: SystemTime::now(),
            id: None,
        },
        Some(record) if record.request != request => {
            return Err(Error::invalid_with(
                format!("'{}' holds another request that is not finished", state.path().display()),
                "finish it with its own arguments, or remove the file to give it up",
            ));
        }
        Some(record) => match &record.id {
            Some(id) => return Ok(Job::of(id)),
            None => match recover(http, extension, record, state)? {
                Some(id) => {
                    let record = Record { id: Some(id.clone()), ..record.clone() };
                    keep(http, state, record);
                    return Ok(Job::of(&id));
                }
                // Still since the first attempt: should its job turn up late, there are two, and that is seen.
                None => record.clone(),
            },
        },
    };
    state.note(record.clone())?;
    match submit_with(http, extension, &record.idempotency_key) {
        Ok(job) => {
            keep(http, state, Record { id: Some(job.id().to_owned()), ..record });
            Ok(job)
        }
        Err(error @ Error::UnknownOutcome { .. }) => Err(error),
        Err(error) => {
            // There is no job, unless an earlier run made one that the server does not list yet, or one with this
            // key is on its way (409). Should this not reach the disk, the next run asks the server.
            let keeps = match &error {
                Error::Api(api) => match api.kind {
                    ApiErrorKind::Conflict => true,
                    // An earlier attempt of the same request was refused as well.
                    ApiErrorKind::InvalidRequest
                    | ApiErrorKind::NotFound
                    | ApiErrorKind::MethodNotAllowed
                    | ApiErrorKind::TooLarge
                    | ApiErrorKind::UnsupportedEncoding => false,
                    _ => uncertain,
                },
                _ => uncertain,
            };
            if !keeps {
                let _ = state.clear();
            }
            Err(error)
        }
    }
}

/// The id of the job that a cut run began, if there is one.
fn recover(
    http: &Http,
    extension: &Extension,
    record: &Record,
    state: &StateFile,
) -> Result<Option<String>, Error> {
    match recovery::find(http, &extension.prompt(), record.since)? {
        Recovery::Job(id) => Ok(Some(id)),
        Recovery::None => Ok(None),
        Recovery::Unclear(why) => {
            Err(Error::Unresolved { why, list_url: http.list_url(), path: state.path().to_owned() })
        }
    }
}

/// Notes the job's id. If that fails the run goes on: the id is told, and another run would ask the server.
fn keep(http: &Http, state: &mut StateFile, record: Record) {
    let id = record.id.clone().unwrap_or_default();
    if let Err(why) = state.note(record) {
        (http.report)(&Event::StateNotSaved { id: &id, why: &why });
    }
}
