//! What certificate providers do: their function issues, and what it answers is not taken on trust.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_control::functions::function::Function;
use gatehouse_pki::certificate::Certificate;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::authority::Authority;
use crate::client::{Api, Ask};
use crate::create_certificate_provider::create;
use crate::functions::{FUNCTION, FunctionServer, Said, function_at, nowhere};
use crate::harness::{ACCOUNT, OTHER_REGION, on_both_engines};
use crate::samples::{BAD_CSRS, CSR, CSR_P384, CSR_RSA2048};

on_both_engines!(
    the_function_issues_for_requests,
    the_mode_is_that_of_a_registered_ca,
    answers_that_do_not_fit_are_refused,
    functions_that_give_no_answer_are_told_apart,
    a_certificate_is_registered_once,
    bad_requests_reach_no_function,
    other_ways_and_other_tenants_are_not_touched,
    what_a_provider_answers_after_its_end_is_not_taken,
);

fn issue(api: &Api, csr: &str) -> Ask {
    api.post("/certificates").json(json!({ "certificateSigningRequest": csr }))
}

fn put(api: &Api, arn: &str, function: Function) {
    api.running().house.functions.put(arn.parse().unwrap(), function);
}

/// A provider whose function is `server`.
async fn provided_by(api: &Api, server: &FunctionServer) {
    put(api, FUNCTION, server.function());
    create(api, "p", json!({})).quietly().ok().await;
}

/// A function by which `authority` issues.
async fn signing(authority: Arc<Authority>) -> FunctionServer {
    FunctionServer::new(move |heard| {
        let csr = heard.event()["certificateSigningRequest"].as_str().unwrap().to_owned();
        Said::Json(json!({ "certificatePem": authority.certifies(&csr) }))
    })
    .await
}

async fn certificates(api: &Api) -> usize {
    api.get("/certificates").quietly().ok().await["certificates"].as_array().unwrap().len()
}

fn is_issued_by(answer: &Value, name: &str) -> bool {
    let certificate = Certificate::from_pem(answer["certificatePem"].as_str().unwrap()).unwrap();
    let issuer = certificate.issuer_der();
    issuer.windows(name.len()).any(|part| part == name.as_bytes())
}

async fn the_function_issues_for_requests(api: Api) {
    let authority = Authority::new("their authority");
    let answers = Arc::new(Mutex::new(Vec::new()));
    let given = Arc::clone(&answers);
    let server = FunctionServer::new(move |heard| {
        let pem = authority.certifies(heard.event()["certificateSigningRequest"].as_str().unwrap());
        given.lock().push(pem.clone());
        Said::Json(json!({ "certificatePem": format!("subject=…\n{pem}\n"), "more": [1] }))
    })
    .await;
    provided_by(&api, &server).await;

    let mut statuses = Vec::new();
    for (index, query) in ["", "?setAsActive=true"].into_iter().enumerate() {
        let body = json!({ "certificateSigningRequest": CSR });
        let issued = api.post(format!("/certificates{query}")).json(body).ok().await;
        let id = issued["certificateId"].as_str().unwrap();
        assert_eq!(issued["certificateArn"], api.arn(&format!("cert/{id}")));
        let given = Certificate::from_pem(&answers.lock()[index]).unwrap();
        // The certificate, and nothing of what stood around it.
        assert_eq!((issued["certificatePem"].as_str().unwrap(), id), (&*given.to_pem(), &*given.id().to_string()));
        let described = api.get(format!("/certificates/{id}")).quietly().ok().await["certificateDescription"].clone();
        assert_eq!(described["certificatePem"], issued["certificatePem"]);
        assert_eq!(described["certificateMode"], "SNI_ONLY");
        assert_eq!(described.get("caCertificateId"), None);
        statuses.push(described["status"].clone());
        let event = json!({
            "certificateSigningRequest": CSR,
            "principalId": api.credentials().access_key_id,
            "clientId": "",
        });
        assert_eq!(server.heard()[index].event(), event);
    }
    assert_eq!(statuses, ["INACTIVE", "ACTIVE"]);
    for csr in [CSR_P384, CSR_RSA2048] {
        issue(&api, csr).quietly().ok().await;
    }
    api.snapshot("certificate_provider_issues");
}

