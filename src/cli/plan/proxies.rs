//! The variables that name proxies, in lower or upper case.

use openai_videos::{Error, NoProxy, Proxies, Proxy};

use crate::cli::args::value::{text, with_name};
use crate::cli::env::{Env, env_value};

/// The proxies for a server that is reached over https or not, and for the servers that it may
/// redirect to: https may follow http, but http does not follow https.
pub(crate) fn read(env: Env<'_>, https: bool) -> Result<Proxies, Error> {
    // A web server that runs a CGI program sets HTTP_PROXY from the request header `Proxy`, which
    // anybody can send.
    let is_cgi = env_value(env, "REQUEST_METHOD").is_some();
    let first = |names: &[&'static str]| {
        let mut names = names.iter().filter(|name| !(is_cgi && **name == "HTTP_PROXY"));
        names.find_map(|name| Some((*name, env_value(env, name)?)))
    };
    let proxy = |names: &[&'static str]| match first(names) {
        Some((name, url)) => {
            // Not quoted if it is not UTF-8: it may contain a password.
            let proxy = Proxy::new(&text(&url, name)?);
            proxy.map(Some).map_err(|error| with_name(name, error))
        }
        None => Ok(None),
    };
    let mut proxies = Proxies::default();
    proxies.https = proxy(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])?;
    if !https {
        proxies.http = proxy(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])?;
    }
    if let Some((name, list)) = first(&["no_proxy", "NO_PROXY"]) {
        proxies.exceptions = NoProxy::new(&text(&list, name)?);
    }
    Ok(proxies)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    /// The hosts of the proxies for https and for http.
    fn chosen(variables: &[(&str, &str)]) -> (String, String) {
        let env = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let proxies = read(&env, false).unwrap();
        let shown = |proxy: Option<Proxy>| proxy.map_or("none".to_owned(), |it| format!("{it:?}"));
        (shown(proxies.https), shown(proxies.http))
    }

    #[test]
    fn a_variable_for_one_scheme_wins_over_all_proxy_and_lower_case_over_upper_case() {
        let proxy = |name: &str| format!("Proxy(Http, {name}:80)");
        let all = ("all_proxy", "all");
        let none = "none".to_owned();
        assert_eq!(chosen(&[]), (none.clone(), none.clone()));
        assert_eq!(chosen(&[all]), (proxy("all"), proxy("all")));
        assert_eq!(chosen(&[("ALL_PROXY", "up"), all]), (proxy("all"), proxy("all")));
        assert_eq!(chosen(&[("https_proxy", "s"), all]), (proxy("s"), proxy("all")));
        assert_eq!(chosen(&[("HTTPS_PROXY", "s")]), (proxy("s"), none.clone()));
        assert_eq!(chosen(&[("HTTP_PROXY", "p"), ("http_proxy", "")]), (none.clone(), proxy("p")));
        assert_eq!(chosen(&[("HTTP_PROXY", "p"), ("REQUEST_METHOD", "GET")]), (none.clone(), none));
    }
}
