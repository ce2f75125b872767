//! DescribeProvisioningTemplate: one template's record, with the body of its default version.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ProvisioningTemplateName;
use gatehouse_domain::provisioning_template::TemplateType;
use gatehouse_domain::role_alias::RoleArn;
use serde::{Deserialize, Serialize};

use super::provisioning_template::{ProvisioningHook, unknown_template};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::EpochSeconds;

/// The operation.
pub struct DescribeProvisioningTemplate;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    template_name: ProvisioningTemplateName,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    template_arn: String,
    template_name: ProvisioningTemplateName,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    creation_date: EpochSeconds,
    last_modified_date: EpochSeconds,
    default_version_id: i64,
    template_body: String,
    enabled: bool,
    provisioning_role_arn: RoleArn,
    #[serde(skip_serializing_if = "Option::is_none")]
    pre_provisioning_hook: Option<ProvisioningHook>,
    #[serde(rename = "type")]
    template_type: TemplateType,
}

impl Operation for DescribeProvisioningTemplate {
    const NAME: &'static str = "DescribeProvisioningTemplate";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/provisioning-templates/{templateName}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::provisioning_template(call.scope, input.template_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.template_name;
        let found = call.store().provisioning_template_in_force(call.scope, name).await?;
        let (record, template_body) = found.ok_or_else(|| unknown_template(name))?;
        Ok(Output {
            template_arn: Arn::provisioning_template(call.scope, record.name.clone()).to_string(),
            template_name: record.name,
            description: record.description,
            creation_date: EpochSeconds(record.created_at),
            last_modified_date: EpochSeconds(record.last_modified_at),
            default_version_id: record.default_version,
            template_body,
            enabled: record.enabled,
            provisioning_role_arn: record.role_arn,
            pre_provisioning_hook: record.hook.map(ProvisioningHook::from),
            template_type: record.template_type,
        })
    }
}
