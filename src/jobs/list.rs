//! The server's list of jobs, page by page (`ListVideos` of the API).

use std::ops::ControlFlow;

use serde_json::value::RawValue;

use crate::api::error::Error;
use crate::api::event::Event;
use crate::api::job::Job;
use crate::http::Http;
use crate::http::request::Request;
use crate::json::{self, Object};
use crate::text::shorten;
use crate::url::segment;

/// Which jobs to list, and in which order.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ListQuery {
    /// Default: the server's, which is the newest first.
    pub order: Option<Order>,
    /// Jobs on one page, [`ListQuery::MAX_LIMIT`] at most. Default: the server's.
    pub limit: Option<u32>,
    /// Lists the jobs after the one with this id. Default: from the first one.
    pub after: Option<String>,
    /// How many jobs [`Client::list`](crate::Client::list) gives at most. Default: all.
    pub max_items: Option<u64>,
}

impl ListQuery {
    /// The largest [`ListQuery::limit`].
    pub const MAX_LIMIT: u32 = 100;

    fn check(&self) -> Result<(), Error> {
        match self.limit.filter(|limit| *limit > Self::MAX_LIMIT) {
            Some(limit) => Err(Error::invalid(format!(
                "invalid limit {limit}: a page has 0 to {} jobs",
                Self::MAX_LIMIT
            ))),
            None => Ok(()),
        }
    }
}

/// The order of a list, by the time at which the jobs were created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The oldest first.
    Ascending,
    /// The newest first.
    Descending,
}

/// Calls `each` with the JSON of each job in the list, page by page, until it returns `Break`.
pub(crate) fn list(
    http: &Http,
    query: &ListQuery,
    each: &mut dyn FnMut(&str) -> Result<ControlFlow<()>, Error>,
) -> Result<(), Error> {
    query.check()?;
    let mut left = query.max_items.unwrap_or(u64::MAX);
    let mut pager = Pager::new(query);
    while left > 0 {
        let path = pager.path();
        let text = http.text(&Request::get(&path))?.body;
        let Some(page) = Page::parse(&text) else {
            let start = http.settings().redact(shorten(&text));
            return Err(
                http.no_response(&Request::get(&path), format!("not a list of jobs: '{start}'"))
            );
        };
        let turn = pager.turn(&page);
        if turn != Turn::Repeated {
            for item in page.items.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
                if each(item.get())?.is_break() {
                    return Ok(());
                }
                left -= 1;
            }
        }
        match turn {
            Turn::Next => {}
            Turn::Last => break,
            Turn::Repeated | Turn::Unknown => {
                if left > 0 {
                    (http.report)(&Event::ListIncomplete);
                }
                break;
            }
        }
    }
    Ok(())
}

/// One page of the list, as the server sent it.
pub(crate) fn list_page(http: &Http, query: &ListQuery) -> Result<String, Error> {
    query.check()?;
    http.text(&Request::get(&Pager::new(query).path())).map(|text| text.body)
}

/// A page of the list: `{"data": [...], "last_id": ..., "has_more": ...}` (`VideoListResource`).
pub(crate) struct Page<'a> {
    pub(crate) items: Vec<&'a RawValue>,
    /// `None` if `has_more` is missing or not a boolean.
    pub(crate) has_more: Option<bool>,
    /// Whether it reports an error beside its jobs, names a job that it does not hold, or has a
    /// member twice.
    pub(crate) is_contradictory: bool,
    /// The number of jobs in the whole list, if the page has one.
    pub(crate) total: Option<u64>,
    /// Whether the page names another one behind it, in a form other than `has_more`.
    pub(crate) names_more: bool,
    last_id: Option<String>,
}

/// Members that hold the number of all jobs, and members with facts about the page.
const TOTALS: [&str; 6] =
    ["total", "totalcount", "totalitems", "totalresults", "totaljobs", "count"];
const ABOUT_PAGE: [&str; 6] = ["links", "meta", "metadata", "paging", "pagination", "pageinfo"];

