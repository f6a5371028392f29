//! A blocking client for making and extending videos through the OpenAI Videos API, for programs
//! that must stay small.
//!
//! ```no_run
//! use openai_videos::{
//!     ApiKey, BaseUrl, Client, Download, Reference, Settings, Target, Wait,
//! };
//!
//! let mut settings = Settings::new(BaseUrl::new("https://gateway.example.com/v1")?);
//! settings.api_key = Some(ApiKey::new("sk-...")?);
//! let client = Client::new(settings)?;
//!
//! let video = Reference::Id("video_123".into());
//! let job = client.extend("The camera pulls back", "8", video)?;
//! let job = client.wait(job, &Wait::default())?;
//! client.download(&job, &Download::default(), Target::File("out.mp4".as_ref()))?;
//! # Ok::<(), openai_videos::Error>(())
//! ```
//!
//! [`Client`] has a method for each operation. [`VideoRequest::from_fields`] makes a request of any
//! fields, [`Client::submit`] sends it, and [`Client::submit_once`] creates one job however often
//! the run is interrupted.
//!
//! Each module imports only modules below it:
//!
//! ```text
//! client     the operations, each of a few lines
//! jobs       submit, recover, wait for, list and download jobs
//! http       one request with its retries; the only user of ureq's API
//! net        one connection: DNS, TCP, proxy, TLS
//! settings   base URL, key, headers, certificates, proxies: validated values
//! api        requests, jobs, errors and events as data
//! text, json, url, random, digest
//! ```
//!
//! A request that creates a job is retried only where that cannot create a second one. Where that
//! is not known, the method returns [`Error::UnknownOutcome`]. The library does not read the
//! environment, print or exit.
//!
//! [`Job::text`] is the response as received, [`Job::video`] the same with its documented fields
//! typed.

mod api;
mod client;
mod digest;
mod http;
mod jobs;
pub mod json;
mod net;
mod random;
mod settings;
mod text;
mod url;

pub use api::api_error::{ApiError, ApiErrorKind};
pub use api::encoding::Encoding;
pub use api::error::Error;
pub use api::event::{ConnectTimings, Event};
pub use api::fields::{Fields, Value};
pub use api::job::Job;
pub use api::operation::Operation;
pub use api::preview::{FilePart, Preview, PreviewBody};
pub use api::reference::{Reference, Stream, Upload};
pub use api::status::Status;
pub use api::video::{Video, VideoError};
pub use api::video_request::{MAX_NAME, MAX_PROMPT, VideoRequest};
pub use client::Client;
pub use jobs::download::{Download, Variant};
pub use jobs::list::{ListQuery, Order};
pub use jobs::output_file::{Target, check_output};
pub use jobs::state_file::StateFile;
pub use jobs::submit_once::Delivery;
pub use jobs::wait::Wait;
pub use net::connect_error::{ConnectError, ConnectErrorKind};
pub use settings::base_url::{BaseUrl, DEFAULT_BASE_URL};
pub use settings::certificates::{ClientCertificate, Roots};
pub use settings::header::Header;
pub use settings::proxy::{NoProxy, Proxies, Proxy};
pub use settings::{ApiKey, Family, Settings};
pub use text::shorten;

// Unit tests, because they test private items. The fuzz targets in tests/fuzz share them.
#[cfg(test)]
#[path = "../tests/properties"]
mod properties {
    mod content_range;
    mod job;
    mod redaction;
    mod retry_after;
    mod shorthand;
    pub(crate) mod suite;
    mod yaml;
}

#[cfg(test)]
#[path = "../tests/support/temp.rs"]
mod temp;
