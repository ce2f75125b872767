//! Registry events: what operations have written down to be published, this publishes as ordinary QoS 1 messages ("Registry
//! events", AWS IoT Core developer guide). A message is removed from the store once every stored session that must get it
//! has it on disk. A crash in between publishes it again: it may come twice, and is not lost.
//!
//! Scopes take turns, with a bounded number of messages each, so that none waits for another's flood. A scope's messages
//! go out at the pace at which a connection takes them: faster, a subscriber's queue would overflow.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatehouse_broker::{Broker, Message};
use gatehouse_domain::registry_event::RegistryMessage;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::time::Clock;
use gatehouse_mqtt::{MessageProperties, Qos};
use gatehouse_store::{Batch, Error, Store, WaitingMessage};
use tokio::sync::Notify;

/// Messages of a scope published in one turn.
const PUBLISHED_AT_ONCE: u32 = 50;
/// What a scope's message costs before the scope's next turn: 100 a second, as one connection gets.
const PER_MESSAGE: Duration = Duration::from_millis(10);
/// Before trying again while the store does not answer.
const RETRY: Duration = Duration::from_secs(1);

/// Publishes what waits in the store.
pub(crate) struct RegistryEvents {
    store: Store,
    broker: Broker,
    clock: Arc<dyn Clock>,
    /// Told when a message was written down.
    written: Arc<Notify>,
    /// Messages that are published and not removed yet. Nothing more is published before they are, so that they come
    /// twice after a crash only, and no more than one turn's.
    published: Vec<i64>,
}

impl RegistryEvents {
    pub(crate) fn new(store: Store, broker: Broker, clock: Arc<dyn Clock>, written: Arc<Notify>) -> Self {
        Self { store, broker, clock, written, published: Vec::new() }
    }

    /// Publishes what waits now, and later whenever something is written down; runs until dropped.
    pub(crate) async fn run(mut self) {
        loop {
            if self.publish_all().await {
                self.written.notified().await;
            } else {
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    /// Publishes until nothing waits. Answers whether all went well; what did not is told, and waits.
    async fn publish_all(&mut self) -> bool {
        let mut is_well = true;
        loop {
            let (mut most, mut last) = (0, None);
            loop {
                let scope = match self.store.scope_with_registry_messages(last).await {
                    Ok(Some(scope)) => scope,
                    Ok(None) => break,
                    Err(error) => {
                        tracing::error!(%error, "registry events wait: they cannot be read");
                        return false;
                    }
                };
                match self.publish_some(scope).await {
                    Ok(published) => most = published.max(most),
                    Err(error) => {
                        tracing::error!(%error, %scope, "registry events wait: they cannot be published");
                        is_well = false;
                    }
                }
                last = Some(scope);
            }
            // What could not be published waits for the next try: not for the pace of others.
            if most == 0 || !is_well {
                return is_well;
            }
            tokio::time::sleep(PER_MESSAGE * most).await;
        }
    }

    /// Publishes the next messages of a scope and removes them; answers how many.
    ///
    /// # Errors
    /// When some were not published, or not removed: they are still there.
    async fn publish_some(&mut self, scope: Scope) -> Result<u32, Error> {
        self.remove_published().await?;
        let waiting = self.store.registry_messages(scope, PUBLISHED_AT_ONCE).await?;
        let mut on_their_way = Vec::with_capacity(waiting.len());
        for WaitingMessage { message_id, message } in waiting {
            on_their_way.push((message_id, self.broker.publish_durably(scope, &self.message(message))));
        }
        let mut failure = None;
        for (message_id, receipt) in on_their_way {
            match receipt.await {
                Ok(_) => self.published.push(message_id),
                Err(error) => failure = Some(Error::Unavailable(error.to_string())),
            }
        }
        let published = u32::try_from(self.published.len()).unwrap_or(u32::MAX);
        self.remove_published().await?;
        failure.map_or(Ok(published), Err)
    }

    async fn remove_published(&mut self) -> Result<(), Error> {
        let mut batch = Batch::new();
        batch.forget_registry_messages(&self.published);
        self.store.commit(batch, self.clock.now()).await?;
        self.published.clear();
        Ok(())
    }

    fn message(&self, message: RegistryMessage) -> Arc<Message> {
        Arc::new(Message {
            topic: message.topic,
            payload: Bytes::from(message.payload),
            qos: Qos::AtLeastOnce,
            properties: MessageProperties::NONE,
            published_at: self.clock.now(),
            retain: false,
        })
    }
}
