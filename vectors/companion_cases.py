"""Cases of companions.json: device lists, which one counts, certificates, and one linking.

Licence: MIT OR Apache-2.0.
"""

import base64
import functools

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from companions import (
    TOLERANCE, WINDOW, account_of, certificate_body, certificate_signed, check_certificate, check_list, check_refused, encode_certificate,
    entry_bytes, list_body, list_digest, list_digest_input, sign_list, which_list, with_mac,
)
from handshake import encode_bundle, suites_statement
from keys import dh, enc, public_key, sign_deployed, sign_published
from notation import NOW, TIME, bytes_field, draw, expand, filler, hkdf, lp, sha256, u32be, uint_field


def link_lists():
    """Lists that are accepted, and lists that are not."""
    private = draw("companions list phone", 32)
    phone = public_key(private)
    keys = [public_key(draw(f"companions list companion {i}", 32)) for i in range(5)]
    inc = filler("companions incarnation", 16)
    some = [(3, 1, keys[0]), (7, 4, keys[1]), (2**32 - 1, 2, keys[2])]
    accepted, refused = [], []

    def add(into, name, why=None, account_id=None, signer=private, signed=None, change=lambda b: b, wire=None, **fields):
        account_id = account_id or account_of("companions list", 16)
        given = dict(incarnation=inc, epoch=1, issued_at=TIME, expires_at=TIME + WINDOW, next_index=9, entries=some) | fields
        body = change(list_body(account_id, **given))
        z = draw(f"companions list {name} z", 64)
        signature = sign_published(signer, b"\x06\x02" + (signed if signed is not None else body), z)
        wire = wire or (lambda b, s: b"\x01" + bytes_field(1, b) + bytes_field(2, s))
        one = {"name": name, "account_id": account_of("companions list", 16) if into is refused else account_id,
               "list": wire(body, signature)}
        if into is accepted:
            assert check_list(account_id, phone, one["list"])["entries"] == [e[:3] for e in given["entries"]]
            one |= {
                "body": body, "signed_bytes": b"\x06\x02" + body, "z": z, "signature": signature, "epoch": given["epoch"], "issued_at": given["issued_at"],
                "expires_at": given["expires_at"], "closed": given.get("closed", False),
                "entries": [{"device_id": d, "key_index": i, "identity_key": k} for d, i, k, *_ in given["entries"]],
                "suites": {str(d): s for d, s in [(0, given.get("suites", b"\x01"))] + [(e[0], e[3]) for e in given["entries"] if len(e) > 3]},
                "next_key_index": given["next_index"], "digest_input": list_digest_input(account_id, inc, phone, given["entries"]),
                "digest": list_digest(account_id, inc, phone, given["entries"]),
            }
        else:
            check_refused(check_list, one["account_id"], phone, one["list"])
            one["why"] = why
        into.append(one)

    add(accepted, "three companions")
    add(accepted, "two", entries=some[:2], next_index=5)
    add(accepted, "none", entries=[])
    add(accepted, "one", entries=some[:1])
    add(accepted, "four", entries=[(1, 3, keys[3])] + some)
    add(accepted, "longest account id", account_id=account_of("companions long list", 64))
    add(accepted, "highest numbers", epoch=2**32 - 1, issued_at=2**64 - 2, expires_at=2**64 - 1, next_index=2**32 - 1,
        entries=[(2**32 - 1, 2**32 - 2, keys[0])])
    add(accepted, "good for no time", expires_at=TIME)
    add(accepted, "closed", entries=[], closed=True)
    add(accepted, "no word of suites", entries=some[:1], suites=b"")
    add(accepted, "suites of all, known or not", entries=[(*some[0], b"\x01\x03"), (*some[1], b"\x7f")], suites=bytes(range(1, 17)))
    for what, suites in (("suite 0", b"\x00\x01"), ("suites that descend", b"\x02\x01"), ("a suite twice", b"\x01\x01"), ("17 suites", bytes(range(1, 18)))):
        add(refused, what, "1 to 16 suites, none 0, ascending", entries=some[:1], suites=suites)

    add(refused, "another signer", "not signed by the account's key", signer=draw("companions list stranger", 32))
    add(refused, "signed with the prefix of an account", "the prefix is another",
        change=lambda b: b, wire=lambda b, s: b"\x01" + bytes_field(1, b) + bytes_field(2, sign_published(
            private, b"\x06\x00" + b, draw("companions list other prefix z", 64))))
    add(refused, "changed after signing", "the signature is over another body", signed=b"another")
    add(refused, "another account", "the body names another account", account_id=account_of("companions other list", 16))
    add(refused, "five companions", "at most four", entries=[(i + 1, i + 1, keys[i]) for i in range(5)])
    add(refused, "out of order", "entries ascend by device id", entries=[some[1], some[0]])
    add(refused, "twice the same device", "entries ascend by device id", entries=[some[0], (3, 2, keys[1])])
    add(refused, "device 0", "the phone is no companion", entries=[(0, 1, keys[0])])
    add(refused, "index 0", "a key index is not 0", entries=[(3, 0, keys[0])])
    add(refused, "index of the future", "a key index is below the next", entries=[(3, 9, keys[0])])
    add(refused, "one key twice", "no two entries share a key", entries=[some[0], (7, 4, keys[0])])
    add(refused, "the phone's own key", "no entry has the account's key", entries=[some[0], (7, 4, phone)])
    add(refused, "next index 0", "it is above every index", entries=[], next_index=0)
    add(refused, "one index twice", "no two entries share an index", entries=[some[0], (7, 1, keys[1])])
    add(refused, "a key of low order", "keys are not of low order", entries=[uint_field(1, 3) + uint_field(2, 1) + bytes_field(3, b"\x05" + bytes(32))])
    add(refused, "epoch 0", "an epoch is not 0", epoch=0)
    add(refused, "time 0", "issued_at is not 0", issued_at=0)
    add(refused, "over before it began", "expires_at is not below issued_at", expires_at=TIME - 1)
    add(refused, "closed, with companions", "a closed account has no companions", closed=True)
    add(refused, "short incarnation", "16 bytes", incarnation=inc[:15])
    add(refused, "trailing byte in the body", "one encoding", change=lambda b: b + b"\x00")
    add(refused, "unknown field in the body", "no unknown fields", change=lambda b: b + uint_field(9, 1))
    entry = bytes_field(7, entry_bytes(*some[0]))
    for what, why, bad in (
        ("an index not of least length", "one encoding", uint_field(1, 3) + b"\x10\x81\x00" + bytes_field(3, enc(keys[0]))),
        ("an unknown field in an entry", "no unknown fields", entry_bytes(*some[0]) + uint_field(5, 1)),
        ("suites of an entry that descend", "suites ascend", entry_bytes(*some[0], b"\x02\x01")),
        ("a device of 2^32", "a device id is a uint32", entry_bytes(2**32, 1, keys[0])),
        ("an index of 0, written out", "a uint that is 0 is left out", uint_field(1, 3) + b"\x10\x00" + bytes_field(3, enc(keys[0]))),
        ("an entry without a key", "it has a key", uint_field(1, 3) + uint_field(2, 1)),
        ("a bare key", "33 bytes", uint_field(1, 3) + uint_field(2, 1) + bytes_field(3, keys[0])),
        ("a key of another type", "the type is 5", uint_field(1, 3) + uint_field(2, 1) + bytes_field(3, b"\x06" + keys[0])),
        ("an empty entry", "no field may be left out", b""),
    ):
        add(refused, what, why, entries=[bad])
    add(refused, "epoch not of least length", "one encoding", change=lambda b: b.replace(b"\x18\x01", b"\x18\x81\x00", 1))
    add(refused, "epoch of 2^32", "an epoch is a uint32", epoch=2**32)
    add(refused, "issued at 2^64", "a time has 64 bits", issued_at=2**64, expires_at=2**64)
    add(refused, "closed, as 2", "a bool is 0 or 1", entries=[], closed=2)
    add(refused, "closed, as 0", "a bool that is false is left out", entries=[], change=lambda b: b + b"\x40\x00")
    add(refused, "an entry in front", "fields ascend", change=lambda b: entry + b, entries=[])
    add(refused, "an account id of 15 bytes", "16 to 64", change=lambda b: b"\x0a\x0f" + b[2:17] + b[18:])
    add(refused, "trailing byte", "one encoding", wire=lambda b, s: b"\x01" + bytes_field(1, b) + bytes_field(2, s) + b"\x00")
    add(refused, "fields swapped", "fields ascend", wire=lambda b, s: b"\x01" + bytes_field(2, s) + bytes_field(1, b))
    add(refused, "another version", "version", wire=lambda b, s: b"\x02" + bytes_field(1, b) + bytes_field(2, s))
    add(refused, "short signature", "64 bytes", wire=lambda b, s: b"\x01" + bytes_field(1, b) + bytes_field(2, s[:63]))
    return {"phone": {"private": private, "public": phone}, "accepted": accepted, "refused": refused}


