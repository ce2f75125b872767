//! Accounts, keys, tags, endpoints, settings, issuances.

use std::collections::BTreeMap;

use gatehouse_domain::arn::Arn;
use gatehouse_domain::policy::CredentialDevice;
use gatehouse_domain::scope::AccountId;
use gatehouse_domain::time::Timestamp;
use gatehouse_store::{AccessKeyRecord, AccountRecord, Batch, Error, IssuanceRecord};

use crate::harness::{Db, NOW, id, on_both_engines, other_scope, policy_name, scope};

on_both_engines!(
    an_account_is_made_once,
    access_keys_live_and_die,
    keys_of_devices_are_found_and_not_listed,
    keys_that_ended_are_pruned,
    tags_change_only_as_they_were_read,
    a_prefix_stands_for_one_scope,
    a_setting_is_made_up_once,
    a_serial_number_is_used_once,
    an_empty_batch_is_no_commit,
);

async fn an_account_is_made_once(db: Db) {
    let record = |number| AccountRecord { account: AccountId::from_number(number), created_at: NOW };
    assert_eq!(db.store.account(AccountId::from_number(7)).await, Ok(None));
    db.write(|batch| batch.insert_account(&record(7))).await.unwrap();
    db.write(|batch| batch.insert_account(&record(5))).await.unwrap();
    assert_eq!(db.write(|batch| batch.insert_account(&record(7))).await, Err(Error::Conflict));
    assert_eq!(db.store.account(AccountId::from_number(7)).await, Ok(Some(record(7))));
    assert_eq!(db.store.accounts().await, Ok(vec![record(5), record(7)]));
}

async fn access_keys_live_and_die(db: Db) {
    let plain = AccessKeyRecord {
        access_key_id: "AKIA2".into(),
        account: scope().account,
        sealed_secret: vec![0, 1, 255],
        session_token_sha256: None,
        policy: None,
        created_at: NOW,
        expires_at: None,
        device: None,
    };
    let temporary = AccessKeyRecord {
        access_key_id: "AKIA1".into(),
        session_token_sha256: Some([9; 32]),
        policy: Some("{}".into()),
        expires_at: Some(NOW.plus_millis(5)),
        ..plain.clone()
    };
    for key in [&plain, &temporary] {
        db.write(|batch| batch.insert_access_key(key)).await.unwrap();
        assert_eq!(db.write(|batch| batch.insert_access_key(key)).await, Err(Error::Conflict));
        assert_eq!(db.store.access_key(&key.access_key_id).await, Ok(Some(key.clone())));
    }
    assert_eq!(db.store.access_keys(scope().account).await, Ok(vec![temporary.clone(), plain.clone()]));
    assert_eq!(db.store.access_keys(other_scope().account).await, Ok(vec![]));
    assert_eq!(db.store.access_key("nobody's\0key").await, Ok(None));
    db.write(|batch| batch.delete_access_key(&plain)).await.unwrap();
    assert_eq!(db.write(|batch| batch.delete_access_key(&plain)).await, Err(Error::Conflict));
    assert_eq!(db.store.access_keys(scope().account).await, Ok(vec![temporary.clone()]));
    assert!(!format!("{temporary:?}").contains("255"));
}

fn key_of_device(name: &str, expires_at: Timestamp) -> AccessKeyRecord {
    AccessKeyRecord {
        access_key_id: name.into(),
        account: scope().account,
        sealed_secret: vec![1],
        session_token_sha256: Some([9; 32]),
        policy: Some("{}".into()),
        created_at: NOW,
        expires_at: Some(expires_at),
        device: Some(CredentialDevice { certificate_id: id(7), thing_name: None, thing_type_name: None }),
    }
}

async fn keys_of_devices_are_found_and_not_listed(db: Db) {
    let unnamed = key_of_device("ASIA1", NOW);
    let device = CredentialDevice {
        certificate_id: id(8),
        thing_name: "meter-7".parse().ok(),
        thing_type_name: "meter".parse().ok(),
    };
    let named = AccessKeyRecord { device: Some(device), ..key_of_device("ASIA2", NOW) };
    for key in [&unnamed, &named] {
        db.write(|batch| batch.insert_access_key(key)).await.unwrap();
        assert_eq!(db.store.access_key(&key.access_key_id).await, Ok(Some(key.clone())));
    }
    assert_eq!(db.store.access_keys(scope().account).await, Ok(vec![]));
    db.write(|batch| batch.delete_access_key(&named)).await.unwrap();
    assert_eq!(db.store.access_key("ASIA2").await, Ok(None));
}

