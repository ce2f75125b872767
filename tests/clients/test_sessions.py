"""What outlives a connection: sessions and their queues, retained messages; with paho and mosquitto, over restarts and
kills."""

import queue
import threading

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from account import Account
from mqtt import V5, V311, Client, Closed
from tools import mosquitto

KILLS = 50
ACKNOWLEDGED_BEFORE_KILL = 25

BOTH = pytest.mark.parametrize("protocol", [V311, V5], ids=["3.1.1", "5"])


@pytest.fixture(scope="module")
def device(shared_account):
    return shared_account.new_device()


def lasting(account, device, client_id: str, protocol, *, clean: bool = False, **options) -> Client:
    """A client whose session outlives its connection by an hour."""
    if protocol == V311:
        return Client(account, device, client_id, protocol=V311, clean_session=clean, **options)
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 3600
    return Client(account, device, client_id, connect_options={"clean_start": clean, "properties": properties}, **options)


def payloads(client: Client, count: int) -> list[bytes]:
    return [client.receive().payload for _ in range(count)]


@BOTH
def test_messages_wait_for_a_client_that_comes_back(account, device, protocol):
    name = f"sleeper-{protocol}"
    with lasting(account, device, name, protocol, clean=protocol == V5) as sleeper:
        assert not sleeper.connack[0].session_present
        sleeper.subscribe(f"{name}/#", qos=1)
    with Client(account, device, "alarm") as publisher:
        for number in range(30):
            publisher.publish(f"{name}/{number}", str(number))
    with lasting(account, device, name, protocol) as sleeper:
        assert sleeper.connack[0].session_present
        assert payloads(sleeper, 30) == [str(number).encode() for number in range(30)]
    with lasting(account, device, name, protocol) as sleeper, Client(account, device, "alarm") as publisher:
        publisher.publish(f"{name}/x", "live")
        assert payloads(sleeper, 1) == [b"live"], "what was acknowledged does not come again"


def test_the_session_expiry_in_force_is_told(account, device):
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 1_000_000
    with Client(account, device, "long", connect_options={"clean_start": True, "properties": properties}) as client:
        assert client.connack[2].SessionExpiryInterval == 3600


@BOTH
def test_each_version_hears_the_other(account, device, protocol):
    other = V5 if protocol == V311 else V311
    with Client(account, device, "hears", protocol=protocol) as client:
        client.subscribe("versions/#", qos=1)
        with Client(account, device, "says", protocol=other) as publisher:
            publisher.publish("versions/a", "across")
        assert client.receive().payload == b"across"


def test_mosquitto_keeps_its_session_and_its_retained_messages(account, device):
    def run(program: str, *options: str):
        return mosquitto(
            program, account.server.mqtt_port, root_ca=account.server.root_ca, device=device, options=list(options)
        )

    # -E: subscribe, then go.
    subscribe = ["-c", "-i", "mosquitto-lasting", "-q", "1", "-t", "lasting/mosquitto"]
    assert run("mosquitto_sub", *subscribe, "-E").returncode == 0
    for text in ("one", "two"):
        assert run("mosquitto_pub", "-q", "1", "-t", "lasting/mosquitto", "-m", text).returncode == 0
    heard = run("mosquitto_sub", *subscribe, "-C", "2", "-W", "20")
    assert heard.stdout.split() == ["one", "two"], heard.stderr

    assert run("mosquitto_pub", "-q", "1", "-r", "-t", "retained/mosquitto", "-m", "kept").returncode == 0
    heard = run("mosquitto_sub", "-t", "retained/mosquitto", "-C", "1", "-W", "20", "-v")
    assert heard.stdout.split() == ["retained/mosquitto", "kept"], heard.stderr
    # A wildcard brings none: after a second without messages mosquitto_sub gives up.
    assert run("mosquitto_sub", "-t", "retained/+", "-C", "1", "-W", "1").stdout == ""
    assert run("mosquitto_pub", "-q", "1", "-r", "-t", "retained/mosquitto", "-n").returncode == 0
    assert run("mosquitto_sub", "-t", "retained/mosquitto", "-C", "1", "-W", "1").stdout == ""


