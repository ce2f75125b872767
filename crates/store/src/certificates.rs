//! Client certificates in the registry: a thin row that the gate reads, and the PEM apart from it.

use gatehouse_domain::admission::Registration;
use gatehouse_domain::certificate::{CertificateId, CertificateMode, CertificateStatus};
use gatehouse_domain::name::PolicyName;
use gatehouse_domain::scope::{AccountId, Scope};
use gatehouse_domain::time::Timestamp;

use crate::engine::{Columns, Row, params};
use crate::thing_attachments::{self, ThingAttachment};
use crate::{Batch, Error, Page, Store, attachments};

/// A registered certificate, without its PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRecord {
    /// Whose it is.
    pub scope: Scope,
    /// Its id.
    pub certificate_id: CertificateId,
    /// Its status.
    pub status: CertificateStatus,
    /// Whether SNI must name the endpoint.
    pub mode: CertificateMode,
    /// The registered CA that signed it.
    pub ca_certificate_id: Option<CertificateId>,
    /// The account it was transferred from.
    pub previous_owned_by: Option<AccountId>,
    /// Changes with every registration and change.
    pub generation_id: String,
    /// Grows by one with every change.
    pub customer_version: i64,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub last_modified_at: Timestamp,
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
    /// Policies attached.
    pub policy_count: u32,
    /// Things attached.
    pub thing_count: u32,
}

impl CertificateRecord {
    /// The record of a certificate that is registered at `now`, without a CA and with nothing attached.
    #[must_use]
    pub const fn new(
        scope: Scope,
        certificate_id: CertificateId,
        registration: Registration,
        generation_id: String,
        now: Timestamp,
    ) -> Self {
        Self {
            scope,
            certificate_id,
            status: registration.status,
            mode: registration.mode,
            ca_certificate_id: None,
            previous_owned_by: None,
            generation_id,
            customer_version: 1,
            created_at: now,
            last_modified_at: now,
            not_before: registration.not_before,
            not_after: registration.not_after,
            policy_count: 0,
            thing_count: 0,
        }
    }

    /// What counts at the gate.
    #[must_use]
    pub const fn registration(&self) -> Registration {
        Registration { status: self.status, mode: self.mode, not_before: self.not_before, not_after: self.not_after }
    }
}

/// What the gate needs to know about a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmissionRecord {
    /// The certificate.
    pub certificate: CertificateRecord,
    /// The policies attached to it, by name.
    pub policies: Vec<PolicyName>,
    /// The things it is attached to, by name.
    pub things: Vec<ThingAttachment>,
}

/// What [`read_columns`] reads, of the table `c`.
macro_rules! columns {
    () => {
        "c.account, c.region, c.certificate_id, c.status, c.mode, c.ca_certificate_id, c.previous_owned_by, \
         c.generation_id, c.customer_version, c.created_at, c.last_modified_at, c.not_before, c.not_after, \
         c.policy_count, c.thing_count"
    };
}
pub(crate) use columns;

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM certificates c ", $rest)
    };
}

pub(crate) const TABLE: &str = "certificates";

fn read(row: Row) -> Result<CertificateRecord, Error> {
    read_columns(&mut row.of(TABLE))
}

pub(crate) fn read_columns(columns: &mut Columns) -> Result<CertificateRecord, Error> {
    Ok(CertificateRecord {
        scope: Scope::new(columns.parsed("account")?, columns.parsed("region")?),
        certificate_id: columns.certificate_id("certificate_id")?,
        status: columns.parsed("status")?,
        mode: columns.parsed("mode")?,
        ca_certificate_id: columns.optional_digest("ca_certificate_id")?.map(CertificateId::from_bytes),
        previous_owned_by: columns.optional_parsed("previous_owned_by")?,
        generation_id: columns.text("generation_id")?,
        customer_version: columns.int("customer_version")?,
        created_at: columns.time("created_at")?,
        last_modified_at: columns.time("last_modified_at")?,
        not_before: columns.time("not_before")?,
        not_after: columns.time("not_after")?,
        policy_count: columns.count("policy_count")?,
        thing_count: columns.count("thing_count")?,
    })
}

