//! Which policies are attached to which certificates. Counted on both sides: a certificate's row counts its policies, a
//! policy's row counts its certificates.
//!
//! The certificate's row is written first and the policy's last: commits that meet wait for each other instead of
//! deadlocking, and a policy that a whole fleet shares is locked for the shortest time.

use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::limits;
use gatehouse_domain::name::PolicyName;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;

use crate::engine::params;
use crate::{Batch, Error, Page, Store};

pub(crate) const TABLE: &str = "policy_attachments";

impl Store {
    /// The policies attached to a certificate, by time of attachment.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn attached_policies(
        &self,
        scope: Scope,
        certificate_id: CertificateId,
        page: Page<(Timestamp, PolicyName)>,
    ) -> Result<Vec<(Timestamp, PolicyName)>, Error> {
        let (sql, params) = page.complete(
            "SELECT attached_at, policy_name FROM policy_attachments WHERE certificate_id = $1 AND account = $2 \
             AND region = $3",
            params![certificate_id, scope.account, scope.region],
            &["attached_at", "policy_name"],
            page.after.as_ref().map(|(at, name)| params![*at, name]),
        );
        self.list(&sql, &params, |row| {
            let mut columns = row.of(TABLE);
            Ok((columns.time("attached_at")?, columns.parsed("policy_name")?))
        })
        .await
    }

    /// The certificates that a policy is attached to, by time of attachment.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn policy_targets(
        &self,
        scope: Scope,
        name: &PolicyName,
        page: Page<(Timestamp, CertificateId)>,
    ) -> Result<Vec<(Timestamp, CertificateId)>, Error> {
        let (sql, params) = page.complete(
            "SELECT attached_at, certificate_id FROM policy_attachments WHERE account = $1 AND region = $2 \
             AND policy_name = $3",
            params![scope.account, scope.region, name],
            &["attached_at", "certificate_id"],
            page.after.map(|(at, id)| params![at, id]),
        );
        self.list(&sql, &params, |row| {
            let mut columns = row.of(TABLE);
            Ok((columns.time("attached_at")?, columns.certificate_id("certificate_id")?))
        })
        .await
    }

    /// Whether the policy is attached to the certificate.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn is_attached(
        &self,
        scope: Scope,
        name: &PolicyName,
        certificate_id: CertificateId,
    ) -> Result<bool, Error> {
        let sql = "SELECT attached_at FROM policy_attachments WHERE certificate_id = $1 AND account = $2 AND region = $3 \
                   AND policy_name = $4";
        Ok(self.row(sql, &params![certificate_id, scope.account, scope.region, name]).await?.is_some())
    }
}

impl Batch {
    /// Attaches a policy to a certificate. Conflict when one of them is missing, when it is attached already, when the
    /// certificate has all the policies it may have, or when it is PENDING_TRANSFER.
    pub fn attach_policy(&mut self, scope: Scope, name: &PolicyName, certificate_id: CertificateId, now: Timestamp) {
        let Scope { account, region } = scope;
        self.write(
            1,
            "UPDATE certificates SET policy_count = policy_count + 1 WHERE certificate_id = $1 AND account = $2 \
             AND region = $3 AND policy_count < $4 AND status <> 'PENDING_TRANSFER'",
            params![certificate_id, account, region, limits::POLICIES_PER_CERTIFICATE],
        );
        self.write(
            1,
            "INSERT INTO policy_attachments (certificate_id, account, region, policy_name, attached_at) \
             VALUES ($1, $2, $3, $4, $5)",
            params![certificate_id, account, region, name, now],
        );
        self.write(
            1,
            "UPDATE policies SET attachment_count = attachment_count + 1 WHERE account = $1 AND region = $2 AND name = $3",
            params![account, region, name],
        );
    }

    /// Detaches a policy from a certificate. Conflict when it is not attached.
    pub fn detach_policy(&mut self, scope: Scope, name: &PolicyName, certificate_id: CertificateId) {
        let Scope { account, region } = scope;
        self.write(
            1,
            "UPDATE certificates SET policy_count = policy_count - 1 WHERE certificate_id = $1 AND account = $2 \
             AND region = $3 AND policy_count > 0",
            params![certificate_id, account, region],
        );
        self.write(
            1,
            "DELETE FROM policy_attachments WHERE certificate_id = $1 AND account = $2 AND region = $3 \
             AND policy_name = $4",
            params![certificate_id, account, region, name],
        );
        self.write(
            1,
            "UPDATE policies SET attachment_count = attachment_count - 1 WHERE account = $1 AND region = $2 AND name = $3 \
             AND attachment_count > 0",
            params![account, region, name],
        );
    }
}
