//! Where the media go: `--output`, and the files that it must not be.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use openai_videos::{Error, check_output};

use crate::cli::args::command::{Command, CommandRow};
use crate::cli::args::flags::Args;
use crate::cli::args::value::invalid;
use crate::cli::plan::input::{self, FileOrText, file_or_text};
use crate::cli::stdio::Terminals;

/// Where the media go.
#[derive(Debug)]
pub(crate) enum Output {
    Stdout,
    File(PathBuf),
    /// A file that is named after the job, whose id is not known yet.
    Template(Template),
}

/// The names of standard output, which `--output` treats alike, so that the job's JSON never
/// follows the media.
const STDOUT: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

impl Output {
    /// Whether the media are there already: a regular file that is not empty.
    pub(crate) fn is_stored(&self) -> bool {
        let has_bytes = |file: fs::Metadata| file.is_file() && file.len() > 0;
        matches!(self, Output::File(path) if fs::metadata(path).is_ok_and(has_bytes))
    }
}

/// A path with `{id}` in its last component, beside other text.
#[derive(Debug)]
pub(crate) struct Template {
    directory: PathBuf,
    before: OsString,
    after: OsString,
}

/// The most bytes that an id takes in a file name, of which file systems allow 255.
const MAX_ID: usize = 150;

impl Template {
    const ID: &'static [u8] = b"{id}";

    /// Reads a path. `None` if the last component does not contain `{id}`.
    fn new(path: &Path) -> Result<Option<Self>, Error> {
        let name = path.file_name().unwrap_or_default().as_bytes();
        let find = |name: &[u8]| name.windows(Self::ID.len()).position(|part| part == Self::ID);
        let Some(at) = find(name) else {
            return Ok(None);
        };
        let (before, after) = (&name[..at], &name[at + Self::ID.len()..]);
        let reason = if before.is_empty() && after.is_empty() {
            "'{id}' needs other text beside it, such as '{id}.mp4'"
        } else if find(after).is_some() {
            "'{id}' can stand in it only once"
        } else if before.len() + after.len() + MAX_ID > 255 {
            "the file name is too long"
        } else {
            let owned = |bytes: &[u8]| OsString::from_vec(bytes.to_owned());
            let directory = path.parent().unwrap_or(Path::new("")).to_owned();
            return Ok(Some(Self { directory, before: owned(before), after: owned(after) }));
        };
        Err(invalid("--output", reason))
    }

    /// The path for a job. Whatever the id, this is one name in the directory, and different ids
    /// have different names: bytes other than `A-Za-z0-9_-=.` are percent-encoded, and of more than
    /// 150 bytes the end is replaced by a digest of the id.
    ///
    /// `{id}.mp4` and `task/1` give `task%2F1.mp4`.
    pub(crate) fn expand(&self, id: &str) -> PathBuf {
        let mut name = self.before.clone();
        name.push(file_name(id));
        name.push(&self.after);
        self.directory.join(name)
    }
}

