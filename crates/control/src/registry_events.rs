//! What is told of a change of the registry: whoever changes it says so here, in the batch that holds the change, and the
//! messages that the scope has asked for go with it. Nothing is told of what is not committed, and nothing that is
//! committed goes untold: the gateway publishes what it finds.
//!
//! The switches are read once for each change, next to what the change itself reads. They are not kept: reading them is
//! a look at one row by its key, and whoever has just set one may rely on it.

use aws_lc_rs::digest::{SHA256, digest};
use gatehouse_domain::event_configuration::{EventConfigurations, EventType};
use gatehouse_domain::name::ThingName;
use gatehouse_domain::registry_event::{
    Change, GroupId, Link, Occasion, RegistryEvent, ThingGroupTold, ThingTold, ThingTypeTold,
};
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;
use gatehouse_store::{Batch, Store, ThingGroupRecord, ThingRecord, ThingTypeRecord};

use crate::error::Error;
use crate::random::{random, uuid_of};

/// Tells the changes of one scope, as far as its switches ask for it. Load it anew whenever a change is decided anew.
///
/// A group that is deleted with things in it is told as a group that is gone; a thing that is deleted is told to leave its
/// groups and its type.
pub struct Told {
    store: Store,
    scope: Scope,
    at: Timestamp,
    configurations: EventConfigurations,
}

