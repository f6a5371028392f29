//! `documents DIRECTORY`: writes the man pages and the completions for bash, zsh and fish from the
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

use cli::args::command::{COMMANDS, Command, CommandRow};
use cli::args::flags::{FLAGS, Flag, Group};

#[path = "documents/man.rs"]
mod man;

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
    let completions = [
        ("completions/bash/openai", bash()),
        ("completions/zsh/_openai", zsh()),
        ("completions/fish/openai.fish", fish()),
    ];
    let completions = completions.map(|(path, text)| (path.to_owned(), text));
    for (path, text) in man::pages().into_iter().chain(completions) {
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

/// The values of `--seconds` that a command takes, which differ.
fn seconds(row: &CommandRow) -> &'static [&'static str] {
    match row.command {
        Command::Send(operation) => operation.seconds(),
        _ => &[],
    }
}

/// The commands that take `--seconds`.
fn timed() -> impl Iterator<Item = &'static CommandRow> {
    COMMANDS.iter().filter(|row| !seconds(row).is_empty())
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
    for row in timed() {
        let words = seconds(row).join(" ");
        let _ = writeln!(
            after,
            "        {}\\ --seconds) _openai_words '{words}'; return 0 ;;",
            row.name
        );
    }
    for flag in shown() {
        let reply = match takes(flag) {
            Takes::Nothing => continue,
            Takes::OneOf(values) => format!("_openai_words '{}'", values.join(" ")),
            Takes::File => "_openai_files ''".to_owned(),
            Takes::AtFile => "[[ $cur == @* ]] && _openai_files @".to_owned(),
            Takes::Text => ":".to_owned(),
        };
        let short = flag.short.map_or(String::new(), |short| format!(" | *\\ -{short}"));
        let _ = writeln!(after, "        *\\ --{}{short}) {reply}; return 0 ;;", flag.long);
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
        r#"# bash completion for openai videos
# Source it, or put it into /usr/share/bash-completion/completions.

_openai_words() {{
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}}

_openai_files() {{ # PREFIX
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -P "$1" -f -- "${{cur#"$1"}}")
}}

_openai() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}}
    local videos='' command='' word
    COMPREPLY=()
    # bash takes --flag=value for three words.
    if [[ $cur == = ]]; then
        cur=''
    elif [[ $prev == = ]]; then
        prev=${{COMP_WORDS[COMP_CWORD - 2]}}
    fi
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case $word in
            videos) videos=1 ;;
            {pattern}) [[ -z $videos || -n $command ]] || command=$word ;;
        esac
    done
    case "$command $prev" in
{after}    esac
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
    let everywhere: String =
        of(None).map(|flag| format!("        {}\n", spec(flag, takes(flag)))).collect();
    let mut by_command = String::new();
    for row in COMMANDS {
        let own = of(Some(row.command)).filter(|flag| !flag.on.is_empty());
        let own: String = own
            .map(|flag| match flag.long {
                "seconds" => spec(flag, Takes::OneOf(seconds(row))),
                _ => spec(flag, takes(flag)),
            })
            .map(|spec| format!("            {spec}\n"))
            .collect();
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
fn spec(flag: &Flag, takes: Takes) -> String {
    let help = flag.help.replace('[', "\\[").replace(']', "\\]").replace(':', "\\:");
    let action = match takes {
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
    let names = names().join(" ");
    let mut text = format!(
        "# fish completion for openai videos; put it into ~/.config/fish/completions\n\n\
         complete -c openai -f\n\
         complete -c openai -n 'not __fish_seen_subcommand_from videos' -a videos -d 'The Videos \
         API'\n\
         set -l none '__fish_seen_subcommand_from videos; and not __fish_seen_subcommand_from \
         {names}'\n"
    );
    for row in COMMANDS {
        let _ = writeln!(
            text,
            "complete -c openai -n \"$none\" -a {} -d {}",
            row.name,
            fish_quoted(row.about)
        );
    }
    for flag in shown() {
        let on = COMMANDS.iter().filter(|row| flag.on.contains(&row.command));
        let on: Vec<&str> = on.map(|row| row.name).collect();
        if flag.long == "seconds" {
            for row in timed() {
                text += &option(flag, &[row.name], Takes::OneOf(seconds(row)));
            }
        } else {
            text += &option(flag, &on, takes(flag));
        }
    }
    text
}

/// The line for one option; without a command it is for all.
fn option(flag: &Flag, on: &[&str], takes: Takes) -> String {
    let mut text = "complete -c openai".to_owned();
    if !on.is_empty() {
        let _ = write!(text, " -n '__fish_seen_subcommand_from {}'", on.join(" "));
    }
    if let Some(short) = flag.short {
        let _ = write!(text, " -s {short}");
    }
    let _ = write!(text, " -l {}", flag.long);
    match takes {
        Takes::Nothing => {}
        Takes::OneOf(values) => {
            let _ = write!(text, " -x -a '{}'", values.join(" "));
        }
        Takes::File => text += " -r -F",
        Takes::AtFile => {
            let files = "(string replace -r \"^@?\" @ -- (__fish_complete_path (string replace \
                         -r \"^@\" \"\" -- (commandline -ct))))";
            let _ = write!(text, " -x -a '{files}'");
        }
        Takes::Text => text += " -x",
    }
    text + &format!(" -d {}\n", fish_quoted(flag.help))
}

/// Quotes text for fish.
fn fish_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
