//! Linking by a typed code: one try for each code, nothing to try later, and the same consent as after a scan.

use outrigger::{
    ConfirmLink, ContinueLinking, DescribeGranting, DescribeLinking, EnterLinkCode, GrantLink, GrantingStage,
    LinkError, LinkProgress, Linking, ListError, ShowLinkCode, ShowTypedCode, TakeInvitation, TypedCode,
};

use super::household::{Directory, consent};
use crate::world::Device;

const MINUTE: u64 = 60 * 1_000;

fn strangers() -> (Directory, Device, Device) {
    let mut directory = Directory::default();
    let phone = directory.phone("ada");
    (directory, phone, Device::empty("desk"))
}

fn enter(phone: &mut Device, code: &str, offer: &[u8]) -> Result<Vec<u8>, LinkError> {
    phone.run(&EnterLinkCode { code, offer })
}

fn invite(desk: &mut Device, answer: &[u8]) -> LinkProgress {
    desk.run(&ContinueLinking { message: answer }).unwrap()
}

/// From the question to the user on, all is as after a scan.
fn finish(ada: &mut Device, desk: &mut Device, invitation: &[u8]) {
    let request = ada.run(&TakeInvitation { invitation }).unwrap();
    let grant = ada.run(&GrantLink { reference: request.reference, consent: consent(&request) }).unwrap();
    let progress = desk.run(&ContinueLinking { message: &grant }).unwrap();
    let LinkProgress::Confirm { confirmation, comparison, .. } = progress else { panic!("{progress:?}") };
    assert_eq!(comparison, request.comparison);
    let linked = ada.run(&ConfirmLink { confirmation: &confirmation }).unwrap();
    let progress = desk.run(&ContinueLinking { message: &linked.acknowledgement }).unwrap();
    let LinkProgress::Linked(joined) = progress else { panic!("{progress:?}") };
    assert_eq!((joined.address, joined.account_key), (linked.device, ada.identity));
}

#[test]
fn a_code_that_is_typed_right_links_as_a_scan_does() {
    let (_, mut ada, mut desk) = strangers();
    let code = desk.run(&ShowTypedCode).unwrap();
    assert_eq!(code.text().len(), 9);
    // Whatever the fingers do.
    let typed = code.text().to_lowercase().replace('-', " ");
    let answer = enter(&mut ada, &typed, &code.offer).unwrap();
    let LinkProgress::Invite { invitation } = invite(&mut desk, &answer) else { panic!() };
    finish(&mut ada, &mut desk, &invitation);
}

/// A wrong code is one try, and it was the only one; nothing is linked, and the right code comes too late.
#[test]
fn a_wrong_code_spends_the_only_try() {
    let (_, mut ada, mut desk) = strangers();
    let code = desk.run(&ShowTypedCode).unwrap();
    let wrong =
        code.text().chars().map(|digit| if digit == '2' { '3' } else { '2' }).take(4).collect::<String>()
            + "2222";
    let answer = enter(&mut ada, &wrong, &code.offer).unwrap();
    assert_eq!(invite(&mut desk, &answer), LinkProgress::WrongCode);
    assert!(matches!(desk.run(&DescribeLinking).unwrap(), Linking::Nothing));
    assert!(desk.store.0.is_empty(), "the keys went with the try");
    // The phone has used the offer, too, and a second answer finds nothing.
    assert_eq!(enter(&mut ada, code.text(), &code.offer).unwrap_err(), LinkError::AlreadyUsed);
    assert_eq!(desk.run(&ContinueLinking { message: &answer }).unwrap_err(), LinkError::OutOfOrder);
    // With a new code it goes.
    let code = desk.run(&ShowTypedCode).unwrap();
    let answer = enter(&mut ada, code.text(), &code.offer).unwrap();
    let LinkProgress::Invite { invitation } = invite(&mut desk, &answer) else { panic!() };
    finish(&mut ada, &mut desk, &invitation);
}

/// L38: an offer that nobody asked for does nothing: there is no operation that takes one without a typed code. One who sends the phone an offer of their own, and hopes that the
/// user types the code of another, gets a proof that fits no code of theirs.
#[test]
fn l38_an_offer_of_a_stranger_gets_nothing_of_the_typed_code() {
    let (_, mut ada, mut desk) = strangers();
    let mut eve = Device::empty("eve");
    let code = desk.run(&ShowTypedCode).unwrap();
    let eves = eve.run(&ShowTypedCode).unwrap();
    let before = ada.store.clone();
    assert_eq!(enter(&mut ada, "", &eves.offer).unwrap_err(), LinkError::NotALinkCode);
    assert_eq!(ada.store, before);
    // Ada types the desk's code, and the server shows her phone eve's offer.
    let answer = enter(&mut ada, code.text(), &eves.offer).unwrap();
    assert_eq!(invite(&mut eve, &answer), LinkProgress::WrongCode);
    assert_eq!(desk.run(&ContinueLinking { message: &answer }).unwrap_err(), LinkError::OtherLinking);
    // The desk's own try is still there.
    let answer = enter(&mut ada, code.text(), &code.offer).unwrap();
    let LinkProgress::Invite { invitation } = invite(&mut desk, &answer) else { panic!() };
    finish(&mut ada, &mut desk, &invitation);
}

