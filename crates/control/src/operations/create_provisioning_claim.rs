//! CreateProvisioningClaim: a temporary claim for a trusted user: a certificate and its key that live for five minutes and
//! may do nothing but provision a device by one template. The key pair is returned once and kept nowhere.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::name::ProvisioningTemplateName;
use gatehouse_domain::provisioning_template::may_be_claimed;
use gatehouse_store::{Batch, ProvisioningClaimRecord};
use serde::{Deserialize, Serialize};

use super::provisioning_template::existing;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::EpochSeconds;

/// The operation.
pub struct CreateProvisioningClaim;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    template_name: ProvisioningTemplateName,
}

/// What it answers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    certificate_id: CertificateId,
    certificate_pem: String,
    key_pair: KeyPair,
    expiration: EpochSeconds,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeyPair {
    public_key: String,
    private_key: String,
}

impl Operation for CreateProvisioningClaim {
    const NAME: &'static str = "CreateProvisioningClaim";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/provisioning-templates/{templateName}/provisioning-claim";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::provisioning_template(call.scope, input.template_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let template = existing(call, &input.template_name).await?;
        may_be_claimed(template.template_type).map_err(|refusal| Error::invalid(refusal.to_string()))?;
        let pair = call.new_key_pair().await?;
        let claim = call.claim(&pair).await?;

        let record = ProvisioningClaimRecord {
            scope: call.scope,
            certificate_id: claim.certificate.id(),
            template_name: template.name.clone(),
            not_before: claim.certificate.not_before(),
            not_after: claim.certificate.not_after(),
        };
        let mut batch = Batch::new();
        // Deleted meanwhile, the template is nothing to claim.
        batch.require_provisioning_template(&template);
        batch.insert_provisioning_claim(&record);
        batch.finish_issuance(&claim.serial, record.certificate_id);
        call.commit(batch).await?;
        Ok(Output {
            certificate_id: record.certificate_id,
            certificate_pem: claim.certificate.to_pem(),
            key_pair: KeyPair { public_key: pair.public_pem().to_owned(), private_key: pair.private_pem().to_owned() },
            expiration: EpochSeconds(record.not_after),
        })
    }
}
