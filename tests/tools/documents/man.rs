//! The man pages in mdoc(7): openai-videos(1), and one page for each command.

use std::fmt::Write as _;

use openai_videos::Operation;

use crate::cli::args::command::{COMMANDS, Command, CommandRow};
use crate::cli::args::flags::{EXAMPLES, FLAGS, Flag, Group, PROXIES};
use crate::cli::exit;

/// The date in the man pages. Change it with the pages.
const DATE: &str = "November 24, 2026";
/// The page about all commands.
const WHOLE: &str = "openai-videos";

const ABOUT_ALL: &str = "\
    asks a server of the OpenAI Videos API to make, extend or change a video, waits for the job \
    and downloads the result. Standard output has the result and nothing else; messages and \
    progress go to standard error. OpenAI shut down its own endpoint on 2026-09-24: set \
    --base-url or OPENAI_BASE_URL to another server.";
const ABOUT_JOBS: &str = "\
    It prints the job that the server has created; the job itself runs on the server, often for \
    minutes. With --wait the program waits until the job is completed or failed, with --output \
    it then stores the video. As a job costs money, the request is sent again only where that \
    cannot create a second one. With --state the job is recorded in a file, so that a run that \
    was killed or has failed can be repeated, and goes on with the same job.";

/// The files that all commands read.
const FILES: [(&str, &str); 2] = [
    ("/etc/resolv.conf", "The name servers. It is not needed for a URL with an IP address."),
    ("/etc/hosts", "Addresses of hosts, which override those of the name servers."),
];

/// Every page, by its file name.
pub(crate) fn pages() -> Vec<(String, String)> {
    let own = COMMANDS.iter().map(|row| (page_of(row), of_command(row)));
    let all = [(WHOLE.to_owned(), of_all())].into_iter().chain(own);
    all.map(|(name, text)| (format!("man/{name}.1"), text)).collect()
}

fn page_of(row: &CommandRow) -> String {
    format!("{WHOLE}-{}", row.name)
}

/// The description of a command, longer than its line of the help.
fn about(command: Command) -> &'static str {
    match command {
        Command::Send(Operation::Extend) => {
            "The server continues a completed video by --seconds, as --prompt says. The result is \
             the whole video."
        }
        Command::Send(Operation::Create) => {
            "The server makes a video as --prompt says, beginning with the image of \
             --input-reference if there is one."
        }
        Command::Send(Operation::Edit) => {
            "The server changes a completed or uploaded video as --prompt says. The video itself \
             is kept."
        }
        Command::Send(Operation::Remix) => {
            "The server makes another version of the completed video ID, as --prompt says. The \
             video itself is kept."
        }
        Command::Send(_) => {
            "It uploads a video and prints the character, which later prompts can name. A \
             request whose outcome is unknown is not sent again, because a character may exist."
        }
        Command::List => {
            "It prints each job, whatever command created it, as a document of its own: JSON \
             documents one after another, a line each with --format jsonl, a row of a table each \
             with --format pretty. Pages are requested as they are needed, and one is in memory at \
             a time."
        }
        Command::Retrieve => {
            "It prints the job ID as it is now. With --wait it waits until the job is completed \
             or failed, with --output it then stores the video."
        }
        Command::DownloadContent => {
            "It stores the media of the completed job ID in the file of --output, which is \
             complete or unchanged, or else writes them to standard output, unless that is a \
             terminal. A broken download is resumed where it stopped. Where the server has no \
             content, the video is downloaded from the URL that the job names. Content that is \
             not ready is requested again for up to a minute."
        }
        Command::Delete => "It deletes the job ID and its media, and prints the server's response.",
        Command::GetCharacter => "It prints the character ID.",
    }
}

fn of_command(row: &CommandRow) -> String {
    let mut page = head(&page_of(row), &lower(row.about));
    page += &synopsis(row);
    page += &format!(".Sh DESCRIPTION\n{}", prose(about(row.command)));
    if row.creates_job() {
        page += &format!(".Pp\n{}", prose(ABOUT_JOBS));
    }
    page += ".Sh OPTIONS\n";
    let own = |group| {
        move |flag: &&Flag| {
            flag.group == group && !flag.on.is_empty() && flag.is_for(Some(row.command))
        }
    };
    for (group, title) in Group::SHOWN {
        let items: String = FLAGS.iter().filter(own(group)).map(item).collect();
        if !items.is_empty() {
            let _ = write!(page, ".Ss {title}\n.Bl -tag -width Ds\n{items}.El\n");
        }
    }
    page += ".Ss All commands\nThese are described in\n.Xr openai-videos 1 :\n";
    let common: Vec<&Flag> = common().collect();
    for (at, flag) in common.iter().enumerate() {
        let end = if at + 1 == common.len() { " ." } else { " ," };
        let _ = writeln!(page, ".Fl Fl {}{end}", flag.long);
    }
    page += ".Sh EXIT STATUS\n.Bl -tag -width Ds\n";
    for (code, meaning, advice) in exit::TABLE.iter().filter(|(code, ..)| can_end(row, *code)) {
        page += &exit_status(*code, meaning, advice);
    }
    page += ".El\n.Sh EXAMPLES\n.Bd -literal\n";
    for example in EXAMPLES.iter().filter(|example| example.split(' ').nth(2) == Some(row.name)) {
        page += &format!("{}\n", plain(example));
    }
    page + ".Ed\n.Sh SEE ALSO\n" + &see_also(related(row))
}

