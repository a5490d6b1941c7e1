"""protocol.md, 5 and 7: the message header and the ratchet.

Licence: MIT OR Apache-2.0.
"""

import copy

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys import check_public, dh, public_key
from notation import (
    KEY_GONE, MAX_ASSOCIATED_DATA, MAX_ENVELOPE, MAX_SEALED, NO_CHAIN, TOO_FAR, Draws, Refused, bytes_field, hkdf, hmac_sha256, lp, need,
    read_message, refuse_if, tag, uint_field, varint,
)


MAX_SKIP = 1000
MAX_STORED = 1000
OLD_CHAINS = 4

HEADER = {3: ("ratchet_key", 2), 4: ("previous_counter", 0), 5: ("counter", 0), 6: ("pq", 2), 7: ("ciphertext", 2)}
ENVELOPE = {1: ("session_id", 1), 2: ("handshake", 2)} | HEADER
HANDSHAKE = {
    1: ("identity_key", 2), 2: ("ephemeral_key", 2), 3: ("signed_prekey_id", 2), 4: ("one_time_prekey_id", 2), 5: ("pq", 2),
    6: ("started_at", 0),
}


def kdf_rk(root, dh_output, label=b"outrigger v1 ratchet root"):
    out = hkdf(root, dh_output, label, 64)
    return out[:32], out[32:]


def kdf_ck(chain):
    """(message key, next chain key)"""
    return hmac_sha256(chain, b"\x01"), hmac_sha256(chain, b"\x02")


def encode_header(ratchet_key, pn, n):
    return bytes_field(3, ratchet_key) + uint_field(4, pn) + uint_field(5, n)


def read_header(m):
    """Field 3 to 7 of a parsed message: (key, PN, N, head length, sealed bytes)."""
    key = check_public(need(m, "ratchet_key", 32))
    pn, n = m.get("previous_counter", 0), m.get("counter", 0)
    refuse_if(pn >= 2**32 - 1 or n >= 2**32 - 1, "counter")
    refuse_if("pq" in m, "pq under suite 0x01")
    sealed = need(m, "ciphertext", 28, 12 + MAX_SEALED + 16)
    return key, pn, n, m["ciphertext at"], sealed


def seal(message_key, nonce, front, content, t, associated_data):
    """`front` is all that stands before field 7."""
    return seal_behind(message_key, nonce, front + tag(7, 2) + varint(12 + len(content) + 16), content, t, associated_data)


def seal_behind(message_key, nonce, head, content, t, associated_data):
    aead_key, aad = hmac_sha256(message_key, b"outrigger v1 message aead"), lp(head) + t + associated_data
    return {
        "message_key": message_key, "aead_key": aead_key, "nonce": nonce, "head": head, "aead_associated_data": aad,
        "wire": head + nonce + AESGCM(aead_key).encrypt(nonce, content, aad),
    }


