//! Calls at the same time: whoever wins, the rules hold and the counts are right.

use std::future::Future;

use serde_json::json;

use crate::authority::{Authority, register};
use crate::client::{Answer, Api, Ask};
use crate::harness::on_both_engines;
use crate::samples::{ALLOW_ALL, CERTIFICATE, TEMPLATE};

on_both_engines!(
    the_tenth_place_is_taken_once,
    the_fifth_version_is_made_once,
    the_fifth_version_of_a_template_is_made_once,
    a_template_is_deleted_or_named_by_an_authority,
    the_default_version_of_a_template_is_never_gone,
    a_policy_is_deleted_or_attached,
    a_certificate_is_deleted_or_attached,
    a_thing_is_deleted_or_attached,
    an_exclusive_certificate_ends_on_one_thing,
    many_updates_of_one_certificate_all_succeed,
    a_name_is_taken_once,
    a_certificate_is_registered_once,
    attaching_the_same_at_once_attaches_it_once,
    tags_set_at_once_are_all_there,
    one_endpoint_is_made,
    updates_of_a_thing_are_not_lost,
    a_thing_type_is_deleted_or_comes_into_use_again,
    a_billing_group_is_joined_or_deleted,
);

/// How often a race of two is run.
pub(crate) const ROUNDS: usize = 6;

/// Sends all of `asks` at once and answers in their order.
pub(crate) async fn at_once(asks: impl IntoIterator<Item = Ask>) -> Vec<Answer> {
    let running: Vec<_> = asks.into_iter().map(|ask| tokio::spawn(ask.quietly().send())).collect();
    let mut answers = Vec::new();
    for answer in running {
        answers.push(answer.await.unwrap());
    }
    answers
}

/// The names of what was answered, sorted.
pub(crate) fn outcomes(answers: &[Answer]) -> Vec<&str> {
    let mut outcomes: Vec<&str> = answers.iter().map(|answer| answer.error.as_deref().unwrap_or("ok")).collect();
    outcomes.sort_unstable();
    outcomes
}

pub(crate) async fn rounds<F: Future<Output = ()>>(race: impl Fn(usize) -> F) {
    for round in 0..ROUNDS {
        race(round).await;
    }
}

async fn the_tenth_place_is_taken_once(api: Api) {
    for number in 0..13 {
        api.policy(&format!("p{number}")).await;
    }
    let api = &api;
    rounds(|_| async move {
        let certificate = api.certificate().await;
        for number in 0..9 {
            api.attach(&format!("p{number}"), &certificate).await;
        }
        let attach = |number| api.put(format!("/target-policies/p{number}")).json(json!({ "target": certificate.arn }));
        let answers = at_once((9..13).map(attach)).await;
        let limit = "LimitExceededException";
        assert_eq!(outcomes(&answers), [limit, limit, limit, "ok"]);
        let listed =
            api.get("/principal-policies").header("x-amzn-iot-principal", &certificate.arn).quietly().ok().await;
        assert_eq!(listed["policies"].as_array().unwrap().len(), 10);
    })
    .await;
}

async fn the_fifth_version_is_made_once(api: Api) {
    let api = &api;
    rounds(|round| async move {
        let name = format!("p{round}");
        api.policy(&name).await;
        let version = || {
            api.post(format!("/policies/{name}/version?setAsDefault=true")).json(json!({ "policyDocument": ALLOW_ALL }))
        };
        let answers = at_once((0..6).map(|_| version())).await;
        let limit = "VersionsLimitExceededException";
        assert_eq!(outcomes(&answers), [limit, limit, "ok", "ok", "ok", "ok"]);
        let mut made: Vec<&str> = answers.iter().filter_map(|answer| answer.body["policyVersionId"].as_str()).collect();
        made.sort_unstable();
        assert_eq!(made, ["2", "3", "4", "5"]);
        let listed = api.get(format!("/policies/{name}/version")).quietly().ok().await;
        let versions = listed["policyVersions"].as_array().unwrap();
        assert_eq!(versions.iter().filter(|version| version["isDefaultVersion"] == true).count(), 1);
        assert_eq!(versions[0]["isDefaultVersion"], true);
    })
    .await;
}

