"""`gatehouse explain`: for each situation what stands against a certificate, the command that mends it, and who was turned
away when and why."""

import json
import re
import subprocess
from datetime import datetime, timezone

import pytest

from account import Account, Device
from authority import arn, new_authority, register
from eventually import eventually
from mqtt import Client, refused
from self_made import in_seconds, new_key, valid_between
from server import binary


def explain(account: Account, device: Device | str, *options: str) -> dict:
    return json.loads(account.server.command("explain", str(getattr(device, "certificate_id", device)), "--json", *options))


def text(account: Account, device: Device | str, *options: str) -> str:
    return account.server.command("explain", str(getattr(device, "certificate_id", device)), *options)


def reasons(explanation: dict) -> list[str]:
    return [each["reason"] for place in explanation["places"] for each in place["findings"] if each["prevents"]]


def notes(explanation: dict) -> str:
    return "\n".join(each["text"] for place in explanation["places"] for each in place["findings"])


def fails(account: Account, *arguments: str) -> str:
    server = account.server
    done = subprocess.run(
        [binary(), "explain", *arguments, "--data", server.data],
        env=server.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    return done.stderr


def mend(account: Account, explanation: dict, reason: str) -> None:
    """Runs the command that is told for `reason`, as a user would."""
    (command,) = [
        each["command"] for place in explanation["places"] for each in place["findings"] if each["reason"] == reason
    ]
    program, *arguments = command.split()
    assert program == "aws"
    account.aws(*arguments)


def test_a_device_that_could_connect(account):
    device = account.new_device()
    for how in [(), ("--account", account.credentials.account_id), ("--endpoint", account.data_host), ("--endpoint", "localhost")]:
        told = explain(account, device, "--client-id", "device", *how)
        assert told["couldConnect"] and reasons(told) == [] and told["refusals"] == []
        assert told["certificateId"] == device.certificate_id
        (place,) = told["places"]
        assert (place["account"], place["region"]) == (account.credentials.account_id, "us-east-1")
    assert f"Certificate {device.certificate_id} could connect now." in text(account, device)
    assert explain(account, device.certificate)["couldConnect"]
    with Client(account, device):
        pass


@pytest.mark.parametrize("state", ["INACTIVE", "REVOKED"])
def test_a_status_that_keeps_out_and_what_mends_it(account, state):
    device = account.new_device()
    account.set_status(device, state)
    told = explain(account, device, "--client-id", "device")
    assert not told["couldConnect"] and reasons(told) == [state.lower()]
    said = text(account, device)
    assert "could not connect now" in said
    assert re.search(rf"{state}.*\(since {datetime.now(timezone.utc):%Y-%m-}", said)
    if state == "INACTIVE":
        mend(account, told, "inactive")
        assert explain(account, device, "--client-id", "device")["couldConnect"]


def test_registered_elsewhere_but_not_here(account, second_account):
    device = account.new_device()
    told = explain(account, device, "--endpoint", second_account.data_host)
    assert reasons(told) == ["not-registered"]
    assert f"registered in account {account.credentials.account_id}, Region us-east-1, in mode DEFAULT" in notes(told)
    told = explain(account, device, "--account", second_account.credentials.account_id)
    assert "not-registered" in reasons(told) and account.credentials.account_id in notes(told)
    # Without being told where, it speaks of where the certificate is.
    assert explain(account, device)["couldConnect"]


def test_registered_nowhere(account, tmp_path):
    _, pem = account.new_self_signed()
    file = tmp_path / "stranger.pem"
    file.write_text(pem)
    told = explain(account, file, "--endpoint", account.data_host)
    assert reasons(told) == ["not-registered"]
    assert "no CA certificate registered here has the name of its issuer" in notes(told)
    told = explain(account, "0" * 64, "--endpoint", account.data_host)
    assert reasons(told) == ["not-registered"]


def test_expired(account):
    key = account.new_key()
    device = account.register_without_ca(key, valid_between(account.folder, key, in_seconds(-60), in_seconds(2)))
    account.allow(device)
    eventually(lambda: reasons(explain(account, device)) == ["expired"], "the certificate expires")
    assert "has expired" in text(account, device)


def test_what_a_ca_would_do_and_why_it_does_not(account, tmp_path):
    ca = new_authority(tmp_path)
    register(account, ca)
    device = ca.new_device()

    def told() -> str:
        explanation = explain(account, device.certificate, "--endpoint", account.data_host)
        assert reasons(explanation)[0] == "not-registered" and not explanation["couldConnect"]
        return notes(explanation)

    assert f"CA certificate {ca.id} has signed it, and registers it as PENDING_ACTIVATION when it connects" in told()
    for change, word in [
        ({"newAutoRegistrationStatus": "DISABLE"}, "auto"),
        ({"newStatus": "INACTIVE"}, "INACTIVE"),
    ]:
        account.iot.update_ca_certificate(certificateId=ca.id, **change)
        assert "does not register it just in time" in told() and word.lower() in told().lower()
    account.iot.delete_ca_certificate(certificateId=ca.id)
    assert "no CA certificate registered here has the name of its issuer" in told()


def test_pending_activation(account, tmp_path):
    ca = new_authority(tmp_path)
    register(account, ca)
    device = ca.new_device()
    assert "PENDING_ACTIVATION" in refused(account, device)
    told = explain(account, device)
    assert reasons(told) == ["pending-activation", "policy-denied"]
    mend(account, told, "pending-activation")
    assert reasons(explain(account, device)) == ["policy-denied"]
    account.iot.attach_policy(policyName=account.new_policy(), target=arn(account, device))
    assert explain(account, device)["couldConnect"]
    with Client(account, device):
        pass


def test_pending_transfer(account, second_account):
    device = account.new_device(is_active=False, is_attached=False)
    to = second_account.credentials.account_id
    account.iot.transfer_certificate(certificateId=device.certificate_id, targetAwsAccount=to)
    told = explain(account, device)
    assert "pending-transfer" in reasons(told)
    mend(account, told, "pending-transfer")
    assert reasons(explain(account, device))[0] == "inactive"


def test_no_policy_and_policies_that_do_not_allow(account):
    device = account.new_device(is_attached=False)
    told = explain(account, device)
    assert reasons(told) == ["policy-denied"] and "no policy is attached" in notes(told)
    prefix = f"arn:aws:iot:us-east-1:{account.credentials.account_id}:client"
    statements = [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": f"{prefix}/good-*"},
        {"Effect": "Deny", "Action": "iot:Connect", "Resource": f"{prefix}/good-but-denied"},
    ]
    account.allow(device, {"Version": "2012-10-17", "Statement": statements})
    for client_id, denial in [
        ("good-one", None),
        ("bad", "none of its policies allows iot:Connect for client id bad"),
        ("good-but-denied", "a policy denies iot:Connect for client id good-but-denied"),
    ]:
        told = explain(account, device, "--client-id", client_id)
        assert told["couldConnect"] == (denial is None)
        if denial is None:
            with Client(account, device, client_id):
                pass
        else:
            assert denial in notes(told) and denial in text(account, device, "--client-id", client_id)
            assert refused(account, device, client_id=client_id)


def test_a_host_name_that_is_no_endpoint(account, second_account):
    device = account.new_device()
    for host in ["somewhere.else.example", account.data_host.replace("us-east-1", "eu-north-1"), f"x{account.data_host}"]:
        assert f"{host} is no endpoint of this server" in fails(account, device.certificate_id, "--endpoint", host)
    assert "for account" in fails(
        account, device.certificate_id, "--endpoint", account.data_host, "--account", second_account.credentials.account_id
    )


@pytest.mark.parametrize("what", ["nonsense", "12ab", "/nowhere/at/all.pem"])
def test_what_is_no_certificate(account, what):
    assert "neither a certificate id nor a PEM file" in fails(account, what)


def test_a_file_without_a_certificate(account, tmp_path):
    file = tmp_path / "key.pem"
    file.write_text(account.new_key().read_text())
    assert "neither a certificate id nor a PEM file" in fails(account, str(file))


def test_the_last_refusals_are_told_with_time_address_and_reason(account):
    before = datetime.now(timezone.utc)
    device = account.new_device(is_active=False)
    assert "INACTIVE" in refused(account, device, client_id="first-try")
    account.set_status(device, "REVOKED")
    assert "REVOKED" in refused(account, device, client_id="second-try")
    newest, oldest = eventually(
        lambda: len(found := explain(account, device)["refusals"]) == 2 and found, "both refusals are kept"
    )
    assert (newest["reason"], oldest["reason"]) == ("revoked", "inactive")
    assert (newest["clientId"], oldest["clientId"]) == ("second-try", "first-try")
    for each in (newest, oldest):
        assert re.fullmatch(r"127\.0\.0\.1:\d+", each["source"])
        assert each["sni"] == account.data_host
        assert each["account"] == account.credentials.account_id
        at = datetime.fromisoformat(each["at"].replace("Z", "+00:00"))
        assert before.timestamp() - 1 <= at.timestamp() <= datetime.now(timezone.utc).timestamp() + 1
    said = text(account, device)
    assert "Last refusals:" in said
    assert re.search(r"\d{4}-\d\d-\d\dT\S+Z  revoked  from 127\.0\.0\.1:\d+ as second-try", said)


def test_refusals_of_unknown_certificates_are_kept_too(account):
    key, pem = account.new_self_signed()
    certificate = key.with_suffix(".pem")
    certificate.write_text(pem)
    assert refused(account, Device("", "", certificate, key), client_id="nobody")
    (only,) = eventually(lambda: explain(account, certificate)["refusals"], "the refusal is kept")
    assert (only["reason"], only["clientId"]) == ("not-registered", "nobody")


def test_refusals_outlive_the_server_and_are_bounded(start_server, account_of):
    server = start_server()
    account = account_of(server)
    device = account.new_device(is_active=False)
    for number in range(25):
        refused(account, device, client_id=f"try-{number}")
    server.stop()
    told = explain(account, device)["refusals"]
    assert [each["clientId"] for each in told] == [f"try-{number}" for number in range(24, 14, -1)]


def test_a_client_id_forges_no_line(account):
    device = account.new_device(is_active=False)
    refused(account, device, client_id="x\nLast refusals:\x1b[31m forged")
    eventually(lambda: explain(account, device)["refusals"], "the refusal is kept")
    said = text(account, device)
    assert "\x1b" not in said
    assert not [line for line in said.splitlines() if line.endswith("forged") and "from 127.0.0.1" not in line]


def test_sni_only_certificates_are_explained_by_their_accounts(account, second_account):
    key, pem = account.new_self_signed()
    mine = account.register_without_ca(key, pem)
    account.allow(mine)
    second_account.register_without_ca(key, pem, status="REVOKED")
    told = explain(account, mine)
    assert told["couldConnect"]
    verdicts = {place["account"]: place["couldConnect"] for place in told["places"]}
    assert verdicts == {account.credentials.account_id: True, second_account.credentials.account_id: False}


def test_policies_that_ask_for_the_host_name(account):
    device = account.new_device(is_attached=False)
    condition = {"StringEquals": {"iot:DomainName": account.data_host}}
    statement = {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*", "Condition": condition}
    account.allow(device, {"Version": "2012-10-17", "Statement": [statement]})
    asked = ("--client-id", "device", "--endpoint")
    assert explain(account, device, *asked, account.data_host)["couldConnect"]
    assert reasons(explain(account, device, *asked, "localhost")) == ["policy-denied"]
    with Client(account, device):
        pass


def test_an_endpoint_that_serves_no_mqtt(account):
    device = account.new_device()
    host = account.iot.describe_endpoint(endpointType="iot:Jobs")["endpointAddress"]
    told = explain(account, device, "--client-id", "device", "--endpoint", host)
    assert not told["couldConnect"] and reasons(told) == ["wrong-endpoint"]


def test_without_a_client_id_the_names_of_its_things_are_tried(account):
    device = account.new_device(is_attached=False)
    names = ["explained-allowed", "explained-other"]
    for name in names:
        account.iot.create_thing(thingName=name)
        account.iot.attach_thing_principal(thingName=name, principal=device.certificate_arn)
    resource = f"arn:aws:iot:us-east-1:{account.credentials.account_id}:client/"
    statement = {"Effect": "Allow", "Action": "iot:Connect", "Resource": resource + names[0]}
    account.allow(device, {"Version": "2012-10-17", "Statement": [statement]})
    told = explain(account, device)
    assert told["couldConnect"] and reasons(told) == []
    assert f"let it connect with client id {names[0]}" in notes(told)
    assert f"none of its policies allows iot:Connect for client id {names[1]}" in notes(told)
    assert not explain(account, device, "--client-id", names[1])["couldConnect"]
    account.iot.detach_thing_principal(thingName=names[0], principal=device.certificate_arn)
    told = explain(account, device)
    assert reasons(told) == ["policy-denied"] and "--client-id" in notes(told)


def test_sni_only_is_told_unless_the_endpoint_is_named(account):
    device = account.register_without_ca(*account.new_self_signed())
    account.allow(device)
    assert "mode SNI_ONLY" in notes(explain(account, device))
    assert "mode SNI_ONLY" not in notes(explain(account, device, "--endpoint", account.data_host))


def test_a_certificate_that_no_ca_can_register(account, tmp_path):
    ca = new_authority(tmp_path)
    register(account, ca)
    device = ca.new_device(key=new_key(tmp_path / "weak.key", "RSA", "rsa_keygen_bits:1024"))
    told = notes(explain(account, device.certificate, "--endpoint", account.data_host))
    assert "no CA can register it" in told and "registers it as" not in told
