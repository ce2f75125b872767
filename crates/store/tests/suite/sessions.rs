//! Sessions, their subscriptions, and the messages that wait for them.

use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::scope::Scope;
use gatehouse_domain::session::{MessageKey, SessionId};
use gatehouse_domain::topic::{TopicFilter, TopicName};
use gatehouse_store::{Error, ParkedRecord, QueuedMessage, SessionRecord, StoredMessage, SubscriptionRecord};

use crate::harness::{Db, NOW, on_both_engines, other_scope, scope};

on_both_engines!(
    a_session_is_kept_with_its_subscriptions,
    a_client_has_one_session_in_its_scope,
    a_session_is_parked_and_resumed,
    at_the_start_nobody_is_connected,
    messages_wait_in_the_order_of_their_keys,
    a_message_of_every_form_comes_back_as_it_was,
    a_session_that_is_gone_takes_nothing,
    sessions_are_read_in_pages,
);

fn session_id(number: u8) -> SessionId {
    SessionId::from_bytes([number; 16])
}

fn session(number: u8, scope: Scope) -> SessionRecord {
    SessionRecord {
        session_id: session_id(number),
        scope,
        client_id: ClientId::parse("a client/+#").unwrap(),
        protocol_level: 5,
        expiry_secs: 60,
        created_at: NOW,
        parked: None,
    }
}

fn subscription(filter: &str, qos: u8) -> SubscriptionRecord {
    SubscriptionRecord {
        filter: TopicFilter::parse(filter).unwrap(),
        qos,
        no_local: qos == 0,
        retain_as_published: qos == 1,
        subscribed_at: NOW,
    }
}

fn parked() -> ParkedRecord {
    ParkedRecord {
        disconnected_at: NOW,
        disconnect_reason: "CONNECTION_LOST".to_owned(),
        expires_at: NOW.plus_millis(60_000),
    }
}

pub(crate) fn message(topic: &str, payload: &[u8]) -> StoredMessage {
    StoredMessage {
        topic: TopicName::of_service(topic).unwrap(),
        payload: payload.to_vec(),
        published_at: NOW,
        expires_at: None,
        payload_format: None,
        content_type: None,
        response_topic: None,
        correlation_data: None,
        user_properties: Vec::new(),
    }
}

fn queued(number: u64) -> QueuedMessage {
    QueuedMessage {
        key: MessageKey::new(number, 7),
        is_retained: false,
        message: message("t", number.to_string().as_bytes()),
    }
}

async fn numbers(db: &Db, session: SessionId, after: Option<MessageKey>, limit: u32) -> Vec<u64> {
    let waiting = db.store.queued_messages(session, after, limit).await.unwrap();
    waiting.iter().map(|queued| queued.key.number()).collect()
}

async fn a_session_is_kept_with_its_subscriptions(db: Db) {
    db.write(|batch| {
        batch.insert_session(&session(1, scope()));
        batch.put_subscription(session_id(1), &subscription("a/+/#", 1));
        batch.put_subscription(session_id(1), &subscription("b", 0));
    })
    .await
    .unwrap();
    assert_eq!(db.store.sessions(None, 10).await, Ok(vec![session(1, scope())]));
    let kept = db.store.session_subscriptions(session_id(1)).await;
    assert_eq!(kept, Ok(vec![subscription("a/+/#", 1), subscription("b", 0)]));
    db.write(|batch| {
        batch.put_subscription(session_id(1), &subscription("b", 1));
        batch.delete_subscription(session_id(1), &TopicFilter::parse("a/+/#").unwrap());
    })
    .await
    .unwrap();
    assert_eq!(db.store.session_subscriptions(session_id(1)).await, Ok(vec![subscription("b", 1)]));
    db.write(|batch| batch.delete_session(session_id(1))).await.unwrap();
    assert_eq!(db.rows().await, 0);
}

async fn a_client_has_one_session_in_its_scope(db: Db) {
    db.write(|batch| batch.insert_session(&session(1, scope()))).await.unwrap();
    assert_eq!(db.write(|batch| batch.insert_session(&session(2, scope()))).await, Err(Error::Conflict));
    db.write(|batch| batch.insert_session(&session(2, other_scope()))).await.unwrap();
    // The new one takes the place of the old one in one commit.
    db.write(|batch| {
        batch.delete_session(session_id(1));
        batch.insert_session(&session(3, scope()));
    })
    .await
    .unwrap();
    assert_eq!(db.store.sessions(None, 10).await.unwrap().len(), 2);
}

async fn a_session_is_parked_and_resumed(db: Db) {
    db.write(|batch| batch.insert_session(&session(1, scope()))).await.unwrap();
    db.write(|batch| batch.park_session(session_id(1), 90, &parked())).await.unwrap();
    let expected = SessionRecord { parked: Some(parked()), expiry_secs: 90, ..session(1, scope()) };
    assert_eq!(db.store.sessions(None, 10).await, Ok(vec![expected]));
    db.write(|batch| batch.resume_session(session_id(1), 30)).await.unwrap();
    let expected = SessionRecord { expiry_secs: 30, ..session(1, scope()) };
    assert_eq!(db.store.sessions(None, 10).await, Ok(vec![expected]));
    assert_eq!(db.write(|batch| batch.resume_session(session_id(9), 30)).await, Err(Error::Conflict));
    db.write(|batch| batch.park_session(session_id(9), 30, &parked())).await.unwrap();
}

