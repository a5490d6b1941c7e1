"""What the cases of session.json are made with: two devices, and steps that are written down as they are played.

Licence: MIT OR Apache-2.0.
"""

import copy

from handshake import VERSION_AND_SUITE, encode_handshake, x3dh_initiator
from keys import public_key
from notation import NOW, TIME, Refused, bytes_field, draw, filler, fixed64_field
from ratchet import Ratchet, encode_header, seal
from sessions import Device


class ByHand:
    """A session towards the device `to` that no Device keeps, so that each part of it can be chosen. The initiator's side only."""

    def __init__(self, name, to, identity, address, spk=None, opk=None, started_at=None, session_id=None, three=False, **wrong):
        self.name, self.count = name, 0
        ek, first = draw(f"{name} ephemeral key", 32), draw(f"{name} ratchet key", 32)
        spk = spk or public_key(next(iter(to.signed_prekeys.values())))
        self.started_at = NOW if started_at is None else started_at
        x = x3dh_initiator(identity, ek, to.public, spk, None if three else opk, address, to.address, self.started_at)
        self.ratchet, self.t, self.id = Ratchet.initiator(x["root_key"], first, spk), x["transcript"], session_id or x["session_id"]
        handshake = encode_handshake(public_key(identity), public_key(ek), spk, opk, self.started_at, **wrong)
        self.front = VERSION_AND_SUITE + fixed64_field(1, self.id) + bytes_field(2, handshake)

    def envelope(self, content=b"\x01hello"):
        out, key = self.ratchet.step_and_key(None)
        front = self.front + encode_header(out["ratchet_public"], out["previous_counter"], out["counter"])
        nonce = draw(f"{self.name} nonce {self.count}", 12)
        self.count += 1
        return seal(key, nonce, front, content, self.t, b"data")["wire"]


