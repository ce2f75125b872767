"""Control calls made by hand: for what boto3 would never send, and to see the answer as it travels."""

import http.client
import json
from dataclasses import dataclass
from datetime import datetime, timezone
from unittest.mock import patch
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from account import Account

ANSWERED_WITHIN_S = 30


@dataclass(frozen=True)
class Answer:
    """What came back: HTTP status, error name without its colon, headers, and the body as it is."""

    status: int
    error: str | None
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> str:
        return json.loads(self.body)["message"]

    @property
    def json(self) -> dict:
        return json.loads(self.body)


def sign(
    account: Account,
    method: str,
    target: str,
    body: bytes = b"",
    headers: dict | None = None,
    *,
    at: datetime | None = None,
    region: str | None = None,
    service: str = "iot",
    token: str | None = None,
) -> dict[str, str]:
    """The headers of a signed request, signed at `at` rather than now if given."""
    given = ({"Content-Type": "application/json"} if body else {}) | (headers or {})
    request = AWSRequest(method, f"{account.server.api_url}{target}", headers=given, data=body)
    keys = account.credentials
    credentials = Credentials(keys.access_key_id, keys.secret_access_key, token)
    now = (at or datetime.now(timezone.utc)).replace(tzinfo=None)
    with patch("botocore.auth.get_current_datetime", lambda: now):
        SigV4Auth(credentials, service, region or account.region).add_auth(request)
    return dict(request.headers)


def send(account: Account, method: str, target: str, body: bytes = b"", headers: dict | None = None) -> Answer:
    """Sends the request as it is given, signed or not."""
    connection = http.client.HTTPConnection(urlsplit(account.server.api_url).netloc, timeout=ANSWERED_WITHIN_S)
    try:
        connection.request(method, target, body or None, headers or {})
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        name = found.get("x-amzn-errortype")
        return Answer(response.status, name and name.partition(":")[0], found, response.read())
    finally:
        connection.close()


def call(account: Account, method: str, target: str, body: dict | bytes = b"", **how) -> Answer:
    """Signs and sends."""
    content = json.dumps(body).encode() if isinstance(body, dict) else body
    return send(account, method, target, content, sign(account, method, target, content, **how))
