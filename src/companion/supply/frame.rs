//! The bytes of a frame: facts of accounts, and sync keys. `docs/protocol.md`, section 10 "Supply".

use alloc::vec::Vec;

use prost::Message;
use zeroize::Zeroize;

use super::keys::SyncKey;
use crate::{
    identity::{AccountId, DeviceList, IdentityKey},
    primitives::{SecretBytes, kdf, labels},
    session::{SupplyNumber, ToldIdentity},
    wire::{
        DecodeError, FactMessage, Field, MAX_DEVICE_LIST, SupplyMessage, SyncKeyMessage, decode_canonical,
    },
};

/// Accounts in one frame.
pub(super) const MAX_FACTS: usize = 64;

/// What a phone knows of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) account: AccountId,
    pub(super) identity: ToldIdentity,
    /// The signed list, if one is on record; of no more than 1,024 bytes.
    pub(super) list: Option<Vec<u8>>,
}

impl Fact {
    pub(super) fn new(account: AccountId, identity: ToldIdentity, list: Option<&DeviceList>) -> Self {
        Self { account, identity, list: list.map(|list| list.as_bytes().to_vec()) }
    }

    /// What tells whether it has changed.
    pub(super) fn digest(&self) -> [u8; 16] {
        kdf::truncate(kdf::sha256(labels::FACT, &[&self.encode().encode_to_vec()]))
    }

    fn encode(&self) -> FactMessage {
        FactMessage {
            account_id: self.account.as_bytes().to_vec(),
            identity_key: self.identity.key.encoded().to_vec(),
            verified: self.identity.verified,
            offered: self.identity.offered.map(|key| key.encoded().to_vec()),
            list: self.list.clone(),
        }
    }

    fn decode(message: FactMessage) -> Result<Self, DecodeError> {
        let bad = DecodeError::Malformed;
        let key = |bytes: &[u8]| IdentityKey::parse_encoded(bytes).map_err(|_| bad(Field::IdentityKey));
        if message.list.as_ref().is_some_and(|list| list.len() > MAX_DEVICE_LIST) {
            return Err(bad(Field::Entry));
        }
        Ok(Self {
            account: AccountId::new(&message.account_id).map_err(|_| bad(Field::AccountId))?,
            identity: ToldIdentity {
                key: key(&message.identity_key)?,
                verified: message.verified,
                offered: message.offered.map(|bytes| key(&bytes)).transpose()?,
            },
            list: message.list,
        })
    }
}

/// What a phone tells a companion at once.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) number: SupplyNumber,
    /// It holds all that changed after this one was taken.
    pub(super) after: SupplyNumber,
    pub(super) facts: Vec<Fact>,
    pub(super) keys: Vec<SyncKey>,
}

impl Frame {
    pub(super) fn encode(&self) -> SecretBytes {
        let key = |key: &SyncKey| SyncKeyMessage { epoch: key.epoch.0, key: key.expose_bytes().to_vec() };
        let mut message = SupplyMessage {
            number: self.number.0,
            after: self.after.0,
            facts: self.facts.iter().map(Fact::encode).collect(),
            sync_keys: self.keys.iter().map(key).collect(),
        };
        let bytes = SecretBytes::new(message.encode_to_vec());
        message.sync_keys.iter_mut().for_each(|key| key.key.as_mut_slice().zeroize());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let bad = DecodeError::Malformed;
        let message: SupplyMessage = decode_canonical(bytes, Field::Frame)?;
        if message.after >= message.number || message.facts.len() > MAX_FACTS {
            return Err(bad(Field::Frame));
        }
        let key = |mut key: SyncKeyMessage| {
            let mut bytes: [u8; 32] = key.key.as_slice().try_into().map_err(|_| bad(Field::Frame))?;
            key.key.as_mut_slice().zeroize();
            Ok(SyncKey::take_from(key.epoch, &mut bytes))
        };
        let facts = message.facts.into_iter().map(Fact::decode).collect::<Result<Vec<_>, _>>()?;
        let twice = |(place, fact): (usize, &Fact)| {
            facts.iter().take(place).any(|other| other.account == fact.account)
        };
        if facts.iter().enumerate().any(twice) {
            return Err(bad(Field::AccountId));
        }
        Ok(Self {
            number: SupplyNumber(message.number),
            after: SupplyNumber(message.after),
            facts,
            keys: message.sync_keys.into_iter().map(key).collect::<Result<_, DecodeError>>()?,
        })
    }
}
