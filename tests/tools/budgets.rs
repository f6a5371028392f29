//! Measures the built binary over loopback and compares it with its budgets and with curl: `budgets
//! --libc musl|gnu BINARY`. Figures that are the same in every run (size, memory, instructions,
//! crates) fail above their budget, or above the limit that holds until an owed one is met. Times
//! are printed with their budget and never fail. Plain http is measured against a server of this
//! program's own, TLS against nginx.

// The lints keep the library from printing and from reading the environment. This is a program.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

mod bench;
mod commands;
mod nginx;
mod sink;
#[path = "../support/temp.rs"]
mod temp;

use bench::{Bench, Case, Client, Kind};

const USAGE: &str = "usage: budgets --libc musl|gnu BINARY";
const REQUEST_PAIRS: usize = 30;
const TRANSFER_PAIRS: usize = 9;
/// The median of several runs is taken, as the resident set varies by some pages.
const MEMORY_RUNS: usize = 3;

/// A line of the table that is to be measured.
struct Line {
    what: &'static str,
    limit: Limit,
    measure: Measure,
}

/// A budget and the figure that fails, both in the unit of the figure.
#[derive(Clone, Copy)]
struct Limit {
    budget: f64,
    fails_above: f64,
}

const fn budget(budget: f64) -> Limit {
    Limit { budget, fails_above: budget }
}

/// A budget that is not met yet, and the figure above which it fails until then.
const fn owed(budget: f64, fails_above: f64) -> Limit {
    Limit { budget, fails_above }
}

#[derive(Clone, Copy)]
enum Measure {
    Size,
    /// The median of this many runs.
    Memory(Case, usize),
    Instructions(Case),
    /// The median of this many pairs.
    Time(Case, usize),
    Crates,
}

/// A line that is measured.
struct Row {
    line: Line,
    measured: Figure,
    /// curl's figure, if any. For a ratio to curl, it is the value of 1.0.
    peer: Option<Figure>,
}

/// A value, its unit, and the number of decimals that are printed.
struct Figure(f64, &'static str, usize);

/// The limits that depend on the linked C library, in MB: the size, and the peak memory of a
/// request, of one over TLS, of anything large, and of that over TLS.
struct Limits {
    size: Limit,
    request: Limit,
    tls_request: Limit,
    large: Limit,
    tls_large: Limit,
}

const MUSL: Limits = Limits {
    size: owed(1.65, 1.82),
    request: owed(1.3, 1.6),
    tls_request: owed(1.8, 2.1),
    large: budget(2.0),
    tls_large: owed(2.0, 2.3),
};
const GLIBC: Limits = Limits {
    size: owed(2.7, 2.87),
    request: owed(2.4, 2.6),
    tls_request: owed(2.7, 3.0),
    large: budget(3.0),
    tls_large: owed(3.0, 3.4),
};

/// The table of the budgets.
fn lines(limits: &Limits) -> Vec<Line> {
    use Kind::{BundledRequest, Discard, Download, List, Request, Upload};
    use Measure::{Crates, Instructions, Memory, Size, Time};
    let plain = |kind| Case { kind, tls: false };
    let tls = |kind| Case { kind, tls: true };
    let line = |what, limit: Limit, measure| Line { what, limit, measure };
    let request = |case| Memory(case, MEMORY_RUNS);
    let large = |case| Memory(case, 1);
    vec![
        line("static binary", limits.size, Size),
        line("peak memory, one request", limits.request, request(plain(Request))),
        line("... over TLS", limits.tls_request, request(tls(Request))),
        line("peak memory, 1 GiB upload", limits.large, large(plain(Upload))),
        line("... over TLS", limits.tls_large, large(tls(Upload))),
        line("peak memory, 1 GiB download", limits.large, large(plain(Download))),
        line("... over TLS", limits.tls_large, large(tls(Download))),
        line("peak memory, list of 100,000 jobs", limits.large, large(plain(List))),
        line("whole run, one request", budget(0.2), Time(plain(Request), REQUEST_PAIRS)),
        line("instructions, one request", budget(0.035), Instructions(plain(Request))),
        line("... with SSL_CERT_FILE", budget(0.04), Instructions(plain(BundledRequest))),
        line("... over TLS", budget(0.12), Instructions(tls(Request))),
        line("1 GiB upload", budget(0.95), Time(plain(Upload), TRANSFER_PAIRS)),
        line("... over TLS", budget(0.75), Time(tls(Upload), TRANSFER_PAIRS)),
        line(
            "1 GiB download to a file in memory",
            budget(0.8),
            Time(plain(Download), TRANSFER_PAIRS),
        ),
        line("... over TLS", budget(0.85), Time(tls(Download), TRANSFER_PAIRS)),
        line("... over TLS, to /dev/null", budget(0.85), Time(tls(Discard), TRANSFER_PAIRS)),
        line("run-time crates", budget(45.0), Crates),
    ]
}

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
    let limits = match (flag.to_str(), libc.to_str()) {
        (Some("--libc"), Some("musl")) => MUSL,
        (Some("--libc"), Some("gnu")) => GLIBC,
        _ => return Err(USAGE.to_owned()),
    };
    let bench = Bench::new(Path::new(binary))?;
    println!("{}", Path::new(binary).display());
    println!(
        "over loopback, alternating with curl; TLS is that of nginx, the certificate is for it"
    );
    println!(
        "uploads are of a sparse file in the page cache, a file that is downloaded is in memory"
    );
    println!();
    println!("{:<40}{:>14}{:>14}  {:<6}{:>10}", "what", "measured", "budget", "", "curl");
    let mut within = true;
    for line in lines(&limits) {
        let row = line.measure(&bench)?;
        println!("{row}");
        within &= row.verdict() != "OVER";
    }
    println!();
    println!(
        "OVER is a failure; owed is a budget that is not met yet, within its limit until then;"
    );
    println!("over is a time, which varies with the machine and never fails");
    Ok(within)
}

