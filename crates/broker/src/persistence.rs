//! What the broker wants to keep beyond the process: a narrow waist, with the store behind it.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::disconnect::DisconnectReason;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::session::{MessageKey, SessionId};
use gatehouse_domain::time::Timestamp;
use gatehouse_domain::topic::{TopicFilter, TopicName};
use gatehouse_mqtt::{MessageProperties, Qos, Utf8Bytes};
use gatehouse_store::{
    Batch, ParkedRecord, QueuedMessage, RetainedMessage, SessionRecord, Store, StoredMessage, SubscriptionRecord,
};

use crate::message::{Delivery, Message};

/// Sessions read at once at the start.
const SESSIONS_AT_ONCE: u32 = 1_000;

/// A future of the waist.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, Unavailable>> + Send + 'a>>;

/// What was to be kept or read could not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The store does not answer, or refuses for a reason that may pass.
    #[error("the store cannot be written or read at the moment")]
    Store,
    /// The client id connects more often than it may.
    #[error("the client id connects too often")]
    Throttled,
    /// The scope retains as many messages as it may.
    #[error("as many messages are retained as may be")]
    RetainedLimit,
}

/// One change of what is kept.
#[derive(Clone, Debug)]
pub enum Write {
    /// A session begins, connected.
    CreateSession(Box<SessionRecord>),
    /// Its client is back.
    ResumeSession {
        /// Which.
        session_id: SessionId,
        /// How long it outlives this connection.
        expiry_secs: u32,
    },
    /// Its client is gone.
    ParkSession {
        /// Which.
        session_id: SessionId,
        /// How long it outlives the connection.
        expiry_secs: u32,
        /// Since when, why, until when.
        parked: Box<ParkedRecord>,
    },
    /// It ends; its messages go with [`Write::Trim`].
    DeleteSession(SessionId),
    /// It subscribes.
    PutSubscription(SessionId, Box<SubscriptionRecord>),
    /// It unsubscribes.
    DeleteSubscription(SessionId, TopicFilter),
    /// A message waits for it.
    Queue {
        /// Which session.
        session_id: SessionId,
        /// The message's place.
        key: MessageKey,
        /// Whether it came out of the retained messages.
        is_retained: bool,
        /// The message.
        message: Arc<Message>,
    },
    /// A shared subscription begins, or is there already.
    PutGroup {
        /// Its id.
        group_id: SessionId,
        /// Whose it is.
        scope: Scope,
        /// As clients write it.
        filter: TopicFilter,
    },
    /// It ends; its messages go with [`Write::Trim`].
    DeleteGroup(SessionId),
    /// A message waits for whoever of a group comes first.
    QueueShared {
        /// Which group.
        group_id: SessionId,
        /// The message's place.
        key: MessageKey,
        /// The message.
        message: Arc<Message>,
    },
    /// A message waits no more.
    Unqueue(SessionId, MessageKey),
    /// The oldest messages of a session wait no more: so many at most.
    Trim(SessionId, u32),
    /// A message is retained, or ends what is retained when it has no payload.
    Retain(Scope, Arc<Message>),
    /// What is retained of a topic goes, if it has expired.
    ExpireRetained(Scope, TopicName, Timestamp),
}

/// A session as it was kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The session.
    pub session: SessionRecord,
    /// Its subscriptions, oldest first.
    pub subscriptions: Vec<SubscriptionRecord>,
    /// How many messages wait for it.
    pub queued: u32,
}

/// A shared subscription as it was kept.
#[derive(Clone, Debug)]
pub struct KeptGroup {
    /// Its id.
    pub group_id: SessionId,
    /// Whose it is.
    pub scope: Scope,
    /// As clients write it.
    pub filter: TopicFilter,
    /// How many messages wait for it.
    pub queued: u32,
}

/// What was kept.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The sessions, nobody being connected.
    pub sessions: Vec<Kept>,
    /// The shared subscriptions that messages may wait for.
    pub groups: Vec<KeptGroup>,
    /// The highest number of a message's key.
    pub last_message: u64,
}

