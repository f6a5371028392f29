//! The one table of flags. The parser, both helps and every document that lists flags are made from it.

use std::ffi::OsString;
use std::time::Duration;

use openai_videos::Family;

use crate::cli::args::command::{BY_ID, CREATING, Command, FETCHING, WAITING};

/// What stands on the command line, as it stands there: nothing is checked against anything else yet.
#[derive(Default)]
pub(crate) struct Args {
    /// Everything that is no flag: the command words, then their arguments.
    pub(crate) words: Vec<OsString>,
    pub(crate) help: Option<Help>,
    pub(crate) version: bool,
    /// Every flag that was given.
    pub(crate) given: Vec<&'static Flag>,

    pub(crate) prompt: Option<OsString>,
    pub(crate) seconds: Option<String>,
    pub(crate) video: Option<OsString>,
    pub(crate) video_id: Option<String>,
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
    /// The names of the flags only: the values hold keys.
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
    /// Whether it means something to this command; to any, without one.
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
    /// What the help calls the value; empty for a switch.
    pub(crate) value: &'static str,
    /// The environment variable that stands in for it.
    pub(crate) env: &'static str,
    /// What is used without it, if that is worth saying.
    pub(crate) default: &'static str,
    /// All values that it takes; empty where that is no list.
    pub(crate) values: &'static [&'static str],
    pub(crate) group: Group,
    /// Whether `-h` has it, which is one screen.
    pub(crate) common: bool,
    /// The commands that it means something to; empty for all.
    pub(crate) on: &'static [Command],
    /// One line for `-h`.
    pub(crate) help: &'static str,
    /// What `--help` adds.
    pub(crate) more: &'static str,
    pub(crate) set: Set,
}

/// The headings of the help, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Extend,
    Result,
    Server,
    Output,
    /// Accepted because existing scripts pass it; not in the help.
    Unused,
}

