"""Just-in-time registration: what happens when a device of a registered CA turns up, seen by the device, by an operator
who waits for the event as the developer guide tells him to, and by those who would misuse it."""

import contextlib
import json
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from account import Account, Device
from authority import CA_TRUE, PSS, Authority, arn, dsa_key, new_authority, register, status
from eventually import eventually
from https import request
from mqtt import V311, Client, Closed, Refused, refused
from raw_mqtt import CONNACK_311_NOT_AUTHORIZED, Wire, connect
from self_made import in_seconds, new_key
from test_health import metric
from tools import handshake, mosquitto

PENDING = "PENDING_ACTIVATION"
UNKNOWN = "not registered"
YEAR = timedelta(days=365)


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    return tmp_path_factory.mktemp("office")


@pytest.fixture
def ca(account, office) -> Authority:
    """An ACTIVE CA that registers just in time."""
    made = new_authority(office)
    register(account, made)
    return made


def topic(ca: Authority) -> str:
    return f"$aws/events/certificates/registered/{ca.id}"


def operator_policy(account: Account, ca: Authority) -> dict:
    """What an operator's program needs and no more."""
    prefix = f"arn:aws:iot:{account.region}:{account.credentials.account_id}"
    allowed = [
        ("iot:Connect", f"{prefix}:client/operator-*"),
        ("iot:Subscribe", f"{prefix}:topicfilter/{topic(ca)}"),
        ("iot:Receive", f"{prefix}:topic/{topic(ca)}"),
    ]
    statements = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in allowed]
    return {"Version": "2012-10-17", "Statement": statements}


@contextlib.contextmanager
def listener(account: Account, ca: Authority):
    """An operator's program that is subscribed."""
    with Client(account, account.new_device(operator_policy(account, ca)), f"operator-{ca.id[:12]}") as client:
        (code,) = client.subscribe(topic(ca), qos=1)
        assert not code.is_failure
        yield client


def behind(device: Device, *pems: str) -> Device:
    """The device shows these behind its own certificate."""
    chain = device.certificate.with_suffix(".chain.pem")
    chain.write_text(device.certificate.read_text() + "".join(pems))
    return replace(device, certificate=chain)


def creation_ms(account: Account, device: Device) -> int:
    told = account.iot.describe_certificate(certificateId=device.certificate_id)["certificateDescription"]
    return round(told["creationDate"].timestamp() * 1000)


def test_a_device_is_brought_in_as_the_developer_guide_says(account, ca):
    """The subscriber does what the guide's Lambda function does: activates the certificate and attaches a policy."""
    iot = account.client("iot")
    policy = account.new_policy()
    activated: list[str] = []

    def on_message(_client, _data, message) -> None:
        event = json.loads(message.payload)
        certificate_id = event["certificateId"]
        iot.update_certificate(certificateId=certificate_id, newStatus="ACTIVE")
        certificate_arn = f"arn:aws:iot:us-east-1:{event['awsAccountId']}:cert/{certificate_id}"
        iot.attach_policy(policyName=policy, target=certificate_arn)
        activated.append(certificate_id)

    with listener(account, ca) as operator:
        operator.paho.on_message = on_message
        device = ca.new_device("/O=Fleet/CN=fresh from the factory")
        attempts = 0

        def is_in() -> bool:
            nonlocal attempts
            attempts += 1
            try:
                with Client(account, device, "fresh", protocol=V311) as client:
                    client.publish("hello", "x")
            except (Refused, Closed):
                return False
            return True

        assert not is_in()
        eventually(is_in, "the operator lets the device in")
        assert attempts >= 2
        assert device.certificate_id in activated
    assert status(account, device) == "ACTIVE"


def test_the_event_tells_what_awss_event_tells(account, ca):
    device = ca.new_device()
    with listener(account, ca) as operator:
        assert PENDING in refused(account, device)
        message = operator.receive()
        first = json.loads(message.payload)
        assert message.topic == topic(ca)
        assert first["certificateRegistrationTimestamp"] is None
        assert PENDING in refused(account, device)
        second = json.loads(operator.receive().payload)
    registered_at = creation_ms(account, device)
    assert abs(int(second["certificateRegistrationTimestamp"]) - registered_at) <= 1
    for event in (first, second):
        assert set(event) == {
            "certificateId", "caCertificateId", "timestamp", "certificateStatus", "awsAccountId",
            "certificateRegistrationTimestamp",
        }  # fmt: skip
        assert event["certificateId"] == device.certificate_id
        assert event["caCertificateId"] == ca.id
        assert event["certificateStatus"] == PENDING
        assert event["awsAccountId"] == account.credentials.account_id
        assert isinstance(event["timestamp"], int)
        assert registered_at - 1 <= event["timestamp"] <= time.time() * 1000 + 1
    assert first["timestamp"] < second["timestamp"]


