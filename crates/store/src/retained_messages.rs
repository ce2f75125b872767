//! Retained messages: one for each topic of a scope, counted per scope because their number is limited.

use gatehouse_domain::limits;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Timestamp;
use gatehouse_domain::topic::TopicName;

use crate::engine::{Row, params};
use crate::stored_message::{self, StoredMessage, message_columns};
use crate::{Batch, Error, Page, Store};

/// A retained message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetainedMessage {
    /// The QoS it was published with, 0 or 1.
    pub qos: u8,
    /// The message.
    pub message: StoredMessage,
}

/// A retained message in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetainedTopic {
    /// Its topic.
    pub topic: TopicName,
    /// Its payload's length, in bytes.
    pub payload_bytes: u32,
    /// The QoS it was published with, 0 or 1.
    pub qos: u8,
    /// When the server took it.
    pub published_at: Timestamp,
}

fn read(row: Row) -> Result<RetainedMessage, Error> {
    let mut columns = row.of("retained_messages");
    Ok(RetainedMessage { qos: columns.qos("qos")?, message: stored_message::read(&mut columns)? })
}

fn read_topic(row: Row) -> Result<RetainedTopic, Error> {
    let mut columns = row.of("retained_messages");
    let topic = columns.text("topic")?;
    Ok(RetainedTopic {
        topic: TopicName::of_service(&topic).map_err(|_| columns.corrupt("topic"))?,
        payload_bytes: columns.count("payload_bytes")?,
        qos: columns.qos("qos")?,
        published_at: columns.time("published_at")?,
    })
}

impl Store {
    /// The retained message of a topic, also when it has expired.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn retained_message(&self, scope: Scope, topic: &TopicName) -> Result<Option<RetainedMessage>, Error> {
        let sql = concat!(
            "SELECT qos, ",
            message_columns!(),
            " FROM retained_messages WHERE account = $1 AND region = $2 AND topic = $3"
        );
        self.row(sql, &params![scope.account, scope.region, topic.as_str()]).await?.map(read).transpose()
    }

    /// The topics of a scope that have a retained message at `now`, in the order of their bytes.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn retained_topics(
        &self,
        scope: Scope,
        now: Timestamp,
        page: Page<TopicName>,
    ) -> Result<Vec<RetainedTopic>, Error> {
        let select = "SELECT topic, LENGTH(payload) AS payload_bytes, qos, published_at FROM retained_messages \
                      WHERE account = $1 AND region = $2 AND (expires_at IS NULL OR expires_at > $3)";
        let cursor = page.after.as_ref().map(|topic| params![topic.as_str()]);
        let (sql, params) = page.complete(select, params![scope.account, scope.region, now], &["topic"], cursor);
        self.list(&sql, &params, read_topic).await
    }

    /// Topics whose retained message has expired at `now`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn expired_retained_topics(&self, now: Timestamp, limit: u32) -> Result<Vec<(Scope, TopicName)>, Error> {
        let sql =
            "SELECT account, region, topic FROM retained_messages WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2";
        self.list(sql, &params![now, limit], |row| {
            let mut columns = row.of("retained_messages");
            let scope = Scope::new(columns.parsed("account")?, columns.parsed("region")?);
            let topic = columns.text("topic")?;
            Ok((scope, TopicName::of_service(&topic).map_err(|_| columns.corrupt("topic"))?))
        })
        .await
    }

    /// How many retained messages a scope has.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn retained_count(&self, scope: Scope) -> Result<u32, Error> {
        let sql = "SELECT retained_count FROM retained_counts WHERE account = $1 AND region = $2";
        let row = self.row(sql, &params![scope.account, scope.region]).await?;
        row.map_or(Ok(0), |row| row.of("retained_counts").count("retained_count"))
    }
}

impl Batch {
    /// Retains the first message of a topic. A conflict when there is one, or when the scope has
    /// [`limits::RETAINED_MESSAGES`].
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the message cannot be written down.
    pub fn insert_retained_message(&mut self, scope: Scope, retained: &RetainedMessage) -> Result<(), Error> {
        let sql = concat!(
            "INSERT INTO retained_messages (account, region, qos, ",
            message_columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        );
        let mut values = Vec::from(params![scope.account, scope.region, u32::from(retained.qos)]);
        values.extend(retained.message.values()?);
        self.write(1, sql, values);
        self.write_any(
            "INSERT INTO retained_counts (account, region, retained_count) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING",
            params![scope.account, scope.region],
        );
        self.write(
            1,
            "UPDATE retained_counts SET retained_count = retained_count + 1 \
             WHERE account = $1 AND region = $2 AND retained_count < $3",
            params![scope.account, scope.region, limits::RETAINED_MESSAGES],
        );
        Ok(())
    }

    /// Replaces the retained message of a topic. A conflict when there is none.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the message cannot be written down.
    pub fn replace_retained_message(&mut self, scope: Scope, retained: &RetainedMessage) -> Result<(), Error> {
        let mut values = Vec::from(params![scope.account, scope.region, u32::from(retained.qos)]);
        values.extend(retained.message.values()?);
        self.write(
            1,
            "UPDATE retained_messages SET qos = $3, payload = $5, published_at = $6, expires_at = $7, \
             payload_format = $8, content_type = $9, response_topic = $10, correlation_data = $11, \
             user_properties = $12 WHERE account = $1 AND region = $2 AND topic = $4",
            values,
        );
        Ok(())
    }

    /// Deletes the retained message of a topic. A conflict when there is none.
    pub fn delete_retained_message(&mut self, scope: Scope, topic: &TopicName) {
        self.write(
            1,
            "DELETE FROM retained_messages WHERE account = $1 AND region = $2 AND topic = $3",
            params![scope.account, scope.region, topic.as_str()],
        );
        self.count_retained_down(scope);
    }

    /// Deletes the retained message of a topic that has expired at `now`. A conflict when there is none such.
    pub fn delete_expired_retained_message(&mut self, scope: Scope, topic: &TopicName, now: Timestamp) {
        self.write(
            1,
            "DELETE FROM retained_messages WHERE account = $1 AND region = $2 AND topic = $3 AND expires_at <= $4",
            params![scope.account, scope.region, topic.as_str(), now],
        );
        self.count_retained_down(scope);
    }

    fn count_retained_down(&mut self, scope: Scope) {
        self.write(
            1,
            "UPDATE retained_counts SET retained_count = retained_count - 1 WHERE account = $1 AND region = $2",
            params![scope.account, scope.region],
        );
    }
}
