//! What operations tell of the changes that they make: each with its switch on, none with it off, and none when nothing
//! changed.

use serde_json::{Map, Value, json};

use crate::client::{Api, Ask};
use crate::harness::{ACCOUNT, NOW, OTHER_REGION, REGION, on_both_engines};

on_both_engines!(
    every_change_is_told_when_its_switch_is_on,
    what_is_told_is_what_is_described,
    groups_are_told_with_all_that_lies_above_them,
    what_changes_nothing_is_not_told,
    a_switch_holds_for_its_scope,
    a_thing_that_is_deleted_leaves_every_group_that_it_entered,
);

const TYPES: [&str; 6] =
    ["THING", "THING_TYPE", "THING_TYPE_ASSOCIATION", "THING_GROUP", "THING_GROUP_MEMBERSHIP", "THING_GROUP_HIERARCHY"];

/// The level of topics that the events of a type have below `$aws/events`.
fn level(event_type: &str) -> String {
    let mut words = event_type.split('_').map(str::to_lowercase);
    let first = words.next().unwrap();
    words.fold(first, |level, word| level + &word[..1].to_uppercase() + &word[1..])
}

async fn switch_on(api: &Api, event_types: &[&str]) {
    let switches: Map<String, Value> =
        event_types.iter().map(|name| ((*name).to_owned(), json!({ "Enabled": true }))).collect();
    api.patch("/event-configurations").json(json!({ "eventConfigurations": switches })).quietly().ok().await;
}

/// What waits to be published in a scope, taken out: topics below `$aws/events` and payloads.
async fn waiting(api: &Api, account: &str, region: &str) -> Vec<(String, Value)> {
    let scope = gatehouse_domain::scope::Scope::new(account.parse().unwrap(), region.parse().unwrap());
    let store = &api.running().house.store;
    let waiting = store.registry_messages(scope, 1_000).await.unwrap();
    let mut batch = gatehouse_store::Batch::new();
    batch.forget_registry_messages(&waiting.iter().map(|waiting| waiting.message_id).collect::<Vec<_>>());
    store.commit(batch, NOW).await.unwrap();
    let told = waiting.into_iter().map(|waiting| {
        let topic = waiting.message.topic.as_str().strip_prefix("$aws/events/").unwrap().to_owned();
        (topic, serde_json::from_str(&waiting.message.payload).unwrap())
    });
    told.collect()
}

/// Sends `ask` untold and answers what is told of it.
async fn told(api: &Api, ask: Ask) -> Vec<(String, Value)> {
    ask.quietly().send().await;
    waiting(api, ACCOUNT, REGION).await
}

/// What every event has; answers the rest.
fn checked(event: &Value, event_type: &str, operation: &str, at_ms: i64) -> Map<String, Value> {
    let mut event = event.as_object().unwrap().clone();
    let mut take = |name: &str| event.remove(name).unwrap_or_default();
    assert_eq!(take("eventType"), format!("{event_type}_EVENT"));
    let id = take("eventId");
    let id = id.as_str().unwrap();
    assert!(id.len() == 32 && id.bytes().all(|digit| b"0123456789abcdef".contains(&digit)), "{id}");
    assert_eq!(take("operation"), operation);
    assert_eq!(take("timestamp"), at_ms);
    let account = take("accountId");
    assert_eq!(account, if event_type == "THING_TYPE_ASSOCIATION" { Value::Null } else { json!(ACCOUNT) });
    event
}

fn membership(thing: &str, group: &str) -> Value {
    json!({ "thingName": thing, "thingGroupName": group })
}

