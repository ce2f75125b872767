//! What the caller may do: the access key's policy, asked before an operation runs. A key without a policy may do
//! everything in its account.

use gatehouse_domain::policy::{CallContext, Decision, Request, evaluate};

use crate::call::Call;
use crate::error::{Code, Error};

/// Asks whether `call`'s caller may do `action`, such as `iot:UpdateThing`, on `resource`.
///
/// # Errors
/// `AccessDeniedException`, in the words of AWS.
pub(crate) fn authorize(call: &Call, action: &str, resource: &str) -> Result<(), Error> {
    let Some(policy) = call.caller.policy.as_deref() else { return Ok(()) };
    let context = CallContext {
        scope: call.scope,
        source_ip: Some(call.caller.source_ip),
        secure_transport: call.caller.is_secure,
        now: call.now,
        device: call.caller.device.as_ref(),
    };
    let because = match evaluate([policy], &Request { action, resource, context: &context }) {
        Decision::Allowed => return Ok(()),
        Decision::ExplicitDeny => "with an explicit deny in an identity-based policy".to_owned(),
        Decision::ImplicitDeny => format!("because no identity-based policy allows the {action} action"),
    };
    Err(Error::refused(
        Code::AccessDeniedException,
        format!(
            "User: arn:{}:iam::{}:access-key/{} is not authorized to perform: {action} on resource: {resource} {because}",
            call.scope.region.partition(),
            call.scope.account,
            call.caller.access_key_id,
        ),
    ))
}
