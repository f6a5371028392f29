//! The one table of flags. The parser, both helps, the man pages and the completions are made from
//! it.

use std::ffi::OsString;
use std::time::Duration;

use openai_videos::Family;

use crate::cli::args::command::{
    BY_VIDEO_ID, CREATE, CREATE_CHARACTER, CREATING, Command, FETCHING, REFERRING, SENDING, TIMED,
    WAITING,
};

/// The command line as it was given. Nothing is checked against anything else yet.
#[derive(Default)]
pub(crate) struct Args {
    /// Everything but flags: the command words, then the command's arguments.
    pub(crate) words: Vec<OsString>,
    pub(crate) help: Option<Help>,
    pub(crate) version: bool,
    /// Every flag that was given.
    pub(crate) given: Vec<&'static Flag>,

    pub(crate) prompt: Option<OsString>,
    pub(crate) seconds: Option<String>,
    pub(crate) video: Option<OsString>,
    pub(crate) model: Option<String>,
    pub(crate) size: Option<String>,
    pub(crate) input_reference: Option<OsString>,
    pub(crate) name: Option<String>,
    pub(crate) video_id: Option<String>,
    pub(crate) character_id: Option<String>,
    pub(crate) body: Option<OsString>,
    pub(crate) fields: Vec<String>,
    pub(crate) encoding: Option<String>,
    pub(crate) dry_run: bool,

    pub(crate) wait: bool,
    pub(crate) wait_timeout: Option<Duration>,
    pub(crate) poll_interval: Option<Duration>,
    pub(crate) output: Option<OsString>,
    pub(crate) variant: Option<String>,
    pub(crate) state: Option<OsString>,
    pub(crate) skip_existing: bool,

    pub(crate) limit: Option<u32>,
    pub(crate) after: Option<String>,
    pub(crate) order: Option<String>,
    pub(crate) max_items: Option<u32>,

    pub(crate) api_key: Option<String>,
    pub(crate) api_key_file: Option<OsString>,
    pub(crate) base_url: Option<String>,
    pub(crate) organization: Option<String>,
    pub(crate) project: Option<String>,
    pub(crate) headers: Vec<String>,
    pub(crate) allow_http: bool,
    pub(crate) cacert: Option<OsString>,
    pub(crate) client_cert: Option<OsString>,
    pub(crate) client_key: Option<OsString>,
    pub(crate) family: Option<Family>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) stall_timeout: Option<Duration>,
    pub(crate) max_retries: Option<u32>,
    pub(crate) retry_unsafe: bool,

    pub(crate) format: Option<String>,
    pub(crate) transform: Option<String>,
    pub(crate) raw_output: bool,
    pub(crate) format_error: Option<String>,
    pub(crate) transform_error: Option<String>,
    pub(crate) debug: bool,
    pub(crate) quiet: bool,
}

impl std::fmt::Debug for Args {
    /// The names of the flags only, as the values contain keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Args({:?} {:?})", self.words, self.given)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Help {
    Short,
    Whole,
}

impl Flag {
    /// Whether this command takes it; without a command, whether any command does.
    pub(crate) fn is_for(&self, command: Option<Command>) -> bool {
        command.is_none_or(|command| self.on.is_empty() || self.on.contains(&command))
    }
}

impl std::fmt::Debug for Flag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.long)
    }
}

/// One flag.
pub(crate) struct Flag {
    pub(crate) long: &'static str,
    pub(crate) short: Option<char>,
    /// The name of the value in the help; empty for a switch.
    pub(crate) value: &'static str,
    /// The environment variable that is read without the flag; empty if there is none.
    pub(crate) env: &'static str,
    /// The value without the flag and its variable; empty if there is none.
    pub(crate) default: &'static str,
    /// All possible values; empty if they cannot be listed.
    pub(crate) values: &'static [&'static str],
    /// Whether an empty value is allowed. It is an error elsewhere, as it comes from a shell
    /// variable that is not set.
    pub(crate) may_be_empty: bool,
    pub(crate) group: Group,
    /// Whether `-h` lists it, which is one screen.
    pub(crate) common: bool,
    /// The commands that take it; empty for all.
    pub(crate) on: &'static [Command],
    /// One line for `-h`.
    pub(crate) help: &'static str,
    /// More sentences, for `--help` only.
    pub(crate) more: &'static str,
    pub(crate) set: Set,
}

