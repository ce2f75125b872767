//! CreateCertificateProvider.

use gatehouse_control::access_key::AccessKeyWish;
use serde_json::{Value, json};

use crate::client::{Api, Ask, encoded};
use crate::functions::FUNCTION;
use crate::harness::{ACCOUNT, OTHER_REGION, on_both_engines};

on_both_engines!(
    a_scope_has_one_provider,
    names_functions_and_operations_have_bounds,
    the_same_request_is_answered_the_same,
    tags_come_with_a_provider,
    a_policy_names_providers_by_their_arn,
);

/// The request that makes the provider `name`, with `more` members.
pub(crate) fn create(api: &Api, name: &str, more: Value) -> Ask {
    let mut body =
        json!({ "lambdaFunctionArn": FUNCTION, "accountDefaultForOperations": ["CreateCertificateFromCsr"] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    api.post(format!("/certificate-providers/{name}")).json(body)
}

async fn a_scope_has_one_provider(api: Api) {
    let made = create(&api, "mine", json!({})).ok().await;
    let arn = api.arn("certificateprovider:mine");
    assert_eq!(made, json!({ "certificateProviderName": "mine", "certificateProviderArn": arn }));
    let taken = create(&api, "mine", json!({})).refused(409, "ResourceAlreadyExistsException").await;
    assert_eq!(taken["resourceArn"], arn);
    let refused = create(&api, "other", json!({})).refused(410, "LimitExceededException").await;
    assert!(refused["message"].as_str().unwrap().contains("delete mine first"), "{refused}");
    // Capitals make another name.
    create(&api, "Mine", json!({})).refused(410, "LimitExceededException").await;

    let there = json!({ "lambdaFunctionArn": FUNCTION.replace("us-east-1", OTHER_REGION) });
    create(&api.in_region(OTHER_REGION), "other", there).ok().await;
    api.delete("/certificate-providers/mine").ok().await;
    create(&api, "other", json!({})).ok().await;
    api.snapshot("create_certificate_provider");
}

async fn names_functions_and_operations_have_bounds(api: Api) {
    for name in ["a%2Fb", "a%20b", "a.b", "a:b", "%C3%BC", &"a".repeat(129)] {
        create(&api, name, json!({})).quietly().invalid().await;
    }
    for more in [
        json!({ "lambdaFunctionArn": null }),
        json!({ "lambdaFunctionArn": "sign" }),
        json!({ "lambdaFunctionArn": "arn:aws:iam::123456789012:role/sign" }),
        json!({ "lambdaFunctionArn": FUNCTION.replace(ACCOUNT, "210987654321") }),
        json!({ "lambdaFunctionArn": FUNCTION.replace("us-east-1", OTHER_REGION) }),
        json!({ "lambdaFunctionArn": format!("{FUNCTION}:*") }),
        json!({ "accountDefaultForOperations": null }),
        json!({ "accountDefaultForOperations": [] }),
        json!({ "accountDefaultForOperations": ["CreateKeysAndCertificate"] }),
        json!({ "accountDefaultForOperations": ["CreateCertificateFromCsr", "CreateCertificateFromCsr"] }),
        json!({ "clientToken": "x".repeat(35) }),
        json!({ "clientToken": "x".repeat(65) }),
        json!({ "clientToken": " ".repeat(36) }),
        json!({ "tags": [{ "Key": "aws:a" }] }),
        json!({ "nonsense": true }),
    ] {
        create(&api, "a", more).invalid().await;
    }
    api.get("/certificate-providers/a").refused(404, "ResourceNotFoundException").await;
    create(&api, &encoded("a=,@-_9"), json!({ "lambdaFunctionArn": format!("{FUNCTION}:$LATEST") })).ok().await;
    api.delete(format!("/certificate-providers/{}", encoded("a=,@-_9"))).ok().await;
    create(&api, &"a".repeat(128), json!({})).quietly().ok().await;
    api.snapshot("create_certificate_provider_refused");
}

async fn the_same_request_is_answered_the_same(api: Api) {
    let tags = json!([{ "Key": "a", "Value": "1" }, { "Key": "b", "Value": "2" }]);
    let first = json!({ "clientToken": "1".repeat(36), "tags": tags });
    let made = create(&api, "a", first.clone()).ok().await;
    let described = api.get("/certificate-providers/a").quietly().ok().await;
    api.clock().advance_ms(1);
    assert_eq!(create(&api, "a", first.clone()).ok().await, made);
    // In whatever order tags stand, and whatever became of the provider.
    let turned = json!([{ "Key": "b", "Value": "2" }, { "Key": "a", "Value": "1" }]);
    assert_eq!(create(&api, "a", json!({ "clientToken": "1".repeat(36), "tags": turned })).ok().await, made);
    assert_eq!(api.get("/certificate-providers/a").quietly().ok().await, described);
    api.put("/certificate-providers/a").json(json!({ "lambdaFunctionArn": format!("{FUNCTION}:7") })).quietly().ok().await;
    assert_eq!(create(&api, "a", first.clone()).ok().await, made);

    for (name, more) in [
        ("b", json!({ "tags": tags })),
        ("a", json!({})),
        ("a", json!({ "tags": tags, "lambdaFunctionArn": format!("{FUNCTION}:7") })),
    ] {
        let mut more = more;
        more["clientToken"] = json!("1".repeat(36));
        let refused = create(&api, name, more).invalid().await;
        assert!(refused.contains("clientToken"), "{refused}");
    }
    let other_token = json!({ "clientToken": "\u{1f511}".repeat(36), "tags": tags });
    create(&api, "a", other_token.clone()).refused(409, "ResourceAlreadyExistsException").await;

    // Another tenant's tokens are its own; and a token goes with the provider that it made.
    let other = api.of_account("210987654321").await;
    let there = json!({ "clientToken": "1".repeat(36), "lambdaFunctionArn": FUNCTION.replace(ACCOUNT, "210987654321") });
    create(&other, "b", there).ok().await;
    api.delete("/certificate-providers/a").quietly().ok().await;
    create(&api, "b", first).ok().await;
    api.delete("/certificate-providers/b").quietly().ok().await;
    create(&api, "a", other_token).ok().await;
    api.snapshot("create_certificate_provider_token");
}

async fn tags_come_with_a_provider(api: Api) {
    let tags = json!([{ "Key": "b", "Value": "2" }, { "Key": "a", "Value": "" }]);
    create(&api, "p", json!({ "tags": tags })).ok().await;
    let arn = api.arn("certificateprovider:p");
    let listed = || api.get(format!("/tags?resourceArn={}", encoded(&arn))).quietly();
    assert_eq!(listed().ok().await["tags"], json!([{ "Key": "a", "Value": "" }, { "Key": "b", "Value": "2" }]));
    api.post("/untag").json(json!({ "resourceArn": arn, "tagKeys": ["b"] })).quietly().ok().await;
    let more = json!({ "resourceArn": arn, "tags": [{ "Key": "c", "Value": "3" }] });
    api.post("/tags").json(more).quietly().ok().await;
    assert_eq!(listed().ok().await["tags"], json!([{ "Key": "a", "Value": "" }, { "Key": "c", "Value": "3" }]));
    // They go with the provider, and do not come back with its name.
    api.delete("/certificate-providers/p").quietly().ok().await;
    listed().refused(404, "ResourceNotFoundException").await;
    create(&api, "p", json!({})).quietly().ok().await;
    assert_eq!(listed().ok().await["tags"], json!([]));
    // It has one ARN: with a slash, it names nothing.
    let slash = encoded(&api.arn("certificateprovider/p"));
    api.get(format!("/tags?resourceArn={slash}")).quietly().invalid().await;
}

async fn a_policy_names_providers_by_their_arn(api: Api) {
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "iot:*", "Resource": api.arn("certificateprovider:ours*") },
    ] });
    let wish = AccessKeyWish { account: ACCOUNT.parse().unwrap(), policy: Some(policy.to_string()), expires_at: None };
    let limited = api.with_key(api.running().access_key(wish).await);
    create(&limited, "theirs", json!({})).refused(403, "AccessDeniedException").await;
    limited.get("/certificate-providers/").refused(403, "AccessDeniedException").await;
    create(&limited, "ours-1", json!({})).ok().await;
    limited.get("/certificate-providers/ours-1").ok().await;
    limited.put("/certificate-providers/theirs").json(json!({})).refused(403, "AccessDeniedException").await;
    limited.delete("/certificate-providers/ours-1").ok().await;
    api.snapshot("create_certificate_provider_policy");
}
