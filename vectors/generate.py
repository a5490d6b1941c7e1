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
import json
import pathlib
import sys

sys.dont_write_bytecode = True  # leave nothing beside the files

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bundle_cases import prekeys_file, x3dh_file
from code_cases import code_linking, link_codes
from companion_cases import certificates, link_lists, linking_case, list_sequences
from companions import (
    DESKTOP_GRANT, SIGNED_LIST, TOLERANCE, WINDOW, account_of, certificate_body, certificate_signed, check_certificate, check_list, check_refused,
    encode_certificate, link_keys, list_body, list_digest, read_certificate_body, read_linking, sign_list, which_list, with_mac,
)
from content_cases import contents
from handshake import BUNDLE, addr, check_bundle, encode_bundle, prekey_id, suites_statement
from hidden import hidden_file
from keys import dh, enc, parse_enc, public_key, sign_published, xeddsa_verify
from known import known_answers
from linking_cases import second_linking
from notation import (
    MAX_ASSOCIATED_DATA, MAX_LINKING, NOW, TIME, Refused, bytes_field, draw, filler, lp, need, need_uint, read_message, refuse_if, sha256, u32be,
    u64be, uint_field,
)
from post_quantum_cases import post_quantum_file
from ratchet import encode_header, seal
from ratchet_cases import ratchet_file
from session_cases import ONE_STARTS, SessionCase
from session_model import model_check
from session_retries import retry_file, session_retries
from session_rules import session_before_the_answer, session_content, session_limits, session_many, session_refusals, session_rules
from session_starts import (
    session_clocks, session_crossings, session_far_future, session_lost, session_restarts, session_three_starts, session_unanswered,
)
from sessions import AGAIN, FOURTEEN_DAYS, MESSAGE, NAMED, RELAY, TO_ACCOUNT, Device, encode_stamp, message_id, split_content
from signature_cases import fingerprints_file, xeddsa_file
from supply_cases import supply


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
