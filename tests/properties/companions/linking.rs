//! Linking: both sides agree or neither is linked, and nobody is linked whom the phone's user did not name.

use outrigger::{
    AbandonLinking, Advice, ConfirmLink, Consent, ContinueLinking, DeclineLink, DescribeDevice,
    DescribeDevices, DescribeGranting, DescribeLinking, DeviceDescription, DeviceList, Epoch, GrantLink,
    GrantingStage, LinkCode, LinkError, LinkProgress, LinkRequest, Linking, ListError, RecordKind, Refusal,
    RenewDevices, ScanLinkCode, ShowLinkCode, UnixMillis,
};

use super::household::{Directory, Traffic, consent};
use crate::world::Device;

const MINUTE: u64 = 60 * 1_000;
const DAY: u64 = 24 * 60 * MINUTE;

/// A phone, and a device with an empty store.
fn strangers() -> (Directory, Device, Device) {
    let mut directory = Directory::default();
    let phone = directory.phone("ada");
    (directory, phone, Device::empty("desk"))
}

fn show(desk: &mut Device) -> LinkCode {
    desk.run(&ShowLinkCode).unwrap()
}

fn scan(phone: &mut Device, code: &LinkCode) -> LinkRequest {
    phone.run(&ScanLinkCode { code: code.text() }).unwrap()
}

fn grant(phone: &mut Device, request: &LinkRequest) -> Vec<u8> {
    phone.run(&GrantLink { reference: request.reference, consent: consent(request) }).unwrap()
}

fn confirm(desk: &mut Device, grant: &[u8]) -> Vec<u8> {
    let progress = desk.run(&ContinueLinking { message: grant }).unwrap();
    let LinkProgress::Confirm { confirmation, .. } = progress else { panic!("{progress:?}") };
    confirmation
}

fn refuses(desk: &mut Device, message: &[u8]) -> LinkError {
    desk.run(&ContinueLinking { message }).unwrap_err()
}

fn stage(phone: &mut Device) -> GrantingStage {
    phone.run(&DescribeGranting).unwrap().stage
}

fn acknowledgements(phone: &mut Device) -> Vec<Vec<u8>> {
    let granting = phone.run(&DescribeGranting).unwrap();
    granting.acknowledgements.into_iter().map(|one| one.message).collect()
}

fn companions(phone: &mut Device) -> usize {
    let account = phone.address.account;
    phone.run(&DescribeDevices { account }).unwrap().list.map_or(0, |list| list.entries().len())
}

#[test]
fn a_linking_makes_a_device_that_both_sides_agree_on() {
    let (mut directory, mut ada, mut desk) = strangers();
    let Traffic { linked, .. } = directory.link_traffic(&mut ada, &mut desk);
    let described = desk.run(&DescribeDevice).unwrap();
    let expected: DeviceDescription = described.clone();
    assert_eq!((expected.address, expected.identity_key), (linked.device, desk.identity));
    assert!(matches!(desk.run(&DescribeLinking).unwrap(), Linking::Nothing));
    let granting = ada.run(&DescribeGranting).unwrap();
    assert_eq!(granting.stage, GrantingStage::Nothing);
    let [kept] = &granting.acknowledgements[..] else { panic!("{granting:?}") };
    assert_eq!((kept.device, &kept.message), (linked.device.device, &linked.acknowledgement));
    // The session of the two stands at once, in both directions.
    let first = ada.send(desk.address, b"welcome");
    desk.opens(ada.address, &first, b"welcome");
    let answer = desk.send(ada.address, b"thank you");
    ada.opens(desk.address, &answer, b"thank you");
    // It is heard from, so its linking waits for nothing more.
    assert_eq!(ada.run(&DescribeGranting).unwrap().acknowledgements, []);
}

