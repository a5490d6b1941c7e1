//! Names of records, and their revisions.

use core::{cmp::Ordering, fmt, hash};

/// What a record is. The first byte of its key and of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum RecordKind {
    /// This device: its address, identity key and number. One.
    Device = 1,
    /// Which prekeys are alive. One.
    Prekeys = 2,
    /// A signed prekey with its private half.
    SignedPrekey = 3,
    /// A one-time prekey with its private half.
    OneTimePrekey = 4,
    /// A peer's device: identity key, trust, and the active session. What every message rewrites.
    Peer = 5,
    /// What is archived for a peer's device, and which first messages it has sent.
    Archive = 6,
    /// An archived session: it receives only.
    ArchivedSession = 7,
    /// Keys of skipped messages of a session.
    SkippedKeys = 8,
    /// The newest verified phone number of an account.
    Number = 9,
    /// What was sent last to a peer's device, so that it can be sent again: plaintexts.
    RetryCopy = 10,
    /// Digests of what was opened from a peer's device.
    Accepted = 11,
    /// What was asked of a peer's device again, and how often.
    Asked = 12,
    /// How much was asked again of all peers together. One.
    RetryBudget = 13,
    /// The newest device list of a peer's account.
    Devices = 14,
    /// What this device knows of its own account: its list, and at a companion its certificate. One; none on a phone that has never linked.
    Account = 15,
    /// A linking under way, at the companion. One.
    Linking = 16,
    /// The last linking, at the phone. One.
    Granting = 17,
    /// How far a companion has been supplied, at the phone.
    Supply = 18,
    /// What a companion was told of an account, at the phone: a digest.
    Supplied = 19,
    /// How far this companion was supplied. One.
    Taken = 20,
    /// The account's sync keys. One.
    SyncKeys = 21,
    /// The history that a companion has asked for, at the phone.
    HistoryOut = 22,
    /// The history that this companion has asked for. One.
    HistoryIn = 23,
    /// Which desktops this phone relays for, or did. One.
    Desktops = 24,
    /// How the relay for a desktop stands, at the phone.
    Desktop = 25,
    /// A frame for a desktop that it has not acknowledged, at the phone.
    RelayOut = 26,
    /// What became of a desktop's request, at the phone.
    RelaySeen = 27,
    /// How the relay stands, at the desktop. One.
    Relay = 28,
    /// A request that has no answer yet, at the desktop.
    RelayAsked = 29,
}

impl RecordKind {
    const ALL: [Self; 29] = [
        Self::Device,
        Self::Prekeys,
        Self::SignedPrekey,
        Self::OneTimePrekey,
        Self::Peer,
        Self::Archive,
        Self::ArchivedSession,
        Self::SkippedKeys,
        Self::Number,
        Self::RetryCopy,
        Self::Accepted,
        Self::Asked,
        Self::RetryBudget,
        Self::Devices,
        Self::Account,
        Self::Linking,
        Self::Granting,
        Self::Supply,
        Self::Supplied,
        Self::Taken,
        Self::SyncKeys,
        Self::HistoryOut,
        Self::HistoryIn,
        Self::Desktops,
        Self::Desktop,
        Self::RelayOut,
        Self::RelaySeen,
        Self::Relay,
        Self::RelayAsked,
    ];
}

/// The key of a record: up to 80 bytes, the first of which is the [`RecordKind`]. Use [`as_bytes`](Self::as_bytes) as the key in your database.
#[derive(Clone, Copy)]
pub struct RecordKey {
    bytes: [u8; Self::MAX_LEN],
    len: u8,
    kind: RecordKind,
}

impl RecordKey {
    /// The longest key in bytes.
    pub const MAX_LEN: usize = 80;

    /// What the record is.
    #[must_use]
    pub fn kind(&self) -> RecordKind {
        self.kind
    }

    /// The key of which [`as_bytes`](Self::as_bytes) gave these bytes; for apps that list their store, as [`Recover`](crate::Recover) wants it. `None`: no key of this
    /// version.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let first = bytes.first()?;
        let kind = RecordKind::ALL.into_iter().find(|kind| *kind as u8 == *first)?;
        let mut key = Self { bytes: [0; Self::MAX_LEN], len: u8::try_from(bytes.len()).ok()?, kind };
        key.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(key)
    }

    /// The key, 1 to 80 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl PartialEq for RecordKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for RecordKey {}

impl PartialOrd for RecordKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RecordKey {
    /// The order of the bytes, the first of which is the kind: most keys that are compared differ in it.
    fn cmp(&self, other: &Self) -> Ordering {
        (self.kind as u8).cmp(&(other.kind as u8)).then_with(|| self.as_bytes().cmp(other.as_bytes()))
    }
}

impl hash::Hash for RecordKey {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordKey({:?}", self.kind)?;
        self.as_bytes().iter().skip(1).try_for_each(|byte| write!(f, " {byte:02x}"))?;
        f.write_str(")")
    }
}

/// Builds a [`RecordKey`] from typed parts.
pub(crate) struct KeyWriter(RecordKey);

impl KeyWriter {
    pub(crate) fn new(kind: RecordKind) -> Self {
        let key = RecordKey { bytes: [0; RecordKey::MAX_LEN], len: 0, kind };
        Self(key).part(&[kind as u8])
    }

    /// Appends bytes. The longest key (kind, 64-byte account id with its length, device id, session id) has 78.
    pub(crate) fn part(mut self, bytes: &[u8]) -> Self {
        let start = usize::from(self.0.len);
        let end = start.saturating_add(bytes.len());
        if let (Some(place), Ok(len)) = (self.0.bytes.get_mut(start..end), u8::try_from(end)) {
            place.copy_from_slice(bytes);
            self.0.len = len;
        }
        self
    }

    pub(crate) fn finish(self) -> RecordKey {
        self.0
    }
}

/// The version of a stored record, counted from 1 by the crate. A write names the one that it replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of a record that did not exist before.
    pub const FIRST: Self = Self(1);

    /// The one after this.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}
