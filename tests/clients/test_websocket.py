"""MQTT over WebSocket with SigV4: real clients, what an access key may do, and frames that nobody should send."""

import base64
import contextlib
import os
import struct
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

import pytest

from account import Account
from eventually import eventually
from https import Connection, presigned, signed
from mqtt import V5, V311, Client, Refused
from raw_mqtt import CONNACK_311_ACCEPTED, PINGREQ, PINGRESP, connect, publish, subscribe
from test_access_keys import create_key, with_key
from test_https_signed import limited

BINARY, TEXT, CONTINUATION, CLOSE, PING, PONG = 2, 1, 0, 8, 9, 10
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": base64.b64encode(b"0123456789abcdef").decode(),
    "Sec-WebSocket-Protocol": "mqtt",
}


def browser(account: Account, client_id: str = "browser", target: str | None = None, **how) -> Client:
    """paho over WebSocket, at the built-in endpoint of the first account."""
    port = account.server.alpn_port
    # paho names the address it connects to in its Host header, with the port.
    target = target or presigned(account, host=f"127.0.0.1:{port}")
    return Client(account, None, client_id, port=port, websocket=target, server_name="localhost", **how)


class Socket:
    """A WebSocket, frame by frame."""

    def __init__(self, account: Account, target: str | None = None, headers: dict | None = None):
        self.connection = Connection(account, None)
        self.answer = self._open(target or presigned(account), UPGRADE | (headers or {}))

    def _open(self, target: str, headers: dict):
        given = "".join(f"{name}: {value}\r\n" for name, value in ({"Host": self.connection.host} | headers).items())
        self.connection.socket.sendall(f"GET {target} HTTP/1.1\r\n{given}\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.connection.socket.recv(1)
            assert byte, head
            head += byte
        return head.decode()

    def __enter__(self) -> "Socket":
        return self

    def __exit__(self, *_) -> None:
        self.connection.socket.close()

    def send(self, opcode: int, payload: bytes, *, final: bool = True, masked: bool = True, claimed: int | None = None) -> None:
        length = len(payload) if claimed is None else claimed
        bit = 0x80 if masked else 0
        if length < 126:
            head = bytes([bit | length])
        elif length < 65536:
            head = bytes([bit | 126]) + struct.pack(">H", length)
        else:
            head = bytes([bit | 127]) + struct.pack(">Q", length)
        mask = os.urandom(4) if masked else b""
        if masked:
            payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self.connection.socket.sendall(bytes([(0x80 if final else 0) | opcode]) + head + mask + payload)

    def receive(self) -> tuple[int, bytes] | None:
        """The next frame; `None` at the end of the connection."""
        head = self._read(2)
        if len(head) < 2:
            return None
        assert not head[1] & 0x80, "a server masks nothing"
        length = head[1] & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self._read(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._read(8))
        return head[0] & 0x0F, self._read(length)

    def closing_code(self) -> int | None:
        """Waits for the end; the code of the close frame before it."""
        code = None
        while frame := self.receive():
            if frame[0] == CLOSE:
                code = struct.unpack(">H", frame[1][:2])[0] if frame[1] else 1005
                self.send(CLOSE, frame[1][:2])
        return code

    def connect(self, client_id: str = "frames") -> None:
        self.send(BINARY, connect(client_id))
        assert self.receive() == (BINARY, CONNACK_311_ACCEPTED)

    def _read(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            try:
                more = self.connection.socket.recv(count - len(found))
            except OSError:
                return found
            if not more:
                return found
            found += more
        return found


@pytest.mark.parametrize("protocol", [V311, V5], ids=["3.1.1", "5"])
def test_paho_speaks_mqtt_through_a_presigned_url(account, protocol):
    with browser(account, protocol=protocol) as client, Client(account, account.new_device(), "device") as device:
        client.subscribe("from/device", qos=1)
        device.subscribe("from/browser", qos=1)
        for size in (5, 70_000, 128 * 1024):
            client.publish("from/browser", b"b" * size)
            assert device.receive().payload == b"b" * size
            device.publish("from/device", b"d" * size)
            assert client.receive().payload == b"d" * size


def test_the_keys_own_policy_decides(account, tmp_path):
    base = "arn:aws:iot:us-east-1:000000000000:"
    statements = [("iot:Connect", "client/browser-*"), ("iot:Publish", "topic/out"), ("iot:Subscribe", "topicfilter/in/*"), ("iot:Receive", "topic/in/a")]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": a, "Resource": base + r} for a, r in statements]}
    holder = limited(account, tmp_path, document)
    with pytest.raises(Refused) as refused, browser(holder, "somebody"):
        pass
    assert refused.value.reason_code.value == 0x87
    with browser(holder, "browser-1") as client, Client(account, account.new_device(), "device") as device:
        assert client.subscribe("elsewhere")[0].value == 0x87
        assert client.subscribe("in/+")[0].value == 0
        assert client.publish("in/a", b"x").value == 0x87
        assert client.publish("out", b"x").value == 0
        device.publish("in/b", b"withheld")
        device.publish("in/a", b"delivered")
        assert client.receive().payload == b"delivered"


@pytest.mark.parametrize("how", ["signed", "appended", "header"])
def test_a_session_token_may_be_signed_or_appended_after_signing(account, tmp_path, how):
    key = create_key(account, "--duration", 900)
    holder = with_key(account, key, tmp_path)
    host, headers = account.data_host, {}
    if how == "signed":
        target = presigned(holder, host=host, token=key["sessionToken"])
    elif how == "appended":
        target = f"{presigned(holder, host=host)}&X-Amz-Security-Token={quote(key['sessionToken'], safe='')}"
    else:
        target, headers = "/mqtt", signed(holder, "GET", "/mqtt", host=host, token=key["sessionToken"])
    with Socket(account, target, headers) as socket:
        assert "101 Switching Protocols" in socket.answer
        socket.connect()
    with Connection(account, None) as connection:
        answer = connection.request("GET", presigned(holder, host=host), headers=UPGRADE)
        assert answer.status == 403, "without its token the key is worth nothing"


@pytest.mark.parametrize(
    "target",
    [
        lambda account: "/mqtt",
        lambda account: presigned(account, service="iot"),
        lambda account: presigned(account, region="eu-west-1"),
        lambda account: presigned(account, host="localhost"),
        lambda account: presigned(account, at=datetime.now(timezone.utc) - timedelta(minutes=10), expires=60),
        lambda account: presigned(account).replace("X-Amz-Signature=", "X-Amz-Signature=00"),
        lambda account: presigned(account, "/mqtt2").replace("/mqtt2", "/mqtt"),
        lambda account: presigned(account) + "&X-Amz-Security-Token=made-up",
    ],
)
def test_who_may_not_in_hears_403_before_the_upgrade(account, target):
    with Connection(account, None) as connection:
        answer = connection.request("GET", target(account), headers=UPGRADE)
        assert (answer.status, answer.error) == (403, "ForbiddenException")
        assert answer.json["traceId"]


@pytest.mark.parametrize("offered", ["mqtt", "mqttv3.1", "soap, mqtt"])
def test_the_subprotocol_is_the_one_offered(account, offered):
    with Socket(account, headers={"Sec-WebSocket-Protocol": offered}) as socket:
        assert f"sec-websocket-protocol: {offered.rpartition(' ')[2]}\r\n" in socket.answer.lower()
        socket.connect()


@pytest.mark.parametrize(
    "wrong",
    [{"Sec-WebSocket-Protocol": "soap"}, {"Sec-WebSocket-Version": "8"}, {"Sec-WebSocket-Key": "x"}, {"Upgrade": "h2c"}, {"Connection": "close"}],
)
def test_what_is_no_opening_handshake_is_refused(account, wrong):
    with Connection(account, None) as connection:
        answer = connection.request("GET", presigned(account), headers=UPGRADE | wrong)
        assert (answer.status, answer.error) == (400, "InvalidRequestException")


def test_packets_may_share_a_frame_and_span_several(account):
    with Socket(account) as socket:
        packet = connect("frames-1")
        socket.send(BINARY, packet[:3])
        socket.send(BINARY, b"")
        socket.send(BINARY, packet[3:10], final=False)
        socket.send(PING, b"in between")
        socket.send(CONTINUATION, packet[10:] + PINGREQ + PINGREQ)
        received = [socket.receive(), socket.receive()]
        assert (PONG, b"in between") in received
        mqtt = b"".join(payload for opcode, payload in received if opcode == BINARY)
        while len(mqtt) < 8:
            mqtt += socket.receive()[1]
        assert mqtt == CONNACK_311_ACCEPTED + PINGRESP + PINGRESP


def test_a_close_frame_is_answered_and_ends_the_session(account):
    with Socket(account) as socket:
        socket.connect("frames-2")
        socket.send(CLOSE, struct.pack(">H", 1000))
        assert socket.receive() == (CLOSE, struct.pack(">H", 1000))
        assert socket.receive() is None


def test_text_is_refused_as_unsupported_data(account):
    with Socket(account) as socket:
        socket.connect("frames-3")
        socket.send(TEXT, b"hello")
        assert socket.closing_code() == 1003


@pytest.mark.parametrize(
    ("what", "code"),
    [
        (lambda socket: socket.send(BINARY, PINGREQ, masked=False), 1002),
        (lambda socket: socket.send(BINARY, b"x" * 10, claimed=1 << 40), 1009),
        (lambda socket: socket.send(3, b"x"), 1002),
        (lambda socket: socket.send(CONTINUATION, b"x"), 1002),
        (lambda socket: socket.send(PING, b"x" * 126), 1002),
        (lambda socket: socket.send(PING, b"x", final=False), 1002),
        (lambda socket: socket.connection.socket.sendall(b"\xf2\x80\x00\x00\x00\x00"), 1002),
    ],
)
def test_broken_frames_end_the_connection_by_code(account, what, code):
    with Socket(account) as socket:
        socket.connect("frames-4")
        what(socket)
        assert socket.closing_code() == code


def test_a_frame_larger_than_any_packet_ends_the_connection(account):
    with Socket(account) as socket:
        socket.connect("frames-larger")
        # What is still being sent may reset the connection before the close frame is read.
        with contextlib.suppress(OSError):
            socket.send(BINARY, b"\xc0\x00" * (256 * 1024))
        with contextlib.suppress(OSError):
            assert socket.closing_code() in (1009, None)
        assert socket.receive() is None


def test_a_frame_that_never_ends_is_waited_for_no_longer_than_connect(account):
    """The peer says 100 bytes are coming, sends ten and goes: nothing of it is heard."""
    with Socket(account) as socket:
        socket.send(BINARY, connect("frames-5")[:10], claimed=100)
        socket.connection.socket.shutdown(1)
        assert socket.closing_code() is None


def test_garbage_in_frames_is_no_mqtt(account):
    with Socket(account) as socket:
        socket.send(BINARY, b"\x00" * 64)
        assert socket.closing_code() in (None, 1000, 1005)
    with Socket(account) as socket:
        socket.connect("frames-6")
        socket.send(BINARY, b"\xff" * 64)
        assert socket.closing_code() in (None, 1000, 1005)


def test_pings_that_nobody_hears_the_answers_of_cost_the_server_no_memory(account):
    with Socket(account) as socket:
        socket.connect("frames-7")
        frame = bytes([0x89, 0x80 | 125]) + b"\x00" * 4 + b"x" * 125
        socket.connection.socket.settimeout(3)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 256 * 1024 * 1024:
                socket.connection.socket.sendall(frame * 1000)
                sent += len(frame) * 1000


def test_a_deleted_key_loses_its_sessions_and_no_other_key_does(account, tmp_path):
    keys = [create_key(account) for _ in range(2)]
    holders = [with_key(account, key, tmp_path) for key in keys]
    with browser(holders[0], "cut") as cut, browser(holders[1], "stays") as stays:
        account.server.command("access-key", "delete", "--account", keys[0]["accountId"], keys[0]["accessKeyId"])
        assert cut.wait_closed().value == 0x87
        assert "access key" in cut.close_properties.ReasonString
        stays.subscribe("alive")
        stays.publish("alive", b"x")
        assert stays.receive().payload == b"x"


def test_a_temporary_key_takes_its_sessions_with_it(account, tmp_path):
    key = create_key(account, "--duration", 2)
    holder = with_key(account, key, tmp_path)
    host = f"127.0.0.1:{account.server.alpn_port}"
    with browser(account, "temporary", presigned(holder, host=host, token=key["sessionToken"])) as client:
        assert client.wait_closed().value == 0x87


def test_one_client_id_is_one_session_whatever_it_comes_through(account):
    with Client(account, account.new_device(), "same") as device:
        with browser(account, "same"):
            assert device.wait_closed().value == 0x8E


def test_a_stop_tells_browsers_too(start_server, account_of):
    account = account_of(start_server())
    with browser(account) as client:
        account.server.stop()
        assert client.wait_closed().value == 0x8B


def test_a_will_is_published_for_a_browser_that_vanishes(account):
    with Socket(account) as socket, Client(account, account.new_device(), "heir") as heir:
        heir.subscribe("will/of/browser")
        rest = struct.pack(">H", 15) + b"will/of/browser" + struct.pack(">H", 4) + b"gone"
        socket.send(BINARY, connect("frames-8", flags=0x06, rest=rest))
        assert socket.receive() == (BINARY, CONNACK_311_ACCEPTED)
        socket.connection.socket.shutdown(2)
        assert heir.receive().payload == b"gone"


def test_a_message_comes_back_to_whom_it_is_from(account):
    with Socket(account) as socket:
        socket.connect("frames-9")
        socket.send(BINARY, subscribe("echo") + publish("echo", b"x"))
        eventually(lambda: socket.receive()[1].endswith(b"x"), "the message comes back")
