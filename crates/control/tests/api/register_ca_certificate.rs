//! RegisterCACertificate.

use gatehouse_control::access_key::AccessKeyWish;
use gatehouse_pki::certificate::Certificate;
use serde_json::{Value, json};

use crate::authority::{Authority, register, registration_code, self_signed};
use crate::client::{Api, Ask, encoded};
use crate::harness::{ACCOUNT, OTHER_REGION, on_both_engines};
use crate::samples::{CSR, ROLE, TEMPLATE};

on_both_engines!(
    an_authority_is_registered_with_a_proof,
    without_a_proof_it_claims_nothing,
    proofs_that_do_not_hold_are_refused,
    what_is_no_authority_is_refused,
    one_account_has_it_in_default_mode,
    ten_authorities_may_share_a_subject,
    configuration_and_tags_come_with_it,
    it_provisions_by_a_template_of_its_own_or_a_named_one,
    whoever_may_not_pass_the_role_provisions_nothing,
);

async fn an_authority_is_registered_with_a_proof(api: Api) {
    let authority = Authority::new("authority");
    let registered = authority.registration(&api, "?setAsActive=true&allowAutoRegistration=true").await.ok().await;
    let id = Certificate::from_pem(&authority.pem).unwrap().id().to_string();
    assert_eq!(registered, json!({ "certificateId": id, "certificateArn": api.arn(&format!("cacert/{id}")) }));
    let described = api.get(format!("/cacertificate/{id}")).ok().await["certificateDescription"].clone();
    assert_eq!((&described["status"], &described["autoRegistrationStatus"]), (&json!("ACTIVE"), &json!("ENABLE")));
    assert_eq!(described["certificateMode"], "DEFAULT");
    let again = authority.registration(&api, "").await.refused(409, "ResourceAlreadyExistsException").await;
    assert_eq!(
        (&again["resourceId"], &again["resourceArn"]),
        (&registered["certificateId"], &registered["certificateArn"])
    );
    api.snapshot("register_ca_certificate");
}

async fn without_a_proof_it_claims_nothing(api: Api) {
    let authority = Authority::new("authority");
    let body = json!({ "caCertificate": authority.pem, "certificateMode": "SNI_ONLY" });
    let registered = register(&api, "", body.clone()).ok().await;
    let path = format!("/cacertificate/{}", registered["certificateId"].as_str().unwrap());
    let described = api.get(&path).quietly().ok().await["certificateDescription"].clone();
    assert_eq!((&described["status"], &described["autoRegistrationStatus"]), (&json!("INACTIVE"), &json!("DISABLE")));
    assert_eq!(described["certificateMode"], "SNI_ONLY");
    // Anybody may do so, and nobody is shut out.
    let other = api.of_account("210987654321").await;
    register(&other, "", body).ok().await;
    authority.registered(&api.of_account("111111111111").await).await;

    let unproven = Authority::new("unproven");
    register(&api, "", json!({ "caCertificate": unproven.pem })).invalid().await;
    register(&api, "", json!({ "caCertificate": unproven.pem, "verificationCertificate": " " })).invalid().await;
    let verification = unproven.signs(&registration_code(&api).await);
    let body = json!({
        "caCertificate": unproven.pem,
        "certificateMode": "SNI_ONLY",
        "verificationCertificate": verification,
    });
    register(&api, "", body).invalid().await;
    register(&api, "", json!({ "caCertificate": unproven.pem, "certificateMode": "BOTH" })).invalid().await;
    api.snapshot("register_ca_certificate_sni_only");
}

async fn proofs_that_do_not_hold_are_refused(api: Api) {
    let (authority, stranger) = (Authority::new("authority"), Authority::new("authority"));
    let code = registration_code(&api).await;
    let others = registration_code(&api.of_account("210987654321").await).await;
    let with = |verification: &str| {
        register(&api, "", json!({ "caCertificate": authority.pem, "verificationCertificate": verification })).quietly()
    };
    let (wrong, code_wrong) = ("CertificateValidationException", "RegistrationCodeValidationException");
    with(&stranger.signs(&code)).refused(400, wrong).await;
    with(&self_signed(&code)).refused(400, wrong).await;
    with("x").refused(400, wrong).await;
    with(CSR).refused(400, wrong).await;
    with(&authority.pem).refused(400, code_wrong).await;
    for name in ["", "x", &others, &code.to_uppercase(), &format!("{code} "), &code[1..]] {
        with(&authority.signs(name)).refused(400, code_wrong).await;
    }
    assert_eq!(api.get("/cacertificates").quietly().ok().await["certificates"], json!([]));
    with(&authority.signs(&code)).ok().await;
}

