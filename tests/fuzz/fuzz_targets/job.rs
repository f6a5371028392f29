//! The body of a response that should be a job.

#![no_main]

use openai_videos::{Job, Status};

#[path = "../../properties/job.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::check(input));
