//! Runs this program or curl with the same request, and measures the run.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::commands::checked;
use super::sink;
use super::temp::TempDir;

const GNU_TIME: &str = "/usr/bin/time";
/// A directory in memory, if the machine has one, so that the disk is not measured.
const MEMORY: &str = "/dev/shm";
const JSON: &str = r#"{"prompt":"x","seconds":"4","video":{"id":"video_123"}}"#;

#[derive(Clone, Copy)]
pub enum Client {
    Ours,
    Curl,
}

#[derive(Clone, Copy)]
pub enum Kind {
    Request,
    /// An upload of 1 GiB.
    Upload,
    /// A download of 1 GiB to a file.
    Download,
}

pub struct Bench {
    pub binary: PathBuf,
    sink: SocketAddr,
    temp: TempDir,
}

impl Bench {
    pub fn new(binary: &Path) -> Result<Bench, String> {
        for (program, package) in [("curl", "curl"), ("valgrind", "valgrind"), (GNU_TIME, "time")] {
            let output = Command::new(program).arg("--version").output();
            if !output.is_ok_and(|output| output.status.success()) {
                return Err(format!("{program} is missing: install the package {package}"));
            }
        }
        let bench = Bench {
            binary: fs::canonicalize(binary)
                .map_err(|error| format!("{}: {error}", binary.display()))?,
            sink: sink::start().map_err(|error| format!("cannot start the server: {error}"))?,
            temp: TempDir::new(),
        };
        bench
            .make_upload()
            .map_err(|error| format!("cannot create the file to upload: {error}"))?;
        Ok(bench)
    }

    /// Peak resident memory in bytes. The kernel's figure for a process includes the time between
    /// fork and exec, in which it is a copy of its launcher. GNU time is the launcher because it is
    /// small, 1 MB: a copy of this program would be larger than what is measured.
    pub fn peak_memory(&self, client: Client, kind: Kind) -> Result<f64, String> {
        let report = self.temp.path().join("peak");
        let file = report.to_str().ok_or("the temporary directory is not UTF-8")?;
        checked(&mut self.command(&[GNU_TIME, "-f", "%M", "-o", file], client, kind))?;
        let text = fs::read_to_string(&report).map_err(|error| format!("GNU time: {error}"))?;
        let kib: f64 = text.trim().parse().map_err(|_| format!("GNU time reports {text:?}"))?;
        Ok(kib * 1024.0)
    }

    /// The number of instructions that callgrind counts.
    pub fn instructions(&self, client: Client, kind: Kind) -> Result<f64, String> {
        let launcher = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
        let output = checked(&mut self.command(&launcher, client, kind))?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        text.lines()
            .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
            .ok_or_else(|| format!("callgrind reports no count: {text}"))
    }

    /// The wall times in seconds of this many pairs of runs, ours and curl's. The order within the
    /// pairs alternates.
    pub fn pairs(&self, kind: Kind, pairs: usize) -> Result<Vec<(f64, f64)>, String> {
        // The first run of each is not measured.
        self.seconds(Client::Ours, kind)?;
        self.seconds(Client::Curl, kind)?;
        let pair = |number| {
            if number % 2 == 0 {
                let ours = self.seconds(Client::Ours, kind)?;
                Ok((ours, self.seconds(Client::Curl, kind)?))
            } else {
                let curl = self.seconds(Client::Curl, kind)?;
                Ok((self.seconds(Client::Ours, kind)?, curl))
            }
        };
        (0..pairs).map(pair).collect()
    }

    fn seconds(&self, client: Client, kind: Kind) -> Result<f64, String> {
        let mut command = self.command(&[], client, kind);
        command.stdout(Stdio::null());
        // Each client creates the file, so that the truncation of an old one is not measured.
        drop(fs::remove_file(self.download()));
        let start = Instant::now();
        checked(&mut command)?;
        Ok(start.elapsed().as_secs_f64())
    }

    /// The command for a request, after the arguments of a launcher, if any.
    fn command(&self, launcher: &[&str], client: Client, kind: Kind) -> Command {
        let words = match client {
            Client::Ours => self.ours(kind),
            Client::Curl => self.curl(kind),
        };
        let mut words = launcher.iter().map(OsString::from).chain(words);
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).stdin(Stdio::null());
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command
    }

    fn ours(&self, kind: Kind) -> Vec<OsString> {
        let (upload, download) = (format!("@{}", self.upload().display()), self.download());
        let extend = ["extend", "--prompt", "x", "--seconds", "4", "--video"];
        let call = match kind {
            Kind::Request => [&extend[..], &["video_123"]].concat(),
            Kind::Upload => [&extend[..], &[&upload]].concat(),
            Kind::Download => vec!["download-content", "video_1", "-o", &download],
        };
        let base = format!("http://{}/v1", self.sink);
        let mut words = vec![self.binary.clone().into_os_string()];
        words.extend(["--base-url", &base, "--api-key", "key", "videos"].map(OsString::from));
        words.extend(call.into_iter().map(OsString::from));
        words
    }

    fn curl(&self, kind: Kind) -> Vec<OsString> {
        let video = format!("video=@{};type=video/mp4", self.upload().display());
        let download = self.download();
        let post = format!("http://{}/v1/videos/extensions", self.sink);
        let get = format!("http://{}/v1/videos/video_1/content", self.sink);
        let call = match kind {
            Kind::Request => {
                vec!["-o", "/dev/null", "-H", "Content-Type: application/json", "-d", JSON, &post]
            }
            Kind::Upload => {
                vec!["-o", "/dev/null", "-F", "prompt=x", "-F", "seconds=4", "-F", &video, &post]
            }
            Kind::Download => vec!["-o", &download, &get],
        };
        // -q: ignore ~/.curlrc.
        let mut words = ["curl", "-q", "-s", "-f"].map(OsString::from).to_vec();
        words.extend(["-H", "Authorization: Bearer key"].map(OsString::from));
        words.extend(call.into_iter().map(OsString::from));
        words
    }

    fn download(&self) -> String {
        let name = format!("openai-videos-download-{}.mp4", std::process::id());
        if Path::new(MEMORY).is_dir() {
            format!("{MEMORY}/{name}")
        } else {
            self.temp.path().join(name).display().to_string()
        }
    }

    fn upload(&self) -> PathBuf {
        self.temp.path().join("clip.mp4")
    }

    /// Creates the file to upload: sparse, as only the number of bytes matters, and read once, so
    /// that it is in the page cache for both clients.
    fn make_upload(&self) -> io::Result<()> {
        let path = self.upload();
        File::create(&path)?.set_len(sink::LARGE)?;
        let mut file = File::open(&path)?;
        let mut buffer = vec![0; 1 << 20];
        while file.read(&mut buffer)? > 0 {}
        Ok(())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Fails if no download was measured.
        drop(fs::remove_file(self.download()));
    }
}
