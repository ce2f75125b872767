//! Issuing by a scope's certificate provider: its function is asked for a certificate, and what it answers is held against
//! the request and the rules of registration before anything is stored.

use gatehouse_domain::admission::Registration;
use gatehouse_domain::certificate::{CertificateId, CertificateMode, claim};
use gatehouse_pki::certificate::Certificate;
use gatehouse_pki::csr::VerifiedCsr;
use gatehouse_store::{CaCertificateRecord, CertificateProviderRecord, CertificateRecord};
use serde_json::{Value, json};

use super::issue::{Asker, Issuing};
use super::registration::signers;
use super::{NewCertificate, Origin};
use crate::error::{Code, Error};
use crate::functions::FunctionError;
use crate::random::uuid;

/// Issuing that a provider does.
pub(super) struct Delegated<'a> {
    pub(super) issuing: Issuing<'a>,
    pub(super) provider: &'a CertificateProviderRecord,
}

impl Delegated<'_> {
    /// Has a certificate made of `csr`, which is `verified`. Run again, it asks the function again.
    pub(super) async fn issue(
        &self,
        csr: &str,
        verified: &VerifiedCsr,
        asker: Asker<'_>,
    ) -> Result<NewCertificate, Error> {
        let Issuing { house, scope, status, .. } = self.issuing;
        let event = json!({
            "certificateSigningRequest": csr,
            "principalId": asker.principal_id,
            "clientId": asker.client_id,
        });
        let answer = house.functions.invoke(scope, &self.provider.function_arn, &event).await;
        let answer = answer.map_err(|error| self.not_answered(&error))?;

        let certificate = self.read(verified, &answer)?;
        let certificate_id = certificate.id();
        let ca = self.registered_ca(&certificate).await?;
        // Without a registered CA nothing shows that the certificate is the account's, and not another's of whose request it has
        // a copy: the mode for what comes without proof.
        let mode = ca.as_ref().map_or(CertificateMode::SniOnly, |ca| ca.mode);
        self.refuse_claimed(certificate_id, mode).await?;

        let registration =
            Registration { status, mode, not_before: certificate.not_before(), not_after: certificate.not_after() };
        let record = CertificateRecord {
            ca_certificate_id: ca.as_ref().map(|ca| ca.certificate_id),
            ..CertificateRecord::new(scope, certificate_id, registration, uuid()?, self.issuing.now)
        };
        // The certificate alone, as it is read: the answer may have other text around it.
        let pem = certificate.to_pem();
        let origin = Origin::Provider(Box::new(self.provider.clone()), ca.map(Box::new));
        Ok(NewCertificate { record, pem, origin })
    }

    /// The certificate in an answer.
    fn read(&self, csr: &VerifiedCsr, answer: &Value) -> Result<Certificate, Error> {
        let pem = answer.get("certificatePem").and_then(Value::as_str);
        let pem = pem.ok_or_else(|| self.refused("it has no text certificatePem"))?;
        // The time of the answer: what the function made, it made a moment ago.
        csr.answered_by(pem, self.issuing.house.clock.now())
            .map_err(|refusal| self.refused(&format!("the certificate in it: {refusal}")))
    }

    /// The registered CA that signed the certificate and vouches for what it signs, if there is one.
    async fn registered_ca(&self, certificate: &Certificate) -> Result<Option<CaCertificateRecord>, Error> {
        let Issuing { house, scope, now, .. } = self.issuing;
        let candidates = house.store.ca_certificates_by_subject(scope, certificate.issuer_sha256()).await?;
        let signers = signers(certificate, candidates).await?;
        Ok(signers.into_iter().find(|ca| ca.issuer().vouches(now).is_ok()))
    }

    async fn refuse_claimed(&self, id: CertificateId, mode: CertificateMode) -> Result<(), Error> {
        let scopes = self.issuing.house.store.certificate_scopes(id).await?;
        // Who has it is not said.
        claim(&scopes, self.issuing.scope, mode)
            .map_err(|_| self.refused("the certificate in it is registered already"))
    }

    /// The answer for an answer that is refused.
    fn refused(&self, reason: &str) -> Error {
        let (provider, function) = (&self.provider.creation.name, &self.provider.function_arn);
        tracing::warn!(%provider, %function, scope = %self.issuing.scope, reason, "what a certificate provider answered is refused");
        Error::invalid(format!("certificate provider {provider}: the answer of {function} is refused: {reason}"))
    }

    /// The answer for a function that gave none. The log has a line already.
    fn not_answered(&self, error: &FunctionError) -> Error {
        let (provider, function) = (&self.provider.creation.name, &self.provider.function_arn);
        let message = format!("certificate provider {provider}: {function} gave no answer that can be used: {error}");
        if error.is_passing() {
            Error::refused(Code::ServiceUnavailableException, format!("{message}: try again"))
        } else {
            Error::invalid(message)
        }
    }
}
