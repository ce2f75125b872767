//! Where the store lives.

use std::fmt;
use std::path::PathBuf;

/// Which engine, and where.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreKind {
    /// The embedded engine: a file `gatehouse.db` in `dir`, which is made when missing.
    Sqlite {
        /// The data directory. Never on a network file system.
        dir: PathBuf,
    },
    /// A PostgreSQL server, or what speaks its protocol.
    Postgres {
        /// `postgres://user:password@host:port/database`
        url: String,
    },
}

impl fmt::Debug for StoreKind {
    /// Leaves the address out: it may carry a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { dir } => f.debug_struct("Sqlite").field("dir", dir).finish(),
            Self::Postgres { .. } => f.debug_struct("Postgres").finish_non_exhaustive(),
        }
    }
}

/// How the store is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// Which engine, and where.
    pub kind: StoreKind,
    /// Connections for reads. SQLite: how many are kept open; PostgreSQL: over how many reads are spread.
    pub read_connections: usize,
    /// PostgreSQL: transactions at once. SQLite has one writer.
    pub write_connections: usize,
}

impl StoreSettings {
    /// The embedded engine in `dir`.
    #[must_use]
    pub fn sqlite(dir: impl Into<PathBuf>) -> Self {
        Self { kind: StoreKind::Sqlite { dir: dir.into() }, read_connections: 8, write_connections: 1 }
    }

    /// A PostgreSQL server.
    #[must_use]
    pub fn postgres(url: impl Into<String>) -> Self {
        Self { kind: StoreKind::Postgres { url: url.into() }, read_connections: 4, write_connections: 8 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_do_not_print_the_password() {
        let text = format!("{:?}", StoreSettings::postgres("postgres://u:secret@h/d"));
        assert!(!text.contains("secret"), "{text}");
    }
}
