//! CreateRoleAlias: a name under which devices get credentials for a role. The role is looked for when a device asks.

use std::collections::BTreeMap;

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::RoleAliasName;
use gatehouse_domain::role_alias::{DURATION_DEFAULT_SECS, may_create};
use gatehouse_domain::tag;
use gatehouse_store::{Batch, CountedKind, RoleAliasRecord};
use serde::{Deserialize, Serialize};

use super::role_of_alias::{duration_secs, passed_role};
use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::wire::Tag;

/// The operation.
pub struct CreateRoleAlias;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    role_alias: RoleAliasName,
    role_arn: String,
    credential_duration_seconds: Option<u32>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    role_alias: RoleAliasName,
    role_alias_arn: String,
}

impl Operation for CreateRoleAlias {
    const NAME: &'static str = "CreateRoleAlias";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/role-aliases/{roleAlias}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::role_alias(call.scope, input.role_alias.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let alias = &input.role_alias;
        let arn = Arn::role_alias(call.scope, alias.clone());
        let role_arn = passed_role(call, &input.role_arn)?;
        let duration_secs = duration_secs(input.credential_duration_seconds.unwrap_or(DURATION_DEFAULT_SECS))?;
        let tags = tag::add(&BTreeMap::new(), input.tags.iter().map(Tag::pair))
            .map_err(|refusal| Error::invalid(refusal.to_string()))?;
        if call.store().role_alias(call.scope, alias).await?.is_some() {
            return Err(Error::already_exists(
                format!("role alias {alias} exists already in this account and Region"),
                alias.as_str(),
                &arn,
            ));
        }
        may_create(call.store().count_of(call.scope, CountedKind::RoleAlias).await?)
            .map_err(|refusal| Error::refused(Code::LimitExceededException, refusal.to_string()))?;

        let record = RoleAliasRecord {
            scope: call.scope,
            alias: alias.clone(),
            role_arn,
            duration_secs,
            generation_id: call.generation_id()?,
            created_at: call.now,
            last_modified_at: call.now,
        };
        let mut batch = Batch::new();
        batch.insert_role_alias(&record);
        if !tags.is_empty() {
            batch.set_tags(&arn, &tags, None);
        }
        call.commit(batch).await?;
        Ok(Output { role_alias: alias.clone(), role_alias_arn: arn.to_string() })
    }
}
