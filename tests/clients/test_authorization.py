"""What policies let a connected device do, asked anew at every operation."""

import json

import pytest

from account import Account, Device
from eventually import eventually
from mqtt import V5, V311, Client, Closed, Refused, refused
from test_health import metric

CONNECT = {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}


def arn(kind: str, name: str, account: str = "*") -> str:
    return f"arn:aws:iot:*:{account}:{kind}/{name}"


def allow(action: str, *resources: str, **more) -> dict:
    return {"Effect": "Allow", "Action": action, "Resource": list(resources) or "*", **more}


def deny(action: str, *resources: str, **more) -> dict:
    return allow(action, *resources, **more) | {"Effect": "Deny"}


def policy(*statements: dict) -> dict:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def may_publish(client: Client, topic: str) -> bool:
    """MQTT 5 with QoS 1 tells in the PUBACK, and the connection goes on."""
    code = client.publish(topic, "x")
    assert code.value in (0x00, 0x10, 0x87), code
    return code.value != 0x87


def may_subscribe(client: Client, topic_filter: str) -> bool:
    (code,) = client.subscribe(topic_filter)
    return not code.is_failure


def attached(account: Account, device: Device) -> str:
    (one,) = account.iot.list_attached_policies(target=device.certificate_arn)["policies"]
    return one["policyName"]


def put(account: Account, name: str, document: dict) -> None:
    """The policy's new default version."""
    account.iot.create_policy_version(policyName=name, policyDocument=json.dumps(document), setAsDefault=True)


def test_nothing_is_allowed_that_no_policy_allows(account):
    device = account.new_device(policy(CONNECT))
    with Client(account, device) as client:
        assert not may_publish(client, "a")
        assert not may_subscribe(client, "a")


def test_each_action_is_asked_by_its_own_resource(account):
    device = account.new_device(
        policy(
            allow("iot:Connect", arn("client", "fine-*")),
            allow("iot:Publish", arn("topic", "out/${iot:ClientId}/*")),
            allow("iot:Subscribe", arn("topicfilter", "in/${iot:ClientId}/#")),
            allow("iot:Receive", arn("topic", "in/${iot:ClientId}/*")),
        )
    )
    assert "iot:Connect" in refused(account, device, client_id="coarse")
    with Client(account, device, "fine-1") as client:
        assert may_publish(client, "out/fine-1/x")
        assert not may_publish(client, "out/fine-2/x")
        assert not may_publish(client, "in/fine-1/x")
        assert may_subscribe(client, "in/fine-1/#")
        assert not may_subscribe(client, "in/fine-1/x")
        assert not may_subscribe(client, "in/fine-2/#")
        assert not may_subscribe(client, "in/#")
        assert not may_subscribe(client, "#")


def test_a_client_id_with_wildcards_does_not_widen_a_policy(account):
    """The value of a variable stands for itself: a device called * is no device but *."""
    device = account.new_device(
        policy(CONNECT, allow("iot:Publish", arn("topic", "own/${iot:ClientId}")), allow("iot:Subscribe", arn("topicfilter", "own/${iot:ClientId}")))
    )
    for client_id in ["*", "?", "+", "#", "a/b"]:
        with Client(account, device, client_id) as client:
            assert not may_publish(client, "own/other")
            assert not may_publish(client, "own/other/deep")
            assert not may_subscribe(client, "own/other")


def test_a_deny_wins_over_every_allow(account):
    device = account.new_device(policy(CONNECT, allow("iot:Publish"), deny("iot:Publish", arn("topic", "secret/*"))))
    account.allow(device)
    with Client(account, device) as client:
        assert may_publish(client, "open")
        assert not may_publish(client, "secret/x")


def test_policies_of_another_account_or_region_in_an_arn_allow_nothing(account):
    device = account.new_device(
        policy(
            CONNECT,
            allow("iot:Publish", "arn:aws:iot:us-east-1:000000000000:topic/exact", "arn:aws:iot:us-east-1:111111111111:topic/account"),
            allow("iot:Publish", "arn:aws:iot:eu-west-1:000000000000:topic/region", "arn:aws-cn:iot:us-east-1:000000000000:topic/partition"),
        )
    )
    with Client(account, device) as client:
        assert [may_publish(client, topic) for topic in ("exact", "account", "region", "partition")] == [True, False, False, False]


@pytest.mark.parametrize(
    "change",
    ["detach", "new default version", "older default version", "deny attached"],
)
def test_a_change_of_policy_is_effective_at_the_next_operation(account, change):
    device = account.new_device(policy(CONNECT))
    open_, closed = policy(CONNECT, allow("iot:Publish")), policy(CONNECT)
    name = account.allow(device, closed if change == "older default version" else open_)
    if change == "older default version":
        put(account, name, open_)
    with Client(account, device) as client:
        assert may_publish(client, "x")
        if change == "detach":
            account.iot.detach_policy(policyName=name, target=device.certificate_arn)
        elif change == "new default version":
            put(account, name, closed)
        elif change == "older default version":
            account.iot.set_default_policy_version(policyName=name, policyVersionId="1")
        else:
            account.allow(device, policy(deny("iot:Publish")))
        assert not may_publish(client, "x")
        assert not client.closed.is_set(), "a change of policy ends no connection"