impl Store {
    /// The certificate in this scope.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn certificate(&self, scope: Scope, id: CertificateId) -> Result<Option<CertificateRecord>, Error> {
        let sql = select!("WHERE certificate_id = $1 AND account = $2 AND region = $3");
        self.row(sql, &params![id, scope.account, scope.region]).await?.map(read).transpose()
    }

    /// The PEM of the certificate as it was registered.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn certificate_pem(&self, scope: Scope, id: CertificateId) -> Result<Option<String>, Error> {
        let sql = "SELECT pem FROM certificate_pems WHERE certificate_id = $1 AND account = $2 AND region = $3";
        let row = self.row(sql, &params![id, scope.account, scope.region]).await?;
        row.map(|row| row.of("certificate_pems").text("pem")).transpose()
    }

    /// The certificates of a scope by creation, and among them those that are offered to its account, as they stand with
    /// whoever offers them. An offer of a certificate that the scope has already is left out: the id names the scope's own.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn certificates(
        &self,
        scope: Scope,
        page: Page<(Timestamp, CertificateId)>,
    ) -> Result<Vec<CertificateRecord>, Error> {
        let cursor = || page.after.map(|(at, id)| params![at, id]);
        let (own, params) = page.complete(
            select!("WHERE c.account = $1 AND c.region = $2"),
            params![scope.account, scope.region],
            &["c.created_at", "c.certificate_id"],
            cursor(),
        );
        let (offered, mut params) = page.complete(
            concat!(
                "SELECT ",
                columns!(),
                " FROM transfers t JOIN certificates c ON c.certificate_id = t.certificate_id AND c.account = t.account ",
                "AND c.region = t.region WHERE t.target = $1 AND t.region = $2 AND t.is_pending = 1 ",
                "AND NOT EXISTS (SELECT 1 FROM certificates o WHERE o.certificate_id = t.certificate_id ",
                "AND o.account = $1 AND o.region = $2)"
            ),
            params,
            &["t.certificate_created_at", "t.certificate_id"],
            cursor(),
        );
        params.push(page.limit.into());
        let (direction, limit) = (if page.ascending { "ASC" } else { "DESC" }, params.len());
        // Each half ends by itself, so that the page costs the same however many there are.
        let sql = format!(
            "SELECT * FROM ({own}) AS own UNION ALL SELECT * FROM ({offered}) AS offered \
             ORDER BY created_at {direction}, certificate_id {direction} LIMIT ${limit}"
        );
        self.list(&sql, &params, read).await
    }

    /// The certificates of a scope that a CA signed, by creation.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn certificates_by_ca(
        &self,
        scope: Scope,
        ca_certificate_id: CertificateId,
        page: Page<(Timestamp, CertificateId)>,
    ) -> Result<Vec<CertificateRecord>, Error> {
        let (sql, params) = page.complete(
            select!("WHERE account = $1 AND region = $2 AND ca_certificate_id = $3"),
            params![scope.account, scope.region, ca_certificate_id],
            &["created_at", "certificate_id"],
            page.after.map(|(at, id)| params![at, id]),
        );
        self.list(&sql, &params, read).await
    }

    /// Every scope in which the certificate is registered, and in which mode.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn certificate_scopes(&self, id: CertificateId) -> Result<Vec<(Scope, CertificateMode)>, Error> {
        let sql = "SELECT account, region, mode FROM certificates WHERE certificate_id = $1 ORDER BY account, region";
        self.list(sql, &params![id], |row| {
            let mut columns = row.of("certificates");
            Ok((Scope::new(columns.parsed("account")?, columns.parsed("region")?), columns.parsed("mode")?))
        })
        .await
    }

    /// The certificate with the policies and things attached to it: one query, or two when something is attached.
    ///
    /// The parts are read one after the other. A change in between is announced after its commit, so whoever listens
    /// reads again.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn admission(&self, scope: Scope, id: CertificateId) -> Result<Option<AdmissionRecord>, Error> {
        let Some(certificate) = self.certificate(scope, id).await? else { return Ok(None) };
        let policies = async {
            if certificate.policy_count == 0 {
                return Ok(Vec::new());
            }
            let sql = "SELECT policy_name FROM policy_attachments WHERE certificate_id = $1 AND account = $2 AND \
                       region = $3 ORDER BY policy_name";
            let read = |row: Row| row.of(attachments::TABLE).parsed("policy_name");
            self.list(sql, &params![id, scope.account, scope.region], read).await
        };
        let things = async {
            if certificate.thing_count == 0 {
                return Ok(Vec::new());
            }
            let sql = thing_attachments::select!(
                "WHERE certificate_id = $1 AND account = $2 AND region = $3 ORDER BY thing_name"
            );
            self.list(sql, &params![id, scope.account, scope.region], thing_attachments::read).await
        };
        let (policies, things) = tokio::join!(policies, things);
        let (policies, things) = (policies?, things?);
        Ok(Some(AdmissionRecord { certificate, policies, things }))
    }
}