async fn the_mode_is_that_of_a_registered_ca(api: Api) {
    let authority = Arc::new(Authority::new("registered authority"));
    let server = signing(Arc::clone(&authority)).await;
    provided_by(&api, &server).await;
    let ca = authority.registered(&api).await;
    let described = |issued: Value| {
        let path = format!("/certificates/{}", issued["certificateId"].as_str().unwrap());
        let api = api.clone();
        async move { api.get(path).quietly().ok().await["certificateDescription"].clone() }
    };
    let vouched = described(issue(&api, CSR).ok().await).await;
    assert_eq!((&vouched["certificateMode"], &vouched["caCertificateId"]), (&json!("DEFAULT"), &json!(ca)));
    let of_ca = api.get(format!("/certificates-by-ca/{ca}")).quietly().ok().await;
    assert_eq!(of_ca["certificates"].as_array().unwrap().len(), 1);

    api.put(format!("/cacertificate/{ca}?newStatus=INACTIVE")).quietly().ok().await;
    let alone = described(issue(&api, CSR).ok().await).await;
    assert_eq!((&alone["certificateMode"], alone.get("caCertificateId")), (&json!("SNI_ONLY"), None));
}

async fn answers_that_do_not_fit_are_refused(api: Api) {
    let (authority, said) = (Authority::new("their authority"), Arc::new(Mutex::new(Value::Null)));
    let saying = Arc::clone(&said);
    let server = FunctionServer::new(move |_| Said::Json(saying.lock().clone())).await;
    provided_by(&api, &server).await;
    let good = authority.certifies(CSR);
    let expired = authority.certifies_until(CSR, rcgen::date_time_ymd(2027, 1, 14));
    let pem = |pem: &str| json!({ "certificatePem": pem });
    let cases = [
        (json!(null), "certificatePem"),
        (json!([]), "certificatePem"),
        (json!("text"), "certificatePem"),
        (json!({}), "certificatePem"),
        (json!({ "CertificatePem": good }), "certificatePem"),
        (json!({ "certificatePem": null }), "certificatePem"),
        (json!({ "certificatePem": [good] }), "certificatePem"),
        (pem(""), "PEM"),
        (pem("garbage"), "PEM"),
        (pem(CSR), "PEM"),
        (pem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "X.509"),
        (pem(&format!("{good}{}", authority.pem)), "more than one"),
        (pem(&format!("{good}{}", " ".repeat(70_000))), "longer than"),
        (pem(&authority.certifies_another_key(CSR)), "public key"),
        (pem(&authority.certifies(CSR_P384)), "public key"),
        (pem(&authority.pem), "public key"),
        (pem(&authority.certifies_as(CSR, "somebody else")), "subject"),
        (pem(&expired), "expired"),
    ];
    for (answer, word) in cases {
        *said.lock() = answer;
        let refused = issue(&api, CSR).invalid().await;
        let begin = format!("certificate provider p: the answer of {FUNCTION} is refused: ");
        assert!(refused.starts_with(&begin) && refused.contains(word), "{refused}");
        assert_eq!(certificates(&api).await, 0, "{refused}");
    }
    assert_eq!(server.heard().len(), 18, "nobody is asked twice");
    *said.lock() = pem(&good);
    issue(&api, CSR).ok().await;
    api.snapshot("certificate_provider_refused");
}

async fn functions_that_give_no_answer_are_told_apart(api: Api) {
    create(&api, "p", json!({})).ok().await;
    let refused = issue(&api, CSR).invalid().await;
    assert!(refused.contains("no entry for it in [functions]"), "{refused}");

    let huge = "x".repeat(300_000);
    let (invalid, unavailable) = ((400, "InvalidRequestException"), (503, "ServiceUnavailableException"));
    for (said, (status, error), word) in [
        (Said::Raw(500, None, "hush".to_owned()), invalid, "500"),
        (Said::Raw(200, Some("Unhandled"), json!({ "errorMessage": "hush" }).to_string()), invalid, "Unhandled"),
        (Said::Raw(200, None, "hush".to_owned()), invalid, "not JSON"),
        (Said::Raw(200, None, json!({ "certificatePem": huge }).to_string()), invalid, "262144 bytes"),
        (Said::Nothing, unavailable, "did not answer"),
    ] {
        let is_silent = matches!(said, Said::Nothing);
        let said = Mutex::new(Some(said));
        let server = FunctionServer::new(move |_| said.lock().take().unwrap()).await;
        let function = server.function();
        put(&api, FUNCTION, if is_silent { function.within(Duration::from_millis(50)) } else { function });
        let refused = issue(&api, CSR).refused(status, error).await.to_string();
        assert!(refused.contains(word) && refused.contains(FUNCTION), "{refused}");
        assert!(!refused.contains("hush") && !refused.contains("127.0.0.1"), "{refused}");
        assert_eq!(server.heard().len(), 1, "nobody is asked twice");
    }
    put(&api, FUNCTION, function_at(&nowhere()));
    let refused = issue(&api, CSR).refused(503, "ServiceUnavailableException").await.to_string();
    assert!(refused.contains("cannot be reached") && !refused.contains("127.0.0.1"), "{refused}");
    assert_eq!(certificates(&api).await, 0);
    api.snapshot("certificate_provider_no_answer");
}

