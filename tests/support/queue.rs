//! A listener whose queue can be filled, so that the next connection hangs: nobody lets it in or turns it away.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// A listener on loopback that keeps nobody waiting beyond what the kernel does by itself, and its address.
pub fn short_queue() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any_port.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// Those who wait, as many as there is room for. As long as they are kept, whoever comes next hangs.
pub fn fill(address: SocketAddr) -> Vec<TcpStream> {
    let guest = || TcpStream::connect_timeout(&address, Duration::from_millis(50)).ok();
    std::iter::from_fn(guest).collect()
}
