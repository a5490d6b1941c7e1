"""PQXDH for the vectors: prekeys, bundles, handshakes and sessions of the suites 2 and 3.

What is as of X3DH comes from handshake.py and sessions.py. ML-KEM is `kyber-py`; each key and each decapsulation is checked against that of `cryptography`, and
what a rejected ciphertext gives against FIPS 203, algorithm 18, written out here.

Licence: MIT OR Apache-2.0.
"""

import functools
import hashlib

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM1024PrivateKey
from kyber_py.ml_kem import ML_KEM_768, ML_KEM_1024

from handshake import BUNDLE, F, encode_bundle, encode_handshake, initiator_dhs, prekey_id, read_bundle, responder_dhs, suites_statement, x3dh
from keys import check_public, enc, parse_enc, public_key, sign_published, xeddsa_verify
from notation import MAX_ENVELOPE, MAX_HANDSHAKE, NO_PREKEY, bytes_field, draw, expand, fixed64_field, hkdf, lp, need, read_message, refuse_if, sha256
from ratchet import ENVELOPE, HANDSHAKE, Ratchet
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
