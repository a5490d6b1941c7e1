"""Both ends of a relay, by the tables of docs/relay.md."""

import copy

from companions import account_of, check_refused
from notation import TIME, draw, u64be
from ratchet import encode_header, seal
from relay_frames import (
    ACCEPTED, ANSWER, ASK, EVENT, GAP, NO_LINK, NUMBERED, ONE_DAY, STATUS, SUPERSEDED, encode_frame, frame_content, link_of, message_content,
    outcome_bytes, outcomes_bytes, read_frame_of_relay, relay_addr, request_digest,
)
from sessions import FOURTEEN_DAYS, RELAY, TO_ACCOUNT, Device, message_id

SESSION = ("transcript", "root_key", "session_id", "started_at", "handshake", "dh", "root_after", "chain")


class RelayRun:
    """A phone, its desktop and a peer of the account's, all played here, by the tables of the page. Each step has what goes in, what is drawn and what comes out."""

    def __init__(self, pairing):
        self.p, self.phone, self.desktop = pairing, pairing.phone, pairing.desktop
        self.peer = Device(f"relay {pairing.name} peer", account_of(f"relay {pairing.name} peer", 16), 0, TIME, 0)
        self.steps, self.count = [], 0
        self.next, self.acked, self.taken, self.good_until = 1, 0, 0, pairing.granted_at + FOURTEEN_DAYS
        self.link = NO_LINK        # at the phone: of the frame before `next`
        self.told_over = None      # at the phone: when it last said that it is over
        self.shown, self.number, self.answered, self.asked, self.joining = 0, 1, 0, 0, True
        self.gap_of_0 = 0          # at the phone: the number of the last one
        self.last_gap = (0, 0)     # at the phone: number and count
        self.shown_indeed = 0      # at the desktop, without what a status has passed over
        self.shown_link = NO_LINK  # at the desktop, None: any
        self.heard, self.asked_at, self.lacks = 0, 0, 0
        self.desktop_time = 0      # the latest that it has seen
        self.desktop_until = None
        self.states = {}           # at the phone: number -> (request id, state)
        self.missed = []           # at the phone: times of events that were missed
        self.upgraded = False      # at the phone

    def label(self):
        self.count += 1
        return f"relay {self.p.name} {self.count}"

    def step(self, op, **values):
        self.steps.append({"op": op} | values)
        return self.steps[-1]

    def result(self):
        return {"phone": self.phone.description, "peer": {"account_id": self.peer.account, "device_id": 0}, "steps": self.steps}

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
        self.desktop_time = max(self.desktop_time, time)
        return self.say(self.desktop, time, kind, self.shown, body)

    def tell(self, time, kind, body):
        """A numbered frame of the phone's."""
        out = self.from_phone(time, kind, u64be(self.next) + self.link + body)
        self.next += 1
        self.link = link_of(out["envelope"])
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

    def expects(self, frame):
        """What a desktop that is Joining or Attached makes of a status or a numbered frame, by the rows of the table in their order."""
        if frame["kind"] == STATUS:
            over = not self.joining and self.desktop_time > self.desktop_until
            answers = self.heard < frame["nonce"] <= self.asked
            early = not self.joining and not frame["suspended"] and frame["from"] <= self.shown + 1 < frame["next"]
            if early and not (over and answers and self.until(frame) >= self.desktop_time):
                return "early"
            if not answers:
                return "nothing"
            if frame["suspended"]:
                return "suspended"
            if self.joining:
                return "status"
            if frame["from"] > self.shown + 1 or frame["ack"] >= self.number:
                return "desktop went back"
            if frame["next"] == self.shown + 1 and self.shown_link not in (None, frame["link"]):
                return "phone went back"
            return "status"
        if frame["kind"] in NUMBERED:
            assert not self.joining and self.desktop_time <= self.desktop_until
            if frame["number"] == self.shown + 1:
                return "shown" if self.shown_link in (None, frame["link"]) else "phone went back"
            return "nothing" if frame["number"] <= self.shown else "early"
        return "shown"

    def until(self, status):
        """The desktop's end by a status."""
        asked_at = min(status["asked_at"], self.asked_at)
        return min(2**64 - 1, asked_at + status["good_for"]) if status["good_for"] else asked_at - 1

    def at_desktop(self, time, said, expect=None, **more):
        """A frame that comes to the desktop. `expect`: what it makes of it, where it is not shown."""
        self.desktop_time = max(self.desktop_time, time)
        frame = read_frame_of_relay(said["frame"], True)
        found = self.expects(frame)
        assert found == (expect or ("status" if frame["kind"] == STATUS else "shown")), (found, frame)
        if found != "early":
            assert self.opens(self.desktop, time, said) == frame
        if found == "shown" and frame["kind"] in NUMBERED:
            self.shows(frame, said)
        if found == "shown" and frame["kind"] == ANSWER:
            assert frame["outcome"]["number"] <= self.answered + 1
            self.answered = max(self.answered, frame["outcome"]["number"])
        if found == "phone went back" or found == "suspended" and frame["suspended"] == 1:
            self.lacks = 1
        if found == "status":
            self.heard, self.desktop_until = frame["nonce"], self.until(frame)
            more["good_until"] = self.desktop_until
            if self.joining:
                self.joining, self.shown, self.lacks = False, frame["from"] - 1, 0
                self.shown_link = frame["link"] if frame["from"] == frame["next"] else None
                self.number = max(self.number, frame["ack"] + 1)
                self.answered = self.number - 1
        return self.step("desktop takes", time=time, envelope=said["envelope"], frame=said["frame"], said=frame, **more | ({"expect": expect} if expect else {}))

    def shows(self, frame, said):
        assert self.expects(frame) == "shown"
        self.shown = self.shown_indeed = frame["number"]
        self.shown_link = link_of(said["envelope"])

    def desktop_refuses(self, time, said):
        """What the session does not open."""
        check_refused(lambda envelope: self.desktop.receive(self.phone.address, envelope, b"", time, frame_content), said["envelope"])
        self.step("desktop refuses", time=time, envelope=said["envelope"], frame=said["frame"])

    def ask(self, time, first=None):
        """An ask of the desktop's; `first` names the first request without an answer."""
        self.asked, self.asked_at = self.asked + 1, max(self.desktop_time, time)
        return self.from_desktop(
            time, ASK, u64be(self.asked) + u64be(self.asked_at) + u64be(first or self.answered + 1) + u64be(self.number)
            + (self.shown_link or NO_LINK) + bytes([self.lacks]))

    def status(self, time, ask, suspended=0):
        remembered = [(n, *self.states[n]) for n in range(ask["first"], ask["next"]) if n in self.states]
        good_for = FOURTEEN_DAYS if self.upgraded else max(0, self.good_until - time)
        if not good_for:
            assert self.told_over is None or time > self.told_over + ONE_DAY
            self.told_over = time
        return self.from_phone(
            time, STATUS,
            u64be(ask["nonce"]) + u64be(ask["asked_at"]) + bytes([suspended]) + u64be(good_for) + u64be(self.acked + 1) + u64be(self.next) + self.link
            + outcomes_bytes(remembered))

    def joins_anew(self, time, bundle, again=""):
        """The desktop starts a session and asks in it. What a status has passed over is not shown, until a numbered frame behind it is."""
        if self.shown != self.shown_indeed:
            self.shown, self.shown_link = self.shown_indeed, None
        started = self.desktop.start(f"relay {self.p.name} desktop joins anew{again}", self.phone, bundle, time)
        self.joining = True
        asked = self.ask(time)
        self.step("join anew", time=time, bundle=bundle, session={k: started[k] for k in SESSION}, **asked | {"draws": started["draws"] + asked["draws"]})
        return asked

    def lets_in(self, time, asked):
        """The phone's user agrees. What goes out: the status, then gaps. No event was missed before."""
        notice = self.from_phone(time, SUPERSEDED, b"")
        frame = read_frame_of_relay(self.phone.receive(self.desktop.address, asked["envelope"], b"", time, frame_content)["content"][2:], False)
        other = frame["ack"] == self.next - 1 and frame["link"] not in (NO_LINK, self.link)
        missed, unknown = max(0, self.next - 1 - frame["ack"]), frame["lacks"] == 1 or other or frame["ack"] >= self.next or self.gap_of_0 > frame["ack"]
        number, count = self.last_gap
        if number > frame["ack"]:
            missed += max(0, count - (number - frame["ack"]))
        self.next = max(self.next, frame["ack"] + 1)
        self.acked, self.taken = self.next - 1, max(self.taken, frame["next"] - 1)
        status = self.status(time, frame)
        told = [status]
        for count in ([0] if unknown else []) + ([missed] if missed else []):
            self.last_gap = self.next, count
            self.gap_of_0 = self.next if count == 0 else self.gap_of_0
            told.append(self.tell(time, GAP, u64be(count) + u64be(time) + u64be(time)))
        self.step(
            "phone takes", time=time, envelope=asked["envelope"], said=frame, word=True, outcome="joined anew",
            draws=notice["draws"] + [d for x in told for d in x["draws"]], notice=notice, told=told)
        return told

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
    run.step("join", time=p.joined_at, session={k: started[k] for k in SESSION}, **asked | {"draws": started["draws"] + asked["draws"]})
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