/// Someone in between who plays the phone towards the companion has one guess; and nothing that passed helps to try another.
#[test]
fn who_stands_between_has_one_guess() {
    let (mut directory, mut ada, mut desk) = strangers();
    let mut mallory = directory.phone("mallory");
    let code = desk.run(&ShowTypedCode).unwrap();
    let guess = enter(&mut mallory, "2222-2222", &code.offer).unwrap();
    assert_eq!(invite(&mut desk, &guess), LinkProgress::WrongCode);
    // Ada's own answer was held back and comes now.
    let answer = enter(&mut ada, code.text(), &code.offer).unwrap();
    assert_eq!(desk.run(&ContinueLinking { message: &answer }).unwrap_err(), LinkError::OutOfOrder);
}

/// Every message altered, cut, replayed, at the wrong time or place.
#[test]
fn altered_late_and_foreign_messages_are_refused() {
    let (_, ada, mut desk) = strangers();
    let code = desk.run(&ShowTypedCode).unwrap();
    let offered = desk.clone();
    let mut sound = ada.clone();
    let answer = enter(&mut sound, code.text(), &code.offer).unwrap();
    for len in 0..code.offer.len() {
        assert!(enter(&mut ada.clone(), code.text(), &code.offer[..len]).is_err(), "{len}");
    }
    for bit in 0..answer.len() * 8 {
        let mut altered = answer.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        // What names this linking is a try, and a wrong one; all else is refused.
        let outcome = offered.clone().run(&ContinueLinking { message: &altered });
        assert!(matches!(outcome, Err(_) | Ok(LinkProgress::WrongCode)), "{bit}: {outcome:?}");
    }
    let LinkProgress::Invite { invitation } = invite(&mut desk, &answer) else { panic!() };
    assert_eq!(desk.run(&ContinueLinking { message: &answer }).unwrap_err(), LinkError::OutOfOrder);
    let Linking::Invited { invitation: kept } = desk.run(&DescribeLinking).unwrap() else { panic!() };
    assert_eq!(kept, invitation);
    let GrantingStage::Entered { answer: kept, .. } = sound.run(&DescribeGranting).unwrap().stage else {
        panic!()
    };
    assert_eq!(kept, answer);
    for bit in 0..invitation.len() * 8 {
        let mut altered = invitation.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(sound.run(&TakeInvitation { invitation: &altered }).is_err(), "{bit}");
    }
    assert_eq!(
        ada.clone().run(&TakeInvitation { invitation: &invitation }).unwrap_err(),
        LinkError::OutOfOrder
    );
    let mut late = sound.clone();
    late.wait(5 * MINUTE + 1);
    assert!(matches!(late.run(&TakeInvitation { invitation: &invitation }), Err(LinkError::Expired { .. })));
    let mut late = offered.clone();
    late.wait(3 * MINUTE + 1);
    let expired = LinkError::Expired { expired_at: code.expires_at };
    assert_eq!(late.run(&ContinueLinking { message: &answer }).unwrap_err(), expired);
    finish(&mut sound, &mut desk, &invitation);
    assert!(sound.run(&TakeInvitation { invitation: &invitation }).is_err());
}

/// Codes that cannot be: too long, too short, or with characters that no code has.
#[test]
fn what_is_no_code_is_refused_before_anything_is_computed() {
    let (_, mut ada, mut desk) = strangers();
    let code = desk.run(&ShowTypedCode).unwrap();
    for typed in [
        "ABCD-EFG",
        "ABCD-EFGH-J",
        "ABCD-EFG0",
        "ABCD-EFGO",
        "ABCD-EFGI",
        "ABCD-EFGU",
        "ABCD EFG\u{e9}",
        "ABCD_EFGH",
    ] {
        assert_eq!(enter(&mut ada, typed, &code.offer).unwrap_err(), LinkError::NotALinkCode, "{typed}");
    }
    // A share of nothing: all zeros is the neutral element, all ones no element at all.
    for byte in [0, 0xff] {
        let mut offer = code.offer.clone();
        let place = offer.len() - 32;
        offer[place..].fill(byte);
        assert_eq!(enter(&mut ada, code.text(), &offer).unwrap_err(), LinkError::NotAuthentic);
    }
    let by_companion = enter(&mut desk, code.text(), &code.offer).unwrap_err();
    assert_eq!(by_companion, LinkError::List(ListError::NotRegistered));
    // A code on the screen takes the place of one to be typed.
    desk.run(&ShowLinkCode).unwrap();
    let answer = enter(&mut ada, code.text(), &code.offer).unwrap();
    assert!(desk.run(&ContinueLinking { message: &answer }).is_err());
}

/// A typed code does not repeat, and shows nothing of itself.
#[test]
fn codes_are_fresh_and_silent() {
    let mut desk = Device::empty("desk");
    let codes: Vec<TypedCode> = (0..50).map(|_| desk.run(&ShowTypedCode).unwrap()).collect();
    let texts: std::collections::BTreeSet<_> = codes.iter().map(TypedCode::text).collect();
    assert_eq!(texts.len(), 50);
    for code in &codes {
        let printed = format!(
            "{code:?} {:?} {:?}",
            EnterLinkCode { code: code.text(), offer: &code.offer },
            desk.run(&DescribeLinking)
        );
        assert!(!printed.contains(code.text()));
        let Linking::Offered(shown) = desk.run(&DescribeLinking).unwrap() else { panic!() };
        assert_eq!(shown.text(), codes.last().unwrap().text());
    }
}
