//! What the program says: the result on standard output, everything else on standard error. Nothing of a server's
//! text reaches a terminal as a control character, and no secret reaches anything.

pub(crate) mod debug;
pub(crate) mod escape;
pub(crate) mod format;
pub(crate) mod json;
pub(crate) mod progress;
pub(crate) mod table;
pub(crate) mod yaml;

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use openai_videos::{
    ApiErrorKind, ConnectError, ConnectErrorKind, Error, FilePart, Job, Preview, PreviewBody,
    Settings, is_json,
};

use crate::cli::plan::view::View;
use crate::cli::show::escape::{line, visible};
use crate::cli::show::json::paint;
use crate::cli::stdio::{self, Terminals};

/// The settings whose secrets are cut out of everything that is printed from now on.
static SECRETS: OnceLock<Settings> = OnceLock::new();

/// Hides the secrets of these settings in all later output, wherever a server may have put them.
pub(crate) fn hide(settings: Settings) {
    let _ = SECRETS.set(settings);
}

fn hidden(text: String) -> String {
    match SECRETS.get() {
        Some(settings) => settings.redact(text),
        None => text,
    }
}

/// Text for standard output.
pub(crate) fn text(text: &str) -> Result<(), Error> {
    put(hidden(text.to_owned()), false).map(drop)
}

/// A closed pipe ends quietly: its reader has had enough. `false` tells of it.
fn put(text: String, colour: bool) -> Result<bool, Error> {
    match write(text, colour) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Error::file("cannot write to standard output", error)),
    }
}

fn write(text: String, colour: bool) -> io::Result<()> {
    let mut stdout = stdio::stdout()?;
    let text = dressed(text, colour, stdout.is_terminal());
    stdout.write_all(text.as_bytes())
}

/// For a terminal with nothing hidden and in colours; a file gets what the server sent.
fn dressed(mut text: String, colour: bool, is_terminal: bool) -> String {
    if colour || is_terminal {
        text = visible(&text);
    }
    if colour {
        text = paint(&text);
    }
    text
}

/// A result: JSON, in the format that was asked for.
pub(crate) fn json(json: &str, view: &View) -> Result<(), Error> {
    result(json, view, None).map(drop)
}

fn result(json: &str, view: &View, advice: Option<String>) -> Result<bool, Error> {
    if json.trim().is_empty() {
        return Ok(true);
    }
    let json = match SECRETS.get() {
        Some(settings) => settings.redact_result(json),
        None => json.into(),
    };
    let shown = view.show(&json);
    remark(shown.remark);
    put(shown.text + &hidden(advice.unwrap_or_default()), shown.colour)
}

fn remark(text: Option<String>) {
    if let Some(text) = text {
        say(&text);
    }
}

/// A job. Should standard output not take it, its id does not go down with it: it is made and paid for. `false` tells
/// of a closed pipe.
pub(crate) fn job(job: &Job, view: &View, fetched: bool) -> Result<bool, Error> {
    result(job.text(), view, view.advice(job, fetched)).map_err(|error| match error {
        Error::File { what, source } => {
            Error::file(format!("the job '{}' exists, but {what}", job.id()), source)
        }
        other => other,
    })
}

/// Lets `write` write media to standard output. A closed pipe ends quietly here too; `false` tells of it.
pub(crate) fn media(
    write: impl FnOnce(&mut dyn Write) -> Result<(), Error>,
) -> Result<bool, Error> {
    let unwritable = |source| Error::file("cannot write to standard output", source);
    match write(&mut stdio::stdout().map_err(unwritable)?) {
        Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(Error::File { source, .. }) => Err(unwritable(source)),
        done => done.map(|()| true),
    }
}

/// A request that is not sent.
pub(crate) fn preview(preview: &Preview) -> Result<(), Error> {
    let mut lines = format!("{} {}\n", preview.method, preview.url);
    for (name, value) in &preview.headers {
        lines += &format!("{name}: {value}\n");
    }
    lines.push('\n');
    match &preview.body {
        PreviewBody::Json(json) => lines += &format!("{json}\n"),
        PreviewBody::Form { parts, file } => {
            for (name, text) in parts {
                lines += &format!("{name}: {text}\n");
            }
            if let Some(FilePart { name, content_type, size, .. }) = file {
                let size = size.map_or("a stream of unknown length".to_owned(), |size| {
                    format!("{size} bytes")
                });
                lines += &format!("video: file '{name}', {content_type}, {size}\n");
            }
        }
        _ => {}
    }
    text(&lines)
}

/// A line on standard error.
pub(crate) fn say(text: &str) {
    note(format!("openai: {}\n", line(text)));
}

/// Lines on standard error. If that is closed there is nobody left to tell.
pub(crate) fn note(text: String) {
    let text = hidden(text);
    let _ = stdio::stderr().write_all(text.as_bytes());
}

