"""Policies, their versions and attachments, by the AWS CLI and boto3."""

import json

import pytest

from account import ALLOW_ALL


def document(action: str, resource: str = "*") -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]})


@pytest.fixture
def policy(account) -> str:
    """The name of a policy of the test's own."""
    return account.new_policy()


def test_the_cli_tells_the_story_of_a_policy(account):
    name = "cli-story"
    made = account.aws("iot", "create-policy", "--policy-name", name, "--policy-document", document("iot:Connect"))
    assert made == {
        "policyName": name,
        "policyArn": f"arn:aws:iot:us-east-1:000000000000:policy/{name}",
        "policyDocument": document("iot:Connect"),
        "policyVersionId": "1",
    }
    second = account.aws("iot", "create-policy-version", "--policy-name", name, "--policy-document", document("iot:*"), "--set-as-default")
    assert (second["policyVersionId"], second["isDefaultVersion"]) == ("2", True)
    assert account.aws("iot", "get-policy", "--policy-name", name)["policyDocument"] == document("iot:*")
    first = account.aws("iot", "get-policy-version", "--policy-name", name, "--policy-version-id", "1")
    assert (first["policyDocument"], first["isDefaultVersion"]) == (document("iot:Connect"), False)

    device = account.new_device(is_attached=False)
    assert account.aws("iot", "attach-policy", "--policy-name", name, "--target", device.certificate_arn) == {}
    assert [p["policyName"] for p in account.aws("iot", "list-attached-policies", "--target", device.certificate_arn)["policies"]] == [name]
    assert account.aws("iot", "list-targets-for-policy", "--policy-name", name)["targets"] == [device.certificate_arn]
    done = account.try_aws("iot", "delete-policy", "--policy-name", name)
    assert "(DeleteConflictException)" in done.stderr
    assert account.aws("iot", "detach-policy", "--policy-name", name, "--target", device.certificate_arn) == {}
    assert account.aws("iot", "delete-policy-version", "--policy-name", name, "--policy-version-id", "1") == {}
    assert account.aws("iot", "delete-policy", "--policy-name", name) == {}
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        account.iot.get_policy(policyName=name)


def test_a_name_is_taken_once(account, policy):
    with pytest.raises(account.iot.exceptions.ResourceAlreadyExistsException):
        account.iot.create_policy(policyName=policy, policyDocument=document("iot:Connect"))


def test_a_policy_has_five_versions_and_numbers_are_not_given_again(account, policy):
    iot = account.iot
    for number in range(2, 6):
        made = iot.create_policy_version(policyName=policy, policyDocument=document("iot:Connect"))
        assert (made["policyVersionId"], made["isDefaultVersion"]) == (str(number), False)
    with pytest.raises(iot.exceptions.VersionsLimitExceededException):
        iot.create_policy_version(policyName=policy, policyDocument=document("iot:Connect"))
    with pytest.raises(iot.exceptions.DeleteConflictException):
        iot.delete_policy_version(policyName=policy, policyVersionId="1")
    iot.set_default_policy_version(policyName=policy, policyVersionId="5")
    iot.delete_policy_version(policyName=policy, policyVersionId="1")
    assert iot.create_policy_version(policyName=policy, policyDocument=document("iot:*"))["policyVersionId"] == "6"
    versions = iot.list_policy_versions(policyName=policy)["policyVersions"]
    assert [(v["versionId"], v["isDefaultVersion"]) for v in versions] == [
        ("6", False), ("5", True), ("4", False), ("3", False), ("2", False),
    ]  # fmt: skip


def test_a_policy_with_versions_is_not_deleted(account, policy):
    account.iot.create_policy_version(policyName=policy, policyDocument=document("iot:Connect"))
    with pytest.raises(account.iot.exceptions.DeleteConflictException):
        account.iot.delete_policy(policyName=policy)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "{",
        "null",
        '{"Version":"2012-10-17","Statement":[]}',
        '{"Version":"2012-10-17","Statement":[{"Effect":"allow","Action":"iot:*","Resource":"*"}]}',
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*"}]}',
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*"}]}',
        '{"Version":"1999-01-01","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}',
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*","Sid2":"x"}]}',
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Effect":"Deny","Action":"iot:*","Resource":"*"}]}',
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*","Condition":{"NoSuchOperator":{"iot:ClientId":"x"}}}]}',
        "[" * 5000,
    ],
)
def test_a_document_that_is_not_understood_is_malformed(account, text):
    refused = (account.iot.exceptions.MalformedPolicyException, account.iot.exceptions.InvalidRequestException)
    with pytest.raises(refused):
        account.iot.create_policy(policyName="never-made", policyDocument=text)
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        account.iot.get_policy(policyName="never-made")


def test_a_document_may_have_2048_characters_besides_white_space(account):
    def of_length(length: int) -> str:
        arn = "arn:aws:iot:us-east-1:000000000000:client/"
        rest = length - len(document("iot:Connect", arn).replace(" ", ""))
        return document("iot:Connect", arn + "a" * rest)

    with pytest.raises(account.iot.exceptions.MalformedPolicyException):
        account.iot.create_policy(policyName="long-policy", policyDocument=of_length(2049))
    account.iot.create_policy(policyName="long-policy", policyDocument=of_length(2048) + " \n" * 3000)


