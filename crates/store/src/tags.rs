//! Tags of resources, one row for each resource that has any.

use std::collections::BTreeMap;

use gatehouse_domain::arn::Arn;

use crate::engine::params;
use crate::{Batch, Error, Store};

/// The tags of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagsRecord {
    /// Values by key.
    pub tags: BTreeMap<String, String>,
    /// Grows by one with every change.
    pub row_version: i64,
}

impl Store {
    /// The tags of a resource; `None` when it never had any.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn tags(&self, arn: &Arn) -> Result<Option<TagsRecord>, Error> {
        let sql = "SELECT tags, row_version FROM tags WHERE arn = $1";
        let row = self.row(sql, &params![arn.to_string()]).await?;
        row.map(|row| {
            let mut columns = row.of("tags");
            Ok(TagsRecord { tags: columns.map("tags")?, row_version: columns.int("row_version")? })
        })
        .transpose()
    }
}

impl Batch {
    /// Replaces the tags of a resource. `current` is the row version that was read, `None` when there was no row.
    /// Conflict when that is no longer so.
    pub fn set_tags(&mut self, arn: &Arn, tags: &BTreeMap<String, String>, current: Option<i64>) {
        let (arn, tags) = (arn.to_string(), serde_json::json!(tags).to_string());
        match current {
            None => self.write(1, "INSERT INTO tags (arn, tags, row_version) VALUES ($1, $2, 1)", params![arn, tags]),
            Some(row_version) => self.write(
                1,
                "UPDATE tags SET tags = $2, row_version = row_version + 1 WHERE arn = $1 AND row_version = $3",
                params![arn, tags, row_version],
            ),
        }
    }

    /// Removes the tags of a resource, if it has any.
    pub fn delete_tags(&mut self, arn: &Arn) {
        self.write_any("DELETE FROM tags WHERE arn = $1", params![arn.to_string()]);
    }
}
