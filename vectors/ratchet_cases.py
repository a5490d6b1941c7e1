"""Cases of ratchet.json.

Licence: MIT OR Apache-2.0.
"""

import copy

from keys import LOW_ORDER, P, dh, enc, le, public_key
from notation import Refused, bytes_field, draw, filler, fixed64_field, read_message, seed, tag, uint_field, varint
from ratchet import HEADER, Ratchet, encode_header, kdf_ck, kdf_rk, read_header, seal


class RatchetCase:
    """Two parties a (initiator) and b. Messages are named by their sender and a number: a0, a1, b0."""

    def __init__(self, name):
        self.name = f"ratchet {name}"
        secret = seed(f"{self.name} root secret")
        private_b = draw(f"{self.name} responder key", 32)
        private_a = draw(f"{self.name} first ratchet key", 32)
        self.party = {"a": Ratchet.initiator(secret, private_a, public_key(private_b)), "b": Ratchet.responder(secret, private_b)}
        a = self.party["a"]
        self.initial = {
            "root_secret": secret, "responder_private": private_b, "responder_public": public_key(private_b),
            "initiator_draws": [private_a], "initiator_private": private_a, "initiator_public": public_key(private_a),
            "initiator_dh": a.first_dh, "initiator_root": a.root, "initiator_chain": a.send_chain,
        }
        self.steps, self.sent, self.after = [], {}, []
        self.count = {"a": 0, "b": 0}

    def send(self, by, length=None):
        label = f"{by}{self.count[by]}"
        self.count[by] += 1
        i = len(self.steps)
        length = (5, 0, 1, 16, 31, 64, 130)[i % 7] if length is None else length
        text = filler(f"{self.name} text {i}", length)
        ad = filler(f"{self.name} associated data {i}", (0, 1, 20, 64)[i % 4])
        out = self.party[by].send(f"{self.name} {label}", text, b"", ad)
        self.sent[label] = i
        wire = out.pop("wire")
        self.steps.append({"op": "send", "by": by, "name": label, "plaintext": text, "associated_data": ad} | out | {"message": wire})

    def receive(self, by, label, expect):
        """Adds the step if the model says what is expected; with expect=None only if it is one of the two."""
        sent = self.steps[self.sent[label]]
        try:
            out = self.party[by].receive_alone(sent["message"], sent["associated_data"])
            result = "opens"
            assert out.pop("content") == sent["plaintext"] and out["message_key"] == sent["message_key"]
        except Refused as e:
            out, result = {}, e.kind
        if expect is None and result == "refused":
            return
        assert expect in (None, result), (label, expect, result)
        self.steps.append({"op": "receive", "by": by, "name": label, "message": self.sent[label], "expect": result} | out)

    def attempt(self, name, by, message, associated_data, expect, why, plaintext=None):
        try:
            out = self.party[by].receive_alone(message, associated_data)
            result = "opens"
            assert out["content"] == plaintext
        except Refused as e:
            result = e.kind
        assert result == expect, (name, result)
        return {
            "name": name, "by": by, "message": message, "associated_data": associated_data, "expect": expect, "why": why,
            "plaintext": plaintext,
        }

    def try_after(self, *arguments):
        """Bytes to be tried after the last step, in this order."""
        self.after.append(self.attempt(*arguments))

    def try_now(self, *arguments):
        """Bytes to be tried between the steps."""
        self.steps.append({"op": "try"} | self.attempt(*arguments))

    def message(self, label):
        sent = self.steps[self.sent[label]]
        return sent["message"], sent["associated_data"]

    def run(self, text):
        for line in filter(None, text.splitlines()):
            by, direction = line[0], line[1]
            for word in line[2:].strip().split("  ")[0].split():
                if direction == ":":
                    self.send(by)
                    assert word == self.steps[-1]["name"], (line, self.steps[-1]["name"])
                else:
                    self.receive(by, word.rstrip("!"), "repeat" if word.endswith("!") else "opens")

    def as_new_chain(self, name, by, key):
        """What opens at a receiver that takes `key` for a new one, though it is no new one."""
        r = self.party[by]
        message_key, _ = kdf_ck(kdf_rk(r.root, dh(r.private, key))[1])
        nonce = draw(f"{self.name} crafted {name} nonce", 12)
        return seal(message_key, nonce, encode_header(key, 0, 0), b"wrong chain", b"", b"data")["wire"]

    def result(self):
        return {"name": self.name} | self.initial | {"steps": self.steps, "after": self.after}