def test_a_permission_given_is_there_at_once(account):
    device = account.new_device(policy(CONNECT))
    with Client(account, device) as client:
        assert not may_publish(client, "x")
        name = account.allow(device, policy(allow("iot:Publish")))
        assert may_publish(client, "x")
        account.iot.detach_policy(policyName=name, target=device.certificate_arn)
        account.iot.delete_policy(policyName=name)
        assert not may_publish(client, "x")
        # A new policy of the old name is not attached to anything.
        account.iot.create_policy(policyName=name, policyDocument=json.dumps(policy(allow("iot:Publish"))))
        assert not may_publish(client, "x")


def test_taking_iot_connect_away_ends_no_connection_and_lets_nobody_in(account):
    device = account.new_device()
    with Client(account, device) as client:
        name = attached(account, device)
        put(account, name, policy(allow("iot:Publish")))
        assert may_publish(client, "x")
    assert "iot:Connect" in refused(account, device)


def test_who_may_not_receive_gets_nothing_though_subscribed(account, server):
    publisher = account.new_device()
    device = account.new_device()
    name = attached(account, device)
    with Client(account, publisher, "publisher") as sender, Client(account, device, "receiver") as client:
        assert may_subscribe(client, "news/#")
        sender.publish("news/1", "before")
        assert client.receive().payload == b"before"

        withheld = metric(server, "gatehouse_messages_withheld_total")
        put(account, name, policy(CONNECT, allow("iot:Subscribe"), allow("iot:Receive"), deny("iot:Receive", arn("topic", "news/*"))))
        sender.publish("news/2", "meanwhile")
        eventually(lambda: metric(server, "gatehouse_messages_withheld_total") > withheld, "the message is withheld")
        assert client.messages.empty()

        put(account, name, policy(CONNECT, allow("iot:Receive")))
        sender.publish("news/3", "after")
        assert client.receive().payload == b"after"


def test_receive_is_asked_of_the_messages_topic_and_not_of_the_filter(account):
    device = account.new_device(policy(CONNECT, allow("iot:Subscribe"), allow("iot:Publish"), allow("iot:Receive", arn("topic", "mix/yes"))))
    with Client(account, device) as client:
        client.subscribe("mix/+")
        client.publish("mix/no", "no")
        client.publish("mix/yes", "yes")
        assert client.receive().payload == b"yes"
        assert client.messages.empty()


def test_a_refused_publish_tells_mqtt_5_by_puback_and_ends_the_rest(account):
    device = account.new_device(policy(CONNECT))
    with Client(account, device, protocol=V5) as client:
        assert client.publish("x", "x", qos=1).value == 0x87
        client.paho.publish("x", "x", qos=0)
        assert client.wait_closed().value == 0x87
        assert "iot:Publish" in client.close_properties.ReasonString
    for qos in (0, 1):
        with Client(account, device, protocol=V311) as client:
            client.paho.publish("x", "x", qos=qos)
            client.wait_closed()


def test_a_refused_subscription_refuses_its_filter_alone(account):
    device = account.new_device(policy(CONNECT, allow("iot:Subscribe", arn("topicfilter", "yes"))))
    with Client(account, device, protocol=V5) as client:
        assert [code.value for code in client.subscribe("no", "yes")] == [0x87, 0]
    with Client(account, device, protocol=V311) as client:
        assert [code.value for code in client.subscribe("no", "yes")] == [0x80, 0]


def test_thing_variables_are_those_of_the_thing_that_the_client_id_names(account):
    device = account.new_device(
        policy(
            allow("iot:Connect", arn("client", "${iot:Connection.Thing.ThingName}")),
            allow("iot:Publish", arn("topic", "${iot:Connection.Thing.Attributes[room]}/${iot:Connection.Thing.ThingName}")),
        )
    )
    for name, room in [("lamp", "kitchen"), ("radio", "bath")]:
        account.iot.create_thing(thingName=f"{name}-{device.certificate_id[:8]}", attributePayload={"attributes": {"room": room}})
    lamp, radio = (f"{name}-{device.certificate_id[:8]}" for name in ("lamp", "radio"))
    assert refused(account, device, client_id=lamp), "not attached yet"
    account.iot.attach_thing_principal(thingName=lamp, principal=device.certificate_arn)
    assert refused(account, device, client_id=radio), "another thing"
    with Client(account, device, lamp) as client:
        assert may_publish(client, f"kitchen/{lamp}")
        assert not may_publish(client, f"bath/{lamp}")
        # Attributes are looked up anew, and so are attachments.
        account.iot.update_thing(thingName=lamp, attributePayload={"attributes": {"room": "bath"}})
        assert may_publish(client, f"bath/{lamp}")
        assert not may_publish(client, f"kitchen/{lamp}")
        account.iot.detach_thing_principal(thingName=lamp, principal=device.certificate_arn)
        assert not may_publish(client, f"bath/{lamp}")
    assert refused(account, device, client_id=lamp)


