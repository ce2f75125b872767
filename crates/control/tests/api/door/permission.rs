//! What the policy of an access key lets it do.

use gatehouse_control::access_key::AccessKeyWish;
use serde_json::{Value, json};

use crate::client::Api;
use crate::harness::{ACCOUNT, OTHER_REGION, on_both_engines};
use crate::samples::{ALLOW_ALL, UNKNOWN_ID};

on_both_engines!(
    a_key_does_what_its_policy_allows,
    resources_are_the_arns_of_aws,
    conditions_know_address_transport_and_time,
    one_certificate_has_one_arn_for_policies,
    a_policy_that_cannot_be_read_allows_nothing,
);

/// The API called with a key that has `statements` as its policy.
async fn limited(api: &Api, statements: Value) -> Api {
    with_policy(api, json!({ "Version": "2012-10-17", "Statement": statements }).to_string()).await
}

async fn with_policy(api: &Api, policy: String) -> Api {
    let account = ACCOUNT.parse().unwrap();
    let wish = AccessKeyWish { account, policy: Some(policy), expires_at: None };
    api.with_key(api.running().access_key(wish).await)
}

const DENIED: &str = "AccessDeniedException";

async fn a_key_does_what_its_policy_allows(api: Api) {
    let reader = limited(
        &api,
        json!([
            { "Effect": "Allow", "Action": ["iot:List*", "iot:DescribeCertificate"], "Resource": "*" },
            { "Effect": "Deny", "Action": "iot:ListThings", "Resource": "*" },
        ]),
    )
    .await;
    reader.get("/certificates").ok().await;
    reader.get(format!("/certificates/{UNKNOWN_ID}")).refused(404, "ResourceNotFoundException").await;
    let refused = reader.get("/things").refused(403, DENIED).await;
    assert!(refused["message"].as_str().unwrap().ends_with("with an explicit deny in an identity-based policy"));
    let refused = reader.post("/things/t").refused(403, DENIED).await;
    assert_eq!(
        refused["message"],
        format!(
            "User: arn:aws:iam::{ACCOUNT}:access-key/{} is not authorized to perform: iot:CreateThing on resource: {} \
             because no identity-based policy allows the iot:CreateThing action",
            reader.credentials().access_key_id,
            api.arn("thing/t"),
        )
    );
    api.get("/things/t").refused(404, "ResourceNotFoundException").await;
    // Input is judged first, and what is not there is not told to who may not ask.
    reader.post("/things/a%20b").invalid().await;
    reader.get("/things/t").refused(403, DENIED).await;
    reader.get("/nope").refused(404, "UnknownOperationException").await;
    api.snapshot("door_permission");
}

async fn resources_are_the_arns_of_aws(api: Api) {
    let certificate = api.certificate().await;
    api.policy("mine").await;
    api.policy("other").await;
    api.thing("t").await;
    let limited = limited(
        &api,
        json!([
            { "Effect": "Allow", "Action": "iot:*Policy", "Resource": api.arn("policy/mine*") },
            { "Effect": "Allow", "Action": ["iot:AttachPolicy", "iot:AttachThingPrincipal"], "Resource": certificate.arn },
            { "Effect": "Allow", "Action": "iot:UpdateCertificate", "Resource": api.arn("cert/*") },
        ]),
    )
    .await;
    limited.get("/policies/mine").ok().await;
    limited.post("/policies/mine-too").json(json!({ "policyDocument": ALLOW_ALL })).ok().await;
    limited.get("/policies/other").refused(403, DENIED).await;
    limited.post("/policies/not-mine").json(json!({ "policyDocument": ALLOW_ALL })).refused(403, DENIED).await;
    limited.in_region(OTHER_REGION).get("/policies/mine").refused(403, DENIED).await;
    limited.put("/target-policies/other").json(json!({ "target": certificate.arn })).ok().await;
    let another = api.certificate().await;
    limited.put("/target-policies/mine").json(json!({ "target": another.arn })).refused(403, DENIED).await;
    limited.put("/things/t/principals").header("x-amzn-principal", &certificate.arn).ok().await;
    limited.put("/things/t/principals").header("x-amzn-principal", &another.arn).refused(403, DENIED).await;
    limited.put(format!("/certificates/{}?newStatus=INACTIVE", another.id)).ok().await;
    limited.get(format!("/certificates/{}", another.id)).refused(403, DENIED).await;
    // Operations without a resource need the asterisk.
    limited.get("/policies").refused(403, DENIED).await;
    limited.get("/endpoint").refused(403, DENIED).await;
    api.snapshot("door_permission_resources");
}

