//! Signatures: who does not sign, or does not sign what arrives, does not come in.

use http::HeaderValue;
use serde_json::json;

use crate::client::{Api, Credentials};
use crate::harness::{NOW, on_both_engines};
use crate::samples::ALLOW_ALL;

on_both_engines!(
    a_request_without_a_signature_is_refused,
    a_broken_authorization_is_refused,
    an_unknown_key_and_a_wrong_secret_are_refused,
    clocks_may_differ_by_fifteen_minutes,
    a_signature_is_for_one_region_service_and_day,
    a_request_that_was_changed_is_refused,
    headers_that_carry_meaning_must_be_signed,
    a_key_that_is_gone_is_unknown_at_once,
    a_signature_comes_before_anything_else,
);

const INVALID: &str = "InvalidSignatureException";
const INCOMPLETE: &str = "IncompleteSignatureException";
const UNKNOWN: &str = "UnrecognizedClientException";

async fn a_request_without_a_signature_is_refused(api: Api) {
    let missing = "MissingAuthenticationTokenException";
    api.get("/certificates").unsigned().refused(403, missing).await;
    // In the query, as presigned addresses carry it, it does not count.
    let presigned = "/certificates?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA&X-Amz-Signature=00";
    api.get(presigned).unsigned().refused(403, missing).await;
    api.snapshot("door_not_signed");
}

async fn a_broken_authorization_is_refused(api: Api) {
    type Rewrite = fn(&str) -> String;
    let broken: [(&str, Rewrite); 12] = [
        ("empty", |_| String::new()),
        ("another scheme", |_| "Basic dXNlcjpwYXNz".to_owned()),
        ("another algorithm", |text| text.replace("HMAC-SHA256", "ECDSA-P256-SHA256")),
        ("no credential", |text| text.replace("Credential=", "Credentials=")),
        ("no signature", |text| text.split(", Signature").next().unwrap().to_owned()),
        ("a short signature", |text| text[..text.len() - 2].to_owned()),
        ("a signature in capitals", |text| {
            let (before, signature) = text.split_once("Signature=").unwrap();
            format!("{before}Signature={}", signature.to_uppercase().replace(|c: char| c.is_ascii_digit(), "A"))
        }),
        ("no signed headers", |text| text.replace("SignedHeaders=host;x-amz-date, ", "")),
        ("a scope cut short", |text| text.replace("/aws4_request", "")),
        ("another terminator", |text| text.replace("aws4_request", "aws5_request")),
        ("no region", |text| text.replace("us-east-1", "")),
        ("a part twice", |text| format!("{text}, {}", text.split(", ").last().unwrap())),
    ];
    for (what, rewrite) in broken {
        let mut signed = api.get("/certificates").quietly().signed();
        signed.authorization(rewrite);
        let answer = signed.send().await;
        assert_eq!((answer.status, answer.error.as_deref()), (403, Some(INCOMPLETE)), "{what}: {}", answer.body);
    }
    let mut twice = api.get("/certificates").quietly().signed();
    let value = twice.headers()[http::header::AUTHORIZATION].clone();
    twice.headers().append(http::header::AUTHORIZATION, value);
    twice.refused(403, INCOMPLETE).await;
    let mut undated = api.get("/certificates").quietly().signed();
    undated.headers().remove("x-amz-date");
    undated.refused(403, INCOMPLETE).await;
    for date in ["", "yesterday", "2027-01-15T08:00:00Z", "20270115T080000"] {
        let mut misdated = api.get("/certificates").quietly().signed();
        misdated.headers().insert("x-amz-date", HeaderValue::from_static(date));
        misdated.refused(403, INCOMPLETE).await;
    }
}

async fn an_unknown_key_and_a_wrong_secret_are_refused(api: Api) {
    let with = |access_key_id: &str, secret: &str| {
        let session_token = None;
        api.with_key(Credentials { access_key_id: access_key_id.to_owned(), secret: secret.to_owned(), session_token })
    };
    let own = api.credentials();
    with("AKIANOBODYHASTHISKEY", &own.secret).get("/certificates").refused(403, UNKNOWN).await;
    with(&own.access_key_id.to_lowercase(), &own.secret).get("/certificates").quietly().refused(403, UNKNOWN).await;
    for secret in ["", "wrong", &own.secret[1..], &own.secret.to_uppercase()] {
        let refused = with(&own.access_key_id, secret).get("/certificates").refused(403, INVALID).await;
        assert!(!refused.to_string().contains(&own.secret));
    }
    let other = api.of_account("210987654321").await;
    with(&own.access_key_id, &other.credentials().secret).get("/certificates").refused(403, INVALID).await;
    api.get("/certificates").ok().await;
    api.snapshot("door_wrong_key");
}

async fn clocks_may_differ_by_fifteen_minutes(api: Api) {
    const QUARTER: i64 = 15 * 60 * 1000;
    for (difference, accepted) in [
        (0, true),
        (QUARTER - 1_000, true),
        (QUARTER, true),
        (QUARTER + 1_000, false),
        (1_000 - QUARTER, true),
        (-QUARTER, true),
        (-QUARTER - 1_000, false),
        (365 * 86_400_000, false),
        (-365 * 86_400_000, false),
    ] {
        let signed = api.get("/certificates").signed_at(NOW.plus_millis(difference));
        let answer = signed.send().await;
        let expected = if accepted { (200, None) } else { (403, Some(INVALID)) };
        assert_eq!((answer.status, answer.error.as_deref()), expected, "{difference} ms");
    }
    api.snapshot("door_clocks");
}

