//! The state file: one job, however often the run is cut.
//!
//! A journal of lines of JSON, each written in one piece and brought to the disk before the next step is taken; the
//! last whole line counts. A run that is killed while it writes leaves a line without its end, which is passed over.
//! The file is never replaced by another one, because the lock of a run is on this one. It is empty between jobs.
//!
//! ```text
//! (empty) -> submitting -> POST -> submitted -> wait, download -> (empty)
//! ```

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::api::error::Error;
use crate::api::extension::{Extension, Upload};
use crate::json::{self, Object};
use crate::settings::base_url::BaseUrl;
use crate::text::shorten;

/// How every line begins: what begins otherwise is not ours, and is left as it is.
const MAGIC: &str = "{\"openai-videos-state\":1,";
/// What is longer is no journal, and no journal is made longer, in bytes.
const LIMIT: u64 = 4 * 1024 * 1024;

/// A state file, locked for as long as this value lives.
#[derive(Debug)]
pub struct StateFile {
    file: File,
    path: PathBuf,
    /// Where the next line goes: behind the last whole one.
    end: u64,
    record: Option<Record>,
}

/// What the last line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// What was asked of whom, as [`describe`] writes it.
    pub(crate) request: String,
    pub(crate) idempotency_key: String,
    /// By this machine's clock, from before the POST.
    pub(crate) since: SystemTime,
    /// Known once the server has answered.
    pub(crate) id: Option<String>,
}

impl StateFile {
    /// Opens or creates a state file, locks it and reads it.
    ///
    /// # Errors
    /// [`Error::StateLocked`] if another run holds it; [`Error::Invalid`] if it is not a state file, or its directory does
    /// not exist; [`Error::File`] if it cannot be read and written.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let shown = path.display();
        let unusable =
            |error: io::Error| Error::file(format!("cannot use the state file '{shown}'"), error);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path);
        let mut file = file.map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => {
                Error::invalid(format!("the directory of the state file '{shown}' does not exist"))
            }
            ErrorKind::IsADirectory => {
                Error::invalid(format!("the state file '{shown}' is a directory"))
            }
            _ => unusable(error),
        })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::StateLocked { path: path.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        let foreign = || {
            Error::invalid_with(
                format!("'{shown}' is not a state file of this program, and is left as it is"),
                "name another state file, or remove this one if it is none of yours",
            )
        };
        if !file.metadata().map_err(unusable)?.is_file() {
            return Err(foreign());
        }
        // An older file may be there for all to read.
        file.set_permissions(Permissions::from_mode(0o600)).map_err(unusable)?;
        let mut text = Vec::new();
        Read::by_ref(&mut file).take(LIMIT + 1).read_to_end(&mut text).map_err(unusable)?;
        if text.len() as u64 > LIMIT {
            return Err(foreign());
        }
        let (end, record) = read(&text).ok_or_else(foreign)?;
        Ok(Self { file, path: path.to_owned(), end, record })
    }

    /// The file's name, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it holds a job that was begun and not ended.
    pub fn is_pending(&self) -> bool {
        self.record.is_some()
    }

    /// The error for a request that cannot be compared with what is pending, which must not be forgotten over it.
    pub(crate) fn waiting(&self, error: Error) -> Error {
        match (error, self.record.as_ref().and_then(|record| record.id.as_ref())) {
            (Error::Invalid { what, .. }, Some(id)) => Error::invalid_with(
                what,
                format!(
                    "'{}' holds the job '{}': restore the file, or retrieve that job",
                    self.path.display(),
                    shorten(id)
                ),
            ),
            (error, _) => error,
        }
    }

    pub(crate) fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// Notes what is about to be sent, or what came of it. It is on the disk when this returns.
    pub(crate) fn note(&mut self, record: Record) -> Result<(), Error> {
        if self.record.as_ref() == Some(&record) {
            return Ok(());
        }
        let line = record.line();
        // The next line, with the id, is as long: it has to fit too.
        if self.end + 2 * line.len() as u64 > LIMIT {
            return Err(Error::invalid("the request is too large for a state file: 2 MB at most"));
        }
        let written = self
            .file
            .set_len(self.end)
            .and_then(|()| self.file.seek(SeekFrom::Start(self.end)))
            .and_then(|_| self.file.write_all(line.as_bytes()))
            .and_then(|()| self.file.sync_all());
        written.map_err(|error| self.unwritable(error))?;
        if self.end == 0 {
            // A new file's name has to reach the disk too, where the file system knows such a thing.
            let parent = self
                .path
                .parent()
                .filter(|parent| *parent != Path::new(""))
                .unwrap_or(Path::new("."));
            let _ = File::open(parent).and_then(|directory| directory.sync_all());
        }
        self.end += line.len() as u64;
        self.record = Some(record);
        Ok(())
    }

    /// The job has come to its end, or never was: the next run starts anew.
    ///
    /// This is not brought to the disk: a machine that loses it finds the ended job again, and pays for nothing. What
    /// matters is that nothing is left to do after it, as a run that is killed between this and its end looks to its
    /// scheduler like one that failed.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be written.
    pub fn clear(&mut self) -> Result<(), Error> {
        self.file.set_len(0).map_err(|error| self.unwritable(error))?;
        (self.end, self.record) = (0, None);
        Ok(())
    }

    fn unwritable(&self, error: io::Error) -> Error {
        Error::file(format!("cannot write the state file '{}'", self.path.display()), error)
    }
}

