"""PQXDH for the vectors: prekeys, bundles, handshakes and sessions of the suites 2 and 3. generate.py calls this and writes post_quantum.json.

What is as of X3DH comes from handshake.py and sessions.py. ML-KEM is `kyber-py`; each key and each decapsulation is checked against that of `cryptography`, and
what a rejected ciphertext gives against FIPS 203, algorithm 18, written out here.

Licence: MIT OR Apache-2.0.
"""

import copy
import functools
import hashlib

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM1024PrivateKey
from kyber_py.ml_kem import ML_KEM_768, ML_KEM_1024

from generate import NOW, TIME
from handshake import BUNDLE, F, addr, encode_bundle, encode_handshake, initiator_dhs, prekey_id, read_bundle, responder_dhs, suites_statement, x3dh
from keys import check_public, enc, parse_enc, public_key, sign_deployed, sign_published, xeddsa_verify
from notation import (
    MAX_ENVELOPE, MAX_HANDSHAKE, NO_PREKEY, Refused, bytes_field, draw, expand, filler, fixed64_field, flip, hkdf, lp, need, read_message, refuse_if,
    sha256, tag, varint,
)
from ratchet import ENVELOPE, HANDSHAKE, Ratchet, encode_header, seal
from sessions import Device, Session, next_start


# ---------------------------------------------------------------------------------------------------------------------------
# protocol.md, 2: KEM keys

COEFFICIENTS = 3329


class Kem:
    """One parameter set."""

    def __init__(self, suite, name, kyber, other, type_byte, key_len, ciphertext_len):
        self.suite, self.name, self.kyber, self.other = suite, name, kyber, other
        self.type_byte, self.key_len, self.ciphertext_len = bytes([type_byte]), key_len, ciphertext_len
        self.label = b"outrigger v1 pqxdh ml-kem-" + name.encode()


KEMS = {
    2: Kem(2, "768", ML_KEM_768, MLKEM768PrivateKey, 0x08, 1184, 1088),
    3: Kem(3, "1024", ML_KEM_1024, MLKEM1024PrivateKey, 0x09, 1568, 1568),
}
BY_TYPE = {kem.type_byte: kem for kem in KEMS.values()}


def coefficients(ek):
    """The numbers of 12 bits that an encapsulation key begins with."""
    vector = ek[:-32]
    for i in range(0, len(vector), 3):
        n = int.from_bytes(vector[i:i + 3], "little")
        yield n & 0xfff
        yield n >> 12


def with_coefficient(encoded, at, value):
    """An encoded key with another coefficient; -1 is the last."""
    count = (len(encoded) - 33) * 2 // 3
    at %= count
    place = 1 + at // 2 * 3
    n = int.from_bytes(encoded[place:place + 3], "little")
    n = n & 0xfff000 | value if at % 2 == 0 else n & 0xfff | value << 12
    out = encoded[:place] + n.to_bytes(3, "little") + encoded[place + 3:]
    assert list(coefficients(out[1:]))[at] == value and len(list(coefficients(out[1:]))) == count
    return out


def parse_kem(encoded):
    """The parameter set of an encoded key."""
    refuse_if(encoded[:1] not in BY_TYPE, "KEM key type")
    kem = BY_TYPE[encoded[:1]]
    refuse_if(len(encoded) != 1 + kem.key_len, "length of a KEM key")
    refuse_if(any(c >= COEFFICIENTS for c in coefficients(encoded[1:])), "a coefficient of a KEM key")
    return kem


class KemKey:
    """A KEM key pair from its seed d || z."""

    def __init__(self, suite, seed):
        self.kem, self.seed = KEMS[suite], seed
        ek, self.expanded = self.kem.kyber.key_derive(seed)
        self.other = self.kem.other.from_seed_bytes(seed)
        assert self.other.public_key().public_bytes_raw() == ek
        self.encoded = self.kem.type_byte + ek
        assert parse_kem(self.encoded) is self.kem
        self.id = kem_id(self.encoded)

    def __deepcopy__(self, _):
        return self

    def decapsulate(self, ciphertext):
        secret = self.kem.kyber.decaps(self.expanded, ciphertext)
        assert secret == self.other.decapsulate(ciphertext)
        return secret

    def rejected(self, ciphertext):
        """Decapsulation of a ciphertext that is not what an encapsulation gives: J(z || c)."""
        secret = self.decapsulate(ciphertext)
        assert secret == hashlib.shake_256(self.seed[32:] + ciphertext).digest(32)
        return secret


