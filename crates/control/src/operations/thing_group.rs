//! What the operations of thing groups share: how a group's properties travel, and how a thing changes its groups.

use std::collections::BTreeMap;

use gatehouse_domain::arn::Arn;
use gatehouse_domain::event::Event;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::naming::{Named, NamingRefusal, named};
use gatehouse_domain::scope::Scope;
use gatehouse_domain::thing::AttributeUpdate;
use gatehouse_domain::thing_group::{GroupPlace, MembershipChange, change_membership};
use gatehouse_store::{Batch, ThingGroupRecord};
use serde::{Deserialize, Serialize};

use super::thing_configuration::AttributePayload;
use crate::call::Call;
use crate::door::authorize::authorize;
use crate::error::Error;
use crate::wire::{unknown_thing, unknown_thing_group};

/// A group's properties as CreateThingGroup and UpdateThingGroup take them.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ThingGroupProperties {
    pub(super) thing_group_description: Option<String>,
    pub(super) attribute_payload: Option<AttributePayload>,
}

impl ThingGroupProperties {
    /// The attributes that are given, and how to treat the present ones. A payload that names no attributes asks for no
    /// change.
    pub(super) fn attributes(&self) -> Option<(BTreeMap<String, String>, AttributeUpdate)> {
        let payload = self.attribute_payload.as_ref()?;
        let how = if payload.merge { AttributeUpdate::Merge } else { AttributeUpdate::Replace };
        Some((payload.attributes.clone()?, how))
    }
}

/// A group in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupNameAndArn {
    group_name: ThingName,
    group_arn: String,
}

impl GroupNameAndArn {
    pub(super) fn new(scope: Scope, name: ThingName) -> Self {
        Self { group_arn: Arn::thing_group(scope, name.clone()).to_string(), group_name: name }
    }
}

/// The group `name`.
///
/// # Errors
/// `ResourceNotFoundException`.
pub(super) async fn existing_group(call: &Call, name: &ThingName) -> Result<ThingGroupRecord, Error> {
    call.store().thing_group(call.scope, name).await?.ok_or_else(|| unknown_thing_group(name))
}

/// A thing and a thing group, each by name, by ARN, or by both.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Membership {
    pub(super) thing_group_name: Option<ThingName>,
    pub(super) thing_group_arn: Option<String>,
    pub(super) thing_name: Option<ThingName>,
    pub(super) thing_arn: Option<String>,
}

impl Membership {
    fn group(&self, call: &Call) -> Result<Named, NamingRefusal> {
        named(call.scope, self.thing_group_name.as_ref(), self.thing_group_arn.as_deref(), Arn::thing_group)
    }

    fn thing(&self, call: &Call) -> Result<Named, NamingRefusal> {
        named(call.scope, self.thing_name.as_ref(), self.thing_arn.as_deref(), Arn::thing)
    }

    /// The ARN of the group, which the door asks the caller's policy about; [`Membership::names`] asks about the thing.
    pub(super) fn resource(&self, call: &Call) -> String {
        // What names no group is refused before anything is read.
        self.group(call).map_or_else(|_| "*".to_owned(), |group| group.arn.to_string())
    }

    /// The names of the thing and of the group. The caller's policy must allow `action` on both.
    ///
    /// # Errors
    /// `InvalidRequestException` when one of them is not named, `AccessDeniedException`, or `ResourceNotFoundException`.
    pub(super) fn names(&self, call: &Call, action: &str) -> Result<(ThingName, ThingName), Error> {
        let group = self.group(call).map_err(|refusal| Error::invalid(format!("thing group: {refusal}")))?;
        let thing = self.thing(call).map_err(|refusal| Error::invalid(format!("thing: {refusal}")))?;
        authorize(call, action, &thing.arn.to_string())?;
        // What another tenant has is not told apart from what does not exist.
        if group.arn.scope != call.scope {
            return Err(unknown_thing_group(&group.name));
        }
        if thing.arn.scope != call.scope {
            return Err(unknown_thing(&thing.name));
        }
        Ok((thing.name, group.name))
    }
}

/// Takes a thing out of groups and puts it into others, all or nothing.
///
/// # Errors
/// Unknown thing or group, or a rule about a thing's groups.
pub(super) async fn change_groups(
    call: &Call,
    thing_name: &ThingName,
    remove: &[ThingName],
    add: &[ThingName],
) -> Result<(), Error> {
    let memberships = call.store().memberships(call.scope, thing_name).await?;
    let memberships = memberships.ok_or_else(|| unknown_thing(thing_name))?;
    let mut wanted = Vec::with_capacity(add.len());
    for name in add {
        wanted.push(existing_group(call, name).await?);
    }
    for name in remove {
        existing_group(call, name).await?;
    }

    let current: Vec<GroupPlace> = memberships.groups.iter().map(ThingGroupRecord::place).collect();
    let places = wanted.iter().map(ThingGroupRecord::place).collect();
    let MembershipChange { entered, left } = change_membership(&current, remove, places)
        .map_err(|refusal| Error::invalid(format!("thing {thing_name}: {refusal}")))?;
    if entered.is_empty() && left.is_empty() {
        return Ok(());
    }

    // Each once, however often it is named.
    let wanted: Vec<ThingGroupRecord> =
        entered.iter().filter_map(|name| wanted.iter().find(|group| group.name == *name)).cloned().collect();
    let left: Vec<ThingGroupRecord> =
        memberships.groups.iter().filter(|group| left.contains(&group.name)).cloned().collect();
    let mut batch = Batch::new();
    batch.change_memberships(&memberships, &wanted, &left);
    let told = call.told().await?;
    for group in &left {
        told.left_group(&mut batch, thing_name, &memberships.thing_id, group)?;
    }
    for group in &wanted {
        told.entered_group(&mut batch, thing_name, &memberships.thing_id, group)?;
    }
    batch.announce(Event::Thing { scope: call.scope, thing_name: thing_name.clone() });
    call.commit(batch).await
}
