"""Encrypted headers for the vectors: the header AEAD and the ratchet alone. generate.py calls this and writes hidden.json; notes and sessions are in hidden_sessions.py.

What a ratchet with headers in clear has too comes from ratchet.py.

Licence: MIT OR Apache-2.0.
"""

import copy

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ratchet_cases import HAND_MADE, RatchetCase
from keys import P, check_public, dh, public_key
from notation import (
    MAX_ASSOCIATED_DATA, MAX_ENVELOPE, MAX_SEALED, NO_CHAIN, TOO_FAR, Draws, Refused, draw, filler, flip, hkdf, lp, refuse_if, seed, u32be,
)
from ratchet import MAX_SKIP, OLD_CHAINS, Ratchet, kdf_ck, seal_behind

ZEROS, SEALED_HEADER = 16, 88
NEVER = 2**32 - 1                   # as PN or N


# -1 as a private key has the base point, u = 9, as its public key, and the other's key as the shared secret: the one honest use of a key that has a second encoding.
NINE, NINE_AGAIN = bytes([9]) + bytes(31), (P + 9).to_bytes(32, "little")


# ---------------------------------------------------------------------------------------------------------------------------
# protocol.md, 2 and 5: the header AEAD

def encode_header(key, pn, n):
    return key + u32be(pn) + u32be(n)


def hencrypt(key, nonce, header, zeros=bytes(ZEROS), associated_data=None):
    """The last two stand for what is no header."""
    return nonce + AESGCM(key).encrypt(nonce, zeros + header, associated_data)


def hdecrypt(key, data):
    """(ratchet key, PN, N), or None where the key is not the one; a header that is to be refused is one that no key opens."""
    try:
        text = AESGCM(key).decrypt(data[:16], data[16:], None)
        refuse_if(text[:ZEROS] != bytes(ZEROS), "no zeros")
        header = check_public(text[16:48]), int.from_bytes(text[48:52], "big"), int.from_bytes(text[52:], "big")
        refuse_if(NEVER in header[1:], "counter")
    except (InvalidTag, Refused):
        return None
    return header


# ---------------------------------------------------------------------------------------------------------------------------
# protocol.md, 7: the ratchet

def first_keys(secret):
    """(root key, HKa, NHKb)"""
    out = hkdf(bytes(32), secret, b"outrigger v1 ratchet headers", 96)
    return out[:32], out[32:64], out[64:]


def kdf_rk_he(root, dh_output):
    """(root key, chain key, next header key)"""
    out = hkdf(root, dh_output, b"outrigger v1 ratchet hidden root", 96)
    return out[:32], out[32:64], out[64:]


