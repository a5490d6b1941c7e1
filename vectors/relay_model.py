"""Both ends of a relay, by the tables of docs/relay.md."""

import copy

from companions import account_of
from notation import TIME, draw, u64be
from ratchet import encode_header, seal
from relay_frames import (
    ACCEPTED, ANSWER, ASK, EVENT, FOUND, GAP, OWN_SENT, STATUS, encode_frame, frame_content, message_content, outcome_bytes, outcomes_bytes,
    read_frame_of_relay, relay_addr, request_digest,
)
from sessions import FOURTEEN_DAYS, RELAY, TO_ACCOUNT, Device, message_id


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


def sealed_at(run, device, name, content, associated_data=b""):
    """An envelope with this content that `device` could send the other one now; its state does not go on."""
    session = copy.deepcopy(device.active[run.other(device).address])
    out, key = session.ratchet.step_and_key(lambda: draw(f"relay {run.p.name} {name} key", 32))
    front = session.front() + encode_header(out["ratchet_public"], out["previous_counter"], out["counter"])
    return seal(key, draw(f"relay {run.p.name} {name} nonce", 12), front, content, session.t, associated_data)["wire"]
