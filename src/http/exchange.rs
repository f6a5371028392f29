//! One exchange: a request is built and sent, and the head of its response is read. This file and
//! the bodies are the only users of ureq's API.

use std::cell::OnceCell;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::unversioned::transport::Connector;
use ureq::{Agent, BodyReader, SendBody, config::Config, http};

use crate::api::error::Error;
use crate::api::event::{Event, Report};
use crate::http::attempt::{AttemptError, FailedAttempt};
use crate::http::body::upload_meter::UploadMeter;
use crate::http::headers::{Headers, from_map, shown};
use crate::http::request::{Body, Method, Request, RequestTarget};
use crate::http::response::{Response, ResponseHead};
use crate::net::buffers::MAX_HEAD;
use crate::net::connect::ServerConnector;
use crate::net::direct_read::DirectBody;
use crate::net::proxy_handshake::credentials_error;
use crate::net::routes::Routes;
use crate::net::tracker::{Tracker, TrackingConnector};
use crate::net::transport::NoResolver;
use crate::settings::Settings;
use crate::text::shorten;
use crate::url;

/// The largest JSON body that is read, in bytes. A job has a few hundred.
const MAX_JSON: u64 = 16 * 1024 * 1024;
/// How much of the body of an error response is read, in bytes.
const MAX_ERROR: u64 = 64 * 1024;
/// How long `100 Continue` is awaited before the body is sent all the same. As in curl.
const EXPECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long an idle connection is kept: longer than any poll interval but that of a server that is
/// not available.
const MAX_IDLE: Duration = Duration::from_secs(300);
const MAX_REDIRECTS: u32 = 10;
/// The longest URL that is sent, in bytes. Its line has to fit into the output buffer.
const LONGEST_URL: usize = 32 * 1024;

/// Sends requests to one server over as few connections as it allows.
pub(crate) struct Http {
    agent: Agent,
    /// The connections that must not show the client certificate, if there is one.
    anonymous_agent: OnceCell<Agent>,
    pub(super) settings: Settings,
    routes: Arc<Routes>,
    tracker: Arc<Tracker>,
    pub(crate) report: Report,
}

impl Http {
    pub(crate) fn new(settings: Settings, report: Report) -> Self {
        let tracker = Arc::new(Tracker::new(&settings));
        let routes = Arc::new(Routes::new(&settings));
        Self {
            agent: agent(&settings, &routes, &tracker, &report),
            anonymous_agent: OnceCell::new(),
            settings,
            routes,
            tracker,
            report,
        }
    }

    /// Limits connecting and the wait for a response head to this time, beside the timeouts of the
    /// settings.
    pub(crate) fn set_deadline(&self, deadline: Option<Instant>) {
        self.tracker.set_deadline(deadline);
    }

    /// Sends a request once and returns the response as soon as its head is there, whatever its
    /// status.
    ///
    /// A GET follows redirects. Neither credentials nor any header of the settings go to another
    /// origin than that of the base URL. Once a redirect has left that origin, they are not sent
    /// again, not even back to it.
    pub(crate) fn open(&self, request: &Request<'_>) -> Result<Response, AttemptError> {
        let base_origin = url::origin(self.settings.base_url.as_str());
        let mut url = request.url(&self.settings);
        if !self.allows_scheme(self.settings.base_url.as_str(), &url) {
            return Err(AttemptError::Final(Error::invalid(format!(
                "'{}' is not encrypted, and the server that names it is reached over https",
                url::without_secrets(&url)
            ))));
        }
        let mut is_base_origin = true;
        let mut expect_continue = request.expects_continue();
        for _ in 0..=MAX_REDIRECTS {
            is_base_origin &= url::origin(&url) == base_origin;
            let response = self.exchange(request, &url, is_base_origin, expect_continue)?;
            match response.head.status {
                // The server does not know `Expect`; it has read nothing of the body (RFC 9110,
                // 10.1.1).
                417 if expect_continue && !request.is_streamed() => expect_continue = false,
                301 | 302 | 303 | 307 | 308 if request.method == Method::Get => {
                    url = self.redirect_target(request, &url, &response.head)?;
                }
                // The API did not refuse anything: the link to the other host may have expired.
                status @ 400..
                    if !is_base_origin && matches!(request.target, RequestTarget::Path(_)) =>
                {
                    let host = url::authority(&url);
                    return Err(AttemptError::NoResponse(format!(
                        "'{host}', which the server redirects to, responded with HTTP {status}"
                    )));
                }
                _ => return Ok(response),
            }
        }
        Err(AttemptError::NoResponse(format!("more than {MAX_REDIRECTS} redirects")))
    }

    /// The URL that a redirect leads to.
    fn redirect_target(
        &self,
        request: &Request<'_>,
        url: &str,
        head: &ResponseHead,
    ) -> Result<String, AttemptError> {
        let location = head.header("location").unwrap_or_default();
        url::resolve(url, location).filter(|target| self.allows_scheme(url, target)).ok_or_else(
            || {
                let failed = FailedAttempt::with_response(request, head, "", &self.settings);
                AttemptError::Final(failed.error)
            },
        )
    }

