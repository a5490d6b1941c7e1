//! This device: its record, and the operations that make and describe it.

use alloc::vec::Vec;
use core::fmt;

use super::{Address, DeviceId, IdentityKey, IdentityKeyPair, PhoneNumber, sign_number};
use crate::{
    primitives::RandomError,
    step::{
        Advice, Context, KeyWriter, Loaded, Needs, Operation, RecordError, RecordKey, RecordKind,
        RecordReader, RecordType, RecordWriter, Run, Sealed, Slot, Step, UnixMillis, advises,
    },
};

/// Why this device could not be set up or changed. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceError {
    /// The store holds a device already; there is one in each store.
    AlreadyRegistered,
    /// Run [`Register`] first.
    NotRegistered,
    /// Only the phone, device 0, speaks for the account.
    NotThePhone,
    /// More one-time prekeys at once than are kept alive.
    TooManyPrekeys {
        /// The most that can be.
        limit: usize,
    },
    /// There is no signed prekey, or it is due to be replaced: run `ReplenishPrekeys`.
    NoSignedPrekey,
    /// The random source failed or repeats itself.
    Random(RandomError),
    /// A record cannot be used.
    Record(RecordError),
}

impl DeviceError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::AlreadyRegistered
            | Self::NotRegistered
            | Self::NotThePhone
            | Self::TooManyPrekeys { .. } => Advice::FixCall,
            Self::NoSignedPrekey => Advice::Replenish,
            Self::Random(_) => Advice::CheckRandomSource,
            Self::Record(error) => error.advice(),
        }
    }
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyRegistered => f.write_str("the store holds a device already"),
            Self::NotRegistered => f.write_str("the store holds no device"),
            Self::NotThePhone => f.write_str("only the phone speaks for the account"),
            Self::TooManyPrekeys { limit } => {
                write!(f, "at most {limit} one-time prekeys can be made at once")
            }
            Self::NoSignedPrekey => f.write_str("there is no signed prekey that is not due"),
            Self::Random(error) => error.fmt(f),
            Self::Record(error) => error.fmt(f),
        }
    }
}

advises!(DeviceError);

impl core::error::Error for DeviceError {}

impl From<RandomError> for DeviceError {
    fn from(error: RandomError) -> Self {
        Self::Random(error)
    }
}

impl From<RecordError> for DeviceError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

/// The device record: address, identity key pair, and the phone's current number.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) address: Address,
    pub(crate) identity: IdentityKeyPair,
    number: Option<PhoneNumber>,
    /// The time of the last number statement; the next one's is later, whatever the clock says.
    number_issued_at: UnixMillis,
}

impl Device {
    /// A device that has just come to be.
    pub(crate) fn new(address: Address, identity: IdentityKeyPair) -> Self {
        Self { address, identity, number: None, number_issued_at: UnixMillis(0) }
    }

    /// The device of this store, if it is registered.
    pub(crate) fn read(
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Slot<Self>, RecordError> {
        have.read(Self::key(), context, needs)
    }

    fn key() -> RecordKey {
        KeyWriter::new(RecordKind::Device).finish()
    }
}

impl RecordType<'_> for Device {
    const KIND: RecordKind = RecordKind::Device;

    fn max_body_len(&self) -> usize {
        2 + 64 + 4 + 32 + 32 + 8 + 2 + 16
    }

    fn encode(&self, body: &mut RecordWriter) {
        self.address.encode(body);
        body.key_pair(self.identity.key_pair());
        body.u64(self.number_issued_at.0)
            .prefixed(self.number.as_ref().map_or(&[], |number| number.as_str().as_bytes()));
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let address = Address::decode(body)?;
        let identity = IdentityKeyPair::new(body.key_pair()?);
        let number_issued_at = UnixMillis(body.u64()?);
        let number = match body.prefixed()? {
            [] => None,
            digits => Some(PhoneNumber::parse(core::str::from_utf8(digits).ok()?).ok()?),
        };
        Some(Self { address, identity, number, number_issued_at })
    }
}

