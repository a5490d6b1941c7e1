"""Cases of session.json: sessions that start again, at once, or are lost, and what clocks do to them.

Licence: MIT OR Apache-2.0.
"""

from handshake import MAX_START
from notation import NOW
from session_cases import SessionCase
from sessions import THIRTY_DAYS


def session_search(name, accounts, script, want, one_time_prekeys=2):
    """Runs the script until the ids of the started sessions are as wanted."""
    for attempt in range(64):
        case = SessionCase(f"{name} ({attempt})", accounts, one_time_prekeys)
        case.run(script)
        if want([i for _, i in case.started]):
            return case
    raise AssertionError(name)


def both_active(case, session_id):
    for by in "ab":
        assert case.active(by).id == session_id, (case.name, by)


def session_restarts(accounts):
    """One side starts again while a session is there, which has the smaller id each time."""
    smaller_first = lambda ids: ids[0] < ids[1]
    settled = """
a* four
a: a0 a1              a1 is held back
b< a0
b: b0 b1              b1 is held back
a< b0
a: a2 a3              a3 is held back
b< a2
b: b2
a< b2
"""

    def done(name, case, later_by=1):
        both_active(case, case.started[-1][1])
        starts = [s for s in case.steps if s["op"] == "start"]
        assert starts[0]["started_at"] == NOW and starts[1]["started_at"] == NOW + later_by
        for s in case.steps:
            if s.get("expect") == "opens" and s["session_id"] == starts[0]["session_id"] and s.get("archived"):
                assert s["active"] == starts[1]["session_id"]
        return case.result() | {"name": name, "active_afterwards": case.started[-1][1]}

    name = "the responder starts again, its clock an hour behind"
    case = session_search(name, accounts, settled + "b@ -3600000\nb* four", smaller_first)
    case.run("""
b: b3 b4
a< b4                 1 ms later than the active session, which a started and whose id is smaller
a< b1                 late, in the archive
a: a4                 in the new session
b< a3                 late, in the archive, before the answer
b< a4                 the answer
b: b5                 without handshake
a< b5 b3 b4!
b< a1                 late, in the archive, with a handshake that is not run again
a: a5
b< a5
""")
    yield done(name, case)

    name = "the initiator starts again, a minute later by its clock"
    case = session_search(name, accounts, settled + "a@ +60000\na* three", smaller_first)
    case.run("""
a: a4 a5
b< a4                 the later start
b< a1                 late, in the archive, with a handshake that is not run again
b: b3                 in the new session
a< b1                 late, in the archive, before the answer
a< b3
b< a3 a5
a: a6
b< a6 a1!
""")
    yield done(name, case, 60_000)

    name = "the responder starts again before it has answered"
    case = session_search(name, accounts, """
a* three
a: a0 a1
b< a0
b* four
""", smaller_first)
    case.run("""
b: b0
a< b0                 the later start, although a's session is unanswered and its id is smaller
b< a1                 late, in the archive, with a handshake that is not run again
a: a2
b< a2
b: b1
a< b1
""")
    yield done(name, case)

    name = "the responder starts again, and the answer comes after that"
    case = session_search(name, accounts, """
a* four
a: a0 a1
b< a0
b: b0                 the answer, which is late
b* three
""", smaller_first)
    case.run("""
b: b1
a: a2                 in the session that b has left, with its handshake
a< b1                 the later start
a< b0                 the answer to a's session opens in the archive
b< a2
a: a3
b< a3 a1
b: b2
a< b2
""")
    yield done(name, case)

    for smaller in "ab":
        other = SessionCase.peer(smaller)
        name = f"both start again at once, the session of {smaller} is active"
        case = session_search(name, accounts, settled + "a* four\nb* three", lambda ids: (ids[1] < ids[2]) == (smaller == "a"))
        ids = dict(case.started[1:])
        assert all(s["started_at"] == NOW + 1 for s in case.steps[-2:])
        n, m = (4, 3) if smaller == "a" else (3, 4)
        x, y = smaller, other
        held_x, held_y = ("b1", "a3") if smaller == "a" else ("a3", "b1")
        case.run(f"""
{x}: {x}{n} {x}{n + 1}              each side in its own session
{y}: {y}{m} {y}{m + 1}
{y}< {x}{n + 1}                 the smaller one of two with the same start
{y}: {y}{m + 2}                 the answer, in the smaller one
{x}< {y}{m + 2}                 answered, before anything of the larger one came
{x}< {y}{m}                 the larger one is archived
{x}< {held_x}                 late, of the session before
{y}< {held_y} {x}{n}
{x}: {x}{n + 2}                 without handshake
{y}< {x}{n + 2}
{y}: {y}{m + 3}
{x}< {y}{m + 3} {y}{m + 1}
""")
        both_active(case, ids[smaller])
        assert min(ids, key=ids.get) == smaller
        yield case.result() | {"name": name, "active_afterwards": ids[smaller]}