/// Every operation that changes the registry, and the topics of what is told of it when all switches are on.
fn story(api: &Api) -> Vec<(Ask, Vec<&'static str>)> {
    let attributes = |value: &str| json!({ "attributePayload": { "attributes": { "a": value } } });
    let enter = |thing, group| api.put("/thing-groups/addThingToThingGroup").json(membership(thing, group));
    let described = json!({ "thingTypeProperties": { "thingTypeDescription": "d" } });
    let regrouped = json!({ "thingName": "t", "thingGroupsToAdd": ["h", "k"], "thingGroupsToRemove": ["g"] });
    vec![
        (api.post("/thing-types/y"), vec!["thingType/y/created"]),
        (api.patch("/thing-types/y").json(described), vec!["thingType/y/updated"]),
        (api.post("/thing-types/z"), vec!["thingType/z/created"]),
        (api.post("/things/u"), vec!["thing/u/created"]),
        (
            api.post("/things/t").json(json!({ "thingTypeName": "y" })),
            vec!["thing/t/created", "thingTypeAssociation/thing/t/thingType/y/added"],
        ),
        (api.patch("/things/t").json(attributes("1")), vec!["thing/t/updated"]),
        (
            api.patch("/things/t").json(json!({ "thingTypeName": "z" })),
            vec![
                "thing/t/updated",
                "thingTypeAssociation/thing/t/thingType/y/removed",
                "thingTypeAssociation/thing/t/thingType/z/added",
            ],
        ),
        (
            api.patch("/things/t").json(json!({ "removeThingType": true })),
            vec!["thing/t/updated", "thingTypeAssociation/thing/t/thingType/z/removed"],
        ),
        (
            api.patch("/things/t").json(json!({ "thingTypeName": "y" })),
            vec!["thing/t/updated", "thingTypeAssociation/thing/t/thingType/y/added"],
        ),
        (api.post("/thing-groups/g"), vec!["thingGroup/g/created"]),
        (
            api.post("/thing-groups/h").json(json!({ "parentGroupName": "g" })),
            vec!["thingGroup/h/created", "thingGroupHierarchy/thingGroup/g/childThingGroup/h/added"],
        ),
        (api.post("/thing-groups/k"), vec!["thingGroup/k/created"]),
        (
            api.patch("/thing-groups/h").json(json!({ "thingGroupProperties": attributes("1") })),
            vec!["thingGroup/h/updated"],
        ),
        (enter("t", "g"), vec!["thingGroupMembership/thingGroup/g/thing/t/added"]),
        (
            api.put("/thing-groups/updateThingGroupsForThing").json(regrouped),
            vec![
                "thingGroupMembership/thingGroup/g/thing/t/removed",
                "thingGroupMembership/thingGroup/h/thing/t/added",
                "thingGroupMembership/thingGroup/k/thing/t/added",
            ],
        ),
        (
            api.put("/thing-groups/removeThingFromThingGroup").json(membership("t", "k")),
            vec!["thingGroupMembership/thingGroup/k/thing/t/removed"],
        ),
        (enter("u", "h"), vec!["thingGroupMembership/thingGroup/h/thing/u/added"]),
        (
            api.delete("/things/t"),
            vec![
                "thingGroupMembership/thingGroup/h/thing/t/removed",
                "thingTypeAssociation/thing/t/thingType/y/removed",
                "thing/t/deleted",
            ],
        ),
        // A thing is still in it: of that nothing is told.
        (
            api.delete("/thing-groups/h"),
            vec!["thingGroupHierarchy/thingGroup/g/childThingGroup/h/removed", "thingGroup/h/deleted"],
        ),
        (api.delete("/thing-groups/g"), vec!["thingGroup/g/deleted"]),
        (api.delete("/things/u"), vec!["thing/u/deleted"]),
        (api.post("/thing-types/y/deprecate"), vec!["thingType/y/updated"]),
        (api.post("/thing-types/y/deprecate").json(json!({ "undoDeprecate": true })), vec!["thingType/y/updated"]),
        (api.post("/thing-types/y/deprecate"), vec!["thingType/y/updated"]),
        (api.delete("/thing-types/y"), vec!["thingType/y/deleted"]),
    ]
}

