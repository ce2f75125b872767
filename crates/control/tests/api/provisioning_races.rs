//! Carrying plans out at the same time, and while what they name changes: each succeeds as if it were alone, or is refused
//! for what is so now and leaves nothing behind.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gatehouse_pki::certificate::Certificate as X509;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::authority::Authority;
use crate::client::{Answer, Api, Ask};
use crate::create_certificate_provider::create;
use crate::functions::{FUNCTION, FunctionServer, Said};
use crate::harness::on_both_engines;
use crate::races::{at_once, outcomes, rounds};
use crate::register_thing::{
    CONFLICT, UNUSABLE, by_csr, by_id, certificate, certificate_of, document, groups_of, policies_of, policy,
    principals_of, register, thing, with_overrides,
};
use crate::samples::{ALLOW_ALL, ALLOW_CONNECT};
use crate::transfer_certificate::inactive;

on_both_engines!(
    one_thing_is_made_of_many_registrations,
    one_policy_is_made_of_many_registrations,
    one_certificate_is_registered_once,
    changes_of_one_thing_are_not_lost,
    an_exclusive_certificate_ends_on_one_thing_and_makes_no_other,
    the_tenth_policy_is_attached_once,
    a_certificate_is_revoked_or_activated,
    a_certificate_is_deleted_or_registered_with_a_thing,
    a_policy_is_deleted_or_attached,
    an_authority_is_switched_off_or_vouches,
    what_goes_meanwhile_is_missed,
    a_thing_that_is_made_meanwhile_is_treated_as_one_that_exists,
    a_policy_that_takes_the_name_of_a_document_meanwhile_is_in_the_way,
    a_provider_that_goes_meanwhile_issues_nothing,
);

fn of(resources: &Value, api: &Api) -> Ask {
    register(api, resources, &json!({}))
}

async fn one_thing_is_made_of_many_registrations(api: Api) {
    let api = &api;
    rounds(|round| async move {
        let name = format!("t{round}");
        let resources = |number: usize| {
            let properties = json!({ "AttributePayload": { "a": number.to_string() } });
            json!({ "certificate": by_csr(), "thing": thing(&*name, properties) })
        };
        let answers = at_once((0..4).map(|number| of(&resources(number), api))).await;
        assert_eq!(outcomes(&answers), ["ok"; 4]);
        assert_eq!(principals_of(api, &name).await.as_array().unwrap().len(), 4);
        // The others left it as the first had made it.
        assert_eq!(api.get(format!("/things/{name}")).quietly().ok().await["version"], 1);
    })
    .await;
}

async fn one_policy_is_made_of_many_registrations(api: Api) {
    let api = &api;
    rounds(|round| async move {
        let own = ALLOW_CONNECT.replace("\"*\"", &format!("\"{}\"", api.arn(&format!("client/{round}"))));
        let resources = json!({ "certificate": by_csr(), "p": document(own), "q": document(ALLOW_ALL) });
        let answers = at_once((0..4).map(|_| of(&resources, api))).await;
        assert_eq!(outcomes(&answers), ["ok"; 4]);
        assert!(answers.windows(2).all(|pair| pair[0].body["resourceArns"]["p"] == pair[1].body["resourceArns"]["p"]));
        let name = answers[0].body["resourceArns"]["p"].as_str().unwrap().rsplit('/').next().unwrap();
        let targets = api.post(format!("/policy-targets/{name}")).quietly().ok().await;
        assert_eq!(targets["targets"].as_array().unwrap().len(), 4);
        for answer in &answers {
            assert_eq!(policies_of(api, &certificate_of(&answer.body)).await.len(), 2);
        }
    })
    .await;
    assert_eq!(
        api.get("/policies").quietly().ok().await["policies"].as_array().unwrap().len(),
        crate::races::ROUNDS + 1
    );
}

async fn one_certificate_is_registered_once(api: Api) {
    let authority = Authority::new("authority");
    authority.registered(&api).await;
    let (api, authority) = (&api, &authority);
    rounds(|round| async move {
        let certificate = certificate(json!({ "CertificatePem": authority.signs("device") }));
        let resources = |number: usize| {
            json!({ "certificate": certificate, "thing": thing(format!("t{round}-{number}"), json!({})) })
        };
        let answers = at_once((0..4).map(|number| of(&resources(number), api))).await;
        assert_eq!(outcomes(&answers), ["ok"; 4]);
        let device = certificate_of(&answers[0].body);
        let things = api.get("/principals/things").header("x-amzn-principal", &device.arn).quietly().ok().await;
        assert_eq!(things["things"].as_array().unwrap().len(), 4);
        assert_eq!(api.describe(&device).await["customerVersion"], 1);
    })
    .await;
}

