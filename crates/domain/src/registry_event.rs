//! Registry events: what is published when things, their types and their groups change ("Registry events", AWS IoT Core
//! developer guide). Here is what a message says and where it goes; whether one is published is for the switches of the
//! scope to say ([`crate::event_configuration`]).
//!
//! Points in time are milliseconds since 1970 as numbers. What there is none of is `null`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::arn::Arn;
use crate::event_configuration::EventType;
use crate::name::ThingName;
use crate::scope::Scope;
use crate::thing_type::Properties;
use crate::time::Timestamp;
use crate::topic::{InvalidTopicName, TopicName};

/// A message on its way to the subscribers of a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryMessage {
    /// Where the change was made.
    pub scope: Scope,
    /// Where it is published.
    pub topic: TopicName,
    /// A JSON object.
    pub payload: String,
    /// When the change was made.
    pub told_at: Timestamp,
}

/// Where and when something happened, and the id of the event that tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occasion {
    /// Where.
    pub scope: Scope,
    /// When.
    pub at: Timestamp,
    /// Random; told as 32 hex digits.
    pub event_id: [u8; 16],
}

/// What happened to a thing, a type or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was made.
    Created,
    /// It is no longer what it was.
    Updated,
    /// It is gone.
    Deleted,
}

/// What happened between two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// They belong together from now on.
    Added,
    /// They no longer do.
    Removed,
}

/// A thing after the change; one that is gone, before it.
#[derive(Clone, Copy, Debug)]
pub struct ThingTold<'a> {
    /// Its name.
    pub name: &'a ThingName,
    /// Its id.
    pub id: &'a str,
    /// Its version.
    pub version: i64,
    /// Its type.
    pub thing_type_name: Option<&'a ThingName>,
    /// Its billing group.
    pub billing_group_name: Option<&'a ThingName>,
    /// Its attributes.
    pub attributes: &'a BTreeMap<String, String>,
}

/// A thing type after the change; one that is gone, before it.
#[derive(Clone, Copy, Debug)]
pub struct ThingTypeTold<'a> {
    /// Its name.
    pub name: &'a ThingName,
    /// Its id.
    pub id: &'a str,
    /// Since when it takes no more things.
    pub deprecated_at: Option<Timestamp>,
    /// What it says of itself.
    pub properties: &'a Properties,
}

/// A thing group by name and id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupId {
    /// Its name.
    pub name: ThingName,
    /// Its id.
    pub id: String,
}

/// A thing group after the change; one that is gone, before it.
#[derive(Clone, Copy, Debug)]
pub struct ThingGroupTold<'a> {
    /// Its name.
    pub name: &'a ThingName,
    /// Its id.
    pub id: &'a str,
    /// Its version.
    pub version: i64,
    /// The groups it lies in, from the root to its parent.
    pub ancestors: &'a [GroupId],
    /// What it is for.
    pub description: Option<&'a str>,
    /// Its attributes.
    pub attributes: &'a BTreeMap<String, String>,
}

/// Something that happened in the registry.
#[derive(Clone, Copy, Debug)]
pub enum RegistryEvent<'a> {
    /// To a thing.
    Thing(Change, ThingTold<'a>),
    /// To a thing type.
    ThingType(Change, ThingTypeTold<'a>),
    /// A thing got a type, or lost it.
    ThingTypeAssociation {
        /// Which of the two.
        link: Link,
        /// The thing's name.
        thing_name: &'a ThingName,
        /// The thing's id.
        thing_id: &'a str,
        /// The type.
        thing_type_name: &'a ThingName,
    },
    /// To a thing group.
    ThingGroup(Change, ThingGroupTold<'a>),
    /// A thing entered a group, or left it.
    ThingGroupMembership {
        /// Which of the two.
        link: Link,
        /// The thing's name.
        thing_name: &'a ThingName,
        /// The thing's id.
        thing_id: &'a str,
        /// The group's name.
        group_name: &'a ThingName,
        /// The group's id.
        group_id: &'a str,
        /// The id of this thing's being in this group.
        membership_id: &'a str,
    },
    /// A group was made in another, or is gone from there.
    ThingGroupHierarchy {
        /// Which of the two.
        link: Link,
        /// The group that the other lies in.
        parent: &'a GroupId,
        /// The other's name.
        child_name: &'a ThingName,
        /// The other's id.
        child_id: &'a str,
    },
}

impl Change {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Created => ("created", "CREATED"),
            Self::Updated => ("updated", "UPDATED"),
            Self::Deleted => ("deleted", "DELETED"),
        }
    }
}

impl Link {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Added => ("added", "ADDED"),
            Self::Removed => ("removed", "REMOVED"),
        }
    }
}

