"""MQTT as bytes on a TLS connection: for what well-behaved clients do not send, and to see the very bytes of an answer."""

import socket
import ssl
import struct

from account import Account, Device
from mqtt import tls_context

ANSWERED_WITHIN_S = 20

CONNACK_311_ACCEPTED = b"\x20\x02\x00\x00"
CONNACK_311_NOT_AUTHORIZED = b"\x20\x02\x00\x05"
PINGREQ = b"\xc0\x00"
PINGRESP = b"\xd0\x00"
DISCONNECT = b"\xe0\x00"


def text(value: str | bytes) -> bytes:
    """A string as it stands in packets."""
    content = value.encode() if isinstance(value, str) else value
    return struct.pack(">H", len(content)) + content


def packet(first_byte: int, body: bytes) -> bytes:
    """A whole packet."""
    length, rest = b"", len(body)
    while True:
        rest, digit = divmod(rest, 128)[0], rest % 128
        length += bytes([digit | (0x80 if rest else 0)])
        if not rest:
            return bytes([first_byte]) + length + body


def connect(client_id: str | bytes, *, version: int = 4, flags: int = 2, keep_alive: int = 60, rest: bytes = b"") -> bytes:
    """CONNECT; `rest` is what follows the client id."""
    properties = b"\x00" if version == 5 else b""
    return packet(0x10, text("MQTT") + bytes([version, flags]) + struct.pack(">H", keep_alive) + properties + text(client_id) + rest)


def publish(topic: str | bytes, payload: bytes = b"", *, qos: int = 0, flags: int = 0, packet_id: int = 1) -> bytes:
    """PUBLISH of MQTT 3.1.1."""
    number = struct.pack(">H", packet_id) if qos else b""
    return packet(0x30 | qos << 1 | flags, text(topic) + number + payload)


def subscribe(topic_filter: str | bytes, *, qos: int = 0, packet_id: int = 1) -> bytes:
    """SUBSCRIBE of MQTT 3.1.1."""
    return packet(0x82, struct.pack(">H", packet_id) + text(topic_filter) + bytes([qos]))


class Wire:
    """A TLS connection. `context` may be handed in so that a session can be resumed."""

    def __init__(
        self,
        account: Account,
        device: Device | None,
        *,
        server_name: str | None = "",
        port: int | None = None,
        context: ssl.SSLContext | None = None,
        session: ssl.SSLSession | None = None,
    ):
        name = account.data_host if server_name == "" else server_name
        context = context or tls_context(account.server.root_ca, device, name)
        context.server_name = name
        plain = socket.create_connection(("127.0.0.1", port or account.server.mqtt_port), timeout=ANSWERED_WITHIN_S)
        try:
            self._socket = context.wrap_socket(plain, session=session)
        except BaseException:
            plain.close()
            raise

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_) -> None:
        self._socket.close()

    @property
    def session(self) -> ssl.SSLSession | None:
        """What a later connection may resume. In TLS 1.3 it comes with the first bytes read."""
        return self._socket.session

    @property
    def is_resumed(self) -> bool:
        return self._socket.session_reused

    def send(self, *packets: bytes) -> None:
        self._socket.sendall(b"".join(packets))

    def read(self, count: int) -> bytes:
        """So many bytes, or fewer when the connection ends before."""
        found = b""
        while len(found) < count:
            more = self._read_some(count - len(found))
            if not more:
                break
            found += more
        return found

    def read_packet(self) -> bytes:
        """The next packet, `b""` at the end of the connection."""
        head = self.read(2)
        while len(head) >= 2 and head[-1] & 0x80:
            head += self.read(1)
        if len(head) < 2:
            return head
        length = sum((digit & 0x7F) << 7 * place for place, digit in enumerate(head[1:]))
        return head + self.read(length)

    def read_to_end(self) -> bytes:
        """Everything until the server closes."""
        found = b""
        while more := self._read_some(65536):
            found += more
        return found

    def _read_some(self, count: int) -> bytes:
        try:
            return self._socket.recv(count)
        except (ssl.SSLEOFError, ConnectionResetError):
            return b""
