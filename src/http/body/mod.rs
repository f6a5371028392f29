//! Request bodies: multipart forms, JSON with a data URL, streams, and the count of the bytes sent.

pub(crate) mod data_url;
pub(crate) mod multipart;
pub(crate) mod source;
pub(crate) mod stream;
pub(crate) mod upload_meter;

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Read;
    use std::path::Path;
    use std::time::Duration;

    use super::data_url::DataUrl;
    use super::multipart::Form;
    use crate::api::error::Error;
    use crate::api::operation::VIDEO;
    use crate::api::reference::Upload;
    use crate::temp::TempDir;

    const STALL: Duration = Duration::from_secs(30);

    /// Reads the start of a body, gives its file another size than 100 bytes, and returns the rest
    /// of the body up to the error.
    fn rest_after_change(mut body: Box<dyn Read + '_>, path: &Path, size: u64) -> Vec<u8> {
        body.read_exact(&mut [0; 150]).unwrap();
        File::options().write(true).open(path).unwrap().set_len(size).unwrap();
        let mut rest = Vec::new();
        let error = body.read_to_end(&mut rest).unwrap_err().into_inner().unwrap();
        let is_change =
            matches!(error.downcast_ref(), Some(Error::FileChanged { expected: 100, .. }));
        assert!(is_change, "{error}");
        rest
    }

    #[test]
    fn a_file_that_changes_its_size_aborts_the_body_before_its_end() {
        let directory = TempDir::new();
        let path = directory.path().join("clip.mp4");
        let upload = Upload::File(path.clone());
        for size in [50, 104] {
            fs::write(&path, [7; 100]).unwrap();
            let form = Form::new(&[], Some(("video", &upload)), "B".to_owned()).unwrap();
            let rest = rest_after_change(form.open(STALL).unwrap(), &path, size);
            assert!(!rest.ends_with(b"--B--\r\n"));
            assert!(matches!(form.open(STALL), Err(Error::FileChanged { .. })));

            fs::write(&path, [7; 100]).unwrap();
            let body = DataUrl::new(r#"{"prompt":"x"}"#, &VIDEO, &upload).unwrap();
            let rest = rest_after_change(body.open(STALL).unwrap(), &path, size);
            assert!(!rest.ends_with(b"\"}}"));
            assert!(matches!(body.open(STALL), Err(Error::FileChanged { .. })));
        }
    }
}
