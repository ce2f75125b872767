//! CreateRoleAlias.

use gatehouse_control::access_key::AccessKeyWish;
use serde_json::{Value, json};

use crate::client::{Api, Ask, encoded};
use crate::harness::{ACCOUNT, on_both_engines};

on_both_engines!(
    an_alias_stands_for_a_role_of_the_account,
    names_roles_and_durations_have_bounds,
    a_scope_has_a_hundred_aliases_at_most,
    tags_come_with_an_alias,
    whoever_may_not_pass_the_role_makes_no_alias,
);

const ROLE: &str = "arn:aws:iam::123456789012:role/fleet/reader";

fn create(api: &Api, alias: &str, body: Value) -> Ask {
    api.post(format!("/role-aliases/{alias}")).json(body)
}

async fn an_alias_stands_for_a_role_of_the_account(api: Api) {
    let made = create(&api, "reader", json!({ "roleArn": ROLE })).ok().await;
    assert_eq!(made, json!({ "roleAlias": "reader", "roleAliasArn": api.arn("rolealias/reader") }));
    let taken = create(&api, "reader", json!({ "roleArn": ROLE })).refused(409, "ResourceAlreadyExistsException").await;
    assert_eq!(taken["resourceArn"], made["roleAliasArn"]);
    // Capitals make another name.
    create(&api, "Reader", json!({ "roleArn": ROLE, "credentialDurationSeconds": 43_200 })).ok().await;
    api.snapshot("create_role_alias");
}

async fn names_roles_and_durations_have_bounds(api: Api) {
    for alias in ["a%2Fb", "a%20b", "a.b", "a:b", "%C3%BC", &"a".repeat(129)] {
        create(&api, alias, json!({ "roleArn": ROLE })).quietly().invalid().await;
    }
    for body in [
        json!({}),
        json!({ "roleArn": "role" }),
        json!({ "roleArn": "arn:aws:iam::123456789012:user/someone" }),
        json!({ "roleArn": "arn:aws:iam::123456789012:role/*" }),
        json!({ "roleArn": "arn:aws:iam::210987654321:role/fleet/reader" }),
        json!({ "roleArn": ROLE, "credentialDurationSeconds": 899 }),
        json!({ "roleArn": ROLE, "credentialDurationSeconds": 43_201 }),
        json!({ "roleArn": ROLE, "credentialDurationSeconds": -1 }),
        json!({ "roleArn": ROLE, "credentialDurationSeconds": "900" }),
        json!({ "roleArn": ROLE, "nonsense": true }),
        json!({ "roleArn": ROLE, "tags": [{ "Key": "aws:a" }] }),
    ] {
        create(&api, "a", body).invalid().await;
    }
    api.get("/role-aliases/a").refused(404, "ResourceNotFoundException").await;
    create(&api, &encoded("a=,@-_9"), json!({ "roleArn": ROLE, "credentialDurationSeconds": 900 })).ok().await;
    create(&api, &"a".repeat(128), json!({ "roleArn": ROLE })).quietly().ok().await;
    api.snapshot("create_role_alias_refused");
}

async fn a_scope_has_a_hundred_aliases_at_most(api: Api) {
    for number in 0..100 {
        create(&api, &format!("a{number}"), json!({ "roleArn": ROLE })).quietly().ok().await;
    }
    create(&api, "more", json!({ "roleArn": ROLE })).refused(410, "LimitExceededException").await;
    // What exists is not counted twice, and what is gone makes room.
    create(&api, "a7", json!({ "roleArn": ROLE })).refused(409, "ResourceAlreadyExistsException").await;
    api.delete("/role-aliases/a7").ok().await;
    create(&api, "more", json!({ "roleArn": ROLE })).ok().await;
    create(&api, "a7", json!({ "roleArn": ROLE })).refused(410, "LimitExceededException").await;
}

async fn tags_come_with_an_alias(api: Api) {
    let tags = json!([{ "Key": "b", "Value": "2" }, { "Key": "a", "Value": "" }]);
    create(&api, "a", json!({ "roleArn": ROLE, "tags": tags })).ok().await;
    let arn = api.arn("rolealias/a");
    let listed = || api.get(format!("/tags?resourceArn={}", encoded(&arn))).quietly();
    assert_eq!(listed().ok().await["tags"], json!([{ "Key": "a", "Value": "" }, { "Key": "b", "Value": "2" }]));
    api.post("/untag").json(json!({ "resourceArn": arn, "tagKeys": ["b"] })).quietly().ok().await;
    let more = json!({ "resourceArn": arn, "tags": [{ "Key": "c", "Value": "3" }] });
    api.post("/tags").json(more).quietly().ok().await;
    assert_eq!(listed().ok().await["tags"], json!([{ "Key": "a", "Value": "" }, { "Key": "c", "Value": "3" }]));
    // They go with the alias, and do not come back with its name.
    api.delete("/role-aliases/a").quietly().ok().await;
    listed().refused(404, "ResourceNotFoundException").await;
    create(&api, "a", json!({ "roleArn": ROLE })).quietly().ok().await;
    assert_eq!(listed().ok().await["tags"], json!([]));
}

async fn whoever_may_not_pass_the_role_makes_no_alias(api: Api) {
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "iot:*", "Resource": "*" },
        { "Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::123456789012:role/fleet/*" },
    ] });
    let wish = AccessKeyWish { account: ACCOUNT.parse().unwrap(), policy: Some(policy.to_string()), expires_at: None };
    let limited = api.with_key(api.running().access_key(wish).await);
    let admin = json!({ "roleArn": "arn:aws:iam::123456789012:role/admin" });
    let refused = create(&limited, "a", admin.clone()).refused(403, "AccessDeniedException").await;
    assert!(refused["message"].as_str().unwrap().contains("iam:PassRole on resource: arn:aws:iam::123456789012:role/admin"));
    create(&limited, "a", json!({ "roleArn": ROLE })).ok().await;
    limited.put("/role-aliases/a").json(admin).refused(403, "AccessDeniedException").await;
    let described = api.get("/role-aliases/a").quietly().ok().await;
    assert_eq!(described["roleAliasDescription"]["roleArn"], ROLE);
    api.snapshot("create_role_alias_pass_role");
}
