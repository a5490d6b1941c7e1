//! Sync keys: what the account's devices share, so that what one stores on a server the others can read. Another one with each removal, in the step that signs the list.
//!
//! What is sealed under them is the app's: settings, contacts, marks. `docs/protocol.md`, section 10 "Sync keys".

use alloc::vec::Vec;
use core::fmt;

use crate::{
    identity::Epoch,
    primitives::{
        Random, RandomError, SecretBytes,
        aead::{self, AeadKey, SealError},
        kdf, labels, secret_key,
    },
    step::{
        Advice, Context, KeyWriter, Loaded, Needs, Operation, RecordError, RecordKind, RecordReader,
        RecordType, RecordWriter, Run, Sealed, Slot, Step, advises,
    },
    wire::{DecodeError, Field, MAX_ASSOCIATED_DATA, MAX_PLAINTEXT, PROTOCOL_VERSION, split_version},
};

/// Keys that are kept; the oldest go first.
const MAX_KEYS: usize = 64;
/// `version ‖ epoch ‖ salt`, in front of what is sealed.
const FRONT: usize = 1 + 4 + 32;

secret_key! {
    /// 32 random bytes that the account's devices share.
    SyncSecret
}

/// Numbers the account's sync keys: the epoch of the list that was signed in the same step, so that no two have the same, whatever a phone went back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SyncEpoch(pub u32);

/// One sync key.
#[derive(Debug)]
pub(super) struct SyncKey {
    pub(super) epoch: SyncEpoch,
    secret: SyncSecret,
}

impl SyncKey {
    pub(super) fn take_from(epoch: u32, bytes: &mut [u8; 32]) -> Self {
        Self { epoch: SyncEpoch(epoch), secret: SyncSecret::take_from(bytes) }
    }

    pub(super) fn expose_bytes(&self) -> &[u8; 32] {
        self.secret.expose_bytes()
    }

    fn duplicate(&self) -> Self {
        let mut bytes = *self.expose_bytes();
        Self::take_from(self.epoch.0, &mut bytes)
    }

    fn aead_key(&self, salt: &[u8; 32]) -> AeadKey {
        let [mut key] = kdf::hkdf(salt, &[self.expose_bytes()], labels::SYNCED);
        AeadKey::take_from(&mut key)
    }
}

/// The record of the account's sync keys, oldest first.
#[derive(Debug, Default)]
pub(crate) struct SyncKeys(Vec<SyncKey>);

impl SyncKeys {
    pub(crate) fn read(
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Slot<Self>, RecordError> {
        have.read(KeyWriter::new(RecordKind::SyncKeys).finish(), context, needs)
    }

    /// Draws another key, in the step that signs a list.
    pub(crate) fn rotate(&mut self, list: Epoch, random: &mut Random<'_>) -> Result<(), RandomError> {
        let mut bytes = [0; 32];
        random.draw_into(&mut bytes)?;
        self.add(SyncKey::take_from(list.0, &mut bytes));
        Ok(())
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a key where its epoch is new.
    pub(super) fn add(&mut self, key: SyncKey) {
        match self.0.binary_search_by_key(&key.epoch, |known| known.epoch) {
            Ok(_) => {}
            Err(place) => self.0.insert(place, key),
        }
        self.0.drain(..self.0.len().saturating_sub(MAX_KEYS));
    }

    /// Copies of the keys above an epoch.
    pub(super) fn above(&self, epoch: u32) -> Vec<SyncKey> {
        self.0.iter().filter(|key| key.epoch.0 > epoch).map(SyncKey::duplicate).collect()
    }

    pub(super) fn newest(&self) -> Option<SyncEpoch> {
        self.0.last().map(|key| key.epoch)
    }
}

impl RecordType<'_> for SyncKeys {
    const KIND: RecordKind = RecordKind::SyncKeys;

    fn max_body_len(&self) -> usize {
        self.0.len().saturating_mul(4 + 32)
    }

    fn encode(&self, body: &mut RecordWriter) {
        for key in &self.0 {
            body.u32(key.epoch.0).bytes(key.expose_bytes());
        }
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let mut keys = Vec::new();
        while let Some(epoch) = body.array().map(u32::from_be_bytes) {
            let mut bytes = body.array()?;
            keys.push(SyncKey::take_from(epoch, &mut bytes));
        }
        keys.is_sorted_by(|one, next| one.epoch < next.epoch).then_some(Self(keys))
    }
}

/// Seals something for all devices of the account, under the newest sync key: what the app stores on a server for its other devices. A removed companion cannot open what is
/// sealed from then on.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | `plaintext` | 0 to 1,044,480 B | |
/// | in | `associated_data` | 0 to 4,096 B | bound, not sealed: a name and a version, so that a server cannot swap two |
/// | out | `Vec<u8>` | plaintext and 65 B | |
///
/// Draws 44 random bytes. Writes nothing.
///
/// # Errors
/// [`SyncError`].
///
/// # Spec
/// `docs/protocol.md`, section 10 "Sync keys".
#[derive(Clone, Copy)]
pub struct SealSynced<'a> {
    /// What to seal.
    pub plaintext: &'a [u8],
    /// What to bind.
    pub associated_data: &'a [u8],
}

