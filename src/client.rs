//! [`Client`]: every operation of the library, each implemented in a line or a few.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::api::error::Error;
use crate::api::event::Event;
use crate::api::job::Job;
use crate::api::preview::Preview;
use crate::api::reference::{Reference, Upload};
use crate::api::video_request::VideoRequest;
use crate::http::Http;
use crate::http::request::Request;
use crate::jobs::download::{self, Download};
use crate::jobs::effects::Live;
use crate::jobs::list::{self, ListQuery};
use crate::jobs::output_file::Target;
use crate::jobs::state_file::StateFile;
use crate::jobs::submit_once::Delivery;
use crate::jobs::wait::{self, Wait};
use crate::jobs::{submit, submit_once};
use crate::json::Object;
use crate::settings::Settings;
use crate::url::segment;

/// A blocking client of one server. It is cheap to create; connections are opened when needed and
/// reused, except after a large download.
///
/// It performs one operation at a time, because whether a request was sent is tracked for the
/// current one only. Each thread needs its own client, which the compiler enforces:
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
    /// A client with these settings, which are checked. Nothing is sent yet.
    ///
    /// # Errors
    /// As [`Settings::check`].
    pub fn new(settings: Settings) -> Result<Self, Error> {
        Self::with_events(settings, |_| {})
    }

    /// The same with a function that is called on the calling thread with each event.
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

    /// Creates a video as `prompt` says, with the server's defaults: `POST /videos`
    /// (`CreateVideo`). [`VideoRequest::from_fields`] and [`Client::submit`] send other fields.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), openai_videos::Error> {
    /// # let client = openai_videos::Client::new(openai_videos::Settings::new(
    /// #     openai_videos::BaseUrl::new("https://gateway.example.com/v1")?,
    /// # ))?;
    /// use openai_videos::{Download, Target, Wait};
    /// let job = client.create("A cat on a piano")?;
    /// let job = client.wait(job, &Wait::default())?;
    /// client.download(&job, &Download::default(), Target::File("cat.mp4".as_ref()))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`VideoRequest::create`] and [`Client::submit`].
    pub fn create(&self, prompt: &str) -> Result<Job, Error> {
        self.submit(&VideoRequest::create(prompt)?)
    }

    /// Creates an extension of a completed video by `seconds`: `POST /videos/extensions`
    /// (`CreateVideoExtend`).
    ///
    /// # Errors
    /// As [`VideoRequest::extend`] and [`Client::submit`].
    pub fn extend(&self, prompt: &str, seconds: &str, video: Reference) -> Result<Job, Error> {
        self.submit(&VideoRequest::extend(prompt, seconds, video)?)
    }

    /// Creates a changed version of a completed video: `POST /videos/edits` (`CreateVideoEdit`).
    ///
    /// # Errors
    /// As [`VideoRequest::edit`] and [`Client::submit`].
    pub fn edit(&self, prompt: &str, video: Reference) -> Result<Job, Error> {
        self.submit(&VideoRequest::edit(prompt, video)?)
    }

    /// Creates another version of a completed video: `POST /videos/{video_id}/remix`
    /// (`CreateVideoRemix`).
    ///
    /// # Errors
    /// As [`VideoRequest::remix`] and [`Client::submit`].
    pub fn remix(&self, video_id: &str, prompt: &str) -> Result<Job, Error> {
        self.submit(&VideoRequest::remix(video_id, prompt)?)
    }

    /// Sends a request that creates a job. Blocks until the response, which may take minutes after
    /// an upload, but does not wait for the video.
    ///
    /// # Errors
    /// - [`Error::Invalid`], [`Error::File`], [`Error::FileChanged`]: the upload cannot be read, or
    ///   changed meanwhile.
    /// - [`Error::Connect`]: nothing was sent, after the retries.
    /// - [`Error::Api`]: the server refused the request (4xx), or was unavailable (429, 503) after
    ///   the retries.
    /// - [`Error::Redirect`]: the server redirects the request, which is not followed.
    /// - [`Error::UnknownOutcome`]: the request was sent without a readable response: a job may
    ///   exist.
    pub fn submit(&self, request: &VideoRequest) -> Result<Job, Error> {
        submit::submit(&self.http, request)
    }

    /// Like [`Client::submit`], but creates at most one job, however often the run is interrupted
    /// and repeated: `state` records the job. A job that an earlier run created is resumed; after a
    /// run that was interrupted during its POST, the server's list is searched for its job (`GET
    /// /videos`, `ListVideos`).
    ///
    /// With `wait` it waits as [`Client::wait`]. Then `deliver` takes the client and the job or the
    /// error, and delivers the result. The state is emptied once the job has failed, or is
    /// completed and delivered.
    ///
    /// # Errors
    /// As [`Client::submit`], [`Client::wait`] and `deliver`, and:
    /// - [`Error::Invalid`]: the state holds another request, or this one uploads a stream.
    /// - [`Error::Unresolved`]: it is not known whether there is a job.
    /// - [`Error::JobNotFound`]: the server does not have the job that an earlier run created.
    /// - [`Error::File`]: the state cannot be written; if that fails before the request, nothing
    ///   was sent.
    pub fn submit_once(
        self,
        request: &VideoRequest,
        state: &mut StateFile,
        wait: Option<&Wait>,
        deliver: impl FnOnce(Client, Result<Job, Error>) -> Result<Delivery, Error>,
    ) -> Result<(), Error> {
        let live = Live::new(self.http, request, wait);
        let submission = live.submission().map_err(|error| state.waiting(error))?;
        submit_once::run(live, state, &submission, |live, result| {
            deliver(Client { http: live.http, alone: PhantomData }, result)
        })
    }

    /// Makes a character with this name (1 to 80 characters) from an uploaded video: `POST
    /// /videos/characters` (`CreateVideoCharacter`). Gives the response's text, a JSON object with
    /// an `id`.
    ///
    /// # Errors
    /// As [`VideoRequest::create_character`] and [`Client::submit`]; after an
    /// [`Error::UnknownOutcome`] a character may exist, and the API has no list of them.
    pub fn create_character(&self, name: &str, video: Upload) -> Result<String, Error> {
        self.submit_character(&VideoRequest::create_character(name, video)?)
    }

    /// The same with a request of any fields ([`Operation::CreateCharacter`]).
    ///
    /// # Errors
    /// As [`Client::submit`].
    ///
    /// [`Operation::CreateCharacter`]: crate::Operation::CreateCharacter
    pub fn submit_character(&self, request: &VideoRequest) -> Result<String, Error> {
        submit::submit_character(&self.http, request)
    }

    /// A character as JSON: `GET /videos/characters/{character_id}` (`GetVideoCharacter`).
    ///
    /// # Errors
    /// [`Error::Api`], [`Error::Connect`], [`Error::TooLarge`], or [`Error::NoResponse`] if there
    /// is no readable response, after the retries.
    pub fn get_character(&self, id: &str) -> Result<String, Error> {
        let path = format!("/videos/characters/{}", segment(id));
        let request = Request::get(&path);
        let text = self.http.text(&request)?.body;
        match Object::parse(&text) {
            Ok(_) => Ok(text),
            Err(_) => {
                Err(self.http.no_response(&request, "the response is not a JSON object".to_owned()))
            }
        }
    }

    /// Calls `each` with the JSON of each job in the server's list, until it returns `Break`: `GET
    /// /videos` (`ListVideos`). Pages are requested as they are needed, and one is in memory at a
    /// time.
    ///
    /// # Errors
    /// - [`Error::Invalid`]: the limit is out of range.
    /// - [`Error::Api`], [`Error::Connect`], [`Error::NoResponse`], [`Error::TooLarge`]: a page
    ///   could not be fetched after the retries, is not a list, or is larger than 16 MiB.
    /// - those of `each`.
    pub fn list(
        &self,
        query: &ListQuery,
        each: &mut dyn FnMut(&str) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        list::list(&self.http, query, each)
    }

    /// One page of the list as the server sent it. [`ListQuery::max_items`] is ignored.
    ///
    /// # Errors
    /// As [`Client::list`].
    pub fn list_page(&self, query: &ListQuery) -> Result<String, Error> {
        list::list_page(&self.http, query)
    }

    /// The job as it is now: `GET /videos/{video_id}` (`GetVideo`).
    ///
    /// # Errors
    /// [`Error::Api`], [`Error::Connect`], [`Error::TooLarge`], or [`Error::NoResponse`] if there
    /// is no readable response, after the retries.
    pub fn retrieve(&self, id: &str) -> Result<Job, Error> {
        wait::retrieve(&self.http, id)
    }

    /// Polls until the job is completed. Failed polls are repeated until [`Wait::timeout`]; a 401,
    /// 403, 404 or 410 ends it at once.
    ///
    /// # Errors
    /// - [`Error::JobFailed`]: the job failed.
    /// - [`Error::WaitTimeout`]: the job is still pending.
    /// - [`Error::Api`]: the client is not authorized, or the server does not have the job.
    pub fn wait(&self, job: Job, rules: &Wait) -> Result<Job, Error> {
        wait::wait(&self.http, job, rules)
    }

    /// Downloads a completed job's media: `GET /videos/{video_id}/content`
    /// (`RetrieveVideoContent`). Where the server has no content, the video is downloaded from the
    /// URL that the job names; a job of which only the id is known ([`Job::of`]) is retrieved for
    /// that. Neither the key nor any other header of the settings is sent to another origin. A file
    /// appears whole or not at all; an interrupted download resumes if the server allows. Returns
    /// the number of bytes.
    ///
    /// # Errors
    /// - [`Error::File`]: the target cannot be written.
    /// - [`Error::NotMedia`]: the server sent text, such as HTML or JSON.
    /// - [`Error::MediaUrl`]: the job names its media by a URL that cannot be downloaded.
    /// - [`Error::MediaRefused`]: the host of that URL refuses to serve them.
    /// - [`Error::JobFailed`]: there will be no media.
    /// - [`Error::Api`], [`Error::Connect`], [`Error::NoResponse`]: the content could not be
    ///   fetched, or only a part of it, after the retries.
    pub fn download(
        &self,
        job: &Job,
        options: &Download,
        target: Target<'_>,
    ) -> Result<u64, Error> {
        download::download(&self.http, job, options, target)
    }

    /// Deletes a job and its media: `DELETE /videos/{video_id}` (`DeleteVideo`). Gives the
    /// response's text; it is empty where the response was lost and a second attempt found that the
    /// job does not exist.
    ///
    /// # Errors
    /// [`Error::Api`], [`Error::Connect`], [`Error::TooLarge`], or [`Error::NoResponse`] if there
    /// is no readable response, after the retries.
    pub fn delete(&self, id: &str) -> Result<String, Error> {
        self.http.delete(&format!("/videos/{}", segment(id)))
    }

    /// The request that [`Client::submit`] would send, with secrets redacted. Nothing is sent.
    ///
    /// # Errors
    /// As [`Client::submit`], for a file that cannot be uploaded.
    pub fn preview(&self, request: &VideoRequest) -> Result<Preview, Error> {
        submit::preview(&self.http, request)
    }

    /// The settings of this client.
    pub fn settings(&self) -> &Settings {
        self.http.settings()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("settings", self.settings()).finish()
    }
}