def test_ten_policies_are_attached_to_a_certificate_and_no_more(account):
    device = account.new_device(is_attached=False)
    names = [account.new_policy() for _ in range(11)]
    for name in names[:10]:
        account.iot.attach_policy(policyName=name, target=device.certificate_arn)
    # Again is no eleventh.
    account.iot.attach_policy(policyName=names[0], target=device.certificate_arn)
    with pytest.raises(account.iot.exceptions.LimitExceededException):
        account.iot.attach_policy(policyName=names[10], target=device.certificate_arn)
    account.iot.detach_policy(policyName=names[0], target=device.certificate_arn)
    account.iot.attach_policy(policyName=names[10], target=device.certificate_arn)


def test_what_is_attached_must_exist(account, policy):
    device = account.new_device(is_attached=False)
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        account.iot.attach_policy(policyName="no-such-policy", target=device.certificate_arn)
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        account.iot.attach_policy(policyName=policy, target=device.certificate_arn[:-1] + ("0" if device.certificate_arn[-1] != "0" else "1"))
    for target in ["x", "arn:aws:iot:us-east-1:000000000000:thing/x", "arn:aws:s3:::bucket"]:
        with pytest.raises((account.iot.exceptions.InvalidRequestException, account.iot.exceptions.ResourceNotFoundException)):
            account.iot.attach_policy(policyName=policy, target=target)


def test_the_old_operations_tell_the_same_story(account, policy):
    device, iot = account.new_device(is_attached=False), account.iot
    iot.attach_principal_policy(policyName=policy, principal=device.certificate_arn)
    assert [p["policyName"] for p in iot.list_principal_policies(principal=device.certificate_arn)["policies"]] == [policy]
    assert iot.list_policy_principals(policyName=policy)["principals"] == [device.certificate_arn]
    assert [p["policyName"] for p in iot.list_attached_policies(target=device.certificate_arn)["policies"]] == [policy]
    iot.detach_principal_policy(policyName=policy, principal=device.certificate_arn)
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.detach_principal_policy(policyName=policy, principal=device.certificate_arn)
    # DetachPolicy models no such refusal.
    iot.detach_policy(policyName=policy, target=device.certificate_arn)


def test_effective_policies_are_the_default_versions_of_what_is_attached(account, policy):
    device = account.new_device(is_attached=False)
    account.iot.attach_policy(policyName=policy, target=device.certificate_arn)
    told = account.iot.get_effective_policies(principal=device.certificate_arn)["effectivePolicies"]
    assert [(p["policyName"], json.loads(p["policyDocument"])) for p in told] == [(policy, ALLOW_ALL)]


def test_test_authorization_answers_as_the_gate_would(account):
    device = account.new_device(json.loads(document("iot:Publish", "arn:aws:iot:us-east-1:000000000000:topic/mine/*")))
    asked = [
        {"actionType": "PUBLISH", "resources": [f"arn:aws:iot:us-east-1:000000000000:topic/{topic}"]}
        for topic in ("mine/x", "yours/x")
    ]
    results = account.iot.test_authorization(principal=device.certificate_arn, authInfos=asked)["authResults"]
    assert [one["authDecision"] for one in results] == ["ALLOWED", "IMPLICIT_DENY"]


def test_tags_of_a_policy_come_change_and_go(account):
    made = account.iot.create_policy(policyName="tagged", policyDocument=document("iot:*"), tags=[{"Key": "team", "Value": "a"}])
    arn = made["policyArn"]

    def tags() -> dict:
        return {tag["Key"]: tag["Value"] for tag in account.iot.list_tags_for_resource(resourceArn=arn)["tags"]}

    assert account.aws("iot", "list-tags-for-resource", "--resource-arn", arn)["tags"] == [{"Key": "team", "Value": "a"}]
    account.aws("iot", "tag-resource", "--resource-arn", arn, "--tags", "Key=team,Value=b", "Key=Größe,Value=m²")
    assert tags() == {"team": "b", "Größe": "m²"}
    account.aws("iot", "untag-resource", "--resource-arn", arn, "--tag-keys", "team", "never-there")
    assert tags() == {"Größe": "m²"}
    # A new policy of the same name begins without tags.
    account.iot.delete_policy(policyName="tagged")
    account.iot.create_policy(policyName="tagged", policyDocument=document("iot:*"))
    assert tags() == {}


def test_tags_that_break_the_rules_are_refused(account, policy):
    arn = account.iot.get_policy(policyName=policy)["policyArn"]
    for tags in [
        [{"Key": "aws:mine", "Value": "x"}],
        [{"Key": "twice", "Value": "1"}, {"Key": "twice", "Value": "2"}],
        [{"Key": "k" * 129, "Value": "x"}],
        [{"Key": "long", "Value": "v" * 257}],
    ]:
        with pytest.raises(account.iot.exceptions.InvalidRequestException):
            account.iot.tag_resource(resourceArn=arn, tags=tags)
    with pytest.raises(account.iot.exceptions.LimitExceededException):
        account.iot.tag_resource(resourceArn=arn, tags=[{"Key": f"k{n}", "Value": ""} for n in range(51)])
    assert account.iot.list_tags_for_resource(resourceArn=arn)["tags"] == []
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        account.iot.list_tags_for_resource(resourceArn=arn + "-not")