def test_the_record_is_the_cas(account, ca):
    device = ca.new_device()
    assert PENDING in refused(account, device)
    told = account.iot.describe_certificate(certificateId=device.certificate_id)["certificateDescription"]
    assert (told["status"], told["caCertificateId"], told["certificateMode"]) == (PENDING, ca.id, "DEFAULT")
    assert told["certificatePem"] == device.certificate.read_text()
    assert (told["customerVersion"], told["ownedBy"]) == (1, account.credentials.account_id)
    listed = account.iot.list_certificates_by_ca(caCertificateId=ca.id)["certificates"]
    assert [each["certificateId"] for each in listed] == [device.certificate_id]


def test_every_connect_while_pending_is_told_again(account, ca):
    device = ca.new_device()
    with listener(account, ca) as operator:
        for _ in range(4):
            assert PENDING in refused(account, device)
            assert json.loads(operator.receive().payload)["certificateId"] == device.certificate_id
            assert status(account, device) == PENDING
        account.set_status(device, "INACTIVE")
        assert "INACTIVE" in refused(account, device)
        # What comes next is of another device: nothing was told of the one that is not pending any more.
        other = ca.new_device()
        assert PENDING in refused(account, other)
        assert json.loads(operator.receive().payload)["certificateId"] == other.certificate_id


@pytest.mark.parametrize("tls", ["-tls1_2", "-tls1_3"])
def test_a_mere_handshake_registers_nothing(account, server, ca, tls):
    device = ca.new_device()
    done = handshake(
        server.mqtt_port, server_name=account.data_host, root_ca=server.root_ca, device=device, options=[tls]
    )
    assert done.returncode == 0, done.stderr
    # Held open, and with half a CONNECT, it is still no CONNECT.
    with Wire(account, device) as wire:
        wire.send(connect("half")[:7])
        time.sleep(0.5)
        assert status(account, device) is None
    assert status(account, device) is None
    assert PENDING in refused(account, device)
    assert status(account, device) == PENDING


def test_https_registers_nothing(account, ca):
    device = ca.new_device()
    answer = request(account, device, "POST", "/topics/a", b"x")
    assert (answer.status, answer.error) == (403, "ForbiddenException")
    assert UNKNOWN in answer.message
    assert status(account, device) is None


def test_mqtt_3_1_1_devices_are_registered_and_turned_away(account, ca):
    device = ca.new_device()
    for _ in range(2):
        with Wire(account, device) as wire:
            wire.send(connect("old"))
            assert wire.read_to_end() == CONNACK_311_NOT_AUTHORIZED
        assert status(account, device) == PENDING


def test_mosquitto_is_registered_and_turned_away(account, ca):
    device = ca.new_device()
    done = mosquitto(
        "mosquitto_pub", account.server.mqtt_port, root_ca=account.server.root_ca, device=device,
        options=["-t", "x", "-m", "x", "-i", "mosquitto"],
    )  # fmt: skip
    assert done.returncode != 0
    assert status(account, device) == PENDING


@pytest.mark.parametrize("chain", ["leaf", "leaf+ca", "leaf+other", "leaf+intermediate+root"])
def test_the_chain_behind_the_leaf_is_not_needed_and_not_trusted(account, office, ca, chain):
    match chain:
        case "leaf":
            device = ca.new_device()
        case "leaf+ca":
            device = (leaf := ca.new_device()) and behind(leaf, ca.pem)
        case "leaf+other":
            device = behind(ca.new_device(), new_authority(office).pem)
        case "leaf+intermediate+root":
            below = ca.intermediate()
            register(account, below)
            device = behind(below.new_device(), below.pem, ca.pem)
    assert PENDING in refused(account, device)
    assert status(account, device) == PENDING


