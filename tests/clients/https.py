"""Devices' HTTPS made by hand: for what curl and boto3 would never send, and to see the answer as it travels."""

import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from datetime import datetime, timezone
from unittest.mock import patch

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from account import Account, Device
from mqtt import tls_context

ANSWERED_WITHIN_S = 30


@dataclass(frozen=True)
class Answer:
    """What came back: HTTP status, error name without its colon, headers, and the body as it is."""

    status: int
    error: str | None
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return self.json["message"]


class Connection:
    """One HTTPS connection, kept alive: of a device to port 8443, or of anybody to port 443 with `device=None`."""

    def __init__(
        self,
        account: Account,
        device: Device | None,
        *,
        port: int | None = None,
        server_name: str | None = "",
        alpn: list[str] | None = None,
        checks_name: bool = True,
        root_ca=None,
    ):
        server = account.server
        name = account.data_host if server_name == "" else server_name
        port = port or (server.https_port if device else server.alpn_port)
        plain = socket.create_connection(("127.0.0.1", port), timeout=ANSWERED_WITHIN_S)
        try:
            self.socket = tls_context(root_ca or server.root_ca, device, name, alpn, checks_name=checks_name).wrap_socket(plain)
        except BaseException:
            plain.close()
            raise
        self.host = name or "localhost"

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def request(self, method: str, target: str, body: bytes = b"", headers: dict | None = None) -> Answer:
        """Sends a request as it is given, and waits for its answer."""
        given = {"Host": self.host} | ({"Content-Length": str(len(body))} if body or method != "GET" else {}) | (headers or {})
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        self.socket.sendall(f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        return self.answer(method)

    def answer(self, method: str = "POST") -> Answer:
        """The next answer."""
        response = http.client.HTTPResponse(self.socket, method=method)
        response.begin()
        found = {name.lower(): value for name, value in response.getheaders()}
        name = found.get("x-amzn-errortype")
        return Answer(response.status, name and name.partition(":")[0], found, response.read())

    def is_closed(self) -> bool:
        """Waits until the server has closed."""
        try:
            return self.socket.recv(1) == b""
        except (ssl.SSLEOFError, ConnectionResetError):
            return True


def request(account: Account, device: Device | None, method: str, target: str, body: bytes = b"", headers=None, **how) -> Answer:
    """One request over a connection of its own."""
    with Connection(account, device, **how) as connection:
        return connection.request(method, target, body, headers)


def credentials_of(account: Account, token: str | None = None) -> Credentials:
    keys = account.credentials
    return Credentials(keys.access_key_id, keys.secret_access_key, token)


def signed(
    account: Account,
    method: str,
    target: str,
    body: bytes = b"",
    *,
    host: str | None = None,
    headers: dict | None = None,
    at: datetime | None = None,
    region: str | None = None,
    service: str = "iotdevicegateway",
    token: str | None = None,
) -> dict[str, str]:
    """The headers of a request that is signed in its header."""
    url = f"https://{host or account.data_host}{target}"
    made = AWSRequest(method, url, headers=headers or {}, data=body)
    now = (at or datetime.now(timezone.utc)).replace(tzinfo=None)
    with patch("botocore.auth.get_current_datetime", lambda: now):
        SigV4Auth(credentials_of(account, token), service, region or account.region).add_auth(made)
    return dict(made.headers)


def presigned(
    account: Account,
    target: str = "/mqtt",
    *,
    method: str = "GET",
    host: str | None = None,
    at: datetime | None = None,
    region: str | None = None,
    service: str = "iotdevicegateway",
    token: str | None = None,
    expires: int = 300,
) -> str:
    """The target of a request that is signed in its query."""
    url = f"https://{host or account.data_host}"
    made = AWSRequest(method, f"{url}{target}")
    now = (at or datetime.now(timezone.utc)).replace(tzinfo=None)
    with patch("botocore.auth.get_current_datetime", lambda: now):
        SigV4QueryAuth(credentials_of(account, token), service, region or account.region, expires=expires).add_auth(made)
    return made.url.removeprefix(url)
