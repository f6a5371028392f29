//! Hints: for each error what to do about it, in one sentence, and for a job that a person looks at what comes next.

use openai_videos::{ApiErrorKind, ConnectError, ConnectErrorKind, Error, Job, Settings, Status};

use crate::cli::show::escape::line;

/// A word as a shell takes it, on one line.
fn quoted(word: &str) -> String {
    format!("'{}'", line(&word.replace('\'', "'\\''")))
}

/// A call about a job, to be copied.
fn call(command: &str, job: &Job, settings: Option<&Settings>) -> String {
    let server = settings.filter(|settings| !settings.base_url.is_default());
    let server = server.map_or(String::new(), |settings| {
        format!(" --base-url {}", quoted(settings.base_url.as_str()))
    });
    format!("openai videos {command}{server} -- {}", quoted(job.id()))
}

/// What to do about an error. `settings`: those of the run, once they are known.
pub(crate) fn hint(error: &Error, settings: Option<&Settings>) -> Option<String> {
    let hint = match error {
        Error::Invalid { hint, .. } => return hint.clone(),
        Error::Unencrypted { .. } => {
            "use https://, or allow it with --allow-http or OPENAI_ALLOW_HTTP=1".to_owned()
        }
        Error::NoKey => {
            "set OPENAI_API_KEY or OPENAI_API_KEY_FILE, or name a server that needs none with OPENAI_BASE_URL".to_owned()
        }
        Error::UnknownOutcome { list_url, .. } => {
            let key = match settings.is_some_and(|settings| settings.api_key.is_some()) {
                true => "-H \"Authorization: Bearer $OPENAI_API_KEY\" ",
                false => "",
            };
            format!(
                "a job may exist and be paid for; before you run this again, look for it: curl {key}{}",
                quoted(list_url)
            )
        }
        Error::Unresolved { list_url, path, .. } => format!(
            "look for it at {list_url}; if there is none, remove {} to send the request again",
            quoted(&path.to_string_lossy())
        ),
        Error::JobGone { path, .. } => {
            format!("remove {} to begin a new job", quoted(&path.to_string_lossy()))
        }
        Error::WaitTimeout { job, .. } => format!(
            "wait for it again with: {} (or run the same command again, if it had --state)",
            call("retrieve --wait", job, settings)
        ),
        Error::Redirect { .. } => "name the place where the API really is with --base-url".to_owned(),
        Error::Connect { host, source } => return network_hint(host, &**source),
        Error::Api(api) => match (api.kind, api.retry_after) {
            (ApiErrorKind::NotAuthorized, _) => "check the key: --api-key, OPENAI_API_KEY or OPENAI_API_KEY_FILE".to_owned(),
            (ApiErrorKind::NotFound | ApiErrorKind::MethodNotAllowed, _) => {
                "the server may not offer this call, or --base-url lacks a path such as /v1".to_owned()
            }
                (_, Some(wait)) if wait.as_secs() > 86_400 => {
                "the server asks to wait for more than a day".to_owned()
            }
            (_, Some(wait)) => {
                format!("the server asks to wait {} s; run this again then", wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
            }
            _ => return None,
        },
        _ => return None,
    };
    Some(hint)
}

/// What to do about a kind that was told apart.
fn network_hint(host: &str, source: &(dyn std::error::Error + 'static)) -> Option<String> {
    let kind = source.downcast_ref().map(|reason: &ConnectError| reason.kind);
    let hint = match kind {
        Some(ConnectErrorKind::Clock) => {
            let now = httpdate::fmt_http_date(std::time::SystemTime::now());
            return Some(format!("the clock of this machine says {now}; if that is wrong, set it"));
        }
        Some(ConnectErrorKind::Issuer) => {
            "if you trust it, name a file with its issuer's certificate: --cacert FILE or SSL_CERT_FILE"
        }
        Some(ConnectErrorKind::CaCertificate) => {
            "give the server a certificate made with basicConstraints=CA:FALSE, or one signed by this one"
        }
        Some(ConnectErrorKind::NoTls) => "for a server of plain http, write http:// in --base-url",
        Some(ConnectErrorKind::ClientCertificate) => {
            "name one that it knows: --mtls-client-cert-file and --mtls-client-key-file"
        }
        Some(ConnectErrorKind::NoNameServer) => {
            "name a name server in /etc/resolv.conf (nameserver 192.0.2.1), or the host by its address"
        }
        Some(ConnectErrorKind::ProxyCredentials) => {
            "put them into the proxy's URL: http://user:password@host:port, percent-encoded"
        }
        _ if host == "api.openai.com" => {
            "OpenAI's own endpoint was scheduled to shut down on 2026-09-24; name another server with --base-url"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

/// The lines after a job that is shown to a person.
pub(crate) fn next_step(job: &Job, fetched: bool, settings: Option<&Settings>) -> Option<String> {
    match job.status() {
        Status::Completed if fetched => None,
        Status::Completed => Some(format!(
            "\nfetch it with: {}\n",
            call("download-content --output FILE", job, settings)
        )),
        Status::Failed => {
            let reason = job.reason().map_or(String::new(), |reason| format!(": {reason}"));
            Some(format!("\nit failed{reason}; a new request is needed\n"))
        }
        Status::Pending => {
            Some(format!("\nwait for it with: {}\n", call("retrieve --wait", job, settings)))
        }
    }
}
