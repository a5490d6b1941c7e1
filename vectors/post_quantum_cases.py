"""post_quantum.json, and its cases of sessions. generate.py calls this and writes it.

Licence: MIT OR Apache-2.0.
"""

import copy

from handshake import F, addr, encode_handshake, initiator_dhs, prekey_id
from keys import public_key
from notation import NOW, NO_PREKEY, TIME, Refused, bytes_field, draw, filler, fixed64_field, flip, lp
from post_quantum import KEMS, KemKey, PqDevice, encapsulate, pqxdh
from post_quantum_bundles import Blobs, account_of, bundles, handshakes, name_keys, uploads
from ratchet import Ratchet, encode_header, seal


# ---------------------------------------------------------------------------------------------------------------------------
# 4. sessions

class Exchange:
    """One whole exchange: a starts with b. c is a third device, of which there is no record."""

    def __init__(self, blobs, suite, with_opk):
        self.kem, self.with_opk, self.blobs = KEMS[suite], with_opk, blobs
        self.suite, self.name = suite, f"{self.kem.name}, {'one-time' if with_opk else 'last resort'}"
        accounts = {x: (account_of(f"session {self.name} {x}"), 0) for x in "abc"}
        policy = f"prefer {self.kem.name}"
        # b's own size; a prefers the other one, which changes nothing: the bundle says which.
        policies = {"a": "prefer 1024" if suite == 2 else "prefer 768", "b": policy}
        self.device = {
            x: PqDevice(f"pq session {self.name} {x}", *accounts[x], TIME + i, 3 if x == "b" else 0, policies[x]) for i, x in enumerate("ab")
        }
        self.c = {"account_id": accounts["c"][0], "device_id": 0, "identity": draw(f"pq session {self.name} c identity", 32)}
        for x in "ab":
            name_keys(blobs, f"session {self.name}, {x}", self.device[x])
        self.addresses = {x: addr(*accounts[x]) for x in "abc"}
        b = self.device["b"]
        self.one_time = b.description["prekeys"]["one_time_prekeys"]
        self.opk = self.one_time[0]["public"] if with_opk else None
        self.key = self.one_time[0]["key"] if with_opk else b.last_resort
        self.steps, self.after, self.sent, self.count = [], [], {}, {"a": 0, "b": 0}

    def start(self):
        b = self.device["b"]
        bundle = b.bundles_with[0] if self.with_opk else b.bundle_of_last_resort
        out = self.device["a"].start(f"pq session {self.name} start", b, bundle, NOW)
        self.blobs.ciphertext(f"session {self.name}, ciphertext", out["ciphertext"])
        self.steps.append({"op": "start", "by": "a", "with": "b", "name": "start"} | out)
        self.x = out

    def send(self, by):
        label, to = f"{by}{self.count[by]}", "b" if by == "a" else "a"
        self.count[by] += 1
        i = len(self.steps)
        body, ad = filler(f"pq session {self.name} text {i}", (12, 0, 1, 40)[i % 4]), filler(f"pq session {self.name} data {i}", (0, 8, 33)[i % 3])
        out = self.device[by].send(f"pq session {self.name} {label}", self.device[to], body, ad, NOW)
        out["envelope"] = out.pop("wire")
        self.sent[label] = i
        self.steps.append({"op": "send", "by": by, "to": to, "name": label} | out)

    def receive(self, by, label):
        sent, peer = self.steps[self.sent[label]], "b" if by == "a" else "a"
        out = self.device[by].receive(self.addresses[peer], sent["envelope"], sent["associated_data"], NOW)
        assert all(out[same] == sent[same] for same in ("session_id", "message_id", "message_key", "content", "plaintext", "kind"))
        self.steps.append({"op": "receive", "by": by, "from": peer, "name": label, "envelope": self.sent[label], "expect": "opens"} | out)

    def attempt(self, name, by, sender, envelope, expect, why, associated_data=b"data", reason=None):
        out = {}
        try:
            out, result = self.device[by].receive(self.addresses[sender], envelope, associated_data, NOW), "opens"
        except Refused as e:
            result = e.kind
            assert result != "ask" or e.ask == reason, (name, e.ask)
        assert result == expect, (self.name, name, result, why)
        return {"name": name, "by": by, "from": sender, "envelope": envelope, "associated_data": associated_data, "expect": expect, "why": why} | (
            {"reason": reason} if expect == "ask" else {}) | {k: out[k] for k in ("session_id", "message_id", "kind", "recovered", "plaintext", "weak") if out}

    def try_now(self, *arguments, **more):
        self.steps.append({"op": "try"} | self.attempt(*arguments, **more))

    def try_after(self, *arguments, **more):
        self.after.append(self.attempt(*arguments, **more))

    def forge(self, what, sender="a", key=None, opk="same", named_opk="same", kdf_suite=None, suite=None, secret=None, ciphertext=None, pq=None,
              field_5=None, more=b"", header_more=b"", label=None, **wrong):
        """A first envelope to b in which each part can be chosen; the rest follows from it, as a sender makes it who takes that part for right."""
        b = self.device["b"]
        key = key or self.key
        opk = self.opk if opk == "same" else opk
        named = opk if named_opk == "same" else named_opk
        if sender == "a":
            identity, ek, m = self.device["a"].identity, self.device["a"].ephemeral, self.device["a"].m
        else:
            identity, ek, m = self.c["identity"], *(draw(f"pq session {self.name} forged {what} {n}", 32) for n in ("ephemeral key", "encapsulation"))
        own = encapsulate(key.encoded, m)
        secret, ciphertext = own[0] if secret is None else secret, ciphertext or own[1]
        spk = public_key(next(iter(b.signed_prekeys.values())))
        suite = self.suite if suite is None else suite
        x = pqxdh(
            suite, initiator_dhs(identity, ek, b.public, spk, opk), secret, public_key(identity), b.public, self.addresses[sender],
            self.addresses["b"], public_key(ek), spk, opk, key.encoded, ciphertext, NOW, label=label or KEMS[kdf_suite or self.suite].label, **wrong,
        )
        pq = x["pq"] if pq is None else pq
        handshake = encode_handshake(
            public_key(identity), public_key(ek), spk, named, NOW, bytes_field(5, pq) if field_5 is None else field_5,
        ) + more
        ratchet = Ratchet.initiator(x["root_key"], draw(f"pq session {self.name} forged {what} ratchet key", 32), spk)
        out, message_key = ratchet.step_and_key(None)
        front = bytes([1, suite]) + fixed64_field(1, x["session_id"]) + bytes_field(2, handshake)
        front += encode_header(out["ratchet_public"], out["previous_counter"], out["counter"]) + header_more
        return seal(message_key, draw(f"pq session {self.name} forged {what} nonce", 12), front, b"\x01hello", x["transcript"], b"data")["wire"]

    def refusals(self):
        """What b must refuse while it has nothing on record of a."""
        b, suite, key = self.device["b"], self.suite, self.key
        other_suite = 5 - suite
        sent = self.steps[self.sent["a0"]]
        honest, ad, ciphertext, pq = sent["envelope"], sent["associated_data"], self.x["ciphertext"], self.x["pq"]
        assert honest.count(pq) == 1

        def altered(what, envelope, why, reason=None):
            assert envelope != honest, what
            self.try_now(what, "b", "a", envelope, "ask" if reason else "refused", why, associated_data=ad, reason=reason)

        def forged(what, why, reason=None, **more):
            self.try_now(what, "b", "a", self.forge(what, **more), "ask" if reason else "refused", why, reason=reason)

        def with_handshake(change):
            """The honest envelope with another handshake, lengths put right."""
            assert honest[2:3] == b"\x09" and honest[11:12] == b"\x12"
            handshake = self.x["handshake"]
            assert bytes_field(2, handshake) in honest
            return honest.replace(bytes_field(2, handshake), bytes_field(2, change(handshake)))

        field_5 = bytes_field(5, pq)
        again = lambda field: with_handshake(lambda h: h.replace(field_5, field))

        a, spk = self.device["a"], public_key(next(iter(b.signed_prekeys.values())))
        ek = public_key(a.ephemeral)
        dhs = initiator_dhs(a.identity, a.ephemeral, b.public, spk, self.opk)

        # The ciphertext.
        rejected = "decapsulation gives another secret, and so the derived session id is another one"
        for what, wrong in (("first byte", flip(ciphertext, 0)), ("last byte", flip(ciphertext, -1))):
            altered(f"ciphertext, {what}", honest.replace(ciphertext, wrong), rejected)
        wrong = flip(ciphertext, len(ciphertext) // 2)
        other = encapsulate(self.one_time[1]["key"].encoded, a.m)[1]
        altered("ciphertext for another key", honest.replace(ciphertext, other), rejected)
        there = pqxdh(
            suite, dhs, key.rejected(wrong), a.public, b.public, self.addresses["a"], self.addresses["b"], ek, spk, self.opk, key.encoded, wrong, NOW,
        )
        changed = honest.replace(ciphertext, wrong)
        altered("ciphertext, and the session id that b derives", changed.replace(fixed64_field(1, self.x["session_id"]), fixed64_field(1, there["session_id"])),
                "the derived session id is right, the tag does not verify")
        forged("ciphertext altered before T", rejected, ciphertext=flip(ciphertext, 7))

        # Which KEM prekey.
        stranger = KemKey(suite, draw(f"pq session {self.name} stranger's KEM key", 64))
        pairs = [("of another one-time prekey", self.one_time[1]["key"])]
        pairs.append(("of the last resort", b.last_resort) if self.with_opk else ("of a one-time prekey", self.one_time[0]["key"]))
        for what, wrong_key in pairs:
            rule = "a one-time KEM prekey goes with its curve key, the last resort with none"
            altered(f"id {what}", again(bytes_field(5, wrong_key.id + ciphertext)), rule, NO_PREKEY)
            forged(f"KEM prekey {what}", rule + "; all else follows from it", NO_PREKEY, key=wrong_key)
            forged(f"id {what}, all else from its own", rule, NO_PREKEY, pq=wrong_key.id + ciphertext)
        altered("id with a bit flipped", again(bytes_field(5, flip(pq, 0))), "a prekey id that b does not hold", NO_PREKEY)
        altered("id with its last bit flipped", again(bytes_field(5, flip(pq, 15))), "a prekey id that b does not hold", NO_PREKEY)
        forged("KEM prekey of a stranger", "a prekey id that b does not hold", NO_PREKEY, key=stranger)
        if self.with_opk:
            forged("no curve key, its KEM prekey", "the KEM prekey goes with the curve key; all else follows", NO_PREKEY, opk=None)
            altered("curve key not named", with_handshake(lambda h: h.replace(bytes_field(4, prekey_id(self.opk)), b"")), "no curve key is named", NO_PREKEY)
            forged("the other curve key", "the KEM prekey goes with the first; all else follows", NO_PREKEY, opk=self.one_time[1]["public"])
            altered("curve key exchanged", honest.replace(prekey_id(self.opk), self.one_time[1]["id"]), "the KEM prekey goes with the first", NO_PREKEY)
        else:
            forged("a curve key beside the last resort", "the last resort goes with no curve key; all else follows", NO_PREKEY, opk=self.one_time[0]["public"])
            altered("curve key named", with_handshake(lambda h: h.replace(field_5, bytes_field(4, self.one_time[0]["id"]) + field_5)),
                    "the last resort goes with no curve key", NO_PREKEY)
            forged("curve key named, three secrets", "the last resort goes with no curve key", NO_PREKEY, named_opk=self.one_time[0]["public"])

        # The suite.
        filled = (pq + bytes(480))[:16 + KEMS[other_suite].ciphertext_len]
        for byte in (0, 1, other_suite, 4, 0x10, 0xff):
            altered(f"suite byte {byte:#04x}", honest[:1] + bytes([byte]) + honest[2:], "suite")
        forged("suite 1, derived so", "a KEM part under suite 1", suite=1)
        forged("suite 1, of X3DH", "a KEM part under suite 1; all else is X3DH", suite=1, secret=b"", parts=b"", label=b"outrigger v1 x3dh",
               ikm=F + b"".join(dhs))
        altered(f"suite byte {other_suite:#04x}, a ciphertext of that length",
                honest[:1] + bytes([other_suite]) + again(bytes_field(5, filled))[2:], "b holds no such KEM prekey of that suite", NO_PREKEY)
        forged(f"suite {other_suite}, derived so", "length of pq", suite=other_suite, kdf_suite=other_suite)
        forged(f"suite {other_suite}, derived so, of the right length", "b holds no such KEM prekey of that suite", NO_PREKEY, suite=other_suite, kdf_suite=other_suite, pq=filled)
        forged("suite 4, derived so", "suite", suite=4)

        # pq, and its shape.
        altered("no pq", again(b""), "pq is there under the suites 2 and 3")
        forged("no pq, derived without it", "pq is there under the suites 2 and 3", field_5=b"", parts=b"", ikm=F + b"".join(dhs))
        for what, value in (("of no bytes", b""), ("of one byte", b"\0"), ("the id alone", pq[:16]), ("a byte short", pq[:-1]), ("a byte long", pq + b"\0"),
                            ("no id", ciphertext), ("2,048 bytes", (pq + bytes(2048))[:2048]), ("2,049 bytes", (pq + bytes(2049))[:2049])):
            altered(f"pq, {what}", again(bytes_field(5, value)), "length of pq")
        forged("pq a byte long", "length of pq; T and the secret are right", pq=pq + b"\0")
        altered("pq twice", again(field_5 * 2), "a field twice")
        forged("pq after started_at", "ascending order; T and the secret are right", field_5=b"", more=field_5)
        forged("pq in the envelope's header", "field 6 is for a post-quantum ratchet; the tag verifies", header_more=bytes_field(6, bytes(16)))

        # What the secrets and T are made of.
        ss = self.x["shared_secret"]
        derived = "not the derived session id"
        forged("label of X3DH", derived, label=b"outrigger v1 x3dh")
        forged("label of the other size", derived, label=KEMS[other_suite].label)
        forged("no shared secret", derived, ikm=F + b"".join(dhs))
        forged("shared secret first", derived, ikm=F + ss + b"".join(dhs))
        forged("no F", derived, ikm=b"".join(dhs) + ss)
        forged("T of X3DH", derived, parts=b"")
        forged("T without the ciphertext", derived, parts=lp(key.encoded))
        forged("T without the key", derived, parts=lp(ciphertext))
        forged("T with them swapped", derived, parts=lp(ciphertext) + lp(key.encoded))
        forged("T with no lengths", derived, parts=key.encoded + ciphertext)
        forged("T with the id for the key", derived, parts=lp(key.id) + lp(ciphertext))

    def settled(self):
        """Once there is a session."""
        sent = self.steps[self.sent["a2"]]
        honest, ad, other_suite = sent["envelope"], sent["associated_data"], 5 - self.suite
        assert honest[:2] == bytes([1, self.suite]) and honest[11] == 0x1a
        for byte in (1, other_suite, 4):
            self.try_now(f"suite byte {byte:#04x} in a session", "b", "a", honest[:1] + bytes([byte]) + honest[2:], "refused", "the suite is in the head",
                         associated_data=ad)
            session = copy.deepcopy(self.device["a"].active[self.addresses["b"]])
            out, key = session.ratchet.step_and_key(None)
            for what, more in ((f"suite byte {byte:#04x}, sealed so", b""), ("pq in the header, sealed so", bytes_field(6, bytes(16)))):
                if more and byte != 1:
                    continue
                front = bytes([1, self.suite if more else byte]) + fixed64_field(1, session.id)
                front += encode_header(out["ratchet_public"], out["previous_counter"], out["counter"]) + more
                nonce = draw(f"pq session {self.name} {what} nonce", 12)
                self.try_now(what, "b", "a", seal(key, nonce, front, b"\x01text", session.t, b"data")["wire"], "refused",
                             "field 6 is for a post-quantum ratchet; the tag verifies" if more else "suite other than the session's; the tag verifies")

    def run(self):
        self.start(), self.send("a"), self.send("a")
        self.refusals()
        a0, a1 = (self.steps[self.sent[label]] for label in ("a0", "a1"))
        self.receive("b", "a1" if self.with_opk else "a0")
        self.try_now("the first again", "b", "a", (a1 if self.with_opk else a0)["envelope"], "repeat", "opened before",
                     associated_data=(a1 if self.with_opk else a0)["associated_data"])
        self.receive("b", "a0" if self.with_opk else "a1")
        self.send("b"), self.receive("a", "b0")
        self.send("a"), self.settled(), self.receive("b", "a2")
        self.send("b"), self.receive("a", "b1")
        # Another device, with the same keys.
        if self.with_opk:
            self.try_after("one-time prekey again", "b", "c", self.forge("again", "c"), "ask", "both its halves are used up", reason=NO_PREKEY)
            self.try_after("its KEM prekey alone", "b", "c", self.forge("again, KEM", "c", opk=None), "ask", "it is used up", reason=NO_PREKEY)
        else:
            self.try_after("last resort again", "b", "c", self.forge("again", "c"), "opens", "it is for more than once")
        other = self.one_time[1]
        self.try_after("the other one-time prekey", "b", "c", self.forge("other", "c", key=other["key"], opk=other["public"]), "opens", "what was refused has used up nothing")
        self.try_after("the last resort", "b", "c", self.forge("last", "c", key=self.device["b"].last_resort, opk=None), "opens", "it stays")
        # X3DH with one who knows no other: the curve half of a one-time prekey is good for it, and takes the KEM half with it.
        third = self.one_time[2]
        classic = self.forge("classic", "c", opk=third["public"], suite=1, secret=b"", parts=b"", label=b"outrigger v1 x3dh", field_5=b"")
        self.try_after("X3DH", "b", "c", classic, "opens", "suite 1 is named too")
        self.try_after("X3DH with its KEM prekey", "b", "c", self.forge("after classic", "c", key=third["key"], opk=third["public"]), "ask",
                       "both its halves are used up", reason=NO_PREKEY)
        assert [s["expect"] for s in self.after].count("opens") == 4 - self.with_opk
        devices = {x: d.description for x, d in self.device.items()}
        devices["c"] = {k: self.c[k] for k in ("account_id", "device_id")} | {"identity_private": self.c["identity"]}
        return {"name": self.name, "suite": self.suite, "time": NOW, "devices": devices, "steps": self.steps, "after": self.after}


def post_quantum_file():
    blobs = Blobs()
    out = {
        "uploads": uploads(blobs), "bundles": bundles(blobs), "handshakes": handshakes(blobs),
        "sessions": [Exchange(blobs, suite, with_opk).run() for suite in KEMS for with_opk in (True, False)],
    }
    about = "PQXDH: prekeys, bundles, handshakes and whole sessions of the suites 2 and 3 (protocol.md, 2 to 6). Long values are in the first two tables, which lists of parts refer to"
    return {"about": about, "kem_keys": blobs.keys, "ciphertexts": blobs.ciphertexts} | blobs.pack(out)
