//! Failures that are not the caller's: what it sees of them, and what it does not.

use gatehouse_control::access_key::{AccessKeyWish, make};
use gatehouse_store::Batch;

use crate::client::{Api, Credentials};
use crate::harness::{ACCOUNT, NOW, on_both_engines};

on_both_engines!(a_store_that_is_gone_makes_the_service_unavailable, a_secret_that_does_not_open_tells_nothing);

async fn a_store_that_is_gone_makes_the_service_unavailable(api: Api) {
    api.policy("p").await;
    // Reads of the key may still be answered from what was open; writes are not.
    api.running().house.store.close().await.unwrap();
    let answer = api.post("/things/t").send().await;
    assert_eq!((answer.status, answer.error.as_deref()), (503, Some("ServiceUnavailableException")), "{}", answer.body);
    api.snapshot("door_unavailable");
}

async fn a_secret_that_does_not_open_tells_nothing(api: Api) {
    // The sealed secret of another key, as someone with the database in hand might write it.
    let sealer = &api.running().house.sealer;
    let wish = || AccessKeyWish { account: ACCOUNT.parse().unwrap(), policy: None, expires_at: None };
    let (known, mut victim) = (make(sealer, wish(), NOW).unwrap(), make(sealer, wish(), NOW).unwrap());
    victim.record.sealed_secret.clone_from(&known.record.sealed_secret);
    let mut batch = Batch::new();
    batch.insert_access_key(&victim.record);
    api.running().house.store.commit(batch, NOW).await.unwrap();
    let credentials = Credentials {
        access_key_id: victim.record.access_key_id,
        secret: known.secret.to_string(),
        session_token: None,
    };
    let refused = api.with_key(credentials).get("/certificates").refused(500, "InternalFailureException").await;
    assert!(!refused.to_string().contains("key "), "{refused}");
    api.snapshot("door_internal_failure");
}
