//! The trait that connections implement beside ureq's, and the resolver that ureq requires.

use std::fmt;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{NextTimeout, Transport};

/// A connection that can be read and written past its buffers.
pub(crate) trait DirectTransport: Transport {
    /// Reads the bytes that have arrived, or waits for some. `0`: the end.
    fn read(&mut self, room: &mut [u8], timeout: NextTimeout) -> Result<usize, ureq::Error>;

    /// Writes all bytes.
    fn write(&mut self, bytes: &[u8], timeout: NextTimeout) -> Result<(), ureq::Error>;

    /// Reads what the input buffer holds, or else as [`DirectTransport::read`] does.
    fn read_on(&mut self, room: &mut [u8], timeout: NextTimeout) -> Result<usize, ureq::Error> {
        let buffers = self.buffers();
        let count = buffers.input().len().min(room.len());
        if count == 0 {
            return self.read(room, timeout);
        }
        room[..count].copy_from_slice(&buffers.input()[..count]);
        buffers.input_consume(count);
        Ok(count)
    }
}

/// A resolver that finds nothing. ureq looks up a host before every request, even if a connection
/// is open; `ServerConnector` does it when it opens one.
pub(crate) struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

impl fmt::Debug for NoResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoResolver")
    }
}
