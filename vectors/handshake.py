"""protocol.md, 3, 4 and 6: addresses, statements, safety numbers, prekeys, bundles and X3DH.

Licence: MIT OR Apache-2.0.
"""

import hashlib

from keys import dh, enc, parse_enc, public_key, xeddsa_verify
from notation import MAX_BUNDLE, MAX_NUMBER_STATEMENT, bytes_field, expand, hkdf, lp, need, read_message, refuse_if, sha256, u32be, u64be, uint_field


# ---------------------------------------------------------------------------------------------------------------------------
# protocol.md, 3 and 4: addresses, statements, safety numbers, prekeys, bundles

def addr(account, device):
    assert 16 <= len(account) <= 64
    return lp(account) + u32be(device)


def suites_statement(account, device, issued_at, suites):
    return b"outrigger v1 suites" + b"\0" + lp(account) + u32be(device) + u64be(issued_at) + lp(suites)


def number_statement(account, issued_at, number):
    return b"outrigger v1 number" + b"\0" + lp(account) + u64be(issued_at) + lp(number)


def encode_number(number, issued_at, signature):
    return b"\x01" + bytes_field(1, number) + uint_field(2, issued_at) + bytes_field(3, signature)


def check_number(account, identity, statement):
    refuse_if(len(statement) > MAX_NUMBER_STATEMENT, "number statement too long")
    refuse_if(statement[:1] != b"\x01", "version")
    m = read_message(statement[1:], {1: ("number", 2), 2: ("issued_at", 0), 3: ("signature", 2)})
    number = need(m, "number", 8, 16)
    refuse_if(number[:1] != b"+" or not number[1:].isdigit() or number[1:2] == b"0", "not an E.164 number")
    refuse_if("issued_at" not in m, "issued_at is 0")
    signed = number_statement(account, m["issued_at"], number)
    refuse_if(xeddsa_verify(identity, signed, need(m, "signature", 64)), "signature")


def fingerprint(key, identifier):
    x = b"\0\0" + key + identifier
    for _ in range(5200):
        x = hashlib.sha512(x + key).digest()
    return x


def half(x):
    return "".join("%05d" % (int.from_bytes(x[5 * i:5 * i + 5], "big") % 100000) for i in range(6))


def scannable(local, remote):
    return uint_field(1, 1) + bytes_field(2, bytes_field(1, local[:32])) + bytes_field(3, bytes_field(1, remote[:32]))


def prekey_id_input(u):
    return lp(b"outrigger v1 prekey id") + enc(u)


def prekey_id(u):
    return sha256(prekey_id_input(u))[:16]


def encode_bundle(identity, suites, issued_at, suites_signature, spk, spk_signature, opk=None, version=b"\x01"):
    """The keys are given as their 33 bytes."""
    return (
        version
        + bytes_field(1, identity)
        + bytes_field(2, suites)
        + uint_field(3, issued_at)
        + bytes_field(4, suites_signature)
        + bytes_field(5, spk)
        + bytes_field(6, spk_signature)
        + (bytes_field(7, opk) if opk else b"")
    )


BUNDLE = {
    1: ("identity_key", 2), 2: ("suites", 2), 3: ("issued_at", 0), 4: ("suites_signature", 2), 5: ("signed_prekey", 2),
    6: ("signed_prekey_signature", 2), 7: ("one_time_prekey", 2),
}


