//! `multipart/form-data` bodies (RFC 7578) that are streamed in constant memory: text parts first, the file last, with an
//! exact length for a regular file. Each attempt opens the file again and checks that it still has its first size: the
//! body of a file that changes during the upload must not look complete to the server.

use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::api::error::Error;
use crate::api::extension::{Stream, Upload};
use crate::http::body::stream::StreamReader;

/// A form. It can be opened for several attempts, unless its file is a stream.
pub(crate) struct Form<'a> {
    boundary: String,
    /// Everything before the bytes of the file.
    head: Vec<u8>,
    file: Option<Source<'a>>,
}

enum Source<'a> {
    File {
        path: &'a Path,
        size: u64,
    },
    /// A named pipe or a device: read once, of unknown length.
    Pipe(&'a Path),
    Stream(&'a Stream),
}

impl<'a> Form<'a> {
    /// Formats the text parts and checks the file. `boundary` must not occur in the content; 128 random bits are enough.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a file that is missing, empty or a directory, [`Error::File`] for one whose
    /// metadata cannot be read.
    pub(crate) fn new(
        parts: &[(String, String)],
        upload: Option<&'a Upload>,
        boundary: String,
    ) -> Result<Self, Error> {
        let mut head = String::new();
        for (name, text) in parts {
            head += &format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{text}\r\n",
                escape(name)
            );
        }
        let file = upload.map(Source::of).transpose()?;
        if let Some(source) = &file {
            head += &format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"video\"; filename=\"{}\"\r\n\
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
        let file = match self.file {
            None => 0,
            Some(Source::File { size, .. }) => size,
            Some(Source::Pipe(_) | Source::Stream(_)) => return None,
        };
        Some(self.head.len() as u64 + file + self.tail().len() as u64)
    }

    /// Name, content type and size in bytes of the file part, for a preview.
    pub(crate) fn file_part(&self) -> Option<(String, &'static str, Option<u64>)> {
        self.file.as_ref().map(|source| {
            let size = if let Source::File { size, .. } = source { Some(*size) } else { None };
            (source.file_name(), source.content_type(), size)
        })
    }

    fn tail(&self) -> Vec<u8> {
        let line_end = if self.file.is_some() { "\r\n" } else { "" };
        format!("{line_end}--{}--\r\n", self.boundary).into_bytes()
    }

    /// Opens the body from its first byte. `stall` is the stall timeout of a stream.
    ///
    /// # Errors
    /// [`Error::FileChanged`] if the file has another size now, [`Error::File`] if it cannot be opened,
    /// [`Error::Invalid`] for a stream that is empty or was already read.
    pub(crate) fn open(&self, stall: Duration) -> Result<FormReader<'_>, Error> {
        let content = match &self.file {
            None => Content::None,
            Some(Source::File { path, size }) => {
                let file = open(path)?;
                check_size(&file, path, *size)?;
                Content::File { file, path, size: *size, left: *size }
            }
            Some(Source::Pipe(path)) => {
                Content::Stream(StreamReader::start(Box::new(open(path)?), stall)?)
            }
            Some(Source::Stream(stream)) => match stream.take() {
                Some(reader) => Content::Stream(StreamReader::start(reader, stall)?),
                None => return Err(Error::invalid("the stream to upload was already read")),
            },
        };
        Ok(FormReader { head: &self.head, content, tail: Cursor::new(self.tail()) })
    }
}

