//! The payloads of fleet provisioning: the same few members in JSON or CBOR. A request is a map of texts, in which one
//! member may be a map of texts itself; nothing else is taken, however it is wrapped.

use std::collections::BTreeMap;
use std::fmt;

use gatehouse_domain::fleet_provisioning::PayloadFormat;
use minicbor::data::Type;
use minicbor::decode::Decoder;
use minicbor::encode::Encoder;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// Why a payload cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload cannot be read: {0}")]
pub(super) struct InvalidPayload(String);

/// Characters of a reader's words that are told: they may repeat what the payload says.
const TOLD: usize = 200;

impl InvalidPayload {
    fn of(error: &dyn fmt::Display) -> Self {
        let words = error.to_string();
        let mut told: String = words.chars().take(TOLD).collect();
        if words.chars().nth(TOLD).is_some() {
            told.push('\u{2026}');
        }
        Self(told)
    }
}

/// The members of a request, each given once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Members(BTreeMap<String, Member>);

/// Entries of a map; no template has room for more parameters. What waits for its turn is kept in memory.
const ENTRIES: usize = 500;

/// The value of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Member {
    Text(String),
    Map(BTreeMap<String, String>),
}

impl Members {
    /// Reads a payload. None at all is a request without members.
    pub(super) fn read(payload: &[u8], format: PayloadFormat) -> Result<Self, InvalidPayload> {
        if payload.is_empty() {
            return Ok(Self::default());
        }
        match format {
            PayloadFormat::Json => from_json(payload).map_err(|error| InvalidPayload::of(&error)),
            PayloadFormat::Cbor => from_cbor(payload).map_err(|error| InvalidPayload::of(&error)),
        }
    }

    /// Takes the text `name`.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, InvalidPayload> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Member::Text(text)) => Ok(Some(text)),
            Some(Member::Map(_)) => Err(InvalidPayload(format!("{name} must be a text"))),
        }
    }

    /// Takes the text `name`, which may be left out and must not be another than `expected`.
    pub(super) fn repeats(&mut self, name: &'static str, expected: &str) -> Result<(), InvalidPayload> {
        match self.text(name)? {
            Some(text) if text != expected => Err(InvalidPayload(format!("{name} is another than the topic's"))),
            _ => Ok(()),
        }
    }

    /// Takes the map `name`; none is an empty one.
    pub(super) fn map(&mut self, name: &'static str) -> Result<BTreeMap<String, String>, InvalidPayload> {
        match self.0.remove(name) {
            None => Ok(BTreeMap::new()),
            Some(Member::Map(map)) => Ok(map),
            Some(Member::Text(_)) => Err(InvalidPayload(format!("{name} must be a map of texts"))),
        }
    }

    /// Makes sure that nothing is left.
    pub(super) fn finish(self) -> Result<(), InvalidPayload> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => {
                let shown: String = name.chars().take(32).flat_map(char::escape_debug).collect();
                Err(InvalidPayload(format!("the operation has no member \"{shown}\"")))
            }
        }
    }
}

fn from_json(payload: &[u8]) -> Result<Members, serde_json::Error> {
    let Unique(members) = serde_json::from_slice::<Unique<JsonMember>>(payload)?;
    Ok(Members(members.into_iter().map(|(name, JsonMember(member))| (name, member)).collect()))
}

/// A map in which no key stands twice.
struct Unique<V>(BTreeMap<String, V>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Unique<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<V>(std::marker::PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Reader<V> {
            type Value = Unique<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                read_map(&mut access).map(Unique)
            }
        }
        deserializer.deserialize_map(Reader(std::marker::PhantomData))
    }
}

fn read_map<'de, A: MapAccess<'de>, V: Deserialize<'de>>(access: &mut A) -> Result<BTreeMap<String, V>, A::Error> {
    let mut map = BTreeMap::new();
    while let Some((key, value)) = access.next_entry::<String, V>()? {
        if map.insert(key, value).is_some() {
            return Err(de::Error::custom("a key stands twice"));
        }
        if map.len() > ENTRIES {
            return Err(de::Error::custom("a map holds more than 500 entries"));
        }
    }
    Ok(map)
}

struct JsonMember(Member);

