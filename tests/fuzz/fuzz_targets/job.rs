//! The body of an answer that should be a job.

#![no_main]
#![allow(dead_code)] // a part of what is compiled in

// Private to the library, and compiled in so that it can stay that.
#[path = "../../../src/job.rs"]
mod job;
#[path = "../../../src/json.rs"]
mod json;

// What it needs of the library is public.
mod error {
    pub use openai_videos::shorten;
}

#[path = "../../properties/job.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::check(input));
