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


def test_the_cli_tells_the_story_of_a_thing_type(account):
    described = "thingTypeDescription=a lamp,searchableAttributes=wattage,colour"
    made = account.aws("iot", "create-thing-type", "--thing-type-name", "lamp", "--thing-type-properties", described)
    assert made["thingTypeArn"] == "arn:aws:iot:us-east-1:000000000000:thingtype/lamp"
    again = account.aws("iot", "create-thing-type", "--thing-type-name", "lamp", "--thing-type-properties", described)
    assert again == made
    told = account.iot.describe_thing_type(thingTypeName="lamp")
    assert (told["thingTypeId"], told["thingTypeMetadata"]["deprecated"]) == (made["thingTypeId"], False)
    assert told["thingTypeProperties"]["thingTypeDescription"] == "a lamp"
    assert set(told["thingTypeProperties"]["searchableAttributes"]) == {"wattage", "colour"}

    attributes = {f"a{n}": "x" for n in range(50)}
    account.iot.create_thing(thingName="typed", thingTypeName="lamp", attributePayload={"attributes": attributes})
    assert account.iot.describe_thing(thingName="typed")["thingTypeName"] == "lamp"
    listed = account.aws("iot", "list-things", "--thing-type-name", "lamp")["things"]
    assert [thing["thingName"] for thing in listed] == ["typed"]

    assert account.aws("iot", "deprecate-thing-type", "--thing-type-name", "lamp") == {}
    told = account.aws("iot", "list-thing-types", "--thing-type-name", "lamp")["thingTypes"]
    assert [(found["thingTypeName"], found["thingTypeMetadata"]["deprecated"]) for found in told] == [("lamp", True)]
    done = account.try_aws("iot", "create-thing", "--thing-name", "late", "--thing-type-name", "lamp")
    assert "(InvalidRequestException)" in done.stderr and "deprecated" in done.stderr
    done = account.try_aws("iot", "delete-thing-type", "--thing-type-name", "lamp")
    assert "(InvalidRequestException)" in done.stderr and "five minutes" in done.stderr
    account.aws("iot", "deprecate-thing-type", "--thing-type-name", "lamp", "--undo-deprecate")
    account.iot.create_thing(thingName="late", thingTypeName="lamp")


def test_thing_types_that_do_not_exist_are_not_ignored(account):
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        account.iot.create_thing(thingName="untyped", thingTypeName="nope")
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        account.iot.describe_thing(thingName="untyped")


def test_nothing_is_promised_about_mqtt_5_messages(account):
    propagating = [{"userPropertyKey": "room", "thingAttribute": "room"}]
    with pytest.raises(account.iot.exceptions.InvalidRequestException, match="propagatingAttributes is not supported"):
        account.iot.create_thing_type(
            thingTypeName="enriched",
            thingTypeProperties={"mqtt5Configuration": {"propagatingAttributes": propagating}},
        )


def test_the_cli_tells_the_story_of_a_billing_group(account):
    made = account.aws(
        "iot", "create-billing-group", "--billing-group-name", "north",
        "--billing-group-properties", "billingGroupDescription=the north", "--tags", "Key=cost,Value=7",
    )  # fmt: skip
    assert made["billingGroupArn"] == "arn:aws:iot:us-east-1:000000000000:billinggroup/north"
    tags = account.aws("iot", "list-tags-for-resource", "--resource-arn", made["billingGroupArn"])["tags"]
    assert tags == [{"Key": "cost", "Value": "7"}]
    account.iot.create_billing_group(billingGroupName="south")
    account.iot.create_thing(thingName="billed", billingGroupName="north")
    assert account.iot.describe_thing(thingName="billed")["billingGroupName"] == "north"

    to_south = ("--billing-group-name", "south", "--thing-name", "billed")
    assert account.aws("iot", "add-thing-to-billing-group", *to_south) == {}
    members = account.aws("iot", "list-things-in-billing-group", "--billing-group-name", "south")["things"]
    assert members == ["billed"]
    assert account.iot.list_things_in_billing_group(billingGroupName="north")["things"] == []
    assert account.aws("iot", "remove-thing-from-billing-group", *to_south) == {}
    assert "billingGroupName" not in account.iot.describe_thing(thingName="billed")
    found = account.aws("iot", "list-billing-groups", "--name-prefix-filter", "nor")["billingGroups"]
    assert found == [{"groupName": "north", "groupArn": made["billingGroupArn"]}]

    update = {"billingGroupName": "north", "billingGroupProperties": {"billingGroupDescription": "the far north"}}
    assert account.iot.update_billing_group(**update, expectedVersion=1)["version"] == 2
    with pytest.raises(account.iot.exceptions.VersionConflictException):
        account.iot.update_billing_group(**update, expectedVersion=1)
    told = account.iot.describe_billing_group(billingGroupName="north")
    assert told["billingGroupProperties"] == {"billingGroupDescription": "the far north"}
    assert account.aws("iot", "delete-billing-group", "--billing-group-name", "north") == {}
    account.iot.delete_billing_group(billingGroupName="north")
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        account.iot.describe_billing_group(billingGroupName="north")
