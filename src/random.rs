//! Random values: keys that are never met twice, boundaries that nobody can foresee, and jitter.
//!
//! They come from the standard library, which seeds its hash maps from the operating system by the getrandom system
//! call. The getrandom crate cannot find that call in a static glibc binary and reads /dev/urandom instead, which
//! an empty root does not have.

use std::hash::{BuildHasher, RandomState};

/// 32 hexadecimal digits.
pub(crate) fn token() -> String {
    format!("{:016x}{:016x}", word(), word())
}

/// A number in `0.0..1.0`.
pub(crate) fn fraction() -> f64 {
    (word() >> 11) as f64 / (1u64 << 53) as f64
}

/// SipHash under a key that was not used before.
fn word() -> u64 {
    RandomState::new().hash_one(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn tokens_are_hexadecimal_and_differ() {
        let token = super::token();
        assert_eq!(token.len(), 32);
        assert!(token.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(token[..16], token[16..]);
        assert_ne!(token, super::token());
    }

    #[test]
    fn fractions_stay_below_one_and_spread() {
        let fractions: Vec<f64> = (0..200).map(|_| super::fraction()).collect();
        assert!(fractions.iter().all(|fraction| (0.0..1.0).contains(fraction)));
        assert!(
            fractions.iter().any(|fraction| *fraction < 0.5)
                && fractions.iter().any(|fraction| *fraction > 0.5)
        );
    }
}
