//! CreatePolicy: a named policy with its first version, which is in force at once. Nothing is attached yet.

use std::collections::BTreeMap;

use gatehouse_domain::arn::Arn;
use gatehouse_domain::name::PolicyName;
use gatehouse_domain::policy::PolicyDocument;
use gatehouse_domain::tag;
use gatehouse_store::{Batch, PolicyRecord};
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::{Tag, malformed_policy};

/// The operation.
pub struct CreatePolicy;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    policy_name: PolicyName,
    policy_document: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    policy_name: PolicyName,
    policy_arn: String,
    policy_document: String,
    policy_version_id: String,
}

impl Operation for CreatePolicy {
    const NAME: &'static str = "CreatePolicy";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/policies/{policyName}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::policy(call.scope, input.policy_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.policy_name;
        let arn = Arn::policy(call.scope, name.clone());
        if call.store().policy(call.scope, name).await?.is_some() {
            return Err(Error::already_exists(
                format!("Policy cannot be created - name already exists (name={name})"),
                name.as_str(),
                &arn,
            ));
        }

        PolicyDocument::parse(&input.policy_document).map_err(|refusal| malformed_policy(&refusal))?;
        let tags = tag::add(&BTreeMap::new(), input.tags.iter().map(Tag::pair))
            .map_err(|refusal| Error::invalid(refusal.to_string()))?;

        let record = PolicyRecord::new(call.scope, name.clone(), call.generation_id()?, call.now);
        let mut batch = Batch::new();
        batch.insert_policy(&record, &input.policy_document);
        if !tags.is_empty() {
            batch.set_tags(&arn, &tags, None);
        }
        call.commit(batch).await?;
        Ok(Output {
            policy_name: name.clone(),
            policy_arn: arn.to_string(),
            policy_document: input.policy_document.clone(),
            policy_version_id: "1".to_owned(),
        })
    }
}