impl<'de> Deserialize<'de> for JsonMember {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = JsonMember;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a map of texts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(JsonMember(Member::Text(text.to_owned())))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                read_map(&mut access).map(|map| JsonMember(Member::Map(map)))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

fn from_cbor(payload: &[u8]) -> Result<Members, CborError> {
    let mut decoder = Decoder::new(payload);
    let members = cbor_map(&mut decoder, |decoder| match decoder.datatype()? {
        Type::Map | Type::MapIndef => cbor_map(decoder, cbor_text).map(Member::Map),
        _ => cbor_text(decoder).map(Member::Text),
    })?;
    if decoder.position() != payload.len() {
        return Err(CborError::Plain("something follows the map"));
    }
    Ok(Members(members))
}

/// Why a payload is no CBOR of ours.
#[derive(Debug, thiserror::Error)]
enum CborError {
    #[error(transparent)]
    Malformed(#[from] minicbor::decode::Error),
    #[error("{0}")]
    Plain(&'static str),
}

/// A map, of a length that is told first or ended by a break. What it claims to hold is not believed: memory grows with
/// what is there.
fn cbor_map<V>(
    decoder: &mut Decoder<'_>,
    read: impl Fn(&mut Decoder<'_>) -> Result<V, CborError>,
) -> Result<BTreeMap<String, V>, CborError> {
    let length = decoder.map()?;
    let mut map = BTreeMap::new();
    let mut count = 0_u64;
    loop {
        match length {
            Some(length) if count == length => return Ok(map),
            None if decoder.datatype()? == Type::Break => {
                decoder.skip()?;
                return Ok(map);
            }
            _ => {}
        }
        let key = cbor_text(decoder)?;
        if map.insert(key, read(decoder)?).is_some() {
            return Err(CborError::Plain("a key stands twice"));
        }
        if map.len() > ENTRIES {
            return Err(CborError::Plain("a map holds more than 500 entries"));
        }
        count += 1;
    }
}

/// A text, in one piece or in several.
fn cbor_text(decoder: &mut Decoder<'_>) -> Result<String, CborError> {
    match decoder.datatype()? {
        Type::String => Ok(decoder.str()?.to_owned()),
        Type::StringIndef => decoder.str_iter()?.collect::<Result<String, _>>().map_err(CborError::from),
        _ => Err(CborError::Plain("keys and values must be texts, but for one map of texts")),
    }
}

/// Writes an answer: texts, whole numbers and maps of these.
pub(super) fn write(answer: &Value, format: PayloadFormat) -> Vec<u8> {
    match format {
        PayloadFormat::Json => answer.to_string().into_bytes(),
        PayloadFormat::Cbor => {
            let mut encoder = Encoder::new(Vec::new());
            // Writing into memory does not fail.
            let _infallible = write_cbor(answer, &mut encoder);
            encoder.into_writer()
        }
    }
}

fn write_cbor(
    value: &Value,
    encoder: &mut Encoder<Vec<u8>>,
) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
    match value {
        Value::Object(members) => {
            encoder.map(u64::try_from(members.len()).unwrap_or(u64::MAX))?;
            for (name, member) in members {
                encoder.str(name)?;
                write_cbor(member, encoder)?;
            }
        }
        Value::String(text) => {
            encoder.str(text)?;
        }
        Value::Number(number) => {
            encoder.i64(number.as_i64().unwrap_or_default())?;
        }
        Value::Null | Value::Bool(_) | Value::Array(_) => {
            encoder.null()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn cbor(value: &Value) -> Vec<u8> {
        write(value, PayloadFormat::Cbor)
    }

    fn read(
        payload: &[u8],
        format: PayloadFormat,
    ) -> Result<(Option<String>, BTreeMap<String, String>), InvalidPayload> {
        let mut members = Members::read(payload, format)?;
        let read = (members.text("token")?, members.map("parameters")?);
        members.finish()?;
        Ok(read)
    }

    #[test]
    fn both_formats_say_the_same() {
        let request = json!({ "token": "é\"\n", "parameters": { "a": "1", "b": "" } });
        let expected =
            (Some("é\"\n".to_owned()), BTreeMap::from([("a".into(), "1".into()), ("b".into(), String::new())]));
        assert_eq!(read(request.to_string().as_bytes(), PayloadFormat::Json).unwrap(), expected);
        assert_eq!(read(&cbor(&request), PayloadFormat::Cbor).unwrap(), expected);
        for format in [PayloadFormat::Json, PayloadFormat::Cbor] {
            assert_eq!(read(b"", format).unwrap(), (None, BTreeMap::new()));
            assert_eq!(read(&write(&json!({}), format), format).unwrap(), (None, BTreeMap::new()));
        }
    }

    #[test]
    fn cbor_may_tell_lengths_late() {
        // {_ (_ "to", "ken"): "x", "parameters": {_ "a": (_ "1", "2")}}
        let payload = [
            &[0xbf, 0x7f, 0x62][..],
            b"to",
            &[0x63],
            b"ken",
            &[0xff, 0x61],
            b"x",
            &[0x6a],
            b"parameters",
            &[0xbf, 0x61],
            b"a",
            &[0x7f, 0x61],
            b"1",
            &[0x61],
            b"2",
            &[0xff, 0xff, 0xff],
        ]
        .concat();
        let expected = (Some("x".to_owned()), BTreeMap::from([("a".to_owned(), "12".to_owned())]));
        assert_eq!(read(&payload, PayloadFormat::Cbor).unwrap(), expected);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for (payload, why) in [
            (r#"{"token":"a","token":"b"}"#, "a key stands twice"),
            (r#"{"parameters":{"a":"1","a":"2"}}"#, "a key stands twice"),
            (r#"{"token":7}"#, "a text or a map of texts"),
            (r#"{"token":null}"#, "a text or a map of texts"),
            (r#"{"token":{"a":"b"}}"#, "token must be a text"),
            (r#"{"parameters":"x"}"#, "parameters must be a map of texts"),
            (r#"{"parameters":{"a":{"b":"c"}}}"#, "string"),
            (r#"{"parameters":{"a":1}}"#, "string"),
            (r#"{"other":"x"}"#, "no member \"other\""),
            (r#"["token"]"#, "a map"),
            ("{} {}", "trailing"),
            ("{", "EOF"),
            ("\u{feff}{}", "expected value"),
        ] {
            let refusal = read(payload.as_bytes(), PayloadFormat::Json).unwrap_err().to_string();
            assert!(refusal.contains(why), "{payload}: {refusal}");
        }
        assert!(read(&[0xff, 0xfe], PayloadFormat::Json).is_err());
        let told =
            read(format!("\"{}\"", "\\n".repeat(60_000)).as_bytes(), PayloadFormat::Json).unwrap_err().to_string();
        assert!(told.chars().count() < 300, "{told}");
        let deep = "{\"a\":".repeat(60_000);
        assert!(read(deep.as_bytes(), PayloadFormat::Json).is_err());
    }

    #[test]
    fn what_is_no_request_in_cbor_is_refused() {
        let two = |inner: &[u8]| [&[0xa2, 0x61, b'a'][..], inner, &[0x61, b'a'], inner].concat();
        for (payload, what) in [
            (two(&[0x61, b'x']), "a key twice"),
            (vec![0xa1, 0x61, b'a', 0x01], "a number as value"),
            (vec![0xa1, 0x01, 0x61, b'a'], "a number as key"),
            (vec![0xa1, 0x61, b'a', 0xf6], "null"),
            (vec![0xa1, 0x61, b'a', 0x41, b'x'], "bytes"),
            (vec![0xa1, 0x61, b'a', 0x61, 0xff], "no UTF-8"),
            (vec![0xa0, 0xa0], "two maps"),
            (vec![0x80], "an array"),
            (vec![0xd9, 0xd9, 0xf7, 0xa0], "a tag"),
            (vec![0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "a map of all there is"),
            (vec![0xa1, 0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "a text of all there is"),
            (vec![0xbf, 0x61, b'a'], "a map without end"),
            (vec![0xff], "a break"),
            ([0xa1, 0x61, b'a'].repeat(40_000), "maps in maps"),
            ([0xbf, 0x61, b'a'].repeat(40_000), "endless maps in maps"),
            ([0x7f].repeat(100_000), "endless texts in texts"),
            ([0xd8, 0x20].repeat(50_000), "tags on tags"),
        ] {
            assert!(Members::read(&payload, PayloadFormat::Cbor).is_err(), "{what}");
        }
    }

    proptest! {
        #[test]
        fn no_payload_panics(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _read = Members::read(&payload, PayloadFormat::Cbor);
            let _read = Members::read(&payload, PayloadFormat::Json);
        }

        #[test]
        fn texts_come_through_both_formats(
            token in ".*",
            parameters in proptest::collection::btree_map(".*", ".*", 0..5),
        ) {
            let request = json!({ "token": token, "parameters": parameters });
            for format in [PayloadFormat::Json, PayloadFormat::Cbor] {
                let expected = (Some(token.clone()), parameters.clone());
                prop_assert_eq!(read(&write(&request, format), format).unwrap(), expected);
            }
        }
    }
}
