//! One job with a state file: a first run with a fault in it, and the runs that follow.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::system_calls::Fault;
use super::temp::TempDir;
use super::videos_api::connection::{Connection, Gate, lock};
use super::videos_api::imitation::{Respond, media_host, server_like};
use super::videos_api::listener::Listener;
use super::videos_api::request_reader::RequestReader;
use super::videos_api::videos::CLIP;

/// The stand-in's version of the API without idempotency keys, and whose jobs do not take long.
const HASTY: &str = "hasty";
/// The version without a list of jobs, which refuses an upload as a form, and whose media are at
/// another host.
const XAI: &str = "xai";
const STATE: &str = "job";
const OUTPUT: &str = "out.mp4";
const UPLOAD: &str = "clip.mp4";
/// The output that a run replaces.
const OLD: &[u8] = b"old";
/// How many runs a history has at most.
const RUNS: usize = 6;
/// A run that takes longer is killed, and has failed.
const LIMIT: Duration = Duration::from_secs(60);
/// A request in doubt is moved this far into the past, in seconds. A run would wait until it is two
/// minutes old before it sends the request again.
const BACKDATED: u64 = 600;
/// The exit codes of a run that a signal ended.
const KILLED: i32 = 137;
const TERMINATED: i32 = 143;

const SECONDS: &str = "--seconds=4";
const UPLOADING: &str = "--video=@clip.mp4";
const SKIPPING: &str = "--skip-existing";
const OF_XAI: [&str; 4] =
    ["--field=model=grok-imagine-video", "--field=duration:=6", UPLOADING, SKIPPING];

/// The command whose runs are cut, and its server.
#[derive(Clone, Copy)]
pub struct Scenario {
    name: &'static str,
    server: &'static str,
    /// The options of this scenario.
    options: &'static [&'static str],
    has_old_output: bool,
}

impl Scenario {
    pub const ALL: [Scenario; 5] = [
        Scenario::new("reference", &[SECONDS, "--video=video_1"]),
        Scenario { has_old_output: true, ..Scenario::new("upload", &[SECONDS, UPLOADING]) },
        Scenario::new("skipping reference", &[SECONDS, "--video=video_1", SKIPPING]),
        Scenario::new("skipping upload", &[SECONDS, UPLOADING, SKIPPING]),
        Scenario { server: XAI, ..Scenario::new("skipping upload to xAI", &OF_XAI) },
    ];

    const fn new(name: &'static str, options: &'static [&'static str]) -> Scenario {
        Scenario { name, server: HASTY, options, has_old_output: false }
    }

    fn arguments(&self) -> Vec<&'static str> {
        let mut words = vec!["videos", "extend", "--prompt", "x", "--state", STATE, "-o", OUTPUT];
        words.extend(["--poll-interval", "10ms"]);
        words.extend(self.options);
        words
    }

    fn skips_existing(&self) -> bool {
        self.options.contains(&SKIPPING)
    }
}

/// A fault in the first run of a scenario.
pub struct Case {
    pub scenario: Scenario,
    pub fault: Fault,
}

/// A history without a violated guarantee.
pub struct History {
    pub runs: usize,
    /// Whether the first run came to its fault.
    pub has_fault: bool,
    /// Whether it ended with code 7.
    pub is_in_doubt: bool,
}

/// A run that has ended.
struct Run {
    status: ExitStatus,
    stdout: String,
    stderr: String,
    is_traced: bool,
}

impl Case {
    /// `upload: fsync 2 EIO`.
    pub fn name(&self) -> String {
        format!("{}: {}", self.scenario.name, self.fault)
    }

    /// The command that repeats the first run.
    pub fn replay(&self, binary: &Path) -> String {
        let strace = self.fault.arguments().join(" ");
        let words = self.scenario.arguments().join(" ");
        let Scenario { server, .. } = self.scenario;
        format!("standin --like {server} --log -- strace {strace} {} {words}", binary.display())
    }

    /// Plays the history.
    ///
    /// # Errors
    /// The violated guarantee, and a line for each run.
    pub fn play(&self, binary: &Path) -> Result<History, String> {
        let mut site = Site::new(self.scenario).map_err(|why| why.to_string())?;
        self.play_at(&mut site, binary).map_err(|why| format!("{why}\n{}", site.log))
    }

