//! A builder that runs the binary under test in an empty environment and an empty directory, with a
//! time limit, and the outcome of the run, whose exit code and streams are compared. A failed
//! comparison shows all of them.

use std::ffi::{OsStr, OsString};
use std::fmt::{self, Debug, Write as _};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::server::Server;
use super::temp::TempDir;

const TIME_LIMIT: Duration = Duration::from_secs(30);
/// The number of bytes that are read of each stream. A run that prints more blocks until the time
/// limit.
const OUTPUT_LIMIT: u64 = 64 << 20;

/// The binary under test: the one in `OPENAI_UNDER_TEST` (`make test-static`), or else the one that
/// cargo has built.
#[allow(clippy::disallowed_methods)] // the environment of the tests
pub fn program() -> PathBuf {
    std::env::var_os("OPENAI_UNDER_TEST")
        .map_or_else(|| env!("CARGO_BIN_EXE_openai").into(), PathBuf::from)
}

/// A run of the binary under test with these arguments.
pub fn openai(args: &[&str]) -> Openai {
    Openai {
        args: args.iter().map(OsString::from).collect(),
        env: Vec::new(),
        stdin: Stdin::Empty,
        stdout: None,
        home: TempDir::new(),
        directory: None,
        time_limit: TIME_LIMIT,
    }
}

#[must_use = "call run()"]
pub struct Openai {
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    stdin: Stdin,
    stdout: Option<Stdio>,
    home: TempDir,
    directory: Option<PathBuf>,
    time_limit: Duration,
}

enum Stdin {
    Empty,
    Bytes(Vec<u8>),
    File(File),
    HeldOpen,
}

impl Openai {
    /// Adds an argument, which need not be UTF-8.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Openai {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub fn args(mut self, args: &[&str]) -> Openai {
        self.args.extend(args.iter().map(OsString::from));
        self
    }

    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Openai {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets OPENAI_BASE_URL.
    pub fn server(self, server: &Server) -> Openai {
        self.env("OPENAI_BASE_URL", server.base_url())
    }

    /// Writes a file into the working directory.
    pub fn file(self, name: &str, contents: impl AsRef<[u8]>) -> Openai {
        fs::write(self.directory().join(name), contents).expect("a file for the test");
        self
    }

    /// Sets what is on standard input, which is `/dev/null` otherwise.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Openai {
        self.stdin = Stdin::Bytes(bytes.into());
        self
    }

    /// Makes this file standard input.
    pub fn stdin_from(mut self, file: File) -> Openai {
        self.stdin = Stdin::File(file);
        self
    }

    /// Makes standard input a pipe without data that stays open, so that a read blocks.
    pub fn stdin_held_open(mut self) -> Openai {
        self.stdin = Stdin::HeldOpen;
        self
    }

    pub fn stdout_to(mut self, file: File) -> Openai {
        self.stdout = Some(file.into());
        self
    }

    /// Makes standard output a pipe whose reading end is closed.
    pub fn stdout_closed(mut self) -> Openai {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        self.stdout = Some(writer.into());
        self
    }

    /// Sets the working directory, which is a new, empty one otherwise.
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Openai {
        self.directory = Some(directory.into());
        self
    }

    /// Sets the time after which the run is killed and the test fails. The default is 30 s.
    pub fn time_limit(mut self, limit: Duration) -> Openai {
        self.time_limit = limit;
        self
    }

    /// The working directory.
    pub fn directory(&self) -> &Path {
        self.directory.as_deref().unwrap_or(self.home.path())
    }

    pub fn run(self) -> Outcome {
        self.spawn().wait()
    }

    /// Starts the run without waiting for its end.
    pub fn spawn(self) -> Running {
        let mut command = Command::new(program());
        command.args(&self.args).env_clear().envs(self.env.iter().cloned());
        command.current_dir(self.directory()).stderr(Stdio::piped());
        let call = self.call();
        let mut bytes = None;
        command.stdin(match self.stdin {
            Stdin::Empty => Stdio::null(),
            Stdin::File(file) => file.into(),
            Stdin::HeldOpen => Stdio::piped(),
            Stdin::Bytes(written) => {
                bytes = Some(written);
                Stdio::piped()
            }
        });
        command.stdout(self.stdout.unwrap_or_else(Stdio::piped));
        let start = Instant::now();
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("{call}\ndid not start: {error}"));
        let feed = child.stdin.take().map(|mut pipe| match bytes {
            Some(bytes) => thread::spawn(move || pipe.write_all(&bytes).map(|()| None)),
            // The pipe is returned, as dropping it would close it.
            None => thread::spawn(move || Ok(Some(pipe))),
        });
        Running {
            call,
            start,
            deadline: start + self.time_limit,
            stdout: child.stdout.take().map(collect),
            stderr: child.stderr.take().map(collect),
            directory: self.directory.unwrap_or_else(|| self.home.path().to_owned()),
            home: Some(self.home),
            child,
            feed,
        }
    }

    /// The directory, environment and command line, for a failure.
    fn call(&self) -> String {
        let mut text = format!("directory: {}\nenvironment:", self.directory().display());
        for (name, value) in &self.env {
            let _ = write!(text, " {}={value:?}", name.display());
        }
        text += "\ncommand: openai";
        for arg in &self.args {
            let _ = write!(text, " {arg:?}");
        }
        text
    }
}

