//! The documents that come with the program agree with it: the help, README, CHANGELOG and man
//! pages, the licences, and each completion script in its shell.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::support::{CLIP, EXTEND, Reply, Server, TempDir, openai, program, skipped};

const README: &str = include_str!("../../README.md");
const CHANGELOG: &str = include_str!("../../CHANGELOG.md");
const JOB: &str = r#"{"id":"video_456","status":"completed"}"#;

fn help() -> String {
    openai(&["--help"]).run().success().stdout_text()
}

fn has(tool: &str) -> bool {
    let there = Command::new(tool)
        .arg("--help")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !there {
        skipped(&format!("{tool} is missing"));
    }
    there
}

/// Runs one of the programs in tests/tools.
#[allow(clippy::disallowed_methods)]
fn example(name: &str, args: &[&OsStr]) -> Output {
    let mut cargo = Command::new(env!("CARGO"));
    // The variables that cargo sets for a test would make build scripts run again.
    let own = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars().filter(|(name, _)| own(name)) {
        cargo.env_remove(name);
    }
    cargo
        .args(["run", "--locked", "--quiet", "--example", name, "--"])
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

#[test]
fn the_stand_in_server_prints_its_usage() {
    let standin = example("standin", &["--help".as_ref()]);
    let text = String::from_utf8(standin.stdout).unwrap();
    assert!(standin.status.success() && standin.stderr.is_empty(), "{text}");
    assert!(text.starts_with("usage: standin [--port N]"), "{text}");
    assert!(text.contains("--like NAME") && text.contains("xai, "), "{text}");
}

/// The directory with the man pages and the completions, which are made once.
fn documents() -> &'static Path {
    static DOCUMENTS: OnceLock<PathBuf> = OnceLock::new();
    DOCUMENTS.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("documents");
        let made = example("documents", &[directory.as_os_str()]);
        assert!(made.status.success(), "{made:?}");
        directory
    })
}

/// Runs a command from a document in a shell, against a server with successful replies.
fn run_in_shell(line: &str) {
    let content = || Reply::status(200).header("Content-Type", "video/mp4").body(CLIP);
    let mut replies = vec![];
    if line.contains(" videos list") {
        replies.push(Reply::json(200, &format!("{{\"data\":[{JOB}]}}")));
    } else if !line.contains(" download-content ") {
        replies.push(Reply::json(200, JOB));
    }
    if line.contains(" --output ") || line.contains(" -o ") {
        replies.push(content());
    }
    let server = Server::script(replies);
    let home = TempDir::new();
    fs::write(home.path().join("clip.mp4"), CLIP).unwrap();
    fs::write(home.path().join("still.png"), "\u{89}PNG").unwrap();
    fs::write(home.path().join("prompt.txt"), "It snows\n").unwrap();
    let program = program();
    let run = Command::new("/bin/sh")
        .args(["-c", line])
        .env_clear()
        .env("PATH", program.parent().unwrap())
        .env("OPENAI_BASE_URL", server.base_url())
        .current_dir(home.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(run.status.success(), "{line}\n{run:?}");
    server.finish();
}

#[test]
fn the_commands_in_the_readme_work() {
    let lines: Vec<&str> = README
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with("openai "))
        .collect();
    assert!(lines.len() >= 9, "{lines:?}");
    lines.into_iter().for_each(run_in_shell);
}