impl<'a> Source<'a> {
    fn of(upload: &'a Upload) -> Result<Self, Error> {
        let path = match upload {
            Upload::Stream(stream) => return Ok(Source::Stream(stream)),
            Upload::File(path) => path,
        };
        let shown = path.display();
        let metadata = fs::metadata(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                Error::invalid(format!("there is no file '{shown}' to upload"))
            }
            _ => Error::file(format!("cannot read '{shown}'"), error),
        })?;
        if metadata.is_dir() {
            Err(Error::invalid(format!("'{shown}' is a directory, not a file to upload")))
        } else if !metadata.is_file() {
            Ok(Source::Pipe(path))
        } else if metadata.len() == 0 {
            Err(Error::invalid(format!("the file '{shown}' is empty")))
        } else {
            Ok(Source::File { path, size: metadata.len() })
        }
    }

    /// The name that the part has. Streams get one too, with the extension of the one type that the API documents: some
    /// servers refuse a part without a name or with an unknown extension.
    fn file_name(&self) -> String {
        match self {
            Source::File { path, .. } => {
                path.file_name().unwrap_or_default().to_string_lossy().into_owned()
            }
            Source::Pipe(_) | Source::Stream(_) => "video.mp4".to_owned(),
        }
    }

    fn content_type(&self) -> &'static str {
        let name = PathBuf::from(self.file_name());
        match name.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase().as_str() {
            "mp4" => "video/mp4",
            "mov" => "video/quicktime",
            "webm" => "video/webm",
            _ => "application/octet-stream",
        }
    }
}

fn open(path: &Path) -> Result<File, Error> {
    File::open(path)
        .map_err(|error| Error::file(format!("cannot read '{}'", path.display()), error))
}

fn check_size(file: &File, path: &Path, expected: u64) -> Result<(), Error> {
    let metadata = file
        .metadata()
        .map_err(|error| Error::file(format!("cannot read '{}'", path.display()), error))?;
    if metadata.len() == expected {
        Ok(())
    } else {
        Err(Error::FileChanged { path: path.to_owned(), expected })
    }
}

/// Escapes a name for a quoted string, as browsers do (WHATWG HTML, "multipart/form-data encoding algorithm").
fn escape(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// Reads a form. Its errors are an [`io::Error`] that holds an [`Error`].
pub(crate) struct FormReader<'a> {
    head: &'a [u8],
    content: Content<'a>,
    tail: Cursor<Vec<u8>>,
}

enum Content<'a> {
    None,
    File { file: File, path: &'a Path, size: u64, left: u64 },
    Stream(StreamReader),
}

impl Content<'_> {
    /// Like [`Read::read`]: 0 at the end of the content, after the file's size was checked again.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        match self {
            Content::None => Ok(0),
            Content::Stream(stream) => stream.read(buffer),
            Content::File { file, path, size, left: 0 } => {
                check_size(file, path, *size).map(|()| 0)
            }
            Content::File { file, path, size, left } => {
                let max = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
                let count = file.read(&mut buffer[..max]).map_err(|error| {
                    Error::file(format!("cannot read '{}'", path.display()), error)
                })?;
                if count == 0 {
                    return Err(Error::FileChanged { path: path.to_path_buf(), expected: *size });
                }
                *left -= count as u64;
                Ok(count)
            }
        }
    }
}