impl<'a> Page<'a> {
    /// `None` if the text is not a page.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let top = Object::parse(text).ok()?;
        let items: Vec<_> = serde_json::from_str(top.get("data")?.get()).ok()?;
        let is_set = |name| top.get(name).is_some_and(|value| value.get() != "null");
        let about = about_page(&top);
        let is_repeated = |name| top.0.iter().filter(|(known, _)| known == name).count() > 1;
        Some(Self {
            is_contradictory: is_set("error")
                || (items.is_empty() && ["first_id", "last_id"].into_iter().any(is_set))
                || ["data", "has_more"].into_iter().any(is_repeated),
            items,
            has_more: top.get("has_more").and_then(|more| more.get().parse().ok()),
            last_id: top.scalar("last_id"),
            total: about.iter().filter_map(|(name, value)| total(name, value)).max(),
            names_more: about.iter().any(|(name, value)| names_more(name, value)),
        })
    }

    fn ids(&self) -> Vec<Option<String>> {
        let id = |item: &&RawValue| Job::parse(item.get()).map(|job| job.id().to_owned());
        self.items.iter().map(id).collect()
    }
}

/// The members of a page and of the objects in it that are about the page: their names in lower
/// case without `_`, and their values.
fn about_page<'a>(top: &Object<'a>) -> Vec<(String, &'a RawValue)> {
    let plain = |(name, value): &(String, &'a RawValue)| {
        (name.replace('_', "").to_ascii_lowercase(), *value)
    };
    let mut members: Vec<_> = top.0.iter().map(plain).collect();
    let inner = members.iter().filter(|(name, _)| ABOUT_PAGE.contains(&name.as_str()));
    let inner: Vec<_> = inner.filter_map(|(_, value)| Object::parse(value.get()).ok()).collect();
    members.extend(inner.iter().flat_map(|object| object.0.iter().map(plain)));
    members
}

fn total(name: &str, value: &RawValue) -> Option<u64> {
    let number = json::scalar(value).filter(|_| TOTALS.contains(&name))?;
    number.parse().ok()
}

/// Whether a member such as `next_page` or `hasMore` names another page. `has_more` itself is read
/// as documented.
fn names_more(name: &str, value: &RawValue) -> bool {
    let is_about_more = name.starts_with("next") || name.starts_with("hasnext") || name == "more";
    let is_other_spelling = name == "hasmore" && value.get() == "true";
    let is_empty = ["null", "false", "0", "\"\"", "{}", "[]"].contains(&value.get());
    (is_about_more && !is_empty) || is_other_spelling
}

/// The step after a page of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Another page.
    Next,
    /// The end of the list: `has_more` is not true, or this page is empty.
    Last,
    /// Nothing that can be requested: this page repeats jobs of an earlier one, so the server
    /// ignores `after`.
    Repeated,
    /// Nothing that can be requested: there is more, but this page has no id to go on after.
    Unknown,
}

/// Goes from page to page.
pub(crate) struct Pager {
    query: ListQuery,
    /// The ids of the first page and of the one before, which an ignored `after` would bring
    /// again.
    first: Vec<Option<String>>,
    previous: Vec<Option<String>>,
}

impl Pager {
    pub(crate) fn new(query: &ListQuery) -> Self {
        Self { query: query.clone(), first: Vec::new(), previous: Vec::new() }
    }

    /// The path and query of the next page.
    pub(crate) fn path(&self) -> String {
        let ListQuery { order, limit, after, .. } = &self.query;
        let order = order.map(|order| match order {
            Order::Ascending => "order=asc".to_owned(),
            Order::Descending => "order=desc".to_owned(),
        });
        let limit = limit.map(|limit| format!("limit={limit}"));
        let after = after.as_ref().map(|id| format!("after={}", segment(id)));
        let query: Vec<String> = [order, limit, after].into_iter().flatten().collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("/videos{mark}{}", query.join("&"))
    }

