//! Measures the built binary over loopback and compares it with its budgets and with curl: `budgets
//! --libc musl|gnu BINARY`. Figures that hardly vary from run to run (size, memory, instructions,
//! crates) fail above their budget. Times are printed with their budget and never fail. Plain http
//! is measured against a server of this program's own, TLS against nginx.
//!
//! The wall time of a transfer over TLS says little about the client: nginx encrypts on one
//! processor and is busy nearly all the time, so that a client could hardly be faster even if it
//! did not decrypt. Therefore each transfer also shows the client's processor time, and how busy
//! the server was.

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

use bench::{Bench, Case, Client, Kind, Run};

const USAGE: &str = "usage: budgets --libc musl|gnu BINARY";
const REQUEST_PAIRS: usize = 30;
const TRANSFER_PAIRS: usize = 9;
/// The median of several runs is taken, as the resident set varies by some pages.
const MEMORY_RUNS: usize = 3;

/// A line of the table that is to be measured.
struct Line {
    what: &'static str,
    /// In the unit of the figure.
    budget: f64,
    measure: Measure,
}

#[derive(Clone, Copy)]
enum Measure {
    Size,
    /// The median of this many runs.
    Memory(Case, usize),
    Instructions(Case),
    /// The wall time of a request.
    Time(Case),
    /// The wall time of a transfer of 1 GiB, and its load.
    Transfer(Case),
    Crates,
}

/// A line that is measured.
struct Row {
    line: Line,
    measured: Figure,
    /// curl's figure, if any. For a ratio to curl, it is the value of 1.0.
    peer: Option<Figure>,
    load: Option<Load>,
}

/// The processor time behind the wall time of a transfer. It has no budget and no verdict.
struct Load {
    /// The client's, as a ratio to curl's.
    client: Figure,
    curl: Figure,
    /// The server's while our client ran, in percent of the wall time.
    server: Figure,
}

