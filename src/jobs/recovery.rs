//! Decides from the server's list whether the server has a job of an interrupted POST, one whose
//! response was not received.
//!
//! Two mistakes are possible: a POST that is sent again although there is a job pays twice, and
//! somebody else's job that is taken for ours makes us lose our own. So only an unambiguous list
//! decides, and every doubt is left to the user.

use std::time::{Duration, SystemTime};

use crate::api::job::Job;
use crate::api::operation::Operation;
use crate::api::video;
use crate::api::video_request::VideoRequest;
use crate::http::response::ResponseHead;
use crate::jobs::list::Page;
use crate::jobs::state_file::unix_seconds;
use crate::json::{self, Object};
use crate::text::shorten;

/// How long after a POST its job may be missing in the list. Lists lag; five seconds are for the
/// transfer of the request.
const LISTED_WITHIN: Duration = Duration::from_secs(125);
/// How far two readings of the same time may differ, in seconds: clocks count whole ones, and a
/// response takes time.
const TOLERANCE: u64 = 5;
/// A job dated this long before the POST may be ours, in seconds: the parts of a server have
/// several clocks.
const MARGIN: u64 = 15 * 60;
/// The same for a server that sends no `Date`, which leaves only this machine's clock and its time
/// zone to compare.
const MARGIN_WITHOUT_DATE: u64 = 24 * 3600;
/// If the server does not say whether more pages follow, a first page with fewer jobs counts as the
/// whole list.
const SHORT_PAGE: usize = 20;
/// Headers in which a cache says that it sent the response, and its words for that.
const CACHE_HEADERS: [&str; 7] = [
    "x-cache",
    "cache-status", // RFC 9211
    "cf-cache-status",
    "x-cache-status",
    "x-proxy-cache",
    "x-vercel-cache",
    "warning",
];
const CACHED: [&str; 3] = ["hit", "stale", "updating"];
/// The member of a job that names the video it was made from.
const SOURCE: &str = "remixed_from_video_id";
/// In Unix seconds. A clock that showed less at the time of the request was not set.
const CLOCK_WAS_SET: u64 = 1_700_000_000;

/// The decision about the interrupted POST.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The server has its job, with this id.
    Recover(String),
    /// The server cannot have a job of it.
    PostAgain,
    /// The list shows no job of it, which is conclusive only after this time.
    SearchAgain(Duration),
    /// The list is not conclusive, for this reason.
    InDoubt(String),
}

/// The times of a run by this machine's clock, and whether it was set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clocks {
    /// Before the first POST, by this machine's clock.
    pub(crate) since: SystemTime,
    /// The latest POST, by this machine's clock.
    pub(crate) posted: SystemTime,
    /// When the latest page of the list had come, by this machine's clock.
    pub(crate) now: SystemTime,
    /// Whether this machine's clock is known to have been set since the POST.
    pub(crate) was_set: bool,
}

impl Clocks {
    fn doubt(&self) -> Option<&'static str> {
        let [since, posted, now] = [self.since, self.posted, self.now].map(unix_seconds);
        if since < CLOCK_WAS_SET || since.max(posted) > now + TOLERANCE {
            Some("this machine's clock was not right when the request was sent")
        } else if self.was_set {
            Some("this machine's clock was set after the request was sent")
        } else {
            None
        }
    }
}

/// The headers of a page: the time of its response, and whether more pages follow.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PageHeaders {
    /// The `Date` header.
    pub(crate) date: Option<SystemTime>,
    /// The `Age` header in seconds, 0 without one; `None` if it cannot be read, or is missing
    /// where another header says that a cache has responded.
    pub(crate) age: Option<u64>,
    /// Whether `Link` has a next page (RFC 8288).
    pub(crate) names_next: bool,
}

impl PageHeaders {
    pub(crate) fn read(head: &ResponseHead) -> Self {
        let date = head.header("date").and_then(|date| httpdate::parse_http_date(date).ok());
        let is_cached = CACHE_HEADERS.iter().filter_map(|name| head.header(name)).any(|value| {
            let value = value.to_ascii_lowercase();
            CACHED.iter().any(|word| value.contains(word))
        });
        let link = head.header("link").unwrap_or_default().to_ascii_lowercase();
        let is_next = |part: &str| part.trim_matches(['"', ' ', ';', ',']) == "next";
        Self {
            date,
            age: match head.header("age") {
                Some(age) => age.trim().parse().ok(),
                None => (!is_cached).then_some(0),
            },
            names_next: link
                .split("rel=")
                .skip(1)
                .any(|rel| rel.split(['"', ';', ',', ' ']).any(is_next)),
        }
    }
}

