"""protocol.md, 8: devices and sessions, content, and retry requests.

Licence: MIT OR Apache-2.0.
"""

import copy

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from handshake import MAX_START, VERSION_AND_SUITE, addr, check_bundle, encode_bundle, prekey_id, suites_statement, x3dh_initiator, x3dh_responder
from keys import dh, enc, parse_enc, public_key, sign_published
from notation import (
    MAX_ENVELOPE, MAX_HANDSHAKE, MAX_KEPT_TEXT, MAX_RETRY_REQUEST, NO_CHAIN, NO_PREKEY, NO_SESSION, RECOVERED, TOO_FAR, Refused, bytes_field, draw,
    fixed64_field, hkdf, lp, need, read_message, refuse_if, sha256, u32be, uint_field,
)
from ratchet import ENVELOPE, HANDSHAKE, Ratchet, read_header


MESSAGE, AGAIN, LOST, NAMED, MARK = 1, 2, 3, 4, 0x80
STAMP, HEADING, PADDING = 0x40, 0x20, 0x10
TO_ACCOUNT, OWN_COPY, LEAVES, FRAME, TAKEN, ASKS_HISTORY, MANIFEST, RELAY = range(1, 9)
FROM_OWN_ACCOUNT, FROM_OWN_PHONE, FROM_OWN_COMPANION = (OWN_COPY,), (FRAME, MANIFEST), (LEAVES, TAKEN, ASKS_HISTORY)
MAX_LEFT_OUT = 5


def encode_content(kind, recovered, first, text, stamp=b"", heading=b""):
    """`first` is a message id; `recovered` is the bit."""
    bits = (MARK if recovered else 0) | (STAMP if stamp else 0) | (HEADING if heading else 0)
    return bytes([kind | bits]) + (first or b"") + stamp + heading + text


def encode_stamp(senders, recipients, left_out=()):
    """The lists are (epoch, digest), or None."""
    parts = [u32be(epoch) + digest for epoch, digest in (x or (0, bytes(16)) for x in (senders, recipients))]
    return b"".join(parts) + bytes([len(left_out)]) + b"".join(u32be(x) for x in left_out)


def may_say(heading, own_account, sender, receiver):
    """`sender` and `receiver` are device ids."""
    if heading in FROM_OWN_ACCOUNT:
        return own_account
    if heading in FROM_OWN_PHONE:
        return own_account and sender == 0
    return heading in (TO_ACCOUNT, RELAY) or own_account and receiver == 0 and sender != 0


def split_content(content, own_account=False, sender=0, receiver=0):
    """The parts of a content. `own_account`: it comes from a device of the receiver's own account."""
    refuse_if(not content, "content is empty")
    if content[0] & PADDING:
        ended = content.rstrip(b"\0")
        refuse_if(len(ended) < 2 or ended[-1] != 0x80, "padding")
        content = ended[:-1]
    kind, at = content[0] & 0x0f, 1
    refuse_if(kind not in (MESSAGE, AGAIN, LOST, NAMED), "kind")
    refuse_if(kind == LOST and content[0] & HEADING, "kind 3 has no heading")

    def take(length):
        nonlocal at
        refuse_if(length > len(content) - at, "body too short")
        at += length
        return content[at - length:at]

    def number(length):
        return int.from_bytes(take(length), "big")

    out = {"kind": kind, "recovered": bool(content[0] & MARK), "first": take(16) if kind != MESSAGE else None, "stamp": None, "heading": None}
    if content[0] & STAMP:
        lists = [{"epoch": number(4), "digest": take(16)} for _ in range(2)]
        count = number(1)
        refuse_if(count > MAX_LEFT_OUT, "more devices than an account has")
        out["stamp"] = {"sender": lists[0], "recipient": lists[1], "left_out": [number(4) for _ in range(count)]}
        refuse_if(out["stamp"]["left_out"] != sorted(set(out["stamp"]["left_out"])), "left out, not ascending")
    heading = number(1) if content[0] & HEADING else None
    if heading is not None:
        refuse_if(heading not in range(TO_ACCOUNT, RELAY + 1), "heading")
        out["heading"] = {"type": heading}
        if heading in (TO_ACCOUNT, OWN_COPY):
            out["heading"]["shared_id"] = take(16)
        if heading == OWN_COPY:
            out["heading"]["account_id"] = take(number(1))
            refuse_if(not 16 <= len(out["heading"]["account_id"]) <= 64, "length of an account id")
        if heading == TAKEN:
            out["heading"]["number"] = number(8)
        if heading == ASKS_HISTORY:
            out["heading"] |= {"history_id": take(16), "time": number(8)}
    out["text"] = content[at:]
    refuse_if((kind == LOST or heading in (LEAVES, TAKEN, ASKS_HISTORY)) and out["text"], "body too long")
    if heading is not None and not may_say(heading, own_account, sender, receiver):
        raise Refused("the heading is not for that device to say", "not of own account")
    if heading == RELAY:
        raise Refused("a frame of the relay, which is no message", "frame")
    return out


