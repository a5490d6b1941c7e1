//! What the phone signs: the next list of its account.

use alloc::vec::Vec;

use super::supply::SyncKeys;
use crate::{
    identity::{
        Account, Address, Change, Device, DeviceChange, DeviceId, DeviceList, Incarnation, Issue, Known,
        ListError,
    },
    session::end_sessions,
    step::{Context, Loaded, Needs, Operation, Run, Sealed, Slot, Step, Write},
    wire::MAX_DEVICES,
};

/// Signs the account's device list anew, with the same companions and a new time: they speak for the account for 14 days more. Run it on the phone every day or two while
/// it is online, so that companions outlive a phone that is off for long; what lapsed resumes with the new list and nothing else.
///
/// Writes one record. Draws 64 random bytes. On a phone that came back from a backup, or whose store went back, the first list brings another sync key: one record and 32 bytes more.
///
/// # Errors
/// [`ListError::NotThePhone`], [`UnknownDevice`](ListError::UnknownDevice) where the account never had a companion,
/// [`NotSeenSinceRestore`](ListError::NotSeenSinceRestore), [`NotRegistered`](ListError::NotRegistered), [`Random`](ListError::Random), [`Record`](ListError::Record).
///
/// # Spec
/// `docs/protocol.md`, section 10 "Device list".
#[derive(Clone, Copy, Debug)]
pub struct RenewDevices;

/// Removes a companion from the account: signs a list without it, ends the sessions with it and draws another sync key, in one step. Its later messages are refused here, and at every peer and
/// sibling that has the new list; it reads nothing that is sent from then on. Then run
/// [`SupplyCompanion`](crate::SupplyCompanion) for those that stay.
///
/// Writes two records and those of the sessions that end. Draws 96 random bytes.
///
/// # Errors
/// As of [`RenewDevices`]; [`UnknownDevice`](ListError::UnknownDevice) where the list does not name it.
///
/// # Spec
/// `docs/protocol.md`, section 10 "Removal".
#[derive(Clone, Copy, Debug)]
pub struct RemoveCompanion {
    /// Which.
    pub device: DeviceId,
}

/// Closes the account: signs its last list, which says so, and ends the sessions with its companions. Peers that learn it end their sessions with every device of the
/// account; this phone sends nothing more. Delete what the store holds once the server has the list.
///
/// Writes one record and those of the sessions that end. Draws 80 random bytes.
///
/// # Errors
/// As of [`RenewDevices`]; [`UnknownDevice`](ListError::UnknownDevice) is not among them.
///
/// # Spec
/// `docs/protocol.md`, section 10 "Account life".
#[derive(Clone, Copy, Debug)]
pub struct CloseAccount;

/// A list that the phone has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignedList {
    /// What goes to the server, for peers and companions to fetch: [`DeviceList::as_bytes`].
    pub list: DeviceList,
    /// What it changed.
    pub changes: Vec<DeviceChange>,
}

impl Sealed for RenewDevices {}

impl Operation for RenewDevices {
    type Output = SignedList;
    type Error = ListError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<SignedList>, ListError> {
        let mut needs = Needs::new();
        let desk = Desk::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let signing = desk.open()?;
        signing.former().ok_or(ListError::UnknownDevice)?;
        let keys = SyncKeys::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let (signed, writes) = signing.sign(Change::Renew, keys, context)?;
        Ok(Run::Done(Step::new(writes, signed)))
    }
}

impl Sealed for RemoveCompanion {}

impl Operation for RemoveCompanion {
    type Output = SignedList;
    type Error = ListError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<SignedList>, ListError> {
        let mut needs = Needs::new();
        let desk = Desk::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let signing = desk.open()?;
        let named = signing.former().and_then(|list| list.entry(self.device));
        named.ok_or(ListError::UnknownDevice)?;
        let gone = Address::new(signing.device.address.account, self.device);
        let mut writes = end_sessions(&gone, have, context, &mut needs)?;
        let keys = SyncKeys::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let (signed, changed) = signing.sign(Change::Remove(self.device), keys, context)?;
        writes.extend(changed);
        Ok(Run::Done(Step::new(writes, signed)))
    }
}