    /// Whether to go on from one URL to the other: not from https to plain http, unless that is
    /// allowed.
    fn allows_scheme(&self, from: &str, to: &str) -> bool {
        !from.starts_with("https:") || to.starts_with("https:") || self.settings.allow_http
    }

    /// Sends a request to this URL and reads the head of the response.
    fn exchange(
        &self,
        request: &Request<'_>,
        url: &str,
        is_base_origin: bool,
        expect_continue: bool,
    ) -> Result<Response, AttemptError> {
        let headers = if is_base_origin {
            request.headers(&self.settings, expect_continue)
        } else {
            request.cross_origin_headers()
        };
        let is_named_by_server =
            matches!(request.target, RequestTarget::Url(_)) || url != request.url(&self.settings);
        let shown_url = if is_named_by_server { url::without_secrets(url) } else { url.to_owned() };
        let message = build(request.method, url, &headers).map_err(|error| {
            if is_named_by_server {
                AttemptError::NoResponse(format!(
                    "'{}', which the server names, is not a usable URL",
                    shorten(&shown_url)
                ))
            } else {
                AttemptError::Final(Error::invalid(format!(
                    "cannot send a request to '{}': {error}",
                    shorten(url)
                )))
            }
        })?;
        (self.report)(&Event::Request {
            method: request.method.name(),
            url: &shown_url,
            headers: &shown(&headers),
        });
        self.tracker.start(request.method == Method::Post);
        let uri = message.uri().clone();
        let response = self.send(request, message, url, self.agent(is_base_origin))?;
        self.read_head(response, &uri, url)
    }

    /// The agent for connections to the origin of the base URL, or to others.
    fn agent(&self, is_base_origin: bool) -> &Agent {
        if is_base_origin || self.settings.client_certificate.is_none() {
            return &self.agent;
        }
        self.anonymous_agent.get_or_init(|| {
            let settings = Settings { client_certificate: None, ..self.settings.clone() };
            agent(&settings, &self.routes, &self.tracker, &self.report)
        })
    }

    /// Sends the head and the body of a request.
    fn send(
        &self,
        request: &Request<'_>,
        message: http::Request<()>,
        url: &str,
        agent: &Agent,
    ) -> Result<http::Response<ureq::Body>, AttemptError> {
        let stall = self.settings.stall_timeout;
        let reader: Box<dyn Read + '_> = match &request.body {
            Body::None => return agent.run(message).map_err(|error| self.error(error, url)),
            Body::Json(text) => Box::new(text.as_bytes()),
            Body::Form(form) => form.open(stall).map_err(AttemptError::Final)?,
            Body::DataUrl(body) => body.open(stall).map_err(AttemptError::Final)?,
        };
        let mut meter = UploadMeter {
            reader,
            tracker: &self.tracker,
            report: &self.report,
            sent: 0,
            total: request.body.len(),
            failure: None,
        };
        let result = agent.run(message.map(|()| SendBody::from_reader(&mut meter)));
        match meter.failure {
            Some(error) => Err(AttemptError::Final(error)),
            None => result.map_err(|error| self.error(error, url)),
        }
    }

    /// Takes the head of a response from ureq.
    fn read_head(
        &self,
        response: http::Response<ureq::Body>,
        uri: &http::Uri,
        url: &str,
    ) -> Result<Response, AttemptError> {
        let (head, body) = response.into_parts();
        let head = ResponseHead { status: head.status.as_u16(), headers: from_map(&head.headers) };
        (self.report)(&Event::Response { status: head.status, headers: &shown(&head.headers) });
        // A plain http request through a proxy has no CONNECT that the proxy could have refused.
        if head.status == 407
            && self.routes.absolute(uri).is_some()
            && let Some(proxy) = self.routes.proxy(uri)
        {
            let source = credentials_error(proxy).at_proxy(proxy);
            return Err(self.error(ureq::Error::Other(source.into()), url));
        }
        Ok(Response { head, length: body.content_length(), body: body.into_reader() })
    }

    fn error(&self, error: ureq::Error, url: &str) -> AttemptError {
        AttemptError::new(error, url, &self.settings, &self.tracker)
    }

    /// The body of the response that was opened last, to be read for any length of time as long as
    /// data come.
    pub(crate) fn transfer(&self, body: BodyReader<'static>, length: Option<u64>) -> Box<dyn Read> {
        self.tracker.start_transfer(length.is_some());
        match length {
            Some(length) => Box::new(DirectBody::new(body, length)),
            None => Box::new(body),
        }
    }

    /// Maps an error of reading such a body.
    pub(crate) fn read_error(&self, error: io::Error) -> AttemptError {
        AttemptError::in_body(error, &self.settings, &self.tracker)
    }

    /// Reads the body of a 2xx whole, as UTF-8 without a byte order mark, and of any other response
    /// as much as arrives, up to 64 KiB.
    pub(crate) fn read(
        &self,
        head: &ResponseHead,
        body: &mut dyn Read,
    ) -> Result<String, AttemptError> {
        let max = if head.is_success() { MAX_JSON } else { MAX_ERROR };
        let mut bytes = Vec::new();
        let result = body.take(max + 1).read_to_end(&mut bytes);
        (self.report)(&Event::BodyRead { size: bytes.len() as u64 });
        if !head.is_success() {
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        }
        result.map_err(|error| self.read_error(error))?;
        if bytes.len() as u64 > MAX_JSON {
            let reason = format!("the response is larger than {} MiB", MAX_JSON >> 20);
            return Err(AttemptError::TooLarge(reason));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
            Err(_) => Err(AttemptError::NoResponse("the response is not UTF-8".to_owned())),
        }
    }
}

