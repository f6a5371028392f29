//! Polls a job until it ends or the wait does.
//!
//! The pauses are the server's own where it names one, else they grow: an extension takes minutes, so the first
//! looks are cheap guesses at a job that failed at once, and later ones cost a finished job 15 s at most.

use std::thread;
use std::time::{Duration, Instant};

use crate::api::api_error::ApiErrorKind;
use crate::api::error::Error;
use crate::api::event::Event;
use crate::api::job::Job;
use crate::api::job::Status;
use crate::http::request::Request;
use crate::http::{Http, TextResponse};
use crate::random;
use crate::settings::Settings;
use crate::url::segment;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const GROWTH: f64 = 1.5;
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Bounds of the interval that a response sets; see [`ResponseHead::poll_interval`] for those of each header.
///
/// [`ResponseHead::poll_interval`]: crate::http::response::ResponseHead::poll_interval
const HINTS: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(600)];
/// Up to this share is added to a pause, so that jobs that began together do not ask together.
const JITTER: f64 = 0.1;

/// How to wait.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Wait {
    /// The longest wait. Default: 30 min.
    pub timeout: Duration,
    /// The pause between polls where the server names none; 0.1 s at least. Default: 1 s, growing by half up to 15 s.
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

pub(crate) fn wait(http: &Http, mut job: Job, rules: &Wait) -> Result<Job, Error> {
    let start = Instant::now();
    let deadline = start + rules.timeout.min(Settings::LONGEST);
    let path = format!("/videos/{}", segment(job.id()));
    let mut pauses = PollIntervals::new(rules.poll_interval);
    let mut asked = job.poll_after();
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
        thread::sleep(pauses.next(asked, random::fraction()).min(left));
        asked = match poll(http, &path, &job, deadline) {
            Ok(next) => {
                job = next;
                (http.report)(&Event::Status { job: &job, elapsed: start.elapsed() });
                job.poll_after()
            }
            Err((asked, why)) if passes(&why) => {
                (http.report)(&Event::PollFailed { why: &why });
                asked
            }
            Err((_, error)) => return Err(error),
        };
    }
}

/// One look. An answer gets until the deadline, but never less than a second.
fn poll(
    http: &Http,
    path: &str,
    job: &Job,
    deadline: Instant,
) -> Result<Job, (Option<Duration>, Error)> {
    let request = Request::get(path);
    http.set_deadline(Some(deadline.max(Instant::now() + FIRST_PAUSE)));
    let answer = http.once(&request);
    http.set_deadline(None);
    let text = answer.map_err(|miss| (miss.poll_after, miss.error))?;
    let poll_after = text.head.poll_after();
    seen(http, &request, text, job.id()).map_err(|why| (poll_after, why))
}

/// The job with this id as an answer shows it.
pub(crate) fn seen(
    http: &Http,
    request: &Request<'_>,
    text: TextResponse,
    id: &str,
) -> Result<Job, Error> {
    let poll_after = text.head.poll_after();
    match Job::parse_as(text.body, id) {
        Some(job) => Ok(job.with_poll_after(poll_after)),
        None => Err(http.no_response(request, "the answer is no JSON object".to_owned())),
    }
}

/// Whether a failed poll may be followed by one that does not fail.
fn passes(why: &Error) -> bool {
    match why {
        Error::Api(api) => !matches!(
            api.kind,
            ApiErrorKind::NotAuthorized | ApiErrorKind::NotFound | ApiErrorKind::Gone
        ),
        Error::Connect { .. } | Error::NoResponse { .. } | Error::Redirect { .. } => true,
        _ => false,
    }
}

/// The pauses between looks.
pub(crate) struct PollIntervals {
    fixed: Option<Duration>,
    grown: Duration,
}

impl PollIntervals {
    pub(crate) fn new(fixed: Option<Duration>) -> Self {
        Self { fixed, grown: FIRST_PAUSE }
    }

    /// The next pause: what the server asked for, within bounds; else the fixed one; else one that grows.
    pub(crate) fn next(&mut self, asked: Option<Duration>, jitter: f64) -> Duration {
        let pause = match (asked, self.fixed) {
            (Some(asked), _) => asked.clamp(HINTS[0], HINTS[1]),
            (None, Some(fixed)) => fixed.max(HINTS[0]),
            (None, None) => {
                let pause = self.grown;
                self.grown = pause.mul_f64(GROWTH).min(LONGEST_PAUSE);
                pause
            }
        };
        pause.mul_f64(1.0 + JITTER * jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_by_half_up_to_15_seconds() {
        let mut pauses = PollIntervals::new(None);
        let millis: Vec<u128> = (0..9).map(|_| pauses.next(None, 0.0).as_millis()).collect();
        assert_eq!(millis, [1000, 1500, 2250, 3375, 5062, 7593, 11390, 15000, 15000]);
    }

    #[test]
    fn the_servers_wish_comes_first_and_has_bounds() {
        let mut pauses = PollIntervals::new(Some(Duration::from_secs(5)));
        let mut millis =
            |asked: Option<u64>| pauses.next(asked.map(Duration::from_millis), 0.0).as_millis();
        assert_eq!(
            [Some(2000), Some(1), Some(900_000), None].map(&mut millis),
            [2000, 100, 600_000, 5000]
        );
    }

    #[test]
    fn jitter_adds_up_to_a_tenth() {
        assert_eq!(PollIntervals::new(None).next(None, 1.0), Duration::from_millis(1100));
    }
}
