"""What survives a restart, a clean one and a power cut: everything that was answered with success."""

import shutil
import socket

import pytest

from account import Account
from mqtt import Client, refused
from tools import openssl


@pytest.fixture(params=["stop", "kill"])
def restart(request):
    """Ends the server in one of two ways, and starts it again."""

    def again(account: Account) -> Account:
        getattr(account.server, request.param)()
        account.server.start()
        # The port is another one.
        return Account(account.server, account.credentials, account.folder)

    return again


@pytest.fixture
def account(start_server, account_of) -> Account:
    return account_of(start_server())


def test_the_registry_survives(account, restart):
    device, gone = account.new_device(), account.new_device()
    account.set_status(gone, "REVOKED")
    account.iot.create_thing(thingName="survivor", attributePayload={"attributes": {"a": "1"}})
    account.iot.attach_thing_principal(thingName="survivor", principal=device.certificate_arn)
    before = account.iot.describe_certificate(certificateId=device.certificate_id)["certificateDescription"]
    host = account.data_host
    again = restart(account)
    assert again.iot.describe_certificate(certificateId=device.certificate_id)["certificateDescription"] == before
    assert again.iot.list_principal_things(principal=device.certificate_arn)["things"] == ["survivor"]
    assert again.data_host == host
    with Client(again, device):
        pass
    assert "REVOKED" in refused(again, gone)


def test_the_authority_and_the_access_keys_survive(account, restart):
    root = account.server.root_ca.read_text()
    first = account.iot.create_keys_and_certificate()["certificatePem"]
    other = account.server.create_account()
    again = restart(account)
    assert again.server.root_ca.read_text() == root
    second = again.iot.create_keys_and_certificate()["certificatePem"]
    issuers = [openssl("x509", "-noout", "-issuer", "-ext", "authorityKeyIdentifier", given=pem) for pem in (first, second)]
    assert issuers[0] == issuers[1]
    Account(again.server, other, again.folder).iot.list_things()


def test_a_folder_that_lost_its_client_files_is_given_no_key(start_server):
    server = start_server()
    listed = ("access-key", "list", "--account", "000000000000")
    before = server.command(*listed)
    assert before.count("AKIA") == 1
    shutil.rmtree(server.data / "aws")
    assert server.command(*listed) == before


def test_a_marker_survives(account, restart):
    names = [f"thing-{n}" for n in range(3)]
    for name in names:
        account.iot.create_thing(thingName=name)
    first = account.iot.list_things(maxResults=2)
    again = restart(account)
    rest = again.iot.list_things(maxResults=2, nextToken=first["nextToken"])
    assert [thing["thingName"] for thing in first["things"] + rest["things"]] == names


def test_a_certificate_revoked_just_before_the_end_stays_revoked(account, restart):
    device = account.new_device()
    client = Client(account, device).connect()
    account.set_status(device, "REVOKED")
    again = restart(account)
    assert "REVOKED" in refused(again, device)
    client.disconnect()


def test_a_device_connects_again_by_itself_after_a_restart(start_server, account_of):
    """With a port that stays, as in real life."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    account = account_of(start_server(listen_mqtt=f"127.0.0.1:{port}"))
    device = account.new_device()
    client = Client(account, device)
    client.paho._reconnect_on_failure = True
    client.paho.reconnect_delay_set(1, 1)
    with client:
        client._opened.queue.clear()
        account.server.stop()
        client.wait_closed()
        account.server.start()
        while (outcome := client._opened.get(timeout=30)) is not None:
            assert "ended" in str(outcome)
        client.subscribe("back")
        client.publish("back", "again")
        assert client.receive().payload == b"again"
