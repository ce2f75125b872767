"""MQTT by AWS's rules, as paho and bare bytes see them."""

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from account import Account, Device
from eventually import eventually
from mqtt import V5, V311, Client, Closed, Refused
from raw_mqtt import (
    CONNACK_311_ACCEPTED,
    DISCONNECT,
    PINGREQ,
    PINGRESP,
    Wire,
    connect,
    packet,
    publish,
    subscribe,
    text,
)
from test_health import metric

BOTH = pytest.mark.parametrize("protocol", [V311, V5], ids=["3.1.1", "5"])


@pytest.fixture(scope="module")
def device(shared_account) -> Device:
    """A device that may do everything; tests use client ids and topics of their own."""
    return shared_account.new_device()


@pytest.fixture(scope="module")
def other(shared_account) -> Device:
    return shared_account.new_device()


def properties(kind: int, **values) -> Properties:
    made = Properties(kind)
    for name, value in values.items():
        setattr(made, name, value)
    return made


def with_will(account: Account, device: Device, client_id: str, topic: str, **how) -> Client:
    client = Client(account, device, client_id, **how)
    client.paho.will_set(topic, f"{client_id} is gone", qos=1)
    return client


def opened(account: Account, device: Device, client_id: str = "wire") -> Wire:
    """A connection of MQTT 3.1.1 that was let in."""
    wire = Wire(account, device)
    wire.send(connect(client_id))
    assert wire.read(4) == CONNACK_311_ACCEPTED
    return wire


@BOTH
@pytest.mark.parametrize("qos", [0, 1])
def test_a_message_reaches_its_subscriber(account, device, other, protocol, qos):
    topic = f"reach/{protocol}/{qos}"
    with Client(account, device, "reach-to", protocol=protocol) as to, Client(account, other, "reach-from", protocol=protocol) as sender:
        to.subscribe(topic, qos=qos)
        sender.publish(topic, "payload", qos=qos)
        message = to.receive()
        assert (message.topic, message.payload, message.qos, message.retain) == (topic, b"payload", qos, False)


def test_versions_meet_in_one_broker(account, device, other):
    with Client(account, device, "old", protocol=V311) as old, Client(account, other, "new", protocol=V5) as new:
        for client in (old, new):
            client.subscribe("meet/+")
        old.publish("meet/old", "1")
        new.publish("meet/new", "2")
        for client in (old, new):
            assert {client.receive().payload for _ in range(2)} == {b"1", b"2"}


def test_mqtt_5_is_told_what_the_server_takes(account, device):
    with Client(account, device, "told", protocol=V5, connect_options={"keepalive": 5}) as client:
        flags, _, told = client.connack
        assert not flags.session_present
        assert told.MaximumQoS == 1
        assert told.RetainAvailable == 1
        assert told.ReceiveMaximum == 100
        assert told.MaximumPacketSize == 149504
        assert told.TopicAliasMaximum == 8
        assert told.WildcardSubscriptionAvailable == 1
        assert told.SubscriptionIdentifierAvailable == 0
        assert told.SharedSubscriptionAvailable == 1
        assert told.ServerKeepAlive == 30
        assert told.SessionExpiryInterval == 0


def test_an_empty_client_id_gets_one(account, device):
    with Client(account, device, "", protocol=V5) as client, Client(account, device, "", protocol=V5) as another:
        ids = [each.connack[2].AssignedClientIdentifier for each in (client, another)]
        assert all(each.startswith("$GEN/") for each in ids)
        assert ids[0] != ids[1]


@BOTH
def test_a_client_id_belongs_to_the_newcomer(account, device, other, protocol):
    """Of whatever certificate: the policy says who may use which client id."""
    with Client(account, device, "taken", protocol=protocol) as first:
        first.subscribe("taken/x")
        with Client(account, other, "taken", protocol=protocol) as second:
            reason = first.wait_closed()
            if protocol == V5:
                assert reason.value == 0x8E
            second.publish("taken/x", "x")
            second.subscribe("taken/x")
            second.publish("taken/x", "mine")
            assert second.receive().payload == b"mine"
            assert second.messages.empty(), "subscriptions went with the former connection"


@pytest.mark.parametrize(
    ("topic_filter", "matching", "others"),
    [
        ("{}/sensor/#", ["sensor/", "sensor/a", "sensor/a/b"], ["sensor", "sensors/a", "Sensor/a"]),
        ("{}/+/b", ["a/b", "/b"], ["b", "a/b/c", "a/c"]),
        ("{}/+", ["a", ""], ["a/b"]),
        ("{}/a/+/#", ["a/x/", "a/x/y"], ["a/x", "a"]),
        ("{}/exact", ["exact"], ["exact/", "Exact", "exac"]),
    ],
)
def test_wildcards_match_as_aws_says(account, device, topic_filter, matching, others):
    root = "wild"
    with Client(account, device, root) as client:
        client.subscribe(topic_filter.format(root))
        for name in [*others, *matching]:
            client.publish(f"{root}/{name}", name)
        assert [client.receive().payload.decode() for _ in matching] == matching
        client.subscribe(f"{root}/last")
        client.publish(f"{root}/last", "last")
        assert client.receive().payload == b"last", "nothing else had matched"


