//! Why a connection could not be opened, in words and as a kind for which a front end has a hint.

use std::fmt;

use crate::settings::proxy::Proxy;

/// Why a connection could not be opened: the source of
/// [`Error::Connect`](crate::api::error::Error::Connect), available from it with `downcast_ref`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectError {
    /// The reason in words: one line, lower case, without a full stop.
    pub reason: String,
    /// The kind of reason.
    pub kind: ConnectErrorKind,
}

/// The kinds of reason that have different remedies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The server's certificate has expired or is not valid yet, by the clock of this machine.
    Clock,
    /// The server's certificate is not signed by a trusted issuer.
    Issuer,
    /// The server's certificate is a CA certificate (`CA:TRUE`), which a server may not present.
    CaCertificate,
    /// The server does not speak TLS.
    NoTls,
    /// The server requires a client certificate, or rejected this one.
    ClientCertificate,
    /// The proxy requires credentials, or rejected these.
    ProxyCredentials,
    /// A host name needs a DNS lookup, and no name server is configured.
    NoNameServer,
    /// Anything else.
    Other,
}

impl ConnectError {
    pub(crate) fn new(kind: ConnectErrorKind, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), kind }
    }

    pub(crate) fn other(reason: impl Into<String>) -> Self {
        Self::new(ConnectErrorKind::Other, reason)
    }

    /// The error of a connection to a proxy.
    pub(crate) fn at_proxy(self, proxy: &Proxy) -> Self {
        let reason = format!("the proxy {}: {}", proxy.host_and_port(), self.reason);
        Self { reason, ..self }.behind_proxy()
    }

    /// The error of a server behind a proxy: the remedy for a missing TLS, another base URL, does
    /// not apply.
    pub(crate) fn behind_proxy(self) -> Self {
        match self.kind {
            ConnectErrorKind::NoTls => Self::other(self.reason),
            _ => self,
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for ConnectError {}
