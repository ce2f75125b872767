"""Who may call the control API, and for what: keys, IAM policies, temporary keys, and every way a signature fails."""

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from unittest.mock import patch

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from account import Account
from api import call, send, sign
from eventually import eventually
from server import Credentials

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["iot:Describe*", "iot:ListThings"], "Resource": "*"},
        {"Effect": "Allow", "Action": "iot:CreateThing", "Resource": "arn:aws:iot:*:*:thing/mine-*"},
        {"Effect": "Deny", "Action": "iot:DescribeThing", "Resource": "arn:aws:iot:*:*:thing/mine-secret"},
    ],
}


def create_key(account: Account, *options) -> dict:
    server = account.server
    return json.loads(server.command("access-key", "create", "--account", account.credentials.account_id, *map(str, options)))


def with_key(account: Account, key: dict, folder) -> Account:
    credentials = Credentials(key["accountId"], key["accessKeyId"], key["secretAccessKey"])
    return Account(account.server, credentials, folder)


def error(done) -> tuple[int, str]:
    return done.status, done.error


@pytest.fixture
def limited(account, tmp_path) -> Account:
    (tmp_path / "policy.json").write_text(json.dumps(POLICY))
    return with_key(account, create_key(account, "--policy", tmp_path / "policy.json"), tmp_path)


def test_a_keys_policy_decides_what_it_may_do(limited):
    limited.iot.create_thing(thingName="mine-1")
    limited.iot.describe_thing(thingName="mine-1")
    limited.iot.list_things()
    for refused in [
        lambda: limited.iot.create_thing(thingName="yours-1"),
        lambda: limited.iot.delete_thing(thingName="mine-1"),
        lambda: limited.iot.describe_thing(thingName="mine-secret"),
        lambda: limited.iot.create_keys_and_certificate(),
        lambda: limited.iot.create_policy(policyName="x", policyDocument=json.dumps(POLICY)),
        lambda: limited.iot.attach_policy(policyName="x", target="arn:aws:iot:us-east-1:000000000000:cert/" + "0" * 64),
    ]:
        with pytest.raises(ClientError) as denied:
            refused()
        assert denied.value.response["Error"]["Code"] == "AccessDeniedException"
        assert denied.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_denial_is_worded_as_aws_words_it(limited):
    who = f"User: arn:aws:iam::000000000000:access-key/{limited.credentials.access_key_id}"
    thing = "arn:aws:iot:us-east-1:000000000000:thing"
    answer = call(limited, "POST", "/things/yours-1", {})
    assert error(answer) == (403, "AccessDeniedException")
    assert answer.message == (
        f"{who} is not authorized to perform: iot:CreateThing on resource: {thing}/yours-1 "
        "because no identity-based policy allows the iot:CreateThing action"
    )
    assert call(limited, "GET", "/things/mine-secret").message == (
        f"{who} is not authorized to perform: iot:DescribeThing on resource: {thing}/mine-secret "
        "with an explicit deny in an identity-based policy"
    )


def test_a_denied_call_changes_nothing(account, limited):
    with pytest.raises(ClientError):
        limited.iot.create_thing(thingName="yours-2")
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        account.iot.describe_thing(thingName="yours-2")


def test_a_key_with_a_policy_that_is_not_understood_is_not_made(account, tmp_path):
    (tmp_path / "policy.json").write_text('{"Version":"2012-10-17","Statement":[{"Effect":"Alow","Action":"*","Resource":"*"}]}')
    with pytest.raises(AssertionError, match="ended with 2"):
        create_key(account, "--policy", tmp_path / "policy.json")


def temporary_client(account: Account, key: dict, token: str | None):
    return boto3.client(
        "iot",
        region_name=account.region,
        endpoint_url=account.server.api_url,
        aws_access_key_id=key["accessKeyId"],
        aws_secret_access_key=key["secretAccessKey"],
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}),
    )


def test_a_temporary_key_is_worth_something_with_its_token_only(account):
    key = create_key(account, "--duration", 900)
    assert key["accessKeyId"].startswith("ASIA")
    assert datetime.fromisoformat(key["expiration"].replace("Z", "+00:00")) > datetime.now(timezone.utc)
    temporary_client(account, key, key["sessionToken"]).list_things(maxResults=1)
    other = create_key(account, "--duration", 900)["sessionToken"]
    for token in [None, other, key["sessionToken"][:-4] + "AAAA", "x"]:
        with pytest.raises(ClientError) as refused:
            temporary_client(account, key, token).list_things(maxResults=1)
        assert refused.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_a_permanent_key_takes_no_token(account):
    key = create_key(account)
    with pytest.raises(ClientError) as refused:
        temporary_client(account, key, "made up").list_things(maxResults=1)
    assert refused.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_a_temporary_key_ends_by_itself(account):
    key = create_key(account, "--duration", 1)

    def is_refused() -> bool:
        try:
            temporary_client(account, key, key["sessionToken"]).list_things(maxResults=1)
        except ClientError as refusal:
            return refusal.response["Error"]["Code"] == "UnrecognizedClientException"
        return False

    eventually(is_refused, "the key has ended")


def test_a_deleted_key_is_refused_at_once(account, tmp_path):
    key = create_key(account)
    holder = with_key(account, key, tmp_path)
    holder.iot.list_things(maxResults=1)
    account.server.command("access-key", "delete", "--account", key["accountId"], key["accessKeyId"])
    assert error(call(holder, "GET", "/things")) == (403, "UnrecognizedClientException")


def test_keys_are_listed_without_secrets(account):
    key = create_key(account)
    listed = account.server.command("access-key", "list", "--account", key["accountId"])
    assert key["accessKeyId"] in {each["accessKeyId"] for each in json.loads(listed)}
    assert key["secretAccessKey"] not in listed


