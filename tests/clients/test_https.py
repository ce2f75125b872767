"""Devices over HTTPS with their certificate, as curl and scripts do it: Publish, permissions, refusals, and the cut."""

import base64
import json
import subprocess

import pytest

from account import ALLOW_ALL
from eventually import eventually
from https import Connection, request
from mqtt import Client
from tools import curl


def publish(account, device, path: str, *options, at: str = "") -> subprocess.CompletedProcess:
    host, port = at or account.data_host, account.server.https_port
    return curl(f"https://{host}:{port}{path}", root_ca=account.server.root_ca, device=device, port=port, options=options)


def allowing(*statements: tuple[str, str]) -> dict:
    base = "arn:aws:iot:us-east-1:000000000000:"
    made = [{"Effect": "Allow", "Action": action, "Resource": base + resource} for action, resource in statements]
    return {"Version": "2012-10-17", "Statement": made}


@pytest.fixture
def device(account):
    return account.new_device()


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("path", ["/topics/https/a/b", "/topics/https%2Fa%2Fb", "/topics/https%2fa/b"])
def test_what_curl_publishes_a_subscriber_of_mqtt_gets(account, device, path, qos):
    with Client(account, account.new_device(), "listener") as listener:
        listener.subscribe("https/a/b", qos=1)
        done = publish(account, device, f"{path}?qos={qos}", "--data-binary", f"hello {qos}", "--include")
        assert done.returncode == 0, done.stderr
        head, _, body = done.stdout.partition("\n\n") if "\r\n" not in done.stdout else done.stdout.partition("\r\n\r\n")
        assert "200 OK" in head and "content-type: application/json" in head.lower()
        answer = json.loads(body)
        assert answer["message"] == "OK" and f"x-amzn-requestid: {answer['traceId']}" in head.lower()
        message = listener.receive()
        assert (message.topic, message.payload, message.qos) == ("https/a/b", f"hello {qos}".encode(), qos)


def test_localhost_is_an_endpoint_here_too_and_http_1_0_is_spoken(account, device):
    for options in [[], ["--http1.0"], ["--no-alpn"]]:
        done = publish(account, device, "/topics/a", "-d", "x", *options, at="localhost")
        assert json.loads(done.stdout)["message"] == "OK", done.stderr


def test_what_mqtt_5_has_besides_the_payload_travels_with_it(account, device):
    properties = base64.b64encode(json.dumps([{"name": "value"}, {"name": "other"}]).encode()).decode()
    headers = {
        "x-amz-mqtt5-user-properties": properties,
        "x-amz-mqtt5-payload-format-indicator": "UTF8_DATA",
        "x-amz-mqtt5-correlation-data": base64.b64encode(b"\x00\x01").decode(),
    }
    target = "/topics/https/rich?qos=1&contentType=text%2Fplain&responseTopic=reply/here&messageExpiry=100&retain=FALSE"
    with Client(account, account.new_device(), "listener") as listener:
        listener.subscribe("https/rich")
        assert request(account, device, "POST", target, "é".encode(), headers).status == 200
        got = listener.receive().properties
        assert got.ContentType == "text/plain"
        assert got.ResponseTopic == "reply/here"
        assert got.CorrelationData == b"\x00\x01"
        assert got.PayloadFormatIndicator == 1
        assert got.UserProperty == [("name", "value"), ("name", "other")]
        assert got.MessageExpiryInterval in range(90, 101)


def test_an_empty_body_and_the_largest_one_are_messages(account, device):
    with Client(account, account.new_device(), "listener") as listener:
        listener.subscribe("https/size", qos=1)
        for body in (b"", b"x" * 128 * 1024):
            assert request(account, device, "POST", "/topics/https/size?qos=1", body).status == 200
            assert listener.receive().payload == body
    answer = request(account, device, "POST", "/topics/https/size", b"x" * (128 * 1024 + 1))
    assert (answer.status, answer.error) == (413, "RequestEntityTooLargeException")


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ("/topics/a?qos=2", "qos"),
        ("/topics/a?qos=", "qos"),
        ("/topics/a?qos=0&qos=1", "qos"),
        ("/topics/a?retain=yes", "retain"),
        ("/topics/a?Qos=1", "Qos"),
        ("/topics/a?messageExpiry=-1", "messageExpiry"),
        ("/topics/a?messageExpiry=4294967296", "messageExpiry"),
        ("/topics/a?responseTopic=a/%23", "responseTopic"),
        (f"/topics/a?contentType={'x' * 257}", "contentType"),
        ("/topics/a%23", "wildcard"),
        ("/topics/a%00", "U+0000"),
        ("/topics/1/2/3/4/5/6/7/8/9", "slashes"),
        ("/topics/" + "x" * 257, "256 bytes"),
        ("/topics/%ff", "UTF-8"),
        ("/topics/a?qos=%zz", "UTF-8"),
    ],
)
def test_what_is_no_publish_is_refused_by_name(account, device, target, named):
    answer = request(account, device, "POST", target, b"x")
    assert (answer.status, answer.error) == (400, "InvalidRequestException")
    assert named in answer.message
    assert answer.json["traceId"] == answer.headers["x-amzn-requestid"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("user-properties", "%%%"),
        ("user-properties", base64.b64encode(b'{"a":"b"}').decode()),
        ("user-properties", base64.b64encode(b'[{"a":"b","c":"d"}]').decode()),
        ("user-properties", base64.b64encode(b'[{"a":1}]').decode()),
        ("user-properties", base64.b64encode(b'[{"a":"' + b"x" * 8192 + b'"}]').decode()),
        ("payload-format-indicator", "UTF8"),
        ("correlation-data", "%"),
        ("correlation-data", base64.b64encode(b"x" * 8193).decode()),
    ],
)
def test_headers_of_mqtt_5_are_held_to_their_form(account, device, name, value):
    answer = request(account, device, "POST", "/topics/a", b"x", {f"x-amz-mqtt5-{name}": value})
    assert (answer.status, answer.error) == (400, "InvalidRequestException")
    assert name in answer.message


