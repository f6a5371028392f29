//! Shows on standard error the events of a run: notices, requests and responses with `--debug`, and
//! on a terminal one line of progress, redrawn in place.
//!
//! The line has at most 39 columns, so that it fits any terminal without asking for its width.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use openai_videos::{Encoding, Error, Event, Job, shorten};

use crate::cli::plan::view::Verbosity;
use crate::cli::show::Printer;
use crate::cli::show::debug::DebugLog;
use crate::cli::show::escape::{line, visible, width};
use crate::cli::signals;

const WIDTH: usize = 39;
/// A transfer is drawn only after it has taken this long, and then not more often.
const PAUSE: Duration = Duration::from_millis(250);

/// Shows the events of a run. Dropping it removes the progress line.
pub(crate) struct Progress {
    show: Verbosity,
    printer: Printer,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When the current upload or download began.
    began: Option<Instant>,
    drawn: Option<Instant>,
    debug_log: DebugLog,
    /// The last notice, which is not repeated.
    last_notice: String,
    /// The last failed poll or missing content, without the parts that differ from one response to
    /// the next.
    last_failure: String,
    /// Whether an unknown status was reported.
    unknown_status: bool,
}

impl Progress {
    pub(crate) fn new(show: Verbosity, printer: Printer) -> Self {
        Self { show, printer, state: Mutex::default() }
    }

    /// Handles one event: prints or draws it, unless the options hide it.
    pub(crate) fn show(&self, event: &Event<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        if self.show.debug
            && let Some(lines) = state.debug_log.lines(event)
        {
            self.printer.note(visible(&lines));
        }
        match event {
            Event::Request { .. } | Event::Response { .. } => state.began = Some(Instant::now()),
            Event::StateNotSaved { id, error } => {
                // Printed in spite of --quiet, because the id is nowhere else.
                self.clear(state);
                self.printer.say(&format!("job {id}: {error}"));
            }
            Event::TemporaryFile { path } => signals::set_temporary_file(*path),
            Event::PollFailed { error } => {
                self.repeated_failure(state, "poll", error, || format!("{error}; polling again"));
            }
            Event::NotReady { error } => self.repeated_failure(state, "content", error, || {
                format!("the content is not ready, trying again for up to a minute: {error}")
            }),
            Event::Upload { sent, total } => {
                self.draw(state, false, |took| transfer("upload", *sent, *total, took));
            }
            Event::Download { received, total } => {
                self.draw(state, false, |took| transfer("download", *received, *total, took));
            }
            Event::Status { job, elapsed } => self.status(state, job, *elapsed),
            event => {
                if let Some(text) = notice(event) {
                    self.notice(state, text);
                }
            }
        }
    }

    /// Reports a failure that may repeat hundreds of times: once, and again only when it changes.
    /// Two responses with the same status count as the same failure, as their texts may differ by a
    /// request id.
    fn repeated_failure(
        &self,
        state: &mut State,
        of: &str,
        error: &Error,
        text: impl FnOnce() -> String,
    ) {
        let failure = match error {
            Error::Api(api) => format!("{of}: HTTP {}", api.status),
            error => format!("{of}: {error}"),
        };
        if state.last_failure != failure {
            self.notice(state, text());
            state.last_failure = failure;
        }
    }

    fn status(&self, state: &mut State, job: &Job, elapsed: Duration) {
        if elapsed.is_zero() && self.show.id {
            // Printed in spite of --quiet: after an interrupted run the id is only in this line.
            self.clear(state);
            self.printer.say(&format!("job {}", job.id()));
        }
        if job.has_unknown_status() && !state.unknown_status {
            state.unknown_status = true;
            let word = shorten(job.status_word().unwrap_or_default());
            self.notice(state, format!("unknown status '{word}', treated as pending"));
        }
        self.draw(state, true, |_| {
            let word = job.status_word().unwrap_or("waiting").to_owned();
            status(&self.printer.redacted(word), job, elapsed)
        });
    }

    fn notice(&self, state: &mut State, text: String) {
        if self.show.notices && state.last_notice != text {
            self.clear(state);
            self.printer.say(&text);
            state.last_notice = text;
        }
    }

    fn draw(&self, state: &mut State, at_once: bool, text: impl FnOnce(Duration) -> String) {
        if !self.show.progress {
            return;
        }
        let now = Instant::now();
        let since = |then: Option<Instant>| then.map(|then| now.duration_since(then));
        let took = since(state.began).unwrap_or_default();
        if at_once || (took >= PAUSE && since(state.drawn).is_none_or(|since| since >= PAUSE)) {
            self.printer.note(format!("\r\u{1b}[K{}", fitted(&text(took))));
            state.drawn = Some(now);
        }
    }

