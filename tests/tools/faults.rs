//! Cuts runs with a state file at every system call: `faults BINARY [NAME]`.
//!
//! A whole `openai videos extend --state job -o out.mp4` is traced, and then run once for each of
//! its system calls after start-up and each fault: killed before the call, sent a SIGTERM before
//! it, or the call failing. After each the run is repeated without faults until it ends with 0, or
//! twice with 7. Then the server has at most one job, the output is complete or unchanged, and
//! nothing else is left behind.
//!
//! Needs strace. A fault that violates a guarantee is printed with the command that replays it.
//! NAME restricts the faults to those with this text in their names, such as `upload` or `fsync`.

// The lints keep the library from printing and from reading the environment. This is a program.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

mod histories;
mod system_calls;
#[path = "../support/temp.rs"]
mod temp;
#[path = "../support/videos_api/mod.rs"]
mod videos_api;

use histories::{Case, History, Scenario};
use system_calls::Fault;

const USAGE: &str = "usage: faults BINARY [NAME]";
/// Histories at a time for each processor, as some of them wait for a retry.
const PER_PROCESSOR: usize = 3;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("faults: {why}");
            ExitCode::from(2)
        }
    }
}

/// Plays all histories, and returns whether all guarantees held.
fn run() -> Result<bool, String> {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let (binary, name) = match args.as_slice() {
        [binary] => (binary, ""),
        [binary, name] => (binary, name.to_str().unwrap_or_default()),
        _ => return Err(USAGE.to_owned()),
    };
    let has_strace = Command::new("strace").arg("--version").output();
    if !has_strace.is_ok_and(|output| output.status.success()) {
        return Err("strace is missing: install the package strace".to_owned());
    }
    let binary = fs::canonicalize(binary).map_err(|why| format!("{}: {why}", binary.display()))?;
    let cases = cases(&binary, name)?;
    if cases.is_empty() {
        return Err(format!("no fault has {name:?} in its name"));
    }
    let outcomes = play(&cases, &binary);
    Ok(report(&cases, &outcomes, &binary))
}

/// Prints the violated guarantees and a summary. Returns whether there is no violation.
fn report(cases: &[Case], outcomes: &[Result<History, String>], binary: &Path) -> bool {
    for (case, outcome) in cases.iter().zip(outcomes) {
        if let Err(why) = outcome {
            println!("{}: {why}    {}\n", case.name(), case.replay(binary));
        }
    }
    let histories: Vec<&History> = outcomes.iter().flatten().collect();
    let runs: usize = histories.iter().map(|history| history.runs).sum();
    let count = |has: fn(&History) -> bool| histories.iter().filter(|one| has(one)).count();
    let broken = outcomes.len() - histories.len();
    println!(
        "{runs} runs, {} faults: {broken} violations, {} in doubt, {} not reached",
        outcomes.len(),
        count(|history| history.is_in_doubt),
        count(|history| !history.has_fault)
    );
    broken == 0
}

/// Every fault of every scenario whose name contains this text.
fn cases(binary: &Path, name: &str) -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    for scenario in Scenario::ALL {
        let trace = histories::trace(binary, scenario)?;
        let faults = Fault::of_trace(&trace).into_iter();
        cases.extend(faults.map(|fault| Case { scenario, fault }));
    }
    cases.retain(|case| case.name().contains(name));
    Ok(cases)
}

/// Plays several histories at a time, and returns them in the order of the cases.
fn play(cases: &[Case], binary: &Path) -> Vec<Result<History, String>> {
    let workers = thread::available_parallelism().map_or(1, usize::from) * PER_PROCESSOR;
    let next = AtomicUsize::new(0);
    let played = Mutex::new(Vec::new());
    let work = || {
        while let Some((at, case)) = take(cases, &next) {
            let outcome = case.play(binary);
            played.lock().expect("no worker panics").push((at, outcome));
        }
    };
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    let mut played = played.into_inner().expect("no worker panics");
    played.sort_by_key(|(at, _)| *at);
    played.into_iter().map(|(_, outcome)| outcome).collect()
}

fn take<'a>(cases: &'a [Case], next: &AtomicUsize) -> Option<(usize, &'a Case)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    Some((at, cases.get(at)?))
}
