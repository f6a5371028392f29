//! Random histories of one `--state` job, against the very code that decides.
//!
//! A machine repeats runs of one request, as a scheduler does. Runs are killed at any step, the
//! disk fails, the machine restarts and its clock is set; the server has the quirks of real ones,
//! loses responses, responds late, and lists jobs up to two minutes late; other people create jobs.
//! Some runs have another key, of the same account or of another one. Then the faults end and runs
//! go on until one ends the job. The invariants:
//!
//! - one request is one job (with `--retry-unsafe` one run's),
//! - a job is known after each run: its id was printed, or the state file leads to it,
//! - no other job is taken for ours, and none counts as finished that is not,
//! - each history ends, or a run says with code 7 that it cannot tell.
//!
//! Not simulated, because no program can detect it: a clock that was set where neither /proc nor
//! the same boot can tell, clocks that differ where the server sends no `Date`, a list later than
//! two minutes, and a stranger's job like ours.
//!
//! `HISTORIES=n` runs the first n, `SEED=n` replays that one and prints it.

mod server;

use std::any::Any;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::api::api_error::{ApiError, ApiErrorKind};
use crate::api::error::Error;
use crate::api::event::Event;
use crate::api::fields::Fields;
use crate::api::job::Job;
use crate::api::operation::Operation;
use crate::api::reference::Reference;
use crate::api::status::Status;
use crate::api::video_request::VideoRequest;
use crate::http::outcome::{Facts, Location, Outcome, classify};
use crate::http::request::Method;
use crate::http::retry::{self, Policy, Retry};
use crate::jobs::account::Account;
use crate::jobs::effects::{Clock, Effects, ListPage, Submission};
use crate::jobs::recovery::{PageHeaders, Wanted};
use crate::jobs::simulation::server::{HOUR, MINUTE, PROMPT, SECOND, Server};
use crate::jobs::state_file::{Boot, Description, Disk, Journal, Record, State};
use crate::jobs::submit_once::{self, Delivery};
use crate::properties::suite::Random;
use crate::settings::base_url::BaseUrl;
use crate::settings::{ApiKey, Settings};

const HISTORIES: u64 = 100_000;
/// The true time at which a history begins, in milliseconds since 1970.
const START: u64 = 1_800_000_000 * SECOND;

/// In place of a status code: no response arrives.
const LOST: u16 = 0;

/// The payload of the panic that simulates SIGKILL.
struct Killed;

struct World {
    random: Random,
    prints: bool,
    /// The true time, in milliseconds.
    now: u64,
    run: u64,
    run_start: u64,
    /// The machine's clock against the true time, in milliseconds.
    clock_offset: i64,
    has_proc: bool,
    boot: u64,
    boot_time: u64,
    /// Whether the clock was set, and the machine restarted, since the request began: the restart
    /// hides that the clock was set.
    clock_was_set: bool,
    has_restarted: bool,
    /// The steps until the run is killed.
    life: Option<usize>,
    has_faults: bool,
    retries_unsafe: bool,
    /// Whether the body takes minutes to send.
    is_large: bool,
    /// The state file, and what of it would survive a restart.
    disk: Vec<u8>,
    synced: Vec<u8>,
    server: Server,
    /// The ids that were printed.
    printed: HashSet<String>,
}

impl World {
    fn new(seed: u64, prints: bool) -> Self {
        let mut random = Random(seed);
        let server = Server::random(&mut random, START);
        let offsets = [0, 0, 0, 7 * HOUR as i64, -11 * HOUR as i64, -(START as i64) + 5000];
        let clock_offset = offsets[random.below(if server.has_date { 6 } else { 1 })];
        let has_proc = random.below(3) > 0;
        let retries_unsafe = random.below(8) == 0;
        Self {
            random,
            prints,
            now: START,
            run: 0,
            run_start: START,
            clock_offset,
            has_proc,
            boot: 1,
            boot_time: START - HOUR,
            clock_was_set: false,
            has_restarted: false,
            life: None,
            has_faults: true,
            retries_unsafe,
            is_large: false,
            disk: Vec::new(),
            synced: Vec::new(),
            server,
            printed: HashSet::new(),
        }
    }

