//! Which things a certificate is attached to. Counted on both sides; a certificate that is exclusive to one thing says so
//! in its own row, so that the rule is checked where it is counted.
//!
//! As with policies, the certificate's row is written first.

use gatehouse_domain::certificate::CertificateId;
use gatehouse_domain::name::ThingName;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::thing::Attachment;
use gatehouse_domain::time::Timestamp;

use crate::engine::{Row, params};
use crate::{Batch, Error, Page, Store};

/// A certificate attached to a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThingAttachment {
    /// The thing.
    pub thing_name: ThingName,
    /// The certificate.
    pub certificate_id: CertificateId,
    /// Whether the certificate belongs to this thing alone (`EXCLUSIVE_THING`).
    pub exclusive: bool,
    /// When it was attached.
    pub attached_at: Timestamp,
}

impl ThingAttachment {
    /// What the rules of attachments look at.
    #[must_use]
    pub fn rule(&self) -> Attachment {
        Attachment { thing_name: self.thing_name.clone(), exclusive: self.exclusive }
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT thing_name, certificate_id, exclusive, attached_at FROM thing_principals ", $rest)
    };
}
pub(crate) use select;

pub(crate) fn read(row: Row) -> Result<ThingAttachment, Error> {
    let mut columns = row.of("thing_principals");
    Ok(ThingAttachment {
        thing_name: columns.parsed("thing_name")?,
        certificate_id: columns.certificate_id("certificate_id")?,
        exclusive: columns.flag("exclusive")?,
        attached_at: columns.time("attached_at")?,
    })
}

/// The range of the column `exclusive` that a filter lets through.
const fn exclusive_range(exclusive: Option<bool>) -> (bool, bool) {
    match exclusive {
        None => (false, true),
        Some(exclusive) => (exclusive, exclusive),
    }
}

impl Store {
    /// The certificates attached to a thing, by id.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn thing_principals(
        &self,
        scope: Scope,
        name: &ThingName,
        exclusive: Option<bool>,
        page: Page<CertificateId>,
    ) -> Result<Vec<ThingAttachment>, Error> {
        let (from, to) = exclusive_range(exclusive);
        let (sql, params) = page.complete(
            select!("WHERE account = $1 AND region = $2 AND thing_name = $3 AND exclusive BETWEEN $4 AND $5"),
            params![scope.account, scope.region, name, from, to],
            &["certificate_id"],
            page.after.map(|id| params![id]),
        );
        self.list(&sql, &params, read).await
    }

    /// The things that a certificate is attached to, by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn principal_things(
        &self,
        scope: Scope,
        certificate_id: CertificateId,
        exclusive: Option<bool>,
        page: Page<ThingName>,
    ) -> Result<Vec<ThingAttachment>, Error> {
        let (from, to) = exclusive_range(exclusive);
        let (sql, params) = page.complete(
            select!("WHERE certificate_id = $1 AND account = $2 AND region = $3 AND exclusive BETWEEN $4 AND $5"),
            params![certificate_id, scope.account, scope.region, from, to],
            &["thing_name"],
            page.after.as_ref().map(|name| params![name]),
        );
        self.list(&sql, &params, read).await
    }

    /// The attachment of this certificate to this thing.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn thing_attachment(
        &self,
        scope: Scope,
        name: &ThingName,
        certificate_id: CertificateId,
    ) -> Result<Option<ThingAttachment>, Error> {
        let sql = select!("WHERE certificate_id = $1 AND account = $2 AND region = $3 AND thing_name = $4");
        self.row(sql, &params![certificate_id, scope.account, scope.region, name]).await?.map(read).transpose()
    }
}

impl Batch {
    /// Attaches a certificate to a thing. Conflict when one of them is missing, when it is attached already, when it is
    /// exclusive to another thing, when it is to become exclusive while attached elsewhere, or when it is PENDING_TRANSFER.
    pub fn attach_thing_principal(
        &mut self,
        scope: Scope,
        name: &ThingName,
        certificate_id: CertificateId,
        exclusive: bool,
        now: Timestamp,
    ) {
        let Scope { account, region } = scope;
        let sql = if exclusive {
            "UPDATE certificates SET thing_count = 1, exclusive_thing_count = 1 WHERE certificate_id = $1 \
             AND account = $2 AND region = $3 AND thing_count = 0 AND status <> 'PENDING_TRANSFER'"
        } else {
            "UPDATE certificates SET thing_count = thing_count + 1 WHERE certificate_id = $1 AND account = $2 \
             AND region = $3 AND exclusive_thing_count = 0 AND status <> 'PENDING_TRANSFER'"
        };
        self.write(1, sql, params![certificate_id, account, region]);
        self.write(
            1,
            "INSERT INTO thing_principals (certificate_id, account, region, thing_name, exclusive, attached_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            params![certificate_id, account, region, name, exclusive, now],
        );
        self.write(
            1,
            "UPDATE things SET principal_count = principal_count + 1 WHERE account = $1 AND region = $2 AND name = $3",
            params![account, region, name],
        );
    }

    /// Detaches a certificate from a thing. Conflict when it is not attached.
    pub fn detach_thing_principal(&mut self, scope: Scope, name: &ThingName, certificate_id: CertificateId) {
        let Scope { account, region } = scope;
        // An exclusive attachment is the only one, so after any detachment none is left.
        self.write(
            1,
            "UPDATE certificates SET thing_count = thing_count - 1, exclusive_thing_count = 0 WHERE certificate_id = $1 \
             AND account = $2 AND region = $3 AND thing_count > 0",
            params![certificate_id, account, region],
        );
        self.write(
            1,
            "DELETE FROM thing_principals WHERE certificate_id = $1 AND account = $2 AND region = $3 AND thing_name = $4",
            params![certificate_id, account, region, name],
        );
        self.write(
            1,
            "UPDATE things SET principal_count = principal_count - 1 WHERE account = $1 AND region = $2 AND name = $3 \
             AND principal_count > 0",
            params![account, region, name],
        );
    }
}
