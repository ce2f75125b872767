"""HTTPS on port 443 with SigV4: boto3, signatures in header and query, what an access key may do, and every way in that is
none."""

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError

from account import Account
from eventually import eventually
from https import Connection, presigned, request, signed
from mqtt import Client
from test_access_keys import create_key, with_key


@pytest.fixture
def iot_data(account):
    """boto3's client of the data plane, at the first account's built-in endpoint."""
    return data_client(account)


def data_client(account: Account, service: str = "iot-data", **settings):
    return account.client(service, f"https://localhost:{account.server.alpn_port}", verify=account.server.root_ca, **settings)


def call(account: Account, method: str, target: str, body: bytes = b"", server_name: str = "", **how):
    """One request, signed in its header."""
    headers = signed(account, method, target, body, **how)
    return request(account, None, method, target, body, headers, server_name=server_name)


def limited(account: Account, folder, document: dict) -> Account:
    (folder / "policy.json").write_text(json.dumps(document))
    return with_key(account, create_key(account, "--policy", folder / "policy.json"), folder)


def test_what_boto3_publishes_a_subscriber_gets(account, iot_data):
    with Client(account, account.new_device(), "listener") as listener:
        listener.subscribe("boto3/#", qos=1)
        for topic, properties in [
            ("boto3/a", [{"name": "value"}]),
            ("boto3/a b/é", json.dumps([{"name": "value"}])),
            ("boto3/x%2Fy/z", [{"name": "value"}]),
        ]:
            iot_data.publish(
                topic=topic, qos=1, payload=b"hello", contentType="text/plain", responseTopic="r", messageExpiry=60,
                userProperties=properties, payloadFormatIndicator="UTF8_DATA", correlationData="AAE=",
            )  # fmt: skip
            message = listener.receive()
            assert (message.topic, message.payload, message.qos) == (topic, b"hello", 1)
            assert message.properties.UserProperty == [("name", "value")]
            assert (message.properties.ContentType, message.properties.ResponseTopic) == ("text/plain", "r")


def test_boto3_gets_errors_by_name(account, iot_data):
    with pytest.raises(ClientError) as refused:
        iot_data.publish(topic="a/#", payload=b"x")
    assert refused.value.response["Error"]["Code"] == "InvalidRequestException"
    with pytest.raises(ClientError) as refused:
        iot_data.get_thing_shadow(thingName="t")
    assert refused.value.response["Error"]["Code"] == "NotImplementedException"
    with pytest.raises(ClientError) as refused:
        data_client(account, "iot-jobs-data").get_pending_job_executions(thingName="t")
    assert refused.value.response["Error"]["Code"] == "NotImplementedException"


def test_the_keys_own_policy_decides(account, tmp_path):
    base = "arn:aws:iot:us-east-1:000000000000:"
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "iot:Publish", "Resource": f"{base}topic/mine/*"},
            {"Effect": "Deny", "Action": "iot:Publish", "Resource": f"{base}topic/mine/secret"},
            {
                "Effect": "Allow",
                "Action": "iot:Publish",
                "Resource": f"{base}topic/region",
                "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1", "aws:PrincipalAccount": "000000000000"}},
            },
            {
                "Effect": "Allow",
                "Action": "iot:Publish",
                "Resource": f"{base}topic/elsewhere",
                "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}},
            },
        ],
    }
    holder = limited(account, tmp_path, document)
    with Client(account, account.new_device(), "listener") as listener:
        listener.subscribe("#")
        for topic in ["yours", "mine/secret", "elsewhere"]:
            with pytest.raises(ClientError) as refused:
                data_client(holder).publish(topic=topic, payload=b"x")
            assert refused.value.response["Error"]["Code"] == "ForbiddenException"
            assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        for topic in ["mine/1", "region"]:
            data_client(holder).publish(topic=topic, payload=b"x")
            assert listener.receive().topic == topic


@pytest.mark.parametrize("service", ["iotdevicegateway", "iotdata", "iot-jobs-data"])
def test_header_and_query_may_carry_the_signature_for_any_of_the_services(account, service):
    assert call(account, "POST", "/topics/a?qos=1", b"x", service=service).status == 200
    target = presigned(account, "/topics/a?qos=1", method="POST", service=service)
    assert request(account, None, "POST", target).status == 200


def test_raw_slashes_are_signed_as_well_as_encoded_ones(account):
    with Client(account, account.new_device(), "listener") as listener:
        listener.subscribe("raw/#")
        for path in ["/topics/raw/a", "/topics/raw%2Fa"]:
            assert call(account, "POST", path, b"x").status == 200
            assert listener.receive().topic == "raw/a"
    for path in ["/topics/raw//a", "/topics/raw/../a", "/topics/./raw"]:
        answer = call(account, "POST", path, b"x")
        assert (answer.status, answer.error) == (400, "InvalidRequestException")
        assert "%2F" in answer.message


def test_one_connection_carries_requests_of_many(account, second_account):
    with Connection(account, None, server_name="localhost") as connection:
        first = signed(account, "POST", "/topics/a", b"x", host="localhost")
        other = signed(second_account, "POST", "/topics/a", b"x", host="localhost")
        assert connection.request("POST", "/topics/a", b"x", first).status == 200
        answer = connection.request("POST", "/topics/a", b"x", other)
        assert (answer.status, answer.error) == (403, "ForbiddenException")
        assert "another account" in answer.message
        assert connection.request("POST", "/topics/a", b"x", first).status == 200, "a replay within its time is accepted"


