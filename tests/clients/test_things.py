"""Things and their principals, by the AWS CLI and boto3."""

import pytest


def test_the_cli_tells_the_story_of_a_thing(account):
    name = "cli-thing:1_a-b"
    made = account.aws("iot", "create-thing", "--thing-name", name, "--attribute-payload", '{"attributes":{"room":"12"}}')
    assert made["thingArn"] == f"arn:aws:iot:us-east-1:000000000000:thing/{name}"
    told = account.aws("iot", "describe-thing", "--thing-name", name)
    assert (told["thingId"], told["attributes"], told["version"]) == (made["thingId"], {"room": "12"}, 1)
    assert told["defaultClientId"] == name
    account.aws("iot", "update-thing", "--thing-name", name, "--attribute-payload", '{"attributes":{"floor":"3"},"merge":true}')
    told = account.iot.describe_thing(thingName=name)
    assert (told["attributes"], told["version"]) == ({"room": "12", "floor": "3"}, 2)

    device = account.new_device(is_attached=False)
    principal = ("--thing-name", name, "--principal", device.certificate_arn)
    assert account.aws("iot", "attach-thing-principal", *principal) == {}
    assert account.aws("iot", "list-thing-principals", "--thing-name", name)["principals"] == [device.certificate_arn]
    assert account.aws("iot", "list-principal-things", "--principal", device.certificate_arn)["things"] == [name]
    done = account.try_aws("iot", "delete-thing", "--thing-name", name)
    assert "(InvalidRequestException)" in done.stderr and "attached" in done.stderr
    assert account.aws("iot", "detach-thing-principal", *principal) == {}
    assert account.aws("iot", "delete-thing", "--thing-name", name) == {}
    account.iot.delete_thing(thingName=name)
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        account.iot.describe_thing(thingName=name)


def test_the_cli_turns_the_pages_of_things(second_account):
    account = second_account
    names = [f"thing-{n}" for n in range(5)]
    for name in names:
        account.iot.create_thing(thingName=name)
    assert [thing["thingName"] for thing in account.aws("iot", "list-things", "--page-size", "2")["things"]] == names
    first = account.aws("iot", "list-things", "--page-size", "2", "--max-items", "3")
    rest = account.aws("iot", "list-things", "--page-size", "2", "--starting-token", first["NextToken"])
    assert [thing["thingName"] for thing in first["things"] + rest["things"]] == names


def test_creating_the_same_thing_again_answers_it_and_another_is_refused(account):
    configuration = {"thingName": "again", "attributePayload": {"attributes": {"a": "1"}}}
    first, second = (account.iot.create_thing(**configuration) for _ in range(2))
    assert first["thingId"] == second["thingId"]
    with pytest.raises(account.iot.exceptions.ResourceAlreadyExistsException) as refused:
        account.iot.create_thing(thingName="again", attributePayload={"attributes": {"a": "2"}})
    assert refused.value.response["resourceArn"] == first["thingArn"]


def test_a_thing_has_three_attributes(account):
    attributes = {f"a{n}": "x" for n in range(4)}
    with pytest.raises(account.iot.exceptions.InvalidRequestException):
        account.iot.create_thing(thingName="four", attributePayload={"attributes": attributes})


def test_a_change_can_ask_for_the_version_it_was_made_for(account):
    account.iot.create_thing(thingName="versioned")
    account.iot.update_thing(thingName="versioned", attributePayload={"attributes": {"a": "1"}}, expectedVersion=1)
    with pytest.raises(account.iot.exceptions.VersionConflictException):
        account.iot.update_thing(thingName="versioned", attributePayload={"attributes": {"a": "2"}}, expectedVersion=1)
    with pytest.raises(account.iot.exceptions.VersionConflictException):
        account.iot.delete_thing(thingName="versioned", expectedVersion=1)
    account.iot.delete_thing(thingName="versioned", expectedVersion=2)


def test_things_are_found_by_attribute(second_account):
    account = second_account
    for name, room in [("one", "12"), ("two", "12"), ("three", "120"), ("four", "7")]:
        account.iot.create_thing(thingName=name, attributePayload={"attributes": {"room": room}})

    def found(**how) -> set[str]:
        return {thing["thingName"] for thing in account.iot.list_things(attributeName="room", **how)["things"]}

    assert found(attributeValue="12") == {"one", "two"}
    assert found(attributeValue="12", usePrefixAttributeValue=True) == {"one", "two", "three"}
    # No pattern: the underscore stands for itself.
    assert found(attributeValue="1_", usePrefixAttributeValue=True) == set()


def test_an_exclusive_principal_belongs_to_one_thing(account):
    device, iot = account.new_device(is_attached=False), account.iot
    for name in ["exclusive-1", "exclusive-2"]:
        iot.create_thing(thingName=name)
    iot.attach_thing_principal(
        thingName="exclusive-1", principal=device.certificate_arn, thingPrincipalType="EXCLUSIVE_THING"
    )
    with pytest.raises(iot.exceptions.ClientError) as refused:
        iot.attach_thing_principal(thingName="exclusive-2", principal=device.certificate_arn)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 409)
    told = iot.list_principal_things_v2(principal=device.certificate_arn)["principalThingObjects"]
    assert told == [{"thingName": "exclusive-1", "thingPrincipalType": "EXCLUSIVE_THING"}]


def test_thing_types_do_not_exist_yet_and_are_not_ignored(account):
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        account.iot.create_thing(thingName="typed", thingTypeName="lamp")
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        account.iot.describe_thing(thingName="typed")
