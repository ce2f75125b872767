#!/usr/bin/env python3
"""Makes the authorities and what they signed, or seem to have signed, for the tests of this crate. Needs openssl 3.

Usage: ./make_authorities.py        (writes authority/*.pem and algorithm/*.pem beside itself, with new keys)

Certificates are put together here, so that they can be as odd as an attacker's, and signed by openssl. Each ends with
a question to `openssl verify` whose answer must be the one written here: the second opinion on every file.
A file in algorithm/ holds a device's certificate and, behind it, the authority that signed it.
"""

import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from der import NULL, TRUE, bits, integer, octets, oid, pem, seq, tlv

HERE = Path(__file__).parent
WORK = Path(tempfile.mkdtemp())
RANDOM = random.Random(3279)
# Where the tests stand in time.
NOW = 1_800_000_000
CODE = "0123456789abcdef" * 4


def openssl(*args, stdin=None):
    return subprocess.run(["openssl", *map(str, args)], input=stdin, check=True, capture_output=True, cwd=WORK).stdout


# --- names, times, extensions --------------------------------------------------------------------------------------

UTF8, BMP = 0x0C, 0x1E


def attribute(number, text, tag=UTF8):
    content = text.encode("utf-16-be" if tag == BMP else "utf-8")
    return seq(oid(f"2.5.4.{number}"), tlv(tag, content))


def name(*attributes):
    """One attribute for each RDN."""
    return seq(*(tlv(0x31, one) for one in attributes))


def common(text, tag=UTF8):
    return attribute(3, text, tag)


def fleet(text="Fleet CA", tag=UTF8):
    return name(attribute(10, "Fleet"), common(text, tag))


def validity(first, last):
    def time(year):
        return tlv(0x17, f"{year % 100:02}0101000000Z".encode()) if year < 2050 else \
            tlv(0x18, f"{year}0101000000Z".encode())
    return seq(time(first), time(last))


def extension(number, value, critical=False):
    return seq(oid(number), TRUE if critical else b"", octets(value))


def constraints(ca, length=None, critical=True):
    content = (TRUE if ca else b"") + (integer(length) if length is not None else b"")
    return extension("2.5.29.19", seq(content), critical)


def usage(octet, unused):
    return extension("2.5.29.15", tlv(0x03, bytes([unused, octet])), True)


CERT_SIGN = usage(0b0000_0110, 1)
DIGITAL_SIGNATURE = usage(0b1000_0000, 7)
AUTHORITY = (constraints(True), CERT_SIGN)
DEVICE = (constraints(False), DIGITAL_SIGNATURE)


# --- algorithms ----------------------------------------------------------------------------------------------------

SHA = {"sha1": "1.3.14.3.2.26", "sha256": "2.16.840.1.101.3.4.2.1", "sha384": "2.16.840.1.101.3.4.2.2",
       "sha512": "2.16.840.1.101.3.4.2.3"}
RSA = {"md5": "1.2.840.113549.1.1.4", "sha1": "1.2.840.113549.1.1.5", "sha256": "1.2.840.113549.1.1.11",
       "sha384": "1.2.840.113549.1.1.12", "sha512": "1.2.840.113549.1.1.13"}
ECDSA = {"sha1": "1.2.840.10045.4.1", "sha256": "1.2.840.10045.4.3.2", "sha384": "1.2.840.10045.4.3.3",
         "sha512": "1.2.840.10045.4.3.4"}
DSA = {"sha1": "1.2.840.10040.4.3", "sha256": "2.16.840.1.101.3.4.3.2"}


class Key:
    def __init__(self, file, *options):
        self.file = file
        openssl("genpkey", *options, "-out", file)
        self.spki = openssl("pkey", "-in", file, "-pubout", "-outform", "DER")

    def sign(self, message, digest, *options):
        return openssl("dgst", f"-{digest}", "-sign", self.file, *options, stdin=message)


