//! The signed list of an account's companions: the phone's word on which devices speak for the account, and until when.
//!
//! ```text
//! epoch n ──link, remove, renew──▶ epoch n + 1        one line of lists in an incarnation, each signed by the account's identity key
//! ```
//! A list is complete: what it does not name is no companion. It carries each companion's identity key, so that a receiver needs nothing else to know a sender;
//! the companion's own consent stands in its [`Certificate`](super::Certificate). `docs/protocol.md`, section 10 "Device list".

use alloc::vec::Vec;
use core::fmt;

use prost::Message;

use super::{AccountId, DeviceId, IdentityKey, IdentityKeyPair, ListError};
use crate::{
    primitives::{Random, RandomError, Signature, kdf, labels},
    step::{RecordReader, RecordWriter, SuitePolicy, UnixMillis},
    wire::{
        DecodeError, DeviceEntryMessage, DeviceListBodyMessage, DeviceListMessage, Field, MAX_DEVICE_LIST,
        MAX_DEVICES, Suite, decode_canonical, encode_versioned, split_version,
    },
};

/// What stands in front of a signed device list.
const PREFIX: [u8; 2] = [0x06, 0x02];

/// One life of an account: 16 random bytes, drawn by the phone with its first list. Another one comes with another account identity key only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub [u8; 16]);

/// Numbers the lists of an incarnation, strictly rising from 1; 0 where there is no list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);

/// Numbers the linkings of an incarnation, strictly rising from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyIndex(pub u32);

/// What two views of a list are compared by: 16 bytes of a labelled SHA-256 over the incarnation and every device with its identity key, the phone's first.
/// Give it to a key directory outside, too: equal for all who see the same devices.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListDigest(pub [u8; Self::LEN]);

impl ListDigest {
    /// Length in bytes.
    pub const LEN: usize = 16;
}

impl fmt::Debug for ListDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ListDigest(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// A companion as the list names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceEntry {
    /// Its id; never 0, never used twice.
    pub device: DeviceId,
    /// Which linking made it.
    pub key_index: KeyIndex,
    /// Its identity key.
    pub identity_key: IdentityKey,
}

/// A device list whose signature verified under an account's identity key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceList {
    pub(super) body: ListBody,
    account_key: IdentityKey,
    digest: ListDigest,
    bytes: Vec<u8>,
}

/// A device, and the bytes of the suites that it accepts.
type NamedSuites = (DeviceId, Vec<u8>);

/// What a list says, but for suites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListBody {
    account: AccountId,
    pub(super) incarnation: Incarnation,
    pub(super) epoch: Epoch,
    pub(super) issued_at: UnixMillis,
    pub(super) expires_at: UnixMillis,
    pub(super) next_key_index: KeyIndex,
    pub(super) entries: Vec<DeviceEntry>,
    closed: bool,
}

impl DeviceList {
    /// How far clocks may differ: a list that was issued later than this from now is refused, and one is still good for as long after its expiry. 10 minutes.
    pub const CLOCK_TOLERANCE: u64 = 10 * 60 * 1_000;

    /// Parses and verifies a list. One signature verification.
    ///
    /// | | type | size | meaning |
    /// |---|---|---|---|
    /// | in | `bytes` | 115 to 474 B; 1,024 are the limit | the list |
    /// | in | [`AccountId`] | | whose list was asked for |
    /// | in | [`IdentityKey`] | | the account's identity key, as it is on record |
    ///
    /// It does not say whether the list is the newest, or has expired: what is on record does, in [`LearnDevices`](crate::LearnDevices).
    ///
    /// # Errors
    /// [`ListError::Decode`], [`BadSignature`](ListError::BadSignature), [`OtherAccount`](ListError::OtherAccount).
    ///
    /// # Spec
    /// `docs/protocol.md`, section 10 "Device list".
    pub fn verify(bytes: &[u8], account: &AccountId, account_key: &IdentityKey) -> Result<Self, ListError> {
        let message = decode(bytes)?;
        let signature = message.signature.as_slice().try_into();
        let signature = signature.map_err(|_| DecodeError::Malformed(Field::Signature))?;
        account_key
            .verify(&signed_bytes(&message.body), &Signature::from_bytes(signature))
            .map_err(|_| ListError::BadSignature)?;
        let body = ListBody::decode(&message.body)?;
        if body.entries.iter().any(|entry| entry.identity_key == *account_key) {
            return Err(DecodeError::Malformed(Field::Entry).into());
        }
        let list = Self::new(body, *account_key, bytes.to_vec());
        if list.body.account != *account {
            return Err(ListError::OtherAccount);
        }
        Ok(list)
    }

