//! DeleteCACertificate: removes a CA certificate that is not ACTIVE. Device certificates it has signed stay registered.

use gatehouse_domain::ca::may_delete;
use gatehouse_domain::certificate::CertificateId;
use gatehouse_store::Batch;
use serde::Deserialize;

use super::ca_registration::{ca_arn, unknown_ca};
use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct DeleteCACertificate;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    certificate_id: CertificateId,
}

impl Operation for DeleteCACertificate {
    const NAME: &'static str = "DeleteCACertificate";
    const METHOD: &'static str = "DELETE";
    const PATH: &'static str = "/cacertificate/{caCertificateId}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        ca_arn(call.scope, input.certificate_id).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let id = input.certificate_id;
        let record = call.store().ca_certificate(call.scope, id).await?.ok_or_else(|| unknown_ca(id))?;
        may_delete(record.status)
            .map_err(|refusal| Error::refused(Code::CertificateStateException, format!("CA certificate {id}: {refusal}")))?;

        let mut batch = Batch::new();
        batch.delete_ca_certificate(&record);
        batch.delete_tags(&ca_arn(call.scope, id));
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
