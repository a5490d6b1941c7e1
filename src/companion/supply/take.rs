//! Being supplied, at the companion.

use alloc::vec::Vec;

use super::{
    SupplyError, SyncKeys,
    frame::{Fact, Frame},
};
use crate::{
    companion::learn::end_gone,
    identity::{
        Account, AccountId, Address, DeviceChange, DeviceId, DeviceList, Devices, Follows, Known, TrustMark,
    },
    session::{Heading, Keep, Single, SupplyFrame, SupplyNumber, ask_ahead},
    step::{
        Context, KeyWriter, Loaded, Needs, Operation, RecordError, RecordKind, RecordReader, RecordType,
        RecordWriter, Run, Sealed, Slot, Step, Write,
    },
};

/// Takes what the own phone has told: puts peers' identity keys, the user's trust in them, their lists and the account's sync keys on record, in one step, and
/// says to the phone how far this companion is. A frame that was taken before changes nothing and is said to be taken again.
///
/// | | type | meaning |
/// |---|---|---|
/// | in | [`SupplyFrame`] | from [`Content::Supply`](crate::Content::Supply) |
/// | out | [`TakenSupply`] | what was told, and the envelope for the phone |
///
/// # Errors
/// [`SupplyError`]: [`Gap`](SupplyError::Gap) where this store went back.
///
/// # Spec
/// `docs/protocol.md`, section 10 "Supply".
#[derive(Clone, Copy, Debug)]
pub struct TakeSupply<'a> {
    /// What came.
    pub frame: &'a SupplyFrame,
}

/// Says to the phone again how far this companion is: for when nothing has come for long, or its store went back. The output is the envelope for the phone.
///
/// # Errors
/// [`SupplyError::NotACompanion`], [`Send`](SupplyError::Send), [`Record`](SupplyError::Record).
#[derive(Clone, Copy, Debug)]
pub struct AskSupply;

/// What a companion was told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TakenSupply {
    /// Of whom, and what is on record now.
    pub told: Vec<Told>,
    /// What goes to the phone.
    pub acknowledgement: Vec<u8>,
    /// Whether the frame had been taken before.
    pub again: bool,
}

/// What a companion was told of an account, by its own phone and by nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Told {
    /// Whom.
    pub account: AccountId,
    /// How far the phone's user trusts the account's key.
    pub trust: TrustMark,
    /// Whether the account had another key on record here: its user at the phone has accepted this one, and sessions under the old one have ended.
    pub key_changed: bool,
    /// What became of the account's companions.
    pub changes: Vec<DeviceChange>,
}

/// The record of how far this companion was supplied.
#[derive(Debug)]
struct Taken(u64);

impl Taken {
    fn read(have: &Loaded, context: &Context<'_>, needs: &mut Needs) -> Result<Slot<Self>, RecordError> {
        have.read(KeyWriter::new(RecordKind::Taken).finish(), context, needs)
    }
}

impl RecordType<'_> for Taken {
    const KIND: RecordKind = RecordKind::Taken;

    fn max_body_len(&self) -> usize {
        8
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.u64(self.0);
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        body.u64().map(Self)
    }
}

/// This companion's own phone.
fn own_phone(
    have: &Loaded,
    context: &Context<'_>,
    needs: &mut Needs,
) -> Result<Option<Address>, SupplyError> {
    let account = Account::read(have, context, needs)?;
    if !needs.is_empty() {
        return Ok(None);
    }
    let account = account.value.filter(|account| account.device != DeviceId::PHONE);
    let account = account.ok_or(SupplyError::NotACompanion)?;
    Ok(Some(Address::new(*account.known.list.account(), DeviceId::PHONE)))
}

/// The word to the phone, and the writes of its session.
struct Acknowledgement {
    envelope: Vec<u8>,
    writes: [Write; 2],
}

/// Says to the phone what was taken.
fn acknowledge(
    phone: &Address,
    taken: u64,
    have: &Loaded,
    context: &mut Context<'_>,
    needs: &mut Needs,
) -> Result<Option<Acknowledgement>, SupplyError> {
    let text = Heading::SupplyTaken(SupplyNumber(taken)).before(&[]);
    let single = Single::among_own(phone, &text, Keep::Nothing);
    Ok(single
        .seal(have, context, needs)?
        .map(|(sent, writes)| Acknowledgement { envelope: sent.envelope, writes }))
}

impl Sealed for TakeSupply<'_> {}

