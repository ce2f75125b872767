//! Bodies: what they may be, and how long.

use serde_json::json;

use crate::client::Api;
use crate::harness::on_both_engines;
use crate::samples::ALLOW_ALL;

on_both_engines!(
    a_body_must_be_a_json_object_in_utf8,
    members_must_be_known_and_of_their_type,
    null_members_count_as_absent,
    a_declared_length_beyond_the_limit_is_refused_unread,
    a_chunked_body_is_cut_at_the_limit,
    a_body_at_the_limit_is_read,
    what_is_refused_is_not_sent_back_in_full,
    a_connection_that_ends_within_the_body_has_no_effect,
);

async fn a_body_must_be_a_json_object_in_utf8(api: Api) {
    let bodies: [&[u8]; 12] = [
        b"x",
        b"{",
        b"[]",
        b"null",
        b"\"policyDocument\"",
        b"12",
        b"{'policyDocument':''}",
        b"{\"policyDocument\":\"\xff\"}",
        b"{\"policyDocument\":\"\\ud800\"}",
        b"\xef\xbb\xbf{}",
        b"{} {}",
        b"policyDocument=%7B%7D",
    ];
    for body in bodies {
        let refused = api.post("/policies/p").body(body).invalid().await;
        assert!(!refused.contains("validation error"), "{refused}");
    }
    // Deeper than anything in the model, and deeper than a stack.
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    api.post("/policies/p").body(format!("{{\"tags\":{deep}}}")).quietly().invalid().await;
    // White space is no body.
    let refused = api.post("/policies/p").body(" \r\n\t").invalid().await;
    assert!(refused.contains("Value null at 'policyDocument'"), "{refused}");
    api.get("/policies/p").quietly().refused(404, "ResourceNotFoundException").await;
    api.snapshot("door_body");
}

async fn members_must_be_known_and_of_their_type(api: Api) {
    let bodies = [
        json!({ "policyDocument": ALLOW_ALL, "nope": 1 }),
        json!({ "PolicyDocument": ALLOW_ALL }),
        json!({ "policyDocument": ALLOW_ALL, "tags": [{ "Key": "a", "Value": "1", "nope": 1 }] }),
        json!({ "policyDocument": ALLOW_ALL, "tags": [{ "Key": "a", "Value": {} }] }),
        json!({ "policyDocument": ALLOW_ALL, "tags": "a" }),
        json!({ "policyDocument": 1 }),
        json!({ "policyDocument": true }),
        json!({ "policyDocument": [ALLOW_ALL] }),
        // A member that travels in the path.
        json!({ "policyDocument": ALLOW_ALL, "policyName": "q" }),
    ];
    for body in bodies {
        api.post("/policies/p").json(body).invalid().await;
    }
    for payload in [json!({ "attributes": { "a": {} } }), json!({ "merge": "true" }), json!({ "merge": 1 }), json!("a")]
    {
        api.post("/things/t").json(json!({ "attributePayload": payload })).invalid().await;
    }
    // An operation without body members takes no unknown ones either.
    api.post("/keys-and-certificate").json(json!({ "nope": 1 })).invalid().await;
    api.get("/things").json(json!({ "maxResults": 1 })).invalid().await;
    api.post("/policy-targets/p").json(json!([])).invalid().await;
    api.snapshot("door_members");
}

async fn null_members_count_as_absent(api: Api) {
    let refused = api.post("/policies/p").json(json!({ "policyDocument": null })).invalid().await;
    assert!(refused.contains("Value null at 'policyDocument'"), "{refused}");
    api.post("/policies/p").json(json!({ "policyDocument": ALLOW_ALL, "tags": null })).ok().await;
    api.post("/policies/q")
        .json(json!({ "policyDocument": ALLOW_ALL, "tags": [{ "Key": "a", "Value": null }] }))
        .ok()
        .await;
    api.post("/things/t").json(json!({ "attributePayload": null, "thingTypeName": null })).ok().await;
    let body = json!({ "attributePayload": { "attributes": { "a": null }, "merge": null } });
    api.post("/things/u").json(body).ok().await;
    assert_eq!(api.get("/things/u").ok().await["attributes"], json!({}));
    // An element that is null is not an element.
    api.post("/untag").json(json!({ "resourceArn": api.arn("policy/p"), "tagKeys": [null] })).invalid().await;
    api.snapshot("door_null");
}

const LIMIT: usize = 1024 * 1024;