    /// Takes the page that the server sent for [`Pager::path`], and turns to the next one.
    pub(crate) fn turn(&mut self, page: &Page<'_>) -> Turn {
        let is_only_page = self.first.is_empty() && page.has_more != Some(true);
        if is_only_page || page.items.is_empty() {
            return Turn::Last;
        }
        let ids = page.ids();
        let is_known = |id| self.first.contains(id) || self.previous.contains(id);
        if ids.iter().filter(|id| id.is_some()).any(is_known) {
            return Turn::Repeated;
        }
        if page.has_more != Some(true) {
            return Turn::Last;
        }
        let last = ids.last().cloned().flatten().or_else(|| page.last_id.clone());
        if last.is_none() || last == self.query.after {
            return Turn::Unknown;
        }
        self.query.after = last;
        if self.first.is_empty() {
            self.first = ids;
        } else {
            self.previous = ids;
        }
        Turn::Next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(pages: &[&str]) -> Vec<(Turn, String)> {
        let mut pager = Pager::new(&ListQuery::default());
        let mut turn = |page: &&str| (pager.turn(&Page::parse(page).unwrap()), pager.path());
        pages.iter().map(&mut turn).collect()
    }

    #[test]
    fn pages_follow_the_last_item_or_else_the_last_id() {
        let turns = turns(&[
            r#"{"data":[{"id":"a"},{"id":"b/="}],"last_id":"x","has_more":true}"#,
            r#"{"data":[{"id":"c"},{}],"last_id":"d","has_more":true}"#,
            r#"{"data":[{"task_id":"e"}],"has_more":false}"#,
        ]);
        let expected = [
            (Turn::Next, "/videos?after=b%2F%3D"),
            (Turn::Next, "/videos?after=d"),
            (Turn::Last, "/videos?after=d"),
        ];
        assert_eq!(turns, expected.map(|(turn, path)| (turn, path.to_owned())));
    }

    #[test]
    fn a_list_ends_where_has_more_is_not_true_or_a_page_is_empty() {
        for end in [
            r#"{"data":[{"id":"a"}]}"#,
            r#"{"data":[{"id":"a"}],"has_more":null}"#,
            r#"{"data":[{"id":"a"}],"has_more":"true"}"#,
            r#"{"data":[],"last_id":"z","has_more":true}"#,
        ] {
            assert_eq!(turns(&[end])[0].0, Turn::Last, "{end}");
        }
        assert_eq!(turns(&[r#"{"data":[{}],"has_more":true}"#])[0].0, Turn::Unknown);
    }

    #[test]
    fn a_page_that_repeats_an_id_of_the_one_before_or_of_the_first_ends_the_list() {
        let page = |id: &str| format!(r#"{{"data":[{{"id":"{id}"}}],"has_more":true}}"#);
        let (a, b, c) = (page("a"), page("b"), page("c"));
        for (pages, repeated) in
            [(vec![&a, &a], 1), (vec![&a, &b, &a], 2), (vec![&a, &b, &c, &c], 3)]
        {
            let pages: Vec<&str> = pages.iter().map(|page| page.as_str()).collect();
            let turns = turns(&pages);
            assert!(turns[..repeated].iter().all(|turn| turn.0 == Turn::Next));
            assert_eq!(turns[repeated].0, Turn::Repeated);
        }
    }

    #[test]
    fn the_query_has_what_is_set() {
        let query = ListQuery {
            order: Some(Order::Ascending),
            limit: Some(0),
            after: Some("a b".to_owned()),
            max_items: Some(3),
        };
        assert_eq!(Pager::new(&query).path(), "/videos?order=asc&limit=0&after=a%20b");
        assert_eq!(Pager::new(&ListQuery::default()).path(), "/videos");
        let large = ListQuery { limit: Some(101), ..ListQuery::default() };
        assert_eq!(
            large.check().unwrap_err().to_string(),
            "invalid limit 101: a page has 0 to 100 jobs"
        );
    }

    #[test]
    fn a_response_without_a_list_of_data_is_not_a_page() {
        for text in ["", "[]", "{}", r#"{"data":{}}"#, r#"{"data":null}"#, "<html>"] {
            assert!(Page::parse(text).is_none(), "{text}");
        }
    }
}
