//! Certificate providers: one of a scope, changed as it was read.

use gatehouse_domain::certificate_provider::Creation;
use gatehouse_store::{CertificateProviderRecord, Error};

use crate::harness::{Db, NOW, on_both_engines, other_scope, scope};

on_both_engines!(a_provider_is_made_changed_and_deleted, a_scope_has_one_provider_however_many_come_at_once);

fn provider(name: &str) -> CertificateProviderRecord {
    CertificateProviderRecord {
        scope: scope(),
        creation: Creation { name: name.parse().unwrap(), token_sha256: Some([1; 32]), request_sha256: [2; 32] },
        function_arn: "arn:aws:lambda:us-east-1:123456789012:function:f".parse().unwrap(),
        generation_id: format!("generation-{name}"),
        created_at: NOW,
        last_modified_at: NOW,
    }
}

async fn a_provider_is_made_changed_and_deleted(db: Db) {
    let made = provider("a");
    assert_eq!(db.store.certificate_provider(scope()).await, Ok(None));
    db.write(|batch| batch.insert_certificate_provider(&made)).await.unwrap();
    assert_eq!(db.store.certificate_provider(scope()).await, Ok(Some(made.clone())));
    assert_eq!(db.store.certificate_provider(other_scope()).await, Ok(None));
    for name in ["a", "b"] {
        let another = db.write(|batch| batch.insert_certificate_provider(&provider(name))).await;
        assert_eq!(another, Err(Error::Conflict), "{name}");
    }
    let mut elsewhere = CertificateProviderRecord { scope: other_scope(), ..provider("a") };
    elsewhere.creation.token_sha256 = None;
    db.write(|batch| batch.insert_certificate_provider(&elsewhere)).await.unwrap();
    assert_eq!(db.store.certificate_provider(other_scope()).await, Ok(Some(elsewhere.clone())));

    db.write(|batch| batch.require_certificate_provider(&made)).await.unwrap();
    let changed = CertificateProviderRecord {
        function_arn: "arn:aws:lambda:us-east-1:123456789012:function:g:7".parse().unwrap(),
        generation_id: "changed".into(),
        last_modified_at: NOW.plus_millis(1),
        ..made.clone()
    };
    db.write(|batch| batch.update_certificate_provider(&made, &changed)).await.unwrap();
    assert_eq!(db.store.certificate_provider(scope()).await, Ok(Some(changed.clone())));
    assert_eq!(db.write(|batch| batch.update_certificate_provider(&made, &changed)).await, Err(Error::Conflict));
    assert_eq!(db.write(|batch| batch.require_certificate_provider(&made)).await, Err(Error::Conflict));
    assert_eq!(db.write(|batch| batch.delete_certificate_provider(&made)).await, Err(Error::Conflict));
    db.write(|batch| batch.delete_certificate_provider(&changed)).await.unwrap();
    assert_eq!(db.store.certificate_provider(scope()).await, Ok(None));
    assert_eq!(db.write(|batch| batch.require_certificate_provider(&changed)).await, Err(Error::Conflict));
    assert_eq!(db.store.certificate_provider(other_scope()).await, Ok(Some(elsewhere)));
    db.write(|batch| batch.insert_certificate_provider(&provider("b"))).await.unwrap();
}

async fn a_scope_has_one_provider_however_many_come_at_once(db: Db) {
    let rivals: Vec<_> = (0..4)
        .map(|number| {
            let db = db.clone();
            tokio::spawn(async move {
                db.write(|batch| batch.insert_certificate_provider(&provider(&format!("p{number}")))).await
            })
        })
        .collect();
    let mut made = 0;
    for rival in rivals {
        match rival.await.unwrap() {
            Ok(()) => made += 1,
            Err(error) => assert_eq!(error, Error::Conflict),
        }
    }
    assert_eq!(made, 1);
}
