//! `vectors/relay.json`: a whole run of a phone and its desktop, byte for byte.

use outrigger::{
    AccountId, AckPhone, Address, AskPhone, Consent, Consequence, Content, DescribeDesktops, DesktopConsent,
    DetachDesktop, DeviceId, DriveError, EndOfRelay, FromDesktop, FromPhone, GrantDesktop, IdentityKey,
    JoinPhone, JoinProgress, Keep, LeavePhone, LinkError, LinkRequest, MessageId, News, PlanMessage,
    RejoinPhone, RelayError, RelayReceive, RelayRequest, RelaySend, RelayStanding, RenewDesktop, Request,
    RequestId, RequestNumber, RequestState, ScanLinkCode, ShowDesktopCode, Suspension, TakeFromDesktop,
    TakeFromPhone, TakenFromPhone, TellDesktop, UnixMillis, Verdict, VerifiedBundle, Wanted, WhileAway,
};
use serde_json::Value;

use crate::{
    Store, address, array, classic,
    companions::{does, refuses},
    device, file, hex, list, number, text,
};

pub(crate) fn vectors() -> Value {
    file(include_str!("../../vectors/relay.json"))
}

pub(crate) fn none() -> Value {
    Value::Array(Vec::new())
}

pub(crate) fn account(value: &Value) -> AccountId {
    AccountId::new(&hex(value)).unwrap()
}

pub(crate) fn fresh() -> Store {
    Store { records: Default::default(), generation: outrigger::Generation([9; 16]) }
}

/// A phone, its desktop and a peer, of which there are bytes only.
pub(crate) struct Ends {
    pub(crate) phone: Store,
    pub(crate) desktop: Store,
    pub(crate) own: Address,
    pub(crate) peer: Address,
    pub(crate) id: DeviceId,
    /// The desktop's, once the phone has scanned it.
    pub(crate) key: Option<IdentityKey>,
    code: String,
    scanned: Option<LinkRequest>,
    grant: Vec<u8>,
    heard: Vec<MessageId>,
    kept: Option<Store>,
}

pub(crate) fn state(byte: &Value) -> RequestState {
    use outrigger::RefusedRequest::{
        IdentityChanged, NoConsent, NoOffer, Nobody, TooLate, TooLong, Upgraded,
    };
    match number(byte) {
        0 => RequestState::Unknown,
        1 => RequestState::Accepted,
        2 => RequestState::Relayed,
        3 => RequestState::Delivered,
        4 => RequestState::Read,
        16 => RequestState::Refused(NoConsent),
        17 => RequestState::Refused(TooLate),
        18 => RequestState::Refused(IdentityChanged),
        19 => RequestState::Refused(TooLong),
        20 => RequestState::Refused(NoOffer),
        21 => RequestState::Refused(Upgraded),
        22 => RequestState::Refused(Nobody),
        other => panic!("state {other}"),
    }
}

/// The envelopes that go to the desktop in this step.
fn told(step: &Value) -> Vec<Vec<u8>> {
    list(&step["told"]).iter().map(|told| hex(&told["envelope"])).collect()
}

fn wants(said: &Value, wanted: &Wanted, name: &str) {
    match wanted {
        Wanted::TakeOver => assert_eq!(number(&said["kind"]), 9, "{name}"),
        Wanted::Send { to, text, .. } => {
            assert_eq!((number(&said["kind"]), to.as_bytes()), (11, &hex(&said["account_id"])[..]), "{name}");
            assert_eq!(text[..], hex(&said["text"]), "{name}");
        }
        Wanted::Query { text, .. } => {
            assert_eq!((number(&said["kind"]), &text[..]), (13, &hex(&said["text"])[..]), "{name}");
        }
        Wanted::Upgrade { .. } | _ => panic!("{name}: {wanted:?}"),
    }
}

