//! After a POST of unknown outcome: is there a job? The server's list of recent jobs tells, where it has one.

use std::time::SystemTime;

use serde_json::value::RawValue;

use crate::api::api_error::ApiErrorKind;
use crate::api::error::Error;
use crate::api::job::Job;
use crate::http::request::Request;
use crate::http::{Http, TextResponse};
use crate::json::{self, Object};
use crate::text::shorten;

/// The newest jobs first, as many as the API gives at once (`ListVideos`).
const LIST: &str = "/videos?order=desc&limit=100";
/// Both clocks count in seconds, and an answer takes its time.
const SLACK: u64 = 5;
/// A job from this long before the request may be ours by a clock that is slow: the server's parts have several. In
/// seconds.
const DOUBT: u64 = 15 * 60;
/// Some servers give fewer jobs at once than they are asked for, in pages of at least this many.
const SHORT_PAGE: usize = 20;
/// A clock that says less was not set when the request was made, and says nothing about when that was.
const CLOCK_WAS_SET: u64 = 1_700_000_000;

/// What the server's list says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Recovery {
    Job(String),
    None,
    /// The list does not tell, for this reason.
    Unclear(String),
}

/// Asks for a job with this prompt that was created since.
///
/// # Errors
/// As [`Client::retrieve`](crate::Client::retrieve), where asking later may bring an answer.
pub(crate) fn find(http: &Http, prompt: &str, since: SystemTime) -> Result<Recovery, Error> {
    let unclear = |why: String| Ok(Recovery::Unclear(why));
    let TextResponse { head, body } = match http.text(&Request::get(LIST)) {
        Ok(text) => text,
        // A server without such a list: asking again tells no more.
        Err(Error::Api(api)) if !is_temporary(api.kind) => {
            return unclear(format!("the server does not list its jobs: {api}"));
        }
        Err(Error::Redirect { target, .. }) => {
            return unclear(format!("the list of jobs is redirected to '{target}'"));
        }
        Err(error) => return Err(error),
    };
    let now = SystemTime::now();
    let server_now =
        head.header("date").and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or(now);
    Ok(search(&body, prompt, since, now, server_now))
}

/// Whether a later question may be answered better.
fn is_temporary(kind: ApiErrorKind) -> bool {
    matches!(
        kind,
        ApiErrorKind::NotAuthorized
            | ApiErrorKind::Conflict
            | ApiErrorKind::NotReady
            | ApiErrorKind::Unavailable
            | ApiErrorKind::ServerError
    )
}

/// Pure: the list, what is looked for, and both clocks.
fn search(
    list: &str,
    prompt: &str,
    since: SystemTime,
    now: SystemTime,
    server_now: SystemTime,
) -> Recovery {
    let unclear = |why: &str| Recovery::Unclear(why.to_owned());
    let seconds = |time: SystemTime| {
        time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
    };
    if seconds(since) < CLOCK_WAS_SET || seconds(since) > seconds(now) + SLACK {
        return unclear("this machine's clock was not right when the request was sent");
    }
    let age = seconds(now).saturating_sub(seconds(since));
    let (since, latest) = (seconds(server_now).saturating_sub(age), seconds(server_now) + DOUBT);

    let Some(list) = List::parse(list) else {
        return unclear("the server's list of jobs cannot be read");
    };
    let mut found = Vec::new();
    for job in &list.jobs {
        let created = match job.created {
            Some(created) if created > latest => {
                return unclear("the server dates its jobs in the future");
            }
            Some(created) if created + DOUBT < since => continue,
            created => created,
        };
        match (job.prompt.as_deref().map(|listed| same(listed, prompt)), created, &job.id) {
            (Some(Same::No), ..) => {}
            (None, ..) => return unclear("the server does not list the prompts of its jobs"),
            (Some(Same::Perhaps), ..) => {
                return unclear("the server does not list the whole prompts of its jobs");
            }
            (_, None, _) => return unclear("the server does not say when its jobs were created"),
            (_, _, None) => return unclear("a job with this prompt is listed without an id"),
            (_, Some(created), Some(id)) if created + SLACK < since => {
                return Recovery::Unclear(format!(
                    "the job '{}' with this prompt was created shortly before",
                    shorten(id)
                ));
            }
            (_, _, Some(id)) => found.push(id.clone()),
        }
    }
    match &found[..] {
        [id] => Recovery::Job(id.clone()),
        [] if list.reaches_back_to(since.saturating_sub(DOUBT)) => Recovery::None,
        [] => unclear("the server may have had more jobs since than it lists at once"),
        _ => Recovery::Unclear(format!(
            "several jobs with this prompt were created since: {}",
            shorten(&found.join(", "))
        )),
    }
}

