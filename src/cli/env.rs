//! The environment, which comes in as a function so that tests need none.

use std::ffi::OsString;

/// Looks up an environment variable.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// A variable that is set to something: an empty one counts as not set, as everywhere.
pub(crate) fn env_value(env: Env<'_>, name: &str) -> Option<OsString> {
    env(name).filter(|value| !value.is_empty())
}