def test_nobody_deletes_a_key_of_another_account(account, second_account):
    stranger = second_account.credentials.account_id
    with pytest.raises(AssertionError, match="ended with 2"):
        account.server.command("access-key", "delete", "--account", stranger, account.credentials.access_key_id)
    account.iot.list_things(maxResults=1)


def test_secrets_lie_nowhere_in_the_clear(account, tmp_path):
    key = create_key(account, "--duration", 900)
    server = account.server
    for path in [server.log, *(path for path in server.data.rglob("*") if path.is_file())]:
        content = path.read_bytes()
        for secret in ("secretAccessKey", "sessionToken"):
            assert key[secret].encode() not in content, path


@pytest.mark.parametrize("minutes", [-16, 16, -60 * 24, 60 * 24 * 365])
def test_a_clock_that_is_wrong_is_told(account, minutes):
    wrong = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    answer = call(account, "GET", "/things", at=wrong)
    assert error(answer) == (403, "InvalidSignatureException")
    assert ("expired" if minutes < 0 else "not yet current") in answer.message


@pytest.mark.parametrize("minutes", [-14, 14])
def test_a_clock_that_is_a_little_wrong_will_do(account, minutes):
    assert call(account, "GET", "/things", at=datetime.now(timezone.utc) + timedelta(minutes=minutes)).status == 200


def test_boto3_with_a_wrong_clock_gets_an_exception_that_says_so(account):
    wrong = (datetime.now(timezone.utc) - timedelta(hours=1)).replace(tzinfo=None)
    with patch("botocore.auth.get_current_datetime", lambda: wrong), pytest.raises(ClientError) as refused:
        account.client("iot").list_things()
    assert refused.value.response["Error"]["Code"] == "InvalidSignatureException"


def test_a_tampered_request_is_refused(account):
    body = b'{"attributePayload":{"attributes":{"a":"1"}}}'
    signed = sign(account, "POST", "/things/tampered", body)
    assert error(send(account, "POST", "/things/tampered", body.replace(b"1", b"2"), signed)) == (403, "InvalidSignatureException")
    assert error(send(account, "POST", "/things/another", body, signed)) == (403, "InvalidSignatureException")
    assert error(send(account, "PATCH", "/things/tampered", body, signed)) == (403, "InvalidSignatureException")
    assert error(send(account, "POST", "/things/tampered?x=1", body, signed)) == (403, "InvalidSignatureException")
    assert error(send(account, "POST", "/things/tampered", body, signed | {"Host": "elsewhere.example"})) == (403, "InvalidSignatureException")
    assert error(send(account, "POST", "/things/tampered", body, signed | {"Content-Type": "text/plain"})) == (403, "InvalidSignatureException")
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        account.iot.describe_thing(thingName="tampered")
    assert send(account, "POST", "/things/tampered", body, signed).status == 200


def test_a_parameter_in_a_header_is_signed_or_not_heard(account):
    """`x-amzn-principal` chooses whose certificate is attached: added behind the signature it would be anybody's."""
    target = "/things/header-thing/principals"
    signed = sign(account, "PUT", target)
    answer = send(account, "PUT", target, b"", signed | {"x-amzn-principal": "arn:aws:iot:us-east-1:000000000000:cert/" + "0" * 64})
    assert error(answer) == (403, "InvalidSignatureException")


def test_who_does_not_sign_is_told_to(account):
    assert error(send(account, "GET", "/things")) == (403, "MissingAuthenticationTokenException")


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic eDp4", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=x", "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/iot/aws4_request, SignedHeaders=host, Signature=00", "AWS4-ECDSA-P256-SHA256 Credential=x"],
)
def test_a_signature_that_is_none_is_refused_by_name(account, authorization):
    headers = {"Authorization": authorization, "X-Amz-Date": f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}"}
    answer = send(account, "GET", "/things", b"", headers)
    assert answer.status == 403
    assert answer.error in {"IncompleteSignatureException", "MissingAuthenticationTokenException", "InvalidSignatureException"}


def test_unknown_keys_and_wrong_secrets_are_told_apart(account, tmp_path):
    wrong = replace(account.credentials, secret_access_key="x" * 40)
    unknown = replace(account.credentials, access_key_id="AKIAAAAAAAAAAAAAAAAA")
    assert error(call(Account(account.server, wrong, tmp_path), "GET", "/things")) == (403, "InvalidSignatureException")
    assert error(call(Account(account.server, unknown, tmp_path), "GET", "/things")) == (403, "UnrecognizedClientException")


@pytest.mark.parametrize("scope", [{"region": "eu-west-1"}, {"service": "s3"}, {"service": "iotdata"}])
def test_a_signature_for_another_region_or_service_is_worth_nothing(account, scope):
    assert error(call(account, "GET", "/things", **scope)) == (403, "InvalidSignatureException")


def test_the_answer_never_says_what_the_right_signature_would_have_been(account):
    signed = sign(account, "GET", "/things")
    right = signed["Authorization"].rpartition("Signature=")[2]
    broken = signed | {"Authorization": signed["Authorization"].replace(right, "0" * 64)}
    answer = send(account, "GET", "/things", b"", broken)
    assert error(answer) == (403, "InvalidSignatureException")
    assert right not in answer.body.decode()
    assert account.credentials.secret_access_key not in answer.body.decode()


def test_every_answer_carries_a_request_id_of_its_own(account):
    ids = {call(account, "GET", path).headers["x-amzn-requestid"] for path in ("/things", "/nope", "/things/nobody") for _ in range(3)}
    assert len(ids) == 9
