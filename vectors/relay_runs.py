"""Whole runs of a relay, from the code to the end."""

import copy

from notation import filler, u64be
from relay_cases import frames_to_try, links_to_try, relay_labels
from relay_frames import (
    ACKNOWLEDGED, AS_READ, BYE, ENDED, FOUND, GAP, ONE_DAY, OWN_SENT, QUERY, RELAYED, SUPERSEDED, TO_SEND, UNKNOWN, frame_content, lp16, message_content,
    outcomes_bytes, read_frame_of_relay, relay_addr, relayed_message_id,
)
from relay_model import RelayRun, relay_start
from relay_pairing import Pairing
from sessions import FOURTEEN_DAYS, NAMED, TO_ACCOUNT, message_id


def notes_as_read(run, at, event, name, number):
    """A request to note an event as read, which is done without a word of the user's; the answer."""
    peer, of_message = run.peer, message_id(event["envelope"])
    noted = run.request(at, AS_READ, relay_addr(peer.account, 0) + of_message, name)
    run.step("request", time=at, what="as read", account_id=peer.account, device_id=0, message_id=of_message, **noted | {
        "draws": [noted["request_id"], *noted["draws"]]})
    frame = run.opens(run.phone, at, noted)
    run.takes(frame)
    answer = run.answer(at, number)
    run.step("phone takes", time=at, envelope=noted["envelope"], said=frame, word=None, outcome="done", digest=noted["digest"], draws=answer["draws"], told=[answer])
    return answer


