"""What must not bring an honest device down: strangers that hold places, slow readers, a server without descriptors, two
devices that fight for a client id, a publisher that knows no measure."""

import contextlib
import os
import resource
import socket
import subprocess
import sys
import time

import pytest

from eventually import eventually
from mqtt import Client, Refused, tls_context


# Half of them begin a record that never ends.
STRANGERS = """
import socket, sys
strangers = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(1_000)]
for stranger in strangers[::2]:
    stranger.send(b"\\x16")
print(len(strangers), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def account(start_server, account_of):
    return account_of(start_server())


@pytest.fixture
def device(account):
    return account.new_device()


def ping(account, device, client_id: str = "honest") -> float:
    """Connects and publishes to itself; answers how long that took, in seconds."""
    began = time.monotonic()
    with Client(account, device, client_id) as client:
        client.subscribe("ping", qos=1)
        client.publish("ping", "x")
        assert client.receive().payload == b"x"
    return time.monotonic() - began


def test_strangers_that_say_nothing_keep_no_honest_device_out(account, device):
    # In a process of their own: paho's select() knows no descriptor above 1023.
    strangers = subprocess.Popen(
        [sys.executable, "-c", STRANGERS, str(account.server.mqtt_port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with strangers:
        assert strangers.stdout.readline() == b"1000\n"
        assert ping(account, device) < 10


def test_a_subscriber_that_never_reads_is_cut_and_harms_nobody(account, device):
    plain = socket.create_connection(("127.0.0.1", account.server.mqtt_port))
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    context = tls_context(account.server.root_ca, device, account.data_host)
    with context.wrap_socket(plain) as deaf:
        deaf.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x00\x00\x04deaf")
        assert deaf.recv(4) == b"\x20\x02\x00\x00"
        deaf.sendall(b"\x82\x0a\x00\x01\x00\x05flood\x01")
        assert deaf.recv(5)[:1] == b"\x90"
        with Client(account, device, "flooder") as flooder:
            for _ in range(200):
                flooder.publish("flood", b"x" * 100_000)
        assert ping(account, device) < 5
        eventually(lambda: connections(account) == 0, "the deaf subscriber is cut")


def connections(account) -> int:
    with socket.create_connection(account.server.api_url.removeprefix("http://").rsplit(":", 1)) as api:
        api.sendall(b"GET /_gatehouse/metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        page = b"".join(iter(lambda: api.recv(65536), b"")).decode()
    lines = [line for line in page.splitlines() if line.startswith("gatehouse_connections ")]
    return int(lines[0].rpartition(" ")[2])


def test_two_devices_that_fight_for_a_client_id(start_server, account_of):
    """With AWS's rate of one CONNECT a second; the fight costs nobody else anything."""
    account = account_of(start_server(limits_client_connect_rate="1"))
    one, other = account.new_device(), account.new_device()
    won = throttled = 0
    for device in [one, other] * 10:
        client = Client(account, device, "contested")
        try:
            client.connect()
            won += 1
        except Refused as refusal:
            assert refusal.reason_code.value == 0x97
            throttled += 1
    assert won >= 1 and throttled >= 10, (won, throttled)
    assert ping(account, one, "bystander") < 5


def test_a_publisher_at_ten_times_its_rate_is_held_to_it(start_server, account_of):
    account = account_of(start_server(limits_connection_publish_rate="100"))
    device = account.new_device()
    with Client(account, device, "listener") as listener, Client(account, device, "eager") as eager:
        listener.subscribe("t", qos=0)
        codes = [eager.paho.publish("t", b"x", qos=1).mid for _ in range(1_000)]
        answers = [eager._wait(mid, "PUBACK") for mid in codes]
        refused = sum(1 for code in answers if code.is_failure)
        assert all(code.value in (0, 0x10, 0x97) for code in answers)
        assert refused > 0
        assert not eager.closed.is_set()
        assert listener.messages.qsize() <= 1_000 - refused


def test_without_descriptors_who_is_connected_stays_and_who_comes_waits(account, device):
    settled = Client(account, device, "settled").connect()
    settled.subscribe("t", qos=1)
    pid = account.server._process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    open_now = len(list(os.scandir(f"/proc/{pid}/fd")))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_now + 4, hard))
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(socket.create_connection(("127.0.0.1", account.server.mqtt_port)))
        time.sleep(0.5)
        # Who is connected needs no descriptor.
        settled.publish("t", "still here")
        assert settled.receive().payload == b"still here"
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    assert ping(account, device) < 15
    settled.disconnect()


def test_many_retained_messages(start_server, account_of):
    account = account_of(start_server())
    device = account.new_device()
    keeper = Client(account, device, "keeper")
    keeper.paho.max_inflight_messages_set(100)
    with keeper:
        last = [keeper.paho.publish(f"r/{n % 100}/{n}", str(n), qos=1, retain=True).mid for n in range(2_000)][-1]
        keeper._wait(last, "PUBACK")
        for number in (0, 999, 1_999):
            keeper.subscribe(f"r/{number % 100}/{number}", qos=1)
            message = keeper.receive()
            assert (message.payload, message.retain) == (str(number).encode(), True)