/// The commands in the crontab and in the systemd unit, with the paths of this test instead of
/// theirs.
#[test]
fn the_scheduled_commands_in_the_readme_work() {
    let lines: Vec<String> = README
        .lines()
        .filter_map(|line| line.split_once("/usr/local/bin/openai "))
        .map(|(_, rest)| format!("openai {rest}"))
        .map(|line| line.replace("/etc/extend/", "").replace("/var/lib/extend/", ""))
        .collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    lines.iter().for_each(|line| run_in_shell(line));

    // The arguments of each container, a YAML list over two or three lines.
    let lists: Vec<&str> = README.split("args: [").skip(1).collect();
    assert_eq!(lists.len(), 2, "{lists:?}");
    for list in lists {
        let (args, _) = list.split_once(']').unwrap();
        let args: Vec<&str> = args.split(',').map(|arg| arg.trim().trim_matches('"')).collect();
        let line = format!("openai {}", args.join(" "));
        let line = line.replace("/etc/extend/", "").replace("/data/", "");
        run_in_shell(&line.replace("$(JOB_COMPLETION_INDEX)", "prompt"));
    }

    let (_, rest) = README.split_once("    parallel ").unwrap();
    let (_, rest) = rest.split_once('\'').unwrap();
    let (command, _) = rest.split_once('\'').unwrap();
    run_in_shell(&command.replace("{.}", "prompt").replace("{}", "prompt.txt"));
}

/// The code blocks of the README in one language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("\n```{language}\n");
    let blocks = README.split(&fence).skip(1);
    blocks.map(|rest| rest.split_once("\n```\n").unwrap().0).collect()
}

#[test]
fn the_kubernetes_manifests_in_the_readme_match_the_schema() {
    let manifests = blocks("yaml");
    assert_eq!(manifests.len(), 2);
    let home = TempDir::new();
    for (name, manifest) in ["cron_job.yaml", "job.yaml"].into_iter().zip(manifests) {
        let path = home.path().join(name);
        fs::write(&path, manifest).unwrap();
        if has("kubernetes-validate") {
            let check = Command::new("kubernetes-validate").arg("--strict").arg(path).output();
            let check = check.unwrap();
            assert!(check.status.success(), "{check:?}");
        }
    }
}

#[test]
fn the_systemd_units_in_the_readme_are_valid() {
    let home = TempDir::new();
    let mut check = Command::new("systemd-analyze");
    check.args(["verify", "--man=no"]);
    for unit in blocks("ini") {
        let (path, unit) = unit.split_once('\n').unwrap();
        let path = home.path().join(path.strip_prefix("# /etc/systemd/system/").unwrap());
        // It wants the program to be there.
        fs::write(&path, unit.replace("/usr/local/bin/openai", "/bin/true")).unwrap();
        check.arg(path);
    }
    if has("systemd-analyze") {
        // It succeeds in spite of lines that it does not understand.
        let check = check.output().unwrap();
        assert!(check.status.success() && check.stderr.is_empty(), "{check:?}");
    }
}

#[test]
fn the_examples_in_the_help_work() {
    let help = help();
    let (_, examples) = help.split_once("\nExamples:\n").unwrap();
    assert!(examples.lines().count() >= 8, "{examples}");
    examples.lines().map(str::trim).for_each(run_in_shell);
}

#[test]
fn the_readme_and_the_help_list_the_same_exit_codes() {
    let help = help();
    let (_, rest) = help.split_once("\nExit codes:\n").unwrap();
    let (listed, _) = rest.split_once("\n\n").unwrap();
    let mut written = Vec::new();
    let (_, table) = README.split_once("\n## Exit codes\n").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    for row in table.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let advice = if cells[3].is_empty() { "" } else { ": " };
        written.push(format!("{:>4}  {}{advice}{}", cells[1], cells[2], cells[3]));
    }
    assert_eq!(written, listed.lines().collect::<Vec<_>>());
}

#[test]
fn the_options_in_the_readme_exist() {
    let help = help();
    let known: BTreeSet<&str> = options(&help).collect();
    let (now, _) = README.split_once("## Not yet").unwrap_or((README, ""));
    let others = ["cargo ", "rustup ", "parallel ", "skopeo ", "apk ", "COPY "];
    let is_own = |line: &&str| !others.iter().any(|tool| line.contains(tool));
    let own = now.lines().filter(is_own);
    for option in own.flat_map(options) {
        assert!(known.contains(option), "{option}");
    }
}

