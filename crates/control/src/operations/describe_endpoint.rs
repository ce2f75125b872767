//! DescribeEndpoint: the host name devices of the scope connect to. Made at the first call, stable from then on.

use gatehouse_domain::endpoint::{EndpointName, EndpointPrefix, EndpointType};
use gatehouse_store::Batch;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::random::random;

/// The operation.
pub struct DescribeEndpoint;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    endpoint_type: Option<String>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    endpoint_address: String,
}

impl Operation for DescribeEndpoint {
    const NAME: &'static str = "DescribeEndpoint";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/endpoint";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let endpoint_type = match input.endpoint_type.as_deref() {
            // The legacy default has no server chain of its own here, so no type means the one every client knows.
            None => EndpointType::DataAts,
            Some(text) => text.parse().map_err(|_| {
                let known = EndpointType::ALL.map(EndpointType::as_str).join(", ");
                Error::invalid(format!("the endpoint type '{text}' is unknown: use one of {known}"))
            })?,
        };
        let prefix = match call.store().endpoint_prefix(call.scope).await? {
            Some(prefix) => prefix,
            None => {
                let prefix = EndpointPrefix::from_random(random()?);
                let mut batch = Batch::new();
                batch.insert_endpoint_prefix(call.scope, &prefix);
                call.commit(batch).await?;
                prefix
            }
        };
        let name = EndpointName { endpoint_type, prefix, region: call.scope.region };
        Ok(Output { endpoint_address: name.host(&call.house.domain) })
    }
}
