//! Retained messages: one for each topic, counted.

use gatehouse_domain::topic::TopicName;
use gatehouse_store::{Error, Page, RetainedMessage, RetainedTopic, StoredMessage};

use crate::harness::{Db, NOW, on_both_engines, other_scope, scope};
use crate::sessions::message;

on_both_engines!(
    a_topic_has_one_retained_message,
    topics_are_listed_in_the_order_of_their_bytes,
    only_what_has_expired_is_removed_as_expired,
    so_many_messages_are_retained_and_no_more,
);

fn topic(text: &str) -> TopicName {
    TopicName::parse(text).unwrap()
}

fn retained(topic: &str, payload: &str) -> RetainedMessage {
    RetainedMessage { qos: 1, message: message(topic, payload.as_bytes()) }
}

async fn a_topic_has_one_retained_message(db: Db) {
    db.write(|batch| batch.insert_retained_message(scope(), &retained("a/b", "1")).unwrap()).await.unwrap();
    let again = db.write(|batch| batch.insert_retained_message(scope(), &retained("a/b", "2")).unwrap()).await;
    assert_eq!(again, Err(Error::Conflict));
    let full = RetainedMessage {
        qos: 0,
        message: StoredMessage {
            content_type: Some("x".to_owned()),
            user_properties: vec![("a".to_owned(), "b".to_owned())],
            ..message("a/b", b"3")
        },
    };
    db.write(|batch| batch.replace_retained_message(scope(), &full).unwrap()).await.unwrap();
    assert_eq!(db.store.retained_message(scope(), &topic("a/b")).await, Ok(Some(full)));
    assert_eq!(db.store.retained_message(other_scope(), &topic("a/b")).await, Ok(None));
    assert_eq!(db.store.retained_count(scope()).await, Ok(1));
    let elsewhere =
        db.write(|batch| batch.replace_retained_message(other_scope(), &retained("a/b", "")).unwrap()).await;
    assert_eq!(elsewhere, Err(Error::Conflict));
    db.write(|batch| batch.delete_retained_message(scope(), &topic("a/b"))).await.unwrap();
    assert_eq!(db.store.retained_count(scope()).await, Ok(0));
    let twice = db.write(|batch| batch.delete_retained_message(scope(), &topic("a/b"))).await;
    assert_eq!(twice, Err(Error::Conflict));
}

async fn topics_are_listed_in_the_order_of_their_bytes(db: Db) {
    db.write(|batch| {
        for (name, payload) in [("b", "12"), ("B", "1"), ("a/ä", "12345"), ("a", "")] {
            batch.insert_retained_message(scope(), &retained(name, payload)).unwrap();
        }
        batch.insert_retained_message(other_scope(), &retained("a", "")).unwrap();
        let mut expired = retained("expired", "");
        expired.message.expires_at = Some(NOW);
        batch.insert_retained_message(scope(), &expired).unwrap();
    })
    .await
    .unwrap();
    let entry =
        |name: &str, payload_bytes| RetainedTopic { topic: topic(name), payload_bytes, qos: 1, published_at: NOW };
    let first = db.store.retained_topics(scope(), NOW, Page::first(2)).await;
    assert_eq!(first, Ok(vec![entry("B", 1), entry("a", 0)]));
    let page = Page { after: Some(topic("a")), ..Page::first(10) };
    assert_eq!(db.store.retained_topics(scope(), NOW, page).await, Ok(vec![entry("a/ä", 5), entry("b", 2)]));
}

async fn only_what_has_expired_is_removed_as_expired(db: Db) {
    let mut mortal = retained("a", "1");
    mortal.message.expires_at = Some(NOW.plus_millis(1_000));
    db.write(|batch| {
        batch.insert_retained_message(scope(), &mortal).unwrap();
        batch.insert_retained_message(scope(), &retained("b", "2")).unwrap();
    })
    .await
    .unwrap();
    let late = NOW.plus_millis(1_000);
    assert_eq!(db.store.expired_retained_topics(NOW, 10).await, Ok(vec![]));
    assert_eq!(db.store.expired_retained_topics(late, 10).await, Ok(vec![(scope(), topic("a"))]));
    let early = db.write(|batch| batch.delete_expired_retained_message(scope(), &topic("a"), NOW)).await;
    assert_eq!(early, Err(Error::Conflict));
    db.write(|batch| batch.delete_expired_retained_message(scope(), &topic("a"), late)).await.unwrap();
    assert_eq!(db.store.retained_count(scope()).await, Ok(1));
}

async fn so_many_messages_are_retained_and_no_more(db: Db) {
    db.write(|batch| batch.insert_retained_message(scope(), &retained("a", "")).unwrap()).await.unwrap();
    db.run("UPDATE retained_counts SET retained_count = 500000").await;
    let one_more = db.write(|batch| batch.insert_retained_message(scope(), &retained("b", "")).unwrap()).await;
    assert_eq!(one_more, Err(Error::Conflict));
    db.write(|batch| batch.replace_retained_message(scope(), &retained("a", "x")).unwrap()).await.unwrap();
}
