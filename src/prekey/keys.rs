//! The records of prekeys: one for each key, read and deleted by the step that needs it.

use alloc::vec::Vec;

use super::PrekeyId;
use crate::{
    identity::IdentityKeyPair,
    primitives::{
        KemPublicKey, KemSeed, KemSize, KeyPair, PublicKey, Random, RandomError, Signature,
        kdf::length_prefix, labels,
    },
    step::{KeyWriter, RecordKey, RecordKind, RecordReader, RecordType, RecordWriter},
};

/// A signed prekey with its signature over the encoded public half; beside it the last-resort KEM prekey, where there is one, which comes and goes with it.
#[derive(Debug)]
pub(crate) struct SignedPrekey {
    pub(crate) pair: KeyPair,
    pub(crate) signature: Signature,
    pub(crate) last_resort: Option<LastResort>,
}

/// The KEM prekey that is handed out where no one-time prekey is left.
#[derive(Debug)]
pub(crate) struct LastResort {
    pub(crate) seed: KemSeed,
    signature: Signature,
}

/// What is published of a signed prekey.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) key: PublicKey,
    pub(crate) signature: Signature,
    /// Field 8 of a bundle that has no one-time prekey; empty where there is none.
    pub(crate) last_resort: Vec<u8>,
}

impl SignedPrekey {
    /// Draws 96 random bytes, and 128 more with a KEM prekey.
    pub(crate) fn generate(
        identity: &IdentityKeyPair,
        kem: Option<KemSize>,
        random: &mut Random<'_>,
    ) -> Result<Self, RandomError> {
        let pair = KeyPair::generate(random)?;
        let signature = identity.sign(&pair.public().encoded(), random)?;
        let last_resort = kem.map(|size| LastResort::generate(size, identity, random)).transpose()?;
        Ok(Self { pair, signature, last_resort })
    }

    /// What a bundle shows of it.
    pub(crate) fn published(&self) -> Published {
        let last_resort = self.last_resort.as_ref().map_or(Vec::new(), LastResort::field);
        Published { key: *self.pair.public(), signature: self.signature, last_resort }
    }

    /// The parameter set of its KEM prekey.
    pub(crate) fn kem(&self) -> Option<KemSize> {
        self.last_resort.as_ref().map(|last| last.seed.size())
    }

    /// Without the KEM key, which a record keeps behind all that it kept before there was one.
    pub(crate) fn encode_curve(&self, body: &mut RecordWriter) {
        body.key_pair(&self.pair).bytes(self.signature.as_bytes());
    }

    pub(crate) fn decode_curve(body: &mut RecordReader<'_>) -> Option<Self> {
        let (pair, signature) = (body.key_pair()?, Signature::from_bytes(&body.array()?));
        Some(Self { pair, signature, last_resort: None })
    }

    /// Nothing where there is no KEM key.
    pub(crate) fn encode_kem(&self, body: &mut RecordWriter) {
        if let Some(LastResort { seed, signature }) = &self.last_resort {
            encode_seed(seed, body);
            body.bytes(signature.as_bytes());
        }
    }

    /// None where the record ends before one.
    pub(crate) fn decode_kem(&mut self, body: &mut RecordReader<'_>) -> Option<()> {
        if let Some(seed) = decode_seed(body)? {
            self.last_resort = Some(LastResort { seed, signature: Signature::from_bytes(&body.array()?) });
        }
        Some(())
    }

    pub(crate) fn key(id: &PrekeyId) -> RecordKey {
        KeyWriter::new(RecordKind::SignedPrekey).part(&id.0).finish()
    }
}

impl LastResort {
    fn generate(
        size: KemSize,
        identity: &IdentityKeyPair,
        random: &mut Random<'_>,
    ) -> Result<Self, RandomError> {
        let seed = KemSeed::generate(size, random)?;
        let signature = identity.sign(&kem_statement(None, seed.expand().public()), random)?;
        Ok(Self { seed, signature })
    }

    fn field(&self) -> Vec<u8> {
        kem_field(self.seed.expand().public(), &self.signature)
    }
}

impl RecordType<'_> for SignedPrekey {
    const KIND: RecordKind = RecordKind::SignedPrekey;

    fn max_body_len(&self) -> usize {
        64 + 64 + 1 + KemSeed::LEN + 64
    }

    fn encode(&self, body: &mut RecordWriter) {
        self.encode_curve(body);
        self.encode_kem(body);
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let mut signed = Self::decode_curve(body)?;
        signed.decode_kem(body)?;
        Some(signed)
    }
}

