//! Runs this program or curl with the same request, and measures the run.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::commands::checked;
use super::nginx::Nginx;
use super::sink;
use super::temp::TempDir;

/// How long strace holds a program back at its end.
const HOLD: Duration = Duration::from_millis(100);
/// A directory in memory, if the machine has one, so that the disk is not measured.
const MEMORY: &str = "/dev/shm";
/// The file that is uploaded, and that nginx sends, in the temporary directory.
const LARGE_FILE: &str = "clip.mp4";
/// Where Debian has the certificates that it trusts, 150 of them.
const SYSTEM_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
const JSON: &str = r#"{"prompt":"x","seconds":"4","video":{"id":"video_123"}}"#;

#[derive(Clone, Copy)]
pub enum Client {
    Ours,
    Curl,
}

/// The kind of request.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Request,
    /// A request where SSL_CERT_FILE names a bundle: the system's certificates, and nginx's.
    BundledRequest,
    /// An upload of 1 GiB.
    Upload,
    /// A download of 1 GiB to a file that is not there yet.
    Download,
    /// A download of 1 GiB to /dev/null.
    Discard,
    /// The whole list of jobs.
    List,
}

/// A request over plain http, or over TLS.
#[derive(Clone, Copy)]
pub struct Case {
    pub kind: Kind,
    pub tls: bool,
}

/// The seconds that a run took.
pub struct Run {
    pub wall: f64,
    /// The processor time of the client.
    pub client: f64,
    /// The processor time of the server in the meantime.
    pub server: f64,
}

pub struct Bench {
    /// A copy in memory. The kernel maps a file on a disk in blocks whose size depends on how the
    /// file was written, which changes the figure by up to 0.4 MB; for the copy it is always that
    /// of a file that was read from the disk.
    pub binary: PathBuf,
    sink: SocketAddr,
    nginx: Nginx,
    temp: TempDir,
    memory: TempDir,
}

impl Bench {
    pub fn new(binary: &Path) -> Result<Bench, String> {
        for program in ["curl", "valgrind", "strace"] {
            let output = Command::new(program).arg("--version").output();
            if !output.is_ok_and(|output| output.status.success()) {
                return Err(format!("{program} is missing: install the package of this name"));
            }
        }
        let temp = TempDir::new();
        let is_there = Path::new(MEMORY).is_dir();
        let memory = if is_there { TempDir::within(Path::new(MEMORY)) } else { TempDir::new() };
        let copy = memory.path().join("openai");
        fs::copy(binary, &copy).map_err(|error| format!("{}: {error}", binary.display()))?;
        let large = temp.path().join(LARGE_FILE);
        make_large(&large).map_err(|error| format!("cannot create the large file: {error}"))?;
        let sink = sink::start().map_err(|error| format!("cannot start the server: {error}"))?;
        let nginx = Nginx::start(temp.path(), &large, sink)?;
        let bench = Bench { binary: copy, sink, nginx, temp, memory };
        let text = |path: &Path| {
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let bundle = text(Path::new(SYSTEM_BUNDLE))? + &text(&bench.nginx.authority)?;
        fs::write(bench.bundle(), bundle).map_err(|error| error.to_string())?;
        Ok(bench)
    }

    /// Peak resident memory in bytes: the largest of samples that are taken all the time and, as
    /// strace holds the program back there, at its end. The kernel's own record of the peak is an
    /// estimate, 0.2 MB off.
    pub fn peak_memory(&self, client: Client, case: Case) -> Result<f64, String> {
        let hold = format!("inject=exit_group:delay_enter={}", HOLD.as_micros());
        let launcher = ["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", &hold];
        let mut strace = self.command(&launcher, client, case);
        let mut strace =
            strace.stderr(Stdio::null()).spawn().map_err(|error| format!("strace: {error}"))?;
        let mut peak = 0;
        loop {
            match strace.try_wait().map_err(|error| format!("strace: {error}"))? {
                None => peak = peak.max(resident(strace.id()).unwrap_or(0)),
                Some(status) if status.success() && peak > 0 => return Ok(peak as f64 * 1024.0),
                Some(status) => return Err(format!("memory not measured: {status}, {peak} KiB")),
            }
            thread::sleep(HOLD / 20);
        }
    }

    /// The number of instructions that callgrind counts.
    pub fn instructions(&self, client: Client, case: Case) -> Result<f64, String> {
        let launcher = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
        let output = checked(&mut self.command(&launcher, client, case))?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        text.lines()
            .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
            .ok_or_else(|| format!("callgrind reports no count: {text}"))
    }

    /// This many pairs of runs, ours and curl's. The order within the pairs alternates.
    pub fn pairs(&self, case: Case, pairs: usize) -> Result<Vec<(Run, Run)>, String> {
        // The first run of each is not measured.
        self.run(Client::Ours, case)?;
        self.run(Client::Curl, case)?;
        let pair = |number| {
            if number % 2 == 0 {
                let ours = self.run(Client::Ours, case)?;
                Ok((ours, self.run(Client::Curl, case)?))
            } else {
                let curl = self.run(Client::Curl, case)?;
                Ok((self.run(Client::Ours, case)?, curl))
            }
        };
        (0..pairs).map(pair).collect()
    }

    fn run(&self, client: Client, case: Case) -> Result<Run, String> {
        let mut command = self.command(&[], client, case);
        // Each client creates the file, so that the truncation of an old one is not measured.
        drop(fs::remove_file(self.download()));
        // The server of plain http is a thread of this process, which itself only waits meanwhile.
        let this = process::id();
        let server = if case.tls { self.nginx.id() } else { this };
        let clients_before = processor_time(this)?.children;
        let server_before = processor_time(server)?.own;
        let start = Instant::now();
        checked(&mut command)?;
        let wall = start.elapsed().as_secs_f64();
        Ok(Run {
            wall,
            client: processor_time(this)?.children - clients_before,
            server: processor_time(server)?.own - server_before,
        })
    }

    /// The command for a request, after the arguments of a launcher, if any.
    fn command(&self, launcher: &[&str], client: Client, case: Case) -> Command {
        let words = match client {
            Client::Ours => self.ours(case),
            Client::Curl => self.curl(case),
        };
        let mut words = launcher.iter().map(OsString::from).chain(words);
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null());
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        if case.kind == Kind::BundledRequest {
            command.env("SSL_CERT_FILE", self.bundle());
        }
        command
    }

