//! UntagResource: removes tags by their keys; a key that the resource does not have is passed over.

use gatehouse_domain::tag::remove;
use gatehouse_store::Batch;
use serde::Deserialize;

use super::resource_tags::tagged;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::{Nothing, canonical_arn};

/// The operation.
pub struct UntagResource;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    resource_arn: String,
    tag_keys: Vec<String>,
}

impl Operation for UntagResource {
    const NAME: &'static str = "UntagResource";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/untag";
    type Input = Input;
    type Output = Nothing;

    fn resource(_call: &Call, input: &Input) -> String {
        canonical_arn(&input.resource_arn)
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let resource = tagged(call, &input.resource_arn).await?;
        let Some(current) = resource.tags else { return Ok(Nothing {}) };

        let tags = remove(&current.tags, input.tag_keys.iter().map(String::as_str));
        if tags == current.tags {
            return Ok(Nothing {});
        }

        let mut batch = Batch::new();
        batch.set_tags(&resource.arn, &tags, Some(current.row_version));
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
