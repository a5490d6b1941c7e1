//! How a device begins, what it publishes, and how it is taken over after a backup.

use outrigger::{DescribePeer, OneTimePrekeyFields, Recover, Register, ReplenishPrekeys, VerifiedBundle};

use super::{DEVICES, Shelf, World};

impl World {
    pub(super) fn register(&mut self, at: usize) {
        let address = self.devices[at].address;
        self.run(at, &Register { address }).expect("an empty store");
        self.server[at] = Shelf::default();
        self.replenish(at, 2);
    }

    pub(super) fn replenish(&mut self, at: usize, one_time: u16) {
        let upload = self.run(at, &ReplenishPrekeys { one_time }).expect("registered");
        // Beyond 500 the oldest go, used by a message in flight or not.
        self.calm = self.calm && upload.one_time_alive < 450;
        let shelf = &mut self.server[at];
        shelf.bundle = upload.bundle;
        shelf.last_resort = upload.last_resort;
        if upload.replaces {
            shelf.one_time.clear();
        }
        shelf.upload = upload.id;
        shelf.one_time.extend(upload.one_time_prekeys);
    }

    /// Takes over the store of a device whose generation is another than that of its records.
    pub(super) fn take_over(&mut self, at: usize) {
        let keys = self.devices[at].held.store.0.keys().copied().collect::<Vec<_>>();
        let recovered = self.run(at, &Recover { records: &keys }).expect("sound records");
        assert_eq!(recovered.kept + recovered.deleted, keys.len());
        for other in (0..DEVICES).filter(|other| *other != at) {
            let peer = self.devices[other].address;
            let session = self.run(at, &DescribePeer { peer }).expect("readable").session;
            assert!(session.is_none_or(|session| session.stale));
        }
        self.replenish(at, 2);
    }

    pub(super) fn bundle(&self, of: usize, one_time: Option<&OneTimePrekeyFields>) -> VerifiedBundle {
        let shelf = &self.server[of];
        let bytes = [&shelf.bundle[..], one_time.unwrap_or(&shelf.last_resort)].concat();
        VerifiedBundle::verify(&bytes, &self.devices[of].address).expect("from the device")
    }
}
