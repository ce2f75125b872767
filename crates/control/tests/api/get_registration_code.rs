//! GetRegistrationCode.

use crate::client::Api;
use crate::harness::{OTHER_REGION, on_both_engines};

on_both_engines!(a_code_is_stable_and_of_one_tenant);

async fn a_code_is_stable_and_of_one_tenant(api: Api) {
    let code = |api: &Api| {
        let ask = api.get("/registrationcode").quietly();
        async move { ask.ok().await["registrationCode"].as_str().unwrap().to_owned() }
    };
    let first = code(&api).await;
    assert!(first.len() == 64 && first.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{first}");
    assert_eq!(code(&api).await, first);
    assert_ne!(code(&api.in_region(OTHER_REGION)).await, first);
    assert_ne!(code(&api.of_account("210987654321").await).await, first);
    api.get("/registrationcode?nope=1").invalid().await;
}
