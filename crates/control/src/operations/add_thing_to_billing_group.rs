//! AddThingToBillingGroup: puts a thing into a billing group, out of whichever it was in.

use gatehouse_store::Batch;

use super::billing_group::Membership;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct AddThingToBillingGroup;

impl Operation for AddThingToBillingGroup {
    const NAME: &'static str = "AddThingToBillingGroup";
    const METHOD: &'static str = "PUT";
    const PATH: &'static str = "/billing-groups/addThingToBillingGroup";
    type Input = Membership;
    type Output = Nothing;

    fn resource(call: &Call, input: &Membership) -> String {
        input.resource(call)
    }

    async fn run(call: &Call, input: &Membership) -> Result<Nothing, Error> {
        let (thing, group) = input.found(call, "iot:AddThingToBillingGroup").await?;
        if thing.billing_group_id.as_ref() == Some(&group.billing_group_id) {
            return Ok(Nothing {});
        }
        let mut batch = Batch::new();
        batch.add_to_billing_group(&thing, &group);
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
