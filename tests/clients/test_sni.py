"""What the host name in the ClientHello decides, in the three settings of `sni`, for certificates of both modes."""

import ssl

import pytest

from account import Account, Device
from mqtt import Client, refused, tls_context
from raw_mqtt import CONNACK_311_ACCEPTED, Wire, connect

SETTINGS = ["required", "strict", "optional"]
UNKNOWN = "somewhere.else.example"

MISSING_TEXT = "names no host (SNI)"
UNKNOWN_TEXT = "is no endpoint of this server"
SNI_ONLY_TEXT = "registered as SNI_ONLY"

# setting, mode, host name: who gets in (None), and what the others are told
OUTCOMES = {
    ("required", "DEFAULT", "endpoint"): None,
    ("required", "DEFAULT", "unknown"): None,
    ("required", "DEFAULT", "missing"): MISSING_TEXT,
    ("required", "SNI_ONLY", "endpoint"): None,
    ("required", "SNI_ONLY", "unknown"): SNI_ONLY_TEXT,
    ("required", "SNI_ONLY", "missing"): MISSING_TEXT,
    ("strict", "DEFAULT", "endpoint"): None,
    ("strict", "DEFAULT", "unknown"): UNKNOWN_TEXT,
    ("strict", "DEFAULT", "missing"): MISSING_TEXT,
    ("strict", "SNI_ONLY", "endpoint"): None,
    ("strict", "SNI_ONLY", "unknown"): UNKNOWN_TEXT,
    ("strict", "SNI_ONLY", "missing"): MISSING_TEXT,
    ("optional", "DEFAULT", "endpoint"): None,
    ("optional", "DEFAULT", "unknown"): None,
    ("optional", "DEFAULT", "missing"): None,
    ("optional", "SNI_ONLY", "endpoint"): None,
    ("optional", "SNI_ONLY", "unknown"): SNI_ONLY_TEXT,
    ("optional", "SNI_ONLY", "missing"): SNI_ONLY_TEXT,
}


@pytest.fixture(scope="module")
def accounts(start_module_server, account_of) -> dict[str, Account]:
    """The first account of a server with each setting, and with two Regions."""
    return {setting: account_of(start_module_server(sni=setting, regions="us-east-1,eu-west-1")) for setting in SETTINGS}


def new_device(account: Account, mode: str) -> Device:
    if mode == "DEFAULT":
        return account.new_device()
    device = account.register_without_ca(*account.new_self_signed())
    account.allow(device)
    return device


def second_account_of(account: Account, tmp_path) -> Account:
    return Account(account.server, account.server.create_account(), tmp_path)


def let_in(account: Account, device: Device, server_name: str | None) -> None:
    with Client(account, device, server_name=server_name, checks_name=False):
        pass


@pytest.mark.parametrize(("setting", "mode", "name"), OUTCOMES)
def test_the_host_name_decides(accounts, setting, mode, name):
    account = accounts[setting]
    device = new_device(account, mode)
    host = {"endpoint": account.data_host, "unknown": UNKNOWN, "missing": None}[name]
    sentence = OUTCOMES[setting, mode, name]
    if sentence is None:
        let_in(account, device, host)
    else:
        assert sentence in refused(account, device, server_name=host, checks_name=False)


@pytest.mark.parametrize("setting", SETTINGS)
def test_localhost_is_an_endpoint_of_the_first_account(accounts, setting):
    for mode in ["DEFAULT", "SNI_ONLY"]:
        let_in(accounts[setting], new_device(accounts[setting], mode), "localhost")


def test_host_names_have_no_case(accounts):
    account = accounts["strict"]
    let_in(account, account.new_device(), account.data_host.upper())


def test_an_address_is_no_host_name(accounts):
    """RFC 6066, 3: literal addresses are not permitted as host names. Clients that are given one send no name."""
    account = accounts["strict"]
    assert MISSING_TEXT in refused(account, account.new_device(), server_name="127.0.0.1")


def test_other_kinds_of_endpoints_do_not_serve_mqtt(accounts):
    account = accounts["required"]
    device = account.new_device()
    for kind in ["iot:Jobs", "iot:CredentialProvider"]:
        host = account.iot.describe_endpoint(endpointType=kind)["endpointAddress"]
        assert "does not serve MQTT" in refused(account, device, server_name=host)
    let_in(account, device, account.iot.describe_endpoint(endpointType="iot:Data")["endpointAddress"])


def test_names_that_nearly_name_an_endpoint_do_not(accounts):
    account = accounts["strict"]
    device = account.new_device()
    prefix, _, rest = account.data_host.partition("-ats.")
    for host in [
        f"x{prefix}-ats.{rest}",
        f"{prefix[:-1]}-ats.{rest}",
        f"{prefix}-ats.{rest.replace('us-east-1', 'eu-west-1')}",
        f"{prefix}-ats.{rest}.example",
        f"a.{prefix}-ats.{rest}",
        f"-ats.{rest}"[1:],
        f"{prefix}-ats-ats.{rest}",
    ]:
        assert UNKNOWN_TEXT in refused(account, device, server_name=host, checks_name=False), host


def test_a_certificate_is_known_in_its_region_only(accounts, tmp_path):
    here = accounts["required"]
    there = Account(here.server, here.credentials, tmp_path, region="eu-west-1")
    assert here.data_host != there.data_host
    device = here.new_device()
    assert "not registered" in refused(here, device, server_name=there.data_host)
    with pytest.raises(there.iot.exceptions.ResourceNotFoundException):
        there.iot.describe_certificate(certificateId=device.certificate_id)
    # The same certificate, registered in both: each Region has its own word on it.
    key, pem = here.new_self_signed()
    for account in (here, there):
        account.allow(account.register_without_ca(key, pem))
        let_in(account, Device("", "", key.with_suffix(".pem"), key), account.data_host)


def test_two_accounts_with_one_certificate_are_told_apart_by_name_alone(accounts, tmp_path):
    first = accounts["required"]
    second = second_account_of(first, tmp_path)
    key, pem = first.new_self_signed()
    devices = [account.register_without_ca(key, pem) for account in (first, second)]
    first.allow(devices[0])
    let_in(first, devices[0], first.data_host)
    assert "no policy" in refused(second, devices[1], server_name=second.data_host)
    assert refused(first, devices[0], server_name=UNKNOWN, checks_name=False)


def test_nobody_shuts_out_a_device_by_registering_its_certificate_elsewhere(accounts, tmp_path):
    """A device without SNI stands on its single DEFAULT registration. Its certificate is public: whoever registers it in
    another account, where only the full name counts, must not change that."""
    account = accounts["optional"]
    device = account.new_device()
    let_in(account, device, None)
    attacker = second_account_of(account, tmp_path)
    attacker.register_without_ca(device.key.with_suffix(".copy"), device.certificate.read_text())
    let_in(account, device, None)
    let_in(account, device, UNKNOWN)


def test_both_versions_of_tls_carry_the_name(accounts):
    account = accounts["strict"]
    device = account.new_device()
    for version in [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
        context = tls_context(account.server.root_ca, device, account.data_host)
        context.minimum_version = context.maximum_version = version
        with Wire(account, device, context=context) as wire:
            wire.send(connect("versions"))
            assert wire.read(4) == CONNACK_311_ACCEPTED
