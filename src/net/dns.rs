//! From the name of a host to the order in which its addresses are tried.
//!
//! Each family is looked up on its own: a name server that answers one kind of question with an error makes musl's
//! resolver give up on both, though the other kind had an answer. What is lost with that is the order in which the
//! C library puts them, so it is made here, by the rules of RFC 6724 that matter: a family without a route comes
//! last; else IPv6 comes first, unless this machine would speak from an address that is valid only locally (such
//! networks often lead nowhere else). Then the families take turns (RFC 8305), as a family that is dead is dead with
//! all its addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use dns_lookup::{AddrFamily, AddrInfoHints, LookupError, LookupErrorKind, SockType, getaddrinfo};

use crate::net::connect_error::{ConnectError, ConnectErrorKind};
use crate::settings::Family;

/// Once one family has an address that can be reached, the other has this long: enough for a name server that
/// answers, and not much to lose to one that never will.
const GRACE: Duration = Duration::from_millis(500);
/// The most addresses that are tried.
const MOST: usize = 16;
const RESOLVER: &str = "/etc/resolv.conf";

/// The addresses of a host, in the order in which they are to be tried, at least one. An address needs no lookup,
/// and so no thread and no resolver configuration.
pub(crate) fn look_up(
    host: &str,
    port: u16,
    wanted: Option<Family>,
    limit: Duration,
) -> Result<Vec<SocketAddr>, ConnectError> {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let known = match host.parse::<IpAddr>() {
        Ok(address) => vec![address],
        // RFC 6761: it never leaves this machine, whatever a name server or a missing /etc/hosts says.
        Err(_) if name == "localhost" || name.ends_with(".localhost") => {
            vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
        }
        Err(_) => return resolve(host, port, wanted, limit),
    };
    let fitting = known.into_iter().filter(|it| Family::fits(wanted, *it));
    let found: Vec<_> = fitting.map(|it| SocketAddr::new(it, port)).collect();
    match found.is_empty() {
        true => Err(ConnectError::other("the address is of the other family")),
        false => Ok(found),
    }
}

fn resolve(
    host: &str,
    port: u16,
    wanted: Option<Family>,
    limit: Duration,
) -> Result<Vec<SocketAddr>, ConnectError> {
    let (sender, receiver) = mpsc::channel();
    let families = [Family::V6, Family::V4];
    for family in families.into_iter().filter(|it| wanted.is_none_or(|wanted| wanted == *it)) {
        let (sender, host) = (sender.clone(), host.to_owned());
        // A lookup cannot be interrupted: past the limit its thread is left to end with the process.
        thread::Builder::new()
            .spawn(move || sender.send((family, addresses(&host, family))))
            .map_err(|error| ConnectError::other(format!("the name lookup failed: {error}")))?;
    }
    drop(sender);
    let start = Instant::now();
    let (whole, mut limit) = (limit, limit);
    let (mut v6, mut v4, mut failed) = (Vec::new(), Vec::new(), None);
    let is_late = loop {
        let left = limit.saturating_sub(start.elapsed());
        let (family, found) = match receiver.recv_timeout(left) {
            Ok(answer) => answer,
            Err(ended) => break ended == RecvTimeoutError::Timeout,
        };
        let found = match found {
            Ok(found) => found,
            Err(error) if failed.is_none() || !is_missing(&error) => {
                failed = Some(error);
                continue;
            }
            Err(_) => continue,
        };
        let found: Vec<_> = found.into_iter().map(|it| SocketAddr::new(it, port)).collect();
        if found.first().copied().and_then(source).is_some() {
            limit = limit.min(start.elapsed() + GRACE);
        }
        match family {
            Family::V6 => v6 = found,
            Family::V4 => v4 = found,
        }
    };
    // That there is no address of one family does not explain why nothing is heard of the other.
    let failed = failed.filter(|error| !is_late || !is_missing(error));
    let found = in_order(v6, v4, source);
    match (found.is_empty(), failed) {
        (false, _) => Ok(found),
        (true, None) => {
            // Some of the user's round number was spent on the way here.
            let whole = Duration::from_millis((whole.as_secs_f64() * 1000.0).round() as u64);
            Err(failure(&format!("took longer than {whole:?}")))
        }
        (true, Some(error)) => {
            let why = error.to_string();
            let why = why.rsplit(": ").next().unwrap_or_default();
            Err(failure(&format!("failed: {why}")))
        }
    }
}

/// What the C library knows about one family.
fn addresses(host: &str, family: Family) -> Result<Vec<IpAddr>, LookupError> {
    let address = match family {
        Family::V4 => AddrFamily::Inet,
        Family::V6 => AddrFamily::Inet6,
    };
    let hints = AddrInfoHints {
        address: address.into(),
        socktype: SockType::Stream.into(),
        ..AddrInfoHints::default()
    };
    let found = getaddrinfo(Some(host), None, Some(hints))?;
    Ok(found.flatten().map(|info| info.sockaddr.ip()).collect())
}

