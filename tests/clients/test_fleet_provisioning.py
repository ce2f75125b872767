"""Fleet provisioning: devices without a certificate of their own become part of a fleet, on AWS's SDK and on paho."""

import json
import queue
import time
from concurrent.futures import Future
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from awscrt import mqtt
from awscrt.mqtt_request_response import ClientOptions
from awsiot import V2ServiceException, iotidentity, mqtt5_client_builder, mqtt_connection_builder

from fleet import (
    CREATE,
    CREATE_FROM_CSR,
    DEVICE_POLICY,
    Rejected,
    ask,
    claim_policy,
    fleet,
    fleet_body,
    kept,
    new_claim,
    provision,
    serial,
)
from javascript import javascript, outcome
from mqtt import V5, V311, Client, Refused
from provisioning import provisioning_role
from tools import openssl

ANSWERED_WITHIN_S = 30


@pytest.fixture
def template(account):
    with fleet(account) as name:
        yield name


@pytest.fixture
def claim(account, template):
    """The claim certificate that all devices of the fleet leave the factory with."""
    return account.new_device(claim_policy(account, template))


def test_the_whole_life_of_a_device(account, tmp_path):
    iot = account.iot

    # The owner of the fleet says once what becomes of a device, and what a device fresh from the factory may do.
    lamp_policy = account.new_policy(DEVICE_POLICY)
    iot.create_provisioning_template(
        templateName="life-of-a-lamp",
        templateBody=fleet_body(lamp_policy),
        provisioningRoleArn=provisioning_role(account),
        enabled=True,
    )
    claim = account.new_device(claim_policy(account, "life-of-a-lamp"))

    # The device comes in with the claim, asks for a certificate of its own, and keeps it.
    number = serial()
    with Client(account, claim, f"factory-{number}") as factory:
        made = ask(factory, CREATE, {})
        lamp = kept(account, tmp_path, made["certificateId"], made["certificatePem"], made["privateKey"])
        # Until it is registered, nobody comes in with it.
        assert iot.describe_certificate(certificateId=lamp.certificate_id)["certificateDescription"]["status"] == "PENDING_ACTIVATION"
        with pytest.raises(Refused), Client(account, lamp, f"lamp-{number}"):
            pass
        registered = ask(
            factory,
            provision("life-of-a-lamp"),
            {"certificateOwnershipToken": made["certificateOwnershipToken"], "parameters": {"SerialNumber": number}},
        )
    assert registered == {"thingName": f"lamp-{number}", "deviceConfiguration": {"interval": "60", "site": "north"}}

    # It is part of the fleet, as the registry tells.
    thing = iot.describe_thing(thingName=registered["thingName"])
    assert thing["attributes"] == {"site": "north"}
    assert iot.list_thing_principals(thingName=thing["thingName"])["principals"] == [lamp.certificate_arn]
    assert [policy["policyName"] for policy in iot.list_attached_policies(target=lamp.certificate_arn)["policies"]] == [lamp_policy]

    # And it does what it was made for: under its own name, and nothing else.
    with Client(account, account.new_device(), "dashboard") as dashboard:
        dashboard.subscribe(f"lamp-{number}/#")
        with Client(account, lamp, f"lamp-{number}") as device:
            assert device.publish(f"lamp-{number}/light", "on").value == 0
            assert dashboard.receive().payload == b"on"
            assert device.publish("lamp-of-somebody-else/light", "on").value == 0x87
            assert device.publish(f"{CREATE}/json", "").value == 0x87
    iot.delete_provisioning_template(templateName="life-of-a-lamp")


@contextmanager
def connected(account, device, version: int):
    """A client of AWS's SDK that is connected: to the first account's endpoint, which `localhost` is as well."""
    common = {
        "endpoint": "localhost",
        "port": account.server.mqtt_port,
        "cert_filepath": str(device.certificate),
        "pri_key_filepath": str(device.key),
        "ca_filepath": str(account.server.root_ca),
        "client_id": f"sdk-{serial()}",
    }
    if version == 5:
        came, gone = Future(), Future()
        client = mqtt5_client_builder.mtls_from_path(
            on_lifecycle_connection_success=came.set_result,
            on_lifecycle_connection_failure=lambda data: came.done() or came.set_exception(data.exception),
            on_lifecycle_stopped=gone.set_result,
            **common,
        )
        client.start()
        try:
            came.result(ANSWERED_WITHIN_S)
            yield client
        finally:
            client.stop()
            gone.result(ANSWERED_WITHIN_S)
    else:
        connection = mqtt_connection_builder.mtls_from_path(clean_session=False, **common)
        connection.connect().result(ANSWERED_WITHIN_S)
        try:
            yield connection
        finally:
            connection.disconnect().result(ANSWERED_WITHIN_S)