def test_the_root_alone_vouches_for_nobody_below_its_intermediate(account, ca):
    below = ca.intermediate()
    device = behind(below.new_device(), below.pem, ca.pem)
    assert UNKNOWN in refused(account, device)
    assert status(account, device) is None


@pytest.mark.parametrize("how", ["inactive", "silent", "inactive-and-silent", "deleted", "never-registered"])
def test_who_does_not_vouch_registers_nobody(account, office, how):
    ca = new_authority(office)
    if how != "never-registered":
        register(account, ca, is_active=how == "silent", is_automatic=how in ("inactive", "deleted"))
    if how == "deleted":
        account.iot.delete_ca_certificate(certificateId=ca.id)
    device = ca.new_device()
    assert UNKNOWN in refused(account, device)
    assert UNKNOWN in refused(account, behind(device, ca.pem))
    assert status(account, device) is None
    if how in ("inactive", "silent"):
        account.iot.update_ca_certificate(certificateId=ca.id, newStatus="ACTIVE", newAutoRegistrationStatus="ENABLE")
        assert PENDING in refused(account, device)


def test_a_ca_that_stops_vouching_is_not_told_of_pending_devices_any_more(account, ca):
    device = ca.new_device()
    with listener(account, ca) as operator:
        assert PENDING in refused(account, device)
        operator.receive()
        account.iot.update_ca_certificate(certificateId=ca.id, newAutoRegistrationStatus="DISABLE")
        assert PENDING in refused(account, device)
        account.iot.update_ca_certificate(certificateId=ca.id, newAutoRegistrationStatus="ENABLE")
        assert PENDING in refused(account, other := ca.new_device())
        assert json.loads(operator.receive().payload)["certificateId"] == other.certificate_id


def test_a_name_must_be_given(start_server, account_of, tmp_path):
    account = account_of(start_server(sni="optional"))
    ca = new_authority(tmp_path)
    register(account, ca)
    device = behind(ca.new_device(), ca.pem)
    for name in [None, "somewhere.else.example", "127.0.0.1"]:
        assert refused(account, device, server_name=name, checks_name=False)
        assert status(account, device) is None
    assert PENDING in refused(account, device)


@pytest.mark.parametrize("kind", ["jobs", "credentials"])
def test_other_endpoint_types_register_nothing(account, ca, kind):
    host = account.iot.describe_endpoint(endpointType={"jobs": "iot:Jobs", "credentials": "iot:CredentialProvider"}[kind])
    device = ca.new_device()
    assert refused(account, device, server_name=host["endpointAddress"])
    assert status(account, device) is None


def test_the_name_of_a_ca_alone_registers_nobody(account, office):
    """An attacker names his own CA as ours is named, and shows ours behind his leaf."""
    subject = "/O=Fleet/CN=Namesake at the gate"
    ours, attackers = new_authority(office, subject), new_authority(office, subject)
    register(account, ours)
    device = attackers.new_device()
    for shown in [device, behind(device, attackers.pem), behind(device, ours.pem), behind(device, attackers.pem, ours.pem)]:
        assert UNKNOWN in refused(account, shown)
    assert status(account, device) is None


def test_a_victims_certificate_behind_the_leaf_helps_nobody(account, office, ca):
    victim = account.new_device()
    pending = ca.new_device()
    own = new_authority(office).new_device()
    for shown in [behind(own, victim.certificate.read_text()), behind(own, pending.certificate.read_text(), ca.pem)]:
        assert UNKNOWN in refused(account, shown)
    assert status(account, own) is None and status(account, pending) is None
    # With a leaf of a CA that vouches, it is the leaf that is registered.
    leaf = ca.new_device()
    assert PENDING in refused(account, behind(leaf, victim.certificate.read_text(), pending.certificate.read_text()))
    assert [status(account, each) for each in (leaf, victim, pending)] == [PENDING, "ACTIVE", None]
    account.set_status(victim, "INACTIVE")
    assert PENDING in refused(account, behind(leaf, victim.certificate.read_text()))
    assert status(account, victim) == "INACTIVE"


def test_a_device_that_signs_as_if_it_were_a_ca_registers_nobody(account, office, ca):
    signing = ca.new_device("/CN=signing device", extensions=CA_TRUE)
    leaf = Authority(office, signing.key, signing.certificate).new_device()
    assert UNKNOWN in refused(account, behind(leaf, signing.certificate.read_text(), ca.pem))
    assert [status(account, each) for each in (leaf, signing)] == [None, None]