    fn ours(&self, case: Case) -> Vec<OsString> {
        let (upload, download) = (format!("@{}", self.large().display()), self.download());
        let extend = ["extend", "--prompt", "x", "--seconds", "4", "--video"];
        let fetch = ["download-content", "video_1", "-o"];
        let call = match case.kind {
            Kind::Request | Kind::BundledRequest => [&extend[..], &["video_123"]].concat(),
            Kind::Upload => [&extend[..], &[&upload]].concat(),
            Kind::Download => [&fetch[..], &[&download]].concat(),
            Kind::Discard => [&fetch[..], &["/dev/null"]].concat(),
            Kind::List => vec!["list"],
        };
        let base = self.base_url(case);
        let mut words = vec![self.binary.clone().into_os_string()];
        words.extend(["--base-url", &base, "--api-key", "key"].map(OsString::from));
        words.extend(self.cacert(case));
        words.push("videos".into());
        words.extend(call.into_iter().map(OsString::from));
        words
    }

    fn curl(&self, case: Case) -> Vec<OsString> {
        let video = format!("video=@{};type=video/mp4", self.large().display());
        let (base, download) = (self.base_url(case), self.download());
        let post = format!("{base}/videos/extensions");
        let get = format!("{base}/videos/video_1/content");
        let list = format!("{base}/videos");
        let call = match case.kind {
            Kind::Request | Kind::BundledRequest => {
                vec!["-o", "/dev/null", "-H", "Content-Type: application/json", "-d", JSON, &post]
            }
            Kind::Upload => {
                vec!["-o", "/dev/null", "-F", "prompt=x", "-F", "seconds=4", "-F", &video, &post]
            }
            Kind::Download => vec!["-o", &download, &get],
            Kind::Discard => vec!["-o", "/dev/null", &get],
            // Its first page only, because curl does not follow pages.
            Kind::List => vec!["-o", "/dev/null", &list],
        };
        // -q: ignore ~/.curlrc.
        let mut words = ["curl", "-q", "-s", "-f"].map(OsString::from).to_vec();
        words.extend(["-H", "Authorization: Bearer key"].map(OsString::from));
        words.extend(self.cacert(case));
        words.extend(call.into_iter().map(OsString::from));
        words
    }

    /// The option of both clients for nginx's certificate, unless it is in the bundle.
    fn cacert(&self, case: Case) -> Vec<OsString> {
        if case.tls && case.kind != Kind::BundledRequest {
            vec!["--cacert".into(), self.nginx.authority.clone().into_os_string()]
        } else {
            Vec::new()
        }
    }

    fn base_url(&self, case: Case) -> String {
        if case.tls {
            format!("https://localhost:{}/v1", self.nginx.port)
        } else {
            format!("http://{}/v1", self.sink)
        }
    }

    fn download(&self) -> String {
        self.memory.path().join("download.mp4").display().to_string()
    }

    fn bundle(&self) -> PathBuf {
        self.temp.path().join("bundle.pem")
    }

    fn large(&self) -> PathBuf {
        self.temp.path().join(LARGE_FILE)
    }
}

/// The resident memory in KiB of the client that strace runs. `None` before and after it.
fn resident(strace: u32) -> Option<u64> {
    let children = fs::read_to_string(format!("/proc/{strace}/task/{strace}/children")).ok()?;
    let process = children.split_whitespace().next()?;
    // Until it is the client, the process is a copy of strace.
    let name = fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    if name == "strace\n" {
        return None;
    }
    let sizes = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let line = sizes.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// The processor time, user and system, in seconds.
struct ProcessorTime {
    /// That of the process.
    own: f64,
    /// That of its children that have ended.
    children: f64,
}

/// What proc(5) reports of a process. It counts in ticks of 10 ms, which is precise enough for runs
/// of 0.2 to 1.2 s.
fn processor_time(process: u32) -> Result<ProcessorTime, String> {
    let path = format!("/proc/{process}/stat");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    // The second field is the name in parentheses, which may contain spaces. Fields 14 to 17 are
    // the ticks of the process, user and system, and those of its children.
    let (_, from_third) = text.rsplit_once(')').unwrap_or_default();
    let fields = from_third.split_whitespace().skip(11).take(4);
    let ticks: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
    let [user, system, children_user, children_system] = ticks[..] else {
        return Err(format!("{path} has no processor times: {text}"));
    };
    Ok(ProcessorTime {
        own: (user + system) / 100.0,
        children: (children_user + children_system) / 100.0,
    })
}

/// Creates the large file: sparse, as only the number of bytes matters, and read once, so that it
/// is in the page cache for every reader.
fn make_large(path: &Path) -> io::Result<()> {
    File::create(path)?.set_len(sink::LARGE)?;
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    while file.read(&mut buffer)? > 0 {}
    Ok(())
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Fails if no download was measured.
        drop(fs::remove_file(self.download()));
    }
}
