//! Damaged records of the relay: a typed error or a step, never a panic, and never a frame that was not sealed.

use outrigger::{
    AckPhone, AskPhone, DescribeDesktops, DescribeRelay, DesktopConsent, DetachDesktop, FlushRequests,
    FromDesktop, RecordError, RecordKey, RecordKind, RelayError, RelayOutbox, RelayReceive, RenewDesktop,
    TakeFromPhone,
};

use super::office::{Office, office};
use crate::world::BOUND;

/// An office with a record of every kind, a frame on its way down, a request on its way up, and a message of the peer's.
struct Scene {
    office: Office,
    down: Vec<u8>,
    up: Vec<u8>,
    again: Vec<u8>,
    message: Vec<u8>,
}

fn scene() -> Scene {
    let mut office = office(DesktopConsent::Always);
    let (_, again) = office.desk_says("done");
    assert!(matches!(office.phone.from(&office.desk, &again), Ok(FromDesktop::Sent { .. })));
    let down = office.phone.outbox(&office.desk).remove(0);
    let (_, up) = office.desk_says("under way");
    let message = office.peer.send(office.phone.address, "a message");
    Scene { office, down, up, again, message }
}

impl Scene {
    /// Everything that either end does; the errors.
    fn all(&self, office: &mut Office) -> Vec<RelayError> {
        let desktop = office.desk.address.device;
        let from = office.peer.address;
        let receive = RelayReceive { from, envelope: &self.message, associated_data: BOUND };
        let mut errors = Vec::new();
        errors.extend(office.phone.run(&receive).err());
        errors.extend(office.phone.from(&self.office.desk, &self.up).err());
        errors.extend(office.phone.from(&self.office.desk, &self.again).err());
        errors.extend(office.phone.run(&RelayOutbox { desktop }).err());
        errors.extend(office.phone.run(&DescribeDesktops).err().map(RelayError::Record));
        errors.extend(office.phone.run(&RenewDesktop { desktop }).err());
        errors.extend(office.desk.run(&DescribeRelay).err());
        errors.extend(office.desk.run(&TakeFromPhone { envelope: &self.down }).err());
        errors.extend(office.desk.run(&FlushRequests).err());
        errors.extend(office.desk.run(&AskPhone).err());
        errors.extend(office.desk.run(&AckPhone).err());
        let ack = office.desk.run(&AckPhone);
        errors.extend(ack.and_then(|ack| office.phone.from(&self.office.desk, &ack)).err());
        errors.extend(office.phone.run(&DetachDesktop { desktop }).err());
        errors
    }

    fn records(&self) -> Vec<(bool, RecordKey, Vec<u8>)> {
        let kinds = [
            RecordKind::Desktops,
            RecordKind::Desktop,
            RecordKind::RelayOut,
            RecordKind::RelaySeen,
            RecordKind::Relay,
            RecordKind::RelayAsked,
        ];
        let mut all = Vec::new();
        for kind in kinds {
            let at_phone = self.office.phone.store.of(kind).map(|(key, bytes)| (true, *key, bytes.clone()));
            let at_desk = self.office.desk.store.of(kind).map(|(key, bytes)| (false, *key, bytes.clone()));
            let found: Vec<_> = at_phone.chain(at_desk).collect();
            assert!(!found.is_empty(), "{kind:?}");
            all.extend(found);
        }
        all
    }

    fn with(&self, at_phone: bool, key: &RecordKey, bytes: Vec<u8>) -> Vec<RelayError> {
        let mut office = self.office.clone();
        let device = if at_phone { &mut office.phone } else { &mut office.desk };
        device.store.tamper(key, bytes);
        self.all(&mut office)
    }
}

/// A record that is empty, cut off, or of another kind is named in the error.
#[test]
fn a_damaged_record_of_the_relay_is_named() {
    let scene = scene();
    for (at_phone, key, bytes) in scene.records() {
        for damaged in [Vec::new(), bytes[..bytes.len() - 1].to_vec(), [&[0][..], &bytes[1..]].concat()] {
            let errors = scene.with(at_phone, &key, damaged);
            let named = RelayError::Record(RecordError::Corrupt(key));
            assert!(errors.contains(&named), "{key:?}: {errors:?}");
        }
    }
}

/// A bit of every fourth byte, and a cut before it: no panic, and no work without bound.
#[test]
fn no_bit_of_a_record_makes_a_panic() {
    let scene = scene();
    for (at_phone, key, bytes) in scene.records() {
        for place in (0..bytes.len()).step_by(4) {
            let mut altered = bytes.clone();
            altered[place] ^= 1 << (place % 8);
            scene.with(at_phone, &key, altered);
            scene.with(at_phone, &key, bytes[..place].to_vec());
        }
    }
}
