//! Rules of things: attributes, updates, and which thing a connection stands for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::name::ThingName;
use crate::version::{VersionConflict, check_version};

/// Why the attributes of a thing are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributeRefusal {
    /// Too many attributes.
    #[error("a thing {} may have at most {limit} attributes, and {count} were given", if *typed { "with a thing type" } else { "without a thing type" })]
    TooMany {
        /// How many were given.
        count: usize,
        /// How many are allowed.
        limit: usize,
        /// Whether the thing has a type.
        typed: bool,
    },
}

/// How an update treats the attributes that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeUpdate {
    /// The given attributes take the place of all others.
    Replace,
    /// The given attributes are added; an empty value removes its key.
    Merge,
}

impl AttributeUpdate {
    /// The attributes after an update. An empty value removes its key when merging and is dropped when replacing (API
    /// reference, AttributePayload).
    pub(crate) fn apply(
        self,
        current: &BTreeMap<String, String>,
        given: BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let mut attributes = match self {
            Self::Replace => BTreeMap::new(),
            Self::Merge => current.clone(),
        };
        for (key, value) in given {
            if value.is_empty() {
                attributes.remove(&key);
            } else {
                attributes.insert(key, value);
            }
        }
        attributes
    }
}

/// The attributes of a thing after an update.
///
/// # Errors
/// [`AttributeRefusal`] when the result breaks a quota.
pub fn update_attributes(
    current: &BTreeMap<String, String>,
    given: BTreeMap<String, String>,
    update: AttributeUpdate,
    typed: bool,
) -> Result<BTreeMap<String, String>, AttributeRefusal> {
    let attributes = update.apply(current, given);
    let limit = if typed { limits::THING_ATTRIBUTES_TYPED } else { limits::THING_ATTRIBUTES };
    if attributes.len() > limit {
        return Err(AttributeRefusal::TooMany { count: attributes.len(), limit, typed });
    }
    Ok(attributes)
}

/// What a thing is configured with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// Its thing type.
    pub thing_type_name: Option<ThingName>,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// Its billing group.
    pub billing_group_name: Option<ThingName>,
}

/// CreateThing names a thing that is configured otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a thing with this name and another configuration exists: use UpdateThing to change it")]
pub struct NameTaken;

/// CreateThing of a thing that exists: repeating the call that made it changes nothing (API reference, CreateThing).
///
/// # Errors
/// [`NameTaken`] when the existing thing is configured otherwise.
pub fn create_again(existing: &Configuration, wanted: &Configuration) -> Result<(), NameTaken> {
    if existing == wanted { Ok(()) } else { Err(NameTaken) }
}

/// What UpdateThing asks for.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// The type the thing is to have.
    pub thing_type_name: Option<ThingName>,
    /// Whether the thing is to lose its type.
    pub remove_thing_type: bool,
    /// Attributes and how to treat the present ones; `None` leaves them as they are.
    pub attributes: Option<(BTreeMap<String, String>, AttributeUpdate)>,
    /// The version the thing must have.
    pub expected_version: Option<i64>,
}

/// Why UpdateThing is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateRefusal {
    /// The type cannot be set and removed at once.
    #[error("removeThingType and thingTypeName exclude each other: give one of them")]
    TypeSetAndRemoved,
    /// Another version was expected.
    #[error(transparent)]
    Version(#[from] VersionConflict),
    /// The attributes break a quota.
    #[error(transparent)]
    Attributes(#[from] AttributeRefusal),
}

/// UpdateThing: the configuration of a thing in `version` after `update`.
///
/// # Errors
/// [`UpdateRefusal`] names the rule that stands against it.
pub fn update(current: &Configuration, version: i64, update: Update) -> Result<Configuration, UpdateRefusal> {
    if update.remove_thing_type && update.thing_type_name.is_some() {
        return Err(UpdateRefusal::TypeSetAndRemoved);
    }
    check_version(version, update.expected_version)?;
    let thing_type_name = match update.thing_type_name {
        Some(name) => Some(name),
        None if update.remove_thing_type => None,
        None => current.thing_type_name.clone(),
    };
    // Without its type the thing may have fewer attributes, so they are counted even when they stay as they are.
    let (given, how) = update.attributes.unwrap_or((BTreeMap::new(), AttributeUpdate::Merge));
    let attributes = update_attributes(&current.attributes, given, how, thing_type_name.is_some())?;
    Ok(Configuration { thing_type_name, attributes, billing_group_name: current.billing_group_name.clone() })
}

/// The type that a change associates a thing with. A thing that keeps its type is not associated anew, so the type may
/// have been deprecated since.
#[must_use]
pub fn newly_associated<'a>(before: Option<&ThingName>, after: Option<&'a ThingName>) -> Option<&'a ThingName> {
    after.filter(|after| before != Some(*after))
}