def kem_id(encoded):
    return sha256(lp(b"outrigger v1 prekey id") + encoded)[:16]


@functools.cache
def encapsulate(encoded, m):
    """(SS, ciphertext)"""
    kem = parse_kem(encoded)
    secret, ciphertext = kem.kyber._encaps_internal(encoded[1:], m)
    assert len(ciphertext) == kem.ciphertext_len
    return secret, ciphertext


# ---------------------------------------------------------------------------------------------------------------------------
# protocol.md, 4: KEM prekeys and bundles

PQ_BUNDLE = BUNDLE | {8: ("kem_prekey", 2)}
POLICIES = {
    "classic": (b"\x01", None), "prefer 768": (b"\x01\x02", 2), "prefer 1024": (b"\x01\x03", 3), "require 768": (b"\x02", 2), "require 1024": (b"\x03", 3),
}


def kem_statement(opk, encoded, flag=None):
    """`opk` is `Enc(OPK)`, or nothing."""
    flag = flag if flag is not None else b"\0" if opk else b"\x01"
    return b"outrigger v1 kem prekey" + flag + lp(opk or b"") + encoded


def check_pq_bundle(bundle, account, device):
    """(IK, SPK, OPK or None, (parameter set, Enc(KEM)) or None), or a refusal."""
    m, identity, spk, opk = read_bundle(bundle, account, device, PQ_BUNDLE)
    suites = m["suites"]
    if "kem_prekey" not in m:
        refuse_if(any(suite in KEMS for suite in suites), "a KEM prekey is promised, and there is none")
        return identity, spk, opk, None
    refuse_if(len(m["kem_prekey"]) not in (1249, 1633), "length of kem_prekey")
    encoded, signature = m["kem_prekey"][:-64], m["kem_prekey"][-64:]
    kem = parse_kem(encoded)
    refuse_if(kem.suite not in suites, "a KEM prekey of a suite that is not named")
    refuse_if(xeddsa_verify(identity, kem_statement(opk and enc(opk), encoded), signature), "KEM prekey signature")
    return identity, spk, opk, (kem, encoded)


# ---------------------------------------------------------------------------------------------------------------------------
# protocol.md, 6: PQXDH

def pqxdh(suite, dhs, secret, ika, ikb, address_a, address_b, ek, spk, opk, encoded, ciphertext, started_at, label=None, parts=None, ikm=None):
    """All values of a handshake. The last three stand for what is none: another label, other parts of T at its end, another order of the secrets."""
    ikm = F + b"".join(dhs) + secret if ikm is None else ikm
    sk = hkdf(bytes(32), ikm, label or KEMS[suite].label, 32)
    parts = lp(encoded) + lp(ciphertext) if parts is None else parts
    t = sha256(
        lp(b"outrigger v1 transcript") + lp(bytes([1, suite])) + lp(enc(ika)) + lp(enc(ikb)) + lp(address_a) + lp(address_b)
        + lp(enc(ek)) + lp(enc(spk)) + lp(enc(opk) if opk else b"") + parts
    )
    pq = kem_id(encoded) + ciphertext
    return {
        "dh1": dhs[0], "dh2": dhs[1], "dh3": dhs[2], "dh4": dhs[3] if opk else None, "shared_secret": secret, "kdf_input": ikm, "sk": sk,
        "transcript": t, "root_key": expand(sk, b"outrigger v1 session root" + t, 32), "session_id": expand(sk, b"outrigger v1 session id" + t, 8),
        "started_at": started_at, "pq": pq, "handshake": encode_handshake(ika, ek, spk, opk, started_at, bytes_field(5, pq)),
    }


def read_handshake(suite, handshake):
    """(IKa, EKa, id of SPK, id of OPK or None, pq or None, started_at)"""
    hs = read_message(handshake, HANDSHAKE)
    ik, ek = parse_enc(need(hs, "identity_key", 33)), parse_enc(need(hs, "ephemeral_key", 33))
    spk = need(hs, "signed_prekey_id", 16)
    opk = need(hs, "one_time_prekey_id", 16) if "one_time_prekey_id" in hs else None
    refuse_if("started_at" not in hs, "started_at is 0")
    refuse_if(("pq" in hs) != (suite in KEMS), "pq is there under the suites 2 and 3 and under no other")
    pq = need(hs, "pq", 16 + KEMS[suite].ciphertext_len) if suite in KEMS else None
    return ik, ek, spk, opk, pq, hs["started_at"]


# ---------------------------------------------------------------------------------------------------------------------------
# protocol.md, 8: devices and sessions