#[test]
fn the_files_named_in_the_contributing_guide_exist() {
    let paths = include_str!("../../CONTRIBUTING.md").split(['`', ' ', '\n', ',', ':', ';']);
    let paths: Vec<&str> =
        paths.filter(|word| word.starts_with("src/") || word.starts_with("tests/")).collect();
    assert!(paths.len() > 15, "{paths:?}");
    for path in paths {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path.trim_end_matches('.'));
        assert!(file.exists(), "{path}");
    }
}

/// Every `--option` in a text.
fn options(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_lowercase() && c != '-')
        .filter(|word| word.starts_with("--") && word.len() > 3)
}

#[test]
fn the_changelog_has_an_entry_for_this_version() {
    let version = concat!("## ", env!("CARGO_PKG_VERSION"));
    let newest = CHANGELOG.lines().find(|line| line.starts_with("## ")).unwrap();
    assert!(newest == "## Unreleased" || newest.starts_with(version), "{newest}");
}

#[test]
fn without_a_command_the_commands_are_listed() {
    let stderr = "\
Commands of openai videos:
  extend            Create an extension of a completed video
  create            Create a video
  edit              Create a changed version of a completed video
  remix             Create another version of a completed video
  list              List the jobs of the server
  retrieve          Show a job, or wait for it
  download-content  Download the media of a completed job
  delete            Delete a job and its media
  create-character  Create a character from a video
  get-character     Show a character

openai: missing command after 'videos'
hint: write openai videos COMMAND; openai -h lists the commands
";
    openai(&["videos"]).run().is(2, "", stderr);
    let run = openai(&["videos", "--format-error", "json"]).run();
    run.code(2).stdout("").stderr_contains("missing command after 'videos'");
    assert!(run.stderr_text().starts_with('{'), "{run:?}");
}

/// The documentation's example is compiled, as a test of the library.
#[test]
fn the_library_example_in_the_readme_is_that_of_the_documentation() {
    let (_, example) = README.split_once("```rust\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let documentation = include_str!("../../src/lib.rs");
    let documentation: String = documentation
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line)))
        .collect();
    assert!(documentation.contains(example), "{example}\n{documentation}");
}

#[test]
fn every_command_has_its_own_help() {
    for (name, has, has_not) in [
        ("extend", "--prompt TEXT", "--video-id ID"),
        ("list", "--max-items N", "--video-id ID"),
        ("retrieve", "--wait", "--prompt TEXT"),
        ("download-content", "--variant VARIANT", "--prompt TEXT"),
        ("delete", "--video-id ID", "--output FILE"),
        ("create", "--input-reference REF", "--video REF"),
        ("edit", "--state FILE", "--seconds N"),
        ("remix", "--video-id ID", "--video REF"),
        ("create-character", "--name TEXT", "--output FILE"),
        ("get-character", "--character-id ID", "--video-id ID"),
    ] {
        for flag in ["-h", "--help"] {
            let run = openai(&["videos", name, flag]).run();
            let text = run.success().stderr("").stdout_text();
            assert!(text.starts_with(&format!("Usage: openai videos {name}")), "{text}");
            assert!(!text.contains(has_not), "{text}");
            if flag == "--help" {
                assert!(text.contains(has), "{text}");
            }
        }
    }
}

