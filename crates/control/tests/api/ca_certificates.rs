//! CA certificates under races, under the policies of access keys, and with tags; and what they and their certificates
//! may look like.

use std::fmt::Write as _;
use std::path::Path;

use gatehouse_control::access_key::AccessKeyWish;
use serde_json::{Value, json};

use crate::authority::{Authority, register, registration_code};
use crate::client::{Answer, Api, Ask, encoded};
use crate::harness::{ACCOUNT, OTHER_REGION, on_both_engines};
use crate::races::{at_once, outcomes, rounds};
use crate::samples::UNKNOWN_ID;
use crate::transfer_certificate::TARGET;

on_both_engines!(
    one_of_two_accounts_gets_an_authority_in_default_mode,
    an_authority_is_registered_once,
    the_tenth_place_of_a_subject_is_taken_once,
    one_code_is_made,
    a_code_proves_or_is_deleted,
    an_authority_is_deleted_or_activated,
    no_tag_outlives_its_authority,
    a_certificate_is_registered_under_its_authority_once,
    one_of_two_accounts_gets_a_certificate_in_default_mode,
    authorities_have_one_arn_for_policies,
    transfers_ask_about_the_certificate,
    authorities_carry_tags,
    authorities_and_certificates_of_every_make,
    pem_texts_of_every_make,
);

const NOT_FOUND: &str = "ResourceNotFoundException";
const DENIED: &str = "AccessDeniedException";
const EXISTS: &str = "ResourceAlreadyExistsException";

fn register_leaf(api: &Api, pem: &str) -> Ask {
    api.post("/certificate/register").json(json!({ "certificatePem": pem }))
}

fn register_unproven(api: &Api, pem: &str) -> Ask {
    register(api, "?setAsActive=true", json!({ "caCertificate": pem, "certificateMode": "SNI_ONLY" }))
}

fn arn_of(api: &Api, id: &str) -> String {
    api.arn(&format!("cacert/{id}"))
}

async fn one_of_two_accounts_gets_an_authority_in_default_mode(api: Api) {
    let other = &api.of_account(TARGET).await;
    let api = &api;
    rounds(|_| async move {
        let authority = Authority::new("authority of one");
        let asks = [authority.registration(api, "").await, authority.registration(other, "").await];
        let answers = at_once(asks).await;
        assert_eq!(outcomes(&answers), ["InvalidRequestException", "ok"]);
        let refused = answers.iter().find(|answer| answer.status != 200).unwrap();
        assert_eq!(refused.message(), "Cannot accept this CACertificate");
        // The loser has nothing of it.
        for (tenant, answer) in [api, other].into_iter().zip(&answers) {
            let id = answers.iter().find_map(|answer| answer.body["certificateId"].as_str()).unwrap();
            let described = tenant.get(format!("/cacertificate/{id}")).quietly().send().await;
            assert_eq!(described.status == 200, answer.status == 200);
            if answer.status == 200 {
                tenant.delete(format!("/cacertificate/{id}")).quietly().ok().await;
            }
        }
    })
    .await;
}

async fn an_authority_is_registered_once(api: Api) {
    let api = &api;
    rounds(|round| async move {
        let authority = Authority::new(&format!("authority {round}"));
        let mut asks = Vec::new();
        for _ in 0..2 {
            asks.push(authority.registration(api, "").await);
            asks.push(register_unproven(api, &authority.pem));
        }
        assert_eq!(outcomes(&at_once(asks).await), [EXISTS, EXISTS, EXISTS, "ok"]);
    })
    .await;
}

