"""A certificate that is switched off loses its live connections, and no other certificate does."""

import threading

import pytest

from account import Account, Device
from mqtt import V5, V311, Client, refused
from raw_mqtt import CONNACK_311_ACCEPTED, PINGREQ, PINGRESP, Wire, connect


def is_alive(client: Client) -> bool:
    """Whether the connection still carries a message to the server and back."""
    topic = f"alive/{client.paho._client_id.decode()}"
    client.subscribe(topic)
    client.publish(topic, "alive")
    return client.receive().payload == b"alive"


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
@pytest.mark.parametrize("protocol", [V311, V5], ids=["3.1.1", "5"])
def test_leaving_active_cuts_all_connections_of_the_certificate_and_no_others(account, status, protocol):
    device, other = account.new_device(), account.new_device()
    with (
        Client(account, device, "one", protocol=protocol) as first,
        Client(account, device, "two", protocol=protocol) as second,
        Client(account, other, "three", protocol=protocol) as bystander,
    ):
        account.set_status(device, status)
        for client in (first, second):
            reason = client.wait_closed()
            if protocol == V5:
                assert reason.value == 0x87
                assert status in client.close_properties.ReasonString
        assert is_alive(bystander)
    assert status in refused(account, device)


def test_a_device_is_let_in_again_when_its_certificate_is_active_again(account):
    device = account.new_device()
    with Client(account, device) as client:
        account.set_status(device, "INACTIVE")
        client.wait_closed()
    account.set_status(device, "ACTIVE")
    with Client(account, device) as client:
        assert is_alive(client)


def test_setting_active_again_disturbs_nobody(account):
    device = account.new_device()
    with Client(account, device) as client:
        account.set_status(device, "ACTIVE")
        assert is_alive(client)
        assert not client.closed.is_set()


def test_one_certificate_in_two_accounts_is_cut_in_the_one_that_revokes_it(account, second_account):
    key, pem = account.new_self_signed()
    devices = [each.register_without_ca(key, pem) for each in (account, second_account)]
    for each, device in zip((account, second_account), devices, strict=True):
        each.allow(device)
    with Client(account, devices[0], "shared") as here, Client(second_account, devices[1], "shared") as there:
        assert is_alive(here) and is_alive(there), "one client id in two accounts is two sessions"
        account.set_status(devices[0], "REVOKED")
        here.wait_closed()
        assert is_alive(there)
    assert "REVOKED" in refused(account, devices[0])
    with Client(second_account, devices[1]):
        pass


def test_one_certificate_in_two_regions_is_cut_in_the_one_that_revokes_it(start_server, account_of, tmp_path):
    east = account_of(start_server(regions="us-east-1,eu-west-1"))
    west = Account(east.server, east.credentials, tmp_path, region="eu-west-1")
    key, pem = east.new_self_signed()
    devices = [each.register_without_ca(key, pem) for each in (east, west)]
    east.allow(devices[0])
    west.allow(devices[1])
    with Client(east, devices[0], "shared") as here, Client(west, devices[1], "shared") as there:
        west.set_status(devices[1], "REVOKED")
        there.wait_closed()
        assert is_alive(here)


def test_a_device_that_says_nothing_is_cut_as_well(account):
    """It need not send anything for the server to notice."""
    device = account.new_device()
    with Wire(account, device) as wire:
        wire.send(connect("quiet"))
        assert wire.read(4) == CONNACK_311_ACCEPTED
        account.set_status(device, "REVOKED")
        assert wire.read_to_end() == b""


def test_a_device_that_does_not_read_is_cut_as_well(account):
    """Its socket is full of messages that it does not take: the order to close does not wait behind them."""
    device, publisher = account.new_device(), account.new_device()
    with Wire(account, device) as wire, Client(account, publisher, "flooder") as flooder:
        wire.send(connect("stuffed"), b"\x82\x0a\x00\x01\x00\x05flood\x00")
        assert wire.read(9) == CONNACK_311_ACCEPTED + b"\x90\x03\x00\x01\x00"
        for _ in range(150):
            flooder.publish("flood", b"x" * 100_000)
        account.set_status(device, "REVOKED")
        wire.read_to_end()
    assert "REVOKED" in refused(account, device)


def test_between_handshake_and_connect_the_certificate_is_looked_at_once_more(account):
    """Admission happened with the handshake; a certificate revoked since then does not get in by a late CONNECT."""
    device = account.new_device()
    with Wire(account, device) as wire:
        # A byte of CONNECT, so that the server is known to be past the handshake.
        wire.send(connect("late")[:1])
        account.set_status(device, "REVOKED")
        try:
            wire.send(connect("late")[1:], PINGREQ)
        except OSError:
            return
        assert PINGRESP not in wire.read_to_end()


def test_every_change_of_status_finds_the_connections_made_meanwhile(account):
    """Off and on, with a connection each time: none is left behind by the one before."""
    device = account.new_device()
    for _ in range(5):
        with Client(account, device) as client:
            account.set_status(device, "INACTIVE")
            client.wait_closed()
        account.set_status(device, "ACTIVE")


def test_two_at_once_one_certificate_is_revoked_while_it_connects_again_and_again(account):
    """Whatever the interleaving, nobody is connected in the end."""
    device: Device = account.new_device()
    let_go = threading.Event()
    still_open: list[Client] = []

    def keep_connecting(name: str) -> None:
        while not let_go.is_set():
            try:
                still_open.append(Client(account, device, name).connect())
            except Exception:  # noqa: BLE001 - refused or cut, which is what is to happen sooner or later
                continue

    threads = [threading.Thread(target=keep_connecting, args=(f"racer-{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    while len(still_open) < 6:
        assert any(thread.is_alive() for thread in threads)
    account.set_status(device, "REVOKED")
    let_go.set()
    for thread in threads:
        thread.join()
    for client in still_open:
        client.wait_closed()
        client.disconnect()
