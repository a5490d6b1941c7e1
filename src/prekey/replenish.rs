//! The operation that makes prekeys and says what to publish.

use alloc::vec::Vec;

use super::{OneTimePrekey, PrekeyId, Prekeys, SignedPrekey, encode_bundle, keys::Published};
use crate::{
    identity::{Device, DeviceError, IdentityKeyPair},
    primitives::{PublicKey, RandomError, kdf, labels},
    step::{Context, Loaded, Needs, Operation, Run, Sealed, Slot, Step, UnixMillis, Write},
};

/// Makes one-time prekeys, replaces the signed prekey where it is due, deletes those whose grace is over, and returns what to publish.
///
/// Run it after [`Register`](crate::Register) and [`Recover`](crate::Recover), whenever the server's stock of one-time prekeys is low, and at the time that the last
/// upload's plan names. With `one_time: 0` it only looks after the signed prekey. Keep the upload in the step's transaction until the server has it, then run
/// [`ConfirmPrekeys`](super::ConfirmPrekeys); a one-time prekey is offered in one upload and never again.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | `one_time` | keys | one-time prekeys to make, at most 500; 500 are kept alive, the oldest go first |
/// | out | [`PrekeyUpload`] | 213 B and 35 B a key; with ML-KEM-768 1,252 B more, and as many a key; with ML-KEM-1024 1,636 B | what goes to the server |
///
/// Writes the prekeys record and one record for each new or deleted key. Draws 96 random bytes for a new signed prekey, 64 for the suites statement, 32 for each
/// one-time prekey; 128 more for each of the two where KEM prekeys are made. Where the policy names another parameter set than before, the signed prekey is replaced, and what a
/// server has is to be forgotten.
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

/// A one-time prekey as the server stores it and appends it to a bundle: the bundle's field 7, 35 bytes, and with a KEM prekey field 8.
pub type OneTimePrekeyFields = Vec<u8>;

/// Names an upload: the how many-th of its store, and a tag of what is in it. A server keeps the last one and shows it to the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId {
    /// From 0, rising.
    pub number: u32,
    /// The same for no other upload: two stores, or two times of one store, can have made one number.
    pub tag: [u8; 8],
}

impl UploadId {
    /// Number and tag in 12 bytes, in the order of uploads: what a server keeps, compares and shows.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        let parts = self.number.to_be_bytes().into_iter().chain(self.tag);
        bytes.iter_mut().zip(parts).for_each(|(place, byte)| *place = byte);
        bytes
    }

    /// The id of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 12]) -> Self {
        let number = bytes.first_chunk().copied().map_or(0, u32::from_be_bytes);
        Self { number, tag: bytes.last_chunk().copied().unwrap_or_default() }
    }

    fn new(number: u32, bundle: &[u8]) -> Self {
        Self { number, tag: kdf::truncate(kdf::sha256(labels::UPLOAD, &[bundle])) }
    }
}

/// What the server gets. It answers a request with the bundle, followed by one of the one-time prekeys, which it forgets then; where it has none, by the last resort.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PrekeyUpload {
    /// Which upload. A server that has one of this number or a higher one from this device does not take it, and says which it has: the same upload came before, or
    /// the device's store went back; [`ConfirmPrekeys`](super::ConfirmPrekeys) tells them apart.
    pub id: UploadId,
    /// The bundle without a one-time prekey; replaces the former.
    pub bundle: Vec<u8>,
    /// New one-time prekeys, to be added to those that the server has.
    pub one_time_prekeys: Vec<OneTimePrekeyFields>,
    /// What follows the bundle where no one-time prekey is left: field 8 of a bundle, empty without KEM prekeys. Replaces the former.
    pub last_resort: Vec<u8>,
    /// Whether the server first forgets all one-time prekeys that it has of this address: they are of another store, or of a time that is gone. Said until an upload
    /// that says so is confirmed.
    pub replaces: bool,
    /// One-time prekeys whose private half this device holds now.
    pub one_time_alive: usize,
    /// When to run this again.
    pub plan: RefillPlan,
}

/// When to make more prekeys, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefillPlan {
    /// Make more when the server has fewer one-time prekeys left than this.
    pub low_water: u16,
    /// Fill its stock up to this.
    pub target: u16,
    /// Run it then at the latest: the signed prekey is due. Some hours later than that by chance, so that many devices do not come at once.
    pub replenish_at: UnixMillis,
}

