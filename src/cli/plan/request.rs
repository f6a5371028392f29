//! The flags of the request -> the library's [`VideoRequest`].

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::time::Duration;

use openai_videos::json::unquoted;
use openai_videos::{
    Encoding, Error, Fields, Operation, Reference, Stream, Upload, Value, VideoRequest,
};

use crate::cli::args::command::CommandRow;
use crate::cli::args::flags::{Args, FIELDS};
use crate::cli::args::help::example;
use crate::cli::args::value::{choice, choice_of, invalid, text, with_name};
use crate::cli::plan::input::{self, FileOrText, id};

/// The request of a command; [`Error::Missing`] if it is incomplete. Options override `--field`,
/// which overrides `--body`; `piped_body` takes the place of `--body`.
pub(crate) fn request(
    args: &Args,
    row: &CommandRow,
    operation: Operation,
    piped_body: Option<&str>,
) -> Result<VideoRequest, Error> {
    let mut fields = match (&args.body, piped_body) {
        (Some(path), _) => body(&input::read(path, "--body")?, "--body")?,
        (None, Some(text)) => body(text, "standard input")?,
        (None, None) => Fields::default(),
    };
    let mut reference = reference_in_body(&fields, operation);
    set_texts(args, &mut fields)?;
    let mut seconds = args.seconds.as_deref();
    for field in &args.fields {
        let (name, value) = field_value(field)?;
        check_given_once(args, name)?;
        if name == "seconds" {
            seconds = None;
        } else if name == operation.reference_field() {
            reference = None;
        }
        fields.set(name, value);
    }
    if let Some(seconds) = seconds {
        check_seconds(seconds, operation)?;
        fields.set("seconds", Value::Text(seconds.to_owned()));
    }
    if let Some(given) = given_reference(args, row, operation)? {
        reference = Some(given);
    }
    VideoRequest::from_fields(operation, fields, reference)?
        .encoding(encoding(args.encoding.as_deref())?)
}

/// The fields of a body in JSON or YAML. JSON is tried first, because it keeps every literal.
fn body(text: &str, name: &str) -> Result<Fields, Error> {
    let is_meant_as_json = || {
        let members = text.trim_start().strip_prefix('{').map(str::trim_start);
        members.is_some_and(|members| members.starts_with(['"', '}']))
    };
    Fields::from_json(text)
        .or_else(|json| {
            Fields::from_yaml(text).map_err(|yaml| if is_meant_as_json() { json } else { yaml })
        })
        .map_err(|error| with_name(name, error))
}

/// Sets the fields whose options contain their text.
fn set_texts(args: &Args, fields: &mut Fields) -> Result<(), Error> {
    if let Some(prompt) = &args.prompt {
        fields.set("prompt", Value::Text(input::prompt(prompt)?));
    }
    for (name, text) in [("model", &args.model), ("size", &args.size), ("name", &args.name)] {
        if let Some(text) = text {
            fields.set(name, Value::Text(text.clone()));
        }
    }
    Ok(())
}

/// A field cannot be given both by its option and by `--field`.
fn check_given_once(args: &Args, field: &str) -> Result<(), Error> {
    let option = field.replace('_', "-");
    // `--field seconds` replaces the option.
    let is_option = FIELDS.contains(&option.as_str()) && field != "seconds";
    if is_option && args.given.iter().any(|flag| flag.long == option) {
        let message = format!("--field {field} cannot be used with --{option}");
        return Err(Error::invalid(message));
    }
    Ok(())
}

fn check_seconds(seconds: &str, operation: Operation) -> Result<(), Error> {
    choice_of("seconds", seconds, operation.seconds()).map(drop).map_err(|error| {
        let value = if seconds.parse::<f64>().is_ok() { seconds } else { "N" };
        let hint = format!(
            "to send another value, use --field seconds={value} or --field duration:={value}"
        );
        Error::invalid_with(error.to_string(), hint)
    })
}

