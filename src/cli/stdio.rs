//! Standard output and error: the handles, and whether they are terminals.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

/// Which of the standard streams are terminals. Determined once and passed on, so that tests need
/// no terminal.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Terminals {
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
    /// Whether standard output was closed when the program started.
    pub(crate) stdout_is_closed: bool,
    /// Whether standard input may be read for missing options; false in unit tests.
    pub(crate) may_read_stdin: bool,
}

impl Terminals {
    /// Those of this process.
    #[allow(clippy::disallowed_methods)] // only whether they are terminals is asked
    pub(crate) fn of_process() -> Self {
        Self {
            stdout: io::stdout().is_terminal(),
            stderr: io::stderr().is_terminal(),
            stdout_is_closed: stdout_is_closed(),
            may_read_stdin: true,
        }
    }
}

/// The device number of /dev/null on Linux: major 1, minor 3.
const DEV_NULL: u64 = 1 << 8 | 3;

/// Whether standard output was closed when the program started: `>&-` in a shell. Before `main` the
/// standard library opens /dev/null in its place, for reading and writing, whereas a shell's
/// `>/dev/null` is for writing only. `false` without /proc.
///
/// Some programs, such as Python's `subprocess.DEVNULL`, open /dev/null for reading and writing
/// themselves, which cannot be distinguished.
fn stdout_is_closed() -> bool {
    let is_null = |file: File| file.metadata().is_ok_and(|stdout| stdout.rdev() == DEV_NULL);
    if !stdout().is_ok_and(is_null) {
        return false;
    }
    // The flags of open(2) in octal; the last digit is 1 for writing, 2 for reading and writing.
    let text = proc_file("/proc/self/fdinfo/1");
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    flags.is_some_and(|flags| flags.ends_with('2'))
}

/// The start of a file of /proc, read at once: such files have no size, and the standard library
/// reads them in pieces that begin with 32 bytes. Empty if it cannot be read.
pub(crate) fn proc_file(path: &str) -> String {
    let mut text = [0; 4096];
    let count = File::open(path).and_then(|mut file| file.read(&mut text)).unwrap_or(0);
    String::from_utf8_lossy(&text[..count]).into_owned()
}

/// Standard output as a file, because `std::io::Stdout` ignores the error (EBADF) of a descriptor
/// that cannot be written.
#[allow(clippy::disallowed_methods)] // this is the one place that writes to standard output
pub(crate) fn stdout() -> io::Result<File> {
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}

/// Standard error, locked. It has no buffer.
#[allow(clippy::disallowed_methods)] // this is the one place that writes to standard error
pub(crate) fn stderr() -> impl Write {
    io::stderr().lock()
}
