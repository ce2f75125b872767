//! What the operations of certificate providers share.

use gatehouse_domain::function::{self, FunctionArn};
use gatehouse_domain::name::CertificateProviderName;
use gatehouse_store::CertificateProviderRecord;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;

/// What a provider does by default: all that there is, and always.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) enum ProviderOperation {
    /// Issuing for requests.
    CreateCertificateFromCsr,
}

/// The scope's provider, if it has this name.
///
/// # Errors
/// `ResourceNotFoundException`.
pub(super) async fn find(call: &Call, name: &CertificateProviderName) -> Result<CertificateProviderRecord, Error> {
    let found = call.store().certificate_provider(call.scope).await?;
    found.filter(|record| record.creation.name == *name).ok_or_else(|| {
        Error::not_found(format!("certificate provider {name} does not exist in this account and Region"))
    })
}

/// The function that a provider is given.
///
/// # Errors
/// `InvalidRequestException` for what is no function of the account and Region.
pub(super) fn function(call: &Call, arn: &str) -> Result<FunctionArn, Error> {
    function::own(call.scope, arn).map_err(|refusal| Error::invalid(format!("lambdaFunctionArn: {refusal}")))
}