def test_is_attached_tells_things_from_strangers(account):
    condition = {"Bool": {"iot:Connection.Thing.IsAttached": ["true"]}}
    device = account.new_device(policy(allow("iot:Connect", arn("client", "${iot:ClientId}"), Condition=condition)))
    name = f"attached-{device.certificate_id[:8]}"
    assert refused(account, device, client_id=name)
    account.iot.create_thing(thingName=name)
    account.iot.attach_thing_principal(thingName=name, principal=device.certificate_arn)
    with Client(account, device, name):
        pass
    assert refused(account, device, client_id="anyone-else")


def test_certificate_variables_are_those_of_the_certificate(account):
    variables = [
        "iot:CertificateId",
        "iot:Certificate.Subject.CommonName",
        "iot:Certificate.Subject.Organization",
        "iot:Certificate.Issuer.CommonName",
        "iot:Certificate.Subject.Country",
    ]
    document = policy(CONNECT, *(allow("iot:Publish", arn("topic", f"{n}/${{{name}}}")) for n, name in enumerate(variables)))
    device = account.register_without_ca(*account.new_self_signed("/O=Fleet/CN=lamp 7"))
    account.allow(device, document)
    with Client(account, device) as client:
        for n, value in enumerate([device.certificate_id, "lamp 7", "Fleet", "lamp 7"]):
            assert may_publish(client, f"{n}/{value}"), variables[n]
            assert not may_publish(client, f"{n}/other"), variables[n]
        # What the certificate does not have allows nothing, not even the empty string.
        assert not may_publish(client, "4/")
        assert not may_publish(client, "4/x")


def test_a_common_name_with_wildcards_does_not_widen_a_policy(account):
    """Whoever registers a self-made certificate chooses its names."""
    device = account.register_without_ca(*account.new_self_signed("/CN=*"))
    account.allow(device, policy(CONNECT, allow("iot:Publish", arn("topic", "own/${iot:Certificate.Subject.CommonName}"))))
    with Client(account, device) as client:
        # AWS does not put such a value in place at all ("X.509 Certificate policy variable limitations").
        assert not may_publish(client, "own/*")
        assert not may_publish(client, "own/other")


def test_conditions_on_the_connection_are_asked(account):
    device = account.new_device(
        policy(
            allow("iot:Connect", Condition={"StringEquals": {"iot:DomainName": account.data_host}}),
            allow("iot:Publish", arn("topic", "here"), Condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}),
            allow("iot:Publish", arn("topic", "there"), Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}),
        )
    )
    assert refused(account, device, server_name="localhost")
    with Client(account, device) as client:
        assert may_publish(client, "here")
        assert not may_publish(client, "there")


def test_a_will_needs_the_right_to_publish_it(account):
    device = account.new_device(policy(CONNECT, allow("iot:Publish", arn("topic", "wills/mine"))))

    def connect(topic: str) -> None:
        client = Client(account, device)
        client.paho.will_set(topic, "gone", qos=1)
        with client:
            pass

    connect("wills/mine")
    with pytest.raises(Refused) as refusal:
        connect("wills/other")
    assert refusal.value.reason_code.value == 0x87


def test_a_policy_change_in_one_account_changes_nothing_in_another(account, second_account):
    """Two policies of one name."""
    devices = []
    for each in (account, second_account):
        each.iot.create_policy(policyName="same-name", policyDocument=json.dumps(policy(CONNECT, allow("iot:Publish"))))
        device = each.new_device(is_attached=False)
        each.iot.attach_policy(policyName="same-name", target=device.certificate_arn)
        devices.append(device)
    with Client(account, devices[0]) as here, Client(second_account, devices[1]) as there:
        put(second_account, "same-name", policy(CONNECT))
        assert may_publish(here, "x")
        assert not may_publish(there, "x")


def test_reserved_topics_stay_closed_whatever_a_policy_says(account):
    device = account.new_device()
    with Client(account, device, protocol=V5) as client:
        code = client.publish("$aws/things/x/shadow/update", "{}")
        assert code.is_failure
        assert client.subscribe("$aws/nothing/of/ours")[0].is_failure
    with Client(account, device, protocol=V311) as client, pytest.raises(Closed):
        client.publish("$aws/events/presence/connected/x", "{}")
