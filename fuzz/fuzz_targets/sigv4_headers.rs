//! A signed request as text: reading its claim and judging it must end, and a path has one normal form.

#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;

// Included rather than linked: the crate around it brings the store and with it SQLite.
#[path = "../../crates/control/src/sigv4/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the target uses the verifying side alone")]
mod sigv4;

use sigv4::{Authorization, SignedRequest, SigningKey, normalised_path, verify};

/// The secret of the seeds that come from AWS's test suite.
const SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let line = lines.next().unwrap_or_default();
    let (method, target) = line.split_once(' ').unwrap_or(("GET", line));
    let Ok(method) = method.parse::<Method>() else { return };
    let target = target.strip_suffix(" HTTP/1.1").unwrap_or(target);
    let mut headers = HeaderMap::new();
    for field in lines {
        let (name, value) = field.split_once(':').unwrap_or((field, ""));
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }

    let path = target.split('?').next().unwrap_or_default();
    let normal = normalised_path(path);
    assert!(normal.starts_with('/') && !normal.contains("//"), "{normal}");
    assert!(!normal.split('/').any(|segment| segment == "." || segment == ".."), "{normal}");
    assert_eq!(normalised_path(&normal), normal);

    let query = target.split_once('?').map(|(_, query)| query);
    let Ok(authorization) = Authorization::find(&headers, query, &["service", "iot"]) else { return };
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
    let body_sha256 = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
    let request = SignedRequest { method: &method, target, headers: &headers, body_sha256: &body_sha256 };
    let key = SigningKey::derive(SECRET, authorization.scope());
    let outcome = verify(&authorization, &request, &key, authorization.signed_at());
    let other = SigningKey::derive(b"another secret", authorization.scope());
    assert!(verify(&authorization, &request, &other, authorization.signed_at()).is_err());
    if outcome.is_ok() {
        // The normal form of the path is as good as the path itself.
        let query = target.strip_prefix(path).unwrap_or_default();
        let target = format!("{normal}{query}");
        let request = SignedRequest { target: &target, ..request };
        assert_eq!(verify(&authorization, &request, &key, authorization.signed_at()), Ok(()));
    }
});
