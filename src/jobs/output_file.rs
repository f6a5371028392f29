//! The output of a download: a file that is written under a temporary name and renamed once it is
//! complete, or a stream.
//!
//! The temporary name follows from the target's name, so that a run can remove what a killed run
//! left behind. A lock tells such a leftover from the temporary file of a run that is still at
//! work. The name is one that no user would choose, and a file that starts with text, such as a
//! state file, is not a leftover.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::api::error::Error;
use crate::random;

/// How often to look whether a named pipe is open.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Where a download goes.
pub enum Target<'a> {
    /// A file, which is complete or unchanged. A path to a device or a pipe is written directly.
    File(&'a Path),
    /// A stream. Bytes written to it cannot be taken back if the download fails.
    Writer(&'a mut dyn Write),
}

/// An opened target.
pub(crate) enum Output<'a> {
    TemporaryFile(TemporaryFile),
    Stream(Stream<'a>),
}

/// An output whose bytes cannot be taken back.
pub(crate) struct Stream<'a> {
    writer: Box<dyn Write + 'a>,
    /// For messages.
    name: String,
    written: u64,
    /// How many of the next bytes were written before, in bytes.
    skip: u64,
}

/// A file beside the target. It is removed when dropped, unless it was renamed.
pub(crate) struct TemporaryFile {
    file: File,
    path: PathBuf,
    target: PathBuf,
    renamed: bool,
}

impl<'a> Output<'a> {
    /// For a named pipe this waits, `stall` at most, until a program opens it for reading.
    pub(crate) fn open(target: Target<'a>, stall: Duration) -> Result<Self, Error> {
        let (writer, name): (Box<dyn Write + 'a>, String) = match target {
            Target::Writer(writer) => (Box::new(writer), "the output".to_owned()),
            Target::File(path) if is_special(path) => {
                let file = open_special(path, stall);
                let file = file.map_err(|error| cannot_write(path, error))?;
                (Box::new(file), format!("'{}'", path.display()))
            }
            Target::File(path) => return TemporaryFile::create(path).map(Output::TemporaryFile),
        };
        Ok(Output::Stream(Stream { writer, name, written: 0, skip: 0 }))
    }

    /// The file to remove if the program ends now.
    pub(crate) fn temporary_path(&self) -> Option<&Path> {
        match self {
            Output::TemporaryFile(temporary) => Some(&temporary.path),
            Output::Stream(_) => None,
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match self {
            Output::TemporaryFile(temporary) => {
                let written = temporary.file.write_all(bytes);
                written.map_err(|error| cannot_write(&temporary.target, error))
            }
            Output::Stream(stream) => stream.write(bytes),
        }
    }

    /// Prepares for the content from its first byte. A stream that has a part of it can only skip
    /// that part, and only if the content `is_same`.
    pub(crate) fn rewind(&mut self, is_same: bool) -> Result<(), Error> {
        match self {
            Output::TemporaryFile(TemporaryFile { file, target, .. }) => {
                let rewound = file.set_len(0).and_then(|()| file.rewind());
                rewound.map_err(|error| cannot_write(target, error))
            }
            Output::Stream(stream) if is_same || stream.written == 0 => {
                stream.skip = stream.written;
                Ok(())
            }
            Output::Stream(Stream { name, written, .. }) => {
                let reason = format!(
                    "the download was interrupted after {written} bytes, and the server cannot \
                     resume it"
                );
                Err(Error::file(format!("cannot complete {name}"), io::Error::other(reason)))
            }
        }
    }

    /// Ends a complete download: flushes a stream, fsyncs and renames a file.
    pub(crate) fn finish(self) -> Result<(), Error> {
        match self {
            Output::TemporaryFile(temporary) => temporary.rename_into_place(),
            Output::Stream(mut stream) => {
                let flushed = stream.writer.flush();
                flushed.map_err(|error| stream.cannot_write(error))
            }
        }
    }
}

impl Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
        self.skip -= skipped as u64;
        let bytes = &bytes[skipped..];
        self.writer.write_all(bytes).map_err(|error| self.cannot_write(error))?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn cannot_write(&self, error: io::Error) -> Error {
        Error::file(format!("cannot write {}", self.name), error)
    }
}

