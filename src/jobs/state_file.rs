//! The state file of a job, with which a rerun resumes the job instead of paying again.
//!
//! A journal of JSON records, a line each. Each is written and fsynced before the next step of the
//! run; the last whole one counts. A run that is killed during a write leaves an incomplete record
//! at the end, which is ignored. The file is never replaced by another one, because the lock of a
//! run is on this one. It is empty between jobs.
//!
//! ```text
//! (empty) -> submitting -> POST -> submitted -> wait, download -> (empty)
//! ```

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::value::RawValue;

use crate::api::error::Error;
use crate::api::operation::Operation;
use crate::api::video_request::VideoRequest;
use crate::digest::sha256;
use crate::http::body::source::{Source, cannot_read};
use crate::json::{self, Object};
use crate::settings::Settings;
use crate::text::shorten;

/// The start of every record. A file that starts otherwise is not a state file, and is left
/// untouched.
const MAGIC: &str = "{\"openai-videos-state\":1,";
/// The largest state file, in bytes: room for several records of the largest request, as each
/// attempt of a POST has one.
const LIMIT: u64 = 16 * 1024 * 1024;
/// The largest record of a request, in bytes.
const LARGEST_RECORD: u64 = 2 * 1024 * 1024;
/// The room that is kept for the id of a job, in bytes.
const LONGEST_ID: u64 = 64 * 1024;
/// The length of the shortest part of a URL that may be a secret, in bytes.
const SHORTEST_SECRET: usize = 8;
/// The start of a digest that stands for a value with a secret.
const DIGEST: &str = "sha256:";

/// A state file. It stays locked as long as this value lives.
#[derive(Debug)]
pub struct StateFile {
    journal: Journal<File>,
    path: PathBuf,
}

/// The records of a state file.
#[derive(Debug)]
pub(crate) struct Journal<D> {
    disk: D,
    /// Where the next record goes: behind the last whole one.
    end: u64,
    record: Option<Record>,
}

/// The file operations that a journal needs.
pub(crate) trait Disk {
    fn truncate(&mut self, length: u64) -> io::Result<()>;
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
}

/// One record: a job that is being created, or that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The request and its server, as [`Description::stored`] writes them.
    pub(crate) request: String,
    pub(crate) idempotency_key: String,
    /// By this machine's clock, before the first POST.
    pub(crate) since: SystemTime,
    /// By this machine's clock, before the latest attempt of a POST; `None` if that was the first
    /// one.
    pub(crate) retried: Option<SystemTime>,
    /// The boot of this machine at the latest POST. `None` where it is unknown.
    pub(crate) boot: Option<Boot>,
    /// The digest of the account of the latest POST. `None` in a record of 0.1.0.
    pub(crate) account: Option<String>,
    /// The id of the job, once the server has sent it.
    pub(crate) id: Option<String>,
}

/// The state file as a run uses it.
pub(crate) trait State {
    fn path(&self) -> &Path;
    fn record(&self) -> Option<&Record>;
    /// Appends a record, which is on the disk when this returns.
    fn note(&mut self, record: Record) -> Result<(), Error>;
    fn clear(&mut self) -> Result<(), Error>;
}

/// A boot of this machine. The same boot with another time means that the clock was set in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Boot {
    pub(crate) id: String,
    /// The time of the boot by this machine's clock, in Unix seconds.
    pub(crate) time: u64,
}