async fn what_is_no_authority_is_refused(api: Api) {
    let register = |pem: &str| register(&api, "", json!({ "caCertificate": pem, "certificateMode": "SNI_ONLY" }));
    let refused = register(&self_signed("device")).refused(400, "CertificateValidationException").await;
    assert_eq!(
        refused["message"],
        "CA certificate is not valid. The CA certificate does not have the basicConstraints extension as true"
    );
    register("x").refused(400, "CertificateValidationException").await;
    register(CSR).refused(400, "CertificateValidationException").await;
    register("").invalid().await;
    api.snapshot("register_ca_certificate_refused");
}

async fn one_account_has_it_in_default_mode(api: Api) {
    let authority = Authority::new("authority");
    authority.registered(&api).await;
    let other = api.of_account("210987654321").await;
    let refused = authority.registration(&other, "").await.quietly().invalid().await;
    assert_eq!(refused, "Cannot accept this CACertificate");
    // Another Region is another matter.
    authority.registered(&other.in_region(OTHER_REGION)).await;
}

async fn ten_authorities_may_share_a_subject(api: Api) {
    let register =
        |pem: &str| register(&api, "", json!({ "caCertificate": pem, "certificateMode": "SNI_ONLY" })).quietly();
    for _ in 0..10 {
        register(&Authority::new("same").pem).ok().await;
    }
    let refused = register(&Authority::new("same").pem).refused(410, "LimitExceededException").await;
    assert_eq!(refused["message"], "Limit reached for number of CA Certificates with same subject");
    register(&Authority::new("another").pem).ok().await;
}

