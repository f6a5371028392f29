//! `multipart/form-data` bodies (RFC 7578) that are streamed in constant memory: text parts first,
//! the file last, with an exact length for a regular file.

use std::io::{Cursor, Read};
use std::time::Duration;

use crate::api::error::Error;
use crate::api::preview::FilePart;
use crate::api::reference::Upload;
use crate::http::body::source::Source;

/// A form. It can be opened for several attempts, unless its file is a stream.
pub(crate) struct Form<'a> {
    boundary: String,
    /// Everything before the bytes of the file.
    head: Vec<u8>,
    /// The name of the file's field, and the file.
    file: Option<(&'static str, Source<'a>)>,
}

impl<'a> Form<'a> {
    /// Formats the text parts and checks the file, which comes with its field. `boundary` must not
    /// occur in the content; 128 random bits are enough.
    ///
    /// # Errors
    /// As [`Source::of`].
    pub(crate) fn new(
        parts: &[(String, String)],
        upload: Option<(&'static str, &'a Upload)>,
        boundary: String,
    ) -> Result<Self, Error> {
        let mut head = String::new();
        for (name, text) in parts {
            head += &format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{text}\r\n",
                escape(name)
            );
        }
        let file = match upload {
            Some((field, upload)) => Some((field, Source::of(upload)?)),
            None => None,
        };
        if let Some((field, source)) = &file {
            head += &format!(
                "--{boundary}\r\n\
                 Content-Disposition: form-data; name=\"{field}\"; filename=\"{}\"\r\n\
                 Content-Type: {}\r\n\r\n",
                escape(&source.file_name()),
                source.content_type()
            );
        }
        Ok(Self { boundary, head: head.into_bytes(), file })
    }

    pub(crate) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// The exact length of the body in bytes, or `None` for a stream.
    pub(crate) fn len(&self) -> Option<u64> {
        let file = match &self.file {
            None => 0,
            Some((_, source)) => source.len()?,
        };
        Some(self.head.len() as u64 + file + self.tail().len() as u64)
    }

    /// The file part, for a preview.
    pub(crate) fn file_part(&self) -> Option<FilePart> {
        self.file.as_ref().map(|(field, source)| FilePart {
            field,
            name: source.file_name(),
            content_type: source.content_type(),
            size: source.len(),
        })
    }

    fn tail(&self) -> Vec<u8> {
        let line_end = if self.file.is_some() { "\r\n" } else { "" };
        format!("{line_end}--{}--\r\n", self.boundary).into_bytes()
    }

    /// Opens the body from its first byte. `stall` is the stall timeout of a stream.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub(crate) fn open(&self, stall: Duration) -> Result<Box<dyn Read + '_>, Error> {
        let tail = Cursor::new(self.tail());
        Ok(match &self.file {
            None => Box::new(self.head.chain(tail)),
            Some((_, source)) => Box::new(self.head.chain(source.open(stall)?).chain(tail)),
        })
    }
}

/// Escapes a name for a quoted string, as browsers do (WHATWG HTML, "multipart/form-data encoding
/// algorithm").
fn escape(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::reference::Stream;
    use crate::temp::TempDir;
    use std::fs;

    const STALL: Duration = Duration::from_secs(30);

    fn parts(parts: &[(&str, &str)]) -> Vec<(String, String)> {
        parts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    fn text(form: &Form) -> String {
        let mut text = String::new();
        form.open(STALL).unwrap().read_to_string(&mut text).unwrap();
        assert!(form.len().is_none_or(|len| len == text.len() as u64));
        text
    }

    fn file(directory: &TempDir, name: &str, content: &[u8]) -> Upload {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        Upload::File(path)
    }

    #[test]
    fn a_form_can_have_text_parts_only() {
        let form =
            Form::new(&parts(&[("prompt", "a\r\nb"), ("video[id]", "v")]), None, "B".to_owned())
                .unwrap();
        assert_eq!(
            text(&form),
            "--B\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\na\r\nb\r\n\
             --B\r\nContent-Disposition: form-data; name=\"video[id]\"\r\n\r\nv\r\n--B--\r\n"
        );
    }

    #[test]
    fn the_file_is_the_last_part_and_can_be_opened_again() {
        let directory = TempDir::new();
        let upload = file(&directory, "clip.MP4", b"bytes");
        let form = Form::new(&parts(&[("seconds", "4")]), Some(("video", &upload)), "B".to_owned())
            .unwrap();
        let expected = "--B\r\nContent-Disposition: form-data; name=\"seconds\"\r\n\r\n4\r\n\
             --B\r\nContent-Disposition: form-data; name=\"video\"; filename=\"clip.MP4\"\r\n\
             Content-Type: video/mp4\r\n\r\nbytes\r\n--B--\r\n";
        assert_eq!(text(&form), expected);
        assert_eq!(text(&form), expected);
    }

    #[test]
    fn file_names_are_escaped() {
        let directory = TempDir::new();
        let upload = file(&directory, "a\"b\r\nX-Evil: 1\\.mp4", b"x");
        let form = Form::new(&[], Some(("video", &upload)), "B".to_owned()).unwrap();
        assert!(text(&form).contains(
            "filename=\"a%22b%0D%0AX-Evil: 1\\.mp4\"\r\nContent-Type: video/mp4\r\n\r\nx"
        ));
    }

    #[test]
    fn a_stream_has_no_length_and_is_read_only_once() {
        let upload = Upload::Stream(Stream::new(&b"bytes"[..]));
        let form = Form::new(&[], Some(("video", &upload)), "B".to_owned()).unwrap();
        assert_eq!(form.len(), None);
        assert!(
            text(&form).contains(
                "filename=\"video.mp4\"\r\nContent-Type: video/mp4\r\n\r\nbytes\r\n--B--"
            )
        );
        assert!(matches!(form.open(STALL), Err(Error::Invalid { .. })));
    }
}
