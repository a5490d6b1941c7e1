//! The phone number: a statement signed by the account's identity key, changeable without touching a session.
//!
//! `docs/protocol.md`, section 3 "Number statement".

use alloc::{string::String, vec::Vec};
use core::fmt;

use super::{AccountId, IdentityKey, IdentityKeyPair};
use crate::{
    primitives::{Random, RandomError, Signature, kdf::length_prefix, labels},
    step::{Advice, RecordError, UnixMillis, advises},
    wire::{
        DecodeError, Field, MAX_NUMBER_STATEMENT, NumberMessage, decode_canonical, encode_versioned,
        split_version,
    },
};

/// A phone number in E.164 form: `+`, then 7 to 15 digits, the first not 0.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber(String);

/// Not a phone number in E.164 form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotE164;

impl fmt::Display for NotE164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a number in E.164 form: +, then 7 to 15 digits, the first not 0")
    }
}

advises!(NumberError);

impl core::error::Error for NotE164 {}

impl PhoneNumber {
    /// Takes a number in its one spelling; spaces and national forms are for the app to remove before.
    ///
    /// # Errors
    /// [`NotE164`].
    pub fn parse(number: &str) -> Result<Self, NotE164> {
        let digits = number.strip_prefix('+').ok_or(NotE164)?.as_bytes();
        let sound = (7..=15).contains(&digits.len())
            && digits.iter().all(u8::is_ascii_digit)
            && digits.first() != Some(&b'0');
        if sound { Ok(Self(number.into())) } else { Err(NotE164) }
    }

    /// The number with its `+`, 8 to 16 ASCII bytes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PhoneNumber(redacted)")
    }
}

/// A number whose statement verified under the account's identity key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedNumber {
    pub(crate) number: PhoneNumber,
    pub(crate) issued_at: UnixMillis,
}

impl VerifiedNumber {
    /// The number.
    #[must_use]
    pub fn number(&self) -> &PhoneNumber {
        &self.number
    }

    /// When the account's phone signed it, by its own clock.
    #[must_use]
    pub fn issued_at(&self) -> UnixMillis {
        self.issued_at
    }
}

/// Why a number statement was refused. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NumberError {
    /// No number statement.
    Decode(DecodeError),
    /// Not signed by this account's identity key for this account.
    BadSignature,
    /// Not newer than the statement on record.
    Outdated,
    /// No identity key of this account's phone is on record.
    UnknownAccount,
    /// A record cannot be used.
    Record(RecordError),
}

impl NumberError {
    /// What the app does next.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::Decode(error) => error.advice(),
            Self::BadSignature | Self::Outdated => Advice::Drop,
            Self::UnknownAccount => Advice::FetchBundle,
            Self::Record(error) => error.advice(),
        }
    }
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => write!(f, "no number statement: {error}"),
            Self::BadSignature => f.write_str("the number statement is not signed by this account"),
            Self::Outdated => f.write_str("the number statement is not newer than the one on record"),
            Self::UnknownAccount => f.write_str("no identity key of this account's phone is on record"),
            Self::Record(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for NumberError {}

impl From<RecordError> for NumberError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<DecodeError> for NumberError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

/// The statement's encoding, signed.
pub(crate) fn sign_number(
    identity: &IdentityKeyPair,
    account: &AccountId,
    number: &PhoneNumber,
    issued_at: UnixMillis,
    random: &mut Random<'_>,
) -> Result<Vec<u8>, RandomError> {
    let signature = identity.sign(&signed_bytes(account, number, issued_at), random)?;
    Ok(encode_versioned(&NumberMessage {
        number: number.0.clone(),
        issued_at: issued_at.0,
        signature: signature.as_bytes().to_vec(),
    }))
}

/// Decodes a statement and verifies it under the account's identity key.
pub(crate) fn verify_number(
    statement: &[u8],
    account: &AccountId,
    key: &IdentityKey,
) -> Result<VerifiedNumber, NumberError> {
    let body = split_version(statement, MAX_NUMBER_STATEMENT)?;
    let message: NumberMessage = decode_canonical(body, Field::Frame)?;
    let bad = DecodeError::Malformed;
    let number = PhoneNumber::parse(&message.number).map_err(|_| bad(Field::Number))?;
    let signature = message.signature.as_slice().try_into().map_err(|_| bad(Field::Signature))?;
    if message.issued_at == 0 {
        return Err(bad(Field::IssuedAt).into());
    }
    let issued_at = UnixMillis(message.issued_at);
    key.verify(&signed_bytes(account, &number, issued_at), &Signature::from_bytes(signature))
        .map_err(|_| NumberError::BadSignature)?;
    Ok(VerifiedNumber { number, issued_at })
}

fn signed_bytes(account: &AccountId, number: &PhoneNumber, issued_at: UnixMillis) -> Vec<u8> {
    let number = number.0.as_bytes();
    [
        labels::NUMBER,
        &[0],
        &length_prefix(account.as_bytes()),
        account.as_bytes(),
        &issued_at.0.to_be_bytes(),
        &length_prefix(number),
        number,
    ]
    .concat()
}
