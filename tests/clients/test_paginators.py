"""Every paginator that boto3 has for an operation of ours turns all pages, gives each item once, and takes back a token."""

import re

import pytest
from botocore import xform_name

from account import Account
from api import call
from authority import new_authority, register
from provisioning import template_body

ITEMS = 5

# operation, arguments (those that name the crowd's things), result key, the item's identity
PAGINATORS = {
    "list_ca_certificates": ({}, "certificates", "certificateId"),
    "list_certificates_by_ca": ({"caCertificateId": "ca"}, "certificates", "certificateId"),
    "list_outgoing_certificates": ({}, "outgoingCertificates", "certificateId"),
    "list_certificates": ({}, "certificates", "certificateId"),
    "list_policies": ({}, "policies", "policyName"),
    "list_attached_policies": ({"target": "device"}, "policies", "policyName"),
    "list_principal_policies": ({"principal": "device"}, "policies", "policyName"),
    "list_targets_for_policy": ({"policyName": "policy"}, "targets", None),
    "list_policy_principals": ({"policyName": "policy"}, "principals", None),
    "list_domain_configurations": ({"serviceType": "DATA"}, "domainConfigurations", "domainConfigurationName"),
    "list_provisioning_templates": ({}, "templates", "templateName"),
    "list_provisioning_template_versions": ({"templateName": "template"}, "versions", "versionId"),
    "list_role_aliases": ({}, "roleAliases", None),
    "list_things": ({}, "things", "thingName"),
    "list_thing_types": ({}, "thingTypes", "thingTypeName"),
    "list_thing_groups": ({}, "thingGroups", "groupName"),
    "list_thing_groups_for_thing": ({"thingName": "thing"}, "thingGroups", "groupName"),
    "list_things_in_thing_group": ({"thingGroupName": "crowd-0"}, "things", None),
    "list_billing_groups": ({}, "billingGroups", "groupName"),
    "list_things_in_billing_group": ({"billingGroupName": "group-0"}, "things", None),
    "list_thing_principals": ({"thingName": "thing"}, "principals", None),
    "list_thing_principals_v2": ({"thingName": "thing"}, "thingPrincipalObjects", "principal"),
    "list_principal_things": ({"principal": "device"}, "things", None),
    "list_principal_things_v2": ({"principal": "device"}, "principalThingObjects", "thingName"),
}
OF_AUTHORITIES = {"list_ca_certificates", "list_certificates_by_ca", "list_outgoing_certificates"}
# Tags come on one page: their paginator has no page size.
WITHOUT_SIZE = {"list_tags_for_resource"}
# Tasks need input files: those of bulk registration turn their pages. A task has one report of each kind.
OF_BULK_REGISTRATION = {"list_thing_registration_tasks", "list_thing_registration_task_reports"}


@pytest.fixture(scope="module")
def crowd(shared_server, tmp_path_factory):
    """An account with five of everything, all of it attached to the first of everything."""
    account = Account(shared_server, shared_server.create_account(), tmp_path_factory.mktemp("crowd"))
    arns = [account.new_device(is_attached=False).certificate_arn for _ in range(ITEMS)]
    policies = [account.new_policy() for _ in range(ITEMS)]
    things = [f"thing-{n}" for n in range(ITEMS)]
    for thing in things:
        account.iot.create_thing(thingName=thing)
    for n in range(ITEMS):
        account.iot.create_thing_type(thingTypeName=f"type-{n}")
        account.iot.create_thing_group(thingGroupName=f"crowd-{n}")
        account.iot.create_billing_group(billingGroupName=f"group-{n}")
        account.iot.add_thing_to_billing_group(billingGroupName="group-0", thingName=things[n])
        role = f"arn:aws:iam::{account.credentials.account_id}:role/reader"
        account.iot.create_role_alias(roleAlias=f"alias-{n}", roleArn=role)
        account.iot.create_provisioning_template(
            templateName=f"template-{n}", templateBody=template_body(), provisioningRoleArn=role
        )
        if n > 0:
            account.iot.create_provisioning_template_version(templateName="template-0", templateBody=template_body())
    # Two endpoints of service type DATA are there already.
    for n in range(ITEMS - 2):
        account.iot.create_domain_configuration(domainConfigurationName=f"domain-{n}")
    pairs = {(n, 0) for n in range(ITEMS)} | {(0, n) for n in range(ITEMS)}
    for one, other in sorted(pairs):
        account.iot.attach_policy(policyName=policies[one], target=arns[other])
        account.iot.attach_thing_principal(thingName=things[one], principal=arns[other])
        account.iot.add_thing_to_thing_group(thingGroupName=f"crowd-{one}", thingName=things[other])
    account.named = {"device": arns[0], "policy": policies[0], "thing": things[0], "template": "template-0"}
    return account


@pytest.fixture(scope="module")
def estate(shared_server, tmp_path_factory):
    """An account with five CAs, whose first has five certificates, all of them on their way to another account."""
    folder = tmp_path_factory.mktemp("estate")
    account = Account(shared_server, shared_server.create_account(), folder)
    heir = shared_server.create_account().account_id
    authorities = [new_authority(folder) for _ in range(ITEMS)]
    for authority in authorities:
        register(account, authority)
    for _ in range(ITEMS):
        pem = authorities[0].new_device().certificate.read_text()
        made = account.iot.register_certificate(certificatePem=pem, caCertificatePem=authorities[0].pem, status="INACTIVE")
        account.iot.transfer_certificate(certificateId=made["certificateId"], targetAwsAccount=heir)
    account.named = {"ca": authorities[0].id}
    return account