def test_a_chain_of_a_hundred_certificates_takes_no_time(account, server, office, ca):
    device = ca.new_device()
    twins = [new_authority(office, "/CN=Twin", key=ca.key).pem for _ in range(3)]
    started = time.monotonic()
    for pems in [[ca.pem] * 99, (twins * 33)]:
        try:
            Client(account, behind(device, *pems), "long").connect()
            raise AssertionError("the device was let in")
        except (Refused, Closed, OSError):
            pass
    assert time.monotonic() - started < 5
    assert status(account, device) in (None, PENDING)
    # And the server is there for others.
    with Client(account, account.new_device(), "others"):
        pass
    assert PENDING in refused(account, device)


def test_handshakes_above_sixty_four_kilobytes_are_refused(account, ca):
    device = ca.new_device()
    with pytest.raises((Refused, Closed, OSError)):
        Client(account, behind(device, *[ca.pem] * 250), "longer").connect()
    assert status(account, device) is None


def test_a_leaf_that_is_too_long_is_not_registered(account, ca):
    names = "\n".join(f"DNS.{number} = {number:060}.example" for number in range(300))
    extensions = f"subjectAltName=@names\n[names]\n{names}\n"
    device = ca.new_device(extensions=extensions)
    assert device.certificate.stat().st_size > 22_000
    assert refused(account, device)
    assert status(account, device) is None


@pytest.mark.parametrize("why", ["expired", "not-yet-valid", "sha-1", "rsa-1024", "p-224"])
def test_what_could_not_be_registered_is_not_registered_just_in_time(account, office, why):
    key = new_key(office / f"{why}-ca.key", "RSA", "rsa_keygen_bits:2048")
    ca = new_authority(office, key=key)
    register(account, ca)
    now, how = in_seconds(0), {}
    match why:
        case "expired":
            how["dates"] = (now - 2 * YEAR, now - YEAR)
        case "not-yet-valid":
            how["dates"] = (now + YEAR, now + 2 * YEAR)
        case "sha-1":
            how["digest"] = "sha1"
        case "rsa-1024":
            how["key"] = new_key(office / "weak.key", "RSA", "rsa_keygen_bits:1024")
        case "p-224":
            how["key"] = new_key(office / "odd.key", "EC", "ec_paramgen_curve:P-224")
    device = ca.new_device(**how)
    options = ["-cipher", "DEFAULT@SECLEVEL=0"]
    done = handshake_and_connect(account, device, options)
    assert b"\x20\x02\x00\x00" not in done
    assert status(account, device) is None


