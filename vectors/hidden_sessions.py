"""Notes, and sessions with encrypted headers, for hidden.json.

Handshakes, prekeys, retry requests and what a session with headers in clear has too come from sessions.py and post_quantum.py.

Licence: MIT OR Apache-2.0.
"""

import copy

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from notation import NOW, TIME
from session_cases import SessionCase
from hidden import NINE_AGAIN, SEALED_HEADER, Hidden, bad_headers, craft, encode_header, first_keys, flip, good_headers, hencrypt, seal_behind
from keys import Q, check_public, dh, enc, public_key
from notation import (
    KEY_GONE, MAX_ENVELOPE, NO_CHAIN, NO_PREKEY, NO_SESSION, Refused, bytes_field, draw, expand, filler, fixed64_field, hkdf, lp, need, read_message,
    refuse_if, sha256,
)
from post_quantum import PQ_BUNDLE, PqDevice, read_handshake
from ratchet import ENVELOPE, read_header
from sessions import Device, Session, encode_request, envelope_digest, message_id, open_request, request_body

FRONT = b"\x01\x80"
MINUS_ONE = (5 * Q - 1).to_bytes(32, "little")   # modulo the group's order; its public key is 9


# ---------------------------------------------------------------------------------------------------------------------------
# protocol.md, 6: notes

PADDED = {0: 166, 1: 126, 2: 1233, 3: 1713}
NOTE = {kind: 32 + 12 + length + 16 for kind, length in PADDED.items()}


def note_key(shared, kind, shown, ik):
    return hkdf(bytes(32), shared, b"outrigger v1 note" + FRONT + bytes([kind]) + shown + enc(ik), 32)


def seal_note(private, nonce, ik, kind, text, padded=None, shown=None, key_of_kind=None):
    """All values. `padded`, `shown` and `key_of_kind` stand for what is no note: other padding, another E', the key of another kind."""
    top = private[31] & 0x80
    shown = shown or public_key(private)[:31] + bytes([public_key(private)[31] | top])
    padded = padded or text + b"\x80" + bytes(PADDED[kind] - len(text) - 1)
    shared = dh(private, ik)
    key = note_key(shared, kind if key_of_kind is None else key_of_kind, shown, ik)
    return {
        "kind": kind, "private": private, "shown": shown, "nonce": nonce, "dh": shared, "key": key, "text": text, "padded": padded,
        "note": shown + nonce + AESGCM(key).encrypt(nonce, padded, None),
    }


def open_note(identity, data):
    """(kind, text, length of the note) of the note that `data` begins with, or None."""
    shown = data[:32]
    bare = shown[:31] + bytes([shown[31] & 0x7f])
    try:
        shared = dh(identity, check_public(bare))
    except Refused:
        return None
    for kind, length in NOTE.items():
        if len(data) < length:
            continue
        try:
            key = note_key(shared, kind, shown, public_key(identity))
            text = AESGCM(key).decrypt(data[32:44], data[44:length], None).rstrip(b"\0")
        except InvalidTag:
            continue
        return (kind, text[:-1], length) if text[-1:] == b"\x80" else None
    return None


# ---------------------------------------------------------------------------------------------------------------------------
# protocol.md, 8: sessions

class HiddenSession(Session):
    suite = 1

    def __init__(self, session, ratchet, recipient=None):
        self.__dict__ = session.__dict__
        self.ratchet, self.recipient = ratchet, recipient

    def front(self):
        carried = self.initiator and not self.answered

        def make(take):
            if not carried:
                return FRONT, {"note": None}
            note = seal_note(take("note key", 32), take("note nonce", 12), self.recipient, self.suite, self.id + self.handshake)
            return FRONT + note["note"], {"note": note}

        return make


