//! A line each for `retry-after-ms`, `retry-after` and `date`.

#![no_main]
#![allow(dead_code)] // only a part of the module is used

// Private to the library, so it is compiled in.
#[path = "../../../src/http"]
mod http {
    pub(crate) mod retry;
}

#[path = "../../properties/retry_after.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::check(input));
