//! What becomes of a resource that exists already (developer guide, "Template example for bulk
//! registration").

use super::members::{below, object, text};
use super::refusal::{InvalidTemplate, refuse};
use crate::json::Json;

/// What becomes of a part that exists already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Override {
    /// It stays as it is.
    #[default]
    DoNothing,
    /// The template's takes its place.
    Replace,
    /// Provisioning fails.
    Fail,
}

/// What becomes of a collection that exists already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MergingOverride {
    /// It stays as it is.
    #[default]
    DoNothing,
    /// The template's takes its place.
    Replace,
    /// Provisioning fails.
    Fail,
    /// The template's is added.
    Merge,
}

impl Override {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "DO_NOTHING" => Self::DoNothing,
            "REPLACE" => Self::Replace,
            "FAIL" => Self::Fail,
            _ => return None,
        })
    }
}

impl MergingOverride {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "DO_NOTHING" => Self::DoNothing,
            "REPLACE" => Self::Replace,
            "FAIL" => Self::Fail,
            "MERGE" => Self::Merge,
            _ => return None,
        })
    }
}

/// The two spellings of a key: those of the examples, and those of the text around them.
pub(super) type Spellings = [&'static str; 2];

/// The `OverrideSettings` of a resource, as far as they are written.
pub(super) struct Settings<'j, const N: usize> {
    place: String,
    found: [Option<(&'static str, &'j Json)>; N],
}

impl<'j, const N: usize> Settings<'j, N> {
    /// Reads the keys at `place`, each in either spelling.
    pub(super) fn parse(json: Option<&'j Json>, place: String, keys: [Spellings; N]) -> Result<Self, InvalidTemplate> {
        let mut found = [None; N];
        let Some(json) = json else { return Ok(Self { place, found }) };
        for (name, value) in object(json, &place)? {
            let key = keys.iter().zip(&mut found).find_map(|(spellings, slot)| {
                let spelling = spellings.iter().find(|spelling| *spelling == name)?;
                Some((*spelling, slot))
            });
            let Some((spelling, slot)) = key else {
                let known: Vec<&str> = keys.iter().map(|[spelling, _]| *spelling).collect();
                return Err(refuse(&below(&place, name), format!("is not known here: {} are", known.join(", "))));
            };
            if slot.replace((spelling, value)).is_some() {
                return Err(refuse(&below(&place, name), "is given in two spellings"));
            }
        }
        Ok(Self { place, found })
    }

    /// The word at `index` of the keys.
    pub(super) fn plain(&self, index: usize) -> Result<Override, InvalidTemplate> {
        self.read(index, Override::of, "must be DO_NOTHING, REPLACE or FAIL")
    }

    /// The word at `index` of the keys, of a collection.
    pub(super) fn merging(&self, index: usize) -> Result<MergingOverride, InvalidTemplate> {
        self.read(index, MergingOverride::of, "must be DO_NOTHING, REPLACE, FAIL or MERGE")
    }

    fn read<T: Default>(&self, index: usize, of: fn(&str) -> Option<T>, needed: &str) -> Result<T, InvalidTemplate> {
        let Some((name, json)) = self.found.get(index).copied().flatten() else { return Ok(T::default()) };
        let place = below(&self.place, name);
        of(text(json, &place)?).ok_or_else(|| refuse(&place, needed))
    }
}

/// Refuses settings where there are none.
pub(super) fn none(json: Option<&Json>, place: &str) -> Result<(), InvalidTemplate> {
    match json {
        None => Ok(()),
        Some(json) => match object(json, place)?.first() {
            Some((name, _)) => Err(refuse(&below(place, name), "is not known here: there is nothing to set")),
            None => Ok(()),
        },
    }
}
