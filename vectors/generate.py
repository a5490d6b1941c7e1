#!/usr/bin/env python3
"""Test vectors of the outrigger protocol, from docs/protocol.md and docs/relay.md alone.

    python3 vectors/generate.py           writes the JSON files beside this script
    python3 vectors/generate.py --check   computes them again and fails where a file on disk differs

Needs Python 3.11 and the packages `cryptography` (X25519, AES-256-GCM, and Ed25519 and ML-KEM as a cross-check) and `kyber-py` (ML-KEM). XEdDSA, HKDF, the protobuf
encoding, the handshake and the ratchet are written out in the modules beside this script and share no code with the crate. The answers that others
publish are asserted in `known_answers`.

Licence: MIT OR Apache-2.0.
"""

import json
import pathlib
import sys

sys.dont_write_bytecode = True  # leave nothing beside the files

from bundle_cases import prekeys_file, x3dh_file
from code_cases import code_linking, link_codes
from companion_cases import certificates, link_lists, linking_case, list_sequences
from content_cases import contents
from hidden import hidden_file
from known import known_answers
from linking_cases import second_linking
from notation import filler
from post_quantum_cases import post_quantum_file
from ratchet_cases import ratchet_file
from relay import relay_file
from session_cases import ONE_STARTS, SessionCase
from session_model import model_check
from session_retries import retry_file, session_retries
from session_rules import session_before_the_answer, session_content, session_limits, session_many, session_refusals, session_rules
from session_starts import (
    session_clocks, session_crossings, session_far_future, session_lost, session_restarts, session_three_starts, session_unanswered,
)
from signature_cases import fingerprints_file, xeddsa_file
from supply_cases import supply


def session_file():
    model_check()
    short_a, short_b = filler("account session a", 16), filler("account session b", 16)
    long_a, long_b, third = filler("account session long a", 64), filler("account session long b", 64), filler("account session c", 20)
    cases = []
    for name, opk, accounts in (
        ("with a one-time prekey", True, {"a": (short_a, 0), "b": (short_b, 0), "c": (third, 0)}),
        ("without a one-time prekey", False, {"a": (long_a, 0), "b": (long_b, 0), "c": (third, 0)}),
    ):
        case = SessionCase(name, accounts)
        case.start("a", opk)
        case.run(ONE_STARTS)
        for s in case.steps:
            if s["op"] == "send":
                assert s["handshake_carried"] == (s["name"] in ("a0", "a1", "a2", "a3"))
        opened = [s for s in case.steps if s.get("expect") == "opens"]
        assert [s["makes_session"] for s in opened] == [True] + [False] * (len(opened) - 1)
        assert all(len(s["archived"]) == 0 for s in opened)
        if not opk:
            weak = {(s["by"], s["name"]): s["weak"] for s in opened}
            assert weak["b", "a1"] and not weak["a", "b1"] and not weak["b", "a5"]
        session_refusals(case)
        cases.append(case.result())

    two = {"a": (short_a, 0), "b": (short_b, 0)}
    cases.append(session_before_the_answer(two).result())
    cases.append(session_limits(two))
    cases += session_crossings(two)
    cases += session_restarts(two)
    for more in (session_clocks, session_three_starts, session_lost, session_far_future, session_unanswered):
        cases += more(two)
    cases += session_retries(two)
    cases.append(session_content(two).result())
    cases.append(session_rules(two).result())
    cases.append(session_many({"a": (short_a, 0), "b": (short_b, 0), "c": (third, 0)}).result())
    return {
        "about": "Whole sessions between the devices a and b (protocol.md, 4 to 8). A receiving step names the index of its sending "
                 "step in `steps`; a step `try` and `after` (in order, after the last step) hold bytes to be tried",
        "cases": cases,
    }


def companions_file():
    linking = linking_case()
    return {
        "about": "Companions (protocol.md, 8 and 10): device lists, and which one counts; certificates; one linking with what follows from it, another "
                 "with what is to be refused in its course; link codes of both roles; content with stamps and headings",
        "lists": link_lists(), "which_list": list_sequences(), "certificates": certificates(), "linking": linking,
        "second_linking": second_linking(), "codes": link_codes(), "contents": contents(),
    }


def code_file():
    return {"about": "Linking by a typed code (protocol.md, 10 \"Code\"), with what must be refused in its course"} | code_linking()


def supply_file():
    linking = linking_case()
    return {"about": "What the phone of `linking` in companions.json tells its companion (protocol.md, 10 \"Supply\" and \"History\")"} | supply(linking)


FILES = {
    "xeddsa.json": xeddsa_file, "fingerprints.json": fingerprints_file, "prekeys.json": prekeys_file, "x3dh.json": x3dh_file,
    "ratchet.json": ratchet_file, "session.json": session_file, "retry.json": retry_file, "companions.json": companions_file, "code.json": code_file,
    "supply.json": supply_file, "relay.json": relay_file, "post_quantum.json": post_quantum_file,
    "hidden.json": hidden_file,
}


def plain(value):
    """Bytes as lower-case hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    assert value is None or isinstance(value, (bool, int, str)), value
    return value


def main(arguments):
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    known_answers()
    bad = []
    for name, make in FILES.items():
        text = json.dumps(plain(make()), indent=1) + "\n"
        path = pathlib.Path(__file__).resolve().parent / name
        if not arguments:
            path.write_text(text, encoding="ascii")
        elif not path.exists() or path.read_bytes() != text.encode("ascii"):
            bad.append(name)
    for name in bad:
        print(f"{name} differs from what this script makes", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