impl RegistryEvent<'_> {
    /// The switch that must be on for it.
    #[must_use]
    pub const fn event_type(&self) -> EventType {
        match self {
            Self::Thing(..) => EventType::Thing,
            Self::ThingType(..) => EventType::ThingType,
            Self::ThingTypeAssociation { .. } => EventType::ThingTypeAssociation,
            Self::ThingGroup(..) => EventType::ThingGroup,
            Self::ThingGroupMembership { .. } => EventType::ThingGroupMembership,
            Self::ThingGroupHierarchy { .. } => EventType::ThingGroupHierarchy,
        }
    }

    /// The message that tells it.
    ///
    /// # Errors
    /// Never: all names are such as topics can hold.
    pub fn message(&self, occasion: &Occasion) -> Result<RegistryMessage, InvalidTopicName> {
        let Occasion { scope, at, .. } = *occasion;
        let topic = TopicName::of_service(&format!("$aws/events/{}", self.place()))?;
        Ok(RegistryMessage { scope, topic, payload: self.payload(occasion), told_at: at })
    }

    /// The topic below `$aws/events`.
    fn place(&self) -> String {
        match self {
            Self::Thing(change, thing) => format!("thing/{}/{}", thing.name, change.words().0),
            Self::ThingType(change, thing_type) => format!("thingType/{}/{}", thing_type.name, change.words().0),
            Self::ThingTypeAssociation { link, thing_name, thing_type_name, .. } => {
                format!("thingTypeAssociation/thing/{thing_name}/thingType/{thing_type_name}/{}", link.words().0)
            }
            Self::ThingGroup(change, group) => format!("thingGroup/{}/{}", group.name, change.words().0),
            Self::ThingGroupMembership { link, thing_name, group_name, .. } => {
                format!("thingGroupMembership/thingGroup/{group_name}/thing/{thing_name}/{}", link.words().0)
            }
            Self::ThingGroupHierarchy { link, parent, child_name, .. } => format!(
                "thingGroupHierarchy/thingGroup/{}/childThingGroup/{child_name}/{}",
                parent.name,
                link.words().0
            ),
        }
    }

    fn payload(&self, occasion: &Occasion) -> String {
        let Occasion { scope, at, event_id } = occasion;
        let (operation, told) = match self {
            Self::Thing(change, thing) => (change.words().1, thing_told(thing)),
            Self::ThingType(change, thing_type) => (change.words().1, thing_type_told(thing_type)),
            Self::ThingTypeAssociation { link, thing_name, thing_id, thing_type_name } => (
                link.words().1,
                json!({
                    "thingId": thing_id,
                    "thingName": thing_name,
                    "thingTypeName": thing_type_name,
                }),
            ),
            Self::ThingGroup(change, group) => (change.words().1, thing_group_told(*scope, group)),
            Self::ThingGroupMembership { link, thing_name, thing_id, group_name, group_id, membership_id } => (
                link.words().1,
                json!({
                    "groupArn": Arn::thing_group(*scope, (*group_name).clone()).to_string(),
                    "groupId": group_id,
                    "thingArn": Arn::thing(*scope, (*thing_name).clone()).to_string(),
                    "thingId": thing_id,
                    "membershipId": membership_id,
                }),
            ),
            Self::ThingGroupHierarchy { link, parent, child_name, child_id } => (
                link.words().1,
                json!({
                    "thingGroupId": parent.id,
                    "thingGroupName": parent.name,
                    "childGroupId": child_id,
                    "childGroupName": child_name,
                }),
            ),
        };
        let event_id: String = event_id.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut event = Map::new();
        event.insert("eventType".to_owned(), json!(format!("{}_EVENT", self.event_type())));
        event.insert("eventId".to_owned(), json!(event_id));
        event.insert("timestamp".to_owned(), json!(at.as_millis()));
        event.insert("operation".to_owned(), json!(operation));
        // AWS shows this one without an account.
        if self.event_type() != EventType::ThingTypeAssociation {
            event.insert("accountId".to_owned(), json!(scope.account));
        }
        if let Value::Object(told) = told {
            event.extend(told);
        }
        Value::Object(event).to_string()
    }
}

fn thing_told(thing: &ThingTold<'_>) -> Value {
    json!({
        "thingId": thing.id,
        "thingName": thing.name,
        "versionNumber": thing.version,
        "thingTypeName": thing.thing_type_name,
        "billingGroupName": thing.billing_group_name,
        "attributes": thing.attributes,
    })
}

fn thing_type_told(thing_type: &ThingTypeTold<'_>) -> Value {
    json!({
        "thingTypeId": thing_type.id,
        "thingTypeName": thing_type.name,
        "isDeprecated": thing_type.deprecated_at.is_some(),
        "deprecationDate": thing_type.deprecated_at.map(Timestamp::as_millis),
        "searchableAttributes": thing_type.properties.searchable_attributes,
        // No type has any: `thing_type::properties` refuses them.
        "propagatingAttributes": [],
        "description": thing_type.properties.description,
    })
}

fn thing_group_told(scope: Scope, group: &ThingGroupTold<'_>) -> Value {
    let parent = group.ancestors.last();
    let ancestors: Vec<Value> = group
        .ancestors
        .iter()
        .map(
            |above| json!({ "groupArn": Arn::thing_group(scope, above.name.clone()).to_string(), "groupId": above.id }),
        )
        .collect();
    json!({
        "thingGroupId": group.id,
        "thingGroupName": group.name,
        "versionNumber": group.version,
        "parentGroupName": parent.map(|parent| &parent.name),
        "parentGroupId": parent.map(|parent| &parent.id),
        "description": group.description,
        "rootToParentThingGroups": ancestors,
        "attributes": group.attributes,
        // Groups by query do not exist here.
        "dynamicGroupMappingId": Value::Null,
    })
}

#[cfg(test)]
mod tests;
