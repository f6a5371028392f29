//! `documents DIRECTORY`: writes the man page and the completions for bash, zsh and fish from the
//! program's tables of flags, commands and exit codes. They are not in the program, which is
//! smaller without them.

// The lints keep the library from printing. This is a program.
#![allow(clippy::disallowed_methods)]

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

// The program's own modules.
#[expect(dead_code, reason = "only the tables are used")]
#[path = "../../src/cli"]
mod cli {
    pub(crate) mod exit;
    pub(crate) mod args {
        pub(crate) mod command;
        pub(crate) mod flags;
    }
}

use cli::args::command::{COMMANDS, Command};
use cli::args::flags::{EXAMPLES, FLAGS, Flag, Group, PROXIES};
use cli::exit;

/// The date in the man page. Change it with the page.
const DATE: &str = "November 24, 2026";

fn main() -> ExitCode {
    let written = match env::args_os().nth(1).map(PathBuf::from) {
        Some(directory) => write(&directory),
        None => Err(io::Error::other("usage: documents DIRECTORY")),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(io::stderr(), "documents: {error}"));
            ExitCode::from(2)
        }
    }
}

/// Writes the files, each in the place where man or the shell expects it.
fn write(directory: &Path) -> io::Result<()> {
    for (path, text) in [
        ("man/openai-videos-extend.1", man()),
        ("completions/bash/openai", bash()),
        ("completions/zsh/_openai", zsh()),
        ("completions/fish/openai.fish", fish()),
    ] {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap_or(directory))?;
        fs::write(&path, text)?;
        writeln!(io::stdout(), "{}", path.display())?;
    }
    Ok(())
}

fn shown() -> impl Iterator<Item = &'static Flag> {
    FLAGS.iter().filter(|flag| flag.group != Group::Unused)
}

/// The flags of one command, or without a command the flags that all commands have.
fn of(command: Option<Command>) -> impl Iterator<Item = &'static Flag> {
    shown().filter(move |flag| match command {
        Some(_) => flag.is_for(command),
        None => flag.on.is_empty(),
    })
}

fn names() -> Vec<&'static str> {
    COMMANDS.iter().map(|row| row.name).collect()
}

/// The value of a flag.
enum Takes {
    Nothing,
    OneOf(&'static [&'static str]),
    File,
    /// Text, or `@` and a file name.
    AtFile,
    Text,
}

fn takes(flag: &Flag) -> Takes {
    match (flag.value, flag.long) {
        ("", _) => Takes::Nothing,
        _ if !flag.values.is_empty() => Takes::OneOf(flag.values),
        ("FILE", _) => Takes::File,
        (_, "prompt" | "video" | "input-reference") => Takes::AtFile,
        _ => Takes::Text,
    }
}

// ---- mdoc(7) ----

fn man() -> String {
    let mut page = format!(
        ".Dd {DATE}\n.Dt OPENAI-VIDEOS-EXTEND 1\n.Os\n.Sh NAME\n.Nm openai-videos-extend\n\
         .Nd extend a video through the OpenAI Videos API\n.Sh SYNOPSIS\n"
    );
    for row in COMMANDS {
        let _ = write!(page, ".Nm openai\n.Cm videos {}\n", row.name);
        for argument in row.arguments {
            let _ = writeln!(page, ".Ar {argument}");
        }
        for option in row.required.split("--").filter(|option| !option.is_empty()) {
            let (name, value) = option.trim().split_once(' ').unwrap_or((option, ""));
            let _ = writeln!(page, ".Fl Fl {name} Ar {value}");
        }
        page += ".Op Ar options\n";
    }
    page += ".Sh DESCRIPTION\n";
    for row in COMMANDS {
        let _ =
            write!(page, ".Ss openai videos {}\n{}", row.name, prose(&format!("{}.", row.about)));
    }
    page += ".Sh OPTIONS\nOptions stand before or after the command, as\n.Fl Fl flag Ar value\nor\n\
             .Fl Fl flag Ns = Ns Ar value .\n.Ar DURATION\nis 90, 90s, 1.5m, 2h or 250ms.\n\
             A switch also takes\n.Li =true\nor\n.Li =false .\n";
    for (group, title) in Group::SHOWN {
        let _ = write!(page, ".Ss {title}\n.Bl -tag -width Ds\n");
        for flag in shown().filter(|flag| flag.group == group) {
            page += &item(flag);
        }
        page += ".El\n";
    }
    page += ".Sh ENVIRONMENT\nA flag wins over its variable.\n.Bl -tag -width Ds\n";
    for flag in shown().filter(|flag| !flag.env.is_empty()) {
        let _ = write!(page, ".It Ev {}\nAs\n.Fl Fl {} .\n", flag.env, flag.long);
    }
    for name in ["FORCE_COLOR", "NO_COLOR"] {
        let not = if name == "NO_COLOR" { "no " } else { "" };
        let _ = write!(page, ".It Ev {name}\nJSON gets {not}colours, on a terminal or not.\n");
    }
    page += &format!(".El\n.Pp\n{}", prose(PROXIES));
    page += ".Sh EXIT STATUS\n.Bl -tag -width Ds\n";
    for (code, meaning, advice) in exit::TABLE {
        let colon = if advice.is_empty() { "" } else { ": " };
        let _ = write!(page, ".It {code}\n{}", prose(&format!("{meaning}{colon}{advice}.")));
    }
    page += ".El\n.Sh EXAMPLES\n.Bd -literal\n";
    for example in EXAMPLES {
        page += &format!("{}\n", plain(example));
    }
    page + ".Ed\n.Sh SEE ALSO\n.Lk https://github.com/tidwall/gjson/blob/master/SYNTAX.md GJSON\n"
}

