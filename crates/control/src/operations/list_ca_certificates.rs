//! ListCACertificates: the scope's CA certificates by creation date, newest first unless asked otherwise.

use gatehouse_domain::ca::CaStatus;
use gatehouse_domain::certificate::CertificateId;
use serde::{Deserialize, Serialize};

use super::ca_registration::ca_arn;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{CertificateCursor, PageRequest};
use crate::wire::EpochSeconds;

/// The operation.
pub struct ListCACertificates;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    page_size: Option<u32>,
    marker: Option<String>,
    #[serde(default)]
    ascending_order: bool,
    template_name: Option<String>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    certificates: Vec<CaCertificate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CaCertificate {
    certificate_arn: String,
    certificate_id: CertificateId,
    status: CaStatus,
    creation_date: EpochSeconds,
}

impl Operation for ListCACertificates {
    const NAME: &'static str = "ListCACertificates";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/cacertificates";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let request = PageRequest::new(&input.marker, input.page_size, input.ascending_order);
        let (records, next_marker) = call
            .pager()
            .page(
                request,
                |page| call.store().ca_certificates(call.scope, input.template_name.as_deref(), page),
                |record| -> CertificateCursor { (record.created_at, record.certificate_id) },
            )
            .await?;
        let certificates = records
            .into_iter()
            .map(|record| CaCertificate {
                certificate_arn: ca_arn(call.scope, record.certificate_id).to_string(),
                certificate_id: record.certificate_id,
                status: record.status,
                creation_date: EpochSeconds(record.created_at),
            })
            .collect();
        Ok(Output { certificates, next_marker })
    }
}
