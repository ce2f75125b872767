//! What the operations of thing groups share: how a group's properties travel, and how a thing changes its groups.

use std::collections::BTreeMap;

use gatehouse_domain::arn::{Arn, Resource};
use gatehouse_domain::event::Event;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::thing::AttributeUpdate;
use gatehouse_domain::thing_group::{GroupPlace, MembershipChange, change_membership};
use gatehouse_store::{Batch, ThingGroupRecord};
use serde::{Deserialize, Serialize};

use super::thing_configuration::AttributePayload;
use crate::call::Call;
use crate::error::Error;
use crate::wire::{canonical_arn, unknown_thing, unknown_thing_group};

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

/// The name that an input gives by name, by ARN, or by both.
///
/// # Errors
/// `InvalidRequestException` when neither is given, when they disagree, or when the ARN is of another kind;
/// `ResourceNotFoundException` for an ARN of another scope.
pub(super) fn named(
    call: &Call,
    what: &str,
    name: Option<&ThingName>,
    arn: Option<&str>,
    of_kind: fn(Resource) -> Option<ThingName>,
) -> Result<ThingName, Error> {
    let Some(text) = arn else {
        return name.cloned().ok_or_else(|| Error::invalid(format!("name a {what}: give its name or its ARN")));
    };
    let invalid = || Error::invalid(format!("'{text}' is not the ARN of a {what}"));
    let arn = Arn::parse(text).map_err(|_| invalid())?;
    let in_arn = of_kind(arn.resource).ok_or_else(invalid)?;
    if name.is_some_and(|name| *name != in_arn) {
        return Err(Error::invalid(format!("the name and the ARN name two different {what}s: give one of them")));
    }
    // Another tenant's resource is not told apart from one that does not exist.
    if arn.scope != call.scope {
        return Err(Error::not_found(format!("{what} {in_arn} does not exist in this account and Region")));
    }
    Ok(in_arn)
}

/// The thing that an input gives by name, by ARN, or by both.
///
/// # Errors
/// As [`named`].
pub(super) fn named_thing(call: &Call, name: Option<&ThingName>, arn: Option<&str>) -> Result<ThingName, Error> {
    named(call, "thing", name, arn, |resource| match resource {
        Resource::Thing(name) => Some(name),
        _ => None,
    })
}

/// The thing group that an input gives by name, by ARN, or by both.
///
/// # Errors
/// As [`named`].
pub(super) fn named_group(call: &Call, name: Option<&ThingName>, arn: Option<&str>) -> Result<ThingName, Error> {
    named(call, "thing group", name, arn, |resource| match resource {
        Resource::ThingGroup(name) => Some(name),
        _ => None,
    })
}

/// The ARN that the caller's policy is asked about, from an input that gives a group by name, by ARN, or by both.
pub(super) fn group_resource(call: &Call, name: Option<&ThingName>, arn: Option<&str>) -> String {
    match (arn, name) {
        (Some(arn), _) => canonical_arn(arn),
        (None, Some(name)) => Arn::thing_group(call.scope, name.clone()).to_string(),
        (None, None) => "*".to_owned(),
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

    wanted.retain(|group| entered.contains(&group.name));
    wanted.dedup_by(|one, other| one.name == other.name);
    let left: Vec<ThingGroupRecord> =
        memberships.groups.iter().filter(|group| left.contains(&group.name)).cloned().collect();
    let mut batch = Batch::new();
    batch.change_memberships(&memberships, &wanted, &left);
    batch.announce(Event::Thing { scope: call.scope, thing_name: thing_name.clone() });
    call.commit(batch).await
}
