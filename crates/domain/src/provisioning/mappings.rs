//! Mappings: constants of the template's author, looked up by two keys.

use std::collections::BTreeMap;

use super::members::{below, object, text};
use super::refusal::InvalidTemplate;
use crate::json::Json;

/// The `Mappings` of a template.
#[derive(Clone, Debug, Default)]
pub(super) struct Mappings(BTreeMap<String, Map>);

/// One of them: values by two keys.
type Map = BTreeMap<String, BTreeMap<String, String>>;

impl Mappings {
    /// Reads the section. Values are strings; functions and parameters do not exist here.
    pub(super) fn parse(json: &Json, place: &str) -> Result<Self, InvalidTemplate> {
        let mut maps = BTreeMap::new();
        for (name, first) in object(json, place)? {
            let place = below(place, name);
            let mut map = Map::new();
            for (key, second) in object(first, &place)? {
                let place = below(&place, key);
                let mut values = BTreeMap::new();
                for (key, value) in object(second, &place)? {
                    values.insert(key.clone(), text(value, &below(&place, key))?.to_owned());
                }
                map.insert(key.clone(), values);
            }
            maps.insert(name.clone(), map);
        }
        Ok(Self(maps))
    }

    /// Whether there is a map of this name.
    pub(super) fn has(&self, map: &str) -> bool {
        self.0.contains_key(map)
    }

    /// The value under two keys of a map.
    pub(super) fn find(&self, map: &str, first: &str, second: &str) -> Option<&str> {
        self.0.get(map)?.get(first)?.get(second).map(String::as_str)
    }
}
