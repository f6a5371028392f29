//! A request body in YAML.

#![no_main]

use openai_videos::Fields;

#[path = "../../properties/yaml.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::check(input));
