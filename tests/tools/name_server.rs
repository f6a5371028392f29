//! A DNS server with faults: `name_server ADDRESS COMMAND ARGS...` serves on UDP port 53 of ADDRESS
//! while COMMAND runs, and exits with the command's code. The response depends on the name in the
//! query: see `outcome`.

// The lints keep the library from printing. This is a program.
#![allow(clippy::disallowed_methods)]

use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::process::{Command, ExitCode};
use std::thread;

const A: u16 = 1;
const AAAA: u16 = 28;
/// The address that the server listens on.
const HERE: [u8; 4] = Ipv4Addr::LOCALHOST.octets();
/// An address that nothing listens on.
const NOBODY: [u8; 4] = [127, 0, 0, 77];
/// An address that nothing listens on, as the server has IPv4 only.
const HERE6: [u8; 16] = Ipv6Addr::LOCALHOST.octets();

/// The exit code if the port cannot be used, by which the script skips the test.
const SKIP: u8 = 77;

enum Outcome {
    Addresses(Vec<Vec<u8>>),
    /// A response code (RFC 1035, 4.1.1).
    Error(u8),
    Silence,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, program, args @ ..] = &args[..] else {
        drop(writeln!(io::stderr(), "usage: name_server ADDRESS COMMAND ARGS..."));
        return ExitCode::from(2);
    };
    let socket = match UdpSocket::bind((address.as_str(), 53)) {
        Ok(socket) => socket,
        Err(error) => {
            drop(writeln!(io::stderr(), "name_server: port 53 of {address}: {error}"));
            return ExitCode::from(SKIP);
        }
    };
    thread::spawn(move || serve(&socket));
    let status = Command::new(program).args(args).status();
    let code = status.ok().and_then(|status| status.code());
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

fn serve(socket: &UdpSocket) {
    let mut buffer = [0; 1500];
    loop {
        let (count, from) = socket.recv_from(&mut buffer).expect("a question");
        let Some((name, kind, end)) = question(&buffer[..count]) else {
            continue;
        };
        if let Some(reply) = reply(&buffer[..end], outcome(&name, kind)) {
            socket.send_to(&reply, from).expect("send the response");
        }
    }
}

/// Parses the first question of a query: its name, its type, and the position of its end.
fn question(message: &[u8]) -> Option<(String, u16, usize)> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*message.get(at)?);
        let label = message.get(at + 1..at + 1 + length)?;
        at += 1 + length;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(label).to_lowercase());
    }
    let kind = message.get(at..at + 2)?;
    Some((labels.join("."), u16::from_be_bytes([kind[0], kind[1]]), at + 4))
}

fn outcome(name: &str, kind: u16) -> Outcome {
    let addresses =
        |list: &[&[u8]]| Outcome::Addresses(list.iter().map(|it| it.to_vec()).collect());
    match (name, kind) {
        ("nowhere.test", _) => Outcome::Error(3),
        ("broken.test", _) => Outcome::Error(2),
        ("second.test", A) => addresses(&[&NOBODY, &HERE]),
        // Nothing listens on either address. The error message shows which one was tried.
        ("six.test", A) => addresses(&[&NOBODY]),
        ("six.test" | "both.test", AAAA) => addresses(&[&HERE6]),
        (_, A) => addresses(&[&HERE]),
        ("refused.test", AAAA) => Outcome::Error(5),
        ("failed.test", AAAA) => Outcome::Error(2),
        ("denied.test", AAAA) => Outcome::Error(3),
        ("silent.test", AAAA) => Outcome::Silence,
        _ => addresses(&[]),
    }
}

fn reply(question: &[u8], outcome: Outcome) -> Option<Vec<u8>> {
    let (code, addresses) = match outcome {
        Outcome::Silence => return None,
        Outcome::Error(code) => (code, Vec::new()),
        Outcome::Addresses(addresses) => (0, addresses),
    };
    let mut reply = question.to_vec();
    // The flags of a response with recursion available, the response code, and the numbers of
    // questions, answers, authorities and additional records (RFC 1035, 4.1.1).
    reply[2] = 0x81;
    reply[3] = 0x80 | code;
    let count = u8::try_from(addresses.len()).expect("a few addresses");
    reply[4..12].copy_from_slice(&[0, 1, 0, count, 0, 0, 0, 0]);
    for address in addresses {
        let kind = if address.len() == 4 { A } else { AAAA };
        // A pointer to the name in the question, the type, class IN, a TTL of 60 s, length and
        // address (4.1.3).
        reply.extend([0xc0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1, 0, 0, 0, 60, 0, u8::try_from(address.len()).expect("an address")]);
        reply.extend(address);
    }
    Some(reply)
}
