//! DescribeProvisioningTemplateVersion: one version of a provisioning template.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ProvisioningTemplateName;
use serde::{Deserialize, Serialize};

use super::provisioning_template::{existing, unknown_version};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::EpochSeconds;

/// The operation.
pub struct DescribeProvisioningTemplateVersion;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    template_name: ProvisioningTemplateName,
    version_id: i64,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    version_id: i64,
    creation_date: EpochSeconds,
    template_body: String,
    is_default_version: bool,
}

impl Operation for DescribeProvisioningTemplateVersion {
    const NAME: &'static str = "DescribeProvisioningTemplateVersion";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/provisioning-templates/{templateName}/versions/{versionId}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::provisioning_template(call.scope, input.template_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let (name, version_id) = (&input.template_name, input.version_id);
        let template = existing(call, name).await?;
        let found = call.store().provisioning_template_version(call.scope, name, version_id).await?;
        let (version, template_body) = found.ok_or_else(|| unknown_version(name, version_id))?;
        Ok(Output {
            version_id: version.version,
            creation_date: EpochSeconds(version.created_at),
            template_body,
            is_default_version: version.version == template.default_version,
        })
    }
}