class PqSession(Session):
    def __init__(self, suite, *arguments):
        super().__init__(*arguments)
        self.suite = suite

    def front(self):
        carried = self.initiator and not self.answered
        return bytes([1, self.suite]) + fixed64_field(1, self.id) + (bytes_field(2, self.handshake) if carried else b"")


class PqDevice(Device):
    def __init__(self, name, account, device, issued_at, one_time_prekeys, policy):
        self.policy = policy
        super().__init__(name, account, device, issued_at, one_time_prekeys)

    def make_prekeys(self, name, issued_at, one_time_prekeys):
        suites, suite = POLICIES[self.policy]

        def statement(opk, key, z):
            signed = kem_statement(opk, key.encoded)
            field = key.encoded + sign_published(self.identity, signed, z)
            assert len(field) in (1249, 1633)
            front = signed[:-len(key.encoded)]
            return {"signed_in_front": front, "signature": field[-64:], "upload": (bytes_field(7, opk) if opk else b"") + bytes_field(8, field)}

        spk, z1 = draw(f"{name} signed prekey", 32), draw(f"{name} signed prekey signature", 64)
        draws, self.kem_keys, last = [spk, z1], {}, None
        if suite:
            self.last_resort = KemKey(suite, draw(f"{name} last resort", 64))
            z = draw(f"{name} last resort signature", 64)
            draws += [self.last_resort.seed, z]
            last = {"key": self.last_resort} | statement(None, self.last_resort, z)
        z2 = draw(f"{name} suites signature", 64)
        draws.append(z2)
        self.signed_prekeys, self.one_time_prekeys = {prekey_id(public_key(spk)): spk}, {}
        signed = suites_statement(self.account, self.device, issued_at, suites)
        spk_signature = sign_published(self.identity, enc(public_key(spk)), z1)
        suites_signature = sign_published(self.identity, signed, z2)
        one_time = []
        for i in range(one_time_prekeys):
            private = draw(f"{name} one-time prekey {i}", 32)
            public = public_key(private)
            draws.append(private)
            one = {"private": private, "public": public, "id": prekey_id(public)}
            if suite:
                key, z = KemKey(suite, draw(f"{name} one-time prekey {i} seed", 64)), draw(f"{name} one-time prekey {i} signature", 64)
                draws += [key.seed, z]
                self.kem_keys[prekey_id(public)] = key
                one |= {"key": key} | statement(enc(public), key, z)
            else:
                one["upload"] = bytes_field(7, enc(public))
            self.one_time_prekeys[one["id"]] = private
            one_time.append(one)
        self.bundle = encode_bundle(enc(self.public), suites, issued_at, suites_signature, enc(public_key(spk)), spk_signature)
        self.bundle_of_last_resort = self.bundle + (last["upload"] if last else b"")
        self.bundles_with = [self.bundle + one["upload"] for one in one_time]
        for bundle in [self.bundle_of_last_resort, *self.bundles_with]:
            check_pq_bundle(bundle, self.account, self.device)
        return {
            "policy": self.policy, "draws": draws, "issued_at": issued_at, "suites": suites,
            "signed_prekey_private": spk, "signed_prekey_public": public_key(spk), "signed_prekey_id": prekey_id(public_key(spk)),
            "signed_prekey_signature": spk_signature, "suites_signed_bytes": signed, "suites_signature": suites_signature,
            "last_resort": last, "one_time_prekeys": one_time, "bundle": self.bundle,
        }

    def start(self, name, peer, bundle, time):
        self.expire(peer.address, time)
        identity, spk, opk, (kem, encoded) = check_pq_bundle(bundle, peer.account, peer.device)
        refuse_if(identity == self.public, "own identity key")
        self.pin(peer.address, identity)
        assert peer.address not in self.active
        started_at = next_start(time, None)
        ek, m, first = draw(f"{name} ephemeral key", 32), draw(f"{name} encapsulation", 32), draw(f"{name} first ratchet key", 32)
        secret, ciphertext = encapsulate(encoded, m)
        x = pqxdh(
            kem.suite, initiator_dhs(self.identity, ek, identity, spk, opk), secret, self.public, identity, self.address, peer.address,
            public_key(ek), spk, opk, encoded, ciphertext, started_at,
        )
        ratchet = Ratchet.initiator(x["root_key"], first, spk)
        session = PqSession(kem.suite, x, ratchet, True, opk is not None, time)
        self.pinned[peer.address], self.active[peer.address] = identity, session
        self.ephemeral, self.m = ek, m
        return {
            "draws": [ek, m, first], "bundle": bundle, "suite": kem.suite, "ephemeral_private": ek, "ephemeral_public": public_key(ek),
            "ciphertext": ciphertext, "ratchet_private": first, "ratchet_public": public_key(first),
        } | x | {"dh": ratchet.first_dh, "root_after": ratchet.root, "chain": ratchet.send_chain, "weak": session.weak}

    def _receive(self, peer, envelope, associated_data, time, read):
        refuse_if(len(envelope) > MAX_ENVELOPE, "envelope too long")
        refuse_if(envelope[:1] != b"\x01", "version")
        suite = envelope[1]
        refuse_if(suite not in (1, *KEMS), "suite")
        m = read_message(envelope[2:], ENVELOPE, 2)
        session_id = need(m, "session_id", 8)
        refuse_if(len(m.get("handshake", b"")) > MAX_HANDSHAKE, "handshake too long")
        key = check_public(need(m, "ratchet_key", 32))
        pn, n = m.get("previous_counter", 0), m.get("counter", 0)
        refuse_if("pq" in m, "pq in the envelope")
        sealed, at = need(m, "ciphertext", 28, MAX_ENVELOPE), m["ciphertext at"]
        known = [s for s in self.sessions(peer) if s.id == session_id]
        hs_ik = hs_opk = None
        if known:
            session = known[0]
            refuse_if(session.suite != suite, "suite other than the session's")
        else:
            refuse_if("handshake" not in m, "no such session", 1)
            session, hs_ik, hs_opk = self.from_pq_handshake(peer, suite, m["handshake"], session_id)
        made_of = None if known else (hs_ik, hs_opk)
        return self.take_in(peer, session, made_of, envelope, (key, pn, n, envelope[:at], sealed), associated_data, time, read)

    def use_up(self, opk):
        super().use_up(opk)
        self.kem_keys.pop(opk, None)   # it goes with the other; the list has the first alone
        return {"one_time_prekeys_deleted": [opk] if opk else None}

    def from_pq_handshake(self, peer, suite, handshake, session_id):
        """The session that a handshake makes; nothing is kept yet. (session, IKa, the one-time prekey's id or None)"""
        ik, ek, spk, opk, pq, started_at = read_handshake(suite, handshake)
        refuse_if(ik == self.public, "own identity key")
        refuse_if(spk not in self.signed_prekeys, "unknown signed prekey", NO_PREKEY)
        refuse_if(opk and opk not in self.one_time_prekeys, "unknown one-time prekey", NO_PREKEY)
        spk_private, opk_private = self.signed_prekeys[spk], self.one_time_prekeys[opk] if opk else None
        opk_public = public_key(opk_private) if opk else None
        dhs = responder_dhs(self.identity, spk_private, opk_private, ik, ek)
        arguments = (ik, self.public, peer, self.address, ek, public_key(spk_private), opk_public)
        if suite == 1:
            x = x3dh(dhs, *arguments, started_at)
            refuse_if(x["session_id"] != session_id, "session id other than the derived one")
            return PqSession(suite, x, Ratchet.responder(x["root_key"], spk_private), False, opk is not None, None), ik, opk
        held = self.kem_keys[opk] if opk else self.last_resort
        refuse_if(pq[:16] != held.id or held.kem.suite != suite, "not the KEM prekey that goes with it", NO_PREKEY)
        x = pqxdh(suite, dhs, held.decapsulate(pq[16:]), *arguments, held.encoded, pq[16:], started_at)
        refuse_if(x["session_id"] != session_id, "session id other than the derived one")
        assert session_id not in self.remembered.get(peer, []), "no session is lost in this file"
        assert x["handshake"] == handshake
        return PqSession(suite, x, Ratchet.responder(x["root_key"], spk_private), False, opk is not None, None), ik, opk


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