impl Group {
    pub(crate) const SHOWN: [(Group, &'static str); 4] = [
        (Group::Extend, "The extension"),
        (Group::Result, "The result"),
        (Group::Server, "The server"),
        (Group::Output, "Output"),
    ];
}

/// How a flag's value is read and where it goes.
pub(crate) enum Set {
    Switch(fn(&mut Args)),
    Text(fn(&mut Args, String)),
    /// Text that may be or hold a path, which need not be UTF-8.
    Os(fn(&mut Args, OsString)),
    Duration(fn(&mut Args, Duration)),
    Number(fn(&mut Args, u32)),
}

const NONE: Flag = Flag {
    long: "",
    short: None,
    value: "",
    env: "",
    default: "",
    values: &[],
    group: Group::Server,
    common: false,
    on: &[],
    help: "",
    more: "",
    set: Set::Switch(|_| {}),
};

/// What is said about the variables that are no flags'.
pub(crate) const PROXIES: &str = "Proxies are taken from https_proxy, http_proxy and all_proxy, by the scheme of the \
    server's URL, and not used for what no_proxy lists: *, names, addresses, CIDR blocks. Upper case will do too. \
    Known are http, https, socks5 and socks5h. This machine is never reached through a proxy.";

/// Calls that do what they say, for the help and the man page.
pub(crate) const EXAMPLES: [&str; 8] = [
    "openai videos extend --prompt 'The camera pulls back' --seconds 8 --video video_123",
    "openai videos extend --prompt @prompt.txt --seconds 4 --video @clip.mp4 --output longer.mp4",
    "openai videos extend --prompt 'It snows' --field duration:=6 --video '{url: https://example.com/a.mp4}'",
    "openai videos retrieve video_456 --wait --format pretty",
    "openai videos retrieve video_456 --transform status --raw-output",
    "openai videos download-content video_456 --output longer.mp4",
    "openai videos download-content video_456 --variant thumbnail --output still.webp",
    "openai videos delete video_456",
];

const FORMATS: &[&str] = &["auto", "json", "jsonl", "raw", "pretty", "yaml", "explore"];

/// Every flag, in the order of the help.
pub(crate) const FLAGS: &[Flag] = &[
    Flag {
        long: "prompt",
        value: "TEXT",
        group: Group::Extend,
        on: CREATING,
        common: true,
        help: "What happens in the new segment; @FILE reads it",
        more: "1 to 32,000 characters. @FILE drops one line break at the end of the file; @- reads standard input. \
               @name that is no file, with no '.' or '/', is literal text; \\@ starts a literal @.",
        set: Set::Os(|args, value| args.prompt = Some(value)),
        ..NONE
    },
    Flag {
        long: "seconds",
        value: "N",
        values: &["4", "8", "12", "16", "20"],
        group: Group::Extend,
        on: CREATING,
        common: true,
        help: "Length of the new segment: 4, 8, 12, 16 or 20",
        more: "For a server that takes other lengths, use --field seconds=N instead.",
        set: Set::Text(|args, value| args.seconds = Some(value)),
        ..NONE
    },
    Flag {
        long: "video",
        value: "REF",
        group: Group::Extend,
        on: CREATING,
        common: true,
        help: "The video: its id, @FILE to upload one, or {id: ID}",
        more: "It has to be completed. @- uploads standard input, once and without retries; it may pause for the \
               stall timeout. An object may be JSON or the short form; it is sent as it is.",
        set: Set::Os(|args, value| args.video = Some(value)),
        ..NONE
    },
    Flag {
        long: "body",
        value: "FILE",
        group: Group::Extend,
        on: CREATING,
        help: "Take the request's fields from a JSON object; flags win over it",
        more: "'-' reads standard input. '@' inside it has no meaning.",
        set: Set::Os(|args, value| args.body = Some(value)),
        ..NONE
    },
    Flag {
        long: "field",
        value: "NAME=TEXT",
        group: Group::Extend,
        on: CREATING,
        common: true,
        help: "Another request field; NAME:=JSON if it is no text",
        more: "Repeatable, and wins over --body: model=sora-2, duration:=6, seconds=5. duration stands in for \
               --seconds; video_id or video_url for --video.",
        set: Set::Text(|args, value| args.fields.push(value)),
        ..NONE
    },
    Flag {
        long: "encoding",
        value: "HOW",
        default: "auto",
        values: &["auto", "json", "multipart"],
        group: Group::Extend,
        on: CREATING,
        help: "auto, json or multipart",
        more: "auto sends JSON for a reference and multipart for an upload, and falls back to the form field \
               video[id] where a server takes no JSON (415).",
        set: Set::Text(|args, value| args.encoding = Some(value)),
        ..NONE
    },
    Flag {
        long: "dry-run",
        group: Group::Extend,
        on: CREATING,
        common: true,
        help: "Print the request, the key hidden, and send nothing",
        set: Set::Switch(|args| args.dry_run = true),
        ..NONE
    },
    Flag {
        long: "wait",
        group: Group::Result,
        on: WAITING,
        common: true,
        help: "Wait until the job is completed or failed",
        more: "The job's id is on standard error before the first look. A failed job is exit code 1.",
        set: Set::Switch(|args| args.wait = true),
        ..NONE
    },
    Flag {
        long: "wait-timeout",
        value: "DURATION",
        default: "30m",
        group: Group::Result,
        on: FETCHING,
        common: true,
        help: "Longest wait; the job goes on without it",
        more: "For download-content: longest wait for content that is not ready, a minute at most.",
        set: Set::Duration(|args, value| args.wait_timeout = Some(value)),
        ..NONE
    },
    Flag {
        long: "poll-interval",
        value: "DURATION",
        group: Group::Result,
        on: FETCHING,
        help: "Pause between two looks where the server names none",
        more: "Without it: 1 s, growing by half up to 15 s.",
        set: Set::Duration(|args, value| args.poll_interval = Some(value)),
        ..NONE
    },
    Flag {
        long: "output",
        short: Some('o'),
        value: "FILE",
        group: Group::Result,
        on: FETCHING,
        common: true,
        help: "Wait, and save the media; '-' is standard output",
        more: "FILE is whole or untouched. It is made sure that it can be written before anything is sent.",
        set: Set::Os(|args, value| args.output = Some(value)),
        ..NONE
    },
    Flag {
        long: "variant",
        value: "WHICH",
        values: &["video", "thumbnail", "spritesheet"],
        group: Group::Result,
        on: FETCHING,
        help: "What to download: video, thumbnail or spritesheet",
        set: Set::Text(|args, value| args.variant = Some(value)),
        ..NONE
    },
    Flag {
        long: "state",
        value: "FILE",
        group: Group::Result,
        on: CREATING,
        common: true,
        help: "One job, however often the run is cut; kept in FILE",
        more: "A run that finds a job there does not ask for another one: it waits and downloads. FILE is emptied \
               when the job has ended, and never holds the key. Without this the id goes to standard error.",
        set: Set::Os(|args, value| args.state = Some(value)),
        ..NONE
    },
    Flag {
        long: "video-id",
        value: "ID",
        group: Group::Result,
        on: BY_ID,
        help: "The job to retrieve, download or delete",
        set: Set::Text(|args, value| args.video_id = Some(value)),
        ..NONE
    },
    Flag {
        long: "base-url",
        value: "URL",
        env: "OPENAI_BASE_URL",
        default: "https://api.openai.com/v1",
        common: true,
        help: "The server, with the API's path prefix",
        more: "OpenAI's own endpoint was scheduled to shut down on 2026-09-24; name your gateway here.",
        set: Set::Text(|args, value| args.base_url = Some(value)),
        ..NONE
    },
    Flag {
        long: "api-key",
        value: "KEY",
        env: "OPENAI_API_KEY",
        help: "The key; other users of the machine can see it here",
        more: "Not both this and --api-key-file, and not both variables.",
        set: Set::Text(|args, value| args.api_key = Some(value)),
        ..NONE
    },
    Flag {
        long: "api-key-file",
        value: "FILE",
        env: "OPENAI_API_KEY_FILE",
        common: true,
        help: "Read the key from a file",
        more: "White space around it is dropped.",
        set: Set::Os(|args, value| args.api_key_file = Some(value)),
        ..NONE
    },
    Flag {
        long: "organization",
        value: "ID",
        env: "OPENAI_ORG_ID",
        help: "Sent as OpenAI-Organization",
        set: Set::Text(|args, value| args.organization = Some(value)),
        ..NONE
    },
    Flag {
        long: "project",
        value: "ID",
        env: "OPENAI_PROJECT_ID",
        help: "Sent as OpenAI-Project",
        set: Set::Text(|args, value| args.project = Some(value)),
        ..NONE
    },
    Flag {
        long: "header",
        value: "'NAME: VALUE'",
        help: "One more request header, or another value for one",
        more: "Repeatable. An empty value removes a default header.",
        set: Set::Text(|args, value| args.headers.push(value)),
        ..NONE
    },
    Flag {
        long: "allow-http",
        env: "OPENAI_ALLOW_HTTP",
        help: "Let the key go over plain http to another machine",
        more: "OPENAI_ALLOW_HTTP=1 does the same.",
        set: Set::Switch(|args| args.allow_http = true),
        ..NONE
    },
    Flag {
        long: "cacert",
        value: "FILE",
        default: "Mozilla's list, built in",
        env: "SSL_CERT_FILE",
        help: "Trust the certificates in this file, and no others",
        more: "PEM, as /etc/ssl/certs/ca-certificates.crt.",
        set: Set::Os(|args, value| args.cacert = Some(value)),
        ..NONE
    },
    Flag {
        long: "mtls-client-cert-file",
        value: "FILE",
        env: "OPENAI_MTLS_CLIENT_CERT_FILE",
        help: "Show this certificate to a server that asks",
        more: "PEM, with the chain after it. It needs --mtls-client-key-file.",
        set: Set::Os(|args, value| args.client_cert = Some(value)),
        ..NONE
    },
    Flag {
        long: "mtls-client-key-file",
        value: "FILE",
        env: "OPENAI_MTLS_CLIENT_KEY_FILE",
        help: "The private key of that certificate",
        more: "PEM, not encrypted.",
        set: Set::Os(|args, value| args.client_key = Some(value)),
        ..NONE
    },
    Flag {
        long: "ipv4",
        short: Some('4'),
        help: "Connect to IPv4 addresses only",
        set: Set::Switch(|args| args.family = Some(Family::V4)),
        ..NONE
    },
    Flag {
        long: "ipv6",
        short: Some('6'),
        help: "Connect to IPv6 addresses only",
        set: Set::Switch(|args| args.family = Some(Family::V6)),
        ..NONE
    },
    Flag {
        long: "connect-timeout",
        value: "DURATION",
        default: "10s",
        help: "Longest way to a connection: lookup, all addresses, proxy and TLS",
        set: Set::Duration(|args, value| args.connect_timeout = Some(value)),
        ..NONE
    },
    Flag {
        long: "timeout",
        value: "DURATION",
        default: "10m",
        help: "Longest wait for an answer once the request is sent",
        set: Set::Duration(|args, value| args.timeout = Some(value)),
        ..NONE
    },
    Flag {
        long: "stall-timeout",
        value: "DURATION",
        default: "60s",
        help: "Longest time without a byte moving, either direction",
        set: Set::Duration(|args, value| args.stall_timeout = Some(value)),
        ..NONE
    },
    Flag {
        long: "max-retries",
        value: "N",
        default: "2",
        help: "How often to send again where that cannot pay twice",
        set: Set::Number(|args, value| args.max_retries = Some(value)),
        ..NONE
    },
    Flag {
        long: "retry-unsafe",
        help: "Send again even where that may create a second job",
        set: Set::Switch(|args| args.retry_unsafe = true),
        ..NONE
    },
    Flag {
        long: "format",
        value: "FORMAT",
        default: "auto",
        values: FORMATS,
        group: Group::Output,
        common: true,
        help: "json, jsonl, raw, pretty (a table), yaml",
        more: "auto is json: indented, with the server's order and numbers, coloured on a terminal (FORCE_COLOR and \
               NO_COLOR decide). jsonl is one line, raw the answer as it came. explore is taken for json.",
        set: Set::Text(|args, value| args.format = Some(value)),
        ..NONE
    },
    Flag {
        long: "transform",
        value: "GJSON",
        group: Group::Output,
        common: true,
        help: "Print only what this GJSON path finds in the result",
        more: "A path that finds nothing prints the whole, with a remark.",
        set: Set::Text(|args, value| args.transform = Some(value)),
        ..NONE
    },
    Flag {
        long: "raw-output",
        short: Some('r'),
        group: Group::Output,
        common: true,
        help: "Print a string without quotation marks and escapes",
        set: Set::Switch(|args| args.raw_output = true),
        ..NONE
    },
    Flag {
        long: "format-error",
        value: "FORMAT",
        default: "auto",
        values: FORMATS,
        group: Group::Output,
        help: "The same for errors, on standard error; auto: text",
        more: "The server's errors are shown as it sent them, of {\"error\": {...}} the inner object; all others as \
               {\"message\": ..., \"hint\": ...}.",
        set: Set::Text(|args, value| args.format_error = Some(value)),
        ..NONE
    },
    Flag {
        long: "transform-error",
        value: "GJSON",
        group: Group::Output,
        help: "The same for errors: code, say",
        set: Set::Text(|args, value| args.transform_error = Some(value)),
        ..NONE
    },
    Flag {
        long: "debug",
        group: Group::Output,
        help: "Show requests and answers on standard error, secrets hidden",
        set: Set::Switch(|args| args.debug = true),
        ..NONE
    },
    Flag {
        long: "quiet",
        short: Some('q'),
        group: Group::Output,
        common: true,
        help: "No progress and no warnings",
        set: Set::Switch(|args| args.quiet = true),
        ..NONE
    },
    Flag {
        long: "help",
        short: Some('h'),
        group: Group::Output,
        common: true,
        help: "-h: the common options; --help: everything",
        set: Set::Switch(|args| args.help = Some(Help::Whole)),
        ..NONE
    },
    Flag {
        long: "version",
        short: Some('v'),
        group: Group::Output,
        help: "Print the version",
        set: Set::Switch(|args| args.version = true),
        ..NONE
    },
    Flag {
        long: "admin-api-key",
        value: "KEY",
        group: Group::Unused,
        set: Set::Text(|_, _| {}),
        ..NONE
    },
    Flag {
        long: "webhook-secret",
        value: "SECRET",
        group: Group::Unused,
        set: Set::Text(|_, _| {}),
        ..NONE
    },
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
                assert_ne!(flag.long, other.long);
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