def test_accounts_publish_into_their_own_house_alone(account, second_account):
    with Client(account, account.new_device(), "listener") as listener:
        listener.subscribe("shared/topic")
        assert call(second_account, "POST", "/topics/shared/topic", b"foreign").status == 200
        assert call(account, "POST", "/topics/shared/topic", b"own").status == 200
        assert listener.receive().payload == b"own"


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"service": "iot"}, "another service"),
        ({"service": "s3"}, "another service"),
        ({"region": "eu-west-1"}, "Region"),
        ({"after": timedelta(minutes=-16)}, "expired"),
        ({"after": timedelta(minutes=16)}, "not yet current"),
    ],
)
def test_a_signature_for_something_else_or_another_time_is_worth_nothing(account, how, sentence):
    if "after" in how:
        how = {"at": datetime.now(timezone.utc) + how["after"]}
    answer = call(account, "POST", "/topics/a", b"x", **how)
    assert (answer.status, answer.error) == (403, "ForbiddenException")
    assert sentence in answer.message


def test_a_presigned_url_ends(account):
    old = presigned(account, "/topics/a", method="POST", at=datetime.now(timezone.utc) - timedelta(seconds=61), expires=60)
    answer = request(account, None, "POST", old)
    assert (answer.status, answer.error) == (403, "ForbiddenException")
    assert "expired" in answer.message
    longer = old.replace("X-Amz-Expires=60", "X-Amz-Expires=600")
    assert "does not match" in request(account, None, "POST", longer).message


def test_a_tampered_request_is_refused(account):
    headers = signed(account, "POST", "/topics/a", b"x")
    for method, target, body, more in [
        ("POST", "/topics/b", b"x", {}),
        ("POST", "/topics/a?qos=1", b"x", {}),
        ("POST", "/topics/a", b"y", {}),
        ("POST", "/topics/a", b"x", {"x-amz-mqtt5-correlation-data": "AAE="}),
        ("POST", "/topics/a", b"x", {"Host": "localhost"}),
    ]:
        answer = request(account, None, method, target, body, headers | more)
        assert (answer.status, answer.error) == (403, "ForbiddenException"), target


def test_unknown_keys_and_wrong_secrets_are_refused(account, tmp_path):
    wrong = Account(account.server, replace(account.credentials, secret_access_key="x" * 40), tmp_path)
    unknown = Account(account.server, replace(account.credentials, access_key_id="AKIAAAAAAAAAAAAAAAAA"), tmp_path)
    host = account.data_host
    for holder, sentence in [(wrong, "does not match"), (unknown, "security token")]:
        headers = signed(holder, "POST", "/topics/a", b"x", host=host)
        answer = request(account, None, "POST", "/topics/a", b"x", headers)
        assert (answer.status, answer.error) == (403, "ForbiddenException")
        assert sentence in answer.message


def test_a_temporary_key_needs_its_token_and_ends(account, tmp_path):
    key = create_key(account, "--duration", 900)
    holder = with_key(account, key, tmp_path)
    host = account.data_host
    right = signed(holder, "POST", "/topics/a", b"x", host=host, token=key["sessionToken"])
    assert request(account, None, "POST", "/topics/a", b"x", right).status == 200
    for token in [None, "made up"]:
        wrong = signed(holder, "POST", "/topics/a", b"x", host=host, token=token)
        assert request(account, None, "POST", "/topics/a", b"x", wrong).status == 403
    short = create_key(account, "--duration", 1)
    holder = with_key(account, short, tmp_path)

    def is_refused() -> bool:
        headers = signed(holder, "POST", "/topics/a", b"x", host=host, token=short["sessionToken"])
        return request(account, None, "POST", "/topics/a", b"x", headers).status == 403

    eventually(is_refused, "the key has ended")


def test_a_deleted_key_is_refused_on_an_open_connection(account, tmp_path):
    key = create_key(account)
    holder = with_key(account, key, tmp_path)
    with Connection(account, None) as connection:
        headers = signed(holder, "POST", "/topics/a", b"x", host=account.data_host)
        assert connection.request("POST", "/topics/a", b"x", headers).status == 200
        account.server.command("access-key", "delete", "--account", key["accountId"], key["accessKeyId"])
        assert connection.request("POST", "/topics/a", b"x", headers).status == 403


@pytest.mark.parametrize("target", ["/", "/topics/a", "/mqtt", "/nope", "/things/t/shadow"])
def test_who_does_not_sign_learns_nothing_of_what_is_there(account, target):
    answer = request(account, None, "GET", target)
    assert (answer.status, answer.message) == (403, "Missing Authentication Token")


def test_signed_requests_are_found_as_those_of_devices_are(account):
    assert call(account, "GET", "/topics/a").status == 405
    assert call(account, "GET", "/nope").status == 404
    assert call(account, "GET", "/things/t/shadow").status == 501
    assert call(account, "POST", "/topics/a", b"x" * (128 * 1024 + 1)).status == 413
    assert call(account, "POST", "/topics/a?nope=1", b"x").status == 400


def test_a_server_name_is_needed_where_the_setting_says_so(start_server, account_of):
    account = account_of(start_server(sni="strict"))
    headers = signed(account, "POST", "/topics/a", b"x", host="elsewhere.example")
    for name, sentence in [("elsewhere.example", "no endpoint"), (None, "SNI")]:
        with Connection(account, None, server_name=name, checks_name=False) as connection:
            answer = connection.request("POST", "/topics/a", b"x", headers | {"Host": "elsewhere.example"})
            assert answer.status == 403
            assert sentence in answer.message


def test_secrets_and_signatures_stay_out_of_the_log(account):
    target = presigned(account, "/topics/a", method="POST")
    assert request(account, None, "POST", target).status == 200
    signature = target.rpartition("X-Amz-Signature=")[2].partition("&")[0]
    assert request(account, None, "POST", target.replace("topics/a", "topics/b")).status == 403
    log = account.server.log.read_text()
    assert signature not in log
    assert account.credentials.secret_access_key not in log