@functools.cache
def linking_case():
    """One linking, from the code to the certificate, with every key and message; then what the two can do with what they share."""
    account_id = account_of("companions linking", 20)
    phone = draw("companions phone identity", 32)
    companion, ephemeral = draw("companions companion identity", 32), draw("companions companion ephemeral", 32)
    secret, reference = draw("companions linking secret", 32), draw("companions reference", 16)
    ikp, ikc, ekc = public_key(phone), public_key(companion), public_key(ephemeral)
    payload = b"\x01\x01" + ikc + ekc + secret + reference
    code = "outrigger-link:" + base64.urlsafe_b64encode(payload).decode().rstrip("=")
    binding = sha256(lp(b"outrigger v1 link payload") + lp(payload))
    ekp_private = draw("companions phone ephemeral", 32)
    ekp = public_key(ekp_private)
    comparison = int.from_bytes(expand(secret, b"outrigger v1 link comparison" + binding + enc(ekp), 32)[:8], "big") % 10**8

    incarnation, device_draw = draw("companions incarnation", 16), draw("companions device id", 16)
    device = int.from_bytes(device_draw[:4], "big")
    body = certificate_body(account_id, device, 1, TIME, incarnation)
    account_z, grant_nonce = draw("companions account z", 64), draw("companions grant nonce", 12)
    account_signature = sign_published(phone, certificate_signed(b"\x06\x00", body, ikp, ikc), account_z)
    granted = bytes_field(1, body) + bytes_field(2, enc(ikp)) + bytes_field(3, account_signature)
    grant_key = hkdf(secret, dh(ekp_private, ekc), b"outrigger v1 link grant" + binding + enc(ekp), 32)
    assert dh(ekp_private, ekc) == dh(ephemeral, ekp)
    sealed = grant_nonce + AESGCM(grant_key).encrypt(grant_nonce, granted, binding)
    grant_mac = expand(secret, b"outrigger v1 link mac" + binding, 32)
    grant = with_mac(grant_mac, b"\x01\x01" + bytes_field(1, reference) + bytes_field(2, enc(ekp)) + bytes_field(3, sealed), 4)
    refusal = with_mac(grant_mac, b"\x01\x04" + bytes_field(1, reference) + uint_field(2, 1), 3)

    device_z = draw("companions device z", 64)
    device_signature = sign_published(companion, certificate_signed(b"\x06\x01", body, ikp, ikc), device_z)
    spk, spk_z = draw("companions signed prekey", 32), draw("companions signed prekey z", 64)
    opk, suites_z = draw("companions one-time prekey", 32), draw("companions suites z", 64)
    bundle = encode_bundle(
        enc(ikc), b"\x01", TIME, sign_published(companion, suites_statement(account_id, device, TIME, b"\x01"), suites_z),
        enc(public_key(spk)), sign_published(companion, enc(public_key(spk)), spk_z), enc(public_key(opk)))
    answer_digest = sha256(lp(b"outrigger v1 link answer") + grant)
    answer_mac = expand(secret, b"outrigger v1 link answer" + binding + answer_digest, 32)
    confirmation = with_mac(
        answer_mac, b"\x01\x02" + bytes_field(1, reference) + bytes_field(2, device_signature) + bytes_field(3, bundle), 4)

    ek, ratchet = draw("companions session ephemeral", 32), draw("companions first ratchet key", 32)
    list_z, sync_key = draw("companions list z", 64), draw("companions sync key", 32)
    entries = [(device, 1, ikc, b"\x01")]
    signed = list_body(account_id, incarnation, 1, TIME, TIME + WINDOW, 2, entries)
    signed_list = sign_list(phone, signed, list_z)
    acknowledgement = with_mac(answer_mac, b"\x01\x03" + bytes_field(1, reference) + bytes_field(2, signed_list), 3)

    salt, nonce = draw("companions synced salt", 32), draw("companions synced nonce", 12)
    front = b"\x01" + u32be(1) + salt
    synced_key = hkdf(salt, sync_key, b"outrigger v1 synced", 32)
    synced = front + nonce + AESGCM(synced_key).encrypt(nonce, b"dark mode", front + b"settings 1")

    history, history_key = filler("companions history id", 16), draw("companions history key", 32)
    chunks = []
    for index, text in enumerate((b"the newest", b"the one before")):
        chunk_front = b"\x01" + history + u32be(index)
        chunk_nonce = draw(f"companions chunk {index} nonce", 12)
        chunk_key = expand(history_key, b"outrigger v1 history key" + history + u32be(index), 32)
        chunk = chunk_front + chunk_nonce + AESGCM(chunk_key).encrypt(chunk_nonce, text, chunk_front)
        chunks.append({"text": text, "draws": [history_key, chunk_nonce] if index == 0 else [chunk_nonce], "sealed": chunk,
                       "digest": sha256(lp(b"outrigger v1 history chunk") + chunk)[:16]})
    return {
        "account_id": account_id, "time": TIME, "phone_private": phone, "phone_public": ikp,
        "show": {"draws": [companion, ephemeral, secret, reference], "code": code},
        "scan": {"draws": [ekp_private], "binding": binding, "comparison": f"{comparison // 10**4:04} {comparison % 10**4:04}"},
        "grant": {"draws": [incarnation, device_draw, account_z, grant_nonce], "key": grant_key, "mac_key": grant_mac, "message": grant},
        "confirm": {"draws": [device_z, spk, spk_z, opk, suites_z], "mac_key": answer_mac, "message": confirmation, "device_id": device},
        "list": {"draws": [ek, ratchet, list_z, sync_key], "list": signed_list, "acknowledgement": acknowledgement,
                 "digest": list_digest(account_id, incarnation, ikp, entries)},
        "certificate": encode_certificate(body, ikc, account_signature, device_signature),
        "refusal": refusal,
        "synced": {"draws": [salt, nonce], "plaintext": b"dark mode", "associated_data": b"settings 1", "sealed": synced},
        "history": {"id": history, "chunks": chunks},
    }


