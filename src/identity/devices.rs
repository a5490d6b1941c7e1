//! What is on record of accounts' devices: a peer's newest list, and this device's own account. The one place of the rules by which a list follows another.

use alloc::vec::Vec;

use super::{
    AccountId, Address, DeviceEntry, DeviceId, DeviceList, Epoch, IdentityKey, ListDigest, ListError,
    Unlisted,
};
use crate::{
    step::{
        Context, KeyWriter, Loaded, Needs, RecordError, RecordKey, RecordKind, RecordReader, RecordType,
        RecordWriter, Slot, UnixMillis,
    },
    wire::Suite,
};

/// What became of the devices of an account, seen from the list before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChange {
    /// A companion that was not there before: show it to the user.
    Appeared(DeviceEntry),
    /// A companion that is there no more; its sessions have ended.
    Gone(DeviceEntry),
}

/// A list on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) list: DeviceList,
    /// Whether another list of the same epoch was seen: then neither counts, until a later one comes.
    pub(crate) disputed: bool,
}

/// How an offered list stands to the one on record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Follows {
    /// It is the one on record.
    Same,
    /// It takes its place.
    Newer,
    /// It is another of the same epoch.
    Disputes,
}

impl Known {
    pub(crate) const fn new(list: DeviceList) -> Self {
        Self { list, disputed: false }
    }

    /// Whether `list` may stand on record after `former` at this time. `docs/protocol.md`, section 10 "Which list counts"; the account's own phone takes its lists
    /// however old.
    pub(crate) fn follows(
        former: Option<&Self>,
        list: &DeviceList,
        now: UnixMillis,
        own_phone: bool,
    ) -> Result<Follows, ListError> {
        let issued_at = list.issued_at();
        if issued_at > now.plus(DeviceList::CLOCK_TOLERANCE) {
            return Err(ListError::FromTheFuture { issued_at });
        }
        // A list under another key says nothing of this one: the identity changed by the user's decision.
        let former =
            former.map(|former| &former.list).filter(|former| former.account_key() == list.account_key());
        if let Some(former) = former {
            if list.incarnation() != former.incarnation() {
                return Err(ListError::ForeignIncarnation);
            }
            if list.epoch() < former.epoch() {
                return Err(ListError::RolledBack { known: former.epoch(), offered: list.epoch() });
            }
            if list.body == former.body {
                return Ok(Follows::Same);
            }
            if former.is_closed() {
                return Err(ListError::LineEnded);
            }
            if list.epoch() == former.epoch() {
                return Ok(Follows::Disputes);
            }
            if list.body.next_key_index < former.body.next_key_index || gives_away(former, list) {
                return Err(ListError::Reused);
            }
        }
        if !(own_phone || list.is_closed() || list.is_live(now)) {
            return Err(ListError::Expired { expired_at: list.expires_at() });
        }
        Ok(Follows::Newer)
    }

    /// What changes where these are the companions after `former`.
    pub(crate) fn changes(former: Option<&Self>, now: &[DeviceEntry]) -> Vec<DeviceChange> {
        let before = former.map_or(&[][..], |former| former.list.entries());
        let gone = before.iter().filter(|entry| !now.contains(entry));
        let appeared = now.iter().filter(|entry| !before.contains(entry));
        let gone = gone.map(|entry| DeviceChange::Gone(*entry));
        gone.chain(appeared.map(|entry| DeviceChange::Appeared(*entry))).collect()
    }

    /// Whether the device speaks for the account under this key, by the newest list, the phone under any; whether it still does is for [`may_be_sent_to`](Self::may_be_sent_to) to say.
    pub(crate) fn names(&self, device: DeviceId, key: &IdentityKey) -> Result<(), Unlisted> {
        match self.list.entry(device) {
            _ if self.list.is_closed() => Err(Unlisted::Closed),
            _ if device == DeviceId::PHONE => Ok(()),
            _ if self.disputed => Err(Unlisted::Disputed),
            Some(entry) if entry.identity_key == *key => Ok(()),
            Some(_) => Err(Unlisted::OtherKey),
            None => Err(Unlisted::NotListed),
        }
    }

