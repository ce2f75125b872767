"""RegisterThing by boto3 and the AWS CLI, and what the devices that come of it may do."""

import json

import pytest

from account import Account, Device
from authority import arn, new_authority, register
from mqtt import Client, refused

CONNECT_AND_PUBLISH = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "iot:Connect",
            "Resource": {"Fn::Sub": ["arn:aws:iot:us-east-1:${account}:client/${name}", {"account": {"Ref": "Account"}, "name": {"Ref": "Name"}}]},
        },
        {"Effect": "Allow", "Action": "iot:Publish", "Resource": "*"},
    ],
}  # fmt: skip


def template(certificate: dict, *, overrides: dict | None = None, **thing) -> str:
    """A body that makes a thing, whose device may connect under the thing's name."""
    names = ["Account", "Name", *(value["Ref"] for value in certificate.values() if isinstance(value, dict))]
    resources = {
        "thing": {
            "Type": "AWS::IoT::Thing",
            "Properties": {"ThingName": {"Ref": "Name"}, **thing},
            "OverrideSettings": overrides or {},
        },
        "certificate": {"Type": "AWS::IoT::Certificate", "Properties": certificate},
        "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": CONNECT_AND_PUBLISH}},
    }
    return json.dumps({"Parameters": {name: {"Type": "String"} for name in names}, "Resources": resources})


def parameters(account: Account, name: str, **more: str) -> dict[str, str]:
    return {"Account": account.credentials.account_id, "Name": name} | more


def device_of(answer: dict, key) -> Device:
    """The device that an answer tells of."""
    certificate = key.with_suffix(".pem")
    certificate.write_text(answer["certificatePem"])
    certificate_arn = answer["resourceArns"]["certificate"]
    return Device(certificate_arn.rpartition("/")[2], certificate_arn, certificate, key)


def test_boto3_registers_a_device_that_connects(account):
    iot = account.iot
    iot.create_thing_type(thingTypeName="registered-lamp")
    iot.create_thing_group(thingGroupName="registered-north")
    iot.create_billing_group(billingGroupName="registered-payer")
    body = template(
        {"CertificateSigningRequest": {"Ref": "CSR"}},
        AttributePayload={"room": "12"},
        ThingTypeName="registered-lamp",
        ThingGroups=["registered-north"],
        BillingGroup="registered-payer",
    )
    key, csr = account.new_request()
    made = iot.register_thing(templateBody=body, parameters=parameters(account, "registered-1", CSR=csr))
    assert set(made["resourceArns"]) == {"thing", "certificate", "policy"}
    told = iot.describe_thing(thingName="registered-1")
    assert made["resourceArns"]["thing"] == told["thingArn"]
    assert (told["attributes"], told["thingTypeName"], told["billingGroupName"]) == (
        {"room": "12"}, "registered-lamp", "registered-payer",
    )  # fmt: skip
    groups = iot.list_thing_groups_for_thing(thingName="registered-1")["thingGroups"]
    assert [group["groupName"] for group in groups] == ["registered-north"]
    device = device_of(made, key)
    assert iot.list_thing_principals(thingName="registered-1")["principals"] == [device.certificate_arn]
    with Client(account, device, "registered-1") as client:
        client.publish("hello", "x")
    # Its policy is for it alone.
    assert refused(account, device, client_id="registered-2")

    # The next one has a policy of its own, and so has nobody a second time.
    key, csr = account.new_request()
    again = iot.register_thing(templateBody=body, parameters=parameters(account, "registered-2", CSR=csr))
    assert again["resourceArns"]["policy"] != made["resourceArns"]["policy"]
    third = iot.register_thing(templateBody=body, parameters=parameters(account, "registered-1", CSR=csr))
    assert third["resourceArns"]["policy"] == made["resourceArns"]["policy"]
    with Client(account, device_of(again, key), "registered-2"):
        pass