def read_bundle(bundle, account, device, shape=BUNDLE):
    """(its fields, IK, SPK, OPK or None) of a bundle whose two signatures verify."""
    refuse_if(len(bundle) > MAX_BUNDLE, "bundle too long")
    refuse_if(bundle[:1] != b"\x01", "version")
    m = read_message(bundle[1:], shape)
    identity = parse_enc(need(m, "identity_key", 33))
    suites = need(m, "suites", 1, 16)
    refuse_if(suites[0] == 0 or list(suites) != sorted(set(suites)), "suites not ascending or zero")
    refuse_if("issued_at" not in m, "issued_at is 0")
    spk = parse_enc(need(m, "signed_prekey", 33))
    opk = parse_enc(m["one_time_prekey"]) if "one_time_prekey" in m else None
    signed = suites_statement(account, device, m["issued_at"], suites)
    refuse_if(xeddsa_verify(identity, signed, need(m, "suites_signature", 64)), "suites signature")
    refuse_if(xeddsa_verify(identity, enc(spk), need(m, "signed_prekey_signature", 64)), "signed prekey signature")
    return m, identity, spk, opk


def check_bundle(bundle, account, device):
    """(IK, SPK, OPK or None), or a refusal."""
    return read_bundle(bundle, account, device)[1:]


# ---------------------------------------------------------------------------------------------------------------------------
# protocol.md, 6: X3DH

F = b"\xff" * 32
VERSION_AND_SUITE = b"\x01\x01"


MAX_START = 2**64 - 1


def encode_handshake(ik, ek, spk, opk, started_at, field_5=b"", field_6=None):
    """`field_5` and `field_6` stand for what is no handshake: the encoded fields, `field_6` in place of `started_at`."""
    return (
        bytes_field(1, enc(ik)) + bytes_field(2, enc(ek)) + bytes_field(3, prekey_id(spk))
        + (bytes_field(4, prekey_id(opk)) if opk else b"")
        + field_5 + (uint_field(6, started_at) if field_6 is None else field_6)
    )


def x3dh(dhs, ika, ikb, address_a, address_b, ek, spk, opk, started_at=1, label=b"outrigger v1 x3dh"):
    """All values that follow from the DH outputs and the public keys; the same at both sides. `started_at` is in the handshake alone."""
    assert 0 < started_at <= MAX_START
    ikm = F + b"".join(dhs)
    sk = hkdf(bytes(32), ikm, label, 32)
    transcript_input = (
        lp(b"outrigger v1 transcript") + lp(VERSION_AND_SUITE) + lp(enc(ika)) + lp(enc(ikb)) + lp(address_a) + lp(address_b)
        + lp(enc(ek)) + lp(enc(spk)) + lp(enc(opk) if opk else b"")
    )
    t = sha256(transcript_input)
    return {
        "dh1": dhs[0], "dh2": dhs[1], "dh3": dhs[2], "dh4": dhs[3] if opk else None,
        "kdf_input": ikm, "sk": sk, "transcript_input": transcript_input, "transcript": t,
        "root_key": expand(sk, b"outrigger v1 session root" + t, 32),
        "session_id": expand(sk, b"outrigger v1 session id" + t, 8),
        "started_at": started_at, "handshake": encode_handshake(ika, ek, spk, opk, started_at),
    }


def initiator_dhs(ik_private, ek_private, ikb, spk, opk):
    return [dh(ik_private, spk), dh(ek_private, ikb), dh(ek_private, spk)] + ([dh(ek_private, opk)] if opk else [])


def responder_dhs(ik_private, spk_private, opk_private, ika, ek):
    return [dh(spk_private, ika), dh(ik_private, ek), dh(spk_private, ek)] + ([dh(opk_private, ek)] if opk_private else [])


def x3dh_initiator(ik_private, ek_private, ikb, spk, opk, address_a, address_b, started_at):
    dhs = initiator_dhs(ik_private, ek_private, ikb, spk, opk)
    return x3dh(dhs, public_key(ik_private), ikb, address_a, address_b, public_key(ek_private), spk, opk, started_at)


def x3dh_responder(ik_private, spk_private, opk_private, ika, ek, address_a, address_b, started_at):
    dhs = responder_dhs(ik_private, spk_private, opk_private, ika, ek)
    opk = public_key(opk_private) if opk_private else None
    return x3dh(dhs, ika, public_key(ik_private), address_a, address_b, ek, public_key(spk_private), opk, started_at)
