//! One connection: DNS, TCP, proxies and TLS, as a transport for ureq.

pub(crate) mod buffers;
pub(crate) mod connect;
pub(crate) mod connect_error;
pub(crate) mod crate_messages;
pub(crate) mod direct_read;
pub(crate) mod dns;
pub(crate) mod proxy_handshake;
pub(crate) mod response_head;
pub(crate) mod routes;
pub(crate) mod tcp;
pub(crate) mod tls;
pub(crate) mod tls_errors;
pub(crate) mod tracker;
pub(crate) mod transport;