async fn every_change_is_told_when_its_switch_is_on(api: Api) {
    let one_by_one = TYPES.map(|event_type| vec![event_type]);
    // Of these nothing is told.
    let others = vec!["JOB", "JOB_EXECUTION", "POLICY", "CERTIFICATE", "CA_CERTIFICATE"];
    let rounds = [TYPES.to_vec(), Vec::new(), others].into_iter().chain(one_by_one);
    for (round, switches) in rounds.enumerate() {
        let account = format!("{:012}", 500 + round);
        let api = api.of_account(&account).await;
        switch_on(&api, &switches).await;
        let levels: Vec<String> = switches.iter().map(|event_type| level(event_type)).collect();
        for (ask, topics) in story(&api) {
            let what = ask.what();
            if what.starts_with("DELETE /thing-types") {
                api.clock().advance_ms(5 * 60 * 1000);
            }
            ask.quietly().ok().await;
            let told = waiting(&api, &account, REGION).await;
            let told: Vec<&str> = told.iter().map(|(topic, _)| topic.as_str()).collect();
            let is_on = |topic: &&&str| levels.iter().any(|level| topic.split('/').next() == Some(level));
            let expected: Vec<&str> = topics.iter().filter(is_on).copied().collect();
            assert_eq!(told, expected, "{what} with {switches:?}");
        }
    }
}

async fn what_is_told_is_what_is_described(api: Api) {
    api.thing_type("y").await;
    api.billing_group("b").await;
    switch_on(&api, &TYPES).await;
    let now = NOW.as_millis();
    let body = json!({
        "thingTypeName": "y", "billingGroupName": "b", "attributePayload": { "attributes": { "a": "1" } },
    });
    let made = told(&api, api.post("/things/t").json(body)).await;
    let id = api.get("/things/t").quietly().ok().await["thingId"].clone();
    let arn = api.arn("thing/t");
    let expected = json!({
        "thingId": id, "thingName": "t", "versionNumber": 1, "thingTypeName": "y", "billingGroupName": "b",
        "attributes": { "a": "1" },
    });
    assert_eq!(Value::Object(checked(&made[0].1, "THING", "CREATED", now)), expected);
    let association = json!({ "thingId": id, "thingName": "t", "thingTypeName": "y" });
    assert_eq!(Value::Object(checked(&made[1].1, "THING_TYPE_ASSOCIATION", "ADDED", now)), association);
    assert_ne!(made[0].1["eventId"], made[1].1["eventId"]);

    api.clock().advance_ms(5);
    let changed = told(&api, api.patch("/things/t").json(json!({ "removeThingType": true }))).await;
    let expected = json!({
        "thingId": id, "thingName": "t", "versionNumber": 2, "thingTypeName": null, "billingGroupName": "b",
        "attributes": { "a": "1" },
    });
    assert_eq!(Value::Object(checked(&changed[0].1, "THING", "UPDATED", now + 5)), expected);
    assert_eq!(Value::Object(checked(&changed[1].1, "THING_TYPE_ASSOCIATION", "REMOVED", now + 5)), association);

    let group = api.post("/thing-groups/g").quietly().ok().await;
    waiting(&api, ACCOUNT, REGION).await;
    let (enter, leave) = ("/thing-groups/addThingToThingGroup", "/thing-groups/removeThingFromThingGroup");
    let mut ids = Vec::new();
    for (path, operation) in [(enter, "ADDED"), (leave, "REMOVED")] {
        let told = told(&api, api.put(path).json(membership("t", "g"))).await;
        let mut told = checked(&told[0].1, "THING_GROUP_MEMBERSHIP", operation, now + 5);
        ids.push(told.remove("membershipId").unwrap());
        let expected = json!({
            "groupArn": group["thingGroupArn"], "groupId": group["thingGroupId"], "thingArn": arn, "thingId": id,
        });
        assert_eq!(Value::Object(told), expected);
    }
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids[0].as_str().unwrap().len(), 36);

    let gone = told(&api, api.delete("/things/t")).await;
    let expected = json!({
        "thingId": id, "thingName": "t", "versionNumber": 2, "thingTypeName": null, "billingGroupName": "b",
        "attributes": { "a": "1" },
    });
    assert_eq!(Value::Object(checked(&gone[0].1, "THING", "DELETED", now + 5)), expected);

    let id = api.get("/thing-types/y").quietly().ok().await["thingTypeId"].clone();
    let body = json!({ "thingTypeProperties": { "thingTypeDescription": "d", "searchableAttributes": ["b", "a"] } });
    for (ask, is_deprecated, date) in [
        (api.patch("/thing-types/y").json(body), false, Value::Null),
        (api.post("/thing-types/y/deprecate"), true, json!(now + 5)),
    ] {
        let changed = told(&api, ask).await;
        let expected = json!({
            "thingTypeId": id, "thingTypeName": "y", "isDeprecated": is_deprecated, "deprecationDate": date,
            "searchableAttributes": ["a", "b"], "propagatingAttributes": [], "description": "d",
        });
        assert_eq!(Value::Object(checked(&changed[0].1, "THING_TYPE", "UPDATED", now + 5)), expected);
    }
}

