//! Taking a device list: a peer's account's, or the own account's.

use alloc::vec::Vec;

use crate::{
    identity::{
        Account, AccountId, Address, Device, DeviceChange, DeviceId, DeviceList, Devices, Follows,
        IdentityKey, Known, ListError, Lists,
    },
    session::{end_sessions, identity_on_record},
    step::{Context, Loaded, Needs, Operation, RecordError, Run, Sealed, Step, Write},
};

/// Takes an account's device list: verifies it under the identity key on record for the account's phone, and keeps it where it is newer than the one on record.
/// Sessions with companions that it names no more end in the same step.
///
/// Run it with what a server or a peer has of the account: before the first message to it, when an error's advice is
/// [`FetchDevices`](crate::Advice::FetchDevices), when a [`View`](crate::View) says that the own one is behind, and on a companion or a phone also for the own account.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | [`AccountId`] | | whose list |
/// | in | `list` | up to 1,024 B | from [`SignedList`](crate::SignedList) of the account's phone |
/// | out | [`Learned`] | | what is on record now, and what changed |
///
/// One signature verification. Writes one record, and those of the sessions that end.
///
/// # Errors
/// [`ListError`]. Two lists of one epoch are no error, since the record changes: [`Learned::disputed`].
///
/// # Spec
/// `docs/protocol.md`, section 10 "Which list counts".
#[derive(Clone, Copy, Debug)]
pub struct LearnDevices<'a> {
    /// Whose list.
    pub account: AccountId,
    /// The signed list.
    pub list: &'a [u8],
}

/// What is on record of an account's devices now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Learned {
    /// The list.
    pub list: DeviceList,
    /// What became of the account's companions since the list before. Show what appeared, to peers' users and to the account's own.
    pub changes: Vec<DeviceChange>,
    /// Two lists of this epoch were seen: someone shows different devices to different people. Nothing is encrypted for the account's companions until a later list comes;
    /// tell the user.
    pub disputed: bool,
    /// This device is a companion, and the list of its account names it no more, or the account is closed: it can say nothing; tell the user, and delete what the store
    /// holds.
    pub removed: bool,
}

impl Sealed for LearnDevices<'_> {}

impl Operation for LearnDevices<'_> {
    type Output = Learned;
    type Error = ListError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Learned>, ListError> {
        let mut needs = Needs::new();
        let device = Device::read(have, context, &mut needs)?;
        let lists = Lists::read(have, &self.account, context, &mut needs)?;
        let phone = Address::new(self.account, DeviceId::PHONE);
        let peer = identity_on_record(&phone, have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let device = device.value.ok_or(ListError::NotRegistered)?;
        let own = device.address.account == self.account;
        if own && device.address.device != DeviceId::PHONE && lists.own().is_none() {
            return Err(ListError::Relayed);
        }
        let account_key = if own && device.address.device == DeviceId::PHONE {
            device.identity.public()
        } else {
            let (stored, offered) = peer.ok_or(ListError::UnknownAccount)?;
            match offered {
                Some(offered) => return Err(ListError::IdentityChanged { stored, offered }),
                None => stored,
            }
        };
        let list = DeviceList::verify(self.list, &self.account, &account_key)?;
        let taken = Taken { own, account_key, list, address: device.address };
        taken.put(lists, have, context, needs)
    }
}

/// A list that verified.
struct Taken {
    own: bool,
    account_key: IdentityKey,
    list: DeviceList,
    /// This device.
    address: Address,
}

impl Taken {
    fn put(
        self,
        mut lists: Lists,
        have: &Loaded,
        context: &Context<'_>,
        mut needs: Needs,
    ) -> Result<Run<Learned>, ListError> {
        let phone = Address::new(self.address.account, DeviceId::PHONE);
        let place = if self.own { phone } else { Address::new(*self.list.account(), DeviceId::PHONE) };
        let former = lists.of(&place).filter(|known| *known.list.account_key() == self.account_key);
        let own_phone = self.own && self.address.device == DeviceId::PHONE;
        let (known, changes) = match Known::follows(former, &self.list, context.now, own_phone)? {
            Follows::Newer => {
                let changes = Known::changes(former, self.list.entries());
                (Known::new(self.list), changes)
            }
            Follows::Same => (former.cloned().unwrap_or(Known::new(self.list)), Vec::new()),
            Follows::Disputes => {
                let former = former.cloned().unwrap_or(Known::new(self.list));
                (Known { disputed: true, ..former }, Vec::new())
            }
        };
        let mut writes = end_gone(known.list.account(), &changes, have, context, &mut needs)?;
        let is_newer_end = known.list.is_closed() && former.is_none_or(|former| !former.list.is_closed());
        if is_newer_end && !self.own {
            writes.extend(end_sessions(&place, have, context, &mut needs)?);
        }
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let is_companion = self.own && !own_phone;
        // Who signs lists meets one that this store did not sign.
        let missed = own_phone && former != Some(&known);
        let learned = Learned {
            changes,
            disputed: known.disputed,
            removed: is_companion && known.list.entry(self.address.device).is_none(),
            list: known.list.clone(),
        };
        if self.own {
            let before = lists.own.value.take();
            let before =
                before.unwrap_or_else(|| Account::new(known.clone(), self.address.device, Vec::new()));
            let account = Account { known, restored: false, missed: before.missed || missed, ..before };
            writes.push(lists.own.write(account, context));
        } else {
            writes.push(lists.theirs.write(Devices(known), context));
        }
        Ok(Run::Done(Step::new(writes, learned)))
    }
}

/// Ends the sessions with the companions that an account has let go.
pub(super) fn end_gone(
    account: &AccountId,
    changes: &[DeviceChange],
    have: &Loaded,
    context: &Context<'_>,
    needs: &mut Needs,
) -> Result<Vec<Write>, RecordError> {
    let mut writes = Vec::new();
    for change in changes {
        if let DeviceChange::Gone(entry) = change {
            let gone = Address::new(*account, entry.device);
            writes.extend(end_sessions(&gone, have, context, needs)?);
        }
    }
    Ok(writes)
}
