//! Random values from the operating system: keys that nobody can guess or meet twice, and jitter.

use std::io;

use crate::Error;

/// 32 hexadecimal digits.
///
/// # Errors
/// [`Error::File`] if the system gives no random bytes. There is no fallback: two jobs with one key are one job.
pub(crate) fn token() -> Result<String, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::file(
            "cannot read random bytes from the system",
            io::Error::other(error.to_string()),
        )
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A number in `0.0..1.0`. Only jitter hangs on it, so a system without random bytes gets none.
pub(crate) fn fraction() -> f64 {
    f64::from(getrandom::u32().unwrap_or(0)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn tokens_are_hexadecimal_and_differ() {
        let token = super::token().unwrap();
        assert_eq!(token.len(), 32);
        assert!(token.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(token, super::token().unwrap());
    }

    #[test]
    fn fractions_stay_below_one() {
        assert!((0..100).all(|_| (0.0..1.0).contains(&super::fraction())));
    }
}
