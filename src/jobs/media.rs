//! Where the media of a completed job are, for servers without `/videos/{id}/content` (xAI,
//! Together, and relays): in the job itself, as a URL.

use serde_json::value::RawValue;

use crate::api::envelope::JobObject;
use crate::json::{Object, unquoted};
use crate::url;

/// The members of a job that servers name the video in, in the order in which they are tried. `[]`
/// stands for each element of a list.
const PLACES: [&str; 13] = [
    "video.url",         // xAI, CLIProxyAPI
    "url",               // relays
    "video_url",         // relays
    "output.url",        // relays
    "outputs.video_url", // Together
    "metadata.url",      // new-api, sub2api
    "video.video_url",   // relays
    "urls[]",            // relays
    "unsigned_urls[]",   // OpenRouter
    "output[]",          // relays
    "outputs[]",         // relays
    "videos[].url",      // relays
    "data[].url",        // relays
];
/// How deep a request is searched, in objects and lists around each other. It limits the recursion.
const MAX_DEPTH: usize = 16;

/// A URL that cannot be downloaded: it is neither an http nor an https URL, or it holds
/// credentials.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnusableUrl(pub(crate) String);

/// The absolute http or https URL of a completed job's video. `job` is the JSON text of the job
/// with this id; relative references in it are resolved against `base_url` plus `/`. URLs in
/// `excluded` do not count: those that the request sent, which servers echo, and that of
/// `/content`.
///
/// # Errors
/// [`UnusableUrl`] if the only URLs are of another scheme, such as `file:` or `gs:`.
pub(crate) fn media_url(
    job: &str,
    id: &str,
    base_url: &str,
    excluded: &[String],
) -> Result<Option<String>, UnusableUrl> {
    let base = format!("{base_url}/");
    let resolve = |reference: &str| url::resolve(&base, reference);
    let excluded_urls: Vec<String> = excluded.iter().filter_map(|text| resolve(text)).collect();
    let mut references = Vec::new();
    for object in JobObject::all(JobObject::element_of_list(job, id)) {
        for place in PLACES {
            collect_texts(&object.members, place, &mut references);
        }
    }
    let mut unusable = None;
    for reference in references {
        if reference.is_empty() || excluded.contains(&reference) {
            continue;
        }
        match resolve(&reference) {
            Some(url) if excluded_urls.iter().any(|known| is_same(known, &url)) => {}
            Some(url) => return Ok(Some(url)),
            None => unusable = unusable.or(Some(UnusableUrl(reference))),
        }
    }
    unusable.map_or(Ok(None), Err)
}

/// Every string in the JSON text of a request: among them are the URLs that a server may echo in
/// the job.
pub(crate) fn strings(json: &str) -> Vec<String> {
    fn collect(text: &str, levels: usize, strings: &mut Vec<String>) {
        let values = match text.as_bytes().first() {
            Some(b'"') => return strings.push(unquoted(text)),
            Some(b'{') if levels > 0 => Object::parse(text)
                .map(|object| object.0.into_iter().map(|(_, value)| value).collect::<Vec<_>>()),
            Some(b'[') if levels > 0 => serde_json::from_str(text),
            _ => return,
        };
        for value in values.unwrap_or_default() {
            collect(value.get(), levels - 1, strings);
        }
    }
    let mut strings = Vec::new();
    collect(json, MAX_DEPTH, &mut strings);
    strings
}

/// The strings at a place such as `videos[].url`.
fn collect_texts(object: &Object<'_>, place: &str, texts: &mut Vec<String>) {
    let (name, rest) = place.split_once('.').unwrap_or((place, ""));
    let values = match name.strip_suffix("[]") {
        None => object.get(name).into_iter().collect(),
        Some(name) => object
            .get(name)
            .and_then(|list| serde_json::from_str::<Vec<&RawValue>>(list.get()).ok())
            .unwrap_or_default(),
    };
    for value in values {
        if !rest.is_empty() {
            if let Ok(inner) = Object::parse(value.get()) {
                collect_texts(&inner, rest, texts);
            }
        } else if value.get().starts_with('"') {
            texts.push(unquoted(value.get()).trim().to_owned());
        }
    }
}

