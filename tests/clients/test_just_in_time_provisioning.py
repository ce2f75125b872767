"""Just-in-time provisioning: a device that a CA has signed becomes part of the fleet by the CA's template, with nobody
there but the device."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from account import Account, Device
from authority import Authority, arn, new_authority, register, status
from eventually import eventually
from mqtt import Client, Closed, Refused, refused
from provisioning import CERTIFICATE_ID, lamp_policy, provisioning_role, template_body
from test_explain import explain
from tools import mosquitto

PENDING = "PENDING_ACTIVATION"
JUST_PROVISIONED = "has just been registered and provisioned"
FAILED = "could not be provisioned"
COMMON_NAME, COUNTRY = "AWS::IoT::Certificate::CommonName", "AWS::IoT::Certificate::Country"


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    return tmp_path_factory.mktemp("office")


def lamps(account: Account, **thing) -> str:
    """A thing named as the certificate's common name, and a policy by the thing's name."""
    properties = {"ThingName": {"Ref": COMMON_NAME}, "AttributePayload": {"country": {"Ref": COUNTRY}}} | thing
    return template_body(
        Parameters={
            COMMON_NAME: {"Type": "String"},
            COUNTRY: {"Type": "String"},
            CERTIFICATE_ID: {"Type": "String"},
        },
        Resources={
            "thing": {"Type": "AWS::IoT::Thing", "Properties": properties},
            "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": json.dumps(lamp_policy(account))}},
        },
    )


def provisioning_ca(account: Account, office, body: str) -> Authority:
    """A CA whose devices are provisioned by this template."""
    made = new_authority(office)
    register(account, made, registrationConfig={"templateBody": body, "roleArn": provisioning_role(account)})
    return made


def things(account: Account, device: Device) -> list[str]:
    return account.iot.list_principal_things(principal=arn(account, device))["things"]


def policies(account: Account, device: Device) -> list[str]:
    listed = account.iot.list_attached_policies(target=arn(account, device))["policies"]
    return [each["policyName"] for each in listed]


def test_the_whole_life_of_a_device_that_is_provisioned_just_in_time(account, office):
    ca = provisioning_ca(account, office, lamps(account))
    device = ca.new_device("/C=NO/O=Fleet/CN=lamp-1")
    # The first connection provisions, and is closed.
    assert JUST_PROVISIONED in refused(account, device, client_id="lamp-1")
    assert status(account, device) == "ACTIVE"
    thing = account.iot.describe_thing(thingName="lamp-1")
    assert thing["attributes"] == {"country": "NO"}
    assert things(account, device) == ["lamp-1"]
    (policy,) = policies(account, device)
    assert len(policy) == 40 and json.loads(account.iot.get_policy(policyName=policy)["policyDocument"]) == lamp_policy(account)
    # The next one connects, may do what the template says, and no more.
    with Client(account, account.new_device(), "witness") as witness, Client(account, device, "lamp-1") as lamp:
        witness.subscribe("lamps/#")
        assert not lamp.publish("lamps/lamp-1", "on").is_failure
        assert witness.receive().payload == b"on"
        assert lamp.publish("lamps/lamp-2", "on").is_failure
    assert "no policy" in refused(account, device, client_id="lamp-2")
    # Another device gets a thing of its own and shares the policy.
    other = ca.new_device("/C=SE/O=Fleet/CN=lamp-2")
    assert JUST_PROVISIONED in refused(account, other, client_id="lamp-2")
    assert (things(account, other), policies(account, other)) == (["lamp-2"], [policy])
    # Revoked, it does not come back.
    account.set_status(device, "REVOKED")
    assert "REVOKED" in refused(account, device, client_id="lamp-1")


def test_mosquitto_is_provisioned_by_its_second_attempt(account, office):
    ca = provisioning_ca(account, office, lamps(account))
    device = ca.new_device("/C=NO/CN=mosquitto-lamp")

    def publish():
        return mosquitto(
            "mosquitto_pub", account.server.mqtt_port, root_ca=account.server.root_ca, device=device,
            options=["-t", "lamps/mosquitto-lamp", "-m", "on", "-i", "mosquitto-lamp", "-q", "1"],
        )  # fmt: skip

    assert publish().returncode != 0
    assert publish().returncode == 0


def test_a_registered_template_provisions_when_it_is_enabled(account, office):
    iot = account.iot
    iot.create_provisioning_template(
        templateName="jitp", templateBody=lamps(account), provisioningRoleArn=provisioning_role(account), type="JITP"
    )
    ca = new_authority(office)
    register(account, ca, registrationConfig={"templateName": "jitp"})
    device = ca.new_device("/C=NO/CN=by-name")
    assert FAILED in refused(account, device, client_id="by-name")
    assert status(account, device) == PENDING
    iot.update_provisioning_template(templateName="jitp", enabled=True)
    assert JUST_PROVISIONED in refused(account, device, client_id="by-name")
    with Client(account, device, "by-name"):
        pass


def test_a_failure_leaves_the_device_waiting_and_says_why(account, office):
    ca = provisioning_ca(account, office, lamps(account, ThingGroups=["lamps"]))
    device = ca.new_device("/C=NO/CN=grouped")
    for _ in range(2):
        assert FAILED in refused(account, device, client_id="grouped")
        assert status(account, device) == PENDING
    # Nothing is half done.
    assert (things(account, device), policies(account, device)) == ([], [])
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        account.iot.describe_thing(thingName="grouped")

    def told() -> list[str]:
        return [each.get("details", "") for each in explain(account, device)["refusals"]]

    eventually(lambda: any("thing group lamps does not exist" in details for details in told()), "the reason is kept")
    # What was missing comes; the device tries again.
    account.iot.create_thing_group(thingGroupName="lamps")
    assert JUST_PROVISIONED in refused(account, device, client_id="grouped")
    assert account.iot.list_things_in_thing_group(thingGroupName="lamps")["things"] == ["grouped"]


def test_a_subject_without_what_the_template_declares_is_not_provisioned(account, office):
    ca = provisioning_ca(account, office, lamps(account))
    device = ca.new_device("/CN=homeless")
    assert FAILED in refused(account, device, client_id="homeless")
    assert status(account, device) == PENDING

    def told() -> str:
        return json.dumps(explain(account, device)["refusals"])

    eventually(lambda: COUNTRY in told(), "the parameter is named")


WIDENING = ["*", "?", "a*", "${iot:ClientId}", 'a","Resource":"*', "a\\", "a$b", "+", "#"]


@pytest.mark.parametrize("value", WIDENING)
def test_subject_values_never_widen_a_policy(account, office, value):
    """The template's policy names the device by a value out of its subject."""
    prefix = f"arn:aws:iot:us-east-1:{account.credentials.account_id}"
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "iot:*",
                "Resource": {"Fn::Sub": [prefix + ":client/${name}", {"name": {"Ref": COMMON_NAME}}]},
            }
        ],
    }
    body = template_body(
        Parameters={COMMON_NAME: {"Type": "String"}},
        Resources={"policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": document}}},
    )
    ca = provisioning_ca(account, office, body)
    escaped = "".join(f"\\{letter}" if letter in "/+\\" else letter for letter in value)
    device = ca.new_device(f"/O=Fleet/CN={escaped}")
    assert FAILED in refused(account, device, client_id="victim")
    assert (status(account, device), policies(account, device)) == (PENDING, [])
    # A plain one is served.
    plain = ca.new_device("/O=Fleet/CN=plain")
    assert JUST_PROVISIONED in refused(account, plain, client_id="plain")
    with Client(account, plain, "plain"):
        pass
    assert "no policy" in refused(account, plain, client_id="victim")


