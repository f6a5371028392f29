//! A line for each argument, and for each variable one that starts with `$`.

#![no_main]
#![allow(dead_code)] // only a part of the module is used

// Not part of the library, so it is compiled in.
#[path = "../../../src/cli/mod.rs"]
mod cli;

#[path = "../../properties/arguments.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::check(input));
