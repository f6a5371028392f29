//! A listener on loopback that serves each connection on a thread of its own.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// Stops when dropped, as [`Listener::stop`] does.
pub struct Listener {
    pub address: SocketAddr,
    listener: Arc<TcpListener>,
    serve: Serve,
    thread: Option<JoinHandle<()>>,
}

type Serve = Arc<dyn Fn(TcpStream, usize) + Send + Sync>;

impl Listener {
    /// Listens on this port of 127.0.0.1, or on any free one for 0. `serve` gets each connection
    /// with its number, which is 0 for the first.
    pub fn start(
        port: u16,
        serve: impl Fn(TcpStream, usize) + Send + Sync + 'static,
    ) -> io::Result<Listener> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let (listener, serve) = (Arc::new(listener), Arc::new(serve));
        let mut started = Listener { address, listener, serve, thread: None };
        started.resume()?;
        Ok(started)
    }

    /// Listens again after [`Listener::stop`], at the same address.
    pub fn resume(&mut self) -> io::Result<()> {
        self.listener.set_nonblocking(false)?;
        let (listener, serve) = (Arc::clone(&self.listener), Arc::clone(&self.serve));
        self.thread = Some(thread::spawn(move || accept(&listener, &serve)));
        Ok(())
    }

    /// Serves every connection that has reached the listener so far to its end, then stops. Panics
    /// where one of their threads did.
    pub fn stop(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        // The thread blocks in `accept`. One more connection wakes it, and it stops when no other
        // one is queued.
        drop(self.listener.set_nonblocking(true).and_then(|()| TcpStream::connect(self.address)));
        let joined = thread.join();
        if !thread::panicking() {
            joined.expect("the server's threads should not panic");
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

fn accept(listener: &TcpListener, serve: &Serve) {
    let mut connections = Vec::new();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                let (serve, number) = (Arc::clone(serve), connections.len());
                connections.push(thread::spawn(move || serve(stream, number)));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(error) => panic!("accept: {error}"),
        }
    }
    for connection in connections {
        connection.join().expect("a connection's thread should not panic");
    }
}
