//! TransferCertificate.

use serde_json::json;

use crate::client::{Api, Ask, Certificate};
use crate::harness::{ACCOUNT, on_both_engines};
use crate::samples::UNKNOWN_ID;

on_both_engines!(
    a_certificate_is_offered_to_another_account,
    what_is_in_use_is_not_offered,
    an_offered_certificate_stands_still
);

pub(crate) const TARGET: &str = "210987654321";

/// Offers a certificate to [`TARGET`].
pub(crate) fn offer(api: &Api, certificate: &Certificate) -> Ask {
    api.patch(format!("/transfer-certificate/{}?targetAwsAccount={TARGET}", certificate.id))
}

/// A certificate that may be offered.
pub(crate) async fn inactive(api: &Api) -> Certificate {
    let certificate = api.certificate().await;
    api.put(format!("/certificates/{}?newStatus=INACTIVE", certificate.id)).quietly().ok().await;
    certificate
}

async fn a_certificate_is_offered_to_another_account(api: Api) {
    let target = api.of_account(TARGET).await;
    let certificate = inactive(&api).await;
    api.clock().advance_ms(1_500);
    let offered = offer(&api, &certificate).json(json!({ "transferMessage": "for you" })).ok().await;
    assert_eq!(offered, json!({ "transferredCertificateArn": target.arn(&format!("cert/{}", certificate.id)) }));
    let described = api.get(format!("/certificates/{}", certificate.id)).ok().await["certificateDescription"].clone();
    assert_eq!(described["status"], "PENDING_TRANSFER");
    let transfer = json!({ "transferDate": 1_800_000_001.5, "transferMessage": "for you" });
    assert_eq!(described["transferData"], transfer);
    // The target finds it in its list.
    let listed = target.get("/certificates").ok().await;
    assert_eq!(listed["certificates"][0]["certificateId"], certificate.id);
    assert_eq!(listed["certificates"][0]["status"], "PENDING_TRANSFER");
    api.snapshot("transfer_certificate");
}

async fn what_is_in_use_is_not_offered(api: Api) {
    let offer_to = |id: &str, target: &str| api.patch(format!("/transfer-certificate/{id}?targetAwsAccount={target}"));
    api.of_account(TARGET).await;
    offer_to(UNKNOWN_ID, TARGET).refused(404, "ResourceNotFoundException").await;
    let certificate = api.certificate().await;
    offer(&api, &certificate).refused(406, "CertificateStateException").await;
    api.put(format!("/certificates/{}?newStatus=INACTIVE", certificate.id)).quietly().ok().await;
    offer_to(&certificate.id, ACCOUNT).invalid().await;
    offer_to(&certificate.id, "999999999999").invalid().await;
    offer_to(&certificate.id, "12345").invalid().await;
    api.patch(format!("/transfer-certificate/{}", certificate.id)).invalid().await;
    offer(&api, &certificate).json(json!({ "transferMessage": "m".repeat(129) })).invalid().await;
    api.policy("p").await;
    api.thing("t").await;
    api.attach("p", &certificate).await;
    offer(&api, &certificate).refused(409, "TransferConflictException").await;
    api.post("/target-policies/p").json(json!({ "target": certificate.arn })).quietly().ok().await;
    api.attach_to_thing("t", &certificate, false).await;
    offer(&api, &certificate).refused(409, "TransferConflictException").await;
    api.delete("/things/t/principals").header("x-amzn-principal", &certificate.arn).quietly().ok().await;
    offer(&api, &certificate).ok().await;
    offer(&api, &certificate).refused(406, "CertificateStateException").await;
    let revoked = api.certificate().await;
    api.put(format!("/certificates/{}?newStatus=REVOKED", revoked.id)).quietly().ok().await;
    offer(&api, &revoked).refused(406, "CertificateStateException").await;
    api.snapshot("transfer_certificate_refused");
}

async fn an_offered_certificate_stands_still(api: Api) {
    let target = api.of_account(TARGET).await;
    let certificate = inactive(&api).await;
    offer(&api, &certificate).ok().await;
    let path = format!("/certificates/{}", certificate.id);
    for status in ["ACTIVE", "INACTIVE", "REVOKED"] {
        api.put(format!("{path}?newStatus={status}")).refused(406, "CertificateStateException").await;
        let answer = target.put(format!("{path}?newStatus={status}")).quietly().send().await;
        assert!([404, 406].contains(&answer.status), "{}", answer.body);
    }
    api.delete(&path).refused(406, "CertificateStateException").await;
    api.delete(format!("{path}?forceDelete=true")).refused(406, "CertificateStateException").await;
    let answer = target.delete(&path).quietly().send().await;
    assert!([404, 406].contains(&answer.status), "{}", answer.body);
    api.snapshot("transfer_certificate_pending");
}
