//! `-h`, `--help` and `--version`, written from the tables: of flags, of commands and of exit codes.

use openai_videos::Error;

use super::exit;
use super::flags::{Args, Command, FLAGS, Flag, Group, Help};
use super::resolve::command;

const WIDTH: usize = 100;
const PROXIES: &str = "
Proxies are taken from https_proxy, http_proxy and all_proxy, by the scheme of the server's URL, and
not used for what no_proxy lists: *, names, addresses, CIDR blocks. Upper case will do too. Known
are http, https, socks5 and socks5h. This machine is never reached through a proxy.
";
const EXAMPLES: &str = "\
Examples:
  openai videos extend --prompt 'The camera pulls back' --seconds 8 --video video_123
  openai videos extend --prompt @prompt.txt --seconds 4 --video @clip.mp4
  openai videos extend --prompt 'It snows' --field duration:=6 --video '{url: https://example.com/a.mp4}'
";

/// The text that was asked for instead of a run: it needs no key, no server and no other argument.
pub(crate) fn asked(args: &Args) -> Result<Option<String>, Error> {
    if args.version {
        return Ok(Some(
            concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"), "\n").to_owned(),
        ));
    }
    let Some(help) = args.help else {
        return Ok(None);
    };
    // `openai --help` and `openai videos --help` are fine; a misspelt command is not.
    match &args.words[..] {
        [] => {}
        [word] if word == "videos" => {}
        words => drop(command(words)?),
    }
    Ok(Some(text(help)))
}

fn text(help: Help) -> String {
    let mut text = String::from("Usage:\n");
    for (_, name, arguments, about) in Command::ALL {
        let call = format!("openai videos {name} {arguments}");
        text += &match help {
            Help::Short => format!("  {call}\n"),
            Help::Whole => format!("  {call}\n          {about}.\n"),
        };
    }
    for (group, title) in Group::SHOWN {
        text += &format!("\n{title}:\n");
        for flag in FLAGS.iter().filter(|flag| flag.group == group) {
            match help {
                Help::Short => text += &format!("{:<30} {}\n", usage(flag), flag.help),
                Help::Whole => text += &paragraph(flag),
            }
        }
    }
    if help == Help::Short {
        return text;
    }
    text += "\nDURATION is 90, 90s, 1.5m, 2h or 250ms.\n";
    text += PROXIES;
    text += "\nExit codes:\n";
    for (code, meaning, advice) in exit::TABLE {
        text += &format!(
            "  {code}  {meaning}{}{advice}\n",
            if advice.is_empty() { "" } else { ": " }
        );
    }
    text + "\n" + EXAMPLES
}

/// `  -q, --quiet`, `      --seconds N`.
fn usage(flag: &Flag) -> String {
    let short = flag
        .short
        .map_or("    ".to_owned(), |short| format!("-{short}, "));
    let space = if flag.value.is_empty() { "" } else { " " };
    format!("  {short}--{}{space}{}", flag.long, flag.value)
}

fn paragraph(flag: &Flag) -> String {
    let mut notes = format!("{}.", flag.help);
    if !flag.more.is_empty() {
        notes += &format!(" {}", flag.more);
    }
    if !flag.default.is_empty() {
        notes += &format!(" [default: {}]", flag.default);
    }
    if !flag.env.is_empty() {
        notes += &format!(" [environment: {}]", flag.env);
    }
    format!("{}\n{}", usage(flag), wrap(&notes, "          "))
}

fn wrap(text: &str, indent: &str) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty()
            && indent.len() + line.chars().count() + 1 + word.chars().count() > WIDTH
        {
            lines += &format!("{indent}{line}\n");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    lines + &format!("{indent}{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_help_is_one_screen_and_the_whole_one_has_it_all() {
        let short = text(Help::Short);
        assert!(
            short.lines().count() <= 56 && short.lines().all(|line| line.chars().count() <= WIDTH),
            "{short}"
        );
        let whole = text(Help::Whole);
        assert!(
            whole.lines().all(|line| line.chars().count() <= WIDTH + 5),
            "{whole}"
        );
        for flag in FLAGS.iter().filter(|flag| flag.group != Group::Unused) {
            assert!(short.contains(&format!("--{}", flag.long)), "{}", flag.long);
            assert!(whole.contains(flag.env), "{}", flag.long);
        }
        for flag in FLAGS.iter().filter(|flag| flag.group == Group::Unused) {
            assert!(!whole.contains(flag.long), "{}", flag.long);
        }
    }
}