impl Operation for TakeSupply<'_> {
    type Output = TakenSupply;
    type Error = SupplyError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<TakenSupply>, SupplyError> {
        let frame = Frame::decode(self.frame.as_bytes())?;
        let mut needs = Needs::new();
        let slot = Taken::read(have, context, &mut needs)?;
        let mut keys = SyncKeys::read(have, context, &mut needs)?;
        // What the facts are about is known before anything is loaded: asked for at once, all settles in three rounds.
        for fact in &frame.facts {
            take(fact, &mut Vec::new(), have, context, &mut needs)?;
        }
        let Some(phone) = own_phone(have, context, &mut needs)? else { return Ok(Run::Needs(needs)) };
        ask_ahead(&phone, have, context, &mut needs)?;
        let taken = slot.value.as_ref().map_or(0, |taken| taken.0);
        if frame.after.0 > taken {
            return Err(SupplyError::Gap { taken: SupplyNumber(taken), after: frame.after });
        }
        let again = frame.number.0 <= taken;
        let mut writes = Vec::new();
        let mut told = Vec::new();
        if !again {
            for fact in frame.facts.iter().filter(|fact| fact.account != phone.account) {
                told.push(take(fact, &mut writes, have, context, &mut needs)?);
            }
        }
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let upto = taken.max(frame.number.0);
        let Some(acknowledged) = acknowledge(&phone, upto, have, context, &mut needs)? else {
            return Ok(Run::Needs(needs));
        };
        writes.extend(acknowledged.writes);
        if !again {
            if !frame.keys.is_empty() {
                let mut held = keys.value.take().unwrap_or_default();
                frame.keys.into_iter().for_each(|key| held.add(key));
                writes.push(keys.write(held, context));
            }
            writes.push(slot.write(Taken(upto), context));
        }
        Ok(Run::Done(Step::new(writes, TakenSupply { told, acknowledgement: acknowledged.envelope, again })))
    }
}

/// Puts what was told of an account on record.
fn take(
    fact: &Fact,
    writes: &mut Vec<Write>,
    have: &Loaded,
    context: &Context<'_>,
    needs: &mut Needs,
) -> Result<Told, SupplyError> {
    let phone = Address::new(fact.account, DeviceId::PHONE);
    let mut devices = Devices::read(have, &fact.account, context, needs)?;
    let (identity, key_changed) = fact.identity.take(&phone, have, context, needs)?;
    writes.extend(identity);
    let key = &fact.identity.key;
    let former = devices.value.take().map(|Devices(known)| known);
    let former_counts = former.as_ref().filter(|former| former.list.account_key() == key);
    let offered = fact.list.as_deref().and_then(|list| DeviceList::verify(list, &fact.account, key).ok());
    // A list that does not follow is as good as none: this companion may know a newer one.
    let follows = |list: &DeviceList| Known::follows(former_counts, list, context.now, false);
    let offered = offered.filter(|list| follows(list) == Ok(Follows::Newer));
    let changes = match (&offered, former_counts) {
        (Some(list), _) => Known::changes(former.as_ref(), list.entries()),
        (None, Some(_)) => Vec::new(),
        (None, None) => Known::changes(former.as_ref(), &[]),
    };
    writes.extend(end_gone(&fact.account, &changes, have, context, needs)?);
    match offered {
        Some(list) => writes.push(devices.write(Devices(Known::new(list)), context)),
        None if former_counts.is_none() => writes.extend(devices.delete()),
        None => {}
    }
    let trust = match (fact.identity.offered, fact.identity.verified) {
        (Some(_), _) => TrustMark::Changed,
        (None, true) => TrustMark::Verified,
        (None, false) => TrustMark::Pinned,
    };
    Ok(Told { account: fact.account, trust, key_changed, changes })
}

impl Sealed for AskSupply {}

impl Operation for AskSupply {
    type Output = Vec<u8>;
    type Error = SupplyError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Vec<u8>>, SupplyError> {
        let mut needs = Needs::new();
        let slot = Taken::read(have, context, &mut needs)?;
        let Some(phone) = own_phone(have, context, &mut needs)? else { return Ok(Run::Needs(needs)) };
        let taken = slot.value.map_or(0, |taken| taken.0);
        Ok(match acknowledge(&phone, taken, have, context, &mut needs)? {
            Some(said) => Run::Done(Step::new(Vec::from(said.writes), said.envelope)),
            None => Run::Needs(needs),
        })
    }
}