async fn configuration_and_tags_come_with_it(api: Api) {
    let authority = Authority::new("authority");
    let with = |more: Value| {
        let mut body = json!({ "caCertificate": authority.pem, "certificateMode": "SNI_ONLY" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        register(&api, "", body)
    };
    with(json!({ "tags": [{ "Key": "aws:a", "Value": "1" }] })).invalid().await;
    let config = json!({ "templateBody": TEMPLATE, "roleArn": ROLE });
    let tags = json!([{ "Key": "a", "Value": "1" }]);
    let registered = with(json!({ "registrationConfig": config, "tags": tags })).ok().await;
    let path = format!("/cacertificate/{}", registered["certificateId"].as_str().unwrap());
    assert_eq!(api.get(&path).quietly().ok().await["registrationConfig"], config);
    let arn = registered["certificateArn"].as_str().unwrap();
    let list = || api.get(format!("/tags?resourceArn={}", encoded(arn)));
    assert_eq!(list().ok().await["tags"], tags);
    let more = json!({ "resourceArn": arn, "tags": [{ "Key": "b", "Value": "2" }] });
    api.post("/tags").json(more).ok().await;
    api.post("/untag").json(json!({ "resourceArn": arn, "tagKeys": ["a"] })).ok().await;
    assert_eq!(list().ok().await["tags"], json!([{ "Key": "b", "Value": "2" }]));
    // The id has one spelling here: a policy that denies the ARN is not got around by capitals.
    let (before, id) = arn.split_once("cacert/").unwrap();
    let loud = encoded(&format!("{before}cacert/{}", id.to_uppercase()));
    api.get(format!("/tags?resourceArn={loud}")).quietly().refused(404, "ResourceNotFoundException").await;
    // They go with it.
    api.delete(&path).ok().await;
    list().refused(404, "ResourceNotFoundException").await;
    with(json!({})).ok().await;
    assert_eq!(list().ok().await["tags"], json!([]));
    api.snapshot("register_ca_certificate_more");
}

fn provisioning(api: &Api, authority: &Authority, config: &Value) -> Ask {
    let body = json!({
        "caCertificate": authority.pem,
        "certificateMode": "SNI_ONLY",
        "registrationConfig": config,
    });
    register(api, "", body)
}

async fn it_provisions_by_a_template_of_its_own_or_a_named_one(api: Api) {
    let authority = Authority::new("authority");
    api.template("jitp", "JITP").await;
    api.template("fleet", "FLEET_PROVISIONING").await;
    api.in_region(OTHER_REGION).template("elsewhere", "JITP").await;
    for unknown in ["nope", "elsewhere", "JITP"] {
        let ask = provisioning(&api, &authority, &json!({ "templateName": unknown }));
        ask.refused(404, "ResourceNotFoundException").await;
    }
    let told = r#"{"DeviceConfiguration":{"a":"b"},"Resources":{"#;
    for config in [
        json!({ "templateName": "fleet" }),
        json!({ "templateName": "a.b" }),
        json!({ "templateName": "jitp", "roleArn": ROLE }),
        json!({ "templateName": "jitp", "templateBody": TEMPLATE, "roleArn": ROLE }),
        json!({ "templateBody": TEMPLATE }),
        json!({ "roleArn": ROLE }),
        json!({ "templateBody": TEMPLATE, "roleArn": "arn:aws:iam::210987654321:role/r" }),
        json!({ "templateBody": TEMPLATE, "roleArn": "arn:aws:iam::123456789012:user/u" }),
        json!({ "templateBody": "[]", "roleArn": ROLE }),
        json!({ "templateBody": "{}", "roleArn": ROLE }),
        json!({ "templateBody": TEMPLATE.replace("CertificateId", "CertificatePem"), "roleArn": ROLE }),
        json!({ "templateBody": TEMPLATE.replace("{\"Resources\":{", told), "roleArn": ROLE }),
    ] {
        provisioning(&api, &authority, &config).invalid().await;
    }
    assert_eq!(api.get("/cacertificates").quietly().ok().await["certificates"], json!([]));

    let config = json!({ "templateName": "jitp" });
    let registered = provisioning(&api, &authority, &config).ok().await;
    let path = format!("/cacertificate/{}", registered["certificateId"].as_str().unwrap());
    assert_eq!(api.get(&path).quietly().ok().await["registrationConfig"], config);
    let named = api.get("/cacertificates?templateName=jitp").quietly().ok().await;
    assert_eq!(named["certificates"][0]["certificateId"], registered["certificateId"]);
    // While it is named, the template stays.
    api.delete("/provisioning-templates/jitp").refused(409, "DeleteConflictException").await;
    api.delete(&path).quietly().ok().await;
    api.delete("/provisioning-templates/jitp").ok().await;
    provisioning(&api, &authority, &json!({})).ok().await;
    api.snapshot("register_ca_certificate_provisioning");
}

async fn whoever_may_not_pass_the_role_provisions_nothing(api: Api) {
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "iot:*", "Resource": "*" },
        { "Effect": "Allow", "Action": "iam:PassRole", "Resource": ROLE },
    ] });
    let wish = AccessKeyWish { account: ACCOUNT.parse().unwrap(), policy: Some(policy.to_string()), expires_at: None };
    let limited = api.with_key(api.running().access_key(wish).await);
    let authority = Authority::new("authority");
    let config = |role: &str| json!({ "templateBody": TEMPLATE, "roleArn": role });
    let admin = config("arn:aws:iam::123456789012:role/admin");
    let refused = provisioning(&limited, &authority, &admin).refused(403, "AccessDeniedException").await;
    assert!(refused["message"].as_str().unwrap().contains("iam:PassRole on resource: arn:aws:iam::123456789012:role/admin"));
    let registered = provisioning(&limited, &authority, &config(ROLE)).ok().await;
    let path = format!("/cacertificate/{}", registered["certificateId"].as_str().unwrap());
    let update = limited.put(&path).json(json!({ "registrationConfig": admin }));
    update.refused(403, "AccessDeniedException").await;
    assert_eq!(api.get(&path).quietly().ok().await["registrationConfig"], config(ROLE));
}
