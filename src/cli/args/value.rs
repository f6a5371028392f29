//! The values of options: read from text, with errors that name the option.

use std::ffi::OsStr;
use std::time::Duration;

use openai_videos::{Error, Settings};

use crate::cli::args::flags::FLAGS;
use crate::cli::args::suggest::did_you_mean;

/// A duration: `90`, `90s`, `1.5m`, `2h` or `250ms`. More than 0, at most [`Settings::LONGEST`].
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let refuse = |reason: &str| Err(format!("invalid duration '{text}'; {reason}"));
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit {
        "" | "s" => Some(1.0),
        "ms" => Some(0.001),
        "m" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    };
    // `f64::from_str` also accepts a sign, an exponent, `inf` and `nan`.
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number = number.parse::<f64>().ok().filter(|_| is_number);
    let (Some(number), Some(unit)) = (number, unit) else {
        return refuse("examples: 90, 90s, 1.5m, 2h, 250ms");
    };
    match Duration::try_from_secs_f64(number * unit) {
        Ok(Duration::ZERO) => refuse("it must be more than 0"),
        Ok(duration) if duration <= Settings::LONGEST => Ok(duration),
        _ => refuse("the maximum is a year"),
    }
}

/// A whole number.
pub(crate) fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("invalid number '{text}'; it must be from 0 to {}", u32::MAX))
}

/// An argument or a variable as text; `name` is its name in errors.
pub(crate) fn text(value: &OsStr, name: &str) -> Result<String, Error> {
    // Not quoted: it may be a key, and could not be shown as it is.
    value.to_str().map(str::to_owned).ok_or_else(|| invalid(name, "the value is not valid UTF-8"))
}

/// A usage error about an option or a variable: its name, and the problem with the value.
pub(crate) fn invalid(name: &str, reason: impl std::fmt::Display) -> Error {
    Error::invalid(format!("{name}: {reason}"))
}

/// The same error, preceded by the option or variable that it is about. The library does not know
/// their names.
pub(crate) fn with_name(name: &str, error: Error) -> Error {
    match error {
        Error::Invalid { message, hint } => {
            Error::Invalid { message: format!("{name}: {message}"), hint }
        }
        other => other,
    }
}

/// The index of `text` among the possible values of a flag. Case is ignored.
pub(crate) fn choice(long: &str, text: &str) -> Result<usize, Error> {
    let flag = FLAGS.iter().find(|flag| flag.long == long);
    choice_of(long, text, flag.map_or(&[][..], |flag| flag.values))
}

/// The index of `text` among these values of a flag. Case is ignored.
pub(crate) fn choice_of(long: &str, text: &str, values: &[&'static str]) -> Result<usize, Error> {
    let place = values.iter().position(|value| value.eq_ignore_ascii_case(text));
    place.ok_or_else(|| Error::Invalid {
        message: format!(
            "--{long}: invalid value '{text}'; possible values: {}",
            values.join(", ")
        ),
        hint: did_you_mean(text, values.iter().copied()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use openai_videos::{DEFAULT_BASE_URL, Wait};

    #[test]
    fn durations_have_a_unit_or_are_seconds() {
        let millis = |text| duration(text).map(|duration| duration.as_millis());
        for (text, expected) in
            [("90", 90_000), ("90s", 90_000), ("1.5m", 90_000), ("2h", 7_200_000), ("250ms", 250)]
        {
            assert_eq!(millis(text), Ok(expected), "{text}");
        }
        for text in
            ["", "s", "1d", "-1", "1 s", "1.2.3", "inf", "nan", "1e9", "0", "0ms", "9000000h", "."]
        {
            assert!(millis(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_defaults_in_the_help_are_the_librarys() {
        let default = |long: &str| FLAGS.iter().find(|flag| flag.long == long).unwrap().default;
        let duration = |long: &str| super::duration(default(long)).unwrap();
        assert_eq!(default("base-url"), DEFAULT_BASE_URL);
        assert_eq!(duration("connect-timeout"), Settings::CONNECT_TIMEOUT);
        assert_eq!(duration("timeout"), Settings::TIMEOUT);
        assert_eq!(duration("stall-timeout"), Settings::STALL_TIMEOUT);
        assert_eq!(duration("wait-timeout"), Wait::TIMEOUT);
        assert_eq!(default("max-retries"), Settings::MAX_RETRIES.to_string());
    }

    #[test]
    fn the_values_in_the_table_are_the_librarys() {
        let values = |long: &str| FLAGS.iter().find(|flag| flag.long == long).unwrap().values;
        assert_eq!(values("seconds"), openai_videos::Operation::Extend.seconds());
        let variants = openai_videos::Variant::NAMES.map(|(name, _)| name);
        assert_eq!(values("variant"), variants);
    }
}
