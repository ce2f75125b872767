"""Registry events: switched on with boto3, heard with paho, also by a client that was away and over a restart."""

import json

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from mqtt import Client

TYPES = [
    "THING",
    "THING_TYPE",
    "THING_TYPE_ASSOCIATION",
    "THING_GROUP",
    "THING_GROUP_MEMBERSHIP",
    "THING_GROUP_HIERARCHY",
]


@pytest.fixture
def own(start_server, account_of):
    """An account whose switches are the test's own."""
    return account_of(start_server())


def switch(account, is_on: bool, *names: str) -> None:
    account.iot.update_event_configurations(eventConfigurations={name: {"Enabled": is_on} for name in names})


def heard(client: Client, count: int) -> dict[str, dict]:
    """The next events by topic below `$aws/events`."""
    messages = [client.receive() for _ in range(count)]
    return {message.topic.removeprefix("$aws/events/"): json.loads(message.payload) for message in messages}


def lasting(account, device) -> Client:
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 3600
    return Client(account, device, "sleeper", connect_options={"clean_start": False, "properties": properties})


def test_the_switches_are_read_and_set(own):
    before = own.iot.describe_event_configurations()
    assert len(before["eventConfigurations"]) == 11
    assert not any(each["Enabled"] for each in before["eventConfigurations"].values())
    switch(own, True, "THING", "CA_CERTIFICATE")
    switch(own, False, "CA_CERTIFICATE")
    after = own.aws("iot", "describe-event-configurations")
    assert [name for name, each in after["eventConfigurations"].items() if each["Enabled"]] == ["THING"]
    assert after["creationDate"] <= after["lastModifiedDate"]


def test_what_becomes_of_things_types_and_groups_is_heard(own):
    iot = own.iot
    with Client(own, own.new_device(), "watcher") as watcher:
        for filters in ["thing/#", "thingType/#", "thingTypeAssociation/#"], ["thingGroup/#", "thingGroupMembership/#"]:
            watcher.subscribe(*(f"$aws/events/{each}" for each in filters), qos=1)
        watcher.subscribe("$aws/events/thingGroupHierarchy/thingGroup/+/childThingGroup/+/added", qos=1)
        iot.create_thing(thingName="untold")
        switch(own, True, *TYPES)
        iot.create_thing_type(thingTypeName="lamp")
        made = iot.create_thing(thingName="t", thingTypeName="lamp", attributePayload={"attributes": {"color": "red"}})
        iot.create_thing_group(thingGroupName="house")
        iot.create_thing_group(thingGroupName="room", parentGroupName="house")
        iot.add_thing_to_thing_group(thingName="t", thingGroupName="room")
        events = heard(watcher, 7)
        assert set(events) == {
            "thingType/lamp/created",
            "thing/t/created",
            "thingTypeAssociation/thing/t/thingType/lamp/added",
            "thingGroup/house/created",
            "thingGroup/room/created",
            "thingGroupHierarchy/thingGroup/house/childThingGroup/room/added",
            "thingGroupMembership/thingGroup/room/thing/t/added",
        }
        thing = events["thing/t/created"]
        assert (thing["thingId"], thing["attributes"]) == (made["thingId"], {"color": "red"})
        iot.delete_thing(thingName="t")
        assert heard(watcher, 3)["thing/t/deleted"]["operation"] == "DELETED"
        switch(own, False, "THING")
        iot.create_thing(thingName="u", thingTypeName="lamp")
        assert set(heard(watcher, 1)) == {"thingTypeAssociation/thing/u/thingType/lamp/added"}


def test_a_client_that_is_away_gets_it_also_over_a_kill(own):
    device = own.new_device()
    switch(own, True, "THING")
    with lasting(own, device) as sleeper:
        sleeper.subscribe("$aws/events/thing/+/created", qos=1)
    for number in range(3):
        own.iot.create_thing(thingName=f"before-{number}")
    own.server.kill()
    own.server.start()
    own.client("iot").create_thing(thingName="after")
    # What was just being published at the kill may come twice.
    awaited = {f"thing/before-{number}/created" for number in range(3)} | {"thing/after/created"}
    with lasting(own, device) as sleeper:
        assert sleeper.connack[0].session_present
        while awaited:
            awaited -= set(heard(sleeper, 1))
