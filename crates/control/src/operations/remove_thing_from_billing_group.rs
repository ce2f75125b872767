//! RemoveThingFromBillingGroup: takes a thing out of a billing group. One that is not in it stays where it is.

use gatehouse_store::Batch;

use super::billing_group::Membership;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct RemoveThingFromBillingGroup;

impl Operation for RemoveThingFromBillingGroup {
    const NAME: &'static str = "RemoveThingFromBillingGroup";
    const METHOD: &'static str = "PUT";
    const PATH: &'static str = "/billing-groups/removeThingFromBillingGroup";
    type Input = Membership;
    type Output = Nothing;

    fn resource(call: &Call, input: &Membership) -> String {
        input.resource(call)
    }

    async fn run(call: &Call, input: &Membership) -> Result<Nothing, Error> {
        let (thing, group) = input.found(call, "iot:RemoveThingFromBillingGroup").await?;
        if thing.billing_group_id.as_ref() != Some(&group.billing_group_id) {
            return Ok(Nothing {});
        }
        let mut batch = Batch::new();
        batch.remove_from_billing_group(&thing, &group);
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
