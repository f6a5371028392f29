//! One connection: DNS, TCP, proxies and TLS, as a transport for ureq.
//!
//! Each module imports only modules above it in this list:
//!
//! ```text
//! buffers, connect_error, crate_messages, response_head
//! transport, tls_errors, server_certificate, proxy_handshake, dns
//! routes, tcp, tls_session, direct_read
//! tls, tracker
//! connect
//! ```
//!
//! # Faults and limits of ureq 3.5.2 and ureq-proto 0.7.1
//!
//! Each entry: the fault, where it is, and the code here that can be deleted once it is fixed
//! there.
//!
//! Reading responses
//! - A reset or an end in the middle of a body without a length counts as its end:
//!   `BodyHandler::do_read` in ureq's `run.rs`. `direct_read::cut_error`.
//! - A body is copied once more, and is scanned row by row for a trace log: `BodyReader::read` in
//!   ureq-proto's `body.rs`, `log_data` in `util.rs`. ureq's `BodyReader` cannot give its
//!   connection back. `direct_read`.
//! - The transfer coding of an HTTP/1.0 response and every coding but `chunked` are ignored:
//!   `BodyReader::header_defined` in ureq-proto's `body.rs`.
//!   `TrackedTransport::check_transfer_coding`.
//! - `100 Continue` with header fields is an error: `Call::try_read_100` in ureq-proto's
//!   `client/await100.rs`, and `Call::do_try_response` in `client/recvresp.rs`.
//!   `TrackedTransport::skip_informational`.
//! - A final response in place of `100 Continue` stays in the buffer, and more input is awaited
//!   before it is parsed: `await_100` and `recv_response` in ureq's `run.rs`.
//!   `TrackedTransport::has_untried_input`.
//! - The body timeout applies to every kind of body, and must be set before the request: `Config`
//!   in ureq's `config.rs`. `Tracker::start_transfer` and `Tracker::input_timeout`.
//!
//! Sending requests
//! - An error does not tell whether a byte of the request was sent: `Error` in ureq's `error.rs`.
//!   `Tracker::is_sent`.
//! - A write error ends a request, although the server may have sent a response before it closed
//!   the connection: `send_request` and `send_body` in ureq's `run.rs`.
//!   `TrackedTransport::read_early_response`, `Phase::EarlyResponse`, and the padding in
//!   `UploadMeter`.
//! - A POST is sent over an idle connection, which the server may be closing: `Pool::get` in ureq's
//!   `pool.rs`. `needs_new` of `Phase::Unsent`.
//! - The buffers are zeroed as a whole for the shortest request: `LazyBuffers::ensure_allocation`
//!   in ureq's `unversioned/transport/buf.rs`. `buffers`.
//!
//! Opening connections
//! - A host is looked up for each request, even if a connection is open: `connect` in ureq's
//!   `run.rs`. `NoResolver`.
//! - Both address families are looked up in one call, which fails with musl if the name server
//!   responds to one of them with an error: `DefaultResolver::resolve` in ureq's
//!   `unversioned/resolver.rs`. `dns`.
//! - Each step has the whole connect timeout: `ConnectionDetails::timeout` in ureq's
//!   `unversioned/transport/mod.rs`, whose comment says so. `connect`.
//! - An `http` URL goes through a CONNECT tunnel, which many proxies refuse for port 80:
//!   `ConnectProxyConnector` in ureq's `unversioned/transport/connect.rs`. `AbsoluteForm`.
//! - A write restarts its timeout with each part that the kernel takes:
//!   `TcpTransport::transmit_output` in ureq's `unversioned/transport/tcp.rs`. `tcp`.
//! - Plaintext that is left after a response, or a close_notify, does not keep a connection from
//!   being reused: `RustlsTransport::is_open` in ureq's `tls/rustls.rs`. `tls`.

pub(crate) mod buffers;
pub(crate) mod connect;
pub(crate) mod connect_error;
pub(crate) mod crate_messages;
pub(crate) mod direct_read;
pub(crate) mod dns;
pub(crate) mod proxy_handshake;
pub(crate) mod response_head;
pub(crate) mod routes;
pub(crate) mod server_certificate;
pub(crate) mod tcp;
pub(crate) mod tls;
pub(crate) mod tls_errors;
pub(crate) mod tls_session;
pub(crate) mod tracker;
pub(crate) mod transport;