async fn a_signature_is_for_one_region_service_and_day(api: Api) {
    // Signed in earnest for a Region that is not served.
    api.in_region("ap-southeast-2").get("/certificates").refused(403, INVALID).await;
    // Served, and another than what was signed for.
    for (from, to, expected) in [
        ("us-east-1", "eu-west-1", INVALID),
        ("us-east-1", "US EAST", INCOMPLETE),
        ("/iot/", "/iotdata/", INVALID),
        ("/iot/", "/s3/", INVALID),
        ("/iot/", "/execute-api/", INVALID),
        ("20270115", "20270114", INVALID),
        ("20270115", "20270199", INVALID),
    ] {
        let mut signed = api.get("/certificates").quietly().signed();
        signed.authorization(|text| text.replace(from, to));
        let answer = signed.send().await;
        assert_eq!((answer.status, answer.error.as_deref()), (403, Some(expected)), "{from} to {to}: {}", answer.body);
    }
}

async fn a_request_that_was_changed_is_refused(api: Api) {
    let body = json!({ "policyDocument": ALLOW_ALL });
    let signed = || api.post("/policies/p?").json(body.clone()).quietly().signed();
    let mut changed = signed();
    changed.set_body(&body.to_string().replace("Allow", "Deny"));
    changed.refused(403, INVALID).await;
    let mut changed = signed();
    changed.set_body("");
    changed.refused(403, INVALID).await;
    for target in ["/policies/q", "/policies/p?x=1", "/policies/%2570", "/policies/P", "/policies/p/version"] {
        let mut changed = signed();
        changed.set_target(target);
        changed.refused(403, INVALID).await;
    }
    let mut changed = signed();
    changed.set_method("PUT");
    changed.refused(403, INVALID).await;
    for (name, value) in [("host", "example.com"), ("content-type", "text/plain"), ("x-amz-date", "20270115T080001Z")] {
        let mut changed = signed();
        changed.headers().insert(name, HeaderValue::from_static(value));
        changed.refused(403, INVALID).await;
    }
    let mut changed = signed();
    changed.authorization(|text| {
        let last = if text.ends_with('0') { "1" } else { "0" };
        format!("{}{last}", &text[..text.len() - 1])
    });
    changed.refused(403, INVALID).await;
    // A hash that the client declares must be the body's.
    for hash in ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", &"0".repeat(64)] {
        let ask = api.post("/policies/p").json(body.clone()).header("x-amz-content-sha256", hash).quietly();
        ask.refused(403, INVALID).await;
    }
    // Parameters are signed sorted, so their order on the way is free.
    let mut reordered = api.get("/certificates?isAscendingOrder=true&pageSize=1").quietly().signed();
    reordered.set_target("/certificates?pageSize=1&isAscendingOrder=true");
    assert_eq!(reordered.send().await.status, 200);
    api.get("/policies/p").quietly().refused(404, "ResourceNotFoundException").await;
}

async fn headers_that_carry_meaning_must_be_signed(api: Api) {
    api.thing("t").await;
    let (certificate, other) = (api.certificate().await, api.certificate().await);
    let signed = || api.put("/things/t/principals").header("x-amzn-principal", &certificate.arn).quietly().signed();
    let mut changed = signed();
    changed.headers().insert("x-amzn-principal", HeaderValue::from_str(&other.arn).unwrap());
    changed.refused(403, INVALID).await;
    let mut removed = signed();
    removed.headers().remove("x-amzn-principal");
    removed.refused(403, INVALID).await;
    let mut repeated = signed();
    repeated.headers().append("x-amzn-principal", HeaderValue::from_str(&other.arn).unwrap());
    repeated.refused(403, INVALID).await;
    let mut added = api.put("/things/t/principals").quietly().signed();
    added.headers().insert("x-amzn-principal", HeaderValue::from_str(&other.arn).unwrap());
    let refused = added.refused(403, INVALID).await;
    assert!(refused.contains("'x-amzn-principal' is not signed"), "{refused}");
    // What only the way adds may go unsigned.
    let mut traced = signed();
    traced.headers().insert("x-amzn-trace-id", HeaderValue::from_static("Root=1"));
    traced.headers().insert("via", HeaderValue::from_static("1.1 proxy"));
    assert_eq!(traced.send().await.status, 200);
}

async fn a_key_that_is_gone_is_unknown_at_once(api: Api) {
    use gatehouse_store::Batch;
    api.get("/certificates").ok().await;
    let store = &api.running().house.store;
    let record = store.access_key(&api.credentials().access_key_id).await.unwrap().unwrap();
    let mut batch = Batch::new();
    batch.delete_access_key(&record);
    store.commit(batch, NOW).await.unwrap();
    api.get("/certificates").refused(403, UNKNOWN).await;
}

async fn a_signature_comes_before_anything_else(api: Api) {
    // A stranger learns nothing of operations, names or inputs.
    let missing = "MissingAuthenticationTokenException";
    for (method, target) in [
        ("GET", "/nope"),
        ("GET", "/things/a%20b"),
        ("GET", "/things/%ff"),
        ("GET", "/certificates?nope=1"),
        ("GET", "/authorizers/"),
        ("POST", "/policies/p"),
    ] {
        api.ask(method, target).unsigned().refused(403, missing).await;
    }
    api.post("/policies/p").body("{").unsigned().refused(403, missing).await;
    api.snapshot("door_stranger");
}
