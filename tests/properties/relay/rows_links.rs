//! Each frame names the one before it: what a phone tells whose store went back is not taken for what it told before.

use outrigger::{AskPhone, DesktopConsent, FromPhone, RelayStanding, Suspension, Verdict};

use super::{
    office::{Office, office},
    rows_phone::heard,
};

/// The desktop has shown two frames, and the phone's store went back to before it told them. Its answers to two asks have taken the keys that the two frames had.
fn went_back_behind_two() -> Office {
    let mut office = office(DesktopConsent::Always);
    let asks = [(); 2].map(|()| office.desk.run(&AskPhone).unwrap());
    let snapshot = office.phone.store.clone();
    let frames: Vec<_> = ["one", "two"].map(|text| office.frames(text)).concat();
    assert_eq!(office.desk.shows(&frames), ["one", "two"]);
    office.phone.store = snapshot;
    for ask in &asks {
        heard(office.phone.from(&office.desk, ask));
    }
    office
}

/// A phone whose store went back tells another thing under a number that was shown: it is not shown.
#[test]
fn a_number_that_was_shown_is_shown_no_more() {
    let mut office = went_back_behind_two();
    let again = office.frames("three");
    let said = office.desk.take_frame(&again[0]).unwrap().said;
    assert!(matches!(said, FromPhone::Late), "{said:?}");
    assert_eq!(office.standing_at_desk(), RelayStanding::Attached);
    // What would be next is told behind another frame than the one that was shown: what was told only now, under the used numbers, is missing, and nobody knows how much that is.
    let again: Vec<_> = ["four", "five"].map(|text| office.frames(text)).concat();
    assert!(matches!(office.desk.take_frame(&again[0]).unwrap().said, FromPhone::Late));
    office.is_suspended_by(&again[1], Suspension::PhoneWentBack);
    let (_, told) = office.rejoin();
    assert_eq!(told, ["gap of 0", "gap of 1"]);
    let on = office.frames("six");
    assert_eq!(office.desk.shows(&on), ["six"]);
}

/// A phone whose store went back tells just as many other things: the next status says so, and the gap comes though it is lost at first.
#[test]
fn a_status_behind_other_frames_suspends() {
    let mut office = went_back_behind_two();
    for text in ["three", "four"] {
        office.frames(text);
    }
    let ask = office.desk.run(&AskPhone).unwrap();
    let (frames, _) = heard(office.phone.from(&office.desk, &ask));
    office.is_suspended_by(&frames[0], Suspension::PhoneWentBack);
    let frame = office.joins_anew();
    office.phone.decides(&office.desk, &frame, Verdict::Allow).unwrap();
    assert_eq!(office.rejoin().1, ["gap of 0", "gap of 1"]);
}

/// A phone whose store went back tells as many other things, and the desktop joins anew before it hears of any: the phone sees it by the ask.
#[test]
fn a_join_behind_other_frames_has_a_gap() {
    let mut office = office(DesktopConsent::Always);
    let snapshot = office.phone.store.clone();
    let frames = office.frames("one");
    assert_eq!(office.desk.shows(&frames), ["one"]);
    office.phone.store = snapshot;
    office.peer.restart(office.phone.address, &mut office.server).unwrap();
    office.frames("two");
    assert_eq!(office.rejoin().1, ["gap of 0"]);
    let frames = office.frames("three");
    assert_eq!(office.desk.shows(&frames), ["three"]);
    // Where nothing went back there is none.
    office.acknowledge();
    assert_eq!(office.rejoin().1, Vec::<String>::new());
}
