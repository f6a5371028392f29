//! A blocking client for extending videos through the OpenAI Videos API, for programs that must stay small.
//!
//! ```no_run
//! use openai_videos::{ApiKey, BaseUrl, Client, Download, Extension, Settings, Target, Video, Wait};
//!
//! let mut settings = Settings::new(BaseUrl::new("https://gateway.example.com/v1")?);
//! settings.api_key = Some(ApiKey::new("sk-...")?);
//! let client = Client::new(settings)?;
//!
//! let extension = Extension::new("The camera pulls back", "8", Video::Id("video_123".into()))?;
//! let job = client.extend(&extension)?;
//! let job = client.wait(job, &Wait::default())?;
//! client.download(job.id(), &Download::default(), Target::File("out.mp4".as_ref()))?;
//! # Ok::<(), openai_videos::Error>(())
//! ```
//!
//! Data flows one way:
//!
//! ```text
//! Settings ----------------------.
//! Extension -> multipart -> message -> http <-> retry     (http is the only user of ureq)
//!                                       `-> Job -> wait -> download -> output
//! Roots, ClientCertificate, Proxies -> http: how a connection comes about
//! ```
//!
//! A request that creates a job is sent again only where that cannot create a second one; where that is not known,
//! [`Error::Unknown`] says so. Nothing here reads the environment, prints or exits: that is the front end's part.

mod adopt;
mod client;
mod download;
mod error;
mod event;
mod http;
mod job;
mod json;
mod message;
mod multipart;
mod net;
mod obstacle;
mod output;
mod pages;
mod proxy;
mod pump;
mod random;
mod range;
mod request;
mod retry;
mod settings;
mod shorthand;
mod state;
mod tls;
mod tunnel;
mod url;
mod wait;

pub use client::{Client, FilePart, Preview, PreviewBody};
pub use download::{Download, Target, Variant, check_output};
pub use error::{ApiError, Error, shorten};
pub use event::{Event, Phases};
pub use job::{Job, Status};
pub use json::{is_json, unquoted};
pub use net::Family;
pub use obstacle::{NoConnection, Obstacle};
pub use proxy::{Exceptions, Proxies, Proxy};
pub use request::{
    Encoding, Extension, Fields, MAX_PROMPT, SECONDS, Stream, Upload, Value, Video, check_seconds,
};
pub use settings::{ApiKey, Header, Settings};
pub use state::StateFile;
pub use tls::{ClientCertificate, Roots};
pub use url::{BaseUrl, DEFAULT_BASE_URL};
pub use wait::Wait;

// Among the unit tests, as most of what they are about is private. tests/fuzz shares them.
#[cfg(test)]
#[path = "../tests/properties"]
mod properties {
    mod content_range;
    mod job;
    mod retry_after;
    mod shorthand;
    mod suite;
}
