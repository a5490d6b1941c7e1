"""The relay (docs/relay.md, "Frames"): frames, their padding, and what is hashed of requests."""

from notation import lp, refuse_if, sha256, u32be, u64be
from sessions import MESSAGE, RELAY, split_content

STATUS, EVENT, OWN_SENT, ANSWER, GAP, FOUND, ENDED, SUPERSEDED = range(1, 9)
ASK, ACKNOWLEDGED, TO_SEND, AS_READ, QUERY, BYE = range(9, 15)
OFFER_FRAME, UPGRADED, TO_UPGRADE, ACCEPTANCE = range(15, 19)
FROM_PHONE, FROM_DESKTOP = (*range(STATUS, SUPERSEDED + 1), OFFER_FRAME, UPGRADED), (*range(ASK, BYE + 1), TO_UPGRADE, ACCEPTANCE)
UNKNOWN, ACCEPTED, RELAYED, DELIVERED, READ = range(5)
NO_CONSENT, TOO_LATE, IDENTITY_CHANGED, TOO_LONG, NO_OFFER, IS_UPGRADED, NOBODY = range(16, 23)
STATES = (*range(READ + 1), *range(NO_CONSENT, NOBODY + 1))
NUMBERED = (EVENT, OWN_SENT, ANSWER, GAP, FOUND, OFFER_FRAME, UPGRADED)
MAX_COUNTED, MAX_OUTCOMES, MAX_ASKED = 2**62, 64, 64
FRONT, SHORTEST, LONGEST_PADDED, LONGEST = 13, 160, 1_044_416, 1_044_478
MAX_REQUEST_TEXT, FIVE_MINUTES = 1_036_288, 5 * 60 * 1000
PASSED_ON, ONE_DAY = 9, 24 * 60 * 60 * 1000
NO_LINK = bytes(8)             # before the first numbered frame of a pairing


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


def link_of(envelope):
    return envelope[-8:]


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

    if kind in NUMBERED:
        counted("number")
        out["link"] = take(8)
    if kind == STATUS:
        out |= {"nonce": number(8), "asked_at": number(8), "suspended": number(1), "good_for": number(8)}
        refuse_if(out["suspended"] > 4, "a reason that is not known")
        counted("from"), counted("next")
        out["link"] = take(8)
        outcomes()
    elif kind in (EVENT, OWN_SENT):
        out["time"] = number(8)
        account()
        if kind == EVENT:
            out |= {"device_id": number(4), "message_id": take(16)}
            shared = number(1)
            refuse_if(shared > 1, "neither 0 nor 1")
        out["shared_id"] = take(16) if kind == OWN_SENT or shared else None
        rest()
    elif kind == ANSWER:
        out["outcome"] = outcome()
    elif kind == GAP:
        out |= {"count": number(8), "first_time": number(8), "last_time": number(8)}
    elif kind == FOUND:
        out["request_id"] = take(16)
        rest()
    elif kind == ENDED:
        out["why"] = number(1)
        outcomes()
    elif kind == ASK:
        out |= {"nonce": number(8), "asked_at": number(8)}
        counted("first", 1), counted("next")
        refuse_if(out["first"] > out["next"], "first above next")
        refuse_if(out["next"] - out["first"] > MAX_ASKED, "more than 64 requests")
        out["link"] = take(8)
        out["lacks"] = number(1)
        refuse_if(out["lacks"] > 1, "neither 0 nor 1")
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
        out |= {"request_id": take(16), "certificate_body": take(number(2)), "account_signature": take(64)}
    elif kind == UPGRADED:
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
