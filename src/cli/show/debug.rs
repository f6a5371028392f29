//! The output of `--debug`: `>` for what is sent, `<` for what is received, `*` for connections,
//! sizes and durations.

use std::time::{Duration, Instant};

use openai_videos::{ConnectTimings, Event};

/// The progress of the current attempt.
#[derive(Default)]
pub(crate) struct DebugLog {
    began: Option<Instant>,
    /// Whether it opened a connection, and did not reuse one.
    connected: bool,
    /// How many bytes of the request body were sent, and when the last of them was.
    sent: Option<(u64, Instant)>,
    /// How many bytes of media were received.
    received: u64,
}

impl DebugLog {
    /// The lines about an event, if it has any.
    pub(crate) fn lines(&mut self, event: &Event<'_>) -> Option<String> {
        match event {
            Event::Request { method, url, headers } => {
                let before = self.end();
                *self = Self { began: Some(Instant::now()), ..Self::default() };
                Some(format!("{before}> {method} {url}\n{}", listed('>', headers)))
            }
            Event::Unreachable { address, reason } => Some(format!("* {address}: {reason}\n")),
            Event::Connected { address, proxy, tls, took } => {
                self.connected = true;
                let to = match proxy {
                    None => address.to_string(),
                    Some(proxy) => format!("the proxy {proxy} ({address})"),
                };
                let over = tls.map_or(String::new(), |version| format!(", {version}"));
                Some(format!("* connected to {to}{over}: {}\n", steps(took)))
            }
            Event::Upload { sent, .. } => {
                if self.sent.is_none_or(|(before, _)| before < *sent) {
                    self.sent = Some((*sent, Instant::now()));
                }
                None
            }
            Event::Response { status, headers } => {
                Some(format!("{}< HTTP {status}\n{}", self.response(), listed('<', headers)))
            }
            Event::BodyRead { size } => {
                Some(format!("* {size} bytes of body received after {}\n", self.elapsed()))
            }
            Event::Download { received, .. } => {
                self.received = *received;
                None
            }
            Event::Retry { after, asked, .. } => {
                let rule = if *asked {
                    ", as the server asks"
                } else {
                    " (0.5 s, doubling up to 8 s, less up to 25 %)"
                };
                Some(format!("* retrying in {}{rule}\n", seconds(*after)))
            }
            _ => None,
        }
    }

    /// The line about the received media, if any, once the download has ended.
    pub(crate) fn end(&mut self) -> String {
        match std::mem::take(&mut self.received) {
            0 => String::new(),
            size => format!("* {size} bytes of content received after {}\n", self.elapsed()),
        }
    }

    fn response(&self) -> String {
        let Some(began) = self.began else {
            return String::new();
        };
        let reused = if self.connected { "" } else { "reused connection, " };
        let sent = self.sent.map_or(String::new(), |(bytes, at)| {
            let took = seconds(at.duration_since(began));
            format!("{bytes} bytes of body sent after {took}, ")
        });
        format!("* {reused}{sent}response after {}\n", self.elapsed())
    }

    fn elapsed(&self) -> String {
        seconds(self.began.map_or(Duration::ZERO, |began| began.elapsed()))
    }
}

/// `DNS 0.001 s, TCP 0.020 s, TLS 0.043 s`
fn steps(took: &ConnectTimings) -> String {
    let steps = [
        ("DNS", took.lookup),
        ("TCP", took.connect),
        ("proxy", took.proxy),
        ("TLS", took.handshake),
    ];
    let steps: Vec<String> = steps
        .into_iter()
        .filter(|(_, took)| !took.is_zero())
        .map(|(step, took)| format!("{step} {}", seconds(took)))
        .collect();
    steps.join(", ")
}

fn seconds(took: Duration) -> String {
    format!("{}.{:03} s", took.as_secs(), took.subsec_millis())
}

fn listed(mark: char, headers: &[(String, String)]) -> String {
    headers.iter().map(|(name, value)| format!("{mark} {name}: {value}\n")).collect()
}
