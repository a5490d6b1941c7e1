//! L22 for the relay: codes, keys and texts are in no form of any operation, of what it loads, writes or gives, nor of any refusal.

use std::fmt::Debug;

use outrigger::{
    AckPhone, AskPhone, CancelRequest, Consent, DescribeDesktops, DescribeGranting, DescribeRelay,
    DesktopConsent, DetachDesktop, FlushRequests, FromDesktop, FromPhone, GrantDesktop, JoinPhone,
    JoinProgress, Keep, LeavePhone, News, Operation, PlanMessage, RejoinPhone, RelayOutbox, RelayReceive,
    RelayRequest, RelaySend, RenewDesktop, Request, ScanLinkCode, SetDesktopConsent, ShowDesktopCode,
    TakeFromDesktop, TakeFromPhone, TellDesktop, Verdict, Wanted, WhileAway,
};

use super::office::{EVER, Office, office};
use crate::{
    redaction::{Printed, runs},
    world::{BOUND, Device, Server},
};

const TEXT: &[u8] = b"meet me at the old mill at nine";
const REPLY: &[u8] = b"bring the brown umbrella along";
const QUERY: &[u8] = b"everything from last wednesday";

/// Formats the refusal of an operation, and the operation.
fn is_refused<O>(printed: &mut Printed, name: &str, device: &mut Device, operation: &O)
where
    O: Operation + Debug,
    O::Output: Debug,
    O::Error: Debug + std::fmt::Display,
{
    printed.debug(name, operation);
    let error = device.run(operation).unwrap_err();
    printed.debug(&format!("{name}, refused"), &error);
    printed.debug(&format!("{name}, refused, as text"), &format_args!("{error}"));
}

/// Everything that a phone, its desktop and a peer hold and say.
fn planted(office: &Office) -> Printed {
    let mut printed = Printed::new();
    [&office.phone, &office.desk, &office.peer].iter().for_each(|device| printed.plant_device(device));
    for (name, text) in [("the text", TEXT), ("the reply", REPLY), ("the query", QUERY)] {
        printed.plant(name, text);
    }
    printed
}

#[test]
fn l22_no_stage_of_a_pairing_prints_a_key_or_a_code() {
    let mut printed = Printed::new();
    let (mut phone, mut desk) = (Device::new("phone"), Device::empty("desk"));
    phone.publish(3, &mut Server::default());
    printed.plant_device(&phone);
    let code = runs(&mut printed, "ShowDesktopCode", &mut desk, &ShowDesktopCode);
    printed.plant("the code", &code.text().as_bytes()["outrigger-link:".len()..]);
    printed.debug("LinkCode", &code);
    let request = runs(&mut printed, "ScanLinkCode", &mut phone, &ScanLinkCode { code: code.text() });
    let consent = Consent { companion: request.companion, consequence: request.consequence };
    let may = DesktopConsent::Always;
    let grant = GrantDesktop { reference: request.reference, consent, may };
    let granted = runs(&mut printed, "GrantDesktop", &mut phone, &grant);
    runs(&mut printed, "DescribeGranting", &mut phone, &DescribeGranting);
    is_refused(&mut printed, "JoinPhone", &mut desk, &JoinPhone { message: &granted.grant[1..] });
    let progress = runs(&mut printed, "JoinPhone", &mut desk, &JoinPhone { message: &granted.grant });
    let JoinProgress::Joining { frame, .. } = progress else { panic!("{progress:?}") };
    runs(&mut printed, "DescribeRelay", &mut desk, &DescribeRelay);
    let take = TakeFromDesktop { desktop: granted.desktop, envelope: &frame, verdict: None };
    let joined = runs(&mut printed, "TakeFromDesktop", &mut phone, &take);
    let FromDesktop::Joined { frames, .. } = joined else { panic!("{joined:?}") };
    let status = runs(&mut printed, "TakeFromPhone", &mut desk, &TakeFromPhone { envelope: &frames[0] });
    assert!(matches!(status.said, FromPhone::Status { joined: true, .. }));
    runs(&mut printed, "DescribeDesktops", &mut phone, &DescribeDesktops);
    runs(&mut printed, "DescribeRelay", &mut desk, &DescribeRelay);
    assert_eq!(printed.leaks, [""; 0]);
}