/// L38: a code is good for a minute, and once.
#[test]
fn l38_a_code_is_good_for_a_minute_and_for_one_scan() {
    for late in [0, 1] {
        let (_, mut ada, mut desk) = strangers();
        let code = show(&mut desk);
        assert_eq!(code.expires_at, desk.now.plus(MINUTE));
        let request = scan(&mut ada, &code);
        let grant = grant(&mut ada, &request);
        desk.wait(MINUTE + late);
        let progress = desk.run(&ContinueLinking { message: &grant });
        match late {
            0 => assert!(progress.is_ok()),
            _ => {
                let expired = LinkError::Expired { expired_at: code.expires_at };
                assert_eq!(progress.unwrap_err(), expired);
                assert_eq!(expired.advice(), Advice::LinkAgain);
            }
        }
        let again = ada.run(&ScanLinkCode { code: code.text() }).unwrap_err();
        assert_eq!(again, LinkError::AlreadyUsed);
    }
}

/// The user and the companion have five minutes each.
#[test]
fn the_phone_waits_five_minutes_for_its_user_and_for_the_companion() {
    let (_, ada, mut desk) = strangers();
    let code = show(&mut desk);
    for late in [0, 1] {
        let (mut ada, mut desk) = (ada.clone(), desk.clone());
        let request = scan(&mut ada, &code);
        ada.wait(5 * MINUTE + late);
        let granted = ada.run(&GrantLink { reference: request.reference, consent: consent(&request) });
        assert_eq!(
            granted.as_ref().err().copied(),
            (late == 1).then_some(LinkError::Expired { expired_at: request.expires_at })
        );
        let Ok(grant) = granted else { continue };
        let confirmation = confirm(&mut desk, &grant);
        for (wait, refused) in [(5 * MINUTE, false), (5 * MINUTE + 1, true)] {
            let mut ada = ada.clone();
            ada.wait(wait);
            assert_eq!(ada.run(&ConfirmLink { confirmation: &confirmation }).is_err(), refused);
            assert_eq!(companions(&mut ada), usize::from(!refused));
        }
    }
}

/// L37: no other code links, whatever it looks like; and a link code does nothing but ask.
#[test]
fn l37_only_a_link_code_links_and_only_after_consent() {
    let (_, mut ada, mut desk) = strangers();
    let code = show(&mut desk);
    let body = code.text().strip_prefix("outrigger-link:").unwrap();
    for text in [
        "https://chat.example/join/group",
        "",
        body,
        &format!("https://outrigger-link:{body}"),
        &format!("OUTRIGGER-LINK:{body}"),
        &format!("outrigger-link:{}", &body[1..]),
        &format!("{}A", code.text()),
        &format!("{}=", code.text()),
        "outrigger-link:",
    ] {
        assert_eq!(ada.run(&ScanLinkCode { code: text }).unwrap_err(), LinkError::NotALinkCode, "{text}");
    }
    // The second byte is the role: "AQE" to "AQH" are 1 and 1, and two bits of the key. Roles 0, 3, 4, 15 and 17 are none.
    assert!(body.starts_with("AQ") && matches!(body.as_bytes()[2], b'E'..=b'H'), "{body}");
    for front in ["AQA", "AQM", "AQP", "AQQ", "AQ_", "ARE"] {
        let text = format!("outrigger-link:{front}{}", &body[3..]);
        assert_eq!(ada.run(&ScanLinkCode { code: &text }).unwrap_err(), LinkError::NotALinkCode, "{text}");
    }
    let before = ada.store.clone();
    let request = scan(&mut ada, &code);
    assert_eq!(companions(&mut ada), 0, "a scan is a question");
    let changed = ada.store.0.keys().filter(|key| !before.0.contains_key(key)).map(|key| key.kind());
    assert_eq!(changed.collect::<Vec<_>>(), [RecordKind::Granting]);

    // Consent names the companion that was scanned, and the linking.
    let other = Consent { companion: ada.identity, ..consent(&request) };
    let refused = ada.run(&GrantLink { reference: request.reference, consent: other }).unwrap_err();
    assert_eq!((refused, refused.advice()), (LinkError::OtherConsent, Advice::FixCall));
    let mut reference = request.reference;
    reference.0[0] ^= 1;
    let refused = ada.run(&GrantLink { reference, consent: consent(&request) }).unwrap_err();
    assert_eq!(refused, LinkError::OtherLinking);
    // The list is signed for the confirmation, not for the grant.
    let grant = grant(&mut ada, &request);
    assert_eq!(companions(&mut ada), 0);
    let confirmation = confirm(&mut desk, &grant);
    ada.run(&ConfirmLink { confirmation: &confirmation }).unwrap();
    assert_eq!(companions(&mut ada), 1);
}

