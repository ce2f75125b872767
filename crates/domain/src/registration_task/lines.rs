//! An input file, cut into lines as it arrives. No more than one line is held, however large the file is; of a line that is
//! too long, not even that.

use crate::limits;

/// A line of an input file that is not blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number, as editors count: from 1, blank lines among them.
    pub number: u64,
    /// Where the next line begins, in bytes from the file's beginning.
    pub end: u64,
    /// What it says, without its end; `None` when that is more than [`limits::REGISTRATION_LINE_BYTES`].
    pub text: Option<Vec<u8>>,
}

/// Cuts a file into lines. They end in a line feed, which a carriage return may precede; the last may lack its end.
#[derive(Clone, Debug)]
pub struct Lines {
    number: u64,
    position: u64,
    pending: Vec<u8>,
    is_begun: bool,
    is_too_long: bool,
}

impl Lines {
    /// Begins at the byte `position`, behind `number` lines.
    #[must_use]
    pub const fn behind(number: u64, position: u64) -> Self {
        Self { number, position, pending: Vec::new(), is_begun: false, is_too_long: false }
    }

    /// How many bytes of the file were taken in.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Lines that have ended, blank ones among them.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The next line that is not blank, taken from the front of `input`; `None` when all of it has been taken in without
    /// such a line coming to its end.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Line> {
        while let Some(end) = input.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = input.split_at(end);
            self.take(line);
            self.position += 1;
            *input = rest.get(1..).unwrap_or_default();
            if let Some(line) = self.end() {
                return Some(line);
            }
        }
        self.take(input);
        *input = &[];
        None
    }

    /// The last line, when it lacks its end. To be asked once all of the file has been taken in.
    pub fn last(&mut self) -> Option<Line> {
        if self.is_begun { self.end() } else { None }
    }

    fn take(&mut self, part: &[u8]) {
        self.position += part.len() as u64;
        self.is_begun |= !part.is_empty();
        // With room for a carriage return that belongs to the line's end.
        if self.is_too_long || self.pending.len() + part.len() > limits::REGISTRATION_LINE_BYTES + 1 {
            self.is_too_long = true;
            self.pending = Vec::new();
        } else {
            self.pending.extend_from_slice(part);
        }
    }

    fn end(&mut self) -> Option<Line> {
        self.number += 1;
        self.is_begun = false;
        if self.pending.last() == Some(&b'\r') {
            self.pending.pop();
        }
        let is_too_long = std::mem::take(&mut self.is_too_long) || self.pending.len() > limits::REGISTRATION_LINE_BYTES;
        if !is_too_long && self.pending.iter().all(u8::is_ascii_whitespace) {
            self.pending.clear();
            return None;
        }
        let text = std::mem::take(&mut self.pending);
        Some(Line { number: self.number, end: self.position, text: (!is_too_long).then_some(text) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAX: usize = limits::REGISTRATION_LINE_BYTES;

    /// The lines of a file that arrives in parts of these lengths, again and again.
    fn lines(file: &[u8], parts: &[usize]) -> Vec<Line> {
        let mut lines = Lines::behind(0, 0);
        let (mut found, mut rest) = (Vec::new(), file);
        for part in parts.iter().cycle() {
            let (mut part, behind) = rest.split_at((*part).min(rest.len()));
            rest = behind;
            while let Some(line) = lines.next(&mut part) {
                found.push(line);
            }
            assert!(part.is_empty());
            if rest.is_empty() {
                break;
            }
        }
        found.extend(lines.last());
        assert_eq!(lines.last(), None, "there is one last line");
        assert_eq!(lines.position(), file.len() as u64);
        found
    }

    fn line(number: u64, end: u64, text: &[u8]) -> Line {
        Line { number, end, text: Some(text.to_vec()) }
    }

    #[test]
    fn lines_end_in_a_line_feed_or_with_the_file() {
        let none: [Line; 0] = [];
        assert_eq!(lines(b"", &[1]), none);
        assert_eq!(lines(b"\n\r\n \t\n  ", &[1]), none);
        for parts in [[1].as_slice(), &[2, 3], &[100]] {
            assert_eq!(lines(b"a\n\nb\r\n c", parts), [line(1, 2, b"a"), line(3, 6, b"b"), line(4, 8, b" c")]);
            // One carriage return belongs to the end; others, and those elsewhere, to the line.
            assert_eq!(lines(b"a\r\r\nb\rc\n", parts), [line(1, 4, b"a\r"), line(2, 8, b"b\rc")]);
            assert_eq!(lines(b"a\r", parts), [line(1, 2, b"a")]);
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_told_and_not_kept() {
        for (bytes, end, fits) in [
            (MAX, "\n", true),
            (MAX, "\r\n", true),
            (MAX + 1, "\n", false),
            (MAX + 1, "\r\n", false),
            (MAX * 5, "\n", false),
        ] {
            let mut file = vec![b'x'; bytes];
            file.extend_from_slice(end.as_bytes());
            let length = file.len() as u64;
            file.extend_from_slice(b"y");
            let found = lines(&file, &[64 * 1024]);
            assert_eq!((found[0].number, found[0].end, found[0].text.is_some()), (1, length, fits), "{bytes} {end:?}");
            assert_eq!(found[1..], [line(2, length + 1, b"y")]);
        }
        // The last line may lack its end.
        assert_eq!(lines(&vec![b'x'; MAX], &[4096])[0].text, Some(vec![b'x'; MAX]));
        assert_eq!(lines(&vec![b'x'; MAX + 1], &[4096])[0].text, None);
        // Nor are blanks without end.
        assert_eq!(lines(&vec![b' '; MAX + 2], &[4096])[0].text, None);
        let mut lines = Lines::behind(0, 0);
        for _ in 0..100 {
            assert_eq!(lines.next(&mut vec![0; 64 * 1024].as_slice()), None);
            assert!(lines.pending.capacity() <= 2 * (MAX + 1));
        }
        assert_eq!(lines.last().unwrap().text, None);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_a_file_arrives(
            file in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b' '), Just(b'x'), any::<u8>()], 0..200),
            parts in proptest::collection::vec(1usize..9, 1..5),
        ) {
            let found = lines(&file, &parts);
            prop_assert_eq!(&found, &lines(&file, &[1000]));
            // As if it had been cut at once.
            let mut expected = Vec::new();
            let mut position = 0;
            for (index, text) in file.split_inclusive(|byte| *byte == b'\n').enumerate() {
                position += text.len() as u64;
                let text = text.strip_suffix(b"\n").unwrap_or(text);
                let text = text.strip_suffix(b"\r").unwrap_or(text);
                if !text.iter().all(u8::is_ascii_whitespace) {
                    expected.push(line(index as u64 + 1, position, text));
                }
            }
            prop_assert_eq!(&found, &expected);
        }

        #[test]
        fn whoever_begins_behind_a_line_finds_the_same_ones(
            file in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'x'), Just(b'\r')], 0..60),
            at in any::<proptest::sample::Index>(),
        ) {
            let all = lines(&file, &[7]);
            if all.is_empty() {
                return Ok(());
            }
            let at = at.index(all.len());
            let mut again = Lines::behind(all[at].number, all[at].end);
            let mut rest = file.get(usize::try_from(all[at].end).unwrap()..).unwrap();
            let mut found = Vec::new();
            while let Some(line) = again.next(&mut rest) {
                found.push(line);
            }
            found.extend(again.last());
            prop_assert_eq!(found.as_slice(), &all[at + 1..]);
        }
    }
}
