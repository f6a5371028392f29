//! Functions on URLs: those of the API, and those that a server sends.

use std::net::IpAddr;

/// Whether a host, in lower case and without brackets, is loopback.
pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Percent-encodes every byte that is not kept (RFC 3986, section 2.1).
fn percent_encode(text: &str, is_kept: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_kept(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded += &format!("%{byte:02X}");
        }
    }
    encoded
}

/// Decodes `%2F` and its like. `None` where two hexadecimal digits do not follow a `%`, or the
/// result is not UTF-8.
pub(crate) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Percent-encodes an id as one segment of a path. A segment of dots alone would stand for a parent
/// directory (RFC 3986, section 5.2.4), so its dots are encoded too.
pub(crate) fn segment(id: &str) -> String {
    let only_dots = id.bytes().all(|byte| byte == b'.');
    percent_encode(id, |byte| {
        byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) || (byte == b'.' && !only_dots)
    })
}

/// Resolves a reference, such as the `Location` of a redirect, against an absolute URL (RFC 3986,
/// 5.2). The fragment is dropped. `None` for an empty reference, for any other scheme than http and
/// https, and for a URL with credentials, which would be sent.
pub(crate) fn resolve(base: &str, reference: &str) -> Option<String> {
    let reference = reference.split('#').next().unwrap_or_default().trim();
    // Some servers send spaces and letters that are not ASCII.
    let reference = &percent_encode(reference, |byte| byte.is_ascii_graphic());
    let (base_scheme, base_rest) = base.split_once("://")?;
    let base_authority = authority_of(base_rest);
    let base_path = base_rest[base_authority.len()..].split('?').next().unwrap_or_default();
    // The rest of an absolute reference, after `//`, or a path and a query at the authority of the
    // base.
    let (scheme, rest) = if let Some(rest) = strip_scheme(reference) {
        (reference[..reference.len() - rest.len() - 3].to_ascii_lowercase(), rest.to_owned())
    } else if let Some(rest) = reference.strip_prefix("//") {
        (base_scheme.to_owned(), rest.to_owned())
    } else {
        let directory = &base_path[..base_path.rfind('/').unwrap_or(0)];
        let path = match reference.split(['/', '?']).next()? {
            _ if reference.is_empty() => return None,
            first if first.contains(':') => return None,
            _ if reference.starts_with('/') => reference.clone(),
            _ if reference.starts_with('?') => format!("{base_path}{reference}"),
            _ => format!("{directory}/{reference}"),
        };
        (base_scheme.to_owned(), format!("{base_authority}{path}"))
    };
    let authority = authority_of(&rest);
    let path = remove_dot_segments(&rest[authority.len()..]);
    (!authority.contains('@')).then(|| format!("{scheme}://{authority}{path}"))
}

/// The text after `http://` or `https://`, in any case.
fn strip_scheme(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)).then_some(rest)
}

/// A path with its query, without the segments `.` and `..` (RFC 3986, 5.2.4).
fn remove_dot_segments(path: &str) -> String {
    let (path, query) = path.split_at(path.find('?').unwrap_or(path.len()));
    let Some(path) = path.strip_prefix('/') else { return format!("{path}{query}") };
    let mut output: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "." => {}
            ".." => drop(output.pop()),
            segment => output.push(segment),
        }
    }
    // `a/..` and `a/.` name a directory.
    if path.ends_with("/.") || path.ends_with("/..") || path == "." || path == ".." {
        output.push("");
    }
    format!("/{}{query}", output.join("/"))
}

/// Whether `location`, seen from `base`, is the same URL at the other of the schemes http and
/// https. The ports may differ, as those of the schemes do.
pub(crate) fn differs_in_scheme(base: &str, location: &str) -> bool {
    let Some(target) = resolve(base, location) else { return false };
    let parts = |url: &str| {
        let (scheme, rest) = url.split_once("://")?;
        let authority = authority_of(rest);
        let host = split_host_port(authority).0.to_ascii_lowercase();
        Some((scheme.to_ascii_lowercase(), host, rest[authority.len()..].to_owned()))
    };
    match (parts(base), parts(&target)) {
        (Some((scheme, host, path)), Some((other_scheme, other_host, other_path))) => {
            scheme != other_scheme && host == other_host && path == other_path
        }
        _ => false,
    }
}

/// `host:port` of a URL, or the host alone.
pub(crate) fn authority(url: &str) -> String {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    authority_of(rest).to_owned()
}

/// The authority at the start of the text behind `//`.
fn authority_of(rest: &str) -> &str {
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// Joins a host and a port to `host:port`, with an IPv6 address in brackets.
pub(crate) fn join_host_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Splits `host:port` or `host`: the host without brackets, and the port if there is one.
pub(crate) fn split_host_port(authority: &str) -> (&str, Option<u16>) {
    let (host, port) = match authority.rsplit_once(':') {
        // The last colon of `[::1]` belongs to the address.
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
        _ => (authority, None),
    };
    (host.trim_matches(['[', ']']), port)
}

/// A URL without query, fragment and credentials: a signed query is as good as a key, and so is a
/// password.
pub(crate) fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match url.split_once("//") {
        Some((scheme, rest)) => {
            let credentials = authority_of(rest).rfind('@').map_or(0, |at| at + 1);
            format!("{scheme}//{}", &rest[credentials..])
        }
        None => url.to_owned(),
    }
}

