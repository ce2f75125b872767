"""Fleet provisioning: templates, claims, and what a device of a fleet does with them over plain MQTT."""

import json
import secrets
from contextlib import contextmanager
from pathlib import Path

from awscrt.cbor import AwsCborDecoder, AwsCborEncoder

from account import Account, Device
from mqtt import Client
from provisioning import CERTIFICATE_ID, provisioning_role

CREATE = "$aws/certificates/create"
CREATE_FROM_CSR = "$aws/certificates/create-from-csr"

# A device connects under the name of its thing, and publishes below it.
DEVICE_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": "arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}"},
        {"Effect": "Allow", "Action": "iot:Publish", "Resource": "arn:aws:iot:*:*:topic/${iot:Connection.Thing.ThingName}/*"},
    ],
}


def fleet_body(policy_name: str) -> str:
    """A template for lamps, each called after its serial number; what they may do stands in a policy."""
    return json.dumps(
        {
            "Parameters": {"SerialNumber": {"Type": "String"}, "Site": {"Type": "String", "Default": "north"}},
            "Resources": {
                "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {"CertificateId": {"Ref": CERTIFICATE_ID}}},
                "thing": {
                    "Type": "AWS::IoT::Thing",
                    "Properties": {
                        "ThingName": {"Fn::Join": ["-", ["lamp", {"Ref": "SerialNumber"}]]},
                        "AttributePayload": {"site": {"Ref": "Site"}},
                    },
                },
                "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": policy_name}},
            },
            "DeviceConfiguration": {"interval": "60", "site": {"Ref": "Site"}},
        }
    )


def claim_policy(account: Account, template: str) -> dict:
    """What AWS's guide lets a claim do, with requests for keys of the device's own."""
    prefix = f"arn:aws:iot:{account.region}:{account.credentials.account_id}"
    topics = [f"{CREATE}/*", f"{CREATE_FROM_CSR}/*", f"$aws/provisioning-templates/{template}/provision/*"]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"},
            {
                "Effect": "Allow",
                "Action": ["iot:Publish", "iot:Receive"],
                "Resource": [f"{prefix}:topic/{topic}" for topic in topics],
            },
            {
                "Effect": "Allow",
                "Action": "iot:Subscribe",
                "Resource": [f"{prefix}:topicfilter/{topic}" for topic in topics],
            },
        ],
    }


@contextmanager
def fleet(account: Account, **settings):
    """The name of a template of the account's, there as long as the test."""
    name = f"fleet-{secrets.token_hex(6)}"
    account.iot.create_provisioning_template(
        templateName=name,
        templateBody=fleet_body(account.new_policy(DEVICE_POLICY)),
        provisioningRoleArn=provisioning_role(account),
        enabled=True,
        **settings,
    )
    yield name
    account.iot.delete_provisioning_template(templateName=name)


def serial() -> str:
    """The serial number of a device that nobody has seen yet."""
    return secrets.token_hex(6)


def kept(account: Account, folder: Path, certificate_id: str, certificate_pem: str, private_key: str | Path) -> Device:
    """A device that keeps what it was given."""
    certificate, key = folder / f"{certificate_id}.pem", folder / f"{certificate_id}.key"
    certificate.write_text(certificate_pem)
    key.write_text(private_key.read_text() if isinstance(private_key, Path) else private_key)
    arn = f"arn:aws:iot:{account.region}:{account.credentials.account_id}:cert/{certificate_id}"
    return Device(certificate_id, arn, certificate, key)


def new_claim(account: Account, folder: Path, template: str) -> Device:
    """A claim of a trusted user, good for five minutes."""
    made = account.iot.create_provisioning_claim(templateName=template)
    return kept(account, folder, made["certificateId"], made["certificatePem"], made["keyPair"]["PrivateKey"])


class Rejected(Exception):
    """The service rejected a request: its `statusCode`, `errorCode` and `errorMessage`."""

    def __init__(self, answer: dict):
        super().__init__(answer)
        self.status, self.code, self.message = answer["statusCode"], answer["errorCode"], answer["errorMessage"]


def ask(client: Client, topic: str, body: dict, *, qos: int = 1, cbor: bool = False) -> dict:
    """Sends a request and reads its answer, without a subscription."""
    topic = f"{topic}/{'cbor' if cbor else 'json'}"
    client.publish(topic, write_cbor(body) if cbor else json.dumps(body), qos)
    answer = client.receive()
    read = AwsCborDecoder(answer.payload).pop_next_data_item() if cbor else json.loads(answer.payload)
    assert answer.topic in (f"{topic}/accepted", f"{topic}/rejected")
    assert (answer.qos, answer.retain) == (qos, False)
    if answer.topic.endswith("rejected"):
        raise Rejected(read)
    return read


def write_cbor(body: dict) -> bytes:
    encoder = AwsCborEncoder()
    encoder.write_data_item(body)
    return encoder.get_encoded_data()


def provision(template: str) -> str:
    """Where devices ask to be registered by the template, without the format."""
    return f"$aws/provisioning-templates/{template}/provision"