def relay_run():
    """From the pairing to the end; and, on the way, what can be tried at both ends once the first request has gone out."""
    run = RelayRun(Pairing("run", 20))
    phone, desktop, peer = run.phone, run.desktop, run.peer
    at = relay_start(run)
    pairing_step = len(run.steps)
    shared = filler("relay run shared id", 16)

    # A request to send: the phone asks its user, does it with the word, and tells what becomes of it.
    at += 1_000
    body = lp16(peer.account) + lp16(b"bound") + b"from the desktop"
    sent = run.request(at, TO_SEND, body, "to send")
    run.step("request", time=at, what="send", account_id=peer.account, associated_data=b"bound", text=b"from the desktop", **sent | {
        "draws": [sent["request_id"], *sent["draws"]]})

    # Two asks that nothing has answered yet.
    asks = []
    for _ in range(2):
        at += 1_000
        asks.append(run.ask(at))
        run.step("ask", time=at, **asks[-1])
    tried = {"after": len(run.steps), "time": at} | frames_to_try(run, sent)
    labels = relay_labels(run)
    at += 1_000
    frame = run.opens(phone, at, sent)
    run.step("phone takes", time=at, envelope=sent["envelope"], said=frame, word=None, outcome="asks the user", draws=[], told=[])
    id_input, named = relayed_message_id(run.p.pairing_id, sent["request_id"])
    out = phone.send(run.label(), peer, b"from the desktop", b"bound", at, kind=NAMED, first=named, heading=bytes([TO_ACCOUNT]) + named)
    opened = peer.receive(phone.address, out["wire"], b"bound", at, message_content)
    assert opened["message_id"] == named and opened["content"] == b"\x24" + named + b"\x01" + named + b"from the desktop"
    run.takes(frame)
    answer = run.answer(at, frame["number"])
    run.step(
        "phone takes", time=at, envelope=sent["envelope"], said=frame, word=True, outcome="done", message_id_input=id_input, message_id=named,
        digest=sent["digest"], to_peer={"content": out["content"], "envelope": out["wire"]}, draws=out["draws"] + answer["draws"], told=[answer])

    # The second answer comes first, and behind it the first one says nothing any more. Both wait for the answer to the request.
    statuses = []
    for ask in asks:
        frame = run.opens(phone, at + 100, ask)
        statuses.append(run.status(at + 100, frame))
        run.step("phone takes", time=at + 100, envelope=ask["envelope"], said=frame, word=None, outcome="status", draws=statuses[-1]["draws"], told=[statuses[-1]])
    for status in statuses:
        run.at_desktop(at + 400, status, "early")
    run.at_desktop(at + 500, answer)
    run.at_desktop(at + 500, statuses[1])
    run.at_desktop(at + 500, statuses[0], "nothing")

    at += 1_000
    run.states[1] = (sent["request_id"], RELAYED)
    relayed = run.answer(at, 1)
    run.step("what became of it", time=at, number=1, request_id=sent["request_id"], state=RELAYED, draws=relayed["draws"], told=[relayed])
    run.at_desktop(at + 500, relayed)

    # Events: of a message to the account, of one to the phone alone, and one that was delivered by itself.
    at += 1_000
    for text, id_of_it in ((b"to the account", shared), (b"to the phone alone", None), (b"", filler("relay run another shared id", 16))):
        told = run.event(at, text, id_of_it)
        run.at_desktop(at + 100, told)
        at += 1_000

    # The own app sends.
    at += 1_000
    own_shared = run.p.take("own shared id", 16)
    out = phone.send(run.label(), peer, b"from the phone", b"bound", at, heading=bytes([TO_ACCOUNT]) + own_shared)
    peer.receive(phone.address, out["wire"], b"bound", at, message_content)
    told = run.tell(at, OWN_SENT, u64be(at) + lp16(peer.account) + own_shared + b"from the phone")
    run.step(
        "own app sends", time=at, to=peer.account, associated_data=b"bound", text=b"from the phone", shared_id=own_shared,
        to_peer={"content": out["content"], "envelope": out["wire"]}, draws=[own_shared, *out["draws"], *told["draws"]], told=[told])
    run.at_desktop(at + 100, told)

    # A request to note as read, and a query: with the first no user is asked.
    at += 1_000
    event = next(s for s in run.steps if s["op"] == "peer says" and s["told"])
    run.at_desktop(at + 100, notes_as_read(run, at, event, "as read", 2))

    at += 1_000
    asked = run.request(at, QUERY, b"what was said before", "query", not_after=at + 60_000)
    run.step("request", time=at, what="query", text=b"what was said before", **asked | {"draws": [asked["request_id"], *asked["draws"]]})
    frame = run.opens(phone, at, asked)
    run.takes(frame)
    answer = run.answer(at, 3)
    run.step("phone takes", time=at, envelope=asked["envelope"], said=frame, word=True, outcome="done", digest=asked["digest"], draws=answer["draws"], told=[answer])
    found = run.tell(at + 10, FOUND, asked["request_id"] + b"this was found")
    run.step("found", time=at + 10, number=3, request_id=asked["request_id"], text=b"this was found", draws=found["draws"], told=[found])
    run.at_desktop(at + 100, answer)
    run.at_desktop(at + 100, found)

    at += 1_000
    acknowledged = run.from_desktop(at, ACKNOWLEDGED)
    run.step("acknowledge", time=at, **acknowledged)
    frame = run.opens(phone, at, acknowledged)
    assert run.acked == run.next - 1 == run.shown
    run.step("phone takes", time=at, envelope=acknowledged["envelope"], said=frame, word=None, outcome="nothing", draws=[], told=[])

    # The time runs out: what comes then is missed, and no gap of it is told. The phone says so to the first ask, and to none within a day from then on.
    at += 1_000
    waits = run.event(at, b"it waits", shared)
    run.step("the last millisecond", time=run.good_until)
    for late in (1, 5_001):
        at = run.good_until + late
        envelope = run.peer_says(at, b"missed", shared)
        run.missed.append(at)
        run.step("peer says", time=at, envelope=envelope, associated_data=b"data", text=b"missed", shared_id=shared, draws=[], told=[])
    statuses = []
    for after, answered in ((1_000, True), (1_000, False), (ONE_DAY, True)):
        at += after
        ask = run.ask(at)
        run.step("ask", time=at, **ask)
        frame = run.opens(phone, at + 100, ask)
        told = [run.status(at + 100, frame)] if answered else []
        statuses += told
        run.step(
            "phone takes", time=at + 100, envelope=ask["envelope"], said=frame, word=None, outcome="status" if answered else "nothing",
            draws=[d for x in told for d in x["draws"]], told=told)
    # They renew nothing, so they wait for the event before them, which waits for a renewal.
    for status in statuses:
        run.at_desktop(at + 200, status, "early")

    # After a renewal a status says so, before all that waits, and a gap comes behind it.
    at += 1_000
    ask = run.ask(at)
    run.step("ask", time=at, **ask)
    run.good_until = at + 10 + FOURTEEN_DAYS
    run.step("renew", time=at + 10, good_until=run.good_until)
    at += 20
    frame = run.opens(phone, at, ask)
    status = run.status(at, frame)
    gap = run.tell(at, GAP, u64be(len(run.missed)) + u64be(run.missed[0]) + u64be(run.missed[-1]))
    run.missed = []
    run.step("phone takes", time=at, envelope=ask["envelope"], said=frame, word=None, outcome="status", draws=status["draws"] + gap["draws"], told=[status, gap])
    run.at_desktop(at + 10, status)
    run.at_desktop(at + 10, gap, "early")
    run.at_desktop(at + 10, waits)
    run.at_desktop(at + 10, gap)
    for status in statuses:
        run.at_desktop(at + 20, status, "nothing")

    # The desktop joins anew: the former session's notice, a status, and a gap of what it has not shown.
    at += 1_000
    lost = run.event(at, b"never delivered", shared)
    assert lost
    at += 1_000
    waiting = run.request(at, QUERY, b"it never arrives", "lost query")
    run.step("request", time=at, what="query", text=b"it never arrives", **waiting | {"draws": [waiting["request_id"], *waiting["draws"]]})
    late = run.from_desktop(at, ACKNOWLEDGED)
    run.step("acknowledge", time=at, **late)
    at += 1_000
    former = copy.deepcopy(phone.active[desktop.address])
    again = run.joins_anew(at, phone.bundles_with[1])
    at += 1_000
    notice = run.from_phone(at, SUPERSEDED, b"")
    frame = run.opens(phone, at, again)
    assert phone.active[desktop.address].id != former.id
    assert (frame["ack"], frame["first"], frame["next"]) == (run.shown, 4, 5)
    run.step("phone takes", time=at, envelope=again["envelope"], said=frame, word=None, outcome="asks the user", draws=[], told=[])
    count = run.next - 1 - frame["ack"]
    assert count == 1
    run.acked, run.taken = run.next - 1, frame["next"] - 1
    status = run.status(at, frame)
    gap = run.tell(at, GAP, u64be(count) + u64be(at) + u64be(at))
    run.step(
        "phone takes", time=at, envelope=again["envelope"], said=frame, word=True, outcome="joined anew", draws=notice["draws"] + status["draws"] + gap["draws"],
        notice=notice, told=[status, gap])
    frame = run.opens(phone, at, late)
    run.step("phone takes", time=at, envelope=late["envelope"], said=frame, word=None, outcome="superseded", draws=[], told=[notice])
    run.at_desktop(at + 10, status, outcomes=[{"number": 4, "request_id": waiting["request_id"], "state": UNKNOWN}])
    assert (run.shown, run.answered) == (run.acked, 4)
    run.at_desktop(at + 10, gap)

    # Numbers go on. Detached, with the outcomes of what was taken, while a request is under way.
    at += 1_000
    run.at_desktop(at + 100, notes_as_read(run, at, event, "as read again", 5))
    at += 1_000
    never = run.request(at, QUERY, b"it is never done", "never done")
    run.step("request", time=at, what="query", text=b"it is never done", **never | {"draws": [never["request_id"], *never["draws"]]})
    at += 1_000
    ended = run.from_phone(at, ENDED, b"\x01" + outcomes_bytes([(n, *run.states[n]) for n in sorted(run.states)]))
    run.step("detach", time=at, notice=ended, draws=ended["draws"])
    frame = run.opens(desktop, at + 100, ended)
    run.step("desktop takes", time=at + 100, envelope=ended["envelope"], frame=ended["frame"], said=frame, outcomes=[
        {"number": never["number"], "request_id": never["request_id"], "state": None}])
    run.step("phone takes", time=at + 200, envelope=never["envelope"], said=None, word=None, outcome="ended", draws=[], told=[ended])
    return run, pairing_step, tried, labels


