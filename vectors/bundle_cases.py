"""Cases of prekeys.json and x3dh.json.

Licence: MIT OR Apache-2.0.
"""

from handshake import (
    MAX_START, addr, check_bundle, check_number, encode_bundle, encode_number, number_statement, prekey_id, prekey_id_input, suites_statement,
    x3dh_initiator, x3dh_responder,
)
from keys import LOW_ORDER, P, enc, le, public_key, sign_deployed, sign_published, xeddsa_sign
from notation import NOW, TIME, Refused, bytes_field, draw, filler, sha256, uint_field
from sessions import Device
from signature_cases import FIXED_Z


# ---------------------------------------------------------------------------------------------------------------------------
# prekeys.json



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