# ---------------------------------------------------------------------------------------------------------------------------
# 4. sessions

class Exchange:
    """One whole exchange: a starts with b. c is a third device, of which there is no record."""

    def __init__(self, blobs, suite, with_opk):
        self.kem, self.with_opk, self.blobs = KEMS[suite], with_opk, blobs
        self.suite, self.name = suite, f"{self.kem.name}, {'one-time' if with_opk else 'last resort'}"
        accounts = {x: (account_of(f"session {self.name} {x}"), 0) for x in "abc"}
        policy = f"prefer {self.kem.name}"
        # b's own size; a prefers the other one, which changes nothing: the bundle says which.
        policies = {"a": "prefer 1024" if suite == 2 else "prefer 768", "b": policy}
        self.device = {
            x: PqDevice(f"pq session {self.name} {x}", *accounts[x], TIME + i, 3 if x == "b" else 0, policies[x]) for i, x in enumerate("ab")
        }
        self.c = {"account_id": accounts["c"][0], "device_id": 0, "identity": draw(f"pq session {self.name} c identity", 32)}
        for x in "ab":
            name_keys(blobs, f"session {self.name}, {x}", self.device[x])
        self.addresses = {x: addr(*accounts[x]) for x in "abc"}
        b = self.device["b"]
        self.one_time = b.description["prekeys"]["one_time_prekeys"]
        self.opk = self.one_time[0]["public"] if with_opk else None
        self.key = self.one_time[0]["key"] if with_opk else b.last_resort
        self.steps, self.after, self.sent, self.count = [], [], {}, {"a": 0, "b": 0}

    def start(self):
        b = self.device["b"]
        bundle = b.bundles_with[0] if self.with_opk else b.bundle_of_last_resort
        out = self.device["a"].start(f"pq session {self.name} start", b, bundle, NOW)
        self.blobs.ciphertext(f"session {self.name}, ciphertext", out["ciphertext"])
        self.steps.append({"op": "start", "by": "a", "with": "b", "name": "start"} | out)
        self.x = out

    def send(self, by):
        label, to = f"{by}{self.count[by]}", "b" if by == "a" else "a"
        self.count[by] += 1
        i = len(self.steps)
        body, ad = filler(f"pq session {self.name} text {i}", (12, 0, 1, 40)[i % 4]), filler(f"pq session {self.name} data {i}", (0, 8, 33)[i % 3])
        out = self.device[by].send(f"pq session {self.name} {label}", self.device[to], body, ad, NOW)
        out["envelope"] = out.pop("wire")
        self.sent[label] = i
        self.steps.append({"op": "send", "by": by, "to": to, "name": label} | out)

    def receive(self, by, label):
        sent, peer = self.steps[self.sent[label]], "b" if by == "a" else "a"
        out = self.device[by].receive(self.addresses[peer], sent["envelope"], sent["associated_data"], NOW)
        assert all(out[same] == sent[same] for same in ("session_id", "message_id", "message_key", "content", "plaintext", "kind"))
        self.steps.append({"op": "receive", "by": by, "from": peer, "name": label, "envelope": self.sent[label], "expect": "opens"} | out)

    def attempt(self, name, by, sender, envelope, expect, why, associated_data=b"data", reason=None):
        out = {}
        try:
            out, result = self.device[by].receive(self.addresses[sender], envelope, associated_data, NOW), "opens"
        except Refused as e:
            result = e.kind
            assert result != "ask" or e.ask == reason, (name, e.ask)
        assert result == expect, (self.name, name, result, why)
        return {"name": name, "by": by, "from": sender, "envelope": envelope, "associated_data": associated_data, "expect": expect, "why": why} | (
            {"reason": reason} if expect == "ask" else {}) | {k: out[k] for k in ("session_id", "message_id", "kind", "recovered", "plaintext", "weak") if out}

    def try_now(self, *arguments, **more):
        self.steps.append({"op": "try"} | self.attempt(*arguments, **more))

    def try_after(self, *arguments, **more):
        self.after.append(self.attempt(*arguments, **more))

    def forge(self, what, sender="a", key=None, opk="same", named_opk="same", kdf_suite=None, suite=None, secret=None, ciphertext=None, pq=None,
              field_5=None, more=b"", header_more=b"", label=None, **wrong):
        """A first envelope to b in which each part can be chosen; the rest follows from it, as a sender makes it who takes that part for right."""
        b = self.device["b"]
        key = key or self.key
        opk = self.opk if opk == "same" else opk
        named = opk if named_opk == "same" else named_opk
        if sender == "a":
            identity, ek, m = self.device["a"].identity, self.device["a"].ephemeral, self.device["a"].m
        else:
            identity, ek, m = self.c["identity"], *(draw(f"pq session {self.name} forged {what} {n}", 32) for n in ("ephemeral key", "encapsulation"))
        own = encapsulate(key.encoded, m)
        secret, ciphertext = own[0] if secret is None else secret, ciphertext or own[1]
        spk = public_key(next(iter(b.signed_prekeys.values())))
        suite = self.suite if suite is None else suite
        x = pqxdh(
            suite, initiator_dhs(identity, ek, b.public, spk, opk), secret, public_key(identity), b.public, self.addresses[sender],
            self.addresses["b"], public_key(ek), spk, opk, key.encoded, ciphertext, NOW, label=label or KEMS[kdf_suite or self.suite].label, **wrong,
        )
        pq = x["pq"] if pq is None else pq
        handshake = encode_handshake(
            public_key(identity), public_key(ek), spk, named, NOW, bytes_field(5, pq) if field_5 is None else field_5,
        ) + more
        ratchet = Ratchet.initiator(x["root_key"], draw(f"pq session {self.name} forged {what} ratchet key", 32), spk)
        out, message_key = ratchet.step_and_key(None)
        front = bytes([1, suite]) + fixed64_field(1, x["session_id"]) + bytes_field(2, handshake)
        front += encode_header(out["ratchet_public"], out["previous_counter"], out["counter"]) + header_more
        return seal(message_key, draw(f"pq session {self.name} forged {what} nonce", 12), front, b"\x01hello", x["transcript"], b"data")["wire"]

    def refusals(self):
        """What b must refuse while it has nothing on record of a."""
        b, suite, key = self.device["b"], self.suite, self.key
        other_suite = 5 - suite
        sent = self.steps[self.sent["a0"]]
        honest, ad, ciphertext, pq = sent["envelope"], sent["associated_data"], self.x["ciphertext"], self.x["pq"]
        assert honest.count(pq) == 1

        def altered(what, envelope, why, reason=None):
            assert envelope != honest, what
            self.try_now(what, "b", "a", envelope, "ask" if reason else "refused", why, associated_data=ad, reason=reason)

        def forged(what, why, reason=None, **more):
            self.try_now(what, "b", "a", self.forge(what, **more), "ask" if reason else "refused", why, reason=reason)

        def with_handshake(change):
            """The honest envelope with another handshake, lengths put right."""
            assert honest[2:3] == b"\x09" and honest[11:12] == b"\x12"
            handshake = self.x["handshake"]
            assert bytes_field(2, handshake) in honest
            return honest.replace(bytes_field(2, handshake), bytes_field(2, change(handshake)))

        field_5 = bytes_field(5, pq)
        again = lambda field: with_handshake(lambda h: h.replace(field_5, field))

        a, spk = self.device["a"], public_key(next(iter(b.signed_prekeys.values())))
        ek = public_key(a.ephemeral)
        dhs = initiator_dhs(a.identity, a.ephemeral, b.public, spk, self.opk)

        # The ciphertext.
        rejected = "decapsulation gives another secret, and so the derived session id is another one"
        for what, wrong in (("first byte", flip(ciphertext, 0)), ("last byte", flip(ciphertext, -1))):
            altered(f"ciphertext, {what}", honest.replace(ciphertext, wrong), rejected)
        wrong = flip(ciphertext, len(ciphertext) // 2)
        other = encapsulate(self.one_time[1]["key"].encoded, a.m)[1]
        altered("ciphertext for another key", honest.replace(ciphertext, other), rejected)
        there = pqxdh(
            suite, dhs, key.rejected(wrong), a.public, b.public, self.addresses["a"], self.addresses["b"], ek, spk, self.opk, key.encoded, wrong, NOW,
        )
        changed = honest.replace(ciphertext, wrong)
        altered("ciphertext, and the session id that b derives", changed.replace(fixed64_field(1, self.x["session_id"]), fixed64_field(1, there["session_id"])),
                "the derived session id is right, the tag does not verify")
        forged("ciphertext altered before T", rejected, ciphertext=flip(ciphertext, 7))

        # Which KEM prekey.
        stranger = KemKey(suite, draw(f"pq session {self.name} stranger's KEM key", 64))
        pairs = [("of another one-time prekey", self.one_time[1]["key"])]
        pairs.append(("of the last resort", b.last_resort) if self.with_opk else ("of a one-time prekey", self.one_time[0]["key"]))
        for what, wrong_key in pairs:
            rule = "a one-time KEM prekey goes with its curve key, the last resort with none"
            altered(f"id {what}", again(bytes_field(5, wrong_key.id + ciphertext)), rule, NO_PREKEY)
            forged(f"KEM prekey {what}", rule + "; all else follows from it", NO_PREKEY, key=wrong_key)
            forged(f"id {what}, all else from its own", rule, NO_PREKEY, pq=wrong_key.id + ciphertext)
        altered("id with a bit flipped", again(bytes_field(5, flip(pq, 0))), "a prekey id that b does not hold", NO_PREKEY)
        altered("id with its last bit flipped", again(bytes_field(5, flip(pq, 15))), "a prekey id that b does not hold", NO_PREKEY)
        forged("KEM prekey of a stranger", "a prekey id that b does not hold", NO_PREKEY, key=stranger)
        if self.with_opk:
            forged("no curve key, its KEM prekey", "the KEM prekey goes with the curve key; all else follows", NO_PREKEY, opk=None)
            altered("curve key not named", with_handshake(lambda h: h.replace(bytes_field(4, prekey_id(self.opk)), b"")), "no curve key is named", NO_PREKEY)
            forged("the other curve key", "the KEM prekey goes with the first; all else follows", NO_PREKEY, opk=self.one_time[1]["public"])
            altered("curve key exchanged", honest.replace(prekey_id(self.opk), self.one_time[1]["id"]), "the KEM prekey goes with the first", NO_PREKEY)
        else:
            forged("a curve key beside the last resort", "the last resort goes with no curve key; all else follows", NO_PREKEY, opk=self.one_time[0]["public"])
            altered("curve key named", with_handshake(lambda h: h.replace(field_5, bytes_field(4, self.one_time[0]["id"]) + field_5)),
                    "the last resort goes with no curve key", NO_PREKEY)
            forged("curve key named, three secrets", "the last resort goes with no curve key", NO_PREKEY, named_opk=self.one_time[0]["public"])

        # The suite.
        filled = (pq + bytes(480))[:16 + KEMS[other_suite].ciphertext_len]
        for byte in (0, 1, other_suite, 4, 0x10, 0xff):
            altered(f"suite byte {byte:#04x}", honest[:1] + bytes([byte]) + honest[2:], "suite")
        forged("suite 1, derived so", "a KEM part under suite 1", suite=1)
        forged("suite 1, of X3DH", "a KEM part under suite 1; all else is X3DH", suite=1, secret=b"", parts=b"", label=b"outrigger v1 x3dh",
               ikm=F + b"".join(dhs))
        altered(f"suite byte {other_suite:#04x}, a ciphertext of that length",
                honest[:1] + bytes([other_suite]) + again(bytes_field(5, filled))[2:], "b holds no such KEM prekey of that suite", NO_PREKEY)
        forged(f"suite {other_suite}, derived so", "length of pq", suite=other_suite, kdf_suite=other_suite)
        forged(f"suite {other_suite}, derived so, of the right length", "b holds no such KEM prekey of that suite", NO_PREKEY, suite=other_suite, kdf_suite=other_suite, pq=filled)
        forged("suite 4, derived so", "suite", suite=4)

        # pq, and its shape.
        altered("no pq", again(b""), "pq is there under the suites 2 and 3")
        forged("no pq, derived without it", "pq is there under the suites 2 and 3", field_5=b"", parts=b"", ikm=F + b"".join(dhs))
        for what, value in (("of no bytes", b""), ("of one byte", b"\0"), ("the id alone", pq[:16]), ("a byte short", pq[:-1]), ("a byte long", pq + b"\0"),
                            ("no id", ciphertext), ("2,048 bytes", (pq + bytes(2048))[:2048]), ("2,049 bytes", (pq + bytes(2049))[:2049])):
            altered(f"pq, {what}", again(bytes_field(5, value)), "length of pq")
        forged("pq a byte long", "length of pq; T and the secret are right", pq=pq + b"\0")
        altered("pq twice", again(field_5 * 2), "a field twice")
        forged("pq after started_at", "ascending order; T and the secret are right", field_5=b"", more=field_5)
        forged("pq in the envelope's header", "field 6 is for a post-quantum ratchet; the tag verifies", header_more=bytes_field(6, bytes(16)))

        # What the secrets and T are made of.
        ss = self.x["shared_secret"]
        derived = "not the derived session id"
        forged("label of X3DH", derived, label=b"outrigger v1 x3dh")
        forged("label of the other size", derived, label=KEMS[other_suite].label)
        forged("no shared secret", derived, ikm=F + b"".join(dhs))
        forged("shared secret first", derived, ikm=F + ss + b"".join(dhs))
        forged("no F", derived, ikm=b"".join(dhs) + ss)
        forged("T of X3DH", derived, parts=b"")
        forged("T without the ciphertext", derived, parts=lp(key.encoded))
        forged("T without the key", derived, parts=lp(ciphertext))
        forged("T with them swapped", derived, parts=lp(ciphertext) + lp(key.encoded))
        forged("T with no lengths", derived, parts=key.encoded + ciphertext)
        forged("T with the id for the key", derived, parts=lp(key.id) + lp(ciphertext))

    def settled(self):
        """Once there is a session."""
        sent = self.steps[self.sent["a2"]]
        honest, ad, other_suite = sent["envelope"], sent["associated_data"], 5 - self.suite
        assert honest[:2] == bytes([1, self.suite]) and honest[11] == 0x1a
        for byte in (1, other_suite, 4):
            self.try_now(f"suite byte {byte:#04x} in a session", "b", "a", honest[:1] + bytes([byte]) + honest[2:], "refused", "the suite is in the head",
                         associated_data=ad)
            session = copy.deepcopy(self.device["a"].active[self.addresses["b"]])
            out, key = session.ratchet.step_and_key(None)
            for what, more in ((f"suite byte {byte:#04x}, sealed so", b""), ("pq in the header, sealed so", bytes_field(6, bytes(16)))):
                if more and byte != 1:
                    continue
                front = bytes([1, self.suite if more else byte]) + fixed64_field(1, session.id)
                front += encode_header(out["ratchet_public"], out["previous_counter"], out["counter"]) + more
                nonce = draw(f"pq session {self.name} {what} nonce", 12)
                self.try_now(what, "b", "a", seal(key, nonce, front, b"\x01text", session.t, b"data")["wire"], "refused",
                             "field 6 is for a post-quantum ratchet; the tag verifies" if more else "suite other than the session's; the tag verifies")

    def run(self):
        self.start(), self.send("a"), self.send("a")
        self.refusals()
        a0, a1 = (self.steps[self.sent[label]] for label in ("a0", "a1"))
        self.receive("b", "a1" if self.with_opk else "a0")
        self.try_now("the first again", "b", "a", (a1 if self.with_opk else a0)["envelope"], "repeat", "opened before",
                     associated_data=(a1 if self.with_opk else a0)["associated_data"])
        self.receive("b", "a0" if self.with_opk else "a1")
        self.send("b"), self.receive("a", "b0")
        self.send("a"), self.settled(), self.receive("b", "a2")
        self.send("b"), self.receive("a", "b1")
        # Another device, with the same keys.
        if self.with_opk:
            self.try_after("one-time prekey again", "b", "c", self.forge("again", "c"), "ask", "both its halves are used up", reason=NO_PREKEY)
            self.try_after("its KEM prekey alone", "b", "c", self.forge("again, KEM", "c", opk=None), "ask", "it is used up", reason=NO_PREKEY)
        else:
            self.try_after("last resort again", "b", "c", self.forge("again", "c"), "opens", "it is for more than once")
        other = self.one_time[1]
        self.try_after("the other one-time prekey", "b", "c", self.forge("other", "c", key=other["key"], opk=other["public"]), "opens", "what was refused has used up nothing")
        self.try_after("the last resort", "b", "c", self.forge("last", "c", key=self.device["b"].last_resort, opk=None), "opens", "it stays")
        # X3DH with one who knows no other: the curve half of a one-time prekey is good for it, and takes the KEM half with it.
        third = self.one_time[2]
        classic = self.forge("classic", "c", opk=third["public"], suite=1, secret=b"", parts=b"", label=b"outrigger v1 x3dh", field_5=b"")
        self.try_after("X3DH", "b", "c", classic, "opens", "suite 1 is named too")
        self.try_after("X3DH with its KEM prekey", "b", "c", self.forge("after classic", "c", key=third["key"], opk=third["public"]), "ask",
                       "both its halves are used up", reason=NO_PREKEY)
        assert [s["expect"] for s in self.after].count("opens") == 4 - self.with_opk
        devices = {x: d.description for x, d in self.device.items()}
        devices["c"] = {k: self.c[k] for k in ("account_id", "device_id")} | {"identity_private": self.c["identity"]}
        return {"name": self.name, "suite": self.suite, "time": NOW, "devices": devices, "steps": self.steps, "after": self.after}


def post_quantum_file():
    blobs = Blobs()
    out = {
        "uploads": uploads(blobs), "bundles": bundles(blobs), "handshakes": handshakes(blobs),
        "sessions": [Exchange(blobs, suite, with_opk).run() for suite in KEMS for with_opk in (True, False)],
    }
    about = "PQXDH: prekeys, bundles, handshakes and whole sessions of the suites 2 and 3 (protocol.md, 2 to 6). Long values are in the first two tables, which lists of parts refer to"
    return {"about": about, "kem_keys": blobs.keys, "ciphertexts": blobs.ciphertexts} | blobs.pack(out)
