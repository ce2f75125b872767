//! DescribeRoleAlias: one role alias's record.

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::RoleAliasName;
use gatehouse_domain::role_alias::RoleArn;
use gatehouse_domain::scope::AccountId;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::{EpochSeconds, unknown_role_alias};

/// The operation.
pub struct DescribeRoleAlias;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    role_alias: RoleAliasName,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    role_alias_description: RoleAliasDescription,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RoleAliasDescription {
    role_alias: RoleAliasName,
    role_alias_arn: String,
    role_arn: RoleArn,
    owner: AccountId,
    credential_duration_seconds: u32,
    creation_date: EpochSeconds,
    last_modified_date: EpochSeconds,
}

impl Operation for DescribeRoleAlias {
    const NAME: &'static str = "DescribeRoleAlias";
    const METHOD: &'static str = "GET";
    const PATH: &'static str = "/role-aliases/{roleAlias}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::role_alias(call.scope, input.role_alias.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let alias = &input.role_alias;
        let record = call.store().role_alias(call.scope, alias).await?.ok_or_else(|| unknown_role_alias(alias))?;
        Ok(Output {
            role_alias_description: RoleAliasDescription {
                role_alias_arn: Arn::role_alias(call.scope, record.alias.clone()).to_string(),
                role_alias: record.alias,
                role_arn: record.role_arn,
                owner: record.scope.account,
                credential_duration_seconds: record.duration_secs,
                creation_date: EpochSeconds(record.created_at),
                last_modified_date: EpochSeconds(record.last_modified_at),
            },
        })
    }
}
