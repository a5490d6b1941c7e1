"""A desktop that becomes a companion (docs/relay.md, "Upgrade")."""

import copy

from companions import (
    SIGNED_LIST, TOLERANCE, WINDOW, account_of, certificate_body, certificate_signed, check_certificate, check_list, encode_certificate, list_body,
    list_digest, read_certificate_body, sign_list, which_list,
)
from keys import public_key, sign_published, xeddsa_verify
from notation import Refused, filler, read_message, refuse_if, u64be, uint_field
from relay_frames import (
    ACCEPTANCE, ACKNOWLEDGED, ANSWER, FROM_PHONE, FRONT, GAP, IS_UPGRADED, MAX_COUNTED, NO_LINK, NO_OFFER, OFFER_FRAME, PASSED_ON, QUERY, SUPERSEDED, TOO_LATE,
    TO_UPGRADE, UPGRADED, encode_frame, frame_length, lp16, message_content, outcome_bytes, read_frame_of_relay, relay_addr,
)
from relay_model import RelayRun, relay_start, sealed_at
from relay_pairing import Pairing
from sessions import AGAIN, MESSAGE, TO_ACCOUNT, encode_stamp


class Upgrade:
    """A pairing whose desktop becomes a companion, with every part that could be another one."""

    def __init__(self, run, incarnation, device_z, account_z, list_z, signed_at, listed_at):
        self.run, self.phone, self.desktop = run, run.phone, run.desktop
        self.incarnation, self.device_z, self.account_z, self.list_z = incarnation, device_z, account_z, list_z
        self.signed_at, self.listed_at = signed_at, listed_at
        self.body = self.make_body()
        self.account_signed, self.device_signed = (self.signed(x) for x in (b"\x06\x00", b"\x06\x01"))
        self.account_signature = sign_published(self.phone.identity, self.account_signed, account_z)
        self.device_signature = sign_published(self.desktop.identity, self.device_signed, device_z)
        self.certificate = encode_certificate(self.body, self.desktop.public, self.account_signature, self.device_signature)
        self.entries = [(self.desktop.device, 1, self.desktop.public)]
        self.list = self.make_list(list_z)
        self.digest = list_digest(self.phone.account, incarnation, self.phone.public, self.entries)
        check_certificate(self.phone.account, self.desktop.device, self.phone.public, check_list(self.phone.account, self.phone.public, self.list), self.certificate)

    def make_body(self, account=None, device=None, index=1, at=None, incarnation=None):
        return certificate_body(
            account or self.phone.account, self.desktop.device if device is None else device, index, self.signed_at if at is None else at,
            incarnation or self.incarnation)

    def signed(self, prefix, body=None, companion=None):
        return certificate_signed(prefix, body or self.body, self.phone.public, companion or self.desktop.public)

    def make_list(self, z, signs=None, entries=None, next_index=2, epoch=1, incarnation=None, at=None):
        at = self.listed_at if at is None else at
        body = list_body(
            self.phone.account, incarnation or self.incarnation, epoch, at, at + WINDOW, next_index,
            self.entries if entries is None else entries)
        return sign_list(signs or self.phone.identity, body, z)

    def check_offer(self, frame):
        """What the desktop checks of an offer."""
        body = frame["certificate_body"]
        b = read_certificate_body(body)
        refuse_if((b["account_id"], b["device_id"]) != (self.phone.account, self.desktop.device), "another address")
        refuse_if(xeddsa_verify(self.phone.public, self.signed(b"\x06\x00", body), frame["account_signature"]), "account's signature")

    def check_upgraded(self, frame, time):
        devices = check_list(self.phone.account, self.phone.public, frame["device_list"])
        # However old it is: rule 6 does not count here, as it does not at the account's phone.
        refuse_if(which_list(None, devices, time, own_phone=True) != "newer", "the list does not count")
        key = check_certificate(self.phone.account, self.desktop.device, self.phone.public, devices, frame["certificate"])
        refuse_if(key != self.desktop.public, "another key")


