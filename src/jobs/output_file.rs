//! The file that a download becomes: written under another name in the same directory, and put in its place by a
//! rename once it is complete.
//!
//! The other name is always the same, so what a killed run leaves behind is cleared away by the next one. A lock tells a leftover from the file of a run that is still at work.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::api::error::Error;
use crate::random;

/// Where the bytes go.
pub enum Target<'a> {
    /// A file, whole or untouched. A device or a pipe under a name is written directly.
    File(&'a Path),
    /// A stream. It cannot be taken back: what a broken transfer wrote stays written.
    Writer(&'a mut dyn Write),
}

/// An output that is being written.
pub(crate) enum Output<'a> {
    TemporaryFile(TemporaryFile),
    Stream(Stream<'a>),
}

/// An output that cannot be taken back.
pub(crate) struct Stream<'a> {
    writer: Box<dyn Write + 'a>,
    name: String,
    written: u64,
    /// How much of what comes next was written before.
    skip: u64,
}

/// The unfinished file. Removed when dropped, unless it was put in its place.
pub(crate) struct TemporaryFile {
    file: File,
    path: PathBuf,
    target: PathBuf,
    done: bool,
}

impl<'a> Output<'a> {
    pub(crate) fn open(target: Target<'a>) -> Result<Self, Error> {
        let (writer, name): (Box<dyn Write + 'a>, String) = match target {
            Target::Writer(writer) => (Box::new(writer), "the output".to_owned()),
            Target::File(path) if is_special(path) => {
                let file = OpenOptions::new()
                    .write(true)
                    .open(path)
                    .map_err(|error| unwritable(path, error))?;
                (Box::new(file), format!("'{}'", path.display()))
            }
            Target::File(path) => return TemporaryFile::create(path).map(Output::TemporaryFile),
        };
        Ok(Output::Stream(Stream { writer, name, written: 0, skip: 0 }))
    }

    /// The file that is to be removed should the program end now.
    pub(crate) fn unfinished(&self) -> Option<&Path> {
        match self {
            Output::TemporaryFile(part) => Some(&part.path),
            Output::Stream(_) => None,
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match self {
            Output::TemporaryFile(part) => {
                part.file.write_all(bytes).map_err(|error| unwritable(&part.target, error))
            }
            Output::Stream(stream) => stream.write(bytes),
        }
    }

    /// Takes the content from its first byte once more. A stream can only go on if it is the `same` content as what
    /// was written to it.
    pub(crate) fn rewind(&mut self, same: bool) -> Result<(), Error> {
        match self {
            Output::TemporaryFile(part) => {
                let rewound = part.file.set_len(0).and_then(|()| io::Seek::rewind(&mut part.file));
                rewound.map_err(|error| unwritable(&part.target, error))
            }
            Output::Stream(stream) if same || stream.written == 0 => {
                stream.skip = stream.written;
                Ok(())
            }
            Output::Stream(Stream { name, written, .. }) => {
                let why = format!(
                    "the transfer broke after {written} bytes, and the server does not go on from there"
                );
                Err(Error::file(format!("cannot complete {name}"), io::Error::other(why)))
            }
        }
    }

    /// The content is complete: it goes to the disk, and the file to its place.
    pub(crate) fn finish(self) -> Result<(), Error> {
        match self {
            Output::TemporaryFile(part) => part.put_in_place(),
            Output::Stream(mut stream) => {
                let Stream { writer, name, .. } = &mut stream;
                writer.flush().map_err(|error| Error::file(format!("cannot write {name}"), error))
            }
        }
    }
}

impl Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
        self.skip -= skipped as u64;
        let bytes = &bytes[skipped..];
        let written = self.writer.write_all(bytes);
        written.map_err(|error| Error::file(format!("cannot write {}", self.name), error))?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

impl TemporaryFile {
    fn create(target: &Path) -> Result<Self, Error> {
        // A link stays a link: what it points to is replaced.
        let target = behind_links(target);
        let (path, file) = create_part(&target).map_err(|error| unwritable(&target, error))?;
        let part = Self { file, path, target, done: false };
        if let Ok(old) = fs::metadata(&part.target) {
            // Not being able to keep the permissions is no reason to have no file.
            let _ = fs::set_permissions(&part.path, old.permissions());
        }
        Ok(part)
    }

