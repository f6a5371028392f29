//! A server that is faster than its clients, so that these are measured: it discards the body of
//! every POST and responds with the same job, responds to a GET of the list with a page of it, and
//! to every other GET with 1 GiB of zeros.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// A job without its id, which comes first.
const JOB: &str = concat!(
    r#""object":"video","model":"sora-2","status":"queued","progress":0,"created_at":1,"#,
    r#""completed_at":null,"expires_at":null,"prompt":"x","size":"1280x720","seconds":"8","#,
    r#""remixed_from_video_id":null,"error":null}"#
);
const BUFFER: usize = 1 << 20;
/// The size of the response to a GET, in bytes.
pub const LARGE: u64 = 1 << 30;
/// The number of jobs in the list, and on each of its pages.
const JOBS: u32 = 100_000;
const PAGE: u32 = 100;

/// Serves on loopback until the program ends.
pub fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Fails if the client closes the connection. The exit code of the client is checked.
            thread::spawn(move || drop(converse(&stream)));
        }
    });
    Ok(address)
}

fn converse(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(BUFFER, stream);
    let mut out = stream;
    let mut rest = vec![0; BUFFER];
    while let Some(head) = head(&mut reader)? {
        if head.expects {
            out.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut left = head.length;
        while left > 0 {
            let room = left.min(rest.len() as u64) as usize;
            match reader.read(&mut rest[..room])? {
                0 => return Ok(()),
                count => left -= count as u64,
            }
        }
        let is_list = head.path.split('?').next().is_some_and(|path| path.ends_with("/videos"));
        let body = match (head.gets, is_list) {
            (false, _) => job(1),
            (true, true) => page(&head.path),
            (true, false) => {
                let head = response_head("video/mp4", LARGE);
                out.write_all(head.as_bytes())?;
                rest.fill(0);
                for _ in 0..LARGE / BUFFER as u64 {
                    out.write_all(&rest)?;
                }
                continue;
            }
        };
        let head = response_head("application/json", body.len() as u64);
        out.write_all((head + &body).as_bytes())?;
    }
    Ok(())
}

fn response_head(content_type: &str, length: u64) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n")
}

fn job(number: u32) -> String {
    format!(r#"{{"id":"video_{number}",{JOB}"#)
}

/// The page after the job that the query names.
fn page(path: &str) -> String {
    let after = path.split_once("after=video_").map_or("0", |(_, id)| id);
    let after = after.parse().unwrap_or(JOBS);
    let jobs: Vec<String> = (after + 1..=JOBS).take(PAGE as usize).map(job).collect();
    let has_more = after + PAGE < JOBS;
    format!(r#"{{"object":"list","data":[{}],"has_more":{has_more}}}"#, jobs.join(","))
}

struct Head {
    gets: bool,
    path: String,
    length: u64,
    expects: bool,
}

/// `None`: the client closed the connection.
fn head(reader: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut head = Head { gets: false, path: String::new(), length: 0, expects: false };
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    head.gets = line.starts_with("GET ");
    head.path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    line.clear();
    while reader.read_line(&mut line)? > 0 {
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        match name.to_ascii_lowercase().as_str() {
            "\r\n" => return Ok(Some(head)),
            "content-length" => head.length = value.trim().parse().map_err(io::Error::other)?,
            "transfer-encoding" => {
                return Err(io::Error::other("chunked requests are not supported"));
            }
            "expect" => head.expects = true,
            _ => {}
        }
        line.clear();
    }
    Ok(None)
}
