//! Counts the bytes of a request body while it is uploaded.

use std::io::{self, Read};

use crate::api::error::Error;
use crate::api::event::{Event, Report};
use crate::net::tracker::Tracker;

/// Reads a request body for ureq. It reports the progress, keeps the error of the body's own
/// reader, which ureq would turn into text, and stops reading once the server has responded early.
pub(crate) struct UploadMeter<'a> {
    pub(crate) reader: Box<dyn Read + 'a>,
    pub(crate) tracker: &'a Tracker,
    pub(crate) report: &'a Report,
    pub(crate) sent: u64,
    pub(crate) total: Option<u64>,
    pub(crate) failure: Option<Error>,
}

impl Read for UploadMeter<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.tracker.has_early_response() {
            // The tracker drops these bytes: ureq insists on a body of the announced length.
            let left = self.total.map_or(0, |total| total - self.sent);
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            self.sent += count as u64;
            return Ok(count);
        }
        match self.reader.read(buffer) {
            Ok(count) => {
                self.sent += count as u64;
                (self.report)(&Event::Upload { sent: self.sent, total: self.total });
                Ok(count)
            }
            Err(error) => {
                let kind = error.kind();
                self.failure =
                    Some(match error.into_inner().map(|inner| inner.downcast::<Error>()) {
                        Some(Ok(error)) => *error,
                        _ => Error::file("cannot read the request body", kind.into()),
                    });
                Err(kind.into())
            }
        }
    }
}
