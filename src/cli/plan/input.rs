//! The values of arguments: ids, and text that an argument names instead of containing it, in a
//! file or in standard input for `-`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use openai_videos::Error;

use crate::cli::args::command::{Command, CommandRow};
use crate::cli::args::flags::Args;
use crate::cli::args::help::example;
use crate::cli::args::value::{invalid, text};

/// The most that is read into memory, in bytes. A prompt has 128 KB at most, a request body hardly
/// more.
pub(crate) const LIMIT: u64 = 4 * 1024 * 1024;
/// How long to wait for a program that opens a named pipe for writing.
const WRITER_WITHIN: Duration = Duration::from_secs(10);
/// How often to look whether the pipe is open.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The whole text of a file, or of standard input for `-`. `name` is the flag or variable, for
/// errors.
///
/// A file that does not exist is a usage error; one that cannot be read is a file error.
pub(crate) fn read(path: &OsStr, name: &str) -> Result<String, Error> {
    decode(bytes(path, name)?, path, name)
}

fn decode(bytes: Vec<u8>, path: &OsStr, name: &str) -> Result<String, Error> {
    let text = String::from_utf8(bytes)
        .map_err(|_| invalid(name, format!("{} is not valid UTF-8", shown(path))))?;
    // Some editors write a byte order mark, which is not part of the text.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Like [`read`], for files that need not be text.
pub(crate) fn bytes(path: &OsStr, name: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = if path == "-" {
        io::stdin().take(LIMIT + 1).read_to_end(&mut bytes)
    } else {
        open(Path::new(path), WRITER_WITHIN).and_then(|file| {
            // Without this, `read_to_end` would start with 32 bytes and grow.
            bytes.reserve(file.metadata().map_or(0, |it| it.len().min(LIMIT) as usize) + 1);
            file.take(LIMIT + 1).read_to_end(&mut bytes)
        })
    };
    check(read.map(|_| bytes), path, name)
}

fn check(read: io::Result<Vec<u8>>, path: &OsStr, name: &str) -> Result<Vec<u8>, Error> {
    let shown = shown(path);
    let bytes = read.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            invalid(name, format!("cannot read {shown}: no such file"))
        }
        io::ErrorKind::IsADirectory => {
            invalid(name, format!("cannot read {shown}: it is a directory"))
        }
        _ => Error::file(format!("{name}: cannot read {shown}"), error),
    })?;
    if bytes.len() as u64 > LIMIT {
        return Err(invalid(name, format!("{shown} is larger than {} MiB", LIMIT >> 20)));
    }
    Ok(bytes)
}

/// Opens a file. For a named pipe this waits, `limit` at most, until a program opens it for
/// writing.
fn open(path: &Path, limit: Duration) -> io::Result<File> {
    if !fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo()) {
        return File::open(path);
    }
    let path = path.to_owned();
    // If it is never opened, the thread runs until the process exits.
    let opening = thread::Builder::new().spawn(move || File::open(path))?;
    let start = Instant::now();
    while !opening.is_finished() {
        if start.elapsed() >= limit {
            let reason = format!("no program opened this pipe for writing within {limit:?}");
            return Err(io::Error::new(io::ErrorKind::TimedOut, reason));
        }
        thread::sleep(POLL_INTERVAL);
    }
    opening.join().unwrap_or_else(|_| Err(io::Error::other("the thread that opens it panicked")))
}

/// Standard input as a file, for its metadata and for a thread to read.
fn stdin() -> io::Result<File> {
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}

pub(crate) fn stdin_metadata() -> io::Result<fs::Metadata> {
    stdin()?.metadata()
}

/// What standard input gave for the options that are missing.
pub(crate) enum PipedBody {
    Text(String),
    /// It is empty, or neither a pipe nor a regular file.
    Nothing,
    /// It sent nothing for the longest time allowed, and did not end.
    Silence,
}

/// Reads standard input, as for `--body -`, if it is a pipe or a regular file. A terminal is not
/// read, because its user does not expect to have to type a request. `silence` is the longest time
/// to wait for more.
pub(crate) fn piped_body(silence: Duration) -> Result<PipedBody, Error> {
    let Ok(file) = stdin() else {
        return Ok(PipedBody::Nothing);
    };
    let kind = file.metadata().map(|metadata| metadata.file_type());
    if !kind.is_ok_and(|kind| kind.is_fifo() || kind.is_file()) {
        return Ok(PipedBody::Nothing);
    }
    let (path, name) = (OsStr::new("-"), "standard input");
    match read_within(file.take(LIMIT + 1), silence) {
        Some(read) => {
            let text = decode(check(read, path, name)?, path, name)?;
            Ok(if text.trim().is_empty() { PipedBody::Nothing } else { PipedBody::Text(text) })
        }
        None => Ok(PipedBody::Silence),
    }
}

/// All bytes of a source; `None` if it sends nothing for `silence`. The thread that reads then
/// continues until the process exits.
fn read_within(
    mut source: impl Read + Send + 'static,
    silence: Duration,
) -> Option<io::Result<Vec<u8>>> {
    let (sender, chunks) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        loop {
            let read = source.read(&mut buffer).map(|count| buffer[..count].to_vec());
            let is_last = !read.as_ref().is_ok_and(|chunk| !chunk.is_empty());
            if sender.send(read).is_err() || is_last {
                return;
            }
        }
    });
    let mut bytes = Vec::new();
    loop {
        match chunks.recv_timeout(silence).ok()? {
            Ok(chunk) if chunk.is_empty() => return Some(Ok(bytes)),
            Ok(chunk) => bytes.extend(chunk),
            Err(error) => return Some(Err(error)),
        }
    }
}

