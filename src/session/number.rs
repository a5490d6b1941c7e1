//! The phone number of a peer's account, as its statement says.

use alloc::vec::Vec;

use super::peer::Peer;
use crate::{
    identity::{
        AccountId, Address, DeviceId, IdentityKey, NumberError, PhoneNumber, VerifiedNumber, verify_number,
    },
    step::{
        Context, KeyWriter, Loaded, Needs, Operation, RecordError, RecordKind, RecordReader, RecordType,
        RecordWriter, Run, Sealed, Slot, Step, UnixMillis,
    },
};

/// The record of an account's newest verified number.
#[derive(Debug)]
pub(super) struct Number {
    number: VerifiedNumber,
    /// The account key that signed it; under another key on record the number counts for nothing.
    signed_by: IdentityKey,
}

impl Number {
    pub(super) fn read(
        have: &Loaded,
        account: &AccountId,
        context: &Context<'_>,
        needs: &mut Needs,
    ) -> Result<Slot<Self>, RecordError> {
        have.read(account.write_key(KeyWriter::new(RecordKind::Number)).finish(), context, needs)
    }

    /// The number, if this key signed it.
    pub(super) fn under(self, key: &IdentityKey) -> Option<VerifiedNumber> {
        Some(self.number).filter(|_| self.signed_by == *key)
    }
}

impl RecordType<'_> for Number {
    const KIND: RecordKind = RecordKind::Number;

    fn max_body_len(&self) -> usize {
        32 + 8 + 2 + 16
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.bytes(self.signed_by.public_key().as_bytes());
        body.u64(self.number.issued_at.0).prefixed(self.number.number.as_str().as_bytes());
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let signed_by = IdentityKey::new(body.public_key()?);
        let issued_at = UnixMillis(body.u64()?);
        let number = PhoneNumber::parse(core::str::from_utf8(body.prefixed()?).ok()?).ok()?;
        Some(Self { number: VerifiedNumber { number, issued_at }, signed_by })
    }
}

/// Takes an account's number statement: verifies it under the identity key on record for the account's phone, and keeps the newest. Sessions do not notice.
///
/// | | type | size | meaning |
/// |---|---|---|---|
/// | in | [`AccountId`] | | whose number |
/// | in | `statement` | up to 128 B | from the account's [`ChangeNumber`](crate::ChangeNumber) |
/// | out | [`VerifiedNumber`] | | what is on record now |
///
/// The statement that is on record, given again, is accepted and changes nothing.
///
/// # Errors
/// [`NumberError`]: [`Outdated`](NumberError::Outdated) for one that is not newer than the one on record.
///
/// # Spec
/// `docs/protocol.md`, section 3 "Number statement".
#[derive(Clone, Copy, Debug)]
pub struct LearnNumber<'a> {
    /// Whose number.
    pub account: AccountId,
    /// The signed statement.
    pub statement: &'a [u8],
}

impl Sealed for LearnNumber<'_> {}

impl Operation for LearnNumber<'_> {
    type Output = VerifiedNumber;
    type Error = NumberError;

    fn run(&self, have: &Loaded, context: &mut Context<'_>) -> Result<Run<VerifiedNumber>, NumberError> {
        let mut needs = Needs::new();
        let phone = Address::new(self.account, DeviceId::PHONE);
        let peer = Peer::read(have, &phone, context, &mut needs)?;
        let mut slot = Number::read(have, &self.account, context, &mut needs)?;
        if !needs.is_empty() {
            return Ok(Run::Needs(needs));
        }
        let peer = peer.value.ok_or(NumberError::UnknownAccount)?;
        let signed_by = peer.identity.key();
        let number = verify_number(self.statement, &self.account, &signed_by)?;
        let writes = match slot.value.take().and_then(|known| known.under(&signed_by)) {
            Some(known) if known == number => Vec::new(),
            Some(known) if known.issued_at >= number.issued_at => return Err(NumberError::Outdated),
            Some(_) | None => Vec::from([slot.write(Number { number: number.clone(), signed_by }, context)]),
        };
        Ok(Run::Done(Step::new(writes, number)))
    }
}