def test_a_retained_will_is_there_for_who_comes_later(account, device):
    client = Client(account, device, "mortal")
    client.paho.will_set("wills/retained", "gone", qos=1, retain=True)
    client.connect().drop()
    for _ in range(50):
        with Client(account, device, "later") as later:
            later.subscribe("wills/retained", qos=1)
            try:
                message = later.receive(timeout=0.2)
            except AssertionError:
                continue
            assert (message.payload, message.retain) == (b"gone", True)
            return
    raise AssertionError("the will was not retained")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_sessions_and_retained_messages_survive_a_restart(start_server, account_of, how):
    account = account_of(start_server())
    device = account.new_device()
    with lasting(account, device, "sleeper", V5, clean=True) as sleeper:
        sleeper.subscribe("t/#", qos=1)
    with lasting(account, device, "connected", V311) as connected, Client(account, device, "p") as publisher:
        connected.subscribe("t/a", qos=1)
        publisher.publish("t/a", "waits", retain=True)
        assert connected.receive().payload == b"waits"
        getattr(account.server, how)()
        account.server.start()
    account = Account(account.server, account.credentials, account.folder)
    with Client(account, device, "p") as publisher:
        publisher.publish("t/b", "later")
    with lasting(account, device, "sleeper", V5) as sleeper:
        assert sleeper.connack[0].session_present
        assert payloads(sleeper, 2) == [b"waits", b"later"]
    with lasting(account, device, "connected", V311) as connected:
        assert connected.connack[0].session_present
    with Client(account, device, "late") as late:
        late.subscribe("t/a", qos=1)
        message = late.receive()
        assert (message.payload, message.retain) == (b"waits", True)


class Load:
    """A publisher that publishes with QoS 1 as fast as it is answered, and notes what was acknowledged."""

    def __init__(self, account, device, round_number: int):
        self.enough = threading.Event()
        self._round = round_number
        self._sent: dict[int, bytes] = {}
        self._acknowledged: set[int] = set()
        self._client = Client(account, device, "publisher")
        self._client.paho.max_inflight_messages_set(50)
        self._client.paho.on_publish = self._on_publish

    @property
    def acknowledged(self) -> set[bytes]:
        return {self._sent[mid] for mid in self._acknowledged}

    def run(self) -> None:
        try:
            self._client.connect()
        except (Closed, OSError):
            return
        for number in range(5_000):
            payload = f"{self._round}/{number}".encode()
            self._sent[self._client.paho.publish("load", payload, qos=1).mid] = payload
            if self._client.closed.is_set():
                break
        self._client.closed.wait(30)
        self._client.paho.loop_stop()

    def _on_publish(self, _client, _data, mid, code, _properties) -> None:
        if not code.is_failure:
            self._acknowledged.add(mid)
        if len(self._acknowledged) >= ACKNOWLEDGED_BEFORE_KILL:
            self.enough.set()


def test_nothing_acknowledged_is_lost_by_kills_under_load(start_server, account_of):
    """Two persistent subscribers: one stays away to the end, one listens while the server is killed again and again."""
    account = account_of(start_server())
    device = account.new_device()
    for client_id in ("away", "listening"):
        with lasting(account, device, client_id, V311) as subscriber:
            subscriber.subscribe("load", qos=1)
    acknowledged: set[bytes] = set()
    heard: set[bytes] = set()
    for round_number in range(KILLS):
        load = Load(account, device, round_number)
        listener = lasting(account, device, "listening", V311)
        listener.connect()
        publishing = threading.Thread(target=load.run, daemon=True)
        publishing.start()
        assert load.enough.wait(60), f"no progress in round {round_number}"
        account.server.kill()
        publishing.join(60)
        listener.wait_closed()
        listener.paho.loop_stop()
        heard |= drained(listener)
        acknowledged |= load.acknowledged
        account.server.start()
        account = Account(account.server, account.credentials, account.folder)
    assert len(acknowledged) >= KILLS * ACKNOWLEDGED_BEFORE_KILL
    for client_id, already in (("away", set()), ("listening", heard)):
        missing = acknowledged - already
        with lasting(account, device, client_id, V311) as subscriber:
            assert subscriber.connack[0].session_present
            while missing:
                missing.discard(subscriber.receive().payload)


def drained(client: Client) -> set[bytes]:
    """What has been received and not looked at."""
    found = set()
    while True:
        try:
            found.add(client.messages.get_nowait().payload)
        except queue.Empty:
            return found
