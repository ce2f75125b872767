//! ListRoleAliases: the names of the scope's role aliases in alphabetical order, backwards unless asked otherwise.

use gatehouse_domain::name::RoleAliasName;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::PageRequest;

/// The operation.
pub struct ListRoleAliases;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    page_size: Option<u32>,
    marker: Option<String>,
    #[serde(default)]
    ascending_order: bool,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    role_aliases: Vec<RoleAliasName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

impl Operation for ListRoleAliases {
    const NAME: &'static str = "ListRoleAliases";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/role-aliases";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let request = PageRequest::new(&input.marker, input.page_size, input.ascending_order);
        let (records, next_marker) = call
            .pager()
            .page(
                request,
                |page| call.store().role_aliases(call.scope, page),
                |record| -> RoleAliasName { record.alias.clone() },
            )
            .await?;
        Ok(Output { role_aliases: records.into_iter().map(|record| record.alias).collect(), next_marker })
    }
}