def relay_went_back():
    """A phone whose store goes back, a desktop that acknowledges more than that phone has told, joins anew and leaves."""
    run = RelayRun(Pairing("went back", 16))
    phone, desktop, peer = run.phone, run.desktop, run.peer
    at = relay_start(run) + 1_000
    for i in range(3):
        if i == 1:
            kept = copy.deepcopy((phone.__dict__, run.next, run.link))
            run.step("keep", time=at)
        run.at_desktop(at + 10, run.event(at, b"event %d" % i))
        at += 1_000
    phone.__dict__, run.next, run.link = kept
    run.step("go back", time=at)
    ask = run.ask(at)
    run.step("ask", time=at, **ask)
    at += 10
    frame = read_frame_of_relay(phone.receive(desktop.address, ask["envelope"], b"", at, frame_content)["content"][2:], False)
    assert frame["ack"] == 3 >= run.next == 2 and run.acked == 0
    status = run.status(at, frame, suspended=1)
    run.step("phone takes", time=at, envelope=ask["envelope"], said=frame, word=None, outcome="went back", draws=status["draws"], told=[status])
    run.at_desktop(at + 10, status, "suspended")
    at += 1_000
    # It has told up to 3; `next` goes on above that, and the link stays that of the last frame that this phone knows to have told.
    again = run.joins_anew(at, phone.bundles_with[1])
    at += 10
    status, gap = run.lets_in(at, again)
    assert gap["frame"][29:37] == bytes(8)
    run.at_desktop(at + 10, status)
    run.at_desktop(at + 10, gap)

    # A status with an outcome; it waits for the answer before it.
    at += 1_000
    first = next(s for s in run.steps if s["op"] == "peer says" and s["told"])
    answer = notes_as_read(run, at, first, "as read", 1)
    ask = run.ask(at + 100)
    run.step("ask", time=at + 100, **ask)
    at += 200
    frame = run.opens(phone, at, ask)
    status = run.status(at, frame)
    said = read_frame_of_relay(status["frame"], True)
    assert said["outcomes"] and said["from"] == run.shown + 1 < said["next"]
    run.step("phone takes", time=at, envelope=ask["envelope"], said=frame, word=None, outcome="status", draws=status["draws"], told=[status])
    run.at_desktop(at, status, "early")
    run.at_desktop(at, answer)
    run.at_desktop(at, status)

    at += 1_000
    bye = run.from_desktop(at, BYE)
    run.step("leave", time=at, **bye)
    frame = run.opens(phone, at + 10, bye)
    run.step("phone takes", time=at + 10, envelope=bye["envelope"], said=frame, word=None, outcome="left", draws=[], told=[])
    run.step("phone takes", time=at + 20, envelope=bye["envelope"], said=None, word=None, outcome="ended", draws=[], told=[])
    return run.result()


