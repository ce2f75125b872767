"""Domain configurations through boto3 and the AWS CLI, with server certificates from files."""

import json

import pytest

from account import Account
from eventually import eventually
from tools import openssl

ARN = "arn:aws:acm:us-east-1:000000000000:certificate/fleet"
POLICY = "IoTSecurityPolicy_TLS13_1_3_2022_10"


def write_certificate(folder, name: str) -> None:
    """A certificate for `name`, and its key, both put in their place whole."""
    key, chain = folder / "key.new", folder / "chain.new"
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    openssl(
        "req", "-x509", "-new", "-key", key, "-subj", "/CN=fleet", "-days", "30",
        "-addext", f"subjectAltName=DNS:{name}", "-out", chain,
    )  # fmt: skip
    chain.rename(folder / "chain.pem")
    key.rename(folder / "key.pem")


@pytest.fixture
def fleet(start_server, account_of, tmp_path):
    """The first account of a server with a certificate for mqtt.example.com, and the folder of its files."""
    write_certificate(tmp_path, "mqtt.example.com")
    config = tmp_path / "gatehouse.toml"
    files = {"certificate": str(tmp_path / "chain.pem"), "key": str(tmp_path / "key.pem")}
    members = ", ".join(f"{member} = {json.dumps(path)}" for member, path in files.items())
    config.write_text(f"[server_certificates]\n{json.dumps(ARN)} = {{ {members} }}\n")
    return account_of(start_server(config=config)), tmp_path


def test_boto3_makes_shows_changes_and_deletes_a_domain_configuration(fleet):
    iot = fleet[0].iot
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
    iot = fleet[0].iot
    for domain, arn in [("other.example.com", ARN), ("mqtt.example.com", ARN + "2")]:
        with pytest.raises(iot.exceptions.CertificateValidationException):
            iot.create_domain_configuration(
                domainConfigurationName="x", domainName=domain, serverCertificateArns=[arn]
            )


def test_a_replaced_certificate_is_seen_within_seconds(fleet):
    account, folder = fleet
    account.iot.create_domain_configuration(
        domainConfigurationName="fleet", domainName="mqtt.example.com", serverCertificateArns=[ARN]
    )
    write_certificate(folder, "elsewhere.example.com")

    def is_invalid() -> bool:
        described = account.iot.describe_domain_configuration(domainConfigurationName="fleet")
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
