//! Issuing a device certificate: laid out, recorded, signed. The record of what will be signed is on disk before there is a
//! signature; registering is a commit of whoever asked. What a scope's certificate provider issues instead is
//! `delegated_issue`.

use gatehouse_domain::admission::Registration;
use gatehouse_domain::certificate::{CertificateMode, CertificateStatus};
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;
use gatehouse_pki::certificate::Certificate;
use gatehouse_pki::csr::VerifiedCsr;
use gatehouse_pki::issue::{Applicant, IssuanceLog, ToBeSigned};
use gatehouse_pki::key_pair::KeyPair;
use gatehouse_store::{Batch, CertificateRecord, IssuanceRecord};
use tokio::sync::Semaphore;

use super::delegated_issue::Delegated;
use super::{NewCertificate, Origin};
use crate::call::House;
use crate::error::Error;
use crate::random::{random, uuid};

/// What issuing works with, whoever asks for it and by which way.
#[derive(Clone, Copy)]
pub struct Issuing<'a> {
    /// Who issues.
    pub house: &'a House,
    /// Where the certificate is to be registered.
    pub scope: Scope,
    /// When it was asked for.
    pub now: Timestamp,
    /// What it is to be registered as.
    pub status: CertificateStatus,
}

/// Who has a request certified, as a certificate provider is told.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The certificate id of the device that asks, or the access key id of the caller.
    pub principal_id: &'a str,
    /// The MQTT client id; empty where there is none.
    pub client_id: &'a str,
}

impl Issuing<'_> {
    /// Issues a certificate for the certificate signing request `csr`: by the scope's certificate provider, if it has one, or
    /// else by this deployment's authority. Takes as long as the provider's function, five seconds at most.
    ///
    /// # Errors
    /// `InvalidRequestException` when the request is refused, or the provider's answer; `ServiceUnavailableException` when the
    /// provider gives none now.
    pub async fn for_request(&self, csr: &str, asker: Asker<'_>) -> Result<NewCertificate, Error> {
        self.for_request_in(None, csr, asker).await
    }

    /// The same, where the request is checked in one of these places: for those who have very many of them.
    ///
    /// # Errors
    /// As [`Self::for_request`].
    pub(crate) async fn for_request_in(
        &self,
        checks: Option<&Semaphore>,
        csr: &str,
        asker: Asker<'_>,
    ) -> Result<NewCertificate, Error> {
        let verified = verified(checks, csr.to_owned()).await?;
        match self.house.store.certificate_provider(self.scope).await? {
            Some(provider) => Delegated { issuing: *self, provider: &provider }.issue(csr, &verified, asker).await,
            None => self.to((&verified).into()).await,
        }
    }

    /// Issues a certificate to `applicant`, signed by this deployment's authority.
    ///
    /// # Errors
    /// When the store or the authority fails.
    pub async fn to(&self, applicant: Applicant<'_>) -> Result<NewCertificate, Error> {
        let issuer = self.house.authority.issuer();
        let internal = |error: &dyn std::fmt::Display| Error::Internal(error.to_string());
        let to_be_signed = issuer.prepare(applicant, random()?, self.now).map_err(|error| internal(&error))?;
        let serial = *to_be_signed.serial();
        let recorded = to_be_signed.record_in(self).await?;
        let certificate = issuer.sign(recorded).map_err(|error| internal(&error))?;

        let registration = Registration {
            status: self.status,
            mode: CertificateMode::Default,
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
        };
        let record = CertificateRecord::new(self.scope, certificate.id(), registration, uuid()?, self.now);
        Ok(NewCertificate { record, pem: certificate.to_pem(), origin: Origin::Issued(serial) })
    }
}

/// A certificate of this deployment's own, signed and recorded.
pub(crate) struct SignedClaim {
    pub(crate) certificate: Certificate,
    pub(crate) serial: [u8; 20],
}

impl Issuing<'_> {
    /// Issues the certificate of a provisioning claim.
    ///
    /// # Errors
    /// When the store or the authority fails.
    pub(crate) async fn claim(&self, pair: &KeyPair) -> Result<SignedClaim, Error> {
        let issuer = self.house.authority.issuer();
        let internal = |error: &dyn std::fmt::Display| Error::Internal(error.to_string());
        let prepared = issuer.prepare_claim(pair, random()?, &random()?, self.now).map_err(|error| internal(&error))?;
        let serial = *prepared.serial();
        let recorded = prepared.record_in(self).await?;
        let certificate = issuer.sign(recorded).map_err(|error| internal(&error))?;
        Ok(SignedClaim { certificate, serial })
    }
}

async fn verified(checks: Option<&Semaphore>, pem: String) -> Result<VerifiedCsr, Error> {
    let _place = match checks {
        Some(checks) => Some(checks.acquire().await.map_err(|error| Error::Internal(error.to_string()))?),
        None => None,
    };
    // The checks of a large RSA key take milliseconds.
    tokio::task::spawn_blocking(move || VerifiedCsr::from_pem(&pem))
        .await
        .map_err(|error| Error::Internal(error.to_string()))?
        .map_err(|refusal| Error::invalid(format!("the certificate signing request is refused: {refusal}")))
}

impl IssuanceLog for Issuing<'_> {
    type Error = Error;

    async fn record(&self, certificate: &ToBeSigned) -> Result<(), Error> {
        let mut batch = Batch::new();
        batch.record_issuance(&IssuanceRecord {
            serial: certificate.serial().to_vec(),
            scope: self.scope,
            subject_der: certificate.subject_der().to_vec(),
            tbs_sha256: certificate.tbs_sha256(),
            requested_at: self.now,
            certificate_id: None,
        });
        self.house.commit(batch).await
    }
}
