//! CreateCertificateProvider: from now on, a function of the account's issues for certificate signing requests, not this
//! deployment's authority. The same request again, by its token, gets the same answer.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use gatehouse_domain::arn::Arn;
use gatehouse_domain::certificate_provider::{Creation, CreationOutcome, CreationRefusal, create};
use gatehouse_domain::name::CertificateProviderName;
use gatehouse_domain::tag;
use gatehouse_store::{Batch, CertificateProviderRecord};
use serde::{Deserialize, Serialize};

use super::certificate_provider::{ProviderOperation, function};
use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::wire::Tag;

/// The operation.
pub struct CreateCertificateProvider;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    certificate_provider_name: CertificateProviderName,
    lambda_function_arn: String,
    /// The model asks for exactly the one that there is.
    #[expect(dead_code, reason = "what it may say is all that there is, and is checked before")]
    account_default_for_operations: Vec<ProviderOperation>,
    client_token: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    certificate_provider_name: CertificateProviderName,
    certificate_provider_arn: String,
}

impl Operation for CreateCertificateProvider {
    const NAME: &'static str = "CreateCertificateProvider";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/certificate-providers/{certificateProviderName}";
    type Input = Input;
    type Output = Output;

    fn resource(call: &Call, input: &Input) -> String {
        Arn::certificate_provider(call.scope, input.certificate_provider_name.clone()).to_string()
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let name = &input.certificate_provider_name;
        let arn = Arn::certificate_provider(call.scope, name.clone());
        let function_arn = function(call, &input.lambda_function_arn)?;
        let tags = tag::add(&BTreeMap::new(), input.tags.iter().map(Tag::pair))
            .map_err(|refusal| Error::invalid(refusal.to_string()))?;

        let request = serde_json::json!([name, function_arn, tags]).to_string();
        let creation = Creation {
            name: name.clone(),
            token_sha256: input.client_token.as_deref().map(sha256),
            request_sha256: sha256(&request),
        };
        let existing = call.store().certificate_provider(call.scope).await?;
        let outcome = create(existing.as_ref().map(|record| &record.creation), &creation);
        let outcome = outcome.map_err(|refusal| match refusal {
            CreationRefusal::NameTaken(_) => Error::already_exists(refusal.to_string(), name.as_str(), &arn),
            CreationRefusal::TooMany(_) => Error::refused(Code::LimitExceededException, refusal.to_string()),
            CreationRefusal::TokenUsed => Error::invalid(refusal.to_string()),
        })?;

        if outcome == CreationOutcome::Make {
            let record = CertificateProviderRecord {
                scope: call.scope,
                creation,
                function_arn,
                generation_id: call.generation_id()?,
                created_at: call.now,
                last_modified_at: call.now,
            };
            let mut batch = Batch::new();
            batch.insert_certificate_provider(&record);
            if !tags.is_empty() {
                batch.set_tags(&arn, &tags, None);
            }
            call.commit(batch).await?;
        }
        Ok(Output { certificate_provider_name: name.clone(), certificate_provider_arn: arn.to_string() })
    }
}

fn sha256(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}