/// When a job of the request was created, by the server's clock, in Unix seconds.
#[derive(Debug, Clone, Copy)]
struct Window {
    /// A job dated before this is not ours.
    earliest: u64,
    start: u64,
    /// A job dated after this has a date that cannot be right.
    latest: u64,
}

impl Window {
    fn new(clocks: &Clocks, time: PageHeaders) -> Self {
        let now = unix_seconds(clocks.now);
        let elapsed = now.saturating_sub(unix_seconds(clocks.since));
        let date = time.date.map(|date| unix_seconds(date).saturating_add(time.age.unwrap_or(0)));
        let margin = if date.is_some() { MARGIN } else { MARGIN_WITHOUT_DATE };
        let server_now = date.unwrap_or(now);
        let start = server_now.saturating_sub(elapsed);
        Self {
            earliest: start.saturating_sub(margin),
            start: start.saturating_sub(TOLERANCE),
            latest: server_now.saturating_add(MARGIN),
        }
    }
}

/// The request, as far as a listed job can be compared with it.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// With its white space folded.
    prompt: String,
    /// Whether a job with a null `remixed_from_video_id` cannot be ours. Not so for extensions and
    /// edits, which not every server treats as remixes.
    is_remix: bool,
    /// The seconds that an extension adds. Its job has the length of the whole video, which cannot
    /// be less.
    added: Option<f64>,
    /// Members of a job, and their values in a job of this request.
    members: Vec<(&'static str, String)>,
}

impl Wanted {
    pub(crate) fn of(request: &VideoRequest) -> Self {
        let fields = Object::parse(&request.json).unwrap_or(Object(Vec::new()));
        let video = fields.get("video").and_then(|video| match Object::parse(video.get()) {
            Ok(object) => object.scalar("id"),
            Err(_) => json::scalar(video).filter(|id| !id.contains(':')),
        });
        let source = request.remixed_id.clone().or(video).or_else(|| fields.scalar("video_id"));
        // In the job of an extension it is the length of the whole video.
        let is_new = request.operation == Operation::Create;
        let members = [
            ("model", fields.scalar("model")),
            ("size", fields.scalar("size")),
            ("seconds", fields.scalar("seconds").filter(|_| is_new)),
            (SOURCE, source.or(is_new.then(String::new))),
        ];
        Self {
            prompt: fold(&request.prompt()),
            is_remix: request.operation == Operation::Remix,
            added: seconds(&fields).filter(|_| request.operation == Operation::Extend),
            members: members.into_iter().filter_map(|(name, text)| Some((name, text?))).collect(),
        }
    }

    /// Whether this job is too short for the extension.
    fn is_longer_than(&self, job: &Object<'_>) -> bool {
        self.added.zip(seconds(job)).is_some_and(|(added, whole)| whole < added)
    }
}

/// A length in seconds.
fn seconds(members: &Object<'_>) -> Option<f64> {
    members.scalar("seconds")?.parse().ok().filter(|seconds| *seconds > 0.0)
}

/// Servers trim prompts and fold their white space.
fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The part of the server's list that was read, page by page.
#[derive(Debug)]
pub(crate) struct Listing<'a> {
    wanted: &'a Wanted,
    window: Window,
    /// The jobs that are not dated before the window.
    candidates: Vec<Candidate>,
    /// Whether every page came from the server itself and not from a cache.
    is_current: bool,
    /// Whether a page contradicts itself.
    is_contradictory: bool,
    /// The number of jobs so far, and that which the server says there are.
    jobs: u64,
    total: u64,
    /// Whether the list was read to its end, and the server declared it the end.
    is_whole: bool,
    /// Whether no job of the window can be missing in it.
    covers_window: bool,
    /// Whether the dates of all jobs so far descend, and the last of them.
    descends: bool,
    last_date: Option<u64>,
    is_first_page: bool,
}

/// A listed job that may be ours.
#[derive(Debug)]
struct Candidate {
    id: Option<String>,
    /// In Unix seconds.
    created: Option<u64>,
    prompt: Prompt,
    /// The member that contradicts the request.
    contradiction: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prompt {
    Same,
    Other,
    /// The start of ours.
    Cut,
    Missing,
}

impl<'a> Listing<'a> {
    /// A listing without pages. `time` is that of the first one.
    pub(crate) fn new(wanted: &'a Wanted, clocks: &Clocks, time: PageHeaders) -> Self {
        Self {
            wanted,
            window: Window::new(clocks, time),
            candidates: Vec::new(),
            is_current: true,
            is_contradictory: false,
            jobs: 0,
            total: 0,
            is_whole: false,
            covers_window: false,
            descends: true,
            last_date: None,
            is_first_page: true,
        }
    }

