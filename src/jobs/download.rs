//! Downloads the media of a job into a file or a stream: from `/videos/{id}/content`, or from the
//! URL that the job names where the server has no content.
//!
//! A file is written under a temporary name beside the target. Once its length is checked it is
//! fsynced and renamed, so that the target is complete or unchanged. An interrupted download
//! resumes with a range request (`Range` and `If-Range`, RFC 9110, 14.2 and 13.1.5). The validator
//! in `If-Range` makes the server send the whole content if it has changed, because the halves of
//! two videos do not make one.

use std::io::{self, Read};
use std::thread;
use std::time::{Duration, Instant};

use crate::api::api_error::ApiErrorKind;
use crate::api::error::Error;
use crate::api::event::Event;
use crate::api::job::Job;
use crate::api::status::Status;
use crate::api::video_request::VideoRequest;
use crate::http::request::{Request, RequestTarget};
use crate::http::response::ResponseHead;
use crate::http::{AttemptError, FailedAttempt, Http, Response};
use crate::jobs::content_range::content_range;
use crate::jobs::media::{self, UnusableUrl};
use crate::jobs::output_file::{Output, Target};
use crate::jobs::wait::PollIntervals;
use crate::net::buffers::PageBuffer;
use crate::random;
use crate::url::{authority, segment, without_secrets};

/// The largest size of the buffer, in bytes. With 64 KiB a download of 1 GB takes a tenth longer.
const BUFFER_SIZE: usize = 256 * 1024;
/// The first size of the buffer, more than is ever read at once over TLS.
const FIRST_BUFFER_SIZE: usize = 68 * 1024;
/// Text of fewer bytes is a message and not media.
const SHORT: usize = 4096;
/// How long a completed job's content may be "not ready".
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How much older than the response a strong `Last-Modified` is: more than the clocks of one
/// server's machines are apart.
const STRONG_AGE: Duration = Duration::from_secs(60);
/// How much of a response that is not media is quoted in the error, in bytes.
const MAX_QUOTED: usize = 4096;

/// Options of a download: the variant, and how long to wait for content that is not ready.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Download {
    /// Default: the server's default, which is the video.
    pub variant: Option<Variant>,
    /// How long content may be "not ready", one minute at most. Default: one minute.
    pub ready_within: Option<Duration>,
    /// The interval between two requests for content that is not ready. Default: as in
    /// [`Wait`](crate::Wait).
    pub poll_interval: Option<Duration>,
    /// Every string that the request sent, the URLs among them.
    sent: Vec<String>,
}

impl Download {
    /// Sets the request that created the job. Servers echo its URLs in the job; none of them is
    /// taken for the URL of the media.
    pub fn created_by(&mut self, request: &VideoRequest) {
        self.sent = media::strings(&request.json);
    }
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

/// Downloads the media of a job. Returns the number of bytes.
pub(crate) fn download(
    http: &Http,
    job: &Job,
    options: &Download,
    target: Target<'_>,
) -> Result<u64, Error> {
    let name = Variant::NAMES.iter().find(|(_, variant)| Some(*variant) == options.variant);
    let query = name.map_or(String::new(), |(name, _)| format!("?variant={name}"));
    let path = format!("/videos/{}/content", segment(job.id()));
    let ready_within = options.ready_within.unwrap_or(READY_WITHIN).min(READY_WITHIN);
    let output = Output::open(target, http.settings().stall_timeout)?;
    (http.report)(&Event::TemporaryFile { path: output.temporary_path() });
    let transfer = Transfer {
        http,
        source: Source::Content(format!("{path}{query}")),
        lookup: UrlLookup {
            http,
            is_known: job.status() == Status::Completed,
            is_current: job.status() == Status::Completed,
            job: job.clone(),
            excluded: [&options.sent[..], &[http.url(&path)]].concat(),
        },
        is_video: options.variant.is_none_or(|variant| variant == Variant::Video),
        ready_by: Instant::now() + ready_within,
        intervals: PollIntervals::new(options.poll_interval),
        retries: 0,
        reported: 0,
        is_renewed: false,
        output,
        position: 0,
        furthest: 0,
        total: None,
        validator: None,
        supports_ranges: true,
    };
    let result = transfer.run();
    (http.report)(&Event::TemporaryFile { path: None });
    result
}

/// One download over all its attempts.
struct Transfer<'a> {
    http: &'a Http,
    source: Source,
    lookup: UrlLookup<'a>,
    /// Whether the variant is the video, the only one that a URL in the job leads to.
    is_video: bool,
    /// When content that is not ready is given up.
    ready_by: Instant,
    intervals: PollIntervals,
    /// Retries since the last progress.
    retries: u32,
    /// The status of the response without content that was reported last, 0 at first.
    reported: u16,
    /// Whether the URL was renewed since the last progress.
    is_renewed: bool,
    output: Output<'a>,
    /// How many bytes of the content the output has.
    position: u64,
    /// The highest `position` so far. An attempt that exceeds it counts as progress.
    furthest: u64,
    /// Size of the whole content in bytes, if the server gave it.
    total: Option<u64>,
    /// For `If-Range`, of the content that the output has a part of: see [`validator`].
    validator: Option<String>,
    /// False once the server has responded to a range request with something else than the range.
    supports_ranges: bool,
}

