//! Requests that others signed.

use serde_json::Value;

use super::*;

const SUITE: &str = include_str!("../vectors/aws_signing_test_suite.json");
const SUITE_SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const BOTOCORE: &str = include_str!("../vectors/botocore.json");
const BOTOCORE_SECRET: &str = "gatehouse/example+secret/that/opens/nothing";

fn cases(file: &str) -> Vec<(String, Value)> {
    let cases: Vec<Value> = serde_json::from_str(file).unwrap();
    cases.into_iter().map(|case| (case["name"].as_str().unwrap().to_owned(), case)).collect()
}

fn request(case: &Value) -> Arrived {
    Arrived::read(case["request"].as_str().unwrap())
}

#[test]
fn the_aws_suite_verifies() {
    let cases = cases(SUITE);
    assert_eq!(cases.len(), 30);
    for (name, case) in cases {
        let outcome = request(&case).verify(SUITE_SECRET, None);
        // The case adds the session token after signing, as a few services allow; `iot` is none of them.
        let expected = match name.as_str() {
            "post-sts-header-after" => Err(SigV4Error::HeaderNotSigned("x-amz-security-token".parse().unwrap())),
            _ => Ok(()),
        };
        assert_eq!(outcome, expected, "{name}");
    }
}

#[test]
fn the_aws_suite_has_the_same_canonical_requests() {
    for (name, case) in cases(SUITE) {
        let arrived = request(&case);
        let body_sha256 = digest(&SHA256, &arrived.body).as_ref().try_into().unwrap();
        let canonical = canonical::canonical_request(
            &arrived.method,
            &arrived.target,
            &[],
            &arrived.headers,
            &arrived.authorization().unwrap().signed_headers,
            &body_sha256,
        );
        assert_eq!(String::from_utf8(canonical).unwrap(), case["canonicalRequest"], "{name}");
    }
}

#[test]
fn requests_of_botocore_verify() {
    let cases = cases(BOTOCORE);
    assert_eq!(cases.len(), 19);
    for (name, case) in cases {
        assert_eq!(request(&case).verify(BOTOCORE_SECRET, None), Ok(()), "{name}");
    }
}

#[test]
fn the_claim_of_a_botocore_request_is_read_whole() {
    let (_, case) = cases(BOTOCORE).into_iter().find(|(name, _)| name == "session token").unwrap();
    let authorization = request(&case).authorization().unwrap();
    assert_eq!(authorization.access_key_id(), "AKIAGATEHOUSE0EXAMPL");
    assert_eq!(authorization.region().as_str(), "us-east-1");
    assert_eq!(authorization.service(), "iot");
    assert_eq!(authorization.scope().day.as_str(), "20261123");
    assert_eq!(authorization.signed_at().to_string(), "2026-11-23T10:20:30Z");
    assert_eq!(authorization.session_token(), Some("FwoGZXIvYXdzE//fake+token=="));
}

#[test]
fn no_request_verifies_with_another_secret() {
    for (name, case) in cases(SUITE).into_iter().chain(cases(BOTOCORE)) {
        let outcome = request(&case).verify("another secret", None);
        assert!(outcome.is_err_and(|error| error.aws_name() == "InvalidSignatureException"), "{name}");
    }
}