    /// Adds the next page, whose items are those of no page before.
    pub(crate) fn add(&mut self, page: &Page<'_>, headers: PageHeaders) {
        self.is_current &= headers.age == Some(0);
        self.jobs += page.items.len() as u64;
        self.total = self.total.max(page.total.unwrap_or_default());
        let names_more = page.names_more || headers.names_next || self.total > self.jobs;
        self.is_whole = page.has_more == Some(false);
        self.is_contradictory |= page.is_contradictory || (self.is_whole && names_more);
        for item in &page.items {
            let members = Object::parse(item.get()).unwrap_or(Object(Vec::new()));
            let created = created(&members);
            self.descends &= match (self.last_date, created) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(last), Some(created)) => last >= created,
            };
            self.last_date = created;
            if created.is_none_or(|created| created >= self.window.earliest) {
                let candidate = Candidate::read(item.get(), &members, created, self.wanted);
                self.candidates.push(candidate);
            }
        }
        let goes_beyond = self.last_date.is_some_and(|last| last < self.window.earliest);
        let is_short = self.is_first_page && page.items.len() < SHORT_PAGE && !names_more;
        self.covers_window = self.is_whole
            || (self.descends && goes_beyond)
            || (page.has_more.is_none() && is_short);
        self.is_first_page = false;
    }

    /// Whether further pages cannot change the decision.
    pub(crate) fn is_enough(&self) -> bool {
        self.covers_window && !(self.candidates.is_empty() && self.is_current)
    }
}

/// The date of a job in Unix seconds, if it has one.
fn created(members: &Object<'_>) -> Option<u64> {
    video::unix_seconds(members.get("created_at")?).filter(|created| *created > 0)
}

impl Candidate {
    fn read(item: &str, members: &Object<'_>, created: Option<u64>, wanted: &Wanted) -> Self {
        let prompt = members.get("prompt").and_then(json::scalar).map(|prompt| fold(&prompt));
        let contradicts = |(name, ours): &&(&'static str, String)| match members.scalar(name) {
            Some(theirs) => theirs != *ours,
            None => *name == SOURCE && wanted.is_remix && members.get(name).is_some(),
        };
        Self {
            id: members.scalar("id").or_else(|| Some(Job::parse(item)?.id().to_owned())),
            created,
            prompt: prompt.map_or(Prompt::Missing, |prompt| compare(&prompt, &wanted.prompt)),
            contradiction: wanted
                .members
                .iter()
                .find(contradicts)
                .map(|(name, _)| *name)
                .or_else(|| wanted.is_longer_than(members).then_some("seconds")),
        }
    }
}

fn compare(listed: &str, ours: &str) -> Prompt {
    let start = listed.trim_end_matches(['.', '\u{2026}']);
    if listed == ours {
        Prompt::Same
    } else if ours.starts_with(start) {
        Prompt::Cut
    } else {
        Prompt::Other
    }
}

/// Decides what to do about an interrupted POST.
///
/// Its job is recovered only if exactly one listed job can be it: with its prompt, dated within the
/// window, and without a member that contradicts the request. The POST is sent again only if no
/// listed job can be it, whatever its prompt, as servers shorten, escape, redact and translate
/// prompts, and only for the account of the interrupted POST, as another one may not see its job.
pub(crate) fn decide(listing: &Listing<'_>, clocks: &Clocks, is_other_account: bool) -> Decision {
    if let Some(reason) = clocks.doubt() {
        return Decision::InDoubt(reason.to_owned());
    }
    if listing.is_contradictory {
        return Decision::InDoubt(CONTRADICTION.to_owned());
    }
    let latest = listing.window.latest;
    if listing.candidates.iter().any(|job| job.created.is_some_and(|created| created > latest)) {
        return Decision::InDoubt("the server dates its jobs in the future".to_owned());
    }
    let is_ours = |job: &&Candidate| job.prompt == Prompt::Same;
    let ours: Vec<&Candidate> = listing.candidates.iter().filter(is_ours).collect();
    match ours[..] {
        [] if is_other_account => Decision::InDoubt(OTHER_ACCOUNT.to_owned()),
        [] => absent(listing, clocks),
        [job] => match doubt_about(job, listing) {
            Some(reason) => Decision::InDoubt(reason),
            None => Decision::Recover(job.id.clone().unwrap_or_default()),
        },
        _ => {
            let ids: Vec<&str> =
                ours.iter().map(|job| job.id.as_deref().unwrap_or("without an id")).collect();
            Decision::InDoubt(format!(
                "several jobs with this prompt were created since: {}",
                shorten(&ids.join(", "))
            ))
        }
    }
}

