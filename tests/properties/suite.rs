//! Runs the checks of the fuzz targets in the ordinary tests: on their corpus, on mutations of it,
//! and on random cases, the same in every run.

#[path = "../support/random.rs"]
pub(crate) mod random;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

pub(crate) use random::Random;

/// The number of mutations for each target, which take less than a second.
const MUTATIONS: u64 = 4000;

/// Runs a check on the corpus of its fuzz target, and on mutations of that. `words`: text that a
/// mutation may insert.
///
/// A failing input belongs into the corpus, as a regression test.
pub(crate) fn corpus(target: &str, words: &[&str], check: fn(&[u8])) {
    let corpus = read(target);
    for input in &corpus {
        shown(input, || check(input));
    }
    for seed in 0..MUTATIONS {
        let input = mutated(&corpus, words, &mut Random(seed));
        shown(&input, || check(&input));
    }
}

/// Runs a check that makes random cases.
pub(crate) fn cases(count: u64, check: impl Fn(&mut Random)) {
    for seed in 0..count {
        let run = || check(&mut Random(seed));
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            say(&format!("seed {seed}"));
            resume_unwind(panic);
        }
    }
}

fn shown(input: &[u8], check: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(check)) {
        say(&format!("the input was: \"{}\"", input.escape_ascii()));
        resume_unwind(panic);
    }
}

#[allow(clippy::print_stderr)]
fn say(text: &str) {
    eprintln!("{text}");
}

/// A published package leaves out the fuzz targets, and the corpus with them.
fn read(target: &str) -> Vec<Vec<u8>> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    if !fuzz.exists() {
        return vec![Vec::new()];
    }
    let directory = fuzz.join("corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() > 2, "{files:?}");
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// One input of the corpus, changed in one to four places.
fn mutated(corpus: &[Vec<u8>], words: &[&str], random: &mut Random) -> Vec<u8> {
    let mut input = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(4) {
        let at = random.below(input.len() + 1);
        let end = (at + 1 + random.below(12)).min(input.len());
        match random.below(7) {
            0 if at < end => input[at] ^= 1 << random.below(8),
            1 if at < end => input[at] = random.next() as u8,
            2 if at < end => drop(input.drain(at..end)),
            3 => input.truncate(at),
            4 if at < end => {
                let piece = input[at..end].to_vec();
                input.splice(at..at, piece);
            }
            5 => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len() + 1);
                input.splice(at.., other[from..].iter().copied());
            }
            _ => {
                let word = words[random.below(words.len())];
                input.splice(at..at, word.bytes());
            }
        }
    }
    input
}
