"""AWS's own device SDK for JavaScript (v2): mutual TLS, and WebSocket with SigV4; MQTT 3.1.1 and 5."""

import subprocess

import pytest

from javascript import javascript, outcome


def device_of(account, device=None, *, version: int, port: int) -> subprocess.CompletedProcess:
    """Runs a device that publishes to itself; with an access key where it has no certificate."""
    how = {
        "version": version,
        "host": "localhost",
        "port": port,
        "rootCa": str(account.server.root_ca),
        "clientId": f"js-{version}",
        "topic": f"js/{version}",
        "websocket": device is None,
        "region": account.region,
        "accessKeyId": account.credentials.access_key_id,
        "secretAccessKey": account.credentials.secret_access_key,
    }
    if device is not None:
        how |= {"certificate": str(device.certificate), "key": str(device.key)}
    return javascript("device.js", how)


@pytest.mark.parametrize("version", [5, 311])
def test_mutual_tls(account, version):
    done = device_of(account, account.new_device(), version=version, port=account.server.mqtt_port)
    assert outcome(done) == {"suback": [1], "puback": 0, "payload": "hello"}


@pytest.mark.parametrize("version", [5, 311])
def test_websocket_with_sigv4(account, version):
    done = device_of(account, version=version, port=account.server.alpn_port)
    assert outcome(done) == {"suback": [1], "puback": 0, "payload": "hello"}


def test_a_revoked_device_hears_why(account):
    device = account.new_device()
    account.set_status(device, "REVOKED")
    done = device_of(account, device, version=5, port=account.server.mqtt_port)
    assert done.returncode == 1
    assert "connection refused" in done.stderr.lower() or "connack" in done.stderr.lower(), done.stderr