async fn keys_that_ended_are_pruned(db: Db) {
    for number in 0..5 {
        let key = key_of_device(&format!("ASIA{number}"), NOW.plus_millis(number));
        db.write(|batch| batch.insert_access_key(&key)).await.unwrap();
    }
    let lasting = AccessKeyRecord { expires_at: None, ..key_of_device("AKIA", NOW) };
    db.write(|batch| batch.insert_access_key(&lasting)).await.unwrap();
    db.store.prune_access_keys(NOW.plus_millis(3)).await.unwrap();
    assert_eq!(db.number("SELECT COUNT(*) FROM access_keys").await, 3);
    assert_eq!(db.store.access_key("ASIA2").await, Ok(None));
    assert!(db.store.access_key("ASIA3").await.unwrap().is_some());
    assert!(db.store.access_key("AKIA").await.unwrap().is_some());
}

async fn tags_change_only_as_they_were_read(db: Db) {
    let arn = Arn::policy(scope(), policy_name(1));
    let tags = |value: &str| BTreeMap::from([("key".to_owned(), value.to_owned())]);
    assert_eq!(db.store.tags(&arn).await, Ok(None));
    db.write(|batch| batch.set_tags(&arn, &tags("a"), None)).await.unwrap();
    assert_eq!(db.write(|batch| batch.set_tags(&arn, &tags("b"), None)).await, Err(Error::Conflict));
    db.write(|batch| batch.set_tags(&arn, &tags("ü\"c"), Some(1))).await.unwrap();
    assert_eq!(db.write(|batch| batch.set_tags(&arn, &tags("d"), Some(1))).await, Err(Error::Conflict));
    let record = db.store.tags(&arn).await.unwrap().unwrap();
    assert_eq!((record.tags, record.row_version), (tags("ü\"c"), 2));
    assert_eq!(db.store.tags(&Arn::policy(other_scope(), policy_name(1))).await, Ok(None));
    db.write(|batch| batch.delete_tags(&arn)).await.unwrap();
    db.write(|batch| batch.delete_tags(&arn)).await.unwrap();
    assert_eq!(db.store.tags(&arn).await, Ok(None));
}

async fn a_prefix_stands_for_one_scope(db: Db) {
    let prefix = |text: &str| text.parse().unwrap();
    db.write(|batch| batch.insert_endpoint_prefix(scope(), &prefix("abc"))).await.unwrap();
    for (scope, text) in [(scope(), "def"), (other_scope(), "abc")] {
        let again = db.write(|batch| batch.insert_endpoint_prefix(scope, &prefix(text))).await;
        assert_eq!(again, Err(Error::Conflict));
    }
    db.write(|batch| batch.insert_endpoint_prefix(other_scope(), &prefix("def"))).await.unwrap();
    assert_eq!(db.store.endpoint_prefix(scope()).await, Ok(Some(prefix("abc"))));
    assert_eq!(db.store.scope_of_prefix(&prefix("def")).await, Ok(Some(other_scope())));
    assert_eq!(db.store.scope_of_prefix(&prefix("xyz")).await, Ok(None));
    let all = vec![(scope(), prefix("abc")), (other_scope(), prefix("def"))];
    assert_eq!(db.store.endpoints().await, Ok(all));
}

async fn a_setting_is_made_up_once(db: Db) {
    assert_eq!(db.store.setting("key").await, Ok(None));
    db.write(|batch| batch.insert_setting("key", [1, 2, 0])).await.unwrap();
    assert_eq!(db.write(|batch| batch.insert_setting("key", [3])).await, Err(Error::Conflict));
    assert_eq!(db.store.setting("key").await, Ok(Some(vec![1, 2, 0])));
}

async fn a_serial_number_is_used_once(db: Db) {
    let asked = IssuanceRecord {
        serial: vec![0, 0xff, 3],
        scope: scope(),
        subject_der: vec![0x30, 0],
        tbs_sha256: [4; 32],
        requested_at: NOW,
        certificate_id: None,
    };
    db.write(|batch| batch.record_issuance(&asked)).await.unwrap();
    assert_eq!(db.write(|batch| batch.record_issuance(&asked)).await, Err(Error::Conflict));
    assert_eq!(db.store.issuance(&asked.serial).await, Ok(Some(asked.clone())));
    db.write(|batch| batch.finish_issuance(&asked.serial, id(1))).await.unwrap();
    assert_eq!(db.write(|batch| batch.finish_issuance(&asked.serial, id(2))).await, Err(Error::Conflict));
    assert_eq!(db.write(|batch| batch.finish_issuance(&[9], id(2))).await, Err(Error::Conflict));
    let finished = IssuanceRecord { certificate_id: Some(id(1)), ..asked.clone() };
    assert_eq!(db.store.issuance(&asked.serial).await, Ok(Some(finished)));
}

async fn an_empty_batch_is_no_commit(db: Db) {
    db.store.commit(Batch::new(), NOW).await.unwrap();
    assert_eq!(db.store.metrics().commits, 0);
    assert_eq!(db.rows().await, 0);
}
