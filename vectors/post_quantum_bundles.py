"""Cases of post_quantum.json: uploads, bundles and handshakes, and long values that the file holds once.

Licence: MIT OR Apache-2.0.
"""

import functools
import hashlib

from handshake import addr, encode_bundle, encode_handshake, initiator_dhs, prekey_id, responder_dhs, suites_statement
from keys import enc, public_key, sign_deployed, sign_published
from notation import NOW, TIME, Refused, bytes_field, draw, filler, flip, lp, tag, varint
from post_quantum import KEMS, KemKey, PqDevice, check_pq_bundle, encapsulate, kem_statement, pqxdh, read_handshake, with_coefficient


# ---------------------------------------------------------------------------------------------------------------------------
# The file: long values once, by name

class Blobs:
    """KEM keys and ciphertexts that the file holds once. A value with a part of one in it is a list of parts, of which `=name` stands for the bytes of that
    name and `=name from..to` for some of them."""

    WINDOW = 32

    def __init__(self):
        self.keys, self.ciphertexts, self.data, self.windows = {}, {}, {}, {}

    def add(self, into, name, data, entry):
        assert name not in self.data and data not in self.data.values(), name
        into[name], self.data[name] = entry, data
        for at in range(len(data) - self.WINDOW + 1):
            self.windows.setdefault(data[at:at + self.WINDOW], (name, at))

    def key(self, name, key):
        key.name = name
        self.add(self.keys, name, key.encoded, {"suite": key.kem.suite, "seed": key.seed, "encoded": key.encoded.hex(), "id": key.id})
        return key

    def ciphertext(self, name, data):
        self.add(self.ciphertexts, name, data, data.hex())

    def pack(self, value):
        if isinstance(value, KemKey):
            return value.name
        if isinstance(value, dict):
            return {k: self.pack(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.pack(v) for v in value]
        if not isinstance(value, bytes) or len(value) < 256:
            return value
        parts, at, plain_from = [], 0, 0
        while at < len(value):
            name, start = self.windows.get(value[at:at + self.WINDOW], (None, 0))
            if name is None:
                at += 1
                continue
            data, end = self.data[name], start
            while end < len(data) and at + end - start < len(value) and data[end] == value[at + end - start]:
                end += 1
            parts += [value[plain_from:at]] * (plain_from < at) + [f"={name}" + f" {start}..{end}" * (end - start != len(data))]
            at += end - start
            plain_from = at
        return parts + [value[plain_from:]] * (plain_from < at) if parts else value


def account_of(name, length=16):
    return filler(f"account pq {name}", length)


# ---------------------------------------------------------------------------------------------------------------------------
# 1. uploads

def uploads(blobs):
    out = []
    for i, (policy, length, device, one_time) in enumerate([
        ("prefer 768", 16, 0, 2), ("prefer 1024", 64, 0, 2), ("require 768", 17, 0, 1), ("require 1024", 16, 0, 0), ("classic", 16, 0, 1),
    ]):
        d = PqDevice(f"pq uploads {policy}", account_of(f"uploads {policy}", length), device, TIME + i, one_time, policy)
        name_keys(blobs, f"uploads {policy}", d)
        out.append({"name": policy} | d.description)
    return out


def name_keys(blobs, name, device):
    prekeys = device.description["prekeys"]
    if prekeys["last_resort"]:
        blobs.key(f"{name} last resort", prekeys["last_resort"]["key"])
    for i, one in enumerate(prekeys["one_time_prekeys"]):
        if "key" in one:
            blobs.key(f"{name} one-time {i}", one["key"])


# ---------------------------------------------------------------------------------------------------------------------------
# 2. bundles, by hand. Each that is refused differs from an acceptable one in the thing that it is named for.

def bundles(blobs):
    private, stranger = draw("pq bundles identity key", 32), draw("pq bundles another identity key", 32)
    account_id, device = account_of("bundles"), 0
    spk = enc(public_key(draw("pq bundles signed prekey", 32)))
    opk, other_opk = (enc(public_key(draw(f"pq bundles {what} prekey", 32))) for what in ("one-time", "other one-time"))
    key, other_key, large, other_large = (
        blobs.key(f"bundles {name}", KemKey(suite, draw(f"pq bundles {name}", 64))).encoded
        for suite, name in ((2, "768"), (2, "768, another"), (3, "1024"), (3, "1024, another"))
    )
    accepted, refused = [], []
    drawn = {}

    def z(what):
        """The same statement is signed with the same bytes, so that one bundle differs from the next in one thing."""
        if what not in drawn:
            drawn[what] = draw(f"pq bundles signature {len(drawn)}", 64)
        return drawn[what]

    @functools.cache
    def signature(signer, signed, sign=sign_published):
        return sign(signer, signed, z((signer, signed, sign)))

    def make(suites, opk, kem, signed=None, signer=private, sign=sign_published, shown=None, field=None, change=lambda b: b, spk_signature=None):
        """`kem` is what is sent as `Enc(KEM)`; `signed` what is signed for it; `shown` the suites that are sent in place of the signed ones."""
        statement = suites_statement(account_id, device, TIME, suites)
        bundle = encode_bundle(
            enc(public_key(private)), shown or suites, TIME, signature(private, statement, sign), spk,
            spk_signature or signature(private, spk, sign), opk,
        )
        if field is None and kem is not None:
            field = bytes_field(8, kem + signature(signer, kem_statement(opk, kem) if signed is None else signed, sign))
        return change(bundle + (field or b""))

    def take(name, why, suites, opk, kem, uses=None, **more):
        bundle = make(suites, opk, kem, **more)
        found = check_pq_bundle(bundle, account_id, device)
        assert found[3] is None and uses is None or found[3][0].suite == uses, name
        accepted.append({"name": name, "bundle": bundle, "one_time": opk is not None, "kem_suite": uses, "why": why})

    def refuse(name, why, suites, opk, kem, **more):
        bundle = make(suites, opk, kem, **more)
        assert all(bundle != other["bundle"] for other in accepted + refused), name
        try:
            check_pq_bundle(bundle, account_id, device)
        except Refused as e:
            kind = "stripped" if "promised" in str(e) else "signature" if str(e).endswith("signature") else "shape"
            refused.append({"name": name, "bundle": bundle, "kind": kind, "why": why})
            return
        raise AssertionError(name)

    both, larger = b"\x01\x02", b"\x01\x03"
    sizes = (("768", both, key, other_key, 2, b"\x02"), ("1024", larger, large, other_large, 3, b"\x03"))
    for name, suites, k, _, suite, alone in sizes:
        for how, o in (("one-time", opk), ("last resort", None)):
            take(f"{name}, {how}", "as made by a device", suites, o, k, suite)
            take(f"{name} alone, {how}", "no other suite is named", alone, o, k, suite)
            take(f"{name}, {how}, deployed form", "signatures of the deployed form are accepted", suites, o, k, suite, sign=sign_deployed)
        take(f"{name} and suites not known", "suites that are not known are no error", suites + b"\x10\x7f\xff", opk, k, suite)
        for at in (0, -1):
            take(f"{name}, coefficient 3328, {'last' if at else 'first'}", "the highest", suites, opk, with_coefficient(k, at, 3328), suite)
        take(f"{name}, all zero", "each coefficient is below 3329, and nothing more is asked of a key", suites, None, k[:1] + bytes(len(k) - 1), suite)
    take("classic", "neither field 8 nor a suite that wants it", b"\x01", opk, None)
    take("classic, none left", "neither field 8 nor a suite that wants it", b"\x01", None, None)
    take("classic and suites not known", "suites that are not known want no field 8", b"\x01\x04\x10\xff", opk, None)

    for suites in (b"\x01\x02", b"\x01\x03", b"\x02", b"\x03", b"\x01\x02\x03", b"\x01\x02\x10"):
        for how, o in (("with a one-time prekey", opk), ("without", None)):
            refuse(f"stripped, suites {suites.hex()}, {how}", "the suites promise a KEM prekey", suites, o, None)
    for suites, k in (
        (b"\x01", key), (b"\x01", large), (b"\x01\x02", large), (b"\x01\x03", key), (b"\x02", large), (b"\x03", key),
    ):
        for how, o in (("one-time", opk), ("last resort", None)):
            refuse(f"suites {suites.hex()}, {how} of type {k[0]:#04x}", "the KEM prekey is of a suite that is not named", suites, o, k)
    for name, suites, k, other, suite, _ in sizes:
        n = f"{name}, "
        refuse(n + "suites cut to 1", "the suites are signed", suites, opk, k, shown=b"\x01")
        refuse(n + "suites cut to 1, field 8 taken out", "the suites are signed", suites, opk, None, shown=b"\x01")
        refuse(n + "suites of the other size", "the suites are signed", b"\x01", opk, k, shown=suites)
        # Whose statement, and of what.
        refuse(n + "the curve key without its type", "Enc(OPK) is signed", suites, opk, k, signed=kem_statement(opk[1:], k, b"\0"))
        refuse(n + "the curve key without its length", "Enc(OPK) is length-prefixed", suites, opk, k, signed=b"outrigger v1 kem prekey\0" + opk + k)
        refuse(n + "one-time, field 7 taken out", "the KEM key goes with that curve key", suites, None, k, signed=kem_statement(opk, k))
        refuse(n + "one-time, beside another curve key", "the KEM key goes with that curve key", suites, other_opk, k, signed=kem_statement(opk, k))
        refuse(n + "last resort, field 7 put in", "a last-resort key stands alone", suites, opk, k, signed=kem_statement(None, k))
        refuse(n + "last resort, a classic one-time prekey", "a last-resort key stands alone", suites, other_opk, k, signed=kem_statement(None, k))
        for how, o in (("one-time", opk), ("last resort", None)):
            h = f"{n}{how}: "
            mine = kem_statement(o, k)
            good = signature(private, mine)
            refuse(h + "signed by another", "KEM prekey signature", suites, o, k, signer=stranger)
            for at in (0, 31, 32, 62):
                refuse(f"{h}byte {at} of the signature", "KEM prekey signature", suites, o, k, field=bytes_field(8, k + flip(good, at)))
            refuse(h + "no signature but zeros", "KEM prekey signature", suites, o, k, field=bytes_field(8, k + bytes(64)))
            refuse(h + "another key", "the signature is that of another KEM key", suites, o, other, signed=mine)
            refuse(h + "one byte of the key", "KEM prekey signature", suites, o, flip(k, -1), signed=mine)
            refuse(h + "over Enc(KEM) alone", "the label, the flag and the curve key are signed", suites, o, k, signed=k)
            refuse(h + "over the key without its type", "Enc(KEM) is signed", suites, o, k, signed=kem_statement(o, k[1:]))
            refuse(h + "no label", "the label is signed", suites, o, k, signed=mine[23:])
            refuse(h + "label with its length", "the label is not length-prefixed", suites, o, k, signed=lp(mine[:23]) + mine[23:])
            refuse(h + "label of the suites", "label", suites, o, k, signed=b"outrigger v1 suites" + mine[23:])
            refuse(h + "Enc(KEM) with its length", "Enc(KEM) is not length-prefixed", suites, o, k, signed=mine[:-len(k)] + lp(k))
            refuse(h + "signature of the signed prekey", "a signature moved", suites, o, k, field=bytes_field(8, k + signature(private, spk)))
            refuse(h + "signature of the suites", "a signature moved", suites, o, k,
                   field=bytes_field(8, k + signature(private, suites_statement(account_id, device, TIME, suites))))
            refuse(h + "its signature at the signed prekey", "a signature moved", suites, o, k, spk_signature=good)
            refuse(h + "the signatures swapped", "each is over the other's bytes", suites, o, k, spk_signature=good,
                   field=bytes_field(8, k + signature(private, spk)))
            for flag in (0, 1, 2, 0xff):
                for whose, named in (("no curve key", None), ("its curve key", opk), ("another curve key", other_opk)):
                    signed = kem_statement(named, k, bytes([flag]))
                    if signed != mine and make(suites, o, k, signed=signed) not in [x["bundle"] for x in refused]:
                        refuse(f"{h}flag {flag}, {whose}", "flag or curve key", suites, o, k, signed=signed)
        other_size = large if suite == 2 else key
        refuse(n + "signature of the other size", "a signature moved", suites + (b"\x03" if suite == 2 else b""), opk, k, signed=kem_statement(opk, other_size))
        # What is no key; the statement says the same.
        for type_byte in (0, 1, 5, 7, 8, 9, 0x0a, 0x88):
            if type_byte != k[0]:
                for all_suites in (suites, b"\x01\x02\x03"):
                    refuse(f"{n}type {type_byte:#04x}, suites {all_suites.hex()}", "type byte of another size, or of none", all_suites, opk, bytes([type_byte]) + k[1:])
        refuse(n + "a curve key", "Enc of another sort", suites, opk, spk)
        for what, wrong in (("a byte short", k[:-1]), ("a byte long", k + b"\0"), ("no bytes", b""), ("the type byte alone", k[:1]),
                            ("cut to the other size" if suite == 3 else "filled to the other size", (k + bytes(384))[:len(other_size)])):
            refuse(n + what, "length", suites, opk, wrong)
        refuse(n + "no signature", "length", suites, opk, k, field=bytes_field(8, k))
        refuse(n + "a signature of 63 bytes", "length", suites, opk, k, field=bytes_field(8, (k + signature(private, kem_statement(opk, k)))[:-1]))
        refuse(n + "field 8 of no bytes", "length", suites, opk, k, field=bytes_field(8, b""))
        for at in (0, 1, -2, -1):
            where = {0: "first", 1: "second", -2: "last but one", -1: "last"}[at]
            for value in (3329, 4095):
                refuse(f"{n}coefficient {value}, {where}", "a coefficient of 3329 or more", suites, opk, with_coefficient(k, at, value))
            refuse(f"{n}last resort, coefficient 3329, {where}", "a coefficient of 3329 or more", suites, None, with_coefficient(k, at, 3329))
        # How it is written.
        field = bytes_field(8, k + signature(private, kem_statement(opk, k)))
        value = field[3:]
        assert field[:1] == b"\x42" and field == field[:1] + varint(len(value)) + value
        refuse(n + "field 8 twice", "a field twice", suites, opk, k, field=field * 2)
        refuse(n + "field 8 twice, last resort", "a field twice", suites, None, k, field=bytes_field(8, k + signature(private, kem_statement(None, k))) * 2)
        refuse(n + "the one-time and the last resort", "a field twice", suites, opk, k,
               field=field + bytes_field(8, other + signature(private, kem_statement(None, other))))
        refuse(n + "field 8 in front of field 7", "ascending order", suites, opk, k, change=lambda b: b.replace(bytes_field(7, opk) + field, field + bytes_field(7, opk)))
        refuse(n + "field 9", "unknown field", suites, opk, k, field=field + bytes_field(9, b"x"))
        refuse(n + "as field 9", "unknown field", suites, opk, k, field=b"\x4a" + field[1:])
        refuse(n + "field 8 as a number", "wire type", suites, opk, k, field=tag(8, 0) + b"\x01")
        length = varint(len(value))
        refuse(n + "long length", "varint not of least length", suites, opk, k, field=b"\x42" + length[:-1] + bytes([length[-1] | 128, 0]) + value)
        refuse(n + "truncated", "the last byte is missing", suites, opk, k, field=field[:-1])
        refuse(n + "trailing byte", "a byte too many", suites, opk, k, field=field + b"\0")
    refuse("two sizes, both promised", "a field twice", b"\x01\x02\x03", opk, key,
           field=b"".join(bytes_field(8, k + signature(private, kem_statement(opk, k))) for k in (key, large)))
    return {"account_id": account_id, "device_id": device, "identity_public": public_key(private), "accepted": accepted, "refused": refused}


# ---------------------------------------------------------------------------------------------------------------------------
# 3. handshakes

def handshakes(blobs):
    out = []
    for i, (suite, with_opk, a, da, b, db, at) in enumerate([
        (2, True, 16, 0, 16, 0, NOW), (2, False, 64, 2**32 - 1, 16, 0, 1), (3, True, 16, 1, 64, 0, 2**64 - 1), (3, False, 64, 0, 64, 0, NOW + 1),
    ]):
        name = f"{KEMS[suite].name}, {'one-time' if with_opk else 'last resort'}"
        keys = {n: draw(f"pq handshake {name} {n}", 32) for n in ("IKa", "EKa", "IKb", "SPKb")}
        opk = draw(f"pq handshake {name} OPKb", 32) if with_opk else None
        key = blobs.key(f"handshake {name}", KemKey(suite, draw(f"pq handshake {name} KEM", 64)))
        m, z = draw(f"pq handshake {name} m", 32), {n: draw(f"pq handshake {name} {n}", 64) for n in ("KEM z", "SPKb z", "suites z")}
        accounts = [(account_of(f"handshake {i} a", a), da), (account_of(f"handshake {i} b", b), db)]
        address_a, address_b = (addr(*one) for one in accounts)
        public = {n: public_key(k) for n, k in keys.items()}
        opk_public = public_key(opk) if opk else None
        secret, ciphertext = encapsulate(key.encoded, m)
        assert secret == key.decapsulate(ciphertext)
        assert secret != hashlib.shake_256(key.seed[32:] + ciphertext).digest(32)
        blobs.ciphertext(f"handshake {name}, ciphertext", ciphertext)

        def both(secret, ciphertext):
            arguments = (public["IKa"], public["IKb"], address_a, address_b, public["EKa"], public["SPKb"], opk_public, key.encoded, ciphertext, at)
            x = pqxdh(suite, initiator_dhs(keys["IKa"], keys["EKa"], public["IKb"], public["SPKb"], opk_public), secret, *arguments)
            assert x == pqxdh(suite, responder_dhs(keys["IKb"], keys["SPKb"], opk, public["IKa"], public["EKa"]), secret, *arguments)
            return x

        x = both(secret, ciphertext)
        altered = []
        other_ciphertext = encapsulate(KemKey(suite, draw(f"pq handshake {name} another KEM", 64)).encoded, m)[1]
        for what, wrong in (
            ("first byte", flip(ciphertext, 0)), ("a byte in the middle", flip(ciphertext, len(ciphertext) // 2)), ("last byte", flip(ciphertext, -1)),
            ("all zero", bytes(len(ciphertext))), ("one for another key", other_ciphertext),
        ):
            y = both(key.rejected(wrong), wrong)
            assert y["shared_secret"] != secret and y["session_id"] != x["session_id"]
            altered.append({"name": what, "ciphertext": wrong} | {
                k: y[k] for k in ("shared_secret", "sk", "transcript", "root_key", "session_id")
            })
        other = KEMS[5 - suite]
        pq, shapes = x["pq"], []

        def shape(name, why, field_5, suite=suite, more=b"", with_opk=True):
            handshake = encode_handshake(
                public["IKa"], public["EKa"], public["SPKb"], opk_public if with_opk else None, at, b"".join(field_5),
            ) + more
            try:
                read_handshake(suite, handshake)
            except Refused:
                shapes.append({"name": name, "suite": suite, "handshake": handshake, "why": why})
                return
            raise AssertionError(name)

        field = bytes_field(5, pq)
        shape("no pq", "pq is there under the suites 2 and 3", [])
        shape("no pq, suite of the other size", "pq is there under the suites 2 and 3", [], other.suite)
        shape("under suite 1", "pq is there under the suites 2 and 3 alone", [field], 1)
        for length in (0, 1, 16):
            shape(f"pq of {length} bytes under suite 1", "pq is there under the suites 2 and 3 alone", [bytes_field(5, pq[:length])], 1, with_opk=False)
        for what, value in (("of no bytes", b""), ("of one byte", pq[:1]), ("the id alone", pq[:16]), ("no id", ciphertext), ("a byte short", pq[:-1]),
                            ("a byte long", pq + b"\0"), ("of the other size", (pq + bytes(480))[:16 + other.ciphertext_len])):
            shape(f"pq, {what}", "length of pq", [bytes_field(5, value)])
            shape(f"pq, {what}, no one-time prekey", "length of pq", [bytes_field(5, value)], with_opk=False)
        shape("suite of the other size", "length of pq", [field], other.suite)
        shape("pq twice", "a field twice", [field, field])
        shape("pq in front of the one-time prekey's id", "ascending order", [field, bytes_field(4, prekey_id(public["SPKb"]))], with_opk=False)
        shape("pq after started_at", "ascending order", [], more=field)
        shape("pq as a number", "wire type", [tag(5, 0) + b"\1"])
        shape("field 7", "unknown field", [field], more=bytes_field(7, b"x"))
        shape("long length", "varint not of least length", [tag(5, 2) + varint(len(pq))[:-1] + bytes([varint(len(pq))[-1] | 128, 0]) + pq])
        suites = bytes([1, suite])
        sign = lambda message, which: sign_published(keys["IKb"], message, z[which])
        bundle = encode_bundle(
            enc(public["IKb"]), suites, TIME, sign(suites_statement(*accounts[1], TIME, suites), "suites z"), enc(public["SPKb"]),
            sign(enc(public["SPKb"]), "SPKb z"), opk_public and enc(opk_public),
        ) + bytes_field(8, key.encoded + sign(kem_statement(opk_public and enc(opk_public), key.encoded), "KEM z"))
        check_pq_bundle(bundle, *accounts[1])
        out.append({
            "name": name, "suite": suite,
            "initiator": {
                "account_id": accounts[0][0], "device_id": da, "address": address_a, "identity_private": keys["IKa"], "identity_public": public["IKa"],
                "ephemeral_private": keys["EKa"], "ephemeral_public": public["EKa"], "encapsulation": m, "draws": [keys["EKa"], m],
            },
            "responder": {
                "account_id": accounts[1][0], "device_id": db, "address": address_b, "identity_private": keys["IKb"], "identity_public": public["IKb"],
                "signed_prekey_private": keys["SPKb"], "signed_prekey_public": public["SPKb"], "signed_prekey_id": prekey_id(public["SPKb"]),
                "one_time_prekey_private": opk, "one_time_prekey_public": opk_public, "one_time_prekey_id": prekey_id(opk_public) if opk else None,
                "key": key, "bundle": bundle,
            },
            "ciphertext": ciphertext,
        } | x | {"altered": altered, "refused": shapes})
    return out