/// A run in progress, which is killed when this is dropped.
#[must_use = "call wait()"]
pub struct Running {
    call: String,
    start: Instant,
    deadline: Instant,
    child: Child,
    feed: Option<JoinHandle<io::Result<Option<std::process::ChildStdin>>>>,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    directory: PathBuf,
    home: Option<TempDir>,
}

impl Running {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills the run with SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("the child should be ours to kill");
    }

    /// Waits for the end of the run. Panics after the time limit.
    pub fn wait(mut self) -> Outcome {
        let mut pause = Duration::from_micros(200);
        let mut in_time = true;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the child's status") {
                break status;
            }
            if in_time && Instant::now() > self.deadline {
                in_time = false;
                self.kill();
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(5));
        };
        let elapsed = self.start.elapsed();
        let read = |stream: Option<JoinHandle<Vec<u8>>>| {
            stream.map_or_else(Vec::new, |thread| thread.join().expect("the stream's reader"))
        };
        let outcome = Outcome {
            status,
            stdout: read(self.stdout.take()),
            stderr: read(self.stderr.take()),
            elapsed,
            directory: std::mem::take(&mut self.directory),
            call: std::mem::take(&mut self.call),
            _home: self.home.take(),
        };
        // Fails if the program did not read all of its standard input, which is allowed.
        drop(self.feed.take().map(JoinHandle::join));
        assert!(in_time, "killed: it ran for more than {elapsed:?}\n{outcome:?}");
        outcome
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail if the run has ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn collect(stream: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        drop(stream.take(OUTPUT_LIMIT).read_to_end(&mut bytes));
        bytes
    })
}

/// The outcome of a run. The temporary directory exists as long as this.
#[must_use = "check something"]
pub struct Outcome {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub elapsed: Duration,
    /// The working directory.
    pub directory: PathBuf,
    call: String,
    /// Removes the directory when this is dropped.
    _home: Option<TempDir>,
}

impl Outcome {
    /// Compares exit code, standard output and standard error.
    #[track_caller]
    pub fn is(&self, code: i32, stdout: &str, stderr: &str) -> &Outcome {
        let same = self.status.code() == Some(code)
            && self.stdout == stdout.as_bytes()
            && self.stderr == stderr.as_bytes();
        let expected =
            || format!("code {code}, with\n{}", streams(stdout.as_bytes(), stderr.as_bytes()));
        self.check(same, expected)
    }

    #[track_caller]
    pub fn success(&self) -> &Outcome {
        self.code(0)
    }

    #[track_caller]
    pub fn code(&self, code: i32) -> &Outcome {
        self.check(self.status.code() == Some(code), || format!("code {code}"))
    }

    /// Compares the whole of standard output.
    #[track_caller]
    pub fn stdout(&self, expected: &str) -> &Outcome {
        self.check(self.stdout == expected.as_bytes(), || format!("standard output\n{expected}"))
    }

    /// Compares the whole of standard error.
    #[track_caller]
    pub fn stderr(&self, expected: &str) -> &Outcome {
        self.check(self.stderr == expected.as_bytes(), || format!("standard error\n{expected}"))
    }

    #[track_caller]
    pub fn stdout_contains(&self, expected: &str) -> &Outcome {
        let there = self.stdout_text().contains(expected);
        self.check(there, || format!("standard output with {expected:?}"))
    }

    #[track_caller]
    pub fn stderr_contains(&self, expected: &str) -> &Outcome {
        let there = self.stderr_text().contains(expected);
        self.check(there, || format!("standard error with {expected:?}"))
    }

    /// Checks that neither stream contains this text, such as an API key.
    #[track_caller]
    pub fn never_shows(&self, secret: &str) -> &Outcome {
        let hidden = !self.stdout_text().contains(secret) && !self.stderr_text().contains(secret);
        self.check(hidden, || format!("nothing that shows {secret:?}"))
    }

    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    #[track_caller]
    fn check(&self, holds: bool, expected: impl Fn() -> String) -> &Outcome {
        assert!(holds, "expected {}\n\nbut had\n{self:?}", expected());
        self
    }
}

impl Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{} after {:?}, with", self.call, self.status, self.elapsed)?;
        f.write_str(&streams(&self.stdout, &self.stderr))
    }
}

fn streams(stdout: &[u8], stderr: &[u8]) -> String {
    const SHOWN: usize = 16 * 1024;
    let shown = |bytes: &[u8]| {
        let more = bytes.len().saturating_sub(SHOWN);
        let text = String::from_utf8_lossy(&bytes[..bytes.len() - more]).into_owned();
        if more > 0 { format!("{text}\n({more} more bytes)") } else { text }
    };
    let (out, err) = (shown(stdout), shown(stderr));
    format!("--- standard output ---\n{out}\n--- standard error ---\n{err}\n---")
}
