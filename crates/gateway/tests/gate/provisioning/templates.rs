//! Templates that do not serve, parameters that do not fit, and devices that come at once.

use gatehouse_domain::certificate::CertificateStatus;
use gatehouse_domain::provisioning_template::TemplateType;
use gatehouse_store::ProvisioningTemplateRecord;
use serde_json::json;

use super::{assert_nothing_is_left, story, thing, with_template};
use crate::harness::{Db, Gate, PROVISION, Setup, home, on_both_engines, registration, template};

on_both_engines!(
    devices_that_name_one_thing_at_once_share_it,
    of_devices_that_come_at_once_one_makes_a_thing_that_must_be_new,
    what_stands_against_a_template_leaves_nothing_behind,
);

#[tokio::test]
async fn a_template_must_be_there_enabled_and_for_fleets() {
    let (gate, mut newborn) = story().await;
    let fresh = newborn.fresh().await;
    gate.registrar.make_template(home(), "disabled", &template(&json!({}))).await;
    gate.registrar.change_template("disabled", |template| template.enabled = false).await;
    let of_a_ca = ProvisioningTemplateRecord {
        name: "jitp".parse().unwrap(),
        template_type: TemplateType::Jitp,
        generation_id: "2".to_owned(),
        ..gate.registrar.template(home(), "fleet").await
    };
    gate.registrar.make_template_as(&of_a_ca, &template(&json!({}))).await;
    for (name, code, status) in [
        ("disabled", "TemplateDisabled", 403),
        ("jitp", "TemplateDisabled", 403),
        ("unknown", "ResourceNotFound", 404),
        ("Fleet", "ResourceNotFound", 404),
        ("a.b", "ResourceNotFound", 404),
        ("fl eet", "ResourceNotFound", 404),
        (&"n".repeat(190), "ResourceNotFound", 404),
    ] {
        let topic = format!("$aws/provisioning-templates/{name}/provision/json");
        let refused = newborn.ask_service(&topic, &registration(&fresh.token, "lamp")).await.unwrap_err();
        assert_eq!((&refused["errorCode"], &refused["statusCode"]), (&json!(code), &json!(status)), "{name}");
    }
    assert_eq!(newborn.try_publish("$aws/provisioning-templates//provision/json", "{}").await, 0x90);
    assert_nothing_is_left(&gate, &fresh.device, "lamp").await;
    gate.registrar.change_template("disabled", |template| template.enabled = true).await;
    let topic = "$aws/provisioning-templates/disabled/provision/json";
    newborn.ask_service(topic, &registration(&fresh.token, "lamp")).await.unwrap();
    assert_eq!(gate.provisioned("RegisterThing", "ResourceNotFound"), 5);
    assert_eq!(gate.provisioned("RegisterThing", "TemplateDisabled"), 2);
}

#[tokio::test]
async fn parameters_must_be_what_the_template_wants() {
    let (gate, mut newborn) = story().await;
    let fresh = newborn.fresh().await;
    for parameters in
        [json!(null), json!({}), json!({ "serialnumber": "lamp" }), json!({ "AWS::IoT::Certificate::Id": "x" })]
    {
        let mut request = json!({ "certificateOwnershipToken": fresh.token });
        if !parameters.is_null() {
            request["parameters"] = parameters.clone();
        }
        let refused = newborn.ask_service(PROVISION, &request).await.unwrap_err();
        assert_eq!(refused["errorCode"], "InvalidParameters", "{refused}");
        assert_eq!(refused["errorMessage"], "Cannot resolve reference value: SerialNumber", "{parameters}");
    }
    assert_nothing_is_left(&gate, &fresh.device, "lamp").await;
    // What the template does not ask for does no harm, and does not name another certificate.
    let other = newborn.fresh().await;
    let request = json!({
        "certificateOwnershipToken": fresh.token,
        "parameters": { "SerialNumber": "lamp", "AWS::IoT::Certificate::Id": other.device.id.to_string(), "x": "" },
    });
    newborn.ask_service(PROVISION, &request).await.unwrap();
    let record = async |id| gate.house.store.certificate(home(), id).await.unwrap().unwrap();
    assert_eq!(record(fresh.device.id).await.status, CertificateStatus::Active);
    assert_eq!(record(other.device.id).await.status, CertificateStatus::PendingActivation);
}

const HOSTILE: [&str; 14] = [
    "*",
    "?",
    "#",
    "+",
    "${iot:ClientId}",
    "${*}",
    "$",
    "\"]},{\"Effect\":\"Allow\",\"Action\":\"iot:*\",\"Resource\":[\"*",
    "a\\",
    "a\nb",
    "a\u{0}b",
    "",
    " ",
    "{\"Ref\":\"SerialNumber\"}",
];

#[tokio::test]
async fn no_parameter_widens_a_policy() {
    let resource = json!({ "Fn::Sub": "arn:aws:iot:us-east-1:000000000000:topic/sites/${Site}/data" });
    let statement = |action: &str, resource| json!({ "Effect": "Allow", "Action": action, "Resource": resource });
    let document = json!({ "Version": "2012-10-17", "Statement": [
        statement("iot:Connect", json!("*")),
        statement("iot:Publish", resource),
    ] });
    let gate = with_template(&json!({
        "Parameters": { "Site": { "Type": "String" } },
        "Resources": { "policy": { "Properties": { "PolicyDocument": document } } },
    }))
    .await;
    let mut newborn = gate.client("newborn").await;
    let fresh = newborn.fresh().await;
    let long = "s".repeat(64 * 1024);
    let request = |site: &str| json!({ "certificateOwnershipToken": fresh.token, "parameters": { "SerialNumber": "lamp", "Site": site } });
    for site in HOSTILE.into_iter().filter(|site| *site != " ").chain([long.as_str()]) {
        let refused = newborn.ask_service(PROVISION, &request(site)).await.unwrap_err();
        assert_eq!(refused["errorCode"], "InvalidParameters", "{refused}");
        // What was given is not given back at length.
        assert!(refused.to_string().len() < 1_000, "{refused}");
    }
    assert_nothing_is_left(&gate, &fresh.device, "lamp").await;
    newborn.ask_service(PROVISION, &request("north")).await.unwrap();
    let mut lamp = gate.connect(&fresh.device, "lamp").await;
    assert_eq!(lamp.try_publish("sites/north/data", "").await, 0);
    assert_eq!(lamp.try_publish("sites/south/data", "").await, 0x87);
}