def test_wildcards_at_the_beginning_do_not_see_reserved_topics(account, device):
    with Client(account, device, "no-dollar") as client:
        client.subscribe("#", "+/+/+")
        client.publish("a/b/c", "x")
        assert client.receive().topic == "a/b/c"


def test_overlapping_subscriptions_deliver_once_or_per_filter_but_not_lose(account, device):
    with Client(account, device, "overlap") as client:
        client.subscribe("over/+", "over/#", "over/x")
        client.publish("over/x", "1")
        assert client.receive().payload == b"1"


def test_unsubscribing_ends_delivery(account, device):
    with Client(account, device, "unsubscriber") as client:
        client.subscribe("un/a", "un/b")
        assert [code.value for code in client.unsubscribe("un/a", "un/never")] == [0x00, 0x11]
        client.publish("un/a", "a")
        client.publish("un/b", "b")
        assert client.receive().payload == b"b"


def test_messages_of_one_topic_keep_their_order(account, device, other):
    with Client(account, device, "order-to") as to, Client(account, other, "order-from") as sender:
        to.subscribe("order", qos=1)
        for n in range(300):
            sender.paho.publish("order", str(n), qos=1)
        assert [int(to.receive().payload) for _ in range(300)] == list(range(300))


def test_properties_of_mqtt_5_travel_with_the_message(account, device):
    sent = properties(
        PacketTypes.PUBLISH,
        PayloadFormatIndicator=1,
        ContentType="text/plain",
        ResponseTopic="answers/here",
        CorrelationData=b"42",
        MessageExpiryInterval=60,
    )
    sent.UserProperty = [("b", "1"), ("a", "2"), ("b", "3")]
    with Client(account, device, "properties") as client:
        client.subscribe("props", qos=1)
        client.publish("props", "x", properties=sent)
        got = client.receive().properties
        assert (got.PayloadFormatIndicator, got.ContentType, got.ResponseTopic, got.CorrelationData) == (1, "text/plain", "answers/here", b"42")
        assert got.UserProperty == [("b", "1"), ("a", "2"), ("b", "3")]
        assert 0 < got.MessageExpiryInterval <= 60


def test_topic_aliases_stand_for_topics(account, device):
    with Client(account, device, "aliases") as client:
        client.subscribe("aliased/topic", qos=1)
        client.publish("aliased/topic", "1", properties=properties(PacketTypes.PUBLISH, TopicAlias=1))
        client.publish("", "2", properties=properties(PacketTypes.PUBLISH, TopicAlias=1))
        received = [client.receive() for _ in range(2)]
        assert [(m.topic or "aliased/topic", m.payload) for m in received] == [("aliased/topic", b"1"), ("aliased/topic", b"2")]


# what is refused: how it is sent, and the reason code of MQTT 5's DISCONNECT
BROKEN = {
    "qos-2": (lambda client: client.paho.publish("broken", "x", qos=2), 0x9B),
    "subscribe-qos-2": (lambda client: client.paho.subscribe("broken", qos=2), 0x9B),
    "too-large": (lambda client: client.paho.publish("broken", b"x" * (128 * 1024 + 1), qos=1), 0x95),
    "far-too-large": (lambda client: client.paho.publish("broken", b"x" * 1_000_000, qos=1), 0x95),
    "nine-filters": (lambda client: client.paho.subscribe([(f"broken/{n}", 0) for n in range(9)]), 0x97),
}


@BOTH
@pytest.mark.parametrize("what", BROKEN)
def test_what_aws_does_not_take_ends_the_connection_with_a_reason(account, device, protocol, what):
    act, reason = BROKEN[what]
    with Client(account, device, f"broken-{what}", protocol=protocol) as client:
        act(client)
        told = client.wait_closed()
        if protocol == V5:
            assert told.value == reason, told
            assert client.close_properties.ReasonString


@BOTH
def test_the_largest_payload_passes(account, device, protocol):
    payload = bytes(range(256)) * 512
    assert len(payload) == 128 * 1024
    with Client(account, device, f"largest-{protocol}", protocol=protocol) as client:
        client.subscribe("largest", qos=1)
        client.publish("largest", payload)
        assert client.receive().payload == payload