impl RefillPlan {
    /// What to give [`ReplenishPrekeys`] where the server has `left` one-time prekeys of this device: 0 above the low-water mark.
    #[must_use]
    pub fn one_time(&self, left: u16) -> u16 {
        if left < self.low_water { self.target.saturating_sub(left) } else { 0 }
    }

    const LOW_WATER: u16 = 25;
    const TARGET: u16 = 100;
    /// The span of the chance.
    const JITTER: u64 = 12 * UnixMillis::HOUR;

    /// The chance comes from the signed prekey itself: it is another on each device, and the same whenever the plan is made.
    fn new(due: UnixMillis, signed: &PublicKey) -> Self {
        let chance = PrekeyId::of(signed).0.first_chunk().copied().map_or(0, u64::from_be_bytes);
        let late = chance.checked_rem(Self::JITTER).unwrap_or(0);
        Self { low_water: Self::LOW_WATER, target: Self::TARGET, replenish_at: due.plus(late) }
    }
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
        let due = prekeys.current(context.now).is_none();
        let latest = prekeys.latest().map(|id| read_signed(&id, &mut needs, context)).transpose()?;
        let retired = prekeys.retired(context.now).collect::<Vec<_>>();
        let retired_slots =
            retired.iter().map(|id| read_signed(id, &mut needs, context)).collect::<Result<Vec<_>, _>>()?;
        let surplus = prekeys.make_room(usize::from(self.one_time), have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let device = device.value.ok_or(DeviceError::NotRegistered)?;
        if usize::from(self.one_time) > Prekeys::MAX_ONE_TIME {
            return Err(DeviceError::TooManyPrekeys { limit: Prekeys::MAX_ONE_TIME });
        }

        let deleted = retired_slots.iter().filter_map(Slot::delete);
        let mut writes: Vec<Write> = deleted.chain(surplus.iter().filter_map(Slot::delete)).collect();
        retired.iter().for_each(|id| prekeys.remove_signed(id));
        let latest = latest.and_then(|slot| slot.value);
        let fits = |signed: &SignedPrekey| signed.kem() == context.suites.kem();
        if latest.as_ref().is_some_and(|signed| !fits(signed)) {
            // The one-time prekeys that a server has are of the former suites too.
            prekeys.replace_all();
        }
        let published = match latest.filter(|signed| !due && fits(signed)) {
            Some(signed) => signed.published(),
            None => {
                let (published, write) = rotate(&device, &mut prekeys, context)?;
                writes.push(write);
                published
            }
        };
        let bundle = encode_bundle(&device.address, &device.identity, &published, context)?;
        let (mut ids, mut one_time_prekeys) = (Vec::new(), Vec::new());
        for _ in 0..self.one_time {
            let (id, fields, write) = make_one_time(&device.identity, context)?;
            ids.push(id);
            one_time_prekeys.push(fields);
            writes.push(write);
        }
        let upload = PrekeyUpload {
            id: prekeys.add_upload(UploadId::new(prekeys.next_upload(), &bundle), ids),
            bundle,
            one_time_prekeys,
            last_resort: published.last_resort,
            replaces: prekeys.is_replaced(),
            one_time_alive: prekeys.one_time_alive(),
            plan: RefillPlan::new(prekeys.rotation_at(), &published.key),
        };
        writes.push(index.write(prekeys, context));
        Ok(Run::Done(Step::new(writes, upload)))
    }
}

/// Makes a signed prekey the current one: what a bundle shows of it, the write of its record.
fn rotate(
    device: &Device,
    prekeys: &mut Prekeys,
    context: &mut Context<'_>,
) -> Result<(Published, Write), RandomError> {
    let signed = SignedPrekey::generate(&device.identity, context.suites.kem(), &mut context.random)?;
    let published = signed.published();
    let id = PrekeyId::of(&published.key);
    prekeys.rotate(id, context.now);
    Ok((published, Slot::absent(SignedPrekey::key(&id)).write(signed, context)))
}

/// Makes a one-time prekey: its id, its fields of a bundle, the write of its record.
pub(super) fn make_one_time(
    identity: &IdentityKeyPair,
    context: &mut Context<'_>,
) -> Result<(PrekeyId, OneTimePrekeyFields, Write), RandomError> {
    let prekey = OneTimePrekey::generate(context.suites.kem(), &mut context.random)?;
    let (id, fields) = (prekey.id(), prekey.fields(identity, &mut context.random)?);
    Ok((id, fields, Slot::absent(OneTimePrekey::key(&id)).write(prekey, context)))
}
