//! The members of JSON objects: those that are known, and nothing else.

use super::refusal::{InvalidTemplate, refuse, shown_name};
use crate::json::Json;

/// The members of the object that stands at `place`.
pub(super) fn object<'j>(json: &'j Json, place: &str) -> Result<&'j [(String, Json)], InvalidTemplate> {
    match json {
        Json::Object(members) => Ok(members),
        _ => Err(refuse(place, "must be an object")),
    }
}

/// The text that stands at `place`.
pub(super) fn text<'j>(json: &'j Json, place: &str) -> Result<&'j str, InvalidTemplate> {
    match json {
        Json::Text(text) => Ok(text),
        _ => Err(refuse(place, "must be a string")),
    }
}

/// The values of an object's members, in the order of `names`. Any other member is refused.
pub(super) fn members<'j, const N: usize>(
    json: &'j Json,
    place: &str,
    names: [&str; N],
) -> Result<[Option<&'j Json>; N], InvalidTemplate> {
    let mut found = [None; N];
    for (name, value) in object(json, place)? {
        let slot = names.iter().position(|known| known == name).and_then(|index| found.get_mut(index));
        let Some(slot) = slot else {
            return Err(refuse(&below(place, name), format!("is not known here: {} are", names.join(", "))));
        };
        *slot = Some(value);
    }
    Ok(found)
}

/// The place of a member.
pub(super) fn below(place: &str, name: &str) -> String {
    format!("{place}.{}", shown_name(name))
}
