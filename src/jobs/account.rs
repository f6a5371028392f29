//! Which account a request is sent for, as far as a client can tell.

use crate::digest::sha256;
use crate::http::request::Request;
use crate::settings::Settings;
use crate::settings::header::may_name_account;

/// Everything by which a server may tell accounts apart: the key, organization and project, other
/// headers of the user, and the client certificate. Holds secrets; only its digest is stored.
pub(crate) struct Account(String);

impl Account {
    pub(crate) fn of(settings: &Settings) -> Self {
        let headers = Request::get("").headers(settings, false);
        let mut lines: Vec<String> = headers
            .iter()
            .filter(|(name, _)| may_name_account(name))
            .map(|(name, value)| format!("{}: {value}", name.to_ascii_lowercase()))
            .collect();
        if let Some(certificate) = &settings.client_certificate {
            lines.push(sha256(certificate.leaf()));
        }
        lines.sort();
        Self(lines.join("\n"))
    }

    /// Its SHA-256 digest with a salt, which is the idempotency key of a record.
    pub(crate) fn digest(&self, salt: &str) -> String {
        sha256(format!("{salt}\n{}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::settings::ApiKey;
    use crate::settings::base_url::BaseUrl;
    use crate::settings::header::Header;

    fn digest(key: &str, headers: &[&str]) -> String {
        let mut settings = Settings::new(BaseUrl::new("https://x.example/v1").unwrap());
        settings.api_key = Some(ApiKey::new(key).unwrap());
        settings.headers = headers.iter().map(|line| Header::parse(line).unwrap()).collect();
        Account::of(&settings).digest("salt")
    }

    #[test]
    fn the_digest_depends_on_every_setting_that_may_name_an_account() {
        let ours = digest("sk-1", &["X-Tenant: a", "X-Team: b"]);
        for (key, headers) in [
            ("sk-1", &["x-team: b", "x-tenant: a"][..]),
            ("sk-1", &["X-Tenant: a", "X-Team: b", "Accept: */*", "X-Request-Id: 7"]),
            ("sk-2", &["X-Tenant: a", "X-Team: b", "Authorization: Bearer sk-1"]),
        ] {
            assert_eq!(digest(key, headers), ours, "{headers:?}");
        }
        for (key, headers) in [
            ("sk-2", &["X-Tenant: a", "X-Team: b"][..]),
            ("sk-1", &["X-Tenant: a"]),
            ("sk-1", &["X-Tenant: b", "X-Team: a"]),
            ("sk-1", &["X-Tenant: a", "X-Team: b", "OpenAI-Organization: o"]),
            ("sk-1", &["X-Tenant: a", "X-Team: b", "Authorization:"]),
        ] {
            assert_ne!(digest(key, headers), ours, "{headers:?}");
        }
        assert!(!ours.contains("sk-1") && ours.len() == 64, "{ours}");
    }
}
