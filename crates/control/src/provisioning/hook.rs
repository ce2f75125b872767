//! Pre-provisioning hooks: the function of a template that is asked before anything is provisioned by it (developer guide,
//! "Pre-provisioning hooks"). Whatever it does not allow in so many words is refused.

use std::collections::BTreeMap;

use gatehouse_domain::arn::Arn;
use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::fleet_provisioning::FleetError;
use gatehouse_domain::provisioning_template::Hook;
use gatehouse_store::ProvisioningTemplateRecord;
use serde_json::{Value, json};

use super::failure::Failure;
use crate::call::House;
use crate::functions::FunctionError;

/// What a hook is told.
pub(super) struct Question<'a> {
    pub(super) template: &'a ProvisioningTemplateRecord,
    /// Who asks: the claim certificate.
    pub(super) principal: &'a str,
    pub(super) client_id: &'a str,
    pub(super) certificate_id: CertificateId,
    pub(super) certificate_pem: &'a str,
    pub(super) parameters: &'a BTreeMap<String, String>,
}

impl Question<'_> {
    /// Asks `hook`, and answers the parameters with the hook's in their place.
    ///
    /// # Errors
    /// `AccessDenied` when the hook says no, says something else, or says nothing in time; `Throttling` when too many
    /// functions are being called.
    pub(super) async fn ask(&self, house: &House, hook: &Hook) -> Result<BTreeMap<String, String>, Failure> {
        let scope = self.template.scope;
        let event = json!({
            "claimCertificateId": self.principal,
            "certificateId": self.certificate_id,
            "certificatePem": self.certificate_pem,
            "templateArn": Arn::provisioning_template(scope, self.template.name.clone()).to_string(),
            "clientId": self.client_id,
            "parameters": self.parameters,
        });
        // A failure is in the log already; the device learns no more than that there was one.
        let answer = house.functions.invoke(scope, &hook.target_arn, &event).await;
        let answer = answer.map_err(|error| match error {
            FunctionError::Busy => {
                Failure::new(FleetError::Throttling, "too many devices are being provisioned: try again later")
            }
            _ => denied("the pre-provisioning hook could not be asked"),
        })?;
        let overrides = allowed(&answer).inspect_err(|failure| {
            let (template, function) = (&self.template.name, &hook.target_arn);
            tracing::warn!(
                %scope, %template, %function, certificate_id = %self.certificate_id, reason = %failure.message,
                "a pre-provisioning hook did not allow provisioning"
            );
        })?;
        let mut parameters = self.parameters.clone();
        parameters.extend(overrides);
        Ok(parameters)
    }
}

/// Reads an answer: the parameters that it overrides, when it allows.
fn allowed(answer: &Value) -> Result<BTreeMap<String, String>, Failure> {
    match answer.get("allowProvisioning") {
        Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => return Err(denied("the pre-provisioning hook does not allow it")),
        _ => return Err(denied("the pre-provisioning hook did not say whether it allows it")),
    }
    match answer.get("parameterOverrides") {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(overrides)) => overrides
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) => Ok((name.clone(), text.clone())),
                _ => Err(denied("the pre-provisioning hook overrides a parameter with something else than a text")),
            })
            .collect(),
        Some(_) => Err(denied("the parameterOverrides of the pre-provisioning hook are no map of texts")),
    }
}

fn denied(message: &str) -> Failure {
    Failure::new(FleetError::AccessDenied, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_yes_allows() {
        let read = |answer: Value| allowed(&answer).map_err(|failure| failure.kind);
        assert_eq!(read(json!({ "allowProvisioning": true })), Ok(BTreeMap::new()));
        assert_eq!(read(json!({ "allowProvisioning": true, "parameterOverrides": null })), Ok(BTreeMap::new()));
        let overrides = json!({ "allowProvisioning": true, "parameterOverrides": { "a": "1" }, "more": 1 });
        assert_eq!(read(overrides), Ok(BTreeMap::from([("a".to_owned(), "1".to_owned())])));
        for answer in [
            json!(null),
            json!(true),
            json!({}),
            json!([{ "allowProvisioning": true }]),
            json!({ "allowProvisioning": false }),
            json!({ "allowProvisioning": "true" }),
            json!({ "allowProvisioning": 1 }),
            json!({ "AllowProvisioning": true }),
            json!({ "allowProvisioning": true, "parameterOverrides": [] }),
            json!({ "allowProvisioning": true, "parameterOverrides": { "a": 1 } }),
            json!({ "allowProvisioning": true, "parameterOverrides": { "a": { "Ref": "b" } } }),
        ] {
            assert_eq!(read(answer.clone()), Err(FleetError::AccessDenied), "{answer}");
        }
    }
}
