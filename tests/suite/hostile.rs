//! Runs the program against a thousand mutations of well-formed responses: it does not panic, does
//! not hang past the timeouts, and never exits with code 0 for an incomplete job or file.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{CLIP, EXTEND, Random, TempDir, openai};

const MUTATIONS: u64 = 1000;
/// Threads that run the program. Many, as most of the time of a run is waiting.
const LANES: u64 = 20;

/// The well-formed responses: to the POST, to a poll, and to the download.
fn good() -> [Vec<u8>; 3] {
    let json = |status: &str| {
        let body = format!(
            r#"{{"id":"video_1","object":"video","status":"{status}","progress":50,"error":null}}"#
        );
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nopenai-poll-after-ms: 100\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nETag: \"a\"\r\nContent-Length: {}\r\n\r\n",
        CLIP.len()
    );
    [json("queued").into(), json("completed").into(), [head.as_bytes(), CLIP].concat()]
}

/// Changes a response in one to three places. A changed byte of the media could not be detected, so
/// these are only truncated.
fn mutate(response: &mut Vec<u8>, random: &mut Random) {
    let head = response
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map_or(response.len(), |at| at + 4);
    let is_media = response.ends_with(CLIP);
    for _ in 0..=random.below(3) {
        let end = if is_media { head } else { response.len() };
        let at = random.below(end.min(response.len()));
        match random.below(8) {
            0 => response[at] ^= 1 << random.below(8),
            1 => response[at] = random.next() as u8,
            2 => drop(response.drain(at..(at + 1 + random.below(20)).min(response.len().min(end)))),
            3 => response.truncate(random.below(response.len())),
            4 => {
                let piece = response[at..(at + 1 + random.below(40)).min(end)].to_vec();
                response.splice(at..at, piece);
            }
            5 => {
                let words: [&[u8]; 10] = [
                    b"\r\n",
                    b"\0",
                    b"\xff\xfe",
                    b"Transfer-Encoding: chunked\r\n",
                    b"Content-Length: 5\r\n",
                    b"{",
                    b"\"",
                    b"HTTP/1.1 100 Continue\r\n\r\n",
                    b"99999999999999999999",
                    b"\x1b[2J",
                ];
                let word = words[random.below(words.len())];
                response.splice(at..at, word.iter().copied());
            }
            6 => {
                if let Some(digit) =
                    response[..end.min(response.len())].iter().position(u8::is_ascii_digit)
                {
                    let digits: Vec<usize> = (digit..end.min(response.len()))
                        .filter(|at| response[*at].is_ascii_digit())
                        .collect();
                    response[digits[random.below(digits.len())]] = b'0' + random.below(10) as u8;
                }
            }
            _ => response.extend_from_slice(b"HTTP/1.1 200 OK\r\n\r\n"),
        }
        if response.len() < 2 {
            return;
        }
    }
}

/// Serves one connection after another until `stop` is set. Each request gets the response of its
/// kind.
fn serve(listener: &TcpListener, responses: &Mutex<[Vec<u8>; 3]>, stop: &AtomicBool) {
    listener.set_nonblocking(true).unwrap();
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => drop(converse(stream, responses)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(1))
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn converse(mut stream: TcpStream, responses: &Mutex<[Vec<u8>; 3]>) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    loop {
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        while !is_complete(&request) {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                count => request.extend_from_slice(&buffer[..count]),
            }
        }
        let first = String::from_utf8_lossy(&request[..request.len().min(100)]).into_owned();
        let kind = if first.starts_with("POST") {
            0
        } else {
            1 + usize::from(first.contains("/content "))
        };
        let response = responses.lock().unwrap()[kind].clone();
        stream.write_all(&response)?;
        if response != good()[kind] {
            // The connection is closed, as the client may be out of step with it.
            return Ok(());
        }
    }
}

fn is_complete(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    request.len() >= end + 4 + length.unwrap_or(0)
}

/// Whether a file is what this response may legitimately lead to. With another framing than the
/// well-formed response has, that is any file. Otherwise it is the whole media, or as many bytes
/// after the end of a head that has moved.
fn is_consistent(file: &[u8], response: &[u8]) -> bool {
    let end = response
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map_or(response.len(), |at| at + 4);
    let head = String::from_utf8_lossy(&response[..end]).to_ascii_lowercase();
    let framed =
        |line: &str| line.starts_with("content-length") || line.starts_with("transfer-encoding");
    let framing: Vec<&str> = head.split("\r\n").filter(|line| framed(line)).collect();
    let announced = format!("content-length: {}", CLIP.len());
    file == CLIP
        || framing != [announced.as_str()]
        || (file.len() == CLIP.len() && response[end..].starts_with(file))
}

#[test]
fn malformed_responses_neither_hang_nor_pass_for_success() {
    let lane = |lane: u64| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let responses = Arc::new(Mutex::new(good()));
        let stop = Arc::new(AtomicBool::new(false));
        let server = {
            let (responses, stop) = (Arc::clone(&responses), Arc::clone(&stop));
            thread::spawn(move || serve(&listener, &responses, &stop))
        };
        let directory = TempDir::new();
        let out = directory.path().join("out.mp4");
        for seed in (lane..MUTATIONS).step_by(LANES as usize) {
            let mut random = Random(seed);
            let mut bad = good();
            let which = random.below(3);
            mutate(&mut bad[which], &mut random);
            *responses.lock().unwrap() = bad.clone();
            drop(std::fs::remove_file(&out));
            let start = Instant::now();
            let outcome = openai(&EXTEND)
                .args(&[
                    "-q",
                    "-o",
                    "out.mp4",
                    "--timeout",
                    "300ms",
                    "--stall-timeout",
                    "300ms",
                    "--wait-timeout",
                    "300ms",
                    "--poll-interval",
                    "50ms",
                    "--max-retries",
                    "1",
                    "--base-url",
                    &url,
                ])
                .current_dir(directory.path())
                .run();
            let shown = || {
                format!(
                    "seed {seed}: {}\n{outcome:?}",
                    String::from_utf8_lossy(&bad[which]).escape_debug()
                )
            };
            let code = outcome.status.code();
            assert!(code.is_some_and(|code| code <= 9), "{}", shown());
            assert!(start.elapsed() < Duration::from_secs(10), "{}", shown());
            assert!(!outcome.stderr_text().contains('\u{1b}'), "{}", shown());
            let file = std::fs::read(&out).ok();
            if code == Some(0) {
                let file = file.unwrap_or_else(|| panic!("{}", shown()));
                assert!(is_consistent(&file, &bad[2]), "{}", shown());
                assert!(outcome.stdout.starts_with(b"{"), "{}", shown());
            } else {
                assert_eq!(file, None, "{}", shown());
            }
            assert!(std::fs::read_dir(directory.path()).unwrap().count() <= 1, "{}", shown());
        }
        stop.store(true, Ordering::Relaxed);
        server.join().unwrap();
    };
    thread::scope(|scope| {
        for number in 0..LANES {
            scope.spawn(move || lane(number));
        }
    });
}