/// `VideoListResource` of the API's description, as far as it is needed.
struct List {
    jobs: Vec<Listed>,
    has_more: Option<bool>,
}

struct Listed {
    id: Option<String>,
    prompt: Option<String>,
    /// In Unix seconds.
    created: Option<u64>,
}

impl List {
    fn parse(text: &str) -> Option<Self> {
        let top = Object::parse(text).ok()?;
        let data: Vec<&RawValue> = serde_json::from_str(top.get("data")?.get()).ok()?;
        let jobs: Option<Vec<Listed>> = data.into_iter().map(Listed::parse).collect();
        let has_more = top.get("has_more").and_then(|more| more.get().parse().ok());
        Some(Self { jobs: jobs?, has_more })
    }

    /// Whether no job since then can be missing: there are no more, or the list goes down in time beyond it.
    fn reaches_back_to(&self, since: u64) -> bool {
        let descends = self.jobs.windows(2).all(|pair| match (pair[0].created, pair[1].created) {
            (Some(first), Some(second)) => first >= second,
            _ => false,
        });
        let last = self.jobs.last().and_then(|job| job.created);
        match self.has_more {
            Some(false) => true,
            None if self.jobs.len() < SHORT_PAGE => true,
            _ => descends && self.jobs.len() > 1 && last.is_some_and(|last| last < since),
        }
    }
}

impl Listed {
    fn parse(job: &RawValue) -> Option<Self> {
        let fields = Object::parse(job.get()).ok()?;
        let created = fields.scalar("created_at").and_then(|text| text.parse::<f64>().ok());
        // Milliseconds are seen by their size: as seconds they would be thousands of years away.
        let created = created.map(|time| if time > 1e11 { time / 1000.0 } else { time });
        Some(Self {
            id: Job::parse(job.get()).map(|job| job.id().to_owned()),
            prompt: fields.get("prompt").and_then(json::scalar),
            created: created
                .filter(|time| time.is_finite() && *time >= 0.0)
                .map(|time| time as u64),
        })
    }
}

enum Same {
    Yes,
    No,
    /// The listed prompt is the start of ours.
    Perhaps,
}