    #[allow(clippy::print_stderr)] // for a history that is replayed
    fn print(&self, text: impl FnOnce() -> String) {
        if self.prints {
            eprintln!("{:>10.3} {}", (self.now - START) as f64 / 1000.0, text());
        }
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.random.below(n) == 0
    }

    fn fails(&mut self, n: usize) -> bool {
        self.has_faults && self.one_in(n)
    }

    fn wall(&self) -> SystemTime {
        let millis = self.now.saturating_add_signed(self.clock_offset);
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
    }

    /// A step of a run: time passes, the run may be killed, and other events may happen.
    fn step(&mut self) {
        self.now += self.random.below(200) as u64;
        if let Some(life) = &mut self.life {
            if *life == 0 {
                self.print(|| "killed".to_owned());
                resume_unwind(Box::new(Killed));
            }
            *life -= 1;
        }
        if self.fails(60) {
            let now = self.now;
            self.server.add_stranger(&mut self.random, now);
        }
        if self.has_proc && self.server.has_date && !self.has_restarted && self.fails(60) {
            let hours = [-30, -3, -1, 1, 3, 30][self.random.below(6)];
            self.clock_offset += hours * HOUR as i64 + self.random.below(100) as i64 * 1000;
            self.clock_was_set = true;
            self.print(|| format!("the clock is set by about {hours} h"));
        }
    }

    /// Prepares a run, the first one of a request if `is_first`. Returns the index of its
    /// submission and how long it waits.
    fn start_run(&mut self, is_first: bool) -> (usize, u64) {
        self.run += 1;
        self.run_start = self.now;
        if is_first {
            (self.clock_was_set, self.has_restarted) = (false, false);
        }
        let life = self.random.below(40);
        self.life = self.fails(2).then_some(life);
        let wait_timeout = if self.fails(2) { 30 * SECOND } else { 30 * MINUTE };
        if self.fails(8) {
            self.server.account = 1 - self.server.account;
            self.print(|| format!("the key is now number {}", self.server.account));
        }
        // Another request on an empty file would be another history.
        let is_changed = self.fails(8) && !is_first;
        (if is_changed { CHANGED } else { self.server.account }, wait_timeout)
    }

    /// Between two runs.
    fn rest(&mut self) {
        let limits = [SECOND, MINUTE, 5 * MINUTE, 30 * HOUR];
        self.now += self.random.below(limits[self.random.0 as usize % 4] as usize) as u64;
        if !self.clock_was_set && self.fails(6) {
            self.has_restarted = true;
            self.boot += 1;
            self.boot_time = self.now;
            if self.one_in(2) {
                self.disk = self.synced.clone();
            }
            self.print(|| "the machine restarts".to_owned());
        }
    }

    /// One attempt of the POST. The error comes with whether and when it may be retried.
    fn attempt(&mut self, key: &str) -> Result<Job, (Error, Retry, Option<Duration>)> {
        if self.is_large {
            self.now += self.random.below(10 * MINUTE as usize) as u64;
            self.step();
        }
        let Some(status) = self.status() else {
            let refused = Error::Connect { host: "server".to_owned(), source: "refused".into() };
            return Err((refused, Retry::Always, None));
        };
        let is_performed = match status {
            LOST | 500 | 504 => self.one_in(2),
            // An earlier request with this key is being performed.
            409 => self.server.knows_keys,
            _ => matches!(status, 200 | 302 | 303),
        };
        let (run, now) = (self.run, self.now);
        let id = is_performed.then(|| self.server.create(&mut self.random, key, run, now));
        self.print(|| format!("POST: {status}, job {id:?}"));
        // The response is late, and the run may be killed before it comes.
        if self.fails(4) {
            self.now += self.random.below(10 * MINUTE as usize) as u64;
        }
        self.step();
        if status != LOST && status != 200 {
            let asked = self.one_in(2).then(|| Duration::from_secs(self.random.below(121) as u64));
            let (error, retry) = failure(Method::Post, status);
            return Err((error, retry, asked));
        }
        // A response may be lost, or be garbled.
        let text = id.filter(|_| status == 200 && !self.fails(12));
        let text = text.and_then(|id| self.server.show(&id, self.now));
        text.and_then(Job::parse).ok_or_else(|| (unknown(), Retry::IfSafe, None))
    }

