//! Fetches media: whole, or not at all.
//!
//! A file is written under another name beside its place and renamed when its length is right and it has reached
//! the disk. A connection that breaks is picked up with `Range` and `If-Range`: the validator makes the server send
//! the whole content if it is another one by now, as two halves of two videos are no video.

use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

use crate::api::api_error::ApiErrorKind;
use crate::api::error::Error;
use crate::api::event::Event;
use crate::http::request::Request;
use crate::http::response::ResponseHead;
use crate::http::{AttemptError, FailedAttempt, Http, Response};
use crate::jobs::content_range::content_range;
use crate::jobs::output_file::{Output, Target};
use crate::jobs::wait::PollIntervals;
use crate::net::buffers::PageBuffer;
use crate::random;
use crate::url::segment;

/// The most bytes that are read and written at once. A gigabyte takes a tenth longer in pieces of 64 KiB.
const PIECE: usize = 256 * 1024;
/// How long content may be missing after its job is completed.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// What to download, and how long to wait until it is there.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Download {
    /// Default: the server's, which is the video.
    pub variant: Option<Variant>,
    /// The longest wait for content that is not ready, a minute at most. Default: a minute.
    pub ready_within: Option<Duration>,
    /// The pause between two looks for it. Default: as in [`Wait`](crate::Wait).
    pub poll_interval: Option<Duration>,
}

/// `VideoContentVariant` of the API's description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// The video, MP4.
    Video,
    /// A still picture, WebP.
    Thumbnail,
    /// Many small pictures in one.
    Spritesheet,
}

impl Variant {
    /// Their names in the API.
    pub const NAMES: [(&'static str, Variant); 3] = [
        ("video", Variant::Video),
        ("thumbnail", Variant::Thumbnail),
        ("spritesheet", Variant::Spritesheet),
    ];
}

pub(crate) fn download(
    http: &Http,
    id: &str,
    options: &Download,
    target: Target<'_>,
) -> Result<u64, Error> {
    let name = Variant::NAMES.iter().find(|(_, variant)| Some(*variant) == options.variant);
    let query = name.map_or(String::new(), |(name, _)| format!("?variant={name}"));
    let output = Output::open(target)?;
    (http.report)(&Event::TemporaryFile { path: output.unfinished() });
    let transfer = Transfer {
        http,
        path: format!("/videos/{}/content{query}", segment(id)),
        output,
        position: 0,
        furthest: 0,
        total: None,
        validator: None,
        takes_ranges: true,
    };
    let done = transfer.run(options);
    (http.report)(&Event::TemporaryFile { path: None });
    done
}

/// One download over all its attempts.
struct Transfer<'a> {
    http: &'a Http,
    path: String,
    output: Output<'a>,
    /// Bytes of the content that the output has.
    position: u64,
    /// The most that it ever had.
    furthest: u64,
    total: Option<u64>,
    /// What `If-Range` takes, of the content that the output has: a strong `ETag`, else `Last-Modified`.
    validator: Option<String>,
    /// The server has not answered nonsense to a range yet.
    takes_ranges: bool,
}

/// Why an attempt did not bring the rest.
enum Stop {
    FailedAttempt(FailedAttempt),
    NotReady { error: Error, asked: Option<Duration> },
}

