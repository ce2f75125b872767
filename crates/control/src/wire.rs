//! Wire forms that several operations share.

use gatehouse_domain::arn::{Arn, Resource, is_cognito_identity};
use gatehouse_domain::certificate::{CertificateId, CertificateMode, CertificateStatus};
use gatehouse_domain::name::{PolicyName, RoleAliasName, ThingName};
use gatehouse_domain::policy::InvalidPolicy;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;
use gatehouse_store::CertificateRecord;
use serde::{Deserialize, Serialize, Serializer};

use crate::call::Call;
use crate::error::{Code, Error};

/// A point in time as JSON bodies carry it: seconds since 1970 as a number, milliseconds as its fraction.
#[derive(Clone, Copy, Debug)]
pub struct EpochSeconds(pub Timestamp);

impl Serialize for EpochSeconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let millis = self.0.as_millis();
        if millis % 1000 == 0 {
            return serializer.serialize_i64(self.0.as_secs());
        }
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 ms, the year 287,000")]
        serializer.serialize_f64(millis as f64 / 1000.0)
    }
}

/// An operation that answers nothing.
#[derive(Debug, Serialize)]
pub struct Nothing {}

/// Reads a principal that must be a certificate of the caller's scope.
///
/// # Errors
/// `InvalidRequestException` when it is something else; `ResourceNotFoundException` when it lies in another scope.
pub fn certificate_principal(call: &Call, principal: &str) -> Result<CertificateId, Error> {
    if is_cognito_identity(principal) {
        return Err(Error::invalid(format!(
            "the principal {principal} is a Cognito identity, and there are none here: use the ARN of a certificate"
        )));
    }
    let arn = Arn::parse(principal).map_err(|_| not_a_certificate())?;
    let Resource::Certificate(id) = arn.resource else { return Err(not_a_certificate()) };
    // Another tenant's certificate is not told apart from one that does not exist.
    if arn.scope == call.scope { Ok(id) } else { Err(unknown_certificate(id)) }
}

fn not_a_certificate() -> Error {
    Error::invalid("The given ARN does not represent a cert")
}

/// The answer for a certificate that the scope does not have.
#[must_use]
pub fn unknown_certificate(id: CertificateId) -> Error {
    Error::not_found(format!("certificate {id} is not registered in this account and Region"))
}

/// An ARN that travels in an input, written as policies are matched against it: one certificate has one ARN, however
/// its hex digits were typed. What is no ARN stays as it is.
#[must_use]
pub fn canonical_arn(text: &str) -> String {
    Arn::parse(text).map_or_else(|_| text.to_owned(), |arn| arn.to_string())
}

/// The answer for a thing that the scope does not have.
#[must_use]
pub fn unknown_thing(name: &ThingName) -> Error {
    Error::not_found(format!("thing {name} does not exist in this account and Region"))
}

/// The answer for a thing type that the scope does not have.
#[must_use]
pub fn unknown_thing_type(name: &ThingName) -> Error {
    Error::not_found(format!("thing type {name} does not exist in this account and Region"))
}

/// The answer for a billing group that the scope does not have.
#[must_use]
pub fn unknown_billing_group(name: &ThingName) -> Error {
    Error::not_found(format!("billing group {name} does not exist in this account and Region"))
}

/// What a policy is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyTarget {
    /// A certificate.
    Certificate(CertificateId),
    /// A thing group.
    ThingGroup(ThingName),
}

/// Reads what a policy is attached to: a certificate or a thing group of the caller's scope. Cognito identities do not
/// exist here.
///
/// # Errors
/// `InvalidRequestException` for what is no target at all; `ResourceNotFoundException` for one of another scope.
pub fn policy_target(call: &Call, target: &str) -> Result<PolicyTarget, Error> {
    match Arn::parse(target) {
        // Another tenant's group is not told apart from one that does not exist.
        Ok(Arn { scope, resource: Resource::ThingGroup(name) }) if scope != call.scope => {
            Err(unknown_thing_group(&name))
        }
        Ok(Arn { resource: Resource::ThingGroup(name), .. }) => Ok(PolicyTarget::ThingGroup(name)),
        Ok(Arn { resource: Resource::Certificate(_), .. }) => {
            certificate_principal(call, target).map(PolicyTarget::Certificate)
        }
        _ => Err(Error::invalid(format!(
            "the target '{target}' is not the ARN of a certificate or thing group in this account and Region"
        ))),
    }
}

