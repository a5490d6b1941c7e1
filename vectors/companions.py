"""protocol.md, 10: device lists, certificates and linking, as they are read and as they are made.

Licence: MIT OR Apache-2.0.
"""

from keys import enc, parse_enc, sign_published, xeddsa_verify
from notation import (
    MAX_CERTIFICATE, MAX_COMPANIONS, MAX_DEVICE_LIST, MAX_LINKING, Refused, bytes_field, expand, filler, hkdf, hmac_sha256, lp, need, need_uint,
    read_message, refuse_if, sha256, u32be, uint_field,
)


# ---------------------------------------------------------------------------------------------------------------------------
# protocol.md, 10: device lists and certificates

SIGNED_LIST = {1: ("body", 2), 2: ("signature", 2)}
LIST_BODY = {
    1: ("account_id", 2), 2: ("incarnation", 2), 3: ("epoch", 0), 4: ("issued_at", 0), 5: ("expires_at", 0), 6: ("next_key_index", 0),
    7: ("entries", 2, "repeated"), 8: ("closed", 0), 9: ("suites", 2),
}
LIST_ENTRY = {1: ("device_id", 0), 2: ("key_index", 0), 3: ("identity_key", 2), 4: ("suites", 2)}
CERTIFICATE = {1: ("body", 2), 2: ("identity_key", 2), 3: ("account_signature", 2), 4: ("device_signature", 2)}
CERTIFICATE_BODY = {1: ("account_id", 2), 2: ("device_id", 0), 3: ("key_index", 0), 4: ("linked_at", 0), 5: ("incarnation", 2)}


def check_listed_suites(fields):
    suites = fields.get("suites", b"\x01")
    refuse_if(not 1 <= len(suites) <= 16 or suites[0] == 0 or list(suites) != sorted(set(suites)), "suites not 1 to 16, ascending")


def list_signed_bytes(body):
    return b"\x06\x02" + body


def check_list(account, phone, data):
    """The body as a dict, with entries as tuples and its bytes, or a refusal."""
    refuse_if(len(data) > MAX_DEVICE_LIST, "device list too long")
    refuse_if(data[:1] != b"\x01", "version")
    m = read_message(data[1:], SIGNED_LIST)
    body, signature = need(m, "body", 1, MAX_DEVICE_LIST), need(m, "signature", 64)
    refuse_if(xeddsa_verify(phone, list_signed_bytes(body), signature), "signature")
    b = read_message(body, LIST_BODY)
    refuse_if(need(b, "account_id", 16, 64) != account, "another account")
    need(b, "incarnation", 16)
    need_uint(b, "epoch"), need_uint(b, "next_key_index")
    refuse_if(need_uint(b, "expires_at", 64) < need_uint(b, "issued_at", 64), "expires_at is below issued_at")
    check_listed_suites(b)
    entries = []
    for raw in b.get("entries", []):
        e = read_message(raw, LIST_ENTRY)
        check_listed_suites(e)
        entries.append((need_uint(e, "device_id"), need_uint(e, "key_index"), parse_enc(need(e, "identity_key", 33))))
    refuse_if(len(entries) > MAX_COMPANIONS, "too many companions")
    refuse_if(b.get("closed", 1) != 1, "a bool is 0 or 1")
    refuse_if("closed" in b and entries, "closed, with companions")
    devices, indices, keys = zip(*entries) if entries else ((), (), ())
    refuse_if(list(devices) != sorted(set(devices)), "entries not by ascending device id")
    refuse_if(any(i >= b["next_key_index"] for i in indices), "key_index not below next_key_index")
    refuse_if(len(set(indices)) < len(entries) or len({phone, *keys}) <= len(entries), "two of one key or index")
    return b | {"entries": entries, "bytes": body}


def which_list(kept, offered, time, own_phone=False):
    """"newer", "same", "disputed", or the number of the rule that refuses. Lists as `check_list` gives them; `kept` may be None."""
    if offered["issued_at"] > time + TOLERANCE:
        return 1
    if kept:
        if offered["incarnation"] != kept["incarnation"]:
            return 2
        if offered["epoch"] < kept["epoch"]:
            return 3
        if offered["bytes"] == kept["bytes"]:
            return "same"
        if "closed" in kept:
            return 4
        if offered["epoch"] == kept["epoch"]:
            return "disputed"
        if offered["next_key_index"] < kept["next_key_index"]:
            return 5
        old = {e[0]: e for e in kept["entries"]}
        for e in offered["entries"]:
            if e[0] in old and e != old[e[0]] or e[0] not in old and e[1] < kept["next_key_index"]:
                return 5
    if time > offered["expires_at"] + TOLERANCE and not own_phone and "closed" not in offered:
        return 6
    return "newer"


def read_certificate_body(body):
    b = read_message(body, CERTIFICATE_BODY)
    need(b, "account_id", 16, 64), need(b, "incarnation", 16)
    need_uint(b, "device_id"), need_uint(b, "key_index"), need_uint(b, "linked_at", 64)
    return b


