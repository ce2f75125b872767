//! CreateBillingGroup: a label for the bills of things. Repeating the call exactly answers the group that exists.

use std::collections::BTreeMap;

use gatehouse_domain::arn::Arn;
use gatehouse_domain::billing_group::{create_again, may_create};
use gatehouse_domain::description::described;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::tag;
use gatehouse_store::{Batch, BillingGroupRecord, CountedKind};
use serde::{Deserialize, Serialize};

use super::billing_group::BillingGroupProperties;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Tag;

/// The operation.
pub struct CreateBillingGroup;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    billing_group_name: ThingName,
    billing_group_properties: Option<BillingGroupProperties>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    billing_group_name: ThingName,
    billing_group_arn: String,
    billing_group_id: String,
}

impl Operation for CreateBillingGroup {
    const NAME: &'static str = "CreateBillingGroup";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/billing-groups/{billingGroupName}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::billing_group(call.scope, input.billing_group_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.billing_group_name;
        let arn = Arn::billing_group(call.scope, name.clone());
        let properties = input.billing_group_properties.clone().unwrap_or_default();
        let description = described(None, properties.billing_group_description);
        let tags = tag::add(&BTreeMap::new(), input.tags.iter().map(Tag::pair))
            .map_err(|refusal| Error::invalid(refusal.to_string()))?;
        if let Some(existing) = call.store().billing_group(call.scope, name).await? {
            let present = call.store().tags(&arn).await?.map(|record| record.tags).unwrap_or_default();
            let is_tagged = tag::has_all(&present, &tags);
            return match create_again(existing.description.as_deref(), description.as_deref(), is_tagged) {
                Ok(()) => Ok(output(&arn, existing)),
                Err(refusal) => Err(Error::already_exists(
                    format!("billing group {name}: {refusal}"),
                    existing.billing_group_id,
                    &arn,
                )),
            };
        }
        may_create(call.store().count_of(call.scope, CountedKind::BillingGroup).await?)
            .map_err(|refusal| Error::invalid(refusal.to_string()))?;

        let record = BillingGroupRecord {
            scope: call.scope,
            name: name.clone(),
            billing_group_id: call.uuid()?,
            description,
            version: 1,
            created_at: call.now,
        };
        let mut batch = Batch::new();
        batch.insert_billing_group(&record);
        if !tags.is_empty() {
            batch.set_tags(&arn, &tags, None);
        }
        call.commit(batch).await?;
        Ok(output(&arn, record))
    }
}

fn output(arn: &Arn, record: BillingGroupRecord) -> Output {
    Output {
        billing_group_name: record.name,
        billing_group_arn: arn.to_string(),
        billing_group_id: record.billing_group_id,
    }
}
