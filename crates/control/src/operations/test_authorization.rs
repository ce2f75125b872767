//! TestAuthorization: what a principal's policies would say, asked of the same engine that guards the gate.

use std::collections::BTreeSet;
use std::sync::Arc;

use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::limits;
use gatehouse_domain::name::PolicyName;
use gatehouse_domain::policy::{
    ConnectAttributes, ConnectionContext, ConnectionFacts, PolicyDocument, Request, Verdict, explain,
};
use gatehouse_domain::scope::Scope;
use gatehouse_domain::thing::{Attachment, associated};
use gatehouse_domain::time::Timestamp;
use gatehouse_pki::certificate::Certificate;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::Error;
use crate::operation::Operation;
use crate::wire::{PolicyItem, PolicyTarget, canonical_arn, policy_target, unknown_certificate, unknown_policy};

/// The operation.
pub struct TestAuthorization;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    principal: Option<String>,
    cognito_identity_pool_id: Option<String>,
    auth_infos: Vec<AuthInfo>,
    client_id: Option<String>,
    #[serde(default)]
    policy_names_to_add: Vec<PolicyName>,
    #[serde(default)]
    policy_names_to_skip: Vec<PolicyName>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    action_type: Option<ActionType>,
    resources: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum ActionType {
    Publish,
    Subscribe,
    Receive,
    Connect,
}

impl ActionType {
    const fn action(self) -> &'static str {
        match self {
            Self::Publish => "iot:Publish",
            Self::Subscribe => "iot:Subscribe",
            Self::Receive => "iot:Receive",
            Self::Connect => "iot:Connect",
        }
    }
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    auth_results: Vec<AuthResult>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthResult {
    auth_info: AuthInfo,
    allowed: Policies,
    denied: Denied,
    auth_decision: &'static str,
    missing_context_values: BTreeSet<String>,
}

#[derive(Debug, Default, Serialize)]
struct Policies {
    policies: Vec<PolicyItem>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Denied {
    implicit_deny: Policies,
    explicit_deny: Policies,
}

impl Operation for TestAuthorization {
    const NAME: &'static str = "TestAuthorization";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/test-authorization";
    type Input = Input;
    type Output = Output;

    fn resource(_call: &Call, input: &Input) -> String {
        input.principal.as_deref().map_or_else(|| "*".to_owned(), canonical_arn)
    }

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        if input.cognito_identity_pool_id.is_some() {
            return Err(Error::invalid("Cognito identity pools do not exist here: leave out cognitoIdentityPoolId"));
        }
        bound(input)?;
        let (names, facts) = simulate(call, input).await?;
        let mut policies = Vec::with_capacity(names.len());
        for name in names {
            let stored = call.store().default_policy_document(call.scope, &name).await?;
            let (_, text) = stored.ok_or_else(|| unknown_policy(&name))?;
            let document = PolicyDocument::parse(&text).map_err(|error| Error::Internal(error.to_string()))?;
            policies.push((name, document));
        }
        let (scope, now, infos) = (call.scope, call.now, input.auth_infos.clone());
        // The policies of a thing's groups may be hundreds: not on the reactor.
        let auth_results = tokio::task::spawn_blocking(move || {
            infos.into_iter().map(|info| test(scope, now, info, &policies, &facts)).collect::<Result<_, _>>()
        })
        .await
        .map_err(|error| Error::Internal(error.to_string()))??;
        Ok(Output { auth_results })
    }
}

/// The model leaves open how much may be asked at once.
fn bound(input: &Input) -> Result<(), Error> {
    let named = input.policy_names_to_add.len().max(input.policy_names_to_skip.len());
    let resources = input.auth_infos.iter().map(|info| info.resources.len()).max().unwrap_or(0);
    if named > limits::POLICIES_TESTED || resources > limits::RESOURCES_TESTED {
        return Err(Error::invalid(format!(
            "at most {} policy names and {} resources can be tested at once",
            limits::POLICIES_TESTED,
            limits::RESOURCES_TESTED
        )));
    }
    Ok(())
}

