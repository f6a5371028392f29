//! Measures the built binary over loopback and compares it with its budgets and with curl: `budgets
//! --libc musl|gnu BINARY`. Figures that are the same in every run (size, memory, instructions,
//! crates) fail above their budget. Times are printed with their budget and never fail.

// The lints keep the library from printing and from reading the environment. This is a program.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

mod bench;
mod commands;
mod sink;
#[path = "../support/temp.rs"]
mod temp;

use bench::{Bench, Client, Kind};

const USAGE: &str = "usage: budgets --libc musl|gnu BINARY";
const REQUEST_PAIRS: usize = 30;
const TRANSFER_PAIRS: usize = 11;
/// The median of several runs is taken, as the resident set varies by some pages.
const MEMORY_RUNS: usize = 5;

/// One line of the table.
struct Row {
    what: &'static str,
    measured: Figure,
    /// In the unit of the measured figure.
    budget: f64,
    /// curl's figure, if any. For a ratio to curl, it is the value of 1.0.
    peer: Option<Figure>,
    /// Whether the figure is the same in every run, so that exceeding the budget is a failure.
    repeats: bool,
}

/// A value, its unit, and the number of decimals that are printed.
struct Figure(f64, &'static str, usize);

type Measure = fn(&Bench) -> Result<Row, String>;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("budgets: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool, String> {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [flag, libc, binary] = args.as_slice() else {
        return Err(USAGE.to_owned());
    };
    // The budget of the size depends on the C library that is linked.
    let size: Measure = match (flag.to_str(), libc.to_str()) {
        (Some("--libc"), Some("musl")) => |bench| size(bench, "static binary, musl", 1.9),
        (Some("--libc"), Some("gnu")) => |bench| size(bench, "static binary, glibc", 2.9),
        _ => return Err(USAGE.to_owned()),
    };
    let rows: [Measure; 9] = [
        size,
        |bench| memory(bench, "peak memory, one request", 2.6, Kind::Request, MEMORY_RUNS),
        |bench| memory(bench, "peak memory, 1 GiB upload", 3.0, Kind::Upload, 1),
        |bench| memory(bench, "peak memory, 1 GiB download", 3.0, Kind::Download, 1),
        |bench| time(bench, "whole run, one request", 0.25, Kind::Request, REQUEST_PAIRS),
        |bench| instructions(bench, "instructions, one request", 0.16, Kind::Request),
        |bench| time(bench, "1 GiB upload", 1.0, Kind::Upload, TRANSFER_PAIRS),
        |bench| time(bench, "1 GiB download", 0.8, Kind::Download, TRANSFER_PAIRS),
        |_| crates("run-time crates", 45.0),
    ];
    let bench = Bench::new(Path::new(binary))?;
    println!("{}", bench.binary.display());
    println!(
        "over loopback, alternating with curl; the upload is a sparse file in the page cache, the download a file in memory"
    );
    println!();
    println!("{:<28}{:>14}{:>14}  {:<6}{:>14}", "what", "measured", "budget", "", "curl");
    let mut within = true;
    for measure in rows {
        let row = measure(&bench)?;
        println!("{row}");
        within &= row.verdict() != "OVER";
    }
    println!();
    println!("OVER is a failure; over is a time, which varies with the machine and never fails");
    Ok(within)
}

impl Row {
    fn verdict(&self) -> &'static str {
        if self.measured.0 <= self.budget {
            "ok"
        } else if self.repeats {
            "OVER"
        } else {
            "over"
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figure(_, unit, decimals) = self.measured;
        let measured = self.measured.to_string();
        let budget = Figure(self.budget, unit, decimals).to_string();
        let peer = self.peer.as_ref().map_or_else(|| "-".to_owned(), Figure::to_string);
        let (what, verdict) = (self.what, self.verdict());
        write!(f, "{what:<28}{measured:>14}{budget:>14}  {verdict:<6}{peer:>14}")
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figure(value, unit, decimals) = self;
        let space = if unit.is_empty() { "" } else { " " };
        write!(f, "{value:.decimals$}{space}{unit}")
    }
}

fn megabytes(bytes: f64) -> Figure {
    Figure(bytes / 1e6, "MB", 2)
}

fn size(bench: &Bench, what: &'static str, budget: f64) -> Result<Row, String> {
    let bytes = fs::metadata(&bench.binary).map_err(|error| error.to_string())?.len();
    Ok(Row { what, measured: megabytes(bytes as f64), budget, peer: None, repeats: true })
}

fn memory(
    bench: &Bench,
    what: &'static str,
    budget: f64,
    kind: Kind,
    runs: usize,
) -> Result<Row, String> {
    let typical = |client| -> Result<Figure, String> {
        let peaks: Result<Vec<f64>, String> =
            (0..runs).map(|_| bench.peak_memory(client, kind)).collect();
        Ok(megabytes(median(peaks?)))
    };
    let (measured, peer) = (typical(Client::Ours)?, typical(Client::Curl)?);
    Ok(Row { what, measured, budget, peer: Some(peer), repeats: true })
}

fn instructions(bench: &Bench, what: &'static str, budget: f64, kind: Kind) -> Result<Row, String> {
    let ours = bench.instructions(Client::Ours, kind)?;
    let curl = bench.instructions(Client::Curl, kind)?;
    let (measured, peer) = (Figure(ours / curl, "x curl", 3), Figure(curl / 1e6, "M", 1));
    Ok(Row { what, measured, budget, peer: Some(peer), repeats: true })
}

/// The median of the ratios within pairs of consecutive runs, as a slow phase of the machine
/// affects both.
fn time(
    bench: &Bench,
    what: &'static str,
    budget: f64,
    kind: Kind,
    pairs: usize,
) -> Result<Row, String> {
    let pairs = bench.pairs(kind, pairs)?;
    let ratio = median(pairs.iter().map(|(ours, curl)| ours / curl).collect());
    let curl = median(pairs.iter().map(|(_, curl)| curl * 1e3).collect());
    let (measured, peer) = (Figure(ratio, "x curl", 3), Figure(curl, "ms", 1));
    Ok(Row { what, measured, budget, peer: Some(peer), repeats: false })
}

fn crates(what: &'static str, budget: f64) -> Result<Row, String> {
    let crates = commands::crates(None)?;
    let measured = Figure(crates.len() as f64, "", 0);
    Ok(Row { what, measured, budget, peer: None, repeats: true })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