async fn the_fifth_version_of_a_template_is_made_once(api: Api) {
    let api = &api;
    rounds(|round| async move {
        let name = format!("t{round}");
        api.template(&name, "JITP").await;
        let path = format!("/provisioning-templates/{name}/versions");
        let version = || api.post(format!("{path}?setAsDefault=true")).json(json!({ "templateBody": TEMPLATE }));
        for _ in 2..=4 {
            version().quietly().ok().await;
        }
        let answers = at_once([version(), version()]).await;
        assert_eq!(outcomes(&answers), ["VersionsLimitExceededException", "ok"]);
        let listed = api.get(&path).quietly().ok().await["versions"].clone();
        let numbers: Vec<_> = listed.as_array().unwrap().iter().map(|v| v["versionId"].as_i64().unwrap()).collect();
        assert_eq!(numbers, [5, 4, 3, 2, 1]);
        assert_eq!(listed[0]["isDefaultVersion"], true);
    })
    .await;
}

async fn a_template_is_deleted_or_named_by_an_authority(api: Api) {
    let (new, registered) = (Authority::new("new"), Authority::new("registered").registered(&api).await);
    let (api, new, registered) = (&api, &new, &registered);
    rounds(|round| async move {
        let name = format!("t{round}");
        api.template(&name, "JITP").await;
        let config = json!({ "templateName": name });
        let by_registration = round % 2 == 0;
        let naming = if by_registration {
            let body = json!({ "caCertificate": new.pem, "certificateMode": "SNI_ONLY", "registrationConfig": config });
            register(api, "", body)
        } else {
            api.put(format!("/cacertificate/{registered}")).json(json!({ "registrationConfig": config }))
        };
        let answers = at_once([api.delete(format!("/provisioning-templates/{name}")), naming]).await;
        let listed = api.get(format!("/cacertificates?templateName={name}")).quietly().ok().await;
        let named_by = listed["certificates"].as_array().unwrap();
        let template = api.get(format!("/provisioning-templates/{name}")).quietly().send().await;
        match [answers[0].error.as_deref(), answers[1].error.as_deref()] {
            [None, Some("ResourceNotFoundException")] => assert_eq!((named_by.len(), template.status), (0, 404)),
            [Some("DeleteConflictException"), None] => {
                assert_eq!((named_by.len(), template.status), (1, 200));
                if by_registration {
                    let id = named_by[0]["certificateId"].as_str().unwrap();
                    api.delete(format!("/cacertificate/{id}")).quietly().ok().await;
                }
            }
            other => panic!("{other:?}"),
        }
    })
    .await;
}

async fn the_default_version_of_a_template_is_never_gone(api: Api) {
    let api = &api;
    rounds(|round| async move {
        let path = format!("/provisioning-templates/t{round}");
        api.template(&format!("t{round}"), "JITP").await;
        api.post(format!("{path}/versions")).json(json!({ "templateBody": TEMPLATE })).quietly().ok().await;
        let set_default = api.patch(&path).json(json!({ "defaultVersionId": 2 }));
        let answers = at_once([api.delete(format!("{path}/versions/2")), set_default]).await;
        let described = api.get(&path).quietly().ok().await;
        match [answers[0].error.as_deref(), answers[1].error.as_deref()] {
            [None, Some("ResourceNotFoundException")] => assert_eq!(described["defaultVersionId"], 1),
            [Some("DeleteConflictException"), None] => assert_eq!(described["defaultVersionId"], 2),
            other => panic!("{other:?}"),
        }
    })
    .await;
}

async fn a_policy_is_deleted_or_attached(api: Api) {
    let certificate = &api.certificate().await;
    let api = &api;
    rounds(|round| async move {
        let name = format!("p{round}");
        api.policy(&name).await;
        let attach = api.put(format!("/target-policies/{name}")).json(json!({ "target": certificate.arn }));
        let answers = at_once([api.delete(format!("/policies/{name}")), attach]).await;
        let attached = api.get("/principal-policies").header("x-amzn-iot-principal", &certificate.arn).quietly();
        let attached = attached.ok().await["policies"].to_string().contains(&format!("\"{name}\""));
        match [answers[0].error.as_deref(), answers[1].error.as_deref()] {
            [None, Some("ResourceNotFoundException")] => {
                assert!(!attached);
                api.get(format!("/policies/{name}")).quietly().refused(404, "ResourceNotFoundException").await;
            }
            [Some("DeleteConflictException"), None] => assert!(attached),
            other => panic!("{other:?}"),
        }
    })
    .await;
}

