//! A server of the simulation: its jobs, and the quirks of real servers.

use crate::properties::suite::Random;

/// How a value that the API describes is sent by servers that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// As the API describes it.
    Plain,
    Missing,
    Null,
    /// In another form, of which there are several.
    Odd(usize),
}

impl Style {
    /// Every second one is plain.
    fn random(random: &mut Random, odd: usize) -> Self {
        match random.below(6) {
            0 => Style::Missing,
            1 => Style::Null,
            2 if odd > 0 => Style::Odd(random.below(odd)),
            _ => Style::Plain,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: String,
    /// The idempotency key of the POST; `None` for the jobs of other people.
    pub(crate) key: Option<String>,
    /// The run that sent the POST, and its account.
    pub(crate) run: u64,
    account: usize,
    /// Since when it exists, and since when the list shows it, in milliseconds.
    pub(crate) created: u64,
    pub(crate) listed: u64,
    pub(crate) ends: u64,
    pub(crate) is_failure: bool,
    prompt: String,
    /// The members beside the prompt, as the server sends them.
    members: String,
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) jobs: Vec<Job>,
    pub(crate) has_list: bool,
    has_more: Style,
    prompts: Style,
    dates: Style,
    /// The shape of responses about one job.
    shape: usize,
    page_size: usize,
    ignores_after: bool,
    is_ascending: bool,
    pub(crate) has_date: bool,
    /// The clock of its `Date` header against the true time, and the delay of the clock of
    /// `created_at`, in milliseconds.
    clock_offset: i64,
    created_delay: u64,
    /// The longest time after which the list shows a job, in milliseconds.
    lag: u64,
    pub(crate) has_cache: bool,
    /// Whether a second POST with the same idempotency key returns the first one's job.
    pub(crate) knows_keys: bool,
    /// Whether jobs show another model than the request has.
    renames_models: bool,
    /// The members of a job of the request beside its model.
    pub(crate) members: &'static str,
    /// Whether the user's two keys are of one account.
    has_one_account: bool,
    /// The key of the run in progress.
    pub(crate) account: usize,
}

pub(crate) const SECOND: u64 = 1000;
pub(crate) const MINUTE: u64 = 60 * SECOND;
pub(crate) const HOUR: u64 = 60 * MINUTE;
/// The prompt of the request, and one that somebody else has.
pub(crate) const PROMPT: &str = "The camera pulls back";

impl Server {
    pub(crate) fn random(random: &mut Random, now: u64) -> Self {
        let mut one_of = |n: usize| random.below(n) == 0;
        let mut server = Self {
            jobs: Vec::new(),
            has_list: !one_of(8),
            ignores_after: one_of(8),
            is_ascending: one_of(8),
            has_date: !one_of(4),
            has_cache: one_of(6),
            knows_keys: one_of(4),
            renames_models: one_of(8),
            has_one_account: one_of(4),
            members: "",
            account: 0,
            has_more: Style::random(random, 4),
            prompts: Style::random(random, 6),
            dates: Style::random(random, 2),
            shape: random.below(7),
            page_size: [100, 100, 20][random.below(3)],
            clock_offset: 0,
            created_delay: [0, random.below(10 * MINUTE as usize) as u64][random.below(2)],
            lag: random.below(121) as u64 * SECOND,
        };
        // Without a `Date` header the two clocks cannot be compared, so both have to be right.
        let offsets = [0, 3 * HOUR as i64, -400 * HOUR as i64];
        server.clock_offset = offsets[random.below(if server.has_date { 3 } else { 1 })];
        let everything_plain = random.below(2) == 0;
        if everything_plain {
            let plain = Style::Plain;
            (server.has_more, server.prompts, server.dates) = (plain, plain, plain);
            (server.ignores_after, server.is_ascending, server.renames_models) = Default::default();
            server.has_list = true;
        }
        if server.has_more != Style::Plain {
            // A shorter page counts as all there is.
            server.page_size = 20;
        } else if random.below(3) == 0 {
            server.page_size = 1 + random.below(3);
        }
        for _ in 0..[0, 0, 0, 0, 0, 0, random.below(9), 21][random.below(8)] {
            let age = 2 * HOUR + random.below(72 * HOUR as usize) as u64;
            server.add_stranger(random, now - age);
        }
        server
    }

    /// Somebody else's job, with our prompt only if it is old or has another model.
    pub(crate) fn add_stranger(&mut self, random: &mut Random, now: u64) {
        let is_same = random.below(4) == 0;
        let id = format!("other_{}", self.jobs.len());
        let prompt = if is_same { PROMPT } else { "Another prompt" };
        let members = r#","model":"another","size":"1x1""#.to_owned();
        let job = Job {
            id,
            key: None,
            run: 0,
            account: self.account,
            created: now,
            listed: now,
            ends: now + MINUTE,
            is_failure: false,
            prompt: prompt.to_owned(),
            members,
        };
        self.jobs.push(job);
    }

