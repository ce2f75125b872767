"""Certificate providers: a function of the account's issues in the place of the server, and devices connect with that."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from account import Account, Device
from authority import Authority, register, status
from mqtt import Client, refused
from provisioning import CERTIFICATE_ID, provisioning_role, template_body
from tools import openssl

ACCOUNT = "000000000000"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:sign"
OPERATIONS = ["CreateCertificateFromCsr"]


class Function:
    """A function over HTTP, which signs with an authority of its own."""

    def __init__(self, folder):
        self.folder, self.events = folder, []
        self.root, self.key = folder / "root.pem", folder / "root.key"
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.key)
        openssl("req", "-x509", "-new", "-key", self.key, "-subj", "/CN=their root", "-days", "30", "-out", self.root)
        function = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                function.events.append(event)
                answer = json.dumps({"certificatePem": function.sign(event["certificateSigningRequest"])}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/sign"

    def sign(self, request: str) -> str:
        signer = ["-CA", self.root, "-CAkey", self.key, "-CAcreateserial", "-days", "30"]
        return openssl("x509", "-req", *signer, given=request)


@pytest.fixture(scope="module")
def function(tmp_path_factory):
    function = Function(tmp_path_factory.mktemp("function"))
    yield function
    function.server.shutdown()
    function.server.server_close()


@pytest.fixture(scope="module")
def house(start_module_server, account_of, tmp_path_factory, function):
    """The first account of a server that knows the function."""
    config = tmp_path_factory.mktemp("functions") / "gatehouse.toml"
    config.write_text(f'[functions]\n"{FUNCTION}" = {{ url = "{function.url}" }}\n')
    return account_of(start_module_server(config=config))


@pytest.fixture
def provider(house):
    house.iot.create_certificate_provider(
        certificateProviderName="ours", lambdaFunctionArn=FUNCTION, accountDefaultForOperations=OPERATIONS
    )
    yield "ours"
    house.iot.delete_certificate_provider(certificateProviderName="ours")


def issuer(pem: str) -> str:
    return openssl("x509", "-noout", "-issuer", given=pem)


def test_a_device_connects_with_what_the_function_issued(house, provider, function):
    key, request = house.new_request("/CN=meter-7")
    made = house.iot.create_certificate_from_csr(certificateSigningRequest=request, setAsActive=True)
    assert "their root" in issuer(made["certificatePem"])
    assert function.events[-1] == {
        "certificateSigningRequest": request,
        "principalId": house.credentials.access_key_id,
        "clientId": "",
    }
    certificate = key.with_suffix(".pem")
    certificate.write_text(made["certificatePem"])
    device = Device(made["certificateId"], made["certificateArn"], certificate, key)
    house.allow(device)
    with Client(house, device, "meter-7") as client:
        client.subscribe("a")

    keys = house.iot.create_keys_and_certificate()
    assert "Amazon Web Services" in issuer(keys["certificatePem"])


def as_device(account: Account, name: str, certificate_id: str, pem: str, private_key: str) -> Device:
    certificate, key = (account.folder / f"{name}.{kind}" for kind in ("pem", "key"))
    certificate.write_text(pem)
    key.write_text(private_key)
    return Device(certificate_id, "", certificate, key)


def ask(client: Client, topic: str, **members) -> dict:
    """Asks the service, and answers what it accepts with."""
    client.publish(topic, json.dumps(members))
    answer = client.receive()
    assert answer.topic == f"{topic}/accepted", answer.payload
    return json.loads(answer.payload)


def test_a_certificate_of_fleet_provisioning_is_not_provisioned_just_in_time_by_its_ca(house, provider, function):
    """The fleet's template decides, and not the template of the CA with which the function happens to sign."""
    role = provisioning_role(house)
    of_ca = template_body(
        Parameters={CERTIFICATE_ID: {"Type": "String"}},
        Resources={"thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": "by-the-ca"}}},
    )
    authority = Authority(function.folder, function.key, function.root)
    register(house, authority, "SNI_ONLY", registrationConfig={"templateBody": of_ca, "roleArn": role})
    of_fleet = template_body(Resources={"thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": "by-the-fleet"}}})
    house.iot.create_provisioning_template(
        templateName="fleet", templateBody=of_fleet, provisioningRoleArn=role, enabled=True
    )
    claim = house.iot.create_provisioning_claim(templateName="fleet")
    holder = as_device(house, "claim", claim["certificateId"], claim["certificatePem"], claim["keyPair"]["PrivateKey"])
    key, request = house.new_request("/CN=meter-8")
    with Client(house, holder, "meter-8") as client:
        made = ask(client, "$aws/certificates/create-from-csr/json", certificateSigningRequest=request)
        assert "their root" in issuer(made["certificatePem"])
        device = as_device(house, "meter-8", made["certificateId"], made["certificatePem"], key.read_text())
        assert "just" not in refused(house, device, client_id="early")
        assert status(house, device) == "PENDING_ACTIVATION"
        token = made["certificateOwnershipToken"]
        answer = ask(client, "$aws/provisioning-templates/fleet/provision/json", certificateOwnershipToken=token)
        assert answer["thingName"] == "by-the-fleet"
    assert status(house, device) == "ACTIVE"
    assert house.iot.list_things()["things"][0]["thingName"] == "by-the-fleet"