class Hidden(Ratchet):
    """One side. Also HKs, NHKs, HKr, NHKr, and the header keys of the chains in `old_peers`."""

    @staticmethod
    def initiator(secret, private, peer):
        r = Hidden()
        r.root, r.nhks, r.nhkr = first_keys(secret)
        r.first_root, r.private, r.peer = r.root, private, peer
        r.first_dh = r.sending_half()
        return r

    @staticmethod
    def responder(secret, private):
        r = Hidden()
        r.root, r.nhkr, r.nhks = first_keys(secret)
        r.private = private
        return r

    def __init__(self):
        super().__init__()
        self.hks = self.nhks = self.hkr = self.nhkr = None
        self.old_header_keys = []

    def sending_half(self):
        shared = dh(self.private, self.peer)
        self.hks = self.nhks
        self.root, self.send_chain, self.nhks = kdf_rk_he(self.root, shared)
        return shared

    def receiving_half(self, key):
        shared = dh(self.private, key)
        self.hkr, self.hks = self.nhkr, None
        self.root, self.recv_chain, self.nhkr = kdf_rk_he(self.root, shared)
        return shared

    def retire(self):
        super().retire()
        self.old_header_keys = [self.hkr, *self.old_header_keys][:OLD_CHAINS]

    def step_and_key(self, fresh):
        out, message_key = super().step_and_key(fresh)
        in_order = {k: out[k] for k in ("root_before", "dh")} | out
        return in_order | {"header_key": self.hks, "next_header_key": self.nhks}, message_key

    def send(self, name, content, t, associated_data, front=None):
        """`front(take)` makes what stands before the header, and its values."""
        take, due = Draws(name), self.due
        out, message_key = self.step_and_key(lambda: take("ratchet key", 32))
        start, values = front(take) if front else (b"", {})
        header = encode_header(out["ratchet_public"], out["previous_counter"], out["counter"])
        nonce = take("header nonce", 16)
        sealed = {"header": header, "header_nonce": nonce, "sealed_header": hencrypt(self.hks, nonce, header)}
        rest = seal_behind(message_key, take("nonce", 12), start + sealed["sealed_header"], content, t, associated_data)
        return {"draws": take.made, "step_due": due} | out | values | sealed | rest

    def find(self, data):
        """(its place, header) where one of the keys opens the header that `data` begins with. Places: HKr, NHKr, then the earlier chains."""
        keys = [self.hkr, self.nhkr, *self.old_header_keys]
        headers = [key and hdecrypt(key, data[:SEALED_HEADER]) for key in keys]
        assert sum(header is not None for header in headers) <= 1
        return next(((i, header) for i, header in enumerate(headers) if header is not None), None)

    def receive(self, message, at, t, associated_data):
        """Opens one message whose header stands at `at`. Raises Refused and leaves the state as it was."""
        refuse_if(len(associated_data) > MAX_ASSOCIATED_DATA, "associated data too long")
        sealed = message[at + SEALED_HEADER:]
        refuse_if(not 28 <= len(sealed) <= 28 + MAX_SEALED, "length")
        found = self.find(message[at:])
        first = self.hkr is None and self.send_chain is None
        if found is None:
            raise Refused("a wrong tag" if first else "none of the header keys opens it", ask=None if first else NO_CHAIN)
        work = copy.deepcopy(self)
        out = work.opened(*found, first, message[:at + SEALED_HEADER], sealed, t + associated_data)
        self.__dict__ = work.__dict__
        return out

    def opened(self, place, header, first, head, sealed, rest):
        key, pn, n = header
        out = {"trial": place, "chain": None, "root_before": self.root, "root_after": self.root, "dh": None, "next_header_key": self.nhkr, "skipped": []}
        if place == 0:
            refuse_if(key != self.peer, "names a key that is not the chain's", NO_CHAIN)
            out["chain"] = "late" if n < self.recv_n else "current"
            refuse_if(n - self.recv_n > MAX_SKIP, "too many skipped keys", TOO_FAR)
        elif place > 1:
            refuse_if(key != self.old_peers[place - 2], "names a key that is not the chain's", NO_CHAIN)
            out["chain"] = "late"
        else:
            refuse_if(self.private and key == public_key(self.private), "own ratchet key")
            refuse_if(key == self.peer or any(key[:8] == old[:8] for old in self.old_peers), "names a key that is not new", NO_CHAIN)
            self._new_chain(key, pn, n, out)
            out["next_header_key"] = self.nhkr
        return self._open(key, n, sealed, lp(head) + rest, out, first)

    def receive_alone(self, message, associated_data):
        refuse_if(len(message) > MAX_ENVELOPE, "message too long")
        return self.receive(message, 0, b"", associated_data)


# ---------------------------------------------------------------------------------------------------------------------------
# What a peer that keeps to no rule could send: its keys are the right ones, and only what is named is wrong.

def in_chain(chain, count):
    for _ in range(count):
        _, chain = kdf_ck(chain)
    return kdf_ck(chain)[0]


def next_key(r, n):
    return in_chain(r.recv_chain, n - r.recv_n)


def new_key(r, key, n=0):
    """Also for a key that is none: whatever is agreed with that, it does not come to it."""
    try:
        return in_chain(kdf_rk_he(r.root, dh(r.private, key))[1], n)
    except ValueError:
        return seed("no key")


def craft(name, header_key, header, message_key, front=b"", content=b"text", t=b"", associated_data=b"data", **wrong):
    sealed = hencrypt(header_key, draw(f"{name} header nonce", 16), header, **wrong)
    return seal_behind(message_key, draw(f"{name} nonce", 12), front + sealed, content, t, associated_data)["wire"]


BAD_KEYS = {
    "0": bytes(32), "1": u32be(1)[::-1] + bytes(28), "-1": (P - 1).to_bytes(32, "little"),
    "of order 8": bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    "of order 8, the other": bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    "9 + 2^255 - 19": NINE_AGAIN, "9 with the top bit": bytes([9]) + bytes(30) + b"\x80", "2^255 - 19": P.to_bytes(32, "little"),
}


