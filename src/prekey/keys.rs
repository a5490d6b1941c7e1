//! The records of prekeys: one for each key, read and deleted by the step that needs it.

use super::PrekeyId;
use crate::{
    identity::IdentityKeyPair,
    primitives::{KeyPair, PublicKey, Random, RandomError, Signature},
    step::{KeyWriter, RecordKey, RecordKind, RecordReader, RecordType, RecordWriter},
};

/// A signed prekey with its signature over the encoded public half.
#[derive(Debug)]
pub(crate) struct SignedPrekey {
    pub(crate) pair: KeyPair,
    pub(crate) signature: Signature,
}

impl SignedPrekey {
    pub(crate) fn generate(identity: &IdentityKeyPair, random: &mut Random<'_>) -> Result<Self, RandomError> {
        let pair = KeyPair::generate(random)?;
        let signature = identity.sign(&pair.public().encoded(), random)?;
        Ok(Self { pair, signature })
    }

    /// What a bundle shows of it.
    pub(crate) fn published(&self) -> (PublicKey, Signature) {
        (*self.pair.public(), self.signature)
    }

    pub(crate) fn key(id: &PrekeyId) -> RecordKey {
        KeyWriter::new(RecordKind::SignedPrekey).part(&id.0).finish()
    }
}

impl RecordType<'_> for SignedPrekey {
    const KIND: RecordKind = RecordKind::SignedPrekey;

    fn max_body_len(&self) -> usize {
        64 + 64
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.key_pair(&self.pair).bytes(self.signature.as_bytes());
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        Some(Self { pair: body.key_pair()?, signature: Signature::from_bytes(&body.array()?) })
    }
}

/// A one-time prekey.
#[derive(Debug)]
pub(crate) struct OneTimePrekey(pub(crate) KeyPair);

impl OneTimePrekey {
    pub(crate) fn key(id: &PrekeyId) -> RecordKey {
        KeyWriter::new(RecordKind::OneTimePrekey).part(&id.0).finish()
    }
}

impl RecordType<'_> for OneTimePrekey {
    const KIND: RecordKind = RecordKind::OneTimePrekey;

    fn max_body_len(&self) -> usize {
        64
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.key_pair(&self.0);
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        body.key_pair().map(Self)
    }
}