def test_without_a_provider_the_server_issues_again(house, provider):
    _, request = house.new_request()

    def issued() -> str:
        return issuer(house.iot.create_certificate_from_csr(certificateSigningRequest=request)["certificatePem"])

    assert "their root" in issued()
    house.iot.delete_certificate_provider(certificateProviderName=provider)
    assert "Amazon Web Services" in issued()
    house.iot.create_certificate_provider(
        certificateProviderName=provider, lambdaFunctionArn=FUNCTION, accountDefaultForOperations=OPERATIONS
    )


def test_a_function_that_is_not_configured_is_named_in_the_log(house, provider):
    house.iot.update_certificate_provider(certificateProviderName=provider, lambdaFunctionArn=f"{FUNCTION}:7")
    _, request = house.new_request()
    with pytest.raises(house.iot.exceptions.InvalidRequestException) as refused:
        house.iot.create_certificate_from_csr(certificateSigningRequest=request)
    assert f"{FUNCTION}:7" in str(refused.value)
    told = [line for line in house.server.log_tail().splitlines() if "a function was called in vain" in line]
    assert any(f"{FUNCTION}:7" in line and "[functions]" in line for line in told), told


def test_boto3_makes_shows_changes_and_lists_providers(second_account):
    iot, account = second_account.iot, second_account.credentials.account_id
    function = FUNCTION.replace(ACCOUNT, account)
    made = iot.create_certificate_provider(
        certificateProviderName="p",
        lambdaFunctionArn=function,
        accountDefaultForOperations=OPERATIONS,
        tags=[{"Key": "team", "Value": "meters"}],
    )
    arn = f"arn:aws:iot:us-east-1:{account}:certificateprovider:p"
    assert made["certificateProviderArn"] == arn
    assert iot.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "team", "Value": "meters"}]
    described = iot.describe_certificate_provider(certificateProviderName="p")
    assert (described["lambdaFunctionArn"], described["accountDefaultForOperations"]) == (function, OPERATIONS)
    iot.update_certificate_provider(certificateProviderName="p", lambdaFunctionArn=f"{function}:7")
    assert iot.describe_certificate_provider(certificateProviderName="p")["lambdaFunctionArn"] == f"{function}:7"
    summary = {"certificateProviderName": "p", "certificateProviderArn": arn}
    assert iot.list_certificate_providers()["certificateProviders"] == [summary]
    assert second_account.aws("iot", "list-certificate-providers", "--ascending-order")["certificateProviders"] == [summary]

    again = {"lambdaFunctionArn": function, "accountDefaultForOperations": OPERATIONS}
    with pytest.raises(iot.exceptions.ResourceAlreadyExistsException):
        iot.create_certificate_provider(certificateProviderName="p", **again)
    with pytest.raises(iot.exceptions.LimitExceededException):
        iot.create_certificate_provider(certificateProviderName="q", **again)
    iot.delete_certificate_provider(certificateProviderName="p")
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_certificate_provider(certificateProviderName="p")
