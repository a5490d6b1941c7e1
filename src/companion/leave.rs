//! A companion that leaves by itself.

use alloc::vec::Vec;
use core::fmt;

use crate::{
    identity::{Account, Address, DeviceId},
    session::{Heading, Keep, SendError, Single},
    step::{Advice, Context, Loaded, Needs, Operation, RecordError, Run, Sealed, Step, advises},
};

/// Leaves the account: this companion says so to its phone, and sends nothing more to anyone. The phone's user need do nothing, the phone signs a list without it when it
/// gets the message. Send the envelope again until then; then delete what the store holds.
///
/// The output is the envelope for the phone. Writes three records. Draws what a send draws.
///
/// # Errors
/// [`LeaveError`].
///
/// # Spec
/// `docs/protocol.md`, section 10 "Removal".
#[derive(Clone, Copy, Debug)]
pub struct LeaveAccount;

/// Why a companion did not leave. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeaveError {
    /// This store holds no companion.
    NotACompanion,
    /// The phone cannot be told: delete what the store holds, and remove this companion on the phone.
    Send(SendError),
    /// A record cannot be used.
    Record(RecordError),
}

impl LeaveError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::NotACompanion => Advice::FixCall,
            Self::Send(error) => error.advice(),
            Self::Record(error) => error.advice(),
        }
    }
}

impl fmt::Display for LeaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotACompanion => f.write_str("the store holds no companion"),
            Self::Send(error) => error.fmt(f),
            Self::Record(error) => error.fmt(f),
        }
    }
}

advises!(LeaveError);

impl core::error::Error for LeaveError {}

impl From<RecordError> for LeaveError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<SendError> for LeaveError {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

impl Sealed for LeaveAccount {}

impl Operation for LeaveAccount {
    type Output = Vec<u8>;
    type Error = LeaveError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<Vec<u8>>, LeaveError> {
        let mut needs = Needs::new();
        let mut slot = Account::read(have, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let account = slot.value.take().filter(|account| account.device != DeviceId::PHONE);
        let account = account.ok_or(LeaveError::NotACompanion)?;
        let phone = Address::new(*account.known.list.account(), DeviceId::PHONE);
        let text = Heading::Leaves.before(&[]);
        let single = Single::among_own(&phone, &text, Keep::ForRetry);
        let Some((sent, writes)) = single.seal(have, context, &mut needs)? else {
            return Ok(Run::Needs(needs));
        };
        let mut writes = Vec::from(writes);
        writes.push(slot.write(Account { left: true, ..account }, context));
        Ok(Run::Done(Step::new(writes, sent.envelope)))
    }
}