fn item(flag: &Flag) -> String {
    let mut text = String::from(".It ");
    if let Some(short) = flag.short {
        let _ = write!(text, "Fl {short} , ");
    }
    let _ = write!(text, "Fl Fl {}", flag.long);
    if !flag.value.is_empty() {
        let _ = write!(text, " Ar \"{}\"", plain(flag.value));
    }
    let _ = write!(text, "\n{}", prose(&format!("{}. {}", flag.help, flag.more)));
    if !flag.default.is_empty() {
        text += &prose(&format!("The default is {}.", flag.default));
    }
    text
}

/// Wraps text, with a new line for each sentence as mdoc requires.
fn prose(text: &str) -> String {
    const WIDTH: usize = 72;
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && (line.ends_with('.') || line.len() + word.len() >= WIDTH) {
            lines += &format!("{}\n", plain(&std::mem::take(&mut line)));
        }
        line += if line.is_empty() { "" } else { " " };
        line += word;
    }
    lines + &plain(&line) + "\n"
}

/// Escapes text for roff.
fn plain(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('"', "\\(dq");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

// ---- bash ----

fn bash() -> String {
    let flags = |command: Option<Command>| {
        let words = of(command).flat_map(|flag| {
            let short = flag.short.map(|short| format!("-{short}"));
            short.into_iter().chain([format!("--{}", flag.long)])
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let mut after = String::new();
    for flag in shown() {
        let reply = match takes(flag) {
            Takes::Nothing => continue,
            Takes::OneOf(values) => format!("_openai_words '{}'", values.join(" ")),
            Takes::File => "_openai_files ''".to_owned(),
            Takes::AtFile => "[[ $cur == @* ]] && _openai_files @".to_owned(),
            Takes::Text => ":".to_owned(),
        };
        let short = flag.short.map_or(String::new(), |short| format!("-{short} | "));
        let _ = writeln!(after, "        {short}--{}) {reply}; return 0 ;;", flag.long);
    }
    let mut by_command = String::new();
    for row in COMMANDS {
        let _ = writeln!(
            by_command,
            "            {}) _openai_words '{}' ;;",
            row.name,
            flags(Some(row.command))
        );
    }
    let all = flags(None);
    let names = names();
    let (words, pattern) = (names.join(" "), names.join(" | "));
    format!(
        r#"# bash completion for openai videos; source it, or put it into /usr/share/bash-completion/completions

_openai_words() {{
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}}

_openai_files() {{ # PREFIX
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -P "$1" -f -- "${{cur#"$1"}}")
}}

_openai() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}} videos='' command='' word
    COMPREPLY=()
    # bash takes --flag=value for three words.
    if [[ $cur == = ]]; then
        cur=''
    elif [[ $prev == = ]]; then
        prev=${{COMP_WORDS[COMP_CWORD - 2]}}
    fi
    case $prev in
{after}    esac
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case $word in
            videos) videos=1 ;;
            {pattern}) [[ -z $videos || -n $command ]] || command=$word ;;
        esac
    done
    if [[ $cur == -* ]]; then
        case $command in
{by_command}            *) _openai_words '{all}' ;;
        esac
    elif [[ -z $videos ]]; then
        _openai_words videos
    elif [[ -z $command ]]; then
        _openai_words '{words}'
    fi
}}

