//! The output of the program: the result on standard output, everything else on standard error.
//! Control characters of a server's text never reach a terminal, and secrets are redacted
//! everywhere.

pub(crate) mod debug;
pub(crate) mod escape;
pub(crate) mod format;
mod hints;
pub(crate) mod json;
pub(crate) mod progress;
pub(crate) mod table;
pub(crate) mod yaml;

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

use openai_videos::json::{is_json, quote};
use openai_videos::{Error, FilePart, Job, Preview, PreviewBody, Settings};

use crate::cli::plan::view::View;
use crate::cli::plan::{Named, Plan};
use crate::cli::show::escape::{line, visible};
use crate::cli::show::json::paint;
use crate::cli::stdio::{Terminals, stderr, stdout};

/// Prints results and errors in the formats that were asked for.
#[derive(Clone)]
pub(crate) struct Printer {
    terminals: Terminals,
    results: View,
    errors: View,
    /// Their secrets are redacted, and hints name their base URL. Until the arguments are resolved,
    /// these are the settings of `known_secrets`.
    settings: Option<Arc<Settings>>,
    /// The resource that the command names by its id, for hints.
    named: Option<Named>,
}

impl Printer {
    /// A printer of errors in the default format, and of text.
    pub(crate) fn new(terminals: Terminals) -> Self {
        Self {
            terminals,
            results: View::default(),
            errors: View::default(),
            settings: None,
            named: None,
        }
    }

    pub(crate) fn terminals(&self) -> Terminals {
        self.terminals
    }

    /// Prints errors in this format from now on. Returns the error about an invalid format.
    pub(crate) fn show_errors_in(&mut self, view: Result<View, Error>) -> Result<(), Error> {
        self.errors = view?;
        Ok(())
    }

    /// Redacts the secrets of these settings from now on.
    pub(crate) fn redact_secrets_of(&mut self, settings: Option<Settings>) {
        self.settings = settings.map(Arc::new);
    }

    /// Prints results in the format of this plan from now on, and redacts the secrets of its
    /// settings.
    pub(crate) fn show_results_of(&mut self, plan: &Plan) {
        self.results = plan.view.clone();
        self.redact_secrets_of(Some(plan.settings.clone()));
        self.named = plan.named();
    }

    /// Text for standard output.
    pub(crate) fn text(&self, text: &str) -> Result<(), Error> {
        self.put(self.redacted(text.to_owned()), false).map(drop)
    }

    /// A result: JSON, in the format that was asked for.
    pub(crate) fn json(&self, json: &str) -> Result<(), Error> {
        self.result(json, None).map(drop)
    }

    /// One result of a list. Returns `Break` once the reader has closed the pipe.
    pub(crate) fn item(&self, json: &str) -> Result<ControlFlow<()>, Error> {
        let is_taken = self.result(json, None)?;
        Ok(if is_taken { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    }

    /// A job. `fetched`: its media are stored already. Returns `false` if the reader closed the
    /// pipe. If standard output cannot be written, the error holds the id: the job exists and is
    /// paid for.
    pub(crate) fn job(&self, job: &Job, fetched: bool) -> Result<bool, Error> {
        let next = if self.results.is_for_people() {
            hints::next_step(job, fetched, self.settings.as_deref())
        } else {
            None
        };
        self.result(job.text(), next).map_err(|error| match error {
            Error::File { context, source } => {
                Error::file(format!("the job '{}' exists, but {context}", job.id()), source)
            }
            other => other,
        })
    }

    /// Lets `write` write media to standard output. Returns `false` if the reader closed the pipe.
    pub(crate) fn media(
        &self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        match write(&mut stdout().map_err(unwritable)?) {
            Err(Error::File { source, .. }) => unless_closed(source),
            done => done.map(|()| true),
        }
    }

    /// A request that is not sent.
    pub(crate) fn preview(&self, preview: &Preview) -> Result<(), Error> {
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
                if let Some(FilePart { field, name, content_type, size, .. }) = file {
                    let size = size.map_or("a stream of unknown length".to_owned(), |size| {
                        format!("{size} bytes")
                    });
                    lines += &format!("{field}: file '{name}', {content_type}, {size}\n");
                }
            }
            _ => {}
        }
        self.text(&lines)
    }

    /// Prints an error and its hint on standard error.
    pub(crate) fn error(&self, error: &Error) {
        if !self.errors.is_default() {
            let shown = self.errors.show(&self.error_json(error));
            self.notice(shown.notice);
            let text = self.redacted(shown.text);
            return to_stderr(&printable(text, shown.colour, self.terminals.stderr));
        }
        let mut lines = format!("openai: {}\n", line(&error.to_string()));
        if let Some(hint) = self.hint(error) {
            lines += &format!("hint: {}\n", line(&hint));
        }
        self.note(lines);
    }

    /// A line on standard error.
    pub(crate) fn say(&self, text: &str) {
        self.note(format!("openai: {}\n", line(text)));
    }

    /// Lines on standard error.
    pub(crate) fn note(&self, text: String) {
        to_stderr(&self.redacted(text));
    }

    /// Returns `false` if the reader closed the pipe. `next`: the next step, for a person.
    fn result(&self, json: &str, next: Option<String>) -> Result<bool, Error> {
        if json.trim().is_empty() {
            return Ok(true);
        }
        let json = match &self.settings {
            Some(settings) => settings.redact_result(json),
            None => json.into(),
        };
        let shown = self.results.show(&json);
        self.notice(shown.notice);
        self.put(shown.text + &self.redacted(next.unwrap_or_default()), shown.colour)
    }

    fn notice(&self, text: Option<String>) {
        if let Some(text) = text {
            self.say(&text);
        }
    }

    /// Returns `false` if the reader closed the pipe, which is not an error: it has read enough.
    fn put(&self, text: String, colour: bool) -> Result<bool, Error> {
        let text = printable(text, colour, self.terminals.stdout);
        match stdout().and_then(|mut stdout| stdout.write_all(text.as_bytes())) {
            Ok(()) => Ok(true),
            Err(error) => unless_closed(error),
        }
    }

    fn redacted(&self, text: String) -> String {
        match &self.settings {
            Some(settings) => settings.redact(text),
            None => text,
        }
    }

    fn hint(&self, error: &Error) -> Option<String> {
        hints::hint(error, self.settings.as_deref(), self.named.as_ref())
    }

    /// The API's error as received, if that is JSON with something in it; every other error in the
    /// usual shape.
    fn error_json(&self, error: &Error) -> String {
        if let Error::Api(api) = error
            && api.body.trim_start().starts_with(['{', '['])
            && is_json(&api.body)
        {
            return api.body.clone();
        }
        let hint =
            self.hint(error).map_or(String::new(), |hint| format!(",\"hint\":{}", quote(&hint)));
        format!("{{\"error\":{{\"message\":{}{hint}}}}}", quote(&error.to_string()))
    }
}

/// Escapes control characters for a terminal, and adds colours. A file gets what the server sent.
fn printable(mut text: String, colour: bool, is_terminal: bool) -> String {
    if colour || is_terminal {
        text = visible(&text);
    }
    if colour {
        text = paint(&text);
    }
    text
}

/// A failure is ignored, because there is no other stream to report it on.
fn to_stderr(text: &str) {
    let _ = stderr().write_all(text.as_bytes());
}

fn unwritable(source: io::Error) -> Error {
    Error::file("cannot write to standard output", source)
}

/// `false` for a pipe that its reader closed.
fn unless_closed(error: io::Error) -> Result<bool, Error> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(false) } else { Err(unwritable(error)) }
}