/// From the peer to the desktop, by the phone: an event, what the phone sent itself, and the acknowledgement.
#[test]
fn l22_no_stage_of_what_is_relayed_prints_a_text_or_a_key() {
    let mut office = office(DesktopConsent::Always);
    let mut printed = planted(&office);
    let Office { phone, desk, peer, .. } = &mut office;
    let desktop = desk.address.device;

    let envelope = peer.send(phone.address, TEXT);
    let receive = RelayReceive { from: peer.address, envelope: &envelope, associated_data: BOUND };
    let relayed = runs(&mut printed, "RelayReceive", phone, &receive);
    let frames = &relayed.desktops[0].frames;
    printed.debug("ForDesktop", &relayed.desktops[0]);
    is_refused(&mut printed, "RelayReceive", phone, &receive);
    let cut = &frames[0][..frames[0].len() - 1];
    is_refused(&mut printed, "TakeFromPhone", desk, &TakeFromPhone { envelope: cut });
    let taken = runs(&mut printed, "TakeFromPhone", desk, &TakeFromPhone { envelope: &frames[0] });
    let FromPhone::Event { text, .. } = &taken.said else { panic!("{taken:?}") };
    assert_eq!(**text, *TEXT);

    let plan = runs(&mut printed, "PlanMessage", phone, &PlanMessage { to: peer.address.account });
    let send = RelaySend { plan: &plan, plaintext: REPLY, associated_data: BOUND, keep: Keep::ForRetry };
    let sent = runs(&mut printed, "RelaySend", phone, &send);
    let frame = &sent.desktops[0].frames[0];
    let taken = runs(&mut printed, "TakeFromPhone", desk, &TakeFromPhone { envelope: frame });
    let FromPhone::OwnSent { text, .. } = &taken.said else { panic!("{taken:?}") };
    assert_eq!(**text, *REPLY);

    runs(&mut printed, "RelayOutbox", phone, &RelayOutbox { desktop });
    let acknowledged = runs(&mut printed, "AckPhone", desk, &AckPhone);
    let take = TakeFromDesktop { desktop, envelope: &acknowledged, verdict: None };
    runs(&mut printed, "TakeFromDesktop", phone, &take);
    runs(&mut printed, "AskPhone", desk, &AskPhone);
    runs(&mut printed, "RenewDesktop", phone, &RenewDesktop { desktop });
    assert_eq!(printed.leaks, [""; 0]);
}

