"""Certificate authorities as their owners run them: with the openssl command, beside the server."""

import hashlib
import itertools
import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from account import Account, Device
from self_made import new_key
from tools import openssl

CA_TRUE = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
CA_FALSE = "basicConstraints=critical,CA:FALSE\n"
PSS = ("rsa_padding_mode:pss", "rsa_pss_saltlen:-1")

# openssl's own configuration would add extensions that a test did not ask for.
REQUEST = "[req]\ndistinguished_name = any\n[any]\n"
DATED = """
[ca]
default_ca = own
[own]
database = {folder}/index
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = optional
"""

_numbers = itertools.count()


def p256(path: Path) -> Path:
    return new_key(path, "EC", "ec_paramgen_curve:P-256")


def certificate_id(pem: str) -> str:
    """As the registry names it: the SHA-256 of the DER."""
    return hashlib.sha256(der(pem)).hexdigest()


def der(pem: str) -> bytes:
    """The first certificate of a PEM text."""
    first = pem[pem.index("-----BEGIN CERTIFICATE") :].partition("-----END CERTIFICATE-----")
    return ssl.PEM_cert_to_DER_cert(first[0] + first[1])


def request(folder: Path, key: Path, subject: str) -> Path:
    """A certification request."""
    configuration, made = folder / "request.cnf", folder / f"{next(_numbers)}.csr"
    configuration.write_text(REQUEST)
    openssl("req", "-new", "-utf8", "-config", configuration, "-key", key, "-subj", subject, "-out", made)
    return made


@dataclass(frozen=True)
class Authority:
    """A CA: its files, and the folder where it works."""

    folder: Path
    key: Path
    certificate: Path

    @property
    def pem(self) -> str:
        return self.certificate.read_text()

    @property
    def id(self) -> str:
        return certificate_id(self.pem)

    def issue(
        self,
        key: Path,
        subject: str = "/CN=device",
        *,
        digest: str = "sha256",
        signing: tuple[str, ...] = (),
        extensions: str = "",
        dates: tuple[datetime, datetime] | None = None,
    ) -> str:
        """Signs; X.509 v1 unless `extensions` are given."""
        wanted = request(self.folder, key, subject)
        own = ["-CA", self.certificate, "-CAkey", self.key]
        return _sign(self.folder, wanted, own, digest, signing, extensions, dates)

    def new_device(self, subject: str = "/CN=device", *, key: Path | None = None, **how) -> Device:
        """A key and a certificate for it that nobody has registered."""
        key = key or p256(self.folder / f"device-{next(_numbers)}.key")
        pem = self.issue(key, subject, **how)
        certificate = self.folder / f"device-{next(_numbers)}.pem"
        certificate.write_text(pem)
        return Device(certificate_id(pem), "", certificate, key)

    def verification(self, code: str, **how) -> str:
        """What proves to AWS IoT that its owner has the key (developer guide, "Register your CA certificate")."""
        return self.issue(p256(self.folder / f"verification-{next(_numbers)}.key"), f"/C=DE/O=Fleet/CN={code}", **how)

    def intermediate(self, subject: str = "/CN=Intermediate CA", extensions: str = CA_TRUE, **how) -> "Authority":
        """A CA below this one."""
        key = p256(self.folder / f"ca-{next(_numbers)}.key")
        certificate = key.with_suffix(".pem")
        certificate.write_text(self.issue(key, subject, extensions=extensions, **how))
        return Authority(self.folder, key, certificate)


def new_authority(
    folder: Path,
    subject: str | None = None,
    *,
    key: Path | None = None,
    digest: str = "sha256",
    signing: tuple[str, ...] = (),
    extensions: str = CA_TRUE,
    dates: tuple[datetime, datetime] | None = None,
) -> Authority:
    """A CA that signed itself, with a subject of its own unless given one."""
    number = next(_numbers)
    key = key or p256(folder / f"ca-{number}.key")
    wanted = request(folder, key, subject or f"/O=Fleet/CN=CA {number} of {folder.name}")
    certificate = folder / f"ca-{number}.pem"
    certificate.write_text(_sign(folder, wanted, ["-key", key], digest, signing, extensions, dates))
    return Authority(folder, key, certificate)


def dsa_key(folder: Path) -> Path:
    """A DSA key as AWS IoT takes it: 2048 and 256 bits."""
    parameters, key = folder / "dsa.parameters", folder / f"dsa-{next(_numbers)}.key"
    if not parameters.exists():
        openssl(
            *("genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:2048"),
            *("-pkeyopt", "dsa_paramgen_q_bits:256", "-out", parameters),
        )
    openssl("genpkey", "-paramfile", parameters, "-out", key)
    return key


def register(account: Account, authority: Authority, mode: str = "DEFAULT", *, is_active=True, is_automatic=True, **more) -> dict:
    """Registers a CA as its owner would, proof included."""
    if mode == "DEFAULT":
        code = account.iot.get_registration_code()["registrationCode"]
        more["verificationCertificate"] = authority.verification(code)
    return account.iot.register_ca_certificate(
        caCertificate=authority.pem,
        certificateMode=mode,
        setAsActive=is_active,
        allowAutoRegistration=is_automatic,
        **more,
    )


def arn(account: Account, device: Device) -> str:
    """The ARN of a device's certificate in an account."""
    return f"arn:aws:iot:{account.region}:{account.credentials.account_id}:cert/{device.certificate_id}"


def status(account: Account, device: Device) -> str | None:
    """The status of a device's certificate in an account; None where it is not registered."""
    try:
        described = account.iot.describe_certificate(certificateId=device.certificate_id)
    except account.iot.exceptions.ResourceNotFoundException:
        return None
    return described["certificateDescription"]["status"]


def _sign(folder, wanted, own, digest, signing, extensions, dates) -> str:
    options = [part for option in signing for part in ("-sigopt", option)]
    if extensions:
        file = folder / f"{next(_numbers)}.ext"
        file.write_text(extensions)
        options += ["-extfile", file]
    if dates is None:
        return openssl("x509", "-req", "-in", wanted, *own, f"-{digest}", "-days", "500", "-set_serial", _serial(), *options)
    office = folder / f"office-{next(_numbers)}"
    office.mkdir()
    (office / "index").touch()
    configuration = office / "openssl.cnf"
    configuration.write_text(DATED.format(folder=office))
    key = own[own.index("-CAkey" if "-CAkey" in own else "-key") + 1]
    issuer = ["-cert", own[1], "-keyfile", key] if own[0] == "-CA" else ["-selfsign", "-keyfile", key]
    return openssl(
        *("ca", "-batch", "-notext", "-rand_serial", "-preserveDN", "-config", configuration, *issuer, "-in", wanted),
        *("-md", digest, "-startdate", f"{dates[0]:%Y%m%d%H%M%SZ}", "-enddate", f"{dates[1]:%Y%m%d%H%M%SZ}", *options),
    )


def _serial() -> str:
    return str(1000 + next(_numbers))
