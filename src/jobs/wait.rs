//! Polls a job until it has a terminal status or the deadline passes.
//!
//! The server sets the poll interval where it names one. Otherwise the interval grows from 1 s to
//! 15 s: a job that fails at once is noticed at once, and a video, which takes minutes, is noticed
//! at most 15 s after its completion.

use std::thread;
use std::time::{Duration, Instant};

use crate::api::api_error::ApiErrorKind;
use crate::api::error::Error;
use crate::api::event::Event;
use crate::api::job::Job;
use crate::api::status::Status;
use crate::http::request::Request;
use crate::http::{FailedAttempt, Http, TextResponse};
use crate::random;
use crate::settings::Settings;
use crate::url::segment;

const FIRST_INTERVAL: Duration = Duration::from_secs(1);
const GROWTH: f64 = 1.5;
const MAX_INTERVAL: Duration = Duration::from_secs(15);
/// The lower bound of all intervals.
const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// Up to this share is added to an interval, so that clients that started together do not poll
/// together.
const JITTER: f64 = 0.1;
/// The minimum timeout of a poll, however close the deadline is.
const MIN_POLL_TIMEOUT: Duration = Duration::from_secs(1);

/// For this long after the POST a 404 to a poll does not end the wait: replicas of a server lag
/// behind the one that created the job.
const REPLICA_LAG: Duration = Duration::from_secs(30);

/// How to wait.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Wait {
    /// The maximum time to wait. Default: 30 min.
    pub timeout: Duration,
    /// The poll interval, unless the server sets one; at least 0.1 s. Default: 1 s, growing by
    /// half up to 15 s.
    pub poll_interval: Option<Duration>,
}

impl Wait {
    /// Default of [`Wait::timeout`].
    pub const TIMEOUT: Duration = Duration::from_secs(1800);
}

impl Default for Wait {
    fn default() -> Self {
        Self { timeout: Self::TIMEOUT, poll_interval: None }
    }
}

/// Polls until the job is completed. Failed polls are repeated until the deadline unless
/// [`is_final`] says otherwise.
pub(crate) fn wait(http: &Http, mut job: Job, rules: &Wait) -> Result<Job, Error> {
    let start = Instant::now();
    let deadline = start + rules.timeout.min(Settings::LONGEST);
    let path = format!("/videos/{}", segment(job.id()));
    let mut intervals = PollIntervals::new(rules.poll_interval);
    let mut asked = job.poll_after();
    let mut expected_by = job.created().map(|created| created + REPLICA_LAG);
    (http.report)(&Event::Status { job: &job, elapsed: Duration::ZERO });
    loop {
        match job.status() {
            Status::Completed => return Ok(job),
            Status::Failed => return Err(Error::JobFailed(Box::new(job))),
            Status::Pending => {}
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::WaitTimeout { job: Box::new(job), waited: rules.timeout });
        }
        thread::sleep(intervals.next(asked, random::fraction()).min(left));
        asked = match poll(http, &path, &job, deadline) {
            Ok(next) => {
                job = next;
                expected_by = None;
                (http.report)(&Event::Status { job: &job, elapsed: start.elapsed() });
                job.poll_after()
            }
            Err(failed) if !is_final(&failed.error, expected_by) => {
                (http.report)(&Event::PollFailed { error: &failed.error });
                failed.poll_after
            }
            Err(failed) => return Err(failed.error),
        };
    }
}

/// Requests the job once. The response has until the deadline, but never less than a second.
fn poll(http: &Http, path: &str, job: &Job, deadline: Instant) -> Result<Job, FailedAttempt> {
    let request = Request::get(path);
    http.set_deadline(Some(deadline.max(Instant::now() + MIN_POLL_TIMEOUT)));
    let response = http.once(&request);
    http.set_deadline(None);
    let response = response?;
    let poll_after = response.head.poll_after();
    parse_job(http, &request, response, job.id())
        .map_err(|error| FailedAttempt { poll_after, ..FailedAttempt::from(error) })
}

/// The job as it is now.
pub(crate) fn retrieve(http: &Http, id: &str) -> Result<Job, Error> {
    let path = format!("/videos/{}", segment(id));
    let request = Request::get(&path);
    parse_job(http, &request, http.text(&request)?, id)
}

/// The job with this id from the response to `request`.
fn parse_job(
    http: &Http,
    request: &Request<'_>,
    text: TextResponse,
    id: &str,
) -> Result<Job, Error> {
    let poll_after = text.head.poll_after();
    match Job::parse_as(text.body, id) {
        Some(job) => Ok(job.with_poll_after(poll_after)),
        None => Err(http.no_response(request, "the response is not a JSON object".to_owned())),
    }
}

/// Whether polling again cannot succeed after this error. Until `expected_by` a new job may be
/// unknown to the server.
fn is_final(error: &Error, expected_by: Option<Instant>) -> bool {
    match error {
        Error::Api(api) if api.kind == ApiErrorKind::NotFound => {
            expected_by.is_none_or(|time| time <= Instant::now())
        }
        Error::Api(api) => matches!(api.kind, ApiErrorKind::NotAuthorized | ApiErrorKind::Gone),
        Error::Connect { .. }
        | Error::NoResponse { .. }
        | Error::TooLarge { .. }
        | Error::Redirect { .. } => false,
        _ => true,
    }
}

/// The sequence of poll intervals.
pub(crate) struct PollIntervals {
    fixed: Option<Duration>,
    growing: Duration,
}

impl PollIntervals {
    pub(crate) fn new(fixed: Option<Duration>) -> Self {
        Self { fixed, growing: FIRST_INTERVAL }
    }

    /// The next interval: what the server asked for; else the fixed one; else one that grows.
    /// `jitter` lies in `0.0..1.0`.
    pub(crate) fn next(&mut self, asked: Option<Duration>, jitter: f64) -> Duration {
        let interval = match (asked, self.fixed) {
            (Some(asked), _) => asked.max(MIN_INTERVAL),
            (None, Some(fixed)) => fixed.max(MIN_INTERVAL),
            (None, None) => {
                let interval = self.growing;
                self.growing = interval.mul_f64(GROWTH).min(MAX_INTERVAL);
                interval
            }
        };
        interval.mul_f64(1.0 + JITTER * jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_grow_by_half_up_to_15_seconds() {
        let mut intervals = PollIntervals::new(None);
        let millis: Vec<u128> = (0..9).map(|_| intervals.next(None, 0.0).as_millis()).collect();
        assert_eq!(millis, [1000, 1500, 2250, 3375, 5062, 7593, 11390, 15000, 15000]);
    }

    #[test]
    fn the_servers_interval_comes_first() {
        let mut intervals = PollIntervals::new(Some(Duration::from_secs(5)));
        let mut millis =
            |asked: Option<u64>| intervals.next(asked.map(Duration::from_millis), 0.0).as_millis();
        assert_eq!(
            [Some(2000), Some(1), Some(90_000), None].map(&mut millis),
            [2000, 100, 90_000, 5000]
        );
    }

    #[test]
    fn jitter_adds_up_to_a_tenth() {
        assert_eq!(PollIntervals::new(None).next(None, 1.0), Duration::from_millis(1100));
    }
}