async fn groups_are_told_with_all_that_lies_above_them(api: Api) {
    switch_on(&api, &["THING_GROUP", "THING_GROUP_HIERARCHY"]).await;
    let now = NOW.as_millis();
    let mut made = Vec::new();
    for (name, parent) in [("house", None), ("floor", Some("house")), ("room", Some("floor"))] {
        api.group(name, parent).await;
        made.push(api.get(format!("/thing-groups/{name}")).quietly().ok().await);
    }
    let told_of_making = waiting(&api, ACCOUNT, REGION).await;
    let root = json!({
        "thingGroupId": made[0]["thingGroupId"], "thingGroupName": "house", "versionNumber": 1,
        "parentGroupName": null, "parentGroupId": null, "description": null, "rootToParentThingGroups": [],
        "attributes": {}, "dynamicGroupMappingId": null,
    });
    assert_eq!(Value::Object(checked(&told_of_making[0].1, "THING_GROUP", "CREATED", now)), root);
    let above: Vec<Value> = made[..2]
        .iter()
        .map(|group| json!({ "groupArn": group["thingGroupArn"], "groupId": group["thingGroupId"] }))
        .collect();
    let mut leaf = json!({
        "thingGroupId": made[2]["thingGroupId"], "thingGroupName": "room", "versionNumber": 1,
        "parentGroupName": "floor", "parentGroupId": made[1]["thingGroupId"], "description": null,
        "rootToParentThingGroups": above, "attributes": {}, "dynamicGroupMappingId": null,
    });
    assert_eq!(Value::Object(checked(&told_of_making[3].1, "THING_GROUP", "CREATED", now)), leaf);
    let hierarchy = json!({
        "thingGroupId": made[1]["thingGroupId"], "thingGroupName": "floor",
        "childGroupId": made[2]["thingGroupId"], "childGroupName": "room",
    });
    assert_eq!(Value::Object(checked(&told_of_making[4].1, "THING_GROUP_HIERARCHY", "ADDED", now)), hierarchy);

    let properties = json!({ "thingGroupProperties": {
        "thingGroupDescription": "warm", "attributePayload": { "attributes": { "side": "north" } },
    } });
    let changed = told(&api, api.patch("/thing-groups/room").json(properties)).await;
    leaf["versionNumber"] = json!(2);
    leaf["description"] = json!("warm");
    leaf["attributes"] = json!({ "side": "north" });
    assert_eq!(Value::Object(checked(&changed[0].1, "THING_GROUP", "UPDATED", now)), leaf);
    let gone = told(&api, api.delete("/thing-groups/room")).await;
    assert_eq!(Value::Object(checked(&gone[0].1, "THING_GROUP_HIERARCHY", "REMOVED", now)), hierarchy);
    assert_eq!(Value::Object(checked(&gone[1].1, "THING_GROUP", "DELETED", now)), leaf);
}

