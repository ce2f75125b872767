//! DescribeEndpoint: the host name devices of the scope connect to. Made at the first call, stable from then on.

use gatehouse_domain::endpoint::EndpointType;
use serde::{Deserialize, Serialize};

use super::domain_configuration::endpoint_host;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;

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
        Ok(Output { endpoint_address: endpoint_host(call, endpoint_type).await? })
    }
}