impl Transfer<'_> {
    fn run(mut self, options: &Download) -> Result<u64, Error> {
        let deadline =
            Instant::now() + options.ready_within.unwrap_or(READY_WITHIN).min(READY_WITHIN);
        let mut pauses = PollIntervals::new(options.poll_interval);
        let mut failures = 0;
        loop {
            let before = self.furthest;
            match self.attempt() {
                Ok(()) => return self.output.finish().map(|()| self.position),
                Err(Stop::NotReady { error, asked }) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(error);
                    }
                    (self.http.report)(&Event::NotReady { why: &error });
                    thread::sleep(pauses.next(asked, random::fraction()).min(left));
                }
                Err(Stop::FailedAttempt(miss)) => {
                    if self.furthest > before {
                        failures = 0;
                    }
                    match self.http.delay(&Request::get(&self.path), failures, &miss) {
                        Some(after) => self.http.pause(&mut failures, after, &miss),
                        None => return Err(miss.error),
                    }
                }
            }
        }
    }

    /// Asks for what is missing and writes what comes.
    fn attempt(&mut self) -> Result<(), Stop> {
        let range = format!("bytes={}-", self.position);
        let (path, validator) = (self.path.clone(), self.validator.clone());
        // A compressed video would be stored compressed.
        let mut headers = vec![("Accept", "*/*"), ("Accept-Encoding", "identity")];
        let asked_for_a_part = self.position > 0 && self.takes_ranges && validator.is_some();
        if let (true, Some(validator)) = (asked_for_a_part, &validator) {
            headers.extend([("Range", range.as_str()), ("If-Range", validator.as_str())]);
        }
        let request = Request { headers: &headers, ..Request::get(&path) };
        let miss = |http: &Http, failure| Stop::FailedAttempt(http.failed(&request, failure));
        let mut opened = self.http.open(&request).map_err(|failure| miss(self.http, failure))?;
        match opened.head.status {
            206 if asked_for_a_part => match self.rest(&opened.head) {
                Some(total) => self.total = Some(total),
                None => {
                    self.takes_ranges = false;
                    let why =
                        "the server sent another part than the one that was asked for".to_owned();
                    return Err(miss(self.http, AttemptError::NoResponse(why)));
                }
            },
            416 if asked_for_a_part => {
                let range = opened.head.header("content-range").and_then(content_range);
                if range.and_then(|range| range.total).or(self.total) == Some(self.position) {
                    return Ok(());
                }
                self.takes_ranges = false;
                let why = "the server has no such part".to_owned();
                return Err(miss(self.http, AttemptError::NoResponse(why)));
            }
            200 | 203 => {
                self.start_over(&opened).map_err(|error| Stop::FailedAttempt(error.into()))?
            }
            status @ 200..300 => {
                let why = format!("HTTP {status} is no answer that brings the whole content");
                return Err(miss(self.http, AttemptError::NoResponse(why)));
            }
            _ => {
                let body = self.http.read(&opened.head, &mut opened.body);
                let body = body.map_err(|failure| miss(self.http, failure))?;
                return Err(self.refused(&request, &opened.head, &body));
            }
        }
        self.copy(opened).map_err(|failure| miss(self.http, failure))
    }

    fn copy(&mut self, opened: Response) -> Result<(), AttemptError> {
        let Response { head, body, length } = opened;
        let content_type = head.header("content-type").unwrap_or("of no type").to_owned();
        let encoding =
            head.header("content-encoding").filter(|name| !name.eq_ignore_ascii_case("identity"));
        if let Some(encoding) = encoding {
            let content_type = format!("{content_type}, encoded as {encoding}");
            return Err(AttemptError::Final(Error::NotMedia { content_type, text: String::new() }));
        }
        let not_media = |start: &[u8]| {
            let text = String::from_utf8_lossy(&start[..start.len().min(4096)]).into_owned();
            let text = self.http.settings().redact(text);
            AttemptError::Final(Error::NotMedia { content_type: content_type.clone(), text })
        };
        if is_text(&content_type) {
            let mut start = Vec::new();
            // What can be read of it is enough to tell what it is.
            let _ = body.take(4096).read_to_end(&mut start);
            return Err(not_media(&start));
        }
        let mut body = self.http.transfer(body, length);
        let mut buffer = PageBuffer::new(PIECE);
        let buffer = buffer.bytes_mut();
        loop {
            let count = match body.read(buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return Err(self.http.read_error(error)),
            };
            if self.position == 0 && looks_like_text(&buffer[..count]) {
                return Err(not_media(&buffer[..count]));
            }
            self.output.write(&buffer[..count]).map_err(AttemptError::Final)?;
            self.position += count as u64;
            self.furthest = self.furthest.max(self.position);
            (self.http.report)(&Event::Download { received: self.position, total: self.total });
        }
        match self.total {
            _ if self.position == 0 => {
                Err(AttemptError::NoResponse("the content is empty".to_owned()))
            }
            Some(total) if self.position != total => {
                // More than there is: whatever that was, it does not belong together.
                self.takes_ranges &= self.position < total;
                Err(AttemptError::NoResponse(format!("{} of {total} bytes came", self.position)))
            }
            _ => Ok(()),
        }
    }

    /// The size of the whole content, if this 206 brings a part of the same content from where it broke.
    fn rest(&self, head: &ResponseHead) -> Option<u64> {
        let validator = self.validator.as_deref()?;
        let shown = head.header(if validator.starts_with('"') { "etag" } else { "last-modified" });
        let range = head.header("content-range").and_then(content_range)?;
        let total = range.total.or(self.total)?;
        let fits = shown.is_none_or(|shown| shown == validator)
            && range.first == Some(self.position)
            && self.total.is_none_or(|known| known == total);
        fits.then_some(total)
    }

    /// Prepares for the content from its first byte.
    fn start_over(&mut self, opened: &Response) -> Result<(), Error> {
        let validator = validator(&opened.head);
        let same = validator.is_some() && validator == self.validator;
        self.output.rewind(same)?;
        self.position = 0;
        self.validator = validator;
        self.total = opened.length;
        Ok(())
    }

    fn refused(&self, request: &Request<'_>, head: &ResponseHead, body: &str) -> Stop {
        let miss = self.http.refused(request, head, body);
        let not_ready = matches!(
            &miss.error,
            Error::Api(api) if matches!(
                api.kind,
                ApiErrorKind::NotFound | ApiErrorKind::Conflict | ApiErrorKind::NotReady
            )
        );
        if not_ready {
            Stop::NotReady { error: miss.error, asked: miss.poll_after }
        } else {
            Stop::FailedAttempt(miss)
        }
    }
}

/// A page or JSON where media should be.
fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json") || kind.starts_with("text/")
}

/// Whether content starts as a page or JSON does, whatever its type says. No media do: MP4 starts with a length, WebP
/// and JPEG with other letters.
fn looks_like_text(start: &[u8]) -> bool {
    matches!(start.trim_ascii_start().first(), Some(b'{' | b'[' | b'<'))
}

/// What makes sure that a part belongs to the same content (RFC 9110, 13.1.5): weak tags do not.
fn validator(head: &ResponseHead) -> Option<String> {
    let strong = head.header("etag").filter(|etag| etag.starts_with('"'));
    strong.or_else(|| head.header("last-modified")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_json_are_no_media() {
        for kind in [
            "application/json",
            "Application/Problem+JSON; charset=utf-8",
            "text/html",
            "text/plain; a=b",
        ] {
            assert!(is_text(kind), "{kind}");
        }
        for kind in
            ["video/mp4", "application/octet-stream", "image/webp", "binary/octet-stream", ""]
        {
            assert!(!is_text(kind), "{kind}");
        }
    }

    #[test]
    fn only_what_is_surely_the_same_validates() {
        let head = |headers: &[(&str, &str)]| ResponseHead {
            status: 200,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        assert_eq!(
            validator(&head(&[("ETag", "\"a\""), ("Last-Modified", "d")])).as_deref(),
            Some("\"a\"")
        );
        assert_eq!(
            validator(&head(&[("ETag", "W/\"a\""), ("Last-Modified", "d")])).as_deref(),
            Some("d")
        );
        assert_eq!(validator(&head(&[("ETag", "W/\"a\"")])), None);
    }
}
