//! One line of an input file: the parameters of a template, as a JSON object of strings.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use crate::clip::clip;
use crate::limits;

/// Characters of a line that a message shows.
const SHOWN: usize = 64;

/// Why a line has no parameters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineRefusal {
    /// It is longer than lines may be.
    #[error("the line has more than {} bytes", limits::REGISTRATION_LINE_BYTES)]
    TooLong,
    /// It is no text.
    #[error("the line is not UTF-8")]
    Encoding,
    /// It is something else than an object of strings, each under a name of its own.
    #[error("the line is not a JSON object of strings: {problem} (column {column})")]
    Json {
        /// What is wrong.
        problem: String,
        /// Where, in bytes from the line's beginning.
        column: usize,
    },
}

/// Reads a line. A byte order mark is passed over: some editors write one at the beginning of a file.
///
/// # Errors
/// [`LineRefusal`]. The values are not shown in it.
pub fn read(line: &[u8]) -> Result<BTreeMap<String, String>, LineRefusal> {
    let text = std::str::from_utf8(line).map_err(|_| LineRefusal::Encoding)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_any(Parameters).and_then(|found| deserializer.end().map(|()| found)).map_err(|error| {
        let column = error.column();
        let text = error.to_string();
        // The place stands beside it, and there is one line only.
        let problem = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem);
        LineRefusal::Json { problem: problem.chars().take(4 * SHOWN).collect(), column }
    })
}

struct Parameters;

impl<'de> Visitor<'de> for Parameters {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Err(E::custom("a string, expected an object"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut found = BTreeMap::new();
        while let Some(name) = access.next_key::<String>()? {
            let value = access.next_value_seed(TextOf(&name))?;
            let shown = clip(&name, SHOWN);
            if found.insert(name, value).is_some() {
                return Err(A::Error::custom(format_args!("the name \"{shown}\" occurs twice")));
            }
        }
        Ok(found)
    }
}

/// The value of the parameter of this name.
struct TextOf<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for TextOf<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_string(self)
    }
}

impl Visitor<'_> for TextOf<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a string as the value of \"{}\"", clip(self.0, SHOWN))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<String, E> {
        Ok(value.to_owned())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<String, E> {
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_object_of_strings() {
        let read = |line: &str| read(line.as_bytes()).unwrap().into_iter().collect::<Vec<_>>();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read("{}"), []);
        assert_eq!(read(" {\"b\":\"\", \"a\" : \"x\\ny\\u0041\"} \t"), [pair("a", "x\nyA"), pair("b", "")]);
        assert_eq!(read("\u{feff}{\"é\":\"ü\"}"), [pair("é", "ü")]);
    }

    #[test]
    fn what_is_no_such_object_is_refused_without_showing_its_values() {
        for (line, problem) in [
            ("x", "expected value"),
            ("[]", "expected an object"),
            ("\"hush\"", "a string, expected an object"),
            ("7", "expected an object"),
            ("null", "expected an object"),
            ("{\"a\":\"hush\"", "EOF while parsing an object"),
            ("{\"a\":1}", "expected a string as the value of \"a\""),
            ("{\"a\":true}", "expected a string as the value of \"a\""),
            ("{\"a\":null}", "expected a string as the value of \"a\""),
            ("{\"a\":{\"b\":\"hush\"}}", "expected a string as the value of \"a\""),
            ("{\"a\":[\"hush\"]}", "expected a string as the value of \"a\""),
            ("{\"a\":\"hush\",\"a\":\"x\"}", "the name \"a\" occurs twice"),
            ("{\"a\":\"hush\",\"\\u0061\":\"x\"}", "the name \"a\" occurs twice"),
            ("{\"a\":\"hush\"} {}", "trailing characters"),
            ("{\"a\":\"\\ud800\"}", "unexpected end of hex escape"),
            ("{\"a\":\"\u{1}\"}", "control character"),
        ] {
            let found = read(line.as_bytes()).unwrap_err().to_string();
            assert!(found.contains(problem), "{line}: {found}");
            assert!(!found.contains("hush") && !found.contains("at line"), "{line}: {found}");
        }
        let LineRefusal::Json { column, .. } = read(b"{\"a\":\"hush\",").unwrap_err() else { panic!() };
        assert_eq!(column, 12);
        assert_eq!(read(b"{\"a\":\"\xff\"}"), Err(LineRefusal::Encoding));
        // Names are shown in no way that a terminal obeys.
        let named = read("{\"\u{202e}a\u{1b}[2J\":1}".replace('\u{1b}', "\\u001b").as_bytes()).unwrap_err().to_string();
        assert!(named.contains("\\u{202e}a\\u{1b}[2J"), "{named}");
        // Nesting without end ends at its beginning, and names are shown in part.
        assert!(read("{\"a\":".repeat(40_000).as_bytes()).is_err());
        let long = read(format!("{{\"{}\":1}}", "n".repeat(200_000)).as_bytes()).unwrap_err().to_string();
        assert!(long.len() < 500 && long.contains(&"n".repeat(SHOWN)), "{long}");
    }

    #[test]
    fn many_names_are_read_in_no_time() {
        let members: Vec<String> = (0..20_000).map(|number| format!("\"{number}\":\"\"")).collect();
        assert_eq!(read(format!("{{{}}}", members.join(",")).as_bytes()).unwrap().len(), 20_000);
    }
}