class Hides:
    """A device all of whose sessions have encrypted headers."""

    def start(self, name, peer, bundle, time):
        out = super().start(name, peer, bundle, time)
        spk = read_message(bundle[1:], PQ_BUNDLE)["signed_prekey"][1:]
        ratchet = Hidden.initiator(out["root_key"], out["ratchet_private"], spk)
        self.active[peer.address] = HiddenSession(self.active[peer.address], ratchet, peer.public)
        _, hka, nhkb = first_keys(out["root_key"])
        return out | {
            "ratchet_root": ratchet.first_root, "hka": hka, "nhkb": nhkb, "dh": ratchet.first_dh, "root_after": ratchet.root,
            "chain": ratchet.send_chain, "next_header_key": ratchet.nhks,
        }

    def made_by(self, peer, suite, handshake, session_id):
        read_handshake(suite, handshake)
        assert suite == 1, "this device has no KEM key"
        return self.from_handshake(peer, handshake, session_id)

    def _receive(self, peer, envelope, associated_data, time, read):
        refuse_if(len(envelope) > MAX_ENVELOPE, "envelope too long")
        if envelope[:2] == b"\x01\x01":
            m = read_message(envelope[2:], ENVELOPE, 2)
            read_header(m)
            refuse_if(any(s.id == need(m, "session_id", 8) for s in self.sessions(peer)), "a session keeps its form")
            raise Refused("no such session", ask=NO_SESSION)
        refuse_if(envelope[:2] != FRONT, "version or suite")
        refuse_if(len(envelope) < 2 + SEALED_HEADER + 28, "too short")
        session, at, handshake, suite = None, 2, None, None
        active, archived = self.active.get(peer), self.archived.get(peer, [])
        if active and active.ratchet.find(envelope[2:]):
            session = active
        elif note := open_note(self.identity, envelope[2:]):
            suite, text, length = note
            if suite == 0:
                raise Refused("a retry request")
            refuse_if(len(text) < 8, "a note without session id")
            session_id, handshake, at = text[:8], text[8:], 2 + length
            refuse_if(len(envelope) < at + SEALED_HEADER + 28, "too short")
            session = next((s for s in self.sessions(peer) if s.id == session_id), None)
            refuse_if(session and session.suite != suite, "suite other than the session's")
        else:
            session = next((s for s in archived if s.ratchet.find(envelope[2:])), None)
            refuse_if(session is None, "of no session on record", NO_CHAIN if active or archived else NO_SESSION)
        made = session is None
        hs_ik = hs_opk = None
        if made:
            session, hs_ik, hs_opk = self.made_by(peer, suite, handshake, session_id)
            session = HiddenSession(session, Hidden.responder(session.ratchet.root, session.ratchet.private))
            session.suite = suite
        made_of = (hs_ik, hs_opk) if made else None
        return self.take_in(peer, session, made_of, envelope, (envelope, at), associated_data, time, read) | self.standing(peer)

    def use_up(self, opk):
        super().use_up(opk)
        return {}   # nothing is said of it in hidden.json

    def ask(self, name, peer, envelope, reason, time):
        draws = [draw(f"{name} salt", 32), draw(f"{name} nonce", 12), draw(f"{name} note key", 32), draw(f"{name} note nonce", 12)]
        digest = envelope_digest(envelope)
        body = request_body(message_id(envelope), bytes(8), digest, reason, time)
        out = encode_request(*draws[:2], body, self.identity, self.pinned[peer.address], self.address, peer.address)
        note = seal_note(*draws[2:], peer.public, 0, out["request"])
        return {"draws": draws, "reason": reason, "message_id": message_id(envelope), "digest": digest} | out | {
            "inner": out["request"], "note": note, "request": FRONT + note["note"],
        }

    def answer(self, name, peer, request, bundle, time):
        kind, inner, _ = open_note(self.identity, request[2:])
        assert kind == 0 and len(request) == 2 + NOTE[0]
        _, body = open_request(inner, self.identity, self.address, peer.address)
        assert body["session_id"] == bytes(8)
        sent = next(c for c in self.sent[peer.address] if c["tag"] == body["message_id"])
        # What answers requests in clear wants the session's id there.
        named = request_body(body["message_id"], sent["session_id"], body["envelope"], body.get("reason", 0), body.get("asked_at", 0))
        again = encode_request(bytes(32), bytes(12), named, peer.identity, self.public, peer.address, self.address)
        return super().answer(name, peer, again["request"], bundle, time)


class HiddenDevice(Hides, Device):
    pass


