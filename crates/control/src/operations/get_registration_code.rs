//! GetRegistrationCode: what the verification certificate of a CA must carry as its common name. Made at the first
//! call, stable until it is deleted.

use gatehouse_store::Batch;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;

/// The operation.
pub struct GetRegistrationCode;

/// What it takes: nothing.
#[derive(Debug, Deserialize)]
pub struct Input {}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    registration_code: String,
}

impl Operation for GetRegistrationCode {
    const NAME: &'static str = "GetRegistrationCode";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/registrationcode";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, _: &Input) -> Result<Output, Error> {
        if let Some(registration_code) = call.store().registration_code(call.scope).await? {
            return Ok(Output { registration_code });
        }
        let registration_code = call.generation_id()?;
        let mut batch = Batch::new();
        batch.insert_registration_code(call.scope, &registration_code, call.now);
        call.commit(batch).await?;
        Ok(Output { registration_code })
    }
}
