"""Cases of session.json and retry.json: retry requests, answers and recoveries.

Licence: MIT OR Apache-2.0.
"""

import copy

from handshake import MAX_START, addr
from keys import P, enc
from notation import (
    KEY_GONE, MAX_RETRY_REQUEST, NOW, NO_CHAIN, NO_PREKEY, NO_SESSION, RECOVERED, TOO_FAR, Refused, bytes_field, draw, filler, fixed64_field, lp,
    read_message, tag, uint_field, varint,
)
from session_cases import SessionCase
from session_starts import both_active
from sessions import FOURTEEN_DAYS, REQUEST, REQUEST_FRONT, encode_request, envelope_digest, message_id, open_request, request_body


def session_retries(accounts):
    """Retry requests and answers, lost messages, recoveries."""
    settled = """
a* {start}
a: a0
b< a0
b: b0
a< b0
a: a1
b< a1
"""

    name = "a sender whose state went back, and two messages that are asked for"
    case = SessionCase(name, accounts)
    case.run(settled.format(start="four") + """
a[                    what is kept of a ends here
a: a2 a3
b< a2 a3
a]
a: a4 a5              at the counters of a2 and a3
b< a4~2 a5~2 a2! a3!
b? a4 a5
a= a4                 its ratchet key is the current one: a new session
a= a4/no              answered
b< a4+
b< a4+! a4!           its message has come by a4+
a= a5                 of the session before: in the new one, with its handshake
b< a5+ a5! a5+!
b: b1
a< b1
a: a6
b< a6
""")
    both_active(case, case.started_by_answers()[0])
    yield case.result() | {"active_afterwards": case.started_by_answers()[0]}

    name = "texts that were not kept, or for too long"
    case = SessionCase(name, accounts, 0)
    case.run(settled.format(start="three") + f"""
a: a2 a3 a4 a5        late
b: b1
a< b1
a: a6
b< a6
a[
a: a7
b< a7
a]
a; a8                 at the counter of a7, and its text is not kept
b< a8~2
b? a8
b: b2
a< b2                 the sending step is due: no ratchet key of a is the current one
a= a8                 in the session: the message is lost
b< a8+
b< a8+! a8~2          what is lost was not opened
a[
a: a9
b< a9
a]
a: a10                at the counter of a9
b< a10~2
b? a10
b: b3
a< b3
a@ +{FOURTEEN_DAYS + 1}
a= a10                too old
b< a10+
a: a11
b< a11 a2 a3 a4 a5    late, by their stored keys
""")
    assert [s["outcome"] for s in case.steps if s["op"] == "answer"] == ["lost", "lost"]
    yield case.result() | {"active_afterwards": case.started[0][1]}

    name = "a message later than its chain is remembered"
    case = SessionCase(name, accounts, 0)
    turns = "".join(f"a: a{i}\nb< a{i}\nb: b{i - 2}\na< b{i - 2}\n" for i in range(3, 9))
    case.run(settled.format(start="three") + "a: a2                 late\n" + turns + """
b: b7
a< b7
a: a9
b< a9
b: b8                 b has a ratchet key of its own again: a2 could be under a new one
b< a2~6
b? a2
a< b8
a= a2                 the session is alive: in it
b< a2+ a2!
""")
    assert [s["restarted"] for s in case.steps if s["op"] == "answer"] == [False]
    yield case.result() | {"active_afterwards": case.started[0][1]}

    name = "a recipient that has lost its sessions"
    case = SessionCase(name, accounts, 0)
    case.run("""
a* three
a: a0
b< a0
b: b0
a< b0
a: a1
b-                    as before the first step
b< a1~1
b@ +5
b* three              b knows a now, by its bundle
b? a1
a= a1                 b has no such session: a new one
b< a1+                archived: b's is later
b< a1+! a1!
b: b1
a< b1
a: a2
b< a2
""")
    both_active(case, case.started[1][1])
    yield case.result() | {"active_afterwards": case.started[1][1]}

    name = "a recipient that came back from a backup"
    case = SessionCase(name, accounts, 0)
    case.run(settled.format(start="three") + """
a: a2
a* three              with prekeys that will be gone
a: a3
b&                    prekeys are deleted, others are made
b< a2                 of an active session that sends nothing any more
b< a3~4               a prekey is missing
b? a3                 and the reason is that b has recovered
a= a3                 b opens nothing of that session: a new one, by the new bundle
b< a3+
b: b1                 in the session that a has started: b has started none
a< b1
a: a4
b< a4
""")
    asked = [s for s in case.steps if s["op"] == "ask"]
    assert [s["reason"] for s in asked] == [RECOVERED]
    yield case.result() | {"active_afterwards": case.started_by_answers()[0]}

    name = "a device that came back from a backup starts anew"
    case = SessionCase(name, accounts, 0)
    case.run(settled.format(start="three") + """
a: a2 a3              a2 is late
b< a3
b: b1                 late, of a sending chain that ends
b&
b* three              its first session with a since then
b: b2 b3
a< b2 b1              a has heard from b that it came back
a: a4
b< a4 a2
b: b4                 without handshake, and without the bit
a< b4 b3
b* three              another: not the first
b: b5
a< b5
a: a5
b< a5
""")
    bits = {s["name"]: s["recovered"] for s in case.steps if s["op"] == "send"}
    assert [n for n, bit in bits.items() if bit] == ["b2", "b3"]
    yield case.result() | {"active_afterwards": case.started[-1][1]}

    name = "a message that none of its envelopes brings"
    case = SessionCase(name, accounts, 0)
    case.run(settled.format(start="three") + """
b&
a: a2 a3              of the session that b still opens
b< a2
a* three              a has fetched the bundle before
""".replace("a* three", "a* old") + """
a: a4
b< a4~4
b? a4
a= a4/old             the second envelope, with a prekey that is gone
b< a4+~4
b? a4+
a= a4+/old
b< a4++~4
b? a4++
a= a4++/old           the fourth
b< a4+++~4
b? a4+++
a= a4+++/old          the fifth: it is lost
b< a4++++~4
b? a4++++
a= a4++++/no          enough
a= a4/no
b< a3                 the first session still opens
""")
    outcomes = [(s["outcome"], s["message_id"] == case.steps[case.sent["a4"]]["message_id"]) for s in case.steps if s["op"] == "answer" and s["expect"] == "opens"]
    assert outcomes == [("again", True)] * 3 + [("lost", True)]
    yield case.result()


