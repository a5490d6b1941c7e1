"""What all of the scripts stand on: refusals, seeds, and protocol.md's notation, limits and message encoding, the last by hand.

Licence: MIT OR Apache-2.0.
"""

import hashlib
import hmac


class Refused(Exception):
    """The protocol says: MUST refuse. `kind` is "repeat" where it calls the message a repeat or a duplicate, "ask" where it is to be asked for
    again, otherwise "refused". `ask` is the reason of a retry request, where one may follow."""

    def __init__(self, why, kind="refused", ask=None):
        super().__init__(why)
        self.kind, self.ask = kind, ask


def refuse_if(condition, why, ask=None):
    if condition:
        raise Refused(why, ask=ask)


# Reasons of a retry request: protocol.md, 8.
NO_SESSION, KEY_GONE, TOO_FAR, NO_PREKEY, RECOVERED, NO_CHAIN = 1, 2, 3, 4, 5, 6


# ---------------------------------------------------------------------------------------------------------------------------
# Seeds. Everything that looks random comes from SHA-256("outrigger vector " || name).

SEEN_NAMES = set()
SEEN_STARTS = set()


def seed(name):
    return hashlib.sha256(b"outrigger vector " + name.encode()).digest()


def draw(name, length):
    """One draw from a random source. No name is used twice and no two draws start with the same 12 bytes."""
    value = seed(name)[:length] if length <= 32 else seed(name + " 0") + seed(name + " 1")
    assert len(value) == length
    assert name not in SEEN_NAMES and value[:12] not in SEEN_STARTS, name
    SEEN_NAMES.add(name)
    SEEN_STARTS.add(value[:12])
    return value


class Draws:
    """Those of one operation: each call makes one, and `made` has them in their order."""

    def __init__(self, name):
        self.name, self.made = name, []

    def __call__(self, what, length):
        self.made.append(draw(f"{self.name} {what}", length))
        return self.made[-1]


def filler(name, length):
    """Bytes of any length that are not drawn: texts, account ids."""
    out = b""
    while len(out) < length:
        out += seed(f"filler {name} {len(out)}")
    return out[:length]


TIME = 1_767_225_600_000  # 2026-01-01, in milliseconds
NOW = TIME + 60_000           # the time of a case of session.json


# ---------------------------------------------------------------------------------------------------------------------------
# protocol.md, 1: notation

def u32be(n):
    return n.to_bytes(4, "big")


def u64be(n):
    return n.to_bytes(8, "big")


def flip(data, at, bit=1):
    at %= len(data)
    return data[:at] + bytes([data[at] ^ bit]) + data[at + 1:]


def lp(x):
    return u32be(len(x)) + x


def sha256(x):
    return hashlib.sha256(x).digest()


def hmac_sha256(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def expand(prk, info, length):
    out, block, i = b"", b"", 1
    while len(out) < length:
        block = hmac_sha256(prk, block + info + bytes([i]))
        out += block
        i += 1
    return out[:length]


def hkdf(salt, ikm, info, length):
    return expand(hmac_sha256(salt, ikm), info, length)


# ---------------------------------------------------------------------------------------------------------------------------
# protocol.md, 9: limits

MAX_ENVELOPE = 1_048_576
MAX_SEALED = 1_044_480             # in a session: the kind byte and the body
MAX_ASSOCIATED_DATA = 4_096
MAX_HANDSHAKE = 4_096
MAX_BUNDLE = 8_192
MAX_NUMBER_STATEMENT = 128
MAX_RETRY_REQUEST = 512
MAX_DEVICE_LIST = 1_024
MAX_CERTIFICATE = 512
MAX_LINKING = 2_048
MAX_COMPANIONS = 4                 # the devices of an account, without the phone
MAX_KEPT_TEXT = 65_536


# ---------------------------------------------------------------------------------------------------------------------------
# Protobuf by hand. Wire types: 0 varint, 1 fixed64, 2 length-delimited.

def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def tag(number, wire_type):
    return varint(number << 3 | wire_type)


def uint_field(number, value):
    return b"" if value == 0 else tag(number, 0) + varint(value)


def bytes_field(number, value):
    return tag(number, 2) + varint(len(value)) + value


def fixed64_field(number, value):
    assert len(value) == 8
    return tag(number, 1) + value


def read_varint(data, at):
    n, shift = 0, 0
    while True:
        refuse_if(at >= len(data), "truncated varint")
        byte = data[at]
        at += 1
        n |= (byte & 127) << shift
        if byte < 128:
            refuse_if(shift and byte == 0, "varint not of least length")
            refuse_if(n >= 2**64, "varint above 64 bits")
            return n, at
        shift += 7
        refuse_if(shift > 63, "varint too long")


def read_message(data, shape, base=0):
    """Reads one message; `shape` is {number: (name, wire type)}, with "repeated" as a third where it is that. Refuses all but the one encoding of the value."""
    out, at, last = {}, 0, 0
    while at < len(data):
        key, at = read_varint(data, at)
        number, wire_type = key >> 3, key & 7
        refuse_if(number not in shape or shape[number][1] != wire_type, f"unknown field {number}")
        repeated = "repeated" in shape[number]
        refuse_if(number < last or number == last and not repeated, "fields not in ascending order")
        last = number
        name = shape[number][0]
        if wire_type == 0:
            value, at = read_varint(data, at)
            refuse_if(value == 0, "a zero is written out")
        else:
            length = 8
            if wire_type == 2:
                length, at = read_varint(data, at)
            refuse_if(length > len(data) - at, "truncated field")
            out[name + " at"] = base + at
            value, at = data[at:at + length], at + length
        if repeated:
            out.setdefault(name, []).append(value)
        else:
            out[name] = value
    return out


def need(message, name, low, high=None):
    value = message.get(name)
    refuse_if(value is None, f"{name} is missing")
    refuse_if(not low <= len(value) <= (high or low), f"length of {name}")
    return value


def need_uint(message, name, bits=32):
    value = message.get(name, 0)
    refuse_if(value == 0, f"{name} is 0")
    refuse_if(value >= 2**bits, f"{name} is a uint{bits}")
    return value
