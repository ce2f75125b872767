//! The messages that wait for sessions: one row for each message and session, gone when the client has acknowledged.

use gatehouse_domain::session::{MessageKey, SessionId};

use crate::engine::{Row, params};
use crate::stored_message::{self, StoredMessage, message_columns};
use crate::{Batch, Error, Store};

/// A message that waits for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedMessage {
    /// Its place in the session's queue.
    pub key: MessageKey,
    /// Whether it came out of the retained messages.
    pub is_retained: bool,
    /// The message.
    pub message: StoredMessage,
}

fn read(row: Row) -> Result<QueuedMessage, Error> {
    let mut columns = row.of("queued_messages");
    Ok(QueuedMessage {
        key: MessageKey::from_bytes(columns.bytes16("message_key")?),
        is_retained: columns.flag("is_retained")?,
        message: stored_message::read(&mut columns)?,
    })
}

impl Store {
    /// The messages of a session behind `after`, in the order of delivery.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn queued_messages(
        &self,
        session_id: SessionId,
        after: Option<MessageKey>,
        limit: u32,
    ) -> Result<Vec<QueuedMessage>, Error> {
        let sql = concat!(
            "SELECT message_key, is_retained, ",
            message_columns!(),
            " FROM queued_messages WHERE session_id = $1 AND message_key > $2 ORDER BY message_key LIMIT $3"
        );
        // No key is smaller than the empty one.
        let after = after.map_or_else(Vec::new, |key| key.as_bytes().to_vec());
        self.list(sql, &params![session_id, after, limit], read).await
    }

    /// The highest key of all messages that wait.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn last_message_key(&self) -> Result<Option<MessageKey>, Error> {
        let sql = "SELECT message_key FROM queued_messages ORDER BY message_key DESC LIMIT 1";
        let row = self.scan(sql, Vec::new()).await?.into_iter().next();
        row.map(|row| row.of("queued_messages").bytes16("message_key").map(MessageKey::from_bytes)).transpose()
    }

    /// How many messages wait for each session.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn queue_lengths(&self) -> Result<Vec<(SessionId, u32)>, Error> {
        let sql = "SELECT session_id, COUNT(*) FROM queued_messages GROUP BY session_id";
        let rows = self.scan(sql, Vec::new()).await?;
        rows.into_iter()
            .map(|row| {
                let mut columns = row.of("queued_messages");
                Ok((SessionId::from_bytes(columns.bytes16("session_id")?), columns.count("count")?))
            })
            .collect()
    }
}

impl Batch {
    /// Lets a message wait for a session. One that is gone by then takes none.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the message cannot be written down.
    pub fn queue_message(&mut self, session_id: SessionId, queued: &QueuedMessage) -> Result<(), Error> {
        let sql = concat!(
            "INSERT INTO queued_messages (session_id, message_key, is_retained, ",
            message_columns!(),
            ") SELECT session_id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 FROM sessions WHERE session_id = $1"
        );
        let mut values = Vec::from(params![session_id, queued.key, queued.is_retained]);
        values.extend(queued.message.values()?);
        self.write_any(sql, values);
        Ok(())
    }

    /// Takes a message out of a session's queue, if it is there.
    pub fn unqueue_message(&mut self, session_id: SessionId, key: MessageKey) {
        self.write_any(
            "DELETE FROM queued_messages WHERE session_id = $1 AND message_key = $2",
            params![session_id, key],
        );
    }

    /// Takes the oldest messages out of a session's queue, `count` at most.
    pub fn unqueue_messages(&mut self, session_id: SessionId, count: u32) {
        self.write_any(
            "DELETE FROM queued_messages WHERE session_id = $1 AND message_key IN (SELECT message_key \
             FROM queued_messages WHERE session_id = $1 ORDER BY message_key LIMIT $2)",
            params![session_id, count],
        );
    }
}
