//! Rules of thing types: what a type says of itself, when it is deprecated, and when it may go.
//!
//! A type lives in two states. While it is in use, things may be associated with it; once deprecated, it keeps the
//! things it has and takes no more (developer guide, "Thing types").

use std::collections::BTreeSet;

use crate::description::described;
use crate::limits;
use crate::name::ThingName;
use crate::time::Timestamp;

/// What a thing type says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// A text for people; never empty.
    pub description: Option<String>,
    /// Names of attributes that things of this type are to be found by.
    pub searchable_attributes: BTreeSet<String>,
}

/// Properties as a caller gives them. What is `None` was not named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenProperties {
    /// A text for people; an empty one is none.
    pub description: Option<String>,
    /// Names of attributes, in whatever order.
    pub searchable_attributes: Option<Vec<String>>,
    /// How many attributes are to travel with the MQTT 5 messages of things of this type.
    pub propagating_attributes: usize,
}

/// Why properties are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PropertiesRefusal {
    /// Too many searchable attributes.
    #[error("a thing type may have at most {max} searchableAttributes, and {0} were given", max = limits::SEARCHABLE_ATTRIBUTES)]
    TooManySearchable(usize),
    /// The same attribute twice.
    #[error("the searchable attribute '{0}' is given more than once")]
    Repeated(String),
    /// Messages are not enriched here.
    #[error(
        "mqtt5Configuration.propagatingAttributes is not supported: nothing would be added to messages; leave it out"
    )]
    Propagating,
}

/// `current` with what is given in its place; what is not named stays as it is. With the default as `current`, this is
/// CreateThingType.
///
/// # Errors
/// [`PropertiesRefusal`] names the rule that stands against it.
pub fn properties(current: &Properties, given: GivenProperties) -> Result<Properties, PropertiesRefusal> {
    if given.propagating_attributes > 0 {
        return Err(PropertiesRefusal::Propagating);
    }
    let description = described(current.description.clone(), given.description);
    let searchable_attributes = match given.searchable_attributes {
        Some(names) => searchable(names)?,
        None => current.searchable_attributes.clone(),
    };
    Ok(Properties { description, searchable_attributes })
}

fn searchable(names: Vec<String>) -> Result<BTreeSet<String>, PropertiesRefusal> {
    if names.len() > limits::SEARCHABLE_ATTRIBUTES {
        return Err(PropertiesRefusal::TooManySearchable(names.len()));
    }
    let mut searchable = BTreeSet::new();
    for name in names {
        if searchable.contains(&name) {
            return Err(PropertiesRefusal::Repeated(name));
        }
        searchable.insert(name);
    }
    Ok(searchable)
}

/// CreateThingType names a type with other properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a thing type with this name and other properties or tags exists: choose another name, or use that one")]
pub struct NameTaken;

/// CreateThingType of a type that exists: repeating the call that made it changes nothing. `is_tagged` says whether it
/// has the tags that the call asks for.
///
/// # Errors
/// [`NameTaken`] when the existing type is another.
pub fn create_again(existing: &Properties, wanted: &Properties, is_tagged: bool) -> Result<(), NameTaken> {
    if existing == wanted && is_tagged { Ok(()) } else { Err(NameTaken) }
}

/// The type takes no more things, and stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("thing type {0} is deprecated: undo that with DeprecateThingType, or choose another type")]
pub struct Deprecated(pub ThingName);

/// May the type be changed, or a thing be associated with it? A deprecated type keeps the things it has.
///
/// # Errors
/// [`Deprecated`] when it is.
pub fn in_use(name: &ThingName, deprecated_at: Option<Timestamp>) -> Result<(), Deprecated> {
    if deprecated_at.is_some() { Err(Deprecated(name.clone())) } else { Ok(()) }
}

/// DeprecateThingType: since when the type is deprecated after the call; `None` when it is not. Deprecating again keeps
/// the date, undoing forgets it.
#[must_use]
pub const fn deprecate(deprecated_at: Option<Timestamp>, undo: bool, now: Timestamp) -> Option<Timestamp> {
    match deprecated_at {
        _ if undo => None,
        Some(date) => Some(date),
        None => Some(now),
    }
}

/// Why a thing type cannot be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeletionRefusal {
    /// It is in use.
    #[error("it is not deprecated: deprecate it, and delete it five minutes later")]
    NotDeprecated,
    /// It was deprecated just now.
    #[error("it was deprecated less than five minutes ago: delete it after {0}")]
    TooEarly(Timestamp),
    /// Things have it.
    #[error("things are associated with it: delete them, or give them another type or none with UpdateThing")]
    HasThings,
}

