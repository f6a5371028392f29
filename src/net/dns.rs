//! Looks up a host's addresses and puts them into the order in which they are tried.
//!
//! Each address family is looked up on its own: where a name server responds to one type of query
//! with an error, musl's resolver gives up on both, though the other type had addresses. That loses
//! the order in which the C library returns addresses, so it is made here, by the rules of RFC 6724
//! that matter: a family without a route comes last; else IPv6 comes first, unless its source
//! address would be valid only locally (such networks often lead nowhere else). Then the families
//! alternate (RFC 8305, section 4): if one is unreachable, all of its addresses are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use dns_lookup::{AddrFamily, AddrInfoHints, LookupError, LookupErrorKind, SockType, getaddrinfo};

use crate::net::connect_error::{ConnectError, ConnectErrorKind};
use crate::net::crate_messages::lookup_reason;
use crate::settings::Family;

/// How long to wait for the other family once one has a reachable address. RFC 8305 waits 50 ms;
/// slow name servers need more, and one that never responds costs no more than this.
const OTHER_FAMILY_WAIT: Duration = Duration::from_millis(500);
/// The most addresses that are tried.
const MAX_ADDRESSES: usize = 16;
const RESOLVER_CONFIG: &str = "/etc/resolv.conf";

/// The result of a lookup of one family.
type Found = Result<Vec<IpAddr>, LookupError>;

/// Looks up the addresses of a host, at least one, in the order in which they are to be tried,
/// within `timeout`. An IP address or `localhost` needs no lookup, and so no thread and no resolver
/// configuration.
pub(crate) fn look_up(
    host: &str,
    port: u16,
    wanted: Option<Family>,
    timeout: Duration,
) -> Result<Vec<SocketAddr>, ConnectError> {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let known = match host.parse::<IpAddr>() {
        Ok(address) => vec![address],
        // RFC 6761, section 6.3: localhost is always this machine, whatever a name server or
        // /etc/hosts has.
        Err(_) if name == "localhost" || name.ends_with(".localhost") => {
            vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
        }
        Err(_) => return resolve(host, port, wanted, timeout),
    };
    let fitting = known.into_iter().filter(|it| Family::fits(wanted, *it));
    let found: Vec<_> = fitting.map(|it| SocketAddr::new(it, port)).collect();
    match wanted {
        Some(family) if found.is_empty() => {
            let family = match family {
                Family::V4 => "IPv4",
                Family::V6 => "IPv6",
            };
            Err(ConnectError::other(format!("'{host}' has no {family} address")))
        }
        _ => Ok(found),
    }
}

fn resolve(
    host: &str,
    port: u16,
    wanted: Option<Family>,
    timeout: Duration,
) -> Result<Vec<SocketAddr>, ConnectError> {
    let lookups = Lookups::start(host, wanted)
        .map_err(|error| ConnectError::other(format!("DNS lookup failed: {error}")))?;
    let lookup = collect(lookups, port, timeout);
    let found = in_order(lookup.v6, lookup.v4, source_address);
    if !found.is_empty() {
        return Ok(found);
    }
    // If one family has no address, that does not explain why the other lookup did not end.
    let failure = lookup.failure.filter(|error| !lookup.is_late || !has_no_address(error));
    Err(match failure {
        None => {
            // The timeout is the rest of the connect timeout; rounding restores the user's number.
            let timeout = Duration::from_millis((timeout.as_secs_f64() * 1000.0).round() as u64);
            failed(&format!("took longer than {timeout:?}"))
        }
        Some(error) => failed(&format!("failed: {}", lookup_reason(&error))),
    })
}

/// The lookups that were started, one for each family.
struct Lookups {
    pending: usize,
    shared: Arc<LookupResults>,
}

/// The results so far, shared with the threads of the lookups.
#[derive(Default)]
struct LookupResults {
    results: Mutex<Vec<(Family, Found)>>,
    added: Condvar,
}

impl Lookups {
    /// Starts a thread per family, as a lookup blocks and cannot be interrupted: past the timeout
    /// it ends with the process.
    fn start(host: &str, wanted: Option<Family>) -> std::io::Result<Self> {
        let mut lookups = Self { pending: 0, shared: Arc::default() };
        let families = [Family::V6, Family::V4].into_iter();
        for family in families.filter(|it| wanted.is_none_or(|wanted| wanted == *it)) {
            let (shared, host) = (Arc::clone(&lookups.shared), host.to_owned());
            thread::Builder::new().spawn(move || {
                let found = addresses(&host, family);
                shared.results.lock().unwrap_or_else(PoisonError::into_inner).push((family, found));
                shared.added.notify_one();
            })?;
            lookups.pending += 1;
        }
        Ok(lookups)
    }

