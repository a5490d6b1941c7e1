"""A linking of companions.json, with what is to be refused in its course.

Licence: MIT OR Apache-2.0.
"""

import base64

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from companions import (
    ACKNOWLEDGEMENT, CONFIRMATION, GRANT, GRANTED, REFUSAL, TOLERANCE, WINDOW, account_of, answer_mac_key, certificate_body, certificate_signed,
    check_certificate, check_list, check_refused, encode_certificate, link_keys, list_body, list_digest, read_certificate_body, read_linking,
    sign_list, which_list, with_mac,
)
from handshake import check_bundle, encode_bundle, suites_statement
from keys import dh, enc, parse_enc, public_key, sign_published, xeddsa_verify
from notation import (
    MAX_DEVICE_LIST, MAX_LINKING, NOW, TIME, Refused, bytes_field, draw, filler, hmac_sha256, need, need_uint, read_message, refuse_if, uint_field,
)


class Linking:
    """A linking into an account that has three companions: 64 bytes of id, high numbers. Each message can be made with other parts in it."""

    def __init__(self):
        take = lambda what, length: draw(f"companions second {what}", length)
        self.account_id, self.incarnation = account_of("companions second", 64), filler("companions incarnation 6", 16)
        self.phone, self.companion, self.ephemeral = take("phone identity", 32), take("companion identity", 32), take("companion ephemeral", 32)
        self.secret, self.reference = take("secret", 32), take("reference", 16)
        self.ikp, self.ikc = public_key(self.phone), public_key(self.companion)
        self.payload = b"\x01\x01" + self.ikc + public_key(self.ephemeral) + self.secret + self.reference
        self.kept = [(d, i, public_key(take(f"other companion {d}", 32))) for d, i in ((1, 37, ), (2**31, 2), (2**32 - 1, 39))]
        self.before = sign_list(self.phone, self.body_of_list(7, TIME, 40, self.kept), take("list before z", 64))
        self.ekp = take("phone ephemeral", 32)
        self.keys = link_keys(self.secret, self.payload, dh(self.ekp, public_key(self.ephemeral)), public_key(self.ekp))
        self.device_draw, self.account_z, self.nonce = take("device id", 16), take("account z", 64), take("grant nonce", 12)
        self.device = int.from_bytes(self.device_draw[:4], "big")
        self.granted_at, self.accepted_at, self.confirmed_at = NOW + 20_000, NOW + 30_000, NOW + 40_000
        self.body = certificate_body(self.account_id, self.device, 40, self.granted_at, self.incarnation)
        self.account_signed, self.device_signed = (certificate_signed(x, self.body, self.ikp, self.ikc) for x in (b"\x06\x00", b"\x06\x01"))
        self.account_signature = sign_published(self.phone, self.account_signed, self.account_z)
        self.granted = self.grant_body()
        self.grant = self.make_grant()
        self.g, self.answer_key = answer_mac_key(self.secret, self.keys["binding"], self.grant)
        self.device_z, self.spk, self.spk_z = take("device z", 64), take("signed prekey", 32), take("signed prekey z", 64)
        self.opk, self.suites_z = take("one-time prekey", 32), take("suites z", 64)
        self.device_signature = sign_published(self.companion, self.device_signed, self.device_z)
        self.bundle = self.make_bundle()
        self.confirmation = self.make_confirmation()
        self.session_draws, self.list_z = [take("session ephemeral", 32), take("first ratchet key", 32)], take("list z", 64)
        self.sync_key = take("sync key", 32)  # this phone has drawn none yet
        self.entries = sorted([*self.kept, (self.device, 40, self.ikc, b"\x01")])
        self.list = sign_list(self.phone, self.body_of_list(8, self.confirmed_at, 41, self.entries), self.list_z)
        self.acknowledgement = self.make_acknowledgement()
        self.refusals = [self.make_refusal(uint_field(2, reason)) for reason in (1, 2)]
        self.certificate = encode_certificate(self.body, self.ikc, self.account_signature, self.device_signature)
        check_certificate(self.account_id, self.device, self.ikp, check_list(self.account_id, self.ikp, self.list), self.certificate)

    def body_of_list(self, epoch, at, next_index, entries, incarnation=None, account_id=None):
        return list_body(account_id or self.account_id, incarnation or self.incarnation, epoch, at, at + WINDOW, next_index, entries)

    def grant_body(self, body=None, key=None, signature=None):
        return bytes_field(1, body or self.body) + bytes_field(2, key or enc(self.ikp)) + bytes_field(3, signature or self.account_signature)

    def seal(self, body, key=None, associated_data=None):
        data = self.keys["binding"] if associated_data is None else associated_data
        return self.nonce + AESGCM(key or self.keys["grant_key"]).encrypt(self.nonce, body, data)

    def make_grant(self, sealed=None, key=None, reference=None, ephemeral=None, more=b"", front=b"\x01\x01"):
        fields = bytes_field(1, reference or self.reference) + bytes_field(2, ephemeral or enc(public_key(self.ekp)))
        return with_mac(key or self.keys["grant_mac_key"], front + fields + bytes_field(3, sealed or self.seal(self.granted)) + more, 4)

    def make_bundle(self, signs=None, device=None, z=None):
        signs, z = signs or self.companion, z or (self.suites_z, self.spk_z)
        statement = suites_statement(self.account_id, self.device if device is None else device, self.accepted_at, b"\x01")
        spk = enc(public_key(self.spk))
        return encode_bundle(
            enc(public_key(signs)), b"\x01", self.accepted_at, sign_published(signs, statement, z[0]), spk, sign_published(signs, spk, z[1]),
            enc(public_key(self.opk)))

    def make_confirmation(self, key=None, reference=None, signature=None, bundle=None, more=b"", front=b"\x01\x02"):
        fields = bytes_field(1, reference or self.reference) + bytes_field(2, signature or self.device_signature)
        return with_mac(key or self.answer_key, front + fields + bytes_field(3, bundle or self.bundle) + more, 4)

    def make_acknowledgement(self, key=None, reference=None, signed_list=None, more=b"", front=b"\x01\x03"):
        fields = bytes_field(1, reference or self.reference) + bytes_field(2, signed_list or self.list)
        return with_mac(key or self.answer_key, front + fields + more, 3)

    def make_refusal(self, reason, key=None, reference=None, more=b"", front=b"\x01\x04"):
        return with_mac(key or self.keys["grant_mac_key"], front + bytes_field(1, reference or self.reference) + reason + more, 3)

    def check_grant(self, message):
        m = read_linking(GRANT, self.keys["grant_mac_key"], self.reference, message)
        sealed, ekp = need(m, "sealed", 28, MAX_LINKING), parse_enc(need(m, "ephemeral_key", 33))
        keys = link_keys(self.secret, self.payload, dh(self.ephemeral, ekp), ekp)
        try:
            opened = AESGCM(keys["grant_key"]).decrypt(sealed[:12], sealed[12:], keys["binding"])
        except InvalidTag:
            raise Refused("the tag does not verify") from None
        g = read_message(opened, GRANTED)
        body, phone = need(g, "certificate", 1, MAX_LINKING), parse_enc(need(g, "account_key", 33))
        read_certificate_body(body)
        refuse_if(phone == self.ikc, "the companion's own key")
        signed = certificate_signed(b"\x06\x00", body, phone, self.ikc)
        refuse_if(xeddsa_verify(phone, signed, need(g, "account_signature", 64)), "account's signature")

    def check_confirmation(self, message):
        m = read_linking(CONFIRMATION, self.answer_key, self.reference, message)
        refuse_if(xeddsa_verify(self.ikc, self.device_signed, need(m, "device_signature", 64)), "device's signature")
        identity, _, _ = check_bundle(need(m, "bundle", 1, MAX_LINKING), self.account_id, self.device)
        refuse_if(identity != self.ikc, "the bundle of another key")

    def check_acknowledgement(self, message):
        m = read_linking(ACKNOWLEDGEMENT, self.answer_key, self.reference, message)
        devices = check_list(self.account_id, self.ikp, need(m, "list", 1, MAX_DEVICE_LIST))
        refuse_if(which_list(None, devices, self.confirmed_at) != "newer", "the list does not count")
        check_certificate(self.account_id, self.device, self.ikp, devices, self.certificate)

    def check_refusal(self, message):
        m = read_linking(REFUSAL, self.keys["grant_mac_key"], self.reference, message)
        need_uint(m, "reason")