async fn what_changes_nothing_is_not_told(api: Api) {
    let certificate = api.certificate().await;
    for name in ["t", "held"] {
        api.thing(name).await;
    }
    api.attach_to_thing("held", &certificate, false).await;
    api.thing_type("y").await;
    api.group("g", None).await;
    api.group("h", Some("g")).await;
    api.enter("t", "h").await;
    api.billing_group("b").await;
    switch_on(&api, &TYPES).await;
    let enter = |thing, group| api.put("/thing-groups/addThingToThingGroup").json(membership(thing, group));
    let leave = |thing, group| api.put("/thing-groups/removeThingFromThingGroup").json(membership(thing, group));
    for ask in [
        // Repeated.
        api.post("/things/t"),
        api.post("/thing-types/y"),
        api.post("/thing-groups/g"),
        enter("t", "h"),
        leave("t", "g"),
        api.patch("/thing-types/y").json(json!({ "thingTypeProperties": {} })),
        api.post("/thing-types/y/deprecate").json(json!({ "undoDeprecate": true })),
        api.delete("/things/nope"),
        api.delete("/thing-groups/nope"),
        // Of no concern for things, types and groups.
        api.put("/billing-groups/addThingToBillingGroup").json(json!({ "billingGroupName": "b", "thingName": "t" })),
        api.put("/things/t/principals").header("x-amzn-principal", &certificate.arn),
        api.delete("/things/t/principals").header("x-amzn-principal", &certificate.arn),
        // Refused.
        api.post("/things/t").json(json!({ "attributePayload": { "attributes": { "a": "1" } } })),
        api.post("/things/v").json(json!({ "thingTypeName": "nope" })),
        api.patch("/things/nope"),
        api.patch("/things/t").json(json!({ "thingTypeName": "nope" })),
        api.patch("/things/t").json(json!({ "expectedVersion": 7 })),
        api.delete("/things/held"),
        api.delete("/things/t?expectedVersion=7"),
        api.delete("/thing-types/y"),
        api.post("/thing-groups/k").json(json!({ "parentGroupName": "nope" })),
        api.patch("/thing-groups/g").json(json!({ "expectedVersion": 7, "thingGroupProperties": {} })),
        api.delete("/thing-groups/g"),
        enter("t", "g"),
        enter("t", "nope"),
        leave("nope", "g"),
        api.put("/thing-groups/updateThingGroupsForThing")
            .json(json!({ "thingName": "held", "thingGroupsToAdd": ["g", "h"] })),
    ] {
        let what = ask.what();
        assert_eq!(told(&api, ask).await, [], "{what}");
    }
    // All would have been told.
    assert_eq!(told(&api, api.delete("/things/t")).await.len(), 2);
}

async fn a_switch_holds_for_its_scope(api: Api) {
    switch_on(&api, &["THING"]).await;
    let neighbour = api.of_account("210987654321").await;
    neighbour.thing("t").await;
    api.in_region(OTHER_REGION).thing("t").await;
    assert_eq!(waiting(&api, "210987654321", REGION).await, []);
    assert_eq!(waiting(&api, ACCOUNT, OTHER_REGION).await, []);
    // From the next change on, and no longer than it is on.
    assert_eq!(told(&api, api.post("/things/t")).await.len(), 1);
    let off = json!({ "eventConfigurations": { "THING": { "Enabled": false } } });
    api.patch("/event-configurations").json(off).quietly().ok().await;
    assert_eq!(told(&api, api.delete("/things/t")).await, []);
}

async fn a_thing_that_is_deleted_leaves_every_group_that_it_entered(api: Api) {
    switch_on(&api, &["THING_GROUP_MEMBERSHIP"]).await;
    api.group("g", None).await;
    for round in 0..10 {
        let name = format!("t{round}");
        api.thing(&name).await;
        let enter = api.put("/thing-groups/addThingToThingGroup").json(membership(&name, "g"));
        let delete = api.delete(format!("/things/{name}"));
        tokio::join!(enter.quietly().send(), delete.quietly().ok());
        let told = waiting(&api, ACCOUNT, REGION).await;
        let told: Vec<&str> = told.iter().map(|(topic, _)| topic.rsplit('/').next().unwrap()).collect();
        assert!(told.is_empty() || told == ["added", "removed"], "{told:?}");
    }
}