/// Every character of the code counts: with one changed nothing is linked, and the true code still is.
#[test]
fn a_code_with_one_character_changed_links_nothing() {
    let (_, ada, mut desk) = strangers();
    let code = show(&mut desk);
    let start = "outrigger-link:".len();
    for place in start..code.text().len() {
        let mut text = code.text().as_bytes().to_vec();
        text[place] = if text[place] == b'A' { b'B' } else { b'A' };
        let text = String::from_utf8(text).unwrap();
        let mut ada = ada.clone();
        let Ok(request) = ada.run(&ScanLinkCode { code: &text }) else { continue };
        let grant = grant(&mut ada, &request);
        let refused = refuses(&mut desk, &grant);
        assert!(matches!(refused, LinkError::OtherLinking | LinkError::NotAuthentic), "{place}: {refused}");
    }
    let mut ada = ada.clone();
    let request = scan(&mut ada, &code);
    let grant = grant(&mut ada, &request);
    confirm(&mut desk, &grant);
}

/// Every bit of every message, and every shorter one: refused by the side that waits for it, which then takes the true one.
#[test]
fn an_altered_or_cut_message_is_refused_and_changes_nothing() {
    let (_, mut ada, mut desk) = strangers();
    let code = show(&mut desk);
    let request = scan(&mut ada, &code);
    let grant = grant(&mut ada, &request);
    for altered in alterations(&grant) {
        refuses(&mut desk, &altered);
    }
    let confirmation = confirm(&mut desk, &grant);
    for altered in alterations(&confirmation) {
        ada.run(&ConfirmLink { confirmation: &altered }).unwrap_err();
    }
    let linked = ada.run(&ConfirmLink { confirmation: &confirmation }).unwrap();
    for altered in alterations(&linked.acknowledgement) {
        refuses(&mut desk, &altered);
    }
    desk.run(&ContinueLinking { message: &linked.acknowledgement }).unwrap();
}

fn alterations(message: &[u8]) -> Vec<Vec<u8>> {
    let flips = (0..message.len() * 8).step_by(3).map(|bit| {
        let mut altered = message.to_vec();
        altered[bit / 8] ^= 1 << (bit % 8);
        altered
    });
    let cuts = (0..message.len()).map(|len| message[..len].to_vec());
    flips.chain(cuts).chain([[message, &[0]].concat()]).collect()
}

