//! What can go wrong in the store, seen by its callers.

use std::path::PathBuf;

/// Why the store did not do what was asked. Cloneable, because one failed disk write answers many batches.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Another commit came first, or a row to be inserted exists: nothing was written. Read and decide again.
    #[error("another change came first and nothing was written: read again and decide again")]
    Conflict,
    /// The database does not answer or cannot write now. For a commit on PostgreSQL the outcome may be unknown.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// A stored value is not one that this program writes.
    #[error("the database holds a value in {table}.{column} that cannot be read: restore it from a backup")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// The database was written by a newer release.
    #[error(
        "the database has schema version {found}, and this release knows versions up to {known}: run the release that wrote it, or a newer one"
    )]
    Newer {
        /// The version of the database.
        found: i64,
        /// The newest version that this release knows.
        known: i64,
    },
    /// An applied migration differs from the one in this release.
    #[error(
        "migration {version} was applied to the database with another text than this release has: run the release that made the database"
    )]
    MigrationChanged {
        /// The migration.
        version: i64,
    },
    /// The store's settings cannot be used.
    #[error("{0}")]
    Settings(String),
    /// Another process serves from this data directory.
    #[error("another process serves from {}: stop it first, or choose another data directory", .0.display())]
    Locked(PathBuf),
    /// A reader of the change log slept for so long that the log may have been pruned past its place.
    #[error("the change log may have been pruned past what was read: look at everything again")]
    LogPruned,
    /// The change log holds an entry that this release cannot read, most likely because a newer one wrote it.
    #[error("the change log holds an entry that this release does not know: look at everything again")]
    LogUnknown,
    /// The database refused a statement: a defect of this program.
    #[error("the database refused a statement: {0}")]
    Refused(String),
}

impl Error {
    /// Whether running the operation again can help at once.
    #[must_use]
    pub const fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict)
    }
}