async fn the_tenth_place_of_a_subject_is_taken_once(api: Api) {
    let api = &api;
    rounds(|round| async move {
        let subject = format!("fleet {round}");
        let mut last = String::new();
        for _ in 0..9 {
            let made = register_unproven(api, &Authority::new(&subject).pem).quietly().ok().await;
            made["certificateId"].as_str().unwrap().clone_into(&mut last);
        }
        let answers = at_once((0..4).map(|_| register_unproven(api, &Authority::new(&subject).pem))).await;
        let limit = "LimitExceededException";
        assert_eq!(outcomes(&answers), [limit, limit, limit, "ok"]);
        // A place that is given back is taken again, once.
        api.put(format!("/cacertificate/{last}?newStatus=INACTIVE")).quietly().ok().await;
        api.delete(format!("/cacertificate/{last}")).quietly().ok().await;
        let answers = at_once((0..2).map(|_| register_unproven(api, &Authority::new(&subject).pem))).await;
        assert_eq!(outcomes(&answers), [limit, "ok"]);
    })
    .await;
}

async fn one_code_is_made(api: Api) {
    let api = &api;
    rounds(|_| async move {
        let answers = at_once((0..6).map(|_| api.get("/registrationcode"))).await;
        assert_eq!(outcomes(&answers), ["ok"; 6]);
        assert!(answers.windows(2).all(|pair| pair[0].body == pair[1].body));
        let answers = at_once((0..3).map(|_| api.delete("/registrationcode"))).await;
        assert_eq!(outcomes(&answers), [NOT_FOUND, NOT_FOUND, "ok"]);
        assert_ne!(registration_code(api).await, answers[0].body["registrationCode"]);
    })
    .await;
}

async fn a_code_proves_or_is_deleted(api: Api) {
    let api = &api;
    rounds(|round| async move {
        let authority = Authority::new(&format!("authority {round}"));
        let registration = authority.registration(api, "").await;
        let answers = at_once([registration, api.delete("/registrationcode")]).await;
        assert_eq!(answers[1].status, 200, "{}", answers[1].body);
        let proven = [None, Some("RegistrationCodeValidationException")];
        assert!(proven.contains(&answers[0].error.as_deref()), "{}", answers[0].body);
        // The code is another now.
        let proof = authority.registration(api, "").await.quietly().send().await;
        let expected = if answers[0].status == 200 { Some(EXISTS) } else { None };
        assert_eq!(proof.error.as_deref(), expected, "{}", proof.body);
    })
    .await;
}

async fn an_authority_is_deleted_or_activated(api: Api) {
    let authority = Authority::new("authority");
    let (api, authority) = (&api, &authority);
    rounds(|_| async move {
        let made = authority.registration(api, "").await.quietly().ok().await;
        let path = format!("/cacertificate/{}", made["certificateId"].as_str().unwrap());
        let answers = at_once([api.delete(&path), api.put(format!("{path}?newStatus=ACTIVE"))]).await;
        match [answers[0].error.as_deref(), answers[1].error.as_deref()] {
            [None, Some(NOT_FOUND)] => {}
            [Some("CertificateStateException"), None] => {
                api.put(format!("{path}?newStatus=INACTIVE")).quietly().ok().await;
                api.delete(&path).quietly().ok().await;
            }
            other => panic!("{other:?}"),
        }
        api.get(&path).quietly().refused(404, NOT_FOUND).await;
    })
    .await;
}

async fn no_tag_outlives_its_authority(api: Api) {
    let authority = Authority::new("authority");
    let (api, authority) = (&api, &authority);
    rounds(|_| async move {
        let made = authority.registration(api, "").await.quietly().ok().await;
        let id = made["certificateId"].as_str().unwrap();
        let tags = json!({ "resourceArn": arn_of(api, id), "tags": [{ "Key": "a", "Value": "1" }] });
        let delete = api.delete(format!("/cacertificate/{id}"));
        let answers = at_once([api.post("/tags").json(tags.clone()), api.post("/tags").json(tags), delete]).await;
        assert_eq!(answers[2].status, 200, "{}", answers[2].body);
        for answer in &answers[..2] {
            assert!([None, Some(NOT_FOUND)].contains(&answer.error.as_deref()), "{}", answer.body);
        }
        let list = || api.get(format!("/tags?resourceArn={}", encoded(&arn_of(api, id)))).quietly();
        list().refused(404, NOT_FOUND).await;
        authority.registration(api, "").await.quietly().ok().await;
        assert_eq!(list().ok().await["tags"], json!([]));
        api.delete(format!("/cacertificate/{id}")).quietly().ok().await;
    })
    .await;
}