class HiddenPqDevice(Hides, PqDevice):
    def start(self, *arguments):
        out = super().start(*arguments)
        next(iter(self.active.values())).suite = out["suite"]
        return out | self.standing(next(iter(self.active)))

    def made_by(self, peer, suite, handshake, session_id):
        return self.from_pq_handshake(peer, suite, handshake, session_id)


# ---------------------------------------------------------------------------------------------------------------------------
# 3 and 4: cases

class HiddenSessionCase(SessionCase):
    """`policies`: of a and b, where there is more than suite 1."""

    def __init__(self, name, policy=None, one_time_prekeys=2):
        self.name = f"encrypted headers, {name}"
        self.device = {}
        for i, by in enumerate("ab"):
            about = (f"session {self.name} {by}", filler(f"account {self.name} {by}", 16 + 7 * i), 0, TIME + 1000 * i, one_time_prekeys)
            self.device[by] = HiddenPqDevice(*about, policy) if policy else HiddenDevice(*about)
        self.steps, self.sent, self.after, self.started, self.requests = [], {}, [], [], {}
        self.kept, self.old_bundle, self.count, self.clock = {}, {}, {"a": 0, "b": 0}, {"a": NOW, "b": NOW}
        self.policy = policy

    def tries(self, name, by, envelope, why, body=None, associated_data=b"data", now=True):
        """The model says how it ends; `body` is what it is to open to."""
        sender = self.peer(by)
        state = copy.deepcopy(self.device[by].__dict__)
        try:
            out = self.device[by].receive(self.device[sender].address, envelope, associated_data, NOW)
            assert out["plaintext"] == body, name
            entry = {"expect": "opens", "plaintext": body} | {k: out[k] for k in ("session_id", "message_id", "kind", "recovered", "makes_session", "weak", "active", "archived")}
        except Refused as e:
            assert body is None, (name, str(e))
            self.device[by].__dict__ = state
            entry = {"expect": e.kind, "plaintext": None} | ({"reason": e.ask} if e.kind == "ask" else {})
        entry = {"name": name, "by": by, "from": sender, "envelope": envelope, "associated_data": associated_data, "why": why} | entry
        self.steps.append({"op": "try"} | entry) if now else self.after.append(entry)
        return entry

    def envelope(self, what, by, note=None, front=FRONT, ahead=0, head=None, t=None, header_key=None, content=b"\x01text", **wrong):
        """What `by` could send in its active session, without its state going on. `note(text)` makes the values of the note."""
        name = f"{self.name} crafted {what}"
        session = copy.deepcopy(self.active(by))
        for _ in range(ahead + 1):
            out, key = session.ratchet.step_and_key(lambda: draw(f"{name} key", 32))
        text = session.id + session.handshake
        note = (note or self.plain_note(name))(text, session.suite, self.device[self.peer(by)].public)
        header = encode_header(out["ratchet_public"], out["previous_counter"], out["counter"])
        sealed = hencrypt(header_key or out["header_key"], draw(f"{name} header nonce", 16), header, **wrong)
        whole = front + note + sealed
        sealed_text = seal_behind(key, draw(f"{name} nonce", 12), head(front, note, sealed) if head else whole, content, t or session.t, b"data")["wire"]
        return whole + sealed_text[-len(content) - 28:]

    @staticmethod
    def plain_note(name, change=lambda text: text, private=None, kind=None, ik=None, **wrong):
        def make(text, suite, recipient):
            k = suite if kind is None else kind
            return seal_note(private or draw(f"{name} note key", 32), draw(f"{name} note nonce", 12), ik or recipient, k, change(text), **wrong)["note"]
        return make

    def result(self):
        return super().result() | {"headers": "encrypted", "suite": self.active("a").suite, "policy": self.policy}


