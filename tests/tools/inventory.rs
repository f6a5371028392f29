//! `inventory TARGET DIRECTORY [BILL]`: writes the components of the binary for TARGET.
//! DIRECTORY/THIRD-PARTY.txt gets the licence texts of all its crates. With BILL, the bill of
//! materials that cargo-cyclonedx wrote, DIRECTORY/openai.cdx.json gets the crates of the binary
//! and no others, the libraries that the compiler adds, and no path of this machine.
//!
//! Tools that recognise licences omit some: cargo-about 0.9 omits that of fiat-crypto in ring. This
//! program takes every file with the name of a licence, and every copyright line in the sources. A
//! crate without a licence is an error.

// The lints keep the library from printing and from reading the environment. This is a program.
#![allow(clippy::disallowed_methods)]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

mod commands;

use commands::{cargo, printed};
use serde_json::{Value, json};

const NAME: &str = env!("CARGO_PKG_NAME");
const VERSION: &str = env!("CARGO_PKG_VERSION");
const LICENSE: &str = include_str!("../../LICENSE");
const RULE: &str =
    "--------------------------------------------------------------------------------";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A crate in the binary, other than this one.
struct Crate {
    name: String,
    version: String,
    licence: String,
    directory: PathBuf,
}

impl fmt::Display for Crate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// A library that the compiler links. The version of the C library is not known, as it comes with
/// the linker.
struct Linked {
    name: &'static str,
    version: Option<String>,
    licence: &'static str,
    notice: &'static str,
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let done = match args.as_slice() {
        [target, directory] => write(target, Path::new(directory), None),
        [target, directory, bill] => write(target, Path::new(directory), Some(bill)),
        _ => Err("usage: inventory TARGET DIRECTORY [BILL]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(io::stderr(), "inventory: {error}"));
            ExitCode::from(2)
        }
    }
}

fn write(target: &str, directory: &Path, bill: Option<&String>) -> Result<()> {
    let crates = crates(target)?;
    let linked = linked(target)?;
    let licences = licences(target, &crates, &linked)?;
    fs::write(directory.join("THIRD-PARTY.txt"), licences)?;
    if let Some(bill) = bill {
        let bill = materials(&fs::read_to_string(bill)?, &crates, &linked)?;
        fs::write(directory.join("openai.cdx.json"), bill)?;
    }
    Ok(())
}

/// The crates in the binary, by name. `cargo tree` lists them; `cargo metadata` has their
/// directories, but also lists crates of the tests and of other targets.
fn crates(target: &str) -> Result<Vec<Crate>> {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--locked", "--format-version=1"])?)?;
    let mut packages = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        packages.insert((text(&package["name"]), text(&package["version"])), package);
    }
    let known = |(name, version): &(String, String)| {
        let package = packages.get(&(name.as_str(), version.as_str()))?;
        Some(Crate {
            name: name.clone(),
            version: version.clone(),
            licence: text(&package["license"]).replace('/', " OR "),
            directory: Path::new(text(&package["manifest_path"])).parent()?.to_owned(),
        })
    };
    commands::crates(Some(target))?
        .iter()
        .map(|crate_| {
            known(crate_).ok_or_else(|| format!("cargo metadata does not list {crate_:?}").into())
        })
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn linked(target: &str) -> Result<Vec<Linked>> {
    let rustc = printed(Command::new(env::var_os("RUSTC").unwrap_or("rustc".into())).arg("-vV"))?;
    let release = rustc.lines().find_map(|line| line.strip_prefix("release: "));
    let library = Linked {
        name: "rust-std",
        version: Some(release.ok_or("rustc -vV prints no release")?.to_owned()),
        licence: "MIT OR Apache-2.0",
        notice: "The Rust standard library. Copyright (c) The Rust Project Contributors.\n\
                 What it is made of itself is in COPYRIGHT-library.html of that release of Rust.",
    };
    let mut linked = vec![library];
    if target.contains("musl") {
        linked.push(Linked {
            name: "musl",
            version: None,
            licence: "MIT",
            notice: "The C library. Copyright (c) 2005-2020 Rich Felker, et al.",
        });
        linked.push(Linked {
            name: "libunwind",
            version: None,
            licence: "Apache-2.0 WITH LLVM-exception",
            notice: "The unwinder of the LLVM Project, which the standard library refers to.",
        });
    } else {
        linked.push(Linked {
            name: "glibc",
            version: None,
            licence: "LGPL-2.1-or-later",
            notice: "The GNU C Library. Copyright (c) Free Software Foundation, Inc.\n\
                     Whoever distributes this binary has to enclose that licence, and the means \
                     to link it\n\
                     with another version of the library. The binaries for musl are free of this.",
        });
    }
    Ok(linked)
}

fn licences(target: &str, crates: &[Crate], linked: &[Linked]) -> Result<String> {
    let mut all = format!(
        "The components of openai {VERSION} for {target} beside its own code, and their \
         licences.\n\n"
    );
    let mut texts = Vec::new();
    for part in crates {
        writeln!(all, "{part}: {}", part.licence)?;
        collect(part, &mut texts)?;
    }
    for part in linked {
        let version = part.version.iter().map(|version| format!(" {version}"));
        let title = format!("{}{}", part.name, version.collect::<String>());
        write!(all, "\n{title}: {}\n{}\n", part.licence, part.notice)?;
    }
    let mit =
        LICENSE.find("Permission is hereby granted").ok_or("LICENSE is not the MIT licence")?;
    write!(all, "\nThe MIT licence:\n\n{}", &LICENSE[mit..])?;
    for Text { titles, text, .. } in texts {
        write!(all, "\n{RULE}\n{titles}\n{RULE}\n\n{text}")?;
    }
    Ok(all)
}