def handshake_and_connect(account: Account, device: Device, options: list[str]) -> bytes:
    """Python's TLS would not load weak keys; openssl's client does when told to."""
    server = account.server
    command = [
        *("openssl", "s_client", "-connect", f"127.0.0.1:{server.mqtt_port}", "-servername", account.data_host, "-quiet"),
        *("-CAfile", server.root_ca, "-cert", device.certificate, "-key", device.key, *options),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            return process.communicate(connect("weak"), timeout=20)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            raise


@pytest.mark.parametrize("algorithm", ["pss", "dsa", "p-521"])
def test_any_signing_algorithm_counts(account, office, algorithm):
    match algorithm:
        case "pss":
            key, how = new_key(office / "pss.key", "RSA", "rsa_keygen_bits:2048"), {"signing": PSS, "digest": "sha512"}
        case "dsa":
            key, how = dsa_key(office), {}
        case "p-521":
            key, how = new_key(office / "p521.key", "EC", "ec_paramgen_curve:P-521"), {"digest": "sha512"}
    ca = new_authority(office, key=key, **how)
    account.iot.register_ca_certificate(
        caCertificate=ca.pem, certificateMode="SNI_ONLY", setAsActive=True, allowAutoRegistration=True
    )
    device = ca.new_device(f"/CN={algorithm}", **how)
    assert PENDING in refused(account, device)
    account.set_status(device, "ACTIVE")
    account.iot.attach_policy(policyName=account.new_policy(), target=arn(account, device))
    with Client(account, device, algorithm):
        pass


def test_a_ca_renewed_with_its_key_is_named_by_the_chain(account, office):
    old = new_authority(office, "/O=Fleet/CN=Renewed at the gate")
    new = new_authority(office, "/O=Fleet/CN=Renewed at the gate", key=old.key)
    for each in (old, new):
        register(account, each)
    for shown in (old, new):
        device = behind(shown.new_device(), shown.pem)
        assert PENDING in refused(account, device)
        told = account.iot.describe_certificate(certificateId=device.certificate_id)["certificateDescription"]
        assert told["caCertificateId"] == shown.id
    device = new.new_device()
    assert PENDING in refused(account, device)
    # With the older one switched off, the newer vouches alone.
    for off, on in [(old, new), (new, old)]:
        account.iot.update_ca_certificate(certificateId=off.id, newStatus="INACTIVE")
        account.iot.update_ca_certificate(certificateId=on.id, newStatus="ACTIVE")
        device = on.new_device()
        assert PENDING in refused(account, device)
        told = account.iot.describe_certificate(certificateId=device.certificate_id)["certificateDescription"]
        assert told["caCertificateId"] == on.id


def test_a_deleted_pending_certificate_comes_again(account, ca):
    device = ca.new_device()
    assert PENDING in refused(account, device)
    account.iot.delete_certificate(certificateId=device.certificate_id)
    assert status(account, device) is None
    with listener(account, ca) as operator:
        assert PENDING in refused(account, device)
        assert json.loads(operator.receive().payload)["certificateRegistrationTimestamp"] is None


def test_one_device_at_many_doors_is_registered_once(account, ca):
    device = ca.new_device()
    with listener(account, ca) as operator, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: refused(account, device, client_id=f"door-{number}"), range(8)))
        assert all(PENDING in answer for answer in answers)
        events = [json.loads(operator.receive().payload) for _ in range(8)]
    assert {event["certificateId"] for event in events} == {device.certificate_id}
    assert [event["certificateRegistrationTimestamp"] for event in events].count(None) == 1
    assert len(account.iot.list_certificates_by_ca(caCertificateId=ca.id)["certificates"]) == 1


def test_nobody_forges_an_event(account, ca):
    with listener(account, ca) as operator, Client(account, account.new_device(), "forger") as forger:
        try:
            forger.publish(topic(ca), json.dumps({"certificateId": "0" * 64, "certificateStatus": PENDING}))
        except Closed:
            pass
        device = ca.new_device()
        assert PENDING in refused(account, device)
        assert json.loads(operator.receive().payload)["certificateId"] == device.certificate_id


def test_a_subscriber_needs_a_policy_for_the_event(account, ca):
    statement = {"Effect": "Allow", "Action": ["iot:Connect", "iot:Subscribe"], "Resource": "*"}
    subscribe_only = {"Version": "2012-10-17", "Statement": [statement]}
    connect_only = {"Version": "2012-10-17", "Statement": [statement | {"Action": "iot:Connect"}]}
    with Client(account, account.new_device(connect_only), "no-subscribe") as client:
        try:
            (code,) = client.subscribe(topic(ca))
            assert code.is_failure
        except Closed:
            pass
    with Client(account, account.new_device(subscribe_only), "no-receive") as deaf, listener(account, ca) as operator:
        deaf.subscribe(topic(ca))
        assert PENDING in refused(account, ca.new_device())
        operator.receive()
        assert deaf.messages.empty()


def test_metrics_count_what_is_pending(account, server, ca):
    before = metric(server, "gatehouse_refusals_total", reason="pending-activation")
    refused(account, ca.new_device())
    assert metric(server, "gatehouse_refusals_total", reason="pending-activation") == before + 1


WIDENING = ["*", "?", "+", "#", "a/b", "/", "$aws", "${iot:ClientId}", "victim*", "${*}", "v?ctim", "..", "%2A"]


