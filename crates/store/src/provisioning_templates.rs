//! Provisioning templates and their versions.

use gatehouse_domain::limits;
use gatehouse_domain::name::ProvisioningTemplateName;
use gatehouse_domain::provisioning_template::{Hook, TemplateType};
use gatehouse_domain::role_alias::RoleArn;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;

use crate::counts::CountedKind;
use crate::engine::{Columns, Row, Value, params};
use crate::{Batch, Error, Page, Store};

/// A provisioning template, without its bodies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvisioningTemplateRecord {
    /// Whose it is.
    pub scope: Scope,
    /// Its name.
    pub name: ProvisioningTemplateName,
    /// Who provisions by it; never changes.
    pub template_type: TemplateType,
    /// What somebody wrote about it.
    pub description: Option<String>,
    /// Whether anybody may provision by it.
    pub enabled: bool,
    /// The role that is provisioned with.
    pub role_arn: RoleArn,
    /// The function that is asked before.
    pub hook: Option<Hook>,
    /// The version that is provisioned by.
    pub default_version: i64,
    /// The number of the next version; numbers are never used again.
    pub next_version: i64,
    /// Versions there are.
    pub version_count: u32,
    /// Grows by one with every change of the template or its versions, and whenever something comes to hang on it.
    pub row_version: i64,
    /// Made with the template: tells it from one of the same name that was deleted.
    pub generation_id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last, or a version was added.
    pub last_modified_at: Timestamp,
}

/// A version of a provisioning template, without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProvisioningTemplateVersion {
    /// Its number.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
}

macro_rules! columns {
    () => {
        "t.account, t.region, t.name, t.template_type, t.description, t.enabled, t.role_arn, t.hook_payload_version, \
         t.hook_target_arn, t.default_version, t.next_version, t.version_count, t.row_version, t.generation_id, \
         t.created_at, t.last_modified_at"
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM provisioning_templates t ", $rest)
    };
}

const TABLE: &str = "provisioning_templates";
const VERSIONS: &str = "provisioning_template_versions";

fn read(row: Row) -> Result<ProvisioningTemplateRecord, Error> {
    read_columns(&mut row.of(TABLE))
}

fn read_columns(columns: &mut Columns) -> Result<ProvisioningTemplateRecord, Error> {
    Ok(ProvisioningTemplateRecord {
        scope: Scope::new(columns.parsed("account")?, columns.parsed("region")?),
        name: columns.parsed("name")?,
        template_type: columns.parsed("template_type")?,
        description: columns.optional_text("description")?,
        enabled: columns.flag("enabled")?,
        role_arn: columns.parsed("role_arn")?,
        hook: read_hook(columns)?,
        default_version: columns.int("default_version")?,
        next_version: columns.int("next_version")?,
        version_count: columns.count("version_count")?,
        row_version: columns.int("row_version")?,
        generation_id: columns.text("generation_id")?,
        created_at: columns.time("created_at")?,
        last_modified_at: columns.time("last_modified_at")?,
    })
}

fn read_hook(columns: &mut Columns) -> Result<Option<Hook>, Error> {
    let payload_version = columns.optional_parsed("hook_payload_version")?;
    match (payload_version, columns.optional_parsed("hook_target_arn")?) {
        (None, None) => Ok(None),
        (Some(payload_version), Some(target_arn)) => Ok(Some(Hook { payload_version, target_arn })),
        // A device must not get in because half a hook was lost.
        (None, Some(_)) | (Some(_), None) => Err(columns.corrupt("hook_target_arn")),
    }
}

fn read_version(row: Row) -> Result<ProvisioningTemplateVersion, Error> {
    let mut columns = row.of(VERSIONS);
    Ok(ProvisioningTemplateVersion { version: columns.int("version")?, created_at: columns.time("created_at")? })
}