async fn at_the_start_nobody_is_connected(db: Db) {
    db.write(|batch| {
        batch.insert_session(&session(1, scope()));
        batch.insert_session(&session(2, other_scope()));
        batch.park_session(session_id(2), 60, &parked());
    })
    .await
    .unwrap();
    db.write(|batch| batch.park_all_sessions(NOW.plus_millis(5), "SERVER_ERROR")).await.unwrap();
    let found: Vec<_> = db.store.sessions(None, 10).await.unwrap().into_iter().map(|session| session.parked).collect();
    let expected = ParkedRecord {
        disconnected_at: NOW.plus_millis(5),
        disconnect_reason: "SERVER_ERROR".to_owned(),
        expires_at: NOW.plus_millis(60_005),
    };
    assert_eq!(found, [Some(expected), Some(parked())]);
}

async fn messages_wait_in_the_order_of_their_keys(db: Db) {
    db.write(|batch| {
        for number in 1..=2 {
            batch.insert_session(&session(number, if number == 1 { scope() } else { other_scope() }));
        }
        for number in [300, 2, 256, 1, 255] {
            batch.queue_message(session_id(1), &queued(number)).unwrap();
        }
        batch.queue_message(session_id(2), &queued(7)).unwrap();
    })
    .await
    .unwrap();
    assert_eq!(numbers(&db, session_id(1), None, 10).await, [1, 2, 255, 256, 300]);
    assert_eq!(numbers(&db, session_id(1), Some(queued(2).key), 2).await, [255, 256]);
    assert_eq!(db.store.last_message_key().await.unwrap().map(|key| key.number()), Some(300));
    let mut lengths = db.store.queue_lengths().await.unwrap();
    lengths.sort_unstable();
    assert_eq!(lengths, [(session_id(1), 5), (session_id(2), 1)]);
    db.write(|batch| {
        batch.unqueue_message(session_id(1), queued(255).key);
        batch.unqueue_message(session_id(1), queued(255).key);
        batch.unqueue_messages(session_id(1), 2);
    })
    .await
    .unwrap();
    assert_eq!(numbers(&db, session_id(1), None, 10).await, [256, 300]);
    assert_eq!(numbers(&db, session_id(2), None, 10).await, [7]);
}

async fn a_message_of_every_form_comes_back_as_it_was(db: Db) {
    let full = QueuedMessage {
        key: MessageKey::new(1, u64::MAX),
        is_retained: true,
        message: StoredMessage {
            expires_at: Some(NOW.plus_millis(1_000)),
            payload_format: Some(false),
            content_type: Some("text/plain".to_owned()),
            response_topic: Some("answers/ä".to_owned()),
            correlation_data: Some(vec![0, 255, 1]),
            user_properties: vec![("n".to_owned(), "\"v'".to_owned()), (String::new(), "ü\n".to_owned())],
            ..message("$aws/events/presence/connected/a/b/c/d/e/f/g/h/i", &[0, 159, 146, 150])
        },
    };
    let empty = QueuedMessage { key: MessageKey::new(2, 0), is_retained: false, message: message("t", b"") };
    db.write(|batch| {
        batch.insert_session(&session(1, scope()));
        batch.queue_message(session_id(1), &full).unwrap();
        batch.queue_message(session_id(1), &empty).unwrap();
    })
    .await
    .unwrap();
    assert_eq!(db.store.queued_messages(session_id(1), None, 10).await, Ok(vec![full, empty]));
}

async fn a_session_that_is_gone_takes_nothing(db: Db) {
    db.write(|batch| {
        batch.queue_message(session_id(1), &queued(1)).unwrap();
        batch.put_subscription(session_id(1), &subscription("a", 1));
    })
    .await
    .unwrap();
    assert_eq!(db.rows().await, 0);
    db.write(|batch| {
        batch.insert_session(&session(1, scope()));
        batch.queue_message(session_id(1), &queued(1)).unwrap();
    })
    .await
    .unwrap();
    db.write(|batch| batch.delete_session(session_id(1))).await.unwrap();
    assert_eq!(numbers(&db, session_id(1), None, 10).await, [1], "they are removed apart, as there may be many");
    db.write(|batch| batch.delete_orphaned_messages()).await.unwrap();
    assert_eq!(db.rows().await, 0);
}

async fn sessions_are_read_in_pages(db: Db) {
    db.write(|batch| {
        for number in 1..=5 {
            let client_id = ClientId::parse(&number.to_string()).unwrap();
            batch.insert_session(&SessionRecord { client_id, ..session(number, scope()) });
        }
    })
    .await
    .unwrap();
    let ids = |page: Vec<SessionRecord>| page.iter().map(|session| session.session_id).collect::<Vec<_>>();
    assert_eq!(ids(db.store.sessions(None, 2).await.unwrap()), [session_id(1), session_id(2)]);
    assert_eq!(ids(db.store.sessions(Some(session_id(4)), 2).await.unwrap()), [session_id(5)]);
}
