//! Issuing a device certificate: laid out, recorded, signed, registered. Two commits, because the record of what will
//! be signed must be on disk before there is a signature.

use gatehouse_domain::admission::Registration;
use gatehouse_domain::arn::Arn;
use gatehouse_domain::certificate::{CertificateId, CertificateMode, CertificateStatus};
use gatehouse_domain::event::Event;
use gatehouse_pki::issue::{Applicant, IssuanceLog, ToBeSigned};
use gatehouse_store::{Batch, CertificateRecord, IssuanceRecord};

use crate::call::Call;
use crate::error::Error;
use crate::random::random;

/// A certificate that was issued and registered.
pub(super) struct Issued {
    pub(super) arn: Arn,
    pub(super) certificate_id: CertificateId,
    pub(super) pem: String,
}

/// Issues a certificate to `applicant` in the call's scope.
pub(super) async fn issue(call: &Call, applicant: Applicant<'_>, is_active: bool) -> Result<Issued, Error> {
    let issuer = call.authority().issuer();
    let internal = |error: &dyn std::fmt::Display| Error::Internal(error.to_string());
    let to_be_signed = issuer.prepare(applicant, random()?, call.now).map_err(|error| internal(&error))?;
    let serial = *to_be_signed.serial();
    let recorded = to_be_signed.record_in(call).await?;
    let certificate = issuer.sign(recorded).map_err(|error| internal(&error))?;

    let certificate_id = certificate.id();
    let pem = certificate.to_pem();
    let registration = Registration {
        status: if is_active { CertificateStatus::Active } else { CertificateStatus::Inactive },
        mode: CertificateMode::Default,
        not_before: certificate.not_before(),
        not_after: certificate.not_after(),
    };
    let record = CertificateRecord::new(call.scope, certificate_id, registration, call.uuid()?, call.now);
    let mut batch = Batch::new();
    batch.insert_certificate(&record, &pem);
    batch.finish_issuance(&serial, certificate_id);
    batch.announce(Event::Certificate { scope: call.scope, certificate_id });
    call.commit(batch).await?;
    Ok(Issued { arn: Arn::certificate(call.scope, certificate_id), certificate_id, pem })
}

impl IssuanceLog for Call {
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
        self.commit(batch).await
    }
}
