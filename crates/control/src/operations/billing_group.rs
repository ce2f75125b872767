//! What the operations of billing groups share: how properties travel, and which thing and group a membership speaks of.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::naming::{Named, NamingRefusal, named};
use gatehouse_domain::version::VersionConflict;
use gatehouse_store::{BillingGroupRecord, ThingRecord};
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::door::authorize::authorize;
use crate::error::{Code, Error};
use crate::wire::{unknown_billing_group, unknown_thing};

/// What a group says of itself.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BillingGroupProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) billing_group_description: Option<String>,
}

/// The billing group of this name.
///
/// # Errors
/// `ResourceNotFoundException` when the scope has none.
pub(super) async fn existing_group(call: &Call, name: &ThingName) -> Result<BillingGroupRecord, Error> {
    call.store().billing_group(call.scope, name).await?.ok_or_else(|| unknown_billing_group(name))
}

/// The answer to a caller that expected another version.
pub(super) fn version_conflict(name: &ThingName, conflict: VersionConflict) -> Error {
    Error::refused(Code::VersionConflictException, format!("billing group {name}: {conflict}"))
}

/// A thing and a billing group, each by name, by ARN, or by both.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Membership {
    billing_group_name: Option<ThingName>,
    billing_group_arn: Option<String>,
    thing_name: Option<ThingName>,
    thing_arn: Option<String>,
}

impl Membership {
    fn group(&self, call: &Call) -> Result<Named, NamingRefusal> {
        named(call.scope, self.billing_group_name.as_ref(), self.billing_group_arn.as_deref(), Arn::billing_group)
    }

    fn thing(&self, call: &Call) -> Result<Named, NamingRefusal> {
        named(call.scope, self.thing_name.as_ref(), self.thing_arn.as_deref(), Arn::thing)
    }

    /// The ARN of the group, which the door asks the caller's policy about; [`Membership::found`] asks about the thing.
    pub(super) fn resource(&self, call: &Call) -> String {
        // What names no group is refused before anything is read.
        self.group(call).map_or_else(|_| "*".to_owned(), |group| group.arn.to_string())
    }

    /// The thing and the group. The caller's policy must allow `action` on both.
    ///
    /// # Errors
    /// `InvalidRequestException` when one of them is not named, `AccessDeniedException`, or `ResourceNotFoundException`.
    pub(super) async fn found(&self, call: &Call, action: &str) -> Result<(ThingRecord, BillingGroupRecord), Error> {
        let group = self.group(call).map_err(|refusal| Error::invalid(format!("billing group: {refusal}")))?;
        let thing = self.thing(call).map_err(|refusal| Error::invalid(format!("thing: {refusal}")))?;
        authorize(call, action, &thing.arn.to_string())?;
        // What another tenant has is not told apart from what does not exist.
        if group.arn.scope != call.scope {
            return Err(unknown_billing_group(&group.name));
        }
        if thing.arn.scope != call.scope {
            return Err(unknown_thing(&thing.name));
        }
        let group = existing_group(call, &group.name).await?;
        let record = call.store().thing(call.scope, &thing.name).await?;
        Ok((record.ok_or_else(|| unknown_thing(&thing.name))?, group))
    }
}
