"""Domain configurations through boto3 and the AWS CLI, with server certificates from files; and what devices find there."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from account import Account, Device
from eventually import eventually
from https import request, signed
from mqtt import V311, Client, refused
from tools import curl, handshake, openssl

ARN = "arn:aws:acm:us-east-1:000000000000:certificate/fleet"
HOST = "mqtt.example.com"
POLICY = "IoTSecurityPolicy_TLS13_1_3_2022_10"


class Authority:
    """A CA that has nothing to do with the server, and the certificates it makes."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.root, self._key = folder / "root.pem", self._new_key("root.key")
        openssl("req", "-x509", "-new", "-key", self._key, "-subj", "/CN=fleet root", "-days", "30", "-out", self.root)

    def write(self, name: str, host: str) -> dict[str, str]:
        """A new certificate for `host`, and its key, both put in their place whole; answers where."""
        key, request, chain = self._new_key("new.key"), self.folder / "new.csr", self.folder / "new.pem"
        extensions = self.folder / "extensions"
        extensions.write_text(f"subjectAltName=DNS:{host}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n")
        openssl("req", "-new", "-key", key, "-subj", "/CN=fleet", "-out", request)
        openssl(
            "x509", "-req", "-in", request, "-CA", self.root, "-CAkey", self._key, "-CAcreateserial", "-days", "30",
            "-extfile", extensions, "-out", chain,
        )  # fmt: skip
        files = {"certificate": self.folder / f"{name}.pem", "key": self.folder / f"{name}.key"}
        chain.rename(files["certificate"])
        key.rename(files["key"])
        return {member: str(path) for member, path in files.items()}

    def _new_key(self, name: str) -> Path:
        key = self.folder / name
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        return key


def configure(config: Path, certificates: dict[str, dict[str, str]]) -> None:
    """Writes a configuration that names these files by ARN."""
    lines = ["[server_certificates]"]
    for arn, files in certificates.items():
        members = ", ".join(f"{member} = {json.dumps(path)}" for member, path in files.items())
        lines.append(f"{json.dumps(arn)} = {{ {members} }}")
    config.write_text("\n".join(lines) + "\n")


@dataclass(frozen=True)
class Fleet:
    """The first account of a server that has a certificate for `HOST`, and who made the certificate."""

    account: Account
    authority: Authority

    @property
    def iot(self):
        return self.account.iot

    @property
    def trust(self) -> Path:
        return self.authority.root

    def create(self, **more) -> None:
        self.iot.create_domain_configuration(
            domainConfigurationName="fleet", domainName=HOST, serverCertificateArns=[ARN], **more
        )

    def update(self, **more) -> None:
        self.iot.update_domain_configuration(domainConfigurationName="fleet", **more)

    def client(self, device: Device, **how) -> Client:
        return Client(self.account, device, **({"server_name": HOST, "root_ca": self.trust} | how))

    def handshake(self, device: Device, *options: str):
        """A handshake of openssl with the domain, whose certificate must be good."""
        return handshake(
            self.account.server.mqtt_port, server_name=HOST, root_ca=self.trust, device=device,
            options=["-verify_hostname", HOST, *options],
        )  # fmt: skip

    def shows(self, device: Device, chain: str) -> bool:
        """Whether the domain shows this certificate."""
        return chain.strip() in self.handshake(device).stdout


@pytest.fixture
def fleet(start_server, account_of, tmp_path) -> Fleet:
    authority, config = Authority(tmp_path), tmp_path / "gatehouse.toml"
    configure(config, {ARN: authority.write("fleet", HOST)})
    return Fleet(account_of(start_server(config=config)), authority)


def test_boto3_makes_shows_changes_and_deletes_a_domain_configuration(fleet):
    iot = fleet.iot
    made = iot.create_domain_configuration(
        domainConfigurationName="fleet", domainName="mqtt.example.com", serverCertificateArns=[ARN]
    )
    assert ":domainconfiguration/fleet/" in made["domainConfigurationArn"]
    described = iot.describe_domain_configuration(domainConfigurationName="fleet")
    assert described["domainName"] == "mqtt.example.com"
    assert described["domainType"] == "CUSTOMER_MANAGED"
    assert described["serverCertificates"] == [
        {"serverCertificateArn": ARN, "serverCertificateStatus": "VALID"}
    ]
    assert described["tlsConfig"] == {"securityPolicy": "IoTSecurityPolicy_TLS13_1_2_2022_10"}

    iot.update_domain_configuration(
        domainConfigurationName="fleet",
        tlsConfig={"securityPolicy": POLICY},
        authenticationType="AWS_X509",
        applicationProtocol="SECURE_MQTT",
    )
    described = iot.describe_domain_configuration(domainConfigurationName="fleet")
    assert described["tlsConfig"] == {"securityPolicy": POLICY}
    assert (described["authenticationType"], described["applicationProtocol"]) == ("AWS_X509", "SECURE_MQTT")

    with pytest.raises(iot.exceptions.InvalidRequestException):
        iot.delete_domain_configuration(domainConfigurationName="fleet")
    iot.update_domain_configuration(domainConfigurationName="fleet", domainConfigurationStatus="DISABLED")
    iot.delete_domain_configuration(domainConfigurationName="fleet")
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_domain_configuration(domainConfigurationName="fleet")