def items(page: dict, key: str, identity: str | None) -> list[str]:
    return [item[identity] if identity else item for item in page[key]]


@pytest.mark.parametrize("operation", PAGINATORS)
def test_a_paginator_gives_every_item_once(crowd, estate, operation):
    owner = estate if operation in OF_AUTHORITIES else crowd
    arguments, key, identity = PAGINATORS[operation]
    arguments = {member: owner.named.get(name, name) for member, name in arguments.items()}
    paginator = owner.iot.get_paginator(operation)
    whole = items(getattr(owner.iot, operation)(**arguments), key, identity)
    assert len(set(whole)) == ITEMS
    for size, sizes in [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (250, [5])]:
        pages = list(paginator.paginate(**arguments, PaginationConfig={"PageSize": size}))
        assert [len(page[key]) for page in pages] == sizes
        assert [item for page in pages for item in items(page, key, identity)] == whole

    first = paginator.paginate(**arguments, PaginationConfig={"PageSize": 2, "MaxItems": 3}).build_full_result()
    rest = paginator.paginate(**arguments, PaginationConfig={"StartingToken": first["NextToken"]}).build_full_result()
    assert items(first, key, identity) + items(rest, key, identity) == whole


def test_the_paginator_of_tags_gives_every_tag(crowd):
    arn = crowd.iot.get_policy(policyName=crowd.named["policy"])["policyArn"]
    crowd.iot.tag_resource(resourceArn=arn, tags=[{"Key": f"k{n}", "Value": str(n)} for n in range(50)])
    pages = crowd.iot.get_paginator("list_tags_for_resource").paginate(resourceArn=arn)
    assert len({tag["Key"] for page in pages for tag in page["tags"]}) == 50


def test_no_paginator_of_an_operation_of_ours_is_left_out(account):
    """Placeholders instead of arguments: what does not exist here says NotImplementedException whatever it is asked."""
    known = {operation.replace("_", "") for operation in PAGINATORS.keys() | WITHOUT_SIZE | OF_BULK_REGISTRATION}
    for name in account.iot.meta.service_model.operation_names:
        if not account.iot.can_paginate(xform_name(name)):
            continue
        http = account.iot.meta.service_model.operation_model(name).http
        answer = call(account, http["method"], re.sub(r"\{[^}]*\}", "x", http["requestUri"]))
        assert (answer.error != "NotImplementedException") == (name.lower() in known), name


def test_ascending_and_descending_are_each_others_reverse(crowd):
    for operation, key, identity in [
        ("list_certificates", "certificates", "certificateId"),
        ("list_policies", "policies", "policyName"),
        ("list_principal_policies", "policies", "policyName"),
        ("list_policy_principals", "principals", None),
        ("list_role_aliases", "roleAliases", None),
    ]:
        arguments = {member: crowd.named[name] for member, name in PAGINATORS[operation][0].items()}
        orders = [
            [
                item
                for page in crowd.iot.get_paginator(operation).paginate(
                    **arguments, ascendingOrder=ascending, PaginationConfig={"PageSize": 2}
                )
                for item in items(page, key, identity)
            ]
            for ascending in (True, False)
        ]
        assert orders[0] == orders[1][::-1]
        assert len(set(orders[0])) == ITEMS


def test_items_that_come_and_go_between_pages_move_no_others(crowd):
    names = [f"shift-{n}" for n in range(6)]
    for name in names:
        crowd.iot.create_thing(thingName=name, attributePayload={"attributes": {"kind": "shift"}})
    how = {"attributeName": "kind", "attributeValue": "shift", "maxResults": 2}
    first = crowd.iot.list_things(**how)
    assert items(first, "things", "thingName") == names[:2]
    crowd.iot.delete_thing(thingName=names[0])
    crowd.iot.delete_thing(thingName=names[1])
    crowd.iot.create_thing(thingName="shift-0-new", attributePayload={"attributes": {"kind": "shift"}})
    second = crowd.iot.list_things(**how, nextToken=first["nextToken"])
    assert items(second, "things", "thingName") == names[2:4]
    for name in [*names[2:], "shift-0-new"]:
        crowd.iot.delete_thing(thingName=name)


@pytest.mark.parametrize("marker", ["AAAA", "bm90IGEgbWFya2Vy", "A" * 1024, "!", "A" * 1025])
def test_a_made_up_marker_is_refused(account, marker):
    with pytest.raises(account.iot.exceptions.InvalidRequestException):
        account.iot.list_certificates(marker=marker)


def test_a_marker_of_one_listing_is_worth_nothing_in_another(crowd):
    marker = crowd.iot.list_certificates(pageSize=1)["nextMarker"]
    with pytest.raises(crowd.iot.exceptions.InvalidRequestException):
        crowd.iot.list_policies(marker=marker)


@pytest.mark.parametrize("size", [0, 251, -1, 2**31])
def test_a_page_has_1_to_250_items(account, size):
    answer = call(account, "GET", f"/certificates?pageSize={size}")
    assert (answer.status, answer.error) == (400, "InvalidRequestException")
