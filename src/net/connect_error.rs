//! What stands in the way of a connection, as far as it can be told apart: a front end gives each its own advice.

use std::fmt;

use crate::settings::proxy::Proxy;

/// Why there is no connection: the source of [`Error::Connect`](crate::api::error::Error::Connect), to be had from it with
/// `downcast_ref`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectError {
    /// The reason in words: one line, lower case, without a full stop.
    pub why: String,
    /// The kind of reason.
    pub kind: ConnectErrorKind,
}

/// The kinds of reason that call for different remedies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The server's certificate is not valid yet or not any more, by the clock of this machine.
    Clock,
    /// Nobody who is trusted has signed the server's certificate.
    Issuer,
    /// The server's certificate is one for signing others (`CA:TRUE`), which no server may show.
    CaCertificate,
    /// The server does not speak TLS.
    NoTls,
    /// The server asks for a client certificate, or for another one.
    ClientCertificate,
    /// The proxy asks for credentials, or for others.
    ProxyCredentials,
    /// A name was to be looked up where no name server is known.
    NoNameServer,
    /// Anything else.
    Other,
}

impl ConnectError {
    pub(crate) fn new(kind: ConnectErrorKind, why: impl Into<String>) -> Self {
        Self { why: why.into(), kind }
    }

    pub(crate) fn other(why: impl Into<String>) -> Self {
        Self::new(ConnectErrorKind::Other, why)
    }

    /// The same on the way to a proxy.
    pub(crate) fn at_proxy(self, proxy: &Proxy) -> Self {
        let why = format!("the proxy {}: {}", proxy.place(), self.why);
        Self { why, ..self }.behind_proxy()
    }

    /// The same at a server that a proxy leads to: that there is no TLS is not mended with another URL.
    pub(crate) fn behind_proxy(self) -> Self {
        match self.kind {
            ConnectErrorKind::NoTls => Self::other(self.why),
            _ => self,
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for ConnectError {}