impl StateFile {
    /// Opens or creates a state file, locks it and reads it.
    ///
    /// # Errors
    /// [`Error::StateLocked`] if another run holds it; [`Error::Invalid`] if it is not a state
    /// file, or its directory does not exist; [`Error::File`] if it cannot be read and written.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let unusable = |error: io::Error| {
            Error::file(format!("cannot use the state file '{}'", path.display()), error)
        };
        let mut file = open_file(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::StateLocked { path: path.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        let foreign = || {
            Error::invalid_with(
                format!(
                    "'{}' is not a state file of this program, and is left as it is",
                    path.display()
                ),
                "name another state file",
            )
        };
        let metadata = file.metadata().map_err(unusable)?;
        if !metadata.is_file() || metadata.len() > LIMIT {
            return Err(foreign());
        }
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(LIMIT + 1).read_to_end(&mut bytes).map_err(unusable)?;
        let journal = Journal::read(file, &bytes).ok_or_else(foreign)?;
        // Only now that the file is known to be a state file. An older one may be readable by all.
        if metadata.mode() & 0o777 != 0o600 {
            let mode = Permissions::from_mode(0o600);
            journal.disk.set_permissions(mode).map_err(unusable)?;
        }
        Ok(Self { journal, path: path.to_owned() })
    }

    /// The path, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it holds a job that is not finished.
    pub fn is_pending(&self) -> bool {
        self.journal.record().is_some()
    }

    /// The error for a request that cannot be compared with the one in the file, naming the job
    /// that this file holds.
    pub(crate) fn waiting(&self, error: Error) -> Error {
        match (error, self.record().and_then(|record| record.id.as_ref())) {
            (Error::Invalid { message, .. }, Some(id)) => Error::invalid_with(
                message,
                format!(
                    "'{}' holds the job '{}': restore the file, or retrieve that job",
                    self.path.display(),
                    shorten(id)
                ),
            ),
            (error, _) => error,
        }
    }

    fn unwritable(&self, error: io::Error) -> Error {
        Error::file(format!("cannot write the state file '{}'", self.path.display()), error)
    }
}

impl State for StateFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn record(&self) -> Option<&Record> {
        self.journal.record()
    }

    /// Appends a record. It is on the disk when this returns.
    fn note(&mut self, record: Record) -> Result<(), Error> {
        let length = record.line().len() as u64;
        // Before a POST there has to be room for the record of its job too.
        let needed = if record.id.is_some() { length } else { 2 * length + LONGEST_ID };
        let is_too_large = record.id.is_none() && length > LARGEST_RECORD;
        if is_too_large {
            return Err(Error::invalid("the request is too large for a state file: 2 MB at most"));
        }
        if self.journal.end + needed > LIMIT {
            return Err(Error::invalid_with(
                "the state file is full: every attempt of this request is recorded in it",
                "look for the job at the server; remove the file only if there is none",
            ));
        }
        let is_first = self.journal.end == 0;
        self.journal.note(record).map_err(|error| self.unwritable(error))?;
        if is_first {
            // The name of a new file has to reach the disk too, where the file system can sync a
            // directory.
            let parent = self.path.parent().filter(|parent| *parent != Path::new(""));
            let _ =
                File::open(parent.unwrap_or(Path::new("."))).and_then(|parent| parent.sync_all());
        }
        Ok(())
    }

    /// Empties the file: the job needs no resuming any more.
    ///
    /// This is not fsynced: if a power failure undoes it, the next run finds the finished job again
    /// and pays nothing. An fsync would lengthen the time between this and the exit, in which a
    /// killed run looks failed to its scheduler although its job is done.
    fn clear(&mut self) -> Result<(), Error> {
        self.journal.clear().map_err(|error| self.unwritable(error))
    }
}

/// Opens the file for reading and appending, so that after a truncation there is no position to
/// set. A new one is created with mode 0600.
fn open_file(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    let shown = path.display();
    options.open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            Error::invalid(format!("the directory of the state file '{shown}' does not exist"))
        }
        ErrorKind::IsADirectory => {
            Error::invalid(format!("the state file '{shown}' is a directory"))
        }
        _ => Error::file(format!("cannot use the state file '{shown}'"), error),
    })
}

impl<D: Disk> Journal<D> {
    /// The journal on a disk that holds these bytes. `None` if they are not a journal.
    pub(crate) fn read(disk: D, bytes: &[u8]) -> Option<Self> {
        let (end, record) = read(bytes)?;
        Some(Self { disk, end, record })
    }

