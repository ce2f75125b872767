"""The mosquitto clients, as everybody uses them first: at `localhost`, the first account's built-in endpoint."""

import subprocess

import pytest

from mqtt import Client
from tools import mosquitto

# mosquitto_sub tells by -d that it has subscribed; `stdbuf -oL` lets the line come at once.


@pytest.fixture(scope="module")
def device(shared_account):
    return shared_account.new_device_with_keys()


@pytest.fixture(scope="module", autouse=True)
def allowed(shared_account, device):
    shared_account.allow(device)


def options(account, device) -> list:
    return [
        *("-h", "localhost", "-p", str(account.server.mqtt_port), "--cafile", account.server.root_ca),
        *("--cert", device.certificate, "--key", device.key),
    ]


@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
@pytest.mark.parametrize("qos", ["0", "1"])
def test_what_mosquitto_pub_says_mosquitto_sub_hears(account, device, version, qos):
    topic = f"mosquitto/{version}/{qos}"
    command = ["stdbuf", "-oL", "mosquitto_sub", *options(account, device), "-V", version, "-q", qos, "-t", topic, "-i", f"sub-{version}-{qos}"]
    with subprocess.Popen([*command, "-C", "1", "-W", "30", "-d"], stdout=subprocess.PIPE, text=True) as subscriber:
        said = ""
        while "Subscribed" not in said:
            said = subscriber.stdout.readline()
            assert said, "the subscriber ended early"
        done = mosquitto(
            "mosquitto_pub", account.server.mqtt_port, root_ca=account.server.root_ca, device=device,
            options=["-V", version, "-q", qos, "-t", topic, "-m", "hello, gate", "-i", f"pub-{version}-{qos}"],
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        rest, _ = subscriber.communicate(timeout=40)
        assert subscriber.returncode == 0
        assert "hello, gate" in rest.splitlines()


def test_mosquitto_pub_comes_in_by_alpn_on_the_shared_port(account, device):
    with Client(account, device, "alpn-listener") as listener:
        listener.subscribe("mosquitto/alpn", qos=1)
        options = ["-t", "mosquitto/alpn", "-m", "hello", "-q", "1", "-i", "alpn-pub"]
        for alpn, code in [(["--tls-alpn", "x-amzn-mqtt-ca"], 0), ([], None)]:
            done = mosquitto(
                "mosquitto_pub", account.server.alpn_port, root_ca=account.server.root_ca, device=device, options=[*options, *alpn]
            )
            assert done.returncode == 0 if code == 0 else done.returncode != 0, done.stderr
        assert listener.receive().payload == b"hello"


def test_mosquitto_rr_gets_its_answer(account, device):
    with Client(account, device, "responder") as responder:
        responder.paho.on_message = lambda client, _data, message: client.publish(
            message.properties.ResponseTopic, b"answer to " + message.payload
        )
        responder.subscribe("rr/request")
        done = mosquitto(
            "mosquitto_rr", account.server.mqtt_port, root_ca=account.server.root_ca, device=device,
            options=["-V", "5", "-t", "rr/request", "-e", "rr/response", "-m", "question", "-i", "rr", "-W", "20"],
        )  # fmt: skip
        assert (done.returncode, done.stdout.strip()) == (0, "answer to question"), done.stderr


def test_mosquitto_pub_sends_many_lines_over_one_connection(account, device):
    with Client(account, device, "counting") as client:
        client.subscribe("lines", qos=1)
        done = subprocess.run(
            ["mosquitto_pub", *options(account, device), "-t", "lines", "-q", "1", "-l", "-i", "many"],
            input="".join(f"{n}\n" for n in range(100)),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert [int(client.receive().payload) for _ in range(100)] == list(range(100))


def test_mosquitto_sub_ends_when_its_certificate_is_revoked(account):
    device = account.new_device()
    command = ["stdbuf", "-oL", "mosquitto_sub", *options(account, device), "-t", "x", "-i", "to-be-cut", "-d", "-V", "5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as subscriber:
        try:
            while "Subscribed" not in (said := subscriber.stdout.readline()):
                assert said, "the subscriber ended early"
            account.set_status(device, "REVOKED")
            said, _ = subscriber.communicate(timeout=40)
            assert "Received DISCONNECT (135)" in said
        finally:
            subscriber.kill()


def test_mosquitto_refuses_a_server_that_another_root_vouches_for(account, device, tmp_path):
    _, other_root = account.new_self_signed("/CN=Other Root")
    (tmp_path / "other.pem").write_text(other_root)
    done = mosquitto(
        "mosquitto_pub", account.server.mqtt_port, root_ca=tmp_path / "other.pem", device=device, options=["-t", "x", "-m", "x"]
    )
    assert done.returncode != 0
    assert "TLS error" in done.stderr
