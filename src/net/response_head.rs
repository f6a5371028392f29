//! The bytes of a response head, examined before ureq reads them.

/// Whether this is the start of an informational response: `HTTP/1.1 1xx`.
pub(crate) fn is_informational(head: &[u8]) -> bool {
    head.starts_with(b"HTTP/1.") && head.get(8..10) == Some(b" 1")
}

/// The length of the first head in `input`, including the empty line that ends it.
pub(crate) fn head_end(input: &[u8]) -> Option<usize> {
    let ends = |at: usize| match &input[at..] {
        [b'\n', b'\n', ..] => Some(at + 2),
        [b'\n', b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    };
    (0..input.len()).find_map(ends)
}
