"""Provisioning templates through boto3 and the AWS CLI."""

import pytest

from authority import new_authority, register
from provisioning import provisioning_role, template_body


def function(account) -> str:
    region = account.iot.meta.region_name
    return f"arn:aws:lambda:{region}:{account.credentials.account_id}:function:check"


def lamp() -> str:
    """A body with all that fleet provisioning knows."""
    thing = {
        "Type": "AWS::IoT::Thing",
        "Properties": {
            "ThingName": {"Fn::Join": ["-", ["lamp", {"Ref": "SerialNumber"}]]},
            "AttributePayload": {"version": "v1", "serial": {"Ref": "SerialNumber"}},
        },
        "OverrideSettings": {"AttributePayload": "MERGE", "ThingTypeName": "REPLACE", "ThingGroups": "DO_NOTHING"},
    }
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "iot:Connect",
                "Resource": {"Fn::Sub": ["arn:aws:iot:us-east-1:123456789012:client/${v}", {"v": {"Ref": "SerialNumber"}}]},
            }
        ],
    }
    return template_body(
        Parameters={"SerialNumber": {"Type": "String"}, "Place": {"Type": "String", "Default": "north"}},
        Mappings={"places": {"north": {"url": "https://n.test"}}},
        Resources={
            "thing": thing,
            "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": document}},
        },
        DeviceConfiguration={"url": {"Fn::FindInMap": ["places", {"Ref": "Place"}, "url"]}},
    )


def test_boto3_makes_shows_changes_and_deletes_a_template(second_account):
    iot, role = second_account.iot, provisioning_role(second_account)
    hook = {"payloadVersion": "2020-04-01", "targetArn": function(second_account)}
    made = iot.create_provisioning_template(
        templateName="lamps",
        description="of lamps",
        templateBody=lamp(),
        provisioningRoleArn=role,
        preProvisioningHook=hook,
        tags=[{"Key": "team", "Value": "lights"}],
    )
    assert made["templateArn"].endswith(":provisioningtemplate/lamps")
    assert (made["templateName"], made["defaultVersionId"]) == ("lamps", 1)
    tags = iot.list_tags_for_resource(resourceArn=made["templateArn"])["tags"]
    assert tags == [{"Key": "team", "Value": "lights"}]
    described = iot.describe_provisioning_template(templateName="lamps")
    assert (described["enabled"], described["type"], described["templateBody"]) == (False, "FLEET_PROVISIONING", lamp())
    assert (described["provisioningRoleArn"], described["preProvisioningHook"]) == (role, hook)

    version = iot.create_provisioning_template_version(templateName="lamps", templateBody=template_body())
    assert (version["versionId"], version["isDefaultVersion"]) == (2, False)
    iot.update_provisioning_template(
        templateName="lamps", enabled=True, defaultVersionId=2, removePreProvisioningHook=True
    )
    described = iot.describe_provisioning_template(templateName="lamps")
    assert (described["enabled"], described["defaultVersionId"]) == (True, 2)
    assert described["templateBody"] == template_body()
    assert "preProvisioningHook" not in described
    first = iot.describe_provisioning_template_version(templateName="lamps", versionId=1)
    assert (first["templateBody"], first["isDefaultVersion"]) == (lamp(), False)

    iot.delete_provisioning_template_version(templateName="lamps", versionId=1)
    versions = iot.list_provisioning_template_versions(templateName="lamps")["versions"]
    assert [(version["versionId"], version["isDefaultVersion"]) for version in versions] == [(2, True)]
    listed = iot.list_provisioning_templates()["templates"]
    assert [(template["templateName"], template["enabled"]) for template in listed] == [("lamps", True)]
    iot.delete_provisioning_template(templateName="lamps")
    assert iot.list_provisioning_templates()["templates"] == []


def test_boto3_raises_the_modelled_refusals(second_account):
    iot, role, errors = second_account.iot, provisioning_role(second_account), second_account.iot.exceptions
    iot.create_provisioning_template(templateName="t", templateBody=template_body(), provisioningRoleArn=role)
    with pytest.raises(errors.ResourceAlreadyExistsException) as taken:
        iot.create_provisioning_template(templateName="t", templateBody=template_body(), provisioningRoleArn=role)
    assert taken.value.response["resourceArn"].endswith(":provisioningtemplate/t")
    for body in ["{}", template_body(Outputs={}), template_body(status="REVOKED")]:
        with pytest.raises(errors.InvalidRequestException):
            iot.create_provisioning_template(templateName="u", templateBody=body, provisioningRoleArn=role)
    for _ in range(4):
        iot.create_provisioning_template_version(templateName="t", templateBody=template_body())
    with pytest.raises(errors.VersionsLimitExceededException):
        iot.create_provisioning_template_version(templateName="t", templateBody=template_body())
    with pytest.raises(errors.DeleteConflictException):
        iot.delete_provisioning_template_version(templateName="t", versionId=1)
    for call in (iot.describe_provisioning_template, iot.delete_provisioning_template):
        with pytest.raises(errors.ResourceNotFoundException):
            call(templateName="u")


def test_a_template_that_a_ca_names_stays(second_account, tmp_path):
    iot, ca = second_account.iot, new_authority(tmp_path)
    iot.create_provisioning_template(
        templateName="jitp", templateBody=template_body(), provisioningRoleArn=provisioning_role(second_account), type="JITP"
    )
    register(second_account, ca, registrationConfig={"templateName": "jitp"})
    assert iot.list_ca_certificates(templateName="jitp")["certificates"][0]["certificateId"] == ca.id
    with pytest.raises(iot.exceptions.DeleteConflictException):
        iot.delete_provisioning_template(templateName="jitp")
    iot.update_ca_certificate(certificateId=ca.id, removeAutoRegistration=True)
    iot.delete_provisioning_template(templateName="jitp")


def test_the_cli_makes_lists_and_deletes_templates(second_account):
    aws, role = second_account.aws, provisioning_role(second_account)
    made = aws(
        "iot", "create-provisioning-template", "--template-name", "lamps", "--template-body", lamp(),
        "--provisioning-role-arn", role, "--enabled",
    )  # fmt: skip
    assert made["defaultVersionId"] == 1
    listed = aws("iot", "list-provisioning-templates")["templates"]
    assert [(template["templateName"], template["enabled"]) for template in listed] == [("lamps", True)]
    aws("iot", "delete-provisioning-template", "--template-name", "lamps")
    refused = second_account.try_aws("iot", "describe-provisioning-template", "--template-name", "lamps")
    assert refused.returncode != 0
    assert "ResourceNotFoundException" in refused.stderr