def session_crossings(accounts):
    """Both start at once, in the same millisecond. Twice each, so that each side's session is once the smaller one."""
    scripts = (
        ("both start", True, """
{s}: {s}0 {s}1              in its own session
{o}: {o}0 {o}1              in its own session
{o}< {s}1
{s}< {o}0
{s}: {s}2                 not answered in this session: carries the handshake
{o}< {s}2
{o}: {o}2                 the answer, in the active session
{o}< {s}0                 late, of the active session
{s}< {o}1                 opens in the archived session
{s}< {o}2                 answered
{s}: {s}3 {s}4              without handshake
{o}< {s}4 {s}3 {s}4!
{o}: {o}3
{s}< {o}3 {o}0! {o}1!
"""),
        ("both start, the answer comes before the other's first message", False, """
{s}: {s}0 {s}1
{o}: {o}0 {o}1
{o}< {s}0                 the smaller one becomes active
{o}: {o}2                 answers in it
{s}< {o}2                 answered, and nothing of the larger one has come yet
{s}< {o}0                 the late first message of the larger one: archived although the smaller one is answered
{s}: {s}2                 without handshake
{o}< {s}2
{s}< {o}1
{o}< {s}1
{o}: {o}3
{s}< {o}3 {o}0!
"""),
        ("both start, the first message of the smaller session is the last to come", True, """
{s}: {s}0
{o}: {o}0 {o}1
{s}< {o}0                 the larger one is archived
{s}: {s}1                 in the smaller one, with its handshake
{o}< {s}1                 it becomes active, by its second message
{o}: {o}2                 answers in it
{s}< {o}2
{s}< {o}1                 late, in the archive
{s}: {s}2
{o}< {s}2
{o}< {s}0                 the late first message
{o}: {o}3
{s}< {o}3 {o}1!
"""),
    )
    for what, opk, script in scripts:
        for smaller in "ab":
            name = f"{what}, the session of {smaller} is active"
            first = "a* four\nb* four" if (smaller == "a") == opk else "a* three\nb* three"
            case = session_search(name, accounts, first, lambda ids: (ids[0] < ids[1]) == (smaller == "a"))
            ids = dict(case.started)
            other = SessionCase.peer(smaller)
            case.run(script.format(s=smaller, o=other))
            both_active(case, ids[smaller])
            for by in "ab":
                d, peer = case.device[by], case.device[SessionCase.peer(by)].address
                assert [s.id for s in d.archived[peer]] == [ids[other]]
            assert all(s["active"] == ids[smaller] for s in case.steps if s.get("expect") == "opens")
            yield case.result() | {
                "name": name, "session_id_started_by_a": ids["a"], "session_id_started_by_b": ids["b"], "active_afterwards": ids[smaller],
            }


def session_clocks(accounts):
    """Both start at once, with different clocks: the id decides nothing, and the larger one is the active one each time."""
    for later, ahead in (("a", 1), ("b", 3_600_000)):
        other = SessionCase.peer(later)
        name = f"both start, the clock of {later} is {ahead:,} ms ahead"
        case = session_search(name, accounts, f"{later}@ +{ahead}\na* three\nb* three", lambda ids: (ids[0] > ids[1]) == (later == "a"), 0)
        ids = dict(case.started)
        case.run("""
{s}: {s}0
{o}: {o}0 {o}1
{s}< {o}0                 the earlier one is archived
{s}: {s}1
{o}< {s}1                 the later one is active, by its second message
{o}: {o}2
{s}< {o}2 {o}1
{o}< {s}0
{o}: {o}3
{s}< {o}3
""".format(s=later, o=other))
        both_active(case, ids[later])
        yield case.result() | {"name": name, "active_afterwards": ids[later]}


def session_three_starts(accounts):
    """Crossing starts and a third one, and a first message of the three that comes last."""
    for first in "ab":
        other = SessionCase.peer(first)
        name = f"three starts, the last by {other}, whose first one comes late"
        case = session_search(name, accounts, "a* three\nb* three", lambda ids: (ids[0] < ids[1]) == (first == "a"), 0)
        case.run("""
{s}: {s}0
{o}: {o}0                 late
{o}< {s}0                 the smaller one of two with the same start
{o}* three
{o}: {o}1
{s}< {o}1                 1 ms later
{s}< {o}0                 archived at once: both others go before it
{s}: {s}1
{o}< {s}1
{o}: {o}2
{s}< {o}2
""".format(s=first, o=other))
        both_active(case, case.started[2][1])
        yield case.result() | {"name": name, "active_afterwards": case.started[2][1]}

    name = "three starts, the last by a, whose clock is a second behind, and whose first one comes late"
    case = SessionCase(name, accounts, 0)
    case.run("""
a@ -1000
a* three
b* three
a: a0                 late
b: b0
a< b0                 b's clock is ahead
a* three
a: a1
b: b1
b< a1                 1 ms later than b's session, which is unanswered
b< a0                 archived at once
a< b1
b: b2
a< b2
a: a2
b< a2
""")
    assert [x["started_at"] - NOW for x in case.steps if x["op"] == "start"] == [-1000, 0, 1]
    both_active(case, case.started[2][1])
    yield case.result() | {"name": name, "active_afterwards": case.started[2][1]}


