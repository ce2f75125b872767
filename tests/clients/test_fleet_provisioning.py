"""Fleet provisioning: a device comes in with a claim, gets a certificate of its own, and is part of the fleet."""

import json
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from awscrt import cbor, mqtt_request_response
from awsiot import V2ServiceException, iotidentity, mqtt_connection_builder

from account import Account, Device
from authority import status
from javascript import javascript, outcome
from mqtt import V5, V311, Client, refused
from provisioning import lamp_policy, provisioning_role, template_body
from test_device_sdk import ANSWERED_WITHIN_S, HOST, Client5, mutual_tls

CREATE, CREATE_FROM_CSR = "$aws/certificates/create", "$aws/certificates/create-from-csr"
PROVISION = "$aws/provisioning-templates/lamps/provision"
_serials = count(1)
OPTIONS = mqtt_request_response.ClientOptions(
    max_request_response_subscriptions=5, max_streaming_subscriptions=2, operation_timeout_in_seconds=ANSWERED_WITHIN_S
)


def new_template(account: Account) -> None:
    """A template by which a device becomes the lamp of its serial number."""
    body = template_body(
        Parameters={"Serial": {"Type": "String"}},
        Resources={
            "thing": {
                "Type": "AWS::IoT::Thing",
                "Properties": {"ThingName": {"Fn::Join": ["-", ["fleet-lamp", {"Ref": "Serial"}]]}},
            },
            "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": json.dumps(lamp_policy(account))}},
        },
        DeviceConfiguration={"house": "3"},
    )
    account.iot.create_provisioning_template(
        templateName="lamps", templateBody=body, provisioningRoleArn=provisioning_role(account), enabled=True
    )


@pytest.fixture
def template(account):
    new_template(account)
    yield "lamps"
    account.iot.delete_provisioning_template(templateName="lamps")


@pytest.fixture
def serial() -> str:
    """A number that no device had before."""
    return str(next(_serials))


def stored(account: Account, certificate_id: str, pem: str, key: str | Path) -> Device:
    """A device with what it was given on its disk."""
    certificate = account.folder / f"{certificate_id[:12]}.pem"
    certificate.write_text(pem)
    if isinstance(key, str):
        path = certificate.with_suffix(".key")
        path.write_text(key)
        key = path
    return Device(certificate_id, "", certificate, key)


def trusted_claim(account: Account, template: str) -> Device:
    """What an app of a trusted user hands to the device."""
    made = account.iot.create_provisioning_claim(templateName=template)
    return stored(account, made["certificateId"], made["certificatePem"], made["keyPair"]["PrivateKey"])


def ask(client: Client, topic: str, **members) -> dict:
    """Asks the service in JSON; answers what it answers. The client has not subscribed."""
    client.publish(f"{topic}/json", json.dumps(members))
    answer = client.receive()
    assert answer.topic.startswith(f"{topic}/json/"), answer.topic
    return json.loads(answer.payload)


def works_as(account: Account, device: Device, thing: str) -> None:
    """It connects as its thing and publishes below its thing's name, and does nothing else."""
    with Client(account, device, thing) as client:
        client.publish(f"lamps/{thing}", "on")
        assert client.publish("lamps/another", "on").value == 0x87
    assert "iot:Connect" in refused(account, device, client_id="another")


@pytest.mark.parametrize("protocol", [V5, V311], ids=["5", "3.1.1"])
def test_the_whole_life_of_a_device_that_comes_with_a_trusted_users_claim(account, template, serial, protocol):
    lamp = f"fleet-lamp-{serial}"
    claim = trusted_claim(account, template)
    key, csr = account.new_request("/CN=lamp")
    with Client(account, claim, "newborn", protocol=protocol) as newborn:
        made = ask(newborn, CREATE_FROM_CSR, certificateSigningRequest=csr)
        device = stored(account, made["certificateId"], made["certificatePem"], key)
        assert status(account, device) == "PENDING_ACTIVATION"
        token = made["certificateOwnershipToken"]
        registered = ask(newborn, PROVISION, certificateOwnershipToken=token, parameters={"Serial": serial})
        assert registered == {"deviceConfiguration": {"house": "3"}, "thingName": lamp}
        again = ask(newborn, PROVISION, certificateOwnershipToken=token, parameters={"Serial": "another"})
        assert (again["statusCode"], again["errorCode"]) == (400, "InvalidCertificateOwnershipToken")
    works_as(account, device, lamp)
    assert account.iot.list_thing_principals(thingName=lamp)["principals"][0].endswith(device.certificate_id)

    # It turns up under the ids of devices only.
    listed = [each["certificateId"] for each in account.iot.list_certificates()["certificates"]]
    assert device.certificate_id in listed
    assert claim.certificate_id not in listed

    account.set_status(Device(device.certificate_id, "", device.certificate, device.key), "REVOKED")
    assert "REVOKED" in refused(account, device, client_id=lamp)


def test_a_claim_does_nothing_else_and_ends_with_its_template(account, template):
    claim = trusted_claim(account, template)
    with Client(account, claim, "newborn") as newborn:
        assert newborn.publish("lamps/lamp-7", "on").value == 0x87
        assert newborn.publish("$aws/provisioning-templates/another/provision/json", "{}").value == 0x87
        assert newborn.subscribe("#")[0].value == 0x87
    account.iot.delete_provisioning_template(templateName=template)
    assert "not registered" in refused(account, claim, client_id="newborn")
    new_template(account)