    fn play_at(&self, site: &mut Site, binary: &Path) -> Result<History, String> {
        let mut run = site.run(binary, &self.fault.arguments())?;
        let has_fault = self.fault.is_in(&site.trace());
        let mut history = History { runs: 1, has_fault, is_in_doubt: false };
        let mut has_result = run.has_result();
        if !self.is_in_gap(&run, site) {
            let mut doubts = 0;
            while run.code() != 0 && doubts < 2 {
                if history.runs == RUNS {
                    return Err("it does not end".to_owned());
                }
                site.backdate().map_err(|why| format!("the state file: {why}"))?;
                run = site.run(binary, &[])?;
                history.runs += 1;
                has_result |= run.has_result();
                doubts += usize::from(run.code() == 7);
            }
            history.is_in_doubt = doubts == 2;
        }
        site.check_end(history.is_in_doubt, has_result)?;
        Ok(history)
    }

    /// Whether the run was ended between the emptying of its state file and its exit. The next run
    /// cannot know that the job is done, unless it skips an existing output.
    fn is_in_gap(&self, run: &Run, site: &Site) -> bool {
        [KILLED, TERMINATED].contains(&run.code())
            && !self.scenario.skips_existing()
            && site.is_delivered()
            && run.has_result()
    }
}

impl Run {
    /// The exit code, as a shell gives it.
    fn code(&self) -> i32 {
        let signal = self.status.signal().map(|signal| 128 + signal);
        self.status.code().or(signal).unwrap_or(-1)
    }

    /// Whether the whole result is on standard output.
    fn has_result(&self) -> bool {
        self.stdout.starts_with("{\n") && self.stdout.ends_with("}\n")
    }

    /// The guarantee about every run that this one violates.
    fn violation(&self) -> Option<&'static str> {
        let code = self.code();
        if !(code <= 10 || (self.is_traced && [KILLED, TERMINATED].contains(&code))) {
            Some("its exit code is not documented")
        } else if self.stderr.contains("panicked") {
            Some("it panics")
        } else {
            None
        }
    }
}

/// The trace of a run without a fault.
pub fn trace(binary: &Path, scenario: Scenario) -> Result<String, String> {
    let mut site = Site::new(scenario).map_err(|why| why.to_string())?;
    let run = site.run(binary, &["-e".to_owned(), "trace=all".to_owned()])?;
    if run.status.success() { Ok(site.trace()) } else { Err(format!("no run:\n{}", site.log)) }
}

/// The directory and the server of a history.
struct Site {
    scenario: Scenario,
    /// Its subdirectory `work` is that of the runs.
    directory: TempDir,
    server: Listener,
    /// The host of xAI's media.
    media: Listener,
    stop: Arc<Gate>,
    jobs: Arc<AtomicUsize>,
    /// A line for each run, for messages.
    log: String,
}

impl Site {
    fn new(scenario: Scenario) -> io::Result<Site> {
        let directory = TempDir::new();
        let work = directory.path().join("work");
        fs::create_dir(&work)?;
        fs::write(work.join(UPLOAD), CLIP)?;
        if scenario.has_old_output {
            fs::write(work.join(OUTPUT), OLD)?;
        }
        let (stop, jobs) = (Arc::new(Gate::default()), Arc::new(AtomicUsize::new(0)));
        let media = serve(media_host(0), &stop, &Arc::default())?;
        let origin = format!("http://{}", media.address);
        let respond = server_like(scenario.server, None, &origin).ok_or(ErrorKind::NotFound)?;
        let server = serve(respond, &stop, &jobs)?;
        Ok(Site { scenario, directory, server, media, stop, jobs, log: String::new() })
    }

