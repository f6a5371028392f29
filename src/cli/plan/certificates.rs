//! The files with certificates and keys that flags or variables name.

use std::ffi::OsString;

use openai_videos::{ClientCertificate, Error, Roots, Settings};

use crate::cli::args::flags::Args;
use crate::cli::args::value::{invalid, with_name};
use crate::cli::env::{Env, env_value};
use crate::cli::plan::input;

/// Reads the files that `--cacert` and the two options for a client certificate name, or their
/// variables.
pub(crate) fn read(args: &Args, env: Env<'_>, settings: &mut Settings) -> Result<(), Error> {
    if let Some(file) = named_file(&args.cacert, "--cacert", "SSL_CERT_FILE", env) {
        let (pem, shown) = file.read()?;
        settings.roots = Some(Roots::from_pem(shown, pem));
    }
    let certificate = named_file(
        &args.client_cert,
        "--mtls-client-cert-file",
        "OPENAI_MTLS_CLIENT_CERT_FILE",
        env,
    );
    let key =
        named_file(&args.client_key, "--mtls-client-key-file", "OPENAI_MTLS_CLIENT_KEY_FILE", env);
    settings.client_certificate = match (certificate, key) {
        (None, None) => None,
        (Some(one), None) => return Err(missing(one.from, "--mtls-client-key-file")),
        (None, Some(one)) => return Err(missing(one.from, "--mtls-client-cert-file")),
        (Some(certificate), Some(key)) => {
            let (certificate_pem, certificate_shown) = certificate.read()?;
            let (key_pem, key_shown) = key.read()?;
            let both = ClientCertificate::from_pem(&certificate_pem, &key_pem);
            Some(both.map_err(|error| {
                let files = format!("{certificate_shown} and {key_shown}");
                with_name(&files, error)
            })?)
        }
    };
    Ok(())
}

/// One of the two options for a client certificate without the other one.
fn missing(given: &str, other: &str) -> Error {
    Error::invalid(format!("{given} needs {other}"))
}

struct NamedFile {
    /// The flag or variable.
    from: &'static str,
    path: OsString,
}

impl NamedFile {
    /// Its contents, and the name that errors give it.
    fn read(&self) -> Result<(Vec<u8>, String), Error> {
        if self.path == "-" {
            return Err(invalid(self.from, "it cannot be read from standard input"));
        }
        let shown = format!("{} '{}'", self.from, self.path.display());
        Ok((input::bytes(&self.path, self.from)?, shown))
    }
}

fn named_file(
    flag: &Option<OsString>,
    flag_name: &'static str,
    variable: &'static str,
    env: Env<'_>,
) -> Option<NamedFile> {
    let file = |from, path| NamedFile { from, path };
    match flag {
        Some(path) => Some(file(flag_name, path.clone())),
        None => env_value(env, variable).map(|path| file(variable, path)),
    }
}
