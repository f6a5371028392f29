//! Properties of every request body in YAML.

use crate::Fields;

/// `input` is a body as `--body` takes it.
///
/// An error is one line. Nothing panics, and nothing takes long.
pub(crate) fn check(input: &[u8]) {
    // A file that is not UTF-8 is refused before.
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    match Fields::from_yaml(text) {
        Ok(fields) => drop(fields),
        Err(error) => {
            let error = error.to_string();
            assert!(error.starts_with("cannot read the request body as YAML: "), "{error}");
            assert!(!error.chars().any(char::is_control), "{error:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::suite::{Random, cases, corpus};

    const WORDS: [&str; 24] = [
        "{",
        "}",
        "[",
        "]",
        ": ",
        ",",
        "- ",
        "? ",
        "\n",
        "\n  ",
        "\"",
        "'",
        "|\n",
        ">-\n",
        "&a ",
        "*a ",
        "!!str ",
        "!x ",
        "#",
        "---\n",
        "%YAML 1.2\n",
        "1.50",
        "\u{1b}",
        "<<: ",
    ];

    #[test]
    fn hold_for_the_corpus_and_its_mutations() {
        corpus("yaml", &WORDS, check);
    }

    #[test]
    fn every_json_object_without_escapes_means_the_same_as_yaml() {
        cases(2000, |random| {
            let json = format!("{{\"a\":{}}}", value(random, 4));
            let read = Fields::from_yaml(&json).unwrap_or_else(|error| panic!("{json}: {error}"));
            let expected = Fields::from_json(&json).unwrap();
            assert_eq!(format!("{read:?}"), format!("{expected:?}"), "{json}");
        });
    }

    fn value(random: &mut Random, depth: usize) -> String {
        const SCALARS: [&str; 10] = [
            "null",
            "true",
            "-0.50",
            "1e-7",
            "12345678901234567890",
            "\"\"",
            "\"4\"",
            "\"é🎬: #\"",
            "\"- x\"",
            "\"it's\"",
        ];
        let count = random.below(4);
        let mut values = (0..count).map(|_| match depth {
            0 => SCALARS[random.below(SCALARS.len())].to_owned(),
            _ => value(random, depth - 1),
        });
        let values: Vec<String> = values.by_ref().collect();
        match random.below(3) {
            0 => SCALARS[random.below(SCALARS.len())].to_owned(),
            1 => format!("[{}]", values.join(",")),
            _ => {
                let named = values.iter().enumerate().map(|(i, value)| format!("\"k{i}\":{value}"));
                format!("{{{}}}", named.collect::<Vec<_>>().join(","))
            }
        }
    }
}
