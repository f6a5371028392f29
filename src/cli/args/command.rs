//! The words of the command line -> the command that they name.

use std::ffi::OsString;

use openai_videos::Error;

use crate::cli::args::flags::Command;
use crate::cli::args::parse::nearest;

/// Finds the command that the words name.
pub(crate) fn command(words: &[OsString]) -> Result<(Command, &'static str), Error> {
    let hint = || {
        "openai videos extend --prompt TEXT --seconds N --video REF; openai --help tells more"
            .to_owned()
    };
    let did_you_mean =
        |near: Option<&str>| near.map_or_else(hint, |near| format!("did you mean '{near}'?"));
    let mut words = words.iter().map(|word| word.to_string_lossy());
    match words.next().as_deref() {
        Some("videos") => {}
        None => return Err(Error::invalid_with("no command", hint())),
        Some(word) => {
            let what = format!("unknown command '{word}'");
            return Err(Error::invalid_with(
                what,
                did_you_mean(nearest(word, &mut ["videos"].into_iter())),
            ));
        }
    }
    let word =
        words.next().ok_or_else(|| Error::invalid_with("no command after 'videos'", hint()))?;
    let known = Command::ALL.iter().find(|(_, name, ..)| *name == word);
    let (command, name, ..) = *known.ok_or_else(|| {
        let near = nearest(&word, &mut Command::ALL.iter().map(|(_, name, ..)| *name));
        Error::invalid_with(format!("unknown command 'videos {word}'"), did_you_mean(near))
    })?;
    let arguments = usize::from(command != Command::Extend);
    match words.nth(arguments) {
        None => Ok((command, name)),
        Some(word) => {
            let hint = "put a text with spaces in quotation marks";
            Err(Error::invalid_with(format!("unexpected argument '{word}'"), hint))
        }
    }
}