/// Why a thing cannot be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeletionRefusal {
    /// Another version was expected.
    #[error(transparent)]
    Version(#[from] VersionConflict),
    /// Principals are attached.
    #[error("principals are attached to the thing: detach them first")]
    PrincipalsAttached,
}

/// DeleteThing: may a thing in `version` with so many principals be deleted?
///
/// # Errors
/// [`DeletionRefusal`] names the rule that stands against it.
pub fn may_delete(version: i64, expected_version: Option<i64>, principals: u32) -> Result<(), DeletionRefusal> {
    check_version(version, expected_version)?;
    if principals > 0 { Err(DeletionRefusal::PrincipalsAttached) } else { Ok(()) }
}

/// ListThings was given half of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("attributeName and attributeValue search together: give both or neither")]
pub struct HalfAttribute;

/// ListThings: the attribute to search by.
///
/// # Errors
/// [`HalfAttribute`] when the name or the value is missing.
pub fn searched_attribute(
    name: Option<String>,
    value: Option<String>,
) -> Result<Option<(String, String)>, HalfAttribute> {
    match (name, value) {
        (Some(name), Some(value)) => Ok(Some((name, value))),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => Err(HalfAttribute),
    }
}

/// How a certificate is attached to a thing (service model, `ThingPrincipalType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ThingPrincipalType {
    /// The certificate belongs to this thing alone.
    ExclusiveThing,
    /// The certificate may be attached to other things too.
    #[default]
    NonExclusiveThing,
}

impl ThingPrincipalType {
    /// The type of an attachment that is exclusive, or not.
    #[must_use]
    pub const fn of(exclusive: bool) -> Self {
        if exclusive { Self::ExclusiveThing } else { Self::NonExclusiveThing }
    }

    /// Whether the certificate belongs to one thing alone.
    #[must_use]
    pub const fn is_exclusive(self) -> bool {
        matches!(self, Self::ExclusiveThing)
    }
}

/// An attachment of the connecting certificate to a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The thing.
    pub thing_name: ThingName,
    /// Whether the certificate belongs to this thing alone (`EXCLUSIVE_THING`).
    pub exclusive: bool,
}

/// Which thing a connection stands for: the exclusive one whatever the client id, else the attached thing whose name
/// is the client id (developer guide, "Thing policy variables").
#[must_use]
pub fn associated<'a>(attachments: &'a [Attachment], client_id: &str) -> Option<&'a Attachment> {
    attachments
        .iter()
        .find(|attachment| attachment.exclusive)
        .or_else(|| attachments.iter().find(|attachment| attachment.thing_name.as_str() == client_id))
}

/// Why a principal cannot be attached to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttachmentRefusal {
    /// The certificate is exclusive to another thing.
    #[error("the principal is attached to another thing as EXCLUSIVE_THING: detach it there first")]
    ExclusiveElsewhere,
    /// The certificate is attached to other things, so it cannot become exclusive.
    #[error("the principal is attached to other things, so it cannot be attached as EXCLUSIVE_THING: detach it first")]
    AttachedElsewhere,
    /// The certificate is attached to this thing in the other way.
    #[error("the principal is attached to this thing with another thingPrincipalType: detach it first")]
    OtherType,
}

