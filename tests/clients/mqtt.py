"""An MQTT client for tests on top of paho: every step waits for its answer, and what arrives is kept."""

import queue
import ssl
import threading

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from account import Account, Device

ANSWERED_WITHIN_S = 20

V311 = MQTTProtocolVersion.MQTTv311
V5 = MQTTProtocolVersion.MQTTv5


class NamedContext(ssl.SSLContext):
    """A TLS context that asks for a name of its own, whatever host the client thinks it connects to."""

    server_name: str | None = None

    def wrap_socket(self, sock, *arguments, **options):
        options["server_hostname"] = self.server_name
        return super().wrap_socket(sock, *arguments, **options)


def tls_context(
    root_ca, device: Device | None, server_name: str | None, alpn: list[str] | None = None, *, checks_name: bool = True
) -> ssl.SSLContext:
    """Trusts the server's root and shows the device's certificate. `server_name=None` sends no SNI and checks no name."""
    context = NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.server_name = server_name
    context.check_hostname = checks_name and server_name is not None
    context.load_verify_locations(root_ca)
    if device is not None:
        context.load_cert_chain(device.certificate, device.key)
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


class Refused(Exception):
    """The server answered CONNACK with a reason other than success."""

    def __init__(self, reason_code, properties=None):
        super().__init__(f"{reason_code}: {getattr(properties, 'ReasonString', None)}")
        self.reason_code = reason_code
        self.properties = properties


def refused(account: Account, device: Device, **how) -> str:
    """The sentence with which the server refuses this MQTT 5 device."""
    try:
        with Client(account, device, **how):
            raise AssertionError("the device was let in")
    except Refused as refusal:
        assert refusal.reason_code.value == 0x87, refusal
        return refusal.properties.ReasonString


class Closed(Exception):
    """The connection ended without an answer."""


class Client:
    """A device's connection. Used as `with Client(account, device) as client:`, which connects and disconnects."""

    def __init__(
        self,
        account: Account,
        device: Device | None,
        client_id: str = "device",
        *,
        protocol: MQTTProtocolVersion = V5,
        server_name: str | None = "",
        port: int | None = None,
        alpn: list[str] | None = None,
        checks_name: bool = True,
        root_ca=None,
        connect_options: dict | None = None,
        websocket: str | None = None,
        **options,
    ):
        """`server_name=""` means the account's data endpoint; `checks_name=False` lets the server's certificate be for
        another name; `root_ca` is what the device trusts instead of the server's root; `websocket` is the path and query of MQTT over WebSocket. `options` go to paho's constructor,
        `connect_options` to its `connect`."""
        if websocket is not None:
            options["transport"] = "websockets"
        self._port = port or account.server.mqtt_port
        self._connect_options = connect_options or {}
        self._opened: queue.Queue = queue.Queue()
        self._answers: dict[int, queue.Queue] = {}
        self._lock = threading.Lock()
        self.messages: queue.Queue = queue.Queue()
        self.closed = threading.Event()
        self.close_reason = None
        self.close_properties = None
        self.connack = None

        name = account.data_host if server_name == "" else server_name
        self.paho = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=protocol, reconnect_on_failure=False, **options)
        context = tls_context(root_ca or account.server.root_ca, device, name, alpn, checks_name=checks_name)
        self.paho.tls_set_context(context)
        if websocket is not None:
            self.paho.ws_set_options(path=websocket)
        if not context.check_hostname:
            self.paho.tls_insecure_set(True)
        self.paho.on_connect = self._on_connect
        self.paho.on_disconnect = self._on_disconnect
        self.paho.on_message = lambda _client, _data, message: self.messages.put(message)
        self.paho.on_subscribe = lambda _client, _data, mid, codes, _properties: self._answer(mid).put(codes)
        self.paho.on_unsubscribe = lambda _client, _data, mid, codes, _properties: self._answer(mid).put(codes)
        self.paho.on_publish = lambda _client, _data, mid, code, _properties: self._answer(mid).put(code)

    def __enter__(self) -> "Client":
        return self.connect()

    def __exit__(self, *_) -> None:
        self.disconnect()

    def connect(self) -> "Client":
        """Connects; raises `Refused`, `Closed`, or an `OSError` of the TLS layer."""
        self.paho.connect("127.0.0.1", self._port, **self._connect_options)
        self.paho.loop_start()
        try:
            outcome = self._opened.get(timeout=ANSWERED_WITHIN_S)
        except queue.Empty:
            outcome = Closed("no CONNACK came")
        if isinstance(outcome, Exception):
            self.paho.loop_stop()
            raise outcome
        return self

    def disconnect(self) -> None:
        """Says goodbye and waits until the connection is gone."""
        self.paho.disconnect()
        self.paho.loop_stop()

    def drop(self) -> None:
        """Cuts the connection without a word, so that the will is due."""
        self.paho.socket().shutdown(2)
        self.wait_closed()

    def subscribe(self, *filters: str, qos: int = 0) -> list:
        """Subscribes; answers the SUBACK's codes."""
        _, mid = self.paho.subscribe([(each, qos) for each in filters])
        return self._wait(mid, "SUBACK")

    def unsubscribe(self, *filters: str) -> list:
        """Unsubscribes; answers the UNSUBACK's codes."""
        _, mid = self.paho.unsubscribe(list(filters))
        return self._wait(mid, "UNSUBACK")

    def publish(self, topic: str, payload: bytes | str, qos: int = 1, **options):
        """Publishes; above QoS 0 answers the acknowledgement's code."""
        return self._wait(self.paho.publish(topic, payload, qos, **options).mid, "acknowledgement")

    def receive(self, timeout: float = ANSWERED_WITHIN_S) -> paho.MQTTMessage:
        """The next message."""
        try:
            return self.messages.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"no message came within {timeout} s") from None

    def wait_closed(self, timeout: float = ANSWERED_WITHIN_S):
        """Waits until the server ends the connection; answers the reason that paho saw."""
        assert self.closed.wait(timeout), f"the connection is still open after {timeout} s"
        return self.close_reason

    def _answer(self, mid: int) -> queue.Queue:
        with self._lock:
            return self._answers.setdefault(mid, queue.Queue())

    def _wait(self, mid: int, what: str):
        try:
            answer = self._answer(mid).get(timeout=ANSWERED_WITHIN_S)
        except queue.Empty:
            raise AssertionError(f"no {what} came within {ANSWERED_WITHIN_S} s") from None
        if isinstance(answer, Exception):
            raise answer
        with self._lock:
            self._answers.pop(mid, None)
        return answer

    def _on_connect(self, _client, _data, flags, reason_code, properties):
        self.connack = (flags, reason_code, properties)
        self._opened.put(Refused(reason_code, properties) if reason_code.is_failure else None)

    def _on_disconnect(self, _client, _data, _flags, reason_code, properties):
        self.close_reason, self.close_properties = reason_code, properties
        self.closed.set()
        ended = Closed(f"the connection ended: {reason_code}")
        self._opened.put(ended)
        # Whoever waits for an answer need not wait for the deadline.
        with self._lock:
            for waiting in self._answers.values():
                waiting.put(ended)
