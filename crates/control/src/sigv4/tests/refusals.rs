//! What is refused, with which name and sentence.

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SIGNATURE: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

/// The case `get-vanilla` of AWS's suite.
fn vanilla() -> Arrived {
    Arrived::read(&format!(
        "GET / HTTP/1.1\nHost:example.amazonaws.com\nX-Amz-Date:20150830T123600Z\nAuthorization:AWS4-HMAC-SHA256 \
         Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, \
         Signature={SIGNATURE}\n\n"
    ))
}

/// Signs `arrived` as its Authorization header says, whatever the headers.
fn sign(arrived: Arrived) -> Arrived {
    let authorization = arrived.authorization().unwrap();
    let canonical = canonical::canonical_request(
        &arrived.method,
        &arrived.target,
        &[],
        &arrived.headers,
        &authorization.signed_headers,
        digest(&SHA256, &arrived.body).as_ref().try_into().unwrap(),
    );
    let text = canonical::string_to_sign(&authorization.stamp, authorization.scope(), &canonical);
    let signature = SigningKey::derive(SECRET.as_bytes(), authorization.scope()).sign(&text);
    arrived.authorized(&canonical::hex(&authorization.signature), &canonical::hex(&signature))
}

fn refused(arrived: &Arrived) -> String {
    let error = arrived.verify(SECRET, None).unwrap_err();
    format!("{}: {error}", error.aws_name())
}

#[test]
fn the_request_that_the_others_are_made_from_verifies() {
    assert_eq!(vanilla().verify(SECRET, None), Ok(()));
    assert_eq!(sign(vanilla()).verify(SECRET, None), Ok(()));
}

#[test]
fn spacing_and_order_of_the_authorization_do_not_matter() {
    let credential = "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";
    for text in [
        format!("AWS4-HMAC-SHA256 {credential},SignedHeaders=host;x-amz-date,Signature={SIGNATURE}"),
        format!("AWS4-HMAC-SHA256   {credential} ,  SignedHeaders=host;x-amz-date ,\tSignature={SIGNATURE}  "),
        format!("AWS4-HMAC-SHA256 Signature={SIGNATURE}, {credential}, SignedHeaders=host;x-amz-date"),
    ] {
        assert_eq!(vanilla().with_header("authorization", &text).verify(SECRET, None), Ok(()), "{text}");
    }
}

#[test]
fn incomplete_authorizations_are_refused_by_part() {
    let authorization = "the Authorization header must be \
                         'AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…'";
    let credential = "the signature's Credential must be \
                      '<access key id>/<yyyymmdd>/<Region>/<service>/aws4_request'";
    let signed_headers = "the signature's SignedHeaders must be header names in lower case and \
                          alphabetical order, each once, with ';' between them";
    let signature = "the signature itself must be 64 lower-case hex digits";
    let table = [
        ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512", authorization),
        ("AWS4-HMAC-SHA256", "aws4-hmac-sha256", authorization),
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", authorization),
        ("AWS4-HMAC-SHA256", "Bearer", authorization),
        ("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256", authorization),
        ("Signature=", "Signature ", authorization),
        ("Signature=", "signature=", authorization),
        ("Signature=", "Extra=1, Signature=", authorization),
        ("Signature=", ", Signature=", authorization),
        (", SignedHeaders", " SignedHeaders", "the signature's SignedHeaders is missing"),
        ("Signature=", "Credential=a, Signature=", "the signature's Credential is given more than once"),
        ("SignedHeaders=host;x-amz-date, ", "", "the signature's SignedHeaders is missing"),
        (", Signature=5fa", ", SignedHeaders=5fa", "the signature's SignedHeaders is given more than once"),
        ("/aws4_request", "", credential),
        ("/aws4_request", "/aws4_request/", credential),
        ("/aws4_request", "/aws5_request", credential),
        ("/service/", "//", credential),
        ("AKIDEXAMPLE", "", credential),
        ("AKIDEXAMPLE", "AKID EXAMPLE", credential),
        ("AKIDEXAMPLE", &"A".repeat(129), credential),
        ("/20150830/", "/2015083/", credential),
        ("/20150830/", "/2015083a/", credential),
        ("us-east-1", "", credential),
        ("us-east-1", "US-EAST-1", credential),
        ("us-east-1", "a-region-that-nobody-will-ever-open", credential),
        ("host;x-amz-date", "", signed_headers),
        ("host;x-amz-date", "host;x-amz-date;", signed_headers),
        ("host;x-amz-date", "x-amz-date;host", signed_headers),
        ("host;x-amz-date", "host;host;x-amz-date", signed_headers),
        ("host;x-amz-date", "Host;x-amz-date", signed_headers),
        ("host;x-amz-date", "host; x-amz-date", signed_headers),
        (SIGNATURE, "", signature),
        (SIGNATURE, &SIGNATURE.to_uppercase(), signature),
        (SIGNATURE, &SIGNATURE[1..], signature),
        (SIGNATURE, &SIGNATURE[2..], signature),
        (SIGNATURE, &format!("{SIGNATURE}00"), signature),
        (SIGNATURE, &SIGNATURE.replace('f', "g"), signature),
    ];
    for (old, new, sentence) in table {
        let text = refused(&vanilla().authorized(old, new));
        assert_eq!(text, format!("IncompleteSignatureException: {sentence}"), "{old} -> {new}");
    }
    let long = format!("host;{};x-amz-date", "i".repeat(4096));
    assert_eq!(
        refused(&vanilla().authorized("host;x-amz-date", &long)),
        "IncompleteSignatureException: the Authorization header is too long"
    );
}