async fn changes_of_one_thing_are_not_lost(api: Api) {
    api.thing_type("y").await;
    api.post("/things/t").json(json!({ "thingTypeName": "y" })).quietly().ok().await;
    for number in 0..6 {
        api.group(&format!("g{number}"), None).await;
    }
    let resources = |number: usize| {
        let properties =
            json!({ "AttributePayload": { format!("a{number}"): "v" }, "ThingGroups": [format!("g{number}")] });
        let settings = json!({ "AttributePayload": "MERGE", "ThingGroups": "MERGE" });
        json!({ "certificate": by_csr(), "thing": with_overrides(thing("t", properties), settings) })
    };
    let answers = at_once((0..6).map(|number| of(&resources(number), &api))).await;
    assert_eq!(outcomes(&answers), ["ok"; 6]);
    let told = api.get("/things/t").quietly().ok().await;
    assert_eq!((told["attributes"].as_object().unwrap().len(), &told["version"]), (6, &json!(7)));
    assert_eq!(groups_of(&api, "t").await.len(), 6);
    assert_eq!(principals_of(&api, "t").await.as_array().unwrap().len(), 6);
}

async fn an_exclusive_certificate_ends_on_one_thing_and_makes_no_other(api: Api) {
    let api = &api;
    rounds(|round| async move {
        let registered = api.certificate().await;
        let properties = json!({ "CertificateId": registered.id, "ThingPrincipalType": "EXCLUSIVE_THING" });
        let resources = |name: &str| {
            json!({ "certificate": certificate(properties.clone()), "thing": thing(format!("{name}{round}"), json!({})) })
        };
        let answers = at_once(["a", "b", "c"].map(|name| of(&resources(name), api))).await;
        assert_eq!(outcomes(&answers), [UNUSABLE, UNUSABLE, "ok"]);
        let things = api.get("/things").quietly().ok().await;
        assert_eq!(things["things"].as_array().unwrap().len(), round + 1);
        let attached = api.get("/principals/things").header("x-amzn-principal", &registered.arn).quietly().ok().await;
        assert_eq!(attached["things"].as_array().unwrap().len(), 1);
    })
    .await;
}

async fn the_tenth_policy_is_attached_once(api: Api) {
    for number in 0..9 {
        api.policy(&format!("p{number}")).await;
    }
    let api = &api;
    rounds(|round| async move {
        let registered = api.certificate().await;
        for number in 0..9 {
            api.attach(&format!("p{number}"), &registered).await;
        }
        let resources = |number: usize| {
            let own = ALLOW_CONNECT.replace("\"*\"", &format!("\"{}\"", api.arn(&format!("client/{round}-{number}"))));
            json!({ "certificate": by_id(&registered), "p": document(own) })
        };
        let answers = at_once((0..4).map(|number| of(&resources(number), api))).await;
        assert_eq!(outcomes(&answers), [UNUSABLE, UNUSABLE, UNUSABLE, "ok"]);
        // Nor is there a policy that nobody has.
        let policies = api.get("/policies?pageSize=100").quietly().ok().await;
        assert_eq!(policies["policies"].as_array().unwrap().len(), 9 + round + 1);
    })
    .await;
}

async fn a_certificate_is_revoked_or_activated(api: Api) {
    let api = &api;
    rounds(|round| async move {
        let registered = inactive(api).await;
        let name = format!("t{round}");
        let resources = json!({
            "certificate": with_overrides(by_id(&registered), json!({ "Status": "REPLACE" })),
            "thing": thing(&*name, json!({})),
            "p": document(ALLOW_ALL),
        });
        let revoke = api.put(format!("/certificates/{}?newStatus=REVOKED", registered.id));
        let answers = at_once([of(&resources, api), revoke]).await;
        assert_eq!(answers[1].status, 200);
        assert_eq!(api.describe(&registered).await["status"], "REVOKED");
        let is_made = api.get(format!("/things/{name}")).quietly().send().await.status == 200;
        let has_policy = !policies_of(api, &registered).await.is_empty();
        match answers[0].error.as_deref() {
            None => assert!(is_made && has_policy),
            Some(UNUSABLE) => assert!(!is_made && !has_policy),
            other => panic!("{other:?}"),
        }
    })
    .await;
}

