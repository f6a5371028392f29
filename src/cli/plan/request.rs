//! The flags of the request -> the library's [`VideoRequest`].

use std::ffi::OsStr;
use std::fs;
use std::io;

use openai_videos::{
    Encoding, Error, Fields, Operation, Reference, Stream, Upload, Value, VideoRequest,
};

use crate::cli::args::flags::Args;
use crate::cli::args::value::{choice, invalid, text, with_name};
use crate::cli::plan::input::{self, FileOrText};

pub(crate) fn request(args: &Args) -> Result<VideoRequest, Error> {
    let mut fields = match &args.body {
        Some(path) => body(&input::read(path, "--body")?)?,
        None => Fields::default(),
    };
    let mut seconds = args.seconds.as_deref();
    if let Some(prompt) = &args.prompt {
        fields.set("prompt", Value::Text(input::prompt(prompt)?));
    }
    for field in &args.fields {
        let (name, value) = field_value(field)?;
        match name {
            "prompt" if args.prompt.is_some() => {
                return Err(Error::invalid("--field prompt cannot be used with --prompt"));
            }
            "video" if args.video.is_some() => {
                return Err(Error::invalid("--field video cannot be used with --video"));
            }
            "seconds" => seconds = None,
            _ => {}
        }
        fields.set(name, value);
    }
    if let Some(seconds) = seconds {
        choice("seconds", seconds).map_err(|error| {
            let is_number = seconds.parse::<f64>().is_ok();
            let value = if is_number { seconds } else { "N" };
            let hint = format!(
                "to send another value, use --field seconds={value} or --field duration:={value}"
            );
            Error::invalid_with(error.to_string(), hint)
        })?;
        fields.set("seconds", Value::Text(seconds.to_owned()));
    }
    let video = args.video.as_deref().map(video).transpose()?;
    VideoRequest::from_fields(Operation::Extend, fields, video)
        .map_err(missing)?
        .encoding(encoding(args.encoding.as_deref())?)
}

/// The fields of a body in JSON or YAML. JSON is tried first, because it keeps every literal.
fn body(text: &str) -> Result<Fields, Error> {
    let is_meant_as_json = || {
        let members = text.trim_start().strip_prefix('{').map(str::trim_start);
        members.is_some_and(|members| members.starts_with(['"', '}']))
    };
    Fields::from_json(text)
        .or_else(|json| {
            Fields::from_yaml(text).map_err(|yaml| if is_meant_as_json() { json } else { yaml })
        })
        .map_err(|error| invalid("--body", error))
}

/// Names the option for a missing field: the library knows only the field.
fn missing(error: Error) -> Error {
    match error {
        Error::Missing { field } => {
            let example = "openai videos extend --prompt 'It snows' --seconds 8 --video video_123";
            Error::invalid_with(format!("missing option --{field}"), example)
        }
        other => other,
    }
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

/// `@FILE`, an object, a URL, or the id of a video.
fn video(value: &OsStr) -> Result<Reference, Error> {
    const NAME: &str = "--video";
    let value = match input::file_or_text(value) {
        FileOrText::File(path) if path.is_empty() => {
            return Err(invalid(NAME, "missing file name after '@'"));
        }
        FileOrText::File(path) if path == "-" => {
            return Ok(Reference::Upload(Upload::Stream(Stream::new(io::stdin()))));
        }
        FileOrText::File(path) => return Ok(Reference::file(path)),
        FileOrText::Text(value) => value,
    };
    let reference = text(value, NAME)?;
    if reference.trim_start().starts_with('{') {
        return Reference::object(&reference).map_err(|error| with_name(NAME, error));
    }
    if is_url(&reference) {
        return Ok(Reference::Url(reference));
    }
    if fs::metadata(&reference).is_ok_and(|metadata| !metadata.is_dir()) {
        return Err(Error::invalid_with(
            format!("--video: '{reference}' is a file and not the id of a video"),
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