def refused_notes(case):
    """At b, which has nothing on record of a; a0 is the envelope that is altered. Most of it for suite 1 alone: the others differ in length."""
    suite, honest = case.active("a").suite, case.steps[case.sent["a0"]]
    envelope, ad, note, whole = honest["envelope"], honest["associated_data"], honest["note"], case.policy is None
    end = 2 + NOTE[suite]

    def alter(what, envelope, why):
        case.tries(what, "b", envelope, why, associated_data=ad)

    unopened, behind, short = "no note opens", "a wrong tag behind the note", "no room for header and tag"
    for what, at, bit in (
        ("E'", 2, 1), ("the top bit of E'", 33, 0x80), ("the nonce", 34, 1), ("the session id", 46, 1), ("the handshake", 60, 1), ("the padding", end - 17, 1),
        ("the tag", end - 1, 0x80),
    ):
        if whole or what in ("the handshake", "the tag"):
            alter(f"note, {what} altered", flip(envelope, at, bit), unopened)
    alter("the header altered", flip(envelope, end + 20), behind)
    alter("the text altered", flip(envelope, -17), "a wrong tag")
    for byte in (0x00, suite, 0x10, 0x81, 0xff) if whole else (suite,):
        alter(f"suite byte {byte:#04x}", envelope[:1] + bytes([byte]) + envelope[2:], "it is no envelope of that suite")
    if whole:
        alter("the note taken out", FRONT + envelope[end:], "no note")
        alter("the note twice", envelope[:end] + envelope[2:], behind)
        alter("a byte between note and header", envelope[:end] + b"\0" + envelope[end:], behind)
        alter("version 2", b"\x02" + envelope[1:], "version")
        for length in (2, 2 + SEALED_HEADER + 27, end, end + SEALED_HEADER, end + SEALED_HEADER + 27):
            alter(f"cut to {length} bytes", envelope[:length], short)

    name = f"{case.name} note"

    def forge(what, why, note=None, body=None, **more):
        note = {"name": f"{name} {what}"} | (note or {})
        return case.tries(what, "b", case.envelope(what, "a", case.plain_note(**note), **more), why, body)

    length = len(note["text"])
    rest = PADDED[suite] - length
    assert rest >= 1 and PADDED[suite] == len(note["padded"])
    forge("note to another identity key", unopened, {"ik": case.device["a"].public})
    for other in (*(k for k in NOTE if k != suite), 0x80) if whole else (1, 5 - suite):
        forge(f"note under the key of kind {other:#04x}", unopened, {"key_of_kind": other})
    if whole:
        forge("E' that is not canonical", "it is no public key", {"private": MINUS_ONE, "shown": NINE_AGAIN})
    padding = "the padding is none; the tag of the note verifies"
    forge("note that ends in 0x81", padding, {"padded": note["text"] + b"\x81" + bytes(rest - 1)})
    forge("note with a byte behind the padding", padding, {"padded": (note["text"] + b"\x80" + bytes(rest))[:PADDED[suite] - 1] + b"\x01"})
    forge("note of zeros", padding, {"padded": bytes(PADDED[suite])})
    if not whole:
        return None
    shape = "the tag of the note verifies"
    forge("note with 7 bytes of text", "no room for a session id; " + shape, {"change": lambda text: text[:7]})
    forge("note without handshake", "a handshake has fields; " + shape, {"change": lambda text: text[:8]})
    forge("note with a handshake that is cut", "it has no start; " + shape, {"change": lambda text: text[:-7]})
    forge("note with another session id", "not the one that the handshake gives; " + shape, {"change": lambda text: flip(text, 0)})
    spk = 8 + 35 + 35 + 2
    forge("note with another signed prekey", "unknown signed prekey; " + shape, {"change": lambda text: flip(text, spk)})
    forge("note with another one-time prekey", "unknown one-time prekey; " + shape, {"change": lambda text: flip(text, spk + 18)})
    for other in (k for k in (1, 2, 3) if k != suite and length < PADDED[k]):
        forge(f"note of kind {other}, with this handshake", "the handshake is not of that suite; " + shape, {"kind": other})
    session = case.active("a")
    wrong = "a wrong tag; " + shape
    forge("header under NHKb", wrong, header_key=session.ratchet.nhkr)
    forge("header without zeros", wrong, zeros=flip(bytes(16), 3))
    forge("head without the note", wrong, head=lambda front, note, sealed: front + sealed)
    forge("head that is the encrypted header", wrong, head=lambda front, note, sealed: sealed)
    forge("another T", wrong, t=sha256(b"T"))
    request = {"kind": 0, "change": lambda text: bytes(150)}
    forge("note of a retry request", "it is none where a message stands", request)
    return forge