async fn a_certificate_is_deleted_or_attached(api: Api) {
    api.policy("p").await;
    api.thing("t").await;
    let api = &api;
    rounds(|_| async move {
        let certificate = api.certificate().await;
        api.put(format!("/certificates/{}?newStatus=INACTIVE", certificate.id)).quietly().ok().await;
        let answers = at_once([
            api.delete(format!("/certificates/{}", certificate.id)),
            api.put("/target-policies/p").json(json!({ "target": certificate.arn })),
            api.put("/things/t/principals").header("x-amzn-principal", &certificate.arn),
        ])
        .await;
        let deleted = answers[0].status == 200;
        for answer in &answers[1..] {
            let expected = if deleted { Some("ResourceNotFoundException") } else { None };
            // Both may also have come before the deletion was refused.
            assert_eq!(answer.error.as_deref(), expected);
        }
        if !deleted {
            assert_eq!(answers[0].error.as_deref(), Some("DeleteConflictException"));
        }
        let targets = api.post("/policy-targets/p?pageSize=250").quietly().ok().await["targets"].to_string();
        let principals = api.get("/things/t/principals?maxResults=250").quietly().ok().await["principals"].to_string();
        assert_eq!([targets.contains(&certificate.id), principals.contains(&certificate.id)], [!deleted; 2]);
    })
    .await;
}

async fn a_thing_is_deleted_or_attached(api: Api) {
    let api = &api;
    rounds(|_| async move {
        let certificate = api.certificate().await;
        api.thing("t").await;
        let attach = api.put("/things/t/principals").header("x-amzn-principal", &certificate.arn);
        let answers = at_once([api.delete("/things/t"), attach]).await;
        let things = api.get("/principals/things").header("x-amzn-principal", &certificate.arn).quietly().ok().await;
        match [answers[0].error.as_deref(), answers[1].error.as_deref()] {
            [None, Some("ResourceNotFoundException")] => assert_eq!(things["things"], json!([])),
            [Some("InvalidRequestException"), None] => {
                assert_eq!(things["things"], json!(["t"]));
                api.delete("/things/t/principals").header("x-amzn-principal", &certificate.arn).quietly().ok().await;
                api.delete("/things/t").quietly().ok().await;
            }
            other => panic!("{other:?}"),
        }
    })
    .await;
}

async fn an_exclusive_certificate_ends_on_one_thing(api: Api) {
    api.thing("a").await;
    api.thing("b").await;
    api.thing("c").await;
    let api = &api;
    rounds(|_| async move {
        let certificate = api.certificate().await;
        let attach = |thing: &str, of_type: &str| {
            api.put(format!("/things/{thing}/principals?thingPrincipalType={of_type}"))
                .header("x-amzn-principal", &certificate.arn)
        };
        let asks = [attach("a", "EXCLUSIVE_THING"), attach("b", "EXCLUSIVE_THING"), attach("c", "NON_EXCLUSIVE_THING")];
        let answers = at_once(asks).await;
        let refused = "InvalidRequestException";
        assert_eq!(outcomes(&answers), [refused, refused, "ok"]);
        let things = api.get("/principals/things").header("x-amzn-principal", &certificate.arn).quietly().ok().await;
        assert_eq!(things["things"].as_array().unwrap().len(), 1);
    })
    .await;
}