/// Why the only job with our prompt may not be ours.
fn doubt_about(job: &Candidate, listing: &Listing<'_>) -> Option<String> {
    let Some(id) = job.id.as_deref().map(shorten) else {
        return Some("a job with this prompt is listed without an id".to_owned());
    };
    let others = |prompt| listing.candidates.iter().any(|job| job.prompt == prompt);
    match (job.created, job.contradiction) {
        (None, _) => Some("the server does not say when its jobs were created".to_owned()),
        (_, Some(name)) => Some(format!("the job '{id}' has this prompt, but another {name}")),
        (Some(created), _) if created < listing.window.start => {
            Some(format!("the job '{id}' with this prompt was created shortly before"))
        }
        _ if others(Prompt::Missing) => Some(NO_PROMPTS.to_owned()),
        _ if others(Prompt::Cut) => Some(CUT_PROMPTS.to_owned()),
        _ if !listing.covers_window => Some(MORE_JOBS.to_owned()),
        _ => None,
    }
}

/// The reason why a run for another account does not decide about the POST of an earlier one.
pub(crate) const OTHER_ACCOUNT: &str = "that run had another key, organization or project";
const CONTRADICTION: &str = "the server's list of jobs contradicts itself";
const NO_PROMPTS: &str = "the server does not list the prompts of its jobs";
const CUT_PROMPTS: &str = "the server does not list the whole prompts of its jobs";
const MORE_JOBS: &str = "the server may have had more jobs since than it lists at once";