@contextmanager
def identity_client(account: Account, claim: Device, version: int):
    """AWS's client for provisioning, over its SDK's MQTT 5 or 3.1.1."""
    if version == 5:
        with Client5(mutual_tls(account, claim, account.server.mqtt_port)) as client:
            yield iotidentity.IotIdentityClientV2(client.client, OPTIONS)
        return
    connection = mqtt_connection_builder.mtls_from_path(
        endpoint=HOST,
        port=account.server.mqtt_port,
        cert_filepath=str(claim.certificate),
        pri_key_filepath=str(claim.key),
        ca_filepath=str(account.server.root_ca),
        client_id="sdk3",
        clean_session=True,
    )
    connection.connect().result(ANSWERED_WITHIN_S)
    try:
        yield iotidentity.IotIdentityClientV2(connection, OPTIONS)
    finally:
        connection.disconnect().result(ANSWERED_WITHIN_S)


@pytest.mark.parametrize("by", ["keys", "request"])
@pytest.mark.parametrize("version", [5, 311])
def test_awss_identity_client_provisions(account, template, serial, version, by):
    """With a claim certificate: one that a whole batch of devices is made with."""
    claim, lamp = account.new_device(), f"fleet-lamp-{serial}"
    key, csr = account.new_request()
    with identity_client(account, claim, version) as identity:
        if by == "keys":
            request = iotidentity.CreateKeysAndCertificateRequest()
            made = identity.create_keys_and_certificate(request).result(ANSWERED_WITHIN_S)
            key = made.private_key
        else:
            request = iotidentity.CreateCertificateFromCsrRequest(certificate_signing_request=csr)
            made = identity.create_certificate_from_csr(request).result(ANSWERED_WITHIN_S)

        def register(token: str) -> iotidentity.RegisterThingResponse:
            request = iotidentity.RegisterThingRequest(
                template_name=template, certificate_ownership_token=token, parameters={"Serial": serial}
            )
            return identity.register_thing(request).result(ANSWERED_WITHIN_S)

        with pytest.raises(V2ServiceException) as rejected:
            register("not a token")
        assert rejected.value.modeled_error.error_code == "InvalidCertificateOwnershipToken"
        registered = register(made.certificate_ownership_token)
    assert (registered.thing_name, registered.device_configuration) == (lamp, {"house": "3"})
    works_as(account, stored(account, made.certificate_id, made.certificate_pem, key), lamp)


@pytest.mark.parametrize("by", ["keys", "request"])
@pytest.mark.parametrize("version", [5, 311])
def test_awss_identity_client_for_javascript_provisions(account, template, serial, version, by):
    claim, lamp = account.new_device(), f"fleet-lamp-{serial}"
    key, csr = account.new_request()
    how = {
        "version": version,
        "host": HOST,
        "port": account.server.mqtt_port,
        "rootCa": str(account.server.root_ca),
        "certificate": str(claim.certificate),
        "key": str(claim.key),
        "clientId": f"js-{version}",
        "template": template,
        "serial": serial,
        "csr": csr if by == "request" else None,
    }
    told = outcome(javascript("provision.js", how))
    assert (told["thingName"], told["deviceConfiguration"]) == (lamp, {"house": "3"})
    assert told["rejected"] == "InvalidCertificateOwnershipToken"
    works_as(account, stored(account, told["certificateId"], told["certificatePem"], told.get("privateKey", key)), lamp)


def ask_in_cbor(client: Client, topic: str, members: dict) -> dict:
    encoder = cbor.AwsCborEncoder()
    encoder.write_data_item(members)
    client.publish(f"{topic}/cbor", encoder.get_encoded_data())
    answer = client.receive()
    assert answer.topic.startswith(f"{topic}/cbor/"), answer.topic
    return cbor.AwsCborDecoder(answer.payload).pop_next_data_item()


@pytest.mark.parametrize("by", ["keys", "request"])
def test_a_device_that_speaks_cbor_is_provisioned(account, template, serial, by):
    claim, lamp = trusted_claim(account, template), f"fleet-lamp-{serial}"
    key, csr = account.new_request()
    with Client(account, claim, "newborn") as newborn:
        if by == "keys":
            made = ask_in_cbor(newborn, CREATE, {})
            key = made["privateKey"]
        else:
            made = ask_in_cbor(newborn, CREATE_FROM_CSR, {"certificateSigningRequest": csr})
        rejected = ask_in_cbor(newborn, PROVISION, {"certificateOwnershipToken": "x", "parameters": {}})
        assert rejected["errorCode"] == "InvalidCertificateOwnershipToken"
        token = made["certificateOwnershipToken"]
        registered = ask_in_cbor(newborn, PROVISION, {"certificateOwnershipToken": token, "parameters": {"Serial": serial}})
        assert registered == {"deviceConfiguration": {"house": "3"}, "thingName": lamp}
    works_as(account, stored(account, made["certificateId"], made["certificatePem"], key), lamp)
