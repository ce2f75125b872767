//! Temporary keys.

use gatehouse_control::access_key::AccessKeyWish;
use gatehouse_domain::time::Timestamp;

use crate::client::{Api, Credentials};
use crate::harness::{ACCOUNT, NOW, on_both_engines};

on_both_engines!(a_temporary_key_ends_when_it_says, the_token_must_be_the_keys_own);

const UNKNOWN: &str = "UnrecognizedClientException";

async fn temporary(api: &Api, expires_at: Timestamp) -> Credentials {
    let account = ACCOUNT.parse().unwrap();
    let wish = AccessKeyWish { account, policy: None, expires_at: Some(expires_at) };
    api.running().access_key(wish).await
}

async fn a_temporary_key_ends_when_it_says(api: Api) {
    let credentials = temporary(&api, NOW.plus_millis(10_000)).await;
    assert!(credentials.access_key_id.starts_with("ASIA"));
    let temporary = api.with_key(credentials);
    temporary.get("/certificates").ok().await;
    api.clock().advance_ms(9_999);
    temporary.get("/certificates").ok().await;
    api.clock().advance_ms(1);
    let refused = temporary.get("/certificates").refused(403, UNKNOWN).await;
    assert_eq!(refused["message"], "The security token included in the request is invalid.");
    api.get("/certificates").ok().await;
    api.snapshot("door_temporary_key");
}

async fn the_token_must_be_the_keys_own(api: Api) {
    let own = temporary(&api, NOW.plus_millis(10_000)).await;
    let others = temporary(&api, NOW.plus_millis(10_000)).await;
    let with_token = |token: Option<String>| api.with_key(Credentials { session_token: token, ..own.clone() });
    let token = own.session_token.clone().unwrap();
    let mut cut = token.clone();
    cut.pop();
    // Before and after the right one was seen, which the door may remember.
    for _ in 0..2 {
        for wrong in
            [None, Some(String::new()), others.session_token.clone(), Some(cut.clone()), Some(token.to_lowercase())]
        {
            with_token(wrong).get("/certificates").quietly().refused(403, UNKNOWN).await;
        }
        with_token(Some(token.clone())).get("/certificates").quietly().ok().await;
    }
    // A key that lasts has no token.
    let lasting = Credentials { session_token: Some(token.clone()), ..api.credentials().clone() };
    api.with_key(lasting).get("/certificates").quietly().refused(403, UNKNOWN).await;
    // Two tokens are not one.
    let mut signed = with_token(Some(token)).get("/certificates").quietly().signed();
    let value = signed.headers()["x-amz-security-token"].clone();
    signed.headers().append("x-amz-security-token", value);
    signed.refused(403, "IncompleteSignatureException").await;
}