impl Sealed for CloseAccount {}

impl Operation for CloseAccount {
    type Output = SignedList;
    type Error = ListError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<SignedList>, ListError> {
        let mut needs = Needs::new();
        let desk = Desk::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let signing = desk.open()?;
        let mut writes = Vec::new();
        for entry in signing.former().map_or(&[][..], DeviceList::entries) {
            let companion = Address::new(signing.device.address.account, entry.device);
            writes.extend(end_sessions(&companion, have, context, &mut needs)?);
        }
        let keys = SyncKeys::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let incarnation = Incarnation(context.random.draw()?);
        let (signed, changed) = signing.sign(Change::Close { incarnation }, keys, context)?;
        writes.extend(changed);
        Ok(Run::Done(Step::new(writes, signed)))
    }
}

/// The records from which a list is signed.
pub(super) struct Desk {
    device: Slot<Device>,
    account: Slot<Account>,
}

/// A phone that may sign.
pub(super) struct Signing {
    pub(super) device: Device,
    account: Slot<Account>,
}

impl Desk {
    pub(super) fn read(
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Self, crate::step::RecordError> {
        Ok(Self {
            device: Device::read(have, context, needs)?,
            account: Account::read(have, context, needs)?,
        })
    }

    /// Whether this device may sign lists now.
    pub(super) fn open(self) -> Result<Signing, ListError> {
        let device = self.device.value.ok_or(ListError::NotRegistered)?;
        if device.address.device != DeviceId::PHONE {
            return Err(ListError::NotThePhone);
        }
        if self.account.value.as_ref().is_some_and(|account| account.restored) {
            return Err(ListError::NotSeenSinceRestore);
        }
        Ok(Signing { device, account: self.account })
    }
}

impl Signing {
    /// The list on record.
    pub(super) fn former(&self) -> Option<&DeviceList> {
        self.account.value.as_ref().map(|account| &account.known.list)
    }

    /// Signs the next list, and draws another sync key where one is due: one place for `docs/protocol.md`, section 10 "Sync keys". The writes are of the account's record
    /// and of the keys.
    pub(super) fn sign(
        mut self,
        change: Change,
        mut keys: Slot<SyncKeys>,
        context: &mut Context<'_>,
    ) -> Result<(SignedList, Vec<Write>), ListError> {
        let removes = matches!(change, Change::Remove(_));
        let (former, mut linked, missed) = match self.account.value.take() {
            Some(account) => (Some(account.known), account.linked, account.missed),
            None => (None, Vec::new(), false),
        };
        let issue = Issue {
            account: &self.device.address.account,
            identity: &self.device.identity,
            change,
            now: context.now,
            suites: context.suites,
            window: context.limits.list_window,
        };
        let list = issue.after(former.as_ref().map(|known| &known.list), &mut context.random)?;
        let list = list.ok_or(ListError::LineEnded)?;
        if list.entries().len() >= MAX_DEVICES {
            return Err(ListError::TooManyDevices);
        }
        let changes = Known::changes(former.as_ref(), list.entries());
        linked.retain(|(device, _)| list.entry(*device).is_some());
        let new = list.entries().iter().filter(|entry| changes.contains(&DeviceChange::Appeared(**entry)));
        linked.extend(new.map(|entry| (entry.device, context.now)));
        let account = Account::new(Known::new(list.clone()), DeviceId::PHONE, Vec::new());
        let account = Account { linked, ..account };
        let mut writes = Vec::from([self.account.write(account, context)]);
        let mut held = keys.value.take().unwrap_or_default();
        let first = held.is_empty() && !list.entries().is_empty();
        if !list.is_closed() && (removes || missed || first) {
            held.rotate(list.epoch(), &mut context.random)?;
            writes.push(keys.write(held, context));
        }
        Ok((SignedList { list, changes }, writes))
    }
}