complete -F _openai openai
"#
    )
}

// ---- zsh ----

fn zsh() -> String {
    let mut commands = String::new();
    for row in COMMANDS {
        let spec = quoted(&format!("{}:{}", row.name, row.about));
        let _ = writeln!(commands, "        {spec}");
    }
    let specs = |flags: &mut dyn Iterator<Item = &'static Flag>, indent: &str| {
        flags.map(|flag| format!("{indent}{}\n", spec(flag))).collect::<String>()
    };
    let everywhere = specs(&mut of(None), "        ");
    let mut by_command = String::new();
    for row in COMMANDS {
        let mut own = of(Some(row.command)).filter(|flag| !flag.on.is_empty());
        let own = specs(&mut own, "            ");
        let _ = write!(by_command, "        {}) specs+=(\n{own}        ) ;;\n", row.name);
    }
    format!(
        r#"#compdef openai
# zsh completion for openai videos; put it into a directory of $fpath

_openai() {{
    local -a commands=(
{commands}    )
    local -a specs=(
{everywhere}    )
    case ${{words[(r)({})]}} in
{by_command}    esac
    _arguments -s -S : $specs '1:group:(videos)' '2:command:{{_describe command commands}}' '3:id:'
}}

_openai "$@"
"#,
        names().join("|")
    )
}

/// One argument of `_arguments`.
fn spec(flag: &Flag) -> String {
    let help = flag.help.replace('[', "\\[").replace(']', "\\]").replace(':', "\\:");
    let action = match takes(flag) {
        Takes::Nothing => String::new(),
        Takes::OneOf(values) => format!(":{}:({})", flag.value, values.join(" ")),
        Takes::File => ":file:_files".to_owned(),
        Takes::AtFile => format!(":{}:{{compset -P @ && _files}}", flag.value),
        Takes::Text => format!(":{}:", flag.value.replace(':', "\\:")),
    };
    let equals = if flag.value.is_empty() { "" } else { "=" };
    let rest = quoted(&format!("[{help}]{action}"));
    let repeatable = flag.more.contains("epeatable");
    match flag.short {
        Some(short) => {
            let plus = if flag.value.is_empty() { "" } else { "+" };
            format!("'(-{short} --{0})'{{-{short}{plus},--{0}{equals}}}{rest}", flag.long)
        }
        None if repeatable => format!("'*--{}{equals}'{rest}", flag.long),
        None => format!("--{}{equals}{rest}", flag.long),
    }
}

/// Quotes text for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

// ---- fish ----

fn fish() -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let names = names().join(" ");
    let mut text = format!(
        "# fish completion for openai videos; put it into ~/.config/fish/completions\n\n\
         complete -c openai -f\n\
         complete -c openai -n 'not __fish_seen_subcommand_from videos' -a videos -d 'The Videos API'\n\
         set -l none '__fish_seen_subcommand_from videos; and not __fish_seen_subcommand_from {names}'\n"
    );
    for row in COMMANDS {
        let _ = writeln!(
            text,
            "complete -c openai -n \"$none\" -a {} -d {}",
            row.name,
            quoted(row.about)
        );
    }
    for flag in shown() {
        text += "complete -c openai";
        if !flag.on.is_empty() {
            let on = COMMANDS.iter().filter(|row| flag.on.contains(&row.command));
            let on: Vec<&str> = on.map(|row| row.name).collect();
            let _ = write!(text, " -n '__fish_seen_subcommand_from {}'", on.join(" "));
        }
        if let Some(short) = flag.short {
            let _ = write!(text, " -s {short}");
        }
        let _ = write!(text, " -l {}", flag.long);
        match takes(flag) {
            Takes::Nothing => {}
            Takes::OneOf(values) => {
                let _ = write!(text, " -x -a '{}'", values.join(" "));
            }
            Takes::File => text += " -r -F",
            Takes::AtFile => {
                let files = "(string replace -r \"^@?\" @ -- (__fish_complete_path (string replace -r \"^@\" \"\" -- (commandline -ct))))";
                let _ = write!(text, " -x -a '{files}'");
            }
            Takes::Text => text += " -x",
        }
        let _ = writeln!(text, " -d {}", quoted(flag.help));
    }
    text
}