def read_content(content):
    """(kind, recovered, message id or None, text)"""
    out = split_content(content)
    return out["kind"], out["recovered"], out["first"], out["text"]


def message_id(envelope):
    return envelope[-16:]


def envelope_digest(envelope):
    return sha256(lp(b"outrigger v1 envelope") + envelope)[:16]


REQUEST = {1: ("identity_key", 2), 2: ("salt", 2), 3: ("sealed", 2)}
REQUEST_BODY = {1: ("message_id", 2), 2: ("session_id", 2), 3: ("envelope", 2), 4: ("reason", 0), 5: ("asked_at", 0)}
REQUEST_FRONT = b"\x01\x00"


def request_body(message, session_id, digest, reason, asked_at):
    return bytes_field(1, message) + bytes_field(2, session_id) + bytes_field(3, digest) + uint_field(4, reason) + uint_field(5, asked_at)


def request_key(shared, ikr, iks, address_r, address_s, salt, front=REQUEST_FRONT):
    """(bytes that are hashed, T', key)"""
    transcript_input = (
        lp(b"outrigger v1 retry request") + lp(front) + lp(enc(ikr)) + lp(enc(iks)) + lp(address_r) + lp(address_s) + lp(salt)
    )
    t = sha256(transcript_input)
    return transcript_input, t, hkdf(salt, shared, b"outrigger v1 retry key" + t, 32)


def encode_request(salt, nonce, body, asks, iks, address_r, address_s, front=REQUEST_FRONT, identity_key=None):
    """All values of a request; `asks` is the private identity key of the device that asks. `identity_key` stands for what is no `Enc(IKr)`."""
    ikr = public_key(asks)
    shared = dh(asks, iks)
    transcript_input, t, key = request_key(shared, ikr, iks, address_r, address_s, salt, front)
    sealed = nonce + AESGCM(key).encrypt(nonce, body, t)
    return {
        "salt": salt, "nonce": nonce, "dh": shared, "transcript_input": transcript_input, "transcript": t, "key": key, "body": body,
        "request": front + bytes_field(1, identity_key or enc(ikr)) + bytes_field(2, salt) + bytes_field(3, sealed),
    }


def open_request(request, identity, address_s, address_r):
    """(IKr, body as a dict), or a refusal. `identity` is the private key of the device that is asked, `address_r` that of the one said to ask."""
    refuse_if(len(request) > MAX_RETRY_REQUEST, "retry request too long")
    refuse_if(request[:2] != REQUEST_FRONT, "version, or no retry request")
    m = read_message(request[2:], REQUEST)
    ikr, salt = parse_enc(need(m, "identity_key", 33)), need(m, "salt", 32)
    sealed = need(m, "sealed", 28, MAX_RETRY_REQUEST)
    _, t, key = request_key(dh(identity, ikr), ikr, public_key(identity), address_r, address_s, salt)
    try:
        body = AESGCM(key).decrypt(sealed[:12], sealed[12:], t)
    except InvalidTag:
        raise Refused("the tag does not verify") from None
    b = read_message(body, REQUEST_BODY)
    need(b, "message_id", 16), need(b, "session_id", 8), need(b, "envelope", 16)
    refuse_if(b.get("reason", 0) >= 2**32, "reason is a uint32")
    return ikr, b