fn of_all() -> String {
    let mut page = head(WHOLE, "make, extend and change videos through the OpenAI Videos API");
    page +=
        ".Nm openai\n.Cm videos\n.Ar command\n.Op Ar options\n.Sh DESCRIPTION\n.Nm openai videos\n";
    page += &prose(ABOUT_ALL);
    page += ".Sh COMMANDS\nEach command has a page of its own.\n.Bl -tag -width Ds\n";
    for row in COMMANDS {
        let _ = write!(page, ".It Xr {} 1\n{}", page_of(row), prose(&format!("{}.", row.about)));
    }
    page += ".El\n.Sh OPTIONS\nThese are the options of all commands.\n\
             They stand before or after the command, as\n.Fl Fl option Ar value\n\
             or\n.Fl Fl option Ns = Ns Ar value .\n\
             A switch also takes\n.Li =true\nor\n.Li =false .\n\
             .Ar DURATION\nis 90, 90s, 1.5m, 2h or 250ms.\n";
    for (group, title) in Group::SHOWN {
        let items: String = common().filter(|flag| flag.group == group).map(item).collect();
        if !items.is_empty() {
            let _ = write!(page, ".Ss {title}\n.Bl -tag -width Ds\n{items}.El\n");
        }
    }
    page += &environment();
    page += ".Sh FILES\n.Bl -tag -width Ds\n";
    for (path, text) in FILES {
        let _ = write!(page, ".It Pa {path}\n{}", prose(text));
    }
    page += ".El\n.Sh EXIT STATUS\n.Bl -tag -width Ds\n";
    for (code, meaning, advice) in exit::TABLE {
        page += &exit_status(code, meaning, advice);
    }
    page += ".El\n.Sh EXAMPLES\n.Bd -literal\n";
    for row in COMMANDS {
        let of_command = |example: &&&str| example.split(' ').nth(2) == Some(row.name);
        page += &format!("{}\n", plain(EXAMPLES.iter().find(of_command).unwrap_or(&"")));
    }
    page + ".Ed\n.Sh SEE ALSO\n"
        + &see_also(COMMANDS.iter().map(page_of).collect())
        + ".Pp\n.Lk https://github.com/tidwall/gjson/blob/master/SYNTAX.md GJSON\n"
}

fn environment() -> String {
    let mut text =
        ".Sh ENVIRONMENT\nAn option overrides its variable.\n.Bl -tag -width Ds\n".to_owned();
    for flag in common().filter(|flag| !flag.env.is_empty()) {
        let _ = write!(text, ".It Ev {}\nAs\n.Fl Fl {} .\n", flag.env, flag.long);
    }
    for name in ["FORCE_COLOR", "NO_COLOR"] {
        let not = if name == "NO_COLOR" { "no " } else { "" };
        let _ = write!(text, ".It Ev {name}\nJSON gets {not}colours, on a terminal or not.\n");
    }
    text + ".El\n.Pp\n" + &prose(PROXIES)
}

/// The options that all commands take.
fn common() -> impl Iterator<Item = &'static Flag> {
    FLAGS.iter().filter(|flag| flag.group != Group::Unused && flag.on.is_empty())
}

fn head(name: &str, about: &str) -> String {
    let title = name.to_uppercase();
    format!(
        ".Dd {DATE}\n.Dt {title} 1\n.Os\n.Sh NAME\n.Nm {name}\n.Nd {}\n.Sh SYNOPSIS\n",
        plain(about)
    )
}

fn synopsis(row: &CommandRow) -> String {
    let mut text = format!(".Nm openai\n.Cm videos {}\n", row.name);
    for argument in row.arguments {
        let _ = writeln!(text, ".Ar {argument}");
    }
    for option in row.required.split("--").filter(|option| !option.is_empty()) {
        let (name, value) = option.trim().split_once(' ').unwrap_or((option, ""));
        let _ = writeln!(text, ".Fl Fl {name} Ar {value}");
    }
    text + ".Op Ar options\n"
}

/// Whether a run of this command can end with this code.
fn can_end(row: &CommandRow, code: u8) -> bool {
    const JOB_FAILED: u8 = exit::Code::JobFailed as u8;
    const UNKNOWN_OUTCOME: u8 = exit::Code::UnknownOutcome as u8;
    const WAIT_TIMEOUT: u8 = exit::Code::WaitTimeout as u8;
    const STATE_LOCKED: u8 = exit::Code::StateLocked as u8;
    let has =
        |name: &str| FLAGS.iter().any(|flag| flag.long == name && flag.is_for(Some(row.command)));
    match code {
        JOB_FAILED => has("output"),
        UNKNOWN_OUTCOME => matches!(row.command, Command::Send(_)),
        WAIT_TIMEOUT => has("wait"),
        STATE_LOCKED => has("state"),
        _ => true,
    }
}

fn exit_status(code: u8, meaning: &str, advice: &str) -> String {
    let colon = if advice.is_empty() { "" } else { ": " };
    format!(".It {code}\n{}", prose(&format!("{meaning}{colon}{advice}.")))
}

/// The related pages: that of all commands, and those of the commands that typically follow this
/// one.
fn related(row: &CommandRow) -> Vec<String> {
    let is_related = |other: &&CommandRow| {
        let is_about_characters = |row: &CommandRow| row.name.ends_with("-character");
        other.name != row.name
            && is_about_characters(other) == is_about_characters(row)
            && !(row.creates_job() && other.creates_job())
    };
    let others = COMMANDS.iter().filter(is_related).map(page_of);
    std::iter::once(WHOLE.to_owned()).chain(others).collect()
}

fn see_also(mut pages: Vec<String>) -> String {
    pages.sort();
    let references: Vec<String> = pages.iter().map(|page| format!(".Xr {page} 1")).collect();
    references.join(" ,\n") + "\n"
}

fn item(flag: &'static Flag) -> String {
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
    if !flag.env.is_empty() {
        let _ = write!(text, "The variable is\n.Ev {} .\n", flag.env);
    }
    text
}

fn lower(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    first.to_lowercase() + rest
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
