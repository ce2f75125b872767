"""Role aliases through boto3 and the AWS CLI."""

import pytest


def role(account, name: str = "reader") -> str:
    return f"arn:aws:iam::{account.credentials.account_id}:role/{name}"


def test_boto3_makes_shows_changes_and_deletes_a_role_alias(second_account):
    iot = second_account.iot
    made = iot.create_role_alias(
        roleAlias="reader", roleArn=role(second_account), tags=[{"Key": "team", "Value": "meters"}]
    )
    assert made["roleAliasArn"].endswith(":rolealias/reader")
    tags = iot.list_tags_for_resource(resourceArn=made["roleAliasArn"])["tags"]
    assert tags == [{"Key": "team", "Value": "meters"}]

    described = iot.describe_role_alias(roleAlias="reader")["roleAliasDescription"]
    assert described["roleArn"] == role(second_account)
    assert described["owner"] == second_account.credentials.account_id
    assert described["credentialDurationSeconds"] == 3600
    assert described["creationDate"] == described["lastModifiedDate"]

    iot.update_role_alias(roleAlias="reader", roleArn=role(second_account, "writer"), credentialDurationSeconds=900)
    changed = iot.describe_role_alias(roleAlias="reader")["roleAliasDescription"]
    assert (changed["roleArn"], changed["credentialDurationSeconds"]) == (role(second_account, "writer"), 900)
    assert changed["lastModifiedDate"] >= changed["creationDate"]

    iot.delete_role_alias(roleAlias="reader")
    assert iot.list_role_aliases()["roleAliases"] == []
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_role_alias(roleAlias="reader")


def test_boto3_raises_the_modelled_refusals(second_account):
    iot = second_account.iot
    iot.create_role_alias(roleAlias="a", roleArn=role(second_account))
    with pytest.raises(iot.exceptions.ResourceAlreadyExistsException) as taken:
        iot.create_role_alias(roleAlias="a", roleArn=role(second_account))
    assert taken.value.response["resourceArn"].endswith(":rolealias/a")
    with pytest.raises(iot.exceptions.InvalidRequestException):
        iot.create_role_alias(roleAlias="b", roleArn=role(second_account), credentialDurationSeconds=43_201)
    with pytest.raises(iot.exceptions.InvalidRequestException):
        iot.create_role_alias(roleAlias="b", roleArn="arn:aws:iam::999999999999:role/stranger")
    for call in (iot.delete_role_alias, iot.update_role_alias):
        with pytest.raises(iot.exceptions.ResourceNotFoundException):
            call(roleAlias="b")


def test_the_cli_makes_lists_and_deletes_role_aliases(second_account):
    aws = second_account.aws
    for name in ("b", "a"):
        aws("iot", "create-role-alias", "--role-alias", name, "--role-arn", role(second_account))
    assert aws("iot", "list-role-aliases", "--ascending-order") == {"roleAliases": ["a", "b"]}
    aws("iot", "delete-role-alias", "--role-alias", "a")
    assert aws("iot", "list-role-aliases") == {"roleAliases": ["b"]}
    refused = second_account.try_aws("iot", "describe-role-alias", "--role-alias", "a")
    assert refused.returncode != 0
    assert "ResourceNotFoundException" in refused.stderr