    /// The status code of the response to a POST, [`LOST`] if none comes; `None` if there is no
    /// connection.
    fn status(&mut self) -> Option<u16> {
        match if self.has_faults { self.random.below(28) } else { 28 } {
            0 => None,
            1 | 2 => Some(503),
            index @ 3..13 => Some([429, 400, 401, 409, 307, 303, 303, 302, 500, 504][index - 3]),
            13..20 => Some(LOST),
            _ => Some(200),
        }
    }

    /// The response about a job: its text, or a failed request.
    fn show(&mut self, id: &str) -> Result<Job, Error> {
        self.step();
        if self.fails(8) {
            return Err(failure(Method::Get, [500, 503, 401][self.random.below(3)]).0);
        }
        let Some(text) = self.server.show(id, self.now) else {
            return Err(failure(Method::Get, 404).0);
        };
        Job::parse_as(text, id).ok_or_else(unknown)
    }
}

fn unknown() -> Error {
    Error::UnknownOutcome { reason: "lost".to_owned(), list_url: None }
}

/// The error for a response with this status, by the classification of the program.
fn failure(method: Method, status: u16) -> (Error, Retry) {
    let location = if (300..400).contains(&status) { Location::Elsewhere } else { Location::None };
    let facts = Facts { method, status, code: None, should_retry: None, location, body: "" };
    match classify(&facts) {
        Outcome::Error { kind, retry } => {
            let error = ApiError { kind, ..ApiError::read(status, "{}") };
            (Error::Api(Box::new(error)), retry)
        }
        Outcome::Unknown { retry } => (unknown(), retry),
        Outcome::Redirect | Outcome::Success => {
            (Error::Redirect { status, target: "/".to_owned() }, Retry::Never)
        }
    }
}

type Shared = Rc<RefCell<World>>;

/// The effects of a run in this world.
struct Simulated {
    world: Shared,
    wait_timeout: u64,
}

impl Effects for Simulated {
    fn clock(&self) -> Clock {
        let world = self.world.borrow();
        let wall = world.wall();
        let uptime = Duration::from_millis(world.now - world.boot_time);
        let boot = world.has_proc.then(|| Boot {
            id: world.boot.to_string(),
            time: crate::jobs::state_file::unix_seconds(wall).saturating_sub(uptime.as_secs()),
        });
        Clock { wall, monotonic: Duration::from_millis(world.now - world.run_start), boot }
    }

    fn sleep(&mut self, time: Duration) {
        let mut world = self.world.borrow_mut();
        world.now += time.as_millis() as u64;
        world.step();
    }

    fn list(&mut self, path: &str) -> Result<ListPage, Error> {
        let mut world = self.world.borrow_mut();
        world.step();
        if !world.server.has_list {
            return Err(failure(Method::Get, 404).0);
        }
        if world.fails(10) {
            return Err(failure(Method::Get, [500, 503, 401][world.random.below(3)]).0);
        }
        let is_cached = world.server.has_cache && world.one_in(2);
        let age = if is_cached { world.random.below(600) as u64 } else { 0 };
        let time = world.now - age * SECOND;
        let text = world.server.list(path, time);
        world.print(|| format!("GET {path}, {age} s old: {text}"));
        let date = Duration::from_millis(world.server.clock(time) / SECOND * SECOND);
        let date = world.server.has_date.then(|| SystemTime::UNIX_EPOCH + date);
        Ok(ListPage { text, headers: PageHeaders { date, age: Some(age), names_next: false } })
    }