/// A licence text, with the crates that have it. Most crates share one of a few texts.
struct Text {
    /// The words of the text, by which equal texts are found.
    words: String,
    titles: String,
    text: String,
}

fn collect(part: &Crate, texts: &mut Vec<Text>) -> Result<()> {
    let mut files = Vec::new();
    files_below(&part.directory, &mut files)?;
    let mut owners = BTreeSet::new();
    let mut licensed = false;
    for file in files {
        let name = file.strip_prefix(&part.directory)?;
        if is_licence(name) {
            licensed = true;
            add(texts, format!("{part}: {}", name.display()), plain(&fs::read(&file)?));
        } else if is_source(name) {
            let text = plain(&fs::read(&file)?);
            owners.extend(text.lines().filter_map(owner).map(str::to_owned));
        }
    }
    if !licensed {
        return Err(format!("{part} comes without the text of its licence").into());
    }
    if !owners.is_empty() {
        let owners: String = owners.iter().map(|line| format!("{line}\n")).collect();
        add(texts, format!("{part}: in its sources"), owners);
    }
    Ok(())
}

fn add(texts: &mut Vec<Text>, title: String, text: String) {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match texts.iter_mut().find(|known| known.words == words) {
        Some(known) => known.titles += &format!("\n{title}"),
        None => texts.push(Text { words, titles: title, text }),
    }
}

/// Removes carriage returns, trailing spaces, and empty lines at the beginning and the end.
fn plain(text: &[u8]) -> String {
    String::from_utf8_lossy(text)
        .trim_matches(['\n', '\r'])
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

/// Whether a file has the name of a licence, or is in a directory of licences.
fn is_licence(path: &Path) -> bool {
    const WORDS: [&str; 6] = ["license", "licence", "unlicense", "copying", "copyright", "notice"];
    if path.parent().is_some_and(|parent| parent.ends_with(".licenses")) {
        return true;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_lowercase();
    let (stem, extension) = name.rsplit_once('.').unwrap_or((&name, ""));
    WORDS.iter().any(|word| stem.starts_with(word)) && ["", "txt", "md"].contains(&extension)
}

fn is_source(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    ["rs", "c", "h", "inl", "S", "pl"].contains(&&*extension)
}

/// The copyright notice in a line: `Copyright`, and a year or a sign.
fn owner(line: &str) -> Option<&str> {
    let line = line.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let rest = line.strip_prefix("Copyright ")?;
    rest.starts_with(|c: char| c.is_ascii_digit() || "(\u{a9}".contains(c))
        .then(|| line.trim_end_matches([' ', '*', '/']))
}

/// Finds all files below a directory, sorted, so that the output is reproducible.
fn files_below(directory: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries =
        fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files_below(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

/// The entry of a library in the bill.
fn component(part: &Linked) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": part.name,
        "name": part.name,
        "licenses": [{"expression": part.licence}],
    });
    if let Some(version) = &part.version {
        component["version"] = version.as_str().into();
        component["purl"] = format!("pkg:github/rust-lang/rust@{version}").into();
    }
    component
}

/// Corrects the bill of cargo-cyclonedx, which lists all crates of `cargo metadata` and identifies
/// this crate by its path.
fn materials(bill: &str, crates: &[Crate], linked: &[Linked]) -> Result<String> {
    let bill: Value = serde_json::from_str(bill)?;
    let by_path = text(&bill["metadata"]["component"]["bom-ref"]);
    let own = format!("{NAME}@{VERSION}");
    let mut bill: Value = serde_json::from_str(&bill.to_string().replace(by_path, &own))?;
    bill["metadata"]["component"]["purl"] = format!("pkg:cargo/{own}").into();

    let inside: BTreeSet<(&str, &str)> =
        crates.iter().map(|crate_| (&*crate_.name, &*crate_.version)).collect();
    let mut references = BTreeSet::from([own]);
    let components = bill["components"].as_array_mut().ok_or("no components")?;
    components.retain(|component| {
        let kept = inside.contains(&(text(&component["name"]), text(&component["version"])));
        if kept {
            references.insert(text(&component["bom-ref"]).to_owned());
        }
        kept
    });
    if components.len() != inside.len() {
        return Err(format!("the bill has {} of {} crates", components.len(), inside.len()).into());
    }
    components.extend(linked.iter().map(component));
    let dependencies = bill["dependencies"].as_array_mut().ok_or("no dependencies")?;
    dependencies.retain(|dependency| references.contains(text(&dependency["ref"])));
    for dependency in dependencies {
        if let Some(on) = dependency.get_mut("dependsOn").and_then(Value::as_array_mut) {
            on.retain(|reference| references.contains(text(reference)));
        }
    }
    Ok(serde_json::to_string_pretty(&bill)? + "\n")
}
