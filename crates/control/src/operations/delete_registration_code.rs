//! DeleteRegistrationCode: certificates made for the old code prove nothing any more. Registered CAs stay.

use gatehouse_store::Batch;
use serde::Deserialize;

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::Nothing;

/// The operation.
pub struct DeleteRegistrationCode;

/// What it takes: nothing.
#[derive(Debug, Deserialize)]
pub struct Input {}

impl Operation for DeleteRegistrationCode {
    const NAME: &'static str = "DeleteRegistrationCode";
    const METHOD: &'static str = "DELETE";
    const PATH: &'static str = "/registrationcode";
    type Input = Input;
    type Output = Nothing;

    async fn run(call: &Call, _: &Input) -> Result<Nothing, Error> {
        let code = call.store().registration_code(call.scope).await?;
        let code = code.ok_or_else(|| Error::not_found("there is no registration code: GetRegistrationCode makes one"))?;
        let mut batch = Batch::new();
        batch.delete_registration_code(call.scope, &code);
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