def session_of_suite_1():
    case = HiddenSessionCase("suite 1")
    case.run("a* four\na: a0 a1 a2\n")
    forge = refused_notes(case)
    # X3DH with 0x80 as the suite in T gives another session.
    a, b = case.device["a"], case.device["b"]
    start = case.steps[0]
    transcript = start["transcript_input"].replace(lp(b"\x01\x01"), lp(FRONT), 1)
    other_id = expand(start["sk"], b"outrigger v1 session id" + sha256(transcript), 8)
    forge("session id with 0x80 in T", "T has the suite", {"change": lambda text: other_id + text[8:]})
    case.run("b< a1\n")
    forge("E' is the base point", "a note may be under any key", {"private": MINUS_ONE}, body=b"text", ahead=0)
    top = draw("hidden, a note with the other top bit", 32)
    shown = flip(public_key(top), 31, 0x80 & ~top[31])
    forge("E' with the other top bit", "the bit may be any", {"private": top, "shown": shown}, body=b"text", ahead=1)
    forge("note of another suite, of this session", "a session has one suite", {"kind": 2})
    case.run("""
b< a0 a1!
b: b0 b1
a< b1
a: a3             no note
b< a3 a2          a2: late, with its note
a< b0
b: b2
a< b2
b[                b's state is kept
a: a4 a5
b< a5
b: b3
a< b3
a: a6
b]                b went back
b< a6~6           none of the keys opens it
b? a6
a= a6             a starts another session
b< a6+
b: b4
a< b4
b< a5 a4          of an archived session, without note
a: a7 a8
b< a8
a* four
a: a9 a10
b< a10 a7         a10 makes a session; a7 is of an archived one
b< a9             its note names the active one
b* four
b: b5 b6
a: a11
b< a11            its note names an archived one
a< b6 b5
a: a12 a13 a14
b< a13
b: b7 b8
a< b8
a: a15 a16 a17
b< a16
b: b9
a< b9
a: a18 a19
b< a18
b: b10
a< b10
""")
    r = case.active("b").ratchet
    t = case.active("b").t
    assert not r.due and case.active("a").id == case.active("b").id
    for what, why, *keys in bad_headers(f"{case.name} bad", r):
        case.tries(what, "b", craft(f"{case.name} {what}", *keys, front=FRONT, content=b"\x01text", t=t), why, now=False)
    sent = case.steps[case.sent["a12"]]
    for at in (2, 22, 88, 91, 103, -1):
        case.tries(f"a12, byte {at} altered", "b", flip(sent["envelope"], at), "of no session, or a wrong tag", associated_data=sent["associated_data"], now=False)
    for label in ("a13", "a11", "a8", "a6+"):
        sent = case.steps[case.sent[label]]
        case.tries(f"{label} again", "b", sent["envelope"], "opened before", associated_data=sent["associated_data"], now=False)
    clear = FRONT[:1] + b"\x01" + fixed64_field(1, case.active("b").id) + bytes_field(3, r.peer) + bytes_field(7, bytes(44))
    case.tries("a header in clear", "b", clear, "the session has encrypted headers", now=False)
    for what, why, *keys in good_headers(f"{case.name} good", r):
        case.tries(what, "b", craft(f"{case.name} {what}, good", *keys, front=FRONT, content=b"\x01text", t=t), why, b"text", now=False)
    return case.result()


def session_of_suite(suite):
    case = HiddenSessionCase(f"suite {suite}", {2: "prefer 768", 3: "prefer 1024"}[suite])
    case.start("a", True)
    case.run("a: a0 a1\n")
    refused_notes(case)
    case.run("b< a1 a0\nb: b0\na< b0\na: a2\nb< a2\n")
    for by in case.device.values():
        prekeys = by.description["prekeys"]
        prekeys["last_resort"]["key"] = prekeys["last_resort"]["key"].seed
        for one in prekeys["one_time_prekeys"]:
            one["key"] = one["key"].seed
    return case.result()


def sessions():
    return [session_of_suite_1()] + [session_of_suite(suite) for suite in (2, 3)]


