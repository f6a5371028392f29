//! The files with certificates and keys that flags or variables name.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Cursor, Read};

use openai_videos::{ClientCertificate, Error, Roots, Settings};

use crate::cli::args::flags::Args;
use crate::cli::args::value::{invalid, with_name};
use crate::cli::env::{Env, env_value};
use crate::cli::plan::input;

/// Reads the files that `--cacert` and the two options for a client certificate name, or their
/// variables.
pub(crate) fn read(args: &Args, env: Env<'_>, settings: &mut Settings) -> Result<(), Error> {
    let named = |flag: &Option<OsString>, name: &'static str, variable: &'static str| match flag {
        Some(path) => Some((name, path.clone())),
        None => env_value(env, variable).map(|path| (variable, path)),
    };
    if let Some((name, path)) = named(&args.cacert, "--cacert", "SSL_CERT_FILE") {
        settings.roots = Some(roots(name, &path)?);
    }
    let (certificate_flag, key_flag) = ("--mtls-client-cert-file", "--mtls-client-key-file");
    let certificate = named(&args.client_cert, certificate_flag, "OPENAI_MTLS_CLIENT_CERT_FILE");
    let key = named(&args.client_key, key_flag, "OPENAI_MTLS_CLIENT_KEY_FILE");
    let needs = |given: &str, other: &str| Err(Error::invalid(format!("{given} needs {other}")));
    match (certificate, key) {
        (None, None) => Ok(()),
        (Some((name, _)), None) => needs(name, key_flag),
        (None, Some((name, _))) => needs(name, certificate_flag),
        (Some((certificate_name, certificate)), Some((key_name, key))) => {
            let (certificate_pem, certificate_shown) = read_file(certificate_name, &certificate)?;
            let (key_pem, key_shown) = read_file(key_name, &key)?;
            let both =
                ClientCertificate::from_pem(&certificate_pem, &key_pem).map_err(|error| {
                    with_name(&format!("{certificate_shown} and {key_shown}"), error)
                })?;
            settings.client_certificate = Some(both);
            Ok(())
        }
    }
}

/// The bundle in a file. A regular file is read when it is needed, anything else at once.
fn roots(name: &str, path: &OsStr) -> Result<Roots, Error> {
    let is_plain = fs::metadata(path).is_ok_and(|it| it.is_file() && it.len() <= input::LIMIT);
    if path != "-"
        && is_plain
        && let Ok(file) = File::open(path)
    {
        return Ok(Roots::from_pem(shown(name, path), file.take(input::LIMIT)));
    }
    let (pem, shown) = read_file(name, path)?;
    Ok(Roots::from_pem(shown, Cursor::new(pem)))
}

/// What errors call a file that the flag or variable `name` names.
fn shown(name: &str, path: &OsStr) -> String {
    format!("{name} '{}'", path.display())
}

/// The contents of a file, and the name that errors give it: `name` is the flag or variable that
/// names it.
fn read_file(name: &str, path: &OsStr) -> Result<(Vec<u8>, String), Error> {
    if path == "-" {
        return Err(invalid(name, "it cannot be read from standard input"));
    }
    Ok((input::bytes(path, name)?, shown(name, path)))
}
