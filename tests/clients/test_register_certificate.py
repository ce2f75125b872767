"""RegisterCertificate: which CA has signed is found by name and by signature, whatever the algorithm."""

import base64
import re
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from account import Account, Device
from authority import CA_FALSE, PSS, Authority, arn, der, dsa_key, new_authority, register, status
from eventually import eventually
from mqtt import V5, Client, Refused
from self_made import in_seconds, new_key
from tools import openssl

YEAR = timedelta(days=365)

RSA, P256, P384, P521 = (
    ("RSA", "rsa_keygen_bits:2048"),
    ("EC", "ec_paramgen_curve:P-256"),
    ("EC", "ec_paramgen_curve:P-384"),
    ("EC", "ec_paramgen_curve:P-521"),
)

# The ten algorithms of the developer guide, "Certificate signing algorithms"; ECDSA on each curve.
ALGORITHMS = {
    **{f"rsa-{digest}": (RSA, digest, ()) for digest in ("sha256", "sha384", "sha512")},
    **{f"pss-{digest}": (RSA, digest, PSS) for digest in ("sha256", "sha384", "sha512")},
    "dsa-sha256": ("DSA", "sha256", ()),
    **{
        f"{curve[1][-5:].lower()}-{digest}": (curve, digest, ())
        for curve in (P256, P384, P521)
        for digest in ("sha256", "sha384", "sha512")
    },
}
# What openssl calls them in a certificate.
NAMES = {"rsa": "{}WithRSAEncryption", "pss": "rsassaPss", "dsa": "dsa_with_{}", "p-2": "ecdsa-with-{}"}
DEVICE_KEYS = {"rsa": RSA, "ec": P256}


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    """Where this module's CAs work."""
    return tmp_path_factory.mktemp("office")


@pytest.fixture(scope="module")
def device_keys(office) -> dict:
    return {kind: new_key(office / f"device-{kind}.key", *how) for kind, how in DEVICE_KEYS.items()}


@pytest.fixture(scope="module")
def ca(shared_account, office) -> Authority:
    """A registered CA with an ordinary key."""
    made = new_authority(office)
    register(shared_account, made)
    return made


@pytest.fixture(scope="module")
def signers(shared_account, office) -> dict[str, Authority]:
    """A registered CA for each algorithm's kind of key."""
    made: dict = {}

    def signer(kind) -> Authority:
        if kind not in made:
            key = dsa_key(office) if kind == "DSA" else new_key(office / f"signer-{len(made)}.key", *kind)
            made[kind] = new_authority(office, key=key)
            code = shared_account.iot.get_registration_code()["registrationCode"]
            shared_account.iot.register_ca_certificate(
                caCertificate=made[kind].pem, verificationCertificate=made[kind].verification(code), setAsActive=True
            )
        return made[kind]

    return signer


def take_in(account: Account, device: Device, state: str = "ACTIVE", **more) -> Device:
    pem = device.certificate.read_text()
    made = account.iot.register_certificate(certificatePem=pem, status=state, **more)
    assert made["certificateId"] == device.certificate_id
    return Device(device.certificate_id, made["certificateArn"], device.certificate, device.key)


def describe(account: Account, device: Device) -> dict:
    return account.iot.describe_certificate(certificateId=device.certificate_id)["certificateDescription"]


def refusal(account: Account, device: Device | str, **more) -> tuple[str, int, str]:
    pem = device if isinstance(device, str) else device.certificate.read_text()
    with pytest.raises(ClientError) as caught:
        account.iot.register_certificate(certificatePem=pem, **more)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


NO_CA = ("CertificateStateException", 406, "No CA certificate exists for the given certificate")