MAX_ARCHIVED = 16
MAX_REMEMBERED = 64
MAX_COPIES = 64
MAX_CARRIED = 4                    # envelopes with the text; one more says that it is lost
THIRTY_DAYS = 30 * 24 * 60 * 60 * 1000
FOURTEEN_DAYS = 14 * 24 * 60 * 60 * 1000


def goes_before(one, other):
    """The order of sessions: is `one` active rather than `other`? Both have `started_at` and `id`."""
    assert one.id != other.id
    return (-one.started_at, one.id) < (-other.started_at, other.id)


def next_start(time, active):
    """The `started_at` of a session that is started now; `active` is the session that is active, or None."""
    return min(max(min(time, 2**62), active.started_at + 1), MAX_START) if active else min(time, 2**62)


class Session:
    def __init__(self, x, ratchet, initiator, used_one_time_prekey, made_at):
        self.id, self.t, self.handshake, self.started_at = x["session_id"], x["transcript"], x["handshake"], x["started_at"]
        self.ratchet, self.initiator, self.made_at = ratchet, initiator, made_at
        self.answered = False      # at the initiator: a reply has opened in it
        self.weak = not used_one_time_prekey
        self.recovered = False     # started here, as the first with the peer since a recovery

    def front(self):
        carried = self.initiator and not self.answered
        return VERSION_AND_SUITE + fixed64_field(1, self.id) + (bytes_field(2, self.handshake) if carried else b"")