impl Batch {
    /// Registers a certificate. Conflict when it is in this scope, or in DEFAULT mode in another account of the Region
    /// while this one is DEFAULT too.
    pub fn insert_certificate(&mut self, record: &CertificateRecord, pem: &str) {
        let Scope { account, region } = record.scope;
        self.write(
            1,
            "INSERT INTO certificates (certificate_id, account, region, status, mode, ca_certificate_id, \
             previous_owned_by, generation_id, customer_version, created_at, last_modified_at, not_before, not_after, \
             policy_count, thing_count, exclusive_thing_count) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, 0, 0)",
            params![
                record.certificate_id,
                account,
                region,
                record.status.as_str(),
                record.mode.as_str(),
                record.ca_certificate_id,
                record.previous_owned_by,
                &record.generation_id,
                record.customer_version,
                record.created_at,
                record.last_modified_at,
                record.not_before,
                record.not_after,
            ],
        );
        let sql = "INSERT INTO certificate_pems (certificate_id, account, region, pem) VALUES ($1, $2, $3, $4)";
        self.write(1, sql, params![record.certificate_id, account, region, pem]);
    }

    /// Holds a certificate in place for writes that hang on it without touching it. Conflict when it is no longer what
    /// `record` says.
    pub fn require_certificate(&mut self, record: &CertificateRecord) {
        // Writing the row, even as it is, makes whoever changes it meanwhile wait or lose.
        self.write(
            1,
            "UPDATE certificates SET customer_version = customer_version WHERE certificate_id = $1 AND account = $2 \
             AND region = $3 AND customer_version = $4 AND generation_id = $5",
            params![
                record.certificate_id,
                record.scope.account,
                record.scope.region,
                record.customer_version,
                &record.generation_id,
            ],
        );
    }

    /// Moves the certificate to `status`. Conflict when it is no longer what `current` says.
    pub fn set_certificate_status(
        &mut self,
        current: &CertificateRecord,
        status: CertificateStatus,
        generation_id: &str,
        now: Timestamp,
    ) {
        // The generation tells a certificate from one that was deleted and registered again with the same version.
        self.write(
            1,
            "UPDATE certificates SET status = $6, generation_id = $7, last_modified_at = $8, \
             customer_version = customer_version + 1 WHERE certificate_id = $1 AND account = $2 AND region = $3 \
             AND customer_version = $4 AND generation_id = $5",
            params![
                current.certificate_id,
                current.scope.account,
                current.scope.region,
                current.customer_version,
                &current.generation_id,
                status.as_str(),
                generation_id,
                now,
            ],
        );
    }

    /// Removes the certificate, and with `detach_policies` its policy attachments. Conflict when it changed, when a thing
    /// is attached, or when other policies are attached than `record` counts (none without `detach_policies`).
    pub fn delete_certificate(&mut self, record: &CertificateRecord, detach_policies: bool) {
        let policy_count = if detach_policies { record.policy_count } else { 0 };
        let key = || params![record.certificate_id, record.scope.account, record.scope.region];
        // The certificate's row first: whoever attaches or detaches takes it first too, so once it is ours the set of
        // attached policies stands still, and a count that is the same means the same policies until the end.
        let mut guarded = Vec::from(key());
        guarded.extend(params![record.customer_version, &record.generation_id, policy_count]);
        self.write(
            1,
            "DELETE FROM certificates WHERE certificate_id = $1 AND account = $2 AND region = $3 \
             AND customer_version = $4 AND generation_id = $5 AND policy_count = $6 AND thing_count = 0",
            guarded,
        );
        if policy_count > 0 {
            self.write(
                u64::from(policy_count),
                "UPDATE policies SET attachment_count = attachment_count - 1 WHERE account = $2 AND region = $3 \
                 AND name IN (SELECT policy_name FROM policy_attachments WHERE certificate_id = $1 AND account = $2 \
                 AND region = $3)",
                key(),
            );
            let sql = "DELETE FROM policy_attachments WHERE certificate_id = $1 AND account = $2 AND region = $3";
            self.write(u64::from(policy_count), sql, key());
        }
        let sql = "DELETE FROM certificate_pems WHERE certificate_id = $1 AND account = $2 AND region = $3";
        self.write(1, sql, key());
        let sql = "DELETE FROM transfers WHERE certificate_id = $1 AND account = $2 AND region = $3";
        self.write_any(sql, key());
    }
}
