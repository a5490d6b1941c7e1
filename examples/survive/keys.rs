//! Prekeys: what a device makes, keeps until the server has it, and fetches of its peer.

use outrigger::{ConfirmPrekeys, ReplenishPrekeys, VerifiedBundle};

use crate::{
    device::{Device, Outside},
    mailbox,
    trouble::Trouble,
};

/// One-time prekeys of an upload.
const ONE_TIME: u16 = 12;

impl Device {
    /// At each start, and after a recovery: tells the store what the server has, and publishes where that is not enough.
    pub(crate) fn check_keys(&mut self, outside: &mut Outside<'_>) -> Result<(), Trouble> {
        let (has, left) = outside.server.stock(&self.address);
        let replaces = match has {
            Some(upload) => self.store.run(&ConfirmPrekeys { upload }, |_, _| Ok(()))?.replaces,
            None => true,
        };
        if replaces || left == 0 { self.replenish(outside) } else { self.publish(outside) }
    }

    /// Makes prekeys; the upload is kept in the step's transaction, since a kill must not lose it.
    pub(crate) fn replenish(&mut self, outside: &mut Outside<'_>) -> Result<(), Trouble> {
        self.store.run(&ReplenishPrekeys { one_time: ONE_TIME }, mailbox::put_upload)?;
        self.publish(outside)
    }

    /// Hands the uploads that were kept to the server.
    fn publish(&mut self, outside: &mut Outside<'_>) -> Result<(), Trouble> {
        for upload in mailbox::uploads(self.store.connection())? {
            outside.server.upload(self.address, &upload);
            let (has, _) = outside.server.stock(&self.address);
            let confirm = ConfirmPrekeys { upload: has.unwrap_or(upload.id) };
            self.store.run(&confirm, |tx, _| mailbox::forget_upload(tx, upload.id))?;
        }
        Ok(())
    }

    /// The peer's bundle, verified.
    pub(crate) fn fetch(&mut self, outside: &mut Outside<'_>) -> Result<VerifiedBundle, Trouble> {
        let bundle =
            outside.server.bundle(&self.peer).ok_or(Trouble::Stuck("the server has no bundle".into()))?;
        Ok(VerifiedBundle::verify(&bundle, &self.peer)?)
    }
}