    /// Whether anything may be encrypted for the device under this key.
    pub(crate) fn may_be_sent_to(
        &self,
        device: DeviceId,
        key: &IdentityKey,
        now: UnixMillis,
    ) -> Result<(), Unlisted> {
        self.names(device, key)?;
        if device != DeviceId::PHONE && !self.list.is_live(now) {
            return Err(Unlisted::Expired { expired_at: self.list.expires_at() });
        }
        Ok(())
    }

    /// How this side sees the account.
    pub(crate) fn view(known: Option<&Self>) -> (Epoch, ListDigest) {
        known.map_or((Epoch(0), ListDigest([0; 16])), |known| (known.list.epoch(), known.list.digest()))
    }

    fn encode(&self, body: &mut RecordWriter) {
        self.list.encode(body.flag(self.disputed));
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        Some(Self { disputed: body.flag()?, list: DeviceList::decode(body)? })
    }

    fn max_len(&self) -> usize {
        self.list.max_len().saturating_add(1)
    }
}

/// Whether `list` gives an id or an index of `former` to another device.
fn gives_away(former: &DeviceList, list: &DeviceList) -> bool {
    list.entries().iter().any(|entry| match former.entry(entry.device) {
        Some(before) => before != entry,
        None => entry.key_index < former.body.next_key_index,
    })
}

/// The record of a peer's account.
#[derive(Debug)]
pub(crate) struct Devices(pub(crate) Known);

impl Devices {
    pub(crate) fn read(
        have: &Loaded,
        account: &AccountId,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Slot<Self>, RecordError> {
        have.read(Self::key(account), context, needs)
    }

    fn key(account: &AccountId) -> RecordKey {
        account.write_key(KeyWriter::new(RecordKind::Devices)).finish()
    }
}

impl RecordType<'_> for Devices {
    const KIND: RecordKind = RecordKind::Devices;

    fn max_body_len(&self) -> usize {
        self.0.max_len()
    }

    fn encode(&self, body: &mut RecordWriter) {
        self.0.encode(body);
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        Known::decode(body).map(Self)
    }
}

/// The record of this device's own account, once it has companions.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) known: Known,
    /// Which device this is.
    pub(crate) device: DeviceId,
    /// The phone came back from a backup and may have signed later lists than this one: it signs none before it has seen the newest.
    pub(crate) restored: bool,
    /// The newest list was signed by this phone and is not of this store, which went back: with it went sync keys, perhaps.
    pub(crate) missed: bool,
    /// When each companion was linked, at the phone.
    pub(crate) linked: Vec<(DeviceId, UnixMillis)>,
    /// This companion has left the account.
    pub(crate) left: bool,
    /// This companion's certificate; empty on the phone.
    pub(crate) certificate: Vec<u8>,
}

impl Account {
    pub(crate) const fn new(known: Known, device: DeviceId, certificate: Vec<u8>) -> Self {
        Self { known, device, restored: false, missed: false, left: false, linked: Vec::new(), certificate }
    }

    pub(crate) fn read(
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Slot<Self>, RecordError> {
        have.read(Self::key(), context, needs)
    }

    fn key() -> RecordKey {
        KeyWriter::new(RecordKind::Account).finish()
    }

    /// When a companion was linked, if this store knows.
    pub(crate) fn linked_at(&self, companion: DeviceId) -> Option<UnixMillis> {
        self.linked.iter().find(|(device, _)| *device == companion).map(|(_, at)| *at)
    }

    /// What its records become after a backup: the phone's list may be old.
    pub(crate) fn after_recovery(self) -> Self {
        Self { restored: self.device == DeviceId::PHONE, ..self }
    }
}

impl RecordType<'_> for Account {
    const KIND: RecordKind = RecordKind::Account;