/// That what a desktop made of a frame is what the frame says.
pub(crate) fn says(said: &Value, taken: &TakenFromPhone, name: &str) {
    let found = match (number(&said["kind"]), &taken.said) {
        (_, FromPhone::Status { .. }) => 1,
        (_, FromPhone::Event { number: nth, at, from, message, shared, text }) => {
            assert_eq!(from, &address(said), "{name}");
            assert_eq!((nth.0, at.0), (number(&said["number"]), number(&said["time"])), "{name}");
            assert_eq!(message.as_bytes()[..], hex(&said["message_id"]), "{name}");
            let shared_id = said["shared_id"].as_str().map(|_| hex(&said["shared_id"]));
            assert_eq!(shared.map(|id| id.as_bytes().to_vec()), shared_id, "{name}");
            assert_eq!(text[..], hex(&said["text"]), "{name}");
            2
        }
        (_, FromPhone::OwnSent { number: nth, at, to, shared, text }) => {
            assert_eq!((nth.0, at.0), (number(&said["number"]), number(&said["time"])), "{name}");
            assert_eq!(*to, account(&said["account_id"]), "{name}");
            assert_eq!(shared.as_bytes()[..], hex(&said["shared_id"]), "{name}");
            assert_eq!(text[..], hex(&said["text"]), "{name}");
            3
        }
        (_, FromPhone::Answer { number: nth, request, state: found }) => {
            assert_eq!(nth.0, number(&said["number"]), "{name}");
            assert_eq!(request.0[..], hex(&said["outcome"]["request_id"]), "{name}");
            assert_eq!(*found, state(&said["outcome"]["state"]), "{name}");
            4
        }
        (_, FromPhone::Gap { number: nth, missed, first, last }) => {
            let found = [nth.0, *missed, first.0, last.0];
            let expected = ["number", "count", "first_time", "last_time"].map(|field| number(&said[field]));
            assert_eq!(found, expected, "{name}");
            5
        }
        (_, FromPhone::Found { number: nth, request, text }) => {
            assert_eq!(nth.0, number(&said["number"]), "{name}");
            assert_eq!((&request.0[..], &text[..]), (&hex(&said["request_id"])[..], &hex(&said["text"])[..]));
            6
        }
        (_, FromPhone::Ended { why, .. }) => {
            let left = number(&said["why"]) == 2;
            assert_eq!(*why, if left { EndOfRelay::Left } else { EndOfRelay::Detached }, "{name}");
            7
        }
        (8, FromPhone::Suspended(Suspension::TakenOver)) => 8,
        (1, FromPhone::Suspended(Suspension::PhoneWentBack)) if number(&said["suspended"]) == 1 => 1,
        (_, other) => panic!("{name}: {other:?}"),
    };
    assert_eq!(found, number(&said["kind"]), "{name}");
}

/// Outcomes that a status or an end has settled; `null` is one that was never done.
fn settles(expected: &Value, taken: &TakenFromPhone) {
    let (settled, never) = if let FromPhone::Status { settled, .. } = &taken.said {
        (settled.clone(), Vec::new())
    } else if let FromPhone::Ended { settled, never_sent, .. } = &taken.said {
        (settled.clone(), never_sent.clone())
    } else {
        return;
    };
    let id = |outcome: &Value| RequestId(array(&outcome["request_id"]));
    let (known, none): (Vec<_>, Vec<_>) =
        expected.as_array().into_iter().flatten().partition(|outcome| outcome["state"].is_u64());
    let known: Vec<_> = known.into_iter().map(|outcome| (id(outcome), state(&outcome["state"]))).collect();
    assert_eq!(settled, known);
    assert_eq!(never, none.into_iter().map(id).collect::<Vec<_>>());
}

impl Ends {
    pub(crate) fn new(case: &Value) -> Self {
        let own = address(&case["phone"]);
        let peer = if case["peer"].is_object() { address(&case["peer"]) } else { own };
        let (phone, desktop) = (device(&case["phone"]), fresh());
        let (code, grant) = (String::new(), Vec::new());
        let (heard, id) = (Vec::new(), DeviceId(0));
        Self { phone, desktop, own, peer, id, key: None, code, scanned: None, grant, heard, kept: None }
    }