fn file_name(id: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-=.".contains(&byte);
    let encoded = |byte: u8| {
        if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    let mut name: String = id.bytes().map(encoded).collect();
    if name.len() > MAX_ID {
        let digest = format!("-{:016x}", fnv1a(id.as_bytes()));
        name.truncate(MAX_ID - digest.len());
        name += &digest;
    }
    name
}

/// The FNV-1a hash, which is the same in every version of the program.
fn fnv1a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Where the media go, if they are to be downloaded. Whether they can be stored there is checked by
/// [`check_writable`].
pub(crate) fn output(
    args: &Args,
    command: Command,
    terminals: Terminals,
) -> Result<Option<Output>, Error> {
    let needs = |flag: &str, other: &str| Err(Error::invalid(format!("--{flag} needs {other}")));
    match args.output.as_deref() {
        Some(path) if STDOUT.iter().any(|name| path == *name) => Ok(Some(Output::Stdout)),
        Some(path) => {
            let path = PathBuf::from(path);
            Ok(Some(match Template::new(&path)? {
                Some(template) => Output::Template(template),
                None => Output::File(path),
            }))
        }
        None if command == Command::DownloadContent && terminals.stdout => {
            Err(Error::invalid_with("refusing to write binary data to the terminal", "use -o FILE"))
        }
        None if command == Command::DownloadContent => Ok(Some(Output::Stdout)),
        None if args.variant.is_some() => needs("variant", "--output"),
        None if !args.wait && args.wait_timeout.is_some() => {
            needs("wait-timeout", "--wait or --output")
        }
        None if !args.wait && args.poll_interval.is_some() => {
            needs("poll-interval", "--wait or --output")
        }
        None => Ok(None),
    }
}

/// `--skip-existing`, which needs the name of a file. A dry run does not skip.
pub(crate) fn skips_existing(args: &Args, output: Option<&Output>) -> Result<bool, Error> {
    if args.skip_existing && !matches!(output, Some(Output::File(_))) {
        return Err(Error::invalid("--skip-existing needs --output FILE, without {id}"));
    }
    Ok(args.skip_existing && !args.dry_run)
}

/// Checks that the media can be stored, so that nobody pays for media that cannot.
pub(crate) fn check_writable(output: &Output) -> Result<(), Error> {
    match output {
        Output::Stdout => Ok(()),
        Output::File(path) => check_output(path),
        Output::Template(template) => check_output(&template.expand(&"x".repeat(MAX_ID))),
    }
}

/// Checks that standard output is open if the id of a new job, or the media, go nowhere else.
///
/// With the media in a file, a closed standard output is not an error: some schedulers start their
/// jobs with a /dev/null that cannot be distinguished from a closed one.
pub(crate) fn check_standard_output(
    output: Option<&Output>,
    row: &CommandRow,
    terminals: Terminals,
) -> Result<(), Error> {
    let is_needed = match output {
        Some(Output::File(_) | Output::Template(_)) => false,
        Some(Output::Stdout) => true,
        None => row.creates_job(),
    };
    if is_needed && terminals.stdout_is_closed {
        let reason = "it is closed, or /dev/null opened for reading and writing";
        return Err(Error::file("cannot write to standard output", io::Error::other(reason)));
    }
    Ok(())
}

/// Checks that the state file and the output differ from each other and from every input, because
/// writing one would destroy the other. `reads_stdin`: standard input is one of the inputs.
pub(crate) fn check_distinct(
    args: &Args,
    output: Option<&Output>,
    reads_stdin: bool,
) -> Result<(), Error> {
    let state = args.state.as_deref().map(|path| ("--state", Path::new(path)));
    let output = match output {
        Some(Output::File(path)) => Some(("--output", path.as_path())),
        _ => None,
    };
    let same = |name: &str, other: &str, path: &Path| {
        let path = path.display();
        Err(Error::invalid(format!("{name} and {other} cannot be the same file '{path}'")))
    };
    if let (Some((name, path)), Some((other, output))) = (state, output)
        && is_same_path(path, output)
    {
        return same(name, other, path);
    }
    let mut inputs = inputs(args);
    if reads_stdin {
        inputs.push(("standard input", identity(input::stdin_metadata())));
    }
    for (name, path) in [state, output].into_iter().flatten() {
        let written = identity(fs::metadata(path));
        let input = inputs.iter().find(|(_, read)| read.is_some() && *read == written);
        if let Some((input, _)) = input {
            return same(name, input, path);
        }
    }
    Ok(())
}

/// The files that are read, except for standard input.
fn inputs(args: &Args) -> Vec<(&'static str, Option<(u64, u64)>)> {
    let mut inputs = Vec::new();
    let mut add = |name, path: &OsStr| {
        if path != "-" {
            inputs.push((name, identity(fs::metadata(path))));
        }
    };
    let mut add_after_at = |name, value: &OsStr| {
        if let FileOrText::File(path) = file_or_text(value) {
            add(name, path);
        }
    };
    for (name, value) in [
        ("--video", &args.video),
        ("--input-reference", &args.input_reference),
        ("--prompt", &args.prompt),
    ] {
        if let Some(value) = value {
            add_after_at(name, value);
        }
    }
    for value in &args.headers {
        add_after_at("--header", value.as_ref());
    }
    for (name, path) in [("--body", &args.body), ("--api-key-file", &args.api_key_file)] {
        if let Some(path) = path {
            add(name, path);
        }
    }
    inputs
}

/// The device and inode of a regular file; `None` for anything else. Devices and pipes are not
/// destroyed by writing.
fn identity(metadata: io::Result<fs::Metadata>) -> Option<(u64, u64)> {
    let metadata = metadata.ok().filter(fs::Metadata::is_file)?;
    Some((metadata.dev(), metadata.ino()))
}

/// Whether two paths lead to one file, which need not exist.
fn is_same_path(a: &Path, b: &Path) -> bool {
    match (identity(fs::metadata(a)), identity(fs::metadata(b))) {
        (None, None) => name_in_directory(a).is_some_and(|a| name_in_directory(b) == Some(a)),
        (a, b) => a == b,
    }
}

/// The directory without symbolic links, and the name in it.
fn name_in_directory(path: &Path) -> Option<(PathBuf, &OsStr)> {
    let directory = path.parent().filter(|parent| *parent != Path::new(""));
    let directory = directory.unwrap_or(Path::new(".")).canonicalize().ok()?;
    Some((directory, path.file_name()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(path: &str, id: &str) -> String {
        Template::new(Path::new(path)).unwrap().unwrap().expand(id).to_str().unwrap().to_owned()
    }

    #[test]
    fn a_template_is_expanded_to_one_name_in_its_directory() {
        for (path, id, file) in [
            ("{id}.mp4", "video_1-a=.b", "video_1-a=.b.mp4"),
            ("out/a-{id}", "v", "out/a-v"),
            ("/x/{id}.mp4", "../a b/é%\0", "/x/..%2Fa%20b%2F%C3%A9%25%00.mp4"),
            ("{a}{id}", "v", "{a}v"),
            ("{id}.mp4", "", ".mp4"),
        ] {
            assert_eq!(expanded(path, id), file);
        }
    }

    #[test]
    fn a_long_id_is_cut_and_stays_unique() {
        let long = "a".repeat(150);
        assert_eq!(expanded("{id}.mp4", &long), format!("{long}.mp4"));
        let [one, two] = ["b", "c"].map(|last| expanded("{id}.mp4", &format!("{long}{last}")));
        assert_eq!((one.len(), two.len()), (154, 154));
        assert_ne!(one, two);
        assert_eq!(expanded("{id}.mp4", &"/".repeat(5000)).len(), 154);
    }

    #[test]
    fn a_path_without_an_id_in_its_last_component_is_not_a_template() {
        for path in ["out.mp4", "{id}/out.mp4", "id", "{ id }", "/"] {
            assert!(Template::new(Path::new(path)).unwrap().is_none(), "{path}");
        }
        let long = format!("{{id}}{}", "x".repeat(106));
        for (path, reason) in [
            ("{id}", "'{id}' needs other text beside it, such as '{id}.mp4'"),
            ("{id}-{id}", "'{id}' can stand in it only once"),
            (&long, "the file name is too long"),
        ] {
            let error = Template::new(Path::new(path)).unwrap_err().to_string();
            assert_eq!(error, format!("--output: {reason}"));
        }
    }
}