/// What belongs to another step, another side or another linking is refused by both sides in every state.
#[test]
fn messages_out_of_order_or_of_another_linking_are_refused() {
    let (mut directory, mut ada, mut desk) = strangers();
    let mut other_phone = directory.phone("eve");
    let mut other_desk = Device::empty("other desk");
    let other = directory.link_traffic(&mut other_phone, &mut other_desk);
    let foreign = [&other.grant, &other.confirmation, &other.linked.acknowledgement];
    let refuse_all = |ada: &mut Device, desk: &mut Device, own: &[&[u8]]| {
        for message in foreign.iter().map(|message| message.as_slice()).chain(own.iter().copied()) {
            refuses(desk, message);
            ada.run(&ConfirmLink { confirmation: message }).unwrap_err();
        }
    };
    refuse_all(&mut ada, &mut desk, &[]);
    let code = show(&mut desk);
    let request = scan(&mut ada, &code);
    refuse_all(&mut ada, &mut desk, &[]);
    let grant = grant(&mut ada, &request);
    let confirmation = confirm(&mut desk, &grant);
    // Replays of what was taken, and each message at its own sender.
    refuse_all(&mut ada, &mut desk, &[&grant]);
    assert_eq!(refuses(&mut desk, &grant), LinkError::OutOfOrder);
    assert_eq!(desk.run(&ShowLinkCode).unwrap_err(), LinkError::OutOfOrder);
    let linked = ada.run(&ConfirmLink { confirmation: &confirmation }).unwrap();
    assert_eq!(ada.run(&ConfirmLink { confirmation: &confirmation }).unwrap_err(), LinkError::OutOfOrder);
    desk.run(&ContinueLinking { message: &linked.acknowledgement }).unwrap();
    refuse_all(&mut ada, &mut desk, &[&grant, &confirmation, &linked.acknowledgement]);
    assert_eq!(desk.run(&ShowLinkCode).unwrap_err(), LinkError::AlreadyRegistered);
    assert_eq!(ada.run(&ShowLinkCode).unwrap_err(), LinkError::AlreadyRegistered);
}

/// A second phone has photographed the code. Whoever's grant comes first has the companion; the other's is refused, and its phone lists nobody.
#[test]
fn of_two_phones_that_scan_one_code_one_gets_the_companion() {
    let (mut directory, mut ada, mut desk) = strangers();
    let mut eve = directory.phone("eve");
    let code = show(&mut desk);
    let (by_ada, by_eve) = (scan(&mut ada, &code), scan(&mut eve, &code));
    assert_ne!(by_ada.comparison, by_eve.comparison, "the screens tell them apart");
    let (grant_ada, grant_eve) = (grant(&mut ada, &by_ada), grant(&mut eve, &by_eve));
    let progress = desk.run(&ContinueLinking { message: &grant_ada }).unwrap();
    let LinkProgress::Confirm { confirmation, comparison, address } = progress else {
        panic!("{progress:?}")
    };
    assert_eq!((comparison, address.account), (by_ada.comparison, ada.address.account));
    assert_eq!(refuses(&mut desk, &grant_eve), LinkError::OutOfOrder);
    assert_eq!(eve.run(&ConfirmLink { confirmation: &confirmation }).unwrap_err(), LinkError::NotAuthentic);
    assert_eq!(companions(&mut eve), 0);
    let linked = ada.run(&ConfirmLink { confirmation: &confirmation }).unwrap();
    desk.run(&ContinueLinking { message: &linked.acknowledgement }).unwrap();
}

/// The user says no: the companion is told so, and shows another code.
#[test]
fn a_declined_companion_knows_it_and_can_try_again() {
    let (mut directory, mut ada, mut desk) = strangers();
    let code = show(&mut desk);
    let request = scan(&mut ada, &code);
    let refusal = ada.run(&DeclineLink { reference: request.reference }).unwrap();
    for altered in alterations(&refusal) {
        refuses(&mut desk, &altered);
    }
    let GrantingStage::Declined { refusal: kept, .. } = stage(&mut ada) else { panic!() };
    assert_eq!(kept, refusal);
    let progress = desk.run(&ContinueLinking { message: &refusal }).unwrap();
    assert_eq!(progress, LinkProgress::Refused(Refusal::Declined));
    assert_eq!(
        ada.run(&GrantLink { reference: request.reference, consent: consent(&request) }).unwrap_err(),
        LinkError::OutOfOrder
    );
    assert_eq!(refuses(&mut desk, &refusal), LinkError::OutOfOrder);
    directory.link_traffic(&mut ada, &mut desk);
}

