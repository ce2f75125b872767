//! The canonical form of a request, which is what is signed (AWS: "Create a signed AWS API request", steps 1 and 2).

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};
use http::{HeaderMap, HeaderName, Method};

use super::authorization::{ALGORITHM, CredentialScope};
use super::stamp::Stamp;

/// The path that a signature stands for: without empty, `.` and `..` segments (RFC 3986, 5.2.4; services other than S3
/// also take several slashes as one). Percent-encoding stays as it is, so `%2E%2E` and `%2F` are plain text here.
#[must_use]
pub fn normalised_path(path: &str) -> Cow<'_, str> {
    let already =
        path.starts_with('/') && !path.contains("//") && !path.split('/').any(|segment| matches!(segment, "." | ".."));
    if already {
        return Cow::Borrowed(path);
    }
    let mut kept = Vec::new();
    let mut last = "";
    for segment in path.split('/') {
        last = segment;
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    let mut normalised = String::with_capacity(path.len() + 1);
    for segment in &kept {
        normalised.push('/');
        normalised.push_str(segment);
    }
    // A path that ends in a slash or a dot segment names a folder.
    if kept.is_empty() || matches!(last, "" | "." | "..") {
        normalised.push('/');
    }
    Cow::Owned(normalised)
}

/// The canonical request for a `target` as on the wire (path, and query after a `?`), without the query parameters
/// `left_out`.
pub(super) fn canonical_request(
    method: &Method,
    target: &str,
    left_out: &[&str],
    headers: &HeaderMap,
    signed_headers: &[HeaderName],
    body_sha256: &[u8; 32],
) -> Vec<u8> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    // The path arrives encoded, and is encoded once more: %2F becomes %252F. Only S3 leaves it at once.
    let mut encoded = Vec::with_capacity(path.len());
    percent_encode(normalised_path(path).as_bytes(), b"/", &mut encoded);
    canonical(method, &encoded, query, left_out, headers, signed_headers, body_sha256)
}

/// The canonical request for a `target` as S3 reads it: the path stands as it is on the wire.
pub(super) fn canonical_s3_request(
    method: &Method,
    target: &str,
    headers: &HeaderMap,
    signed_headers: &[HeaderName],
    body_sha256: &[u8; 32],
) -> Vec<u8> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    canonical(method, path.as_bytes(), query, &[], headers, signed_headers, body_sha256)
}

fn canonical(
    method: &Method,
    canonical_path: &[u8],
    query: &str,
    left_out: &[&str],
    headers: &HeaderMap,
    signed_headers: &[HeaderName],
    body_sha256: &[u8; 32],
) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + canonical_path.len() + query.len());
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b'\n');
    out.extend_from_slice(canonical_path);
    out.push(b'\n');
    canonical_query(query, left_out, &mut out);
    out.push(b'\n');
    for name in signed_headers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.push(b':');
        for (nth, value) in headers.get_all(name).iter().enumerate() {
            if nth > 0 {
                out.push(b',');
            }
            collapse_blanks(value.as_bytes(), &mut out);
        }
        out.push(b'\n');
    }
    for name in signed_headers {
        out.extend_from_slice(if out.ends_with(b"\n") { b"\n" } else { b";" });
        out.extend_from_slice(name.as_str().as_bytes());
    }
    out.push(b'\n');
    out.extend_from_slice(hex(body_sha256).as_bytes());
    out
}

/// What the key signs: the hash of the canonical request, and where and when it is valid.
pub(super) fn string_to_sign(stamp: &Stamp, scope: &CredentialScope, canonical_request: &[u8]) -> String {
    let hash = digest(&SHA256, canonical_request);
    format!("{ALGORITHM}\n{}\n{scope}\n{}", stamp.as_str(), hex(hash.as_ref()))
}

/// Pairs in the order of their encoded names, then values. Decoding before encoding makes all spellings of a parameter
/// one; the door reads them the same way (`+` is a space, as in HTML forms), so no spelling can change the meaning of
/// what was signed.
fn canonical_query(query: &str, left_out: &[&str], out: &mut Vec<u8>) {
    let encoded = |text: &str| {
        let mut encoded = Vec::with_capacity(text.len());
        percent_encode(&form_decode(text.as_bytes()), b"", &mut encoded);
        encoded
    };
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encoded(name), encoded(value)))
        // Names that are left out have no character that is encoded.
        .filter(|(name, _)| !left_out.iter().any(|left_out| name == left_out.as_bytes()))
        .collect();
    pairs.sort_unstable();
    for (nth, (name, value)) in pairs.iter().enumerate() {
        if nth > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name);
        out.push(b'=');
        out.extend_from_slice(value);
    }
}