class Identity:
    """The SDK's first identity client, which subscribes and publishes by itself, as a call with an answer."""

    def __init__(self, client):
        self.client = iotidentity.IotIdentityClient(client)

    def call(self, operation: str, request, **subscribed_to):
        heard: queue.Queue = queue.Queue()
        name = "".join(part.capitalize() for part in operation.split("_"))
        subscription = getattr(iotidentity, f"{name}SubscriptionRequest")(**subscribed_to)
        for outcome in ("accepted", "rejected"):
            subscribe = getattr(self.client, f"subscribe_to_{operation}_{outcome}")
            granted, _ = subscribe(subscription, mqtt.QoS.AT_LEAST_ONCE, heard.put)
            assert granted.result(ANSWERED_WITHIN_S) == mqtt.QoS.AT_LEAST_ONCE
        getattr(self.client, f"publish_{operation}")(request, mqtt.QoS.AT_LEAST_ONCE).result(ANSWERED_WITHIN_S)
        answer = heard.get(timeout=ANSWERED_WITHIN_S)
        assert heard.empty()
        return answer


@pytest.mark.parametrize("has_own_key", [False, True], ids=["keys", "csr"])
@pytest.mark.parametrize("version", [311, 5])
def test_the_first_identity_client_of_the_sdk(account, template, claim, tmp_path, version, has_own_key):
    key, csr = account.new_request()
    number = serial()
    with connected(account, claim, version) as client:
        identity = Identity(client)
        if has_own_key:
            request = iotidentity.CreateCertificateFromCsrRequest(certificate_signing_request=csr)
            made = identity.call("create_certificate_from_csr", request)
        else:
            made = identity.call("create_keys_and_certificate", iotidentity.CreateKeysAndCertificateRequest())
        refused = identity.call(
            "register_thing",
            iotidentity.RegisterThingRequest(template_name=template, certificate_ownership_token="x", parameters={}),
            template_name=template,
        )
        assert isinstance(refused, iotidentity.ErrorResponse)
        assert (refused.status_code, refused.error_code) == (400, "InvalidCertificateOwnershipToken")
    with connected(account, claim, version) as client:
        registered = Identity(client).call(
            "register_thing",
            iotidentity.RegisterThingRequest(
                template_name=template,
                certificate_ownership_token=made.certificate_ownership_token,
                parameters={"SerialNumber": number, "Site": "south"},
            ),
            template_name=template,
        )
    assert (registered.thing_name, registered.device_configuration) == (f"lamp-{number}", {"interval": "60", "site": "south"})
    device = kept(account, tmp_path, made.certificate_id, made.certificate_pem, key if has_own_key else made.private_key)
    publishes(account, device, f"lamp-{number}")


def publishes(account, device, thing_name: str) -> None:
    with Client(account, device, thing_name) as client:
        assert client.publish(f"{thing_name}/light", "on").value == 0


@pytest.mark.parametrize("has_own_key", [False, True], ids=["keys", "csr"])
@pytest.mark.parametrize("version", [311, 5])
def test_the_second_identity_client_of_the_sdk(account, template, claim, tmp_path, version, has_own_key):
    key, csr = account.new_request()
    number = serial()
    options = ClientOptions(max_request_response_subscriptions=4, max_streaming_subscriptions=1, operation_timeout_in_seconds=ANSWERED_WITHIN_S)
    with connected(account, claim, version) as client:
        identity = iotidentity.IotIdentityClientV2(client, options)
        if has_own_key:
            request = iotidentity.CreateCertificateFromCsrRequest(certificate_signing_request=csr)
            made = identity.create_certificate_from_csr(request).result(ANSWERED_WITHIN_S)
        else:
            request = iotidentity.CreateKeysAndCertificateRequest()
            made = identity.create_keys_and_certificate(request).result(ANSWERED_WITHIN_S)
        register = iotidentity.RegisterThingRequest(
            template_name=template, certificate_ownership_token=made.certificate_ownership_token, parameters={}
        )
        with pytest.raises(V2ServiceException) as refused:
            identity.register_thing(register).result(ANSWERED_WITHIN_S)
        assert refused.value.modeled_error.error_code == "InvalidParameters"
        assert refused.value.modeled_error.error_message == "Cannot resolve reference value: SerialNumber"
        register.parameters = {"SerialNumber": number}
        assert identity.register_thing(register).result(ANSWERED_WITHIN_S).thing_name == f"lamp-{number}"
    device = kept(account, tmp_path, made.certificate_id, made.certificate_pem, key if has_own_key else made.private_key)
    publishes(account, device, f"lamp-{number}")


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("protocol", [V311, V5], ids=["v311", "v5"])
def test_a_device_that_speaks_cbor_and_subscribes_to_nothing(account, template, claim, tmp_path, protocol, qos):
    number = serial()
    key, csr = account.new_request()
    with Client(account, claim, protocol=protocol) as client:
        with pytest.raises(Rejected) as rejected:
            ask(client, CREATE_FROM_CSR, {"certificateSigningRequest": "x"}, qos=qos, cbor=True)
        assert (rejected.value.status, rejected.value.code) == (400, "InvalidCsr")
        made = ask(client, CREATE_FROM_CSR, {"certificateSigningRequest": csr}, qos=qos, cbor=True)
        request = {"certificateOwnershipToken": made["certificateOwnershipToken"], "parameters": {"SerialNumber": number}}
        registered = ask(client, provision(template), request, qos=qos, cbor=True)
    assert registered == {"thingName": f"lamp-{number}", "deviceConfiguration": {"interval": "60", "site": "north"}}
    publishes(account, kept(account, tmp_path, made["certificateId"], made["certificatePem"], key), f"lamp-{number}")


