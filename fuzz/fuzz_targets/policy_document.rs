//! A policy document and a question: action, resource and client id on a line each, the document on the rest. Reading
//! ends, answers do not depend on order or number of documents, and a document that is not read is refused.

#![no_main]

use gatehouse_domain::client_id::ClientId;
use gatehouse_domain::policy::{
    ConnectAttributes, ConnectionContext, ConnectionFacts, Decision, NoContext, PolicyDocument, Request, Verdict,
    evaluate, explain,
};
use gatehouse_domain::time::Timestamp;
use libfuzzer_sys::fuzz_target;

const DENY_ALL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.splitn(4, '\n');
    let [Some(action), Some(resource), Some(client_id), Some(document)] = [(); 4].map(|()| lines.next()) else {
        return;
    };
    let document = match PolicyDocument::parse(document) {
        Ok(document) => document,
        Err(invalid) => {
            assert!(!invalid.to_string().is_empty());
            return;
        }
    };
    let facts = ConnectionFacts {
        client_id: ClientId::parse(client_id).ok(),
        source_ip: Some([203, 0, 113, 7].into()),
        domain_name: Some("localhost".into()),
        ..ConnectionFacts::default()
    };
    let connect = ConnectAttributes { persistent: client_id.len() % 2 == 0, last_will_topic: Some(client_id) };
    let context = ConnectionContext::connecting(&facts, Timestamp::from_secs(1_795_429_230), connect);
    let request = Request { action, resource, context: &context };

    let decision = evaluate([&document], &request);
    assert_eq!(decision, evaluate([&document, &document], &request));
    let verdict = explain(&document, &request).verdict;
    assert_eq!(verdict == Verdict::Allows, decision == Decision::Allowed);
    assert_eq!(verdict == Verdict::Denies, decision == Decision::ExplicitDeny);
    let deny_all = PolicyDocument::parse(DENY_ALL).expect("the document is well formed");
    assert!(!evaluate([&document, &deny_all], &request).is_allowed());
    assert!(!evaluate([&deny_all, &document], &request).is_allowed());
    let _ = evaluate([&document], &Request { context: &NoContext, ..request });
});