def test_the_cli_registers_a_device_that_connects(account, tmp_path):
    (tmp_path / "template.json").write_text(template({"CertificateSigningRequest": {"Ref": "CSR"}}))
    key, csr = account.new_request()
    (tmp_path / "parameters.json").write_text(json.dumps(parameters(account, "cli-registered", CSR=csr)))
    made = account.aws(
        "iot", "register-thing",
        "--template-body", f"file://{tmp_path}/template.json", "--parameters", f"file://{tmp_path}/parameters.json",
    )  # fmt: skip
    with Client(account, device_of(made, key), "cli-registered") as client:
        client.publish("hello", "x")

    # Words of the shell, and a certificate that is there.
    body = template({"CertificateId": {"Ref": "Id"}})
    (tmp_path / "template.json").write_text(body)
    device = account.new_device(is_attached=False)
    given = ",".join(f"{k}={v}" for k, v in parameters(account, "cli-known", Id=device.certificate_id).items())
    known = account.aws(
        "iot", "register-thing", "--template-body", f"file://{tmp_path}/template.json", "--parameters", given
    )
    assert known["certificatePem"] == device.certificate.read_text()
    with Client(account, device, "cli-known"):
        pass

    done = account.try_aws("iot", "register-thing", "--template-body", f"file://{tmp_path}/template.json")
    assert "(InvalidRequestException)" in done.stderr and "Cannot resolve reference value" in done.stderr


def test_a_device_of_a_registered_ca_is_registered_ahead_of_its_first_connection(account, tmp_path):
    ca = new_authority(tmp_path)
    register(account, ca, is_automatic=False)
    device = ca.new_device()
    body = template({"CertificatePem": {"Ref": "Pem"}, "CACertificatePem": {"Ref": "CaPem"}})
    pems = {"Pem": device.certificate.read_text(), "CaPem": ca.pem}
    made = account.iot.register_thing(templateBody=body, parameters=parameters(account, "of-a-ca", **pems))
    assert made["certificatePem"] == pems["Pem"]
    assert made["resourceArns"]["certificate"] == arn(account, device)
    with Client(account, device, "of-a-ca"):
        pass


def test_an_inactive_device_waits_for_its_activation(account):
    key, csr = account.new_request()
    body = template({"CertificateSigningRequest": {"Ref": "CSR"}, "Status": "INACTIVE"})
    made = account.iot.register_thing(templateBody=body, parameters=parameters(account, "waiting", CSR=csr))
    device = device_of(made, key)
    assert "INACTIVE" in refused(account, device, client_id="waiting")
    account.set_status(device, "ACTIVE")
    with Client(account, device, "waiting"):
        pass


def test_boto3_raises_the_modelled_refusals(account):
    iot, errors = account.iot, account.iot.exceptions
    _, csr = account.new_request()
    given = parameters(account, "refused", CSR=csr)
    certificate = {"CertificateSigningRequest": {"Ref": "CSR"}}
    for body in ["{}", "no template", template(certificate, ThingNames="x")]:
        with pytest.raises(errors.InvalidRequestException):
            iot.register_thing(templateBody=body, parameters=given)
    with pytest.raises(errors.InvalidRequestException, match="Cannot resolve reference value: Name"):
        iot.register_thing(templateBody=template(certificate), parameters={"CSR": csr})
    with pytest.raises(errors.ResourceRegistrationFailureException, match="thing type nope does not exist"):
        iot.register_thing(templateBody=template(certificate, ThingTypeName="nope"), parameters=given)
    # Nothing of it is there.
    with pytest.raises(errors.ResourceNotFoundException):
        iot.describe_thing(thingName="refused")
    iot.create_thing(thingName="refused")
    body = template(certificate, overrides={"AttributePayload": "FAIL"}, AttributePayload={"a": "1"})
    with pytest.raises(errors.ConflictingResourceUpdateException):
        iot.register_thing(templateBody=body, parameters=given)
    assert iot.list_thing_principals(thingName="refused")["principals"] == []