def requests():
    """Requests of b to a for the envelope a0, each at a as it is after the steps."""
    case = HiddenSessionCase("retry requests", one_time_prekeys=0)
    case.run("a* three\na: a0 a1\nb< a1\nb: b0\na< b0\n")
    a, b = case.device["a"], case.device["b"]
    envelope = case.steps[case.sent["a0"]]["envelope"]
    tag, digest = message_id(envelope), envelope_digest(envelope)

    def make(name, reason=KEY_GONE, asked_at=NOW, message=tag, digest=digest, asks=b.identity, to=a.public, kind=0, **wrong):
        body = request_body(message, bytes(8), digest, reason, asked_at)
        inner = encode_request(draw(f"hidden {name} salt", 32), draw(f"hidden {name} nonce", 12), body, asks, a.public, b.address, a.address)
        private = wrong.pop("private", None) or draw(f"hidden {name} note key", 32)
        change = wrong.pop("change", lambda text: text)
        note = seal_note(private, draw(f"hidden {name} note nonce", 12), to, kind, change(inner["request"]), **{k: v(inner["request"]) if callable(v) else v for k, v in wrong.items()})
        return {"name": name} | inner | {"inner": inner["request"], "note": note, "request": FRONT + note["note"]}

    good = []
    for name, reason, asked_at, is_made in (
        ("no chain", NO_CHAIN, NOW, True), ("key gone", KEY_GONE, NOW, True), ("prekey missing", NO_PREKEY, NOW, True), ("no session", NO_SESSION, NOW, False),
        ("the longest", 2**32 - 1, 2**64 - 1, False), ("the shortest", 0, 0, False),
    ):
        out = make(name, reason, asked_at)
        how = copy.deepcopy(a).answer(f"hidden answer to {name}", b, out["request"], b.bundle, NOW)
        good.append(out | {"reason": reason, "asked_at": asked_at, "means": how["reason"], "restarts": how["restarted"], "made_by_b": is_made})
    full = lambda text, mark=b"\x80", last=b"\0": (text + mark + bytes(PADDED[0] - len(text) - len(mark) - len(last)) + last)
    plain = good[0]
    refused = [
        make("to b's identity key", to=b.public) | {"why": "no note opens"},
        make("by another device", asks=draw("hidden requests, another identity", 32)) | {"why": "not under the identity key on record"},
        make("of another tag", message=flip(tag, 0)) | {"why": "no such envelope"},
        make("of another digest", digest=flip(digest, 0)) | {"why": "no such envelope"},
        make("key of kind 1", key_of_kind=1) | {"why": "no note opens"},
        make("key of kind 0x80", key_of_kind=0x80) | {"why": "no note opens"},
        make("of 186 bytes, as kind 1", kind=1, padded=lambda text: text[:125] + b"\x80") | {"why": "no request is that short"},
        make("E' that is not canonical", private=MINUS_ONE, shown=NINE_AGAIN) | {"why": "it is no public key"},
        make("padding that ends in 0x81", padded=lambda text: full(text, b"\x81")) | {"why": "padding; the tag of the note verifies"},
        make("a byte behind the padding", padded=lambda text: full(text, last=b"\x01")) | {"why": "padding; the tag of the note verifies"},
        make("padding of zeros alone", padded=lambda text: full(text, b"\0")) | {"why": "padding; the tag of the note verifies"},
        make("one byte less of padding", padded=lambda text: full(text)[:-1]) | {"why": "227 bytes"},
        make("one byte more of padding", padded=lambda text: full(text) + b"\0") | {"why": "229 bytes"},
        make("a byte less of the request", change=lambda text: text[:-1]) | {"why": "the request is cut; the tag of the note verifies"},
        make("no request", change=lambda text: b"") | {"why": "nothing in it; the tag of the note verifies"},
        plain | {"name": "a byte behind it", "request": plain["request"] + b"\0", "why": "229 bytes"},
        plain | {"name": "suite byte 0", "request": b"\x01\0" + plain["request"][2:], "why": "no request in clear"},
        plain | {"name": "version 2", "request": b"\x02" + plain["request"][1:], "why": "version"},
    ]
    refused = [{k: entry[k] for k in ("name", "request", "why")} for entry in refused]
    return {"case": case.result(), "envelope": envelope, "message_id": tag, "requests": good, "refused": refused}
