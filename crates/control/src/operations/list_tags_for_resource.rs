//! ListTagsForResource: the tags of a resource, by key.

use std::ops::Bound;

use gatehouse_domain::limits;
use gatehouse_store::Page;
use serde::{Deserialize, Serialize};

use super::resource_tags::tagged;
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::PageRequest;
use crate::wire::{Tag, canonical_arn};

/// The operation.
pub struct ListTagsForResource;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    resource_arn: String,
    next_token: Option<String>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    tags: Vec<Tag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Operation for ListTagsForResource {
    const NAME: &'static str = "ListTagsForResource";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/tags";
    type Input = Input;
    type Output = Output;

    fn resource(_call: &Call, input: &Input) -> String {
        canonical_arn(&input.resource_arn)
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let resource = tagged(call, &input.resource_arn).await?;
        let tags = resource.tags.map(|record| record.tags).unwrap_or_default();

        // The operation has no page size: all the tags that a resource may have fit on one page.
        let size = u32::try_from(limits::TAGS_PER_RESOURCE).ok();
        let request = PageRequest { marker: input.next_token.as_deref(), size, is_ascending: true };
        let after = |page: Page<String>| async move {
            let start = page.after.map_or(Bound::Unbounded, Bound::Excluded);
            Ok(tags.range((start, Bound::Unbounded)).map(|(key, value)| (key.clone(), value.clone())).collect())
        };
        let (tags, next_token) = call.pager().page(request, after, |(key, _): &(String, String)| key.clone()).await?;
        Ok(Output { tags: tags.into_iter().map(|(key, value)| Tag::new(key, value)).collect(), next_token })
    }
}