/// The reference that the command line names.
fn given_reference(
    args: &Args,
    row: &CommandRow,
    operation: Operation,
) -> Result<Option<Reference>, Error> {
    if operation == Operation::Remix {
        return id(args, row).map(|id| Some(Reference::Id(id)));
    }
    let (value, name) = match operation.reference_field() {
        "input_reference" => (&args.input_reference, "--input-reference"),
        _ => (&args.video, "--video"),
    };
    let Some(value) = value else { return Ok(None) };
    match (operation, input::file_or_text(value)) {
        (Operation::CreateCharacter, FileOrText::Text(path)) => Ok(Some(Reference::file(path))),
        _ => reference(value, name).map(Some),
    }
}

/// A string in the body that stands for a reference: an id or a URL, or for a character a path.
fn reference_in_body(fields: &Fields, operation: Operation) -> Option<Reference> {
    let Value::Json(raw) = fields.get(operation.reference_field())? else { return None };
    if operation == Operation::Remix || !raw.get().starts_with('"') {
        return None;
    }
    let text = unquoted(raw.get());
    Some(match operation {
        Operation::CreateCharacter => Reference::file(text),
        _ if is_url(&text) => Reference::Url(text),
        _ => Reference::Id(text),
    })
}

/// Names the option for a missing field: the library knows only the field. `silence`: for how long
/// standard input was read and sent nothing.
pub(crate) fn name_missing_option(
    error: Error,
    row: &CommandRow,
    silence: Option<Duration>,
) -> Error {
    let Error::Missing { field } = error else { return error };
    let silence = silence.map_or(String::new(), |silence| {
        format!(", and standard input sent nothing for {} s", silence.as_secs())
    });
    Error::invalid_with(format!("missing option --{field}{silence}"), example(row))
}

/// `NAME=TEXT` or `NAME:=JSON`.
fn field_value(field: &str) -> Result<(&str, Value), Error> {
    let Some((name, text)) = field.split_once('=') else {
        return Err(invalid(
            "--field",
            format!("invalid field '{field}'; expected NAME=TEXT or NAME:=JSON"),
        ));
    };
    let (name, value) = match name.strip_suffix(':') {
        Some(name) => (
            name,
            Value::json(text).map_err(|error| invalid("--field", format!("{name}: {error}")))?,
        ),
        None => (name, Value::Text(text.to_owned())),
    };
    if name.is_empty() {
        return Err(invalid("--field", format!("invalid field '{field}'; the name is empty")));
    }
    Ok((name, value))
}

/// `@FILE`, an object, a URL, or an id. `name` is the option, for errors.
fn reference(value: &OsStr, name: &str) -> Result<Reference, Error> {
    let value = match input::file_or_text(value) {
        FileOrText::File(path) if path.is_empty() => {
            return Err(invalid(name, "missing file name after '@'"));
        }
        FileOrText::File(path) if path == "-" => {
            return Ok(Reference::Upload(Upload::Stream(Stream::new(io::stdin()))));
        }
        FileOrText::File(path) => return Ok(Reference::file(path)),
        FileOrText::Text(value) => value,
    };
    let reference = text(value, name)?;
    if reference.trim_start().starts_with('{') {
        return Reference::object(&reference).map_err(|error| with_name(name, error));
    }
    if is_url(&reference) {
        return Ok(Reference::Url(reference));
    }
    if fs::metadata(&reference).is_ok_and(|metadata| !metadata.is_dir()) {
        return Err(Error::invalid_with(
            format!("{name}: '{reference}' is a file and not an id"),
            format!("write '@{reference}' to upload it"),
        ));
    }
    Ok(Reference::Id(reference))
}

/// Whether a value is a URL that the server is to fetch, or that contains the media.
fn is_url(value: &str) -> bool {
    let is_scheme = |scheme: &str| {
        value.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    ["http://", "https://", "data:"].into_iter().any(is_scheme)
}

fn encoding(name: Option<&str>) -> Result<Encoding, Error> {
    const KNOWN: [Encoding; 4] =
        [Encoding::Auto, Encoding::Json, Encoding::Multipart, Encoding::DataUrl];
    choice("encoding", name.unwrap_or("auto")).map(|place| KNOWN[place])
}