#[test]
fn headers_that_speak_of_the_signature_come_once() {
    let twice = "IncompleteSignatureException:";
    let again = vanilla().headers.get("authorization").unwrap().to_str().unwrap().to_owned();
    assert_eq!(
        refused(&vanilla().and_header("authorization", &again)),
        format!("{twice} the Authorization header is given more than once")
    );
    assert_eq!(
        refused(&vanilla().and_header("x-amz-date", "20150830T123600Z")),
        format!("{twice} X-Amz-Date is given more than once")
    );
    assert_eq!(
        refused(&vanilla().and_header("x-amz-security-token", "a").and_header("x-amz-security-token", "a")),
        format!("{twice} X-Amz-Security-Token is given more than once")
    );
}

#[test]
fn a_request_without_authorization_is_not_signed() {
    assert_eq!(
        refused(&vanilla().without_header("authorization")),
        "MissingAuthenticationTokenException: the request has no Authorization header: sign it with AWS Signature \
         Version 4"
    );
}

#[test]
fn a_date_is_needed_and_must_be_signed() {
    let missing = "IncompleteSignatureException: X-Amz-Date is missing";
    assert_eq!(refused(&vanilla().without_header("x-amz-date")), missing);
    for bad in ["", "20150830", "Sun, 30 Aug 2015 12:36:00 GMT", "20150230T123600Z"] {
        assert_eq!(
            refused(&vanilla().with_header("x-amz-date", bad).with_header("date", "20150830T123600Z")),
            "IncompleteSignatureException: X-Amz-Date must be a UTC time such as 20150830T123600Z"
        );
    }
    let dated = || vanilla().without_header("x-amz-date").with_header("date", "Sun, 30 Aug 2015 12:36:00 GMT");
    assert_eq!(sign(dated().authorized("host;x-amz-date", "date;host")).verify(SECRET, None), Ok(()));
    assert_eq!(
        refused(&sign(dated().authorized("host;x-amz-date", "host"))),
        "InvalidSignatureException: the header 'date' is not signed: add it to SignedHeaders"
    );
}

#[test]
fn a_signature_lives_fifteen_minutes_on_both_sides() {
    let signed = vanilla().authorization().unwrap().signed_at();
    let at = |ms: i64| vanilla().verify(SECRET, Some(signed.plus_millis(ms)));
    let edge_ms = 15 * 60 * 1000;
    assert_eq!(at(edge_ms), Ok(()));
    assert_eq!(at(-edge_ms), Ok(()));
    assert_eq!(
        at(edge_ms + 1).unwrap_err().to_string(),
        "signature expired: it was made at 2015-08-30T12:36:00Z, which is more than 15 minutes before the server's \
         2015-08-30T12:51:00Z"
    );
    assert_eq!(
        at(-edge_ms - 1).unwrap_err().to_string(),
        "signature not yet current: it was made at 2015-08-30T12:36:00Z, which is more than 15 minutes after the \
         server's 2015-08-30T12:20:59Z"
    );
    assert!(vanilla().verify(SECRET, Some(Timestamp::from_millis(i64::MIN))).is_err());
    assert!(vanilla().verify(SECRET, Some(Timestamp::from_millis(i64::MAX))).is_err());
}

#[test]
fn the_credential_is_of_the_day_of_the_request() {
    for day in ["/20150829/", "/20150831/", "/20150832/"] {
        assert_eq!(
            refused(&vanilla().authorized("/20150830/", day)),
            "InvalidSignatureException: the date in the credential is not the UTC day of the request's date"
        );
    }
}

#[test]
fn the_credential_is_for_a_service_of_the_door() {
    let error = Authorization::parse(&vanilla().headers, &["iot", "execute-api"]).unwrap_err();
    assert_eq!(error.to_string(), "the credential is scoped to another service: scope it to 'iot'");
    assert_eq!(error.aws_name(), "InvalidSignatureException");
    // A service that is accepted, but not the one that was signed for.
    assert_eq!(vanilla().authorized("/service/", "/iot/").verify(SECRET, None), Err(SigV4Error::Mismatch));
}

