#!/usr/bin/env python3
"""Makes the requests and certificates that the tests of this crate read. Needs openssl 3 and nothing else.

Usage: ./make.py        (writes csr/*.pem and certificate/*.pem beside itself, with new keys)

What openssl does not make is built here from numbers: keys with planted weaknesses, and requests with odd shapes.
"""

import hashlib
import random
import shutil
import subprocess
import tempfile
from pathlib import Path

from der import NULL, bits, integer, oid, pem, seq, tlv

HERE = Path(__file__).parent
WORK = Path(tempfile.mkdtemp())
RANDOM = random.Random(2017)


def openssl(*args, stdin=None):
    return subprocess.run(["openssl", *map(str, args)], input=stdin, check=True, capture_output=True, cwd=WORK).stdout


# --- numbers -------------------------------------------------------------------------------------------------------

def primes(count):
    found = []
    n = 2
    while len(found) < count:
        if all(n % p for p in found if p * p <= n):
            found.append(n)
        n += 1
    return found


SMALL = primes(400)


def is_prime(n):
    if any(n % p == 0 for p in SMALL):
        return n in SMALL
    d, r = n - 1, 0
    while d % 2 == 0:
        d, r = d // 2, r + 1
    for _ in range(24):
        x = pow(RANDOM.randrange(2, n - 1), d, n)
        if x in (1, n - 1):
            continue
        for _ in range(r - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def next_prime(n):
    n |= 1
    while not is_prime(n):
        n += 2
    return n


def random_prime(bits):
    # The two highest bits are set, so that the product of two has twice the bits.
    return next_prime(RANDOM.getrandbits(bits) | 3 << (bits - 2))


def roca_prime(bits):
    """A prime of the form k * M + (65537^a mod M), as the library of CVE-2017-15361 made them."""
    m = 1
    for p in primes(126):
        m *= p
    while True:
        k = RANDOM.randrange((3 << (bits - 2)) // m, (1 << bits) // m)
        candidate = k * m + pow(65537, RANDOM.getrandbits(256), m)
        if candidate.bit_length() == bits and is_prime(candidate):
            return candidate


# --- requests, piece by piece -------------------------------------------------------------------------------------

RSA = seq(oid("1.2.840.113549.1.1.1"), NULL)
SHA256_RSA = seq(oid("1.2.840.113549.1.1.11"), NULL)
SUBJECT = seq(tlv(0x31, seq(oid("2.5.4.3"), tlv(0x0C, b"device"))))
ATTRIBUTES = tlv(0xA0)


def rsa_spki(n, e, algorithm=RSA):
    return seq(algorithm, bits(seq(integer(n), integer(e))))


def rsa_sign(n, d, message):
    info = seq(seq(oid("2.16.840.1.101.3.4.2.1"), NULL), tlv(0x04, hashlib.sha256(message).digest()))
    size = (n.bit_length() + 7) // 8
    padded = b"\0\1" + b"\xff" * (size - 3 - len(info)) + b"\0" + info
    return pow(int.from_bytes(padded, "big"), d, n).to_bytes(size, "big")


def request(spki, sign, algorithm=SHA256_RSA, version=0, attributes=ATTRIBUTES, subject=SUBJECT):
    info = seq(integer(version), subject, spki, attributes)
    return seq(info, algorithm, bits(sign(info)))


# --- requests ------------------------------------------------------------------------------------------------------

def write(kind, name, text):
    folder = HERE / kind
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.pem").write_text(text)


def csr(name, der):
    write("csr", name, pem(der, "CERTIFICATE REQUEST"))


def made_by_openssl(name, key, *options, subject="/CN=device"):
    out = openssl("req", "-new", "-key", key, "-subj", subject, *options)
    write("csr", name, out.decode())


def keys():
    for bits_ in (1024, 2048, 3072, 4096):
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits_}", "-out", f"rsa{bits_}.key")
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_pubexp:3", "-out", "rsa-e3.key")
    curves = ["P-256", "P-384", "P-521", "prime192v1", "secp224r1", "secp256k1", "brainpoolP256r1"]
    for curve in curves:
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}", "-out", f"{curve}.key")
    openssl("genpkey", "-algorithm", "ED25519", "-out", "ed25519.key")
    openssl("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "rsa-pss.key")
    openssl("genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:2048", "-out", "dsa.par")
    openssl("genpkey", "-paramfile", "dsa.par", "-out", "dsa.key")
    explicit = ["-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit"]
    openssl("genpkey", "-algorithm", "EC", *explicit, "-out", "explicit.key")
    openssl("ec", "-in", "P-256.key", "-conv_form", "compressed", "-out", "compressed.key")


def accepted_requests():
    for name in ("rsa2048", "rsa3072", "rsa4096", "rsa-e3"):
        made_by_openssl(name, f"{name}.key")
    for curve in ("P-256", "P-384", "P-521"):
        for digest in ("sha256", "sha384", "sha512"):
            made_by_openssl(f"{curve.lower()}-{digest}", f"{curve}.key", f"-{digest}")
    for digest, salt in (("sha256", 32), ("sha384", 48), ("sha512", 64)):
        made_by_openssl(f"rsa-{digest}", "rsa2048.key", f"-{digest}")
        pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", f"rsa_pss_saltlen:{salt}"]
        made_by_openssl(f"pss-{digest}", "rsa2048.key", f"-{digest}", *pss)
    made_by_openssl("newhdr", "P-256.key", "-newhdr")
    made_by_openssl("empty-subject", "P-256.key", subject="/")
    made_by_openssl(
        "many-names", "P-256.key", "-utf8", "-multivalue-rdn",
        subject="/DC=example/DC=com/O=Größe & Co/OU=a/OU=b/CN=device+serialNumber=42/C=DE",
    )
    made_by_openssl(
        "extension-request", "P-256.key",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "subjectAltName=DNS:evil.example",
        "-addext", "1.2.3.4=critical,DER:0500",
    )
    key = rsa_key(random_prime(1024), random_prime(1024))
    csr("no-attributes", request(rsa_spki(key[0], key[1]), signer(key), attributes=b""))


def rsa_key(p, q, e=65537):
    return p * q, e, pow(e, -1, (p - 1) * (q - 1))


def signer(key):
    return lambda message: rsa_sign(key[0], key[2], message)


def refused_requests():
    made_by_openssl("rsa1024", "rsa1024.key")
    for name in ("prime192v1", "secp224r1", "secp256k1", "brainpoolP256r1", "ed25519", "dsa", "rsa-pss", "explicit",
                 "compressed"):
        made_by_openssl(name, f"{name}.key")
    made_by_openssl("sha1", "rsa2048.key", "-sha1")
    made_by_openssl("md5", "rsa2048.key", "-md5")
    made_by_openssl("ecdsa-sha1", "P-256.key", "-sha1")
    pss = ["-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:20"]
    made_by_openssl("pss-salt20", "rsa2048.key", *pss)
    mixed = ["-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_mgf1_md:sha1"]
    made_by_openssl("pss-mgf1-sha1", "rsa2048.key", *mixed)

    key = rsa_key(roca_prime(1024), roca_prime(1024))
    csr("roca", request(rsa_spki(key[0], key[1]), signer(key)))
    p = random_prime(1024)
    key = rsa_key(p, next_prime(p + 2))
    csr("close-primes", request(rsa_spki(key[0], key[1]), signer(key)))
    p = random_prime(1024)
    key = rsa_key(p, next_prime(p + (1 << 515)))
    csr("close-primes-rounds", request(rsa_spki(key[0], key[1]), signer(key)))
    key = rsa_key(751, random_prime(2047))
    csr("small-factor", request(rsa_spki(key[0], key[1]), signer(key)))

    good = rsa_key(random_prime(1024), random_prime(1024))
    # With the exponent 1 a signature is its own padded message.
    csr("exponent-1", request(rsa_spki(good[0], 1), lambda message: rsa_sign(good[0], 1, message)))
    csr("exponent-even", request(rsa_spki(good[0], 65538), signer(good)))
    wide = rsa_key(random_prime(1024), random_prime(1024), (1 << 40) + 15)
    csr("exponent-long", request(rsa_spki(wide[0], wide[1]), signer(wide)))
    csr("modulus-even", request(rsa_spki(good[0] - 1, 65537), signer(good)))
    csr("rsa9216", request(rsa_spki(RANDOM.getrandbits(9216) | 1 << 9215 | 1, 65537), lambda _: b"\1" * 1152))
    no_null = seq(oid("1.2.840.113549.1.1.1"))
    csr("rsa-without-null", request(rsa_spki(good[0], 65537, no_null), signer(good)))
    csr("version-1", request(rsa_spki(good[0], 65537), signer(good), version=1))
    csr("attributes-of-another-tag", request(rsa_spki(good[0], 65537), signer(good), attributes=tlv(0xA1)))
    csr("subject-not-a-name", request(rsa_spki(good[0], 65537), signer(good), subject=tlv(0x04, b"device")))
    ecdsa = seq(oid("1.2.840.10045.4.3.2"))
    csr("algorithm-of-another-key", request(rsa_spki(good[0], 65537), signer(good), algorithm=ecdsa))
    other = rsa_key(random_prime(1024), random_prime(1024))
    csr("signed-by-another-key", request(rsa_spki(good[0], 65537), signer(other)))
    csr("trailing-octet", request(rsa_spki(good[0], 65537), signer(good)) + b"\0")
    der = request(rsa_spki(good[0], 65537), signer(good))
    csr("indefinite-length", b"\x30\x80" + der[4:] + b"\0\0")

    der = openssl("req", "-new", "-key", "P-256.key", "-subj", "/CN=device", "-outform", "DER")
    point = der.index(b"\x03\x42\x00\x04") + 4
    csr("off-curve", der[: point + 63] + bytes([der[point + 63] ^ 1]) + der[point + 64 :])
    csr("infinity", der[: point - 4] + b"\x03\x42\x00\x00" + bytes(64) + der[point + 64 :])
    csr("broken-signature", der[:-1] + bytes([der[-1] ^ 1]))
    csr("changed-subject", der.replace(b"device", b"thedev"))


# --- certificates --------------------------------------------------------------------------------------------------

def certificates():
    days = ["-days", "20000"]

    def self_signed(name, key, *options):
        out = openssl("req", "-x509", "-new", "-key", key, "-subj", f"/CN={name}", *days, *options)
        write("certificate", name, out.decode())

    for name, key in (("rsa2048", "rsa2048.key"), ("p256", "P-256.key"), ("p384", "P-384.key"), ("p521", "P-521.key")):
        self_signed(name, key)
    self_signed("rsa-sha384", "rsa2048.key", "-sha384")
    self_signed("rsa-sha512", "rsa2048.key", "-sha512")
    self_signed("p384-sha384", "P-384.key", "-sha384")
    self_signed("p521-sha512", "P-521.key", "-sha512")
    for digest, salt in (("sha256", 32), ("sha384", 48), ("sha512", 64)):
        pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", f"rsa_pss_saltlen:{salt}"]
        self_signed(f"pss-{digest}", "rsa2048.key", f"-{digest}", *pss)
    self_signed("pss-salt20", "rsa2048.key", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:20")
    self_signed("sha1", "rsa2048.key", "-sha1")
    self_signed("md5", "rsa2048.key", "-md5")
    self_signed("sha224", "rsa2048.key", "-sha224")
    self_signed("ecdsa-sha1", "P-256.key", "-sha1")
    self_signed("ed25519", "ed25519.key")
    self_signed("rsa1024", "rsa1024.key")
    self_signed("dsa-key", "dsa.key")
    self_signed("rsa-pss-key", "rsa-pss.key")
    self_signed("secp256k1", "secp256k1.key")
    self_signed("p224", "secp224r1.key")
    # openssl x509 -req without extensions writes version 1, as the vendor's guide has it.
    openssl("req", "-x509", "-new", "-key", "dsa.key", "-subj", "/CN=DSA authority", *days, "-out", "dsa-ca.pem")
    openssl("req", "-x509", "-new", "-key", "P-384.key", "-subj", "/CN=authority", *days, "-out", "ca.pem")
    openssl("req", "-new", "-key", "P-256.key", "-subj", "/CN=device", "-out", "device.csr")
    for name, ca, key in (("v1", "ca.pem", "P-384.key"), ("dsa-signed", "dsa-ca.pem", "dsa.key")):
        out = openssl("x509", "-req", "-in", "device.csr", "-CA", ca, "-CAkey", key, "-CAcreateserial", "-sha256", *days)
        write("certificate", name, out.decode())
    alternative = "DNS:a.example,DNS:b.example,email:m@example.org,URI:urn:x:1,IP:192.0.2.1,IP:2001:db8::1,dirName:dn"
    (WORK / "names.cnf").write_text(
        "[req]\ndistinguished_name=none\n[none]\n[v3]\n"
        f"subjectAltName={alternative}\nissuerAltName=DNS:issuer.example\nbasicConstraints=critical,CA:TRUE\n"
        "[dn]\nCN=inner\nO=inside\n"
    )
    subject = (
        "/DC=org/C=DE/ST=Berlin/L=Berlin/O=first/O=second/OU=unit/CN=Größe/serialNumber=7/title=Dr/SN=Doe/GN=Jo"
        "/initials=JD/pseudonym=jo/generationQualifier=III/dnQualifier=q"
    )
    out = openssl("req", "-x509", "-new", "-key", "P-256.key", "-utf8", "-config", "names.cnf", "-extensions", "v3",
                  "-subj", subject, "-set_serial", "0x00AB0C", *days)
    write("certificate", "names", out.decode())


try:
    keys()
    accepted_requests()
    refused_requests()
    certificates()
finally:
    shutil.rmtree(WORK)