def check_certificate(account, device, phone, devices, data):
    """`devices` is the list as `check_list` gives it. The companion's key."""
    refuse_if(len(data) > MAX_CERTIFICATE, "certificate too long")
    refuse_if(data[:1] != b"\x01", "version")
    m = read_message(data[1:], CERTIFICATE)
    body, key = need(m, "body", 1, MAX_CERTIFICATE), parse_enc(need(m, "identity_key", 33))
    b = read_certificate_body(body)
    for prefix, signer, name in ((b"\x06\x00", phone, "account_signature"), (b"\x06\x01", key, "device_signature")):
        refuse_if(xeddsa_verify(signer, certificate_signed(prefix, body, phone, key), need(m, name, 64)), name)
    refuse_if(b["account_id"] != account, "another account")
    refuse_if(b["device_id"] != device, "another device")
    refuse_if(b["incarnation"] != devices["incarnation"], "another incarnation")
    refuse_if((b["device_id"], b["key_index"], key) not in devices["entries"], "not listed")
    return key


# ---------------------------------------------------------------------------------------------------------------------------
# protocol.md, 10: linking

GRANT, CONFIRMATION, ACKNOWLEDGEMENT, REFUSAL = 1, 2, 3, 4
DESKTOP_GRANT = 8
LINKING = {
    GRANT: {1: ("reference", 2), 2: ("ephemeral_key", 2), 3: ("sealed", 2), 4: ("mac", 2)},
    CONFIRMATION: {1: ("reference", 2), 2: ("device_signature", 2), 3: ("bundle", 2), 4: ("mac", 2)},
    ACKNOWLEDGEMENT: {1: ("reference", 2), 2: ("list", 2), 3: ("mac", 2)},
    REFUSAL: {1: ("reference", 2), 2: ("reason", 0), 3: ("mac", 2)},
}
LINKING[DESKTOP_GRANT] = LINKING[GRANT]
GRANTED = {1: ("certificate", 2), 2: ("account_key", 2), 3: ("account_signature", 2)}


def link_keys(secret, payload, shared, ekp):
    """All that follows from the code and the phone's ephemeral key."""
    binding = sha256(lp(b"outrigger v1 link payload") + lp(payload))
    comparison = expand(secret, b"outrigger v1 link comparison" + binding + enc(ekp), 32)
    return {
        "binding": binding, "comparison_key": comparison, "comparison_code": "%08d" % (int.from_bytes(comparison[:8], "big") % 10**8),
        "dh": shared, "grant_key": hkdf(secret, shared, b"outrigger v1 link grant" + binding + enc(ekp), 32),
        "grant_mac_key": expand(secret, b"outrigger v1 link mac" + binding, 32),
    }


def answer_mac_key(secret, binding, grant):
    g = sha256(lp(b"outrigger v1 link answer") + grant)
    return g, expand(secret, b"outrigger v1 link answer" + binding + g, 32)


def read_linking(kind, key, reference, data):
    refuse_if(len(data) > MAX_LINKING, "message too long")
    refuse_if(data[:1] != b"\x01", "version")
    refuse_if(data[1:2] != bytes([kind]), "another kind of message")
    m = read_message(data[2:], LINKING[kind])
    refuse_if(need(m, "reference", 16) != reference, "another reference")
    front = data[:-len(bytes_field(4, bytes(32)))]
    refuse_if(need(m, "mac", 32) != hmac_sha256(key, front), "MAC")
    return m


# ---------------------------------------------------------------------------------------------------------------------------
# What an account makes of them

WINDOW = 14 * 24 * 3600 * 1000
TOLERANCE = 10 * 60 * 1000


def account_of(name, length):
    return filler(f"account {name}", length)


def entry_bytes(device, index, identity, suites=b""):
    return uint_field(1, device) + uint_field(2, index) + bytes_field(3, enc(identity)) + (bytes_field(4, suites) if suites else b"")


def list_body(account_id, incarnation, epoch, issued_at, expires_at, next_index, entries, closed=False, suites=b"\x01"):
    """`entries`: (device id, key index, identity key, suites if they are named) or the bytes of an entry."""
    return (
        bytes_field(1, account_id) + bytes_field(2, incarnation) + uint_field(3, epoch) + uint_field(4, issued_at)
        + uint_field(5, expires_at) + uint_field(6, next_index)
        + b"".join(bytes_field(7, e if isinstance(e, bytes) else entry_bytes(*e)) for e in entries)
        + uint_field(8, int(closed)) + (bytes_field(9, suites) if suites else b"")
    )


def list_digest_input(account_id, incarnation, phone, entries):
    devices = b"".join(u32be(device) + enc(key) for device, _, key, *_ in [(0, 0, phone)] + entries)
    return lp(b"outrigger v1 devices") + lp(account_id) + lp(incarnation) + lp(devices)


def list_digest(*parts):
    return sha256(list_digest_input(*parts))[:16]


def sign_list(private, body, z):
    signature = sign_published(private, b"\x06\x02" + body, z)
    return b"\x01" + bytes_field(1, body) + bytes_field(2, signature)


def certificate_body(account_id, device, index, linked_at, incarnation):
    return (
        bytes_field(1, account_id) + uint_field(2, device) + uint_field(3, index) + uint_field(4, linked_at)
        + bytes_field(5, incarnation)
    )


def certificate_signed(prefix, body, phone, companion):
    return prefix + lp(body) + enc(phone) + enc(companion)


def encode_certificate(body, companion, account_signature, device_signature):
    return (
        b"\x01" + bytes_field(1, body) + bytes_field(2, enc(companion)) + bytes_field(3, account_signature)
        + bytes_field(4, device_signature)
    )


def with_mac(key, front, number):
    return front + bytes_field(number, hmac_sha256(key, front))


def check_refused(check, *arguments):
    try:
        check(*arguments)
    except Refused as e:
        return str(e)
    raise AssertionError("not refused")
