//! Finds the job in a response: some servers send it bare, others inside an envelope.
//!
//! ```json
//! {"status": "success", "data": {"id": "video_123", "status": "queued"}}
//! {"code": 0, "request_id": "req-1", "data": [{"task_id": "task-9", "status": "queued"}]}
//! ```
//!
//! The id, the status and all other fields are read from one object, so that the status of an
//! envelope is never combined with the id of the job inside it. Other members are not searched:
//! `video` and `input` echo the request, `output` and `metadata` describe files, and each may have
//! an id of its own.

use serde_json::value::RawValue;

use crate::api::status::Status;
use crate::json::Object;

/// The members that envelopes put the job into, as an object or as a list of one.
const ENVELOPES: [&str; 3] = ["data", "result", "response"];
/// The names of a job's id, most reliable first.
const IDS: [&str; 2] = ["id", "task_id"];
/// A trace id in a response that has another id; the job's id at servers that send no other one
/// (xAI).
const REQUEST_ID: &str = "request_id";
/// Objects nested deeper are not searched. Envelopes in use have two levels; the bound limits the
/// recursion.
const DEPTH: usize = 16;

/// The object that describes the job.
pub(crate) struct JobObject<'a> {
    /// Its JSON text, a part of the response.
    pub(crate) text: &'a str,
    pub(crate) members: Object<'a>,
    /// The number of objects and lists around it.
    depth: usize,
}

impl<'a> JobObject<'a> {
    /// Finds the job in the response to a request that creates one: the first object with an id and
    /// a status, else the first with an id. An envelope's status does not count where an object
    /// inside has an id.
    ///
    /// `None` if no object has an id.
    pub(crate) fn find(response: &'a str) -> Option<Self> {
        let mut objects = Self::all(response);
        let index = choose(&objects, &|object| IDS.iter().any(|name| object.has(name)))
            .or_else(|| choose(&objects, &|object| object.has(REQUEST_ID)))?;
        Some(objects.swap_remove(index))
    }

    /// Finds the job in the response to a poll for `id`: the object with this id, or one inside it
    /// where only that has a status; else the innermost object with a status, because some servers
    /// send no id here, or another one. In a list of several jobs it is the one with this id.
    ///
    /// `None` if the response holds no object.
    pub(crate) fn find_polled(response: &'a str, id: &str) -> Option<Self> {
        let mut objects = Self::all(Self::element_of_list(response, id));
        let has_status = |index: &usize| objects[*index].has("status");
        let index = match choose(&objects, &|object| object.is_named(id)) {
            Some(index) => (index..end(&objects, index)).find(has_status).unwrap_or(index),
            None => (0..objects.len())
                .filter(has_status)
                .max_by_key(|index| objects[*index].depth)
                .unwrap_or(0),
        };
        (index < objects.len()).then(|| objects.swap_remove(index))
    }

    /// The job's id under the most reliable of its names.
    pub(crate) fn id(&self) -> Option<String> {
        IDS.iter().chain([&REQUEST_ID]).find_map(|name| self.members.scalar(name))
    }

    /// The objects of a response from the outside in: each is followed by those inside it.
    pub(crate) fn all(response: &'a str) -> Vec<Self> {
        let mut objects = Vec::new();
        Self::collect(response, 0, &mut objects);
        objects
    }

    /// The element with this id, where the response to a poll is a list of several jobs; else the
    /// whole response.
    pub(crate) fn element_of_list(response: &'a str, id: &str) -> &'a str {
        let objects = Self::all(response);
        let is_polled = |text: &'a str| Self::all(text).iter().any(|object| object.is_named(id));
        if is_polled(response) {
            return response;
        }
        let members = |object: &Self| ENVELOPES.map(|name| object.members.get(name));
        let values = objects.iter().flat_map(members).flatten().map(RawValue::get);
        let mut elements = [response]
            .into_iter()
            .chain(values)
            .flat_map(|text| serde_json::from_str::<Vec<&RawValue>>(text).unwrap_or_default());
        elements.find(|element| is_polled(element.get())).map_or(response, RawValue::get)
    }

    fn collect(text: &'a str, depth: usize, objects: &mut Vec<Self>) {
        if depth > DEPTH {
            return;
        }
        if let Ok([element]) = serde_json::from_str::<[&RawValue; 1]>(text) {
            return Self::collect(element.get(), depth + 1, objects);
        }
        if let Ok(members) = Object::parse(text) {
            let inner = ENVELOPES.map(|name| members.get(name));
            objects.push(Self { text, members, depth });
            for value in inner.into_iter().flatten() {
                Self::collect(value.get(), depth + 1, objects);
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        self.members.scalar(name).is_some()
    }

    /// Whether one of its ids is `id`.
    fn is_named(&self, id: &str) -> bool {
        let mut names = IDS.iter().chain([&REQUEST_ID]);
        names.any(|name| self.members.scalar(name).as_deref() == Some(id))
    }

    /// Whether its status is that of the request, and `inner` is the job.
    ///
    /// `success` (JSend) and numbers, such as an HTTP status code, always describe the request.
    /// `ok` and `succeeded` do if `inner` has a status. Other words for a completed job do only if
    /// the status of `inner` is known and not completed; otherwise `inner` may be a file, which can
    /// have a status as well.
    fn is_envelope_of(&self, inner: &JobObject<'_>) -> bool {
        let status = self.members.scalar("status").unwrap_or_default().to_ascii_lowercase();
        let inner = inner.members.scalar("status");
        match status.as_str() {
            "success" => true,
            number if number.parse::<f64>().is_ok() => true,
            "ok" | "succeeded" | "succeed" => inner.is_some(),
            word => {
                let is_unfinished = |word: &str| Status::is_known(word) && !is_completed(word);
                is_completed(word) && inner.as_deref().is_some_and(is_unfinished)
            }
        }
    }
}

fn is_completed(word: &str) -> bool {
    Status::from_word(word) == Status::Completed
}

/// The first object that is named and has a status of its own, else the first that is named.
fn choose(objects: &[JobObject<'_>], is_named: &dyn Fn(&JobObject<'_>) -> bool) -> Option<usize> {
    let mut start = 0;
    for (index, object) in objects.iter().enumerate() {
        if object.has("status") && is_named(object) {
            let mut inside = objects[index + 1..end(objects, index)].iter();
            if !inside.any(|inner| is_named(inner) && object.is_envelope_of(inner)) {
                return Some(index);
            }
            start = index + 1;
        }
    }
    objects[start..].iter().position(is_named).map(|index| start + index)
}

/// Where the objects inside this one end.
fn end(objects: &[JobObject<'_>], index: usize) -> usize {
    let inside = |object: &&JobObject<'_>| object.depth > objects[index].depth;
    index + 1 + objects[index + 1..].iter().take_while(inside).count()
}
