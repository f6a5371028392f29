//! The conversation with the server, as `--debug` shows it: `>` what is sent, `<` what comes back, `*` what it took.

use std::time::{Duration, Instant};

use openai_videos::{ConnectTimings, Event};

/// What is known of the attempt that is under way.
#[derive(Default)]
pub(crate) struct DebugLog {
    began: Option<Instant>,
    /// Over a connection of its own, and not one that was open.
    connected: bool,
    /// How much of the request's body is on its way, and since when all of that is.
    sent: Option<(u64, Instant)>,
    /// How much of the content has come, if it is media.
    received: u64,
}

impl DebugLog {
    /// The lines that tell of an event, if it is part of the conversation.
    pub(crate) fn tell(&mut self, event: &Event<'_>) -> Option<String> {
        match event {
            Event::Request { method, url, headers } => {
                let before = self.end();
                *self = Self { began: Some(Instant::now()), ..Self::default() };
                Some(format!("{before}> {method} {url}\n{}", listed('>', headers)))
            }
            Event::Unreachable { address, why } => Some(format!("* {address}: {why}\n")),
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
                Some(format!("{}< HTTP {status}\n{}", self.answered(), listed('<', headers)))
            }
            Event::BodyRead { size } => Some(self.body(*size)),
            Event::Download { received, .. } => {
                self.received = *received;
                None
            }
            Event::Retry { after, asked, .. } => {
                let rule = match asked {
                    true => "the server asks for it",
                    false => "0.5 s, doubling up to 8 s, less up to a quarter",
                };
                Some(format!("* waits {}: {rule}\n", seconds(*after)))
            }
            _ => None,
        }
    }

    /// What is left to say when nothing follows.
    pub(crate) fn end(&mut self) -> String {
        match std::mem::take(&mut self.received) {
            0 => String::new(),
            size => format!("* {size} bytes of content after {}\n", self.took()),
        }
    }

    fn answered(&self) -> String {
        let Some(began) = self.began else {
            return String::new();
        };
        let again = match self.connected {
            true => "",
            false => "over the open connection, ",
        };
        let sent = self.sent.map_or(String::new(), |(bytes, at)| {
            let took = seconds(at.duration_since(began));
            format!("{bytes} bytes of body sent after {took}, ")
        });
        format!("* {again}{sent}answered after {}\n", seconds(began.elapsed()))
    }

    fn body(&self, size: u64) -> String {
        format!("* {size} bytes of body received after {}\n", self.took())
    }

    fn took(&self) -> String {
        seconds(self.began.map_or(Duration::ZERO, |began| began.elapsed()))
    }
}

/// `lookup 0.001 s, TCP 0.020 s, TLS 0.043 s`
fn steps(took: &ConnectTimings) -> String {
    let steps = [
        ("lookup", took.lookup),
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
