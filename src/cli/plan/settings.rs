//! The flags and variables about the server -> the library's [`Settings`].

use std::ffi::OsStr;

use openai_videos::{ApiKey, BaseUrl, DEFAULT_BASE_URL, Error, Header, Settings};

use crate::cli::args::flags::Args;
use crate::cli::args::value::{invalid, text, with_name};
use crate::cli::env::{Env, env_value};
use crate::cli::plan::certificates;
use crate::cli::plan::input::{self, FileOrText};
use crate::cli::plan::proxies;

pub(crate) fn settings(args: &Args, env: Env<'_>) -> Result<Settings, Error> {
    let env_text = |name: &str| env_value(env, name).map(|value| text(&value, name)).transpose();
    let or_env = |flag: &Option<String>, name: &str| match flag {
        Some(value) => Ok(Some(value.clone())),
        None => env_text(name),
    };
    let base_url =
        or_env(&args.base_url, "OPENAI_BASE_URL")?.unwrap_or_else(|| DEFAULT_BASE_URL.to_owned());
    let mut settings = Settings::new(BaseUrl::new(base_url.trim())?);
    settings.api_key = api_key(args, env)?;
    settings.organization = or_env(&args.organization, "OPENAI_ORG_ID")?;
    settings.project = or_env(&args.project, "OPENAI_PROJECT_ID")?;
    settings.headers = headers(args)?;
    settings.allow_http = args.allow_http || env_switch(env, "OPENAI_ALLOW_HTTP")?;
    settings.retry_unsafe = args.retry_unsafe;
    settings.max_retries = args.max_retries.unwrap_or(settings.max_retries);
    settings.connect_timeout = args.connect_timeout.unwrap_or(settings.connect_timeout);
    settings.timeout = args.timeout.unwrap_or(settings.timeout);
    settings.stall_timeout = args.stall_timeout.unwrap_or(settings.stall_timeout);
    settings.family = args.family;
    certificates::read(args, env, &mut settings)?;
    settings.proxies = proxies::read(env, settings.base_url.is_https())?;
    Ok(settings)
}

/// Settings with only the secrets that stand in options and variables, not in files: usage errors
/// are redacted with them, before the real settings are known.
pub(crate) fn known_secrets(args: &Args, env: Env<'_>) -> Option<Settings> {
    let mut settings = Settings::new(BaseUrl::new(DEFAULT_BASE_URL).ok()?);
    let variable = || env_value(env, "OPENAI_API_KEY")?.into_string().ok();
    let key = args.api_key.clone().or_else(variable);
    settings.api_key = key.and_then(|key| ApiKey::new(key.trim_matches(' ')).ok());
    for line in &args.headers {
        if let Ok(header) = Header::parse(line) {
            settings.headers.push(header);
        }
    }
    Some(settings)
}

/// The headers of `--header`: `Name: value`, or `@FILE` with one on each line.
fn headers(args: &Args) -> Result<Vec<Header>, Error> {
    let mut headers = Vec::new();
    for value in &args.headers {
        match input::file_or_text(OsStr::new(value)) {
            FileOrText::File(path) => headers.extend(header_file(path)?),
            FileOrText::Text(_) => headers.push(Header::parse(value)?),
        }
    }
    Ok(headers)
}

/// The headers in a file. Their values are secrets, so that errors name the line and not its text.
fn header_file(path: &OsStr) -> Result<Vec<Header>, Error> {
    const REFUSED: [&str; 3] = ["host", "content-length", "transfer-encoding"];
    let text = input::read(path, "--header")?;
    let mut headers = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let refuse = |reason: &str, hint: &str| {
            let place = format!("--header: {}, line {}", input::shown(path), at + 1);
            Error::invalid_with(format!("{place}: {reason}"), hint)
        };
        let name = line.split(':').next().unwrap_or_default();
        if let Some(name) = REFUSED.iter().find(|refused| name.eq_ignore_ascii_case(refused)) {
            let reason = format!("the header '{name}' cannot be set");
            return Err(refuse(&reason, "remove the line"));
        }
        let header = Header::parse(line).map_err(|_| {
            refuse("invalid header", "write it as 'Name: value', without control characters")
        })?;
        headers.push(header.secret());
    }
    Ok(headers)
}

/// The key: from a flag, else from a variable; as text, or from a file. Two flags, or two
/// variables, are an error.
fn api_key(args: &Args, env: Env<'_>) -> Result<Option<ApiKey>, Error> {
    let direct = env_value(env, "OPENAI_API_KEY");
    let file = env_value(env, "OPENAI_API_KEY_FILE");
    let key = |text: &str, from: &str| {
        let text = text.trim_matches(' ');
        ApiKey::new(text).map(Some).map_err(|error| with_name(from, error))
    };
    let from_file = |path: &OsStr, from: &str| key(input::read(path, from)?.trim(), from);
    match (&args.api_key, &args.api_key_file, &direct, &file) {
        (Some(_), Some(_), ..) => {
            Err(Error::invalid("--api-key and --api-key-file cannot both be given"))
        }
        (Some(text), ..) => key(text, "--api-key"),
        (_, Some(path), ..) => from_file(path, "--api-key-file"),
        (.., Some(_), Some(_)) => {
            Err(Error::invalid("OPENAI_API_KEY and OPENAI_API_KEY_FILE cannot both be set"))
        }
        (.., Some(value), None) => match value.to_str() {
            Some(text) => key(text, "OPENAI_API_KEY"),
            // Not quoted: it is a secret.
            None => Err(invalid("OPENAI_API_KEY", "the key is not valid UTF-8")),
        },
        (.., None, Some(path)) => from_file(path, "OPENAI_API_KEY_FILE"),
        _ => Ok(None),
    }
}

fn env_switch(env: Env<'_>, name: &str) -> Result<bool, Error> {
    match env_value(env, name).as_deref().map(OsStr::to_string_lossy).as_deref() {
        None | Some("0" | "false") => Ok(false),
        Some("1" | "true") => Ok(true),
        Some(other) => {
            Err(invalid(name, format!("invalid value '{other}'; possible values: 1, 0")))
        }
    }
}
