//! After a POST of unknown outcome: is there a job? The server's list of recent jobs tells, where it has one.

use std::time::{Duration, SystemTime};

use serde_json::value::RawValue;

use crate::http::{Http, Text};
use crate::json::{self, Object};
use crate::message::Request;
use crate::{Error, Job};

/// The newest jobs first, as many as the API gives at once (`ListVideos`).
const LIST: &str = "/videos?order=desc&limit=100";
/// Both clocks count in seconds, and an answer takes its time.
const SLACK: Duration = Duration::from_secs(5);
/// A clock that says less was not set when the request was made, and says nothing about when that was.
const CLOCK_WAS_SET: Duration = Duration::from_secs(1_700_000_000);

/// What the server's list says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Job(String),
    None,
    /// The list does not tell, for this reason.
    Unclear(String),
}

/// Asks for a job with this prompt that was created since.
///
/// # Errors
/// As [`Client::retrieve`](crate::Client::retrieve), where asking later may bring an answer.
pub(crate) fn find(http: &Http, prompt: &str, since: SystemTime) -> Result<Found, Error> {
    let unclear = |why: String| Ok(Found::Unclear(why));
    let Text { head, body } = match http.text(&Request::get(LIST)) {
        Ok(text) => text,
        // A server without such a list: asking again tells no more.
        Err(Error::Api(api))
            if !matches!(
                api.status,
                401 | 403 | 408 | 409 | 429 | 500 | 502 | 503 | 504
            ) =>
        {
            return unclear(format!("the server does not list its jobs: {api}"));
        }
        Err(Error::Redirect { target, .. }) => {
            return unclear(format!("the list of jobs is redirected to '{target}'"));
        }
        Err(error) => return Err(error),
    };
    let now = SystemTime::now();
    let server_now = head
        .header("date")
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .unwrap_or(now);
    Ok(search(&body, prompt, since, now, server_now))
}

/// Pure: the list, what is looked for, and both clocks.
fn search(
    list: &str,
    prompt: &str,
    since: SystemTime,
    now: SystemTime,
    server_now: SystemTime,
) -> Found {
    let seconds = |time: SystemTime| {
        time.duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
    };
    if seconds(since) < CLOCK_WAS_SET || seconds(since) > seconds(now) + SLACK {
        return Found::Unclear(
            "this machine's clock was not right when the request was sent".to_owned(),
        );
    }
    let age = seconds(now).saturating_sub(seconds(since));
    let since = seconds(server_now)
        .saturating_sub(age)
        .saturating_sub(SLACK)
        .as_secs();

    let parsed = Object::parse(list).ok();
    let data = parsed.as_ref().and_then(|top| top.get("data"));
    let Some(jobs) = data.and_then(|data| serde_json::from_str::<Vec<&RawValue>>(data.get()).ok())
    else {
        return Found::Unclear("the server's list of jobs cannot be read".to_owned());
    };
    let has_more = parsed
        .as_ref()
        .and_then(|top| top.get("has_more"))
        .is_some_and(|more| more.get() == "true");
    let mut found = Vec::new();
    let mut oldest_is_older = false;
    for job in jobs {
        let Ok(fields) = Object::parse(job.get()) else {
            return Found::Unclear("the server's list of jobs cannot be read".to_owned());
        };
        let created = fields
            .scalar("created_at")
            .and_then(|text| text.parse::<f64>().ok());
        oldest_is_older = created.is_some_and(|created| created < since as f64);
        if oldest_is_older {
            continue;
        }
        match (
            fields.get("prompt").and_then(json::scalar),
            Job::parse(job.get()),
        ) {
            (Some(text), Some(job)) if text == prompt => match created {
                Some(_) => found.push(job.id().to_owned()),
                None => {
                    return Found::Unclear(
                        "the server does not say when its jobs were created".to_owned(),
                    );
                }
            },
            (Some(_), _) => {}
            (None, _) => {
                return Found::Unclear(
                    "the server does not list the prompts of its jobs".to_owned(),
                );
            }
        }
    }
    match &found[..] {
        [id] => Found::Job(id.clone()),
        [] if has_more && !oldest_is_older => {
            Found::Unclear("the server has had too many jobs since to list them at once".to_owned())
        }
        [] => Found::None,
        _ => Found::Unclear(format!(
            "several jobs with this prompt were created since: {}",
            found.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// Asked 100 s after the request, by clocks that agree.
    fn ask(list: &str) -> Found {
        search(list, "p", at(NOW - 100), at(NOW), at(NOW))
    }

    fn job(id: &str, prompt: &str, age: u64) -> String {
        format!(
            r#"{{"id":"{id}","prompt":{prompt},"created_at":{}}}"#,
            NOW - age
        )
    }

    fn list(jobs: &[String]) -> String {
        format!(
            r#"{{"object":"list","data":[{}],"has_more":false}}"#,
            jobs.join(",")
        )
    }

    #[test]
    fn exactly_one_job_with_the_prompt_since_is_ours() {
        let older = job("old", "\"p\"", 200);
        let other = job("other", "\"q\"", 50);
        assert_eq!(
            ask(&list(&[
                other.clone(),
                job("new", "\"p\"", 90),
                older.clone()
            ])),
            Found::Job("new".into())
        );
        assert_eq!(ask(&list(&[other.clone(), older.clone()])), Found::None);
        assert_eq!(ask(&list(&[])), Found::None);
        let two = list(&[job("a", "\"p\"", 50), job("b", "\"p\"", 60)]);
        assert_eq!(
            ask(&two),
            Found::Unclear("several jobs with this prompt were created since: a, b".into())
        );
    }

    #[test]
    fn clocks_that_differ_are_set_against_each_other() {
        let list = list(&[job("new", "\"p\"", 90)]);
        // This machine is an hour behind: the request was made 100 s ago all the same.
        let behind = search(&list, "p", at(NOW - 3700), at(NOW - 3600), at(NOW));
        assert_eq!(behind, Found::Job("new".into()));
        let ahead = search(&list, "p", at(NOW + 3540), at(NOW + 3600), at(NOW));
        assert_eq!(ahead, Found::None);
        for since in [100, NOW + 3600] {
            assert!(matches!(
                search(&list, "p", at(since), at(NOW), at(NOW)),
                Found::Unclear(_)
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
            assert!(matches!(ask(list), Found::Unclear(_)), "{list}");
        }
        let older =
            list(&[job("other", "\"q\"", 50), job("older", "null", 500)]).replace("false", "true");
        assert_eq!(ask(&older), Found::None);
    }
}
