//! Which resource a tag operation speaks of, and the tags it has. In this release policies are the only resources that
//! carry tags and exist.

use gatehouse_domain::arn::{Arn, Resource};
use gatehouse_domain::name::PolicyName;
use gatehouse_domain::tag::is_taggable;
use gatehouse_store::TagsRecord;

use crate::call::Call;
use crate::error::Error;
use crate::wire::unknown_policy;

/// An existing policy and its tags.
pub(super) struct Tagged {
    pub(super) policy_name: PolicyName,
    pub(super) arn: Arn,
    /// `None` when it never had any.
    pub(super) tags: Option<TagsRecord>,
}

/// Finds the resource that `arn` names.
///
/// # Errors
/// `InvalidRequestException` for what is no ARN or a kind without tags; `ResourceNotFoundException` for what does not
/// exist in the scope.
pub(super) async fn tagged(call: &Call, arn: &str) -> Result<Tagged, Error> {
    let arn = Arn::parse(arn).map_err(|refusal| Error::invalid(format!("resourceArn: {refusal}")))?;
    if !is_taggable(&arn.resource) {
        return Err(Error::invalid(format!(
            "{arn} cannot carry tags: things, client certificates and MQTT resources have none"
        )));
    }
    // Another tenant's resource is not told apart from one that does not exist.
    let Resource::Policy(policy_name) = arn.resource.clone() else { return Err(unknown(&arn)) };
    if arn.scope != call.scope {
        return Err(unknown(&arn));
    }
    if call.store().policy(call.scope, &policy_name).await?.is_none() {
        return Err(unknown_policy(&policy_name));
    }
    let tags = call.store().tags(&arn).await?;
    Ok(Tagged { policy_name, arn, tags })
}

fn unknown(arn: &Arn) -> Error {
    Error::not_found(format!("{arn} does not exist in this account and Region"))
}
