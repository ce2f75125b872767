//! What the service CA was asked to sign, written down before it signs: whatever happens in between, no serial is used
//! twice and every signature is accounted for.

use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;

use crate::engine::params;
use crate::{Batch, Error, Store};

/// One certificate that the CA was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuanceRecord {
    /// The serial number's bytes.
    pub serial: Vec<u8>,
    /// For whom.
    pub scope: Scope,
    /// The subject, DER.
    pub subject_der: Vec<u8>,
    /// SHA-256 of what was to be signed.
    pub tbs_sha256: [u8; 32],
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// The certificate, once it was registered.
    pub certificate_id: Option<CertificateId>,
}

impl Store {
    /// The issuance with this serial number.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn issuance(&self, serial: &[u8]) -> Result<Option<IssuanceRecord>, Error> {
        let sql = "SELECT serial, account, region, subject_der, tbs_sha256, requested_at, certificate_id FROM issuances \
                   WHERE serial = $1";
        let row = self.row(sql, &params![serial]).await?;
        row.map(|row| {
            let mut columns = row.of("issuances");
            Ok(IssuanceRecord {
                serial: columns.blob("serial")?,
                scope: Scope::new(columns.parsed("account")?, columns.parsed("region")?),
                subject_der: columns.blob("subject_der")?,
                tbs_sha256: columns.digest("tbs_sha256")?,
                requested_at: columns.time("requested_at")?,
                certificate_id: columns.optional_digest("certificate_id")?.map(CertificateId::from_bytes),
            })
        })
        .transpose()
    }
}

impl Batch {
    /// Writes down what is about to be signed. Conflict when the serial number was used before.
    pub fn record_issuance(&mut self, record: &IssuanceRecord) {
        self.write(
            1,
            "INSERT INTO issuances (serial, account, region, subject_der, tbs_sha256, requested_at, certificate_id) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params![
                record.serial.as_slice(),
                record.scope.account,
                record.scope.region,
                record.subject_der.as_slice(),
                &record.tbs_sha256,
                record.requested_at,
                record.certificate_id,
            ],
        );
    }

    /// Notes the certificate that came of it. Conflict when the issuance is unknown or finished.
    pub fn finish_issuance(&mut self, serial: &[u8], certificate_id: CertificateId) {
        let sql = "UPDATE issuances SET certificate_id = $2 WHERE serial = $1 AND certificate_id IS NULL";
        self.write(1, sql, params![serial, certificate_id]);
    }
}
