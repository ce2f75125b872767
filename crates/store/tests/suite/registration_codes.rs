//! Registration codes: one for each scope, and only the present one counts.

use gatehouse_domain::ca::RegistrationCode;
use gatehouse_store::Error;

use crate::harness::{Db, NOW, ca_certificate, id, on_both_engines, other_scope, scope};

on_both_engines!(a_scope_has_one_registration_code, only_the_present_code_is_deleted, a_deleted_code_verifies_nothing);

fn code(byte: u8) -> String {
    RegistrationCode::from_bytes([byte; 32]).into()
}

async fn a_scope_has_one_registration_code(db: Db) {
    assert_eq!(db.store.registration_code(scope()).await, Ok(None));
    db.write(|batch| batch.insert_registration_code(scope(), &code(1), NOW)).await.unwrap();
    let again = db.write(|batch| batch.insert_registration_code(scope(), &code(2), NOW)).await;
    assert_eq!(again, Err(Error::Conflict));
    db.write(|batch| batch.insert_registration_code(other_scope(), &code(3), NOW)).await.unwrap();
    assert_eq!(db.store.registration_code(scope()).await, Ok(Some(code(1))));
    assert_eq!(db.store.registration_code(other_scope()).await, Ok(Some(code(3))));
}

async fn only_the_present_code_is_deleted(db: Db) {
    db.write(|batch| batch.insert_registration_code(scope(), &code(1), NOW)).await.unwrap();
    for (of, byte) in [(scope(), 2), (other_scope(), 1)] {
        let wrong = db.write(|batch| batch.delete_registration_code(of, &code(byte))).await;
        assert_eq!(wrong, Err(Error::Conflict));
    }
    db.write(|batch| batch.delete_registration_code(scope(), &code(1))).await.unwrap();
    assert_eq!(db.store.registration_code(scope()).await, Ok(None));
    let twice = db.write(|batch| batch.delete_registration_code(scope(), &code(1))).await;
    assert_eq!(twice, Err(Error::Conflict));
    db.write(|batch| batch.insert_registration_code(scope(), &code(2), NOW)).await.unwrap();
    assert_eq!(db.store.registration_code(scope()).await, Ok(Some(code(2))));
}

async fn a_deleted_code_verifies_nothing(db: Db) {
    let register = |number: u32, byte: u8| {
        let db = db.clone();
        async move {
            db.write(|batch| {
                batch.insert_ca_certificate(&ca_certificate(number), "");
                batch.require_registration_code(scope(), &code(byte));
            })
            .await
        }
    };
    db.write(|batch| batch.insert_registration_code(scope(), &code(1), NOW)).await.unwrap();
    register(1, 1).await.unwrap();
    assert_eq!(register(2, 2).await, Err(Error::Conflict));
    db.write(|batch| batch.delete_registration_code(scope(), &code(1))).await.unwrap();
    assert_eq!(register(2, 1).await, Err(Error::Conflict));
    assert_eq!(db.store.ca_certificate(scope(), id(2)).await, Ok(None));
}
