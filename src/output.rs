//! The file that a download becomes: written under another name in the same directory, and put in its place by a
//! rename once it is complete.
//!
//! The other name is always the same, so a run that was killed leaves at most one such file, and the next run
//! clears it away. A lock tells a leftover from the file of a run that is still at work.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::{Error, download::Target, random};

/// An output that is being written.
pub(crate) struct Output<'a> {
    kind: Kind<'a>,
    /// Bytes of the stream that are dropped, because the output has them.
    skip: u64,
}

enum Kind<'a> {
    Part(Part),
    /// Cannot be taken back.
    Stream(Box<dyn Write + 'a>, String),
}

/// The unfinished file. Removed when dropped, unless it was put in its place.
struct Part {
    file: File,
    path: PathBuf,
    target: PathBuf,
    done: bool,
}

impl<'a> Output<'a> {
    pub(crate) fn open(target: Target<'a>) -> Result<Self, Error> {
        let kind = match target {
            Target::Writer(writer) => Kind::Stream(Box::new(writer), "the output".to_owned()),
            Target::File(path) if is_special(path) => {
                let file = OpenOptions::new()
                    .write(true)
                    .open(path)
                    .map_err(|error| unwritable(path, error))?;
                Kind::Stream(Box::new(file), format!("'{}'", path.display()))
            }
            Target::File(path) => Kind::Part(Part::create(path)?),
        };
        Ok(Self { kind, skip: 0 })
    }

    /// The file that is to be removed should the program end now.
    pub(crate) fn unfinished(&self) -> Option<&Path> {
        match &self.kind {
            Kind::Part(part) => Some(&part.path),
            Kind::Stream(..) => None,
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let skipped = usize::try_from(self.skip)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        self.skip -= skipped as u64;
        let bytes = &bytes[skipped..];
        match &mut self.kind {
            Kind::Part(part) => part
                .file
                .write_all(bytes)
                .map_err(|error| unwritable(&part.target, error)),
            Kind::Stream(stream, name) => stream
                .write_all(bytes)
                .map_err(|error| Error::file(format!("cannot write {name}"), error)),
        }
    }

    /// Takes the content from its first byte once more, of which `position` bytes were written. A stream can only
    /// go on if it is the `same` content.
    pub(crate) fn rewind(&mut self, position: u64, same: bool) -> Result<(), Error> {
        match &mut self.kind {
            _ if position == 0 => {}
            Kind::Part(part) => {
                let rewound = part
                    .file
                    .set_len(0)
                    .and_then(|()| io::Seek::rewind(&mut part.file));
                rewound.map_err(|error| unwritable(&part.target, error))?;
            }
            Kind::Stream(..) if same => self.skip = position,
            Kind::Stream(_, name) => {
                let why = io::Error::other(format!(
                    "the transfer broke after {position} bytes, and the server does not go on from there"
                ));
                return Err(Error::file(format!("cannot complete {name}"), why));
            }
        }
        Ok(())
    }

    /// The content is complete: it goes to the disk, and the file to its place.
    pub(crate) fn finish(self) -> Result<(), Error> {
        match self.kind {
            Kind::Part(part) => part.put_in_place(),
            Kind::Stream(mut stream, name) => stream
                .flush()
                .map_err(|error| Error::file(format!("cannot write {name}"), error)),
        }
    }
}

impl Part {
    fn create(target: &Path) -> Result<Self, Error> {
        // A link stays a link: what it points to is replaced.
        let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
        let (path, file) = create_part(&target).map_err(|error| unwritable(&target, error))?;
        let part = Self {
            file,
            path,
            target,
            done: false,
        };
        if let Ok(old) = fs::metadata(&part.target) {
            // Not being able to keep the permissions is no reason to have no file.
            let _ = fs::set_permissions(&part.path, old.permissions());
        }
        Ok(part)
    }

    fn put_in_place(mut self) -> Result<(), Error> {
        let moved = self
            .file
            .sync_all()
            .and_then(|()| fs::rename(&self.path, &self.target));
        moved.map_err(|error| unwritable(&self.target, error))?;
        self.done = true;
        // The file is whole and in its place. Whether its name has reached the disk is not known to every file
        // system, and no reason to call it missing.
        let _ = File::open(directory(&self.target)).and_then(|directory| directory.sync_all());
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Opens `.NAME.part` beside the target: afresh, with nothing of a dead run in it, and locked.
fn create_part(target: &Path) -> io::Result<(PathBuf, File)> {
    let mut name = OsString::from(".");
    name.push(target.file_name().ok_or(ErrorKind::IsADirectory)?);
    name.push(".part");
    let path = target.with_file_name(&name);
    remove_leftover(&path);
    match create_new(&path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            // Another run writes there, or it is no file of ours.
            name.push(random::token());
            let path = target.with_file_name(name);
            create_new(&path).map(|file| (path, file))
        }
        created => created.map(|file| (path, file)),
    }
}

fn create_new(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    // File systems without locks have no way to tell a leftover, and keep it.
    let _ = file.try_lock();
    Ok(file)
}

/// Removes a file that a killed run left behind. One that is locked is in use; one that is reached over a link is
/// none of ours.
fn remove_leftover(path: &Path) {
    let Ok(there) = fs::symlink_metadata(path) else {
        return;
    };
    let Ok(file) = OpenOptions::new().write(true).open(path) else {
        return;
    };
    let same = |opened: fs::Metadata| {
        opened.is_file() && (opened.dev(), opened.ino()) == (there.dev(), there.ino())
    };
    let free = !matches!(file.try_lock(), Err(TryLockError::WouldBlock));
    if free && file.metadata().is_ok_and(same) {
        let _ = fs::remove_file(path);
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
        return Err(Error::invalid(format!(
            "the output '{shown}' is a directory"
        )));
    }
    if is_special(path) {
        return Ok(());
    }
    if !directory(path).is_dir() {
        let directory = directory(path).display();
        return Err(Error::invalid(format!(
            "the output's directory '{directory}' does not exist"
        )));
    }
    Part::create(path).map(drop)
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

        let first = Part::create(&target).unwrap();
        let second = Part::create(&target).unwrap();
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
