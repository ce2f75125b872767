"""One certificate in several accounts and Regions: the host name picks the account, and each has its own word on it."""

import json
import queue

import pytest

from account import ALLOW_ALL, Account, Device
from authority import arn, new_authority, register, status
from mqtt import V311, Client, Refused, refused

REGIONS = "us-east-1,eu-west-1"


class Places:
    """Two accounts in two Regions of one server."""

    def __init__(self, server, tmp_path_factory):
        self.first, self.second = server.first_account(), server.create_account()
        self.server = server
        self.accounts = {
            (name, region): Account(server, credentials, tmp_path_factory.mktemp(f"{name}-{region}"), region=region)
            for name, credentials in (("first", self.first), ("second", self.second))
            for region in REGIONS.split(",")
        }
        self.all = list(self.accounts.values())
        self.ours = self.accounts["first", "us-east-1"]
        self.theirs = self.accounts["second", "us-east-1"]


@pytest.fixture(scope="module")
def places(start_module_server, tmp_path_factory) -> Places:
    return Places(start_module_server(sni="required", regions=REGIONS), tmp_path_factory)


def everywhere(places: Places, *, is_allowed: bool = True) -> list[Device]:
    """One certificate, registered in every place."""
    key, pem = places.ours.new_self_signed()
    devices = [account.register_without_ca(key, pem) for account in places.all]
    if is_allowed:
        for account, device in zip(places.all, devices):
            account.allow(device)
    return devices


def test_one_certificate_is_registered_in_every_account_and_region(places):
    devices = everywhere(places)
    assert len({device.certificate_id for device in devices}) == 1
    assert len({device.certificate_arn for device in devices}) == 4
    for account, device in zip(places.all, devices):
        assert device.certificate_arn == arn(account, device)
        told = account.iot.describe_certificate(certificateId=device.certificate_id)["certificateDescription"]
        assert (told["ownedBy"], told["certificateMode"]) == (account.credentials.account_id, "SNI_ONLY")


def test_the_host_name_picks_the_account(places):
    """Each account allows one client id of its own."""
    devices = everywhere(places, is_allowed=False)
    assert len({account.data_host for account in places.all}) == 4
    for index, (account, device) in enumerate(zip(places.all, devices)):
        resource = f"arn:aws:iot:{account.region}:{account.credentials.account_id}:client/at-{index}"
        statement = {"Effect": "Allow", "Action": "iot:Connect", "Resource": resource}
        account.allow(device, {"Version": "2012-10-17", "Statement": [statement]})
    for host in range(4):
        for client_id in range(4):
            account, device = places.all[host], devices[host]
            if host == client_id:
                with Client(account, device, f"at-{client_id}"):
                    pass
            else:
                assert "no policy" in refused(account, device, client_id=f"at-{client_id}")


def test_without_a_host_name_it_is_nobodys(places):
    device = everywhere(places)[0]
    assert "SNI" in refused(places.ours, device, server_name=None)
    assert "SNI_ONLY" in refused(places.ours, device, server_name="elsewhere.example", checks_name=False)


def test_topics_are_each_accounts_own(places):
    devices = everywhere(places)
    clients = [Client(account, device, "same-id").connect() for account, device in zip(places.all, devices)]
    try:
        for client in clients:
            client.subscribe("#", qos=1)
        for index, client in enumerate(clients):
            client.publish("same/topic", f"from {index}")
        for index, client in enumerate(clients):
            message = client.receive()
            assert (message.topic, message.payload) == ("same/topic", f"from {index}".encode())
        # One client id in four accounts: none took over another, and nothing else arrived.
        for client in clients:
            client.publish("end", "")
            assert client.receive().topic == "end"
            with pytest.raises(queue.Empty):
                client.messages.get_nowait()
            assert not client.closed.is_set()
    finally:
        for client in clients:
            client.disconnect()


def test_policies_are_each_accounts_own(places):
    ours, theirs = places.ours, places.theirs
    key, pem = ours.new_self_signed()
    mine, yours = (account.register_without_ca(key, pem) for account in (ours, theirs))
    name = "same-policy-name"
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iot:*", "Resource": "*"}]}
    for account, device, document in [(ours, mine, ALLOW_ALL), (theirs, yours, deny)]:
        account.iot.create_policy(policyName=name, policyDocument=json.dumps(document))
        account.iot.attach_policy(policyName=name, target=device.certificate_arn)
    with Client(ours, mine, "same-policy"):
        assert refused(theirs, yours, client_id="same-policy")
    theirs.iot.detach_policy(policyName=name, target=yours.certificate_arn)
    with Client(ours, mine, "same-policy"):
        pass


@pytest.mark.parametrize("end", ["INACTIVE", "REVOKED", "deleted", "detached"])
def test_what_one_account_does_leaves_the_others_connected(places, end):
    devices = everywhere(places)
    clients = [Client(account, device, f"end-{end}").connect() for account, device in zip(places.all, devices)]
    try:
        gone, lost = 2, devices[2]
        account = places.all[gone]
        if end == "detached":
            account.forget_policies(lost)
        else:
            account.set_status(lost, "REVOKED" if end == "REVOKED" else "INACTIVE")
        if end == "deleted":
            account.iot.delete_certificate(certificateId=lost.certificate_id, forceDelete=True)
        if end != "detached":
            clients[gone].wait_closed()
        assert refused(account, lost, client_id=f"end-{end}")
        for index in {0, 1, 3}:
            clients[index].publish("still", "here")
            assert not clients[index].closed.is_set()
            with Client(places.all[index], devices[index], f"again-{index}"):
                pass
    finally:
        for client in clients:
            client.disconnect()


