//! Other programs, which must succeed, and what cargo knows of the crates.

use std::collections::BTreeSet;
use std::env;
use std::process::{Command, Output};

/// The output of a command that must succeed.
pub fn checked(command: &mut Command) -> Result<Output, String> {
    let output = command
        .output()
        .map_err(|why| format!("{command:?}: {why}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{command:?} ended with {}: {stderr}",
        output.status
    ))
}

/// What a command that must succeed prints.
pub fn printed(command: &mut Command) -> Result<String, String> {
    let output = checked(command)?;
    String::from_utf8(output.stdout).map_err(|why| format!("{command:?}: {why}"))
}

/// What cargo prints.
pub fn cargo(args: &[&str]) -> Result<String, String> {
    printed(Command::new(env::var_os("CARGO").unwrap_or("cargo".into())).args(args))
}

/// Names and versions of the crates that the program is made of, without itself and without what only the compiler
/// runs; for this machine, or for another target.
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