def rsa(digest):
    return seq(oid(RSA[digest]), NULL), lambda key, message: key.sign(message, digest)


def pss(digest, salt):
    hash_ = seq(oid(SHA[digest]), NULL)
    mask = seq(oid("1.2.840.113549.1.1.8"), hash_)
    # DER leaves out what is the default.
    length = b"" if salt == 20 else tlv(0xA2, integer(salt))
    parameters = seq(tlv(0xA0, hash_), tlv(0xA1, mask), length)
    options = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", f"rsa_pss_saltlen:{salt}"]
    return seq(oid("1.2.840.113549.1.1.10"), parameters), lambda key, message: key.sign(message, digest, *options)


def ecdsa(digest):
    return seq(oid(ECDSA[digest])), lambda key, message: key.sign(message, digest)


def dsa(digest):
    return seq(oid(DSA[digest])), lambda key, message: key.sign(message, digest)


def eddsa():
    def sign(key, message):
        (WORK / "message").write_bytes(message)
        return openssl("pkeyutl", "-sign", "-rawin", "-in", "message", "-inkey", key.file)
    return seq(oid("1.3.101.112")), sign


# --- certificates --------------------------------------------------------------------------------------------------

def certificate(subject, issuer, spki, key, algorithm, extensions=DEVICE, years=(2026, 2080), serial=None):
    identifier, sign = algorithm
    serial = tlv(0x02, serial) if serial is not None else integer(RANDOM.getrandbits(120) | 1 << 120)
    version = tlv(0xA0, integer(2)) if extensions else b""
    more = tlv(0xA3, seq(*extensions)) if extensions else b""
    tbs = seq(version, serial, identifier, issuer, validity(*years), subject, spki, more)
    return seq(tbs, identifier, bits(sign(key, tbs)))


def write(folder, file, *certificates):
    path = HERE / folder
    path.mkdir(exist_ok=True)
    (path / f"{file}.pem").write_text("".join(map(pem, certificates)))


FAILED = []


def expect(verdict, label, leaf, ca, *options):
    """Asks openssl whether `ca` as a trust anchor vouches for `leaf`: `verdict` is "ok" or part of the reason."""
    (WORK / "leaf.pem").write_text(pem(leaf))
    (WORK / "anchor.pem").write_text(pem(ca))
    run = subprocess.run(
        ["openssl", "verify", "-partial_chain", "-attime", str(NOW), "-trusted", "anchor.pem", *options, "leaf.pem"],
        cwd=WORK, capture_output=True, text=True)
    said = run.stdout + run.stderr
    if (verdict == "ok") != (run.returncode == 0) or verdict not in said.lower():
        FAILED.append(f"{label}: expected {verdict!r}, openssl says: {said.strip()}")


def pair(file, key, algorithm, verdict="ok", ca_algorithm=None):
    ca = certificate(fleet(), fleet(), key.spki, key, ca_algorithm or algorithm, AUTHORITY)
    leaf = certificate(name(common("device")), fleet(), DEVICE_KEY.spki, key, algorithm)
    write("algorithm", file, leaf, ca)
    expect(verdict, file, leaf, ca)


