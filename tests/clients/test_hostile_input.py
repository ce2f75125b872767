"""Names, members and bodies that nobody means well with: refused by name, and never a failure of ours."""

import contextlib
import json
import socket
from urllib.parse import urlsplit

import pytest

from api import call, send, sign

LONG = "x" * 5000
DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}]}


@pytest.fixture(autouse=True)
def no_failure_of_ours(server):
    """Whatever is sent, nothing of it is an internal failure."""
    start = server.log_size()
    yield
    log = server.log_tail(start, limit=1_000_000)
    assert "InternalFailure" not in log and "panicked" not in log, log


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("POST", "/things/unknown-member", {"atributePayload": {"attributes": {}}}),
        ("POST", "/things/unknown-member", {"attributePayload": {"attributes": {}, "unknown": 1}}),
        ("POST", "/policies/unknown-member", {"policyDocument": "{}", "policyDokument": "{}"}),
        ("GET", "/certificates?pagesize=1", None),
        ("GET", "/certificates?pageSize=1&pageSize=2", None),
        ("GET", "/things?maxResults=1&nope=1", None),
        ("PUT", "/certificates/" + "0" * 64 + "?newStatus=REVOKED&force=true", None),
        ("POST", "/certificates", {"certificateSigningRequest": "x", "setAsActive": True}),
    ],
)
def test_unknown_members_and_parameters_are_refused(account, method, target, body):
    answer = call(account, method, target, body or b"")
    assert (answer.status, answer.error) == (400, "InvalidRequestException"), answer.body


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"attributePayload": "text"}',
        b'{"attributePayload": {"attributes": {"a": 1}}}',
        b'{"attributePayload": {"attributes": {"a": {"b": "c"}}}}',
        b'{"attributePayload": {"attributes": ["a"]}}',
        b'{"attributePayload": {"merge": "true"}}',
        b'{"thingName": "another-name"}',
        b'{"attributePayload":' * 500 + b"1" + b"}" * 500,
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_not_the_operations_is_refused(account, body):
    answer = call(account, "POST", "/things/never-made", body)
    if answer.status == 200:
        assert body == b"null", answer.body
        account.iot.delete_thing(thingName="never-made")
        return
    assert (answer.status, answer.error) == (400, "InvalidRequestException"), answer.body
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        account.iot.describe_thing(thingName="never-made")


# in a path segment, percent-encoded
BAD_NAMES = {
    "traversal": "..%2f..%2fkeys",
    "encoded-dots": "%2e%2e",
    "nul": "a%00b",
    "newline": "a%0ab",
    "space": "a%20b",
    "slash": "a%2fb",
    "backslash": "a%5cb",
    "quote": "a%27%20OR%20%271%27=%271",
    "percent": "a%25b",
    "unicode": "gr%C3%BC%C3%9Fe",
    "cyrillic-a": "%D0%B0dmin",
    "right-to-left": "a%E2%80%AEb",
    "not-utf-8": "a%ff",
    "overlong-utf-8": "a%c0%af",
    "surrogate": "a%ed%a0%80",
    "bad-escape": "a%zz",
    "long": "x" * 129,
    "very-long": LONG,
}


@pytest.mark.parametrize("kind", BAD_NAMES)
@pytest.mark.parametrize("kind_of_resource", ["things", "policies", "certificates"])
def test_a_name_against_the_rules_is_refused(account, kind_of_resource, kind):
    name = BAD_NAMES[kind]
    if kind_of_resource == "policies":
        # AWS's pattern for policy names takes dots alone.
        name = name.replace("%2e%2e", "%2e%2e%2f")
    answer = call(account, "GET", f"/{kind_of_resource}/{name}")
    assert answer.status in (400, 403, 404), answer.body
    assert answer.error in ("InvalidRequestException", "UnknownOperationException", "InvalidSignatureException"), answer.body


@pytest.mark.parametrize("kind", BAD_NAMES)
def test_nothing_is_made_under_a_name_against_the_rules(account, kind):
    before = [thing["thingName"] for thing in account.iot.list_things(maxResults=250)["things"]]
    answer = call(account, "POST", f"/things/{BAD_NAMES[kind]}", {})
    assert answer.status in (400, 403, 404), answer.body
    assert [thing["thingName"] for thing in account.iot.list_things(maxResults=250)["things"]] == before


@pytest.mark.parametrize("name", ["..", ".", "a/../b"])
def test_dots_in_the_path_lead_nowhere_else(account, name):
    """What is signed is the normalised path; what is done must be the same path's operation."""
    answer = call(account, "DELETE", f"/things/{name}")
    assert answer.status in (200, 400, 403, 404)
    assert answer.error in (None, "InvalidRequestException", "UnknownOperationException", "InvalidSignatureException")