async fn a_certificate_is_registered_under_its_authority_once(api: Api) {
    let authority = Authority::new("authority");
    authority.registered(&api).await;
    let (api, authority) = (&api, &authority);
    rounds(|_| async move {
        let device = authority.signs("device");
        let mut asks: Vec<Ask> = (0..3).map(|_| register_leaf(api, &device)).collect();
        asks.push(api.post("/certificate/register-no-ca").json(json!({ "certificatePem": device })));
        let answers = at_once(asks).await;
        assert_eq!(outcomes(&answers), [EXISTS, EXISTS, EXISTS, "ok"]);
    })
    .await;
}

async fn one_of_two_accounts_gets_a_certificate_in_default_mode(api: Api) {
    // Two CA certificates of one key, each in an account of its own, vouch for the same devices.
    let authority = Authority::new("authority");
    let other = &api.of_account(TARGET).await;
    authority.registered(&api).await;
    authority.renewed("authority").registered(other).await;
    let third = &api.of_account("111111111111").await;
    register_unproven(third, &authority.pem).quietly().ok().await;
    let (api, authority) = (&api, &authority);
    rounds(|_| async move {
        let device = authority.signs("device");
        let answers = at_once([api, other, third].map(|tenant| register_leaf(tenant, &device))).await;
        // Who claims nothing is not in the way, nor hindered.
        assert_eq!(answers[2].status, 200, "{}", answers[2].body);
        assert_eq!(outcomes(&answers[..2]), ["InvalidRequestException", "ok"]);
        let refused = answers.iter().find(|answer| answer.status != 200).unwrap();
        assert_eq!(refused.message(), "This request is not valid");
    })
    .await;
}

async fn limited(api: &Api, statements: Value) -> Api {
    let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let wish = AccessKeyWish { account: ACCOUNT.parse().unwrap(), policy: Some(policy), expires_at: None };
    api.with_key(api.running().access_key(wish).await)
}

