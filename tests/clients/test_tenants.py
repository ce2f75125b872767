"""Two accounts on one server: nothing of one is seen, changed or heard by the other."""

import json

import pytest
from botocore.exceptions import ClientError

from account import Account
from api import call
from mqtt import Client, refused


@pytest.fixture(scope="module")
def ours(shared_server, tmp_path_factory) -> Account:
    return Account(shared_server, shared_server.create_account(), tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def theirs(shared_server, tmp_path_factory) -> Account:
    """An account with one of everything, and enough for a second page."""
    account = Account(shared_server, shared_server.create_account(), tmp_path_factory.mktemp("theirs"))
    account.device = account.new_device(is_attached=False)
    account.policy = account.new_policy()
    account.thing = "their-thing"
    account.iot.create_thing(thingName=account.thing, attributePayload={"attributes": {"secret": "42"}})
    account.iot.attach_policy(policyName=account.policy, target=account.device.certificate_arn)
    account.iot.attach_thing_principal(thingName=account.thing, principal=account.device.certificate_arn)
    account.policy_arn = account.iot.get_policy(policyName=account.policy)["policyArn"]
    account.iot.tag_resource(resourceArn=account.policy_arn, tags=[{"Key": "secret", "Value": "42"}])
    for _ in range(2):
        account.new_device()
        account.iot.create_thing(thingName=f"their-thing-{account._next()}")
    return account


def state(account: Account) -> str:
    """Everything an account can see of itself."""
    iot = account.iot
    found = [
        sorted(iot.list_certificates(pageSize=250)["certificates"], key=lambda each: each["certificateId"]),
        iot.list_things(maxResults=250)["things"],
        [iot.get_policy(policyName=each["policyName"]) for each in iot.list_policies(pageSize=250)["policies"]],
        iot.list_tags_for_resource(resourceArn=account.policy_arn)["tags"],
        iot.list_attached_policies(target=account.device.certificate_arn)["policies"],
        iot.list_thing_principals(thingName=account.thing)["principals"],
        iot.describe_certificate(certificateId=account.device.certificate_id)["certificateDescription"],
    ]
    for answered in found[2]:
        del answered["ResponseMetadata"]
    return json.dumps(found, default=str)


def attempts(theirs: Account) -> list[tuple[str, dict]]:
    """Every operation that takes a name, an id or an ARN, with those of the other account."""
    certificate, arn = theirs.device.certificate_id, theirs.device.certificate_arn
    document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})
    return [
        ("describe_certificate", {"certificateId": certificate}),
        ("update_certificate", {"certificateId": certificate, "newStatus": "REVOKED"}),
        ("delete_certificate", {"certificateId": certificate, "forceDelete": True}),
        ("get_policy", {"policyName": theirs.policy}),
        ("get_policy_version", {"policyName": theirs.policy, "policyVersionId": "1"}),
        ("list_policy_versions", {"policyName": theirs.policy}),
        ("create_policy_version", {"policyName": theirs.policy, "policyDocument": document, "setAsDefault": True}),
        ("set_default_policy_version", {"policyName": theirs.policy, "policyVersionId": "1"}),
        ("delete_policy_version", {"policyName": theirs.policy, "policyVersionId": "1"}),
        ("delete_policy", {"policyName": theirs.policy}),
        ("attach_policy", {"policyName": theirs.policy, "target": arn}),
        ("detach_policy", {"policyName": theirs.policy, "target": arn}),
        ("attach_principal_policy", {"policyName": theirs.policy, "principal": arn}),
        ("detach_principal_policy", {"policyName": theirs.policy, "principal": arn}),
        ("list_attached_policies", {"target": arn}),
        ("list_principal_policies", {"principal": arn}),
        ("list_targets_for_policy", {"policyName": theirs.policy}),
        ("list_policy_principals", {"policyName": theirs.policy}),
        ("get_effective_policies", {"principal": arn}),
        ("describe_thing", {"thingName": theirs.thing}),
        ("update_thing", {"thingName": theirs.thing, "attributePayload": {"attributes": {"secret": "0"}}}),
        ("delete_thing", {"thingName": theirs.thing}),
        ("attach_thing_principal", {"thingName": theirs.thing, "principal": arn}),
        ("detach_thing_principal", {"thingName": theirs.thing, "principal": arn}),
        ("list_thing_principals", {"thingName": theirs.thing}),
        ("list_thing_principals_v2", {"thingName": theirs.thing}),
        ("list_principal_things", {"principal": arn}),
        ("list_principal_things_v2", {"principal": arn}),
        ("list_tags_for_resource", {"resourceArn": theirs.policy_arn}),
        ("tag_resource", {"resourceArn": theirs.policy_arn, "tags": [{"Key": "mine", "Value": "now"}]}),
        ("untag_resource", {"resourceArn": theirs.policy_arn, "tagKeys": ["secret"]}),
        ("test_authorization", {"principal": arn, "authInfos": [{"actionType": "PUBLISH", "resources": ["*"]}]}),
    ]


def test_no_operation_reaches_into_another_account(ours, theirs):
    before = state(theirs)
    for operation, arguments in attempts(theirs):
        try:
            answered = getattr(ours.iot, operation)(**arguments)
        except ClientError as refusal:
            assert refusal.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 404), operation
            assert refusal.response["Error"]["Code"] in ("ResourceNotFoundException", "InvalidRequestException"), operation
            continue
        # What AWS answers with success although nothing is there says nothing of what is there.
        answered.pop("ResponseMetadata")
        told = json.dumps(answered)
        assert theirs.device.certificate_id not in told and '"42"' not in told, operation
        assert operation in ("detach_policy", "delete_thing") or not any(answered.values()), (operation, answered)
    assert state(theirs) == before