class Device:
    """One device; the peers are kept by their address."""

    def __init__(self, name, account, device, issued_at, one_time_prekeys):
        self.account, self.device = account, device
        self.address = addr(account, device)
        self.identity = draw(f"{name} identity key", 32)
        self.public = public_key(self.identity)
        self.forget()
        self.description = {
            "account_id": account, "device_id": device, "address": self.address,
            "identity_private": self.identity, "identity_public": self.public, "register_draws": [self.identity],
            "prekeys": self.make_prekeys(f"{name} prekeys", issued_at, one_time_prekeys),
        }

    def forget(self):
        self.pinned, self.active, self.archived, self.remembered = {}, {}, {}, {}
        self.stale = set()         # peers whose session is to be replaced: this device has recovered
        self.opened = {}           # what was opened from a peer, by the first 4 bytes
        self.sent = {}             # copies of what was sent to a peer, the oldest first
        self.asked = {}            # digests of what was asked of a peer

    def make_prekeys(self, name, issued_at, one_time_prekeys):
        suites = b"\x01"
        spk = draw(f"{name} signed prekey", 32)
        z1, z2 = draw(f"{name} signed prekey signature", 64), draw(f"{name} suites signature", 64)
        opks = [draw(f"{name} one-time prekey {i}", 32) for i in range(one_time_prekeys)]
        statement = suites_statement(self.account, self.device, issued_at, suites)
        spk_signature = sign_published(self.identity, enc(public_key(spk)), z1)
        suites_signature = sign_published(self.identity, statement, z2)
        parts = (enc(self.public), suites, issued_at, suites_signature, enc(public_key(spk)), spk_signature)
        self.signed_prekeys = {prekey_id(public_key(spk)): spk}
        self.one_time_prekeys = {prekey_id(public_key(k)): k for k in opks}
        self.bundle = encode_bundle(*parts)
        self.bundles_with = [encode_bundle(*parts, opk=enc(public_key(k))) for k in opks]
        return {
            "draws": [spk, z1, z2] + opks,
            "issued_at": issued_at, "suites": suites,
            "signed_prekey_private": spk, "signed_prekey_public": public_key(spk), "signed_prekey_id": prekey_id(public_key(spk)),
            "signed_prekey_signed_bytes": enc(public_key(spk)), "signed_prekey_signature": spk_signature,
            "suites_signed_bytes": statement, "suites_signature": suites_signature,
            "one_time_prekeys": [
                {"private": k, "public": public_key(k), "id": prekey_id(public_key(k)), "upload": bytes_field(7, enc(public_key(k)))}
                for k in opks
            ],
            "bundle": self.bundle,
        }

    def pin(self, peer, identity):
        """Refuses a key that is not the one on record."""
        refuse_if(self.pinned.get(peer, identity) != identity, "identity key other than the one on record")

    def start(self, name, peer, bundle, time):
        """The first half of a session; returns all its values."""
        self.expire(peer.address, time)
        identity, spk, opk = check_bundle(bundle, peer.account, peer.device)
        refuse_if(identity == self.public, "own identity key")
        self.pin(peer.address, identity)
        former = self.active.get(peer.address)
        started_at = next_start(time, former)
        ek, first = draw(f"{name} ephemeral key", 32), draw(f"{name} first ratchet key", 32)
        x = x3dh_initiator(self.identity, ek, identity, spk, opk, self.address, peer.address, started_at)
        ratchet = Ratchet.initiator(x["root_key"], first, spk)
        session = Session(x, ratchet, True, opk is not None, time)
        session.recovered = peer.address in self.stale
        self.stale.discard(peer.address)
        self.pinned[peer.address] = identity
        if former is not None:
            self.archive(peer.address, former, time)
        self.active[peer.address] = session
        return {
            "draws": [ek, first], "bundle": bundle, "ephemeral_private": ek, "ephemeral_public": public_key(ek),
            "ratchet_private": first, "ratchet_public": public_key(first),
        } | x | {"dh": ratchet.first_dh, "root_after": ratchet.root, "chain": ratchet.send_chain, "weak": session.weak} | self.standing(peer.address)

    def expire(self, peer, time):
        """What was archived more than 30 days ago is gone."""
        kept = [s for s in self.archived.get(peer, []) if time - s.archived_at <= THIRTY_DAYS]
        assert all(time - s.archived_at != THIRTY_DAYS for s in kept), "the millisecond itself is in no vector"
        if peer in self.archived:
            self.archived[peer] = kept

    def archive(self, peer, session, time):
        session.archived_at = time
        self.archived.setdefault(peer, []).insert(0, session)
        del self.archived[peer][MAX_ARCHIVED:]

    def settle(self, peer, new, time):
        """The session `new` was made. Which one is active? True where it is the new one."""
        active = self.active.get(peer)
        if active is not None and goes_before(active, new):
            self.archive(peer, new, time)
            return False
        if active is not None:
            self.archive(peer, active, time)
        self.active[peer] = new
        self.stale.discard(peer)
        return True

    def standing(self, peer):
        active = self.active.get(peer)
        return {"active": active.id if active else None, "archived": [s.id for s in self.archived.get(peer, [])]}

    def lose(self):
        """All sessions are lost: the device is as it was before the first step of the case."""
        assert len(self.one_time_prekeys) == len(self.bundles_with)
        self.forget()

    def recover(self, name, issued_at, one_time_prekeys):
        """The records came back from a backup: all prekeys are deleted and others published, each active session opens only."""
        self.stale = set(self.pinned)
        self.remembered = {}
        return self.make_prekeys(name, issued_at, one_time_prekeys)

    def send(self, name, peer, body, associated_data, time, kept=True, kind=MESSAGE, first=None, envelopes=1, stamp=b"", heading=b""):
        """`kept`: the text is kept for a retry. For the other kinds `first` is the message id, and `envelopes` says how many carry the message, this one included."""
        refuse_if(peer.address in self.stale, "no session that sends")
        session = self.active[peer.address]
        carried = session.initiator and not session.answered
        recovered = session.recovered and carried
        content = encode_content(kind, recovered, first, body, stamp, heading)
        out = session.ratchet.send(name, content, session.t, associated_data, session.front())
        tag_of_it = message_id(out["wire"])
        copies = self.sent.setdefault(peer.address, [])
        copies.append({
            "tag": tag_of_it, "message_id": first or tag_of_it, "session_id": session.id, "envelope": out["wire"],
            "recipient": self.pinned[peer.address], "time": time, "envelopes": envelopes, "ratchet_key": out["ratchet_public"],
            "text": body if kept and len(body) <= MAX_KEPT_TEXT else None, "associated_data": associated_data,
        })
        del copies[:-MAX_COPIES]
        return {
            "session_id": session.id, "handshake_carried": carried, "message_id": first or tag_of_it,
            "kind": kind, "recovered": recovered, "plaintext": body, "content": content, "associated_data": associated_data,
        } | out

    def ask(self, name, peer, envelope, reason, time):
        """A retry request for an envelope that was refused for `reason`; all its values."""
        refuse_if(peer.address not in self.pinned, "no identity key is on record")
        refuse_if(envelope_digest(envelope) in self.asked.get(peer.address, ()), "asked for already")
        refuse_if(message_id(envelope)[:4] in self.opened.get(peer.address, ()), "opened already")
        m = read_message(envelope[2:], ENVELOPE, 2)
        if peer.address in self.stale:
            reason = RECOVERED
        digest = envelope_digest(envelope)
        body = request_body(message_id(envelope), m["session_id"], digest, reason, time)
        draws = [draw(f"{name} salt", 32), draw(f"{name} nonce", 12)]
        out = encode_request(*draws, body, self.identity, self.pinned[peer.address], self.address, peer.address)
        assert open_request(out["request"], peer.identity, peer.address, self.address)[0] == self.public
        self.asked.setdefault(peer.address, set()).add(digest)
        return {
            "draws": draws, "reason": reason, "message_id": message_id(envelope), "session_id": m["session_id"],
            "digest": digest,
        } | out

    def answer(self, name, peer, request, bundle, time):
        """What goes out for a retry request of the device `peer`; all its values. `bundle` is taken where a session is to be started."""
        self.expire(peer.address, time)
        ikr, body = open_request(request, self.identity, self.address, peer.address)
        self.pin(peer.address, ikr)
        copies = self.sent.get(peer.address, [])
        wanted = (body["message_id"], body["session_id"], body["envelope"])
        found = [c for c in copies if (c["tag"], c["session_id"], envelope_digest(c["envelope"])) == wanted]
        refuse_if(not found, "no such envelope was sent, or it was answered")
        copy_of_it = found[0]
        refuse_if(copy_of_it["recipient"] != ikr, "sent to another identity key")
        refuse_if(copy_of_it["envelopes"] > MAX_CARRIED, "answered as often as can be")
        reason = body.get("reason", 0)
        session = None if peer.address in self.stale else self.active.get(peer.address)
        current = session and session.ratchet.send_chain is not None and public_key(session.ratchet.private)
        of_it = session and session.id == copy_of_it["session_id"]
        restarted = not session or of_it and (reason in (NO_SESSION, TOO_FAR, NO_PREKEY, RECOVERED) or copy_of_it["ratchet_key"] == current)
        started = self.start(name, peer, bundle, time) if restarted else {"draws": []}
        young = time - copy_of_it["time"] <= FOURTEEN_DAYS
        again = copy_of_it["text"] is not None and young and copy_of_it["envelopes"] < MAX_CARRIED
        kind, text = (AGAIN, copy_of_it["text"]) if again else (LOST, b"")
        at = copies.index(copy_of_it)
        out = self.send(
            name, peer, text, copy_of_it["associated_data"], time, again, kind, copy_of_it["message_id"], copy_of_it["envelopes"] + 1,
        )
        copies[at] = copies.pop()
        return {
            "reason": reason if reason in range(NO_SESSION, NO_CHAIN + 1) else NO_CHAIN, "restarted": bool(restarted),
            "outcome": "again" if again else "lost", "bundle": bundle if restarted else None,
            "session": {k: v for k, v in started.items() if k != "draws"} if restarted else None,
        } | out | {"draws": started["draws"] + out["draws"]}

    def sessions(self, peer):
        return [s for s in (self.active.get(peer), *self.archived.get(peer, [])) if s]

    def receive(self, peer, envelope, associated_data, time, read=read_content):
        """`peer` is the sender's address, `read` what takes the content apart."""
        self.expire(peer, time)
        try:
            return self._receive(peer, envelope, associated_data, time, read)
        except Refused as e:
            if e.ask is None:
                raise
            known = message_id(envelope)[:4] in self.opened.get(peer, ())
            raise Refused(str(e), "repeat" if known else "ask", e.ask) from None

    def _receive(self, peer, envelope, associated_data, time, read):
        refuse_if(len(envelope) > MAX_ENVELOPE, "envelope too long")
        refuse_if(envelope[:1] != b"\x01", "version")
        refuse_if(envelope[1:2] != b"\x01", "suite")
        m = read_message(envelope[2:], ENVELOPE, 2)
        session_id = need(m, "session_id", 8)
        refuse_if(len(m.get("handshake", b"")) > MAX_HANDSHAKE, "handshake too long")
        key, pn, n, at, sealed = read_header(m)

        known = [s for s in self.sessions(peer) if s.id == session_id]
        made = not known
        if known:
            session = known[0]     # a handshake is authenticated as a part of the head, and neither parsed nor run
        else:
            refuse_if("handshake" not in m, "no such session", NO_SESSION)
            session, hs_ik, hs_opk = self.from_handshake(peer, m["handshake"], session_id)
        made_of = (hs_ik, hs_opk) if made else None
        message = (key, pn, n, envelope[:at], sealed)
        return self.take_in(peer, session, made_of, envelope, message, associated_data, time, read) | self.standing(peer)

    def take_in(self, peer, session, made_of, envelope, message, associated_data, time, read):
        """Opens what the ratchet takes of an envelope, in `session`, and keeps what follows. `made_of`, where the session is a new one: its peer's
        identity key, and the one-time prekey's id or None."""
        work = copy.deepcopy(session.ratchet)
        first_key = work.peer is None
        out = work.receive(*message, session.t, associated_data)
        kind, recovered, first, text = read(out["content"])
        ik, opk = made_of or (None, None)
        if made_of:
            self.pin(peer, ik)     # only one who holds the other key makes the app ask its user
        opened = self.opened.get(peer, set())
        if (first or message_id(envelope))[:4] in opened:
            raise Refused("its message came before by another envelope", "repeat")
        self.opened[peer] = opened | {message_id(envelope)[:4]} | ({first[:4]} if kind in (AGAIN, NAMED) else set())
        session.ratchet = work
        if session.initiator:
            session.answered, session.weak = True, False
        elif out["chain"] == "new" and not first_key:
            session.weak = False
        deleted = self.use_up(opk)
        if made_of:
            self.pinned[peer] = ik
            if not opk:
                self.remembered.setdefault(peer, []).append(session.id)
            self.settle(peer, session, time)
        return {"session_id": session.id, "makes_session": bool(made_of)} | deleted | {
            "message_id": first or message_id(envelope), "kind": kind, "recovered": recovered, "plaintext": text,
        } | out | {"weak": session.weak}

    def use_up(self, opk):
        """Deletes a one-time prekey, where there is one; what is said of it."""
        if opk:
            del self.one_time_prekeys[opk]
        return {"one_time_prekey_deleted": opk}

    def from_handshake(self, peer, handshake, session_id):
        """The session that a handshake makes; nothing is kept yet. (session, IKa, the one-time prekey's id or None)"""
        hs = read_message(handshake, HANDSHAKE)
        ik, ek = parse_enc(need(hs, "identity_key", 33)), parse_enc(need(hs, "ephemeral_key", 33))
        spk = need(hs, "signed_prekey_id", 16)
        opk = need(hs, "one_time_prekey_id", 16) if "one_time_prekey_id" in hs else None
        refuse_if("pq" in hs, "pq under suite 0x01")
        refuse_if("started_at" not in hs, "started_at is 0")
        refuse_if(ik == self.public, "own identity key")
        refuse_if(spk not in self.signed_prekeys, "unknown signed prekey", NO_PREKEY)
        refuse_if(opk and opk not in self.one_time_prekeys, "unknown one-time prekey", NO_PREKEY)
        opk_private = self.one_time_prekeys[opk] if opk else None
        spk_private = self.signed_prekeys[spk]
        x = x3dh_responder(self.identity, spk_private, opk_private, ik, ek, peer, self.address, hs["started_at"])
        refuse_if(x["session_id"] != session_id, "session id other than the derived one")
        if not opk:
            remembered = self.remembered.get(peer, [])
            if session_id in remembered:
                raise Refused("the handshake of a session that is gone", ask=NO_SESSION)
            refuse_if(len(remembered) >= MAX_REMEMBERED, "too many sessions without one-time prekey")
        assert x["handshake"] == handshake
        return Session(x, Ratchet.responder(x["root_key"], spk_private), False, opk is not None, None), ik, opk