    fn new(body: ListBody, account_key: IdentityKey, bytes: Vec<u8>) -> Self {
        let digest = body.digest(&account_key);
        Self { body, account_key, digest, bytes }
    }

    /// What a record holds of it: taken apart, so that reading it parses nothing twice, and as it travels.
    pub(super) fn encode(&self, record: &mut RecordWriter) {
        let body = &self.body;
        record.bytes(self.account_key.public_key().as_bytes()).bytes(&self.digest.0);
        record.prefixed(body.account.as_bytes()).bytes(&body.incarnation.0).u32(body.epoch.0);
        record.u64(body.issued_at.0).u64(body.expires_at.0).u32(body.next_key_index.0).flag(body.closed);
        record.u8(u8::try_from(body.entries.len()).unwrap_or(u8::MAX));
        for entry in &body.entries {
            record.u32(entry.device.0).u32(entry.key_index.0);
            record.bytes(entry.identity_key.public_key().as_bytes());
        }
        record.prefixed(&self.bytes);
    }

    /// A list that was verified before it was stored.
    pub(super) fn decode(record: &mut RecordReader<'_>) -> Option<Self> {
        let key = |record: &mut RecordReader<'_>| record.public_key().map(IdentityKey::new);
        let account_key = key(record)?;
        let digest = ListDigest(record.array()?);
        let mut body = ListBody {
            account: AccountId::new(record.prefixed()?).ok()?,
            incarnation: Incarnation(record.array()?),
            epoch: Epoch(record.u32()?),
            issued_at: UnixMillis(record.u64()?),
            expires_at: UnixMillis(record.u64()?),
            next_key_index: KeyIndex(record.u32()?),
            closed: record.flag()?,
            entries: Vec::new(),
        };
        let count = record.u8().filter(|count| usize::from(*count) < MAX_DEVICES)?;
        body.entries.reserve_exact(usize::from(count));
        for _ in 0..count {
            let (device, key_index) = (DeviceId(record.u32()?), KeyIndex(record.u32()?));
            body.entries.push(DeviceEntry { device, key_index, identity_key: key(record)? });
        }
        Some(Self { body, account_key, digest, bytes: record.prefixed()?.to_vec() })
    }

    /// Upper bound of what a record holds of it, in bytes.
    pub(super) fn max_len(&self) -> usize {
        const FIXED: usize = 32 + 16 + 2 + AccountId::MAX_LEN + 16 + 4 + 8 + 8 + 4 + 1 + 1 + 2;
        self.body.entries.len().saturating_mul(40).saturating_add(self.bytes.len()).saturating_add(FIXED)
    }

    /// The list as it travels.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whose list.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        &self.body.account
    }

    /// The key that signed it: the account's, which is the phone's.
    #[must_use]
    pub fn account_key(&self) -> &IdentityKey {
        &self.account_key
    }

    /// Of which life of the account.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.body.incarnation
    }

    /// The how many-th list.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.body.epoch
    }

    /// When the phone signed it, by its own clock.
    #[must_use]
    pub fn issued_at(&self) -> UnixMillis {
        self.body.issued_at
    }

    /// Until when the companions in it speak for the account.
    #[must_use]
    pub fn expires_at(&self) -> UnixMillis {
        self.body.expires_at
    }

    /// The companions, in the order of their ids.
    #[must_use]
    pub fn entries(&self) -> &[DeviceEntry] {
        &self.body.entries
    }

    /// The entry of a device; none for the phone.
    #[must_use]
    pub fn entry(&self, device: DeviceId) -> Option<&DeviceEntry> {
        self.body.entries.iter().find(|entry| entry.device == device)
    }

    /// Whether it is the account's last word: the account is closed, and no device speaks for it any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.body.closed
    }

    /// The suites that a device accepts, by the phone's word, as far as this crate speaks them; none where the list does not say. A bundle of the device with less is an old one.
    #[must_use]
    pub fn suites(&self, device: DeviceId) -> Vec<Suite> {
        let named = self.named_suites().into_iter().find(|(of, _)| *of == device);
        let bytes = named.map_or(Vec::new(), |(_, bytes)| bytes);
        bytes.into_iter().filter_map(|byte| Suite::parse(byte).ok()).collect()
    }

    /// What the list says of the suites of every device, the phone's first. Read from the list as it travels: a session that starts asks for it, and nothing else.
    fn named_suites(&self) -> Vec<NamedSuites> {
        let body =
            decode(&self.bytes).ok().and_then(|message| DeviceListBodyMessage::decode(&*message.body).ok());
        let Some(body) = body else { return Vec::new() };
        let companions = body.entries.into_iter().map(|entry| (DeviceId(entry.device_id), entry.suites));
        core::iter::once((DeviceId::PHONE, body.suites)).chain(companions).collect()
    }

    /// The index of the next linking.
    pub(crate) fn next_key_index(&self) -> KeyIndex {
        self.body.next_key_index
    }

    /// Whether its companions still speak for the account at this time.
    #[must_use]
    pub fn is_live(&self, now: UnixMillis) -> bool {
        now <= self.body.expires_at.plus(Self::CLOCK_TOLERANCE)
    }

    /// What views of it are compared by.
    #[must_use]
    pub fn digest(&self) -> ListDigest {
        self.digest
    }
}

