//! The stand-in server: HTTP/1.1 on loopback, a thread for each connection. `Server::script` sends
//! scripted replies and fails the test on a missing and on an unexpected request; `Server::videos`
//! is a small Videos API, and `Server::like` another server's version of it.

use std::collections::VecDeque;
use std::fmt::Write;
use std::io;
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::exchange::After;
use super::reply::Reply;
use super::videos_api::connection::{Connection, Gate, lock};
use super::videos_api::imitation::{Respond, media_host, server_like};
use super::videos_api::listener::Listener;
use super::videos_api::request::Request;
use super::videos_api::request_reader::RequestReader;
use super::videos_api::videos::Videos;

/// How long `wait_for` waits before it fails.
const WAIT: Duration = Duration::from_secs(30);

#[must_use = "call finish(), which checks that every scripted reply was sent"]
pub struct Server {
    listener: Listener,
    shared: Arc<Shared>,
    finished: bool,
}

struct Shared {
    stop: Arc<Gate>,
    /// Opens when paused replies are to continue.
    resume: Gate,
    log: Mutex<Log>,
    progress: Condvar,
    manner: Manner,
}

enum Manner {
    Script(Mutex<VecDeque<Reply>>),
    Respond(Mutex<Respond>),
}

#[derive(Default)]
struct Log {
    exchanges: Vec<Exchange>,
    /// The number of requests without a reply in the script.
    unexpected: usize,
    /// Errors of connections on which no request could be read.
    errors: Vec<String>,
}

struct Exchange {
    request: Request,
    /// The response in words. `None` until the request was read as far as its reply sets.
    response: Option<String>,
}

impl Server {
    /// Sends the n-th reply to the n-th request, counted over all connections.
    pub fn script(replies: Vec<Reply>) -> Server {
        Server::start(Manner::Script(Mutex::new(replies.into())))
    }

    /// A Videos API without any jobs, which accepts any API key.
    pub fn videos() -> Server {
        let mut videos = Videos::new(None);
        Server::responding(Box::new(move |request| videos.respond(request)))
    }

    /// A server that speaks the Videos API as the one with this name does, and the host of its
    /// media, where the first `expired` URLs that the server gives out are not valid any more.
    pub fn like(name: &str, key: Option<&str>, expired: usize) -> (Server, Server) {
        let media = Server::responding(media_host(expired));
        let respond = server_like(name, key, &media.origin());
        (Server::responding(respond.expect("a known server")), media)
    }

    fn responding(respond: Respond) -> Server {
        Server::start(Manner::Respond(Mutex::new(respond)))
    }

    fn start(manner: Manner) -> Server {
        let shared = Arc::new(Shared {
            stop: Arc::default(),
            resume: Gate::default(),
            log: Mutex::default(),
            progress: Condvar::new(),
            manner,
        });
        let listener = {
            let shared = Arc::clone(&shared);
            Listener::start(0, move |stream, number| shared.serve(stream, number))
        };
        Server { listener: listener.expect("a free port on 127.0.0.1"), shared, finished: false }
    }

    pub fn port(&self) -> u16 {
        self.listener.address.port()
    }

    /// `http://127.0.0.1:PORT`
    pub fn origin(&self) -> String {
        format!("http://{}", self.listener.address)
    }

    /// `http://127.0.0.1:PORT/v1`
    pub fn base_url(&self) -> String {
        self.origin() + "/v1"
    }

    /// Waits until this many requests were read as far as their replies set. Panics after 30 s.
    pub fn wait_for(&self, requests: usize) {
        let log = lock(&self.shared.log);
        let waited =
            self.shared.progress.wait_timeout_while(log, WAIT, |log| log.read() < requests);
        let (log, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "{requests} requests did not arrive\n{}", log.conversation());
    }

    /// Serves every connection that has reached the server to its end, which its client has closed.
    pub fn settle(&mut self) {
        self.listener.stop();
        self.listener.resume().expect("the listener's address");
    }

    /// Lets paused replies continue.
    pub fn resume(&self) {
        self.shared.resume.open();
    }