/// A value, its unit, and the number of decimals that are printed.
struct Figure(f64, &'static str, usize);

/// The budgets that depend on the linked C library, in MB: the size, and the peak memory of a
/// request, of one over TLS, and of anything large.
struct Megabytes {
    size: f64,
    request: f64,
    tls_request: f64,
    large: f64,
}

const MUSL: Megabytes = Megabytes { size: 1.65, request: 1.3, tls_request: 1.8, large: 2.0 };
const GLIBC: Megabytes = Megabytes { size: 2.7, request: 2.4, tls_request: 2.7, large: 3.0 };

/// The table of the budgets.
fn lines(megabytes: &Megabytes) -> Vec<Line> {
    use Kind::{BundledRequest, Discard, Download, List, Request, Upload};
    use Measure::{Crates, Instructions, Memory, Size, Time, Transfer};
    let plain = |kind| Case { kind, tls: false };
    let tls = |kind| Case { kind, tls: true };
    let line = |what, budget, measure| Line { what, budget, measure };
    let request = |case| Memory(case, MEMORY_RUNS);
    let large = |case| Memory(case, 1);
    vec![
        line("static binary", megabytes.size, Size),
        line("peak memory, one request", megabytes.request, request(plain(Request))),
        line("... over TLS", megabytes.tls_request, request(tls(Request))),
        line(
            "... over TLS, with SSL_CERT_FILE",
            megabytes.tls_request,
            request(tls(BundledRequest)),
        ),
        line("peak memory, 1 GiB upload", megabytes.large, large(plain(Upload))),
        line("... over TLS", megabytes.large, large(tls(Upload))),
        line("peak memory, 1 GiB download", megabytes.large, large(plain(Download))),
        line("... over TLS", megabytes.large, large(tls(Download))),
        line("peak memory, list of 100,000 jobs", megabytes.large, large(plain(List))),
        line("whole run, one request", 0.2, Time(plain(Request))),
        line("instructions, one request", 0.035, Instructions(plain(Request))),
        line("... with SSL_CERT_FILE", 0.04, Instructions(plain(BundledRequest))),
        line("... over TLS", 0.12, Instructions(tls(Request))),
        line("1 GiB upload", 0.95, Transfer(plain(Upload))),
        line("... over TLS", 0.75, Transfer(tls(Upload))),
        line("1 GiB download to a file in memory", 0.8, Transfer(plain(Download))),
        line("... over TLS", 0.85, Transfer(tls(Download))),
        line("... over TLS, to /dev/null", 0.85, Transfer(tls(Discard))),
        line("run-time crates", 45.0, Crates),
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
    let megabytes = match (flag.to_str(), libc.to_str()) {
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
    println!("{}", columns(["what", "measured", "budget", "", "curl", "server busy"]));
    let mut within = true;
    for line in lines(&megabytes) {
        let row = line.measure(&bench)?;
        println!("{row}");
        within &= row.verdict() != "OVER";
    }
    println!();
    println!("OVER is a failure; over is a time, which varies with the machine and never fails");
    println!(
        "where the server was busy for nearly 100 % of the time of our run, it limits that time,"
    );
    println!("and the processor time compares the clients");
    Ok(within)
}

impl Row {
    fn verdict(&self) -> &'static str {
        // The resident set varies by some pages from run to run.
        let tolerance = if matches!(self.line.measure, Measure::Memory(..)) { 1.02 } else { 1.0 };
        if self.measured.0 <= self.line.budget * tolerance {
            "ok"
        } else if matches!(self.line.measure, Measure::Time(_) | Measure::Transfer(_)) {
            "over"
        } else {
            "OVER"
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figure(_, unit, decimals) = self.measured;
        let or_dash = |figure: Option<&Figure>| figure.map_or("-".to_owned(), Figure::to_string);
        let measured = self.measured.to_string();
        let budget = Figure(self.line.budget, unit, decimals).to_string();
        let peer = or_dash(self.peer.as_ref());
        let server = or_dash(self.load.as_ref().map(|load| &load.server));
        let cells = [self.line.what, &measured, &budget, self.verdict(), &peer, &server];
        f.write_str(&columns(cells))?;
        if let Some(Load { client, curl, .. }) = &self.load {
            let (client, curl) = (client.to_string(), curl.to_string());
            let cells = ["    processor time", &client, "-", "", &curl, "-"];
            write!(f, "\n{}", columns(cells))?;
        }
        Ok(())
    }
}

/// A line of the output.
fn columns([what, measured, budget, verdict, peer, server]: [&str; 6]) -> String {
    format!("{what:<40}{measured:>14}{budget:>14}  {verdict:<6}{peer:>10}{server:>13}")
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
        let (measured, peer, load) = match self.measure {
            Measure::Size => (size(bench)?, None, None),
            Measure::Memory(case, runs) => {
                let of = |client| memory(bench, client, case, runs);
                // curl lists one page.
                let peer = if case.kind == Kind::List { None } else { Some(of(Client::Curl)?) };
                (of(Client::Ours)?, peer, None)
            }
            Measure::Instructions(case) => {
                let curl = bench.instructions(Client::Curl, case)?;
                let ratio = bench.instructions(Client::Ours, case)? / curl;
                (Figure(ratio, "x curl", 3), Some(Figure(curl / 1e6, "M", 1)), None)
            }
            Measure::Time(case) => {
                let (ratio, curl) = wall_time(&bench.pairs(case, REQUEST_PAIRS)?);
                (ratio, Some(curl), None)
            }
            Measure::Transfer(case) => {
                let pairs = bench.pairs(case, TRANSFER_PAIRS)?;
                let (ratio, curl) = wall_time(&pairs);
                (ratio, Some(curl), Some(load(&pairs)))
            }
            Measure::Crates => (Figure(commands::crates(None)?.len() as f64, "", 0), None, None),
        };
        Ok(Row { line: self, measured, peer, load })
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

fn wall_time(pairs: &[(Run, Run)]) -> (Figure, Figure) {
    let (ratio, curl) = compare(pairs, |run| run.wall);
    (Figure(ratio, "x curl", 3), Figure(curl * 1e3, "ms", 1))
}

fn load(pairs: &[(Run, Run)]) -> Load {
    let (ratio, curl) = compare(pairs, |run| run.client);
    let busy = median(pairs.iter().map(|(ours, _)| ours.server / ours.wall).collect());
    Load {
        client: Figure(ratio, "x curl", 2),
        curl: Figure(curl * 1e3, "ms", 0),
        server: Figure(busy * 100.0, "%", 0),
    }
}

/// The median of the ratios within pairs of consecutive runs, as a slow phase of the machine
/// affects both, and the median of curl's seconds.
fn compare(pairs: &[(Run, Run)], seconds: impl Fn(&Run) -> f64) -> (f64, f64) {
    let ratio = median(pairs.iter().map(|(ours, curl)| seconds(ours) / seconds(curl)).collect());
    (ratio, median(pairs.iter().map(|(_, curl)| seconds(curl)).collect()))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