/// What attaching would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachmentOutcome {
    /// It is attached in this way already.
    Unchanged,
    /// It is to be attached.
    Attach,
}

/// AttachThingPrincipal: may a certificate with `attachments` be attached to `thing_name`? An exclusive certificate
/// belongs to one thing only.
///
/// # Errors
/// [`AttachmentRefusal`] names the rule that stands against it.
pub fn attach_principal(
    attachments: &[Attachment],
    thing_name: &ThingName,
    exclusive: bool,
) -> Result<AttachmentOutcome, AttachmentRefusal> {
    if let Some(existing) = attachments.iter().find(|attachment| attachment.thing_name == *thing_name) {
        return if existing.exclusive == exclusive {
            Ok(AttachmentOutcome::Unchanged)
        } else {
            Err(AttachmentRefusal::OtherType)
        };
    }
    if attachments.iter().any(|attachment| attachment.exclusive) {
        return Err(AttachmentRefusal::ExclusiveElsewhere);
    }
    if exclusive && !attachments.is_empty() {
        return Err(AttachmentRefusal::AttachedElsewhere);
    }
    Ok(AttachmentOutcome::Attach)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn attachment(name: &str, exclusive: bool) -> Attachment {
        Attachment { thing_name: name.parse().unwrap(), exclusive }
    }

    #[test]
    fn attributes_merge_replace_and_go() {
        let current = attributes(&[("a", "1"), ("b", "2")]);
        let update = |given, how| update_attributes(&current, attributes(given), how, false);
        assert_eq!(update(&[("b", ""), ("c", "3")], AttributeUpdate::Merge), Ok(attributes(&[("a", "1"), ("c", "3")])));
        assert_eq!(update(&[("c", "3")], AttributeUpdate::Replace), Ok(attributes(&[("c", "3")])));
        assert!(update(&[("c", "3"), ("d", "4")], AttributeUpdate::Merge).is_err());
    }

    fn configuration(type_name: Option<&str>, pairs: &[(&str, &str)]) -> Configuration {
        Configuration {
            thing_type_name: type_name.map(|name| name.parse().unwrap()),
            attributes: attributes(pairs),
            billing_group_name: None,
        }
    }

    #[test]
    fn creating_the_same_thing_again_changes_nothing() {
        let thing = configuration(None, &[("a", "1")]);
        assert_eq!(create_again(&thing, &thing.clone()), Ok(()));
        assert_eq!(create_again(&thing, &configuration(None, &[("a", "2")])), Err(NameTaken));
        assert_eq!(create_again(&thing, &configuration(Some("t"), &[("a", "1")])), Err(NameTaken));
        let billed = Configuration { billing_group_name: "b".parse().ok(), ..thing.clone() };
        assert_eq!(create_again(&thing, &billed), Err(NameTaken));
        assert_eq!(create_again(&billed, &thing), Err(NameTaken));
    }

    #[test]
    fn an_update_changes_what_it_names_and_nothing_else() {
        let thing = configuration(Some("t"), &[("a", "1")]);
        assert_eq!(update(&thing, 1, Update::default()), Ok(thing.clone()));
        let typed = Update { thing_type_name: Some("u".parse().unwrap()), ..Update::default() };
        assert_eq!(update(&thing, 1, typed.clone()), Ok(configuration(Some("u"), &[("a", "1")])));
        let untyped = Update { remove_thing_type: true, ..Update::default() };
        assert_eq!(update(&thing, 1, untyped), Ok(configuration(None, &[("a", "1")])));
        let both = Update { remove_thing_type: true, ..typed };
        assert_eq!(update(&thing, 1, both), Err(UpdateRefusal::TypeSetAndRemoved));
        let emptied = Update { attributes: Some((BTreeMap::new(), AttributeUpdate::Replace)), ..Update::default() };
        assert_eq!(update(&thing, 1, emptied), Ok(configuration(Some("t"), &[])));
        let billed = Configuration { billing_group_name: "b".parse().ok(), ..thing };
        assert_eq!(update(&billed, 1, Update::default()), Ok(billed));
    }

    #[test]
    fn a_thing_keeps_its_type_while_it_has_the_attributes_of_a_typed_thing() {
        let thing = configuration(Some("t"), &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]);
        let untyped = Update { remove_thing_type: true, ..Update::default() };
        assert!(matches!(update(&thing, 1, untyped.clone()), Err(UpdateRefusal::Attributes(_))));
        let smaller = Update { attributes: Some((attributes(&[("d", "")]), AttributeUpdate::Merge)), ..untyped };
        assert_eq!(update(&thing, 1, smaller), Ok(configuration(None, &[("a", "1"), ("b", "2"), ("c", "3")])));
    }

    #[test]
    fn only_another_type_is_a_new_association() {
        let (lamp, bulb): (ThingName, ThingName) = ("lamp".parse().unwrap(), "bulb".parse().unwrap());
        for (before, after, associated) in [
            (None, None, None),
            (None, Some(&lamp), Some(&lamp)),
            (Some(&lamp), Some(&lamp), None),
            (Some(&lamp), Some(&bulb), Some(&bulb)),
            (Some(&lamp), None, None),
        ] {
            assert_eq!(newly_associated(before, after), associated, "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_change_meets_the_version_it_expects() {
        let thing = configuration(None, &[]);
        let expecting = |version| Update { expected_version: Some(version), ..Update::default() };
        let conflict = VersionConflict { actual: 2, expected: 1 };
        assert_eq!(update(&thing, 2, expecting(1)), Err(conflict.into()));
        assert!(update(&thing, 2, expecting(2)).is_ok());
        assert_eq!(may_delete(2, Some(1), 0), Err(conflict.into()));
        assert_eq!(may_delete(2, Some(2), 0), Ok(()));
        assert_eq!(may_delete(2, None, 0), Ok(()));
        assert_eq!(may_delete(2, None, 1), Err(DeletionRefusal::PrincipalsAttached));
    }

    #[test]
    fn an_attribute_is_searched_by_name_and_value() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(searched_attribute(None, None), Ok(None));
        assert_eq!(searched_attribute(some("a"), some("")), Ok(Some(("a".to_owned(), String::new()))));
        assert_eq!(searched_attribute(some("a"), None), Err(HalfAttribute));
        assert_eq!(searched_attribute(None, some("1")), Err(HalfAttribute));
    }

    #[test]
    fn the_exclusive_thing_wins_over_the_client_id() {
        let both = [attachment("a", false), attachment("b", true)];
        assert_eq!(associated(&both, "a").map(|a| a.thing_name.as_str()), Some("b"));
        assert_eq!(associated(&both[..1], "a").map(|a| a.thing_name.as_str()), Some("a"));
        assert_eq!(associated(&both[..1], "x"), None);
    }

    #[test]
    fn an_exclusive_certificate_belongs_to_one_thing() {
        let name = |text: &str| text.parse::<ThingName>().unwrap();
        let shared = [attachment("a", false)];
        let exclusive = [attachment("a", true)];
        assert_eq!(attach_principal(&[], &name("a"), true), Ok(AttachmentOutcome::Attach));
        assert_eq!(attach_principal(&shared, &name("b"), false), Ok(AttachmentOutcome::Attach));
        assert_eq!(attach_principal(&shared, &name("a"), false), Ok(AttachmentOutcome::Unchanged));
        assert_eq!(attach_principal(&shared, &name("b"), true), Err(AttachmentRefusal::AttachedElsewhere));
        assert_eq!(attach_principal(&shared, &name("a"), true), Err(AttachmentRefusal::OtherType));
        assert_eq!(attach_principal(&exclusive, &name("b"), false), Err(AttachmentRefusal::ExclusiveElsewhere));
        assert_eq!(attach_principal(&exclusive, &name("a"), true), Ok(AttachmentOutcome::Unchanged));
    }
}
