//! The system calls of a traced run, and the faults that strace can put in their place.

use std::collections::HashMap;
use std::fmt;

/// The first call after start-up: signals are handled before anything else is done.
const FIRST: &str = "rt_sigaction(SIGINT";
/// A SIGTERM before this call comes too late to change the exit code.
const LAST: &str = "exit_group";
/// Calls that do not fail in practice: memory, signals, threads and time. A run is only ended
/// before them.
const NEVER_FAIL: [&str; 18] = [
    "brk",
    "clock_gettime",
    "clock_nanosleep",
    "exit_group",
    "futex",
    "getpid",
    "getrandom",
    "gettid",
    "madvise",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "nanosleep",
    "rt_sigaction",
    "rt_sigprocmask",
    "sched_getaffinity",
    "sigaltstack",
];
/// Calls that fail because of the network, and how.
const OF_SOCKETS: [&str; 8] =
    ["connect", "getsockopt", "recvfrom", "recvmsg", "sendmsg", "sendto", "setsockopt", "socket"];
/// Calls that fail on a full disk, too.
const THAT_WRITE: [&str; 8] =
    ["fsync", "ftruncate", "open", "openat", "pwrite64", "rename", "write", "writev"];

/// One fault at one system call.
#[derive(Clone)]
pub struct Fault {
    call: String,
    /// The number of the call among those of its name: 1 is the first.
    number: usize,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// The run is killed before the call.
    Kill,
    /// The run gets a SIGTERM, and makes the call.
    Terminate,
    /// The call fails with this error.
    Failure(&'static str),
}

impl Fault {
    /// All faults of a run, in the order of its calls, from the output of strace.
    pub fn of_trace(trace: &str) -> Vec<Fault> {
        let mut counts = HashMap::new();
        let mut has_started = false;
        let mut faults = Vec::new();
        for (line, call) in trace.lines().filter_map(|line| Some((line, name(line)?))) {
            let count = counts.entry(call).or_insert(0);
            *count += 1;
            has_started |= line.starts_with(FIRST);
            if has_started {
                let fault = |kind| Fault { call: call.to_owned(), number: *count, kind };
                faults.push(fault(Kind::Kill));
                if call != LAST {
                    faults.push(fault(Kind::Terminate));
                }
                faults.extend(errors(call).iter().map(|error| fault(Kind::Failure(error))));
            }
        }
        faults
    }

    /// The arguments of strace that make this fault.
    pub fn arguments(&self) -> [String; 4] {
        let Fault { call, number, kind } = self;
        let tampering = match kind {
            Kind::Kill => "error=EINTR:signal=KILL",
            Kind::Terminate => "signal=TERM",
            Kind::Failure(error) => &format!("error={error}"),
        };
        // A full disk stays full.
        let onwards = if matches!(kind, Kind::Failure("ENOSPC")) { "+" } else { "" };
        let inject = format!("inject={call}:{tampering}:when={number}{onwards}");
        ["-e".to_owned(), format!("trace={call}"), "-e".to_owned(), inject]
    }

    /// Whether a run has come to its fault, by the output of strace.
    pub fn is_in(&self, trace: &str) -> bool {
        trace.contains(match self.kind {
            Kind::Kill => "+++ killed by SIGKILL",
            Kind::Terminate => "--- SIGTERM",
            Kind::Failure(_) => "(INJECTED)",
        })
    }
}

/// `fsync 2 EIO`: the second fsync fails.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Kind::Kill => "SIGKILL",
            Kind::Terminate => "SIGTERM",
            Kind::Failure(error) => error,
        };
        write!(f, "{} {} {what}", self.call, self.number)
    }
}

/// The name of the call in a line of strace, which has other lines for signals and the exit.
fn name(line: &str) -> Option<&str> {
    let (name, _) = line.split_once('(')?;
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then_some(name)
}

/// How a call may fail.
fn errors(call: &str) -> &'static [&'static str] {
    if NEVER_FAIL.contains(&call) {
        &[]
    } else if call.starts_with("clone") {
        &["EAGAIN"]
    } else if OF_SOCKETS.contains(&call) {
        &["ECONNRESET"]
    } else if THAT_WRITE.contains(&call) {
        &["EIO", "ENOSPC"]
    } else {
        &["EIO"]
    }
}
