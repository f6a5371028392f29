//! The side effects of a run with a state file, behind a trait that the simulation of the tests
//! implements as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::api::error::Error;
use crate::api::event::Event;
use crate::api::job::Job;
use crate::api::reference::Upload;
use crate::api::video_request::VideoRequest;
use crate::http::attempt::list_url;
use crate::http::request::Request;
use crate::http::{Http, TextResponse};
use crate::jobs::account::Account;
use crate::jobs::recovery::{PageHeaders, Wanted};
use crate::jobs::state_file::{Boot, Description, Record, unix_seconds};
use crate::jobs::submit;
use crate::jobs::wait::{self, Wait};

/// A larger body, in bytes, may take minutes to send.
const QUICKLY_SENT: u64 = 64 * 1024;

/// The side effects of a run: time, requests and events.
pub(crate) trait Effects {
    fn clock(&self) -> Clock;
    fn sleep(&mut self, time: Duration);
    /// One page of the server's list.
    fn list(&mut self, path: &str) -> Result<ListPage, Error>;
    /// The POST with its retries. `before_retry` is called before each retry with its wall-clock
    /// time, and returns whether to go on.
    fn post(
        &mut self,
        idempotency_key: &str,
        before_retry: &mut dyn FnMut(SystemTime) -> bool,
    ) -> Result<Job, Error>;
    fn retrieve(&mut self, id: &str) -> Result<Job, Error>;
    /// Waits for the terminal status, and tells whether a poll has found the job.
    fn wait(&mut self, job: Job) -> (Result<Job, Error>, bool);
    fn report(&self, event: &Event<'_>);
}

/// This machine's clocks at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    pub(crate) wall: SystemTime,
    /// Since the run began.
    pub(crate) monotonic: Duration,
    pub(crate) boot: Option<Boot>,
}

/// A response with a page of the list.
pub(crate) struct ListPage {
    pub(crate) text: String,
    pub(crate) headers: PageHeaders,
}

/// The request of a run.
pub(crate) struct Submission {
    pub(crate) description: Description,
    /// The description as the state file holds it.
    pub(crate) stored: String,
    pub(crate) wanted: Wanted,
    pub(crate) account: Account,
    pub(crate) idempotency_key: Option<String>,
    /// Whether sending the body may take long.
    pub(crate) is_large: bool,
    /// Whether to wait for the terminal status.
    pub(crate) waits: bool,
    /// The maximum time to search the list for a job.
    pub(crate) patience: Duration,
    /// The URL of the list of recent jobs, for messages.
    pub(crate) list_url: String,
}

impl Submission {
    /// Whether the latest POST of this record was sent for another account than this run's. `false`
    /// for a record of 0.1.0, which does not name the account.
    pub(crate) fn is_of_another_account(&self, record: &Record) -> bool {
        let account = record.account.as_ref();
        account.is_some_and(|account| *account != self.account.digest(&record.idempotency_key))
    }
}

/// The effects of a run of the program.
pub(crate) struct Live<'a> {
    pub(crate) http: Http,
    request: &'a VideoRequest,
    wait: Option<&'a Wait>,
    start: Instant,
}

impl<'a> Live<'a> {
    pub(crate) fn new(http: Http, request: &'a VideoRequest, wait: Option<&'a Wait>) -> Self {
        Self { http, request, wait, start: Instant::now() }
    }

    /// # Errors
    /// As [`Description::of`].
    pub(crate) fn submission(&self) -> Result<Submission, Error> {
        let settings = self.http.settings();
        let description = Description::of(settings, self.request)?;
        Ok(Submission {
            stored: description.stored(settings),
            description,
            wanted: Wanted::of(self.request),
            account: Account::of(settings),
            idempotency_key: submit::own_key(settings, self.request),
            is_large: self.body_size() > QUICKLY_SENT,
            waits: self.wait.is_some(),
            patience: self.wait.map_or(Wait::TIMEOUT, |wait| wait.timeout),
            list_url: list_url(settings),
        })
    }

    /// About the size of the request body, in bytes.
    fn body_size(&self) -> u64 {
        let file = match self.request.upload() {
            Some(Upload::File(path)) => path.metadata().map_or(0, |metadata| metadata.len()),
            _ => 0,
        };
        file + self.request.json.len() as u64
    }
}

impl Effects for Live<'_> {
    fn clock(&self) -> Clock {
        let wall = SystemTime::now();
        Clock { wall, monotonic: self.start.elapsed(), boot: boot(wall) }
    }

    fn sleep(&mut self, time: Duration) {
        thread::sleep(time);
    }

    fn list(&mut self, path: &str) -> Result<ListPage, Error> {
        let headers = [("Cache-Control", "no-cache")];
        let request = Request { headers: &headers, ..Request::get(path) };
        let TextResponse { head, body } = self.http.text(&request)?;
        Ok(ListPage { text: body, headers: PageHeaders::read(&head) })
    }

    fn post(
        &mut self,
        idempotency_key: &str,
        before_retry: &mut dyn FnMut(SystemTime) -> bool,
    ) -> Result<Job, Error> {
        let before_retry = &mut |delay| before_retry(SystemTime::now() + delay);
        submit::submit_with(&self.http, self.request, idempotency_key, before_retry)
    }

    fn retrieve(&mut self, id: &str) -> Result<Job, Error> {
        wait::retrieve(&self.http, id)
    }

    fn wait(&mut self, job: Job) -> (Result<Job, Error>, bool) {
        let rules = self.wait.cloned().unwrap_or_default();
        let is_seen = Arc::new(AtomicBool::new(false));
        let (report, seen) = (Arc::clone(&self.http.report), Arc::clone(&is_seen));
        self.http.report = Arc::new(move |event| {
            if matches!(event, Event::Status { elapsed, .. } if !elapsed.is_zero()) {
                seen.store(true, Ordering::Relaxed);
            }
            report(event);
        });
        (wait::wait(&self.http, job, &rules), is_seen.load(Ordering::Relaxed))
    }

    fn report(&self, event: &Event<'_>) {
        (self.http.report)(event);
    }
}

/// The boot of this machine, if /proc has it.
fn boot(now: SystemTime) -> Option<Boot> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    let time = unix_seconds(now).checked_sub(uptime as u64)?;
    Some(Boot { id: id.trim().to_owned(), time })
}
