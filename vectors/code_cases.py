"""protocol.md, 10 "Code": cases of companions.json and code.json.

Licence: MIT OR Apache-2.0.
"""

import base64
import functools
import re

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from companions import account_of, link_keys, with_mac
from keys import (
    P, Q, cpace_generator, cpace_generator_string, cpace_isk, cpace_shared, dh, from_le, le, multiply, parse_enc, public_key, ristretto_encode,
)
from notation import NOW, Refused, bytes_field, draw, hkdf, refuse_if, uint_field


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