/// Either side can give up at any point before the end, and both can begin anew.
#[test]
fn a_linking_can_be_abandoned_on_either_side() {
    for abandons_at in 0..4 {
        let (mut directory, mut ada, mut desk) = strangers();
        let code = show(&mut desk);
        let request = scan(&mut ada, &code);
        match abandons_at {
            0 => desk.run(&AbandonLinking).unwrap(),
            1 => ada.run(&AbandonLinking).unwrap(),
            _ => {
                let grant = grant(&mut ada, &request);
                let confirmation = confirm(&mut desk, &grant);
                if abandons_at == 2 {
                    ada.run(&AbandonLinking).unwrap();
                    let refused = ada.run(&ConfirmLink { confirmation: &confirmation }).unwrap_err();
                    assert_eq!(refused, LinkError::OutOfOrder);
                }
                desk.run(&AbandonLinking).unwrap();
                assert!(desk.store.0.is_empty(), "no key is left");
                if abandons_at == 3 {
                    // The phone did not hear of it: its list names a companion that is none, until it is removed.
                    let linked = ada.run(&ConfirmLink { confirmation: &confirmation }).unwrap();
                    assert_eq!(refuses(&mut desk, &linked.acknowledgement), LinkError::OutOfOrder);
                    directory.remove(&mut ada, linked.device.device);
                }
            }
        }
        desk.run(&AbandonLinking).ok();
        ada.run(&AbandonLinking).ok();
        assert_eq!(desk.run(&AbandonLinking).unwrap_err(), LinkError::OutOfOrder);
        assert_eq!(companions(&mut ada), 0);
        directory.link_traffic(&mut ada, &mut desk);
        assert_eq!(companions(&mut ada), 1);
    }
}

/// Whatever message is lost, its sender has it still, from its records alone.
#[test]
fn a_lost_message_is_sent_again_from_the_records() {
    let (_, mut ada, mut desk) = strangers();
    let shown = show(&mut desk);
    let Linking::Shown(code) = desk.run(&DescribeLinking).unwrap() else { panic!() };
    assert_eq!((code.text(), code.expires_at), (shown.text(), shown.expires_at));
    let request = scan(&mut ada, &code);
    assert_eq!(stage(&mut ada), GrantingStage::Scanned(request));
    let lost = grant(&mut ada, &request);
    let GrantingStage::Granted { grant, .. } = stage(&mut ada) else { panic!() };
    assert_eq!(grant, lost);
    let lost = confirm(&mut desk, &grant);
    let Linking::Confirmed { confirmation, comparison } = desk.run(&DescribeLinking).unwrap() else {
        panic!()
    };
    assert_eq!((&confirmation, comparison), (&lost, request.comparison));
    let lost = ada.run(&ConfirmLink { confirmation: &confirmation }).unwrap().acknowledgement;
    assert_eq!(acknowledgements(&mut ada), std::slice::from_ref(&lost));
    // However late it comes, while its list is good.
    desk.wait(3 * DAY);
    desk.run(&ContinueLinking { message: &lost }).unwrap();
}

/// A companion becomes a device by a list that counts, as any other taker of lists: not past its time, not from the future. The phone has the newest for it.
#[test]
fn an_acknowledgement_whose_list_does_not_count_is_refused() {
    let (_, mut ada, mut desk) = strangers();
    let code = show(&mut desk);
    let request = scan(&mut ada, &code);
    let grant = grant(&mut ada, &request);
    let confirmation = confirm(&mut desk, &grant);
    let linked = ada.run(&ConfirmLink { confirmation: &confirmation }).unwrap();
    let (issued_at, expires_at) = (linked.list.issued_at(), linked.list.expires_at());
    let tolerance = DeviceList::CLOCK_TOLERANCE;
    desk.now = UnixMillis(issued_at.0 - tolerance - 1);
    let refused = refuses(&mut desk, &linked.acknowledgement);
    assert_eq!(refused, LinkError::List(ListError::FromTheFuture { issued_at }));
    desk.now = UnixMillis(expires_at.0 + tolerance + 1);
    let refused = refuses(&mut desk, &linked.acknowledgement);
    assert_eq!(refused, LinkError::List(ListError::Expired { expired_at: expires_at }));
    // What the phone sends again has the list that it signed last.
    ada.now = desk.now;
    ada.run(&RenewDevices).unwrap();
    let [newest] = &acknowledgements(&mut ada)[..] else { panic!() };
    assert_ne!(*newest, linked.acknowledgement);
    let LinkProgress::Linked(joined) = desk.run(&ContinueLinking { message: newest }).unwrap() else {
        panic!()
    };
    assert_eq!(joined.list.epoch(), Epoch(2));
}