@pytest.mark.parametrize(
    ("topic", "fits"),
    [
        ("/".join("a" * 8), True),
        ("/".join("a" * 9), False),
        ("x" * 256, True),
        ("x" * 257, False),
        ("ü" * 128, True),
        ("ü" * 129, False),
    ],
)
def test_topics_have_at_most_256_bytes_and_7_slashes(account, device, topic, fits):
    with Client(account, device, "topics") as client:
        assert client.publish(topic, "x").is_failure != fits
        assert client.subscribe(topic)[0].is_failure != fits
        assert not client.closed.is_set()


@pytest.mark.parametrize("topic_filter", ["a/#/b", "a#", "a+/b", "#/a", "$share/group", "+a"])
def test_a_filter_against_the_rules_is_refused_alone(account, device, topic_filter):
    with Wire(account, device) as wire:
        wire.send(connect("filters"), subscribe(topic_filter), subscribe("fine", packet_id=2))
        assert wire.read(4) == CONNACK_311_ACCEPTED
        assert wire.read(5) == b"\x90\x03\x00\x01\x80"
        assert wire.read(5) == b"\x90\x03\x00\x02\x00"


def test_fifty_subscriptions_and_no_more(account, device):
    with Client(account, device, "fifty") as client:
        for start in range(0, 50, 5):
            assert all(not code.is_failure for code in client.subscribe(*(f"fifty/{n}" for n in range(start, start + 5))))
        assert client.subscribe("fifty/one-more")[0].value == 0x97
        assert not client.subscribe("fifty/0")[0].is_failure, "again is not one more"
        client.unsubscribe("fifty/1")
        assert not client.subscribe("fifty/one-more")[0].is_failure


@BOTH
def test_a_will_is_delivered_when_the_connection_is_lost(account, device, other, protocol):
    with Client(account, other, "heir") as heir:
        heir.subscribe("wills/#", qos=1)
        client = with_will(account, device, "mortal", "wills/lost", protocol=protocol).connect()
        client.drop()
        message = heir.receive()
        assert (message.topic, message.payload) == ("wills/lost", b"mortal is gone")
        client.disconnect()


@BOTH
def test_a_will_is_not_delivered_after_a_goodbye(account, device, other, protocol):
    with Client(account, other, "heir") as heir:
        heir.subscribe("wills/#")
        with with_will(account, device, "polite", "wills/goodbye", protocol=protocol):
            pass
        with Client(account, device, "polite"):
            heir.publish("wills/marker", "marker")
        assert heir.receive().payload == b"marker"


def test_a_will_is_not_delivered_after_revocation(account, other):
    device = account.new_device()
    with Client(account, other, "heir") as heir:
        heir.subscribe("wills/#")
        client = with_will(account, device, "revoked", "wills/revoked").connect()
        account.set_status(device, "REVOKED")
        client.wait_closed()
        heir.publish("wills/marker", "marker")
        assert heir.receive().payload == b"marker"
        client.disconnect()


def test_a_will_is_delivered_when_somebody_takes_the_client_id(account, device, other):
    with Client(account, other, "heir") as heir:
        heir.subscribe("wills/#")
        with with_will(account, device, "robbed", "wills/robbed") as client, Client(account, device, "robbed"):
            client.wait_closed()
            assert heir.receive().payload == b"robbed is gone"


def test_a_will_is_delivered_when_the_device_breaks_the_rules(account, device, other):
    with Client(account, other, "heir") as heir:
        heir.subscribe("wills/#")
        with with_will(account, device, "rude", "wills/rude") as client:
            client.paho.subscribe("x", qos=2)
            client.wait_closed()
            assert heir.receive().payload == b"rude is gone"


def test_a_will_of_qos_2_is_refused_at_connect(account, device):
    client = Client(account, device, "will-rules")
    client.paho.will_set("wills/never", "x", qos=2)
    with pytest.raises(Refused) as refusal:
        client.connect()
    assert refusal.value.reason_code.value == 0x9B


def test_the_client_need_not_wait_for_connack(account, device):
    with Wire(account, device) as wire:
        wire.send(connect("eager"), subscribe("eager"), publish("eager", b"now"), PINGREQ, DISCONNECT)
        answers = wire.read_to_end()
    assert answers.startswith(CONNACK_311_ACCEPTED + b"\x90\x03\x00\x01\x00")
    assert PINGRESP in answers


def test_a_reason_is_told_behind_answers_that_wait(account, device):
    """QoS 2 in one segment with CONNECT: CONNACK, then DISCONNECT with the reason."""
    with Wire(account, device) as wire:
        wire.send(connect("hasty", version=5), packet(0x34, text("x") + b"\x00\x01\x00" + b"x"))
        assert wire.read_packet()[:4:3] == b"\x20\x00"
        assert wire.read_packet()[:3:2] == b"\xe0\x9b"