def relay_diverged(by_status):
    """A phone whose store goes back and that tells other frames under the numbers it has used: the desktop sees that by the next frame, or by a status."""
    run = RelayRun(Pairing(f"diverged by {'status' if by_status else 'frame'}", 16))
    phone, desktop = run.phone, run.desktop
    at = relay_start(run) + 1_000
    run.at_desktop(at + 10, run.event(at, b"told both times"))
    at += 1_000
    kept = copy.deepcopy((phone.__dict__, run.next, run.link))
    run.step("keep", time=at)
    run.at_desktop(at + 10, run.event(at, b"told the first time"))
    at += 1_000
    phone.__dict__, run.next, run.link = kept
    run.step("go back", time=at)
    # Number 2 again: the desktop's session has opened a message in this one's place.
    run.desktop_refuses(at + 10, run.event(at, b"told the second time"))
    at += 1_000
    if by_status:
        ask = run.ask(at)
        run.step("ask", time=at, **ask)
        frame = run.opens(phone, at, ask)
        status = run.status(at, frame)
        assert frame["ack"] == 2 == run.acked == run.next - 1 and frame["lacks"] == 0
        run.step("phone takes", time=at, envelope=ask["envelope"], said=frame, word=None, outcome="status", draws=status["draws"], told=[status])
        run.at_desktop(at + 10, status, "phone went back")
    else:
        run.at_desktop(at + 10, run.event(at, b"and one behind it"), "phone went back")

    # It joins anew and says that it lacks something, and is told a gap of 0.
    at += 1_000
    again = run.joins_anew(at, phone.bundles_with[1])
    status, *gaps = run.lets_in(at, again)
    assert [gap["frame"][29:37] for gap in gaps] == [u64be(count) for count in ([0] if by_status else [0, 1])]
    run.at_desktop(at + 10, status)
    if by_status:
        # It joins anew once more, and the gap is not shown yet: it lacks nothing by its own word, and is told a gap of 0 again.
        at += 1_000
        again = run.joins_anew(at, phone.bundle, " again")
        frame = read_frame_of_relay(again["frame"], False)
        assert (frame["lacks"], frame["ack"]) == (0, 2)
        status, *gaps = run.lets_in(at, again)
        assert [gap["frame"][29:37] for gap in gaps] == [u64be(0), u64be(1)]
        run.at_desktop(at + 10, status)
    for gap in gaps:
        run.at_desktop(at + 10, gap)
    at += 1_000
    run.at_desktop(at + 10, run.event(at, b"and so on"))
    ask = run.ask(at + 20)
    assert read_frame_of_relay(ask["frame"], False)["lacks"] == 0
    run.step("ask", time=at + 20, **ask)
    if by_status:
        # And once more, and it leaves before it is let in: the bye is taken in the new session, and what comes after it is opened no more.
        at += 1_000
        again = run.joins_anew(at, phone.bundle, " at last")
        bye = run.from_desktop(at + 10, BYE)
        run.step("leave", time=at + 10, **bye)
        frame = read_frame_of_relay(phone.receive(desktop.address, bye["envelope"], b"", at, frame_content)["content"][2:], False)
        run.step("phone takes", time=at + 20, envelope=bye["envelope"], said=frame, word=None, outcome="left", draws=[], told=[])
        for late in (again, ask):
            run.step("phone takes", time=at + 20, envelope=late["envelope"], said=None, word=None, outcome="ended", draws=[], told=[])
    return run.result()


