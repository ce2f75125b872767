//! Transfers as a machine of two accounts: whatever they do and whoever is first, each certificate is where the rules
//! put it, and whoever judges by the registry hears of each move once.

use gatehouse_domain::event::Event;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::authority::self_signed;
use crate::client::{Api, Ask, Certificate};
use crate::harness::{ACCOUNT, on_both_engines};
use crate::races::{at_once, outcomes, rounds};
use crate::transfer_certificate::{TARGET, inactive, offer};

on_both_engines!(
    two_accounts_never_leave_the_table,
    an_offer_ends_once,
    a_certificate_is_accepted_once,
    a_certificate_is_offered_to_one,
    a_certificate_is_offered_or_attached,
    an_account_is_offered_a_certificate_once,
    offers_in_both_directions_can_be_ended,
    a_target_that_has_the_certificate_must_give_its_own_away_first,
    an_offer_keeps_its_place_in_the_list_of_the_target,
);

const NOT_FOUND: &str = "ResourceNotFoundException";
const COMPLETED: &str = "TransferAlreadyCompletedException";
const STATE: &str = "CertificateStateException";

/// What one of two accounts may ask for.
#[derive(Clone, Copy, Debug)]
enum Move {
    Register,
    Update(&'static str),
    Transfer,
    Accept { set_as_active: bool },
    Reject,
    Cancel,
    Delete,
}

/// What each of the two has: the status of its own record.
type Owned = [Option<&'static str>; 2];

/// What the rules say of a move by account `by`.
enum Verdict {
    /// It changes what each has; the scopes of these accounts hear of it.
    Changes(Owned, Vec<usize>),
    Nothing,
    Refused(&'static [&'static str]),
}

fn judge(owned: Owned, by: usize, asked: Move) -> Verdict {
    let other = 1 - by;
    let own = owned[by];
    let with = |who: usize, status| {
        let mut after = owned;
        after[who] = status;
        after
    };
    let is_offered = |who: usize| owned[who] == Some("PENDING_TRANSFER");
    match (asked, own) {
        (Move::Register, None) => Verdict::Changes(with(by, Some("INACTIVE")), vec![by]),
        (Move::Register, Some(_)) => Verdict::Refused(&["ResourceAlreadyExistsException"]),
        (Move::Update(_) | Move::Transfer | Move::Delete, None) => Verdict::Refused(&[NOT_FOUND]),
        (Move::Update(wanted), Some(_)) if wanted.starts_with("PENDING") => {
            Verdict::Refused(&["InvalidRequestException"])
        }
        (Move::Update(_) | Move::Transfer | Move::Delete, Some("PENDING_TRANSFER")) => Verdict::Refused(&[STATE]),
        (Move::Update(wanted), Some(status)) if wanted == status => Verdict::Nothing,
        (Move::Update(_) | Move::Transfer, Some("REVOKED")) => Verdict::Refused(&[STATE]),
        (Move::Update(wanted), Some(_)) => Verdict::Changes(with(by, Some(wanted)), vec![by]),
        (Move::Transfer | Move::Delete, Some("ACTIVE")) => Verdict::Refused(&[STATE]),
        (Move::Transfer, Some(_)) => Verdict::Changes(with(by, Some("PENDING_TRANSFER")), vec![by]),
        (Move::Delete, Some(_)) => Verdict::Changes(with(by, None), vec![by]),
        (Move::Accept { .. } | Move::Reject, _) if !is_offered(other) => Verdict::Refused(&[NOT_FOUND, COMPLETED]),
        (Move::Accept { .. }, Some(_)) => Verdict::Refused(&["InvalidRequestException"]),
        (Move::Accept { set_as_active }, None) => {
            let mut after = with(by, Some(if set_as_active { "ACTIVE" } else { "INACTIVE" }));
            after[other] = None;
            Verdict::Changes(after, vec![by, other])
        }
        (Move::Reject, _) => Verdict::Changes(with(other, Some("INACTIVE")), vec![other]),
        (Move::Cancel, Some("PENDING_TRANSFER")) => Verdict::Changes(with(by, Some("INACTIVE")), vec![by]),
        (Move::Cancel, _) => Verdict::Refused(&[NOT_FOUND, COMPLETED]),
    }
}

fn moves() -> impl Strategy<Value = Vec<(usize, Move)>> {
    let one = prop_oneof![
        4 => Just(Move::Register),
        3 => select(vec!["ACTIVE", "INACTIVE", "REVOKED", "PENDING_TRANSFER", "PENDING_ACTIVATION"])
            .prop_map(Move::Update),
        4 => Just(Move::Transfer),
        3 => any::<bool>().prop_map(|set_as_active| Move::Accept { set_as_active }),
        2 => Just(Move::Reject),
        2 => Just(Move::Cancel),
        2 => Just(Move::Delete),
    ];
    proptest::collection::vec((0_usize..2, one), 1..20)
}

const ACCOUNTS: [&str; 2] = [ACCOUNT, TARGET];

fn ask(tenant: &Api, pem: &str, id: &str, other: &str, asked: Move) -> Ask {
    match asked {
        Move::Register => tenant.post("/certificate/register-no-ca").json(json!({ "certificatePem": pem })),
        Move::Update(status) => tenant.put(format!("/certificates/{id}?newStatus={status}")),
        Move::Transfer => tenant.patch(format!("/transfer-certificate/{id}?targetAwsAccount={other}")),
        Move::Accept { set_as_active } => {
            tenant.patch(format!("/accept-certificate-transfer/{id}?setAsActive={set_as_active}"))
        }
        Move::Reject => tenant.patch(format!("/reject-certificate-transfer/{id}")),
        Move::Cancel => tenant.patch(format!("/cancel-certificate-transfer/{id}")),
        Move::Delete => tenant.delete(format!("/certificates/{id}")),
    }
}

/// What each of the two is told of the certificate.
async fn described(tenants: &[Api; 2], id: &str) -> [Option<Value>; 2] {
    let mut told = [None, None];
    for (tenant, told) in tenants.iter().zip(&mut told) {
        let answer = tenant.get(format!("/certificates/{id}")).quietly().send().await;
        match answer.status {
            200 => *told = Some(answer.body["certificateDescription"].clone()),
            _ => assert_eq!(answer.error.as_deref(), Some(NOT_FOUND)),
        }
    }
    told
}

/// The scopes that heard of the certificate since `before`, sorted.
async fn heard(api: &Api, before: i64, id: &str) -> Vec<String> {
    let events = api.running().house.store.events_after(before, 100).await.unwrap();
    let mut accounts: Vec<String> = events
        .iter()
        .map(|logged| match &logged.event {
            Event::Certificate { scope, certificate_id } => {
                assert_eq!(certificate_id.to_string(), id);
                scope.account.to_string()
            }
            other => panic!("{other:?}"),
        })
        .collect();
    accounts.sort();
    accounts
}

async fn play(tenants: &[Api; 2], moves: Vec<(usize, Move)>) {
    let api = &tenants[0];
    let pem = self_signed("device");
    let id = gatehouse_pki::certificate::Certificate::from_pem(&pem).unwrap().id().to_string();
    let mut owned: Owned = [None, None];
    let mut told = described(tenants, &id).await;
    assert_eq!(told, [None, None]);
    for (by, asked) in moves {
        api.clock().advance_ms(1);
        let before = api.running().house.store.last_epoch().await.unwrap();
        let answer = ask(&tenants[by], &pem, &id, ACCOUNTS[1 - by], asked).quietly().send().await;
        let error = answer.error.as_deref();
        let now_told = described(tenants, &id).await;
        let now_heard = heard(api, before, &id).await;
        let context = format!("{owned:?}, {by} asks {asked:?}: {}", answer.body);
        match judge(owned, by, asked) {
            Verdict::Refused(errors) => {
                assert!(error.is_some_and(|error| errors.contains(&error)), "{context}");
                assert_eq!((&now_told, now_heard), (&told, vec![]), "{context}");
            }
            Verdict::Nothing => {
                assert_eq!(error, None, "{context}");
                assert_eq!((&now_told, now_heard), (&told, vec![]), "{context}");
            }
            Verdict::Changes(after, hear) => {
                assert_eq!(error, None, "{context}");
                let mut hear: Vec<&str> = hear.into_iter().map(|who| ACCOUNTS[who]).collect();
                hear.sort_unstable();
                assert_eq!(now_heard, hear, "{context}");
                owned = after;
            }
        }
        for who in 0..2 {
            // Who has none of its own is shown what it is offered.
            let offered = owned[1 - who].filter(|status| *status == "PENDING_TRANSFER");
            let shown = now_told[who].as_ref().map(|told| told["status"].as_str().unwrap());
            assert_eq!(shown, owned[who].or(offered), "{who} after {context}");
            if let (Some(told), Some(_)) = (&now_told[who], owned[who]) {
                assert_eq!(told["ownedBy"], ACCOUNTS[who], "{context}");
            }
        }
        told = now_told;
    }
}

async fn two_accounts_never_leave_the_table(api: Api) {
    let target = api.of_account(TARGET).await;
    let tenants = [api, target];
    let runtime = tokio::runtime::Handle::current();
    let mut runner = TestRunner::new(Config { cases: 96, failure_persistence: None, ..Config::default() });
    tokio::task::block_in_place(|| {
        let played = runner.run(&moves(), |moves| {
            runtime.block_on(play(&tenants, moves));
            Ok(())
        });
        played.unwrap_or_else(|failure| panic!("{failure}"));
    });
}

fn end(api: &Api, how: &str, certificate: &Certificate) -> Ask {
    api.patch(format!("/{how}-certificate-transfer/{}", certificate.id))
}

async fn an_offer_ends_once(api: Api) {
    let target = &api.of_account(TARGET).await;
    let api = &api;
    for _ in 0..3 {
        rounds(|round| async move {
            let certificate = inactive(api).await;
            offer(api, &certificate).quietly().ok().await;
            let before = api.running().house.store.last_epoch().await.unwrap();
            let mut asks = vec![
                end(target, "accept", &certificate),
                end(target, "reject", &certificate),
                end(api, "cancel", &certificate),
            ];
            asks.rotate_left(round % 3);
            let mut answers = at_once(asks).await;
            answers.rotate_right(round % 3);
            for answer in &answers {
                assert!([None, Some(COMPLETED), Some(NOT_FOUND)].contains(&answer.error.as_deref()), "{}", answer.body);
            }
            let won: Vec<bool> = answers.iter().map(|answer| answer.status == 200).collect();
            let heard = heard(api, before, &certificate.id).await;
            if won == [true, false, false] {
                assert_eq!(heard, [ACCOUNT, TARGET]);
                assert_eq!(target.describe(&certificate).await["ownedBy"], TARGET);
                api.get(format!("/certificates/{}", certificate.id)).quietly().refused(404, NOT_FOUND).await;
            } else {
                assert!([vec![false, true, false], vec![false, false, true]].contains(&won), "{won:?}");
                assert_eq!(heard, [ACCOUNT]);
                let described = api.describe(&certificate).await;
                assert_eq!((&described["status"], &described["ownedBy"]), (&json!("INACTIVE"), &json!(ACCOUNT)));
                assert_eq!(described["transferData"].get("rejectDate").is_some(), won[1]);
                target.get(format!("/certificates/{}", certificate.id)).quietly().refused(404, NOT_FOUND).await;
            }
            let outgoing = api.get("/certificates-out-going").quietly().ok().await;
            assert_eq!(outgoing["outgoingCertificates"], json!([]));
        })
        .await;
    }
}

async fn a_certificate_is_accepted_once(api: Api) {
    let target = &api.of_account(TARGET).await;
    let api = &api;
    rounds(|_| async move {
        let certificate = inactive(api).await;
        offer(api, &certificate).quietly().ok().await;
        let answers = at_once((0..4).map(|_| end(target, "accept", &certificate))).await;
        assert_eq!(outcomes(&answers), [COMPLETED, COMPLETED, COMPLETED, "ok"]);
        assert_eq!(target.describe(&certificate).await["customerVersion"], 4);
    })
    .await;
}

async fn a_certificate_is_offered_to_one(api: Api) {
    let others = &[api.of_account(TARGET).await, api.of_account("111111111111").await];
    let api = &api;
    rounds(|_| async move {
        let certificate = inactive(api).await;
        let to =
            |account: &str| api.patch(format!("/transfer-certificate/{}?targetAwsAccount={account}", certificate.id));
        let answers = at_once([to(TARGET), to("111111111111")]).await;
        assert_eq!(outcomes(&answers), [STATE, "ok"]);
        let winner = usize::from(answers[1].status == 200);
        end(&others[1 - winner], "accept", &certificate).quietly().refused(404, NOT_FOUND).await;
        end(&others[winner], "accept", &certificate).quietly().ok().await;
    })
    .await;
}

async fn a_certificate_is_offered_or_attached(api: Api) {
    api.of_account(TARGET).await;
    api.policy("p").await;
    api.thing("t").await;
    let api = &api;
    rounds(|round| async move {
        let certificate = inactive(api).await;
        let mut asks = vec![
            offer(api, &certificate),
            api.put("/target-policies/p").json(json!({ "target": certificate.arn })),
            api.put("/things/t/principals").header("x-amzn-principal", &certificate.arn),
        ];
        asks.rotate_left(round % 3);
        let mut answers = at_once(asks).await;
        answers.rotate_right(round % 3);
        let is_offered = answers[0].status == 200;
        if !is_offered {
            assert_eq!(answers[0].error.as_deref(), Some("TransferConflictException"));
        }
        for answer in &answers[1..] {
            assert_eq!(answer.status == 200, !is_offered, "{}", answer.body);
        }
        let targets = api.post("/policy-targets/p?pageSize=250").quietly().ok().await["targets"].to_string();
        let principals = api.get("/things/t/principals?maxResults=250").quietly().ok().await["principals"].to_string();
        let attached = [targets.contains(&certificate.id), principals.contains(&certificate.id)];
        assert_eq!(attached, [!is_offered; 2]);
    })
    .await;
}

/// Registers one certificate in all of `tenants`.
async fn shared(tenants: &[&Api]) -> Certificate {
    let body = json!({ "certificatePem": self_signed("device") });
    let mut certificate = None;
    for tenant in tenants {
        let made = tenant.post("/certificate/register-no-ca").json(body.clone()).quietly().ok().await;
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        certificate.get_or_insert(Certificate { id: text("certificateId"), arn: text("certificateArn") });
    }
    certificate.unwrap()
}

async fn an_account_is_offered_a_certificate_once(api: Api) {
    let target = &api.of_account(TARGET).await;
    let third = &api.of_account("111111111111").await;
    let certificate = shared(&[&api, third]).await;
    offer(&api, &certificate).ok().await;
    offer(third, &certificate).invalid().await;
    end(&api, "cancel", &certificate).ok().await;
    offer(third, &certificate).ok().await;
    end(target, "accept", &certificate).ok().await;
    api.snapshot("transfers_one_offer");

    let api = &api;
    rounds(|_| async move {
        let certificate = shared(&[api, third]).await;
        let answers = at_once([offer(api, &certificate), offer(third, &certificate)]).await;
        assert_eq!(outcomes(&answers), ["InvalidRequestException", "ok"]);
    })
    .await;
}

async fn offers_in_both_directions_can_be_ended(api: Api) {
    let target = api.of_account(TARGET).await;
    for how in ["cancel", "reject"] {
        let certificate = shared(&[&api, &target]).await;
        let back = || target.patch(format!("/transfer-certificate/{}?targetAwsAccount={ACCOUNT}", certificate.id));
        offer(&api, &certificate).ok().await;
        api.clock().advance_ms(1);
        back().ok().await;
        end(&api, "accept", &certificate).invalid().await;
        end(&target, "accept", &certificate).invalid().await;
        // The older of the two, then the newer.
        let (first, second) = if how == "cancel" { (&api, &target) } else { (&target, &api) };
        for ending in [first, second] {
            end(ending, how, &certificate).ok().await;
        }
        assert_eq!(api.describe(&certificate).await["status"], "INACTIVE");
        assert_eq!(target.describe(&certificate).await["status"], "INACTIVE");
        for tenant in [&api, &target] {
            for how in ["cancel", "reject", "accept"] {
                let answer = end(tenant, how, &certificate).quietly().send().await;
                assert!([Some(COMPLETED), Some(NOT_FOUND)].contains(&answer.error.as_deref()), "{}", answer.body);
            }
        }
    }
    api.snapshot("transfers_both_directions");
}

async fn a_target_that_has_the_certificate_must_give_its_own_away_first(api: Api) {
    let target = api.of_account(TARGET).await;
    let certificate = shared(&[&api, &target]).await;
    offer(&api, &certificate).json(json!({ "transferMessage": "again" })).ok().await;
    end(&target, "accept", &certificate).invalid().await;
    // Its own is what it is shown, once.
    assert_eq!(target.describe(&certificate).await["ownedBy"], TARGET);
    let listed = target.get("/certificates").quietly().ok().await;
    assert_eq!(listed["certificates"].as_array().unwrap().len(), 1);
    target.delete(format!("/certificates/{}", certificate.id)).ok().await;
    end(&target, "accept", &certificate).ok().await;
    let described = target.describe(&certificate).await;
    assert_eq!((&described["ownedBy"], &described["previousOwnedBy"]), (&json!(TARGET), &json!(ACCOUNT)));
    api.snapshot("transfers_registered_at_target");
}

async fn an_offer_keeps_its_place_in_the_list_of_the_target(api: Api) {
    let target = api.of_account(TARGET).await;
    let mut expected = Vec::new();
    for number in 0..6 {
        let tenant = if number % 2 == 0 { &target } else { &api };
        expected.push(inactive(tenant).await);
        api.clock().advance_ms(1);
    }
    for certificate in [&expected[5], &expected[1], &expected[3]] {
        offer(&api, certificate).quietly().ok().await;
        api.clock().advance_ms(1);
    }
    let ids: Vec<&str> = expected.iter().map(|certificate| certificate.id.as_str()).collect();
    for size in 1..=7 {
        let (mut listed, mut marker) = (Vec::new(), String::new());
        loop {
            let page = target.get(format!("/certificates?isAscendingOrder=true&pageSize={size}{marker}"));
            let page = page.quietly().ok().await;
            listed.extend(page["certificates"].as_array().unwrap().iter().cloned());
            match page["nextMarker"].as_str() {
                Some(next) => marker = format!("&marker={}", crate::client::encoded(next)),
                None => break,
            }
        }
        let listed: Vec<&str> = listed.iter().map(|item| item["certificateId"].as_str().unwrap()).collect();
        assert_eq!(listed, ids, "by {size}");
    }
}
