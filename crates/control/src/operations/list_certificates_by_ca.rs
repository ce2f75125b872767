//! ListCertificatesByCA: the device certificates that were registered under a CA certificate. An unknown CA has none.

use gatehouse_domain::certificate::CertificateId;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{CertificateCursor, PageRequest};
use crate::wire::CertificateItem;

/// The operation.
pub struct ListCertificatesByCA;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    ca_certificate_id: CertificateId,
    page_size: Option<u32>,
    marker: Option<String>,
    #[serde(default)]
    ascending_order: bool,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    certificates: Vec<CertificateItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

impl Operation for ListCertificatesByCA {
    const NAME: &'static str = "ListCertificatesByCA";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/certificates-by-ca/{caCertificateId}";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let request = PageRequest::new(&input.marker, input.page_size, input.ascending_order);
        let (records, next_marker) = call
            .pager()
            .page(
                request,
                |page| call.store().certificates_by_ca(call.scope, input.ca_certificate_id, page),
                |record| -> CertificateCursor { (record.created_at, record.certificate_id) },
            )
            .await?;
        let certificates = records.iter().map(|record| CertificateItem::new(call.scope, record)).collect();
        Ok(Output { certificates, next_marker })
    }
}
