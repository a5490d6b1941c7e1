"""protocol.md, 10 "Supply" and "History": the cases of supply.json.

Licence: MIT OR Apache-2.0.
"""

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from companions import WINDOW, account_of, check_list, check_refused, list_body, sign_list
from keys import enc, parse_enc, public_key
from notation import MAX_DEVICE_LIST, TIME, Refused, bytes_field, draw, filler, hkdf, need, need_uint, read_message, refuse_if, u32be, uint_field


FRAME_SHAPE = {1: ("number", 0), 2: ("after", 0), 3: ("facts", 2, "repeated"), 4: ("sync_keys", 2, "repeated")}
FACT = {1: ("account_id", 2), 2: ("identity_key", 2), 3: ("verified", 0), 4: ("offered", 2), 5: ("list", 2)}
SYNC_KEY = {1: ("epoch", 0), 2: ("key", 2)}
MAX_FACTS = 64


def read_frame(data):
    m = read_message(data, FRAME_SHAPE)
    number, after = need_uint(m, "number", 64), m.get("after", 0)
    refuse_if(after >= number, "after is below number")
    refuse_if(len(m.get("facts", [])) > MAX_FACTS, "too many facts")
    facts, keys = [], []
    for raw in m.get("facts", []):
        f = read_message(raw, FACT)
        need(f, "account_id", 16, 64), parse_enc(need(f, "identity_key", 33))
        refuse_if("verified" in f and f["verified"] != 1, "a bool is 0 or 1")
        refuse_if("offered" in f and len(parse_enc(need(f, "offered", 33))) != 32, "offered")
        refuse_if(len(f.get("list", b"")) > MAX_DEVICE_LIST, "list too long")
        facts.append(f)
    refuse_if(len({f["account_id"] for f in facts}) < len(facts), "an account twice")
    for raw in m.get("sync_keys", []):
        k = read_message(raw, SYNC_KEY)
        need(k, "key", 32)
        keys.append((k.get("epoch", 0), k["key"]))
    return number, after, facts, keys


