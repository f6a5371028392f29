//! The stand-in server: HTTP/1.1 on loopback, one thread per connection, in two manners. `Server::script`
//! gives prepared replies and fails on unmet and on extra requests, `Server::videos` is a small Videos API.

use std::collections::VecDeque;
use std::fmt::Write;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::reply::{After, Reply};
use super::request::{Incoming, Request};
use super::videos::Videos;
use super::wire::{Gate, Wire, lock};

/// How long the waiting functions wait before they give up.
const WAIT: Duration = Duration::from_secs(30);

#[must_use = "call finish(), which checks that every scripted reply was asked for"]
pub struct Server {
    address: SocketAddr,
    listener: TcpListener,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
    finished: bool,
}

struct Shared {
    gate: Arc<Gate>,
    resume: Arc<Gate>,
    log: Mutex<Log>,
    progress: Condvar,
    manner: Manner,
}

#[derive(Default)]
struct Log {
    requests: Vec<Request>,
    /// How many requests were read as far as their reply wanted them.
    heard: usize,
    extra: usize,
    /// What came over the wire and was no request.
    notes: Vec<String>,
}

enum Manner {
    Script(Mutex<VecDeque<Reply>>),
    Videos(Mutex<Videos>),
}

impl Server {
    /// The n-th request, over all connections, gets the n-th reply.
    pub fn script(replies: Vec<Reply>) -> Server {
        let manner = Manner::Script(Mutex::new(replies.into()));
        Server::start(0, manner).expect("a free port on 127.0.0.1")
    }

    /// A Videos API with no videos in it.
    pub fn videos() -> Server {
        Server::videos_at(0, None).expect("a free port on 127.0.0.1")
    }

    /// A Videos API on a given port (0: any), which asks for `key` where there is one.
    pub fn videos_at(port: u16, key: Option<&str>) -> io::Result<Server> {
        Server::start(port, Manner::Videos(Mutex::new(Videos::new(key))))
    }

    fn start(port: u16, manner: Manner) -> io::Result<Server> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let shared = Arc::new(Shared {
            gate: Arc::default(),
            resume: Arc::default(),
            log: Mutex::default(),
            progress: Condvar::new(),
            manner,
        });
        let acceptor = {
            let (listener, shared) = (listener.try_clone()?, Arc::clone(&shared));
            thread::spawn(move || accept(&listener, &shared))
        };
        Ok(Server {
            address: listener.local_addr()?,
            listener,
            shared,
            acceptor: Some(acceptor),
            finished: false,
        })
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `http://127.0.0.1:PORT/v1`
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Waits until the heads of this many requests were read. Panics after 30 s.
    pub fn wait_for_heads(&self, requests: usize) {
        self.wait_until(&format!("{requests} heads"), |log| {
            log.requests.len() >= requests
        });
    }

    /// Waits until this many requests were read as far as their replies wanted them. Panics after 30 s.
    pub fn wait_for(&self, requests: usize) {
        self.wait_until(&format!("{requests} requests"), |log| log.heard >= requests);
    }