#[test]
fn a_misspelled_option_value_or_command_gets_a_suggestion() {
    for (more, message, near) in [
        (
            &["--encoding", "mulitpart"][..],
            "--encoding: invalid value 'mulitpart'; possible values: auto, json, multipart, \
             data-url",
            "'multipart'",
        ),
        (
            &["--variant", "thumbnial", "--output", "x"],
            "--variant: invalid value 'thumbnial'; possible values: video, thumbnail, spritesheet",
            "'thumbnail'",
        ),
        (&["--ouput", "x"], "unknown option '--ouput'", "--output"),
        (&["--formaterror", "x"], "unknown option '--formaterror'", "--format-error"),
    ] {
        let stderr = format!("openai: {message}\nhint: did you mean {near}?\n");
        openai(&EXTEND).args(more).run().is(2, "", &stderr);
    }
    let field = "to send a field of the request, use --field";
    let help = "see openai videos extend --help";
    let stderr = format!("openai: unknown option '--fps'\nhint: {help}; {field} fps=TEXT\n");
    openai(&EXTEND).args(&["--fps", "x"]).run().is(2, "", &stderr);
    let stderr =
        format!("openai: --model cannot be used with 'extend'\nhint: {field} model=TEXT\n");
    openai(&EXTEND).args(&["--model", "x"]).run().is(2, "", &stderr);
    let stderr = "openai: unknown option '--fps'\nhint: see openai videos list --help\n";
    openai(&["videos", "list", "--fps", "x"]).run().is(2, "", stderr);
    // An option of other commands is not suggested.
    let stderr = "openai: unknown option '--promt'\nhint: see openai videos list --help\n";
    openai(&["videos", "list", "--promt", "x"]).run().is(2, "", stderr);
    let stderr =
        "openai: missing argument for option '--prompt'\nhint: see openai videos create --help\n";
    openai(&["videos", "create", "--prompt"]).run().is(2, "", stderr);
    let stderr = "openai: unknown command 'create'\nhint: did you mean 'videos create'?\n";
    openai(&["create", "--prompt", "x"]).run().is(2, "", stderr);
    let stderr = "openai: unknown command 'videos retreive'\nhint: did you mean 'retrieve'?\n";
    openai(&["videos", "retreive", "v"]).run().is(2, "", stderr);
}

/// The names of the man pages, that of all commands first, and the arguments of their helps.
fn man_pages() -> Vec<(String, Vec<String>)> {
    let list = openai(&["videos", "-h"]).run().success().stdout_text();
    let rows = list.lines().filter_map(|line| line.strip_prefix("  "));
    let commands =
        rows.filter(|row| !row.starts_with(' ')).map(|row| row.split(' ').next().unwrap());
    let own = commands.map(|name| {
        let page = format!("openai-videos-{name}");
        (page, vec!["videos".to_owned(), name.to_owned(), "--help".to_owned()])
    });
    let all = ("openai-videos".to_owned(), vec!["--help".to_owned()]);
    std::iter::once(all).chain(own).collect()
}

/// The options of the page of all commands are those that no command has of its own; the page of a
/// command has all of its options, and names the others.
#[test]
fn each_command_has_a_man_page_with_its_options_and_links_that_lead_somewhere() {
    let pages = man_pages();
    assert_eq!(pages.len(), 11, "{pages:?}");
    for (name, help) in &pages {
        let page = fs::read_to_string(documents().join(format!("man/{name}.1"))).unwrap();
        let help: Vec<&str> = help.iter().map(String::as_str).collect();
        let help = openai(&help).run().success().stdout_text();
        let rows =
            help.lines().filter(|line| line.starts_with("      --") || line.starts_with("  -"));
        for option in rows.flat_map(options).filter(|_| name != "openai-videos") {
            assert!(page.contains(&format!("Fl Fl {}", &option[2..])), "{name}: {option}");
        }
        for link in page.split("Xr ").skip(1) {
            let target = link.split(' ').next().unwrap();
            assert!(pages.iter().any(|(page, _)| page == target), "{name}: {target}");
        }
    }
}

#[test]
fn the_man_pages_pass_lint() {
    for (name, _) in man_pages() {
        let path = documents().join(format!("man/{name}.1"));
        if has("mandoc") {
            let lint = Command::new("mandoc").args(["-T", "lint"]).arg(&path).output().unwrap();
            // It looks for the other pages where the system has its own.
            let text = String::from_utf8_lossy(&lint.stdout);
            let is_link = |line: &&str| line.contains("referenced manual not found: Xr openai-");
            let faults: Vec<&str> = text.lines().filter(|line| !is_link(line)).collect();
            assert!(faults.is_empty(), "{faults:?}");
        }
        if has("groff") {
            let lint = Command::new("groff")
                .args(["-ww", "-mdoc", "-T", "utf8", "-z"])
                .arg(&path)
                .output()
                .unwrap();
            assert!(lint.status.success() && lint.stderr.is_empty(), "{lint:?}");
        }
    }
}