def algorithms():
    key = Key("rsa.key", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    for digest, salt in (("sha256", 32), ("sha384", 48), ("sha512", 64)):
        pair(f"rsa-{digest}", key, rsa(digest))
        pair(f"pss-{digest}", key, pss(digest, salt))
    for digest, salt in (("sha256", 0), ("sha256", 20), ("sha256", 222), ("sha384", 20), ("sha512", 20)):
        pair(f"pss-{digest}-salt{salt}", key, pss(digest, salt))
    for curve in ("P-256", "P-384", "P-521"):
        ec = Key(f"{curve}.key", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}")
        for digest in ("sha256", "sha384", "sha512"):
            pair(f"{curve.lower().replace('-', '')}-{digest}", ec, ecdsa(digest))
    # openssl still vouches for what is refused here.
    pair("rsa-sha1", key, rsa("sha1"), ca_algorithm=rsa("sha256"))
    pair("rsa-md5", key, rsa("md5"), ca_algorithm=rsa("sha256"))
    pair("pss-sha1", key, pss("sha1", 20), ca_algorithm=rsa("sha256"))
    pair("ecdsa-sha1", ec, ecdsa("sha1"), ca_algorithm=ecdsa("sha256"))
    pair("ed25519", Key("ed25519.key", "-algorithm", "ED25519"), eddsa())
    for p, q in ((2048, 256), (2048, 224), (3072, 256), (1024, 160)):
        options = ["-pkeyopt", f"dsa_paramgen_bits:{p}", "-pkeyopt", f"dsa_paramgen_q_bits:{q}"]
        openssl("genpkey", "-genparam", "-algorithm", "DSA", *options, "-out", "dsa.par")
        weak = Key(f"dsa{p}.key", "-paramfile", "dsa.par")
        pair(f"dsa-{p}-{q}", weak, dsa("sha256"))
        if (p, q) == (2048, 256):
            pair("dsa-sha1", weak, dsa("sha1"), ca_algorithm=dsa("sha256"))
    wide = seq(seq(oid("1.2.840.113549.1.1.1"), NULL),
               bits(seq(integer(RANDOM.getrandbits(9216) | 1 << 9215 | 1), integer(65537))))
    ca = certificate(fleet(), fleet(), wide, key, rsa("sha256"), AUTHORITY)
    write("algorithm", "rsa9216", certificate(name(common("device")), fleet(), DEVICE_KEY.spki, key, rsa("sha256")), ca)


def authorities(key, namesake):
    def ca(file, extensions=AUTHORITY, spki=key.spki, signer=key, subject=fleet(), issuer=None, **more):
        made = certificate(subject, issuer or subject, spki, signer, ecdsa("sha256"), extensions, **more)
        write("authority", file, made)
        return made

    good = ca("ca")
    renewed = ca("ca-renewed")
    other = ca("ca-namesake", spki=namesake.spki, signer=namesake)
    expired = ca("ca-expired", years=(2020, 2025))
    future = ca("ca-future", years=(2040, 2080))
    ca("ca-of-another", issuer=name(common("Root")), signer=namesake)
    ca("ca-length-0", (constraints(True, 0), CERT_SIGN))
    false = ca("ca-false", (constraints(False), CERT_SIGN))
    ca("ca-version-1", ())
    ca("ca-without-constraints", (CERT_SIGN,))
    ca("ca-unreadable-constraints", (extension("2.5.29.19", b"\x30\x05\x01", True), CERT_SIGN))
    no_sign = ca("ca-without-cert-sign", (constraints(True), DIGITAL_SIGNATURE))
    unknown = ca("ca-unknown-critical", (*AUTHORITY, extension("1.2.3.4", NULL, True)))
    subtree = tlv(0xA0, seq(tlv(0x82, b"fleet.example")))
    ca("ca-name-constraints", (*AUTHORITY, extension("2.5.29.30", seq(subtree), True)))
    ca("ca-duplicate-constraints", (constraints(False), constraints(True), CERT_SIGN))
    ca("ca-constraints-not-critical", (constraints(True, critical=False),))
    ca("ca-bmp-name", subject=fleet(tag=BMP))
    ca("ca-nul-name", subject=fleet("Fleet CA\0"))
    return {"good": good, "renewed": renewed, "other": other, "expired": expired, "future": future, "false": false,
            "no_sign": no_sign, "unknown": unknown}


def leaves(key, namesake, cas):
    good = cas["good"]

    def leaf(file, extensions=DEVICE, subject=name(common("device")), issuer=fleet(), signer=key, verdict="ok",
             anchor=good, **more):
        made = certificate(subject, issuer, DEVICE_KEY.spki, signer, ecdsa("sha256"), extensions, **more)
        write("authority", file, made)
        if verdict:
            expect(verdict, file, made, anchor)
        return made

    plain = leaf("leaf")
    expect("ok", "leaf under the renewed CA", plain, cas["renewed"])
    expect("signature failure", "leaf under the namesake", plain, cas["other"])
    expect("invalid", "leaf under CA:FALSE", plain, cas["false"])
    expect("usage does not include certificate signing", "leaf under a CA that may not sign", plain, cas["no_sign"])
    expect("unhandled critical", "leaf under a CA with an unknown extension", plain, cas["unknown"])
    expect("expired", "leaf under an expired CA", plain, cas["expired"])
    expect("not yet valid", "leaf under a CA of the future", plain, cas["future"])
    leaf("leaf-forged", signer=namesake, verdict="signature failure")
    leaf("leaf-of-namesake", signer=namesake, anchor=cas["other"])
    leaf("leaf-expired", years=(2020, 2025), verdict="expired")
    leaf("leaf-future", years=(2040, 2080), verdict="not yet valid")
    leaf("leaf-version-1", ())
    leaf("leaf-ca", AUTHORITY)
    # The name of the issuer, written otherwise.
    organisation = attribute(10, "Fleet")
    unable = "unable to get local issuer"
    leaf("leaf-issuer-reordered", issuer=name(common("Fleet CA"), organisation), verdict=unable)
    leaf("leaf-issuer-multi-valued", issuer=seq(tlv(0x31, common("Fleet CA"), organisation)), verdict=unable)
    # openssl compares names as RFC 5280, 7.1 has it: without case, and whatever the string's type.
    leaf("leaf-issuer-bmp", issuer=fleet(tag=BMP))
    leaf("leaf-issuer-case", issuer=fleet("FLEET ca"))
    leaf("leaf-issuer-nul", issuer=fleet("Fleet CA\0"), verdict=unable)
    leaf("leaf-issuer-empty", issuer=seq(), verdict=unable)
    # Odd content under a good signature.
    leaf("leaf-duplicate", (*DEVICE, *[extension("2.5.29.17", seq(tlv(0x82, b"%c.example" % c))) for c in b"ab"]),
         verdict=None)
    leaf("leaf-unknown-critical", (*DEVICE, extension("1.2.3.4", NULL, True)), verdict="unhandled critical")
    leaf("leaf-unknown", (*DEVICE, extension("1.2.3.4", NULL)))
    leaf("leaf-unreadable-critical", (*DEVICE, extension("2.5.29.17", b"\x30\x05\x82", True)), verdict=None)
    leaf("leaf-empty-eku", (*DEVICE, extension("2.5.29.37", seq())), verdict=None)
    leaf("leaf-empty-critical-eku", (*DEVICE, extension("2.5.29.37", seq(), True)), verdict=None)
    leaf("leaf-server-eku", (*DEVICE, extension("2.5.29.37", seq(oid("1.3.6.1.5.5.7.3.1")))))
    url = tlv(0x86, b"http://127.0.0.1:9/never")
    leaf("leaf-urls", (*DEVICE, extension("1.3.6.1.5.5.7.1.1", seq(seq(oid("1.3.6.1.5.5.7.48.1"), url),
                                                                 seq(oid("1.3.6.1.5.5.7.48.2"), url))),
                       extension("2.5.29.31", seq(seq(tlv(0xA0, tlv(0xA0, url)))))))
    leaf("leaf-serial-negative", serial=b"\x80")
    leaf("leaf-serial-21", serial=b"\x7f" * 21)
    leaf("leaf-serial-200", serial=b"\x7f" * 200)
    leaf("leaf-serial-zero", serial=b"\0")
    leaf("leaf-serial-empty", serial=b"", verdict=None)
    leaf("leaf-subject-nul", subject=name(common("device\0.admin")))
    leaf("leaf-subject-bmp", subject=name(common("Gerät", BMP)))
    leaf("leaf-subject-bmp-odd", subject=name(seq(oid("2.5.4.3"), tlv(BMP, b"\0a\0"))), verdict=None)
    leaf("leaf-subject-multi-valued", subject=seq(tlv(0x31, common("a"), common("b")), tlv(0x31, common("c"))))
    leaf("leaf-subject-wild", subject=name(common("+"), common("a/#"), common("$aws/*"), common("${iot:ClientId}")))
    # RegisterCACertificate.
    leaf("verification", (), subject=name(common(CODE)))
    leaf("verification-expired", (), subject=name(common(CODE)), years=(2020, 2025), verdict="expired")
    leaf("verification-future", (), subject=name(common(CODE)), years=(2040, 2080), verdict="not yet valid")
    leaf("verification-of-namesake", (), subject=name(common(CODE)), signer=namesake, verdict="signature failure")
    leaf("verification-two-names", (), subject=name(common("other"), common(CODE)))
    leaf("verification-nul", (), subject=name(common(CODE + "\0")))
    leaf("verification-bmp", (), subject=name(common(CODE, BMP)))


def paths(key, sub_key):
    """Root (no authority below it) - sub-authority - device: the sub-authority breaks the root's rule."""
    root_name, sub_name = name(common("Root")), name(common("Sub"))
    root = certificate(root_name, root_name, key.spki, key, ecdsa("sha256"), (constraints(True, 0), CERT_SIGN))
    sub = certificate(sub_name, root_name, sub_key.spki, key, ecdsa("sha256"), AUTHORITY)
    leaf = certificate(name(common("device")), sub_name, DEVICE_KEY.spki, sub_key, ecdsa("sha256"))
    write("authority", "path-root", root)
    write("authority", "path-sub", sub)
    write("authority", "path-leaf", leaf)
    (WORK / "sub.pem").write_text(pem(sub))
    expect("path length", "path below the root", leaf, root, "-untrusted", "sub.pem")
    expect("ok", "sub-authority below the root", sub, root)
    expect("ok", "path below the sub-authority", leaf, sub)


def vendors_recipe():
    """What the developer guide has its readers type."""
    openssl("genrsa", "-out", "guide-ca.key", "2048")
    (WORK / "guide.cnf").write_text(
        "[req]\ndistinguished_name=dn\nx509_extensions=v3_ca\n[dn]\n"
        "[v3_ca]\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid:always,issuer:always\nbasicConstraints=CA:true\n")
    openssl("req", "-new", "-sha256", "-key", "guide-ca.key", "-nodes", "-out", "guide.csr", "-config", "guide.cnf",
            "-subj", "/C=DE/O=Guide/CN=Guide CA")
    ca = openssl("x509", "-req", "-days", "20000", "-extfile", "guide.cnf", "-extensions", "v3_ca", "-in", "guide.csr",
                 "-signkey", "guide-ca.key")
    (WORK / "guide-ca.pem").write_bytes(ca)
    openssl("genrsa", "-out", "guide-v.key", "2048")
    openssl("req", "-new", "-key", "guide-v.key", "-out", "guide-v.csr", "-subj", f"/CN={CODE}")
    made = openssl("x509", "-req", "-in", "guide-v.csr", "-CA", "guide-ca.pem", "-CAkey", "guide-ca.key",
                   "-CAcreateserial", "-days", "20000", "-sha256")
    (HERE / "authority" / "guide.pem").write_bytes(made + ca)


try:
    DEVICE_KEY = Key("device.key", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    algorithms()
    ca_key = Key("ca.key", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    namesake_key = Key("namesake.key", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    leaves(ca_key, namesake_key, authorities(ca_key, namesake_key))
    paths(ca_key, namesake_key)
    vendors_recipe()
finally:
    shutil.rmtree(WORK)
sys.exit("\n".join(FAILED) or None)
