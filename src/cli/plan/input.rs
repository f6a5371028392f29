//! Text that an argument names instead of holding it: files, and standard input where `-` asks for it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use openai_videos::Error;

use crate::cli::args::value::{invalid, text};

/// The most that is read into memory, in bytes: a prompt has 128 KB at most, a request body hardly more.
const LIMIT: u64 = 4 * 1024 * 1024;

/// The whole text of a file, or of standard input for `-`. `what` names the flag or variable in errors.
///
/// A file that is not there is a fault of the call; one that cannot be read is a fault of the machine.
pub(crate) fn read(path: &OsStr, what: &str) -> Result<String, Error> {
    let bytes = bytes(path, what)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| invalid(what, format!("{} is not UTF-8", shown(path))))?;
    // Some editors put a byte order mark in front; it is no part of the text.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// As [`read`], for what need not be text.
pub(crate) fn bytes(path: &OsStr, what: &str) -> Result<Vec<u8>, Error> {
    let shown = shown(path);
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            invalid(what, format!("there is no file {shown}"))
        }
        io::ErrorKind::IsADirectory => invalid(what, format!("{shown} is a directory")),
        _ => Error::file(format!("{what}: cannot read {shown}"), error),
    };
    let mut bytes = Vec::new();
    match path == "-" {
        true => io::stdin().take(LIMIT + 1).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes)),
    }
    .map_err(failed)?;
    if bytes.len() as u64 > LIMIT {
        return Err(invalid(what, format!("{shown} is larger than {} MiB", LIMIT >> 20)));
    }
    Ok(bytes)
}

fn shown(path: &OsStr) -> String {
    match path == "-" {
        true => "standard input".to_owned(),
        false => format!("'{}'", path.to_string_lossy()),
    }
}

/// A prompt: literal text, `@FILE`, or `\@` for a literal `@`.
pub(crate) fn prompt(value: &OsStr) -> Result<String, Error> {
    const WHAT: &str = "--prompt";
    if let Some(literal) = value.as_bytes().strip_prefix(b"\\@") {
        return Ok(format!("@{}", text(OsStr::from_bytes(literal), WHAT)?));
    }
    let Some(path) = after_at(value) else {
        return text(value, WHAT);
    };
    let is_file = || fs::metadata(&path).is_ok_and(|metadata| !metadata.is_dir());
    if path.is_empty() || (path != "-" && is_handle(&path) && !is_file()) {
        return text(value, WHAT);
    }
    if path != "-" && !Path::new(&path).exists() {
        return Err(Error::invalid_with(
            format!("--prompt: there is no file '{}'", path.to_string_lossy()),
            "for a text that starts with @, write \\@",
        ));
    }
    let mut text = read(&path, WHAT)?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

/// What follows an `@`, as a path.
pub(crate) fn after_at(value: &OsStr) -> Option<OsString> {
    value.as_bytes().strip_prefix(b"@").map(|path| OsString::from_vec(path.to_owned()))
}

/// A name as prompts mention people, rather than a path.
fn is_handle(path: &OsStr) -> bool {
    !path.as_bytes().iter().any(|byte| matches!(byte, b'.' | b'/'))
}