    fn max_body_len(&self) -> usize {
        self.known
            .max_len()
            .saturating_add(self.certificate.len())
            .saturating_add(4 + 1 + 1 + 1 + 2 + 1)
            .saturating_add(self.linked.len().saturating_mul(12))
    }

    fn encode(&self, body: &mut RecordWriter) {
        self.known.encode(body);
        body.u32(self.device.0).flag(self.restored).flag(self.missed).flag(self.left);
        body.prefixed(&self.certificate);
        body.u8(u8::try_from(self.linked.len()).unwrap_or(u8::MAX));
        for (device, at) in &self.linked {
            body.u32(device.0).u64(at.0);
        }
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        Some(Self {
            known: Known::decode(body)?,
            device: DeviceId(body.u32()?),
            restored: body.flag()?,
            missed: body.flag()?,
            left: body.flag()?,
            certificate: body.prefixed()?.to_vec(),
            linked: {
                let count = body.u8()?;
                let one =
                    |body: &mut RecordReader<'_>| Some((DeviceId(body.u32()?), UnixMillis(body.u64()?)));
                (0..count).map(|_| one(body)).collect::<Option<_>>()?
            },
        })
    }
}

/// The lists that matter between this device and another: of its own account and of the other's.
pub(crate) struct Lists {
    pub(crate) own: Slot<Account>,
    pub(crate) theirs: Slot<Devices>,
}

impl Lists {
    pub(crate) fn read(
        have: &Loaded,
        peer: &AccountId,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Self, RecordError> {
        Ok(Self {
            own: Account::read(have, context, needs)?,
            theirs: Devices::read(have, peer, context, needs)?,
        })
    }

    /// Asks for them, for a later round.
    pub(crate) fn ask_ahead(have: &Loaded, peer: &AccountId, needs: &mut Needs) {
        have.slot::<Account>(Account::key(), needs);
        have.slot::<Devices>(Devices::key(peer), needs);
    }

    pub(crate) fn own(&self) -> Option<&Account> {
        self.own.value.as_ref()
    }

    /// The list of the account of a device: the peer's, or this device's own where it is one of its siblings.
    pub(crate) fn of(&self, address: &Address) -> Option<&Known> {
        let own = self.own().map(|own| &own.known);
        let theirs = self.theirs.value.as_ref().map(|devices| &devices.0);
        [own, theirs].into_iter().flatten().find(|known| *known.list.account() == address.account)
    }

    /// Whether either account is known to have companions, or had.
    pub(crate) fn matter(&self) -> bool {
        self.own.value.is_some() || self.theirs.value.is_some()
    }

    /// Whether the device at this address speaks for its account under this key.
    pub(crate) fn name(&self, address: &Address, key: &IdentityKey) -> Result<(), Unlisted> {
        match self.of(address) {
            Some(known) => known.names(address.device, key),
            None if address.device == DeviceId::PHONE => Ok(()),
            None => Err(Unlisted::NoList),
        }
    }

    /// The suites with a KEM that the account's list on record says a device accepts.
    pub(crate) fn promised_suites(&self, address: &Address) -> Vec<Suite> {
        let mut suites = self.of(address).map_or(Vec::new(), |known| known.list.suites(address.device));
        suites.retain(|suite| suite.kem().is_some());
        suites
    }

    /// The key under which the account's list names a companion.
    pub(crate) fn listed_key(&self, address: &Address) -> Option<IdentityKey> {
        self.of(address)?.list.entry(address.device).map(|entry| entry.identity_key)
    }

    /// Whether anything may be encrypted for the device at this address under this key.
    pub(crate) fn may_be_sent_to(
        &self,
        address: &Address,
        key: &IdentityKey,
        now: UnixMillis,
    ) -> Result<(), Unlisted> {
        match self.of(address) {
            Some(known) => known.may_be_sent_to(address.device, key, now),
            None if address.device == DeviceId::PHONE => Ok(()),
            None => Err(Unlisted::NoList),
        }
    }
}
