//! The calls of the library: composition only. What they are made of lives in the modules that they name.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::SystemTime;

use crate::adopt::{self, Found};
use crate::download::{self, Download, Target};
use crate::error::shorten;
use crate::event::Event;
use crate::http::Http;
use crate::message::{Body, Method, Request, shown};
use crate::multipart::Form;
use crate::request::{Encoding, Extension};
use crate::state::{self, Record, StateFile};
use crate::url::segment;
use crate::wait::{self, Wait};
use crate::{Error, Job, Settings, random};

const EXTENSIONS: &str = "/videos/extensions";

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
        Ok(Self {
            http,
            alone: PhantomData,
        })
    }

    /// Asks for an extension of a completed video: `POST /videos/extensions` (`CreateVideoExtend`). Blocks until the
    /// server has answered, which may take minutes after an upload, but does not wait for the video.
    ///
    /// # Errors
    /// - [`Error::Invalid`], [`Error::File`], [`Error::Changed`]: the upload cannot be read, or changed under way.
    /// - [`Error::Connect`]: nothing was sent, however often it was tried.
    /// - [`Error::Api`]: the server refused (4xx), or could not take it (429, 503) after the retries.
    /// - [`Error::Redirect`]: the API is somewhere else.
    /// - [`Error::Unknown`]: the request was sent and no readable answer came: a job may exist.
    pub fn extend(&self, extension: &Extension) -> Result<Job, Error> {
        let key = extension
            .idempotency_key
            .clone()
            .unwrap_or_else(random::token);
        self.extend_with(extension, &key)
    }

    fn extend_with(&self, extension: &Extension, key: &str) -> Result<Job, Error> {
        if !extension.wants_form() {
            match self.post(Body::Json(&extension.to_json()), key) {
                Err(Error::Api(error))
                    if error.status == 415 && extension.encoding == Encoding::Auto =>
                {
                    (self.http.report)(&Event::FormInstead);
                }
                result => return result,
            }
        }
        let form = Form::new(&extension.to_parts(), extension.upload(), random::token())?;
        self.post(Body::Form(&form), key)
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
    /// - [`Error::Undecided`]: the server does not tell whether there is a job.
    /// - [`Error::File`]: the state cannot be written; if it says so before the request, nothing was sent.
    pub fn extend_once(&self, extension: &Extension, state: &mut StateFile) -> Result<Job, Error> {
        let request = state::describe(&self.settings().base_url, extension)
            .map_err(|error| state.waiting(error))?;
        let uncertain = state.record().is_some();
        let record = match state.record() {
            None => Record {
                request,
                idempotency_key: extension
                    .idempotency_key
                    .clone()
                    .unwrap_or_else(random::token),
                since: SystemTime::now(),
                id: None,
            },
            Some(record) if record.request != request => {
                return Err(Error::invalid_with(
                    format!(
                        "'{}' holds another request that is not finished",
                        state.path().display()
                    ),
                    "finish it with its own arguments, or remove the file to give it up",
                ));
            }
            Some(record) => match &record.id {
                Some(id) => return Ok(Job::of(id)),
                None => match self.adopt(extension, record, state)? {
                    Some(id) => {
                        let record = Record {
                            id: Some(id.clone()),
                            ..record.clone()
                        };
                        self.keep(state, record);
                        return Ok(Job::of(&id));
                    }
                    // Still since the first attempt: should its job turn up late, there are two, and that is seen.
                    None => record.clone(),
                },
            },
        };
        state.note(record.clone())?;
        match self.extend_with(extension, &record.idempotency_key) {
            Ok(job) => {
                self.keep(
                    state,
                    Record {
                        id: Some(job.id().to_owned()),
                        ..record
                    },
                );
                Ok(job)
            }
            Err(error @ Error::Unknown { .. }) => Err(error),
            Err(error) => {
                // There is no job, unless an earlier run made one that the server does not list yet, or one with this
                // key is on its way (409). Should this not reach the disk, the next run asks the server.
                let refused = matches!(&error, Error::Api(api) if matches!(api.status, 400 | 404 | 405 | 413 | 415 | 422));
                let conflict = matches!(&error, Error::Api(api) if api.status == 409);
                if !conflict && (refused || !uncertain) {
                    let _ = state.clear();
                }
                Err(error)
            }
        }
    }

    /// The id of the job that a cut run began, if there is one.
    fn adopt(
        &self,
        extension: &Extension,
        record: &Record,
        state: &StateFile,
    ) -> Result<Option<String>, Error> {
        match adopt::find(&self.http, &extension.prompt(), record.since)? {
            Found::Job(id) => Ok(Some(id)),
            Found::None => Ok(None),
            Found::Unclear(why) => Err(Error::Undecided {
                why,
                list_url: self.http.list_url(),
                path: state.path().to_owned(),
            }),
        }
    }

    /// Notes the job's id. If that fails the run goes on: the id is told, and another run would ask the server.
    fn keep(&self, state: &mut StateFile, record: Record) {
        let id = record.id.clone().unwrap_or_default();
        if let Err(why) = state.note(record) {
            (self.http.report)(&Event::NotKept { id: &id, why: &why });
        }
    }

    fn post(&self, body: Body<'_>, idempotency_key: &str) -> Result<Job, Error> {
        let request = Request {
            method: Method::Post,
            path: EXTENSIONS,
            body,
            headers: &[("Idempotency-Key", idempotency_key)],
        };
        let text = self.http.text(&request)?;
        let poll_after = wait::poll_after(&text.head);
        match Job::parse(text.body.as_str()) {
            Some(job) => Ok(job.with_poll_after(poll_after)),
            None => {
                let start = shorten(&self.settings().hide_secrets(text.body));
                Err(self
                    .http
                    .cut(&request, format!("the answer names no job: '{start}'")))
            }
        }
    }

    /// The job as it is now: `GET /videos/{video_id}` (`GetVideo`).
    ///
    /// # Errors
    /// [`Error::Api`], [`Error::Connect`], or [`Error::Cut`] if no readable answer came, after the retries.
    pub fn retrieve(&self, id: &str) -> Result<Job, Error> {
        let path = format!("/videos/{}", segment(id));
        let request = Request::get(&path);
        wait::seen(&self.http, &request, self.http.text(&request)?, id)
    }

    /// Polls until the job is completed. Failed polls are taken in stride until [`Wait::timeout`]; a 401, 403 or 404
    /// ends it at once.
    ///
    /// # Errors
    /// - [`Error::Failed`]: the job ended without media.
    /// - [`Error::Pending`]: it still runs.
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
    /// - [`Error::Api`], [`Error::Connect`], [`Error::Cut`]: the content could not be had, or not whole, after the
    ///   retries.
    pub fn download(&self, id: &str, options: &Download, target: Target<'_>) -> Result<u64, Error> {
        download::download(&self.http, id, options, target)
    }

    /// Deletes a job and its media: `DELETE /videos/{video_id}` (`DeleteVideo`). Gives the answer's text.
    ///
    /// # Errors
    /// [`Error::Api`], [`Error::Connect`], or [`Error::Cut`] if no readable answer came, after the retries.
    pub fn delete(&self, id: &str) -> Result<String, Error> {
        let path = format!("/videos/{}", segment(id));
        let request = Request {
            method: Method::Delete,
            ..Request::get(&path)
        };
        self.http.text(&request).map(|text| text.body)
    }

    /// What [`Client::extend`] would send, with nothing sent and the secrets hidden.
    ///
    /// # Errors
    /// As [`Client::extend`], for a file that cannot be uploaded.
    pub fn preview(&self, extension: &Extension) -> Result<Preview, Error> {
        let key = extension.idempotency_key.as_deref().unwrap_or("[random]");
        let json = extension.to_json();
        let form = match extension.wants_form() {
            true => Some(Form::new(
                &extension.to_parts(),
                extension.upload(),
                random::token(),
            )?),
            false => None,
        };
        let (body, content) = match &form {
            None => (Body::Json(&json), PreviewBody::Json(json.clone())),
            Some(form) => (
                Body::Form(form),
                PreviewBody::Form {
                    parts: extension.to_parts(),
                    file: form.file_part().map(|(name, kind, size)| FilePart {
                        name,
                        content_type: kind,
                        size,
                    }),
                },
            ),
        };
        let request = Request {
            method: Method::Post,
            path: EXTENSIONS,
            body,
            headers: &[("Idempotency-Key", key)],
        };
        Ok(Preview {
            method: request.method.name(),
            url: self.http.url(EXTENSIONS),
            headers: shown(&request.headers(self.settings(), request.asks_first())),
            body: content,
        })
    }

    /// The settings that this client was made with.
    pub fn settings(&self) -> &Settings {
        self.http.settings()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("settings", self.settings())
            .finish()
    }
}

/// A request that is only shown.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Preview {
    /// `POST`.
    pub method: &'static str,
    /// The whole URL.
    pub url: String,
    /// Names and values; a value that may be secret is `[hidden]`.
    pub headers: Vec<(String, String)>,
    /// What follows the headers.
    pub body: PreviewBody,
}

/// The body of a [`Preview`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PreviewBody {
    /// A JSON text.
    Json(String),
    /// A form.
    Form {
        /// Names and contents of the text parts, in order.
        parts: Vec<(String, String)>,
        /// The part `video`, which comes last.
        file: Option<FilePart>,
    },
}

/// The file part of a form.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FilePart {
    /// The file name that the server sees, before escaping.
    pub name: String,
    /// The `Content-Type` of the part.
    pub content_type: &'static str,
    /// In bytes; `None` for a stream.
    pub size: Option<u64>,
}
