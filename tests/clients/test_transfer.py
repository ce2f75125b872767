"""Certificates that move between the accounts of a Region: offered, accepted, rejected, cancelled, and raced for."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from account import Account, Device
from authority import arn, new_authority, register, status
from mqtt import Client, refused

ROUNDS = 8


@pytest.fixture(scope="module")
def source(shared_server, tmp_path_factory) -> Account:
    return Account(shared_server, shared_server.create_account(), tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def target(shared_server, tmp_path_factory) -> Account:
    return Account(shared_server, shared_server.create_account(), tmp_path_factory.mktemp("target"))


@pytest.fixture(scope="module")
def third(shared_server, tmp_path_factory) -> Account:
    return Account(shared_server, shared_server.create_account(), tmp_path_factory.mktemp("third"))


def describe(account: Account, device: Device) -> dict:
    return account.iot.describe_certificate(certificateId=device.certificate_id)["certificateDescription"]


def outgoing(account: Account) -> dict[str, dict]:
    found = account.iot.list_outgoing_certificates(pageSize=250)["outgoingCertificates"]
    return {each["certificateId"]: each for each in found}


def listed(account: Account) -> dict[str, str]:
    pages = account.iot.get_paginator("list_certificates").paginate()
    return {each["certificateId"]: each["status"] for page in pages for each in page["certificates"]}


def offer(source: Account, target: Account, device: Device | None = None, **more) -> Device:
    device = device or source.new_device(is_active=False, is_attached=False)
    source.iot.transfer_certificate(
        certificateId=device.certificate_id, targetAwsAccount=target.credentials.account_id, **more
    )
    return device


def refusal(call, device: Device | str, **more) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(certificateId=getattr(device, "certificate_id", device), **more)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


NOT_FOUND = ("ResourceNotFoundException", 404)
COMPLETED = ("TransferAlreadyCompletedException", 410)


@pytest.mark.parametrize("is_active", [True, False])
def test_a_certificate_moves_by_the_cli(source, target, is_active):
    device = source.new_device(is_active=False, is_attached=False)
    made = source.aws(
        *("iot", "transfer-certificate", "--certificate-id", device.certificate_id, "--transfer-message", "yours now"),
        *("--target-aws-account", target.credentials.account_id),
    )
    assert made == {"transferredCertificateArn": arn(target, device)}

    (item,) = [
        each
        for each in source.aws("iot", "list-outgoing-certificates")["outgoingCertificates"]
        if each["certificateId"] == device.certificate_id
    ]
    assert item["transferredTo"] == target.credentials.account_id
    assert item["transferMessage"] == "yours now"
    assert set(item) >= {"certificateArn", "transferDate", "creationDate"}
    told = describe(source, device)
    assert told["status"] == "PENDING_TRANSFER"
    assert told["ownedBy"] == source.credentials.account_id
    assert set(told["transferData"]) == {"transferMessage", "transferDate"}
    assert listed(target)[device.certificate_id] == "PENDING_TRANSFER"

    flag = "--set-as-active" if is_active else "--no-set-as-active"
    target.aws("iot", "accept-certificate-transfer", "--certificate-id", device.certificate_id, flag)
    told = describe(target, device)
    assert told["status"] == ("ACTIVE" if is_active else "INACTIVE")
    assert told["certificateArn"] == arn(target, device)
    assert told["ownedBy"] == target.credentials.account_id
    assert told["previousOwnedBy"] == source.credentials.account_id
    assert told["certificatePem"] == device.certificate.read_text()
    assert set(told["transferData"]) == {"transferMessage", "transferDate", "acceptDate"}
    assert status(source, device) is None
    assert device.certificate_id not in listed(source)
    assert device.certificate_id not in outgoing(source)


def test_a_moved_device_connects_to_its_new_account_alone(source, target):
    device = source.new_device()
    with Client(source, device, "mover") as client:
        name, code = refusal(
            source.iot.transfer_certificate, device, targetAwsAccount=target.credentials.account_id
        )
        assert (name, code) == ("CertificateStateException", 406)
        # The attempt cut nothing; switching off does.
        client.publish("still", "here")
        source.set_status(device, "INACTIVE")
        client.wait_closed()
    source.forget_policies(device)
    offer(source, target, device)
    assert "PENDING_TRANSFER" in refused(source, device)
    assert refused(target, device)
    target.iot.accept_certificate_transfer(certificateId=device.certificate_id, setAsActive=True)
    assert "not registered" in refused(source, device)
    # Policies of the source came not along.
    assert "no policy" in refused(target, device)
    moved = Device(device.certificate_id, arn(target, device), device.certificate, device.key)
    assert target.iot.list_attached_policies(target=moved.certificate_arn)["policies"] == []
    target.allow(moved)
    with Client(target, moved, "mover"):
        pass
    assert "not registered" in refused(source, device)


def test_the_source_has_no_rights_left(source, target):
    device = offer(source, target)
    target.iot.accept_certificate_transfer(certificateId=device.certificate_id)
    iot, policy = source.iot, source.new_policy()
    for call, more in [
        (iot.describe_certificate, {}),
        (iot.update_certificate, {"newStatus": "ACTIVE"}),
        (iot.delete_certificate, {"forceDelete": True}),
        (iot.transfer_certificate, {"targetAwsAccount": source.server.first_account().account_id}),
    ]:
        assert refusal(call, device, **more) == NOT_FOUND, call
    for foreign in [arn(target, device), arn(source, device)]:
        with pytest.raises(ClientError):
            iot.attach_policy(policyName=policy, target=foreign)
    assert describe(target, device)["status"] == "INACTIVE"


def test_before_it_accepts_the_target_may_do_nothing_with_it(source, target):
    device = offer(source, target)
    policy = target.new_policy()
    for call, more in [
        (target.iot.update_certificate, {"newStatus": "ACTIVE"}),
        (target.iot.delete_certificate, {"forceDelete": True}),
        (target.iot.transfer_certificate, {"targetAwsAccount": source.credentials.account_id}),
        (target.iot.cancel_certificate_transfer, {}),
    ]:
        refusal(call, device, **more)
    for each in [arn(target, device), arn(source, device)]:
        with pytest.raises(ClientError):
            target.iot.attach_policy(policyName=policy, target=each)
    assert refused(target, device)
    assert status(source, device) == "PENDING_TRANSFER"
    source.iot.cancel_certificate_transfer(certificateId=device.certificate_id)
    assert status(source, device) == "INACTIVE"


def test_while_it_is_offered_its_owner_may_only_cancel(source, target):
    device = offer(source, target)
    for state in ["ACTIVE", "INACTIVE", "REVOKED"]:
        assert refusal(source.iot.update_certificate, device, newStatus=state) == ("CertificateStateException", 406)
    assert refusal(source.iot.delete_certificate, device, forceDelete=True) == ("CertificateStateException", 406)
    again = refusal(source.iot.transfer_certificate, device, targetAwsAccount=target.credentials.account_id)
    assert again == ("CertificateStateException", 406)
    with pytest.raises(ClientError):
        source.iot.attach_policy(policyName=source.new_policy(), target=device.certificate_arn)
    assert refusal(source.iot.accept_certificate_transfer, device) == NOT_FOUND
    assert refusal(source.iot.reject_certificate_transfer, device) == NOT_FOUND
    assert status(source, device) == "PENDING_TRANSFER"


def test_a_rejected_certificate_comes_back_with_the_reason(source, target):
    device = offer(source, target, transferMessage="please")
    target.aws(
        *("iot", "reject-certificate-transfer", "--certificate-id", device.certificate_id),
        *("--reject-reason", "not ours"),
    )
    told = describe(source, device)
    assert told["status"] == "INACTIVE"
    assert told["ownedBy"] == source.credentials.account_id
    assert "previousOwnedBy" not in told
    assert told["transferData"]["rejectReason"] == "not ours"
    assert set(told["transferData"]) == {"transferMessage", "transferDate", "rejectReason", "rejectDate"}
    assert device.certificate_id not in listed(target)
    assert device.certificate_id not in outgoing(source)
    # It works again as if nothing had been.
    source.set_status(device, "ACTIVE")
    source.allow(device)
    with Client(source, device, "returned"):
        pass


def test_a_cancelled_offer_is_off(source, target):
    device = offer(source, target)
    source.aws("iot", "cancel-certificate-transfer", "--certificate-id", device.certificate_id)
    assert status(source, device) == "INACTIVE"
    assert device.certificate_id not in listed(target)
    assert device.certificate_id not in outgoing(source)
    assert refusal(target.iot.accept_certificate_transfer, device) in (COMPLETED, NOT_FOUND)
    assert status(source, device) == "INACTIVE"


@pytest.mark.parametrize("first", ["accept", "reject", "cancel"])
@pytest.mark.parametrize("second", ["accept", "reject", "cancel"])
def test_what_is_over_is_over(source, target, first, second):
    def ends(which: str):
        account = source if which == "cancel" else target
        return getattr(account.iot, f"{which}_certificate_transfer")

    device = offer(source, target)
    ends(first)(certificateId=device.certificate_id)
    before = {each.credentials.account_id: status(each, device) for each in (source, target)}
    assert refusal(ends(second), device) == COMPLETED
    assert {each.credentials.account_id: status(each, device) for each in (source, target)} == before


def test_nobody_else_has_a_say(source, target, third):
    device = offer(source, target)
    for which in ["accept", "reject", "cancel"]:
        assert refusal(getattr(third.iot, f"{which}_certificate_transfer"), device) == NOT_FOUND
    assert device.certificate_id not in listed(third)
    assert refusal(third.iot.describe_certificate, device) == NOT_FOUND
    assert status(source, device) == "PENDING_TRANSFER"


def test_without_an_offer_there_is_nothing_to_end(source, target):
    device = source.new_device(is_active=False, is_attached=False)
    for account in (source, target):
        for which in ["accept", "reject", "cancel"]:
            call = getattr(account.iot, f"{which}_certificate_transfer")
            assert refusal(call, device) == NOT_FOUND
            assert refusal(call, "0" * 64) == NOT_FOUND
    assert status(source, device) == "INACTIVE"


def test_only_existing_other_accounts_are_offered_to(source):
    device = source.new_device(is_active=False, is_attached=False)
    for nobody in [source.credentials.account_id, "999999999999"]:
        assert refusal(source.iot.transfer_certificate, device, targetAwsAccount=nobody) == ("InvalidRequestException", 400)
    assert refusal(source.iot.transfer_certificate, device, targetAwsAccount="12345678901x")[0] == "InvalidRequestException"
    assert status(source, device) == "INACTIVE"


def test_what_is_attached_is_not_offered(source, target):
    device = source.new_device(is_active=False)
    call, to = source.iot.transfer_certificate, target.credentials.account_id
    assert refusal(call, device, targetAwsAccount=to) == ("TransferConflictException", 409)
    source.forget_policies(device)
    source.iot.create_thing(thingName="attached-thing")
    source.iot.attach_thing_principal(thingName="attached-thing", principal=device.certificate_arn)
    assert refusal(call, device, targetAwsAccount=to) == ("TransferConflictException", 409)
    assert status(source, device) == "INACTIVE"
    source.iot.detach_thing_principal(thingName="attached-thing", principal=device.certificate_arn)
    offer(source, target, device)


def test_revoked_certificates_stay_where_they_are(source, target):
    device = source.new_device(is_active=False, is_attached=False)
    source.set_status(device, "REVOKED")
    refused_with = refusal(source.iot.transfer_certificate, device, targetAwsAccount=target.credentials.account_id)
    assert refused_with == ("CertificateStateException", 406)
    assert status(source, device) == "REVOKED"


def test_it_may_go_on_and_come_back(source, target, third):
    device = offer(source, target)
    owners = [target, third, source]
    for owner, following in zip(owners, [*owners[1:], None]):
        owner.iot.accept_certificate_transfer(certificateId=device.certificate_id)
        told = describe(owner, device)
        assert (told["ownedBy"], told["status"]) == (owner.credentials.account_id, "INACTIVE")
        if following is not None:
            offer(owner, following, device)
    assert describe(source, device)["previousOwnedBy"] == third.credentials.account_id
    assert [status(each, device) for each in (source, target, third)] == ["INACTIVE", None, None]


def test_what_the_target_has_already_it_cannot_accept(source, target):
    """In mode SNI_ONLY both accounts may have one certificate."""
    key, pem = source.new_self_signed()
    mine = source.register_without_ca(key, pem, status="INACTIVE")
    theirs = target.register_without_ca(key, pem, status="INACTIVE")
    offer(source, target, mine)
    assert refusal(target.iot.accept_certificate_transfer, mine) == ("InvalidRequestException", 400)
    assert status(source, mine) == "PENDING_TRANSFER"
    assert describe(target, theirs)["ownedBy"] == target.credentials.account_id
    target.iot.reject_certificate_transfer(certificateId=mine.certificate_id)
    assert [status(each, mine) for each in (source, target)] == ["INACTIVE", "INACTIVE"]


def test_a_certificate_keeps_the_ca_that_signed_it(source, target, tmp_path):
    ca = new_authority(tmp_path)
    register(source, ca)
    leaf = ca.new_device()
    source.iot.register_certificate(certificatePem=leaf.certificate.read_text(), status="INACTIVE")
    offer(source, target, leaf)
    target.iot.accept_certificate_transfer(certificateId=leaf.certificate_id, setAsActive=True)
    told = describe(target, leaf)
    assert (told["caCertificateId"], told["certificateMode"]) == (ca.id, "DEFAULT")
    target.allow(Device(leaf.certificate_id, arn(target, leaf), leaf.certificate, leaf.key))
    with Client(target, leaf, "moved"):
        pass


def test_offers_are_listed_page_by_page(shared_server, target, tmp_path):
    source = Account(shared_server, shared_server.create_account(), tmp_path)
    ids = [offer(source, target).certificate_id for _ in range(5)]
    pages = list(source.iot.get_paginator("list_outgoing_certificates").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["outgoingCertificates"]) for page in pages] == [2, 2, 1]
    assert [each["certificateId"] for page in pages for each in page["outgoingCertificates"]] == ids[::-1]
    forward = source.iot.list_outgoing_certificates(ascendingOrder=True)["outgoingCertificates"]
    assert [each["certificateId"] for each in forward] == ids
    # The target finds them among its own, page by page too.
    own = {target.new_device(is_attached=False).certificate_id for _ in range(3)}
    pages = list(target.iot.get_paginator("list_certificates").paginate(PaginationConfig={"PageSize": 2}))
    found = [each["certificateId"] for page in pages for each in page["certificates"]]
    assert len(found) == len(set(found))
    assert set(found) >= own | set(ids)


@pytest.mark.parametrize("against", ["cancel", "reject"])
def test_an_accepted_offer_was_not_called_off(source, target, against):
    other = source if against == "cancel" else target
    with ThreadPoolExecutor(2) as threads:
        winners = []
        for _ in range(ROUNDS):
            device = offer(source, target)
            calls = {
                "accept": target.client("iot").accept_certificate_transfer,
                against: getattr(other.client("iot"), f"{against}_certificate_transfer"),
            }

            def end(which: str) -> str:
                try:
                    calls[which](certificateId=device.certificate_id)
                except ClientError as refused_with:
                    return refused_with.response["Error"]["Code"]
                return "won"

            outcome = dict(zip(calls, threads.map(end, calls)))
            assert sorted(outcome.values()) == ["TransferAlreadyCompletedException", "won"], outcome
            winners.append(outcome["accept"] == "won")
            kept_by = target if winners[-1] else source
            lost_by = source if winners[-1] else target
            assert status(kept_by, device) == "INACTIVE"
            assert status(lost_by, device) is None
            assert device.certificate_id not in outgoing(source)


def test_two_offers_at_once_make_one(source, target, third):
    with ThreadPoolExecutor(2) as threads:
        for _ in range(ROUNDS):
            device = source.new_device(is_active=False, is_attached=False)

            def try_offer(to: Account) -> str:
                try:
                    offer(source, to, device)
                except ClientError as refused_with:
                    return refused_with.response["Error"]["Code"]
                return to.credentials.account_id

            answers = list(threads.map(try_offer, [target, third]))
            assert answers.count("CertificateStateException") == 1, answers
            (winner,) = [answer for answer in answers if answer.isdigit()]
            assert outgoing(source)[device.certificate_id]["transferredTo"] == winner


def test_an_offer_races_with_activation(source, target):
    """Either it is ACTIVE and not offered, or offered and not ACTIVE."""
    with ThreadPoolExecutor(2) as threads:
        for _ in range(ROUNDS):
            device = source.new_device(is_active=False, is_attached=False)

            def run(call) -> bool:
                try:
                    call()
                except source.iot.exceptions.CertificateStateException:
                    return False
                return True

            calls = [lambda: offer(source, target, device), lambda: source.set_status(device, "ACTIVE")]
            outcome = list(threads.map(run, calls))
            assert outcome.count(True) == 1
            assert status(source, device) == ("PENDING_TRANSFER" if outcome[0] else "ACTIVE")