def second_linking():
    """The values, and what each side must refuse in its course."""
    l = Linking()
    take = lambda what, length: draw(f"companions second wrong {what}", length)
    other, other_z = take("key", 32), (take("z 0", 64), take("z 1", 64))
    ikp, mac, answer = l.ikp, l.keys["grant_mac_key"], l.answer_key
    flip = lambda x, at=-1: x[:at] + bytes([x[at] ^ 1]) + (x[at:][1:])
    refused = {"grants": [], "confirmations": [], "acknowledgements": [], "refusals": []}

    def refuse(into, check, *cases):
        for name, message, why in cases:
            check_refused(check, message)
            refused[into].append({"name": name, "message": message, "why": why})

    def granted(name, why, body=None, key=None, signs=None, over=b"\x06\x00", raw=None, account_key=None):
        """A grant of which only what is sealed is wrong."""
        body = body or l.body
        signature = sign_published(signs or l.phone, certificate_signed(over, body, key or ikp, l.ikc), take(f"{name} z", 64))
        raw = raw if raw is not None else l.grant_body(body, account_key or enc(key or ikp), signature)
        return name, l.make_grant(l.seal(raw)), why + "; MAC and tag verify"

    cert = lambda account_id=l.account_id, device=l.device, index=40, at=l.granted_at, inc=l.incarnation: certificate_body(account_id, device, index, at, inc)
    l.check_grant(l.grant), l.check_confirmation(l.confirmation), l.check_acknowledgement(l.acknowledgement)
    for message in l.refusals:
        l.check_refusal(message)
    low = b"\x05" + bytes(32)
    refuse(
        "grants", l.check_grant,
        ("another reference", l.make_grant(reference=flip(l.reference)), "it answers another code; the MAC verifies"),
        ("another key of the MAC", l.make_grant(key=flip(mac)), "MAC"),
        ("the answer's MAC key", l.make_grant(key=answer), "MAC"),
        ("the MAC over the fields alone", l.grant[:-32] + hmac_sha256(mac, l.grant[2:-34]), "version and kind are in it"),
        ("the MAC over its own tag too", l.grant[:-32] + hmac_sha256(mac, l.grant[:-32]), "all bytes before that field"),
        ("ephemeral key of low order", l.make_grant(ephemeral=low), "a key of low order; the MAC verifies"),
        ("another ephemeral key", l.make_grant(ephemeral=enc(public_key(other))), "the tag does not verify; the MAC does"),
        ("ephemeral key of another type", l.make_grant(ephemeral=b"\x06" + public_key(l.ekp)), "the type is 5; the MAC verifies"),
        ("sealed under another key", l.make_grant(l.seal(l.granted, key=mac)), "the tag does not verify; the MAC does"),
        ("sealed with other associated data", l.make_grant(l.seal(l.granted, associated_data=b"")), "the tag does not verify; the MAC does"),
        ("sealed, 27 bytes", l.make_grant(bytes(27)), "nonce and tag have 28; the MAC verifies"),
        ("an unknown field", l.make_grant(more=uint_field(5, 1)), "no unknown fields, and the MAC is the last; the MAC verifies"),
        ("another version", l.make_grant(front=b"\x02\x01"), "version; the MAC verifies"),
        ("of kind 5", l.make_grant(front=b"\x01\x05"), "kind; the MAC verifies"),
        ("as a confirmation", l.make_grant(front=b"\x01\x02"), "kind; the MAC verifies"),
        ("a trailing byte", l.grant + b"\0", "one encoding"),
        ("without a MAC", l.grant[:-34], "the MAC is the last field"),
        ("too long", l.grant + bytes(MAX_LINKING - len(l.grant) + 1), "at most 2,048 bytes"),
        granted("signed by another key", "not the account's signature", signs=other),
        granted("signed over the device's bytes", "the prefix is another", over=b"\x06\x01"),
        granted("the key of another phone", "the signature is not by it", signs=l.phone, key=public_key(other)),
        granted("account key of low order", "a key of low order", account_key=low),
        granted("the companion's own key", "an account's phone is another device", key=l.ikc, signs=l.companion),
        granted("device 0", "a companion is not 0", body=cert(device=0)),
        granted("index 0", "an index is not 0", body=cert(index=0)),
        granted("linked at 0", "a time is not 0", body=cert(at=0)),
        granted("account id of 15 bytes", "16 to 64", body=cert(account_id=bytes(15))),
        granted("incarnation of 17 bytes", "16", body=cert(inc=bytes(17))),
        granted("an unknown field in the body", "no unknown fields", body=l.body + uint_field(6, 1)),
        granted("an unknown field beside it", "no unknown fields", raw=l.granted + uint_field(4, 1)),
        granted("no certificate", "no field may be left out", raw=l.granted[len(bytes_field(1, l.body)):]),
        granted("nothing sealed", "no field may be left out", raw=b""),
    )
    swap = lambda x: sign_published(*x)
    refuse(
        "confirmations", l.check_confirmation,
        ("another reference", l.make_confirmation(reference=flip(l.reference)), "another linking; the MAC verifies"),
        ("the grant's MAC key", l.make_confirmation(key=mac), "MAC"),
        ("of another grant", l.make_confirmation(key=answer_mac_key(l.secret, l.keys["binding"], flip(l.grant))[1]), "the key is of the grant's bytes"),
        ("the account's signature", l.make_confirmation(signature=l.account_signature), "not the device's; the MAC verifies"),
        ("signed over the account's bytes", l.make_confirmation(signature=swap((l.companion, l.account_signed, take("over account z", 64)))),
         "the prefix is another; the MAC verifies"),
        ("signed by another key", l.make_confirmation(signature=swap((other, l.device_signed, take("by other z", 64)))), "not the device's; the MAC verifies"),
        ("a bundle of another key", l.make_confirmation(bundle=l.make_bundle(other, z=other_z)), "not the companion's; the MAC verifies"),
        ("a bundle of another device", l.make_confirmation(bundle=l.make_bundle(device=0, z=other_z)), "not that device's; the MAC verifies"),
        ("a bundle altered", l.make_confirmation(bundle=flip(l.bundle, l.bundle.index(enc(public_key(l.spk))) + 5)), "signed; the MAC verifies"),
        ("an unknown field", l.make_confirmation(more=uint_field(5, 1)), "the MAC is the last field; the MAC verifies"),
        ("another version", l.make_confirmation(front=b"\x02\x02"), "version; the MAC verifies"),
        ("as an acknowledgement", l.make_confirmation(front=b"\x01\x03"), "kind; the MAC verifies"),
        ("a trailing byte", l.confirmation + b"\0", "one encoding"),
        ("the grant itself", l.grant, "it is of the phone"),
        ("nothing", b"", "version"),
    )
    count = 0

    def listed(signs=l.phone, epoch=8, entries=l.entries, **more):
        nonlocal count
        count += 1
        return l.make_acknowledgement(signed_list=sign_list(signs, l.body_of_list(epoch, l.confirmed_at, 41, entries, **more), take(f"list {count} z", 64)))

    dated = lambda at: l.make_acknowledgement(signed_list=sign_list(l.phone, l.body_of_list(8, at, 41, l.entries), take(f"list of {at} z", 64)))

    refuse(
        "acknowledgements", l.check_acknowledgement,
        ("another reference", l.make_acknowledgement(reference=flip(l.reference)), "another linking; the MAC verifies"),
        ("the grant's MAC key", l.make_acknowledgement(key=mac), "MAC"),
        ("another version", l.make_acknowledgement(front=b"\x02\x03"), "version; the MAC verifies"),
        ("as a refusal", l.make_acknowledgement(front=b"\x01\x04"), "kind; the MAC verifies"),
        ("an unknown field", l.make_acknowledgement(more=uint_field(4, 1)), "the MAC is the last field; the MAC verifies"),
        ("a trailing byte", l.acknowledgement + b"\0", "one encoding"),
        ("the list before", l.make_acknowledgement(signed_list=l.before), "it does not name the companion; the MAC verifies"),
        ("a list signed by another key", listed(signs=other), "not the account's; the MAC verifies"),
        ("a list without it", listed(entries=l.kept), "it does not name the companion; the MAC verifies"),
        ("under another index", listed(entries=[(d, 38 if d == l.device else i, k) for d, i, k, *_ in l.entries]), "not the certificate's; the MAC verifies"),
        ("with another key", listed(entries=[(d, i, public_key(other) if d == l.device else k) for d, i, k, *_ in l.entries]),
         "not the companion's; the MAC verifies"),
        ("of another incarnation", listed(incarnation=filler("companions incarnation 7", 16)), "not the certificate's; the MAC verifies"),
        ("of another account", listed(account_id=account_of("companions second else", 64)), "not the certificate's; the MAC verifies"),
        ("past its time", dated(l.confirmed_at - WINDOW - TOLERANCE - 1), "rule 6; the MAC verifies"),
        ("issued too far ahead", dated(l.confirmed_at + TOLERANCE + 1), "rule 1; the MAC verifies"),
        ("the grant again", l.grant, "out of order"),
    )
    refuse(
        "refusals", l.check_refusal,
        ("another reference", l.make_refusal(uint_field(2, 1), reference=flip(l.reference)), "another linking; the MAC verifies"),
        ("the answer's MAC key", l.make_refusal(uint_field(2, 1), key=answer), "MAC"),
        ("reason 0", l.make_refusal(b""), "a reason is not 0; the MAC verifies"),
        ("reason 0, written out", l.make_refusal(b"\x10\x00"), "a uint that is 0 is left out; the MAC verifies"),
        ("reason not of least length", l.make_refusal(b"\x10\x81\x00"), "one encoding; the MAC verifies"),
        ("reason of 2^32", l.make_refusal(uint_field(2, 2**32)), "a uint32; the MAC verifies"),
        ("another version", l.make_refusal(uint_field(2, 1), front=b"\x02\x04"), "version; the MAC verifies"),
        ("an unknown field", l.make_refusal(uint_field(2, 1), more=uint_field(4, 1)), "the MAC is the last field; the MAC verifies"),
        ("a trailing byte", l.refusals[0] + b"\0", "one encoding"),
    )
    for message, check in ((l.grant, l.check_grant), (l.confirmation, l.check_confirmation), (l.acknowledgement, l.check_acknowledgement)):
        for bit in range(8 * len(message)):
            if bit % 61 == 0 or bit >= 8 * len(message) - 256:
                check_refused(check, message[:bit // 8] + bytes([message[bit // 8] ^ 1 << bit % 8]) + message[bit // 8 + 1:])
    digest = list_digest(l.account_id, l.incarnation, ikp, l.entries)
    return {
        "account_id": l.account_id, "time": NOW, "phone_private": l.phone, "phone_public": ikp, "before": l.before,
        "show": {"draws": [l.companion, l.ephemeral, l.secret, l.reference], "payload": l.payload,
                 "code": "outrigger-link:" + base64.urlsafe_b64encode(l.payload).decode().rstrip("=")},
        "scan": {"draws": [l.ekp], "ephemeral_public": public_key(l.ekp)} | l.keys,
        "grant": {"time": l.granted_at, "draws": [l.device_draw, l.account_z, l.nonce], "device_id": l.device, "certificate_body": l.body,
                  "signed_bytes": l.account_signed, "account_signature": l.account_signature, "sealed_body": l.granted, "message": l.grant},
        "confirm": {"time": l.accepted_at, "draws": [l.device_z, l.spk, l.spk_z, l.opk, l.suites_z], "signed_bytes": l.device_signed,
                    "device_signature": l.device_signature, "grant_digest": l.g, "mac_key": answer, "bundle": l.bundle, "message": l.confirmation},
        "list": {"time": l.confirmed_at, "draws": [*l.session_draws, l.list_z, l.sync_key], "list": l.list, "digest": digest, "acknowledgement": l.acknowledgement},
        "certificate": l.certificate, "refusals": [{"reason": i + 1, "message": m} for i, m in enumerate(l.refusals)], "refused": refused,
    }