HAND_MADE = """
a: a0 a1 a2        three messages of the first chain
b< a1 a0 a1! a0!   out of order, both again
b: b0 b1           first answer; a2 is still under way
a< b1              b0 is skipped
a: a3 a4           new chain, PN = 3
b< a4              a2 is skipped in the old chain, a3 in the new one
b< a2 a2! a4!      late, of the chain before
a< b0 b0!          late, of the current chain
b: b2 b3 b4        PN = 2
a< b3              b2 is skipped; b4 is lost for the time being
a: a5
b< a5
b: b5              PN = 3
a< b5              b4 is skipped on the turn
a: a6 a7           a6 is lost for ever
b< a7
b< a3 a3!          late, two chains before
b: b6 b7 b8        all sent before anything comes back
a: a8              and a goes on in its chain meanwhile
b< a8
a< b8 b6           b7 is skipped
a: a9 a10 a11
b< a11
a< b2 b2!          late, two chains before
b: b9
a< b9 b9!
a: a12
b< a12             a9 is lost for ever
b: b10
a< b10 b4          b4: late, four chains before
a: a13 a14
b< a14
b< a6              a6: late, three chains before
b: b11 b12
a< b12             b11 is skipped
a: a15 a16
b: b13             crossing: b still in its chain
a< b13
b< a15
b: b14
a< b14 b7          b7: late, four chains before
a: a17
b< a17 a10         a10: late, four chains before
b: b15 b16
a< b16
a: a18 a19 a20
b< a19 a18
b< a16             late, two chains before
"""