class SessionCase:
    def __init__(self, name, accounts, one_time_prekeys=2):
        self.name = name
        self.device = {
            by: Device(f"session {name} {by}", account, device, TIME + 1000 * i, one_time_prekeys)
            for i, (by, (account, device)) in enumerate(accounts.items())
        }
        self.steps, self.sent, self.after, self.started, self.requests = [], {}, [], [], {}
        self.kept, self.old_bundle = {}, {}
        self.count = dict.fromkeys(self.device, 0)
        self.clock = dict.fromkeys(self.device, NOW)

    @staticmethod
    def peer(by):
        return "b" if by == "a" else "a"

    def time(self, by):
        return {"time": self.clock[by]} if self.clock[by] != NOW else {}

    def start(self, by, with_one_time_prekey):
        peer = self.device[self.peer(by)]
        before = [one for one, _ in self.started].count(by)
        bundle = peer.bundles_with[before] if with_one_time_prekey else peer.bundle if with_one_time_prekey is False else self.old_bundle[self.peer(by)]
        step = {"op": "start", "by": by, "with": self.peer(by)} | self.time(by)
        out = self.device[by].start(f"session {self.name} start {by} {before}", peer, bundle, self.clock[by])
        self.started.append((by, out["session_id"]))
        self.steps.append(step | out)

    def lose(self, by):
        peer = self.device[self.peer(by)]
        self.device[by].lose()
        self.steps.append({"op": "lose", "by": by} | self.time(by) | self.device[by].standing(peer.address))

    def send(self, by, kept=True):
        label = f"{by}{self.count[by]}"
        self.count[by] += 1
        i = len(self.steps)
        body = filler(f"session {self.name} text {i}", (12, 0, 1, 40, 200)[i % 5])
        ad = filler(f"session {self.name} associated data {i}", (0, 8, 33)[i % 3])
        out = self.device[by].send(f"session {self.name} {label}", self.device[self.peer(by)], body, ad, self.clock[by], kept)
        out["envelope"] = out.pop("wire")
        self.sent[label] = i
        self.steps.append({"op": "send", "by": by, "to": self.peer(by), "name": label} | self.time(by) | {"kept": kept} | out)

    def ask(self, by, label):
        """A retry request for the envelope `label`, which was refused before."""
        refused = [s for s in self.steps if s["op"] == "receive" and s["name"] == label and s["expect"] == "ask"][-1]
        sent = self.steps[self.sent[label]]
        peer = self.device[self.peer(by)]
        out = self.device[by].ask(f"session {self.name} ask {label}", peer, sent["envelope"], refused["reason"], self.clock[by])
        self.requests[label] = len(self.steps)
        step = {"op": "ask", "by": by, "to": self.peer(by), "name": label, "envelope": self.sent[label]}
        self.steps.append(step | self.time(by) | out)

    def answer(self, by, label, expect="opens", bundle=None):
        """The answer to the request for the envelope `label`; it is the envelope `label+`."""
        peer = self.device[self.peer(by)]
        step = {"op": "answer", "by": by, "to": self.peer(by), "name": label + "+", "request": self.requests[label]} | self.time(by)
        before = copy.deepcopy(self.device[by].__dict__)
        try:
            out = self.device[by].answer(
                f"session {self.name} answer {label}", peer, self.steps[self.requests[label]]["request"], bundle or peer.bundle, self.clock[by],
            )
            out["envelope"] = out.pop("wire")
            self.sent[label + "+"] = len(self.steps)
            step |= {"expect": "opens"} | out | self.device[by].standing(peer.address)
        except Refused as e:
            self.device[by].__dict__ = before
            step |= {"expect": "refused", "why": str(e)}
        assert step["expect"] == expect, (self.name, step)
        self.steps.append(step)

    def started_by_answers(self):
        return [s["session_id"] for s in self.steps if s["op"] == "answer" and s.get("restarted")]

    def recover(self, by):
        device = self.device[by]
        self.old_bundle[by] = device.bundle
        prekeys = device.recover(f"session {self.name} {by} recovery {len(self.steps)}", self.clock[by], 0)
        self.steps.append({"op": "recover", "by": by} | self.time(by) | {"prekeys": prekeys})

    def keep(self, by):
        self.kept[by] = copy.deepcopy(self.device[by].__dict__)
        self.steps.append({"op": "keep", "by": by})

    def go_back(self, by):
        self.device[by].__dict__ = copy.deepcopy(self.kept[by])
        peer = self.device[self.peer(by)]
        self.steps.append({"op": "go back", "by": by} | self.device[by].standing(peer.address))

    def receive(self, by, label, expect="opens", reason=None):
        sent = self.steps[self.sent[label]]
        step = {"op": "receive", "by": by, "from": self.peer(by), "name": label, "envelope": self.sent[label]}
        step |= self.time(by) | {"expect": expect}
        try:
            out = self.device[by].receive(self.device[self.peer(by)].address, sent["envelope"], sent["associated_data"], self.clock[by])
            result = "opens"
            for same in ("session_id", "message_id", "message_key", "content", "plaintext", "kind"):
                assert out[same] == sent[same], (label, same)
        except Refused as e:
            out, result = {"why": str(e)} | ({"reason": e.ask} if e.kind == "ask" else {}), e.kind
            assert result != "ask" or e.ask == reason, (self.name, label, e.ask)
        assert result == expect, (self.name, label, result, out.get("why"))
        self.steps.append(step | out)

    def run(self, text):
        for line in filter(None, text.splitlines()):
            by, direction = line[0], line[1]
            alone = {"-": self.lose, "&": self.recover, "[": self.keep, "]": self.go_back}.get(direction)
            if alone:
                alone(by)
                continue
            for word in line[2:].strip().split("  ")[0].split():
                if direction in ":;":
                    self.send(by, direction == ":")
                    assert word == self.steps[-1]["name"], (line, self.steps[-1]["name"])
                elif direction == "*":
                    self.start(by, {"four": True, "three": False, "old": None}[word])
                elif direction == "?":
                    self.ask(by, word)
                elif direction == "=":
                    label, _, how = word.partition("/")
                    self.answer(by, label, "refused" if how == "no" else "opens", self.old_bundle[self.peer(by)] if how == "old" else None)
                elif direction == "@":
                    self.clock[by] = int(word) + (NOW if word[0] in "+-" else 0)
                else:
                    label, _, reason = word.partition("~")
                    expect = "ask" if reason else {"!": "repeat", "?": "refused"}.get(word[-1], "opens")
                    self.receive(by, label.rstrip("!?"), expect, int(reason) if reason else None)

    def attempt(self, name, by, sender, envelope, expect, why, associated_data=b"data", body=None, reason=None):
        """`sender` is the device that the server names. `reason` is that of a retry request, where one may follow."""
        device, peer = self.device[by], self.device[sender].address
        out = {}
        try:
            out = device.receive(peer, envelope, associated_data, self.clock[by])
            result = "opens"
            assert out["plaintext"] == body, name
        except Refused as e:
            result = e.kind
            assert result != "ask" or e.ask == reason, (self.name, name, e.ask)
        assert result == expect, (self.name, name, result)
        return {
            "name": name, "by": by, "from": sender} | self.time(by) | {
            "envelope": envelope, "associated_data": associated_data, "expect": expect, "plaintext": body, "why": why,
        } | ({"reason": reason} if expect == "ask" else {}) | {
            k: out[k] for k in ("session_id", "message_id", "kind", "recovered", "makes_session", "active", "archived") if out
        }

    def try_after(self, *arguments, **more):
        """Bytes to be tried after the last step, in this order."""
        self.after.append(self.attempt(*arguments, **more))

    def try_now(self, *arguments, **more):
        """Bytes to be tried between the steps."""
        self.steps.append({"op": "try"} | self.attempt(*arguments, **more))

    def active(self, by):
        return self.device[by].active[self.device[self.peer(by)].address]

    def craft(self, what, by, front=None, content=b"\x01text", ahead=0, step=False, associated_data=b"data"):
        """An envelope that `by` could send in its active session, without its state going on; all values of it.

        `front(start, handshake, header)` puts together what stands before field 7."""
        session = copy.deepcopy(self.active(by))
        session.ratchet.due |= step
        for _ in range(ahead + 1):
            out, key = session.ratchet.step_and_key(lambda: draw(f"session {self.name} crafted {what} key", 32))
        start = VERSION_AND_SUITE + fixed64_field(1, session.id)
        handshake = session.front()[len(start):]
        header = encode_header(out["ratchet_public"], out["previous_counter"], out["counter"])
        front = (front or (lambda start, handshake, header: start + handshake + header))(start, handshake, header)
        nonce = draw(f"session {self.name} crafted {what} nonce", 12)
        return seal(key, nonce, front, content, session.t, associated_data)

    def result(self):
        out = {"name": self.name, "time": NOW}
        out["devices"] = {by: d.description for by, d in self.device.items()}
        out |= {"steps": self.steps, "after": self.after}
        return out


ONE_STARTS = """
a: a0 a1 a2           each carries the handshake
b< a1                 the session comes from the second envelope
b< a0 a1! a0!         late, then both again: the handshake is not run again
a: a3                 still not answered: carries the handshake
b: b0 b1              b0 is held back
a< b1                 the first reply that opens
a: a4 a5              without handshake, new ratchet key
b< a5                 skips a2 and a3 in the old chain and a4 in the new one
b< a3                 carries a handshake of a session on record
a< b0 b0!
b: b2 b3 b4           b2 is lost
a< b4 b3
a: a6
b< a6 a2
b: b5
a: a7
b< a7
a< b5 b5!
a: a8 a9              a8 is lost
b< a9
b: b6
a< b6
a: a10
b< a10 a4
"""
