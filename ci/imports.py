#!/usr/bin/env python3
"""Imports go down only: reads every path in src/ and fails on one that goes up.

From bottom to top: primitives, step, wire, identity, prekey, ratchet, handshake, session, companion, relay. A module may use itself and what is below it. Checked is every path
that begins with `crate::`, wherever it stands, groups included, and every `super::` that climbs to the root. What lib.rs re-exports at the
root is for others: inside, everything is named by its module.

    ci/imports.py              checks src/
    ci/imports.py --self-test  shows that it can fail
"""

import re
import sys
from pathlib import Path

LAYERS = ["primitives", "step", "wire", "identity", "prekey", "ratchet", "handshake", "session", "companion", "relay"]

TOKEN = re.compile(
    r"""
      (?P<skip> //[^\n]* | \s+ )
    | (?P<block> /\* )
    | (?P<string> b?c?r(?P<hashes>\#*)".*?"(?P=hashes) | [bc]?"(?:\\.|[^"\\])*" )
    | (?P<char> b?'(?:\\[^u]|\\u\{[^}]*\}|\\x..|[^'\\])' )
    | (?P<lifetime> '[A-Za-z_]\w* )
    | (?P<word> (?:r\#)?[A-Za-z_]\w* )
    | (?P<path> :: )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)


def tokens(text):
    """The words and signs of a source text with their lines, without comments, strings and characters."""
    at = 0
    while at < len(text):
        match = TOKEN.match(text, at)
        at = match.end()
        if match.lastgroup == "block" or match.group("block"):
            depth = 1
            while depth and at < len(text):
                if text.startswith("/*", at):
                    depth, at = depth + 1, at + 2
                elif text.startswith("*/", at):
                    depth, at = depth - 1, at + 2
                else:
                    at += 1
        elif match.group("word") or match.group("path") or match.group("other"):
            yield match.group(), text.count("\n", 0, match.start()) + 1


def tops(words, at):
    """The first names behind a path prefix that ends at `at`: one, or those of a group."""
    if at >= len(words):
        return
    word, line = words[at]
    if word != "{":
        yield word, line
        return
    depth, first = 0, True
    while at < len(words):
        word, line = words[at]
        if word == "{":
            depth, first = depth + 1, depth == 0
        elif word == "}":
            depth -= 1
            if depth == 0:
                return
        elif depth == 1:
            if word == ",":
                first = True
            elif first:
                yield word, line
                first = False
        at += 1


def root_paths(module, text):
    """Each name that a file takes from the root of the crate, with its line. `module` is the file's own path, `()` for lib.rs."""
    words = list(tokens(text))
    # Modules that are written inside the file: the depth of braces at which each ends.
    inner, depth = [], 0
    at = 0
    while at < len(words):
        word, line = words[at]
        before = words[at - 1][0] if at else ""
        if word == "{":
            depth += 1
            if at >= 2 and words[at - 2][0] == "mod":
                inner.append(depth)
        elif word == "}":
            if inner and inner[-1] == depth:
                inner.pop()
            depth -= 1
        elif word in ("crate", "super") and before != "::" and at + 1 < len(words) and words[at + 1][0] == "::":
            climbed, start = 0, at
            while at + 1 < len(words) and words[at][0] == "super" and words[at + 1][0] == "::":
                climbed, at = climbed + 1, at + 2
            if word == "crate":
                yield from tops(words, start + 2)
                at = start + 1
            else:
                if climbed >= len(module) + len(inner):
                    yield from tops(words, at)
                at -= 1
        elif word == "super" and before != "::" and len(module) + len(inner) == 1 and words[at + 1][0] == "as":
            yield "super", line
        at += 1


def complaints(files):
    """What is wrong in a list of (path below src, text)."""
    for path, text in files:
        parts = Path(path).with_suffix("").parts
        module = tuple(part for part in parts if part not in ("mod", "lib"))
        own = module[0] if module else None
        if own is None:
            continue
        if own not in LAYERS:
            yield f"src/{path}: the module {own} has no layer: give it one in ci/imports.py"
            continue
        for name, line in root_paths(module, text):
            if name not in LAYERS:
                yield f"src/{path}:{line}: crate::{name}: name it by its module"
            elif LAYERS.index(name) > LAYERS.index(own):
                yield f"src/{path}:{line}: {own} uses {name}, which is above it"


def self_test():
    bad = {
        "use crate::session::Send;": "wire uses session",
        "use crate::{\n    primitives::KeyPair,\n    prekey::{self, PrekeyId},\n};": "wire uses prekey",
        "fn f() -> crate::handshake::Handshake { todo!() }": "wire uses handshake",
        "use super::super::ratchet::Ratchet;": "wire uses ratchet",
        "mod tests { use super::super::super::identity::Address; }": "wire uses identity",
        "mod tests { fn f() { let x = '{'; } }\nuse super::super::session::Send;": "wire uses session",
        "use crate::Limits;": "name it by its module",
        "use crate::{step::Advice, Limits};": "name it by its module",
    }
    good = [
        "use crate::{primitives::KeyPair, step::{Advice, Limits}};\nuse super::error;",
        "//! See crate::session::Send.\n/* crate::session /* nested */ */\nconst A: &str = \"crate::session\";",
        "mod tests { use super::super::envelope::Envelope; }",
        "fn f<'a>(x: &'a u8) -> char { let _ = b'\\''; '\"' }",
        "use crate::wire::Field;",
    ]
    for text, expected in bad.items():
        found = list(complaints([("wire/envelope.rs", text)]))
        assert len(found) == 1 and expected in found[0], (text, found)
    for text in good:
        found = list(complaints([("wire/envelope.rs", text)]))
        assert not found, (text, found)
    assert list(complaints([("handshake/x3dh.rs", "use crate::ratchet::RootSecret;")])) == []
    assert list(complaints([("ratchet/chain.rs", "use crate::handshake::Handshake;")]))
    assert list(complaints([("newcomer.rs", "")]))
    print(f"imports: {len(bad) + 2} paths that go up were found, {len(good) + 1} sound ones were not")


def main():
    self_test()
    if "--self-test" in sys.argv[1:]:
        return
    src = Path(__file__).resolve().parent.parent / "src"
    files = sorted((str(path.relative_to(src)), path.read_text()) for path in src.rglob("*.rs"))
    found = list(complaints(files))
    for complaint in found:
        print(complaint, file=sys.stderr)
    paths = sum(1 for path, text in files for _ in root_paths(Path(path).with_suffix("").parts, text))
    print(f"imports: {paths} paths in {len(files)} files, {len(found)} go up")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
