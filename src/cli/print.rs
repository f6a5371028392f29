//! What the program says: the result on standard output, everything else on standard error. Nothing of a server's
//! text reaches a terminal as a control character, and no secret reaches anything.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use openai_videos::{Error, Event, FilePart, Job, Preview, PreviewBody, Settings};

use super::resolve::Plan;

/// The settings whose secrets are cut out of everything that is printed from now on.
static SECRETS: OnceLock<Settings> = OnceLock::new();

/// Hides the secrets of these settings in all later output, wherever a server may have put them.
pub(crate) fn hide(settings: Settings) {
    let _ = SECRETS.set(settings);
}

fn hidden(text: String) -> String {
    match SECRETS.get() {
        Some(settings) => settings.hide_secrets(text),
        None => text,
    }
}

/// Control characters, and those that turn the direction of text, as visible escapes. Line breaks and tabs stay.
fn visible(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if (c.is_control() && c != '\n' && c != '\t') || turns(c) {
            // The same escape that JSON has, so that a job stays the same JSON.
            safe += &format!("\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Text for standard output. A closed pipe ends quietly: its reader has had enough.
pub(crate) fn text(text: &str) -> Result<(), Error> {
    match write(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::file("cannot write to standard output", error))
        }
        _ => Ok(()),
    }
}

#[allow(clippy::disallowed_methods)] // this is the one place that writes to standard output
fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let text = hidden(text.to_owned());
    let text = if stdout.is_terminal() {
        visible(&text)
    } else {
        text
    };
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// A job as indented JSON, its members and literals as the server sent them.
pub(crate) fn job(job: &Job) -> Result<(), Error> {
    let pretty = gjson::get(job.text(), "@pretty")
        .json()
        .trim_end()
        .to_owned()
        + "\n";
    text(&pretty).map_err(|error| match error {
        // The job is made and paid for: its id must not go down with the output.
        Error::File { what, source } => {
            Error::file(format!("the job '{}' exists, but {what}", job.id()), source)
        }
        other => other,
    })
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
            if let Some(FilePart {
                name,
                content_type,
                size,
                ..
            }) = file
            {
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

/// Lines on standard error. If that is closed there is nobody left to tell.
#[allow(clippy::disallowed_methods)] // this is the one place that writes to standard error
fn note(text: String) {
    let text = visible(&hidden(text));
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// What failed and why, and what to do about it.
pub(crate) fn error(error: &Error) {
    let mut lines = format!("openai: {error}\n");
    if let Some(hint) = hint(error) {
        lines += &format!("hint: {hint}\n");
    }
    note(lines);
}

fn hint(error: &Error) -> Option<String> {
    let hint = match error {
        Error::Invalid { hint, .. } => return hint.clone(),
        Error::NoKey => {
            "set OPENAI_API_KEY or OPENAI_API_KEY_FILE, or name a server that needs none with OPENAI_BASE_URL".to_owned()
        }
        Error::Unknown { list_url, .. } => format!(
            "a job may exist and be paid for; before you run this again, look for it: \
             curl -H \"Authorization: Bearer $OPENAI_API_KEY\" '{list_url}'"
        ),
        Error::Redirect { .. } => "name the place where the API really is with --base-url".to_owned(),
        Error::Connect { host, .. } if host == "api.openai.com" => {
            "OpenAI's own endpoint was scheduled to shut down on 2026-09-24; name another server with --base-url".to_owned()
        }
        Error::Api(api) => match (api.status, api.retry_after) {
            (401 | 403, _) => "check the key: --api-key, OPENAI_API_KEY or OPENAI_API_KEY_FILE".to_owned(),
            (404 | 405, _) => {
                "the server may not offer this call, or --base-url lacks a path such as /v1".to_owned()
            }
            (_, Some(wait)) => format!("the server asks to wait {} s; run this again then", wait.as_secs()),
            _ => return None,
        },
        _ => return None,
    };
    Some(hint)
}

/// What is shown while a call runs.
pub(crate) struct Screen {
    debug: bool,
    quiet: bool,
}

impl Screen {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            debug: plan.debug,
            quiet: plan.quiet,
        }
    }

    /// Shows one event, or does not.
    pub(crate) fn show(&self, event: &Event<'_>) {
        match event {
            Event::Sending {
                method,
                url,
                headers,
            } if self.debug => {
                note(format!("> {method} {url}\n{}", listed('>', headers)));
            }
            Event::Answer { status, headers } if self.debug => {
                note(format!("< HTTP {status}\n{}", listed('<', headers)));
            }
            Event::Retry {
                after,
                number,
                of,
                why,
            } if !self.quiet => {
                note(format!(
                    "openai: {why}; retry {number} of {of} in {:.1} s\n",
                    after.as_secs_f64()
                ));
            }
            Event::FormInstead if !self.quiet => {
                note(
                    "openai: the server takes no JSON here; sending the reference as a form\n"
                        .to_owned(),
                );
            }
            _ => {}
        }
    }
}

fn listed(mark: char, headers: &[(String, String)]) -> String {
    headers
        .iter()
        .map(|(name, value)| format!("{mark} {name}: {value}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_visible() {
        let text = "a\u{1b}[2J\u{7}\u{9b}b\u{202e}c\n\td é🎬";
        assert_eq!(visible(text), "a\\u001b[2J\\u0007\\u009bb\\u202ec\n\td é🎬");
    }
}
