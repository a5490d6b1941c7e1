"""Which session is active, checked over schedules by chance.

Licence: MIT OR Apache-2.0.
"""

from handshake import MAX_START
from keys import from_le
from notation import seed
from sessions import goes_before, next_start


class ModelSession:
    def __init__(self, number, started_at, identity, starter):
        self.number, self.started_at, self.id, self.starter = number, started_at, identity, starter


def model_check(schedules=12_000):
    """Random schedules of section 8 without bytes: starts, sending, delivery in any order, twice or never, clocks that go their own
    ways, no lost state. At every point the active session of a side is the first in the order of all that it has met; once each
    side has sent and everything has come, both have the same one. Returns how many schedules had how many starts."""
    state = from_le(seed("model"))

    def pick(n):
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (state >> 33) % n

    starts = {}
    for _ in range(schedules):
        sessions, flying = [], []
        active, met, opened = [None, None], [[], []], set()
        clock = [pick(4) + 1, pick(4) + 1]
        near_end = pick(16) == 0
        if near_end:
            clock[pick(2)] = MAX_START - pick(3)

        def make(by, session):
            met[by].append(session)
            if active[by] is None or goes_before(session, active[by]):
                active[by] = session
            assert all(one is active[by] or goes_before(active[by], one) for one in met[by])

        def start(by):
            one = active[by]
            if one is not None and one.starter == by and (by, one.number) not in opened:
                return
            if one is not None and one.started_at == MAX_START:
                return   # the end of time: the next start would tie with this one
            started_at = next_start(clock[by], one)
            session = ModelSession(len(sessions), started_at, bytes([pick(256), pick(256), len(sessions)]), by)
            sessions.append(session)
            make(by, session)
            assert active[by] is session

        def send(by):
            one = active[by]
            if one is not None:
                flying.append((by, one, one.starter == by and (by, one.number) not in opened))

        def deliver(i, keep=False):
            by, session, carried = flying[i] if keep else flying.pop(i)
            to = 1 - by
            if session not in met[to]:
                assert carried and session.starter == by   # the peer's first envelope carries a handshake
                make(to, session)
            opened.add((to, session.number))

        for _ in range(4 + pick(80)):
            action, by = pick(10), pick(2)
            if action == 0:
                clock[by] = max(1, min(MAX_START, clock[by] + pick(7) - 3))
            elif action < 3:
                start(by)
            elif action < 6:
                send(by)
            elif flying:
                i = pick(len(flying))
                if pick(8) == 0:
                    flying.pop(i)     # lost
                else:
                    deliver(i, keep=pick(8) == 0)
        if not sessions:
            continue
        send(0), send(1)
        while flying:
            deliver(pick(len(flying)))
        assert active[0] is active[1] is not None, "the two sides differ"
        send(0), send(1)
        while flying:
            deliver(pick(len(flying)))
        assert active[0] is active[1]
        starts[len(sessions)] = starts.get(len(sessions), 0) + 1
    assert sum(n for many, n in starts.items() if many >= 3) > schedules // 4
    return starts
