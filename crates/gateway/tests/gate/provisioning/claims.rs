//! Claims of trusted users: certificates of five minutes that may provision by one template, and do nothing else.

use std::time::Duration;

use gatehouse_domain::endpoint::EndpointType;
use gatehouse_gateway::SniPolicy;
use gatehouse_mqtt::packet::{Connect, Will};
use gatehouse_mqtt::{Delivery, MessageProperties, Packet, Qos, Version};
use serde_json::json;

use super::with_template;
use crate::harness::{
    CREATE, Call, Db, Gate, HeldTime, PROVISION, Setup, home, host, host_of_type, id, on_both_engines, other, publish,
    registration, template, text,
};

on_both_engines!(a_claim_provisions_by_its_template, claims_end_with_their_template);

async fn a_claim_provisions_by_its_template(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    for name in ["fleet", "other"] {
        gate.registrar.make_template(home(), name, &template(&json!({}))).await;
    }
    let claim = gate.claim("fleet").await;
    let mut newborn = gate.connect(&claim, "newborn").await;
    newborn.subscribe("$aws/certificates/create-from-csr/json/accepted").await;
    newborn.subscribe("$aws/provisioning-templates/fleet/provision/json/+").await;
    let fresh = newborn.fresh().await;
    let by_another = "$aws/provisioning-templates/other/provision/json";
    assert_eq!(newborn.try_publish(by_another, &registration(&fresh.token, "lamp").to_string()).await, 0x87);
    newborn.register(&fresh.token, "lamp").await.unwrap();
    gate.connect(&fresh.device, "lamp").await.publish("lamp/data", "").await;
    // A second device, and one after another.
    let mut second = gate.connect(&claim, "second").await;
    for number in 0..3 {
        let fresh = second.fresh().await;
        second.register(&fresh.token, &format!("lamp-{number}")).await.unwrap();
    }
}

#[tokio::test]
async fn a_claim_does_nothing_else() {
    let gate = with_template(&json!({})).await;
    let claim = gate.claim("fleet").await;
    let mut listener = gate.client("listener").await;
    listener.subscribe("#").await;
    let mut newborn = gate.connect(&claim, "newborn").await;
    for topic in ["a", "lamp/data", "$aws/events/presence/connected/x", "$aws/things/lamp/shadow/update"] {
        assert_eq!(newborn.try_publish(topic, "").await, 0x87, "{topic}");
    }
    for filter in
        ["#", "+/+", "$aws/#", "$aws/certificates/#", "a", "$aws/provisioning-templates/+/provision/json/accepted"]
    {
        assert_eq!(newborn.try_subscribe(&[filter]).await, [0x87], "{filter}");
    }
    let Packet::Publish(mut retained) = publish(Delivery::AtLeastOnce(id(900)), CREATE, "") else { panic!() };
    retained.retain = true;
    newborn.send(&Packet::Publish(retained)).await;
    match newborn.receive().await {
        Some(Packet::PubAck(ack)) => assert_eq!(ack.reason.value(), 0x87),
        other => panic!("{other:?}"),
    }
    listener.hears_nothing().await;
    for topic in ["a", CREATE, PROVISION] {
        let will = Will {
            topic: text(topic),
            payload: "".into(),
            qos: Qos::AtMostOnce,
            retain: false,
            delay_interval: None,
            properties: MessageProperties::NONE,
        };
        let connect = Connect { will: Some(will), ..Connect::new(Version::V5, text("mortal")) };
        let refused = gate.call(&claim).connect_with(connect).await.explained();
        assert_eq!(refused.0, if topic == "a" { 0x87 } else { 0x90 }, "{refused:?}");
    }
    // Over HTTPS it may do what its policy says, which is nothing there.
    let mut https = gate.https_call(&claim).tls().await.unwrap();
    for topic in ["a", "$aws/certificates/create/json"] {
        let response = https.ask("POST", &format!("/topics/{topic}"), "", "{}").await.unwrap();
        assert!([400, 403].contains(&response.status), "{response:?}");
    }
    let mut credentials =
        Call { host: Some(host_of_type(home(), EndpointType::CredentialProvider)), ..gate.https_call(&claim) }
            .tls()
            .await
            .unwrap();
    let response = credentials.ask("GET", "/role-aliases/alias/credentials", "", "").await.unwrap();
    assert_eq!(response.status, 403, "{response:?}");
    assert_eq!(gate.provisioned("CreateKeysAndCertificate", "Accepted"), 0);
}

