//! SIGINT and SIGTERM: the unfinished file is removed, and the run ends with the shell's code.
//!
//! Without this the system's default would end the run as well, but not where it runs as the first process of a
//! container, which is deaf to signals that it does not ask for: `docker stop` would wait for its time-out.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// What is to be removed should the program end now.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Names the file that is to be removed on a signal, or none.
pub(crate) fn unfinished(path: Option<&Path>) {
    *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = path.map(Path::to_owned);
}

/// Answers signals from now on. A signal that the caller had us ignore, as a shell does for a background job, stays
/// ignored; where signals cannot be had, the system's defaults stay.
pub(crate) fn watch() {
    let ignored = ignored();
    let wanted = [SIGINT, SIGTERM].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    let Ok(mut signals) = Signals::new(wanted) else {
        return;
    };
    let _ = thread::Builder::new().spawn(move || {
        if let Some(signal) = signals.forever().next() {
            end(signal);
        }
    });
}

#[allow(clippy::disallowed_methods)] // there is no way back to main from here
fn end(signal: i32) -> ! {
    if let Some(path) = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = fs::remove_file(path);
    }
    std::process::exit(128 + signal)
}

/// The signals that this process was started to ignore, as bits: unknown without /proc, and taken for none.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