    /// Runs the program to its end, under strace if that has arguments, and checks what holds
    /// after every run.
    fn run(&mut self, binary: &Path, strace: &[String]) -> Result<Run, String> {
        let status = self.wait_for(binary, strace).map_err(|why| format!("a run: {why}"))?;
        // Until the server has read everything that was sent. A job that it lists later is no part
        // of this.
        self.server.stop();
        self.server.resume().map_err(|why| why.to_string())?;
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| self.recorded(name));
        let run = Run { status, stdout, stderr, is_traced: !strace.is_empty() };
        let jobs = self.jobs.load(Ordering::SeqCst);
        self.log += &format!("    {status}; jobs: {jobs}; state: {:?}\n", self.state());
        self.log += &run.stderr.lines().map(|line| format!("        {line}\n")).collect::<String>();
        if let Some(violation) = run.violation() {
            Err(violation.to_owned())
        } else if jobs > 1 {
            Err("it pays twice".to_owned())
        } else if !self.is_output_sound() {
            Err("the output is neither complete nor unchanged".to_owned())
        } else {
            Ok(run)
        }
    }

    fn wait_for(&self, binary: &Path, strace: &[String]) -> io::Result<ExitStatus> {
        let mut command = if strace.is_empty() {
            Command::new(binary)
        } else {
            let mut command = Command::new("strace");
            command.arg("-o").arg(self.directory.path().join("trace")).args(strace).arg(binary);
            command
        };
        let file = |name| File::create(self.directory.path().join(name));
        command.args(self.scenario.arguments()).current_dir(self.work(""));
        command.stdin(Stdio::null()).stdout(file("stdout")?).stderr(file("stderr")?);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.env("OPENAI_BASE_URL", format!("http://{}/v1", self.server.address));
        let mut child = command.env("OPENAI_API_KEY", "stand-in-key").spawn()?;
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                child.kill()?;
                child.wait()?;
                return Err(ErrorKind::TimedOut.into());
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn work(&self, name: &str) -> PathBuf {
        self.directory.path().join("work").join(name)
    }

    fn trace(&self) -> String {
        self.recorded("trace")
    }

    fn state(&self) -> String {
        fs::read_to_string(self.work(STATE)).unwrap_or_default()
    }

    fn recorded(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).unwrap_or_default()
    }

    fn is_output_sound(&self) -> bool {
        match fs::read(self.work(OUTPUT)) {
            Ok(bytes) => bytes == CLIP || (self.scenario.has_old_output && bytes == OLD),
            Err(_) => !self.scenario.has_old_output,
        }
    }

    /// Whether the output is complete and the state file empty.
    fn is_delivered(&self) -> bool {
        fs::read(self.work(OUTPUT)).is_ok_and(|bytes| bytes == CLIP) && self.state().is_empty()
    }

    /// Moves the request in doubt, if there is one, into the past.
    fn backdate(&self) -> io::Result<()> {
        let text = self.state();
        if text.is_empty() || text.contains("\"submitted\"") {
            return Ok(());
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let past = (now.as_secs() - BACKDATED).to_string();
        let date = |text: String, name: &str| {
            let name = format!("\"{name}\":");
            let parts = text.split(&name).enumerate().map(|(number, part)| match number {
                0 => part.to_owned(),
                _ => past.clone() + part.trim_start_matches(|c: char| c.is_ascii_digit()),
            });
            parts.collect::<Vec<_>>().join(&name)
        };
        fs::write(self.work(STATE), ["since", "retried"].into_iter().fold(text, date))
    }

    /// Checks what holds when the last run has ended.
    fn check_end(&self, is_in_doubt: bool, has_result: bool) -> Result<(), String> {
        let entries = fs::read_dir(self.work("")).map_err(|why| why.to_string())?;
        let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
        names.retain(|name| ![STATE, OUTPUT, UPLOAD].iter().any(|known| name == known));
        let state = File::open(self.work(STATE));
        if !names.is_empty() {
            Err(format!("it leaves {names:?} behind"))
        } else if state.is_ok_and(|state| state.try_lock().is_err()) {
            Err("the state file is still locked".to_owned())
        } else if is_in_doubt {
            match (self.scenario.server, self.state().is_empty()) {
                (HASTY, _) => {
                    Err("it ends in doubt, although the server lists its jobs".to_owned())
                }
                (_, true) => Err("it ends in doubt without a state".to_owned()),
                _ => Ok(()),
            }
        } else if !self.is_delivered() {
            Err("it ends without the output, or with a state".to_owned())
        } else if !has_result {
            Err("no run prints the result".to_owned())
        } else if self.jobs.load(Ordering::SeqCst) != 1 {
            Err("it ends without a job".to_owned())
        } else {
            Ok(())
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.open();
        self.media.stop();
    }
}

/// Starts a server, which counts the successful POSTs.
fn serve(respond: Respond, stop: &Arc<Gate>, jobs: &Arc<AtomicUsize>) -> io::Result<Listener> {
    let (stop, jobs) = (Arc::clone(stop), Arc::clone(jobs));
    let respond = Mutex::new(respond);
    let serve = move |stream, number| -> io::Result<()> {
        let mut connection = Connection::new(stream, Arc::clone(&stop))?;
        let head = |connection: &mut _| RequestReader::head(connection, number);
        while let Some(mut reader) = head(&mut connection).map_err(io::Error::other)? {
            if !reader.read_whole(&mut connection)? {
                break;
            }
            let response = lock(&respond)(&reader.request);
            let is_job = reader.request.method == "POST" && response.status == 200;
            jobs.fetch_add(usize::from(is_job), Ordering::SeqCst);
            response.send(&mut connection)?;
        }
        Ok(())
    };
    // A run that is killed breaks its connection.
    Listener::start(0, move |stream, number| drop(serve(stream, number)))
}