/// Servers trim prompts and fold their white space, and some cut them.
fn same(listed: &str, ours: &str) -> Same {
    let fold = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (listed, ours) = (fold(listed), fold(ours));
    let start = listed.trim_end_matches(['.', '\u{2026}']);
    if listed == ours {
        Same::Yes
    } else if ours.starts_with(start) {
        Same::Perhaps
    } else {
        Same::No
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    const NOW: u64 = 1_800_000_000;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// Asked 100 s after the request, by clocks that agree.
    fn ask(list: &str) -> Recovery {
        search(list, "p", at(NOW - 100), at(NOW), at(NOW))
    }

    fn job(id: &str, prompt: &str, age: u64) -> String {
        format!(r#"{{"id":"{id}","prompt":{prompt},"created_at":{}}}"#, NOW - age)
    }

    fn list(jobs: &[String]) -> String {
        format!(r#"{{"object":"list","data":[{}],"has_more":false}}"#, jobs.join(","))
    }

    #[test]
    fn exactly_one_job_with_the_prompt_since_is_ours() {
        let older = job("old", "\"p\"", 20_000);
        let other = job("other", "\"q\"", 50);
        assert_eq!(
            ask(&list(&[other.clone(), job("new", "\"p\"", 90), older.clone()])),
            Recovery::Job("new".into())
        );
        assert_eq!(ask(&list(&[other.clone(), older.clone()])), Recovery::None);
        assert_eq!(ask(&list(&[])), Recovery::None);
        let two = list(&[job("a", "\"p\"", 50), job("b", "\"p\"", 60)]);
        assert_eq!(
            ask(&two),
            Recovery::Unclear("several jobs with this prompt were created since: a, b".into())
        );
    }

    #[test]
    fn clocks_that_differ_are_set_against_each_other() {
        let list = list(&[job("new", "\"p\"", 90)]);
        // This machine is an hour behind: the request was made 100 s ago all the same.
        let behind = search(&list, "p", at(NOW - 3700), at(NOW - 3600), at(NOW));
        assert_eq!(behind, Recovery::Job("new".into()));
        // This machine is an hour ahead, and the request was made 60 s ago: the job is older, but not by much.
        let ahead = search(&list, "p", at(NOW + 3540), at(NOW + 3600), at(NOW));
        assert!(matches!(ahead, Recovery::Unclear(_)));
        for since in [100, NOW + 3600] {
            assert!(matches!(
                search(&list, "p", at(since), at(NOW), at(NOW)),
                Recovery::Unclear(_)
            ));
        }
    }

    #[test]
    fn what_does_not_tell_is_unclear() {
        for list in [
            "",
            "{}",
            "[]",
            r#"{"data": {}}"#,
            r#"{"data": [7]}"#,
            &list(&[job("new", "null", 50)]),
            r#"{"data": [{"id": "new", "prompt": "p"}]}"#,
            &list(&[job("other", "\"q\"", 50)]).replace("false", "true"),
        ] {
            assert!(matches!(ask(list), Recovery::Unclear(_)), "{list}");
        }
        let older =
            list(&[job("other", "\"q\"", 50), job("older", "null", 5000)]).replace("false", "true");
        assert_eq!(ask(&older), Recovery::None);
        let ascending = list(&[
            job("older", "null", 5000),
            job("other", "\"q\"", 50),
            job("old", "null", 9000),
        ]);
        assert!(matches!(ask(&ascending.replace("false", "true")), Recovery::Unclear(_)));
        let full: Vec<String> = (0..100).map(|_| job("other", "\"q\"", 50)).collect();
        assert!(matches!(
            ask(&list(&full).replace(",\"has_more\":false", "")),
            Recovery::Unclear(_)
        ));
        let shortly_before = list(&[job("new", "\"p\"", 120)]);
        assert!(matches!(ask(&shortly_before), Recovery::Unclear(_)));
        let future = list(&[format!(r#"{{"id":"a","prompt":"p","created_at":{}}}"#, NOW + 86_400)]);
        assert!(matches!(ask(&future), Recovery::Unclear(_)));
        let nameless = list(&[format!(r#"{{"prompt":"p","created_at":{NOW}}}"#)]);
        assert!(matches!(ask(&nameless), Recovery::Unclear(_)));
    }

    #[test]
    fn times_in_milliseconds_and_prompts_that_were_trimmed_are_understood() {
        let milliseconds =
            |age: u64| format!(r#"{{"id":"a","prompt":"p","created_at":{}}}"#, (NOW - age) * 1000);
        assert_eq!(ask(&list(&[milliseconds(50)])), Recovery::Job("a".into()));
        assert_eq!(ask(&list(&[milliseconds(86_400)])), Recovery::None);
        let ask_for = |prompt: &str, listed: &str| {
            search(&list(&[job("a", listed, 50)]), prompt, at(NOW - 100), at(NOW), at(NOW))
        };
        assert_eq!(ask_for("a  prompt \n", "\"a prompt\""), Recovery::Job("a".into()));
        assert!(matches!(ask_for("a long prompt", "\"a long...\""), Recovery::Unclear(_)));
    }
}
