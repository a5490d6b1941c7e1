#!/usr/bin/env python3
"""Every row of the tables of docs/relay.md has a test: "At the phone", "At the desktop", "Races".

tests/properties/relay/rows.txt names them. A row stands there as `phone | state | event`, `desktop | state | event` or `race | race`, its cells word for word as on the page;
below it, indented, one test a line: its path in tests/properties (`relay::flow::receipts_and_questions_pass`), or in another crate of tests/ (`relay_model::crashes_lose_nothing`).
Lines that begin with `#` are for readers. Said is which row has no test, which row is on the page no more, and which test there is not.

    ci/rows.py              checks the page against the tests
    ci/rows.py --self-test  shows that it can fail
"""

import re
import sys
from pathlib import Path

# The heading of each table, what its rows begin with in the list, and how many cells name a row.
TABLES = [("At the phone", "phone", 2), ("At the desktop", "desktop", 2), ("Races", "race", 1)]

TEST = re.compile(r"#\[test\]\s*(?:(?:#\[[^\n]*\]|//[^\n]*)\s*)*fn\s+(\w+)")


def rows(page):
    """The rows of the tables, in their order, as the list has them."""
    for heading, name, cells in TABLES:
        section = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        lines = section.group(1).splitlines() if section else []
        table = [line for line in lines if line.startswith("|")]
        # The first two lines are the heads of the columns and the rule below them.
        for line in table[2:]:
            found = [cell.strip() for cell in line.strip().strip("|").split("|")]
            yield " | ".join([name, *found[:cells]])


def listed(text):
    """What the list has: each row with its tests."""
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            yield None, line.strip()
        else:
            yield line.strip(), None


def source(test, sources):
    """The file in which a test stands, of a list of paths below tests/; None where there is none."""
    *modules, _ = test.split("::")
    crate = f"{modules[0]}/main.rs" if modules else ""
    if crate in sources:
        folder, modules = modules[0], modules[1:]
    else:
        folder = "properties"
    path = "/".join([folder, *modules])
    places = [f"{path}.rs", f"{path}/mod.rs", f"{path}/main.rs"]
    return next((place for place in places if place in sources), None)


def complaints(page, text, sources):
    """What is wrong with a page, a list, and sources by their paths below tests/."""
    on_page, tests = list(rows(page)), {}
    for _, name, _ in TABLES:
        if not any(row.startswith(f"{name} | ") for row in on_page):
            yield f"the table of the {name} was not found"
    for row in sorted(set(row for row in on_page if on_page.count(row) > 1)):
        yield f"two rows are named alike: {row}"
    last = None
    for row, test in listed(text):
        if row is not None:
            if row in tests:
                yield f"listed twice: {row}"
            last = tests.setdefault(row, [])
        elif last is None:
            yield f"of no row: {test}"
        else:
            last.append(test)
    for row in on_page:
        if not tests.get(row):
            yield f"no test: {row}"
    for row, named in tests.items():
        if row not in on_page:
            yield f"no such row: {row}"
        for test in named:
            place = source(test, sources)
            if place is None or test.split("::")[-1] not in TEST.findall(sources[place]):
                yield f"no such test: {test}, of: {row}"


def self_test():
    page = "## At the phone\n\nA word.\n\n| state | event | new | out |\n|---|---|---|---|\n| none | granted | Granted | |\n| `a` | b, c | | d |\n\n"
    page += "## At the desktop\n\n| state | event | new | out |\n|---|---|---|---|\n| any | ends | Ended | |\n\n## Other\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n"
    page += "## Races\n\n| race | outcome |\n|---|---|\n| lost | again |\n"
    text = "# Words.\nphone | none | granted\n    relay::a::one\nphone | `a` | b, c\n    relay::a::two\n    model::three\n"
    text += "desktop | any | ends\n    relay::four\n\nrace | lost\n    relay::a::one\n"
    sources = {
        "properties/relay/a.rs": "/// Word.\n#[test]\nfn one() {}\nproptest! {\n    #[test]\n    #[ignore]\n    fn two(x in 1) {}\n}\nfn helper() {}",
        "properties/relay/mod.rs": "#[test]\nfn four() {}",
        "model/main.rs": "#[test]\nfn three() {}",
    }
    assert not list(complaints(page, text, sources)), list(complaints(page, text, sources))
    bad = {
        "no test: phone | new | row": (page.replace("| none |", "| new | row | | |\n| none |"), text),
        "no such row: phone | none | granted": (page.replace("| granted |", "| granted again |"), text),
        "no test: race | lost": (page, text.replace("race | lost\n    relay::a::one", "race | lost")),
        "no such test: relay::a::helper, of: phone | none | granted": (page, text.replace("a::one", "a::helper", 1)),
        "no such test: model::one, of: phone | none | granted": (page, text.replace("relay::a::one", "model::one", 1)),
        "no such test: gone::one, of: race | lost": (page, text.replace("lost\n    relay::a", "lost\n    gone")),
        "listed twice: race | lost": (page, text + "race | lost\n    relay::a::one\n"),
        "of no row: relay::a::one": (page, "    relay::a::one\n" + text),
        "two rows are named alike: race | lost": (page + "| lost | once more |\n", text),
        "the table of the race was not found": (page.replace("## Races", "## Runs"), text),
    }
    for expected, (changed, named) in bad.items():
        found = list(complaints(changed, named, sources))
        assert expected in found, (expected, found)
    print(f"rows: {len(bad)} faults were found, a sound list was not")


def main():
    self_test()
    if "--self-test" in sys.argv[1:]:
        return
    root = Path(__file__).resolve().parent.parent
    page = (root / "docs/relay.md").read_text()
    text = (root / "tests/properties/relay/rows.txt").read_text()
    tests = root / "tests"
    sources = {path.relative_to(tests).as_posix(): path.read_text() for path in tests.rglob("*.rs")}
    found = list(complaints(page, text, sources))
    for complaint in found:
        print(complaint, file=sys.stderr)
    named = {test for _, test in listed(text) if test}
    print(f"rows: {len(list(rows(page)))} rows of docs/relay.md, {len(named)} tests of them, {len(found)} complaints")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
