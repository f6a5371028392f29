//! A line for each argument, and for each variable one that starts with `$`.

#![no_main]
#![allow(dead_code)] // a part of what is compiled in

// No part of the library, and compiled in so that it can stay that.
#[path = "../../../src/cli/mod.rs"]
mod cli;

#[path = "../../properties/arguments.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::check(input));
