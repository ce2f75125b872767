//! UpdateRoleAlias: another role, another duration. Credentials that devices have already keep what they were given with.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::RoleAliasName;
use gatehouse_store::{Batch, RoleAliasRecord};
use serde::{Deserialize, Serialize};

use super::role_of_alias::{duration_secs, passed_role};
use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::unknown_role_alias;

/// The operation.
pub struct UpdateRoleAlias;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    role_alias: RoleAliasName,
    role_arn: Option<String>,
    credential_duration_seconds: Option<u32>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    role_alias: RoleAliasName,
    role_alias_arn: String,
}

impl Operation for UpdateRoleAlias {
    const NAME: &'static str = "UpdateRoleAlias";
    const METHOD: &'static str = "PUT";
    const PATH: &'static str = "/role-aliases/{roleAlias}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::role_alias(call.scope, input.role_alias.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let alias = &input.role_alias;
        let current = call.store().role_alias(call.scope, alias).await?.ok_or_else(|| unknown_role_alias(alias))?;
        let role_arn = match &input.role_arn {
            Some(arn) => passed_role(call, arn)?,
            None => current.role_arn.clone(),
        };
        let duration_secs = duration_secs(input.credential_duration_seconds.unwrap_or(current.duration_secs))?;

        let changed = RoleAliasRecord {
            role_arn,
            duration_secs,
            generation_id: call.generation_id()?,
            last_modified_at: call.now,
            ..current.clone()
        };
        let mut batch = Batch::new();
        batch.update_role_alias(&current, &changed);
        call.commit(batch).await?;
        let role_alias_arn = Arn::role_alias(call.scope, alias.clone()).to_string();
        Ok(Output { role_alias: alias.clone(), role_alias_arn })
    }
}