@pytest.mark.parametrize("value", WIDENING)
def test_subject_values_never_widen_a_policy(account, ca, value):
    """The CA signed what the device asked for; the policy names the device by its common name."""
    prefix = f"arn:aws:iot:us-east-1:{account.credentials.account_id}"
    name = "${iot:Certificate.Subject.CommonName}"
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "iot:Connect", "Resource": [f"{prefix}:client/{name}", f"{prefix}:client/known"]},
            {
                "Effect": "Allow",
                "Action": ["iot:Publish", "iot:Receive"],
                "Resource": f"{prefix}:topic/devices/{name}",
            },
            {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": f"{prefix}:topicfilter/devices/{name}"},
        ],
    }
    escaped = "".join(f"\\{letter}" if letter in "/+\\" else letter for letter in value)
    device = ca.new_device(f"/O=Fleet/CN={escaped}")
    assert PENDING in refused(account, device)
    account.set_status(device, "ACTIVE")
    policy = account.new_policy(document)
    account.iot.attach_policy(policyName=policy, target=arn(account, device))
    for client_id in ["victim", "v", "a", "vxctim"]:
        assert "no policy" in refused(account, device, client_id=client_id)
    with Client(account, account.new_device(), "witness") as witness:
        witness.subscribe("devices/#")
        for wide in ["devices/victim", "devices/#", "devices/+", "devices/victim/#"]:
            with Client(account, device, "known") as client:
                try:
                    (code,) = client.subscribe(wide)
                    assert code.is_failure, wide
                except Closed:
                    pass
        for victim in ["devices/victim", "devices/v"]:
            with Client(account, device, "known") as client:
                try:
                    code = client.publish(victim, "forged")
                    assert code.is_failure, victim
                except Closed:
                    pass
        witness.publish("devices/end", "")
        assert witness.receive().topic == "devices/end"


def test_revoking_wins_against_a_device_that_keeps_coming(account, office):
    """The device connects on and on; from the moment that the operator's call returns, it never gets in."""
    ca = new_authority(office)
    register(account, ca)
    policy = account.new_policy()
    for first in ["REVOKED", "ACTIVE"]:
        for _ in range(3):
            device = ca.new_device()
            is_over, is_revoked = threading.Event(), threading.Event()
            late: list[str] = []

            def keep_coming(number: int) -> None:
                while not is_over.is_set():
                    was_revoked = is_revoked.is_set()
                    try:
                        with Client(account, device, f"again-{number}"):
                            if was_revoked:
                                late.append("let in")
                    except (Refused, Closed, OSError):
                        pass

            with ThreadPoolExecutor(3) as threads:
                coming = [threads.submit(keep_coming, number) for number in range(3)]
                try:
                    eventually(lambda: status(account, device) == PENDING, "the device is registered")
                    account.iot.attach_policy(policyName=policy, target=arn(account, device))
                    if first == "ACTIVE":
                        account.set_status(device, "ACTIVE")
                    account.set_status(device, "REVOKED")
                    is_revoked.set()
                    for _ in range(3):
                        assert "REVOKED" in refused(account, device, client_id="after")
                        assert status(account, device) == "REVOKED"
                finally:
                    is_over.set()
                for each in coming:
                    each.result()
            assert late == []
            assert status(account, device) == "REVOKED"
            account.iot.detach_policy(policyName=policy, target=arn(account, device))


def test_switching_the_ca_off_races_with_devices_and_wins(account, office):
    ca = new_authority(office)
    register(account, ca)
    devices = [ca.new_device() for _ in range(12)]
    with ThreadPoolExecutor(4) as threads:
        arrivals = [threads.submit(refused, account, device) for device in devices[:8]]
        account.iot.update_ca_certificate(certificateId=ca.id, newStatus="INACTIVE")
        listed = {each["certificateId"] for each in account.iot.list_certificates_by_ca(caCertificateId=ca.id)["certificates"]}
        late = [threads.submit(refused, account, device) for device in devices[8:]]
        for each in [*arrivals, *late]:
            each.result()
    after = {each["certificateId"] for each in account.iot.list_certificates_by_ca(caCertificateId=ca.id)["certificates"]}
    assert after.isdisjoint(device.certificate_id for device in devices[8:])
    assert after == listed


def test_a_silent_server_registers_and_says_nothing(start_server, account_of, tmp_path):
    account = account_of(start_server(refusals="silent"))
    ca = new_authority(tmp_path)
    register(account, ca)
    device = ca.new_device()
    with listener(account, ca) as operator:
        for version in (4, 5):
            with Wire(account, device) as wire:
                wire.send(connect("silent", version=version))
                assert wire.read_to_end() == b""
            assert json.loads(operator.receive().payload)["certificateId"] == device.certificate_id
    assert status(account, device) == PENDING
