"""Certificates, from the first request to deletion, by the AWS CLI and boto3."""

import hashlib
import json
import ssl
from datetime import datetime, timezone

import pytest

from account import Device
from mqtt import V311, Client, Refused
from self_made import in_seconds, new_key, self_signed, valid_between
from tools import openssl

KEYS = {
    "rsa-2048": ("RSA", "rsa_keygen_bits:2048"),
    "rsa-3072": ("RSA", "rsa_keygen_bits:3072"),
    "p-256": ("EC", "ec_paramgen_curve:P-256"),
    "p-384": ("EC", "ec_paramgen_curve:P-384"),
    "p-521": ("EC", "ec_paramgen_curve:P-521"),
}
WEAK_KEYS = {
    "rsa-1024": ("RSA", "rsa_keygen_bits:1024"),
    "p-224": ("EC", "ec_paramgen_curve:P-224"),
    "secp256k1": ("EC", "ec_paramgen_curve:secp256k1"),
    "ed25519": ("ED25519",),
}
# The last moment that AWS gives to certificates of its own.
END_OF_VALIDITY = datetime(2049, 12, 31, 23, 59, 59, tzinfo=timezone.utc)


def certificate_id(pem: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def public_key(certificate) -> str:
    return openssl("x509", "-in", certificate, "-noout", "-pubkey")


@pytest.mark.parametrize("kind", KEYS)
def test_the_cli_gets_a_certificate_for_a_request_made_by_openssl(account, tmp_path, kind):
    key, request, pem = new_key(tmp_path / "device.key", *KEYS[kind]), tmp_path / "request.pem", tmp_path / "device.pem"
    openssl("req", "-new", "-key", key, "-subj", f"/O=Fleet/CN={kind}", "-out", request)
    made = account.aws(
        *("iot", "create-certificate-from-csr", "--certificate-signing-request", f"file://{request}"),
        *("--set-as-active", "--certificate-pem-outfile", str(pem)),
    )
    assert made["certificatePem"] == pem.read_text()
    assert made["certificateId"] == certificate_id(pem.read_text())
    assert made["certificateArn"] == f"arn:aws:iot:us-east-1:000000000000:cert/{made['certificateId']}"
    assert public_key(pem) == openssl("pkey", "-in", key, "-pubout")
    assert f"CN = {kind}" in openssl("x509", "-in", pem, "-noout", "-subject")

    device = Device(made["certificateId"], made["certificateArn"], pem, key)
    account.allow(device)
    with Client(account, device, protocol=V311):
        pass


def test_the_cli_gets_keys_and_a_certificate_that_belong_together(account, tmp_path):
    pem, public, private = (tmp_path / name for name in ("device.pem", "public.pem", "private.pem"))
    made = account.aws(
        *("iot", "create-keys-and-certificate", "--set-as-active", "--certificate-pem-outfile", str(pem)),
        *("--public-key-outfile", str(public), "--private-key-outfile", str(private)),
    )
    assert public_key(pem) == public.read_text() == openssl("pkey", "-in", private, "-pubout")
    assert "(2048 bit" in openssl("pkey", "-in", private, "-noout", "-text")
    # RSA-2048 in the form that AWS hands out.
    assert private.read_text().startswith("-----BEGIN RSA PRIVATE KEY-----")
    device = Device(made["certificateId"], made["certificateArn"], pem, private)
    account.allow(device)
    with Client(account, device):
        pass


def test_a_private_key_is_handed_out_once_and_kept_nowhere(account, server):
    made = account.iot.create_keys_and_certificate()
    secret_lines = made["keyPair"]["PrivateKey"].splitlines()[3:6]
    der = ssl.PEM_cert_to_DER_cert(made["keyPair"]["PrivateKey"].replace("RSA PRIVATE KEY", "CERTIFICATE"))
    kept = [server.log, *(path for path in server.data.rglob("*") if path.is_file())]
    for path in kept:
        content = path.read_bytes()
        assert not any(line.encode() in content for line in secret_lines), path
        assert der[200:240] not in content, path


def test_two_key_pairs_are_never_the_same(account):
    pairs = [account.iot.create_keys_and_certificate() for _ in range(3)]
    assert len({pair["keyPair"]["PublicKey"] for pair in pairs}) == 3
    serials = {openssl("x509", "-noout", "-serial", given=pair["certificatePem"]) for pair in pairs}
    assert len(serials) == 3


def test_the_same_request_again_makes_another_certificate(account):
    _, request = account.new_request()
    first, second = (account.iot.create_certificate_from_csr(certificateSigningRequest=request) for _ in range(2))
    assert first["certificateId"] != second["certificateId"]


def test_a_certificate_is_inactive_unless_it_is_asked_to_be_active(account):
    _, request = account.new_request()
    made = account.iot.create_certificate_from_csr(certificateSigningRequest=request)
    assert account.iot.describe_certificate(certificateId=made["certificateId"])["certificateDescription"]["status"] == "INACTIVE"


def test_describe_certificate_tells_what_the_registry_knows(account):
    device = account.new_device()
    told = account.aws("iot", "describe-certificate", "--certificate-id", device.certificate_id)["certificateDescription"]
    assert told["certificateId"] == device.certificate_id
    assert told["certificateArn"] == device.certificate_arn
    assert told["certificatePem"] == device.certificate.read_text()
    assert (told["status"], told["certificateMode"], told["ownedBy"]) == ("ACTIVE", "DEFAULT", account.credentials.account_id)
    assert told["customerVersion"] == 1

    typed = account.iot.describe_certificate(certificateId=device.certificate_id)["certificateDescription"]
    assert typed["validity"]["notAfter"] == END_OF_VALIDITY
    assert abs((datetime.now(timezone.utc) - typed["creationDate"]).total_seconds()) < 600
    assert typed["validity"]["notBefore"] <= typed["creationDate"]


def test_a_change_of_status_is_told_and_counted(account):
    device = account.new_device(is_attached=False)
    before = account.iot.describe_certificate(certificateId=device.certificate_id)["certificateDescription"]
    assert account.aws("iot", "update-certificate", "--certificate-id", device.certificate_id, "--new-status", "INACTIVE") == {}
    after = account.iot.describe_certificate(certificateId=device.certificate_id)["certificateDescription"]
    assert after["status"] == "INACTIVE"
    assert after["customerVersion"] == before["customerVersion"] + 1
    assert after["generationId"] != before["generationId"]
    assert after["lastModifiedDate"] >= before["lastModifiedDate"]
    # Once more changes nothing.
    account.set_status(device, "INACTIVE")
    assert account.iot.describe_certificate(certificateId=device.certificate_id)["certificateDescription"] == after


def test_revoked_is_for_good(account):
    device = account.new_device(is_attached=False)
    account.set_status(device, "REVOKED")
    account.set_status(device, "REVOKED")
    for status in ["ACTIVE", "INACTIVE"]:
        with pytest.raises(account.iot.exceptions.CertificateStateException):
            account.set_status(device, status)
    assert account.iot.describe_certificate(certificateId=device.certificate_id)["certificateDescription"]["status"] == "REVOKED"


@pytest.mark.parametrize("status", ["PENDING_TRANSFER", "PENDING_ACTIVATION", "REGISTER_INACTIVE", "active", "NO_STATUS"])
def test_nobody_sets_a_status_that_only_the_service_gives(account, status):
    device = account.new_device(is_attached=False)
    with pytest.raises(account.iot.exceptions.InvalidRequestException):
        account.set_status(device, status)


def test_an_unknown_certificate_is_not_found(account):
    unknown = "0" * 64
    for operation, arguments in [
        (account.iot.describe_certificate, {}),
        (account.iot.update_certificate, {"newStatus": "INACTIVE"}),
        (account.iot.delete_certificate, {}),
    ]:
        with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
            operation(certificateId=unknown, **arguments)


def test_the_cli_tells_an_error_by_its_name(account):
    done = account.try_aws("iot", "describe-certificate", "--certificate-id", "0" * 64)
    assert done.returncode != 0
    assert "(ResourceNotFoundException)" in done.stderr
    assert "DescribeCertificate" in done.stderr


def test_the_cli_lists_certificates_page_by_page(second_account):
    account = second_account
    made = [account.new_device(is_attached=False).certificate_id for _ in range(5)]
    # Where the API's own parameter is called pageSize, the CLI leaves turning the pages to its user.
    found, marker = [], []
    for size in [2, 2, 1]:
        page = account.aws("iot", "list-certificates", "--page-size", "2", *marker)
        assert len(page["certificates"]) == size
        assert set(page["certificates"][0]) >= {"certificateArn", "certificateId", "status", "creationDate"}
        found += [one["certificateId"] for one in page["certificates"]]
        marker = ["--marker", page.get("nextMarker", "")]
    assert "nextMarker" not in page
    assert found == made[::-1], "newest first"

    listed = account.aws("iot", "list-certificates", "--ascending-order")["certificates"]
    assert [one["certificateId"] for one in listed] == made


def test_the_cli_deletes_a_certificate_once_nothing_holds_it(account):
    device = account.new_device()
    delete = ("iot", "delete-certificate", "--certificate-id", device.certificate_id)
    done = account.try_aws(*delete)
    assert "(CertificateStateException)" in done.stderr and "not ACTIVE" in done.stderr
    account.set_status(device, "INACTIVE")
    done = account.try_aws(*delete)
    assert "(DeleteConflictException)" in done.stderr and device.certificate_arn in done.stderr
    account.forget_policies(device)
    assert account.aws(*delete) == {}
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        account.iot.describe_certificate(certificateId=device.certificate_id)


def test_force_detaches_policies_and_nothing_else(account):
    device, thing = account.new_device(), "force-holds-not"
    policy = account.iot.list_attached_policies(target=device.certificate_arn)["policies"][0]["policyName"]
    delete = {"certificateId": device.certificate_id, "forceDelete": True}
    with pytest.raises(account.iot.exceptions.CertificateStateException):
        account.iot.delete_certificate(**delete)
    account.set_status(device, "REVOKED")
    account.iot.create_thing(thingName=thing)
    account.iot.attach_thing_principal(thingName=thing, principal=device.certificate_arn)
    with pytest.raises(account.iot.exceptions.DeleteConflictException):
        account.iot.delete_certificate(**delete)
    account.iot.detach_thing_principal(thingName=thing, principal=device.certificate_arn)
    account.iot.delete_certificate(**delete)
    assert account.iot.list_targets_for_policy(policyName=policy)["targets"] == []
    account.iot.delete_policy(policyName=policy)


def test_a_deleted_certificate_is_unknown_to_the_gate_and_may_be_registered_again(account):
    key, pem = account.new_self_signed()
    device = account.register_without_ca(key, pem)
    account.allow(device)
    account.set_status(device, "INACTIVE")
    account.iot.delete_certificate(certificateId=device.certificate_id, forceDelete=True)
    with pytest.raises(Refused, match="not registered"):
        Client(account, device).connect()
    account.register_without_ca(key, pem)
    # What was attached to the former record is not attached to the new one.
    with pytest.raises(Refused, match="no policy"):
        Client(account, device).connect()


@pytest.mark.parametrize("kind", KEYS)
def test_a_certificate_of_any_issuer_is_registered_and_connects(account, tmp_path, kind):
    key = new_key(tmp_path / "device.key", *KEYS[kind])
    device = account.register_without_ca(key, self_signed(key))
    account.allow(device)
    told = account.iot.describe_certificate(certificateId=device.certificate_id)["certificateDescription"]
    assert told["certificateMode"] == "SNI_ONLY"
    assert told["certificatePem"] == device.certificate.read_text()
    with Client(account, device):
        pass


def test_a_certificate_is_registered_once_in_an_account(account):
    key, pem = account.new_self_signed()
    device = account.register_without_ca(key, pem)
    with pytest.raises(account.iot.exceptions.ResourceAlreadyExistsException) as refused:
        account.register_without_ca(key, pem)
    assert refused.value.response["resourceId"] == device.certificate_id
    assert refused.value.response["resourceArn"] == device.certificate_arn


def test_registration_without_a_status_is_inactive(account):
    _, pem = account.new_self_signed()
    made = account.iot.register_certificate_without_ca(certificatePem=pem)
    assert account.iot.describe_certificate(certificateId=made["certificateId"])["certificateDescription"]["status"] == "INACTIVE"


@pytest.mark.parametrize("kind", WEAK_KEYS)
def test_a_request_for_a_weak_or_foreign_key_is_refused(account, tmp_path, kind):
    key = new_key(tmp_path / "device.key", *WEAK_KEYS[kind])
    request = openssl("req", "-new", "-key", key, "-subj", "/CN=weak")
    with pytest.raises(account.iot.exceptions.InvalidRequestException):
        account.iot.create_certificate_from_csr(certificateSigningRequest=request)


@pytest.mark.parametrize("kind", WEAK_KEYS)
def test_a_certificate_with_a_weak_or_foreign_key_is_refused(account, tmp_path, kind):
    key = new_key(tmp_path / "device.key", *WEAK_KEYS[kind])
    with pytest.raises(account.iot.exceptions.CertificateValidationException):
        account.iot.register_certificate_without_ca(certificatePem=self_signed(key))


def test_a_certificate_signed_with_sha_1_is_refused(account, tmp_path):
    key = new_key(tmp_path / "device.key", *KEYS["rsa-2048"])
    with pytest.raises(account.iot.exceptions.CertificateValidationException):
        account.iot.register_certificate_without_ca(certificatePem=self_signed(key, "-sha1"))


def test_a_certificate_that_has_expired_is_not_registered(account):
    pem = valid_between(account.folder, account.new_key(), in_seconds(-7200), in_seconds(-3600))
    with pytest.raises(account.iot.exceptions.CertificateValidationException, match="expired"):
        account.iot.register_certificate_without_ca(certificatePem=pem)


def test_a_certificate_that_is_not_valid_yet_is_not_registered(account):
    pem = valid_between(account.folder, account.new_key(), in_seconds(3600), in_seconds(7200))
    with pytest.raises(account.iot.exceptions.CertificateValidationException, match="not valid before"):
        account.iot.register_certificate_without_ca(certificatePem=pem)


def test_a_request_must_be_signed_by_its_own_key(account):
    _, request = account.new_request()
    lines = request.splitlines()
    # The last line before the end holds the signature's last bytes.
    lines[-2] = ("A" if lines[-2][0] != "A" else "B") + lines[-2][1:]
    with pytest.raises(account.iot.exceptions.InvalidRequestException):
        account.iot.create_certificate_from_csr(certificateSigningRequest="\n".join(lines) + "\n")


@pytest.mark.parametrize(
    "text",
    ["x", "-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA"],
)
def test_what_is_no_request_is_refused(account, text):
    with pytest.raises(account.iot.exceptions.InvalidRequestException):
        account.iot.create_certificate_from_csr(certificateSigningRequest=text)


def test_a_private_key_is_not_taken_for_a_certificate_or_request_and_not_repeated(account, server):
    key = account.new_key().read_text()
    start = server.log_size()
    with pytest.raises(account.iot.exceptions.CertificateValidationException) as first:
        account.iot.register_certificate_without_ca(certificatePem=key)
    with pytest.raises(account.iot.exceptions.InvalidRequestException) as second:
        account.iot.create_certificate_from_csr(certificateSigningRequest=key)
    secret = key.splitlines()[1]
    assert secret not in json.dumps([first.value.response, second.value.response], default=str)
    assert secret not in server.log_tail(start)


def test_describe_endpoint_is_stable_and_has_a_name_for_each_kind(account):
    hosts = {}
    for kind, middle in {
        "iot:Data-ATS": "-ats.iot.",
        "iot:Data": ".iot.",
        "iot:Jobs": ".jobs.iot.",
        "iot:CredentialProvider": ".credentials.iot.",
    }.items():
        first = account.aws("iot", "describe-endpoint", "--endpoint-type", kind)["endpointAddress"]
        assert first == account.iot.describe_endpoint(endpointType=kind)["endpointAddress"]
        assert middle in first and first.endswith(".us-east-1.localhost")
        hosts[kind] = first
    assert len(set(hosts.values())) == 4
    assert account.iot.describe_endpoint()["endpointAddress"] == hosts["iot:Data-ATS"]
    with pytest.raises(account.iot.exceptions.InvalidRequestException):
        account.iot.describe_endpoint(endpointType="iot:Nothing")
