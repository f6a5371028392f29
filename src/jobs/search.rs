//! Searches the server's list for the job of a POST that an earlier run sent and whose response
//! never came.

use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::api::api_error::ApiErrorKind;
use crate::api::error::Error;
use crate::api::event::Event;
use crate::jobs::effects::{Clock, Effects, ListPage, Submission};
use crate::jobs::list::{ListQuery, Order, Page, Pager, Turn};
use crate::jobs::recovery::{Clocks, Decision, Listing, OTHER_ACCOUNT, decide};
use crate::jobs::state_file::Record;

/// The interval between two searches of the list.
const SEARCH_INTERVAL: Duration = Duration::from_secs(10);
/// How far this machine's two clocks may come apart before the wall clock counts as set.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

/// The id of the job that an interrupted POST created; `None` if the POST may be sent again.
pub(crate) fn recover(
    effects: &mut impl Effects,
    path: &Path,
    submission: &Submission,
    record: &Record,
) -> Result<Option<String>, Error> {
    let start = effects.clock();
    let is_other_account = submission.is_of_another_account(record);
    let mut is_reported = false;
    let reason = loop {
        match search(effects, submission, record, &start)? {
            Decision::Recover(id) => return Ok(Some(id)),
            Decision::PostAgain => return Ok(None),
            Decision::InDoubt(reason) => break reason,
            Decision::SearchAgain(time) => {
                let elapsed = effects.clock().monotonic.saturating_sub(start.monotonic);
                let left = submission.patience.saturating_sub(elapsed);
                if left.is_zero() {
                    break "the server does not list it yet".to_owned();
                }
                if !is_reported {
                    effects.report(&Event::JobNotListed { left: time });
                    is_reported = true;
                }
                effects.sleep(time.min(SEARCH_INTERVAL).min(left));
            }
        }
    };
    Err(Error::Unresolved {
        reason: if is_other_account { of_another_account(&reason) } else { reason },
        is_other_account,
        list_url: submission.list_url.clone(),
        path: path.to_owned(),
    })
}

/// The reason for a doubt in a run for another account: first the account, then the other reason.
fn of_another_account(reason: &str) -> String {
    match reason {
        OTHER_ACCOUNT => OTHER_ACCOUNT.to_owned(),
        reason => format!("{OTHER_ACCOUNT}, and {reason}"),
    }
}

/// Reads the server's list once, as far as it is needed, and decides.
fn search(
    effects: &mut impl Effects,
    submission: &Submission,
    record: &Record,
    start: &Clock,
) -> Result<Decision, Error> {
    let mut pager = Pager::new(&ListQuery {
        order: Some(Order::Descending),
        limit: Some(ListQuery::MAX_LIMIT),
        ..ListQuery::default()
    });
    let mut listing = None;
    loop {
        let ListPage { text, headers } = match effects.list(&pager.path()) {
            Ok(page) => page,
            Err(error) => return no_list(error).map(Decision::InDoubt),
        };
        let clock = effects.clock();
        let clocks = clocks(submission, record, start, &clock);
        let Some(page) = Page::parse(&text) else {
            return Ok(Decision::InDoubt("the server's list of jobs cannot be read".to_owned()));
        };
        let turn = pager.turn(&page);
        let listing =
            listing.get_or_insert_with(|| Listing::new(&submission.wanted, &clocks, headers));
        if turn != Turn::Repeated {
            listing.add(&page, headers);
        }
        let is_late = clock.monotonic.saturating_sub(start.monotonic) >= submission.patience;
        if turn != Turn::Next || listing.is_enough() || is_late {
            return Ok(decide(listing, &clocks, submission.is_of_another_account(record)));
        }
    }
}

fn clocks(submission: &Submission, record: &Record, start: &Clock, now: &Clock) -> Clocks {
    let boot = record.boot.as_ref().zip(now.boot.as_ref());
    let was_set_before = boot.is_some_and(|(then, now)| {
        then.id == now.id && then.time.abs_diff(now.time) > CLOCK_TOLERANCE.as_secs()
    });
    let run = now.monotonic.saturating_sub(start.monotonic);
    let expected = start.wall.checked_add(run).unwrap_or(now.wall);
    Clocks {
        since: record.since,
        // When a large body was sent is not known. It was before the end of the earlier run, which
        // held the lock.
        posted: if submission.is_large { start.wall } else { record.posted() },
        now: now.wall,
        was_set: was_set_before || difference(expected, now.wall) > CLOCK_TOLERANCE,
    }
}

fn difference(a: SystemTime, b: SystemTime) -> Duration {
    a.duration_since(b).unwrap_or_else(|error| error.duration())
}

/// The reason why there is no list, if another request for it would fail in the same way. Returns
/// any other error.
fn no_list(error: Error) -> Result<String, Error> {
    match error {
        Error::Api(error)
            if !matches!(
                error.kind,
                ApiErrorKind::NotAuthorized
                    | ApiErrorKind::Conflict
                    | ApiErrorKind::NotReady
                    | ApiErrorKind::Unavailable
                    | ApiErrorKind::ServerError
            ) =>
        {
            Ok(format!("the server does not list its jobs: {error}"))
        }
        Error::Redirect { target, .. } => {
            Ok(format!("the list of jobs is redirected to '{target}'"))
        }
        Error::TooLarge { .. } => Ok("the server's list of jobs is too large".to_owned()),
        error => Err(error),
    }
}
