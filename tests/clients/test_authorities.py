"""The whole life of a CA certificate, by the AWS CLI and boto3: proof of possession, modes, limits, and every refusal."""

import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError

from account import Account
from authority import CA_FALSE, PSS, Authority, certificate_id, dsa_key, new_authority, p256, register
from provisioning import provisioning_role, template_body
from self_made import in_seconds, new_key
from tools import openssl

YEAR = timedelta(days=365)
RSA = ("RSA", "rsa_keygen_bits:2048")


def code_of(account: Account) -> str:
    return account.iot.get_registration_code()["registrationCode"]


def describe(account: Account, ca_id: str) -> dict:
    return account.iot.describe_ca_certificate(certificateId=ca_id)


def refusal(call, **arguments) -> tuple[str, int, str]:
    """Error name, HTTP status and text of a call that is refused."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def refused_by(account: Account, authority: Authority, code: str | None = None, **verification) -> tuple[str, int, str]:
    """The refusal of a CA in DEFAULT mode, its proof made as it should be unless told otherwise."""
    return refusal(
        account.iot.register_ca_certificate,
        caCertificate=authority.pem,
        verificationCertificate=authority.verification(code or code_of(account), **verification),
    )


def test_a_ca_is_registered_as_the_developer_guide_says(account, tmp_path):
    """Developer guide, "Register a CA certificate in DEFAULT mode (CLI)", command by command."""
    root_key, root, key, csr, proof = (
        tmp_path / name for name in ("root_CA.key", "root_CA.pem", "verification.key", "verification.csr", "verification.pem")
    )
    configuration = tmp_path / "root.cnf"
    configuration.write_text(
        "[req]\ndistinguished_name = dn\nx509_extensions = v3_ca\n[dn]\n[v3_ca]\nbasicConstraints = CA:true\n"
    )
    openssl("genrsa", "-out", root_key, "2048")
    openssl(
        *("req", "-x509", "-new", "-nodes", "-key", root_key, "-sha256", "-days", "1024", "-subj", "/O=Guide/CN=Root"),
        *("-config", configuration, "-extensions", "v3_ca", "-out", root),
    )
    code = account.aws("iot", "get-registration-code")["registrationCode"]
    openssl("genrsa", "-out", key, "2048")
    openssl("req", "-new", "-key", key, "-subj", f"/C=US/O=Guide/CN={code}", "-out", csr)
    openssl(
        *("x509", "-req", "-in", csr, "-CA", root, "-CAkey", root_key, "-CAcreateserial"),
        *("-out", proof, "-days", "500", "-sha256"),
    )
    assert "Version: 1 (0x0)" in openssl("x509", "-in", proof, "-noout", "-text")
    made = account.aws(
        *("iot", "register-ca-certificate", "--ca-certificate", f"file://{root}", "--verification-cert", f"file://{proof}"),
        *("--set-as-active", "--allow-auto-registration", "--tags", "Key=fleet,Value=a"),
    )
    ca_id = certificate_id(root.read_text())
    assert made == {"certificateArn": f"arn:aws:iot:us-east-1:000000000000:cacert/{ca_id}", "certificateId": ca_id}

    described = account.aws("iot", "describe-ca-certificate", "--certificate-id", ca_id)
    assert "registrationConfig" not in described
    told = described["certificateDescription"]
    assert told["certificatePem"] == root.read_text()
    assert (told["status"], told["autoRegistrationStatus"], told["certificateMode"]) == ("ACTIVE", "ENABLE", "DEFAULT")
    assert (told["ownedBy"], told["customerVersion"]) == ("000000000000", 1)
    assert told["creationDate"] == told["lastModifiedDate"]
    assert set(told["validity"]) == {"notBefore", "notAfter"}
    listed = account.aws("iot", "list-ca-certificates")["certificates"]
    assert {each["certificateId"]: each["status"] for each in listed}[ca_id] == "ACTIVE"
    tags = account.aws("iot", "list-tags-for-resource", "--resource-arn", made["certificateArn"])["tags"]
    assert tags == [{"Key": "fleet", "Value": "a"}]

    account.aws("iot", "update-ca-certificate", "--certificate-id", ca_id, "--new-status", "INACTIVE")
    account.aws("iot", "delete-ca-certificate", "--certificate-id", ca_id)
    assert account.try_aws("iot", "describe-ca-certificate", "--certificate-id", ca_id).returncode != 0


def test_the_registration_code_stays_until_it_is_deleted(second_account):
    iot = second_account.iot
    first = code_of(second_account)
    assert re.fullmatch("[0-9a-f]{64}", first)
    assert code_of(second_account) == first
    iot.delete_registration_code()
    second = code_of(second_account)
    assert second != first and code_of(second_account) == second


def test_each_account_has_a_code_of_its_own(account, second_account):
    assert code_of(account) != code_of(second_account)


def test_deleting_the_code_leaves_registered_cas_alone(second_account, tmp_path):
    ca = new_authority(tmp_path)
    register(second_account, ca)
    second_account.iot.delete_registration_code()
    assert describe(second_account, ca.id)["certificateDescription"]["status"] == "ACTIVE"
    with pytest.raises(second_account.iot.exceptions.ResourceNotFoundException):
        second_account.iot.delete_registration_code()


def test_a_ca_comes_in_inactive_and_silent_unless_told_otherwise(account, tmp_path):
    ca = new_authority(tmp_path)
    proof = ca.verification(code_of(account))
    account.iot.register_ca_certificate(caCertificate=ca.pem, verificationCertificate=proof)
    told = describe(account, ca.id)["certificateDescription"]
    assert (told["status"], told["autoRegistrationStatus"], told["certificateMode"]) == ("INACTIVE", "DISABLE", "DEFAULT")


def test_sni_only_needs_no_proof_and_takes_none(account, tmp_path):
    ca = new_authority(tmp_path)
    proof = ca.verification(code_of(account))
    register_ca = account.iot.register_ca_certificate
    name, status, _ = refusal(register_ca, caCertificate=ca.pem, certificateMode="SNI_ONLY", verificationCertificate=proof)
    assert (name, status) == ("InvalidRequestException", 400)
    name, status, _ = refusal(register_ca, caCertificate=ca.pem)
    assert (name, status) == ("InvalidRequestException", 400)
    name, status, _ = refusal(register_ca, caCertificate=ca.pem, certificateMode="BOTH", verificationCertificate=proof)
    assert (name, status) == ("InvalidRequestException", 400)
    register(account, ca, "SNI_ONLY")
    assert describe(account, ca.id)["certificateDescription"]["certificateMode"] == "SNI_ONLY"


@pytest.mark.parametrize("is_v3", [False, True])
def test_the_version_of_the_verification_certificate_does_not_matter(account, tmp_path, is_v3):
    ca = new_authority(tmp_path)
    proof = ca.verification(code_of(account), extensions=CA_FALSE if is_v3 else "")
    account.iot.register_ca_certificate(caCertificate=ca.pem, verificationCertificate=proof)


def test_a_wrong_code_proves_nothing(account, second_account, tmp_path):
    ca = new_authority(tmp_path)
    own = code_of(account)
    for wrong in [secrets.token_hex(32), code_of(second_account), own.upper(), own[:-1], own[::-1], "none"]:
        name, status, _ = refused_by(account, ca, wrong)
        assert (name, status) == ("RegistrationCodeValidationException", 400), wrong
    for subject in [f"/CN={own}/CN=more", f"/CN=more/CN={own}", f"/O={own}", f"/CN=more/OU={own}"]:
        proof = ca.issue(p256(tmp_path / "other.key"), subject)
        name, _, _ = refusal(account.iot.register_ca_certificate, caCertificate=ca.pem, verificationCertificate=proof)
        assert name == "RegistrationCodeValidationException", subject
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        describe(account, ca.id)


def test_a_code_proves_nothing_once_it_is_deleted(second_account, tmp_path):
    ca = new_authority(tmp_path)
    proof = ca.verification(code_of(second_account))
    second_account.iot.delete_registration_code()
    arguments = {"caCertificate": ca.pem, "verificationCertificate": proof}
    assert refusal(second_account.iot.register_ca_certificate, **arguments)[0] == "RegistrationCodeValidationException"
    code_of(second_account)
    assert refusal(second_account.iot.register_ca_certificate, **arguments)[0] == "RegistrationCodeValidationException"


def test_the_proof_of_another_ca_proves_nothing(account, tmp_path):
    subject = "/O=Fleet/CN=Twins"
    ca, twin, other = new_authority(tmp_path, subject), new_authority(tmp_path, subject), new_authority(tmp_path)
    code = code_of(account)
    below = ca.intermediate()
    for proof in [twin.verification(code), other.verification(code), below.verification(code), other.pem]:
        name, status, text = refusal(
            account.iot.register_ca_certificate, caCertificate=ca.pem, verificationCertificate=proof
        )
        assert (name, status) == ("CertificateValidationException", 400)
        assert "verification certificate" in text
    # It has signed itself, but that is all it proves.
    name, _, _ = refusal(account.iot.register_ca_certificate, caCertificate=ca.pem, verificationCertificate=ca.pem)
    assert name == "RegistrationCodeValidationException"


def test_a_proof_outside_its_validity_proves_nothing(account, tmp_path):
    ca = new_authority(tmp_path)
    now = in_seconds(0)
    for dates in [(now - 2 * YEAR, now - YEAR), (now + YEAR, now + 2 * YEAR)]:
        name, _, text = refused_by(account, ca, dates=dates)
        assert name == "CertificateValidationException" and "verification certificate" in text


@pytest.mark.parametrize("text", ["x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_refused(account, tmp_path, text):
    ca = new_authority(tmp_path)
    for arguments in [
        {"caCertificate": text, "verificationCertificate": ca.verification(code_of(account))},
        {"caCertificate": ca.pem, "verificationCertificate": text},
        {"caCertificate": text, "certificateMode": "SNI_ONLY"},
    ]:
        assert refusal(account.iot.register_ca_certificate, **arguments)[:2] == ("CertificateValidationException", 400)


NO_CA = "CA certificate is not valid. The CA certificate does not have the basicConstraints extension as true"


def unfit(folder, kind: str) -> Authority:
    now = in_seconds(0)
    match kind:
        case "expired":
            return new_authority(folder, dates=(now - 2 * YEAR, now - YEAR))
        case "not-yet-valid":
            return new_authority(folder, dates=(now + YEAR, now + 2 * YEAR))
        case "ca-false":
            return new_authority(folder, extensions=CA_FALSE)
        case "no-extension":
            return new_authority(folder, extensions="")
        case "cannot-sign":
            return new_authority(folder, extensions="basicConstraints=critical,CA:TRUE\nkeyUsage=digitalSignature\n")
        case "sha-1":
            return new_authority(folder, key=new_key(folder / "rsa.key", *RSA), digest="sha1")
        case "md5":
            return new_authority(folder, key=new_key(folder / "rsa.key", *RSA), digest="md5")
        case "ecdsa-sha-1":
            return new_authority(folder, digest="sha1")
        case "rsa-1024":
            return new_authority(folder, key=new_key(folder / "rsa.key", "RSA", "rsa_keygen_bits:1024"))
        case "p-224":
            return new_authority(folder, key=new_key(folder / "ec.key", "EC", "ec_paramgen_curve:P-224"))
        case "secp256k1":
            return new_authority(folder, key=new_key(folder / "ec.key", "EC", "ec_paramgen_curve:secp256k1"))
        case "ed25519":
            # openssl takes no digest with this key.
            key, pem = new_key(folder / "ed.key", "ED25519"), folder / "ed.pem"
            openssl("req", "-x509", "-new", "-key", key, "-subj", "/CN=Ed", "-days", "9", "-out", pem)
            return Authority(folder, key, pem)


UNFIT = {
    "expired": "expired",
    "not-yet-valid": "not valid before",
    "ca-false": NO_CA,
    "no-extension": NO_CA,
    "cannot-sign": "keyCertSign",
    "sha-1": "SHA-1|sha1",
    "md5": "MD5|md5",
    "ecdsa-sha-1": "SHA-1|SHA1",
    "rsa-1024": "1024",
    "p-224": "",
    "secp256k1": "",
    "ed25519": "Ed25519",
}


@pytest.mark.parametrize("kind", UNFIT)
def test_what_is_not_fit_to_be_a_ca_is_refused(account, tmp_path, kind):
    ca = unfit(tmp_path, kind)
    name, status, text = refusal(account.iot.register_ca_certificate, caCertificate=ca.pem, certificateMode="SNI_ONLY")
    assert (name, status) == ("CertificateValidationException", 400)
    assert re.search(UNFIT[kind], text), text
    if kind != "ed25519":
        assert refused_by(account, ca)[0] == "CertificateValidationException"
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        describe(account, ca.id)


def fit(folder, kind: str) -> tuple[Authority, dict]:
    """A CA with each kind of key, and how it signs."""
    match kind.split("+"):
        case ["dsa", digest]:
            key, how = dsa_key(folder), {"digest": digest}
        case ["rsa", digest]:
            key, how = new_key(folder / "ca.key", *RSA), {"digest": digest}
        case ["pss", digest]:
            key, how = new_key(folder / "ca.key", *RSA), {"digest": digest, "signing": PSS}
        case [curve, digest]:
            key, how = new_key(folder / "ca.key", "EC", f"ec_paramgen_curve:{curve.upper()}"), {"digest": digest}
    return new_authority(folder, key=key, **how), how


@pytest.mark.parametrize("kind", ["dsa+sha256", "rsa+sha256", "pss+sha384", "p-256+sha512", "p-384+sha384", "p-521+sha512"])
def test_cas_prove_themselves_with_each_kind_of_key(account, tmp_path, kind):
    ca, how = fit(tmp_path, kind)
    proof = ca.verification(code_of(account), **how)
    account.iot.register_ca_certificate(caCertificate=ca.pem, verificationCertificate=proof)
    assert describe(account, ca.id)["certificateDescription"]["certificatePem"] == ca.pem


def test_a_proof_signed_with_sha_1_proves_nothing(account, tmp_path):
    ca = new_authority(tmp_path, key=new_key(tmp_path / "rsa.key", *RSA))
    name, _, text = refused_by(account, ca, digest="sha1")
    assert name == "CertificateValidationException" and "SHA-1" in text


def test_an_intermediate_ca_is_registered_without_its_root(account, tmp_path):
    below = new_authority(tmp_path).intermediate()
    register(account, below)
    assert describe(account, below.id)["certificateDescription"]["status"] == "ACTIVE"


def test_a_second_time_names_the_first(account, tmp_path):
    ca = new_authority(tmp_path)
    made = register(account, ca)
    for mode in ["DEFAULT", "SNI_ONLY"]:
        with pytest.raises(account.iot.exceptions.ResourceAlreadyExistsException) as again:
            register(account, ca, mode)
        assert again.value.response["resourceId"] == ca.id
        assert again.value.response["resourceArn"] == made["certificateArn"]
        assert again.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409


def test_ten_cas_may_share_a_subject(account, second_account, tmp_path):
    subject = f"/O=Fleet/CN=Ten {secrets.token_hex(8)}"
    cas = [new_authority(tmp_path, subject) for _ in range(11)]
    for ca in cas[:10]:
        register(account, ca, "SNI_ONLY")
    with pytest.raises(account.iot.exceptions.LimitExceededException) as refused:
        register(account, cas[10])
    answer = refused.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 410
    assert answer["Error"]["Message"] == "Limit reached for number of CA Certificates with same subject"
    # Each account counts its own, and a place that is given up is free.
    register(second_account, cas[10])
    account.iot.update_ca_certificate(certificateId=cas[3].id, newStatus="INACTIVE")
    account.iot.delete_ca_certificate(certificateId=cas[3].id)
    register(account, cas[10], "SNI_ONLY")


def test_a_default_ca_is_in_one_account_of_a_region(account, second_account, tmp_path):
    ca = new_authority(tmp_path)
    register(account, ca)
    name, status, text = refused_by(second_account, ca)
    assert (name, status, text) == ("InvalidRequestException", 400, "Cannot accept this CACertificate")
    account.iot.update_ca_certificate(certificateId=ca.id, newStatus="INACTIVE")
    assert refused_by(second_account, ca)[0] == "InvalidRequestException"
    account.iot.delete_ca_certificate(certificateId=ca.id)
    register(second_account, ca)
    assert refused_by(account, ca)[2] == "Cannot accept this CACertificate"


def test_an_sni_only_ca_is_in_as_many_accounts_as_want_it(account, second_account, tmp_path):
    ca = new_authority(tmp_path)
    for each in (account, second_account):
        register(each, ca, "SNI_ONLY")
    account.iot.update_ca_certificate(certificateId=ca.id, newStatus="INACTIVE")
    assert describe(account, ca.id)["certificateDescription"]["status"] == "INACTIVE"
    told = describe(second_account, ca.id)["certificateDescription"]
    assert (told["status"], told["ownedBy"]) == ("ACTIVE", second_account.credentials.account_id)


def test_registering_elsewhere_without_proof_shuts_out_nobody(account, second_account, tmp_path):
    ca = new_authority(tmp_path)
    register(second_account, ca, "SNI_ONLY")
    register(account, ca)
    assert describe(account, ca.id)["certificateDescription"]["certificateMode"] == "DEFAULT"


def test_regions_know_nothing_of_each_other(start_server, account_of, tmp_path):
    here = account_of(start_server(regions="us-east-1,eu-west-1"))
    there = Account(here.server, here.credentials, tmp_path, region="eu-west-1")
    ca = new_authority(tmp_path)
    register(here, ca)
    with pytest.raises(there.iot.exceptions.ResourceNotFoundException):
        describe(there, ca.id)
    assert code_of(here) != code_of(there)
    register(there, ca, is_active=False)
    assert describe(here, ca.id)["certificateDescription"]["status"] == "ACTIVE"
    assert f":eu-west-1:{there.credentials.account_id}:" in describe(there, ca.id)["certificateDescription"]["certificateArn"]


def test_status_and_auto_registration_change_each_on_its_own(account, tmp_path):
    ca = new_authority(tmp_path)
    register(account, ca)

    def told() -> tuple[str, str, int]:
        description = describe(account, ca.id)["certificateDescription"]
        return description["status"], description["autoRegistrationStatus"], description["customerVersion"]

    def update(**change) -> None:
        account.iot.update_ca_certificate(certificateId=ca.id, **change)

    assert told() == ("ACTIVE", "ENABLE", 1)
    update(newAutoRegistrationStatus="DISABLE")
    assert told() == ("ACTIVE", "DISABLE", 2)
    update(newStatus="INACTIVE")
    assert told() == ("INACTIVE", "DISABLE", 3)
    update(newStatus="INACTIVE")
    assert told() == ("INACTIVE", "DISABLE", 3)
    update(newStatus="ACTIVE", newAutoRegistrationStatus="ENABLE")
    assert told() == ("ACTIVE", "ENABLE", 4)
    for wrong in [{"newStatus": "REVOKED"}, {"newAutoRegistrationStatus": "ON"}]:
        assert refusal(account.iot.update_ca_certificate, certificateId=ca.id, **wrong)[0] == "InvalidRequestException"
    assert told() == ("ACTIVE", "ENABLE", 4)


def test_a_provisioning_template_is_kept_and_removed(account, tmp_path):
    ca = new_authority(tmp_path)
    config = {"templateBody": template_body(), "roleArn": provisioning_role(account)}
    register(account, ca, registrationConfig=config)
    assert describe(account, ca.id)["registrationConfig"] == config
    changed = config | {"templateBody": template_body(status="INACTIVE")}
    account.iot.update_ca_certificate(certificateId=ca.id, registrationConfig=changed)
    assert describe(account, ca.id)["registrationConfig"] == changed
    account.iot.update_ca_certificate(
        certificateId=ca.id, newAutoRegistrationStatus="DISABLE", removeAutoRegistration=True
    )
    described = describe(account, ca.id)
    assert "registrationConfig" not in described
    assert described["certificateDescription"]["autoRegistrationStatus"] == "DISABLE"


def test_an_unknown_template_is_not_found(account, tmp_path):
    ca = new_authority(tmp_path)
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        register(account, ca, registrationConfig={"templateName": "nowhere"})
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        describe(account, ca.id)


def test_an_active_ca_is_not_deleted(account, tmp_path):
    ca = new_authority(tmp_path)
    register(account, ca)
    name, status, _ = refusal(account.iot.delete_ca_certificate, certificateId=ca.id)
    assert (name, status) == ("CertificateStateException", 406)
    account.iot.update_ca_certificate(certificateId=ca.id, newStatus="INACTIVE")
    account.iot.delete_ca_certificate(certificateId=ca.id)
    for call in [
        account.iot.describe_ca_certificate,
        account.iot.delete_ca_certificate,
        lambda certificateId: account.iot.update_ca_certificate(certificateId=certificateId, newStatus="ACTIVE"),
    ]:
        assert refusal(call, certificateId=ca.id)[:2] == ("ResourceNotFoundException", 404)
    # And it may come back, with another proof or the same.
    register(account, ca)


def test_one_account_sees_and_changes_nothing_of_another(account, second_account, tmp_path):
    ca = new_authority(tmp_path)
    made = register(account, ca)
    iot = second_account.iot
    for call, arguments in [
        (iot.describe_ca_certificate, {"certificateId": ca.id}),
        (iot.update_ca_certificate, {"certificateId": ca.id, "newStatus": "INACTIVE"}),
        (iot.delete_ca_certificate, {"certificateId": ca.id}),
        (iot.list_tags_for_resource, {"resourceArn": made["certificateArn"]}),
        (iot.tag_resource, {"resourceArn": made["certificateArn"], "tags": [{"Key": "a", "Value": "b"}]}),
    ]:
        assert refusal(call, **arguments)[0] in ("ResourceNotFoundException", "InvalidRequestException")
    assert iot.list_ca_certificates()["certificates"] == []
    assert iot.list_certificates_by_ca(caCertificateId=ca.id)["certificates"] == []
    assert describe(account, ca.id)["certificateDescription"]["status"] == "ACTIVE"


def test_cas_are_listed_newest_first_and_page_by_page(second_account, tmp_path):
    iot = second_account.iot
    ids = []
    for _ in range(5):
        ca = new_authority(tmp_path)
        register(second_account, ca, "SNI_ONLY", is_active=False)
        ids.append(ca.id)
    pages = list(iot.get_paginator("list_ca_certificates").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["certificates"]) for page in pages] == [2, 2, 1]
    assert [each["certificateId"] for page in pages for each in page["certificates"]] == ids[::-1]
    forward = iot.list_ca_certificates(ascendingOrder=True)["certificates"]
    assert [each["certificateId"] for each in forward] == ids
    assert set(forward[0]) == {"certificateArn", "certificateId", "status", "creationDate"}
    assert abs(forward[0]["creationDate"] - datetime.now(timezone.utc)) < timedelta(minutes=5)
    assert iot.list_ca_certificates(templateName="nowhere")["certificates"] == []


def test_the_certificates_of_a_ca_are_listed(second_account, tmp_path):
    iot = second_account.iot
    ca, other = new_authority(tmp_path), new_authority(tmp_path)
    for each in (ca, other):
        register(second_account, each)
    devices = [ca.new_device() for _ in range(3)]
    for device in [*devices, other.new_device()]:
        iot.register_certificate(certificatePem=device.certificate.read_text(), status="INACTIVE")
    pages = list(iot.get_paginator("list_certificates_by_ca").paginate(caCertificateId=ca.id, PaginationConfig={"PageSize": 2}))
    listed = [each for page in pages for each in page["certificates"]]
    assert [each["certificateId"] for each in listed] == [device.certificate_id for device in devices][::-1]
    assert {(each["status"], each["certificateMode"]) for each in listed} == {("INACTIVE", "DEFAULT")}
    # They stay registered, and known as this CA's, when it is gone.
    iot.update_ca_certificate(certificateId=ca.id, newStatus="INACTIVE")
    iot.delete_ca_certificate(certificateId=ca.id)
    assert len(iot.list_certificates_by_ca(caCertificateId=ca.id)["certificates"]) == 3
    assert iot.list_certificates_by_ca(caCertificateId="0" * 64)["certificates"] == []


def test_tags_of_a_ca_are_added_removed_and_go_with_it(account, tmp_path):
    ca = new_authority(tmp_path)
    arn = register(account, ca, tags=[{"Key": "a", "Value": "1"}])["certificateArn"]
    account.aws("iot", "tag-resource", "--resource-arn", arn, "--tags", "Key=b,Value=2")
    tags = account.iot.list_tags_for_resource(resourceArn=arn)["tags"]
    assert sorted((tag["Key"], tag["Value"]) for tag in tags) == [("a", "1"), ("b", "2")]
    account.aws("iot", "untag-resource", "--resource-arn", arn, "--tag-keys", "a")
    assert account.iot.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "b", "Value": "2"}]
    account.iot.update_ca_certificate(certificateId=ca.id, newStatus="INACTIVE")
    account.iot.delete_ca_certificate(certificateId=ca.id)
    with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
        account.iot.list_tags_for_resource(resourceArn=arn)
    register(account, ca)
    assert account.iot.list_tags_for_resource(resourceArn=arn)["tags"] == []


def test_a_refused_registration_leaves_no_tags(account, tmp_path):
    ca = new_authority(tmp_path)
    tags = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    try:
        register(account, ca, tags=tags)
    except account.iot.exceptions.InvalidRequestException:
        with pytest.raises(account.iot.exceptions.ResourceNotFoundException):
            describe(account, ca.id)
    with pytest.raises(account.iot.exceptions.InvalidRequestException):
        register(account, new_authority(tmp_path), tags=[{"Key": f"{n}", "Value": ""} for n in range(51)])


def test_two_accounts_claim_one_ca_at_the_same_time_and_one_wins(account, second_account, tmp_path):
    accounts = [account, second_account]
    for each in accounts:
        code_of(each)
    with ThreadPoolExecutor(2) as threads:
        for _ in range(5):
            ca = new_authority(tmp_path)
            proofs = [ca.verification(code_of(each)) for each in accounts]

            def claim(which: int) -> str:
                try:
                    accounts[which].iot.register_ca_certificate(
                        caCertificate=ca.pem, verificationCertificate=proofs[which]
                    )
                except ClientError as refused:
                    return refused.response["Error"]["Code"]
                return "won"

            assert sorted(threads.map(claim, [0, 1])) == ["InvalidRequestException", "won"]


def test_leading_text_and_crlf_do_not_change_the_id(account, tmp_path):
    ca = new_authority(tmp_path)
    text = "subject=/O=Fleet\r\n\r\n" + ca.pem.replace("\n", "\r\n")
    made = account.iot.register_ca_certificate(caCertificate=text, certificateMode="SNI_ONLY")
    assert made["certificateId"] == ca.id