def list_sequences():
    """Lists that come one after the other: which one counts."""
    private = draw("companions sequences phone", 32)
    phone = public_key(private)
    keys = [public_key(draw(f"companions sequences companion {i}", 32)) for i in range(5)]
    account_id, inc, other_inc = account_of("companions sequences", 16), filler("companions incarnation 1", 16), filler("companions incarnation 2", 16)
    some = [(3, 1, keys[0]), (7, 4, keys[1])]
    count, out = 0, []

    def make(**fields):
        nonlocal count
        count += 1
        given = dict(incarnation=inc, epoch=5, issued_at=NOW, expires_at=NOW + WINDOW, next_index=10, entries=some) | fields
        return sign_list(private, list_body(account_id, **given), draw(f"companions sequences {count} z", 64))

    def sequence(name, *steps, own_phone=False):
        """Steps: the list, the receiver's time, what is to come of it."""
        kept, disputed, told = None, False, []
        for data, time, outcome in steps:
            offered = check_list(account_id, phone, data)
            found = which_list(kept, offered, time, own_phone)
            assert found == outcome, (name, len(told), found)
            kept = offered if found == "newer" else kept
            disputed = found == "disputed" or disputed and found != "newer"
            told.append({"list": data, "time": time, "outcome": outcome, "disputed": disputed})
        out.append({"name": name, "own_phone": own_phone, "steps": told})

    base = make()
    start = (base, NOW, "newer")
    early, late = NOW - TOLERANCE, NOW + WINDOW + TOLERANCE
    sequence("the first, issued 10 minutes ahead", (base, early, "newer"))
    sequence("the first, issued a millisecond more ahead", (base, early - 1, 1), start)
    sequence("the first, at the end of its time", (base, late, "newer"))
    sequence("the first, past its time", (base, late + 1, 6))
    sequence("no end of time", (make(expires_at=2**64 - 1), 2**64 - 1, "newer"))
    six = make(epoch=6)
    sequence("the next, issued 10 minutes ahead", (base, early, "newer"), (six, early, "newer"))
    sequence("the next, issued a millisecond more ahead", (base, early, "newer"), (six, early - 1, 1))
    sequence("the next, at the end of its time", start, (six, late, "newer"))
    sequence("the next, past its time", start, (six, late + 1, 6))
    sequence("the same, issued too far ahead by a clock that went back", start, (base, early - 1, 1), (base, early, "same"))
    sequence("the same, past its time", start, (base, late, "same"), (base, late + 1, "same"))
    sequence("the same body, signed again", start, (make(), NOW + 1, "same"))
    sequence("the phone itself, past its time", (base, late + 1, "newer"), (six, late + 1, "newer"), own_phone=True)
    sequence("the phone itself, issued too far ahead", (base, early - 1, 1), own_phone=True)
    sequence("another incarnation", start, (make(epoch=6, incarnation=other_inc), NOW, 2))
    sequence("another incarnation, the same epoch", start, (make(incarnation=other_inc), NOW, 2))
    sequence("a lower epoch", start, (make(epoch=4), NOW, 3))
    sequence("a lower epoch, no companions", start, (make(epoch=1, entries=[], next_index=1), NOW, 3))
    sequence("epochs left out", start, (make(epoch=2**32 - 1, next_index=2**32 - 1), NOW, "newer"))
    for name, outcome, fields in (
        ("a lower next index", 5, dict(next_index=9)), ("the same next index", "newer", {}),
        ("a device with another key", 5, dict(entries=[(3, 1, keys[2]), some[1]])),
        ("a device with another index", 5, dict(next_index=11, entries=[(3, 10, keys[0]), some[1]])),
        ("a device with another key and index", 5, dict(next_index=11, entries=[(3, 10, keys[2]), some[1]])),
        ("a new entry of an old index", 5, dict(entries=[*some, (9, 9, keys[2])])),
        ("a new entry of a removed one's index", 5, dict(entries=[some[1], (9, 1, keys[2])])),
        ("a new entry of the next index", "newer", dict(next_index=11, entries=[*some, (9, 10, keys[2])])),
        ("a companion removed", "newer", dict(entries=some[:1])), ("all removed", "newer", dict(entries=[])),
        ("a key under another device id and a new index", "newer", dict(next_index=11, entries=[some[1], (9, 10, keys[0])])),
        ("closed", "newer", dict(entries=[], closed=True)),
    ):
        sequence(f"a higher epoch, {name}", start, (make(epoch=6, **fields), NOW, outcome))
    closed = make(epoch=6, entries=[], closed=True)
    sequence("after the last", start, (closed, NOW, "newer"), (closed, NOW, "same"), (make(epoch=7, entries=[]), NOW, 4), (make(epoch=6), NOW, 4),
             (make(epoch=5), NOW, 3))
    sequence("closed, and past its time", start, (closed, late + 1, "newer"))
    sequence("closed, the first that is seen, past its time", (closed, late + 1, "newer"))
    sequence("closed, issued too far ahead", (closed, early - 1, 1))
    gone = make(epoch=6, entries=some[:1])
    sequence("removed, and back with its old index", start, (gone, NOW, "newer"), (make(epoch=7), NOW, 5))
    sequence("removed, and its device id back with a new index", start, (gone, NOW, "newer"),
             (make(epoch=7, next_index=11, entries=[some[0], (7, 10, keys[2])]), NOW, "newer"))
    second, third = make(entries=some[:1]), make(expires_at=NOW + WINDOW + 1)
    sequence("disputed", start, (second, NOW, "disputed"), (base, NOW, "same"), (third, NOW, "disputed"), (make(epoch=4), NOW, 3), (six, NOW, "newer"))
    sequence("disputed, with a lower next index", start, (make(next_index=9), NOW, "disputed"))
    sequence("disputed, with another key", start, (make(entries=[(3, 1, keys[2]), some[1]]), NOW, "disputed"))
    sequence("disputed, by one that is issued too far ahead", start, (make(issued_at=NOW + TOLERANCE + 1), NOW, 1))
    return {"account_id": account_id, "phone": {"private": private, "public": phone}, "sequences": out}