def bad_headers(name, r):
    """(what, why, header key, header, message key) at a side that has opened from two chains or more, and whose sending step is not due."""
    own, new = public_key(r.private), public_key(draw(f"{name} new ratchet key", 32))
    n = r.recv_n
    (old8, old_n), stored = next((k, v) for k, v in r.skipped.items() if k[0] != r.peer[:8])
    place = next(i for i, peer in enumerate(r.old_peers) if peer[:8] == old8)
    old, old_hk, other_hk = r.old_peers[place], r.old_header_keys[place], r.old_header_keys[place - 1]
    of_no_chain = "it names a key that is not its chain's; the tag verifies"
    near = r.peer[:31] + bytes([r.peer[31] ^ 1])
    for hk, under in ((r.hkr, "HKr"), (other_hk, "another chain's key")):
        yield f"{under} names a new key", of_no_chain, hk, encode_header(new, n, 0), new_key(r, new)
        yield f"{under} names the own key", of_no_chain, hk, encode_header(own, n, 0), new_key(r, own)
        yield f"{under} names an earlier chain", of_no_chain, hk, encode_header(old, 0, old_n), stored
    yield "HKr names a key that begins as the chain's", of_no_chain, r.hkr, encode_header(near, 0, n), next_key(r, n)
    for hk, under in ((r.nhkr, "NHKr"), (old_hk, "an earlier key")):
        yield f"{under} names the current chain", of_no_chain, hk, encode_header(r.peer, 0, n), next_key(r, n)
    for which, key in (("the current", r.peer), ("the own", own), ("an earlier chain's", old)):
        yield f"NHKr names {which} key, as a new one", of_no_chain, r.nhkr, encode_header(key, n, 0), new_key(r, key)
    yield "NHKr names an earlier chain", of_no_chain, r.nhkr, encode_header(old, 0, old_n), stored
    for hk, under, key, at, mk in (
        (r.hkr, "HKr", r.peer, n, next_key(r, n)), (r.nhkr, "NHKr", new, 0, new_key(r, new)), (old_hk, "an earlier key", old, old_n, stored),
    ):
        yield f"{under}, PN of 2^32 - 1", "as if no key opened it; the tag verifies", hk, encode_header(key, NEVER, at), mk
        yield f"{under}, N of 2^32 - 1", "as if no key opened it", hk, encode_header(key, n, NEVER), mk
        for what, bad in BAD_KEYS.items():
            yield f"{under}, ratchet key {what}", "low order or not canonical: as if no key opened it", hk, encode_header(bad, n, at), new_key(r, bad) if hk == r.nhkr else mk
    far = "more than 1,000 keys would be skipped"
    yield "HKr, too far", far, r.hkr, encode_header(r.peer, 0, n + 1001), next_key(r, n + 1001)
    yield "HKr, N of 2^32 - 2", far, r.hkr, encode_header(r.peer, 0, NEVER - 1), next_key(r, n)
    yield "NHKr, too far", far, r.nhkr, encode_header(new, n, 1001), new_key(r, new, 1001)
    yield "NHKr, PN too far", far, r.nhkr, encode_header(new, n + 1001, 0), new_key(r, new)
    yield "HKr, late and not stored", "its key is not there", r.hkr, encode_header(r.peer, 0, n - 1), next_key(r, n)
    yield "an earlier key, not stored", "its key is not there", old_hk, encode_header(old, 0, 900), next_key(r, n)
    yield "NHKr, another message key", "a wrong tag under a new key", r.nhkr, encode_header(new, n, 0), next_key(r, n)
    yield "HKr, another message key", "a wrong tag", r.hkr, encode_header(r.peer, 0, n), new_key(r, new)
    none = "none of the header keys opens it"
    yield "under HKs", none, r.hks, encode_header(r.peer, 0, n), next_key(r, n)
    yield "under NHKs", none, r.nhks, encode_header(r.peer, 0, n), next_key(r, n)
    yield "under the message key", none, next_key(r, n), encode_header(r.peer, 0, n), next_key(r, n)


def good_headers(name, r):
    """What opens where those are refused: what they say differs from these in one thing."""
    n = r.recv_n
    (old8, old_n), stored = next((k, v) for k, v in r.skipped.items() if k[0] != r.peer[:8])
    place = next(i for i, peer in enumerate(r.old_peers) if peer[:8] == old8)
    yield "HKr", "in its chain; PN is not looked at", r.hkr, encode_header(r.peer, NEVER - 1, n), next_key(r, n)
    yield "an earlier key", "late", r.old_header_keys[place], encode_header(r.old_peers[place], 7, old_n), stored
    yield "NHKr", "a new key, which is the base point", r.nhkr, encode_header(NINE, n + 1, 1), new_key(r, NINE, 1)


# ---------------------------------------------------------------------------------------------------------------------------
# 1. the header AEAD, as the header of a first message