async fn many_updates_of_one_certificate_all_succeed(api: Api) {
    let certificate = api.certificate().await;
    let update = |number: usize| {
        let status = if number.is_multiple_of(2) { "ACTIVE" } else { "INACTIVE" };
        api.put(format!("/certificates/{}?newStatus={status}", certificate.id))
    };
    let answers = at_once((0..24).map(update)).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{:?}", outcomes(&answers));
    // Each change was made from the status it saw, so their number tells where the last one ended.
    let described = api.describe(&certificate).await;
    let changes = described["customerVersion"].as_i64().unwrap() - 1;
    let expected = if changes % 2 == 0 { "ACTIVE" } else { "INACTIVE" };
    assert!((1..=24).contains(&changes), "{changes}");
    assert_eq!(described["status"], expected);

    let revoke = |_: usize| api.put(format!("/certificates/{}?newStatus=REVOKED", certificate.id));
    let answers = at_once((0..8).map(revoke)).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let described = api.describe(&certificate).await;
    assert_eq!((&described["status"], described["customerVersion"].as_i64()), (&json!("REVOKED"), Some(changes + 2)));
}

async fn a_name_is_taken_once(api: Api) {
    let api = &api;
    rounds(|round| async move {
        let policy = || api.post(format!("/policies/p{round}")).json(json!({ "policyDocument": ALLOW_ALL }));
        let answers = at_once((0..4).map(|_| policy())).await;
        let taken = "ResourceAlreadyExistsException";
        assert_eq!(outcomes(&answers), [taken, taken, taken, "ok"]);

        let thing = |size: usize| {
            api.post(format!("/things/t{round}"))
                .json(json!({ "attributePayload": { "attributes": { "size": size.to_string() } } }))
        };
        let answers = at_once((0..4).map(|number| thing(number % 2))).await;
        // The two that want what the winner wanted are answered with what it made.
        assert_eq!(outcomes(&answers), [taken, taken, "ok", "ok"]);
        let ids: Vec<_> = answers.iter().filter(|a| a.status == 200).map(|a| &a.body["thingId"]).collect();
        assert_eq!(ids[0], ids[1]);

        for (path, id) in [("thing-types", "thingTypeId"), ("billing-groups", "billingGroupId")] {
            let answers = at_once((0..4).map(|_| api.post(format!("/{path}/n{round}")))).await;
            assert_eq!(outcomes(&answers), ["ok"; 4]);
            assert!(answers.windows(2).all(|pair| pair[0].body[id] == pair[1].body[id]));
        }
    })
    .await;
}

async fn a_certificate_is_registered_once(api: Api) {
    let register = || api.post("/certificate/register-no-ca").json(json!({ "certificatePem": CERTIFICATE }));
    let answers = at_once((0..4).map(|_| register())).await;
    let taken = "ResourceAlreadyExistsException";
    assert_eq!(outcomes(&answers), [taken, taken, taken, "ok"]);
}

async fn attaching_the_same_at_once_attaches_it_once(api: Api) {
    api.policy("p").await;
    api.thing("t").await;
    let certificate = api.certificate().await;
    let attach = |_: usize| api.put("/target-policies/p").json(json!({ "target": certificate.arn }));
    assert_eq!(outcomes(&at_once((0..4).map(attach)).await), ["ok"; 4]);
    let attach = |_: usize| api.put("/things/t/principals").header("x-amzn-principal", &certificate.arn);
    assert_eq!(outcomes(&at_once((0..4).map(attach)).await), ["ok"; 4]);
    // The counts are right: once detached, nothing is in the way.
    let detach = |_: usize| api.post("/target-policies/p").json(json!({ "target": certificate.arn }));
    assert_eq!(outcomes(&at_once((0..4).map(detach)).await), ["ok"; 4]);
    let detach = |_: usize| api.delete("/things/t/principals").header("x-amzn-principal", &certificate.arn);
    let none = "ResourceNotFoundException";
    assert_eq!(outcomes(&at_once((0..4).map(detach)).await), [none, none, none, "ok"]);
    api.delete("/policies/p").quietly().ok().await;
    api.delete("/things/t").quietly().ok().await;
    api.put(format!("/certificates/{}?newStatus=INACTIVE", certificate.id)).quietly().ok().await;
    api.delete(format!("/certificates/{}", certificate.id)).quietly().ok().await;
}