#[tokio::test]
async fn a_claim_opens_the_endpoint_of_its_account_alone_and_by_its_name() {
    // A registered certificate would pass under any name, and under none.
    let gate = Gate::with(Setup { sni: SniPolicy::Optional, ..Setup::default() }).await;
    gate.registrar.make_template(home(), "fleet", &template(&json!({}))).await;
    let (claim, device) = (gate.claim("fleet").await, gate.device().await);
    let elsewhere = |call: Call| [call.clone().at("elsewhere.test"), call.without_sni()];
    for call in elsewhere(gate.call(&device)) {
        call.connect("dev").await.accepted();
    }
    for call in elsewhere(gate.call(&claim)).into_iter().chain([gate.call(&claim).at(host(other()))]) {
        assert_eq!(call.connect("newborn").await.explained().0, 0x87);
    }
    gate.call(&claim).mqtt311().connect("newborn").await.accepted();
}

#[tokio::test]
async fn a_claim_is_over_after_five_minutes() {
    let time = HeldTime::hold().await;
    let gate = with_template(&json!({})).await;
    let claim = gate.claim("fleet").await;
    let mut newborn = gate.connect(&claim, "newborn").await;
    let fresh = newborn.fresh().await;
    gate.clock.advance_ms(299_000);
    time.pass(Duration::from_secs(299)).await;
    newborn.hears_nothing().await;
    gate.clock.advance_ms(2_000);
    time.until(20, || gate.connections() == 0).await;
    assert_eq!(newborn.until_closed().await, Some((0x87, "the certificate has expired".to_owned())));
    gate.until(|gate| gate.cuts("expired") == 1).await;
    let refused = gate.call(&claim).connect("newborn").await.explained();
    assert_eq!(refused, (0x87, "the certificate has expired".to_owned()));
    // With it goes what it asked for: nobody else's token is good.
    let mut next = gate.connect(&gate.claim("fleet").await, "newborn").await;
    assert_eq!(next.not_registered(&fresh.token, "lamp").await, "InvalidCertificateOwnershipToken");
}

async fn claims_end_with_their_template(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    for name in ["fleet", "other"] {
        gate.registrar.make_template(home(), name, &template(&json!({}))).await;
    }
    let (claim, another) = (gate.claim("fleet").await, gate.claim("other").await);
    let mut newborn = gate.connect(&claim, "newborn").await;
    let mut bystander = gate.connect(&another, "bystander").await;
    // A change of the template changes nothing for them.
    gate.registrar.change_template("fleet", |template| template.description = Some("d".to_owned())).await;
    newborn.fresh().await;
    gate.registrar.delete_template("fleet").await;
    newborn.send(&publish(Delivery::AtLeastOnce(id(900)), CREATE, "")).await;
    let said = newborn.until_closed().await;
    assert_eq!(said, Some((0x87, "the certificate was deleted from the registry".to_owned())));
    assert_eq!(gate.provisioned("CreateKeysAndCertificate", "Accepted"), 0);
    assert_eq!(gate.call(&claim).connect("newborn").await.explained().0, 0x87);
    bystander.fresh().await;
    // A template of the same name has none of them.
    gate.registrar.make_template(home(), "fleet", &template(&json!({}))).await;
    assert_eq!(gate.call(&claim).connect("newborn").await.explained().0, 0x87);
}