    pub(crate) fn play(&mut self, steps: &[Value]) {
        for step in steps {
            self.step(step);
        }
    }

    pub(crate) fn step(&mut self, step: &Value) {
        let (draws, now, id) = (&step["draws"], number(&step["time"]), self.id);
        let name = format!("{} at {now}", text(&step["op"]));
        match text(&step["op"]) {
            "peer says" => {
                let envelope = hex(&step["envelope"]);
                let bound = hex(&step["associated_data"]);
                let receive = RelayReceive { from: self.peer, envelope: &envelope, associated_data: &bound };
                let done = does(&mut self.phone, draws, now, &receive);
                let shared = step["shared_id"].as_str().map(|_| hex(&step["shared_id"]));
                let content = &done.received.content;
                let found =
                    if let Content::ForAccount { id, .. } = content { Some(id.as_bytes()) } else { None };
                assert_eq!(found.map(|id| id.to_vec()), shared, "{name}");
                assert_eq!(content.text(), Some(&hex(&step["text"])[..]), "{name}");
                self.heard.push(done.received.message_id);
                let frames: Vec<_> = done.desktops.into_iter().flat_map(|desktop| desktop.frames).collect();
                assert_eq!(frames, told(step), "{name}");
            }
            "show" => {
                let code = does(&mut self.desktop, draws, now, &ShowDesktopCode);
                assert_eq!(code.text(), text(&step["code"]));
                code.text().clone_into(&mut self.code);
            }
            "scan" => {
                let request = does(&mut self.phone, draws, now, &ScanLinkCode { code: &self.code });
                let digits = request.comparison.to_string().replace(' ', "");
                assert_eq!(digits, text(&step["comparison_code"]));
                assert_eq!(request.companion.public_key().as_bytes()[..], hex(&step["identity_key"]));
                assert_eq!(request.consequence, Consequence::ReadsAndSpeaksThroughThePhone);
                (self.key, self.scanned) = (Some(request.companion), Some(request));
            }
            "grant" => {
                let before = self.phone.clone();
                let LinkRequest { reference, companion, consequence, .. } = self.scanned.take().unwrap();
                let consent = Consent { companion, consequence };
                let grant = GrantDesktop { reference, consent, may: DesktopConsent::Ask };
                let granted = does(&mut self.phone, draws, now, &grant);
                assert_eq!(granted.grant, hex(&step["message"]));
                assert_eq!(u64::from(granted.desktop.0), number(&step["device_id"]));
                assert_eq!(granted.expires_at.0, now + 300_000);
                let wrong =
                    Consent { consequence: Consequence::ReadsAndSpeaksForTheAccount, ..grant.consent };
                let grant = GrantDesktop { consent: wrong, ..grant };
                assert_eq!(refuses(&before, now, &grant, &name), LinkError::OtherConsent);
                (self.id, self.grant) = (granted.desktop, granted.grant);
            }
            "join" => {
                let message = self.grant.clone();
                let progress = does(&mut self.desktop, draws, now, &JoinPhone { message: &message });
                let JoinProgress::Joining { address, frame, .. } = progress else { panic!("{progress:?}") };
                assert_eq!(address, Address::new(self.own.account, id));
                assert_eq!(frame, hex(&step["envelope"]));
            }
            "phone takes" => self.phone_takes(step, &name),
            "desktop takes" => {
                let envelope = hex(&step["envelope"]);
                let take = TakeFromPhone { envelope: &envelope };
                let expect = step["expect"].as_str().unwrap_or_default();
                if expect == "early" {
                    let error = self.refuses_frame(now, &take);
                    assert!(matches!(error, RelayError::Early { .. }), "{name}: {error}");
                    return;
                }
                let taken = does(&mut self.desktop, &none(), now, &take);
                match (expect, &taken.said) {
                    ("nothing", FromPhone::Late)
                    | ("phone went back", FromPhone::Suspended(Suspension::PhoneWentBack)) => {}
                    ("" | "suspended", _) => says(&step["said"], &taken, &name),
                    (_, other) => panic!("{name}: {expect}: {other:?}"),
                }
                if let FromPhone::Status { good_until, .. } = &taken.said {
                    assert_eq!(good_until.0, number(&step["good_until"]), "{name}");
                }
                settles(&step["outcomes"], &taken);
            }
            "desktop refuses" => {
                let error = self.refuses_frame(now, &TakeFromPhone { envelope: &hex(&step["envelope"]) });
                assert!(matches!(error, RelayError::Frame(_)), "{name}: {error}");
            }
            "request" => {
                let bytes = |field: &str| step[field].as_str().map_or(Vec::new(), |_| hex(&step[field]));
                let (said, bound, about) = (bytes("text"), bytes("associated_data"), bytes("message_id"));
                let (plaintext, associated_data) = (&said[..], &bound[..]);
                let request = match text(&step["what"]) {
                    "send" => Request::Send { to: account(&step["account_id"]), plaintext, associated_data },
                    "query" => Request::Query(plaintext),
                    _ => {
                        let heard = self.heard.iter().find(|heard| heard.as_bytes()[..] == about);
                        Request::Read { from: address(step), message: *heard.unwrap() }
                    }
                };
                let not_after = UnixMillis(number(&step["not_after"]));
                let request = RelayRequest { request, not_after, while_away: WhileAway::Refuse };
                let made = does(&mut self.desktop, draws, now, &request);
                assert_eq!(made.request.0[..], hex(&step["request_id"]), "{name}");
                assert_eq!(made.frames, [hex(&step["envelope"])], "{name}");
            }
            op @ ("what became of it" | "found") => {
                let text = if op == "found" { hex(&step["text"]) } else { Vec::new() };
                let news = if op == "found" { News::Found(&text) } else { News::Relayed };
                let request = RequestNumber(number(&step["number"]));
                let done = does(&mut self.phone, draws, now, &TellDesktop { desktop: id, request, news });
                assert_eq!(done.frames, told(step), "{name}");
            }
            "own app sends" => {
                let plan = PlanMessage { to: account(&step["to"]) };
                let plan = does(&mut self.phone, &none(), now, &plan);
                let (plaintext, associated_data) =
                    (&hex(&step["text"])[..], &hex(&step["associated_data"])[..]);
                let send = RelaySend { plan: &plan, plaintext, associated_data, keep: Keep::ForRetry };
                let done = does(&mut self.phone, draws, now, &send);
                assert_eq!(done.sent.id.as_bytes()[..], hex(&step["shared_id"]));
                let [(to, sent)] = &done.sent.copies[..] else { panic!("{:?}", done.sent) };
                assert_eq!((*to, &sent.envelope), (self.peer, &hex(&step["to_peer"]["envelope"])), "{name}");
                assert_eq!(done.desktops[0].frames, told(step), "{name}");
            }
            "ask" => assert_eq!(does(&mut self.desktop, draws, now, &AskPhone), hex(&step["envelope"])),
            "acknowledge" => {
                assert_eq!(does(&mut self.desktop, draws, now, &AckPhone), hex(&step["envelope"]), "{name}");
            }
            "the last millisecond" => {
                for (now, standing) in [(now, RelayStanding::Attached), (now + 1, RelayStanding::Lapsed)] {
                    let all = does(&mut self.phone, &none(), now, &DescribeDesktops);
                    assert_eq!((all[0].standing, all[0].missed), (standing, 0), "{name}");
                }
            }
            "renew" => {
                let until = does(&mut self.phone, &none(), now, &RenewDesktop { desktop: id });
                assert_eq!(until.0, number(&step["good_until"]));
            }
            "join anew" => {
                let bundle = VerifiedBundle::verify(&hex(&step["bundle"]), &self.own).unwrap();
                let frame = does(&mut self.desktop, draws, now, &RejoinPhone { bundle: &bundle });
                assert_eq!(frame, hex(&step["envelope"]), "{name}");
            }
            "leave" => {
                assert_eq!(does(&mut self.desktop, draws, now, &LeavePhone), Some(hex(&step["envelope"])));
            }
            "keep" => self.kept = Some(self.phone.clone()),
            "go back" => self.phone = self.kept.clone().unwrap(),
            "detach" => {
                let notice = does(&mut self.phone, draws, now, &DetachDesktop { desktop: id });
                assert_eq!(notice, Some(hex(&step["notice"]["envelope"])), "{name}");
            }
            other => panic!("{other}"),
        }
    }

