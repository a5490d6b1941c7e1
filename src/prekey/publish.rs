//! What becomes of prekeys that were made: confirmed by a server, handed out directly, described.

use alloc::vec::Vec;

use super::{Prekeys, SignedPrekey, UploadId, encode_bundle, replenish::make_one_time, schedule::Published};
use crate::{
    identity::{Device, DeviceError},
    step::{Context, Loaded, Needs, Operation, RecordError, Run, Sealed, Slot, Step, UnixMillis},
};

/// Notes that a server has taken an upload, and so all before it. What is known already changes nothing.
///
/// Run it when the server says so, and at each start of the app with the id that the server has: one that this store has not made shows that the store went
/// back, and that the server hands out prekeys which open nothing. [`replaces`](PrekeysDescription::replaces) is set then: run
/// [`ReplenishPrekeys`](super::ReplenishPrekeys).
///
/// # Errors
/// [`RecordError`]: a record cannot be used.
#[derive(Clone, Copy, Debug)]
pub struct ConfirmPrekeys {
    /// Which upload.
    pub upload: UploadId,
}

/// Says how prekeys stand. Writes nothing.
///
/// # Errors
/// [`RecordError`]: a record cannot be used.
#[derive(Clone, Copy, Debug)]
pub struct DescribePrekeys;

/// How prekeys stand.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrekeysDescription {
    /// One-time prekeys in uploads that no server has confirmed.
    pub offered: usize,
    /// One-time prekeys that a server has, or has handed out.
    pub confirmed: usize,
    /// One-time prekeys that were handed out directly.
    pub direct: usize,
    /// The uploads that no server has confirmed, oldest first: send them again from where you kept them.
    pub unconfirmed: Vec<UploadId>,
    /// The number of the next upload.
    pub next_upload: u32,
    /// Whether what a server has of this device opens nothing: replenish now, the upload replaces it.
    pub replaces: bool,
    /// Signed prekeys that are held, the current one included.
    pub signed: usize,
    /// When the current signed prekey is due to be replaced; 0 where there is none.
    pub signed_due: UnixMillis,
}

impl PrekeysDescription {
    pub(crate) fn of(prekeys: &Prekeys) -> Self {
        Self {
            offered: prekeys.count(Published::Offered),
            confirmed: prekeys.count(Published::Confirmed),
            direct: prekeys.count(Published::Direct),
            unconfirmed: prekeys.unconfirmed().collect(),
            next_upload: prekeys.next_upload(),
            replaces: prekeys.is_replaced(),
            signed: prekeys.signed_alive(),
            signed_due: prekeys.rotation_at(),
        }
    }
}

impl Sealed for DescribePrekeys {}

impl Operation for DescribePrekeys {
    type Output = PrekeysDescription;
    type Error = RecordError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<PrekeysDescription>, RecordError> {
        let mut needs = Needs::new();
        let index = Prekeys::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let description = PrekeysDescription::of(&index.value.unwrap_or_default());
        Ok(Run::Done(Step::new(Vec::new(), description)))
    }
}

impl Sealed for ConfirmPrekeys {}

impl Operation for ConfirmPrekeys {
    type Output = PrekeysDescription;
    type Error = RecordError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<PrekeysDescription>, RecordError> {
        let mut needs = Needs::new();
        let mut index = Prekeys::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let mut prekeys = index.value.take().unwrap_or_default();
        let before = prekeys.clone();
        prekeys.confirm(self.upload);
        let description = PrekeysDescription::of(&prekeys);
        let writes = if prekeys != before { Vec::from([index.write(prekeys, context)]) } else { Vec::new() };
        Ok(Run::Done(Step::new(writes, description)))
    }
}

/// Makes a bundle with a one-time prekey of its own, to be handed to one person directly: in a code on the screen, a card, a file. No server sees that prekey.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | out | `Vec<u8>` | 243 to 1,894 B | the bundle, for [`VerifiedBundle::verify`](super::VerifiedBundle::verify) |
///
/// Writes the prekeys record and the new prekey's. Draws 96 random bytes, 128 more with a KEM prekey.
///
/// # Errors
/// [`DeviceError::NotRegistered`], [`NoSignedPrekey`](DeviceError::NoSignedPrekey), [`Random`](DeviceError::Random), [`Record`](DeviceError::Record).
///
/// # Spec
/// `docs/protocol.md`, section 4.
#[derive(Clone, Copy, Debug)]
pub struct HandOutBundle;

impl Sealed for HandOutBundle {}

impl Operation for HandOutBundle {
    type Output = Vec<u8>;
    type Error = DeviceError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Vec<u8>>, DeviceError> {
        let mut needs = Needs::new();
        let device = Device::read(have, context, &mut needs)?;
        let mut index = Prekeys::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let mut prekeys = index.value.take().unwrap_or_default();
        let current = prekeys.current(context.now).ok_or(DeviceError::NoSignedPrekey)?;
        let signed = have.read::<SignedPrekey>(SignedPrekey::key(&current), context, &mut needs)?;
        let surplus = prekeys.make_room(1, have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let device = device.value.ok_or(DeviceError::NotRegistered)?;
        // One of other suites than the policy's is due as well.
        let signed = signed.value.filter(|signed| signed.kem() == context.suites.kem());
        let signed = signed.ok_or(DeviceError::NoSignedPrekey)?.published();
        let mut bundle = encode_bundle(&device.address, &device.identity, &signed, context)?;
        let (id, fields, write) = make_one_time(&device.identity, context)?;
        bundle.extend_from_slice(&fields);
        prekeys.add_direct(id);
        let mut writes: Vec<_> = surplus.iter().filter_map(Slot::delete).collect();
        writes.extend([write, index.write(prekeys, context)]);
        Ok(Run::Done(Step::new(writes, bundle)))
    }
}
