#!/usr/bin/env python3
"""Test vectors of the outrigger protocol, from docs/protocol.md and docs/relay.md alone.

    python3 vectors/generate.py           writes the JSON files beside this script
    python3 vectors/generate.py --check   computes them again and fails where a file on disk differs

Needs Python 3.11 and the packages `cryptography` (X25519, AES-256-GCM, and Ed25519 and ML-KEM as a cross-check) and `kyber-py` (ML-KEM). XEdDSA, HKDF, the protobuf
encoding, the handshake and the ratchet are written out in the modules beside this script and share no code with the crate. The answers that others
publish are asserted in `known_answers`.

Licence: MIT OR Apache-2.0.
"""

import base64
import copy
import functools
import hashlib
import json
import pathlib
import re
import sys

sys.dont_write_bytecode = True  # leave nothing beside the files

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from handshake import (
    BUNDLE, MAX_START, VERSION_AND_SUITE, addr, check_bundle, check_number, encode_bundle, encode_handshake, encode_number, fingerprint, half,
    number_statement, prekey_id, prekey_id_input, scannable, suites_statement, x3dh, x3dh_initiator, x3dh_responder,
)
from keys import (
    BASE, IDENTITY, LOW_ORDER, P, Q, add, cpace_generator, cpace_generator_string, cpace_isk, cpace_shared, dh, enc, encode_point, from_le, hash_q,
    le, multiply, negate, parse_enc, point_from_y, public_key, published_verify, ristretto_decode, ristretto_encode, sign_deployed, sign_published,
    u_to_y, xeddsa_sign, xeddsa_verify, y_to_u,
)
from notation import (
    KEY_GONE, MAX_ASSOCIATED_DATA, MAX_CERTIFICATE, MAX_COMPANIONS, MAX_DEVICE_LIST, MAX_ENVELOPE, MAX_LINKING, MAX_RETRY_REQUEST, MAX_SEALED,
    NO_CHAIN, NO_PREKEY, NO_SESSION, RECOVERED, TOO_FAR, Refused, bytes_field, draw, expand, filler, fixed64_field, hkdf, hmac_sha256, lp, need,
    need_uint, read_message, refuse_if, seed, sha256, tag, u32be, u64be, uint_field, varint,
)
from ratchet import HEADER, Ratchet, encode_header, kdf_ck, kdf_rk, read_header, seal
from sessions import (
    AGAIN, ASKS_HISTORY, FOURTEEN_DAYS, FRAME, LEAVES, LOST, MANIFEST, MARK, MAX_ARCHIVED, MAX_REMEMBERED, MESSAGE, NAMED, OWN_COPY, RELAY, REQUEST,
    REQUEST_FRONT, TAKEN, THIRTY_DAYS, TO_ACCOUNT, Device, encode_content, encode_request, encode_stamp, envelope_digest, goes_before, message_id,
    next_start, open_request, request_body, split_content,
)


# ---------------------------------------------------------------------------------------------------------------------------
# protocol.md, 10: device lists and certificates

SIGNED_LIST = {1: ("body", 2), 2: ("signature", 2)}
LIST_BODY = {
    1: ("account_id", 2), 2: ("incarnation", 2), 3: ("epoch", 0), 4: ("issued_at", 0), 5: ("expires_at", 0), 6: ("next_key_index", 0),
    7: ("entries", 2, "repeated"), 8: ("closed", 0), 9: ("suites", 2),
}
LIST_ENTRY = {1: ("device_id", 0), 2: ("key_index", 0), 3: ("identity_key", 2), 4: ("suites", 2)}
CERTIFICATE = {1: ("body", 2), 2: ("identity_key", 2), 3: ("account_signature", 2), 4: ("device_signature", 2)}
CERTIFICATE_BODY = {1: ("account_id", 2), 2: ("device_id", 0), 3: ("key_index", 0), 4: ("linked_at", 0), 5: ("incarnation", 2)}


def check_listed_suites(fields):
    suites = fields.get("suites", b"\x01")
    refuse_if(not 1 <= len(suites) <= 16 or suites[0] == 0 or list(suites) != sorted(set(suites)), "suites not 1 to 16, ascending")


def list_signed_bytes(body):
    return b"\x06\x02" + body


def check_list(account, phone, data):
    """The body as a dict, with entries as tuples and its bytes, or a refusal."""
    refuse_if(len(data) > MAX_DEVICE_LIST, "device list too long")
    refuse_if(data[:1] != b"\x01", "version")
    m = read_message(data[1:], SIGNED_LIST)
    body, signature = need(m, "body", 1, MAX_DEVICE_LIST), need(m, "signature", 64)
    refuse_if(xeddsa_verify(phone, list_signed_bytes(body), signature), "signature")
    b = read_message(body, LIST_BODY)
    refuse_if(need(b, "account_id", 16, 64) != account, "another account")
    need(b, "incarnation", 16)
    need_uint(b, "epoch"), need_uint(b, "next_key_index")
    refuse_if(need_uint(b, "expires_at", 64) < need_uint(b, "issued_at", 64), "expires_at is below issued_at")
    check_listed_suites(b)
    entries = []
    for raw in b.get("entries", []):
        e = read_message(raw, LIST_ENTRY)
        check_listed_suites(e)
        entries.append((need_uint(e, "device_id"), need_uint(e, "key_index"), parse_enc(need(e, "identity_key", 33))))
    refuse_if(len(entries) > MAX_COMPANIONS, "too many companions")
    refuse_if(b.get("closed", 1) != 1, "a bool is 0 or 1")
    refuse_if("closed" in b and entries, "closed, with companions")
    devices, indices, keys = zip(*entries) if entries else ((), (), ())
    refuse_if(list(devices) != sorted(set(devices)), "entries not by ascending device id")
    refuse_if(any(i >= b["next_key_index"] for i in indices), "key_index not below next_key_index")
    refuse_if(len(set(indices)) < len(entries) or len({phone, *keys}) <= len(entries), "two of one key or index")
    return b | {"entries": entries, "bytes": body}


def which_list(kept, offered, time, own_phone=False):
    """"newer", "same", "disputed", or the number of the rule that refuses. Lists as `check_list` gives them; `kept` may be None."""
    if offered["issued_at"] > time + TOLERANCE:
        return 1
    if kept:
        if offered["incarnation"] != kept["incarnation"]:
            return 2
        if offered["epoch"] < kept["epoch"]:
            return 3
        if offered["bytes"] == kept["bytes"]:
            return "same"
        if "closed" in kept:
            return 4
        if offered["epoch"] == kept["epoch"]:
            return "disputed"
        if offered["next_key_index"] < kept["next_key_index"]:
            return 5
        old = {e[0]: e for e in kept["entries"]}
        for e in offered["entries"]:
            if e[0] in old and e != old[e[0]] or e[0] not in old and e[1] < kept["next_key_index"]:
                return 5
    if time > offered["expires_at"] + TOLERANCE and not own_phone and "closed" not in offered:
        return 6
    return "newer"


def read_certificate_body(body):
    b = read_message(body, CERTIFICATE_BODY)
    need(b, "account_id", 16, 64), need(b, "incarnation", 16)
    need_uint(b, "device_id"), need_uint(b, "key_index"), need_uint(b, "linked_at", 64)
    return b


def check_certificate(account, device, phone, devices, data):
    """`devices` is the list as `check_list` gives it. The companion's key."""
    refuse_if(len(data) > MAX_CERTIFICATE, "certificate too long")
    refuse_if(data[:1] != b"\x01", "version")
    m = read_message(data[1:], CERTIFICATE)
    body, key = need(m, "body", 1, MAX_CERTIFICATE), parse_enc(need(m, "identity_key", 33))
    b = read_certificate_body(body)
    for prefix, signer, name in ((b"\x06\x00", phone, "account_signature"), (b"\x06\x01", key, "device_signature")):
        refuse_if(xeddsa_verify(signer, certificate_signed(prefix, body, phone, key), need(m, name, 64)), name)
    refuse_if(b["account_id"] != account, "another account")
    refuse_if(b["device_id"] != device, "another device")
    refuse_if(b["incarnation"] != devices["incarnation"], "another incarnation")
    refuse_if((b["device_id"], b["key_index"], key) not in devices["entries"], "not listed")
    return key


# ---------------------------------------------------------------------------------------------------------------------------
# protocol.md, 10: linking

GRANT, CONFIRMATION, ACKNOWLEDGEMENT, REFUSAL = 1, 2, 3, 4
DESKTOP_GRANT = 8
LINKING = {
    GRANT: {1: ("reference", 2), 2: ("ephemeral_key", 2), 3: ("sealed", 2), 4: ("mac", 2)},
    CONFIRMATION: {1: ("reference", 2), 2: ("device_signature", 2), 3: ("bundle", 2), 4: ("mac", 2)},
    ACKNOWLEDGEMENT: {1: ("reference", 2), 2: ("list", 2), 3: ("mac", 2)},
    REFUSAL: {1: ("reference", 2), 2: ("reason", 0), 3: ("mac", 2)},
}
LINKING[DESKTOP_GRANT] = LINKING[GRANT]
GRANTED = {1: ("certificate", 2), 2: ("account_key", 2), 3: ("account_signature", 2)}


def link_keys(secret, payload, shared, ekp):
    """All that follows from the code and the phone's ephemeral key."""
    binding = sha256(lp(b"outrigger v1 link payload") + lp(payload))
    comparison = expand(secret, b"outrigger v1 link comparison" + binding + enc(ekp), 32)
    return {
        "binding": binding, "comparison_key": comparison, "comparison_code": "%08d" % (int.from_bytes(comparison[:8], "big") % 10**8),
        "dh": shared, "grant_key": hkdf(secret, shared, b"outrigger v1 link grant" + binding + enc(ekp), 32),
        "grant_mac_key": expand(secret, b"outrigger v1 link mac" + binding, 32),
    }


def answer_mac_key(secret, binding, grant):
    g = sha256(lp(b"outrigger v1 link answer") + grant)
    return g, expand(secret, b"outrigger v1 link answer" + binding + g, 32)


def read_linking(kind, key, reference, data):
    refuse_if(len(data) > MAX_LINKING, "message too long")
    refuse_if(data[:1] != b"\x01", "version")
    refuse_if(data[1:2] != bytes([kind]), "another kind of message")
    m = read_message(data[2:], LINKING[kind])
    refuse_if(need(m, "reference", 16) != reference, "another reference")
    front = data[:-len(bytes_field(4, bytes(32)))]
    refuse_if(need(m, "mac", 32) != hmac_sha256(key, front), "MAC")
    return m


# ---------------------------------------------------------------------------------------------------------------------------
# xeddsa.json

FIXED_Z = bytes(range(64))


def wrong_cases(private, message):
    """Signatures that must be refused although each satisfies, or nearly satisfies, some laxer rule."""
    u = public_key(private)
    z = draw(f"xeddsa refused {u.hex()[:8]}", 64)
    good = xeddsa_sign(private, message, z)
    sig, s, a = good["signature"], from_le(good["s"]), from_le(good["a"])
    big_a, sign = good["A"], good["edwards_sign"]
    name = f"edwards sign {sign}"
    yield f"{name}, valid", u, message, sig, "published form"
    yield f"{name}, valid, deployed form", u, message, sign_deployed(private, message, z), "deployed form"

    # s + q, chosen so that the published rule s < 2^253 accepts it
    i = 0
    while True:
        m2 = message + b"%d" % i
        one = xeddsa_sign(private, m2, z)
        if from_le(one["s"]) + Q < 2**253:
            break
        i += 1
    forged = one["R"] + le(from_le(one["s"]) + Q)
    assert published_verify(u, m2, forged)
    yield f"{name}, s + q", u, m2, forged, "s is not below the group order; the published rule accepts it"
    yield f"{name}, s + 2^253", u, message, sig[:32] + le(s + 2**253), "s is not below the group order (bit 253 set)"
    yield f"{name}, s + 2^254", u, message, sig[:32] + le(s + 2**254), "s is not below the group order (bit 254 set)"
    yield f"{name}, s = q", u, message, sig[:32] + le(Q), "s is not below the group order"

    deployed = sign_deployed(private, message, z)
    flipped = bytearray(sig)
    flipped[63] ^= 0x80
    yield f"{name}, published, top bit flipped", u, message, bytes(flipped), "the sign is not that of the key that was hashed"
    if sign:
        flipped = bytearray(deployed)
        flipped[63] ^= 0x80
        yield f"{name}, deployed, top bit cleared", u, message, bytes(flipped), "the sign is not that of the key that was hashed"
        s_deployed = from_le(deployed[32:]) & (2**255 - 1)
        if s_deployed + Q < 2**255:
            wrong = deployed[:32] + le(s_deployed + Q | 1 << 255)
            yield f"{name}, deployed, s + q", u, message, wrong, "s is not below the group order, after the sign bit is taken out"

    yield f"{name}, other message", u, message + b"x", sig, "the message is another one"
    yield f"{name}, message cut short", u, message[:-1], sig, "the message is another one"
    other = public_key(draw(f"xeddsa refused other {u.hex()[:8]}", 32))
    yield f"{name}, other key", other, message, sig, "the key is another one"
    for at, what in ((0, "R"), (31, "R, top bits"), (32, "s")):
        flipped = bytearray(sig)
        flipped[at] ^= 0x80 if at == 31 else 1
        yield f"{name}, bit flipped in {what}", u, message, bytes(flipped), "the equation does not hold"
    yield f"{name}, all zero", u, message, bytes(64), "R is of small order (y = 0), the equation does not hold"
    yield f"{name}, bit 255 of u set", u[:31] + bytes([u[31] | 128]), message, sig, "u is not canonical"

    # R of small order: s = h a makes sB - hA the identity
    h = hash_q(le(1), big_a, message)
    forged = le(1) + le(h * a % Q)
    assert published_verify(u, message, forged)
    yield f"{name}, R = identity, s = h a", u, message, forged, "R is of small order; the equation holds"
    for r, why in (
        (le(P + 1), "R is not canonical (y = p + 1, the identity) and of small order; the equation holds for the point"),
        (le(1 | 1 << 255), "R is not canonical (x = 0 with the sign 1) and of small order; the equation holds for the point"),
        (le((P + 1) | 1 << 255), "R is not canonical (y = p + 1 and x = 0 with the sign 1); the equation holds for the point"),
    ):
        yield f"{name}, R = {r.hex()[:2]}..{r.hex()[-2:]}, s = h a", u, message, r + le(hash_q(r, big_a, message) * a % Q), why
    no_point = next(y for y in range(2, 100) if point_from_y(y, 0) is None)
    yield f"{name}, R is no point", u, message, le(no_point) + sig[32:], "R is no point of the curve"

    # R = rB + T with T of order 2: a check with cofactor accepts it
    r = hash_q(b"vector cofactor", private)
    big_r = encode_point(add(multiply(r, BASE), (0, P - 1)))
    h = hash_q(big_r, big_a, message)
    yield f"{name}, R with a torsion part", u, message, big_r + le((r + h * a) % Q), "only a check with cofactor accepts it"


def mixed_key_cases():
    """A key kB + T with T of order 8. It has no private key for X25519, but it is a canonical u and not of low order."""
    k = hash_q(b"vector mixed key")
    t8 = point_from_y(u_to_y(from_le(bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"))), 0)
    assert multiply(8, t8) == IDENTITY != multiply(4, t8)
    e = add(multiply(k, BASE), t8)
    a, torsion = (k, t8) if e[0] & 1 == 0 else (-k % Q, negate(t8))
    big_a = add(multiply(a, BASE), torsion)
    assert big_a[0] & 1 == 0
    u = le(y_to_u(big_a[1]))

    def craft(name, want, r, shift, why):
        """R = rB - shift T, with a message so that `want(h)` holds; s = r + h a."""
        i = 0
        while True:
            message = f"{name} {i}".encode()
            big_r = encode_point(add(multiply(r, BASE), negate(multiply(shift, torsion))))
            h = hash_q(big_r, encode_point(big_a), message)
            if want(h):
                return name, u, message, big_r + le((r + h * a) % Q), why
            i += 1

    r = hash_q(b"vector mixed nonce")
    yield craft("key with a torsion part, h = 0 mod 8", lambda h: h % 8 == 0, r, 0,
                "the key is not of small order, and the equation without cofactor holds")
    yield craft("key and R with a torsion part, equation holds", lambda h: h % 8 == 3, r, 3,
                "neither is of small order, and the equation without cofactor holds")
    yield craft("key with a torsion part, h odd", lambda h: h % 2 == 1, r, 0, "only a check with cofactor accepts it")
    for j, order in ((1, 8), (2, 4), (4, 2)):
        yield craft(f"key with a torsion part, R of order {order}", lambda h, j=j: h % 8 == j, 0, j,
                    "R is of small order; the equation without cofactor holds")


def low_order_cases():
    """No private key is needed: R = rB and s = r, with a message so that h A is the identity."""
    keys = [
        ("0", le(0)), ("1", le(1)),
        ("order 8, first", bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")),
        ("order 8, second", bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157")),
        ("p - 1", le(P - 1)), ("p", le(P)), ("p + 1", le(P + 1)),
    ]
    r = hash_q(b"vector low order nonce")
    big_r = encode_point(multiply(r, BASE))
    for name, u in keys:
        a = point_from_y(u_to_y(from_le(u) % P), 0)
        i = 0
        while multiply(hash_q(big_r, encode_point(a), b"m%d" % i), a) != IDENTITY:
            i += 1
        message, sig = b"m%d" % i, big_r + le(r)
        assert from_le(u) >= P or published_verify(u, message, sig)
        why = "u is of low order; the published rules accept this without any private key"
        if name == "p - 1":
            why = "u has no Edwards form (u + 1 = 0) and is of low order on the twist"
        elif from_le(u) >= P:
            why = "u is not canonical, and of low order"
        yield f"low order u = {name}", u, message, sig, why
        yield f"low order u = {name}, bit 255 set", u[:31] + bytes([u[31] | 128]), message, sig, "u is not canonical, and of low order"


DEPLOYED = [
    ("414862f45ddcdf54660ce2951e78dd540fb5060ffe3668872863251bb0cf7758", "",
     "8b9107bbcaefc156121f58897d84b1d2e8004f7fe921715d2dbfe1cd05dd2eaf50c5c7bff2c5c297da1979d09320f1522c5fea14f83ec8f557ce4e0ddcd07b8d"),
    ("19570179e9b2159f758001ba91cdcac8bca93af46657c3ef8bf0650f97922957", "23dd9e1f687ddc",
     "ad115941a29708fd748a8d1b4e802961d8933f7847a96a0262c85403dde758cfdfbe6ff950e2bb7a6e83512708ecce8cb106f75c9383961a52003d7a6edd918c"),
    ("61059916b0286995ddca5ffde1ffff4bf2ce0c77ad9689d681285746dd98982f", "c8f98e113650aa98ac449b038e87ec3951f1a8deb5",
     "439b3542ab06302838a18eb20c347436637ddb22e8d7c45576cdc6e38d21c7a0bd067306e0af95cec47c855001c8d7e9fbe9f5269aa5bd5c8eee491abddbf707"),
    ("3ba28d56f85425d5b2635b288a2423de28ac42f12e30405091580f02da5e3253",
     "40937e92f07f99ebe594a4de81ddf5fd8cf4be8ddff30de64b5d26468896ae7944b6c7f1530dbe8ed561",
     "65a72a087155b46bb675d4b959891ebf880d731c4fae5d6cc97793dd0f9974ffa16f9e4a3fcad3b96fcd518cad4fb9bb1da787771843efdb4e21f412c3306488"),
]


def xeddsa_file():
    sign = []
    for i, (what, message) in enumerate([("xeddsa 0", b""), ("xeddsa 1", b"outrigger")]):
        private = sha256(b"outrigger example " + what.encode())
        sign.append({"name": f"example {i + 1}"} | xeddsa_sign(private, message, FIXED_Z))
    private = sha256(b"outrigger example IKb")
    spk = public_key(sha256(b"outrigger example SPKb"))
    sign.append({"name": "example signed prekey"} | xeddsa_sign(private, enc(spk), FIXED_Z))
    for i in range(8):
        private = draw(f"xeddsa key {i}", 32)
        for length in (0, 1, 32, 33, 200):
            name = f"key {i}, {length} bytes"
            message = filler(f"xeddsa message {name}", length)
            sign.append({"name": name} | xeddsa_sign(private, message, draw(f"xeddsa z {name}", 64)))
    signs = [s["edwards_sign"] for s in sign[3::5]]
    assert 3 <= sum(signs) <= 5, signs

    cases = []
    for s in sign:
        cases.append((f"published form, {s['name']}", s["u"], s["message"], s["signature"], "published form"))
        deployed = sign_deployed(s["seed"], s["message"], s["z"])
        assert (deployed == s["signature"]) == (s["edwards_sign"] == 0) == (deployed[63] < 128)
        assert published_verify(s["u"], s["message"], deployed) == (s["edwards_sign"] == 0)
        if s["edwards_sign"] and len(s["message"]) in (0, 9, 33, 200):
            cases.append((f"deployed form, {s['name']}", s["u"], s["message"], deployed, "deployed form, sign bit 1"))
        elif len(s["message"]) == 32:
            cases.append((f"deployed form, {s['name']}", s["u"], s["message"], deployed, f"deployed form, sign bit {s['edwards_sign']}"))
    for i, (u, message, signature) in enumerate(DEPLOYED):
        u, message, signature = map(bytes.fromhex, (u, message, signature))
        cases.append((f"deployed client {i + 1}", u, message, signature, f"made by a deployed client, sign bit {signature[63] >> 7}"))

    # u = 9 is the base point: the private scalar is 1, so a signature for its second encoding can be made
    message = b"base point"
    r = hash_q(b"vector base point nonce")
    big_r = encode_point(multiply(r, BASE))
    sig = big_r + le((r + hash_q(big_r, encode_point(BASE), message)) % Q)
    cases.append(("u = 9", le(9), message, sig, "the base point as key; a canonical u"))
    cases.append(("u = 9 + p", le(9 + P), message, sig, "u is not canonical (the same key as u = 9)"))
    for u in (2, P - 2):
        on_twist = point_from_y(u_to_y(u), 0) is None
        if on_twist:
            cases.append((f"u = {u if u < 99 else 'p - 2'}", le(u), message, sig, "u is on the twist: no Edwards form"))
    assert cases[-1][4].startswith("u is on the twist")

    both = [s["seed"] for s in sign if s["edwards_sign"] == 0][-1], [s["seed"] for s in sign if s["edwards_sign"] == 1][-1]
    for private in both:
        cases += wrong_cases(private, b"the message that was signed")
    cases += mixed_key_cases()
    forgery = bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), b"m0", b"\x01" + bytes(63)
    assert published_verify(*forgery)
    cases.append(("keyless forgery", *forgery, "u is of low order, R is the identity; the published rules accept it"))
    cases += low_order_cases()

    verify = []
    for name, u, message, signature, why in cases:
        reason = xeddsa_verify(u, message, signature)
        verify.append({"name": name, "u": u, "message": message, "signature": signature, "valid": reason is None, "why": why})
    accepted = ("published form", "deployed form", "made by a deployed", "the base point", "the key is not of small", "neither is")
    for v in verify:
        assert v["valid"] == v["why"].startswith(accepted), v
    assert len({v["name"] for v in verify}) == len(verify)

    s = sign[0]
    malformed = [
        ("signature of 63 bytes", s["u"], s["signature"][:63]), ("signature of 65 bytes", s["u"], s["signature"] + b"\0"),
        ("no signature", s["u"], b""), ("key of 31 bytes", s["u"][:31], s["signature"]), ("key of 33 bytes", s["u"] + b"\0", s["signature"]),
    ]
    return {
        "about": "XEdDSA: sign in the published form; verify accepts the published and the deployed form (protocol.md, 2)",
        "sign": sign, "verify": verify,
        "malformed": [{"name": n, "u": u, "message": s["message"], "signature": sig, "why": "length"} for n, u, sig in malformed],
    }


# ---------------------------------------------------------------------------------------------------------------------------
# fingerprints.json

def fingerprint_pair(name, key_a, id_a, key_b, id_b):
    a, b = fingerprint(key_a, id_a), fingerprint(key_b, id_b)
    half_a, half_b = half(a), half(b)
    assert len(half_a) == len(half_b) == 30 and len(scannable(a, b)) == 74
    return {
        "name": name, "key_a": key_a, "id_a": id_a, "key_b": key_b, "id_b": id_b, "fingerprint_a": a, "fingerprint_b": b,
        "half_a": half_a, "half_b": half_b, "number": min(half_a, half_b) + max(half_a, half_b),
        "scannable_a": scannable(a, b), "scannable_b": scannable(b, a),
    }


def fingerprints_file():
    def key(name):
        return enc(public_key(draw(f"fingerprints {name}", 32)))

    same_key, same_id = key("equal"), filler("fingerprints equal", 16)
    phone = key("one key")
    return {
        "about": "Safety numbers and their scannable form (protocol.md, 3). half_*, number: decimal digits; the rest: hex",
        "pairs": [
            fingerprint_pair(
                "published test value of deployed clients",
                bytes.fromhex("0506863bc66d02b40d27b8d49ca7c09e9239236f9d7d25d6fcca5ce13c7064d868"), b"+14152222222",
                bytes.fromhex("05f781b6fb32fed9ba1cf2de978d4d5da28dc34046ae814402b5c0dbd96fda907b"), b"+14153333333"),
            fingerprint_pair(
                "keys of the handshake example",
                enc(public_key(sha256(b"outrigger example IKa"))), b"+14155550100",
                enc(public_key(sha256(b"outrigger example IKb"))), b"+14155550101"),
            fingerprint_pair("binary identifiers of 16 bytes", key("16 a"), filler("fingerprints 16 a", 16),
                             key("16 b"), filler("fingerprints 16 b", 16)),
            fingerprint_pair("identifiers of 64 bytes", key("64 a"), filler("fingerprints 64 a", 64),
                             key("64 b"), filler("fingerprints 64 b", 64)),
            fingerprint_pair("identifiers of 16 and 64 bytes", key("mixed a"), bytes(16), key("mixed b"), b"\xff" * 64),
            fingerprint_pair("one key, two identifiers", phone, filler("fingerprints one key a", 16),
                             phone, filler("fingerprints one key b", 16)),
            fingerprint_pair("equal parties", same_key, same_id, same_key, same_id),
        ],
    }


# ---------------------------------------------------------------------------------------------------------------------------
# prekeys.json

TIME = 1_767_225_600_000  # 2026-01-01, in milliseconds
NOW = TIME + 60_000           # the time of a case of session.json


def prekeys_file():
    ids = []
    for name, u in [("example SPKb", public_key(sha256(b"outrigger example SPKb")))] + [
        (f"prekey {i}", public_key(draw(f"prekeys id {i}", 32))) for i in range(3)
    ]:
        ids.append({"name": name, "public": u, "encoded": enc(u), "hash_input": prekey_id_input(u),
                    "hash": sha256(prekey_id_input(u)), "id": prekey_id(u)})

    def account(name, length):
        return filler(f"account {name}", length)

    suites = []
    for i, (length, device, issued_at, listed) in enumerate([
        (16, 0, TIME, [1]), (64, 2**32 - 1, TIME + 1, [1]), (32, 7, 1, [1, 2, 3, 16]), (64, 1, 2**64 - 1, list(range(1, 17))),
    ]):
        private = draw(f"prekeys suites {i}", 32)
        z = draw(f"prekeys suites {i} z", 64)
        signed = suites_statement(account(f"suites {i}", length), device, issued_at, bytes(listed))
        assert 57 <= len(signed) <= 120
        suites.append({
            "name": f"suites {i}", "account_id": account(f"suites {i}", length), "device_id": device, "issued_at": issued_at,
            "suites": bytes(listed), "identity_private": private, "identity_public": public_key(private), "z": z,
            "signed_bytes": signed, "signature": sign_published(private, signed, z),
        })
    assert len(suites[0]["signed_bytes"]) == 57 and len(suites[3]["signed_bytes"]) == 120

    numbers, numbers_refused = [], []
    for i, (length, issued_at, number) in enumerate([
        (16, TIME, b"+14155550100"), (64, 2**62, b"+123456789012345"), (16, 1, b"+1234567"), (33, 300, b"+4915112345678"),
    ]):
        private = draw(f"prekeys number {i}", 32)
        z = draw(f"prekeys number {i} z", 64)
        account_id = account(f"number {i}", length)
        signed = number_statement(account_id, issued_at, number)
        assert 60 <= len(signed) <= 116
        signature = sign_published(private, signed, z)
        statement = encode_number(number, issued_at, signature)
        check_number(account_id, public_key(private), statement)
        numbers.append({
            "name": f"number {i}", "account_id": account_id, "issued_at": issued_at, "number": number.decode(),
            "identity_private": private, "identity_public": public_key(private), "z": z, "signed_bytes": signed,
            "signature": signature, "statement": statement,
        })

    def number_refused(name, why, number=b"+14155550100", issued_at=TIME, account_id=None, build=encode_number):
        private = sha256(b"outrigger vector prekeys number 0")
        mine = numbers[0]["account_id"]
        signed = number_statement(account_id or mine, issued_at, number)
        statement = build(number, issued_at, sign_published(private, signed, draw(f"prekeys number refused {name}", 64)))
        numbers_refused.append({"name": name, "account_id": mine, "identity_public": public_key(private), "statement": statement, "why": why})
        try:
            check_number(mine, public_key(private), statement)
        except Refused:
            return
        raise AssertionError(name)

    number_refused("other account", "the signed account id is another one", account_id=account("other", 16))
    number_refused("no plus", "not E.164", number=b"14155550100")
    number_refused("leading zero", "not E.164", number=b"+04155550100")
    number_refused("six digits", "not E.164", number=b"+123456")
    number_refused("sixteen digits", "not E.164", number=b"+1234567890123456")
    number_refused("space", "not E.164", number=b"+1415 5550100")
    number_refused("version 2", "version", build=lambda *x: b"\x02" + encode_number(*x)[1:])
    number_refused("signature of 63 bytes", "length", build=lambda n, t, s: encode_number(n, t, s[:63]))
    number_refused("signature flipped", "signature", build=lambda n, t, s: encode_number(n, t, bytes([s[0] ^ 1]) + s[1:]))
    number_refused("time 0", "issued_at is 0, and signed so", issued_at=0)
    number_refused("time 0, written out", "a uint that is 0 is left out, and issued_at is 0", issued_at=0,
                   build=lambda n, t, s: b"\x01" + bytes_field(1, n) + b"\x10\x00" + bytes_field(3, s))
    number_refused("time changed", "signature", build=lambda n, t, s: encode_number(n, t + 1, s))
    number_refused("trailing field", "unknown field 4", build=lambda *x: encode_number(*x) + uint_field(4, 1))
    number_refused("order", "fields not in ascending order",
                   build=lambda n, t, s: b"\x01" + uint_field(2, t) + bytes_field(1, n) + bytes_field(3, s))
    number_refused("long varint", "varint not of least length", issued_at=1,
                   build=lambda n, t, s: b"\x01" + bytes_field(1, n) + b"\x10\x81\x00" + bytes_field(3, s))

    bundles = []
    for name, length, device, opks in (("shortest id", 16, 0, 2), ("longest id", 64, 0, 1), ("none left", 16, 0, 0)):
        d = Device(f"prekeys {name}", account(f"bundle {name}", length), device, TIME, opks)
        for b in [d.bundle] + d.bundles_with:
            check_bundle(b, d.account, d.device)
        for with_, one in zip(d.bundles_with, d.description["prekeys"]["one_time_prekeys"]):
            assert with_ == d.bundle + one["upload"] and one["upload"][:2] == b"\x3a\x21"
        bundles.append({"name": name} | d.description | {"bundles_with_one_time_prekey": d.bundles_with})

    # Bundles by hand. Each differs from an acceptable one in the thing that it is named for.
    private = draw("prekeys by hand identity key", 32)
    account_id, device = account("by hand", 16), 0
    spk = enc(public_key(draw("prekeys by hand signed prekey", 32)))
    opk = enc(public_key(draw("prekeys by hand one-time prekey", 32)))
    identity = enc(public_key(private))
    accepted, refused = [], []

    def by_hand(name, why, into=refused, suites=b"\x01", issued_at=TIME, signed_account=None, signed_device=None, spk=spk, opk=opk,
                identity=identity, spk_signed=None, sign=sign_published, build=encode_bundle):
        statement = suites_statement(signed_account or account_id, device if signed_device is None else signed_device, issued_at, suites)
        suites_signature = sign(private, statement, draw(f"prekeys by hand {name} suites", 64))
        spk_signature = sign(private, spk if spk_signed is None else spk_signed, draw(f"prekeys by hand {name} signed prekey", 64))
        bundle = build(identity, suites, issued_at, suites_signature, spk, spk_signature, opk)
        into.append({"name": name, "account_id": account_id, "device_id": device, "bundle": bundle, "why": why})
        try:
            check_bundle(bundle, account_id, device)
        except Refused:
            assert into is refused, name
        else:
            assert into is accepted, name

    assert xeddsa_sign(private, b"", FIXED_Z)["edwards_sign"] == 1, "the deployed form must differ here"
    by_hand("plain", "as made by a device", accepted)
    by_hand("deployed form", "signatures of the deployed form are accepted", accepted, sign=sign_deployed)
    by_hand("suites not known", "suites that are not known are no error", accepted, suites=b"\x01\x20\x7f\xff")
    by_hand("sixteen suites", "the longest list", accepted, suites=b"\x01" + bytes(range(0x20, 0x2f)))
    by_hand("no one-time prekey", "field 7 is optional", accepted, opk=None)
    by_hand("other device", "the suites statement names another device", signed_device=6)
    by_hand("other account", "the suites statement names another account", signed_account=account("other", 16))
    by_hand("signature over 32 bytes", "the signed prekey's signature is over u, without the type byte", spk_signed=spk[1:])
    by_hand("signature over another prekey", "signed prekey signature", spk_signed=opk)
    by_hand("suites changed", "a suite was added after signing", build=lambda i, s, *x: encode_bundle(i, s + b"\x02", *x))
    by_hand("time changed", "suites signature", build=lambda i, s, t, *x: encode_bundle(i, s, t + 1, *x))
    by_hand("signatures swapped", "each is over the other's bytes",
            build=lambda i, s, t, g, k, h, o: encode_bundle(i, s, t, h, k, g, o))
    by_hand("time 0", "issued_at is 0", issued_at=0)
    by_hand("no suites", "1 to 16 suites", suites=b"")
    by_hand("seventeen suites", "1 to 16 suites", suites=bytes(range(1, 18)))
    by_hand("suite 0", "no suite is 0", suites=b"\x00\x01")
    by_hand("suites descending", "strictly ascending", suites=b"\x02\x01")
    by_hand("suite twice", "strictly ascending", suites=b"\x01\x01")
    by_hand("identity key type 6", "key type", identity=b"\x06" + identity[1:])
    by_hand("identity key of low order", "low order", identity=enc(le(1)))
    by_hand("identity key not canonical", "canonical", identity=identity[:32] + bytes([identity[32] | 128]))
    by_hand("signed prekey type 6", "key type", spk=b"\x06" + spk[1:])
    for u in sorted(LOW_ORDER) + [P, P + 1]:
        by_hand(f"signed prekey {le(u).hex()}", "low order or not canonical", spk=enc(le(u)))
        by_hand(f"one-time prekey {le(u).hex()}", "low order or not canonical", opk=enc(le(u)))
    by_hand("signed prekey with bit 255", "canonical", spk=spk[:32] + bytes([spk[32] | 128]))
    by_hand("one-time prekey of 32 bytes", "length", opk=opk[1:])
    by_hand("version 2", "version", build=lambda *x: encode_bundle(*x, version=b"\x02"))
    by_hand("version 0", "version", build=lambda *x: encode_bundle(*x, version=b"\x00"))
    by_hand("nothing after the version", "fields are missing", build=lambda *x: b"\x01")
    by_hand("no signed prekey", "a field is missing",
            build=lambda i, s, t, g, k, h, o: encode_bundle(i, s, t, g, k, h, o).replace(bytes_field(5, k), b""))
    by_hand("unknown field 8", "unknown field", build=lambda *x: encode_bundle(*x) + bytes_field(8, bytes(4)))
    by_hand("one-time prekey twice", "a field twice", build=lambda *x: encode_bundle(*x) + bytes_field(7, opk))
    by_hand("fields out of order", "ascending order",
            build=lambda *x: b"\x01" + bytes_field(7, opk) + encode_bundle(*x[:6])[1:])
    by_hand("long varint", "varint not of least length", issued_at=1,
            build=lambda *x: encode_bundle(*x).replace(b"\x18\x01\x22\x40", b"\x18\x81\x00\x22\x40"))
    by_hand("long length", "varint not of least length",
            build=lambda *x: encode_bundle(*x).replace(b"\x0a\x21", b"\x0a\xa1\x00", 1))
    by_hand("truncated", "the last byte is missing", build=lambda *x: encode_bundle(*x)[:-1])
    by_hand("trailing byte", "a byte too many", build=lambda *x: encode_bundle(*x) + b"\0")
    return {
        "about": "Prekey ids, signed statements, bundles (protocol.md, 2 to 4). Draws in the order in which a device takes them",
        "prekey_ids": ids, "suites": suites, "numbers": numbers, "numbers_refused": numbers_refused, "bundles": bundles,
        "bundles_accepted": accepted, "bundles_refused": refused,
    }


# ---------------------------------------------------------------------------------------------------------------------------
# x3dh.json

def x3dh_case(name, keys, account_a, device_a, account_b, device_b, with_opk, started_at):
    """`keys` gives the private half for each of IKa, EKa, IKb, SPKb, OPKb."""
    ika, eka, ikb, spk, opk = (keys(n) for n in ("IKa", "EKa", "IKb", "SPKb", "OPKb"))
    opk = opk if with_opk else None
    opk_public = public_key(opk) if opk else None
    address_a, address_b = addr(account_a, device_a), addr(account_b, device_b)
    x = x3dh_initiator(ika, eka, public_key(ikb), public_key(spk), opk_public, address_a, address_b, started_at)
    assert x == x3dh_responder(ikb, spk, opk, public_key(ika), public_key(eka), address_a, address_b, started_at)
    return {
        "name": name,
        "initiator": {
            "account_id": account_a, "device_id": device_a, "address": address_a,
            "identity_private": ika, "identity_public": public_key(ika), "ephemeral_private": eka, "ephemeral_public": public_key(eka),
        },
        "responder": {
            "account_id": account_b, "device_id": device_b, "address": address_b,
            "identity_private": ikb, "identity_public": public_key(ikb), "signed_prekey_private": spk, "signed_prekey_public": public_key(spk),
            "signed_prekey_id": prekey_id(public_key(spk)), "one_time_prekey_private": opk, "one_time_prekey_public": opk_public,
            "one_time_prekey_id": prekey_id(opk_public) if opk else None,
        },
    } | x


def x3dh_file():
    def example(name):
        return sha256(b"outrigger example " + name.encode())

    short_a, short_b = filler("account x3dh a", 16), filler("account x3dh b", 16)
    long_a, long_b = filler("account x3dh long a", 64), filler("account x3dh long b", 64)
    cases = [
        x3dh_case("example keys, without one-time prekey", example, short_a, 0, short_b, 0, False, NOW),
        x3dh_case("example keys, with one-time prekey", example, short_a, 0, short_b, 0, True, NOW),
        x3dh_case("example keys, other address", example, short_a, 1, short_b, 0, True, NOW),
        x3dh_case("example keys, without one-time prekey, started at 1", example, short_a, 0, short_b, 0, False, 1),
        x3dh_case("example keys, with one-time prekey, started at 2^64 - 1", example, short_a, 0, short_b, 0, True, MAX_START),
    ]
    for one, other in ((0, 3), (1, 4)):
        assert all(cases[one][k] == cases[other][k] for k in cases[one] if k not in ("name", "started_at", "handshake"))
        assert cases[one]["handshake"] != cases[other]["handshake"]
    assert [c["handshake"][c["handshake"].rindex(b"\x30"):].hex() for c in cases[3:]] == ["3001", "30" + "ff" * 9 + "01"]
    for i, (a, da, b, db, opk, at) in enumerate([
        (short_a, 0, short_b, 0, True, NOW), (short_a, 0, short_b, 0, False, NOW + 1), (long_a, 2**32 - 1, long_b, 0, True, 127),
        (short_a, 2**32 - 1, long_b, 0, False, 128), (long_a, 3, short_b, 0, True, 2**63),
        (short_a, 1, short_a, 0, True, 2**32),
    ]):
        cases.append(x3dh_case(f"case {i}", lambda n: draw(f"x3dh case {i} {n}", 32), a, da, b, db, opk, at))
    return {"about": "X3DH handshakes (protocol.md, 6). transcript is T", "cases": cases}


# ---------------------------------------------------------------------------------------------------------------------------
# ratchet.json

class RatchetCase:
    """Two parties a (initiator) and b. Messages are named by their sender and a number: a0, a1, b0."""

    def __init__(self, name):
        self.name = f"ratchet {name}"
        secret = seed(f"{self.name} root secret")
        private_b = draw(f"{self.name} responder key", 32)
        private_a = draw(f"{self.name} first ratchet key", 32)
        self.party = {"a": Ratchet.initiator(secret, private_a, public_key(private_b)), "b": Ratchet.responder(secret, private_b)}
        a = self.party["a"]
        self.initial = {
            "root_secret": secret, "responder_private": private_b, "responder_public": public_key(private_b),
            "initiator_draws": [private_a], "initiator_private": private_a, "initiator_public": public_key(private_a),
            "initiator_dh": a.first_dh, "initiator_root": a.root, "initiator_chain": a.send_chain,
        }
        self.steps, self.sent, self.after = [], {}, []
        self.count = {"a": 0, "b": 0}

    def send(self, by, length=None):
        label = f"{by}{self.count[by]}"
        self.count[by] += 1
        i = len(self.steps)
        length = (5, 0, 1, 16, 31, 64, 130)[i % 7] if length is None else length
        text = filler(f"{self.name} text {i}", length)
        ad = filler(f"{self.name} associated data {i}", (0, 1, 20, 64)[i % 4])
        out = self.party[by].send(f"{self.name} {label}", text, b"", ad)
        self.sent[label] = i
        wire = out.pop("wire")
        self.steps.append({"op": "send", "by": by, "name": label, "plaintext": text, "associated_data": ad} | out | {"message": wire})

    def receive(self, by, label, expect):
        """Adds the step if the model says what is expected; with expect=None only if it is one of the two."""
        sent = self.steps[self.sent[label]]
        try:
            out = self.party[by].receive_alone(sent["message"], sent["associated_data"])
            result = "opens"
            assert out.pop("content") == sent["plaintext"] and out["message_key"] == sent["message_key"]
        except Refused as e:
            out, result = {}, e.kind
        if expect is None and result == "refused":
            return
        assert expect in (None, result), (label, expect, result)
        self.steps.append({"op": "receive", "by": by, "name": label, "message": self.sent[label], "expect": result} | out)

    def attempt(self, name, by, message, associated_data, expect, why, plaintext=None):
        try:
            out = self.party[by].receive_alone(message, associated_data)
            result = "opens"
            assert out["content"] == plaintext
        except Refused as e:
            result = e.kind
        assert result == expect, (name, result)
        return {
            "name": name, "by": by, "message": message, "associated_data": associated_data, "expect": expect, "why": why,
            "plaintext": plaintext,
        }

    def try_after(self, *arguments):
        """Bytes to be tried after the last step, in this order."""
        self.after.append(self.attempt(*arguments))

    def try_now(self, *arguments):
        """Bytes to be tried between the steps."""
        self.steps.append({"op": "try"} | self.attempt(*arguments))

    def message(self, label):
        sent = self.steps[self.sent[label]]
        return sent["message"], sent["associated_data"]

    def run(self, text):
        for line in filter(None, text.splitlines()):
            by, direction = line[0], line[1]
            for word in line[2:].strip().split("  ")[0].split():
                if direction == ":":
                    self.send(by)
                    assert word == self.steps[-1]["name"], (line, self.steps[-1]["name"])
                else:
                    self.receive(by, word.rstrip("!"), "repeat" if word.endswith("!") else "opens")

    def as_new_chain(self, name, by, key):
        """What opens at a receiver that takes `key` for a new one, though it is no new one."""
        r = self.party[by]
        message_key, _ = kdf_ck(kdf_rk(r.root, dh(r.private, key))[1])
        nonce = draw(f"{self.name} crafted {name} nonce", 12)
        return seal(message_key, nonce, encode_header(key, 0, 0), b"wrong chain", b"", b"data")["wire"]

    def result(self):
        return {"name": self.name} | self.initial | {"steps": self.steps, "after": self.after}


HAND_MADE = """
a: a0 a1 a2        three messages of the first chain
b< a1 a0 a1! a0!   out of order, both again
b: b0 b1           first answer; a2 is still under way
a< b1              b0 is skipped
a: a3 a4           new chain, PN = 3
b< a4              a2 is skipped in the old chain, a3 in the new one
b< a2 a2! a4!      late, of the chain before
a< b0 b0!          late, of the current chain
b: b2 b3 b4        PN = 2
a< b3              b2 is skipped; b4 is lost for the time being
a: a5
b< a5
b: b5              PN = 3
a< b5              b4 is skipped on the turn
a: a6 a7           a6 is lost for ever
b< a7
b< a3 a3!          late, two chains before
b: b6 b7 b8        all sent before anything comes back
a: a8              and a goes on in its chain meanwhile
b< a8
a< b8 b6           b7 is skipped
a: a9 a10 a11
b< a11
a< b2 b2!          late, two chains before
b: b9
a< b9 b9!
a: a12
b< a12             a9 is lost for ever
b: b10
a< b10 b4          b4: late, four chains before
a: a13 a14
b< a14
b< a6              a6: late, three chains before
b: b11 b12
a< b12             b11 is skipped
a: a15 a16
b: b13             crossing: b still in its chain
a< b13
b< a15
b: b14
a< b14 b7          b7: late, four chains before
a: a17
b< a17 a10         a10: late, four chains before
b: b15 b16
a< b16
a: a18 a19 a20
b< a19 a18
b< a16             late, two chains before
"""


def ratchet_hand_made():
    case = RatchetCase("by hand")
    case.run(HAND_MADE)
    assert len(case.steps) >= 30
    a, b = case.party["a"], case.party["b"]
    assert not a.due and b.due
    by_label = {label: case.steps[i] for label, i in case.sent.items()}

    def craft(name, content, ad, sender=a, front=None, ahead=0, step=False):
        """A message that the sender could make, without its state going on; `front(key, pn, n)` builds the header."""
        sender = copy.deepcopy(sender)
        sender.due |= step
        for _ in range(ahead + 1):
            out, message_key = sender.step_and_key(lambda: draw(f"{case.name} crafted {name} key", 32))
        header = (front or encode_header)(out["ratchet_public"], out["previous_counter"], out["counter"])
        return seal(message_key, draw(f"{case.name} crafted {name} nonce", 12), header, content, b"", ad)["wire"]

    def refused(name, message, why, by="b", ad=b"data"):
        case.try_after(name, by, message, ad, "refused", why)

    text = b"the next message"
    good = craft("good", text, b"data")
    refused("empty", b"", "fields are missing")
    refused("other associated data", good, "the tag does not verify", ad=b"date")
    refused("bit flipped in the tag", good[:-1] + bytes([good[-1] ^ 1]), "the tag does not verify")
    refused("bit flipped in the nonce", good[:-len(text) - 28] + bytes([good[-len(text) - 28] ^ 1]) + good[-len(text) - 27:],
            "the tag does not verify")
    refused("truncated", good[:-1], "the last byte is missing")
    refused("trailing byte", good + b"\0", "a byte too many")
    refused("own key", by_label["a20"]["message"], "the receiver's own ratchet key", "a", by_label["a20"]["associated_data"])
    refused("chain five before, b", by_label["a9"]["message"], "the chain is forgotten, so the key is new, and the sending step is due", "b",
            by_label["a9"]["associated_data"])
    refused("chain five before, a", by_label["b7"]["message"], "the chain is forgotten, so the key is new, and the tag does not verify", "a",
            by_label["b7"]["associated_data"])
    flipped = by_label["b11"]["message"]
    refused("late, tag flipped", flipped[:-1] + bytes([flipped[-1] ^ 1]), "the stored key does not open it and stays", "a",
            by_label["b11"]["associated_data"])

    def other_tail(name, label):
        """The message with the last 24 bytes of its key changed: as it was sealed, and sealed anew under its own message key."""
        sent = by_label[label]
        key = sent["ratchet_public"]
        key = key[:8] + filler(f"{case.name} {name}", 23) + bytes([key[31] ^ 1])
        header = encode_header(key, sent["previous_counter"], sent["counter"])
        nonce = draw(f"{case.name} crafted {name} nonce", 12)
        kept = sent["message"].replace(sent["ratchet_public"], key)
        return kept, seal(sent["message_key"], nonce, header, sent["plaintext"], b"", sent["associated_data"])["wire"]

    tail, tail_sealed = other_tail("tail", "b11")
    refused("late, 24 bytes of the key changed", tail, "the stored key does not open it and stays: the key is in the head", "a",
            by_label["b11"]["associated_data"])
    _, current_tail = other_tail("current tail", "b15")
    refused("current chain, 24 bytes of the key changed", current_tail,
            "the key is not the peer's current one and its first 8 bytes are none of a chain before, so it is new, and the tag does not verify",
            "a", by_label["b15"]["associated_data"])
    refused("own key, sealed as a new chain", case.as_new_chain("own key", "a", public_key(a.private)),
            "the receiver's own ratchet key; the tag verifies for a receiver that takes it for a new one", "a")
    refused("step while due", craft("step while due", text, b"data", step=True),
            "a new ratchet key while the receiver's sending step is due")
    refused("1,001 skipped", craft("1,001 skipped", text, b"data", ahead=1001 - (a.send_n - b.recv_n)),
            "more than 1,000 skipped keys")
    refused("counter 2^32 - 1", craft("counter", text, b"data", front=lambda k, p, n: encode_header(k, p, 2**32 - 1)), "counter")
    refused("counter 2^32", craft("counter 33 bits", text, b"data", front=lambda k, p, n: encode_header(k, p, 2**32)), "counter")
    odd = {
        "pq": (lambda k, p, n: encode_header(k, p, n) + bytes_field(6, b"\0"), "field 6 under suite 0x01"),
        "unknown field": (lambda k, p, n: encode_header(k, p, 0) + tag(8, 0) + varint(n), "unknown field 8"),
        "session id": (lambda k, p, n: fixed64_field(1, bytes(8)) + encode_header(k, p, n), "field 1 in a ratchet used alone"),
        "long varint": (lambda k, p, n: bytes_field(3, k) + uint_field(4, p) + b"\x28" + bytes([n | 128, 0]), "varint not of least length"),
        "counters swapped": (lambda k, p, n: bytes_field(3, k) + uint_field(5, n) + uint_field(4, p), "fields not in ascending order"),
        "counter twice": (lambda k, p, n: encode_header(k, p, n) + uint_field(5, n), "a field twice"),
        "long key length": (lambda k, p, n: b"\x1a\xa0\x00" + encode_header(k, p, n)[2:], "varint not of least length"),
        "encoded key": (lambda k, p, n: encode_header(enc(k), p, n), "the ratchet key travels as the bare 32 bytes"),
        "key with bit 255": (lambda k, p, n: encode_header(k[:31] + bytes([k[31] | 128]), p, n), "not canonical"),
        "no key": (lambda k, p, n: uint_field(4, p) + uint_field(5, n), "a field is missing"),
    }
    for name, (front, why) in odd.items():
        refused(name, craft(name, text, b"data", front=front), why)
    for u in sorted(LOW_ORDER) + [P, P + 1]:
        refused(f"ratchet key {le(u).hex()}", encode_header(le(u), 0, 0) + bytes_field(7, bytes(28)), "low order or not canonical")
    short = craft("short", b"", b"data")
    refused("ciphertext of 27 bytes", short[:-29] + b"\x1b" + short[-28:-1], "shorter than nonce and tag")
    refused("length as two bytes", short[:-29] + b"\x9c\x00" + short[-28:], "varint not of least length")

    # b's turn: its next chain starts with N = 0
    refused("zero written out", craft("zero written out", text, b"data", sender=b,
                                      front=lambda k, p, n: bytes_field(3, k) + uint_field(4, p) + b"\x28\x00"),
            "a uint that is 0 is left out", by="a")
    refused("PN too far", craft("PN too far", text, b"data", sender=b, front=lambda k, p, n: encode_header(k, a.recv_n + 1001, n)),
            "more than 1,000 skipped keys in the old chain", by="a")
    refused("N too far in a new chain", craft("N too far", text, b"data", sender=b,
                                              front=lambda k, p, n: encode_header(k, p, 1001)),
            "more than 1,000 skipped keys in the new chain", by="a")

    case.try_after("good", "b", good, b"data", "opens", "the message that the ones above were made from", text)
    case.try_after("good again", "b", good, b"data", "repeat", "opened before")
    ad = by_label["a20"]["associated_data"]
    case.try_after("a20", "b", by_label["a20"]["message"], ad, "opens", "skipped by the message before", by_label["a20"]["plaintext"])
    far = craft("far", b"far", b"", ahead=1000 - (a.send_n - b.recv_n))
    case.try_after("1,000 skipped", "b", far, b"", "opens", "exactly 1,000 skipped keys", b"far")
    case.try_after("the first of those skipped", "b", craft("near", b"near", b"", ahead=b.recv_n - 1001 - a.send_n), b"", "opens",
                   "1,000 skipped keys are stored", b"near")
    lost = by_label["a13"]
    case.try_after("a13", "b", lost["message"], lost["associated_data"], "repeat", "its stored key has made room for newer ones")
    late = by_label["b15"]
    case.try_after("b15", "a", late["message"], late["associated_data"], "opens", "late, of the current chain", late["plaintext"])
    late = by_label["b11"]
    case.try_after("b11, 24 bytes of the key changed and sealed so", "a", tail_sealed, late["associated_data"], "opens",
                   "late, two chains before: the stored key is found by the first 8 bytes and N", late["plaintext"])
    case.try_after("b11", "a", late["message"], late["associated_data"], "repeat", "its key was used by the one before")
    turn = craft("turn", b"turn", b"", sender=b, ahead=1000, front=lambda k, p, n: encode_header(k, a.recv_n + 1000, n))
    case.try_after("1,000 skipped in each chain", "a", turn, b"", "opens", "neither count is above 1,000", b"turn")
    return case.result()


def ratchet_first_messages():
    """Before anything has opened: the key that the initiator started from is no key of a message."""
    case = RatchetCase("first messages")
    prekey = case.initial["responder_public"]
    case.try_now("own key at the responder", "b", case.as_new_chain("responder's own", "b", prekey), b"data", "refused",
                 "the responder's key pair is its own current ratchet key; the tag verifies for a receiver that takes it for a new one")
    case.run("a: a0 a1")
    start = case.as_new_chain("start", "a", prekey)
    case.try_now("the responder's first key", "a", start, b"data", "refused",
                 "the initiator has opened nothing, and no message is under that key; the tag verifies for a receiver that takes it for a new one")
    key, pn, n, at, sealed = read_header(read_message(start, HEADER))
    for counter in (1, 1001, 2**32 - 2):
        case.try_now(f"the responder's first key, N = {counter}", "a", encode_header(key, pn, counter) + bytes_field(7, sealed), b"data",
                     "refused", "the initiator has opened nothing, and no message is under that key")
    case.try_now("own key", "a", *case.message("a0"), "refused", "the receiver's own ratchet key")
    case.try_now("own key, sealed as a new chain", "a", case.as_new_chain("own", "a", public_key(case.party["a"].private)), b"data", "refused",
                 "the receiver's own ratchet key; the tag verifies for a receiver that takes it for a new one")
    case.run("""
b< a1
b: b0
a< b0
a: a2
b< a2 a0
""")
    case.try_after("the responder's first key as a new one", "a", case.as_new_chain("first key, later", "a", prekey), b"data", "opens",
                   "the initiator received nothing under that key, so it is none of the 4 earlier chains' and counts as new", b"wrong chain")
    case.try_after("the responder's first key, sending step due", "a", *case.message("b0"), "repeat", "late, of the chain before")
    return case.result()


FORGOTTEN = """
a: a0 a1 a2 a3
b< a3              three keys of the first chain are stored, and no other until the end
b: b0
a< b0
a: a4
b< a4
b: b1
a< b1
a: a5
b< a5
b: b2
a< b2
a: a6
b< a6
b: b3
a< b3
a: a7
b< a7 a0           the first chain is the fourth before the current one
b: b4
a< b4
a: a8
b< a8              and now the fifth: forgotten
"""


def ratchet_forgotten():
    case = RatchetCase("forgotten chain")
    case.run(FORGOTTEN)
    case.try_now("a1, sending step due", "b", *case.message("a1"), "refused",
                 "its chain is forgotten, so the key is new, and the sending step is due; no key was added since")
    case.run("b: b5")
    case.try_now("a1, sending step done", "b", *case.message("a1"), "refused",
                 "its chain is forgotten, so the key is new, and the tag does not verify; no key was added since")
    case.run("""
a< b5
a: a9 a10
b< a10             a9 is stored
""")
    case.try_now("a2", "b", *case.message("a2"), "refused", "its chain is forgotten, so the key is new, and the sending step is due")
    case.run("""
b< a9 a9!
b: b6
a< b6
""")
    return case.result()


def ratchet_shuffled():
    """A schedule that is drawn: sending, delivery in any order, second delivery, loss."""
    case = RatchetCase("shuffled")
    labels = {"a": [], "b": []}     # messages on the way to that party, delivered ones too
    for i in range(260):
        choice = seed(f"schedule {i}")
        by = "ab"[choice[0] & 1]
        if choice[1] < 110:
            if case.party[by].send_chain is None and not case.party[by].due:
                continue
            case.send(by)
            labels["b" if by == "a" else "a"].append(case.steps[-1]["name"])
        elif labels[by]:
            newest = labels[by][-8:]
            case.receive(by, newest[choice[2] % len(newest)], None)
    kinds = [s.get("expect") for s in case.steps]
    assert kinds.count("opens") > 40 and kinds.count("repeat") > 10, kinds
    assert sum(s.get("dh") is not None for s in case.steps if s["op"] == "send") > 10
    return case.result()


def ratchet_file():
    return {
        "about": "The ratchet used alone (protocol.md, 7): no version, suite, session id or handshake in front. a is the initiator. "
                 "A receiving step names the index of its sending step in `steps`; a step `try` and `after` (in order, after the last step) "
                 "hold bytes to be tried",
        "cases": [ratchet_hand_made(), ratchet_first_messages(), ratchet_forgotten(), ratchet_shuffled()],
    }


# ---------------------------------------------------------------------------------------------------------------------------
# session.json

class ByHand:
    """A session towards the device `to` that no Device keeps, so that each part of it can be chosen. The initiator's side only."""

    def __init__(self, name, to, identity, address, spk=None, opk=None, started_at=None, session_id=None, three=False, **wrong):
        self.name, self.count = name, 0
        ek, first = draw(f"{name} ephemeral key", 32), draw(f"{name} ratchet key", 32)
        spk = spk or public_key(next(iter(to.signed_prekeys.values())))
        self.started_at = NOW if started_at is None else started_at
        x = x3dh_initiator(identity, ek, to.public, spk, None if three else opk, address, to.address, self.started_at)
        self.ratchet, self.t, self.id = Ratchet.initiator(x["root_key"], first, spk), x["transcript"], session_id or x["session_id"]
        handshake = encode_handshake(public_key(identity), public_key(ek), spk, opk, self.started_at, **wrong)
        self.front = VERSION_AND_SUITE + fixed64_field(1, self.id) + bytes_field(2, handshake)

    def envelope(self, content=b"\x01hello"):
        out, key = self.ratchet.step_and_key(None)
        front = self.front + encode_header(out["ratchet_public"], out["previous_counter"], out["counter"])
        nonce = draw(f"{self.name} nonce {self.count}", 12)
        self.count += 1
        return seal(key, nonce, front, content, self.t, b"data")["wire"]


class SessionCase:
    def __init__(self, name, accounts, one_time_prekeys=2):
        self.name = name
        self.device = {
            by: Device(f"session {name} {by}", account, device, TIME + 1000 * i, one_time_prekeys)
            for i, (by, (account, device)) in enumerate(accounts.items())
        }
        self.steps, self.sent, self.after, self.started, self.requests = [], {}, [], [], {}
        self.kept, self.old_bundle = {}, {}
        self.count = dict.fromkeys(self.device, 0)
        self.clock = dict.fromkeys(self.device, NOW)

    @staticmethod
    def peer(by):
        return "b" if by == "a" else "a"

    def time(self, by):
        return {"time": self.clock[by]} if self.clock[by] != NOW else {}

    def start(self, by, with_one_time_prekey):
        peer = self.device[self.peer(by)]
        before = [one for one, _ in self.started].count(by)
        bundle = peer.bundles_with[before] if with_one_time_prekey else peer.bundle if with_one_time_prekey is False else self.old_bundle[self.peer(by)]
        step = {"op": "start", "by": by, "with": self.peer(by)} | self.time(by)
        out = self.device[by].start(f"session {self.name} start {by} {before}", peer, bundle, self.clock[by])
        self.started.append((by, out["session_id"]))
        self.steps.append(step | out)

    def lose(self, by):
        peer = self.device[self.peer(by)]
        self.device[by].lose()
        self.steps.append({"op": "lose", "by": by} | self.time(by) | self.device[by].standing(peer.address))

    def send(self, by, kept=True):
        label = f"{by}{self.count[by]}"
        self.count[by] += 1
        i = len(self.steps)
        body = filler(f"session {self.name} text {i}", (12, 0, 1, 40, 200)[i % 5])
        ad = filler(f"session {self.name} associated data {i}", (0, 8, 33)[i % 3])
        out = self.device[by].send(f"session {self.name} {label}", self.device[self.peer(by)], body, ad, self.clock[by], kept)
        out["envelope"] = out.pop("wire")
        self.sent[label] = i
        self.steps.append({"op": "send", "by": by, "to": self.peer(by), "name": label} | self.time(by) | {"kept": kept} | out)

    def ask(self, by, label):
        """A retry request for the envelope `label`, which was refused before."""
        refused = [s for s in self.steps if s["op"] == "receive" and s["name"] == label and s["expect"] == "ask"][-1]
        sent = self.steps[self.sent[label]]
        peer = self.device[self.peer(by)]
        out = self.device[by].ask(f"session {self.name} ask {label}", peer, sent["envelope"], refused["reason"], self.clock[by])
        self.requests[label] = len(self.steps)
        step = {"op": "ask", "by": by, "to": self.peer(by), "name": label, "envelope": self.sent[label]}
        self.steps.append(step | self.time(by) | out)

    def answer(self, by, label, expect="opens", bundle=None):
        """The answer to the request for the envelope `label`; it is the envelope `label+`."""
        peer = self.device[self.peer(by)]
        step = {"op": "answer", "by": by, "to": self.peer(by), "name": label + "+", "request": self.requests[label]} | self.time(by)
        before = copy.deepcopy(self.device[by].__dict__)
        try:
            out = self.device[by].answer(
                f"session {self.name} answer {label}", peer, self.steps[self.requests[label]]["request"], bundle or peer.bundle, self.clock[by],
            )
            out["envelope"] = out.pop("wire")
            self.sent[label + "+"] = len(self.steps)
            step |= {"expect": "opens"} | out | self.device[by].standing(peer.address)
        except Refused as e:
            self.device[by].__dict__ = before
            step |= {"expect": "refused", "why": str(e)}
        assert step["expect"] == expect, (self.name, step)
        self.steps.append(step)

    def started_by_answers(self):
        return [s["session_id"] for s in self.steps if s["op"] == "answer" and s.get("restarted")]

    def recover(self, by):
        device = self.device[by]
        self.old_bundle[by] = device.bundle
        prekeys = device.recover(f"session {self.name} {by} recovery {len(self.steps)}", self.clock[by], 0)
        self.steps.append({"op": "recover", "by": by} | self.time(by) | {"prekeys": prekeys})

    def keep(self, by):
        self.kept[by] = copy.deepcopy(self.device[by].__dict__)
        self.steps.append({"op": "keep", "by": by})

    def go_back(self, by):
        self.device[by].__dict__ = copy.deepcopy(self.kept[by])
        peer = self.device[self.peer(by)]
        self.steps.append({"op": "go back", "by": by} | self.device[by].standing(peer.address))

    def receive(self, by, label, expect="opens", reason=None):
        sent = self.steps[self.sent[label]]
        step = {"op": "receive", "by": by, "from": self.peer(by), "name": label, "envelope": self.sent[label]}
        step |= self.time(by) | {"expect": expect}
        try:
            out = self.device[by].receive(self.device[self.peer(by)].address, sent["envelope"], sent["associated_data"], self.clock[by])
            result = "opens"
            for same in ("session_id", "message_id", "message_key", "content", "plaintext", "kind"):
                assert out[same] == sent[same], (label, same)
        except Refused as e:
            out, result = {"why": str(e)} | ({"reason": e.ask} if e.kind == "ask" else {}), e.kind
            assert result != "ask" or e.ask == reason, (self.name, label, e.ask)
        assert result == expect, (self.name, label, result, out.get("why"))
        self.steps.append(step | out)

    def run(self, text):
        for line in filter(None, text.splitlines()):
            by, direction = line[0], line[1]
            alone = {"-": self.lose, "&": self.recover, "[": self.keep, "]": self.go_back}.get(direction)
            if alone:
                alone(by)
                continue
            for word in line[2:].strip().split("  ")[0].split():
                if direction in ":;":
                    self.send(by, direction == ":")
                    assert word == self.steps[-1]["name"], (line, self.steps[-1]["name"])
                elif direction == "*":
                    self.start(by, {"four": True, "three": False, "old": None}[word])
                elif direction == "?":
                    self.ask(by, word)
                elif direction == "=":
                    label, _, how = word.partition("/")
                    self.answer(by, label, "refused" if how == "no" else "opens", self.old_bundle[self.peer(by)] if how == "old" else None)
                elif direction == "@":
                    self.clock[by] = int(word) + (NOW if word[0] in "+-" else 0)
                else:
                    label, _, reason = word.partition("~")
                    expect = "ask" if reason else {"!": "repeat", "?": "refused"}.get(word[-1], "opens")
                    self.receive(by, label.rstrip("!?"), expect, int(reason) if reason else None)

    def attempt(self, name, by, sender, envelope, expect, why, associated_data=b"data", body=None, reason=None):
        """`sender` is the device that the server names. `reason` is that of a retry request, where one may follow."""
        device, peer = self.device[by], self.device[sender].address
        out = {}
        try:
            out = device.receive(peer, envelope, associated_data, self.clock[by])
            result = "opens"
            assert out["plaintext"] == body, name
        except Refused as e:
            result = e.kind
            assert result != "ask" or e.ask == reason, (self.name, name, e.ask)
        assert result == expect, (self.name, name, result)
        return {
            "name": name, "by": by, "from": sender} | self.time(by) | {
            "envelope": envelope, "associated_data": associated_data, "expect": expect, "plaintext": body, "why": why,
        } | ({"reason": reason} if expect == "ask" else {}) | {
            k: out[k] for k in ("session_id", "message_id", "kind", "recovered", "makes_session", "active", "archived") if out
        }

    def try_after(self, *arguments, **more):
        """Bytes to be tried after the last step, in this order."""
        self.after.append(self.attempt(*arguments, **more))

    def try_now(self, *arguments, **more):
        """Bytes to be tried between the steps."""
        self.steps.append({"op": "try"} | self.attempt(*arguments, **more))

    def active(self, by):
        return self.device[by].active[self.device[self.peer(by)].address]

    def craft(self, what, by, front=None, content=b"\x01text", ahead=0, step=False, associated_data=b"data"):
        """An envelope that `by` could send in its active session, without its state going on; all values of it.

        `front(start, handshake, header)` puts together what stands before field 7."""
        session = copy.deepcopy(self.active(by))
        session.ratchet.due |= step
        for _ in range(ahead + 1):
            out, key = session.ratchet.step_and_key(lambda: draw(f"session {self.name} crafted {what} key", 32))
        start = VERSION_AND_SUITE + fixed64_field(1, session.id)
        handshake = session.front()[len(start):]
        header = encode_header(out["ratchet_public"], out["previous_counter"], out["counter"])
        front = (front or (lambda start, handshake, header: start + handshake + header))(start, handshake, header)
        nonce = draw(f"session {self.name} crafted {what} nonce", 12)
        return seal(key, nonce, front, content, session.t, associated_data)

    def result(self):
        out = {"name": self.name, "time": NOW}
        out["devices"] = {by: d.description for by, d in self.device.items()}
        out |= {"steps": self.steps, "after": self.after}
        return out


ONE_STARTS = """
a: a0 a1 a2           each carries the handshake
b< a1                 the session comes from the second envelope
b< a0 a1! a0!         late, then both again: the handshake is not run again
a: a3                 still not answered: carries the handshake
b: b0 b1              b0 is held back
a< b1                 the first reply that opens
a: a4 a5              without handshake, new ratchet key
b< a5                 skips a2 and a3 in the old chain and a4 in the new one
b< a3                 carries a handshake of a session on record
a< b0 b0!
b: b2 b3 b4           b2 is lost
a< b4 b3
a: a6
b< a6 a2
b: b5
a: a7
b< a7
a< b5 b5!
a: a8 a9              a8 is lost
b< a9
b: b6
a< b6
a: a10
b< a10 a4
"""


def session_refusals(case):
    """What b must refuse in the end. c is a device of another account that b has never seen."""
    a, b, c = (case.device[x] for x in "abc")
    name = f"session {case.name} crafted"

    def craft(what, front=None, **more):
        return case.craft(what, "a", front and (lambda start, handshake, header: front(start, header)), **more)["wire"]

    def refused(what, envelope, why, sender="a", reason=None):
        case.try_after(what, "b", sender, envelope, "ask" if reason else "refused", why, reason=reason)

    assert not a.active[b.address].ratchet.due
    good = craft("good")
    for what, cut in (("empty", b""), ("one byte", good[:1]), ("two bytes", good[:2]), ("truncated", good[:-1])):
        refused(what, cut, "truncated")
    refused("version 2", b"\x02" + good[1:], "version")
    refused("version 2, sealed", craft("version 2", lambda s, h: b"\x02" + s[1:] + h), "version; the tag verifies")
    for suite in (0, 2, 3, 0x10, 0x1f, 0xff):
        refused(f"suite {suite:#04x}", craft(f"suite {suite}", lambda s, h: bytes([1, suite]) + s[2:] + h), "suite; the tag verifies")
    refused("pq", craft("pq", lambda s, h: s + h + bytes_field(6, bytes(2))), "field 6 under suite 0x01; the tag verifies")
    refused("no session id", craft("no session id", lambda s, h: s[:2] + h), "session_id is always there")
    refused("session id zero", craft("session id zero", lambda s, h: s[:3] + bytes(8) + h), "no such session", reason=NO_SESSION)
    refused("unknown field", craft("unknown field", lambda s, h: s + h + tag(6, 0) + b"\1"), "field 6 of another wire type")
    refused("order", craft("order", lambda s, h: s[:2] + h + s[2:]), "fields not in ascending order")
    refused("handshake twice", craft("handshake twice", lambda s, h: s + bytes_field(2, b"one") + bytes_field(2, b"two") + h),
            "a field twice; the tag verifies")
    refused("handshake as a number", craft("handshake as a number", lambda s, h: s + tag(2, 0) + b"\1" + h), "field 2 of another wire type")
    refused("kind 0", craft("kind 0", content=b"\x00text"), "kind; the tag verifies, and no state changes")
    refused("kind 5", craft("kind 5", content=b"\x05text"), "kind; the tag verifies, and no state changes")
    refused("kind 2 without an id", craft("kind 2", content=b"\x02text"), "body too short; the tag verifies, and no state changes")
    refused("kind 4 without an id", craft("kind 4", content=b"\x04text"), "body too short; the tag verifies, and no state changes")
    refused("no kind", craft("no kind", content=b""), "content is empty; the tag verifies, and no state changes")
    refused("kind 2 after a gap", craft("kind 2 after a gap", content=b"\x02text", ahead=3), "kind; the tag verifies, and no key is stored")
    refused("other sender", good, "the session belongs to another device", "c", NO_SESSION)

    def start(what, content=b"\x01hello", identity=None, address=None, **more):
        """A first envelope to b; a wrong thing in it is named by the argument."""
        return ByHand(f"{name} {what}", b, identity or c.identity, address or c.address, **more).envelope(content)

    held = public_key(next(iter(b.one_time_prekeys.values())))
    stranger = public_key(draw(f"{name} stranger's prekey", 32))
    used = [k for k in case.device["b"].description["prekeys"]["one_time_prekeys"] if k["id"] not in b.one_time_prekeys]
    if used:
        refused("one-time prekey again", start("one-time prekey again", opk=used[0]["public"]), "the one-time prekey is used up", "c", NO_PREKEY)
    refused("unknown one-time prekey", start("unknown one-time prekey", opk=stranger), "a prekey id that b does not hold", "c", NO_PREKEY)
    refused("no fall-back", start("no fall-back", opk=stranger, three=True), "three DHs although a one-time prekey is named", "c", NO_PREKEY)
    refused("unknown signed prekey", start("unknown signed prekey", spk=stranger, opk=held), "a prekey id that b does not hold", "c", NO_PREKEY)
    refused("own identity key", start("own identity key", identity=b.identity, opk=held), "b's own identity key", "c")
    refused("other identity key", start("other identity key", address=a.address, opk=held), "another identity key is on record for a", "a")
    refused("other session id", start("other session id", opk=held, session_id=bytes(8)), "not the derived session id", "c")
    refused("other address", start("other address", opk=held, address=addr(c.account, c.device + 1)),
            "the initiator's address in the transcript is another one", "c")
    good_6 = uint_field(6, NOW)
    for what, more, why in (
        ("pq in the handshake", {"field_5": bytes_field(5, b"\0")}, "field 5 under suite 0x01"),
        ("unknown field in the handshake", {"field_6": good_6 + uint_field(7, 1)}, "unknown field"),
        ("no started_at", {"field_6": b""}, "started_at is 0"),
        ("started_at 0, written out", {"field_6": tag(6, 0) + b"\0"}, "a uint that is 0 is left out, and started_at is 0"),
        ("started_at not of least length", {"field_6": good_6[:-1] + bytes([good_6[-1] | 128, 0])}, "varint not of least length"),
        ("started_at of 2^64", {"field_6": tag(6, 0) + varint(2**64)}, "varint above 64 bits"),
        ("started_at of 11 bytes", {"field_6": tag(6, 0) + b"\xff" * 10 + b"\1"}, "varint above 64 bits"),
        ("started_at truncated", {"field_6": good_6[:-1]}, "truncated"),
        ("started_at as fixed64", {"field_6": fixed64_field(6, u64be(NOW)[::-1])}, "field 6 of another wire type"),
        ("started_at as bytes", {"field_6": bytes_field(6, u64be(NOW))}, "field 6 of another wire type"),
        ("started_at twice", {"field_6": good_6 * 2}, "a field twice"),
        ("started_at before the prekey id", {"field_6": b"", "opk": None, "field_5": good_6 + bytes_field(4, prekey_id(held))},
         "fields not in ascending order"),
        ("pq after started_at", {"field_6": good_6 + bytes_field(5, b"\0")}, "fields not in ascending order"),
        ("handshake too long", {"field_5": bytes_field(5, bytes(4096))}, "handshake field"),
    ):
        refused(what, start(what, **{"opk": held} | more), why, "c")
    for what, content in (("kind 2", b"\x02hello"), ("kind 4", b"\x04hello"), ("kind 0", b"\x00hello"), ("no kind", b"")):
        refused(f"start with {what}", start(f"start with {what}", content, opk=held),
                "kind; the tag verifies, no session is made and the one-time prekey stays", "c")
    first = start("good start", opk=held)
    refused("good start, tag flipped", first[:-1] + bytes([first[-1] ^ 1]), "the tag does not verify; the one-time prekey stays", "c")
    at, length = 13, first[12]
    assert first[11] == 0x12 and first[at:at + length].endswith(good_6) and first.count(good_6) == 1
    for what, six in (("1 more", uint_field(6, NOW + 1)), ("2^64 - 1", uint_field(6, MAX_START)), ("1", uint_field(6, 1))):
        refused(f"good start, started_at made {what}",
                first[:11] + bytes_field(2, first[at:at + length - len(good_6)] + six) + first[at + length:],
                "started_at is not in the transcript but in the head: the tag does not verify", "c")
    case.try_after("good start", "b", "c", first, "opens", "the one-time prekey was not used up by the refused ones", body=b"hello")
    case.try_after("good start again", "b", "c", first, "repeat", "the session is on record")
    case.try_after("handshake of no shape", "b", "a", craft("no shape", lambda s, h: s + bytes_field(2, b"no handshake at all") + h, ahead=1),
                   "opens", "the session is on record: its handshake is authenticated, and neither parsed nor compared", body=b"text")
    case.try_after("handshake of no bytes", "b", "a", craft("no bytes", lambda s, h: s + bytes_field(2, b"") + h, ahead=2), "opens",
                   "up to 4,096 bytes, and the session is on record", body=b"text")
    case.try_after("good", "b", "a", good, "opens", "the envelope that the ones above were made from", body=b"text")
    case.try_after("good again", "b", "a", good, "repeat", "opened before")


def session_before_the_answer(accounts):
    """What an initiator that has opened nothing must refuse, repeated handshakes at the responder, and unknown kinds."""
    case = SessionCase("before the answer", accounts)
    case.run("""
a* four
a: a0 a1
""")
    session, b_prekey = case.active("a"), case.device["b"].description["prekeys"]["signed_prekey_public"]

    def as_new_chain(what, key):
        r = session.ratchet
        message_key, _ = kdf_ck(kdf_rk(r.root, dh(r.private, key))[1])
        front = VERSION_AND_SUITE + fixed64_field(1, session.id) + encode_header(key, 0, 0)
        return seal(message_key, draw(f"session {case.name} crafted {what} nonce", 12), front, b"\x01text", session.t, b"data")["wire"]

    case.try_now("the signed prekey as ratchet key", "a", "b", as_new_chain("prekey", b_prekey), "ask",
                 "no message is under that key; the tag verifies for a receiver that takes it for a new one", reason=NO_CHAIN)
    case.try_now("own ratchet key", "a", "b", as_new_chain("own", public_key(session.ratchet.private)), "refused",
                 "a's own ratchet key; the tag verifies for a receiver that takes it for a new one")
    sent = case.steps[case.sent["a0"]]
    case.try_now("a0 sent back", "a", "b", sent["envelope"], "refused", "a's own ratchet key", associated_data=sent["associated_data"])
    case.run("b< a1                 the session comes from the second envelope")

    ad, envelope = sent["associated_data"], sent["envelope"]
    at = envelope.index(session.handshake)
    front, end = envelope[:11], envelope[at + len(session.handshake):]
    assert envelope == front + bytes_field(2, session.handshake) + end
    flipped = bytearray(session.handshake)
    flipped[10] ^= 1
    for what, again in (
        ("one bit of its handshake flipped", bytes_field(2, bytes(flipped))),
        ("its handshake cut out", b""),
        ("its handshake with one byte more", bytes_field(2, session.handshake + b"\0")),
        ("started_at made 1 more", bytes_field(2, session.handshake[:-6] + varint(session.started_at + 1))),
        ("another handshake that b could run", bytes_field(2, encode_handshake(
            case.device["a"].public, public_key(draw(f"session {case.name} another ephemeral key", 32)), b_prekey, None, NOW))),
    ):
        case.try_now(f"a0, {what}", "b", "a", front + again + end, "refused",
                     "the handshake of a session on record is neither parsed nor compared, but the head is another one", associated_data=ad)
    case.run("b< a0")

    for what, content in (("kind 2", b"\x02text"), ("kind 0", b"\x00text"), ("kind 255", b"\xfftext"), ("no kind", b"")):
        case.try_now(f"answer with {what}", "a", "b", case.craft(f"answer with {what}", "b", content=content)["wire"], "refused",
                     "kind; the tag verifies, the session stays unanswered and the ratchet takes no step")
    case.run("""
a: a2                 carries the handshake
b: b0 b1
a< b1                 the answer
a: a3 a4              without handshake, new chain
""")
    carried = {s["name"]: s["handshake_carried"] for s in case.steps if s["op"] == "send"}
    assert carried["a2"] and not carried["a3"]
    for what, content in (("kind 2", b"\x02text"), ("no kind", b"")):
        case.try_now(f"new chain with {what}", "b", "a", case.craft(f"new chain with {what}", "a", content=content)["wire"], "refused",
                     "kind; the tag verifies, the ratchet takes no step and no key is stored")
    case.run("b< a4                 a2 and a3 are skipped")
    for label in ("a2", "a3"):
        sent = case.steps[case.sent[label]]
        front = sent["head"][:-2]
        assert sent["head"] == front + tag(7, 2) + varint(28 + len(sent["content"])) and len(sent["content"]) < 100
        late = seal(sent["message_key"], draw(f"session {case.name} crafted late {label} nonce", 12), front, b"\x02text",
                    case.active("b").t, b"data")["wire"]
        case.try_now(f"late, kind 2 under the key of {label}", "b", "a", late, "refused", "kind; the tag verifies, and the stored key stays")
    case.run("""
b< a3 a2 a2!
b: b2
a< b2 b0
""")
    return case


def session_limits(accounts):
    case = SessionCase("limits", accounts)
    case.run("""
a* three
a: a0
b< a0
b: b0
a< b0
a: a1
b< a1
""")

    def handshake(length):
        return lambda s, h, header: s + bytes_field(2, bytes(length)) + header

    case.try_after("handshake of 4,097 bytes", "b", "a", case.craft("handshake 4097", "a", handshake(4097))["wire"], "refused",
                   "handshake field; the session is on record and the tag verifies")
    case.try_after("handshake of 4,096 bytes", "b", "a", case.craft("handshake 4096", "a", handshake(4096))["wire"], "opens",
                   "the session is on record, so the field is not parsed", body=b"text")
    for length, expect in ((4097, "refused"), (4096, "opens")):
        ad = filler(f"session {case.name} associated data", length)
        envelope = case.craft(f"associated data {length}", "a", ahead=1, associated_data=ad)["wire"]
        case.try_after(f"associated data of {length:,} bytes", "b", "a", envelope, expect,
                       "caller's associated data" + ("; the tag verifies" if expect == "refused" else ""),
                       associated_data=ad, body=b"text" if expect == "opens" else None)

    large = []
    for length, expect in ((MAX_SEALED + 1, "refused"), (MAX_SEALED, "opens")):
        out = case.craft(f"large {length}", "a", content=b"\x01" * length, ahead=2)
        envelope = out["wire"]
        assert len(envelope) <= MAX_ENVELOPE
        case.attempt(f"large {length}", "b", "a", envelope, expect, "", body=b"\x01" * (length - 1) if expect == "opens" else None)
        large.append({
            "name": f"content of {length:,} bytes", "by": "b", "from": "a", "head": out["head"], "nonce": out["nonce"],
            "aead_key": out["aead_key"], "aead_associated_data": out["aead_associated_data"], "associated_data": b"data",
            "content_byte": 1, "content_length": length, "envelope_length": len(envelope), "envelope_sha256": sha256(envelope),
            "expect": expect, "why": "the kind byte and the body count" + ("; the tag verifies" if expect == "refused" else ""),
        })
    return case.result() | {"large": large}


def session_rules(accounts):
    """b's choice of the active session, by sessions of a that are made by hand."""
    case = SessionCase("which session is active", accounts)
    case.run("""
b* three
b: b0
""")
    a, b = case.device["a"], case.device["b"]
    own = case.started[0][1]
    count = 0

    made = []

    def make(name, started_at, wins, why, than=None):
        """The next session of a, which has to be larger or smaller than `than` by its id, where that matters."""
        nonlocal count
        active = case.active("b")
        while True:
            count += 1
            one = ByHand(f"session {case.name} by hand {count}", b, a.identity, a.address, started_at=started_at)
            if than is None or (one.id < active.id) == (than == "smaller"):
                break
        case.try_after(f"S{len(made) + 1}, {name}", "b", "a", one.envelope(), "opens", why, body=b"hello")
        made.append(one)
        assert case.after[-1]["active"] == (one.id if wins else active.id), name

    archived, smaller = "the start is earlier: archived", "the same start, and the id is smaller: active"
    later, larger = "the start is later: active", "the same start, and the id is larger: archived"
    make("the same start, larger id", NOW, False, larger + "; b started the active session", "larger")
    assert case.active("b").id == own
    make("the same start, smaller id", NOW, True, smaller + "; b started the other", "smaller")
    make("1 ms before, smaller id", NOW - 1, False, archived, "smaller")
    make("1 ms after, larger id", NOW + 1, True, later, "larger")
    make("started at 1, smaller id", 1, False, archived, "smaller")
    make("the same start again, larger id", NOW + 1, False, larger, "larger")
    make("the same start again, smaller id", NOW + 1, True, smaller, "smaller")
    make("started at 2^63 - 1, larger id", 2**63 - 1, True, later, "larger")
    make("started at 2^63, larger id", 2**63, True, "the start is later, as it is unsigned: active", "larger")
    make("started at 2^63 - 1, smaller id", 2**63 - 1, False, archived, "smaller")
    make("started at 2^64 - 1", MAX_START, True, later)
    make("started at 2^64 - 2, smaller id", MAX_START - 1, False, archived, "smaller")
    make("started at 2^64 - 1, larger id", MAX_START, False, larger, "larger")
    make("started at 2^64 - 1, smaller id", MAX_START, True, smaller, "smaller")
    best = case.active("b").id
    assert best == min(made, key=lambda one: (-one.started_at, one.id)).id
    for i, one in enumerate(made, 1):
        case.try_after(f"S{i} at the end", "b", "a", one.envelope(), "opens", "active" if one.id == best else "archived, and stays so",
                       body=b"hello")
        assert case.after[-1]["active"] == best and len(case.after[-1]["archived"]) == len(made) <= MAX_ARCHIVED
    return case


def session_many(accounts):
    """The bounds of the archive and of the remembered ids; every session by hand."""
    case = SessionCase("many sessions without one-time prekey", accounts)
    a, b, c = (case.device[x] for x in "abc")
    made = []

    def make():
        made.append(ByHand(f"session {case.name} by hand {len(made)}", b, a.identity, a.address, started_at=NOW + len(made)))
        return made[-1]

    for i in range(MAX_REMEMBERED):
        case.try_after(f"session {i}", "b", "a", make().envelope(), "opens", "the start is later" if i else "the first one", body=b"hello")
        assert case.after[-1]["active"] == made[-1].id and len(case.after[-1]["archived"]) == min(i, MAX_ARCHIVED)
    case.try_after("session 64", "b", "a", make().envelope(), "refused", "64 ids of sessions without one-time prekey are remembered")
    made.pop()
    opk = public_key(next(iter(b.one_time_prekeys.values())))
    with_opk = ByHand(f"session {case.name} by hand four", b, a.identity, a.address, started_at=NOW + MAX_REMEMBERED, opk=opk)
    case.try_after("session with a one-time prekey", "b", "a", with_opk.envelope(), "opens", "nothing has to be remembered for it", body=b"hello")
    other = ByHand(f"session {case.name} by hand c", b, c.identity, c.address)
    case.try_after("session of c", "b", "c", other.envelope(), "opens", "64 for each peer device", body=b"hello")
    case.try_after("session 0, its first envelope", "b", "a", case.after[0]["envelope"], "repeat",
                   "the session is gone from the archive, and its id is remembered")
    case.try_after("session 0, an envelope that b never saw", "b", "a", made[0].envelope(), "ask",
                   "the session is gone from the archive, and its id is remembered", reason=NO_SESSION)
    case.try_after("session 47, an envelope that b never saw", "b", "a", made[47].envelope(), "ask", "the last one to leave the archive",
                   reason=NO_SESSION)
    case.try_after("session 48, an envelope that b never saw", "b", "a", made[48].envelope(), "opens", "the oldest of the 16 archived", body=b"hello")
    case.try_after("session 63, an envelope that b never saw", "b", "a", made[63].envelope(), "opens", "the newest of the 16 archived", body=b"hello")
    case.try_after("session with a one-time prekey, again", "b", "a", case.after[65]["envelope"], "repeat", "the session is on record")
    return case


def session_search(name, accounts, script, want, one_time_prekeys=2):
    """Runs the script until the ids of the started sessions are as wanted."""
    for attempt in range(64):
        case = SessionCase(f"{name} ({attempt})", accounts, one_time_prekeys)
        case.run(script)
        if want([i for _, i in case.started]):
            return case
    raise AssertionError(name)


def both_active(case, session_id):
    for by in "ab":
        assert case.active(by).id == session_id, (case.name, by)


def session_restarts(accounts):
    """One side starts again while a session is there, which has the smaller id each time."""
    smaller_first = lambda ids: ids[0] < ids[1]
    settled = """
a* four
a: a0 a1              a1 is held back
b< a0
b: b0 b1              b1 is held back
a< b0
a: a2 a3              a3 is held back
b< a2
b: b2
a< b2
"""

    def done(name, case, later_by=1):
        both_active(case, case.started[-1][1])
        starts = [s for s in case.steps if s["op"] == "start"]
        assert starts[0]["started_at"] == NOW and starts[1]["started_at"] == NOW + later_by
        for s in case.steps:
            if s.get("expect") == "opens" and s["session_id"] == starts[0]["session_id"] and s.get("archived"):
                assert s["active"] == starts[1]["session_id"]
        return case.result() | {"name": name, "active_afterwards": case.started[-1][1]}

    name = "the responder starts again, its clock an hour behind"
    case = session_search(name, accounts, settled + "b@ -3600000\nb* four", smaller_first)
    case.run("""
b: b3 b4
a< b4                 1 ms later than the active session, which a started and whose id is smaller
a< b1                 late, in the archive
a: a4                 in the new session
b< a3                 late, in the archive, before the answer
b< a4                 the answer
b: b5                 without handshake
a< b5 b3 b4!
b< a1                 late, in the archive, with a handshake that is not run again
a: a5
b< a5
""")
    yield done(name, case)

    name = "the initiator starts again, a minute later by its clock"
    case = session_search(name, accounts, settled + "a@ +60000\na* three", smaller_first)
    case.run("""
a: a4 a5
b< a4                 the later start
b< a1                 late, in the archive, with a handshake that is not run again
b: b3                 in the new session
a< b1                 late, in the archive, before the answer
a< b3
b< a3 a5
a: a6
b< a6 a1!
""")
    yield done(name, case, 60_000)

    name = "the responder starts again before it has answered"
    case = session_search(name, accounts, """
a* three
a: a0 a1
b< a0
b* four
""", smaller_first)
    case.run("""
b: b0
a< b0                 the later start, although a's session is unanswered and its id is smaller
b< a1                 late, in the archive, with a handshake that is not run again
a: a2
b< a2
b: b1
a< b1
""")
    yield done(name, case)

    name = "the responder starts again, and the answer comes after that"
    case = session_search(name, accounts, """
a* four
a: a0 a1
b< a0
b: b0                 the answer, which is late
b* three
""", smaller_first)
    case.run("""
b: b1
a: a2                 in the session that b has left, with its handshake
a< b1                 the later start
a< b0                 the answer to a's session opens in the archive
b< a2
a: a3
b< a3 a1
b: b2
a< b2
""")
    yield done(name, case)

    for smaller in "ab":
        other = SessionCase.peer(smaller)
        name = f"both start again at once, the session of {smaller} is active"
        case = session_search(name, accounts, settled + "a* four\nb* three", lambda ids: (ids[1] < ids[2]) == (smaller == "a"))
        ids = dict(case.started[1:])
        assert all(s["started_at"] == NOW + 1 for s in case.steps[-2:])
        n, m = (4, 3) if smaller == "a" else (3, 4)
        x, y = smaller, other
        held_x, held_y = ("b1", "a3") if smaller == "a" else ("a3", "b1")
        case.run(f"""
{x}: {x}{n} {x}{n + 1}              each side in its own session
{y}: {y}{m} {y}{m + 1}
{y}< {x}{n + 1}                 the smaller one of two with the same start
{y}: {y}{m + 2}                 the answer, in the smaller one
{x}< {y}{m + 2}                 answered, before anything of the larger one came
{x}< {y}{m}                 the larger one is archived
{x}< {held_x}                 late, of the session before
{y}< {held_y} {x}{n}
{x}: {x}{n + 2}                 without handshake
{y}< {x}{n + 2}
{y}: {y}{m + 3}
{x}< {y}{m + 3} {y}{m + 1}
""")
        both_active(case, ids[smaller])
        assert min(ids, key=ids.get) == smaller
        yield case.result() | {"name": name, "active_afterwards": ids[smaller]}


def session_crossings(accounts):
    """Both start at once, in the same millisecond. Twice each, so that each side's session is once the smaller one."""
    scripts = (
        ("both start", True, """
{s}: {s}0 {s}1              in its own session
{o}: {o}0 {o}1              in its own session
{o}< {s}1
{s}< {o}0
{s}: {s}2                 not answered in this session: carries the handshake
{o}< {s}2
{o}: {o}2                 the answer, in the active session
{o}< {s}0                 late, of the active session
{s}< {o}1                 opens in the archived session
{s}< {o}2                 answered
{s}: {s}3 {s}4              without handshake
{o}< {s}4 {s}3 {s}4!
{o}: {o}3
{s}< {o}3 {o}0! {o}1!
"""),
        ("both start, the answer comes before the other's first message", False, """
{s}: {s}0 {s}1
{o}: {o}0 {o}1
{o}< {s}0                 the smaller one becomes active
{o}: {o}2                 answers in it
{s}< {o}2                 answered, and nothing of the larger one has come yet
{s}< {o}0                 the late first message of the larger one: archived although the smaller one is answered
{s}: {s}2                 without handshake
{o}< {s}2
{s}< {o}1
{o}< {s}1
{o}: {o}3
{s}< {o}3 {o}0!
"""),
        ("both start, the first message of the smaller session is the last to come", True, """
{s}: {s}0
{o}: {o}0 {o}1
{s}< {o}0                 the larger one is archived
{s}: {s}1                 in the smaller one, with its handshake
{o}< {s}1                 it becomes active, by its second message
{o}: {o}2                 answers in it
{s}< {o}2
{s}< {o}1                 late, in the archive
{s}: {s}2
{o}< {s}2
{o}< {s}0                 the late first message
{o}: {o}3
{s}< {o}3 {o}1!
"""),
    )
    for what, opk, script in scripts:
        for smaller in "ab":
            name = f"{what}, the session of {smaller} is active"
            first = "a* four\nb* four" if (smaller == "a") == opk else "a* three\nb* three"
            case = session_search(name, accounts, first, lambda ids: (ids[0] < ids[1]) == (smaller == "a"))
            ids = dict(case.started)
            other = SessionCase.peer(smaller)
            case.run(script.format(s=smaller, o=other))
            both_active(case, ids[smaller])
            for by in "ab":
                d, peer = case.device[by], case.device[SessionCase.peer(by)].address
                assert [s.id for s in d.archived[peer]] == [ids[other]]
            assert all(s["active"] == ids[smaller] for s in case.steps if s.get("expect") == "opens")
            yield case.result() | {
                "name": name, "session_id_started_by_a": ids["a"], "session_id_started_by_b": ids["b"], "active_afterwards": ids[smaller],
            }


def session_clocks(accounts):
    """Both start at once, with different clocks: the id decides nothing, and the larger one is the active one each time."""
    for later, ahead in (("a", 1), ("b", 3_600_000)):
        other = SessionCase.peer(later)
        name = f"both start, the clock of {later} is {ahead:,} ms ahead"
        case = session_search(name, accounts, f"{later}@ +{ahead}\na* three\nb* three", lambda ids: (ids[0] > ids[1]) == (later == "a"), 0)
        ids = dict(case.started)
        case.run("""
{s}: {s}0
{o}: {o}0 {o}1
{s}< {o}0                 the earlier one is archived
{s}: {s}1
{o}< {s}1                 the later one is active, by its second message
{o}: {o}2
{s}< {o}2 {o}1
{o}< {s}0
{o}: {o}3
{s}< {o}3
""".format(s=later, o=other))
        both_active(case, ids[later])
        yield case.result() | {"name": name, "active_afterwards": ids[later]}


def session_three_starts(accounts):
    """Crossing starts and a third one, and a first message of the three that comes last."""
    for first in "ab":
        other = SessionCase.peer(first)
        name = f"three starts, the last by {other}, whose first one comes late"
        case = session_search(name, accounts, "a* three\nb* three", lambda ids: (ids[0] < ids[1]) == (first == "a"), 0)
        case.run("""
{s}: {s}0
{o}: {o}0                 late
{o}< {s}0                 the smaller one of two with the same start
{o}* three
{o}: {o}1
{s}< {o}1                 1 ms later
{s}< {o}0                 archived at once: both others go before it
{s}: {s}1
{o}< {s}1
{o}: {o}2
{s}< {o}2
""".format(s=first, o=other))
        both_active(case, case.started[2][1])
        yield case.result() | {"name": name, "active_afterwards": case.started[2][1]}

    name = "three starts, the last by a, whose clock is a second behind, and whose first one comes late"
    case = SessionCase(name, accounts, 0)
    case.run("""
a@ -1000
a* three
b* three
a: a0                 late
b: b0
a< b0                 b's clock is ahead
a* three
a: a1
b: b1
b< a1                 1 ms later than b's session, which is unanswered
b< a0                 archived at once
a< b1
b: b2
a< b2
a: a2
b< a2
""")
    assert [x["started_at"] - NOW for x in case.steps if x["op"] == "start"] == [-1000, 0, 1]
    both_active(case, case.started[2][1])
    yield case.result() | {"name": name, "active_afterwards": case.started[2][1]}


def session_lost(accounts):
    """a loses its sessions and starts again."""
    first = """
a* three
a: a0
b< a0
b: b0 b1              b1 is held back
a< b0
a-                    as before the first step
"""
    found = """
b: b2                 in the new session
a< b2
a< b1~1              of the session that a has lost
a: a2
b< a2
"""
    not_found = """
b: b2                 in the old session
a< b2~1 b1~1          of the session that a has lost
b* three              later than any session that b has
b: b3
a< b3
a: a2
b< a2
b: b4
a< b4
"""
    smaller, larger = lambda ids: ids[1] < ids[0], lambda ids: ids[1] > ids[0]
    for what, clock, want, wins in (
        ("1 ms ahead", "+1", larger, True), ("equal, the new session's id is smaller", "+0", smaller, True),
        ("equal, the new session's id is larger", "+0", larger, False), ("1 ms behind", "-1", smaller, False),
    ):
        name = f"a has lost its sessions, its clock is {what}"
        case = session_search(name, accounts, first + f"a@ {clock}\na* three", want, 0)
        case.run("a: a1\nb< a1")
        assert (case.active("b").id == case.started[1][1]) == wins
        case.run(found if wins else not_found)
        both_active(case, case.started[-1][1])
        yield case.result() | {"name": name, "active_afterwards": case.started[-1][1]}


def session_far_future(accounts):
    name = "started by a clock at 2^64 - 2, and again by the other side"
    case = SessionCase(name, accounts, 0)
    begin = f"""
a@ {MAX_START - 1}
a* three
a: a0
a@ +0
b< a0
b: b0
a< b0
"""
    case.run(begin.rstrip() + """
b* three              1 ms later
b: b1
a< b1
a: a1
b< a1
b: b2
a< b2
""")
    assert [x["started_at"] for x in case.steps if x["op"] == "start" and "expect" not in x] == [2**62, 2**62 + 1]
    both_active(case, case.started[1][1])
    yield case.result() | {"name": name, "active_afterwards": case.started[1][1]}

    name = "started by a clock at 2^64 - 2, and again by both sides at once"
    case = session_search(name, accounts, begin.rstrip() + f"""
a@ {MAX_START}
a* three              1 ms later
a@ +0
b* three              the same
""", lambda ids: ids[1] < ids[2], 0)
    case.run("""
a: a1
b: b1
a< b1
b< a1                 the smaller one of two with the same start
b: b2
a< b2
""")
    both_active(case, case.started[1][1])
    yield case.result() | {"name": name, "active_afterwards": case.started[1][1]}


def session_unanswered(accounts):
    """A device gives up a session that is not answered, and starts another."""
    name = "an unanswered session, given up after 30 days"
    case = SessionCase(name, accounts, 0)
    case.run(f"""
b* three
b@ +{THIRTY_DAYS - 1}
b@ +{THIRTY_DAYS}
b* three
b: b0
a< b0
a: a0
b< a0
""")
    assert [x["started_at"] - NOW for x in case.steps if x["op"] == "start" and "expect" not in x] == [0, THIRTY_DAYS]
    both_active(case, case.started[-1][1])
    yield case.result() | {"name": name, "active_afterwards": case.started[-1][1]}

    name = "an unanswered session that follows one of a fast clock, given up after 30 days"
    case = SessionCase(name, accounts, 0)
    case.run(f"""
a@ +{2 * THIRTY_DAYS}
a* three
a: a0 a1              a1 is late
b< a0
b* three              1 ms later than that
b@ +{THIRTY_DAYS - 1}
b@ +{THIRTY_DAYS + 1}
b* three              again 1 ms later; a's session is 30 days in the archive and goes
b: b0
a< b0
b< a1~1               the id is remembered, and the message was never opened
a: a2
b< a2
""")
    assert [x["started_at"] - NOW - 2 * THIRTY_DAYS for x in case.steps if x["op"] == "start" and "expect" not in x] == [0, 1, 2]
    assert case.steps[-1]["archived"] == [case.started[1][1]]
    both_active(case, case.started[-1][1])
    yield case.result() | {"name": name, "active_afterwards": case.started[-1][1]}


def session_content(accounts):
    """All kinds of content, and what is none; b has opened a0, and holds the key of a1."""
    case = SessionCase("content", accounts, 0)
    case.run("""
a* three
a: a0 a1 a2
b< a0 a2
b: b0
a< b0
a: a3
b< a3
""")
    count = 0

    def content(what, sealed, expect, why="", kind=None, text=None):
        nonlocal count
        envelope = case.craft(f"content {what}", "a", content=sealed, ahead=count)["wire"]
        case.try_after(what, "b", "a", envelope, expect, why, body=text)
        if expect == "opens":
            got = case.after[-1]
            assert got["kind"] == kind
            count += 1
        return envelope

    some, other, name, later, gone = (filler(f"session {case.name} message id {i}", 16) for i in range(5))
    for k in (0, 5, 0x10, 0x7f, 0x80, 0x85, 0xff):
        for length in (0, 16, 20):
            content(f"kind {k:#04x}, {length} bytes", bytes([k]) + bytes(length), "refused", "kind; the tag verifies, and no state changes")
    content("nothing", b"", "refused", "content is empty; the tag verifies")
    for mark in (0, MARK):
        content(f"kind {AGAIN | mark:#04x}, 15 bytes", bytes([AGAIN | mark]) + some[:15], "refused", "body too short; the tag verifies")
        content(f"kind {NAMED | mark:#04x}, no bytes", bytes([NAMED | mark]), "refused", "body too short; the tag verifies")
        content(f"kind {NAMED | mark:#04x}, 15 bytes", bytes([NAMED | mark]) + some[:15], "refused", "body too short; the tag verifies")
        content(f"kind {LOST | mark:#04x}, 15 bytes", bytes([LOST | mark]) + some[:15], "refused", "body too short; the tag verifies")
        content(f"kind {LOST | mark:#04x}, 17 bytes", bytes([LOST | mark]) + some + b"x", "refused", "body too long; the tag verifies")
    content("a text of no bytes", b"\x01", "opens", kind=MESSAGE, text=b"")
    content("a text", b"\x01text", "opens", kind=MESSAGE, text=b"text")
    first = content("again, no bytes", encode_content(AGAIN, False, some, b""), "opens", kind=AGAIN, text=b"")
    content("again, the same message", encode_content(AGAIN, False, some, b""), "repeat", "its message id is remembered")
    content("lost, a message that came", encode_content(LOST, False, some, b""), "repeat", "its message id is remembered")
    content("again, the same first four bytes", encode_content(AGAIN, False, some[:4] + bytes(12), b""), "repeat",
            "four bytes of a message id are remembered")
    case.try_after("again, no bytes, again", "b", "a", first, "repeat", "opened before")
    lost = content("lost", encode_content(LOST, False, other, b""), "opens", kind=LOST, text=b"")
    content("lost, again", encode_content(LOST, False, other, b""), "opens", "what is lost was not opened", kind=LOST, text=b"")
    content("again, a message that was lost", encode_content(AGAIN, False, other, b"text"), "opens", "what is lost was not opened",
            kind=AGAIN, text=b"text")
    case.try_after("lost, the same envelope", "b", "a", lost, "repeat", "opened before")
    a0, a1 = (case.steps[case.sent[label]] for label in ("a0", "a1"))
    content("again, what its first envelope brought", encode_content(AGAIN, False, a0["message_id"], b"text"), "repeat",
            "opened before, by the first envelope")
    content("again, what is still under way", encode_content(AGAIN, False, a1["message_id"], b"text"), "opens", kind=AGAIN, text=b"text")
    case.try_after("a1, late", "b", "a", a1["envelope"], "repeat", "its key is there and the tag verifies, but its message came by a later envelope",
                   associated_data=a1["associated_data"])

    named = content("named", encode_content(NAMED, False, name, b"text"), "opens", "the message id is the one that it names", kind=NAMED, text=b"text")
    case.try_after("named, the same envelope", "b", "a", named, "repeat", "opened before")
    content("named, by another envelope", encode_content(NAMED, False, name, b"text"), "repeat", "its message id is remembered")
    content("named, marked, by another envelope", encode_content(NAMED, True, name, b"text"), "repeat", "its message id is remembered")
    content("named, the same first four bytes", encode_content(NAMED, False, name[:4] + bytes(12), b"text"), "repeat", "four bytes of a message id are remembered")
    content("again, what was named", encode_content(AGAIN, False, name, b"text"), "repeat", "its message id is remembered")
    content("lost, what was named", encode_content(LOST, False, name, b""), "repeat", "its message id is remembered")
    content("again, what was named, by its envelope", encode_content(AGAIN, False, message_id(named), b"text"), "repeat",
            "the envelope's own message id is remembered too")
    content("named, what came again before", encode_content(NAMED, False, some, b"text"), "repeat", "its message id is remembered")
    content("named, what its first envelope brought", encode_content(NAMED, False, a0["message_id"], b"text"), "repeat", "its message id is remembered")
    content("named, marked, no bytes", encode_content(NAMED, True, bytes(16), b""), "opens", "any 16 bytes are a name", kind=NAMED, text=b"")
    content("again, before it is named", encode_content(AGAIN, False, later, b"text"), "opens", kind=AGAIN, text=b"text")
    content("named, what came again", encode_content(NAMED, False, later, b"text"), "repeat", "its message id is remembered")
    content("lost, before it is named", encode_content(LOST, False, gone, b""), "opens", kind=LOST, text=b"")
    content("named, what was lost", encode_content(NAMED, False, gone, b"text"), "opens", "what is lost was not opened", kind=NAMED, text=b"text")
    return case


def session_retries(accounts):
    """Retry requests and answers, lost messages, recoveries."""
    settled = """
a* {start}
a: a0
b< a0
b: b0
a< b0
a: a1
b< a1
"""

    name = "a sender whose state went back, and two messages that are asked for"
    case = SessionCase(name, accounts)
    case.run(settled.format(start="four") + """
a[                    what is kept of a ends here
a: a2 a3
b< a2 a3
a]
a: a4 a5              at the counters of a2 and a3
b< a4~2 a5~2 a2! a3!
b? a4 a5
a= a4                 its ratchet key is the current one: a new session
a= a4/no              answered
b< a4+
b< a4+! a4!           its message has come by a4+
a= a5                 of the session before: in the new one, with its handshake
b< a5+ a5! a5+!
b: b1
a< b1
a: a6
b< a6
""")
    both_active(case, case.started_by_answers()[0])
    yield case.result() | {"active_afterwards": case.started_by_answers()[0]}

    name = "texts that were not kept, or for too long"
    case = SessionCase(name, accounts, 0)
    case.run(settled.format(start="three") + f"""
a: a2 a3 a4 a5        late
b: b1
a< b1
a: a6
b< a6
a[
a: a7
b< a7
a]
a; a8                 at the counter of a7, and its text is not kept
b< a8~2
b? a8
b: b2
a< b2                 the sending step is due: no ratchet key of a is the current one
a= a8                 in the session: the message is lost
b< a8+
b< a8+! a8~2          what is lost was not opened
a[
a: a9
b< a9
a]
a: a10                at the counter of a9
b< a10~2
b? a10
b: b3
a< b3
a@ +{FOURTEEN_DAYS + 1}
a= a10                too old
b< a10+
a: a11
b< a11 a2 a3 a4 a5    late, by their stored keys
""")
    assert [s["outcome"] for s in case.steps if s["op"] == "answer"] == ["lost", "lost"]
    yield case.result() | {"active_afterwards": case.started[0][1]}

    name = "a message later than its chain is remembered"
    case = SessionCase(name, accounts, 0)
    turns = "".join(f"a: a{i}\nb< a{i}\nb: b{i - 2}\na< b{i - 2}\n" for i in range(3, 9))
    case.run(settled.format(start="three") + "a: a2                 late\n" + turns + """
b: b7
a< b7
a: a9
b< a9
b: b8                 b has a ratchet key of its own again: a2 could be under a new one
b< a2~6
b? a2
a< b8
a= a2                 the session is alive: in it
b< a2+ a2!
""")
    assert [s["restarted"] for s in case.steps if s["op"] == "answer"] == [False]
    yield case.result() | {"active_afterwards": case.started[0][1]}

    name = "a recipient that has lost its sessions"
    case = SessionCase(name, accounts, 0)
    case.run("""
a* three
a: a0
b< a0
b: b0
a< b0
a: a1
b-                    as before the first step
b< a1~1
b@ +5
b* three              b knows a now, by its bundle
b? a1
a= a1                 b has no such session: a new one
b< a1+                archived: b's is later
b< a1+! a1!
b: b1
a< b1
a: a2
b< a2
""")
    both_active(case, case.started[1][1])
    yield case.result() | {"active_afterwards": case.started[1][1]}

    name = "a recipient that came back from a backup"
    case = SessionCase(name, accounts, 0)
    case.run(settled.format(start="three") + """
a: a2
a* three              with prekeys that will be gone
a: a3
b&                    prekeys are deleted, others are made
b< a2                 of an active session that sends nothing any more
b< a3~4               a prekey is missing
b? a3                 and the reason is that b has recovered
a= a3                 b opens nothing of that session: a new one, by the new bundle
b< a3+
b: b1                 in the session that a has started: b has started none
a< b1
a: a4
b< a4
""")
    asked = [s for s in case.steps if s["op"] == "ask"]
    assert [s["reason"] for s in asked] == [RECOVERED]
    yield case.result() | {"active_afterwards": case.started_by_answers()[0]}

    name = "a device that came back from a backup starts anew"
    case = SessionCase(name, accounts, 0)
    case.run(settled.format(start="three") + """
a: a2 a3              a2 is late
b< a3
b: b1                 late, of a sending chain that ends
b&
b* three              its first session with a since then
b: b2 b3
a< b2 b1              a has heard from b that it came back
a: a4
b< a4 a2
b: b4                 without handshake, and without the bit
a< b4 b3
b* three              another: not the first
b: b5
a< b5
a: a5
b< a5
""")
    bits = {s["name"]: s["recovered"] for s in case.steps if s["op"] == "send"}
    assert [n for n, bit in bits.items() if bit] == ["b2", "b3"]
    yield case.result() | {"active_afterwards": case.started[-1][1]}

    name = "a message that none of its envelopes brings"
    case = SessionCase(name, accounts, 0)
    case.run(settled.format(start="three") + """
b&
a: a2 a3              of the session that b still opens
b< a2
a* three              a has fetched the bundle before
""".replace("a* three", "a* old") + """
a: a4
b< a4~4
b? a4
a= a4/old             the second envelope, with a prekey that is gone
b< a4+~4
b? a4+
a= a4+/old
b< a4++~4
b? a4++
a= a4++/old           the fourth
b< a4+++~4
b? a4+++
a= a4+++/old          the fifth: it is lost
b< a4++++~4
b? a4++++
a= a4++++/no          enough
a= a4/no
b< a3                 the first session still opens
""")
    outcomes = [(s["outcome"], s["message_id"] == case.steps[case.sent["a4"]]["message_id"]) for s in case.steps if s["op"] == "answer" and s["expect"] == "opens"]
    assert outcomes == [("again", True)] * 3 + [("lost", True)]
    yield case.result()


class ModelSession:
    def __init__(self, number, started_at, identity, starter):
        self.number, self.started_at, self.id, self.starter = number, started_at, identity, starter


def model_check(schedules=12_000):
    """Random schedules of section 8 without bytes: starts, sending, delivery in any order, twice or never, clocks that go their own
    ways, no lost state. At every point the active session of a side is the first in the order of all that it has met; once each
    side has sent and everything has come, both have the same one. Returns how many schedules had how many starts."""
    state = from_le(seed("model"))

    def pick(n):
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (state >> 33) % n

    starts = {}
    for _ in range(schedules):
        sessions, flying = [], []
        active, met, opened = [None, None], [[], []], set()
        clock = [pick(4) + 1, pick(4) + 1]
        near_end = pick(16) == 0
        if near_end:
            clock[pick(2)] = MAX_START - pick(3)

        def make(by, session):
            met[by].append(session)
            if active[by] is None or goes_before(session, active[by]):
                active[by] = session
            assert all(one is active[by] or goes_before(active[by], one) for one in met[by])

        def start(by):
            one = active[by]
            if one is not None and one.starter == by and (by, one.number) not in opened:
                return
            if one is not None and one.started_at == MAX_START:
                return   # the end of time: the next start would tie with this one
            started_at = next_start(clock[by], one)
            session = ModelSession(len(sessions), started_at, bytes([pick(256), pick(256), len(sessions)]), by)
            sessions.append(session)
            make(by, session)
            assert active[by] is session

        def send(by):
            one = active[by]
            if one is not None:
                flying.append((by, one, one.starter == by and (by, one.number) not in opened))

        def deliver(i, keep=False):
            by, session, carried = flying[i] if keep else flying.pop(i)
            to = 1 - by
            if session not in met[to]:
                assert carried and session.starter == by   # the peer's first envelope carries a handshake
                make(to, session)
            opened.add((to, session.number))

        for _ in range(4 + pick(80)):
            action, by = pick(10), pick(2)
            if action == 0:
                clock[by] = max(1, min(MAX_START, clock[by] + pick(7) - 3))
            elif action < 3:
                start(by)
            elif action < 6:
                send(by)
            elif flying:
                i = pick(len(flying))
                if pick(8) == 0:
                    flying.pop(i)     # lost
                else:
                    deliver(i, keep=pick(8) == 0)
        if not sessions:
            continue
        send(0), send(1)
        while flying:
            deliver(pick(len(flying)))
        assert active[0] is active[1] is not None, "the two sides differ"
        send(0), send(1)
        while flying:
            deliver(pick(len(flying)))
        assert active[0] is active[1]
        starts[len(sessions)] = starts.get(len(sessions), 0) + 1
    assert sum(n for many, n in starts.items() if many >= 3) > schedules // 4
    return starts


def session_file():
    model_check()
    short_a, short_b = filler("account session a", 16), filler("account session b", 16)
    long_a, long_b, third = filler("account session long a", 64), filler("account session long b", 64), filler("account session c", 20)
    cases = []
    for name, opk, accounts in (
        ("with a one-time prekey", True, {"a": (short_a, 0), "b": (short_b, 0), "c": (third, 0)}),
        ("without a one-time prekey", False, {"a": (long_a, 0), "b": (long_b, 0), "c": (third, 0)}),
    ):
        case = SessionCase(name, accounts)
        case.start("a", opk)
        case.run(ONE_STARTS)
        for s in case.steps:
            if s["op"] == "send":
                assert s["handshake_carried"] == (s["name"] in ("a0", "a1", "a2", "a3"))
        opened = [s for s in case.steps if s.get("expect") == "opens"]
        assert [s["makes_session"] for s in opened] == [True] + [False] * (len(opened) - 1)
        assert all(len(s["archived"]) == 0 for s in opened)
        if not opk:
            weak = {(s["by"], s["name"]): s["weak"] for s in opened}
            assert weak["b", "a1"] and not weak["a", "b1"] and not weak["b", "a5"]
        session_refusals(case)
        cases.append(case.result())

    two = {"a": (short_a, 0), "b": (short_b, 0)}
    cases.append(session_before_the_answer(two).result())
    cases.append(session_limits(two))
    cases += session_crossings(two)
    cases += session_restarts(two)
    for more in (session_clocks, session_three_starts, session_lost, session_far_future, session_unanswered):
        cases += more(two)
    cases += session_retries(two)
    cases.append(session_content(two).result())
    cases.append(session_rules(two).result())
    cases.append(session_many({"a": (short_a, 0), "b": (short_b, 0), "c": (third, 0)}).result())
    return {
        "about": "Whole sessions between the devices a and b (protocol.md, 4 to 8). A receiving step names the index of its sending "
                 "step in `steps`; a step `try` and `after` (in order, after the last step) hold bytes to be tried",
        "cases": cases,
    }


# ---------------------------------------------------------------------------------------------------------------------------
# retry.json

def retry_file():
    """Retry requests of b for an envelope of a; a's answers are in session.json."""
    short_a, short_b, third = filler("account retry a", 16), filler("account retry b", 64), filler("account retry c", 20)
    case = SessionCase("retry requests", {"a": (short_a, 0), "b": (short_b, 0), "c": (third, 0)}, 0)
    case.run("""
a* three
a: a0 a1              a0 is late
b< a1
b: b0
a< b0                 no ratchet key of a is the current one
""")
    a, b, c = (case.device[x] for x in "abc")
    sent = case.steps[case.sent["a0"]]
    envelope, session_id = sent["envelope"], sent["session_id"]
    tag_of_it, digest = message_id(envelope), envelope_digest(envelope)

    def make(name, body, **wrong):
        """A request of b to a; `wrong` puts another value in the place of one."""
        salt, nonce = draw(f"retry {name} salt", 32), draw(f"retry {name} nonce", 12)
        parts = {"asks": b.identity, "iks": a.public, "address_r": b.address, "address_s": a.address} | wrong
        return encode_request(salt, nonce, body, **parts)

    def body(reason=KEY_GONE, asked_at=NOW, message=tag_of_it, session=session_id, digest=digest):
        return request_body(message, session, digest, reason, asked_at)

    requests = []
    for name, reason, asked_at, is_made in (
        ("no session on record", NO_SESSION, NOW, False), ("key gone", KEY_GONE, NOW, True), ("too far ahead", TOO_FAR, NOW, True),
        ("prekey missing", NO_PREKEY, NOW, True), ("recovered", RECOVERED, NOW, False), ("no chain on record", NO_CHAIN, NOW, True),
        ("reason 0, which is left out", 0, NOW, False), ("reason 7", 7, NOW, False), ("reason 2^32 - 1", 2**32 - 1, NOW, False),
        ("asked at 0, which is left out", KEY_GONE, 0, False), ("asked at 2^64 - 1", KEY_GONE, MAX_START, False),
    ):
        out = make(name, body(reason, asked_at))
        assert open_request(out["request"], a.identity, a.address, b.address)[0] == b.public
        ends = copy.deepcopy(a).answer(f"retry answer to {name}", b, out["request"], b.bundle, NOW)
        requests.append({
            "name": name, "reason": reason, "asked_at": asked_at, "made_by_b": is_made, "means": ends["reason"],
            "restarts": ends["restarted"],
        } | out)

    refused = []

    def refuse(name, request, why, to="a", sender="b", identity=None):
        device, peer = case.device[to], case.device[sender]
        try:
            copy.deepcopy(device).answer(f"retry {name}", peer, request, peer.bundle, NOW)
        except Refused as e:
            refused.append({"name": name, "to": to, "from": sender, "request": request, "why": why or str(e)})
            if identity:
                refused[-1]["identity_named"] = identity
            return
        raise AssertionError(name)

    good = make("good", body())["request"]
    refuse("from c, by the transport's word", good, "the address of the one that asks is another", sender="c")
    refuse("to b itself", good, "reflected: made for a", to="b", sender="a")
    refuse("of a to b, back to a", make("of a to b", body(), asks=a.identity, iks=b.public, address_r=a.address, address_s=b.address)["request"],
           "reflected: a's own identity key, and the addresses the other way")
    refuse("to c", good, "made for a", to="c")
    for what, wrong in (
        ("the address of c for that of b", {"address_r": c.address}), ("another device of b's account", {"address_r": addr(b.account, 1)}),
        ("the address of c for that of a", {"address_s": c.address}), ("the addresses the other way", {"address_r": a.address, "address_s": b.address}),
        ("made for the identity key of c", {"iks": c.public}),
    ):
        refuse(what, make(what, body(), **wrong)["request"], "the tag does not verify")
    refuse("under another identity key", make("another identity key", body(), asks=c.identity)["request"],
           "it opens, under another identity key than the one on record", identity=c.public)
    refuse("under a's own identity key", make("own identity key", body(), asks=a.identity)["request"],
           "it opens, under another identity key than the one on record: nobody but a can make this", identity=a.public)
    claimed = make("claimed", body(), asks=c.identity, identity_key=enc(b.public))
    refuse("made by c, and says that it is under the key of b", claimed["request"], "the tag does not verify")
    refuse("version 2", b"\x02" + good[1:], "version")
    refuse("version 2, sealed", make("version 2", body(), front=b"\x02\x00")["request"], "version; the tag verifies for who does not check it")
    refuse("second byte 1", b"\x01\x01" + good[2:], "no retry request")
    refuse("type byte 4 of the key", make("type byte", body(), identity_key=b"\x04" + b.public)["request"], "type byte")
    refuse("key of low order", make("low order", body(), identity_key=enc(bytes(32)))["request"], "identity key")
    refuse("key not canonical", make("not canonical", body(), identity_key=enc((P + 9).to_bytes(32, "little")))["request"], "identity key")
    outer = read_message(good[2:], REQUEST)
    fields = [bytes_field(n, outer[REQUEST[n][0]]) for n in (1, 2, 3)]
    for what, parts in (
        ("fields in another order", [fields[1], fields[0], fields[2]]), ("field 1 twice", [fields[0], *fields]),
        ("no field 1", fields[1:]), ("no field 2", [fields[0], fields[2]]), ("no field 3", fields[:2]),
        ("an unknown field", [*fields, uint_field(4, 1)]), ("a length not of least length", [b"\x0a\xa1\x00" + fields[0][2:], *fields[1:]]),
        ("salt of 31 bytes", [fields[0], bytes_field(2, outer["salt"][:31]), fields[2]]),
        ("salt of 33 bytes", [fields[0], bytes_field(2, outer["salt"] + b"\0"), fields[2]]),
        ("sealed of 27 bytes", [*fields[:2], bytes_field(3, outer["sealed"][:27])]),
        ("sealed with a byte more", [*fields[:2], bytes_field(3, outer["sealed"] + b"\0")]),
        ("513 bytes", [*fields[:2], bytes_field(3, bytes(513 - 2 - len(fields[0]) - len(fields[1]) - 3))]),
    ):
        refuse(what, REQUEST_FRONT + b"".join(parts), None)
    assert len(refused[-1]["request"]) == MAX_RETRY_REQUEST + 1
    one, two, three, four, five = (
        bytes_field(1, tag_of_it), bytes_field(2, session_id), bytes_field(3, digest), uint_field(4, KEY_GONE), uint_field(5, NOW),
    )
    for what, parts in (
        ("empty body", []), ("body without message id", [two, three, four, five]), ("body without session id", [one, three, four, five]),
        ("body without head", [one, two, four, five]), ("body in another order", [two, one, three, four, five]),
        ("body with field 1 twice", [one, one, two, three, four, five]), ("body with an unknown field", [one, two, three, four, five, uint_field(6, 1)]),
        ("message id of 15 bytes", [bytes_field(1, tag_of_it[:15]), two, three, four, five]),
        ("message id of 17 bytes", [bytes_field(1, tag_of_it + b"\0"), two, three, four, five]),
        ("session id of 7 bytes", [one, bytes_field(2, session_id[:7]), three, four, five]),
        ("session id of 9 bytes", [one, bytes_field(2, session_id + b"\0"), three, four, five]),
        ("session id as fixed64", [one, fixed64_field(2, session_id), three, four, five]),
        ("head of 15 bytes", [one, two, bytes_field(3, digest[:15]), four, five]),
        ("head of 32 bytes", [one, two, bytes_field(3, digest * 2), four, five]),
        ("reason 0, written out", [one, two, three, tag(4, 0) + b"\0", five]),
        ("reason not of least length", [one, two, three, tag(4, 0) + b"\x82\0", five]),
        ("reason 2^32", [one, two, three, uint_field(4, 2**32), five]), ("reason as bytes", [one, two, three, bytes_field(4, b"\2"), five]),
        ("asked at 0, written out", [one, two, three, four, tag(5, 0) + b"\0"]),
        ("asked at 2^64", [one, two, three, four, tag(5, 0) + varint(2**64)]), ("body truncated", [one, two, three, four, five[:-1]]),
    ):
        refuse(what, make(what, b"".join(parts))["request"], None)
        refused[-1]["why"] += "; the tag verifies"
    flip = lambda x: bytes([x[0] ^ 1]) + x[1:]
    a1 = case.steps[case.sent["a1"]]
    for what, wanted in (
        ("another tag", {"message": flip(tag_of_it)}), ("another session id", {"session": flip(session_id)}),
        ("another digest", {"digest": flip(digest)}), ("the digest of a1", {"digest": envelope_digest(a1["envelope"])}),
        ("an envelope of b's own", {"message": case.steps[case.sent["b0"]]["message_id"], "digest": envelope_digest(case.steps[case.sent["b0"]]["envelope"])}),
    ):
        refuse(what, make(what, body(**wanted))["request"], "a has not sent such an envelope to b")
    ranges = [
        {"name": name, "start": good.index(outer[field]) + at, "length": length}
        for name, field, at, length in (
            ("the salt", "salt", 0, 32), ("the nonce", "sealed", 0, 12), ("the tag", "sealed", len(outer["sealed"]) - 16, 16),
            ("the identity key", "identity_key", 0, 33),
        )
    ]
    for r in ranges:
        for bit in range(8 * r["length"]):
            at = r["start"] + bit // 8
            wrong = good[:at] + bytes([good[at] ^ 1 << bit % 8]) + good[at + 1:]
            try:
                open_request(wrong, a.identity, a.address, b.address)
            except Refused:
                continue
            raise AssertionError(f"{r['name']}, bit {bit}")
    for length in range(len(good)):
        try:
            open_request(good[:length], a.identity, a.address, b.address)
        except Refused:
            continue
        raise AssertionError(f"cut to {length}")
    envelopes = [
        {"name": s["name"], "envelope": s["envelope"], "message_id": s["message_id"], "session_id": s["session_id"],
         "digest_input": lp(b"outrigger v1 envelope") + s["envelope"], "digest": envelope_digest(s["envelope"])}
        for s in case.steps if s["op"] == "send"
    ]
    return {
        "about": "Retry requests (protocol.md, 8). The devices and the steps are as in session.json, and come first. Each of `requests` is of b, for the "
                 "envelope a0, and is to be tried at a as it is after the steps; none of `refused` changes anything. `altered` is refused by a with any one bit "
                 "of its `ranges` flipped, and cut to any shorter length",
        "envelopes": envelopes,
        "case": case.result(),
        "requests": requests,
        "refused": refused,
        "altered": {"from": "b", "to": "a", "request": good, "ranges": ranges},
    }


# ---------------------------------------------------------------------------------------------------------------------------
# Answers that are published elsewhere, so that this script is checked itself

def known_answers():
    x = bytes.fromhex

    # RFC 5869, test case 1
    assert hkdf(bytes(range(13)), b"\x0b" * 22, x("f0f1f2f3f4f5f6f7f8f9"), 42).hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")

    # CPace: draft-irtf-cfrg-cpace-21, B.3
    sid = x("7e4b4791d6a8ef019b936c79fb7f2c57")
    assert hashlib.sha512(cpace_generator_string(b"Password", x("0b415f696e69746961746f720b425f726573706f6e646572"), sid)).hexdigest() == (
        "da6d3ddc8802fca9058755ffd3ebde08a9c2c74945901a258482a288b6663af0"
        "6bf645c93cd1c51512307199c80e84908916d983b34af77205f90851a657ee27")
    g = cpace_generator(b"Password", x("0b415f696e69746961746f720b425f726573706f6e646572"), sid)
    ya, yb = x("da3d23700a9e5699258aef94dc060dfda5ebb61f02a5ea77fad53f4ff0976d08"), x("d2316b454718c35362d83d69df6320f38578ed5984651435e2949762d900b80d")
    shares = [ristretto_encode(multiply(from_le(y), g)) for y in (ya, yb)]
    assert [ristretto_encode(g).hex(), *(x.hex() for x in shares)] == [
        "222b6b195fe84b1652badb6f6a3ae3d24341e7306967f0b8115b40d5698c7e56", "d6bac480f2c386c394efc7c47adb9925dcd2630b64f240c50f8d0eec482b9157",
        "3ea7e0b19560d7c0b0f5734f63b955286dfa8232b5ebe63324e2d9e7433f7258"]
    k = cpace_shared(from_le(ya), shares[1])
    assert k == cpace_shared(from_le(yb), shares[0]) and k.hex() == "80b69a8a76457ab6a4d7f887a4bf6b55a2f80ac19c333f917a05fc9887c8b40f"
    assert cpace_isk(sid, k, shares[0], b"ADa", shares[1], b"ADb").hex() == (
        "b69effbf61b51d56401c0f65601abe428de8206feaaf0e32198896dcae7b35cd"
        "2b38950a39dfd5d4a79164614c2984f7daa460b588c1e80c3fa2068af7900447")
    # RFC 9496, A.2: encodings of no element; and the neutral one
    for bad in (
        "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20",
        "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
        "4eac077a713c57b4f4397629a4145982c661f48044dd3f96427d40b147d9742f",
        "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",
        "a45fdc55c76448c049a1ab33f17023edfb2be3581e9c7aade8a6125215e04220",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ):
        assert ristretto_decode(x(bad)) is None
    assert ristretto_encode(BASE).hex() == "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"
    assert cpace_shared(from_le(ya), bytes(32)) is None

    # XEdDSA: two worked examples
    one = xeddsa_sign(sha256(b"outrigger example xeddsa 0"), b"", FIXED_Z)
    two = xeddsa_sign(sha256(b"outrigger example xeddsa 1"), b"outrigger", FIXED_Z)
    for got, want in (
        (one, {
            "seed": "411a494df53a8d2bd2ae87b7d38e2383f1215ea42795d5c9c6c80453c60a3fe7", "edwards_sign": 0,
            "k": "401a494df53a8d2bd2ae87b7d38e2383f1215ea42795d5c9c6c80453c60a3f67",
            "u": "4582951ddb61add0f6a886a12ced2d318f801db5f063bfaf1299ebf513355573",
            "A": "e066b9b0ed2dba1d4ff77d5c68388d53f158aa4f0e29ffe9a2aec9fa6989e200",
            "a": "b222861f57e81e1bcc01bae59bb3e905f1215ea42795d5c9c6c80453c60a3f07",
            "r": "ba9bee2747cc70c5e582f57b6654d9412761cad69dc8c58911db792748299b04",
            "h": "e20b94c85cd1af4a4e31a1d1a9218ccb7a847a6ff13d285d54e7e02c35dce707",
            "signature": "9caf45f7cd040bf4fd0f5ee193d514aa7857685da7f79770a783c2301842a85e"
                         "a5ffe538a56de495b95d4067cae4384d631f81b86a8c1b759ba0e893e7ead205",
        }),
        (two, {
            "seed": "370349695a2c8f3b75c34259dfd89d8048277d9b4dc69c295cf56ec770a3409f", "edwards_sign": 1,
            "k": "300349695a2c8f3b75c34259dfd89d8048277d9b4dc69c295cf56ec770a3405f",
            "u": "b433e6bac0bd4a3d30f12a67e61046e407358e0d18b9d2a2daed5da82686d44c",
            "A": "01f7936576d163ce3b719e6fc2a23e488de8319ae907f3aa99b5289716193126",
            "a": "5ef479c44326dfd490e98a7858029cfcb7d88264b23963d6a30a91388f5cbf00",
            "r": "fa7c6bd19e67e8340193f15d67d5f97735ae56557e639b29ff94c5fff2305702",
            "h": "bb79126939457efd87df73b629d59535e9935010a881a4930bed8e2c84dc2e0f",
            "signature": "299b3e6421f96d0cce4bd3e19e7be80848f8efdb3f7d84b4052a85e6ccfe6d5f"
                         "3a4a66a01aab4991add985838e5eca7d0f999f51ad4f467b266882412dfe050a",
        }),
    ):
        for name, value in want.items():
            assert got[name] == (value if name == "edwards_sign" else x(value)), name
    assert le(from_le(one["s"]) + Q).hex() == "92d3db95bfd0f6ed8ffa370aa9de1762631f81b86a8c1b759ba0e893e7ead215"
    assert sign_deployed(one["seed"], b"", FIXED_Z) == one["signature"]
    assert sign_deployed(two["seed"], b"outrigger", FIXED_Z).hex() == (
        "c708b07bb319296b09e1bb84040729d6bf3120e7eec071c52356d2b9d2c5a207"
        "13793b7c023cb9157763c5e8835c5f426bfb9050fb0925ae59fbeb4d49fb5b86")
    for u, message, signature in DEPLOYED:
        assert xeddsa_verify(x(u), x(message), x(signature)) is None
    assert [x(s)[63] >> 7 for _, _, s in DEPLOYED] == [1, 1, 0, 1]

    # every one of the 512 bits counts
    for bit in range(512):
        flipped = bytearray(two["signature"])
        flipped[bit // 8] ^= 1 << bit % 8
        assert xeddsa_verify(two["u"], b"outrigger", bytes(flipped))

    # X3DH: keys, DH outputs, secrets (the example's own label), signature over the signed prekey
    private = {n: sha256(b"outrigger example " + n.encode()) for n in ("IKa", "EKa", "IKb", "SPKb", "OPKb", "DHa1", "DHb1")}
    pub = {n: public_key(k) for n, k in private.items()}
    for n, k, u in (
        ("IKa", "35cb23b8c72a5bd736941759507241180d7e58b23e13862668a47eabf6d16b1c",
         "035581ed2eed0e99495f1c79b034ea8269b925946faa2eca4d9d17309baf9d5e"),
        ("EKa", "640b0bd03296c75efd1b23beb030f830be571e21bdc1957d4f252c3ef0366c82",
         "839ac73fb3c6f394b9f743578a1ae8ee1b33880fa7e554b89bca8b961f43dd79"),
        ("IKb", "7db0335bada6bdc23b03fc41732e629b6ecf38b3f033bd9ea96ebacdca8058ea",
         "f4085f31e337efee0519def7cd29bd122f8c5b7a4792aadf1345aaa691181169"),
        ("SPKb", "ca510099d83f069cc9d8210c3c0810b2006f84457cc576535e1117c563ab75af",
         "c3559d831253ab1d994725b2b3bc228846e9855c22de7a0836ddb9228b1da40f"),
        ("OPKb", "567643dbf146dccc4bd70593ad37448a5c7cc9ef0e051237af82a4f19e0c65de",
         "1782631e8b56db259540d9f381b632658e9492b1eb353b246dda5bec13d4946f"),
        ("DHa1", "2e609c35145d3c3562a35201a7c3aac35f1f9a8d4dc38d09e94411e481b6ff53",
         "ae11528a5ccf93e14aae808572cf0bfc572eba063747a40f931ee427b25b7603"),
        ("DHb1", "898941ded52aca180218b67d9736fef34a5c5a3cce615323ac10522059204dbf",
         "3da85e89edde79ace698cc0fffce54729fd7db579ff2db8457445c12741d1827"),
    ):
        assert private[n].hex() == k and pub[n].hex() == u, n
    dhs = [dh(private["IKa"], pub["SPKb"]), dh(private["EKa"], pub["IKb"]), dh(private["EKa"], pub["SPKb"]), dh(private["EKa"], pub["OPKb"])]
    assert [d.hex() for d in dhs] == [
        "9939f32ddbd0f78c81746ca8aa4ad6a0a898d94854a89a3438046d091d422f45",
        "48af92b55a4bad362778c6f9ec8033314a486c8aa60cbdf06506035b3d833434",
        "433bf4a7ae630fe8e8100c7711bdd7cc93e3bd8d66720f588d45ac847ed9b429",
        "c66a1e1dab928e8411f7fb1db2c190043fcfbd9151d4de422a52ae34f562a649",
    ]
    rest = pub["IKa"], pub["IKb"], b"", b"", pub["EKa"], pub["SPKb"]
    label = b"outrigger-spec-example X3DH"
    three = x3dh(dhs[:3], *rest, None, label=label)
    four = x3dh(dhs, *rest, pub["OPKb"], label=label)
    assert three["sk"].hex() == "cc13764229b58b9202eb2b363ab2163379204b521dbf07393ff84a439805bb8d"
    assert four["sk"].hex() == "e6bfdc1068f39576bed32f771ad782aa46511458668d9bc228d8831e49684a37"
    assert (len(three["kdf_input"]), len(four["kdf_input"])) == (128, 160)
    assert sign_published(private["IKb"], enc(pub["SPKb"]), FIXED_Z).hex() == (
        "8589fabc300b000ecfeb49f41ed0ad8d322ef9ebf440c49f277d78175b505c2a"
        "ef300146f1ae0fba92dc40472b3b883074676a613ff9fc859bb48837b18cdd08")
    assert sign_deployed(private["IKb"], enc(pub["SPKb"]), FIXED_Z).hex() == (
        "8c998f51704b6cfeed49b9df22138365f141547388c7e601b5c6362907955af1"
        "264db232cbfcf372844349f911dee506d797ea634b4e60f2c6c36bd3c547b48a")

    # Double Ratchet: key schedule (the example's own labels)
    label = b"outrigger-spec-example root"
    first = dh(private["DHa1"], pub["SPKb"])
    assert first.hex() == "03539927470e70daa10b49338191db09ee593fe809f9c8ce665f59c67e2ba250"
    rk1, cka = kdf_rk(four["sk"], first, label)
    assert rk1.hex() == "6c1610d26d13f2dbae10959976d6f042509ccad6459ea0848f4cf5fcb7910799"
    assert cka.hex() == "b61568931ee42fd451a74553844836ae948dc337aa525000c7168420209707f1"
    mk0, ck1 = kdf_ck(cka)
    mk1, ck2 = kdf_ck(ck1)
    assert mk0.hex() == "f31252e6b353a0ee2ce38a5f3b68458f531e3838aa97b2f3ea6f95e9648a9d2c"
    assert ck1.hex() == "15baafbe0849a07a6d7093ad636e970b685335043a44398978b98ed911f78bdf"
    assert mk1.hex() == "163808108fdc8787bcb6f7aecb73aeefcfa5e053d29bbd6c86068448b107481a"
    assert ck2.hex() == "a1e9a7181dd0bfad1c2303157462b3efb00e8d818738be736185a1b457ab93f8"
    second = dh(private["DHb1"], pub["DHa1"])
    assert second.hex() == "1b6af0c87687030825d3c133c67f43a7ae8df6477e4d5087b7ddd7decc732b17"
    rk2, ckb = kdf_rk(rk1, second, label)
    assert rk2.hex() == "250483849edabd23d68d1fb6150de2873b08076082da648829aa1230f7d74021"
    assert ckb.hex() == "06873c668ac6e65188f1119a518a64230a537847513656d8975fa1fdd7ee4ef1"
    assert kdf_ck(ckb)[0].hex() == "a6548c75b78a172f6405c9d81a77edf02871f5b4d66a0f32f391cf071eca9a1a"
    assert hkdf(rk1, second, label, 96)[64:].hex() == "9326d0981b5fc0827fcf905f2dc6a331358dfd0e6e9c466f2c1cfb73268eaf32"
    split = hkdf(bytes(32), mk0, b"outrigger-spec-example message", 80).hex()
    assert split == (
        "035c8746614117202b40827d25aa83fa0e4c5458d238d10a05cbc4bf757cd5db"
        "28040548331b789cf0c4a77521417b59bc37fab4f5f5ab98efa064ecf10bbc16"
        "9445256ffcbc02b1c4bd7a12795c4902")

    # Safety numbers: the value published for deployed clients, and the example
    pair = fingerprint_pair(
        "", x("0506863bc66d02b40d27b8d49ca7c09e9239236f9d7d25d6fcca5ce13c7064d868"), b"+14152222222",
        x("05f781b6fb32fed9ba1cf2de978d4d5da28dc34046ae814402b5c0dbd96fda907b"), b"+14153333333")
    assert pair["half_a"] == "300354477692869396892869876765" and pair["half_b"] == "458257569162576843440918079131"
    assert pair["number"] == pair["half_a"] + pair["half_b"]
    assert pair["scannable_a"].hex() == (
        "080112220a201e301a0353dce3dbe7684cb8336e85136cdc0ee96219494ada305d62a7bd61df"
        "1a220a20d62cbf73a11592015b6b9f1682ac306fea3aaf3885b84d12bca631e9d4fb3a4d")
    pair = fingerprint_pair("", enc(pub["IKa"]), b"+14155550100", enc(pub["IKb"]), b"+14155550101")
    assert pair["fingerprint_a"].hex() == (
        "ea7f767b050e26a5a316d0edd2cd7d6adc6f2a137eb50dca02b5704524b98d84"
        "3a86515680a49053bc60ae4c3f3afe83aa8ea7ca9a51c0266d69c9455cfe8cc9")
    assert pair["fingerprint_b"].hex() == (
        "7203af78ae31c91d9b34445a20ef5512c4c4d665f00d1952174fcaf891ac29b4"
        "202582507ec06b3f4d1296af33386f89281bd8e7953599303f98843f10c072d8")
    assert pair["half_a"] == "184373154212925061635907460153" and pair["half_b"] == "030865819683989456051426304236"
    assert pair["number"] == "030865819683989456051426304236184373154212925061635907460153"
    assert pair["scannable_a"].hex() == (
        "080112220a20ea7f767b050e26a5a316d0edd2cd7d6adc6f2a137eb50dca02b5704524b98d84"
        "1a220a207203af78ae31c91d9b34445a20ef5512c4c4d665f00d1952174fcaf891ac29b4")


# ---------------------------------------------------------------------------------------------------------------------------
# companions.json: protocol.md, 10

WINDOW = 14 * 24 * 3600 * 1000
TOLERANCE = 10 * 60 * 1000


def account_of(name, length):
    return filler(f"account {name}", length)


def entry_bytes(device, index, identity, suites=b""):
    return uint_field(1, device) + uint_field(2, index) + bytes_field(3, enc(identity)) + (bytes_field(4, suites) if suites else b"")


def list_body(account_id, incarnation, epoch, issued_at, expires_at, next_index, entries, closed=False, suites=b"\x01"):
    """`entries`: (device id, key index, identity key, suites if they are named) or the bytes of an entry."""
    return (
        bytes_field(1, account_id) + bytes_field(2, incarnation) + uint_field(3, epoch) + uint_field(4, issued_at)
        + uint_field(5, expires_at) + uint_field(6, next_index)
        + b"".join(bytes_field(7, e if isinstance(e, bytes) else entry_bytes(*e)) for e in entries)
        + uint_field(8, int(closed)) + (bytes_field(9, suites) if suites else b"")
    )


def list_digest_input(account_id, incarnation, phone, entries):
    devices = b"".join(u32be(device) + enc(key) for device, _, key, *_ in [(0, 0, phone)] + entries)
    return lp(b"outrigger v1 devices") + lp(account_id) + lp(incarnation) + lp(devices)


def list_digest(*parts):
    return sha256(list_digest_input(*parts))[:16]


def sign_list(private, body, z):
    signature = sign_published(private, b"\x06\x02" + body, z)
    return b"\x01" + bytes_field(1, body) + bytes_field(2, signature)


def certificate_body(account_id, device, index, linked_at, incarnation):
    return (
        bytes_field(1, account_id) + uint_field(2, device) + uint_field(3, index) + uint_field(4, linked_at)
        + bytes_field(5, incarnation)
    )


def certificate_signed(prefix, body, phone, companion):
    return prefix + lp(body) + enc(phone) + enc(companion)


def encode_certificate(body, companion, account_signature, device_signature):
    return (
        b"\x01" + bytes_field(1, body) + bytes_field(2, enc(companion)) + bytes_field(3, account_signature)
        + bytes_field(4, device_signature)
    )


def with_mac(key, front, number):
    return front + bytes_field(number, hmac_sha256(key, front))


def check_refused(check, *arguments):
    try:
        check(*arguments)
    except Refused as e:
        return str(e)
    raise AssertionError("not refused")


def link_lists():
    """Lists that are accepted, and lists that are not."""
    private = draw("companions list phone", 32)
    phone = public_key(private)
    keys = [public_key(draw(f"companions list companion {i}", 32)) for i in range(5)]
    inc = filler("companions incarnation", 16)
    some = [(3, 1, keys[0]), (7, 4, keys[1]), (2**32 - 1, 2, keys[2])]
    accepted, refused = [], []

    def add(into, name, why=None, account_id=None, signer=private, signed=None, change=lambda b: b, wire=None, **fields):
        account_id = account_id or account_of("companions list", 16)
        given = dict(incarnation=inc, epoch=1, issued_at=TIME, expires_at=TIME + WINDOW, next_index=9, entries=some) | fields
        body = change(list_body(account_id, **given))
        z = draw(f"companions list {name} z", 64)
        signature = sign_published(signer, b"\x06\x02" + (signed if signed is not None else body), z)
        wire = wire or (lambda b, s: b"\x01" + bytes_field(1, b) + bytes_field(2, s))
        one = {"name": name, "account_id": account_of("companions list", 16) if into is refused else account_id,
               "list": wire(body, signature)}
        if into is accepted:
            assert check_list(account_id, phone, one["list"])["entries"] == [e[:3] for e in given["entries"]]
            one |= {
                "body": body, "signed_bytes": b"\x06\x02" + body, "z": z, "signature": signature, "epoch": given["epoch"], "issued_at": given["issued_at"],
                "expires_at": given["expires_at"], "closed": given.get("closed", False),
                "entries": [{"device_id": d, "key_index": i, "identity_key": k} for d, i, k, *_ in given["entries"]],
                "suites": {str(d): s for d, s in [(0, given.get("suites", b"\x01"))] + [(e[0], e[3]) for e in given["entries"] if len(e) > 3]},
                "next_key_index": given["next_index"], "digest_input": list_digest_input(account_id, inc, phone, given["entries"]),
                "digest": list_digest(account_id, inc, phone, given["entries"]),
            }
        else:
            check_refused(check_list, one["account_id"], phone, one["list"])
            one["why"] = why
        into.append(one)

    add(accepted, "three companions")
    add(accepted, "two", entries=some[:2], next_index=5)
    add(accepted, "none", entries=[])
    add(accepted, "one", entries=some[:1])
    add(accepted, "four", entries=[(1, 3, keys[3])] + some)
    add(accepted, "longest account id", account_id=account_of("companions long list", 64))
    add(accepted, "highest numbers", epoch=2**32 - 1, issued_at=2**64 - 2, expires_at=2**64 - 1, next_index=2**32 - 1,
        entries=[(2**32 - 1, 2**32 - 2, keys[0])])
    add(accepted, "good for no time", expires_at=TIME)
    add(accepted, "closed", entries=[], closed=True)
    add(accepted, "no word of suites", entries=some[:1], suites=b"")
    add(accepted, "suites of all, known or not", entries=[(*some[0], b"\x01\x03"), (*some[1], b"\x7f")], suites=bytes(range(1, 17)))
    for what, suites in (("suite 0", b"\x00\x01"), ("suites that descend", b"\x02\x01"), ("a suite twice", b"\x01\x01"), ("17 suites", bytes(range(1, 18)))):
        add(refused, what, "1 to 16 suites, none 0, ascending", entries=some[:1], suites=suites)

    add(refused, "another signer", "not signed by the account's key", signer=draw("companions list stranger", 32))
    add(refused, "signed with the prefix of an account", "the prefix is another",
        change=lambda b: b, wire=lambda b, s: b"\x01" + bytes_field(1, b) + bytes_field(2, sign_published(
            private, b"\x06\x00" + b, draw("companions list other prefix z", 64))))
    add(refused, "changed after signing", "the signature is over another body", signed=b"another")
    add(refused, "another account", "the body names another account", account_id=account_of("companions other list", 16))
    add(refused, "five companions", "at most four", entries=[(i + 1, i + 1, keys[i]) for i in range(5)])
    add(refused, "out of order", "entries ascend by device id", entries=[some[1], some[0]])
    add(refused, "twice the same device", "entries ascend by device id", entries=[some[0], (3, 2, keys[1])])
    add(refused, "device 0", "the phone is no companion", entries=[(0, 1, keys[0])])
    add(refused, "index 0", "a key index is not 0", entries=[(3, 0, keys[0])])
    add(refused, "index of the future", "a key index is below the next", entries=[(3, 9, keys[0])])
    add(refused, "one key twice", "no two entries share a key", entries=[some[0], (7, 4, keys[0])])
    add(refused, "the phone's own key", "no entry has the account's key", entries=[some[0], (7, 4, phone)])
    add(refused, "next index 0", "it is above every index", entries=[], next_index=0)
    add(refused, "one index twice", "no two entries share an index", entries=[some[0], (7, 1, keys[1])])
    add(refused, "a key of low order", "keys are not of low order", entries=[uint_field(1, 3) + uint_field(2, 1) + bytes_field(3, b"\x05" + bytes(32))])
    add(refused, "epoch 0", "an epoch is not 0", epoch=0)
    add(refused, "time 0", "issued_at is not 0", issued_at=0)
    add(refused, "over before it began", "expires_at is not below issued_at", expires_at=TIME - 1)
    add(refused, "closed, with companions", "a closed account has no companions", closed=True)
    add(refused, "short incarnation", "16 bytes", incarnation=inc[:15])
    add(refused, "trailing byte in the body", "one encoding", change=lambda b: b + b"\x00")
    add(refused, "unknown field in the body", "no unknown fields", change=lambda b: b + uint_field(9, 1))
    entry = bytes_field(7, entry_bytes(*some[0]))
    for what, why, bad in (
        ("an index not of least length", "one encoding", uint_field(1, 3) + b"\x10\x81\x00" + bytes_field(3, enc(keys[0]))),
        ("an unknown field in an entry", "no unknown fields", entry_bytes(*some[0]) + uint_field(5, 1)),
        ("suites of an entry that descend", "suites ascend", entry_bytes(*some[0], b"\x02\x01")),
        ("a device of 2^32", "a device id is a uint32", entry_bytes(2**32, 1, keys[0])),
        ("an index of 0, written out", "a uint that is 0 is left out", uint_field(1, 3) + b"\x10\x00" + bytes_field(3, enc(keys[0]))),
        ("an entry without a key", "it has a key", uint_field(1, 3) + uint_field(2, 1)),
        ("a bare key", "33 bytes", uint_field(1, 3) + uint_field(2, 1) + bytes_field(3, keys[0])),
        ("a key of another type", "the type is 5", uint_field(1, 3) + uint_field(2, 1) + bytes_field(3, b"\x06" + keys[0])),
        ("an empty entry", "no field may be left out", b""),
    ):
        add(refused, what, why, entries=[bad])
    add(refused, "epoch not of least length", "one encoding", change=lambda b: b.replace(b"\x18\x01", b"\x18\x81\x00", 1))
    add(refused, "epoch of 2^32", "an epoch is a uint32", epoch=2**32)
    add(refused, "issued at 2^64", "a time has 64 bits", issued_at=2**64, expires_at=2**64)
    add(refused, "closed, as 2", "a bool is 0 or 1", entries=[], closed=2)
    add(refused, "closed, as 0", "a bool that is false is left out", entries=[], change=lambda b: b + b"\x40\x00")
    add(refused, "an entry in front", "fields ascend", change=lambda b: entry + b, entries=[])
    add(refused, "an account id of 15 bytes", "16 to 64", change=lambda b: b"\x0a\x0f" + b[2:17] + b[18:])
    add(refused, "trailing byte", "one encoding", wire=lambda b, s: b"\x01" + bytes_field(1, b) + bytes_field(2, s) + b"\x00")
    add(refused, "fields swapped", "fields ascend", wire=lambda b, s: b"\x01" + bytes_field(2, s) + bytes_field(1, b))
    add(refused, "another version", "version", wire=lambda b, s: b"\x02" + bytes_field(1, b) + bytes_field(2, s))
    add(refused, "short signature", "64 bytes", wire=lambda b, s: b"\x01" + bytes_field(1, b) + bytes_field(2, s[:63]))
    return {"phone": {"private": private, "public": phone}, "accepted": accepted, "refused": refused}


@functools.cache
def linking_case():
    """One linking, from the code to the certificate, with every key and message; then what the two can do with what they share."""
    account_id = account_of("companions linking", 20)
    phone = draw("companions phone identity", 32)
    companion, ephemeral = draw("companions companion identity", 32), draw("companions companion ephemeral", 32)
    secret, reference = draw("companions linking secret", 32), draw("companions reference", 16)
    ikp, ikc, ekc = public_key(phone), public_key(companion), public_key(ephemeral)
    payload = b"\x01\x01" + ikc + ekc + secret + reference
    code = "outrigger-link:" + base64.urlsafe_b64encode(payload).decode().rstrip("=")
    binding = sha256(lp(b"outrigger v1 link payload") + lp(payload))
    ekp_private = draw("companions phone ephemeral", 32)
    ekp = public_key(ekp_private)
    comparison = int.from_bytes(expand(secret, b"outrigger v1 link comparison" + binding + enc(ekp), 32)[:8], "big") % 10**8

    incarnation, device_draw = draw("companions incarnation", 16), draw("companions device id", 16)
    device = int.from_bytes(device_draw[:4], "big")
    body = certificate_body(account_id, device, 1, TIME, incarnation)
    account_z, grant_nonce = draw("companions account z", 64), draw("companions grant nonce", 12)
    account_signature = sign_published(phone, certificate_signed(b"\x06\x00", body, ikp, ikc), account_z)
    granted = bytes_field(1, body) + bytes_field(2, enc(ikp)) + bytes_field(3, account_signature)
    grant_key = hkdf(secret, dh(ekp_private, ekc), b"outrigger v1 link grant" + binding + enc(ekp), 32)
    assert dh(ekp_private, ekc) == dh(ephemeral, ekp)
    sealed = grant_nonce + AESGCM(grant_key).encrypt(grant_nonce, granted, binding)
    grant_mac = expand(secret, b"outrigger v1 link mac" + binding, 32)
    grant = with_mac(grant_mac, b"\x01\x01" + bytes_field(1, reference) + bytes_field(2, enc(ekp)) + bytes_field(3, sealed), 4)
    refusal = with_mac(grant_mac, b"\x01\x04" + bytes_field(1, reference) + uint_field(2, 1), 3)

    device_z = draw("companions device z", 64)
    device_signature = sign_published(companion, certificate_signed(b"\x06\x01", body, ikp, ikc), device_z)
    spk, spk_z = draw("companions signed prekey", 32), draw("companions signed prekey z", 64)
    opk, suites_z = draw("companions one-time prekey", 32), draw("companions suites z", 64)
    bundle = encode_bundle(
        enc(ikc), b"\x01", TIME, sign_published(companion, suites_statement(account_id, device, TIME, b"\x01"), suites_z),
        enc(public_key(spk)), sign_published(companion, enc(public_key(spk)), spk_z), enc(public_key(opk)))
    answer_digest = sha256(lp(b"outrigger v1 link answer") + grant)
    answer_mac = expand(secret, b"outrigger v1 link answer" + binding + answer_digest, 32)
    confirmation = with_mac(
        answer_mac, b"\x01\x02" + bytes_field(1, reference) + bytes_field(2, device_signature) + bytes_field(3, bundle), 4)

    ek, ratchet = draw("companions session ephemeral", 32), draw("companions first ratchet key", 32)
    list_z, sync_key = draw("companions list z", 64), draw("companions sync key", 32)
    entries = [(device, 1, ikc, b"\x01")]
    signed = list_body(account_id, incarnation, 1, TIME, TIME + WINDOW, 2, entries)
    signed_list = sign_list(phone, signed, list_z)
    acknowledgement = with_mac(answer_mac, b"\x01\x03" + bytes_field(1, reference) + bytes_field(2, signed_list), 3)

    salt, nonce = draw("companions synced salt", 32), draw("companions synced nonce", 12)
    front = b"\x01" + u32be(1) + salt
    synced_key = hkdf(salt, sync_key, b"outrigger v1 synced", 32)
    synced = front + nonce + AESGCM(synced_key).encrypt(nonce, b"dark mode", front + b"settings 1")

    history, history_key = filler("companions history id", 16), draw("companions history key", 32)
    chunks = []
    for index, text in enumerate((b"the newest", b"the one before")):
        chunk_front = b"\x01" + history + u32be(index)
        chunk_nonce = draw(f"companions chunk {index} nonce", 12)
        chunk_key = expand(history_key, b"outrigger v1 history key" + history + u32be(index), 32)
        chunk = chunk_front + chunk_nonce + AESGCM(chunk_key).encrypt(chunk_nonce, text, chunk_front)
        chunks.append({"text": text, "draws": [history_key, chunk_nonce] if index == 0 else [chunk_nonce], "sealed": chunk,
                       "digest": sha256(lp(b"outrigger v1 history chunk") + chunk)[:16]})
    return {
        "account_id": account_id, "time": TIME, "phone_private": phone, "phone_public": ikp,
        "show": {"draws": [companion, ephemeral, secret, reference], "code": code},
        "scan": {"draws": [ekp_private], "binding": binding, "comparison": f"{comparison // 10**4:04} {comparison % 10**4:04}"},
        "grant": {"draws": [incarnation, device_draw, account_z, grant_nonce], "key": grant_key, "mac_key": grant_mac, "message": grant},
        "confirm": {"draws": [device_z, spk, spk_z, opk, suites_z], "mac_key": answer_mac, "message": confirmation, "device_id": device},
        "list": {"draws": [ek, ratchet, list_z, sync_key], "list": signed_list, "acknowledgement": acknowledgement,
                 "digest": list_digest(account_id, incarnation, ikp, entries)},
        "certificate": encode_certificate(body, ikc, account_signature, device_signature),
        "refusal": refusal,
        "synced": {"draws": [salt, nonce], "plaintext": b"dark mode", "associated_data": b"settings 1", "sealed": synced},
        "history": {"id": history, "chunks": chunks},
    }


def list_sequences():
    """Lists that come one after the other: which one counts."""
    private = draw("companions sequences phone", 32)
    phone = public_key(private)
    keys = [public_key(draw(f"companions sequences companion {i}", 32)) for i in range(5)]
    account_id, inc, other_inc = account_of("companions sequences", 16), filler("companions incarnation 1", 16), filler("companions incarnation 2", 16)
    some = [(3, 1, keys[0]), (7, 4, keys[1])]
    count, out = 0, []

    def make(**fields):
        nonlocal count
        count += 1
        given = dict(incarnation=inc, epoch=5, issued_at=NOW, expires_at=NOW + WINDOW, next_index=10, entries=some) | fields
        return sign_list(private, list_body(account_id, **given), draw(f"companions sequences {count} z", 64))

    def sequence(name, *steps, own_phone=False):
        """Steps: the list, the receiver's time, what is to come of it."""
        kept, disputed, told = None, False, []
        for data, time, outcome in steps:
            offered = check_list(account_id, phone, data)
            found = which_list(kept, offered, time, own_phone)
            assert found == outcome, (name, len(told), found)
            kept = offered if found == "newer" else kept
            disputed = found == "disputed" or disputed and found != "newer"
            told.append({"list": data, "time": time, "outcome": outcome, "disputed": disputed})
        out.append({"name": name, "own_phone": own_phone, "steps": told})

    base = make()
    start = (base, NOW, "newer")
    early, late = NOW - TOLERANCE, NOW + WINDOW + TOLERANCE
    sequence("the first, issued 10 minutes ahead", (base, early, "newer"))
    sequence("the first, issued a millisecond more ahead", (base, early - 1, 1), start)
    sequence("the first, at the end of its time", (base, late, "newer"))
    sequence("the first, past its time", (base, late + 1, 6))
    sequence("no end of time", (make(expires_at=2**64 - 1), 2**64 - 1, "newer"))
    six = make(epoch=6)
    sequence("the next, issued 10 minutes ahead", (base, early, "newer"), (six, early, "newer"))
    sequence("the next, issued a millisecond more ahead", (base, early, "newer"), (six, early - 1, 1))
    sequence("the next, at the end of its time", start, (six, late, "newer"))
    sequence("the next, past its time", start, (six, late + 1, 6))
    sequence("the same, issued too far ahead by a clock that went back", start, (base, early - 1, 1), (base, early, "same"))
    sequence("the same, past its time", start, (base, late, "same"), (base, late + 1, "same"))
    sequence("the same body, signed again", start, (make(), NOW + 1, "same"))
    sequence("the phone itself, past its time", (base, late + 1, "newer"), (six, late + 1, "newer"), own_phone=True)
    sequence("the phone itself, issued too far ahead", (base, early - 1, 1), own_phone=True)
    sequence("another incarnation", start, (make(epoch=6, incarnation=other_inc), NOW, 2))
    sequence("another incarnation, the same epoch", start, (make(incarnation=other_inc), NOW, 2))
    sequence("a lower epoch", start, (make(epoch=4), NOW, 3))
    sequence("a lower epoch, no companions", start, (make(epoch=1, entries=[], next_index=1), NOW, 3))
    sequence("epochs left out", start, (make(epoch=2**32 - 1, next_index=2**32 - 1), NOW, "newer"))
    for name, outcome, fields in (
        ("a lower next index", 5, dict(next_index=9)), ("the same next index", "newer", {}),
        ("a device with another key", 5, dict(entries=[(3, 1, keys[2]), some[1]])),
        ("a device with another index", 5, dict(next_index=11, entries=[(3, 10, keys[0]), some[1]])),
        ("a device with another key and index", 5, dict(next_index=11, entries=[(3, 10, keys[2]), some[1]])),
        ("a new entry of an old index", 5, dict(entries=[*some, (9, 9, keys[2])])),
        ("a new entry of a removed one's index", 5, dict(entries=[some[1], (9, 1, keys[2])])),
        ("a new entry of the next index", "newer", dict(next_index=11, entries=[*some, (9, 10, keys[2])])),
        ("a companion removed", "newer", dict(entries=some[:1])), ("all removed", "newer", dict(entries=[])),
        ("a key under another device id and a new index", "newer", dict(next_index=11, entries=[some[1], (9, 10, keys[0])])),
        ("closed", "newer", dict(entries=[], closed=True)),
    ):
        sequence(f"a higher epoch, {name}", start, (make(epoch=6, **fields), NOW, outcome))
    closed = make(epoch=6, entries=[], closed=True)
    sequence("after the last", start, (closed, NOW, "newer"), (closed, NOW, "same"), (make(epoch=7, entries=[]), NOW, 4), (make(epoch=6), NOW, 4),
             (make(epoch=5), NOW, 3))
    sequence("closed, and past its time", start, (closed, late + 1, "newer"))
    sequence("closed, the first that is seen, past its time", (closed, late + 1, "newer"))
    sequence("closed, issued too far ahead", (closed, early - 1, 1))
    gone = make(epoch=6, entries=some[:1])
    sequence("removed, and back with its old index", start, (gone, NOW, "newer"), (make(epoch=7), NOW, 5))
    sequence("removed, and its device id back with a new index", start, (gone, NOW, "newer"),
             (make(epoch=7, next_index=11, entries=[some[0], (7, 10, keys[2])]), NOW, "newer"))
    second, third = make(entries=some[:1]), make(expires_at=NOW + WINDOW + 1)
    sequence("disputed", start, (second, NOW, "disputed"), (base, NOW, "same"), (third, NOW, "disputed"), (make(epoch=4), NOW, 3), (six, NOW, "newer"))
    sequence("disputed, with a lower next index", start, (make(next_index=9), NOW, "disputed"))
    sequence("disputed, with another key", start, (make(entries=[(3, 1, keys[2]), some[1]]), NOW, "disputed"))
    sequence("disputed, by one that is issued too far ahead", start, (make(issued_at=NOW + TOLERANCE + 1), NOW, 1))
    return {"account_id": account_id, "phone": {"private": private, "public": phone}, "sequences": out}


def certificates():
    accepted, refused = [], []
    phone, other = draw("companions certificates phone", 32), draw("companions certificates other phone", 32)
    keys = [draw(f"companions certificates companion {i}", 32) for i in range(3)]
    pub = [public_key(k) for k in keys]
    ikp, inc = public_key(phone), filler("companions incarnation 3", 16)
    short, long = account_of("companions certificates", 16), account_of("companions certificates long", 64)

    def signed_list(name, account_id, entries, incarnation=inc):
        body = list_body(account_id, incarnation, 3, TIME, TIME + WINDOW, 2**32 - 1, entries)
        return sign_list(phone, body, draw(f"companions certificates list {name} z", 64))

    lists = {"short": signed_list("short", short, [(3, 1, pub[0]), (9, 7, pub[1])]), "long": signed_list("long", long, [(2**32 - 1, 2**32 - 2, pub[0])])}

    def make(name, account_id=short, device=3, index=1, linked_at=TIME, key=keys[0], account_key=phone, signs=sign_published, body=None, incarnation=inc):
        body = body or certificate_body(account_id, device, index, linked_at, incarnation)
        signed = [certificate_signed(prefix, body, ikp, public_key(key)) for prefix in (b"\x06\x00", b"\x06\x01")]
        z = [draw(f"companions certificate {name} {who} z", 64) for who in ("account", "device")]
        return {
            "body": body, "account_signed_bytes": signed[0], "device_signed_bytes": signed[1], "account_z": z[0], "device_z": z[1],
            "account_signature": signs(account_key, signed[0], z[0]), "device_signature": signs(key, signed[1], z[1]),
        }

    def encoded(c, key=pub[0]):
        return encode_certificate(c["body"], key, c["account_signature"], c["device_signature"])

    for name, which, fields in (
        ("shortest id", "short", {}), ("another companion", "short", dict(device=9, index=7, key=keys[1])),
        ("highest numbers, longest id", "long", dict(account_id=long, device=2**32 - 1, index=2**32 - 2, linked_at=2**64 - 1)),
        ("the deployed form of signatures", "short", dict(signs=sign_deployed)),
    ):
        one = make(name, **fields)
        account_id, device, key = (fields.get(x, y) for x, y in (("account_id", short), ("device", 3), ("key", keys[0])))
        certificate = encoded(one, public_key(key))
        assert check_certificate(account_id, device, ikp, check_list(account_id, ikp, lists[which]), certificate) == public_key(key)
        accepted.append({
            "name": name, "account_id": account_id, "device_id": device, "list": lists[which], "identity_key": public_key(key),
            "linked_at": fields.get("linked_at", TIME)} | one | {"certificate": certificate})

    def refuse(name, certificate, why, account_id=short, device=3, listed=None):
        listed = listed or lists["short"]
        check_refused(check_certificate, account_id, device, ikp, check_list(account_id, ikp, listed), certificate)
        refused.append({"name": name, "account_id": account_id, "device_id": device, "list": listed, "certificate": certificate, "why": why})

    good = make("of which others differ")
    a, d = good["account_signature"], good["device_signature"]
    flip = lambda x: x[:40] + bytes([x[40] ^ 1]) + x[41:]
    swapped = [sign_published(who, good[over], draw(f"companions certificate swapped {i} z", 64)) for i, (who, over) in enumerate(
        ((phone, "device_signed_bytes"), (keys[0], "account_signed_bytes")))]
    for name, part, why in (
        ("the two signatures swapped", {"account_signature": d, "device_signature": a}, "each is over its own bytes by its own key"),
        ("the account's signature twice", {"device_signature": a}, "the device signs, too"),
        ("the device's signature twice", {"account_signature": d}, "the account signs, too"),
        ("the account's over the device's bytes", {"account_signature": swapped[0]}, "the prefix is another"),
        ("the device's over the account's bytes", {"device_signature": swapped[1]}, "the prefix is another"),
        ("the account's altered", {"account_signature": flip(a)}, "it does not verify"),
        ("the device's altered", {"device_signature": flip(d)}, "it does not verify"),
        ("the account's of 63 bytes", {"account_signature": a[:63]}, "64 bytes"),
        ("the body altered", {"body": certificate_body(short, 3, 1, TIME + 1, inc)}, "it is signed"),
    ):
        refuse(name, encoded(good | part), why)
    refuse("another identity key beside it", encoded(good, pub[1]), "it is signed")
    refuse("another phone's", encoded(make("of another phone", account_key=other)), "not signed by the account's key")
    for name, fields, why in (
        ("another incarnation", dict(incarnation=filler("companions incarnation 4", 16)), "both signatures verify; the list has another one"),
        ("a device that is not listed", dict(device=4), "both signatures verify"),
        ("another key index", dict(index=2), "both signatures verify; the list has another one"),
        ("another account", dict(account_id=account_of("companions certificates else", 16)), "both signatures verify"),
        ("device 0", dict(device=0), "a companion is not 0"), ("index 0", dict(index=0), "an index is not 0"),
        ("linked at 0", dict(linked_at=0), "a time is not 0"),
        ("incarnation of 15 bytes", dict(incarnation=inc[:15]), "16 bytes"),
        ("an unknown field in the body", dict(body=certificate_body(short, 3, 1, TIME, inc) + uint_field(6, 1)), "no unknown fields"),
        ("a device not of least length", dict(body=certificate_body(short, 3, 1, TIME, inc).replace(b"\x10\x03", b"\x10\x83\x00", 1)), "one encoding"),
    ):
        refuse(name, encoded(make(name, **fields)), why, device=4 if fields.get("device") == 4 else 3)
    refuse("another device was asked for", encoded(good), "both signatures verify; both are listed", device=9)
    refuse("another key than the list's", encoded(make("other key", key=keys[2]), pub[2]), "both signatures verify; the list has another one")
    refuse("no longer listed", encoded(good), "both signatures verify", listed=signed_list("without it", short, [(9, 7, pub[1])]))
    refuse("under a list of another incarnation", encoded(good), "both signatures verify", listed=signed_list(
        "other incarnation", short, [(3, 1, pub[0])], filler("companions incarnation 5", 16)))
    whole = encoded(good)
    refuse("a trailing byte", whole + b"\0", "one encoding")
    refuse("a byte cut", whole[:-1], "one encoding")
    refuse("an unknown field", whole + uint_field(5, 1), "no unknown fields")
    refuse("another version", b"\x02" + whole[1:], "version")
    refuse("a bare key", b"\x01" + bytes_field(1, good["body"]) + bytes_field(2, pub[0]) + bytes_field(3, a) + bytes_field(4, d), "33 bytes")
    refuse("too long", whole + bytes_field(5, bytes(512 - len(whole))), "at most 512 bytes")
    refuse("nothing", b"", "version")
    return {"phone": {"private": phone, "public": ikp}, "accepted": accepted, "refused": refused}


class Linking:
    """A linking into an account that has three companions: 64 bytes of id, high numbers. Each message can be made with other parts in it."""

    def __init__(self):
        take = lambda what, length: draw(f"companions second {what}", length)
        self.account_id, self.incarnation = account_of("companions second", 64), filler("companions incarnation 6", 16)
        self.phone, self.companion, self.ephemeral = take("phone identity", 32), take("companion identity", 32), take("companion ephemeral", 32)
        self.secret, self.reference = take("secret", 32), take("reference", 16)
        self.ikp, self.ikc = public_key(self.phone), public_key(self.companion)
        self.payload = b"\x01\x01" + self.ikc + public_key(self.ephemeral) + self.secret + self.reference
        self.kept = [(d, i, public_key(take(f"other companion {d}", 32))) for d, i in ((1, 37, ), (2**31, 2), (2**32 - 1, 39))]
        self.before = sign_list(self.phone, self.body_of_list(7, TIME, 40, self.kept), take("list before z", 64))
        self.ekp = take("phone ephemeral", 32)
        self.keys = link_keys(self.secret, self.payload, dh(self.ekp, public_key(self.ephemeral)), public_key(self.ekp))
        self.device_draw, self.account_z, self.nonce = take("device id", 16), take("account z", 64), take("grant nonce", 12)
        self.device = int.from_bytes(self.device_draw[:4], "big")
        self.granted_at, self.accepted_at, self.confirmed_at = NOW + 20_000, NOW + 30_000, NOW + 40_000
        self.body = certificate_body(self.account_id, self.device, 40, self.granted_at, self.incarnation)
        self.account_signed, self.device_signed = (certificate_signed(x, self.body, self.ikp, self.ikc) for x in (b"\x06\x00", b"\x06\x01"))
        self.account_signature = sign_published(self.phone, self.account_signed, self.account_z)
        self.granted = self.grant_body()
        self.grant = self.make_grant()
        self.g, self.answer_key = answer_mac_key(self.secret, self.keys["binding"], self.grant)
        self.device_z, self.spk, self.spk_z = take("device z", 64), take("signed prekey", 32), take("signed prekey z", 64)
        self.opk, self.suites_z = take("one-time prekey", 32), take("suites z", 64)
        self.device_signature = sign_published(self.companion, self.device_signed, self.device_z)
        self.bundle = self.make_bundle()
        self.confirmation = self.make_confirmation()
        self.session_draws, self.list_z = [take("session ephemeral", 32), take("first ratchet key", 32)], take("list z", 64)
        self.sync_key = take("sync key", 32)  # this phone has drawn none yet
        self.entries = sorted([*self.kept, (self.device, 40, self.ikc, b"\x01")])
        self.list = sign_list(self.phone, self.body_of_list(8, self.confirmed_at, 41, self.entries), self.list_z)
        self.acknowledgement = self.make_acknowledgement()
        self.refusals = [self.make_refusal(uint_field(2, reason)) for reason in (1, 2)]
        self.certificate = encode_certificate(self.body, self.ikc, self.account_signature, self.device_signature)
        check_certificate(self.account_id, self.device, self.ikp, check_list(self.account_id, self.ikp, self.list), self.certificate)

    def body_of_list(self, epoch, at, next_index, entries, incarnation=None, account_id=None):
        return list_body(account_id or self.account_id, incarnation or self.incarnation, epoch, at, at + WINDOW, next_index, entries)

    def grant_body(self, body=None, key=None, signature=None):
        return bytes_field(1, body or self.body) + bytes_field(2, key or enc(self.ikp)) + bytes_field(3, signature or self.account_signature)

    def seal(self, body, key=None, associated_data=None):
        data = self.keys["binding"] if associated_data is None else associated_data
        return self.nonce + AESGCM(key or self.keys["grant_key"]).encrypt(self.nonce, body, data)

    def make_grant(self, sealed=None, key=None, reference=None, ephemeral=None, more=b"", front=b"\x01\x01"):
        fields = bytes_field(1, reference or self.reference) + bytes_field(2, ephemeral or enc(public_key(self.ekp)))
        return with_mac(key or self.keys["grant_mac_key"], front + fields + bytes_field(3, sealed or self.seal(self.granted)) + more, 4)

    def make_bundle(self, signs=None, device=None, z=None):
        signs, z = signs or self.companion, z or (self.suites_z, self.spk_z)
        statement = suites_statement(self.account_id, self.device if device is None else device, self.accepted_at, b"\x01")
        spk = enc(public_key(self.spk))
        return encode_bundle(
            enc(public_key(signs)), b"\x01", self.accepted_at, sign_published(signs, statement, z[0]), spk, sign_published(signs, spk, z[1]),
            enc(public_key(self.opk)))

    def make_confirmation(self, key=None, reference=None, signature=None, bundle=None, more=b"", front=b"\x01\x02"):
        fields = bytes_field(1, reference or self.reference) + bytes_field(2, signature or self.device_signature)
        return with_mac(key or self.answer_key, front + fields + bytes_field(3, bundle or self.bundle) + more, 4)

    def make_acknowledgement(self, key=None, reference=None, signed_list=None, more=b"", front=b"\x01\x03"):
        fields = bytes_field(1, reference or self.reference) + bytes_field(2, signed_list or self.list)
        return with_mac(key or self.answer_key, front + fields + more, 3)

    def make_refusal(self, reason, key=None, reference=None, more=b"", front=b"\x01\x04"):
        return with_mac(key or self.keys["grant_mac_key"], front + bytes_field(1, reference or self.reference) + reason + more, 3)

    def check_grant(self, message):
        m = read_linking(GRANT, self.keys["grant_mac_key"], self.reference, message)
        sealed, ekp = need(m, "sealed", 28, MAX_LINKING), parse_enc(need(m, "ephemeral_key", 33))
        keys = link_keys(self.secret, self.payload, dh(self.ephemeral, ekp), ekp)
        try:
            opened = AESGCM(keys["grant_key"]).decrypt(sealed[:12], sealed[12:], keys["binding"])
        except InvalidTag:
            raise Refused("the tag does not verify") from None
        g = read_message(opened, GRANTED)
        body, phone = need(g, "certificate", 1, MAX_LINKING), parse_enc(need(g, "account_key", 33))
        read_certificate_body(body)
        refuse_if(phone == self.ikc, "the companion's own key")
        signed = certificate_signed(b"\x06\x00", body, phone, self.ikc)
        refuse_if(xeddsa_verify(phone, signed, need(g, "account_signature", 64)), "account's signature")

    def check_confirmation(self, message):
        m = read_linking(CONFIRMATION, self.answer_key, self.reference, message)
        refuse_if(xeddsa_verify(self.ikc, self.device_signed, need(m, "device_signature", 64)), "device's signature")
        identity, _, _ = check_bundle(need(m, "bundle", 1, MAX_LINKING), self.account_id, self.device)
        refuse_if(identity != self.ikc, "the bundle of another key")

    def check_acknowledgement(self, message):
        m = read_linking(ACKNOWLEDGEMENT, self.answer_key, self.reference, message)
        devices = check_list(self.account_id, self.ikp, need(m, "list", 1, MAX_DEVICE_LIST))
        refuse_if(which_list(None, devices, self.confirmed_at) != "newer", "the list does not count")
        check_certificate(self.account_id, self.device, self.ikp, devices, self.certificate)

    def check_refusal(self, message):
        m = read_linking(REFUSAL, self.keys["grant_mac_key"], self.reference, message)
        need_uint(m, "reason")


def second_linking():
    """The values, and what each side must refuse in its course."""
    l = Linking()
    take = lambda what, length: draw(f"companions second wrong {what}", length)
    other, other_z = take("key", 32), (take("z 0", 64), take("z 1", 64))
    ikp, mac, answer = l.ikp, l.keys["grant_mac_key"], l.answer_key
    flip = lambda x, at=-1: x[:at] + bytes([x[at] ^ 1]) + (x[at:][1:])
    refused = {"grants": [], "confirmations": [], "acknowledgements": [], "refusals": []}

    def refuse(into, check, *cases):
        for name, message, why in cases:
            check_refused(check, message)
            refused[into].append({"name": name, "message": message, "why": why})

    def granted(name, why, body=None, key=None, signs=None, over=b"\x06\x00", raw=None, account_key=None):
        """A grant of which only what is sealed is wrong."""
        body = body or l.body
        signature = sign_published(signs or l.phone, certificate_signed(over, body, key or ikp, l.ikc), take(f"{name} z", 64))
        raw = raw if raw is not None else l.grant_body(body, account_key or enc(key or ikp), signature)
        return name, l.make_grant(l.seal(raw)), why + "; MAC and tag verify"

    cert = lambda account_id=l.account_id, device=l.device, index=40, at=l.granted_at, inc=l.incarnation: certificate_body(account_id, device, index, at, inc)
    l.check_grant(l.grant), l.check_confirmation(l.confirmation), l.check_acknowledgement(l.acknowledgement)
    for message in l.refusals:
        l.check_refusal(message)
    low = b"\x05" + bytes(32)
    refuse(
        "grants", l.check_grant,
        ("another reference", l.make_grant(reference=flip(l.reference)), "it answers another code; the MAC verifies"),
        ("another key of the MAC", l.make_grant(key=flip(mac)), "MAC"),
        ("the answer's MAC key", l.make_grant(key=answer), "MAC"),
        ("the MAC over the fields alone", l.grant[:-32] + hmac_sha256(mac, l.grant[2:-34]), "version and kind are in it"),
        ("the MAC over its own tag too", l.grant[:-32] + hmac_sha256(mac, l.grant[:-32]), "all bytes before that field"),
        ("ephemeral key of low order", l.make_grant(ephemeral=low), "a key of low order; the MAC verifies"),
        ("another ephemeral key", l.make_grant(ephemeral=enc(public_key(other))), "the tag does not verify; the MAC does"),
        ("ephemeral key of another type", l.make_grant(ephemeral=b"\x06" + public_key(l.ekp)), "the type is 5; the MAC verifies"),
        ("sealed under another key", l.make_grant(l.seal(l.granted, key=mac)), "the tag does not verify; the MAC does"),
        ("sealed with other associated data", l.make_grant(l.seal(l.granted, associated_data=b"")), "the tag does not verify; the MAC does"),
        ("sealed, 27 bytes", l.make_grant(bytes(27)), "nonce and tag have 28; the MAC verifies"),
        ("an unknown field", l.make_grant(more=uint_field(5, 1)), "no unknown fields, and the MAC is the last; the MAC verifies"),
        ("another version", l.make_grant(front=b"\x02\x01"), "version; the MAC verifies"),
        ("of kind 5", l.make_grant(front=b"\x01\x05"), "kind; the MAC verifies"),
        ("as a confirmation", l.make_grant(front=b"\x01\x02"), "kind; the MAC verifies"),
        ("a trailing byte", l.grant + b"\0", "one encoding"),
        ("without a MAC", l.grant[:-34], "the MAC is the last field"),
        ("too long", l.grant + bytes(MAX_LINKING - len(l.grant) + 1), "at most 2,048 bytes"),
        granted("signed by another key", "not the account's signature", signs=other),
        granted("signed over the device's bytes", "the prefix is another", over=b"\x06\x01"),
        granted("the key of another phone", "the signature is not by it", signs=l.phone, key=public_key(other)),
        granted("account key of low order", "a key of low order", account_key=low),
        granted("the companion's own key", "an account's phone is another device", key=l.ikc, signs=l.companion),
        granted("device 0", "a companion is not 0", body=cert(device=0)),
        granted("index 0", "an index is not 0", body=cert(index=0)),
        granted("linked at 0", "a time is not 0", body=cert(at=0)),
        granted("account id of 15 bytes", "16 to 64", body=cert(account_id=bytes(15))),
        granted("incarnation of 17 bytes", "16", body=cert(inc=bytes(17))),
        granted("an unknown field in the body", "no unknown fields", body=l.body + uint_field(6, 1)),
        granted("an unknown field beside it", "no unknown fields", raw=l.granted + uint_field(4, 1)),
        granted("no certificate", "no field may be left out", raw=l.granted[len(bytes_field(1, l.body)):]),
        granted("nothing sealed", "no field may be left out", raw=b""),
    )
    swap = lambda x: sign_published(*x)
    refuse(
        "confirmations", l.check_confirmation,
        ("another reference", l.make_confirmation(reference=flip(l.reference)), "another linking; the MAC verifies"),
        ("the grant's MAC key", l.make_confirmation(key=mac), "MAC"),
        ("of another grant", l.make_confirmation(key=answer_mac_key(l.secret, l.keys["binding"], flip(l.grant))[1]), "the key is of the grant's bytes"),
        ("the account's signature", l.make_confirmation(signature=l.account_signature), "not the device's; the MAC verifies"),
        ("signed over the account's bytes", l.make_confirmation(signature=swap((l.companion, l.account_signed, take("over account z", 64)))),
         "the prefix is another; the MAC verifies"),
        ("signed by another key", l.make_confirmation(signature=swap((other, l.device_signed, take("by other z", 64)))), "not the device's; the MAC verifies"),
        ("a bundle of another key", l.make_confirmation(bundle=l.make_bundle(other, z=other_z)), "not the companion's; the MAC verifies"),
        ("a bundle of another device", l.make_confirmation(bundle=l.make_bundle(device=0, z=other_z)), "not that device's; the MAC verifies"),
        ("a bundle altered", l.make_confirmation(bundle=flip(l.bundle, l.bundle.index(enc(public_key(l.spk))) + 5)), "signed; the MAC verifies"),
        ("an unknown field", l.make_confirmation(more=uint_field(5, 1)), "the MAC is the last field; the MAC verifies"),
        ("another version", l.make_confirmation(front=b"\x02\x02"), "version; the MAC verifies"),
        ("as an acknowledgement", l.make_confirmation(front=b"\x01\x03"), "kind; the MAC verifies"),
        ("a trailing byte", l.confirmation + b"\0", "one encoding"),
        ("the grant itself", l.grant, "it is of the phone"),
        ("nothing", b"", "version"),
    )
    count = 0

    def listed(signs=l.phone, epoch=8, entries=l.entries, **more):
        nonlocal count
        count += 1
        return l.make_acknowledgement(signed_list=sign_list(signs, l.body_of_list(epoch, l.confirmed_at, 41, entries, **more), take(f"list {count} z", 64)))

    dated = lambda at: l.make_acknowledgement(signed_list=sign_list(l.phone, l.body_of_list(8, at, 41, l.entries), take(f"list of {at} z", 64)))

    refuse(
        "acknowledgements", l.check_acknowledgement,
        ("another reference", l.make_acknowledgement(reference=flip(l.reference)), "another linking; the MAC verifies"),
        ("the grant's MAC key", l.make_acknowledgement(key=mac), "MAC"),
        ("another version", l.make_acknowledgement(front=b"\x02\x03"), "version; the MAC verifies"),
        ("as a refusal", l.make_acknowledgement(front=b"\x01\x04"), "kind; the MAC verifies"),
        ("an unknown field", l.make_acknowledgement(more=uint_field(4, 1)), "the MAC is the last field; the MAC verifies"),
        ("a trailing byte", l.acknowledgement + b"\0", "one encoding"),
        ("the list before", l.make_acknowledgement(signed_list=l.before), "it does not name the companion; the MAC verifies"),
        ("a list signed by another key", listed(signs=other), "not the account's; the MAC verifies"),
        ("a list without it", listed(entries=l.kept), "it does not name the companion; the MAC verifies"),
        ("under another index", listed(entries=[(d, 38 if d == l.device else i, k) for d, i, k, *_ in l.entries]), "not the certificate's; the MAC verifies"),
        ("with another key", listed(entries=[(d, i, public_key(other) if d == l.device else k) for d, i, k, *_ in l.entries]),
         "not the companion's; the MAC verifies"),
        ("of another incarnation", listed(incarnation=filler("companions incarnation 7", 16)), "not the certificate's; the MAC verifies"),
        ("of another account", listed(account_id=account_of("companions second else", 64)), "not the certificate's; the MAC verifies"),
        ("past its time", dated(l.confirmed_at - WINDOW - TOLERANCE - 1), "rule 6; the MAC verifies"),
        ("issued too far ahead", dated(l.confirmed_at + TOLERANCE + 1), "rule 1; the MAC verifies"),
        ("the grant again", l.grant, "out of order"),
    )
    refuse(
        "refusals", l.check_refusal,
        ("another reference", l.make_refusal(uint_field(2, 1), reference=flip(l.reference)), "another linking; the MAC verifies"),
        ("the answer's MAC key", l.make_refusal(uint_field(2, 1), key=answer), "MAC"),
        ("reason 0", l.make_refusal(b""), "a reason is not 0; the MAC verifies"),
        ("reason 0, written out", l.make_refusal(b"\x10\x00"), "a uint that is 0 is left out; the MAC verifies"),
        ("reason not of least length", l.make_refusal(b"\x10\x81\x00"), "one encoding; the MAC verifies"),
        ("reason of 2^32", l.make_refusal(uint_field(2, 2**32)), "a uint32; the MAC verifies"),
        ("another version", l.make_refusal(uint_field(2, 1), front=b"\x02\x04"), "version; the MAC verifies"),
        ("an unknown field", l.make_refusal(uint_field(2, 1), more=uint_field(4, 1)), "the MAC is the last field; the MAC verifies"),
        ("a trailing byte", l.refusals[0] + b"\0", "one encoding"),
    )
    for message, check in ((l.grant, l.check_grant), (l.confirmation, l.check_confirmation), (l.acknowledgement, l.check_acknowledgement)):
        for bit in range(8 * len(message)):
            if bit % 61 == 0 or bit >= 8 * len(message) - 256:
                check_refused(check, message[:bit // 8] + bytes([message[bit // 8] ^ 1 << bit % 8]) + message[bit // 8 + 1:])
    digest = list_digest(l.account_id, l.incarnation, ikp, l.entries)
    return {
        "account_id": l.account_id, "time": NOW, "phone_private": l.phone, "phone_public": ikp, "before": l.before,
        "show": {"draws": [l.companion, l.ephemeral, l.secret, l.reference], "payload": l.payload,
                 "code": "outrigger-link:" + base64.urlsafe_b64encode(l.payload).decode().rstrip("=")},
        "scan": {"draws": [l.ekp], "ephemeral_public": public_key(l.ekp)} | l.keys,
        "grant": {"time": l.granted_at, "draws": [l.device_draw, l.account_z, l.nonce], "device_id": l.device, "certificate_body": l.body,
                  "signed_bytes": l.account_signed, "account_signature": l.account_signature, "sealed_body": l.granted, "message": l.grant},
        "confirm": {"time": l.accepted_at, "draws": [l.device_z, l.spk, l.spk_z, l.opk, l.suites_z], "signed_bytes": l.device_signed,
                    "device_signature": l.device_signature, "grant_digest": l.g, "mac_key": answer, "bundle": l.bundle, "message": l.confirmation},
        "list": {"time": l.confirmed_at, "draws": [*l.session_draws, l.list_z, l.sync_key], "list": l.list, "digest": digest, "acknowledgement": l.acknowledgement},
        "certificate": l.certificate, "refusals": [{"reason": i + 1, "message": m} for i, m in enumerate(l.refusals)], "refused": refused,
    }


ALPHABET = "123456789ABCDEFGHJKLMNPQRSTVWXYZ"
OFFER, CODE_ANSWER, INVITATION = 5, 6, 7


def read_code(code):
    """The parts of a link code, of either role."""
    scheme, text = code[:15], code[15:]
    refuse_if(scheme != "outrigger-link:", "scheme")
    refuse_if(re.fullmatch("[A-Za-z0-9_-]*", text) is None or len(text) % 4 == 1, "base64url without padding")
    payload = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    refuse_if(base64.urlsafe_b64encode(payload).decode().rstrip("=") != text, "one encoding")
    if payload[:1] != b"\x01" and len(payload) > 1:
        raise Refused("version", "version")
    refuse_if(payload[1:2] not in (b"\x01", b"\x02"), "role")
    refuse_if(len(payload) != 114, "114 bytes")
    for at in (2, 34):
        parse_enc(b"\x05" + payload[at:at + 32])
    return payload


def link_codes():
    """Codes of both roles, as a phone reads them, and what is none."""
    phone, ekp = draw("companions codes phone identity", 32), draw("companions codes phone ephemeral", 32)
    accepted, refused = [], []

    @functools.cache
    def shown(name):
        private, ephemeral, secret = (draw(f"companions codes {name} {x}", 32) for x in ("identity", "ephemeral", "secret"))
        return private, ephemeral, secret, draw(f"companions codes {name} reference", 16)

    def payload_of(role, private, ephemeral, secret, reference, version=1):
        return bytes([version, role]) + public_key(private) + public_key(ephemeral) + secret + reference

    def to_code(payload):
        return "outrigger-link:" + base64.urlsafe_b64encode(payload).decode().rstrip("=")

    # The same values under both roles: the role is in the binding, and with it in all that follows.
    for name, of, role in (("a companion's", "one", 1), ("a desktop's, of the same values", "one", 2), ("a desktop's", "two", 2)):
        values = shown(of)
        private, ephemeral, secret, reference = values
        payload = payload_of(role, *values)
        assert read_code(to_code(payload)) == payload
        keys = link_keys(secret, payload, dh(ekp, public_key(ephemeral)), public_key(ekp))
        refusal = with_mac(keys["grant_mac_key"], b"\x01\x04" + bytes_field(1, reference) + uint_field(2, 1), 3)
        accepted.append({
            "name": name, "role": role, "draws": list(values), "code": to_code(payload), "identity_key": public_key(private), "reference": reference,
            "scan_draws": [ekp], "binding": keys["binding"], "comparison_code": keys["comparison_code"], "refusal": refusal,
        })
    assert len({x["comparison_code"] for x in accepted}) == len({x["refusal"] for x in accepted}) == 3

    values = shown("two")
    good, low = payload_of(2, *values), bytes(32)
    for name, code, why in (
        *((f"role {role:#04x}", to_code(payload_of(role, *values)), "role") for role in (0, 3, 0x7f, 0x81, 0xff)),
        *((f"version {version:#04x}, role {role:#04x}", to_code(payload_of(role, *values, version)), "version") for version in (0, 2) for role in (2, 3)),
        ("a byte less", to_code(good[:-1]), "114 bytes"), ("a byte more", to_code(good + b"\0"), "114 bytes"), ("version and role alone", to_code(good[:2]), "114 bytes"),
        ("the version alone", to_code(good[:1]), "role"), ("nothing", to_code(b""), "role"),
        ("an identity key of low order", to_code(good[:2] + low + good[34:]), "low order"),
        ("an ephemeral key of low order", to_code(good[:34] + low + good[66:]), "low order"),
        ("padding", to_code(good) + "=", "base64url without padding"), ("a character more", to_code(good) + "A", "base64url without padding"),
        ("another scheme", to_code(good).upper()[:15] + to_code(good)[15:], "scheme"), ("another name", "outrigger-desk:" + to_code(good)[15:], "scheme"),
    ):
        try:
            read_code(code)
            raise AssertionError(name)
        except Refused as e:
            kind = e.kind
        assert (kind == "version") == (why == "version"), name
        refused.append({"name": name, "code": code, "expect": kind, "why": why})
    return {
        "account_id": account_of("companions codes", 16), "time": NOW, "phone_private": phone, "phone_public": public_key(phone),
        "accepted": accepted, "refused": refused,
    }


def code_linking():
    """A linking by a typed code, up to the question to the user; what follows is as after a scan."""
    take = lambda what, length: draw(f"companions code {what}", length)
    account_id, phone = account_of("companions code", 64), take("phone identity", 32)
    companion, ephemeral, secret, reference = take("companion identity", 32), take("companion ephemeral", 32), take("secret", 32), take("reference", 16)
    code_draw, a_draw, b_draw = take("characters", 16), take("companion scalar", 64), take("phone scalar", 64)
    characters = "".join(ALPHABET[x & 31] for x in code_draw[:8])
    ci = b"outrigger v1 code channel"
    g = cpace_generator(characters.encode(), ci, reference)
    a, b = from_le(a_draw) % Q, from_le(b_draw) % Q
    ya, yb = (ristretto_encode(multiply(x, g)) for x in (a, b))
    k = cpace_shared(a, yb)
    assert k == cpace_shared(b, ya)
    isk = cpace_isk(reference, k, ya, b"", yb, b"")
    keys = hkdf(bytes(32), isk, b"outrigger v1 code keys", 64)
    proof, seal_key = keys[:32], keys[32:]
    front = lambda kind: b"\x01" + bytes([kind]) + bytes_field(1, reference)
    offer = front(OFFER) + bytes_field(2, ya)
    answer = lambda share=yb, key=proof: with_mac(key, front(CODE_ANSWER) + bytes_field(2, share), 3)
    payload = b"\x01\x01" + public_key(companion) + public_key(ephemeral) + secret + reference
    nonce, ekp = take("invitation nonce", 12), take("phone ephemeral", 32)
    sealed = lambda text=payload, key=seal_key, data=reference: nonce + AESGCM(key).encrypt(nonce, text, data)
    invitation = lambda box=None: front(INVITATION) + bytes_field(2, box or sealed())
    linking_keys = link_keys(secret, payload, dh(ekp, public_key(ephemeral)), public_key(ekp))

    flip = lambda x: x[:-1] + bytes([x[-1] ^ 1])
    other = bytes(range(16))
    wrong = ristretto_encode(multiply(b, cpace_generator(b"22222222", ci, reference)))
    low = [le(0), le(1), le(P - 1), le(P), b"\xff" * 32]
    spent = [
        ("another MAC key", answer(key=seal_key), "MAC"), ("a bit of the MAC", flip(answer()), "MAC"),
        ("of another code", answer(wrong), "its own MAC does not verify under the keys of this one"),
        ("another share under the right MAC key", answer(ya), "the keys follow from both shares"),
        *((f"share {share.hex()[:4]}..{share.hex()[-2:]}", answer(share), "no element, or the neutral one") for share in low),
    ]
    refused = {
        "offers": [
            ("share of zeros", front(OFFER) + bytes_field(2, bytes(32)), "the neutral element"),
            ("share of p", front(OFFER) + bytes_field(2, le(P)), "no element"), ("share of 31 bytes", front(OFFER) + bytes_field(2, ya[:31]), "32 bytes"),
            ("a MAC", offer + bytes_field(3, bytes(32)), "no unknown fields"), ("a trailing byte", offer + b"\0", "one encoding"),
            ("as an answer", b"\x01\x06" + offer[2:], "kind"), ("another version", b"\x02" + offer[1:], "version"),
            ("reference of 15 bytes", b"\x01\x05" + bytes_field(1, reference[:15]) + bytes_field(2, ya), "16 bytes"),
        ],
        "answers": [
            ("another reference", with_mac(proof, b"\x01\x06" + bytes_field(1, other) + bytes_field(2, yb), 3), "another linking"),
            ("share of 31 bytes", answer(yb[:31]), "32 bytes"), ("an offer", offer, "it is of the companion"),
            ("a trailing byte", answer() + b"\0", "one encoding"), ("without a MAC", answer()[:-34], "the MAC is the last field"),
            ("an unknown field", with_mac(proof, front(CODE_ANSWER) + bytes_field(2, yb) + uint_field(4, 1), 3), "the MAC is the last field"),
        ],
        "invitations": [
            ("another reference", b"\x01\x07" + bytes_field(1, other) + bytes_field(2, sealed(data=other)), "another linking"),
            ("another key", invitation(sealed(key=proof)), "the tag does not verify"), ("a bit", flip(invitation()), "the tag does not verify"),
            ("other associated data", invitation(sealed(data=b"")), "the tag does not verify"),
            ("a desktop's payload", invitation(sealed(payload[:1] + b"\x02" + payload[2:])), "a desktop's code is not typed; the tag verifies"),
            *((f"role {x} of the payload", invitation(sealed(payload[:1] + bytes([x]) + payload[2:])), "role; the tag verifies") for x in (0, 3)),
            ("another version of the payload", invitation(sealed(b"\x02" + payload[1:])), "version; the tag verifies"),
            ("a byte more", invitation(sealed(payload + b"\0")), "114 bytes; the tag verifies"), ("a byte less", invitation(sealed(payload[:-1])), "114 bytes; the tag verifies"),
            ("keys of low order", invitation(sealed(payload[:2] + bytes(64) + payload[66:])), "keys are not of low order; the tag verifies"),
            ("another reference in the payload", invitation(sealed(payload[:-16] + other)), "the linking's; the tag verifies"),
            ("27 bytes", invitation(bytes(27)), "nonce and tag have 28"), ("a trailing byte", invitation() + b"\0", "one encoding"),
        ],
    }
    return {
        "account_id": account_id, "time": NOW, "phone_private": phone, "phone_public": public_key(phone),
        "show": {"draws": [companion, ephemeral, secret, reference, code_draw, a_draw], "characters": characters,
                 "generator_string": cpace_generator_string(characters.encode(), ci, reference), "generator": ristretto_encode(g), "ya": ya, "offer": offer},
        "enter": {"draws": [b_draw], "yb": yb, "k": k, "isk": isk, "proof_key": proof, "seal_key": seal_key, "answer": answer()},
        "invite": {"draws": [nonce], "payload": payload, "invitation": invitation()},
        "take": {"draws": [ekp], "comparison_code": linking_keys["comparison_code"]},
        "spent": [{"name": n, "message": m, "why": w} for n, m, w in spent],
        "refused": {what: [{"name": n, "message": m, "why": w} for n, m, w in cases] for what, cases in refused.items()},
    }


FRAME_SHAPE = {1: ("number", 0), 2: ("after", 0), 3: ("facts", 2, "repeated"), 4: ("sync_keys", 2, "repeated")}
FACT = {1: ("account_id", 2), 2: ("identity_key", 2), 3: ("verified", 0), 4: ("offered", 2), 5: ("list", 2)}
SYNC_KEY = {1: ("epoch", 0), 2: ("key", 2)}
MAX_FACTS = 64


def read_frame(data):
    m = read_message(data, FRAME_SHAPE)
    number, after = need_uint(m, "number", 64), m.get("after", 0)
    refuse_if(after >= number, "after is below number")
    refuse_if(len(m.get("facts", [])) > MAX_FACTS, "too many facts")
    facts, keys = [], []
    for raw in m.get("facts", []):
        f = read_message(raw, FACT)
        need(f, "account_id", 16, 64), parse_enc(need(f, "identity_key", 33))
        refuse_if("verified" in f and f["verified"] != 1, "a bool is 0 or 1")
        refuse_if("offered" in f and len(parse_enc(need(f, "offered", 33))) != 32, "offered")
        refuse_if(len(f.get("list", b"")) > MAX_DEVICE_LIST, "list too long")
        facts.append(f)
    refuse_if(len({f["account_id"] for f in facts}) < len(facts), "an account twice")
    for raw in m.get("sync_keys", []):
        k = read_message(raw, SYNC_KEY)
        need(k, "key", 32)
        keys.append((k.get("epoch", 0), k["key"]))
    return number, after, facts, keys


def supply(linking):
    """What the phone of the linking tells its companion, in order; and a history."""
    own = linking["account_id"]
    keys = {x: draw(f"companions supply {x} identity", 32) for x in "xyzw"}
    pub = {x: public_key(k) for x, k in keys.items()}
    ids = {"x": account_of("companions supply x", 16), "y": account_of("companions supply y", 64), "z": account_of("companions supply z", 33)}
    inc = filler("companions supply incarnation", 16)
    companion = public_key(draw("companions supply companion", 32))

    def listed(epoch, entries):
        body = list_body(ids["x"], inc, epoch, TIME, TIME + WINDOW, 9, entries)
        return sign_list(keys["x"], body, draw(f"companions supply list {epoch} z", 64))

    def fact(who, key=None, verified=0, offered=None, signed=None, more=b""):
        out = bytes_field(1, ids[who]) + bytes_field(2, enc(pub[key or who])) + (uint_field(3, verified) if verified else b"")
        return out + (bytes_field(4, offered) if offered else b"") + (bytes_field(5, signed) if signed else b"") + more

    def frame(number, after, facts=(), sync=(), more=b""):
        out = uint_field(1, number) + (uint_field(2, after) if after else b"")
        return out + b"".join(bytes_field(3, f) for f in facts) + b"".join(bytes_field(4, uint_field(1, e) + bytes_field(2, k)) for e, k in sync) + more

    sync = [(e, draw(f"companions supply key {e}", 32)) for e in (4, 9)]
    first, second = listed(2, [(3, 1, companion)]), listed(5, [])
    taken, steps = 0, []
    book = {}

    def step(name, data, outcome, **told):
        """`outcome` by what the page says, checked here."""
        nonlocal taken
        number, after, facts, _ = read_frame(data)
        found = "gap" if after > taken else "again" if number <= taken else "taken"
        assert found == outcome, (name, found)
        told_of = []
        if found == "taken":
            taken = number
            for f in facts:
                key = parse_enc(f["identity_key"])
                trust = "changed" if "offered" in f else "verified" if "verified" in f else "pinned"
                if f["account_id"] == own:
                    continue
                known = book.get(f["account_id"], {"key": key, "epoch": None})
                changed = known["key"] != key
                epoch = None if changed else known["epoch"]
                if "list" in f:
                    try:
                        devices = check_list(f["account_id"], key, f["list"])
                        epoch = devices["epoch"] if epoch is None or devices["epoch"] > epoch else epoch
                    except Refused:
                        pass
                book[f["account_id"]] = {"key": key, "epoch": epoch}
                told_of.append({"account_id": f["account_id"], "identity_key": key, "trust": trust, "key_changed": changed, "list_epoch": epoch})
        steps.append({"name": name, "frame": data, "outcome": outcome, "taken": taken, "told": told_of})

    step("after what was not taken", frame(9, 7), "gap")
    start = frame(5, 0, [fact("x", signed=first), fact("y", verified=1)], sync[:1])
    step("the first", start, "taken")
    step("the first again", start, "again")
    step("an earlier one", frame(4, 0, [fact("z")]), "again")
    step("none of it is new", frame(5, 4, [fact("z")]), "again")
    step("numbers left out, an earlier after, another key offered", frame(2**33, 3, [fact("z", offered=enc(pub["w"]))], sync), "taken")
    step("after what is above", frame(2**33 + 2, 2**33 + 1, [fact("x")]), "gap")
    step("a later list", frame(2**33 + 1, 2**33, [fact("x", signed=second)]), "taken")
    step("an earlier list is ignored", frame(2**33 + 2, 2**33 + 1, [fact("x", signed=first)]), "taken")
    step("a list of another key is ignored", frame(2**33 + 3, 2**33 + 2, [fact("y", key="w", signed=second)]), "taken")
    step("the change is decided", frame(2**33 + 4, 5, [fact("z", key="w", verified=1)]), "taken")
    step("of the own account", frame(2**33 + 5, 5, [bytes_field(1, own) + bytes_field(2, enc(pub["w"]))]), "taken")
    step("nothing", frame(2**63, 5), "taken")
    step("the highest number", frame(2**64 - 1, 2**64 - 2, [fact("y", key="w")]), "gap")

    refused = []
    many = [bytes_field(1, account_of(f"companions supply {i}", 16)) + bytes_field(2, enc(pub["x"])) for i in range(65)]
    full = frame(2**63 + 1, 5, many[:64])
    read_frame(full)
    bad_key = lambda key: frame(2**63 + 1, 5, more=bytes_field(4, uint_field(1, 12) + key))
    for name, data, why in (
        ("after is number", frame(7, 7), "after is below number"), ("after is above number", frame(7, 8), "after is below number"),
        ("number 0", frame(0, 0), "not 0"), ("nothing", b"", "a number"), ("65 facts", frame(2**63 + 1, 5, many), "at most 64"),
        ("an account twice", frame(2**63 + 1, 5, [fact("x"), fact("y"), fact("x", verified=1)]), "none twice"),
        ("an account id of 15 bytes", frame(2**63 + 1, 5, [bytes_field(1, bytes(15)) + bytes_field(2, enc(pub["x"]))]), "16 to 64"),
        ("a bare key", frame(2**63 + 1, 5, [bytes_field(1, ids["x"]) + bytes_field(2, pub["x"])]), "33 bytes"),
        ("a key of low order", frame(2**63 + 1, 5, [bytes_field(1, ids["x"]) + bytes_field(2, b"\x05" + bytes(32))]), "no key of low order"),
        ("no key", frame(2**63 + 1, 5, [bytes_field(1, ids["x"])]), "no field may be left out"),
        ("verified, as 2", frame(2**63 + 1, 5, [fact("x", verified=2)]), "a bool is 0 or 1"),
        ("offered, 32 bytes", frame(2**63 + 1, 5, [fact("x", offered=pub["w"])]), "33 bytes"),
        ("a list of 1,025 bytes", frame(2**63 + 1, 5, [fact("x", signed=bytes(1025))]), "at most 1,024 bytes"),
        ("an unknown field in a fact", frame(2**63 + 1, 5, [fact("x", more=uint_field(6, 1))]), "no unknown fields"),
        ("fields of a fact swapped", frame(2**63 + 1, 5, [bytes_field(2, enc(pub["x"])) + bytes_field(1, ids["x"])]), "fields ascend"),
        ("an unknown field", frame(2**63 + 1, 5, more=uint_field(5, 1)), "no unknown fields"), ("a trailing byte", frame(2**63 + 1, 5) + b"\0", "one encoding"),
        ("keys in front of facts", frame(2**63 + 1, 5, (), sync) + bytes_field(3, fact("x")), "fields ascend"),
        ("a key of 31 bytes", bad_key(bytes_field(2, bytes(31))), "32 bytes"), ("a key of 33 bytes", bad_key(bytes_field(2, bytes(33))), "32 bytes"),
        ("no sync key", bad_key(b""), "no field may be left out"), ("an unknown field of a key", bad_key(bytes_field(2, bytes(32)) + uint_field(3, 1)), "no unknown fields"),
    ):
        check_refused(read_frame, data)
        refused.append({"name": name, "frame": data, "why": why})

    def synced(epoch, key):
        salt, nonce = draw(f"companions supply salt {epoch}", 32), draw(f"companions supply nonce {epoch}", 12)
        front = b"\x01" + u32be(epoch) + salt
        return front + nonce + AESGCM(hkdf(salt, key, b"outrigger v1 synced", 32)).encrypt(nonce, b"for the account", front + b"bound")

    history, chunks = linking["history"]["id"], linking["history"]["chunks"]
    key, digests = chunks[0]["draws"][0], [c["digest"] for c in chunks]
    manifest = lambda i=history, k=key, d=digests, more=b"": bytes_field(1, i) + bytes_field(2, k) + bytes_field(3, b"".join(d)) + more
    manifests = [
        ("another id", manifest(bytes(range(16))), "not asked for"), ("an id of 15 bytes", manifest(history[:15]), "16 bytes"), ("a key of 31 bytes", manifest(k=key[:31]), "32 bytes"),
        ("a digest of 15 bytes", manifest(d=[digests[0], digests[1][:15]]), "16 bytes each"), ("1,025 chunks", manifest(d=[digests[0]] * 1025), "at most 1,024"),
        ("an unknown field", manifest(more=uint_field(4, 1)), "no unknown fields"), ("a trailing byte", manifest(more=b"\0"), "one encoding"), ("nothing", b"", "no field may be left out"),
    ]
    return {
        "steps": steps, "refused": refused, "full": full,
        "synced": [{"epoch": e, "sealed": synced(e, k)} for e, k in sync] + [{"epoch": 7, "sealed": synced(7, draw("companions supply unknown key", 32)), "unknown": True}],
        "ask_draws": [history, draw("companions supply ratchet key", 32), draw("companions supply ask nonce", 12)],
        "manifest": manifest(), "refused_manifests": [{"name": n, "manifest": m, "why": w} for n, m, w in manifests],
    }


VIEWS = ("same", "receiver behind", "sender behind", "two lists")


def seen(told, own):
    """How the receiver stands to what a stamp says of an account. `own` is (epoch, digest), or None."""
    told, own = (told["epoch"], told["digest"]), own or (0, bytes(16))
    return VIEWS[0 if told == own else 3 if told[0] == own[0] else 1 if told[0] > own[0] else 2]


def contents():
    """What is sealed for each kind, stamp and heading; b is a phone, c its companion, a the phone of another account, which d knows without its list."""
    theirs, ours = account_of("companions contents a", 16), account_of("companions contents b", 64)
    b, d = Device("companions contents b", ours, 0, TIME, 0), Device("companions contents d", account_of("companions contents d", 20), 0, TIME, 0)
    private = {x: draw(f"companions contents {x} identity", 32) for x in "ac"}
    pub = {x: public_key(k) for x, k in private.items()} | {"b": b.public}
    sender = {"a": (theirs, 0), "c": (ours, 9)}
    to = {"b": b, "d": d}
    lists, steps = {}, []
    for x, account_id, epoch, key, entries in (
        ("a", theirs, 3, private["a"], [(17, 1, public_key(draw("companions contents other", 32)))]), ("b", ours, 5, b.identity, [(9, 6, pub["c"])]),
    ):
        inc = filler(f"companions contents incarnation {x}", 16)
        body = list_body(account_id, inc, epoch, TIME, TIME + WINDOW, 8, entries)
        signed = sign_list(key, body, draw(f"companions contents list {x} z", 64))
        check_list(account_id, pub[x], signed)
        lists[x] = (epoch, list_digest(account_id, inc, pub[x], entries)), signed
    ways = {}

    def learn(at, whose):
        steps.append({"op": "learn", "by": at, "account_id": theirs if whose == "a" else ours, "list": lists[whose][1]})

    def one(name, by, of, content, expect="opens", why=None):
        if (by, of) not in ways:
            ways[by, of] = ByHand(f"companions contents {by}{of}", to[of], private[by], addr(*sender[by]))
        envelope = ways[by, of].envelope(content)
        step = {"op": "receive", "name": name, "by": of, "from": by, "content": content, "envelope": envelope, "associated_data": b"data", "expect": expect}
        try:
            out = split_content(content, sender[by][0] == to[of].account, sender[by][1], 0)
            result, views = "opens", None
        except Refused as e:
            out, result = None, e.kind
        assert result == expect, (name, result)
        if out:
            known = {"d": (None, None), "b": (lists["a" if by == "a" else "b"][0], lists["b"][0])}[of]
            views = [seen(out["stamp"][x], k) for x, k in zip(("sender", "recipient"), known)] if out["stamp"] else None
            step |= {"message_id": out.pop("first") or message_id(envelope), "views": views} | out
        steps.append(step | ({"why": why} if why else {}))

    la, lb = lists["a"][0], lists["b"][0]
    shared = filler("companions shared id", 16)
    count = 0

    def fresh():
        nonlocal count
        count += 1
        return filler(f"companions contents message id {count}", 16)

    other = filler("companions contents another digest", 16)
    stamps = {
        "both lists": (la, lb), "both lists, one left out": (la, lb, [9]), "both lists, five left out": (la, lb, [0, 9, 2**31, 2**32 - 2, 2**32 - 1]),
        "newer of its own": ((4, other), lb), "older of its own": ((2, other), lb), "another of its own": ((3, other), lb),
        "newer of the recipient": (la, (6, other)), "older of the recipient": (la, (4, other)), "another of the recipient": (la, (5, other)),
        "none of its own": (None, lb), "none of the recipient": (la, None), "none": (None, None), "highest": ((2**32 - 1, other), (2**32 - 1, other)),
    }
    headings = {
        "to the account": bytes([TO_ACCOUNT]) + shared, "own copy, shortest id": bytes([OWN_COPY]) + shared + b"\x10" + theirs,
        "own copy, longest id": bytes([OWN_COPY]) + shared + b"\x40" + ours, "taken": bytes([TAKEN]) + u64be(0),
        "asks for history": bytes([ASKS_HISTORY]) + filler("companions contents history", 16) + u64be(NOW), "leaves": bytes([LEAVES]),
    }
    frames = {"frame": bytes([FRAME]), "manifest": bytes([MANIFEST])}
    relay = bytes([RELAY])
    foreign = [x for x in headings if x != "to the account"]
    names = {MESSAGE: "message", AGAIN: "again", LOST: "lost", NAMED: "named"}

    learn("b", "b")
    one("the first of a", "a", "b", b"\x01hello")
    learn("b", "a")
    for name, stamp in stamps.items():
        for kind in (MESSAGE, AGAIN, LOST, NAMED):
            first = None if kind == MESSAGE else fresh()
            one(f"{names[kind]}, {name}", "a", "b", encode_content(kind, False, first, b"" if kind == LOST else b"text", encode_stamp(*stamp)))
    for name, kind, recovered, stamp, text in (
        ("no stamp", MESSAGE, False, b"", b"text"), ("no stamp, no text", MESSAGE, False, b"", b""), ("no stamp, again", AGAIN, False, b"", b"text"),
        ("stamp", MESSAGE, False, encode_stamp(la, lb), b"text"), ("stamp, no text", MESSAGE, False, encode_stamp(la, lb), b""),
        ("stamp, again", AGAIN, False, encode_stamp(la, lb), b"text"), ("recovered", MESSAGE, True, encode_stamp(la, lb), b"text"),
        ("recovered, again", AGAIN, True, encode_stamp(la, lb), b"text"),
        ("no stamp, named", NAMED, False, b"", b"text"), ("no stamp, named, no text", NAMED, False, b"", b""),
        ("stamp, named", NAMED, False, encode_stamp(la, lb), b"text"), ("recovered, named", NAMED, True, encode_stamp(la, lb), b"text"),
    ):
        first = None if kind == MESSAGE else fresh()
        one(f"to the account, {name}", "a", "b", encode_content(kind, recovered, first, text, stamp, headings["to the account"]))
    one("a list, where there is none", "a", "d", encode_content(MESSAGE, False, None, b"text", encode_stamp(la, None)))
    one("no list, where there is none", "a", "d", encode_content(MESSAGE, False, None, b"text", encode_stamp(None, None)))
    one("lists of both, where there are none", "a", "d", encode_content(MESSAGE, False, None, b"text", encode_stamp(la, lb, [17])))

    own = encode_stamp(lb, lb)
    for name in foreign:
        no_text = headings[name][0] in (LEAVES, TAKEN, ASKS_HISTORY)
        for stamp in (b"", own):
            content = encode_content(MESSAGE, False, None, b"" if no_text else b"text", stamp, headings[name])
            one(f"{name}, from another account{', stamped' * bool(stamp)}", "a", "b", content, "not of own account")
    for name, front in frames.items():
        one(f"{name}, from another account", "a", "b", encode_content(MESSAGE, False, None, b"", b"", front), "not of own account")
        one(f"{name}, from the own companion", "c", "b", encode_content(MESSAGE, False, None, b"", b"", front), "not of own account")

    # A frame of the relay is no message: anybody may say it, and only the relay takes it.
    for by, of, said in (("a", "b", encode_stamp(la, lb)), ("c", "b", own), ("a", "d", encode_stamp(la, None))):
        for stamp in (b"", said):
            for kind in (MESSAGE, AGAIN, NAMED):
                for text in (b"", b"text"):
                    first = None if kind == MESSAGE else fresh()
                    what = f"a frame of the relay, {names[kind]}, {by} to {of}{', stamped' * bool(stamp)}{', no text' * (not text)}"
                    one(what, by, of, encode_content(kind, False, first, text, stamp, relay), "frame")
    one("a frame of the relay, recovered", "a", "b", encode_content(MESSAGE, True, None, b"text", b"", relay), "frame")

    stamp, to_account = encode_stamp(la, lb), headings["to the account"]
    short = lambda name, content, why="body too short": one(name, "a", "b", content, "refused", why + "; the tag verifies")
    for cut in (0, 3, 4, 19, 20, 23, 24, 39, 40):
        short(f"a stamp of {cut} bytes", b"\x41" + stamp[:cut])
    five = encode_stamp(la, lb, [1, 2, 3, 4, 5])
    short("six left out", b"\x41" + encode_stamp(la, lb, range(1, 7)) + b"text", "at most five")
    short("255 left out", b"\x41" + stamp[:40] + b"\xff" + bytes(4 * 255), "at most five")
    for name, devices in (("twice", [9, 9]), ("not ascending", [9, 3])):
        short(f"left out, {name}", b"\x41" + encode_stamp(la, lb, devices) + b"text", "strictly ascending")
    for cut in (1, 4, 19):
        short(f"five left out, {cut} bytes cut", b"\x41" + five[:-cut])
    short("again, a stamp cut", b"\x42" + fresh() + stamp[:-1])
    short("again, a message id cut", b"\x42" + fresh()[:15])
    short("named, a stamp cut", b"\x44" + fresh() + stamp[:-1])
    short("named, a message id cut", b"\x44" + fresh()[:15])
    short("named, no heading", b"\x24" + fresh())
    short("named, an id cut in front of a heading", b"\x24" + fresh()[:14] + relay)
    short("lost, a stamp cut", b"\x43" + fresh() + stamp[:-1])
    short("lost, a stamp and a byte", b"\x43" + fresh() + stamp + b"x", "body too long")
    short("lost, a stamp announced only", b"\x43" + fresh())
    short("lost, a heading", b"\x23" + fresh() + to_account, "kind 0x03 has no heading")
    short("lost, a stamp and a heading", b"\x63" + fresh() + stamp + to_account, "kind 0x03 has no heading")
    short("lost, a frame of the relay", b"\x23" + fresh() + relay, "kind 0x03 has no heading")
    short("lost, a heading announced only", b"\x23" + fresh(), "kind 0x03 has no heading")
    short("no heading", b"\x21")
    short("a stamp, no heading", b"\x61" + stamp)
    for kind in (0, 9, 0x7f, 0x80, 0xff):
        short(f"heading {kind:#04x}", b"\x21" + bytes([kind]) + bytes(40), "heading")
    for cut in (0, 15):
        short(f"to the account, {cut} bytes of a shared id", b"\x21" + to_account[:1 + cut])
    short("heading in front of the stamp", b"\x61" + to_account + stamp, "heading, where the epoch's bytes are read")
    for bits in (0x20, 0x40, 0x60, 0xe0):
        for kind in (0, 5, 0x10, 0x11, 0x1f):
            short(f"kind {bits | kind:#04x}", bytes([bits | kind]) + stamp + to_account + bytes(16), "kind")

    wrong = lambda name, content, why="body too short": one(name, "c", "b", content, "refused", why + "; the tag verifies")
    one("the first of c", "c", "b", b"\x01hello")
    wrong("own copy, no length", b"\x21" + bytes([OWN_COPY]) + shared)
    wrong("own copy, the id cut", b"\x21" + bytes([OWN_COPY]) + shared + b"\x10" + theirs[:15])
    wrong("own copy, an id of 15 bytes", b"\x21" + bytes([OWN_COPY]) + shared + b"\x0f" + theirs[:15], "16 to 64")
    wrong("own copy, an id of 65 bytes", b"\x21" + bytes([OWN_COPY]) + shared + b"\x41" + ours + b"x", "16 to 64")
    wrong("own copy, an id of no bytes", b"\x21" + bytes([OWN_COPY]) + shared + b"\0", "16 to 64")
    wrong("named, own copy, no length", b"\x24" + fresh() + bytes([OWN_COPY]) + shared)
    wrong("named, taken, and says more", b"\x24" + fresh() + headings["taken"] + b"x", "body too long")
    wrong("leaves, and says more", b"\x21" + bytes([LEAVES]) + b"x", "body too long")
    wrong("leaves, stamped, and says more", b"\x61" + own + bytes([LEAVES]) + b"x", "body too long")
    wrong("taken, seven bytes", b"\x21" + headings["taken"][:-1])
    wrong("taken, nine bytes", b"\x21" + headings["taken"] + b"x", "body too long")
    wrong("asks for history, a byte cut", b"\x21" + headings["asks for history"][:-1])
    wrong("asks for history, and says more", b"\x21" + headings["asks for history"] + b"x", "body too long")
    for name in headings:
        no_text = headings[name][0] in (LEAVES, TAKEN, ASKS_HISTORY)
        for stamp in (b"", own):
            for kind in (MESSAGE, AGAIN, NAMED):
                if name == "leaves" and (kind != MESSAGE or not stamp):
                    continue
                first = None if kind == MESSAGE else fresh()
                text = b"" if no_text else b"text"
                one(f"{name}, of the own companion, {names[kind]}{', stamped' * bool(stamp)}", "c", "b", encode_content(kind, False, first, text, stamp, headings[name]))
    # Padding: an end and zeros, behind whatever the content is.
    for name, content in (
        ("a message", b"\x11hello"), ("no text", b"\x11"), ("a text that ends like padding", b"\x11text\x80\0\0"), ("a text of zeros", b"\x11\0\0"),
        ("recovered", b"\x91hello"), ("again", b"\x12" + fresh() + b"hello"), ("lost", b"\x13" + fresh()), ("named", b"\x14" + fresh() + b"hello"),
        ("to the account, stamped", b"\x71" + stamp + to_account + b"hello"), ("stamped", b"\x51" + stamp + b"hello"),
    ):
        zeros = {"a message": 0, "no text": 158, "recovered": 1}.get(name, 7)
        one(f"padded, {name}", "a", "b", content + b"\x80" + bytes(zeros))
    one("padded, a frame of the relay", "a", "b", b"\x31" + relay + b"frame\x80\0", "frame")
    for name, content in (
        ("nothing but the kind", b"\x11"), ("no end", b"\x11hello"), ("zeros alone", b"\x11\0\0"), ("another end", b"\x11hello\x01\0"),
        ("an end with a bit more", b"\x11hello\x81\0"), ("a byte behind the zeros", b"\x11hello\x80\0\x01"),
    ):
        short(f"padded, {name}", content, "padding")
    short("padded, lost, and says more", b"\x13" + fresh() + b"x\x80", "body too long")
    short("padded, kind 0", b"\x10hello\x80", "kind")
    short("padded, a stamp cut by the end", b"\x51" + stamp[:-1] + b"\x80")
    peers = {x: {"account_id": sender[x][0], "device_id": sender[x][1], "identity_private": private[x], "identity_public": pub[x]} for x in "ac"}
    return {"time": NOW, "devices": peers | {"b": b.description, "d": d.description}, "steps": steps}


# ---------------------------------------------------------------------------------------------------------------------------
# relay.json, from docs/relay.md alone: frames

STATUS, EVENT, OWN_SENT, ANSWER, GAP, FOUND, ENDED, SUPERSEDED = range(1, 9)
ASK, ACKNOWLEDGED, TO_SEND, AS_READ, QUERY, BYE = range(9, 15)
OFFER_FRAME, UPGRADED, TO_UPGRADE, ACCEPTANCE = range(15, 19)
FROM_PHONE, FROM_DESKTOP = (*range(STATUS, SUPERSEDED + 1), OFFER_FRAME, UPGRADED), (*range(ASK, BYE + 1), TO_UPGRADE, ACCEPTANCE)
UNKNOWN, ACCEPTED, RELAYED, DELIVERED, READ = range(5)
NO_CONSENT, TOO_LATE, IDENTITY_CHANGED, TOO_LONG, NO_OFFER, IS_UPGRADED = range(16, 22)
STATES = (*range(READ + 1), *range(NO_CONSENT, IS_UPGRADED + 1))
MAX_COUNTED, MAX_OUTCOMES, MAX_ASKED = 2**62, 64, 64
FRONT, SHORTEST, LONGEST_PADDED, LONGEST = 13, 160, 1_044_416, 1_044_478
MAX_REQUEST_TEXT, FIVE_MINUTES = 1_036_288, 5 * 60 * 1000
PASSED_ON = 9


def lp16(x):
    return len(x).to_bytes(2, "big") + x


def relay_addr(account, device):
    return lp16(account) + u32be(device)


def outcome_bytes(number, request, state):
    return u64be(number) + request + bytes([state])


def outcomes_bytes(outcomes, n=None):
    return bytes([len(outcomes) if n is None else n]) + b"".join(outcome_bytes(*x) for x in outcomes)


def padme(length):
    e = length.bit_length() - 1
    unit = 2 ** (e - e.bit_length())
    return -(-length // unit) * unit


def frame_length(length):
    """The length with zeros of a frame that has this length without them."""
    assert FRONT <= length <= LONGEST
    return max(length, min(max(SHORTEST, padme(length)), LONGEST_PADDED))


def encode_frame(kind, ack, body, length=None, zeros=None):
    """`length` and `zeros` stand for what is not the body's length and not the padding."""
    bare = bytes([kind]) + u64be(ack) + u32be(len(body) if length is None else length) + body
    return bare + (bytes(frame_length(len(bare)) - len(bare)) if zeros is None else zeros)


def read_frame_of_relay(frame, from_phone):
    """The parts of a frame, or a refusal."""
    refuse_if(len(frame) < FRONT, "shorter than its front")
    kind, ack, length = frame[0], int.from_bytes(frame[1:9], "big"), int.from_bytes(frame[9:13], "big")
    refuse_if(kind not in (FROM_PHONE if from_phone else FROM_DESKTOP), "a kind that is not known, or of the other direction")
    refuse_if(ack > MAX_COUNTED, "ack above 2^62")
    refuse_if(length > len(frame) - FRONT, "the body is longer than the frame")
    body, at = frame[FRONT:FRONT + length], 0
    refuse_if(any(frame[FRONT + length:]), "padding that is not zero")
    out = {"kind": kind, "ack": ack}

    def take(length):
        nonlocal at
        refuse_if(length > len(body) - at, "the body is shorter than its kind says")
        at += length
        return body[at - length:at]

    def number(length):
        return int.from_bytes(take(length), "big")

    def counted(name, least=0):
        out[name] = number(8)
        refuse_if(out[name] > MAX_COUNTED, f"{name} above 2^62")
        refuse_if(out[name] < least, f"{name} is 0")

    def account(name="account_id"):
        out[name] = take(number(2))
        refuse_if(not 16 <= len(out[name]) <= 64, "length of an account id")

    def rest(name="text"):
        out[name] = take(len(body) - at)

    def outcome():
        x = {"number": number(8), "request_id": take(16), "state": number(1)}
        refuse_if(x["number"] > MAX_COUNTED, "number above 2^62")
        refuse_if(x["number"] == 0, "number is 0")
        refuse_if(x["state"] not in STATES, "a state that is not known")
        return x

    def outcomes():
        n = number(1)
        refuse_if(n > MAX_OUTCOMES, "more than 64 outcomes")
        out["outcomes"] = [outcome() for _ in range(n)]

    if kind == STATUS:
        out |= {"nonce": number(8), "suspended": number(1), "good_for": number(8)}
        refuse_if(out["suspended"] > 4, "a reason that is not known")
        counted("from"), counted("next"), outcomes()
    elif kind in (EVENT, OWN_SENT):
        counted("number")
        out["time"] = number(8)
        account()
        if kind == EVENT:
            out |= {"device_id": number(4), "message_id": take(16)}
            shared = number(1)
            refuse_if(shared > 1, "neither 0 nor 1")
        out["shared_id"] = take(16) if kind == OWN_SENT or shared else None
        rest()
    elif kind == ANSWER:
        counted("number")
        out["outcome"] = outcome()
    elif kind == GAP:
        counted("number")
        out |= {"count": number(8), "first_time": number(8), "last_time": number(8)}
    elif kind == FOUND:
        counted("number")
        out["request_id"] = take(16)
        rest()
    elif kind == ENDED:
        out["why"] = number(1)
        outcomes()
    elif kind == ASK:
        out["nonce"] = number(8)
        counted("first", 1), counted("next")
        refuse_if(out["first"] > out["next"], "first above next")
        refuse_if(out["next"] - out["first"] > MAX_ASKED, "more than 64 requests")
    elif kind in (TO_SEND, AS_READ, QUERY, TO_UPGRADE, ACCEPTANCE):
        counted("number", 1)
        out |= {"request_id": take(16), "not_after": number(8)}
        if kind == TO_SEND:
            account()
            out["associated_data"] = take(number(2))
        if kind == AS_READ:
            account()
            out |= {"device_id": number(4), "message_id": take(16)}
        if kind in (TO_SEND, QUERY):
            rest()
        if kind == ACCEPTANCE:
            out["device_signature"] = take(64)
    elif kind == OFFER_FRAME:
        counted("number")
        out |= {"request_id": take(16), "certificate_body": take(number(2)), "account_signature": take(64)}
    elif kind == UPGRADED:
        counted("number")
        out |= {"certificate": take(number(2)), "device_list": take(number(2))}
    refuse_if(at != len(body), "the body is longer than its kind says")
    return out


def frame_content(content):
    """What is in the content of a frame, as `Device.receive` wants it."""
    refuse_if(content[:1] not in (b"\x21", b"\xa1") or content[1:2] != bytes([RELAY]), "no frame of the relay")
    return MESSAGE, content[0] == 0xa1, None, content[2:]


def message_content(content):
    parts = split_content(content)
    return parts["kind"], parts["recovered"], parts["first"], parts["text"]


def request_digest(request, kind, body):
    """The bytes that are hashed, and the digest. `body` begins after `not after`."""
    x = lp(b"outrigger v1 relay request") + request + bytes([kind]) + body
    return x, sha256(x)


def relayed_message_id(pairing, request):
    x = lp(b"outrigger v1 relay message") + pairing + request
    return x, sha256(x)[:16]


def paddings():
    """Lengths on both sides of each step, up to the longest; and those that are padded by no zero at all."""
    lengths = {*range(FRONT, 420), LONGEST_PADDED - 1, LONGEST_PADDED, LONGEST_PADDED + 1, LONGEST - 1, LONGEST, 1_032_192, 1_032_193}
    for e in range(8, 20):
        for base in (2**e, 2**e + 2 ** (e - e.bit_length()), 3 * 2 ** (e - 1)):
            lengths |= {base - 1, base, base + 1}
    out = []
    for length in sorted(lengths):
        padded = frame_length(length)
        # No longer frame grows by more than 12 %.
        assert padded >= length and (padded <= length * 1.12 or padded == SHORTEST), (length, padded)
        out.append({"length": length, "padded": padded})
    return out


# ---------------------------------------------------------------------------------------------------------------------------
# relay.json: the pairing

GRANTED_DESKTOP = {1: ("account_id", 2), 2: ("device_id", 0), 3: ("bundle", 2)}


class Desktop(Device):
    """What a grant makes of the device that showed the code: it has an address and no prekeys."""

    def __init__(self, identity, account, device):
        self.account, self.device, self.address = account, device, addr(account, device)
        self.identity, self.public = identity, public_key(identity)
        self.forget()
        self.signed_prekeys, self.one_time_prekeys = {}, {}


class Pairing:
    """A desktop's code, the phone's grant, and the desktop's first ask. Each message can be made with other parts in it."""

    def __init__(self, name, account_length):
        self.name = name
        take = self.take
        self.shown_at, self.scanned_at, self.granted_at, self.joined_at = NOW, NOW + 5_000, NOW + 20_000, NOW + 30_000
        self.phone = Device(f"relay {name} phone", account_of(f"relay {name}", account_length), 0, TIME, 2)
        self.identity, self.ephemeral, self.secret, self.reference = take("desktop identity", 32), take("ephemeral", 32), take("secret", 32), take("reference", 16)
        self.payload = self.payload_of(2)
        self.ekp = take("phone ephemeral", 32)
        self.keys = link_keys(self.secret, self.payload, dh(self.ekp, public_key(self.ephemeral)), public_key(self.ekp))
        self.device_draw, self.pairing_id = take("device id", 16), take("pairing id", 16)
        self.one_time, self.nonce = take("one-time prekey", 32), take("grant nonce", 12)
        self.device = int.from_bytes(self.device_draw[:4], "big")
        self.suites_z = take("suites z", 64)
        kept = read_message(self.phone.bundle[1:], BUNDLE)
        statement = suites_statement(self.phone.account, 0, self.granted_at, b"\x01")
        self.bundle = encode_bundle(
            kept["identity_key"], b"\x01", self.granted_at, sign_published(self.phone.identity, statement, self.suites_z), kept["signed_prekey"],
            kept["signed_prekey_signature"], enc(public_key(self.one_time)))
        self.grant_draws = [self.suites_z, self.one_time, self.device_draw, self.nonce, self.pairing_id]
        self.phone.one_time_prekeys[prekey_id(public_key(self.one_time))] = self.one_time
        self.desktop = Desktop(self.identity, self.phone.account, self.device)
        self.phone.pinned[self.desktop.address] = self.desktop.public
        self.granted = self.grant_body()
        self.grant = self.make_grant()
        self.check_grant(self.grant)

    def take(self, what, length):
        return draw(f"relay {self.name} {what}", length)

    def payload_of(self, role):
        return bytes([1, role]) + public_key(self.identity) + public_key(self.ephemeral) + self.secret + self.reference

    def code(self, payload=None):
        return "outrigger-link:" + base64.urlsafe_b64encode(payload or self.payload).decode().rstrip("=")

    def grant_body(self, account=None, device=None, bundle=None):
        return (
            bytes_field(1, self.phone.account if account is None else account)
            + (uint_field(2, self.device) if device is None else device) + bytes_field(3, bundle or self.bundle)
        )

    def seal(self, body, keys=None, associated_data=None):
        keys = keys or self.keys
        data = keys["binding"] if associated_data is None else associated_data
        return self.nonce + AESGCM(keys["grant_key"]).encrypt(self.nonce, body, data)

    def make_grant(self, sealed=None, keys=None, reference=None, ephemeral=None, more=b"", front=b"\x01\x08", mac_front=None):
        """`mac_front` stands for version and kind in what the MAC is over, where they are others."""
        fields = bytes_field(1, reference or self.reference) + bytes_field(2, ephemeral or enc(public_key(self.ekp)))
        fields += bytes_field(3, sealed or self.seal(self.granted)) + more
        return front + with_mac((keys or self.keys)["grant_mac_key"], (mac_front or front) + fields, 4)[len(front):]

    def check_grant(self, message):
        m = read_linking(DESKTOP_GRANT, self.keys["grant_mac_key"], self.reference, message)
        sealed, ekp = need(m, "sealed", 28, MAX_LINKING), parse_enc(need(m, "ephemeral_key", 33))
        keys = link_keys(self.secret, self.payload, dh(self.ephemeral, ekp), ekp)
        try:
            opened = AESGCM(keys["grant_key"]).decrypt(sealed[:12], sealed[12:], keys["binding"])
        except InvalidTag:
            raise Refused("the tag does not verify") from None
        g = read_message(opened, GRANTED_DESKTOP)
        account = need(g, "account_id", 16, 64)
        need_uint(g, "device_id")
        identity, _, opk = check_bundle(need(g, "bundle", 1, MAX_LINKING), account, 0)
        refuse_if(identity == self.desktop.public, "the desktop's own key")
        refuse_if(opk is None, "no one-time prekey")
        refuse_if(1 not in read_message(g["bundle"][1:], BUNDLE)["suites"], "no suite that both know")

    def other_bundle(self, name, signs=None, account=None, device=0, suites=b"\x01", one_time=True, prekey_by=None):
        signs = signs or self.phone.identity
        spk, opk = self.take(f"{name} signed prekey", 32), self.take(f"{name} one-time prekey", 32)
        z, spk_z = self.take(f"{name} suites z", 64), self.take(f"{name} signed prekey z", 64)
        statement = suites_statement(account or self.phone.account, device, TIME, suites)
        return encode_bundle(
            enc(public_key(signs)), suites, TIME, sign_published(signs, statement, z), enc(public_key(spk)),
            sign_published(prekey_by or signs, enc(public_key(spk)), spk_z), enc(public_key(opk)) if one_time else None)

    def refused(self):
        """What the desktop must refuse; the MAC of each is right where nothing else is said."""
        out = []
        other = self.take("another identity", 32)
        flip = lambda x, at=0: x[:at] + bytes([x[at] ^ 1]) + x[at + 1:]
        bundle = self.other_bundle

        def one(name, message, why):
            check_refused(self.check_grant, message)
            out.append({"name": name, "message": message, "why": why})

        def body(name, sealed_body, why):
            one(name, self.make_grant(self.seal(sealed_body)), why)

        body("device 0", self.grant_body(device=b""), "a device id is not 0")
        body("device 0, written out", self.grant_body(device=b"\x10\x00"), "a uint that is 0 is left out")
        body("device 2^32", self.grant_body(device=uint_field(2, 2**32)), "a uint32")
        body("device id not of least length", self.grant_body(device=b"\x10\x81\x00"), "one encoding")
        body("another account than the bundle's", self.grant_body(account=account_of("relay another", 20)), "the statement of the bundle names another address")
        body("an account id of 15 bytes", self.grant_body(account=self.phone.account[:15]), "16 to 64")
        body("an account id of 65 bytes", self.grant_body(account=filler("relay long account", 65)), "16 to 64")
        body("a bundle of another account", self.grant_body(bundle=bundle("other account", account=account_of("relay another", 20))), "the bundle is not of this account")
        body("a bundle of another device", self.grant_body(bundle=bundle("other device", device=self.device)), "the bundle is not of device 0")
        body("a bundle without one-time prekey", self.grant_body(bundle=self.phone.bundle), "it has one")
        body("a bundle of the desktop's own key", self.grant_body(bundle=bundle("own key", signs=self.identity)), "the phone has another identity key")
        body("a bundle whose prekey another key signed", self.grant_body(bundle=bundle("other signs", prekey_by=other)), "it does not verify")
        body("a bundle of suite 2 alone", self.grant_body(bundle=bundle("suite 2", suites=b"\x02")), "no suite that both know: no session can be started")
        body("a bundle of another version", self.grant_body(bundle=b"\x02" + self.bundle[1:]), "version of the bundle")
        body("a bundle and a byte", self.grant_body(bundle=self.bundle + b"\0"), "one encoding")
        body("a bundle of no bytes", self.grant_body()[:-len(bytes_field(3, self.bundle))] + b"\x1a\x00", "no bundle")
        body("no bundle", self.grant_body()[:-len(bytes_field(3, self.bundle))], "no field may be left out")
        body("no account id", self.granted[len(bytes_field(1, self.phone.account)):], "no field may be left out")
        body("an unknown field", self.granted + uint_field(4, 1), "no unknown fields")
        body("cut by a byte", self.granted[:-1], "one encoding")
        body("a trailing byte", self.granted + b"\0", "one encoding")
        body("nothing sealed", b"", "no field may be left out")
        head = bytes_field(1, self.phone.account)
        body("fields out of order", uint_field(2, self.device) + head + bytes_field(3, self.bundle), "one encoding")
        body("a field twice", head + self.granted, "one encoding")
        body("what a companion's grant holds", bytes_field(1, certificate_body(self.phone.account, self.device, 1, self.granted_at, filler("relay inc", 16)))
             + bytes_field(2, enc(self.phone.public)) + bytes_field(3, filler("relay signature", 64)), "another message")
        role = link_keys(self.secret, self.payload_of(1), dh(self.ekp, public_key(self.ephemeral)), public_key(self.ekp))
        one("under the keys of role 1", self.make_grant(self.seal(self.granted, role), role), "the role is in the binding: the MAC is another")
        one("sealed under the keys of role 1", self.make_grant(self.seal(self.granted, role)), "the tag does not verify")
        one("sealed with other associated data", self.make_grant(self.seal(self.granted, associated_data=b"")), "the tag does not verify")
        one("sealed, 27 bytes", self.make_grant(bytes(27)), "nonce and tag have 28")
        one("another reference", self.make_grant(reference=flip(self.reference)), "it answers another code")
        one("another ephemeral key", self.make_grant(ephemeral=enc(public_key(other))), "the tag does not verify")
        one("ephemeral key of low order", self.make_grant(ephemeral=b"\x05" + bytes(32)), "a key of low order")
        one("ephemeral key of another type", self.make_grant(ephemeral=b"\x06" + public_key(self.ekp)), "the type is 5")
        one("another version", self.make_grant(front=b"\x02\x08"), "version")
        one("of kind 1", self.make_grant(front=b"\x01\x01"), "a companion's grant is not for a desktop")
        one("of kind 9", self.make_grant(front=b"\x01\x09"), "kind")
        one("of kind 1, made kind 8", self.make_grant(front=b"\x01\x08", mac_front=b"\x01\x01"), "the MAC is over the kind too: it is wrong")
        one("of kind 8, made kind 1", self.make_grant(front=b"\x01\x01", mac_front=b"\x01\x08"), "kind, and the MAC is over it")
        one("an unknown field beside it", self.make_grant(more=uint_field(5, 1)), "the MAC is the last field")
        one("a trailing byte behind it", self.grant + b"\0", "one encoding")
        one("without a MAC", self.grant[:-34], "the MAC is the last field")
        one("another MAC", flip(self.grant, len(self.grant) - 1), "MAC")
        one("too long", self.grant + bytes(MAX_LINKING - len(self.grant) + 1), "at most 2,048 bytes")
        return out

    def refused_of_role_1(self):
        """At a device that has shown the same values as a companion's code: no grant of a desktop's kind, though all is right under its own keys."""
        keys = link_keys(self.secret, self.payload_of(1), dh(self.ekp, public_key(self.ephemeral)), public_key(self.ekp))
        sealed = self.seal(self.granted, keys)
        return {
            "code": self.code(self.payload_of(1)), "draws": [self.identity, self.ephemeral, self.secret, self.reference],
            "message": self.make_grant(sealed, keys), "why": "the role of its code is 1",
        }


# ---------------------------------------------------------------------------------------------------------------------------
# relay.json: a whole run

class RelayRun:
    """A phone, its desktop and a peer of the account's, all played here, by the tables of the page. Each step has what goes in, what is drawn and what comes out."""

    def __init__(self, pairing):
        self.p, self.phone, self.desktop = pairing, pairing.phone, pairing.desktop
        self.peer = Device(f"relay {pairing.name} peer", account_of(f"relay {pairing.name} peer", 16), 0, TIME, 0)
        self.steps, self.count = [], 0
        self.next, self.acked, self.taken, self.good_until = 1, 0, 0, pairing.granted_at + FOURTEEN_DAYS
        self.shown, self.number, self.answered, self.asked, self.joining = 0, 1, 0, 0, True
        self.states = {}           # at the phone: number -> (request id, state)
        self.missed = []           # at the phone: times of events that were missed
        self.upgraded = False      # at the phone

    def label(self):
        self.count += 1
        return f"relay {self.p.name} {self.count}"

    def step(self, op, **values):
        self.steps.append({"op": op} | values)
        return self.steps[-1]

    def other(self, device):
        return self.desktop if device is self.phone else self.phone

    # What one of the two seals for the other.

    def say(self, device, time, kind, ack, body):
        frame = encode_frame(kind, ack, body)
        read_frame_of_relay(frame, device is self.phone)
        out = device.send(self.label(), self.other(device), frame, b"", time, kept=False, heading=bytes([RELAY]))
        assert out["content"] == b"\x21\x08" + frame
        return {"frame": frame, "envelope": out["wire"], "draws": out["draws"]}

    def from_phone(self, time, kind, body):
        return self.say(self.phone, time, kind, self.taken, body)

    def from_desktop(self, time, kind, body=b""):
        return self.say(self.desktop, time, kind, self.shown, body)

    def tell(self, time, kind, body):
        """A numbered frame of the phone's."""
        out = self.from_phone(time, kind, u64be(self.next) + body)
        self.next += 1
        assert self.next <= self.acked + 33
        return out

    def answer(self, time, number):
        return self.tell(time, ANSWER, outcome_bytes(number, *self.states[number]))

    # What one opens of the other.

    def opens(self, device, time, said):
        """The parts of the frame; at the phone what is acknowledged goes."""
        content = device.receive(self.other(device).address, said["envelope"], b"", time, frame_content)["content"]
        frame = read_frame_of_relay(content[2:], device is self.desktop)
        if device is self.phone:
            assert frame["ack"] < self.next
            self.acked = max(self.acked, frame["ack"])
        return frame

    def at_desktop(self, time, said, **more):
        """A frame that the desktop takes. A numbered one is shown."""
        frame = self.opens(self.desktop, time, said)
        if frame["kind"] in (EVENT, OWN_SENT, ANSWER, GAP, FOUND):
            assert frame["number"] == self.shown + 1
            self.shown += 1
        if frame["kind"] == ANSWER:
            assert frame["outcome"]["number"] <= self.answered + 1
            self.answered = max(self.answered, frame["outcome"]["number"])
        if frame["kind"] == STATUS:
            assert frame["nonce"] == self.asked
            if frame["suspended"]:
                self.joining = True     # the next that it sends is the first ask of another session
            elif self.joining:
                self.joining, self.shown = False, frame["from"] - 1
                self.number = max(self.number, frame["ack"] + 1)
                self.answered = self.number - 1
            else:
                assert frame["from"] <= self.shown + 1 == frame["next"] and frame["ack"] < self.number
        return self.step("desktop takes", time=time, envelope=said["envelope"], frame=said["frame"], said=frame, **more)

    def ask(self, time, first=None):
        """An ask of the desktop's; `first` names the first request without an answer."""
        self.asked += 1
        return self.from_desktop(time, ASK, u64be(self.asked) + u64be(first or self.answered + 1) + u64be(self.number))

    def status(self, time, ask, suspended=0):
        remembered = [(n, *self.states[n]) for n in range(ask["first"], ask["next"]) if n in self.states]
        good_for = FOURTEEN_DAYS if self.upgraded else max(0, self.good_until - time)
        return self.from_phone(
            time, STATUS,
            u64be(ask["nonce"]) + bytes([suspended]) + u64be(good_for) + u64be(self.acked + 1) + u64be(self.next) + outcomes_bytes(remembered))

    def request(self, time, kind, body, name, not_after=2**64 - 1):
        request = self.p.take(f"request id {name}", 16)
        said = self.from_desktop(time, kind, u64be(self.number) + request + u64be(not_after) + body)
        digest_input, digest = request_digest(request, kind, body)
        said |= {"request_id": request, "number": self.number, "not_after": not_after, "digest_input": digest_input, "digest": digest}
        self.number += 1
        return said

    def takes(self, frame, state=ACCEPTED):
        assert frame["number"] == self.taken + 1
        self.taken += 1
        self.states[frame["number"]] = (frame["request_id"], state)

    # The peer.

    def peer_says(self, time, text, shared=None):
        """A message of the peer's, and what the phone opens of it."""
        heading = bytes([TO_ACCOUNT]) + shared if shared else b""
        out = self.peer.send(self.label(), self.phone, text, b"data", time, heading=heading)
        self.phone.receive(self.peer.address, out["wire"], b"data", time, message_content)
        return out["wire"]

    def event(self, time, text, shared=None):
        envelope = self.peer_says(time, text, shared)
        body = u64be(time) + relay_addr(self.peer.account, 0) + message_id(envelope) + (b"\x01" + shared if shared else b"\0") + text
        told = self.tell(time, EVENT, body)
        self.step("peer says", time=time, envelope=envelope, associated_data=b"data", text=text, shared_id=shared, draws=told["draws"], told=[told])
        return told


def relay_start(run):
    """The peer speaks with the phone, the desktop is paired, its first ask is answered."""
    p = run.p
    run.peer.start(f"relay {p.name} peer starts", run.phone, p.phone.bundles_with[0], TIME + 2000)
    first = run.peer_says(p.shown_at, b"before there was a desktop")
    run.step("peer says", time=p.shown_at, envelope=first, associated_data=b"data", text=b"before there was a desktop", shared_id=None, draws=[], told=[])
    run.step("show", time=p.shown_at, draws=[p.identity, p.ephemeral, p.secret, p.reference], code=p.code(), payload=p.payload)
    run.step("scan", time=p.scanned_at, draws=[p.ekp], identity_key=p.desktop.public, **p.keys)
    run.step(
        "grant", time=p.granted_at, draws=p.grant_draws, device_id=p.device, pairing_id=p.pairing_id,
        bundle=p.bundle, sealed_body=p.granted, message=p.grant)
    started = run.desktop.start(f"relay {p.name} desktop starts", run.phone, p.bundle, p.joined_at)
    asked = run.ask(p.joined_at)
    session = {k: started[k] for k in ("transcript", "root_key", "session_id", "started_at", "handshake", "dh", "root_after", "chain")}
    run.step("join", time=p.joined_at, session=session, **asked | {"draws": started["draws"] + asked["draws"]})
    at = p.joined_at + 1_000
    frame = run.opens(run.phone, at, asked)
    assert (frame["ack"], frame["first"], frame["next"]) == (0, 1, 1)
    status = run.status(at, frame)
    run.step("phone takes", time=at, envelope=asked["envelope"], said=frame, word=None, outcome="status", draws=status["draws"], told=[status])
    run.at_desktop(at + 1_000, status)
    return at + 1_000


def relay_run():
    """From the pairing to the end; and, on the way, what can be tried at both ends once the first request has gone out."""
    run = RelayRun(Pairing("run", 20))
    phone, desktop, peer = run.phone, run.desktop, run.peer
    at = relay_start(run)
    pairing_step = len(run.steps)
    shared = filler("relay run shared id", 16)

    # A request to send: the phone asks its user, does it with the word, and tells what becomes of it.
    at += 1_000
    body = lp16(peer.account) + lp16(b"bound") + b"from the desktop"
    sent = run.request(at, TO_SEND, body, "to send")
    run.step("request", time=at, what="send", account_id=peer.account, associated_data=b"bound", text=b"from the desktop", **sent | {
        "draws": [sent["request_id"], *sent["draws"]]})
    tried = {"after": len(run.steps), "time": at} | frames_to_try(run, sent)
    labels = relay_labels(run)
    at += 1_000
    frame = run.opens(phone, at, sent)
    run.step("phone takes", time=at, envelope=sent["envelope"], said=frame, word=None, outcome="asks the user", draws=[], told=[])
    id_input, named = relayed_message_id(run.p.pairing_id, sent["request_id"])
    out = phone.send(run.label(), peer, b"from the desktop", b"bound", at, kind=NAMED, first=named, heading=bytes([TO_ACCOUNT]) + named)
    opened = peer.receive(phone.address, out["wire"], b"bound", at, message_content)
    assert opened["message_id"] == named and opened["content"] == b"\x24" + named + b"\x01" + named + b"from the desktop"
    run.takes(frame)
    answer = run.answer(at, frame["number"])
    run.step(
        "phone takes", time=at, envelope=sent["envelope"], said=frame, word=True, outcome="done", message_id_input=id_input, message_id=named,
        digest=sent["digest"], to_peer={"content": out["content"], "envelope": out["wire"]}, draws=out["draws"] + answer["draws"], told=[answer])
    run.at_desktop(at + 500, answer)

    at += 1_000
    run.states[1] = (sent["request_id"], RELAYED)
    relayed = run.answer(at, 1)
    run.step("what became of it", time=at, number=1, request_id=sent["request_id"], state=RELAYED, draws=relayed["draws"], told=[relayed])
    run.at_desktop(at + 500, relayed)

    # Events: of a message to the account, of one to the phone alone, and one that was delivered by itself.
    at += 1_000
    for text, id_of_it in ((b"to the account", shared), (b"to the phone alone", None), (b"", filler("relay run another shared id", 16))):
        told = run.event(at, text, id_of_it)
        run.at_desktop(at + 100, told)
        at += 1_000

    # The own app sends.
    at += 1_000
    own_shared = run.p.take("own shared id", 16)
    out = phone.send(run.label(), peer, b"from the phone", b"bound", at, heading=bytes([TO_ACCOUNT]) + own_shared)
    peer.receive(phone.address, out["wire"], b"bound", at, message_content)
    told = run.tell(at, OWN_SENT, u64be(at) + lp16(peer.account) + own_shared + b"from the phone")
    run.step(
        "own app sends", time=at, to=peer.account, associated_data=b"bound", text=b"from the phone", shared_id=own_shared,
        to_peer={"content": out["content"], "envelope": out["wire"]}, draws=[own_shared, *out["draws"], *told["draws"]], told=[told])
    run.at_desktop(at + 100, told)

    # A request to note as read, and a query: with the first no user is asked.
    at += 1_000
    event = next(s for s in run.steps if s["op"] == "peer says" and s["told"])
    body = relay_addr(peer.account, 0) + message_id(event["envelope"])
    noted = run.request(at, AS_READ, body, "as read")
    run.step("request", time=at, what="as read", account_id=peer.account, device_id=0, message_id=message_id(event["envelope"]), **noted | {
        "draws": [noted["request_id"], *noted["draws"]]})
    frame = run.opens(phone, at, noted)
    run.takes(frame)
    answer = run.answer(at, 2)
    run.step("phone takes", time=at, envelope=noted["envelope"], said=frame, word=None, outcome="done", digest=noted["digest"], draws=answer["draws"], told=[answer])
    run.at_desktop(at + 100, answer)

    at += 1_000
    asked = run.request(at, QUERY, b"what was said before", "query", not_after=at + 60_000)
    run.step("request", time=at, what="query", text=b"what was said before", **asked | {"draws": [asked["request_id"], *asked["draws"]]})
    frame = run.opens(phone, at, asked)
    run.takes(frame)
    answer = run.answer(at, 3)
    run.step("phone takes", time=at, envelope=asked["envelope"], said=frame, word=True, outcome="done", digest=asked["digest"], draws=answer["draws"], told=[answer])
    found = run.tell(at + 10, FOUND, asked["request_id"] + b"this was found")
    run.step("found", time=at + 10, number=3, request_id=asked["request_id"], text=b"this was found", draws=found["draws"], told=[found])
    run.at_desktop(at + 100, answer)
    run.at_desktop(at + 100, found)

    at += 1_000
    acknowledged = run.from_desktop(at, ACKNOWLEDGED)
    run.step("acknowledge", time=at, **acknowledged)
    frame = run.opens(phone, at, acknowledged)
    assert run.acked == run.next - 1 == run.shown
    run.step("phone takes", time=at, envelope=acknowledged["envelope"], said=frame, word=None, outcome="nothing", draws=[], told=[])

    # The time runs out: what comes then is missed. After a renewal a status says so, and a gap of it comes behind the status.
    run.step("the last millisecond", time=run.good_until)
    for late in (1, 5_001):
        at = run.good_until + late
        envelope = run.peer_says(at, b"missed", shared)
        run.missed.append(at)
        run.step("peer says", time=at, envelope=envelope, associated_data=b"data", text=b"missed", shared_id=shared, draws=[], told=[])
    at += 1_000
    ask = run.ask(at)
    run.step("ask", time=at, **ask)
    run.good_until = at + 10 + FOURTEEN_DAYS
    run.step("renew", time=at + 10, good_until=run.good_until)
    at += 20
    frame = run.opens(phone, at, ask)
    status = run.status(at, frame)
    gap = run.tell(at, GAP, u64be(len(run.missed)) + u64be(run.missed[0]) + u64be(run.missed[-1]))
    run.missed = []
    run.step("phone takes", time=at, envelope=ask["envelope"], said=frame, word=None, outcome="status", draws=status["draws"] + gap["draws"], told=[status, gap])
    run.at_desktop(at + 10, status)
    run.at_desktop(at + 10, gap)

    # The desktop joins anew: the former session's notice, a status, and a gap of what it has not shown.
    at += 1_000
    lost = run.event(at, b"never delivered", shared)
    assert lost
    at += 1_000
    waiting = run.request(at, QUERY, b"it never arrives", "lost query")
    run.step("request", time=at, what="query", text=b"it never arrives", **waiting | {"draws": [waiting["request_id"], *waiting["draws"]]})
    late = run.from_desktop(at, ACKNOWLEDGED)
    run.step("acknowledge", time=at, **late)
    at += 1_000
    former = copy.deepcopy(phone.active[desktop.address])
    started = desktop.start("relay run desktop joins anew", phone, phone.bundles_with[1], at)
    again = run.ask(at)
    session = {k: started[k] for k in ("transcript", "root_key", "session_id", "started_at", "handshake", "dh", "root_after", "chain")}
    run.step("join anew", time=at, bundle=phone.bundles_with[1], session=session, **again | {"draws": started["draws"] + again["draws"]})
    at += 1_000
    notice = run.from_phone(at, SUPERSEDED, b"")
    frame = run.opens(phone, at, again)
    assert phone.active[desktop.address].id != former.id
    assert (frame["ack"], frame["first"], frame["next"]) == (run.shown, 4, 5)
    run.step("phone takes", time=at, envelope=again["envelope"], said=frame, word=None, outcome="asks the user", draws=[], told=[])
    count = run.next - 1 - frame["ack"]
    assert count == 1
    run.acked, run.taken = run.next - 1, frame["next"] - 1
    status = run.status(at, frame)
    gap = run.tell(at, GAP, u64be(count) + u64be(at) + u64be(at))
    run.step(
        "phone takes", time=at, envelope=again["envelope"], said=frame, word=True, outcome="joined anew", draws=notice["draws"] + status["draws"] + gap["draws"],
        notice=notice, told=[status, gap])
    frame = run.opens(phone, at, late)
    run.step("phone takes", time=at, envelope=late["envelope"], said=frame, word=None, outcome="superseded", draws=[], told=[notice])
    run.joining = True
    run.at_desktop(at + 10, status, outcomes=[{"number": 4, "request_id": waiting["request_id"], "state": UNKNOWN}])
    assert (run.shown, run.answered) == (run.acked, 4)
    run.at_desktop(at + 10, gap)

    # Numbers go on. Detached, with the outcomes of what was taken, while a request is under way.
    at += 1_000
    body = relay_addr(peer.account, 0) + message_id(event["envelope"])
    noted = run.request(at, AS_READ, body, "as read again")
    run.step("request", time=at, what="as read", account_id=peer.account, device_id=0, message_id=message_id(event["envelope"]), **noted | {
        "draws": [noted["request_id"], *noted["draws"]]})
    frame = run.opens(phone, at, noted)
    run.takes(frame)
    answer = run.answer(at, 5)
    run.step("phone takes", time=at, envelope=noted["envelope"], said=frame, word=None, outcome="done", digest=noted["digest"], draws=answer["draws"], told=[answer])
    run.at_desktop(at + 100, answer)
    at += 1_000
    never = run.request(at, QUERY, b"it is never done", "never done")
    run.step("request", time=at, what="query", text=b"it is never done", **never | {"draws": [never["request_id"], *never["draws"]]})
    at += 1_000
    ended = run.from_phone(at, ENDED, b"\x01" + outcomes_bytes([(n, *run.states[n]) for n in sorted(run.states)]))
    run.step("detach", time=at, notice=ended, draws=ended["draws"])
    frame = run.opens(desktop, at + 100, ended)
    run.step("desktop takes", time=at + 100, envelope=ended["envelope"], frame=ended["frame"], said=frame, outcomes=[
        {"number": never["number"], "request_id": never["request_id"], "state": None}])
    run.step("phone takes", time=at + 200, envelope=never["envelope"], said=None, word=None, outcome="ended", draws=[], told=[ended])
    return run, pairing_step, tried, labels


def relay_went_back():
    """A phone whose store goes back, a desktop that acknowledges more than that phone has told, joins anew and leaves."""
    run = RelayRun(Pairing("went back", 16))
    phone, desktop, peer = run.phone, run.desktop, run.peer
    at = relay_start(run) + 1_000
    for i in range(3):
        if i == 1:
            kept = copy.deepcopy((phone.__dict__, run.next))
            run.step("keep", time=at)
        run.at_desktop(at + 10, run.event(at, b"event %d" % i))
        at += 1_000
    phone.__dict__, run.next = kept
    run.step("go back", time=at)
    ask = run.ask(at)
    run.step("ask", time=at, **ask)
    at += 10
    frame = read_frame_of_relay(phone.receive(desktop.address, ask["envelope"], b"", at, frame_content)["content"][2:], False)
    assert frame["ack"] == 3 >= run.next == 2 and run.acked == 0
    status = run.status(at, frame, suspended=1)
    run.step("phone takes", time=at, envelope=ask["envelope"], said=frame, word=None, outcome="went back", draws=status["draws"], told=[status])
    run.at_desktop(at + 10, status)
    at += 1_000
    started = desktop.start("relay went back desktop joins anew", phone, phone.bundles_with[1], at)
    again = run.ask(at)
    run.step("join anew", time=at, bundle=phone.bundles_with[1], session={"session_id": started["session_id"]}, **again | {"draws": started["draws"] + again["draws"]})
    at += 10
    notice = run.from_phone(at, SUPERSEDED, b"")
    frame = read_frame_of_relay(phone.receive(desktop.address, again["envelope"], b"", at, frame_content)["content"][2:], False)
    run.next, run.acked = frame["ack"] + 1, frame["ack"]
    status = run.status(at, frame)
    gap = run.tell(at, GAP, u64be(0) + u64be(at) + u64be(at))
    run.step(
        "phone takes", time=at, envelope=again["envelope"], said=frame, word=True, outcome="joined anew", draws=notice["draws"] + status["draws"] + gap["draws"],
        notice=notice, told=[status, gap])
    run.at_desktop(at + 10, status)
    run.at_desktop(at + 10, gap)

    # A status with an outcome; it waits for the answer before it.
    at += 1_000
    first = next(s for s in run.steps if s["op"] == "peer says" and s["told"])
    noted = run.request(at, AS_READ, relay_addr(peer.account, 0) + message_id(first["envelope"]), "as read")
    run.step("request", time=at, what="as read", account_id=peer.account, device_id=0, message_id=message_id(first["envelope"]), **noted | {
        "draws": [noted["request_id"], *noted["draws"]]})
    frame = run.opens(phone, at, noted)
    run.takes(frame)
    answer = run.answer(at, 1)
    run.step("phone takes", time=at, envelope=noted["envelope"], said=frame, word=None, outcome="done", digest=noted["digest"], draws=answer["draws"], told=[answer])
    ask = run.ask(at + 100)
    run.step("ask", time=at + 100, **ask)
    at += 200
    frame = run.opens(phone, at, ask)
    status = run.status(at, frame)
    said = read_frame_of_relay(status["frame"], True)
    assert said["outcomes"] and said["from"] == run.shown + 1 < said["next"]
    run.step("phone takes", time=at, envelope=ask["envelope"], said=frame, word=None, outcome="status", draws=status["draws"], told=[status])
    run.step("desktop takes", time=at, envelope=status["envelope"], frame=status["frame"], said=said, early=True)
    run.at_desktop(at, answer)
    run.at_desktop(at, status)

    at += 1_000
    bye = run.from_desktop(at, BYE)
    run.step("leave", time=at, **bye)
    frame = run.opens(phone, at + 10, bye)
    run.step("phone takes", time=at + 10, envelope=bye["envelope"], said=frame, word=None, outcome="left", draws=[], told=[])
    run.step("phone takes", time=at + 20, envelope=bye["envelope"], said=None, word=None, outcome="ended", draws=[], told=[])
    return {"phone": phone.description, "peer": {"account_id": peer.account, "device_id": 0}, "steps": run.steps}


def sealed_at(run, device, name, content, associated_data=b""):
    """An envelope with this content that `device` could send the other one now; its state does not go on."""
    session = copy.deepcopy(device.active[run.other(device).address])
    out, key = session.ratchet.step_and_key(lambda: draw(f"relay {run.p.name} {name} key", 32))
    front = session.front() + encode_header(out["ratchet_public"], out["previous_counter"], out["counter"])
    return seal(key, draw(f"relay {run.p.name} {name} nonce", 12), front, content, session.t, associated_data)["wire"]


def frames_to_try(run, sent):
    """Frames of every kind in both directions, accepted and refused. All of one direction are under one message key: each is tried at a copy of the state."""
    account, request = run.peer.account, sent["request_id"]
    ids = [filler(f"relay frames id {i}", 16) for i in range(70)]
    top = MAX_COUNTED
    n = u64be
    out = {"from_phone": {"taken": [], "refused": []}, "from_desktop": {"taken": [], "refused": []}, "contents": []}

    def one(of, name, frame, expect=None):
        device = run.phone if of == "from_phone" else run.desktop
        entry = {"name": name, "frame": frame, "envelope": sealed_at(run, device, f"{of} {name}", b"\x21\x08" + frame)}
        try:
            said = read_frame_of_relay(frame, of == "from_phone")
            assert expect is not None, name
            if expect == "status":
                entry["good_until"] = min(2**64 - 1, run.p.joined_at + said["good_for"] if said["good_for"] else run.p.joined_at - 1)
            out[of]["taken"].append(entry | {"expect": expect, "said": said})
        except Refused as e:
            assert expect is None, (name, str(e))
            out[of]["refused"].append(entry | {"why": str(e)})

    # From the phone, to a desktop that has shown nothing and whose request 1 has gone out; its last ask is 1.
    def status(nonce=1, suspended=0, good_for=1_000, from_=1, next_=1, outcomes=(), ack=0, count=None, more=b""):
        body = n(nonce) + bytes([suspended]) + n(good_for) + n(from_) + n(next_) + outcomes_bytes(outcomes, count) + more
        return encode_frame(STATUS, ack, body)

    ours = [(1, request, ACCEPTED)]
    one("from_phone", "status", status(), "status")
    one("from_phone", "status, over", status(good_for=0), "status")
    one("from_phone", "status, good for ever", status(good_for=2**64 - 1), "status")
    one("from_phone", "status, of another ask", status(nonce=2), "nothing")
    one("from_phone", "status, of ask 0", status(nonce=0), "nothing")
    one("from_phone", "status, of ask 2^64 - 1", status(nonce=2**64 - 1), "nothing")
    one("from_phone", "status, of another ask, suspended", status(nonce=2, suspended=1), "nothing")
    one("from_phone", "status, of another ask, behind a frame that is under way", status(nonce=2, next_=2), "nothing")
    one("from_phone", "status, of another ask, more requests are taken than were made", status(nonce=2, ack=2), "nothing")
    one("from_phone", "status, an outcome", status(outcomes=ours), "status")
    one("from_phone", "status, 64 outcomes", status(outcomes=[(i + 1, ids[i], (*range(5), 16, 17, 18, 19)[i % 9]) for i in range(64)]), "status")
    one("from_phone", "status, an outcome of the highest number", status(outcomes=[(top, ids[0], READ)]), "status")
    for suspended in range(1, 5):
        one("from_phone", f"status, suspended {suspended}", status(suspended=suspended), "suspended")
        one("from_phone", f"status, suspended {suspended}, behind a frame that is under way", status(suspended=suspended, next_=2), "suspended")
    one("from_phone", "status, suspended, more requests are taken than were made", status(suspended=1, ack=2), "suspended")
    one("from_phone", "status, more is acknowledged than was shown", status(from_=2, next_=2), "went back")
    one("from_phone", "status, the highest numbers", status(from_=top, next_=top), "went back")
    one("from_phone", "status, more requests are taken than were made", status(ack=2), "went back")
    one("from_phone", "status, the highest ack", status(ack=top), "went back")
    one("from_phone", "status, more is acknowledged than was shown, and more is under way", status(from_=2, next_=3), "went back")
    one("from_phone", "status, behind a frame that is under way", status(next_=2), "early")
    one("from_phone", "status, behind a frame that is under way, more requests are taken than were made", status(next_=2, ack=2), "early")
    address = relay_addr(account, 0)
    event = n(1) + n(5) + address + ids[0]
    long, short = filler("relay frames long account", 64), filler("relay frames short account", 16)
    one("from_phone", "event", encode_frame(EVENT, 0, event + b"\0" + b"text"), "event")
    one("from_phone", "event, with a shared id", encode_frame(EVENT, 0, event + b"\x01" + ids[1] + b"text"), "event")
    one("from_phone", "event, no text", encode_frame(EVENT, 0, event + b"\0"), "event")
    one("from_phone", "event, a shared id and no text", encode_frame(EVENT, 0, event + b"\x01" + ids[1]), "event")
    one("from_phone", "event, of a companion, the longest id", encode_frame(EVENT, 1, n(1) + n(2**64 - 1) + relay_addr(long, 2**32 - 1) + ids[0] + b"\0text"), "event")
    one("from_phone", "event, the shortest id, time 0", encode_frame(EVENT, 0, n(1) + n(0) + relay_addr(short, 1) + ids[0] + b"\0text"), "event")
    one("from_phone", "event, text of zeros", encode_frame(EVENT, 0, event + b"\0" + bytes(40)), "event")
    one("from_phone", "event, no padding", encode_frame(EVENT, 0, event + b"\0text", zeros=b""), "event")
    one("from_phone", "event, a zero of padding", encode_frame(EVENT, 0, event + b"\0text", zeros=bytes(1)), "event")
    one("from_phone", "event, a thousand zeros of padding", encode_frame(EVENT, 0, event + b"\0text", zeros=bytes(1_000)), "event")
    one("from_phone", "event, of 1,500 bytes", encode_frame(EVENT, 0, event + b"\0" + filler("relay frames text", 1_500)), "event")
    one("from_phone", "event 2", encode_frame(EVENT, 0, n(2) + event[8:] + b"\0text"), "early")
    one("from_phone", "event 2^62", encode_frame(EVENT, 0, n(top) + event[8:] + b"\0text"), "early")
    own = n(1) + n(5) + lp16(account) + ids[0]
    one("from_phone", "own sent", encode_frame(OWN_SENT, 0, own + b"text"), "own sent")
    one("from_phone", "own sent, no text", encode_frame(OWN_SENT, 0, own), "own sent")
    one("from_phone", "own sent, the longest id", encode_frame(OWN_SENT, 0, n(1) + n(5) + lp16(long) + ids[0] + b"text"), "own sent")
    for state in (*range(5), 16, 17, 18, 19):
        one("from_phone", f"answer, state {state}", encode_frame(ANSWER, 1, n(1) + outcome_bytes(1, request, state)), "answer")
    one("from_phone", "answer to another request", encode_frame(ANSWER, 0, n(1) + outcome_bytes(2, ids[0], ACCEPTED)), "went back")
    one("from_phone", "gap", encode_frame(GAP, 0, n(1) + n(7) + n(5) + n(6)), "gap")
    one("from_phone", "gap of 0", encode_frame(GAP, 0, n(1) + n(0) + n(0) + n(0)), "gap")
    one("from_phone", "gap of 2^64 - 1", encode_frame(GAP, 0, n(1) + n(2**64 - 1) + n(0) + n(2**64 - 1)), "gap")
    one("from_phone", "found", encode_frame(FOUND, 0, n(1) + request + b"found"), "found")
    one("from_phone", "found, no text", encode_frame(FOUND, 0, n(1) + request), "found")
    for why in (1, 2, 0, 3, 255):
        one("from_phone", f"ended, why {why}", encode_frame(ENDED, 0, bytes([why]) + outcomes_bytes([])), "ended")
    one("from_phone", "ended, an outcome", encode_frame(ENDED, 1, b"\x01" + outcomes_bytes(ours)), "ended")
    one("from_phone", "ended, taken and no outcome", encode_frame(ENDED, 1, b"\x01" + outcomes_bytes([])), "ended")
    one("from_phone", "ended, the outcome of another id", encode_frame(ENDED, 1, b"\x01" + outcomes_bytes([(1, ids[0], READ)])), "ended")
    one("from_phone", "ended, 64 outcomes", encode_frame(ENDED, 1, b"\x01" + outcomes_bytes([(i + 1, ids[i], READ) for i in range(64)])), "ended")
    one("from_phone", "ended, two outcomes of one request", encode_frame(ENDED, 1, b"\x01" + outcomes_bytes([(1, request, READ), (1, request, NO_CONSENT)])), "ended")
    one("from_phone", "ended, outcomes by descending number", encode_frame(ENDED, 1, b"\x01" + outcomes_bytes([(2, ids[2], ACCEPTED), (1, request, DELIVERED)])), "ended")
    one("from_phone", "superseded", encode_frame(SUPERSEDED, 0, b""), "superseded")
    one("from_phone", "superseded, no padding", encode_frame(SUPERSEDED, 0, b"", zeros=b""), "superseded")

    whole = {
        STATUS: n(1) + b"\0" + n(1_000) + n(1) + n(1) + outcomes_bytes(ours), EVENT: event + b"\x01" + ids[1], OWN_SENT: own,
        ANSWER: n(1) + outcome_bytes(1, request, ACCEPTED), GAP: n(1) + n(7) + n(5) + n(6), FOUND: n(1) + request,
        ENDED: b"\x01" + outcomes_bytes(ours), SUPERSEDED: b"",
        ASK: n(2) + n(1) + n(2), ACKNOWLEDGED: b"", TO_SEND: n(1) + request + n(top) + lp16(account) + lp16(b"bound"),
        AS_READ: n(1) + request + n(top) + address + ids[0], QUERY: n(1) + request + n(top), BYE: b"",
    }
    # A body that is cut; one byte more, where no text is its end; lengths that lie; padding; numbers.
    texts = (EVENT, OWN_SENT, FOUND, TO_SEND, QUERY)
    for kind, body in whole.items():
        of = "from_phone" if kind <= SUPERSEDED else "from_desktop"
        for cut in sorted({1, 8, len(body) // 2, len(body)} if body else ()):
            if 0 < cut <= len(body):
                one(of, f"kind {kind}, {cut} bytes cut", encode_frame(kind, 0, body[:-cut]))
        if kind not in texts:
            one(of, f"kind {kind}, a byte more", encode_frame(kind, 0, body + b"\0"))
            one(of, f"kind {kind}, the length one more", encode_frame(kind, 0, body, length=len(body) + 1))
        if body:
            one(of, f"kind {kind}, the length one less", encode_frame(kind, 0, body, length=len(body) - 1))
            one(of, f"kind {kind}, length 0", encode_frame(kind, 0, body, length=0))
        for length in (2**31, 2**32 - 1):
            one(of, f"kind {kind}, length {length}", encode_frame(kind, 0, body, length=length))
        zeros = frame_length(FRONT + len(body)) - FRONT - len(body)
        one(of, f"kind {kind}, the first of the padding", encode_frame(kind, 0, body, zeros=b"\x01" + bytes(zeros - 1)))
        one(of, f"kind {kind}, the last of the padding", encode_frame(kind, 0, body, zeros=bytes(zeros - 1) + b"\x80"))
        one(of, f"kind {kind}, longer than the frame", encode_frame(kind, 0, body, length=len(body) + zeros + 1))
        one(of, f"kind {kind}, ack 2^62 + 1", encode_frame(kind, top + 1, body))
        one(of, f"kind {kind}, ack 2^64 - 1", encode_frame(kind, 2**64 - 1, body))
        one("from_phone" if of == "from_desktop" else "from_desktop", f"kind {kind}, of the other direction", encode_frame(kind, 0, body))
    for of in ("from_phone", "from_desktop"):
        for kind in (0, 19, 31, 127, 128, 255):
            one(of, f"kind {kind}", encode_frame(kind, 0, whole[STATUS]))
            one(of, f"kind {kind}, no body", encode_frame(kind, 0, b""))
        for length in (0, 1, 9, 12):
            one(of, f"{length} bytes", encode_frame(SUPERSEDED if of == "from_phone" else BYE, 0, b"", zeros=b"")[:length])
    for name, number in (("2^62 + 1", top + 1), ("2^64 - 1", 2**64 - 1)):
        one("from_phone", f"status, from {name}", status(from_=number))
        one("from_phone", f"status, next {name}", status(next_=number))
        one("from_phone", f"status, an outcome of number {name}", status(outcomes=[(number, request, READ)]))
        one("from_phone", f"ended, an outcome of number {name}", encode_frame(ENDED, 0, b"\x01" + outcomes_bytes([(number, request, READ)])))
        one("from_phone", f"answer to number {name}", encode_frame(ANSWER, 0, n(1) + outcome_bytes(number, request, READ)))
        for kind in (EVENT, OWN_SENT, ANSWER, GAP, FOUND):
            one("from_phone", f"kind {kind}, number {name}", encode_frame(kind, 0, n(number) + whole[kind][8:]))
        one("from_desktop", f"ask, next {name}", encode_frame(ASK, 0, n(2) + n(number - 1) + n(number)))
        one("from_desktop", f"ask, first and next {name}", encode_frame(ASK, 0, n(2) + n(number) + n(number)))
        for kind in (TO_SEND, AS_READ, QUERY):
            one("from_desktop", f"kind {kind}, number {name}", encode_frame(kind, 0, n(number) + whole[kind][8:]))
    for suspended in (5, 16, 255):
        one("from_phone", f"status, suspended {suspended}", status(suspended=suspended))
    for state in (5, 15, 22, 127, 255):
        one("from_phone", f"answer, state {state}", encode_frame(ANSWER, 0, n(1) + outcome_bytes(1, request, state)))
        one("from_phone", f"status, an outcome of state {state}", status(outcomes=[(1, request, state)]))
        one("from_phone", f"ended, an outcome of state {state}", encode_frame(ENDED, 0, b"\x01" + outcomes_bytes([(1, request, state)])))
    one("from_phone", "answer to number 0", encode_frame(ANSWER, 0, n(1) + outcome_bytes(0, request, READ)))
    one("from_phone", "status, an outcome of number 0", status(outcomes=[(0, request, READ)]))
    many = [(i + 1, ids[i], READ) for i in range(65)]
    one("from_phone", "status, 65 outcomes", status(outcomes=many))
    one("from_phone", "ended, 65 outcomes", encode_frame(ENDED, 0, b"\x01" + outcomes_bytes(many)))
    one("from_phone", "status, an outcome less than it says", status(outcomes=ours, count=2))
    one("from_phone", "status, an outcome more than it says", status(outcomes=ours, count=0))
    one("from_phone", "event, neither 0 nor 1", encode_frame(EVENT, 0, event + b"\x02" + ids[1] + b"text"))
    one("from_phone", "event, a shared id that is cut", encode_frame(EVENT, 0, event + b"\x01" + ids[1][:15]))
    for length in (0, 15, 65):
        bad = filler("relay frames bad account", length)
        one("from_phone", f"event, an id of {length} bytes", encode_frame(EVENT, 0, n(1) + n(5) + relay_addr(bad, 0) + ids[0] + b"\0text"))
        one("from_phone", f"own sent, an id of {length} bytes", encode_frame(OWN_SENT, 0, n(1) + n(5) + lp16(bad) + ids[0] + b"text"))
        one("from_desktop", f"to send, an id of {length} bytes", encode_frame(TO_SEND, 0, n(1) + request + n(top) + lp16(bad) + lp16(b"") + b"text"))
        one("from_desktop", f"as read, an id of {length} bytes", encode_frame(AS_READ, 0, n(1) + request + n(top) + relay_addr(bad, 0) + ids[0]))
    one("from_phone", "event, the id's length lies", encode_frame(EVENT, 0, n(1) + n(5) + b"\xff\xff" + address[2:] + ids[0] + b"\0text"))

    # From the desktop, to a phone that has taken nothing and told nothing.
    def asks(nonce=2, first=1, next_=2, ack=0):
        return encode_frame(ASK, ack, n(nonce) + n(first) + n(next_))

    one("from_desktop", "ask", asks(), "ask")
    one("from_desktop", "ask, no request without an answer", asks(first=2), "ask")
    one("from_desktop", "ask, 64 requests", asks(next_=65), "ask")
    one("from_desktop", "ask, nonce 2^64 - 1", asks(nonce=2**64 - 1), "ask")
    one("from_desktop", "ask, the highest numbers", asks(first=top - 64, next_=top), "ask")
    one("from_desktop", "ask, more was shown than was told", asks(ack=1), "went back")
    one("from_desktop", "ask, the highest ack", asks(ack=top), "went back")
    one("from_desktop", "ask, 65 requests", asks(next_=66))
    one("from_desktop", "ask, first 0", asks(first=0))
    one("from_desktop", "ask, first and next 0", asks(first=0, next_=0))
    one("from_desktop", "ask, first above next", asks(first=3))
    one("from_desktop", "acknowledgement", encode_frame(ACKNOWLEDGED, 0, b""), "nothing")
    one("from_desktop", "acknowledgement, no padding", encode_frame(ACKNOWLEDGED, 0, b"", zeros=b""), "nothing")
    one("from_desktop", "acknowledgement of what was not told", encode_frame(ACKNOWLEDGED, 1, b""), "went back")
    one("from_desktop", "bye", encode_frame(BYE, 0, b""), "left")

    def asked(kind, body, number=1, not_after=top):
        return encode_frame(kind, 0, n(number) + ids[2] + n(not_after) + body)

    plain = lp16(account) + lp16(b"") + b"text"
    one("from_desktop", "to send", asked(TO_SEND, plain), "asks the user")
    one("from_desktop", "to send, with associated data", asked(TO_SEND, lp16(account) + lp16(filler("relay ad", 4096)) + b"text"), "asks the user")
    one("from_desktop", "to send, no text, for ever", asked(TO_SEND, lp16(account) + lp16(b""), not_after=2**64 - 1), "asks the user")
    one("from_desktop", "to send, to the longest id", asked(TO_SEND, lp16(long) + lp16(b"x") + b"text"), "asks the user")
    one("from_desktop", "to send, too late", asked(TO_SEND, plain, not_after=1), "answered")
    one("from_desktop", "to send, number 2", asked(TO_SEND, plain, 2), "early")
    one("from_desktop", "to send, number 2^62", asked(TO_SEND, plain, top), "early")
    one("from_desktop", "as read", asked(AS_READ, address + ids[0]), "answered")
    one("from_desktop", "as read, of a companion", asked(AS_READ, relay_addr(long, 2**32 - 1) + ids[0]), "answered")
    one("from_desktop", "query", asked(QUERY, b"text"), "asks the user")
    one("from_desktop", "query, no text", asked(QUERY, b""), "asks the user")
    one("from_desktop", "query, number 2", asked(QUERY, b"text", 2), "early")
    for kind, body in ((TO_SEND, plain), (AS_READ, address + ids[0]), (QUERY, b"text")):
        one("from_desktop", f"kind {kind}, number 0", asked(kind, body, 0))
    one("from_desktop", "to send, the associated data's length lies", asked(TO_SEND, lp16(account) + b"\xff\xfftext"))

    # Longer than a request's associated data can be: a frame, and allowed it is answered, with too long. It is the request that this desktop has out.
    frame = encode_frame(TO_SEND, 0, n(1) + request + n(top) + lp16(account) + lp16(filler("relay ad", 4097)) + b"text")
    out["from_desktop"]["too_long"] = [{
        "name": "to send, associated data of 4,097 bytes", "frame": frame, "said": read_frame_of_relay(frame, False), "state": TOO_LONG,
        "envelope": sealed_at(run, run.desktop, "from_desktop too long", b"\x21\x08" + frame)}]

    # What is sealed in the session, and is no frame, or not in content of kind 1 alone.
    stamp = encode_stamp(None, None)
    for of, device, frame in (("from_phone", run.phone, status()), ("from_desktop", run.desktop, asks())):
        for name, content, ad, expect in (
            ("a frame", b"\x21\x08" + frame, b"", "frame"), ("with the bit of a recovery", b"\xa1\x08" + frame, b"", "frame"),
            ("with a stamp", b"\x61" + stamp + b"\x08" + frame, b"", "refused"), ("of kind 2", b"\x22" + ids[3] + b"\x08" + frame, b"", "refused"),
            ("of kind 4", b"\x24" + ids[4] + b"\x08" + frame, b"", "refused"), ("with associated data", b"\x21\x08" + frame, b"data", "refused"),
            ("heading alone", b"\x21\x08", b"", "refused"), ("no heading", b"\x21", b"", "refused"), ("of kind 3", b"\x03" + ids[5], b"", "message"),
            ("of kind 5", b"\x25" + ids[6] + b"\x08" + frame, b"", "refused"), ("empty", b"", b"", "refused"),
            ("a message", b"\x01hello", b"", "message"), ("a message to the account", b"\x21\x01" + ids[7] + b"hello", b"", "message"),
            ("a frame without its heading", b"\x01" + frame, b"", "message"),
            ("what is passed on to a companion", b"\x21\x09" + n(0) + n(5) + b"\0" + address + ids[8] + b"\0text", b"", "refused"),
        ):
            out["contents"].append({
                "of": of, "name": name, "content": content, "associated_data": ad, "expect": expect,
                "envelope": sealed_at(run, device, f"{of} content {name}", content, ad),
            })
    return out


# ---------------------------------------------------------------------------------------------------------------------------
# relay.json: the upgrade

class Upgrade:
    """A pairing whose desktop becomes a companion, with every part that could be another one."""

    def __init__(self, run, incarnation, device_z, account_z, list_z, signed_at, listed_at):
        self.run, self.phone, self.desktop = run, run.phone, run.desktop
        self.incarnation, self.device_z, self.account_z, self.list_z = incarnation, device_z, account_z, list_z
        self.signed_at, self.listed_at = signed_at, listed_at
        self.body = self.make_body()
        self.account_signed, self.device_signed = (self.signed(x) for x in (b"\x06\x00", b"\x06\x01"))
        self.account_signature = sign_published(self.phone.identity, self.account_signed, account_z)
        self.device_signature = sign_published(self.desktop.identity, self.device_signed, device_z)
        self.certificate = encode_certificate(self.body, self.desktop.public, self.account_signature, self.device_signature)
        self.entries = [(self.desktop.device, 1, self.desktop.public)]
        self.list = self.make_list(list_z)
        self.digest = list_digest(self.phone.account, incarnation, self.phone.public, self.entries)
        check_certificate(self.phone.account, self.desktop.device, self.phone.public, check_list(self.phone.account, self.phone.public, self.list), self.certificate)

    def make_body(self, account=None, device=None, index=1, at=None, incarnation=None):
        return certificate_body(
            account or self.phone.account, self.desktop.device if device is None else device, index, self.signed_at if at is None else at,
            incarnation or self.incarnation)

    def signed(self, prefix, body=None, companion=None):
        return certificate_signed(prefix, body or self.body, self.phone.public, companion or self.desktop.public)

    def make_list(self, z, signs=None, entries=None, next_index=2, epoch=1, incarnation=None, at=None):
        at = self.listed_at if at is None else at
        body = list_body(
            self.phone.account, incarnation or self.incarnation, epoch, at, at + WINDOW, next_index,
            self.entries if entries is None else entries)
        return sign_list(signs or self.phone.identity, body, z)

    def check_offer(self, frame):
        """What the desktop checks of an offer."""
        body = frame["certificate_body"]
        b = read_certificate_body(body)
        refuse_if((b["account_id"], b["device_id"]) != (self.phone.account, self.desktop.device), "another address")
        refuse_if(xeddsa_verify(self.phone.public, self.signed(b"\x06\x00", body), frame["account_signature"]), "account's signature")

    def check_upgraded(self, frame, time):
        devices = check_list(self.phone.account, self.phone.public, frame["device_list"])
        # However old it is: rule 6 does not count here, as it does not at the account's phone.
        refuse_if(which_list(None, devices, time, own_phone=True) != "newer", "the list does not count")
        key = check_certificate(self.phone.account, self.desktop.device, self.phone.public, devices, frame["certificate"])
        refuse_if(key != self.desktop.public, "another key")


def upgrade_frames():
    """Kinds 15 to 18, tried at the ends of a pairing of their own, whose desktop has request 1 out."""
    run = RelayRun(Pairing("upgrade frames", 16))
    at = relay_start(run) + 1_000
    sent = run.request(at, QUERY, b"text", "query")
    start = run.steps
    start.append({"op": "request", "time": at, "what": "query", "text": b"text"} | sent | {"draws": [sent["request_id"], *sent["draws"]]})
    take = run.p.take
    u = Upgrade(run, filler("relay upgrade incarnation", 16), take("device z", 64), take("account z", 64), take("list z", 64), at, at)
    request, ids, n, top = sent["request_id"], [filler(f"relay upgrade id {i}", 16) for i in range(4)], u64be, MAX_COUNTED
    out = {"from_phone": {"taken": [], "refused": []}, "from_desktop": {"taken": [], "refused": []}}
    other = take("another identity", 32)

    def one(of, name, frame, expect=None, **more):
        device = run.phone if of == "from_phone" else run.desktop
        entry = {"name": name, "frame": frame, "envelope": sealed_at(run, device, f"{of} {name}", b"\x21\x08" + frame)}
        try:
            said = read_frame_of_relay(frame, of == "from_phone")
            if said["kind"] == OFFER_FRAME:
                u.check_offer(said)
            if said["kind"] == UPGRADED:
                u.check_upgraded(said, at)
            assert expect is not None, name
            out[of]["taken"].append(entry | {"expect": expect, "said": said} | more)
        except Refused as e:
            assert expect is None, (name, str(e))
            out[of]["refused"].append(entry | {"why": str(e)})

    def offer(number=1, body=None, signature=None, ack=0):
        return encode_frame(OFFER_FRAME, ack, n(number) + ids[0] + lp16(u.body if body is None else body) + (signature or u.account_signature))

    def upgraded(number=1, certificate=None, signed=None):
        return encode_frame(UPGRADED, 0, n(number) + lp16(u.certificate if certificate is None else certificate) + lp16(u.list if signed is None else signed))

    whole = {
        OFFER_FRAME: n(1) + ids[0] + lp16(u.body) + u.account_signature, UPGRADED: n(1) + lp16(u.certificate) + lp16(u.list),
        TO_UPGRADE: n(1) + ids[1] + n(top), ACCEPTANCE: n(1) + ids[1] + n(top) + u.device_signature,
    }
    one("from_phone", "offer", offer(), "offer")
    one("from_phone", "offer 2", offer(2), "early")
    one("from_phone", "upgraded", upgraded(), "upgraded")
    one("from_phone", "upgraded 2", upgraded(2), "early")
    one("from_desktop", "request to upgrade", encode_frame(TO_UPGRADE, 0, whole[TO_UPGRADE]), "asks the user")
    one("from_desktop", "request to upgrade, too late", encode_frame(TO_UPGRADE, 0, n(1) + ids[1] + n(1)), "answered", state=TOO_LATE)
    one("from_desktop", "request to upgrade, number 2", encode_frame(TO_UPGRADE, 0, n(2) + whole[TO_UPGRADE][8:]), "early")
    one("from_desktop", "acceptance, and no offer stands", encode_frame(ACCEPTANCE, 0, whole[ACCEPTANCE]), "answered", state=NO_OFFER)
    one("from_desktop", "acceptance, number 2", encode_frame(ACCEPTANCE, 0, n(2) + whole[ACCEPTANCE][8:]), "early")
    for state in (NO_OFFER, IS_UPGRADED):
        one("from_phone", f"answer, state {state}", encode_frame(ANSWER, 1, n(1) + outcome_bytes(1, request, state)), "answer")
    for kind, body in whole.items():
        of = "from_phone" if kind in FROM_PHONE else "from_desktop"
        for cut in (1, 8, len(body) // 2, len(body)):
            one(of, f"kind {kind}, {cut} bytes cut", encode_frame(kind, 0, body[:-cut]))
        one(of, f"kind {kind}, a byte more", encode_frame(kind, 0, body + b"\0"))
        for length in (0, len(body) - 1, len(body) + 1, 2**32 - 1):
            one(of, f"kind {kind}, length {length}", encode_frame(kind, 0, body, length=length))
        zeros = frame_length(FRONT + len(body)) - FRONT - len(body)
        one(of, f"kind {kind}, the first of the padding", encode_frame(kind, 0, body, zeros=b"\x01" + bytes(zeros - 1)))
        one(of, f"kind {kind}, the last of the padding", encode_frame(kind, 0, body, zeros=bytes(zeros - 1) + b"\x80"))
        one(of, f"kind {kind}, ack 2^62 + 1", encode_frame(kind, top + 1, body))
        one(of, f"kind {kind}, number 2^62 + 1", encode_frame(kind, 0, n(top + 1) + body[8:]))
        one("from_phone" if of == "from_desktop" else "from_desktop", f"kind {kind}, of the other direction", encode_frame(kind, 0, body))
    for kind in (TO_UPGRADE, ACCEPTANCE):
        one("from_desktop", f"kind {kind}, number 0", encode_frame(kind, 0, n(0) + whole[kind][8:]))

    # An offer that does not hold: its frame is well-formed.
    count = 0

    def by(signs, signed):
        nonlocal count
        count += 1
        return sign_published(signs, signed, take(f"wrong z {count}", 64))

    account = run.phone.identity
    flip = lambda x, at=0: x[:at] + bytes([x[at] ^ 1]) + x[at + 1:]
    wrong = lambda name, body: one("from_phone", f"offer, {name}", offer(body=body, signature=by(account, u.signed(b"\x06\x00", body))))
    one("from_phone", "offer, signed by another key", offer(signature=by(other, u.account_signed)))
    one("from_phone", "offer, signed over the device's bytes", offer(signature=by(account, u.device_signed)))
    one("from_phone", "offer, the device's signature", offer(signature=u.device_signature))
    one("from_phone", "offer, signed for another key", offer(signature=by(account, u.signed(b"\x06\x00", companion=public_key(other)))))
    one("from_phone", "offer, a signature altered", offer(signature=flip(u.account_signature)))
    one("from_phone", "offer, a body altered", offer(body=u.make_body(index=2)))
    wrong("another device", u.make_body(device=run.desktop.device ^ 1))
    wrong("another account", u.make_body(account=account_of("relay another", 20)))
    wrong("device 0", u.make_body(device=0))
    wrong("index 0", u.make_body(index=0))
    wrong("linked at 0", u.make_body(at=0))
    wrong("incarnation of 15 bytes", u.make_body(incarnation=bytes(15)))
    wrong("an unknown field", u.body + uint_field(6, 1))
    wrong("no body", b"")

    # What is told as an upgrade and is none.
    z = lambda name: take(f"list {name} z", 64)
    cert = encode_certificate
    one("from_phone", "upgraded, a list that does not name it", upgraded(signed=u.make_list(z("of none"), entries=[])))
    one("from_phone", "upgraded, a list signed by another key", upgraded(signed=u.make_list(z("by another"), signs=other)))
    one("from_phone", "upgraded, a list with another key", upgraded(signed=u.make_list(z("other key"), entries=[(run.desktop.device, 1, public_key(other))])))
    one("from_phone", "upgraded, a list with another index", upgraded(signed=u.make_list(z("other index"), entries=[(run.desktop.device, 2, run.desktop.public)], next_index=3)))
    one("from_phone", "upgraded, a list of another incarnation", upgraded(signed=u.make_list(z("other incarnation"), incarnation=filler("relay other incarnation", 16))))
    one("from_phone", "upgraded, a list issued too far ahead", upgraded(signed=u.make_list(z("ahead"), at=at + TOLERANCE + 1)))
    one("from_phone", "upgraded, a list past its time", upgraded(signed=u.make_list(z("past"), at=at - WINDOW - TOLERANCE - 1)), "upgraded")
    one("from_phone", "upgraded, a list of the first millisecond", upgraded(signed=u.make_list(z("first"), at=1)), "upgraded")
    one("from_phone", "upgraded, no list", upgraded(signed=b""))
    one("from_phone", "upgraded, the list's body alone", upgraded(signed=read_message(u.list[1:], SIGNED_LIST)["body"]))
    one("from_phone", "upgraded, a list and a byte", upgraded(signed=u.list + b"\0"))
    one("from_phone", "upgraded, no certificate", upgraded(certificate=b""))
    one("from_phone", "upgraded, the certificate's body alone", upgraded(certificate=u.body))
    one("from_phone", "upgraded, signatures swapped", upgraded(certificate=cert(u.body, run.desktop.public, u.device_signature, u.account_signature)))
    one("from_phone", "upgraded, the account signs twice", upgraded(certificate=cert(u.body, run.desktop.public, u.account_signature, by(account, u.device_signed))))
    one("from_phone", "upgraded, a certificate of another key", upgraded(certificate=cert(
        u.body, public_key(other), by(account, u.signed(b"\x06\x00", companion=public_key(other))), by(other, u.signed(b"\x06\x01", companion=public_key(other))))))
    return {"phone": run.phone.description, "peer": {"account_id": run.peer.account, "device_id": 0}, "steps": start, "time": at} | out


def offer_and_acceptance(run, at, former=None):
    """From the request to the acceptance. `former`: the upgrade that the account's list is of, where it names the desktop already."""
    phone, desktop, take = run.phone, run.desktop, run.p.take
    wanted = run.request(at, TO_UPGRADE, b"", "upgrade")
    run.step("request", time=at, what="upgrade", **wanted | {"draws": [wanted["request_id"], *wanted["draws"]]})
    at += 1_000
    incarnation = former.incarnation if former else take("incarnation", 16)
    account_z, device_z, list_z = (take(x, 64) for x in ("account z", "device z", "list z"))
    u = Upgrade(run, incarnation, device_z, account_z, list_z, at, at + 3_000)
    frame = run.opens(phone, at, wanted)
    run.takes(frame)
    answer = run.answer(at, frame["number"])
    offer = run.tell(at, OFFER_FRAME, wanted["request_id"] + lp16(u.body) + u.account_signature)
    run.step(
        "phone takes", time=at, envelope=wanted["envelope"], said=frame, word=True, outcome="offers", digest=wanted["digest"], certificate_body=u.body,
        signed_bytes=u.account_signed, account_signature=u.account_signature,
        draws=[*([] if former else [incarnation]), account_z, *answer["draws"], *offer["draws"]], told=[answer, offer])
    run.at_desktop(at + 100, answer)
    frame = run.opens(desktop, at + 100, offer)
    u.check_offer(frame)
    run.shown += 1
    run.step("desktop takes", time=at + 100, envelope=offer["envelope"], frame=offer["frame"], said=frame)
    at += 1_000
    accepts = run.request(at, ACCEPTANCE, u.device_signature, "acceptance")
    run.step("accept", time=at, signed_bytes=u.device_signed, **accepts | {"draws": [device_z, accepts["request_id"], *accepts["draws"]]})
    return u, accepts, at


def taken_in(run, u, accepts, at, list_draws, unsent=()):
    """From the acceptance at the phone to the last acknowledgement."""
    phone, desktop = run.phone, run.desktop
    frame = run.opens(phone, at, accepts)
    assert xeddsa_verify(desktop.public, u.device_signed, frame["device_signature"]) is None
    run.takes(frame)
    answer = run.answer(at, frame["number"])
    upgraded = run.tell(at, UPGRADED, lp16(u.certificate) + lp16(u.list))
    run.upgraded = True
    run.step(
        "phone takes", time=at, envelope=accepts["envelope"], said=frame, word=None, outcome="upgrades", digest=accepts["digest"], certificate=u.certificate,
        list=u.list, list_digest=u.digest, draws=[*list_draws, *answer["draws"], *upgraded["draws"]], told=[answer, upgraded])
    run.at_desktop(at + 100, answer)
    frame = run.opens(desktop, at + 100, upgraded)
    u.check_upgraded(frame, at + 100)
    run.shown += 1
    run.step("desktop takes", time=at + 100, envelope=upgraded["envelope"], frame=upgraded["frame"], said=frame, unsent=list(unsent), settled=[])
    acknowledged = run.from_desktop(at + 100, ACKNOWLEDGED)
    run.step("acknowledge", time=at + 100, **acknowledged)
    frame = run.opens(phone, at + 200, acknowledged)
    assert run.acked == run.next - 1 == run.shown
    run.step("phone takes", time=at + 200, envelope=acknowledged["envelope"], said=frame, word=None, outcome="nothing", draws=[], told=[])


def told_again(run, u, at):
    """A desktop without its upgrade, at a phone that has it in its list."""
    phone, desktop = run.phone, run.desktop
    started = desktop.start("relay upgrade back desktop joins anew", phone, phone.bundles_with[1], at)
    asked = run.ask(at)
    run.step("join anew", time=at, bundle=phone.bundles_with[1], session={"session_id": started["session_id"]}, **asked | {"draws": started["draws"] + asked["draws"]})
    notice = run.from_phone(at, SUPERSEDED, b"")
    frame = run.opens(phone, at, asked)
    assert (frame["ack"], frame["first"], frame["next"], run.taken) == (0, 1, 1, 2)
    count = run.next - 1 - frame["ack"]
    run.acked = run.next - 1
    status = run.status(at, frame)
    gap = run.tell(at, GAP, u64be(count) + u64be(at) + u64be(at))
    upgraded = run.tell(at, UPGRADED, lp16(u.certificate) + lp16(u.list))
    run.step(
        "phone takes", time=at, envelope=asked["envelope"], said=frame, word=True, outcome="joined anew", notice=notice,
        draws=notice["draws"] + status["draws"] + gap["draws"] + upgraded["draws"], told=[status, gap, upgraded])
    at += 1_000
    run.at_desktop(at, status)
    assert (run.shown, run.number, run.answered) == (count, 3, 2)
    asks = run.request(at, QUERY, b"through the phone?", "query")
    one = {"what": "query", "text": b"through the phone?"}
    run.step("request", time=at, **one, **asks | {"draws": [asks["request_id"], *asks["draws"]]})
    frame = run.opens(phone, at, asks)
    run.takes(frame, IS_UPGRADED)
    answer = run.answer(at, 3)
    run.step("phone takes", time=at, envelope=asks["envelope"], said=frame, word=None, outcome="refused", digest=asks["digest"], draws=answer["draws"], state=IS_UPGRADED, told=[answer])

    # And it asks to be upgraded: it is offered its place anew.
    wanted = run.request(at, TO_UPGRADE, b"", "upgrade")
    run.step("request", time=at, what="upgrade", **wanted | {"draws": [wanted["request_id"], *wanted["draws"]]})
    frame = run.opens(phone, at, wanted)
    run.takes(frame)
    answer = run.answer(at, 4)
    body, account_z = u.make_body(at=at), run.p.take("account z", 64)
    signed = u.signed(b"\x06\x00", body)
    signature = sign_published(phone.identity, signed, account_z)
    offer = run.tell(at, OFFER_FRAME, wanted["request_id"] + lp16(body) + signature)
    run.step(
        "phone takes", time=at, envelope=wanted["envelope"], said=frame, word=True, outcome="offers", digest=wanted["digest"], certificate_body=body,
        signed_bytes=signed, account_signature=signature, draws=[account_z, *answer["draws"], *offer["draws"]], told=[answer, offer])
    run.at_desktop(at, gap)
    frame = run.opens(desktop, at, upgraded)
    u.check_upgraded(frame, at)
    run.shown += 1
    run.step("desktop takes", time=at, envelope=upgraded["envelope"], frame=upgraded["frame"], said=frame, unsent=[one | {k: asks[k] for k in ("request_id", "not_after")}], settled=[wanted["request_id"]])
    acknowledged = run.from_desktop(at, ACKNOWLEDGED)
    run.step("acknowledge", time=at, **acknowledged)
    frame = run.opens(phone, at, acknowledged)
    run.step("phone takes", time=at, envelope=acknowledged["envelope"], said=frame, word=None, outcome="nothing", draws=[], told=[])


def upgrade_run():
    """From the request to the first messages that are passed on; and the same where the account's list names the desktop already."""
    run = RelayRun(Pairing("upgrade", 64))
    phone, desktop, peer, take = run.phone, run.desktop, run.peer, run.p.take
    at = relay_start(run) + 1_000
    before, steps_before = copy.deepcopy(run), len(run.steps)
    u, accepts, at = offer_and_acceptance(run, at)

    # What is asked for from then on is queued, and given back.
    queued = []
    for what, text in (("query", b"queued"), ("send", b"queued too")):
        request = take(f"request id queued {what}", 16)
        one = {"request_id": request, "what": what, "text": text, "not_after": at + 60_000}
        if what == "send":
            one |= {"account_id": peer.account, "associated_data": b"bound"}
        queued.append(one)
        run.step("queue", time=at + 10, draws=[request], **one)

    # Acceptances that do not hold, in place of the one that does: each is answered, with no offer.
    other = take("another identity", 32)
    out = []
    for name, signs, signed in (
        ("by another key", other, u.device_signed), ("by the account's key", phone.identity, u.device_signed), ("over the account's bytes", desktop.identity, u.account_signed),
        ("over another body", desktop.identity, u.signed(b"\x06\x01", u.make_body(index=2))), ("of another companion", desktop.identity, u.signed(b"\x06\x01", companion=public_key(other))),
    ):
        signature = sign_published(signs, signed, take(f"acceptance {name} z", 64))
        frame = encode_frame(ACCEPTANCE, run.shown, u64be(2) + accepts["request_id"] + u64be(2**64 - 1) + signature)
        read_frame_of_relay(frame, False)
        out.append({"name": name, "frame": frame, "envelope": sealed_at(run, desktop, f"acceptance {name}", b"\x21\x08" + frame), "state": NO_OFFER})
    refused_after = len(run.steps)
    at += 2_000
    assert at == u.listed_at
    taken_in(run, u, accepts, at, [u.list_z, take("sync key", 32)], queued)

    at += 1_000
    passed_on(run, u, at)

    # The desktop went back behind all this: it joins anew, asks for something, and is told again.
    back = copy.deepcopy(run)
    former = copy.deepcopy(before)
    back.desktop = back.p.desktop = former.desktop
    back.shown, back.number, back.answered, back.asked, back.joining = former.shown, former.number, former.answered, former.asked, True
    back.p.name, back.steps = "upgrade back", []
    told_again(back, u, at + 10_000)

    # Both ends went back behind all this, and the phone has learnt its list again: the same place, the same list, another certificate.
    again = before
    again.p.name, again.steps = "upgrade again", []
    later = at + 10_000
    again.step("learn", time=later, list=u.list)
    anew, accepts, later = offer_and_acceptance(again, later + 1_000, u)
    assert anew.body == u.make_body(at=anew.signed_at) != u.body and anew.certificate != u.certificate
    anew.list, anew.digest = u.list, u.digest
    taken_in(again, anew, accepts, later + 1_000, [])
    return {
        "phone": phone.description, "peer": {"account_id": peer.account, "device_id": 0}, "steps": run.steps,
        "refused_acceptances": {"after": refused_after, "time": u.listed_at, "acceptances": out},
        "told_again": {"after": steps_before, "steps": back.steps}, "listed_already": {"after": steps_before, "steps": again.steps},
    }, forwarded(run, u, at + 20_000)


def passed_on(run, u, at):
    """What a peer says by different lists, and what the phone passes on of it: what has not come to the desktop too."""
    phone, desktop, peer = run.phone, run.desktop, run.peer
    own = (1, u.digest)
    shared, again = (filler(f"relay upgrade {x}", 16) for x in ("shared id", "again"))
    later = {"list": own}
    for name, passes, text, more in (
        ("to the account, by no list", True, b"by no list", {"shared": shared}),
        ("to the account, by epoch 0", True, b"by epoch 0", {"shared": shared, "list": (0, bytes(16))}),
        ("to the account, by the list that names it", False, b"by the list", {"shared": shared} | later),
        ("to the account, by that list, and it is left out", True, b"left out", {"shared": shared, "left_out": (desktop.device,)} | later),
        ("to the account, by that list, and another one is left out", False, b"another is left out", {"shared": shared, "left_out": (desktop.device ^ 1,)} | later),
        ("to the account, by that list, again", True, b"again", {"shared": shared, "again": again} | later),
        ("to the phone alone", True, b"alone", {}), ("to the phone alone, by the list that names it", True, b"", later),
    ):
        stamp = encode_stamp(None, more["list"], more.get("left_out", ())) if "list" in more else b""
        to_account, first = more.get("shared"), more.get("again")
        heading = bytes([TO_ACCOUNT]) + to_account if to_account else b""
        said = peer.send(run.label(), phone, text, b"data", at, kind=AGAIN if first else MESSAGE, first=first, stamp=stamp, heading=heading)
        phone.receive(peer.address, said["wire"], b"data", at, message_content)
        told = []
        if passes:
            body = u64be(0) + u64be(at) + b"\0" + relay_addr(peer.account, 0) + said["message_id"] + (b"\x01" + to_account if to_account else b"\0") + text
            told = [phone.send(run.label(), desktop, body, b"", at, stamp=encode_stamp(own, own), heading=bytes([PASSED_ON]))]
        run.step(
            "peer says", time=at, name=name, envelope=said["wire"], content=said["content"], associated_data=b"data", text=text, shared_id=to_account,
            draws=[d for x in told for d in x["draws"]], told=[{"content": x["content"], "envelope": x["wire"]} for x in told])
        for x in told:
            desktop.receive(phone.address, x["wire"], b"", at, lambda content: (MESSAGE, False, None, content))
            out = read_passed_on(x["plaintext"])
            assert out["message_id"] == said["message_id"] and out["text"] == text
            run.step("passed on", time=at + 10, envelope=x["wire"], said=out)
        at += 1_000


def read_passed_on(text):
    """What stands behind heading 0x09."""
    at = 0

    def take(length):
        nonlocal at
        refuse_if(length > len(text) - at, "body too short")
        at += length
        return text[at - length:at]

    def number(length):
        return int.from_bytes(take(length), "big")

    def account():
        x = take(number(2))
        refuse_if(not 16 <= len(x) <= 64, "length of an account id")
        return x

    out = {"missed": number(8), "time": number(8), "own": number(1)}
    refuse_if(out["own"] > 1, "neither 0 nor 1")
    out["account_id"] = account()
    if not out["own"]:
        out |= {"device_id": number(4), "message_id": take(16)}
        shared = number(1)
        refuse_if(shared > 1, "neither 0 nor 1")
    out["shared_id"] = take(16) if out["own"] or shared else None
    return out | {"text": text[at:]}


def forwarded(run, u, at):
    """What a phone passes on, behind the last step of `upgrade`; all are under one message key, and each is tried at a copy of the state."""
    phone, peer = run.phone, run.peer.account
    own = (1, u.digest)
    stamp = encode_stamp(own, own)
    ids = [filler(f"relay passed on id {i}", 16) for i in range(4)]
    long = filler("relay passed on account", 64)
    n = u64be
    out = {"time": at, "stamp": stamp, "passed_on": [], "refused": []}

    def one(name, text, expect="opens", content=None):
        content = content or b"\x61" + stamp + bytes([PASSED_ON]) + text
        entry = {"name": name, "content": content, "envelope": sealed_at(run, phone, f"passed on {name}", content)}
        try:
            said = read_passed_on(text)
            assert expect == "opens", name
            out["passed_on"].append(entry | {"said": said})
        except Refused as e:
            assert expect == "refused", (name, str(e))
            out["refused"].append(entry | {"why": str(e)})

    def peers(missed=0, time=at, account=peer, device=0, shared=b"\x01" + ids[1], text=b"text", form=b"\0"):
        return n(missed) + n(time) + form + relay_addr(account, device) + ids[0] + shared + text

    def owns(missed=0, time=at, account=peer, text=b"text"):
        return n(missed) + n(time) + b"\x01" + lp16(account) + ids[1] + text

    one("of a peer, to the account", peers())
    one("of a peer, to the phone alone", peers(shared=b"\0"))
    one("of a peer, no text", peers(shared=b"\0", text=b""))
    one("of a peer's companion, of the longest id", peers(account=long, device=2**32 - 1))
    one("of a peer, one was missed", peers(missed=1))
    one("of a peer, the highest numbers", peers(missed=2**64 - 1, time=2**64 - 1))
    one("what the account has sent", owns())
    one("what the account has sent, no text", owns(text=b""))
    one("what the account has sent, to the longest id", owns(account=long, missed=2))
    one("again, after a retry request", peers(), content=b"\x62" + ids[2] + stamp + bytes([PASSED_ON]) + peers())
    one("without a stamp", peers(), content=b"\x21" + bytes([PASSED_ON]) + peers())
    one("neither form", peers(form=b"\x02"), "refused")
    one("neither with a shared id nor without", peers(shared=b"\x02" + ids[1]), "refused")
    for length in (0, 15, 65):
        bad = filler("relay passed on bad account", length)
        one(f"of a peer, an id of {length} bytes", peers(account=bad), "refused")
        one(f"what the account has sent, an id of {length} bytes", owns(account=bad), "refused")
    whole = {"of a peer": peers(text=b""), "of a peer, to the phone alone": peers(shared=b"\0", text=b""), "what the account has sent": owns(text=b"")}
    for name, text in whole.items():
        for cut in (1, 2, 17, len(text) - 17, len(text) - 16, len(text) - 8, len(text)):
            if cut <= len(text) and len(text) - cut != len(whole["of a peer, to the phone alone"]):
                one(f"{name}, {cut} bytes cut", text[:-cut], "refused")
    return out


def relay_labels(run):
    """What is hashed for each kind of request; and the request itself, as the first, at the same state as `frames`."""
    request, digests = filler("relay label request", 16), []
    for name, kind, body in (
        ("to send", TO_SEND, lp16(account_of("relay label", 16)) + lp16(b"bound") + b"text"),
        ("to send, nothing bound, no text", TO_SEND, lp16(account_of("relay label", 64)) + lp16(b"")),
        ("as read", AS_READ, relay_addr(account_of("relay label", 16), 7) + filler("relay label message", 16)),
        ("query", QUERY, b"text"), ("query, no text", QUERY, b""),
        ("to upgrade", TO_UPGRADE, b""), ("acceptance", ACCEPTANCE, filler("relay label signature", 64)),
    ):
        hashed, digest = request_digest(request, kind, body)
        frame = encode_frame(kind, 0, u64be(1) + request + u64be(MAX_COUNTED) + body)
        digests.append({
            "name": name, "kind": kind, "body": body, "hashed": hashed, "digest": digest, "frame": frame,
            "envelope": sealed_at(run, run.desktop, f"label {name}", b"\x21\x08" + frame)})
    pairing_id = filler("relay label pairing", 16)
    hashed, named = relayed_message_id(pairing_id, request)
    return {"request_id": request, "digests": digests, "message_id": {"pairing_id": pairing_id, "hashed": hashed, "id": named}}


def relay_file():
    p = Pairing("pairing", 64)
    refused = p.refused()
    run, joined, tried, labels = relay_run()
    upgrade, passed_on = upgrade_run()
    return {
        "about": "The relay (docs/relay.md): the pairing, frames, labels, a whole run, the upgrade",
        "limits": {
            "shortest_frame": SHORTEST, "longest_padded_frame": LONGEST_PADDED, "longest_frame": LONGEST, "highest_number": MAX_COUNTED, "outcomes": MAX_OUTCOMES,
            "requests": MAX_ASKED, "request_text": MAX_REQUEST_TEXT, "request_associated_data": MAX_ASSOCIATED_DATA, "good_for": FOURTEEN_DAYS, "first_ask": FIVE_MINUTES,
        },
        "pairing": {
            "phone": p.phone.description,
            "show": {"time": p.shown_at, "draws": [p.identity, p.ephemeral, p.secret, p.reference], "code": p.code(), "payload": p.payload},
            "scan": {"time": p.scanned_at, "draws": [p.ekp], "ephemeral_public": public_key(p.ekp)} | p.keys,
            "grant": {"time": p.granted_at, "draws": p.grant_draws, "device_id": p.device, "pairing_id": p.pairing_id,
                      "bundle": p.bundle, "sealed_body": p.granted, "sealed": p.seal(p.granted), "message": p.grant},
            "refused": refused, "role_1": p.refused_of_role_1(),
        },
        "padding": paddings(),
        "labels": labels,
        "run": {"phone": run.phone.description, "peer": {"account_id": run.peer.account, "device_id": 0}, "attached_after": joined, "steps": run.steps},
        "went_back": relay_went_back(), "frames": tried,
        "upgrade_frames": upgrade_frames(), "forwarded": passed_on, "upgrade": upgrade,
    }


def companions_file():
    linking = linking_case()
    return {
        "about": "Companions (protocol.md, 8 and 10): device lists, and which one counts; certificates; one linking with what follows from it, another "
                 "with what is to be refused in its course; link codes of both roles; content with stamps and headings",
        "lists": link_lists(), "which_list": list_sequences(), "certificates": certificates(), "linking": linking,
        "second_linking": second_linking(), "codes": link_codes(), "contents": contents(),
    }


def code_file():
    return {"about": "Linking by a typed code (protocol.md, 10 \"Code\"), with what must be refused in its course"} | code_linking()


def supply_file():
    linking = linking_case()
    return {"about": "What the phone of `linking` in companions.json tells its companion (protocol.md, 10 \"Supply\" and \"History\")"} | supply(linking)


def post_quantum_file():
    from post_quantum import post_quantum_file
    return post_quantum_file()


def hidden_file():
    from hidden import hidden_file
    return hidden_file()


FILES = {
    "xeddsa.json": xeddsa_file, "fingerprints.json": fingerprints_file, "prekeys.json": prekeys_file, "x3dh.json": x3dh_file,
    "ratchet.json": ratchet_file, "session.json": session_file, "retry.json": retry_file, "companions.json": companions_file, "code.json": code_file,
    "supply.json": supply_file, "relay.json": relay_file, "post_quantum.json": post_quantum_file,
    "hidden.json": hidden_file,
}


def plain(value):
    """Bytes as lower-case hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    assert value is None or isinstance(value, (bool, int, str)), value
    return value


def main(arguments):
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    known_answers()
    bad = []
    for name, make in FILES.items():
        text = json.dumps(plain(make()), indent=1) + "\n"
        path = pathlib.Path(__file__).resolve().parent / name
        if not arguments:
            path.write_text(text, encoding="ascii")
        elif not path.exists() or path.read_bytes() != text.encode("ascii"):
            bad.append(name)
    for name in bad:
        print(f"{name} differs from what this script makes", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