/// The origin of a URL: scheme, host and port, without the default port (RFC 6454).
pub(crate) fn origin(url: &str) -> String {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme).to_ascii_lowercase();
    let authority = authority(url).to_ascii_lowercase();
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(default_port).unwrap_or(&authority);
    format!("{scheme}://{authority}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_encoded_as_one_segment() {
        for (id, encoded) in [
            ("video_68d7-A.b~", "video_68d7-A.b~"),
            ("a/b?c", "a%2Fb%3Fc"),
            ("dmlk==", "dmlk%3D%3D"),
            ("..", "%2E%2E"),
            (".", "%2E"),
            ("a b%é", "a%20b%25%C3%A9"),
        ] {
            assert_eq!(segment(id), encoded);
        }
    }

    #[test]
    fn redirects_are_resolved_against_the_request_url() {
        let base = "https://a.example:8443/v1/videos/1/content?variant=thumbnail";
        for (location, url) in [
            ("https://b.example/x?y#z", Some("https://b.example/x?y")),
            ("HTTP://b.example/x", Some("http://b.example/x")),
            ("//b.example/x", Some("https://b.example/x")),
            ("/x", Some("https://a.example:8443/x")),
            ("/x y/\u{e9}", Some("https://a.example:8443/x%20y/%C3%A9")),
            ("?sig=1", Some("https://a.example:8443/v1/videos/1/content?sig=1")),
            ("x/y", Some("https://a.example:8443/v1/videos/1/x/y")),
            ("ftp://b.example/x", None),
            ("https://user:password@b.example/x", None),
            ("//user@b.example/x", None),
            ("/@/x//y@z", Some("https://a.example:8443/@/x//y@z")),
            ("data:x", None),
            ("", None),
        ] {
            assert_eq!(resolve(base, location).as_deref(), url, "{location}");
        }
        assert_eq!(resolve("https://a.example", "x").as_deref(), Some("https://a.example/x"));
    }

    #[test]
    fn dot_segments_are_removed_as_in_the_examples_of_rfc_3986() {
        // Sections 5.4.1 and 5.4.2, but for fragments and other schemes.
        for (reference, url) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            (";x", "http://a/b/c/;x"),
            ("g;x?y#s", "http://a/b/c/g;x?y"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            ("..g", "http://a/b/c/..g"),
            ("./../g", "http://a/b/g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("http://g/a/../b", "http://g/b"),
        ] {
            assert_eq!(
                resolve("http://a/b/c/d;p?q", reference).as_deref(),
                Some(url),
                "{reference}"
            );
        }
    }

    #[test]
    fn the_same_url_at_the_other_scheme_is_recognised() {
        for (base, location, differs) in [
            ("http://a.example/v1/videos", "https://a.example/v1/videos", true),
            ("http://a.example:8080/v1/videos", "https://A.example/v1/videos#x", true),
            ("http://[::1]:80/v1", "https://[::1]/v1", true),
            ("https://a.example/v1/videos", "http://a.example/v1/videos", true),
            ("http://a.example/v1/videos", "http://a.example/v1/videos", false),
            ("http://a.example/v1/videos", "https://a.example/v1/videos/", false),
            ("http://a.example/v1/videos", "https://a.example/v1/videos?x", false),
            ("http://a.example/v1/videos", "https://b.example/v1/videos", false),
            ("http://a.example/v1/videos", "/v1/videos", false),
            ("http://a.example/v1/videos", "", false),
        ] {
            assert_eq!(differs_in_scheme(base, location), differs, "{location}");
        }
    }

    #[test]
    fn a_url_is_shown_without_query_fragment_and_credentials() {
        for (url, shown) in [
            ("https://a.example/x?sig=1#y", "https://a.example/x"),
            ("https://a.example/x#token=1", "https://a.example/x"),
            ("https://us@er:pw@a.example:1/@x", "https://a.example:1/@x"),
            ("//user@a.example?x", "//a.example"),
            ("/x?y", "/x"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }

    #[test]
    fn host_and_port_are_joined_and_split() {
        for (authority, host, port) in [
            ("a.example:8080", "a.example", Some(8080)),
            ("127.0.0.1:1", "127.0.0.1", Some(1)),
            ("[2001:db8::1]:443", "2001:db8::1", Some(443)),
            ("a.example", "a.example", None),
            ("[::1]", "::1", None),
        ] {
            assert_eq!(split_host_port(authority), (host, port));
            if let Some(port) = port {
                assert_eq!(join_host_port(host, port), authority);
            }
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        assert_eq!(origin("https://A.example:443/x"), origin("HTTPS://a.example"));
        assert_ne!(origin("https://a.example"), origin("http://a.example"));
        assert_ne!(origin("https://a.example"), origin("https://a.example:8443"));
        assert_ne!(origin("https://a.example"), origin("https://a.example.evil"));
    }
}