def upgrade_frames():
    """Kinds 15 to 18, tried at the ends of a pairing of their own, whose desktop has request 1 out."""
    run = RelayRun(Pairing("upgrade frames", 16))
    at = relay_start(run) + 1_000
    sent = run.request(at, QUERY, b"text", "query")
    start = run.steps
    start.append({"op": "request", "time": at, "what": "query", "text": b"text"} | sent | {"draws": [sent["request_id"], *sent["draws"]]})
    take = run.p.take
    u = Upgrade(run, filler("relay upgrade incarnation", 16), take("device z", 64), take("account z", 64), take("list z", 64), at, at)
    request, ids, n, top = sent["request_id"], [filler(f"relay upgrade id {i}", 16) for i in range(4)], u64be, MAX_COUNTED
    out = {"from_phone": {"taken": [], "refused": []}, "from_desktop": {"taken": [], "refused": []}}
    other = take("another identity", 32)

    def one(of, name, frame, expect=None, **more):
        device = run.phone if of == "from_phone" else run.desktop
        entry = {"name": name, "frame": frame, "envelope": sealed_at(run, device, f"{of} {name}", b"\x21\x08" + frame)}
        try:
            said = read_frame_of_relay(frame, of == "from_phone")
            if said["kind"] == OFFER_FRAME:
                u.check_offer(said)
            if said["kind"] == UPGRADED:
                u.check_upgraded(said, at)
            assert expect is not None, name
            out[of]["taken"].append(entry | {"expect": expect, "said": said} | more)
        except Refused as e:
            assert expect is None, (name, str(e))
            out[of]["refused"].append(entry | {"why": str(e)})

    def offer(number=1, body=None, signature=None, ack=0):
        return encode_frame(OFFER_FRAME, ack, n(number) + NO_LINK + ids[0] + lp16(u.body if body is None else body) + (signature or u.account_signature))

    def upgraded(number=1, certificate=None, signed=None):
        return encode_frame(UPGRADED, 0, n(number) + NO_LINK + lp16(u.certificate if certificate is None else certificate) + lp16(u.list if signed is None else signed))

    whole = {
        OFFER_FRAME: n(1) + NO_LINK + ids[0] + lp16(u.body) + u.account_signature, UPGRADED: n(1) + NO_LINK + lp16(u.certificate) + lp16(u.list),
        TO_UPGRADE: n(1) + ids[1] + n(top), ACCEPTANCE: n(1) + ids[1] + n(top) + u.device_signature,
    }
    one("from_phone", "offer", offer(), "offer")
    one("from_phone", "offer 2", offer(2), "early")
    one("from_phone", "upgraded", upgraded(), "upgraded")
    one("from_phone", "upgraded 2", upgraded(2), "early")
    one("from_desktop", "request to upgrade", encode_frame(TO_UPGRADE, 0, whole[TO_UPGRADE]), "asks the user")
    one("from_desktop", "request to upgrade, too late", encode_frame(TO_UPGRADE, 0, n(1) + ids[1] + n(1)), "answered", state=TOO_LATE)
    one("from_desktop", "request to upgrade, number 2", encode_frame(TO_UPGRADE, 0, n(2) + whole[TO_UPGRADE][8:]), "early")
    one("from_desktop", "acceptance, and no offer stands", encode_frame(ACCEPTANCE, 0, whole[ACCEPTANCE]), "answered", state=NO_OFFER)
    one("from_desktop", "acceptance, number 2", encode_frame(ACCEPTANCE, 0, n(2) + whole[ACCEPTANCE][8:]), "early")
    for state in (NO_OFFER, IS_UPGRADED):
        one("from_phone", f"answer, state {state}", encode_frame(ANSWER, 1, n(1) + NO_LINK + outcome_bytes(1, request, state)), "answer")
    for kind, body in whole.items():
        of = "from_phone" if kind in FROM_PHONE else "from_desktop"
        for cut in (1, 8, len(body) // 2, len(body)):
            one(of, f"kind {kind}, {cut} bytes cut", encode_frame(kind, 0, body[:-cut]))
        one(of, f"kind {kind}, a byte more", encode_frame(kind, 0, body + b"\0"))
        for length in (0, len(body) - 1, len(body) + 1, 2**32 - 1):
            one(of, f"kind {kind}, length {length}", encode_frame(kind, 0, body, length=length))
        zeros = frame_length(FRONT + len(body)) - FRONT - len(body)
        one(of, f"kind {kind}, the first of the padding", encode_frame(kind, 0, body, zeros=b"\x01" + bytes(zeros - 1)))
        one(of, f"kind {kind}, the last of the padding", encode_frame(kind, 0, body, zeros=bytes(zeros - 1) + b"\x80"))
        one(of, f"kind {kind}, ack 2^62 + 1", encode_frame(kind, top + 1, body))
        one(of, f"kind {kind}, number 2^62 + 1", encode_frame(kind, 0, n(top + 1) + body[8:]))
        one("from_phone" if of == "from_desktop" else "from_desktop", f"kind {kind}, of the other direction", encode_frame(kind, 0, body))
    for kind in (TO_UPGRADE, ACCEPTANCE):
        one("from_desktop", f"kind {kind}, number 0", encode_frame(kind, 0, n(0) + whole[kind][8:]))

    # An offer that does not hold: its frame is well-formed.
    count = 0

    def by(signs, signed):
        nonlocal count
        count += 1
        return sign_published(signs, signed, take(f"wrong z {count}", 64))

    account = run.phone.identity
    flip = lambda x, at=0: x[:at] + bytes([x[at] ^ 1]) + x[at + 1:]
    wrong = lambda name, body: one("from_phone", f"offer, {name}", offer(body=body, signature=by(account, u.signed(b"\x06\x00", body))))
    one("from_phone", "offer, signed by another key", offer(signature=by(other, u.account_signed)))
    one("from_phone", "offer, signed over the device's bytes", offer(signature=by(account, u.device_signed)))
    one("from_phone", "offer, the device's signature", offer(signature=u.device_signature))
    one("from_phone", "offer, signed for another key", offer(signature=by(account, u.signed(b"\x06\x00", companion=public_key(other)))))
    one("from_phone", "offer, a signature altered", offer(signature=flip(u.account_signature)))
    one("from_phone", "offer, a body altered", offer(body=u.make_body(index=2)))
    wrong("another device", u.make_body(device=run.desktop.device ^ 1))
    wrong("another account", u.make_body(account=account_of("relay another", 20)))
    wrong("device 0", u.make_body(device=0))
    wrong("index 0", u.make_body(index=0))
    wrong("linked at 0", u.make_body(at=0))
    wrong("incarnation of 15 bytes", u.make_body(incarnation=bytes(15)))
    wrong("an unknown field", u.body + uint_field(6, 1))
    wrong("no body", b"")

    # What is told as an upgrade and is none.
    z = lambda name: take(f"list {name} z", 64)
    cert = encode_certificate
    one("from_phone", "upgraded, a list that does not name it", upgraded(signed=u.make_list(z("of none"), entries=[])))
    one("from_phone", "upgraded, a list signed by another key", upgraded(signed=u.make_list(z("by another"), signs=other)))
    one("from_phone", "upgraded, a list with another key", upgraded(signed=u.make_list(z("other key"), entries=[(run.desktop.device, 1, public_key(other))])))
    one("from_phone", "upgraded, a list with another index", upgraded(signed=u.make_list(z("other index"), entries=[(run.desktop.device, 2, run.desktop.public)], next_index=3)))
    one("from_phone", "upgraded, a list of another incarnation", upgraded(signed=u.make_list(z("other incarnation"), incarnation=filler("relay other incarnation", 16))))
    one("from_phone", "upgraded, a list issued too far ahead", upgraded(signed=u.make_list(z("ahead"), at=at + TOLERANCE + 1)))
    one("from_phone", "upgraded, a list past its time", upgraded(signed=u.make_list(z("past"), at=at - WINDOW - TOLERANCE - 1)), "upgraded")
    one("from_phone", "upgraded, a list of the first millisecond", upgraded(signed=u.make_list(z("first"), at=1)), "upgraded")
    one("from_phone", "upgraded, no list", upgraded(signed=b""))
    one("from_phone", "upgraded, the list's body alone", upgraded(signed=read_message(u.list[1:], SIGNED_LIST)["body"]))
    one("from_phone", "upgraded, a list and a byte", upgraded(signed=u.list + b"\0"))
    one("from_phone", "upgraded, no certificate", upgraded(certificate=b""))
    one("from_phone", "upgraded, the certificate's body alone", upgraded(certificate=u.body))
    one("from_phone", "upgraded, signatures swapped", upgraded(certificate=cert(u.body, run.desktop.public, u.device_signature, u.account_signature)))
    one("from_phone", "upgraded, the account signs twice", upgraded(certificate=cert(u.body, run.desktop.public, u.account_signature, by(account, u.device_signed))))
    one("from_phone", "upgraded, a certificate of another key", upgraded(certificate=cert(
        u.body, public_key(other), by(account, u.signed(b"\x06\x00", companion=public_key(other))), by(other, u.signed(b"\x06\x01", companion=public_key(other))))))
    return {"phone": run.phone.description, "peer": {"account_id": run.peer.account, "device_id": 0}, "steps": start, "time": at} | out


def offer_and_acceptance(run, at, former=None):
    """From the request to the acceptance. `former`: the upgrade that the account's list is of, where it names the desktop already."""
    phone, desktop, take = run.phone, run.desktop, run.p.take
    wanted = run.request(at, TO_UPGRADE, b"", "upgrade")
    run.step("request", time=at, what="upgrade", **wanted | {"draws": [wanted["request_id"], *wanted["draws"]]})
    at += 1_000
    incarnation = former.incarnation if former else take("incarnation", 16)
    account_z, device_z, list_z = (take(x, 64) for x in ("account z", "device z", "list z"))
    u = Upgrade(run, incarnation, device_z, account_z, list_z, at, at + 3_000)
    frame = run.opens(phone, at, wanted)
    run.takes(frame)
    answer = run.answer(at, frame["number"])
    offer = run.tell(at, OFFER_FRAME, wanted["request_id"] + lp16(u.body) + u.account_signature)
    run.step(
        "phone takes", time=at, envelope=wanted["envelope"], said=frame, word=True, outcome="offers", digest=wanted["digest"], certificate_body=u.body,
        signed_bytes=u.account_signed, account_signature=u.account_signature,
        draws=[*([] if former else [incarnation]), account_z, *answer["draws"], *offer["draws"]], told=[answer, offer])
    run.at_desktop(at + 100, answer)
    frame = run.opens(desktop, at + 100, offer)
    u.check_offer(frame)
    run.shows(frame, offer)
    run.step("desktop takes", time=at + 100, envelope=offer["envelope"], frame=offer["frame"], said=frame)
    at += 1_000
    accepts = run.request(at, ACCEPTANCE, u.device_signature, "acceptance")
    run.step("accept", time=at, signed_bytes=u.device_signed, **accepts | {"draws": [device_z, accepts["request_id"], *accepts["draws"]]})
    return u, accepts, at


def taken_in(run, u, accepts, at, list_draws, unsent=()):
    """From the acceptance at the phone to the last acknowledgement."""
    phone, desktop = run.phone, run.desktop
    frame = run.opens(phone, at, accepts)
    assert xeddsa_verify(desktop.public, u.device_signed, frame["device_signature"]) is None
    run.takes(frame)
    answer = run.answer(at, frame["number"])
    upgraded = run.tell(at, UPGRADED, lp16(u.certificate) + lp16(u.list))
    run.upgraded = True
    run.step(
        "phone takes", time=at, envelope=accepts["envelope"], said=frame, word=None, outcome="upgrades", digest=accepts["digest"], certificate=u.certificate,
        list=u.list, list_digest=u.digest, draws=[*list_draws, *answer["draws"], *upgraded["draws"]], told=[answer, upgraded])
    run.at_desktop(at + 100, answer)
    frame = run.opens(desktop, at + 100, upgraded)
    u.check_upgraded(frame, at + 100)
    run.shows(frame, upgraded)
    run.step("desktop takes", time=at + 100, envelope=upgraded["envelope"], frame=upgraded["frame"], said=frame, unsent=list(unsent), settled=[])
    acknowledged = run.from_desktop(at + 100, ACKNOWLEDGED)
    run.step("acknowledge", time=at + 100, **acknowledged)
    frame = run.opens(phone, at + 200, acknowledged)
    assert run.acked == run.next - 1 == run.shown
    run.step("phone takes", time=at + 200, envelope=acknowledged["envelope"], said=frame, word=None, outcome="nothing", draws=[], told=[])


def told_again(run, u, at):
    """A desktop without its upgrade, at a phone that has it in its list."""
    phone, desktop = run.phone, run.desktop
    asked = run.joins_anew(at, phone.bundles_with[1])
    notice = run.from_phone(at, SUPERSEDED, b"")
    frame = run.opens(phone, at, asked)
    assert (frame["ack"], frame["first"], frame["next"], run.taken) == (0, 1, 1, 2)
    count = run.next - 1 - frame["ack"]
    run.acked = run.next - 1
    status = run.status(at, frame)
    gap = run.tell(at, GAP, u64be(count) + u64be(at) + u64be(at))
    upgraded = run.tell(at, UPGRADED, lp16(u.certificate) + lp16(u.list))
    run.step(
        "phone takes", time=at, envelope=asked["envelope"], said=frame, word=True, outcome="joined anew", notice=notice,
        draws=notice["draws"] + status["draws"] + gap["draws"] + upgraded["draws"], told=[status, gap, upgraded])
    at += 1_000
    run.at_desktop(at, status)
    assert (run.shown, run.number, run.answered) == (count, 3, 2)
    asks = run.request(at, QUERY, b"through the phone?", "query")
    one = {"what": "query", "text": b"through the phone?"}
    run.step("request", time=at, **one, **asks | {"draws": [asks["request_id"], *asks["draws"]]})
    frame = run.opens(phone, at, asks)
    run.takes(frame, IS_UPGRADED)
    answer = run.answer(at, 3)
    run.step("phone takes", time=at, envelope=asks["envelope"], said=frame, word=None, outcome="refused", digest=asks["digest"], draws=answer["draws"], state=IS_UPGRADED, told=[answer])

    # And it asks to be upgraded: it is offered its place anew.
    wanted = run.request(at, TO_UPGRADE, b"", "upgrade")
    run.step("request", time=at, what="upgrade", **wanted | {"draws": [wanted["request_id"], *wanted["draws"]]})
    frame = run.opens(phone, at, wanted)
    run.takes(frame)
    answer = run.answer(at, 4)
    body, account_z = u.make_body(at=at), run.p.take("account z", 64)
    signed = u.signed(b"\x06\x00", body)
    signature = sign_published(phone.identity, signed, account_z)
    offer = run.tell(at, OFFER_FRAME, wanted["request_id"] + lp16(body) + signature)
    run.step(
        "phone takes", time=at, envelope=wanted["envelope"], said=frame, word=True, outcome="offers", digest=wanted["digest"], certificate_body=body,
        signed_bytes=signed, account_signature=signature, draws=[account_z, *answer["draws"], *offer["draws"]], told=[answer, offer])
    run.at_desktop(at, gap)
    frame = run.opens(desktop, at, upgraded)
    u.check_upgraded(frame, at)
    run.shows(frame, upgraded)
    run.step("desktop takes", time=at, envelope=upgraded["envelope"], frame=upgraded["frame"], said=frame, unsent=[one | {k: asks[k] for k in ("request_id", "not_after")}], settled=[wanted["request_id"]])
    acknowledged = run.from_desktop(at, ACKNOWLEDGED)
    run.step("acknowledge", time=at, **acknowledged)
    frame = run.opens(phone, at, acknowledged)
    run.step("phone takes", time=at, envelope=acknowledged["envelope"], said=frame, word=None, outcome="nothing", draws=[], told=[])


def upgrade_run():
    """From the request to the first messages that are passed on; and the same where the account's list names the desktop already."""
    run = RelayRun(Pairing("upgrade", 64))
    phone, desktop, peer, take = run.phone, run.desktop, run.peer, run.p.take
    at = relay_start(run) + 1_000
    before, steps_before = copy.deepcopy(run), len(run.steps)
    u, accepts, at = offer_and_acceptance(run, at)

    # What is asked for from then on is queued, and given back.
    queued = []
    for what, text in (("query", b"queued"), ("send", b"queued too")):
        request = take(f"request id queued {what}", 16)
        one = {"request_id": request, "what": what, "text": text, "not_after": at + 60_000}
        if what == "send":
            one |= {"account_id": peer.account, "associated_data": b"bound"}
        queued.append(one)
        run.step("queue", time=at + 10, draws=[request], **one)

    # Acceptances that do not hold, in place of the one that does: each is answered, with no offer.
    other = take("another identity", 32)
    out = []
    for name, signs, signed in (
        ("by another key", other, u.device_signed), ("by the account's key", phone.identity, u.device_signed), ("over the account's bytes", desktop.identity, u.account_signed),
        ("over another body", desktop.identity, u.signed(b"\x06\x01", u.make_body(index=2))), ("of another companion", desktop.identity, u.signed(b"\x06\x01", companion=public_key(other))),
    ):
        signature = sign_published(signs, signed, take(f"acceptance {name} z", 64))
        frame = encode_frame(ACCEPTANCE, run.shown, u64be(2) + accepts["request_id"] + u64be(2**64 - 1) + signature)
        read_frame_of_relay(frame, False)
        out.append({"name": name, "frame": frame, "envelope": sealed_at(run, desktop, f"acceptance {name}", b"\x21\x08" + frame), "state": NO_OFFER})
    refused_after = len(run.steps)
    at += 2_000
    assert at == u.listed_at
    taken_in(run, u, accepts, at, [u.list_z, take("sync key", 32)], queued)

    at += 1_000
    passed_on(run, u, at)

    # The desktop went back behind all this: it joins anew, asks for something, and is told again.
    back = copy.deepcopy(run)
    former = copy.deepcopy(before)
    back.desktop = back.p.desktop = former.desktop
    for what in ("shown", "shown_indeed", "shown_link", "number", "answered", "asked", "asked_at", "heard", "lacks", "desktop_time", "desktop_until"):
        setattr(back, what, getattr(former, what))
    back.p.name, back.steps = "upgrade back", []
    told_again(back, u, at + 10_000)

    # Both ends went back behind all this, and the phone has learnt its list again: the same place, the same list, another certificate.
    again = before
    again.p.name, again.steps = "upgrade again", []
    later = at + 10_000
    again.step("learn", time=later, list=u.list)
    anew, accepts, later = offer_and_acceptance(again, later + 1_000, u)
    assert anew.body == u.make_body(at=anew.signed_at) != u.body and anew.certificate != u.certificate
    anew.list, anew.digest = u.list, u.digest
    taken_in(again, anew, accepts, later + 1_000, [])
    return {
        "phone": phone.description, "peer": {"account_id": peer.account, "device_id": 0}, "steps": run.steps,
        "refused_acceptances": {"after": refused_after, "time": u.listed_at, "acceptances": out},
        "told_again": {"after": steps_before, "steps": back.steps}, "listed_already": {"after": steps_before, "steps": again.steps},
    }, forwarded(run, u, at + 20_000)


def passed_on(run, u, at):
    """What a peer says by different lists, and what the phone passes on of it: what has not come to the desktop too."""
    phone, desktop, peer = run.phone, run.desktop, run.peer
    own = (1, u.digest)
    shared, again = (filler(f"relay upgrade {x}", 16) for x in ("shared id", "again"))
    later = {"list": own}
    for name, passes, text, more in (
        ("to the account, by no list", True, b"by no list", {"shared": shared}),
        ("to the account, by epoch 0", True, b"by epoch 0", {"shared": shared, "list": (0, bytes(16))}),
        ("to the account, by the list that names it", False, b"by the list", {"shared": shared} | later),
        ("to the account, by that list, and it is left out", True, b"left out", {"shared": shared, "left_out": (desktop.device,)} | later),
        ("to the account, by that list, and another one is left out", False, b"another is left out", {"shared": shared, "left_out": (desktop.device ^ 1,)} | later),
        ("to the account, by that list, again", True, b"again", {"shared": shared, "again": again} | later),
        ("to the phone alone", True, b"alone", {}), ("to the phone alone, by the list that names it", True, b"", later),
    ):
        stamp = encode_stamp(None, more["list"], more.get("left_out", ())) if "list" in more else b""
        to_account, first = more.get("shared"), more.get("again")
        heading = bytes([TO_ACCOUNT]) + to_account if to_account else b""
        said = peer.send(run.label(), phone, text, b"data", at, kind=AGAIN if first else MESSAGE, first=first, stamp=stamp, heading=heading)
        phone.receive(peer.address, said["wire"], b"data", at, message_content)
        told = []
        if passes:
            body = u64be(0) + u64be(at) + b"\0" + relay_addr(peer.account, 0) + said["message_id"] + (b"\x01" + to_account if to_account else b"\0") + text
            told = [phone.send(run.label(), desktop, body, b"", at, stamp=encode_stamp(own, own), heading=bytes([PASSED_ON]))]
        run.step(
            "peer says", time=at, name=name, envelope=said["wire"], content=said["content"], associated_data=b"data", text=text, shared_id=to_account,
            draws=[d for x in told for d in x["draws"]], told=[{"content": x["content"], "envelope": x["wire"]} for x in told])
        for x in told:
            desktop.receive(phone.address, x["wire"], b"", at, lambda content: (MESSAGE, False, None, content))
            out = read_passed_on(x["plaintext"])
            assert out["message_id"] == said["message_id"] and out["text"] == text
            run.step("passed on", time=at + 10, envelope=x["wire"], said=out)
        at += 1_000


def read_passed_on(text):
    """What stands behind heading 0x09."""
    at = 0

    def take(length):
        nonlocal at
        refuse_if(length > len(text) - at, "body too short")
        at += length
        return text[at - length:at]

    def number(length):
        return int.from_bytes(take(length), "big")

    def account():
        x = take(number(2))
        refuse_if(not 16 <= len(x) <= 64, "length of an account id")
        return x

    out = {"missed": number(8), "time": number(8), "own": number(1)}
    refuse_if(out["own"] > 1, "neither 0 nor 1")
    out["account_id"] = account()
    if not out["own"]:
        out |= {"device_id": number(4), "message_id": take(16)}
        shared = number(1)
        refuse_if(shared > 1, "neither 0 nor 1")
    out["shared_id"] = take(16) if out["own"] or shared else None
    return out | {"text": text[at:]}


def forwarded(run, u, at):
    """What a phone passes on, behind the last step of `upgrade`; all are under one message key, and each is tried at a copy of the state."""
    phone, peer = run.phone, run.peer.account
    own = (1, u.digest)
    stamp = encode_stamp(own, own)
    ids = [filler(f"relay passed on id {i}", 16) for i in range(4)]
    long = filler("relay passed on account", 64)
    n = u64be
    out = {"time": at, "stamp": stamp, "passed_on": [], "refused": []}

    def one(name, text, expect="opens", content=None):
        content = content or b"\x61" + stamp + bytes([PASSED_ON]) + text
        entry = {"name": name, "content": content, "envelope": sealed_at(run, phone, f"passed on {name}", content)}
        try:
            said = read_passed_on(text)
            assert expect == "opens", name
            out["passed_on"].append(entry | {"said": said})
        except Refused as e:
            assert expect == "refused", (name, str(e))
            out["refused"].append(entry | {"why": str(e)})

    def peers(missed=0, time=at, account=peer, device=0, shared=b"\x01" + ids[1], text=b"text", form=b"\0"):
        return n(missed) + n(time) + form + relay_addr(account, device) + ids[0] + shared + text

    def owns(missed=0, time=at, account=peer, text=b"text"):
        return n(missed) + n(time) + b"\x01" + lp16(account) + ids[1] + text

    one("of a peer, to the account", peers())
    one("of a peer, to the phone alone", peers(shared=b"\0"))
    one("of a peer, no text", peers(shared=b"\0", text=b""))
    one("of a peer's companion, of the longest id", peers(account=long, device=2**32 - 1))
    one("of a peer, one was missed", peers(missed=1))
    one("of a peer, the highest numbers", peers(missed=2**64 - 1, time=2**64 - 1))
    one("what the account has sent", owns())
    one("what the account has sent, no text", owns(text=b""))
    one("what the account has sent, to the longest id", owns(account=long, missed=2))
    one("again, after a retry request", peers(), content=b"\x62" + ids[2] + stamp + bytes([PASSED_ON]) + peers())
    one("without a stamp", peers(), content=b"\x21" + bytes([PASSED_ON]) + peers())
    one("neither form", peers(form=b"\x02"), "refused")
    one("neither with a shared id nor without", peers(shared=b"\x02" + ids[1]), "refused")
    for length in (0, 15, 65):
        bad = filler("relay passed on bad account", length)
        one(f"of a peer, an id of {length} bytes", peers(account=bad), "refused")
        one(f"what the account has sent, an id of {length} bytes", owns(account=bad), "refused")
    whole = {"of a peer": peers(text=b""), "of a peer, to the phone alone": peers(shared=b"\0", text=b""), "what the account has sent": owns(text=b"")}
    for name, text in whole.items():
        for cut in (1, 2, 17, len(text) - 17, len(text) - 16, len(text) - 8, len(text)):
            if cut <= len(text) and len(text) - cut != len(whole["of a peer, to the phone alone"]):
                one(f"{name}, {cut} bytes cut", text[:-cut], "refused")
    return out
