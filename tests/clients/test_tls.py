"""The devices' TLS as `openssl s_client` sees it: versions, chains, names, and the proof of possession."""

import re
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from account import Device
from mqtt import Client, tls_context
from raw_mqtt import CONNACK_311_ACCEPTED, Wire, connect
from self_made import new_key
from tools import handshake, openssl

VERSIONS = ["-tls1_2", "-tls1_3"]
# What a client says that can verify one kind of server key only.
ONLY = {
    "ECDSA": {"-tls1_2": ["-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], "-tls1_3": ["-sigalgs", "ecdsa_secp256r1_sha256"]},
    "RSA": {"-tls1_2": ["-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], "-tls1_3": ["-sigalgs", "rsa_pss_rsae_sha256"]},
}


@pytest.fixture(scope="module")
def device(shared_account) -> Device:
    return shared_account.new_device()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ONLY)
def test_both_server_chains_verify_against_the_root_and_by_the_endpoints_name(account, tmp_path, version, kind):
    key = new_key(tmp_path / "device.key", "RSA", "rsa_keygen_bits:2048")
    request = openssl("req", "-new", "-key", key, "-subj", "/CN=x")
    made = account.iot.create_certificate_from_csr(certificateSigningRequest=request)
    (tmp_path / "device.pem").write_text(made["certificatePem"])
    device = Device(made["certificateId"], made["certificateArn"], tmp_path / "device.pem", key)
    for host in [account.data_host, "localhost"]:
        done = handshake(
            account.server.mqtt_port,
            server_name=host,
            root_ca=account.server.root_ca,
            device=device,
            options=[version, *ONLY[kind][version], "-verify_hostname", host],
        )
        assert "Verify return code: 0 (ok)" in done.stdout, done.stderr
        assert f"Peer signature type: {'RSA-PSS' if kind == 'RSA' else kind}" in done.stdout, done.stdout


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["the endpoint", "localhost", None, "somewhere.else.example"])
def test_the_handshake_itself_asks_for_no_name(account, device, version, name):
    """The registry's word comes later, where it can be told; a failed handshake tells nobody anything."""
    host = account.data_host if name == "the endpoint" else name
    done = handshake(
        account.server.mqtt_port, server_name=host, root_ca=account.server.root_ca, device=device, options=[version]
    )
    assert done.returncode == 0, done.stderr
    assert f"New, {'TLSv1.3' if version == '-tls1_3' else 'TLSv1.2'}" in done.stdout


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_are_not_spoken(account, device, version):
    done = handshake(
        account.server.mqtt_port,
        server_name=account.data_host,
        root_ca=account.server.root_ca,
        device=device,
        options=[version, "-cipher", "ALL:@SECLEVEL=0"],
    )
    assert done.returncode != 0
    assert "alert" in done.stderr, "the server says so"


@pytest.mark.parametrize("suite", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES256-SHA384", "DHE-RSA-AES256-SHA"])
def test_weak_suites_are_not_spoken(account, device, suite):
    done = handshake(
        account.server.mqtt_port,
        server_name=account.data_host,
        root_ca=account.server.root_ca,
        device=device,
        options=["-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0"],
    )
    assert done.returncode != 0


@pytest.mark.parametrize("version", VERSIONS)
def test_no_list_of_authorities_narrows_the_clients_choice(account, device, version):
    done = handshake(
        account.server.mqtt_port,
        server_name=account.data_host,
        root_ca=account.server.root_ca,
        device=device,
        options=[version],
    )
    assert "No client certificate CA names sent" in done.stdout


def only(context: ssl.SSLContext, version: str) -> ssl.SSLContext:
    chosen = ssl.TLSVersion.TLSv1_3 if version == "-tls1_3" else ssl.TLSVersion.TLSv1_2
    context.minimum_version = context.maximum_version = chosen
    return context


@pytest.mark.parametrize("version", VERSIONS)
def test_without_a_certificate_the_handshake_fails(account, version):
    context = only(tls_context(account.server.root_ca, None, account.data_host), version)
    with pytest.raises(ssl.SSLError, match="(?i)alert"):
        # In TLS 1.3 the client is through before the server has judged it: the alert comes with the first read.
        with Wire(account, None, context=context) as wire:
            wire.send(connect("nobody"))
            wire.read(4)


def with_another_secret(key: Path, kind: str) -> Path:
    """A key file with the public half of `key` and a secret half that does not belong to it: what a thief of the
    certificate can make. `openssl` takes it, because it compares public halves only."""
    forged = key.with_suffix(".forged")
    der = key.with_suffix(".der")
    openssl("pkey", "-in", key, "-traditional", "-outform", "DER", "-out", der)
    content = bytearray(der.read_bytes())
    if kind == "EC":
        # RFC 5915: SEQUENCE, version, then the secret as OCTET STRING of 32 bytes.
        assert content[5:7] == b"\x04\x20"
        content[20] ^= 1
    else:
        # RFC 8017, A.1.2: of nine numbers, the fourth (d) and all behind it are secret.
        numbers = der_integers(bytes(content))
        for start, end in numbers[3:]:
            content[end - 2] ^= 1
    der.write_bytes(content)
    openssl("rsa" if kind == "RSA" else "ec", "-inform", "DER", "-in", der, "-out", forged)
    return forged


def der_integers(sequence: bytes) -> list[tuple[int, int]]:
    """Where the contents of the numbers of a SEQUENCE begin and end."""

    def content(at: int) -> tuple[int, int]:
        length, at = sequence[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(sequence[at : at + size]), at + size
        return at, at + length

    found, (at, end) = [], content(0)
    while at < end:
        assert sequence[at] == 2
        found.append(content(at))
        at = found[-1][1]
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["EC", "RSA"])
def test_who_has_the_certificate_but_not_its_key_fails_the_handshake(account, tmp_path, version, kind):
    option = {"EC": "ec_paramgen_curve:P-256", "RSA": "rsa_keygen_bits:2048"}[kind]
    key = new_key(tmp_path / "victim.key", kind, option)
    request = openssl("req", "-new", "-key", key, "-subj", "/CN=victim")
    made = account.iot.create_certificate_from_csr(certificateSigningRequest=request, setAsActive=True)
    (tmp_path / "victim.pem").write_text(made["certificatePem"])
    owner = Device(made["certificateId"], made["certificateArn"], tmp_path / "victim.pem", key)
    account.allow(owner)
    thief = replace(owner, key=with_another_secret(key, kind))

    def say_hello(who: Device) -> bytes:
        """Waits for the answer to CONNECT, so that in TLS 1.3 too the server's verdict on the handshake is seen."""
        with Wire(account, who, context=only(tls_context(account.server.root_ca, who, account.data_host), version)) as wire:
            wire.send(connect("victim"))
            return wire.read(4)

    assert say_hello(owner) == CONNACK_311_ACCEPTED
    with pytest.raises(ssl.SSLError, match="(?i)alert"):
        say_hello(thief)


def test_the_devices_certificate_says_by_whom_it_was_issued(account, device):
    text = openssl("x509", "-in", device.certificate, "-noout", "-text")
    assert re.search(r"Version: 3", text)
    assert "CA:FALSE" in text
    assert "Not After : Dec 31 23:59:59 2049 GMT" in text


def test_the_alpn_port_speaks_mqtt_to_who_asks_for_it(account, device):
    with Client(account, device, port=account.server.alpn_port, alpn=["x-amzn-mqtt-ca"]) as client:
        client.subscribe("alpn")
        client.publish("alpn", "by alpn")
        assert client.receive().payload == b"by alpn"
        assert client.paho.socket().selected_alpn_protocol() == "x-amzn-mqtt-ca"


@pytest.mark.parametrize("alpn", [["mqtt"], ["h2"], ["x-amzn-mqtt-c"]])
def test_the_alpn_port_speaks_nothing_else_that_needs_a_name(account, device, alpn):
    with pytest.raises(OSError):
        Client(account, device, port=account.server.alpn_port, alpn=alpn).connect()


@pytest.mark.parametrize("alpn", [["x-amzn-mqtt-ca"], ["mqtt"], ["h2", "http/1.1"]])
def test_the_mqtt_port_takes_any_alpn(account, device, alpn):
    with Client(account, device, alpn=alpn) as client:
        expected = "x-amzn-mqtt-ca" if alpn == ["x-amzn-mqtt-ca"] else None
        assert client.paho.socket().selected_alpn_protocol() == expected


def test_a_self_signed_version_1_certificate_connects(account, tmp_path):
    """Usual among devices; the stock verifiers of TLS libraries refuse it."""
    key, request = account.new_request()
    (tmp_path / "request.pem").write_text(request)
    pem = openssl("x509", "-req", "-in", tmp_path / "request.pem", "-signkey", key, "-days", "30")
    assert "Version: 1" in openssl("x509", "-noout", "-text", given=pem)
    device = account.register_without_ca(key, pem)
    account.allow(device)
    with Wire(account, device) as wire:
        wire.send(connect("v1"))
        assert wire.read(4) == CONNACK_311_ACCEPTED


def test_plain_text_on_the_tls_port_is_answered_with_nothing_of_use(account):
    with socket.create_connection(("127.0.0.1", account.server.mqtt_port), timeout=20) as plain:
        plain.sendall(connect("plain"))
        answered = b""
        while more := plain.recv(100):
            answered += more
    assert not answered or answered[0] == 21, "at most a TLS alert"
