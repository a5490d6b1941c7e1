//! A desktop that is removed, or leaves, behind the signature that made it a companion.

use outrigger::{
    AckPhone, AskPhone, DesktopConsent, EndOfRelay, FromDesktop, LeavePhone, OpenError, RecordKind,
    RelayError, RelayOutbox, RelayStanding, RemoveCompanion, Restart, Unlisted,
};

use super::office::{Office, office, pair};

/// A desktop that the phone removes after its signature, with the frames that say so kept; it has shown them or not.
fn removed(shown: bool) -> Office {
    let mut office = office(DesktopConsent::Always);
    let (_, frames) = office.is_taken_in();
    if shown {
        office.becomes(&frames);
    }
    office.phone.run(&RemoveCompanion { device: office.desk.address.device }).unwrap();
    office
}

impl Office {
    /// The phone has let the desktop go with what came: nothing goes to it, nothing is left, and nothing comes of what it sends.
    fn has_let_go(&mut self, envelope: &[u8]) {
        let detached = RelayError::Ended(EndOfRelay::Detached);
        let outbox = RelayOutbox { desktop: self.desk.address.device };
        assert_eq!(self.phone.run(&outbox).unwrap_err(), detached);
        for _ in 0..2 {
            let done = self.phone.from(&self.desk, envelope);
            assert!(matches!(done, Ok(FromDesktop::Ended { notice: None })), "{done:?}");
        }
        for kind in [RecordKind::RelayOut, RecordKind::RelaySeen] {
            assert_eq!(self.phone.store.count(kind), 0, "{kind:?}");
        }
        assert_eq!(self.at_the_phone().0, RelayStanding::Ended(EndOfRelay::Detached));
        assert_eq!(self.phone.run(&outbox).unwrap_err(), detached);
        assert_eq!(self.peer_says("not for it"), []);
    }
}

/// Whatever comes from a desktop that was removed behind the phone's signature, it has ended: nobody is asked, and nothing of it is left.
#[test]
fn a_removed_one_has_ended_whatever_it_sends() {
    type Sends = fn(&mut Office) -> Vec<u8>;
    let ask: Sends = |office| office.desk.run(&AskPhone).unwrap();
    let word: Sends = |office| office.desk.run(&AckPhone).unwrap();
    let says: Sends = |office| office.says_itself("by the companion").1;
    let plain: Sends = |office| office.desk.send(office.phone.address, "to the phone");
    let noise: Sends = |_| vec![7; 200];
    for (shown, all) in [(false, [ask, word, Office::joins_anew, noise]), (true, [word, says, plain, noise])]
    {
        let office = removed(shown);
        assert!(office.phone.store.count(RecordKind::RelayOut) > 0);
        for sends in all {
            let mut office = office.clone();
            let envelope = sends(&mut office);
            office.has_let_go(&envelope);
            // In a new session after it too.
            if !shown {
                let envelope = office.joins_anew();
                office.has_let_go(&envelope);
            }
        }
    }
}

/// A copy of the desktop from before the upgrade does not come back after the removal.
#[test]
fn no_copy_of_a_removed_one_joins_anew() {
    for acknowledged in [false, true] {
        let mut office = office(DesktopConsent::Always);
        let copy = office.desk.clone();
        let (_, frames) = office.is_taken_in();
        office.becomes(&frames);
        if acknowledged {
            office.acknowledge();
        }
        office.phone.run(&RemoveCompanion { device: office.desk.address.device }).unwrap();
        office.desk = copy;
        let envelope = office.joins_anew();
        office.has_let_go(&envelope);
    }
}

/// A removed companion says nothing for the account, in the session that it had or in another, before the relay was let go or after.
#[test]
fn a_removed_one_says_nothing_for_the_account() {
    let mut office = removed(true);
    let mut other = pair(&mut office.phone, "other", DesktopConsent::Always);
    let (_, in_the_old) = office.says_itself("in the old session");
    let bundle = office.bundle();
    office.desk.run(&Restart { bundle: &bundle }).unwrap();
    let (_, in_another) = office.says_itself("in another");
    let word = office.desk.run(&AckPhone).unwrap();
    for let_go in [false, true] {
        if let_go {
            let done = office.phone.from(&office.desk, &word);
            assert!(matches!(done, Ok(FromDesktop::Ended { notice: None })), "{done:?}");
        }
        for copy in [&in_the_old, &in_another] {
            let refused = office.phone_opens(copy).unwrap_err();
            assert_eq!(refused, RelayError::Open(OpenError::Unlisted(Unlisted::NotListed)));
            let done = office.phone.clone().from(&office.desk, copy);
            assert!(matches!(done, Ok(FromDesktop::Ended { notice: None })), "{done:?}");
        }
    }
    // The other desktop is relayed to as before.
    let told = office.peer_says("for the other");
    assert_eq!(told.len(), 1);
    assert_eq!(other.shows(&told[0].frames), ["for the other"]);
}

/// A desktop that leaves behind the phone's signature has left as a companion: the list names it until it is removed.
#[test]
fn a_bye_behind_the_signature_is_a_companions() {
    let mut relayed = office(DesktopConsent::Always);
    let bye = relayed.desk.run(&LeavePhone).unwrap().unwrap();
    assert!(matches!(relayed.phone.from(&relayed.desk, &bye), Ok(FromDesktop::Left)));

    let mut office = office(DesktopConsent::Always);
    let (list, _lost) = office.is_taken_in();
    let bye = office.desk.run(&LeavePhone).unwrap().unwrap();
    let done = office.phone.from(&office.desk, &bye).unwrap();
    assert!(matches!(done, FromDesktop::LeftCompanion), "{done:?}");
    for kind in [RecordKind::RelayOut, RecordKind::RelaySeen] {
        assert_eq!(office.phone.store.count(kind), 0, "{kind:?}");
    }
    assert!(office.peer_says("to the phone").iter().all(|told| told.frames.is_empty()));
    let device = office.desk.address.device;
    let next = office.phone.run(&RemoveCompanion { device }).unwrap().list;
    assert!(next.epoch() > list.list.epoch() && next.entry(device).is_none());
    assert_eq!(office.peer_says("to the phone"), []);
    let late = office.phone.from(&office.desk, &bye).unwrap();
    assert!(matches!(late, FromDesktop::Ended { notice: None }), "{late:?}");
}