/// Decides where no job with our prompt is listed, although the server may have one.
fn absent(listing: &Listing<'_>, clocks: &Clocks) -> Decision {
    let reason = match listing.candidates.first() {
        Some(Candidate { prompt: Prompt::Missing, .. }) => NO_PROMPTS.to_owned(),
        Some(Candidate { prompt: Prompt::Cut, .. }) => CUT_PROMPTS.to_owned(),
        Some(Candidate { created: None, .. }) => {
            "the server does not say when its jobs were created".to_owned()
        }
        Some(Candidate { id, .. }) => format!(
            "the job '{}' was created at about that time, and servers may change a prompt",
            shorten(id.as_deref().unwrap_or("without an id"))
        ),
        None if !listing.is_current => "the list of jobs came from a cache".to_owned(),
        None if !listing.covers_window => MORE_JOBS.to_owned(),
        None if !listing.is_whole => {
            "the server does not say whether its list of jobs is complete".to_owned()
        }
        // A list in another order that is limited in length lacks the newest jobs.
        None if !listing.descends => "the server does not list its newest jobs first".to_owned(),
        None => {
            let elapsed = clocks.now.duration_since(clocks.posted).unwrap_or_default();
            return match LISTED_WITHIN.saturating_sub(elapsed) {
                Duration::ZERO => Decision::PostAgain,
                left => Decision::SearchAgain(left),
            };
        }
    };
    Decision::InDoubt(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::api::fields::Fields;
    use crate::api::reference::Reference;

    const NOW: u64 = 1_800_000_000;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// The POST was sent 1,000 s ago, by clocks that agree.
    fn clocks() -> Clocks {
        Clocks { since: at(NOW - 1000), posted: at(NOW - 1000), now: at(NOW), was_set: false }
    }

    fn date() -> PageHeaders {
        PageHeaders { date: Some(at(NOW)), age: Some(0), names_next: false }
    }

    fn wanted() -> Wanted {
        let body = r#"{"prompt":"a  prompt\n","seconds":"8","video":{"id":"v"},"model":"m"}"#;
        Wanted::of(
            &VideoRequest::from_fields(Operation::Extend, Fields::from_json(body).unwrap(), None)
                .unwrap(),
        )
    }

    /// The decision about a request with this prompt and other fields, after a list with one job.
    fn decided_for(operation: Operation, fields: &str, listed: &str) -> Decision {
        let fields = Fields::from_json(&format!(r#"{{"prompt":"p"{fields}}}"#)).unwrap();
        let source = (operation == Operation::Remix).then(|| Reference::Id("v".to_owned()));
        let request = VideoRequest::from_fields(operation, fields, source).unwrap();
        let (wanted, clocks) = (Wanted::of(&request), clocks());
        let mut listing = Listing::new(&wanted, &clocks, date());
        let job = job("j", 999, &format!(r#","prompt":"p"{listed}"#));
        let list = format!(r#"{{"data":[{job}],"has_more":false}}"#);
        listing.add(&Page::parse(&list).unwrap(), date());
        decide(&listing, &clocks, false)
    }

    fn decide_with(pages: &[&str], clocks: &Clocks, time: PageHeaders) -> Decision {
        let wanted = wanted();
        let mut listing = Listing::new(&wanted, clocks, time);
        for page in pages {
            listing.add(&Page::parse(page).unwrap(), time);
        }
        decide(&listing, clocks, false)
    }

    fn decided(list: &str) -> Decision {
        decide_with(&[list], &clocks(), date())
    }

    fn reason(decision: &Decision) -> &str {
        match decision {
            Decision::InDoubt(reason) => reason,
            decision => panic!("{decision:?}"),
        }
    }

    /// A job with these members, created `age` seconds ago.
    fn job(id: &str, age: u64, members: &str) -> String {
        format!(r#"{{"id":"{id}","created_at":{}{members}}}"#, NOW - age)
    }

    /// A job with our prompt.
    fn ours(id: &str, age: u64) -> String {
        job(id, age, r#","prompt":"a prompt""#)
    }

    fn other(age: u64) -> String {
        job("other", age, r#","prompt":"another""#)
    }

    fn page(jobs: &[String], has_more: &str) -> String {
        format!(r#"{{"data":[{}]{has_more}}}"#, jobs.join(","))
    }

    fn whole(jobs: &[String]) -> String {
        page(jobs, r#","has_more":false"#)
    }

    const HOUR: u64 = 3600;

    #[test]
    fn exactly_one_job_with_the_prompt_in_the_window_is_recovered() {
        for jobs in [
            vec![ours("a", 990)],
            vec![other(900), ours("a", 990), ours("old", 9 * HOUR), other(9 * HOUR)],
            vec![ours("a", 1004)],
            vec![job("a", 9, r#","prompt":" a\t prompt ","seconds":"16","model":"m","size":null"#)],
            vec![job("a", 9, r#","prompt":"a prompt","remixed_from_video_id":"v""#)],
        ] {
            assert_eq!(decided(&whole(&jobs)), Decision::Recover("a".into()), "{jobs:?}");
        }
        // A server that does not say whether there is more has shown all on a short page.
        for has_more in ["", r#","has_more":null"#, r#","has_more":"no""#] {
            let list = page(&[ours("a", 990)], has_more);
            assert_eq!(decided(&list), Decision::Recover("a".into()), "{has_more}");
        }
        let milliseconds = format!(r#"{{"id":"a","prompt":"a prompt","created_at":{NOW}000}}"#);
        assert_eq!(decided(&whole(&[milliseconds])), Decision::Recover("a".into()));
    }

    #[test]
    fn a_job_with_the_prompt_that_may_not_be_ours_is_in_doubt() {
        let named = r#","prompt":"a prompt""#;
        for (jobs, doubt) in [
            (
                vec![ours("a", 50), ours("b", 60)],
                "several jobs with this prompt were created since: a, b",
            ),
            (
                vec![ours("a", 50), ours("b", 1500)],
                "several jobs with this prompt were created since: a, b",
            ),
            (
                vec![ours("a", 50), format!(r#"{{"id":"b"{named}}}"#)],
                "several jobs with this prompt were created since: a, b",
            ),
            (vec![ours("a", 1500)], "the job 'a' with this prompt was created shortly before"),
            (
                vec![job("a", 9, &format!(r#"{named},"model":"n""#))],
                "the job 'a' has this prompt, but another model",
            ),
            (
                vec![job("a", 9, &format!(r#"{named},"remixed_from_video_id":"w""#))],
                "the job 'a' has this prompt, but another remixed_from_video_id",
            ),
            (
                vec![format!(r#"{{"id":"a"{named}}}"#)],
                "the server does not say when its jobs were created",
            ),
            (
                vec![format!(r#"{{"id":"a"{named},"created_at":0}}"#)],
                "the server does not say when its jobs were created",
            ),
            (
                vec![format!(r#"{{"created_at":{NOW}{named}}}"#)],
                "a job with this prompt is listed without an id",
            ),
            (vec![ours("a", 50), job("b", 60, "")], NO_PROMPTS),
            (vec![ours("a", 50), job("b", 60, r#","prompt":"a pro...""#)], CUT_PROMPTS),
            (
                vec![format!(r#"{{"id":"a"{named},"created_at":{}}}"#, NOW + HOUR)],
                "the server dates its jobs in the future",
            ),
        ] {
            assert_eq!(reason(&decided(&whole(&jobs))), doubt);
        }
        let list = page(&[ours("a", 50)], r#","has_more":true"#);
        assert_eq!(reason(&decided(&list)), MORE_JOBS);
        let many: Vec<String> = (0..20).map(|_| other(60)).chain([ours("a", 50)]).collect();
        assert_eq!(reason(&decided(&page(&many, ""))), MORE_JOBS);
    }

    #[test]
    fn the_post_is_sent_again_if_every_job_is_dated_before_the_window() {
        for jobs in
            [vec![], vec![other(2 * HOUR)], vec![ours("old", 2 * HOUR), job("x", 3 * HOUR, "")]]
        {
            assert_eq!(decided(&whole(&jobs)), Decision::PostAgain, "{jobs:?}");
        }
        let more = page(&[other(2 * HOUR)], r#","has_more":true"#);
        let pages = [more.as_str(), &whole(&[ours("a", 3 * HOUR)])];
        assert_eq!(decide_with(&pages, &clocks(), date()), Decision::PostAgain);
    }

    #[test]
    fn for_another_account_a_job_is_recovered_but_nothing_is_posted() {
        let wanted = wanted();
        let decide = |jobs: &[String]| {
            let mut listing = Listing::new(&wanted, &clocks(), date());
            listing.add(&Page::parse(&whole(jobs)).unwrap(), date());
            decide(&listing, &clocks(), true)
        };
        assert_eq!(decide(&[ours("a", 990)]), Decision::Recover("a".into()));
        for jobs in [vec![], vec![other(2 * HOUR)], vec![other(60)]] {
            assert_eq!(reason(&decide(&jobs)), OTHER_ACCOUNT);
        }
    }

    #[test]
    fn any_other_list_without_our_prompt_is_in_doubt() {
        let prompt = |prompt: &str| whole(&[job("a", 50, &format!(r#","prompt":"{prompt}""#))]);
        let undated = r#"{"id":"a","prompt":"another"}"#.to_owned();
        let old = [other(2 * HOUR)];
        for list in [
            // Normalised, escaped, shortened, redacted, translated: any prompt may be ours.
            prompt("A prompt."),
            prompt("a&nbsp;prompt"),
            prompt("a pro\u{2026}"),
            prompt("[redacted]"),
            prompt("ein Prompt"),
            prompt(""),
            whole(&[job("a", 50, "")]),
            whole(&[job("a", 50, r#","prompt":null"#)]),
            whole(&[job("a", 50, r#","prompt":"another","model":"n""#)]),
            // Shortly before the window, by whatever clock.
            whole(&[other(1500)]),
            // Without a date.
            whole(std::slice::from_ref(&undated)),
            whole(&[undated.replace('}', r#","created_at":0}"#)]),
            whole(&[undated.replace('}', r#","created_at":null}"#)]),
            whole(&[undated.replace('}', r#","created_at":"2026-11-24T00:00:00Z"}"#)]),
            whole(&["7".to_owned()]),
            // Perhaps not the whole list.
            page(&old, ""),
            page(&[], ""),
            page(&old, r#","has_more":null"#),
            page(&old, r#","has_more":"false""#),
            page(&old, r#","has_more":0"#),
            page(&old, r#","more":false"#),
            page(&old, r#","has_more":true"#),
        ] {
            reason(&decided(&list));
        }
    }

    #[test]
    fn a_list_that_says_it_is_whole_and_names_more_jobs_is_in_doubt() {
        for more in [
            r#""total":7"#,
            r#""total_count":"2""#,
            r#""totalItems":2"#,
            r#""count":2"#,
            r#""meta":{"total":2}"#,
            r#""next":"https://x/videos?page=2""#,
            r#""next_page":2"#,
            r#""nextCursor":"c""#,
            r#""hasMore":true"#,
            r#""has_next_page":true"#,
            r#""links":{"self":"/videos","next":"/videos?page=2"}"#,
            r#""_links":{"next":{"href":"/videos?page=2"}}"#,
            r#""pagination":{"has_next":true}"#,
        ] {
            for jobs in [vec![other(2 * HOUR)], vec![ours("a", 990)]] {
                let list = page(&jobs, &format!(r#","has_more":false,{more}"#));
                assert_eq!(reason(&decided(&list)), CONTRADICTION, "{list}");
                // Nor is a short page the whole list.
                reason(&decided(&page(&jobs, &format!(",{more}"))));
            }
        }
        for none in [
            r#""total":1"#,
            r#""total":0"#,
            r#""next":null,"next_page":"","nextToken":false"#,
            r#""links":{"next":null},"total_pages":9"#,
            r#""meta":{"next":{}},"pagination":[]"#,
        ] {
            let list = page(&[other(2 * HOUR)], &format!(r#","has_more":false,{none}"#));
            assert_eq!(decided(&list), Decision::PostAgain, "{list}");
        }
        // The total is that of all pages.
        let total = |more: &str, total| {
            page(
                &[other(2 * HOUR)],
                &format!(r#","has_more":{more},"total":{total},"next":{more}"#),
            )
        };
        let decide = |first: &str, second: &str| decide_with(&[first, second], &clocks(), date());
        assert_eq!(decide(&total("true", 2), &total("false", 2)), Decision::PostAgain);
        assert_eq!(reason(&decide(&total("true", 2), &total("false", 3))), CONTRADICTION);
    }

    #[test]
    fn a_list_from_a_cache_does_not_show_that_there_is_no_job() {
        let list = whole(&[other(2 * HOUR)]);
        for age in [Some(1), Some(600), None] {
            let decision = decide_with(&[&list], &clocks(), PageHeaders { age, ..date() });
            assert_eq!(reason(&decision), "the list of jobs came from a cache");
        }
    }

    #[test]
    fn headers_tell_whether_a_cache_responded_and_whether_a_page_follows() {
        let read = |headers: &[(&str, &str)]| {
            let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            let head = ResponseHead { status: 200, headers: headers.iter().map(own).collect() };
            let headers = PageHeaders::read(&head);
            (headers.age, headers.names_next)
        };
        for (name, value) in [
            ("X-Cache", "HIT"),
            ("X-Cache", "Hit from cloudfront"),
            ("X-Cache", "TCP_REFRESH_HIT from child"),
            ("CF-Cache-Status", "STALE"),
            ("Cache-Status", "ExampleCache; hit; ttl=376"),
            ("Warning", "110 - \"Response is Stale\""),
        ] {
            assert_eq!(read(&[(name, value)]), (None, false), "{value}");
            assert_eq!(read(&[(name, value), ("Age", "7")]), (Some(7), false));
        }
        for (name, value) in [
            ("X-Cache", "MISS"),
            ("X-Cache", "Miss from cloudfront"),
            ("CF-Cache-Status", "DYNAMIC"),
            ("Cache-Status", "ExampleCache; fwd=uri-miss; stored"),
            ("Link", "</v1/videos>; rel=\"first\", </next>; rel=prev"),
        ] {
            assert_eq!(read(&[(name, value)]), (Some(0), false), "{value}");
        }
        assert_eq!(read(&[("Age", "soon")]), (None, false));
        for link in [
            "</a>; rel=next",
            "</a>; rel=\"next\"",
            "</a>; rel=first, </b>; rel=\"last next\"; x=y",
        ] {
            assert_eq!(read(&[("Link", link)]), (Some(0), true), "{link}");
        }
    }

    #[test]
    fn an_absence_counts_from_two_minutes_after_the_latest_post() {
        for (elapsed, decision) in [
            (0, Decision::SearchAgain(Duration::from_secs(125))),
            (124, Decision::SearchAgain(Duration::from_secs(1))),
            (125, Decision::PostAgain),
        ] {
            let clocks = Clocks { posted: at(NOW - elapsed), ..clocks() };
            assert_eq!(decide_with(&[&whole(&[])], &clocks, date()), decision);
        }
        // A job in doubt is not an absent one, however early it is.
        let early = Clocks { posted: at(NOW), ..clocks() };
        reason(&decide_with(&[&whole(&[other(50)])], &early, date()));
    }

    #[test]
    fn the_window_is_by_the_servers_clock() {
        // This machine is an hour behind: the POST was sent 1,000 s ago all the same.
        let [since, now] = [NOW - 1000 - HOUR, NOW - HOUR].map(at);
        let behind = Clocks { since, posted: since, now, ..clocks() };
        let decide = |list: &str, time| decide_with(&[list], &behind, time);
        assert_eq!(decide(&whole(&[ours("a", 990)]), date()), Decision::Recover("a".into()));
        assert_eq!(decide(&whole(&[other(2000)]), date()), Decision::PostAgain);
        // Without a date of the server's, the clocks may be a time zone apart.
        let undated = PageHeaders { date: None, ..date() };
        reason(&decide(&whole(&[other(23 * HOUR)]), undated));
        assert_eq!(decide(&whole(&[other(26 * HOUR)]), undated), Decision::PostAgain);
        // A cache sends the date of the response that it stored.
        let cached = PageHeaders { date: Some(at(NOW - HOUR)), age: Some(HOUR), ..date() };
        assert_eq!(decide(&whole(&[ours("a", 990)]), cached), Decision::Recover("a".into()));
    }

    #[test]
    fn a_clock_that_was_wrong_or_was_set_leaves_all_in_doubt() {
        for clocks in [
            Clocks { since: at(100), ..clocks() },
            Clocks { since: at(NOW + 60), ..clocks() },
            Clocks { posted: at(NOW + 60), ..clocks() },
            Clocks { was_set: true, ..clocks() },
        ] {
            for jobs in [vec![], vec![ours("a", 990)], vec![other(9 * HOUR)]] {
                reason(&decide_with(&[&whole(&jobs)], &clocks, date()));
            }
        }
    }

    #[test]
    fn pages_are_read_until_they_leave_the_window_behind() {
        let wanted = wanted();
        let is_enough = |pages: &[Vec<String>]| {
            let mut listing = Listing::new(&wanted, &clocks(), date());
            for jobs in pages {
                let page = page(jobs, r#","has_more":true"#);
                listing.add(&Page::parse(&page).unwrap(), date());
            }
            (listing.is_enough(), decide(&listing, &clocks(), false))
        };
        let (newer, older) = (vec![other(50), ours("a", 60)], vec![other(2 * HOUR)]);
        assert!(!is_enough(std::slice::from_ref(&newer)).0);
        let recovered = (true, Decision::Recover("a".into()));
        assert_eq!(is_enough(&[newer.clone(), older.clone()]), recovered);
        // In another order a newer job may follow.
        assert!(!is_enough(&[older.clone(), newer]).0);
        // To be sent again, the POST needs the whole list.
        assert!(!is_enough(&[older]).0);
    }

    #[test]
    fn a_job_is_compared_with_the_fields_of_the_request() {
        let members = |video: &str| {
            let body = format!(r#"{{"prompt":"p","seconds":8,"size":"1x1",{video}}}"#);
            let fields = Fields::from_json(&body).unwrap();
            Wanted::of(&VideoRequest::from_fields(Operation::Extend, fields, None).unwrap()).members
        };
        let with_id = vec![("size", "1x1".to_owned()), ("remixed_from_video_id", "v".to_owned())];
        for video in [r#""video":{"id":"v"}"#, r#""video":"v""#, r#""video_id":"v""#] {
            assert_eq!(members(video), with_id);
        }
        for video in [r#""video":{"url":"https://x"}"#, r#""video":"https://x""#] {
            assert_eq!(members(video), with_id[..1]);
        }
    }

    #[test]
    fn a_listed_job_is_compared_with_what_the_operation_sends() {
        let recovered = || Decision::Recover("j".to_owned());
        let other =
            |name| Decision::InDoubt(format!("the job 'j' has this prompt, but another {name}"));
        let source = "remixed_from_video_id";
        let from = |id: &str| format!(r#","{source}":{id}"#);
        let create = r#","model":"m","size":"1x1","seconds":"8""#;
        let video = r#","video":{"id":"v"}"#;
        for (operation, fields, listed, decision) in [
            (Operation::Create, create, r#","model":"m","size":"1x1","seconds":8"#, recovered()),
            (Operation::Create, create, r#","seconds":"4""#, other("seconds")),
            (Operation::Create, create, r#","model":"n""#, other("model")),
            (Operation::Create, create, r#","size":"2x2""#, other("size")),
            (Operation::Create, "", &from("null"), recovered()),
            (Operation::Create, "", &from(r#""v""#), other(source)),
            // The whole length, which is that of the source and the new segment.
            (Operation::Extend, r#","seconds":"8","video":"v""#, r#","seconds":"12""#, recovered()),
            (
                Operation::Extend,
                r#","seconds":"8","video":"v""#,
                r#","seconds":"4""#,
                other("seconds"),
            ),
            (Operation::Edit, video, &from(r#""v""#), recovered()),
            (Operation::Edit, video, &from(r#""w""#), other(source)),
            (Operation::Remix, "", r#","seconds":"8""#, recovered()),
            (Operation::Remix, "", &from(r#""v""#), recovered()),
            (Operation::Remix, "", &from(r#""w""#), other(source)),
            // The job of a create, which may be listed before ours.
            (Operation::Remix, "", &from("null"), other(source)),
        ] {
            assert_eq!(decided_for(operation, fields, listed), decision, "{operation:?} {listed}");
        }
    }
}
