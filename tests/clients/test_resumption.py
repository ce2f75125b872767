"""TLS sessions: not resumed unless the operator says so, and then worth no more than a full handshake."""

import ssl

import pytest

from account import Account
from mqtt import refused, tls_context
from raw_mqtt import CONNACK_311_ACCEPTED, CONNACK_311_NOT_AUTHORIZED, PINGREQ, PINGRESP, Wire, connect
from tools import handshake, try_openssl

VERSIONS = {"-tls1_2": ssl.TLSVersion.TLSv1_2, "-tls1_3": ssl.TLSVersion.TLSv1_3}


@pytest.fixture(scope="module")
def resuming(start_module_server, account_of) -> Account:
    """An account of a server that resumes sessions."""
    return account_of(start_module_server(tls_resumption="true"))


def context_of(account: Account, device, version: str) -> ssl.SSLContext:
    context = tls_context(account.server.root_ca, device, account.data_host)
    context.minimum_version = context.maximum_version = VERSIONS[version]
    return context


def session_of(account: Account, device, context: ssl.SSLContext, **how) -> ssl.SSLSession:
    """A session to resume; in TLS 1.3 its ticket comes before the answer to CONNECT."""
    with Wire(account, device, context=context, **how) as wire:
        wire.send(connect("ticket"), PINGREQ)
        assert wire.read(6) == CONNACK_311_ACCEPTED + PINGRESP
        assert not wire.is_resumed
        return wire.session


@pytest.mark.parametrize("version", VERSIONS)
def test_openssl_resumes_nothing_by_default(account, version, tmp_path):
    device, kept = account.new_device(), tmp_path / "session.pem"
    how = {"server_name": account.data_host, "root_ca": account.server.root_ca, "device": device}
    first = handshake(account.server.mqtt_port, **how, options=[version, "-sess_out", kept])
    assert first.returncode == 0, first.stderr
    again = ["-sess_in", kept] if kept.exists() and kept.stat().st_size else []
    second = handshake(account.server.mqtt_port, **how, options=[version, *again])
    for done in (first, second):
        assert "New, TLSv1" in done.stdout
        assert "Reused" not in done.stdout


def test_openssl_reconnects_with_full_handshakes(account):
    """`-reconnect` tries to resume five times."""
    device = account.new_device()
    done = try_openssl(
        "s_client", "-connect", f"127.0.0.1:{account.server.mqtt_port}", "-servername", account.data_host, "-reconnect",
        "-CAfile", account.server.root_ca, "-cert", device.certificate, "-key", device.key, "-tls1_2",
    )  # fmt: skip
    assert done.stdout.count("New, TLSv1.2") == 6
    assert "Reused" not in done.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_no_ticket_and_no_session_is_offered_by_default(account, version):
    device = account.new_device()
    context = context_of(account, device, version)
    session = session_of(account, device, context)
    assert session is None or not session.has_ticket
    with Wire(account, device, context=context, session=session) as wire:
        wire.send(connect("again"))
        assert wire.read(4) == CONNACK_311_ACCEPTED
        assert not wire.is_resumed


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_is_resumed_when_the_operator_says_so(resuming, version):
    device = resuming.new_device()
    context = context_of(resuming, device, version)
    session = session_of(resuming, device, context)
    with Wire(resuming, device, context=context, session=session) as wire:
        wire.send(connect("again"))
        assert wire.read(4) == CONNACK_311_ACCEPTED
        assert wire.is_resumed


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("change", "sentence"),
    [("REVOKED", b"REVOKED"), ("INACTIVE", b"INACTIVE"), ("deleted", b"not registered"), ("detached", b"no policy")],
)
def test_a_resumed_session_takes_the_same_road_as_any_other(resuming, version, change, sentence):
    device = resuming.new_device()
    context = context_of(resuming, device, version)
    session = session_of(resuming, device, context)
    if change == "detached":
        resuming.forget_policies(device)
    else:
        resuming.set_status(device, "INACTIVE" if change == "deleted" else change)
    if change == "deleted":
        resuming.iot.delete_certificate(certificateId=device.certificate_id, forceDelete=True)
    with Wire(resuming, device, context=context, session=session) as wire:
        wire.send(connect("ticket", version=5))
        connack = wire.read_to_end()
        assert connack[3] == 0x87 and sentence in connack, connack
        assert wire.is_resumed, "the TLS session was resumed, and its holder refused all the same"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_is_not_resumed_at_another_endpoint(resuming, tmp_path, version):
    other = Account(resuming.server, resuming.server.create_account(), tmp_path)
    device = resuming.new_device()
    context = context_of(resuming, device, version)
    session = session_of(resuming, device, context)
    for host in [other.data_host, "localhost"]:
        with Wire(resuming, device, context=context, session=session, server_name=host) as wire:
            wire.send(connect("ticket"))
            assert wire.read(4) == (CONNACK_311_ACCEPTED if host == "localhost" else CONNACK_311_NOT_AUTHORIZED)
            assert not wire.is_resumed
    assert "not registered" in refused(resuming, device, server_name=other.data_host)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_ends_with_the_server_that_made_it(start_server, account_of, version):
    account = account_of(start_server(tls_resumption="true"))
    device = account.new_device()
    context = context_of(account, device, version)
    session = session_of(account, device, context)
    account.server.stop()
    account.server.start()
    with Wire(account, device, context=context, session=session) as wire:
        wire.send(connect("ticket"))
        assert wire.read(4) == CONNACK_311_ACCEPTED
        assert not wire.is_resumed
