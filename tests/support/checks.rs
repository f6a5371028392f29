//! Checks of a recorded request. Every check fails the test where the request is
//! malformed.

use super::videos_api::multipart::Part;
use super::videos_api::request::Request;

impl Request {
    /// The body as text. Panics if it is not UTF-8.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_else(|error| panic!("body: {error}\n{self}"))
    }

    /// The body as JSON. Panics if it is not JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("body: {error}\n{self}"))
    }

    /// The parts of the form, as [`Request::form`]. Panics if the body is not well-formed
    /// `multipart/form-data`.
    pub fn parts(&self) -> Vec<Part> {
        self.form().unwrap_or_else(|error| panic!("form: {error}\n{self}"))
    }

    /// The part with this name. Panics unless there is exactly one.
    pub fn part(&self, name: &str) -> Part {
        let mut parts = self.parts();
        parts.retain(|part| part.name == name);
        assert!(parts.len() == 1, "{} parts {name:?}\n{self}", parts.len());
        parts.remove(0)
    }
}

impl Part {
    /// The body as text. Panics if it is not UTF-8.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the part should be UTF-8")
    }
}
