//! Every event with its topic and its payload.

use super::*;
use crate::topic::{ReservedTopic, TopicFilter, may_publish, may_subscribe};

fn name(text: &str) -> ThingName {
    text.parse().unwrap()
}

fn occasion() -> Occasion {
    Occasion {
        scope: Scope::new("123456789012".parse().unwrap(), "us-east-1".parse().unwrap()),
        at: Timestamp::from_millis(1_800_000_000_123),
        event_id: std::array::from_fn(|index| u8::try_from(index * 16 + 1).unwrap()),
    }
}

/// What every event has, and `more`.
fn event(event_type: &str, operation: &str, more: Value) -> Value {
    let mut event = json!({
        "eventType": event_type,
        "eventId": "01112131415161718191a1b1c1d1e1f1",
        "timestamp": 1_800_000_000_123_i64,
        "operation": operation,
        "accountId": "123456789012",
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

fn told(happened: RegistryEvent<'_>) -> (String, Value) {
    let message = happened.message(&occasion()).unwrap();
    assert_eq!((message.scope, message.told_at), (occasion().scope, occasion().at));
    let filter = TopicFilter::parse(message.topic.as_str()).unwrap();
    assert_eq!(may_subscribe(&filter), Ok(()), "{filter}");
    assert_eq!(may_publish(&message.topic), Err(ReservedTopic::SubscribeOnly), "{filter}");
    (message.topic.as_str().to_owned(), serde_json::from_str(&message.payload).unwrap())
}

#[test]
fn things_are_told() {
    let (lamp, kind, bill) = (name("lamp:1"), name("kind"), name("bill"));
    let attributes = BTreeMap::from([("color".to_owned(), "red".to_owned())]);
    let bare = ThingTold {
        name: &lamp,
        id: "t-1",
        version: 7,
        thing_type_name: None,
        billing_group_name: None,
        attributes: &BTreeMap::new(),
    };
    let full =
        ThingTold { thing_type_name: Some(&kind), billing_group_name: Some(&bill), attributes: &attributes, ..bare };
    let bare_told = json!({
        "thingId": "t-1", "thingName": "lamp:1", "versionNumber": 7, "thingTypeName": null, "billingGroupName": null,
        "attributes": {},
    });
    let full_told = json!({
        "thingId": "t-1", "thingName": "lamp:1", "versionNumber": 7, "thingTypeName": "kind",
        "billingGroupName": "bill", "attributes": { "color": "red" },
    });
    for (change, thing, last, operation, more) in [
        (Change::Created, bare, "created", "CREATED", bare_told.clone()),
        (Change::Updated, full, "updated", "UPDATED", full_told),
        (Change::Deleted, bare, "deleted", "DELETED", bare_told),
    ] {
        let expected = (format!("$aws/events/thing/lamp:1/{last}"), event("THING_EVENT", operation, more));
        assert_eq!(told(RegistryEvent::Thing(change, thing)), expected);
    }
}

#[test]
fn thing_types_are_told() {
    let kind = name("kind");
    let (plain, full) = (
        Properties::default(),
        Properties {
            description: Some("a \"kind\"".into()),
            searchable_attributes: ["b".to_owned(), "a".to_owned()].into(),
        },
    );
    let in_use = ThingTypeTold { name: &kind, id: "y-1", deprecated_at: None, properties: &plain };
    let deprecated = ThingTypeTold { deprecated_at: Some(Timestamp::from_millis(5)), properties: &full, ..in_use };
    let in_use_told = json!({
        "thingTypeId": "y-1", "thingTypeName": "kind", "isDeprecated": false, "deprecationDate": null,
        "searchableAttributes": [], "propagatingAttributes": [], "description": null,
    });
    let deprecated_told = json!({
        "thingTypeId": "y-1", "thingTypeName": "kind", "isDeprecated": true, "deprecationDate": 5,
        "searchableAttributes": ["a", "b"], "propagatingAttributes": [], "description": "a \"kind\"",
    });
    for (change, thing_type, last, operation, more) in [
        (Change::Created, in_use, "created", "CREATED", in_use_told),
        (Change::Updated, deprecated, "updated", "UPDATED", deprecated_told.clone()),
        (Change::Deleted, deprecated, "deleted", "DELETED", deprecated_told),
    ] {
        let expected = (format!("$aws/events/thingType/kind/{last}"), event("THING_TYPE_EVENT", operation, more));
        assert_eq!(told(RegistryEvent::ThingType(change, thing_type)), expected);
    }
}

#[test]
fn thing_groups_are_told() {
    let group = name("room");
    let attributes = BTreeMap::from([("side".to_owned(), "north".to_owned())]);
    let above = [GroupId { name: name("house"), id: "g-1".into() }, GroupId { name: name("floor"), id: "g-2".into() }];
    let root = ThingGroupTold {
        name: &group,
        id: "g-3",
        version: 1,
        ancestors: &[],
        description: None,
        attributes: &BTreeMap::new(),
    };
    let leaf = ThingGroupTold { ancestors: &above, description: Some("warm"), attributes: &attributes, ..root };
    let root_told = json!({
        "thingGroupId": "g-3", "thingGroupName": "room", "versionNumber": 1, "parentGroupName": null,
        "parentGroupId": null, "description": null, "rootToParentThingGroups": [], "attributes": {},
        "dynamicGroupMappingId": null,
    });
    let leaf_told = json!({
        "thingGroupId": "g-3", "thingGroupName": "room", "versionNumber": 1, "parentGroupName": "floor",
        "parentGroupId": "g-2", "description": "warm",
        "rootToParentThingGroups": [
            { "groupArn": "arn:aws:iot:us-east-1:123456789012:thinggroup/house", "groupId": "g-1" },
            { "groupArn": "arn:aws:iot:us-east-1:123456789012:thinggroup/floor", "groupId": "g-2" },
        ],
        "attributes": { "side": "north" }, "dynamicGroupMappingId": null,
    });
    for (change, group, last, operation, more) in [
        (Change::Created, root, "created", "CREATED", root_told.clone()),
        (Change::Updated, leaf, "updated", "UPDATED", leaf_told),
        (Change::Deleted, root, "deleted", "DELETED", root_told),
    ] {
        let expected = (format!("$aws/events/thingGroup/room/{last}"), event("THING_GROUP_EVENT", operation, more));
        assert_eq!(told(RegistryEvent::ThingGroup(change, group)), expected);
    }
}

#[test]
fn what_belongs_together_is_told() {
    let (lamp, kind, room) = (name("lamp"), name("kind"), name("room"));
    let floor = GroupId { name: name("floor"), id: "g-2".into() };
    for (link, last, operation) in [(Link::Added, "added", "ADDED"), (Link::Removed, "removed", "REMOVED")] {
        let association =
            RegistryEvent::ThingTypeAssociation { link, thing_name: &lamp, thing_id: "t-1", thing_type_name: &kind };
        let mut expected = event(
            "THING_TYPE_ASSOCIATION_EVENT",
            operation,
            json!({ "thingId": "t-1", "thingName": "lamp", "thingTypeName": "kind" }),
        );
        expected.as_object_mut().unwrap().remove("accountId");
        let topic = format!("$aws/events/thingTypeAssociation/thing/lamp/thingType/kind/{last}");
        assert_eq!(told(association), (topic, expected));

        let membership = RegistryEvent::ThingGroupMembership {
            link,
            thing_name: &lamp,
            thing_id: "t-1",
            group_name: &room,
            group_id: "g-3",
            membership_id: "m-1",
        };
        let expected = event(
            "THING_GROUP_MEMBERSHIP_EVENT",
            operation,
            json!({
                "groupArn": "arn:aws:iot:us-east-1:123456789012:thinggroup/room", "groupId": "g-3",
                "thingArn": "arn:aws:iot:us-east-1:123456789012:thing/lamp", "thingId": "t-1", "membershipId": "m-1",
            }),
        );
        let topic = format!("$aws/events/thingGroupMembership/thingGroup/room/thing/lamp/{last}");
        assert_eq!(told(membership), (topic, expected));

        let hierarchy = RegistryEvent::ThingGroupHierarchy { link, parent: &floor, child_name: &room, child_id: "g-3" };
        let expected = event(
            "THING_GROUP_HIERARCHY_EVENT",
            operation,
            json!({
                "thingGroupId": "g-2", "thingGroupName": "floor", "childGroupId": "g-3", "childGroupName": "room",
            }),
        );
        let topic = format!("$aws/events/thingGroupHierarchy/thingGroup/floor/childThingGroup/room/{last}");
        assert_eq!(told(hierarchy), (topic, expected));
    }
}

#[test]
fn the_longest_names_have_a_topic_too() {
    // Longer than a client may write: it subscribes with a wildcard.
    let (parent, child) = (GroupId { name: name(&"p".repeat(128)), id: "g-1".into() }, name(&"c".repeat(128)));
    let happened =
        RegistryEvent::ThingGroupHierarchy { link: Link::Added, parent: &parent, child_name: &child, child_id: "g-2" };
    let message = happened.message(&occasion()).unwrap();
    assert!(message.topic.as_str().len() > crate::limits::TOPIC_BYTES);
    let filter = TopicFilter::parse("$aws/events/thingGroupHierarchy/#").unwrap();
    assert!(crate::topic::matches(&filter, &message.topic));
}
