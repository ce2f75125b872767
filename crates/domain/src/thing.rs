//! Rules of things: attributes, updates, and which thing a connection stands for.

use std::collections::BTreeMap;

use crate::limits;
use crate::name::ThingName;

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

/// How UpdateThing treats the attributes that the thing has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeUpdate {
    /// The given attributes take the place of all others.
    Replace,
    /// The given attributes are added; an empty value removes its key.
    Merge,
}

/// The attributes of a thing after an update. An empty value removes its key when merging and is dropped when
/// replacing (API reference, AttributePayload).
///
/// # Errors
/// [`AttributeRefusal`] when the result breaks a quota.
pub fn update_attributes(
    current: &BTreeMap<String, String>,
    given: BTreeMap<String, String>,
    update: AttributeUpdate,
    typed: bool,
) -> Result<BTreeMap<String, String>, AttributeRefusal> {
    let mut attributes = match update {
        AttributeUpdate::Replace => BTreeMap::new(),
        AttributeUpdate::Merge => current.clone(),
    };
    for (key, value) in given {
        if value.is_empty() {
            attributes.remove(&key);
        } else {
            attributes.insert(key, value);
        }
    }
    let limit = if typed { limits::THING_ATTRIBUTES_TYPED } else { limits::THING_ATTRIBUTES };
    if attributes.len() > limit {
        return Err(AttributeRefusal::TooMany { count: attributes.len(), limit, typed });
    }
    Ok(attributes)
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