def test_a_trusted_user_lets_a_device_in_for_five_minutes(account, template, tmp_path):
    made = account.aws("iot", "create-provisioning-claim", "--template-name", template)
    certificate = made["certificatePem"]
    assert 240 < made["expiration"] - time.time() <= 300
    shown = openssl("x509", "-noout", "-subject", "-ext", "keyUsage,basicConstraints", given=certificate)
    assert "CA:FALSE" in shown and "Digital Signature" in shown
    listed = account.iot.list_certificates(pageSize=250)["certificates"]
    assert made["certificateId"] not in [each["certificateId"] for each in listed]

    claim = kept(account, tmp_path, made["certificateId"], certificate, made["keyPair"]["PrivateKey"])
    number = serial()
    with Client(account, claim) as client:
        assert client.publish("anything", "").value == 0x87
        fresh = ask(client, CREATE, {})
        token = {"certificateOwnershipToken": fresh["certificateOwnershipToken"], "parameters": {"SerialNumber": number}}
        assert ask(client, provision(template), token)["thingName"] == f"lamp-{number}"
    device = kept(account, tmp_path, fresh["certificateId"], fresh["certificatePem"], fresh["privateKey"])
    publishes(account, device, f"lamp-{number}")


def test_a_claim_ends_with_its_template(account, tmp_path):
    with fleet(account) as template:
        claim = new_claim(account, tmp_path, template)
        client = Client(account, claim).connect()
    try:
        client.paho.publish(f"{CREATE}/json", "")
        client.wait_closed()
    finally:
        client.disconnect()
    with pytest.raises(Refused), Client(account, claim):
        pass


FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:check"


@pytest.fixture
def hook():
    """A function that lets in whoever has a serial number of the right form, and says where the device stands."""
    events: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            events.append(event)
            is_ours = event["parameters"].get("SerialNumber", "").startswith("ours")
            answer = json.dumps({"allowProvisioning": is_ours, "parameterOverrides": {"Site": "cellar"}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/check", events
    server.shutdown()
    server.server_close()


def test_a_hook_decides_who_comes_in(hook, start_server, account_of, tmp_path):
    url, events = hook
    config = tmp_path / "gatehouse.toml"
    config.write_text(f'[functions]\n"{FUNCTION}" = {{ url = "{url}" }}\n')
    house = account_of(start_server(config=config))
    with fleet(house, preProvisioningHook={"targetArn": FUNCTION, "payloadVersion": "2020-04-01"}) as template:
        claim = house.new_device(claim_policy(house, template))
        with Client(house, claim, "newborn") as client:
            made = ask(client, CREATE, {})
            request = {"certificateOwnershipToken": made["certificateOwnershipToken"], "parameters": {"SerialNumber": "theirs"}}
            with pytest.raises(Rejected) as rejected:
                ask(client, provision(template), request)
            assert (rejected.value.status, rejected.value.code) == (403, "AccessDenied")
            assert house.iot.list_things()["things"] == []
            request["parameters"]["SerialNumber"] = "ours-7"
            assert ask(client, provision(template), request)["deviceConfiguration"]["site"] == "cellar"
    assert events[-1] == {
        "claimCertificateId": claim.certificate_id,
        "certificateId": made["certificateId"],
        "certificatePem": made["certificatePem"],
        "templateArn": f"arn:aws:iot:us-east-1:000000000000:provisioningtemplate/{template}",
        "clientId": "newborn",
        "parameters": {"SerialNumber": "ours-7"},
    }


@pytest.mark.parametrize("has_own_key", [False, True], ids=["keys", "csr"])
@pytest.mark.parametrize("version", [311, 5])
@pytest.mark.parametrize("generation", [1, 2])
def test_the_identity_clients_of_the_sdk_for_javascript(account, template, claim, tmp_path, version, has_own_key, generation):
    key, csr = account.new_request()
    number = serial()
    how = {
        "generation": generation,
        "version": version,
        "host": "localhost",
        "port": account.server.mqtt_port,
        "rootCa": str(account.server.root_ca),
        "certificate": str(claim.certificate),
        "key": str(claim.key),
        "clientId": f"js-{number}",
        "template": template,
        "parameters": {"SerialNumber": number},
        "csr": csr if has_own_key else None,
    }
    told = outcome(javascript("fleet.js", how))
    assert told["refused"] == {"statusCode": 400, "errorCode": "InvalidCertificateOwnershipToken"}
    assert told["registered"]["thingName"] == f"lamp-{number}"
    assert told["registered"]["deviceConfiguration"] == {"interval": "60", "site": "north"}
    made = told["made"]
    device = kept(account, tmp_path, made["certificateId"], made["certificatePem"], key if has_own_key else made["privateKey"])
    publishes(account, device, f"lamp-{number}")