    fn wait_until(&self, what: &str, came: impl Fn(&Log) -> bool) {
        let log = lock(&self.shared.log);
        let waited = self
            .shared
            .progress
            .wait_timeout_while(log, WAIT, |log| !came(log));
        let (log, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(
            !timeout.timed_out(),
            "{what} did not come\n{}",
            log.conversation()
        );
    }

    /// Lets replies that paused go on.
    pub fn resume(&self) {
        self.shared.resume.open();
    }

    /// Stops the server and returns what was asked of it. Panics where a scripted reply was not asked for,
    /// and where a request came for which there was none.
    pub fn finish(mut self) -> Vec<Request> {
        self.stop();
        self.finished = true;
        let log = std::mem::take(&mut *lock(&self.shared.log));
        let unmet = match &self.shared.manner {
            Manner::Script(replies) => lock(replies).len(),
            Manner::Videos(_) => 0,
        };
        assert!(
            unmet == 0 && log.extra == 0,
            "{unmet} replies were not asked for, {} requests had no reply\n{}",
            log.extra,
            log.conversation()
        );
        log.requests
    }

    /// Everything that reached the server before this call is still read and answered.
    fn stop(&mut self) {
        let Some(acceptor) = self.acceptor.take() else {
            return;
        };
        self.shared.gate.open();
        self.shared.resume.open();
        // The acceptor sits in a blocking accept: one more connection wakes it, and it then takes what is
        // left and stops where it would have to wait.
        drop(
            self.listener
                .set_nonblocking(true)
                .and_then(|()| TcpStream::connect(self.address)),
        );
        let joined = acceptor.join();
        if !thread::panicking() {
            joined.expect("the server's threads should not panic");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        assert!(
            self.finished || thread::panicking(),
            "the server was dropped without finish(), so nothing was checked"
        );
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut connections = Vec::new();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                let (shared, number) = (Arc::clone(shared), connections.len());
                connections.push(thread::spawn(move || shared.converse(stream, number)));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(error) => panic!("accept: {error}"),
        }
    }
    for connection in connections {
        connection
            .join()
            .expect("a connection's thread should not panic");
    }
}

impl Shared {
    fn converse(&self, stream: TcpStream, number: usize) {
        // A stream that has no options left was reset before its turn came.
        let Ok(mut wire) = Wire::new(stream, Arc::clone(&self.gate), Arc::clone(&self.resume))
        else {
            return;
        };
        loop {
            match Incoming::head(&mut wire, number) {
                Ok(None) => return,
                Err(note) => return lock(&self.log).notes.push(note),
                Ok(Some(mut incoming)) => match self.exchange(&mut incoming, &mut wire) {
                    Ok(After::KeepAlive) => {}
                    Ok(After::Close) | Err(_) => return,
                },
            }
        }
    }

    fn exchange(&self, incoming: &mut Incoming, wire: &mut Wire) -> io::Result<After> {
        let (index, scripted) = self.record(&incoming.request);
        let reply = match (scripted, &self.manner) {
            (Some(reply), _) => {
                let there = reply.read(incoming, wire);
                there.map(|there| there.then_some(reply))
            }
            (None, Manner::Videos(videos)) => incoming
                .let_continue(wire)
                .and_then(|()| incoming.read_body(wire, u64::MAX))
                .map(|()| {
                    incoming
                        .request
                        .whole
                        .then(|| lock(videos).answer(&incoming.request))
                }),
            (None, Manner::Script(_)) => Ok(Some(
                Reply::status(500)
                    .body("no reply is left in the script")
                    .early(),
            )),
        };
        incoming.request.answer = match &reply {
            Ok(Some(reply)) => reply.to_string(),
            Ok(None) => "none: the client hung up".to_owned(),
            Err(error) => format!("none: {error}"),
        };
        self.update(index, &incoming.request);
        let Some(reply) = reply? else {
            return Ok(After::Close);
        };
        let after = reply.send(incoming, wire);
        self.update(index, &incoming.request);
        after
    }

    /// Writes the request down in the order of arrival and takes its reply from the script.
    fn record(&self, request: &Request) -> (usize, Option<Reply>) {
        let mut log = lock(&self.log);
        log.requests.push(request.clone());
        self.progress.notify_all();
        let index = log.requests.len() - 1;
        let Manner::Script(replies) = &self.manner else {
            return (index, None);
        };
        let reply = lock(replies).pop_front();
        log.extra += usize::from(reply.is_none());
        (index, reply)
    }

    fn update(&self, index: usize, request: &Request) {
        let mut log = lock(&self.log);
        log.heard += usize::from(log.requests[index].answer.is_empty());
        log.requests[index] = request.clone();
        self.progress.notify_all();
    }
}

impl Log {
    fn conversation(&self) -> String {
        let mut text = String::from("the conversation:\n");
        for (index, request) in self.requests.iter().enumerate() {
            let _ = writeln!(text, "request {index}, {request}");
        }
        for note in &self.notes {
            let _ = writeln!(text, "no request: {note}");
        }
        text
    }
}
