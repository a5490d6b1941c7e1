"""Cases of companions.json: content with stamps and headings.

Licence: MIT OR Apache-2.0.
"""

from companions import WINDOW, account_of, check_list, list_body, list_digest, sign_list
from handshake import addr
from keys import public_key
from notation import NOW, TIME, Refused, draw, filler, u64be
from session_cases import ByHand
from sessions import (
    AGAIN, ASKS_HISTORY, FRAME, LEAVES, LOST, MANIFEST, MESSAGE, NAMED, OWN_COPY, RELAY, TAKEN, TO_ACCOUNT, Device, encode_content, encode_stamp,
    message_id, split_content,
)


VIEWS = ("same", "receiver behind", "sender behind", "two lists")


def seen(told, own):
    """How the receiver stands to what a stamp says of an account. `own` is (epoch, digest), or None."""
    told, own = (told["epoch"], told["digest"]), own or (0, bytes(16))
    return VIEWS[0 if told == own else 3 if told[0] == own[0] else 1 if told[0] > own[0] else 2]


def contents():
    """What is sealed for each kind, stamp and heading; b is a phone, c its companion, a the phone of another account, which d knows without its list."""
    theirs, ours = account_of("companions contents a", 16), account_of("companions contents b", 64)
    b, d = Device("companions contents b", ours, 0, TIME, 0), Device("companions contents d", account_of("companions contents d", 20), 0, TIME, 0)
    private = {x: draw(f"companions contents {x} identity", 32) for x in "ac"}
    pub = {x: public_key(k) for x, k in private.items()} | {"b": b.public}
    sender = {"a": (theirs, 0), "c": (ours, 9)}
    to = {"b": b, "d": d}
    lists, steps = {}, []
    for x, account_id, epoch, key, entries in (
        ("a", theirs, 3, private["a"], [(17, 1, public_key(draw("companions contents other", 32)))]), ("b", ours, 5, b.identity, [(9, 6, pub["c"])]),
    ):
        inc = filler(f"companions contents incarnation {x}", 16)
        body = list_body(account_id, inc, epoch, TIME, TIME + WINDOW, 8, entries)
        signed = sign_list(key, body, draw(f"companions contents list {x} z", 64))
        check_list(account_id, pub[x], signed)
        lists[x] = (epoch, list_digest(account_id, inc, pub[x], entries)), signed
    ways = {}

    def learn(at, whose):
        steps.append({"op": "learn", "by": at, "account_id": theirs if whose == "a" else ours, "list": lists[whose][1]})

    def one(name, by, of, content, expect="opens", why=None):
        if (by, of) not in ways:
            ways[by, of] = ByHand(f"companions contents {by}{of}", to[of], private[by], addr(*sender[by]))
        envelope = ways[by, of].envelope(content)
        step = {"op": "receive", "name": name, "by": of, "from": by, "content": content, "envelope": envelope, "associated_data": b"data", "expect": expect}
        try:
            out = split_content(content, sender[by][0] == to[of].account, sender[by][1], 0)
            result, views = "opens", None
        except Refused as e:
            out, result = None, e.kind
        assert result == expect, (name, result)
        if out:
            known = {"d": (None, None), "b": (lists["a" if by == "a" else "b"][0], lists["b"][0])}[of]
            views = [seen(out["stamp"][x], k) for x, k in zip(("sender", "recipient"), known)] if out["stamp"] else None
            step |= {"message_id": out.pop("first") or message_id(envelope), "views": views} | out
        steps.append(step | ({"why": why} if why else {}))

    la, lb = lists["a"][0], lists["b"][0]
    shared = filler("companions shared id", 16)
    count = 0

    def fresh():
        nonlocal count
        count += 1
        return filler(f"companions contents message id {count}", 16)

    other = filler("companions contents another digest", 16)
    stamps = {
        "both lists": (la, lb), "both lists, one left out": (la, lb, [9]), "both lists, five left out": (la, lb, [0, 9, 2**31, 2**32 - 2, 2**32 - 1]),
        "newer of its own": ((4, other), lb), "older of its own": ((2, other), lb), "another of its own": ((3, other), lb),
        "newer of the recipient": (la, (6, other)), "older of the recipient": (la, (4, other)), "another of the recipient": (la, (5, other)),
        "none of its own": (None, lb), "none of the recipient": (la, None), "none": (None, None), "highest": ((2**32 - 1, other), (2**32 - 1, other)),
    }
    headings = {
        "to the account": bytes([TO_ACCOUNT]) + shared, "own copy, shortest id": bytes([OWN_COPY]) + shared + b"\x10" + theirs,
        "own copy, longest id": bytes([OWN_COPY]) + shared + b"\x40" + ours, "taken": bytes([TAKEN]) + u64be(0),
        "asks for history": bytes([ASKS_HISTORY]) + filler("companions contents history", 16) + u64be(NOW), "leaves": bytes([LEAVES]),
    }
    frames = {"frame": bytes([FRAME]), "manifest": bytes([MANIFEST])}
    relay = bytes([RELAY])
    foreign = [x for x in headings if x != "to the account"]
    names = {MESSAGE: "message", AGAIN: "again", LOST: "lost", NAMED: "named"}

    learn("b", "b")
    one("the first of a", "a", "b", b"\x01hello")
    learn("b", "a")
    for name, stamp in stamps.items():
        for kind in (MESSAGE, AGAIN, LOST, NAMED):
            first = None if kind == MESSAGE else fresh()
            one(f"{names[kind]}, {name}", "a", "b", encode_content(kind, False, first, b"" if kind == LOST else b"text", encode_stamp(*stamp)))
    for name, kind, recovered, stamp, text in (
        ("no stamp", MESSAGE, False, b"", b"text"), ("no stamp, no text", MESSAGE, False, b"", b""), ("no stamp, again", AGAIN, False, b"", b"text"),
        ("stamp", MESSAGE, False, encode_stamp(la, lb), b"text"), ("stamp, no text", MESSAGE, False, encode_stamp(la, lb), b""),
        ("stamp, again", AGAIN, False, encode_stamp(la, lb), b"text"), ("recovered", MESSAGE, True, encode_stamp(la, lb), b"text"),
        ("recovered, again", AGAIN, True, encode_stamp(la, lb), b"text"),
        ("no stamp, named", NAMED, False, b"", b"text"), ("no stamp, named, no text", NAMED, False, b"", b""),
        ("stamp, named", NAMED, False, encode_stamp(la, lb), b"text"), ("recovered, named", NAMED, True, encode_stamp(la, lb), b"text"),
    ):
        first = None if kind == MESSAGE else fresh()
        one(f"to the account, {name}", "a", "b", encode_content(kind, recovered, first, text, stamp, headings["to the account"]))
    one("a list, where there is none", "a", "d", encode_content(MESSAGE, False, None, b"text", encode_stamp(la, None)))
    one("no list, where there is none", "a", "d", encode_content(MESSAGE, False, None, b"text", encode_stamp(None, None)))
    one("lists of both, where there are none", "a", "d", encode_content(MESSAGE, False, None, b"text", encode_stamp(la, lb, [17])))

    own = encode_stamp(lb, lb)
    for name in foreign:
        no_text = headings[name][0] in (LEAVES, TAKEN, ASKS_HISTORY)
        for stamp in (b"", own):
            content = encode_content(MESSAGE, False, None, b"" if no_text else b"text", stamp, headings[name])
            one(f"{name}, from another account{', stamped' * bool(stamp)}", "a", "b", content, "not of own account")
    for name, front in frames.items():
        one(f"{name}, from another account", "a", "b", encode_content(MESSAGE, False, None, b"", b"", front), "not of own account")
        one(f"{name}, from the own companion", "c", "b", encode_content(MESSAGE, False, None, b"", b"", front), "not of own account")

    # A frame of the relay is no message: anybody may say it, and only the relay takes it.
    for by, of, said in (("a", "b", encode_stamp(la, lb)), ("c", "b", own), ("a", "d", encode_stamp(la, None))):
        for stamp in (b"", said):
            for kind in (MESSAGE, AGAIN, NAMED):
                for text in (b"", b"text"):
                    first = None if kind == MESSAGE else fresh()
                    what = f"a frame of the relay, {names[kind]}, {by} to {of}{', stamped' * bool(stamp)}{', no text' * (not text)}"
                    one(what, by, of, encode_content(kind, False, first, text, stamp, relay), "frame")
    one("a frame of the relay, recovered", "a", "b", encode_content(MESSAGE, True, None, b"text", b"", relay), "frame")

    stamp, to_account = encode_stamp(la, lb), headings["to the account"]
    short = lambda name, content, why="body too short": one(name, "a", "b", content, "refused", why + "; the tag verifies")
    for cut in (0, 3, 4, 19, 20, 23, 24, 39, 40):
        short(f"a stamp of {cut} bytes", b"\x41" + stamp[:cut])
    five = encode_stamp(la, lb, [1, 2, 3, 4, 5])
    short("six left out", b"\x41" + encode_stamp(la, lb, range(1, 7)) + b"text", "at most five")
    short("255 left out", b"\x41" + stamp[:40] + b"\xff" + bytes(4 * 255), "at most five")
    for name, devices in (("twice", [9, 9]), ("not ascending", [9, 3])):
        short(f"left out, {name}", b"\x41" + encode_stamp(la, lb, devices) + b"text", "strictly ascending")
    for cut in (1, 4, 19):
        short(f"five left out, {cut} bytes cut", b"\x41" + five[:-cut])
    short("again, a stamp cut", b"\x42" + fresh() + stamp[:-1])
    short("again, a message id cut", b"\x42" + fresh()[:15])
    short("named, a stamp cut", b"\x44" + fresh() + stamp[:-1])
    short("named, a message id cut", b"\x44" + fresh()[:15])
    short("named, no heading", b"\x24" + fresh())
    short("named, an id cut in front of a heading", b"\x24" + fresh()[:14] + relay)
    short("lost, a stamp cut", b"\x43" + fresh() + stamp[:-1])
    short("lost, a stamp and a byte", b"\x43" + fresh() + stamp + b"x", "body too long")
    short("lost, a stamp announced only", b"\x43" + fresh())
    short("lost, a heading", b"\x23" + fresh() + to_account, "kind 0x03 has no heading")
    short("lost, a stamp and a heading", b"\x63" + fresh() + stamp + to_account, "kind 0x03 has no heading")
    short("lost, a frame of the relay", b"\x23" + fresh() + relay, "kind 0x03 has no heading")
    short("lost, a heading announced only", b"\x23" + fresh(), "kind 0x03 has no heading")
    short("no heading", b"\x21")
    short("a stamp, no heading", b"\x61" + stamp)
    for kind in (0, 9, 0x7f, 0x80, 0xff):
        short(f"heading {kind:#04x}", b"\x21" + bytes([kind]) + bytes(40), "heading")
    for cut in (0, 15):
        short(f"to the account, {cut} bytes of a shared id", b"\x21" + to_account[:1 + cut])
    short("heading in front of the stamp", b"\x61" + to_account + stamp, "heading, where the epoch's bytes are read")
    for bits in (0x20, 0x40, 0x60, 0xe0):
        for kind in (0, 5, 0x10, 0x11, 0x1f):
            short(f"kind {bits | kind:#04x}", bytes([bits | kind]) + stamp + to_account + bytes(16), "kind")

    wrong = lambda name, content, why="body too short": one(name, "c", "b", content, "refused", why + "; the tag verifies")
    one("the first of c", "c", "b", b"\x01hello")
    wrong("own copy, no length", b"\x21" + bytes([OWN_COPY]) + shared)
    wrong("own copy, the id cut", b"\x21" + bytes([OWN_COPY]) + shared + b"\x10" + theirs[:15])
    wrong("own copy, an id of 15 bytes", b"\x21" + bytes([OWN_COPY]) + shared + b"\x0f" + theirs[:15], "16 to 64")
    wrong("own copy, an id of 65 bytes", b"\x21" + bytes([OWN_COPY]) + shared + b"\x41" + ours + b"x", "16 to 64")
    wrong("own copy, an id of no bytes", b"\x21" + bytes([OWN_COPY]) + shared + b"\0", "16 to 64")
    wrong("named, own copy, no length", b"\x24" + fresh() + bytes([OWN_COPY]) + shared)
    wrong("named, taken, and says more", b"\x24" + fresh() + headings["taken"] + b"x", "body too long")
    wrong("leaves, and says more", b"\x21" + bytes([LEAVES]) + b"x", "body too long")
    wrong("leaves, stamped, and says more", b"\x61" + own + bytes([LEAVES]) + b"x", "body too long")
    wrong("taken, seven bytes", b"\x21" + headings["taken"][:-1])
    wrong("taken, nine bytes", b"\x21" + headings["taken"] + b"x", "body too long")
    wrong("asks for history, a byte cut", b"\x21" + headings["asks for history"][:-1])
    wrong("asks for history, and says more", b"\x21" + headings["asks for history"] + b"x", "body too long")
    for name in headings:
        no_text = headings[name][0] in (LEAVES, TAKEN, ASKS_HISTORY)
        for stamp in (b"", own):
            for kind in (MESSAGE, AGAIN, NAMED):
                if name == "leaves" and (kind != MESSAGE or not stamp):
                    continue
                first = None if kind == MESSAGE else fresh()
                text = b"" if no_text else b"text"
                one(f"{name}, of the own companion, {names[kind]}{', stamped' * bool(stamp)}", "c", "b", encode_content(kind, False, first, text, stamp, headings[name]))
    # Padding: an end and zeros, behind whatever the content is.
    for name, content in (
        ("a message", b"\x11hello"), ("no text", b"\x11"), ("a text that ends like padding", b"\x11text\x80\0\0"), ("a text of zeros", b"\x11\0\0"),
        ("recovered", b"\x91hello"), ("again", b"\x12" + fresh() + b"hello"), ("lost", b"\x13" + fresh()), ("named", b"\x14" + fresh() + b"hello"),
        ("to the account, stamped", b"\x71" + stamp + to_account + b"hello"), ("stamped", b"\x51" + stamp + b"hello"),
    ):
        zeros = {"a message": 0, "no text": 158, "recovered": 1}.get(name, 7)
        one(f"padded, {name}", "a", "b", content + b"\x80" + bytes(zeros))
    one("padded, a frame of the relay", "a", "b", b"\x31" + relay + b"frame\x80\0", "frame")
    for name, content in (
        ("nothing but the kind", b"\x11"), ("no end", b"\x11hello"), ("zeros alone", b"\x11\0\0"), ("another end", b"\x11hello\x01\0"),
        ("an end with a bit more", b"\x11hello\x81\0"), ("a byte behind the zeros", b"\x11hello\x80\0\x01"),
    ):
        short(f"padded, {name}", content, "padding")
    short("padded, lost, and says more", b"\x13" + fresh() + b"x\x80", "body too long")
    short("padded, kind 0", b"\x10hello\x80", "kind")
    short("padded, a stamp cut by the end", b"\x51" + stamp[:-1] + b"\x80")
    peers = {x: {"account_id": sender[x][0], "device_id": sender[x][1], "identity_private": private[x], "identity_public": pub[x]} for x in "ac"}
    return {"time": NOW, "devices": peers | {"b": b.description, "d": d.description}, "steps": steps}
