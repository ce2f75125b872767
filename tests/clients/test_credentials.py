"""Credentials for devices: curl with a certificate asks for them, boto3 works with them, as far as the role may."""

import json
import subprocess

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from mqtt import Client
from tools import curl

ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/"
BASE = f"arn:aws:iot:us-east-1:{ACCOUNT}:"
THING = "${credentials-iot:ThingName}"
WORKER = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "iot:DescribeThing", "Resource": f"arn:aws:iot:*:*:thing/{THING}"},
        {"Effect": "Allow", "Action": "iot:Publish", "Resource": f"arn:aws:iot:*:*:topic/{THING}/*"},
        {"Effect": "Allow", "Action": "iot:DescribeCertificate", "Resource": "arn:aws:iot:*:*:cert/${credentials-iot:AwsCertificateId}"},
        {
            "Effect": "Allow",
            "Action": "iot:ListThings",
            "Resource": "*",
            "Condition": {"StringEquals": {"credentials-iot:ThingTypeName": "meter"}},
        },
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def house(start_module_server, account_of, tmp_path_factory):
    """The first account of a server with the role `worker`, its aliases, and two things."""
    folder = tmp_path_factory.mktemp("roles")
    (folder / "worker.json").write_text(json.dumps(WORKER))
    (folder / "gatehouse.toml").write_text(
        f'[credentials.roles]\n"{ROLE}worker" = {{ policy = "{folder}/worker.json", max_session_secs = 3600 }}\n'
    )
    account = account_of(start_module_server(config=folder / "gatehouse.toml"))
    for alias, role, secs in [("worker", "worker", 900), ("nobody", "nobody", 900), ("long", "worker", 3601)]:
        account.iot.create_role_alias(roleAlias=alias, roleArn=ROLE + role, credentialDurationSeconds=secs)
    for thing in ("mine", "other"):
        account.iot.create_thing(thingName=thing)
    return account


@pytest.fixture(scope="module")
def device(house):
    """A device that may use any alias, and whose thing is `mine`."""
    device = house.new_device(allowing_aliases("*"))
    house.iot.attach_thing_principal(thingName="mine", principal=device.certificate_arn)
    return device