    /// With nothing changed.
    fn refuses_frame(&self, now: u64, take: &TakeFromPhone<'_>) -> RelayError {
        let (mut source, mut desktop) = (crate::Script::new(&none()), self.desktop.clone());
        let mut context = classic(UnixMillis(now), desktop.generation, &mut source);
        let error = desktop.run(take, &mut context).unwrap_err();
        assert!(desktop == self.desktop, "a refusal changed a record");
        let DriveError::Refused(error) = error else { panic!("the store failed") };
        error
    }

    fn phone_takes(&mut self, step: &Value, name: &str) {
        let (envelope, now) = (hex(&step["envelope"]), number(&step["time"]));
        let verdict = step["word"].as_bool().map(|_| Verdict::Allow);
        let take = TakeFromDesktop { desktop: self.id, envelope: &envelope, verdict };
        let before = self.phone.clone();
        let taken = does(&mut self.phone, &step["draws"], now, &take);
        let outcome = text(&step["outcome"]);
        let name = format!("{name}: {outcome}");
        let (expected, frames) = match (outcome, taken) {
            (_, FromDesktop::Heard { frames, suspended: None }) if frames.is_empty() => ("nothing", frames),
            (_, FromDesktop::Heard { frames, suspended: None }) => ("status", frames),
            (_, FromDesktop::Heard { frames, suspended: Some(Suspension::PhoneWentBack) }) => {
                ("went back", frames)
            }
            (_, FromDesktop::Left) => ("left", Vec::new()),
            (_, FromDesktop::Joined { frames, again: false }) => ("status", frames),
            (_, FromDesktop::Joined { frames, again: true }) => ("joined anew", frames),
            (_, FromDesktop::Undecided(wanted)) => {
                wants(&step["said"], &wanted, &name);
                assert!(self.phone == before, "{name}: a question changed a record");
                ("asks the user", Vec::new())
            }
            (_, FromDesktop::Sent { request, sent, desktops }) => {
                assert_eq!(request.0, number(&step["said"]["number"]), "{name}");
                assert_eq!(sent.id.as_bytes()[..], hex(&step["message_id"]), "{name}");
                let [(to, sent)] = &sent.copies[..] else { panic!("{sent:?}") };
                assert_eq!((*to, &sent.envelope), (self.peer, &hex(&step["to_peer"]["envelope"])), "{name}");
                ("done", desktops.into_iter().flat_map(|desktop| desktop.frames).collect())
            }
            (_, FromDesktop::Read { request, from, message, frames }) => {
                assert_eq!((request.0, from), (number(&step["said"]["number"]), address(&step["said"])));
                assert_eq!(message.as_bytes()[..], hex(&step["said"]["message_id"]), "{name}");
                ("done", frames)
            }
            (_, FromDesktop::Query { request, text, frames }) => {
                assert_eq!(request.0, number(&step["said"]["number"]), "{name}");
                assert_eq!(text[..], hex(&step["said"]["text"]), "{name}");
                ("done", frames)
            }
            (_, FromDesktop::Refused { request, why, frames }) => {
                assert_eq!(request.0, number(&step["said"]["number"]), "{name}");
                assert_eq!(RequestState::Refused(why), state(&step["state"]), "{name}");
                ("refused", frames)
            }
            (_, FromDesktop::Late { notice }) => ("superseded", notice.into_iter().collect()),
            (_, FromDesktop::Ended { notice }) => ("ended", notice.into_iter().collect()),
            (_, other) => panic!("{name}: {other:?}"),
        };
        assert_eq!((expected, frames), (outcome, told(step)), "{name}");
        // The digest is never sent: it stands in a record.
        if let Some(digest) = step["digest"].as_str().map(|_| hex(&step["digest"])) {
            let holds = |(_, bytes): &(_, Vec<u8>)| bytes.windows(32).any(|found| found == digest);
            assert!(self.phone.records.values().any(holds), "{name}: no such digest is on record");
        }
    }
}