const MUSL: &str = "x86_64-unknown-linux-musl";

#[test]
fn the_release_contains_the_licences_of_all_crates() {
    let home = TempDir::new();
    let made = example("inventory", &[MUSL.as_ref(), home.path().as_os_str()]);
    assert!(made.status.success(), "{made:?}");
    let text = fs::read_to_string(home.path().join("THIRD-PARTY.txt")).unwrap();
    for inside in ["lexopt", "ring", "serde_json", "subtle", "ureq-proto"] {
        assert!(text.contains(&format!("\n{inside} ")), "{inside}");
    }
    for outside in ["cc", "rcgen", "serde_derive", "windows-sys", "yaml-rust2"] {
        assert!(!text.contains(&format!("\n{outside} ")), "{outside}");
    }
    for line in [
        "# Community Data License Agreement - Permissive - Version 2.0",
        // In ring, these are only in a subdirectory and at the beginning of a source file.
        "Copyright 2015-2020 the fiat-crypto authors (see the AUTHORS file)",
        "Copyright (c) 2014, Intel Corporation.",
        "The C library. Copyright (c) 2005-2020 Rich Felker, et al.",
        "libunwind: Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}");
    }
}

#[test]
fn a_bill_of_materials_that_lacks_a_crate_is_refused() {
    let home = TempDir::new();
    let bill = home.path().join("bill.json");
    fs::write(
        &bill,
        r#"{
            "metadata": {"component": {"bom-ref": "path+file:///home/me/openai"}},
            "components": [
                {"name": "ring", "version": "0.17.14"},
                {"name": "syn", "version": "3.0.10"}
            ],
            "dependencies": []
        }"#,
    )
    .unwrap();
    let args = [MUSL.as_ref(), home.path().as_os_str(), bill.as_os_str()];
    let made = example("inventory", &args);
    let reason = String::from_utf8_lossy(&made.stderr);
    assert!(reason.starts_with("inventory: the bill has 1 of "), "{reason}");
    assert!(!home.path().join("openai.cdx.json").exists());
}

/// Lines, and the completions that each shell has to offer at their ends, in any order.
const OFFERS: [(&str, &[&str]); 14] = [
    ("openai ", &["videos"]),
    (
        "openai videos ",
        &[
            "create",
            "create-character",
            "delete",
            "download-content",
            "edit",
            "extend",
            "get-character",
            "list",
            "remix",
            "retrieve",
        ],
    ),
    ("openai videos e", &["edit", "extend"]),
    ("openai videos create --inp", &["--input-reference"]),
    ("openai videos remix --sec", &[]),
    ("openai --quiet videos ret", &["retrieve"]),
    ("openai videos extend --enc", &["--encoding"]),
    ("openai videos delete --wait", &[]),
    ("openai videos retrieve --wait", &["--wait", "--wait-timeout"]),
    ("openai videos extend --encoding ", &["auto", "data-url", "json", "multipart"]),
    ("openai videos extend --seconds 1", &["12", "16"]),
    ("openai videos create --seconds 1", &["12"]),
    ("openai videos extend --variant t", &["thumbnail"]),
    ("openai videos retrieve --format js", &["json", "jsonl"]),
];