    /// Performs a POST with this key and gives the id of its job.
    pub(crate) fn create(&mut self, random: &mut Random, key: &str, run: u64, now: u64) -> String {
        let is_known = |job: &&Job| job.key.as_deref() == Some(key) && self.is_visible(job);
        let known = self.jobs.iter().find(is_known);
        if let (true, Some(job)) = (self.knows_keys, known) {
            return job.id.clone();
        }
        let id = format!("video_{}", self.jobs.len());
        let model = if self.renames_models { "renamed" } else { "model" };
        self.jobs.push(Job {
            id: id.clone(),
            key: Some(key.to_owned()),
            run,
            account: self.account,
            created: now,
            listed: now + random.below(self.lag as usize + 1) as u64,
            ends: now + 10 * SECOND + random.below(10 * MINUTE as usize) as u64,
            is_failure: random.below(8) == 0,
            prompt: PROMPT.to_owned(),
            members: format!(r#","model":"{model}"{}"#, self.members),
        });
        id
    }

    pub(crate) fn job(&self, id: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.id == id)
    }

    /// Whether the account of the run in progress has this job.
    pub(crate) fn is_visible(&self, job: &Job) -> bool {
        self.has_one_account || job.account == self.account
    }

    /// The response about one job.
    pub(crate) fn show(&self, id: &str, now: u64) -> Option<String> {
        let job = self.job(id).filter(|job| self.is_visible(job))?;
        let status = match (now < job.ends, job.is_failure) {
            (true, _) => "queued",
            (false, true) => "failed",
            (false, false) => "completed",
        };
        Some(match self.shape {
            0 => format!(r#"{{"request_id":"{id}","status":"{status}"}}"#),
            1 => format!(r#"{{"status":"success","data":{{"id":"{id}","status":"{status}"}}}}"#),
            2 => format!(r#"{{"status":200,"data":{{"id":"{id}","status":"{status}"}}}}"#),
            3 => format!(
                r#"{{"code":0,"request_id":"r-1","data":{{"task_id":"{id}","status":"{status}"}}}}"#
            ),
            6 => format!(
                r#"{{"id":"r-1","status":"succeeded","data":{{"id":"{id}","status":"{status}"}}}}"#
            ),
            4 => format!(r#"{{"id":"{id}","status":"{status}","video":{{"id":"other_0"}}}}"#),
            _ => format!(r#"{{"id":"{id}","status":"{status}"}}"#),
        })
    }

    /// The `Date` header, in milliseconds.
    pub(crate) fn clock(&self, now: u64) -> u64 {
        now.saturating_add_signed(self.clock_offset)
    }

    /// The list as it was at this time, or a page of it.
    pub(crate) fn list(&self, path: &str, time: u64) -> String {
        let is_listed = |job: &&Job| job.listed <= time && self.is_visible(job);
        let mut jobs: Vec<&Job> = self.jobs.iter().filter(is_listed).collect();
        jobs.sort_by_key(|job| job.created);
        if !self.is_ascending {
            jobs.reverse();
        }
        let total = jobs.len();
        if let Some((_, after)) = path.split_once("after=")
            && !self.ignores_after
        {
            let position = jobs.iter().position(|job| job.id == after);
            jobs.drain(..position.map_or(0, |position| position + 1));
        }
        let more = jobs.len() > self.page_size;
        jobs.truncate(self.page_size);
        let items: Vec<String> = jobs.iter().map(|job| self.item(job)).collect();
        let has_more = match self.has_more {
            Style::Plain => format!(r#","has_more":{more}"#),
            Style::Missing => String::new(),
            Style::Null => r#","has_more":null"#.to_owned(),
            Style::Odd(0) => format!(r#","has_more":"{more}""#),
            Style::Odd(1) => format!(r#","more":{more}"#),
            Style::Odd(2) => r#","has_more":0"#.to_owned(),
            Style::Odd(_) => format!(r#","has_more":false,"total":{total}"#),
        };
        format!(r#"{{"data":[{}]{has_more}}}"#, items.join(","))
    }

    fn item(&self, job: &Job) -> String {
        let mut item = format!(r#"{{"id":"{}"{}"#, job.id, job.members);
        let prompt = match self.prompts {
            Style::Plain => Some(job.prompt.clone()),
            Style::Missing => None,
            Style::Null => Some(String::new()),
            Style::Odd(0) => Some(format!(" {}\\n", job.prompt.replace(' ', "  "))),
            Style::Odd(1) => Some(job.prompt.chars().take(5).collect::<String>() + "..."),
            Style::Odd(2) => Some(job.prompt.to_lowercase()),
            Style::Odd(3) => Some(job.prompt.replace(' ', "&nbsp;")),
            Style::Odd(4) => Some("[redacted]".to_owned()),
            Style::Odd(_) => Some("Die Kamera ...".to_owned()),
        };
        if let Some(prompt) = prompt {
            item += &format!(r#","prompt":"{prompt}""#);
        }
        let created = self.clock(job.created).saturating_sub(self.created_delay);
        item += &match self.dates {
            Style::Plain => format!(r#","created_at":{}}}"#, created / SECOND),
            Style::Missing => "}".to_owned(),
            Style::Null => r#","created_at":null}"#.to_owned(),
            Style::Odd(0) => r#","created_at":0}"#.to_owned(),
            Style::Odd(_) => format!(r#","created_at":{created}}}"#),
        };
        item
    }
}
