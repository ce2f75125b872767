//! Sessions that outlive their connections, and their subscriptions.

use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::session::SessionId;
use gatehouse_domain::time::Timestamp;
use gatehouse_domain::topic::TopicFilter;

use crate::engine::{Row, params};
use crate::{Batch, Error, Store};

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// A new one for each session, so that what belongs to an older one of the same client is never taken for its own.
    pub session_id: SessionId,
    /// Whose it is.
    pub scope: Scope,
    /// Its client.
    pub client_id: ClientId,
    /// The protocol level it was made with: 4 is MQTT 3.1.1, 5 is MQTT 5.
    pub protocol_level: u8,
    /// How long it outlives its connection, in seconds.
    pub expiry_secs: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when its client is gone; `None` while it is connected.
    pub parked: Option<ParkedRecord>,
}

/// A session whose client is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedRecord {
    /// Since when.
    pub disconnected_at: Timestamp,
    /// Why, in AWS's words.
    pub disconnect_reason: String,
    /// When the session ends.
    pub expires_at: Timestamp,
}

/// A subscription of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionRecord {
    /// The filter.
    pub filter: TopicFilter,
    /// The highest QoS granted, 0 or 1.
    pub qos: u8,
    /// Not the session's own messages.
    pub no_local: bool,
    /// Live messages keep the publisher's RETAIN flag.
    pub retain_as_published: bool,
    /// When it was made.
    pub subscribed_at: Timestamp,
}

fn read(row: Row) -> Result<SessionRecord, Error> {
    let mut columns = row.of("sessions");
    let session_id = SessionId::from_bytes(columns.bytes16("session_id")?);
    let scope = Scope::new(columns.parsed("account")?, columns.parsed("region")?);
    let client_id = columns.text("client_id")?;
    Ok(SessionRecord {
        session_id,
        scope,
        client_id: ClientId::parse(&client_id).map_err(|_| columns.corrupt("client_id"))?,
        protocol_level: u8::try_from(columns.int("protocol_level")?).map_err(|_| columns.corrupt("protocol_level"))?,
        expiry_secs: columns.count("expiry_secs")?,
        created_at: columns.time("created_at")?,
        parked: match (
            columns.optional_time("disconnected_at")?,
            columns.optional_text("disconnect_reason")?,
            columns.optional_time("expires_at")?,
        ) {
            (Some(disconnected_at), Some(disconnect_reason), Some(expires_at)) => {
                Some(ParkedRecord { disconnected_at, disconnect_reason, expires_at })
            }
            _ => None,
        },
    })
}

impl Store {
    /// Sessions behind `after`, of all scopes, in the order of their ids.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn sessions(&self, after: Option<SessionId>, limit: u32) -> Result<Vec<SessionRecord>, Error> {
        let sql = "SELECT session_id, account, region, client_id, protocol_level, expiry_secs, created_at, \
                   disconnected_at, disconnect_reason, expires_at FROM sessions WHERE session_id > $1 \
                   ORDER BY session_id LIMIT $2";
        // No id is smaller than the empty one.
        let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
        self.list(sql, &params![after, limit], read).await
    }

    /// The subscriptions of a session, oldest first.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Corrupt`].
    pub async fn session_subscriptions(&self, session_id: SessionId) -> Result<Vec<SubscriptionRecord>, Error> {
        let sql = "SELECT filter, qos, no_local, retain_as_published, subscribed_at FROM session_subscriptions \
                   WHERE session_id = $1 ORDER BY subscribed_at, filter";
        self.list(sql, &params![session_id], |row| {
            let mut columns = row.of("session_subscriptions");
            let filter = columns.text("filter")?;
            Ok(SubscriptionRecord {
                filter: TopicFilter::parse(&filter).map_err(|_| columns.corrupt("filter"))?,
                qos: columns.qos("qos")?,
                no_local: columns.flag("no_local")?,
                retain_as_published: columns.flag("retain_as_published")?,
                subscribed_at: columns.time("subscribed_at")?,
            })
        })
        .await
    }
}

impl Batch {
    /// Makes a session, connected. One of the same client in the scope is a conflict.
    pub fn insert_session(&mut self, session: &SessionRecord) {
        self.write(
            1,
            "INSERT INTO sessions (session_id, account, region, client_id, protocol_level, expiry_secs, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            params![
                session.session_id,
                session.scope.account,
                session.scope.region,
                session.client_id.as_str(),
                u32::from(session.protocol_level),
                session.expiry_secs,
                session.created_at,
            ],
        );
    }

    /// The client is back. A session that is gone is a conflict.
    pub fn resume_session(&mut self, session_id: SessionId, expiry_secs: u32) {
        self.write(
            1,
            "UPDATE sessions SET expiry_secs = $2, disconnected_at = NULL, disconnect_reason = NULL, expires_at = NULL \
             WHERE session_id = $1",
            params![session_id, expiry_secs],
        );
    }

    /// The client is gone. Nothing happens to a session that is gone as well.
    pub fn park_session(&mut self, session_id: SessionId, expiry_secs: u32, parked: &ParkedRecord) {
        self.write_any(
            "UPDATE sessions SET expiry_secs = $2, disconnected_at = $3, disconnect_reason = $4, expires_at = $5 \
             WHERE session_id = $1",
            params![
                session_id,
                expiry_secs,
                parked.disconnected_at,
                parked.disconnect_reason.as_str(),
                parked.expires_at
            ],
        );
    }

    /// Parks every session whose client is connected, according to the store: nobody is, when the server starts.
    pub fn park_all_sessions(&mut self, now: Timestamp, disconnect_reason: &str) {
        self.write_any(
            "UPDATE sessions SET disconnected_at = $1, disconnect_reason = $2, expires_at = $1 + expiry_secs * 1000 \
             WHERE expires_at IS NULL",
            params![now, disconnect_reason],
        );
    }

    /// Ends a session, with its subscriptions. Its messages are removed by [`Batch::unqueue_messages`], as there may be
    /// many.
    pub fn delete_session(&mut self, session_id: SessionId) {
        self.write_any("DELETE FROM session_subscriptions WHERE session_id = $1", params![session_id]);
        self.write_any("DELETE FROM sessions WHERE session_id = $1", params![session_id]);
    }

    /// Removes messages whose session is gone.
    pub fn delete_orphaned_messages(&mut self) {
        self.write_any(
            "DELETE FROM queued_messages WHERE session_id NOT IN (SELECT session_id FROM sessions)",
            params![],
        );
    }

    /// Makes or changes a subscription. A session that is gone takes none.
    pub fn put_subscription(&mut self, session_id: SessionId, subscription: &SubscriptionRecord) {
        self.write_any(
            "INSERT INTO session_subscriptions (session_id, filter, qos, no_local, retain_as_published, subscribed_at) \
             SELECT session_id, $2, $3, $4, $5, $6 FROM sessions WHERE session_id = $1 \
             ON CONFLICT (session_id, filter) DO UPDATE SET qos = excluded.qos, no_local = excluded.no_local, \
             retain_as_published = excluded.retain_as_published",
            params![
                session_id,
                subscription.filter.as_str(),
                u32::from(subscription.qos),
                subscription.no_local,
                subscription.retain_as_published,
                subscription.subscribed_at,
            ],
        );
    }

    /// Ends a subscription, if it is there.
    pub fn delete_subscription(&mut self, session_id: SessionId, filter: &TopicFilter) {
        self.write_any(
            "DELETE FROM session_subscriptions WHERE session_id = $1 AND filter = $2",
            params![session_id, filter.as_str()],
        );
    }
}