def test_one_sni_only_ca_vouches_in_each_account_for_itself(places, tmp_path):
    ca = new_authority(tmp_path)
    for account in places.all:
        register(account, ca, "SNI_ONLY")
    leaf = ca.new_device()
    for index, account in enumerate(places.all):
        # Turning up in one account registers there alone.
        assert status(account, leaf) is None
        assert "PENDING_ACTIVATION" in refused(account, leaf, client_id="vouched")
        assert status(account, leaf) == "PENDING_ACTIVATION"
        told = account.iot.describe_certificate(certificateId=leaf.certificate_id)["certificateDescription"]
        assert (told["certificateMode"], told["caCertificateId"]) == ("SNI_ONLY", ca.id)
        assert [status(other, leaf) for other in places.all[index + 1 :]] == [None] * (3 - index)
    ours, theirs = places.ours, places.theirs
    ours.set_status(leaf, "ACTIVE")
    ours.iot.attach_policy(policyName=ours.new_policy(), target=arn(ours, leaf))
    with Client(ours, leaf, "vouched"):
        assert "PENDING_ACTIVATION" in refused(theirs, leaf, client_id="vouched")
    theirs.set_status(leaf, "REVOKED")
    assert "REVOKED" in refused(theirs, leaf, client_id="vouched")
    with Client(ours, leaf, "vouched"):
        pass


def test_a_ca_that_one_account_switches_off_vouches_in_the_other(places, tmp_path):
    ca = new_authority(tmp_path)
    for account in (places.ours, places.theirs):
        register(account, ca, "SNI_ONLY")
    places.ours.iot.update_ca_certificate(certificateId=ca.id, newStatus="INACTIVE")
    leaf = ca.new_device()
    assert "not registered" in refused(places.ours, leaf)
    assert "PENDING_ACTIVATION" in refused(places.theirs, leaf)
    assert [status(account, leaf) for account in (places.ours, places.theirs)] == [None, "PENDING_ACTIVATION"]


def test_events_of_just_in_time_registration_stay_in_their_account(places, tmp_path):
    ca = new_authority(tmp_path)
    for account in (places.ours, places.theirs):
        register(account, ca, "SNI_ONLY")
    listeners = [Client(account, account.new_device(), "operator").connect() for account in (places.ours, places.theirs)]
    try:
        for listener in listeners:
            listener.subscribe(f"$aws/events/certificates/registered/{ca.id}", "marker", qos=1)
        leaf = ca.new_device()
        assert refused(places.theirs, leaf)
        event = json.loads(listeners[1].receive().payload)
        assert event["awsAccountId"] == places.second.account_id
        listeners[0].publish("marker", "")
        assert listeners[0].receive().topic == "marker"
    finally:
        for listener in listeners:
            listener.disconnect()


def test_a_default_ca_of_one_account_is_no_reason_to_register_in_another(places, tmp_path):
    ca = new_authority(tmp_path)
    register(places.ours, ca)
    leaf = ca.new_device()
    assert "not registered" in refused(places.theirs, leaf)
    assert status(places.theirs, leaf) is None
    assert status(places.ours, leaf) is None


def test_a_certificate_registered_just_in_time_in_default_mode_is_its_accounts(places, tmp_path):
    """Renewed with its key, a CA is two records that two accounts can prove; the leaf is for whom it turns up at first."""
    one = new_authority(tmp_path, "/O=Fleet/CN=Proven twice")
    two = new_authority(tmp_path, "/O=Fleet/CN=Proven twice", key=one.key)
    register(places.ours, one)
    register(places.theirs, two)
    leaf = one.new_device()
    assert "PENDING_ACTIVATION" in refused(places.ours, leaf)
    assert "not registered" in refused(places.theirs, leaf)
    assert [status(account, leaf) for account in (places.ours, places.theirs)] == ["PENDING_ACTIVATION", None]


def test_a_certificate_of_both_modes_needs_no_name_for_its_default_account(start_server, account_of, tmp_path):
    ours = account_of(start_server(sni="optional"))
    theirs = Account(ours.server, ours.server.create_account(), tmp_path)
    device = ours.new_device()
    foreign = theirs.register_without_ca(device.key.with_suffix(".copy"), device.certificate.read_text())
    theirs.allow(foreign)
    # It has the same files; only the name tells.
    with Client(ours, device, "both", server_name=None):
        pass
    with Client(theirs, device, "both"):
        pass
    ours.set_status(device, "REVOKED")
    assert "REVOKED" in refused(ours, device, client_id="both", server_name=None)
    with Client(theirs, device, "both"):
        pass


def test_the_older_endpoint_type_picks_the_account_too(places):
    devices = everywhere(places, is_allowed=False)
    places.theirs.allow(devices[2])
    hosts = [account.iot.describe_endpoint(endpointType="iot:Data")["endpointAddress"] for account in places.all]
    with Client(places.theirs, devices[2], "older", server_name=hosts[2]):
        pass
    for index in {0, 1, 3}:
        assert "no policy" in refused(places.all[index], devices[index], client_id="older", server_name=hosts[index])


def test_mqtt_3_1_1_is_told_apart_as_well(places):
    devices = everywhere(places, is_allowed=False)
    places.ours.allow(devices[0])
    with Client(places.ours, devices[0], "old", protocol=V311):
        with pytest.raises(Refused):
            Client(places.theirs, devices[2], "old", protocol=V311).connect()
