//! Hints: the remedy for an error, and the next step for a job. This program's own commands are
//! suggested, as an empty container has no others.

use std::path::Path;
use std::time::{Duration, SystemTime};

use openai_videos::ApiErrorKind::{Gone, MethodNotAllowed, NotAuthorized, NotFound};
use openai_videos::{
    ApiError, BaseUrl, ConnectError, ConnectErrorKind, Encoding, Error, Job, Settings, Status,
    shorten,
};

use crate::cli::plan::Named;
use crate::cli::show::escape::line;

/// Shows the newest jobs.
const LIST: &str = "list --limit 5 --max-items 5";
/// The hint for OpenAI's own server, which OpenAI has shut down.
const SHUT_DOWN: &str = "point --base-url at another server (https://api.x.ai/v1, a gateway): \
    OpenAI's endpoint was shut down on 2026-09-24";
/// Where systems keep the certificates that they trust: Debian and Alpine, Fedora, and others.
const SYSTEM_BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// The remedy for an error as one imperative sentence. `settings`: those of the run, once they are
/// known. `named`: what the command names.
pub(crate) fn hint(
    error: &Error,
    settings: Option<&Settings>,
    named: Option<&Named>,
) -> Option<String> {
    Some(match error {
        Error::Invalid { hint, .. } => return hint.clone(),
        Error::Unencrypted { .. } => {
            "use https://, or allow it with --allow-http or OPENAI_ALLOW_HTTP=1".to_owned()
        }
        Error::NoKey => format!("set OPENAI_API_KEY or OPENAI_API_KEY_FILE, and {SHUT_DOWN}"),
        Error::UnknownOutcome { list_url: None, .. } => {
            "before running this again, check at the server whether the character exists: the API \
             has no list of characters"
                .to_owned()
        }
        Error::UnknownOutcome { .. } => format!(
            "before running this again, look for the job, which may exist and be paid for: {}",
            command(LIST, settings)
        ),
        Error::Unresolved { is_other_account: true, path, .. } => format!(
            "run this with the key, organization, project and headers of that run, or remove {} \
             only if that run created no job",
            quoted(&path.to_string_lossy())
        ),
        Error::JobNotFound { is_other_account: true, .. } => {
            "run this with the key, organization, project and headers of the run that created \
             the job"
                .to_owned()
        }
        Error::Unresolved { path, .. } => format!(
            "look for the job, and remove {} only if there is none, to send the request again: {}",
            quoted(&path.to_string_lossy()),
            command(LIST, settings)
        ),
        Error::JobNotFound { path, .. } => format!(
            "check that the key belongs to the account that created the job, and remove {} to \
             create another one",
            quoted(&path.to_string_lossy())
        ),
        Error::WaitTimeout { job, .. } => format!(
            "run the same command again if it had --state, or wait with: {}",
            job_command("retrieve --wait", job, settings)
        ),
        Error::MediaRefused { job, .. } => format!(
            "try again later with: {}",
            job_command("download-content --output FILE", job, settings)
        ),
        Error::MediaUrl { is_unencrypted: true, .. } => {
            "pass --allow-http to download it all the same".to_owned()
        }
        Error::Redirect { target, .. } => redirect_hint(target),
        Error::Connect { host, source } => return connect_hint(host, &**source, settings),
        Error::Api(error) => return api_hint(error, settings, named),
        _ => return None,
    })
}

/// Every path of the API begins with `/videos`. The target may be a relative reference.
fn redirect_hint(target: &str) -> String {
    let is_end = |rest: &str| rest.is_empty() || rest.starts_with('/');
    let places = target.match_indices("/videos");
    let place = places.filter(|(at, path)| is_end(&target[at + path.len()..])).last();
    let base_url = place.map(|(at, _)| &target[..at]);
    match base_url.filter(|url| BaseUrl::new(url).is_ok()) {
        Some(url) => format!("set --base-url to {}", quoted(url)),
        None => "set --base-url to the redirect target, without the path of the request".to_owned(),
    }
}

