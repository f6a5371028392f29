//! Parses `multipart/form-data` strictly, so that a malformed form fails a test here and not at a
//! server.

use super::connection::find;

#[derive(Clone, Debug)]
pub struct Part {
    /// As written between the quotes: `%22` stays `%22`.
    pub name: String,
    /// Like `name`.
    pub filename: Option<String>,
    /// All headers of the part, in their order and case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Part {
    pub fn content_type(&self) -> Option<&str> {
        header(&self.headers, "content-type")
    }
}

/// Parses the parts of a body. A `truncated` body may end anywhere inside its last part.
pub fn parse(content_type: &str, body: &[u8], truncated: bool) -> Result<Vec<Part>, String> {
    let boundary = boundary(content_type)?;
    let delimiter = format!("\r\n--{boundary}");
    let mut rest = body
        .strip_prefix(format!("--{boundary}").as_bytes())
        .ok_or("the body does not start with the boundary")?;
    let mut parts = Vec::new();
    loop {
        if rest == b"--\r\n" || rest == b"--" {
            return Ok(parts);
        }
        let start = rest.strip_prefix(b"\r\n").ok_or("a boundary without a line end")?;
        match find(start, delimiter.as_bytes()) {
            Some(end) => {
                parts.push(part(&start[..end])?);
                rest = &start[end + delimiter.len()..];
            }
            None if truncated => {
                parts.push(part(start)?);
                return Ok(parts);
            }
            None => return Err("the closing boundary is missing".to_owned()),
        }
    }
}

fn boundary(content_type: &str) -> Result<&str, String> {
    let value = content_type
        .strip_prefix("multipart/form-data;")
        .and_then(|rest| rest.trim().strip_prefix("boundary="))
        .ok_or_else(|| {
            format!("Content-Type {content_type:?} is not multipart/form-data with a boundary")
        })?;
    let unquoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    Ok(unquoted.unwrap_or(value))
}

fn part(bytes: &[u8]) -> Result<Part, String> {
    let end = find(bytes, b"\r\n\r\n").ok_or("the head of a part has no end")?;
    let head = std::str::from_utf8(&bytes[..end]).map_err(|error| error.to_string())?;
    let mut headers = Vec::new();
    for line in head.split("\r\n") {
        let (name, value) = line
            .split_once(": ")
            .ok_or_else(|| format!("invalid header line in a part: {line:?}"))?;
        headers.push((name.to_owned(), value.to_owned()));
    }
    let disposition =
        header(&headers, "content-disposition").ok_or("a part has no Content-Disposition")?;
    let parameters = disposition
        .strip_prefix("form-data;")
        .ok_or_else(|| format!("Content-Disposition is {disposition:?}"))?;
    Ok(Part {
        name: quoted(parameters, " name=\"")
            .ok_or_else(|| format!("no name in {disposition:?}"))?,
        filename: quoted(parameters, " filename=\""),
        body: bytes[end + 4..].to_vec(),
        headers,
    })
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut named = headers.iter().filter(|header| header.0.eq_ignore_ascii_case(name));
    named.next().map(|header| header.1.as_str())
}

fn quoted(parameters: &str, opening: &str) -> Option<String> {
    let (_, rest) = parameters.split_once(opening)?;
    let (value, _) = rest.split_once('"')?;
    Some(value.to_owned())
}
