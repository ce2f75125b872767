//! CreateProvisioningTemplateVersion: another body for a template, provisioned by at once when asked. A template has at
//! most five.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::event::Event;
use gatehouse_domain::name::ProvisioningTemplateName;
use gatehouse_domain::provisioning_template::may_add_version;
use gatehouse_store::Batch;
use serde::{Deserialize, Serialize};

use super::provisioning_template::{check_body, existing};
use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;

/// The operation.
pub struct CreateProvisioningTemplateVersion;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    template_name: ProvisioningTemplateName,
    template_body: String,
    #[serde(default)]
    set_as_default: bool,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    template_arn: String,
    template_name: ProvisioningTemplateName,
    version_id: i64,
    is_default_version: bool,
}

impl Operation for CreateProvisioningTemplateVersion {
    const NAME: &'static str = "CreateProvisioningTemplateVersion";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/provisioning-templates/{templateName}/versions";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::provisioning_template(call.scope, input.template_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.template_name;
        let template = existing(call, name).await?;
        check_body(&input.template_body, template.template_type)?;
        may_add_version(template.version_count).map_err(|refusal| {
            Error::refused(Code::VersionsLimitExceededException, format!("provisioning template {name} {refusal}"))
        })?;

        let mut batch = Batch::new();
        batch.insert_provisioning_template_version(&template, &input.template_body, input.set_as_default, call.now);
        if input.set_as_default {
            batch.announce(Event::ProvisioningTemplate { scope: call.scope, template_name: name.clone() });
        }
        call.commit(batch).await?;
        Ok(Output {
            template_arn: Arn::provisioning_template(call.scope, name.clone()).to_string(),
            template_name: name.clone(),
            version_id: template.next_version,
            is_default_version: input.set_as_default,
        })
    }
}