/// Keeps what outlives connections and processes. Whatever `commit` has answered with `Ok` is on the disk.
pub trait Persistence: Send + Sync + 'static {
    /// Writes all of it, or nothing.
    fn commit(&self, writes: Vec<Write>, now: Timestamp) -> Pending<'_, ()>;
    /// The messages that wait for a session behind `after`, in order.
    fn queued(&self, session_id: SessionId, after: Option<MessageKey>, limit: u32) -> Pending<'_, Vec<Delivery>>;
    /// The retained message of a topic, also when it has expired.
    fn retained(&self, scope: Scope, topic: TopicName) -> Pending<'_, Option<Arc<Message>>>;
    /// Topics whose retained message has expired.
    fn expired_retained(&self, now: Timestamp, limit: u32) -> Pending<'_, Vec<(Scope, TopicName)>>;
    /// Everything that is kept of sessions.
    fn load(&self, now: Timestamp) -> Pending<'_, Loaded>;
}

fn unavailable(error: &gatehouse_store::Error) -> Unavailable {
    tracing::error!(%error, "sessions or messages cannot be kept or read");
    Unavailable::Store
}

impl Persistence for Store {
    fn commit(&self, writes: Vec<Write>, now: Timestamp) -> Pending<'_, ()> {
        Box::pin(async move {
            let mut batch = Batch::new();
            for write in writes {
                add(self, &mut batch, write).await?;
            }
            match Self::commit(self, batch, now).await {
                Ok(()) => Ok(()),
                Err(gatehouse_store::Error::Conflict) => Err(Unavailable::Store),
                Err(error) => Err(unavailable(&error)),
            }
        })
    }

    fn queued(&self, session_id: SessionId, after: Option<MessageKey>, limit: u32) -> Pending<'_, Vec<Delivery>> {
        Box::pin(async move {
            let rows = self.queued_messages(session_id, after, limit).await.map_err(|error| unavailable(&error))?;
            Ok(rows.into_iter().map(delivery).collect())
        })
    }

    fn retained(&self, scope: Scope, topic: TopicName) -> Pending<'_, Option<Arc<Message>>> {
        Box::pin(async move {
            let row = self.retained_message(scope, &topic).await.map_err(|error| unavailable(&error))?;
            Ok(row.map(|row| Arc::new(message(row.message, qos(row.qos), true))))
        })
    }

    fn expired_retained(&self, now: Timestamp, limit: u32) -> Pending<'_, Vec<(Scope, TopicName)>> {
        Box::pin(async move { self.expired_retained_topics(now, limit).await.map_err(|error| unavailable(&error)) })
    }

    fn load(&self, now: Timestamp) -> Pending<'_, Loaded> {
        Box::pin(async move { load(self, now).await.map_err(|error| unavailable(&error)) })
    }
}

async fn load(store: &Store, now: Timestamp) -> Result<Loaded, gatehouse_store::Error> {
    let mut batch = Batch::new();
    batch.park_all_sessions(now, DisconnectReason::ServerError.as_str());
    batch.delete_orphaned_messages();
    store.commit(batch, now).await?;
    let lengths: std::collections::HashMap<_, _> = store.queue_lengths().await?.into_iter().collect();
    let waiting = |id| lengths.get(&id).copied().unwrap_or(0);
    let mut sessions = Vec::new();
    let mut after = None;
    loop {
        let page = store.sessions(after, SESSIONS_AT_ONCE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.session_id);
        for session in page {
            let subscriptions = store.session_subscriptions(session.session_id).await?;
            let queued = waiting(session.session_id);
            sessions.push(Kept { session, subscriptions, queued });
        }
    }
    let groups = store.shared_groups().await?;
    let groups = groups.into_iter().map(|(group_id, scope, filter)| {
        let queued = waiting(group_id);
        KeptGroup { group_id, scope, filter, queued }
    });
    let last_message = store.last_message_key().await?.map_or(0, |key| key.number());
    Ok(Loaded { sessions, groups: groups.collect(), last_message })
}