def test_a_certificate_must_name_the_domain_and_be_known(fleet):
    iot = fleet.iot
    for domain, arn in [("other.example.com", ARN), ("mqtt.example.com", ARN + "2")]:
        with pytest.raises(iot.exceptions.CertificateValidationException):
            iot.create_domain_configuration(
                domainConfigurationName="x", domainName=domain, serverCertificateArns=[arn]
            )


def test_a_replacement_for_another_name_is_told_within_seconds(fleet):
    fleet.create()
    fleet.authority.write("fleet", "elsewhere.example.com")

    def is_invalid() -> bool:
        described = fleet.iot.describe_domain_configuration(domainConfigurationName="fleet")
        return described["serverCertificates"][0]["serverCertificateStatus"] == "INVALID"

    eventually(is_invalid, "the replacement is served")


def test_the_cli_lists_the_endpoints_and_changes_their_policy(second_account: Account):
    aws = second_account.aws
    listed = aws("iot", "list-domain-configurations")["domainConfigurations"]
    names = {found["domainConfigurationName"] for found in listed}
    assert names == {"iot:Data-ATS", "iot:Data", "iot:Jobs", "iot:CredentialProvider"}
    aws(
        "iot", "update-domain-configuration", "--domain-configuration-name", "iot:Data-ATS",
        "--tls-config", f"securityPolicy={POLICY}",
    )  # fmt: skip
    described = aws("iot", "describe-domain-configuration", "--domain-configuration-name", "iot:Data-ATS")
    assert described["tlsConfig"]["securityPolicy"] == POLICY
    assert described["domainName"] == second_account.data_host


def test_a_device_that_trusts_another_ca_comes_in_under_the_domain(fleet):
    device = fleet.account.new_device()
    fleet.create()
    with fleet.client(device) as client, fleet.client(device, client_id="old", protocol=V311) as old:
        old.subscribe("fleet")
        client.publish("fleet", "under its own name")
        assert old.receive().payload == b"under its own name"
        # All names of the account lead to the same topics.
        with Client(fleet.account, device, "endpoint") as endpoint:
            endpoint.publish("fleet", "by the endpoint")
        assert old.receive().payload == b"by the endpoint"
    port = fleet.account.server.https_port
    done = curl(
        f"https://{HOST}:{port}/topics/fleet?qos=1", root_ca=fleet.trust, device=device, port=port, options=["--data", "x"]
    )
    assert '"OK"' in done.stdout, done.stderr


def test_the_certificate_is_good_for_the_domain_alone(fleet):
    device = fleet.account.new_device()
    fleet.create()
    assert "Verify return code: 0 (ok)" in fleet.handshake(device).stdout
    server = fleet.account.server
    for name in [fleet.account.data_host, "localhost", "other.example.com"]:
        ours = handshake(server.mqtt_port, server_name=name, root_ca=server.root_ca, device=device)
        assert ours.returncode == 0, ours.stderr
        theirs = handshake(server.mqtt_port, server_name=name, root_ca=fleet.trust, device=device)
        assert theirs.returncode != 0, name


@pytest.mark.parametrize(
    ("policy", "spoken"),
    [
        ("IoTSecurityPolicy_TLS12_1_2_2022_10", ["-tls1_2"]),
        ("IoTSecurityPolicy_TLS13_1_3_2022_10", ["-tls1_3"]),
        ("IoTSecurityPolicy_TLS13_1_2_2022_10", ["-tls1_2", "-tls1_3"]),
    ],
)
def test_the_security_policy_says_which_versions_are_spoken(fleet, policy, spoken):
    device = fleet.account.new_device()
    fleet.create()
    fleet.update(tlsConfig={"securityPolicy": policy})
    fleet.iot.update_domain_configuration(
        domainConfigurationName="iot:Data-ATS", tlsConfig={"securityPolicy": policy}
    )
    server, endpoint = fleet.account.server, fleet.account.data_host
    for version in ["-tls1_2", "-tls1_3"]:
        by_endpoint = handshake(
            server.mqtt_port, server_name=endpoint, root_ca=server.root_ca, device=device, options=[version]
        )
        for done in [fleet.handshake(device, version), by_endpoint]:
            if version in spoken:
                assert done.returncode == 0, done.stderr
                assert f"New, {'TLSv1.3' if version == '-tls1_3' else 'TLSv1.2'}" in done.stdout
            else:
                assert done.returncode != 0
                assert "alert protocol version" in done.stderr, done.stderr


