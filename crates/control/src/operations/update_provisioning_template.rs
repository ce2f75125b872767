//! UpdateProvisioningTemplate: description, switch, default version, role and hook of a template, each on its own. Its
//! type stays, and its body changes by versions alone.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::event::Event;
use gatehouse_domain::name::ProvisioningTemplateName;
use gatehouse_domain::provisioning_template::changed_hook;
use gatehouse_store::{Batch, ProvisioningTemplateRecord};
use serde::Deserialize;

use super::provisioning_template::{ProvisioningHook, existing, invalid, passed_role, unknown_version};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct UpdateProvisioningTemplate;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    template_name: ProvisioningTemplateName,
    description: Option<String>,
    enabled: Option<bool>,
    default_version_id: Option<i64>,
    provisioning_role_arn: Option<String>,
    pre_provisioning_hook: Option<ProvisioningHook>,
    #[serde(default)]
    remove_pre_provisioning_hook: bool,
}

impl Operation for UpdateProvisioningTemplate {
    const NAME: &'static str = "UpdateProvisioningTemplate";
    const METHOD: &'static str = "PATCH";
    const PATH: &'static str = "/provisioning-templates/{templateName}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::provisioning_template(call.scope, input.template_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let name = &input.template_name;
        let current = existing(call, name).await?;
        let role_arn = match &input.provisioning_role_arn {
            Some(arn) => passed_role(call, arn)?,
            None => current.role_arn.clone(),
        };
        let hook = input.pre_provisioning_hook.as_ref().map(|hook| hook.read(call, current.template_type)).transpose()?;
        let hook = changed_hook(current.hook.clone(), hook, input.remove_pre_provisioning_hook)
            .map_err(|refusal| invalid(&refusal))?;
        let default_version = input.default_version_id.unwrap_or(current.default_version);
        if call.store().provisioning_template_version(call.scope, name, default_version).await?.is_none() {
            return Err(unknown_version(name, default_version));
        }

        let settings = ProvisioningTemplateRecord {
            description: input.description.clone().or_else(|| current.description.clone()),
            enabled: input.enabled.unwrap_or(current.enabled),
            role_arn,
            hook,
            default_version,
            ..current.clone()
        };
        if settings == current {
            return Ok(Nothing {});
        }
        let changed = ProvisioningTemplateRecord { last_modified_at: call.now, ..settings };
        let mut batch = Batch::new();
        batch.update_provisioning_template(&current, &changed);
        batch.announce(Event::ProvisioningTemplate { scope: call.scope, template_name: name.clone() });
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