async fn authorities_have_one_arn_for_policies(api: Api) {
    let (mine, other) = (Authority::new("mine"), Authority::new("other"));
    let (mine, other) = (mine.registered(&api).await, other.registered(&api).await);
    let (arn, others_arn) = (arn_of(&api, &mine), arn_of(&api, &other));
    let keeper = limited(&api, json!([{ "Effect": "Allow", "Action": "iot:*", "Resource": arn }])).await;
    keeper.get(format!("/cacertificate/{mine}")).ok().await;
    keeper.put(format!("/cacertificate/{mine}?newStatus=INACTIVE")).ok().await;
    keeper.post("/tags").json(json!({ "resourceArn": arn, "tags": [{ "Key": "a", "Value": "1" }] })).ok().await;
    keeper.get(format!("/tags?resourceArn={}", encoded(&arn))).ok().await;
    keeper.post("/untag").json(json!({ "resourceArn": arn, "tagKeys": ["a"] })).ok().await;
    for (method, query) in [("GET", ""), ("PUT", "?newStatus=INACTIVE"), ("DELETE", "")] {
        keeper.ask(method, format!("/cacertificate/{other}{query}")).refused(403, DENIED).await;
        keeper.ask(method, format!("/cacertificate/{UNKNOWN_ID}{query}")).refused(403, DENIED).await;
        keeper.in_region(OTHER_REGION).ask(method, format!("/cacertificate/{mine}{query}")).refused(403, DENIED).await;
    }
    let tags = json!({ "resourceArn": others_arn, "tags": [] });
    keeper.post("/tags").json(tags).refused(403, DENIED).await;
    // Operations that name no CA need the asterisk.
    for (method, target) in [
        ("GET", "/registrationcode".to_owned()),
        ("DELETE", "/registrationcode".to_owned()),
        ("GET", "/cacertificates".to_owned()),
        ("GET", format!("/certificates-by-ca/{mine}")),
        ("GET", "/certificates-out-going".to_owned()),
    ] {
        keeper.ask(method, target).refused(403, DENIED).await;
    }
    let pem = Authority::new("new").pem;
    register_unproven(&keeper, &pem).refused(403, DENIED).await;
    register_leaf(&keeper, &pem).refused(403, DENIED).await;
    // What is forbidden is so however the id is written.
    let deny = json!([
        { "Effect": "Allow", "Action": "iot:*", "Resource": "*" },
        { "Effect": "Deny", "Action": "iot:*", "Resource": arn },
    ]);
    let hindered = limited(&api, deny).await;
    let capitals = mine.to_uppercase();
    for id in [&mine, &capitals] {
        for (method, query) in [("GET", ""), ("PUT", "?newStatus=ACTIVE"), ("DELETE", "")] {
            hindered.ask(method, format!("/cacertificate/{id}{query}")).quietly().refused(403, DENIED).await;
        }
        let tags = json!({ "resourceArn": arn_of(&api, id), "tags": [{ "Key": "b", "Value": "1" }] });
        let answer = hindered.post("/tags").json(tags).quietly().send().await;
        assert!([Some(DENIED), Some(NOT_FOUND)].contains(&answer.error.as_deref()), "{}", answer.body);
    }
    assert_eq!(api.get(format!("/tags?resourceArn={}", encoded(&arn))).ok().await["tags"], json!([]));
    keeper.delete(format!("/cacertificate/{mine}")).ok().await;
    api.snapshot("ca_certificates_permission");
}

async fn transfers_ask_about_the_certificate(api: Api) {
    api.of_account(TARGET).await;
    let certificate = crate::transfer_certificate::inactive(&api).await;
    let allow = json!([{ "Effect": "Allow", "Action": "iot:*CertificateTransfer", "Resource": certificate.arn }]);
    let ender = limited(&api, allow).await;
    crate::transfer_certificate::offer(&ender, &certificate).refused(403, DENIED).await;
    crate::transfer_certificate::offer(&api, &certificate).ok().await;
    for how in ["accept", "reject", "cancel"] {
        let path = format!("/{how}-certificate-transfer");
        ender.patch(format!("{path}/{UNKNOWN_ID}")).refused(403, DENIED).await;
    }
    ender.patch(format!("/accept-certificate-transfer/{}", certificate.id)).refused(404, NOT_FOUND).await;
    ender.patch(format!("/cancel-certificate-transfer/{}", certificate.id)).ok().await;
    api.snapshot("transfers_permission");
}

async fn authorities_carry_tags(api: Api) {
    let authority = Authority::new("authority");
    let id = authority.registered(&api).await;
    let arn = arn_of(&api, &id);
    let list = |arn: &str| api.get(format!("/tags?resourceArn={}", encoded(arn)));
    let tag = |arn: &str| {
        api.post("/tags").json(json!({ "resourceArn": arn, "tags": [{ "Key": "a", "Value": "1" }, { "Key": "b" }] }))
    };
    assert_eq!(list(&arn).ok().await, json!({ "tags": [] }));
    tag(&arn).ok().await;
    api.post("/untag").json(json!({ "resourceArn": arn, "tagKeys": ["b", "nope"] })).ok().await;
    let tags = json!([{ "Key": "a", "Value": "1" }]);
    assert_eq!(list(&arn).ok().await["tags"], tags);
    // Changing the CA does not touch them.
    api.put(format!("/cacertificate/{id}?newStatus=INACTIVE")).ok().await;
    assert_eq!(list(&arn).ok().await["tags"], tags);
    // Not another's, nor what is not there.
    let other = api.of_account(TARGET).await;
    let abroad = api.in_region(OTHER_REGION);
    for arn in [arn_of(&other, &id), arn_of(&abroad, &id), arn_of(&api, UNKNOWN_ID)] {
        list(&arn).refused(404, NOT_FOUND).await;
        tag(&arn).refused(404, NOT_FOUND).await;
        api.post("/untag").json(json!({ "resourceArn": arn, "tagKeys": ["a"] })).refused(404, NOT_FOUND).await;
    }
    other.get(format!("/tags?resourceArn={}", encoded(&arn))).refused(404, NOT_FOUND).await;
    api.snapshot("ca_certificates_tags");
}

