//! An object as `--video` takes it.

#![no_main]

use openai_videos::{Reference, Value};

#[path = "../../properties/shorthand.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::check(input));
