"""AWS's own device SDK (Python, v2, on the CRT): mutual TLS on both ports, WebSocket with SigV4, MQTT 3.1.1 and 5."""

import queue
from concurrent.futures import Future

import pytest
from awscrt import auth, io, mqtt, mqtt5
from awsiot import mqtt5_client_builder, mqtt_connection_builder

ANSWERED_WITHIN_S = 30
HOST = "localhost"


@pytest.fixture
def device(account):
    return account.new_device()


class Client5:
    """An MQTT 5 client of the SDK that has connected, subscribed and heard itself."""

    def __init__(self, build):
        self.connected: Future = Future()
        self.messages: queue.Queue = queue.Queue()
        self.stopped: Future = Future()
        self.client = build(
            on_lifecycle_connection_success=self.connected.set_result,
            on_lifecycle_connection_failure=lambda data: self.connected.done() or self.connected.set_exception(data.exception),
            on_publish_received=lambda data: self.messages.put(data.publish_packet),
            on_lifecycle_stopped=self.stopped.set_result,
        )

    def __enter__(self) -> "Client5":
        self.client.start()
        try:
            self.connected.result(ANSWERED_WITHIN_S)
        except BaseException:
            self.client.stop()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.client.stop()
        self.stopped.result(ANSWERED_WITHIN_S)

    def hears_itself(self, topic: str) -> None:
        subscription = mqtt5.Subscription(topic, mqtt5.QoS.AT_LEAST_ONCE)
        suback = self.client.subscribe(mqtt5.SubscribePacket([subscription])).result(ANSWERED_WITHIN_S)
        assert suback.reason_codes == [mqtt5.SubackReasonCode.GRANTED_QOS_1]
        packet = mqtt5.PublishPacket(topic=topic, payload=b"hello", qos=mqtt5.QoS.AT_LEAST_ONCE)
        done = self.client.publish(packet).result(ANSWERED_WITHIN_S)
        assert done.puback.reason_code == mqtt5.PubackReasonCode.SUCCESS
        assert self.messages.get(timeout=ANSWERED_WITHIN_S).payload == b"hello"


def mutual_tls(account, device, port: int, **how):
    return lambda **callbacks: mqtt5_client_builder.mtls_from_path(
        endpoint=HOST,
        port=port,
        cert_filepath=str(device.certificate),
        pri_key_filepath=str(device.key),
        ca_filepath=str(account.server.root_ca),
        client_id="sdk",
        **how,
        **callbacks,
    )


def credentials(account, secret: str | None = None):
    keys = account.credentials
    return auth.AwsCredentialsProvider.new_static(keys.access_key_id, secret or keys.secret_access_key)


def websocket(account, provider=None):
    return lambda **callbacks: mqtt5_client_builder.websockets_with_default_aws_signing(
        region=account.region,
        credentials_provider=provider or credentials(account),
        endpoint=HOST,
        port=account.server.alpn_port,
        ca_filepath=str(account.server.root_ca),
        client_id="sdk-websocket",
        **callbacks,
    )


def test_mutual_tls_on_port_8883(account, device):
    with Client5(mutual_tls(account, device, account.server.mqtt_port)) as client:
        client.hears_itself("sdk/mtls")


def test_mutual_tls_by_alpn_on_the_shared_port(account, device):
    """The builder names ALPN on the very port 443 only, so this says what it would say there."""

    def build(**callbacks):
        tls = io.TlsContextOptions.create_client_with_mtls_from_path(str(device.certificate), str(device.key))
        tls.override_default_trust_store_from_path(None, str(account.server.root_ca))
        tls.alpn_list = ["x-amzn-mqtt-ca"]
        names = {
            "on_lifecycle_connection_success": "on_lifecycle_event_connection_success_fn",
            "on_lifecycle_connection_failure": "on_lifecycle_event_connection_failure_fn",
            "on_lifecycle_stopped": "on_lifecycle_event_stopped_fn",
            "on_publish_received": "on_publish_callback_fn",
        }
        return mqtt5.Client(
            mqtt5.ClientOptions(
                host_name=HOST,
                port=account.server.alpn_port,
                tls_ctx=io.ClientTlsContext(tls),
                connect_options=mqtt5.ConnectPacket(client_id="sdk-alpn"),
                **{names[name]: callback for name, callback in callbacks.items()},
            )
        )

    with Client5(build) as client:
        client.hears_itself("sdk/alpn")


def test_websocket_with_sigv4(account):
    with Client5(websocket(account)) as client:
        client.hears_itself("sdk/websocket")


def test_websocket_with_a_wrong_secret_is_refused(account):
    with pytest.raises(Exception, match="(?i)websocket"), Client5(websocket(account, credentials(account, "x" * 40))):
        pass


def test_a_refused_device_learns_why(account, device):
    account.set_status(device, "INACTIVE")
    client = Client5(mutual_tls(account, device, account.server.mqtt_port))
    failures: queue.Queue = queue.Queue()
    client.client = mutual_tls(account, device, account.server.mqtt_port)(on_lifecycle_connection_failure=failures.put)
    client.client.start()
    try:
        refused = failures.get(timeout=ANSWERED_WITHIN_S)
        assert refused.connack_packet.reason_code == mqtt5.ConnectReasonCode.NOT_AUTHORIZED
        assert "INACTIVE" in refused.connack_packet.reason_string
    finally:
        client.client.stop()


@pytest.mark.parametrize("way", ["mtls", "websocket"])
def test_mqtt_3_connections_of_the_sdk(account, device, way):
    common = {"endpoint": HOST, "ca_filepath": str(account.server.root_ca), "client_id": f"sdk3-{way}", "clean_session": True}
    if way == "mtls":
        connection = mqtt_connection_builder.mtls_from_path(
            cert_filepath=str(device.certificate), pri_key_filepath=str(device.key), port=account.server.mqtt_port, **common
        )
    else:
        connection = mqtt_connection_builder.websockets_with_default_aws_signing(
            region=account.region, credentials_provider=credentials(account), port=account.server.alpn_port, **common
        )
    messages: queue.Queue = queue.Queue()
    assert connection.connect().result(ANSWERED_WITHIN_S) == {"session_present": False}
    try:
        topic = f"sdk3/{way}"
        heard = lambda topic, payload, **_: messages.put((topic, payload))  # noqa: E731
        connection.subscribe(topic, mqtt.QoS.AT_LEAST_ONCE, heard)[0].result(ANSWERED_WITHIN_S)
        connection.publish(topic, "hello", mqtt.QoS.AT_LEAST_ONCE)[0].result(ANSWERED_WITHIN_S)
        assert messages.get(timeout=ANSWERED_WITHIN_S) == (topic, b"hello")
    finally:
        connection.disconnect().result(ANSWERED_WITHIN_S)