impl Told {
    /// Reads the switches of `scope`, for a change that is made at `at`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn load(store: &Store, scope: Scope, at: Timestamp) -> Result<Self, Error> {
        let record = store.event_configurations(scope).await?;
        let configurations = record.map(|record| record.configurations).unwrap_or_default();
        Ok(Self { store: store.clone(), scope, at, configurations })
    }

    /// A thing is made, with the type that it has from the start. Groups that it enters are told by
    /// [`entered_group`](Self::entered_group).
    ///
    /// # Errors
    /// When the store or the system's randomness fails; so do all of these.
    pub async fn thing_created(&self, batch: &mut Batch, thing: &ThingRecord) -> Result<(), Error> {
        self.thing(batch, Change::Created, thing).await?;
        self.association(batch, Link::Added, thing)
    }

    /// A thing has other attributes, another type or none, and another version.
    ///
    /// # Errors
    /// As of [`thing_created`](Self::thing_created).
    pub async fn thing_updated(
        &self,
        batch: &mut Batch,
        before: &ThingRecord,
        after: &ThingRecord,
    ) -> Result<(), Error> {
        self.thing(batch, Change::Updated, after).await?;
        if before.thing_type_name != after.thing_type_name {
            self.association(batch, Link::Removed, before)?;
            self.association(batch, Link::Added, after)?;
        }
        Ok(())
    }

    /// A thing is deleted, and leaves its groups and its type. Say it before the batch deletes the thing: when the
    /// memberships are told, the batch holds them in place.
    ///
    /// # Errors
    /// As of [`thing_created`](Self::thing_created).
    pub async fn thing_deleted(&self, batch: &mut Batch, thing: &ThingRecord) -> Result<(), Error> {
        if self.configurations.is_enabled(EventType::ThingGroupMembership)
            && let Some(memberships) = self.store.memberships(self.scope, &thing.name).await?
        {
            batch.require_memberships(&memberships);
            for group in &memberships.groups {
                self.left_group(batch, &thing.name, &thing.thing_id, group)?;
            }
        }
        self.association(batch, Link::Removed, thing)?;
        self.thing(batch, Change::Deleted, thing).await
    }

    async fn thing(&self, batch: &mut Batch, change: Change, thing: &ThingRecord) -> Result<(), Error> {
        if !self.configurations.is_enabled(EventType::Thing) {
            return Ok(());
        }
        let billing_group = self.store.billing_group_of(thing).await?;
        let told = ThingTold {
            name: &thing.name,
            id: &thing.thing_id,
            version: thing.version,
            thing_type_name: thing.thing_type_name.as_ref(),
            billing_group_name: billing_group.as_ref().map(|group| &group.name),
            attributes: &thing.attributes,
        };
        self.tell(batch, &RegistryEvent::Thing(change, told))
    }

    fn association(&self, batch: &mut Batch, link: Link, thing: &ThingRecord) -> Result<(), Error> {
        let Some(thing_type_name) = &thing.thing_type_name else { return Ok(()) };
        let (thing_name, thing_id) = (&thing.name, thing.thing_id.as_str());
        self.tell(batch, &RegistryEvent::ThingTypeAssociation { link, thing_name, thing_id, thing_type_name })
    }

    /// A thing type is made.
    ///
    /// # Errors
    /// As of [`thing_created`](Self::thing_created).
    pub fn thing_type_created(&self, batch: &mut Batch, thing_type: &ThingTypeRecord) -> Result<(), Error> {
        self.thing_type(batch, Change::Created, thing_type)
    }

    /// A thing type has other properties, is deprecated, or is so no more.
    ///
    /// # Errors
    /// As of [`thing_created`](Self::thing_created).
    pub fn thing_type_updated(&self, batch: &mut Batch, after: &ThingTypeRecord) -> Result<(), Error> {
        self.thing_type(batch, Change::Updated, after)
    }

    /// A thing type is deleted. It has no things.
    ///
    /// # Errors
    /// As of [`thing_created`](Self::thing_created).
    pub fn thing_type_deleted(&self, batch: &mut Batch, thing_type: &ThingTypeRecord) -> Result<(), Error> {
        self.thing_type(batch, Change::Deleted, thing_type)
    }

    fn thing_type(&self, batch: &mut Batch, change: Change, thing_type: &ThingTypeRecord) -> Result<(), Error> {
        let told = ThingTypeTold {
            name: &thing_type.name,
            id: &thing_type.thing_type_id,
            deprecated_at: thing_type.deprecated_at,
            properties: &thing_type.properties,
        };
        self.tell(batch, &RegistryEvent::ThingType(change, told))
    }

    /// A thing group is made, in another one or as a root.
    ///
    /// # Errors
    /// As of [`thing_created`](Self::thing_created).
    pub async fn group_created(&self, batch: &mut Batch, group: &ThingGroupRecord) -> Result<(), Error> {
        self.group(batch, Change::Created, group).await?;
        self.hierarchy(batch, Link::Added, group).await
    }

    /// A thing group has another description or other attributes, and another version.
    ///
    /// # Errors
    /// As of [`thing_created`](Self::thing_created).
    pub async fn group_updated(&self, batch: &mut Batch, after: &ThingGroupRecord) -> Result<(), Error> {
        self.group(batch, Change::Updated, after).await
    }

    /// A thing group is deleted. Of the things in it, however many they are, nothing is told.
    ///
    /// # Errors
    /// As of [`thing_created`](Self::thing_created).
    pub async fn group_deleted(&self, batch: &mut Batch, group: &ThingGroupRecord) -> Result<(), Error> {
        self.hierarchy(batch, Link::Removed, group).await?;
        self.group(batch, Change::Deleted, group).await
    }

    async fn group(&self, batch: &mut Batch, change: Change, group: &ThingGroupRecord) -> Result<(), Error> {
        if !self.configurations.is_enabled(EventType::ThingGroup) {
            return Ok(());
        }
        let mut ancestors = Vec::with_capacity(group.ancestors.len());
        for name in &group.ancestors {
            ancestors.push(self.group_id(name).await?);
        }
        let told = ThingGroupTold {
            name: &group.name,
            id: &group.group_id,
            version: group.version,
            ancestors: &ancestors,
            description: group.description.as_deref(),
            attributes: &group.attributes,
        };
        self.tell(batch, &RegistryEvent::ThingGroup(change, told))
    }

    async fn hierarchy(&self, batch: &mut Batch, link: Link, group: &ThingGroupRecord) -> Result<(), Error> {
        let Some(parent) = group.parent().filter(|_| self.configurations.is_enabled(EventType::ThingGroupHierarchy))
        else {
            return Ok(());
        };
        let parent = self.group_id(parent).await?;
        let (child_name, child_id) = (&group.name, group.group_id.as_str());
        self.tell(batch, &RegistryEvent::ThingGroupHierarchy { link, parent: &parent, child_name, child_id })
    }

    /// A group that another lies in.
    async fn group_id(&self, name: &ThingName) -> Result<GroupId, Error> {
        let group = self.store.thing_group(self.scope, name).await?;
        // It outlives those in it: when it is gone, so are they, and the change is decided anew.
        let group = group.ok_or(gatehouse_store::Error::Conflict)?;
        Ok(GroupId { name: group.name, id: group.group_id })
    }

    /// A thing enters a group.
    ///
    /// # Errors
    /// As of [`thing_created`](Self::thing_created).
    pub fn entered_group(
        &self,
        batch: &mut Batch,
        thing_name: &ThingName,
        thing_id: &str,
        group: &ThingGroupRecord,
    ) -> Result<(), Error> {
        self.membership(batch, Link::Added, thing_name, thing_id, group)
    }

    /// A thing leaves a group, which stays.
    ///
    /// # Errors
    /// As of [`thing_created`](Self::thing_created).
    pub fn left_group(
        &self,
        batch: &mut Batch,
        thing_name: &ThingName,
        thing_id: &str,
        group: &ThingGroupRecord,
    ) -> Result<(), Error> {
        self.membership(batch, Link::Removed, thing_name, thing_id, group)
    }

    fn membership(
        &self,
        batch: &mut Batch,
        link: Link,
        thing_name: &ThingName,
        thing_id: &str,
        group: &ThingGroupRecord,
    ) -> Result<(), Error> {
        let membership_id = membership_id(&group.group_id, thing_id);
        let happened = RegistryEvent::ThingGroupMembership {
            link,
            thing_name,
            thing_id,
            group_name: &group.name,
            group_id: &group.group_id,
            membership_id: &membership_id,
        };
        self.tell(batch, &happened)
    }

    fn tell(&self, batch: &mut Batch, happened: &RegistryEvent<'_>) -> Result<(), Error> {
        if !self.configurations.is_enabled(happened.event_type()) {
            return Ok(());
        }
        let occasion = Occasion { scope: self.scope, at: self.at, event_id: random()? };
        let message = happened.message(&occasion).map_err(|error| Error::Internal(error.to_string()))?;
        batch.tell(&message);
        Ok(())
    }
}

/// The id of a thing's being in a group, which its beginning and its end tell alike: made of the ids of both, in the form
/// of a UUID (version 8, RFC 9562).
fn membership_id(group_id: &str, thing_id: &str) -> String {
    let digest = digest(&SHA256, format!("{group_id}/{thing_id}").as_bytes());
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest.as_ref()).for_each(|(byte, of_digest)| *byte = *of_digest);
    uuid_of(bytes, 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_membership_has_one_id_and_no_other_has_it() {
        let id = membership_id("g", "t");
        assert_eq!(id, membership_id("g", "t"));
        assert_eq!((id.len(), id.as_bytes()[14]), (36, b'8'));
        for (group_id, thing_id) in [("t", "g"), ("g", "u"), ("h", "t")] {
            assert_ne!(membership_id(group_id, thing_id), id);
        }
    }
}