impl Row {
    fn verdict(&self) -> &'static str {
        let Limit { budget, fails_above } = self.line.limit;
        if self.measured.0 <= budget {
            "ok"
        } else if matches!(self.line.measure, Measure::Time(..)) {
            "over"
        } else if self.measured.0 <= fails_above {
            "owed"
        } else {
            "OVER"
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figure(_, unit, decimals) = self.measured;
        let measured = self.measured.to_string();
        let budget = Figure(self.line.limit.budget, unit, decimals).to_string();
        let peer = self.peer.as_ref().map_or_else(|| "-".to_owned(), Figure::to_string);
        let (what, verdict) = (self.line.what, self.verdict());
        write!(f, "{what:<40}{measured:>14}{budget:>14}  {verdict:<6}{peer:>10}")
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

impl Line {
    fn measure(self, bench: &Bench) -> Result<Row, String> {
        let (measured, peer) = match self.measure {
            Measure::Size => (size(bench)?, None),
            Measure::Memory(case, runs) => {
                let of = |client| memory(bench, client, case, runs);
                // curl lists one page.
                let peer = if case.kind == Kind::List { None } else { Some(of(Client::Curl)?) };
                (of(Client::Ours)?, peer)
            }
            Measure::Instructions(case) => {
                let curl = bench.instructions(Client::Curl, case)?;
                let ratio = bench.instructions(Client::Ours, case)? / curl;
                (Figure(ratio, "x curl", 3), Some(Figure(curl / 1e6, "M", 1)))
            }
            Measure::Time(case, pairs) => {
                let (ratio, curl) = time(bench, case, pairs)?;
                (ratio, Some(curl))
            }
            Measure::Crates => (Figure(commands::crates(None)?.len() as f64, "", 0), None),
        };
        Ok(Row { line: self, measured, peer })
    }
}

fn size(bench: &Bench) -> Result<Figure, String> {
    let metadata = fs::metadata(&bench.binary).map_err(|error| error.to_string())?;
    Ok(megabytes(metadata.len() as f64))
}

fn memory(bench: &Bench, client: Client, case: Case, runs: usize) -> Result<Figure, String> {
    let peaks: Result<Vec<f64>, String> =
        (0..runs).map(|_| bench.peak_memory(client, case)).collect();
    Ok(megabytes(median(peaks?)))
}

/// The median of the ratios within pairs of consecutive runs, as a slow phase of the machine
/// affects both, and curl's time.
fn time(bench: &Bench, case: Case, pairs: usize) -> Result<(Figure, Figure), String> {
    let pairs = bench.pairs(case, pairs)?;
    let ratio = median(pairs.iter().map(|(ours, curl)| ours / curl).collect());
    let curl = median(pairs.iter().map(|(_, curl)| curl * 1e3).collect());
    Ok((Figure(ratio, "x curl", 3), Figure(curl, "ms", 1)))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
