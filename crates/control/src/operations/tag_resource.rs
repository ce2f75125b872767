//! TagResource: adds tags to a resource; a key that it has takes the new value.

use gatehouse_domain::tag::{TagRefusal, add};
use gatehouse_store::Batch;
use serde::Deserialize;

use super::resource_tags::tagged;
use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::wire::{Nothing, Tag, canonical_arn};

/// The operation.
pub struct TagResource;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    resource_arn: String,
    tags: Vec<Tag>,
}

impl Operation for TagResource {
    const NAME: &'static str = "TagResource";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/tags";
    type Input = Input;
    type Output = Nothing;

    fn resource(_call: &Call, input: &Input) -> String {
        canonical_arn(&input.resource_arn)
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let resource = tagged(call, &input.resource_arn).await?;
        let row_version = resource.tags.as_ref().map(|record| record.row_version);
        let current = resource.tags.as_ref().map(|record| record.tags.clone()).unwrap_or_default();

        let tags = add(&current, input.tags.iter().map(Tag::pair)).map_err(|refusal| match refusal {
            TagRefusal::TooMany => Error::refused(Code::LimitExceededException, refusal.to_string()),
            TagRefusal::Reserved(_) | TagRefusal::Repeated(_) => Error::invalid(refusal.to_string()),
        })?;
        if tags == current {
            return Ok(Nothing {});
        }

        let mut batch = Batch::new();
        resource.require(&mut batch);
        batch.set_tags(&resource.arn, &tags, row_version);
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
