//! Supplying a companion, at the phone.

use alloc::vec::Vec;

use super::{
    SupplyError, SyncKeys,
    frame::{Fact, Frame, MAX_FACTS},
};
use crate::{
    identity::{Account, AccountId, Address, DeviceId, Devices},
    session::{Heading, Keep, Single, SupplyNumber, ToldIdentity, ask_ahead},
    step::{
        Context, KeyWriter, Loaded, Needs, Operation, RecordError, RecordKey, RecordKind, RecordReader,
        RecordType, RecordWriter, Run, Sealed, Slot, Step, UnixMillis, Write,
    },
};

/// Tells a companion what has changed: of the accounts that are named and of those that it has not taken yet, and new sync keys.
///
/// Run it after a linking with all accounts that the phone speaks with, then with an account whenever its identity, trust or list has changed, and with none when a frame
/// seems lost. What the companion has taken is not told again.
///
/// | | type | meaning |
/// |---|---|---|
/// | in | [`DeviceId`] | which companion |
/// | in | [`AccountId`]s | whom to tell of; of an account that was never met nothing is told |
/// | out | [`Supplied`] | the envelope for the companion, where there is anything to tell |
///
/// Tells of at most 64 accounts at once. Reads four records for each; writes one for each that is told, two of the session, and one more. Costs and draws what a send does; where there is nothing to tell it writes and draws nothing.
///
/// # Errors
/// [`SupplyError::NotThePhone`], [`UnknownDevice`](SupplyError::UnknownDevice), [`Send`](SupplyError::Send), [`Record`](SupplyError::Record).
///
/// # Spec
/// `docs/protocol.md`, section 10 "Supply".
#[derive(Clone, Copy, Debug)]
pub struct SupplyCompanion<'a> {
    /// Which companion.
    pub companion: DeviceId,
    /// Of whom.
    pub accounts: &'a [AccountId],
}

/// What a companion is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Supplied {
    /// What goes to the companion; none where it has taken everything.
    pub envelope: Option<Vec<u8>>,
    /// Accounts that it tells of.
    pub told: usize,
    /// Accounts that found no room: run it again with them when the companion has taken this.
    pub waiting: Vec<AccountId>,
}

/// Notes what a companion has taken, as [`Content::SupplyTaken`](crate::Content::SupplyTaken) says.
///
/// # Errors
/// [`SupplyError::NotThePhone`], [`UnknownDevice`](SupplyError::UnknownDevice), [`Record`](SupplyError::Record).
///
/// # Spec
/// `docs/protocol.md`, section 10 "Supply".
#[derive(Clone, Copy, Debug)]
pub struct ConfirmSupply {
    /// Which companion.
    pub companion: DeviceId,
    /// What it has taken.
    pub taken: SupplyNumber,
}

/// How far a companion is supplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SupplyState {
    /// What it has taken.
    pub taken: SupplyNumber,
    /// Accounts that it was told of and has not taken.
    pub outstanding: usize,
    /// One of the two stores went back: everything is to be told again. Run [`SupplyCompanion`] with all accounts.
    pub restarted: bool,
}

/// The record of what a companion was told and has taken.
#[derive(Debug, Default)]
struct Supply {
    /// The number of the last frame.
    last: u64,
    taken: u64,
    /// What was told in an earlier round counts no more.
    round: u32,
    /// The newest sync key that it has taken.
    key_taken: u32,
    /// The newest sync key that it was told, and in which frame first.
    key_told: (u32, u64),
    /// Accounts that were told and not taken, each with the frame that told of its present state first.
    outstanding: Vec<(AccountId, u64)>,
}