    fn post(
        &mut self,
        idempotency_key: &str,
        before_retry: &mut dyn FnMut(SystemTime) -> bool,
    ) -> Result<Job, Error> {
        let policy = Policy { max_retries: 2, retry_unsafe: self.world.borrow().retries_unsafe };
        let mut earlier = None;
        for retries in 0.. {
            let attempt = {
                let mut world = self.world.borrow_mut();
                world.step();
                world.attempt(idempotency_key)
            };
            let (error, retry, asked) = match attempt {
                Ok(job) => return Ok(job),
                Err(failed) => failed,
            };
            let is_conflict =
                matches!(&error, Error::Api(api) if api.kind == ApiErrorKind::Conflict);
            let may_exist = is_conflict || matches!(error, Error::UnknownOutcome { .. });
            let delay = retry::delay(policy, false, retries, retry, asked, 0.5);
            let wall = self.world.borrow().wall();
            match delay {
                Some(delay) if before_retry(wall + delay) => self.sleep(delay),
                _ => return Err(earlier.unwrap_or(error)),
            }
            if may_exist {
                earlier = Some(error);
            }
        }
        unreachable!("retries are limited")
    }

    fn retrieve(&mut self, id: &str) -> Result<Job, Error> {
        self.world.borrow_mut().show(id)
    }

    fn wait(&mut self, mut job: Job) -> (Result<Job, Error>, bool) {
        let start = self.world.borrow().now;
        let mut is_seen = false;
        loop {
            match job.status() {
                Status::Completed => return (Ok(job), is_seen),
                Status::Failed => return (Err(Error::JobFailed(Box::new(job))), is_seen),
                Status::Pending => {}
            }
            if self.world.borrow().now > start + self.wait_timeout {
                let waited = Duration::from_millis(self.wait_timeout);
                return (Err(Error::WaitTimeout { job: Box::new(job), waited }), is_seen);
            }
            self.sleep(Duration::from_secs(60));
            match self.retrieve(job.id()) {
                Ok(next) => (job, is_seen) = (next, true),
                Err(Error::Api(error))
                    if matches!(
                        error.kind,
                        ApiErrorKind::NotAuthorized | ApiErrorKind::NotFound | ApiErrorKind::Gone
                    ) =>
                {
                    return (Err(Error::Api(error)), is_seen);
                }
                Err(_) => {}
            }
        }
    }

    fn report(&self, event: &Event<'_>) {
        if let Event::StateNotSaved { id, .. } = event {
            self.world.borrow_mut().printed.insert((*id).to_owned());
        }
    }
}

/// The state file's disk: kills and faults come at each of its system calls.
struct SimulatedDisk(Shared);

impl SimulatedDisk {
    fn fault(world: &mut World) -> io::Result<()> {
        world.step();
        if world.fails(40) { Err(io::ErrorKind::Other.into()) } else { Ok(()) }
    }
}

impl Disk for SimulatedDisk {
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        Self::fault(&mut world)?;
        world.disk.truncate(length as usize);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        let half = world.random.below(bytes.len());
        world.disk.extend_from_slice(&bytes[..half]);
        Self::fault(&mut world)?;
        world.disk.extend_from_slice(&bytes[half..]);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        Self::fault(&mut world)?;
        world.synced = world.disk.clone();
        world.step();
        Ok(())
    }
}

struct SimulatedState(Journal<SimulatedDisk>);

impl State for SimulatedState {
    fn path(&self) -> &Path {
        Path::new("state")
    }

    fn record(&self) -> Option<&Record> {
        self.0.record()
    }