def test_packets_may_come_in_pieces(account, device):
    with Wire(account, device) as wire:
        for byte in connect("pieces") + PINGREQ:
            wire.send(bytes([byte]))
        assert wire.read(6) == CONNACK_311_ACCEPTED + PINGRESP


@pytest.mark.parametrize(
    "first",
    [
        publish("x", b"x"),
        PINGREQ,
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00" * 100,
        b"\x10\xff\xff\xff\xff\x7f",
        b"\x10\xff\xff\xff\x7f" + b"x" * 1000,
        packet(0x10, text("MQTT") + b"\x04\x01\x00\x3c" + text("reserved-flag")),
        packet(0x10, text("MQIsdp") + b"\x03\x02\x00\x3c" + text("old"))[:-1] + b"\xff",
        packet(0x10, text("MQTT") + b"\x04\x02\x00\x3c" + text(b"\xff\xfe")),
        packet(0x10, text("MQTT") + b"\x04\x02\x00\x3c" + text(b"nul\x00")),
    ],
)
def test_what_is_no_connect_gets_no_session(account, device, first):
    with Wire(account, device) as wire:
        wire.send(first, PINGREQ)
        assert PINGRESP not in wire.read_to_end()


def test_an_unknown_protocol_version_is_told(account, device):
    with Wire(account, device) as wire:
        wire.send(connect("future", version=6))
        assert wire.read_to_end() == b"\x20\x02\x00\x01"


@pytest.mark.parametrize(
    "malformed",
    [
        connect("again"),
        b"\x00\x00",
        b"\xf0\x00",
        b"\x20\x02\x00\x00",
        publish("a/+", b"x"),
        publish("#", b"x"),
        publish("", b"x"),
        publish(b"nul\x00", b"x"),
        publish(b"\xc3\x28", b"x"),
        publish("x", b"x", qos=1, packet_id=0),
        b"\x36\x03\x00\x01x",
        b"\x82\x02\x00\x01",
        b"\x80\x06\x00\x01\x00\x01x\x00",
        b"\x82\x06\x00\x01\x00\x01x\x03",
        b"\x62\x02\x00\x01",
        b"\xc0\x01\x00",
        b"\x30\xff\xff\xff\xff\xff",
    ],
)
def test_what_is_malformed_ends_the_connection(account, device, malformed):
    with opened(account, device, "malformed") as wire:
        wire.send(malformed, PINGREQ)
        assert PINGRESP not in wire.read_to_end()


def test_one_devices_nonsense_disturbs_no_other(account, device, other):
    with Client(account, other, "calm") as calm:
        calm.subscribe("calm")
        for n in range(20):
            with opened(account, device, f"noise-{n}") as wire:
                wire.send(bytes([n * 13 % 256]) * 500)
        calm.publish("calm", "still here")
        assert calm.receive().payload == b"still here"


def test_a_slow_subscriber_is_let_go_and_slows_nobody(account, device, other):
    """It subscribes with QoS 1 and never acknowledges nor reads."""
    with opened(account, device, "slow") as wire, Client(account, other, "quick") as quick:
        wire.send(subscribe("slow/x", qos=1))
        assert wire.read(5) == b"\x90\x03\x00\x01\x01"
        quick.subscribe("slow/x")
        for n in range(120):
            quick.publish("slow/x", bytes([n]) * 120_000)
            assert quick.receive().payload[0] == n
        wire.read_to_end()


def test_closing_at_any_moment_leaves_nothing_behind(account, device):
    before = metric(account.server, "gatehouse_connections")
    for length in range(1, 30):
        with Wire(account, device) as wire:
            wire.send((connect("cut-short") + subscribe("x"))[:length])
    eventually(lambda: metric(account.server, "gatehouse_connections") <= before, "all are gone")


def test_an_acknowledgement_of_nothing_is_ignored(account, device):
    with opened(account, device, "stray") as wire:
        wire.send(b"\x40\x02\x12\x34", PINGREQ)
        assert wire.read(2) == PINGRESP


def test_publishing_after_disconnect_is_not_heard(account, device, other):
    with Client(account, other, "listener") as listener:
        listener.subscribe("after/#")
        with opened(account, device, "after") as wire:
            wire.send(DISCONNECT, publish("after/goodbye", b"x"))
            wire.read_to_end()
        listener.publish("after/marker", "marker")
        assert listener.receive().payload == b"marker"


def test_a_refused_publish_of_mqtt_3_1_1_is_not_acknowledged(account):
    device = account.new_device({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}]})
    with pytest.raises(Closed), Client(account, device, protocol=V311) as client:
        client.publish("x", "x", qos=1)
