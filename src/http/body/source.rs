//! The video of an upload: a file, of which each attempt checks that it still has its first size,
//! or a stream. The body of a file that changes during the upload must not look complete to the
//! server.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::api::error::Error;
use crate::api::reference::{Stream, Upload};
use crate::http::body::stream::StreamReader;

/// Where the bytes of the video come from, checked. A regular file is opened afresh for each
/// attempt.
pub(crate) enum Source<'a> {
    File {
        path: &'a Path,
        size: u64,
    },
    /// A named pipe or a device: read once, of unknown length.
    Pipe(&'a Path),
    Stream(&'a Stream),
}

impl<'a> Source<'a> {
    /// Checks the upload.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a file that is missing, empty or a directory, [`Error::File`] for one
    /// whose metadata cannot be read.
    pub(crate) fn of(upload: &'a Upload) -> Result<Self, Error> {
        let path = match upload {
            Upload::Stream(stream) => return Ok(Source::Stream(stream)),
            Upload::File(path) => path,
        };
        let shown = path.display();
        let metadata = fs::metadata(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                Error::invalid(format!("there is no file '{shown}' to upload"))
            }
            _ => cannot_read(path, error),
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

    /// The size in bytes; `None` for a stream.
    pub(crate) fn len(&self) -> Option<u64> {
        if let Source::File { size, .. } = self { Some(*size) } else { None }
    }

    /// Opens it at its first byte. `stall` is the stall timeout of a stream.
    ///
    /// # Errors
    /// [`Error::FileChanged`] if the file has another size now, [`Error::File`] if it cannot be
    /// opened, [`Error::Invalid`] for a stream that is empty or was already read.
    pub(crate) fn open(&self, stall: Duration) -> Result<SourceReader<'_>, Error> {
        Ok(match self {
            Source::File { path, size } => {
                let file = open(path)?;
                check_size(&file, path, *size)?;
                SourceReader::File { file, path, size: *size, left: *size }
            }
            Source::Pipe(path) => {
                let pipe = Pipe { path: path.to_path_buf(), file: None };
                SourceReader::Stream(StreamReader::start(Box::new(pipe), stall)?)
            }
            Source::Stream(stream) => match stream.take() {
                Some(reader) => SourceReader::Stream(StreamReader::start(reader, stall)?),
                None => return Err(Error::invalid("the stream to upload was already read")),
            },
        })
    }

    /// The name that the part has. Streams get one too, with the extension of the one type that the
    /// API documents: some servers refuse a part without a name or with an unknown extension.
    pub(crate) fn file_name(&self) -> String {
        match self {
            Source::File { path, .. } => {
                path.file_name().unwrap_or_default().to_string_lossy().into_owned()
            }
            Source::Pipe(_) | Source::Stream(_) => "video.mp4".to_owned(),
        }
    }

    pub(crate) fn content_type(&self) -> &'static str {
        let name = PathBuf::from(self.file_name());
        match name.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase().as_str() {
            "mp4" => "video/mp4",
            "mov" => "video/quicktime",
            "webm" => "video/webm",
            "png" => "image/png",
            "jpg" | "jpeg" => "image/jpeg",
            "webp" => "image/webp",
            _ => "application/octet-stream",
        }
    }
}

fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(|error| cannot_read(path, error))
}

pub(crate) fn cannot_read(path: &Path, error: io::Error) -> Error {
    Error::file(format!("cannot read '{}'", path.display()), error)
}

/// A pipe or a device that is opened by the first read, in the thread of a [`StreamReader`], as a
/// named pipe opens only once it has a writer.
struct Pipe {
    path: PathBuf,
    file: Option<File>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.file.is_none() {
            self.file = Some(File::open(&self.path)?);
        }
        self.file.as_mut().map_or(Ok(0), |file| file.read(buffer))
    }
}

fn check_size(file: &File, path: &Path, expected: u64) -> Result<(), Error> {
    let metadata = file.metadata().map_err(|error| cannot_read(path, error))?;
    if metadata.len() == expected {
        Ok(())
    } else {
        Err(Error::FileChanged { path: path.to_owned(), expected })
    }
}

/// Reads a source, and checks the size of a file again at its end. Its errors are an [`io::Error`]
/// that holds an [`Error`].
pub(crate) enum SourceReader<'a> {
    File { file: File, path: &'a Path, size: u64, left: u64 },
    Stream(StreamReader),
}

impl SourceReader<'_> {
    /// Like [`Read::read`]: 0 at the end of the source.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        match self {
            SourceReader::Stream(stream) => stream.read(buffer),
            SourceReader::File { file, path, size, left: 0 } => {
                check_size(file, path, *size).map(|()| 0)
            }
            SourceReader::File { file, path, size, left } => {
                let max = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
                let read = file.read(&mut buffer[..max]);
                let count = read.map_err(|error| cannot_read(path, error))?;
                if count == 0 {
                    return Err(Error::FileChanged { path: path.to_path_buf(), expected: *size });
                }
                *left -= count as u64;
                Ok(count)
            }
        }
    }
}

impl Read for SourceReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.fill(buffer).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::temp::TempDir;

    #[test]
    fn the_content_type_follows_the_extension() {
        for (name, content_type) in [
            ("a.MP4", "video/mp4"),
            ("a.mov", "video/quicktime"),
            ("a.webm", "video/webm"),
            ("a.png", "image/png"),
            ("a.JPG", "image/jpeg"),
            ("a.jpeg", "image/jpeg"),
            ("a.webp", "image/webp"),
            ("a.avi", "application/octet-stream"),
            ("mp4", "application/octet-stream"),
        ] {
            let source = Source::File { path: Path::new(name), size: 1 };
            assert_eq!(
                (source.file_name(), source.content_type()),
                (name.to_owned(), content_type)
            );
        }
    }

    #[test]
    fn an_empty_or_stalled_stream_is_an_error() {
        let open = |reader: Box<dyn Read + Send>| {
            let upload = Upload::Stream(Stream::new(reader));
            let source = Source::of(&upload).unwrap();
            source.open(Duration::from_millis(50)).err().unwrap().to_string()
        };
        assert_eq!(open(Box::new(io::empty())), "the stream to upload is empty");
        let (reader, writer) = io::pipe().unwrap();
        let stalled = "cannot read the stream to upload: no data for 50ms";
        assert_eq!(open(Box::new(reader)), stalled);
        drop(writer);
    }

    #[test]
    fn a_file_that_cannot_be_uploaded_is_named_in_the_error() {
        let directory = TempDir::new();
        let directory = directory.path();
        let (empty, missing) = (directory.join("empty.mp4"), directory.join("none.mp4"));
        fs::write(&empty, "").unwrap();
        for (path, message) in [
            (empty.as_path(), format!("the file '{}' is empty", empty.display())),
            (&missing, format!("there is no file '{}' to upload", missing.display())),
            (directory, format!("'{}' is a directory, not a file to upload", directory.display())),
        ] {
            let upload = Upload::File(path.to_owned());
            assert_eq!(Source::of(&upload).err().unwrap().to_string(), message);
        }
    }
}