/// Where the media are downloaded from.
#[derive(Clone)]
enum Source {
    /// `/videos/{id}/content` with its query, below the base URL.
    Content(String),
    /// An absolute URL that the job names.
    Url(String),
}

/// Why an attempt did not complete the download.
enum Stop {
    Failed(FailedAttempt),
    /// There is no content. The job may name its media by URL.
    NoContent {
        attempt: FailedAttempt,
        /// Whether there may be content later.
        is_pending: bool,
    },
    /// The host of the media refused the URL, which may have expired.
    UrlRefused {
        status: u16,
    },
}

impl Transfer<'_> {
    fn run(mut self) -> Result<u64, Error> {
        loop {
            let before = self.furthest;
            let Err(stop) = self.attempt() else {
                return self.output.finish().map(|()| self.position);
            };
            if self.furthest > before {
                self.retries = 0;
                self.is_renewed = false;
            }
            match stop {
                Stop::Failed(attempt) => self.retry(attempt)?,
                Stop::NoContent { attempt, is_pending } => {
                    self.find_other_source(attempt, is_pending)?
                }
                Stop::UrlRefused { status } => self.renew_url(status)?,
            }
        }
    }

    /// Waits for the next retry, if there is one.
    fn retry(&mut self, attempt: FailedAttempt) -> Result<(), Error> {
        match self.http.delay(&Request::get(""), self.retries, &attempt) {
            Some(delay) => {
                self.http.pause(&mut self.retries, delay, &attempt);
                Ok(())
            }
            None => Err(match (attempt.error, &self.source) {
                (Error::Api(api), Source::Url(url)) => self.lookup.refused(url, api.status),
                (error, _) => error,
            }),
        }
    }

    /// Without content: goes on with the URL that the job names, else waits for the content.
    fn find_other_source(&mut self, attempt: FailedAttempt, is_pending: bool) -> Result<(), Error> {
        if self.is_video
            && let Some(url) = self.lookup.find(is_pending)?
        {
            self.source = Source::Url(url);
            (self.validator, self.supports_ranges) = (None, true);
            return Ok(());
        }
        if !is_pending {
            return self.retry(attempt);
        }
        let left = self.ready_by.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(attempt.error);
        }
        let status = match &attempt.error {
            Error::Api(api) => api.status,
            _ => 202,
        };
        if self.reported != status {
            (self.http.report)(&Event::NotReady { error: &attempt.error });
            self.reported = status;
        }
        thread::sleep(self.intervals.next(attempt.poll_after, random::fraction()).min(left));
        Ok(())
    }

    /// Goes on with the URL that the job names by now: signed URLs expire.
    fn renew_url(&mut self, status: u16) -> Result<(), Error> {
        let Source::Url(old) = &self.source else { return Ok(()) };
        let renewed = if self.is_renewed { None } else { self.lookup.find(true)? };
        match renewed {
            Some(url) if url != *old => {
                self.source = Source::Url(url);
                self.is_renewed = true;
                Ok(())
            }
            _ => Err(self.lookup.refused(old, status)),
        }
    }

    /// Requests the missing part of the content and writes it to the output.
    fn attempt(&mut self) -> Result<(), Stop> {
        let range = self.range();
        // Without `identity` a server may compress the video, which would be stored compressed.
        let mut headers = vec![("Accept", "*/*"), ("Accept-Encoding", "identity")];
        if let Some((range, validator)) = &range {
            headers.extend([("Range", range.as_str()), ("If-Range", validator.as_str())]);
        }
        let source = self.source.clone();
        let target = match &source {
            Source::Content(path) => RequestTarget::Path(path),
            Source::Url(url) => RequestTarget::Url(url),
        };
        let request = Request { target, headers: &headers, ..Request::get("") };
        let result = match self.http.open(&request) {
            Ok(response) => match response.head.status {
                206 if range.is_some() => {
                    self.resume(&response.head).and_then(|()| self.copy(response))
                }
                416 if range.is_some() => self.check_complete(&response.head),
                200 | 203 => self.start_over(&response).and_then(|()| self.copy(response)),
                status @ 200..300 => {
                    let reason = format!("unexpected status {status} for a download");
                    let attempt = self.http.failed(&request, AttemptError::NoResponse(reason));
                    return Err(match status {
                        206 => Stop::Failed(attempt),
                        _ => self.no_content(attempt, status == 202),
                    });
                }
                _ => return Err(self.refused(&request, response)),
            },
            Err(error) => Err(error),
        };
        result.map_err(|error| match self.http.failed(&request, error) {
            attempt @ FailedAttempt { error: Error::NotMedia { .. }, .. } => {
                self.no_content(attempt, false)
            }
            attempt => Stop::Failed(attempt),
        })
    }

    /// A response without media, which ends a download from a URL.
    fn no_content(&self, attempt: FailedAttempt, is_pending: bool) -> Stop {
        match self.source {
            Source::Content(_) => Stop::NoContent { attempt, is_pending },
            Source::Url(_) => Stop::Failed(attempt),
        }
    }

    /// The values of `Range` and `If-Range`, if the output has a part of the content and the rest
    /// can be requested.
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

    /// The size of the whole content, if this 206 has a part of the same content that starts at
    /// `position`.
    fn total_if_rest(&self, head: &ResponseHead) -> Option<u64> {
        let validator = self.validator.as_deref()?;
        let is_same = |name| head.header(name).is_none_or(|value| value == validator);
        let is_dated = !validator.starts_with('"');
        let range = head.header("content-range").and_then(content_range)?;
        let total = range.total.or(self.total)?;
        let fits = is_same("etag")
            && (!is_dated || is_same("last-modified"))
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
            // A read error is ignored, because the download has failed already.
            let _ = body.take(MAX_QUOTED as u64).read_to_end(&mut start);
            return Err(self.not_media(content_type, &start));
        }
        let mut body = self.http.transfer(body, length);
        let mut buffer = PageBuffer::new(BUFFER_SIZE);
        buffer.grow(FIRST_BUFFER_SIZE);
        if self.position == 0 {
            let buffer = buffer.bytes_mut();
            let read =
                read_start(&mut body, buffer).map_err(|error| self.http.read_error(error))?;
            let start = &buffer[..read];
            if starts_like_text(start) || is_message(start, &content_type) {
                return Err(self.not_media(content_type, start));
            }
            self.write(start)?;
        }
        loop {
            let room = buffer.bytes_mut();
            let count = body.read(room).map_err(|error| self.http.read_error(error))?;
            if count == 0 {
                return self.check_length();
            }
            self.write(&room[..count])?;
            if count == room.len() {
                buffer.grow(2 * count);
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), AttemptError> {
        self.output.write(bytes).map_err(AttemptError::Final)?;
        self.position += bytes.len() as u64;
        self.furthest = self.furthest.max(self.position);
        (self.http.report)(&Event::Download { received: self.position, total: self.total });
        Ok(())
    }

    /// Compares the length of the output with the size that the server gave.
    fn check_length(&mut self) -> Result<(), AttemptError> {
        match self.total {
            _ if self.position == 0 => {
                Err(AttemptError::NoResponse("the content is empty".to_owned()))
            }
            Some(total) if self.position != total => {
                // If there are more bytes than the content has, the parts are not of the same
                // content.
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

    /// Maps an error status to the reason why the attempt stopped.
    fn refused(&self, request: &Request<'_>, mut response: Response) -> Stop {
        use ApiErrorKind::{
            Conflict, Gone, MethodNotAllowed, NotAuthorized, NotFound, NotImplemented, NotReady,
        };
        let head = &response.head;
        let body = match self.http.read(head, &mut response.body) {
            Ok(body) => body,
            Err(error) => return Stop::Failed(self.http.failed(request, error)),
        };
        let attempt = self.http.refused(request, head, &body);
        let Error::Api(api) = &attempt.error else { return Stop::Failed(attempt) };
        let status = api.status;
        match (&self.source, api.kind) {
            (Source::Url(_), NotAuthorized | NotFound | Gone) => Stop::UrlRefused { status },
            (Source::Content(_), NotFound | Conflict | NotReady) => {
                Stop::NoContent { attempt, is_pending: true }
            }
            (Source::Content(_), MethodNotAllowed | Gone | NotImplemented) => {
                Stop::NoContent { attempt, is_pending: false }
            }
            _ => Stop::Failed(attempt),
        }
    }
}

/// Finds the URL that a completed job names its media by.
struct UrlLookup<'a> {
    http: &'a Http,
    job: Job,
    /// Whether the server has shown the job in this run.
    is_known: bool,
    /// Whether `job` is to be read as it is, before it is retrieved again.
    is_current: bool,
    /// URLs that are not the media's.
    excluded: Vec<String>,
}

impl UrlLookup<'_> {
    /// The URL in the job at hand or, if that was read before, in the job as the server shows it
    /// now. `is_optional`: the download can go on without the job.
    ///
    /// # Errors
    /// - [`Error::JobFailed`]: there will be no media.
    /// - [`Error::MediaUrl`]: the URL cannot be downloaded.
    /// - [`Error::Api`]: there is no such job.
    /// - [`Error::Api`], [`Error::Connect`], [`Error::NoResponse`]: the server does not show the
    ///   job for now, and `is_optional` is false.
    fn find(&mut self, is_optional: bool) -> Result<Option<String>, Error> {
        if !std::mem::take(&mut self.is_current) {
            match self.http.text(&Request::get(&format!("/videos/{}", segment(self.job.id())))) {
                Ok(text) => match Job::parse_as(text.body, self.job.id()) {
                    Some(job) => (self.job, self.is_known) = (job, true),
                    None => return Ok(None),
                },
                Err(error) if is_missing(&error) && !self.is_known => return Err(error),
                Err(error) if is_temporary(&error) && !is_optional => return Err(error),
                Err(_) => return Ok(None),
            }
        }
        match self.job.status() {
            Status::Pending => Ok(None),
            Status::Failed => Err(Error::JobFailed(Box::new(self.job.clone()))),
            Status::Completed => self.read(),
        }
    }

    fn read(&self) -> Result<Option<String>, Error> {
        let settings = self.http.settings();
        let base_url = settings.base_url.as_str();
        match media::media_url(self.job.text(), self.job.id(), base_url, &self.excluded) {
            Ok(Some(url))
                if url.starts_with("http:")
                    && settings.base_url.is_https()
                    && !settings.allow_http =>
            {
                Err(Error::MediaUrl { url: without_secrets(&url), is_unencrypted: true })
            }
            Ok(url) => Ok(url),
            Err(UnusableUrl(url)) => {
                Err(Error::MediaUrl { url: without_secrets(&url), is_unencrypted: false })
            }
        }
    }

    fn refused(&self, url: &str, status: u16) -> Error {
        Error::MediaRefused { host: authority(url), status, job: Box::new(self.job.clone()) }
    }
}

/// Whether the server responded that the job does not exist.
fn is_missing(error: &Error) -> bool {
    use ApiErrorKind::{Gone, NotFound};
    matches!(error, Error::Api(api) if matches!(api.kind, NotFound | Gone))
}

/// Whether a later attempt may succeed.
fn is_temporary(error: &Error) -> bool {
    match error {
        Error::Api(api) => matches!(
            api.kind,
            ApiErrorKind::Conflict | ApiErrorKind::Unavailable | ApiErrorKind::ServerError
        ),
        Error::Connect { .. } | Error::NoResponse { .. } | Error::TooLarge { .. } => true,
        _ => false,
    }
}

/// Whether a content type is that of a page or of JSON.
fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json") || kind.starts_with("text/")
}

