"""An account as its owner works with it: boto3, the AWS CLI, and certificates for devices."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import boto3
from botocore.config import Config

from server import Credentials, Server
from tools import openssl

REGION = "us-east-1"

ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}


@dataclass(frozen=True)
class Device:
    """A certificate and its key, as files, and how the registry knows it."""

    certificate_id: str
    certificate_arn: str
    certificate: Path
    key: Path


class Account:
    """One account of one server; `folder` takes the files of its devices."""

    def __init__(self, server: Server, credentials: Credentials, folder: Path, region: str = REGION):
        self.server = server
        self.credentials = credentials
        self.region = region
        self.folder = folder
        self._made = 0

    @cached_property
    def iot(self):
        """A boto3 client of service `iot`."""
        return self.client("iot")

    def client(self, service: str, endpoint_url: str | None = None, *, verify: Path | None = None, **settings):
        """A boto3 client that tries once, so that a test sees the first answer."""
        return boto3.client(
            service,
            region_name=self.region,
            endpoint_url=endpoint_url or self.server.api_url,
            aws_access_key_id=self.credentials.access_key_id,
            aws_secret_access_key=self.credentials.secret_access_key,
            verify=None if verify is None else str(verify),
            config=Config(retries={"total_max_attempts": 1}, **settings),
        )

    def aws(self, *arguments: str) -> dict:
        """The AWS CLI; answers what it printed as JSON, `{}` for nothing."""
        done = self.try_aws(*arguments)
        assert done.returncode == 0, f"aws {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}"
        return json.loads(done.stdout or "{}")

    def try_aws(self, *arguments: str) -> subprocess.CompletedProcess:
        """The AWS CLI, whatever comes of it."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        environment = inherited | {
            # The files that the server wrote; the keys beside them so that any account can call.
            "AWS_CONFIG_FILE": str(self.server.data / "aws" / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.server.data / "aws" / "credentials"),
            "AWS_ACCESS_KEY_ID": self.credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.credentials.secret_access_key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
        }
        program = Path(sys.executable).with_name("aws")
        command = [program, "--endpoint-url", self.server.api_url, "--output", "json", *arguments]
        return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    @cached_property
    def data_host(self) -> str:
        """The host name of this account's data endpoint."""
        return self.iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]

    def new_policy(self, document: dict | None = None) -> str:
        """A policy under a fresh name; allows everything unless told otherwise."""
        name = f"policy-{self._next()}"
        self.iot.create_policy(policyName=name, policyDocument=json.dumps(document or ALLOW_ALL))
        return name

    def new_device(self, document: dict | None = None, *, is_active: bool = True, is_attached: bool = True) -> Device:
        """A device with a P-256 key and a certificate of the server's own authority; may do everything unless told otherwise."""
        key, request = self.new_request()
        made = self.iot.create_certificate_from_csr(certificateSigningRequest=request, setAsActive=is_active)
        device = self._device(made, made["certificatePem"], key)
        if is_attached:
            self.allow(device, document)
        return device

    def new_device_with_keys(self, *, is_active: bool = True) -> Device:
        """A device whose key pair the server made."""
        made = self.iot.create_keys_and_certificate(setAsActive=is_active)
        key = self.folder / f"device-{self._next()}.key"
        key.write_text(made["keyPair"]["PrivateKey"])
        return self._device(made, made["certificatePem"], key)

    def new_request(self, subject: str = "/CN=device") -> tuple[Path, str]:
        """A P-256 key and a certification request for it."""
        key = self.new_key()
        return key, openssl("req", "-new", "-key", key, "-subj", subject)

    def new_self_signed(self, subject: str = "/CN=device", *, days: int = 365) -> tuple[Path, str]:
        """A P-256 key and a certificate that no authority vouches for."""
        key = self.new_key()
        return key, openssl("req", "-x509", "-new", "-key", key, "-subj", subject, "-days", str(days))

    def new_key(self) -> Path:
        """A P-256 key."""
        key = self.folder / f"device-{self._next()}.key"
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        return key

    def register_without_ca(self, key: Path, certificate_pem: str, status: str = "ACTIVE") -> Device:
        """Takes in a certificate from any issuer."""
        made = self.iot.register_certificate_without_ca(certificatePem=certificate_pem, status=status)
        return self._device(made, certificate_pem, key)

    def forget_policies(self, device: Device) -> None:
        """Detaches every policy of the device."""
        for policy in self.iot.list_attached_policies(target=device.certificate_arn)["policies"]:
            self.iot.detach_policy(policyName=policy["policyName"], target=device.certificate_arn)

    def set_status(self, device: Device, status: str) -> None:
        self.iot.update_certificate(certificateId=device.certificate_id, newStatus=status)

    def allow(self, device: Device, document: dict | None = None) -> str:
        """Attaches a fresh policy to the device, and answers its name."""
        name = self.new_policy(document)
        self.iot.attach_policy(policyName=name, target=device.certificate_arn)
        return name

    def _device(self, made: dict, certificate_pem: str, key: Path) -> Device:
        certificate = key.with_suffix(".pem")
        certificate.write_text(certificate_pem)
        return Device(made["certificateId"], made["certificateArn"], certificate, key)

    def _next(self) -> str:
        self._made += 1
        return f"{self.credentials.account_id}-{self.region}-{self._made}"