#[test]
fn headers_with_meaning_must_be_signed() {
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-amz-target", "a"),
        ("x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("x-amz-security-token", "token"),
        ("x-amzn-principal", "arn:aws:iot:us-east-1:000000000000:cert/ab"),
        ("x-amzn-iot-policy", "lamps"),
    ] {
        assert_eq!(
            vanilla().with_header(name, value).verify(SECRET, None),
            Err(SigV4Error::HeaderNotSigned(HeaderName::from_static(name)))
        );
    }
    for (name, value) in [("x-amzn-trace-id", "Root=1"), ("accept", "*/*"), ("x-forwarded-for", "10.0.0.1")] {
        assert_eq!(vanilla().with_header(name, value).verify(SECRET, None), Ok(()), "{name}");
    }
    let hostless = sign(vanilla().authorized("host;x-amz-date", "x-amz-date"));
    assert_eq!(hostless.verify(SECRET, None), Err(SigV4Error::HeaderNotSigned(http::header::HOST)));
}

#[test]
fn signed_headers_must_have_arrived() {
    let absent = sign(vanilla().authorized("host;x-amz-date", "accept;host;x-amz-date"));
    assert_eq!(absent.verify(SECRET, None), Err(SigV4Error::SignedHeaderAbsent(http::header::ACCEPT)));
    let hostless = sign(vanilla().without_header("host"));
    assert_eq!(hostless.verify(SECRET, None), Err(SigV4Error::SignedHeaderAbsent(http::header::HOST)));
}

#[test]
fn a_value_added_to_a_signed_header_breaks_the_signature() {
    let signed = sign(vanilla().with_header("accept", "a").authorized("host;x-amz-date", "accept;host;x-amz-date"));
    assert_eq!(signed.verify(SECRET, None), Ok(()));
    for added in ["b", "", "a"] {
        assert_eq!(signed.clone().and_header("accept", added).verify(SECRET, None), Err(SigV4Error::Mismatch));
    }
    let two = sign(vanilla().with_header("accept", "a").and_header("accept", "b").authorized("host;", "accept;host;"));
    assert_eq!(two.verify(SECRET, None), Ok(()));
    let swapped = two.with_header("accept", "b").and_header("accept", "a");
    assert_eq!(swapped.verify(SECRET, None), Err(SigV4Error::Mismatch));
}

#[test]
fn a_declared_payload_hash_is_that_of_the_body() {
    let declared = |hash: &str| {
        let all = "host;x-amz-content-sha256;x-amz-date";
        sign(vanilla().with_header("x-amz-content-sha256", hash).authorized("host;x-amz-date", all))
    };
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(declared(empty).verify(SECRET, None), Ok(()));
    let others = ["", "UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", &empty.to_uppercase(), &"0".repeat(64)];
    for hash in others {
        assert_eq!(declared(hash).verify(SECRET, None), Err(SigV4Error::PayloadHash), "{hash}");
    }
    assert_eq!(
        declared(empty).and_header("x-amz-content-sha256", "0").verify(SECRET, None),
        Err(SigV4Error::PayloadHash)
    );
}

#[test]
fn only_the_token_of_the_key_is_accepted() {
    let hash = |token: &str| <[u8; 32]>::try_from(digest(&SHA256, token.as_bytes()).as_ref()).unwrap();
    let without = vanilla().authorization().unwrap();
    let with = vanilla().with_header("x-amz-security-token", "token").authorization().unwrap();
    assert_eq!(without.check_session_token(None), Ok(()));
    assert_eq!(with.check_session_token(Some(&hash("token"))), Ok(()));
    for outcome in [
        without.check_session_token(Some(&hash("token"))),
        without.check_session_token(Some(&hash(""))),
        with.check_session_token(None),
        with.check_session_token(Some(&hash("Token"))),
    ] {
        assert_eq!(outcome.unwrap_err().aws_name(), "UnrecognizedClientException");
    }
}

#[test]
fn no_answer_and_no_log_line_helps_to_forge() {
    let forged = vanilla().authorized(SIGNATURE, &"0".repeat(64));
    let answer = refused(&forged);
    assert_eq!(
        answer,
        "InvalidSignatureException: the signature does not match the request: check the secret access key, and that \
         nothing between client and server changes method, path, query, signed headers or body"
    );
    let authorization = vanilla().with_header("x-amz-security-token", "token").authorization().unwrap();
    let printed = format!("{authorization:?}");
    assert!(printed.contains("AKIDEXAMPLE"));
    assert!(
        !printed.contains("token")
            && !printed.contains(SIGNATURE)
            && !printed.contains("5f, a0")
            && !printed.contains("95, 160")
    );
}
