//! The operation that makes prekeys and says what to publish.

use alloc::vec::Vec;

use super::{OneTimePrekey, PrekeyId, Prekeys, SignedPrekey, encode_bundle};
use crate::{
    identity::{Device, DeviceError},
    primitives::{KeyPair, PublicKey},
    step::{Context, Loaded, Needs, Operation, Run, Sealed, Slot, Step, UnixMillis, Write},
};

/// Makes one-time prekeys, replaces the signed prekey where it is due, deletes those whose grace is over, and returns what to publish.
///
/// Run it after [`Register`](crate::Register), whenever the server's stock of one-time prekeys is low, and at the time that the last upload named.
/// With `one_time: 0` it only looks after the signed prekey.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | `one_time` | keys | one-time prekeys to make, at most 500; 500 are kept alive, the oldest go first |
/// | out | [`PrekeyUpload`] | 213 B and 35 B a key | what goes to the server; keep it in the step's transaction until the server has it |
///
/// Writes the prekeys record and one record for each new or deleted key. Draws 96 random bytes for a new signed prekey, 64 for the suites statement, 32 for each
/// one-time prekey.
///
/// # Errors
/// [`DeviceError::NotRegistered`], [`TooManyPrekeys`](DeviceError::TooManyPrekeys), [`Random`](DeviceError::Random), [`Record`](DeviceError::Record).
///
/// # Spec
/// `docs/protocol.md`, section 4; *X3DH*, 3.2.
#[derive(Clone, Copy, Debug)]
pub struct ReplenishPrekeys {
    /// How many one-time prekeys to make.
    pub one_time: u16,
}

/// A one-time prekey as the server stores it and appends it to a bundle: the bundle's field 7, 35 bytes.
pub type OneTimePrekeyField = [u8; 35];

/// What the server gets. It answers a request with the bundle, followed by one of the one-time prekeys, which it forgets then.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PrekeyUpload {
    /// The bundle without a one-time prekey; replaces the former.
    pub bundle: Vec<u8>,
    /// New one-time prekeys, to be added to those that the server has.
    pub one_time_prekeys: Vec<OneTimePrekeyField>,
    /// One-time prekeys whose private half this device holds now.
    pub one_time_alive: usize,
    /// When to run this again at the latest: the signed prekey is due then.
    pub replenish_at: UnixMillis,
}

impl Sealed for ReplenishPrekeys {}

impl Operation for ReplenishPrekeys {
    type Output = PrekeyUpload;
    type Error = DeviceError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<PrekeyUpload>, DeviceError> {
        let mut needs = Needs::new();
        let device = Device::read(have, context, &mut needs)?;
        let mut index = Prekeys::read(have, context, &mut needs)?;
        let mut prekeys = index.value.take().unwrap_or_default();
        prekeys.clamp(context.now);
        let read_signed = |id: &PrekeyId, needs: &mut Needs, context: &Context<'_>| {
            have.read::<SignedPrekey>(SignedPrekey::key(id), context, needs)
        };
        let current = prekeys.current(context.now);
        let current = current.map(|id| read_signed(&id, &mut needs, context)).transpose()?;
        let retired = prekeys.retired(context.now).collect::<Vec<_>>();
        let retired_slots =
            retired.iter().map(|id| read_signed(id, &mut needs, context)).collect::<Result<Vec<_>, _>>()?;
        let surplus = prekeys.surplus(usize::from(self.one_time));
        let surplus_slots = surplus
            .iter()
            .map(|id| have.read::<OneTimePrekey>(OneTimePrekey::key(id), context, &mut needs))
            .collect::<Result<Vec<_>, _>>()?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let device = device.value.ok_or(DeviceError::NotRegistered)?;
        if usize::from(self.one_time) > Prekeys::MAX_ONE_TIME {
            return Err(DeviceError::TooManyPrekeys { limit: Prekeys::MAX_ONE_TIME });
        }

        let deleted = retired_slots.iter().filter_map(Slot::delete);
        let mut writes: Vec<Write> = deleted.chain(surplus_slots.iter().filter_map(Slot::delete)).collect();
        retired.iter().for_each(|id| prekeys.remove_signed(id));
        surplus.iter().for_each(|id| prekeys.remove_one_time(id));
        let published = match current.and_then(|slot| slot.value) {
            Some(signed) => signed.published(),
            None => {
                let signed = SignedPrekey::generate(&device.identity, &mut context.random)?;
                let published = signed.published();
                let id = PrekeyId::of(&published.0);
                prekeys.rotate(id, context.now);
                writes.push(Slot::absent(SignedPrekey::key(&id)).write(signed, context));
                published
            }
        };
        let bundle =
            encode_bundle(&device.address, &device.identity, &published, context.now, &mut context.random)?;
        let mut one_time_prekeys = Vec::with_capacity(usize::from(self.one_time));
        for _ in 0..self.one_time {
            let pair = KeyPair::generate(&mut context.random)?;
            let id = PrekeyId::of(pair.public());
            prekeys.add_one_time(id);
            one_time_prekeys.push(bundle_field(pair.public()));
            writes.push(Slot::absent(OneTimePrekey::key(&id)).write(OneTimePrekey(pair), context));
        }
        let upload = PrekeyUpload {
            bundle,
            one_time_prekeys,
            one_time_alive: prekeys.one_time_alive(),
            replenish_at: prekeys.rotation_at(),
        };
        writes.push(index.write(prekeys, context));
        Ok(Run::Done(Step::new(writes, upload)))
    }
}

/// Field 7 of a bundle: tag, length, encoded key.
fn bundle_field(key: &PublicKey) -> OneTimePrekeyField {
    let mut field = [0x3a; 35];
    if let Some((len, encoded)) = field.split_first_mut().and_then(|(_, rest)| rest.split_first_mut()) {
        *len = 33;
        encoded.copy_from_slice(&key.encoded());
    }
    field
}