    pub(crate) fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// Appends a record and syncs the disk. If that fails, a record without an id is taken back,
    /// because its POST is not sent; one with an id stays if it can, because its job exists.
    pub(crate) fn note(&mut self, record: Record) -> io::Result<()> {
        if self.record.as_ref() == Some(&record) {
            return Ok(());
        }
        let line = record.line();
        let written = self
            .disk
            .truncate(self.end)
            .and_then(|()| self.disk.append(line.as_bytes()))
            .and_then(|()| self.disk.sync());
        if let Err(error) = written {
            if record.id.is_none() {
                let _ = self.disk.truncate(self.end);
            }
            return Err(error);
        }
        self.end += line.len() as u64;
        self.record = Some(record);
        Ok(())
    }

    pub(crate) fn clear(&mut self) -> io::Result<()> {
        self.disk.truncate(0)?;
        (self.end, self.record) = (0, None);
        Ok(())
    }
}

impl Disk for File {
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// The length of the whole records, and the last of them. `None` if this is not a journal.
///
/// Records are separated as JSON values and not at line breaks: 0.1.0 wrote values with line breaks
/// in them as they were.
fn read(bytes: &[u8]) -> Option<(u64, Option<Record>)> {
    let (mut end, mut last) = (0, None);
    while !is_incomplete(&bytes[end..]) {
        let rest = &bytes[end..];
        let text = match str::from_utf8(rest) {
            Ok(text) => text,
            // Half a character, at the end of an incomplete record.
            Err(error) if error.error_len().is_none() => {
                str::from_utf8(&rest[..error.valid_up_to()]).ok()?
            }
            Err(_) => return None,
        };
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
        match values.next()? {
            Ok(value) if text.starts_with(MAGIC) => {
                let length = values.byte_offset();
                match rest.get(length) {
                    Some(b'\n') => last = Some(Record::parse(value.get())?),
                    Some(_) => return None,
                    None => break,
                }
                end += length + 1;
            }
            Err(error) if error.is_eof() && text.starts_with(MAGIC) => break,
            _ => return None,
        }
    }
    Some((end as u64, last))
}

/// Whether this is nothing, or less than the start of a record: some of its first bytes, or zeros,
/// which a file system leaves where a size but no data had been written when the power failed.
fn is_incomplete(bytes: &[u8]) -> bool {
    MAGIC.as_bytes().starts_with(bytes) || bytes.iter().all(|byte| *byte == 0)
}

impl Record {
    /// The time of the latest attempt of a POST, by this machine's clock.
    pub(crate) fn posted(&self) -> SystemTime {
        self.retried.unwrap_or(self.since)
    }

    fn line(&self) -> String {
        let mut line = format!(
            "{MAGIC}\"phase\":\"{}\",\"since\":{},\"idempotency_key\":{}",
            if self.id.is_some() { "submitted" } else { "submitting" },
            unix_seconds(self.since),
            json::quote(&self.idempotency_key)
        );
        if let Some(retried) = self.retried {
            line += &format!(",\"retried\":{}", unix_seconds(retried));
        }
        if let Some(Boot { id, time }) = &self.boot {
            line += &format!(",\"boot\":{},\"booted\":{time}", json::quote(id));
        }
        if let Some(account) = &self.account {
            line += &format!(",\"account\":{}", json::quote(account));
        }
        if let Some(id) = &self.id {
            line += &format!(",\"id\":{}", json::quote(id));
        }
        line + &format!(",\"request\":{}}}\n", self.request)
    }