impl Supply {
    fn read(
        companion: DeviceId,
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Slot<Self>, RecordError> {
        have.read(
            KeyWriter::new(RecordKind::Supply).part(&companion.0.to_be_bytes()).finish(),
            context,
            needs,
        )
    }

    fn take(&mut self, taken: u64) -> bool {
        // Below what it had taken, or above what it was told: one of the two stores went back.
        let went_back = taken < self.taken || taken > self.last;
        self.taken = taken;
        if went_back {
            *self = Self {
                last: self.last.max(taken),
                taken,
                round: self.round.saturating_add(1),
                ..Self::default()
            };
        } else {
            self.outstanding.retain(|(_, since)| *since > taken);
            if self.key_told.1 <= taken {
                self.key_taken = self.key_told.0;
            }
        }
        went_back
    }

    /// What the companion does not know, or has not taken yet, of the accounts that were told before and of those that are named; what is new counts as told in the frame of this number.
    fn news<'a>(
        &mut self,
        companion: DeviceId,
        named: impl Iterator<Item = &'a AccountId>,
        number: u64,
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<News, RecordError> {
        let mut of: Vec<AccountId> = self.outstanding.iter().map(|(account, _)| *account).collect();
        for account in named {
            if !of.contains(account) {
                of.push(*account);
            }
        }
        let mut news = News::default();
        for account in &of {
            let OnRecord { identity, devices, told } =
                OnRecord::read(companion, account, have, context, needs)?;
            let Some(identity) = identity else { continue };
            let list = devices.value.as_ref().map(|Devices(known)| &known.list);
            let fact = Fact::new(*account, identity, list);
            let digest = fact.digest();
            let known =
                told.value.as_ref().is_some_and(|told| (told.round, told.digest) == (self.round, digest));
            if known && !self.outstanding.iter().any(|(other, _)| other == account) {
                continue;
            }
            if news.facts.len() == MAX_FACTS {
                news.waiting.push(*account);
                continue;
            }
            if !known {
                news.writes.push(told.write(ToldOf { round: self.round, digest }, context));
                self.outstanding.retain(|(other, _)| other != account);
                self.outstanding.push((*account, number));
            }
            news.facts.push(fact);
        }
        Ok(news)
    }
}

/// What one frame tells of accounts.
#[derive(Default)]
struct News {
    facts: Vec<Fact>,
    /// For which there is no room in the frame.
    waiting: Vec<AccountId>,
    /// The records of what was told.
    writes: Vec<Write>,
}

impl RecordType<'_> for Supply {
    const KIND: RecordKind = RecordKind::Supply;

    fn max_body_len(&self) -> usize {
        self.outstanding.len().saturating_mul(2 + 64 + 8).saturating_add(3 * 8 + 3 * 4)
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.u64(self.last).u64(self.taken).u32(self.round).u32(self.key_taken);
        body.u32(self.key_told.0).u64(self.key_told.1);
        for (account, since) in &self.outstanding {
            body.prefixed(account.as_bytes()).u64(*since);
        }
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let mut supply = Self {
            last: body.u64()?,
            taken: body.u64()?,
            round: body.u32()?,
            key_taken: body.u32()?,
            key_told: (body.u32()?, body.u64()?),
            outstanding: Vec::new(),
        };
        while let Some(account) = body.prefixed() {
            supply.outstanding.push((AccountId::new(account).ok()?, body.u64()?));
        }
        Some(supply)
    }
}

/// The record of what a companion was told of an account.
#[derive(Debug)]
struct ToldOf {
    round: u32,
    digest: [u8; 16],
}

impl ToldOf {
    fn key(companion: DeviceId, account: &AccountId) -> RecordKey {
        account.write_key(KeyWriter::new(RecordKind::Supplied).part(&companion.0.to_be_bytes())).finish()
    }
}

impl RecordType<'_> for ToldOf {
    const KIND: RecordKind = RecordKind::Supplied;

    fn max_body_len(&self) -> usize {
        4 + 16
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.u32(self.round).bytes(&self.digest);
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        Some(Self { round: body.u32()?, digest: body.array()? })
    }
}