def test_what_exists_elsewhere_is_answered_like_what_exists_nowhere(ours, theirs):
    """The very words: or else one could ask whether a stranger has registered a certificate or a name."""
    unknown = "0" * 64
    for path, real, made_up in [
        ("/certificates/{}", theirs.device.certificate_id, unknown),
        ("/things/{}", theirs.thing, "nobodys-thing"),
        ("/policies/{}", theirs.policy, "nobodys-policy"),
    ]:
        first, second = (call(ours, "GET", path.format(name)) for name in (real, made_up))
        assert (first.status, first.error) == (second.status, second.error)
        assert first.message.replace(real, "") == second.message.replace(made_up, "")
    target = "/attached-policies/arn%3Aaws%3Aiot%3Aus-east-1%3A{}%3Acert%2F{}"
    own = ours.credentials.account_id
    first, second = (call(ours, "POST", target.format(own, name)) for name in (theirs.device.certificate_id, unknown))
    assert (first.status, first.error) == (second.status, second.error)


def test_listings_show_ones_own_alone(ours, theirs):
    assert ours.iot.list_certificates(pageSize=250)["certificates"] == []
    assert ours.iot.list_things(maxResults=250)["things"] == []
    assert ours.iot.list_policies(pageSize=250)["policies"] == []
    arns = [each["certificateArn"] for each in theirs.iot.list_certificates(pageSize=250)["certificates"]]
    assert arns and all(f":{theirs.credentials.account_id}:" in arn for arn in arns)


def test_a_marker_of_one_account_is_worth_nothing_in_another(ours, theirs):
    for listing, size, token_in, token_out in [
        ("list_certificates", "pageSize", "marker", "nextMarker"),
        ("list_policies", "pageSize", "marker", "nextMarker"),
        ("list_things", "maxResults", "nextToken", "nextToken"),
    ]:
        token = getattr(theirs.iot, listing)(**{size: 1})[token_out]
        getattr(theirs.iot, listing)(**{token_in: token})
        with pytest.raises(ours.iot.exceptions.InvalidRequestException):
            getattr(ours.iot, listing)(**{token_in: token})


def test_one_name_stands_for_two_things_in_two_accounts(ours, theirs):
    ours.iot.create_thing(thingName=theirs.thing, attributePayload={"attributes": {"secret": "mine"}})
    assert theirs.iot.describe_thing(thingName=theirs.thing)["attributes"] == {"secret": "42"}
    ours.iot.delete_thing(thingName=theirs.thing)
    theirs.iot.describe_thing(thingName=theirs.thing)


def test_our_policy_is_not_attached_to_their_certificate(ours, theirs):
    policy = ours.new_policy()
    own_form = theirs.device.certificate_arn.replace(theirs.credentials.account_id, ours.credentials.account_id)
    for target in [theirs.device.certificate_arn, own_form]:
        with pytest.raises(ClientError):
            ours.iot.attach_policy(policyName=policy, target=target)
    ours.iot.delete_policy(policyName=policy)


def test_endpoints_differ(ours, theirs):
    assert ours.data_host != theirs.data_host


def test_messages_and_wills_stay_in_their_account(ours, theirs):
    our_device, their_device = ours.new_device(), theirs.new_device()
    with Client(ours, our_device, "listener") as listener, Client(theirs, their_device, "their-listener") as their_listener:
        for client in (listener, their_listener):
            client.subscribe("#", qos=1)
        dying = Client(theirs, their_device, "dying")
        dying.paho.will_set("shared/will", "their will", qos=1)
        with dying:
            dying.publish("shared/topic", "their message")
            dying.drop()
        assert [their_listener.receive().payload for _ in range(2)] == [b"their message", b"their will"]
        listener.publish("shared/topic", "our message")
        assert listener.receive().payload == b"our message"
        assert listener.messages.empty()
        with Client(theirs, their_device, "marker") as marker:
            marker.publish("marker", "marker")
        assert their_listener.receive().payload == b"marker"


def test_a_client_id_is_ones_own_in_each_account(ours, theirs):
    with Client(ours, ours.new_device(), "same") as here, Client(theirs, theirs.new_device(), "same") as there:
        for client in (here, there):
            client.subscribe("same")
            client.publish("same", "alive")
            assert client.receive().payload == b"alive"
        assert not here.closed.is_set()


def test_a_certificate_opens_its_own_accounts_door_alone(ours, theirs):
    device = ours.new_device()
    for host in [theirs.data_host, "localhost"]:
        assert "not registered in the account" in refused(ours, device, server_name=host)
    with Client(ours, device):
        pass


def test_a_policy_cannot_name_another_accounts_topics(ours, theirs):
    """Even a policy that allows their topics by ARN leads nowhere: the topic of a message is one's own account's."""
    statement = {"Effect": "Allow", "Action": "iot:*", "Resource": f"arn:aws:iot:us-east-1:{theirs.credentials.account_id}:*"}
    device = ours.new_device({"Version": "2012-10-17", "Statement": [statement]})
    assert "iot:Connect" in refused(ours, device)
    assert "not registered" in refused(ours, device, server_name=theirs.data_host)