@pytest.mark.parametrize("device_key", DEVICE_KEYS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_signing_algorithm_is_taken_and_its_device_connects(account, signers, device_keys, algorithm, device_key):
    kind, digest, signing = ALGORITHMS[algorithm]
    ca = signers(kind)
    leaf = ca.new_device(f"/CN={algorithm}-{device_key}", key=device_keys[device_key], digest=digest, signing=signing)
    text = openssl("x509", "-in", leaf.certificate, "-noout", "-text")
    assert NAMES[algorithm.replace("p-3", "p-2").replace("p-5", "p-2")[:3]].format(digest.upper()).lower() in text.lower()
    device = take_in(account, leaf)
    assert describe(account, device)["caCertificateId"] == ca.id
    account.allow(device)
    with Client(account, device, f"{algorithm}-{device_key}"):
        pass


@pytest.mark.parametrize("salt", [0, 8, 20, 64, "max"])
def test_pss_signatures_may_have_any_salt(account, signers, device_keys, salt):
    ca = signers(RSA)
    signing = ("rsa_padding_mode:pss", f"rsa_pss_saltlen:{salt}")
    device = take_in(account, ca.new_device(f"/CN=salt-{salt}", key=device_keys["ec"], signing=signing))
    account.allow(device)
    with Client(account, device, "salted"):
        pass


@pytest.mark.parametrize(
    ("digest", "named"), [("sha1", "SHA-1|sha1"), ("md5", "MD5|md5"), ("sha224", "SHA-?224|sha224|1.2.840.113549.1.1.14")]
)
def test_weak_digests_are_refused_by_name(account, signers, digest, named):
    name, code, text = refusal(account, signers(RSA).new_device(digest=digest))
    # No CA can be said to have signed with an algorithm that proves nothing.
    assert name in ("CertificateValidationException", "CertificateStateException")
    assert re.search(named, text), text


def test_an_ed25519_leaf_is_refused(account, ca, office):
    key = new_key(office / "ed.key", "ED25519")
    assert refusal(account, ca.new_device(key=key))[:2] == ("CertificateValidationException", 400)


@pytest.mark.parametrize(
    "weak", [("RSA", "rsa_keygen_bits:1024"), ("EC", "ec_paramgen_curve:P-224"), ("EC", "ec_paramgen_curve:secp256k1")]
)
def test_weak_keys_are_refused(account, ca, tmp_path, weak):
    leaf = ca.new_device(key=new_key(tmp_path / "weak.key", *weak))
    assert refusal(account, leaf)[:2] == ("CertificateValidationException", 400)
    assert status(account, leaf) is None


def test_the_cli_registers_a_certificate_with_its_ca(account, ca):
    leaf = ca.new_device()
    made = account.aws(
        *("iot", "register-certificate", "--certificate-pem", f"file://{leaf.certificate}"),
        *("--ca-certificate-pem", f"file://{ca.certificate}", "--status", "ACTIVE"),
    )
    assert made == {"certificateId": leaf.certificate_id, "certificateArn": arn(account, leaf)}
    told = account.aws("iot", "describe-certificate", "--certificate-id", leaf.certificate_id)["certificateDescription"]
    assert told["caCertificateId"] == ca.id
    assert told["certificateMode"] == "DEFAULT"
    assert told["certificatePem"] == leaf.certificate.read_text()
    assert told["customerVersion"] == 1


def test_status_is_what_was_asked_for(account, ca):
    for asked, given in [
        ({}, "INACTIVE"),
        ({"status": "ACTIVE"}, "ACTIVE"),
        ({"status": "INACTIVE"}, "INACTIVE"),
        ({"status": "REVOKED"}, "REVOKED"),
        ({"setAsActive": True}, "ACTIVE"),
        ({"setAsActive": True, "status": "INACTIVE"}, "INACTIVE"),
    ]:
        leaf = ca.new_device()
        account.iot.register_certificate(certificatePem=leaf.certificate.read_text(), **asked)
        assert status(account, leaf) == given, asked


def test_what_only_the_service_may_set_is_refused(account, ca):
    leaf = ca.new_device()
    for state in ["PENDING_ACTIVATION", "PENDING_TRANSFER", "REGISTER_INACTIVE"]:
        name, code, text = refusal(account, leaf, status=state)
        assert (name, code) == ("CertificateStateException", 406)
        assert text == f"Not allowed to register certificate with {state} status"
    assert refusal(account, leaf, status="SOMETHING")[0] == "InvalidRequestException"
    assert status(account, leaf) is None


def test_registered_revoked_is_revoked_for_good(account, ca):
    leaf = take_in(account, ca.new_device(), "REVOKED")
    for state in ["ACTIVE", "INACTIVE"]:
        with pytest.raises(account.iot.exceptions.CertificateStateException):
            account.iot.update_certificate(certificateId=leaf.certificate_id, newStatus=state)
    account.allow(leaf)
    with pytest.raises(Refused):
        Client(account, leaf, protocol=V5).connect()


def test_without_its_ca_a_certificate_is_not_registered(account, office):
    stranger = new_authority(office)
    leaf = stranger.new_device()
    assert refusal(account, leaf) == NO_CA
    assert refusal(account, leaf, caCertificatePem=stranger.pem) == NO_CA
    assert refusal(account, stranger.pem) == NO_CA


def test_a_ca_of_another_account_does_not_count(account, second_account, ca):
    leaf = ca.new_device()
    assert refusal(second_account, leaf) == NO_CA
    assert refusal(second_account, leaf, caCertificatePem=ca.pem) == NO_CA


def test_the_name_of_a_ca_alone_does_not_count(account, office):
    """An attacker names his own CA as ours is named."""
    subject = "/O=Fleet/CN=Namesake"
    ours, attackers = new_authority(office, subject), new_authority(office, subject)
    register(account, ours)
    leaf = attackers.new_device()
    assert refusal(account, leaf) == NO_CA
    name, code, text = refusal(account, leaf, caCertificatePem=ours.pem)
    assert (name, code) == ("CertificateValidationException", 400) and "not signed" in text
    assert status(account, leaf) is None


def test_the_key_of_a_ca_under_another_name_does_not_count(account, ca, office):
    renamed = new_authority(office, "/O=Fleet/CN=Renamed", key=ca.key)
    assert refusal(account, renamed.new_device()) == NO_CA


def test_a_leaf_below_an_end_entity_does_not_count(account, ca, office):
    """A device signs with its own key as if it were a CA."""
    device = ca.new_device("/CN=device that signs", extensions=CA_FALSE)
    assert refusal(account, Authority(office, device.key, device.certificate).new_device()) == NO_CA
    with pytest.raises(account.iot.exceptions.CertificateValidationException):
        account.iot.register_ca_certificate(caCertificate=device.certificate.read_text(), certificateMode="SNI_ONLY")


def test_the_ca_that_signs_directly_must_be_registered(account, ca):
    below = ca.intermediate("/CN=Registered below")
    assert refusal(account, below.new_device()) == NO_CA
    assert refusal(account, below.new_device(), caCertificatePem=ca.pem)[0] == "CertificateValidationException"
    register(account, below)
    device = take_in(account, below.new_device())
    assert describe(account, device)["caCertificateId"] == below.id
    account.allow(device)
    with Client(account, device, "below"):
        pass


def test_a_chain_behind_the_leaf_changes_nothing(account, ca, office):
    """Exactly one certificate is taken: the first."""
    leaf, victim = ca.new_device(), ca.new_device()
    text = leaf.certificate.read_text() + ca.pem + victim.certificate.read_text()
    try:
        made = account.iot.register_certificate(certificatePem=text)
    except account.iot.exceptions.CertificateValidationException:
        assert status(account, leaf) is None
    else:
        assert made["certificateId"] == leaf.certificate_id
    assert status(account, victim) is None


def test_ca_certificate_pem_must_have_signed(account, ca, office):
    other = new_authority(office)
    register(account, other)
    leaf = ca.new_device()
    name, code, text = refusal(account, leaf, caCertificatePem=other.pem)
    assert (name, code) == ("CertificateValidationException", 400) and "not signed" in text
    assert refusal(account, leaf, caCertificatePem="nonsense")[0] == "CertificateValidationException"
    assert refusal(account, leaf, caCertificatePem=leaf.certificate.read_text())[0] == "CertificateStateException"
    take_in(account, leaf, caCertificatePem=ca.pem)


def test_of_several_cas_with_one_subject_the_signature_tells(account, office):
    cas = [new_authority(office, "/O=Fleet/CN=Siblings") for _ in range(4)]
    for each in cas:
        register(account, each)
    for each in cas:
        assert describe(account, take_in(account, each.new_device()))["caCertificateId"] == each.id


def test_of_a_ca_renewed_with_its_key_the_caller_says_which(account, office):
    old = new_authority(office, "/O=Fleet/CN=Renewed")
    new = new_authority(office, "/O=Fleet/CN=Renewed", key=old.key)
    assert old.id != new.id
    register(account, old)
    register(account, new)
    leaf = new.new_device()
    name, code, _ = refusal(account, leaf)
    assert (name, code) == ("CertificateConflictException", 409)
    assert describe(account, take_in(account, leaf, caCertificatePem=new.pem))["caCertificateId"] == new.id
    other = new.new_device()
    assert describe(account, take_in(account, other, caCertificatePem=old.pem))["caCertificateId"] == old.id
    # With the old one gone there is nothing to choose.
    account.iot.update_ca_certificate(certificateId=old.id, newStatus="INACTIVE")
    account.iot.delete_ca_certificate(certificateId=old.id)
    assert describe(account, take_in(account, new.new_device()))["caCertificateId"] == new.id


def test_an_inactive_ca_takes_in_nobody_but_keeps_those_it_has(account, office):
    ca = new_authority(office)
    register(account, ca)
    device = take_in(account, ca.new_device())
    account.allow(device)
    account.iot.update_ca_certificate(certificateId=ca.id, newStatus="INACTIVE")
    leaf = ca.new_device()
    name, code, text = refusal(account, leaf)
    assert (name, code) == ("CertificateStateException", 406) and "INACTIVE" in text
    with Client(account, device, "kept"):
        pass
    account.iot.delete_ca_certificate(certificateId=ca.id)
    assert refusal(account, leaf) == NO_CA
    with Client(account, device, "kept"):
        pass
    assert describe(account, device)["caCertificateId"] == ca.id


def test_certificates_outside_their_validity_are_refused(account, ca):
    now = in_seconds(0)
    for dates in [(now - 2 * YEAR, now - YEAR), (now + YEAR, now + 2 * YEAR)]:
        assert refusal(account, ca.new_device(dates=dates))[:2] == ("CertificateValidationException", 400)


def test_an_expired_ca_vouches_for_nobody(account, office):
    # The dates of certificates are whole seconds: between three and four from now.
    ca = new_authority(office, dates=(in_seconds(-60), in_seconds(4)))
    register(account, ca)
    device = take_in(account, ca.new_device())
    account.allow(device)

    def is_refused() -> bool:
        leaf = ca.new_device()
        try:
            take_in(account, leaf)
        except account.iot.exceptions.CertificateValidationException:
            return status(account, leaf) is None
        return False

    eventually(is_refused, "the CA expires")
    with Client(account, device, "outlives its CA"):
        pass


def test_a_second_time_names_the_first(account, ca):
    device = take_in(account, ca.new_device())
    pem = device.certificate.read_text()
    for call in (account.iot.register_certificate, account.iot.register_certificate_without_ca):
        with pytest.raises(account.iot.exceptions.ResourceAlreadyExistsException) as again:
            call(certificatePem=pem.replace("\n", "\r\n"))
        answer = again.value.response
        assert answer["Error"]["Message"] == "The certificate is already provisioned or registered"
        assert (answer["resourceId"], answer["resourceArn"]) == (device.certificate_id, device.certificate_arn)


def test_a_default_certificate_is_in_one_account_of_a_region(account, second_account, office):
    """Renewed with its key, one CA is two records: each account proves one of them, and both have signed the leaf."""
    one = new_authority(office, "/O=Fleet/CN=Shared")
    two = new_authority(office, "/O=Fleet/CN=Shared", key=one.key)
    register(account, one)
    register(second_account, two)
    device = take_in(account, one.new_device())
    assert refusal(second_account, device) == ("InvalidRequestException", 400, "This request is not valid")
    assert status(second_account, device) is None
    account.set_status(device, "INACTIVE")
    account.iot.delete_certificate(certificateId=device.certificate_id)
    take_in(second_account, device)
    assert refusal(account, device)[2] == "This request is not valid"


def test_sni_only_is_inherited_and_lets_others_register_too(account, second_account, office):
    ca = new_authority(office)
    for each in (account, second_account):
        register(each, ca, "SNI_ONLY")
    leaf = ca.new_device()
    for each in (account, second_account):
        device = take_in(each, leaf)
        assert describe(each, device)["certificateMode"] == "SNI_ONLY"
        each.allow(device)
        with Client(each, device, "shared"):
            pass


def test_a_stranger_with_a_certificate_in_sni_only_does_not_keep_its_owner_out(account, second_account, ca):
    leaf = ca.new_device()
    second_account.iot.register_certificate_without_ca(certificatePem=leaf.certificate.read_text())
    device = take_in(account, leaf)
    assert describe(account, device)["certificateMode"] == "DEFAULT"
    account.allow(device)
    with Client(account, device, "owner"):
        pass


def test_a_deleted_certificate_can_be_registered_again(account, ca):
    device = take_in(account, ca.new_device(), "REVOKED")
    account.iot.delete_certificate(certificateId=device.certificate_id)
    again = take_in(account, device)
    assert describe(account, again)["status"] == "ACTIVE"


def test_registering_is_not_announced_to_devices(account, ca):
    """Only just-in-time registration is an event."""
    with Client(account, account.new_device(), "listener") as listener:
        listener.subscribe("$aws/events/certificates/registered/#")
        for state in ["ACTIVE", "INACTIVE", "REVOKED"]:
            take_in(account, ca.new_device(), state)
        listener.subscribe("marker")
        listener.publish("marker", "end")
        assert listener.receive().topic == "marker"


@pytest.mark.parametrize("algorithm", ["rsa-sha256", "dsa-sha256", "p-256-sha256"])
def test_a_tampered_leaf_is_nobodys(account, signers, algorithm):
    kind, digest, signing = ALGORITHMS[algorithm]
    raw = bytearray(der(signers(kind).new_device("/CN=genuine", digest=digest, signing=signing).certificate.read_text()))
    at = raw.index(b"genuine")
    raw[at : at + 7] = b"changed"
    body = base64.encodebytes(bytes(raw)).decode()
    assert refusal(account, f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n")[0] in (
        "CertificateStateException",
        "CertificateValidationException",
    )


def test_policies_and_things_are_attached_as_to_any_certificate(account, ca):
    device = take_in(account, ca.new_device("/O=Fleet/CN=serial-7"))
    statement = {
        "Effect": "Allow",
        "Action": "iot:Connect",
        "Resource": f"arn:aws:iot:us-east-1:{account.credentials.account_id}:client/${{iot:Certificate.Subject.CommonName}}",
    }
    account.allow(device, {"Version": "2012-10-17", "Statement": [statement]})
    with Client(account, device, "serial-7"):
        pass
    with pytest.raises(Refused):
        Client(account, device, "serial-8").connect()