def relay_later_status():
    """The first status after a joining is lost, and a later one comes: the link of what is told next is not known, and any is taken. Then two answers in their order."""
    run = RelayRun(Pairing("later status", 16))
    phone, tried = run.phone, []
    at = relay_start(run) + 1_000
    asked = run.request(at, QUERY, b"text", "query")
    run.request_id = asked["request_id"]
    run.step("request", time=at, what="query", text=b"text", **asked | {"draws": [asked["request_id"], *asked["draws"]]})
    frame = run.opens(phone, at, asked)
    run.takes(frame)
    answer = run.answer(at, 1)
    run.step("phone takes", time=at, envelope=asked["envelope"], said=frame, word=True, outcome="done", digest=asked["digest"], draws=answer["draws"], told=[answer])
    run.at_desktop(at + 10, answer)
    run.event(at + 100, b"never delivered")
    at += 1_000
    again = run.joins_anew(at, phone.bundles_with[1])
    first, gap = run.lets_in(at, again)
    at += 1_000
    ask = run.ask(at)
    run.step("ask", time=at, **ask)
    frame = run.opens(phone, at, ask)
    later = run.status(at, frame)
    run.step("phone takes", time=at, envelope=ask["envelope"], said=frame, word=None, outcome="status", draws=later["draws"], told=[later])
    assert read_frame_of_relay(later["frame"], True)["link"] != read_frame_of_relay(gap["frame"], True)["link"]
    run.at_desktop(at + 10, later)
    tried.append(links_to_try(run))
    run.at_desktop(at + 10, first, "nothing")
    run.at_desktop(at + 10, gap)
    at += 1_000
    run.at_desktop(at + 10, run.event(at, b"behind it"))

    at += 1_000
    asks = []
    for _ in range(2):
        asks.append(run.ask(at))
        run.step("ask", time=at, **asks[-1])
        at += 1_000
    tried.append(links_to_try(run))
    for ask in asks:
        frame = run.opens(phone, at, ask)
        status = run.status(at, frame)
        run.step("phone takes", time=at, envelope=ask["envelope"], said=frame, word=None, outcome="status", draws=status["draws"], told=[status])
        run.at_desktop(at + 10, status)
    return run.result() | {"tried": tried}