/// What failed and why, and what to do about it.
pub(crate) fn error(error: &Error, view: &View) {
    if !view.is_default() {
        let shown = view.show(&error_json(error));
        remark(shown.remark);
        note(dressed(shown.text, shown.colour, Terminals::of_process().stderr));
        return;
    }
    let mut lines = format!("openai: {}\n", line(&error.to_string()));
    if let Some(hint) = hint(error) {
        lines += &format!("hint: {}\n", line(&hint));
    }
    note(lines);
}

/// A word as a shell takes it, on one line.
pub(crate) fn quoted(word: &str) -> String {
    format!("'{}'", line(&word.replace('\'', "'\\''")))
}

/// A call about a job, to be copied.
pub(crate) fn call(command: &str, job: &Job) -> String {
    let server = SECRETS.get().filter(|settings| !settings.base_url.is_default());
    let server = server.map_or(String::new(), |settings| {
        format!(" --base-url {}", quoted(settings.base_url.as_str()))
    });
    format!("openai videos {command}{server} -- {}", quoted(job.id()))
}

/// The API's error as it sent it, if that is JSON with something in it, and every other in the usual shape.
fn error_json(error: &Error) -> String {
    if let Error::Api(api) = error
        && api.body.trim_start().starts_with(['{', '['])
        && is_json(&api.body)
    {
        return api.body.clone();
    }
    let quote = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let hint = hint(error).map_or(String::new(), |hint| format!(",\"hint\":{}", quote(&hint)));
    format!("{{\"error\":{{\"message\":{}{hint}}}}}", quote(&error.to_string()))
}

fn hint(error: &Error) -> Option<String> {
    let hint = match error {
        Error::Invalid { hint, .. } => return hint.clone(),
        Error::Unencrypted { .. } => "use https://, or allow it with --allow-http or OPENAI_ALLOW_HTTP=1".to_owned(),
        Error::NoKey => {
            "set OPENAI_API_KEY or OPENAI_API_KEY_FILE, or name a server that needs none with OPENAI_BASE_URL".to_owned()
        }
        Error::UnknownOutcome { list_url, .. } => {
            let key = match SECRETS.get().is_some_and(|settings| settings.api_key.is_some()) {
                true => "-H \"Authorization: Bearer $OPENAI_API_KEY\" ",
                false => "",
            };
            format!(
                "a job may exist and be paid for; before you run this again, look for it: curl {key}{}",
                quoted(list_url)
            )
        }
        Error::Unresolved { list_url, path, .. } => format!(
            "look for it at {list_url}; if there is none, remove {} to send the request again",
            quoted(&path.to_string_lossy())
        ),
        Error::JobGone { path, .. } => {
            format!("remove {} to begin a new job", quoted(&path.to_string_lossy()))
        }
        Error::WaitTimeout { job, .. } => format!(
            "wait for it again with: {} (or run the same command again, if it had --state)",
            call("retrieve --wait", job)
        ),
        Error::Redirect { .. } => "name the place where the API really is with --base-url".to_owned(),
        Error::Connect { host, source } => return network_hint(host, &**source),
        Error::Api(api) => match (api.kind, api.retry_after) {
            (ApiErrorKind::NotAuthorized, _) => "check the key: --api-key, OPENAI_API_KEY or OPENAI_API_KEY_FILE".to_owned(),
            (ApiErrorKind::NotFound | ApiErrorKind::MethodNotAllowed, _) => {
                "the server may not offer this call, or --base-url lacks a path such as /v1".to_owned()
            }
                (_, Some(wait)) if wait.as_secs() > 86_400 => {
                "the server asks to wait for more than a day".to_owned()
            }
            (_, Some(wait)) => {
                format!("the server asks to wait {} s; run this again then", wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
            }
            _ => return None,
        },
        _ => return None,
    };
    Some(hint)
}

/// What to do about a kind that was told apart.
fn network_hint(host: &str, source: &(dyn std::error::Error + 'static)) -> Option<String> {
    let kind = source.downcast_ref().map(|reason: &ConnectError| reason.kind);
    let hint = match kind {
        Some(ConnectErrorKind::Clock) => {
            let now = httpdate::fmt_http_date(std::time::SystemTime::now());
            return Some(format!("the clock of this machine says {now}; if that is wrong, set it"));
        }
        Some(ConnectErrorKind::Issuer) => {
            "if you trust it, name a file with its issuer's certificate: --cacert FILE or SSL_CERT_FILE"
        }
        Some(ConnectErrorKind::CaCertificate) => {
            "give the server a certificate made with basicConstraints=CA:FALSE, or one signed by this one"
        }
        Some(ConnectErrorKind::NoTls) => "for a server of plain http, write http:// in --base-url",
        Some(ConnectErrorKind::ClientCertificate) => {
            "name one that it knows: --mtls-client-cert-file and --mtls-client-key-file"
        }
        Some(ConnectErrorKind::NoNameServer) => {
            "name a name server in /etc/resolv.conf (nameserver 192.0.2.1), or the host by its address"
        }
        Some(ConnectErrorKind::ProxyCredentials) => {
            "put them into the proxy's URL: http://user:password@host:port, percent-encoded"
        }
        _ if host == "api.openai.com" => {
            "OpenAI's own endpoint was scheduled to shut down on 2026-09-24; name another server with --base-url"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}
