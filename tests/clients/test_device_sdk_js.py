"""AWS's own device SDK for JavaScript (v2): mutual TLS, and WebSocket with SigV4; MQTT 3.1.1 and 5."""

import json
import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ENDED_WITHIN_S = 60


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
    modules = os.environ.get("GATEHOUSE_TEST_NODE_MODULES") or HERE.parent.parent / "target/node/node_modules"
    assert Path(modules).is_dir(), "`cargo xtask test --only clients` installs the SDK"
    return subprocess.run(
        ["node", HERE / "js" / "device.js", json.dumps(how)],
        env=os.environ | {"NODE_PATH": str(modules)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=ENDED_WITHIN_S,
    )


def outcome(done: subprocess.CompletedProcess) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


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