fn api_hint(
    error: &ApiError,
    settings: Option<&Settings>,
    named: Option<&Named>,
) -> Option<String> {
    if let Some(encoding) = error.other_encoding {
        let (name, kind) = match encoding {
            Encoding::Json => ("json", "JSON"),
            Encoding::DataUrl => ("data-url", "JSON"),
            _ => ("multipart", "forms"),
        };
        return Some(format!("try --encoding {name} if the server reads only {kind}"));
    }
    let is_default = settings.is_some_and(|settings| settings.base_url.is_default());
    if let Some(named) = named.filter(|_| is_about_resource(error) && !is_default) {
        return Some(match named {
            Named::Job(id) => {
                let list = command(LIST, settings);
                format!("check the id {}, or look for the job with: {list}", quoted(id))
            }
            // The API has no list of characters.
            Named::Character(id) => format!("check the id {}", quoted(id)),
        });
    }
    Some(match (error.kind, error.retry_after) {
        (NotAuthorized, _) => {
            "check the key: --api-key, OPENAI_API_KEY or OPENAI_API_KEY_FILE".to_owned()
        }
        (NotFound | MethodNotAllowed | Gone, _) if is_default => SHUT_DOWN.to_owned(),
        (NotFound | MethodNotAllowed, _) => "check that --base-url includes a path such as /v1, \
                                             and that the server has this endpoint"
            .to_owned(),
        (_, Some(wait)) if wait > Duration::from_secs(86_400) => {
            "run this again in more than a day, as the server asks".to_owned()
        }
        (_, Some(wait)) => {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            format!("run this again in {seconds} s, as the server asks")
        }
        _ => return None,
    })
}

/// Whether a 404 says that the server does not have the job or character, rather than the route:
/// web frameworks respond to an unknown route with a page, or with no other message than `Not
/// Found`.
fn is_about_resource(error: &ApiError) -> bool {
    let has_message = error.message != shorten(&error.body);
    error.kind == NotFound && has_message && !error.message.eq_ignore_ascii_case("not found")
}

fn connect_hint(
    host: &str,
    source: &(dyn std::error::Error + 'static),
    settings: Option<&Settings>,
) -> Option<String> {
    let kind = source.downcast_ref().map(|reason: &ConnectError| reason.kind);
    let hint = match kind {
        Some(ConnectErrorKind::Clock) => {
            let now = httpdate::fmt_http_date(SystemTime::now());
            return Some(format!("set the clock of this machine if it is wrong: it says {now}"));
        }
        Some(ConnectErrorKind::Issuer) => return Some(issuer_hint(settings)),
        Some(ConnectErrorKind::CaCertificate) => {
            "give the server a certificate made with basicConstraints=CA:FALSE, or one signed by \
             this one"
        }
        Some(ConnectErrorKind::NoTls) => {
            "write http:// in --base-url if the server speaks plain HTTP"
        }
        Some(ConnectErrorKind::ClientCertificate) => {
            "set a certificate that the server accepts: --mtls-client-cert-file and \
             --mtls-client-key-file"
        }
        Some(ConnectErrorKind::NoNameServer) => {
            "add a name server to /etc/resolv.conf (nameserver 192.0.2.1), or write the host's \
             address in --base-url"
        }
        Some(ConnectErrorKind::ProxyCredentials) => {
            "put user and password into the proxy's URL, percent-encoded: \
             http://user:password@host:port"
        }
        _ if host == "api.openai.com" => SHUT_DOWN,
        _ => return None,
    };
    Some(hint.to_owned())
}

fn issuer_hint(settings: Option<&Settings>) -> String {
    let is_default = settings.is_some_and(|settings| settings.roots.is_none());
    let bundle = SYSTEM_BUNDLES.into_iter().find(|path| is_default && Path::new(path).exists());
    match bundle {
        Some(bundle) => format!(
            "set --cacert or SSL_CERT_FILE to a file with the issuer's certificate if you trust \
             it; this system's own is {bundle}"
        ),
        None => {
            "set --cacert or SSL_CERT_FILE to a file with the issuer's certificate if you trust it"
                .to_owned()
        }
    }
}

/// The lines after a job that is shown to a person. `fetched`: its media are stored already.
pub(crate) fn next_step(job: &Job, fetched: bool, settings: Option<&Settings>) -> Option<String> {
    match job.status() {
        Status::Completed if fetched => None,
        Status::Completed => Some(format!(
            "\nfetch it with: {}\n",
            job_command("download-content --output FILE", job, settings)
        )),
        Status::Failed => {
            let reason = job.reason().map_or(String::new(), |reason| format!(": {reason}"));
            Some(format!("\nit failed{reason}; a new request is needed\n"))
        }
        Status::Pending => {
            Some(format!("\nwait for it with: {}\n", job_command("retrieve --wait", job, settings)))
        }
    }
}

/// A command to be copied, for the same server.
fn command(words: &str, settings: Option<&Settings>) -> String {
    match settings {
        Some(settings) if !settings.base_url.is_default() => {
            format!("openai videos {words} --base-url {}", quoted(settings.base_url.as_str()))
        }
        _ => format!("openai videos {words}"),
    }
}

fn job_command(words: &str, job: &Job, settings: Option<&Settings>) -> String {
    format!("{} -- {}", command(words, settings), quoted(job.id()))
}

/// A word quoted for a shell, on one line.
fn quoted(word: &str) -> String {
    format!("'{}'", line(&word.replace('\'', "'\\''")))
}
