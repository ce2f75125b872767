//! Messages of registry events on their way from the operation that changed the registry to the gateway, which publishes
//! them: written in the same commit as the change, removed when they are safe with everybody who must get them. What a
//! crash leaves here is published by the next start, so a message may come twice and is never lost.
//!
//! On an engine with concurrent transactions a row with a lower id can become visible after one with a higher. That is no
//! harm: whoever reads begins with the lowest there is, and removes just what it has read.

use gatehouse_domain::event::Event;
use gatehouse_domain::registry_event::RegistryMessage;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;
use gatehouse_domain::topic::TopicName;

use crate::engine::{Row, params};
use crate::{Batch, Error, Store};

/// How long a message waits for somebody to publish it, in milliseconds: a day.
pub const REGISTRY_MESSAGE_RETENTION_MS: i64 = 24 * 60 * 60 * 1000;

/// Messages dropped in one commit, so that it never holds up others for long.
const DROPPED_AT_ONCE: i64 = 1_000;

const NEXT_SCOPE: &str =
    "SELECT account, region FROM registry_messages WHERE (account, region) > ($1, $2) ORDER BY account, region LIMIT 1";
const OF_SCOPE: &str = "SELECT message_id, account, region, topic, payload, told_at FROM registry_messages \
     WHERE account = $1 AND region = $2 ORDER BY message_id LIMIT $3";
const OLD: &str = "SELECT message_id FROM registry_messages WHERE told_at < $1 ORDER BY told_at LIMIT $2";

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingMessage {
    /// Its place in line.
    pub message_id: i64,
    /// What is to be published.
    pub message: RegistryMessage,
}

fn read(row: Row) -> Result<WaitingMessage, Error> {
    let mut columns = row.of("registry_messages");
    let message_id = columns.int("message_id")?;
    let scope = Scope::new(columns.parsed("account")?, columns.parsed("region")?);
    let topic = columns.text("topic")?;
    Ok(WaitingMessage {
        message_id,
        message: RegistryMessage {
            scope,
            topic: TopicName::of_service(&topic).map_err(|_| columns.corrupt("topic"))?,
            payload: columns.text("payload")?,
            told_at: columns.time("told_at")?,
        },
    })
}

impl Store {
    /// The first scope, or the first behind `after`, in which messages wait.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn scope_with_registry_messages(&self, after: Option<Scope>) -> Result<Option<Scope>, Error> {
        // No scope sorts before these.
        let (account, region) = match &after {
            Some(Scope { account, region }) => (account.as_str(), region.as_str()),
            None => ("", ""),
        };
        let row = self.row(NEXT_SCOPE, &params![account, region]).await?;
        row.map(|row| {
            let mut columns = row.of("registry_messages");
            Ok(Scope::new(columns.parsed("account")?, columns.parsed("region")?))
        })
        .transpose()
    }

    /// The messages that wait in a scope, the oldest first, `limit` at most.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn registry_messages(&self, scope: Scope, limit: u32) -> Result<Vec<WaitingMessage>, Error> {
        self.list(OF_SCOPE, &params![scope.account, scope.region, limit], read).await
    }

    /// When the change was made whose message waits longest.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn oldest_registry_message(&self) -> Result<Option<Timestamp>, Error> {
        let row = self.row("SELECT told_at FROM registry_messages ORDER BY told_at LIMIT 1", &[]).await?;
        row.map(|row| row.of("registry_messages").time("told_at")).transpose()
    }

    /// Drops the messages of changes made before `before`: nobody has published them. Answers how many there were.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; what was dropped until then is gone.
    pub async fn drop_registry_messages(&self, before: Timestamp, now: Timestamp) -> Result<u64, Error> {
        let mut dropped = 0;
        loop {
            let ids = self
                .list(OLD, &params![before, DROPPED_AT_ONCE], |row| row.of("registry_messages").int("message_id"))
                .await?;
            if ids.is_empty() {
                return Ok(dropped);
            }
            let mut batch = Batch::new();
            batch.forget_registry_messages(&ids);
            self.commit(batch, now).await?;
            dropped += u64::try_from(ids.len()).unwrap_or(u64::MAX);
        }
    }
}

impl Batch {
    /// Has a message published once this batch is committed, and announces that one waits.
    pub fn tell(&mut self, message: &RegistryMessage) {
        let Scope { account, region } = message.scope;
        self.write(
            1,
            "INSERT INTO registry_messages (account, region, topic, payload, told_at) VALUES ($1, $2, $3, $4, $5)",
            params![account, region, message.topic.as_str(), message.payload.as_str(), message.told_at],
        );
        let waiting = Event::Outbox { scope: message.scope };
        if !self.events.contains(&waiting) {
            self.announce(waiting);
        }
    }

    /// Removes messages that wait no more. One that is gone already is no matter.
    pub fn forget_registry_messages(&mut self, message_ids: &[i64]) {
        for message_id in message_ids {
            self.write_any("DELETE FROM registry_messages WHERE message_id = $1", params![*message_id]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreSettings;

    #[tokio::test]
    async fn what_waits_is_found_by_its_index() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreSettings::sqlite(folder.path())).await.unwrap();
        for (sql, params, step) in [
            (NEXT_SCOPE, params!["", ""].to_vec(), "COVERING INDEX registry_messages_by_scope"),
            (OF_SCOPE, params!["", "", 1_u32].to_vec(), "INDEX registry_messages_by_scope (account=? AND region=?)"),
            (OLD, params![0_i64, 1_u32].to_vec(), "INDEX registry_messages_by_time (told_at<?)"),
        ] {
            let steps = store.rows(&format!("EXPLAIN QUERY PLAN {sql}"), &params).await.unwrap();
            let plan: Vec<_> = steps.into_iter().map(|step| format!("{:?}", step.0.last())).collect();
            let plan = plan.join("\n");
            assert!(plan.contains(step) && plan.contains("SEARCH") && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