#[tokio::test]
async fn no_parameter_becomes_the_name_of_what_is_no_thing() {
    let (gate, mut newborn) = story().await;
    let fresh = newborn.fresh().await;
    for serial in HOSTILE.into_iter().chain(["a/b", "\u{e9}", &"n".repeat(129), &"n".repeat(64 * 1024)]) {
        assert_eq!(newborn.not_registered(&fresh.token, serial).await, "InvalidParameters", "{serial}");
    }
    assert_nothing_is_left(&gate, &fresh.device, "lamp").await;
}

async fn what_stands_against_a_template_leaves_nothing_behind(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    for (number, (more, code)) in [
        (json!({ "thing": { "Properties": { "ThingTypeName": "missing" } } }), "ResourceRegistrationFailure"),
        (json!({ "thing": { "Properties": { "ThingGroups": ["missing"] } } }), "ResourceRegistrationFailure"),
        (json!({ "thing": { "Properties": { "BillingGroup": "missing" } } }), "ResourceRegistrationFailure"),
        (
            json!({ "another": { "Type": "AWS::IoT::Policy", "Properties": { "PolicyName": "missing" } } }),
            "ResourceRegistrationFailure",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("fleet-{number}");
        gate.registrar.make_template(home(), &name, &template(&json!({ "Resources": more }))).await;
        let mut newborn = gate.client("newborn").await;
        let fresh = newborn.fresh().await;
        let topic = format!("$aws/provisioning-templates/{name}/provision/json");
        assert_eq!(newborn.rejected(&topic, &registration(&fresh.token, "lamp")).await, code, "{more}");
        assert_nothing_is_left(&gate, &fresh.device, "lamp").await;
    }

    // Revoked between its making and its registration, a certificate does not come to life.
    gate.registrar.make_template(home(), "fleet", &template(&json!({}))).await;
    let mut newborn = gate.client("newborn").await;
    for status in [CertificateStatus::Revoked, CertificateStatus::Inactive] {
        let fresh = newborn.fresh().await;
        gate.registrar.set_status(home(), fresh.device.id, status).await;
        assert_eq!(newborn.not_registered(&fresh.token, "lamp").await, "ResourceRegistrationFailure");
        let record = gate.house.store.certificate(home(), fresh.device.id).await.unwrap().unwrap();
        assert_eq!((record.status, record.policy_count, record.thing_count), (status, 0, 0));
        assert_eq!(gate.house.store.thing(home(), &thing("lamp")).await.unwrap(), None);
    }
}

async fn devices_that_name_one_thing_at_once_share_it(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    gate.registrar.make_template(home(), "fleet", &template(&json!({}))).await;
    let mut one = gate.client("one").await;
    let mut two = gate.client("two").await;
    for round in 0..5 {
        let (first, second) = tokio::join!(one.fresh(), two.fresh());
        let serial = format!("lamp-{round}");
        let outcomes = tokio::join!(one.register(&first.token, &serial), two.register(&second.token, &serial));
        assert!(outcomes.0.is_ok() && outcomes.1.is_ok(), "{outcomes:?}");
        let record = gate.house.store.thing(home(), &thing(&serial)).await.unwrap().unwrap();
        assert_eq!(record.principal_count, 2);
        for device in [&first.device, &second.device] {
            gate.connect(device, &serial).await.publish(&format!("{serial}/data"), "").await;
        }
    }
}

async fn of_devices_that_come_at_once_one_makes_a_thing_that_must_be_new(db: Db) {
    let gate = Gate::on(db, Setup::default()).await;
    let must_be_new = json!({ "Properties": { "AttributePayload": { "a": "1" } },
        "OverrideSettings": { "AttributePayload": "FAIL" } });
    let body = template(&json!({ "Resources": { "thing": must_be_new } }));
    gate.registrar.make_template(home(), "fleet", &body).await;
    let mut one = gate.client("one").await;
    let mut two = gate.client("two").await;
    for round in 0..5 {
        let (first, second) = tokio::join!(one.fresh(), two.fresh());
        let serial = format!("lamp-{round}");
        let (refused, loser) =
            match tokio::join!(one.register(&first.token, &serial), two.register(&second.token, &serial)) {
                (Ok(_), Err(refused)) => (refused, &second),
                (Err(refused), Ok(_)) => (refused, &first),
                other => panic!("{other:?}"),
            };
        assert_eq!((&refused["errorCode"], &refused["statusCode"]), (&json!("ResourceConflict"), &json!(409)));
        let record = gate.house.store.certificate(home(), loser.device.id).await.unwrap().unwrap();
        assert_eq!(record.status, CertificateStatus::PendingActivation);
        let record = gate.house.store.thing(home(), &thing(&serial)).await.unwrap().unwrap();
        assert_eq!(record.principal_count, 1);
        // Under another name it is welcome.
        let (client, other) = if std::ptr::eq(loser, &raw const first) { (&mut one, "x") } else { (&mut two, "y") };
        client.register(&loser.token, &format!("{serial}-{other}")).await.unwrap();
    }
}