def test_a_fixed_protocol_is_spoken_on_every_port(fleet):
    account = fleet.account
    device, server = account.new_device(), account.server
    ports = [server.mqtt_port, server.https_port, server.alpn_port]
    fleet.create(authenticationType="AWS_X509", applicationProtocol="SECURE_MQTT")
    for port in ports:
        with fleet.client(device, port=port) as client:
            client.publish("fleet", "x")
    fleet.update(authenticationType="AWS_X509", applicationProtocol="HTTPS")
    for port in ports:
        done = curl(f"https://{HOST}:{port}/topics/a", root_ca=fleet.trust, device=device, port=port, options=["--data", "x"])
        assert '"OK"' in done.stdout, done.stderr
    fleet.update(authenticationType="AWS_SIGV4", applicationProtocol="HTTPS")
    for port in ports:
        headers = signed(account, "POST", "/topics/a", b"x", host=HOST)
        how = {"server_name": HOST, "root_ca": fleet.trust, "port": port}
        assert request(account, None, "POST", "/topics/a", b"x", headers, **how).status == 200


def test_a_disabled_domain_refuses_everybody(fleet):
    account = fleet.account
    device = account.new_device()
    fleet.create()
    with fleet.client(device, client_id="stays") as stays:
        fleet.update(domainConfigurationStatus="DISABLED")
        assert "DISABLED" in refused(account, device, server_name=HOST, root_ca=fleet.trust)
        stays.publish("fleet", "who is in stays")
    how = {"server_name": HOST, "root_ca": fleet.trust}
    for answer in [
        request(account, device, "POST", "/topics/a", b"x", **how),
        request(account, None, "POST", "/topics/a", b"x", signed(account, "POST", "/topics/a", b"x", host=HOST), **how),
    ]:
        assert (answer.status, answer.error) == (403, "ForbiddenException")
        assert "DISABLED" in answer.message
    assert account.server.log_tail().count('reason="domain-disabled"') == 3
    fleet.update(domainConfigurationStatus="ENABLED")
    with fleet.client(device) as client:
        client.publish("fleet", "x")


def test_a_replaced_certificate_is_shown_to_newcomers_and_ends_nobody(fleet):
    device = fleet.account.new_device()
    fleet.create()
    server, chain = fleet.account.server, fleet.authority.folder / "fleet.pem"
    first = chain.read_text()
    with fleet.client(device, client_id="stays") as stays:
        assert fleet.shows(device, first)
        fleet.authority.write("fleet", HOST)
        second = chain.read_text()
        assert first != second
        eventually(lambda: fleet.shows(device, second), "the replacement is shown")

        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", fleet.authority.folder / "fleet.key")
        eventually(lambda: "replacement is refused" in server.log_tail(), "the log says what is wrong")
        assert fleet.shows(device, second)
        stays.publish("fleet", "still here")


def test_one_certificate_in_two_accounts_goes_where_the_domain_leads(start_server, account_of, tmp_path):
    authority, config = Authority(tmp_path), tmp_path / "gatehouse.toml"
    files = authority.write("both", "*.example.com")
    configure(config, {ARN: files})
    server = start_server(config=config)
    credentials = server.create_account()
    theirs_arn = ARN.replace("000000000000", credentials.account_id)
    # A certificate is given to an account by the operator, who must know its id.
    server.stop()
    configure(config, {ARN: files, theirs_arn: files})
    server.start()
    folder = tmp_path / "theirs"
    folder.mkdir()
    accounts = {"ours": (account_of(server), ARN), "theirs": (Account(server, credentials, folder), theirs_arn)}
    key, pem = accounts["ours"][0].new_self_signed()
    devices = {}
    for name, (account, arn) in accounts.items():
        devices[name] = account.register_without_ca(key, pem)
        account.allow(devices[name])
        account.iot.create_domain_configuration(
            domainConfigurationName=name, domainName=f"{name}.example.com", serverCertificateArns=[arn]
        )
    ours, device = accounts["ours"][0], devices["ours"]

    def client(name: str) -> Client:
        return Client(ours, device, name, server_name=f"{name}.example.com", root_ca=authority.root)

    with client("ours") as in_ours, client("theirs") as in_theirs:
        in_ours.subscribe("t")
        in_theirs.subscribe("t")
        in_ours.publish("t", "ours")
        in_theirs.publish("t", "theirs")
        assert in_ours.receive().payload == b"ours"
        assert in_theirs.receive().payload == b"theirs"
    accounts["theirs"][0].set_status(devices["theirs"], "INACTIVE")
    assert "INACTIVE" in refused(ours, device, server_name="theirs.example.com", root_ca=authority.root)
    with client("ours") as in_ours:
        in_ours.publish("t", "x")


def test_a_client_of_tls_1_2_gets_the_chain_that_it_can_verify_whatever_it_offers_for_tls_1_3(fleet):
    account = fleet.account
    device, server = account.new_device(), account.server
    policy = {"securityPolicy": "IoTSecurityPolicy_TLS12_1_2_2022_10"}
    fleet.iot.update_domain_configuration(domainConfigurationName="iot:Data-ATS", tlsConfig=policy)
    for kind in ["RSA", "ECDSA"]:
        suite = f"ECDHE-{kind}-AES128-GCM-SHA256"
        done = handshake(
            server.mqtt_port, server_name=account.data_host, root_ca=server.root_ca, device=device, options=["-cipher", suite]
        )
        assert done.returncode == 0, done.stderr
        assert f"New, TLSv1.2, Cipher is {suite}" in done.stdout