def ratchet_hand_made():
    case = RatchetCase("by hand")
    case.run(HAND_MADE)
    assert len(case.steps) >= 30
    a, b = case.party["a"], case.party["b"]
    assert not a.due and b.due
    by_label = {label: case.steps[i] for label, i in case.sent.items()}

    def craft(name, content, ad, sender=a, front=None, ahead=0, step=False):
        """A message that the sender could make, without its state going on; `front(key, pn, n)` builds the header."""
        sender = copy.deepcopy(sender)
        sender.due |= step
        for _ in range(ahead + 1):
            out, message_key = sender.step_and_key(lambda: draw(f"{case.name} crafted {name} key", 32))
        header = (front or encode_header)(out["ratchet_public"], out["previous_counter"], out["counter"])
        return seal(message_key, draw(f"{case.name} crafted {name} nonce", 12), header, content, b"", ad)["wire"]

    def refused(name, message, why, by="b", ad=b"data"):
        case.try_after(name, by, message, ad, "refused", why)

    text = b"the next message"
    good = craft("good", text, b"data")
    refused("empty", b"", "fields are missing")
    refused("other associated data", good, "the tag does not verify", ad=b"date")
    refused("bit flipped in the tag", good[:-1] + bytes([good[-1] ^ 1]), "the tag does not verify")
    refused("bit flipped in the nonce", good[:-len(text) - 28] + bytes([good[-len(text) - 28] ^ 1]) + good[-len(text) - 27:],
            "the tag does not verify")
    refused("truncated", good[:-1], "the last byte is missing")
    refused("trailing byte", good + b"\0", "a byte too many")
    refused("own key", by_label["a20"]["message"], "the receiver's own ratchet key", "a", by_label["a20"]["associated_data"])
    refused("chain five before, b", by_label["a9"]["message"], "the chain is forgotten, so the key is new, and the sending step is due", "b",
            by_label["a9"]["associated_data"])
    refused("chain five before, a", by_label["b7"]["message"], "the chain is forgotten, so the key is new, and the tag does not verify", "a",
            by_label["b7"]["associated_data"])
    flipped = by_label["b11"]["message"]
    refused("late, tag flipped", flipped[:-1] + bytes([flipped[-1] ^ 1]), "the stored key does not open it and stays", "a",
            by_label["b11"]["associated_data"])

    def other_tail(name, label):
        """The message with the last 24 bytes of its key changed: as it was sealed, and sealed anew under its own message key."""
        sent = by_label[label]
        key = sent["ratchet_public"]
        key = key[:8] + filler(f"{case.name} {name}", 23) + bytes([key[31] ^ 1])
        header = encode_header(key, sent["previous_counter"], sent["counter"])
        nonce = draw(f"{case.name} crafted {name} nonce", 12)
        kept = sent["message"].replace(sent["ratchet_public"], key)
        return kept, seal(sent["message_key"], nonce, header, sent["plaintext"], b"", sent["associated_data"])["wire"]

    tail, tail_sealed = other_tail("tail", "b11")
    refused("late, 24 bytes of the key changed", tail, "the stored key does not open it and stays: the key is in the head", "a",
            by_label["b11"]["associated_data"])
    _, current_tail = other_tail("current tail", "b15")
    refused("current chain, 24 bytes of the key changed", current_tail,
            "the key is not the peer's current one and its first 8 bytes are none of a chain before, so it is new, and the tag does not verify",
            "a", by_label["b15"]["associated_data"])
    refused("own key, sealed as a new chain", case.as_new_chain("own key", "a", public_key(a.private)),
            "the receiver's own ratchet key; the tag verifies for a receiver that takes it for a new one", "a")
    refused("step while due", craft("step while due", text, b"data", step=True),
            "a new ratchet key while the receiver's sending step is due")
    refused("1,001 skipped", craft("1,001 skipped", text, b"data", ahead=1001 - (a.send_n - b.recv_n)),
            "more than 1,000 skipped keys")
    refused("counter 2^32 - 1", craft("counter", text, b"data", front=lambda k, p, n: encode_header(k, p, 2**32 - 1)), "counter")
    refused("counter 2^32", craft("counter 33 bits", text, b"data", front=lambda k, p, n: encode_header(k, p, 2**32)), "counter")
    odd = {
        "pq": (lambda k, p, n: encode_header(k, p, n) + bytes_field(6, b"\0"), "field 6 under suite 0x01"),
        "unknown field": (lambda k, p, n: encode_header(k, p, 0) + tag(8, 0) + varint(n), "unknown field 8"),
        "session id": (lambda k, p, n: fixed64_field(1, bytes(8)) + encode_header(k, p, n), "field 1 in a ratchet used alone"),
        "long varint": (lambda k, p, n: bytes_field(3, k) + uint_field(4, p) + b"\x28" + bytes([n | 128, 0]), "varint not of least length"),
        "counters swapped": (lambda k, p, n: bytes_field(3, k) + uint_field(5, n) + uint_field(4, p), "fields not in ascending order"),
        "counter twice": (lambda k, p, n: encode_header(k, p, n) + uint_field(5, n), "a field twice"),
        "long key length": (lambda k, p, n: b"\x1a\xa0\x00" + encode_header(k, p, n)[2:], "varint not of least length"),
        "encoded key": (lambda k, p, n: encode_header(enc(k), p, n), "the ratchet key travels as the bare 32 bytes"),
        "key with bit 255": (lambda k, p, n: encode_header(k[:31] + bytes([k[31] | 128]), p, n), "not canonical"),
        "no key": (lambda k, p, n: uint_field(4, p) + uint_field(5, n), "a field is missing"),
    }
    for name, (front, why) in odd.items():
        refused(name, craft(name, text, b"data", front=front), why)
    for u in sorted(LOW_ORDER) + [P, P + 1]:
        refused(f"ratchet key {le(u).hex()}", encode_header(le(u), 0, 0) + bytes_field(7, bytes(28)), "low order or not canonical")
    short = craft("short", b"", b"data")
    refused("ciphertext of 27 bytes", short[:-29] + b"\x1b" + short[-28:-1], "shorter than nonce and tag")
    refused("length as two bytes", short[:-29] + b"\x9c\x00" + short[-28:], "varint not of least length")

    # b's turn: its next chain starts with N = 0
    refused("zero written out", craft("zero written out", text, b"data", sender=b,
                                      front=lambda k, p, n: bytes_field(3, k) + uint_field(4, p) + b"\x28\x00"),
            "a uint that is 0 is left out", by="a")
    refused("PN too far", craft("PN too far", text, b"data", sender=b, front=lambda k, p, n: encode_header(k, a.recv_n + 1001, n)),
            "more than 1,000 skipped keys in the old chain", by="a")
    refused("N too far in a new chain", craft("N too far", text, b"data", sender=b,
                                              front=lambda k, p, n: encode_header(k, p, 1001)),
            "more than 1,000 skipped keys in the new chain", by="a")

    case.try_after("good", "b", good, b"data", "opens", "the message that the ones above were made from", text)
    case.try_after("good again", "b", good, b"data", "repeat", "opened before")
    ad = by_label["a20"]["associated_data"]
    case.try_after("a20", "b", by_label["a20"]["message"], ad, "opens", "skipped by the message before", by_label["a20"]["plaintext"])
    far = craft("far", b"far", b"", ahead=1000 - (a.send_n - b.recv_n))
    case.try_after("1,000 skipped", "b", far, b"", "opens", "exactly 1,000 skipped keys", b"far")
    case.try_after("the first of those skipped", "b", craft("near", b"near", b"", ahead=b.recv_n - 1001 - a.send_n), b"", "opens",
                   "1,000 skipped keys are stored", b"near")
    lost = by_label["a13"]
    case.try_after("a13", "b", lost["message"], lost["associated_data"], "repeat", "its stored key has made room for newer ones")
    late = by_label["b15"]
    case.try_after("b15", "a", late["message"], late["associated_data"], "opens", "late, of the current chain", late["plaintext"])
    late = by_label["b11"]
    case.try_after("b11, 24 bytes of the key changed and sealed so", "a", tail_sealed, late["associated_data"], "opens",
                   "late, two chains before: the stored key is found by the first 8 bytes and N", late["plaintext"])
    case.try_after("b11", "a", late["message"], late["associated_data"], "repeat", "its key was used by the one before")
    turn = craft("turn", b"turn", b"", sender=b, ahead=1000, front=lambda k, p, n: encode_header(k, a.recv_n + 1000, n))
    case.try_after("1,000 skipped in each chain", "a", turn, b"", "opens", "neither count is above 1,000", b"turn")
    return case.result()


