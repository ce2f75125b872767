//! JSON read strictly: a name twice in one object is refused, and nesting is bounded.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

/// A JSON value. Numbers and booleans are kept as text, since policies and templates compare text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    Null,
    /// A number or a boolean.
    Scalar(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a document whose objects and lists nest at most `depth` levels deep.
    pub(crate) fn parse(text: &str, depth: usize) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let value = Level { above: 0, depth }.deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(value)
    }
}

/// Reads a value below so many others.
#[derive(Clone, Copy)]
struct Level {
    above: usize,
    depth: usize,
}

impl Level {
    fn below<E: Error>(self) -> Result<Self, E> {
        let Self { above, depth } = self;
        if above < depth {
            Ok(Self { above: above + 1, depth })
        } else {
            Err(E::custom(format_args!("nested deeper than {depth} levels")))
        }
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Json;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Scalar(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Scalar(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Scalar(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Scalar(value.to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let level = self.below()?;
        let mut values = Vec::new();
        while let Some(value) = access.next_element_seed(level)? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let level = self.below()?;
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some(name) = access.next_key::<String>()? {
            if members.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format_args!("the name {name:?} occurs twice in one object")));
            }
            let value = access.next_value_seed(level)?;
            members.push((name, value));
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_twice_in_one_object_is_refused_however_it_is_written() {
        assert!(Json::parse(r#"{"a":1,"b":{"a":2}}"#, 6).is_ok());
        assert!(Json::parse(r#"{"a":1,"a":1}"#, 6).is_err());
        assert!(Json::parse(r#"{"a":1,"\u0061":2}"#, 6).is_err());
    }

    #[test]
    fn nesting_is_bounded() {
        assert!(Json::parse(&format!("{}{}", "[".repeat(6), "]".repeat(6)), 6).is_ok());
        assert!(Json::parse(&format!("{}{}", "[".repeat(7), "]".repeat(7)), 6).is_err());
        assert!(Json::parse(&"[".repeat(300_000), 6).is_err());
    }

    #[test]
    fn nothing_may_follow_the_value() {
        assert!(Json::parse(" {} \n", 6).is_ok());
        assert!(Json::parse("{}x", 6).is_err());
        assert!(Json::parse("", 6).is_err());
    }
}
