//! The folders of `src/` are the architecture: each imports only what stands below it, by the name
//! of the module that has the item, and no two files import each other, directly or through others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// From the top. Each imports from the ones after it, and none through the crate root.
const LIBRARY: [&str; 11] =
    ["lib", "client", "jobs", "http", "net", "settings", "api", "digest", "text", "json", "url"];
/// Below everything, beside `url`.
const RANDOM: &str = "random";
const FRONT_END: [&str; 6] = ["main", "cli", "run", "show", "plan", "args"];

/// Module paths such as `cli::plan::settings`, with the modules that each imports by `crate::`.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = BTreeMap::new();
    read(&source, "", &mut modules);
    let names: BTreeSet<String> = modules.keys().cloned().collect();
    modules.into_iter().map(|(name, text)| (name, targets(&text, &names))).collect()
}

fn read(directory: &Path, prefix: &str, modules: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "simulation" {
            // Compiled for the unit tests only.
            continue;
        }
        if path.is_dir() {
            read(&path, &format!("{prefix}{name}::"), modules);
        } else {
            let module = match name.as_str() {
                "mod" => prefix.trim_end_matches("::").to_owned(),
                name => format!("{prefix}{name}"),
            };
            let text = fs::read_to_string(&path).unwrap();
            // Unit tests may import any module.
            let code = text.split("#[cfg(test)]").next().unwrap();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            modules.insert(module, lines.collect::<Vec<_>>().join("\n"));
        }
    }
}

/// The longest known module that each `crate::a::b` names; the path itself where none is known, and
/// `super` for a file that imports by that.
fn targets(code: &str, modules: &BTreeSet<String>) -> BTreeSet<String> {
    if code.contains("super::") {
        return BTreeSet::from(["super".to_owned()]);
    }
    let found = code.match_indices("crate::").filter(|(at, _)| !code[..*at].ends_with('$'));
    found
        .flat_map(|(at, prefix)| {
            let path = &code[at + prefix.len()..];
            let end = path.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            let (path, rest) = path.split_at(end.unwrap_or(path.len()));
            // `crate::a::{b, c::D}`
            let list = rest.strip_prefix('{').and_then(|rest| rest.split('}').next());
            let items = list.map_or(vec![""], |list| list.split(',').map(str::trim).collect());
            items.into_iter().map(|item| format!("{path}{item}")).collect::<Vec<_>>()
        })
        .map(|path| {
            let mut module = path.trim_end_matches("::");
            while !modules.contains(module) {
                match module.rsplit_once("::") {
                    Some((parent, _)) => module = parent,
                    None => break,
                }
            }
            module.to_owned()
        })
        .collect()
}

/// The position of a module in the order, or `None` for a module outside of it.
fn floor(module: &str) -> Option<usize> {
    let (first, second) = module.split_once("::").unwrap_or((module, ""));
    let second = second.split("::").next().unwrap_or_default();
    match first {
        "cli" => FRONT_END.iter().position(|name| *name == second).or(Some(1)),
        "main" => Some(0),
        RANDOM => Some(LIBRARY.len()),
        first => LIBRARY.iter().position(|name| *name == first),
    }
}

#[test]
fn every_import_runs_downwards_and_none_goes_through_the_crate_root() {
    let mut faults = Vec::new();
    for (module, targets) in imports() {
        let from = floor(&module).unwrap_or_else(|| panic!("'{module}' is on no floor"));
        for target in &targets {
            let to = floor(target);
            let is_shared = ["cli::env", "cli::exit", "cli::stdio", "cli::signals"];
            let is_below = to.is_some_and(|to| from <= to) || is_shared.contains(&target.as_str());
            if !is_below || (module == "lib" && target.contains("cli")) {
                faults.push(format!("{module} imports {target}"));
            }
        }
    }
    assert_eq!(faults, [""; 0]);
}

#[test]
fn no_modules_import_each_other() {
    let imports = imports();
    let mut circles = Vec::new();
    for start in imports.keys() {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&String> = imports[start].iter().filter(|to| *to != start).collect();
        while let Some(module) = next.pop() {
            if module == start {
                circles.push(start);
                break;
            }
            if seen.insert(module) {
                next.extend(imports.get(module).into_iter().flatten().filter(|to| *to != module));
            }
        }
    }
    assert_eq!(circles, [""; 0], "these are parts of circles");
}

#[test]
fn at_most_nine_files_stand_at_the_top_of_the_sources() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files =
        fs::read_dir(source).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file());
    assert!(files.count() <= 9);
}