def test_files_are_not_served(account):
    for path in ["/keys/root-p256.key", "/../gatehouse.db", "/_gatehouse/../keys", "/_gatehouse/%2e%2e/keys", "/root-ca.pem/../keys/x", "//etc/passwd"]:
        answer = send(account, "GET", path)
        assert answer.status in (400, 403, 404), path
        assert b"PRIVATE KEY" not in answer.body


def test_a_constraint_is_worded_as_aws_words_it(account):
    answer = call(account, "GET", "/things/a%20b")
    assert answer.message.startswith("1 validation error detected: Value 'a b' at 'thingName' failed to satisfy constraint:")
    answer = call(account, "GET", "/things?maxResults=0&attributeName=a%20b")
    assert answer.message.startswith("2 validation errors detected: ")


def test_a_long_refused_value_is_not_repeated_in_full(account):
    assert len(call(account, "GET", f"/things/{LONG}").body) < 2000


def test_a_body_of_more_than_a_mebibyte_is_refused_and_not_read(account):
    # Said to be long: refused before a byte of it is sent.
    headers = sign(account, "POST", "/things/big", b"{}") | {"Content-Length": str(1024 * 1024 + 1)}
    answer = send(account, "POST", "/things/big", b"", headers)
    assert (answer.status, answer.error) == (413, "RequestEntityTooLargeException")
    # Sent all the same. Whether the answer still reaches a client that is busy sending is up to TCP.
    body = b'{"attributePayload":{"attributes":{"a":"' + b"x" * (1024 * 1024) + b'"}}}'
    with contextlib.suppress(ConnectionError):
        assert call(account, "POST", "/things/big", body).status == 413
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        account.iot.describe_thing(thingName="big")


def test_values_are_kept_as_they_are(account):
    """Text that means something to SQL, JSON or a shell is only text."""
    for n, value in enumerate(["", "%", "';DROP", '"', "\\", "$(id)", "ü", "😀", "a\u0000b", "\u202e", "x" * 256]):
        tags = [{"Key": f"k{n}", "Value": value}]
        made = call(account, "POST", f"/policies/values-{n}", {"policyDocument": json.dumps(DOCUMENT), "tags": tags})
        if made.status == 200:
            arn = made.json["policyArn"]
            assert account.iot.list_tags_for_resource(resourceArn=arn)["tags"] == tags
        else:
            assert made.error == "InvalidRequestException", made.body


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "arn:aws:iot:us-east-1:000000000000:cert/",
        "arn:aws:iot:us-east-1:000000000000:cert/xyz",
        "arn:aws:iot:us-east-1:000000000000:cert/" + "0" * 63,
        "arn:aws:iot:us-east-1:000000000000:cert/" + "A" * 64,
        "arn:aws:iot:us-east-1:000000000000:cert/../policy/x",
        "arn:aws:iot:us-east-1:999999999999:cert/" + "0" * 64,
        "arn:aws:iot:eu-west-1:000000000000:cert/" + "0" * 64,
        "arn:aws-cn:iot:us-east-1:000000000000:cert/" + "0" * 64,
        "arn:aws:iot:us-east-1:000000000000:cert/" + "0" * 64 + "\u0000",
        "*",
    ],
)
def test_an_arn_that_is_no_certificate_of_ours_is_refused(account, arn):
    policy = account.new_policy()
    answer = call(account, "PUT", f"/target-policies/{policy}", {"target": arn})
    assert answer.error in ("InvalidRequestException", "ResourceNotFoundException"), (arn, answer.body)
    assert account.iot.list_targets_for_policy(policyName=policy)["targets"] == []


def answer_to(account, request: bytes) -> bytes:
    """Everything that comes back for these bytes."""
    url = urlsplit(account.server.api_url)
    answered = b""
    with socket.create_connection((url.hostname, url.port), timeout=20) as plain:
        try:
            plain.sendall(request)
            plain.shutdown(socket.SHUT_WR)
            while more := plain.recv(4096):
                answered += more
        except ConnectionError:
            pass
    return answered


def test_requests_that_are_no_http_are_answered_with_nothing_of_use(account):
    for garbage in [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00" * 64, b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n"]:
        answered = answer_to(account, garbage)
        assert not answered or answered.startswith(b"HTTP/1.1 4"), answered[:50]


def test_two_lengths_or_a_length_and_chunks_are_not_taken(account):
    """What one reads as a body, another reads as the next request (request smuggling)."""
    for headers in ["Content-Length: 4\r\nContent-Length: 5", "Content-Length: 4\r\nTransfer-Encoding: chunked", "Content-Length: +4", "Content-Length: 4, 5"]:
        answered = answer_to(account, f"POST /things/x HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n0\r\n\r\nGET /root-ca.pem HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert b"BEGIN CERTIFICATE" not in answered or headers.endswith("chunked"), headers
