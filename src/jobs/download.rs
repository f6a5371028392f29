//! Downloads the media of a job into a file or a stream.
//!
//! A file is written under a temporary name beside the target. Once its length is checked it is fsynced and renamed, so
//! that the target is whole or untouched. An interrupted download resumes with a range request (`Range` and `If-Range`,
//! RFC 9110, 14.2 and 13.1.5). The validator in `If-Range` makes the server send the whole content if it has changed,
//! because the halves of two videos do not make one.

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

/// Size of the buffer, in bytes. With 64 KiB a download of 1 GB takes a tenth longer.
const BUFFER_SIZE: usize = 256 * 1024;
/// How long a completed job's content may be "not ready".
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How much of a response that is not media is quoted in the error, in bytes.
const MAX_QUOTED: usize = 4096;

/// What to download, and how long to wait for content that is not ready.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Download {
    /// Default: the server's default, which is the video.
    pub variant: Option<Variant>,
    /// How long content may be "not ready", one minute at most. Default: one minute.
    pub ready_within: Option<Duration>,
    /// The interval between two requests for content that is not ready. Default: as in [`Wait`](crate::Wait).
    pub poll_interval: Option<Duration>,
}

/// `VideoContentVariant` of the API's description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// The video, MP4.
    Video,
    /// A still image, WebP.
    Thumbnail,
    /// Many small images in one, JPEG.
    Spritesheet,
}

impl Variant {
    /// The variants with their names in the API.
    pub const NAMES: [(&'static str, Variant); 3] = [
        ("video", Variant::Video),
        ("thumbnail", Variant::Thumbnail),
        ("spritesheet", Variant::Spritesheet),
    ];
}

/// Downloads the content of the job with this id. Returns the number of bytes.
pub(crate) fn download(
    http: &Http,
    id: &str,
    options: &Download,
    target: Target<'_>,
) -> Result<u64, Error> {
    let name = Variant::NAMES.iter().find(|(_, variant)| Some(*variant) == options.variant);
    let query = name.map_or(String::new(), |(name, _)| format!("?variant={name}"));
    let output = Output::open(target)?;
    (http.report)(&Event::TemporaryFile { path: output.temporary_path() });
    let transfer = Transfer {
        http,
        path: format!("/videos/{}/content{query}", segment(id)),
        output,
        position: 0,
        furthest: 0,
        total: None,
        validator: None,
        supports_ranges: true,
    };
    let result = transfer.run(options);
    (http.report)(&Event::TemporaryFile { path: None });
    result
}

/// One download over all its attempts.
struct Transfer<'a> {
    http: &'a Http,
    path: String,
    output: Output<'a>,
    /// How many bytes of the content the output has.
    position: u64,
    /// The highest `position` so far: what makes an attempt count as progress.
    furthest: u64,
    /// Size of the whole content in bytes, where the server said.
    total: Option<u64>,
    /// For `If-Range`, of the content that the output has a part of: a strong `ETag`, else `Last-Modified`.
    validator: Option<String>,
    /// False once the server has answered a range request with something else than the range.
    supports_ranges: bool,
}

/// Why an attempt did not complete the download.
enum Stop {
    Failed(FailedAttempt),
    NotReady { error: Error, asked: Option<Duration> },
}

