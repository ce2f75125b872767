//! Reads and writes the textual encoding of RFC 7468. Reading is lax about what surrounds a block and how its lines
//! end, for people paste; writing is strict.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Octets on a line of 64 characters.
const LINE_OCTETS: usize = 48;

/// Why no block was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemRefusal {
    /// No block with the label.
    #[error("there is no PEM block `{0}`: it begins with the line `-----BEGIN {0}-----`")]
    NoBlock(&'static str),
    /// The block does not end.
    #[error("the PEM block has no end line `-----END {0}-----`")]
    NoEnd(&'static str),
    /// The content is not base64.
    #[error("the content of the PEM block is not base64")]
    NotBase64,
}

/// The content of the first block that has one of `labels`. Text around the block does not matter.
pub(crate) fn decode(text: &str, labels: &[&'static str]) -> Result<Zeroizing<Vec<u8>>, PemRefusal> {
    let first = labels
        .iter()
        .filter_map(|label| {
            let begin = format!("-----BEGIN {label}-----");
            text.find(&begin).map(|at| (at, at.saturating_add(begin.len()), *label))
        })
        .min_by_key(|(at, ..)| *at);
    let Some((_, start, label)) = first else {
        return Err(PemRefusal::NoBlock(labels.first().copied().unwrap_or_default()));
    };
    let rest = text.get(start..).unwrap_or_default();
    let end = rest.find(&format!("-----END {label}-----")).ok_or(PemRefusal::NoEnd(label))?;
    let mut digits = Zeroizing::new(Vec::with_capacity(end));
    digits.extend(rest.bytes().take(end).filter(|octet| !octet.is_ascii_whitespace()));
    let mut content = Zeroizing::new(vec![0; base64::decoded_len_estimate(digits.len())]);
    let length = STANDARD.decode_slice(digits.as_slice(), &mut content).map_err(|_| PemRefusal::NotBase64)?;
    content.truncate(length);
    Ok(content)
}

/// A block with lines of 64 characters, ending in a newline. Leaves no copy of the content behind.
pub(crate) fn encode(label: &str, content: &[u8]) -> Zeroizing<String> {
    // Enough for base64, newlines and both marks, so that the text never moves.
    let capacity =
        content.len().saturating_mul(3).div_ceil(2).saturating_add(label.len().saturating_mul(2)).saturating_add(64);
    let mut text = Zeroizing::new(String::with_capacity(capacity));
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    for line in content.chunks(LINE_OCTETS) {
        STANDARD.encode_string(line, &mut text);
        text.push('\n');
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn surroundings_and_line_ends_do_not_matter() {
        for text in [
            "-----BEGIN X-----\nAQID\n-----END X-----\n",
            "subject=/CN=a\r\n-----BEGIN X-----\r\nAQ\r\n ID\r\n-----END X-----",
            "-----BEGIN Y-----\nBBBB\n-----END Y-----\n-----BEGIN X-----\nAQID\n-----END X-----\n-----BEGIN X-----\n!",
            "-----BEGIN X-----AQID-----END X-----",
        ] {
            assert_eq!(decode(text, &["X"]).unwrap().as_slice(), [1, 2, 3], "{text}");
        }
    }

    #[test]
    fn the_first_block_of_any_label_counts() {
        let text = "-----BEGIN Y-----\nAQ==\n-----END Y-----\n-----BEGIN X-----\nAg==\n-----END X-----\n";
        assert_eq!(decode(text, &["X", "Y"]).unwrap().as_slice(), [1]);
    }

    #[test]
    fn what_is_no_block_is_refused() {
        let cases = [
            ("", PemRefusal::NoBlock("X")),
            ("AQID", PemRefusal::NoBlock("X")),
            ("-----BEGIN XY-----\nAQID\n-----END XY-----", PemRefusal::NoBlock("X")),
            ("-----BEGIN X-----\nAQID\n", PemRefusal::NoEnd("X")),
            ("-----BEGIN X-----\nAQI\n-----END X-----", PemRefusal::NotBase64),
            ("-----BEGIN X-----\nProc-Type: 4\n\nAQID\n-----END X-----", PemRefusal::NotBase64),
        ];
        for (text, refusal) in cases {
            assert_eq!(decode(text, &["X"]), Err(refusal), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(content in proptest::collection::vec(any::<u8>(), 0..300)) {
            let text = encode("X Y", &content);
            prop_assert!(text.lines().all(|line| line.len() <= 64));
            let read = decode(&text, &["X Y"]).unwrap();
            prop_assert_eq!(read.as_slice(), content);
        }

        #[test]
        fn nothing_makes_it_panic(text in ".{0,200}") {
            let _ = decode(&format!("-----BEGIN X-----{text}"), &["X"]);
            let _ = decode(&format!("-----BEGIN X-----{text}-----END X-----"), &["X"]);
        }
    }
}
