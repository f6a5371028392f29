//! The calls of the library: composition only. What they are made of lives in the modules that they name.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::api::error::Error;
use crate::api::event::Event;
use crate::api::extension::Extension;
use crate::api::job::Job;
use crate::api::preview::Preview;
use crate::http::Http;
use crate::http::request::Request;
use crate::jobs::download::{self, Download};
use crate::jobs::output_file::Target;
use crate::jobs::state_file::StateFile;
use crate::jobs::wait::{self, Wait};
use crate::jobs::{submit, submit_once};
use crate::settings::Settings;
use crate::url::segment;

/// A blocking client of one server. Cheap to make; connections are opened when needed, and kept but for one that
/// brought a large download.
///
/// One call at a time: whether a request was sent is known for the one that is under way. Each thread makes its own
/// client, and the compiler holds them to it:
///
/// ```compile_fail
/// fn shared<T: Sync>() {}
/// shared::<openai_videos::Client>();
/// ```
pub struct Client {
    http: Http,
    /// Makes it `!Sync`.
    alone: PhantomData<Cell<()>>,
}

impl Client {
    /// Checks the settings. Nothing is sent yet.
    ///
    /// # Errors
    /// As [`Settings::check`].
    pub fn new(settings: Settings) -> Result<Self, Error> {
        Self::with_events(settings, |_| {})
    }

    /// A client that reports what it does to `report` while a call runs, on the calling thread.
    ///
    /// # Errors
    /// As [`Settings::check`].
    pub fn with_events(
        settings: Settings,
        report: impl Fn(&Event<'_>) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        settings.check()?;
        let http = Http::new(settings, Arc::new(report));
        Ok(Self { http, alone: PhantomData })
    }

    /// Asks for an extension of a completed video: `POST /videos/extensions` (`CreateVideoExtend`). Blocks until the
    /// server has answered, which may take minutes after an upload, but does not wait for the video.
    ///
    /// # Errors
    /// - [`Error::Invalid`], [`Error::File`], [`Error::FileChanged`]: the upload cannot be read, or changed under way.
    /// - [`Error::Connect`]: nothing was sent, however often it was tried.
    /// - [`Error::Api`]: the server refused (4xx), or could not take it (429, 503) after the retries.
    /// - [`Error::Redirect`]: the API is somewhere else.
    /// - [`Error::UnknownOutcome`]: the request was sent and no readable answer came: a job may exist.
    pub fn extend(&self, extension: &Extension) -> Result<Job, Error> {
        submit::submit(&self.http, extension)
    }

    /// Like [`Client::extend`], but for one job however often the run is cut: what is under way stands in `state`. A
    /// job that an earlier run began is taken up instead of a new one; after a run that was cut while it sent its
    /// request, the server is asked whether there is a job (`GET /videos`, `ListVideos`).
    ///
    /// The caller clears the state when it has what it wants of the job; a job that ended without media, too.
    ///
    /// # Errors
    /// As [`Client::extend`], and:
    /// - [`Error::Invalid`]: the state is about another request, or this one uploads a stream.
    /// - [`Error::Unresolved`]: the server does not tell whether there is a job.
    /// - [`Error::File`]: the state cannot be written; if it says so before the request, nothing was sent.
    pub fn extend_once(&self, extension: &Extension, state: &mut StateFile) -> Result<Job, Error> {
        submit_once::submit_once(&self.http, extension, state)
    }

    /// The job as it is now: `GET /videos/{video_id}` (`GetVideo`).
    ///
    /// # Errors
    /// [`Error::Api`], [`Error::Connect`], or [`Error::NoResponse`] if no readable answer came, after the retries.
    pub fn retrieve(&self, id: &str) -> Result<Job, Error> {
        let path = format!("/videos/{}", segment(id));
        let request = Request::get(&path);
        wait::seen(&self.http, &request, self.http.text(&request)?, id)
    }

    /// Polls until the job is completed. Failed polls are taken in stride until [`Wait::timeout`]; a 401, 403, 404 or
    /// 410 ends it at once.
    ///
    /// # Errors
    /// - [`Error::JobFailed`]: the job ended without media.
    /// - [`Error::WaitTimeout`]: it still runs.
    /// - [`Error::Api`]: the server does not let this client look, or knows no such job.
    pub fn wait(&self, job: Job, rules: &Wait) -> Result<Job, Error> {
        wait::wait(&self.http, job, rules)
    }

    /// Fetches a completed job's media: `GET /videos/{video_id}/content` (`RetrieveVideoContent`). A file appears
    /// whole or not at all; a broken connection is picked up where it broke if the server allows. Gives the number
    /// of bytes.
    ///
    /// # Errors
    /// - [`Error::File`]: the target cannot be written.
    /// - [`Error::NotMedia`]: the server sent a page or JSON.
    /// - [`Error::Api`], [`Error::Connect`], [`Error::NoResponse`]: the content could not be had, or not whole, after the
    ///   retries.
    pub fn download(&self, id: &str, options: &Download, target: Target<'_>) -> Result<u64, Error> {
        download::download(&self.http, id, options, target)
    }

    /// Deletes a job and its media: `DELETE /videos/{video_id}` (`DeleteVideo`). Gives the response's text; it is empty
    /// where the response was lost and a second attempt found that the job is gone.
    ///
    /// # Errors
    /// [`Error::Api`], [`Error::Connect`], or [`Error::NoResponse`] if no readable answer came, after the retries.
    pub fn delete(&self, id: &str) -> Result<String, Error> {
        self.http.delete(&format!("/videos/{}", segment(id)))
    }

    /// What [`Client::extend`] would send, with nothing sent and the secrets hidden.
    ///
    /// # Errors
    /// As [`Client::extend`], for a file that cannot be uploaded.
    pub fn preview(&self, extension: &Extension) -> Result<Preview, Error> {
        submit::preview(&self.http, extension)
    }

    /// The settings that this client was made with.
    pub fn settings(&self) -> &Settings {
        self.http.settings()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("settings", self.settings()).finish()
    }
}
