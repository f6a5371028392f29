//! Properties of every `Content-Range`.

use crate::jobs::content_range::{ContentRange, content_range};

/// `input` is the header's value.
///
/// A value is accepted exactly if it has one of the forms of RFC 9110, with its numbers in order.
pub(crate) fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let range = content_range(&text);
    let numbers: Vec<&str> =
        text.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty()).collect();
    let shape = shape(&text);
    let number = |at: usize| numbers[at].parse::<u64>().ok();
    let expected = match shape.as_str() {
        "bytes n-n/n" | "bytes n-n/*" => {
            part(number(0), number(1), numbers.get(2).map(|_| number(2)))
        }
        "bytes */n" => number(0).map(|total| ContentRange { first: None, total: Some(total) }),
        // Valid, although neither range nor total is known.
        "bytes */*" => Some(ContentRange { first: None, total: None }),
        _ => None,
    };
    assert_eq!(range, expected, "{text:?} has the shape {shape:?}");
}

/// `total`: `None` for `*`, `Some(None)` for a number that is too large.
fn part(first: Option<u64>, last: Option<u64>, total: Option<Option<u64>>) -> Option<ContentRange> {
    let (first, last) = (first?, last?);
    let total = match total {
        Some(total) => Some(total?),
        None => None,
    };
    let ordered = first <= last && total.is_none_or(|total| last < total);
    ordered.then_some(ContentRange { first: Some(first), total })
}

/// The text in lower case with `n` for each number, and without the white space that is allowed.
fn shape(text: &str) -> String {
    let text = text.trim().to_ascii_lowercase();
    let (unit, rest) = text.split_once(' ').unwrap_or((&text, ""));
    let mut shape = format!("{unit} ");
    for c in rest.trim().chars() {
        match c {
            '0'..='9' if shape.ends_with('n') => {}
            '0'..='9' => shape.push('n'),
            // Or else it could be taken for a number.
            'n' => shape.push('?'),
            c => shape.push(c),
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::suite::{cases, corpus};

    const WORDS: [&str; 12] = [
        "bytes ",
        "BYTES",
        "*",
        "/",
        "-",
        " ",
        "0",
        "9",
        "18446744073709551615",
        "18446744073709551616",
        "+",
        "\u{a0}",
    ];

    #[test]
    fn hold_for_the_corpus_and_its_mutations() {
        corpus("content_range", &WORDS, check);
    }

    #[test]
    fn every_part_of_every_content_is_taken_and_none_that_reaches_beyond() {
        cases(2000, |random| {
            // Numbers of every length.
            let mut number = || random.next() >> (random.next() % 64);
            let (first, last, total) = (number(), number(), number());
            let fits = first <= last && last < total;
            let range = content_range(&format!("bytes {first}-{last}/{total}"));
            assert_eq!(range.is_some(), fits, "{first}-{last}/{total}");
            if let Some(range) = range {
                assert_eq!((range.first, range.total), (Some(first), Some(total)));
            }
        });
    }
}