    fn parse(text: &str) -> Option<Self> {
        let object = Object::parse(text).ok()?;
        let time = |name: &str| {
            let seconds = object.scalar(name)?.parse().ok()?;
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
        };
        let id = object.scalar("id");
        let phase = if id.is_some() { "submitted" } else { "submitting" };
        if object.scalar("phase")? != phase {
            return None;
        }
        let boot = object.scalar("boot").zip(time("booted"));
        Some(Self {
            request: object.get("request")?.get().to_owned(),
            idempotency_key: object.scalar("idempotency_key")?,
            since: time("since")?,
            retried: time("retried"),
            boot: boot.map(|(id, time)| Boot { id, time: unix_seconds(time) }),
            account: object.scalar("account"),
            id,
        })
    }
}

/// Whole seconds since 1970, and 0 before that.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The identity of a request: the server, the path, the fields, and the path, size and modification
/// time of a file. Two requests with the same description are the same one, whatever the encoding
/// of the body.
pub(crate) struct Description(String);

impl Description {
    /// # Errors
    /// As [`Source::of`], and [`Error::Invalid`] for a stream, which cannot be compared.
    pub(crate) fn of(settings: &Settings, request: &VideoRequest) -> Result<Self, Error> {
        let file = match request.upload().map(Source::of).transpose()? {
            None => String::new(),
            Some(Source::File { path, .. }) => format!(",\"file\":{}", describe_file(path)?),
            Some(Source::Pipe(path)) => {
                return Err(Error::invalid_with(
                    format!(
                        "'{}' is not a regular file, which another run could compare",
                        path.display()
                    ),
                    "upload a regular file",
                ));
            }
            Some(Source::Stream(_)) => {
                return Err(Error::invalid_with(
                    "a stream cannot be uploaded with a state file: another run could not \
                     tell whether it is the same",
                    "upload a file",
                ));
            }
        };
        // Extensions were the only requests of 0.1.0, which stored no path.
        let path = match request.operation {
            Operation::Extend => String::new(),
            _ => format!(",\"path\":{}", json::quote(&request.path)),
        };
        Ok(Self(format!(
            "{{\"base_url\":{}{path},\"fields\":{}{file}}}",
            json::quote(settings.base_url.as_str()),
            request.json
        )))
    }

    /// The description for the state file: on one line, with a digest of each value that holds a
    /// secret of these settings, or a URL that may have a password, a key or a signature in it.
    pub(crate) fn stored(&self, settings: &Settings) -> String {
        let write = |value: &RawValue| {
            let value = json::canonical(value.get());
            let may_have_secret =
                url_may_have_secret(&value) || settings.redact(value.clone()) != value;
            if may_have_secret { digest(&value) } else { value }
        };
        rewrite(&self.0, &|value| match Object::parse(value.get()) {
            Ok(_) => rewrite(value.get(), &write),
            Err(_) => write(value),
        })
    }

