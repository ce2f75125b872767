"""Captures what botocore puts on the wire, at one fixed moment and with keys that open nothing, into botocore.json."""

import datetime
import json
import pathlib
import re
import socket
import threading

import botocore.auth
import botocore.session
from botocore.config import Config

NOW = datetime.datetime(2026, 11, 23, 10, 20, 30)
CERTIFICATE_ID = "ab" * 32
CERTIFICATE_ARN = f"arn:aws:iot:us-east-1:000000000000:cert/{CERTIFICATE_ID}"

botocore.auth.get_current_datetime = lambda remove_tzinfo=True: NOW

server = socket.create_server(("127.0.0.1", 0))
captured = []


def receive():
    """Answers one request with {} and returns it as text."""
    connection, _ = server.accept()
    with connection:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?im)^content-length: *(\d+)", head)
        while length and len(body) < int(length[1]):
            body += connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    head = re.sub(rb"(?im)^user-agent:.*\r$", b"User-Agent: Botocore\r", head)
    return head.decode().replace("\r\n", "\n") + "\n\n" + body.decode()


def capture(name, operation, service="iot", token=None, region="us-east-1", path="", **arguments):
    session = botocore.session.Session()
    session.set_credentials("AKIAGATEHOUSE0EXAMPL", "gatehouse/example+secret/that/opens/nothing", token)
    endpoint = f"http://localhost:{server.getsockname()[1]}{path}"
    config = Config(retries={"max_attempts": 0})
    client = session.create_client(service, region_name=region, endpoint_url=endpoint, config=config)
    receiver = threading.Thread(target=lambda: captured.append({"name": name, "request": receive()}))
    receiver.start()
    getattr(client, operation)(**arguments)
    receiver.join()


capture("no body, no query", "describe_endpoint")
capture("query", "describe_endpoint", endpointType="iot:Data-ATS")
capture("JSON body", "create_thing", thingName="lamp-1", attributePayload={"attributes": {"colour": "grün"}})
capture("empty POST body", "create_keys_and_certificate", setAsActive=True)
capture("path with escaped colon", "describe_thing", thingName="floor:1_lamp-2")
capture("ARN in the path", "list_attached_policies", target=CERTIFICATE_ARN)
capture("ARN in the body", "attach_policy", policyName="lamps", target=CERTIFICATE_ARN)
capture("policy name with + = , . @", "get_policy", policyName="a+b=c,d.e@f")
capture("principal in a header", "attach_thing_principal", thingName="lamp-1", principal=CERTIFICATE_ARN)
capture("certificate id and query", "update_certificate", certificateId=CERTIFICATE_ID, newStatus="REVOKED")
capture("several query parameters", "list_certificates", pageSize=25, marker="a+b/c==", ascendingOrder=True)
capture("PATCH", "update_thing", thingName="lamp-1", attributePayload={"attributes": {"a": "b"}, "merge": True})
capture("DELETE with query", "delete_certificate", certificateId=CERTIFICATE_ID, forceDelete=True)
capture("policy document", "create_policy", policyName="lamps", policyDocument='{"Version":"2012-10-17","Statement":[]}')
capture("ARN in the query", "list_tags_for_resource", resourceArn="arn:aws:iot:us-east-1:000000000000:thing/lamp 1")
capture("session token", "list_things", token="FwoGZXIvYXdzE//fake+token==", attributeName="a b", attributeValue="c&d=é")
capture("another Region, and a slash after the endpoint", "list_policies", region="eu-central-1", path="/")
capture("iot-data topic", "publish", service="iot-data", topic="a/b c/+d", qos=1, payload=b"hello")
capture("iot-jobs-data", "get_pending_job_executions", service="iot-jobs-data", thingName="lamp:1")

text = json.dumps(captured, indent=1, ensure_ascii=False)
pathlib.Path(__file__).with_name("botocore.json").write_text(text + "\n", encoding="utf-8")
