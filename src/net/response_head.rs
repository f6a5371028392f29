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

/// The transfer codings of a response head in lower case, such as `gzip, chunked`; empty if there
/// are none.
pub(crate) fn transfer_codings(head: &[u8]) -> String {
    let fields = head.split(|byte| *byte == b'\n').filter_map(|line| {
        let (name, value) = line.split_at_checked(b"transfer-encoding".len())?;
        name.eq_ignore_ascii_case(b"transfer-encoding")
            .then(|| value.trim_ascii())?
            .strip_prefix(b":")
    });
    let codings = fields.flat_map(|value| value.split(|byte| *byte == b','));
    let codings = codings.map(|coding| String::from_utf8_lossy(coding.trim_ascii()).to_lowercase());
    codings.filter(|coding| !coding.is_empty()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfer_codings_are_collected_from_all_header_lines() {
        for (fields, codings) in [
            ("Content-Length: 1\r\nTransfer: chunked", ""),
            ("Transfer-Encoding: chunked", "chunked"),
            ("TRANSFER-ENCODING:Chunked ", "chunked"),
            ("Transfer-Encoding: gzip,chunked", "gzip, chunked"),
            ("Transfer-Encoding: gzip\nA: b\ntransfer-encoding: , chunked", "gzip, chunked"),
            ("X-Transfer-Encoding: gzip", ""),
        ] {
            let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
            assert_eq!(transfer_codings(head.as_bytes()), codings, "{fields}");
        }
    }
}