def test_a_payload_that_is_said_to_be_text_must_be(account, device):
    headers = {"x-amz-mqtt5-payload-format-indicator": "UTF8_DATA"}
    answer = request(account, device, "POST", "/topics/a", b"\xff", headers)
    assert (answer.status, answer.error) == (400, "InvalidRequestException")


def test_the_policy_decides_what_is_published(account):
    device = account.new_device(allowing(("iot:Publish", "topic/mine/*")))
    with Client(account, account.new_device(), "listener") as listener:
        listener.subscribe("#")
        assert request(account, device, "POST", "/topics/yours/1", b"x").error == "ForbiddenException"
        assert request(account, device, "POST", "/topics/yours%2Fmine%2F1", b"x").status == 403
        assert request(account, device, "POST", "/topics/mine/1", b"x").status == 200
        assert listener.receive().topic == "mine/1"
    nobody = account.new_device(is_attached=False)
    answer = request(account, nobody, "POST", "/topics/mine/1", b"x")
    assert (answer.status, answer.error) == (403, "ForbiddenException")
    assert "iot:Publish" in answer.message


def test_variables_of_the_certificate_count_and_those_of_a_client_id_do_not(account):
    documents = {"${iot:Certificate.Subject.CommonName}": 200, "${iot:ClientId}": 403, "${iot:Connection.Thing.ThingName}": 403}
    for variable, status in documents.items():
        device = account.new_device(allowing(("iot:Publish", f"topic/by/{variable}")))
        assert request(account, device, "POST", "/topics/by/device", b"x").status == status, variable
    for ip, status in (("127.0.0.0/8", 200), ("10.0.0.0/8", 403)):
        document = allowing(("iot:Publish", "topic/ip"))
        document["Statement"][0]["Condition"] = {"IpAddress": {"aws:SourceIp": ip}}
        assert request(account, account.new_device(document), "POST", "/topics/ip", b"x").status == status, ip


def test_a_change_of_policy_holds_for_the_next_request_of_an_open_connection(account):
    device = account.new_device(allowing(("iot:Publish", "topic/a")))
    with Connection(account, device) as connection:
        assert connection.request("POST", "/topics/a", b"x").status == 200
        account.forget_policies(device)
        assert connection.request("POST", "/topics/a", b"x").status == 403
        account.allow(device, ALLOW_ALL)
        assert connection.request("POST", "/topics/a", b"x").status == 200


def test_a_message_is_retained_with_permission_and_forgotten_by_an_empty_one(account):
    topic = "https/retained"
    device = account.new_device(allowing(("iot:Publish", f"topic/{topic}")))
    refused = request(account, device, "POST", f"/topics/{topic}?retain=true", b"x")
    assert (refused.status, refused.error) == (403, "ForbiddenException")
    assert "iot:RetainPublish" in refused.message
    device = account.new_device(allowing(("iot:Publish", f"topic/{topic}"), ("iot:RetainPublish", f"topic/{topic}")))
    assert request(account, device, "POST", f"/topics/{topic}?retain=TRUE&qos=1", b"kept").status == 200
    with Client(account, account.new_device(), "late") as late:
        late.subscribe(topic)
        message = late.receive()
        assert (message.payload, message.retain) == (b"kept", True)
    assert request(account, device, "POST", f"/topics/{topic}?retain=true").status == 200
    with Client(account, account.new_device(), "later") as later:
        later.subscribe(topic)
        assert request(account, device, "POST", f"/topics/{topic}", b"fresh").status == 200
        message = later.receive()
        assert (message.payload, message.retain) == (b"fresh", False)


@pytest.mark.parametrize("topic", ["$aws/events/presence/connected/x", "$aws/things/t/shadow/update", "$mine"])
def test_reserved_topics_are_refused_as_over_mqtt(account, device, topic):
    answer = request(account, device, "POST", f"/topics/{topic}", b"x")
    assert (answer.status, answer.error) == (400, "InvalidRequestException")


