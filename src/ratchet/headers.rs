//! Header keys: with them the headers of a ratchet's messages are encrypted. *The Double Ratchet Algorithm*, 4; `docs/protocol.md`, section 7 "Encrypted headers".

use alloc::vec::Vec;

use super::{
    chain::{RootKey, RootSecret},
    chains::Earlier,
};
use crate::{
    primitives::{
        Random, SecretBytes,
        aead::{self, HeaderKey, SealError},
        kdf, labels,
    },
    step::{RecordReader, RecordWriter},
    wire::{Header, SealedHeader, Under},
};

/// The header keys of one side.
#[derive(Debug)]
pub(super) struct HeaderKeys {
    /// HKs: of the current sending chain.
    sending: Option<HeaderKey>,
    /// NHKs: of the sending chain after it.
    next_sending: HeaderKey,
    /// HKr: of the current receiving chain.
    receiving: Option<HeaderKey>,
    /// NHKr: of the receiving chain after it.
    next_receiving: HeaderKey,
    /// Of the receiving chains before the current one, 32 bytes each, newest first: as many as those are remembered.
    earlier: SecretBytes,
}

impl HeaderKeys {
    /// Upper bound of the encoding in bytes.
    pub(super) const MAX_LEN: usize = 1 + 32 * (4 + Earlier::MAX) + 1;

    /// The side that speaks first: HKa is the key of its first chain, NHKb that of the other's.
    pub(super) fn initiator(secret: &RootSecret) -> (RootKey, Self) {
        let (root, first, answer) = split(secret);
        (root, Self::between(first, answer))
    }

    /// The side that listens first.
    pub(super) fn responder(secret: &RootSecret) -> (RootKey, Self) {
        let (root, first, answer) = split(secret);
        (root, Self::between(answer, first))
    }

    fn between(next_sending: HeaderKey, next_receiving: HeaderKey) -> Self {
        Self {
            sending: None,
            next_sending,
            receiving: None,
            next_receiving,
            earlier: SecretBytes::new(Vec::new()),
        }
    }

    /// HENCRYPT, for a message of the current sending chain, or of one that is about to begin.
    pub(super) fn seal(
        &self,
        header: &Header,
        begins: bool,
        random: &mut Random<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        let key = self.sending.as_ref().filter(|_| !begins).unwrap_or(&self.next_sending);
        aead::seal_header(key, &header.to_bytes(), random, out)
    }

    /// HDECRYPT, by trial in a fixed order and at most six times: under the current key, the next one, and those before, newest first.
    pub(super) fn open(&self, sealed: &SealedHeader) -> Option<(Header, Under)> {
        let current = self.receiving.iter().map(|key| (key, Under::Current));
        let mut keys = current.chain([(&self.next_receiving, Under::Next)]);
        keys.find_map(|(key, under)| open(key, sealed).map(|header| (header, under))).or_else(|| {
            self.earlier.as_chunks().0.iter().enumerate().find_map(|(place, key)| {
                let header = open(&HeaderKey::take_from(&mut { *key }), sealed)?;
                Some((header, Under::Earlier(place)))
            })
        })
    }

    /// A sending chain began: `next` is of the one after it.
    pub(super) fn begin_sending(&mut self, next: HeaderKey) {
        self.sending = Some(core::mem::replace(&mut self.next_sending, next));
    }

    /// A receiving chain began: `next` is of the one after it. The sending chain is over.
    pub(super) fn begin_receiving(&mut self, next: HeaderKey) {
        let begun = core::mem::replace(&mut self.next_receiving, next);
        if let Some(before) = self.receiving.replace(begun) {
            let kept = self.earlier.len().min(32 * (Earlier::MAX - 1));
            let mut earlier = Vec::with_capacity(32 * Earlier::MAX);
            earlier.extend_from_slice(before.expose_bytes());
            earlier.extend_from_slice(self.earlier.get(..kept).unwrap_or_default());
            self.earlier = SecretBytes::new(earlier);
        }
        self.stop_sending();
    }

    /// Forgets the key of the sending chain.
    pub(super) fn stop_sending(&mut self) {
        self.sending = None;
    }

    pub(super) fn encode(&self, body: &mut RecordWriter) {
        body.u8(u8::from(self.sending.is_some()) | u8::from(self.receiving.is_some()) << 1);
        if let Some(key) = &self.sending {
            body.bytes(key.expose_bytes());
        }
        if let Some(key) = &self.receiving {
            body.bytes(key.expose_bytes());
        }
        body.bytes(self.next_sending.expose_bytes()).bytes(self.next_receiving.expose_bytes());
        body.u8(u8::try_from(self.earlier.len()).unwrap_or(u8::MAX)).bytes(&self.earlier);
    }

    pub(super) fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let there = body.flags(3)?;
        let mut key = || body.array().map(|mut bytes| HeaderKey::take_from(&mut bytes));
        let sending = if there & 1 != 0 { Some(key()?) } else { None };
        let receiving = if there & 2 != 0 { Some(key()?) } else { None };
        let (next_sending, next_receiving) = (key()?, key()?);
        let len = body.u8().map(usize::from)?;
        let earlier = body.take(len).filter(|_| len.is_multiple_of(32) && len <= 32 * Earlier::MAX)?;
        let earlier = SecretBytes::new(earlier.to_vec());
        Some(Self { sending, next_sending, receiving, next_receiving, earlier })
    }
}

/// HDECRYPT under one key.
fn open(key: &HeaderKey, sealed: &SealedHeader) -> Option<Header> {
    let header = aead::open_header::<{ 16 + Header::LEN }, { Header::LEN }>(key, sealed)?;
    Header::from_bytes(&header)
}

/// Root key, HKa and NHKb from the secret that both sides bring: a plain ratchet from the same secret shares no key with this one.
fn split(secret: &RootSecret) -> (RootKey, HeaderKey, HeaderKey) {
    let [mut root, mut first, mut answer] =
        kdf::hkdf(&[0; 32], &[secret.expose_bytes()], labels::RATCHET_HEADERS);
    (RootKey::take_from(&mut root), HeaderKey::take_from(&mut first), HeaderKey::take_from(&mut answer))
}
