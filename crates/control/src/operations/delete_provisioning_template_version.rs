//! DeleteProvisioningTemplateVersion: removes a version that nobody provisions by.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::ProvisioningTemplateName;
use gatehouse_domain::provisioning_template::may_delete_version;
use gatehouse_store::Batch;
use serde::Deserialize;

use super::provisioning_template::{existing, unknown_version};
use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct DeleteProvisioningTemplateVersion;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    template_name: ProvisioningTemplateName,
    version_id: i64,
}

impl Operation for DeleteProvisioningTemplateVersion {
    const NAME: &'static str = "DeleteProvisioningTemplateVersion";
    const METHOD: &'static str = "DELETE";
    const PATH: &'static str = "/provisioning-templates/{templateName}/versions/{versionId}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::provisioning_template(call.scope, input.template_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let (name, version) = (&input.template_name, input.version_id);
        let template = existing(call, name).await?;
        if call.store().provisioning_template_version(call.scope, name, version).await?.is_none() {
            return Err(unknown_version(name, version));
        }
        may_delete_version(version, template.default_version).map_err(|refusal| {
            let text = format!("version {version} of provisioning template {name} {refusal}");
            Error::refused(Code::DeleteConflictException, text)
        })?;

        // No version that is provisioned by changes, so nobody needs to look again.
        let mut batch = Batch::new();
        batch.delete_provisioning_template_version(&template, version);
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