/// The answer for a thing group that the scope does not have.
#[must_use]
pub fn unknown_thing_group(name: &ThingName) -> Error {
    Error::not_found(format!("thing group {name} does not exist in this account and Region"))
}

/// The answer for a policy that the scope does not have.
#[must_use]
pub fn unknown_policy(name: &PolicyName) -> Error {
    Error::not_found(format!("policy {name} does not exist in this account and Region"))
}

/// The answer for a version that a policy does not have.
#[must_use]
pub fn unknown_policy_version(name: &PolicyName, version: &str) -> Error {
    Error::not_found(format!("policy {name} has no version {version}"))
}

/// The answer for a role alias that the scope does not have.
#[must_use]
pub fn unknown_role_alias(alias: &RoleAliasName) -> Error {
    Error::not_found(format!("role alias {alias} does not exist in this account and Region"))
}

/// The answer for a document that is no policy.
#[must_use]
pub fn malformed_policy(refusal: &InvalidPolicy) -> Error {
    Error::refused(Code::MalformedPolicyException, format!("the policy document is refused: {refusal}"))
}

/// Reads a policy version id. Ids are counted up and have no leading zeros.
///
/// # Errors
/// `ResourceNotFoundException` for an id that has never existed.
pub fn policy_version_id(text: &str) -> Result<i64, Error> {
    let id = text.parse().ok().filter(|id: &i64| id.to_string() == text);
    id.ok_or_else(|| Error::not_found(format!("no policy has a version {text}")))
}

/// A policy in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyItem {
    policy_name: PolicyName,
    policy_arn: String,
}

impl PolicyItem {
    /// The policy `name` of `scope`.
    #[must_use]
    pub fn new(scope: Scope, name: PolicyName) -> Self {
        Self { policy_arn: Arn::policy(scope, name.clone()).to_string(), policy_name: name }
    }
}

/// A certificate in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateItem {
    certificate_arn: String,
    certificate_id: CertificateId,
    status: CertificateStatus,
    certificate_mode: CertificateMode,
    creation_date: EpochSeconds,
}

impl CertificateItem {
    /// The certificate `record` as `scope` sees it.
    #[must_use]
    pub fn new(scope: Scope, record: &CertificateRecord) -> Self {
        Self {
            certificate_arn: Arn::certificate(scope, record.certificate_id).to_string(),
            certificate_id: record.certificate_id,
            status: record.status,
            certificate_mode: record.mode,
            creation_date: EpochSeconds(record.created_at),
        }
    }
}

/// The validity of a certificate.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Validity {
    not_before: EpochSeconds,
    not_after: EpochSeconds,
}

impl Validity {
    /// From `not_before` to `not_after`.
    #[must_use]
    pub const fn new(not_before: Timestamp, not_after: Timestamp) -> Self {
        Self { not_before: EpochSeconds(not_before), not_after: EpochSeconds(not_after) }
    }
}

/// A tag.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

impl Tag {
    /// From key and value.
    #[must_use]
    pub const fn new(key: String, value: String) -> Self {
        Self { key, value }
    }

    /// Key and value.
    #[must_use]
    pub fn pair(&self) -> (String, String) {
        (self.key.clone(), self.value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_has_one_arn_however_its_id_is_typed() {
        let arn = |id: &str| format!("arn:aws:iot:us-east-1:123456789012:cert/{id}");
        assert_eq!(canonical_arn(&arn(&"AB".repeat(32))), arn(&"ab".repeat(32)));
        assert_eq!(canonical_arn("us-east-1:x"), "us-east-1:x");
    }

    #[test]
    fn times_are_seconds_with_milliseconds_as_fraction() {
        let text = |millis| serde_json::to_string(&EpochSeconds(Timestamp::from_millis(millis))).unwrap();
        assert_eq!(text(1_541_022_751_983), "1541022751.983");
        assert_eq!(text(2_524_607_999_000), "2524607999");
    }
}