async fn tags_set_at_once_are_all_there(api: Api) {
    let arn = api.policy("p").await;
    let tag = |number: usize| {
        api.post("/tags").json(json!({ "resourceArn": arn, "tags": [{ "Key": format!("k{number}"), "Value": "v" }] }))
    };
    let answers = at_once((0..6).map(tag)).await;
    assert_eq!(outcomes(&answers), ["ok"; 6]);
    let listed = api.get(format!("/tags?resourceArn={arn}")).quietly().ok().await;
    assert_eq!(listed["tags"].as_array().unwrap().len(), 6);
}

async fn one_endpoint_is_made(api: Api) {
    let answers = at_once((0..6).map(|_| api.get("/endpoint"))).await;
    assert_eq!(outcomes(&answers), ["ok"; 6]);
    assert!(answers.windows(2).all(|pair| pair[0].body == pair[1].body));
}

async fn updates_of_a_thing_are_not_lost(api: Api) {
    api.thing("t").await;
    let merge = |number: usize| {
        let attributes = json!({ format!("k{number}"): "v" });
        api.patch("/things/t").json(json!({ "attributePayload": { "attributes": attributes, "merge": true } }))
    };
    let answers = at_once((0..3).map(merge)).await;
    assert_eq!(outcomes(&answers), ["ok"; 3]);
    let thing = api.get("/things/t").quietly().ok().await;
    assert_eq!(thing["attributes"], json!({ "k0": "v", "k1": "v", "k2": "v" }));
    assert_eq!(thing["version"], 4);
    // With the version that all expect, one wins.
    let expected = |_: usize| api.patch("/things/t").json(json!({ "expectedVersion": 4 }));
    let lost = "VersionConflictException";
    assert_eq!(outcomes(&at_once((0..4).map(expected)).await), [lost, lost, lost, "ok"]);
}

async fn a_thing_type_is_deleted_or_comes_into_use_again(api: Api) {
    let api = &api;
    rounds(|round| async move {
        let name = format!("y{round}");
        api.thing_type(&name).await;
        api.deprecate(&name).await;
        api.clock().advance_ms(5 * 60 * 1000);
        let path = format!("/thing-types/{name}");
        let answers = at_once([
            api.delete(&path),
            api.post(format!("{path}/deprecate")).json(json!({ "undoDeprecate": true })),
            api.post(format!("/things/t{round}")).json(json!({ "thingTypeName": name })),
        ])
        .await;
        let exists = api.get(&path).quietly().send().await.status == 200;
        let has_things = api.get(format!("/things/t{round}")).quietly().send().await.status == 200;
        let outcome = [&answers[0], &answers[1], &answers[2]].map(|answer| answer.error.as_deref());
        let (refused, unknown) = (Some("InvalidRequestException"), Some("ResourceNotFoundException"));
        match outcome {
            [None, undone, made] => {
                assert!(!exists && !has_things && undone == unknown, "{outcome:?}");
                assert!(made == unknown || made == refused, "{outcome:?}");
            }
            [deleted, None, made] => {
                assert!(exists && deleted == refused, "{outcome:?}");
                assert!(has_things == made.is_none() && (has_things || made == refused), "{outcome:?}");
            }
            other => panic!("{other:?}"),
        }
    })
    .await;
}

async fn a_billing_group_is_joined_or_deleted(api: Api) {
    api.thing("t").await;
    let api = &api;
    rounds(|round| async move {
        api.billing_group("g").await;
        let name = format!("t{round}");
        let answers = at_once([
            api.delete("/billing-groups/g"),
            api.put("/billing-groups/addThingToBillingGroup")
                .json(json!({ "billingGroupName": "g", "thingName": "t" })),
            api.post(format!("/things/{name}")).json(json!({ "billingGroupName": "g" })),
        ])
        .await;
        assert_eq!(answers[0].error, None);
        for answer in &answers[1..] {
            assert!(matches!(answer.error.as_deref(), None | Some("ResourceNotFoundException")), "{answer:?}");
        }
        api.billing_group("g").await;
        assert_eq!(api.billing_group_of("t").await, json!(null));
        let listed = api.get("/billing-groups/g/things").quietly().ok().await;
        assert_eq!(listed["things"], json!([]));
        api.delete("/billing-groups/g").quietly().ok().await;
    })
    .await;
}