    fn note(&mut self, record: Record) -> Result<(), Error> {
        self.0.note(record).map_err(|error| Error::file("cannot write", error))
    }

    fn clear(&mut self) -> Result<(), Error> {
        self.0.clear().map_err(|error| Error::file("cannot write", error))
    }
}

/// The recipient of the result: stores media, prints the JSON, or does neither.
fn deliver(effects: Simulated, result: Result<Job, Error>) -> Result<Delivery, Error> {
    let mut world = effects.world.borrow_mut();
    let (job, delivery) = match result {
        Ok(job) if world.fails(6) => (job, Err(failure(Method::Get, 404).0)),
        Ok(job) => (job, Ok(Delivery::Whole)),
        Err(Error::JobFailed(job)) => ((*job).clone(), Err(Error::JobFailed(job))),
        Err(Error::WaitTimeout { job, waited }) => {
            ((*job).clone(), Err(Error::WaitTimeout { job, waited }))
        }
        Err(error) => return Err(error),
    };
    world.step();
    if world.fails(6) {
        return delivery.map(|_| Delivery::ClosedPipe);
    }
    world.printed.insert(job.id().to_owned());
    delivery
}

/// The index of the submission with another argument.
const CHANGED: usize = 2;

/// Kinds of requests: the operation, its fields beside prompt and model, the members of its job,
/// whether the run waits, and whether the body is large.
const KINDS: [(Operation, &str, &str, bool, bool); 6] = [
    (Operation::Extend, EXTENSION, VERSION, true, false),
    (Operation::Extend, EXTENSION, VERSION, false, false),
    (Operation::Extend, EXTENSION, VERSION, true, true),
    (
        Operation::Create,
        r#","seconds":"4""#,
        r#","seconds":"4","remixed_from_video_id":null"#,
        true,
        false,
    ),
    (Operation::Edit, r#","video":{"id":"v"}"#, VERSION, true, false),
    (Operation::Remix, "", VERSION, true, false),
];
const EXTENSION: &str = r#","seconds":"4","video":{"id":"v"}"#;
const VERSION: &str = r#","seconds":"8","remixed_from_video_id":"v""#;

/// The request in three versions: ours with either key, and that of a call with another argument.
struct Submissions {
    versions: [Submission; 3],
    /// The members of its job beside the model.
    members: &'static str,
}

fn submissions(kind: &(Operation, &str, &'static str, bool, bool)) -> Submissions {
    let &(operation, more, members, waits, is_large) = kind;
    let versions = [(PROMPT, "first"), (PROMPT, "second"), ("Changed", "first")];
    let versions = versions.map(|(prompt, key)| {
        let body = format!(r#"{{"prompt":"{prompt}","model":"model"{more}}}"#);
        let fields = Fields::from_json(&body).unwrap();
        let remixed = (operation == Operation::Remix).then(|| Reference::Id("v".to_owned()));
        let request = VideoRequest::from_fields(operation, fields, remixed).unwrap();
        let mut settings = Settings::new(BaseUrl::new("https://server.example/v1").unwrap());
        settings.api_key = Some(ApiKey::new(key).unwrap());
        let description = Description::of(&settings, &request).unwrap();
        Submission {
            stored: description.stored(&settings),
            description,
            wanted: Wanted::of(&request),
            account: Account::of(&settings),
            idempotency_key: None,
            is_large,
            waits,
            patience: Duration::from_secs(1800),
            list_url: String::new(),
        }
    });
    Submissions { versions, members }
}

fn all_submissions() -> [Submissions; 6] {
    KINDS.each_ref().map(submissions)
}

/// The end of a run; `None` if it was killed.
type End = Option<Result<(), Error>>;

struct History<'a> {
    world: Shared,
    submissions: &'a [Submission; 3],
}

impl<'a> History<'a> {
    fn new(seed: u64, prints: bool, submissions: &'a [Submissions; 6]) -> Self {
        let mut world = World::new(seed, prints);
        let kind = [0, 0, 0, 0, 1, 1, 2, 3, 3, 4, 5][world.random.below(11)];
        let Submissions { versions: submissions, members } = &submissions[kind];
        world.is_large = submissions[0].is_large;
        world.server.members = members;
        let server = &world.server;
        world.print(|| format!("{server:?}, clock off by {} ms", world.clock_offset));
        Self { world: Rc::new(RefCell::new(world)), submissions }
    }

    /// Plays the whole history. The error names the violated invariant.
    fn play(&self) -> Result<(), String> {
        let runs = 1 + self.world.borrow_mut().random.below(4);
        for _ in 0..runs {
            self.run()?;
            self.world.borrow_mut().rest();
        }
        self.world.borrow_mut().has_faults = false;
        for _ in 0..10 {
            let end = self.run()?;
            if self.has_ended(&end) {
                return Ok(());
            }
            self.follow_hint(&end);
            // By then each job has ended.
            self.world.borrow_mut().now += HOUR;
        }
        Err("the history does not end".to_owned())
    }

    /// Follows the hint of a run with the other key, as the user would.
    fn follow_hint(&self, end: &End) {
        if let Some(Err(
            Error::Unresolved { is_other_account: true, .. }
            | Error::JobNotFound { is_other_account: true, .. },
        )) = end
        {
            let server = &mut self.world.borrow_mut().server;
            server.account = 1 - server.account;
        }
    }

    fn has_ended(&self, end: &End) -> bool {
        let has_job = !self.world.borrow().disk.is_empty();
        match end {
            Some(Ok(()) | Err(Error::JobFailed(_))) => !has_job,
            Some(Err(Error::Unresolved { is_other_account, .. })) => !is_other_account,
            Some(Err(Error::UnknownOutcome { .. })) => true,
            _ => false,
        }
    }

    fn run(&self) -> Result<End, String> {
        let journal = self.journal()?;
        let (before, disk) = (journal.record().cloned(), self.world.borrow().disk.clone());
        let (index, wait_timeout) = self.world.borrow_mut().start_run(before.is_none());
        let (is_refused, submission) = (index == CHANGED, &self.submissions[index]);
        let effects = Simulated { world: Rc::clone(&self.world), wait_timeout };
        let mut state = SimulatedState(journal);
        let run = || submit_once::run(effects, &mut state, submission, deliver);
        let end = match catch_unwind(AssertUnwindSafe(run)) {
            Ok(end) => Some(end),
            Err(panic) if panic.is::<Killed>() => None,
            Err(panic) => resume_unwind(panic),
        };
        self.world.borrow().print(|| format!("the run ends: {end:?}"));
        let is_untouched = self.world.borrow().disk == disk;
        if is_refused && !(is_untouched && matches!(end, None | Some(Err(Error::Invalid { .. })))) {
            return Err("another request is not refused".to_owned());
        }
        let after = match &end {
            Some(_) => state.record().cloned(),
            None => self.journal()?.record().cloned(),
        };
        if let (Some(before), Some(after)) = (&before, &after)
            && before.idempotency_key != after.idempotency_key
        {
            return Err("the request has another idempotency key than before".to_owned());
        }
        self.check_jobs(after.as_ref())?;
        self.check_end(&end, before.as_ref(), after.as_ref())?;
        Ok(end)
    }

    fn journal(&self) -> Result<Journal<SimulatedDisk>, String> {
        let disk = SimulatedDisk(Rc::clone(&self.world));
        let journal = Journal::read(disk, &self.world.borrow().disk);
        journal.ok_or("the state file is not one any more".to_owned())
    }

    /// Checks that no job is a second one or is lost, and that the state file leads to no other
    /// one.
    fn check_jobs(&self, record: Option<&Record>) -> Result<(), String> {
        let world = self.world.borrow();
        let mut runs: HashMap<&str, HashSet<u64>> = HashMap::new();
        for job in &world.server.jobs {
            let Some(key) = job.key.as_deref() else { continue };
            let runs = runs.entry(key).or_default();
            if (!runs.insert(job.run) && !world.retries_unsafe) || runs.len() > 1 {
                return Err(format!("'{}' is a second job of one request", job.id));
            }
            let is_known = |other: &server::Job| {
                let in_state = record.is_some_and(|record| match &record.id {
                    Some(id) => *id == other.id,
                    None => record.idempotency_key == key,
                });
                in_state || world.printed.contains(&other.id)
            };
            let mut family = world.server.jobs.iter().filter(|other| other.key == job.key);
            // One of several is enough with --retry-unsafe, and a job that has failed may be
            // forgotten.
            let has_failed = |other: &server::Job| other.is_failure && other.ends <= world.now;
            if !family.any(|other| is_known(other) || has_failed(other)) {
                return Err(format!("the job '{}' is lost", job.id));
            }
        }
        if let Some(Record { id: Some(id), idempotency_key, .. }) = record {
            let job = world.server.job(id);
            if job.and_then(|job| job.key.as_ref()) != Some(idempotency_key) {
                return Err(format!("'{id}' is taken for the job of the request"));
            }
        }
        Ok(())
    }

    /// Checks the result of a run that ends the job.
    fn check_end(
        &self,
        end: &End,
        before: Option<&Record>,
        after: Option<&Record>,
    ) -> Result<(), String> {
        let world = self.world.borrow();
        if let Some(Err(Error::JobNotFound { is_other_account, .. })) = end {
            let job = before.and_then(|record| world.server.job(record.id.as_deref()?));
            if !is_other_account || job.is_none_or(|job| world.server.is_visible(job)) {
                return Err("a job that the server has is said to be gone".to_owned());
            }
        }
        // A run that is killed in its last step has emptied the file, too.
        if let (Some(Ok(()) | Err(Error::JobFailed(_))) | None, None) = (end, after) {
            let key = before.map(|record| record.idempotency_key.as_str());
            let of_run = |job: &&server::Job| {
                job.key.is_some() && (job.run == world.run || job.key.as_deref() == key)
            };
            let mut jobs = world.server.jobs.iter().filter(of_run);
            if !world.retries_unsafe && jobs.any(|job| job.ends > world.now) {
                return Err("a job that runs counts as finished".to_owned());
            }
        }
        Ok(())
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

fn play(seed: u64, prints: bool, submissions: &[Submissions; 6]) -> Result<(), String> {
    let history = History::new(seed, prints, submissions);
    let played = catch_unwind(AssertUnwindSafe(|| history.play()));
    played.unwrap_or_else(|panic| Err(format!("panic: {}", message(&*panic))))
}

/// The first seed from `start` in steps of `step` whose history fails, and why.
fn search(start: u64, step: usize, end: u64) -> Option<(u64, String)> {
    let submissions = all_submissions();
    let fails = |seed| Some((seed, play(seed, false, &submissions).err()?));
    (start..end).step_by(step).find_map(fails)
}

#[test]
#[allow(clippy::disallowed_methods)] // variables choose the histories
fn no_history_pays_twice_or_loses_a_job() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    if let Some(seed) = number("SEED") {
        play(seed, true, &all_submissions()).unwrap_or_else(|reason| panic!("{reason}"));
        return;
    }
    let end = number("HISTORIES").unwrap_or(HISTORIES);
    let lanes = thread::available_parallelism().map_or(1, usize::from);
    let first = thread::scope(|scope| {
        let lanes: Vec<_> =
            (0..lanes as u64).map(|lane| scope.spawn(move || search(lane, lanes, end))).collect();
        lanes.into_iter().filter_map(|lane| lane.join().unwrap()).min()
    });
    if let Some((seed, reason)) = first {
        panic!("SEED={seed}: {reason}");
    }
}