/// From the desktop to the peer: the request, queued and flushed; what the user is asked; what was done, found and answered.
#[test]
fn l22_no_stage_of_a_request_prints_a_text_or_a_key() {
    let mut office = office(DesktopConsent::Ask);
    let mut printed = planted(&office);
    // What a receiver passes is printed; what a request carries is not.
    printed.plant("what a request binds", BOUND);
    let bundle = office.bundle();
    let Office { phone, desk, peer, .. } = &mut office;
    let desktop = desk.address.device;
    let to = peer.address.account;
    let take = |envelope, verdict| TakeFromDesktop { desktop, envelope, verdict };

    let request = Request::Send { to, plaintext: TEXT, associated_data: BOUND };
    printed.debug("Request", &request);
    let asks = RelayRequest { request, not_after: EVER, while_away: WhileAway::Refuse };
    let frame = runs(&mut printed, "RelayRequest", desk, &asks).frames.remove(0);
    let undecided = runs(&mut printed, "TakeFromDesktop", phone, &take(&frame, None));
    let FromDesktop::Undecided(wanted) = undecided else { panic!("{undecided:?}") };
    printed.debug("Wanted", &wanted);
    let Wanted::Send { text, .. } = wanted else { panic!("{wanted:?}") };
    assert_eq!(*text, *TEXT);
    let sent = runs(&mut printed, "TakeFromDesktop", phone, &take(&frame, Some(Verdict::Allow)));
    let FromDesktop::Sent { request: number, sent, desktops } = sent else { panic!("{sent:?}") };
    printed.debug("SentToAccount", &sent);
    for frame in &desktops[0].frames {
        runs(&mut printed, "TakeFromPhone", desk, &TakeFromPhone { envelope: frame });
    }
    let tell = TellDesktop { desktop, request: number, news: News::Delivered };
    runs(&mut printed, "TellDesktop", phone, &tell);

    let ask = RelayRequest { request: Request::Query(QUERY), not_after: EVER, while_away: WhileAway::Queue };
    printed.debug("Request", &ask.request);
    let frame = runs(&mut printed, "RelayRequest", desk, &ask).frames.remove(0);
    let undecided = runs(&mut printed, "TakeFromDesktop", phone, &take(&frame, None));
    if let FromDesktop::Undecided(wanted) = undecided {
        printed.debug("Wanted", &wanted);
    }
    let asked = runs(&mut printed, "TakeFromDesktop", phone, &take(&frame, Some(Verdict::Allow)));
    let FromDesktop::Query { request: number, text, .. } = asked else { panic!("{asked:?}") };
    assert_eq!(*text, *QUERY);
    let tell = TellDesktop { desktop, request: number, news: News::Found(REPLY) };
    printed.debug("News", &tell.news);
    runs(&mut printed, "TellDesktop", phone, &tell);
    let frames = runs(&mut printed, "RelayOutbox", phone, &RelayOutbox { desktop });
    let mut found = false;
    for envelope in &frames {
        let Ok(step) = desk.prepare(&TakeFromPhone { envelope }) else { continue };
        printed.debug("Step", &step);
        let taken = runs(&mut printed, "TakeFromPhone", desk, &TakeFromPhone { envelope });
        found |= matches!(&taken.said, FromPhone::Found { text, .. } if **text == *REPLY);
    }
    assert!(found, "what a query found came by");

    // What waits at a desktop that the phone does not answer, and what is too long to go.
    let waiting = runs(&mut printed, "RelayRequest", desk, &RelayRequest { request, ..ask });
    runs(&mut printed, "FlushRequests", desk, &FlushRequests);
    let long = TEXT.repeat(40_000);
    let too_long = Request::Send { to, plaintext: &long, associated_data: BOUND };
    is_refused(&mut printed, "RelayRequest", desk, &RelayRequest { request: too_long, ..ask });
    let cancel = CancelRequest { request: waiting.request };
    printed.debug("CancelRequest", &cancel);
    match desk.run(&cancel) {
        Ok(state) => printed.debug("CancelRequest", &state),
        Err(error) => printed.debug("CancelRequest, refused", &error),
    }

    let consent = SetDesktopConsent { desktop, may: DesktopConsent::Never };
    runs(&mut printed, "SetDesktopConsent", phone, &consent);
    let frame = runs(&mut printed, "RejoinPhone", desk, &RejoinPhone { bundle: &bundle });
    runs(&mut printed, "TakeFromDesktop", phone, &take(&frame, None));
    runs(&mut printed, "TakeFromDesktop", phone, &take(&frame, Some(Verdict::Allow)));
    runs(&mut printed, "DetachDesktop", &mut phone.clone(), &DetachDesktop { desktop });
    runs(&mut printed, "LeavePhone", desk, &LeavePhone);
    for device in [phone, desk] {
        for (key, (_, bytes)) in &device.store.0 {
            printed
                .debug("RecordDescription", &outrigger::RecordDescription::of(key, bytes, device.generation));
        }
    }
    assert_eq!(printed.leaks, [""; 0]);
}