/// The name of a file, or of standard input, in errors.
pub(crate) fn shown(path: &OsStr) -> String {
    if path == "-" { "standard input".to_owned() } else { format!("'{}'", path.to_string_lossy()) }
}

/// The id of a video or a character, as an argument or a flag.
pub(crate) fn id(args: &Args, row: &CommandRow) -> Result<String, Error> {
    let (flag, given, kind, sample) = match row.command {
        Command::GetCharacter => ("--character-id", &args.character_id, "character", "char_123"),
        Command::Send(_) => ("--video-id", &args.video_id, "video", "video_123"),
        _ => ("--video-id", &args.video_id, "job", "video_123"),
    };
    let word = args.words.get(2).map(|word| text(word, "the id")).transpose()?;
    match (word, given) {
        (Some(_), Some(_)) => {
            Err(Error::invalid(format!("the id cannot be given both as an argument and as {flag}")))
        }
        (None, None) => Err(Error::invalid_with(
            format!("missing argument: the id of the {kind}"),
            match row.required {
                "" => format!("openai videos {} {sample}", row.name),
                _ => example(row).to_owned(),
            },
        )),
        (Some(id), None) if id.is_empty() => Err(Error::invalid("the id is empty")),
        (Some(id), None) => Ok(id),
        (None, Some(id)) => Ok(id.clone()),
    }
}

/// A prompt: literal text, `@FILE`, or `\@` for a literal `@`.
pub(crate) fn prompt(value: &OsStr) -> Result<String, Error> {
    const NAME: &str = "--prompt";
    let path = match file_or_text(value) {
        FileOrText::Text(value) => return text(value, NAME),
        FileOrText::File(path) => path,
    };
    let is_file = || fs::metadata(path).is_ok_and(|metadata| !metadata.is_dir());
    if value.len() == path.len() + 1 && is_handle(path) && !is_file() {
        return text(value, NAME);
    }
    if path != "-" && !Path::new(path).exists() {
        return Err(Error::invalid_with(
            format!("--prompt: cannot read '{}': no such file", path.to_string_lossy()),
            "for a prompt that starts with @, write \\@",
        ));
    }
    let mut text = read(path, NAME)?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

/// A value that is text or names a file.
pub(crate) enum FileOrText<'a> {
    /// Literal text.
    Text(&'a OsStr),
    /// A path; `-` is standard input.
    File(&'a OsStr),
}

/// `@PATH`, `@file://PATH` and `@data://PATH` name a file, as in the official command line; `\@`
/// starts a literal `@`.
pub(crate) fn file_or_text(value: &OsStr) -> FileOrText<'_> {
    let bytes = value.as_bytes();
    if bytes.starts_with(b"\\@") {
        return FileOrText::Text(OsStr::from_bytes(&bytes[1..]));
    }
    match bytes.strip_prefix(b"@") {
        None => FileOrText::Text(value),
        Some(path) => {
            let prefixes = [&b"file://"[..], b"data://"];
            let path =
                prefixes.iter().find_map(|prefix| path.strip_prefix(*prefix)).unwrap_or(path);
            FileOrText::File(OsStr::from_bytes(path))
        }
    }
}

/// Whether this is `@-` in one of its forms.
pub(crate) fn is_standard_input(value: &OsStr) -> bool {
    matches!(file_or_text(value), FileOrText::File(path) if path == "-")
}

/// Whether this is a name as in `@alice`, or nothing, rather than a path.
fn is_handle(path: &OsStr) -> bool {
    path != "-" && !path.as_bytes().iter().any(|byte| matches!(byte, b'.' | b'/'))
}

#[cfg(test)]
mod tests {
    use std::io::{Write, pipe};

    use super::*;

    #[test]
    fn a_named_pipe_is_opened_once_it_has_a_writer() {
        let directory = std::env::temp_dir().join(format!("openai-pipe-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        // A pipe each, because the thread that still waits for the first one would count as its
        // reader.
        let [silent, pipe] = ["silent", "pipe"].map(|name| directory.join(name));
        let made = std::process::Command::new("mkfifo").args([&silent, &pipe]).status();
        assert!(made.unwrap().success());
        let error = open(&silent, Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.to_string(), "no program opened this pipe for writing within 20ms");
        let written = thread::spawn({
            let pipe = pipe.clone();
            move || fs::write(pipe, "key")
        });
        let mut text = String::new();
        let opened = open(&pipe, Duration::from_secs(60))
            .and_then(|mut file| file.read_to_string(&mut text));
        fs::remove_dir_all(&directory).unwrap();
        opened.unwrap();
        written.join().unwrap().unwrap();
        assert_eq!(text, "key");
    }

    #[test]
    fn a_pipe_is_read_to_its_end_and_given_up_when_it_is_silent() {
        let (reader, mut writer) = pipe().unwrap();
        writer.write_all(b"a: 1\n").unwrap();
        drop(writer);
        let read = read_within(reader, Duration::from_secs(60));
        assert_eq!(read.unwrap().unwrap(), b"a: 1\n");

        for begun in [&b""[..], b"a"] {
            let (reader, mut writer) = pipe().unwrap();
            writer.write_all(begun).unwrap();
            assert!(read_within(reader, Duration::from_millis(20)).is_none());
            drop(writer);
        }
    }
}
