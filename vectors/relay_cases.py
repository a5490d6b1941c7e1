"""Frames of every kind that are tried at both ends, and what is hashed of requests."""

from companions import account_of
from notation import Refused, filler, u64be
from relay_frames import (
    ACCEPTANCE, ACCEPTED, ACKNOWLEDGED, ANSWER, ASK, AS_READ, BYE, DELIVERED, ENDED, EVENT, FOUND, FRONT, GAP, MAX_COUNTED, NOBODY, NO_CONSENT, NO_LINK, NUMBERED, OFFER_FRAME, OWN_SENT,
    QUERY, READ, RELAYED, STATUS, SUPERSEDED, TOO_LONG, TO_SEND, TO_UPGRADE, UPGRADED, encode_frame, frame_length, lp16, outcome_bytes, outcomes_bytes,
    read_frame_of_relay, relay_addr, relayed_message_id, request_digest,
)
from relay_model import sealed_at
from sessions import encode_stamp


def frames_to_try(run, sent):
    """Frames of every kind in both directions, accepted and refused. All of one direction are under one message key: each is tried at a copy of the state."""
    account, request = run.peer.account, sent["request_id"]
    ids = [filler(f"relay frames id {i}", 16) for i in range(70)]
    top = MAX_COUNTED
    n = u64be
    none, linked = NO_LINK, filler("relay frames link", 8)
    out = {"from_phone": {"taken": [], "refused": []}, "from_desktop": {"taken": [], "refused": []}, "contents": []}

    def one(of, name, frame, expect=None):
        device = run.phone if of == "from_phone" else run.desktop
        entry = {"name": name, "frame": frame, "envelope": sealed_at(run, device, f"{of} {name}", b"\x21\x08" + frame)}
        try:
            said = read_frame_of_relay(frame, of == "from_phone")
            assert expect is not None, name
            if of == "from_phone" and said["kind"] in (STATUS, *NUMBERED):
                found = run.expects(said)
                assert found == expect or found == "shown" and said["kind"] in NUMBERED, (name, found)
            if expect == "status":
                entry["good_until"] = run.until(said)
            out[of]["taken"].append(entry | {"expect": expect, "said": said})
        except Refused as e:
            assert expect is None, (name, str(e))
            out[of]["refused"].append(entry | {"why": str(e)})

    # From the phone, to a desktop that has shown nothing and whose request 1 has gone out; its first ask was answered, 2 and 3 were not.
    assert (run.shown, run.shown_link, run.number, run.asked, run.heard) == (0, none, 2, 3, 1)
    last = run.asked_at

    def status(nonce=3, asked_at=last, suspended=0, good_for=1_000, from_=1, next_=1, link=none, outcomes=(), ack=0, count=None, more=b""):
        body = n(nonce) + n(asked_at) + bytes([suspended]) + n(good_for) + n(from_) + n(next_) + link + outcomes_bytes(outcomes, count) + more
        return encode_frame(STATUS, ack, body)

    ours = [(1, request, ACCEPTED)]
    one("from_phone", "status", status(), "status")
    one("from_phone", "status, over", status(good_for=0), "status")
    one("from_phone", "status, good for ever", status(good_for=2**64 - 1), "status")
    one("from_phone", "status, of the ask before", status(nonce=2, asked_at=last - 1_000), "status")
    one("from_phone", "status, of the ask before, over", status(nonce=2, asked_at=last - 1_000, good_for=0), "status")
    one("from_phone", "status, asked after the last ask", status(asked_at=last + 1), "status")
    one("from_phone", "status, asked after the last ask, over", status(asked_at=last + 1, good_for=0), "status")
    one("from_phone", "status, asked at the last moment", status(asked_at=2**64 - 1), "status")
    one("from_phone", "status, asked at 0", status(asked_at=0), "status")
    for nonce in (0, 1, 4, 2**64 - 1):
        name = f"status, of ask {'2^64 - 1' if nonce == 2**64 - 1 else nonce}"
        one("from_phone", name, status(nonce=nonce), "nothing")
        one("from_phone", f"{name}, suspended", status(nonce=nonce, suspended=1), "nothing")
        one("from_phone", f"{name}, suspended, behind a frame that is under way", status(nonce=nonce, suspended=1, next_=2), "nothing")
        one("from_phone", f"{name}, behind a frame that is under way", status(nonce=nonce, next_=2), "early")
        one("from_phone", f"{name}, more requests are taken than were made", status(nonce=nonce, ack=2), "nothing")
        one("from_phone", f"{name}, more is acknowledged than was shown", status(nonce=nonce, from_=2, next_=3), "nothing")
        one("from_phone", f"{name}, another link", status(nonce=nonce, link=linked), "nothing")
    one("from_phone", "status, another link, more requests are taken than were made", status(link=linked, ack=2), "desktop went back")
    one("from_phone", "status, another link, behind a frame that is under way", status(link=linked, next_=2), "early")
    one("from_phone", "status, another link, less was told than shown", status(link=linked, next_=0), "status")
    one("from_phone", "status, suspended, another link", status(suspended=1, link=linked), "suspended")
    one("from_phone", "status, an outcome", status(outcomes=ours), "status")
    one("from_phone", "status, 64 outcomes", status(outcomes=[(i + 1, ids[i], (*range(5), 16, 17, 18, 19, 22)[i % 10]) for i in range(64)]), "status")
    one("from_phone", "status, an outcome of the highest number", status(outcomes=[(top, ids[0], READ)]), "status")
    for suspended in range(1, 5):
        one("from_phone", f"status, suspended {suspended}", status(suspended=suspended), "suspended")
        one("from_phone", f"status, suspended {suspended}, behind a frame that is under way", status(suspended=suspended, next_=2), "suspended")
    one("from_phone", "status, suspended, more requests are taken than were made", status(suspended=1, ack=2), "suspended")
    one("from_phone", "status, more is acknowledged than was shown", status(from_=2, next_=2), "desktop went back")
    one("from_phone", "status, the highest numbers", status(from_=top, next_=top), "desktop went back")
    one("from_phone", "status, more requests are taken than were made", status(ack=2), "desktop went back")
    one("from_phone", "status, the highest ack", status(ack=top), "desktop went back")
    one("from_phone", "status, more is acknowledged than was shown, and more is under way", status(from_=2, next_=3), "desktop went back")
    one("from_phone", "status, behind a frame that is under way", status(next_=2), "early")
    one("from_phone", "status, behind a frame that is under way, more requests are taken than were made", status(next_=2, ack=2), "early")
    address = relay_addr(account, 0)
    first = n(1) + none
    event = first + n(5) + address + ids[0]
    long, short = filler("relay frames long account", 64), filler("relay frames short account", 16)
    one("from_phone", "event", encode_frame(EVENT, 0, event + b"\0" + b"text"), "event")
    one("from_phone", "event, with a shared id", encode_frame(EVENT, 0, event + b"\x01" + ids[1] + b"text"), "event")
    one("from_phone", "event, no text", encode_frame(EVENT, 0, event + b"\0"), "event")
    one("from_phone", "event, a shared id and no text", encode_frame(EVENT, 0, event + b"\x01" + ids[1]), "event")
    one("from_phone", "event, of a companion, the longest id", encode_frame(EVENT, 1, first + n(2**64 - 1) + relay_addr(long, 2**32 - 1) + ids[0] + b"\0text"), "event")
    one("from_phone", "event, the shortest id, time 0", encode_frame(EVENT, 0, first + n(0) + relay_addr(short, 1) + ids[0] + b"\0text"), "event")
    one("from_phone", "event, text of zeros", encode_frame(EVENT, 0, event + b"\0" + bytes(40)), "event")
    one("from_phone", "event, no padding", encode_frame(EVENT, 0, event + b"\0text", zeros=b""), "event")
    one("from_phone", "event, a zero of padding", encode_frame(EVENT, 0, event + b"\0text", zeros=bytes(1)), "event")
    one("from_phone", "event, a thousand zeros of padding", encode_frame(EVENT, 0, event + b"\0text", zeros=bytes(1_000)), "event")
    one("from_phone", "event, of 1,500 bytes", encode_frame(EVENT, 0, event + b"\0" + filler("relay frames text", 1_500)), "event")
    one("from_phone", "event 2", encode_frame(EVENT, 0, n(2) + event[8:] + b"\0text"), "early")
    one("from_phone", "event 2^62", encode_frame(EVENT, 0, n(top) + event[8:] + b"\0text"), "early")
    own = first + n(5) + lp16(account) + ids[0]
    one("from_phone", "own sent", encode_frame(OWN_SENT, 0, own + b"text"), "own sent")
    one("from_phone", "own sent, no text", encode_frame(OWN_SENT, 0, own), "own sent")
    one("from_phone", "own sent, the longest id", encode_frame(OWN_SENT, 0, first + n(5) + lp16(long) + ids[0] + b"text"), "own sent")
    for state in (*range(5), 16, 17, 18, 19, NOBODY):
        one("from_phone", f"answer, state {state}", encode_frame(ANSWER, 1, first + outcome_bytes(1, request, state)), "answer")
    one("from_phone", "answer to another request", encode_frame(ANSWER, 0, first + outcome_bytes(2, ids[0], ACCEPTED)), "desktop went back")
    one("from_phone", "gap", encode_frame(GAP, 0, first + n(7) + n(5) + n(6)), "gap")
    one("from_phone", "gap of 0", encode_frame(GAP, 0, first + n(0) + n(0) + n(0)), "gap")
    one("from_phone", "gap of 2^64 - 1", encode_frame(GAP, 0, first + n(2**64 - 1) + n(0) + n(2**64 - 1)), "gap")
    one("from_phone", "found", encode_frame(FOUND, 0, first + request + b"found"), "found")
    one("from_phone", "found, no text", encode_frame(FOUND, 0, first + request), "found")
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
        STATUS: n(3) + n(last) + b"\0" + n(1_000) + n(1) + n(1) + none + outcomes_bytes(ours), EVENT: event + b"\x01" + ids[1], OWN_SENT: own,
        ANSWER: first + outcome_bytes(1, request, ACCEPTED), GAP: first + n(7) + n(5) + n(6), FOUND: first + request,
        ENDED: b"\x01" + outcomes_bytes(ours), SUPERSEDED: b"",
        ASK: n(4) + n(last) + n(1) + n(2) + none + b"\0", ACKNOWLEDGED: b"", TO_SEND: n(1) + request + n(top) + lp16(account) + lp16(b"bound"),
        AS_READ: n(1) + request + n(top) + address + ids[0], QUERY: n(1) + request + n(top), BYE: b"",
    }
    for kind in (EVENT, OWN_SENT, ANSWER, GAP, FOUND):
        for link in (none, linked):
            one("from_phone", f"kind {kind}, number 2, link {link.hex()}", encode_frame(kind, 0, n(2) + link + whole[kind][16:]), "early")

    # A body that is cut; one byte more, where no text is its end; lengths that lie; padding; numbers.
    def asks(nonce=4, asked_at=last, first=1, next_=2, link=none, lacks=0, ack=0):
        return encode_frame(ASK, ack, n(nonce) + n(asked_at) + n(first) + n(next_) + link + bytes([lacks]))

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
        one("from_phone", f"answer to number {name}", encode_frame(ANSWER, 0, first + outcome_bytes(number, request, READ)))
        for kind in (EVENT, OWN_SENT, ANSWER, GAP, FOUND):
            one("from_phone", f"kind {kind}, number {name}", encode_frame(kind, 0, n(number) + whole[kind][8:]))
        one("from_desktop", f"ask, next {name}", asks(first=number - 1, next_=number))
        one("from_desktop", f"ask, first and next {name}", asks(first=number, next_=number))
        for kind in (TO_SEND, AS_READ, QUERY):
            one("from_desktop", f"kind {kind}, number {name}", encode_frame(kind, 0, n(number) + whole[kind][8:]))
    for suspended in (5, 16, 255):
        one("from_phone", f"status, suspended {suspended}", status(suspended=suspended))
    for state in (5, 15, 23, 127, 255):
        one("from_phone", f"answer, state {state}", encode_frame(ANSWER, 0, first + outcome_bytes(1, request, state)))
        one("from_phone", f"status, an outcome of state {state}", status(outcomes=[(1, request, state)]))
        one("from_phone", f"ended, an outcome of state {state}", encode_frame(ENDED, 0, b"\x01" + outcomes_bytes([(1, request, state)])))
    one("from_phone", "answer to number 0", encode_frame(ANSWER, 0, first + outcome_bytes(0, request, READ)))
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
        one("from_phone", f"event, an id of {length} bytes", encode_frame(EVENT, 0, first + n(5) + relay_addr(bad, 0) + ids[0] + b"\0text"))
        one("from_phone", f"own sent, an id of {length} bytes", encode_frame(OWN_SENT, 0, first + n(5) + lp16(bad) + ids[0] + b"text"))
        one("from_desktop", f"to send, an id of {length} bytes", encode_frame(TO_SEND, 0, n(1) + request + n(top) + lp16(bad) + lp16(b"") + b"text"))
        one("from_desktop", f"as read, an id of {length} bytes", encode_frame(AS_READ, 0, n(1) + request + n(top) + relay_addr(bad, 0) + ids[0]))
    one("from_phone", "event, the id's length lies", encode_frame(EVENT, 0, first + n(5) + b"\xff\xff" + address[2:] + ids[0] + b"\0text"))

    # From the desktop, to a phone that has taken nothing and told nothing.
    one("from_desktop", "ask", asks(), "ask")
    one("from_desktop", "ask, no request without an answer", asks(first=2), "ask")
    one("from_desktop", "ask, 64 requests", asks(next_=65), "ask")
    one("from_desktop", "ask, nonce 2^64 - 1", asks(nonce=2**64 - 1), "ask")
    one("from_desktop", "ask, the highest numbers", asks(first=top - 64, next_=top), "ask")
    one("from_desktop", "ask, more was shown than was told", asks(ack=1), "went back")
    one("from_desktop", "ask, the highest ack", asks(ack=top), "went back")
    one("from_desktop", "ask, asked at 0", asks(asked_at=0), "ask")
    one("from_desktop", "ask, asked at the last moment", asks(asked_at=2**64 - 1), "ask")
    one("from_desktop", "ask, of a nonce before", asks(nonce=1, asked_at=last - 1), "ask")
    one("from_desktop", "ask, nonce 0", asks(nonce=0), "ask")
    one("from_desktop", "ask, it lacks something", asks(lacks=1), "ask")
    one("from_desktop", "ask, a link, it has joined", asks(link=linked), "ask")
    one("from_desktop", "ask, it lacks something, more was shown than was told", asks(lacks=1, ack=1), "went back")
    for lacks in (2, 3, 128, 255):
        one("from_desktop", f"ask, lacks {lacks}", asks(lacks=lacks))
        one("from_desktop", f"ask, lacks {lacks}, more was shown than was told", asks(lacks=lacks, ack=1))
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

    # Requests that are allowed and answered with a refusal: one binds more than a message can, one is for the own account, which has no other device.
    # It is the request that this desktop has out.
    out["from_desktop"]["allowed"] = []
    for name, to, bound, state in (
        ("to send, associated data of 4,097 bytes", account, filler("relay ad", 4097), TOO_LONG), ("to send, to the own account", run.phone.account, b"", NOBODY),
        ("to send, to the own account, with associated data", run.phone.account, b"bound", NOBODY),
    ):
        frame = encode_frame(TO_SEND, 0, n(1) + request + n(top) + lp16(to) + lp16(bound) + b"text")
        out["from_desktop"]["allowed"].append({
            "name": name, "frame": frame, "said": read_frame_of_relay(frame, False), "state": state,
            "envelope": sealed_at(run, run.desktop, f"from_desktop {name}", b"\x21\x08" + frame)})

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