async fn conditions_know_address_transport_and_time(api: Api) {
    let allow =
        |condition: Value| json!([{ "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition }]);
    let cases = [
        (json!({ "IpAddress": { "aws:SourceIp": "127.0.0.0/8" } }), true, true),
        (json!({ "IpAddress": { "aws:SourceIp": ["10.0.0.0/8", "192.168.0.0/16"] } }), false, false),
        (json!({ "NotIpAddress": { "aws:SourceIp": "127.0.0.1/32" } }), false, false),
        (json!({ "Bool": { "aws:SecureTransport": "true" } }), false, true),
        (json!({ "Bool": { "aws:SecureTransport": "false" } }), true, false),
        (json!({ "DateGreaterThan": { "aws:CurrentTime": "2027-01-15T07:59:59Z" } }), true, true),
        (json!({ "DateLessThan": { "aws:CurrentTime": "2027-01-15T08:00:00Z" } }), false, false),
        (json!({ "NumericEquals": { "aws:EpochTime": "1800000000" } }), true, true),
        // Nothing is known of these: an Allow takes the narrow side.
        (json!({ "StringEquals": { "aws:PrincipalTag/team": "a" } }), false, false),
        (json!({ "StringEquals": { "iot:ClientId": "x" } }), false, false),
    ];
    for (condition, plain, secure) in cases {
        let limited = limited(&api, allow(condition.clone())).await;
        for (api, expected) in [(limited.clone(), plain), (limited.over_tls(), secure)] {
            let answer = api.get("/certificates").send().await;
            let expected = if expected { (200, None) } else { (403, Some(DENIED)) };
            assert_eq!((answer.status, answer.error.as_deref()), expected, "{condition}");
        }
    }
}

async fn one_certificate_has_one_arn_for_policies(api: Api) {
    let certificate = api.certificate().await;
    api.policy("p").await;
    let limited = limited(
        &api,
        json!([
            { "Effect": "Allow", "Action": "iot:*", "Resource": "*" },
            { "Effect": "Deny", "Action": "iot:*", "Resource": certificate.arn },
        ]),
    )
    .await;
    // Capitals do not get around the Deny, in a path or in an ARN.
    let loud = certificate.id.to_uppercase();
    for id in [&certificate.id, &loud] {
        limited.put(format!("/certificates/{id}?newStatus=REVOKED")).refused(403, DENIED).await;
        let target = json!({ "target": api.arn(&format!("cert/{id}")) });
        limited.put("/target-policies/p").json(target).refused(403, DENIED).await;
        let principal = api.arn(&format!("cert/{id}"));
        limited.put("/principal-policies/p").header("x-amzn-iot-principal", &principal).refused(403, DENIED).await;
        limited.get("/principals/things").header("x-amzn-principal", &principal).refused(403, DENIED).await;
    }
    assert_eq!(api.describe(&certificate).await["status"], "ACTIVE");
}

async fn a_policy_that_cannot_be_read_allows_nothing(api: Api) {
    for policy in ["", "{}", "not a policy", r#"{"Version":"2012-10-17","Statement":[]}"#] {
        let answer = with_policy(&api, policy.to_owned()).await.get("/certificates").send().await;
        assert_eq!((answer.status, answer.error.as_deref()), (500, Some("InternalFailureException")), "{policy}");
    }
}