async fn a_certificate_is_registered_once(api: Api) {
    let pem = Authority::new("their authority").certifies(CSR);
    let server = FunctionServer::new(move |_| Said::Json(json!({ "certificatePem": pem }))).await;
    provided_by(&api, &server).await;
    issue(&api, CSR).ok().await;
    let refused = issue(&api, CSR).invalid().await;
    assert!(refused.contains("registered already"), "{refused}");
    assert_eq!(certificates(&api).await, 1);

    // Without a registered CA nobody shuts out others by a certificate that may be theirs.
    let other = api.of_account("210987654321").await;
    let theirs = FUNCTION.replace(ACCOUNT, "210987654321");
    put(&api, &theirs, server.function());
    create(&other, "p", json!({ "lambdaFunctionArn": theirs })).quietly().ok().await;
    issue(&other, CSR).quietly().ok().await;
}

async fn bad_requests_reach_no_function(api: Api) {
    let server = FunctionServer::new(|_| Said::Json(json!({}))).await;
    provided_by(&api, &server).await;
    for (why, csr) in BAD_CSRS {
        let refused = issue(&api, csr).quietly().invalid().await;
        assert!(refused.starts_with("the certificate signing request is refused: "), "{why}: {refused}");
    }
    assert_eq!(server.heard().len(), 0);
}

async fn other_ways_and_other_tenants_are_not_touched(api: Api) {
    let server = signing(Arc::new(Authority::new("their authority"))).await;
    provided_by(&api, &server).await;
    api.post("/keys-and-certificate").quietly().ok().await;
    for other in [api.in_region(OTHER_REGION), api.of_account("210987654321").await] {
        assert!(!is_issued_by(&issue(&other, CSR).quietly().ok().await, "their authority"));
    }
    assert_eq!(server.heard().len(), 0);
    assert!(is_issued_by(&issue(&api, CSR).quietly().ok().await, "their authority"));

    // Another function counts from the next request on, and so does none.
    let second = signing(Arc::new(Authority::new("second authority"))).await;
    let arn = format!("{FUNCTION}:2");
    put(&api, &arn, second.function());
    api.put("/certificate-providers/p").json(json!({ "lambdaFunctionArn": arn })).quietly().ok().await;
    assert!(is_issued_by(&issue(&api, CSR).quietly().ok().await, "second authority"));
    api.delete("/certificate-providers/p").quietly().ok().await;
    let own = issue(&api, CSR).quietly().ok().await;
    assert!(is_issued_by(&own, "Amazon Web Services"), "the profile of AWS's own issuer");
    assert_eq!(
        api.describe(&crate::client::Certificate {
            id: own["certificateId"].as_str().unwrap().to_owned(),
            arn: String::new(),
        })
        .await["certificateMode"],
        "DEFAULT"
    );
    assert_eq!((server.heard().len(), second.heard().len()), (1, 1));
}

async fn what_a_provider_answers_after_its_end_is_not_taken(api: Api) {
    let (authority, gate, asked) =
        (Authority::new("former authority"), Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (is_open, is_asked) = (Arc::clone(&gate), Arc::clone(&asked));
    let server = FunctionServer::new(move |_| {
        is_asked.add_permits(1);
        Said::Later(Arc::clone(&is_open), json!({ "certificatePem": authority.certifies(CSR) }))
    })
    .await;
    put(&api, FUNCTION, server.function().within(Duration::from_secs(60)));
    create(&api, "p", json!({})).quietly().ok().await;
    let caller = api.clone();
    let issued = tokio::spawn(async move { issue(&caller, CSR).quietly().ok().await });
    asked.acquire().await.unwrap().forget();
    api.delete("/certificate-providers/p").quietly().ok().await;
    gate.add_permits(1);
    assert!(is_issued_by(&issued.await.unwrap(), "Amazon Web Services"));
    assert_eq!((certificates(&api).await, server.heard().len()), (1, 1));
}
