//! A server that is faster than its clients, so that these are measured: it discards the body of
//! every POST and responds with the same job, and responds to every GET with 1 GiB of zeros.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

const JOB: &str = concat!(
    r#"{"id":"video_1","object":"video","model":"sora-2","status":"queued","progress":0,"created_at":1,"#,
    r#""completed_at":null,"expires_at":null,"prompt":"x","size":"1280x720","seconds":"8","#,
    r#""remixed_from_video_id":null,"error":null}"#
);
const BUFFER: usize = 1 << 20;
/// The size of the response to a GET, in bytes.
pub const LARGE: u64 = 1 << 30;

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
        if head.gets {
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: {LARGE}\r\n\r\n"
            );
            out.write_all(head.as_bytes())?;
            rest.fill(0);
            for _ in 0..LARGE / BUFFER as u64 {
                out.write_all(&rest)?;
            }
            continue;
        }
        let length = JOB.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        out.write_all((head + JOB).as_bytes())?;
    }
    Ok(())
}

struct Head {
    gets: bool,
    length: u64,
    expects: bool,
}

/// `None`: the client closed the connection.
fn head(reader: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut head = Head { gets: false, length: 0, expects: false };
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        match name.to_ascii_lowercase().as_str() {
            "\r\n" => return Ok(Some(head)),
            "content-length" => head.length = value.trim().parse().map_err(io::Error::other)?,
            "transfer-encoding" => {
                return Err(io::Error::other("chunked requests are not supported"));
            }
            "expect" => head.expects = true,
            first if first.starts_with("get ") => head.gets = true,
            _ => {}
        }
        line.clear();
    }
    Ok(None)
}