/// How the next list of an account differs from the one before it.
pub(crate) enum Change {
    /// Nothing but its time.
    Renew,
    /// A companion more.
    Add { incarnation: Incarnation, entry: DeviceEntry, suites: Vec<u8> },
    /// A companion less.
    Remove(DeviceId),
    /// No companion, and no list after this one. The incarnation is for an account that has none yet.
    Close { incarnation: Incarnation },
}

/// A list that the phone signs: the next after one, or the first.
pub(crate) struct Issue<'a> {
    pub(crate) account: &'a AccountId,
    pub(crate) identity: &'a IdentityKeyPair,
    pub(crate) change: Change,
    pub(crate) now: UnixMillis,
    /// The suites that the phone speaks.
    pub(crate) suites: SuitePolicy,
    /// How long its companions speak for the account, in milliseconds.
    pub(crate) window: u64,
}

impl Issue<'_> {
    /// Signs the list that follows `former`, or the first, which a companion opens. Draws 64 random bytes. `None`: the line of lists has come to its end, or the change
    /// does not fit to it.
    pub(crate) fn after(
        self,
        former: Option<&DeviceList>,
        random: &mut Random<'_>,
    ) -> Result<Option<DeviceList>, RandomError> {
        let Some(mut body) = self.next_body(former) else { return Ok(None) };
        // What the clock says now, also where it was ahead once: the epoch is the order, and a time that never goes back would keep all later lists in the future.
        body.issued_at = self.now.clamp(UnixMillis(1), UnixMillis::LATEST);
        body.expires_at = body.issued_at.plus(self.window);
        let encoded = body.encode(&self.named_suites(former));
        let signature = self.identity.sign(&signed_bytes(&encoded), random)?;
        let message = DeviceListMessage { body: encoded, signature: signature.as_bytes().to_vec() };
        Ok(Some(DeviceList::new(body, self.identity.public(), encode_versioned(&message))))
    }

    /// The phone's own as they are now, a new companion's as its bundle says, and of the others what the list before says.
    fn named_suites(&self, former: Option<&DeviceList>) -> Vec<NamedSuites> {
        let mut named = former.map_or(Vec::new(), DeviceList::named_suites);
        named.retain(|(device, _)| *device != DeviceId::PHONE);
        named.push((DeviceId::PHONE, Suite::accepted(self.suites)));
        if let Change::Add { entry, suites, .. } = &self.change {
            named.push((entry.device, suites.clone()));
        }
        named
    }

    fn next_body(&self, former: Option<&DeviceList>) -> Option<ListBody> {
        let mut body = match (former, &self.change) {
            (Some(former), _) if former.is_closed() => return None,
            (Some(former), _) => former.body.clone(),
            (None, Change::Add { incarnation, .. } | Change::Close { incarnation }) => {
                ListBody::first(*self.account, *incarnation)
            }
            (None, Change::Renew | Change::Remove(_)) => return None,
        };
        body.epoch = Epoch(body.epoch.0.checked_add(1)?);
        match &self.change {
            Change::Renew => {}
            Change::Add { incarnation, entry, .. } => {
                if (body.incarnation, body.next_key_index) != (*incarnation, entry.key_index) {
                    return None;
                }
                body.next_key_index = KeyIndex(entry.key_index.0.checked_add(1)?);
                body.entries.push(*entry);
                body.entries.sort_unstable_by_key(|entry| entry.device);
            }
            Change::Remove(device) => body.entries.retain(|entry| entry.device != *device),
            Change::Close { .. } => {
                body.entries.clear();
                body.closed = true;
            }
        }
        Some(body)
    }
}

fn signed_bytes(body: &[u8]) -> Vec<u8> {
    [&PREFIX, body].concat()
}

fn decode(bytes: &[u8]) -> Result<DeviceListMessage, DecodeError> {
    decode_canonical(split_version(bytes, MAX_DEVICE_LIST)?, Field::Frame)
}

