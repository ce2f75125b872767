//! ListProvisioningTemplateVersions: the versions of a provisioning template (at most five), newest first.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ProvisioningTemplateName;
use gatehouse_store::ProvisioningTemplateVersion;
use serde::{Deserialize, Serialize};

use super::provisioning_template::existing;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::PageRequest;
use crate::wire::EpochSeconds;

/// The operation.
pub struct ListProvisioningTemplateVersions;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    template_name: ProvisioningTemplateName,
    max_results: Option<u32>,
    next_token: Option<String>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    versions: Vec<ProvisioningTemplateVersionSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ProvisioningTemplateVersionSummary {
    version_id: i64,
    creation_date: EpochSeconds,
    is_default_version: bool,
}

impl Operation for ListProvisioningTemplateVersions {
    const NAME: &'static str = "ListProvisioningTemplateVersions";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/provisioning-templates/{templateName}/versions";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::provisioning_template(call.scope, input.template_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.template_name;
        let template = existing(call, name).await?;
        let request = PageRequest { marker: input.next_token.as_deref(), size: input.max_results, is_ascending: false };
        let (versions, next_token) = call
            .pager()
            .page(
                request,
                |page| call.store().provisioning_template_versions(call.scope, name, page),
                |version: &ProvisioningTemplateVersion| version.version,
            )
            .await?;
        let summary = |version: ProvisioningTemplateVersion| ProvisioningTemplateVersionSummary {
            version_id: version.version,
            creation_date: EpochSeconds(version.created_at),
            is_default_version: version.version == template.default_version,
        };
        Ok(Output { versions: versions.into_iter().map(summary).collect(), next_token })
    }
}