impl TemporaryFile {
    fn create(target: &Path) -> Result<Self, Error> {
        // A symbolic link stays one: the file that it leads to is replaced.
        let target = follow_links(target);
        let (path, file) =
            create_temporary(&target).map_err(|error| cannot_write(&target, error))?;
        let temporary = Self { file, path, target, renamed: false };
        if let Ok(old) = fs::metadata(&temporary.target) {
            // A failure is ignored: the file is wanted even if the permissions cannot be kept.
            let _ = fs::set_permissions(&temporary.path, old.permissions());
        }
        Ok(temporary)
    }

    fn rename_into_place(mut self) -> Result<(), Error> {
        let renamed = self.file.sync_all().and_then(|()| {
            if is_at(&self.file, &self.path)? {
                fs::rename(&self.path, &self.target)
            } else {
                Err(io::Error::other("another program removed the temporary file"))
            }
        });
        renamed.map_err(|error| cannot_write(&self.target, error))?;
        self.renamed = true;
        // The file is complete and in its place. Not every file system can fsync a directory.
        let _ = File::open(directory(&self.target)).and_then(|directory| directory.sync_all());
        Ok(())
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if !self.renamed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Follows symbolic links, the last of which may lead to a file that does not exist.
fn follow_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // Linux follows 40 links at most.
    for _ in 0..40 {
        match fs::read_link(&path) {
            Ok(next) => path = path.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => break,
        }
    }
    path
}

/// How many runs may write beside one target at a time.
const MAX_RUNS: u32 = 10;
/// The ending of the names of temporary files.
const SUFFIX: &str = "openai-videos-part";

/// Creates `.NAME.openai-videos-part` beside the target, empty and locked, or
/// `.NAME.1.openai-videos-part` and so on while other runs hold the names before it. On a file
/// system without locks a leftover cannot be distinguished from a file in use: there the name is
/// random.
fn create_temporary(target: &Path) -> io::Result<(PathBuf, File)> {
    let name = target.file_name().ok_or(ErrorKind::IsADirectory)?;
    let named = |suffix: &str| target.with_file_name(temporary_name(name, suffix));
    for number in 0..MAX_RUNS {
        let path = if number == 0 {
            named(&format!(".{SUFFIX}"))
        } else {
            named(&format!(".{number}.{SUFFIX}"))
        };
        remove_leftover(&path);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            // Before the lock is taken, another run may take the file for a leftover.
            Ok(file) => match (file.try_lock(), is_at(&file, &path)) {
                (Ok(()), Ok(true)) => return Ok((path, file)),
                (Ok(()), Ok(false)) | (Err(TryLockError::WouldBlock), _) => {}
                (Err(TryLockError::Error(_)), _) => {
                    let _ = fs::remove_file(&path);
                    break;
                }
                (Ok(()), Err(error)) => {
                    let _ = fs::remove_file(&path);
                    return Err(error);
                }
            },
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    let path = named(&format!(".{}.{SUFFIX}", random::token()));
    OpenOptions::new().write(true).create_new(true).open(&path).map(|file| (path, file))
}

/// Opens a device or a pipe. A named pipe opens only once it has a reader.
fn open_special(path: &Path, stall: Duration) -> io::Result<File> {
    if !fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo()) {
        return OpenOptions::new().write(true).open(path);
    }
    let path = path.to_owned();
    // If it is never opened, the thread runs until the process exits.
    let opening =
        thread::Builder::new().spawn(move || OpenOptions::new().write(true).open(path))?;
    let start = Instant::now();
    while !opening.is_finished() {
        if start.elapsed() >= stall {
            let reason = format!("no program opened this pipe for reading within {stall:?}");
            return Err(io::Error::new(ErrorKind::TimedOut, reason));
        }
        thread::sleep(POLL_INTERVAL);
    }
    opening.join().unwrap_or_else(|_| Err(io::Error::other("the thread that opens it panicked")))
}

/// The name of a temporary file for a target with this name.
fn temporary_name(name: &OsStr, suffix: &str) -> OsString {
    let mut temporary = OsString::from(".");
    if name.len() <= 200 {
        temporary.push(name);
    } else {
        // A file name has 255 bytes at most.
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(name);
        temporary.push(format!("{hash:016x}"));
    }
    temporary.push(suffix);
    temporary
}

/// Removes a file that a killed run left behind. A locked file is in use; a symbolic link or a file
/// of text is not this program's, as no media start with a brace.
fn remove_leftover(path: &Path) {
    if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return;
    }
    let Ok(mut file) = OpenOptions::new().read(true).write(true).open(path) else {
        return;
    };
    let mut start = [0];
    let is_media = file.read(&mut start).is_ok() && start != *b"{";
    if is_media && file.try_lock().is_ok() && is_at(&file, path).unwrap_or(false) {
        let _ = fs::remove_file(path);
    }
}

