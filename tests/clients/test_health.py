"""The server says of itself that it is well, counts what it does, and hands out what clients need to trust it."""

import re
import subprocess

import pytest

from api import call
from eventually import eventually
from mqtt import Client, Refused


def curl(url: str, *options: str) -> tuple[int, str, str]:
    """Status, content type and body."""
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "20", *options]
        + ["--write-out", "\n%{http_code} %{content_type}", url],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    body, _, told = done.stdout.rpartition("\n")
    status, _, content_type = told.partition(" ")
    return int(status), content_type, body


def metric(server, name: str, **labels: str) -> float:
    """The present value of one series, 0 when nothing was counted yet."""
    _, _, text = curl(f"{server.api_url}/_gatehouse/metrics")
    for found, given, value in re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)", text, re.MULTILINE):
        if found == name and labels.items() <= dict(re.findall(r'(\w+)="([^"]*)"', given)).items():
            return float(value)
    return 0


def test_a_ready_server_is_healthy(server):
    assert curl(f"{server.api_url}/_gatehouse/health") == (200, "application/json", '{"status":"ok"}')


def test_the_root_is_handed_out_as_it_stands_on_disk(server):
    for path in ["/root-ca.pem", "/_gatehouse/root-ca.pem"]:
        status, content_type, body = curl(f"{server.api_url}{path}")
        assert (status, content_type) == (200, "application/x-pem-file")
        assert body == server.root_ca.read_text()


def test_a_page_that_does_not_exist_is_not_found(server):
    status, _, body = curl(f"{server.api_url}/_gatehouse/nothing")
    assert status == 404
    assert "health" in body


def test_pages_cannot_be_written(server):
    for path in ["/_gatehouse/health", "/_gatehouse/metrics", "/root-ca.pem"]:
        status, _, _ = curl(f"{server.api_url}{path}", "--request", "POST", "--data", "x")
        assert status in (403, 404, 405), path


def test_metrics_are_openmetrics(server):
    status, content_type, body = curl(f"{server.api_url}/_gatehouse/metrics")
    assert status == 200
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith("# EOF\n") or body.endswith("# EOF")


@pytest.fixture
def own_account(start_server, account_of):
    """The first account of a server whose numbers nobody else moves."""
    return account_of(start_server())


def test_metrics_count_devices_messages_refusals_and_calls(own_account):
    account, server = own_account, own_account.server
    device, stranger = account.new_device(), account.new_device(is_active=False)
    with pytest.raises(Refused):
        Client(account, stranger).connect()
    assert metric(server, "gatehouse_refusals_total", reason="inactive") == 1

    with Client(account, device) as client:
        client.subscribe("counted")
        client.publish("counted", "1")
        client.receive()
        assert metric(server, "gatehouse_connections") == 1
        assert metric(server, "gatehouse_admissions_total") == 1
        assert metric(server, "gatehouse_messages_total", direction="received", qos="1") == 1
        assert metric(server, "gatehouse_messages_total", direction="sent", qos="0") == 1
        account.set_status(device, "REVOKED")
        client.wait_closed()
    # Counted just after the connection is told to end.
    eventually(lambda: metric(server, "gatehouse_cuts_total", reason="revoked") == 1, "the cut is counted")
    assert metric(server, "gatehouse_api_calls_total", operation="UpdateCertificate", result="Success") == 1

    call(account, "GET", "/things/nobody")
    assert metric(server, "gatehouse_api_calls_total", operation="DescribeThing", result="ResourceNotFoundException") == 1


def test_metrics_have_no_label_that_a_stranger_chooses(own_account):
    for name in ["made-up-1", "made-up-2"]:
        call(own_account, "GET", f"/{name}")
        call(own_account, "GET", f"/things/{name}")
    _, _, body = curl(f"{own_account.server.api_url}/_gatehouse/metrics")
    assert "made-up" not in body