def ratchet_first_messages():
    """Before anything has opened: the key that the initiator started from is no key of a message."""
    case = RatchetCase("first messages")
    prekey = case.initial["responder_public"]
    case.try_now("own key at the responder", "b", case.as_new_chain("responder's own", "b", prekey), b"data", "refused",
                 "the responder's key pair is its own current ratchet key; the tag verifies for a receiver that takes it for a new one")
    case.run("a: a0 a1")
    start = case.as_new_chain("start", "a", prekey)
    case.try_now("the responder's first key", "a", start, b"data", "refused",
                 "the initiator has opened nothing, and no message is under that key; the tag verifies for a receiver that takes it for a new one")
    key, pn, n, at, sealed = read_header(read_message(start, HEADER))
    for counter in (1, 1001, 2**32 - 2):
        case.try_now(f"the responder's first key, N = {counter}", "a", encode_header(key, pn, counter) + bytes_field(7, sealed), b"data",
                     "refused", "the initiator has opened nothing, and no message is under that key")
    case.try_now("own key", "a", *case.message("a0"), "refused", "the receiver's own ratchet key")
    case.try_now("own key, sealed as a new chain", "a", case.as_new_chain("own", "a", public_key(case.party["a"].private)), b"data", "refused",
                 "the receiver's own ratchet key; the tag verifies for a receiver that takes it for a new one")
    case.run("""
b< a1
b: b0
a< b0
a: a2
b< a2 a0
""")
    case.try_after("the responder's first key as a new one", "a", case.as_new_chain("first key, later", "a", prekey), b"data", "opens",
                   "the initiator received nothing under that key, so it is none of the 4 earlier chains' and counts as new", b"wrong chain")
    case.try_after("the responder's first key, sending step due", "a", *case.message("b0"), "repeat", "late, of the chain before")
    return case.result()


FORGOTTEN = """
a: a0 a1 a2 a3
b< a3              three keys of the first chain are stored, and no other until the end
b: b0
a< b0
a: a4
b< a4
b: b1
a< b1
a: a5
b< a5
b: b2
a< b2
a: a6
b< a6
b: b3
a< b3
a: a7
b< a7 a0           the first chain is the fourth before the current one
b: b4
a< b4
a: a8
b< a8              and now the fifth: forgotten
"""


def ratchet_forgotten():
    case = RatchetCase("forgotten chain")
    case.run(FORGOTTEN)
    case.try_now("a1, sending step due", "b", *case.message("a1"), "refused",
                 "its chain is forgotten, so the key is new, and the sending step is due; no key was added since")
    case.run("b: b5")
    case.try_now("a1, sending step done", "b", *case.message("a1"), "refused",
                 "its chain is forgotten, so the key is new, and the tag does not verify; no key was added since")
    case.run("""
a< b5
a: a9 a10
b< a10             a9 is stored
""")
    case.try_now("a2", "b", *case.message("a2"), "refused", "its chain is forgotten, so the key is new, and the sending step is due")
    case.run("""
b< a9 a9!
b: b6
a< b6
""")
    return case.result()


def ratchet_shuffled():
    """A schedule that is drawn: sending, delivery in any order, second delivery, loss."""
    case = RatchetCase("shuffled")
    labels = {"a": [], "b": []}     # messages on the way to that party, delivered ones too
    for i in range(260):
        choice = seed(f"schedule {i}")
        by = "ab"[choice[0] & 1]
        if choice[1] < 110:
            if case.party[by].send_chain is None and not case.party[by].due:
                continue
            case.send(by)
            labels["b" if by == "a" else "a"].append(case.steps[-1]["name"])
        elif labels[by]:
            newest = labels[by][-8:]
            case.receive(by, newest[choice[2] % len(newest)], None)
    kinds = [s.get("expect") for s in case.steps]
    assert kinds.count("opens") > 40 and kinds.count("repeat") > 10, kinds
    assert sum(s.get("dh") is not None for s in case.steps if s["op"] == "send") > 10
    return case.result()


def ratchet_file():
    return {
        "about": "The ratchet used alone (protocol.md, 7): no version, suite, session id or handshake in front. a is the initiator. "
                 "A receiving step names the index of its sending step in `steps`; a step `try` and `after` (in order, after the last step) "
                 "hold bytes to be tried",
        "cases": [ratchet_hand_made(), ratchet_first_messages(), ratchet_forgotten(), ratchet_shuffled()],
    }