async fn a_certificate_is_deleted_or_registered_with_a_thing(api: Api) {
    let api = &api;
    rounds(|round| async move {
        let registered = inactive(api).await;
        let name = format!("t{round}");
        let resources = json!({
            "certificate": by_id(&registered),
            "thing": thing(&*name, json!({})),
            "p": document(ALLOW_ALL),
        });
        let delete = api.delete(format!("/certificates/{}?forceDelete=true", registered.id));
        let answers = at_once([of(&resources, api), delete]).await;
        let is_made = api.get(format!("/things/{name}")).quietly().send().await.status == 200;
        match [answers[0].error.as_deref(), answers[1].error.as_deref()] {
            [None, Some("DeleteConflictException")] => assert!(is_made),
            [Some(UNUSABLE), None] => assert!(!is_made),
            other => panic!("{other:?}"),
        }
    })
    .await;
}

async fn a_policy_is_deleted_or_attached(api: Api) {
    let api = &api;
    rounds(|round| async move {
        let name = format!("p{round}");
        api.policy(&name).await;
        let resources = json!({
            "certificate": by_csr(),
            "thing": thing(&*name, json!({})),
            "p": policy(&name),
        });
        let answers = at_once([of(&resources, api), api.delete(format!("/policies/{name}"))]).await;
        let is_made = api.get(format!("/things/{name}")).quietly().send().await.status == 200;
        match [answers[0].error.as_deref(), answers[1].error.as_deref()] {
            [None, Some("DeleteConflictException")] => assert!(is_made),
            [Some(UNUSABLE), None] => assert!(!is_made),
            other => panic!("{other:?}"),
        }
    })
    .await;
}

async fn an_authority_is_switched_off_or_vouches(api: Api) {
    let authority = Authority::new("authority");
    let ca = authority.registered(&api).await;
    let (api, authority, ca) = (&api, &authority, &ca);
    rounds(|round| async move {
        let resources = |number: usize| {
            let certificate = certificate(json!({ "CertificatePem": authority.signs("device") }));
            json!({ "certificate": certificate, "thing": thing(format!("t{round}-{number}"), json!({})) })
        };
        let switch_off = api.put(format!("/cacertificate/{ca}?newStatus=INACTIVE"));
        let answers = at_once([switch_off, of(&resources(0), api), of(&resources(1), api)]).await;
        assert_eq!(answers[0].status, 200);
        for (number, answer) in answers[1..].iter().enumerate() {
            let is_made = api.get(format!("/things/t{round}-{number}")).quietly().send().await.status == 200;
            match answer.error.as_deref() {
                None => assert!(is_made),
                Some(UNUSABLE) => assert!(!is_made && answer.message().contains("INACTIVE"), "{}", answer.message()),
                other => panic!("{other:?}"),
            }
        }
        api.put(format!("/cacertificate/{ca}?newStatus=ACTIVE")).quietly().ok().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_certificates_row_is_locked_before_the_things() {
    crate::harness::on_postgres(locks_in_the_order_of_the_operations).await;
}

/// Commits that take the two the other way round than AttachThingPrincipal does would end each other.
async fn locks_in_the_order_of_the_operations(api: Api) {
    api.thing("t").await;
    api.policy("p").await;
    let registered = api.certificate().await;
    api.attach_to_thing("t", &registered, false).await;
    let settings = json!({ "AttributePayload": "REPLACE" });
    let resources = json!({
        "certificate": by_id(&registered),
        "thing": with_overrides(thing("t", json!({ "AttributePayload": { "a": "1" } })), settings),
        "p": policy("p"),
    });
    let rival = api.running().database.client().await;
    let certificate = format!("SELECT 1 FROM certificates WHERE certificate_id = '\\x{}' FOR UPDATE", registered.id);
    rival.batch_execute(&format!("BEGIN; {certificate}")).await.unwrap();
    let sent = tokio::spawn(of(&resources, &api).quietly().send());
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))";
    while rival.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::task::yield_now().await;
    }
    rival.batch_execute("SELECT 1 FROM things WHERE name = 't' FOR UPDATE NOWAIT; COMMIT").await.unwrap();
    assert_eq!(sent.await.unwrap().error, None);
}