impl Transfer<'_> {
    fn run(mut self, options: &Download) -> Result<u64, Error> {
        let ready_within = options.ready_within.unwrap_or(READY_WITHIN).min(READY_WITHIN);
        let deadline = Instant::now() + ready_within;
        let mut intervals = PollIntervals::new(options.poll_interval);
        let mut retries = 0;
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
                    thread::sleep(intervals.next(asked, random::fraction()).min(left));
                }
                Err(Stop::Failed(attempt)) => {
                    if self.furthest > before {
                        retries = 0;
                    }
                    match self.http.delay(&Request::get(&self.path), retries, &attempt) {
                        Some(delay) => self.http.pause(&mut retries, delay, &attempt),
                        None => return Err(attempt.error),
                    }
                }
            }
        }
    }

    /// Requests what is missing of the content and writes it to the output.
    fn attempt(&mut self) -> Result<(), Stop> {
        let (path, range) = (self.path.clone(), self.range());
        // Without `identity` a server may compress the video, which would be stored compressed.
        let mut headers = vec![("Accept", "*/*"), ("Accept-Encoding", "identity")];
        if let Some((range, validator)) = &range {
            headers.extend([("Range", range.as_str()), ("If-Range", validator.as_str())]);
        }
        let request = Request { headers: &headers, ..Request::get(&path) };
        let result = match self.http.open(&request) {
            Ok(response) => match response.head.status {
                206 if range.is_some() => {
                    self.resume(&response.head).and_then(|()| self.copy(response))
                }
                416 if range.is_some() => self.check_complete(&response.head),
                200 | 203 => self.start_over(&response).and_then(|()| self.copy(response)),
                status @ 200..300 => Err(AttemptError::NoResponse(format!(
                    "unexpected status {status} for a download"
                ))),
                _ => return Err(self.refused(&request, response)),
            },
            Err(error) => Err(error),
        };
        result.map_err(|error| Stop::Failed(self.http.failed(&request, error)))
    }

    /// The values of `Range` and `If-Range`, if the output has a part of the content and the rest can be requested.
    fn range(&self) -> Option<(String, String)> {
        let can_resume = self.position > 0 && self.supports_ranges;
        let validator = self.validator.clone().filter(|_| can_resume)?;
        Some((format!("bytes={}-", self.position), validator))
    }

    /// Checks that a 206 has the rest of the same content.
    fn resume(&mut self, head: &ResponseHead) -> Result<(), AttemptError> {
        match self.total_if_rest(head) {
            Some(total) => {
                self.total = Some(total);
                Ok(())
            }
            None => {
                self.supports_ranges = false;
                let reason = "the server sent another range than the one requested";
                Err(AttemptError::NoResponse(reason.to_owned()))
            }
        }
    }

    /// The size of the whole content, if this 206 has a part of the same content that starts at `position`.
    fn total_if_rest(&self, head: &ResponseHead) -> Option<u64> {
        let validator = self.validator.as_deref()?;
        let shown = head.header(if validator.starts_with('"') { "etag" } else { "last-modified" });
        let range = head.header("content-range").and_then(content_range)?;
        let total = range.total.or(self.total)?;
        let fits = shown.is_none_or(|shown| shown == validator)
            && range.first == Some(self.position)
            && self.total.is_none_or(|known| known == total);
        fits.then_some(total)
    }

    /// A 416 to the request for the rest: there is none if the content ends at `position`.
    fn check_complete(&mut self, head: &ResponseHead) -> Result<(), AttemptError> {
        let range = head.header("content-range").and_then(content_range);
        if range.and_then(|range| range.total).or(self.total) == Some(self.position) {
            return Ok(());
        }
        self.supports_ranges = false;
        Err(AttemptError::NoResponse("the server does not have the range requested".to_owned()))
    }

    /// Prepares the output for the whole content.
    fn start_over(&mut self, response: &Response) -> Result<(), AttemptError> {
        let validator = validator(&response.head);
        let is_same = validator.is_some() && validator == self.validator;
        self.output.rewind(is_same).map_err(AttemptError::Final)?;
        self.position = 0;
        self.validator = validator;
        self.total = response.length;
        Ok(())
    }

    /// Writes the response body to the output and checks its length.
    fn copy(&mut self, response: Response) -> Result<(), AttemptError> {
        let Response { head, body, length } = response;
        let content_type = head.header("content-type").unwrap_or("no content type").to_owned();
        if let Some(encoding) = head.header("content-encoding")
            && !encoding.eq_ignore_ascii_case("identity")
        {
            return Err(self.not_media(format!("{content_type} with encoding {encoding}"), &[]));
        }
        if is_text(&content_type) {
            let mut start = Vec::new();
            // As much as can be read of it: the error is known already.
            let _ = body.take(MAX_QUOTED as u64).read_to_end(&mut start);
            return Err(self.not_media(content_type, &start));
        }
        let mut body = self.http.transfer(body, length);
        let mut buffer = PageBuffer::new(BUFFER_SIZE);
        let buffer = buffer.bytes_mut();
        loop {
            let count = body.read(buffer).map_err(|error| self.http.read_error(error))?;
            if count == 0 {
                return self.check_length();
            }
            if self.position == 0 && looks_like_text(&buffer[..count]) {
                return Err(self.not_media(content_type, &buffer[..count]));
            }
            self.write(&buffer[..count])?;
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), AttemptError> {
        self.output.write(bytes).map_err(AttemptError::Final)?;
        self.position += bytes.len() as u64;
        self.furthest = self.furthest.max(self.position);
        (self.http.report)(&Event::Download { received: self.position, total: self.total });
        Ok(())
    }

    /// Compares what the output has with the size that the server gave.
    fn check_length(&mut self) -> Result<(), AttemptError> {
        match self.total {
            _ if self.position == 0 => {
                Err(AttemptError::NoResponse("the content is empty".to_owned()))
            }
            Some(total) if self.position != total => {
                // With more bytes than the content has, the parts do not belong together.
                self.supports_ranges &= self.position < total;
                let reason = format!("received {} of {total} bytes", self.position);
                Err(AttemptError::NoResponse(reason))
            }
            _ => Ok(()),
        }
    }

    fn not_media(&self, content_type: String, start: &[u8]) -> AttemptError {
        let text = String::from_utf8_lossy(&start[..start.len().min(MAX_QUOTED)]).into_owned();
        let text = self.http.settings().redact(text);
        AttemptError::Final(Error::NotMedia { content_type, text })
    }

    /// An error status: content that is not ready, or a failed attempt.
    fn refused(&self, request: &Request<'_>, mut response: Response) -> Stop {
        let head = &response.head;
        let body = match self.http.read(head, &mut response.body) {
            Ok(body) => body,
            Err(error) => return Stop::Failed(self.http.failed(request, error)),
        };
        let attempt = self.http.refused(request, head, &body);
        let is_pending = matches!(
            &attempt.error,
            Error::Api(api) if matches!(
                api.kind,
                ApiErrorKind::NotFound | ApiErrorKind::Conflict | ApiErrorKind::NotReady
            )
        );
        if is_pending {
            Stop::NotReady { error: attempt.error, asked: attempt.poll_after }
        } else {
            Stop::Failed(attempt)
        }
    }
}

/// Whether a content type is that of a page or of JSON.
fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json") || kind.starts_with("text/")
}

/// Whether content starts as a page or JSON does, whatever its type says. No media format does: MP4 starts with a
/// length, WebP with `RIFF`, JPEG with FF D8.
fn looks_like_text(start: &[u8]) -> bool {
    matches!(start.trim_ascii_start().first(), Some(b'{' | b'[' | b'<'))
}

/// The value for `If-Range` (RFC 9110, 13.1.5), which takes no weak `ETag`.
fn validator(head: &ResponseHead) -> Option<String> {
    let strong = head.header("etag").filter(|etag| etag.starts_with('"'));
    strong.or_else(|| head.header("last-modified")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_json_are_not_media() {
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
    fn a_weak_etag_is_not_a_validator() {
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
