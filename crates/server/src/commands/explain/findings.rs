//! What stands for and against a certificate in one scope, each with the command that mends it.

use std::sync::Arc;

use gatehouse_domain::admission::obstacles;
use gatehouse_domain::arn::{Arn, Prefix};
use gatehouse_domain::ca::{FirstContact, auto_register};
use gatehouse_domain::certificate::{CertificateMode, CertificateStatus};
use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::name::PolicyName;
use gatehouse_domain::policy::{
    ConnectAttributes, ConnectionContext, ConnectionFacts, Decision, PolicyDocument, Request, evaluate,
};
use gatehouse_domain::refusal::Refusal;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::thing::{Attachment, associated};
use gatehouse_domain::time::Timestamp;
use gatehouse_domain::validity;
use gatehouse_pki::ca::CaCertificate;
use gatehouse_pki::chain::signers;
use gatehouse_store::{AdmissionRecord, ProvisioningClaimRecord, ThingAttachment};
use serde::Serialize;

use super::Subject;
use crate::failure::Failure;
use crate::house::Opened;

/// One thing to know.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Finding {
    /// The reason's label, as in logs and metrics.
    pub(super) reason: &'static str,
    /// Whether it keeps the device out.
    pub(super) prevents: bool,
    pub(super) text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) command: Option<String>,
}

impl Finding {
    fn obstacle(refusal: Refusal, command: Option<String>) -> Self {
        Self { reason: refusal.label(), prevents: true, text: refusal.to_string(), command }
    }

    fn denied(text: String, command: Option<String>) -> Self {
        Self { reason: Refusal::PolicyDenied.label(), prevents: true, text, command }
    }

    fn note(text: String) -> Self {
        Self { reason: "note", prevents: false, text, command: None }
    }
}

/// Everything there is to say about the certificate in `scope`.
pub(super) async fn find(opened: &Opened, subject: &Subject, scope: Scope) -> Result<Vec<Finding>, Failure> {
    let now = opened.clock.now();
    let record = opened.store.admission(scope, subject.id).await?;
    let mut findings = Vec::new();
    if record.is_none()
        && let Some(claim) = opened.store.provisioning_claim(scope, subject.id).await?
    {
        return Ok(claimed(&claim, now));
    }
    let registration = record.as_ref().map(|record| record.certificate.registration());
    if let Some(unclaimed) = opened.store.unclaimed_certificate(scope, subject.id).await? {
        findings.push(Finding::note(format!(
            "it was made in fleet provisioning, and is removed at {} unless a thing is registered with it",
            unclaimed.expires_at
        )));
    }
    for refusal in obstacles(registration.as_ref(), true, now) {
        let command = mending(refusal, subject, scope);
        let mut finding = Finding::obstacle(refusal, command);
        if let (Refusal::Status(_), Some(record)) = (refusal, &record) {
            finding.text.push_str(&format!(" (since {})", record.certificate.last_modified_at));
        }
        findings.push(finding);
    }
    if !subject.endpoint_type.serves_mqtt() {
        findings.push(Finding::obstacle(Refusal::WrongEndpoint, mending(Refusal::WrongEndpoint, subject, scope)));
    }
    let is_sni_only = registration.is_some_and(|registration| registration.mode == CertificateMode::SniOnly);
    if is_sni_only && subject.endpoint.is_none() {
        findings.push(Finding {
            command: mending(Refusal::SniOnly, subject, scope),
            ..Finding::note(
                "it is registered in mode SNI_ONLY: the device must name the account's endpoint (SNI)".to_owned(),
            )
        });
    }
    match record {
        None => unregistered(opened, subject, scope, now, &mut findings).await?,
        Some(record) => policies(opened, subject, scope, now, record, &mut findings).await?,
    }
    Ok(findings)
}

/// A claim has no record, no policies and no things: it may provision, while it lives.
fn claimed(claim: &ProvisioningClaimRecord, now: Timestamp) -> Vec<Finding> {
    let mut findings = vec![Finding::note(format!(
        "it is a claim on the provisioning template {}, good until {}: it may ask for certificates and register things by \
         that template, and nothing else",
        claim.template_name, claim.not_after
    ))];
    if validity::is_over(claim.not_after, now) {
        let command = format!(
            "aws iot create-provisioning-claim --region {} --template-name {}",
            claim.scope.region, claim.template_name
        );
        findings.push(Finding::obstacle(Refusal::Expired, Some(command)));
    }
    findings
}

fn mending(refusal: Refusal, subject: &Subject, scope: Scope) -> Option<String> {
    let region = scope.region;
    match refusal {
        Refusal::Status(CertificateStatus::Inactive | CertificateStatus::PendingActivation) => Some(format!(
            "aws iot update-certificate --region {region} --certificate-id {} --new-status ACTIVE",
            subject.id
        )),
        Refusal::Status(CertificateStatus::PendingTransfer) => {
            Some(format!("aws iot cancel-certificate-transfer --region {region} --certificate-id {}", subject.id))
        }
        Refusal::NotRegistered => Some(format!(
            "aws iot register-certificate-without-ca --region {region} --status ACTIVE --certificate-pem file://<PEM file>"
        )),
        Refusal::SniOnly | Refusal::WrongEndpoint => {
            Some(format!("aws iot describe-endpoint --region {region} --endpoint-type iot:Data-ATS"))
        }
        _ => None,
    }
}