/// This phone's account, if it has such a companion.
fn account_with(
    companion: DeviceId,
    have: &Loaded,
    context: &Context<'_>,
    needs: &mut Needs,
) -> Result<Option<AccountId>, SupplyError> {
    let account = Account::read(have, context, needs)?;
    if !needs.is_empty() {
        return Ok(None);
    }
    let account = account.value.ok_or(SupplyError::UnknownDevice)?;
    if account.device != DeviceId::PHONE {
        return Err(SupplyError::NotThePhone);
    }
    account.known.list.entry(companion).ok_or(SupplyError::UnknownDevice)?;
    Ok(Some(*account.known.list.account()))
}

/// What is on record of an account, and what a companion was told of it.
struct OnRecord {
    identity: Option<ToldIdentity>,
    devices: Slot<Devices>,
    told: Slot<ToldOf>,
}

impl OnRecord {
    fn read(
        companion: DeviceId,
        account: &AccountId,
        have: &Loaded,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Self, RecordError> {
        let phone = Address::new(*account, DeviceId::PHONE);
        Ok(Self {
            identity: ToldIdentity::read(&phone, have, context, needs)?,
            devices: Devices::read(have, account, context, needs)?,
            told: have.read(ToldOf::key(companion, account), context, needs)?,
        })
    }
}

impl Sealed for SupplyCompanion<'_> {}

impl Operation for SupplyCompanion<'_> {
    type Output = Supplied;
    type Error = SupplyError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Supplied>, SupplyError> {
        let mut needs = Needs::new();
        let mut slot = Supply::read(self.companion, have, context, &mut needs)?;
        let keys = SyncKeys::read(have, context, &mut needs)?;
        // Named accounts' records are asked for at once, so that all settles in three rounds.
        for account in self.accounts {
            OnRecord::read(self.companion, account, have, context, &mut needs)?;
        }
        let Some(own) = account_with(self.companion, have, context, &mut needs)? else {
            return Ok(Run::Needs(needs));
        };
        let companion = Address::new(own, self.companion);
        ask_ahead(&companion, have, context, &mut needs)?;
        let mut supply = slot.value.take().unwrap_or_default();
        // The time is in it, so that a phone whose store went back repeats no number that it has used since.
        let number = supply.last.saturating_add(1).max(context.now.min(UnixMillis::LATEST).0);
        let named = self.accounts.iter().filter(|account| **account != own);
        let News { facts, waiting, mut writes } =
            supply.news(self.companion, named, number, have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let keys = keys.value.unwrap_or_default();
        let new_keys = keys.above(supply.key_taken);
        if facts.is_empty() && new_keys.is_empty() {
            return Ok(Run::Done(Step::new(Vec::new(), Supplied { envelope: None, told: 0, waiting })));
        }
        let newest = keys.newest().map_or(0, |epoch| epoch.0);
        if supply.key_told.0 != newest {
            supply.key_told = (newest, number);
        }
        let told = facts.len();
        let frame =
            Frame { number: SupplyNumber(number), after: SupplyNumber(supply.taken), facts, keys: new_keys };
        supply.last = number;
        let text = Heading::Supply.before(&frame.encode());
        let single = Single::among_own(&companion, &text, Keep::ForRetry);
        let Some((sent, sealed)) = single.seal(have, context, &mut needs)? else {
            return Ok(Run::Needs(needs));
        };
        writes.extend(sealed);
        writes.push(slot.write(supply, context));
        let envelope = Some(sent.envelope);
        Ok(Run::Done(Step::new(writes, Supplied { envelope, told, waiting })))
    }
}

impl Sealed for ConfirmSupply {}

impl Operation for ConfirmSupply {
    type Output = SupplyState;
    type Error = SupplyError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<SupplyState>, SupplyError> {
        let mut needs = Needs::new();
        let mut slot = Supply::read(self.companion, have, context, &mut needs)?;
        if account_with(self.companion, have, context, &mut needs)?.is_none() {
            return Ok(Run::Needs(needs));
        }
        let mut supply = slot.value.take().unwrap_or_default();
        let restarted = supply.take(self.taken.0);
        let state = SupplyState { taken: self.taken, outstanding: supply.outstanding.len(), restarted };
        Ok(Run::Done(Step::new(Vec::from([slot.write(supply, context)]), state)))
    }
}
