"""The data plane's operations besides Publish: boto3 with SigV4 on the shared port, curl with a certificate on that of HTTPS;
and the lifecycle events that a subscriber sees."""

import base64
import json
import socket
import time
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from eventually import eventually
from mqtt import V5, V311, Client
from test_https_signed import data_client, limited
from tools import curl

BASE = "arn:aws:iot:us-east-1:000000000000:"


@pytest.fixture
def data(account):
    """boto3's client of the data plane."""
    return data_client(account)


@pytest.fixture
def second_data(second_account, monkeypatch):
    """The same of the second account, whose endpoint's name no DNS knows: the connection goes to this machine."""
    host, port, resolve = second_account.data_host, second_account.server.alpn_port, socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda name, *rest, **how: resolve("127.0.0.1" if name == host else name, *rest, **how))
    return second_account.client("iot-data", f"https://{host}:{port}", verify=second_account.server.root_ca)


def ask(account, device, method: str, path: str, *options) -> tuple[int, str | None, dict]:
    """Status, error name and body of a request that curl makes with the device's certificate."""
    host, port = account.data_host, account.server.https_port
    done = curl(
        f"https://{host}:{port}{path}", root_ca=account.server.root_ca, device=device, port=port,
        options=["--include", "-X", method, *options],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    error = [line.partition(": ")[2].rstrip(":") for line in head.split("\n") if line.startswith("x-amzn-errortype")]
    return int(head.split()[1]), error[0] if error else None, json.loads(body) if body else {}


def refusal(call, **arguments) -> tuple[int, str, str]:
    """Status, code and message with which boto3 is refused."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    response = refused.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]


def allowing(*statements: tuple) -> dict:
    made = [
        {"Effect": effect, "Action": action, "Resource": resource} | ({"Condition": condition[0]} if condition else {})
        for effect, action, resource, *condition in statements
    ]
    return {"Version": "2012-10-17", "Statement": made}


def lasting(seconds: int, *, clean_start: bool = False) -> dict:
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = seconds
    return {"clean_start": clean_start, "properties": properties}


def until_gone(data, client_id: str) -> dict:
    return eventually(
        lambda: (found := data.get_connection(clientId=client_id)) and not found["connected"] and found, "the client is gone"
    )


# Retained messages


@contextmanager
def retained(data, messages: dict[str, bytes], **options):
    for topic, payload in messages.items():
        data.publish(topic=topic, qos=1, retain=True, payload=payload, **options)
    try:
        yield
    finally:
        for topic in messages:
            data.publish(topic=topic, qos=1, retain=True, payload=b"")


def test_a_retained_message_is_given_back_as_it_was_published(account, data):
    before = int(time.time() * 1000) - 1000
    properties = [{"name": "value"}, {"name": "other"}]
    with retained(data, {"plane/kept/a b": b"\x00\xffpayload"}, userProperties=json.dumps(properties)):
        got = data.get_retained_message(topic="plane/kept/a b")
        assert (got["topic"], got["payload"], got["qos"]) == ("plane/kept/a b", b"\x00\xffpayload", 1)
        assert before <= got["lastModifiedTime"] <= int(time.time() * 1000) + 1000
        assert json.loads(got["userProperties"]) == properties

        device = account.new_device()
        for path in ("/retainedMessage/plane/kept/a%20b", "/retainedMessage/plane%2Fkept%2Fa%20b"):
            status, _, body = ask(account, device, "GET", path)
            assert (status, base64.b64decode(body["payload"])) == (200, b"\x00\xffpayload")
            assert json.loads(base64.b64decode(body["userProperties"])) == properties
    status, code, _ = refusal(data.get_retained_message, topic="plane/kept/a b")
    assert (status, code) == (404, "ResourceNotFoundException")
    assert ask(account, account.new_device(), "GET", "/retainedMessage/plane/kept")[:2] == (404, "ResourceNotFoundException")


def test_retained_topics_are_listed_in_pages(second_account, second_data):
    messages = {f"page/{number}": b"x" * number for number in range(1, 6)}
    with retained(second_data, messages):
        topics, token = [], None
        sizes = []
        while True:
            page = second_data.list_retained_messages(maxResults=2, **({"nextToken": token} if token else {}))
            topics += page["retainedTopics"]
            sizes.append(len(page["retainedTopics"]))
            token = page.get("nextToken")
            if not token:
                break
        assert sizes == [2, 2, 1]
        assert {each["topic"]: each["payloadSize"] for each in topics} == {topic: len(body) for topic, body in messages.items()}
        assert all(each["qos"] == 1 and each["lastModifiedTime"] > 0 for each in topics)
        whole = ask(second_account, second_account.new_device(), "GET", "/retainedMessage")[2]
        assert len(whole["retainedTopics"]) == 5 and whole["nextToken"] is None
    assert second_data.list_retained_messages()["retainedTopics"] == []
    for query in ("maxResults=0", "maxResults=201", "maxResults=x", "nextToken=%21"):
        assert ask(second_account, second_account.new_device(), "GET", f"/retainedMessage?{query}")[:2] == (
            400,
            "InvalidRequestException",
        )


# GetConnection


def test_a_connection_is_shown_with_its_socket_and_then_why_it_ended(account, data):
    device = account.new_device()
    account.iot.create_thing(thingName="plane-thing")
    account.iot.attach_thing_principal(
        thingName="plane-thing", principal=device.certificate_arn, thingPrincipalType="EXCLUSIVE_THING"
    )
    with Client(account, device, "plane/seen", connect_options={"keepalive": 120} | lasting(300)) as client:
        got = data.get_connection(clientId="plane/seen", includeSocketInformation=True)
        assert (got["clientId"], got["connected"], got["thingName"]) == ("plane/seen", True, "plane-thing")
        assert (got["cleanSession"], got["keepAliveDuration"], got["sessionExpiry"]) == (False, 120, 300)
        assert abs(got["connectedSince"] - time.time() * 1000) < 60_000
        assert (got["sourceIp"], got["sourcePort"]) == client.paho.socket().getsockname()
        assert (got["targetIp"], got["targetPort"]) == ("127.0.0.1", account.server.mqtt_port)
        plain = data.get_connection(clientId="plane/seen")
        assert not {"sourceIp", "sourcePort", "targetIp", "targetPort"} & set(plain)
        status, _, body = ask(account, device, "GET", "/connections/plane%2Fseen?includeSocketInformation=TRUE")
        assert (status, body["sourceIp"]) == (200, "127.0.0.1")
    gone = until_gone(data, "plane/seen")
    assert gone["disconnectReason"] == "CLIENT_INITIATED_DISCONNECT"
    assert abs(gone["disconnectedSince"] - time.time() * 1000) < 60_000
    assert "connectedSince" not in gone


def test_how_a_client_without_a_session_went_is_remembered(account, data):
    client = Client(account, account.new_device(), "plane-lost", protocol=V311).connect()
    client.drop()
    assert until_gone(data, "plane-lost")["disconnectReason"] == "CONNECTION_LOST"
    assert refusal(data.get_connection, clientId="plane-never")[:2] == (404, "ResourceNotFoundException")


def test_socket_information_needs_a_policy_that_lets_it_be_seen(account, tmp_path):
    without = {"Bool": {"iot:IncludeSocketInformation": "false"}}
    statement = ("Allow", "iot:GetConnection", f"{BASE}client/plane-*", without)
    holder = limited(account, tmp_path, allowing(statement))
    device = account.new_device(allowing(statement, ("Allow", ["iot:Connect"], "*")))
    with Client(account, device, "plane-socket"):
        assert data_client(holder).get_connection(clientId="plane-socket")["connected"]
        status, code, _ = refusal(data_client(holder).get_connection, clientId="plane-socket", includeSocketInformation=True)
        assert (status, code) == (403, "ForbiddenException")
        assert ask(account, device, "GET", "/connections/plane-socket")[0] == 200
        answer = ask(account, device, "GET", "/connections/plane-socket?includeSocketInformation=true")
        assert answer[:2] == (403, "ForbiddenException")


# ListSubscriptions


def test_subscriptions_are_listed_in_pages_also_of_a_client_that_is_away(account, data):
    device = account.new_device()
    filters = [f"plane/subs/{number}" for number in range(5)]
    with Client(account, device, "plane-subs", connect_options=lasting(300)) as client:
        client.subscribe(*filters, qos=1)
        client.subscribe("plane/zero/+", qos=0)
        expected = {each: 1 for each in filters} | {"plane/zero/+": 0}
        for client_is in ("connected", "away"):
            found, token, sizes = {}, None, []
            while True:
                page = data.list_subscriptions(clientId="plane-subs", maxResults=4, **({"nextToken": token} if token else {}))
                found |= {each["topicFilter"]: each["qos"] for each in page["subscriptions"]}
                sizes.append(len(page["subscriptions"]))
                token = page.get("nextToken")
                if not token:
                    break
            assert (found, sizes) == (expected, [4, 2]), client_is
            if client_is == "connected":
                client.disconnect()
                until_gone(data, "plane-subs")
    whole = ask(account, device, "GET", "/connections/plane-subs/subscriptions")[2]
    assert len(whole["subscriptions"]) == 6 and whole["nextToken"] is None
    assert refusal(data.list_subscriptions, clientId="plane-never")[:2] == (404, "ResourceNotFoundException")


def test_the_path_tells_a_client_id_with_slashes_from_an_operation(account, data):
    device = account.new_device()
    with Client(account, device, "plane-a/subscriptions"), Client(account, device, "plane-a") as other:
        other.subscribe("plane/only/here")
        assert data.get_connection(clientId="plane-a/subscriptions")["clientId"] == "plane-a/subscriptions"
        assert data.list_subscriptions(clientId="plane-a/subscriptions")["subscriptions"] == []
        assert ask(account, device, "GET", "/connections/plane-a%2Fsubscriptions")[2]["clientId"] == "plane-a/subscriptions"
        body = ask(account, device, "GET", "/connections/plane-a/subscriptions")[2]
        assert [each["topicFilter"] for each in body["subscriptions"]] == ["plane/only/here"]


# DeleteConnection


@pytest.mark.parametrize("by", ["boto3", "curl"])
@pytest.mark.parametrize("clean", [False, True])
def test_a_deleted_connection_ends_with_its_session_where_asked_for(account, data, by, clean):
    device, client_id = account.new_device(), f"plane/delete-{by}-{clean}"
    client = Client(account, device, client_id, connect_options=lasting(300)).connect()
    client.subscribe("plane/deleted", qos=1)
    if by == "boto3":
        data.delete_connection(clientId=client_id, cleanSession=clean)
    else:
        query = "?cleanSession=true" if clean else ""
        assert ask(account, device, "DELETE", f"/connections/{quote(client_id, safe='')}{query}") == (200, None, {})
    assert client.wait_closed().value == 0x98
    client.disconnect()
    assert until_gone(data, client_id)["disconnectReason"] == "API_INITIATED_DISCONNECT"
    with Client(account, device, client_id, connect_options=lasting(0)) as back:
        assert back.connack[0].session_present is not clean
    assert refusal(data.delete_connection, clientId="plane-never")[:2] == (404, "ResourceNotFoundException")


def test_a_client_of_mqtt_3_1_1_is_cut_without_a_word(account, data):
    client = Client(account, account.new_device(), "plane-cut", protocol=V311).connect()
    data.delete_connection(clientId="plane-cut")
    client.wait_closed()
    client.disconnect()


@pytest.mark.parametrize("prevent", [False, True])
@pytest.mark.parametrize("clean", [False, True])
def test_the_will_is_published_unless_that_is_prevented(account, data, prevent, clean):
    with Client(account, account.new_device(), "plane-heir") as heir:
        heir.subscribe("plane/will", "plane/end", "$aws/events/presence/disconnected/plane-willing")
        client = Client(account, account.new_device(), "plane-willing", connect_options=lasting(300, clean_start=True))
        client.paho.will_set("plane/will", b"gone")
        client.connect()
        data.delete_connection(clientId="plane-willing", cleanSession=clean, preventWillMessage=prevent)
        client.wait_closed()
        client.disconnect()
        got = {}
        while "$aws/events/presence/disconnected/plane-willing" not in got or (not prevent and "plane/will" not in got):
            message = heir.receive()
            got[message.topic] = message.payload
        heir.publish("plane/end", b"")
        while (message := heir.receive()).topic != "plane/end":
            got[message.topic] = message.payload
        assert ("plane/will" in got) is not prevent
        event = json.loads(got["$aws/events/presence/disconnected/plane-willing"])
        assert (event["disconnectReason"], event["clientInitiatedDisconnect"]) == ("API_INITIATED_DISCONNECT", False)


# SendDirectMessage


@pytest.mark.parametrize("protocol", [V311, V5])
@pytest.mark.parametrize("confirmation", [False, True])
def test_a_direct_message_reaches_a_client_that_did_not_subscribe(account, data, protocol, confirmation):
    client_id = f"plane/direct-{int(protocol)}-{confirmation}"
    device = account.new_device()
    with Client(account, device, client_id, protocol=protocol) as client:
        answer = data.send_direct_message(
            clientId=client_id, topic="plane/direct", payload=b"hello", confirmation=confirmation, contentType="text/plain",
            userProperties=json.dumps([{"a": "b"}]), correlationData=base64.b64encode(b"c").decode(),
        )  # fmt: skip
        assert answer["message"] == "OK" and answer["traceId"]
        message = client.receive()
        assert (message.topic, message.payload, message.qos, message.retain) == ("plane/direct", b"hello", int(confirmation), False)
        if protocol == V5:
            assert message.properties.ContentType == "text/plain"
            assert message.properties.UserProperty == [("a", "b")]
            assert message.properties.CorrelationData == b"c"
        path = f"/connections/{quote(client_id, safe='')}/messages?topic=plane/direct&confirmation={confirmation}"
        assert ask(account, device, "POST", path, "--data-binary", "by curl")[0] == 200
        assert client.receive().payload == b"by curl"


def test_who_does_not_confirm_in_time_is_told_of(account, data):
    with Client(account, account.new_device(), "plane-slow", manual_ack=True) as client:
        began = time.monotonic()
        status, code, message = refusal(
            data.send_direct_message, clientId="plane-slow", topic="plane/direct", payload=b"x", confirmation=True, timeout=1
        )
        assert (status, code) == (504, "GatewayTimeoutException")
        assert "plane-slow" in message
        assert 0.9 <= time.monotonic() - began < 5
        assert client.receive().payload == b"x"


def test_a_receiver_needs_permission_and_a_connection(account, data):
    deaf = account.new_device(allowing(("Allow", ["iot:Connect", "iot:Subscribe"], "*")))
    send = data.send_direct_message
    with Client(account, deaf, "plane-deaf", connect_options=lasting(300)):
        status, code, message = refusal(send, clientId="plane-deaf", topic="plane/direct", payload=b"x")
        assert (status, code) == (403, "ForbiddenException")
        assert "plane-deaf" in message and "iot:Receive" in message
    until_gone(data, "plane-deaf")
    status, code, message = refusal(send, clientId="plane-deaf", topic="plane/direct", payload=b"x")
    assert (status, code) == (404, "ResourceNotFoundException")
    assert message == "The target client ID is not connected, but it has an active persistent session"
    status, code, message = refusal(send, clientId="plane-never", topic="plane/direct", payload=b"x")
    assert (status, code) == (404, "ResourceNotFoundException")
    assert message.startswith("The target client ID is not connected")
    assert "persistent" not in message


@pytest.mark.parametrize("query", ["", "topic=$aws/x", "topic=a/%23", "topic=a&timeout=0", "topic=a&timeout=16", "topic=a&confirmation=2"])
def test_a_direct_message_that_cannot_be_is_refused(account, query):
    answer = ask(account, account.new_device(), "POST", f"/connections/x/messages?{query}", "-d", "x")
    assert answer[:2] == (400, "InvalidRequestException")


def test_a_direct_message_has_the_size_of_a_message(account):
    payload = "x" * (128 * 1024 + 1)
    device = account.new_device()
    (account.folder / "large").write_text(payload)
    answer = ask(account, device, "POST", "/connections/x/messages?topic=a", "--data-binary", f"@{account.folder / 'large'}")
    assert answer[:2] == (413, "RequestEntityTooLargeException")


# All of them


CALLS = [
    ("iot:ListRetainedMessages", "list_retained_messages", {}, "GET", "/retainedMessage"),
    ("iot:GetRetainedMessage", "get_retained_message", {"topic": "a/b"}, "GET", "/retainedMessage/a/b"),
    ("iot:GetConnection", "get_connection", {"clientId": "x"}, "GET", "/connections/x"),
    ("iot:ListSubscriptions", "list_subscriptions", {"clientId": "x"}, "GET", "/connections/x/subscriptions"),
    ("iot:DeleteConnection", "delete_connection", {"clientId": "x"}, "DELETE", "/connections/x"),
    ("iot:SendDirectMessage", "send_direct_message", {"clientId": "x", "topic": "a"}, "POST", "/connections/x/messages?topic=a"),
    ("iot:RetainPublish", "publish", {"topic": "a", "retain": True}, "POST", "/topics/a?retain=true"),
    ("iot:Publish", "publish", {"topic": "a"}, "POST", "/topics/a"),
]  # fmt: skip


@pytest.mark.parametrize(("action", "call", "arguments", "method", "path"), CALLS, ids=[each[0] + each[4] for each in CALLS])
def test_each_operation_is_asked_of_the_policies(account, tmp_path, action, call, arguments, method, path):
    document = allowing(("Allow", "iot:*", "*"), ("Deny", action, "*"))
    status, code, message = refusal(getattr(data_client(limited(account, tmp_path, document)), call), **arguments)
    assert (status, code) == (403, "ForbiddenException")
    assert action in message
    assert ask(account, account.new_device(document), method, path)[:2] == (403, "ForbiddenException")


def test_who_may_send_is_decided_by_client_and_topic(account, tmp_path):
    statement = ("Allow", "iot:SendDirectMessage", f"{BASE}client/plane-x", {"StringLike": {"iot:Topic": "ok/*"}})
    data = data_client(limited(account, tmp_path, allowing(statement)))
    assert refusal(data.send_direct_message, clientId="plane-x", topic="ok/1")[0] == 404
    assert refusal(data.send_direct_message, clientId="plane-x", topic="no/1")[0] == 403
    assert refusal(data.send_direct_message, clientId="plane-y", topic="ok/1")[0] == 403


@pytest.mark.parametrize("client_id", ["$x", "x" * 129])
def test_a_client_id_that_none_can_have_is_invalid(account, data, client_id):
    device = account.new_device()
    for method, path in [("GET", ""), ("DELETE", ""), ("GET", "/subscriptions"), ("POST", "/messages?topic=a")]:
        answer = ask(account, device, method, f"/connections/{quote(client_id)}{path}")
        assert answer[:2] == (400, "InvalidRequestException"), path
    assert ask(account, device, "GET", "/connections/x?includeSocketInformation=maybe")[:2] == (400, "InvalidRequestException")


def test_clients_of_another_account_are_not_to_be_seen(account, second_account, data):
    with Client(second_account, second_account.new_device(), "plane-foreign") as client:
        for call, more in [
            (data.get_connection, {}), (data.list_subscriptions, {}), (data.delete_connection, {}),
            (data.send_direct_message, {"topic": "a"}),
        ]:  # fmt: skip
            assert refusal(call, clientId="plane-foreign", **more)[0] == 404
        client.publish("still/here", b"x")


# Lifecycle events


def test_a_subscriber_sees_the_life_of_a_client(account):
    device = account.new_device()
    account.iot.create_thing(thingName="plane-life")
    account.iot.attach_thing_principal(
        thingName="plane-life", principal=device.certificate_arn, thingPrincipalType="EXCLUSIVE_THING"
    )
    with Client(account, account.new_device(), "plane-watcher") as watcher:
        watcher.subscribe("$aws/events/+/+/plane-life", qos=1)
        with Client(account, device, "plane-life") as client:
            client.subscribe("plane/a", "plane/b")
            client.unsubscribe("plane/a")
        events = [json.loads(watcher.receive().payload) for _ in range(4)]
        assert [each["eventType"] for each in events] == ["connected", "subscribed", "unsubscribed", "disconnected"]
        for each in events:
            assert (each["clientId"], each["thingName"]) == ("plane-life", "plane-life")
            assert each["principalIdentifier"] == device.certificate_id
            assert abs(each["timestamp"] - time.time() * 1000) < 60_000
        assert len({each["sessionIdentifier"] for each in events}) == 1
        connected, subscribed, unsubscribed, disconnected = events
        assert connected["ipAddress"] == "127.0.0.1"
        assert subscribed["topics"] == ["plane/a", "plane/b"] and unsubscribed["topics"] == ["plane/a"]
        assert (disconnected["clientInitiatedDisconnect"], disconnected["disconnectReason"]) == (True, "CLIENT_INITIATED_DISCONNECT")
        assert connected["versionNumber"] == disconnected["versionNumber"]
        with Client(account, device, "plane-life"):
            again = json.loads(watcher.receive().payload)
            assert again["versionNumber"] > connected["versionNumber"]
            assert again["sessionIdentifier"] != connected["sessionIdentifier"]


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (lambda account, device, client: client.drop(), "CONNECTION_LOST"),
        (lambda account, device, client: Client(account, device, "plane-ends").connect().disconnect(), "DUPLICATE_CLIENTID"),
        (lambda account, device, client: data_client(account).delete_connection(clientId="plane-ends"), "API_INITIATED_DISCONNECT"),
        (lambda account, device, client: account.set_status(device, "REVOKED"), "AUTH_ERROR"),
    ],
    ids=["lost", "taken-over", "deleted", "revoked"],
)  # fmt: skip
def test_why_a_client_went_is_told(account, end, reason):
    device = account.new_device()
    with Client(account, account.new_device(), "plane-watcher") as watcher:
        watcher.subscribe("$aws/events/presence/disconnected/plane-ends", qos=1)
        client = Client(account, device, "plane-ends").connect()
        end(account, device, client)
        event = json.loads(watcher.receive().payload)
        assert (event["disconnectReason"], event["clientInitiatedDisconnect"]) == (reason, False)
        client.wait_closed()
        client.disconnect()


def test_a_connect_that_is_denied_is_told(account):
    device = account.new_device(allowing(("Allow", "iot:Connect", f"{BASE}client/other")))
    with Client(account, account.new_device(), "plane-watcher") as watcher:
        watcher.subscribe("$aws/events/presence/connect_failed/plane-denied", qos=1)
        with pytest.raises(Exception, match="policy"):
            Client(account, device, "plane-denied").connect()
        event = json.loads(watcher.receive().payload)
        assert (event["eventType"], event["connectFailureReason"]) == ("connect_failed", "AUTHORIZATION_FAILED")
        assert event["principalIdentifier"] == device.certificate_id
        assert event["ipAddress"] == "127.0.0.1" and event["sessionIdentifier"]