/// Where else it is registered, and whether a CA of the scope would register it.
async fn unregistered(
    opened: &Opened,
    subject: &Subject,
    scope: Scope,
    now: Timestamp,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    for (other, mode) in opened.store.certificate_scopes(subject.id).await? {
        findings.push(Finding::note(format!(
            "it is registered in account {}, Region {}, in mode {}",
            other.account,
            other.region,
            mode.as_str()
        )));
    }
    let Some(certificate) = &subject.certificate else { return Ok(()) };
    let candidates = opened.store.ca_certificates_by_subject(scope, certificate.issuer_sha256()).await?;
    if candidates.is_empty() {
        findings.push(Finding::note("no CA certificate registered here has the name of its issuer".to_owned()));
        return Ok(());
    }
    if let Err(refusal) = certificate.check_registrable(now) {
        findings.push(Finding::note(format!("no CA can register it: {refusal}")));
        return Ok(());
    }
    let authorities: Vec<CaCertificate> =
        candidates.iter().filter_map(|(_, pem)| CaCertificate::from_registered(pem).ok()).collect();
    match signers(certificate, &authorities) {
        Err(refusal) => findings.push(Finding::note(refusal.to_string())),
        Ok(found) => {
            let ids: Vec<_> = found.iter().map(|ca| ca.id()).collect();
            let contact = FirstContact {
                endpoint_named: true,
                not_before: certificate.not_before(),
                not_after: certificate.not_after(),
            };
            for (ca, _) in candidates.iter().filter(|(ca, _)| ids.contains(&ca.certificate_id)) {
                let verdict = match auto_register(&ca.issuer(), &contact, now) {
                    Ok(_) => "and registers it as PENDING_ACTIVATION when it connects".to_owned(),
                    Err(refusal) => format!("and does not register it just in time: {refusal}"),
                };
                findings.push(Finding::note(format!("CA certificate {} has signed it, {verdict}", ca.certificate_id)));
            }
        }
    }
    Ok(())
}

/// The documents in force of the policies `names`.
async fn documents(opened: &Opened, scope: Scope, names: &[PolicyName]) -> Result<Vec<PolicyDocument>, Failure> {
    let mut documents = Vec::new();
    for name in names {
        if let Some((_, text)) = opened.store.default_policy_document(scope, name).await? {
            documents.push(PolicyDocument::parse(&text).map_err(|error| Failure::other(error.to_string()))?);
        }
    }
    Ok(documents)
}

/// Whether the policies, its own and those of its thing's groups, let it connect.
async fn policies(
    opened: &Opened,
    subject: &Subject,
    scope: Scope,
    now: Timestamp,
    record: AdmissionRecord,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let arn = Arn::certificate(scope, subject.id);
    let attach =
        || Some(format!("aws iot attach-policy --region {} --policy-name <policy> --target {arn}", scope.region));
    if record.policies.is_empty() && record.things.is_empty() {
        findings
            .push(Finding::denied("no policy is attached to it, so nothing allows iot:Connect".to_owned(), attach()));
        return Ok(());
    }
    let attachments: Vec<Attachment> = record.things.iter().map(ThingAttachment::rule).collect();
    // Without a client id, the names of its things are what its devices most likely use.
    let client_ids: Vec<ClientId> = match &subject.client_id {
        Some(client_id) => vec![client_id.clone()],
        None => attachments.iter().filter_map(|a| ClientId::parse(a.thing_name.as_str()).ok()).collect(),
    };
    if client_ids.is_empty() {
        findings.push(Finding::note("--client-id tells whether its policies let it connect under that id".to_owned()));
    }
    let own = documents(opened, scope, &record.policies).await?;
    let mut verdicts = Vec::new();
    for client_id in client_ids {
        let mut in_force = own.clone();
        let mut facts = ConnectionFacts {
            client_id: Some(client_id.clone()),
            certificate_id: Some(subject.id),
            domain_name: subject.endpoint.clone(),
            certificate_names: subject.certificate.as_ref().map(|certificate| Arc::new(certificate.names())),
            ..ConnectionFacts::default()
        };
        if let Some(attachment) = associated(&attachments, client_id.as_str())
            && let Some(thing) = opened.store.thing(scope, &attachment.thing_name).await?
        {
            let inherited = opened.store.inherited_policies(scope, &thing.name).await?.unwrap_or_default();
            in_force.extend(documents(opened, scope, &inherited.policies).await?);
            facts.thing = Some(Arc::new(thing.facts()));
        }
        let resource = format!("{}client/{client_id}", Prefix(&scope));
        let context = ConnectionContext::connecting(&facts, now, ConnectAttributes::default());
        let request = Request { action: "iot:Connect", resource: &resource, context: &context };
        verdicts.push(match evaluate(&in_force, &request) {
            Decision::Allowed => Finding::note(format!("its policies let it connect with client id {client_id}")),
            Decision::ExplicitDeny => Finding::denied(
                format!("a policy denies iot:Connect for client id {client_id}"),
                Some(format!("aws iot list-attached-policies --region {} --target {arn}", scope.region)),
            ),
            Decision::ImplicitDeny => {
                Finding::denied(format!("none of its policies allows iot:Connect for client id {client_id}"), attach())
            }
        });
    }
    if subject.client_id.is_none() && verdicts.iter().any(|verdict| !verdict.prevents) {
        // Guessed ids: with one that is allowed, the device can come in.
        for verdict in &mut verdicts {
            verdict.prevents = false;
        }
    } else if subject.client_id.is_none() {
        for verdict in &mut verdicts {
            verdict.text.push_str(" (the name of its thing; --client-id asks for another)");
        }
    }
    findings.extend(verdicts);
    Ok(())
}
