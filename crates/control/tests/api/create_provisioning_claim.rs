//! CreateProvisioningClaim.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatehouse_domain::policy::NameAttribute;
use gatehouse_pki::certificate::Certificate;
use gatehouse_store::ProvisioningClaimRecord;
use serde_json::{Value, json};

use crate::client::Api;
use crate::functions::scope;
use crate::harness::{OTHER_REGION, on_both_engines};

on_both_engines!(
    a_claim_is_a_key_pair_and_a_certificate_of_five_minutes,
    a_claim_is_no_registered_certificate,
    every_claim_is_another_one,
    what_nobody_can_claim_is_refused,
    claims_end_with_their_template,
    the_policy_speaks_of_the_template,
);

const PATH: &str = "/provisioning-templates/fleet/provisioning-claim";

async fn with_template(api: &Api) {
    api.template("fleet", "FLEET_PROVISIONING").await;
}

fn certificate(claim: &Value) -> Certificate {
    Certificate::from_pem(claim["certificatePem"].as_str().unwrap()).unwrap()
}

/// The claim as it is stored.
async fn stored(api: &Api, claim: &Value) -> Option<ProvisioningClaimRecord> {
    api.running().house.store.provisioning_claim(scope(), certificate(claim).id()).await.unwrap()
}

async fn a_claim_is_a_key_pair_and_a_certificate_of_five_minutes(api: Api) {
    with_template(&api).await;
    let claim = api.post(PATH).ok().await;
    let mut members: Vec<&String> = claim.as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(members, ["certificateId", "certificatePem", "expiration", "keyPair"]);
    let certificate = certificate(&claim);
    assert_eq!(claim["certificateId"], certificate.id().to_string());
    assert_eq!(claim["expiration"], 1_800_000_300);
    assert_eq!(certificate.not_after().as_millis(), 1_800_000_300_000);
    let names = certificate.names();
    let names: Vec<&str> = names.subject.values(NameAttribute::CommonName).collect();
    assert!(matches!(names[..], [name] if name.len() == 64 && name != certificate.id().to_string()), "{names:?}");

    let private: String =
        claim["keyPair"]["PrivateKey"].as_str().unwrap().lines().filter(|line| !line.starts_with('-')).collect();
    let pair = RsaKeyPair::from_der(&STANDARD.decode(private).unwrap()).unwrap();
    assert_eq!(pair.public_modulus_len(), 256);
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    assert_eq!(public.as_ref(), certificate.spki_der());
    let told: String =
        claim["keyPair"]["PublicKey"].as_str().unwrap().lines().filter(|line| !line.starts_with('-')).collect();
    assert_eq!(STANDARD.decode(told).unwrap(), certificate.spki_der());

    let expected = ProvisioningClaimRecord {
        scope: scope(),
        certificate_id: certificate.id(),
        template_name: "fleet".parse().unwrap(),
        not_before: certificate.not_before(),
        not_after: certificate.not_after(),
    };
    assert_eq!(stored(&api, &claim).await, Some(expected));
    api.snapshot("create_provisioning_claim");
}

async fn a_claim_is_no_registered_certificate(api: Api) {
    with_template(&api).await;
    let claim = api.post(PATH).quietly().ok().await;
    let id = claim["certificateId"].as_str().unwrap().to_owned();
    assert_eq!(api.get("/certificates").ok().await["certificates"], json!([]));
    api.get(format!("/certificates/{id}")).refused(404, "ResourceNotFoundException").await;
    let arn = api.arn(&format!("cert/{id}"));
    api.policy("p").await;
    api.put("/target-policies/p").json(json!({ "target": arn })).refused(404, "ResourceNotFoundException").await;
    api.thing("t").await;
    let principal = api.put("/things/t/principals").header("x-amzn-principal", &arn);
    principal.refused(404, "ResourceNotFoundException").await;
    api.put(format!("/certificates/{id}?newStatus=ACTIVE")).refused(404, "ResourceNotFoundException").await;
    api.delete(format!("/certificates/{id}")).refused(404, "ResourceNotFoundException").await;
    api.snapshot("create_provisioning_claim_no_certificate");
}

async fn every_claim_is_another_one(api: Api) {
    with_template(&api).await;
    let first = api.post(PATH).quietly().ok().await;
    api.clock().advance_ms(1_000);
    let second = api.post(PATH).quietly().ok().await;
    assert_ne!(first["keyPair"], second["keyPair"]);
    assert_ne!(first["certificateId"], second["certificateId"]);
    assert_eq!(second["expiration"], 1_800_000_301);
    // One does not end the other.
    assert!(stored(&api, &first).await.is_some() && stored(&api, &second).await.is_some());
    // A template that is not enabled can be claimed: whoever shows the claim hears why it does not serve.
    let described = api.get("/provisioning-templates/fleet").quietly().ok().await;
    assert_eq!(described["enabled"], false);
}

async fn what_nobody_can_claim_is_refused(api: Api) {
    api.post(PATH).refused(404, "ResourceNotFoundException").await;
    api.in_region(OTHER_REGION).template("fleet", "FLEET_PROVISIONING").await;
    api.post(PATH).refused(404, "ResourceNotFoundException").await;
    api.template("ca", "JITP").await;
    api.post("/provisioning-templates/ca/provisioning-claim").invalid().await;
    api.post("/provisioning-templates/a.b/provisioning-claim").invalid().await;
    with_template(&api).await;
    api.post(PATH).json(json!({ "nonsense": 1 })).invalid().await;
    api.post(format!("{PATH}?nonsense=1")).invalid().await;
    api.snapshot("create_provisioning_claim_refused");
}

async fn claims_end_with_their_template(api: Api) {
    with_template(&api).await;
    let claim = api.post(PATH).quietly().ok().await;
    api.template("other", "FLEET_PROVISIONING").await;
    api.delete("/provisioning-templates/other").quietly().ok().await;
    assert!(stored(&api, &claim).await.is_some());
    api.delete("/provisioning-templates/fleet").quietly().ok().await;
    assert_eq!(stored(&api, &claim).await, None);
    // One that is made again has none of the claims of before.
    with_template(&api).await;
    assert_eq!(stored(&api, &claim).await, None);
}

async fn the_policy_speaks_of_the_template(api: Api) {
    with_template(&api).await;
    let claims = |resource: String| {
        json!([{ "Effect": "Allow", "Action": "iot:CreateProvisioningClaim", "Resource": resource }])
    };
    let limited = api.limited(claims(api.arn("provisioningtemplate/fleet"))).await;
    limited.post(PATH).quietly().ok().await;
    let elsewhere = api.limited(claims(api.arn("provisioningtemplate/other"))).await;
    let refused = elsewhere.post(PATH).refused(403, "AccessDeniedException").await;
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains(&api.arn("provisioningtemplate/fleet")), "{message}");
}
