//! The schema's steps, numbered from 1 without gaps. Forward only: a step that was released never changes, and a step may
//! only do what the release before can live with, so that nodes can be replaced one by one.
//!
//! The table `schema_migrations` keeps the text of every step applied, and the text is compared at every start.

use crate::Error;

/// One step.
pub(crate) struct Migration {
    pub(crate) version: i64,
    pub(crate) sql: &'static str,
}

pub(crate) const SQLITE: &[Migration] = &[
    Migration { version: 1, sql: include_str!("../migrations/sqlite/0001_registry.sql") },
    Migration { version: 2, sql: include_str!("../migrations/sqlite/0002_authorities.sql") },
    Migration { version: 3, sql: include_str!("../migrations/sqlite/0003_sessions.sql") },
    Migration { version: 4, sql: include_str!("../migrations/sqlite/0004_role_aliases.sql") },
    Migration { version: 5, sql: include_str!("../migrations/sqlite/0005_domain_configurations.sql") },
    Migration { version: 6, sql: include_str!("../migrations/sqlite/0006_thing_groups.sql") },
    Migration { version: 7, sql: include_str!("../migrations/sqlite/0007_thing_types_and_billing_groups.sql") },
    Migration { version: 8, sql: include_str!("../migrations/sqlite/0008_certificate_providers.sql") },
    Migration { version: 9, sql: include_str!("../migrations/sqlite/0009_provisioning_templates.sql") },
    Migration { version: 10, sql: include_str!("../migrations/sqlite/0010_fleet_provisioning.sql") },
    Migration { version: 11, sql: include_str!("../migrations/sqlite/0011_registry_events.sql") },
    Migration { version: 12, sql: include_str!("../migrations/sqlite/0012_registration_tasks.sql") },
];

pub(crate) const POSTGRES: &[Migration] = &[
    Migration { version: 1, sql: include_str!("../migrations/postgres/0001_registry.sql") },
    Migration { version: 2, sql: include_str!("../migrations/postgres/0002_authorities.sql") },
    Migration { version: 3, sql: include_str!("../migrations/postgres/0003_sessions.sql") },
    Migration { version: 4, sql: include_str!("../migrations/postgres/0004_role_aliases.sql") },
    Migration { version: 5, sql: include_str!("../migrations/postgres/0005_domain_configurations.sql") },
    Migration { version: 6, sql: include_str!("../migrations/postgres/0006_thing_groups.sql") },
    Migration { version: 7, sql: include_str!("../migrations/postgres/0007_thing_types_and_billing_groups.sql") },
    Migration { version: 8, sql: include_str!("../migrations/postgres/0008_certificate_providers.sql") },
    Migration { version: 9, sql: include_str!("../migrations/postgres/0009_provisioning_templates.sql") },
    Migration { version: 10, sql: include_str!("../migrations/postgres/0010_fleet_provisioning.sql") },
    Migration { version: 11, sql: include_str!("../migrations/postgres/0011_registry_events.sql") },
    Migration { version: 12, sql: include_str!("../migrations/postgres/0012_registration_tasks.sql") },
];

/// The steps that `applied` (version and text, in order) lacks.
pub(crate) fn missing(known: &'static [Migration], applied: &[(i64, String)]) -> Result<&'static [Migration], Error> {
    for (index, (version, text)) in applied.iter().enumerate() {
        let Some(migration) = known.get(index) else {
            let newest = known.last().map_or(0, |migration| migration.version);
            let found = applied.last().map_or(*version, |(version, _)| *version);
            return Err(Error::Newer { found, known: newest });
        };
        if migration.version != *version || migration.sql != text {
            return Err(Error::MigrationChanged { version: *version });
        }
    }
    Ok(known.get(applied.len()..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    static KNOWN: &[Migration] = &[Migration { version: 1, sql: "a" }, Migration { version: 2, sql: "b" }];

    fn applied(steps: &[(i64, &str)]) -> Vec<(i64, String)> {
        steps.iter().map(|(version, text)| (*version, (*text).to_owned())).collect()
    }

    #[test]
    fn only_what_is_missing_is_applied() {
        let versions = |steps| missing(KNOWN, &applied(steps)).map(|m| m.iter().map(|m| m.version).collect::<Vec<_>>());
        assert_eq!(versions(&[]), Ok(vec![1, 2]));
        assert_eq!(versions(&[(1, "a")]), Ok(vec![2]));
        assert_eq!(versions(&[(1, "a"), (2, "b")]), Ok(vec![]));
        assert_eq!(versions(&[(1, "x")]), Err(Error::MigrationChanged { version: 1 }));
        assert_eq!(versions(&[(1, "a"), (2, "b"), (3, "c")]), Err(Error::Newer { found: 3, known: 2 }));
    }

    #[test]
    fn versions_count_up_from_one() {
        for known in [SQLITE, POSTGRES] {
            assert!(known.iter().map(|m| m.version).eq((1..).take(known.len())));
        }
        assert_eq!(SQLITE.len(), POSTGRES.len());
    }
}
