//! Credentials by a role alias, for whoever shows a certificate ("Authorizing direct calls to AWS services using AWS IoT
//! Core credential provider"). The checks have AWS's order: certificate, thing, policy, alias, role.

use bytes::Bytes;
use gatehouse_control::credentials::{CredentialError, Credentials};
use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::credentials::CredentialRefusal;
use gatehouse_domain::name::{RoleAliasName, ThingName};
use gatehouse_domain::policy::{CredentialDevice, ThingFacts};
use gatehouse_domain::refusal::Refusal;
use gatehouse_store::RoleAliasRecord;

use super::{CREDENTIALS, Call, Operation, Running};
use crate::https::answer::{Code, Failure, Reply};
use crate::registry::Holder;
use crate::report::CredentialReport;

/// The thing that the device says it is.
const THING_NAME: &str = "x-amzn-iot-thingname";

pub(super) const OPERATION: Operation = Operation {
    name: "AssumeRoleWithCertificate",
    method: "GET",
    path: "/role-aliases/{roleAlias}/credentials",
    endpoints: CREDENTIALS,
    body_bytes_max: 0,
    run: Some(run),
};

/// What somebody hears who was turned away before the operation began. AWS tells no more than that.
pub(super) fn turned_away(refusal: Refusal) -> Failure {
    failure(match refusal {
        Refusal::RegistryUnavailable => CredentialRefusal::Unavailable,
        _ => CredentialRefusal::Certificate,
    })
}

fn failure(refusal: CredentialRefusal) -> Failure {
    Failure::new(Code::Credentials(refusal), refusal.to_string()).bare()
}

fn run(call: Call<'_>) -> Running<'_> {
    Box::pin(async { assume(call).await.map_err(Failure::bare) })
}

/// Why there are no credentials: by the rules, or because something failed.
type Outcome<T> = Result<T, CredentialError>;

async fn assume(call: Call<'_>) -> Result<Reply, Failure> {
    let certificate_id = call.principal.certificate_id().ok_or_else(|| failure(CredentialRefusal::Certificate))?;
    call.query.finish()?;
    let report = |outcome| CredentialReport {
        outcome,
        certificate_id,
        scope: call.scope,
        role_alias: call.label("roleAlias"),
        peer: call.peer,
    };
    let given = give(&call, certificate_id).await;
    call.gateway.reporter.credentials(&report(given.as_ref()), call.now);
    let body = given.map_err(|error| failure(error.refusal()))?.body();
    // The owner of the bytes wipes them once they are sent.
    body.map(|body| Reply::Secret(Bytes::from_owner(body))).map_err(|_| failure(CredentialRefusal::Unavailable))
}

async fn give(call: &Call<'_>, certificate_id: CertificateId) -> Outcome<Credentials> {
    let thing = named_thing(call, certificate_id).await?;
    let refused = |refusal| CredentialError::Refused(refusal);
    // A name that none can have.
    let alias: RoleAliasName = call.label("roleAlias").parse().map_err(|_| refused(CredentialRefusal::RoleAlias))?;
    call.authorization.assume_role(&alias, call.now).map_err(|_| refused(CredentialRefusal::Policy))?;
    // Behind the policy, so that who may not have credentials does not keep others from theirs.
    call.gateway.credentials.queue(call.scope, call.now).map_err(refused)?;
    let record: Option<RoleAliasRecord> = call
        .gateway
        .store
        .role_alias(call.scope, &alias)
        .await
        .map_err(|error| CredentialError::Failed(error.to_string()))?;
    let record = record.ok_or(refused(CredentialRefusal::RoleAlias))?;
    let device = CredentialDevice {
        certificate_id,
        thing_type_name: thing.as_ref().and_then(|thing| thing.thing_type_name.clone()),
        thing_name: thing.map(|thing| thing.name),
    };
    call.gateway.credentials.issue(&record, &device, call.now).await
}

/// The thing in the header, which must be attached to the certificate as the registry has it now.
async fn named_thing(call: &Call<'_>, certificate_id: CertificateId) -> Outcome<Option<ThingFacts>> {
    let refused = || CredentialError::Refused(CredentialRefusal::ThingName);
    let Some(name) = call.header(THING_NAME).map_err(|_| refused())? else { return Ok(None) };
    let name: ThingName = name.parse().map_err(|_| refused())?;
    let registry = &call.gateway.shared.registry;
    let unavailable = |refusal: Refusal| CredentialError::Failed(refusal.to_string());
    let record = registry.admission(call.scope, certificate_id).await.map_err(unavailable)?;
    let is_attached = record.is_some_and(|record| match record.holder {
        Holder::Device { things, .. } => things.iter().any(|thing| thing.thing_name == name),
        Holder::Claim(_) => false,
    });
    if !is_attached {
        return Err(refused());
    }
    let thing = registry.thing(call.scope, &name).await.map_err(unavailable)?;
    thing.map(|thing| Some(thing.facts.clone())).ok_or_else(refused)
}
