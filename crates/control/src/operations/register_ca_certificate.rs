//! RegisterCACertificate: takes in an authority that signs device certificates directly. In DEFAULT mode its owner
//! proves that he holds its key, by a certificate over the scope's registration code.

use std::collections::BTreeMap;

use gatehouse_domain::ca::{CaStatus, ClaimRefusal, RegistrationCode, may_claim, registration};
use gatehouse_domain::certificate::{CertificateId, CertificateMode};
use gatehouse_domain::tag;
use gatehouse_pki::ca::{CaCertificate, CaRefusal};
use gatehouse_pki::certificate::Certificate;
use gatehouse_store::{Batch, CaCertificateRecord};
use serde::{Deserialize, Serialize};

use super::ca_registration::{RegistrationConfig, ca_arn};
use crate::call::Call;
use crate::error::{Code, Error};
use crate::operation::Operation;
use crate::wire::Tag;

/// The operation.
pub struct RegisterCACertificate;

/// What it takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    ca_certificate: String,
    verification_certificate: Option<String>,
    #[serde(default)]
    set_as_active: bool,
    #[serde(default)]
    allow_auto_registration: bool,
    registration_config: Option<RegistrationConfig>,
    #[serde(default)]
    tags: Vec<Tag>,
    certificate_mode: Option<CertificateMode>,
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    certificate_arn: String,
    certificate_id: CertificateId,
}

impl Operation for RegisterCACertificate {
    const NAME: &'static str = "RegisterCACertificate";
    const METHOD: &'static str = "POST";
    const PATH: &'static str = "/cacertificate";
    type Input = Input;
    type Output = Output;

    async fn run(call: &Call, input: &Input) -> Result<Output, Error> {
        let mode = input.certificate_mode.unwrap_or(CertificateMode::Default);
        // An empty verification certificate counts as none (API reference, RegisterCACertificate).
        let verification = input.verification_certificate.as_deref().filter(|pem| !pem.trim().is_empty());
        registration(mode, verification.is_some())
            .map_err(|refusal| Error::invalid(refusal.to_string()))?;
        let ca = CaCertificate::from_pem(&input.ca_certificate, call.now).map_err(not_acceptable)?;
        let proven_by = match verification {
            Some(pem) => Some(verify_ownership(call, &ca, pem).await?),
            None => None,
        };
        let provisioning = match &input.registration_config {
            Some(config) => Some(config.checked(call).await?),
            None => None,
        };
        let tags = tag::add(&BTreeMap::new(), input.tags.iter().map(Tag::pair))
            .map_err(|refusal| Error::invalid(refusal.to_string()))?;
        refuse_taken(call, &ca, mode).await?;

        let certificate_id = ca.id();
        let arn = ca_arn(call.scope, certificate_id);
        let record = CaCertificateRecord {
            scope: call.scope,
            certificate_id,
            status: if input.set_as_active { CaStatus::Active } else { CaStatus::Inactive },
            auto_registration: input.allow_auto_registration,
            mode,
            subject_sha256: ca.subject_sha256(),
            registration_config: provisioning.as_ref().map(|config| config.text.clone()),
            generation_id: call.uuid()?,
            customer_version: 1,
            created_at: call.now,
            last_modified_at: call.now,
            not_before: ca.not_before(),
            not_after: ca.not_after(),
        };
        let mut batch = Batch::new();
        batch.insert_ca_certificate(&record, &input.ca_certificate);
        if let Some(code) = &proven_by {
            // Deleted meanwhile, the code proves nothing any more.
            batch.require_registration_code(call.scope, code.as_str());
        }
        if let Some(config) = &provisioning {
            config.require(&mut batch);
        }
        if !tags.is_empty() {
            batch.set_tags(&arn, &tags, None);
        }
        call.commit(batch).await?;
        Ok(Output { certificate_arn: arn.to_string(), certificate_id })
    }
}

/// The verification certificate: signed by the CA, within its validity, its common name the scope's registration code.
async fn verify_ownership(call: &Call, ca: &CaCertificate, pem: &str) -> Result<RegistrationCode, Error> {
    let refused = |why: String| {
        Error::refused(Code::CertificateValidationException, format!("the verification certificate {why}"))
    };
    let verification = Certificate::from_pem(pem).map_err(|refusal| refused(format!("cannot be read: {refusal}")))?;
    let ca = ca.clone();
    // A DSA signature takes long enough to keep others waiting.
    let (outcome, verification) = tokio::task::spawn_blocking(move || (ca.has_issued(&verification), verification))
        .await
        .map_err(|error| Error::Internal(error.to_string()))?;
    outcome.map_err(|not_issued| refused(format!("is not one of this CA: {not_issued}")))?;
    verification.check_validity(call.now).map_err(|refusal| refused(refusal.to_string()))?;
    let code = call.store().registration_code(call.scope).await?;
    let code: Option<RegistrationCode> = code.and_then(|code| code.parse().ok());
    code.filter(|code| code.is_carried_by(&verification.common_names())).ok_or_else(|| {
        Error::refused(
            Code::RegistrationCodeValidationException,
            "the common name of the verification certificate is not the registration code of this account and Region: \
             GetRegistrationCode tells it",
        )
    })
}

/// Loads what the rule of claims needs, and asks it.
async fn refuse_taken(call: &Call, ca: &CaCertificate, mode: CertificateMode) -> Result<(), Error> {
    let registered = call.store().ca_certificate_scopes(ca.id()).await?;
    let same_subject = call.store().ca_certificates_by_subject(call.scope, ca.subject_sha256()).await?.len();
    may_claim(&registered, call.scope, mode, same_subject).map_err(|refusal| match refusal {
        ClaimRefusal::AlreadyRegistered => {
            Error::already_exists(refusal.to_string(), ca.id().to_string(), &ca_arn(call.scope, ca.id()))
        }
        ClaimRefusal::ClaimedElsewhere => Error::invalid(refusal.to_string()),
        ClaimRefusal::SubjectLimit => Error::refused(Code::LimitExceededException, refusal.to_string()),
    })
}

fn not_acceptable(refusal: CaRefusal) -> Error {
    let text = match refusal {
        // AWS's own words.
        CaRefusal::NotCa => {
            "CA certificate is not valid. The CA certificate does not have the basicConstraints extension as true".to_owned()
        }
        other => format!("the CA certificate is refused: {other}"),
    };
    Error::refused(Code::CertificateValidationException, text)
}