/// Undoes form encoding; a `%` that begins no escape stays.
pub(super) fn form_decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'+', _) => out.push(b' '),
            (b'%', [high, low, after @ ..]) => match (hex_value(*high), hex_value(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    rest = after;
                }
                _ => out.push(byte),
            },
            _ => out.push(byte),
        }
    }
    out
}

/// Percent-encodes all but unreserved characters (RFC 3986, 2.3) and `also`.
pub(super) fn percent_encode(text: &[u8], also: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || also.contains(&byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(&[
                b'%',
                hex_digit(byte >> 4).to_ascii_uppercase(),
                hex_digit(byte & 15).to_ascii_uppercase(),
            ]);
        }
    }
}

/// A header value without outer white space and with single spaces inside.
fn collapse_blanks(value: &[u8], out: &mut Vec<u8>) {
    let words = value.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    for (nth, word) in words.enumerate() {
        if nth > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [hex_digit(byte >> 4), hex_digit(byte & 15)]).map(char::from).collect()
}

const fn hex_digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'a' + nibble - 10,
    }
}

const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_empty_and_dot_segments_and_nothing_else() {
        let table = [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("/.", "/"),
            ("/..", "/"),
            ("/../..", "/"),
            ("/a", "/a"),
            ("a", "/a"),
            ("/a/", "/a/"),
            ("//a//b//", "/a/b/"),
            ("/./a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/../../b", "/b"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a/b/.", "/a/b/"),
            ("/...", "/..."),
            ("/a/.b/c..", "/a/.b/c.."),
            ("/a%2F%2Fb", "/a%2F%2Fb"),
            ("/a/%2e%2E/b", "/a/%2e%2E/b"),
            ("/a/%2e./b", "/a/%2e./b"),
        ];
        for (path, normalised) in table {
            assert_eq!(normalised_path(path), normalised, "{path}");
            assert_eq!(normalised_path(normalised), normalised, "{path}, again");
        }
    }

    #[test]
    fn paths_are_encoded_once_more() {
        let table = [
            ("/things/a%3Ab%2Fc", "/things/a%253Ab%252Fc"),
            ("/a-._~Z09", "/a-._~Z09"),
            ("/a+b", "/a%2Bb"),
            ("/a:b@c=d,e", "/a%3Ab%40c%3Dd%2Ce"),
            ("/ሴ", "/%E1%88%B4"),
            ("/%2e%2E", "/%252e%252E"),
            ("/a b\n", "/a%20b%0A"),
        ];
        for (path, encoded) in table {
            let request = canonical_request(&Method::GET, path, &[], &HeaderMap::new(), &[], &[0; 32]);
            let request = String::from_utf8(request).unwrap();
            assert_eq!(request.split('\n').nth(1), Some(encoded), "{path}");
        }
    }

    #[test]
    fn queries_are_sorted_by_encoded_name_and_then_value() {
        let table = [
            ("", ""),
            ("a", "a="),
            ("a=", "a="),
            ("=a", "=a"),
            ("a=b=c", "a=b%3Dc"),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1&a", "a=&a=1&a=2"),
            ("a=1&&b=2&", "a=1&b=2"),
            ("B=1&a=2&_=3&%C3%A9=4", "%C3%A9=4&B=1&_=3&a=2"),
            ("a-=2&a=1", "a=1&a-=2"),
            ("a=%3a%3A:", "a=%3A%3A%3A"),
            ("%61=%62", "a=b"),
            ("a=b+c%20d%2Be", "a=b%20c%20d%2Be"),
            ("a=%", "a=%25"),
            ("a=%4", "a=%254"),
            ("a=%zz%4", "a=%25zz%254"),
            ("a=%26b%3D1", "a=%26b%3D1"),
            ("a=?/~", "a=%3F%2F~"),
            ("a=%FF%0A", "a=%FF%0A"),
        ];
        for (query, canonical) in table {
            let mut out = Vec::new();
            canonical_query(query, &[], &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), canonical, "{query}");
        }
    }

    #[test]
    fn header_values_are_trimmed_and_collapsed() {
        for (value, collapsed) in
            [("", ""), ("   ", ""), ("  a   b  ", "a b"), ("\"a   b\"", "\"a b\""), ("a\t b", "a b"), ("a,b", "a,b")]
        {
            let mut out = Vec::new();
            collapse_blanks(value.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), collapsed, "{value:?}");
        }
    }
}