    /// The next result, or `None` if there is none within `timeout`.
    fn next(&mut self, timeout: Duration) -> Option<(Family, Found)> {
        let results = self.shared.results.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.shared.added.wait_timeout_while(results, timeout, |it| it.is_empty());
        let result = waited.unwrap_or_else(PoisonError::into_inner).0.pop();
        self.pending -= usize::from(result.is_some());
        result
    }
}

#[derive(Default)]
struct Lookup {
    v6: Vec<SocketAddr>,
    v4: Vec<SocketAddr>,
    /// The error that explains most.
    failure: Option<LookupError>,
    /// A lookup has not ended in time.
    is_late: bool,
}

/// Collects the addresses found within `timeout`, or sooner once a reachable address is known.
fn collect(mut lookups: Lookups, port: u16, mut timeout: Duration) -> Lookup {
    let start = Instant::now();
    let mut lookup = Lookup::default();
    while lookups.pending > 0 {
        let left = timeout.saturating_sub(start.elapsed());
        let Some((family, result)) = lookups.next(left) else {
            lookup.is_late = true;
            break;
        };
        let found = match result {
            Ok(found) => found.into_iter().map(|it| SocketAddr::new(it, port)).collect::<Vec<_>>(),
            Err(error) => {
                if lookup.failure.is_none() || !has_no_address(&error) {
                    lookup.failure = Some(error);
                }
                continue;
            }
        };
        if found.first().copied().and_then(source_address).is_some() {
            timeout = timeout.min(start.elapsed() + OTHER_FAMILY_WAIT);
        }
        match family {
            Family::V6 => lookup.v6 = found,
            Family::V4 => lookup.v4 = found,
        }
    }
    lookup
}

/// Asks the C library for the addresses of one family.
fn addresses(host: &str, family: Family) -> Found {
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

/// Whether the error only means that the name has no address of this family.
fn has_no_address(error: &LookupError) -> bool {
    matches!(error.kind(), LookupErrorKind::NoName | LookupErrorKind::NoData)
}

fn failed(problem: &str) -> ConnectError {
    if Path::new(RESOLVER_CONFIG).exists() {
        return ConnectError::other(format!("DNS lookup {problem}"));
    }
    let reason = format!("DNS lookup {problem}; {RESOLVER_CONFIG} does not exist");
    ConnectError::new(ConnectErrorKind::NoNameServer, reason)
}

/// The source address that the kernel would choose for `target`; `None` without a route. Nothing is
/// sent.
fn source_address(target: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(target).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Puts the addresses of both families into the order in which to try them.
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
        (None, Some(_)) => return v4.into_iter().chain(v6).take(MAX_ADDRESSES).collect(),
        (Some(_), None) => return v6.into_iter().chain(v4).take(MAX_ADDRESSES).collect(),
        (Some(from), Some(_)) if is_local(from) && !is_local(v6[0].ip()) => (v4, v6),
        _ => (v6, v4),
    };
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut found = Vec::new();
    while found.len() < MAX_ADDRESSES {
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
        let source = |target: SocketAddr| {
            if target.is_ipv6() { from_v6.parse().ok() } else { from_v4.parse().ok() }
        };
        let found = in_order(read(v6), read(v4), source);
        let found: Vec<_> = found.iter().map(|it| it.ip().to_string()).collect();
        found.join(" ")
    }

    #[test]
    fn the_family_with_a_usable_route_comes_first() {
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
    fn at_most_sixteen_addresses_are_tried() {
        let many = "192.0.2.1 ".repeat(40);
        assert_eq!(ordered("", &many, "", "10.0.0.1").split(' ').count(), MAX_ADDRESSES);
        assert_eq!(ordered("2001:db8::1", &many, "", "10.0.0.1").split(' ').count(), MAX_ADDRESSES);
    }

    #[test]
    fn ip_addresses_and_localhost_need_no_dns_lookup() {
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
        assert_eq!(error.to_string(), "'192.0.2.1' has no IPv6 address");
        let error = found("a.invalid", None).unwrap_err();
        assert_eq!(error.to_string(), "DNS lookup took longer than 0ns");
    }
}