/// Whether content starts like HTML or JSON, whatever its content type. No media format does: MP4
/// starts with a length, WebP with `RIFF`, JPEG with FF D8.
fn starts_like_text(start: &[u8]) -> bool {
    matches!(start.trim_ascii_start().first(), Some(b'{' | b'[' | b'<'))
}

/// Whether content with this start is a message, such as `error: not found`, whatever its content
/// type: only text, and not longer than the start. A single word with the content type of a video
/// or an image is accepted as media, because mock servers such as Steady send that. Real media have
/// control characters or bytes that are not UTF-8 in their first bytes: zeros in the sizes of MP4
/// and WebP, 1A or 89 at the start of WebM and PNG, FF in JPEG, zeros in the header of GIF.
fn is_message(start: &[u8], content_type: &str) -> bool {
    let is_printable = |c: char| !c.is_control() || c.is_ascii_whitespace();
    let is_media = ["video/", "image/"].into_iter().any(|kind| content_type.starts_with(kind));
    let is_mocked = is_media && !start.iter().any(u8::is_ascii_whitespace);
    (1..SHORT).contains(&start.len())
        && !is_mocked
        && str::from_utf8(start).is_ok_and(|text| text.chars().all(is_printable))
}

/// Reads [`SHORT`] bytes or more, or to the end. Returns the number of bytes.
fn read_start(body: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < SHORT {
        match body.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// The value for `If-Range` (RFC 9110, 13.1.5): a strong `ETag` or, if there is no `ETag` at all, a
/// `Last-Modified` that is strong (8.8.2.2): so much older than the response that the content did
/// not change twice within the same second.
fn validator(head: &ResponseHead) -> Option<String> {
    if let Some(etag) = head.header("etag") {
        return Some(etag.to_owned()).filter(|etag| etag.starts_with('"'));
    }
    let modified = head.header("last-modified")?;
    let time = |date: &str| httpdate::parse_http_date(date.trim()).ok();
    let age = time(head.header("date")?)?.duration_since(time(modified)?).ok()?;
    (age >= STRONG_AGE).then(|| modified.to_owned())
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
    fn only_a_strong_validator_goes_into_if_range() {
        let head = |headers: &[(&str, &str)]| ResponseHead {
            status: 200,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        let modified = ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
        let date = |text| ("Date", text);
        for (headers, expected) in [
            (&[("ETag", "\"a\""), modified][..], Some("\"a\"")),
            (&[modified, date("Sun, 06 Nov 1994 08:50:37 GMT")], Some(modified.1)),
            (&[modified, date("Sun, 06 Nov 1994 08:50:36 GMT")], None),
            (&[modified, date("Sun, 06 Nov 1994 08:49:37 GMT")], None),
            (&[modified, date("Sat, 05 Nov 1994 08:49:37 GMT")], None),
            (&[modified, date("today")], None),
            (&[modified], None),
            (&[("ETag", "W/\"a\""), modified, date("Mon, 07 Nov 1994 08:49:37 GMT")], None),
            (&[("ETag", "W/\"a\"")], None),
            (&[], None),
        ] {
            assert_eq!(validator(&head(headers)).as_deref(), expected, "{headers:?}");
        }
    }
}
