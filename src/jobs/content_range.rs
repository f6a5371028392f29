//! Parses the `Content-Range` response header (RFC 9110, 14.4).

/// `bytes FIRST-LAST/TOTAL`, or `bytes */TOTAL` of a 416. `*` stands for an unknown range or total.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ContentRange {
    pub(crate) first: Option<u64>,
    pub(crate) total: Option<u64>,
}

/// Parses a header value such as `bytes 500-999/1000`. `None` if it breaks the grammar, has another
/// unit, or contradicts itself.
pub(crate) fn content_range(text: &str) -> Option<ContentRange> {
    let number = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
    };
    let (unit, rest) = text.trim().split_once(' ')?;
    let (range, total) = rest.trim().split_once('/')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let total = if total == "*" { None } else { Some(number(total)?) };
    if range == "*" {
        return Some(ContentRange { first: None, total });
    }
    let (first, last): (u64, u64) =
        range.split_once('-').and_then(|(a, b)| Some((number(a)?, number(b)?)))?;
    let consistent = first <= last && total.is_none_or(|total| last < total);
    consistent.then_some(ContentRange { first: Some(first), total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read_strictly() {
        let range = |first, total| Some(ContentRange { first, total });
        for (text, expected) in [
            ("bytes 5-9/10", range(Some(5), Some(10))),
            ("Bytes 0-0/*", range(Some(0), None)),
            ("bytes */10", range(None, Some(10))),
            ("bytes 9-5/10", None),
            ("bytes 5-10/10", None),
            ("bytes +5-9/10", None),
            ("bytes -9/10", None),
            ("bytes 5-9", None),
            ("items 5-9/10", None),
            ("bytes 99999999999999999999-1/1", None),
            ("", None),
        ] {
            assert_eq!(content_range(text), expected, "{text}");
        }
    }
}