impl Store {
    /// The provisioning template.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn provisioning_template(
        &self,
        scope: Scope,
        name: &ProvisioningTemplateName,
    ) -> Result<Option<ProvisioningTemplateRecord>, Error> {
        let sql = select!("WHERE t.account = $1 AND t.region = $2 AND t.name = $3");
        self.row(sql, &params![scope.account, scope.region, name]).await?.map(read).transpose()
    }

    /// The provisioning template with the body of its default version, both of one moment.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn provisioning_template_in_force(
        &self,
        scope: Scope,
        name: &ProvisioningTemplateName,
    ) -> Result<Option<(ProvisioningTemplateRecord, String)>, Error> {
        let sql = concat!(
            "SELECT ",
            columns!(),
            ", v.body FROM provisioning_templates t JOIN provisioning_template_versions v ON v.account = t.account ",
            "AND v.region = t.region AND v.name = t.name AND v.version = t.default_version ",
            "WHERE t.account = $1 AND t.region = $2 AND t.name = $3"
        );
        let row = self.row(sql, &params![scope.account, scope.region, name]).await?;
        row.map(|row| {
            let mut columns = row.of(TABLE);
            let record = read_columns(&mut columns)?;
            Ok((record, columns.next_table(VERSIONS).text("body")?))
        })
        .transpose()
    }

    /// The provisioning templates of a scope by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn provisioning_templates(
        &self,
        scope: Scope,
        page: Page<ProvisioningTemplateName>,
    ) -> Result<Vec<ProvisioningTemplateRecord>, Error> {
        let (sql, params) = page.complete(
            select!("WHERE t.account = $1 AND t.region = $2"),
            params![scope.account, scope.region],
            &["t.name"],
            page.after.as_ref().map(|name| params![name]),
        );
        self.list(&sql, &params, read).await
    }

    /// One version of the provisioning template, with its body as it was given.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn provisioning_template_version(
        &self,
        scope: Scope,
        name: &ProvisioningTemplateName,
        version: i64,
    ) -> Result<Option<(ProvisioningTemplateVersion, String)>, Error> {
        let sql = "SELECT version, created_at, body FROM provisioning_template_versions \
                   WHERE account = $1 AND region = $2 AND name = $3 AND version = $4";
        let row = self.row(sql, &params![scope.account, scope.region, name, version]).await?;
        row.map(|row| {
            let mut columns = row.of(VERSIONS);
            let version = ProvisioningTemplateVersion {
                version: columns.int("version")?,
                created_at: columns.time("created_at")?,
            };
            Ok((version, columns.text("body")?))
        })
        .transpose()
    }

    /// The versions of the provisioning template by number.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn provisioning_template_versions(
        &self,
        scope: Scope,
        name: &ProvisioningTemplateName,
        page: Page<i64>,
    ) -> Result<Vec<ProvisioningTemplateVersion>, Error> {
        let (sql, params) = page.complete(
            "SELECT version, created_at FROM provisioning_template_versions \
             WHERE account = $1 AND region = $2 AND name = $3",
            params![scope.account, scope.region, name],
            &["version"],
            page.after.map(|version| params![version]),
        );
        self.list(&sql, &params, read_version).await
    }
}

/// The provisioning template as it was read: scope, name, row version, generation ($1 to $5).
fn as_read(record: &ProvisioningTemplateRecord) -> Vec<Value> {
    let Scope { account, region } = record.scope;
    params![account, region, &record.name, record.row_version, &record.generation_id].into()
}

/// What UpdateProvisioningTemplate may change: description, enabled, role, hook.
fn settings(record: &ProvisioningTemplateRecord) -> [Value; 5] {
    let hook = record.hook.as_ref();
    params![
        record.description.as_deref(),
        record.enabled,
        record.role_arn.as_str(),
        hook.map(|hook| hook.payload_version.as_str()),
        hook.map(|hook| hook.target_arn.as_str()),
    ]
}

impl Batch {
    /// Makes a provisioning template with its first version, which is provisioned by. Conflict when the name is taken, or
    /// the scope has all that it may have.
    pub fn insert_provisioning_template(&mut self, record: &ProvisioningTemplateRecord, body: &str) {
        let mut params = as_read(record);
        params.extend(settings(record));
        params.extend(params![
            record.template_type.as_str(),
            record.default_version,
            record.next_version,
            record.created_at,
            record.last_modified_at,
        ]);
        self.write(
            1,
            "INSERT INTO provisioning_templates (account, region, name, row_version, generation_id, description, enabled, \
             role_arn, hook_payload_version, hook_target_arn, template_type, default_version, next_version, created_at, \
             last_modified_at, version_count) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 1)",
            params,
        );
        self.insert_template_version(record, record.default_version, body, record.created_at);
        self.count_up(record.scope, CountedKind::ProvisioningTemplate, limits::PROVISIONING_TEMPLATES);
    }

