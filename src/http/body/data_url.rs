//! JSON bodies with the video as a `data:` URL (RFC 2397), which is encoded while it is sent: in
//! constant memory, with an exact length for a regular file.
//!
//! ```text
//! {"prompt":"It snows","video":{"url":"data:video/mp4;base64,AAAAIGZ0eXBpc29t..."}}
//! ```

use std::io::{self, Read};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::api::error::Error;
use crate::api::operation::ReferenceRule;
use crate::api::reference::Upload;
use crate::http::body::source::Source;

/// How many bytes of the video are encoded at once, at most: a multiple of 3, so that no padding
/// stands between the pieces. They become 64 KiB, as much as ureq sends at once.
const PIECE: usize = 48 * 1024;
/// The text after the base64.
const TAIL: &str = "\"}}";

/// A JSON object whose last member is the video. It can be opened for several attempts, unless the
/// video is a stream.
pub(crate) struct DataUrl<'a> {
    /// Everything before the base64.
    head: String,
    source: Source<'a>,
}

impl<'a> DataUrl<'a> {
    /// Appends the upload to `fields`, a JSON object with at least one member, as the reference of
    /// this rule.
    ///
    /// # Errors
    /// As [`Source::of`].
    pub(crate) fn new(
        fields: &str,
        rule: &ReferenceRule,
        upload: &'a Upload,
    ) -> Result<Self, Error> {
        let source = Source::of(upload)?;
        let members = fields.strip_suffix('}').unwrap_or(fields);
        let content_type = source.content_type();
        let (field, url) = (rule.field, rule.url);
        let head = format!("{members},\"{field}\":{{\"{url}\":\"data:{content_type};base64,");
        Ok(Self { head, source })
    }

    /// The exact length of the body in bytes, or `None` for a stream.
    pub(crate) fn len(&self) -> Option<u64> {
        let base64 = self.source.len()?.div_ceil(3) * 4;
        Some(self.head.len() as u64 + base64 + TAIL.len() as u64)
    }

    /// The body with a placeholder for the base64, such as `[1234 bytes]`.
    pub(crate) fn preview(&self) -> String {
        let size = self
            .source
            .len()
            .map_or("a stream of unknown length".to_owned(), |size| format!("{size} bytes"));
        format!("{}[{size}]{TAIL}", self.head)
    }

    /// Opens the body from its first byte. `stall` is the stall timeout of a stream.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub(crate) fn open(&self, stall: Duration) -> Result<Box<dyn Read + '_>, Error> {
        let base64 = Base64Reader::new(self.source.open(stall)?);
        Ok(Box::new(self.head.as_bytes().chain(base64).chain(TAIL.as_bytes())))
    }
}

/// Encodes the bytes of another reader in base64 with padding (RFC 4648, section 4).
struct Base64Reader<R> {
    plain: R,
    piece: Vec<u8>,
    /// Four characters for a buffer that has no room for them, and how many of them are left.
    group: [u8; 4],
    left: usize,
}

impl<R: Read> Base64Reader<R> {
    fn new(plain: R) -> Self {
        Self { plain, piece: vec![0; PIECE], group: [0; 4], left: 0 }
    }

    /// Encodes the next piece into `buffer`, of at least 4 bytes: 0 at the end.
    fn encode(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = (buffer.len() / 4 * 3).min(PIECE);
        let mut filled = 0;
        // Only the last piece may be shorter, as padding ends the text.
        while filled < size {
            match self.plain.read(&mut self.piece[filled..size]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        STANDARD.encode_slice(&self.piece[..filled], buffer).map_err(io::Error::other)
    }
}

impl<R: Read> Read for Base64Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && buffer.len() >= 4 {
            return self.encode(buffer);
        }
        if self.left == 0 && !buffer.is_empty() {
            let mut group = [0; 4];
            self.left = self.encode(&mut group)?;
            self.group = group;
        }
        let count = self.left.min(buffer.len());
        let start = 4 - self.left;
        buffer[..count].copy_from_slice(&self.group[start..start + count]);
        self.left -= count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::operation::VIDEO;
    use crate::api::reference::Stream;
    use crate::temp::TempDir;
    use std::fs;

    const STALL: Duration = Duration::from_secs(30);
    const FIELDS: &str = r#"{"prompt":"x"}"#;

    /// Yields its bytes in parts of changing sizes.
    struct Uneven<'a>(&'a [u8], usize);

    impl Read for Uneven<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = self.1 % 7 + 1;
            let size = self.1.min(buffer.len());
            self.0.read(&mut buffer[..size])
        }
    }

    fn bytes(size: usize) -> Vec<u8> {
        (0..size).map(|index| (index * 31 + index / 251) as u8).collect()
    }

    #[test]
    fn the_body_is_json_of_exactly_the_announced_length() {
        let directory = TempDir::new();
        let path = directory.path().join("clip.mp4");
        let upload = Upload::File(path.clone());
        let sizes = (1..=1000).chain([2999, 3000, 3001, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE]);
        for content in sizes.map(bytes) {
            fs::write(&path, &content).unwrap();
            let body = DataUrl::new(FIELDS, &VIDEO, &upload).unwrap();
            let mut text = String::new();
            body.open(STALL).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(body.len(), Some(text.len() as u64));
            let base64 = STANDARD.encode(&content);
            assert!(
                text == format!(
                    r#"{{"prompt":"x","video":{{"url":"data:video/mp4;base64,{base64}"}}}}"#
                ),
                "{} bytes",
                content.len()
            );
        }
    }

    #[test]
    fn base64_is_the_same_whatever_sizes_are_read_and_asked_for() {
        for size in [1, 2, 3, 4, 100, PIECE, PIECE + 2] {
            let content = bytes(size);
            for buffer in [1, 2, 3, 4, 5, 7, 16, 4096, 65_536, 100_000] {
                let mut reader = Base64Reader::new(Uneven(&content, 0));
                let (mut encoded, mut part) = (Vec::new(), vec![0; buffer]);
                loop {
                    match reader.read(&mut part).unwrap() {
                        0 => break,
                        count => encoded.extend_from_slice(&part[..count]),
                    }
                }
                assert!(encoded == STANDARD.encode(&content).into_bytes(), "{size} by {buffer}");
            }
        }
    }

    #[test]
    fn a_stream_has_no_length_and_is_read_only_once() {
        let upload = Upload::Stream(Stream::new(&b"bytes"[..]));
        let body = DataUrl::new(FIELDS, &VIDEO, &upload).unwrap();
        assert_eq!(body.len(), None);
        let mut text = String::new();
        body.open(STALL).unwrap().read_to_string(&mut text).unwrap();
        assert!(text.ends_with("data:video/mp4;base64,Ynl0ZXM=\"}}"), "{text}");
        assert!(matches!(body.open(STALL), Err(Error::Invalid { .. })));
    }
}
