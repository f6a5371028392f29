//! Runs other programs, which must succeed, and asks cargo for the crates of this one.

use std::collections::BTreeSet;
use std::env;
use std::process::{Command, Output};

/// Runs a command and returns its output. Fails unless it exits with 0.
pub fn checked(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?} ended with {}: {stderr}", output.status))
}

/// Runs a command as [`checked`] does, and returns its standard output.
pub fn printed(command: &mut Command) -> Result<String, String> {
    let output = checked(command)?;
    String::from_utf8(output.stdout).map_err(|error| format!("{command:?}: {error}"))
}

/// Runs cargo with these arguments and returns its standard output.
pub fn cargo(args: &[&str]) -> Result<String, String> {
    printed(Command::new(env::var_os("CARGO").unwrap_or("cargo".into())).args(args))
}

/// Names and versions of the crates in the binary for a target, or for this machine: without this
/// crate, and without procedural macros.
pub fn crates(target: Option<&str>) -> Result<BTreeSet<(String, String)>, String> {
    let tree = ["tree", "--locked", "--edges=normal,no-proc-macro"];
    let plain = ["--prefix=none", "--format={p}", "--no-dedupe"];
    let other = target.map_or(vec![], |target| vec!["--target", target]);
    let lines = cargo(&[&tree[..], &plain, &other].concat())?;
    let crates = lines.lines().filter_map(|line| line.split_once(" v"));
    Ok(crates
        .map(|(name, rest)| (name, rest.split(' ').next().unwrap_or(rest)))
        .filter(|(name, _)| *name != env!("CARGO_PKG_NAME"))
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .collect())
}