def links_to_try(run):
    """Frames behind the one that the desktop has shown, and behind others, at a copy of the state each."""
    n, link, out = u64be, run.shown_link, []
    account, ids, request = run.peer.account, [filler(f"relay links id {run.shown} {i}", 16) for i in range(2)], run.request_id
    links = {"another link": filler("relay links other", 8), "a link of ones": b"\xff" * 8}
    if link is None:
        links |= {"a link of zeros": NO_LINK}
    else:
        links |= {
            "the link": link, "a link of zeros": NO_LINK, "the last byte of the link another": link[:7] + bytes([link[7] ^ 1]),
            "the first byte of the link another": bytes([link[0] ^ 0x80]) + link[1:], "the link turned": link[::-1]}
    bodies = {
        EVENT: n(5) + relay_addr(account, 0) + ids[0] + b"\0text", OWN_SENT: n(5) + lp16(account) + ids[0] + b"text", ANSWER: outcome_bytes(1, request, RELAYED),
        GAP: n(7) + n(5) + n(6), FOUND: request + b"found", OFFER_FRAME: request + lp16(b"no body") + bytes(64), UPGRADED: lp16(b"no certificate") + lp16(b""),
    }

    def one(name, frame):
        expect = run.expects(read_frame_of_relay(frame, True))
        if frame[0] in (OFFER_FRAME, UPGRADED) and expect == "shown":
            expect = "refused"     # what is in it does not hold
        out.append({
            "name": name, "frame": frame, "said": read_frame_of_relay(frame, True), "expect": expect,
            "envelope": sealed_at(run, run.phone, f"link {run.shown} {name}", b"\x21\x08" + frame)})

    for name, named in links.items():
        for kind, body in bodies.items():
            one(f"kind {kind}, {name}", encode_frame(kind, 0, n(run.shown + 1) + named + body))
        for number, where in ((run.shown, "shown"), (run.shown + 2, "early")):
            one(f"{where}, {name}", encode_frame(EVENT, 0, n(number) + named + bodies[EVENT]))
        for nonce in range(run.heard, run.asked + 1):
            for from_, next_ in ((0, 0), (0, 1), (1, 1), (0, 2)):
                frame = n(nonce) + n(run.asked_at) + b"\0" + n(1_000) + n(run.shown + from_) + n(run.shown + next_) + named + outcomes_bytes([])
                one(f"status, of ask {nonce}, from shown + {from_}, next shown + {next_}, {name}", encode_frame(STATUS, 0, frame))
    return {"after": len(run.steps), "time": run.desktop_time, "frames": out}


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