class First:
    """A responder that has opened nothing, and what its initiator has."""

    def __init__(self, name):
        self.name, self.secret, self.signed, key = name, seed(f"{name} root secret"), draw(f"{name} responder key", 32), draw(f"{name} ratchet key", 32)
        self.public, self.a = public_key(key), Hidden.initiator(self.secret, key, public_key(self.signed))

    def fields(self):
        return {"root_secret": self.secret, "responder_private": self.signed}

    def message(self, nonce, pn, n, header_key=None, header=None, **wrong):
        header = header or encode_header(self.public, pn, n)
        sealed = hencrypt(header_key or self.a.hks, nonce, header, **wrong)
        text = filler(f"{self.name} text", 20)
        wire = seal_behind(in_chain(self.a.send_chain, n), draw(f"{self.name} {nonce.hex()} {len(wrong)} {wrong} nonce", 12), sealed, text, b"", b"")["wire"]
        return {"nonce": nonce, "header": header, "sealed_header": sealed, "message": wire, "plaintext": text}

    def opens(self, message):
        try:
            return Hidden.responder(self.secret, self.signed).receive_alone(message, b"")["content"]
        except Refused as e:
            assert e.ask is None
            return None


def header_aead():
    cases, refused = [], []
    nonces = {"drawn": seed("header nonce")[:16], "zeros": bytes(16), "ones": b"\xff" * 16, "as of 96 bits": seed("header nonce")[:12] + u32be(1),
              "drawn, another": seed("another header nonce")[:16]}
    for i, (what, nonce) in enumerate(nonces.items()):
        for pn, n in ((0, 0), (NEVER - 1, 0), (0x01020304, 1000), (1, 256))[i % 2::2]:
            first = First(f"header AEAD {what} {pn} {n}")
            out = first.message(nonce, pn, n)
            assert first.opens(out["message"]) == out["plaintext"]
            cases.append({"name": f"nonce {what}, PN {pn}, N {n}", "header_key": first.a.hks, "previous_counter": pn, "counter": n} | first.fields() | out)

    first = First("header AEAD refused")
    drawn = nonces["drawn"]

    def refuse(name, why, message):
        assert first.opens(message) is None, name
        refused.append({"name": name, "message": message, "why": why})

    honest = first.message(drawn, 0, 0)
    assert first.opens(honest["message"]) == honest["plaintext"]
    for at in range(ZEROS):
        for bit in (0x01, 0x80):
            refuse(f"zero byte {at} is {bit}", "no zeros; the tags verify", first.message(drawn, 0, 0, zeros=flip(bytes(16), at, bit))["message"])
    header = honest["header"]
    refuse("zeros behind", "no zeros in front; the tags verify", first.message(drawn, 0, 0, header=header[16:] + bytes(16), zeros=header[:16])["message"])
    refuse("associated data", "there is none", first.message(drawn, 0, 0, associated_data=b"\x01\x80")["message"])
    for name, key in (("NHKb", first.a.nhkr), ("the next header key", first.a.nhks), ("the root key", first.a.root), ("the chain key", first.a.send_chain),
                      ("the secret", first.secret), ("the first root key", first.a.first_root), ("zeros", bytes(32)), ("HKa with a bit flipped", flip(first.a.hks, 31))):
        refuse(f"under {name}", "wrong key", first.message(seed(f"{name} nonce")[:16], 0, 0, header_key=key)["message"])
    short = nonces["drawn"][:12]
    sealed = AESGCM(first.a.hks).encrypt(short, bytes(16) + header, None)
    mk = in_chain(first.a.send_chain, 0)
    for what, nonce in (("and zeros", short + bytes(4)), ("and a counter", short + u32be(1))):
        head = nonce + sealed
        refuse(f"nonce of 96 bits {what}", "the nonce has 128 bits", seal_behind(mk, draw(f"header AEAD {what} nonce", 12), head, b"", b"", b"")["wire"])
    return {
        "cases": cases,
        "refused": first.fields() | {"header_key": first.a.hks, "honest": honest["message"], "sealed_header_length": SEALED_HEADER, "messages": refused},
    }


# ---------------------------------------------------------------------------------------------------------------------------
# 2. the ratchet alone

