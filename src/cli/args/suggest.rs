//! Suggests the word that a misspelt one was probably meant to be.

/// A hint that names the known word that was probably meant, if there is one.
pub(crate) fn did_you_mean<'a>(
    word: &str,
    mut known: impl Iterator<Item = &'a str>,
) -> Option<String> {
    nearest(word, &mut known).map(|near| format!("did you mean '{near}'?"))
}

/// The known word that `word` was probably meant to be: a prefix of one, but for its last letter,
/// or a slip or two away.
pub(crate) fn nearest<'a>(word: &str, known: &mut dyn Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() < 2 {
        return None;
    }
    let mut stem = word.chars();
    stem.next_back();
    let stem = stem.as_str();
    let score = |name: &str| {
        if name.starts_with(word) {
            0
        } else if stem.len() > 3 && name.starts_with(stem) {
            1
        } else {
            distance(word, name)
        }
    };
    known
        .map(|name| (score(name), name))
        .min()
        .filter(|(score, _)| *score <= 1 + word.len() / 5)
        .map(|(_, name)| name)
}

/// Levenshtein's distance, with two neighbours swapped counting as one slip.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let mut least = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                least = least.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    least = least.min(rows[i - 2][j - 2] + 1);
                }
                least
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::flags::FLAGS;

    #[test]
    fn slips_find_the_word_that_was_meant() {
        let known = || FLAGS.iter().map(|flag| flag.long);
        for (word, near) in [
            ("promt", Some("prompt")),
            ("secnods", Some("seconds")),
            ("vidoe", Some("video")),
            ("dryrun", Some("dry-run")),
            ("max-retrys", Some("max-retries")),
            ("max-retry", Some("max-retries")),
            ("videos", Some("video")),
            ("modle", Some("model")),
            ("base", Some("base-url")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, &mut known()), near, "{word}");
        }
    }
}
