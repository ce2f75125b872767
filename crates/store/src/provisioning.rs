//! What fleet provisioning keeps until a device is part of the fleet: certificates that were made for devices and are
//! nobody's yet, and the short-lived claims under which devices come in.

use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::name::ProvisioningTemplateName;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;

use crate::engine::{Row, params};
use crate::{Batch, Error, Store};

/// A certificate made in fleet provisioning that no thing has been registered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnclaimedCertificate {
    /// Whose it is.
    pub scope: Scope,
    /// The certificate.
    pub certificate_id: CertificateId,
    /// When it is given up.
    pub expires_at: Timestamp,
}

/// A temporary certificate that may provision by one template and do nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvisioningClaimRecord {
    /// Whose it is.
    pub scope: Scope,
    /// The certificate.
    pub certificate_id: CertificateId,
    /// The template that it may provision by.
    pub template_name: ProvisioningTemplateName,
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
}

fn read_unclaimed(row: Row) -> Result<UnclaimedCertificate, Error> {
    let mut columns = row.of("unclaimed_certificates");
    let certificate_id = columns.certificate_id("certificate_id")?;
    let scope = Scope::new(columns.parsed("account")?, columns.parsed("region")?);
    Ok(UnclaimedCertificate { scope, certificate_id, expires_at: columns.time("expires_at")? })
}

impl Store {
    /// The certificate, if it was made in fleet provisioning and no thing has been registered with it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn unclaimed_certificate(
        &self,
        scope: Scope,
        id: CertificateId,
    ) -> Result<Option<UnclaimedCertificate>, Error> {
        let sql = "SELECT certificate_id, account, region, expires_at FROM unclaimed_certificates \
                   WHERE certificate_id = $1 AND account = $2 AND region = $3";
        self.row(sql, &params![id, scope.account, scope.region]).await?.map(read_unclaimed).transpose()
    }

    /// The unclaimed certificates that are to be given up at `now`, of all scopes, those that waited longest first.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn given_up_certificates(&self, now: Timestamp, limit: u32) -> Result<Vec<UnclaimedCertificate>, Error> {
        let sql = "SELECT certificate_id, account, region, expires_at FROM unclaimed_certificates \
                   WHERE expires_at <= $1 ORDER BY expires_at, certificate_id LIMIT $2";
        self.list(sql, &params![now, limit], read_unclaimed).await
    }

    /// The claim that the certificate is, in this scope.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn provisioning_claim(
        &self,
        scope: Scope,
        id: CertificateId,
    ) -> Result<Option<ProvisioningClaimRecord>, Error> {
        let sql = "SELECT template_name, not_before, not_after FROM provisioning_claims WHERE certificate_id = $1 \
                   AND account = $2 AND region = $3";
        let Some(row) = self.row(sql, &params![id, scope.account, scope.region]).await? else { return Ok(None) };
        let mut columns = row.of("provisioning_claims");
        Ok(Some(ProvisioningClaimRecord {
            scope,
            certificate_id: id,
            template_name: columns.parsed("template_name")?,
            not_before: columns.time("not_before")?,
            not_after: columns.time("not_after")?,
        }))
    }

    /// Removes claims that ended before `before`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn prune_provisioning_claims(&self, before: Timestamp) -> Result<(), Error> {
        let mut batch = Batch::new();
        batch.write_any("DELETE FROM provisioning_claims WHERE not_after < $1", params![before]);
        self.commit(batch, before).await
    }
}

impl Batch {
    /// Notes that a certificate is nobody's yet. Conflict when that is noted already.
    pub fn insert_unclaimed_certificate(&mut self, unclaimed: &UnclaimedCertificate) {
        let UnclaimedCertificate { scope: Scope { account, region }, certificate_id, expires_at } = *unclaimed;
        self.write(
            1,
            "INSERT INTO unclaimed_certificates (certificate_id, account, region, expires_at) VALUES ($1, $2, $3, $4)",
            params![certificate_id, account, region, expires_at],
        );
    }

    /// The certificate is somebody's, or gone. Conflict when it was so before.
    pub fn claim_certificate(&mut self, unclaimed: &UnclaimedCertificate) {
        let Scope { account, region } = unclaimed.scope;
        self.write(
            1,
            "DELETE FROM unclaimed_certificates WHERE certificate_id = $1 AND account = $2 AND region = $3",
            params![unclaimed.certificate_id, account, region],
        );
    }

    /// Makes a claim. Conflict when the certificate is one already.
    pub fn insert_provisioning_claim(&mut self, record: &ProvisioningClaimRecord) {
        let Scope { account, region } = record.scope;
        self.write(
            1,
            "INSERT INTO provisioning_claims (certificate_id, account, region, template_name, not_before, not_after) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            params![
                record.certificate_id,
                account,
                region,
                &record.template_name,
                record.not_before,
                record.not_after,
            ],
        );
    }

    /// Ends the claims on a template, whose certificates mean nothing any more.
    pub fn delete_provisioning_claims(&mut self, scope: Scope, template_name: &ProvisioningTemplateName) {
        self.write_any(
            "DELETE FROM provisioning_claims WHERE account = $1 AND region = $2 AND template_name = $3",
            params![scope.account, scope.region, template_name],
        );
    }
}
