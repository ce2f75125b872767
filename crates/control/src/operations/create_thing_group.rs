//! CreateThingGroup: a static group, in another one or as a root. Repeating the call exactly answers the group that
//! exists.

use std::collections::BTreeMap;

use gatehouse_domain::arn::Arn;
use gatehouse_domain::description::described;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::tag;
use gatehouse_domain::thing::AttributeUpdate;
use gatehouse_domain::thing_group::{GroupConfiguration, create_again, may_be_parent, update_attributes};
use gatehouse_store::{Batch, ThingGroupRecord};
use serde::{Deserialize, Serialize};

use super::thing_group::{ThingGroupProperties, existing_group};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Tag;

/// The operation.
pub struct CreateThingGroup;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    thing_group_name: ThingName,
    parent_group_name: Option<ThingName>,
    #[serde(default)]
    thing_group_properties: ThingGroupProperties,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    thing_group_name: ThingName,
    thing_group_arn: String,
    thing_group_id: String,
}

impl Operation for CreateThingGroup {
    const NAME: &'static str = "CreateThingGroup";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/thing-groups/{thingGroupName}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::thing_group(call.scope, input.thing_group_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.thing_group_name;
        let arn = Arn::thing_group(call.scope, name.clone());
        let tags = tag::add(&BTreeMap::new(), input.tags.iter().map(Tag::pair))
            .map_err(|refusal| Error::invalid(refusal.to_string()))?;
        let wanted = wanted(input)?;
        if let Some(existing) = call.store().thing_group(call.scope, name).await? {
            let present = call.store().tags(&arn).await?.map(|record| record.tags).unwrap_or_default();
            let is_tagged = tag::has_all(&present, &tags);
            return match create_again(&existing.configuration(), &wanted, is_tagged) {
                Ok(()) => Ok(output(&arn, existing)),
                Err(refusal) => {
                    Err(Error::already_exists(format!("thing group {name}: {refusal}"), existing.group_id, &arn))
                }
            };
        }
        let ancestors = match &wanted.parent {
            Some(parent) => ancestors_in(call, parent).await?,
            None => Vec::new(),
        };

        let record = ThingGroupRecord {
            scope: call.scope,
            name: name.clone(),
            group_id: call.uuid()?,
            ancestors,
            description: wanted.description,
            attributes: wanted.attributes,
            version: 1,
            child_count: 0,
            policy_count: 0,
            created_at: call.now,
        };
        let mut batch = Batch::new();
        batch.insert_thing_group(&record);
        call.told().await?.group_created(&mut batch, &record).await?;
        if !tags.is_empty() {
            batch.set_tags(&arn, &tags, None);
        }
        call.commit(batch).await?;
        Ok(output(&arn, record))
    }
}

fn wanted(input: &Input) -> Result<GroupConfiguration, Error> {
    let given = input.thing_group_properties.attributes().map(|(given, _)| given).unwrap_or_default();
    let attributes = update_attributes(&BTreeMap::new(), given, AttributeUpdate::Replace)
        .map_err(|refusal| Error::invalid(refusal.to_string()))?;
    let description = described(None, input.thing_group_properties.thing_group_description.clone());
    Ok(GroupConfiguration { parent: input.parent_group_name.clone(), description, attributes })
}

/// The ancestors of a group that is made in `parent`. The model has no error for a parent that does not exist.
async fn ancestors_in(call: &Call, parent: &ThingName) -> Result<Vec<ThingName>, Error> {
    let parent = match existing_group(call, parent).await {
        Err(Error::Refused(refused)) => return Err(Error::invalid(format!("parentGroupName: {}", refused.message))),
        outcome => outcome?,
    };
    may_be_parent(parent.ancestors.len(), parent.child_count)
        .map_err(|refusal| Error::invalid(format!("thing group {}: {refusal}", parent.name)))?;
    let mut ancestors = parent.ancestors;
    ancestors.push(parent.name);
    Ok(ancestors)
}

fn output(arn: &Arn, record: ThingGroupRecord) -> Output {
    Output { thing_group_name: record.name, thing_group_arn: arn.to_string(), thing_group_id: record.group_id }
}
