//! CA certificates: the authorities that an account registered to vouch for device certificates.
//!
//! How many have one subject is counted in a row of `ca_subjects`. As with policies, the row of what is changed is written
//! first and the row that others share last.

use gatehouse_domain::ca::{CaStatus, Issuer};
use gatehouse_domain::certificate::{CertificateId, CertificateMode};
use gatehouse_domain::limits;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;
use serde::Deserialize;

use crate::engine::{Columns, Row, Value, params};
use crate::{Batch, Error, Page, Store};

/// A registered CA certificate, without its PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaCertificateRecord {
    /// Whose it is.
    pub scope: Scope,
    /// Its id.
    pub certificate_id: CertificateId,
    /// Whether it vouches for new certificates.
    pub status: CaStatus,
    /// Whether certificates of it are registered when they first connect.
    pub auto_registration: bool,
    /// The mode that its certificates inherit.
    pub mode: CertificateMode,
    /// SHA-256 of the subject's DER: what the issuer of a certificate is looked up by.
    pub subject_sha256: [u8; 32],
    /// The registration configuration, a JSON object in the words of the service model; its `templateName` can be searched.
    pub registration_config: Option<String>,
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
}

impl CaCertificateRecord {
    /// What counts when an unknown certificate that it signed turns up.
    #[must_use]
    pub fn issuer(&self) -> Issuer {
        Issuer {
            status: self.status,
            auto_registration: self.auto_registration.into(),
            mode: self.mode,
            not_before: self.not_before,
            not_after: self.not_after,
        }
    }

    /// The provisioning template that the registration configuration names.
    fn template_name(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Config {
            #[serde(rename = "templateName")]
            template_name: Option<String>,
        }
        let config = serde_json::from_str::<Config>(self.registration_config.as_deref()?);
        config.ok()?.template_name
    }
}

macro_rules! columns {
    () => {
        "c.account, c.region, c.certificate_id, c.status, c.auto_registration, c.mode, c.subject_sha256, \
         c.registration_config, c.generation_id, c.customer_version, c.created_at, c.last_modified_at, c.not_before, \
         c.not_after"
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM ca_certificates c ", $rest)
    };
}

const TABLE: &str = "ca_certificates";

fn read(row: Row) -> Result<CaCertificateRecord, Error> {
    read_columns(&mut row.of(TABLE))
}

fn read_columns(columns: &mut Columns) -> Result<CaCertificateRecord, Error> {
    Ok(CaCertificateRecord {
        scope: Scope::new(columns.parsed("account")?, columns.parsed("region")?),
        certificate_id: columns.certificate_id("certificate_id")?,
        status: columns.parsed("status")?,
        auto_registration: columns.flag("auto_registration")?,
        mode: columns.parsed("mode")?,
        subject_sha256: columns.digest("subject_sha256")?,
        registration_config: columns.optional_text("registration_config")?,
        generation_id: columns.text("generation_id")?,
        customer_version: columns.int("customer_version")?,
        created_at: columns.time("created_at")?,
        last_modified_at: columns.time("last_modified_at")?,
        not_before: columns.time("not_before")?,
        not_after: columns.time("not_after")?,
    })
}

impl Store {
    /// The CA certificate in this scope.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn ca_certificate(&self, scope: Scope, id: CertificateId) -> Result<Option<CaCertificateRecord>, Error> {
        let sql = select!("WHERE certificate_id = $1 AND account = $2 AND region = $3");
        self.row(sql, &params![id, scope.account, scope.region]).await?.map(read).transpose()
    }

    /// The PEM of the CA certificate as it was registered.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn ca_certificate_pem(&self, scope: Scope, id: CertificateId) -> Result<Option<String>, Error> {
        let sql = "SELECT pem FROM ca_certificate_pems WHERE certificate_id = $1 AND account = $2 AND region = $3";
        let row = self.row(sql, &params![id, scope.account, scope.region]).await?;
        row.map(|row| row.of("ca_certificate_pems").text("pem")).transpose()
    }

    /// The CA certificates of a scope by creation; with `template_name` only those that provision by this template.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn ca_certificates(
        &self,
        scope: Scope,
        template_name: Option<&str>,
        page: Page<(Timestamp, CertificateId)>,
    ) -> Result<Vec<CaCertificateRecord>, Error> {
        let mut params = Vec::from(params![scope.account, scope.region]);
        let select = match template_name {
            None => select!("WHERE account = $1 AND region = $2"),
            Some(name) => {
                params.push(Value::from(name));
                select!("WHERE account = $1 AND region = $2 AND template_name = $3")
            }
        };
        let cursor = page.after.map(|(at, id)| params![at, id]);
        let (sql, params) = page.complete(select, params, &["created_at", "certificate_id"], cursor);
        self.list(&sql, &params, read).await
    }

    /// The CA certificates of a scope with this subject, each with its PEM, by creation. There are at most
    /// [`limits::CA_CERTIFICATES_PER_SUBJECT`].
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn ca_certificates_by_subject(
        &self,
        scope: Scope,
        subject_sha256: [u8; 32],
    ) -> Result<Vec<(CaCertificateRecord, String)>, Error> {
        let sql = concat!(
            "SELECT ",
            columns!(),
            ", p.pem FROM ca_certificates c JOIN ca_certificate_pems p ON p.certificate_id = c.certificate_id ",
            "AND p.account = c.account AND p.region = c.region ",
            "WHERE c.account = $1 AND c.region = $2 AND c.subject_sha256 = $3 ORDER BY c.created_at, c.certificate_id"
        );
        self.list(sql, &params![scope.account, scope.region, &subject_sha256], |row| {
            let mut columns = row.of(TABLE);
            let record = read_columns(&mut columns)?;
            Ok((record, columns.next_table("ca_certificate_pems").text("pem")?))
        })
        .await
    }

    /// Every scope in which the CA certificate is registered, and in which mode.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn ca_certificate_scopes(&self, id: CertificateId) -> Result<Vec<(Scope, CertificateMode)>, Error> {
        let sql =
            "SELECT account, region, mode FROM ca_certificates WHERE certificate_id = $1 ORDER BY account, region";
        self.list(sql, &params![id], |row| {
            let mut columns = row.of(TABLE);
            Ok((Scope::new(columns.parsed("account")?, columns.parsed("region")?), columns.parsed("mode")?))
        })
        .await
    }
}

