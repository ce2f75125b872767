//! DeleteProvisioningTemplate: removes a template with all its versions. One that CA certificates name stays.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::event::Event;
use gatehouse_domain::name::ProvisioningTemplateName;
use gatehouse_domain::provisioning_template::may_delete;
use gatehouse_store::{Batch, Page};
use serde::Deserialize;

use super::provisioning_template::existing;
use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct DeleteProvisioningTemplate;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    template_name: ProvisioningTemplateName,
}

impl Operation for DeleteProvisioningTemplate {
    const NAME: &'static str = "DeleteProvisioningTemplate";
    const METHOD: &'static str = "DELETE";
    const PATH: &'static str = "/provisioning-templates/{templateName}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::provisioning_template(call.scope, input.template_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let name = &input.template_name;
        // Read before the CA certificates: one that comes to name it now changes the template.
        let record = existing(call, name).await?;
        let named_by = call.store().ca_certificates(call.scope, Some(name.as_str()), Page::first(1)).await?;
        may_delete(!named_by.is_empty()).map_err(|refusal| {
            Error::refused(Code::DeleteConflictException, format!("provisioning template {name} {refusal}"))
        })?;

        let mut batch = Batch::new();
        batch.delete_provisioning_claims(call.scope, &record.name);
        batch.delete_provisioning_template(&record);
        batch.delete_tags(&Arn::provisioning_template(call.scope, name.clone()));
        batch.announce(Event::ProvisioningTemplate { scope: call.scope, template_name: name.clone() });
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