/// A pool of connections.
fn agent(
    settings: &Settings,
    routes: &Arc<Routes>,
    tracker: &Arc<Tracker>,
    report: &Report,
) -> Agent {
    let config = Config::builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent("")
        .accept("")
        .max_response_header_size(MAX_HEAD)
        .max_idle_age(MAX_IDLE)
        .timeout_await_100(Some(EXPECT_TIMEOUT))
        .timeout_recv_response(Some(settings.timeout))
        // It tells the tracker that a body is being read. The tracker sets the timeout, which
        // depends on the body.
        .timeout_recv_body(Some(Settings::LONGEST))
        .build();
    let connector =
        ServerConnector::new(settings, Arc::clone(routes), Arc::clone(tracker), Arc::clone(report))
            .chain(TrackingConnector { tracker: Arc::clone(tracker), routes: Arc::clone(routes) });
    Agent::with_parts(config, connector, NoResolver)
}

/// A request without its body. The error is a reason.
fn build(method: Method, url: &str, headers: &Headers) -> Result<http::Request<()>, String> {
    if url.len() > LONGEST_URL {
        return Err(format!("the URL is longer than {} KiB", LONGEST_URL >> 10));
    }
    let builder = http::Request::builder().method(method.name()).uri(url);
    headers
        .iter()
        .fold(builder, |builder, (name, value)| builder.header(name, value))
        .body(())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use super::*;
    use crate::settings::ApiKey;
    use crate::settings::base_url::BaseUrl;
    use crate::settings::header::Header;

    /// Sends a GET of this target to a client with these settings.
    fn open(settings: Settings, target: RequestTarget<'_>) -> Result<u16, AttemptError> {
        let http = Http::new(settings, Arc::new(|_| {}));
        let request = Request { target, ..Request::get("") };
        http.open(&request).map(|response| response.head.status)
    }

    fn settings(base_url: &str) -> Settings {
        let mut settings = Settings::new(BaseUrl::new(base_url).unwrap());
        settings.api_key = Some(ApiKey::new("sk-topsecret").unwrap());
        settings.project = Some("p".to_owned());
        settings.headers = vec![Header::parse("X-Gateway: topsecret").unwrap()];
        settings
    }

    /// Responds to one request with 403 and returns its head, in lower case.
    fn refuse(listener: TcpListener) -> JoinHandle<String> {
        thread::spawn(move || {
            let mut reader = BufReader::new(listener.accept().unwrap().0);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert_ne!(reader.read_line(&mut head).unwrap(), 0);
            }
            let response = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
            reader.get_mut().write_all(response).unwrap();
            head.to_lowercase()
        })
    }

    #[test]
    fn an_absolute_url_gets_credentials_only_at_the_origin_of_the_base_url() {
        for is_base_origin in [true, false] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let origin = format!("http://{}", listener.local_addr().unwrap());
            let base_url = if is_base_origin { &origin } else { "http://127.0.0.1:9" };
            let server = refuse(listener);
            let url = format!("{origin}/media?sig=1");
            let status = open(settings(base_url), RequestTarget::Url(&url)).ok();
            assert_eq!(status, Some(403));
            let head = server.join().unwrap();
            assert!(head.starts_with("get /media?sig=1 http/1.1\r\n"), "{head}");
            for name in ["authorization:", "openai-project:", "x-gateway:"] {
                assert_eq!(head.contains(name), is_base_origin, "{name} in {head}");
            }
        }
    }

    #[test]
    fn a_plain_http_url_from_a_server_of_https_is_refused() {
        let url = "http://127.0.0.1:9/media?sig=1";
        let error = open(settings("https://127.0.0.1:9"), RequestTarget::Url(url)).err().unwrap();
        let AttemptError::Final(error) = error else { panic!("not final") };
        assert_eq!(
            error.to_string(),
            "'http://127.0.0.1:9/media' is not encrypted, and the server that names it is reached \
             over https"
        );
    }
}