/// Whether it says no more than that there is no such address, which the other family's error may explain.
fn is_missing(error: &LookupError) -> bool {
    matches!(error.kind(), LookupErrorKind::NoName | LookupErrorKind::NoData)
}

fn failure(what: &str) -> ConnectError {
    match Path::new(RESOLVER).exists() {
        true => ConnectError::other(format!("the name lookup {what}")),
        false => ConnectError::new(
            ConnectErrorKind::NoNameServer,
            format!("the name lookup {what}; there is no {RESOLVER} here"),
        ),
    }
}

/// The address that this machine would speak from; `None` without a route. Nothing is sent.
fn source(target: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(target).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// The order in which to try what was found.
fn in_order(
    v6: Vec<SocketAddr>,
    v4: Vec<SocketAddr>,
    source: impl Fn(SocketAddr) -> Option<IpAddr>,
) -> Vec<SocketAddr> {
    let from = |found: &[SocketAddr]| found.first().copied().and_then(&source);
    let is_local = |address: IpAddr| match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
    };
    let (from_v6, from_v4) = (from(&v6), from(&v4));
    let (first, second) = match (from_v6, from_v4) {
        (None, Some(_)) => return v4.into_iter().chain(v6).take(MOST).collect(),
        (Some(_), None) => return v6.into_iter().chain(v4).take(MOST).collect(),
        (Some(from), Some(_)) if is_local(from) && !is_local(v6[0].ip()) => (v4, v6),
        _ => (v6, v4),
    };
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut found = Vec::new();
    while found.len() < MOST {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            break;
        }
        found.extend(pair.into_iter().flatten());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(v6: &str, v4: &str, from_v6: &str, from_v4: &str) -> String {
        let read = |list: &str| -> Vec<SocketAddr> {
            let words = list.split_whitespace();
            words.map(|word| SocketAddr::new(word.parse().unwrap(), 1)).collect()
        };
        let source = |target: SocketAddr| match target.is_ipv6() {
            true => from_v6.parse().ok(),
            false => from_v4.parse().ok(),
        };
        let found = in_order(read(v6), read(v4), source);
        let found: Vec<_> = found.iter().map(|it| it.ip().to_string()).collect();
        found.join(" ")
    }

    #[test]
    fn the_family_that_leads_somewhere_comes_first() {
        let (v6, v4) = ("2001:db8::1 2001:db8::2", "192.0.2.1");
        for (from_v6, from_v4, order) in [
            ("2001:db8::9", "10.0.0.1", "2001:db8::1 192.0.2.1 2001:db8::2"),
            ("", "10.0.0.1", "192.0.2.1 2001:db8::1 2001:db8::2"),
            ("2001:db8::9", "", "2001:db8::1 2001:db8::2 192.0.2.1"),
            ("fd00::9", "10.0.0.1", "192.0.2.1 2001:db8::1 2001:db8::2"),
            ("fd00::9", "", "2001:db8::1 2001:db8::2 192.0.2.1"),
            ("", "", "2001:db8::1 192.0.2.1 2001:db8::2"),
        ] {
            assert_eq!(ordered(v6, v4, from_v6, from_v4), order, "{from_v6} {from_v4}");
        }
        assert_eq!(ordered("fd00::1", v4, "fd00::9", "10.0.0.1"), "fd00::1 192.0.2.1");
        assert_eq!(ordered("", v4, "", ""), v4);
        assert_eq!(ordered(v6, "", "", ""), v6);
    }

    #[test]
    fn no_more_than_sixteen_are_tried() {
        let many = "192.0.2.1 ".repeat(40);
        assert_eq!(ordered("", &many, "", "10.0.0.1").split(' ').count(), MOST);
        assert_eq!(ordered("2001:db8::1", &many, "", "10.0.0.1").split(' ').count(), MOST);
    }

    #[test]
    fn addresses_and_this_machine_are_not_looked_up() {
        let found = |host: &str, wanted| {
            let found = look_up(host, 7, wanted, Duration::ZERO);
            found.map(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(found("192.0.2.1", None).unwrap(), "192.0.2.1:7");
        assert_eq!(found("2001:db8::1", Some(Family::V6)).unwrap(), "[2001:db8::1]:7");
        assert_eq!(found("localhost", None).unwrap(), "127.0.0.1:7 [::1]:7");
        assert_eq!(found("LocalHost.", Some(Family::V4)).unwrap(), "127.0.0.1:7");
        assert_eq!(found("a.localhost", Some(Family::V6)).unwrap(), "[::1]:7");
        let error = found("192.0.2.1", Some(Family::V6)).unwrap_err();
        assert_eq!(error.to_string(), "the address is of the other family");
        let error = found("a.invalid", None).unwrap_err();
        assert_eq!(error.to_string(), "the name lookup took longer than 0ns");
    }
}
