//! Account, device, address: where a message goes.

use core::{cmp::Ordering, fmt, hash};

use crate::step::{KeyWriter, RecordReader, RecordWriter};

/// An account: 16 to 64 opaque bytes, chosen by the app and the same for the life of the account.
#[derive(Clone, Copy)]
pub struct AccountId {
    bytes: [u8; Self::MAX_LEN],
    len: u8,
}

/// An account id must have 16 to 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountIdLength(pub usize);

impl fmt::Display for AccountIdLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an account id has 16 to 64 bytes, not {}", self.0)
    }
}

impl core::error::Error for AccountIdLength {}

impl AccountId {
    /// Shortest id in bytes.
    pub const MIN_LEN: usize = 16;
    /// Longest id in bytes.
    pub const MAX_LEN: usize = 64;

    /// Takes 16 to 64 bytes as they are.
    ///
    /// # Errors
    /// [`AccountIdLength`] for any other length.
    pub fn new(id: &[u8]) -> Result<Self, AccountIdLength> {
        let mut bytes = [0; Self::MAX_LEN];
        match (u8::try_from(id.len()), bytes.get_mut(..id.len())) {
            (Ok(len), Some(place)) if id.len() >= Self::MIN_LEN => {
                place.copy_from_slice(id);
                Ok(Self { bytes, len })
            }
            _ => Err(AccountIdLength(id.len())),
        }
    }

    /// The id, 16 to 64 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl PartialEq for AccountId {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for AccountId {}

impl PartialOrd for AccountId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AccountId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl hash::Hash for AccountId {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountId(")?;
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// A device of an account; never used twice within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub u32);

impl DeviceId {
    /// The phone, which holds the account's identity key.
    pub const PHONE: Self = Self(0);
}

/// One device of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Whose device.
    pub account: AccountId,
    /// Which of them.
    pub device: DeviceId,
}

impl Address {
    /// The device of an account.
    #[must_use]
    pub const fn new(account: AccountId, device: DeviceId) -> Self {
        Self { account, device }
    }

    /// Lends `Addr = lp(account id) ‖ u32be(device id)`.
    pub(crate) fn with_encoded<T>(&self, take: impl FnOnce(&[u8]) -> T) -> T {
        let mut bytes = [0; Self::MAX_ENCODED];
        let id = self.account.as_bytes();
        let parts = [&[0, 0, 0, self.account.len][..], id, &self.device.0.to_be_bytes()];
        let len =
            bytes.iter_mut().zip(parts.into_iter().flatten()).map(|(place, byte)| *place = *byte).count();
        take(bytes.get(..len).unwrap_or_default())
    }

    const MAX_ENCODED: usize = 4 + AccountId::MAX_LEN + 4;

    pub(crate) fn write_key(&self, key: KeyWriter) -> KeyWriter {
        self.account.write_key(key).part(&self.device.0.to_be_bytes())
    }

    pub(crate) fn encode(&self, body: &mut RecordWriter) {
        body.prefixed(self.account.as_bytes()).u32(self.device.0);
    }

    pub(crate) fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let account = AccountId::new(body.prefixed()?).ok()?;
        Some(Self { account, device: DeviceId(body.u32()?) })
    }
}

impl AccountId {
    pub(crate) fn write_key(&self, key: KeyWriter) -> KeyWriter {
        key.part(&[self.len]).part(self.as_bytes())
    }
}
