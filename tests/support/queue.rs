//! A listener whose backlog can be filled, so that the next connection is neither accepted nor
//! refused.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// A listener on loopback with the shortest backlog that the kernel allows, and its address.
pub fn short_queue() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any_port.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// Fills the backlog. While the returned connections are kept, the next one gets no reply from the
/// kernel.
pub fn fill(address: SocketAddr) -> Vec<TcpStream> {
    let connection = || TcpStream::connect_timeout(&address, Duration::from_millis(50)).ok();
    std::iter::from_fn(connection).collect()
}