async fn add(store: &Store, batch: &mut Batch, write: Write) -> Result<(), Unavailable> {
    match write {
        Write::CreateSession(session) => batch.insert_session(&session),
        Write::ResumeSession { session_id, expiry_secs } => batch.resume_session(session_id, expiry_secs),
        Write::ParkSession { session_id, expiry_secs, parked } => batch.park_session(session_id, expiry_secs, &parked),
        Write::DeleteSession(session_id) => batch.delete_session(session_id),
        Write::PutSubscription(session_id, subscription) => batch.put_subscription(session_id, &subscription),
        Write::DeleteSubscription(session_id, filter) => batch.delete_subscription(session_id, &filter),
        Write::Queue { session_id, key, is_retained, message } => {
            let queued = QueuedMessage { key, is_retained, message: stored(&message) };
            batch.queue_message(session_id, &queued).map_err(|error| unavailable(&error))?;
        }
        Write::PutGroup { group_id, scope, filter } => batch.put_shared_group(group_id, scope, &filter),
        Write::DeleteGroup(group_id) => batch.delete_shared_group(group_id),
        Write::QueueShared { group_id, key, message } => {
            let queued = QueuedMessage { key, is_retained: false, message: stored(&message) };
            batch.queue_shared_message(group_id, &queued).map_err(|error| unavailable(&error))?;
        }
        Write::Unqueue(session_id, key) => batch.unqueue_message(session_id, key),
        Write::Trim(session_id, count) => batch.unqueue_messages(session_id, count),
        Write::Retain(scope, message) => retain(store, batch, scope, &message).await?,
        Write::ExpireRetained(scope, topic, now) => batch.delete_expired_retained_message(scope, &topic, now),
    }
    Ok(())
}

async fn retain(store: &Store, batch: &mut Batch, scope: Scope, message: &Message) -> Result<(), Unavailable> {
    let failed = |error| unavailable(&error);
    let former = store.retained_message(scope, &message.topic).await.map_err(failed)?;
    let retained = RetainedMessage { qos: message.qos.min(Qos::AtLeastOnce).value(), message: stored(message) };
    match (former, message.payload.is_empty()) {
        (None, true) => {}
        (Some(_), true) => batch.delete_retained_message(scope, &message.topic),
        (Some(_), false) => batch.replace_retained_message(scope, &retained).map_err(failed)?,
        (None, false) => {
            if store.retained_count(scope).await.map_err(failed)? >= gatehouse_domain::limits::RETAINED_MESSAGES {
                return Err(Unavailable::RetainedLimit);
            }
            batch.insert_retained_message(scope, &retained).map_err(failed)?;
        }
    }
    Ok(())
}

fn stored(message: &Message) -> StoredMessage {
    let properties = &message.properties;
    let text = |text: &Option<Utf8Bytes>| text.as_ref().map(|text| text.as_str().to_owned());
    let expires_at =
        properties.message_expiry_interval.map(|secs| message.published_at.plus_millis(i64::from(secs) * 1000));
    StoredMessage {
        topic: message.topic.clone(),
        payload: message.payload.to_vec(),
        published_at: message.published_at,
        expires_at,
        payload_format: properties.payload_format_indicator,
        content_type: text(&properties.content_type),
        response_topic: text(&properties.response_topic),
        correlation_data: properties.correlation_data.as_ref().map(|data| data.to_vec()),
        user_properties: properties
            .user_properties
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_str().to_owned()))
            .collect(),
    }
}

fn message(stored: StoredMessage, qos: Qos, retain: bool) -> Message {
    let text = |text: Option<String>| text.and_then(|text| Utf8Bytes::try_from(text.as_str()).ok());
    let interval = stored.expires_at.map(|at| at.millis_since(stored.published_at) / 1000);
    Message {
        topic: stored.topic,
        payload: Bytes::from(stored.payload),
        qos,
        properties: MessageProperties {
            payload_format_indicator: stored.payload_format,
            message_expiry_interval: interval.map(|secs| u32::try_from(secs).unwrap_or(0)),
            content_type: text(stored.content_type),
            response_topic: text(stored.response_topic),
            correlation_data: stored.correlation_data.map(Bytes::from),
            user_properties: stored
                .user_properties
                .into_iter()
                .filter_map(|(name, value)| Some((text(Some(name))?, text(Some(value))?)))
                .collect(),
        },
        published_at: stored.published_at,
        retain,
    }
}

fn delivery(queued: QueuedMessage) -> Delivery {
    let is_retained = queued.is_retained;
    let message = Arc::new(message(queued.message, Qos::AtLeastOnce, is_retained));
    Delivery { message, qos: Qos::AtLeastOnce, retain: is_retained, key: Some(queued.key), direct: None }
}

pub(crate) const fn qos(number: u8) -> Qos {
    if number == 0 { Qos::AtMostOnce } else { Qos::AtLeastOnce }
}