/// The certificates of crate `pki`'s tests in a folder, by name.
fn certificates(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pki/tests/data").join(folder);
    let mut found: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pem"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    found.sort();
    found
}

fn line(told: &mut String, what: &str, answer: &Answer) {
    let outcome = match answer.error.as_deref() {
        None => "registered".to_owned(),
        Some(error) => format!("{} {error}: {}", answer.status, answer.message()),
    };
    writeln!(told, "{what}: {outcome}").unwrap();
}

/// Compares with the snapshot `name`.
fn snapshot(name: &str, told: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, told));
}

async fn authorities_and_certificates_of_every_make(api: Api) {
    let mut told = String::new();
    let found = certificates("authority");
    let (authorities, others): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(name, _)| name == "ca" || name.starts_with("ca-"));
    for (name, pem) in &authorities {
        // Each in an empty house, as it were: ten may have one subject.
        let answer = register_unproven(&api, pem).quietly().send().await;
        line(&mut told, name, &answer);
        if let Some(id) = answer.body["certificateId"].as_str() {
            api.get(format!("/cacertificate/{id}")).quietly().ok().await;
            api.put(format!("/cacertificate/{id}?newStatus=INACTIVE")).quietly().ok().await;
            api.delete(format!("/cacertificate/{id}")).quietly().ok().await;
        }
    }
    let (_, authority) = authorities.iter().find(|(name, _)| name == "ca").unwrap();
    register_unproven(&api, authority).quietly().ok().await;
    told.push('\n');
    for (name, pem) in &others {
        let answer = register_leaf(&api, pem).quietly().send().await;
        line(&mut told, name, &answer);
        if let Some(id) = answer.body["certificateId"].as_str() {
            api.get(format!("/certificates/{id}")).quietly().ok().await;
        }
    }
    snapshot("ca_certificates_of_every_make", &told);
}

/// Makes a text of a certificate and the authority that signed it.
type Make = fn(&Authority, &str) -> String;

async fn pem_texts_of_every_make(api: Api) {
    let authority = Authority::new("authority");
    authority.registered(&api).await;
    let mut told = String::new();
    let makes: [(&str, Make); 10] = [
        ("with CRLF", |_, pem| pem.replace('\n', "\r\n")),
        ("behind text", |_, pem| format!("subject=CN = device\n\n{pem}")),
        ("before its CA", |authority, pem| format!("{pem}{}", authority.pem)),
        ("behind its CA", |authority, pem| format!("{}{pem}", authority.pem)),
        ("labelled X509 CERTIFICATE", |_, pem| pem.replace("CERTIFICATE", "X509 CERTIFICATE")),
        ("labelled PRIVATE KEY", |_, pem| pem.replace("CERTIFICATE", "PRIVATE KEY")),
        ("without an end", |_, pem| pem.split("-----END").next().unwrap().to_owned()),
        ("cut", |_, pem| pem.lines().filter(|line| line.len() == 64).skip(1).collect()),
        ("a hundred times", |_, pem| pem.repeat(100)),
        ("before a megabyte", |_, pem| format!("{pem}{}", " ".repeat(1 << 20))),
    ];
    for (what, make) in makes {
        let answer = register_leaf(&api, &make(&authority, &authority.signs("device"))).quietly().send().await;
        line(&mut told, what, &answer);
    }
    snapshot("ca_certificates_pem_texts", &told);
}