/// The CA certificate as it was read: id, scope, version, generation ($1 to $5).
fn as_read(record: &CaCertificateRecord) -> Vec<Value> {
    let Scope { account, region } = record.scope;
    // The generation tells a CA certificate from one that was deleted and registered again with the same version.
    params![record.certificate_id, account, region, record.customer_version, &record.generation_id].into()
}

impl Batch {
    /// Registers a CA certificate. Conflict when it is in this scope, or in DEFAULT mode in another account of the Region
    /// while this one is DEFAULT too, or when the scope has all the CA certificates of one subject that it may have.
    pub fn insert_ca_certificate(&mut self, record: &CaCertificateRecord, pem: &str) {
        let Scope { account, region } = record.scope;
        self.write(
            1,
            "INSERT INTO ca_certificates (certificate_id, account, region, status, auto_registration, mode, \
             subject_sha256, registration_config, template_name, generation_id, customer_version, created_at, \
             last_modified_at, not_before, not_after) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            params![
                record.certificate_id,
                account,
                region,
                record.status.as_str(),
                record.auto_registration,
                record.mode.as_str(),
                &record.subject_sha256,
                record.registration_config.as_deref(),
                record.template_name(),
                &record.generation_id,
                record.customer_version,
                record.created_at,
                record.last_modified_at,
                record.not_before,
                record.not_after,
            ],
        );
        let sql = "INSERT INTO ca_certificate_pems (certificate_id, account, region, pem) VALUES ($1, $2, $3, $4)";
        self.write(1, sql, params![record.certificate_id, account, region, pem]);
        let limit = i64::try_from(limits::CA_CERTIFICATES_PER_SUBJECT).unwrap_or(i64::MAX);
        self.write(
            1,
            "INSERT INTO ca_subjects (account, region, subject_sha256, ca_count) VALUES ($1, $2, $3, 1) \
             ON CONFLICT (account, region, subject_sha256) DO UPDATE SET ca_count = ca_subjects.ca_count + 1 \
             WHERE ca_subjects.ca_count < $4",
            params![account, region, &record.subject_sha256, limit],
        );
    }

    /// Gives the CA certificate the status, auto-registration, registration configuration, generation and time of
    /// `changed`. Conflict when it is no longer what `current` says.
    pub fn update_ca_certificate(&mut self, current: &CaCertificateRecord, changed: &CaCertificateRecord) {
        let mut params = as_read(current);
        params.extend(params![
            changed.status.as_str(),
            changed.auto_registration,
            changed.registration_config.as_deref(),
            changed.template_name(),
            &changed.generation_id,
            changed.last_modified_at,
        ]);
        self.write(
            1,
            "UPDATE ca_certificates SET status = $6, auto_registration = $7, registration_config = $8, \
             template_name = $9, generation_id = $10, last_modified_at = $11, customer_version = customer_version + 1 \
             WHERE certificate_id = $1 AND account = $2 AND region = $3 AND customer_version = $4 AND generation_id = $5",
            params,
        );
    }

    /// Holds a CA certificate in place, as it was read, for writes that hang on it without touching it. Conflict when it
    /// changed or is gone.
    pub fn require_ca_certificate(&mut self, record: &CaCertificateRecord) {
        // Writing the row, even as it is, makes whoever changes it meanwhile wait or lose.
        self.write(
            1,
            "UPDATE ca_certificates SET customer_version = customer_version WHERE certificate_id = $1 AND account = $2 \
             AND region = $3 AND customer_version = $4 AND generation_id = $5",
            as_read(record),
        );
    }

    /// Removes the CA certificate; certificates that it signed stay. Conflict when it changed.
    pub fn delete_ca_certificate(&mut self, record: &CaCertificateRecord) {
        let Scope { account, region } = record.scope;
        self.write(
            1,
            "DELETE FROM ca_certificates WHERE certificate_id = $1 AND account = $2 AND region = $3 \
             AND customer_version = $4 AND generation_id = $5",
            as_read(record),
        );
        let sql = "DELETE FROM ca_certificate_pems WHERE certificate_id = $1 AND account = $2 AND region = $3";
        self.write(1, sql, params![record.certificate_id, account, region]);
        let subject = || params![account, region, &record.subject_sha256];
        self.write(
            1,
            "UPDATE ca_subjects SET ca_count = ca_count - 1 WHERE account = $1 AND region = $2 AND subject_sha256 = $3 \
             AND ca_count > 0",
            subject(),
        );
        self.write_any(
            "DELETE FROM ca_subjects WHERE account = $1 AND region = $2 AND subject_sha256 = $3 AND ca_count = 0",
            subject(),
        );
    }
}