/// Makes this device: draws its identity key and stores it under an address. Run it once in an empty store, then
/// [`ReplenishPrekeys`](crate::ReplenishPrekeys).
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | [`Address`] | 20 to 68 B | account and device; device 0 is the phone, whose identity key is the account's |
/// | out | [`IdentityKey`] | 33 B encoded | what peers will pin |
///
/// Writes one record. Draws 32 random bytes.
///
/// # Errors
/// [`DeviceError::AlreadyRegistered`], [`Random`](DeviceError::Random), [`Record`](DeviceError::Record).
#[derive(Clone, Copy, Debug)]
pub struct Register {
    /// Where this device is reached.
    pub address: Address,
}

impl Sealed for Register {}

impl Operation for Register {
    type Output = IdentityKey;
    type Error = DeviceError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<IdentityKey>, DeviceError> {
        let mut needs = Needs::new();
        let slot = Device::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        if slot.value.is_some() {
            return Err(DeviceError::AlreadyRegistered);
        }
        let identity = IdentityKeyPair::generate(&mut context.random)?;
        let key = identity.public();
        let device = Device::new(self.address, identity);
        Ok(Run::Done(Step::new(Vec::from([slot.write(device, context)]), key)))
    }
}

/// Says what this device is. Writes nothing.
///
/// # Errors
/// [`DeviceError::NotRegistered`], [`Record`](DeviceError::Record).
#[derive(Clone, Copy, Debug)]
pub struct DescribeDevice;

/// What a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceDescription {
    /// Where it is reached.
    pub address: Address,
    /// What peers pin.
    pub identity_key: IdentityKey,
    /// The account's number, as the last [`ChangeNumber`] on this device set it.
    pub number: Option<PhoneNumber>,
}

impl Sealed for DescribeDevice {}

impl Operation for DescribeDevice {
    type Output = DeviceDescription;
    type Error = DeviceError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<DeviceDescription>, DeviceError> {
        let mut needs = Needs::new();
        let slot = Device::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let device = slot.value.ok_or(DeviceError::NotRegistered)?;
        let description = DeviceDescription {
            address: device.address,
            identity_key: device.identity.public(),
            number: device.number,
        };
        Ok(Run::Done(Step::new(Vec::new(), description)))
    }
}

/// Gives the account a phone number, or another one: a statement for its peers, signed with the account's identity key. No session notices.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | [`PhoneNumber`] | 8 to 16 B | the new number |
/// | out | `Vec<u8>` | 79 to 96 B | the statement; give it to peers, who run [`LearnNumber`](crate::LearnNumber) |
///
/// Writes the device record. Draws 64 random bytes. Its time is the context's, or 1 ms more than that of the last change where the clock went back.
///
/// # Errors
/// [`DeviceError::NotThePhone`], [`NotRegistered`](DeviceError::NotRegistered), [`Random`](DeviceError::Random), [`Record`](DeviceError::Record).
///
/// # Spec
/// `docs/protocol.md`, section 3 "Number statement".
#[derive(Clone, Debug)]
pub struct ChangeNumber {
    /// The number that the account has from now on.
    pub number: PhoneNumber,
}

impl Sealed for ChangeNumber {}

impl Operation for ChangeNumber {
    type Output = Vec<u8>;
    type Error = DeviceError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Vec<u8>>, DeviceError> {
        let mut needs = Needs::new();
        let mut slot = Device::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let device = slot.value.take().ok_or(DeviceError::NotRegistered)?;
        if device.address.device != DeviceId::PHONE {
            return Err(DeviceError::NotThePhone);
        }
        let account = &device.address.account;
        let issued_at = context.now.min(UnixMillis::LATEST).max(device.number_issued_at.plus(1));
        let statement = sign_number(&device.identity, account, &self.number, issued_at, &mut context.random)?;
        let device = Device { number: Some(self.number.clone()), number_issued_at: issued_at, ..device };
        Ok(Run::Done(Step::new(Vec::from([slot.write(device, context)]), statement)))
    }
}
