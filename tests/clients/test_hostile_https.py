"""What an attacker sends to the HTTPS ports: it gets an error or is closed, nothing is half done, and others go on."""

import base64
import contextlib
import socket
import ssl
import time

import pytest

from https import Connection, presigned, request, signed
from mqtt import Client


@pytest.fixture(scope="module")
def device(shared_account):
    return shared_account.new_device()


def shout(connection: Connection, *pieces: bytes) -> bytes:
    """Sends the bytes as they are; all that comes back until the server closes."""
    with contextlib.suppress(OSError):
        for piece in pieces:
            connection.socket.sendall(piece)
    found = b""
    with contextlib.suppress(ssl.SSLEOFError, ConnectionResetError):
        while more := connection.socket.recv(65536):
            found += more
    return found


def head(*lines: str, request_line: str = "POST /topics/hostile HTTP/1.1", host: str = "localhost") -> bytes:
    return "".join(f"{line}\r\n" for line in (request_line, f"Host: {host}", *lines, "")).encode()


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 4096,
        b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04evil",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /topics/a HTTP/9.9\r\nHost: a\r\n\r\n",
        b"POST /topics/a b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /topics/a HTTP/1.1\r\nHost : a\r\n\r\n",
        b"POST /topics/a HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
        b"POST /topics/a HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /topics/a HTTP/1.1\r\nContent-Length: 1, 2\r\n\r\nx",
        b"POST /topics/a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"POST /topics/a HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nx",
        b"POST /topics/a HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST /topics/a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /topics/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"POST " + b"/" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /topics/a HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(100)) + b"\r\n",
        b"POST /topics/a HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
)
@pytest.mark.parametrize("is_device", [True, False], ids=["8443", "443"])
def test_what_is_no_request_is_answered_with_an_error_at_most(account, device, garbage, is_device):
    with Connection(account, device if is_device else None) as connection:
        connection.socket.settimeout(15)
        answer = shout(connection, garbage)
    assert answer == b"" or answer.split(b" ")[1] in (b"400", b"403", b"404", b"414", b"431", b"505"), answer[:200]


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 5"),
        ("Content-Length: 0", "Transfer-Encoding: chunked"),
    ],
)
def test_a_request_with_two_ends_smuggles_nothing(account, device, lines):
    """Whatever the first request's end is taken to be, what follows it is not heard as a request."""
    smuggled = head("Content-Length: 1", request_line="POST /topics/smuggled HTTP/1.1") + b"x"
    with Client(account, account.new_device(), "listener") as listener:
        listener.subscribe("smuggled")
        with Connection(account, device) as connection:
            answer = shout(connection, head(*lines), b"0\r\n\r\n", smuggled)
        assert answer.count(b"HTTP/1.1") == 1, answer
        assert b"connection: close" in answer.lower()
        assert request(account, device, "POST", "/topics/smuggled", b"honest").status == 200
        assert listener.receive().payload == b"honest"


def test_a_body_that_ends_early_is_no_message(account, device):
    with Client(account, account.new_device(), "listener") as listener:
        listener.subscribe("hostile")
        with Connection(account, device) as connection:
            connection.socket.sendall(head("Content-Length: 10") + b"half")
            connection.socket.unwrap()
        assert request(account, device, "POST", "/topics/hostile", b"whole").status == 200
        assert listener.receive().payload == b"whole"


def test_chunks_without_end_are_bounded(account, device):
    with Connection(account, device) as connection:
        chunk = b"2000\r\n" + b"x" * 0x2000 + b"\r\n"
        answer = shout(connection, head("Transfer-Encoding: chunked"), *[chunk] * 1000)
    assert answer == b"" or b" 413 " in answer.split(b"\r\n")[0]


def test_chunks_are_a_body_as_well(account, device):
    with Client(account, account.new_device(), "listener") as listener:
        listener.subscribe("hostile/chunked")
        with Connection(account, device) as connection:
            line = "POST /topics/hostile/chunked HTTP/1.1"
            answer = shout(connection, head("Transfer-Encoding: chunked", request_line=line), b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert b" 200 " in answer.split(b"\r\n")[0]
        assert listener.receive().payload == b"abcde"


def test_a_body_that_is_waited_for_is_asked_for(account, device):
    with Connection(account, device) as connection:
        connection.socket.sendall(head("Content-Length: 4", "Expect: 100-continue"))
        assert connection.socket.recv(1024).startswith(b"HTTP/1.1 100")
        connection.socket.sendall(b"body")
        assert connection.answer().status == 200
        connection.socket.sendall(head("Content-Length: 99999999", "Expect: 100-continue"))
        assert connection.answer().status == 413, "refused before it is sent"


def test_who_says_nothing_after_the_handshake_is_closed_in_the_time_of_connect(account, device):
    connections = [Connection(account, device), Connection(account, None)]
    slow = Connection(account, None)
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        for connection in [*connections, slow]:
            stack.enter_context(connection)
        slow.socket.sendall(b"GET / HTTP/1.1\r\nX:")
        for connection in [*connections, slow]:
            assert connection.is_closed()
    assert time.monotonic() - began < 20


def test_who_signs_nothing_sends_no_body(account):
    with Connection(account, None) as connection:
        connection.socket.sendall(head("Content-Length: 131072", "Expect: 100-continue"))
        answer = connection.answer()
        assert (answer.status, answer.message) == (403, "Missing Authentication Token")


def test_a_signature_in_two_places_counts_in_neither(account):
    target = presigned(account, "/topics/a", method="POST")
    headers = signed(account, "POST", target)
    answer = request(account, None, "POST", target, b"", headers)
    assert (answer.status, answer.error) == (403, "ForbiddenException")


@pytest.mark.parametrize(
    "authorization",
    ["", "AWS4-HMAC-SHA256", "Basic eDp4", "AWS4-HMAC-SHA256 Credential=" + "x" * 5000, "AWS4-HMAC-SHA256 Credential=A/B/C/D/E, SignedHeaders=, Signature="],
)
def test_what_is_no_signature_is_refused(account, authorization):
    answer = request(account, None, "POST", "/topics/a", b"x", {"Authorization": authorization})
    assert (answer.status, answer.error) == (403, "ForbiddenException")


def test_paths_do_not_lead_out_of_their_operation(account, device):
    for target in ["/topics/../connections/c", "/topics/%2e%2e/connections/c", "//topics/a", "/topics/a/../../mqtt"]:
        answer = request(account, device, "POST", target, b"x")
        assert answer.status in (200, 404), target
    assert request(account, device, "POST", "https://elsewhere.example/topics/hostile/absolute", b"x").status == 200


def test_no_answer_repeats_more_than_a_little_of_what_was_sent(account, device):
    answer = request(account, device, "POST", f"/topics/a?{'x' * 20_000}=1", b"x")
    assert answer.status == 400
    assert len(answer.body) < 1024


def test_pipelined_requests_are_answered_in_order(account, device):
    one = head("Content-Length: 1") + b"x"
    with Connection(account, device) as connection:
        connection.socket.sendall(one * 20 + head("Connection: close", request_line="GET /nope HTTP/1.1"))
        answers = shout(connection)
    assert answers.count(b"HTTP/1.1 200") == 20
    assert b"HTTP/1.1 404" in answers[answers.rindex(b"HTTP/1.1") :]


def test_the_rest_goes_on(account, device):
    assert request(account, device, "POST", "/topics/a", base64.b64decode("eA==")).status == 200
    with socket.create_connection(("127.0.0.1", account.server.https_port), timeout=5) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert plain.recv(100)[:1] in (b"", b"\x15"), "without TLS there is an alert at most"