impl ListBody {
    /// What stands before the first list.
    const fn first(account: AccountId, incarnation: Incarnation) -> Self {
        Self {
            account,
            incarnation,
            epoch: Epoch(0),
            issued_at: UnixMillis(0),
            expires_at: UnixMillis(0),
            next_key_index: KeyIndex(1),
            entries: Vec::new(),
            closed: false,
        }
    }

    fn digest(&self, account_key: &IdentityKey) -> ListDigest {
        let phone = (DeviceId::PHONE, *account_key);
        let companions = self.entries.iter().map(|entry| (entry.device, entry.identity_key));
        let mut devices = Vec::with_capacity(self.entries.len().saturating_add(1).saturating_mul(37));
        for (device, key) in core::iter::once(phone).chain(companions) {
            devices.extend_from_slice(&device.0.to_be_bytes());
            devices.extend_from_slice(&key.encoded());
        }
        let account = self.account.as_bytes();
        let parts: [&[u8]; 4] = [labels::DEVICES, account, &self.incarnation.0, &devices];
        ListDigest(kdf::truncate(kdf::sha256_prefixed(&parts)))
    }

    fn encode(&self, named: &[NamedSuites]) -> Vec<u8> {
        let suites = |device| {
            let named = named.iter().find(|(of, _)| *of == device);
            named.map_or(Vec::new(), |(_, suites)| suites.clone())
        };
        let entry = |entry: &DeviceEntry| DeviceEntryMessage {
            device_id: entry.device.0,
            key_index: entry.key_index.0,
            identity_key: entry.identity_key.encoded().to_vec(),
            suites: suites(entry.device),
        };
        DeviceListBodyMessage {
            account_id: self.account.as_bytes().to_vec(),
            incarnation: self.incarnation.0.to_vec(),
            epoch: self.epoch.0,
            issued_at: self.issued_at.0,
            expires_at: self.expires_at.0,
            next_key_index: self.next_key_index.0,
            entries: self.entries.iter().map(entry).collect(),
            closed: self.closed,
            suites: suites(DeviceId::PHONE),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let bad = DecodeError::Malformed;
        let message: DeviceListBodyMessage = decode_canonical(bytes, Field::Frame)?;
        let incarnation = message.incarnation.as_slice().try_into().map_err(|_| bad(Field::Incarnation))?;
        if message.epoch == 0 {
            return Err(bad(Field::Epoch));
        }
        if message.issued_at == 0 {
            return Err(bad(Field::IssuedAt));
        }
        if message.expires_at < message.issued_at {
            return Err(bad(Field::ExpiresAt));
        }
        if message.next_key_index == 0 {
            return Err(bad(Field::KeyIndex));
        }
        if message.entries.len() >= MAX_DEVICES || message.closed && !message.entries.is_empty() {
            return Err(bad(Field::Entry));
        }
        let named = message.entries.iter().map(|entry| &entry.suites).chain([&message.suites]);
        if named.into_iter().any(|suites| !suites.is_empty() && !Suite::are_listed(suites)) {
            return Err(bad(Field::Suites));
        }
        let entry = |entry: &DeviceEntryMessage| {
            let sound = entry.device_id != 0 && (1..message.next_key_index).contains(&entry.key_index);
            let identity_key =
                IdentityKey::parse_encoded(&entry.identity_key).map_err(|_| bad(Field::IdentityKey))?;
            let (device, key_index) = (DeviceId(entry.device_id), KeyIndex(entry.key_index));
            if sound { Ok(DeviceEntry { device, key_index, identity_key }) } else { Err(bad(Field::Entry)) }
        };
        let entries = message.entries.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        if !entries.is_sorted_by(|one, next| one.device < next.device) || repeats(&entries) {
            return Err(bad(Field::Entry));
        }
        Ok(Self {
            account: AccountId::new(&message.account_id).map_err(|_| bad(Field::AccountId))?,
            incarnation: Incarnation(incarnation),
            epoch: Epoch(message.epoch),
            issued_at: UnixMillis(message.issued_at),
            expires_at: UnixMillis(message.expires_at),
            next_key_index: KeyIndex(message.next_key_index),
            entries,
            closed: message.closed,
        })
    }
}

/// Whether two companions share an identity key or a key index.
fn repeats(entries: &[DeviceEntry]) -> bool {
    entries.iter().enumerate().any(|(place, one)| {
        let others = entries.iter().skip(place.saturating_add(1));
        others
            .into_iter()
            .any(|other| one.identity_key == other.identity_key || one.key_index == other.key_index)
    })
}
