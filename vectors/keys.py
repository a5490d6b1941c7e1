"""protocol.md, 2: X25519 keys, XEdDSA, and the group and the exchange of a typed code, on plain integers.

Licence: MIT OR Apache-2.0.
"""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from notation import refuse_if, varint


# ---------------------------------------------------------------------------------------------------------------------------
# protocol.md, 2: X25519 keys

P = 2**255 - 19
LOW_ORDER = {
    0,
    1,
    2**255 - 20,
    int.from_bytes(bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), "little"),
    int.from_bytes(bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"), "little"),
}


def public_key(private):
    key = X25519PrivateKey.from_private_bytes(private).public_key()
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def dh(private, public):
    """X25519; the library raises on an all-zero result."""
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))


def check_public(u):
    refuse_if(len(u) != 32, "a public key has 32 bytes")
    n = int.from_bytes(u, "little")
    refuse_if(n >= P, "public key not canonical")
    refuse_if(n in LOW_ORDER, "public key of low order")
    return u


def enc(u):
    return b"\x05" + u


def parse_enc(data):
    refuse_if(len(data) != 33, "an encoded public key has 33 bytes")
    refuse_if(data[0] != 5, "key type")
    return check_public(data[1:])


# ---------------------------------------------------------------------------------------------------------------------------
# XEdDSA on plain integers. A point is (x, y) on -x^2 + y^2 = 1 + d x^2 y^2.

Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1)


def inv(x):
    return pow(x, P - 2, P)  # inv(0) = 0


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    return (
        (x1 * y2 + x2 * y1) * inv(1 + t) % P,
        (y1 * y2 + x1 * x2) * inv(1 - t) % P,
    )


def negate(a):
    return (-a[0] % P, a[1])


def multiply(n, a):
    """n a, in extended coordinates (X, Y, Z, T) so that one inversion is enough."""
    def extended_add(p, q):
        a_ = (p[1] - p[0]) * (q[1] - q[0]) % P
        b_ = (p[1] + p[0]) * (q[1] + q[0]) % P
        c_ = 2 * p[3] * q[3] * D % P
        d_ = 2 * p[2] * q[2] % P
        e, f, g, h = b_ - a_, d_ - c_, d_ + c_, b_ + a_
        return (e * f % P, g * h % P, f * g % P, e * h % P)

    total = (0, 1, 1, 0)
    power = (a[0], a[1], 1, a[0] * a[1] % P)
    while n:
        if n & 1:
            total = extended_add(total, power)
        power = extended_add(power, power)
        n >>= 1
    z = inv(total[2])
    return (total[0] * z % P, total[1] * z % P)


def point_from_y(y, sign):
    """The point with this y and this parity of x; None where y is on no point, or where x = 0 has the sign 1."""
    square = (y * y - 1) * inv(D * y * y + 1) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT_M1 % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    return (P - x if x & 1 != sign else x, y)


BASE = point_from_y(4 * inv(5) % P, 0)


def le(n):
    return n.to_bytes(32, "little")


def from_le(b):
    return int.from_bytes(b, "little")


def encode_point(a):
    return le(a[1] | (a[0] & 1) << 255)


def u_to_y(u):
    return (u - 1) * inv(u + 1) % P


def y_to_u(y):
    return (1 + y) * inv(1 - y) % P


# ---------------------------------------------------------------------------------------------------------------------------
# RFC 9496: ristretto255; draft-irtf-cfrg-cpace-21: CPACE-RISTR255-SHA512

def even(x):
    """The absolute value: of x and -x the one that is even."""
    return P - x if x & 1 else x


def sqrt_ratio(u, v):
    """(whether u / v is a square, its root or that of its multiple by sqrt(-1), even)"""
    r = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check = v * r * r % P
    flipped = check in (-u % P, -u * SQRT_M1 % P)
    return check in (u % P, -u % P), even(r * SQRT_M1 % P if flipped else r)


INVSQRT_A_MINUS_D = sqrt_ratio(1, -1 - D)[1]
SQRT_AD_MINUS_ONE = P - sqrt_ratio(-D - 1, 1)[1]  # the odd root, as the RFC has it


def ristretto_decode(data):
    """A point of the element's, or None."""
    s = from_le(data)
    if len(data) != 32 or s >= P or s & 1:
        return None
    u1, u2 = (1 - s * s) % P, (1 + s * s) % P
    v = (-D * u1 * u1 - u2 * u2) % P
    square, root = sqrt_ratio(1, v * u2 * u2 % P)
    x, y = even(2 * s * root * u2 % P), u1 * root * root * u2 * v % P
    return None if not square or x * y % P & 1 or y == 0 else (x, y)


def ristretto_encode(a):
    x, y = a
    t = x * y % P
    u1, u2 = (1 + y) * (1 - y) % P, t
    root = sqrt_ratio(1, u1 * u2 * u2 % P)[1]
    den1, den2 = root * u1 % P, root * u2 % P
    z_inv = den1 * den2 * t % P
    if t * z_inv % P & 1:
        x, y, den2 = y * SQRT_M1 % P, x * SQRT_M1 % P, den1 * INVSQRT_A_MINUS_D % P
    if x * z_inv % P & 1:
        y = -y % P
    return le(even(den2 * (1 - y) % P))