    fn insert_template_version(
        &mut self,
        template: &ProvisioningTemplateRecord,
        version: i64,
        body: &str,
        now: Timestamp,
    ) {
        let Scope { account, region } = template.scope;
        self.write(
            1,
            "INSERT INTO provisioning_template_versions (account, region, name, version, body, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            params![account, region, &template.name, version, body, now],
        );
    }

    /// Gives the provisioning template the description, switch, role, hook, default version and time of `changed`. Conflict
    /// when it is no longer what `current` says, or has no such version.
    pub fn update_provisioning_template(
        &mut self,
        current: &ProvisioningTemplateRecord,
        changed: &ProvisioningTemplateRecord,
    ) {
        let mut params = as_read(current);
        params.extend(settings(changed));
        params.extend(params![changed.default_version, changed.last_modified_at]);
        self.write(
            1,
            "UPDATE provisioning_templates SET description = $6, enabled = $7, role_arn = $8, hook_payload_version = $9, \
             hook_target_arn = $10, default_version = $11, last_modified_at = $12, row_version = row_version + 1 \
             WHERE account = $1 AND region = $2 AND name = $3 AND row_version = $4 AND generation_id = $5 \
             AND EXISTS (SELECT 1 FROM provisioning_template_versions v WHERE v.account = $1 AND v.region = $2 \
             AND v.name = $3 AND v.version = $11)",
            params,
        );
    }

    /// Adds the version `current.next_version`, provisioned by at once when `set_default`. Conflict when the template
    /// changed or has all the versions it may have.
    pub fn insert_provisioning_template_version(
        &mut self,
        current: &ProvisioningTemplateRecord,
        body: &str,
        set_default: bool,
        now: Timestamp,
    ) {
        let default_version = if set_default { current.next_version } else { current.default_version };
        let mut params = as_read(current);
        params.extend(params![current.next_version, default_version, now, limits::PROVISIONING_TEMPLATE_VERSIONS]);
        self.write(
            1,
            "UPDATE provisioning_templates SET next_version = next_version + 1, version_count = version_count + 1, \
             row_version = row_version + 1, default_version = $7, last_modified_at = $8 \
             WHERE account = $1 AND region = $2 AND name = $3 AND row_version = $4 AND generation_id = $5 \
             AND next_version = $6 AND version_count < $9",
            params,
        );
        self.insert_template_version(current, current.next_version, body, now);
    }

    /// Removes a version that is not the default. Conflict when the template changed or the version is gone or the default.
    pub fn delete_provisioning_template_version(&mut self, record: &ProvisioningTemplateRecord, version: i64) {
        let mut params = as_read(record);
        params.push(Value::Int(version));
        self.write(
            1,
            "UPDATE provisioning_templates SET version_count = version_count - 1, row_version = row_version + 1 \
             WHERE account = $1 AND region = $2 AND name = $3 AND row_version = $4 AND generation_id = $5 \
             AND default_version <> $6",
            params,
        );
        let Scope { account, region } = record.scope;
        self.write(
            1,
            "DELETE FROM provisioning_template_versions WHERE account = $1 AND region = $2 AND name = $3 AND version = $4",
            params![account, region, &record.name, version],
        );
    }

    /// Holds a provisioning template in place for writes that hang on it: tags, and CA certificates that name it. Conflict
    /// when it is gone. Whoever read the template before, to delete it, loses.
    pub fn require_provisioning_template(&mut self, record: &ProvisioningTemplateRecord) {
        let Scope { account, region } = record.scope;
        self.write(
            1,
            "UPDATE provisioning_templates SET row_version = row_version + 1 \
             WHERE account = $1 AND region = $2 AND name = $3 AND generation_id = $4",
            params![account, region, &record.name, &record.generation_id],
        );
    }

    /// Removes the provisioning template with its versions. Conflict when it changed, or something came to hang on it.
    pub fn delete_provisioning_template(&mut self, record: &ProvisioningTemplateRecord) {
        self.write(
            1,
            "DELETE FROM provisioning_templates WHERE account = $1 AND region = $2 AND name = $3 AND row_version = $4 \
             AND generation_id = $5",
            as_read(record),
        );
        let Scope { account, region } = record.scope;
        self.write(
            u64::from(record.version_count),
            "DELETE FROM provisioning_template_versions WHERE account = $1 AND region = $2 AND name = $3",
            params![account, region, &record.name],
        );
        self.count_down(record.scope, CountedKind::ProvisioningTemplate);
    }
}
