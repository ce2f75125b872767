"""A device that is turned away learns why: the same reasons in CONNACK, log and metrics, whatever MQTT it speaks."""

import json
from dataclasses import replace

import pytest

from account import Account, Device
from eventually import eventually
from mqtt import V5, V311, Client, Closed, Refused, refused
from raw_mqtt import CONNACK_311_ACCEPTED, CONNACK_311_NOT_AUTHORIZED, DISCONNECT, Wire, connect
from self_made import in_seconds, valid_between
from test_health import metric
from tools import mosquitto


def unregistered(account: Account) -> Device:
    key, pem = account.new_self_signed()
    certificate = key.with_suffix(".pem")
    certificate.write_text(pem)
    return Device("", "", certificate, key)


def inactive(account: Account) -> Device:
    return account.new_device(is_active=False)


def revoked(account: Account) -> Device:
    device = account.new_device()
    account.set_status(device, "REVOKED")
    return device


def without_policy(account: Account) -> Device:
    return account.new_device(is_attached=False)


# PENDING_* are given by the service alone, and certificates that are not valid yet are not registered: neither can be made
# from outside today.
# the device, what its reason string says, the metric's label, AWS's reason code
REASONS = {
    "unregistered": (unregistered, "not registered", "not-registered", "DEVICE_CERTIFICATE_NOT_REGISTERED"),
    "inactive": (inactive, "INACTIVE", "inactive", "DEVICE_CERTIFICATE_INACTIVE"),
    "revoked": (revoked, "REVOKED", "revoked", "DEVICE_CERTIFICATE_REVOKED"),
    "without-policy": (without_policy, "no policy", "policy-denied", "AUTHORIZATION_FAILURE"),
}


@pytest.mark.parametrize("reason", REASONS)
def test_each_refusal_has_its_own_reason(account, server, reason):
    make, sentence, label, aws_reason = REASONS[reason]
    device = make(account)
    start, before = server.log_size(), metric(server, "gatehouse_refusals_total", reason=label)
    assert sentence in refused(account, device, client_id=f"refused-{reason}")
    assert metric(server, "gatehouse_refusals_total", reason=label) == before + 1
    logged = [line for line in server.log_tail(start).splitlines() if "device refused" in line]
    assert len(logged) == 1
    for told in [f'reason="{label}"', f'aws_reason="{aws_reason}"', f'client_id="refused-{reason}"', device.certificate_id]:
        assert told in logged[0]


@pytest.mark.parametrize("reason", REASONS)
def test_mqtt_3_1_1_gets_return_code_5_and_the_end(account, reason):
    device = REASONS[reason][0](account)
    with Wire(account, device) as wire:
        wire.send(connect("refused"))
        assert wire.read_to_end() == CONNACK_311_NOT_AUTHORIZED
    with pytest.raises(Refused, match="Not authorized"):
        Client(account, device, protocol=V311).connect()


def test_mosquitto_tells_its_user(account):
    done = mosquitto(
        "mosquitto_pub", account.server.mqtt_port, root_ca=account.server.root_ca, device=revoked(account),
        options=["-t", "x", "-m", "x", "-i", "told"],
    )  # fmt: skip
    assert done.returncode == 5
    assert "not authorised" in done.stderr
    done = mosquitto(
        "mosquitto_sub", account.server.mqtt_port, root_ca=account.server.root_ca, device=revoked(account),
        options=["-t", "x", "-i", "told", "-V", "mqttv5", "-W", "20"],
    )  # fmt: skip
    assert done.returncode == 0x87
    assert "Not authorized" in done.stderr


@pytest.mark.parametrize("version", [4, 5])
def test_a_refused_device_that_says_nothing_more_is_not_kept(account, version):
    """It cannot publish behind its CONNECT, nor keep the socket."""
    with Wire(account, revoked(account)) as wire:
        wire.send(connect("refused", version=version), DISCONNECT)
        answered = wire.read_to_end()
    assert answered[0] == 0x20 and answered[3] in (0x05, 0x87)


def test_a_certificate_expires_under_its_connection_and_does_not_come_back(account):
    key = account.new_key()
    # The dates of certificates are whole seconds: between two and three from now.
    device = account.register_without_ca(key, valid_between(account.folder, key, in_seconds(-60), in_seconds(3)))
    account.allow(device)
    with Client(account, device, "mayfly"):
        pass

    def last_refusal() -> str | None:
        try:
            with Client(account, device, "mayfly"):
                return None
        except Refused as refusal:
            return refusal.properties.ReasonString

    assert eventually(last_refusal, "the certificate expires") == "the certificate has expired"


def test_the_certificate_of_one_account_is_unknown_at_the_endpoint_of_another(account, second_account):
    device = account.new_device()
    sentence = refused(account, device, server_name=second_account.data_host)
    assert "not registered in the account and Region of this endpoint" in sentence
    with Client(account, device):
        pass


@pytest.fixture(scope="module")
def silent(start_module_server, account_of) -> Account:
    """An account of a server that says nothing to those it turns away, as AWS does."""
    return account_of(start_module_server(refusals="silent", log_format="json"))


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("reason", REASONS)
def test_a_silent_server_closes_without_a_word(silent, reason, version):
    device = REASONS[reason][0](silent)
    start = silent.server.log_size()
    with Wire(silent, device) as wire:
        wire.send(connect("silenced", version=version))
        assert wire.read_to_end() == b""
    # The operator learns it all the same.
    events = [json.loads(line) for line in silent.server.log_tail(start).splitlines()]
    (event,) = [event for event in events if event["message"] == "device refused"]
    assert event["reason"] == REASONS[reason][2]
    assert event["client_id"] == "silenced"
    assert event["source_ip"] == "127.0.0.1"


def test_a_silent_server_lets_in_whom_it_lets_in(silent):
    device = silent.new_device()
    with Wire(silent, device) as wire:
        wire.send(connect("welcome"))
        assert wire.read(4) == CONNACK_311_ACCEPTED
    with Client(silent, device, protocol=V5):
        pass


def test_paho_sees_a_silent_refusal_as_a_closed_connection(silent):
    with pytest.raises(Closed):
        Client(silent, without_policy(silent)).connect()


@pytest.mark.parametrize("client_id", ["$begins-with-dollar", "x" * 129, "ü" * 65])
def test_a_client_id_against_the_rules_is_refused(account, client_id):
    with pytest.raises(Refused) as refusal:
        Client(account, account.new_device(), client_id).connect()
    assert refusal.value.reason_code.value == 0x85
    assert "client id" in refusal.value.properties.ReasonString


def test_log_lines_cannot_be_forged_by_a_client_id(account, server):
    """A client id with a line break stays on its line."""
    start = server.log_size()
    forged = "x\n2026-01-01T00:00:00Z  INFO forged: device connected"
    with pytest.raises(Refused):
        Client(account, revoked(account), forged).connect()
    log = server.log_tail(start)
    assert "device refused" in log
    assert not [line for line in log.splitlines() if line.startswith("2026-01-01T00:00:00Z")]


def test_another_certificate_for_a_registered_key_is_not_registered(account):
    """The registry knows certificates, not keys."""
    device = account.new_device()
    pem = valid_between(account.folder, device.key, in_seconds(-60), in_seconds(3600))
    own = device.key.with_suffix(".own.pem")
    own.write_text(pem)
    assert "not registered" in refused(account, replace(device, certificate=own))
