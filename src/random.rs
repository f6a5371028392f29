//! Random values: idempotency keys, multipart boundaries and jitter.
//!
//! They come from the TLS provider's generator, ring's, which makes the getrandom system call
//! itself. So it works in a static binary in an empty root, without /dev/urandom.

use rustls::crypto::ring;

/// 128 random bits as 32 hexadecimal digits. It cannot be predicted, so that no file can
/// contain a boundary made of it.
pub(crate) fn token() -> String {
    format!("{:032x}", u128::from_ne_bytes(bytes()))
}

/// A random number in `0.0..1.0`.
pub(crate) fn fraction() -> f64 {
    (u64::from_ne_bytes(bytes()) >> 11) as f64 / (1u64 << 53) as f64
}

/// # Panics
/// If the system has no source of randomness: a kernel before 3.17 without /dev/urandom.
fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let filled = ring::default_provider().secure_random.fill(&mut bytes);
    filled.expect("the system has no source of randomness");
    bytes
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