/// The policies that would decide, and what would be known of the connection.
async fn simulate(call: &Call, input: &Input) -> Result<(Vec<PolicyName>, ConnectionFacts), Error> {
    let client_id = match input.client_id.as_deref() {
        Some(text) => Some(ClientId::parse(text).map_err(|error| Error::invalid(error.to_string()))?),
        None => None,
    };
    let mut facts = ConnectionFacts { client_id, ..ConnectionFacts::default() };
    let mut names = Vec::new();
    if let Some(principal) = &input.principal {
        let PolicyTarget::Certificate(id) = policy_target(call, principal)? else {
            return Err(Error::invalid(
                "a thing group does not connect: name the certificate of a device as principal, and the thing's name as \
                 clientId",
            ));
        };
        let record = call.store().admission(call.scope, id).await?.ok_or_else(|| unknown_certificate(id))?;
        let pem = call.store().certificate_pem(call.scope, id).await?.ok_or_else(|| unknown_certificate(id))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| Error::Internal(error.to_string()))?;
        facts.certificate_id = Some(id);
        facts.certificate_names = Some(Arc::new(certificate.names()));
        let attachments: Vec<Attachment> = record.things.iter().map(gatehouse_store::ThingAttachment::rule).collect();
        let client_id = facts.client_id.as_ref().map_or("", ClientId::as_str);
        if let Some(attachment) = associated(&attachments, client_id)
            && let Some(thing) = call.store().thing(call.scope, &attachment.thing_name).await?
        {
            let inherited = call.store().inherited_policies(call.scope, &thing.name).await?.unwrap_or_default();
            names.extend(inherited.policies);
            facts.thing = Some(Arc::new(thing.facts()));
        }
        names.extend(record.policies);
    }
    names.extend(input.policy_names_to_add.iter().cloned());
    names.retain(|name| !input.policy_names_to_skip.contains(name));
    names.sort_unstable();
    names.dedup();
    Ok((names, facts))
}

fn test(
    scope: Scope,
    now: Timestamp,
    info: AuthInfo,
    policies: &[(PolicyName, PolicyDocument)],
    facts: &ConnectionFacts,
) -> Result<AuthResult, Error> {
    let action_type = info
        .action_type
        .ok_or_else(|| Error::invalid("actionType is missing: use PUBLISH, SUBSCRIBE, RECEIVE or CONNECT"))?;
    let context = match action_type {
        ActionType::Connect => ConnectionContext::connecting(facts, now, ConnectAttributes::default()),
        _ => ConnectionContext::new(facts, now),
    };
    let mut result = AuthResult {
        auth_info: info,
        allowed: Policies::default(),
        denied: Denied::default(),
        auth_decision: "ALLOWED",
        missing_context_values: BTreeSet::new(),
    };
    let resources = &result.auth_info.resources;
    let mut covered = vec![false; resources.len()];
    for (name, document) in policies {
        let mut verdicts = Vec::with_capacity(resources.len());
        for (resource, covered) in resources.iter().zip(&mut covered) {
            let request = Request { action: action_type.action(), resource, context: &context };
            let explanation = explain(document, &request);
            *covered |= explanation.verdict == Verdict::Allows;
            verdicts.push(explanation.verdict);
            result.missing_context_values.extend(explanation.missing_context_values);
        }
        let item = PolicyItem::new(scope, name.clone());
        if verdicts.contains(&Verdict::Denies) {
            result.denied.explicit_deny.policies.push(item);
        } else if verdicts.contains(&Verdict::Allows) {
            result.allowed.policies.push(item);
        } else {
            result.denied.implicit_deny.policies.push(item);
        }
    }
    if !result.denied.explicit_deny.policies.is_empty() {
        result.auth_decision = "EXPLICIT_DENY";
    } else if covered.iter().any(|covered| !covered) {
        result.auth_decision = "IMPLICIT_DENY";
    }
    Ok(result)
}