    /// Whether a stored description is that of this request. 0.1.0 stored it without digests.
    pub(crate) fn is(&self, stored: &str) -> bool {
        self.0 == stored || is_same(&self.0, stored, true)
    }
}

/// Whether there is a URL in the text with more than a host and a short path, such as `/v1`.
fn url_may_have_secret(text: &str) -> bool {
    text.split("://").skip(1).any(|rest| {
        rest.contains(['@', '?'])
            || rest.split('/').skip(1).any(|part| part.len() >= SHORTEST_SECRET)
    })
}

/// The JSON object with its values rewritten.
fn rewrite(object: &str, value: &dyn Fn(&RawValue) -> String) -> String {
    let members = Object::parse(object).map(|object| object.0).unwrap_or_default();
    let members: Vec<String> =
        members.iter().map(|(name, raw)| format!("{}:{}", json::quote(name), value(raw))).collect();
    format!("{{{}}}", members.join(","))
}

/// Compares the members of two objects, and where `is_nested` those of objects in them.
fn is_same(described: &str, stored: &str, is_nested: bool) -> bool {
    let (Ok(described), Ok(stored)) = (Object::parse(described), Object::parse(stored)) else {
        return false;
    };
    let is_same_member = |(name, value): &(String, &RawValue)| {
        let Some(stored) = stored.get(name) else {
            return false;
        };
        let (value, stored) = (value.get(), stored.get());
        let (canonical, known) = (json::canonical(value), json::canonical(stored));
        canonical == known
            || digest(&canonical) == known
            || (name == "video" && is_same_video(value, &known))
            || (is_nested && is_same(value, stored, false))
    };
    stored.0.iter().all(|(name, _)| described.get(name).is_some())
        && described.0.iter().all(is_same_member)
}

/// Whether an object with an id or a URL names the same video as a stored string, because 0.1.0
/// sent and stored a string in a request body as it was.
fn is_same_video(described: &str, stored: &str) -> bool {
    match Object::parse(described) {
        Ok(Object(members)) => {
            matches!(&members[..], [(_, value)] if json::canonical(value.get()) == stored)
        }
        Err(_) => false,
    }
}

/// The JSON string that stands for a value.
fn digest(canonical: &str) -> String {
    json::quote(&format!("{DIGEST}{}", sha256(canonical)))
}

fn describe_file(path: &Path) -> Result<String, Error> {
    let found = path.canonicalize().and_then(|path| Ok((path.metadata()?, path)));
    let (metadata, canonical) = found.map_err(|error| cannot_read(path, error))?;
    Ok(format!(
        "{{\"path\":{},\"size\":{},\"mtime\":\"{}.{:09}\"}}",
        json::quote(&canonical.to_string_lossy()),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::api::fields::Fields;
    use crate::settings::ApiKey;
    use crate::settings::base_url::BaseUrl;

    /// A disk in memory, on which writes fail where a test sets that.
    #[derive(Debug, Default)]
    struct MemoryDisk {
        bytes: Vec<u8>,
        /// How many bytes of the next append are written, and whether a sync fails.
        room: Option<usize>,
        is_sync_broken: bool,
    }

    impl Disk for MemoryDisk {
        fn truncate(&mut self, length: u64) -> io::Result<()> {
            self.bytes.truncate(length as usize);
            Ok(())
        }

        fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
            let room = self.room.unwrap_or(bytes.len()).min(bytes.len());
            self.bytes.extend_from_slice(&bytes[..room]);
            if room < bytes.len() { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
        }

        fn sync(&mut self) -> io::Result<()> {
            if self.is_sync_broken { Err(ErrorKind::Other.into()) } else { Ok(()) }
        }
    }

    fn record(id: Option<&str>) -> Record {
        Record {
            request: r#"{"base_url":"https://x","fields":{"prompt":"a\nbé"}}"#.to_owned(),
            idempotency_key: "key".to_owned(),
            since: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
            retried: None,
            boot: None,
            account: None,
            id: id.map(str::to_owned),
        }
    }

    #[test]
    fn the_last_whole_record_counts() {
        let (first, second) = (record(None).line(), record(Some("v\"1")).line());
        assert_eq!(read(b""), Some((0, None)));
        assert_eq!(read(&[0; 9]), Some((0, None)));
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
    fn every_member_of_a_record_is_read_back() {
        let record = Record {
            retried: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_100)),
            boot: Some(Boot { id: "b".to_owned(), time: 1_799_000_000 }),
            account: Some("digest".to_owned()),
            ..record(Some("v"))
        };
        assert_eq!(Record::parse(&record.line()), Some(record));
    }

    #[test]
    fn a_record_of_0_1_0_with_line_breaks_in_its_values_is_read() {
        let request = "{\"base_url\":\"https://x\",\"fields\":{\"video\":{\n  \"id\": \"v\"\n}}}";
        let old = Record { request: request.to_owned(), ..record(None) }.line();
        let both = format!("{old}{}", Record { id: Some("job".to_owned()), ..record(None) }.line());
        assert_eq!(read(old.as_bytes()).unwrap().1.unwrap().request, request);
        assert_eq!(read(both.as_bytes()).unwrap().1.unwrap().id.as_deref(), Some("job"));
        for cut in 0..old.len() {
            assert_eq!(read(&old.as_bytes()[..cut]), Some((0, None)), "{cut}");
        }
    }

    #[test]
    fn a_file_with_other_content_is_not_a_journal() {
        for text in [
            "hello",
            "{}",
            "hello\n",
            "{}\n",
            "\n",
            "{\"openai-videos-state\":2,\"phase\":\"submitting\"}\n",
            "{\"openai-videos-state\":1,\"phase\":\"done\"}\n",
            "{\"openai-videos-state\":1,broken}\n",
            &format!("{}hello\n", record(None).line()),
            &record(None).line().replace('\n', " "),
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(read(b"{\"openai-videos-state\":1,\"a\":\"\xff\"}\n"), None);
        let contradiction = record(None).line().replace("submitting", "submitted");
        assert_eq!(read(contradiction.as_bytes()), None);
    }

    #[test]
    fn a_submitting_record_that_cannot_be_synced_is_taken_back() {
        let disk = MemoryDisk { is_sync_broken: true, ..MemoryDisk::default() };
        let mut journal = Journal::read(disk, b"").unwrap();
        journal.note(record(None)).unwrap_err();
        assert!(journal.disk.bytes.is_empty() && journal.record.is_none());
        let disk = MemoryDisk { room: Some(70), ..MemoryDisk::default() };
        let mut journal = Journal::read(disk, b"").unwrap();
        journal.note(record(None)).unwrap_err();
        assert!(journal.disk.bytes.is_empty());
    }

    #[test]
    fn a_submitted_record_that_cannot_be_synced_stays() {
        let mut journal = Journal::read(MemoryDisk::default(), b"").unwrap();
        journal.note(record(None)).unwrap();
        journal.disk.is_sync_broken = true;
        journal.note(record(Some("v"))).unwrap_err();
        assert_eq!(read(&journal.disk.bytes).unwrap().1, Some(record(Some("v"))));
    }

    fn described(url: &str, body: &str) -> Description {
        let settings = Settings::new(BaseUrl::new(url).unwrap());
        let fields = Fields::from_json(body).unwrap();
        Description::of(
            &settings,
            &VideoRequest::from_fields(Operation::Extend, fields, None).unwrap(),
        )
        .unwrap()
    }

    fn settings(url: &str, key: &str) -> Settings {
        let mut settings = Settings::new(BaseUrl::new(url).unwrap());
        settings.api_key = Some(ApiKey::new(key).unwrap());
        settings
    }

    #[test]
    fn requests_are_compared_as_json_values() {
        let url = "https://user.example/v1";
        let body = "{\"prompt\":\"é\",\"seconds\":8,\"video\":{\n \"id\":\"v\",\"n\":1.0}}";
        let description = described(url, body);
        let stored = description.stored(&settings(url, "sk-12345678"));
        assert!(!stored.contains('\n') && stored.contains(url), "{stored}");
        let same = r#"{"video":{"n":1,"id":"v"},"seconds":8.0,"prompt":"\u00e9"}"#;
        for other in [body, same] {
            let other = described(url, other);
            // 0.1.0 stored it as it is.
            assert!(description.is(&other.0) && other.is(&stored), "{}", other.0);
        }
        for (url, body) in [
            ("https://other.example/v1", body.to_owned()),
            (url, body.replace('8', "4")),
            (url, body.replace('8', "\"8\"")),
            (url, body.replace("1.0", "1.1")),
            (url, body.replace("{\"prompt", "{\"a\":null,\"prompt")),
            (url, body.replace("\"n\"", "\"m\"")),
            (url, body.replace(",\"n\":1.0", "")),
            (url, body.replace("\"seconds\":8", "\"duration\":8")),
        ] {
            let other = described(url, &body);
            assert!(!other.is(&stored) && !other.is(&description.0), "{}", other.0);
        }
    }

    #[test]
    fn a_value_with_a_secret_is_stored_as_its_digest() {
        let url = "https://x.example/tok-12345678/v1";
        let body =
            r#"{"prompt":"sk-12345678","seconds":"8","video":{"url":"https://y/a?k=signed"}}"#;
        let description = described(url, body);
        let stored = description.stored(&settings(url, "sk-12345678"));
        for secret in ["sk-12345678", "tok-12345678", "signed"] {
            assert!(!stored.contains(secret), "{stored}");
        }
        assert!(stored.contains(r#""seconds":"8""#), "{stored}");
        assert!(description.is(&stored));
        assert!(!described(url, &body.replace("y/a", "y/b")).is(&stored));
        // Another key does not make it another request.
        assert!(description.is(&description.stored(&settings(url, "sk-other"))));
    }
}