def test_methods_paths_and_what_is_not_here_yet_are_told_apart(account, device):
    answer = request(account, device, "GET", "/topics/a")
    assert (answer.status, answer.error, answer.headers["allow"]) == (405, "MethodNotAllowedException", "POST")
    for method, target, name in [
        ("POST", "/things/t/shadow", "UpdateThingShadow"),
        ("GET", "/things/t/shadow?name=x", "GetThingShadow"),
        ("GET", "/things/t/jobs", "GetPendingJobExecutions"),
    ]:
        answer = request(account, device, method, target)
        assert (answer.status, answer.error) == (501, "NotImplementedException")
        assert name in answer.message
    for target in ["/", "/topics/", "/mqtt", "/things"]:
        assert request(account, device, "POST", target).status == 404
    assert request(account, device, "GET", "/role-aliases/r/credentials").error == "AccessDeniedException"


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
def test_a_certificate_that_is_not_active_is_told_so(account, device, status):
    account.set_status(device, status)
    done = publish(account, device, "/topics/a", "-d", "x", "--include")
    assert "403 Forbidden" in done.stdout and "x-amzn-errortype: ForbiddenException:" in done.stdout
    assert status in done.stdout


def test_strangers_are_refused_by_reason_and_registered_by_nothing(account, device):
    key, pem = account.new_self_signed()
    certificate = key.with_suffix(".pem")
    certificate.write_text(pem)
    stranger = type(device)("", "", certificate, key)
    for server_name, named in [("", "not registered"), ("elsewhere.example", "not registered"), (None, "SNI")]:
        with Connection(account, stranger, server_name=server_name, checks_name=False) as connection:
            answer = connection.request("POST", "/topics/a", b"x")
            assert (answer.status, answer.error) == (403, "ForbiddenException")
            assert named in answer.message, server_name
            assert connection.is_closed()


def test_silent_refusals_say_no_more_than_forbidden(start_server, account_of):
    account = account_of(start_server(refusals="silent"))
    device = account.new_device(is_active=False)
    answer = request(account, device, "POST", "/topics/a", b"x")
    assert (answer.status, answer.error, answer.message) == (403, "ForbiddenException", "Forbidden")


def test_refusals_are_filed_for_explain(account, device):
    account.set_status(device, "INACTIVE")
    assert request(account, device, "POST", "/topics/a", b"x").status == 403
    shown = lambda: "inactive" in account.server.command("explain", device.certificate_id)  # noqa: E731
    eventually(shown, "explain shows the refusal")


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
def test_leaving_active_cuts_a_connection_that_is_kept_alive_and_no_other(account, device, status):
    with Connection(account, device) as connection, Connection(account, account.new_device()) as bystander:
        assert connection.request("POST", "/topics/a", b"x").status == 200
        assert bystander.request("POST", "/topics/a", b"x").status == 200
        account.set_status(device, status)
        assert connection.is_closed()
        assert bystander.request("POST", "/topics/a", b"x").status == 200


def test_a_stop_ends_idle_connections(start_server, account_of):
    account = account_of(start_server())
    with Connection(account, account.new_device()) as connection:
        assert connection.request("POST", "/topics/a", b"x").status == 200
        account.server.stop()
        assert connection.is_closed()


def test_https_with_a_certificate_is_spoken_on_port_443_by_name(account, device):
    with Connection(account, device, port=account.server.alpn_port, alpn=["x-amzn-http-ca"]) as connection:
        assert connection.socket.selected_alpn_protocol() == "x-amzn-http-ca"
        assert connection.request("POST", "/topics/a", b"x").status == 200


@pytest.mark.parametrize("alpn", [None, ["http/1.1"], ["h2", "http/1.1"]])
def test_a_certificate_alone_is_worth_nothing_on_port_443_without_the_name(account, device, alpn):
    with Connection(account, device, port=account.server.alpn_port, alpn=alpn) as connection:
        assert connection.socket.selected_alpn_protocol() == (alpn and "http/1.1")
        answer = connection.request("POST", "/topics/a", b"x")
        assert (answer.status, answer.error) == (403, "ForbiddenException")
        assert answer.json == {"message": "Missing Authentication Token", "traceId": answer.headers["x-amzn-requestid"]}


@pytest.mark.parametrize("alpn", [["h2"], ["mqtt"], ["x-amzn-mqtt-ca"], ["something"]])
def test_port_8443_takes_any_alpn(account, device, alpn):
    with Connection(account, device, alpn=alpn) as connection:
        assert connection.socket.selected_alpn_protocol() is None
        assert connection.request("POST", "/topics/a", b"x").status == 200


def test_another_accounts_endpoint_serves_nobody_of_this_one(account, second_account, device):
    answer = request(account, device, "POST", "/topics/a", b"x", server_name=second_account.data_host)
    assert (answer.status, answer.error) == (403, "ForbiddenException")
