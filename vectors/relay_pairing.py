"""The relay's pairing: a desktop's code, the phone's grant, and what a desktop refuses of it."""

import base64

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from companions import DESKTOP_GRANT, account_of, certificate_body, check_refused, link_keys, read_linking, with_mac
from handshake import BUNDLE, addr, check_bundle, encode_bundle, prekey_id, suites_statement
from keys import dh, enc, parse_enc, public_key, sign_published
from notation import MAX_LINKING, NOW, TIME, Refused, bytes_field, draw, filler, need, need_uint, read_message, refuse_if, uint_field
from sessions import Device

GRANTED_DESKTOP = {1: ("account_id", 2), 2: ("device_id", 0), 3: ("bundle", 2)}


class Desktop(Device):
    """What a grant makes of the device that showed the code: it has an address and no prekeys."""

    def __init__(self, identity, account, device):
        self.account, self.device, self.address = account, device, addr(account, device)
        self.identity, self.public = identity, public_key(identity)
        self.forget()
        self.signed_prekeys, self.one_time_prekeys = {}, {}


class Pairing:
    """A desktop's code, the phone's grant, and the desktop's first ask. Each message can be made with other parts in it."""

    def __init__(self, name, account_length):
        self.name = name
        take = self.take
        self.shown_at, self.scanned_at, self.granted_at, self.joined_at = NOW, NOW + 5_000, NOW + 20_000, NOW + 30_000
        self.phone = Device(f"relay {name} phone", account_of(f"relay {name}", account_length), 0, TIME, 2)
        self.identity, self.ephemeral, self.secret, self.reference = take("desktop identity", 32), take("ephemeral", 32), take("secret", 32), take("reference", 16)
        self.payload = self.payload_of(2)
        self.ekp = take("phone ephemeral", 32)
        self.keys = link_keys(self.secret, self.payload, dh(self.ekp, public_key(self.ephemeral)), public_key(self.ekp))
        self.device_draw, self.pairing_id = take("device id", 16), take("pairing id", 16)
        self.one_time, self.nonce = take("one-time prekey", 32), take("grant nonce", 12)
        self.device = int.from_bytes(self.device_draw[:4], "big")
        self.suites_z = take("suites z", 64)
        kept = read_message(self.phone.bundle[1:], BUNDLE)
        statement = suites_statement(self.phone.account, 0, self.granted_at, b"\x01")
        self.bundle = encode_bundle(
            kept["identity_key"], b"\x01", self.granted_at, sign_published(self.phone.identity, statement, self.suites_z), kept["signed_prekey"],
            kept["signed_prekey_signature"], enc(public_key(self.one_time)))
        self.grant_draws = [self.suites_z, self.one_time, self.device_draw, self.nonce, self.pairing_id]
        self.phone.one_time_prekeys[prekey_id(public_key(self.one_time))] = self.one_time
        self.desktop = Desktop(self.identity, self.phone.account, self.device)
        self.phone.pinned[self.desktop.address] = self.desktop.public
        self.granted = self.grant_body()
        self.grant = self.make_grant()
        self.check_grant(self.grant)

    def take(self, what, length):
        return draw(f"relay {self.name} {what}", length)

    def payload_of(self, role):
        return bytes([1, role]) + public_key(self.identity) + public_key(self.ephemeral) + self.secret + self.reference

    def code(self, payload=None):
        return "outrigger-link:" + base64.urlsafe_b64encode(payload or self.payload).decode().rstrip("=")

    def grant_body(self, account=None, device=None, bundle=None):
        return (
            bytes_field(1, self.phone.account if account is None else account)
            + (uint_field(2, self.device) if device is None else device) + bytes_field(3, bundle or self.bundle)
        )

    def seal(self, body, keys=None, associated_data=None):
        keys = keys or self.keys
        data = keys["binding"] if associated_data is None else associated_data
        return self.nonce + AESGCM(keys["grant_key"]).encrypt(self.nonce, body, data)

    def make_grant(self, sealed=None, keys=None, reference=None, ephemeral=None, more=b"", front=b"\x01\x08", mac_front=None):
        """`mac_front` stands for version and kind in what the MAC is over, where they are others."""
        fields = bytes_field(1, reference or self.reference) + bytes_field(2, ephemeral or enc(public_key(self.ekp)))
        fields += bytes_field(3, sealed or self.seal(self.granted)) + more
        return front + with_mac((keys or self.keys)["grant_mac_key"], (mac_front or front) + fields, 4)[len(front):]

    def check_grant(self, message):
        m = read_linking(DESKTOP_GRANT, self.keys["grant_mac_key"], self.reference, message)
        sealed, ekp = need(m, "sealed", 28, MAX_LINKING), parse_enc(need(m, "ephemeral_key", 33))
        keys = link_keys(self.secret, self.payload, dh(self.ephemeral, ekp), ekp)
        try:
            opened = AESGCM(keys["grant_key"]).decrypt(sealed[:12], sealed[12:], keys["binding"])
        except InvalidTag:
            raise Refused("the tag does not verify") from None
        g = read_message(opened, GRANTED_DESKTOP)
        account = need(g, "account_id", 16, 64)
        need_uint(g, "device_id")
        identity, _, opk = check_bundle(need(g, "bundle", 1, MAX_LINKING), account, 0)
        refuse_if(identity == self.desktop.public, "the desktop's own key")
        refuse_if(opk is None, "no one-time prekey")
        refuse_if(1 not in read_message(g["bundle"][1:], BUNDLE)["suites"], "no suite that both know")

    def other_bundle(self, name, signs=None, account=None, device=0, suites=b"\x01", one_time=True, prekey_by=None):
        signs = signs or self.phone.identity
        spk, opk = self.take(f"{name} signed prekey", 32), self.take(f"{name} one-time prekey", 32)
        z, spk_z = self.take(f"{name} suites z", 64), self.take(f"{name} signed prekey z", 64)
        statement = suites_statement(account or self.phone.account, device, TIME, suites)
        return encode_bundle(
            enc(public_key(signs)), suites, TIME, sign_published(signs, statement, z), enc(public_key(spk)),
            sign_published(prekey_by or signs, enc(public_key(spk)), spk_z), enc(public_key(opk)) if one_time else None)

    def refused(self):
        """What the desktop must refuse; the MAC of each is right where nothing else is said."""
        out = []
        other = self.take("another identity", 32)
        flip = lambda x, at=0: x[:at] + bytes([x[at] ^ 1]) + x[at + 1:]
        bundle = self.other_bundle

        def one(name, message, why):
            check_refused(self.check_grant, message)
            out.append({"name": name, "message": message, "why": why})

        def body(name, sealed_body, why):
            one(name, self.make_grant(self.seal(sealed_body)), why)

        body("device 0", self.grant_body(device=b""), "a device id is not 0")
        body("device 0, written out", self.grant_body(device=b"\x10\x00"), "a uint that is 0 is left out")
        body("device 2^32", self.grant_body(device=uint_field(2, 2**32)), "a uint32")
        body("device id not of least length", self.grant_body(device=b"\x10\x81\x00"), "one encoding")
        body("another account than the bundle's", self.grant_body(account=account_of("relay another", 20)), "the statement of the bundle names another address")
        body("an account id of 15 bytes", self.grant_body(account=self.phone.account[:15]), "16 to 64")
        body("an account id of 65 bytes", self.grant_body(account=filler("relay long account", 65)), "16 to 64")
        body("a bundle of another account", self.grant_body(bundle=bundle("other account", account=account_of("relay another", 20))), "the bundle is not of this account")
        body("a bundle of another device", self.grant_body(bundle=bundle("other device", device=self.device)), "the bundle is not of device 0")
        body("a bundle without one-time prekey", self.grant_body(bundle=self.phone.bundle), "it has one")
        body("a bundle of the desktop's own key", self.grant_body(bundle=bundle("own key", signs=self.identity)), "the phone has another identity key")
        body("a bundle whose prekey another key signed", self.grant_body(bundle=bundle("other signs", prekey_by=other)), "it does not verify")
        body("a bundle of suite 2 alone", self.grant_body(bundle=bundle("suite 2", suites=b"\x02")), "no suite that both know: no session can be started")
        body("a bundle of another version", self.grant_body(bundle=b"\x02" + self.bundle[1:]), "version of the bundle")
        body("a bundle and a byte", self.grant_body(bundle=self.bundle + b"\0"), "one encoding")
        body("a bundle of no bytes", self.grant_body()[:-len(bytes_field(3, self.bundle))] + b"\x1a\x00", "no bundle")
        body("no bundle", self.grant_body()[:-len(bytes_field(3, self.bundle))], "no field may be left out")
        body("no account id", self.granted[len(bytes_field(1, self.phone.account)):], "no field may be left out")
        body("an unknown field", self.granted + uint_field(4, 1), "no unknown fields")
        body("cut by a byte", self.granted[:-1], "one encoding")
        body("a trailing byte", self.granted + b"\0", "one encoding")
        body("nothing sealed", b"", "no field may be left out")
        head = bytes_field(1, self.phone.account)
        body("fields out of order", uint_field(2, self.device) + head + bytes_field(3, self.bundle), "one encoding")
        body("a field twice", head + self.granted, "one encoding")
        body("what a companion's grant holds", bytes_field(1, certificate_body(self.phone.account, self.device, 1, self.granted_at, filler("relay inc", 16)))
             + bytes_field(2, enc(self.phone.public)) + bytes_field(3, filler("relay signature", 64)), "another message")
        role = link_keys(self.secret, self.payload_of(1), dh(self.ekp, public_key(self.ephemeral)), public_key(self.ekp))
        one("under the keys of role 1", self.make_grant(self.seal(self.granted, role), role), "the role is in the binding: the MAC is another")
        one("sealed under the keys of role 1", self.make_grant(self.seal(self.granted, role)), "the tag does not verify")
        one("sealed with other associated data", self.make_grant(self.seal(self.granted, associated_data=b"")), "the tag does not verify")
        one("sealed, 27 bytes", self.make_grant(bytes(27)), "nonce and tag have 28")
        one("another reference", self.make_grant(reference=flip(self.reference)), "it answers another code")
        one("another ephemeral key", self.make_grant(ephemeral=enc(public_key(other))), "the tag does not verify")
        one("ephemeral key of low order", self.make_grant(ephemeral=b"\x05" + bytes(32)), "a key of low order")
        one("ephemeral key of another type", self.make_grant(ephemeral=b"\x06" + public_key(self.ekp)), "the type is 5")
        one("another version", self.make_grant(front=b"\x02\x08"), "version")
        one("of kind 1", self.make_grant(front=b"\x01\x01"), "a companion's grant is not for a desktop")
        one("of kind 9", self.make_grant(front=b"\x01\x09"), "kind")
        one("of kind 1, made kind 8", self.make_grant(front=b"\x01\x08", mac_front=b"\x01\x01"), "the MAC is over the kind too: it is wrong")
        one("of kind 8, made kind 1", self.make_grant(front=b"\x01\x01", mac_front=b"\x01\x08"), "kind, and the MAC is over it")
        one("an unknown field beside it", self.make_grant(more=uint_field(5, 1)), "the MAC is the last field")
        one("a trailing byte behind it", self.grant + b"\0", "one encoding")
        one("without a MAC", self.grant[:-34], "the MAC is the last field")
        one("another MAC", flip(self.grant, len(self.grant) - 1), "MAC")
        one("too long", self.grant + bytes(MAX_LINKING - len(self.grant) + 1), "at most 2,048 bytes")
        return out

    def refused_of_role_1(self):
        """At a device that has shown the same values as a companion's code: no grant of a desktop's kind, though all is right under its own keys."""
        keys = link_keys(self.secret, self.payload_of(1), dh(self.ekp, public_key(self.ephemeral)), public_key(self.ekp))
        sealed = self.seal(self.granted, keys)
        return {
            "code": self.code(self.payload_of(1)), "draws": [self.identity, self.ephemeral, self.secret, self.reference],
            "message": self.make_grant(sealed, keys), "why": "the role of its code is 1",
        }