/// Whether the open file is the one at this path.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok((open.dev(), open.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the path leads to something else than a file or a directory: a device or a pipe.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

fn directory(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn cannot_write(path: &Path, error: io::Error) -> Error {
    Error::file(format!("cannot write '{}'", path.display()), error)
}

/// Checks that a file can be written at this path, before a job is paid for whose media are to be
/// stored there.
///
/// # Errors
/// [`Error::Invalid`] if the path is that of a directory or its directory does not exist;
/// [`Error::File`] if the file cannot be written or replaced.
pub fn check_output(path: &Path) -> Result<(), Error> {
    let shown = path.display();
    let ends_with_slash = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    if path.is_dir() || path.file_name().is_none() || ends_with_slash {
        return Err(Error::invalid(format!("the output '{shown}' is a directory")));
    }
    if let Ok(metadata) = fs::metadata(path)
        && metadata.file_type().is_socket()
    {
        return Err(Error::invalid(format!("the output '{shown}' is a socket")));
    }
    if is_special(path) {
        return Ok(());
    }
    if !directory(path).is_dir() {
        let directory = directory(path).display();
        return Err(Error::invalid(format!("the output's directory '{directory}' does not exist")));
    }
    let temporary = TemporaryFile::create(path)?;
    check_replaceable(&temporary.target)
}

/// Checks that a rename can replace the file at this path, if there is one.
fn check_replaceable(path: &Path) -> Result<(), Error> {
    if fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    // Device numbers are not compared: on overlayfs a file may have another one than its directory.
    let mounts = fs::read("/proc/self/mountinfo");
    if mounts.is_ok_and(|mounts| is_mount_point(path, &mounts)) {
        return Err(Error::invalid_with(
            format!("cannot replace '{}': it is a mount point", path.display()),
            "mount its directory instead of the file",
        ));
    }
    // `rmdir` never removes a file, but the kernel first checks the permission that a rename needs:
    // another user's file in a sticky directory, or an immutable one, cannot be replaced.
    match fs::remove_dir(path) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Err(Error::file(format!("cannot replace '{}'", path.display()), error))
        }
        _ => Ok(()),
    }
}

/// Whether a path is a mount point in the text of `/proc/self/mountinfo` (proc(5)), whose fifth
/// field is one, with spaces and control characters as `\040`.
fn is_mount_point(path: &Path, mounts: &[u8]) -> bool {
    let Ok(path) = path.canonicalize() else {
        return false;
    };
    let mut escaped = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => escaped.extend(format!("\\{byte:03o}").as_bytes()),
            byte => escaped.push(*byte),
        }
    }
    let mut lines = mounts.split(|byte| *byte == b'\n');
    lines.any(|line| line.split(|byte| *byte == b' ').nth(4) == Some(&escaped[..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::temp::TempDir;

    #[test]
    fn a_leftover_is_removed_but_not_the_temporary_file_of_another_run() {
        let temporary = TempDir::new();
        let directory = temporary.path();
        let target = directory.join("a.mp4");
        let leftover = directory.join(format!(".a.mp4.{SUFFIX}"));
        fs::write(&leftover, "leftover").unwrap();

        let first = TemporaryFile::create(&target).unwrap();
        let second = TemporaryFile::create(&target).unwrap();
        assert_eq!(first.path, leftover);
        assert_ne!(first.path, second.path);
        assert_eq!(fs::metadata(&first.path).unwrap().len(), 0);
        second.rename_into_place().unwrap();
        assert!(first.path.exists() && target.exists());
        drop(first);
        assert_eq!(fs::read_dir(directory).unwrap().count(), 1);
    }

    #[test]
    fn a_mount_point_is_found_under_its_escaped_name() {
        let temporary = TempDir::new();
        let directory = temporary.path();
        let path = directory.join("a \\b.mp4");
        fs::write(&path, "x").unwrap();
        let escaped = path.to_str().unwrap().replace('\\', "\\134").replace(' ', "\\040");
        let mounts =
            |name: &str| format!("1 2 8:1 / / rw - ext4 /dev/a rw\n3 2 8:1 /x {name} rw\n");
        assert!(is_mount_point(&path, mounts(&escaped).as_bytes()));
        assert!(!is_mount_point(&path, mounts(&(escaped.clone() + "x")).as_bytes()));
        assert!(!is_mount_point(&directory.join("none"), mounts(&escaped).as_bytes()));
    }
}
