//! The fields of a request, in the order in which they are sent.

use serde_json::value::RawValue;

use crate::api::error::Error;
use crate::api::yaml;
use crate::json::{self, Object};

/// A body with more fields is refused: no server takes that many, and the lookup by name is linear.
const MAX_FIELDS: usize = 1000;

/// The value of a request field.
#[derive(Debug, Clone)]
pub enum Value {
    /// Text, a string in JSON.
    Text(String),
    /// JSON. It is sent on one line, with its literals as they were written.
    Json(Box<RawValue>),
}

impl Value {
    /// Reads a JSON value.
    ///
    /// # Errors
    /// [`Error::Invalid`], quoting the text, if it is not JSON.
    pub fn json(text: &str) -> Result<Self, Error> {
        match serde_json::from_str(text) {
            Ok(raw) => Ok(Value::Json(raw)),
            Err(error) => Err(Error::invalid(format!("'{text}' is not JSON: {error}"))),
        }
    }

    pub(crate) fn to_json(&self) -> String {
        match self {
            Value::Text(text) => json::quote(text),
            Value::Json(raw) => json::compact(raw.get()),
        }
    }

    /// The value in a form: a string without its quotes, anything else as JSON.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Value::Text(text) => text.clone(),
            Value::Json(raw) => form_text(raw),
        }
    }
}

pub(crate) fn form_text(raw: &RawValue) -> String {
    json::scalar(raw).unwrap_or_else(|| json::compact(raw.get()))
}

/// Request fields in the order in which they are sent.
#[derive(Debug, Clone, Default)]
pub struct Fields(pub(crate) Vec<(String, Value)>);

impl Fields {
    /// Reads the members of a JSON object.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the text is not a JSON object, with line and column, or has more than
    /// 1,000 members.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let object = Object::parse(text).map_err(|error| {
            Error::invalid(format!("the request body is not a JSON object: {error}"))
        })?;
        if object.0.len() > MAX_FIELDS {
            return Err(Error::invalid(format!(
                "the request body has more than {MAX_FIELDS} fields"
            )));
        }
        let mut fields = Self::default();
        for (name, raw) in object.0 {
            fields.set(name, Value::Json(raw.to_owned()));
        }
        Ok(fields)
    }

    /// Reads the members of a YAML object (YAML 1.2, core schema).
    ///
    /// # Errors
    /// [`Error::Invalid`], with line and column, if the text is not one YAML document with an
    /// object that JSON can express, or is larger than 4 MiB or has more than 1,000 members with
    /// its aliases replaced.
    pub fn from_yaml(text: &str) -> Result<Self, Error> {
        let json = yaml::to_json(text).map_err(|why| {
            Error::invalid(format!("cannot read the request body as YAML: {why}"))
        })?;
        Self::from_json(&json)
    }

    /// The fields as a JSON object.
    pub(crate) fn to_json(&self) -> String {
        let member =
            |(name, value): &(String, Value)| format!("{}:{}", json::quote(name), value.to_json());
        let members: Vec<String> = self.0.iter().map(member).collect();
        format!("{{{}}}", members.join(","))
    }

    /// Sets the value of a field. A new field is appended; a known one keeps its place.
    pub fn set(&mut self, name: impl Into<String>, value: Value) {
        let name = name.into();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Removes a field.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let place = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(place).1)
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}