/// The headings of the help, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Request,
    Result,
    Server,
    Output,
    /// Accepted and ignored, because existing scripts pass it; not in the help.
    Unused,
}

impl Group {
    pub(crate) const SHOWN: [(Group, &'static str); 4] = [
        (Group::Request, "Request"),
        (Group::Result, "Result"),
        (Group::Server, "Server"),
        (Group::Output, "Output"),
    ];
}

/// `-4` and `-6`. Switching one off does not switch the other one off.
fn set_family(args: &mut Args, family: Family, on: bool) {
    if on || args.family == Some(family) {
        args.family = on.then_some(family);
    }
}

/// The type of a flag's value, and how it is stored in [`Args`].
pub(crate) enum Set {
    Switch(fn(&mut Args, bool)),
    Text(fn(&mut Args, String)),
    /// Text that is or contains a path, and need not be UTF-8.
    Os(fn(&mut Args, OsString)),
    Duration(fn(&mut Args, Duration)),
    Number(fn(&mut Args, u32)),
}

/// The default values of a row, for each group of the help.
const REQUEST: Flag = Flag { group: Group::Request, ..SERVER };
const RESULT: Flag = Flag { group: Group::Result, ..SERVER };
const OUTPUT: Flag = Flag { group: Group::Output, ..SERVER };
const UNUSED: Flag = Flag { group: Group::Unused, may_be_empty: true, ..SERVER };
const SERVER: Flag = Flag {
    long: "",
    short: None,
    value: "",
    env: "",
    default: "",
    values: &[],
    may_be_empty: false,
    group: Group::Server,
    common: false,
    on: &[],
    help: "",
    more: "",
    set: Set::Switch(|_, _| {}),
};

/// The paragraph about the variables for which there is no flag.
pub(crate) const PROXIES: &str = "\
    Proxies are read from https_proxy, http_proxy and all_proxy, chosen by the scheme of the \
    server's URL; no_proxy lists exceptions: *, names, addresses, CIDR blocks. The names may be \
    in upper case. Supported are http, https, socks5 and socks5h. Loopback is always reached \
    directly.";

/// Examples for the help and the man pages. A test runs them.
pub(crate) const EXAMPLES: [&str; 15] = [
    "openai videos extend --prompt 'The camera pulls back' --seconds 8 --video video_123",
    "openai videos extend --prompt @prompt.txt --seconds 4 --video @clip.mp4 --output longer.mp4",
    "openai videos extend --prompt 'It snows' --field duration:=6 \
     --video https://example.com/a.mp4",
    "openai videos create --prompt 'A cat on a piano' --seconds 8 --size 1280x720",
    "openai videos create --prompt 'It rains' --input-reference @still.png --output rain.mp4",
    "openai videos edit --prompt 'Make it night' --video video_123",
    "openai videos remix video_123 --prompt 'The cat is a dog'",
    "openai videos list --max-items 5 --format pretty",
    "openai videos retrieve video_456 --wait --format pretty",
    "openai videos retrieve video_456 --transform status --raw-output",
    "openai videos download-content video_456 --output longer.mp4",
    "openai videos download-content video_456 --variant thumbnail --output still.webp",
    "openai videos delete video_456",
    "openai videos create-character --name Mia --video clip.mp4",
    "openai videos get-character char_123",
];

/// The options that set the field of the same name, with `_` for `-`.
pub(crate) const FIELDS: [&str; 7] =
    ["prompt", "seconds", "video", "model", "size", "input-reference", "name"];

const FORMATS: &[&str] = &["auto", "json", "jsonl", "raw", "pretty", "yaml", "explore"];

/// Every flag, in the order of the help.
pub(crate) const FLAGS: &[Flag] = &[
    Flag {
        long: "prompt",
        value: "TEXT",
        on: CREATING,
        common: true,
        help: "The prompt's text; @FILE reads it from a file",
        more: "1 to 32,000 characters. One line break at the end of FILE is dropped; @- reads \
               standard input. @name that has no '.' or '/' and is not a file is literal text; \
               \\@ starts a literal @.",
        set: Set::Os(|args, value| args.prompt = Some(value)),
        ..REQUEST
    },
    Flag {
        long: "seconds",
        value: "N",
        values: &["4", "8", "12", "16", "20"],
        on: TIMED,
        common: true,
        help: "Length: 4, 8 or 12; extend also 16 or 20",
        more: "For extend, of the new segment alone. For any other value, use --field seconds=N or \
               --field duration:=N instead.",
        set: Set::Text(|args, value| args.seconds = Some(value)),
        ..REQUEST
    },
    Flag {
        long: "video",
        value: "REF",
        on: REFERRING,
        common: true,
        help: "The video: its id, a URL, @FILE, or {id: ID}",
        more: "It must be completed. @FILE uploads a file; @- uploads standard input, once and \
               without retries, and may pause for the stall timeout. A URL (http, https or data) \
               is sent as {\"url\": URL}. An object is JSON or the short form, and is sent as it \
               is. @file://FILE is the same as @FILE; \\@ starts an id that begins with @.",
        set: Set::Os(|args, value| args.video = Some(value)),
        ..REQUEST
    },
    Flag {
        long: "video",
        value: "FILE",
        on: &[CREATE_CHARACTER],
        common: true,
        help: "The video to upload, with or without @ before it",
        set: Set::Os(|args, value| args.video = Some(value)),
        ..REQUEST
    },
    Flag {
        long: "model",
        value: "MODEL",
        on: &[CREATE],
        common: true,
        help: "The model; without it the server chooses",
        set: Set::Text(|args, value| args.model = Some(value)),
        ..REQUEST
    },
    Flag {
        long: "size",
        value: "WxH",
        on: &[CREATE],
        common: true,
        help: "Width and height in pixels, such as 1280x720",
        set: Set::Text(|args, value| args.size = Some(value)),
        ..REQUEST
    },
    Flag {
        long: "input-reference",
        value: "REF",
        on: &[CREATE],
        common: true,
        help: "An image to begin with: a URL, @FILE or a file's id",
        more: "As --video, but a URL is sent as {\"image_url\": URL} and an id as {\"file_id\": \
               ID}. An object is written as {file_id: ID}.",
        set: Set::Os(|args, value| args.input_reference = Some(value)),
        ..REQUEST
    },
    Flag {
        long: "name",
        value: "TEXT",
        on: &[CREATE_CHARACTER],
        common: true,
        help: "The character's name, of 1 to 80 characters",
        set: Set::Text(|args, value| args.name = Some(value)),
        ..REQUEST
    },
    Flag {
        long: "body",
        value: "FILE",
        on: SENDING,
        help: "Read the request's fields from an object in FILE, JSON or YAML",
        more: "'-' reads standard input. If a required option is missing, standard input is read \
               without '-', too, if it is a pipe or a regular file; a pipe that sends nothing for \
               10 s counts as empty. Options override its fields. '@' has no special meaning in \
               it.",
        set: Set::Os(|args, value| args.body = Some(value)),
        ..REQUEST
    },
    Flag {
        long: "field",
        value: "NAME=TEXT",
        on: SENDING,
        common: true,
        help: "Set a request field; NAME:=JSON for a JSON value",
        more: "Repeatable. Overrides --body. Examples: model=sora-2, duration:=6, seconds=5. \
               duration replaces --seconds; video_id or video_url replaces --video.",
        set: Set::Text(|args, value| args.fields.push(value)),
        ..REQUEST
    },
    Flag {
        long: "encoding",
        value: "ENCODING",
        default: "auto",
        values: &["auto", "json", "multipart", "data-url"],
        on: CREATING,
        help: "Request body: auto, json, multipart or data-url",
        more: "auto sends JSON for a reference and multipart for an upload. If the server does not \
               accept that (415), it switches once: to the form field video[id], or to data-url, \
               which is JSON with the file as a data: URL in base64.",
        set: Set::Text(|args, value| args.encoding = Some(value)),
        ..REQUEST
    },
    Flag {
        long: "dry-run",
        on: SENDING,
        common: true,
        help: "Print the request without secrets; send nothing",
        set: Set::Switch(|args, on| args.dry_run = on),
        ..REQUEST
    },
    Flag {
        long: "max-items",
        value: "N",
        on: &[Command::List],
        common: true,
        help: "List at most N jobs; without it all",
        more: "Pages are requested as they are needed. --format raw prints one page as received.",
        set: Set::Number(|args, value| args.max_items = Some(value)),
        ..REQUEST
    },
    Flag {
        long: "order",
        value: "ORDER",
        values: &["asc", "desc"],
        on: &[Command::List],
        common: true,
        help: "asc: the oldest first; desc: the newest first",
        set: Set::Text(|args, value| args.order = Some(value)),
        ..REQUEST
    },
    Flag {
        long: "after",
        value: "ID",
        on: &[Command::List],
        common: true,
        help: "List the jobs that follow the one with this id",
        set: Set::Text(|args, value| args.after = Some(value)),
        ..REQUEST
    },
    Flag {
        long: "limit",
        value: "N",
        on: &[Command::List],
        common: true,
        help: "Jobs on one page, 0 to 100",
        set: Set::Number(|args, value| args.limit = Some(value)),
        ..REQUEST
    },
    Flag {
        long: "wait",
        on: WAITING,
        common: true,
        help: "Wait until the job is completed or failed",
        more: "The job's id is on standard error before the first poll. A failed job is exit \
               code 1.",
        set: Set::Switch(|args, on| args.wait = on),
        ..RESULT
    },
    Flag {
        long: "wait-timeout",
        value: "DURATION",
        default: "30m",
        on: FETCHING,
        common: true,
        help: "Maximum time to wait; the job itself continues",
        more: "For download-content: maximum time to wait for content that is not ready, a \
               minute at most.",
        set: Set::Duration(|args, value| args.wait_timeout = Some(value)),
        ..RESULT
    },
    Flag {
        long: "poll-interval",
        value: "DURATION",
        on: FETCHING,
        help: "Poll interval, unless the server sets one",
        more: "Without it: 1s, growing by half up to 15s.",
        set: Set::Duration(|args, value| args.poll_interval = Some(value)),
        ..RESULT
    },
    Flag {
        long: "output",
        short: Some('o'),
        value: "FILE",
        on: FETCHING,
        common: true,
        help: "Wait, then store the media; '-' is standard output",
        more: "FILE is complete or unchanged. Whether it can be written is checked before \
               anything is sent. {id} in its name, beside other text, is replaced by the job's \
               id: {id}.mp4.",
        set: Set::Os(|args, value| args.output = Some(value)),
        ..RESULT
    },
    Flag {
        long: "variant",
        value: "VARIANT",
        values: &["video", "thumbnail", "spritesheet"],
        on: FETCHING,
        help: "The media to download: video, thumbnail or spritesheet",
        set: Set::Text(|args, value| args.variant = Some(value)),
        ..RESULT
    },
    Flag {
        long: "state",
        value: "FILE",
        on: CREATING,
        common: true,
        help: "Record the job in FILE, so that a rerun resumes it",
        more: "A run that finds a job in FILE waits for it and downloads it, instead of paying \
               again. One that finds an interrupted request asks the server's list, and posts \
               again only if the list proves that there is no job; in doubt it ends with code 7. \
               FILE is emptied when the result is delivered or the job has failed, and never \
               contains the key. Without this option the id is on standard error.",
        set: Set::Os(|args, value| args.state = Some(value)),
        ..RESULT
    },
    Flag {
        long: "skip-existing",
        on: FETCHING,
        help: "Send nothing if the output FILE exists and is not empty",
        more: "For batches that are run again. It needs --output FILE without {id}, and no key \
               if it skips. A job in the state file is resumed all the same.",
        set: Set::Switch(|args, on| args.skip_existing = on),
        ..RESULT
    },
    Flag {
        long: "video-id",
        value: "ID",
        on: BY_VIDEO_ID,
        help: "The id, in place of the argument",
        set: Set::Text(|args, value| args.video_id = Some(value)),
        ..RESULT
    },
    Flag {
        long: "character-id",
        value: "ID",
        on: &[Command::GetCharacter],
        help: "The character's id, in place of the argument",
        set: Set::Text(|args, value| args.character_id = Some(value)),
        ..RESULT
    },
    Flag {
        long: "base-url",
        value: "URL",
        env: "OPENAI_BASE_URL",
        default: "https://api.openai.com/v1",
        common: true,
        help: "The server's URL, with the path prefix of the API",
        more: "OpenAI shut down its own endpoint on 2026-09-24: set this to your server or \
               gateway.",
        set: Set::Text(|args, value| args.base_url = Some(value)),
        ..SERVER
    },
    Flag {
        long: "api-key",
        value: "KEY",
        env: "OPENAI_API_KEY",
        help: "The API key; other users of the machine can see it",
        more: "It cannot be used with --api-key-file, and only one of the two variables may be \
               set.",
        set: Set::Text(|args, value| args.api_key = Some(value)),
        ..SERVER
    },
    Flag {
        long: "api-key-file",
        value: "FILE",
        env: "OPENAI_API_KEY_FILE",
        common: true,
        help: "Read the API key from a file",
        more: "White space around it is dropped. '-' reads standard input.",
        set: Set::Os(|args, value| args.api_key_file = Some(value)),
        ..SERVER
    },
    Flag {
        long: "organization",
        value: "ID",
        env: "OPENAI_ORG_ID",
        help: "Value of the header OpenAI-Organization",
        set: Set::Text(|args, value| args.organization = Some(value)),
        ..SERVER
    },
    Flag {
        long: "project",
        value: "ID",
        env: "OPENAI_PROJECT_ID",
        help: "Value of the header OpenAI-Project",
        set: Set::Text(|args, value| args.project = Some(value)),
        ..SERVER
    },
    Flag {
        long: "header",
        value: "'NAME: VALUE'",
        help: "Add a request header, or replace a default one",
        more: "Repeatable. An empty value removes a default header. @FILE reads a header from each \
               line, so that secrets are not in the process list; empty lines and lines that start \
               with # are skipped.",
        set: Set::Text(|args, value| args.headers.push(value)),
        ..SERVER
    },
    Flag {
        long: "allow-http",
        env: "OPENAI_ALLOW_HTTP",
        help: "Allow sending the key over plain http to another machine",
        more: "OPENAI_ALLOW_HTTP=1 does the same.",
        set: Set::Switch(|args, on| args.allow_http = on),
        ..SERVER
    },
    Flag {
        long: "cacert",
        value: "FILE",
        default: "Mozilla's list, built in",
        env: "SSL_CERT_FILE",
        help: "Trust only the certificates in this file",
        more: "PEM, such as /etc/ssl/certs/ca-certificates.crt.",
        set: Set::Os(|args, value| args.cacert = Some(value)),
        ..SERVER
    },
    Flag {
        long: "mtls-client-cert-file",
        value: "FILE",
        env: "OPENAI_MTLS_CLIENT_CERT_FILE",
        help: "Client certificate, for servers that ask for one",
        more: "PEM, followed by its chain. It needs --mtls-client-key-file.",
        set: Set::Os(|args, value| args.client_cert = Some(value)),
        ..SERVER
    },
    Flag {
        long: "mtls-client-key-file",
        value: "FILE",
        env: "OPENAI_MTLS_CLIENT_KEY_FILE",
        help: "Private key of the client certificate",
        more: "PEM, not encrypted.",
        set: Set::Os(|args, value| args.client_key = Some(value)),
        ..SERVER
    },
    Flag {
        long: "ipv4",
        short: Some('4'),
        help: "Connect to IPv4 addresses only",
        set: Set::Switch(|args, on| set_family(args, Family::V4, on)),
        ..SERVER
    },
    Flag {
        long: "ipv6",
        short: Some('6'),
        help: "Connect to IPv6 addresses only",
        set: Set::Switch(|args, on| set_family(args, Family::V6, on)),
        ..SERVER
    },
    Flag {
        long: "connect-timeout",
        value: "DURATION",
        default: "10s",
        help: "Maximum time to connect: DNS, all addresses, proxy and TLS",
        set: Set::Duration(|args, value| args.connect_timeout = Some(value)),
        ..SERVER
    },
    Flag {
        long: "timeout",
        value: "DURATION",
        default: "10m",
        help: "Maximum time from the end of the request to the response",
        set: Set::Duration(|args, value| args.timeout = Some(value)),
        ..SERVER
    },
    Flag {
        long: "stall-timeout",
        value: "DURATION",
        default: "60s",
        help: "Maximum time without a byte sent or received",
        set: Set::Duration(|args, value| args.stall_timeout = Some(value)),
        ..SERVER
    },
    Flag {
        long: "max-retries",
        value: "N",
        default: "2",
        help: "Maximum number of retries, where one cannot pay twice",
        set: Set::Number(|args, value| args.max_retries = Some(value)),
        ..SERVER
    },
    Flag {
        long: "retry-unsafe",
        help: "Retry even where that may create a second job",
        set: Set::Switch(|args, on| args.retry_unsafe = on),
        ..SERVER
    },
    Flag {
        long: "format",
        value: "FORMAT",
        default: "auto",
        values: FORMATS,
        common: true,
        help: "Format: json, jsonl, raw, pretty (a table) or yaml",
        more: "auto is json: indented, in the server's order and with its numbers, coloured on a \
               terminal (FORCE_COLOR and NO_COLOR override that). jsonl is one line; raw is the \
               response as received. explore is the same as json.",
        set: Set::Text(|args, value| args.format = Some(value)),
        ..OUTPUT
    },
    Flag {
        long: "transform",
        value: "GJSON",
        may_be_empty: true,
        common: true,
        help: "Print only what this GJSON path finds in the result",
        more: "If it finds nothing, the whole result is printed, with a notice on standard \
               error.",
        set: Set::Text(|args, value| args.transform = Some(value)),
        ..OUTPUT
    },
    Flag {
        long: "raw-output",
        short: Some('r'),
        common: true,
        help: "Print a string without quotation marks and escapes",
        set: Set::Switch(|args, on| args.raw_output = on),
        ..OUTPUT
    },
    Flag {
        long: "format-error",
        value: "FORMAT",
        default: "auto",
        values: FORMATS,
        help: "The format of errors on standard error; auto is text",
        more: "A server's error is printed as received, of {\"error\": {...}} the inner object; \
               any other error as {\"message\": ..., \"hint\": ...}.",
        set: Set::Text(|args, value| args.format_error = Some(value)),
        ..OUTPUT
    },
    Flag {
        long: "transform-error",
        value: "GJSON",
        may_be_empty: true,
        help: "Print only what this GJSON path finds in an error",
        set: Set::Text(|args, value| args.transform_error = Some(value)),
        ..OUTPUT
    },
    Flag {
        long: "debug",
        help: "Log requests and responses on standard error, without secrets",
        set: Set::Switch(|args, on| args.debug = on),
        ..OUTPUT
    },
    Flag {
        long: "quiet",
        short: Some('q'),
        common: true,
        help: "Show no progress and no warnings",
        set: Set::Switch(|args, on| args.quiet = on),
        ..OUTPUT
    },
    Flag {
        long: "help",
        short: Some('h'),
        common: true,
        help: "-h: the common options; --help: everything",
        set: Set::Switch(|args, on| args.help = on.then_some(Help::Whole)),
        ..OUTPUT
    },
    Flag {
        long: "version",
        short: Some('v'),
        help: "Print the version",
        set: Set::Switch(|args, on| args.version = on),
        ..OUTPUT
    },
    Flag { long: "admin-api-key", value: "KEY", set: Set::Text(|_, _| {}), ..UNUSED },
    Flag { long: "webhook-secret", value: "SECRET", set: Set::Text(|_, _| {}), ..UNUSED },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_well_formed() {
        for (at, flag) in FLAGS.iter().enumerate() {
            let name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(!flag.long.is_empty() && flag.long.chars().all(name), "{}", flag.long);
            for other in &FLAGS[at + 1..] {
                // Two rows of one option are for different commands.
                let is_shared = |command| other.on.contains(command);
                let differs = !flag.on.is_empty() && !flag.on.iter().any(is_shared);
                assert!(flag.long != other.long || differs, "{}", flag.long);
                assert!(flag.short.is_none() || flag.short != other.short, "{}", flag.long);
            }
        }
    }

    #[test]
    fn a_switch_has_no_value_and_everything_else_has_one() {
        for flag in FLAGS {
            assert_eq!(flag.value.is_empty(), matches!(flag.set, Set::Switch(_)), "{}", flag.long);
        }
    }

    #[test]
    fn every_shown_flag_has_one_line_of_help() {
        for flag in FLAGS.iter().filter(|flag| flag.group != Group::Unused) {
            assert!(
                !flag.help.is_empty() && !flag.help.contains('\n') && !flag.help.ends_with('.'),
                "{}",
                flag.long
            );
            assert!(flag.more.is_empty() || flag.more.ends_with('.'), "{}", flag.long);
        }
    }
}