/// A one-time prekey: a curve key, and a KEM key with it, where there is one. They are handed out together, used together, and gone together.
#[derive(Debug)]
pub(crate) struct OneTimePrekey {
    pub(crate) pair: KeyPair,
    pub(crate) kem: Option<KemSeed>,
}

impl OneTimePrekey {
    /// Draws 32 random bytes, and 64 more with a KEM key.
    pub(crate) fn generate(kem: Option<KemSize>, random: &mut Random<'_>) -> Result<Self, RandomError> {
        let pair = KeyPair::generate(random)?;
        let kem = kem.map(|size| KemSeed::generate(size, random)).transpose()?;
        Ok(Self { pair, kem })
    }

    /// Its fields of a bundle. Draws 64 random bytes where it has a KEM key, which is signed.
    pub(crate) fn fields(
        &self,
        identity: &IdentityKeyPair,
        random: &mut Random<'_>,
    ) -> Result<Vec<u8>, RandomError> {
        let key = self.pair.public();
        let mut fields = Vec::from([0x3a, 33]);
        fields.extend_from_slice(&key.encoded());
        if let Some(seed) = &self.kem {
            let pair = seed.expand();
            let signature = identity.sign(&kem_statement(Some(key), pair.public()), random)?;
            fields.extend_from_slice(&kem_field(pair.public(), &signature));
        }
        Ok(fields)
    }

    pub(crate) fn id(&self) -> PrekeyId {
        PrekeyId::of(self.pair.public())
    }

    /// Nothing where there is no KEM key.
    pub(crate) fn encode_kem(&self, body: &mut RecordWriter) {
        if let Some(seed) = &self.kem {
            encode_seed(seed, body);
        }
    }

    /// None where the record ends before one.
    pub(crate) fn decode_kem(&mut self, body: &mut RecordReader<'_>) -> Option<()> {
        self.kem = decode_seed(body)?;
        Some(())
    }

    pub(crate) fn key(id: &PrekeyId) -> RecordKey {
        KeyWriter::new(RecordKind::OneTimePrekey).part(&id.0).finish()
    }
}

impl RecordType<'_> for OneTimePrekey {
    const KIND: RecordKind = RecordKind::OneTimePrekey;

    fn max_body_len(&self) -> usize {
        64 + 1 + KemSeed::LEN
    }

    fn encode(&self, body: &mut RecordWriter) {
        body.key_pair(&self.pair);
        self.encode_kem(body);
    }

    fn decode(body: &mut RecordReader<'_>) -> Option<Self> {
        let mut prekey = Self { pair: body.key_pair()?, kem: None };
        prekey.decode_kem(body)?;
        Some(prekey)
    }
}

#[cfg_attr(not(feature = "post-quantum"), expect(unreachable_code, reason = "no parameter set is there"))]
fn encode_seed(seed: &KemSeed, body: &mut RecordWriter) {
    body.u8(seed.size().to_byte()).bytes(seed.expose_bytes());
}

/// `Some(None)` where the record ends before one.
fn decode_seed(body: &mut RecordReader<'_>) -> Option<Option<KemSeed>> {
    let Some(size) = body.u8() else { return Some(None) };
    let size = KemSize::from_byte(size)?;
    Some(Some(KemSeed::take_from(size, &mut body.array()?)))
}

/// What is signed of a KEM prekey: whether it is one for once or the last resort, the curve key that it goes with, and the key with its type byte.
pub(super) fn kem_statement(one_time: Option<&PublicKey>, key: &KemPublicKey) -> Vec<u8> {
    let curve = one_time.map(PublicKey::encoded);
    let curve = curve.as_ref().map_or(&[][..], |key| key);
    let last_resort = u8::from(one_time.is_none());
    [labels::KEM_PREKEY, &[last_resort], &length_prefix(curve), curve, key.encoded()].concat()
}

/// Field 8 of a bundle: tag, length, `Enc(KEM key) ‖ signature`.
fn kem_field(key: &KemPublicKey, signature: &Signature) -> Vec<u8> {
    let len = key.encoded().len().saturating_add(Signature::LEN);
    let mut field = Vec::with_capacity(len.saturating_add(3));
    field.push(0x42);
    // Two bytes of a varint hold lengths from 128 to 16,383.
    let low = u8::try_from(len & 0x7f).unwrap_or_default() | 0x80;
    let high = u8::try_from(len >> 7).unwrap_or_default();
    field.extend_from_slice(&[low, high]);
    field.extend_from_slice(key.encoded());
    field.extend_from_slice(signature.as_bytes());
    field
}