/// Checks the completions of a shell for every line, in a directory with one file.
#[track_caller]
fn completes(shell: &str, ask: impl Fn(&str, &Path) -> Output) {
    if !has(shell) {
        return;
    }
    let home = TempDir::new();
    fs::write(home.path().join("clip.mp4"), CLIP).unwrap();
    let files = [
        ("openai videos extend --body cl", &["clip.mp4"][..]),
        ("openai videos extend -o cl", &["clip.mp4"]),
        ("openai videos extend --video @cl", &["clip.mp4"]),
        ("openai videos create --input-reference @cl", &["clip.mp4"]),
    ];
    for (line, expected) in OFFERS.into_iter().chain(files) {
        let asked = ask(line, home.path());
        let text = String::from_utf8_lossy(&asked.stdout);
        let offered: BTreeSet<&str> =
            text.lines().map(|line| line.trim_start_matches('@').trim_end_matches('=')).collect();
        let expected: BTreeSet<&str> = expected.iter().copied().collect();
        assert_eq!(offered, expected, "{shell}: {line}\n{asked:?}");
    }
}

fn shell(shell: &str, args: &[&str], home: &Path) -> Output {
    Command::new(shell)
        .args(args)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", home)
        .env("TERM", "vt100")
        .current_dir(home)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn the_bash_completion_completes_commands_options_and_values() {
    let file = documents().join("completions/bash/openai");
    completes("bash", |line, home| {
        let script = format!(
            "source '{}'; words=($1); [[ $1 != *' ' ]] || words+=(''); \
             COMP_WORDS=(\"${{words[@]}}\")\n\
             COMP_CWORD=$((${{#words[@]}} - 1)); COMP_LINE=$1; _openai\n\
             ((${{#COMPREPLY[@]}} == 0)) || printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            file.display()
        );
        shell("bash", &["--norc", "-c", &script, "bash", line], home)
    });
    if has("bash") {
        // bash splits `--format=js` into three words.
        let script = format!(
            "source '{}'; COMP_WORDS=(openai videos extend --format = js); COMP_CWORD=5; _openai; \
             echo ${{COMPREPLY[*]}}\n\
             COMP_WORDS=(openai videos extend --video @cl); COMP_CWORD=4; _openai; echo \
             ${{COMPREPLY[*]}}",
            file.display()
        );
        let home = TempDir::new();
        fs::write(home.path().join("clip.mp4"), CLIP).unwrap();
        let asked = shell("bash", &["--norc", "-c", &script], home.path());
        assert_eq!(String::from_utf8_lossy(&asked.stdout), "json jsonl\n@clip.mp4\n", "{asked:?}");
    }
}

#[test]
fn the_fish_completion_completes_commands_options_and_values() {
    let file = documents().join("completions/fish/openai.fish");
    completes("fish", |line, home| {
        let script =
            format!("source '{}'; complete -C '{line}' | string split -f1 \\t", file.display());
        shell("fish", &["--no-config", "-c", &script], home)
    });
}

/// zsh completes on a terminal only. The test makes a pseudo-terminal, in which zsh completes the
/// line and exits; the completions are written to a file.
#[test]
fn the_zsh_completion_completes_commands_options_and_values() {
    let directory = documents().join("completions/zsh");
    completes("zsh", |line, home| {
        let rc = format!(
            "PS1=''; fpath=('{}' $fpath); autoload -Uz compinit && compinit -u -D\n\
             zstyle ':completion:*' completer _complete\n\
             compadd() {{\n\
             if [[ ${{@[1,(i)(-|--)]}} == *-(O|A|D)\\ * ]]; then builtin compadd \"$@\"; return; \
             fi\n\
             local -a hits; builtin compadd -A hits \"$@\"; print -rl -- $hits >> offered\n\
             }}\n\
             zle-line-init() {{ BUFFER='{line}'; CURSOR=$#BUFFER; zle complete-word; BUFFER=exit; \
             zle accept-line }}\n\
             zle -N zle-line-init\n",
            directory.display()
        );
        fs::write(home.join(".zshrc"), rc).unwrap();
        let script = "zmodload zsh/zpty; : > offered; zpty z zsh -d -i; while zpty -r z line; do \
                      :; done; grep . offered; true";
        shell("zsh", &["-f", "-c", script], home)
    });
}