def session_lost(accounts):
    """a loses its sessions and starts again."""
    first = """
a* three
a: a0
b< a0
b: b0 b1              b1 is held back
a< b0
a-                    as before the first step
"""
    found = """
b: b2                 in the new session
a< b2
a< b1~1              of the session that a has lost
a: a2
b< a2
"""
    not_found = """
b: b2                 in the old session
a< b2~1 b1~1          of the session that a has lost
b* three              later than any session that b has
b: b3
a< b3
a: a2
b< a2
b: b4
a< b4
"""
    smaller, larger = lambda ids: ids[1] < ids[0], lambda ids: ids[1] > ids[0]
    for what, clock, want, wins in (
        ("1 ms ahead", "+1", larger, True), ("equal, the new session's id is smaller", "+0", smaller, True),
        ("equal, the new session's id is larger", "+0", larger, False), ("1 ms behind", "-1", smaller, False),
    ):
        name = f"a has lost its sessions, its clock is {what}"
        case = session_search(name, accounts, first + f"a@ {clock}\na* three", want, 0)
        case.run("a: a1\nb< a1")
        assert (case.active("b").id == case.started[1][1]) == wins
        case.run(found if wins else not_found)
        both_active(case, case.started[-1][1])
        yield case.result() | {"name": name, "active_afterwards": case.started[-1][1]}


def session_far_future(accounts):
    name = "started by a clock at 2^64 - 2, and again by the other side"
    case = SessionCase(name, accounts, 0)
    begin = f"""
a@ {MAX_START - 1}
a* three
a: a0
a@ +0
b< a0
b: b0
a< b0
"""
    case.run(begin.rstrip() + """
b* three              1 ms later
b: b1
a< b1
a: a1
b< a1
b: b2
a< b2
""")
    assert [x["started_at"] for x in case.steps if x["op"] == "start" and "expect" not in x] == [2**62, 2**62 + 1]
    both_active(case, case.started[1][1])
    yield case.result() | {"name": name, "active_afterwards": case.started[1][1]}

    name = "started by a clock at 2^64 - 2, and again by both sides at once"
    case = session_search(name, accounts, begin.rstrip() + f"""
a@ {MAX_START}
a* three              1 ms later
a@ +0
b* three              the same
""", lambda ids: ids[1] < ids[2], 0)
    case.run("""
a: a1
b: b1
a< b1
b< a1                 the smaller one of two with the same start
b: b2
a< b2
""")
    both_active(case, case.started[1][1])
    yield case.result() | {"name": name, "active_afterwards": case.started[1][1]}


def session_unanswered(accounts):
    """A device gives up a session that is not answered, and starts another."""
    name = "an unanswered session, given up after 30 days"
    case = SessionCase(name, accounts, 0)
    case.run(f"""
b* three
b@ +{THIRTY_DAYS - 1}
b@ +{THIRTY_DAYS}
b* three
b: b0
a< b0
a: a0
b< a0
""")
    assert [x["started_at"] - NOW for x in case.steps if x["op"] == "start" and "expect" not in x] == [0, THIRTY_DAYS]
    both_active(case, case.started[-1][1])
    yield case.result() | {"name": name, "active_afterwards": case.started[-1][1]}

    name = "an unanswered session that follows one of a fast clock, given up after 30 days"
    case = SessionCase(name, accounts, 0)
    case.run(f"""
a@ +{2 * THIRTY_DAYS}
a* three
a: a0 a1              a1 is late
b< a0
b* three              1 ms later than that
b@ +{THIRTY_DAYS - 1}
b@ +{THIRTY_DAYS + 1}
b* three              again 1 ms later; a's session is 30 days in the archive and goes
b: b0
a< b0
b< a1~1               the id is remembered, and the message was never opened
a: a2
b< a2
""")
    assert [x["started_at"] - NOW - 2 * THIRTY_DAYS for x in case.steps if x["op"] == "start" and "expect" not in x] == [0, 1, 2]
    assert case.steps[-1]["archived"] == [case.started[1][1]]
    both_active(case, case.started[-1][1])
    yield case.result() | {"name": name, "active_afterwards": case.started[-1][1]}