def certificates():
    accepted, refused = [], []
    phone, other = draw("companions certificates phone", 32), draw("companions certificates other phone", 32)
    keys = [draw(f"companions certificates companion {i}", 32) for i in range(3)]
    pub = [public_key(k) for k in keys]
    ikp, inc = public_key(phone), filler("companions incarnation 3", 16)
    short, long = account_of("companions certificates", 16), account_of("companions certificates long", 64)

    def signed_list(name, account_id, entries, incarnation=inc):
        body = list_body(account_id, incarnation, 3, TIME, TIME + WINDOW, 2**32 - 1, entries)
        return sign_list(phone, body, draw(f"companions certificates list {name} z", 64))

    lists = {"short": signed_list("short", short, [(3, 1, pub[0]), (9, 7, pub[1])]), "long": signed_list("long", long, [(2**32 - 1, 2**32 - 2, pub[0])])}

    def make(name, account_id=short, device=3, index=1, linked_at=TIME, key=keys[0], account_key=phone, signs=sign_published, body=None, incarnation=inc):
        body = body or certificate_body(account_id, device, index, linked_at, incarnation)
        signed = [certificate_signed(prefix, body, ikp, public_key(key)) for prefix in (b"\x06\x00", b"\x06\x01")]
        z = [draw(f"companions certificate {name} {who} z", 64) for who in ("account", "device")]
        return {
            "body": body, "account_signed_bytes": signed[0], "device_signed_bytes": signed[1], "account_z": z[0], "device_z": z[1],
            "account_signature": signs(account_key, signed[0], z[0]), "device_signature": signs(key, signed[1], z[1]),
        }

    def encoded(c, key=pub[0]):
        return encode_certificate(c["body"], key, c["account_signature"], c["device_signature"])

    for name, which, fields in (
        ("shortest id", "short", {}), ("another companion", "short", dict(device=9, index=7, key=keys[1])),
        ("highest numbers, longest id", "long", dict(account_id=long, device=2**32 - 1, index=2**32 - 2, linked_at=2**64 - 1)),
        ("the deployed form of signatures", "short", dict(signs=sign_deployed)),
    ):
        one = make(name, **fields)
        account_id, device, key = (fields.get(x, y) for x, y in (("account_id", short), ("device", 3), ("key", keys[0])))
        certificate = encoded(one, public_key(key))
        assert check_certificate(account_id, device, ikp, check_list(account_id, ikp, lists[which]), certificate) == public_key(key)
        accepted.append({
            "name": name, "account_id": account_id, "device_id": device, "list": lists[which], "identity_key": public_key(key),
            "linked_at": fields.get("linked_at", TIME)} | one | {"certificate": certificate})

    def refuse(name, certificate, why, account_id=short, device=3, listed=None):
        listed = listed or lists["short"]
        check_refused(check_certificate, account_id, device, ikp, check_list(account_id, ikp, listed), certificate)
        refused.append({"name": name, "account_id": account_id, "device_id": device, "list": listed, "certificate": certificate, "why": why})

    good = make("of which others differ")
    a, d = good["account_signature"], good["device_signature"]
    flip = lambda x: x[:40] + bytes([x[40] ^ 1]) + x[41:]
    swapped = [sign_published(who, good[over], draw(f"companions certificate swapped {i} z", 64)) for i, (who, over) in enumerate(
        ((phone, "device_signed_bytes"), (keys[0], "account_signed_bytes")))]
    for name, part, why in (
        ("the two signatures swapped", {"account_signature": d, "device_signature": a}, "each is over its own bytes by its own key"),
        ("the account's signature twice", {"device_signature": a}, "the device signs, too"),
        ("the device's signature twice", {"account_signature": d}, "the account signs, too"),
        ("the account's over the device's bytes", {"account_signature": swapped[0]}, "the prefix is another"),
        ("the device's over the account's bytes", {"device_signature": swapped[1]}, "the prefix is another"),
        ("the account's altered", {"account_signature": flip(a)}, "it does not verify"),
        ("the device's altered", {"device_signature": flip(d)}, "it does not verify"),
        ("the account's of 63 bytes", {"account_signature": a[:63]}, "64 bytes"),
        ("the body altered", {"body": certificate_body(short, 3, 1, TIME + 1, inc)}, "it is signed"),
    ):
        refuse(name, encoded(good | part), why)
    refuse("another identity key beside it", encoded(good, pub[1]), "it is signed")
    refuse("another phone's", encoded(make("of another phone", account_key=other)), "not signed by the account's key")
    for name, fields, why in (
        ("another incarnation", dict(incarnation=filler("companions incarnation 4", 16)), "both signatures verify; the list has another one"),
        ("a device that is not listed", dict(device=4), "both signatures verify"),
        ("another key index", dict(index=2), "both signatures verify; the list has another one"),
        ("another account", dict(account_id=account_of("companions certificates else", 16)), "both signatures verify"),
        ("device 0", dict(device=0), "a companion is not 0"), ("index 0", dict(index=0), "an index is not 0"),
        ("linked at 0", dict(linked_at=0), "a time is not 0"),
        ("incarnation of 15 bytes", dict(incarnation=inc[:15]), "16 bytes"),
        ("an unknown field in the body", dict(body=certificate_body(short, 3, 1, TIME, inc) + uint_field(6, 1)), "no unknown fields"),
        ("a device not of least length", dict(body=certificate_body(short, 3, 1, TIME, inc).replace(b"\x10\x03", b"\x10\x83\x00", 1)), "one encoding"),
    ):
        refuse(name, encoded(make(name, **fields)), why, device=4 if fields.get("device") == 4 else 3)
    refuse("another device was asked for", encoded(good), "both signatures verify; both are listed", device=9)
    refuse("another key than the list's", encoded(make("other key", key=keys[2]), pub[2]), "both signatures verify; the list has another one")
    refuse("no longer listed", encoded(good), "both signatures verify", listed=signed_list("without it", short, [(9, 7, pub[1])]))
    refuse("under a list of another incarnation", encoded(good), "both signatures verify", listed=signed_list(
        "other incarnation", short, [(3, 1, pub[0])], filler("companions incarnation 5", 16)))
    whole = encoded(good)
    refuse("a trailing byte", whole + b"\0", "one encoding")
    refuse("a byte cut", whole[:-1], "one encoding")
    refuse("an unknown field", whole + uint_field(5, 1), "no unknown fields")
    refuse("another version", b"\x02" + whole[1:], "version")
    refuse("a bare key", b"\x01" + bytes_field(1, good["body"]) + bytes_field(2, pub[0]) + bytes_field(3, a) + bytes_field(4, d), "33 bytes")
    refuse("too long", whole + bytes_field(5, bytes(512 - len(whole))), "at most 512 bytes")
    refuse("nothing", b"", "version")
    return {"phone": {"private": phone, "public": ikp}, "accepted": accepted, "refused": refused}