def ristretto_map(half):
    """One half of 64 uniform bytes."""
    t = from_le(half) % 2**255 % P
    r = SQRT_M1 * t * t % P
    u, v = (r + 1) * (1 - D * D) % P, (-1 - r * D) * (r + D) % P
    square, s = sqrt_ratio(u, v)
    s, c = (s, P - 1) if square else (-even(s * t % P) % P, r)
    n = (c * (r - 1) * (D - 1) ** 2 - v) % P
    w0, w1, w2, w3 = 2 * s * v % P, n * SQRT_AD_MINUS_ONE % P, (1 - s * s) % P, (1 + s * s) % P
    return (w0 * inv(w1) % P, w2 * inv(w3) % P)


def lv_cat(*parts):
    """Each with its length in front, in LEB128."""
    return b"".join(varint(len(x)) + x for x in parts)


def cpace_generator_string(prs, ci, sid):
    """The zeros fill the first block of SHA-512."""
    pad = max(0, 128 - 1 - len(lv_cat(prs)) - len(lv_cat(b"CPaceRistretto255")))
    return lv_cat(b"CPaceRistretto255", prs, bytes(pad), ci, sid)


def cpace_generator(prs, ci, sid):
    h = hashlib.sha512(cpace_generator_string(prs, ci, sid)).digest()
    return add(ristretto_map(h[:32]), ristretto_map(h[32:]))


def cpace_shared(scalar, share):
    """K, or None where the share is no element or gives the neutral one."""
    point = ristretto_decode(share)
    k = ristretto_encode(multiply(scalar, point)) if point else bytes(32)
    return None if k == bytes(32) else k


def cpace_isk(sid, k, ya, ada, yb, adb):
    return hashlib.sha512(lv_cat(b"CPaceRistretto255_ISK", sid, k) + lv_cat(ya, ada) + lv_cat(yb, adb)).digest()


def small_order(a):
    return multiply(8, a) == IDENTITY


def hash_q(*parts):
    return from_le(hashlib.sha512(b"".join(parts)).digest()) % Q


HASH_1 = b"\xfe" + b"\xff" * 31


def clamp(private):
    k = bytearray(private)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    return bytes(k)


def key_pair(k):
    """calculate_key_pair: (A, a, sign of kB)."""
    e = multiply(k % Q, BASE)
    sign = e[0] & 1
    return point_from_y(e[1], 0), (-k if sign else k) % Q, sign


def xeddsa_sign(private, message, z):
    """Published form. Returns every intermediate value."""
    k = clamp(private)
    big_a, a, sign = key_pair(from_le(k))
    big_a = encode_point(big_a)
    r = hash_q(HASH_1, le(a), message, z)
    big_r = encode_point(multiply(r, BASE))
    h = hash_q(big_r, big_a, message)
    s = (r + h * a) % Q
    signature = big_r + le(s)
    u = public_key(private)
    assert from_le(big_a) == u_to_y(from_le(u))
    assert xeddsa_verify(u, message, signature) is None and published_verify(u, message, signature)
    assert ed25519_verify(big_a, message, signature)
    return {
        "seed": private, "k": k, "u": u, "A": big_a, "a": le(a), "edwards_sign": sign, "message": message, "z": z,
        "r": le(r), "R": big_r, "h": le(h), "s": le(s), "signature": signature,
    }


def sign_published(private, message, z):
    return xeddsa_sign(private, message, z)["signature"]


def sign_deployed(private, message, z):
    """The form of deployed clients: the natural Edwards key, its sign in the top bit of byte 63."""
    k = from_le(clamp(private)) % Q
    e = multiply(k, BASE)
    r = hash_q(HASH_1, le(k), message, z)
    big_r = encode_point(multiply(r, BASE))
    s = (r + hash_q(big_r, encode_point(e), message) * k) % Q
    return big_r + le(s | (e[0] & 1) << 255)


def ed25519_verify(a, message, signature):
    try:
        Ed25519PublicKey.from_public_bytes(a).verify(signature, message)
        return True
    except InvalidSignature:
        return False


def check_bytes(a, message, signature, s):
    """R == s B - h A, compared as bytes: the check without cofactor."""
    h = hash_q(signature[:32], encode_point(a), message)
    return encode_point(add(multiply(s, BASE), negate(multiply(h, a)))) == signature[:32]


def published_verify(u, message, signature):
    """The verifier of the published specification (lax about small order and s): shows that a crafted value is a real one."""
    s = from_le(signature[32:])
    if from_le(u) >= P or s >= 2**253:
        return False
    a = point_from_y(u_to_y(from_le(u)), 0)
    return a is not None and check_bytes(a, message, signature, s)


def xeddsa_verify(u, message, signature):
    """outrigger's verifier (protocol.md, 2). None, or the reason of the refusal."""
    if len(u) != 32 or len(signature) != 64:
        return "length"
    n = from_le(u)
    if n >= P:
        return "u is not canonical"
    if n in LOW_ORDER:
        return "u is of low order"
    sign = signature[63] >> 7
    s = from_le(signature[32:]) & (2**255 - 1)
    if s >= Q:
        return "s is not below the group order"
    a = point_from_y(u_to_y(n), sign)
    if a is None:
        return "u has no Edwards form"
    if small_order(a):
        return "the key is of small order"
    y = from_le(signature[:32]) & (2**255 - 1)
    if y >= P:
        return "R is not canonical"
    r = point_from_y(y, signature[31] >> 7)
    if r is None:
        return "R is no point"
    if small_order(r):
        return "R is of small order"
    return None if check_bytes(a, message, signature, s) else "the equation does not hold"