/// Opens what a device of the account has sealed. It tells nothing of which device, nor whether the newest is shown: the app's own versions do. Writes nothing.
///
/// # Errors
/// [`SyncError`].
///
/// # Spec
/// `docs/protocol.md`, section 10 "Sync keys".
#[derive(Clone, Copy)]
pub struct OpenSynced<'a> {
    /// What was stored.
    pub sealed: &'a [u8],
    /// What was bound.
    pub associated_data: &'a [u8],
}

impl fmt::Debug for SealSynced<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealSynced({} bytes)", self.plaintext.len())
    }
}

impl fmt::Debug for OpenSynced<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenSynced({} bytes)", self.sealed.len())
    }
}

/// Why nothing was sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncError {
    /// The account has no sync key yet: it has no companion, or this companion was not supplied.
    NoKey,
    /// Sealed under a key that this device does not hold: a later one, or one that is too old.
    UnknownEpoch(SyncEpoch),
    /// Not sealed by a device of the account, altered, or with other associated data.
    NotAuthentic,
    /// Not sealed data of a version that we speak.
    Decode(DecodeError),
    /// Longer than the limit for plaintexts or for associated data.
    TooLong,
    /// The random source failed or repeats itself.
    Random(RandomError),
    /// A record cannot be used.
    Record(RecordError),
}

impl SyncError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::NoKey | Self::UnknownEpoch(_) => Advice::AwaitPhone,
            Self::NotAuthentic => Advice::Drop,
            Self::Decode(error) => error.advice(),
            Self::TooLong => Advice::FixCall,
            Self::Random(_) => Advice::CheckRandomSource,
            Self::Record(error) => error.advice(),
        }
    }
}

impl fmt::Display for SyncError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("the account has no sync key here"),
            Self::UnknownEpoch(epoch) => write!(f, "sync key {} is not held", epoch.0),
            Self::NotAuthentic => f.write_str("not sealed by a device of the account"),
            Self::Decode(error) => error.fmt(f),
            Self::TooLong => f.write_str("longer than the limit"),
            Self::Random(error) => error.fmt(f),
            Self::Record(error) => error.fmt(f),
        }
    }
}

advises!(SyncError);

impl core::error::Error for SyncError {}

impl From<RecordError> for SyncError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<DecodeError> for SyncError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<SealError> for SyncError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Random(error) => Self::Random(error),
            SealError::TooLong => Self::TooLong,
        }
    }
}

impl Sealed for SealSynced<'_> {}

impl Operation for SealSynced<'_> {
    type Output = Vec<u8>;
    type Error = SyncError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Vec<u8>>, SyncError> {
        if self.plaintext.len() > MAX_PLAINTEXT || self.associated_data.len() > MAX_ASSOCIATED_DATA {
            return Err(SyncError::TooLong);
        }
        let mut needs = Needs::new();
        let keys = SyncKeys::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let keys = keys.value.unwrap_or_default();
        let key = keys.0.last().ok_or(SyncError::NoKey)?;
        let salt: [u8; 32] = context.random.draw().map_err(SyncError::Random)?;
        let mut sealed =
            Vec::with_capacity(self.plaintext.len().saturating_add(FRONT).saturating_add(aead::OVERHEAD));
        sealed.push(PROTOCOL_VERSION);
        sealed.extend_from_slice(&key.epoch.0.to_be_bytes());
        sealed.extend_from_slice(&salt);
        let associated = [&sealed, self.associated_data].concat();
        aead::seal(key.aead_key(&salt), &associated, &[self.plaintext], &mut context.random, &mut sealed)?;
        Ok(Run::Done(Step::new(Vec::new(), sealed)))
    }
}

impl Sealed for OpenSynced<'_> {}

impl Operation for OpenSynced<'_> {
    type Output = SecretBytes;
    type Error = SyncError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<SecretBytes>, SyncError> {
        if self.associated_data.len() > MAX_ASSOCIATED_DATA {
            return Err(SyncError::TooLong);
        }
        let body =
            split_version(self.sealed, MAX_PLAINTEXT.saturating_add(FRONT).saturating_add(aead::OVERHEAD))?;
        let mut reader = RecordReader::over(body);
        let (Some(epoch), Some(salt)) = (reader.u32(), reader.array()) else {
            return Err(DecodeError::Malformed(Field::Frame).into());
        };
        let mut needs = Needs::new();
        let keys = SyncKeys::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let keys = keys.value.unwrap_or_default();
        let epoch = SyncEpoch(epoch);
        let key = keys.0.iter().find(|key| key.epoch == epoch);
        let key =
            key.ok_or(if keys.0.is_empty() { SyncError::NoKey } else { SyncError::UnknownEpoch(epoch) })?;
        let front = self.sealed.get(..FRONT).unwrap_or_default();
        let associated = [front, self.associated_data].concat();
        let opened = aead::open(key.aead_key(&salt), &associated, reader.rest());
        let opened = opened.map_err(|_| SyncError::NotAuthentic)?;
        Ok(Run::Done(Step::new(Vec::new(), opened)))
    }
}
