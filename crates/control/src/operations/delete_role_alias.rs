//! DeleteRoleAlias: devices get no more credentials by this name. Those that they have run out by themselves.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::RoleAliasName;
use gatehouse_store::Batch;
use serde::Deserialize;

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::{Nothing, unknown_role_alias};

/// The operation.
pub struct DeleteRoleAlias;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    role_alias: RoleAliasName,
}

impl Operation for DeleteRoleAlias {
    const NAME: &'static str = "DeleteRoleAlias";
    const METHOD: &'static str = "DELETE";
    const PATH: &'static str = "/role-aliases/{roleAlias}";
    type Input = Input;
    type Output = Nothing;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::role_alias(call.scope, input.role_alias.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Nothing, Error> {
        let alias = &input.role_alias;
        let record = call.store().role_alias(call.scope, alias).await?.ok_or_else(|| unknown_role_alias(alias))?;
        let mut batch = Batch::new();
        batch.delete_role_alias(&record);
        batch.delete_tags(&Arn::role_alias(call.scope, alias.clone()));
        call.commit(batch).await?;
        Ok(Nothing {})
    }
}