def test_one_device_at_many_doors_is_provisioned_once(account, office):
    ca = provisioning_ca(account, office, lamps(account))
    device = ca.new_device("/C=NO/CN=many-doors")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: attempt(account, device, f"door-{number}"), range(8)))
    assert status(account, device) == "ACTIVE"
    assert things(account, device) == ["many-doors"]
    assert account.iot.describe_thing(thingName="many-doors")["version"] == 1


def attempt(account: Account, device: Device, client_id: str) -> bool:
    try:
        with Client(account, device, client_id):
            return True
    except (Refused, Closed, OSError):
        return False


def test_revoking_wins_against_a_device_that_is_being_provisioned(account, office):
    ca = provisioning_ca(account, office, lamps(account))
    for number in range(4):
        device = ca.new_device(f"/C=NO/CN=racer-{number}")
        is_over = threading.Event()

        def keep_coming() -> None:
            while not is_over.is_set():
                attempt(account, device, f"racer-{number}")

        with ThreadPoolExecutor(2) as pool:
            coming = [pool.submit(keep_coming) for _ in range(2)]
            try:
                eventually(lambda: status(account, device) is not None, "the device is registered")
                account.set_status(device, "REVOKED")
                for _ in range(3):
                    assert "REVOKED" in refused(account, device, client_id=f"racer-{number}")
                    assert status(account, device) == "REVOKED"
            finally:
                is_over.set()
            for each in coming:
                each.result()
        assert status(account, device) == "REVOKED"


def test_a_ca_of_another_account_provisions_nothing_here(account, second_account, office):
    ca = new_authority(office)
    config = {"templateBody": lamps(second_account), "roleArn": provisioning_role(second_account)}
    register(second_account, ca, registrationConfig=config)
    device = ca.new_device("/C=NO/CN=foreign")
    assert "not registered" in refused(account, device, client_id="foreign")
    assert status(account, device) is None
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        account.iot.describe_thing(thingName="foreign")