def supply(linking):
    """What the phone of the linking tells its companion, in order; and a history."""
    own = linking["account_id"]
    keys = {x: draw(f"companions supply {x} identity", 32) for x in "xyzw"}
    pub = {x: public_key(k) for x, k in keys.items()}
    ids = {"x": account_of("companions supply x", 16), "y": account_of("companions supply y", 64), "z": account_of("companions supply z", 33)}
    inc = filler("companions supply incarnation", 16)
    companion = public_key(draw("companions supply companion", 32))

    def listed(epoch, entries):
        body = list_body(ids["x"], inc, epoch, TIME, TIME + WINDOW, 9, entries)
        return sign_list(keys["x"], body, draw(f"companions supply list {epoch} z", 64))

    def fact(who, key=None, verified=0, offered=None, signed=None, more=b""):
        out = bytes_field(1, ids[who]) + bytes_field(2, enc(pub[key or who])) + (uint_field(3, verified) if verified else b"")
        return out + (bytes_field(4, offered) if offered else b"") + (bytes_field(5, signed) if signed else b"") + more

    def frame(number, after, facts=(), sync=(), more=b""):
        out = uint_field(1, number) + (uint_field(2, after) if after else b"")
        return out + b"".join(bytes_field(3, f) for f in facts) + b"".join(bytes_field(4, uint_field(1, e) + bytes_field(2, k)) for e, k in sync) + more

    sync = [(e, draw(f"companions supply key {e}", 32)) for e in (4, 9)]
    first, second = listed(2, [(3, 1, companion)]), listed(5, [])
    taken, steps = 0, []
    book = {}

    def step(name, data, outcome, **told):
        """`outcome` by what the page says, checked here."""
        nonlocal taken
        number, after, facts, _ = read_frame(data)
        found = "gap" if after > taken else "again" if number <= taken else "taken"
        assert found == outcome, (name, found)
        told_of = []
        if found == "taken":
            taken = number
            for f in facts:
                key = parse_enc(f["identity_key"])
                trust = "changed" if "offered" in f else "verified" if "verified" in f else "pinned"
                if f["account_id"] == own:
                    continue
                known = book.get(f["account_id"], {"key": key, "epoch": None})
                changed = known["key"] != key
                epoch = None if changed else known["epoch"]
                if "list" in f:
                    try:
                        devices = check_list(f["account_id"], key, f["list"])
                        epoch = devices["epoch"] if epoch is None or devices["epoch"] > epoch else epoch
                    except Refused:
                        pass
                book[f["account_id"]] = {"key": key, "epoch": epoch}
                told_of.append({"account_id": f["account_id"], "identity_key": key, "trust": trust, "key_changed": changed, "list_epoch": epoch})
        steps.append({"name": name, "frame": data, "outcome": outcome, "taken": taken, "told": told_of})

    step("after what was not taken", frame(9, 7), "gap")
    start = frame(5, 0, [fact("x", signed=first), fact("y", verified=1)], sync[:1])
    step("the first", start, "taken")
    step("the first again", start, "again")
    step("an earlier one", frame(4, 0, [fact("z")]), "again")
    step("none of it is new", frame(5, 4, [fact("z")]), "again")
    step("numbers left out, an earlier after, another key offered", frame(2**33, 3, [fact("z", offered=enc(pub["w"]))], sync), "taken")
    step("after what is above", frame(2**33 + 2, 2**33 + 1, [fact("x")]), "gap")
    step("a later list", frame(2**33 + 1, 2**33, [fact("x", signed=second)]), "taken")
    step("an earlier list is ignored", frame(2**33 + 2, 2**33 + 1, [fact("x", signed=first)]), "taken")
    step("a list of another key is ignored", frame(2**33 + 3, 2**33 + 2, [fact("y", key="w", signed=second)]), "taken")
    step("the change is decided", frame(2**33 + 4, 5, [fact("z", key="w", verified=1)]), "taken")
    step("of the own account", frame(2**33 + 5, 5, [bytes_field(1, own) + bytes_field(2, enc(pub["w"]))]), "taken")
    step("nothing", frame(2**63, 5), "taken")
    step("the highest number", frame(2**64 - 1, 2**64 - 2, [fact("y", key="w")]), "gap")

    refused = []
    many = [bytes_field(1, account_of(f"companions supply {i}", 16)) + bytes_field(2, enc(pub["x"])) for i in range(65)]
    full = frame(2**63 + 1, 5, many[:64])
    read_frame(full)
    bad_key = lambda key: frame(2**63 + 1, 5, more=bytes_field(4, uint_field(1, 12) + key))
    for name, data, why in (
        ("after is number", frame(7, 7), "after is below number"), ("after is above number", frame(7, 8), "after is below number"),
        ("number 0", frame(0, 0), "not 0"), ("nothing", b"", "a number"), ("65 facts", frame(2**63 + 1, 5, many), "at most 64"),
        ("an account twice", frame(2**63 + 1, 5, [fact("x"), fact("y"), fact("x", verified=1)]), "none twice"),
        ("an account id of 15 bytes", frame(2**63 + 1, 5, [bytes_field(1, bytes(15)) + bytes_field(2, enc(pub["x"]))]), "16 to 64"),
        ("a bare key", frame(2**63 + 1, 5, [bytes_field(1, ids["x"]) + bytes_field(2, pub["x"])]), "33 bytes"),
        ("a key of low order", frame(2**63 + 1, 5, [bytes_field(1, ids["x"]) + bytes_field(2, b"\x05" + bytes(32))]), "no key of low order"),
        ("no key", frame(2**63 + 1, 5, [bytes_field(1, ids["x"])]), "no field may be left out"),
        ("verified, as 2", frame(2**63 + 1, 5, [fact("x", verified=2)]), "a bool is 0 or 1"),
        ("offered, 32 bytes", frame(2**63 + 1, 5, [fact("x", offered=pub["w"])]), "33 bytes"),
        ("a list of 1,025 bytes", frame(2**63 + 1, 5, [fact("x", signed=bytes(1025))]), "at most 1,024 bytes"),
        ("an unknown field in a fact", frame(2**63 + 1, 5, [fact("x", more=uint_field(6, 1))]), "no unknown fields"),
        ("fields of a fact swapped", frame(2**63 + 1, 5, [bytes_field(2, enc(pub["x"])) + bytes_field(1, ids["x"])]), "fields ascend"),
        ("an unknown field", frame(2**63 + 1, 5, more=uint_field(5, 1)), "no unknown fields"), ("a trailing byte", frame(2**63 + 1, 5) + b"\0", "one encoding"),
        ("keys in front of facts", frame(2**63 + 1, 5, (), sync) + bytes_field(3, fact("x")), "fields ascend"),
        ("a key of 31 bytes", bad_key(bytes_field(2, bytes(31))), "32 bytes"), ("a key of 33 bytes", bad_key(bytes_field(2, bytes(33))), "32 bytes"),
        ("no sync key", bad_key(b""), "no field may be left out"), ("an unknown field of a key", bad_key(bytes_field(2, bytes(32)) + uint_field(3, 1)), "no unknown fields"),
    ):
        check_refused(read_frame, data)
        refused.append({"name": name, "frame": data, "why": why})

    def synced(epoch, key):
        salt, nonce = draw(f"companions supply salt {epoch}", 32), draw(f"companions supply nonce {epoch}", 12)
        front = b"\x01" + u32be(epoch) + salt
        return front + nonce + AESGCM(hkdf(salt, key, b"outrigger v1 synced", 32)).encrypt(nonce, b"for the account", front + b"bound")

    history, chunks = linking["history"]["id"], linking["history"]["chunks"]
    key, digests = chunks[0]["draws"][0], [c["digest"] for c in chunks]
    manifest = lambda i=history, k=key, d=digests, more=b"": bytes_field(1, i) + bytes_field(2, k) + bytes_field(3, b"".join(d)) + more
    manifests = [
        ("another id", manifest(bytes(range(16))), "not asked for"), ("an id of 15 bytes", manifest(history[:15]), "16 bytes"), ("a key of 31 bytes", manifest(k=key[:31]), "32 bytes"),
        ("a digest of 15 bytes", manifest(d=[digests[0], digests[1][:15]]), "16 bytes each"), ("1,025 chunks", manifest(d=[digests[0]] * 1025), "at most 1,024"),
        ("an unknown field", manifest(more=uint_field(4, 1)), "no unknown fields"), ("a trailing byte", manifest(more=b"\0"), "one encoding"), ("nothing", b"", "no field may be left out"),
    ]
    return {
        "steps": steps, "refused": refused, "full": full,
        "synced": [{"epoch": e, "sealed": synced(e, k)} for e, k in sync] + [{"epoch": 7, "sealed": synced(7, draw("companions supply unknown key", 32)), "unknown": True}],
        "ask_draws": [history, draw("companions supply ratchet key", 32), draw("companions supply ask nonce", 12)],
        "manifest": manifest(), "refused_manifests": [{"name": n, "manifest": m, "why": w} for n, m, w in manifests],
    }