/// Another linking, and the removal of one companion, take from the phone nothing that a linking still waits for.
#[test]
fn a_later_linking_keeps_what_an_earlier_one_waits_for() {
    let (mut directory, mut ada, mut desk) = strangers();
    let mut lab = Device::empty("lab");
    let code = show(&mut desk);
    let request = scan(&mut ada, &code);
    let grant = grant(&mut ada, &request);
    let confirmation = confirm(&mut desk, &grant);
    let lost = ada.run(&ConfirmLink { confirmation: &confirmation }).unwrap();
    directory.link_traffic(&mut ada, &mut lab);
    let granting = ada.run(&DescribeGranting).unwrap();
    let waits = |device| granting.acknowledgements.iter().find(|one| one.device == device);
    let again = waits(lost.device.device).unwrap();
    assert_eq!(again.reference, request.reference);
    let progress = desk.run(&ContinueLinking { message: &again.message }).unwrap();
    let LinkProgress::Linked(joined) = progress else { panic!("{progress:?}") };
    assert_eq!(joined.list.entries().len(), 2);
    // What is removed gets nothing more.
    directory.remove(&mut ada, lost.device.device);
    let granting = ada.run(&DescribeGranting).unwrap();
    assert!(granting.acknowledgements.iter().all(|one| one.device == lab.address.device));
}

/// Only the phone links, and no more companions than there is room for.
#[test]
fn only_a_phone_with_room_links() {
    let (mut directory, mut ada, mut desk) = strangers();
    directory.link_traffic(&mut ada, &mut desk);
    let code = show(&mut Device::empty("another"));
    let by_companion = desk.run(&ScanLinkCode { code: code.text() }).unwrap_err();
    assert_eq!(by_companion, LinkError::List(ListError::NotThePhone));
    for name in ["two", "three", "four"] {
        directory.link(&mut ada, name);
    }
    let full = ada.run(&ScanLinkCode { code: code.text() }).unwrap_err();
    assert_eq!(full, LinkError::List(ListError::TooManyDevices));
    let unregistered = Device::empty("nobody").run(&ScanLinkCode { code: code.text() }).unwrap_err();
    assert_eq!(unregistered, LinkError::List(ListError::NotRegistered));
}

/// While a companion's confirmation is awaited no other code is scanned; when its time is over, one is.
#[test]
fn one_linking_at_a_time() {
    let (_, mut ada, mut desk) = strangers();
    let code = show(&mut desk);
    let request = scan(&mut ada, &code);
    // The user turns to another code: the first is forgotten, and stays used.
    let second = show(&mut Device::empty("second"));
    let request_two = scan(&mut ada, &second);
    assert_eq!(
        ada.run(&GrantLink { reference: request.reference, consent: consent(&request) }).unwrap_err(),
        LinkError::OtherLinking
    );
    grant(&mut ada, &request_two);
    let third = show(&mut Device::empty("third"));
    assert_eq!(ada.run(&ScanLinkCode { code: third.text() }).unwrap_err(), LinkError::OutOfOrder);
    ada.wait(5 * MINUTE + 1);
    scan(&mut ada, &third);
}