    fn clear(&self, state: &mut State) {
        if state.drawn.take().is_some() {
            self.printer.note("\r\u{1b}[K".to_owned());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let mut state =
            std::mem::take(self.state.get_mut().unwrap_or_else(PoisonError::into_inner));
        self.clear(&mut state);
        if self.show.debug {
            self.printer.note(visible(&state.debug_log.end()));
        }
    }
}

/// The notice about an event that does not depend on earlier ones.
fn notice(event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::Retry { after, number, max_retries, error, .. } => {
            let tenths = after.as_millis() / 100;
            format!("{error}; retry {number} of {max_retries} in {}.{} s", tenths / 10, tenths % 10)
        }
        Event::EncodingSwitched { to: Encoding::DataUrl } => {
            "the server does not accept a form here (HTTP 415); sending JSON with a data URL"
                .to_owned()
        }
        Event::EncodingSwitched { .. } => {
            "the server does not accept JSON here (HTTP 415); sending a form".to_owned()
        }
        Event::JobNotListed { left } => format!(
            "the server does not list a job of the interrupted request; looking again for {} s",
            left.as_secs() + 1
        ),
        Event::ListIncomplete => {
            "the list may be incomplete: the server does not return its next page".to_owned()
        }
        _ => return None,
    })
}

/// As much of a text as fits, on one line.
fn fitted(text: &str) -> String {
    let mut columns = 0;
    let fits = |c: &char| {
        columns += width(*c);
        columns <= WIDTH
    };
    line(text).chars().take_while(fits).collect()
}

/// `download 45 % of 1.2 GB, 12.3 MB/s`
fn transfer(kind: &str, done: u64, total: Option<u64>, took: Duration) -> String {
    let rate =
        size((u128::from(done) * 1000 / took.as_millis().max(1)).try_into().unwrap_or(u64::MAX));
    match total.filter(|total| *total > 0) {
        Some(total) => {
            let percent = u128::from(done) * 100 / u128::from(total);
            format!("{kind} {percent} % of {}, {rate}/s", size(total))
        }
        None => format!("{kind} {}, {rate}/s", size(done)),
    }
}

/// `in_progress 45 %, 1:23`
fn status(word: &str, job: &Job, elapsed: Duration) -> String {
    let word: String = shorten(word).chars().take(18).collect();
    let progress = job
        .progress()
        .filter(|text| text.len() <= 5 && text.parse::<f64>().is_ok_and(f64::is_finite));
    let progress = progress.map_or(String::new(), |percent| format!(" {percent} %"));
    let seconds = elapsed.as_secs();
    format!("{word}{progress}, {}:{:02}", seconds / 60, seconds % 60)
}

/// `999 B`, `1.2 GB`: decimal units. Computed in whole numbers, as the code that prints floats
/// would take 12 KB.
fn size(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut tenths = (u128::from(bytes) * 10 + 500) / 1000;
    for unit in ["kB", "MB", "GB"] {
        if tenths < 10_000 {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        tenths = (tenths + 500) / 1000;
    }
    format!("{}.{} TB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_their_units() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (1 << 30, "1.1 GB"),
            (5_000_000_000_000, "5.0 TB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn the_progress_line_fits_39_columns() {
        let second = Duration::from_secs(1);
        assert_eq!(
            transfer("download", 450, Some(1000), second),
            "download 45 % of 1.0 kB, 450 B/s"
        );
        assert_eq!(transfer("upload", 450, None, second), "upload 450 B, 450 B/s");
        let longest =
            transfer("download", 999_900_000_000, Some(999_900_000_000), Duration::from_secs(1001));
        assert_eq!(longest, "download 100 % of 999.9 GB, 998.9 MB/s");
        assert!(longest.len() <= WIDTH);

        let minute = Duration::from_secs(83);
        let status = |word: &str, job: &str| status(word, &Job::parse(job).unwrap(), minute);
        assert_eq!(status("in_progress", r#"{"id":1,"progress":45}"#), "in_progress 45 %, 1:23");
        assert_eq!(status("waiting", r#"{"id":1,"progress":"many"}"#), "waiting, 1:23");
        let line = fitted(&status("in\n\nprog\tress\u{7}", r#"{"id":1}"#));
        assert_eq!(line, "in prog ress\\u0007, 1:23");
        assert_eq!(fitted(&"長".repeat(WIDTH)), "長".repeat(WIDTH / 2));
    }
}