/// A phone that goes back and tells other frames under the numbers that it has used; the desktop joins anew, or leaves before it is let in.
#[test]
fn a_phone_that_tells_other_frames() {
    let file = vectors();
    let standings = list(&file["diverged"]).iter().map(|case| {
        let mut ends = Ends::new(case);
        ends.play(list(&case["steps"]));
        does(&mut ends.phone, &none(), 0, &DescribeDesktops)[0].standing
    });
    let left = RelayStanding::Ended(EndOfRelay::Left);
    assert_eq!(standings.collect::<Vec<_>>(), [RelayStanding::Attached, left]);
}

/// The link of what comes first is not known, and it is taken; two asks are answered in their order. On the way, frames behind others than the one that was shown.
#[test]
fn a_later_status() {
    let file = vectors();
    let case = &file["later_status"];
    let mut ends = Ends::new(case);
    let mut played = 0;
    for tried in list(&case["tried"]) {
        let after = usize::try_from(number(&tried["after"])).unwrap();
        ends.play(&list(&case["steps"])[played..after]);
        played = after;
        list(&tried["frames"]).iter().for_each(|entry| behind_another(&ends, number(&tried["time"]), entry));
    }
    ends.play(&list(&case["steps"])[played..]);
}

fn behind_another(ends: &Ends, now: u64, entry: &Value) {
    let (name, envelope, mut desktop) = (text(&entry["name"]), hex(&entry["envelope"]), ends.desktop.clone());
    let take = TakeFromPhone { envelope: &envelope };
    let expect = text(&entry["expect"]);
    if let "early" | "refused" = expect {
        let early = matches!(ends.refuses_frame(now, &take), RelayError::Early { .. });
        assert_eq!(early, expect == "early", "{name}");
        return;
    }
    let mut source = crate::Script::new(&none());
    let mut context = classic(UnixMillis(now), desktop.generation, &mut source);
    let taken = desktop.run(&take, &mut context).unwrap_or_else(|error| panic!("{name}: {error}"));
    match (expect, &taken.said) {
        ("nothing", FromPhone::Late)
        | ("phone went back", FromPhone::Suspended(Suspension::PhoneWentBack))
        | ("desktop went back", FromPhone::Suspended(Suspension::DesktopWentBack)) => {}
        ("shown" | "status", _) => says(&entry["said"], &taken, name),
        (_, other) => panic!("{name}: {expect}: {other:?}"),
    }
}

/// A whole run, from the code to the end: every envelope that goes from one end to the other, and to the peer.
#[test]
fn a_whole_run() {
    let file = vectors();
    let mut ends = Ends::new(&file["run"]);
    ends.play(list(&file["run"]["steps"]));
    let none = none();
    let mut left = Ends::new(&file["went_back"]);
    left.play(list(&file["went_back"]["steps"]));
    let all = does(&mut left.phone, &none, 0, &DescribeDesktops);
    assert_eq!(all[0].standing, RelayStanding::Ended(EndOfRelay::Left));
    let all = does(&mut ends.phone, &none, 0, &DescribeDesktops);
    assert_eq!(all[0].standing, RelayStanding::Ended(EndOfRelay::Detached));
}
