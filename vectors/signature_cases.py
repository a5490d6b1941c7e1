"""Cases of xeddsa.json and fingerprints.json.

Licence: MIT OR Apache-2.0.
"""

from handshake import fingerprint, half, scannable
from keys import (
    BASE, IDENTITY, P, Q, add, enc, encode_point, from_le, hash_q, le, multiply, negate, point_from_y, public_key, published_verify, sign_deployed,
    u_to_y, xeddsa_sign, xeddsa_verify, y_to_u,
)
from notation import draw, filler, sha256


# ---------------------------------------------------------------------------------------------------------------------------
# xeddsa.json

FIXED_Z = bytes(range(64))


def wrong_cases(private, message):
    """Signatures that must be refused although each satisfies, or nearly satisfies, some laxer rule."""
    u = public_key(private)
    z = draw(f"xeddsa refused {u.hex()[:8]}", 64)
    good = xeddsa_sign(private, message, z)
    sig, s, a = good["signature"], from_le(good["s"]), from_le(good["a"])
    big_a, sign = good["A"], good["edwards_sign"]
    name = f"edwards sign {sign}"
    yield f"{name}, valid", u, message, sig, "published form"
    yield f"{name}, valid, deployed form", u, message, sign_deployed(private, message, z), "deployed form"

    # s + q, chosen so that the published rule s < 2^253 accepts it
    i = 0
    while True:
        m2 = message + b"%d" % i
        one = xeddsa_sign(private, m2, z)
        if from_le(one["s"]) + Q < 2**253:
            break
        i += 1
    forged = one["R"] + le(from_le(one["s"]) + Q)
    assert published_verify(u, m2, forged)
    yield f"{name}, s + q", u, m2, forged, "s is not below the group order; the published rule accepts it"
    yield f"{name}, s + 2^253", u, message, sig[:32] + le(s + 2**253), "s is not below the group order (bit 253 set)"
    yield f"{name}, s + 2^254", u, message, sig[:32] + le(s + 2**254), "s is not below the group order (bit 254 set)"
    yield f"{name}, s = q", u, message, sig[:32] + le(Q), "s is not below the group order"

    deployed = sign_deployed(private, message, z)
    flipped = bytearray(sig)
    flipped[63] ^= 0x80
    yield f"{name}, published, top bit flipped", u, message, bytes(flipped), "the sign is not that of the key that was hashed"
    if sign:
        flipped = bytearray(deployed)
        flipped[63] ^= 0x80
        yield f"{name}, deployed, top bit cleared", u, message, bytes(flipped), "the sign is not that of the key that was hashed"
        s_deployed = from_le(deployed[32:]) & (2**255 - 1)
        if s_deployed + Q < 2**255:
            wrong = deployed[:32] + le(s_deployed + Q | 1 << 255)
            yield f"{name}, deployed, s + q", u, message, wrong, "s is not below the group order, after the sign bit is taken out"

    yield f"{name}, other message", u, message + b"x", sig, "the message is another one"
    yield f"{name}, message cut short", u, message[:-1], sig, "the message is another one"
    other = public_key(draw(f"xeddsa refused other {u.hex()[:8]}", 32))
    yield f"{name}, other key", other, message, sig, "the key is another one"
    for at, what in ((0, "R"), (31, "R, top bits"), (32, "s")):
        flipped = bytearray(sig)
        flipped[at] ^= 0x80 if at == 31 else 1
        yield f"{name}, bit flipped in {what}", u, message, bytes(flipped), "the equation does not hold"
    yield f"{name}, all zero", u, message, bytes(64), "R is of small order (y = 0), the equation does not hold"
    yield f"{name}, bit 255 of u set", u[:31] + bytes([u[31] | 128]), message, sig, "u is not canonical"

    # R of small order: s = h a makes sB - hA the identity
    h = hash_q(le(1), big_a, message)
    forged = le(1) + le(h * a % Q)
    assert published_verify(u, message, forged)
    yield f"{name}, R = identity, s = h a", u, message, forged, "R is of small order; the equation holds"
    for r, why in (
        (le(P + 1), "R is not canonical (y = p + 1, the identity) and of small order; the equation holds for the point"),
        (le(1 | 1 << 255), "R is not canonical (x = 0 with the sign 1) and of small order; the equation holds for the point"),
        (le((P + 1) | 1 << 255), "R is not canonical (y = p + 1 and x = 0 with the sign 1); the equation holds for the point"),
    ):
        yield f"{name}, R = {r.hex()[:2]}..{r.hex()[-2:]}, s = h a", u, message, r + le(hash_q(r, big_a, message) * a % Q), why
    no_point = next(y for y in range(2, 100) if point_from_y(y, 0) is None)
    yield f"{name}, R is no point", u, message, le(no_point) + sig[32:], "R is no point of the curve"

    # R = rB + T with T of order 2: a check with cofactor accepts it
    r = hash_q(b"vector cofactor", private)
    big_r = encode_point(add(multiply(r, BASE), (0, P - 1)))
    h = hash_q(big_r, big_a, message)
    yield f"{name}, R with a torsion part", u, message, big_r + le((r + h * a) % Q), "only a check with cofactor accepts it"