/// Whether two URLs name the same resource. An echoed URL may have lost its signature, or have got
/// another scheme.
fn is_same(known: &str, url: &str) -> bool {
    let split = |url: &str| {
        let (address, query) = url.split_once('?').map_or((url, None), |(a, q)| (a, Some(q)));
        let origin = url::origin(address);
        let host = origin.split_once("://").map_or("", |(_, host)| host).to_owned();
        let path = address.splitn(4, '/').nth(3).unwrap_or_default().to_owned();
        (host, path, query.map(str::to_owned))
    };
    let (known, url) = (split(known), split(url));
    let same_query = known.2 == url.2 || known.2.is_none() || url.2.is_none();
    (known.0, known.1) == (url.0, url.1) && same_query
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://api.example/v1";

    fn found(job: &str, excluded: &[&str]) -> Result<Option<String>, UnusableUrl> {
        let excluded: Vec<String> = excluded.iter().map(|url| (*url).to_owned()).collect();
        media_url(job, "video_1", BASE, &excluded)
    }

    #[track_caller]
    fn is_found(job: &str, url: &str) {
        assert_eq!(found(job, &[]), Ok(Some(url.to_owned())), "{job}");
    }

    #[test]
    fn the_url_is_found_wherever_servers_put_it() {
        let url = "https://cdn.example/v.mp4?sig=1";
        for job in [
            // xAI
            r#"{"status":"done","video":{"url":"URL","duration":8,"respect_moderation":true},
                "model":"m"}"#,
            // A mock of xAI, OpenAI and OpenRouter
            r#"{"id":"v","status":"completed","url":"URL"}"#,
            r#"{"id":"v","video_url":"URL"}"#,
            r#"{"id":"v","output":{"url":"URL"}}"#,
            // Together
            r#"{"id":"v","status":"completed","outputs":{"cost":1,"video_url":"URL"}}"#,
            // new-api and sub2api
            r#"{"id":"v","status":"completed","metadata":{"url":"URL"}}"#,
            r#"{"id":"v","video":{"id":"a","video_url":"URL"}}"#,
            r#"{"id":"v","urls":["URL","https://cdn.example/2.mp4"]}"#,
            // OpenRouter
            r#"{"id":"v","status":"completed","unsigned_urls":["URL"]}"#,
            r#"{"id":"v","output":["URL"]}"#,
            r#"{"id":"v","outputs":[null,7,{"url":"https://x"},"","URL"]}"#,
            r#"{"id":"v","videos":[{"url":"URL"}]}"#,
            r#"{"created":1,"data":[{"url":"URL"},{"url":"https://cdn.example/2.mp4"}]}"#,
            // Envelopes
            r#"{"code":"success",
                "data":{"task_id":"t","status":"SUCCESS","metadata":{"url":"URL"}}}"#,
            r#"{"object":"list","data":[{"id":"v","status":"done","video":{"url":"URL"}}]}"#,
            r#"{"result":{"response":{"video_url":"URL"}}}"#,
            r#"{"id":"v","url":null,"video_url":"","video":{"url":" URL "}}"#,
        ] {
            is_found(&job.replace("URL", url), url);
        }
    }

    #[test]
    fn a_job_without_a_url_has_none() {
        for job in [
            "{}",
            "[]",
            "",
            r#"{"id":"v","video":{"id":"https://x"},"input":{"url":"https://x"}}"#,
            r#"{"id":"v","video":"https://x","output":"done","urls":{"get":"https://x"}}"#,
            r#"{"id":"v","error":{"url":"https://x"},
                "data":[{"video_url":"a"},{"video_url":"b"}]}"#,
        ] {
            assert_eq!(found(job, &[]), Ok(None), "{job}");
        }
        let deep = r#"{"data":"#.repeat(100_000) + r#"{"url":"https://x"}"# + &"}".repeat(100_000);
        assert_eq!(found(&deep, &[]), Ok(None));
        let deep = "[".repeat(100_000) + r#"{"url":"https://x"}"# + &"]".repeat(100_000);
        assert_eq!(found(&deep, &[]), Ok(None));
    }

    #[test]
    fn relative_references_are_resolved_against_the_base_url() {
        for (reference, url) in [
            ("/files/v.mp4?a", "https://api.example/files/v.mp4?a"),
            ("files/v.mp4", "https://api.example/v1/files/v.mp4"),
            ("//cdn.example/v.mp4", "https://cdn.example/v.mp4"),
            ("HTTP://cdn.example/v.mp4#t=1", "http://cdn.example/v.mp4"),
        ] {
            is_found(&format!(r#"{{"url":"{reference}"}}"#), url);
        }
    }

    #[test]
    fn urls_of_other_schemes_are_refused_unless_there_is_another() {
        for reference in
            ["file:///etc/passwd", "gs://b/v.mp4", "data:video/mp4;base64,AA==", "https://u:p@h/"]
        {
            let job = format!(r#"{{"url":"{reference}"}}"#);
            assert_eq!(found(&job, &[]), Err(UnusableUrl(reference.to_owned())));
            let job = format!(r#"{{"url":"{reference}","video_url":"https://x/"}}"#);
            is_found(&job, "https://x/");
        }
    }

    #[test]
    fn in_a_list_of_jobs_the_media_are_those_of_the_polled_one() {
        let other = r#"{"id":"video_2","url":"https://cdn.example/2"}"#;
        for (ours, url) in [
            (r#"{"id":"video_1","url":"https://cdn.example/1"}"#, Some("https://cdn.example/1")),
            (r#"{"id":"video_1"}"#, None),
        ] {
            let job = format!(r#"{{"data":[{other},{ours}]}}"#);
            assert_eq!(found(&job, &[]), Ok(url.map(str::to_owned)));
        }
    }

    #[test]
    fn a_url_that_the_request_sent_is_not_the_media() {
        let source = "https://user.example/a.mp4?sig=1";
        for echo in [
            source,
            "https://user.example/a.mp4",
            "HTTPS://user.example:443/a.mp4?sig=1#t",
            "http://user.example/a.mp4?sig=1",
        ] {
            let job = format!(r#"{{"video":{{"url":"{echo}"}}}}"#);
            assert_eq!(found(&job, &[source]), Ok(None), "{echo}");
            let job =
                format!(r#"{{"video":{{"url":"{echo}"}},"video_url":"https://cdn.example/v"}}"#);
            assert_eq!(found(&job, &[source]), Ok(Some("https://cdn.example/v".to_owned())));
        }
        let data = "data:video/mp4;base64,AA==";
        assert_eq!(found(&format!(r#"{{"url":"{data}"}}"#), &["p", data]), Ok(None));
        // The result may have the source's path and another query.
        let other = r#"{"url":"https://user.example/a.mp4?sig=2"}"#;
        assert!(found(other, &[source]).is_ok_and(|url| url.is_some()));
    }

    #[test]
    fn every_string_of_a_request_is_found() {
        let request =
            r#"{"prompt":"p","n":1,"video":{"url":"https://a\/b"},"refs":[["x"],{"y":"z"}]}"#;
        assert_eq!(strings(request), ["p", "https://a/b", "x", "z"]);
        assert_eq!(strings(&("[".repeat(100_000) + &"]".repeat(100_000))), [""; 0]);
    }
}