/// The end of the last whole line and what it says. `None`: it is no journal.
fn read(text: &[u8]) -> Option<(u64, Option<Record>)> {
    let newline = text.iter().rposition(|byte| *byte == b'\n');
    let (whole, torn) = text.split_at(newline.map_or(0, |at| at + 1));
    let magic = MAGIC.as_bytes();
    let begun =
        torn.starts_with(magic) || magic.starts_with(torn) || torn.iter().all(|byte| *byte == 0);
    if !begun {
        return None;
    }
    let whole = str::from_utf8(whole).ok()?;
    let records: Option<Vec<Record>> = whole.lines().map(Record::parse).collect();
    Some((whole.len() as u64, records?.pop()))
}

impl Record {
    fn line(&self) -> String {
        let since = self.since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let phase = if self.id.is_some() { "submitted" } else { "submitting" };
        let id =
            self.id.as_ref().map_or(String::new(), |id| format!(",\"id\":{}", json::quote(id)));
        format!(
            "{MAGIC}\"phase\":\"{phase}\",\"since\":{since},\"idempotency_key\":{}{id},\"request\":{}}}\n",
            json::quote(&self.idempotency_key),
            self.request
        )
    }

    fn parse(line: &str) -> Option<Self> {
        if !line.starts_with(MAGIC) {
            return None;
        }
        let object = Object::parse(line).ok()?;
        let id = object.scalar("id");
        let phase = if id.is_some() { "submitted" } else { "submitting" };
        let since = object.scalar("since")?.parse().ok().map(Duration::from_secs)?;
        Some(Self {
            request: object.get("request")?.get().to_owned(),
            idempotency_key: object.scalar("idempotency_key")?,
            since: SystemTime::UNIX_EPOCH.checked_add(since)?,
            id: (object.scalar("phase")? == phase).then_some(id)?,
        })
    }
}

/// What makes two requests the same: the server, the fields, and a file's place, size and time of change.
///
/// # Errors
/// [`Error::Invalid`] for a stream, which cannot be compared, or a missing file; [`Error::File`] for one that cannot
/// be looked at.
pub(crate) fn describe(base_url: &BaseUrl, extension: &Extension) -> Result<String, Error> {
    let upload = match extension.upload() {
        None => String::new(),
        Some(Upload::Stream(_)) => {
            return Err(Error::invalid_with(
                "a stream cannot be uploaded with a state file: another run could not tell whether it is the same",
                "upload a file",
            ));
        }
        Some(Upload::File(path)) => {
            let place = path.canonicalize().and_then(|place| Ok((place.metadata()?, place)));
            let (metadata, place) = place.map_err(|error| match error.kind() {
                ErrorKind::NotFound => {
                    Error::invalid(format!("there is no file '{}' to upload", path.display()))
                }
                _ => Error::file(format!("cannot read '{}'", path.display()), error),
            })?;
            if !metadata.is_file() {
                return Err(Error::invalid(format!(
                    "'{}' is no file that another run could find",
                    path.display()
                )));
            }
            format!(
                ",\"file\":{{\"path\":{},\"size\":{},\"mtime\":\"{}.{:09}\"}}",
                json::quote(&place.to_string_lossy()),
                metadata.len(),
                metadata.mtime(),
                metadata.mtime_nsec()
            )
        }
    };
    Ok(format!(
        "{{\"base_url\":{},\"fields\":{}{upload}}}",
        json::quote(base_url.as_str()),
        extension.to_json()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: Option<&str>) -> Record {
        Record {
            request: r#"{"base_url":"https://x","fields":{"prompt":"a\nbé"}}"#.to_owned(),
            idempotency_key: "key".to_owned(),
            since: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
            id: id.map(str::to_owned),
        }
    }

    #[test]
    fn the_last_whole_line_counts() {
        let (first, second) = (record(None).line(), record(Some("v\"1")).line());
        assert_eq!(read(b""), Some((0, None)));
        assert_eq!(read(first.as_bytes()), Some((first.len() as u64, Some(record(None)))));
        let both = format!("{first}{second}");
        assert_eq!(read(both.as_bytes()), Some((both.len() as u64, Some(record(Some("v\"1"))))));
        for cut in 0..second.len() {
            let torn = [first.as_bytes(), &second.as_bytes()[..cut]].concat();
            assert_eq!(read(&torn), Some((first.len() as u64, Some(record(None)))), "{cut}");
        }
        for cut in 0..first.len() {
            assert_eq!(read(&first.as_bytes()[..cut]), Some((0, None)));
        }
    }

    #[test]
    fn what_is_not_ours_is_no_journal() {
        for text in [
            "hello",
            "{}",
            "hello\n",
            "{}\n",
            "\n",
            "{\"openai-videos-state\":2,\"phase\":\"submitting\"}\n",
            "{\"openai-videos-state\":1,\"phase\":\"done\"}\n",
            "{\"openai-videos-state\":1,broken}\n",
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
        let contradiction = record(None).line().replace("submitting", "submitted");
        assert_eq!(read(contradiction.as_bytes()), None);
    }
}
