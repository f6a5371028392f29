//! SIGINT and SIGTERM: the temporary file of a download is removed, and the run ends with the
//! shell's exit code.
//!
//! By default the kernel ends the run as well, but not if it is the first process of a container:
//! such a process receives no signal that it has no handler for, and `docker stop` would wait for
//! its timeout.

use std::fs;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level::pipe};

use crate::cli::stdio::proc_file;

/// The file to remove when a signal ends the program.
static TEMPORARY_FILE: Mutex<Option<PathBuf>> = Mutex::new(None);
/// The signals that are handled.
static HANDLED: OnceLock<Handled> = OnceLock::new();

struct Handled {
    signals: Vec<i32>,
    /// Whether the handlers end the program themselves. A handler must not remove a file
    /// (signal-safety(7)), so this is false while there is one to remove.
    ends_at_once: Arc<AtomicBool>,
    /// Whether the thread that removes the file was started; unset until it is needed.
    remover: OnceLock<bool>,
}

/// Sets the file that is removed on a signal, or none.
pub(crate) fn set_temporary_file(path: Option<&Path>) {
    *TEMPORARY_FILE.lock().unwrap_or_else(PoisonError::into_inner) = path.map(Path::to_owned);
    let Some(handled) = HANDLED.get() else {
        return;
    };
    let starts = || start_remover(&handled.signals).is_ok();
    let removes = path.is_some() && *handled.remover.get_or_init(starts);
    handled.ends_at_once.store(!removes, Ordering::SeqCst);
}

/// Handles signals from now on. A signal that the caller made this process ignore, as a shell does
/// for a background job, stays ignored. Where handlers cannot be set, the system's defaults stay.
pub(crate) fn watch() {
    let ignored = ignored();
    let ends_at_once = Arc::new(AtomicBool::new(true));
    let mut signals = vec![SIGINT, SIGTERM];
    signals.retain(|signal| {
        ignored >> (signal - 1) & 1 == 0
            && flag::register_conditional_shutdown(*signal, 128 + signal, Arc::clone(&ends_at_once))
                .is_ok()
    });
    let _ = HANDLED.set(Handled { signals, ends_at_once, remover: OnceLock::new() });
}

/// Starts the thread that removes the file on a signal and ends the program.
fn start_remover(signals: &[i32]) -> io::Result<()> {
    let (mut reader, writer) = UnixStream::pair()?;
    let received = Arc::new(AtomicUsize::new(0));
    let signal = Arc::clone(&received);
    // The read fails if no handler holds the writer.
    thread::Builder::new().spawn(move || {
        if reader.read_exact(&mut [0]).is_ok() {
            end(signal.load(Ordering::SeqCst));
        }
    })?;
    for signal in signals {
        // Handlers run in the order of registration: the number is stored before the thread is
        // woken.
        flag::register_usize(*signal, Arc::clone(&received), *signal as usize)?;
        pipe::register(*signal, writer.try_clone()?)?;
    }
    Ok(())
}

#[allow(clippy::disallowed_methods)] // there is no way back to main from here
fn end(signal: usize) -> ! {
    if let Some(path) = TEMPORARY_FILE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = fs::remove_file(path);
    }
    std::process::exit(128 + signal as i32)
}

/// The signals that this process was started to ignore, as bits. Without /proc that is unknown, and
/// none is assumed.
fn ignored() -> u64 {
    let status = proc_file("/proc/self/status");
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