def allowing_aliases(name: str) -> dict:
    statement = {"Effect": "Allow", "Action": "iot:AssumeRoleWithCertificate", "Resource": f"{BASE}rolealias/{name}"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def provider_host(account) -> str:
    return account.iot.describe_endpoint(endpointType="iot:CredentialProvider")["endpointAddress"]


def ask(account, device, alias="worker", *options, host=None, port=None) -> subprocess.CompletedProcess:
    host, port = host or provider_host(account), port or account.server.https_port
    url = f"https://{host}:{port}/role-aliases/{alias}/credentials"
    return curl(url, root_ca=account.server.root_ca, device=device, port=port, options=["--include", *options])


def parts(done: subprocess.CompletedProcess) -> tuple[int, dict, dict]:
    """Status, headers and body of what curl got."""
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    first, *lines = head.split("\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), headers, json.loads(body)


def credentials(account, device, *options, **how) -> dict:
    status, headers, body = parts(ask(account, device, "worker", *options, **how))
    assert status == 200, body
    assert headers["cache-control"] == "no-store"
    assert list(body) == ["credentials"]
    return body["credentials"]


def client(account, service: str, given: dict, token: str | None = ""):
    """boto3 with credentials as a device got them."""
    data = service == "iot-data"
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=f"https://localhost:{account.server.alpn_port}" if data else account.server.api_url,
        verify=str(account.server.root_ca) if data else None,
        aws_access_key_id=given["accessKeyId"],
        aws_secret_access_key=given["secretAccessKey"],
        aws_session_token=given["sessionToken"] if token == "" else token,
        config=Config(retries={"total_max_attempts": 1}),
    )


def code(call, **arguments) -> str:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


NAMED = ("-H", "x-amzn-iot-thingname: mine")


@pytest.mark.parametrize("listener", ["https", "alpn"])
def test_what_curl_gets_boto3_works_with_as_far_as_the_role_may(house, device, listener):
    given = credentials(house, device, *NAMED, port=getattr(house.server, f"{listener}_port"))
    assert given["accessKeyId"].startswith("ASIA")
    assert given["expiration"].endswith("Z") and len(given["expiration"]) == len("2018-01-18T09:18:06Z")

    iot, data = client(house, "iot", given), client(house, "iot-data", given)
    assert iot.describe_thing(thingName="mine")["thingName"] == "mine"
    assert iot.describe_certificate(certificateId=device.certificate_id)["certificateDescription"]["status"] == "ACTIVE"
    assert code(iot.describe_thing, thingName="other") == "AccessDeniedException"
    assert code(iot.delete_thing, thingName="mine") == "AccessDeniedException"
    assert code(iot.list_things) == "AccessDeniedException", "the thing has no type"
    with Client(house, house.new_device(), "listener") as listener:
        listener.subscribe("#")
        assert code(data.publish, topic="other/1", payload=b"x") == "ForbiddenException"
        data.publish(topic="mine/1", payload=b"x")
        assert listener.receive().topic == "mine/1"


def test_a_device_that_names_no_thing_is_none(house, device):
    given = credentials(house, device)
    iot, data = client(house, "iot", given), client(house, "iot-data", given)
    assert iot.describe_certificate(certificateId=device.certificate_id)
    assert code(iot.describe_thing, thingName="mine") == "AccessDeniedException"
    assert code(data.publish, topic="mine/1", payload=b"x") == "ForbiddenException"


def test_credentials_are_nothing_without_their_token(house, device):
    given = credentials(house, device, *NAMED)
    for token in (None, "made up"):
        assert code(client(house, "iot", given, token).describe_thing, thingName="mine") == "UnrecognizedClientException"
        refused = code(client(house, "iot-data", given, token).publish, topic="mine/1", payload=b"x")
        assert refused == "ForbiddenException"


def test_credentials_that_were_deleted_are_refused(house, device):
    given = credentials(house, device, *NAMED)
    house.server.command("access-key", "delete", "--account", ACCOUNT, given["accessKeyId"])
    assert code(client(house, "iot", given).describe_thing, thingName="mine") == "UnrecognizedClientException"


CERTIFICATE = (403, "AccessDeniedException", "Certificate is invalid on this endpoint")
NO_THING = (403, "AccessDeniedException", "Invalid thing name passed")
DENIED = (403, "AccessDeniedException", "Access Denied")
NO_ALIAS = (404, "ResourceNotFoundException", "Role alias does not exist")
NO_ROLE = (400, "InvalidRequestException", "Unable to assume the role, or the role to assume does not exist")
TOO_LONG = (400, "InvalidRequestException", "The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role")


def refused(done: subprocess.CompletedProcess) -> tuple[int, str, str]:
    status, headers, body = parts(done)
    assert list(body) == ["message"]
    return status, headers["x-amzn-errortype"], body["message"]


@pytest.mark.parametrize(
    ("alias", "thing", "expected"),
    [
        ("none", "other", NO_THING),
        ("worker", "other", NO_THING),
        ("worker", "nowhere", NO_THING),
        ("worker", "no thing's name", NO_THING),
        ("none", "mine", NO_ALIAS),
        ("Worker", "mine", NO_ALIAS),
        ("%2e%2e", "mine", NO_ALIAS),
        ("nobody", "mine", NO_ROLE),
        ("long", "mine", TOO_LONG),
    ],
)
def test_each_refusal_has_awss_words(house, device, alias, thing, expected):
    assert refused(ask(house, device, alias, "-H", f"x-amzn-iot-thingname: {thing}")) == expected


def test_the_policy_names_the_aliases_and_says_no_before_the_alias_is_looked_for(house):
    device = house.new_device(allowing_aliases("long"))
    for alias in ("worker", "none"):
        assert refused(ask(house, device, alias)) == DENIED
    assert refused(ask(house, device, "long")) == TOO_LONG


def test_a_certificate_is_needed_that_is_good_at_the_providers_name(house, device, tmp_path):
    data, revoked = house.data_host, house.new_device(allowing_aliases("*"))
    house.set_status(revoked, "REVOKED")
    assert refused(ask(house, revoked)) == CERTIFICATE
    for host in (data, "localhost"):
        assert refused(ask(house, device, host=host)) == CERTIFICATE
        assert refused(ask(house, device, host=host, port=house.server.alpn_port)) == CERTIFICATE
    for port in (house.server.https_port, house.server.alpn_port):
        assert ask(house, None, port=port).returncode != 0


def test_the_provider_serves_nothing_else(house, device):
    host, port = provider_host(house), house.server.https_port
    done = curl(f"https://{host}:{port}/topics/a", root_ca=house.server.root_ca, device=device, port=port, options=["-i", "-d", "x"])
    status, headers, body = parts(done)
    assert (status, headers["x-amzn-errortype"]) == (403, "ForbiddenException:")
    assert "DescribeEndpoint" in body["message"]


def test_secrets_stay_out_of_the_log_and_the_id_stands_in_it(house, device):
    given = credentials(house, device, *NAMED)
    log = house.server.log.read_text()
    assert given["accessKeyId"] in log
    assert given["secretAccessKey"] not in log
    assert given["sessionToken"] not in log
