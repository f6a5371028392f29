//! The value of a `Content-Range`.

#![no_main]

// Private to the library, so it is compiled in.
#[path = "../../../src/jobs"]
mod jobs {
    pub(crate) mod content_range;
}

#[path = "../../properties/content_range.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::check(input));
