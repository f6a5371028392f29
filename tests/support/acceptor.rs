//! Takes connections on loopback, and serves each on a thread of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

/// Stops when dropped, after the connections that it has.
pub struct Acceptor {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    connections: AtomicUsize,
}

impl Acceptor {
    /// What goes wrong on a connection is nobody's concern: it is what many tests are about.
    pub fn start(serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Acceptor {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let thread = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.accept(&listener, Arc::new(serve)))
        };
        Acceptor {
            address,
            shared,
            thread: Some(thread),
        }
    }

    /// How many there were so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    pub fn stop(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        self.shared.stop.store(true, Ordering::SeqCst);
        // It sits in accept.
        drop(TcpStream::connect(self.address));
        let joined = thread.join();
        assert!(joined.is_ok() || thread::panicking());
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn accept<S>(&self, listener: &TcpListener, serve: Arc<S>)
    where
        S: Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
    {
        let mut threads = Vec::new();
        for stream in listener.incoming() {
            if self.stop.load(Ordering::SeqCst) {
                break;
            }
            self.connections.fetch_add(1, Ordering::SeqCst);
            let (serve, stream) = (Arc::clone(&serve), stream.unwrap());
            threads.push(thread::spawn(move || drop(serve(stream))));
        }
        for thread in threads {
            thread.join().unwrap();
        }
    }
}