class Ratchet:
    """One side. `root`, `due` and so on as in the text; sending halves are deferred."""

    @staticmethod
    def initiator(secret, private, peer):
        r = Ratchet()
        r.private, r.peer, r.due = private, peer, False
        r.first_dh = dh(private, peer)
        r.root, r.send_chain = kdf_rk(secret, r.first_dh)
        return r

    @staticmethod
    def responder(secret, private):
        r = Ratchet()
        r.root, r.private = secret, private
        return r

    def __init__(self):
        self.private = None        # own ratchet key; None while the sending step is due
        self.send_chain = None
        self.send_n = 0
        self.pn = 0
        self.due = False
        self.peer = None           # the peer's current ratchet key
        self.recv_chain = None
        self.recv_n = 0
        self.old_peers = []        # up to four, the newest first
        self.skipped = {}          # (first 8 bytes of the peer key, counter) -> message key, the oldest first

    def sending_half(self):
        shared = dh(self.private, self.peer)
        self.root, self.send_chain = kdf_rk(self.root, shared)
        return shared

    def receiving_half(self, key):
        shared = dh(self.private, key)
        self.root, self.recv_chain = kdf_rk(self.root, shared)
        return shared

    def retire(self):
        """The peer's chain becomes one of the earlier ones; the oldest goes, with its keys."""
        self.old_peers.insert(0, self.peer)
        for gone in self.old_peers[OLD_CHAINS:]:
            self.skipped = {k: v for k, v in self.skipped.items() if k[0] != gone[:8]}
        del self.old_peers[OLD_CHAINS:]

    def step_and_key(self, fresh):
        """The sending step, when due (`fresh()` draws the key), then one message key."""
        out = {"root_before": self.root, "root_after": self.root, "dh": None}
        if self.due:
            self.private = fresh()
            self.pn, self.send_n, self.due = self.send_n, 0, False
            out["dh"] = self.sending_half()
            out["root_after"] = self.root
        refuse_if(self.send_chain is None, "the responder cannot send before it has received")
        out["chain_before"] = self.send_chain
        message_key, self.send_chain = kdf_ck(self.send_chain)
        out["chain_after"] = self.send_chain
        out |= {"ratchet_private": self.private, "ratchet_public": public_key(self.private)}
        out |= {"previous_counter": self.pn, "counter": self.send_n}
        self.send_n += 1
        return out, message_key

    def send(self, name, content, t, associated_data, front=b""):
        """Returns every value of one sending, with the draws in their order."""
        take, due = Draws(name), self.due
        out, message_key = self.step_and_key(lambda: take("ratchet key", 32))
        header = encode_header(out["ratchet_public"], out["previous_counter"], out["counter"])
        sealed = seal(message_key, take("nonce", 12), front + header, content, t, associated_data)
        return {"draws": take.made, "step_due": due} | out | sealed

    def receive(self, key, pn, n, head, sealed, t, associated_data):
        """Opens one message. Returns every value; raises Refused and leaves the state as it was."""
        refuse_if(len(associated_data) > MAX_ASSOCIATED_DATA, "associated data too long")
        work = copy.deepcopy(self)
        out = work._receive(key, pn, n, head, sealed, t, associated_data)
        self.__dict__ = work.__dict__
        return out

    def _skip_to(self, n, out):
        while self.recv_n < n:
            message_key, self.recv_chain = kdf_ck(self.recv_chain)
            self.skipped[self.peer[:8], self.recv_n] = message_key
            out["skipped"].append({"ratchet_key": self.peer, "counter": self.recv_n, "message_key": message_key})
            self.recv_n += 1

    def _new_chain(self, key, pn, n, out):
        out["chain"] = "new"
        refuse_if(self.due, "new ratchet key while the sending step is due", NO_CHAIN)
        old = self.recv_chain is not None and pn > self.recv_n
        refuse_if(old and pn - self.recv_n > MAX_SKIP, "too many skipped keys in the old chain", TOO_FAR)
        refuse_if(n > MAX_SKIP, "too many skipped keys", TOO_FAR)
        if old:
            self._skip_to(pn, out)
        if self.recv_chain is not None:
            self.retire()
        out["dh"] = self.receiving_half(key)
        out["root_after"] = self.root
        self.peer, self.recv_n = key, 0
        self.private, self.send_chain, self.due = None, None, True

    def _open(self, key, n, sealed, aad, out, first):
        """Takes the message key of the chain that `out` names, and opens the text. `first`: there was no chain at all before."""
        if out["chain"] == "late":
            if (key[:8], n) not in self.skipped:
                raise Refused("late, and its key is gone", "repeat", KEY_GONE)
            message_key = self.skipped.pop((key[:8], n))
        else:
            self._skip_to(n, out)
            message_key, self.recv_chain = kdf_ck(self.recv_chain)
            self.recv_n += 1
            while len(self.skipped) > MAX_STORED:
                self.skipped.pop(next(iter(self.skipped)))
        try:
            content = AESGCM(hmac_sha256(message_key, b"outrigger v1 message aead")).decrypt(sealed[:12], sealed[12:], aad)
        except InvalidTag:
            # Under a new ratchet key it is of no chain on record, unless there is no chain yet at all.
            raise Refused("the tag does not verify", ask=NO_CHAIN if out["chain"] == "new" and not first else None) from None
        return out | {"message_key": message_key, "chain_after": None if out["chain"] == "late" else self.recv_chain, "content": content}

    def _receive(self, key, pn, n, head, sealed, t, associated_data):
        first = self.peer is None
        out = {"chain": None, "root_before": self.root, "root_after": self.root, "dh": None, "skipped": []}
        refuse_if(self.private and key == public_key(self.private), "own ratchet key")
        if key == self.peer:
            refuse_if(self.recv_chain is None, "no message is under the key that the initiator started from", NO_CHAIN)
            out["chain"] = "late" if n < self.recv_n else "current"
            refuse_if(n - self.recv_n > MAX_SKIP, "too many skipped keys", TOO_FAR)
        elif any(key[:8] == old[:8] for old in self.old_peers):
            out["chain"] = "late"
        else:
            self._new_chain(key, pn, n, out)
        return self._open(key, n, sealed, lp(head) + t + associated_data, out, first)

    def receive_alone(self, message, associated_data):
        """A message of a ratchet that is used without session."""
        refuse_if(len(message) > MAX_ENVELOPE, "message too long")
        key, pn, n, at, sealed = read_header(read_message(message, HEADER))
        return self.receive(key, pn, n, message[:at], sealed, b"", associated_data)
