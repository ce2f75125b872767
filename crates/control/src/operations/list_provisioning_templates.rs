//! ListProvisioningTemplates: the scope's provisioning templates by name.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ProvisioningTemplateName;
use gatehouse_domain::provisioning_template::TemplateType;
use gatehouse_store::ProvisioningTemplateRecord;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::PageRequest;
use crate::wire::EpochSeconds;

/// The operation.
pub struct ListProvisioningTemplates;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    max_results: Option<u32>,
    next_token: Option<String>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    templates: Vec<ProvisioningTemplateSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ProvisioningTemplateSummary {
    template_arn: String,
    template_name: ProvisioningTemplateName,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    creation_date: EpochSeconds,
    last_modified_date: EpochSeconds,
    enabled: bool,
    #[serde(rename = "type")]
    template_type: TemplateType,
}

impl Operation for ListProvisioningTemplates {
    const NAME: &'static str = "ListProvisioningTemplates";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/provisioning-templates";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let request = PageRequest { marker: input.next_token.as_deref(), size: input.max_results, is_ascending: true };
        let (records, next_token) = call
            .pager()
            .page(
                request,
                |page| call.store().provisioning_templates(call.scope, page),
                |record: &ProvisioningTemplateRecord| record.name.clone(),
            )
            .await?;
        let summary = |record: ProvisioningTemplateRecord| ProvisioningTemplateSummary {
            template_arn: Arn::provisioning_template(call.scope, record.name.clone()).to_string(),
            template_name: record.name,
            description: record.description,
            creation_date: EpochSeconds(record.created_at),
            last_modified_date: EpochSeconds(record.last_modified_at),
            enabled: record.enabled,
            template_type: record.template_type,
        };
        Ok(Output { templates: records.into_iter().map(summary).collect(), next_token })
    }
}
