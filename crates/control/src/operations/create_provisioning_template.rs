//! CreateProvisioningTemplate: a named template with its first version. Nobody provisions by it until it is enabled.

use std::collections::BTreeMap;

use gatehouse_domain::arn::Arn;
use gatehouse_domain::event::Event;
use gatehouse_domain::name::ProvisioningTemplateName;
use gatehouse_domain::provisioning_template::{TemplateType, may_create};
use gatehouse_domain::tag;
use gatehouse_store::{Batch, CountedKind, ProvisioningTemplateRecord};
use serde::{Deserialize, Serialize};

use super::provisioning_template::{ProvisioningHook, check_body, passed_role};
use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::wire::Tag;

/// The operation.
pub struct CreateProvisioningTemplate;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    template_name: ProvisioningTemplateName,
    description: Option<String>,
    template_body: String,
    #[serde(default)]
    enabled: bool,
    provisioning_role_arn: String,
    pre_provisioning_hook: Option<ProvisioningHook>,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(rename = "type", default)]
    template_type: TemplateType,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    template_arn: String,
    template_name: ProvisioningTemplateName,
    default_version_id: i64,
}

impl Operation for CreateProvisioningTemplate {
    const NAME: &'static str = "CreateProvisioningTemplate";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/provisioning-templates";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::provisioning_template(call.scope, input.template_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.template_name;
        let arn = Arn::provisioning_template(call.scope, name.clone());
        check_body(&input.template_body, input.template_type)?;
        let role_arn = passed_role(call, &input.provisioning_role_arn)?;
        let hook = input.pre_provisioning_hook.as_ref().map(|hook| hook.read(call, input.template_type)).transpose()?;
        let tags = tag::add(&BTreeMap::new(), input.tags.iter().map(Tag::pair))
            .map_err(|refusal| Error::invalid(refusal.to_string()))?;
        if call.store().provisioning_template(call.scope, name).await?.is_some() {
            return Err(Error::already_exists(
                format!("provisioning template {name} exists already in this account and Region"),
                name.as_str(),
                &arn,
            ));
        }
        may_create(call.store().count_of(call.scope, CountedKind::ProvisioningTemplate).await?)
            .map_err(|refusal| Error::refused(Code::LimitExceededException, refusal.to_string()))?;

        let record = ProvisioningTemplateRecord {
            scope: call.scope,
            name: name.clone(),
            template_type: input.template_type,
            description: input.description.clone(),
            enabled: input.enabled,
            role_arn,
            hook,
            default_version: 1,
            next_version: 2,
            version_count: 1,
            row_version: 1,
            generation_id: call.generation_id()?,
            created_at: call.now,
            last_modified_at: call.now,
        };
        let mut batch = Batch::new();
        batch.insert_provisioning_template(&record, &input.template_body);
        if !tags.is_empty() {
            batch.set_tags(&arn, &tags, None);
        }
        batch.announce(Event::ProvisioningTemplate { scope: call.scope, template_name: name.clone() });
        call.commit(batch).await?;
        Ok(Output { template_arn: arn.to_string(), template_name: name.clone(), default_version_id: 1 })
    }
}
