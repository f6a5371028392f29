//! Standard output and error: the handles, and whether they are terminals.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

/// Which of the standard streams are terminals. Asked once, and passed on, so that tests need no
/// terminal.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Terminals {
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
}

impl Terminals {
    /// Those of this process.
    #[allow(clippy::disallowed_methods)] // they are only asked what they are
    pub(crate) fn of_process() -> Self {
        Self { stdout: io::stdout().is_terminal(), stderr: io::stderr().is_terminal() }
    }
}

/// Standard output as a file: the standard library's own handle takes a descriptor that cannot be
/// written for one that nobody reads, and reports no error.
#[allow(clippy::disallowed_methods)] // this is the one place that writes to standard output
pub(crate) fn stdout() -> io::Result<File> {
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}

/// Standard error, locked. It has no buffer.
#[allow(clippy::disallowed_methods)] // this is the one place that writes to standard error
pub(crate) fn stderr() -> impl Write {
    io::stderr().lock()
}