/// DeleteThingType: may the type be deleted at `now`? (API reference, DeleteThingType.)
///
/// # Errors
/// [`DeletionRefusal`] names the rule that stands against it.
pub fn may_delete(deprecated_at: Option<Timestamp>, has_things: bool, now: Timestamp) -> Result<(), DeletionRefusal> {
    let deprecated_at = deprecated_at.ok_or(DeletionRefusal::NotDeprecated)?;
    if now.millis_since(deprecated_at) < limits::DEPRECATED_BEFORE_DELETION_MS {
        return Err(DeletionRefusal::TooEarly(deprecated_at.plus_millis(limits::DEPRECATED_BEFORE_DELETION_MS)));
    }
    if has_things { Err(DeletionRefusal::HasThings) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn given(description: Option<&str>, searchable: Option<&[&str]>) -> GivenProperties {
        GivenProperties {
            description: description.map(str::to_owned),
            searchable_attributes: searchable.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
            propagating_attributes: 0,
        }
    }

    fn made(description: Option<&str>, searchable: &[&str]) -> Properties {
        properties(&Properties::default(), given(description, Some(searchable))).unwrap()
    }

    #[test]
    fn properties_take_the_place_of_what_they_name() {
        let current = made(Some("a lamp"), &["b", "a"]);
        assert_eq!(current.searchable_attributes.iter().collect::<Vec<_>>(), ["a", "b"]);
        for (given, expected) in [
            (given(None, None), current.clone()),
            (given(Some("another"), None), made(Some("another"), &["a", "b"])),
            (given(Some(""), None), made(None, &["a", "b"])),
            (given(None, Some(&["c"])), made(Some("a lamp"), &["c"])),
            (given(None, Some(&[])), made(Some("a lamp"), &[])),
        ] {
            assert_eq!(properties(&current, given), Ok(expected));
        }
        assert_eq!(properties(&Properties::default(), GivenProperties::default()), Ok(Properties::default()));
    }

    #[test]
    fn three_attributes_are_searchable_at_most_and_each_once() {
        let refusal = |searchable: &[&str]| properties(&Properties::default(), given(None, Some(searchable))).err();
        assert_eq!(refusal(&["a", "b", "A"]), None);
        assert_eq!(refusal(&["a", "b", "c", "d"]), Some(PropertiesRefusal::TooManySearchable(4)));
        assert_eq!(refusal(&["a", "b", "a"]), Some(PropertiesRefusal::Repeated("a".into())));
    }

    #[test]
    fn nothing_is_promised_about_messages() {
        let given = GivenProperties { propagating_attributes: 1, ..GivenProperties::default() };
        assert_eq!(properties(&Properties::default(), given), Err(PropertiesRefusal::Propagating));
    }

    #[test]
    fn creating_the_same_type_again_changes_nothing() {
        let lamp = made(Some("a lamp"), &["a", "b"]);
        assert_eq!(create_again(&lamp, &made(Some("a lamp"), &["b", "a"]), true), Ok(()));
        assert_eq!(create_again(&lamp, &lamp, false), Err(NameTaken));
        for other in [made(None, &["a", "b"]), made(Some("a lamp"), &["a"]), made(Some("A lamp"), &["a", "b"])] {
            assert_eq!(create_again(&lamp, &other, true), Err(NameTaken), "{other:?}");
        }
    }

    #[test]
    fn a_deprecated_type_takes_nothing_new() {
        let name: ThingName = "lamp".parse().unwrap();
        assert_eq!(in_use(&name, None), Ok(()));
        assert_eq!(in_use(&name, Some(Timestamp::from_millis(0))), Err(Deprecated(name.clone())));
    }

    #[test]
    fn a_type_keeps_the_date_of_its_first_deprecation() {
        let (first, now) = (Timestamp::from_millis(7), Timestamp::from_millis(9));
        for (before, undo, after) in
            [(None, false, Some(now)), (Some(first), false, Some(first)), (Some(first), true, None), (None, true, None)]
        {
            assert_eq!(deprecate(before, undo, now), after, "{before:?} {undo}");
        }
    }

    #[test]
    fn a_type_goes_five_minutes_after_its_deprecation_and_without_things() {
        let at = Timestamp::from_millis;
        let (early, late) = (DeletionRefusal::TooEarly(at(300_000)), DeletionRefusal::HasThings);
        for (deprecated_at, has_things, now, outcome) in [
            (None, false, at(1_000_000), Err(DeletionRefusal::NotDeprecated)),
            (Some(at(0)), false, at(0), Err(early)),
            (Some(at(0)), true, at(299_999), Err(early)),
            (Some(at(0)), true, at(300_000), Err(late)),
            (Some(at(0)), false, at(300_000), Ok(())),
            // A clock that was set back.
            (Some(at(0)), false, at(-1_000_000), Err(early)),
        ] {
            assert_eq!(may_delete(deprecated_at, has_things, now), outcome, "{deprecated_at:?} {has_things} {now}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_keeps_to_the_rules(
            description in proptest::option::of("[a-z]{0,3}"),
            names in proptest::option::of(proptest::collection::vec("[ab]{1,2}", 0..5)),
        ) {
            let given = GivenProperties { description, searchable_attributes: names.clone(), propagating_attributes: 0 };
            let distinct: Option<BTreeSet<&String>> = names.as_ref().map(|names| names.iter().collect());
            let fits = names.as_ref().is_none_or(|names| {
                names.len() <= limits::SEARCHABLE_ATTRIBUTES && distinct.as_ref().is_some_and(|set| set.len() == names.len())
            });
            let made = properties(&Properties::default(), given.clone());
            prop_assert_eq!(made.is_ok(), fits);
            if let Ok(made) = made {
                prop_assert!(made.description.as_deref() != Some(""));
                // Given again, the same changes nothing.
                prop_assert_eq!(properties(&made, given), Ok(made));
            }
        }
    }
}
