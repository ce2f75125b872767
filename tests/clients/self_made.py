"""Certificates that no authority of ours made, with whatever dates, keys and digests a test wants."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

from tools import openssl

CONFIGURATION = """
[ca]
default_ca = own
[own]
dir = {folder}
database = {folder}/index
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""


def in_seconds(seconds: float) -> datetime:
    """A moment so many seconds from now; certificates know whole seconds."""
    return datetime.now(timezone.utc) + timedelta(seconds=seconds)


def valid_between(folder: Path, key: Path, not_before: datetime, not_after: datetime) -> str:
    """A self-signed certificate for `key` with these dates."""
    own = folder / f"{key.stem}-authority"
    own.mkdir()
    (own / "index").touch()
    configuration = own / "openssl.cnf"
    configuration.write_text(CONFIGURATION.format(folder=own))
    request = own / "request.pem"
    openssl("req", "-new", "-key", key, "-subj", "/CN=dated", "-out", request)
    dates = ["-startdate", f"{not_before:%Y%m%d%H%M%SZ}", "-enddate", f"{not_after:%Y%m%d%H%M%SZ}"]
    return openssl(
        *("ca", "-batch", "-selfsign", "-notext", "-rand_serial", "-config", configuration),
        *("-keyfile", key, "-in", request, *dates),
    )


def new_key(path: Path, algorithm: str, *options: str) -> Path:
    """A private key, e.g. `new_key(path, "RSA", "rsa_keygen_bits:2048")`."""
    chosen = [part for option in options for part in ("-pkeyopt", option)]
    openssl("genpkey", "-algorithm", algorithm, *chosen, "-out", path)
    return path


def self_signed(key: Path, *options: str) -> str:
    """A self-signed certificate for `key`."""
    return openssl("req", "-x509", "-new", "-key", key, "-subj", "/CN=self-made", "-days", "30", *options)
