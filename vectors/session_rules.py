"""Cases of session.json: what is refused, limits, which session counts, content.

Licence: MIT OR Apache-2.0.
"""

from handshake import MAX_START, VERSION_AND_SUITE, addr, encode_handshake, prekey_id
from keys import dh, public_key
from notation import (
    MAX_ENVELOPE, MAX_SEALED, NOW, NO_CHAIN, NO_PREKEY, NO_SESSION, bytes_field, draw, filler, fixed64_field, sha256, tag, u64be, uint_field, varint,
)
from ratchet import encode_header, kdf_ck, kdf_rk, seal
from session_cases import ByHand, SessionCase
from sessions import AGAIN, LOST, MARK, MAX_ARCHIVED, MAX_REMEMBERED, MESSAGE, NAMED, encode_content, message_id


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