def mixed_key_cases():
    """A key kB + T with T of order 8. It has no private key for X25519, but it is a canonical u and not of low order."""
    k = hash_q(b"vector mixed key")
    t8 = point_from_y(u_to_y(from_le(bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"))), 0)
    assert multiply(8, t8) == IDENTITY != multiply(4, t8)
    e = add(multiply(k, BASE), t8)
    a, torsion = (k, t8) if e[0] & 1 == 0 else (-k % Q, negate(t8))
    big_a = add(multiply(a, BASE), torsion)
    assert big_a[0] & 1 == 0
    u = le(y_to_u(big_a[1]))

    def craft(name, want, r, shift, why):
        """R = rB - shift T, with a message so that `want(h)` holds; s = r + h a."""
        i = 0
        while True:
            message = f"{name} {i}".encode()
            big_r = encode_point(add(multiply(r, BASE), negate(multiply(shift, torsion))))
            h = hash_q(big_r, encode_point(big_a), message)
            if want(h):
                return name, u, message, big_r + le((r + h * a) % Q), why
            i += 1

    r = hash_q(b"vector mixed nonce")
    yield craft("key with a torsion part, h = 0 mod 8", lambda h: h % 8 == 0, r, 0,
                "the key is not of small order, and the equation without cofactor holds")
    yield craft("key and R with a torsion part, equation holds", lambda h: h % 8 == 3, r, 3,
                "neither is of small order, and the equation without cofactor holds")
    yield craft("key with a torsion part, h odd", lambda h: h % 2 == 1, r, 0, "only a check with cofactor accepts it")
    for j, order in ((1, 8), (2, 4), (4, 2)):
        yield craft(f"key with a torsion part, R of order {order}", lambda h, j=j: h % 8 == j, 0, j,
                    "R is of small order; the equation without cofactor holds")


def low_order_cases():
    """No private key is needed: R = rB and s = r, with a message so that h A is the identity."""
    keys = [
        ("0", le(0)), ("1", le(1)),
        ("order 8, first", bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")),
        ("order 8, second", bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157")),
        ("p - 1", le(P - 1)), ("p", le(P)), ("p + 1", le(P + 1)),
    ]
    r = hash_q(b"vector low order nonce")
    big_r = encode_point(multiply(r, BASE))
    for name, u in keys:
        a = point_from_y(u_to_y(from_le(u) % P), 0)
        i = 0
        while multiply(hash_q(big_r, encode_point(a), b"m%d" % i), a) != IDENTITY:
            i += 1
        message, sig = b"m%d" % i, big_r + le(r)
        assert from_le(u) >= P or published_verify(u, message, sig)
        why = "u is of low order; the published rules accept this without any private key"
        if name == "p - 1":
            why = "u has no Edwards form (u + 1 = 0) and is of low order on the twist"
        elif from_le(u) >= P:
            why = "u is not canonical, and of low order"
        yield f"low order u = {name}", u, message, sig, why
        yield f"low order u = {name}, bit 255 set", u[:31] + bytes([u[31] | 128]), message, sig, "u is not canonical, and of low order"


DEPLOYED = [
    ("414862f45ddcdf54660ce2951e78dd540fb5060ffe3668872863251bb0cf7758", "",
     "8b9107bbcaefc156121f58897d84b1d2e8004f7fe921715d2dbfe1cd05dd2eaf50c5c7bff2c5c297da1979d09320f1522c5fea14f83ec8f557ce4e0ddcd07b8d"),
    ("19570179e9b2159f758001ba91cdcac8bca93af46657c3ef8bf0650f97922957", "23dd9e1f687ddc",
     "ad115941a29708fd748a8d1b4e802961d8933f7847a96a0262c85403dde758cfdfbe6ff950e2bb7a6e83512708ecce8cb106f75c9383961a52003d7a6edd918c"),
    ("61059916b0286995ddca5ffde1ffff4bf2ce0c77ad9689d681285746dd98982f", "c8f98e113650aa98ac449b038e87ec3951f1a8deb5",
     "439b3542ab06302838a18eb20c347436637ddb22e8d7c45576cdc6e38d21c7a0bd067306e0af95cec47c855001c8d7e9fbe9f5269aa5bd5c8eee491abddbf707"),
    ("3ba28d56f85425d5b2635b288a2423de28ac42f12e30405091580f02da5e3253",
     "40937e92f07f99ebe594a4de81ddf5fd8cf4be8ddff30de64b5d26468896ae7944b6c7f1530dbe8ed561",
     "65a72a087155b46bb675d4b959891ebf880d731c4fae5d6cc97793dd0f9974ffa16f9e4a3fcad3b96fcd518cad4fb9bb1da787771843efdb4e21f412c3306488"),
]


def xeddsa_file():
    sign = []
    for i, (what, message) in enumerate([("xeddsa 0", b""), ("xeddsa 1", b"outrigger")]):
        private = sha256(b"outrigger example " + what.encode())
        sign.append({"name": f"example {i + 1}"} | xeddsa_sign(private, message, FIXED_Z))
    private = sha256(b"outrigger example IKb")
    spk = public_key(sha256(b"outrigger example SPKb"))
    sign.append({"name": "example signed prekey"} | xeddsa_sign(private, enc(spk), FIXED_Z))
    for i in range(8):
        private = draw(f"xeddsa key {i}", 32)
        for length in (0, 1, 32, 33, 200):
            name = f"key {i}, {length} bytes"
            message = filler(f"xeddsa message {name}", length)
            sign.append({"name": name} | xeddsa_sign(private, message, draw(f"xeddsa z {name}", 64)))
    signs = [s["edwards_sign"] for s in sign[3::5]]
    assert 3 <= sum(signs) <= 5, signs

    cases = []
    for s in sign:
        cases.append((f"published form, {s['name']}", s["u"], s["message"], s["signature"], "published form"))
        deployed = sign_deployed(s["seed"], s["message"], s["z"])
        assert (deployed == s["signature"]) == (s["edwards_sign"] == 0) == (deployed[63] < 128)
        assert published_verify(s["u"], s["message"], deployed) == (s["edwards_sign"] == 0)
        if s["edwards_sign"] and len(s["message"]) in (0, 9, 33, 200):
            cases.append((f"deployed form, {s['name']}", s["u"], s["message"], deployed, "deployed form, sign bit 1"))
        elif len(s["message"]) == 32:
            cases.append((f"deployed form, {s['name']}", s["u"], s["message"], deployed, f"deployed form, sign bit {s['edwards_sign']}"))
    for i, (u, message, signature) in enumerate(DEPLOYED):
        u, message, signature = map(bytes.fromhex, (u, message, signature))
        cases.append((f"deployed client {i + 1}", u, message, signature, f"made by a deployed client, sign bit {signature[63] >> 7}"))

    # u = 9 is the base point: the private scalar is 1, so a signature for its second encoding can be made
    message = b"base point"
    r = hash_q(b"vector base point nonce")
    big_r = encode_point(multiply(r, BASE))
    sig = big_r + le((r + hash_q(big_r, encode_point(BASE), message)) % Q)
    cases.append(("u = 9", le(9), message, sig, "the base point as key; a canonical u"))
    cases.append(("u = 9 + p", le(9 + P), message, sig, "u is not canonical (the same key as u = 9)"))
    for u in (2, P - 2):
        on_twist = point_from_y(u_to_y(u), 0) is None
        if on_twist:
            cases.append((f"u = {u if u < 99 else 'p - 2'}", le(u), message, sig, "u is on the twist: no Edwards form"))
    assert cases[-1][4].startswith("u is on the twist")

    both = [s["seed"] for s in sign if s["edwards_sign"] == 0][-1], [s["seed"] for s in sign if s["edwards_sign"] == 1][-1]
    for private in both:
        cases += wrong_cases(private, b"the message that was signed")
    cases += mixed_key_cases()
    forgery = bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), b"m0", b"\x01" + bytes(63)
    assert published_verify(*forgery)
    cases.append(("keyless forgery", *forgery, "u is of low order, R is the identity; the published rules accept it"))
    cases += low_order_cases()

    verify = []
    for name, u, message, signature, why in cases:
        reason = xeddsa_verify(u, message, signature)
        verify.append({"name": name, "u": u, "message": message, "signature": signature, "valid": reason is None, "why": why})
    accepted = ("published form", "deployed form", "made by a deployed", "the base point", "the key is not of small", "neither is")
    for v in verify:
        assert v["valid"] == v["why"].startswith(accepted), v
    assert len({v["name"] for v in verify}) == len(verify)

    s = sign[0]
    malformed = [
        ("signature of 63 bytes", s["u"], s["signature"][:63]), ("signature of 65 bytes", s["u"], s["signature"] + b"\0"),
        ("no signature", s["u"], b""), ("key of 31 bytes", s["u"][:31], s["signature"]), ("key of 33 bytes", s["u"] + b"\0", s["signature"]),
    ]
    return {
        "about": "XEdDSA: sign in the published form; verify accepts the published and the deployed form (protocol.md, 2)",
        "sign": sign, "verify": verify,
        "malformed": [{"name": n, "u": u, "message": s["message"], "signature": sig, "why": "length"} for n, u, sig in malformed],
    }


# ---------------------------------------------------------------------------------------------------------------------------
# fingerprints.json

def fingerprint_pair(name, key_a, id_a, key_b, id_b):
    a, b = fingerprint(key_a, id_a), fingerprint(key_b, id_b)
    half_a, half_b = half(a), half(b)
    assert len(half_a) == len(half_b) == 30 and len(scannable(a, b)) == 74
    return {
        "name": name, "key_a": key_a, "id_a": id_a, "key_b": key_b, "id_b": id_b, "fingerprint_a": a, "fingerprint_b": b,
        "half_a": half_a, "half_b": half_b, "number": min(half_a, half_b) + max(half_a, half_b),
        "scannable_a": scannable(a, b), "scannable_b": scannable(b, a),
    }


def fingerprints_file():
    def key(name):
        return enc(public_key(draw(f"fingerprints {name}", 32)))

    same_key, same_id = key("equal"), filler("fingerprints equal", 16)
    phone = key("one key")
    return {
        "about": "Safety numbers and their scannable form (protocol.md, 3). half_*, number: decimal digits; the rest: hex",
        "pairs": [
            fingerprint_pair(
                "published test value of deployed clients",
                bytes.fromhex("0506863bc66d02b40d27b8d49ca7c09e9239236f9d7d25d6fcca5ce13c7064d868"), b"+14152222222",
                bytes.fromhex("05f781b6fb32fed9ba1cf2de978d4d5da28dc34046ae814402b5c0dbd96fda907b"), b"+14153333333"),
            fingerprint_pair(
                "keys of the handshake example",
                enc(public_key(sha256(b"outrigger example IKa"))), b"+14155550100",
                enc(public_key(sha256(b"outrigger example IKb"))), b"+14155550101"),
            fingerprint_pair("binary identifiers of 16 bytes", key("16 a"), filler("fingerprints 16 a", 16),
                             key("16 b"), filler("fingerprints 16 b", 16)),
            fingerprint_pair("identifiers of 64 bytes", key("64 a"), filler("fingerprints 64 a", 64),
                             key("64 b"), filler("fingerprints 64 b", 64)),
            fingerprint_pair("identifiers of 16 and 64 bytes", key("mixed a"), bytes(16), key("mixed b"), b"\xff" * 64),
            fingerprint_pair("one key, two identifiers", phone, filler("fingerprints one key a", 16),
                             phone, filler("fingerprints one key b", 16)),
            fingerprint_pair("equal parties", same_key, same_id, same_key, same_id),
        ],
    }