/// A provider whose function keeps a registration waiting for its certificate, behind all else that it has read.
struct Halfway {
    waits: Arc<AtomicBool>,
    asked: Arc<Semaphore>,
    gate: Arc<Semaphore>,
    server: FunctionServer,
}

impl Halfway {
    /// `authority` signs what the function answers.
    async fn new(api: &Api, authority: Authority) -> Self {
        let waits = Arc::new(AtomicBool::new(false));
        let (asked, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (is_waiting, is_asked, is_open) = (Arc::clone(&waits), Arc::clone(&asked), Arc::clone(&gate));
        let server = FunctionServer::new(move |heard| {
            let csr = heard.event()["certificateSigningRequest"].as_str().unwrap().to_owned();
            let answer = json!({ "certificatePem": authority.certifies(&csr) });
            if !is_waiting.swap(false, Ordering::SeqCst) {
                return Said::Json(answer);
            }
            is_asked.add_permits(1);
            Said::Later(Arc::clone(&is_open), answer)
        })
        .await;
        let function = server.function().within(Duration::from_secs(60));
        api.running().house.functions.put(FUNCTION.parse().unwrap(), function);
        create(api, "p", json!({})).quietly().ok().await;
        Self { waits, asked, gate, server }
    }

    /// Sends `ask`, does `meanwhile` while it waits, and lets it go on.
    async fn around(&self, ask: Ask, meanwhile: impl Future<Output = ()>) -> Answer {
        self.waits.store(true, Ordering::SeqCst);
        let sent = tokio::spawn(ask.quietly().send());
        self.asked.acquire().await.unwrap().forget();
        meanwhile.await;
        self.gate.add_permits(1);
        sent.await.unwrap()
    }

    /// The same, which must be refused and leave nothing behind of what was there after `meanwhile`.
    async fn refused_around(&self, api: &Api, ask: Ask, meanwhile: impl Future<Output = ()>) -> (String, String) {
        let database = &api.running().database;
        let mut before = None;
        let reading = async {
            meanwhile.await;
            before = Some(database.contents().await);
        };
        let answer = self.around(ask, reading).await;
        assert_eq!(Some(database.contents().await), before, "{}", answer.body);
        (answer.error.clone().unwrap_or_default(), answer.message().to_owned())
    }
}

async fn what_goes_meanwhile_is_missed(api: Api) {
    let halfway = Halfway::new(&api, Authority::new("theirs")).await;
    let ok = |ask: Ask| async move {
        ask.quietly().ok().await;
    };
    api.thing_type("y").await;
    api.group("g", None).await;
    api.policy("p").await;
    let of_thing = |properties: Value| json!({ "certificate": by_csr(), "thing": thing("t", properties) });

    let ask = of(&of_thing(json!({ "ThingGroups": ["g"] })), &api);
    let (error, message) = halfway.refused_around(&api, ask, ok(api.delete("/thing-groups/g"))).await;
    assert_eq!((&*error, &*message), (UNUSABLE, "thing group g does not exist in this account and Region"));

    let mut resources = of_thing(json!({}));
    resources["p"] = policy("p");
    let (error, message) = halfway.refused_around(&api, of(&resources, &api), ok(api.delete("/policies/p"))).await;
    assert_eq!((&*error, &*message), (UNUSABLE, "policy p does not exist in this account and Region"));
    // What was made again under the name is another group.
    api.group("g", None).await;
    let again = async {
        api.delete("/thing-groups/g").quietly().ok().await;
        api.group("g", None).await;
    };
    let answer = halfway.around(of(&of_thing(json!({ "ThingGroups": ["g"] })), &api), again).await;
    assert_eq!((answer.status, groups_of(&api, "t").await), (200, vec!["g".to_owned()]));
    api.delete("/things/t/principals")
        .header("x-amzn-principal", &certificate_of(&answer.body).arn)
        .quietly()
        .ok()
        .await;
    api.delete("/things/t").quietly().ok().await;

    // The type that was read in use may be had, and a billing group that goes leaves its things in none.
    api.billing_group("b").await;
    let meanwhile = async {
        api.deprecate("y").await;
        api.delete("/billing-groups/b").quietly().ok().await;
    };
    let ask = of(&of_thing(json!({ "ThingTypeName": "y", "BillingGroup": "b" })), &api);
    assert_eq!(halfway.around(ask, meanwhile).await.status, 200);
    assert_eq!(
        (api.get("/things/t").quietly().ok().await["thingTypeName"].clone(), api.billing_group_of("t").await),
        (json!("y"), json!(null))
    );
    // The certificate was asked for once each time, however often the commit was tried.
    assert_eq!(halfway.server.heard().len(), 4);
}

async fn a_thing_that_is_made_meanwhile_is_treated_as_one_that_exists(api: Api) {
    let halfway = Halfway::new(&api, Authority::new("theirs")).await;
    let resources = |name: &str, word: &str| {
        let thing = thing(name, json!({ "AttributePayload": { "a": "1" } }));
        json!({ "certificate": by_csr(), "thing": with_overrides(thing, json!({ "AttributePayload": word })) })
    };
    let (error, _) = halfway.refused_around(&api, of(&resources("t", "FAIL"), &api), api.thing("t")).await;
    assert_eq!(error, CONFLICT);
    for (name, word, attributes) in [("u", "MERGE", json!({ "a": "1" })), ("v", "DO_NOTHING", json!({}))] {
        let answer = halfway.around(of(&resources(name, word), &api), api.thing(name)).await;
        assert_eq!((answer.status, principals_of(&api, name).await.as_array().unwrap().len()), (200, 1));
        assert_eq!(api.get(format!("/things/{name}")).quietly().ok().await["attributes"], attributes);
    }
    // Nor is one that goes meanwhile missed: it is made.
    api.thing("w").await;
    let delete = async {
        api.delete("/things/w").quietly().ok().await;
    };
    let answer = halfway.around(of(&resources("w", "MERGE"), &api), delete).await;
    assert_eq!((answer.status, principals_of(&api, "w").await.as_array().unwrap().len()), (200, 1));
}

async fn a_policy_that_takes_the_name_of_a_document_meanwhile_is_in_the_way(api: Api) {
    let resources = json!({ "certificate": by_csr(), "thing": thing("t", json!({})), "p": document(ALLOW_CONNECT) });
    let elsewhere = api.of_account("210987654321").await;
    let made = of(&resources, &elsewhere).quietly().ok().await;
    let name = made["resourceArns"]["p"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let halfway = Halfway::new(&api, Authority::new("theirs")).await;
    let take = async {
        api.policy(&name).await;
    };
    let (error, message) = halfway.refused_around(&api, of(&resources, &api), take).await;
    assert_eq!(error, CONFLICT);
    assert!(message.contains(&name), "{message}");
    // One that says the same is the one that was to be made.
    api.delete(format!("/policies/{name}")).quietly().ok().await;
    let make = async {
        let body = json!({ "policyDocument": ALLOW_CONNECT });
        api.post(format!("/policies/{name}")).json(body).quietly().ok().await;
    };
    let answer = halfway.around(of(&resources, &api), make).await;
    assert_eq!(policies_of(&api, &certificate_of(&answer.body)).await, [name]);
    assert_eq!(halfway.server.heard().len(), 2);
}

fn issuer_of(answer: &Answer) -> String {
    let certificate = X509::from_pem(answer.body["certificatePem"].as_str().unwrap()).unwrap();
    String::from_utf8_lossy(certificate.issuer_der()).into_owned()
}

async fn a_provider_that_goes_meanwhile_issues_nothing(api: Api) {
    let halfway = Halfway::new(&api, Authority::new("theirs")).await;
    let resources = json!({ "certificate": by_csr(), "thing": thing("t", json!({})) });
    let delete = async {
        api.delete("/certificate-providers/p").quietly().ok().await;
    };
    let answer = halfway.around(of(&resources, &api), delete).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(!issuer_of(&answer).contains("theirs"));
    assert_eq!(principals_of(&api, "t").await, json!([certificate_of(&answer.body).arn]));
    assert_eq!(halfway.server.heard().len(), 1);
}