async fn a_declared_length_beyond_the_limit_is_refused_unread(api: Api) {
    for length in ["1048577", "9223372036854775807"] {
        let signed = api.post("/policies/p").json(json!({})).signed();
        // The body never comes: the answer does not wait for it.
        let head = signed.head(&format!("Content-Length: {length}\r\n"));
        let answer = signed.send_bytes(&head).await;
        assert_eq!((answer.status, answer.error.as_deref()), (413, Some("RequestEntityTooLargeException")));
    }
    // Nor does it wait for the body of someone who names no key, however short.
    let unsigned = api.post("/policies/p").unsigned();
    let head = unsigned.head("Content-Length: 2\r\n");
    let answer = unsigned.send_bytes(&head).await;
    assert_eq!((answer.status, answer.error.as_deref()), (403, Some("MissingAuthenticationTokenException")));
    api.snapshot("door_too_long");
}

async fn a_chunked_body_is_cut_at_the_limit(api: Api) {
    let body = json!({ "policyDocument": ALLOW_ALL }).to_string();
    let signed = api.post("/policies/p").body(body.clone()).signed();
    let mut bytes = signed.head("Transfer-Encoding: chunked\r\n");
    let (start, end) = body.split_at(7);
    for chunk in [start, end, ""] {
        bytes.extend_from_slice(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes());
    }
    assert_eq!(signed.send_bytes(&bytes).await.status, 200);

    let signed = api.post("/policies/q").quietly().body(body).signed();
    let mut bytes = signed.head("Transfer-Encoding: chunked\r\n");
    bytes.extend_from_slice(format!("{:x}\r\n{}\r\n0\r\n\r\n", LIMIT + 1, " ".repeat(LIMIT + 1)).as_bytes());
    let answer = signed.send_bytes(&bytes).await;
    assert_eq!((answer.status, answer.error.as_deref()), (413, Some("RequestEntityTooLargeException")));
}

async fn a_body_at_the_limit_is_read(api: Api) {
    let body = json!({ "policyDocument": ALLOW_ALL }).to_string();
    let padded = format!("{body}{}", " ".repeat(LIMIT - body.len()));
    api.post("/policies/p").body(padded.clone()).quietly().ok().await;
    let answer = api.post("/policies/q").body(format!("{padded} ")).quietly().send().await;
    assert_eq!(answer.status, 413);
}

async fn what_is_refused_is_not_sent_back_in_full(api: Api) {
    let long = "x".repeat(500_000);
    let asks = [
        api.post("/policies/p").json(json!({ long.clone(): 1 })),
        api.post("/policies/p").json(json!({ "policyDocument": { "a": long.clone() } })),
        api.post("/policies/p").json(json!({ "policyDocument": json!({ long.clone(): 1 }).to_string() })),
        api.put("/target-policies/p").json(json!({ "target": long.clone() })),
        api.post("/things/t").json(json!({ "attributePayload": { "attributes": { long.clone(): 1 } } })),
        api.post("/things/t").json(json!({ "attributePayload": { "attributes": { "a b".repeat(40_000): "1" } } })),
        api.post("/tags").json(json!({ "resourceArn": api.arn(&format!("thinggroup/{long}")), "tags": [] })),
        api.post("/tags").json(json!({ "resourceArn": api.arn(&format!("topic/{long}")), "tags": [] })),
        api.get(format!("/certificates?pageSize={}", &long[..20_000])),
        api.get(format!("/certificates?{}=1", &long[..20_000])),
    ];
    for ask in asks {
        let answer = ask.quietly().send().await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.message().len() < 10_000, "{} bytes", answer.message().len());
    }
    let unknown = api.get(format!("/{}", &long[..20_000])).quietly().refused(404, "UnknownOperationException").await;
    assert!(unknown.to_string().len() < 10_000);
}

async fn a_connection_that_ends_within_the_body_has_no_effect(api: Api) {
    use tokio::io::AsyncWriteExt as _;
    let body = json!({ "policyDocument": ALLOW_ALL }).to_string();
    let signed = api.post("/policies/p").body(body.clone()).signed();
    let mut bytes = signed.head(&format!("Content-Length: {}\r\n", body.len()));
    bytes.extend_from_slice(&body.as_bytes()[..10]);
    let mut stream = tokio::net::TcpStream::connect(api.running().address).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    drop(stream);
    api.get("/policies/p").refused(404, "ResourceNotFoundException").await;
}