    /// Stops the server and returns the requests, in the order of their arrival. Panics if a
    /// scripted reply was not sent, and if a request had no reply in the script.
    pub fn finish(mut self) -> Vec<Request> {
        self.stop();
        self.finished = true;
        let log = std::mem::take(&mut *lock(&self.shared.log));
        let unsent = match &self.shared.manner {
            Manner::Script(replies) => lock(replies).len(),
            Manner::Respond(_) => 0,
        };
        assert!(
            unsent == 0 && log.unexpected == 0,
            "{unsent} replies were not asked for, {} requests had no reply\n{}",
            log.unexpected,
            log.conversation()
        );
        let exchanges = log.exchanges.into_iter();
        exchanges.map(|exchange| exchange.request).collect()
    }

    /// Reads and replies to everything that has reached the server, then stops it.
    fn stop(&mut self) {
        self.shared.stop.open();
        self.shared.resume.open();
        self.listener.stop();
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

impl Shared {
    fn serve(&self, stream: TcpStream, number: usize) {
        // Fails if the client reset the connection before this thread started.
        let Ok(mut connection) = Connection::new(stream, Arc::clone(&self.stop)) else {
            return;
        };
        loop {
            match RequestReader::head(&mut connection, number) {
                Ok(None) => return,
                Err(error) => return lock(&self.log).errors.push(error),
                Ok(Some(mut reader)) => match self.exchange(&mut reader, &mut connection) {
                    Ok(After::KeepAlive) => {}
                    Ok(After::Close) | Err(_) => return,
                },
            }
        }
    }

    fn exchange(
        &self,
        reader: &mut RequestReader,
        connection: &mut Connection,
    ) -> io::Result<After> {
        match &self.manner {
            Manner::Script(replies) => self.reply(replies, reader, connection),
            Manner::Respond(respond) => self.respond(respond, reader, connection),
        }
    }

    fn reply(
        &self,
        replies: &Mutex<VecDeque<Reply>>,
        reader: &mut RequestReader,
        connection: &mut Connection,
    ) -> io::Result<After> {
        let (index, reply) = {
            // Locked for both, as the n-th request gets the n-th reply.
            let mut log = lock(&self.log);
            (log.add(&reader.request), log.next_reply(replies))
        };
        let received = reply.receive(reader, connection);
        self.update(index, reader, &received, &reply.to_string());
        if !received? {
            return Ok(After::Close);
        }
        let after = reply.send(reader, connection, &self.resume);
        // Some replies read more of the body while they are sent.
        lock(&self.log).exchanges[index].request = reader.request.clone();
        after
    }

    fn respond(
        &self,
        respond: &Mutex<Respond>,
        reader: &mut RequestReader,
        connection: &mut Connection,
    ) -> io::Result<After> {
        let index = lock(&self.log).add(&reader.request);
        let received = reader.read_whole(connection);
        if !matches!(received, Ok(true)) {
            self.update(index, reader, &received, "");
            return received.map(|_| After::Close);
        }
        let response = lock(respond)(&reader.request);
        self.update(index, reader, &received, &response.status.to_string());
        response.send(connection).map(|()| After::KeepAlive)
    }

    /// Logs the part of a request that was read, and its response in words.
    fn update(
        &self,
        index: usize,
        reader: &RequestReader,
        received: &io::Result<bool>,
        response: &str,
    ) {
        lock(&self.log).exchanges[index] = Exchange {
            request: reader.request.clone(),
            response: Some(match received {
                Ok(true) => response.to_owned(),
                Ok(false) => "none: the client closed the connection".to_owned(),
                Err(error) => format!("none: {error}"),
            }),
        };
        self.progress.notify_all();
    }
}

impl Log {
    /// Adds a request and returns its index.
    fn add(&mut self, request: &Request) -> usize {
        self.exchanges.push(Exchange { request: request.clone(), response: None });
        self.exchanges.len() - 1
    }

    fn next_reply(&mut self, replies: &Mutex<VecDeque<Reply>>) -> Reply {
        lock(replies).pop_front().unwrap_or_else(|| {
            self.unexpected += 1;
            Reply::status(500).body("no reply is left in the script").early()
        })
    }

    /// The number of requests that were read as far as their replies set.
    fn read(&self) -> usize {
        let read = |exchange: &&Exchange| exchange.response.is_some();
        self.exchanges.iter().filter(read).count()
    }

    fn conversation(&self) -> String {
        let mut text = String::from("the conversation:\n");
        for (index, Exchange { request, response }) in self.exchanges.iter().enumerate() {
            let response = response.as_deref().unwrap_or("none yet");
            let _ = writeln!(text, "request {index}, {request}    response: {response}");
        }
        for error in &self.errors {
            let _ = writeln!(text, "error: {error}");
        }
        text
    }
}
