//! A line each for `retry-after-ms`, `retry-after` and `date`.

#![no_main]
#![allow(dead_code)] // a part of what is compiled in

// Private to the library, and compiled in so that it can stay that.
#[path = "../../../src/http"]
mod http {
    pub(crate) mod retry;
}

#[path = "../../properties/retry_after.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::check(input));