impl Read for FormReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if !self.head.is_empty() {
            return self.head.read(buffer);
        }
        if self.tail.position() == 0 {
            match self.content.read(buffer) {
                Ok(0) => {}
                Ok(count) => return Ok(count),
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        self.tail.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

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

    /// A file with this name in a directory of the test's own, removed at the end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str, content: &[u8]) -> Self {
            static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
            let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let directory = std::env::temp_dir()
                .join(format!("openai-videos-form-{}-{count}", std::process::id()));
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join(name), content).unwrap();
            Self(directory.join(name))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            fs::remove_dir_all(self.0.parent().unwrap()).unwrap();
        }
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
        let file = Scratch::new("clip.MP4", b"bytes");
        let upload = Upload::File(file.0.clone());
        let form = Form::new(&parts(&[("seconds", "4")]), Some(&upload), "B".to_owned()).unwrap();
        let expected = "--B\r\nContent-Disposition: form-data; name=\"seconds\"\r\n\r\n4\r\n\
             --B\r\nContent-Disposition: form-data; name=\"video\"; filename=\"clip.MP4\"\r\n\
             Content-Type: video/mp4\r\n\r\nbytes\r\n--B--\r\n";
        assert_eq!(text(&form), expected);
        assert_eq!(text(&form), expected);
    }

    #[test]
    fn file_names_are_escaped() {
        let file = Scratch::new("a\"b\r\nX-Evil: 1\\.mp4", b"x");
        let upload = Upload::File(file.0.clone());
        let form = Form::new(&[], Some(&upload), "B".to_owned()).unwrap();
        assert!(text(&form).contains(
            "filename=\"a%22b%0D%0AX-Evil: 1\\.mp4\"\r\nContent-Type: video/mp4\r\n\r\nx"
        ));
    }

    #[test]
    fn the_content_type_follows_the_extension() {
        for (name, kind) in [
            ("a.mov", "video/quicktime"),
            ("a.webm", "video/webm"),
            ("a.avi", "application/octet-stream"),
            ("mp4", "application/octet-stream"),
        ] {
            let file = Scratch::new(name, b"x");
            let upload = Upload::File(file.0.clone());
            let form = Form::new(&[], Some(&upload), "B".to_owned()).unwrap();
            assert_eq!(form.file_part(), Some((name.to_owned(), kind, Some(1))));
        }
    }

    #[test]
    fn a_stream_has_no_length_and_is_read_only_once() {
        let upload = Upload::Stream(Stream::new(&b"bytes"[..]));
        let form = Form::new(&[], Some(&upload), "B".to_owned()).unwrap();
        assert_eq!(form.len(), None);
        assert!(
            text(&form).contains(
                "filename=\"video.mp4\"\r\nContent-Type: video/mp4\r\n\r\nbytes\r\n--B--"
            )
        );
        assert!(matches!(form.open(STALL), Err(Error::Invalid { .. })));
    }

    #[test]
    fn an_empty_or_stalled_stream_is_an_error() {
        let upload = Upload::Stream(Stream::new(io::empty()));
        let form = Form::new(&[], Some(&upload), "B".to_owned()).unwrap();
        assert_eq!(form.open(STALL).err().unwrap().to_string(), "the stream to upload is empty");

        let (reader, writer) = io::pipe().unwrap();
        let upload = Upload::Stream(Stream::new(reader));
        let form = Form::new(&[], Some(&upload), "B".to_owned()).unwrap();
        let error = form.open(Duration::from_millis(50)).err().unwrap();
        assert_eq!(error.to_string(), "cannot read the stream to upload: no data for 50ms");
        drop(writer);
    }

    #[test]
    fn a_file_that_changes_its_size_aborts_the_body_before_its_end() {
        for grows in [false, true] {
            let file = Scratch::new("clip.mp4", &[7; 100]);
            let upload = Upload::File(file.0.clone());
            let form = Form::new(&[], Some(&upload), "B".to_owned()).unwrap();
            let mut reader = form.open(STALL).unwrap();
            let mut start = [0; 150];
            reader.read_exact(&mut start).unwrap();
            let mut handle = File::options().append(true).open(&file.0).unwrap();
            if grows {
                handle.write_all(b"more").unwrap()
            } else {
                handle.set_len(50).unwrap()
            }

            let mut rest = Vec::new();
            let error = reader.read_to_end(&mut rest).unwrap_err().into_inner().unwrap();
            assert!(
                matches!(error.downcast_ref(), Some(Error::FileChanged { expected: 100, .. })),
                "{error}"
            );
            assert!(!rest.ends_with(b"--B--\r\n"));
            assert!(matches!(form.open(STALL), Err(Error::FileChanged { .. })));
        }
    }

    #[test]
    fn a_file_that_cannot_be_uploaded_is_named_in_the_error() {
        let empty = Scratch::new("empty.mp4", b"");
        let missing = empty.0.with_file_name("none.mp4");
        let directory = empty.0.parent().unwrap().to_owned();
        for (path, what) in [
            (empty.0.clone(), format!("the file '{}' is empty", empty.0.display())),
            (missing.clone(), format!("there is no file '{}' to upload", missing.display())),
            (
                directory.clone(),
                format!("'{}' is a directory, not a file to upload", directory.display()),
            ),
        ] {
            let upload = Upload::File(path);
            assert_eq!(
                Form::new(&[], Some(&upload), "B".to_owned()).err().unwrap().to_string(),
                what
            );
        }
    }
}