class HiddenCase(RatchetCase):
    def __init__(self, name):
        self.name = f"encrypted headers, ratchet {name}"
        secret = seed(f"{self.name} root secret")
        private_b, private_a = draw(f"{self.name} responder key", 32), draw(f"{self.name} first ratchet key", 32)
        root, hka, nhkb = first_keys(secret)
        a = Hidden.initiator(secret, private_a, public_key(private_b))
        self.party = {"a": a, "b": Hidden.responder(secret, private_b)}
        self.initial = {
            "root_secret": secret, "responder_private": private_b, "responder_public": public_key(private_b), "root": root, "hka": hka, "nhkb": nhkb,
            "initiator_draws": [private_a], "initiator_private": private_a, "initiator_public": public_key(private_a), "initiator_dh": a.first_dh,
            "initiator_root": a.root, "initiator_chain": a.send_chain, "initiator_next_header_key": a.nhks,
        }
        self.steps, self.sent, self.after, self.count = [], {}, [], {"a": 0, "b": 0}

    def tries(self, by, name, why, header_key, header, message_key, plaintext=None, now=False, **wrong):
        message = craft(f"{self.name} {by} {name}", header_key, header, message_key, **wrong)
        return self.bytes(by, name, why, message, plaintext, now=now)

    def bytes(self, by, name, why, message, plaintext=None, associated_data=b"data", now=False):
        """To be tried now, or after the last step."""
        out = {"name": name, "by": by, "message": message, "associated_data": associated_data, "why": why, "plaintext": plaintext}
        try:
            assert self.party[by].receive_alone(message, associated_data)["content"] == plaintext, name
            out["expect"] = "opens"
        except Refused as e:
            assert plaintext is None, name
            out |= {"expect": e.kind, "reason": e.ask}
        self.steps.append({"op": "try"} | out) if now else self.after.append(out)
        return out


def hidden_ratchets():
    case = HiddenCase("by hand")
    case.run(HAND_MADE)
    b = case.party["b"]
    assert b.due
    new = public_key(draw("hidden ratchet, in a due turn", 32))
    case.tries("b", "a new chain in a due turn", "the sending step is due", b.nhkr, encode_header(new, 0, 0), seed("no key"), now=True)
    case.run("b: b17\na< b17\n")
    mine = case.steps[case.sent["b17"]]
    case.bytes("b", "its own message", "none of the header keys opens it", mine["message"], associated_data=mine["associated_data"])
    assert {k[0] for k in b.skipped} - {b.peer[:8]}
    for entry in bad_headers(f"{case.name} bad", b):
        case.tries("b", *entry)
    kept = [case.tries("b", f"HKr, zero byte {at}", "no zeros; the tags verify", b.hkr, encode_header(b.peer, 0, b.recv_n), next_key(b, b.recv_n),
                       zeros=flip(bytes(16), at)) for at in (0, 15)]
    assert all(x["reason"] == NO_CHAIN for x in kept)
    honest = craft(f"{case.name} honest", b.hkr, encode_header(b.peer, 0, b.recv_n), next_key(b, b.recv_n), content=b"")
    for length in (0, 15, 16, SEALED_HEADER - 1, SEALED_HEADER, SEALED_HEADER + 27):
        case.bytes("b", f"cut to {length} bytes", "too short for a message", honest[:length])
    assert len(honest) == SEALED_HEADER + 28
    case.bytes("b", "no byte of text", "it may have none", honest, b"")
    for entry in good_headers(case.name, b):
        case.tries("b", *entry, plaintext=b"text")

    early = HiddenCase("before anything is opened")
    a, b = early.party["a"], early.party["b"]
    early.send("a"), early.send("a")
    spk = public_key(b.private)
    for entry in (
        ("a", "under HKs", "none of the header keys opens it", a.hks, encode_header(spk, 0, 0), seed("no key")),
        ("a", "NHKr names the first key of the responder", "no message is under it", a.nhkr, encode_header(spk, 0, 0), new_key(a, spk)),
        ("a", "NHKr names the own key", "it is not new", a.nhkr, encode_header(public_key(a.private), 0, 0), new_key(a, public_key(a.private))),
        ("b", "NHKr names the own key", "it is not new", b.nhkr, encode_header(spk, 0, 0), new_key(b, spk)),
        ("b", "under NHKs", "a wrong tag where nothing was opened", b.nhks, encode_header(public_key(a.private), 0, 0), new_key(b, public_key(a.private))),
        ("b", "NHKr, another message key", "a wrong tag where nothing was opened", b.nhkr, encode_header(public_key(a.private), 0, 0), seed("no key")),
    ):
        early.tries(*entry, now=True)
    for name, key in BAD_KEYS.items():
        early.tries("b", f"ratchet key {name}", "low order or not canonical: as if no key opened it", b.nhkr, encode_header(key, 0, 0), new_key(b, key), now=True)
    early.run("b< a1 a0\nb: b0\na< b0\n")
    return [case.result(), early.result()]


def hidden_file():
    from hidden_sessions import requests, sessions
    return {
        "about": "Encrypted headers: the header AEAD, the ratchet alone, and sessions with their notes and retry requests (protocol.md, 2 and 5 to 8)",
        "header_aead": header_aead(), "ratchets": hidden_ratchets(), "sessions": sessions(), "requests": requests(),
    }