    fn put_in_place(mut self) -> Result<(), Error> {
        let moved = self.file.sync_all().and_then(|()| match is_at(&self.file, &self.path) {
            true => fs::rename(&self.path, &self.target),
            false => Err(io::Error::other("another program took the unfinished file away")),
        });
        moved.map_err(|error| unwritable(&self.target, error))?;
        self.done = true;
        // The file is whole and in its place. Whether its name has reached the disk is not known to every file
        // system, and no reason to call it missing.
        let _ = File::open(directory(&self.target)).and_then(|directory| directory.sync_all());
        Ok(())
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What a path leads to over symbolic links, which need not exist.
fn behind_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // As many as the kernel follows.
    for _ in 0..40 {
        match fs::read_link(&path) {
            Ok(next) => path = path.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => break,
        }
    }
    path
}

/// How many runs may write beside one target at once.
const NAMES: u32 = 10;

/// Opens `.NAME.part` beside the target, or `.NAME.1.part` and so on where other runs are at work: afresh, with
/// nothing of a dead run in it, and locked. Without locks a leftover cannot be told from a file in use, so there the
/// name is one that no other run has.
fn create_part(target: &Path) -> io::Result<(PathBuf, File)> {
    let name = target.file_name().ok_or(ErrorKind::IsADirectory)?;
    let named = |suffix: &str| {
        let mut part = OsString::from(".");
        match name.len() {
            // File systems take 255 bytes.
            ..=200 => part.push(name),
            _ => part.push(format!(
                "{:016x}",
                BuildHasherDefault::<DefaultHasher>::default().hash_one(name)
            )),
        }
        part.push(suffix);
        target.with_file_name(part)
    };
    for number in 0..NAMES {
        let path = named(&if number == 0 { ".part".to_owned() } else { format!(".{number}.part") });
        remove_leftover(&path);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            // Between the two steps another run may have taken it for a leftover.
            Ok(file) => match file.try_lock() {
                Ok(()) if is_at(&file, &path) => return Ok((path, file)),
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(_)) => {
                    let _ = fs::remove_file(&path);
                    break;
                }
            },
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    let path = named(&format!(".{}.part", random::token()));
    OpenOptions::new().write(true).create_new(true).open(&path).map(|file| (path, file))
}

/// Removes a file that a killed run left behind. One that is locked is in use; one that is reached over a link is
/// none of ours.
fn remove_leftover(path: &Path) {
    if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return;
    }
    let Ok(file) = OpenOptions::new().write(true).open(path) else {
        return;
    };
    if file.try_lock().is_ok() && is_at(&file, path) {
        let _ = fs::remove_file(path);
    }
}

/// Whether this open file is the one that has this name.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Whether something is there that is neither a file nor a directory: a device or a pipe.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

fn directory(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn unwritable(path: &Path, error: io::Error) -> Error {
    Error::file(format!("cannot write '{}'", path.display()), error)
}

/// Finds out whether a file could be written here, before anything is paid for that is to be stored in it.
///
/// # Errors
/// [`Error::Invalid`] if its directory does not exist or it is a directory itself; [`Error::File`] if it cannot be
/// written.
pub fn check_output(path: &Path) -> Result<(), Error> {
    let shown = path.display();
    if path.is_dir()
        || path.file_name().is_none()
        || path.as_os_str().as_encoded_bytes().ends_with(b"/")
    {
        return Err(Error::invalid(format!("the output '{shown}' is a directory")));
    }
    if is_special(path) {
        return Ok(());
    }
    if !directory(path).is_dir() {
        let directory = directory(path).display();
        return Err(Error::invalid(format!("the output's directory '{directory}' does not exist")));
    }
    TemporaryFile::create(path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leftover_is_cleared_away_but_not_the_file_of_another_run() {
        let directory =
            std::env::temp_dir().join(format!("openai-videos-output-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let target = directory.join("a.mp4");
        fs::write(directory.join(".a.mp4.part"), "leftover").unwrap();

        let first = TemporaryFile::create(&target).unwrap();
        let second = TemporaryFile::create(&target).unwrap();
        assert_eq!(first.path, directory.join(".a.mp4.part"));
        assert_ne!(first.path, second.path);
        assert_eq!(fs::metadata(&first.path).unwrap().len(), 0);
        second.put_in_place().unwrap();
        assert!(first.path.exists() && target.exists());
        drop(first);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        fs::remove_dir_all(&directory).unwrap();
    }
}