def retry_file():
    """Retry requests of b for an envelope of a; a's answers are in session.json."""
    short_a, short_b, third = filler("account retry a", 16), filler("account retry b", 64), filler("account retry c", 20)
    case = SessionCase("retry requests", {"a": (short_a, 0), "b": (short_b, 0), "c": (third, 0)}, 0)
    case.run("""
a* three
a: a0 a1              a0 is late
b< a1
b: b0
a< b0                 no ratchet key of a is the current one
""")
    a, b, c = (case.device[x] for x in "abc")
    sent = case.steps[case.sent["a0"]]
    envelope, session_id = sent["envelope"], sent["session_id"]
    tag_of_it, digest = message_id(envelope), envelope_digest(envelope)

    def make(name, body, **wrong):
        """A request of b to a; `wrong` puts another value in the place of one."""
        salt, nonce = draw(f"retry {name} salt", 32), draw(f"retry {name} nonce", 12)
        parts = {"asks": b.identity, "iks": a.public, "address_r": b.address, "address_s": a.address} | wrong
        return encode_request(salt, nonce, body, **parts)

    def body(reason=KEY_GONE, asked_at=NOW, message=tag_of_it, session=session_id, digest=digest):
        return request_body(message, session, digest, reason, asked_at)

    requests = []
    for name, reason, asked_at, is_made in (
        ("no session on record", NO_SESSION, NOW, False), ("key gone", KEY_GONE, NOW, True), ("too far ahead", TOO_FAR, NOW, True),
        ("prekey missing", NO_PREKEY, NOW, True), ("recovered", RECOVERED, NOW, False), ("no chain on record", NO_CHAIN, NOW, True),
        ("reason 0, which is left out", 0, NOW, False), ("reason 7", 7, NOW, False), ("reason 2^32 - 1", 2**32 - 1, NOW, False),
        ("asked at 0, which is left out", KEY_GONE, 0, False), ("asked at 2^64 - 1", KEY_GONE, MAX_START, False),
    ):
        out = make(name, body(reason, asked_at))
        assert open_request(out["request"], a.identity, a.address, b.address)[0] == b.public
        ends = copy.deepcopy(a).answer(f"retry answer to {name}", b, out["request"], b.bundle, NOW)
        requests.append({
            "name": name, "reason": reason, "asked_at": asked_at, "made_by_b": is_made, "means": ends["reason"],
            "restarts": ends["restarted"],
        } | out)

    refused = []

    def refuse(name, request, why, to="a", sender="b", identity=None):
        device, peer = case.device[to], case.device[sender]
        try:
            copy.deepcopy(device).answer(f"retry {name}", peer, request, peer.bundle, NOW)
        except Refused as e:
            refused.append({"name": name, "to": to, "from": sender, "request": request, "why": why or str(e)})
            if identity:
                refused[-1]["identity_named"] = identity
            return
        raise AssertionError(name)

    good = make("good", body())["request"]
    refuse("from c, by the transport's word", good, "the address of the one that asks is another", sender="c")
    refuse("to b itself", good, "reflected: made for a", to="b", sender="a")
    refuse("of a to b, back to a", make("of a to b", body(), asks=a.identity, iks=b.public, address_r=a.address, address_s=b.address)["request"],
           "reflected: a's own identity key, and the addresses the other way")
    refuse("to c", good, "made for a", to="c")
    for what, wrong in (
        ("the address of c for that of b", {"address_r": c.address}), ("another device of b's account", {"address_r": addr(b.account, 1)}),
        ("the address of c for that of a", {"address_s": c.address}), ("the addresses the other way", {"address_r": a.address, "address_s": b.address}),
        ("made for the identity key of c", {"iks": c.public}),
    ):
        refuse(what, make(what, body(), **wrong)["request"], "the tag does not verify")
    refuse("under another identity key", make("another identity key", body(), asks=c.identity)["request"],
           "it opens, under another identity key than the one on record", identity=c.public)
    refuse("under a's own identity key", make("own identity key", body(), asks=a.identity)["request"],
           "it opens, under another identity key than the one on record: nobody but a can make this", identity=a.public)
    claimed = make("claimed", body(), asks=c.identity, identity_key=enc(b.public))
    refuse("made by c, and says that it is under the key of b", claimed["request"], "the tag does not verify")
    refuse("version 2", b"\x02" + good[1:], "version")
    refuse("version 2, sealed", make("version 2", body(), front=b"\x02\x00")["request"], "version; the tag verifies for who does not check it")
    refuse("second byte 1", b"\x01\x01" + good[2:], "no retry request")
    refuse("type byte 4 of the key", make("type byte", body(), identity_key=b"\x04" + b.public)["request"], "type byte")
    refuse("key of low order", make("low order", body(), identity_key=enc(bytes(32)))["request"], "identity key")
    refuse("key not canonical", make("not canonical", body(), identity_key=enc((P + 9).to_bytes(32, "little")))["request"], "identity key")
    outer = read_message(good[2:], REQUEST)
    fields = [bytes_field(n, outer[REQUEST[n][0]]) for n in (1, 2, 3)]
    for what, parts in (
        ("fields in another order", [fields[1], fields[0], fields[2]]), ("field 1 twice", [fields[0], *fields]),
        ("no field 1", fields[1:]), ("no field 2", [fields[0], fields[2]]), ("no field 3", fields[:2]),
        ("an unknown field", [*fields, uint_field(4, 1)]), ("a length not of least length", [b"\x0a\xa1\x00" + fields[0][2:], *fields[1:]]),
        ("salt of 31 bytes", [fields[0], bytes_field(2, outer["salt"][:31]), fields[2]]),
        ("salt of 33 bytes", [fields[0], bytes_field(2, outer["salt"] + b"\0"), fields[2]]),
        ("sealed of 27 bytes", [*fields[:2], bytes_field(3, outer["sealed"][:27])]),
        ("sealed with a byte more", [*fields[:2], bytes_field(3, outer["sealed"] + b"\0")]),
        ("513 bytes", [*fields[:2], bytes_field(3, bytes(513 - 2 - len(fields[0]) - len(fields[1]) - 3))]),
    ):
        refuse(what, REQUEST_FRONT + b"".join(parts), None)
    assert len(refused[-1]["request"]) == MAX_RETRY_REQUEST + 1
    one, two, three, four, five = (
        bytes_field(1, tag_of_it), bytes_field(2, session_id), bytes_field(3, digest), uint_field(4, KEY_GONE), uint_field(5, NOW),
    )
    for what, parts in (
        ("empty body", []), ("body without message id", [two, three, four, five]), ("body without session id", [one, three, four, five]),
        ("body without head", [one, two, four, five]), ("body in another order", [two, one, three, four, five]),
        ("body with field 1 twice", [one, one, two, three, four, five]), ("body with an unknown field", [one, two, three, four, five, uint_field(6, 1)]),
        ("message id of 15 bytes", [bytes_field(1, tag_of_it[:15]), two, three, four, five]),
        ("message id of 17 bytes", [bytes_field(1, tag_of_it + b"\0"), two, three, four, five]),
        ("session id of 7 bytes", [one, bytes_field(2, session_id[:7]), three, four, five]),
        ("session id of 9 bytes", [one, bytes_field(2, session_id + b"\0"), three, four, five]),
        ("session id as fixed64", [one, fixed64_field(2, session_id), three, four, five]),
        ("head of 15 bytes", [one, two, bytes_field(3, digest[:15]), four, five]),
        ("head of 32 bytes", [one, two, bytes_field(3, digest * 2), four, five]),
        ("reason 0, written out", [one, two, three, tag(4, 0) + b"\0", five]),
        ("reason not of least length", [one, two, three, tag(4, 0) + b"\x82\0", five]),
        ("reason 2^32", [one, two, three, uint_field(4, 2**32), five]), ("reason as bytes", [one, two, three, bytes_field(4, b"\2"), five]),
        ("asked at 0, written out", [one, two, three, four, tag(5, 0) + b"\0"]),
        ("asked at 2^64", [one, two, three, four, tag(5, 0) + varint(2**64)]), ("body truncated", [one, two, three, four, five[:-1]]),
    ):
        refuse(what, make(what, b"".join(parts))["request"], None)
        refused[-1]["why"] += "; the tag verifies"
    flip = lambda x: bytes([x[0] ^ 1]) + x[1:]
    a1 = case.steps[case.sent["a1"]]
    for what, wanted in (
        ("another tag", {"message": flip(tag_of_it)}), ("another session id", {"session": flip(session_id)}),
        ("another digest", {"digest": flip(digest)}), ("the digest of a1", {"digest": envelope_digest(a1["envelope"])}),
        ("an envelope of b's own", {"message": case.steps[case.sent["b0"]]["message_id"], "digest": envelope_digest(case.steps[case.sent["b0"]]["envelope"])}),
    ):
        refuse(what, make(what, body(**wanted))["request"], "a has not sent such an envelope to b")
    ranges = [
        {"name": name, "start": good.index(outer[field]) + at, "length": length}
        for name, field, at, length in (
            ("the salt", "salt", 0, 32), ("the nonce", "sealed", 0, 12), ("the tag", "sealed", len(outer["sealed"]) - 16, 16),
            ("the identity key", "identity_key", 0, 33),
        )
    ]
    for r in ranges:
        for bit in range(8 * r["length"]):
            at = r["start"] + bit // 8
            wrong = good[:at] + bytes([good[at] ^ 1 << bit % 8]) + good[at + 1:]
            try:
                open_request(wrong, a.identity, a.address, b.address)
            except Refused:
                continue
            raise AssertionError(f"{r['name']}, bit {bit}")
    for length in range(len(good)):
        try:
            open_request(good[:length], a.identity, a.address, b.address)
        except Refused:
            continue
        raise AssertionError(f"cut to {length}")
    envelopes = [
        {"name": s["name"], "envelope": s["envelope"], "message_id": s["message_id"], "session_id": s["session_id"],
         "digest_input": lp(b"outrigger v1 envelope") + s["envelope"], "digest": envelope_digest(s["envelope"])}
        for s in case.steps if s["op"] == "send"
    ]
    return {
        "about": "Retry requests (protocol.md, 8). The devices and the steps are as in session.json, and come first. Each of `requests` is of b, for the "
                 "envelope a0, and is to be tried at a as it is after the steps; none of `refused` changes anything. `altered` is refused by a with any one bit "
                 "of its `ranges` flipped, and cut to any shorter length",
        "envelopes": envelopes,
        "case": case.result(),
        "requests": requests,
        "refused": refused,
        "altered": {"from": "b", "to": "a", "request": good, "ranges": ranges},
    }


# ---------------------------------------------------------------------------------------------------------------------------
# Answers that are published elsewhere, so that this script is checked itself
