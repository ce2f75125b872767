"""DER and PEM, put together by hand so that they can be as odd as an attacker's."""

import base64


def tlv(tag, *contents):
    content = b"".join(contents)
    n = len(content)
    if n < 0x80:
        length = bytes([n])
    else:
        octets = n.to_bytes((n.bit_length() + 7) // 8, "big")
        length = bytes([0x80 | len(octets)]) + octets
    return bytes([tag]) + length + content


def seq(*contents):
    return tlv(0x30, *contents)


def integer(n):
    return tlv(0x02, n.to_bytes(n.bit_length() // 8 + 1, "big"))


def oid(text):
    first, second, *rest = map(int, text.split("."))
    out = [40 * first + second]
    for arc in rest:
        part = [arc & 0x7F]
        while arc := arc >> 7:
            part.insert(0, 0x80 | arc & 0x7F)
        out += part
    return tlv(0x06, bytes(out))


def bits(content):
    return tlv(0x03, b"\0", content)


def octets(content):
    return tlv(0x04, content)


NULL = tlv(0x05)
TRUE = tlv(0x01, b"\xff")


def pem(der, label="CERTIFICATE"):
    text = base64.b64encode(der).decode()
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])
